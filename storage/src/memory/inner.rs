//! What the store in memory holds, and how a batch gets into it.

use super::FILE;
use crate::batch::{Batch, Durable, Head};
use crate::error::StorageError;
use crate::record::frame::{Form, FrameView};
use crate::seal::{self, KeyHeld, PartKey};
use crate::store::{Bucket, BucketKind, FIRST_REFRESH_KEY};
use crate::usage::Usage;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tessera_crypto::Key;
use tessera_model::{Private, Revision, Row, RowKind, SubjectIndex, TenantId};

/// One tenant.
pub(super) struct Kept {
    pub(super) head: Head,
    /// Lane sequence and bytes of each frame, from revision 0 on.
    pub(super) frames: Vec<(u64, Vec<u8>)>,
    pub(super) rows: BTreeMap<(RowKind, Vec<u8>), (Option<Private>, Revision)>,
    pub(super) buckets: BTreeMap<(BucketKind, u32), Bucket>,
    /// What the buckets hold: everything before this revision.
    pub(super) upto: Revision,
}

/// A tenant's keys.
pub(super) struct Keys {
    pub(super) index: Key,
    pub(super) refresh: BTreeMap<u8, Key>,
    pub(super) sealing: Arc<PartKey>,
}

/// All of it, behind one lock.
#[derive(Default)]
pub(super) struct Inner {
    pub(super) tenants: BTreeMap<TenantId, Kept>,
    pub(super) forgotten: BTreeSet<TenantId>,
    pub(super) keys: BTreeMap<TenantId, Keys>,
    /// Keys of subjects by their slots; those that were erased are none.
    pub(super) slots: Vec<Option<Arc<PartKey>>>,
    pub(super) sequence: u64,
    pub(super) covered: u64,
    pub(super) usage: Usage,
    pub(super) stopped: bool,
}

impl Inner {
    /// Takes the keys of a tenant, unless it has some.
    pub(super) fn bear(&mut self, tenant: TenantId, [index, refresh, sealing]: [Key; 3]) {
        self.keys.entry(tenant).or_insert_with(|| Keys {
            index,
            refresh: BTreeMap::from([(FIRST_REFRESH_KEY, refresh)]),
            sealing: Arc::new(PartKey::new(sealing)),
        });
    }

    /// The slot of a subject's key.
    pub(super) fn slot_of(&self, tenant: TenantId, owner: SubjectIndex) -> Option<usize> {
        let row = (RowKind::SubjectKey, Row::subject_key(owner, &[]));
        let (value, _) = self.tenants.get(&tenant)?.rows.get(&row)?;
        usize::try_from(seal::row::slot_in(value.as_ref()?)?).ok()
    }

    /// The key of an owner.
    pub(super) fn held(&self, tenant: TenantId, owner: SubjectIndex) -> Result<KeyHeld, StorageError> {
        if owner == seal::TENANT {
            let keys = self.keys.get(&tenant).ok_or(StorageError::KeysMissing(tenant))?;
            return Ok(KeyHeld::Key(Arc::clone(&keys.sealing)));
        }
        Ok(match self.slot_of(tenant, owner).and_then(|slot| self.slots.get(slot)) {
            None => KeyHeld::Never,
            Some(None) => KeyHeld::Erased,
            Some(Some(key)) => KeyHeld::Key(Arc::clone(key)),
        })
    }

    pub(super) fn kept(&self, tenant: TenantId) -> Result<&Kept, StorageError> {
        self.tenants.get(&tenant).ok_or(StorageError::TenantUnknown(tenant))
    }

    pub(super) fn commit(&mut self, batch: Batch, tail_frames_max: u64) -> Result<Durable, StorageError> {
        let tenant = batch.tenant();
        if self.stopped {
            return Err(StorageError::LaneStopped);
        }
        let known = self.tenants.get(&tenant).map(|kept| kept.head);
        let before = *batch.head_before();
        let in_order = if batch.is_own_birth() { known.is_none() } else { known == Some(before) };
        let fresh =
            |head: &Head| !self.tenants.contains_key(&head.tenant) && !self.forgotten.contains(&head.tenant);
        if !in_order || !batch.births.iter().all(fresh) {
            let expected = known.map_or(Revision(0), |head| head.next);
            return Err(StorageError::OutOfOrder { tenant, expected });
        }
        if self.usage.tail_frames >= tail_frames_max && !batch.narrowing {
            return Err(StorageError::Busy);
        }
        for head in &batch.births {
            let kept = Kept {
                head: *head,
                frames: Vec::new(),
                rows: BTreeMap::new(),
                buckets: BTreeMap::new(),
                upto: Revision(0),
            };
            self.tenants.insert(head.tenant, kept);
        }
        for span in &batch.spans {
            self.sequence += 1;
            let bytes = batch.frames.get(span.start..span.start + span.len).unwrap_or_default();
            self.usage.tail_bytes += bytes.len() as u64;
            if let Some(kept) = self.tenants.get_mut(&span.tenant) {
                kept.frames.push((self.sequence, bytes.to_vec()));
            }
        }
        self.usage.frames += batch.spans.len() as u64;
        self.usage.tail_frames += batch.spans.len() as u64;
        self.usage.groups += 1;
        let after = batch.head_after();
        for (tenant, revision, row) in batch.rows {
            if let Some(kept) = self.tenants.get_mut(&tenant) {
                if row.is_gone() {
                    kept.rows.retain(|(kind, key), _| *kind != row.kind || !key.starts_with(&row.key));
                }
                kept.rows.insert((row.kind, row.key), (row.value, revision));
            }
        }
        if let Some(kept) = self.tenants.get_mut(&tenant) {
            kept.head = after;
        }
        Ok(Durable::new(after, self.sequence))
    }

    pub(super) fn walk(
        kept: &Kept,
        from: Revision,
        sink: &mut dyn FnMut(&FrameView<'_>) -> Result<bool, StorageError>,
    ) -> Result<(), StorageError> {
        let tenant = kept.head.tenant;
        let damaged = |what| StorageError::damaged(FILE, 0, what, tenant);
        let mut link = [0; 32];
        for (at, (_, bytes)) in kept.frames.iter().enumerate() {
            let (view, _) = FrameView::read(bytes, Form::Journal).map_err(|error| damaged(error.text()))?;
            if let Some(genesis) = view.genesis().map_err(|error| damaged(error.text()))? {
                link = genesis;
            }
            if !view.holds(&link, Form::Journal) || view.head.revision.0 != at as u64 {
                return Err(damaged("a link does not hold"));
            }
            link = view.link;
            if view.head.revision >= from && !sink(&view)? {
                break;
            }
        }
        Ok(())
    }
}

/// Whether it has frames behind what is covered.
pub(super) fn has_tail(kept: &Kept, covered: u64) -> bool {
    kept.frames.last().is_some_and(|(sequence, _)| *sequence > covered)
}
