//! `tessera workspace`: the tree below a tenant.

use crate::answer::Answer;
use crate::error::CtlError;
use crate::link::{Link, Rows, Window};
use crate::reach;
use crate::table::{Branch, tree};
use serde_json::{Value, json};
use tessera_client::wire::{Request, WorkspaceRow};
use tessera_model::Name;

/// What can be done with workspaces.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum WorkspaceVerb {
    /// Make a workspace.
    #[command(
        after_help = "Examples:\n  tessera workspace create sales\n  tessera workspace create berlin --under sales\n  tessera workspace create vault --isolated"
    )]
    Create {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
        /// The workspace above; without it, the tenant.
        #[arg(long, value_name = "WORKSPACE", value_parser = reach::name)]
        under: Option<Name>,
        /// Grants above it do not hold in it.
        #[arg(long)]
        isolated: bool,
    },
    /// Delete an empty workspace and every grant in it.
    #[command(after_help = "Example:\n  tessera workspace delete berlin")]
    Delete {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
    },
    /// Draw the tree of workspaces.
    #[command(after_help = "Example:\n  tessera workspace list")]
    List,
}

/// The rows as branches; a row whose parent is not among them stands at the top.
fn branches(rows: &[WorkspaceRow]) -> Vec<Branch> {
    let above = |row: &WorkspaceRow| {
        let parent = row.parent.as_ref()?;
        rows.iter().position(|other| other.name == *parent)
    };
    let label = |row: &WorkspaceRow| {
        format!(
            "{}{}",
            row.name,
            if row.inherits { "" } else { "  (isolated: grants above do not hold here)" }
        )
    };
    rows.iter().map(|row| Branch { label: label(row), parent: above(row) }).collect()
}

impl WorkspaceVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Create { name, under, isolated } => {
                let request = Request::CreateWorkspace {
                    name: name.clone(),
                    parent: under.clone(),
                    inherits: !isolated,
                };
                let made = link.order(&request).await?;
                let place = under.as_ref().map_or_else(|| "the tenant".to_owned(), ToString::to_string);
                Ok(Answer::said(format!("Made workspace {name} under {place}."))
                    .with("workspace", name.as_str())
                    .with("id", made.workspace_id.map(|id| id.to_string()))
                    .with("index", made.workspace)
                    .with("parent", under.map(|name| name.to_string()))
                    .with("inherits", !isolated)
                    .made(&made))
            }
            Self::Delete { name } => {
                let made = link.order(&Request::DeleteWorkspace { name: name.clone() }).await?;
                let answer = Answer::said(format!("Workspace {name} is deleted, with every grant in it."));
                Ok(answer.with("workspace", name.as_str()).made(&made))
            }
            Self::List => list(link).await,
        }
    }
}

async fn list(link: &Link) -> Result<Answer, CtlError> {
    let request = |after, limit| Request::ListWorkspaces { after, limit };
    let Rows { rows, .. } = Window::all().read::<WorkspaceRow>(link, request).await?;
    let listed: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "workspace": row.name.as_str(), "id": row.id.to_string(), "index": row.index,
                "parent": row.parent.as_ref().map(Name::as_str), "inherits": row.inherits,
            })
        })
        .collect();
    let root = format!("tenant {}", link.client.hello().tenant);
    Ok(Answer::said(tree(&root, &branches(&rows))).with("workspaces", listed))
}
