//! What a store around another one answers as the other one does.

use super::Around;
use crate::batch::{Batch, Head};
use crate::bucket::Bucket;
use crate::checkpoint::scrub::{Scrub, Scrubbed};
use crate::commit::Commit;
use crate::error::{Damage, StorageError};
use crate::store::{Cut, FrameRead, Placed, Replay, RowRead, Store, TenantKeys, Verified};
use crate::usage::{Held, Room, Usage};
use std::future::Future;
use std::pin::Pin;
use tessera_model::{Place, Private, Revision, RowKind, TenantId};

impl<T: Around> Store for T {
    fn load(&self, tenant: TenantId, sink: &mut dyn FnMut(Replay)) -> Result<Option<Head>, StorageError> {
        self.loads(tenant, sink)
    }

    fn held(&self, tenant: TenantId) -> Result<Held, StorageError> {
        self.inner().held(tenant)
    }

    fn scrub(&self, from: &Scrub, bytes_max: u64) -> Result<Scrubbed, StorageError> {
        self.inner().scrub(from, bytes_max)
    }

    fn commit(&self, batch: Batch) -> Commit {
        self.commits(batch)
    }

    fn batch_bytes_max(&self) -> usize {
        self.inner().batch_bytes_max()
    }

    fn head(&self, tenant: TenantId) -> Result<Option<Head>, StorageError> {
        self.inner().head(tenant)
    }

    fn row(&self, tenant: TenantId, kind: RowKind, key: &[u8]) -> Result<RowRead, StorageError> {
        self.inner().row(tenant, kind, key)
    }

    fn rows(
        &self,
        tenant: TenantId,
        kind: RowKind,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Private)>, StorageError> {
        self.inner().rows(tenant, kind, prefix, limit)
    }

    fn place(&self, tenant: TenantId, place: Place) -> Result<Placed, StorageError> {
        self.inner().place(tenant, place)
    }

    fn with_tail(&self) -> Vec<TenantId> {
        self.inner().with_tail()
    }

    fn has_tail(&self, tenant: TenantId) -> bool {
        self.inner().has_tail(tenant)
    }

    fn due(&self) -> bool {
        self.is_due()
    }

    fn cut(&self) -> Cut {
        self.inner().cut()
    }

    fn put(&self, tenant: TenantId, head: &Head, buckets: Vec<Bucket>) -> Result<(), StorageError> {
        self.puts(tenant, head, buckets)
    }

    fn set_aside(&self, tenant: TenantId) -> Result<(), StorageError> {
        self.inner().set_aside(tenant)
    }

    fn damaged(&self) -> Vec<Damage> {
        self.inner().damaged()
    }

    fn finish(&self, cut: &Cut) -> Result<(), StorageError> {
        self.inner().finish(cut)
    }

    fn history(
        &self,
        tenant: TenantId,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<FrameRead>, StorageError> {
        self.inner().history(tenant, from, limit)
    }

    fn verify(&self, tenant: TenantId) -> Result<Verified, StorageError> {
        self.inner().verify(tenant)
    }

    fn is_kept(&self, tenant: TenantId) -> Result<bool, StorageError> {
        self.inner().is_kept(tenant)
    }

    fn forget(&self, tenant: TenantId) -> Result<(), StorageError> {
        self.forgets(tenant)
    }

    fn tenant_keys(&self, tenant: TenantId) -> Result<TenantKeys, StorageError> {
        self.inner().tenant_keys(tenant)
    }

    fn make_tenant_keys(
        &self,
        tenant: TenantId,
        entropy: &[u8; 64],
        nonces: &[u8; 24],
    ) -> Result<(), StorageError> {
        self.inner().make_tenant_keys(tenant, entropy, nonces)
    }

    fn make_refresh_key(
        &self,
        tenant: TenantId,
        number: u8,
        key: &[u8; 32],
        nonces: &[u8; 24],
    ) -> Result<(), StorageError> {
        self.inner().make_refresh_key(tenant, number, key, nonces)
    }

    fn keep_refresh_keys(&self, tenant: TenantId, numbers: &[u8]) -> Result<(), StorageError> {
        self.inner().keep_refresh_keys(tenant, numbers)
    }

    fn room(&self) -> Room {
        self.has_room()
    }

    fn usage(&self) -> Usage {
        self.inner().usage()
    }

    fn failed(&self) -> bool {
        self.inner().failed()
    }

    fn until_failed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.inner().until_failed()
    }

    fn stop(&self) {
        self.inner().stop();
    }
}
