//! Backups: a consistent cut of every tenant in a directory of its own, and the way back.
//!
//! A backup has four files: `state`, the entries of the checkpoint as one transaction saw them; `tail`, the
//! frames behind them up to the cut; `keys`, a copy of the key file; and `MANIFEST`, written last, which
//! names the others with lengths and hashes, and every tenant with its head. Without a manifest there is
//! no backup. The root key is in none of them.

mod build;
mod entry;
mod erase;
mod inspect;
mod take;
mod verify;

pub use build::Restored;
pub use erase::BackupErased;
pub use inspect::{Inspected, InspectedTenant, inspect, try_root_key};
pub use verify::{Backup, Checked};

use crate::embedded::Identity;
use crate::error::StorageError;
use crate::record::field::{put_bytes, put_list};
use crate::record::{Field, Reader, RecordError, field::record};
use std::sync::atomic::{AtomicU64, Ordering};
use tessera_crypto::digest;
use tessera_model::record::TenantStatus;
use tessera_model::{Epoch, Name, Revision, TenantId, UnixMillis};

/// The file that makes a directory a backup.
pub(crate) const MANIFEST: &str = "MANIFEST";
/// Entries of the checkpoint.
pub(crate) const STATE: &str = "state";
/// Frames that no checkpoint covers yet.
pub(crate) const TAIL: &str = "tail";
/// A copy of the key file.
pub(crate) const KEYS: &str = "keys";
/// All that a manifest names, in its order.
pub(crate) const FILES: [&str; 3] = [STATE, TAIL, KEYS];

const MAGIC: u32 = u32::from_le_bytes([0xFF, b'T', b'S', b'B']);
const VERSION: u16 = 1;
/// LIMIT: bytes of a file's name in a manifest.
const FILE_NAME_BYTES_MAX: usize = 64;
/// LIMIT: tenants of a manifest: more than one node can have.
const TENANTS_MAX: usize = 1 << 22;
/// LIMIT: bytes of a manifest: two million tenants with names of average length.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// LIMIT: bytes of a copy of the key file: five million sets of keys of 192 bytes.
pub(crate) const KEYS_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// One file of a backup.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct FileNote {
    pub(crate) name: Box<str>,
    pub(crate) bytes: u64,
    pub(crate) hash: [u8; 32],
}

/// One tenant of a backup: its head, and what the system tenant says of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct TenantNote {
    pub(crate) tenant: TenantId,
    pub(crate) epoch: Epoch,
    pub(crate) next: Revision,
    pub(crate) link: [u8; 32],
    pub(crate) known: Option<Known>,
}

/// What the system tenant knows of a tenant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Known {
    pub(crate) name: Name,
    pub(crate) status: TenantStatus,
}

/// What a backup is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Manifest {
    pub(crate) magic: u32,
    pub(crate) version: u16,
    pub(crate) spare: u16,
    pub(crate) made: UnixMillis,
    pub(crate) salt: [u8; 32],
    pub(crate) journal_file_bytes: u64,
    /// The epoch of the directory that it was taken of.
    pub(crate) epoch: Epoch,
    /// The lane's sequence at the cut.
    pub(crate) sequence: u64,
    pub(crate) files: Vec<FileNote>,
    pub(crate) tenants: Vec<TenantNote>,
}

record! {
    TenantNote { tenant, epoch, next, link, known }
    Known { name, status }
    Manifest { magic, version, spare, made, salt, journal_file_bytes, epoch, sequence, files, tenants }
}

impl Field for FileNote {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.name.as_bytes(), out);
        self.bytes.put(out);
        self.hash.put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        let name =
            std::str::from_utf8(input.bytes(FILE_NAME_BYTES_MAX)?).map_err(|_| RecordError::BadText)?;
        Ok(Self { name: name.into(), bytes: u64::take(input)?, hash: Field::take(input)? })
    }
}

impl Field for Vec<FileNote> {
    fn put(&self, out: &mut Vec<u8>) {
        put_list(self, out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        input.list(FILES.len())
    }
}

impl Field for Vec<TenantNote> {
    fn put(&self, out: &mut Vec<u8>) {
        put_list(self, out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        input.list(TENANTS_MAX)
    }
}

impl Manifest {
    /// Its bytes, with their hash behind them.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.put(&mut bytes);
        let hash = digest::hash(&[&bytes]);
        bytes.extend_from_slice(&hash);
        bytes
    }

    /// Reads a whole manifest.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, StorageError> {
        let wrong = |error: RecordError| bad(MANIFEST, format!("{}: take another backup", error.text()));
        let mut input = Reader::new(bytes);
        let (magic, version) = (u32::take(&mut input), u16::take(&mut input));
        if magic == Ok(MAGIC)
            && let Ok(found) = version
            && found > VERSION
        {
            return Err(StorageError::NewerBackup { found, known: VERSION });
        }
        let (body, hash) = bytes.split_last_chunk::<32>().ok_or_else(|| wrong(RecordError::Short))?;
        if digest::hash(&[body]) != *hash {
            return Err(wrong(RecordError::BadHash));
        }
        let mut input = Reader::new(body);
        let found = Self::take(&mut input).map_err(wrong)?;
        input.end().map_err(wrong)?;
        let ordered = found.tenants.is_sorted_by(|one, other| one.tenant < other.tenant);
        let whole = found.files.iter().map(|note| &*note.name).eq(FILES);
        let mut sizes = found.files.iter().map(|note| note.bytes);
        // Each file is read twice, and both are counted.
        let countable = sizes.try_fold(0_u64, |sum, bytes| sum.checked_add(bytes.checked_mul(2)?));
        let fits = countable.is_some() && Identity::takes(found.journal_file_bytes);
        if found.magic != MAGIC || found.version != VERSION || !ordered || !whole || !fits {
            return Err(wrong(RecordError::BadHeader));
        }
        Ok(found)
    }

    /// The epoch of whatever is restored from it at `now`: higher than any that its tenants have had, and another
    /// one for each restore.
    pub(crate) fn next_epoch(&self, now: UnixMillis) -> Epoch {
        let tenants = self.tenants.iter().map(|note| note.epoch.0);
        let next = tenants.max().unwrap_or_default().max(self.epoch.0).saturating_add(1);
        Epoch(next.max(now.0))
    }
}

/// What is wrong with a file of a backup, and what to do.
pub(crate) fn bad(file: &str, what: impl Into<std::borrow::Cow<'static, str>>) -> StorageError {
    StorageError::BadBackup { file: file.into(), what: what.into() }
}

/// How far a backup or its verification is.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    expected: AtomicU64,
}

impl Progress {
    /// Bytes done, and about how many there will be.
    #[must_use]
    pub fn bytes(&self) -> (u64, u64) {
        let done = self.done.load(Ordering::Relaxed);
        (done, self.expected.load(Ordering::Relaxed).max(done))
    }

    pub(crate) fn expect(&self, bytes: u64) {
        self.expected.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// A backup that was taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Taken {
    /// Tenants in it.
    pub tenants: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// The epoch that it was taken in.
    pub epoch: Epoch,
    /// The lane's sequence at the cut.
    pub sequence: u64,
}

/// A store of which backups can be taken, or none.
pub trait Backups {
    /// Takes a backup, called `name`, a label: one at a time. Blocks for long: not for a runtime's thread.
    ///
    /// # Errors
    /// [`StorageError::BackupsOff`], [`StorageError::BackupThere`], damage; otherwise as the disks report.
    /// What is there then is no backup.
    fn backup(&self, _name: &str, _made: UnixMillis, _progress: &Progress) -> Result<Taken, StorageError> {
        // A store without files has nothing to copy.
        Err(StorageError::BackupsOff)
    }
}

impl Backups for crate::Memory {}
