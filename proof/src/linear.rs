//! Answers beside commands on real threads: every answer is one that some order of the commands allows.
//!
//! Each session and each grant is a register with one writer. A reader looks at what is acknowledged before it asks
//! and at what was ordered after it was answered: where both agree there is one right answer.

use crate::kill::Told;
use crate::node::Trouble;
use crate::seams::{Fixed, Seeded};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tessera_crypto::PasswordPool;
use tessera_engine::{Bound, Engine, EngineConfig, SubmitError};
use tessera_model::record::SubjectKind;
use tessera_model::{
    CheckQuery, Command, Deadline, HandleBytes, Name, Pattern, PermissionRef, PublicId, Receipt, Refusal,
    WorkspaceRef,
};
use tessera_storage::{Embedded, Memory, Options, RootKey, Store};

/// What is to be tried.
pub(crate) struct Plan {
    pub(crate) commands: u64,
    pub(crate) on_disk: u64,
    pub(crate) seed: u64,
}

/// Answers that must have been given at least.
const ANSWERS: u64 = 1_000_000;
/// Writers, each with a subject and sessions of its own.
const WRITERS: u64 = 16;

/// A session: 0 until its opening is acknowledged, 1 while it lives, 2 from the order to end it, 3 when that is
/// acknowledged.
#[derive(Default)]
struct Session {
    state: AtomicU64,
    handle: OnceLock<HandleBytes>,
}

/// One writer's subject: its sessions, and its grant as a number that is even while nothing is under way.
struct Part {
    subject: PublicId,
    sessions: Vec<Session>,
    /// Sessions whose opening is acknowledged.
    opened: AtomicU64,
    /// In fours: 0 granted, 1 being taken back, 2 not granted, 3 being granted.
    grant: AtomicU64,
}

/// What is shared by all threads.
struct World {
    engine: Engine,
    admin: Bound,
    parts: Vec<Part>,
    stop: AtomicBool,
    answers: AtomicU64,
    decided: AtomicU64,
    wrong: AtomicU64,
}

/// Runs the proof.
pub(crate) fn run(plan: &Plan) -> Result<Told, Trouble> {
    let memory: Arc<dyn Store> = Arc::new(Memory::new(1 << 22));
    let first = over(memory, plan.commands, plan.seed, false)?;
    let folder = tempfile::tempdir()?;
    let mut options = Options::new(RootKey::new([3; 32]), [7; 32], [5; 32]);
    options.journal_file_bytes = 1 << 20;
    let second = over(Arc::new(Embedded::open(folder.path(), options)?), plan.on_disk, plan.seed, false)?;
    // The planted fault: a reader that reads a thousand questions at one time.
    let memory: Arc<dyn Store> = Arc::new(Memory::new(1 << 22));
    let planted = over(memory, 20_000, plan.seed, true)?;
    let mut violations = first.wrong + second.wrong;
    let caught = if planted.wrong > 0 { "caught" } else { "NOT noticed" };
    violations += u64::from(planted.wrong == 0);
    let text = format!(
        "linear: {} answers ({} with one right answer) beside {} commands in memory, {} ({}) beside {} on disk (seed {}), {:.1} s; {violations} violations; planted: a stale reading {caught}",
        first.answers,
        first.decided,
        plan.commands,
        second.answers,
        second.decided,
        plan.on_disk,
        plan.seed,
        first.seconds + second.seconds,
    );
    Ok(Told { text, violations })
}

struct Counted {
    answers: u64,
    decided: u64,
    wrong: u64,
    seconds: f64,
}

fn over(store: Arc<dyn Store>, commands: u64, seed: u64, stale: bool) -> Result<Counted, Trouble> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let world = Arc::new(runtime.block_on(prepare(store, commands, seed))?);
    let began = Instant::now();
    let enough = if stale { 0 } else { ANSWERS };
    let readers: Vec<_> = (0..2)
        .map(|no| {
            let world = Arc::clone(&world);
            std::thread::spawn(move || read(&world, seed ^ (no + 1), enough, stale))
        })
        .collect();
    let each = commands.div_ceil(WRITERS);
    let writers: Vec<_> =
        (0..world.parts.len()).map(|no| runtime.spawn(write(Arc::clone(&world), no, each, seed))).collect();
    let mut failed = None;
    for writer in writers {
        if let Err(error) = runtime.block_on(writer)? {
            failed = Some(error);
        }
    }
    world.stop.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.join().map_err(|_| "a reader panicked")?;
    }
    runtime.block_on(world.engine.stop());
    let seconds = began.elapsed().as_secs_f64();
    let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
    let counted = Counted {
        answers: count(&world.answers),
        decided: count(&world.decided),
        wrong: count(&world.wrong),
        seconds,
    };
    match failed {
        Some(error) => Err(error),
        None => Ok(counted),
    }
}

async fn prepare(store: Arc<dyn Store>, commands: u64, seed: u64) -> Result<World, Trouble> {
    let threads = NonZeroUsize::new(1).ok_or("no thread")?;
    let pool = Arc::new(PasswordPool::new(threads, 8)?);
    let seams = (Arc::new(Fixed) as _, Arc::new(Seeded::new(seed)) as _);
    let engine = Engine::start(EngineConfig::default(), store, seams, pool).await?;
    let (_, operator) = crate::seams::operator(&engine).await?;
    let (_, _, admin) = crate::seams::tenant(&engine, &operator, "linear").await?;
    let name = Name::new("actor")?;
    let role = Command::CreateRole { name, patterns: vec![Pattern::new("proof.act")?] };
    engine.submit(&admin, engine.command_id(), role).await?;
    let mut parts = Vec::new();
    for _ in 0..WRITERS {
        let who = (SubjectKind::Machine, Vec::new());
        let made = engine.create_subject(&admin, engine.command_id(), who, None).await?.made;
        let subject = made.subject.ok_or("no subject in the reply")?;
        engine.submit(&admin, engine.command_id(), grant(subject, true)?).await?;
        let sessions = (0..=commands.div_ceil(WRITERS)).map(|_| Session::default()).collect();
        parts.push(Part { subject, sessions, opened: AtomicU64::new(0), grant: AtomicU64::new(0) });
    }
    let (stop, zero) = (AtomicBool::new(false), || AtomicU64::new(0));
    Ok(World { engine, admin, parts, stop, answers: zero(), decided: zero(), wrong: zero() })
}

fn grant(subject: PublicId, on: bool) -> Result<Command, Trouble> {
    let (role, none) = (Name::new("actor")?, Deadline::NONE);
    Ok(if on {
        Command::Grant { subject, role, workspace: None, from: none, until: none }
    } else {
        Command::Ungrant { subject, role, workspace: None }
    })
}

/// Orders commands one after another; each moves one register.
async fn write(world: Arc<World>, no: usize, commands: u64, seed: u64) -> Result<(), Trouble> {
    let part = world.parts.get(no).ok_or("no such part")?;
    let mut dice = crate::seams::Dice::new(seed ^ (no as u64 + 7));
    let mut living: Vec<(usize, PublicId)> = Vec::new();
    let mut next = 0_usize;
    for _ in 0..commands {
        match dice.below(8) {
            0 => {
                let now = part.grant.fetch_add(1, Ordering::SeqCst);
                order(&world, grant(part.subject, now % 4 == 2)?).await?;
                part.grant.fetch_add(1, Ordering::SeqCst);
            }
            1..=3 if !living.is_empty() => {
                let (at, session) = living.swap_remove(dice.index(living.len()));
                let register = part.sessions.get(at).ok_or("no such session")?;
                register.state.store(2, Ordering::SeqCst);
                order(&world, Command::EndSession { session }).await?;
                register.state.store(3, Ordering::SeqCst);
            }
            _ => {
                let done = open(&world, part.subject).await?;
                let handle = done.made.handle.ok_or("no handle in the reply")?;
                let register = part.sessions.get(next).ok_or("no such session")?;
                register.handle.set(handle.to_bytes()).map_err(|_| "a handle was there")?;
                register.state.store(1, Ordering::SeqCst);
                living.push((next, done.made.session.ok_or("no session in the reply")?));
                next += 1;
                part.opened.store(next as u64, Ordering::SeqCst);
            }
        }
    }
    Ok(())
}

async fn open(world: &World, subject: PublicId) -> Result<tessera_engine::Done, Trouble> {
    let view = world.admin.entry.view().clone().ok_or("the tenant sleeps")?;
    let listing = view.listing();
    let record = listing.subject(subject).ok_or("no such subject")?;
    let (index, cut_off) = (record.index, record.cut_off);
    drop((view, listing));
    let command = Command::OpenSession {
        subject: index,
        seen_cut_off: cut_off,
        identifier: None,
        acr: 0,
        device: None,
    };
    order(world, command).await
}

/// Orders a command, again while the house is busy.
async fn order(world: &World, command: Command) -> Result<tessera_engine::Done, Trouble> {
    let id = world.engine.command_id();
    loop {
        match world.engine.submit(&world.admin, id, command.clone()).await {
            Err(SubmitError::Refused(Refusal::Busy(_) | Refusal::Changed)) => {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            other => return Ok(other?),
        }
    }
}

/// Questions between two looks at the tenant's view.
const QUESTIONS: u64 = 1_000;

/// Asks about random sessions until the writers are done and enough was answered. Each question is read at its own
/// time; a stale one, as planted, at that of the first of a thousand.
fn read(world: &World, seed: u64, enough: u64, stale: bool) {
    let mut dice = crate::seams::Dice::new(seed);
    while !(world.stop.load(Ordering::SeqCst) && world.answers.load(Ordering::Relaxed) >= enough) {
        let Some(view) = world.admin.entry.view().clone() else { continue };
        let kept = world.engine.read(&view);
        for _ in 0..QUESTIONS {
            let Some((session, handle, part)) = pick(world, &mut dice) else { continue };
            let before = (session.state.load(Ordering::SeqCst), part.grant.load(Ordering::SeqCst));
            let fresh = world.engine.read(&view);
            let query = CheckQuery {
                handle,
                permission: PermissionRef::Name("proof.act"),
                workspace: WorkspaceRef::Tenant,
                at_least: Receipt::default(),
                address: None,
            };
            let reading = if stale { &kept } else { &fresh };
            let permitted = world.engine.check(&world.admin, reading, &query).is_permit();
            let after = (session.state.load(Ordering::SeqCst), part.grant.load(Ordering::SeqCst));
            world.answers.fetch_add(1, Ordering::Relaxed);
            if let Some(right) = right(before, after) {
                world.decided.fetch_add(1, Ordering::Relaxed);
                world.wrong.fetch_add(u64::from(right != permitted), Ordering::Relaxed);
            }
        }
    }
}

/// A session to ask about: one of the newest, which change, or now and then any.
fn pick<'w>(
    world: &'w World,
    dice: &mut crate::seams::Dice,
) -> Option<(&'w Session, &'w HandleBytes, &'w Part)> {
    let part = world.parts.get(dice.index(world.parts.len()))?;
    let opened = part.opened.load(Ordering::SeqCst);
    let back = if dice.below(4) == 0 { opened } else { opened.min(16) };
    let at = opened.saturating_sub(1 + dice.below(back.max(1)));
    let session = part.sessions.get(usize::try_from(at).ok()?)?;
    Some((session, session.handle.get()?, part))
}

/// The one right answer, where there is one: from (session, grant) before the question and after the answer.
const fn right(before: (u64, u64), after: (u64, u64)) -> Option<bool> {
    if before.0 == 3 {
        return Some(false);
    }
    let still = before.1 == after.1;
    match (before.1 % 4, still) {
        (2, true) => Some(false),
        (0, true) if before.0 == 1 && after.0 == 1 => Some(true),
        _ => None,
    }
}
