//! Erasing a subject: its key first, then the keys of the buckets that still held something private of it.

use super::Embedded;
use crate::batch::{Batch, Head};
use crate::checkpoint::read::kept;
use crate::checkpoint::schema::{self, ERASING_KEY, Erasing, META, Of, SCHEMA};
use crate::error::StorageError;
use crate::seal::vault::Safe;
use crate::seal::{Sealing, Vault};
use crate::store::{BucketKind, Store};
use std::sync::Arc;
use tessera_model::{SubjectIndex, TenantId};

impl Sealing for Embedded {
    fn batch(&self, head: &Head) -> Batch {
        let vault: Arc<dyn Vault> = Arc::<Safe>::clone(&self.safe);
        Batch::new(head, self.batch_bytes_max(), vault)
    }

    fn erase(
        &self,
        tenant: TenantId,
        subject: SubjectIndex,
        bucket: (BucketKind, u32),
    ) -> Result<Vec<(BucketKind, u32)>, StorageError> {
        self.erase_subject(tenant, subject, bucket)
    }

    fn finish_erasing(&self, tenant: TenantId) -> Result<bool, StorageError> {
        self.erase_replaced(tenant)
    }

    fn erased(&self, tenant: TenantId) -> Result<(), StorageError> {
        self.note_erasing(tenant, false)
    }

    fn erasing(&self) -> Result<Vec<TenantId>, StorageError> {
        Ok(self.erasing_now()?.tenants)
    }
}

impl Embedded {
    /// Erases the key of a subject, and tells the buckets that must be put again with another key: its own, and
    /// all that are sealed and not about subjects alone, for earlier versions of them may have spoken of it. What was
    /// taken of them before, and is put later, does not count.
    pub(super) fn erase_subject(
        &self,
        tenant: TenantId,
        subject: SubjectIndex,
        own: (BucketKind, u32),
    ) -> Result<Vec<(BucketKind, u32)>, StorageError> {
        self.note_erasing(tenant, true)?;
        {
            let _no_backup_is_cut = self.erasing.lock();
            self.safe.erase(tenant, subject)?;
        }
        // The frame that begins the erasure is durable: state as of this position holds nothing of it.
        let head = self.shared.head(tenant)?.ok_or(StorageError::TenantUnknown(tenant))?;
        self.safe.clean_from(tenant, head.next);
        // What waits for its transaction is listed nowhere yet.
        self.drop_rows(self.shared.checkpoint.flush_now()?);
        let row = kept(self.shared.checkpoint.directory(tenant)?);
        let sealed = row.iter().flat_map(|row| &row.buckets).filter(|listed| listed.key != 0);
        let names = sealed.map(|listed| (listed.kind, listed.no));
        let names = names.filter(|name| name.0 != BucketKind::Subjects || *name == own).chain([own]);
        Ok(self.safe.renew(tenant, names, head.next))
    }

    /// Erases the keys that buckets of a tenant had before, once all of them have others on disk.
    pub(super) fn erase_replaced(&self, tenant: TenantId) -> Result<bool, StorageError> {
        if self.safe.has_old(tenant) || self.shared.checkpoint.is_pending(tenant) {
            return Ok(false);
        }
        let row = kept(self.shared.checkpoint.directory(tenant)?);
        self.erase_old_keys(row.as_ref().map_or(&[], |row| &row.old_keys))?;
        Ok(true)
    }

    /// Whose erasures are not finished.
    pub(super) fn erasing_now(&self) -> Result<Erasing, StorageError> {
        let found = self.shared.checkpoint.value(META, Of::Meta, ERASING_KEY)?;
        Ok(found.unwrap_or(Erasing { schema: SCHEMA, tenants: Vec::new() }))
    }

    /// Notes that an erasure is begun in a tenant, or that none is left: the next start goes on with it.
    fn note_erasing(&self, tenant: TenantId, begun: bool) -> Result<(), StorageError> {
        let _one = self.noting.lock();
        let mut found = self.erasing_now()?;
        if found.tenants.contains(&tenant) == begun {
            return Ok(());
        }
        found.tenants.retain(|noted| *noted != tenant);
        found.tenants.extend(begun.then_some(tenant));
        let value = schema::encode(Of::Meta, ERASING_KEY, &found);
        self.shared.checkpoint.write_now(&[(META, ERASING_KEY.to_vec(), Some(value))])
    }

    /// Erases the keys that buckets had before; the directory row that says so is on disk.
    pub(super) fn erase_old_keys(&self, slots: &[u32]) -> Result<(), StorageError> {
        if slots.is_empty() {
            return Ok(());
        }
        let _no_backup_is_cut = self.erasing.lock();
        self.keys.erase_slots(slots)
    }
}
