//! `tessera tenant move`: has the node give a tenant to another cell, and tells how far it is until it is done.

use crate::answer::Answer;
use crate::error::CtlError;
use crate::link::{Link, Window};
use crate::reach::TenantRef;
use std::time::Duration;
use tessera_client::wire::{CellRow, MoveRow, Request};
use tessera_model::{TenantId, grouped};

/// How often it is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Status: it lives in the other cell.
const DONE: u32 = 4;
/// Status: it stays.
const STAYED: u32 = 5;
/// Status: it stopped.
const STOPPED: u32 = 6;

/// Which, and where to.
#[derive(Clone, clap::Args)]
pub(crate) struct Move {
    /// Its name or id.
    tenant: TenantRef,
    /// The cell that it is to live in: its name or number in the fleet file.
    #[arg(long, value_name = "CELL")]
    to: String,
    /// Undo a move that stopped before the tenant had left.
    #[arg(long)]
    undo: bool,
    /// Only tell how far it is, and wait for its end: one that was begun by another command.
    #[arg(long, conflicts_with = "undo")]
    follow: bool,
    /// Begin it, and do not wait for its end.
    #[arg(long, conflicts_with = "follow")]
    no_wait: bool,
}

impl Move {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        let tenant = match &self.tenant {
            TenantRef::Id(id) => *id,
            TenantRef::Name(_) => link.tenant_row(&self.tenant).await?.tenant,
        };
        let cell = self.cell(link).await?;
        let ask = |follow| ask(link, (tenant, cell.cell), (self.undo, follow));
        let mut row = ask(self.follow).await?;
        let mut last = 0;
        while !matches!(row.status, DONE | STAYED | STOPPED) && !self.no_wait {
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
        let number = self.to.parse::<u32>().ok();
        let mut cells = found.rows.into_iter();
        cells.find(|row: &CellRow| row.name == self.to || number == Some(row.cell)).ok_or_else(|| {
            CtlError::usage(format!("{}: the fleet has no such cell", self.to))
                .advise("tessera fleet status lists the cells that there are")
        })
    }

    fn told(&self, tenant: TenantId, cell: &CellRow, row: &MoveRow) -> Result<Answer, CtlError> {
        let (named, to) = (&self.tenant, &cell.name);
        if row.status == STOPPED {
            let why = row.trouble.clone().unwrap_or_default();
            return Err(CtlError::unexpected(format!("the move of tenant {named} to {to} stopped: {why}"))
                .advise("repeat the command to go on with it; --undo where the tenant has not left"));
        }
        let (said, status) = match row.status {
            DONE if row.gap > 0 => {
                let gap = grouped(row.gap);
                (format!("Tenant {named} lives in cell {to}. It took no commands for {gap} ms."), "done")
            }
            DONE => (format!("Tenant {named} lives in cell {to}."), "done"),
            STAYED => (format!("Tenant {named} stays where it is, and takes commands."), "stays"),
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
    let what = match row.status {
        1 => "copying; the tenant goes on meanwhile",
        2 => "copying the rest; the tenant takes no commands",
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
    let page = link.page::<MoveRow>(&Request::MoveTenant { tenant, cell, undo, follow }).await?;
    page.rows.into_iter().next().ok_or_else(|| CtlError::unexpected("the node told nothing"))
}
