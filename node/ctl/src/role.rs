//! `tessera role`: named sets of permissions.

use crate::answer::{Answer, instant, put_instant, shown, texts};
use crate::error::CtlError;
use crate::link::{Link, Rows, Window};
use crate::reach;
use crate::table::Table;
use serde_json::{Map, Value, json};
use tessera_client::wire::{HolderRow, Request, RoleRow, RoleUseRow};
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
        /// The workspace that it belongs to: it is granted there and below alone, and goes with it.
        #[arg(long, value_parser = reach::name)]
        workspace: Option<Name>,
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
    /// Set the roles whose permissions a role covers too: those named replace all earlier ones.
    #[command(
        after_help = "Examples:\n  tessera role parents clerk reader\n  tessera role parents clerk --none"
    )]
    Parents {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
        /// All its parents from now on.
        #[arg(value_parser = reach::name, required_unless_present = "none", value_name = "PARENT")]
        parents: Vec<Name>,
        /// It has no parents from now on.
        #[arg(long, conflicts_with = "parents")]
        none: bool,
    },
    /// Where a role is used: roles that have it for a parent, and groups that it is granted to.
    #[command(after_help = "Example:\n  tessera role uses reader")]
    Uses {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
    },
    /// List the holders of a role: who has it, where and when.
    #[command(
        after_help = "Examples:\n  tessera role holders reader\n  tessera role holders reader --all --json"
    )]
    Holders {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
        #[command(flatten)]
        window: Window,
    },
    /// List the roles.
    #[command(after_help = "Example:\n  tessera role list")]
    List(Window),
}

/// The holders of a role.
pub(crate) async fn holders(link: &Link, role: &Name, window: &Window) -> Result<Rows<HolderRow>, CtlError> {
    let request = |after, limit| Request::ListHolders { role: role.clone(), after, limit };
    window.read(link, request).await
}

impl RoleVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Create { name, patterns, workspace } => {
                let covers = texts(&patterns);
                let called = name.clone();
                let of = workspace.as_ref().map(|place| format!(" of workspace {place}")).unwrap_or_default();
                let request = match workspace.clone() {
                    Some(workspace) => Request::CreateRoleIn { workspace, name: called, patterns },
                    None => Request::CreateRole { name: called, patterns },
                };
                let made = link.order(&request).await?;
                let answer = Answer::said(format!("Made role {name}{of}: {}.", covers.join(", ")));
                Ok(answer
                    .with("workspace", workspace.map(|name| name.to_string()))
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
            Self::Parents { name, parents, none: _ } => {
                let listed: Vec<String> = parents.iter().map(ToString::to_string).collect();
                let made = link.order(&Request::SetRoleParents { name: name.clone(), parents }).await?;
                let text = if listed.is_empty() {
                    format!("Role {name} has no parents.")
                } else {
                    format!("Role {name} covers whatever these cover, too: {}.", listed.join(", "))
                };
                Ok(Answer::said(text).with("role", name.as_str()).with("parents", listed).made(&made))
            }
            Self::Uses { name } => uses(link, name).await,
            Self::Delete { name } => {
                let made = link.order(&Request::DeleteRole { name: name.clone() }).await?;
                let answer = Answer::said(format!("Role {name} is deleted, with every grant of it."));
                Ok(answer.with("role", name.as_str()).made(&made))
            }
            Self::Holders { name, window } => {
                let found = holders(link, &name, &window).await?;
                let (table, listed) = crate::grant::holders(&found.rows);
                let answer = Answer::said(table.to_string()).with("role", name.as_str());
                Ok(found.told(answer.with("holders", listed)))
            }
            Self::List(window) => listed(link, &window).await,
        }
    }
}

async fn listed(link: &Link, window: &Window) -> Result<Answer, CtlError> {
    let request = |after, limit| Request::ListRoles { after, limit };
    let found = window.read::<RoleRow>(link, request).await?;
    let placed = found.rows.iter().any(|row| row.workspace.is_some());
    let columns: &[&'static str] =
        if placed { &["ID", "ROLE", "COVERS", "WORKSPACE"] } else { &["ID", "ROLE", "COVERS"] };
    let mut table = Table::new(columns);
    let mut rows: Vec<Value> = Vec::new();
    for row in &found.rows {
        let covers = texts(&row.patterns);
        let parents: Vec<String> = row.parents.iter().map(ToString::to_string).collect();
        let mut all = covers.clone();
        all.extend(parents.iter().map(|name| format!("all of {name}")));
        let workspace = row.workspace.as_ref().map(ToString::to_string);
        let mut cells = vec![row.id.to_string(), row.name.to_string(), all.join(", ")];
        cells.extend(placed.then(|| workspace.clone().unwrap_or_else(|| "-".to_owned())));
        table.row(cells);
        rows.push(json!({
            "id": row.id, "role": row.name.as_str(), "patterns": covers, "parents": parents,
            "workspace": workspace,
        }));
    }
    Ok(found.told(Answer::said(table.to_string()).with("roles", rows)))
}

async fn uses(link: &Link, name: Name) -> Result<Answer, CtlError> {
    let found = link.page::<RoleUseRow>(&Request::ListRoleUses { role: name.clone() }).await?;
    let mut table = Table::new(&["USED BY", "WORKSPACE", "FROM", "UNTIL"]);
    let mut rows: Vec<Value> = Vec::new();
    for row in &found.rows {
        let text = |name: &Option<Name>| name.as_ref().map(ToString::to_string);
        let by = match (&row.role, &row.group) {
            (Some(role), _) => format!("role {role}"),
            (None, Some(group)) => format!("group {group}"),
            (None, None) => continue,
        };
        let (from, until) = (instant(row.from), instant(row.until));
        table.row([by, text(&row.workspace).unwrap_or_else(|| "-".to_owned()), shown(from), shown(until)]);
        let mut json = Map::new();
        json.insert("role".into(), text(&row.role).into());
        json.insert("group".into(), text(&row.group).into());
        json.insert("workspace".into(), text(&row.workspace).into());
        put_instant(&mut json, "from", from);
        put_instant(&mut json, "until", until);
        rows.push(json.into());
    }
    Ok(Answer::said(table.to_string()).with("role", name.as_str()).with("uses", rows))
}
