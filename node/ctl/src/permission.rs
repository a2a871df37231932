//! `tessera permission`: the names of what can be done.

use crate::answer::Answer;
use crate::error::CtlError;
use crate::link::{Link, Window};
use crate::reach;
use crate::table::Table;
use serde_json::{Value, json};
use tessera_client::wire::{PermissionRow, Request};
use tessera_model::Name;

/// What can be done with permissions.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum PermissionVerb {
    /// Register a permission's name. Roles whose patterns cover it have it at once.
    #[command(after_help = "Example:\n  tessera permission register orders.read")]
    Register {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
    },
    /// List the registered permissions.
    #[command(after_help = "Example:\n  tessera permission list")]
    List(Window),
}

impl PermissionVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Register { name } => {
                let made = link.order(&Request::RegisterPermission { name: name.clone() }).await?;
                let answer = Answer::said(format!("Permission {name} is registered."));
                Ok(answer.with("name", name.as_str()).with("id", made.permission).made(&made))
            }
            Self::List(window) => {
                let request = |after, limit| Request::ListPermissionNames { after, limit };
                let found = window.read::<PermissionRow>(link, request).await?;
                let mut table = Table::new(&["ID", "PERMISSION"]);
                found.rows.iter().for_each(|row| table.row([row.id.to_string(), row.name.to_string()]));
                let rows = found.rows.iter().map(|row| json!({ "id": row.id, "name": row.name.as_str() }));
                let rows: Vec<Value> = rows.collect();
                Ok(found.told(Answer::said(table.to_string()).with("permissions", rows)))
            }
        }
    }
}
