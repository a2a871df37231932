//! A fleet of the load's own: real nodes that know each other, each with its store and its operator.

use crate::args::Args;
use crate::audit::Tenant;
use crate::node::Node;
use crate::operation::Load;
use crate::setup::{Ground, Reach, Why, claim, must};
use crate::timeline::Event;
use serde::Serialize;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tessera_client::Client;
use tessera_client::wire::{FleetRow, PeerRow, Request};
use tessera_model::record::SubjectKind;
use tessera_model::{Deadline, Name, Pattern, Private};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// LIMIT: how long a node may take until it answers again, and the nodes until they know each other.
const PATIENCE: Duration = Duration::from_secs(90);
/// LIMIT: how long one question to a node that starts may take.
const QUESTION: Duration = Duration::from_secs(5);
/// How long the keys that nodes know each other by are good, s: longer than any run.
const KEY_SECONDS: u32 = 30 * 86_400;

/// One node of the fleet.
pub struct Cell {
    /// Its name in the fleet file.
    pub name: String,
    /// Its number there.
    pub number: u32,
    /// Where its QUIC door is.
    pub address: SocketAddr,
    /// Its operator's connections.
    pub operator: Client,
    /// How often it was killed.
    pub kills: AtomicU64,
    /// The longest time from a kill to its first answer, ns.
    longest: AtomicU64,
    node: Arc<Mutex<Node>>,
}

/// What is told of a node of the fleet.
#[derive(Clone, Debug, Serialize)]
pub struct CellTold {
    /// Its name.
    pub name: String,
    /// How often it was killed and started again.
    pub kills: u64,
    /// Seconds from each kill until it answered again, the longest.
    pub restart_seconds_max: f64,
    /// Tenants of the load that live there at the end.
    pub tenants: usize,
}

/// The fleet.
pub struct Fleet {
    /// Its cells, by number.
    pub cells: Vec<Cell>,
    reach: Reach,
}

/// A cell that is being made.
struct Made {
    name: String,
    folder: PathBuf,
    node: Node,
}

impl Made {
    fn new(program: &Path, above: &Path, nth: u16) -> Result<Self, Why> {
        let letter = u32::from('a').checked_add(nth.into()).and_then(char::from_u32).ok_or("too many")?;
        let (name, folder) = (letter.to_string(), above.join(letter.to_string()));
        if folder.join("data").exists() {
            return Err(format!("{}: a fleet begins in an empty folder", above.display()).into());
        }
        let mut node = Node::new(program, &folder)?;
        node.set("TESSERA_FLEET__FILE", &above.join("fleet.toml"));
        node.set("TESSERA_FLEET__CELL", Path::new(&name));
        node.set("TESSERA_FLEET__SYNC_SECONDS", Path::new("1"));
        Ok(Self { name, folder, node })
    }
}

impl Fleet {
    /// Starts so many nodes, each in a folder of its own in this one, and waits until they know each other.
    ///
    /// # Errors
    /// When a node does not start, or does not reach the others.
    pub async fn start(args: &Args, above: &Path, count: u16) -> Result<Self, Why> {
        let program = args.server_bin.as_deref().ok_or("give --server-bin with --data")?;
        let above = &std::path::absolute(above)?;
        fs::create_dir_all(above)?;
        let made: Result<Vec<Made>, Why> = (0..count).map(|nth| Made::new(program, above, nth)).collect();
        let mut made = made?;
        fs::write(above.join("fleet.toml"), file(&made))?;
        made.iter_mut().try_for_each(|cell| cell.node.spawn())?;
        let (mut trust, mut operators, mut links) = (Vec::new(), Vec::new(), Vec::new());
        for cell in &mut made {
            let pem = cell.node.certificate()?;
            trust.extend_from_slice(&pem);
            let reach = Reach::fleet(args, cell.node.address, &pem)?;
            let key = claim(&reach, &mut cell.node).await?;
            let operator = reach.client(Some(key.clone())).await?;
            links.push(link_key(&operator).await?);
            operator.close().await;
            operators.push(key);
        }
        fs::write(above.join("trust.pem"), &trust)?;
        let first = made.first().ok_or("a fleet has a node")?.node.address;
        let reach = Reach::fleet(args, first, &trust)?;
        let keys: Vec<String> = (0..made.len()).map(|nth| keys_of_others(&made, &links, nth)).collect();
        let mut cells = Vec::new();
        for (number, ((mut made, key), keys)) in (1..).zip(made.into_iter().zip(operators).zip(keys)) {
            let path = made.folder.join("keys.toml");
            let mut options = fs::OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            options.open(&path)?.write_all(keys.as_bytes())?;
            made.node.set("TESSERA_FLEET__TRUST_FILE", &above.join("trust.pem"));
            made.node.set("TESSERA_FLEET__KEYS_FILE", &path);
            // One after the other: nodes that start at once wait for each other.
            made.node.kill_and_restart()?;
            let address = made.node.address;
            let operator = reach.client_at(&[address], Some(key)).await?;
            let (kills, longest) = (AtomicU64::new(0), AtomicU64::new(0));
            let node = Arc::new(Mutex::new(made.node));
            cells.push(Cell { name: made.name, number, address, operator, kills, longest, node });
        }
        let fleet = Self { cells, reach };
        fleet.until_known().await?;
        Ok(fleet)
    }

    /// Waits until every node reaches every other.
    async fn until_known(&self) -> Result<(), Why> {
        let give_up = Instant::now() + PATIENCE;
        let others = self.cells.len().saturating_sub(1);
        for cell in &self.cells {
            loop {
                let peers = cell.operator.list::<PeerRow>(&Request::ListPeers {}).await;
                let reached =
                    peers.map_or(0, |page| page.rows.into_iter().filter(|peer| peer.reached).count());
                if reached >= others {
                    break;
                }
                if Instant::now() > give_up {
                    return Err(format!("cell {} does not reach the others", cell.name).into());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    /// Where tenants are made.
    #[must_use]
    pub fn ground(&self) -> Ground<'_> {
        Ground {
            reach: &self.reach,
            operators: self.cells.iter().map(|cell| &cell.operator).collect(),
            nodes: self.cells.iter().map(|cell| cell.address).collect(),
        }
    }

    /// A client of a tenant that is told one node alone.
    ///
    /// # Errors
    /// When that one does not answer, or nobody that it names.
    pub async fn client(&self, cell: usize, tenant: &Tenant) -> Result<Client, Why> {
        let address = self.cells.get(cell).ok_or("there is no such cell")?.address;
        self.reach.client_of_load(&[address], tenant.key.clone()).await
    }

    /// kill -9 of a node, which is started again at once, and waits until it answers its operator. With a kill of the same
    /// node under way, waits for that first.
    ///
    /// # Errors
    /// When it does not start again.
    pub async fn kill(&self, load: &Load, nth: usize) -> Result<(), Why> {
        let cell = self.cells.get(nth).ok_or("there is no such cell")?;
        let node = Arc::clone(&cell.node).lock_owned().await;
        cell.kill(load, node).await
    }

    /// As [`Fleet::kill`]; nothing while a kill of that node is under way.
    ///
    /// # Errors
    /// When it does not start again.
    pub async fn kill_unless_killed(&self, load: &Load, nth: usize) -> Result<(), Why> {
        let cell = self.cells.get(nth).ok_or("there is no such cell")?;
        let Ok(node) = Arc::clone(&cell.node).try_lock_owned() else { return Ok(()) };
        cell.kill(load, node).await
    }

    /// How often the nodes were killed, and the longest restart, s.
    #[must_use]
    pub fn kills(&self) -> (u64, f64) {
        let kills = self.cells.iter().map(|cell| cell.kills.load(Ordering::SeqCst)).sum();
        (kills, self.cells.iter().map(Cell::longest_s).fold(0.0, f64::max))
    }

    /// What is told of each node.
    #[must_use]
    pub fn told(&self, load: &Load) -> Vec<CellTold> {
        let cell = |(nth, cell): (usize, &Cell)| CellTold {
            name: cell.name.clone(),
            kills: cell.kills.load(Ordering::SeqCst),
            restart_seconds_max: cell.longest_s(),
            tenants: load.tenants.iter().filter(|of| of.cell.load(Ordering::SeqCst) == nth).count(),
        };
        self.cells.iter().enumerate().map(cell).collect()
    }
}

impl Cell {
    fn longest_s(&self) -> f64 {
        Duration::from_nanos(self.longest.load(Ordering::SeqCst)).as_secs_f64()
    }

    async fn kill(&self, load: &Load, mut node: OwnedMutexGuard<Node>) -> Result<(), Why> {
        let killed = load.watch.now();
        let text = format!("kill -9 of node {}, which is started again at once", self.name);
        load.timeline.mark(killed, Event::Kill, text);
        self.kills.fetch_add(1, Ordering::SeqCst);
        let restarting = tokio::task::spawn_blocking(move || (node.kill_and_restart(), node));
        let (restarted, _node) = restarting.await?;
        restarted?;
        let give_up = Instant::now() + PATIENCE;
        let operator = self.operator.with_deadline(QUESTION);
        while operator.list::<FleetRow>(&Request::ReadFleet {}).await.is_err() {
            if Instant::now() > give_up {
                return Err(format!("node {} does not answer after a kill", self.name).into());
            }
        }
        let now = load.watch.now();
        let took = now.saturating_sub(killed);
        self.longest.fetch_max(took, Ordering::SeqCst);
        let seconds = Duration::from_nanos(took).as_secs_f64();
        let text = format!("the first answer of node {}, {seconds:.2} s after the kill", self.name);
        load.timeline.mark(now, Event::Restart, text);
        Ok(())
    }
}

/// The fleet file.
fn file(cells: &[Made]) -> String {
    let mut text = "version = 1\n".to_owned();
    for (number, cell) in (1..).zip(cells) {
        let (number, name, address): (u32, _, _) = (number, &cell.name, cell.node.address);
        text.push_str(&format!(
            "\n[[cell]]\nnumber = {number}\nname = \"{name}\"\naddress = \"{address}\"\ncertificate = \"localhost\"\n"
        ));
    }
    text
}

/// The file with the keys that the others gave to a node.
fn keys_of_others(cells: &[Made], links: &[String], nth: usize) -> String {
    let lines = cells.iter().zip(links).enumerate().filter(|(other, _)| *other != nth);
    lines.map(|(_, (cell, key))| format!("{} = \"{key}\"\n", cell.name)).collect()
}

/// A key that says where tenants live and nothing else: what the other nodes are known by.
async fn link_key(operator: &Client) -> Result<String, Why> {
    let machine =
        Request::CreateSubject { kind: SubjectKind::Machine, identifiers: Vec::new(), password: None };
    let subject = must(operator, &machine).await?.subject.ok_or("the machine got no id")?;
    let patterns = vec![Pattern::new("tessera.fleet.sync")?];
    let role = Name::new("cells")?;
    must(operator, &Request::CreateRole { name: role.clone(), patterns: patterns.clone() }).await?;
    let (from, until) = (Deadline::NONE, Deadline::NONE);
    must(operator, &Request::Grant { subject, role, workspace: None, from, until }).await?;
    let key = Request::CreateKey {
        subject,
        patterns,
        expires: operator.node_time().to_deadline().plus_seconds(KEY_SECONDS),
        description: Private::default(),
        client: None,
        networks: Vec::new(),
    };
    Ok(must(operator, &key).await?.handle_text().ok_or("the machine got no key")?)
}
