//! Giving a tenant: what the checkpoint has of it, without what was given before.

use super::CopySink;
use super::piece::{Piece, Writer};
use crate::batch::Head;
use crate::checkpoint::read as table;
use crate::checkpoint::schema::{self, BUCKET, DirectoryRow, Of, ROW, SEAL_BYTES, SEGMENT};
use crate::embedded::Embedded;
use crate::error::StorageError;
use crate::keys::KeySlot;
use crate::seal::{KeyHeld, row as sealed_row};
use redb::ReadTransaction;
use std::collections::{BTreeMap, BTreeSet};
use tessera_crypto::Key;
use tessera_model::{Revision, RowKind, TenantId};

/// The tables of which a copy has entries, in the order in which they are given.
const COPIED: [(schema::Table, Of); 3] = [(SEGMENT, Of::Segment), (BUCKET, Of::Bucket), (ROW, Of::Row)];

/// What was given of a tenant so far. LIMIT: an entry takes some 100 bytes here while the tenant moves: 100 MB for
/// a million subjects with a row each.
#[derive(Default)]
pub struct Sent {
    /// Key → the hash of its value, and the pass that saw it last.
    entries: BTreeMap<(u8, Vec<u8>), ([u8; SEAL_BYTES], u32)>,
    sets: BTreeSet<(u8, u32)>,
    slots: BTreeSet<u32>,
    /// How many erasures there had been.
    erased: u64,
    pass: u32,
    /// Bytes of the last pass.
    last: u64,
}

impl Sent {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes that the last pass gave.
    #[must_use]
    pub const fn last_bytes(&self) -> u64 {
        self.last
    }

    /// How many erasures there had been when keys were looked at last.
    pub(super) const fn erased(&self) -> u64 {
        self.erased
    }

    /// Notes an entry that was given otherwise than by a scan.
    pub(super) fn note(&mut self, of: Of, key: &[u8], hash: [u8; SEAL_BYTES]) {
        self.entries.insert((of as u8, key.to_vec()), (hash, self.pass));
    }

    /// Notes that an entry was named as gone.
    pub(super) fn forget(&mut self, of: Of, key: &[u8]) {
        self.entries.remove(&(of as u8, key.to_vec()));
    }

    /// The entries that were given whose keys begin so.
    pub(super) fn under(&self, of: Of, prefix: &[u8]) -> Vec<Vec<u8>> {
        let from = (of as u8, prefix.to_vec());
        let within = |key: &&(u8, Vec<u8>)| key.0 == of as u8 && key.1.starts_with(prefix);
        self.entries
            .range(from..)
            .map(|(key, _)| key)
            .take_while(within)
            .map(|(_, key)| key.clone())
            .collect()
    }

    /// Whether a set of keys was given.
    pub(super) fn has_set(&self, set: &KeySlot) -> bool {
        self.sets.contains(&(set.number, set.slot))
    }

    /// Notes how much a pass gave.
    pub(super) const fn last(&mut self, bytes: u64) {
        self.last = bytes;
    }
}

/// Which store and tenant, at one moment.
pub(super) struct Leaving<'a> {
    pub(super) store: &'a Embedded,
    pub(super) transaction: &'a ReadTransaction,
    pub(super) tenant: TenantId,
    pub(super) out: Writer<'a>,
}

impl Leaving<'_> {
    /// Gives the sets of keys that were not given.
    fn sets(&mut self, row: &DirectoryRow, sent: &mut Sent) -> Result<(), StorageError> {
        for KeySlot { number, slot } in self.store.key_slots(self.tenant, &row.keys)? {
            if sent.sets.contains(&(number, slot)) {
                continue;
            }
            if let Some(keys) = self.store.keys.open_at(self.tenant, slot)? {
                self.out.piece(&Piece::Set(number, keys))?;
                sent.sets.insert((number, slot));
            }
        }
        Ok(())
    }

    pub(super) fn key(&self, slot: u32) -> Result<Option<Key>, StorageError> {
        Ok(match self.store.safe.key_at(self.tenant, slot)? {
            KeyHeld::Key(key) => Some(key.sealing().clone()),
            KeyHeld::Erased | KeyHeld::Never => None,
        })
    }

    pub(super) fn slot(&mut self, slot: u32, key: Option<Key>, sent: &mut Sent) -> Result<(), StorageError> {
        self.out.piece(&Piece::Slot(slot, key))?;
        sent.slots.insert(slot);
        Ok(())
    }

    /// Gives the keys of buckets and subjects that were not given, and those of which some were erased since; those
    /// that nothing names any more are erased there, too.
    fn slots(&mut self, row: &DirectoryRow, sent: &mut Sent) -> Result<(), StorageError> {
        let erased = self.store.safe.erasures(self.tenant);
        let again = std::mem::replace(&mut sent.erased, erased) != erased;
        let mut named: BTreeSet<u32> = row.buckets.iter().map(|listed| listed.key).collect();
        for slot in named.iter().copied().filter(|slot| *slot != 0) {
            if !sent.slots.contains(&slot) {
                // Without its key a bucket could not be read there.
                let key = self.key(slot)?;
                let key = key.ok_or(StorageError::BadCopy("a bucket got another key meanwhile"))?;
                self.slot(slot, Some(key), sent)?;
            }
        }
        let mut slots = Vec::new();
        let prefix = schema::row_key(self.tenant, RowKind::SubjectKey, &[]);
        table::scan(self.transaction, ROW, &prefix, &mut |key, value| {
            let fault = |_| table::damage(Of::Row, "a key's row does not read", Some(self.tenant));
            let read = table::decode_row(key, value).map_err(fault)?;
            let slot = read.value.as_ref().and_then(sealed_row::slot_in);
            named.extend(slot);
            slots.extend(slot.filter(|slot| again || !sent.slots.contains(slot)));
            Ok(true)
        })?;
        for slot in slots {
            let key = self.key(slot)?;
            self.slot(slot, key, sent)?;
        }
        let unnamed: Vec<u32> = sent.slots.difference(&named).copied().collect();
        for slot in unnamed {
            self.out.piece(&Piece::Slot(slot, None))?;
            sent.slots.remove(&slot);
        }
        Ok(())
    }

    /// Gives the entries that were not given as they are, and names those that are gone.
    fn entries(&mut self, sent: &mut Sent) -> Result<(), StorageError> {
        let Sent { entries, pass, .. } = sent;
        for (from, of) in COPIED {
            table::scan(self.transaction, from, &schema::tenant_key(self.tenant), &mut |key, value| {
                let hash = value.last_chunk::<SEAL_BYTES>().copied().unwrap_or_default();
                let known = entries.get_mut(&(of as u8, key.to_vec()));
                if let Some((sent, seen)) = known
                    && *sent == hash
                {
                    // It was verified when it was given.
                    *seen = *pass;
                    return Ok(true);
                }
                schema::open(of, key, value).map_err(table::fault(of, self.tenant))?;
                entries.insert((of as u8, key.to_vec()), (hash, *pass));
                self.out.piece(&Piece::Put(of, key, value))?;
                Ok(true)
            })?;
        }
        let gone: Vec<_> =
            entries.iter().filter(|(_, (_, seen))| seen != pass).map(|(key, _)| key.clone()).collect();
        for (of, key) in gone {
            if let Some(of) = Of::from_number(of) {
                self.out.piece(&Piece::Gone(of, &key))?;
            }
            entries.remove(&(of, key));
        }
        Ok(())
    }
}

impl Embedded {
    pub(super) fn copy_tenant(
        &self,
        tenant: TenantId,
        sent: &mut Sent,
        sink: CopySink<'_>,
    ) -> Result<Head, StorageError> {
        if self.shared.checkpoint.is_pending(tenant) {
            self.drop_rows(self.shared.checkpoint.flush_now()?);
        }
        let transaction = self.shared.checkpoint.snapshot()?;
        table::guarded(|| {
            let row = table::kept(table::directory(&transaction, tenant)?);
            let row = row.ok_or(StorageError::TenantUnknown(tenant))?;
            sent.pass += 1;
            let out = Writer::new(sink);
            let mut leaving = Leaving { store: self, transaction: &transaction, tenant, out };
            leaving.sets(&row, sent)?;
            leaving.slots(&row, sent)?;
            leaving.entries(sent)?;
            let head = table::head_of(tenant, &row);
            leaving.out.piece(&Piece::Row(Box::new(row)))?;
            leaving.out.flush()?;
            sent.last = leaving.out.bytes;
            Ok(head)
        })
    }

    pub(super) fn frame_at(
        &self,
        tenant: TenantId,
        revision: Revision,
    ) -> Result<Option<Vec<u8>>, StorageError> {
        let mut found = None;
        self.walk_from(tenant, (revision, 1), &mut |view| {
            if view.head.revision < revision {
                return Ok(true);
            }
            let mut frame = Vec::new();
            view.put_history(&mut frame);
            found = (view.head.revision == revision).then_some(frame);
            Ok(false)
        })?;
        Ok(found)
    }
}
