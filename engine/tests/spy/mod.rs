//! A store that tells when it is asked, and can be made to fail.

#![allow(dead_code, clippy::allow_attributes, reason = "each test uses its own part of it")]

use std::sync::Arc;
use tessera_model::TenantId;
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

impl Around for Spy {
    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    fn commits(&self, batch: Batch) -> Commit {
        if let Some(error) = (self.before_commit)(&batch) {
            return Commit::ready(Err(error));
        }
        self.inner.commit(batch)
    }

    fn loads(&self, tenant: TenantId, sink: &mut dyn FnMut(Replay)) -> Result<Option<Head>, StorageError> {
        let loaded = self.inner.load(tenant, sink);
        (self.after_load)(tenant);
        loaded
    }

    fn puts(&self, tenant: TenantId, head: &Head, buckets: Vec<Bucket>) -> Result<(), StorageError> {
        let kept = buckets.clone();
        let put = self.inner.put(tenant, head, buckets);
        (self.after_put)(tenant, head, &kept);
        put
    }

    fn forgets(&self, tenant: TenantId) -> Result<(), StorageError> {
        if let Some(error) = (self.before_forget)(tenant) {
            return Err(error);
        }
        self.inner.forget(tenant)
    }

    fn has_room(&self) -> Room {
        (self.room)(self.inner.room())
    }
}
