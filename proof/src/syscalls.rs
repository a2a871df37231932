//! Calls of the real binary to its disk that fail, come late or are its last, by `strace`: start, load, checkpoint,
//! reuse of files and shutdown; and, without any fault, the order of writes, syncs and answers.

use crate::kill::Told;
use crate::node::{Node, Trouble, handle_of, patiently};
use crate::trace::{Call, read_trace};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tessera_client::wire::{Made, Request, TENANT_OF_CONNECTION};
use tessera_client::{Client, ClientError};
use tessera_model::record::SubjectKind;
use tessera_model::{
    CheckQuery, CommandId, Deadline, HandleBytes, Name, Pattern, PermissionRef, PublicId, Receipt, TenantId,
    WorkspaceRef,
};
use tessera_storage::{Embedded, Options, RootKey, Store};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What is to be tried.
pub(crate) struct Plan {
    /// Positions of each kind.
    pub(crate) positions: u32,
    pub(crate) server: PathBuf,
    pub(crate) seed: u64,
}

/// What is done to the N-th call.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Kind {
    Kill,
    Io,
    NoSpace,
    Delay,
}

const KINDS: [Kind; 4] = [Kind::Kill, Kind::Io, Kind::NoSpace, Kind::Delay];

impl Kind {
    const fn action(self) -> &'static str {
        match self {
            Self::Kill => "signal=KILL",
            Self::Io => "error=EIO",
            Self::NoSpace => "error=ENOSPC",
            Self::Delay => "delay_enter=300000",
        }
    }
}

/// Calls that change files or make them durable.
const CALLS: [&str; 4] = ["pwrite64", "fdatasync", "fsync", "ftruncate"];
/// LIMIT: commands of one life: enough for checkpoints and files that are used again.
const COMMANDS: usize = 160;
/// Lives at once: most of each is waiting.
const AT_ONCE: usize = 12;
/// LIMIT: how often a place is looked for that a life did not come to, each time at a third of its number.
const ROUNDS: u32 = 8;
/// How long a life may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a node that has just been started may take to be connected to, the first time and the last.
const FIRST_TRY: Duration = Duration::from_millis(80);
const LAST_TRY: Duration = Duration::from_millis(1_000);
/// The exit code of a store that failed.
const STORAGE: i32 = 75;
const SMALL: &str =
    "journal_file_bytes = 65536\ntail_bytes_max = 262144\ntail_frames_max = 1000\ncheckpoint_seconds = 1\n";

/// A directory that every life begins with, and what is known of it.
struct Template {
    folder: tempfile::TempDir,
    tenant: TenantId,
    key: String,
    subject: PublicId,
}

/// A session as the proof knows it; `None` when nobody knows whether it lives.
struct Held {
    handle: HandleBytes,
    id: PublicId,
    alive: Option<bool>,
}

/// What one life under `strace` came to.
#[derive(Default)]
struct Life {
    hit: Option<Call>,
    faults: Vec<String>,
    acknowledged: u64,
    unknown: u64,
}

/// Runs the proof.
pub(crate) async fn run(plan: &Plan) -> Result<Told, Trouble> {
    let tried = Command::new("strace")
        .args(["-qqq", "-o", "/dev/null", "--decode-pids=comm", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !tried.is_ok_and(|status| status.success()) {
        let text = "syscalls: SKIPPED: `strace` (6.0 or later) is not there, or may not trace".to_owned();
        return Ok(Told { text, violations: 0 });
    }
    let template = Arc::new(prepare(plan).await?);
    let truth = order(plan, &template).await?;
    let bar = ProgressBar::new(u64::from(plan.positions) * KINDS.len() as u64);
    bar.set_style(ProgressStyle::with_template("syscalls {bar:30} {pos}/{len} {msg}")?);
    let mut swept = Swept { faults: truth.faults, acknowledged: truth.acknowledged, ..Swept::default() };
    let mut wanted = places(plan, &truth.counts)?;
    let asked: BTreeSet<_> = wanted.iter().map(|(kind, call, _)| (*kind, *call)).collect();
    for _ in 0..ROUNDS {
        wanted = sweep(plan, &template, &bar, wanted, &mut swept).await?;
    }
    let Swept { hits, threads, calls, mut faults, acknowledged, unknown } = swept;
    // One that is made under another name would be looked for in vain, and nobody would see it among the others.
    let never = asked.difference(&calls);
    faults.extend(never.map(|(kind, call)| format!("{kind:?} at {call}: no life came to it")));
    faults.extend(wanted.iter().map(|(kind, call, nth)| format!("{kind:?} at {call} {nth}: never reached")));
    bar.finish_and_clear();
    let violations = faults.len() as u64;
    let mut text = format!(
        "syscalls: {} positions of {} kinds (seed {}), reached {hits:?} in threads {threads:?}; {acknowledged} commands acknowledged, {unknown} outcomes unknown and asked again; {} answers each behind a sync that began after their write; {violations} violations; planted: {}",
        plan.positions,
        KINDS.len(),
        plan.seed,
        truth.ordered,
        truth.planted
    );
    for fault in &faults {
        text.push_str("\n  ");
        text.push_str(fault);
    }
    Ok(Told { text, violations: faults.len() as u64 })
}

/// A kind of fault, a call, and the which one of a thread it meets.
type Place = (Kind, &'static str, u64);

/// What all lives came to.
#[derive(Default)]
struct Swept {
    hits: BTreeMap<Kind, u64>,
    threads: BTreeMap<String, u64>,
    /// The calls that a life came to, of each kind.
    calls: BTreeSet<(Kind, &'static str)>,
    faults: Vec<String>,
    acknowledged: u64,
    unknown: u64,
}

/// The places of all kinds, each from the first call of a life to the last.
fn places(plan: &Plan, counts: &BTreeMap<String, u64>) -> Result<Vec<Place>, Trouble> {
    let mut places = Vec::new();
    for position in 0..plan.positions {
        for kind in KINDS {
            // A file's length matters to no sync, and no space is reported by one.
            let calls: &[&'static str] = match kind {
                Kind::NoSpace => &["pwrite64", "ftruncate"],
                Kind::Kill | Kind::Io | Kind::Delay => &CALLS,
            };
            let turn = usize::try_from(position + u32::try_from(plan.seed % 97)?)?;
            let call = calls.get(turn % calls.len()).copied().unwrap_or("pwrite64");
            let most = counts.get(call).copied().unwrap_or(1).max(1);
            places.push((kind, call, 1 + u64::from(position) * most / u64::from(plan.positions.max(1))));
        }
    }
    Ok(places)
}

/// A life for each place, some at a time; tells the places to try instead of those that no life came to.
async fn sweep(
    plan: &Plan,
    template: &Arc<Template>,
    bar: &ProgressBar,
    wanted: Vec<Place>,
    swept: &mut Swept,
) -> Result<Vec<Place>, Trouble> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut lives = JoinSet::new();
    for (kind, call, nth) in wanted {
        let place = Arc::clone(&places).acquire_owned().await?;
        let (server, template) = (plan.server.clone(), Arc::clone(template));
        lives.spawn(async move {
            let life = one(&server, &template, (kind, call, nth)).await;
            drop(place);
            (kind, call, nth, life)
        });
    }
    let mut missed = Vec::new();
    while let Some(life) = lives.join_next().await {
        let (kind, call, nth, life) = life?;
        let life = life?;
        swept.acknowledged += life.acknowledged;
        swept.unknown += life.unknown;
        swept.faults.extend(life.faults.iter().map(|fault| format!("{kind:?} at {call} {nth}: {fault}")));
        if let Some(hit) = &life.hit {
            *swept.hits.entry(kind).or_default() += 1;
            swept.calls.insert((kind, call));
            *swept.threads.entry(hit.thread.clone()).or_default() += 1;
            bar.inc(1);
        } else {
            // How many calls a life makes follows the machine: an earlier one is there, and a first write always.
            missed.push(if nth > 1 { (kind, call, 1 + nth / 3) } else { (kind, "pwrite64", 1) });
        }
    }
    Ok(missed)
}

/// A directory with a tenant, a subject that may act, and some sessions; ended cleanly.
async fn prepare(plan: &Plan) -> Result<Template, Trouble> {
    let folder = tempfile::tempdir()?;
    let mut node = Node::with(&plan.server, folder.path(), SMALL)?;
    node.start()?;
    let operator = node.client(Some(node.claim().await?)).await?;
    let made = operator.request(&Request::CreateTenant { name: Name::new("swept")? }).await?;
    let (tenant, key) = (made.tenant.ok_or("no tenant in the reply")?, handle_of(&made)?);
    let admin = node.client(Some(key.clone())).await?;
    let (role, none) = (Name::new("actor")?, Deadline::NONE);
    let patterns = vec![Pattern::new("proof.act")?];
    admin.request(&Request::CreateRole { name: role.clone(), patterns }).await?;
    let person =
        Request::CreateSubject { kind: SubjectKind::Machine, identifiers: Vec::new(), password: None };
    let subject = admin.request(&person).await?.subject.ok_or("no subject in the reply")?;
    admin.request(&Request::Grant { subject, role, workspace: None, from: none, until: none }).await?;
    for _ in 0..50 {
        admin.request(&Request::OpenSession { subject, device: None, proof: None }).await?;
    }
    drop((admin, operator));
    node.terminate()?;
    Ok(Template { folder, tenant, key, subject })
}

/// A copy of the template with a node that lives in it, at addresses of its own.
fn copy(server: &Path, template: &Template, folder: &Path) -> Result<Node, Trouble> {
    let data = folder.join("data");
    std::fs::create_dir(&data)?;
    for entry in std::fs::read_dir(template.folder.path().join("data"))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), data.join(entry.file_name()))?;
        }
    }
    let node = Node::with(server, folder, SMALL)?;
    std::fs::copy(template.folder.path().join("root.key"), folder.join("root.key"))?;
    Ok(node)
}

/// Connects soon, or tells that the process has ended.
async fn reach(node: &mut Node, key: &str) -> Result<Option<Client>, Trouble> {
    let (began, mut deadline) = (Instant::now(), FIRST_TRY);
    while began.elapsed() < PATIENCE {
        if node.ended()?.is_some() {
            return Ok(None);
        }
        if let Ok(client) = node.connect(Some(key.to_owned()), deadline).await {
            return Ok(Some(client.with_deadline(Duration::from_millis(1_500))));
        }
        // What was sent before it listened is lost, and QUIC sends it again after a second.
        deadline = (deadline * 5 / 4).min(LAST_TRY);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Err("the node neither serves nor ends".into())
}

/// What a life's driver knows at its end.
#[derive(Default)]
struct Driven {
    held: Vec<Held>,
    /// The command whose outcome is not known.
    pending: Option<(CommandId, Request)>,
    acknowledged: u64,
    /// When each acknowledged command was sent and answered, in µs since 1970.
    answered: Vec<(u64, u64)>,
}

/// Microseconds since 1970, as `strace` prints them.
#[expect(clippy::disallowed_methods, reason = "what is compared are the times of another program's log")]
fn wall_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or_default()
}

/// Orders commands one by one, until one is not answered.
async fn drive(client: &Client, subject: PublicId, commands: usize) -> Result<Driven, Trouble> {
    let mut driven = Driven::default();
    for no in 0..commands {
        let victim =
            if no % 3 == 2 { driven.held.iter().rposition(|held| held.alive == Some(true)) } else { None };
        let request = match victim.and_then(|at| driven.held.get(at)) {
            Some(held) => Request::EndSession { session: held.id },
            None => Request::OpenSession { subject, device: None, proof: None },
        };
        let (id, sent) = (client.command_id(), wall_us());
        match client.request_again(TENANT_OF_CONNECTION, id, &request).await {
            Ok(made) => {
                driven.acknowledged += 1;
                driven.answered.push((sent, wall_us()));
                learn(&mut driven.held, victim, &made)?;
            }
            Err(ClientError::Refused(refusal)) if matches!(refusal.code(), 229 | 300..=303) => {
                // The disk had no space for a moment, the tail was at its bound, or the tenant still wakes.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(ClientError::Refused(refusal)) => return Err(format!("turned down: {refusal}").into()),
            Err(_) => {
                if let Some(held) = victim.and_then(|at| driven.held.get_mut(at)) {
                    held.alive = None;
                }
                driven.pending = Some((id, request));
                return Ok(driven);
            }
        }
    }
    Ok(driven)
}

fn learn(held: &mut Vec<Held>, victim: Option<usize>, made: &Made) -> Result<(), Trouble> {
    if let Some(held) = victim.and_then(|at| held.get_mut(at)) {
        held.alive = Some(false);
    } else if let (Some(handle), Some(id)) = (&made.handle, made.session) {
        let handle = handle.expose().try_into().map_err(|_| "a handle of another length")?;
        held.push(Held { handle, id, alive: Some(true) });
    }
    Ok(())
}

/// The process that `strace` traces.
fn traced(node: &Node) -> Option<u32> {
    let strace = node.process()?;
    let children = std::fs::read_to_string(format!("/proc/{strace}/task/{strace}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// Ends the traced process with SIGTERM and waits for its end.
async fn end(node: &mut Node) -> Result<Option<i32>, Trouble> {
    if let Some(process) = traced(node) {
        Command::new("kill").arg("-TERM").arg(process.to_string()).status()?;
    }
    node.until_ended(PATIENCE).await
}

/// One life with a fault, and one without behind it.
async fn one(
    server: &Path,
    template: &Template,
    (kind, call, nth): (Kind, &str, u64),
) -> Result<Life, Trouble> {
    let folder = tempfile::tempdir()?;
    let mut node = copy(server, template, folder.path())?;
    let trace = folder.path().join("trace");
    let inject = format!("inject={call}:{}:when={nth}", kind.action());
    let above: Vec<String> =
        ["strace", "-f", "-qqq", "-y", "-ttt", "-T", "--decode-pids=comm", "-e", "signal=none"]
            .into_iter()
            .map(str::to_owned)
            .chain(["-o".to_owned(), trace.display().to_string()])
            .chain(["-e".to_owned(), format!("trace={call}"), "-e".to_owned(), inject])
            .collect();
    node.start_under(&above)?;
    let mut life = Life::default();
    let driven = match reach(&mut node, &template.key).await? {
        Some(client) => drive(&client, template.subject, COMMANDS).await?,
        None => Driven::default(),
    };
    let served = driven.acknowledged > 0;
    life.acknowledged = driven.acknowledged;
    life.unknown = u64::from(driven.pending.is_some());
    let code = end(&mut node).await?;
    life.hit = read_trace(&trace)?.into_iter().find(|one| one.injected || kind == Kind::Kill && one.lost);
    if let Some(hit) = &life.hit {
        life.faults.extend(ended(kind, hit, code, served));
    } else if code != Some(0) {
        life.faults.push(format!("ended with {code:?} although nothing failed"));
    }
    if node.log().contains("panicked") || node.log().contains("RUST_BACKTRACE") {
        life.faults.push("a panic was printed".to_owned());
    }
    node.start()?;
    after(&mut node, template, driven, &mut life.faults).await?;
    Ok(life)
}

/// Whether a life ended as it must.
fn ended(kind: Kind, hit: &Call, code: Option<i32>, served: bool) -> Option<String> {
    let in_lane = hit.thread == "tessera-lane" && hit.file.contains("journal-");
    let right = match kind {
        // strace ends by the signal that ended what it traced.
        Kind::Kill => code.is_none() || code == Some(137),
        Kind::Delay => code == Some(0),
        Kind::Io | Kind::NoSpace if in_lane => code == Some(STORAGE),
        // A start ends with the store's code, a checkpoint is taken again, and a node that serves ends as it likes to.
        Kind::Io | Kind::NoSpace if served => matches!(code, Some(0 | STORAGE)),
        Kind::Io | Kind::NoSpace => matches!(code, Some(0 | STORAGE | 69)),
    };
    let place = format!("{} on {} in {}", hit.name, hit.file, hit.thread);
    (!right).then(|| format!("ended with {code:?} after {place}"))
}

/// The life behind: everything acknowledged is there, what was not known is told under its id, the chain verifies.
async fn after(
    node: &mut Node,
    template: &Template,
    mut driven: Driven,
    faults: &mut Vec<String>,
) -> Result<(), Trouble> {
    let client = match reach(node, &template.key).await? {
        Some(client) => client.with_deadline(PATIENCE),
        None => {
            let code = node.until_ended(PATIENCE).await?;
            let said: Vec<String> = node.log().lines().rev().take(3).map(str::to_owned).collect();
            faults.push(format!("the next start ended with {code:?}: {said:?}"));
            return Ok(());
        }
    };
    if let Some((id, request)) = driven.pending.take() {
        match client.request_again(TENANT_OF_CONNECTION, id, &request).await {
            Ok(made) => {
                let victim = driven.held.iter().position(|held| held.alive.is_none());
                learn(&mut driven.held, victim, &made)?;
                let again = client.request_again(TENANT_OF_CONNECTION, id, &request).await;
                let same = again.as_ref().is_ok_and(|again| again.repeated && again.receipt == made.receipt)
                    || matches!(again, Err(ClientError::SecretLost));
                if !same {
                    faults.push("a repeat of what is known now was not a repeat".to_owned());
                }
            }
            // It had happened, and the secret that it made is told once.
            Err(ClientError::SecretLost) => {}
            Err(error) => faults.push(format!("the outcome is still not known: {error}")),
        }
    }
    for held in &driven.held {
        let query = CheckQuery {
            handle: &held.handle,
            permission: PermissionRef::Name("proof.act"),
            workspace: WorkspaceRef::Tenant,
            at_least: Receipt::default(),
            address: None,
        };
        let decision = patiently(|| client.check(&query)).await?;
        if held.alive.is_some_and(|alive| alive != decision.is_permit()) {
            let said = decision.reason.name();
            faults.push(format!("a session (alive: {:?}) was answered {said}", held.alive));
        }
    }
    drop(client);
    // A wait that holds no thread: other lives go on meanwhile.
    node.signal("-TERM")?;
    let code = node.until_ended(PATIENCE).await?;
    if code != Some(0) {
        faults.push(format!("the life behind ended with {code:?}"));
    }
    let store =
        Embedded::open(&node.data(), Options::new(RootKey::read(&node.root_key())?, [0; 32], [5; 32]))?;
    if let Err(error) = store.verify(template.tenant) {
        faults.push(format!("the chain does not verify: {error}"));
    }
    store.stop();
    Ok(())
}

/// What a life without a fault showed.
struct Ordered {
    /// Calls of the busiest thread, by name.
    counts: BTreeMap<String, u64>,
    /// Answers that stood behind their sync.
    ordered: u64,
    acknowledged: u64,
    faults: Vec<String>,
    /// What became of the planted faults.
    planted: &'static str,
}

/// A life without a fault: every answer came after a successful sync of the journal that began after the command's
/// write had ended.
async fn order(plan: &Plan, template: &Template) -> Result<Ordered, Trouble> {
    let folder = tempfile::tempdir()?;
    let mut node = copy(&plan.server, template, folder.path())?;
    let trace = folder.path().join("trace");
    let traced = format!("trace={}", CALLS.join(","));
    let above: Vec<String> = [
        "strace",
        "-f",
        "-qqq",
        "-y",
        "-ttt",
        "-T",
        "--decode-pids=comm",
        "-e",
        "signal=none",
        "-e",
        &traced,
        "-o",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([trace.display().to_string()])
    .collect();
    node.start_under(&above)?;
    let client = reach(&mut node, &template.key).await?.ok_or("the node ended")?;
    // Without a fault every command is answered, however slow the machine is.
    let driven = drive(&client.with_deadline(PATIENCE), template.subject, COMMANDS).await?;
    drop(client);
    let code = end(&mut node).await?;
    let calls = read_trace(&trace)?;
    let mut faults = Vec::new();
    if code != Some(0) || driven.pending.is_some() {
        faults.push(format!("a life without a fault ended with {code:?}"));
    }
    let mut counts = BTreeMap::<String, u64>::new();
    let mut by_thread = BTreeMap::<(String, u32), u64>::new();
    for call in &calls {
        let count = by_thread.entry((call.name.clone(), call.process)).or_default();
        *count += 1;
        let most = counts.entry(call.name.clone()).or_default();
        *most = (*most).max(*count);
    }
    let mut ordered = 0;
    for (sent, answered) in &driven.answered {
        if behind_a_sync(&calls, *sent, *answered) {
            ordered += 1;
        } else {
            faults.push(format!("an answer at {answered} had no sync behind its write"));
        }
    }
    let missed = planted(&calls, &driven.answered);
    let planted = match &missed {
        None => "a trace without its syncs and one whose syncs came early caught",
        Some(_) => "a trace that is wrong NOT noticed",
    };
    faults.extend(missed);
    Ok(Ordered { counts, ordered, acknowledged: driven.acknowledged, faults, planted })
}

/// The planted faults: a trace without its syncs, and one whose syncs all began before what they are to cover was
/// written, must not pass for any answer.
fn planted(calls: &[Call], answered: &[(u64, u64)]) -> Option<String> {
    let without: Vec<Call> = calls.iter().filter(|call| !call.name.contains("sync")).cloned().collect();
    let early = |sent: u64| -> Vec<Call> {
        let is_sync = |call: &Call| call.name.contains("sync") && call.began >= sent;
        let moved =
            |call: &Call| Call { began: if is_sync(call) { sent } else { call.began }, ..call.clone() };
        calls.iter().map(moved).collect()
    };
    for (sent, answered) in answered {
        if behind_a_sync(&without, *sent, *answered) {
            return Some("a trace without syncs passed".to_owned());
        }
        if behind_a_sync(&early(*sent), *sent, *answered) {
            return Some("a sync that began before the write passed".to_owned());
        }
    }
    None
}

/// The first bytes of a group in a journal file, and where its header counts its frames.
const GROUP: [u8; 4] = [0xFF, b'T', b'S', b'G'];
const COUNT: std::ops::Range<usize> = 16..20;

/// Whether between these two moments a group with frames was written to a journal file, and a sync of that file began
/// behind the last such write and succeeded.
fn behind_a_sync(calls: &[Call], sent: u64, answered: u64) -> bool {
    let within = |call: &&Call| call.began >= sent && call.ended <= answered && call.result >= 0;
    let frames = |call: &&Call| {
        let counted = call.bytes.get(COUNT).is_some_and(|count| count.iter().any(|byte| *byte != 0));
        call.name == "pwrite64" && call.file.contains("journal-") && call.bytes.starts_with(&GROUP) && counted
    };
    let write = calls.iter().filter(within).rfind(frames);
    write.is_some_and(|write| {
        let syncs = calls.iter().filter(within).filter(|call| call.name == "fdatasync");
        syncs.filter(|sync| sync.file == write.file).any(|sync| sync.began >= write.ended)
    })
}
