//! The embedded store: everything in one directory, a lane and a preparer as threads beside it.

mod aside;
mod erase;
mod open;
mod put;
mod read;
mod store;

pub(crate) use open::{Identity, LANE, LOCK};

use crate::journal::Files;
use crate::keys::Keys;
use crate::lane::{Lane, Shared};
use crate::seal::vault::Safe;
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread::JoinHandle;
use tessera_model::TenantId;

/// How the store is opened.
pub struct Options {
    /// Bytes of a journal file, 64 KiB to 64 MiB; counts when the directory is made.
    pub journal_file_bytes: u64,
    /// Frames of the tail before writers get Busy.
    pub tail_frames_max: u64,
    /// Bytes of the tail before writers get Busy.
    pub tail_bytes_max: u64,
    /// Bytes of the checkpoint's cache.
    pub cache_bytes: usize,
    /// The key that wraps all others.
    pub root_key: crate::RootKey,
    /// 32 random bytes; become the salt when the directory is made.
    pub salt: [u8; 32],
    /// 32 random bytes, other ones at each start: all keys of subjects are drawn from them, and nobody else may
    /// ever have them.
    pub seed: [u8; 32],
    /// Who drives the lane.
    pub drive: Drive,
    /// Below which directory backups are made; none for no backups.
    pub backup_dir: Option<std::path::PathBuf>,
}

/// Who drives the lane and prepares files.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Drive {
    /// Threads of the store.
    Threads,
    /// The caller, by [`Embedded::turn`]: nothing happens by itself (simulation).
    ByHand,
}

impl Options {
    /// The defaults: 64 MiB files, a tail of 500,000 frames or 128 MiB, a cache of 16 MiB.
    #[must_use]
    pub const fn new(root_key: crate::RootKey, salt: [u8; 32], seed: [u8; 32]) -> Self {
        Self {
            journal_file_bytes: 64 * 1024 * 1024,
            tail_frames_max: 500_000,
            tail_bytes_max: 128 * 1024 * 1024,
            cache_bytes: 16 * 1024 * 1024,
            root_key,
            salt,
            seed,
            drive: Drive::Threads,
            backup_dir: None,
        }
    }
}

/// The store in one directory.
pub struct Embedded {
    pub(crate) shared: Arc<Shared>,
    pub(crate) files: Arc<Files>,
    pub(crate) keys: Arc<Keys>,
    /// The keys of owners of sealed parts.
    pub(crate) safe: Arc<Safe>,
    /// Held while frames are read from journal files; a checkpoint frees files only under its write side.
    pub(crate) pins: RwLock<()>,
    /// One checkpoint at a time.
    pub(crate) finishing: Mutex<()>,
    /// One backup at a time; the checkpoint's file is not compacted meanwhile.
    pub(crate) backing: Mutex<()>,
    /// Held while keys are erased, and while a backup takes its cut: the keys that it copies are those of its cut.
    pub(crate) erasing: Mutex<()>,
    /// Held while the note of tenants with erasures is changed.
    pub(crate) noting: Mutex<()>,
    /// Below which directory backups are made.
    pub(crate) backup_dir: Option<std::path::PathBuf>,
    group_bytes_max: usize,
    by_hand: Mutex<Option<Lane>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    checkpoints: AtomicU64,
    /// A checkpoint found no space, and none was finished since.
    no_space: AtomicBool,
    /// Size of the checkpoint's file when it was last measured for compaction.
    compacted_at: AtomicU64,
    /// Keeps a second process out while it lives.
    lock: Mutex<Option<Box<dyn Send + Sync>>>,
}

impl Embedded {
    /// Drives the lane by one group: true when there was work. Only for [`Drive::ByHand`].
    pub fn turn(&self) -> bool {
        self.files.prepare();
        self.by_hand.lock().as_mut().is_some_and(Lane::turn_by_hand)
    }

    /// Lets the lane rest: an empty group, when the last one has frames. Only for [`Drive::ByHand`].
    pub fn rest(&self) {
        if let Some(lane) = self.by_hand.lock().as_mut() {
            // A failure at rest is noted like any other: see `failed`.
            drop(lane.rest());
        }
    }

    /// Tenants that are refused, as far as they are known, and whether others are refused too: everyone
    /// whose head nothing proves.
    #[must_use]
    pub fn refused(&self) -> (Vec<TenantId>, bool) {
        let tail = self.shared.tail.lock();
        (tail.refused.some.keys().copied().collect(), !tail.refused.all_but.is_empty())
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        crate::Store::stop(self);
    }
}
