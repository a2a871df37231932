//! Looking at a stopped data directory, or at a backup, without its root key and without changing a byte.

use super::{Backup, MANIFEST, Progress};
use crate::disk::{self, Disk, overlay::Overlay, real::Directory};
use crate::embedded::{Drive, Embedded, Identity, LANE, Options};
use crate::error::StorageError;
use crate::key_files;
use crate::keys::check_of;
use crate::root_key::RootKey;
use crate::store::{Replay, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use tessera_model::record::{TenantRecord, TenantStatus};
use tessera_model::{Epoch, Event, Name, Revision, TenantId, UnixMillis};

/// What stands in a directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Inspected {
    /// When the backup was taken; none for a data directory.
    pub backup_made: Option<UnixMillis>,
    /// The epoch of the directory.
    pub epoch: Epoch,
    /// The last sequence of the lane.
    pub sequence: u64,
    /// The latest time that a tenant's last frame has; none for a backup.
    pub last: Option<UnixMillis>,
    /// The sequence that the checkpoint covers; none for a backup.
    pub covered: Option<u64>,
    /// Names and sizes of all files.
    pub files: Vec<(String, u64)>,
    /// Every tenant.
    pub tenants: Vec<InspectedTenant>,
    /// What is damaged beside the tenants' own frames.
    pub damage: Vec<String>,
}

/// One tenant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InspectedTenant {
    /// Which.
    pub tenant: TenantId,
    /// What it is called; none for the system tenant, and where its record does not read.
    pub name: Option<Name>,
    /// Its status; none likewise.
    pub status: Option<TenantStatus>,
    /// The epoch that it is in.
    pub epoch: Epoch,
    /// Its last position; none when it has no frame.
    pub revision: Option<Revision>,
    /// The link of the last frame: the head of its chain.
    pub link: [u8; 32],
    /// Frames whose links were followed.
    pub frames: u64,
    /// What reads wrong.
    pub damage: Option<String>,
}

/// Looks at a directory: at every frame of every tenant.
///
/// # Errors
/// [`StorageError::InUse`] while a node has it; when it is neither, or does not open.
pub fn inspect(path: &Path, progress: &Progress) -> Result<Inspected, StorageError> {
    if path.join(MANIFEST).is_file() {
        return of_backup(&Backup::open(path)?, progress);
    }
    if !path.join("LANE").is_file() {
        let shown = path.display().to_string();
        return Err(super::bad(&shown, "is neither a data directory nor a whole backup"));
    }
    let shown = path.display().to_string();
    let directory = Directory::open(path).map_err(StorageError::while_doing("opening", &shown))?;
    of_directory(Arc::new(directory))
}

/// Holds a root key against the key files of a data directory that has a store, as a start does, and changes nothing.
///
/// # Errors
/// As [`Embedded::open`] of what it says of the keys.
pub fn try_root_key(path: &Path, root_key: &RootKey) -> Result<(), StorageError> {
    let shown = path.display().to_string();
    let directory = Directory::open(path).map_err(StorageError::while_doing("opening", &shown))?;
    let disk = Overlay::new(Arc::new(directory));
    let lane = disk::read_all(&disk, LANE).map_err(StorageError::while_doing("reading", LANE))?;
    let check = check_of(&root_key.0, &Identity::read(&lane)?.salt());
    key_files::open(&disk, &check, true).map(|_| ())
}

fn of_backup(backup: &Backup, progress: &Progress) -> Result<Inspected, StorageError> {
    backup.verify(progress)?;
    let manifest = &backup.manifest;
    let tenants = manifest.tenants.iter().map(|note| InspectedTenant {
        tenant: note.tenant,
        name: note.known.as_ref().map(|known| known.name.clone()),
        status: note.known.as_ref().map(|known| known.status),
        epoch: note.epoch,
        revision: note.next.0.checked_sub(1).map(Revision),
        link: note.link,
        frames: note.next.0,
        damage: None,
    });
    Ok(Inspected {
        backup_made: Some(manifest.made),
        epoch: manifest.epoch,
        sequence: manifest.sequence,
        last: None,
        covered: None,
        files: manifest.files.iter().map(|note| (note.name.to_string(), note.bytes)).collect(),
        tenants: tenants.collect(),
        damage: Vec::new(),
    })
}

/// Looks at the data directory on a disk.
///
/// # Errors
/// As [`inspect`].
fn of_directory(disk: Arc<dyn Disk>) -> Result<Inspected, StorageError> {
    let listing = || StorageError::while_doing("listing", "the directory");
    let mut files = Vec::new();
    for name in disk.list().map_err(listing())? {
        // A name that is no file's is not the store's.
        if let Ok(size) = disk.open(&name).and_then(|file| file.size()) {
            files.push((name, size));
        }
    }
    let options = Options { drive: Drive::ByHand, ..Options::new(RootKey::new([0; 32]), [0; 32], [0; 32]) };
    let store = Embedded::open_as(Arc::new(Overlay::new(disk)), options, false)?;
    let records = records(&store);
    let checkpoint = store.shared.checkpoint.tenants()?;
    let (sequence, covered, tailed) = {
        let tail = store.shared.tail.lock();
        (tail.sequence, tail.covered, tail.tenants.keys().copied().collect::<Vec<_>>())
    };
    let refused = store.refused().0;
    let all: BTreeSet<TenantId> = checkpoint.keys().copied().chain(tailed).chain(refused).collect();
    let mut last = None;
    let tenants = all.into_iter().map(|tenant| {
        let head = store.head(tenant).ok().flatten().or_else(|| checkpoint.get(&tenant).copied());
        let verified = store.verify(tenant);
        last = last.max(verified.as_ref().ok().map(|verified| verified.last));
        let record = records.get(&tenant);
        InspectedTenant {
            tenant,
            name: record.map(|record| record.name.clone()),
            status: record.map(|record| record.status),
            epoch: head.map_or(store.shared.epoch, |head| head.epoch),
            revision: head.and_then(|head| head.next.0.checked_sub(1)).map(Revision),
            link: head.map_or([0; 32], |head| head.link),
            frames: verified.as_ref().map_or(0, |verified| verified.frames),
            damage: verified.err().map(|error| error.to_string()),
        }
    });
    let tenants = tenants.collect();
    Ok(Inspected {
        last,
        backup_made: None,
        epoch: store.shared.epoch,
        sequence,
        covered: Some(covered),
        files,
        tenants,
        damage: store.damaged().iter().map(ToString::to_string).collect(),
    })
}

/// What the system tenant knows of all others, as far as that reads.
fn records(store: &Embedded) -> BTreeMap<TenantId, TenantRecord> {
    let mut found = BTreeMap::new();
    let mut take = |events: Vec<Event>| {
        for event in events {
            if let Event::TenantChanged(record) = event {
                found.insert(record.id, record);
            }
        }
    };
    let loaded = store.load(TenantId::SYSTEM, &mut |replay| match replay {
        Replay::Bucket(bucket) => take(bucket.events),
        Replay::Frame(frame) => take(frame.events),
    });
    if let Err(error) = loaded {
        tracing::warn!(%error, "the names of tenants are not known");
    }
    found
}
