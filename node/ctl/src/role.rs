//! `tessera role`: named sets of permissions.

use crate::answer::Answer;
use crate::error::CtlError;
use crate::link::{Link, Window};
use crate::reach;
use crate::table::Table;
use serde_json::{Value, json};
use tessera_client::wire::{Request, RoleRow};
use tessera_model::{Name, Pattern};

/// What can be done with roles.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum RoleVerb {
    /// Make a role. Exact names that are no permission yet are registered.
    #[command(
        after_help = "Examples:\n  tessera role create reader orders.read\n  tessera role create clerk 'orders.*' customers.read"
    )]
    Create {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
        /// What it covers: permissions, or beginnings with a final *.
        #[arg(value_parser = reach::pattern, required = true, value_name = "PATTERN")]
        patterns: Vec<Pattern>,
    },
    /// Change what a role covers: the new patterns replace the old ones.
    #[command(after_help = "Example:\n  tessera role change reader orders.read orders.list")]
    Change {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
        /// What it covers from now on.
        #[arg(value_parser = reach::pattern, required = true, value_name = "PATTERN")]
        patterns: Vec<Pattern>,
    },
    /// Delete a role and every grant of it.
    #[command(after_help = "Example:\n  tessera role delete reader")]
    Delete {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
    },
    /// List the roles.
    #[command(after_help = "Example:\n  tessera role list")]
    List(Window),
}

fn texts(patterns: &[Pattern]) -> Vec<String> {
    patterns.iter().map(ToString::to_string).collect()
}

impl RoleVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Create { name, patterns } => {
                let covers = texts(&patterns);
                let made = link.order(&Request::CreateRole { name: name.clone(), patterns }).await?;
                let answer = Answer::said(format!("Made role {name}: {}.", covers.join(", ")));
                Ok(answer
                    .with("role", name.as_str())
                    .with("id", made.role)
                    .with("patterns", covers)
                    .made(&made))
            }
            Self::Change { name, patterns } => {
                let covers = texts(&patterns);
                let made = link.order(&Request::ChangeRole { name: name.clone(), patterns }).await?;
                let answer = Answer::said(format!("Role {name} now covers: {}.", covers.join(", ")));
                Ok(answer.with("role", name.as_str()).with("patterns", covers).made(&made))
            }
            Self::Delete { name } => {
                let made = link.order(&Request::DeleteRole { name: name.clone() }).await?;
                let answer = Answer::said(format!("Role {name} is deleted, with every grant of it."));
                Ok(answer.with("role", name.as_str()).made(&made))
            }
            Self::List(window) => {
                let request = |after, limit| Request::ListRoles { after, limit };
                let found = window.read::<RoleRow>(link, request).await?;
                let mut table = Table::new(&["ID", "ROLE", "COVERS"]);
                let mut rows: Vec<Value> = Vec::new();
                for row in &found.rows {
                    let covers = texts(&row.patterns);
                    table.row([row.id.to_string(), row.name.to_string(), covers.join(", ")]);
                    rows.push(json!({ "id": row.id, "role": row.name.as_str(), "patterns": covers }));
                }
                Ok(found.told(Answer::said(table.to_string()).with("roles", rows)))
            }
        }
    }
}
