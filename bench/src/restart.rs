//! `restart-2gib` and `idle-rss`: the real binary after a kill, and at rest.

use crate::caller::Caller;
use crate::commit::ADMIN;
use crate::figure::{Family, Row, Setup, Spec, Why};
use crate::house::{House, Tenant};
use crate::memory::resident;
use crate::prepared::Prepared;
use crate::process::{Node, Process, fresh};
use crate::rounds::median;
use crate::wire::{DECISION_BYTES, claim, session, tenant};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command as Program;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tessera_engine::{Engine, EngineConfig, SubmitError};
use tessera_model::{
    CheckQuery, Command, Handle, Name, Pattern, PermissionRef, Receipt, Refusal, Settings, WorkspaceRef,
};
use tessera_storage::{Embedded, Options, RootKey, Store};
use tessera_wire::{Hello, Inbox, Outbox};

/// Start after a kill.
pub const RESTART: Family = Family { specs: &[RESTARTED], take: restart };
/// LIMIT: how long filling the directory may take: two minutes where nothing else runs.
const FILL: Duration = Duration::from_secs(20 * 60);
/// LIMIT: how long a clean stop may take.
pub(crate) const END: Duration = Duration::from_secs(60);

/// Memory at rest.
pub const IDLE: Family = Family { specs: &[RESIDENT], take: idle };

const RESTARTED: Spec = Spec {
    id: "restart-2gib",
    what: "from the start of the process to the first answer to a check of a tenant that was hot at the kill",
    unit: "ms",
    goal: "<= 1,000 ms",
};
const RESIDENT: Spec = Spec {
    id: "idle-rss",
    what: "resident memory of the node with 10 sleeping tenants",
    unit: "MB",
    goal: "<= 50 MB",
};

/// The goal's sizes: bytes of the directory, sessions of the hot tenant, frames of the tail.
const BYTES: u64 = 2 << 30;
const SESSIONS: u32 = 100_000;
const TAIL_FRAMES: u64 = 500_000;

/// What the first check after the restart needs.
#[derive(Deserialize, Serialize)]
struct Kept {
    admin: String,
    session: String,
    bytes: u64,
    tail_frames: u64,
}

fn restart(setup: &Setup) -> Result<Vec<Row>, Why> {
    let folder = fresh(&setup.folder, "restart")?;
    let (bytes, sessions, frames) = if setup.quick {
        (64 << 20, SESSIONS / 10, TAIL_FRAMES / 20)
    } else {
        (BYTES, SESSIONS, TAIL_FRAMES)
    };
    setup.progress.say(&format!("restart-2gib: filling {} MiB", bytes >> 20));
    let (data, key, kept) = (folder.join("data"), folder.join("root.key"), folder.join("kept.json"));
    // A node was here before: it has made its certificate.
    let mut node = Node::start(&setup.node, &folder, &[])?;
    let certificate = node.certificate()?;
    node.secret()?;
    stop(&mut node)?;
    let mut fill = Program::new(std::env::current_exe()?);
    fill.arg("fill").arg("--data").arg(&data).arg("--root-key").arg(&key).arg("--keys").arg(&kept);
    fill.args(["--bytes", &bytes.to_string(), "--sessions", &sessions.to_string()]);
    fill.args(["--tail-frames", &frames.to_string()]);
    Process::start(&mut fill, &folder.join("fill.log"))?.wait(FILL)?;
    let text = std::fs::read(&kept).map_err(|_| {
        let log = std::fs::read_to_string(folder.join("fill.log")).unwrap_or_default();
        format!("the directory was not filled: {}", log.lines().last().unwrap_or_default())
    })?;
    let kept: Kept = serde_json::from_slice(&text)?;
    let (mut times, mut phases) = (Vec::new(), Vec::new());
    // The first start is the figure: the tail is at its bound only then. The later ones are told beside.
    for turn in 1..=3 {
        setup.progress.say(&format!("restart-2gib: start {turn}"));
        let started = Instant::now();
        let frames = frames.to_string();
        let mut node =
            Node::start(&setup.node, &folder, &[("TESSERA_STORAGE__TAIL_FRAMES_MAX", frames.as_str())])?;
        let (connected, bound, answered) = first_answer((node.address, &certificate), &kept, started)?;
        times.push(answered);
        phases.push(format!("{connected:.0}/{bound:.0}"));
        node.process.kill()?;
    }
    let first = times.first().copied().unwrap_or(f64::NAN);
    let others: Vec<String> = times.iter().skip(1).map(|time| format!("{time:.0}")).collect();
    let sizes = format!(
        "directory of {} MiB, tail of {} frames, {sessions} sessions in the hot tenant; started once after the kill; killed at once and started again: {} ms; connected/bound after {} ms",
        kept.bytes >> 20,
        kept.tail_frames,
        others.join(", "),
        phases.join(", ")
    );
    Ok(vec![Row::new(&RESTARTED, first, sizes).judged(setup.verdict(first <= 1_000.0))])
}

/// Connects as early as it can and asks: the first answer must be a Permit. Milliseconds until it was
/// connected, until Hello was answered (the tenant being awake) and until the answer was there.
fn first_answer(
    (address, certificate): (SocketAddr, &[u8]),
    kept: &Kept,
    started: Instant,
) -> Result<(f64, f64, f64), Why> {
    let handle = Handle::parse_text(&kept.session).map_err(|_| "not a handle")?.to_bytes();
    let key = Handle::parse_text(&kept.admin).map_err(|_| "not a handle")?.to_bytes();
    let query = CheckQuery {
        handle: &handle,
        permission: PermissionRef::Name("tessera.check"),
        workspace: WorkspaceRef::Tenant,
        at_least: Receipt::default(),
        address: None,
    };
    let mut outbox = Outbox::new();
    outbox.check(7, &query)?;
    let mut caller = Caller::connect(address, certificate, DECISION_BYTES)?;
    let connected = started.elapsed().as_secs_f64() * 1e3;
    while !caller.hello(&Hello { credential: Some(key), ..Hello::default() })? {
        caller = Caller::connect(address, certificate, DECISION_BYTES)?;
    }
    let bound = started.elapsed().as_secs_f64() * 1e3;
    let mut inbox = Inbox::default();
    inbox.extend(&caller.once(outbox.as_bytes())?);
    let answered = started.elapsed().as_secs_f64() * 1e3;
    let decision = inbox.next_frame()?.ok_or("half a reply")?.decision()?;
    if decision.is_permit() {
        Ok((connected, bound, answered))
    } else {
        Err(format!("denied: {}", decision.reason.name()).into())
    }
}

/// A clean stop.
fn stop(node: &mut Node) -> Result<(), Why> {
    drop(Program::new("kill").args(["-TERM", &node.process.id().to_string()]).status());
    node.process.wait(END).map(|_| ())
}

/// Fills a directory and dies: the part that runs in a process of its own.
///
/// # Errors
/// When the disk or the engine refuses.
pub fn fill(
    (data, root_key, keys): (&Path, &Path, &Path),
    (bytes, sessions, tail_frames): (u64, u32, u64),
) -> Result<(), Why> {
    std::fs::create_dir_all(data)?;
    let key = RootKey::read(root_key)?;
    let mut salt = [0; 32];
    tessera_crypto::random::fill(&mut salt)?;
    let options = Options { tail_frames_max: tail_frames, ..Options::new(key, salt, [5; 32]) };
    let store: Arc<dyn Store> = Arc::new(Embedded::open(data, options)?);
    let checkpoints = Arc::new(AtomicBool::new(true));
    let prepared = Arc::new(Prepared::switched(Arc::clone(&store), Arc::clone(&checkpoints)));
    // Checkpoints by need alone, so that they can be held back for the tail.
    let config = EngineConfig { checkpoint_every_ms: u64::MAX / 4, ..EngineConfig::default() };
    let house = House::over(prepared, config, 2)?;
    let hot = house.tenant("hot")?;
    let cold: Vec<Tenant> =
        (0..32).map(|no| house.tenant(&format!("cold-{no}"))).collect::<Result<_, _>>()?;
    let session = house.runtime.block_on(async {
        let session = open(&house.engine, &hot, sessions.div_ceil(64) * 64, PATIENCE).await?;
        for tenant in &cold {
            let command = Command::CreateRole { name: Name::new(ROLE)?, patterns: Vec::new() };
            house.engine.submit(&tenant.admin, house.engine.command_id(), command).await?;
        }
        // History grows the directory.
        while size(data)? < bytes {
            churn(&house.engine, &cold, Filling::Long, PATIENCE).await?;
        }
        Ok::<_, Why>(session)
    })?;
    house.runtime.block_on(house.engine.checkpoint());
    checkpoints.store(false, Ordering::SeqCst);
    house.runtime.block_on(async {
        // Both the hot and the cold stand in the tail, until its bound.
        while store.usage().tail_frames < tail_frames {
            let opened = open(&house.engine, &hot, 64, 0).await;
            let churned = churn(&house.engine, &cold, Filling::Short, 0).await;
            if is_busy(&opened.err()) || is_busy(&churned.err()) {
                break;
            }
        }
        Ok::<_, Why>(())
    })?;
    let kept = Kept {
        admin: hot.key.to_text(),
        session: session.to_text(),
        bytes: size(data)?,
        tail_frames: store.usage().tail_frames,
    };
    std::fs::write(keys, serde_json::to_vec(&kept)?)?;
    // As by kill -9: nothing is closed, no destructor runs.
    drop(Program::new("kill").args(["-KILL", &std::process::id().to_string()]).status());
    Ok(())
}

fn is_busy(error: &Option<Why>) -> bool {
    let error = error.as_ref().and_then(|error| error.downcast_ref::<SubmitError>());
    matches!(error, Some(SubmitError::Refused(Refusal::Busy(_))))
}

/// Bytes of a directory's files as they lie on the disk.
fn size(data: &Path) -> Result<u64, Why> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(data)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

/// Opens so many sessions, 64 at a time: the last handle.
pub(crate) async fn open(engine: &Engine, tenant: &Tenant, count: u32, patience: u32) -> Result<Handle, Why> {
    let mut last = None;
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (engine, admin) = (engine.clone(), tenant.admin.clone());
            tokio::spawn(async move {
                let mut last = None;
                let mut busy = 0;
                for _ in 0..count / 64 {
                    let command = Command::OpenSession {
                        subject: ADMIN,
                        seen_cut_off: 0,
                        identifier: None,
                        acr: 1,
                        device: None,
                    };
                    loop {
                        match engine.submit(&admin, engine.command_id(), command.clone()).await {
                            Ok(done) => break last = done.made.handle,
                            // The checkpoint frees the tail; without one this is the end.
                            Err(SubmitError::Refused(Refusal::Busy(_))) if busy < patience => {
                                busy += 1;
                                tokio::time::sleep(Duration::from_millis(10)).await;
                            }
                            Err(error) => return Err::<_, Why>(error.into()),
                        }
                    }
                }
                Ok(last)
            })
        })
        .collect();
    for task in tasks {
        last = task.await??.or(last);
    }
    last.ok_or_else(|| "no session was opened".into())
}

/// What fills: long frames make history, short ones make a tail of many.
#[derive(Clone, Copy)]
enum Filling {
    /// A role of 64 patterns, changed to and fro: 8 KiB a frame.
    Long,
    /// Settings, changed to and fro.
    Short,
}

impl Filling {
    fn command(self, turn: u32) -> Result<Command, Why> {
        Ok(match self {
            Self::Long => {
                let pattern = |nth: u32| Pattern::new(&format!("fill.{:0>110}.*", nth * 2 + turn % 2));
                let patterns = (0..64).map(pattern).collect::<Result<Vec<_>, _>>()?;
                Command::ChangeRole { name: Name::new(ROLE)?, patterns }
            }
            Self::Short => Command::ChangeSettings {
                settings: Settings {
                    argon_memory_kib: 64,
                    argon_passes: 1 + turn % 2,
                    ..Settings::default()
                }
                .into(),
            },
        })
    }
}

/// How often Busy is waited out, 10 ms each, while checkpoints free the tail.
pub(crate) const PATIENCE: u32 = 3_000;
/// The role that is changed to and fro.
const ROLE: &str = "filling";

/// Two hundred commands in each cold tenant by four writers, which leave its state as large as it was.
async fn churn(engine: &Engine, cold: &[Tenant], filling: Filling, patience: u32) -> Result<(), Why> {
    let tasks: Vec<_> = cold
        .iter()
        .flat_map(|tenant| [tenant; 4])
        .map(|tenant| {
            let (engine, admin) = (engine.clone(), tenant.admin.clone());
            tokio::spawn(async move {
                for turn in 0..50_u32 {
                    let command = filling.command(turn)?;
                    let mut busy = 0;
                    while let Err(error) = engine.submit(&admin, engine.command_id(), command.clone()).await {
                        busy += 1;
                        if !matches!(error, SubmitError::Refused(Refusal::Busy(_))) || busy > patience {
                            return Err::<_, Why>(error.into());
                        }
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
                Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

fn idle(setup: &Setup) -> Result<Vec<Row>, Why> {
    let folder = fresh(&setup.folder, "idle")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    setup.progress.say("idle-rss: making 10 tenants");
    let mut node = Node::start(&setup.node, &folder, &[])?;
    runtime.block_on(async {
        let operator = claim(&mut node).await?;
        for number in 0..10 {
            let key = tenant(&operator, &format!("bench-{number}")).await?;
            let admin = node.client(Some(key)).await?;
            session(&admin).await?;
            admin.close().await;
        }
        Ok::<_, Why>(())
    })?;
    // A clean stop takes a checkpoint: no tenant has a tail that would wake it.
    stop(&mut node)?;
    let seconds = setup.size(60, 10);
    setup.progress.say(&format!("idle-rss: {seconds} s at rest"));
    let node = Node::start(&setup.node, &folder, &[])?;
    std::thread::sleep(Duration::from_secs(u64::from(seconds)));
    let samples: Vec<f64> = (0..5)
        .filter_map(|_| {
            std::thread::sleep(Duration::from_millis(100));
            resident(node.process.id())
        })
        .collect();
    let megabytes = median(&samples) / 1e6;
    if !megabytes.is_finite() {
        return Err("the node's memory could not be read".into());
    }
    let sizes =
        format!("10 tenants with a subject, a role and a session each, asleep; {seconds} s after the start");
    Ok(vec![Row::new(&RESIDENT, megabytes, sizes).judged(setup.verdict(megabytes <= 50.0))])
}
