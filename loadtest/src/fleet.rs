//! A fleet of the load's own: real nodes that know each other, each with its store and its operator.

use crate::args::Args;
use crate::audit::Tenant;
use crate::node::Node;
use crate::operation::Load;
use crate::setup::{Door, Ground, Reach, Why, claim, must, resolved};
use crate::timeline::Event;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tessera_client::Client;
use tessera_client::wire::{CellRow, CopyRow, FleetRow, PeerRow, Request, SettledRow};
use tessera_model::moving::SettleWay;
use tessera_model::record::SubjectKind;
use tessera_model::{Deadline, Name, Pattern, Private};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// LIMIT: how long a node may take until it answers again, and the nodes until they know each other.
const PATIENCE: Duration = Duration::from_secs(90);
/// LIMIT: how long one question to a node that starts may take.
const QUESTION: Duration = Duration::from_secs(5);
/// How long the keys that nodes know each other by are good, s: longer than any run.
const KEY_SECONDS: u32 = 30 * 86_400;

/// The file, beside the nodes' folders, with the operators' keys of a fleet of the load's own: as --fleet-keys reads it.
pub const OPERATORS: &str = "operators.toml";

/// One node of the fleet.
pub struct Cell {
    /// Its name in the fleet file.
    pub name: String,
    /// Its number there.
    pub number: u32,
    /// Where its QUIC door is, and the name in its certificate.
    pub door: Door,
    /// Its operator's connections.
    pub operator: Client,
    /// How often it was killed.
    pub kills: AtomicU64,
    /// The longest time from a kill to its first answer, ns.
    longest: AtomicU64,
    /// Of the load's own.
    node: Option<Arc<Mutex<Node>>>,
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
        Self::start_with(args, above, count, &[]).await
    }

    /// As [`Fleet::start`], with settings that each node finds in its environment.
    ///
    /// # Errors
    /// As [`Fleet::start`].
    pub async fn start_with(
        args: &Args,
        above: &Path,
        count: u16,
        settings: &[(&str, &str)],
    ) -> Result<Self, Why> {
        let program = args.server_bin.as_deref().ok_or("give --server-bin with --data")?;
        let above = &std::path::absolute(above)?;
        fs::create_dir_all(above)?;
        let made: Result<Vec<Made>, Why> = (0..count).map(|nth| Made::new(program, above, nth)).collect();
        let mut made = made?;
        fs::write(above.join("fleet.toml"), file(&made))?;
        for cell in &mut made {
            settings.iter().for_each(|(key, value)| cell.node.set(key, Path::new(value)));
            cell.node.spawn()?;
        }
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
        let lines = made.iter().zip(&operators).map(|(cell, key)| format!("{} = \"{key}\"\n", cell.name));
        secret_file(&above.join(OPERATORS), &lines.collect::<String>())?;
        let first = made.first().ok_or("a fleet has a node")?.node.address;
        let reach = Reach::fleet(args, first, &trust)?;
        let keys: Vec<String> = (0..made.len()).map(|nth| keys_of_others(&made, &links, nth)).collect();
        let mut cells = Vec::new();
        for (number, ((mut made, key), keys)) in (1..).zip(made.into_iter().zip(operators).zip(keys)) {
            let path = made.folder.join("keys.toml");
            secret_file(&path, &keys)?;
            made.node.set("TESSERA_FLEET__TRUST_FILE", &above.join("trust.pem"));
            made.node.set("TESSERA_FLEET__KEYS_FILE", &path);
            // One after the other: nodes that start at once wait for each other.
            made.node.kill_and_restart()?;
            let door = (made.node.address, args.server_name.clone());
            let operator = reach.at(&door).client(Some(key)).await?;
            let (kills, longest) = (AtomicU64::new(0), AtomicU64::new(0));
            let node = Some(Arc::new(Mutex::new(made.node)));
            cells.push(Cell { name: made.name, number, door, operator, kills, longest, node });
        }
        let fleet = Self { cells, reach };
        fleet.until_known().await?;
        Ok(fleet)
    }

    /// A fleet that runs already, as the node of it that the command line names tells it.
    ///
    /// # Errors
    /// When a node does not answer, or does not reach the others; when a cell has no operator's key in the file.
    pub async fn join(args: &Args, keys: &Path) -> Result<Self, Why> {
        let (reach, mut keys) = (Reach::of_fleet(args)?, keys_in(keys)?);
        let mut cells = Vec::new();
        for row in told_cells(&reach, &keys).await? {
            let key = keys.remove(&row.name);
            let key =
                key.ok_or_else(|| format!("cell {}: there is no key of an operator of it", row.name))?;
            let door = (resolved(&row.address)?, row.certificate);
            let operator = reach.at(&door).client(Some(key)).await;
            let operator = operator.map_err(|why| format!("cell {}: {why}", row.name))?;
            let (kills, longest) = (AtomicU64::new(0), AtomicU64::new(0));
            cells.push(Cell { name: row.name, number: row.cell, door, operator, kills, longest, node: None });
        }
        if let Some(name) = keys.keys().next() {
            return Err(format!("cell {name}: the fleet has none of this name").into());
        }
        let fleet = Self { cells, reach };
        fleet.until_known().await?;
        Ok(fleet)
    }

    /// Deletes the load's tenants, and what the cells that they left keep of them. How many are left.
    pub async fn clear(&self, load: &Load) -> usize {
        let mut left = 0;
        for cell in &self.cells {
            let mut copies = cell.operator.pages::<CopyRow>(Request::ListCopies { after: None, limit: 0 });
            let mut ours = Vec::new();
            while let Some(copy) = copies.next().await {
                let Ok(CopyRow { tenant, .. }) = copy else {
                    left += 1;
                    break;
                };
                ours.extend(load.tenants.iter().map(|of| of.id).filter(|id| *id == tenant));
            }
            for tenant in ours {
                let way = SettleWay::ForgetCopy.number();
                let forget = Request::SettleTenant { tenant, way, loss: false };
                left += usize::from(cell.operator.list::<SettledRow>(&forget).await.is_err());
            }
        }
        for tenant in &load.tenants {
            let cell = self.cells.get(tenant.cell.load(Ordering::SeqCst));
            let gone = match cell {
                Some(cell) => {
                    must(&cell.operator, &Request::DeleteTenant { tenant: tenant.id }).await.is_ok()
                }
                None => false,
            };
            left += usize::from(!gone);
        }
        left
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
            nodes: self.cells.iter().map(|cell| cell.door.clone()).collect(),
        }
    }

    /// A client of a tenant that is told one node alone.
    ///
    /// # Errors
    /// When that one does not answer, or nobody that it names.
    pub async fn client(&self, cell: usize, tenant: &Tenant) -> Result<Client, Why> {
        let door = &self.cells.get(cell).ok_or("there is no such cell")?.door;
        self.reach.at(door).client_of_load(tenant.key.clone()).await
    }

    /// kill -9 of a node, which is started again at once, and waits until it answers its operator. With a kill of the same
    /// node under way, waits for that first.
    ///
    /// # Errors
    /// When it does not start again.
    pub async fn kill(&self, load: &Load, nth: usize) -> Result<(), Why> {
        let cell = self.cells.get(nth).ok_or("there is no such cell")?;
        let node = cell.node.as_ref().ok_or("it is not the load's to kill")?;
        cell.kill(load, Arc::clone(node).lock_owned().await).await
    }

    /// As [`Fleet::kill`]; nothing while a kill of that node is under way.
    ///
    /// # Errors
    /// When it does not start again.
    pub async fn kill_unless_killed(&self, load: &Load, nth: usize) -> Result<(), Why> {
        let cell = self.cells.get(nth).ok_or("there is no such cell")?;
        let node = cell.node.as_ref().ok_or("it is not the load's to kill")?;
        let Ok(node) = Arc::clone(node).try_lock_owned() else { return Ok(()) };
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

/// Writes a file that nobody else reads.
fn secret_file(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())
}

/// The operators' keys in a file, by the name of their cell: lines `NAME = "KEY"`, and comments.
fn keys_in(path: &Path) -> Result<BTreeMap<String, String>, Why> {
    let wrong = |what: String| -> Why { format!("{}: {what}", path.display()).into() };
    let mode = fs::metadata(path).map_err(|error| wrong(error.to_string()))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(wrong("others may read the keys: chmod 600".to_owned()));
    }
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let mut keys = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let ill_formed = || wrong(format!("line {number}: a line is NAME = \"KEY\""));
        let (name, key) = line.split_once('=').ok_or_else(ill_formed)?;
        let key = key.trim().strip_prefix('"').and_then(|key| key.strip_suffix('"'));
        let name = name.trim().trim_matches('"').to_owned();
        let key = key.filter(|_| !name.is_empty()).ok_or_else(ill_formed)?.to_owned();
        if keys.insert(name, key).is_some() {
            return Err(wrong(format!("line {number}: the cell has a key already")));
        }
    }
    Ok(keys)
}

/// The cells of a fleet, as one node of it tells them to its operator.
async fn told_cells(reach: &Reach, keys: &BTreeMap<String, String>) -> Result<Vec<CellRow>, Why> {
    let mut why: Why = "there is no key of an operator in the file".into();
    for key in keys.values() {
        // Which of them is the operator's of this node nobody said.
        match reach.client(Some(key.clone())).await {
            Ok(operator) => {
                let request = Request::ListCells { after: None, limit: 1_000 };
                let page = operator.list::<CellRow>(&request).await?;
                operator.close().await;
                if page.rows.is_empty() {
                    return Err("the node of --server is in no fleet".into());
                }
                return Ok(page.rows);
            }
            Err(error) => why = error,
        }
    }
    Err(format!("no key of the file opens the node of --server: {why}").into())
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
