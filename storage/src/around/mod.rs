//! A store around another one: what measures, spies or plants faults says what it does otherwise, and nothing else.

mod store;

use crate::backup::{Backups, Progress, Taken};
use crate::batch::{Batch, Head};
use crate::bucket::{Bucket, BucketKind};
use crate::commit::Commit;
use crate::error::StorageError;
use crate::moving::{Adopted, Arrival, Arriving, CopySink, Moves, Opens, Sent};
use crate::seal::Sealing;
use crate::store::{Replay, Store};
use crate::usage::Room;
use tessera_model::record::TenantRecord;
use tessera_model::{Epoch, Revision, SubjectIndex, TenantId, UnixMillis};

/// A store around another one, which answers all that is not answered here.
pub trait Around: Send + Sync + 'static {
    /// The other one.
    fn inner(&self) -> &dyn Store;

    /// As [`Store::load`].
    ///
    /// # Errors
    /// As there.
    fn loads(&self, tenant: TenantId, sink: &mut dyn FnMut(Replay)) -> Result<Option<Head>, StorageError> {
        self.inner().load(tenant, sink)
    }

    /// As [`Store::commit`].
    fn commits(&self, batch: Batch) -> Commit {
        self.inner().commit(batch)
    }

    /// As [`Store::due`].
    fn is_due(&self) -> bool {
        self.inner().due()
    }

    /// As [`Store::put`].
    ///
    /// # Errors
    /// As there.
    fn puts(&self, tenant: TenantId, head: &Head, buckets: Vec<Bucket>) -> Result<(), StorageError> {
        self.inner().put(tenant, head, buckets)
    }

    /// As [`Store::forget`].
    ///
    /// # Errors
    /// As there.
    fn forgets(&self, tenant: TenantId) -> Result<(), StorageError> {
        self.inner().forget(tenant)
    }

    /// As [`Store::room`].
    fn has_room(&self) -> Room {
        self.inner().room()
    }
}

impl<T: Around> Backups for T {
    fn backup(&self, name: &str, made: UnixMillis, progress: &Progress) -> Result<Taken, StorageError> {
        self.inner().backup(name, made, progress)
    }
}

impl<T: Around> Sealing for T {
    fn batch(&self, head: &Head) -> Batch {
        self.inner().batch(head)
    }

    fn erase(
        &self,
        tenant: TenantId,
        subject: SubjectIndex,
        bucket: (BucketKind, u32),
    ) -> Result<Vec<(BucketKind, u32)>, StorageError> {
        self.inner().erase(tenant, subject, bucket)
    }

    fn finish_erasing(&self, tenant: TenantId) -> Result<bool, StorageError> {
        self.inner().finish_erasing(tenant)
    }

    fn erased(&self, tenant: TenantId) -> Result<(), StorageError> {
        self.inner().erased(tenant)
    }

    fn erasing(&self) -> Result<Vec<TenantId>, StorageError> {
        self.inner().erasing()
    }
}

impl<T: Around> Moves for T {
    fn copy_out(&self, tenant: TenantId, sent: &mut Sent, sink: CopySink<'_>) -> Result<Head, StorageError> {
        self.inner().copy_out(tenant, sent, sink)
    }

    fn copy_last(
        &self,
        from: &Head,
        sent: &mut Sent,
        sink: CopySink<'_>,
    ) -> Result<Option<Head>, StorageError> {
        self.inner().copy_last(from, sent, sink)
    }

    fn frame(&self, tenant: TenantId, revision: Revision) -> Result<Option<Vec<u8>>, StorageError> {
        self.inner().frame(tenant, revision)
    }

    fn begin_arrival(&self, tenant: TenantId) -> Result<Arrival, StorageError> {
        self.inner().begin_arrival(tenant)
    }

    fn take_arrival(&self, arrival: &mut Arrival, chunk: &[u8]) -> Result<(), StorageError> {
        self.inner().take_arrival(arrival, chunk)
    }

    fn load_arrival(
        &self,
        arrival: &Arrival,
        from: Option<Revision>,
        sink: &mut dyn FnMut(Replay),
    ) -> Result<Option<Head>, StorageError> {
        self.inner().load_arrival(arrival, from, sink)
    }

    fn end_arrival(&self, arrival: &mut Arrival, epoch: Epoch) -> Result<Head, StorageError> {
        self.inner().end_arrival(arrival, epoch)
    }

    fn arrived(&self, tenant: TenantId) -> Result<Option<Head>, StorageError> {
        self.inner().arrived(tenant)
    }

    fn open_arrival(&self, tenant: TenantId, frame: &[u8], opens: Opens<'_>) -> Result<Head, StorageError> {
        self.inner().open_arrival(tenant, frame, opens)
    }

    fn note_arrival(&self, record: &TenantRecord, adopted: Adopted<'_>) -> Result<(), StorageError> {
        self.inner().note_arrival(record, adopted)
    }

    fn arrivals(&self, adopted: Adopted<'_>) -> Result<Vec<Arriving>, StorageError> {
        self.inner().arrivals(adopted)
    }

    fn claim(&self, tenant: TenantId, epoch: Epoch) -> Result<Head, StorageError> {
        self.inner().claim(tenant, epoch)
    }

    fn drop_arrival(&self, tenant: TenantId) -> Result<(), StorageError> {
        self.inner().drop_arrival(tenant)
    }
}
