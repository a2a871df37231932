//! The `Store` trait: what a storage engine is to the engine above it, and the words it speaks in.

use crate::backup::Backups;
use crate::batch::{Batch, Head};
pub use crate::bucket::{Bucket, BucketKind, Image, Placed};
use crate::checkpoint::scrub::{Scrub, Scrubbed};
use crate::commit::Commit;
use crate::error::{Damage, StorageError};
use crate::moving::Moves;
use crate::seal::Sealing;
use crate::usage::{Held, Room, Usage};
use std::future::Future;
use std::pin::Pin;
use tessera_crypto::Key;
use tessera_model::{
    Caller, CommandId, CommandKind, Epoch, Event, Place, Private, Revision, RowKind, TenantId, UnixMillis,
};

/// One part of a tenant's state on its way back into memory.
#[derive(Clone, Debug)]
pub enum Replay {
    /// A bucket of the checkpoint. All buckets come before the first frame.
    Bucket(Bucket),
    /// A frame of the tail, in the order of revisions.
    Frame(FrameRead),
}

/// A frame as it was committed, its link verified.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameRead {
    /// Whose.
    pub tenant: TenantId,
    /// Its position.
    pub revision: Revision,
    /// The life of the history it belongs to.
    pub epoch: Epoch,
    /// What was ordered.
    pub kind: CommandKind,
    /// The command's id.
    pub id: CommandId,
    /// Eight hash bytes of caller and command.
    pub fingerprint: u64,
    /// Who ordered it.
    pub caller: Caller,
    /// The node's time when it was decided.
    pub wall: UnixMillis,
    /// What happened.
    pub events: Vec<Event>,
    /// The chain's link up to and with this frame.
    pub link: [u8; 32],
}

/// A cold row as read: its value, and the revision that wrote it (0 when it never was).
#[derive(Clone, Default)]
pub struct RowRead {
    /// The value; `None` when there is no such row.
    pub value: Option<Private>,
    /// The revision of the write or removal that was read.
    pub revision: Revision,
}

/// A point of the lane that a checkpoint is to cover.
#[derive(Clone, Debug)]
pub struct Cut {
    /// The sequence of the last frame that it covers.
    pub sequence: u64,
    /// The tenants with frames up to there that no checkpoint covers: each must be put.
    pub tenants: Vec<TenantId>,
    /// The hash of the group that the cut stands behind.
    pub(crate) hash: [u8; 32],
}

/// What a walk over a tenant's whole history found: every link holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verified {
    /// Frames seen, from revision 0 on.
    pub frames: u64,
    /// The link of the last.
    pub link: [u8; 32],
    /// The node's time in the last; 0 where there is none.
    pub last: UnixMillis,
}

/// The keys of one tenant. No `Debug`, no `==`.
pub struct TenantKeys {
    /// Keys the hash of identifiers.
    pub index: Key,
    /// Key the macs of refresh handles: each with its number, in the order of numbers.
    pub refresh: Vec<(u8, Key)>,
}

/// The number of the refresh key that a tenant is born with.
pub const FIRST_REFRESH_KEY: u8 = 1;

/// A storage engine: journal, checkpoint and history of every tenant of this node.
pub trait Store: Backups + Moves + Sealing + Send + Sync + 'static {
    /// Hands a batch to the lane. One batch of a tenant may be in flight.
    fn commit(&self, batch: Batch) -> Commit;

    /// Bytes that a batch may have here ([`Batch::len_bytes`]); a larger one is refused.
    fn batch_bytes_max(&self) -> usize;

    /// The tenant's head: durable, and the one its next batch must start from.
    ///
    /// # Errors
    /// When its directory row cannot be read or is damaged.
    fn head(&self, tenant: TenantId) -> Result<Option<Head>, StorageError>;

    /// Gives the tenant's buckets, then the frames behind them, to `sink`. `None` for an unknown tenant.
    /// Waits first until no batch of the tenant is in flight, and blocks: not for a runtime's thread.
    ///
    /// # Errors
    /// When anything reads wrong; what `sink` took until then must be thrown away.
    fn load(&self, tenant: TenantId, sink: &mut dyn FnMut(Replay)) -> Result<Option<Head>, StorageError>;

    /// One cold row.
    ///
    /// # Errors
    /// When it reads wrong.
    fn row(&self, tenant: TenantId, kind: RowKind, key: &[u8]) -> Result<RowRead, StorageError>;

    /// The first `limit` cold rows whose key begins with `prefix`, in the order of keys.
    ///
    /// # Errors
    /// When one reads wrong.
    fn rows(
        &self,
        tenant: TenantId,
        kind: RowKind,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Private)>, StorageError>;

    /// One place of a sleeping tenant, from its bucket alone (the tail is not looked at).
    ///
    /// # Errors
    /// When the bucket reads wrong.
    fn place(&self, tenant: TenantId, place: Place) -> Result<Placed, StorageError>;

    /// Tenants with frames that no checkpoint covers.
    fn with_tail(&self) -> Vec<TenantId>;

    /// Whether the tenant has frames that no checkpoint covers.
    fn has_tail(&self, tenant: TenantId) -> bool;

    /// Whether the tail has passed half of its bound, so that a checkpoint is wanted.
    fn due(&self) -> bool;

    /// How much is held of a tenant; nothing of one that is not there, and of a store that does not count. It reads the counts of cold rows, one for
    /// 64 subjects: not for a runtime's thread.
    ///
    /// # Errors
    /// When they cannot be read.
    fn held(&self, _tenant: TenantId) -> Result<Held, StorageError> {
        Ok(Held::default())
    }

    /// The lane's present end, for a checkpoint to cover.
    fn cut(&self) -> Cut;

    /// Takes a tenant's dirty buckets for the checkpoint, with its rows and history up to `head`, which
    /// must be durable. All of them become durable together, at the latest with [`Store::finish`].
    ///
    /// # Errors
    /// When they cannot be written. Nothing is lost: put them again.
    fn put(&self, tenant: TenantId, head: &Head, buckets: Vec<Bucket>) -> Result<(), StorageError>;

    /// Puts the frames of a tenant aside that no actor can take into buckets, so that nobody else waits
    /// for it: they stand beside its buckets as they are, and a load reads them from there.
    ///
    /// # Errors
    /// When they cannot be written. Nothing is lost: do it again.
    fn set_aside(&self, tenant: TenantId) -> Result<(), StorageError>;

    /// The damage that the start found, and whom it concerns: those tenants are refused.
    fn damaged(&self) -> Vec<Damage>;

    /// Ends a checkpoint: everything put is durable, then the cut counts as covered and its files are free.
    /// What is left of refused tenants was set aside before.
    ///
    /// # Errors
    /// [`StorageError::CheckpointIncomplete`] when a tenant of the cut was not put; otherwise when it
    /// cannot be written. Nothing is lost: finish it again.
    fn finish(&self, cut: &Cut) -> Result<(), StorageError>;

    /// Frames of the tenant's history from `from` on, at most `limit`, and one at least where there is one: behind some
    /// 4 MiB the next call goes on. `usize::MAX` gives all of them, whatever they take.
    ///
    /// # Errors
    /// When one reads wrong.
    fn history(&self, tenant: TenantId, from: Revision, limit: usize)
    -> Result<Vec<FrameRead>, StorageError>;

    /// Walks the tenant's whole chain.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] at the first link that does not hold.
    fn verify(&self, tenant: TenantId) -> Result<Verified, StorageError>;

    /// Looks at a part of what is kept for checkpoints and history, some `bytes_max` bytes behind `from`,
    /// whether it is still what was written. Blocks: not for a runtime's thread.
    ///
    /// # Errors
    /// When nothing can be read any more; what reads wrong is part of the answer.
    fn scrub(&self, _from: &Scrub, _bytes_max: u64) -> Result<Scrubbed, StorageError> {
        // A store without files has nothing that could change under it.
        Ok(Scrubbed::default())
    }

    /// Whether something of a tenant is here that [`Store::forget`] would remove. May wait for the disk.
    ///
    /// # Errors
    /// When the directory cannot be read.
    fn is_kept(&self, tenant: TenantId) -> Result<bool, StorageError>;

    /// Removes everything of a deleted tenant: buckets, rows, history, keys. Its id stays refused. Does
    /// nothing when that is done.
    ///
    /// # Errors
    /// When it cannot be written; repeat it.
    fn forget(&self, tenant: TenantId) -> Result<(), StorageError>;

    /// The tenant's keys.
    ///
    /// # Errors
    /// [`StorageError::KeysMissing`], or when they do not open.
    fn tenant_keys(&self, tenant: TenantId) -> Result<TenantKeys, StorageError>;

    /// Makes the tenant's keys of the entropy (index, refresh), wrapped under the nonces; durable before
    /// it returns. A tenant that has keys keeps them.
    ///
    /// # Errors
    /// When they cannot be written.
    fn make_tenant_keys(
        &self,
        tenant: TenantId,
        entropy: &[u8; 64],
        nonces: &[u8; 24],
    ) -> Result<(), StorageError>;

    /// Makes one more refresh key, wrapped under the nonces; durable before it returns. A key that the
    /// number has already, which nobody can have used, is erased first.
    ///
    /// # Errors
    /// [`StorageError::KeysMissing`], or when it cannot be written.
    fn make_refresh_key(
        &self,
        tenant: TenantId,
        number: u8,
        key: &[u8; 32],
        nonces: &[u8; 24],
    ) -> Result<(), StorageError>;

    /// Erases every refresh key whose number is not named. With none of those named there, nothing is
    /// erased: the tenant's other keys stand beside its refresh keys.
    ///
    /// # Errors
    /// When one cannot be erased; repeat it.
    fn keep_refresh_keys(&self, tenant: TenantId, numbers: &[u8]) -> Result<(), StorageError>;

    /// What it would take now. Asked before a batch is decided, so that nothing is decided in vain; it
    /// says Busy a little before the tail's bound, for the batches that are on their way.
    fn room(&self) -> Room;

    /// What is held and was done.
    fn usage(&self) -> Usage;

    /// Whether a prepared file could not be written or synced: nothing more is acknowledged, and the
    /// process must end with exit code 75.
    fn failed(&self) -> bool;

    /// Resolves once [`Store::failed`] holds.
    fn until_failed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// Commits what waits, writes a closing group and stops. Later commits get `LaneStopped`.
    fn stop(&self);
}
