//! `tessera grant`: who has which role, where, and in which window of time.

use crate::answer::{Answer, instant, put_instant, shown};
use crate::condition::{self, ConditionFlags, cell, words};
use crate::error::CtlError;
use crate::link::{Link, Who, Window};
use crate::reach;
use crate::table::Table;
use crate::when::When;
use serde_json::{Map, Value, json};
use tessera_client::wire::{GrantRow, HolderRow, Request, ReviewRow};
use tessera_model::grant_condition::GranteeName;
use tessera_model::record::SubjectStatus;
use tessera_model::{Deadline, GrantConditions, Name, PublicId};

/// What can be done with grants.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum GrantVerb {
    /// Grant a role; the window of an equal grant is replaced.
    #[command(
        after_help = "Examples:\n  tessera grant add amy@example.org reader\n  tessera grant add amy@example.org clerk --workspace berlin --from +1h --until +7d\n  tessera grant add amy@example.org clerk --until 2026-12-31T23:00:00Z\n  tessera grant add amy@example.org clerk --hours 'Mon-Fri 08:00-18:00 Europe/Berlin' --network 10.0.0.0/8 --device managed"
    )]
    Add {
        /// Public id, email, phone number or username.
        who: Who,
        /// Which role.
        #[arg(value_parser = reach::name)]
        role: Name,
        /// Where; without it, in the whole tenant.
        #[arg(long, value_parser = reach::name)]
        workspace: Option<Name>,
        /// From when: an instant in UTC, or a span from now.
        #[arg(long, value_name = "TIME")]
        from: Option<When>,
        /// Until when.
        #[arg(long, value_name = "TIME")]
        until: Option<When>,
        #[command(flatten)]
        under: ConditionFlags,
    },
    /// Say under which conditions a grant that stands counts; with none, always.
    #[command(
        after_help = "Examples:\n  tessera grant conditions amy@example.org clerk --acr 2 --step-up 15m\n  tessera grant conditions amy@example.org clerk"
    )]
    Conditions {
        /// Public id, email, phone number or username.
        who: Who,
        /// Which role.
        #[arg(value_parser = reach::name)]
        role: Name,
        /// Where; without it, in the whole tenant.
        #[arg(long, value_parser = reach::name)]
        workspace: Option<Name>,
        #[command(flatten)]
        under: ConditionFlags,
    },
    /// Take a grant back.
    #[command(after_help = "Example:\n  tessera grant remove amy@example.org clerk --workspace berlin")]
    Remove {
        /// Public id, email, phone number or username.
        who: Who,
        /// Which role.
        #[arg(value_parser = reach::name)]
        role: Name,
        /// Where; without it, in the whole tenant.
        #[arg(long, value_parser = reach::name)]
        workspace: Option<Name>,
    },
    /// Move the end of a grant that stands; its beginning stays.
    #[command(
        after_help = "Examples:\n  tessera grant renew amy@example.org clerk --workspace berlin --until +30d\n  tessera grant renew amy@example.org clerk"
    )]
    Renew {
        /// Public id, email, phone number or username.
        who: Who,
        /// Which role.
        #[arg(value_parser = reach::name)]
        role: Name,
        /// Where; without it, in the whole tenant.
        #[arg(long, value_parser = reach::name)]
        workspace: Option<Name>,
        /// Until when from now on; without it, for good.
        #[arg(long, value_name = "TIME")]
        until: Option<When>,
    },
    /// Look through who holds what, since when, by whom and until when.
    #[command(after_help = "Example:\n  tessera grant review")]
    Review(Window),
    /// List the grants of a user or machine.
    #[command(
        after_help = "Examples:\n  tessera grant list amy@example.org\n  tessera grant list amy@example.org --all --json"
    )]
    List {
        /// Public id, email, phone number or username.
        who: Who,
        #[command(flatten)]
        window: Window,
    },
}

/// Grants as a table and as objects.
pub(crate) fn grants(rows: &[GrantRow]) -> (Table, Value) {
    let mut table = Table::new(&["ROLE", "WORKSPACE", "FROM", "UNTIL", "CONDITIONS"]);
    let mut listed = Vec::new();
    for row in rows {
        let (from, until) = (instant(row.from), instant(row.until));
        let place = row.workspace.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        table.row([row.role.to_string(), place, shown(from), shown(until), cell(&row.conditions)]);
        let mut json = Map::new();
        json.insert("role".into(), json!(row.role.as_str()));
        json.insert("workspace".into(), json!(row.workspace.as_ref().map(Name::as_str)));
        put_instant(&mut json, "from", from);
        put_instant(&mut json, "until", until);
        json.insert("conditions".into(), json!(words(&row.conditions)));
        listed.push(Value::Object(json));
    }
    (table.sparse(), Value::Array(listed))
}

/// Where, as the end of a sentence.
pub(crate) fn place(workspace: Option<&Name>) -> String {
    workspace.map_or_else(|| "in the whole tenant".to_owned(), |name| format!("in workspace {name}"))
}

impl GrantVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Add { who, role, workspace, from, until, under } => {
                let window = (deadline(link, from)?, deadline(link, until)?);
                add(link, &who, (role, workspace), window, under.all()?).await
            }
            Self::Conditions { who, role, workspace, under } => {
                let grantee = GranteeName::Subject(link.id_of(&who).await?);
                condition::set(link, (&who.to_string(), grantee), (role, workspace), under).await
            }
            Self::Remove { who, role, workspace } => {
                let subject = link.id_of(&who).await?;
                let request = Request::Ungrant { subject, role: role.clone(), workspace: workspace.clone() };
                let stood = stands(link, subject, &role, workspace.as_ref()).await;
                let made = link.order(&request).await?;
                let place = place(workspace.as_ref());
                let text = if stood || made.repeated {
                    format!("{who} has role {role} {place} no more.")
                } else {
                    format!("{who} did not have role {role} {place}: nothing was there to take back.")
                };
                Ok(Answer::said(text)
                    .with("removed", stood && !made.repeated)
                    .with("subject", subject.to_string())
                    .with("role", role.as_str())
                    .with("workspace", workspace.map(|name| name.to_string()))
                    .made(&made))
            }
            Self::Renew { who, role, workspace, until } => {
                let (subject, until) = (link.id_of(&who).await?, deadline(link, until)?);
                let request =
                    Request::RenewGrant { subject, role: role.clone(), workspace: workspace.clone(), until };
                let made = link.order(&request).await?;
                let end = instant(until).map_or_else(|| "for good".to_owned(), |end| format!("until {end}"));
                let place = place(workspace.as_ref());
                Ok(Answer::said(format!("{who} has role {role} {place} {end}."))
                    .with("subject", subject.to_string())
                    .with("role", role.as_str())
                    .with("workspace", workspace.map(|name| name.to_string()))
                    .at("until", instant(until))
                    .made(&made))
            }
            Self::Review(window) => review(link, window).await,
            Self::List { who, window } => {
                let subject = link.id_of(&who).await?;
                let request = |after, limit| Request::ListGrants { subject, after, limit };
                let found = window.read::<GrantRow>(link, request).await?;
                let (table, listed) = grants(&found.rows);
                let answer = Answer::said(table.to_string()).with("subject", subject.to_string());
                Ok(found.told(answer.with("grants", listed)))
            }
        }
    }
}

/// All grants of a subject.
pub(crate) async fn all(link: &Link, subject: PublicId) -> Result<Vec<GrantRow>, CtlError> {
    let request = |after, limit| Request::ListGrants { subject, after, limit };
    Ok(Window::all().read(link, request).await?.rows)
}

/// The holders of a role as a table and as objects.
pub(crate) fn holders(rows: &[HolderRow]) -> (Table, Value) {
    let mut table = Table::new(&["SUBJECT", "KIND", "STATUS", "WORKSPACE", "FROM", "UNTIL", "CONDITIONS"]);
    let mut listed = Vec::new();
    for row in rows {
        let (from, until) = (instant(row.from), instant(row.until));
        let place = row.workspace.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let kind = row.kind.name();
        let status = row.status.map_or("-", SubjectStatus::name);
        let under = cell(&row.conditions);
        let (from_text, until_text) = (shown(from), shown(until));
        table.row([row.subject.to_string(), kind.into(), status.into(), place, from_text, until_text, under]);
        let mut json = Map::new();
        json.insert("subject".into(), json!(row.subject.to_string()));
        json.insert("kind".into(), json!(kind));
        json.insert("status".into(), json!(status));
        json.insert("workspace".into(), json!(row.workspace.as_ref().map(Name::as_str)));
        put_instant(&mut json, "from", from);
        put_instant(&mut json, "until", until);
        json.insert("conditions".into(), json!(words(&row.conditions)));
        listed.push(Value::Object(json));
    }
    (table.sparse(), Value::Array(listed))
}

/// Whether a grant stands, as far as the caller may know.
async fn stands(link: &Link, subject: PublicId, role: &Name, workspace: Option<&Name>) -> bool {
    all(link, subject)
        .await
        .map_or(true, |rows| rows.iter().any(|row| row.role == *role && row.workspace.as_ref() == workspace))
}

pub(crate) fn deadline(link: &Link, when: Option<When>) -> Result<Deadline, CtlError> {
    when.map_or(Ok(Deadline::NONE), |when| when.resolve(link.now()))
}

async fn add(
    link: &Link,
    who: &Who,
    (role, workspace): (Name, Option<Name>),
    (from, until): (Deadline, Deadline),
    conditions: GrantConditions,
) -> Result<Answer, CtlError> {
    let subject = link.id_of(who).await?;
    // Without conditions those of an equal grant stay.
    let request = if conditions.is_empty() {
        Request::Grant { subject, role: role.clone(), workspace: workspace.clone(), from, until }
    } else {
        let grantee = GranteeName::Subject(subject);
        condition::granting(grantee, (&role, workspace.as_ref()), (from, until), conditions.clone())
    };
    let made = link.order(&request).await?;
    let mut text = format!("{who} has role {role} {}", place(workspace.as_ref()));
    for (word, end) in [("from", instant(from)), ("until", instant(until))] {
        if let Some(end) = end {
            text.push_str(&format!(", {word} {end}"));
        }
    }
    if !conditions.is_empty() {
        text.push_str(&format!(", under {}", words(&conditions).join(" and ")));
    }
    Ok(Answer::said(format!("{text}."))
        .with("conditions", words(&conditions))
        .with("subject", subject.to_string())
        .with("role", role.as_str())
        .with("workspace", workspace.map(|name| name.to_string()))
        .at("from", instant(from))
        .at("until", instant(until))
        .made(&made))
}

async fn review(link: &Link, window: Window) -> Result<Answer, CtlError> {
    let request = |after, limit| Request::ListReview { after, limit };
    let found = window.read::<ReviewRow>(link, request).await?;
    let mut table = Table::new(&["WHO", "HOLDS", "WORKSPACE", "FROM", "UNTIL", "SINCE", "BY", "CONDITIONS"]);
    let mut rows = Vec::new();
    for row in &found.rows {
        let text = |name: &Option<Name>| name.as_ref().map(ToString::to_string);
        let subject = row.subject.map(|id| id.to_string());
        let who =
            subject.clone().unwrap_or_else(|| format!("group {}", text(&row.group).unwrap_or_default()));
        let held = match (&row.role, &row.member_of) {
            (Some(role), _) => format!("role {role}"),
            (None, group) => format!("group {}", text(group).unwrap_or_default()),
        };
        let dash = || "-".to_owned();
        table.row([
            who,
            held,
            text(&row.workspace).unwrap_or_else(dash),
            shown(instant(row.from)),
            shown(instant(row.until)),
            shown(instant(row.created)),
            text(&row.by).unwrap_or_else(dash),
            cell(&row.conditions),
        ]);
        let mut json = Map::new();
        json.insert("subject".into(), subject.into());
        json.insert("group".into(), text(&row.group).into());
        json.insert("role".into(), text(&row.role).into());
        json.insert("workspace".into(), text(&row.workspace).into());
        json.insert("member_of".into(), text(&row.member_of).into());
        put_instant(&mut json, "from", instant(row.from));
        put_instant(&mut json, "until", instant(row.until));
        put_instant(&mut json, "created", instant(row.created));
        json.insert("by".into(), text(&row.by).into());
        put_instant(&mut json, "changed", instant(row.changed));
        json.insert("changed_by".into(), text(&row.changed_by).into());
        json.insert("request".into(), row.request.map(|id| id.to_string()).into());
        json.insert("conditions".into(), json!(words(&row.conditions)));
        rows.push(Value::Object(json));
    }
    Ok(found.told(Answer::said(table.sparse().to_string()).with("rows", rows)))
}
