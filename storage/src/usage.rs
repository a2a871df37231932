//! What a store says of itself: figures for metrics, and what it would take now.

/// What the store holds and did, for metrics and tests.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// Frames newer than the checkpoint.
    pub tail_frames: u64,
    /// Their bytes.
    pub tail_bytes: u64,
    /// Frames at which writers wait for the next checkpoint; 0 for no bound.
    pub tail_frames_max: u64,
    /// Bytes at which they do; 0 for no bound.
    pub tail_bytes_max: u64,
    /// Journal files that exist.
    pub journal_files: u64,
    /// Bytes of the checkpoint's file.
    pub checkpoint_bytes: u64,
    /// Times that the lane went on in another journal file.
    pub switches: u64,
    /// Of these, times that the file had been used before.
    pub reuses: u64,
    /// Groups synced.
    pub groups: u64,
    /// Frames committed.
    pub frames: u64,
    /// Checkpoints finished.
    pub checkpoints: u64,
    /// Whether the disk had no space at the last try: for a further journal file, or for a checkpoint.
    pub full: bool,
}

/// What the store holds of one tenant, for whoever watches it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Held {
    /// Cold rows in the last checkpoint.
    pub rows: u64,
    /// Cold rows that were written or removed since, each counted once.
    pub rows_recent: u64,
    /// Frames newer than the checkpoint.
    pub tail_frames: u64,
    /// Their bytes in the journal.
    pub tail_bytes: u64,
}

/// What a store would take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Room {
    /// Any batch.
    Any,
    /// The tail is past three quarters of its bound: all but bulk work, which so leaves a quarter to the others
    /// while a checkpoint is taken.
    Tight,
    /// The disk is full: only batches that narrow.
    Full,
    /// The disk is full, and what is kept for batches that narrow is used up too: none.
    Nothing,
    /// The tail is close to its bound until the next checkpoint: only batches that narrow.
    Busy,
}

impl Room {
    /// LIMIT: a sixteenth of the bound is kept for batches on their way: 31,250 of 500,000 frames are
    /// 122 tenants with a batch of 256.
    pub(crate) const fn is_near(value: u64, bound: u64) -> bool {
        value >= bound - bound / 16
    }

    /// LIMIT: bulk work fills three quarters of the bound; a checkpoint is due from a half on.
    pub(crate) const fn is_tight(value: u64, bound: u64) -> bool {
        value >= bound - bound / 4
    }
}
