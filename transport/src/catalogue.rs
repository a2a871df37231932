//! Lists of services, of what they have registered, and of where that is used.

use crate::list::{Source, whole};
use tessera_engine::{ADDRESS, Authorized, Bound, CatalogueEntry, Engine, EntryUse, Reading, UsedBy, Wanted};
use tessera_model::{
    CheckQuery, Deadline, HandleBytes, ListKind, Listed, PermissionId, PermissionRef, Private, Receipt,
    Refusal, WorkspaceRef,
};
use tessera_wire::{AuthorizedRow, EndpointRow, EntryRow, EntryUseRow, Request, Rows, ServiceRow};

/// Answers one of these lists.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is listed elsewhere")]
pub(crate) fn page(source: &Source<'_>, request: Request, walked: &mut u64) -> Result<Rows, Refusal> {
    let listing = &source.listing;
    match request {
        Request::ListServices { after, limit } => {
            let window = source.window(Listed::all(ListKind::Services), (after, limit))?;
            let page = listing.services(window.from, window.limit);
            let rows = page.rows.iter().map(|record| {
                let deprecated = record.entries.iter().filter(|entry| entry.text.deprecated).count();
                let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
                let (entries, deprecated) = (number(record.entries.len()), number(deprecated));
                let row = ServiceRow { service: record.name.clone(), entries, deprecated };
                (u64::from(record.index.0), row)
            });
            window.finish(rows, page.next)
        }
        Request::ListEntries { service, after, limit } => {
            let service = match service {
                None => None,
                Some(name) => Some(listing.service_named(&name).ok_or(Refusal::ServiceUnknown)?.index),
            };
            let number = service.map_or(0, |service| service.0);
            let window = source.window(Listed::of_number(ListKind::Entries, number), (after, limit))?;
            let page = listing.entries(service, window.from, window.limit);
            *walked = page.walked;
            window.finish(page.rows.into_iter().map(|(at, found)| (at, entry(found))), page.next)
        }
        Request::ReadEntry { permission } => {
            whole([entry(listing.entry(&permission).ok_or(Refusal::PermissionUnknown)?)])
        }
        Request::ListEntryUses { permission, after, limit } => {
            let reading = source.engine.read(source.view);
            let (page, window) = match permission {
                None => {
                    let window = source.window(Listed::all(ListKind::DeprecatedUses), (after, limit))?;
                    (reading.deprecated_uses((window.from, window.limit)), window)
                }
                Some(permission) => {
                    let found = listing.entry(&permission).ok_or(Refusal::PermissionUnknown)?;
                    let listed = Listed::of_number(ListKind::EntryUses, found.id.0);
                    let window = source.window(listed, (after, limit))?;
                    (reading.entry_uses(&permission, (window.from, window.limit))?, window)
                }
            };
            *walked = page.walked;
            let told = page.rows.into_iter().filter_map(|found| listing.told_use(found));
            window.finish(told.map(|found| (found.at, used(found))), page.next)
        }
        Request::ListEndpoints { service } => {
            let service = listing.service_named(&service).ok_or(Refusal::ServiceUnknown)?.index;
            whole(listing.endpoints(service).iter().map(|endpoint| EndpointRow {
                method: endpoint.method().to_owned(),
                path: endpoint.path().to_owned(),
                needs: endpoint.target().as_str().to_owned(),
            }))
        }
        _ => Err(Refusal::Malformed),
    }
}

/// Answers what is asked about an application.
pub(crate) fn authorize(
    (engine, bound, reading): (&Engine, &Bound, &Reading<'_>),
    request: &Request,
) -> Result<Rows, Refusal> {
    let Request::Authorize { handle, workspace, scope, service, action, method, target, address, .. } =
        request
    else {
        return Err(Refusal::Malformed);
    };
    let text = |value: &Private| String::from_utf8(value.expose().to_vec()).map_err(|_| Refusal::Malformed);
    let handle: &HandleBytes = handle.expose().try_into().map_err(|_| Refusal::Malformed)?;
    if address.is_some() && !engine.may(bound, ADDRESS) {
        return Err(Refusal::Unauthorized);
    }
    let (scope, target) = (scope.as_ref().map(text).transpose()?, target.as_ref().map(text).transpose()?);
    let wanted = match (&scope, service, action, method, &target) {
        (Some(scope), None, None, None, None) => Wanted::Scope(scope),
        (None, Some(service), Some(action), None, None) => Wanted::Action(service.as_str(), action.as_str()),
        (None, Some(service), None, Some(method), Some(target)) => {
            Wanted::Request(service.as_str(), method.as_str(), target)
        }
        _ => return Err(Refusal::Malformed),
    };
    let place = workspace.as_ref();
    let query = CheckQuery {
        handle,
        permission: PermissionRef::Id(PermissionId(0)),
        workspace: place.map_or(WorkspaceRef::Tenant, |name| WorkspaceRef::Name(name.as_str())),
        at_least: Receipt::default(),
        address: *address,
    };
    let Authorized { decision, permission } = engine.authorize(bound, reading, &query, wanted);
    whole([AuthorizedRow {
        reason: u32::from(decision.reason.code()),
        seen: decision.seen,
        valid_until: decision.valid_until,
        permission,
    }])
}

fn entry(found: CatalogueEntry) -> EntryRow {
    let CatalogueEntry { service, id, permission, text, replaced_by } = found;
    EntryRow { service, id: id.0, permission, text, replaced_by }
}

fn used(found: EntryUse) -> EntryUseRow {
    let none = EntryUseRow {
        permission: found.permission,
        kind: 0,
        role: None,
        group: None,
        subject: None,
        key: None,
        workspace: None,
        from: Deadline::NONE,
        until: Deadline::NONE,
        patterns: Vec::new(),
        type_name: None,
        relation: None,
        service: None,
        method: None,
        path: None,
    };
    match found.by {
        UsedBy::Role(role, pattern) => {
            EntryUseRow { kind: 1, role: Some(role), patterns: pattern.into_iter().collect(), ..none }
        }
        UsedBy::GroupGrant(group, role, workspace, (from, until)) => {
            EntryUseRow { kind: 2, group: Some(group), role: Some(role), workspace, from, until, ..none }
        }
        UsedBy::Grant(subject, role, workspace, (from, until)) => {
            EntryUseRow { kind: 3, subject: Some(subject), role: Some(role), workspace, from, until, ..none }
        }
        UsedBy::Key(key, subject, pattern) => {
            EntryUseRow { kind: 4, key: Some(key), subject: Some(subject), patterns: vec![pattern], ..none }
        }
        UsedBy::Ceiling(workspace, pattern) => {
            EntryUseRow { kind: 5, workspace: Some(workspace), patterns: vec![pattern], ..none }
        }
        UsedBy::Mapping(type_name, relation) => EntryUseRow {
            kind: 6,
            type_name: Some(type_name.into()),
            relation: Some(relation.into()),
            ..none
        },
        UsedBy::Endpoint(service, method, path) => EntryUseRow {
            kind: 7,
            service: Some(service),
            method: Some(method.into()),
            path: Some(path.into()),
            ..none
        },
    }
}
