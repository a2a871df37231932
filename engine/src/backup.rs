//! Backups: one at a time, on a thread of its own, and how far it is. Also what the first start after a restore does.

use crate::directory::Standing;
use crate::engine::Engine;
use crate::house::House;
use crate::submit::{self, SubmitError};
use std::sync::Arc;
use std::time::Duration;
use tessera_model::record::TenantStatus;
use tessera_model::{Caller, Command, Name, Receipt, Refusal, TenantId};
use tessera_storage::{Progress, StorageError, Taken};

/// LIMIT: how long a tenant may take to wake after a restore, in looks of 10 ms: 10 minutes.
const WAKE_LOOKS_MAX: u32 = 60_000;

/// A backup that was begun since the start.
pub(crate) struct Run {
    name: Name,
    progress: Arc<Progress>,
    /// What came of it; none while it is taken.
    outcome: Option<Result<Taken, StorageError>>,
}

/// How far a backup is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BackupTold {
    /// What it is called.
    pub name: Name,
    /// What was taken; none while it is not done.
    pub taken: Option<Taken>,
    /// Why it failed; none when it did not.
    pub trouble: Option<String>,
    /// Bytes written, and about how many there will be.
    pub bytes: (u64, u64),
}

/// A tenant that has begun an epoch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Begun {
    /// Which.
    pub tenant: TenantId,
    /// Where its history goes on.
    pub receipt: Receipt,
    /// Its sessions, which have ended.
    pub sessions: u64,
    /// Its keys, which are alive: also those that were revoked after the backup.
    pub keys: u64,
}

impl Engine {
    /// Begins a backup and tells how far it is.
    ///
    /// # Errors
    /// `Malformed` for a name that is no label, `BackupRunning` while another is taken, `BackupsOff`,
    /// `BackupExists`.
    pub fn begin_backup(&self, name: &Name) -> Result<BackupTold, Refusal> {
        if !name.is_label() {
            return Err(Refusal::Malformed);
        }
        let mut run = self.house.backup.lock();
        match run.as_ref() {
            Some(run) if run.outcome.is_none() => return Err(Refusal::BackupRunning),
            Some(run) if run.name == *name => return Err(Refusal::BackupExists),
            Some(_) | None => {}
        }
        let progress = Arc::new(Progress::default());
        *run = Some(Run { name: name.clone(), progress: Arc::clone(&progress), outcome: None });
        drop(run);
        let (house, called) = (Arc::clone(&self.house), name.clone());
        drop(tokio::task::spawn_blocking(move || take(&house, &called, &progress)));
        self.follow_backup(name)
    }

    /// How far the backup of this name is that was begun since the start.
    ///
    /// # Errors
    /// `BackupUnknown`, and why it could not begin.
    pub fn follow_backup(&self, name: &Name) -> Result<BackupTold, Refusal> {
        let run = self.house.backup.lock();
        let run = run.as_ref().filter(|run| run.name == *name).ok_or(Refusal::BackupUnknown)?;
        let (taken, trouble) = match &run.outcome {
            None => (None, None),
            Some(Ok(taken)) => (Some(*taken), None),
            Some(Err(StorageError::BackupsOff)) => return Err(Refusal::BackupsOff),
            Some(Err(StorageError::BackupThere)) => return Err(Refusal::BackupExists),
            Some(Err(error)) => (None, Some(error.to_string())),
        };
        Ok(BackupTold { name: name.clone(), taken, trouble, bytes: run.progress.bytes() })
    }

    /// After a restore: begins the epoch of every tenant, before anybody asks for anything.
    ///
    /// # Errors
    /// The tenant that could not, and why.
    pub async fn begin_epoch(&self) -> Result<Vec<Begun>, (TenantId, SubmitError)> {
        let system = self.house.system().ok_or((TenantId::SYSTEM, Refusal::NotReady.into()))?;
        let records = system.root.full();
        let there = records
            .tenants
            .values()
            .filter(|record| matches!(record.status, TenantStatus::Active | TenantStatus::Suspended));
        let tenants: Vec<TenantId> =
            std::iter::once(TenantId::SYSTEM).chain(there.map(|record| record.id)).collect();
        let mut begun = Vec::with_capacity(tenants.len());
        for tenant in tenants {
            begun.push(self.begin_one(tenant).await.map_err(|error| (tenant, error))?);
        }
        Ok(begun)
    }

    async fn begin_one(&self, tenant: TenantId) -> Result<Begun, SubmitError> {
        let entry = self.house.entry(tenant).ok_or(Refusal::TenantUnknown)?;
        for _ in 0..WAKE_LOOKS_MAX {
            self.house.wake(&entry);
            if matches!(entry.standing(), Standing::Awake | Standing::Failed) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let view =
            entry.view().as_ref().map(Arc::clone).ok_or_else(|| Refusal::from(self.house.unready(&entry)))?;
        let (sessions, keys, _) = self.read(&view).count_live();
        let ordered = self.ordered(Caller::Node, self.command_id(), Command::BeginEpoch {});
        let done = submit::submit(&self.house, &entry, ordered).await?;
        Ok(Begun { tenant, receipt: done.receipt, sessions, keys })
    }
}

fn take(house: &House, name: &Name, progress: &Progress) {
    let outcome = house.store.backup(name.as_str(), house.now(), progress);
    match &outcome {
        Ok(taken) => {
            tracing::info!(%name, tenants = taken.tenants, bytes = taken.bytes, "a backup was taken");
        }
        Err(error) => tracing::error!(%name, %error, "a backup could not be taken"),
    }
    if let Some(run) = house.backup.lock().as_mut().filter(|run| run.name == *name) {
        run.outcome = Some(outcome);
    }
}
