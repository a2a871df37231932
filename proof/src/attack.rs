//! Hostile clients against the real binary: what they do costs the node bounded memory, and nobody else is served
//! wrongly meanwhile.

use crate::kill::Told;
use crate::neighbour::{self, Caller};
use crate::node::{Node, Trouble, handle_of};
use crate::raw::{Raw, endpoint};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tessera_client::wire::{Outbox, Request};
use tessera_client::{Client, ClientError};
use tessera_model::record::SubjectKind;
use tessera_model::{
    CheckQuery, Deadline, Handle, HandleBytes, Identifier, IdentifierKind, Name, Pattern, PermissionRef,
    Place, Private, Receipt, Refusal, Setting, WorkspaceRef, settings::SettingsChange,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;

/// What is to be tried.
pub(crate) struct Plan {
    /// Hostile connections at once.
    pub(crate) connections: u32,
    pub(crate) server: PathBuf,
}

/// LIMIT: what may be resident under attack, MB.
const RESIDENT_MB_MAX: u64 = 256;
/// Forged handles that are tried on a sleeping tenant.
const FORGED: u32 = 10_000;
/// Handshakes that are begun and never finished.
const HALF_OPEN: u32 = 500;
/// Connections that come at a time.
const AT_ONCE: usize = 64;
/// Wrong passwords for one account.
const GUESSES: u32 = 40;
/// Failures of one source, where that is tried.
const SOURCE_FAILURES: u32 = 10;
const PASSWORD: &str = "correct horse battery staple";

/// Somebody honest, asked about all the while.
struct Honest {
    client: Client,
    handle: HandleBytes,
    stop: AtomicBool,
    right: AtomicU64,
    wrong: AtomicU64,
    unanswered: AtomicU64,
    /// How long each answer took since that was last looked at.
    took: Mutex<Vec<Duration>>,
}

impl Honest {
    fn new(client: Client, handle: HandleBytes) -> Self {
        let count = || AtomicU64::new(0);
        let (right, wrong, unanswered) = (count(), count(), count());
        Self {
            client,
            handle,
            stop: AtomicBool::new(false),
            right,
            wrong,
            unanswered,
            took: Mutex::default(),
        }
    }

    /// The time that one in a hundred took at least since it was last asked for; and it is told of what beside.
    fn p99(&self, beside: &str) -> String {
        let mut took = std::mem::take(&mut *self.took.lock().unwrap_or_else(PoisonError::into_inner));
        took.sort_unstable();
        let p99 = took.get(took.len() * 99 / 100).copied().unwrap_or_default();
        format!("{} us {beside}", p99.as_micros())
    }
}

/// Runs the proof.
pub(crate) async fn run(plan: &Plan) -> Result<Told, Trouble> {
    let folder = tempfile::tempdir()?;
    let mut node = Node::with_more(
        &plan.server,
        folder.path(),
        "checkpoint_seconds = 1\n",
        "[tenants]\nidle_sleep_seconds = 2\n",
    )?;
    node.start()?;
    let operator = node.client(Some(node.claim().await?)).await?;
    let (honest, _) = tenant(&node, &operator, "honest").await?;
    let (hostile, hostile_key) = tenant(&node, &operator, "hostile").await?;
    let (asleep, asleep_key) = tenant(&node, &operator, "asleep").await?;
    asleep.close().await;
    let handle = session(&honest).await?;
    let honest = Arc::new(Honest::new(honest, handle));
    asked(&honest, Duration::from_secs(1)).await;
    let mut p99 = vec![honest.p99("before")];
    let asking = tokio::spawn({
        let honest = Arc::clone(&honest);
        async move { asked(&honest, Duration::MAX).await }
    });
    let mut faults = Vec::new();
    let half = half_open(&node).await?;
    p99.push(honest.p99("beside handshakes"));
    let forged = forged(&node, &asleep_key, &mut faults).await?;
    p99.push(honest.p99("beside forged handles"));
    let hostile_said = hostile_connections(plan, &node, &hostile_key).await?;
    p99.push(honest.p99("beside hostile connections"));
    let refreshes = refresh_flood(&node, &hostile_key).await?;
    p99.push(honest.p99("beside forged refreshes"));
    let flooded = sign_in_flood(&hostile).await?;
    p99.push(honest.p99("beside sign-ins"));
    let neighbours = Box::pin(neighbours(&node, &honest.client, &hostile, &mut faults)).await?;
    p99.push(honest.p99("beside neighbours"));
    let most = bounded(&node, &mut faults)?;
    honest.stop.store(true, Ordering::SeqCst);
    asking.await?;
    let guesses = guessing(&mut node, &hostile, &mut faults).await?;
    drop((hostile, operator));
    let code = node.terminate()?;
    if code != Some(0) {
        faults.push(format!("the node ended with {code:?}"));
    }
    let (right, wrong) = (honest.right.load(Ordering::SeqCst), honest.wrong.load(Ordering::SeqCst));
    let unanswered = honest.unanswered.load(Ordering::SeqCst);
    if wrong > 0 || unanswered > 0 {
        faults.push(format!("{wrong} honest answers were wrong, {unanswered} did not come"));
    }
    let planted = Box::pin(planted(plan, &mut faults)).await?;
    let mut text = format!(
        "attack: {half} handshakes left half open, {forged} forged handles, {hostile_said}, {refreshes} forged refreshes, {flooded} sign-ins at once, {neighbours}, {guesses}; {most} MB resident at most; {right} honest answers, p99 {} (goal: at most twice that of before); {} violations; planted: {planted}",
        p99.join(", "),
        faults.len()
    );
    for fault in &faults {
        text.push_str("\n  ");
        text.push_str(fault);
    }
    Ok(Told { text, violations: faults.len() as u64 })
}

/// A loud tenant beside a quiet one, and a subject that ends its own sessions in a loop.
async fn neighbours(
    node: &Node,
    quiet: &Client,
    loud: &Client,
    faults: &mut Vec<String>,
) -> Result<String, Trouble> {
    let (quiet, _) = Caller::new(quiet, "amy", PASSWORD).await?;
    let (loud, key) = Caller::new(loud, "amy", PASSWORD).await?;
    let beside = neighbour::loud(&quiet, &loud, faults).await?;
    let ended = neighbour::ender(node, (&loud, &key), faults).await?;
    Ok(format!("{beside}, {ended}"))
}

/// What was resident at most, which has a bound.
fn bounded(node: &Node, faults: &mut Vec<String>) -> Result<u64, Trouble> {
    let (_, most) = node.resident()?;
    if most > RESIDENT_MB_MAX {
        faults.push(format!("{most} MB were resident, at most {RESIDENT_MB_MAX}"));
    }
    Ok(most)
}

/// A node that keeps memory, and somebody honest who is denied: both must be noticed.
async fn planted(plan: &Plan, faults: &mut Vec<String>) -> Result<String, Trouble> {
    const WHAT: [&str; 2] = ["a node that keeps memory", "an honest answer that is wrong"];
    if !tessera_engine::PLANTED {
        return Ok(format!("{}, {} SKIPPED: this build has no planted faults", WHAT[0], WHAT[1]));
    }
    let folder = tempfile::tempdir()?;
    let mut node = Node::plain(&plan.server, folder.path())?;
    node.plant("TESSERA_PLANTED_HOARD_MIB", RESIDENT_MB_MAX.to_string());
    node.start()?;
    let operator = node.client(Some(node.claim().await?)).await?;
    let (admin, _) = tenant(&node, &operator, "planted").await?;
    let mut found = Vec::new();
    bounded(&node, &mut found)?;
    let honest = Honest::new(admin.clone(), session(&admin).await?);
    admin.request(&Request::DeleteRole { name: Name::new("actor")? }).await?;
    asked(&honest, Duration::from_millis(200)).await;
    let caught = [!found.is_empty(), honest.wrong.load(Ordering::SeqCst) > 0];
    for (what, _) in WHAT.iter().zip(caught).filter(|(_, caught)| !caught) {
        faults.push(format!("{what}: not noticed"));
    }
    let word = |caught: bool| if caught { "caught" } else { "NOT noticed" };
    Ok(format!("{} {}, {} {}", WHAT[0], word(caught[0]), WHAT[1], word(caught[1])))
}

/// A tenant with a role, and a person who has it and a password: its admin's client and key.
async fn tenant(node: &Node, operator: &Client, name: &str) -> Result<(Client, String), Trouble> {
    let key = handle_of(&operator.request(&Request::CreateTenant { name: Name::new(name)? }).await?)?;
    let admin = node.client(Some(key.clone())).await?;
    let (role, none) = (Name::new("actor")?, Deadline::NONE);
    let patterns = vec![Pattern::new("proof.act")?];
    admin.request(&Request::CreateRole { name: role.clone(), patterns }).await?;
    let identifiers = vec![Identifier::new(IdentifierKind::Username, "amy")?];
    let password = Some(Private::new(PASSWORD.as_bytes().to_vec()));
    let person = Request::CreateSubject { kind: SubjectKind::Person, identifiers, password };
    let subject = admin.request(&person).await?.subject.ok_or("no subject in the reply")?;
    admin.request(&Request::Grant { subject, role, workspace: None, from: none, until: none }).await?;
    Ok((admin, key))
}

async fn session(admin: &Client) -> Result<HandleBytes, Trouble> {
    let made = admin.sign_in("amy", PASSWORD).await?;
    let text = made.handle_text().ok_or("no handle in the reply")?;
    Ok(Handle::parse_text(&text).map_err(|error| format!("{error:?}"))?.to_bytes())
}

/// Asks one question after the other.
async fn asked(honest: &Honest, span: Duration) {
    let began = Instant::now();
    while began.elapsed() < span && !honest.stop.load(Ordering::Relaxed) {
        let query = CheckQuery {
            handle: &honest.handle,
            permission: PermissionRef::Name("proof.act"),
            workspace: WorkspaceRef::Tenant,
            at_least: Receipt::default(),
            address: None,
        };
        let asked = Instant::now();
        match honest.client.check(&query).await {
            Ok(decision) if decision.is_permit() => honest.right.fetch_add(1, Ordering::Relaxed),
            Ok(_) => honest.wrong.fetch_add(1, Ordering::Relaxed),
            Err(_) => honest.unanswered.fetch_add(1, Ordering::Relaxed),
        };
        honest.took.lock().unwrap_or_else(PoisonError::into_inner).push(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Begins handshakes through a relay that brings nothing back.
async fn half_open(node: &Node) -> Result<u32, Trouble> {
    let relay = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
    let (door, to) = (node.socket(), relay.local_addr()?);
    let forwarding = tokio::spawn(async move {
        let mut buffer = vec![0; 65_536];
        while let Ok((len, from)) = relay.recv_from(&mut buffer).await {
            // What the node answers goes nowhere.
            if from != door && relay.send_to(buffer.get(..len).unwrap_or_default(), door).await.is_err() {
                return;
            }
        }
    });
    let own = endpoint(&node.certificate()?)?;
    let mut begun = Vec::new();
    for _ in 0..HALF_OPEN {
        begun.push(own.connect(to, "localhost")?);
        if begun.len() % AT_ONCE == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(begun);
    forwarding.abort();
    Ok(HALF_OPEN)
}

/// Handles of a sleeping tenant that nobody gave out, over HTTP: none of them wakes it.
async fn forged(node: &Node, key: &str, faults: &mut Vec<String>) -> Result<u32, Trouble> {
    let known = Handle::parse_text(key).map_err(|error| format!("{error:?}"))?;
    let began = Instant::now();
    // It falls asleep when nobody used it and a checkpoint has covered it.
    while node.metric("tessera_tenants_awake").await? > 3 {
        if began.elapsed() > Duration::from_secs(60) {
            return Err("the tenant does not fall asleep".into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let woken = node.metric("tessera_tenants_woken_total").await?;
    let mut tasks = JoinSet::new();
    let each = FORGED / 8;
    for part in 0..8_u32 {
        let http = node.http();
        tasks.spawn(async move { forge(http, known, part * each, each).await });
    }
    let mut refused = 0;
    while let Some(done) = tasks.join_next().await {
        refused += done??;
    }
    let after = node.metric("tessera_tenants_woken_total").await?;
    if after != woken {
        faults.push(format!("forged handles woke a tenant: {woken} wakes before, {after} behind"));
    }
    Ok(refused)
}

/// Asks with forged handles over connections that are kept while the door keeps them.
async fn forge(http: SocketAddr, known: Handle, from: u32, count: u32) -> Result<u32, Trouble> {
    let mut stream: Option<TcpStream> = None;
    let mut refused = 0;
    for no in from..from + count {
        let mut forged = Handle { place: Place(known.place.0 + no % 7), ..known };
        forged.secret = [0xA5; 20];
        if let Some(place) = forged.secret.first_chunk_mut::<4>() {
            *place = no.to_le_bytes();
        }
        let request = format!(
            "GET /v1/me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
            forged.to_text()
        );
        for _ in 0..3 {
            let mut open = match stream.take() {
                Some(open) => open,
                None => TcpStream::connect(http).await?,
            };
            let mut answer = vec![0; 4_096];
            let sent = open.write_all(request.as_bytes()).await;
            let read = if sent.is_ok() { open.read(&mut answer).await.unwrap_or(0) } else { 0 };
            if read > 0 {
                let told = String::from_utf8_lossy(answer.get(..read).unwrap_or_default()).into_owned();
                if told.starts_with("HTTP/1.1 2") {
                    return Err(format!("a forged handle was taken: {told}").into());
                }
                refused += 1;
                stream = (!told.to_lowercase().contains("connection: close")).then_some(open);
                break;
            }
        }
    }
    Ok(refused)
}

/// Connections that do ill in four ways, all at once: idle, slow, deaf, and with streams that are reset.
async fn hostile_connections(plan: &Plan, node: &Node, key: &str) -> Result<String, Trouble> {
    let certificate = node.certificate()?;
    let (mut tasks, mut open, mut refused) = (JoinSet::new(), Vec::new(), 0);
    for no in 0..plan.connections {
        while tasks.len() >= AT_ONCE {
            match tasks.join_next().await {
                Some(Ok(Ok(raw))) => open.push(raw),
                Some(_) => refused += 1,
                None => break,
            }
        }
        let (door, key, certificate) = (node.socket(), key.to_owned(), certificate.clone());
        tasks.spawn(async move {
            let mut raw = Raw::hello(&certificate, door, &key).await?;
            raw.misbehave(no % 4).await;
            Ok::<_, Trouble>(raw)
        });
    }
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok(Ok(raw)) => open.push(raw),
            Ok(Err(_)) | Err(_) => refused += 1,
        }
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let closed = open.iter().filter(|raw| raw.is_closed()).count();
    Ok(format!(
        "{} hostile connections ({refused} turned away, {closed} closed by the node)",
        plan.connections
    ))
}

/// Forged refresh handles, as many as one connection sends at once.
async fn refresh_flood(node: &Node, key: &str) -> Result<u32, Trouble> {
    let known = Handle::parse_text(key).map_err(|error| format!("{error:?}"))?;
    let mut forged = known.to_bytes();
    // A refresh handle of that place.
    if let Some(kind) = forged.get_mut(1) {
        *kind = 3;
    }
    let client = node.client(Some(key.to_owned())).await?;
    let mut tasks = JoinSet::new();
    for _ in 0..2_000 {
        let client = client.clone();
        let request = Request::RefreshSession { handle: Private::new(forged.to_vec()) };
        tasks.spawn(async move { client.request(&request).await.is_err() });
    }
    let mut refused = 0;
    while let Some(done) = tasks.join_next().await {
        refused += u32::from(done?);
    }
    Ok(refused)
}

/// Sign-ins by the hundred: each costs a hash, and most are told to come again.
async fn sign_in_flood(hostile: &Client) -> Result<u32, Trouble> {
    let mut tasks = JoinSet::new();
    for no in 0..400_u32 {
        let client = hostile.with_deadline(Duration::from_secs(20));
        tasks.spawn(async move { drop(client.sign_in(&format!("nobody{no}"), "wrong").await) });
    }
    let mut done = 0;
    while tasks.join_next().await.is_some() {
        done += 1;
    }
    Ok(done)
}

/// Guesses at one account until it is told to wait; a kill and a start change nothing about it.
async fn guessing(node: &mut Node, hostile: &Client, faults: &mut Vec<String>) -> Result<String, Trouble> {
    // Ten wrong ones in a row lock an account; what one source may do is not what is tried here.
    let settings = SettingsChange::of(|setting| {
        let told =
            [(Setting::SignInFree, 20), (Setting::SignInFailures, 10), (Setting::SourceFailures, 100_000)];
        told.into_iter().find(|(known, _)| *known == setting).map(|(_, value)| value)
    });
    hostile.request(&Request::ChangeSettings { settings }).await?;
    node.kill()?;
    node.start()?;
    let hostile = &hostile.with_deadline(Duration::from_secs(30));
    let mut guesses = 0;
    loop {
        let told = hostile.sign_in("amy", "wrong").await;
        if waits(&told) {
            break;
        }
        guesses += u32::from(told.err().is_some_and(|error| error.code().is_some()));
        if guesses >= GUESSES {
            faults.push(format!("{guesses} guesses were not stopped"));
            break;
        }
    }
    node.kill()?;
    node.start()?;
    // A call that the kill cut off is made again.
    let mut told = hostile.sign_in("amy", PASSWORD).await;
    for _ in 0..20 {
        if told.as_ref().is_err_and(|error| error.code().is_none()) {
            told = hostile.sign_in("amy", PASSWORD).await;
        }
    }
    if !waits(&told) {
        let said = told.map(|_| "signed in".to_owned()).unwrap_or_else(|error| error.to_string());
        faults.push(format!("after a kill guessing could go on: {said}"));
    }
    let sources = from_one_source(node, hostile, faults).await?;
    Ok(format!("guessing stopped after {guesses} and still behind a kill, {sources}"))
}

/// Whether a sign-in was told to wait.
fn waits<T>(told: &Result<T, ClientError>) -> bool {
    matches!(told, Err(ClientError::Wait { refusal: Refusal::TooManyFailures, .. }))
}

/// One wrong password for each of many names, from one address: it runs out of tries, whoever it asks for, and so it
/// does behind a kill, when the counts of addresses begin anew and those of accounts do not.
async fn from_one_source(
    node: &mut Node,
    hostile: &Client,
    faults: &mut Vec<String>,
) -> Result<String, Trouble> {
    let few = SettingsChange::of(|setting| {
        let told = [(Setting::SourceFailures, SOURCE_FAILURES), (Setting::SourceRefill, 3_600)];
        told.into_iter().find(|(known, _)| *known == setting).map(|(_, value)| value)
    });
    hostile.request(&Request::ChangeSettings { settings: few }).await?;
    let mut told = Vec::new();
    for life in 0..2 {
        if life > 0 {
            node.kill()?;
            node.start()?;
        }
        let (mut guesses, mut stopped) = (0, false);
        while !stopped && guesses < GUESSES {
            let answer = hostile.sign_in(&format!("somebody{life}{guesses}"), "wrong").await;
            stopped = waits(&answer);
            guesses += u32::from(!stopped && answer.err().is_some_and(|error| error.code().is_some()));
        }
        if !stopped {
            faults.push(format!("{guesses} guesses of one source were not stopped in its life {life}"));
        }
        told.push(guesses.to_string());
    }
    Ok(format!("one source stopped after {} names", told.join(" and behind a kill after ")))
}

/// Many checks in one buffer.
pub(crate) fn checks(handle: &HandleBytes, count: u64) -> Vec<u8> {
    let mut out = Outbox::new();
    for id in 0..count {
        let query = CheckQuery {
            handle,
            permission: PermissionRef::Name("proof.act"),
            workspace: WorkspaceRef::Tenant,
            at_least: Receipt::default(),
            address: None,
        };
        if out.check(id, &query).is_err() {
            break;
        }
    }
    out.as_bytes().to_vec()
}
