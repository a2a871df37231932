//! What a call does to which kind of file, and the faults that a simulated disk plants.

use super::{Simulated, Stage, State};

/// What a changing call does.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Act {
    /// A file is made.
    Create,
    /// Bytes are written.
    Write,
    /// A length is set.
    Size,
    /// A file is synced.
    Sync,
    /// A file gets another name.
    Rename,
    /// A file is removed.
    Remove,
    /// Names are made durable.
    SyncDirectory,
}

/// A step on the way to durability: what is done to which kind of file.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Step {
    /// What is done.
    pub act: Act,
    /// To which kind of file: `journal`, `checkpoint`, `keys`, `identity`, `the directory`.
    pub file: &'static str,
}

/// Journal files.
pub(super) const JOURNAL: &str = "journal";
/// The checkpoint's file, and what it is copied to.
pub(super) const CHECKPOINT: &str = "checkpoint";
/// The key file.
pub(super) const KEYS: &str = "keys";
/// Bytes of a slot of the key file before its state: of one that was erased they are zeros.
const SLOT: (usize, usize) = (64, 60);

/// The kind of a file, by its name.
pub(super) fn kind_of(name: &str) -> &'static str {
    match name {
        _ if name.starts_with("journal-") => JOURNAL,
        _ if name.starts_with("state.redb") => CHECKPOINT,
        _ if name.starts_with("keys-") => KEYS,
        _ if name.starts_with("LANE") => "identity",
        _ => "another file",
    }
}

/// A fault that is planted, for proofs that must notice it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Planted {
    /// Every so-many-th sync of a file does nothing and says that it did.
    Lies(u64),
    /// A journal file is synced only when something is written next: whoever waits is answered before.
    SyncAfterAnswer,
    /// The checkpoint is never synced: journal files are used again before it is durable.
    CheckpointNotSynced,
    /// Names of files are never made durable.
    DirectoryNotSynced,
    /// Slots of the key file that are erased read so until the power goes, and stay as they were.
    KeysKept,
    /// A start takes groups for whole without looking at their hashes, and for the next one without looking at the
    /// hash of the one before. Only in a build with the feature `planted`.
    ChainNotChecked,
}

impl State {
    /// What a file is for.
    pub(super) fn step(&self, act: Act, inode: u64) -> Step {
        let name = self.names.iter().find(|(_, known)| **known == inode);
        Step { act, file: name.map_or("a removed file", |(name, _)| kind_of(name)) }
    }
}

impl Planted {
    /// Whether a write is to be seen and never kept.
    pub(super) fn drops(self, step: Step, bytes: &[u8]) -> bool {
        let (slot, upto) = SLOT;
        let is_gone = |piece: &[u8]| piece.iter().take(upto).all(|byte| *byte == 0);
        self == Self::KeysKept && step.file == KEYS && bytes.len() >= slot && bytes.chunks(slot).all(is_gone)
    }
}

impl Simulated {
    /// Plants a fault: a control, which tests of durability must notice.
    pub fn plant_fault(&self, planted: Planted) {
        self.0.lock().planted = Some(planted);
    }

    /// Cuts the power at a step, when it comes for the so-many-th time from now on (the next one is 0).
    pub fn cut_at(&self, step: Step, nth: u64) {
        self.0.lock().cut_at = Some((step, nth));
    }

    /// As [`Simulated::cut_at`], by the stage that a call is part of.
    pub fn cut_at_stage(&self, stage: Stage, nth: u64) {
        self.0.lock().cut_at_stage = Some((stage, nth));
    }

    /// The stage at which the power went.
    #[must_use]
    pub fn cut_stage(&self) -> Option<Stage> {
        self.0.lock().cut_stage
    }

    /// The step at which the power went.
    #[must_use]
    pub fn cut_in(&self) -> Option<Step> {
        self.0.lock().cut_in
    }
}
