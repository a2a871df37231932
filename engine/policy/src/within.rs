//! What cuts a session beyond its restriction: the ceilings of the device that it stands on, and whoever acts
//! in it for its subject.
//!
//! Off the hot path: only sessions that stand on a device, or in which somebody acts, come here.

use crate::conditions::Facts;
use crate::evaluate::Outcome;
use crate::line::Line;
use crate::overflow::NEVER;
use crate::rules::Rules;
use tessera_model::limits::ENGINE_PERMISSIONS_MAX;
use tessera_model::{PermissionId, Reason, RestrictionId, UnixMillis, WorkspaceIndex};

/// Whoever acts in somebody else's session.
#[derive(Clone, Copy)]
pub struct Actor<'a> {
    /// The actor's own line.
    pub line: &'a Line,
    /// What the actor's own session or key is restricted to; 0 for nothing.
    pub restriction: RestrictionId,
    /// What is known of it.
    pub facts: Facts,
}

/// What a session must lie in besides its restriction.
#[derive(Clone, Copy, Default)]
pub struct Within<'a> {
    /// The ceilings of a device: that of its level, and its own; 0 for none.
    pub ceilings: [RestrictionId; 2],
    /// Who acts in it: of the engine's own permissions it has those alone that the actor holds in the whole
    /// tenant.
    pub actor: Option<Actor<'a>>,
}

impl Within<'_> {
    /// Whether it cuts nothing.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.actor.is_none() && self.ceilings == [RestrictionId(0); 2]
    }
}

const fn is_engines(permission: PermissionId) -> bool {
    permission.0 != 0 && permission.0 <= ENGINE_PERMISSIONS_MAX
}

impl Rules {
    /// Cuts what was found for a permission. `valid_until` is never later than the first change by time alone.
    #[must_use]
    pub fn cut_within(
        &self,
        found: Outcome,
        permission: PermissionId,
        within: &Within<'_>,
        now: UnixMillis,
    ) -> Outcome {
        let below =
            within.ceilings.iter().all(|ceiling| self.restrictions.lets_through(*ceiling, permission));
        if !below {
            let reason = if found.is_permit() { Reason::BeyondDevice } else { found.reason };
            return Outcome { reason, valid_until: NEVER };
        }
        let Some(actor) = within.actor.filter(|_| is_engines(permission)) else { return found };
        let when = (now, Some(&actor.facts));
        let held = self.evaluate_under(actor.line, permission, WorkspaceIndex(0), actor.restriction, when);
        match (found.is_permit(), held.is_permit()) {
            (true, true) => Outcome { valid_until: found.valid_until.min(held.valid_until), ..found },
            // Whatever denies must change first.
            (true, false) => Outcome { reason: Reason::BeyondActor, valid_until: held.valid_until },
            (false, true) => found,
            (false, false) => Outcome { valid_until: found.valid_until.max(held.valid_until), ..found },
        }
    }

    /// Whether whoever acts may do what they must be permitted themselves; whoever holds the session acts for nobody.
    pub(crate) fn actor_may(&self, permission: PermissionId, within: &Within<'_>, now: UnixMillis) -> bool {
        within.actor.filter(|_| is_engines(permission)).is_none_or(|actor| {
            let when = (now, Some(&actor.facts));
            let tenant = WorkspaceIndex(0);
            self.evaluate_under(actor.line, permission, tenant, actor.restriction, when).is_permit()
        })
    }

    /// Cuts a list of permitted permissions as [`Rules::list`] wrote it, and tells until when that holds.
    pub fn list_within(
        &self,
        until: UnixMillis,
        within: &Within<'_>,
        now: UnixMillis,
        out: &mut [u64],
    ) -> UnixMillis {
        for ceiling in within.ceilings {
            let mask = self.restrictions.mask(ceiling);
            for (at, word) in out.iter_mut().enumerate() {
                *word &= mask.word(at);
            }
        }
        let (Some(actor), Some(first)) = (within.actor, out.first_mut()) else { return until };
        let mut until = until;
        for id in 1..=ENGINE_PERMISSIONS_MAX {
            let (when, tenant) = ((now, Some(&actor.facts)), WorkspaceIndex(0));
            let held = self.evaluate_under(actor.line, PermissionId(id), tenant, actor.restriction, when);
            until = until.min(held.valid_until);
            if !held.is_permit() {
                *first &= !(1 << id);
            }
        }
        until
    }
}
