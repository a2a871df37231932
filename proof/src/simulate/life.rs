//! One life of a simulated node: started, asked, ordered, disturbed, and ended in one of three ways.

use super::End;
use super::learn::{FREE, LOCKED};
use super::spoil::Spoiled;
use super::world::{Family, Person, Phase, Tenant, World};
use crate::node::Trouble;
use crate::seams::{self, Dice, Seeded, Stepped, bind};
use std::sync::Arc;
use std::time::Duration;
use tessera_crypto::PasswordPool;
use tessera_engine::{Bound, Clock as _, Engine, EngineConfig};
use tessera_model::record::SubjectKind;
use tessera_model::settings::SettingsChange;
use tessera_model::{Caller, CellId, Command, Identifier, IdentifierKind, Name, Pattern, Private, Setting};
use tessera_storage::disk::simulated::{Fault, Simulated};
use tessera_storage::{Drive, Embedded, Options, RootKey, StorageError, Store};

/// Simulated time in which every order must be answered, one way or the other.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);
/// A tenant that is waking is looked for so long at a time, and so often: together the deadline.
const LOOK: Duration = Duration::from_millis(60);
const LOOKS: u32 = 2_000;
/// A tenant that nobody used for so long is put to sleep.
const IDLE_SLEEP_MS: u64 = 20_000;
/// Everybody's password, and one that is nobody's.
pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const WRONG: &str = "battery staple";

/// Where a node stands: its cell, what its store is opened with, and whose time it has.
pub(crate) struct Seat {
    pub(crate) cell: CellId,
    pub(crate) options: Options,
    pub(crate) clock: Arc<Stepped>,
}

impl Seat {
    /// One that belongs to no fleet, from this time on.
    fn alone(now: u64) -> Self {
        let cell = EngineConfig::default().cell;
        Self { cell, options: options(), clock: Arc::new(Stepped::new(now)) }
    }
}

/// A running node.
pub(crate) struct Node {
    pub(crate) engine: Engine,
    pub(crate) store: Arc<Embedded>,
    pub(crate) clock: Arc<Stepped>,
    pub(crate) disk: Simulated,
    pub(crate) admins: Vec<Bound>,
}

impl Node {
    /// Whether it can go on: a node whose store failed ends.
    pub(crate) fn is_up(&self) -> bool {
        !self.disk.is_off() && !self.store.failed()
    }

    /// The wall's time.
    pub(crate) fn now(&self) -> u64 {
        self.clock.now().0
    }
}

/// Drives the lane: what waits becomes a group after some time, as chance has it; where nothing waits it looks
/// more and more seldom.
async fn drive(store: Arc<Embedded>, mut dice: Dice) {
    let mut idle = 0;
    while !store.failed() {
        tokio::time::sleep(Duration::from_micros(200 + dice.below(8_000 << idle))).await;
        let before = idle;
        idle = (idle + 1).min(4);
        while store.turn() {
            idle = 0;
        }
        if before < 4 && dice.below(12) == 0 {
            store.rest();
        }
    }
}

pub(crate) fn options() -> Options {
    Options {
        journal_file_bytes: 64 * 1024,
        tail_frames_max: 400,
        cache_bytes: 1024 * 1024,
        drive: Drive::ByHand,
        ..Options::new(RootKey::new([3; 32]), [7; 32], [5; 32])
    }
}

impl World {
    /// One life on this disk, of chosen length; the last one has no faults and ends cleanly.
    pub(crate) async fn live(
        &mut self,
        disk: &Simulated,
        pool: &Arc<PasswordPool>,
        last: bool,
    ) -> Result<End, Trouble> {
        let begun = self.now;
        let young = self.tenants.is_empty();
        if !young && !last && self.profile.failing {
            self.plant(disk);
        }
        (self.phase, self.cut_in) = (Phase::Start, None);
        let end = match self.begin(disk, pool).await? {
            None => {
                self.enter(Phase::Work, disk.is_off());
                self.note(&"no start");
                if disk.is_off() { End::Power } else { End::Killed }
            }
            Some(mut node) => {
                self.enter(Phase::Work, disk.is_off());
                let end = self.go(&mut node, (young, last)).await?;
                self.enter(Phase::Work, disk.is_off());
                self.now = node.now();
                let usage = node.engine.usage();
                self.counts.slept += usage.slept;
                self.counts.woken += usage.woken;
                if node.store.failed() {
                    self.counts.failed += 1;
                }
                end
            }
        };
        self.now += 1_000 + self.dice.below(60_000);
        self.counts.simulated_s += (self.now - begun) / 1_000;
        Ok(end)
    }

    /// Plants what this life is to meet.
    fn plant(&mut self, disk: &Simulated) {
        let within = if self.dice.below(3) == 0 { 20 } else { 120 };
        let at = disk.calls() + 1 + self.dice.below(within);
        match self.dice.below(6) {
            0..=2 => disk.plant(at, Fault::PowerCut),
            3 => disk.plant(at, Fault::Io),
            4 => disk.plant(at, Fault::NoSpace),
            _ => {}
        }
    }

    /// Starts on a disk of which nobody knows how far it was made; whatever is there must verify.
    pub(crate) async fn start_only(
        &mut self,
        disk: &Simulated,
        pool: &Arc<PasswordPool>,
    ) -> Result<(), Trouble> {
        let Some(node) = self.begin(disk, pool).await? else {
            self.fault("what was left of a new directory does not start");
            return Ok(());
        };
        for tenant in node.store.with_tail() {
            if let Err(error) = node.store.verify(tenant) {
                self.fault(format!("tenant {tenant} of a new directory does not verify: {error}"));
            }
        }
        node.engine.stop().await;
        Ok(())
    }

    /// Opens the store and starts the engine; nothing where the disk kept it from starting.
    async fn begin(&mut self, disk: &Simulated, pool: &Arc<PasswordPool>) -> Result<Option<Node>, Trouble> {
        self.begin_at(disk, pool, Seat::alone(self.now)).await
    }

    /// As `begin`, of a node that stands there.
    pub(crate) async fn begin_at(
        &mut self,
        disk: &Simulated,
        pool: &Arc<PasswordPool>,
        Seat { cell, options, clock }: Seat,
    ) -> Result<Option<Node>, Trouble> {
        let store = match Embedded::open_on(Arc::new(disk.clone()), options) {
            Ok(store) => Arc::new(store),
            Err(StorageError::Damaged(damage)) => {
                self.fault(format!("a start found damage: {damage}"));
                return Ok(None);
            }
            Err(error) if !self.profile.failing && !disk.is_off() => {
                self.fault(format!("a start failed: {error}"));
                return Ok(None);
            }
            Err(_) => return Ok(None),
        };
        for damage in store.damaged() {
            self.fault(format!("a start found damage: {damage}"));
        }
        drop(tokio::spawn(drive(Arc::clone(&store), Dice::new(self.dice.next()))));
        let config = EngineConfig {
            cell,
            blocks_in_place: true,
            checkpoint_every_ms: 5_000,
            idle_sleep_ms: IDLE_SLEEP_MS,
            ..EngineConfig::default()
        };
        let entropy = Arc::new(Seeded::new(self.dice.next()));
        let seams = (Arc::clone(&clock) as _, entropy as _);
        let under: Arc<dyn Store> = match self.profile.spoil {
            None => Arc::clone(&store) as _,
            Some(spoil) => Arc::new(Spoiled { inner: Arc::clone(&store), spoil }),
        };
        let started = Engine::start(config, under, seams, Arc::clone(pool));
        match tokio::time::timeout(DEADLINE, started).await {
            Ok(Ok(engine)) => Ok(Some(Node { engine, store, clock, disk: disk.clone(), admins: Vec::new() })),
            Ok(Err(_)) | Err(_) if disk.is_off() || store.failed() => Ok(None),
            // A call that failed under a start ends it, as the process would end.
            Ok(Err(error)) => {
                self.note(&error.to_string());
                Ok(None)
            }
            Err(_) => {
                self.fault("a start did not end");
                Ok(None)
            }
        }
    }

    async fn go(&mut self, node: &mut Node, (young, last): (bool, bool)) -> Result<End, Trouble> {
        if young {
            if let Err(error) = self.prepare(node).await {
                return if node.is_up() { Err(error) } else { Ok(self.fell(node)) };
            }
            let disk = node.disk.clone();
            if self.profile.failing {
                self.plant(&disk);
            }
        } else if !self.bind_all(node).await {
            return Ok(self.fell(node));
        }
        self.settle(node, true).await;
        self.look(node);
        if let Some(wanted) = self.wanted.take() {
            self.meet(node, wanted).await;
        }
        let (least, more) = self.profile.steps;
        let steps = if last { 4 } else { least + self.dice.below(more) };
        for _ in 0..steps {
            if !node.is_up() {
                return Ok(self.fell(node));
            }
            self.step(node).await;
        }
        if !node.is_up() {
            return Ok(self.fell(node));
        }
        self.settle(node, true).await;
        self.finish_erasures(node).await;
        self.look(node);
        if node.is_up() {
            self.verify(node);
        }
        if !node.is_up() {
            return Ok(self.fell(node));
        }
        let stops = last || self.dice.below(2) == 0;
        self.note(&("end", stops));
        if !stops {
            return Ok(End::Killed);
        }
        self.enter(Phase::Stop, node.disk.is_off());
        if tokio::time::timeout(DEADLINE, node.engine.stop()).await.is_err() && node.is_up() {
            self.fault("a stop did not end");
        }
        Ok(if node.disk.is_off() { End::Power } else { End::Stopped })
    }

    pub(crate) fn fell(&mut self, node: &Node) -> End {
        self.note(&("fell", node.disk.is_off(), node.disk.calls()));
        if node.disk.is_off() { End::Power } else { End::Killed }
    }

    /// The operator, the tenants and their people, before anything fails.
    pub(crate) async fn prepare(&mut self, node: &mut Node) -> Result<(), Trouble> {
        let (key, operator) = seams::operator(&node.engine).await?;
        self.operator = Some(key);
        let mut tenants = Vec::new();
        for no in 0..self.profile.tenants {
            let (id, key, admin) = seams::tenant(&node.engine, &operator, &format!("tenant-{no}")).await?;
            let (engine, name) = (&node.engine, Name::new("actor")?);
            let role = Command::CreateRole { name, patterns: vec![Pattern::new("proof.act")?] };
            engine.submit(&admin, engine.command_id(), role).await?;
            engine
                .submit(&admin, engine.command_id(), Command::ChangeSettings { settings: settings() })
                .await?;
            let mut people = Vec::new();
            for person in 0..self.profile.people {
                let identifier = Identifier::new(IdentifierKind::Username, &format!("person{person}"))?;
                let who = (SubjectKind::Person, vec![identifier.clone()]);
                let password = Some(Private::new(PASSWORD.as_bytes().to_vec()));
                let made = engine.create_subject(&admin, engine.command_id(), who, password).await?.made;
                let subject = made.subject.ok_or("no subject in the reply")?;
                let (sessions, failures) = (Vec::new(), (0, 0));
                people.push(Person { subject, identifier, granted: Some(false), sessions, failures });
            }
            tenants.push(Tenant { id, key, people, acknowledged: Default::default() });
            node.admins.push(admin);
        }
        self.tenants = tenants;
        Ok(())
    }

    /// Binds every admin's key again; false where the node fell meanwhile.
    pub(crate) async fn bind_all(&mut self, node: &mut Node) -> bool {
        let keys: Vec<_> = self.tenants.iter().map(|tenant| tenant.key).collect();
        node.admins.clear();
        for key in keys {
            let mut bound = tokio::time::timeout(LOOK, bind(&node.engine, &key)).await;
            for _ in 0..LOOKS {
                // Who waits for a node without power waits for nothing.
                if bound.is_ok() || !node.is_up() {
                    break;
                }
                bound = tokio::time::timeout(LOOK, bind(&node.engine, &key)).await;
            }
            match bound {
                Ok(Ok(admin)) => node.admins.push(admin),
                _ if !node.is_up() => return false,
                Ok(Err(error)) => {
                    self.fault(format!("after a start: {error}"));
                    return false;
                }
                Err(_) => {
                    self.fault("a tenant did not wake in time");
                    return false;
                }
            }
        }
        true
    }

    /// Something happens.
    async fn step(&mut self, node: &mut Node) {
        match self.dice.below(16) {
            0..=6 => self.order_some(node).await,
            7 => self.guess_much(node).await,
            8 => self.look(node),
            9 => self.checkpoint(node).await,
            10 => {
                // Clocks step: a little, or past the end of what is idle.
                let ms = if self.dice.below(4) == 0 {
                    3_600_000 + self.dice.below(60_000)
                } else {
                    self.dice.below(5_000)
                };
                node.clock.step(ms);
            }
            11 => tokio::time::sleep(Duration::from_millis(self.dice.below(3_000))).await,
            12 => self.settle(node, false).await,
            13 => self.sleep_and_wake(node).await,
            14 => self.refresh_some(node).await,
            _ => self.claim_again(node).await,
        }
    }

    pub(crate) async fn checkpoint(&mut self, node: &Node) {
        let taken = tokio::time::timeout(DEADLINE, node.engine.checkpoint()).await;
        if taken.is_err() && node.is_up() {
            self.fault("a checkpoint did not end");
        }
        self.counts.checkpoints += u64::from(taken == Ok(true));
        self.note(&("checkpoint", taken.ok()));
    }

    /// Tenants whose frames are all covered, and that nobody uses, leave memory; then they are there again.
    pub(crate) async fn sleep_and_wake(&mut self, node: &mut Node) {
        self.fall_asleep(node).await;
        if node.is_up() && self.bind_all(node).await {
            self.look(node);
        }
    }

    /// Has the power go while somebody is erased, while tenants fall asleep, or while they wake.
    async fn meet(&mut self, node: &mut Node, wanted: Phase) {
        if wanted == Phase::Erase {
            return self.erase_one(node).await;
        }
        self.order_some(node).await;
        if wanted == Phase::Wake {
            self.fall_asleep(node).await;
        }
        self.enter(wanted, node.disk.is_off());
        let calls = if wanted == Phase::Wake { 4 } else { 24 };
        node.disk.plant(node.disk.calls() + 1 + self.dice.below(calls), Fault::PowerCut);
        if wanted == Phase::Sleep {
            self.fall_asleep(node).await;
        } else if self.bind_all(node).await {
            self.order_some(node).await;
            self.order_some(node).await;
        }
        self.enter(Phase::Work, node.disk.is_off());
    }

    /// Has the tenants that owe nothing fall asleep.
    pub(crate) async fn fall_asleep(&mut self, node: &mut Node) {
        self.checkpoint(node).await;
        let before = node.engine.usage().slept;
        node.clock.step(IDLE_SLEEP_MS);
        // LIMIT: two looks of the supervisor.
        tokio::time::sleep(Duration::from_millis(600)).await;
        let slept = node.engine.usage().slept - before;
        self.note(&("slept", slept));
    }

    /// The one-time secret of the first start was used: it opens nothing any more, whatever was lost since.
    async fn claim_again(&mut self, node: &Node) {
        let Ok(name) = Name::new("thief") else { return };
        let claim = Command::ClaimOperator { tag: seams::ONE_TIME, name };
        let id = node.engine.command_id();
        let told =
            tokio::time::timeout(DEADLINE, node.engine.submit_system(Caller::Bootstrap, id, claim)).await;
        if matches!(told, Ok(Ok(_))) {
            self.fault("a one-time secret was used twice");
        }
        self.note(&"claim");
    }
}

/// What is set in every tenant: cheap hashes, few failures that are free, handles that rotate.
fn settings() -> SettingsChange {
    SettingsChange::of(|setting| {
        let told = [
            (Setting::ArgonMemory, 8),
            (Setting::ArgonPasses, 1),
            (Setting::SignInFree, FREE),
            (Setting::SignInWaitMax, 1),
            (Setting::SignInFailures, LOCKED),
            (Setting::Refresh, 2),
        ];
        told.into_iter().find(|(known, _)| *known == setting).map(|(_, value)| value)
    })
}

impl Family {
    /// A handle that was replaced twice.
    pub(crate) fn spent(&self) -> Option<&tessera_model::HandleBytes> {
        self.older.len().checked_sub(2).and_then(|at| self.older.get(at))
    }
}
