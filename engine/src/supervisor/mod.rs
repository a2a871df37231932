//! The supervisor: wakes tenants, reloads those whose actor failed, takes checkpoints, puts idle
//! tenants to sleep and completes deletions. It never stands between a caller and an answer.

mod memory;
mod wakes;
mod writer;

pub(crate) use writer::{Calls, Writer};

use crate::actor::{Handed, Running, TenantActor, TenantMessage};
use crate::directory::{Entry, Standing};
use crate::erase;
use crate::house::House;
use crate::load;
use crate::submit;
use memory::MEMORY_IDLE_MS;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tessera_model::record::TenantStatus;
use tessera_model::{Refusal, TenantId, UnixMillis};
use tessera_storage::{Cut, StorageError};
use tokio::sync::oneshot;
use wakes::{Wakes, Why};

/// What the supervisor is told.
pub(crate) enum SupervisorMessage {
    /// A tenant that somebody waits for is to be loaded; its entry says so already.
    Wake(TenantId),
    /// Tenants that owe a checkpoint are to be loaded, when nobody else is.
    Owed(Vec<TenantId>),
    /// A tenant was loaded, or could not be, and why it was tried.
    Loaded(TenantId, Box<Result<Running, StorageError>>, Option<Why>),
    /// Time has passed.
    Tick,
    /// A checkpoint cycle has ended.
    CycleEnded(Result<(), StorageError>),
    /// A tenant is closing: its actor ends, then its data goes.
    Close(TenantId),
    /// These tenants are deleted: their data goes.
    Forget(Vec<TenantId>),
    /// The data of some is gone, all but of these.
    Forgot(Vec<TenantId>),
    /// Somebody is to be erased in this tenant.
    Erase(TenantId),
    /// Nobody was left to be erased in this tenant.
    Erased(TenantId),
    /// Take a checkpoint now; the reply comes when it is taken or has failed.
    Checkpoint(oneshot::Sender<bool>),
}

/// All of them at once: the store's directory row says how far a tenant's buckets reach, so buckets of
/// one position must reach the disk in one transaction, or a kill between two would lose what the
/// others hold. LIMIT: a tenant's dirty buckets are in memory meanwhile, 64 MiB per million sessions.
const HANDED_MAX: usize = usize::MAX;
/// LIMIT: tenants that are woken in one checkpoint for their times alone.
const DOUBTED_AT_ONCE: usize = 64;
/// LIMIT: deleted tenants whose data is removed at once, on one thread; some 30 ms each, and a drain waits.
const FORGOTTEN_AT_ONCE: usize = 16;
/// How long data that could not be removed rests.
const FORGET_AGAIN: Duration = Duration::from_secs(5);
/// LIMIT: a checkpoint that fails again and again is tried every 16 ticks, which is 4 s.
const REST_DOUBLINGS_MAX: u32 = 4;
/// Ticks between two looks at what tenants take: every second.
const MEMORY_TICKS: u32 = 4;
/// How often the supervisor looks around.
const TICK: Duration = Duration::from_millis(250);

/// The supervisor's actor.
pub(crate) struct Supervisor(pub(crate) Arc<House>);

/// What the supervisor remembers.
pub(crate) struct Watch {
    actors: BTreeMap<u64, TenantId>,
    wakes: Wakes,
    cycling: bool,
    waiting: Vec<oneshot::Sender<bool>>,
    last_cycle_ms: u64,
    /// Checkpoints that failed one after the other, and ticks until the next is tried.
    failures: u32,
    rest_ticks: u32,
    ticks: u32,
    /// Deleted tenants whose data is still there.
    forgetting: VecDeque<TenantId>,
    /// Whether the data of some is being removed.
    forgets: bool,
    /// Tenants in which somebody is being erased.
    erasing: BTreeSet<TenantId>,
}

impl Actor for Supervisor {
    type Msg = SupervisorMessage;
    type State = Watch;
    type Arguments = ();

    async fn pre_start(
        &self,
        myself: ActorRef<SupervisorMessage>,
        (): (),
    ) -> Result<Watch, ActorProcessingErr> {
        myself.send_interval(TICK, || SupervisorMessage::Tick);
        Ok(Watch {
            actors: BTreeMap::new(),
            wakes: Wakes::new(self.0.config.loads_max),
            cycling: false,
            waiting: Vec::new(),
            last_cycle_ms: self.0.now().0,
            failures: 0,
            rest_ticks: 0,
            ticks: 0,
            forgetting: VecDeque::new(),
            forgets: false,
            erasing: BTreeSet::new(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<SupervisorMessage>,
        message: SupervisorMessage,
        watch: &mut Watch,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            SupervisorMessage::Wake(tenant) => {
                watch.wakes.push(tenant, Why::Asked);
                self.load_next(&myself, watch);
            }
            SupervisorMessage::Owed(tenants) => {
                tenants.into_iter().for_each(|tenant| watch.wakes.push(tenant, Why::Owed));
                self.load_next(&myself, watch);
            }
            SupervisorMessage::Loaded(tenant, loaded, why) => {
                if let Some(why) = why {
                    watch.wakes.done(why);
                }
                // Whoever waits for this one is answered before the next load takes the processor.
                Box::pin(self.loaded(tenant, *loaded, &myself, watch)).await?;
                self.load_next(&myself, watch);
            }
            SupervisorMessage::Tick => self.tick(&myself, watch),
            SupervisorMessage::CycleEnded(result) => self.cycle_ended(&result, watch),
            SupervisorMessage::Close(tenant) => self.close(tenant, myself.clone()),
            SupervisorMessage::Forget(tenants) => {
                watch.forgetting.extend(tenants);
                self.forget_next(&myself, watch);
            }
            SupervisorMessage::Forgot(failed) => {
                watch.forgets = false;
                if !failed.is_empty() {
                    myself.send_after(FORGET_AGAIN, move || SupervisorMessage::Forget(failed));
                }
                self.forget_next(&myself, watch);
            }
            SupervisorMessage::Erase(tenant) => self.erase(tenant, &myself, watch),
            SupervisorMessage::Erased(tenant) => {
                watch.erasing.remove(&tenant);
                let view = self.0.entry(tenant).and_then(|entry| entry.known_view());
                // Some came while the last ones were noted.
                if view.is_some_and(|view| view.root.full().has_erasures()) {
                    self.erase(tenant, &myself, watch);
                }
            }
            SupervisorMessage::Checkpoint(reply) => {
                watch.waiting.push(reply);
                self.start_cycle(&myself, watch);
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<SupervisorMessage>,
        event: SupervisionEvent,
        watch: &mut Watch,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(cell, error) => {
                let pid = cell.get_id().pid();
                if let Some(tenant) = watch.actors.remove(&pid) {
                    tracing::warn!(%tenant, error = %error, "a tenant's actor failed");
                    self.reload((tenant, pid), &myself, watch);
                }
            }
            SupervisionEvent::ActorTerminated(cell, ..) => {
                watch.actors.remove(&cell.get_id().pid());
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

impl Supervisor {
    /// Begins as many loads as may run.
    fn load_next(&self, myself: &ActorRef<SupervisorMessage>, watch: &mut Watch) {
        while let Some((tenant, why)) = watch.wakes.pop() {
            // What is owed sleeps until its turn comes: whoever asks for it meanwhile has put it in front.
            let entry = self.0.entry(tenant).filter(|entry| {
                why == Why::Asked
                    || entry.status() != TenantStatus::Deleted
                        && self.0.store.has_tail(tenant)
                        && entry.shift(Standing::Asleep, Standing::Waking)
            });
            match entry {
                Some(entry) => self.load(entry, why, myself.clone()),
                None => watch.wakes.done(why),
            }
        }
    }

    /// Loads a tenant on a thread that may block; the result comes back as a message.
    fn load(&self, entry: Arc<Entry>, why: Why, myself: ActorRef<SupervisorMessage>) {
        let tenant = entry.tenant;
        let (house, on) = (Arc::clone(&self.0), Arc::clone(&self.0));
        tokio::spawn(async move {
            let loaded = on.work(move || load::load(&house, &entry)).await;
            let loaded = loaded.unwrap_or(Err(StorageError::LaneStopped));
            drop(myself.cast(SupervisorMessage::Loaded(tenant, Box::new(loaded), Some(why))));
        });
    }

    async fn loaded(
        &self,
        tenant: TenantId,
        loaded: Result<Running, StorageError>,
        myself: &ActorRef<SupervisorMessage>,
        watch: &mut Watch,
    ) -> Result<(), ActorProcessingErr> {
        let Some(entry) = self.0.entry(tenant) else { return Ok(()) };
        let status = entry.status();
        match loaded {
            _ if matches!(status, TenantStatus::Closing | TenantStatus::Deleted) => {
                // It was given up while it woke: what was loaded of it is dropped.
                drop(loaded);
                entry.show(None);
                entry.set_standing(Standing::Asleep);
                entry.intake.refuse(Refusal::TenantUnknown);
                if status == TenantStatus::Closing {
                    self.close(tenant, myself.clone());
                }
            }
            Err(error) => fail(&entry, &error),
            Ok(running) => {
                // An actor that did not start is its tenant's trouble, never the supervisor's.
                match start_actor(running, myself).await {
                    Ok(pid) => {
                        watch.actors.insert(pid, tenant);
                    }
                    Err(error) => {
                        tracing::error!(%tenant, %error, "a tenant's actor did not start");
                        entry.show(None);
                        entry.set_standing(Standing::Asleep);
                        entry.intake.refuse(Refusal::NotReady);
                    }
                }
                if matches!(entry.status(), TenantStatus::Closing | TenantStatus::Deleted) {
                    self.close(tenant, myself.clone());
                }
            }
        }
        Ok(())
    }

    /// After a failure of the tenant's own actor: the private state is gone, what is durable is read again. The old view
    /// stays up meanwhile, because it shows durable facts only. One that was being put to sleep or closed is somebody
    /// else's to wake, and may be loading by now.
    fn reload(
        &self,
        (tenant, pid): (TenantId, u64),
        myself: &ActorRef<SupervisorMessage>,
        watch: &mut Watch,
    ) {
        let Some(entry) = self.0.directory.entry(tenant) else { return };
        let own = entry.actor.lock().take_if(|actor| actor.pid() == pid);
        if own.is_some() && entry.shift(Standing::Awake, Standing::Waking) {
            watch.wakes.push(tenant, Why::Asked);
            self.load_next(myself, watch);
        }
    }

    fn tick(&self, myself: &ActorRef<SupervisorMessage>, watch: &mut Watch) {
        let now = self.0.now();
        let waited = now.0.saturating_sub(watch.last_cycle_ms);
        let wanted = self.0.store.due() || waited >= self.0.config.checkpoint_every_ms;
        let doubted = !self.0.doubted.lock().is_empty();
        watch.rest_ticks = watch.rest_ticks.saturating_sub(1);
        if watch.rest_ticks == 0 && (wanted && !self.0.store.with_tail().is_empty() || doubted) {
            self.start_cycle(myself, watch);
        }
        if !watch.cycling {
            self.put_to_sleep(now);
            watch.ticks = watch.ticks.wrapping_add(1);
            // A checkpoint for the sake of memory, at most so often as a tenant must have been idle.
            if watch.ticks.is_multiple_of(MEMORY_TICKS) && self.relieve(now) && waited >= MEMORY_IDLE_MS {
                self.start_cycle(myself, watch);
            }
            if watch.ticks.is_multiple_of(MEMORY_TICKS) {
                self.0.directory.drop_sleepers();
            }
        }
    }

    fn start_cycle(&self, myself: &ActorRef<SupervisorMessage>, watch: &mut Watch) {
        if watch.cycling {
            return;
        }
        watch.cycling = true;
        watch.last_cycle_ms = self.0.now().0;
        let (house, myself) = (Arc::clone(&self.0), myself.clone());
        tokio::spawn(async move {
            let result = cycle(&house).await;
            drop(myself.cast(SupervisorMessage::CycleEnded(result)));
        });
    }

    fn cycle_ended(&self, result: &Result<(), StorageError>, watch: &mut Watch) {
        watch.cycling = false;
        if let Err(error) = result {
            watch.failures = (watch.failures + 1).min(REST_DOUBLINGS_MAX);
            watch.rest_ticks = 1 << watch.failures;
            tracing::warn!(%error, "a checkpoint could not be completed; it is repeated");
        } else {
            (watch.failures, watch.rest_ticks) = (0, 0);
        }
        for reply in watch.waiting.drain(..) {
            // Whoever waited may be gone.
            reply.send(result.is_ok()).unwrap_or_default();
        }
    }

    /// Idle tenants whose every frame is covered leave memory.
    fn put_to_sleep(&self, now: UnixMillis) {
        for entry in self.0.directory.all() {
            if entry.idle_for(now) >= self.0.config.idle_sleep_ms {
                self.lay_down(entry);
            }
        }
    }

    /// Puts a tenant to sleep, unless it is the system's or has something to do. True when it leaves.
    fn lay_down(&self, entry: Arc<Entry>) -> bool {
        let busy = self.0.store.has_tail(entry.tenant) || entry.intake.len() > 0;
        if busy || entry.tenant == TenantId::SYSTEM || !entry.shift(Standing::Awake, Standing::Leaving) {
            return false;
        }
        let Some(actor) = entry.actor.lock().take() else { return false };
        self.0.slept.fetch_add(1, Ordering::Relaxed);
        let house = Arc::clone(&self.0);
        tokio::spawn(async move {
            // A command may have slipped in before the standing changed: then it stays awake.
            actor.stop_and_wait().await;
            entry.show(None);
            entry.set_standing(Standing::Asleep);
            // Looked at after the standing changed; a submitter looks at the standing after it
            // queued: one of the two sees the other.
            if house.store.has_tail(entry.tenant) || entry.intake.len() > 0 {
                house.wake(&entry);
            }
        });
        true
    }

    /// Ends the actor of a closing tenant, writes its tombstone, and has its data dropped.
    fn close(&self, tenant: TenantId, myself: ActorRef<SupervisorMessage>) {
        let house = Arc::clone(&self.0);
        tokio::spawn(async move {
            let Some(entry) = house.entry(tenant) else { return };
            entry.set_standing(Standing::Leaving);
            let actor = entry.actor.lock().take();
            if let Some(actor) = actor {
                actor.stop_and_wait().await;
            }
            entry.show(None);
            entry.intake.refuse(Refusal::TenantUnknown);
            // LIMIT: an hour of attempts, one a second; what is left is done at the next start.
            for _ in 0..3_600 {
                if entry.status() == TenantStatus::Deleted || submit::finish_deletion(&house, tenant).await {
                    drop(myself.cast(SupervisorMessage::Forget(vec![tenant])));
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
    }

    /// Erases whoever is to be erased in a tenant, unless that is under way.
    fn erase(&self, tenant: TenantId, myself: &ActorRef<SupervisorMessage>, watch: &mut Watch) {
        if !watch.erasing.insert(tenant) {
            return;
        }
        let (house, myself) = (Arc::clone(&self.0), myself.clone());
        tokio::spawn(async move {
            erase::run(house, tenant).await;
            drop(myself.cast(SupervisorMessage::Erased(tenant)));
        });
    }

    /// Removes the data of some deleted tenants, unless that is under way. It rewrites and syncs files: on
    /// one thread of those that may block, so that many deletions leave the others to whoever wakes.
    fn forget_next(&self, myself: &ActorRef<SupervisorMessage>, watch: &mut Watch) {
        if watch.forgets || watch.forgetting.is_empty() {
            return;
        }
        watch.forgets = true;
        let some = watch.forgetting.len().min(FORGOTTEN_AT_ONCE);
        let tenants: Vec<TenantId> = watch.forgetting.drain(..some).collect();
        let (house, on, myself) = (Arc::clone(&self.0), Arc::clone(&self.0), myself.clone());
        tokio::spawn(async move {
            let all = tenants.clone();
            let forget = move || tenants.into_iter().filter(|tenant| !forgets(&house, *tenant)).collect();
            let failed = on.work(forget).await.unwrap_or(all);
            drop(myself.cast(SupervisorMessage::Forgot(failed)));
        });
    }
}

/// Removes what is left of a deleted tenant. False when that is to be tried again. Blocks.
fn forgets(house: &House, tenant: TenantId) -> bool {
    match house.store.forget(tenant) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%tenant, %error, "a deleted tenant's data is still there");
            false
        }
    }
}

/// Starts a tenant's actor and shows its view.
async fn start_actor(
    running: Running,
    myself: &ActorRef<SupervisorMessage>,
) -> Result<u64, ActorProcessingErr> {
    let entry = Arc::clone(&running.entry);
    let house = Arc::clone(&running.house);
    let (view, now) = (Arc::clone(&running.view), house.now());
    let erasing = view.root.full().has_erasures();
    let calls = running.calls.clone();
    let (actor, _task) = Actor::spawn_linked(None, TenantActor, Box::new(running), myself.get_cell()).await?;
    let actor = Writer::new(actor, &entry.intake, calls);
    *entry.actor.lock() = Some(actor.clone());
    crate::moving::look_at(&house, &entry, &view);
    entry.show(Some(view));
    entry.used(now);
    entry.set_standing(Standing::Awake);
    house.woken.fetch_add(1, Ordering::Relaxed);
    if erasing {
        house.tell(SupervisorMessage::Erase(entry.tenant));
    }
    // Whoever queued while there was no actor has told nobody.
    actor.drain()?;
    Ok(actor.pid())
}

/// One checkpoint: every tenant with frames before the cut hands over what changed.
async fn cycle(house: &Arc<House>) -> Result<(), StorageError> {
    let cut = house.store.cut();
    let doubted: Vec<TenantId> = {
        let mut all = house.doubted.lock();
        let some = all.len().min(DOUBTED_AT_ONCE);
        all.drain(..some).collect()
    };
    let rewriting: Vec<TenantId> = house.rewriting.lock().iter().copied().collect();
    let done = take(house, cut, &[doubted.as_slice(), &rewriting].concat()).await;
    if doubted.is_empty() {
        return done;
    }
    if done.is_err() {
        house.doubted.lock().extend(doubted);
    } else if house.doubted.lock().is_empty() {
        tracing::warn!(
            "every history was looked at for times to come: danger_trust_wall_clock can be taken away"
        );
    }
    done
}

/// Takes what changed of the cut's tenants and of `more` into the checkpoint, and finishes it.
async fn take(house: &Arc<House>, cut: Cut, more: &[TenantId]) -> Result<(), StorageError> {
    for tenant in cut.tenants.iter().chain(more) {
        let entry = house.entry(*tenant);
        let taken = match &entry {
            Some(entry) => hand_over(house, entry).await?,
            None => false,
        };
        if entry.is_some_and(|entry| entry.status() == TenantStatus::Deleted) {
            // Its frames go into no bucket: they go with all that there is of it.
            let (on, tenant) = (Arc::clone(house), *tenant);
            let forgotten = house.work(move || on.store.forget(tenant)).await;
            forgotten.unwrap_or(Err(StorageError::LaneStopped))?;
            continue;
        }
        if !taken {
            // Nobody can take its frames into buckets: they are kept, and nobody else waits for it.
            let (on, tenant) = (Arc::clone(house), *tenant);
            let aside = house.work(move || on.store.set_aside(tenant)).await;
            aside.unwrap_or(Err(StorageError::LaneStopped))?;
        }
    }
    let on = Arc::clone(house);
    let finished = house.work(move || on.store.finish(&cut)).await;
    finished.unwrap_or(Err(StorageError::LaneStopped))
}

/// A tenant's data does not verify: nothing of it is answered any more, and nothing that waits happens.
fn fail(entry: &Entry, error: &StorageError) {
    tracing::error!(tenant = %entry.tenant, %error, "a tenant has failed: it is refused until it is repaired");
    entry.note_failure(error.to_string());
    // Whoever is woken by the standing finds no view any more.
    entry.show(None);
    entry.set_standing(Standing::Failed);
    entry.intake.refuse(Refusal::TenantFailed);
}

/// Takes what changed of a tenant into the checkpoint, for one who asks at a time. False when the tenant has failed.
pub(crate) async fn hand_over(house: &Arc<House>, entry: &Arc<Entry>) -> Result<bool, StorageError> {
    let _one = entry.handing.lock().await;
    let mut first = true;
    loop {
        if entry.status() == TenantStatus::Deleted || entry.is_away() && !house.store.has_tail(entry.tenant) {
            return Ok(true);
        }
        let Some(actor) = awake(house, entry).await else {
            let gone = entry.status() == TenantStatus::Deleted;
            let failed = entry.standing() == Standing::Failed;
            return if gone || failed { Ok(!failed) } else { Err(StorageError::LaneStopped) };
        };
        let (reply, handed) = oneshot::channel();
        let asked = actor.cast(TenantMessage::HandOver(HANDED_MAX, first, reply)).is_ok();
        let handed = if asked { handed.await.ok() } else { None };
        let Some(Handed { head, buckets, names, left }) = handed else {
            // The actor has failed; the supervisor must get its turn to reload it.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        first = false;
        let (store, tenant) = (Arc::clone(&house.store), entry.tenant);
        let put = house.work(move || store.put(tenant, &head, buckets)).await;
        match put.unwrap_or(Err(StorageError::LaneStopped)) {
            Ok(()) if left == 0 => return Ok(true),
            Ok(()) => {}
            Err(error @ StorageError::Damaged(_)) if entry.tenant == TenantId::SYSTEM => {
                // Everybody needs it: what it has in memory is right, and its frames are kept as they are.
                tracing::error!(%error, "the system tenant cannot be taken into the checkpoint");
                drop(actor.cast(TenantMessage::Again(names)));
                return Ok(false);
            }
            Err(error @ StorageError::Damaged(_)) => {
                *entry.actor.lock() = None;
                actor.stop_and_wait().await;
                fail(entry, &error);
                return Ok(false);
            }
            Err(error) => {
                drop(actor.cast(TenantMessage::Again(names)));
                return Err(error);
            }
        }
    }
}

/// The actor of a tenant that has frames to hand over: woken if it sleeps, awaited while it wakes.
pub(crate) async fn awake(house: &Arc<House>, entry: &Arc<Entry>) -> Option<Writer> {
    // LIMIT: 10 minutes: a tenant of 10 M sessions loads in seconds.
    for _ in 0..60_000 {
        if entry.status() == TenantStatus::Deleted {
            return None;
        }
        house.wake(entry);
        let actor = entry.actor.lock().clone();
        match (entry.standing(), actor) {
            (Standing::Awake, Some(actor)) => return Some(actor),
            (Standing::Failed, _) => return None,
            (Standing::Asleep | Standing::Waking | Standing::Awake | Standing::Leaving, _) => {}
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    None
}
