//! Opening a directory: lock, identity, checkpoint, journal, keys, and only then the lane.

use super::{Drive, Embedded, Options};
use crate::checkpoint::Checkpoint;
use crate::checkpoint::aside::AsideFrames;
use crate::checkpoint::schema::Life;
use crate::disk::{self, Disk, real::Directory};
use crate::error::{Damage, StorageError};
use crate::intake::Intake;
use crate::journal::files::{name_of, number_of};
use crate::journal::scan::{Anchor, Found};
use crate::journal::{Files, Journal};
use crate::keys::{Keys, Named};
use crate::lane::{Lane, Shared};
use crate::record::{Field, Reader, field::record};
use crate::recover::{Aside, Last, recover};
use crate::seal::vault::Safe;
use crate::tail::Tail;
use parking_lot::{Mutex, RwLock};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use tessera_crypto::digest;
use tessera_model::{Epoch, TenantId};
use tokio::sync::Notify;

pub(crate) const LOCK: &str = "LOCK";
pub(crate) const LANE: &str = "LANE";
const MAGIC: u32 = u32::from_le_bytes([0xFF, b'T', b'S', b'D']);
/// 2: what belongs to people is sealed.
const VERSION: u16 = 2;
/// LIMIT: bytes of a journal file, at least: a quarter of it holds a group of four blocks.
const FILE_BYTES_MIN: u64 = 64 * 1024;
/// LIMIT: bytes of a journal file, at most: the tail's default bound is two of them.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What the directory is: the only content of the file LANE.
pub(crate) struct Identity {
    magic: u32,
    version: u16,
    spare: u16,
    file_bytes: u64,
    salt: [u8; 32],
    /// Raised by a restore: whatever happened before it belongs to an earlier one.
    epoch: Epoch,
}

record! { Identity { magic, version, spare, file_bytes, salt, epoch } }

impl Identity {
    /// The identity of a directory.
    pub(crate) const fn of(file_bytes: u64, salt: [u8; 32], epoch: Epoch) -> Self {
        Self { magic: MAGIC, version: VERSION, spare: 0, file_bytes, salt, epoch }
    }

    /// The salt of the directory.
    pub(crate) const fn salt(&self) -> [u8; 32] {
        self.salt
    }

    /// The life of its histories.
    pub(crate) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether journal files may have this size.
    pub(crate) fn takes(file_bytes: u64) -> bool {
        (FILE_BYTES_MIN..=FILE_BYTES_MAX).contains(&file_bytes) && file_bytes.is_multiple_of(16_384)
    }

    /// Writes it: from here on the directory is one.
    pub(crate) fn write(&self, disk: &dyn Disk) -> Result<(), StorageError> {
        let mut bytes = Vec::new();
        self.put(&mut bytes);
        let hash = digest::hash(&[&bytes]);
        bytes.extend_from_slice(&hash);
        disk::replace(disk, LANE, &bytes).map_err(StorageError::while_doing("making", LANE))
    }

    fn open_or_make(disk: &dyn Disk, options: &Options) -> Result<Self, StorageError> {
        match disk::read_all(disk, LANE) {
            Ok(bytes) => Self::read(&bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::make(disk, options),
            Err(error) => Err(StorageError::while_doing("reading", LANE)(error)),
        }
    }

    /// Reads the whole of LANE.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, StorageError> {
        let damaged = || {
            StorageError::Damaged(Damage {
                file: LANE.into(),
                offset: 0,
                what: "the directory's identity does not verify".into(),
                tenants: None,
            })
        };
        let (body, hash) = bytes.split_last_chunk::<32>().ok_or_else(damaged)?;
        let found = Self::take(&mut Reader::new(body)).map_err(|_| damaged())?;
        if digest::hash(&[body]) != *hash || found.magic != MAGIC {
            return Err(damaged());
        }
        if found.version < VERSION {
            return Err(StorageError::OlderFormat { found: found.version, known: VERSION });
        }
        if found.version != VERSION {
            return Err(StorageError::NewerFormat { found: found.version, known: VERSION });
        }
        Ok(found)
    }

    fn make(disk: &dyn Disk, options: &Options) -> Result<Self, StorageError> {
        let names = disk.list().map_err(StorageError::while_doing("listing", "the directory"))?;
        if names.iter().any(|name| number_of(name).is_some() || name == crate::checkpoint::FILE) {
            return Err(StorageError::Damaged(Damage {
                file: LANE.into(),
                offset: 0,
                what: "the directory's identity is missing, its other files are there".into(),
                tenants: None,
            }));
        }
        let file_bytes = options.journal_file_bytes;
        if !Self::takes(file_bytes) {
            return Err(StorageError::BadOptions("a journal file has 64 KiB to 64 MiB, in steps of 16 KiB"));
        }
        let identity = Self::of(file_bytes, options.salt, Epoch(1));
        identity.write(disk)?;
        Ok(identity)
    }
}

impl Embedded {
    /// Opens the directory at `path`, making it when it is not there.
    ///
    /// # Errors
    /// [`StorageError::InUse`] when another process has it; damage, a wrong root key, a newer format;
    /// otherwise as the disk reports.
    pub fn open(path: &Path, options: Options) -> Result<Self, StorageError> {
        let name = path.display().to_string();
        let directory = Directory::open(path).map_err(StorageError::while_doing("opening", &name))?;
        Self::open_on(Arc::new(directory), options)
    }

    /// Opens the store on a disk, real or simulated.
    ///
    /// # Errors
    /// As [`Embedded::open`].
    pub fn open_on(disk: Arc<dyn Disk>, options: Options) -> Result<Self, StorageError> {
        Self::open_as(disk, options, true)
    }

    /// Opens the store with its keys, or without: then nobody may ask for any.
    pub(crate) fn open_as(
        disk: Arc<dyn Disk>,
        options: Options,
        with_keys: bool,
    ) -> Result<Self, StorageError> {
        let lock = disk.lock(LOCK).map_err(StorageError::while_doing("locking", LOCK))?;
        let lock = lock.ok_or(StorageError::InUse)?;
        let identity = Identity::open_or_make(&*disk, &options)?;
        let checkpoint = Checkpoint::open(Arc::clone(&disk), identity.salt, options.cache_bytes)?;
        let meta = checkpoint.meta();
        let found = journal_files(&*disk)?;
        let faulty = faulty_file(&found, identity.file_bytes);
        let anchor = Anchor { sequence: meta.covered, hash: meta.hash };
        let lookup = |tenant| checkpoint.directory(tenant);
        let mut recovered = recover(&found, &identity.salt, &anchor, &lookup, &aside(&checkpoint)?)?;
        if let Some(damage) = faulty {
            tracing::error!(%damage, "the journal is damaged");
            recovered.tail.refused.all_but.push((damage, std::collections::BTreeSet::new()));
        }
        name_the_unproven(&mut recovered.tail, &checkpoint)?;
        let keys = match with_keys {
            true => keys(&*disk, (&options, &identity), &checkpoint, &recovered)?,
            false => Keys::closed(),
        };
        // Transactions that no group names may be in the page cache only: nothing of the journal that
        // they cover may be overwritten before the file was copied.
        let ahead = meta.writes > recovered.name.map_or(0, |name| name.writes);
        if ahead {
            checkpoint.copy_first();
        }
        let files = Arc::new(Files::new(Arc::clone(&disk), identity.file_bytes));
        let journal = continued(&files, identity.salt, (found, &mut recovered), (meta.covered, ahead))?;
        let group_bytes_max = journal.group_bytes_max();
        let checkpoint_bytes = checkpoint.bytes();
        let shared = Arc::new(Shared {
            epoch: identity.epoch,
            intake: Intake::default(),
            tail_size: Arc::clone(&recovered.tail.size),
            tail: Mutex::new(recovered.tail),
            checkpoint,
            failed: AtomicBool::new(false),
            failure: Notify::new(),
            tail_frames_max: options.tail_frames_max,
            tail_bytes_max: options.tail_bytes_max,
        });
        let lane = Lane::new(Arc::clone(&shared), journal);
        let keys = Arc::new(keys);
        let safe = Arc::new(Safe::new(Arc::clone(&shared), Arc::clone(&keys)));
        let store = Self {
            shared,
            files,
            keys,
            safe,
            pins: RwLock::new(()),
            finishing: Mutex::new(()),
            backing: Mutex::new(()),
            erasing: Mutex::new(()),
            noting: Mutex::new(()),
            backup_dir: options.backup_dir,
            group_bytes_max,
            by_hand: Mutex::new(None),
            threads: Mutex::new(Vec::new()),
            checkpoints: AtomicU64::new(0),
            no_space: AtomicBool::new(false),
            compacted_at: AtomicU64::new(checkpoint_bytes),
            lock: Mutex::new(Some(lock)),
        };
        store.start(lane, options.drive)?;
        Ok(store)
    }

    fn start(&self, mut lane: Lane, drive: Drive) -> Result<(), StorageError> {
        // A new directory gets its first group, so that an empty journal is told from a lost one.
        lane.begin()?;
        if drive == Drive::ByHand {
            *self.by_hand.lock() = Some(lane);
            return Ok(());
        }
        self.files.start();
        self.shared.intake.start();
        let files = Arc::clone(&self.files);
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(run)
                .map_err(StorageError::while_doing("starting", "a thread"))
        };
        let mut threads = self.threads.lock();
        threads.push(spawn("tessera-prepare", Box::new(move || files.prepare_until_stopped()))?);
        threads.push(spawn("tessera-lane", Box::new(move || lane.run()))?);
        Ok(())
    }
}

/// The keys as far as they are there, held against the directory rows.
fn keys(
    disk: &dyn Disk,
    (options, identity): (&Options, &Identity),
    checkpoint: &Checkpoint,
    recovered: &crate::recover::Recovered,
) -> Result<Keys, StorageError> {
    let meta = checkpoint.meta();
    // Keys are made before their tenant is born.
    let born = meta.keys_upto > 1 || !recovered.tail.tenants.is_empty() || checkpoint.has_tenants()?;
    let span = (meta.keys_upto, recovered.end.sequence);
    let keys = Keys::open(disk, &options.root_key, (&identity.salt, &options.seed), span, born)?;
    keys.reconcile(|tenant| named(checkpoint, tenant));
    Ok(keys)
}

/// What stands aside of each tenant, with the frames of those that are not refused.
fn aside(checkpoint: &Checkpoint) -> Result<Vec<Aside>, StorageError> {
    let mut found = Vec::new();
    for (tenant, row) in checkpoint.aside()? {
        let frames = match row.damage {
            None => checkpoint.aside_frames(tenant)?,
            Some(_) => AsideFrames::new(),
        };
        found.push(Aside { tenant, row, frames });
    }
    Ok(found)
}

/// Damage whose tenants are not known concerns every tenant that nothing proves whole. Where the system
/// tenant is proven, all others are known by name: those are refused, and new ones can be made.
fn name_the_unproven(tail: &mut Tail, checkpoint: &Checkpoint) -> Result<(), StorageError> {
    if tail.refused.all_but.is_empty() || tail.refused.find(TenantId::SYSTEM).is_some() {
        return Ok(());
    }
    let mut known = checkpoint.tenants()?;
    known.extend(tail.tenants.values().map(|tailed| (tailed.head.tenant, tailed.head)));
    for (damage, proven) in std::mem::take(&mut tail.refused.all_but) {
        for head in known.values().filter(|head| !proven.contains(&head.tenant)) {
            let tailed = tail.tenants.remove(&head.tenant);
            let head = tailed.as_ref().map_or(*head, |tailed| tailed.head);
            let damage = Damage { tenants: Some(vec![head.tenant]), ..damage.clone() };
            tail.refused.add(head, damage, tailed.into_iter().flat_map(|tailed| tailed.spots));
        }
    }
    Ok(())
}

fn journal_files(disk: &dyn Disk) -> Result<Vec<Found>, StorageError> {
    let names = disk.list().map_err(StorageError::while_doing("listing", "the directory"))?;
    let mut found = Vec::new();
    for name in names {
        let Some(no) = number_of(&name) else { continue };
        let file = disk.open(&name).map_err(StorageError::while_doing("opening", &name))?;
        let size = file.size().map_err(StorageError::while_doing("measuring", &name))?;
        found.push(Found { no, file, size });
    }
    Ok(found)
}

/// A journal file that is missing or lost its end: a file has its size from the moment it has its name,
/// and numbers follow one another. What was in it last cannot be known.
fn faulty_file(found: &[Found], file_bytes: u64) -> Option<Damage> {
    let mut expected = (0..).zip(found);
    let (file, what) = match expected.find(|(no, found)| found.no != *no || found.size != file_bytes) {
        None => return None,
        Some((no, found)) if found.no != no => (no, "a journal file is missing"),
        Some((no, _)) => (no, "a journal file has another size"),
    };
    Some(Damage { file: name_of(file).into(), offset: 0, what: what.into(), tenants: None })
}

/// The journal that goes on where it was found to end; what a checkpoint covers of it is free, unless the checkpoint is
/// `ahead` of its last name.
fn continued(
    files: &Arc<Files>,
    salt: [u8; 32],
    (found, recovered): (Vec<Found>, &mut crate::recover::Recovered),
    (covered, ahead): (u64, bool),
) -> Result<Journal, StorageError> {
    for found in found {
        let last = recovered.used.get(&found.no).copied().or(ahead.then_some(covered));
        files.adopt(found.no, found.file, last);
    }
    let mut journal = Journal::new(Arc::clone(files), salt, &recovered.end);
    if let Some(last) = &recovered.last {
        write_last_again(&mut journal, files, last, &mut recovered.tail)?;
        // Nobody who starts waits for a file to be filled: the first who needs the room does.
        if files.has_none_free() {
            journal.enter_reserve();
        }
    }
    if !ahead {
        files.release(covered);
    }
    Ok(journal)
}

/// Writes the last group again: into a fresh file, or behind itself when none can be had.
fn write_last_again(
    journal: &mut Journal,
    files: &Files,
    last: &Last,
    tail: &mut Tail,
) -> Result<(), StorageError> {
    if journal.switch_to_any().is_err() {
        let file = files.file(last.file).ok_or(StorageError::StorageFull)?;
        files.mark_current(last.file);
        journal.continue_in(last.file, file, last.end);
        if last.end + last.bytes.len() as u64 > files.file_bytes() {
            // No room at all: the last group stays where it is until space returns.
            return Ok(());
        }
    }
    let (file, start) = journal.write_again(&last.bytes)?;
    tail.move_last(last.sequence, last.offset, file, start);
    Ok(())
}

/// Where the checkpoint says that a tenant's keys stand.
fn named(checkpoint: &Checkpoint, tenant: TenantId) -> Named {
    match checkpoint.directory(tenant) {
        Ok(Some(row)) if row.life == Life::Forgotten => Named::Gone,
        Ok(Some(row)) if !row.keys.is_empty() => Named::At(row.keys),
        Ok(_) | Err(_) => Named::Nowhere,
    }
}
