//! An engine to measure: over a store in memory or on disk, with a made-up tenant in it if wanted.

use crate::caller::Caller;
use crate::figure::Why;
use crate::prepared::Prepared;
use crate::world::World;
use std::num::NonZeroUsize;
use std::sync::Arc;
use tessera_crypto::PasswordPool;
use tessera_engine::{Bound, Clock, Engine, EngineConfig, Entropy, HelloRefusal, View};
use tessera_model::{CellId, Command, Handle, Name, Private, Settings, TenantId, UnixMillis};
use tessera_storage::Store;
use tessera_transport::{Door, DoorConfig, Limits};
use tessera_wire::Hello;
use tokio::runtime::Runtime;

/// The machine's wall clock.
pub struct Wall;

impl Clock for Wall {
    #[expect(clippy::disallowed_methods, reason = "a bench stands where a node's clock would")]
    fn now(&self) -> UnixMillis {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn moment(&self) -> (UnixMillis, u64) {
        let now = self.now();
        (now, now.0)
    }
}

/// The operating system's random bytes.
pub struct System;

impl Entropy for System {
    fn fill(&self, bytes: &mut [u8]) {
        // Without them the bench would measure something else: the secret stays zero and Hello fails.
        tessera_crypto::random::draw(bytes).unwrap_or_default();
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
    /// Opens a QUIC door, and a caller that is bound in it with a tenant's key.
    ///
    /// # Errors
    /// Whatever keeps the door from opening, or the key from being taken.
    pub fn over_quic(
        &self,
        tenant: &Tenant,
        limits: Limits,
        reply_bytes: usize,
    ) -> Result<(Door, Caller), Why> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let pem = made.cert.pem().into_bytes();
        let config = DoorConfig {
            listen: "127.0.0.1:0".parse()?,
            runtimes: 1,
            chain_pem: pem.clone(),
            key_pem: Private::new(made.signing_key.serialize_pem().into_bytes()),
            reset_key: Private::new(vec![7; 32]),
            cell: CellId(0),
            version: 0,
            limits,
            busy_poll: false,
            cores: Vec::new(),
        };
        let door = Door::open(self.engine.clone(), config)?;
        let mut caller = Caller::connect(door.address(), &pem, reply_bytes)?;
        if caller.hello(&Hello { credential: Some(tenant.key.to_bytes()), ..Hello::default() })? {
            Ok((door, caller))
        } else {
            Err("the tenant did not wake".into())
        }
    }

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

    /// A house in memory with one made-up tenant, which stays awake whatever it takes: checks do not count as use here,
    /// for no door asks them. Under a node's bounds the supervisor would put it to sleep two seconds after it was
    /// loaded, and take its state down beside whatever is measured.
    ///
    /// # Errors
    /// Whatever keeps it from starting.
    pub fn with_world(world: World) -> Result<(Self, Tenant), Why> {
        let memory = Arc::new(tessera_storage::Memory::new(1 << 20));
        let store = Arc::new(Prepared::with_world(memory, world));
        let awake = EngineConfig {
            idle_sleep_ms: u64::MAX / 4,
            memory_bytes_max: usize::MAX / 4,
            checkpoint_every_ms: u64::MAX / 4,
            ..EngineConfig::default()
        };
        let house = Self::over(store, awake, 1)?;
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
        engine
            .submit(&admin, engine.command_id(), Command::ChangeSettings { settings: settings.into() })
            .await?;
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
            Err(
                HelloRefusal::Refused
                | HelloRefusal::Failed
                | HelloRefusal::Suspended
                | HelloRefusal::Elsewhere(_),
            ) => {
                return Err("the credential was refused".into());
            }
        }
    }
    Err("the tenant did not wake".into())
}
