//! Lists of invitations, and how the tenant has personal workspaces.

use crate::list::{Source, whole};
use tessera_engine::{InvitationFound, InvitationsOf};
use tessera_model::{ListKind, Listed, Refusal};
use tessera_wire::{InvitationRow, PersonalRoleRow, Request, Rows};

/// The permission that a list asks for although others of its kind ask for another one: whoever administers subjects finds
/// the invitations for an address.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest ask for that of their kind")]
pub(crate) const fn needs(request: &Request) -> Option<&'static str> {
    match request {
        Request::ListInvitations { whom: Some(_), .. } => Some("tessera.admin.subjects"),
        _ => None,
    }
}

/// Answers one of these lists.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is listed elsewhere")]
pub(crate) fn page(source: &Source<'_>, request: Request, walked: &mut u64) -> Result<Rows, Refusal> {
    let listing = &source.listing;
    match request {
        Request::ListInvitations { subject, open, after, limit, whom } => {
            let window = source.window(Listed::of_subject(ListKind::Invitations, subject), (after, limit))?;
            let inviter = subject.map(|id| source.subject(id).map(|record| record.index)).transpose()?;
            let tenant = source.bound.entry.tenant;
            let whom = whom.map(|whom| source.engine.identifier_hash(tenant, &whom)).transpose()?;
            let of = InvitationsOf { inviter, open, whom };
            let page = source.engine.invitations(source.bound, listing, of, (window.from, window.limit))?;
            *walked = page.walked;
            let rows = page.rows.into_iter().map(|found| (u64::from(found.record.number), row(found)));
            window.finish(rows, page.next)
        }
        Request::ReadPersonalRole {} => whole([PersonalRoleRow { role: listing.personal_role().cloned() }]),
        _ => Err(Refusal::Malformed),
    }
}

fn row(found: InvitationFound) -> InvitationRow {
    let InvitationFound { record, whom, inviter, role, workspace, subject, lapsed } = found;
    InvitationRow {
        invitation: record.id,
        whom,
        inviter,
        role,
        workspace,
        grant_until: record.grant_until,
        guest: record.guest,
        secrets: record.sent,
        made: record.made,
        until: record.until,
        state: record.state,
        lapsed,
        subject,
        decided: record.decided,
    }
}
