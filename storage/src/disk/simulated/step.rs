//! What a call does to which kind of file, and the faults that a simulated disk plants.

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

/// The kind of a file, by its name.
pub(super) fn kind_of(name: &str) -> &'static str {
    match name {
        _ if name.starts_with("journal-") => JOURNAL,
        _ if name.starts_with("state.redb") => CHECKPOINT,
        _ if name.starts_with("keys-") => "keys",
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
}
