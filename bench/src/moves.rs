//! `move-gap`: how long a tenant's writers stand still while it goes from one real node to another.

use crate::figure::{Family, Row, Setup, Spec, Why};
use crate::process::{Node, free_udp, fresh};
use crate::rounds::median;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tessera_client::wire::{GrantRow, MoveRow, PeerRow, Request};
use tessera_client::{Client, ClientError, Config, Trust};
use tessera_model::moving::MoveStatus;
use tessera_model::record::SubjectKind;
use tessera_model::{
    CheckQuery, Deadline, Handle, HandleBytes, Name, Pattern, PermissionRef, Private, PublicId, Receipt,
    Refusal, TenantId, WorkspaceRef,
};

/// Moves between nodes.
pub const MOVES: Family = Family { specs: &[GAP], take };

const GAP: Spec = Spec {
    id: "move-gap",
    what: "a tenant goes from node to node under writes: the longest time in which none of its writers was acknowledged, median",
    unit: "ms",
    goal: "<= 50 ms",
};

/// Live sessions that go along, at full size and at quick size.
const SESSIONS: (u32, u32) = (100_000, 2_000);
/// Moves, forth and back in turn.
const MOVED: (u32, u32) = (11, 3);
/// Writers, each with a subject of its own and one write after the other.
const WRITERS: usize = 16;
/// Those who ask meanwhile, one check after the other.
const READERS: usize = 4;
/// Sessions that are opened at a time.
const OPENING: u32 = 64;
/// The goal, ms.
const GOAL_MS: f64 = 50.0;
/// LIMIT: how long anything may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// A rest between moves, so that each begins under an even load.
const REST: Duration = Duration::from_millis(300);

/// One node of the fleet.
struct Cell {
    name: &'static str,
    folder: PathBuf,
    address: SocketAddr,
    node: Option<Node>,
    key: String,
    link: String,
}

impl Cell {
    fn new(above: &Path, name: &'static str) -> Result<Self, Why> {
        let folder = above.join(name);
        fs::create_dir_all(&folder)?;
        let address = free_udp()?;
        Ok(Self { name, folder, address, node: None, key: String::new(), link: String::new() })
    }

    /// Starts it; its certificate.
    fn start(&mut self, setup: &Setup, above: &Path) -> Result<Vec<u8>, Why> {
        let text = |path: PathBuf| path.display().to_string();
        let (file, trust, keys) =
            (text(above.join("fleet.toml")), text(above.join("trust.pem")), self.folder.join("keys.toml"));
        let known = keys.exists();
        let keys = text(keys);
        let mut settings = vec![
            ("TESSERA_FLEET__FILE", file.as_str()),
            ("TESSERA_FLEET__CELL", self.name),
            ("TESSERA_FLEET__SYNC_SECONDS", "1"),
        ];
        if known {
            settings
                .extend([("TESSERA_FLEET__TRUST_FILE", trust.as_str()), ("TESSERA_FLEET__KEYS_FILE", &keys)]);
        }
        let node = self.node.insert(Node::at(&setup.node, &self.folder, self.address, &settings)?);
        node.certificate()
    }

    async fn client(&self, pem: &[u8], credential: Option<String>) -> Result<Client, Why> {
        let mut config = Config::new(self.address, "localhost", Trust::roots_pem(pem)?);
        config.credential = credential;
        config.deadline = Duration::from_secs(30);
        Ok(Client::connect(config).await?)
    }

    /// The operator of a fresh node, and a key for the other one.
    async fn claim(&mut self, pem: &[u8]) -> Result<(), Why> {
        let stranger = self.client(pem, None).await?;
        let secret = self.node.as_mut().ok_or("the node does not run")?.secret()?;
        let secret = Private::new(secret.into_bytes());
        let claim = Request::ClaimOperator { secret, name: Name::new("figures")? };
        self.key = stranger.request(&claim).await?.handle_text().ok_or("the operator got no key")?;
        let operator = self.client(pem, Some(self.key.clone())).await?;
        let machine =
            Request::CreateSubject { kind: SubjectKind::Machine, identifiers: Vec::new(), password: None };
        let subject = operator.request(&machine).await?.subject.ok_or("the machine got no id")?;
        let (role, patterns) = (Name::new("cells")?, vec![Pattern::new("tessera.fleet.sync")?]);
        operator.request(&Request::CreateRole { name: role.clone(), patterns: patterns.clone() }).await?;
        operator.request(&grant(subject, role)).await?;
        let key = Request::CreateKey {
            subject,
            patterns,
            expires: operator.node_time().to_deadline().plus_seconds(86_400),
            description: Private::default(),
            client: None,
            networks: Vec::new(),
        };
        self.link = operator.request(&key).await?.handle_text().ok_or("the machine got no key")?;
        Ok(())
    }
}

fn grant(subject: PublicId, role: Name) -> Request {
    let (from, until) = (Deadline::NONE, Deadline::NONE);
    Request::Grant { subject, role, workspace: None, from, until }
}

/// Two nodes that know each other, their certificates and their operators.
struct Pair {
    cells: [Cell; 2],
    pem: Vec<u8>,
    operators: Vec<Client>,
}

async fn pair(setup: &Setup) -> Result<Pair, Why> {
    let above = std::path::absolute(fresh(&setup.folder, "move-gap")?)?;
    let mut cells = [Cell::new(&above, "a")?, Cell::new(&above, "b")?];
    let mut file = "version = 1\n".to_owned();
    for (number, Cell { name, address, .. }) in (1..).zip(&cells) {
        let number: u32 = number;
        file += &format!(
            "[[cell]]\nnumber = {number}\nname = \"{name}\"\naddress = \"{address}\"\ncertificate = \"localhost\"\n"
        );
    }
    fs::write(above.join("fleet.toml"), file)?;
    let mut pem = Vec::new();
    for cell in &mut cells {
        let own = cell.start(setup, &above)?;
        cell.claim(&own).await?;
        pem.extend(own);
        cell.node = None;
    }
    fs::write(above.join("trust.pem"), &pem)?;
    let [a, b] = &mut cells;
    for (own, other) in [(&*a, &*b), (&*b, &*a)] {
        let path = own.folder.join("keys.toml");
        fs::write(&path, format!("{} = \"{}\"\n", other.name, other.link))?;
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    }
    let mut operators = Vec::new();
    for cell in &mut cells {
        cell.start(setup, &above)?;
        operators.push(cell.client(&pem, Some(cell.key.clone())).await?);
    }
    let started = Instant::now();
    for operator in &operators {
        while !operator.list::<PeerRow>(&Request::ListPeers {}).await?.rows.iter().any(|peer| peer.reached) {
            if started.elapsed() > PATIENCE {
                return Err("the two nodes do not reach each other".into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(Pair { cells, pem, operators })
}

/// The longest time between two answers.
#[derive(Default)]
struct Gap(Mutex<(Option<Instant>, Duration)>);

impl Gap {
    fn beat(&self) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let since = inner.0.map_or(Duration::ZERO, |last| now - last);
        *inner = (Some(now), inner.1.max(since));
    }

    /// Begins to look, or looks anew; what was found.
    fn take(&self) -> Duration {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut inner.1)
    }
}

/// What goes on in the tenant meanwhile.
#[derive(Default)]
struct Life {
    stop: AtomicBool,
    writes: Gap,
    checks: Gap,
    wrong: AtomicU64,
}

/// The tenant.
struct Tenant {
    id: TenantId,
    client: Client,
    writers: Vec<PublicId>,
    session: HandleBytes,
    role: Name,
}

async fn tenant(pair: &Pair, sessions: u32) -> Result<Tenant, Why> {
    let home = pair.cells.first().ok_or("there is no node")?;
    let operator = pair.operators.first().ok_or("there is no operator")?;
    let made = operator.request(&Request::CreateTenant { name: Name::new("acme")? }).await?;
    let key = made.handle_text().ok_or("the admin got no key")?;
    let id = Handle::parse_text(&key).map_err(|_| "the admin's key is no key")?.tenant;
    let client = home.client(&pair.pem, Some(key)).await?;
    let role = Name::new("reader")?;
    client.request(&Request::RegisterPermission { name: Name::new("docs.read")? }).await?;
    let patterns = vec![Pattern::new("docs.read")?];
    client.request(&Request::CreateRole { name: role.clone(), patterns }).await?;
    let mut writers = Vec::new();
    for _ in 0..=WRITERS {
        let person =
            Request::CreateSubject { kind: SubjectKind::Person, identifiers: Vec::new(), password: None };
        writers.push(client.request(&person).await?.subject.ok_or("a subject got no id")?);
    }
    let reader = writers.pop().ok_or("there is no reader")?;
    client.request(&grant(reader, role.clone())).await?;
    let mut opening = Vec::new();
    for first in 0..OPENING {
        let client = client.clone();
        let count = (first..sessions).step_by(OPENING as usize).count();
        opening.push(tokio::spawn(async move {
            let mut last = None;
            for _ in 0..count {
                last = Some(open(&client, reader).await?);
            }
            Ok::<_, Why>(last)
        }));
    }
    let mut session = None;
    for opened in opening {
        session = opened.await??.or(session);
    }
    let session = session.ok_or("there is no session")?;
    Ok(Tenant { id, client, writers, session, role })
}

async fn open(client: &Client, subject: PublicId) -> Result<HandleBytes, Why> {
    loop {
        match client.request(&Request::OpenSession { subject, device: None, proof: None }).await {
            Ok(made) => {
                let handle = made.handle.as_ref().and_then(|handle| handle.expose().try_into().ok());
                return Ok(handle.ok_or("a session got no handle")?);
            }
            Err(ClientError::Refused(Refusal::Busy(_))) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Grants a role and takes it back, until it is stopped. Whether it is granted in the end.
async fn write(tenant: Arc<Tenant>, subject: PublicId, life: Arc<Life>) -> Result<bool, Why> {
    let mut granted = false;
    while !life.stop.load(Ordering::Relaxed) {
        let request = if granted {
            Request::Ungrant { subject, role: tenant.role.clone(), workspace: None }
        } else {
            grant(subject, tenant.role.clone())
        };
        tenant.client.request(&request).await?;
        granted = !granted;
        life.writes.beat();
    }
    Ok(granted)
}

/// Asks for what is permitted, until it is stopped.
async fn read(tenant: Arc<Tenant>, life: Arc<Life>) -> Result<(), Why> {
    while !life.stop.load(Ordering::Relaxed) {
        let query = CheckQuery {
            handle: &tenant.session,
            permission: PermissionRef::Name("docs.read"),
            workspace: WorkspaceRef::Tenant,
            at_least: Receipt::default(),
            address: None,
        };
        if !tenant.client.check(&query).await?.is_permit() {
            life.wrong.fetch_add(1, Ordering::Relaxed);
        }
        life.checks.beat();
    }
    Ok(())
}

/// Moves the tenant; how long it took no commands, as the node says, ms.
async fn moved(operator: &Client, tenant: TenantId, cell: u32) -> Result<f64, Why> {
    let (started, mut follow) = (Instant::now(), false);
    loop {
        let request = Request::MoveTenant { tenant, cell, undo: false, follow };
        let row = operator.list::<MoveRow>(&request).await?.rows.into_iter().next().ok_or("no row")?;
        match MoveStatus::from_number(row.status) {
            Some(MoveStatus::Done) => return Ok(row.gap as f64),
            Some(MoveStatus::Stayed | MoveStatus::Failed) => {
                return Err(row.trouble.unwrap_or_else(|| "the tenant stayed".to_owned()).into());
            }
            _ if started.elapsed() > PATIENCE => return Err("a move does not come to an end".into()),
            _ => follow = true,
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn take(setup: &Setup) -> Result<Vec<Row>, Why> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(taken(setup)).map(|row| vec![row])
}

async fn taken(setup: &Setup) -> Result<Row, Why> {
    let sessions = setup.size(SESSIONS.0, SESSIONS.1);
    setup.progress.say(&format!("move-gap: two nodes, a tenant of {sessions} sessions"));
    let pair = pair(setup).await?;
    let tenant = Arc::new(tenant(&pair, sessions).await?);
    let life = Arc::new(Life::default());
    let writers: Vec<_> = tenant
        .writers
        .iter()
        .map(|subject| tokio::spawn(write(Arc::clone(&tenant), *subject, Arc::clone(&life))))
        .collect();
    let readers: Vec<_> =
        (0..READERS).map(|_| tokio::spawn(read(Arc::clone(&tenant), Arc::clone(&life)))).collect();
    let (mut seen, mut told, mut unanswered) = (Vec::new(), Vec::new(), Vec::new());
    for (nth, operator) in (0..setup.size(MOVED.0, MOVED.1)).zip(pair.operators.iter().cycle()) {
        setup.progress.say(&format!("move-gap: move {}", nth + 1));
        tokio::time::sleep(REST).await;
        life.writes.take();
        life.checks.take();
        told.push(moved(operator, tenant.id, 2 - nth % 2).await?);
        tokio::time::sleep(REST).await;
        let millis = |of: Duration| of.as_secs_f64() * 1_000.0;
        seen.push(millis(life.writes.take()));
        unanswered.push(millis(life.checks.take()));
    }
    life.stop.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await??;
    }
    let mut lost = 0;
    for (writer, subject) in writers.into_iter().zip(&tenant.writers) {
        let granted = writer.await??;
        let request = Request::ListGrants { subject: *subject, after: None, limit: 0 };
        let there = tenant.client.list::<GrantRow>(&request).await?;
        lost += u64::from(there.rows.iter().any(|row| row.role == tenant.role) != granted);
    }
    let wrong = life.wrong.load(Ordering::Relaxed);
    if lost + wrong > 0 {
        return Err(format!("{lost} acknowledged writes are missing, {wrong} checks were wrong").into());
    }
    let most = |of: &[f64]| of.iter().copied().fold(0.0, f64::max);
    let sizes = format!(
        "{} moves of {sessions} sessions, {WRITERS} writers, {READERS} readers, both nodes and all callers on one machine; longest {:.1} ms; no commands taken, as the node says: {:.0} ms, longest {:.0} ms; no check answered: {:.1} ms, longest {:.1} ms; 0 lost, 0 wrong",
        seen.len(),
        most(&seen),
        median(&told),
        most(&told),
        median(&unanswered),
        most(&unanswered)
    );
    let value = median(&seen);
    Ok(Row::new(&GAP, value, sizes).judged(setup.verdict(value <= GOAL_MS)))
}
