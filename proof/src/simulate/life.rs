//! One life of a simulated node: started, asked, ordered, disturbed, and ended in one of three ways.

use super::End;
use super::world::{Ended, Order, Ordered, Person, Tenant, World};
use crate::node::Trouble;
use crate::seams::{self, Dice, Seeded, Stepped, bind};
use std::sync::Arc;
use std::time::Duration;
use tessera_crypto::PasswordPool;
use tessera_engine::{Bound, Clock as _, Engine, EngineConfig, SubmitError};
use tessera_model::record::SubjectKind;
use tessera_model::{
    Caller, CheckQuery, Command, Deadline, HandleBytes, Name, Pattern, PermissionRef, Reason, Receipt,
    Revision, WorkspaceRef,
};
use tessera_storage::disk::simulated::{Fault, Simulated};
use tessera_storage::{Drive, Embedded, Options, RootKey, StorageError, Store};
use tokio::task::JoinSet;

/// Tenants, and people of each.
const TENANTS: usize = 3;
const PEOPLE: usize = 3;
/// Simulated time in which every order must be answered, one way or the other.
const DEADLINE: Duration = Duration::from_secs(120);
/// A command whose tenant was not there is ordered again so often.
const RETRIES: u32 = 400;

/// Refusals that say something of a command id.
const ID_REUSED: u16 = 212;
const COMMAND_TOO_OLD: u16 = 214;

/// A running node.
struct Node {
    engine: Engine,
    store: Arc<Embedded>,
    clock: Arc<Stepped>,
    disk: Simulated,
    admins: Vec<Bound>,
}

impl Node {
    /// Whether it can go on: a node whose store failed ends.
    fn is_up(&self) -> bool {
        !self.disk.is_off() && !self.store.failed()
    }
}

/// Drives the lane: what waits becomes a group after some time, as chance has it.
async fn drive(store: Arc<Embedded>, mut dice: Dice) {
    while !store.failed() {
        tokio::time::sleep(Duration::from_micros(200 + dice.below(8_000))).await;
        while store.turn() {}
        if dice.below(12) == 0 {
            store.rest();
        }
    }
}

fn options() -> Options {
    Options {
        journal_file_bytes: 64 * 1024,
        tail_frames_max: 400,
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
        if !young && !last {
            self.plant(disk);
        }
        let end = match self.begin(disk, pool).await? {
            None => {
                self.note(&"no start");
                if disk.is_off() { End::Power } else { End::Killed }
            }
            Some(mut node) => {
                let end = self.go(&mut node, (young, last)).await?;
                self.now = node.clock.now().0;
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
        let within = if self.dice.below(3) == 0 { 20 } else { 500 };
        let at = disk.calls() + 1 + self.dice.below(within);
        match self.dice.below(6) {
            0..=2 => disk.plant(at, Fault::PowerCut),
            3 => disk.plant(at, Fault::Io),
            4 => disk.plant(at, Fault::NoSpace),
            _ => {}
        }
    }

    /// Opens the store and starts the engine; nothing where the disk kept it from starting.
    async fn begin(&mut self, disk: &Simulated, pool: &Arc<PasswordPool>) -> Result<Option<Node>, Trouble> {
        let store = match Embedded::open_on(Arc::new(disk.clone()), options()) {
            Ok(store) => Arc::new(store),
            Err(StorageError::Damaged(damage)) => {
                self.fault(format!("a start found damage: {damage}"));
                return Ok(None);
            }
            Err(_) => return Ok(None),
        };
        drop(tokio::spawn(drive(Arc::clone(&store), Dice::new(self.dice.next()))));
        let clock = Arc::new(Stepped::new(self.now));
        let config =
            EngineConfig { blocks_in_place: true, checkpoint_every_ms: 5_000, ..EngineConfig::default() };
        let entropy = Arc::new(Seeded::new(self.dice.next()));
        let seams = (Arc::clone(&clock) as _, entropy as _);
        let started = Engine::start(config, Arc::clone(&store) as _, seams, Arc::clone(pool));
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
            self.prepare(node).await?;
            let disk = node.disk.clone();
            self.plant(&disk);
        } else if !self.bind_all(node).await {
            return Ok(self.fell(node));
        }
        self.settle(node, true).await;
        self.look(node);
        let steps = if last { 4 } else { 6 + self.dice.below(18) };
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
        if tokio::time::timeout(DEADLINE, node.engine.stop()).await.is_err() && node.is_up() {
            self.fault("a stop did not end");
        }
        Ok(if node.disk.is_off() { End::Power } else { End::Stopped })
    }

    fn fell(&mut self, node: &Node) -> End {
        self.note(&("fell", node.disk.is_off(), node.disk.calls()));
        if node.disk.is_off() { End::Power } else { End::Killed }
    }

    /// The operator, the tenants and their people, before anything fails.
    async fn prepare(&mut self, node: &mut Node) -> Result<(), Trouble> {
        let (key, operator) = seams::operator(&node.engine).await?;
        self.operator = Some(key);
        for no in 0..TENANTS {
            let (id, key, admin) = seams::tenant(&node.engine, &operator, &format!("tenant-{no}")).await?;
            let (engine, name) = (&node.engine, Name::new("actor")?);
            let role = Command::CreateRole { name, patterns: vec![Pattern::new("proof.act")?] };
            engine.submit(&admin, engine.command_id(), role).await?;
            let mut people = Vec::new();
            for _ in 0..PEOPLE {
                let who = (SubjectKind::Machine, Vec::new());
                let made = engine.create_subject(&admin, engine.command_id(), who, None).await?.made;
                let subject = made.subject.ok_or("no subject in the reply")?;
                people.push(Person { subject, granted: Some(false), sessions: Vec::new() });
            }
            self.tenants.push(Tenant { id, key, people, acknowledged: Default::default() });
            node.admins.push(admin);
        }
        Ok(())
    }

    /// Binds every admin's key again; false where the node fell meanwhile.
    async fn bind_all(&mut self, node: &mut Node) -> bool {
        let keys: Vec<_> = self.tenants.iter().map(|tenant| tenant.key).collect();
        for key in keys {
            match tokio::time::timeout(DEADLINE, bind(&node.engine, &key)).await {
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
        match self.dice.below(12) {
            0..=5 => self.order_some(node).await,
            6 => self.look(node),
            7 => {
                let taken = tokio::time::timeout(DEADLINE, node.engine.checkpoint()).await;
                if taken.is_err() && node.is_up() {
                    self.fault("a checkpoint did not end");
                }
                self.counts.checkpoints += u64::from(taken == Ok(true));
                self.note(&("checkpoint", taken.ok()));
            }
            8 => {
                // Clocks step: a little, or past the end of what is idle.
                let ms = if self.dice.below(4) == 0 {
                    3_600_000 + self.dice.below(60_000)
                } else {
                    self.dice.below(5_000)
                };
                node.clock.step(ms);
            }
            9 => tokio::time::sleep(Duration::from_millis(self.dice.below(3_000))).await,
            10 => self.settle(node, false).await,
            _ => self.claim_again(node).await,
        }
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

    /// Orders something of several people at once, some of it given up before it is answered.
    async fn order_some(&mut self, node: &Node) {
        let mut all = Vec::new();
        for _ in 0..1 + self.dice.below(5) {
            let (tenant, person) = (self.dice.index(self.tenants.len()), self.dice.index(PEOPLE));
            let taken = all.iter().any(|one: &Ordered| (one.tenant, one.person) == (tenant, person));
            if taken || self.is_pending(tenant, person) {
                continue;
            }
            let Some(known) = self.tenants.get(tenant).and_then(|tenant| tenant.people.get(person)) else {
                continue;
            };
            let alive = known.sessions.iter().rposition(|session| session.alive == Some(true));
            let granted = known.granted;
            let order = match self.dice.below(10) {
                0 => Order::Panic,
                1..=3 => Order::Grant(granted != Some(true)),
                4 | 5 => alive.map_or(Order::Open, Order::End),
                _ => Order::Open,
            };
            all.push(Ordered { tenant, person, order, id: node.engine.command_id() });
        }
        let patience: Vec<_> =
            all.iter().map(|_| (self.dice.below(6) == 0).then(|| self.dice.below(6_000))).collect();
        self.run(node, all, patience, 0).await;
    }

    /// Repeats what nobody knows under its own id: some of it, or all until it is known.
    async fn settle(&mut self, node: &Node, all: bool) {
        for _ in 0..50 {
            let some: Vec<Ordered> = std::mem::take(&mut self.pending);
            if some.is_empty() || !node.is_up() {
                self.pending.extend(some);
                return;
            }
            let patience = some.iter().map(|_| None).collect();
            self.run(node, some, patience, RETRIES).await;
            if !all {
                return;
            }
        }
        if node.is_up() && !self.pending.is_empty() {
            self.fault("an outcome stays unknown");
        }
    }

    /// Runs orders at once, and learns what became of each.
    async fn run(&mut self, node: &Node, all: Vec<Ordered>, patience: Vec<Option<u64>>, retries: u32) {
        let mut running = JoinSet::new();
        let mut before = Vec::new();
        for (no, (ordered, limit)) in all.iter().zip(patience).enumerate() {
            before.push(self.before(ordered));
            self.sent(ordered);
            let Some(command) = self.command(node, ordered) else { continue };
            let Some(admin) = node.admins.get(ordered.tenant).cloned() else { continue };
            let (engine, id) = (node.engine.clone(), ordered.id);
            running.spawn(async move { (no, submit(engine, admin, (id, command), limit, retries).await) });
        }
        let mut ended = Vec::new();
        while let Some(one) = running.join_next().await {
            if let Ok(one) = one {
                ended.push(one);
            }
        }
        ended.sort_by_key(|(no, _)| *no);
        self.now = node.clock.now().0;
        for (no, found) in ended {
            let (Some(ordered), Some(before)) = (all.get(no), before.get(no)) else { continue };
            if matches!(found, Ended::Unknown(false)) && node.is_up() && ordered.order != Order::Panic {
                // A tenant that was loaded anew tells nobody what became of its batch: that is allowed, silence is not.
                self.note(&"unknown while up");
            }
            let told = match &found {
                Ended::Done(receipt, ..) => (0, receipt.revision.0),
                Ended::Refused(code) => (1, u64::from(*code)),
                Ended::Unknown(given_up) => (2, u64::from(*given_up)),
            };
            self.note(&(ordered.tenant, ordered.person, format!("{:?}", ordered.order), told));
            match found {
                Ended::Refused(ID_REUSED) => self.fault("a command id was taken for another's"),
                // Nobody will ever know: it is not asked for again.
                Ended::Refused(COMMAND_TOO_OLD) => continue,
                Ended::Done(..) | Ended::Refused(_) | Ended::Unknown(_) => {}
            }
            self.learn(ordered, *before, &found);
        }
    }

    /// The command of an order.
    fn command(&self, node: &Node, ordered: &Ordered) -> Option<Command> {
        let person = self.person(ordered)?;
        let (role, none, subject) = (Name::new("actor").ok()?, Deadline::NONE, person.subject);
        Some(match ordered.order {
            Order::Grant(true) => Command::Grant { subject, role, workspace: None, from: none, until: none },
            Order::Grant(false) => Command::Ungrant { subject, role, workspace: None },
            Order::End(at) => Command::EndSession { session: person.sessions.get(at)?.id },
            Order::Panic => Command::PlantedPanic {},
            Order::Open => {
                let view = node.admins.get(ordered.tenant)?.entry.view().clone()?;
                let listing = view.listing();
                let record = listing.subject(subject)?;
                let (subject, seen_cut_off) = (record.index, record.cut_off);
                Command::OpenSession { subject, seen_cut_off, identifier: None, acr: 0, device: None }
            }
        })
    }

    /// Asks about every session, as its tenant and as another one, and compares with what is known.
    fn look(&mut self, node: &Node) {
        let now = node.clock.now().0;
        let mut told = Vec::new();
        let mut faults = Vec::new();
        for (no, tenant) in self.tenants.iter_mut().enumerate() {
            let foreign = (no + 1) % node.admins.len().max(1);
            for person in &mut tenant.people {
                for session in &mut person.sessions {
                    let Some(reason) = ask(node, no, &session.handle) else { continue };
                    self.counts.answers += 1;
                    told.push(reason.name());
                    let permitted = reason == Reason::None;
                    let passed = now >= session.ends;
                    let right = match (session.alive, person.granted) {
                        _ if passed => Some(false),
                        (Some(false), _) | (_, Some(false)) => Some(false),
                        (Some(true), Some(true)) => Some(true),
                        (None, _) | (_, None) => None,
                    };
                    if right.is_some_and(|right| right != permitted) {
                        faults.push(format!(
                            "a session (alive {:?}, granted {:?}, passed {passed}) was answered {reason:?}",
                            session.alive, person.granted
                        ));
                    }
                    if session.alive.is_none() && reason == Reason::Revoked {
                        // What was seen once is durable: it must not come back.
                        session.alive = Some(false);
                    }
                    if ask(node, foreign, &session.handle) == Some(Reason::None) {
                        faults.push("a handle was good in another tenant".to_owned());
                    }
                }
            }
        }
        self.note(&told);
        self.faults.extend(faults);
    }

    /// Walks every chain: what was acknowledged stands where its receipt says, and nothing stands twice.
    fn verify(&mut self, node: &Node) {
        let mut faults = Vec::new();
        let mut frames = 0;
        for tenant in &self.tenants {
            match (node.store.verify(tenant.id), node.store.history(tenant.id, Revision(0), usize::MAX)) {
                (Ok(verified), Ok(history)) => {
                    frames += verified.frames;
                    let mut ids: Vec<_> = history.iter().skip(1).map(|frame| frame.id.0).collect();
                    ids.sort_unstable();
                    let count = ids.len();
                    ids.dedup();
                    if ids.len() != count {
                        faults.push("a command stands in the history twice".to_owned());
                    }
                    for (revision, id) in &tenant.acknowledged {
                        let there = history.iter().find(|frame| frame.revision.0 == *revision);
                        if there.is_none_or(|frame| frame.id != *id) {
                            faults.push(format!("an acknowledged command is not at its revision {revision}"));
                        }
                    }
                }
                (Err(error), _) | (_, Err(error)) if node.is_up() => {
                    faults.push(format!("a chain does not verify: {error}"));
                }
                _ => {}
            }
        }
        self.counts.frames += frames;
        self.note(&frames);
        let usage = node.engine.usage();
        if usage.waiting > 0 || usage.awake > self.tenants.len() + 1 || usage.failed > 0 {
            faults.push(format!("at rest: {usage:?}"));
        }
        self.faults.extend(faults);
    }
}

/// What a handle is answered in a tenant; nothing while that is not awake.
fn ask(node: &Node, tenant: usize, handle: &HandleBytes) -> Option<Reason> {
    let admin = node.admins.get(tenant)?;
    let view = admin.entry.view().clone()?;
    let reading = node.engine.read(&view);
    let query = CheckQuery {
        handle,
        permission: PermissionRef::Name("proof.act"),
        workspace: WorkspaceRef::Tenant,
        at_least: Receipt::default(),
        address: None,
    };
    Some(node.engine.check(admin, &reading, &query).reason)
}

/// Orders a command, again while its tenant is being loaded; given up by its caller after `limit` microseconds.
async fn submit(
    engine: Engine,
    admin: Bound,
    (id, command): (tessera_model::CommandId, Command),
    limit: Option<u64>,
    retries: u32,
) -> Ended {
    for _ in 0..=retries {
        let patience = limit.map_or(DEADLINE, Duration::from_micros);
        match tokio::time::timeout(patience, engine.submit(&admin, id, command.clone())).await {
            Ok(Ok(done)) => return Ended::Done(done.receipt, done.repeat, Box::new(done.made)),
            Ok(Err(SubmitError::Refused(refusal) | SubmitError::Wait { refusal, .. })) => {
                // Not ready, busy, full for a moment: it is asked again, where somebody must know.
                if !matches!(refusal.code(), 300..=399 | 229) || retries == 0 {
                    return Ended::Refused(refusal.code());
                }
            }
            Ok(Err(SubmitError::Unknown)) => return Ended::Unknown(false),
            Err(_) => return Ended::Unknown(limit.is_some()),
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Ended::Unknown(false)
}
