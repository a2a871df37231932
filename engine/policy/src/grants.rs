//! Grants in and out of lines, sets and overflow records.
//!
//! A grant without a window is one role more in the interned set of its subject (or group) and workspace. A
//! grant with a window, or with conditions, is an entry of the overflow record.

use crate::line::Line;
use crate::overflow::{Overflow, Timed, TimedMember};
use crate::rules::Rules;
use std::sync::Arc;
use tessera_model::grant_condition::Grantee;
use tessera_model::limits::{ROLES_MAX, SUBJECTS_MAX, WORKSPACES_MAX};
use tessera_model::record::{GrantRecord, GroupGrantRecord, SubjectStatus};
use tessera_model::{Deadline, GroupId, RoleId, SetId, SubjectIndex, WorkspaceIndex};

impl Rules {
    /// Puts a grant; it replaces the window of one of the same subject, role and workspace.
    ///
    /// Role, workspace and subject may come later. A deleted subject takes none.
    pub fn put_grant(&mut self, grant: &GrantRecord) {
        let GrantRecord { subject, role, workspace, from, until } = *grant;
        let condition = self.conditions.id_of(Grantee::Subject(subject), role, workspace);
        let grant = Timed { from, until, workspace, role, condition };
        let deleted = self.line(subject).is_some_and(|line| line.status() == SubjectStatus::Deleted);
        if !(1..SUBJECTS_MAX).contains(&subject.0) || deleted || !self.takes(&grant) {
            return;
        }
        let mut line = self.clean_line(self.lines.get(subject.0).copied());
        self.add_grant(&mut line, grant);
        self.lines.set(subject.0, line);
    }

    /// Removes a grant, whatever its window.
    pub fn remove_grant(&mut self, subject: SubjectIndex, role: RoleId, workspace: WorkspaceIndex) {
        self.conditions.drop_key(&(Grantee::Subject(subject), role, workspace));
        if self.lines.get(subject.0).is_none() {
            return;
        }
        let mut line = self.clean_line(self.lines.get(subject.0).copied());
        self.take_grant(&mut line, role, workspace);
        self.lines.set(subject.0, line);
    }

    /// The grants of a subject itself, sorted by role, workspace and window.
    pub fn grants_of(&self, subject: SubjectIndex) -> impl Iterator<Item = GrantRecord> + use<> {
        let mut out = vec![];
        if let Some(line) = self.lines.get(subject.0) {
            self.collect_grants(line, &mut out);
        }
        let mut out: Vec<_> = out.iter().map(|timed| of_subject(subject, timed)).collect();
        out.sort_unstable();
        out.into_iter()
    }

    /// The grants of a group itself, sorted by role, workspace and window.
    pub fn grants_to(&self, group: GroupId) -> impl Iterator<Item = GroupGrantRecord> + use<> {
        let mut out = vec![];
        if let Some(line) = self.groups.line(group) {
            self.collect_grants(line, &mut out);
        }
        let of_group = |timed: &Timed| {
            let Timed { from, until, workspace, role, .. } = *timed;
            GroupGrantRecord { group, role, workspace, from, until }
        };
        let mut out: Vec<_> = out.iter().map(of_group).collect();
        out.sort_unstable();
        out.into_iter()
    }

    /// The grants of a role. COST: looks at every subject's line, and further only at holders.
    pub fn holders_of(&self, role: RoleId) -> impl Iterator<Item = GrantRecord> + '_ {
        let may = self.may_hold(role);
        self.grants_where(may, move |grant| grant.role == role)
    }

    /// Whether a line may hold a role, told from its sets alone.
    pub(crate) fn may_hold(&self, role: RoleId) -> impl Fn(&Line) -> bool + use<> {
        let mut holding = vec![];
        for set in self.sets.with(&[role]) {
            let at = set.0 as usize;
            holding.resize(holding.len().max(at + 1), false);
            if let Some(holds) = holding.get_mut(at) {
                *holds = true;
            }
        }
        let holds = move |set: u32| holding.get(set as usize).copied().unwrap_or(false);
        move |line: &Line| line.overflow != 0 || line.sets().any(|set| holds(set.0))
    }

    /// How many grants there are. COST: looks at every line.
    #[must_use]
    pub fn count_grants(&self) -> u64 {
        let mut held = vec![];
        let mut of = |line: &Line| {
            held.clear();
            self.collect_grants(line, &mut held);
            held.len() as u64
        };
        self.lines.iter().map(|(_, line)| of(line)).sum()
    }

    /// The grants of a role from a subject on, of at most `looked` subjects; the subject behind them, and
    /// whether there is one. COST: looks at every line, and further only at holders.
    #[must_use]
    pub fn holders_from(
        &self,
        role: RoleId,
        from: SubjectIndex,
        looked: u32,
    ) -> (Vec<GrantRecord>, SubjectIndex, bool) {
        let mut out = vec![];
        let end = from.0.saturating_add(looked).min(self.lines.len()).max(from.0);
        for subject in from.0..end {
            let Some(line) = self.lines.get(subject) else { break };
            if line.overflow == 0 && !line.sets().any(|set| self.sets.roles(set).contains(&role)) {
                continue;
            }
            let mut held = vec![];
            self.collect_grants(line, &mut held);
            let held = held.iter().filter(|timed| timed.role == role);
            let mut found: Vec<_> = held.map(|timed| of_subject(SubjectIndex(subject), timed)).collect();
            found.sort_unstable();
            out.append(&mut found);
        }
        (out, SubjectIndex(end), end < self.lines.len())
    }

    /// The grants in a workspace itself, 0 for those of the whole tenant. COST: looks at every
    /// subject's line, and further only at holders.
    pub fn holders_in(&self, workspace: WorkspaceIndex) -> impl Iterator<Item = GrantRecord> + '_ {
        let may = move |line: &Line| line.may_hold_in(workspace);
        self.grants_where(may, move |grant| grant.workspace == workspace)
    }

    fn grants_where(
        &self,
        may: impl Fn(&Line) -> bool,
        wanted: impl Fn(&GrantRecord) -> bool,
    ) -> impl Iterator<Item = GrantRecord> {
        self.lines.iter().filter(move |(_, line)| may(line)).flat_map(move |(subject, line)| {
            let mut out = vec![];
            self.collect_grants(line, &mut out);
            let mut out: Vec<_> =
                out.iter().map(|timed| of_subject(SubjectIndex(subject), timed)).filter(&wanted).collect();
            out.sort_unstable();
            out
        })
    }

    /// Every grant that a line holds, those for good without a window.
    pub(crate) fn collect_grants(&self, line: &Line, out: &mut Vec<Timed>) {
        let overflow = self.overflows.get(line.overflow);
        let tenant = std::iter::once((WorkspaceIndex(0), line.root()));
        let more = overflow.into_iter().flat_map(|overflow| overflow.sets.iter().copied());
        for (workspace, set) in tenant.chain(line.pairs()).chain(more) {
            if self.workspaces.is_removed(workspace) {
                continue;
            }
            let (from, until) = (Deadline::NONE, Deadline::NONE);
            let roles = self.sets.roles(set).iter();
            out.extend(roles.map(|role| Timed { from, until, workspace, role: *role, condition: 0 }));
        }
        let timed = overflow.into_iter().flat_map(|overflow| overflow.timed.iter());
        out.extend(timed.filter(|timed| !self.is_dead(timed.role, timed.workspace)));
    }

    /// Whether a grant is within bounds, and not one of something that was removed.
    pub(crate) fn takes(&self, grant: &Timed) -> bool {
        (1..=ROLES_MAX).contains(&grant.role.0)
            && grant.workspace.0 <= WORKSPACES_MAX
            && !self.is_dead(grant.role, grant.workspace)
    }

    /// Whether a grant of this role or in this workspace is one of something that was removed.
    fn is_dead(&self, role: RoleId, workspace: WorkspaceIndex) -> bool {
        self.roles.is_removed(role) || self.workspaces.is_removed(workspace)
    }

    /// Puts a grant into a line.
    pub(crate) fn add_grant(&mut self, line: &mut Line, grant: Timed) {
        let Timed { role, workspace, .. } = grant;
        let old = self.set_in(line, workspace);
        if grant.is_for_good() {
            self.remove_timed(line, role, workspace);
            let new = self.sets.adding(old, role, &self.roles, &self.permissions);
            self.put_set(line, workspace, new);
        } else {
            let new = self.sets.removing(old, role, &self.roles, &self.permissions);
            self.put_set(line, workspace, new);
            self.edit_overflow(line, |overflow| overflow.put_timed(grant));
        }
    }

    /// Takes a grant out of a line, whatever its window.
    pub(crate) fn take_grant(&mut self, line: &mut Line, role: RoleId, workspace: WorkspaceIndex) {
        let new = self.sets.removing(self.set_in(line, workspace), role, &self.roles, &self.permissions);
        self.put_set(line, workspace, new);
        self.remove_timed(line, role, workspace);
    }

    /// Takes all grants and memberships from a subject.
    pub(crate) fn drop_grants(&mut self, subject: SubjectIndex) {
        self.conditions.drop_all_of(Grantee::Subject(subject));
        let Some(mut line) = self.lines.get(subject.0).copied() else { return };
        self.drop_line(&mut line);
        self.lines.set(subject.0, line);
    }

    /// Gives back everything that a line points to.
    pub(crate) fn drop_line(&mut self, line: &mut Line) {
        let overflow = self.overflows.get(line.overflow).map(Arc::clone).unwrap_or_default();
        let pairs: Vec<_> = line.pairs().chain(overflow.sets.iter().copied()).collect();
        for (_, set) in pairs {
            self.sets.release(set);
        }
        self.sets.release(line.root());
        self.overflows.remove(line.overflow);
        self.release_membership(line.groups);
        for member in &overflow.members {
            self.release_membership(member.membership);
        }
        line.clear_grants();
    }

    /// A copy of a line, without what was granted in workspaces and of roles that were removed, and without
    /// groups that were.
    pub(crate) fn clean_line(&mut self, line: Option<Line>) -> Line {
        let mut line = line.unwrap_or_default();
        let pairs: Vec<_> = line.pairs().collect();
        for (workspace, set) in pairs {
            if self.workspaces.is_removed(workspace) || self.sets.roles(set).is_empty() {
                self.sets.release(set);
                line.replace_pair(workspace.0, 0, SetId(0));
            }
        }
        if line.overflow != 0 {
            self.clean_overflow(&mut line);
        }
        line
    }

    fn clean_overflow(&mut self, line: &mut Line) {
        let Some(overflow) = self.overflows.get(line.overflow).map(Arc::clone) else { return };
        let dead_set = |at: &(WorkspaceIndex, SetId)| {
            self.workspaces.is_removed(at.0) || self.sets.roles(at.1).is_empty()
        };
        let dead_timed = |timed: &Timed| self.is_dead(timed.role, timed.workspace);
        let dead_member = |member: &TimedMember| self.groups.is_removed(member.group);
        if !overflow.sets.iter().any(dead_set)
            && !overflow.timed.iter().any(dead_timed)
            && !overflow.members.iter().any(dead_member)
        {
            return;
        }
        let (dead, sets) = overflow.sets.iter().copied().partition::<Vec<_>, _>(dead_set);
        let timed = overflow.timed.iter().copied().filter(|timed| !dead_timed(timed)).collect();
        let (gone, members) = overflow.members.iter().copied().partition::<Vec<_>, _>(dead_member);
        for (_, set) in dead {
            self.sets.release(set);
        }
        for member in gone {
            self.release_membership(member.membership);
        }
        self.put_overflow(line, Overflow { sets, timed, members });
    }

    fn remove_timed(&mut self, line: &mut Line, role: RoleId, workspace: WorkspaceIndex) {
        if line.overflow != 0 {
            self.edit_overflow(line, |overflow| overflow.remove_timed(role, workspace));
        }
    }

    fn set_in(&self, line: &Line, workspace: WorkspaceIndex) -> SetId {
        if workspace.0 == 0 {
            return line.root();
        }
        line.set_in(workspace)
            .or_else(|| self.overflows.get(line.overflow)?.set_in(workspace))
            .unwrap_or_default()
    }

    /// Notes which set is granted in a workspace: in the line while there is room, else in the overflow.
    fn put_set(&mut self, line: &mut Line, workspace: WorkspaceIndex, set: SetId) {
        if workspace.0 == 0 {
            line.root_grant = set.0;
            return;
        }
        let in_line = line.set_in(workspace).is_some();
        if in_line && set != SetId(0) {
            line.replace_pair(workspace.0, workspace.0, set);
        } else if in_line {
            line.replace_pair(workspace.0, 0, set);
            self.pull_in(line);
        } else if set == SetId(0) {
            self.edit_overflow(line, |overflow| overflow.put_set(workspace, set));
        } else {
            let beyond =
                self.overflows.get(line.overflow).is_some_and(|more| more.set_in(workspace).is_some());
            if beyond || !line.replace_pair(0, workspace.0, set) {
                self.edit_overflow(line, |overflow| overflow.put_set(workspace, set));
            }
        }
    }

    /// Moves a set from the overflow into a place of the line that became free.
    fn pull_in(&mut self, line: &mut Line) {
        let first = self.overflows.get(line.overflow).and_then(|overflow| overflow.sets.first().copied());
        let Some((workspace, set)) = first else { return };
        if line.replace_pair(0, workspace.0, set) {
            self.edit_overflow(line, |overflow| overflow.put_set(workspace, SetId(0)));
        }
    }

    /// Changes the overflow record of a line; makes one when needed and frees it when empty.
    pub(crate) fn edit_overflow(&mut self, line: &mut Line, change: impl FnOnce(&mut Overflow)) {
        let mut overflow =
            self.overflows.get(line.overflow).map(|old| Overflow::clone(old)).unwrap_or_default();
        change(&mut overflow);
        self.put_overflow(line, overflow);
    }

    pub(crate) fn put_overflow(&mut self, line: &mut Line, overflow: Overflow) {
        match (line.overflow, overflow.is_empty()) {
            (0, true) => {}
            (0, false) => line.overflow = self.overflows.insert(Arc::new(overflow)),
            (id, true) => {
                self.overflows.remove(id);
                line.overflow = 0;
            }
            (id, false) => self.overflows.update(id, |old| *old = Arc::new(overflow)),
        }
    }
}

fn of_subject(subject: SubjectIndex, timed: &Timed) -> GrantRecord {
    let Timed { from, until, workspace, role, .. } = *timed;
    GrantRecord { subject, role, workspace, from, until }
}
