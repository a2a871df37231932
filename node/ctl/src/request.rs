//! `tessera request`: roles that are asked for and given for a while.

use crate::answer::{Answer, instant, put_instant, shown};
use crate::error::CtlError;
use crate::grant::place;
use crate::link::{Link, Who, Window};
use crate::reach;
use crate::table::Table;
use crate::when;
use serde_json::{Map, Value, json};
use tessera_client::wire::{Request, RequestRow};
use tessera_model::{Name, PublicId};

/// What can be done with requests for roles.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum RequestVerb {
    /// Ask for a role, for a while: somebody else must approve it within a week.
    #[command(
        after_help = "Examples:\n  tessera request role amy@example.org clerk --for 4h --because 'on call tonight'\n  tessera request role amy@example.org clerk --workspace berlin --for 2d --because 'ticket 7' --key-file amy.session"
    )]
    Role {
        /// For whom: public id, email, phone number or username.
        who: Who,
        /// Which role.
        #[arg(value_parser = reach::name)]
        role: Name,
        /// Where; without it, in the whole tenant.
        #[arg(long, value_parser = reach::name)]
        workspace: Option<Name>,
        /// For how long from the approval on: 30m, 4h, 2d; 30 days at most.
        #[arg(id = "span", long = "for", value_name = "SPAN", value_parser = seconds)]
        span: u32,
        /// Why, in one line.
        #[arg(long, value_name = "TEXT", value_parser = reach::because)]
        because: String,
    },
    /// List requests for roles, in the order in which they were made.
    #[command(
        after_help = "Examples:\n  tessera request list --open\n  tessera request list --of amy@example.org --all --json"
    )]
    List {
        /// Those of this user alone.
        #[arg(long, value_name = "WHO")]
        of: Option<Who>,
        /// Those alone that can be decided.
        #[arg(long)]
        open: bool,
        #[command(flatten)]
        window: Window,
    },
    /// Grant what a request asks for, from now on. Nobody does that for themselves.
    #[command(after_help = "Example:\n  tessera request approve 0190163d-8694-739b-aea5-966c26f8ad90")]
    Approve {
        /// Its public id.
        #[arg(value_parser = reach::public_id)]
        request: PublicId,
    },
    /// Refuse a request.
    #[command(after_help = "Example:\n  tessera request refuse 0190163d-8694-739b-aea5-966c26f8ad90")]
    Refuse {
        /// Its public id.
        #[arg(value_parser = reach::public_id)]
        request: PublicId,
    },
    /// Take a request back.
    #[command(after_help = "Example:\n  tessera request withdraw 0190163d-8694-739b-aea5-966c26f8ad90")]
    Withdraw {
        /// Its public id.
        #[arg(value_parser = reach::public_id)]
        request: PublicId,
    },
}

/// A span of seconds that fits.
pub(crate) fn seconds(text: &str) -> Result<u32, String> {
    u32::try_from(when::seconds(text)?).map_err(|_| "the span is too long".to_owned())
}

fn requests(rows: &[RequestRow]) -> (Table, Value) {
    let mut table = Table::new(&["REQUEST", "WHO", "ROLE", "WORKSPACE", "FOR", "STATE", "UNTIL", "BECAUSE"]);
    let mut listed = Vec::new();
    for row in rows {
        let name = |name: &Option<Name>| name.as_ref().map(ToString::to_string);
        let dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let state = row.state.name(row.lapsed);
        let (until, granted) = (instant(row.until), instant(row.granted_until));
        table.row([
            row.request.to_string(),
            row.subject.to_string(),
            dash(name(&row.role)),
            dash(name(&row.workspace)),
            format!("{} s", row.duration_s),
            state.to_owned(),
            shown(granted.or(until)),
            row.reason.clone(),
        ]);
        let mut json = Map::new();
        json.insert("request".into(), json!(row.request.to_string()));
        json.insert("subject".into(), json!(row.subject.to_string()));
        json.insert("made_by".into(), json!(row.made_by.map(|id| id.to_string())));
        json.insert("role".into(), json!(name(&row.role)));
        json.insert("workspace".into(), json!(name(&row.workspace)));
        json.insert("duration_s".into(), json!(row.duration_s));
        json.insert("because".into(), json!(row.reason));
        json.insert("state".into(), json!(state));
        json.insert("decided_by".into(), json!(row.decided_by.map(|id| id.to_string())));
        put_instant(&mut json, "created", instant(row.made));
        put_instant(&mut json, "until", until);
        put_instant(&mut json, "decided", instant(row.decided));
        put_instant(&mut json, "granted_until", granted);
        listed.push(Value::Object(json));
    }
    (table, Value::Array(listed))
}

impl RequestVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Role { who, role, workspace, span: duration_s, because: reason } => {
                let subject = link.id_of(&who).await?;
                let (named, at) = (role.clone(), workspace.clone());
                let request = Request::RequestRole { subject, role, workspace, duration_s, reason };
                let made = link.order(&request).await?;
                let request = made.request.ok_or_else(|| CtlError::unnamed(&made, "request"))?;
                let place = place(at.as_ref());
                let text = format!("Asked for role {named} {place}, for {duration_s} s: {request}");
                let answer = Answer::said(text).with("request", request.to_string());
                Ok(answer.with("subject", subject.to_string()).with("role", named.as_str()).made(&made))
            }
            Self::List { of, open, window } => {
                let subject = match of {
                    Some(who) => Some(link.id_of(&who).await?),
                    None => None,
                };
                let request = |after, limit| Request::ListRequests { subject, open, after, limit };
                let found = window.read::<RequestRow>(link, request).await?;
                let (table, listed) = requests(&found.rows);
                Ok(found.told(Answer::said(table.to_string()).with("requests", listed)))
            }
            Self::Approve { request } => {
                let made = link.order(&Request::ApproveRequest { request }).await?;
                let until = made.expires.and_then(instant);
                let text = match until {
                    Some(until) => format!("Approved: the role is granted until {until}."),
                    None => "Approved.".to_owned(),
                };
                let answer = Answer::said(text).with("request", request.to_string());
                Ok(answer.at("granted_until", until).made(&made))
            }
            Self::Refuse { request } => {
                let made = link.order(&Request::RefuseRequest { request }).await?;
                Ok(Answer::said("Refused.").with("request", request.to_string()).made(&made))
            }
            Self::Withdraw { request } => {
                let made = link.order(&Request::WithdrawRequest { request }).await?;
                Ok(Answer::said("Withdrawn.").with("request", request.to_string()).made(&made))
            }
        }
    }
}
