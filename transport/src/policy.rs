//! Policies and entities as they are asked for, and checks under circumstances.

use crate::list::{PLACES_PER_CHECK, Source, rows_of, whole};
use crate::relation::resource_row;
use std::sync::Arc;
use tessera_engine::{ADDRESS, About, Bound, Engine, PolicyParts, PolicySteps, Sees, SubmitError, View};
use tessera_model::policy::EntityName;
use tessera_model::{
    CheckQuery, CursorFault, HandleBytes, Limit, ListKind, Listed, PermissionRef, Private, Receipt, Refusal,
    WorkspaceRef,
};
use tessera_program::PlainError;
use tessera_relation::RELATION_BUDGET;
use tessera_wire::{
    EntityRow, Fault, PolicyFaultRow, PolicySetRow, PolicyVersionRow, Request, RequestKind, Rows, RowsWriter,
    SchemaPartRow,
};

/// LIMIT: bytes of the built-in schema that are told beside policies in one frame.
const BUILT_IN_TOLD_MAX: usize = 120 * 1024;

/// Whether a list is for whoever administers policies.
pub(crate) const fn administers(kind: RequestKind) -> bool {
    matches!(
        kind,
        RequestKind::ReadPolicies
            | RequestKind::ListPolicyVersions
            | RequestKind::ReadBuiltInSchema
            | RequestKind::TryPolicies
            | RequestKind::ListEntities
    )
}

/// Bytes of what comes with a question that are charged as one check.
const BYTES_PER_CHECK: u64 = 1_024;
/// LIMIT: bytes of a part of a schema.
const SCHEMA_PART_BYTES: usize = 64 * 1024;

/// A text in parts that end at characters; one at least.
fn parts_of(text: &str, most: usize) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while rest.len() > most {
        let end = (0..=most).rev().find(|end| rest.is_char_boundary(*end)).unwrap_or(most);
        let (part, behind) = rest.split_at(end);
        parts.push(part);
        rest = behind;
    }
    parts.push(rest);
    parts
}

/// The text of a field.
pub(crate) fn text(from: &Private) -> Result<&str, Refusal> {
    std::str::from_utf8(from.expose()).map_err(|_| Refusal::Malformed)
}

fn private(text: &str) -> Private {
    Private::new(text.as_bytes().to_vec())
}

/// A refusal with the place where something does not fit.
fn misfit((refusal, misfit): (Refusal, PlainError)) -> Fault {
    let told = Fault::refused(refusal);
    Fault { detail: format!("{}: {misfit}", told.detail), ..told }
}

/// What a request sets.
pub(crate) fn parts(
    (set, schema, built_in): (Option<Private>, Option<Private>, bool),
    (lenient, expected): (Option<bool>, Option<u32>),
) -> Result<PolicyParts, Refusal> {
    let read = |from: Option<Private>| from.as_ref().map(|from| text(from).map(Into::into)).transpose();
    Ok(PolicyParts { text: read(set)?, schema: read(schema)?, built_in, lenient, expected })
}

/// Tells what would be wrong with policies.
pub(crate) async fn trial(
    engine: &Engine,
    bound: &Bound,
    texts: (Option<Private>, Option<Private>, bool),
) -> Result<Rows, Fault> {
    let parts = parts(texts, (None, None)).map_err(Fault::refused)?;
    let tried = engine.try_policies(bound, parts).await.map_err(|error| match error {
        SubmitError::Refused(refusal) | SubmitError::Wait { refusal, .. } => Fault::refused(refusal),
        SubmitError::Unknown => crate::answer::failed(),
    })?;
    let rows = tried.faults.iter().map(|fault| PolicyFaultRow {
        in_schema: tried.in_schema,
        line: fault.place.map_or(0, |place| place.line),
        column: fault.place.map_or(0, |place| place.column),
        kind: fault.reason.name().to_owned(),
        told: private(&fault.says),
        advice: fault.advice.as_deref().map(private),
    });
    whole(rows).map_err(Fault::refused)
}

/// Whether entities that are to be stored fit the schema; else where they do not.
pub(crate) fn fits(engine: &Engine, bound: &Bound, request: &Request) -> Result<(), Fault> {
    let Request::ChangeEntities { put: Some(put), .. } = request else { return Ok(()) };
    // Who may not change them is told so, and nothing of the schema.
    if !engine.may(bound, "tessera.admin.policies") {
        return Ok(());
    }
    let Some(view) = bound.entry.view().as_ref().map(std::sync::Arc::clone) else { return Ok(()) };
    let put = text(put).map_err(Fault::refused)?;
    view.listing().try_entities(put).map(drop).map_err(misfit)
}

/// As how many checks what comes with a question is charged, as over HTTP.
pub(crate) fn sent_checks(request: &Request) -> u64 {
    let Request::CheckAbout { context, entities, .. } = request else { return 0 };
    let length = |from: &Option<Private>| from.as_ref().map_or(0, |from| from.expose().len());
    (length(context) + length(entities)) as u64 / BYTES_PER_CHECK
}

/// Answers a check under circumstances, and says what was looked at in relations for it.
pub(crate) fn check(
    engine: &Engine,
    bound: &Bound,
    view: &View,
    request: &Request,
) -> Result<(Rows, u64), Fault> {
    let Request::CheckAbout { handle, permission, workspace, resource, context, entities, address, at_least } =
        request
    else {
        return Err(Fault::refused(Refusal::Malformed));
    };
    let reading = engine.read(view);
    match reading.sees(at_least.unwrap_or_default()) {
        Sees::Yes => {}
        Sees::NotYet => return Err(Fault::refused(Refusal::Behind)),
        Sees::Restored => return Err(Fault::refused(Refusal::Restored)),
    }
    if address.is_some() && !engine.may(bound, ADDRESS) {
        return Err(Fault::refused(Refusal::Unauthorized));
    }
    let handle: Result<&HandleBytes, _> = handle.expose().try_into();
    let handle = handle.map_err(|_| Fault::refused(Refusal::Malformed))?;
    let read = |from: &'_ Option<Private>| -> Result<Option<String>, Fault> {
        from.as_ref().map(|from| text(from).map(str::to_owned)).transpose().map_err(Fault::refused)
    };
    let (resource, context, entities) = (read(resource)?, read(context)?, read(entities)?);
    let about = About {
        resource: resource.as_deref(),
        context: context.as_deref(),
        entities: entities.as_deref(),
        budget: RELATION_BUDGET,
    };
    let query = CheckQuery {
        handle,
        permission: PermissionRef::Name(permission.as_str()),
        workspace: workspace.as_ref().map_or(WorkspaceRef::Tenant, |name| WorkspaceRef::Name(name.as_str())),
        at_least: Receipt::default(),
        address: *address,
    };
    let (decision, steps) = engine.check_about(bound, &reading, &query, about).map_err(misfit)?;
    let rows = whole([resource_row(decision, steps)]).map_err(Fault::refused)?;
    Ok((rows, u64::from(steps)))
}

/// The policies, or a page of the stored entities.
#[expect(clippy::too_many_lines, reason = "one arm for each of them")]
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is listed elsewhere")]
pub(crate) fn page(source: &Source<'_>, request: Request) -> Result<Rows, Refusal> {
    let listing = &source.listing;
    match request {
        Request::ReadPolicies { version } => {
            let known = listing.policy_set(version);
            if version != 0 && known.is_none() {
                return Err(Refusal::PolicyVersion);
            }
            let present = known.map(|known| known.version) == listing.policies().map(|known| known.version);
            let set = known.and_then(|known| known.schema.as_deref()).map(str::to_owned);
            let built_in = set.is_none();
            // Of a version before nobody knows what the built-in one was.
            let schema = set.or_else(|| (!present).then(String::new)).unwrap_or_else(|| {
                Some(listing.built_in_schema())
                    .filter(|text| text.len() <= BUILT_IN_TOLD_MAX)
                    .unwrap_or_default()
            });
            let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            whole([PolicySetRow {
                version: known.map_or(0, |known| known.version),
                text: private(known.map_or("", |known| &known.text)),
                schema: private(&schema),
                built_in,
                lenient: known.is_some_and(|known| known.lenient),
                count: if present { number(listing.policies_count()) } else { 0 },
                entities: number(listing.entities_count()),
                created: known.map_or(tessera_model::Deadline::NONE, |known| known.at),
            }])
        }
        Request::ListPolicyVersions {} => {
            let present = listing.policies().map(|known| known.version);
            whole(listing.policy_sets().map(|set| PolicyVersionRow {
                version: set.version,
                present: present == Some(set.version),
                built_in: set.schema.is_none(),
                lenient: set.lenient,
                created: set.at,
            }))
        }
        Request::ReadBuiltInSchema { part } => {
            let schema = listing.built_in_schema();
            let parts = parts_of(&schema, SCHEMA_PART_BYTES);
            let at = usize::try_from(part).unwrap_or(usize::MAX);
            let parts_count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
            let text = parts.get(at).copied().ok_or(Refusal::Malformed)?;
            whole([SchemaPartRow { schema: private(text), parts: parts_count }])
        }
        Request::ListEntities { after, limit } => {
            let cursors = source.cursors(Listed::all(ListKind::Entities))?;
            let damaged = || Refusal::CursorRefused(CursorFault::Damaged);
            let none = (0, EntityName { kind: "".into(), id: "".into() });
            let from = match cursors.tail(after.as_ref().map(Private::expose))? {
                None => none,
                Some((share, tail)) => {
                    let tail = std::str::from_utf8(tail).map_err(|_| damaged())?;
                    let (kind, id) = tail.split_once('\0').ok_or_else(damaged)?;
                    let name = EntityName::new(kind, id).ok_or_else(damaged)?;
                    (u32::try_from(share).map_err(|_| damaged())?, name)
                }
            };
            let (mut writer, mut last) = (RowsWriter::new(), None);
            let limit = rows_of(limit);
            for (share, name, json) in listing.entities(from) {
                let row = EntityRow {
                    kind: name.kind.to_string(),
                    id: name.id.to_string(),
                    entity: private(&json),
                };
                if writer.len() >= limit || !writer.push(&row) {
                    let (share, tail): (u32, String) = last.ok_or(Limit::WireFrameBytes.reached())?;
                    let next = cursors.behind(u64::from(share), tail.as_bytes());
                    return Ok(writer.finish(Some(&next)));
                }
                last = Some((share, format!("{}\0{}", name.kind, name.id)));
            }
            Ok(writer.finish(None))
        }
        _ => Err(Refusal::Malformed),
    }
}

/// Answers a check under circumstances, on a thread that may take a while.
pub(crate) async fn judged(
    engine: &Engine,
    bound: &Bound,
    (view, request): (Arc<View>, Request),
    cost: &mut u64,
) -> Result<Rows, Fault> {
    *cost += sent_checks(&request);
    let (engine, bound) = (engine.clone(), bound.clone());
    let asked = move || {
        let policies = PolicySteps::counting();
        (check(&engine, &bound, &view, &request), policies.checks())
    };
    let (answered, policies) =
        tokio::task::spawn_blocking(asked).await.map_err(|_| crate::answer::failed())?;
    *cost += policies;
    let (rows, steps) = answered?;
    *cost += steps / PLACES_PER_CHECK;
    Ok(rows)
}
