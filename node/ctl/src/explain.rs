//! `tessera explain` and `tessera simulate`: why somebody may do something, and what would be if.

use crate::answer::{Answer, instant, put_instant, shown, texts};
use crate::condition::{self, Supposed, cell, words};
use crate::error::CtlError;
use crate::grant::deadline;
use crate::link::{Link, Who};
use crate::reach;
use crate::table::Table;
use crate::when::When;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use tessera_client::wire::{ExplainRow, Request};
use tessera_model::limits::SENT_ENTITIES_BYTES_MAX;
use tessera_model::{GrantCondition, GrantConditions, Name, Pattern, Private, PublicId, Reason};

/// The parts of an explanation.
const DECISION: u32 = 1;
const GRANT: u32 = 2;
const RESTRICTION: u32 = 3;
const CEILING: u32 = 4;
const RELATION: u32 = 5;
const STEP: u32 = 6;
const PERMIT: u32 = 7;
const FORBID: u32 = 8;
const LEVEL: u32 = 9;
const DEVICE: u32 = 10;
const ACTOR: u32 = 11;
const NETWORKS: u32 = 12;

fn public_id(text: &str) -> Result<PublicId, String> {
    PublicId::parse(text).ok_or_else(|| "a session or key is named by its public id".to_owned())
}

/// Why somebody may do something or not.
#[derive(Clone, clap::Args)]
pub(crate) struct Explain {
    /// Public id, email, phone number or username.
    who: Who,
    /// What.
    #[arg(value_parser = reach::name)]
    permission: Name,
    /// Where; without it, in the tenant.
    #[arg(long, value_parser = reach::name)]
    workspace: Option<Name>,
    /// Through which of their sessions or keys, by its public id: what a check of it says. Proof and device are its own then.
    #[arg(long, value_name = "ID", value_parser = public_id, conflicts_with_all = ["acr", "proof_age", "device"])]
    through: Option<PublicId>,
    /// To which resource, `type:id`.
    #[arg(long, value_name = "OBJECT")]
    resource: Option<String>,
    /// The circumstances that policies look at, a JSON object: `ip`, `key` and `opened` too, which a node says itself of a
    /// session.
    #[arg(long, value_name = "JSON")]
    context: Option<String>,
    /// A file of entities that are supposed for this question, a JSON list.
    #[arg(long, value_name = "FILE")]
    entities: Option<PathBuf>,
    /// When: an instant in UTC, or a span from now; without it, now.
    #[arg(long, value_name = "TIME")]
    at: Option<When>,
    #[command(flatten)]
    supposed: Supposed,
}

/// What the answer would be if.
#[derive(Clone, clap::Args)]
pub(crate) struct Simulate {
    /// Public id, email, phone number or username.
    who: Who,
    /// What.
    #[arg(value_parser = reach::name)]
    permission: Name,
    /// Where; without it, in the tenant.
    #[arg(long, value_parser = reach::name)]
    workspace: Option<Name>,
    /// When: an instant in UTC, or a span from now; without it, now.
    #[arg(long, value_name = "TIME")]
    at: Option<When>,
    /// If this role covered what --covers says, and nothing else by itself; it may be new.
    #[arg(long, value_name = "ROLE", value_parser = reach::name)]
    role: Option<Name>,
    /// What that role is supposed to cover.
    #[arg(long, value_name = "PATTERN", value_parser = reach::pattern, requires = "role")]
    covers: Vec<Pattern>,
    /// If they had this role.
    #[arg(long, value_name = "ROLE", value_parser = reach::name)]
    grant: Option<Name>,
    /// In this workspace; without it, in the whole tenant.
    #[arg(long, value_name = "WORKSPACE", value_parser = reach::name, requires = "grant")]
    granted_in: Option<Name>,
    /// From when they had it.
    #[arg(long, value_name = "TIME", requires = "grant")]
    from: Option<When>,
    /// Until when.
    #[arg(long, value_name = "TIME", requires = "grant")]
    until: Option<When>,
    /// Under this condition, as `grant list` tells it: `acr 2`; may be named more than once.
    #[arg(long, value_name = "CONDITION", value_parser = condition::one, requires = "grant")]
    under: Vec<GrantCondition>,
    /// If this role were taken back.
    #[arg(long, value_name = "ROLE", value_parser = reach::name)]
    without: Option<Name>,
    /// In this workspace; without it, in the whole tenant.
    #[arg(long, value_name = "WORKSPACE", value_parser = reach::name, requires = "without")]
    without_in: Option<Name>,
    /// If they were in this group.
    #[arg(long, value_name = "GROUP", value_parser = reach::name)]
    group: Option<Name>,
    #[command(flatten)]
    supposed: Supposed,
}

impl Explain {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        let subject = link.id_of(&self.who).await?;
        let at = deadline(link, self.at)?;
        let entities =
            self.entities.as_deref().map(|path| crate::policy::bytes(path, SENT_ENTITIES_BYTES_MAX));
        let request = Request::Explain {
            context: self.context.clone().map(|text| Private::new(text.into_bytes())),
            entities: entities.transpose()?.map(Private::new),
            subject,
            key: self.through,
            permission: self.permission.clone(),
            workspace: self.workspace.clone(),
            resource: self.resource.map(|text| Private::new(text.into_bytes())),
            at,
            address: self.supposed.asked_from,
            acr: self.supposed.acr,
            proven: self.supposed.proven(link.now()),
            trust: self.supposed.device,
        };
        let told = tell(link, (subject, &self.permission, self.workspace.as_ref()), &request).await;
        match told {
            Err(error) => {
                let (permission, context) = (self.permission.as_str(), self.context.as_deref());
                Err(crate::policy_node::placed(link, error, permission, context).await)
            }
            told => told,
        }
    }
}

impl Simulate {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        let subject = link.id_of(&self.who).await?;
        let at = deadline(link, self.at)?;
        let conditions =
            GrantConditions::new(self.under).map_err(|error| CtlError::usage(error.to_string()))?;
        let request = Request::Simulate {
            subject,
            permission: self.permission.clone(),
            workspace: self.workspace.clone(),
            at,
            role: self.role,
            patterns: self.covers,
            grant: self.grant,
            grant_workspace: self.granted_in,
            from: deadline(link, self.from)?,
            until: deadline(link, self.until)?,
            without: self.without,
            without_workspace: self.without_in,
            group: self.group,
            conditions,
            address: self.supposed.asked_from,
            acr: self.supposed.acr,
            proven: self.supposed.proven(link.now()),
            trust: self.supposed.device,
        };
        tell(link, (subject, &self.permission, self.workspace.as_ref()), &request).await
    }
}

/// Asks, and tells the decision with all that led to it. A Deny ends with the exit code of `tessera check`.
async fn tell(
    link: &Link,
    (subject, permission, workspace): (PublicId, &Name, Option<&Name>),
    request: &Request,
) -> Result<Answer, CtlError> {
    let rows = link.page::<ExplainRow>(request).await?.rows;
    let decision = rows.iter().find(|row| row.kind == DECISION);
    let code = decision.and_then(|row| u16::try_from(row.reason).ok());
    let reason = code.and_then(Reason::from_code).unwrap_or(Reason::Changed);
    let until = decision.and_then(|row| instant(row.until));
    let place = workspace.map_or_else(|| "in the tenant".to_owned(), |name| format!("in {name}"));
    let mut text = if reason == Reason::None {
        format!("Permit: {permission} {place}")
    } else {
        format!("Deny: {permission} {place}: {}", reason.text())
    };
    if let Some(until) = until {
        text.push_str(&format!(", until {until}"));
    }
    let (table, sources) = grants(&rows);
    let mut answer = Answer::said(format!("{text}."));
    if !sources.is_empty() {
        answer = answer.line(table.to_string());
    }
    let restricted = rows.iter().any(|row| row.kind == RESTRICTION);
    let (lines, cuts): (Vec<String>, Vec<Value>) = rows.iter().filter_map(cut).unzip();
    for line in lines {
        answer = answer.line(line);
    }
    let ceilings: Vec<String> = rows
        .iter()
        .filter(|row| row.kind == CEILING)
        .filter_map(|row| row.workspace.as_ref().map(ToString::to_string))
        .collect();
    for name in &ceilings {
        answer = answer.line(format!("The ceiling of workspace {name} does not let it through."));
    }
    let related = rows.iter().find(|row| row.kind == RELATION);
    let path: Vec<Value> = rows.iter().filter(|row| row.kind == STEP).map(step).collect();
    if let Some(row) = related {
        let (set, holds) = (row.told.as_deref().unwrap_or_default(), if row.holds { "Yes" } else { "No" });
        answer = answer.line(format!("Mapped to the relation {set}. {holds}:"));
        for row in rows.iter().filter(|row| row.kind == STEP) {
            let indent = "  ".repeat(usize::try_from(row.depth).unwrap_or(0).min(60));
            let told = row.told.as_deref().unwrap_or_default();
            let word = crate::relation_ask::kind(row.step, row.holds).0;
            answer = answer.line(format!("  {indent}{}", [word, told].join(" ").trim()));
        }
    }
    let (lines, policies) = said(&rows);
    for line in lines {
        answer = answer.line(line);
    }
    let answer = answer
        .with("policies", policies)
        .with("relation", related.and_then(|row| row.told.clone()))
        .with("path", path)
        .with("subject", subject.to_string())
        .with("permission", permission.as_str())
        .with("workspace", workspace.map(|name| name.to_string()))
        .with("decision", if reason == Reason::None { "permit" } else { "deny" })
        .with("reason", reason.name())
        .with("reason_code", reason.code())
        .at("valid_until", until)
        .with("sources", sources)
        .with("restricted", restricted)
        .with("cuts", cuts)
        .with("ceilings", ceilings);
    Ok(if reason == Reason::None { answer } else { answer.denied() })
}

/// What cuts the session or key that was asked through, in a line and as an object.
fn cut(row: &ExplainRow) -> Option<(String, Value)> {
    let told = row.told.as_deref();
    let (named, covers) = (told.unwrap_or_default(), texts(&row.patterns));
    let through = covers.join(", ");
    Some(match row.kind {
        RESTRICTION => (
            format!("It covers {through} alone: open a session, or make a key, that covers more."),
            as_object("restriction", row),
        ),
        LEVEL => (
            format!(
                "Its device is trusted as {named}, and there {through} alone is let through: tessera device limit-level, tessera device trust."
            ),
            as_object("level", row),
        ),
        DEVICE if covers.is_empty() => (format!("Its device {named} was revoked."), as_object("device", row)),
        DEVICE => (
            format!("The ceiling of its device {named} lets through {through} alone: tessera device limit."),
            as_object("device", row),
        ),
        ACTOR => (
            format!(
                "{} acts in it, and may not do that: tessera explain tells why.",
                told.unwrap_or("Somebody else")
            ),
            as_object("actor", row),
        ),
        NETWORKS => (
            format!("It is used from {named} alone: say from where with --asked-from."),
            as_object("networks", row),
        ),
        _ => return None,
    })
}

/// The same as an object: what is not of its kind is null.
fn as_object(by: &str, row: &ExplainRow) -> Value {
    let told = |kind: &str| row.told.as_deref().filter(|_| by == kind);
    let networks = told("networks").map(|told| told.split(", ").collect::<Vec<_>>());
    let covers = texts(&row.patterns);
    json!({
        "by": by, "covers": covers, "level": told("level"), "device": told("device"), "actor": told("actor"),
        "networks": networks,
    })
}

/// What the policies said, in lines and as objects.
fn said(rows: &[ExplainRow]) -> (Vec<String>, Vec<Value>) {
    let one = |row: &ExplainRow| {
        let told = row.told.as_deref().unwrap_or_default();
        let (name, fault) = if row.holds { (told, None) } else { split(told) };
        let effect = if row.kind == FORBID { "forbids" } else { "permits" };
        let line = match fault {
            None => format!("Policy {name} {effect}."),
            Some(fault) => format!("Policy {name}, which {effect}, failed: {fault}."),
        };
        (line, json!({ "policy": name, "effect": effect, "fault": fault }))
    };
    rows.iter().filter(|row| row.kind == PERMIT || row.kind == FORBID).map(one).unzip()
}

/// A policy's name, and why it failed.
fn split(told: &str) -> (&str, Option<&str>) {
    told.rsplit_once(": ").map_or((told, None), |(name, fault)| (name, Some(fault)))
}

/// A step of the way through relations.
fn step(row: &ExplainRow) -> Value {
    let kind = crate::relation_ask::kind(row.step, row.holds).1;
    serde_json::json!({ "depth": row.depth, "kind": kind, "what": row.told, "holds": row.holds })
}

/// The grants that cover what was asked.
fn grants(rows: &[ExplainRow]) -> (Table, Vec<Value>) {
    let mut table = Table::new(&[
        "COUNTS",
        "ROLE",
        "COVERS",
        "GRANTED IN",
        "THROUGH GROUP",
        "FROM",
        "UNTIL",
        "CONDITIONS",
    ]);
    let mut sources = Vec::new();
    for row in rows.iter().filter(|row| row.kind == GRANT) {
        let pattern = row.patterns.first().map(ToString::to_string);
        let place = row.workspace.as_ref().map(ToString::to_string);
        let counts = match (&row.wall, row.holds) {
            (Some(wall), _) => format!("no: {wall} is isolated"),
            (None, _) if row.withheld => "no: a guest".to_owned(),
            (None, true) => "yes".to_owned(),
            (None, false) => match &row.unmet {
                Some(word) => format!("no: {word}"),
                None => "no: not at that time".to_owned(),
            },
        };
        let later = |one: tessera_model::Deadline, other: tessera_model::Deadline| instant(one.max(other));
        let from = later(row.from, row.member_from);
        let until = match (instant(row.until), instant(row.member_until)) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        table.row([
            counts,
            texts(&row.roles).join(" > "),
            pattern.clone().unwrap_or_else(|| "-".to_owned()),
            place.clone().unwrap_or_else(|| "-".to_owned()),
            if row.groups.is_empty() { "-".to_owned() } else { texts(&row.groups).join(" > ") },
            shown(from),
            shown(until),
            cell(&row.conditions),
        ]);
        let mut json = Map::new();
        json.insert("holds".into(), row.holds.into());
        json.insert("roles".into(), texts(&row.roles).into());
        json.insert("pattern".into(), pattern.into());
        json.insert("workspace".into(), place.into());
        put_instant(&mut json, "from", instant(row.from));
        put_instant(&mut json, "until", instant(row.until));
        json.insert("groups".into(), texts(&row.groups).into());
        put_instant(&mut json, "member_from", instant(row.member_from));
        put_instant(&mut json, "member_until", instant(row.member_until));
        json.insert("wall".into(), row.wall.as_ref().map(ToString::to_string).into());
        json.insert("conditions".into(), words(&row.conditions).into());
        json.insert("unmet".into(), row.unmet.clone().into());
        json.insert("withheld".into(), row.withheld.into());
        sources.push(json.into());
    }
    (table.sparse(), sources)
}
