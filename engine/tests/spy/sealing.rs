//! Keys and erasures of the store that tells when it is asked.

use super::Spy;
use tessera_model::{SubjectIndex, TenantId};
use tessera_storage::{Batch, BucketKind, Head, Sealing, StorageError};

impl Sealing for Spy {
    fn batch(&self, head: &Head) -> Batch {
        self.inner.batch(head)
    }
    fn erase(
        &self,
        tenant: TenantId,
        subject: SubjectIndex,
        bucket: (BucketKind, u32),
    ) -> Result<Vec<(BucketKind, u32)>, StorageError> {
        self.inner.erase(tenant, subject, bucket)
    }
    fn finish_erasing(&self, tenant: TenantId) -> Result<bool, StorageError> {
        self.inner.finish_erasing(tenant)
    }
    fn erasing(&self) -> Result<Vec<TenantId>, StorageError> {
        self.inner.erasing()
    }
}
