//! `tessera service`: applications, the permissions that they register, and where those are used.

use crate::answer::{Answer, instant, put_instant, shown};
use crate::endpoint;
use crate::error::CtlError;
use crate::link::{Link, Rows, Window};
use crate::reach;
use crate::table::Table;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tessera_client::wire::{EntryRow, EntryUseRow, Request, ServiceRow};
use tessera_model::catalogue::{EntryText, Label, ServiceEntry, doubled};
use tessera_model::{Name, Refusal};

/// LIMIT: bytes of a file of entries: twice what one request holds.
const FILE_BYTES_MAX: u64 = 512 * 1024;

/// What can be done with services.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum ServiceVerb {
    /// Register what a service has: the entries of the file replace all earlier ones. What is gone, but in use,
    /// stays as deprecated.
    #[command(
        after_help = "Examples:\n  tessera service set orders orders.json\n  tessera service set orders orders.json --dry-run\n\nThe file: {\"entries\": [{\"permission\": \"orders.read\", \"action\": \"read\", \"labels\": {\"en\": \"Read orders\"},\n\"description\": \"\", \"deprecated\": false, \"replaced_by\": null}]}; - for standard input."
    )]
    Set {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
        /// The file of its entries.
        file: PathBuf,
        /// Change nothing: only say what would come of it.
        #[arg(long)]
        dry_run: bool,
    },
    /// Take a service back: what is in use stays as deprecated.
    #[command(after_help = "Example:\n  tessera service remove orders")]
    Remove {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
    },
    /// List the services.
    #[command(after_help = "Example:\n  tessera service list")]
    List(Window),
    /// List the entries of a service, or of all of them.
    #[command(
        after_help = "Examples:\n  tessera service entries orders\n  tessera service entries --all --json"
    )]
    Entries {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Option<Name>,
        #[command(flatten)]
        window: Window,
    },
    /// Show the entry of a permission.
    #[command(after_help = "Example:\n  tessera service entry orders.read")]
    Entry {
        /// The permission.
        #[arg(value_parser = reach::name)]
        permission: Name,
    },
    /// Register what requests to a service need: the endpoints of the file replace all earlier ones.
    #[command(
        after_help = "Examples:\n  tessera service set-endpoints orders endpoints.json\n  tessera service set-endpoints orders endpoints.json --dry-run\n\nThe file: {\"endpoints\": [{\"method\": \"GET\", \"path\": \"/orders/{id}\", \"needs\": \"orders.read\"}]}; - for standard input.\nOf the endpoints that a request matches the narrowest counts."
    )]
    SetEndpoints {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
        /// The file of its endpoints.
        file: PathBuf,
        /// Change nothing: only say what would come of it.
        #[arg(long)]
        dry_run: bool,
    },
    /// List the endpoints of a service.
    #[command(after_help = "Example:\n  tessera service endpoints orders")]
    Endpoints {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
    },
    /// Where an entry is used, by patterns with a * too; without one, where deprecated entries are named in full.
    #[command(
        after_help = "Examples:\n  tessera service uses orders.read\n  tessera service uses --all --json"
    )]
    Uses {
        /// The permission.
        #[arg(value_parser = reach::name)]
        permission: Option<Name>,
        #[command(flatten)]
        window: Window,
    },
}

/// A file of entries.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalogue {
    entries: Vec<Written>,
}

/// An entry as it is written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    permission: String,
    action: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    description: Option<String>,
    deprecated: Option<bool>,
    replaced_by: Option<String>,
}

impl Written {
    fn read(self) -> Result<ServiceEntry, String> {
        let name = |text: &str| Name::new(text).map_err(|error| format!("{text}: {error}"));
        let labels = self.labels.unwrap_or_default().into_iter().map(|(language, text)| {
            Label::new(&language, &text).map_err(|refusal| format!("the label of {language}: {refusal}"))
        });
        let labels = labels.collect::<Result<Vec<_>, _>>()?;
        let action = self.action.as_deref().map(name).transpose()?;
        let description = self.description.unwrap_or_default();
        let text = EntryText::new(action, labels, &description, self.deprecated.unwrap_or(false));
        let text = text.map_err(|refusal| format!("its labels or description: {refusal}"))?;
        let replaced_by = self.replaced_by.as_deref().map(name).transpose()?;
        let entry = ServiceEntry::new(name(&self.permission)?, text, replaced_by);
        entry.map_err(|_| "replaced_by is for deprecated ones".to_owned())
    }
}

/// The entries of a text.
fn entries(text: &str) -> Result<Vec<ServiceEntry>, String> {
    let read: Catalogue = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let placed = (1..).zip(read.entries);
    let read = placed.map(|(at, one): (usize, _)| one.read().map_err(|why| format!("entry {at}: {why}")));
    let read = read.collect::<Result<Vec<ServiceEntry>, String>>()?;
    let again = doubled(&read).and_then(|at| Some((at, read.get(at)?)));
    match again {
        None => Ok(read),
        Some((at, entry)) => Err(format!("entry {}: {} stands twice", at + 1, entry.permission)),
    }
}

/// The entries that are replaced by what is neither in the file nor registered.
async fn unknown_successors(link: &Link, entries: &[ServiceEntry]) -> Result<Vec<String>, CtlError> {
    let mut found = Vec::new();
    for (at, entry) in (1..).zip(entries) {
        let Some(by) = &entry.replaced_by else { continue };
        let at: usize = at;
        if entries.iter().any(|other| other.permission == *by) || link.knows(by).await? {
            continue;
        }
        found.push(format!(
            "entry {at}: {} would be replaced by {by}, which is no permission",
            entry.permission
        ));
    }
    Ok(found)
}

/// All of a file, or of standard input.
pub(crate) fn whole(path: &Path) -> Result<String, CtlError> {
    use std::io::Read as _;
    let failed = |error: std::io::Error| CtlError::file("reading", path, &error);
    let mut text = String::new();
    let source: Box<dyn std::io::Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(path).map_err(failed)?)
    };
    source.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(CtlError::usage(format!("{}: more than {FILE_BYTES_MAX} bytes", path.display())));
    }
    Ok(text)
}

fn file(path: &Path) -> Result<Vec<ServiceEntry>, CtlError> {
    entries(&whole(path)?).map_err(|why| CtlError::usage(format!("{}: {why}", path.display())))
}

/// Puts entries in the place of what a service has.
async fn set(link: &Link, name: Name, entries: Vec<ServiceEntry>, trial: bool) -> Result<Answer, CtlError> {
    let count = entries.len();
    let request = Request::SetService { name: name.clone(), trial, entries: entries.clone() };
    let made = match link.order(&request).await {
        Err(error) if error.is(Refusal::PermissionUnknown) => {
            let found = unknown_successors(link, &entries).await?;
            return Err(if found.is_empty() { error } else { error.saying(found.join("; ")) });
        }
        made => made?,
    };
    let kept = made.kept.unwrap_or(0);
    let entries = if count == 1 { "entry" } else { "entries" };
    let text = match (count, trial) {
        (0, true) => format!("Service {name} would register nothing any more."),
        (0, false) => format!("Service {name} registers nothing any more."),
        (_, true) => format!("Service {name} would register {count} {entries}."),
        (_, false) => format!("Service {name} registers {count} {entries}."),
    };
    let mut answer = Answer::said(text);
    if kept > 0 {
        let stay = if trial { "would stay" } else { "stay" };
        let text = "as deprecated, because they are in use: tessera service uses shows by whom.";
        answer = answer.line(format!("Of what it had before {kept} {stay} {text}"));
    }
    let answer = answer.with("service", name.as_str()).with("entries", count).with("kept", kept);
    Ok(answer.with("dry_run", trial).made(&made))
}

fn text(name: Option<&Name>) -> Option<String> {
    name.map(Name::to_string)
}

fn dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

fn entry(row: &EntryRow) -> Map<String, Value> {
    let labels = row.text.labels.iter();
    let labels: Map<String, Value> =
        labels.map(|label| (label.language().to_string(), label.text().into())).collect();
    let mut json = Map::new();
    json.insert("service".into(), json!(row.service.as_str()));
    json.insert("id".into(), json!(row.id));
    json.insert("permission".into(), json!(row.permission.as_str()));
    json.insert("action".into(), json!(text(row.text.action.as_ref())));
    json.insert("labels".into(), labels.into());
    json.insert("description".into(), json!(row.text.description));
    json.insert("deprecated".into(), json!(row.text.deprecated));
    json.insert("replaced_by".into(), json!(text(row.replaced_by.as_ref())));
    json
}

/// What is to be known of an entry at a glance.
fn state(row: &EntryRow) -> String {
    match (&row.replaced_by, row.text.deprecated) {
        (Some(by), _) => format!("deprecated: use {by}"),
        (None, true) => "deprecated".to_owned(),
        (None, false) => "-".to_owned(),
    }
}

async fn listed(link: &Link, name: Option<Name>, window: &Window) -> Result<Answer, CtlError> {
    let request = |after, limit| Request::ListEntries { service: name.clone(), after, limit };
    let found = window.read::<EntryRow>(link, request).await?;
    let mut table = Table::new(&["SERVICE", "PERMISSION", "ACTION", "LABELS", "STATE"]);
    let mut rows: Vec<Value> = Vec::new();
    for row in &found.rows {
        let labels: Vec<&str> = row.text.labels.iter().map(|label| label.language().as_str()).collect();
        let labels = (!labels.is_empty()).then(|| labels.join(", "));
        let action = dash(text(row.text.action.as_ref()));
        table.row([row.service.to_string(), row.permission.to_string(), action, dash(labels), state(row)]);
        rows.push(entry(row).into());
    }
    Ok(found.told(Answer::said(table.to_string()).with("entries", rows)))
}

async fn one(link: &Link, permission: Name) -> Result<Answer, CtlError> {
    let row = link.page::<EntryRow>(&Request::ReadEntry { permission }).await?.rows.pop();
    let row = row.ok_or_else(|| CtlError::unexpected("the answer holds no entry"))?;
    let mut answer = Answer::said(format!("{} of service {}", row.permission, row.service));
    if let Some(action) = &row.text.action {
        answer = answer.line(format!("action: {action}"));
    }
    if row.text.deprecated {
        answer = answer.line(state(&row));
    }
    for label in &row.text.labels {
        answer = answer.line(format!("{}: {}", label.language(), label.text()));
    }
    if !row.text.description.is_empty() {
        answer = answer.line(&*row.text.description);
    }
    Ok(entry(&row).into_iter().fold(answer, |answer, (field, value)| answer.with(&field, value)))
}

/// What uses an entry, for people and as a word.
fn user(row: &EntryUseRow) -> (String, &'static str) {
    let name = |name: Option<&Name>| dash(text(name));
    let id = |id: Option<tessera_model::PublicId>| dash(id.map(|id| id.to_string()));
    match row.kind {
        1 => (format!("role {}", name(row.role.as_ref())), "role"),
        2 => (
            format!("group {}, by role {}", name(row.group.as_ref()), name(row.role.as_ref())),
            "group_grant",
        ),
        3 => (format!("{}, by role {}", id(row.subject), name(row.role.as_ref())), "grant"),
        4 => (format!("key {} of {}", id(row.key), id(row.subject)), "key"),
        5 => (format!("ceiling of {}", name(row.workspace.as_ref())), "ceiling"),
        7 => (format!("endpoint {}", dash(requests(row))), "endpoint"),
        _ => (format!("relation {}", dash(mapping(row))), "mapping"),
    }
}

fn mapping(row: &EntryUseRow) -> Option<String> {
    Some(format!("{}#{}", row.type_name.as_ref()?, row.relation.as_ref()?))
}

/// The requests of an endpoint.
fn requests(row: &EntryUseRow) -> Option<String> {
    Some(format!("{}: {} {}", row.service.as_ref()?, row.method.as_ref()?, row.path.as_ref()?))
}

async fn uses(link: &Link, permission: Option<Name>, window: &Window) -> Result<Answer, CtlError> {
    let request = |after, limit| Request::ListEntryUses { permission: permission.clone(), after, limit };
    let found: Rows<EntryUseRow> = window.read(link, request).await?;
    let mut table = Table::new(&["PERMISSION", "USED BY", "PATTERN", "WORKSPACE", "FROM", "UNTIL"]);
    let mut rows: Vec<Value> = Vec::new();
    for row in &found.rows {
        let (by, word) = user(row);
        let (from, until) = (instant(row.from), instant(row.until));
        let pattern = row.patterns.first().map(ToString::to_string);
        let workspace = text(row.workspace.as_ref());
        let (permission, at) = (row.permission.to_string(), dash(workspace.clone()));
        table.row([permission, by, dash(pattern.clone()), at, shown(from), shown(until)]);
        let mut json = Map::new();
        json.insert("permission".into(), json!(row.permission.as_str()));
        json.insert("used_by".into(), json!(word));
        json.insert("role".into(), json!(text(row.role.as_ref())));
        json.insert("group".into(), json!(text(row.group.as_ref())));
        json.insert("subject".into(), json!(row.subject.map(|id| id.to_string())));
        json.insert("key".into(), json!(row.key.map(|id| id.to_string())));
        json.insert("workspace".into(), json!(workspace));
        json.insert("pattern".into(), json!(pattern));
        json.insert("mapping".into(), json!(mapping(row)));
        json.insert("endpoint".into(), json!(requests(row)));
        put_instant(&mut json, "from", from);
        put_instant(&mut json, "until", until);
        rows.push(json.into());
    }
    Ok(found.told(Answer::said(table.to_string()).with("uses", rows)))
}

impl ServiceVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Set { name, file: path, dry_run } => set(link, name, file(&path)?, dry_run).await,
            Self::Remove { name } => {
                let known = Request::ListEntries { service: Some(name.clone()), after: None, limit: 1 };
                // One that is not there is told as such.
                link.page::<EntryRow>(&known).await?;
                set(link, name, Vec::new(), false).await
            }
            Self::SetEndpoints { name, file, dry_run } => endpoint::set(link, name, &file, dry_run).await,
            Self::Endpoints { name } => endpoint::list(link, name).await,
            Self::List(window) => {
                let request = |after, limit| Request::ListServices { after, limit };
                let found = window.read::<ServiceRow>(link, request).await?;
                let mut table = Table::new(&["SERVICE", "ENTRIES", "DEPRECATED"]);
                let mut rows: Vec<Value> = Vec::new();
                for row in &found.rows {
                    table.row([row.service.to_string(), row.entries.to_string(), row.deprecated.to_string()]);
                    rows.push(json!({
                        "service": row.service.as_str(), "entries": row.entries,
                        "deprecated_entries": row.deprecated,
                    }));
                }
                Ok(found.told(Answer::said(table.to_string()).with("services", rows)))
            }
            Self::Entries { name, window } => listed(link, name, &window).await,
            Self::Entry { permission } => one(link, permission).await,
            Self::Uses { permission, window } => uses(link, permission, &window).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a file reads whole or is told with its entry and why.
    #[test]
    fn files_read_or_are_told() {
        let good = r#"{"entries": [{"permission": "a.b", "labels": {"en": "B"}, "deprecated": true, "replaced_by": "a.c"}]}"#;
        let read = entries(good).expect("entries");
        assert_eq!(read[0].replaced_by, Name::new("a.c").ok());
        for (bad, why) in [
            ("[]", "invalid"),
            (r#"{"entries": [{"permission": "a b"}]}"#, "entry 1: a b"),
            (
                r#"{"entries": [{"permission": "a"}, {"permission": "b", "labels": {"english": "x"}}]}"#,
                "entry 2",
            ),
            (r#"{"entries": [{"permission": "a", "replaced_by": "b"}]}"#, "deprecated"),
            (r#"{"entries": [{"permission": "a"}, {"permission": "b"}, {"permission": "a"}]}"#, "entry 3"),
            (r#"{"entries": [{"permission": "a", "labels": {"en-x": "B"}}]}"#, "label of en-x"),
            (r#"{"entries": [{"permission": "a", "label": "x"}]}"#, "unknown field"),
        ] {
            let told = entries(bad).expect_err(bad);
            assert!(told.contains(why), "{bad}: {told}");
        }
    }
}
