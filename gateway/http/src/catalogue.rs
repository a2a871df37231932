//! Services over HTTP: the entries of a request, and the lists of what is registered and used.

use crate::answer::Object;
use crate::input::{Input, ill_formed};
use crate::json::Json;
use crate::list::Window;
use crate::operation::List;
use crate::problem::Problem;
use crate::value::{bool, text};
use serde_json::{Map, Value, json};
use tessera_engine::{CatalogueEntry, EntryUse, Listing, Page, Reading, UsedBy};
use tessera_model::catalogue::{EntryText, Label, ServiceEntry, doubled};
use tessera_model::limits::{ENTRY_DESCRIPTION_BYTES_MAX, LABEL_BYTES_MAX, LABELS_MAX, SERVICE_ENTRIES_MAX};
use tessera_model::{Deadline, Limit, ListKind, Listed, Name, Refusal};

/// Why a part of the entries does not read, and where: a path below them.
type Fault = (String, Refusal);

impl Input {
    /// The entries of a service.
    pub(crate) fn entries(&self, name: &str) -> Result<Vec<ServiceEntry>, Problem> {
        let value = self.json(name).ok_or_else(|| ill_formed(name))?;
        entries(value).map_err(|(at, refusal)| Problem::from(refusal).at(&format!("{name}{at}")))
    }
}

fn entries(value: &Json) -> Result<Vec<ServiceEntry>, Fault> {
    let Json::List(items) = value else { return Err((String::new(), Refusal::Malformed)) };
    if items.len() > SERVICE_ENTRIES_MAX {
        return Err((String::new(), Limit::ServiceEntries.reached()));
    }
    let placed = items.iter().enumerate();
    let read = placed.map(|(at, item)| entry(item).map_err(|(below, why)| (format!("/{at}{below}"), why)));
    let read = read.collect::<Result<Vec<ServiceEntry>, Fault>>()?;
    match doubled(&read) {
        None => Ok(read),
        Some(at) => Err((format!("/{at}/permission"), Refusal::Duplicate)),
    }
}

fn entry(value: &Json) -> Result<ServiceEntry, Fault> {
    let here = |refusal| (String::new(), refusal);
    let Json::Members(members) = value else { return Err(here(Refusal::Malformed)) };
    let (mut permission, mut action, mut replaced_by) = (None, None, None);
    let (mut labels, mut description, mut deprecated) = (Vec::new(), String::new(), false);
    for (member, value) in members.iter().filter(|(_, value)| *value != Json::Null) {
        let ill = || (format!("/{member}"), Refusal::Malformed);
        let name = || {
            let name = text(value).ok_or_else(ill)?;
            let long = name.len() as u64 > Limit::NameBytes.bound();
            let refusal = if long { Limit::NameBytes.reached() } else { Refusal::Malformed };
            Name::new(name).map_err(|_| (format!("/{member}"), refusal))
        };
        match member.as_str() {
            "permission" => permission = Some(name()?),
            "action" => action = Some(name()?),
            "replaced_by" => replaced_by = Some(name()?),
            "labels" => labels = read_labels(value)?,
            "description" => text(value).ok_or_else(ill)?.clone_into(&mut description),
            "deprecated" => deprecated = bool(value).ok_or_else(ill)?,
            _ => return Err(ill()),
        }
    }
    let permission = permission.ok_or_else(|| ("/permission".to_owned(), Refusal::Malformed))?;
    let text = EntryText::new(action, labels, &description, deprecated);
    let text = text.map_err(|refusal| {
        let field = if refusal == Limit::Labels.reached() { "/labels" } else { "/description" };
        (field.to_owned(), refusal)
    })?;
    let entry = ServiceEntry::new(permission, text, replaced_by);
    entry.map_err(|refusal| ("/replaced_by".to_owned(), refusal))
}

fn read_labels(value: &Json) -> Result<Vec<Label>, Fault> {
    let Json::Members(members) = value else { return Err(("/labels".to_owned(), Refusal::Malformed)) };
    if members.len() > LABELS_MAX {
        return Err(("/labels".to_owned(), Limit::Labels.reached()));
    }
    let mut labels: Vec<Label> = Vec::with_capacity(members.len());
    for (language, value) in members {
        let at = |refusal| (format!("/labels/{language}"), refusal);
        let label = Label::new(language, text(value).ok_or_else(|| at(Refusal::Malformed))?).map_err(at)?;
        // Case tells no two languages apart.
        if labels.iter().any(|known| known.language() == label.language()) {
            return Err(at(Refusal::Malformed));
        }
        labels.push(label);
    }
    Ok(labels)
}

/// What the description says of the entries.
pub(crate) fn schema(name: &Value) -> Value {
    let maybe = crate::openapi::or_null;
    json!({
        "type": "array", "maxItems": SERVICE_ENTRIES_MAX,
        "items": {
            "type": "object", "additionalProperties": false, "required": ["permission"],
            "properties": {
                "permission": name,
                "action": maybe(name.clone()),
                "labels": maybe(json!({
                    "type": "object", "maxProperties": LABELS_MAX, "description": "text by language (RFC 5646)",
                    "propertyNames": { "pattern": "^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$" },
                    "additionalProperties": { "type": "string", "minLength": 1, "maxLength": LABEL_BYTES_MAX },
                })),
                "description": maybe(json!({ "type": "string", "maxLength": ENTRY_DESCRIPTION_BYTES_MAX })),
                "deprecated": maybe(json!({ "type": "boolean" })),
                "replaced_by": maybe(name.clone()),
            },
        },
    })
}

/// Entries that read.
pub(crate) fn example() -> Value {
    json!([
        { "permission": "orders.read", "action": "read", "labels": { "en": "Read orders", "de": "Bestellungen lesen" } },
        { "permission": "orders.list", "deprecated": true, "replaced_by": "orders.read" },
    ])
}

/// Answers one of the lists.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other lists are answered elsewhere")]
pub(crate) fn rows<'a>(
    reading: &Reading<'_>,
    listing: &Listing,
    (list, input): (List, &Input),
    window: impl Fn(Listed) -> Result<Window<'a>, Problem>,
) -> Result<Value, Problem> {
    let named = |field| input.name(field)?.ok_or_else(|| ill_formed(field));
    match list {
        List::Services => window(Listed::all(ListKind::Services))?.page(
            |from, limit| listing.services(from, limit),
            |record| {
                let deprecated = record.entries.iter().filter(|entry| entry.text.deprecated).count();
                let object = Object::new().shown("service", &record.name);
                object.with("entries", record.entries.len()).with("deprecated_entries", deprecated)
            },
        ),
        List::Entries | List::EntriesOf => {
            let service = match list {
                List::EntriesOf => {
                    Some(listing.service_named(&named("name")?).ok_or(Refusal::ServiceUnknown)?.index)
                }
                _ => None,
            };
            let number = service.map_or(0, |service| service.0);
            window(Listed::of_number(ListKind::Entries, number))?
                .page(|from, limit| listing.entries(service, from, limit), |(_, row)| told(row))
        }
        List::Service => {
            let name = named("name")?;
            let service = listing.service_named(&name).ok_or(Refusal::ServiceUnknown)?.index;
            let mut entries = Vec::new();
            let mut next = Some(0);
            // LIMIT: a service has 512 entries at most, and a page ends behind one at least.
            while let Some(from) = next {
                let page = listing.entries(Some(service), from, usize::MAX);
                entries.extend(page.rows.iter().map(|(_, row)| told(row).value()));
                next = page.next;
            }
            Ok(Object::new().shown("name", &name).with("entries", entries).value())
        }
        List::Entry => {
            let found = listing.entry(&named("permission")?).ok_or(Refusal::PermissionUnknown)?;
            Ok(told(&found).value())
        }
        List::EntryUses => {
            let permission = named("permission")?;
            let found = listing.entry(&permission).ok_or(Refusal::PermissionUnknown)?;
            let window = window(Listed::of_number(ListKind::EntryUses, found.id.0))?;
            let page = told_uses(listing, reading.entry_uses(&permission, window.within())?);
            window.page(|_, _| page, used)
        }
        List::DeprecatedUses => window(Listed::all(ListKind::DeprecatedUses))?
            .page(|from, limit| told_uses(listing, reading.deprecated_uses((from, limit))), used),
        _ => Err(Problem::failed()),
    }
}

/// The uses that whoever asks is shown.
fn told_uses(listing: &Listing, mut page: Page<EntryUse>) -> Page<EntryUse> {
    page.rows = page.rows.into_iter().filter_map(|found| listing.told_use(found)).collect();
    page
}

fn told(row: &CatalogueEntry) -> Object {
    let labels = row.text.labels.iter();
    let labels: Map<String, Value> =
        labels.map(|label| (label.language().to_string(), label.text().into())).collect();
    let optional = |name: &Option<Name>| name.as_ref().map(Name::to_string);
    Object::new()
        .shown("service", &row.service)
        .with("id", row.id.0)
        .shown("permission", &row.permission)
        .with("action", optional(&row.text.action))
        .with("labels", labels)
        .with("description", &*row.text.description)
        .with("deprecated", row.text.deprecated)
        .with("replaced_by", optional(&row.replaced_by))
}

fn used(row: &EntryUse) -> Object {
    let (mut role, mut group, mut subject, mut key, mut workspace) = (None, None, None, None, None);
    let (mut pattern, mut mapping, mut endpoint) = (None, None, None);
    let mut during = (Deadline::NONE, Deadline::NONE);
    let by = match &row.by {
        UsedBy::Role(name, covered) => {
            (role, pattern) = (Some(name.to_string()), covered.as_ref().map(ToString::to_string));
            "role"
        }
        UsedBy::GroupGrant(name, granted, place, window) => {
            (group, role, during) = (Some(name.to_string()), Some(granted.to_string()), *window);
            workspace = place.as_ref().map(Name::to_string);
            "group_grant"
        }
        UsedBy::Grant(id, granted, place, window) => {
            (subject, role, during) = (Some(id.to_string()), Some(granted.to_string()), *window);
            workspace = place.as_ref().map(Name::to_string);
            "grant"
        }
        UsedBy::Key(id, owner, covered) => {
            (key, subject) = (Some(id.to_string()), Some(owner.to_string()));
            pattern = Some(covered.to_string());
            "key"
        }
        UsedBy::Ceiling(name, covered) => {
            (workspace, pattern) = (Some(name.to_string()), Some(covered.to_string()));
            "ceiling"
        }
        UsedBy::Endpoint(service, method, path) => {
            endpoint = Some(format!("{service}: {method} {path}"));
            "endpoint"
        }
        UsedBy::Mapping(type_name, relation) => {
            mapping = Some(format!("{type_name}#{relation}"));
            "mapping"
        }
    };
    Object::new()
        .shown("permission", &row.permission)
        .with("used_by", by)
        .with("role", role)
        .with("group", group)
        .with("subject", subject)
        .with("key", key)
        .with("workspace", workspace)
        .with("pattern", pattern)
        .with("mapping", mapping)
        .with("endpoint", endpoint)
        .until("from", during.0)
        .until("until", during.1)
}
