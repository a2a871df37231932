//! Memberships: the distinct sets of groups that anybody is in, each with one line of everything that it
//! grants.
//!
//! Many subjects share few memberships. A group's grants and the groups above it belong to the membership, not
//! to the member: an edit of a group works out anew the memberships concerned, whatever the number of
//! subjects, and a check looks at one line more.

use crate::chunked::Chunked;
use crate::groups::Groups;
use crate::line::Line;
use crate::names::FixedHasher;
use crate::overflow::{Overflow, Timed, TimedMember};
use crate::reach::{Gathered, Reach};
use crate::rules::Rules;
use crate::slab::Slab;
use rpds::HashTrieMapSync;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tessera_model::grant_condition::Grantee;
use tessera_model::limits::SUBJECTS_MAX;
use tessera_model::record::{GroupGrantRecord, GroupRecord, MemberRecord, SubjectStatus};
use tessera_model::{Deadline, GroupId, RoleId, SubjectIndex, WorkspaceIndex};

/// Sorted groups, without doubles.
type GroupList = Arc<[GroupId]>;

#[derive(Clone)]
struct Interned {
    /// The groups that its holders are in themselves.
    groups: GroupList,
    /// With all above them.
    all: GroupList,
    /// The windows of those among them that are not reached for good.
    limited: Arc<[Reach]>,
    /// One bit per group of `all` modulo 64: most memberships say so without their list that a group is not
    /// in them.
    signature: u64,
}

const fn signature(group: GroupId) -> u64 {
    1 << (group.0 % 64)
}

/// The memberships of a tenant. Membership 0 is in no group.
#[derive(Clone)]
pub(crate) struct Memberships {
    lines: Chunked<Line>,
    interned: Slab<Interned>,
    holders: Chunked<u32>,
    by_groups: HashTrieMapSync<GroupList, u32, FixedHasher>,
}

impl Memberships {
    pub(crate) fn new() -> Self {
        Self {
            lines: Chunked::new(u32::MAX),
            interned: Slab::new(u32::MAX),
            holders: Chunked::new(u32::MAX),
            by_groups: HashTrieMapSync::new_with_hasher_and_ptr_kind(FixedHasher::default()),
        }
    }

    /// Everything that the membership grants; the empty line for none.
    #[inline]
    pub(crate) fn line(&self, membership: u32) -> Option<&Line> {
        self.lines.get(membership)
    }

    /// The groups that its holders are in, straight and through others, sorted.
    pub(crate) fn all(&self, membership: u32) -> &[GroupId] {
        self.interned.get(membership).map_or(&[], |interned| &interned.all)
    }

    /// The windows of those among them that are not reached for good, sorted.
    pub(crate) fn limited(&self, membership: u32) -> &[Reach] {
        self.interned.get(membership).map_or(&[], |interned| &interned.limited)
    }

    /// The groups that its holders are in themselves, sorted.
    pub(crate) fn groups(&self, membership: u32) -> &[GroupId] {
        self.interned.get(membership).map_or(&[], |interned| &interned.groups)
    }

    /// The memberships that any of these groups (sorted) belongs to, straight or through others.
    /// COST: looks at the signature of every membership.
    fn with(&self, groups: &[GroupId]) -> Vec<u32> {
        let any = groups.iter().fold(0, |all, group| all | signature(*group));
        let holds = |interned: &Interned| {
            interned.signature & any != 0
                && interned.all.iter().any(|group| groups.binary_search(group).is_ok())
        };
        self.interned.iter().filter(|(_, interned)| holds(interned)).map(|(id, _)| id).collect()
    }

    pub(crate) fn count(&self) -> u32 {
        self.interned.count()
    }

    fn forget_list(&mut self, list: &GroupList, id: u32) {
        if self.by_groups.get(list) == Some(&id) {
            self.by_groups.remove_mut(list);
        }
    }
}

impl Rules {
    /// Puts a group. When the groups that it lies in changed, whoever is in it or below follows.
    pub fn put_group(&mut self, record: &GroupRecord) {
        let changed = self.groups.put(record);
        self.follow(&changed);
        self.put_rule(record);
    }

    /// Removes a group, with every membership in it and every grant to it.
    ///
    /// They vanish from every answer at once; entries of single subjects are reused when their subjects'
    /// grants change.
    pub fn remove_group(&mut self, group: GroupId) {
        if !Groups::is_id(group) {
            return;
        }
        if let Some(mut line) = self.groups.line(group).copied() {
            self.drop_line(&mut line);
            self.groups.set_line(group, line);
        }
        self.remove_rule(group);
        self.conditions.drop_all_of(Grantee::Group(group));
        let changed = self.groups.remove(group);
        for id in self.members.with(&[group]) {
            let old = Arc::from(self.members.groups(id));
            let list: GroupList = self.members.groups(id).iter().copied().filter(|at| *at != group).collect();
            if list == old {
                continue;
            }
            self.members.forget_list(&old, id);
            if !list.is_empty() && !self.members.by_groups.contains_key(&list) {
                self.members.by_groups.insert_mut(Arc::clone(&list), id);
            }
            self.members.interned.update(id, |interned| interned.groups = list);
        }
        self.follow(&changed);
    }

    /// Puts a grant to a group; it replaces the window of one of the same group, role and workspace.
    ///
    /// Role, workspace and group may come later.
    pub fn put_group_grant(&mut self, grant: &GroupGrantRecord) {
        let GroupGrantRecord { group, role, workspace, from, until } = *grant;
        let condition = self.conditions.id_of(Grantee::Group(group), role, workspace);
        let grant = Timed { from, until, workspace, role, condition };
        if !Groups::is_id(group) || self.groups.is_removed(group) || !self.takes(&grant) {
            return;
        }
        let mut line = self.clean_line(self.groups.line(group).copied());
        self.add_grant(&mut line, grant);
        self.groups.set_line(group, line);
        self.follow(&[group]);
    }

    /// Removes a grant to a group, whatever its window.
    pub fn remove_group_grant(&mut self, group: GroupId, role: RoleId, workspace: WorkspaceIndex) {
        self.conditions.drop_key(&(Grantee::Group(group), role, workspace));
        if self.groups.line(group).is_none() {
            return;
        }
        let mut line = self.clean_line(self.groups.line(group).copied());
        self.take_grant(&mut line, role, workspace);
        self.groups.set_line(group, line);
        self.follow(&[group]);
    }

    /// Puts a subject into a group; it replaces the window of an older membership.
    ///
    /// Group and subject may come later. A deleted subject is put into none.
    pub fn put_member(&mut self, member: &MemberRecord) {
        let MemberRecord { subject, group, from, until } = *member;
        let deleted = self.line(subject).is_some_and(|line| line.status() == SubjectStatus::Deleted);
        let within = (1..SUBJECTS_MAX).contains(&subject.0) && Groups::is_id(group);
        if !within || deleted || self.groups.is_removed(group) {
            return;
        }
        let mut line = self.clean_line(self.lines.get(subject.0).copied());
        self.leave(&mut line, group);
        if from == Deadline::NONE && until == Deadline::NONE {
            let mut list = self.members.groups(line.groups).to_vec();
            if let Err(at) = list.binary_search(&group) {
                list.insert(at, group);
            }
            let new = self.acquire_membership(&list);
            self.release_membership(line.groups);
            line.groups = new;
        } else {
            let membership = self.acquire_membership(&[group]);
            let timed = TimedMember { from, until, group, membership };
            self.edit_overflow(&mut line, |overflow| {
                let at = overflow.members.partition_point(|other| *other < timed);
                overflow.members.insert(at, timed);
            });
        }
        self.lines.set(subject.0, line);
    }

    /// Takes a subject out of a group.
    pub fn remove_member(&mut self, subject: SubjectIndex, group: GroupId) {
        if self.lines.get(subject.0).is_none() {
            return;
        }
        let mut line = self.clean_line(self.lines.get(subject.0).copied());
        self.leave(&mut line, group);
        self.lines.set(subject.0, line);
    }

    /// The memberships of a subject itself, sorted by group.
    pub fn memberships_of(&self, subject: SubjectIndex) -> Vec<MemberRecord> {
        let Some(line) = self.lines.get(subject.0) else { return vec![] };
        let mut out = vec![];
        self.collect_members(subject, line, &mut out);
        out.sort_unstable();
        out
    }

    /// The group itself and all that it lies in, sorted.
    #[must_use]
    pub fn groups_above(&self, group: GroupId) -> &[GroupId] {
        self.groups.above(group)
    }

    /// The groups that lie in a group, straight, sorted.
    pub fn groups_in(&self, group: GroupId) -> impl Iterator<Item = GroupId> + '_ {
        self.groups.inner(group).filter(|inner| !self.groups.is_removed(*inner))
    }

    /// The subjects that are in a group itself, after a subject. COST: looks at every subject's line.
    pub fn members_of(&self, group: GroupId, after: SubjectIndex) -> impl Iterator<Item = MemberRecord> + '_ {
        self.members_where(after, move |groups| groups == group)
    }

    /// The subjects that are in a group or in one that lies in it, after a subject, each with how it comes
    /// there: one entry for each membership of its own. COST: as [`Rules::members_of`].
    pub fn members_below(
        &self,
        group: GroupId,
        after: SubjectIndex,
    ) -> impl Iterator<Item = MemberRecord> + '_ {
        self.members_where(after, move |own| self.groups.above(own).binary_search(&group).is_ok())
    }

    fn members_where(
        &self,
        after: SubjectIndex,
        wanted: impl Fn(GroupId) -> bool,
    ) -> impl Iterator<Item = MemberRecord> {
        let from = after.0.saturating_add(1);
        let may = |line: &Line| line.groups | line.overflow != 0;
        let lines = self.lines.iter_from(from).filter(move |(_, line)| may(line));
        lines.flat_map(move |(subject, line)| {
            let mut out = vec![];
            self.collect_members(SubjectIndex(subject), line, &mut out);
            out.retain(|member| wanted(member.group));
            out.sort_unstable();
            out
        })
    }

    /// The grants to groups of a role. COST: looks at every group's line.
    pub fn groups_with(&self, role: RoleId) -> Vec<GroupGrantRecord> {
        let may = self.may_hold(role);
        let groups = self.groups.lines().filter(|(_, line)| may(line)).map(|(group, _)| group);
        groups.flat_map(|group| self.grants_to(group)).filter(|grant| grant.role == role).collect()
    }

    /// The grants to groups in a workspace itself. COST: looks at every group's line.
    pub fn groups_granted_in(&self, workspace: WorkspaceIndex) -> Vec<GroupGrantRecord> {
        let groups = self.groups.lines().filter(|(_, line)| line.may_hold_in(workspace));
        let grants = groups.flat_map(|(group, _)| self.grants_to(group));
        grants.filter(|grant| grant.workspace == workspace).collect()
    }

    fn collect_members(&self, subject: SubjectIndex, line: &Line, out: &mut Vec<MemberRecord>) {
        let (from, until) = (Deadline::NONE, Deadline::NONE);
        let groups = self.members.groups(line.groups).iter();
        out.extend(groups.map(|group| MemberRecord { subject, group: *group, from, until }));
        let timed = self.overflows.get(line.overflow).into_iter().flat_map(|more| more.members.iter());
        let living = timed.filter(|member| !self.groups.is_removed(member.group));
        out.extend(living.map(|member| {
            let TimedMember { from, until, group, .. } = *member;
            MemberRecord { subject, group, from, until }
        }));
    }

    /// Takes a group out of a line, whatever the membership's window.
    fn leave(&mut self, line: &mut Line, group: GroupId) {
        let mut list = self.members.groups(line.groups).to_vec();
        if let Ok(at) = list.binary_search(&group) {
            list.remove(at);
            let new = self.acquire_membership(&list);
            self.release_membership(line.groups);
            line.groups = new;
        }
        let timed = self.overflows.get(line.overflow).into_iter().flat_map(|more| more.members.iter());
        let Some(old) = timed.copied().find(|member| member.group == group) else { return };
        self.edit_overflow(line, |overflow| overflow.members.retain(|member| member.group != group));
        self.release_membership(old.membership);
    }

    /// The membership in these groups (sorted, distinct), with one more holder.
    pub(crate) fn acquire_membership(&mut self, groups: &[GroupId]) -> u32 {
        if groups.is_empty() {
            return 0;
        }
        if let Some(id) = self.members.by_groups.get(groups).copied() {
            self.members.holders.update(id, |holders| *holders += 1);
            return id;
        }
        let groups: GroupList = groups.into();
        let interned = Interned {
            groups: Arc::clone(&groups),
            all: Arc::default(),
            limited: Arc::default(),
            signature: 0,
        };
        let id = self.members.interned.insert(interned);
        self.members.holders.set(id, 1);
        self.members.by_groups.insert_mut(groups, id);
        self.work_out_membership(id);
        id
    }

    /// One holder fewer; the last one frees the membership.
    pub(crate) fn release_membership(&mut self, id: u32) {
        let Some(interned) = self.members.interned.get(id) else { return };
        let list = Arc::clone(&interned.groups);
        let mut left = 0;
        self.members.holders.update(id, |holders| {
            *holders -= 1;
            left = *holders;
        });
        if left == 0 {
            self.members.forget_list(&list, id);
            self.members.interned.remove(id);
            let mut line = self.members.lines.get(id).copied().unwrap_or_default();
            self.drop_line(&mut line);
            self.members.lines.set(id, line);
        }
    }

    /// Works out anew the memberships that changed groups (sorted) belong to or have come to belong to.
    fn follow(&mut self, changed: &[GroupId]) {
        if changed.is_empty() {
            return;
        }
        // What lies above a group changed: those are found through the group itself, which they hold still.
        for id in self.members.with(changed) {
            self.work_out_membership(id);
        }
    }

    /// Works out what a membership grants: everything that is granted to any of its groups.
    fn work_out_membership(&mut self, id: u32) {
        let groups: GroupList = self.members.groups(id).into();
        let mut gathered = Gathered::default();
        for group in groups.iter() {
            self.groups.gather(&Reach::for_good(*group), *group, &mut gathered);
        }
        let (all, limited) = gathered.finish();
        let mut sets: BTreeMap<WorkspaceIndex, BTreeSet<RoleId>> = BTreeMap::new();
        let (mut grants, mut timed) = (vec![], vec![]);
        for group in all.iter().filter(|group| !limited.iter().any(|reach| reach.group == **group)) {
            if let Some(line) = self.groups.line(*group) {
                self.collect_grants(line, &mut grants);
            }
        }
        for reach in limited.iter().filter(|reach| !reach.is_empty()) {
            let (Some(line), mut through) = (self.groups.line(reach.group), vec![]) else { continue };
            self.collect_grants(line, &mut through);
            grants.extend(through.into_iter().filter_map(|grant| {
                let (from, until) = reach.meet(grant.from, grant.until);
                let met = Timed { from, until, ..grant };
                (met.begins() < met.ends()).then_some(met)
            }));
        }
        for grant in grants {
            if grant.is_for_good() {
                sets.entry(grant.workspace).or_default().insert(grant.role);
            } else {
                timed.push(grant);
            }
        }
        timed.sort_unstable();
        timed.dedup();
        let mut overflow = Overflow { timed, ..Overflow::default() };
        let mut line = Line::default();
        for (workspace, roles) in sets {
            let list: Vec<_> = roles.into_iter().collect();
            let set = self.sets.acquire(&list, &self.roles, &self.permissions);
            if workspace.0 == 0 {
                line.root_grant = set.0;
            } else if !line.replace_pair(0, workspace.0, set) {
                overflow.sets.push((workspace, set));
            }
        }
        self.put_overflow(&mut line, overflow);
        let mut old = self.members.lines.get(id).copied().unwrap_or_default();
        self.drop_line(&mut old);
        self.members.lines.set(id, line);
        let (all, limited): (GroupList, Arc<[Reach]>) = (all.into(), limited.into());
        let signature = all.iter().fold(0, |bits, group| bits | signature(*group));
        self.members.interned.update(id, |interned| {
            (interned.all, interned.limited, interned.signature) = (all, limited, signature);
        });
    }
}
