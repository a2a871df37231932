//! The keys of the store in memory.

use super::Memory;
use super::inner::Inner;
use crate::batch::{Batch, Head};
use crate::error::StorageError;
use crate::seal::{Draw, KeyHeld, PartKey, Sealing, Vault};
use crate::store::{BucketKind, Store as _};
use parking_lot::Mutex;
use std::sync::Arc;
use tessera_model::{SubjectIndex, TenantId};

/// The keys of a store that whoever asks has not locked.
pub(super) struct Vaulted {
    inner: Arc<Mutex<Inner>>,
    /// Nothing of it reaches a disk: it need not be secret.
    pub(super) draw: Draw,
}

impl Vaulted {
    pub(super) fn new(inner: Arc<Mutex<Inner>>) -> Self {
        Self { inner, draw: Draw::new(&[0; 32]) }
    }
}

impl Vault for Vaulted {
    fn held(&self, tenant: TenantId, owner: SubjectIndex) -> Result<KeyHeld, StorageError> {
        self.inner.lock().held(tenant, owner)
    }

    fn draw(&self, _tenant: TenantId) -> Result<(u32, Arc<PartKey>), StorageError> {
        let key = Arc::new(PartKey::new(self.draw.key()));
        let mut inner = self.inner.lock();
        inner.slots.push(Some(Arc::clone(&key)));
        let slot = u32::try_from(inner.slots.len() - 1).map_err(|_| StorageError::StorageFull)?;
        Ok((slot, key))
    }

    fn bear(&self, tenant: TenantId) -> Result<(), StorageError> {
        let keys = [self.draw.key(), self.draw.key(), self.draw.key()];
        self.inner.lock().bear(tenant, keys);
        Ok(())
    }
}

/// The keys of a store that whoever asks has locked: for reading.
pub(super) struct Within<'a>(pub(super) &'a Inner);

impl Vault for Within<'_> {
    fn held(&self, tenant: TenantId, owner: SubjectIndex) -> Result<KeyHeld, StorageError> {
        self.0.held(tenant, owner)
    }

    fn draw(&self, tenant: TenantId) -> Result<(u32, Arc<PartKey>), StorageError> {
        Err(StorageError::KeysMissing(tenant))
    }

    fn bear(&self, _tenant: TenantId) -> Result<(), StorageError> {
        Ok(())
    }
}

impl Sealing for Memory {
    fn batch(&self, head: &Head) -> Batch {
        let vault: Arc<dyn Vault> = Arc::<Vaulted>::clone(&self.vault);
        Batch::new(head, self.batch_bytes_max(), vault)
    }

    fn erase(
        &self,
        tenant: TenantId,
        subject: SubjectIndex,
        _bucket: (BucketKind, u32),
    ) -> Result<Vec<(BucketKind, u32)>, StorageError> {
        let mut inner = self.inner.lock();
        let slot = inner.slot_of(tenant, subject);
        if let Some(key) = slot.and_then(|slot| inner.slots.get_mut(slot)) {
            *key = None;
        }
        // Its buckets are not sealed: they are written anew with what is there.
        Ok(Vec::new())
    }

    fn finish_erasing(&self, _tenant: TenantId) -> Result<bool, StorageError> {
        Ok(true)
    }

    fn erased(&self, _tenant: TenantId) -> Result<(), StorageError> {
        Ok(())
    }

    fn erasing(&self) -> Result<Vec<TenantId>, StorageError> {
        Ok(Vec::new())
    }
}
