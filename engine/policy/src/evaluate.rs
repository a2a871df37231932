//! The question itself: does anything grant this permission to this subject, here and now?
//!
//! Grants add, restrictions cut, and the clock is read at every check. Nothing here allocates, waits
//! or fails.

use crate::line::Line;
use crate::overflow::NEVER;
use crate::rules::Rules;
use crate::workspaces::Scope;
use tessera_model::{PermissionId, Reason, RestrictionId, RoleId, UnixMillis, WorkspaceIndex};

/// What the rules say to one question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// `Reason::None` permits; else why not: unknown permission or workspace, not granted, restricted.
    pub reason: Reason,
    /// The first moment at which time alone changes permit to deny or deny to permit; the end of time
    /// for never.
    pub valid_until: UnixMillis,
}

impl Outcome {
    const fn deny(reason: Reason) -> Self {
        Self { reason, valid_until: NEVER }
    }

    /// Whether it permits.
    #[must_use]
    pub const fn is_permit(&self) -> bool {
        matches!(self.reason, Reason::None)
    }
}

impl Rules {
    /// Judges a permission in a workspace (0 for the tenant), under a restriction (0 for none).
    ///
    /// Says nothing about the subject's status or sessions: those come before.
    #[must_use]
    #[inline]
    pub fn evaluate(
        &self,
        line: &Line,
        permission: PermissionId,
        workspace: WorkspaceIndex,
        restriction: RestrictionId,
        now: UnixMillis,
    ) -> Outcome {
        let Some(scope) = self.workspaces.scope(workspace) else {
            return self.deny(permission, Reason::WorkspaceUnknown);
        };
        let (granted, until) = if self.granted_for_good(line, &scope, permission) {
            (true, NEVER)
        } else if line.overflow == 0 && scope.deep.is_empty() {
            (false, NEVER)
        } else {
            self.granted_beyond(line, &scope, permission, now)
        };
        if !self.restrictions.lets_through(restriction, permission) {
            let reason = if granted { Reason::Restricted } else { Reason::NotGranted };
            return self.deny(permission, reason);
        }
        if granted {
            return Outcome { reason: Reason::None, valid_until: until };
        }
        Outcome { valid_until: until, ..self.deny(permission, Reason::NotGranted) }
    }

    /// A denial; that there is no such permission goes before any other reason.
    fn deny(&self, permission: PermissionId, reason: Reason) -> Outcome {
        Outcome::deny(if self.permissions.exists(permission) { reason } else { Reason::PermissionUnknown })
    }

    /// The common case: sets that stand in the line, in near workspaces.
    #[inline]
    fn granted_for_good(&self, line: &Line, scope: &Scope<'_>, permission: PermissionId) -> bool {
        if scope.root && self.sets.holds(line.root(), permission) {
            return true;
        }
        // All comparisons first and without a branch: one mask, of which few bits are up.
        let mut hits = [false; crate::line::WORKSPACES_INLINE];
        for (hit, at) in hits.iter_mut().zip(&line.workspaces) {
            *hit = scope.near.iter().fold(false, |hit, near| hit | (near == at));
        }
        let mut sets = hits.iter().zip(line.grants);
        sets.any(|(hit, set)| *hit && self.sets.holds(tessera_model::SetId(set), permission))
    }

    /// The rest: far ancestors, sets in the overflow, and grants with a window. Answers with the
    /// moment at which time changes it.
    #[inline(never)]
    fn granted_beyond(
        &self,
        line: &Line,
        scope: &Scope<'_>,
        permission: PermissionId,
        now: UnixMillis,
    ) -> (bool, UnixMillis) {
        let overflow = self.overflows.get(line.overflow);
        let far = line.pairs().filter(|(workspace, _)| scope.deep.contains(&workspace.0));
        let more = overflow.into_iter().flat_map(|overflow| overflow.sets.iter().copied());
        let more = more.filter(|(workspace, _)| scope.contains(*workspace));
        if far.chain(more).any(|(_, set)| self.sets.holds(set, permission)) {
            return (true, NEVER);
        }
        // In the order of their beginnings: windows that touch are one, and the first that begins
        // after a gap is the change.
        let mut end = now;
        for timed in overflow.into_iter().flat_map(|overflow| overflow.timed.iter()) {
            let nothing = timed.ends() <= timed.begins().max(end);
            if nothing || !self.counts_here(timed.role, timed.workspace, scope, permission) {
                continue;
            }
            if timed.begins() <= end {
                end = timed.ends();
            } else if end == now {
                return (false, timed.begins());
            } else {
                break;
            }
        }
        if end == now { (false, NEVER) } else { (true, end) }
    }

    fn counts_here(
        &self,
        role: RoleId,
        workspace: WorkspaceIndex,
        scope: &Scope<'_>,
        permission: PermissionId,
    ) -> bool {
        scope.contains(workspace) && self.roles.covers(role, permission)
    }
}
