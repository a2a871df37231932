//! A store in memory: the same frames, chains and answers as on disk, gone with the process.
//!
//! For simulations, tests of the engine and benches that measure what a disk would hide.

mod inner;
mod vault;

use crate::batch::{Batch, Head};
use crate::commit::Commit;
use crate::error::{Damage, StorageError};
use crate::seal::{self, KeyHeld};
use crate::store::{
    Bucket, BucketKind, Cut, FrameRead, Placed, Replay, RowRead, Store, TenantKeys, Verified,
};
use crate::usage::{Held, Room, Usage};
use inner::{Inner, has_tail};
use parking_lot::Mutex;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tessera_crypto::Key;
use tessera_model::limits::{BUCKET_PLACES, FRAME_WITH_ROWS_BYTES_MAX};
use tessera_model::{Place, Private, Revision, Row, RowKind, TenantId, UnixMillis};
use vault::{Vaulted, Within};

const FILE: &str = "memory";

/// The store in memory.
pub struct Memory {
    inner: Arc<Mutex<Inner>>,
    vault: Arc<Vaulted>,
    tail_frames_max: u64,
}

impl Memory {
    /// An empty store whose tail is bounded by `tail_frames_max` frames.
    #[must_use]
    pub fn new(tail_frames_max: u64) -> Self {
        let inner = Arc::new(Mutex::new(Inner::default()));
        Self { vault: Arc::new(Vaulted::new(Arc::clone(&inner))), inner, tail_frames_max }
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
        for bucket in kept.buckets.values() {
            sink(Replay::Bucket(bucket.clone()));
        }
        let vault = Within(&inner);
        Inner::walk(kept, kept.upto, &mut |view| {
            sink(Replay::Frame(seal::frame::read(view, &vault, FILE)?));
            Ok(true)
        })?;
        Ok(Some(kept.head))
    }

    fn row(&self, tenant: TenantId, kind: RowKind, key: &[u8]) -> Result<RowRead, StorageError> {
        let inner = self.inner.lock();
        let Some(kept) = inner.tenants.get(&tenant) else { return Ok(RowRead::default()) };
        let mut key = key.to_vec();
        if seal::row::is_masked(kind, &key) {
            let KeyHeld::Key(under) = inner.held(tenant, seal::row::owner_of(kind, &key))? else {
                return Ok(RowRead::default());
            };
            key = seal::row::stored_key(kind, &key, &under);
        }
        let whole = || kept.rows.get(&(kind, Row::whole_key(&key)?.to_vec())).filter(|row| row.0.is_none());
        let Some((value, revision)) = kept.rows.get(&(kind, key.clone())).or_else(whole) else {
            return Ok(RowRead::default());
        };
        let Some(value) = value else { return Ok(RowRead { value: None, revision: *revision }) };
        let opened = seal::row::open(&Within(&inner), tenant, kind, (&key, value))?;
        Ok(RowRead { value: opened.map(|(_, value)| value), revision: *revision })
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
        let vault = Within(&inner);
        let mut prefix = prefix.to_vec();
        if seal::row::is_masked(kind, &prefix) {
            let KeyHeld::Key(under) = inner.held(tenant, seal::row::owner_of(kind, &prefix))? else {
                return Ok(Vec::new());
            };
            prefix = seal::row::stored_key(kind, &prefix, &under);
        }
        let mut opened = kept
            .rows
            .range((kind, prefix.clone())..)
            .take_while(|((found, key), _)| *found == kind && key.starts_with(&prefix))
            .filter_map(|((_, key), (value, _))| value.as_ref().map(|value| (key, value)))
            .take(limit)
            .filter_map(|(key, value)| seal::row::open(&vault, tenant, kind, (key, value)).transpose())
            .collect::<Result<Vec<_>, _>>()?;
        // Keys that are stored as hashes stood in another order.
        opened.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(opened)
    }

    fn place(&self, tenant: TenantId, place: Place) -> Result<Placed, StorageError> {
        let inner = self.inner.lock();
        let Some(kept) = inner.tenants.get(&tenant) else { return Ok(Placed::Nobody) };
        let bucket = kept.buckets.get(&(BucketKind::Places, place.0 / BUCKET_PLACES));
        Ok(bucket.and_then(|bucket| bucket.place(place)).map_or(Placed::Nobody, Placed::Here))
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

    fn held(&self, tenant: TenantId) -> Result<Held, StorageError> {
        let inner = self.inner.lock();
        let Some(kept) = inner.tenants.get(&tenant) else { return Ok(Held::default()) };
        let rows = kept
            .rows
            .iter()
            .filter(|((kind, _), (value, _))| *kind != RowKind::SubjectKey && value.is_some());
        let rows = rows.count() as u64;
        let tail = kept.frames.iter().filter(|(sequence, _)| *sequence > inner.covered);
        let (tail_frames, tail_bytes) =
            tail.fold((0, 0), |(frames, bytes), (_, frame)| (frames + 1, bytes + frame.len() as u64));
        Ok(Held { rows, rows_recent: 0, tail_frames, tail_bytes })
    }

    fn room(&self) -> Room {
        let frames = self.inner.lock().usage.tail_frames;
        if Room::is_near(frames, self.tail_frames_max) {
            Room::Busy
        } else if Room::is_tight(frames, self.tail_frames_max) {
            Room::Tight
        } else {
            Room::Any
        }
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
            if bucket.is_empty() {
                kept.buckets.remove(&(bucket.kind, bucket.no));
            } else {
                kept.buckets.insert((bucket.kind, bucket.no), bucket);
            }
        }
        kept.upto = head.next;
        Ok(())
    }

    fn set_aside(&self, _tenant: TenantId) -> Result<(), StorageError> {
        Ok(())
    }

    fn damaged(&self) -> Vec<Damage> {
        Vec::new()
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
        let vault = Within(&inner);
        let mut frames = Vec::new();
        Inner::walk(kept, from, &mut |view| {
            if frames.len() < limit {
                frames.push(seal::frame::read(view, &vault, FILE)?);
            }
            Ok(frames.len() < limit)
        })?;
        Ok(frames)
    }

    fn verify(&self, tenant: TenantId) -> Result<Verified, StorageError> {
        let inner = self.inner.lock();
        let kept = inner.kept(tenant)?;
        let mut verified = Verified { frames: 0, link: [0; 32], last: UnixMillis(0) };
        Inner::walk(kept, Revision(0), &mut |view| {
            verified = Verified { frames: verified.frames + 1, link: view.link, last: view.head.wall };
            Ok(true)
        })?;
        Ok(verified)
    }

    fn is_kept(&self, tenant: TenantId) -> Result<bool, StorageError> {
        Ok(self.inner.lock().tenants.contains_key(&tenant))
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
        let keys = inner.keys.get(&tenant).ok_or(StorageError::KeysMissing(tenant))?;
        let refresh = keys.refresh.iter().map(|(number, key)| (*number, key.clone())).collect();
        Ok(TenantKeys { index: keys.index.clone(), refresh })
    }

    fn make_tenant_keys(
        &self,
        tenant: TenantId,
        entropy: &[u8; 64],
        _nonces: &[u8; 24],
    ) -> Result<(), StorageError> {
        let mut halves =
            entropy.chunks_exact(32).filter_map(|half| half.first_chunk().copied().map(Key::new));
        if let (Some(index), Some(refresh)) = (halves.next(), halves.next()) {
            self.inner.lock().bear(tenant, [index, refresh, self.vault.draw.key()]);
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
        let keys = inner.keys.get_mut(&tenant).ok_or(StorageError::KeysMissing(tenant))?;
        keys.refresh.insert(number, Key::new(*key));
        Ok(())
    }

    fn keep_refresh_keys(&self, tenant: TenantId, numbers: &[u8]) -> Result<(), StorageError> {
        let mut inner = self.inner.lock();
        if let Some(keys) = inner.keys.get_mut(&tenant)
            && keys.refresh.keys().any(|number| numbers.contains(number))
        {
            keys.refresh.retain(|number, _| numbers.contains(number));
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
