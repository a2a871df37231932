//! Makes what the load runs on: an operator, tenants, roles, subjects, first sessions.

use crate::args::Args;
use crate::audit::{Auditor, Held, State, Subject, Tenant, lock};
use crate::facts::{EDITED, Facts, PERMISSIONS, ROLES, patterns};
use crate::history::History;
use crate::moment::Stopwatch;
use crate::node::Node;
use crate::operation::{First, Load, TIDE};
use crate::refresh::refresh_of;
use crate::timeline::Timeline;
use crate::write::PASSWORD;
use indicatif::ProgressBar;
use std::collections::BTreeSet;
use std::error::Error;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tessera_client::wire::{Made, Request};
use tessera_client::{Client, ClientError, Config, Trust};
use tessera_model::record::SubjectKind;
use tessera_model::{Deadline, Handle, Identifier, Name, Pattern, Private, Refusal, Settings};

/// Why a load could not run.
pub type Why = Box<dyn Error + Send + Sync>;

/// LIMIT: subjects made at a time; more would be Busy hashing passwords.
const AT_A_TIME: usize = 16;

/// How long one call may take that makes what the load runs on.
const SETUP: Duration = Duration::from_secs(30);

/// Where a node is, and the name in its certificate.
pub type Door = (SocketAddr, String);

/// The address of `host:port`.
pub(crate) fn resolved(text: &str) -> Result<SocketAddr, Why> {
    let found = text.to_socket_addrs().map_err(|error| format!("{text}: {error}"))?.next();
    Ok(found.ok_or_else(|| format!("{text}: no address has that name"))?)
}

/// How the node is reached.
#[derive(Clone)]
pub struct Reach {
    address: SocketAddr,
    name: String,
    trust: Trust,
    connections: usize,
    deadline: Duration,
}

impl Reach {
    /// From the command line and the node that was started, if one was.
    ///
    /// # Errors
    /// When no node is named or its certificate does not read.
    pub fn of(args: &Args, node: Option<&mut Node>) -> Result<Self, Why> {
        let (address, pem) = match (node, &args.server, &args.certificate) {
            (Some(node), _, _) => (node.address, node.certificate()?),
            (None, Some(address), Some(path)) => (resolved(address)?, std::fs::read(path)?),
            (None, _, _) => {
                return Err("give --server with --certificate, or --server-bin with --data".into());
            }
        };
        let trust = Trust::pinned_pem(&pem)?;
        Ok(Self::new(args, address, trust))
    }

    fn new(args: &Args, address: SocketAddr, trust: Trust) -> Self {
        let (name, deadline) = (args.server_name.clone(), Duration::from_secs(args.deadline));
        Self { address, name, trust, connections: args.connections, deadline }
    }

    /// The nodes of a fleet, whose certificates are in one file.
    ///
    /// # Errors
    /// When the certificates do not read.
    pub fn fleet(args: &Args, address: SocketAddr, pem: &[u8]) -> Result<Self, Why> {
        let trust = Trust::roots_pem(pem)?;
        Ok(Self::new(args, address, trust))
    }

    /// A fleet that runs already: by the node of it that the command line names.
    ///
    /// # Errors
    /// When none is named, or the certificates do not read.
    pub fn of_fleet(args: &Args) -> Result<Self, Why> {
        let (Some(server), Some(path)) = (&args.server, &args.certificate) else {
            return Err("give --server and --certificate with --fleet-keys".into());
        };
        Self::fleet(args, resolved(server)?, &std::fs::read(path)?)
    }

    /// Another node of the same fleet.
    #[must_use]
    pub fn at(&self, (address, name): &Door) -> Self {
        Self { address: *address, name: name.clone(), ..self.clone() }
    }

    /// A client with this credential.
    ///
    /// # Errors
    /// When the node does not answer.
    pub async fn client(&self, credential: Option<String>) -> Result<Client, Why> {
        self.connect(&[self.address], credential, SETUP).await
    }

    /// A client with this credential that is told these nodes, for what must be made before the load: the first, and
    /// those with the same name in their certificates.
    ///
    /// # Errors
    /// When none of them answers.
    pub async fn client_at(&self, nodes: &[Door], credential: Option<String>) -> Result<Client, Why> {
        let first = self.at(nodes.first().ok_or("there is no node")?);
        let alike = nodes.iter().filter(|(_, name)| *name == first.name);
        let alike: Vec<SocketAddr> = alike.map(|(address, _)| *address).collect();
        first.connect(&alike, credential, SETUP).await
    }

    /// A client of this node, for the load: with the time that one call of it may take.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn client_of_load(&self, credential: String) -> Result<Client, Why> {
        self.connect(&[self.address], Some(credential), self.deadline).await
    }

    async fn connect(
        &self,
        nodes: &[SocketAddr],
        credential: Option<String>,
        deadline: Duration,
    ) -> Result<Client, Why> {
        let mut config = Config::new(self.address, &self.name, self.trust.clone());
        config.addresses = nodes.to_vec();
        config.credential = credential;
        config.deadline = deadline;
        config.connections = self.connections;
        Ok(Client::connect(config).await?)
    }
}

/// Connects as operator: with the key given, or by the one-time secret of a new node.
///
/// # Errors
/// When the node takes neither.
pub async fn operator(args: &Args, reach: &Reach, node: Option<&mut Node>) -> Result<Client, Why> {
    if let Some(key) = &args.key {
        return reach.client(Some(key.clone())).await;
    }
    let Some(node) = node else { return Err("give an operator's key with --key".into()) };
    reach.client(Some(claim(reach, node).await?)).await
}

/// The operator's key of a new node.
///
/// # Errors
/// When the node was claimed before.
pub async fn claim(reach: &Reach, node: &mut Node) -> Result<String, Why> {
    let secret = node.secret()?;
    let stranger = reach.client(None).await?;
    let request =
        Request::ClaimOperator { secret: Private::new(secret.into_bytes()), name: Name::new("loadtest")? };
    let made = stranger.request(&request).await?;
    stranger.close().await;
    Ok(made.handle_text().ok_or("the operator got no key")?)
}

/// Orders something that must be done, waiting while the node is busy.
pub(crate) async fn must(client: &Client, request: &Request) -> Result<Made, ClientError> {
    let mut tries = 0;
    loop {
        match client.request(request).await {
            Err(ClientError::Refused(Refusal::Busy(_) | Refusal::NotReady)) if tries < 1_000 => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            other => return other,
        }
    }
}

/// Where tenants are made: one node, or the cells of a fleet.
pub struct Ground<'a> {
    /// How nodes are reached.
    pub reach: &'a Reach,
    /// The operators, one of each cell.
    pub operators: Vec<&'a Client>,
    /// Where the nodes are.
    pub nodes: Vec<Door>,
}

impl<'a> Ground<'a> {
    /// One node.
    #[must_use]
    pub fn one(reach: &'a Reach, operator: &'a Client) -> Self {
        Self { reach, operators: vec![operator], nodes: vec![(reach.address, reach.name.clone())] }
    }

    /// The nodes that the client of a tenant is told, the first of which is another one for each round of tenants: it
    /// finds the tenant's own by what it is answered there.
    fn told(&self, number: usize) -> Vec<Door> {
        let count = self.nodes.len().max(1);
        let first = (number + number / count) % count;
        self.nodes.iter().cycle().skip(first).take(count).cloned().collect()
    }
}

/// Makes all tenants and what they hold, in the cells in turn.
///
/// # Errors
/// When a node refuses any of it.
pub async fn build(args: &Args, ground: &Ground<'_>, bar: &ProgressBar) -> Result<Load, Why> {
    bar.set_length(u64::from(args.tenants) * u64::from(args.subjects));
    bar.set_message("making tenants and subjects");
    let cells = ground.operators.len();
    let mut tenants = Vec::new();
    for number in 0..args.tenants {
        let nth = number as usize;
        let operator = ground.operators.get(nth % cells.max(1)).ok_or("there is no operator")?;
        // A name of its own, so that one node can be loaded more than once.
        let name = format!("load-{}-{number}", operator.node_time().0 % 100_000_000);
        let made = must(operator, &Request::CreateTenant { name: Name::new(&name)? }).await?;
        let key = made.handle_text().ok_or("the admin got no key")?;
        let client = ground.reach.client_at(&ground.told(nth), Some(key.clone())).await?;
        let id = Handle::parse_text(&key).map_err(|_| "the admin's key is no key")?.tenant;
        let (cell, subjects) = (AtomicUsize::new(nth % cells.max(1)), Vec::new());
        let (wide, floor) = (Mutex::new(History::new(false)), AtomicU64::new(0));
        let mut tenant = Tenant { name, id, key, client, cell, subjects, wide, floor };
        tenant.subjects = subjects_of(&tenant.client, args.subjects, bar).await?;
        tenant.client = tenant.client.with_deadline(ground.reach.deadline);
        tenants.push(tenant);
    }
    bar.finish_and_clear();
    Ok(Load {
        tenants,
        auditor: Auditor::default(),
        watch: Stopwatch::start(),
        writes: AtomicU64::new(0),
        tide: tide(args),
        first: First::default(),
        timeline: Timeline::of(if args.is_over_fleet() { cells } else { 0 }),
        due: AtomicU64::new(0),
    })
}

/// Writes of one tide: a load over a fleet that is short has shorter ones, so that each is seen.
fn tide(args: &Args) -> u64 {
    if !args.is_over_fleet() {
        return TIDE;
    }
    let writes = u64::from(args.rate) * u64::from(args.writes) / 1_000 * args.seconds;
    (writes / 8).clamp(16, TIDE)
}

/// What a tenant holds; its subjects.
async fn subjects_of(client: &Client, count: u32, bar: &ProgressBar) -> Result<Vec<Subject>, Why> {
    // Cheap hashes: the load is not about Argon2's cost. Refresh handles rotate.
    let settings = Settings { argon_memory_kib: 64, argon_passes: 1, refresh: 2, ..Settings::default() };
    must(client, &Request::ChangeSettings { settings: settings.into() }).await?;
    for permission in PERMISSIONS {
        must(client, &Request::RegisterPermission { name: Name::new(permission)? }).await?;
    }
    for (role, text) in ROLES.iter().enumerate() {
        let patterns: Vec<Pattern> =
            patterns(role, false).iter().filter_map(|text| Pattern::new(text).ok()).collect();
        let made = must(client, &Request::CreateRole { name: Name::new(text)?, patterns }).await?;
        debug_assert!(made.role.is_some() && EDITED < ROLES.len());
    }
    let next = Arc::new(Mutex::new((0..count).rev().collect::<Vec<u32>>()));
    let mut workers = Vec::new();
    for _ in 0..AT_A_TIME {
        let (client, next, bar) = (client.clone(), Arc::clone(&next), bar.clone());
        workers.push(tokio::spawn(async move {
            let mut made = Vec::new();
            loop {
                let Some(number) = lock(&next).pop() else { return Ok::<_, Why>(made) };
                made.push(subject(&client, number).await?);
                bar.inc(1);
            }
        }));
    }
    let mut subjects = Vec::new();
    for worker in workers {
        subjects.extend(worker.await??);
    }
    Ok(subjects)
}

/// A subject with a password, two sessions and, every other one, the first role.
async fn subject(client: &Client, number: u32) -> Result<Subject, Why> {
    let email = format!("subject-{number}@example.org");
    let request = Request::CreateSubject {
        kind: SubjectKind::Person,
        identifiers: vec![Identifier::guess(&email).map_err(|_| "not an identifier")?],
        password: Some(Private::new(PASSWORD.as_bytes().to_vec())),
    };
    let id = must(client, &request).await?.subject.ok_or("the subject got no id")?;
    let mut facts = Facts { granted: 0, live: BTreeSet::new() };
    if number.is_multiple_of(2) {
        let role = Name::new(ROLES.first().copied().unwrap_or_default())?;
        let (from, until) = (Deadline::NONE, Deadline::NONE);
        must(client, &Request::Grant { subject: id, role, workspace: None, from, until }).await?;
        facts.granted = 1;
    }
    let (mut all, mut kept) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let made = must(client, &Request::OpenSession { subject: id, device: None, proof: None }).await?;
        let handle = made.handle.as_ref().and_then(|handle| handle.expose().try_into().ok());
        // A repeat's handle is not given again; the session is there all the same.
        let session = made.session.ok_or("the session got no id")?;
        facts.live.insert(session);
        kept.push((session, refresh_of(&made)));
        all.extend(handle.map(|handle| Held { session, handle }));
    }
    let history = Mutex::new(History::new(State { facts, opening: false }));
    let subject = Subject { id, email, history, held: Mutex::new(all), families: Mutex::default() };
    kept.into_iter().for_each(|(session, refresh)| subject.keep(session, refresh));
    Ok(subject)
}
