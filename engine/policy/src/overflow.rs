//! What does not fit a subject's line: more workspaces, and grants that time limits.

use std::sync::Arc;
use tessera_model::record::GrantRecord;
use tessera_model::{Deadline, RoleId, SetId, SubjectIndex, UnixMillis, WorkspaceIndex};

/// No end of time.
pub(crate) const NEVER: UnixMillis = UnixMillis(u64::MAX);

/// A grant with a window. Ordered by its beginning, which `evaluate` relies on.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Timed {
    pub(crate) from: Deadline,
    pub(crate) until: Deadline,
    pub(crate) workspace: WorkspaceIndex,
    pub(crate) role: RoleId,
}

impl Timed {
    pub(crate) const fn new(grant: &GrantRecord) -> Self {
        Self { from: grant.from, until: grant.until, workspace: grant.workspace, role: grant.role }
    }

    pub(crate) const fn grant(&self, subject: SubjectIndex) -> GrantRecord {
        let Self { from, until, workspace, role } = *self;
        GrantRecord { subject, role, workspace, from, until }
    }

    /// The first instant of the window.
    pub(crate) fn begins(&self) -> UnixMillis {
        if self.from == Deadline::NONE { UnixMillis(0) } else { self.from.to_millis() }
    }

    /// The first instant after the window.
    pub(crate) fn ends(&self) -> UnixMillis {
        if self.until == Deadline::NONE { NEVER } else { self.until.to_millis() }
    }
}

/// The overflow record of one subject.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overflow {
    /// Workspaces beyond those in the line.
    pub(crate) sets: Vec<(WorkspaceIndex, SetId)>,
    /// INVARIANT: sorted, so by beginning first; one per workspace and role.
    pub(crate) timed: Vec<Timed>,
}

/// As the slab holds it.
pub(crate) type SharedOverflow = Arc<Overflow>;

impl Overflow {
    pub(crate) fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.timed.is_empty()
    }

    /// The set granted in a workspace, when that stands here.
    pub(crate) fn set_in(&self, workspace: WorkspaceIndex) -> Option<SetId> {
        self.sets.iter().find(|(at, _)| *at == workspace).map(|(_, set)| *set)
    }

    /// Puts the set of a workspace; the empty set removes the entry.
    pub(crate) fn put_set(&mut self, workspace: WorkspaceIndex, set: SetId) {
        self.sets.retain(|(at, _)| *at != workspace);
        if set != SetId(0) {
            self.sets.push((workspace, set));
        }
    }

    /// Puts a time-limited grant, keeping the order.
    pub(crate) fn put_timed(&mut self, timed: Timed) {
        self.remove_timed(timed.role, timed.workspace);
        let at = self.timed.partition_point(|other| *other < timed);
        self.timed.insert(at, timed);
    }

    /// Removes the time-limited grant of a role in a workspace.
    pub(crate) fn remove_timed(&mut self, role: RoleId, workspace: WorkspaceIndex) {
        self.timed.retain(|timed| (timed.role, timed.workspace) != (role, workspace));
    }

    /// When the first time-limited grant begins, for the line: `u32::MAX` for never.
    pub(crate) fn next_change(&self) -> u32 {
        self.timed.first().map_or(u32::MAX, |timed| timed.from.0)
    }
}
