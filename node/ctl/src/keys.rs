//! `tessera keys`: the keys that the tenant's refresh handles are made by.

use crate::answer::{Answer, instant, put_instant, shown};
use crate::error::CtlError;
use crate::link::Link;
use crate::table::Table;
use serde_json::{Map, Value, json};
use tessera_client::wire::{RefreshKeyRow, Request};

/// What can be done with refresh keys.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum KeysVerb {
    /// Make a new refresh key. Nobody is signed out: handles by older keys are taken until their sessions end
    /// or have moved on.
    #[command(after_help = "Examples:\n  tessera keys rotate-refresh\n  tessera keys rotate-refresh --now")]
    RotateRefresh {
        /// The older keys are leaked: drop them at once, and end every session with a refresh handle by them.
        #[arg(long)]
        now: bool,
    },
    /// List the refresh keys.
    #[command(after_help = "Example:\n  tessera keys list")]
    List,
}

impl KeysVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::RotateRefresh { now } => {
                let made = link.order(&Request::RotateRefreshKeys { now }).await?;
                let number = made.refresh_key.map_or_else(String::new, |number| format!(" {number}"));
                let rest = if now {
                    "The older ones are gone, and the sessions with a refresh handle by them ended."
                } else {
                    "Older ones stay for the sessions that need them."
                };
                let answer = Answer::said(format!("Refresh handles are made by key{number} now. {rest}"));
                Ok(answer.with("number", made.refresh_key).made(&made))
            }
            Self::List => {
                let rows = link.page::<RefreshKeyRow>(&Request::ListRefreshKeys {}).await?.rows;
                let mut table = Table::new(&["KEY", "MADE", "IN USE"]);
                let mut listed = Vec::new();
                for row in &rows {
                    let used = if row.current { "for new handles" } else { "for older handles" };
                    table.row([row.number.to_string(), shown(instant(row.created)), used.to_owned()]);
                    let mut json = Map::new();
                    json.insert("number".into(), json!(row.number));
                    put_instant(&mut json, "created", instant(row.created));
                    json.insert("current".into(), json!(row.current));
                    listed.push(Value::Object(json));
                }
                Ok(Answer::said(table.to_string()).with("keys", listed))
            }
        }
    }
}
