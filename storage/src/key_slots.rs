//! Single slots of the key file: the keys of subjects and of buckets, wrapped under a key of their tenant.
//!
//! That key is made of the root key and the tenant's sealing key: another root key makes another one, and what a medium
//! kept of a slot opens no more. Keys are made some at a time and before anybody needs them, so that a commit waits for
//! none; whose a key is, a row or the directory row says. One that is erased is zeros with a state that says so, in both
//! copies: nothing else counts as erased.

use crate::error::StorageError;
use crate::key_files::FILES;
use crate::keys::{Keys, SLOT_BYTES, STATE_ERASED, Slot, TENANT_SLOTS, associated, at, unwrapped, wrap};
use crate::record::{Field, Reader};
use crate::seal::damaged;
use std::io;
use tessera_crypto::{Key, digest};
use tessera_model::TenantId;

/// What one copy has at a slot.
enum Found {
    /// The key.
    Key(Key),
    /// It was erased.
    Erased,
    /// Nothing that opens.
    Wrong,
}

impl Keys {
    /// Makes `count` keys in slots behind one another, durable in both copies, and tells the first slot.
    pub(crate) fn make_slots(
        &self,
        tenant: TenantId,
        under: &Key,
        count: u32,
    ) -> Result<(u32, Vec<Key>), StorageError> {
        let mut inner = self.inner.lock();
        let count = count.next_multiple_of(TENANT_SLOTS);
        let first = inner.next;
        let (mut bytes, mut keys) = (Vec::new(), Vec::new());
        for slot in first..first.saturating_add(count) {
            let key = self.draw.key();
            wrap(under, self.draw.nonce(), &associated(tenant, slot), &key)?.put(&mut bytes);
            keys.push(key);
        }
        // A slot that was once tried is not used again, whatever came of it.
        inner.next = first.saturating_add(count);
        for copy in 0..FILES.len() {
            self.write(copy, first, &bytes)?;
        }
        Ok((first, keys))
    }

    /// Makes slots for keys of another store, durable in both copies, and tells the first; none stands for one that
    /// was erased.
    pub(crate) fn adopt_slots(
        &self,
        tenant: TenantId,
        under: &Key,
        keys: &[Option<Key>],
    ) -> Result<u32, StorageError> {
        let mut inner = self.inner.lock();
        let first = inner.next;
        let count = u32::try_from(keys.len()).unwrap_or(u32::MAX).next_multiple_of(TENANT_SLOTS);
        let mut bytes = Vec::new();
        let kept = keys.iter().map(Option::as_ref).chain(std::iter::repeat(None));
        for (slot, key) in (first..first.saturating_add(count)).zip(kept) {
            match key {
                Some(key) => wrap(under, self.draw.nonce(), &associated(tenant, slot), key)?.put(&mut bytes),
                None => bytes.extend_from_slice(&gone()),
            }
        }
        inner.next = first.saturating_add(count);
        for copy in 0..FILES.len() {
            self.write(copy, first, &bytes)?;
        }
        Ok(first)
    }

    pub(crate) fn write_unsynced(&self, copy: usize, slot: u32, bytes: &[u8]) -> Result<(), StorageError> {
        let (Some(file), Some(name)) = (self.files.get(copy), FILES.get(copy)) else { return Ok(()) };
        file.write_at(at(slot), bytes).map_err(StorageError::while_doing("writing", name))
    }

    pub(crate) fn sync(&self, copy: usize) -> Result<(), StorageError> {
        let (Some(file), Some(name)) = (self.files.get(copy), FILES.get(copy)) else { return Ok(()) };
        file.sync().map_err(StorageError::while_doing("syncing", name))
    }

    fn found(
        &self,
        copy: usize,
        (tenant, slot): (TenantId, u32),
        under: &Key,
    ) -> Result<Found, StorageError> {
        let (Some(file), Some(name)) = (self.files.get(copy), FILES.get(copy)) else {
            return Ok(Found::Wrong);
        };
        let mut bytes = [0; SLOT_BYTES];
        match file.read_at(at(slot), &mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Found::Wrong),
            read => read.map_err(StorageError::while_doing("reading", name))?,
        }
        if bytes[..] == gone()[..] {
            return Ok(Found::Erased);
        }
        let slot_read = Slot::take(&mut Reader::new(&bytes)).ok();
        let key = slot_read.and_then(|found| unwrapped(under, &associated(tenant, slot), &found));
        Ok(key.map_or(Found::Wrong, Found::Key))
    }

    /// The key at a slot of a tenant; `None` when it was erased. A copy that does not open is made of the other.
    pub(crate) fn key_at(
        &self,
        (tenant, slot): (TenantId, u32),
        under: &Key,
    ) -> Result<Option<Key>, StorageError> {
        let whose = (tenant, slot);
        match (self.found(0, whose, under)?, self.found(1, whose, under)?) {
            (Found::Erased, Found::Erased) => Ok(None),
            (Found::Erased, _) | (_, Found::Erased) => {
                // A crash came in between.
                self.erase_slots(&[slot])?;
                Ok(None)
            }
            (Found::Key(key), Found::Key(_)) => Ok(Some(key)),
            (Found::Key(_) | Found::Wrong, Found::Wrong) | (Found::Wrong, Found::Key(_)) => {
                self.mend(whose, under)
            }
        }
    }

    /// The key of the one copy that opens, of which the other is made. Nothing erased is written again:
    /// both copies are looked at once more while nobody erases.
    fn mend(&self, (tenant, slot): (TenantId, u32), under: &Key) -> Result<Option<Key>, StorageError> {
        let _nothing_is_erased = self.inner.lock();
        let whose = (tenant, slot);
        let (copy, key) = match (self.found(0, whose, under)?, self.found(1, whose, under)?) {
            (Found::Erased, _) | (_, Found::Erased) => return Ok(None),
            (Found::Key(key), Found::Key(_)) => return Ok(Some(key)),
            (Found::Key(key), Found::Wrong) => (1, key),
            (Found::Wrong, Found::Key(key)) => (0, key),
            (Found::Wrong, Found::Wrong) => {
                let what = format!("slot {slot}: a key does not open in either copy, and was not erased");
                return Err(damaged(&FILES.join(", "), what, tenant));
            }
        };
        let file = FILES.get(copy).copied().unwrap_or_default();
        tracing::warn!(%tenant, slot, file, "a copy of a key is damaged: it is made of the other");
        let mut bytes = Vec::with_capacity(SLOT_BYTES);
        wrap(under, self.draw.nonce(), &associated(tenant, slot), &key)?.put(&mut bytes);
        self.write(copy, slot, &bytes)?;
        Ok(Some(key))
    }

    /// The key that the slots of a tenant are wrapped under, of its sealing key.
    pub(crate) fn slots_key(&self, tenant: TenantId, sealing: &Key) -> Key {
        let parts: [&[u8]; 3] = [b"tessera slots v1", &tenant.0.to_le_bytes(), sealing.expose()];
        Key::new(digest::keyed(self.root.expose(), &parts))
    }

    /// Erases slots in place, in one copy and then in the other: a sync each, however many there are.
    pub(crate) fn erase_slots(&self, slots: &[u32]) -> Result<(), StorageError> {
        let _nothing_is_mended = self.inner.lock();
        let bytes = gone();
        for copy in 0..FILES.len() {
            slots.iter().try_for_each(|slot| self.write_unsynced(copy, *slot, &bytes))?;
            self.sync(copy)?;
        }
        Ok(())
    }
}

/// A slot that was erased.
pub(crate) fn gone() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SLOT_BYTES);
    Slot { nonce: [0; 12], wrapped: [0; 32], tag: [0; 16], state: STATE_ERASED }.put(&mut bytes);
    bytes
}
