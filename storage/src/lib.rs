//! What the house remembers: a journal that is the commit, a checkpoint beside it, chains over both.
//!
//! The engine hands each tenant's batch to a [`Store`] and gets a [`Durable`] back: the proof without
//! which nothing is published. [`Embedded`] keeps everything in one directory: a lane writes groups of
//! frames to preallocated journal files, one write and one sync each; a checkpoint moves state, cold
//! rows and history into one redb file and frees the journal. [`Memory`] gives the same answers
//! without a disk. The byte formats stand in docs/file.md.

mod around;
mod backup;
mod batch;
mod bucket;
mod chain;
mod checkpoint;
mod commit;
pub mod disk;
mod embedded;
mod error;
#[cfg(test)]
mod fuzz;
mod intake;
mod journal;
mod key_files;
mod key_sets;
mod key_slots;
mod keys;
mod lane;
mod memory;
mod moving;
mod planted;
mod record;
mod recover;
mod root_key;
mod rotate;
mod seal;
mod store;
mod tail;
mod usage;

pub use around::Around;
pub use backup::{
    Backup, BackupErased, Backups, Checked, Inspected, InspectedTenant, Progress, Restored, Taken, inspect,
    try_root_key,
};
pub use batch::{Batch, Durable, Head, Staged};
pub use checkpoint::FILE as CHECKPOINT_FILE;
pub use checkpoint::scrub::{Scrub, Scrubbed};
pub use commit::Commit;
pub use embedded::{Drive, Embedded, Options};
pub use error::{Damage, StorageError};
pub use key_files::FILES as KEY_FILES;
pub use memory::Memory;
pub use moving::{Adopted, Arrival, Arriving, CopySink, Moves, Opens, Sent};
pub use root_key::RootKey;
pub use rotate::{rotate_root, rotate_root_on};
pub use seal::Sealing;
pub use store::{
    Bucket, BucketKind, Cut, FIRST_REFRESH_KEY, FrameRead, Image, Placed, Replay, RowRead, Store, TenantKeys,
    Verified,
};
pub use usage::{Held, Room, Usage};
