//! Which reads show people, what of them they tell, and the rules about who sees whom.

use crate::list::{Source, whole};
use tessera_engine::{Bound, Engine, Listing, View};
use tessera_model::record::{AttributeValue, SubjectRecord};
use tessera_model::visibility::Detail;
use tessera_model::{Deadline, Refusal};
use tessera_wire::{AttributeValueRow, IdentifierRow, Request, RequestKind, Rows, SubjectRow, VisibilityRow};

/// What of the subject that it names an answer tells, beside that it is there.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the rest names no subject, or filters what it tells by itself"
)]
pub(crate) const fn detail(kind: RequestKind) -> Option<Detail> {
    match kind {
        RequestKind::ListGrants | RequestKind::Explain | RequestKind::Simulate => Some(Detail::Grants),
        RequestKind::ListMemberships => Some(Detail::Groups),
        RequestKind::ListSessions | RequestKind::ListActings => Some(Detail::Sessions),
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
        | Request::ListActings { .. }
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
        guest: status.then_some(record.guest),
        creator: listing.creator(record.index),
    }
}

/// What a subject signs in with, and how often that failed.
pub(crate) fn identifiers(source: &Source<'_>, subject: &SubjectRecord) -> Result<Rows, Refusal> {
    let (engine, bound, listing) = (source.engine, source.bound, &source.listing);
    let mut rows = Vec::new();
    let seen = listing.sees(subject.index).ok_or(Refusal::SubjectUnknown)?;
    for identifier in engine.identifiers(bound, subject.index)? {
        if !Listing::shows_identifier(seen, identifier.kind()) {
            continue;
        }
        let key = engine.identifier_hash(bound.entry.tenant, &identifier)?;
        let (failures, waits_until) = listing.failures(&key, engine.now());
        let status = seen.has(Detail::Status);
        let waits_until = if status { waits_until } else { Deadline::NONE };
        rows.push(IdentifierRow { identifier, failures: status.then_some(failures), waits_until });
    }
    whole(rows)
}

/// The attributes of a subject that its reader is shown.
pub(crate) fn values(source: &Source<'_>, subject: &SubjectRecord) -> Result<Rows, Refusal> {
    let (engine, bound, listing) = (source.engine, source.bound, &source.listing);
    let name_of = |id| listing.attributes().find(|row| row.id == id).map(|row| row.name.clone());
    let hot = listing.values(subject.index);
    let mut rows: Vec<_> = hot.filter_map(|(id, value)| Some((name_of(id)?, Some(value.clone())))).collect();
    for (name, text) in engine.profile(bound, subject.index)? {
        let text = String::from_utf8_lossy(text.expose()).into();
        rows.push((name, Some(AttributeValue::Text(text))));
    }
    let seen = listing.sees(subject.index).ok_or(Refusal::SubjectUnknown)?;
    rows.retain(|(name, _)| listing.shows_attribute(seen, name));
    whole(rows.into_iter().map(|row| AttributeValueRow { values: vec![row] }))
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
