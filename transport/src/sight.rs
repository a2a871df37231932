//! Which reads show people, what of them they tell, and the rules about who sees whom.

use crate::list::whole;
use tessera_engine::{Bound, Engine, Listing, View};
use tessera_model::Refusal;
use tessera_model::record::SubjectRecord;
use tessera_model::visibility::Detail;
use tessera_wire::{Request, RequestKind, Rows, SubjectRow, VisibilityRow};

/// What of the subject that it names an answer tells, beside that it is there.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest names no subject, or filters what it tells by itself")]
pub(crate) const fn detail(kind: RequestKind) -> Option<Detail> {
    match kind {
        RequestKind::ListGrants | RequestKind::Explain | RequestKind::Simulate => Some(Detail::Grants),
        RequestKind::ListMemberships => Some(Detail::Groups),
        RequestKind::ListSessions => Some(Detail::Sessions),
        RequestKind::ListKeys => Some(Detail::Keys),
        RequestKind::ListDevices => Some(Detail::Devices),
        RequestKind::ListRequests => Some(Detail::Requests),
        _ => None,
    }
}

/// Whether it reads people, so that the permission to read those whom the rules show is enough.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is for whoever administers")]
pub(crate) const fn is_of_people(request: &Request) -> bool {
    match request {
        Request::ListSubjects { .. }
        | Request::ReadSubject { .. }
        | Request::ListIdentifiers { .. }
        | Request::ListAttributeValues { .. }
        | Request::ListGrants { .. }
        | Request::ListMemberships { .. }
        | Request::ListMembers { .. }
        | Request::ListSessions { .. }
        | Request::ListDevices { .. } => true,
        Request::ListKeys { subject, .. } | Request::ListRequests { subject, .. } => subject.is_some(),
        _ => false,
    }
}

/// The lists of a tenant for a caller who reads with a permission. What is the caller's own is read without one, as it is.
pub(crate) fn listing(engine: &Engine, (bound, view): (&Bound, &View), permission: Option<&str>) -> Listing {
    permission.map_or_else(|| view.listing(), |name| engine.listing(bound, view, name))
}

/// A subject as its reader is shown it.
pub(crate) fn subject(listing: &Listing, record: &SubjectRecord) -> SubjectRow {
    let status = listing.shows(record.index, Detail::Status);
    SubjectRow {
        subject: record.id,
        // It tells how many there are.
        index: (!listing.is_limited()).then_some(record.index.0),
        kind: record.kind,
        status: status.then_some(record.status),
        has_password: status.then_some(record.has_password),
        creator: listing.creator(record.index),
    }
}

/// The rules about who sees whom.
pub(crate) fn rules(listing: &Listing) -> Result<Rows, Refusal> {
    let (version, rules) = listing.visibility();
    whole(rules.into_iter().map(|rule| VisibilityRow {
        version,
        role: rule.role,
        reach: rule.reach,
        details: rule.details,
        attributes: rule.attributes,
    }))
}
