//! `tessera tenant`: units of isolation, made and ended by operators.

use crate::answer::{Answer, instant, put_instant, shown};
use crate::error::CtlError;
use crate::handle::Save;
use crate::link::{Link, Window};
use crate::moving::{self, ForgetCopy, Move, TakeBack};
use crate::reach::{self, TenantRef};
use crate::secret::confirm;
use crate::table::Table;
use serde_json::{Map, Value, json};
use tessera_client::wire::{Request, TenantRow};
use tessera_model::{Name, TenantId};

/// What can be done with tenants.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum TenantVerb {
    /// Make a tenant, with an admin who gets a key.
    #[command(
        after_help = "Examples:\n  tessera tenant create acme\n  tessera tenant create acme --save acme-admin.key --json"
    )]
    Create {
        /// Its name: small letters, digits and -, as a label of a host's name.
        #[arg(value_parser = reach::tenant_name)]
        name: Name,
        #[command(flatten)]
        save: Save,
    },
    /// List the tenants.
    #[command(after_help = "Example:\n  tessera tenant list")]
    List(Window),
    /// Show one tenant.
    #[command(after_help = "Example:\n  tessera tenant show acme")]
    Show {
        /// Its name or id.
        tenant: TenantRef,
    },
    /// Suspend a tenant: from its next check on everything is denied.
    #[command(after_help = "Example:\n  tessera tenant suspend acme")]
    Suspend {
        /// Its name or id.
        tenant: TenantRef,
    },
    /// Take a suspended tenant into use again.
    #[command(after_help = "Example:\n  tessera tenant resume acme")]
    Resume {
        /// Its name or id.
        tenant: TenantRef,
    },
    /// Move a tenant to another cell of the fleet, while it is asked and written.
    #[command(
        after_help = "Examples:\n  tessera tenant move acme --to eu-2\n  tessera tenant move acme --to eu-2 --undo\n  tessera tenant move acme --source-lost\n\nWhat stops half way is finished by the same command, repeated: docs/operate/fleet.md"
    )]
    Move(Move),
    /// List the tenants of which this cell has something though they do not live here: copies that wait to be opened,
    /// and what is kept of those that have left.
    #[command(after_help = "Example:\n  tessera tenant copies")]
    Copies(Window),
    /// Take back a tenant that has left: the cell that it went to has lost it, and no backup of that cell has it.
    #[command(
        after_help = "Example:\n  tessera tenant take-back acme --accept-loss\n\nWhat was acknowledged in the other cell is lost, and all sessions end: restore that cell's backup where there is one (docs/operate/fleet.md)"
    )]
    TakeBack(TakeBack),
    /// Remove what is kept of a tenant that has left, once the cell that has it says so.
    #[command(
        after_help = "Examples:\n  tessera tenant forget-copy acme\n  tessera tenant forget-copy acme --yes"
    )]
    ForgetCopy(ForgetCopy),
    /// Delete a tenant for ever, with everything in it.
    #[command(after_help = "Examples:\n  tessera tenant delete acme\n  tessera tenant delete acme --yes")]
    Delete {
        /// Its name or id.
        tenant: TenantRef,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

fn object(row: &TenantRow) -> Value {
    let mut json = Map::new();
    json.insert("tenant".into(), json!(row.tenant.to_string()));
    json.insert("name".into(), json!(row.name.as_str()));
    json.insert("status".into(), json!(row.status.name()));
    put_instant(&mut json, "created", instant(row.created));
    json.insert("failed".into(), json!(row.failed));
    if let Some(trouble) = &row.trouble {
        json.insert("trouble".into(), json!(trouble));
    }
    Value::Object(json)
}

fn table(rows: &[TenantRow]) -> Table {
    let mut table = Table::new(&["TENANT", "NAME", "STATUS", "CREATED"]);
    for row in rows {
        let status = if row.failed { "failed" } else { row.status.name() }.to_owned();
        table.row([row.tenant.to_string(), row.name.to_string(), status, shown(instant(row.created))]);
    }
    table
}

/// What is the matter with tenants, a line for each.
fn troubles(rows: &[TenantRow]) -> String {
    let line = |row: &TenantRow| {
        let what = row.trouble.as_ref()?;
        let so = if row.failed {
            "has failed, and nothing of it is answered until it is repaired (docs/operate/running.md)"
        } else {
            "goes on, and part of it is not as it should be"
        };
        Some(format!("\nTenant {} {so}: {what}", row.name))
    };
    rows.iter().filter_map(line).collect()
}

impl TenantVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Create { name, save } => create(link, name, &save).await,
            Self::List(window) => list(link, &window).await,
            Self::Show { tenant } => {
                let row = link.tenant_row(&tenant).await?;
                let rows = std::slice::from_ref(&row);
                let text = format!("{}{}", table(rows), troubles(rows));
                Ok(Answer::said(text).with("tenant", object(&row)))
            }
            Self::Suspend { tenant } => {
                let done = "is suspended: its checks are denied and its commands refused";
                change(link, &tenant, done, |tenant| Request::SuspendTenant { tenant }).await
            }
            Self::Resume { tenant } => {
                change(link, &tenant, "is in use again", |tenant| Request::ResumeTenant { tenant }).await
            }
            Self::Move(one) => one.run(link).await,
            Self::Copies(window) => moving::copies(link, &window).await,
            Self::TakeBack(one) => one.run(link).await,
            Self::ForgetCopy(one) => one.run(link).await,
            Self::Delete { tenant, yes } => {
                confirm(
                    yes,
                    &format!("Deleting tenant {tenant} with everything in it"),
                    &tenant.to_string(),
                )?;
                change(link, &tenant, "is deleted for ever", |tenant| Request::DeleteTenant { tenant }).await
            }
        }
    }
}

async fn create(link: &Link, name: Name, save: &Save) -> Result<Answer, CtlError> {
    let place = save.open()?;
    let made = link.order(&Request::CreateTenant { name: name.clone() }).await?;
    let tenant = made.tenant.ok_or_else(|| CtlError::unnamed(&made, "tenant"))?;
    let answer = Answer::said(format!("Made tenant {name} ({tenant}), with an admin."))
        .made(&made)
        .with("tenant", tenant.to_string())
        .with("name", name.as_str())
        .with("admin", made.subject.map(|id| id.to_string()))
        .with("key", made.session.map(|id| id.to_string()))
        .at("expires", made.expires.and_then(instant));
    place.put(answer, &made, "admin's key")
}

async fn list(link: &Link, window: &Window) -> Result<Answer, CtlError> {
    let found = window.read(link, |after, limit| Request::ListTenants { after, limit }).await?;
    let rows: Vec<Value> = found.rows.iter().map(object).collect();
    let text = format!("{}{}", table(&found.rows), troubles(&found.rows));
    Ok(found.told(Answer::said(text).with("tenants", rows)))
}

/// A change of one tenant that only needs its id.
async fn change(
    link: &Link,
    tenant: &TenantRef,
    done: &str,
    request: impl FnOnce(TenantId) -> Request,
) -> Result<Answer, CtlError> {
    let id = match tenant {
        TenantRef::Id(id) => *id,
        TenantRef::Name(_) => link.tenant_row(tenant).await?.tenant,
    };
    let made = link.order(&request(id)).await?;
    Ok(Answer::said(format!("Tenant {tenant} {done}.")).with("tenant", id.to_string()).made(&made))
}
