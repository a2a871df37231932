//! What can go wrong in the store: failures of the world, each with what was being done.

use std::borrow::Cow;
use std::fmt;
use std::io::ErrorKind;
use tessera_model::{Revision, TenantId};

/// Where the journal or the checkpoint holds something that was acknowledged once and reads wrong now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Damage {
    /// The file.
    pub file: Box<str>,
    /// The byte in it at which the damage begins (0 where the file has no such order).
    pub offset: u64,
    /// What reads wrong.
    pub what: Cow<'static, str>,
    /// Whom it concerns; `None` when that is damaged too: everyone whose head nothing else proves.
    pub tenants: Option<Vec<TenantId>>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        // Tables have no order of bytes.
        if self.offset > 0 || !self.file.contains('/') {
            write!(f, " at byte {}", self.offset)?;
        }
        write!(f, ": {}", self.what)?;
        match &self.tenants {
            None => f.write_str("; concerns every tenant whose head nothing else proves"),
            Some(tenants) => {
                f.write_str("; concerns tenants")?;
                tenants.iter().try_for_each(|tenant| write!(f, " {tenant}"))
            }
        }
    }
}

/// A failure of the store. None of these is the caller's fault, and none is retried in place.
#[derive(Debug)]
#[non_exhaustive]
pub enum StorageError {
    /// The lane has stopped: the node is ending or has failed.
    LaneStopped,
    /// The batch is not its tenant's next one. Nothing of it happened.
    OutOfOrder {
        /// Whose batch.
        tenant: TenantId,
        /// The revision that comes next.
        expected: Revision,
    },
    /// A frame, or a batch, is over its cap. Nothing of it happened.
    FrameTooLarge {
        /// Its size.
        bytes: usize,
        /// The cap.
        max: usize,
    },
    /// The batch holds as much as it may; commit it and begin another. The frame was not taken.
    BatchFull,
    /// No space for a further journal file. Nothing of the batch happened.
    StorageFull,
    /// The tail is at its bound, or too much waits. Nothing of the batch happened.
    Busy,
    /// A file could not be read, written or synced.
    Disk {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        file: Box<str>,
        /// What the operating system reported.
        source: std::io::Error,
    },
    /// The checkpoint's database refused.
    Checkpoint {
        /// What was being done.
        doing: &'static str,
        /// What the database reported.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The checkpoint lacks this tenant's state up to the cut: it cannot be finished.
    CheckpointIncomplete(TenantId),
    /// Acknowledged data reads wrong. The tenants concerned are refused until they are repaired.
    Damaged(Damage),
    /// No tenant of this id is stored.
    TenantUnknown(TenantId),
    /// Another process has the directory.
    InUse,
    /// The directory was written by a newer version.
    NewerFormat {
        /// Its version.
        found: u16,
        /// The newest that this program knows.
        known: u16,
    },
    /// The directory was written by an older version whose form is not read any more.
    OlderFormat {
        /// Its version.
        found: u16,
        /// The only one that this program knows.
        known: u16,
    },
    /// The options do not fit together or to the directory.
    BadOptions(&'static str),
    /// The root key does not open this directory's keys.
    RootKeyWrong,
    /// The root key's file may be read by others, or is no key.
    RootKeyUnfit(&'static str),
    /// The tenant has no keys.
    KeysMissing(TenantId),
    /// The options name no directory for backups.
    BackupsOff,
    /// There is a backup of this name, or what is left of one.
    BackupThere,
    /// A backup is not what was written, or none.
    BadBackup {
        /// Which of its files.
        file: Box<str>,
        /// What is wrong, and what to do.
        what: Cow<'static, str>,
    },
    /// The backup was written by a newer version.
    NewerBackup {
        /// Its version.
        found: u16,
        /// The newest that this program knows.
        known: u16,
    },
    /// The directory that is to be restored into holds files.
    NotEmpty,
    /// The tenant lives in this store: it is not taken from another one.
    TenantHere(TenantId),
    /// What was copied of a tenant is not what the other store has.
    BadCopy(&'static str),
}

impl StorageError {
    /// Whether a commit that ended so may have happened all the same. Repeating the same command id
    /// after a restart tells.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::LaneStopped | Self::Disk { .. })
    }

    /// Whether the disk (or a quota) has no space left.
    pub fn is_full(&self) -> bool {
        let kind = if let Self::Disk { source, .. } = self {
            Some(source.kind())
        } else if let Self::Checkpoint { source, .. } = self {
            database_io(&**source)
        } else {
            return matches!(self, Self::StorageFull);
        };
        matches!(kind, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
    }

    /// Adds what was being done to an error of the operating system.
    pub(crate) fn while_doing(doing: &'static str, file: &str) -> impl FnOnce(std::io::Error) -> Self {
        let file = file.into();
        move |source| Self::Disk { doing, file, source }
    }

    /// Adds what was being done to an error of the checkpoint's database.
    pub(crate) fn checkpoint<E: std::error::Error + Send + Sync + 'static>(
        doing: &'static str,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::Checkpoint { doing, source: Box::new(source) }
    }

    /// Damage of one tenant's records.
    pub(crate) fn damaged(file: &str, offset: u64, what: &'static str, tenant: TenantId) -> Self {
        Self::Damaged(Damage { file: file.into(), offset, what: what.into(), tenants: Some(vec![tenant]) })
    }
}

/// The error of the checkpoint's file below one of its database, which names no cause of its errors.
fn below<'a>(error: &'a (dyn std::error::Error + Send + Sync + 'static)) -> Option<&'a redb::StorageError> {
    if let Some(redb::CommitError::Storage(inner)) = error.downcast_ref() {
        return Some(inner);
    }
    if let Some(redb::TableError::Storage(inner)) = error.downcast_ref() {
        return Some(inner);
    }
    if let Some(redb::TransactionError::Storage(inner)) = error.downcast_ref() {
        return Some(inner);
    }
    if let Some(redb::DatabaseError::Storage(inner)) = error.downcast_ref() {
        return Some(inner);
    }
    error.downcast_ref()
}

/// What the operating system reported to the checkpoint's database.
fn database_io(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Option<ErrorKind> {
    match below(error) {
        Some(redb::StorageError::Io(error)) => Some(error.kind()),
        _ => None,
    }
}

/// Whether the checkpoint's file is not what was written.
fn is_damage(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    matches!(below(error), Some(redb::StorageError::Corrupted(_)))
        || error.downcast_ref::<crate::checkpoint::read::DatabasePanickedError>().is_some()
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LaneStopped => f.write_str("the lane has stopped"),
            Self::OutOfOrder { tenant, expected } => {
                write!(f, "the batch of tenant {tenant} is out of order, revision {expected} comes next")
            }
            Self::FrameTooLarge { bytes, max } => write!(f, "{bytes} bytes are over the cap of {max}"),
            Self::BatchFull => f.write_str("the batch is full"),
            Self::StorageFull => f.write_str("no space for a further journal file"),
            Self::Busy => f.write_str("the journal's tail is at its bound"),
            Self::Disk { doing, file, source } => write!(f, "{doing} {file}: {source}"),
            Self::Checkpoint { doing, source } => {
                write!(f, "{}, {doing}: {source}", crate::checkpoint::FILE)?;
                if is_damage(&**source) {
                    f.write_str("; concerns every tenant with records in it: restore the newest backup")?;
                }
                Ok(())
            }
            Self::CheckpointIncomplete(tenant) => {
                write!(f, "the checkpoint lacks tenant {tenant} up to its cut")
            }
            Self::Damaged(damage) => write!(f, "damaged: {damage}"),
            Self::TenantUnknown(tenant) => write!(f, "tenant {tenant} is not stored"),
            Self::InUse => f.write_str("another process has the data directory"),
            Self::NewerFormat { found, known } => write!(
                f,
                "the data directory has format {found}, this program knows up to {known}: \
                 start the version that wrote it, or newer"
            ),
            Self::OlderFormat { found, known } => write!(
                f,
                "the data directory has format {found}, this program knows {known} alone: \
                 export it with the version that wrote it, and begin a new one"
            ),
            Self::BadOptions(what) => write!(f, "storage options: {what}"),
            Self::RootKeyWrong => f.write_str("the root key does not open this directory's keys"),
            Self::RootKeyUnfit(what) => write!(f, "the root key's file: {what}"),
            Self::KeysMissing(tenant) => write!(f, "tenant {tenant} has no keys"),
            Self::BackupsOff => f.write_str("there is no place for backups"),
            Self::BackupThere => f.write_str("there is a backup of this name, or what is left of one"),
            Self::BadBackup { file, what } => write!(f, "{file}: {what}"),
            Self::NewerBackup { found, known } => write!(
                f,
                "the backup has format {found}, this program knows up to {known}: \
                 restore it with the version that wrote it, or newer"
            ),
            Self::NotEmpty => f.write_str("the directory holds files: restore into an empty or a new one"),
            Self::TenantHere(tenant) => write!(f, "tenant {tenant} lives here"),
            Self::BadCopy(what) => write!(f, "a copied tenant: {what}"),
        }
    }
}

impl std::error::Error for StorageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Disk { source, .. } => Some(source),
            Self::Checkpoint { source, .. } => Some(source.as_ref()),
            Self::LaneStopped
            | Self::OutOfOrder { .. }
            | Self::FrameTooLarge { .. }
            | Self::BatchFull
            | Self::StorageFull
            | Self::Busy
            | Self::CheckpointIncomplete(_)
            | Self::Damaged(_)
            | Self::TenantUnknown(_)
            | Self::InUse
            | Self::NewerFormat { .. }
            | Self::OlderFormat { .. }
            | Self::BadOptions(_)
            | Self::RootKeyWrong
            | Self::RootKeyUnfit(_)
            | Self::KeysMissing(_)
            | Self::BackupsOff
            | Self::BackupThere
            | Self::BadBackup { .. }
            | Self::NewerBackup { .. }
            | Self::TenantHere(_)
            | Self::BadCopy(_)
            | Self::NotEmpty => None,
        }
    }
}
