//! What is known of whoever lives at a place, for grants with conditions.
//!
//! Off the hot path: a check comes here only where nothing but a grant with conditions may open what it asks for.

use crate::beside::device_of;
use crate::check::{Judged, Live, UsedFrom};
use crate::list::Listing;
use crate::root::Root;
use crate::table::{ACR_SHIFT, Fields};
use std::net::IpAddr;
use tessera_model::grant_condition::Grantee;
use tessera_model::record::{GrantRecord, GroupGrantRecord};
use tessera_model::{GrantConditions, PermissionId, Reason, UnixMillis, WorkspaceIndex};
use tessera_policy::Facts;

/// What is known of a live place that is used from an address.
pub(crate) fn facts_of(root: &Root, fields: &Fields, address: Option<IpAddr>) -> Facts {
    let live = Live::of(fields);
    if live.key {
        return Facts { address, ..Facts::default() };
    }
    let [head, ..] = *fields;
    let acr = u8::try_from(head >> ACR_SHIFT & 15).unwrap_or(0);
    let device = root.devices.get(&(live.subject, device_of(fields)));
    Facts {
        address,
        acr,
        // Whoever vouched for it has proven nothing of its subject.
        proven: (acr > 0).then(|| live.opened.to_millis()),
        trust: device.filter(|device| device.is_usable()).map(|device| device.trust),
    }
}

/// Judges anew what nothing but a grant with conditions may open, by what is known of the place.
#[inline]
pub(crate) fn under_conditions(
    (root, fields): (&Root, &Fields),
    judged: Judged,
    ids: Option<(PermissionId, WorkspaceIndex)>,
    from: UsedFrom<'_>,
    now: UnixMillis,
) -> Judged {
    match (judged.reason, ids) {
        (Reason::ConditionsUnmet, Some(ids)) => conditioned((root, fields), judged, ids, from, now),
        _ => judged,
    }
}

#[cold]
#[inline(never)]
fn conditioned(
    (root, fields): (&Root, &Fields),
    judged: Judged,
    (permission, workspace): (PermissionId, WorkspaceIndex),
    from: UsedFrom<'_>,
    now: UnixMillis,
) -> Judged {
    let live = Live::of(fields);
    let (Some(line), Ok(end)) = (root.rules.line(live.subject), live.clock(now)) else { return judged };
    let facts = facts_of(root, fields, from.address());
    let when = (now, Some(&facts));
    let outcome = root.rules.evaluate_under(line, permission, workspace, live.restriction, when);
    Judged { reason: outcome.reason, valid_until: outcome.valid_until.min(end) }
}

impl Listing {
    /// The conditions under which a grant of a subject counts.
    #[must_use]
    pub fn conditions_of(&self, grant: &GrantRecord) -> GrantConditions {
        let grantee = Grantee::Subject(grant.subject);
        self.0.rules.conditions_of(grantee, grant.role, grant.workspace).cloned().unwrap_or_default()
    }

    /// The conditions under which a grant of a group counts.
    #[must_use]
    pub fn group_conditions_of(&self, grant: &GroupGrantRecord) -> GrantConditions {
        let grantee = Grantee::Group(grant.group);
        self.0.rules.conditions_of(grantee, grant.role, grant.workspace).cloned().unwrap_or_default()
    }
}
