//! The question itself: does anything grant this permission to this subject, here and now?
//!
//! Grants add, restrictions cut, and the clock is read at every check. Nothing here allocates, waits
//! or fails.

use crate::conditions::Facts;
use crate::line::Line;
use crate::overflow::NEVER;
use crate::rules::Rules;
use crate::workspaces::Near;
use tessera_model::{PermissionId, Reason, RestrictionId, SetId, UnixMillis, WorkspaceIndex};

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
    /// Says nothing about the subject's status or sessions: those come before. Grants with conditions do not count:
    /// where one might, and nothing else grants, the reason is [`Reason::ConditionsUnmet`].
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
        self.evaluate_under(line, permission, workspace, restriction, (now, None))
    }

    /// As [`Rules::evaluate`], by what is known of whoever asks: grants with conditions count while they hold.
    #[must_use]
    #[inline]
    pub fn evaluate_under(
        &self,
        line: &Line,
        permission: PermissionId,
        workspace: WorkspaceIndex,
        restriction: RestrictionId,
        (now, facts): (UnixMillis, Option<&Facts>),
    ) -> Outcome {
        let Some(near) = self.workspaces.near(workspace) else {
            return self.deny(permission, Reason::WorkspaceUnknown);
        };
        let mut granted = self.granted_for_good(line, near, permission);
        let (mut until, mut ungranted) = (NEVER, Reason::NotGranted);
        let beyond = (line.overflow | line.groups) != 0 || near.is_deep;
        if beyond && !granted {
            (ungranted, until) = self.granted_beyond(line, workspace, permission, (now, facts));
            granted = matches!(ungranted, Reason::None);
        }
        // From here on no branch depends on the answer, which nobody can predict.
        let through = self.restrictions.lets_through(restriction, permission);
        let below = self.workspaces.lets_through(workspace, permission);
        let cut = if through { Reason::BeyondCeiling } else { Reason::Restricted };
        let denied = if granted { cut } else { ungranted };
        let denied = if self.permissions.exists(permission) { denied } else { Reason::PermissionUnknown };
        Outcome {
            reason: if granted & through & below { Reason::None } else { denied },
            valid_until: if through & below { until } else { NEVER },
        }
    }

    /// Why a question about something unknown is denied: that there is no such permission goes before
    /// any other reason.
    #[must_use]
    pub fn unknown(&self, permission: PermissionId, reason: Reason) -> Reason {
        self.deny(permission, reason).reason
    }

    /// A denial; that there is no such permission goes before any other reason.
    #[cold]
    fn deny(&self, permission: PermissionId, reason: Reason) -> Outcome {
        Outcome::deny(if self.permissions.exists(permission) { reason } else { Reason::PermissionUnknown })
    }

    /// The common case: sets that stand in the line, in near workspaces.
    ///
    /// The tenant's set and the first own one are both looked at before anything depends on either,
    /// so that a mixed load costs no mispredicted branch between them.
    #[inline]
    fn granted_for_good(&self, line: &Line, near: Near<'_>, permission: PermissionId) -> bool {
        let root = if near.root { line.root_that_counts() } else { SetId(0) };
        let mut hits = line.hits(near.own, near.above);
        let granted = self.sets.holds(root, permission) | self.sets.holds(line.first_of(hits), permission);
        hits &= hits.wrapping_sub(1);
        if granted | (hits == 0) {
            return granted;
        }
        while hits != 0 {
            if self.sets.holds(line.first_of(hits), permission) {
                return true;
            }
            hits &= hits.wrapping_sub(1);
        }
        false
    }

    /// The rest: groups, far ancestors, sets in the overflow, and what has a window or conditions. Answers with the
    /// reason why not, and the moment at which time changes it.
    #[inline(never)]
    fn granted_beyond(
        &self,
        line: &Line,
        workspace: WorkspaceIndex,
        permission: PermissionId,
        (now, facts): (UnixMillis, Option<&Facts>),
    ) -> (Reason, UnixMillis) {
        // WHY: looked up again, so that the common case need not keep it in memory for this one.
        let Some(near) = self.workspaces.near(workspace) else { return (Reason::NotGranted, NEVER) };
        let groups = self.groups_line(line);
        if groups.is_some_and(|groups| self.granted_for_good(groups, near, permission)) {
            return (Reason::None, NEVER);
        }
        let further = groups.map_or(0, |groups| groups.overflow);
        if (line.overflow | further) == 0 && !near.is_deep {
            return (Reason::NotGranted, NEVER);
        }
        let Some(scope) = self.workspaces.scope(workspace) else { return (Reason::NotGranted, NEVER) };
        if self.covers_for_good(line, &scope, permission)
            || groups.is_some_and(|groups| self.covers_for_good(groups, &scope, permission))
        {
            return (Reason::None, NEVER);
        }
        let (granted, until) = self.granted_in_windows(line, &scope, permission, now, facts);
        if granted || self.conditions.is_empty() {
            return (if granted { Reason::None } else { Reason::NotGranted }, until);
        }
        (self.ungranted(line, &scope, permission, now, facts), until)
    }
}
