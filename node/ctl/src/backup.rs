//! `tessera backup`: has the node take a backup, and tells how far it is until it is done.

use crate::answer::Answer;
use crate::error::CtlError;
use crate::link::Link;
use crate::reach::{self, Reach};
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;
use tessera_client::wire::{BackupRow, Request};
use tessera_model::{Name, grouped};

/// How often it is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Status: it is done.
const DONE: u32 = 2;
/// Status: it failed.
const FAILED: u32 = 3;

/// Which.
#[derive(Clone, clap::Args)]
pub(crate) struct Backup {
    /// What it is called, which is its directory below the node's storage.backup_dir: 1 to 63 small letters,
    /// digits and hyphens.
    #[arg(value_parser = reach::name)]
    name: Name,
    /// Only tell how far it is, and wait for its end: one that was begun by another command.
    #[arg(long)]
    follow: bool,
    /// Begin it, and do not wait for its end.
    #[arg(long, conflicts_with = "follow")]
    no_wait: bool,
}

impl Backup {
    pub(crate) async fn run(self, reach: &Reach) -> Result<Answer, CtlError> {
        if !self.name.is_label() {
            return Err(CtlError::usage(format!(
                "{}: a backup's name has small letters, digits and hyphens",
                self.name
            )));
        }
        let link = reach.system().await?;
        let done = self.take(&link).await;
        link.close().await;
        done
    }

    async fn take(&self, link: &Link) -> Result<Answer, CtlError> {
        let mut row = ask(link, &self.name, self.follow).await?;
        let bar = bar();
        while row.status != DONE && row.status != FAILED && !self.no_wait {
            bar.set_length(row.expected);
            bar.set_position(row.bytes);
            tokio::time::sleep(LOOK_EVERY).await;
            row = ask(link, &self.name, true).await?;
        }
        bar.finish_and_clear();
        let name = &self.name;
        if row.status == FAILED {
            let why = row.trouble.unwrap_or_default();
            return Err(CtlError::unexpected(format!("the backup {name} failed: {why}"))
                .advise("what is there is no backup: remove its directory, and the name can be used again"));
        }
        let answer = if row.status == DONE {
            Answer::said(format!("The backup {name} is whole: {} tenants.", grouped(row.tenants)))
        } else {
            Answer::said(format!("The backup {name} was begun: tessera backup {name} --follow"))
        };
        let status = if row.status == DONE { "done" } else { "running" };
        Ok(answer
            .with("backup", name.to_string())
            .with("status", status)
            .with("tenants", row.tenants)
            .with("bytes", row.bytes))
    }
}

async fn ask(link: &Link, name: &Name, follow: bool) -> Result<BackupRow, CtlError> {
    link.one(&Request::Backup { name: name.clone(), follow }).await
}

/// A bar on standard error, where that is a terminal.
fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {bytes} of about {total_bytes}") {
        bar.set_style(style);
    }
    bar
}
