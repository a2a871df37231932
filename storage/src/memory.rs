//! A store in memory: the same frames, chains and answers as on disk, gone with the process.
//!
//! For simulations, tests of the engine and benches that measure what a disk would hide.

use crate::batch::{Batch, Durable, Head};
use crate::commit::Commit;
use crate::error::StorageError;
use crate::record::bucket::place_in;
use crate::record::frame::{Form, FrameView};
use crate::store::{
    Bucket, BucketKind, Cut, FIRST_REFRESH_KEY, FrameRead, Replay, Room, RowRead, Store, TenantKeys, Usage,
    Verified,
};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use tessera_crypto::Key;
use tessera_model::limits::{BUCKET_PLACES, FRAME_WITH_ROWS_BYTES_MAX};
use tessera_model::record::PlaceRecord;
use tessera_model::{Event, Place, Private, Revision, RowKind, TenantId};

const FILE: &str = "memory";

struct Kept {
    head: Head,
    /// Lane sequence and bytes of each frame, from revision 0 on.
    frames: Vec<(u64, Vec<u8>)>,
    rows: BTreeMap<(RowKind, Vec<u8>), (Option<Private>, Revision)>,
    buckets: BTreeMap<(BucketKind, u32), Vec<Event>>,
    /// What the buckets hold: everything before this revision.
    upto: Revision,
}

#[derive(Default)]
struct Inner {
    tenants: BTreeMap<TenantId, Kept>,
    forgotten: BTreeSet<TenantId>,
    keys: BTreeMap<TenantId, (Key, BTreeMap<u8, Key>)>,
    sequence: u64,
    covered: u64,
    usage: Usage,
    stopped: bool,
}

/// The store in memory.
pub struct Memory {
    inner: Mutex<Inner>,
    tail_frames_max: u64,
}

impl Memory {
    /// An empty store whose tail is bounded by `tail_frames_max` frames.
    #[must_use]
    pub fn new(tail_frames_max: u64) -> Self {
        Self { inner: Mutex::new(Inner::default()), tail_frames_max }
    }
}

impl Inner {
    fn kept(&self, tenant: TenantId) -> Result<&Kept, StorageError> {
        self.tenants.get(&tenant).ok_or(StorageError::TenantUnknown(tenant))
    }

    fn commit(&mut self, batch: Batch, tail_frames_max: u64) -> Result<Durable, StorageError> {
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
                kept.rows.insert((row.kind, row.key), (row.value, revision));
            }
        }
        if let Some(kept) = self.tenants.get_mut(&tenant) {
            kept.head = after;
        }
        Ok(Durable::new(after, self.sequence))
    }

    fn walk(
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

impl Store for Memory {
    fn commit(&self, batch: Batch) -> Commit {
        Commit::ready(self.inner.lock().commit(batch, self.tail_frames_max))
    }

    fn batch_bytes_max(&self) -> usize {
        FRAME_WITH_ROWS_BYTES_MAX
    }

    fn head(&self, tenant: TenantId) -> Result<Option<Head>, StorageError> {
        Ok(self.inner.lock().tenants.get(&tenant).map(|kept| kept.head))
    }

    fn load(&self, tenant: TenantId, sink: &mut dyn FnMut(Replay)) -> Result<Option<Head>, StorageError> {
        let inner = self.inner.lock();
        let Some(kept) = inner.tenants.get(&tenant) else { return Ok(None) };
        for ((kind, no), events) in &kept.buckets {
            sink(Replay::Bucket(Bucket { kind: *kind, no: *no, events: events.clone() }));
        }
        Inner::walk(kept, kept.upto, &mut |view| {
            let frame =
                view.decode().map_err(|error| StorageError::damaged(FILE, 0, error.text(), tenant))?;
            sink(Replay::Frame(frame));
            Ok(true)
        })?;
        Ok(Some(kept.head))
    }

    fn row(&self, tenant: TenantId, kind: RowKind, key: &[u8]) -> Result<RowRead, StorageError> {
        let inner = self.inner.lock();
        let Some(kept) = inner.tenants.get(&tenant) else { return Ok(RowRead::default()) };
        let found = kept.rows.get(&(kind, key.to_vec())).cloned();
        Ok(found.map_or_else(RowRead::default, |(value, revision)| RowRead { value, revision }))
    }

    fn rows(
        &self,
        tenant: TenantId,
        kind: RowKind,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Private)>, StorageError> {
        let inner = self.inner.lock();
        let Some(kept) = inner.tenants.get(&tenant) else { return Ok(Vec::new()) };
        Ok(kept
            .rows
            .range((kind, prefix.to_vec())..)
            .take_while(|((found, key), _)| *found == kind && key.starts_with(prefix))
            .filter_map(|((_, key), (value, _))| value.clone().map(|value| (key.clone(), value)))
            .take(limit)
            .collect())
    }

    fn place(&self, tenant: TenantId, place: Place) -> Result<Option<PlaceRecord>, StorageError> {
        let inner = self.inner.lock();
        let Some(kept) = inner.tenants.get(&tenant) else { return Ok(None) };
        let bucket = kept.buckets.get(&(BucketKind::Places, place.0 / BUCKET_PLACES));
        Ok(bucket.and_then(|events| place_in(events, place)))
    }

    fn with_tail(&self) -> Vec<TenantId> {
        let inner = self.inner.lock();
        let tailed = inner.tenants.values().filter(|kept| has_tail(kept, inner.covered));
        tailed.map(|kept| kept.head.tenant).collect()
    }

    fn has_tail(&self, tenant: TenantId) -> bool {
        let inner = self.inner.lock();
        inner.tenants.get(&tenant).is_some_and(|kept| has_tail(kept, inner.covered))
    }

    fn room(&self) -> Room {
        let near = Room::is_near(self.inner.lock().usage.tail_frames, self.tail_frames_max);
        if near { Room::Busy } else { Room::Any }
    }

    fn due(&self) -> bool {
        self.inner.lock().usage.tail_frames >= self.tail_frames_max / 2
    }

    fn cut(&self) -> Cut {
        let tenants = self.with_tail();
        Cut { sequence: self.inner.lock().sequence, tenants, hash: [0; 32] }
    }

    fn put(&self, tenant: TenantId, head: &Head, buckets: Vec<Bucket>) -> Result<(), StorageError> {
        let mut inner = self.inner.lock();
        let kept = inner.tenants.get_mut(&tenant).ok_or(StorageError::TenantUnknown(tenant))?;
        for bucket in buckets {
            if bucket.events.is_empty() {
                kept.buckets.remove(&(bucket.kind, bucket.no));
            } else {
                kept.buckets.insert((bucket.kind, bucket.no), bucket.events);
            }
        }
        kept.upto = head.next;
        Ok(())
    }

    fn finish(&self, cut: &Cut) -> Result<(), StorageError> {
        let mut inner = self.inner.lock();
        for tenant in &cut.tenants {
            let Some(kept) = inner.tenants.get(tenant) else { continue };
            let needed = kept.frames.iter().filter(|(sequence, _)| *sequence <= cut.sequence).count();
            if kept.upto.0 < needed as u64 {
                return Err(StorageError::CheckpointIncomplete(*tenant));
            }
        }
        inner.covered = inner.covered.max(cut.sequence);
        let covered = inner.covered;
        let (frames, bytes) = inner.tenants.values().flat_map(|kept| kept.frames.iter().rev()).fold(
            (0, 0),
            |(frames, total), (sequence, bytes)| {
                if *sequence > covered { (frames + 1, total + bytes.len() as u64) } else { (frames, total) }
            },
        );
        inner.usage.tail_frames = frames;
        inner.usage.tail_bytes = bytes;
        inner.usage.checkpoints += 1;
        Ok(())
    }

    fn history(
        &self,
        tenant: TenantId,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<FrameRead>, StorageError> {
        let inner = self.inner.lock();
        let Some(kept) = inner.tenants.get(&tenant) else { return Ok(Vec::new()) };
        let mut frames = Vec::new();
        Inner::walk(kept, from, &mut |view| {
            if frames.len() < limit {
                frames.push(
                    view.decode().map_err(|error| StorageError::damaged(FILE, 0, error.text(), tenant))?,
                );
            }
            Ok(frames.len() < limit)
        })?;
        Ok(frames)
    }

    fn verify(&self, tenant: TenantId) -> Result<Verified, StorageError> {
        let inner = self.inner.lock();
        let kept = inner.kept(tenant)?;
        let mut verified = Verified { frames: 0, link: [0; 32] };
        Inner::walk(kept, Revision(0), &mut |view| {
            verified = Verified { frames: verified.frames + 1, link: view.link };
            Ok(true)
        })?;
        Ok(verified)
    }

    fn forget(&self, tenant: TenantId) -> Result<(), StorageError> {
        let mut inner = self.inner.lock();
        inner.tenants.remove(&tenant);
        inner.keys.remove(&tenant);
        inner.forgotten.insert(tenant);
        Ok(())
    }

    fn tenant_keys(&self, tenant: TenantId) -> Result<TenantKeys, StorageError> {
        let inner = self.inner.lock();
        let (index, refresh) = inner.keys.get(&tenant).cloned().ok_or(StorageError::KeysMissing(tenant))?;
        Ok(TenantKeys { index, refresh: refresh.into_iter().collect() })
    }

    fn make_tenant_keys(
        &self,
        tenant: TenantId,
        entropy: &[u8; 64],
        _nonces: &[u8; 24],
    ) -> Result<(), StorageError> {
        let mut halves = entropy.chunks_exact(32).map(|half| {
            let mut key = [0; 32];
            key.copy_from_slice(half);
            Key::new(key)
        });
        if let (Some(index), Some(refresh)) = (halves.next(), halves.next()) {
            let refresh = BTreeMap::from([(FIRST_REFRESH_KEY, refresh)]);
            self.inner.lock().keys.entry(tenant).or_insert((index, refresh));
        }
        Ok(())
    }

    fn make_refresh_key(
        &self,
        tenant: TenantId,
        number: u8,
        key: &[u8; 32],
        _nonces: &[u8; 24],
    ) -> Result<(), StorageError> {
        let mut inner = self.inner.lock();
        let (_, refresh) = inner.keys.get_mut(&tenant).ok_or(StorageError::KeysMissing(tenant))?;
        refresh.insert(number, Key::new(*key));
        Ok(())
    }

    fn keep_refresh_keys(&self, tenant: TenantId, numbers: &[u8]) -> Result<(), StorageError> {
        let mut inner = self.inner.lock();
        if let Some((_, refresh)) = inner.keys.get_mut(&tenant)
            && refresh.keys().any(|number| numbers.contains(number))
        {
            refresh.retain(|number, _| numbers.contains(number));
        }
        Ok(())
    }

    fn usage(&self) -> Usage {
        self.inner.lock().usage
    }

    fn failed(&self) -> bool {
        false
    }

    fn until_failed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }

    fn stop(&self) {
        self.inner.lock().stopped = true;
    }
}

fn has_tail(kept: &Kept, covered: u64) -> bool {
    kept.frames.last().is_some_and(|(sequence, _)| *sequence > covered)
}
