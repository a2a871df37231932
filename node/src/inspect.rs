//! `tessera inspect`: what stands in a stopped data directory or a backup, and whether all of it is whole.

use crate::exit::FatalError;
use crate::restore::told;
use serde_json::json;
use std::path::PathBuf;
use tessera_model::record::TenantStatus;
use tessera_storage::{Inspected, Progress, inspect};

/// Which directory.
#[derive(clap::Args)]
pub(crate) struct Inspect {
    /// A data directory that no node has, or a backup.
    directory: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

const fn status(status: Option<TenantStatus>) -> Option<&'static str> {
    match status {
        None => None,
        Some(TenantStatus::Active) => Some("active"),
        Some(TenantStatus::Suspended) => Some("suspended"),
        Some(TenantStatus::Closing) => Some("closing"),
        Some(TenantStatus::Deleted) => Some("deleted"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Inspect {
    /// Looks, and gives the answer, and whether all is whole.
    ///
    /// # Errors
    /// When a node has the directory, or it does not open.
    pub(crate) fn run(self) -> Result<(String, bool), FatalError> {
        let found = inspect(&self.directory, &Progress::default());
        let found = found.map_err(|error| told(&self.directory, &error))?;
        let whole = found.damage.is_empty() && found.tenants.iter().all(|tenant| tenant.damage.is_none());
        let text = if self.json { self.object(&found, whole) } else { self.text(&found, whole) };
        Ok((text, whole))
    }

    fn object(&self, found: &Inspected, whole: bool) -> String {
        let tenants: Vec<_> = found
            .tenants
            .iter()
            .map(|one| {
                json!({
                    "tenant": one.tenant.to_string(),
                    "name": one.name.as_ref().map(ToString::to_string),
                    "status": status(one.status),
                    "epoch": one.epoch.0,
                    "revision": one.revision.map(|revision| revision.0),
                    "head": hex(&one.link),
                    "frames": one.frames,
                    "damage": one.damage,
                })
            })
            .collect();
        let files: Vec<_> =
            found.files.iter().map(|(name, bytes)| json!({ "name": name, "bytes": bytes })).collect();
        let object = tessera_ctl::sorted(json!({
            "ok": true,
            "whole": whole,
            "directory": self.directory.display().to_string(),
            "kind": if found.backup_made.is_some() { "backup" } else { "data" },
            "made": found.backup_made.map(|made| made.to_string()),
            "made_ms": found.backup_made.map(|made| made.0),
            "epoch": found.epoch.0,
            "sequence": found.sequence,
            "covered": found.covered,
            "files": files,
            "tenants": tenants,
            "damage": found.damage,
        }));
        format!("{object}\n")
    }

    fn text(&self, found: &Inspected, whole: bool) -> String {
        let what = match found.backup_made {
            Some(made) => format!("a backup of {made}"),
            None => "a data directory".to_owned(),
        };
        let mut text = format!(
            "{}: {what}, epoch {}, sequence {}\n\n{:<20} {:>14}\n",
            self.directory.display(),
            found.epoch.0,
            found.sequence,
            "FILE",
            "BYTES"
        );
        let mut add = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        for (name, bytes) in &found.files {
            add(format!("{name:<20} {bytes:>14}"));
        }
        add(format!(
            "\n{:<20} {:<24} {:<10} {:>6} {:>10}  HEAD",
            "TENANT", "NAME", "STATUS", "EPOCH", "REVISION"
        ));
        for one in &found.tenants {
            let name = one.name.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
            let revision = one.revision.map_or_else(|| "-".to_owned(), |revision| revision.0.to_string());
            let head = hex(one.link.get(..8).unwrap_or_default());
            add(format!(
                "{:<20} {name:<24} {:<10} {:>6} {revision:>10}  {head}",
                one.tenant.to_string(),
                status(one.status).unwrap_or("-"),
                one.epoch.0
            ));
        }
        add(String::new());
        let frames: u64 = found.tenants.iter().map(|one| one.frames).sum();
        let damaged = found
            .tenants
            .iter()
            .filter_map(|one| Some(format!("tenant {}: {}", one.tenant, one.damage.as_ref()?)));
        for damage in found.damage.iter().cloned().chain(damaged) {
            add(format!("damaged: {damage}"));
        }
        let end = if whole { "all of them whole" } else { "not all of them whole" };
        add(format!("{frames} frames of {} tenants were looked at, {end}.", found.tenants.len()));
        text
    }
}
