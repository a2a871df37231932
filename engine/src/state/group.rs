//! Groups: who holds grants together.

use super::{Decided, State};
use std::collections::BTreeSet;
use std::sync::Arc;
use tessera_model::limits::{
    GRANTS_PER_GROUP_MAX, GROUP_DEPTH_MAX, GROUP_WINDOWS_MAX, GROUPS_ABOVE_MAX, GROUPS_PER_SUBJECT_MAX,
};
use tessera_model::note::About;
use tessera_model::record::{EdgeWindow, GroupGrantRecord, GroupRecord, MemberRecord};
use tessera_model::{
    Caller, Deadline, Event, GroupId, Limit, Name, Pattern, PublicId, Refusal, Row, RowKind, UnixMillis,
};

impl State {
    pub(super) fn group_id(&self, name: &Name) -> Result<GroupId, Refusal> {
        self.root.group_names.get(name).copied().ok_or(Refusal::GroupUnknown)
    }

    pub(super) fn delete_group(&self, name: &Name, now: UnixMillis) -> Result<Decided, Refusal> {
        let id = self.group_id(name)?;
        if self.leaves_no_operator(|rules| rules.remove_group(id), now) {
            return Err(Refusal::LastOperator);
        }
        let rows = vec![Row::gone(RowKind::GroupGranted, tessera_model::SubjectIndex(id.0))];
        Ok(Decided { rows, ..Decided::of(Event::GroupRemoved(id)) })
    }

    pub(super) fn add_member(
        &self,
        group: &Name,
        subject: PublicId,
        (from, until): (Deadline, Deadline),
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let subject = self.known_subject(subject)?.index;
        let group = self.group_id(group)?;
        super::grant::window(from, until, now)?;
        if self.root.rules.follows_rule(group) {
            return Err(Refusal::RuleGroup);
        }
        if !self.may_hand_out_all(&self.handed_by(group), caller, now) {
            return Err(Refusal::BeyondCreator);
        }
        let record = MemberRecord { subject, group, from, until };
        let held: Vec<_> = self.written_memberships(subject).collect();
        if held.contains(&record) {
            return Ok(Decided::nothing());
        }
        if held.iter().filter(|member| member.group != group).count() >= GROUPS_PER_SUBJECT_MAX {
            return Err(Limit::GroupsPerSubject.reached());
        }
        if self.leaves_no_operator(|rules| rules.put_member(&record), now) {
            return Err(Refusal::LastOperator);
        }
        let stood = held.iter().any(|member| member.group == group);
        let note = About::Member(subject, group).row(self.note(caller, now), stood);
        Ok(Decided { rows: vec![note], ..Decided::of(Event::MemberAdded(record)) })
    }

    pub(super) fn remove_member(
        &self,
        group: &Name,
        subject: PublicId,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let subject = self.known_subject(subject)?.index;
        let group = self.group_id(group)?;
        if self.root.rules.follows_rule(group) {
            return Err(Refusal::RuleGroup);
        }
        if !self.root.rules.memberships_of(subject).iter().any(|member| member.group == group) {
            return Ok(Decided::nothing());
        }
        if self.leaves_no_operator(|rules| rules.remove_member(subject, group), now) {
            return Err(Refusal::LastOperator);
        }
        Ok(Decided {
            rows: About::Member(subject, group).gone().into(),
            ..Decided::of(Event::MemberRemoved { subject, group })
        })
    }

    pub(super) fn add_subgroup(
        &self,
        group: &Name,
        member: &Name,
        (from, until): (Deadline, Deadline),
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let (outer, inner) = (self.group_id(group)?, self.group_id(member)?);
        super::grant::window(from, until, now)?;
        let rules = &self.root.rules;
        let above = rules.groups_above(outer);
        if above.binary_search(&inner).is_ok() {
            return Err(Refusal::Cycle);
        }
        let record = self.root.groups.get(&inner).ok_or(Refusal::GroupUnknown)?;
        let mut parents = self.living_groups(&record.parents);
        let mut windows = record.windows.clone();
        windows.retain(|window| window.parent != outer && parents.contains(&window.parent));
        if from != Deadline::NONE || until != Deadline::NONE {
            windows.push(EdgeWindow { parent: outer, from, until });
        }
        windows.sort_unstable();
        if record.parents.contains(&outer) && record.windows == windows {
            return Ok(Decided::nothing());
        }
        if !self.may_hand_out_all(&self.handed_by(outer), caller, now) {
            return Err(Refusal::BeyondCreator);
        }
        // Whatever lies below the inner one comes to lie below the outer one too.
        let (mut below, mut level, mut levels) = (BTreeSet::from([inner]), vec![inner], 1);
        while levels <= GROUP_DEPTH_MAX {
            level = level.iter().flat_map(|group| rules.groups_in(*group)).collect();
            level.retain(|group| below.insert(*group));
            if level.is_empty() {
                break;
            }
            levels += 1;
        }
        if self.group_height(outer) + levels > GROUP_DEPTH_MAX {
            return Err(Limit::GroupDepth.reached());
        }
        let too_many = |group: &GroupId| {
            let known = rules.groups_above(*group);
            let more = above.iter().filter(|at| known.binary_search(at).is_err()).count();
            known.len() + more > GROUPS_ABOVE_MAX
        };
        if below.iter().any(too_many) {
            return Err(Limit::GroupsAbove.reached());
        }
        if !parents.contains(&outer) {
            parents.push(outer);
        }
        parents.sort_unstable();
        let changed = GroupRecord { parents, windows, ..(**record).clone() };
        self.few_windows(&changed, &below)?;
        if self.leaves_no_operator(|rules| rules.put_group(&changed), now) {
            return Err(Refusal::LastOperator);
        }
        Ok(Decided::of(Event::GroupChanged(changed)))
    }

    /// Refuses an edge by which groups would lie in others in more windows than are worked out.
    fn few_windows(&self, changed: &GroupRecord, below: &BTreeSet<GroupId>) -> Result<(), Refusal> {
        let limited = |group: &GroupId| self.root.rules.windows_above(*group) > 0;
        if changed.windows.is_empty() && !changed.parents.iter().chain(below).any(limited) {
            return Ok(());
        }
        let mut rules = self.root.rules.clone();
        rules.put_group(changed);
        let too_many = below.iter().any(|group| rules.windows_above(*group) > GROUP_WINDOWS_MAX);
        if too_many { Err(Limit::GroupWindows.reached()) } else { Ok(()) }
    }

    pub(super) fn remove_subgroup(
        &self,
        group: &Name,
        member: &Name,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let (outer, inner) = (self.group_id(group)?, self.group_id(member)?);
        let record = self.root.groups.get(&inner).ok_or(Refusal::GroupUnknown)?;
        if !record.parents.contains(&outer) {
            return Ok(Decided::nothing());
        }
        let mut parents = self.living_groups(&record.parents);
        parents.retain(|parent| *parent != outer);
        let mut windows = record.windows.clone();
        windows.retain(|window| parents.contains(&window.parent));
        let changed = GroupRecord { parents, windows, ..(**record).clone() };
        if self.leaves_no_operator(|rules| rules.put_group(&changed), now) {
            return Err(Refusal::LastOperator);
        }
        Ok(Decided::of(Event::GroupChanged(changed)))
    }

    pub(super) fn grant_group(
        &self,
        (group, role, workspace): (&Name, &Name, Option<&Name>),
        (from, until): (Deadline, Deadline),
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let group = self.group_id(group)?;
        let role = self.role_id(role)?;
        let workspace = self.workspace_index(workspace)?;
        self.fits(role, workspace)?;
        super::grant::window(from, until, now)?;
        if !self.may_hand_out_all(&self.handed_with(role), caller, now) {
            return Err(Refusal::BeyondCreator);
        }
        let record = GroupGrantRecord { group, role, workspace, from, until };
        let (mut held, mut stood) = (0, false);
        for grant in self.root.rules.grants_to(group) {
            if grant == record {
                return Ok(Decided::nothing());
            }
            let same = (grant.role, grant.workspace) == (role, workspace);
            stood |= same;
            held += usize::from(!same);
        }
        if held >= GRANTS_PER_GROUP_MAX {
            return Err(Limit::GrantsPerGroup.reached());
        }
        if self.leaves_no_operator(|rules| rules.put_group_grant(&record), now) {
            return Err(Refusal::LastOperator);
        }
        let note = About::GroupGrant(group, role, workspace).row(self.note(caller, now), stood);
        Ok(Decided { rows: vec![note], ..Decided::of(Event::GroupGrantAdded(record)) })
    }

    pub(super) fn ungrant_group(
        &self,
        (group, role, workspace): (&Name, &Name, Option<&Name>),
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let group = self.group_id(group)?;
        let role = self.role_id(role)?;
        let workspace = self.workspace_index(workspace)?;
        let same = |grant: &GroupGrantRecord| (grant.role, grant.workspace) == (role, workspace);
        if !self.root.rules.grants_to(group).any(|grant| same(&grant)) {
            return Ok(Decided::nothing());
        }
        if self.leaves_no_operator(|rules| rules.remove_group_grant(group, role, workspace), now) {
            return Err(Refusal::LastOperator);
        }
        Ok(Decided {
            rows: About::GroupGrant(group, role, workspace).gone().into(),
            ..Decided::of(Event::GroupGrantRemoved { group, role, workspace })
        })
    }

    /// What whoever comes into a group is granted with it: the patterns of every role that it or a group
    /// above it has.
    pub(super) fn handed_by(&self, group: GroupId) -> Vec<&Pattern> {
        let groups = self.root.rules.groups_above(group).iter();
        let roles: BTreeSet<_> =
            groups.flat_map(|group| self.root.rules.grants_to(*group)).map(|grant| grant.role).collect();
        roles.into_iter().flat_map(|role| self.handed_with(role)).collect()
    }

    /// The groups among these that were not deleted.
    fn living_groups(&self, groups: &[GroupId]) -> Vec<GroupId> {
        groups.iter().copied().filter(|group| self.root.groups.contains_key(group)).collect()
    }

    /// Levels of groups from this one upwards, itself included.
    fn group_height(&self, group: GroupId) -> usize {
        let (mut level, mut height) = (BTreeSet::from([group]), 0);
        while !level.is_empty() && height <= GROUP_DEPTH_MAX {
            height += 1;
            let records = level.iter().filter_map(|group| self.root.groups.get(group));
            level = records.flat_map(|record| self.living_groups(&record.parents)).collect();
        }
        height
    }

    pub(super) fn apply_group(&mut self, record: &GroupRecord) {
        self.next.group = self.next.group.max(record.id.0 + 1);
        self.root.rules.put_group(record);
        self.root.group_names.insert_mut(record.name.clone(), record.id);
        self.root.groups.insert_mut(record.id, Arc::new(record.clone()));
    }

    pub(super) fn apply_group_removed(&mut self, group: GroupId) {
        self.next.group = self.next.group.max(group.0 + 1);
        self.dirty.insert((tessera_storage::BucketKind::Names, 0));
        // Every member's memberships change with it, so their buckets do too.
        let start = tessera_model::SubjectIndex(0);
        let members: Vec<_> = self.root.rules.members_of(group, start).map(|member| member.subject).collect();
        self.dirty.extend(members.into_iter().map(super::bucket::of_subject));
        self.root.rules.remove_group(group);
        if let Some(record) = self.root.groups.get(&group) {
            let name = record.name.clone();
            self.root.group_names.remove_mut(&name);
        }
        self.root.groups.remove_mut(&group);
    }
}
