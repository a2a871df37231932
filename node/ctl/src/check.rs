//! `tessera check` and its companions: may they, all of these, what may they, and which ids.

use crate::answer::{Answer, put_instant, shown};
use crate::error::CtlError;
use crate::handle::{HandleFrom, read};
use crate::link::Link;
use crate::policy_node;
use crate::reach;
use crate::table::Table;
use serde_json::{Map, Value, json};
use std::io::BufRead as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tessera_client::Wanted;
use tessera_client::wire::{ListPermissions, Resolve};
use tessera_model::limits::SENT_ENTITIES_BYTES_MAX;
use tessera_model::{
    CheckQuery, Decision, HandleBytes, Name, PermissionId, PermissionRef, Receipt, WorkspaceRef,
};

/// LIMIT: questions of one `check-batch`: about 100 MiB of answers as text.
const QUESTIONS_MAX: usize = 1_000_000;

/// One question.
#[derive(Clone, clap::Args)]
pub(crate) struct Check {
    /// What its holder wants to do.
    #[arg(value_parser = reach::name, required_unless_present = "scope", conflicts_with = "scope")]
    permission: Option<Name>,
    /// The same as a scope, `[action:]path[?filters]`: one action to one path, and what the request says of itself.
    #[arg(long, value_parser = reach::scope, conflicts_with = "resource")]
    scope: Option<String>,
    /// Where; without it, in the whole tenant.
    #[arg(long, value_parser = reach::name)]
    workspace: Option<Name>,
    /// To which resource, `type:id`: by a role, or by a relation that the permission is mapped to.
    #[arg(long, value_name = "OBJECT")]
    resource: Option<String>,
    /// The circumstances that policies look at, a JSON object.
    #[arg(long, value_name = "JSON")]
    context: Option<String>,
    /// A file of entities that are known for this question only, a JSON list.
    #[arg(long, value_name = "FILE")]
    entities: Option<PathBuf>,
    #[command(flatten)]
    handle: HandleFrom,
    /// The position that the answer must have seen: a receipt, as commands print it.
    #[arg(long, value_name = "RECEIPT", value_parser = reach::at_least)]
    at_least: Option<Receipt>,
    /// The address that the holder's request came from.
    #[arg(long, value_name = "IP")]
    from_address: Option<IpAddr>,
}

/// Many questions.
#[derive(Clone, clap::Args)]
pub(crate) struct CheckBatch {
    /// A file of questions, one a line: [HANDLE] PERMISSION [WORKSPACE]; `-` for standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    handle: HandleFrom,
    /// The position that the answers must have seen.
    #[arg(long, value_name = "RECEIPT", value_parser = reach::at_least)]
    at_least: Option<Receipt>,
}

/// What may they?
#[derive(Clone, clap::Args)]
pub(crate) struct Permissions {
    /// Where; without it, in the whole tenant.
    #[arg(long, value_parser = reach::name)]
    workspace: Option<Name>,
    #[command(flatten)]
    handle: HandleFrom,
    /// The address that the holder's request came from, with the permission tessera.address.
    #[arg(long, value_name = "IP")]
    from_address: Option<IpAddr>,
}

/// Which ids?
#[derive(Clone, clap::Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Names {
    /// Permissions.
    #[arg(value_name = "PERMISSION", value_parser = reach::name)]
    permissions: Vec<Name>,
    /// A workspace; may be given more than once.
    #[arg(long, value_name = "WORKSPACE", value_parser = reach::name)]
    workspace: Vec<Name>,
}

pub(crate) fn place(workspace: Option<&Name>) -> WorkspaceRef<'_> {
    workspace.map_or(WorkspaceRef::Tenant, |name| WorkspaceRef::Name(name.as_str()))
}

fn word(decision: &Decision) -> &'static str {
    if decision.is_permit() { "permit" } else { "deny" }
}

pub(crate) fn object(decision: &Decision) -> Map<String, Value> {
    let mut json = Map::new();
    json.insert("decision".into(), json!(word(decision)));
    json.insert("reason".into(), json!(decision.reason.name()));
    json.insert("reason_code".into(), json!(decision.reason.code()));
    json.insert("seen".into(), json!(decision.seen.to_string()));
    put_instant(&mut json, "valid_until", Some(decision.valid_until));
    json
}

impl Check {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        let handle = self.handle.need(&link.profile)?;
        let asked_for =
            self.permission.as_ref().map(Name::as_str).or(self.scope.as_deref()).unwrap_or_default();
        let query = CheckQuery {
            handle: &handle,
            permission: PermissionRef::Name(asked_for),
            workspace: place(self.workspace.as_ref()),
            at_least: self.at_least.unwrap_or_default(),
            address: self.from_address,
        };
        let entities =
            self.entities.as_deref().map(|path| crate::policy::bytes(path, SENT_ENTITIES_BYTES_MAX));
        let entities = entities.transpose()?;
        let asked = Instant::now();
        let decision = match (&self.resource, &self.scope) {
            (_, Some(scope)) => {
                link.client.authorize(&query, Wanted::Scope(scope)).await.map(|found| found.decision)
            }
            (resource, None) if self.context.is_some() || entities.is_some() => {
                let context = self.context.as_deref().map(str::as_bytes);
                link.client.check_about(&query, resource.as_deref(), (context, entities.as_deref())).await
            }
            (None, None) => link.client.check(&query).await,
            (Some(resource), None) => link.client.check_resource(&query, resource).await,
        };
        let decision = match decision {
            Ok(decision) => decision,
            Err(error) => {
                let error = link.told(&error);
                return Err(policy_node::placed(link, error, asked_for, self.context.as_deref()).await);
            }
        };
        let took = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        let head = if decision.is_permit() { "Permit" } else { "Deny" };
        let mut text = format!("{head}: {asked_for}");
        if let Some(workspace) = &self.workspace {
            text.push_str(&format!(" in {workspace}"));
        }
        if let Some(resource) = &self.resource {
            text.push_str(&format!(" to {resource}"));
        }
        if !decision.is_permit() {
            text.push_str(&format!(": {} (code {})", decision.reason.text(), decision.reason.code()));
        }
        text.push_str(&format!(". Seen at {}, in {took} us.", decision.seen));
        if let Some(until) = Some(decision.valid_until).filter(|until| until.0 != u64::MAX) {
            text.push_str(&format!(" Time alone may change this at {until}."));
        }
        let mut answer = Answer::said(text)
            .with("permission", self.permission.as_ref().map(Name::as_str))
            .with("workspace", self.workspace.as_ref().map(Name::as_str))
            .with("took_us", took);
        if let Some(scope) = self.scope.as_deref() {
            answer = answer.with("scope", scope);
        }
        if let Some(resource) = self.resource.as_deref() {
            answer = answer.with("resource", resource);
        }
        for (field, value) in object(&decision) {
            answer = answer.with(&field, value);
        }
        Ok(if decision.is_permit() { answer } else { answer.denied() })
    }
}

/// A question of a batch.
struct Question {
    line: usize,
    handle: HandleBytes,
    permission: Name,
    workspace: Option<Name>,
}

/// Reads a line: `[HANDLE] PERMISSION [WORKSPACE]`; empty lines and comments are none.
fn question(line: usize, text: &str, default: Option<&HandleBytes>) -> Result<Option<Question>, CtlError> {
    let wrong = |what: &str| CtlError::usage(format!("line {line}: {what}"));
    let mut words = text.split_whitespace().peekable();
    let first = match words.peek() {
        None => return Ok(None),
        Some(word) if word.starts_with('#') => return Ok(None),
        Some(word) => *word,
    };
    let handle = if first.starts_with("tess_") || first.starts_with("tkey_") {
        words.next();
        read(first).map_err(|error| wrong(&error.to_string()))?
    } else {
        *default.ok_or_else(|| wrong("no handle: begin the line with one, or give --handle-file"))?
    };
    let mut name = || words.next().map(|word| reach::name(word).map_err(|error| wrong(&error))).transpose();
    let permission = name()?.ok_or_else(|| wrong("the permission is missing"))?;
    let workspace = name()?;
    if words.next().is_some() {
        return Err(wrong("more than a handle, a permission and a workspace"));
    }
    Ok(Some(Question { line, handle, permission, workspace }))
}

fn questions(file: &Path, default: Option<&HandleBytes>) -> Result<Vec<Question>, CtlError> {
    let failed = |error: std::io::Error| CtlError::file("reading", file, &error);
    let reader: Box<dyn std::io::BufRead> = if file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::io::BufReader::new(std::fs::File::open(file).map_err(failed)?))
    };
    let mut found = Vec::new();
    for (number, text) in (1..).zip(reader.lines()) {
        found.extend(question(number, &text.map_err(failed)?, default)?);
        if found.len() > QUESTIONS_MAX {
            return Err(CtlError::usage(format!("more than {QUESTIONS_MAX} questions: split the file")));
        }
    }
    Ok(found)
}

impl CheckBatch {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        let default = self.handle.find(&link.profile)?;
        let questions = questions(&self.file, default.as_ref())?;
        let queries: Vec<CheckQuery<'_>> = questions
            .iter()
            .map(|question| CheckQuery {
                handle: &question.handle,
                permission: PermissionRef::Name(question.permission.as_str()),
                workspace: place(question.workspace.as_ref()),
                at_least: Receipt::default(),
                address: None,
            })
            .collect();
        let asked = Instant::now();
        let decisions = link.client.check_batch(self.at_least.unwrap_or_default(), &queries).await;
        let decisions = decisions.map_err(|error| link.told(&error))?;
        let took = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut table = Table::new(&["LINE", "PERMISSION", "WORKSPACE", "DECISION", "REASON"]);
        let mut results = Vec::with_capacity(decisions.len());
        for (question, decision) in questions.iter().zip(&decisions) {
            let place = question.workspace.as_ref().map_or("-", Name::as_str).to_owned();
            let reason = if decision.is_permit() { "-" } else { decision.reason.text() };
            let (line, permission) = (question.line.to_string(), question.permission.to_string());
            table.row([line, permission, place, word(decision).to_owned(), reason.to_owned()]);
            let mut json = object(decision);
            json.insert("line".into(), json!(question.line));
            json.insert("permission".into(), json!(question.permission.as_str()));
            json.insert("workspace".into(), json!(question.workspace.as_ref().map(Name::as_str)));
            results.push(Value::Object(json));
        }
        let permitted = decisions.iter().filter(|decision| decision.is_permit()).count();
        let denied = decisions.len() - permitted;
        let answer = Answer::said(table.to_string())
            .line(format!("{permitted} permitted, {denied} denied, in {took} us."))
            .with("results", results)
            .with("permitted", permitted)
            .with("denied", denied)
            .with("took_us", took);
        Ok(if denied == 0 { answer } else { answer.denied() })
    }
}

impl Permissions {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        let handle = self.handle.need(&link.profile)?;
        let mut after = PermissionId(0);
        let (mut names, mut first) = (Vec::new(), None);
        loop {
            let ask = ListPermissions {
                handle: &handle,
                workspace: place(self.workspace.as_ref()),
                at_least: Receipt::default(),
                address: self.from_address,
                with_names: true,
                after,
            };
            let page = link.client.list_permissions(&ask).await.map_err(|error| link.told(&error))?;
            after = page.next;
            names.extend(page.names.clone());
            first.get_or_insert(page);
            if after.0 == 0 {
                break;
            }
        }
        let Some(found) = first else { return Err(CtlError::unexpected("no page of permissions")) };
        if found.reason != tessera_model::Reason::None {
            return Ok(Answer::said(format!(
                "Nothing: {} (code {}).",
                found.reason.text(),
                found.reason.code()
            ))
            .with("permissions", Vec::<Value>::new())
            .with("reason", found.reason.name())
            .with("reason_code", found.reason.code())
            .with("seen", found.seen.to_string())
            .denied());
        }
        let mut table = Table::new(&["ID", "PERMISSION"]);
        names.iter().for_each(|known| table.row([known.id.0.to_string(), known.name.clone()]));
        let rows: Vec<Value> =
            names.iter().map(|known| json!({ "id": known.id.0, "name": known.name })).collect();
        let until = Some(found.valid_until).filter(|until| until.0 != u64::MAX);
        let mut answer = Answer::said(table.to_string());
        if until.is_some() {
            answer = answer.line(format!("Time alone may change this at {}.", shown(until)));
        }
        Ok(answer
            .with("permissions", rows)
            .with("workspace", self.workspace.as_ref().map(Name::as_str))
            .with("reason", "None")
            .with("reason_code", 0)
            .with("seen", found.seen.to_string())
            .at("valid_until", until))
    }
}

impl Names {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        let permissions = self.permissions.iter().map(|name| Resolve::Permission(name.as_str()));
        let workspaces = self.workspace.iter().map(|name| Resolve::Workspace(name.as_str()));
        let asked: Vec<Resolve<'_>> = permissions.chain(workspaces).collect();
        let found = link.client.resolve(&asked).await.map_err(|error| link.told(&error))?;
        let mut table = Table::new(&["NOUN", "NAME", "ID"]);
        let (mut rows, mut missing) = (Vec::new(), false);
        for (name, id) in asked.iter().zip(&found.ids) {
            let (noun, name) = match name {
                Resolve::Permission(name) => ("permission", *name),
                Resolve::Workspace(name) => ("workspace", *name),
            };
            missing |= *id == 0;
            let id = (*id != 0).then_some(*id);
            table.row([noun.into(), name.into(), id.map_or_else(|| "unknown".into(), |id| id.to_string())]);
            rows.push(json!({ "noun": noun, "name": name, "id": id }));
        }
        let answer = Answer::said(table.to_string()).with("names", rows).with("seen", found.seen.to_string());
        Ok(if missing { answer.denied() } else { answer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLE: HandleBytes = [7; 40];

    /// PROPERTY: a line is a question, nothing, or a mistake with its number.
    #[test]
    fn lines_are_questions() {
        let read = |text: &str| question(7, text, Some(&HANDLE));
        for nothing in ["", "   ", "# tess_x orders.read"] {
            assert!(read(nothing).expect("read").is_none(), "{nothing}");
        }
        let Ok(Some(found)) = read("  orders.read\tberlin ") else { panic!("a question") };
        assert_eq!((found.permission.as_str(), found.line), ("orders.read", 7));
        assert_eq!(found.workspace.as_ref().map(Name::as_str), Some("berlin"));
        let Ok(Some(found)) = read("orders.read") else { panic!("a question") };
        assert!(found.workspace.is_none());
        for bad in ["tess_broken orders.read", "a b c", "or\u{e9} x"] {
            let error = read(bad).err().expect("refused");
            assert_eq!(error.exit(), 2);
            assert!(error.to_string().starts_with("line 7: "), "{error}");
        }
        let missing = question(1, "orders.read", None).err().expect("no handle");
        assert!(missing.to_string().contains("--handle-file"), "{missing}");
    }

    /// PROPERTY: a decision's object has these fields, whatever it says.
    #[test]
    fn decisions_have_one_shape() {
        let decision = Decision::deny(tessera_model::Reason::Revoked, Receipt::default());
        let expected = json!({
            "decision": "deny", "reason": "Revoked", "reason_code": 101, "seen": "0.0",
            "valid_until": null, "valid_until_ms": null,
        });
        assert_eq!(Value::Object(object(&decision)), expected);
    }
}
