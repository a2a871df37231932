//! What a store does besides keeping: it seals what belongs to people, and forgets a person for ever.

use crate::batch::{Batch, Head};
use crate::error::StorageError;
use crate::store::BucketKind;
use tessera_model::{SubjectIndex, TenantId};

/// The part of a [`crate::Store`] that seals and erases.
pub trait Sealing {
    /// An empty batch that continues `head`, and holds as much as one may here ([`crate::Store::batch_bytes_max`]).
    /// Keys that its frames need and nobody has yet are made while it is filled: that may wait for the disk.
    fn batch(&self, head: &Head) -> Batch;

    /// Erases the key of a subject: nothing that is sealed under it opens any more, wherever it stands. What is
    /// private of it in buckets goes when these are put again: it tells which, and gives them another key then.
    /// `bucket` is the one of the subject itself. Repeated, it does the same again. Blocks.
    ///
    /// # Errors
    /// When the key file or the directory cannot be read or written; repeat it.
    fn erase(
        &self,
        tenant: TenantId,
        subject: SubjectIndex,
        bucket: (BucketKind, u32),
    ) -> Result<Vec<(BucketKind, u32)>, StorageError>;

    /// Behind [`Sealing::erase`], a put of the buckets that it told, and [`crate::Store::finish`]: erases the keys that they
    /// had before. False when one of them was not put yet. Blocks.
    ///
    /// # Errors
    /// As [`Sealing::erase`].
    fn finish_erasing(&self, tenant: TenantId) -> Result<bool, StorageError>;

    /// Nobody is left to be erased in a tenant, and its history says so: the next start need not go on with it.
    ///
    /// # Errors
    /// As [`Sealing::erase`].
    fn erased(&self, tenant: TenantId) -> Result<(), StorageError>;

    /// Tenants of which an erasure was begun and not finished.
    ///
    /// # Errors
    /// When the directory cannot be read.
    fn erasing(&self) -> Result<Vec<TenantId>, StorageError>;
}
