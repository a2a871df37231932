//! What somebody holds at an instant: roles in a workspace, and groups. For whoever decides by more than permissions.

use crate::conditions::Facts;
use crate::line::Line;
use crate::overflow::{NEVER, Timed, begins, ends};
use crate::rules::Rules;
use crate::windows::Lens;
use crate::workspaces::Scope;
use tessera_model::limits::{ROLE_DEPTH_MAX, WORKSPACE_DEPTH_MAX};
use tessera_model::{Deadline, GroupId, RoleId, UnixMillis, WorkspaceIndex};

/// Something that a subject holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HeldThing {
    /// A role, granted or a parent of one that is.
    Role(RoleId),
    /// A group, joined or one that lies above it.
    Group(GroupId),
}

/// An instant, and the first moment behind it at which a window begins or ends.
struct Watch<'f> {
    now: UnixMillis,
    next: UnixMillis,
    facts: &'f Facts,
}

impl Watch<'_> {
    fn holds(&mut self, from: Deadline, until: Deadline) -> bool {
        self.is_within(begins(from), ends(until))
    }

    fn is_within(&mut self, from: UnixMillis, until: UnixMillis) -> bool {
        if self.now < from {
            self.next = self.next.min(from);
            return false;
        }
        if self.now < until {
            self.next = self.next.min(until);
        }
        self.now < until
    }
}

impl Rules {
    /// Shows every group that a subject is in at `now`, and every role that counts in a workspace (0 for the tenant)
    /// then, by what is known of whoever asks. Some come more than once. Answers with the first moment at which time alone may change that.
    ///
    /// Allocates nothing.
    pub fn each_held(
        &self,
        line: &Line,
        workspace: WorkspaceIndex,
        (now, facts): (UnixMillis, &Facts),
        show: &mut dyn FnMut(HeldThing),
    ) -> UnixMillis {
        let mut watch = Watch { now, next: NEVER, facts };
        let scope = self.workspaces.scope(workspace);
        let groups = self.groups_line(line);
        for line in std::iter::once(line).chain(groups) {
            if let Some(scope) = &scope {
                self.each_role(line, scope, &mut watch, show);
            }
        }
        self.members.all(line.groups).iter().for_each(|group| show(HeldThing::Group(*group)));
        let overflow = self.overflows.get(line.overflow);
        for member in overflow.into_iter().flat_map(|overflow| overflow.members.iter()) {
            if !watch.holds(member.from, member.until) {
                continue;
            }
            self.members.all(member.membership).iter().for_each(|group| show(HeldThing::Group(*group)));
            if let (Some(scope), Some(line)) = (&scope, self.members.line(member.membership)) {
                self.each_role(line, scope, &mut watch, show);
            }
        }
        watch.next
    }

    fn each_role(
        &self,
        line: &Line,
        scope: &Scope<'_>,
        watch: &mut Watch<'_>,
        show: &mut dyn FnMut(HeldThing),
    ) {
        for set in self.sets_in(line, scope) {
            self.sets.roles(set).iter().for_each(|role| self.with_parents(*role, ROLE_DEPTH_MAX, show));
        }
        let overflow = self.overflows.get(line.overflow);
        for timed in overflow.into_iter().flat_map(|overflow| overflow.timed.iter()) {
            if scope.contains(timed.workspace)
                && !self.roles.is_removed(timed.role)
                && self.counts_now(timed, watch)
            {
                self.with_parents(timed.role, ROLE_DEPTH_MAX, show);
            }
        }
    }

    /// Whether a grant counts in its window, and by its conditions.
    fn counts_now(&self, timed: &Timed, watch: &mut Watch<'_>) -> bool {
        if timed.condition == 0 {
            return watch.holds(timed.from, timed.until);
        }
        let lens = Lens { at: watch.now, facts: Some(watch.facts) };
        let window = self.conditioned(timed.condition, lens, (timed.begins(), timed.ends()));
        window.is_some_and(|(from, until)| watch.is_within(from, until))
    }

    /// LIMIT: recursion is as deep as roles may lie above one another.
    fn with_parents(&self, role: RoleId, depth: usize, show: &mut dyn FnMut(HeldThing)) {
        show(HeldThing::Role(role));
        if let Some(depth) = depth.checked_sub(1) {
            self.roles.parents(role).iter().for_each(|parent| self.with_parents(*parent, depth, show));
        }
    }

    /// Shows the workspaces above one, the nearest first, the tenant left out, whether they inherit or not.
    pub fn each_above(&self, workspace: WorkspaceIndex, show: &mut dyn FnMut(WorkspaceIndex)) {
        let mut at = workspace.0;
        for _ in 0..WORKSPACE_DEPTH_MAX {
            at = self.workspaces.parent(at);
            if at == 0 || !self.workspaces.exists(WorkspaceIndex(at)) {
                return;
            }
            show(WorkspaceIndex(at));
        }
    }
}
