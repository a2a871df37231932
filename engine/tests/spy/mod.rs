//! A store that tells when it is asked, and can be made to fail.

#![allow(dead_code, clippy::allow_attributes, reason = "each test uses its own part of it")]

mod sealing;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tessera_model::record::PlaceRecord;
use tessera_model::{Place, Private, Revision, RowKind, TenantId};
use tessera_storage::*;

type Hook = Box<dyn Fn(TenantId, &Head, &[Bucket]) + Send + Sync>;
type LoadHook = Box<dyn Fn(TenantId) + Send + Sync>;
type ForgetHook = Box<dyn Fn(TenantId) -> Option<StorageError> + Send + Sync>;
type RoomHook = Box<dyn Fn(Room) -> Room + Send + Sync>;
type CommitHook = Box<dyn Fn(&Batch) -> Option<StorageError> + Send + Sync>;

pub(crate) struct Spy {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) after_put: Hook,
    pub(crate) before_commit: CommitHook,
    pub(crate) after_load: LoadHook,
    pub(crate) before_forget: ForgetHook,
    pub(crate) room: RoomHook,
}

impl Spy {
    pub(crate) fn plain(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            after_put: Box::new(|_, _, _| {}),
            before_commit: Box::new(|_| None),
            after_load: Box::new(|_| {}),
            before_forget: Box::new(|_| None),
            room: Box::new(|room| room),
        }
    }
}

impl Backups for Spy {}

impl Store for Spy {
    fn commit(&self, batch: Batch) -> Commit {
        if let Some(error) = (self.before_commit)(&batch) {
            return Commit::ready(Err(error));
        }
        self.inner.commit(batch)
    }
    fn batch_bytes_max(&self) -> usize {
        self.inner.batch_bytes_max()
    }
    fn head(&self, tenant: TenantId) -> Result<Option<Head>, StorageError> {
        self.inner.head(tenant)
    }
    fn load(&self, tenant: TenantId, sink: &mut dyn FnMut(Replay)) -> Result<Option<Head>, StorageError> {
        let loaded = self.inner.load(tenant, sink);
        (self.after_load)(tenant);
        loaded
    }
    fn row(&self, tenant: TenantId, kind: RowKind, key: &[u8]) -> Result<RowRead, StorageError> {
        self.inner.row(tenant, kind, key)
    }
    fn rows(
        &self,
        tenant: TenantId,
        kind: RowKind,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Private)>, StorageError> {
        self.inner.rows(tenant, kind, prefix, limit)
    }
    fn place(&self, tenant: TenantId, place: Place) -> Result<Option<PlaceRecord>, StorageError> {
        self.inner.place(tenant, place)
    }
    fn with_tail(&self) -> Vec<TenantId> {
        self.inner.with_tail()
    }
    fn has_tail(&self, tenant: TenantId) -> bool {
        self.inner.has_tail(tenant)
    }
    fn due(&self) -> bool {
        self.inner.due()
    }
    fn cut(&self) -> Cut {
        self.inner.cut()
    }
    fn put(&self, tenant: TenantId, head: &Head, buckets: Vec<Bucket>) -> Result<(), StorageError> {
        let kept = buckets.clone();
        let put = self.inner.put(tenant, head, buckets);
        (self.after_put)(tenant, head, &kept);
        put
    }
    fn set_aside(&self, tenant: TenantId) -> Result<(), StorageError> {
        self.inner.set_aside(tenant)
    }
    fn damaged(&self) -> Vec<Damage> {
        self.inner.damaged()
    }
    fn finish(&self, cut: &Cut) -> Result<(), StorageError> {
        self.inner.finish(cut)
    }
    fn history(
        &self,
        tenant: TenantId,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<FrameRead>, StorageError> {
        self.inner.history(tenant, from, limit)
    }
    fn verify(&self, tenant: TenantId) -> Result<Verified, StorageError> {
        self.inner.verify(tenant)
    }
    fn scrub(&self, from: &Scrub, bytes_max: u64) -> Result<Scrubbed, StorageError> {
        self.inner.scrub(from, bytes_max)
    }
    fn is_kept(&self, tenant: TenantId) -> Result<bool, StorageError> {
        self.inner.is_kept(tenant)
    }
    fn forget(&self, tenant: TenantId) -> Result<(), StorageError> {
        if let Some(error) = (self.before_forget)(tenant) {
            return Err(error);
        }
        self.inner.forget(tenant)
    }
    fn tenant_keys(&self, tenant: TenantId) -> Result<TenantKeys, StorageError> {
        self.inner.tenant_keys(tenant)
    }
    fn make_tenant_keys(
        &self,
        tenant: TenantId,
        entropy: &[u8; 64],
        nonces: &[u8; 24],
    ) -> Result<(), StorageError> {
        self.inner.make_tenant_keys(tenant, entropy, nonces)
    }
    fn make_refresh_key(
        &self,
        tenant: TenantId,
        number: u8,
        key: &[u8; 32],
        nonces: &[u8; 24],
    ) -> Result<(), StorageError> {
        self.inner.make_refresh_key(tenant, number, key, nonces)
    }
    fn keep_refresh_keys(&self, tenant: TenantId, numbers: &[u8]) -> Result<(), StorageError> {
        self.inner.keep_refresh_keys(tenant, numbers)
    }
    fn room(&self) -> Room {
        (self.room)(self.inner.room())
    }
    fn usage(&self) -> Usage {
        self.inner.usage()
    }
    fn failed(&self) -> bool {
        self.inner.failed()
    }
    fn until_failed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.inner.until_failed()
    }
    fn stop(&self) {
        self.inner.stop();
    }
}
