//! `tenants-10k` and its family: many sleeping tenants beside few, and the waking of a large one.

use crate::caller::Caller;
use crate::figure::{Family, Row, Setup, Spec, Why};
use crate::house::House;
use crate::memory::resident;
use crate::process::{Node, Process, fresh, write_root_key};
use crate::restart;
use crate::rounds::{median, quantile};
use crate::wire::DECISION_BYTES;
use std::path::{Path, PathBuf};
use std::process::Command as Program;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tessera_engine::{EngineConfig, HelloRefusal};
use tessera_model::{
    CheckQuery, Command, Handle, Name, PermissionRef, Receipt, Settings, TenantId, WorkspaceRef,
};
use tessera_storage::{Embedded, Options, RootKey, Store};
use tessera_wire::{Hello, Inbox, Outbox};

/// Many tenants beside few.
pub const MANY: Family = Family { specs: &[START, P99, SLEEPING], take: many };
/// The waking of a large tenant.
pub const WAKE: Family = Family { specs: &[WAKING], take: wake };

const START: Spec = Spec {
    id: "tenants-10k-start",
    what: "from the start of the process to the first answer to a check of one of its tenants, median",
    unit: "ms",
    goal: "<= 1.2 x of 10 tenants",
};
const P99: Spec = Spec {
    id: "tenants-10k-p99",
    what: "checks of 10 awake tenants in turn, one in flight, p99, median of the rounds",
    unit: "us",
    goal: "<= 1.2 x of 10 tenants",
};
const SLEEPING: Spec = Spec {
    id: "tenant-sleeping-bytes",
    what: "resident memory of the node by each sleeping tenant",
    unit: "B",
    goal: "<= 200 B",
};
const WAKING: Spec = Spec {
    id: "wake-100k",
    what: "from the knock at a sleeping tenant until its admin is bound, median",
    unit: "ms",
    goal: "<= 20 ms",
};

/// The goal's sizes, and those of a quick run.
const TENANTS: u32 = 10_000;
const TENANTS_QUICK: u32 = 500;
const FEW: u32 = 10;
const AWAKE: usize = 50;
const SESSIONS: u32 = 100_000;
const SESSIONS_QUICK: u32 = 10_000;

/// A directory with tenants, and the keys of the first of them.
struct Filled {
    folder: PathBuf,
    keys: Vec<Handle>,
    certificate: Vec<u8>,
}

fn open(data: &Path, key: &Path) -> Result<Arc<dyn Store>, Why> {
    std::fs::create_dir_all(data)?;
    let mut salt = [0; 32];
    tessera_crypto::random::fill(&mut salt)?;
    Ok(Arc::new(Embedded::open(data, Options::new(RootKey::read(key)?, salt, [5; 32]))?))
}

fn filled(setup: &Setup, count: u32) -> Result<Filled, Why> {
    setup.progress.say(&format!("tenants-10k: making {count} tenants"));
    let folder = fresh(&setup.folder, &format!("tenants-{count}"))?;
    let (data, key) = (folder.join("data"), folder.join("root.key"));
    // A node was here before: it has made its certificate.
    let mut node = Node::start(&setup.node, &folder, &[])?;
    let certificate = node.certificate()?;
    node.secret()?;
    stop(&mut node.process)?;
    let store = open(&data, &key)?;
    let config = EngineConfig { idle_sleep_ms: 500, memory_bytes_max: 64 << 20, ..EngineConfig::default() };
    let house = House::over(Arc::clone(&store), config, 2)?;
    let keys = house.runtime.block_on(async {
        let mut keys = Vec::new();
        for no in 0..count {
            let command = Command::CreateTenant { name: Name::new(&format!("tenant-{no}"))? };
            let done = house.engine.submit(&house.operator, house.engine.command_id(), command).await?;
            if keys.len() < AWAKE {
                keys.push(done.made.handle.ok_or("the tenant's admin got no key")?);
            }
        }
        if house.engine.checkpoint().await {
            Ok(keys)
        } else {
            Err::<_, Why>("no checkpoint was taken".into())
        }
    })?;
    store.stop();
    drop(house);
    drop(store);
    Ok(Filled { folder, keys, certificate })
}

/// A clean stop.
fn stop(process: &mut Process) -> Result<(), Why> {
    drop(Program::new("kill").args(["-TERM", &process.id().to_string()]).status());
    process.wait(crate::restart::END).map(|_| ())
}

/// The frame of a check of the key itself.
fn frame(key: &Handle) -> Result<Vec<u8>, Why> {
    let mut outbox = Outbox::new();
    let query = CheckQuery {
        handle: &key.to_bytes(),
        permission: PermissionRef::Name("tessera.check"),
        workspace: WorkspaceRef::Tenant,
        at_least: Receipt::default(),
        address: None,
    };
    outbox.check(7, &query)?;
    Ok(outbox.as_bytes().to_vec())
}

/// A connection of a tenant's admin, after its first answer.
fn caller(node: &Node, filled: &Filled, key: &Handle) -> Result<Caller, Why> {
    let hello = Hello { credential: Some(key.to_bytes()), ..Hello::default() };
    let mut caller = Caller::connect(node.address, &filled.certificate, DECISION_BYTES)?;
    while !caller.hello(&hello)? {
        caller = Caller::connect(node.address, &filled.certificate, DECISION_BYTES)?;
    }
    let mut inbox = Inbox::default();
    inbox.extend(&caller.once(&frame(key)?)?);
    let decision = inbox.next_frame()?.ok_or("half a reply")?.decision()?;
    if decision.is_permit() { Ok(caller) } else { Err(format!("denied: {}", decision.reason.name()).into()) }
}

/// Milliseconds from the start of the process to the first answer, and the node.
fn start(setup: &Setup, filled: &Filled) -> Result<(f64, Node), Why> {
    let started = Instant::now();
    let node = Node::start(&setup.node, &filled.folder, &[])?;
    let key = filled.keys.first().ok_or("no key")?;
    drop(caller(&node, filled, key)?);
    Ok((started.elapsed().as_secs_f64() * 1e3, node))
}

fn many(setup: &Setup) -> Result<Vec<Row>, Why> {
    let tenants = setup.size(TENANTS, TENANTS_QUICK);
    let (few, many) = (filled(setup, FEW)?, filled(setup, tenants)?);
    let rounds = if setup.quick { 3 } else { 9 };
    setup.progress.say("tenants-10k-start");
    let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        for (filled, times) in [(&few, &mut of_few), (&many, &mut of_many)] {
            let (time, mut node) = start(setup, filled)?;
            times.push(time);
            stop(&mut node.process)?;
        }
    }
    let (ours, peer) = (median(&of_many), median(&of_few));
    let sizes =
        format!("{tenants} tenants, all but one asleep; {rounds} starts of each in turn, after a clean stop");
    let beside = "the same with 10 tenants";
    let mut rows =
        vec![Row::new(&START, ours, sizes).beside(beside, peer).judged(setup.verdict(ours <= 1.2 * peer))];
    rows.extend(beside_few(setup, tenants, &few, &many)?);
    Ok(rows)
}

fn beside_few(setup: &Setup, tenants: u32, few: &Filled, many: &Filled) -> Result<Vec<Row>, Why> {
    let ((mut one, mut other), asleep) = asleep(setup, tenants, (few, many))?;
    setup.progress.say("tenants-10k-p99");
    let awake: Vec<Caller> =
        many.keys.iter().skip(10).map(|key| caller(&other, many, key)).collect::<Result<_, _>>()?;
    let callers = |node: &Node, filled: &Filled| {
        filled
            .keys
            .iter()
            .take(10)
            .map(|key| Ok((caller(node, filled, key)?, frame(key)?)))
            .collect::<Result<Vec<_>, Why>>()
    };
    let (mut a, mut b) = (callers(&one, few)?, callers(&other, many)?);
    let (rounds, count) = (if setup.quick { 5 } else { 15 }, 500);
    let p99 = |callers: &mut Vec<(Caller, Vec<u8>)>| {
        let mut nanos = Vec::new();
        for (caller, frame) in callers {
            nanos.extend(caller.one_by_one(frame, count)?);
        }
        Ok::<_, Why>(quantile(&nanos, 0.99) / 1e3)
    };
    let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        of_few.push(p99(&mut a)?);
        of_many.push(p99(&mut b)?);
    }
    let held = awake.len() + b.len();
    drop((a, b, awake));
    one.process.kill()?;
    other.process.kill()?;
    let (ours, peer) = (median(&of_many), median(&of_few));
    let sizes = format!(
        "{tenants} tenants, {held} awake and connected; {} checks a round, {rounds} rounds in turn",
        count * 10
    );
    Ok(vec![
        Row::new(&P99, ours, sizes)
            .beside("the same with 10 tenants, all awake", peer)
            .judged(setup.verdict(ours <= 1.2 * peer)),
        asleep,
    ])
}

/// What a sleeping tenant takes: of several starts, for what a node keeps of the memory that its start took differs by
/// thousands of pages from one to the next. Gives the nodes of the last ones.
fn asleep(setup: &Setup, tenants: u32, (few, many): (&Filled, &Filled)) -> Result<((Node, Node), Row), Why> {
    let starts = if setup.quick { 1 } else { 5 };
    let memory = |node: &Node| {
        let samples: Vec<f64> = (0..5)
            .filter_map(|_| {
                std::thread::sleep(Duration::from_millis(50));
                resident(node.process.id())
            })
            .collect();
        median(&samples)
    };
    let mut each = Vec::new();
    loop {
        setup.progress.say(&format!("tenant-sleeping-bytes: start {}", each.len()));
        let (mut one, mut other) = (start(setup, few)?.1, start(setup, many)?.1);
        std::thread::sleep(Duration::from_secs(u64::from(setup.size(10, 2))));
        each.push((memory(&other) - memory(&one)) / f64::from(tenants - FEW));
        if each.len() == starts {
            let (least, most) = (quantile(&each, 0.0), quantile(&each, 1.0));
            let sizes = format!(
                "{tenants} tenants against 10, one awake in each node; median of {starts} starts of both, {least:.0} to {most:.0} B"
            );
            let bytes = median(&each);
            let row = Row::new(&SLEEPING, bytes, sizes).judged(setup.verdict(bytes <= 200.0));
            return Ok(((one, other), row));
        }
        stop(&mut one.process)?;
        stop(&mut other.process)?;
    }
}

/// A directory with one tenant of many live sessions, in a checkpoint, and the key of its admin.
///
/// # Errors
/// When the disk or the engine refuses.
pub fn large(folder: &Path, sessions: u32) -> Result<(TenantId, Handle), Why> {
    let (data, key) = (folder.join("data"), folder.join("root.key"));
    write_root_key(&key)?;
    let store = open(&data, &key)?;
    let house = House::over(Arc::clone(&store), EngineConfig::default(), 2)?;
    let tenant = house.tenant("large")?;
    house.runtime.block_on(async {
        let far = Settings { argon_memory_kib: 64, argon_passes: 1, ..Settings::default() };
        let command = Command::ChangeSettings { settings: far.into() };
        house.engine.submit(&tenant.admin, house.engine.command_id(), command).await?;
        restart::open(&house.engine, &tenant, sessions, restart::PATIENCE).await?;
        if house.engine.checkpoint().await { Ok(()) } else { Err::<_, Why>("no checkpoint was taken".into()) }
    })?;
    store.stop();
    Ok((tenant.id, tenant.key))
}

/// Milliseconds from the knock at that tenant until its admin is bound, in a store that was just opened.
///
/// # Errors
/// When the disk or the engine refuses, or the tenant does not wake.
pub fn woken(folder: &Path, tenant: &(TenantId, Handle)) -> Result<f64, Why> {
    // As a node of this size does.
    rustix::thread::disable_transparent_huge_pages(true)?;
    let time = woken_so(folder, tenant);
    rustix::thread::disable_transparent_huge_pages(false)?;
    time
}

fn woken_so(folder: &Path, (tenant, key): &(TenantId, Handle)) -> Result<f64, Why> {
    let store = open(&folder.join("data"), &folder.join("root.key"))?;
    let house = House::over(Arc::clone(&store), EngineConfig::default(), 2)?;
    let time = house.runtime.block_on(async {
        let (bytes, started) = (key.to_bytes(), Instant::now());
        loop {
            match house.engine.hello(&bytes, None) {
                Ok(_) => break Ok(started.elapsed().as_secs_f64() * 1e3),
                Err(HelloRefusal::NotReady) => tokio::time::sleep(Duration::from_micros(200)).await,
                Err(_) => break Err::<_, Why>("the credential was refused".into()),
            }
        }
    })?;
    let entry = house.engine.entry(*tenant).filter(|entry| entry.tenant != TenantId::SYSTEM);
    if entry.is_none_or(|entry| entry.view().is_none()) {
        return Err("the tenant is not awake".into());
    }
    store.stop();
    Ok(time)
}

fn wake(setup: &Setup) -> Result<Vec<Row>, Why> {
    let sessions = setup.size(SESSIONS, SESSIONS_QUICK);
    setup.progress.say(&format!("wake-100k: opening {sessions} sessions"));
    let folder = fresh(&setup.folder, "wake")?;
    let tenant = large(&folder, sessions)?;
    let rounds = if setup.quick { 3 } else { 9 };
    let mut times = Vec::new();
    for round in 0..rounds {
        setup.progress.say(&format!("wake-100k: round {round}"));
        times.push(woken(&folder, &tenant)?);
    }
    let ms = median(&times);
    let sizes = format!(
        "{sessions} live sessions of one subject; {rounds} wakes, each by a process that has just opened the directory"
    );
    Ok(vec![Row::new(&WAKING, ms, sizes).judged(setup.verdict(ms <= 20.0))])
}
