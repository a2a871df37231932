//! `tessera policy` over a node: the policies of a tenant, their schema, and the entities that they speak about.

use crate::answer::{Answer, instant, shown};
use crate::error::{CtlError, REFUSED};
use crate::link::{Link, Window};
use crate::policy::{TEXT_BYTES, bytes, file_object, lines, objects};
use crate::table::Table;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tessera_client::ClientError;
use tessera_client::wire::{
    EntityRow, PolicyFaultRow, PolicySetRow, PolicyVersionRow, Request, SchemaPartRow,
};
use tessera_model::limits::{
    CONTEXT_BYTES_MAX, CONTEXT_DEPTH_MAX, CONTEXT_VALUES_MAX, ENTITY_CHANGES_MAX, POLICY_TEXT_BYTES_MAX,
    SENT_ENTITIES_BYTES_MAX,
};
use tessera_model::policy::{EntityName, GIVEN};
use tessera_model::{Limit, Private, Refusal};
use tessera_policy_cedar::{Parsed, Place, PolicyError, Schema};
use tessera_program::{Plain, PlainBounds};

/// What `tessera policy put` sets.
#[derive(Clone, clap::Args)]
pub(crate) struct Put {
    /// The file of policies, in Cedar's form or its JSON; without one the policies stay.
    file: Option<PathBuf>,
    /// The schema that they must fit; without one the present schema stays, and the built-in one holds at first.
    #[arg(long, conflicts_with = "built_in_schema")]
    schema: Option<PathBuf>,
    /// Put the built-in schema in the place of the present one: the tenant's permissions and declared attributes.
    #[arg(long)]
    built_in_schema: bool,
    /// What a forbid does that fails: `strict` denies, `cedar` leaves it out. Without it as it is; strict at first.
    #[arg(long, value_name = "RULE", value_parser = ["strict", "cedar"])]
    failing_forbid: Option<String>,
    /// Only when the present set has this version; 0 for none at all.
    #[arg(long, value_name = "VERSION")]
    if_version: Option<u32>,
    /// Change nothing: only say what would come of it, and what is wrong where.
    #[arg(long)]
    dry_run: bool,
}

/// What can be done with entities.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum EntityVerb {
    /// Store the entities of a file, each in the place of what was known of it; 256 at once are one command.
    #[command(after_help = "Example:\n  tessera policy entity put documents.entities.json")]
    Put {
        /// A JSON list of objects of `uid`, `attrs`, `parents` and `tags`.
        file: PathBuf,
    },
    /// List the stored entities.
    #[command(after_help = "Example:\n  tessera policy entity list --limit 50")]
    List(Window),
    /// Remove entities.
    #[command(after_help = "Example:\n  tessera policy entity remove Document 2026 2027")]
    Remove {
        /// Their type.
        kind: String,
        /// Their ids.
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

fn private(bytes: Vec<u8>) -> Private {
    Private::new(bytes)
}

fn text(from: &Private) -> String {
    String::from_utf8_lossy(from.expose()).into_owned()
}

/// The present policies, with the built-in schema in parts where it is long.
async fn read(link: &Link) -> Result<PolicySetRow, CtlError> {
    let mut row = read_version(link, 0).await?;
    if row.built_in && row.schema.expose().is_empty() {
        let (mut whole, mut part, mut parts) = (Vec::new(), 0, 1);
        while part < parts {
            let found = link.page::<SchemaPartRow>(&Request::ReadBuiltInSchema { part }).await?.rows.pop();
            let found = found.ok_or_else(|| CtlError::unexpected("the answer holds no schema"))?;
            whole.extend_from_slice(found.schema.expose());
            (part, parts) = (part + 1, found.parts);
        }
        row.schema = private(whole);
    }
    Ok(row)
}

/// The policies of a version; 0 for the present one.
async fn read_version(link: &Link, version: u32) -> Result<PolicySetRow, CtlError> {
    let told = |error: CtlError| {
        if error.is(Refusal::PolicyVersion) {
            let told = error.saying(format!("version {version} is not kept"));
            return told.advise("tessera policy list shows those that are");
        }
        error
    };
    let row = link.page::<PolicySetRow>(&Request::ReadPolicies { version }).await.map_err(told)?.rows.pop();
    row.ok_or_else(|| CtlError::unexpected("the answer holds no policies"))
}

/// The rule about what fails, in a word.
const fn rule(lenient: bool) -> &'static str {
    if lenient { "cedar" } else { "strict" }
}

/// What the node finds wrong, by the file that it is in.
async fn faults(
    link: &Link,
    (file, schema): (Option<&Path>, Option<&Path>),
    request: &Request,
) -> Result<Vec<(String, Vec<PolicyError>)>, CtlError> {
    let rows = link.page::<PolicyFaultRow>(request).await?.rows;
    let mut found: BTreeMap<bool, Vec<PolicyError>> = BTreeMap::new();
    for row in rows {
        let place = (row.line > 0).then_some(Place { line: row.line, column: row.column });
        let reason = tessera_policy_cedar::PolicyReason::named(&row.kind);
        let fault =
            PolicyError { reason, place, says: text(&row.told), advice: row.advice.as_ref().map(text) };
        found.entry(row.in_schema).or_default().push(fault);
    }
    let named = |path: Option<&Path>, what: &str| {
        path.map_or_else(|| what.to_owned(), |path| path.display().to_string())
    };
    let found = found.into_iter().map(|(in_schema, faults)| {
        (if in_schema { named(schema, "the schema") } else { named(file, "the policies") }, faults)
    });
    Ok(found.collect())
}

impl Put {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        let load = |path: &Option<PathBuf>| path.as_deref().map(|path| bytes(path, TEXT_BYTES)).transpose();
        let (set, schema) = (load(&self.file)?, load(&self.schema)?);
        let (file, schema_file) = (self.file.as_deref(), self.schema.as_deref());
        if let Some(answer) = unsendable((file, set.as_deref()), (schema_file, schema.as_deref()))? {
            return Ok(answer);
        }
        let part = |of: &Option<Vec<u8>>| of.clone().map(private);
        let try_ =
            Request::TryPolicies { text: part(&set), schema: part(&schema), built_in: self.built_in_schema };
        let paths = (self.file.as_deref(), self.schema.as_deref());
        let faults = faults(link, paths, &try_).await?;
        if !faults.is_empty() {
            let told: Vec<String> =
                faults.iter().flat_map(|(file, faults)| lines(Path::new(file), faults)).collect();
            let files: Vec<Value> =
                faults.iter().map(|(file, faults)| file_object(file, None, false, faults)).collect();
            let answer = Answer::said(told.join("\n")).with("ok", false).with("files", files);
            return Ok(answer.ends(REFUSED));
        }
        let request = Request::SetPolicies {
            text: part(&set),
            schema: part(&schema),
            built_in: self.built_in_schema,
            lenient: self.failing_forbid.as_deref().map(|rule| rule == "cedar"),
            version: self.if_version,
            trial: self.dry_run,
        };
        let made = link.order(&request).await?;
        let said = match made.policies {
            Some(version) => format!("The policies have version {version}."),
            None if self.dry_run => "The policies would be set.".to_owned(),
            None => "The policies are set.".to_owned(),
        };
        Ok(Answer::said(said).with("version", made.policies).with("dry_run", self.dry_run).made(&made))
    }
}

/// Bytes that are no text.
fn no_text(bytes: Option<&[u8]>) -> Option<&[u8]> {
    bytes.filter(|bytes| std::str::from_utf8(bytes).is_err())
}

/// What keeps files from being sent: more than a tenant may have, and what is no text. The node would say less of it.
fn unsendable(
    (file, set): (Option<&Path>, Option<&[u8]>),
    (schema_file, schema): (Option<&Path>, Option<&[u8]>),
) -> Result<Option<Answer>, CtlError> {
    if set.map_or(0, <[u8]>::len) + schema.map_or(0, <[u8]>::len) > POLICY_TEXT_BYTES_MAX {
        return Err(CtlError::of(&ClientError::Refused(Limit::PolicyTextBytes.reached()), ""));
    }
    let faults = [
        (file, no_text(set).and_then(|bytes| Parsed::parse(bytes).err())),
        (schema_file, no_text(schema).and_then(|bytes| Schema::parse(bytes).err())),
    ];
    let (mut told, mut files) = (Vec::new(), Vec::new());
    for (path, faults) in faults {
        if let (Some(path), Some(faults)) = (path, faults) {
            told.extend(lines(path, &faults));
            files.push(file_object(&path.display().to_string(), None, false, &faults));
        }
    }
    if told.is_empty() {
        return Ok(None);
    }
    let answer = Answer::said(told.join("\n")).with("ok", false).with("files", files);
    Ok(Some(answer.ends(REFUSED)))
}

/// The policies of a text: name, effect, and the text that each has in the language's one form.
fn policies(set: &[u8]) -> Result<BTreeMap<String, (&'static str, String)>, CtlError> {
    let parsed = Parsed::parse(set);
    let parsed =
        parsed.map_err(|faults| CtlError::usage(lines(Path::new("the policies"), &faults).join("\n")))?;
    Ok(parsed.named())
}

pub(crate) async fn list(link: &Link) -> Result<Answer, CtlError> {
    let row = read(link).await?;
    let mut table = Table::new(&["POLICY", "EFFECT"]);
    let mut rows = Vec::new();
    for (name, (effect, _)) in policies(row.text.expose())? {
        table.row([name.clone(), effect.to_owned()]);
        rows.push(json!({ "policy": name, "effect": effect }));
    }
    let head = match row.version {
        0 => "No policies are set.".to_owned(),
        version => format!(
            "Version {version}, set at {}: {} polic{} over {} entit{}; a forbid that fails: {}; schema: {}.",
            shown(instant(row.created)),
            row.count,
            if row.count == 1 { "y" } else { "ies" },
            row.entities,
            if row.entities == 1 { "y" } else { "ies" },
            rule(row.lenient),
            if row.built_in { "built-in" } else { "the tenant's own" }
        ),
    };
    let mut answer = Answer::said(head).line(table.to_string());
    let versions = link.page::<PolicyVersionRow>(&Request::ListPolicyVersions {}).await?.rows;
    if versions.len() > 1 {
        let one = |row: &PolicyVersionRow| format!("{} ({})", row.version, shown(instant(row.created)));
        let kept: Vec<String> = versions.iter().filter(|row| !row.present).map(one).collect();
        answer = answer.line(format!("Versions before: {}.", kept.join(", ")));
    }
    let versions: Vec<Value> = versions
        .iter()
        .map(|row| {
            json!({ "version": row.version, "present": row.present, "built_in_schema": row.built_in,
                    "failing_forbid": rule(row.lenient), "created": instant(row.created).map(|at| at.to_string()) })
        })
        .collect();
    let answer = answer.with("versions", versions);
    let answer = answer.with("version", row.version).with("policies", rows).with("entities", row.entities);
    let answer = answer.with("failing_forbid", rule(row.lenient)).with("built_in_schema", row.built_in);
    Ok(answer.at("created", instant(row.created)))
}

pub(crate) async fn show(link: &Link, schema: bool, version: Option<u32>) -> Result<Answer, CtlError> {
    let row = match version {
        Some(version) => read_version(link, version).await?,
        None => read(link).await?,
    };
    let shown = text(if schema { &row.schema } else { &row.text });
    let answer = Answer::said(shown).with("version", row.version).with("text", text(&row.text));
    let answer = answer.with("schema", text(&row.schema)).with("built_in_schema", row.built_in);
    Ok(answer.with("failing_forbid", rule(row.lenient)).at("created", instant(row.created)))
}

/// What a file or another version would change of stored policies, by their names. Exit code 1 where it would change
/// something.
pub(crate) async fn diff(
    link: &Link,
    file: Option<&Path>,
    (from, to): (Option<u32>, Option<u32>),
) -> Result<Answer, CtlError> {
    let row = read_version(link, from.unwrap_or(0)).await?;
    let other = match file {
        Some(file) => bytes(file, TEXT_BYTES)?,
        None => read_version(link, to.unwrap_or(0)).await?.text.expose().to_vec(),
    };
    let (stored, new) = (policies(row.text.expose())?, policies(&other)?);
    let (mut told, mut changes) = (Vec::new(), Vec::new());
    let names: std::collections::BTreeSet<&String> = stored.keys().chain(new.keys()).collect();
    for name in names {
        let (sign, word) = match (stored.get(name), new.get(name)) {
            (Some(_), None) => ("-", "removed"),
            (None, _) => ("+", "added"),
            (Some(one), Some(other)) if one != other => ("~", "changed"),
            (Some(_), Some(_)) => continue,
        };
        told.push(format!("{sign} {name}"));
        changes.push(json!({ "policy": name, "change": word }));
    }
    let same = changes.is_empty();
    let said = match (same, file) {
        (false, _) => told.join("\n"),
        (true, Some(_)) => "The file has the stored policies.".to_owned(),
        (true, None) => "Both have the same policies.".to_owned(),
    };
    let answer = Answer::said(said).with("version", row.version).with("changes", changes);
    Ok(if same { answer } else { answer.ends(REFUSED) })
}

pub(crate) async fn delete(link: &Link, version: Option<u32>) -> Result<Answer, CtlError> {
    let made = link.order(&Request::DeletePolicies { version }).await?;
    Ok(Answer::said("The tenant has no policies any more.").made(&made))
}

/// Where a list of entities does not fit the schema of the tenant.
async fn misfit(link: &Link, path: &Path, entities: &str) -> Option<Answer> {
    let row = read(link).await.ok()?;
    let program = tessera_policy_cedar::program(row.schema.expose(), b"").ok()?;
    let nodes = u32::try_from(ENTITY_CHANGES_MAX).unwrap_or(u32::MAX) * CONTEXT_VALUES_MAX;
    let bounds = PlainBounds { bytes: SENT_ENTITIES_BYTES_MAX, depth: CONTEXT_DEPTH_MAX, nodes };
    let read = Plain::read(entities, bounds).and_then(|plain| program.shape.read_entities(&plain));
    let misfit = read.err()?;
    let place = Some(Place { line: misfit.line, column: misfit.column });
    let reason = tessera_policy_cedar::PolicyReason::Entity;
    let faults = [PolicyError { reason, place, says: misfit.says, advice: None }];
    let answer = Answer::said(lines(path, &faults).join("\n")).with("ok", false);
    Some(answer.with("faults", objects(&faults)).ends(REFUSED))
}

/// A refusal of a context with the place where it does not fit, as far as whoever asks may read the schema.
pub(crate) async fn placed(
    link: &Link,
    error: CtlError,
    permission: &str,
    context: Option<&str>,
) -> CtlError {
    let (true, Some(context)) = (error.is(Refusal::ContextWrong), context) else { return error };
    let bounds =
        PlainBounds { bytes: CONTEXT_BYTES_MAX, depth: CONTEXT_DEPTH_MAX, nodes: CONTEXT_VALUES_MAX };
    let plain = match Plain::read(context, bounds) {
        Ok(plain) => plain,
        Err(wrong) => return error.saying(format!("the context, {wrong}")),
    };
    let Ok(row) = read(link).await else { return error };
    let Ok(program) = tessera_policy_cedar::program(row.schema.expose(), b"") else { return error };
    let action = program.shape.actions.get(&("Action".to_owned(), permission.to_owned()));
    let Some(action) = action else {
        return error.saying(format!("the schema has no action {permission}, so there is no context for it"));
    };
    let found = match program.shape.read_fields(action.context, &plain, &[], false) {
        Ok(found) => found,
        Err(wrong) => return error.saying(format!("the context, {wrong}")),
    };
    // What the node says itself is not missing; which of it that is, it knows.
    let missing = program.shape.fields(action.context).iter().find(|field| {
        field.required && !found.contains_key(&field.name) && !GIVEN.contains(&field.name.as_str())
    });
    match missing {
        Some(field) => {
            let wrong = plain.misfit(format!("the attribute {:?} is missing", field.name));
            error.saying(format!("the context, {wrong}"))
        }
        None => error,
    }
}

/// LIMIT: bytes of entities in one request; one that is larger alone is refused by the node.
const PART_BYTES: usize = SENT_ENTITIES_BYTES_MAX * 3 / 4;

/// A file of entities in parts that a node takes at once.
fn parts(list: &[Value]) -> Vec<String> {
    let (mut parts, mut open, mut bytes) = (Vec::new(), Vec::new(), 0);
    for one in list {
        let one = one.to_string();
        if open.len() == ENTITY_CHANGES_MAX || bytes + one.len() > PART_BYTES && !open.is_empty() {
            parts.push(format!("[{}]", std::mem::take(&mut open).join(",")));
            bytes = 0;
        }
        bytes += one.len();
        open.push(one);
    }
    parts.push(format!("[{}]", open.join(",")));
    parts
}

async fn put(link: &Link, path: &Path) -> Result<Answer, CtlError> {
    let whole = bytes(path, tessera_policy_cedar::ENTITIES_BYTES_MAX)?;
    let whole =
        String::from_utf8(whole).map_err(|_| CtlError::usage(format!("{}: not UTF-8", path.display())))?;
    let list: Vec<Value> = serde_json::from_str(&whole)
        .map_err(|error| CtlError::usage(format!("{}: {error}", path.display())))?;
    let mut last = None;
    // A small file goes as it is, so that places in it are its own.
    let parts = if list.len() <= ENTITY_CHANGES_MAX && whole.len() <= PART_BYTES {
        vec![whole]
    } else {
        parts(&list)
    };
    for part in &parts {
        let put = Some(private(part.clone().into_bytes()));
        match link.order(&Request::ChangeEntities { put, remove: Vec::new(), trial: false }).await {
            Ok(made) => last = Some(made),
            Err(error) if error.is(Refusal::EntityWrong) => {
                return match misfit(link, path, part).await {
                    Some(answer) => Ok(answer),
                    None => Err(error),
                };
            }
            Err(error) => return Err(error),
        }
    }
    let made = last.ok_or_else(|| CtlError::unexpected("nothing was stored"))?;
    let entities = if list.len() == 1 { "entity is" } else { "entities are" };
    Ok(Answer::said(format!("{} {entities} stored.", list.len())).with("entities", list.len()).made(&made))
}

impl EntityVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Put { file } => put(link, &file).await,
            Self::List(window) => {
                let request = |after, limit| Request::ListEntities { after, limit };
                let found = window.read::<EntityRow>(link, request).await?;
                let mut table = Table::new(&["TYPE", "ID", "ENTITY"]);
                let mut rows: Vec<Value> = Vec::new();
                for row in &found.rows {
                    let entity = text(&row.entity);
                    rows.push(serde_json::from_str(&entity).unwrap_or(Value::Null));
                    table.row([row.kind.clone(), row.id.clone(), entity]);
                }
                Ok(found.told(Answer::said(table.to_string()).with("entities", rows)))
            }
            Self::Remove { kind, ids } => {
                let name = |id: &String| {
                    EntityName::new(&kind, id).ok_or_else(|| CtlError::usage("too long a name"))
                };
                let remove = ids.iter().map(name).collect::<Result<Vec<_>, _>>()?;
                let made = link.order(&Request::ChangeEntities { put: None, remove, trial: false }).await?;
                Ok(Answer::said("Nothing is known of them any more.").made(&made))
            }
        }
    }
}
