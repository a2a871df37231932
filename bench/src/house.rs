//! An engine to measure: over a store in memory or on disk, with a made-up tenant in it if wanted.

use crate::figure::Why;
use crate::world::World;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tessera_crypto::PasswordPool;
use tessera_engine::{Bound, Clock, Engine, EngineConfig, Entropy, HelloRefusal, View};
use tessera_model::record::PlaceRecord;
use tessera_model::{
    Command, Handle, Name, Place, Private, Revision, RowKind, Settings, TenantId, UnixMillis,
};
use tessera_storage::{
    Batch, Bucket, Commit, Cut, FrameRead, Head, Replay, RowRead, StorageError, Store, TenantKeys, Usage,
    Verified,
};
use tokio::runtime::Runtime;

/// The machine's wall clock.
pub struct Wall;

impl Clock for Wall {
    #[expect(clippy::disallowed_methods, reason = "a bench stands where a node's clock would")]
    fn now(&self) -> UnixMillis {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The operating system's random bytes.
pub struct System;

impl Entropy for System {
    fn fill(&self, bytes: &mut [u8]) {
        // Without them the bench would measure something else: the secret stays zero and Hello fails.
        tessera_crypto::random::fill(bytes).unwrap_or_default();
    }
}

/// A store that adds a made-up tenant to what it loads, and may keep checkpoints from being taken.
pub struct Prepared {
    inner: Arc<dyn Store>,
    world: Option<World>,
    checkpoints: Arc<AtomicBool>,
}

impl Prepared {
    /// A store that gives every tenant but the system's these facts when it is loaded.
    #[must_use]
    pub fn with_world(inner: Arc<dyn Store>, world: World) -> Self {
        Self { inner, world: Some(world), checkpoints: Arc::new(AtomicBool::new(true)) }
    }

    /// A store that never asks for a checkpoint: its tail grows to its bound.
    #[must_use]
    pub fn without_checkpoints(inner: Arc<dyn Store>) -> Self {
        Self::switched(inner, Arc::new(AtomicBool::new(false)))
    }

    /// A store that asks for a checkpoint only while this is true.
    #[must_use]
    pub fn switched(inner: Arc<dyn Store>, checkpoints: Arc<AtomicBool>) -> Self {
        Self { inner, world: None, checkpoints }
    }
}

impl Store for Prepared {
    fn load(&self, tenant: TenantId, sink: &mut dyn FnMut(Replay)) -> Result<Option<Head>, StorageError> {
        if let Some(world) = self.world.filter(|_| tenant != TenantId::SYSTEM) {
            world.replay(tenant, sink);
        }
        self.inner.load(tenant, sink)
    }

    fn due(&self) -> bool {
        self.checkpoints.load(Ordering::Relaxed) && self.inner.due()
    }

    fn commit(&self, batch: Batch) -> Commit {
        self.inner.commit(batch)
    }

    fn batch_bytes_max(&self) -> usize {
        self.inner.batch_bytes_max()
    }

    fn head(&self, tenant: TenantId) -> Result<Option<Head>, StorageError> {
        self.inner.head(tenant)
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

    fn cut(&self) -> Cut {
        self.inner.cut()
    }

    fn put(&self, tenant: TenantId, head: &Head, buckets: Vec<Bucket>) -> Result<(), StorageError> {
        self.inner.put(tenant, head, buckets)
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

    fn forget(&self, tenant: TenantId) -> Result<(), StorageError> {
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

/// An engine, an operator in it and the runtime that its actors live on.
pub struct House {
    /// The engine.
    pub engine: Engine,
    /// An operator of the system tenant.
    pub operator: Bound,
    /// The operator's key.
    pub operator_key: Handle,
    /// Where its actors live.
    pub runtime: Runtime,
}

/// A tenant and its admin.
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its admin's bound key.
    pub admin: Bound,
    /// The key itself.
    pub key: Handle,
}

impl House {
    /// Starts an engine with this many runtime threads and claims its operator.
    ///
    /// # Errors
    /// Whatever keeps it from starting.
    pub fn over(store: Arc<dyn Store>, config: EngineConfig, threads: usize) -> Result<Self, Why> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(threads).enable_all().build()?;
        let pool = Arc::new(PasswordPool::new(NonZeroUsize::MIN, 64)?);
        let (engine, operator_key, operator) = runtime.block_on(async {
            let engine = Engine::start(config, store, (Arc::new(Wall), Arc::new(System)), pool).await?;
            let secret = Private::new(b"bench".to_vec());
            let until = engine.now().plus_seconds(600).to_deadline();
            engine.offer_operator(&secret, until).await?;
            let done = engine.claim_operator(engine.command_id(), &secret, Name::new("bench")?).await?;
            let key = done.made.handle.ok_or("the operator got no key")?;
            let operator = bind(&engine, &key).await?;
            Ok::<_, Why>((engine, key, operator))
        })?;
        Ok(Self { engine, operator, operator_key, runtime })
    }

    /// A house in memory with one made-up tenant.
    ///
    /// # Errors
    /// Whatever keeps it from starting.
    pub fn with_world(world: World) -> Result<(Self, Tenant), Why> {
        let memory = Arc::new(tessera_storage::Memory::new(1 << 20));
        let store = Arc::new(Prepared::with_world(memory, world));
        let house = Self::over(store, EngineConfig::default(), 1)?;
        let tenant = house.tenant("bench")?;
        Ok((house, tenant))
    }

    /// Makes a tenant with cheap password hashes.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn tenant(&self, name: &str) -> Result<Tenant, Why> {
        self.runtime.block_on(self.make_tenant(name))
    }

    /// Makes a tenant with cheap password hashes, from a task of the house's runtime.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn make_tenant(&self, name: &str) -> Result<Tenant, Why> {
        let command = Command::CreateTenant { name: Name::new(name)? };
        let engine = &self.engine;
        let done = engine.submit(&self.operator, engine.command_id(), command).await?;
        let id = done.made.tenant.ok_or("the tenant got no id")?;
        let key = done.made.handle.ok_or("the tenant's admin got no key")?;
        let admin = bind(engine, &key).await?;
        let settings = Settings { argon_memory_kib: 64, argon_passes: 1, ..Settings::default() };
        engine.submit(&admin, engine.command_id(), Command::ChangeSettings { settings }).await?;
        Ok(Tenant { id, admin, key })
    }
}

impl Tenant {
    /// The tenant's published view.
    ///
    /// # Errors
    /// When it is asleep.
    pub fn view(&self) -> Result<Arc<View>, Why> {
        let view = self.admin.entry.view();
        view.as_ref().map(Arc::clone).ok_or_else(|| "the tenant is asleep".into())
    }
}

/// Binds a credential, waiting while its tenant wakes: a tenant of 10 M sessions takes seconds.
async fn bind(engine: &Engine, key: &Handle) -> Result<Bound, Why> {
    for _ in 0..120_000 {
        match engine.hello(&key.to_bytes(), None) {
            Ok(bound) => return Ok(bound),
            Err(HelloRefusal::NotReady) => tokio::time::sleep(std::time::Duration::from_millis(1)).await,
            Err(HelloRefusal::Refused) => return Err("the credential was refused".into()),
        }
    }
    Err("the tenant did not wake".into())
}
