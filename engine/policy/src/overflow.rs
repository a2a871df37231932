//! What does not fit a line: more workspaces, grants that time limits, and groups that somebody is in for a
//! while.

use std::sync::Arc;
use tessera_model::{Deadline, GroupId, RoleId, SetId, UnixMillis, WorkspaceIndex};

/// No end of time.
pub(crate) const NEVER: UnixMillis = UnixMillis(u64::MAX);

/// A grant with a window, or with conditions. Ordered by its beginning.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Timed {
    pub(crate) from: Deadline,
    pub(crate) until: Deadline,
    pub(crate) workspace: WorkspaceIndex,
    pub(crate) role: RoleId,
    /// Id of the conditions under which it counts; 0 for none.
    pub(crate) condition: u32,
}

impl Timed {
    /// Whether it has no window after all, and no conditions.
    pub(crate) fn is_for_good(&self) -> bool {
        self.from == Deadline::NONE && self.until == Deadline::NONE && self.condition == 0
    }

    /// The first instant of the window.
    pub(crate) fn begins(&self) -> UnixMillis {
        begins(self.from)
    }

    /// The first instant after the window.
    pub(crate) fn ends(&self) -> UnixMillis {
        ends(self.until)
    }
}

/// The first instant of a window that begins so.
pub(crate) fn begins(from: Deadline) -> UnixMillis {
    if from == Deadline::NONE { UnixMillis(0) } else { from.to_millis() }
}

/// The first instant after a window that ends so.
pub(crate) fn ends(until: Deadline) -> UnixMillis {
    if until == Deadline::NONE { NEVER } else { until.to_millis() }
}

/// A membership with a window.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct TimedMember {
    pub(crate) from: Deadline,
    pub(crate) until: Deadline,
    pub(crate) group: GroupId,
    /// The interned membership of this group alone.
    pub(crate) membership: u32,
}

/// The overflow record of one line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overflow {
    /// Workspaces beyond those in the line. INVARIANT: sorted by workspace.
    pub(crate) sets: Vec<(WorkspaceIndex, SetId)>,
    /// INVARIANT: sorted, so by beginning first. Of a subject or group one per workspace and role.
    pub(crate) timed: Vec<Timed>,
    /// INVARIANT: sorted; one per group.
    pub(crate) members: Vec<TimedMember>,
}

/// As the slab holds it.
pub(crate) type SharedOverflow = Arc<Overflow>;

impl Overflow {
    pub(crate) fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.timed.is_empty() && self.members.is_empty()
    }

    /// The set granted in a workspace, when that stands here.
    pub(crate) fn set_in(&self, workspace: WorkspaceIndex) -> Option<SetId> {
        let at = self.sets.binary_search_by_key(&workspace, |(at, _)| *at).ok()?;
        self.sets.get(at).map(|(_, set)| *set)
    }

    /// Puts the set of a workspace; the empty set removes the entry.
    pub(crate) fn put_set(&mut self, workspace: WorkspaceIndex, set: SetId) {
        match self.sets.binary_search_by_key(&workspace, |(at, _)| *at) {
            Ok(at) if set == SetId(0) => drop(self.sets.remove(at)),
            Ok(at) => {
                if let Some((_, held)) = self.sets.get_mut(at) {
                    *held = set;
                }
            }
            Err(_) if set == SetId(0) => {}
            Err(at) => self.sets.insert(at, (workspace, set)),
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
}
