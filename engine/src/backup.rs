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

impl Run {
    /// How far it is, or why it could not begin.
    fn told(&self) -> Result<BackupTold, Refusal> {
        let (taken, trouble) = match &self.outcome {
            None => (None, None),
            Some(Ok(taken)) => (Some(*taken), None),
            Some(Err(StorageError::BackupsOff)) => return Err(Refusal::BackupsOff),
            Some(Err(StorageError::BackupThere)) => return Err(Refusal::BackupExists),
            Some(Err(error)) => (None, Some(error.to_string())),
        };
        Ok(BackupTold { name: self.name.clone(), taken, trouble, bytes: self.progress.bytes() })
    }
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
    /// Begins a backup and tells how far it is; one of this name that is being taken is told, and not begun again.
    /// One that failed may be begun again when nothing of it is left.
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
            Some(run) if run.outcome.is_none() && run.name == *name => return run.told(),
            Some(run) if run.outcome.is_none() => return Err(Refusal::BackupRunning),
            Some(run) if run.name == *name && matches!(run.outcome, Some(Ok(_))) => {
                return Err(Refusal::BackupExists);
            }
            Some(_) | None => {}
        }
        let progress = Arc::new(Progress::default());
        *run = Some(Run { name: name.clone(), progress: Arc::clone(&progress), outcome: None });
        drop(run);
        let taking = Taking { house: Arc::clone(&self.house), name: name.clone(), outcome: None };
        drop(tokio::task::spawn_blocking(move || taking.run(&progress)));
        self.follow_backup(name)
    }

    /// How far the backup of this name is that was begun since the start.
    ///
    /// # Errors
    /// `BackupUnknown`, and why it could not begin.
    pub fn follow_backup(&self, name: &Name) -> Result<BackupTold, Refusal> {
        let run = self.house.backup.lock();
        run.as_ref().filter(|run| run.name == *name).ok_or(Refusal::BackupUnknown)?.told()
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
            .iter()
            .filter(|record| matches!(record.status, TenantStatus::Active | TenantStatus::Suspended))
            .filter(|record| self.house.away(record.id).is_none());
        let tenants: Vec<TenantId> =
            std::iter::once(TenantId::SYSTEM).chain(there.map(|record| record.id)).collect();
        let mut begun = Vec::with_capacity(tenants.len());
        for tenant in tenants {
            begun.extend(self.begin_one(tenant).await.map_err(|error| (tenant, error))?);
        }
        Ok(begun)
    }

    /// Nothing of a tenant that has left: the last frame of its history is what opens it in the other cell.
    async fn begin_one(&self, tenant: TenantId) -> Result<Option<Begun>, SubmitError> {
        let entry = self.house.entry(tenant).ok_or(Refusal::TenantUnknown)?;
        for _ in 0..WAKE_LOOKS_MAX {
            self.house.wake(&entry);
            if matches!(entry.standing(), Standing::Awake | Standing::Failed) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // It is closed until the other cells have said what has left this one.
        let view = entry.known_view().ok_or_else(|| Refusal::from(self.house.unready(&entry)))?;
        let own = self.house.own_cell();
        let left = view.root.full().course.moving.is_some_and(|moving| moving.moved && moving.to != own);
        if left || entry.is_away() {
            return Ok(None);
        }
        let (sessions, keys, _) = self.read(&view).count_live();
        let ordered = self.ordered(Caller::Node, self.command_id(), Command::BeginEpoch {});
        let done = submit::submit(&self.house, &entry, ordered).await?;
        Ok(Some(Begun { tenant, receipt: done.receipt, sessions, keys }))
    }
}

/// A backup that is being taken. However that ends, its outcome is told: none runs for ever.
struct Taking {
    house: Arc<House>,
    name: Name,
    outcome: Option<Result<Taken, StorageError>>,
}

impl Taking {
    fn run(mut self, progress: &Progress) {
        let outcome = self.house.store.backup(self.name.as_str(), self.house.now(), progress);
        let name = &self.name;
        match &outcome {
            Ok(taken) => {
                tracing::info!(%name, tenants = taken.tenants, bytes = taken.bytes, "a backup was taken");
            }
            Err(error) => tracing::error!(%name, %error, "a backup could not be taken"),
        }
        self.outcome = Some(outcome);
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        let outcome = self.outcome.take().unwrap_or_else(|| {
            let what = "a fault of the node ended it: its log tells more";
            Err(StorageError::BadBackup { file: self.name.as_str().into(), what: what.into() })
        });
        if let Some(run) = self.house.backup.lock().as_mut().filter(|run| run.name == self.name) {
            run.outcome = Some(outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_model::Epoch;

    /// PROPERTY: a backup tells what came of it, and only one that is whole is there.
    #[test]
    fn outcomes_are_told() {
        let name = Name::new("monday").expect("a name");
        let run = |outcome| Run { name: name.clone(), progress: Arc::default(), outcome };
        assert_eq!(run(Some(Err(StorageError::BackupsOff))).told(), Err(Refusal::BackupsOff));
        assert_eq!(run(Some(Err(StorageError::BackupThere))).told(), Err(Refusal::BackupExists));
        let told = run(Some(Err(StorageError::LaneStopped))).told().expect("told");
        assert!(told.taken.is_none() && told.trouble.is_some());
        let taken = Taken { tenants: 2, bytes: 9, epoch: Epoch(1), sequence: 3 };
        assert_eq!(run(Some(Ok(taken))).told().expect("told").taken, Some(taken));
        let told = run(None).told().expect("told");
        assert!(told.taken.is_none() && told.trouble.is_none());
    }
}
