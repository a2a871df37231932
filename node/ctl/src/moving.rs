//! `tessera tenant move`: has the node give a tenant to another cell, and tells how far it is until it is done.

use crate::answer::Answer;
use crate::error::CtlError;
use crate::link::{Link, Window};
use crate::reach::TenantRef;
use crate::secret::confirm;
use crate::table::Table;
use serde_json::{Value, json};
use std::time::Duration;
use tessera_client::wire::{CellRow, CopyRow, MoveRow, Request, SettledRow};
use tessera_model::moving::{MoveStatus, SettleWay};
use tessera_model::{TenantId, grouped};

/// How often it is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Which, and where to.
#[derive(Clone, clap::Args)]
pub(crate) struct Move {
    /// Its name or id.
    tenant: TenantRef,
    /// The cell that it is to live in: its name or number in the fleet file.
    #[arg(long, value_name = "CELL", required_unless_present = "source_lost")]
    to: Option<String>,
    /// Undo a move that stopped before the tenant had left.
    #[arg(long)]
    undo: bool,
    /// Only tell how far it is, and wait for its end: one that was begun by another command.
    #[arg(long, conflicts_with = "undo")]
    follow: bool,
    /// Begin it, and do not wait for its end.
    #[arg(long, conflicts_with = "follow")]
    no_wait: bool,
    /// At the cell that it was on its way to: the cell that it came from is lost for ever. What was copied whole is
    /// opened, and wins over that cell should it come back.
    #[arg(long, conflicts_with_all = ["to", "undo", "follow", "no_wait"])]
    source_lost: bool,
    /// Open the copy although what the lost cell acknowledged behind it is lost.
    #[arg(long, requires = "source_lost")]
    accept_loss: bool,
}

impl Move {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        if self.source_lost {
            let tenant = copied(link, &self.tenant).await?;
            return settle(link, (&self.tenant, tenant), (SettleWay::SourceLost, self.accept_loss)).await;
        }
        let tenant = match &self.tenant {
            TenantRef::Id(id) => *id,
            TenantRef::Name(_) => link.tenant_row(&self.tenant).await?.tenant,
        };
        let cell = self.cell(link).await?;
        let ask = |follow| ask(link, (tenant, cell.cell), (self.undo, follow));
        let mut row = ask(self.follow).await?;
        let mut last = 0;
        while !MoveStatus::from_number(row.status).is_none_or(MoveStatus::is_over) && !self.no_wait {
            if row.status != last {
                last = row.status;
                tell(&row);
            }
            tokio::time::sleep(LOOK_EVERY).await;
            row = ask(true).await?;
        }
        self.told(tenant, &cell, &row)
    }

    /// The cell that is meant.
    async fn cell(&self, link: &Link) -> Result<CellRow, CtlError> {
        let found = Window::all().read(link, |after, limit| Request::ListCells { after, limit }).await?;
        let to = self.to.clone().unwrap_or_default();
        let number = to.parse::<u32>().ok();
        let mut cells = found.rows.into_iter();
        cells.find(|row: &CellRow| row.name == to || number == Some(row.cell)).ok_or_else(|| {
            CtlError::usage(format!("{to}: the fleet has no such cell"))
                .advise("tessera fleet status lists the cells that there are")
        })
    }

    fn told(&self, tenant: TenantId, cell: &CellRow, row: &MoveRow) -> Result<Answer, CtlError> {
        let (named, to) = (&self.tenant, &cell.name);
        let status = MoveStatus::from_number(row.status);
        if status == Some(MoveStatus::Failed) {
            let why = row.trouble.clone().unwrap_or_default();
            return Err(CtlError::unexpected(format!("the move of tenant {named} to {to} stopped: {why}"))
                .advise("repeat the command to go on with it; --undo where the tenant has not left"));
        }
        let (said, status) = match status {
            Some(MoveStatus::Done) if row.gap > 0 => {
                let gap = grouped(row.gap);
                (format!("Tenant {named} lives in cell {to}. It took no commands for {gap} ms."), "done")
            }
            Some(MoveStatus::Done) => (format!("Tenant {named} lives in cell {to}."), "done"),
            Some(MoveStatus::Stayed) => {
                (format!("Tenant {named} stays where it is, and takes commands."), "stays")
            }
            _ => {
                let more = format!("tessera tenant move {named} --to {to} --follow");
                (format!("The move of tenant {named} to cell {to} was begun: {more}"), "running")
            }
        };
        Ok(Answer::said(said)
            .with("tenant", tenant.to_string())
            .with("cell", to.as_str())
            .with("status", status)
            .with("bytes", row.bytes)
            .with("gap_ms", row.gap))
    }
}

/// A line on standard error for each thing that begins.
fn tell(row: &MoveRow) {
    let what = match MoveStatus::from_number(row.status) {
        Some(MoveStatus::Copying) => "copying; the tenant goes on meanwhile",
        Some(MoveStatus::Frozen) => "copying the rest; the tenant takes no commands",
        _ => "handing over",
    };
    let bar = indicatif::ProgressBar::new_spinner();
    bar.println(format!("{what} ({} bytes copied)", grouped(row.bytes)));
    bar.finish_and_clear();
}

async fn ask(
    link: &Link,
    (tenant, cell): (TenantId, u32),
    (undo, follow): (bool, bool),
) -> Result<MoveRow, CtlError> {
    link.one(&Request::MoveTenant { tenant, cell, undo, follow }).await
}

/// Takes back a tenant that the cell which it went to has lost.
#[derive(Clone, clap::Args)]
pub(crate) struct TakeBack {
    /// Its name or id.
    tenant: TenantRef,
    /// What was acknowledged in the other cell since the tenant went there may be lost.
    #[arg(long)]
    accept_loss: bool,
}

impl TakeBack {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        let tenant = copied(link, &self.tenant).await?;
        settle(link, (&self.tenant, tenant), (SettleWay::TakeBack, self.accept_loss)).await
    }
}

/// Removes what is kept of a tenant that lives elsewhere.
#[derive(Clone, clap::Args)]
pub(crate) struct ForgetCopy {
    /// Its name or id.
    tenant: TenantRef,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

impl ForgetCopy {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        let Self { tenant: named, yes } = self;
        confirm(yes, &format!("Removing what this cell keeps of tenant {named}"), &named.to_string())?;
        let tenant = copied(link, &named).await?;
        settle(link, (&named, tenant), (SettleWay::ForgetCopy, false)).await
    }
}

/// The id of a tenant of which the cell has something.
async fn copied(link: &Link, named: &TenantRef) -> Result<TenantId, CtlError> {
    let name = match named {
        TenantRef::Id(id) => return Ok(*id),
        TenantRef::Name(name) => name,
    };
    let found = Window::all().read(link, |after, limit| Request::ListCopies { after, limit }).await?;
    match found.rows.into_iter().find(|row: &CopyRow| row.name == *name) {
        Some(row) => Ok(row.tenant),
        None => Ok(link.tenant_row(named).await?.tenant),
    }
}

async fn settle(
    link: &Link,
    (named, tenant): (&TenantRef, TenantId),
    (way, loss): (SettleWay, bool),
) -> Result<Answer, CtlError> {
    let row = ask_settled(link, tenant, (way, loss)).await?;
    let at = format!("epoch {}, revision {}", row.epoch, grouped(row.revision));
    let said = match (way, row.whole) {
        (SettleWay::ForgetCopy, _) => format!("Nothing of tenant {named} is kept here any more."),
        (_, true) => format!("Tenant {named} lives here, with all that was acknowledged: {at}."),
        (_, false) => format!(
            "Tenant {named} lives here: {at}. What was acknowledged elsewhere behind that is lost, and all sessions have ended; keys that were revoked there live again: tessera key list shows them."
        ),
    };
    Ok(Answer::said(said)
        .with("tenant", tenant.to_string())
        .with("epoch", row.epoch.to_string())
        .with("revision", row.revision)
        .with("whole", row.whole))
}

/// Says so to the node, and hears what came of it.
pub(crate) async fn ask_settled(
    link: &Link,
    tenant: TenantId,
    (way, loss): (SettleWay, bool),
) -> Result<SettledRow, CtlError> {
    link.one(&Request::SettleTenant { tenant, way: way.number(), loss }).await
}

/// What a cell has of tenants that do not live there.
pub(crate) async fn copies(link: &Link, window: &Window) -> Result<Answer, CtlError> {
    let found = window.read::<CopyRow>(link, |after, limit| Request::ListCopies { after, limit }).await?;
    let mut table = Table::new(&["TENANT", "NAME", "STATE", "REVISION", "LIVES IN"]);
    let mut rows: Vec<Value> = Vec::new();
    for row in &found.rows {
        let state = match (row.arriving, row.whole) {
            (true, true) => "waits to be opened",
            (true, false) => "not whole",
            (false, _) => "kept",
        };
        let revision = if row.whole { grouped(row.revision) } else { "-".to_owned() };
        let cell = row.cell.map_or_else(|| "-".to_owned(), |cell| cell.to_string());
        table.row([row.tenant.to_string(), row.name.to_string(), state.to_owned(), revision, cell]);
        rows.push(json!({
            "tenant": row.tenant.to_string(), "name": row.name.as_str(), "state": state,
            "revision": row.revision, "whole": row.whole, "cell": row.cell,
        }));
    }
    Ok(found.told(Answer::said(table.to_string()).with("copies", rows)))
}
