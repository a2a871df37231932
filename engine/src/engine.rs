//! The engine of one node: started once, shared by all doors.

use crate::directory::{Entry, Standing, Trouble};
use crate::house::{EngineConfig, House};
use crate::load;
use crate::seam::{Clock, Entropy};
use crate::state::State;
use crate::supervisor::{Supervisor, SupervisorMessage};
use crate::view::{Reading, View};
use parking_lot::Mutex;
use ractor::Actor;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use tessera_crypto::digest::Tagger;
use tessera_crypto::pool::PasswordPool;
use tessera_model::command::{ENTROPY_BYTES, Entropy as Drawn};
use tessera_model::record::TenantStatus;
use tessera_model::{Caller, CommandId, CommandKind, Epoch, Refusal, Revision, TenantId, UnixMillis};
use tessera_storage::{Head, Scrub, Scrubbed, Staged, StorageError, Store, Usage};
use tokio::sync::oneshot;

/// The engine. Cheap to clone; every clone is the same engine.
#[derive(Clone)]
pub struct Engine {
    pub(crate) house: Arc<House>,
}

/// Why an engine did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The store could not be read or written.
    Storage(StorageError),
    /// The supervisor could not be started.
    Supervisor(ractor::SpawnErr),
    /// The system tenant could not be loaded.
    System,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(error) => write!(f, "{error}"),
            Self::Supervisor(error) => write!(f, "the supervisor did not start: {error}"),
            Self::System => f.write_str("the system tenant could not be loaded"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<StorageError> for StartError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// Figures of a running engine, for metrics.
#[derive(Clone, Copy, Debug, Default)]
pub struct EngineUsage {
    /// Tenants in memory.
    pub awake: usize,
    /// Tenants whose stored data is damaged.
    pub failed: usize,
    /// Tenants of which something read wrong when it was asked for, and that go on otherwise.
    pub damaged: usize,
    /// About how many bytes the tenants in memory take.
    pub awake_bytes: usize,
    /// Tenants that were loaded.
    pub woken: u64,
    /// Tenants that were put to sleep.
    pub slept: u64,
    /// Of these, because all tenants took more memory than they may.
    pub slept_for_memory: u64,
    /// Commands that wait in intakes.
    pub waiting: usize,
    /// Bytes of all session tables.
    pub table_bytes: usize,
    /// How far the journal's time is ahead of the clock's, ms; beyond an hour only narrowing commands are
    /// taken.
    pub journal_ahead_ms: u64,
    /// Tenants that are still to be looked at for times to come, where the wall clock is trusted.
    pub doubted: usize,
    /// Passwords that wait to be hashed.
    pub hashing: usize,
    /// Failed sign-ins since the start.
    pub failed_sign_ins: u64,
    /// Sign-ins that were told to wait since the start.
    pub told_to_wait: u64,
    /// What the store says of itself.
    pub store: Usage,
}

impl Engine {
    /// Starts the engine over a store. Must be called within a tokio runtime: the actors live there.
    ///
    /// # Errors
    /// [`StartError`]; nothing keeps running.
    pub async fn start(
        config: EngineConfig,
        store: Arc<dyn Store>,
        (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>),
        pool: Arc<PasswordPool>,
    ) -> Result<Self, StartError> {
        let house = Arc::new(House {
            store,
            clock,
            entropy,
            pool,
            directory: crate::directory::Directory::new(),
            disputed: Mutex::default(),
            peers: Mutex::default(),
            fleet: arc_swap::ArcSwapOption::empty(),
            tagger: Tagger::new(),
            config,
            failed_sign_ins: AtomicU64::new(0),
            told_to_wait: AtomicU64::new(0),
            rehashes: Arc::new(tokio::sync::Semaphore::new(crate::house::REHASHES_MAX)),
            compiling: Arc::default(),
            compiles: Arc::new(tokio::sync::Semaphore::new(tessera_model::limits::POLICY_COMPILES_MAX)),
            supervisor: Mutex::new(None),
            proven: AtomicI64::new(i64::MIN),
            woken: AtomicU64::new(0),
            slept: AtomicU64::new(0),
            slept_for_memory: AtomicU64::new(0),
            doubted: Mutex::default(),
            rewriting: Mutex::default(),
            strangers: crate::front::Strangers::default(),
            backup: Mutex::new(None),
            carrier: Mutex::new(None),
            moves: Mutex::default(),
            takings: Mutex::default(),
            tended: crate::moving::Tended::default(),
        });
        if house.store.head(TenantId::SYSTEM)?.is_none() {
            found(&house).await?;
        }
        let system = house.directory.entry_or_make(TenantId::SYSTEM, TenantStatus::Active);
        system.set_standing(Standing::Waking);
        let (supervisor, _task) =
            Actor::spawn(None, Supervisor(Arc::clone(&house)), ()).await.map_err(StartError::Supervisor)?;
        *house.supervisor.lock() = Some(supervisor.clone());
        let running = {
            let (house, system) = (Arc::clone(&house), Arc::clone(&system));
            let on = Arc::clone(&house);
            on.work(move || load::load(&house, &system)).await
        };
        let running = running.map_err(|_| StartError::System)??;
        let loaded = SupervisorMessage::Loaded(TenantId::SYSTEM, Box::new(Ok(running)), None);
        supervisor.cast(loaded).map_err(|_| StartError::System)?;
        house.tell_journal_ahead();
        let engine = Self { house };
        engine.until_awake(&system).await?;
        engine.go_on().await;
        Ok(engine)
    }

    async fn until_awake(&self, entry: &Entry) -> Result<(), StartError> {
        // LIMIT: 60 s for the system tenant's actor to start; it is loaded already.
        for _ in 0..60_000 {
            if entry.standing() == Standing::Awake {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        Err(StartError::System)
    }

    /// What a former life left half done: tenants with a tail are woken, deletions completed.
    async fn go_on(&self) {
        for damage in self.house.store.damaged() {
            for tenant in damage.tenants.iter().flatten() {
                if let Some(entry) = self.house.entry(*tenant) {
                    entry.note_failure(StorageError::Damaged(damage.clone()).to_string());
                    entry.shift(Standing::Asleep, Standing::Failed);
                }
            }
        }
        let owed = self.house.store.with_tail().into_iter().filter(|tenant| *tenant != TenantId::SYSTEM);
        self.house.tell(SupervisorMessage::Owed(owed.collect()));
        let Some(view) = self.house.system() else { return };
        for seen in view.root.full().tenants.iter() {
            if seen.status == TenantStatus::Closing {
                self.house.tell(SupervisorMessage::Close(seen.id));
            }
        }
        match self.house.store.erasing() {
            Ok(tenants) => {
                tenants.into_iter().for_each(|tenant| self.house.tell(SupervisorMessage::Erase(tenant)));
            }
            Err(error) => tracing::warn!(%error, "nobody knows whether erasures are left"),
        }
        let house = Arc::clone(&self.house);
        // Nobody waits for it: those tenants are refused already.
        if self.house.config.blocks_in_place {
            forget_the_deleted(&house);
        } else {
            drop(tokio::task::spawn_blocking(move || forget_the_deleted(&house)));
        }
        if self.house.config.trusts_wall {
            let tenants = view.root.full();
            let there = tenants.tenants.iter().filter(|record| record.status != TenantStatus::Deleted);
            self.house
                .doubted
                .lock()
                .extend([TenantId::SYSTEM].into_iter().chain(there.map(|record| record.id)));
        }
    }

    /// The node's time.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.house.now()
    }

    /// A view read at the present time, for the questions of one drained read.
    #[must_use]
    pub fn read<'v>(&self, view: &'v View) -> Reading<'v> {
        self.house.read(view)
    }

    /// The entry of a tenant that exists.
    #[must_use]
    pub fn entry(&self, tenant: TenantId) -> Option<Arc<Entry>> {
        self.house.entry(tenant)
    }

    /// Why a tenant without a view answers nothing now: it is being woken, which this begins if it
    /// sleeps, or it is damaged. Returns at once.
    #[must_use]
    pub fn unready(&self, entry: &Entry) -> Refusal {
        self.house.unready(entry).into()
    }

    /// Takes a checkpoint now. True when it was taken.
    pub async fn checkpoint(&self) -> bool {
        let (reply, taken) = oneshot::channel();
        self.house.tell(SupervisorMessage::Checkpoint(reply));
        taken.await.unwrap_or(false)
    }

    /// Looks at a part of what is kept for checkpoints and history, whether it is still what was written.
    ///
    /// # Errors
    /// When nothing can be read any more.
    pub async fn scrub(&self, from: Scrub, bytes_max: u64) -> Result<Scrubbed, StorageError> {
        let house = Arc::clone(&self.house);
        let looked = self.house.work(move || house.store.scrub(&from, bytes_max)).await;
        looked.unwrap_or(Err(StorageError::LaneStopped))
    }

    /// The store failed: no answer may be given any more, the process ends with exit code 75.
    pub async fn until_failed(&self) {
        self.house.store.until_failed().await;
    }

    /// What is the matter with a tenant on this node; `None` when nothing is, as far as anybody has looked.
    #[must_use]
    pub fn trouble(&self, tenant: TenantId) -> Option<Trouble> {
        self.house.entry(tenant)?.trouble()
    }

    /// Figures for metrics.
    #[must_use]
    pub fn usage(&self) -> EngineUsage {
        let mut usage = EngineUsage { store: self.house.store.usage(), ..EngineUsage::default() };
        for entry in self.house.directory.all() {
            if let Some(view) = entry.known_view() {
                usage.awake += 1;
                usage.table_bytes += view.table_bytes();
                usage.awake_bytes += view.bytes();
            }
            let failed = entry.standing() == Standing::Failed;
            usage.failed += usize::from(failed);
            usage.damaged += usize::from(!failed && entry.is_damaged());
            usage.waiting += entry.intake.len();
        }
        // Those that are on their way here are no tenants yet, and take as much.
        usage.awake_bytes += self.house.warm_bytes();
        usage.woken = self.house.woken.load(Ordering::Relaxed);
        usage.slept = self.house.slept.load(Ordering::Relaxed);
        usage.slept_for_memory = self.house.slept_for_memory.load(Ordering::Relaxed);
        usage.hashing = self.house.pool.waiting();
        usage.failed_sign_ins = self.house.failed_sign_ins.load(Ordering::Relaxed);
        usage.told_to_wait = self.house.told_to_wait.load(Ordering::Relaxed);
        usage.doubted = self.house.doubted.lock().len();
        usage.journal_ahead_ms = self.house.journal_ahead_ms();
        usage
    }

    /// Finishes what is in flight, takes a checkpoint and stops the store cleanly.
    pub async fn stop(&self) {
        self.checkpoint().await;
        for entry in self.house.directory.all() {
            entry.set_standing(Standing::Leaving);
            let actor = entry.actor.lock().take();
            if let Some(actor) = actor {
                actor.drain_and_wait().await;
            }
        }
        let supervisor = self.house.supervisor.lock().take();
        if let Some(supervisor) = supervisor {
            supervisor.stop(None);
        }
        let house = Arc::clone(&self.house);
        let (Ok(()) | Err(_)) = self.house.work(move || house.store.stop()).await;
    }

    pub(crate) fn draw(&self) -> Drawn {
        let mut bytes = [0; ENTROPY_BYTES];
        self.house.entropy.fill(&mut bytes);
        Drawn(bytes)
    }
}

/// The first start: frame 0 of the system tenant.
async fn found(house: &Arc<House>) -> Result<(), StartError> {
    let mut bytes = [0; 88];
    house.entropy.fill(&mut bytes);
    let (Some(entropy), Some(nonces)) = (bytes.first_chunk::<64>(), bytes.last_chunk::<24>()) else {
        return Err(StartError::System);
    };
    house.store.make_tenant_keys(TenantId::SYSTEM, entropy, nonces)?;
    let mut drawn = [0; ENTROPY_BYTES];
    house.entropy.fill(&mut drawn);
    let birth = State::system_birth(house.now(), &Drawn(drawn));
    let unborn = Head {
        tenant: TenantId::SYSTEM,
        slot: TenantId::SYSTEM.slot_at_birth(),
        epoch: Epoch(1),
        next: Revision(0),
        link: [0; 32],
    };
    let mut batch = house.store.batch(&unborn);
    let staged = Staged {
        kind: CommandKind::CreateTenant,
        id: CommandId::default(),
        fingerprint: 0,
        caller: Caller::Node,
        wall: house.now(),
        events: birth.events,
        rows: birth.rows,
    };
    batch.birth(birth.tenant, birth.nonce, &staged)?;
    house.store.commit(batch).await?;
    Ok(())
}

/// Has the data dropped of tenants whose deletion a former life wrote down and did not finish. Blocks.
fn forget_the_deleted(house: &House) {
    let Some(view) = house.system() else { return };
    let root = view.root.full();
    let deleted = root.tenants.iter().filter(|record| record.status == TenantStatus::Deleted);
    let mut left = Vec::new();
    let looked = deleted.map(|record| record.id).try_for_each(|tenant| {
        if house.store.is_kept(tenant)? {
            left.push(tenant);
        }
        Ok::<_, StorageError>(())
    });
    match looked {
        Ok(()) => {
            if !left.is_empty() {
                tracing::info!(
                    tenants = left.len(),
                    "the data of deleted tenants is still there: it goes now"
                );
                house.tell(SupervisorMessage::Forget(left));
            }
        }
        Err(error) => tracing::warn!(%error, "nobody knows whether data of deleted tenants is left"),
    }
}
