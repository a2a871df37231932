//! `tessera workspace`: the tree below a tenant.

use crate::answer::{Answer, texts};
use crate::error::CtlError;
use crate::link::{Link, Rows, Who, Window};
use crate::reach;
use crate::table::{Branch, tree};
use serde_json::{Value, json};
use tessera_client::wire::{PersonalRoleRow, Request, WorkspaceRow};
use tessera_model::{Name, Pattern};

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
    /// Delete a workspace with all below it, and every grant in them.
    #[command(after_help = "Example:\n  tessera workspace delete-tree sales")]
    DeleteTree {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
    },
    /// Hang a workspace, with all below it, under another one.
    #[command(
        after_help = "Examples:\n  tessera workspace move berlin --under emea\n  tessera workspace move vault --isolated"
    )]
    Move {
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
    /// Set what anything in a workspace and below it must lie in, whoever asks.
    #[command(
        after_help = "Examples:\n  tessera workspace ceiling berlin 'orders.*' customers.read\n  tessera workspace ceiling berlin --none"
    )]
    Ceiling {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
        /// Permissions, or beginnings with a final *.
        #[arg(value_parser = reach::pattern, required_unless_present = "none", value_name = "PATTERN")]
        patterns: Vec<Pattern>,
        /// It has no ceiling from now on.
        #[arg(long, conflicts_with = "patterns")]
        none: bool,
    },
    /// Set the role whose holders in a workspace own it: from then on one of them stays.
    #[command(
        after_help = "Examples:\n  tessera workspace owners berlin owner\n  tessera workspace owners berlin --none"
    )]
    Owners {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
        /// The role. Somebody who is active must hold it there for good.
        #[arg(value_parser = reach::name, required_unless_present = "none")]
        role: Option<Name>,
        /// It has no owners from now on.
        #[arg(long, conflicts_with = "role")]
        none: bool,
    },
    /// Personal workspaces: one for each person, owned by them, gone with them.
    #[command(subcommand)]
    Personal(PersonalVerb),
    /// Draw the tree of workspaces.
    #[command(after_help = "Example:\n  tessera workspace list")]
    List,
}

/// What can be done with personal workspaces.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum PersonalVerb {
    /// Show the role by which persons own theirs.
    #[command(after_help = "Example:\n  tessera workspace personal show")]
    Show,
    /// From now on each new person gets one, and owns it through this role.
    #[command(
        after_help = "Examples:\n  tessera workspace personal set owner\n  tessera workspace personal set --none"
    )]
    Set {
        /// The role.
        #[arg(value_parser = reach::name, required_unless_present = "none")]
        role: Option<Name>,
        /// New persons get none from now on.
        #[arg(long, conflicts_with = "role")]
        none: bool,
    },
    /// Make the personal workspace of somebody who has none yet, or tell which it is.
    #[command(after_help = "Example:\n  tessera workspace personal make amy@example.org")]
    Make {
        /// Public id, email, phone number or username.
        who: Who,
    },
}

impl PersonalVerb {
    async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Show => {
                let rows = link.page::<PersonalRoleRow>(&Request::ReadPersonalRole {}).await?.rows;
                let role = rows.first().and_then(|row| row.role.as_ref());
                Ok(Answer::said(personal(role)).with("role", role.map(ToString::to_string)))
            }
            Self::Set { role, none: _ } => {
                let made = link.order(&Request::SetPersonalRole { role: role.clone() }).await?;
                let answer = Answer::said(personal(role.as_ref()));
                Ok(answer.with("role", role.map(|role| role.to_string())).made(&made))
            }
            Self::Make { who } => {
                let subject = link.id_of(&who).await?;
                let made = link.order(&Request::MakePersonalWorkspace { subject }).await?;
                let id = made.workspace_id.map(|id| id.to_string());
                let name = format!("tessera.personal.{subject}");
                Ok(Answer::said(format!("The personal workspace of {who} is {name}."))
                    .with("workspace", name)
                    .with("id", id)
                    .with("index", made.workspace)
                    .with("subject", subject.to_string())
                    .made(&made))
            }
        }
    }
}

/// How the tenant has personal workspaces, in words.
fn personal(role: Option<&Name>) -> String {
    role.map_or_else(
        || "New persons get no personal workspace.".to_owned(),
        |role| format!("Each new person gets a personal workspace, and owns it through role {role}."),
    )
}

/// The rows as branches; a row whose parent is not among them stands at the top.
fn branches(rows: &[WorkspaceRow]) -> Vec<Branch> {
    let above = |row: &WorkspaceRow| {
        let parent = row.parent.as_ref()?;
        rows.iter().position(|other| other.name == *parent)
    };
    let label = |row: &WorkspaceRow| {
        let mut label = row.name.to_string();
        if !row.inherits {
            label.push_str("  (isolated: grants above do not hold here)");
        }
        if !row.ceiling.is_empty() {
            label.push_str(&format!("  (nothing but {})", texts(&row.ceiling).join(", ")));
        }
        if row.personal.is_some() {
            label.push_str("  (personal)");
        }
        if let Some(role) = &row.owners {
            label.push_str(&format!("  (owned by each {role})"));
        }
        label
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
            Self::DeleteTree { name } => {
                let made = link.order(&Request::DeleteWorkspaceTree { name: name.clone() }).await?;
                let text = format!("Workspace {name} is deleted with all below it, and every grant in them.");
                Ok(Answer::said(text).with("workspace", name.as_str()).made(&made))
            }
            Self::Move { name, under, isolated } => {
                let request =
                    Request::MoveWorkspace { name: name.clone(), parent: under.clone(), inherits: !isolated };
                let made = link.order(&request).await?;
                let place = under.as_ref().map_or_else(|| "the tenant".to_owned(), ToString::to_string);
                Ok(Answer::said(format!("Workspace {name} hangs under {place}."))
                    .with("workspace", name.as_str())
                    .with("parent", under.map(|name| name.to_string()))
                    .with("inherits", !isolated)
                    .made(&made))
            }
            Self::Ceiling { name, patterns, none: _ } => {
                let ceiling = texts(&patterns);
                let made = link.order(&Request::SetCeiling { name: name.clone(), patterns }).await?;
                let text = if ceiling.is_empty() {
                    format!("Workspace {name} has no ceiling.")
                } else {
                    format!("In workspace {name} and below, nothing is permitted but {}.", ceiling.join(", "))
                };
                Ok(Answer::said(text).with("workspace", name.as_str()).with("ceiling", ceiling).made(&made))
            }
            Self::Owners { name, role, none: _ } => {
                let made = link.order(&Request::SetOwners { name: name.clone(), role: role.clone() }).await?;
                let text = role.as_ref().map_or_else(
                    || format!("Workspace {name} has no owners."),
                    |role| format!("Workspace {name} is owned by whoever has role {role} there; one stays."),
                );
                let owners = role.map(|role| role.to_string());
                Ok(Answer::said(text).with("workspace", name.as_str()).with("owners", owners).made(&made))
            }
            Self::Personal(verb) => verb.run(link).await,
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
                "ceiling": texts(&row.ceiling), "owners": row.owners.as_ref().map(Name::as_str),
                "personal": row.personal.map(|id| id.to_string()),
            })
        })
        .collect();
    let root = format!("tenant {}", link.client.hello().tenant);
    Ok(Answer::said(tree(&root, &branches(&rows))).with("workspaces", listed))
}
