//! Where the calls of a client go: the node that it was told, the one that a redirect led to, and what is known of the
//! other cells of a fleet.

use crate::call::CIRCLE_REST;
use crate::config::Config;
use crate::error::ClientError;
use crate::lane::Answer;
use crate::link::Link;
use crate::pool::Pool;
use parking_lot::{Mutex, RwLock};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tessera_model::code::CODE_REDIRECT;
use tessera_model::{CommandId, Handle, HandleBytes, Private, TenantId};
use tessera_wire::{CellRow, Fault, Head, Outbox, Request, TENANT_OF_CONNECTION};
use tokio::time::{sleep_until, timeout_at};

/// LIMIT: redirects followed without a rest: the first may be of an old map, the second is of a new one.
pub(crate) const REDIRECTS_MAX: u32 = 2;
/// LIMIT: how long reading the map of a fleet may take; nobody waits for it.
const MAP_PATIENCE: Duration = Duration::from_secs(10);
/// LIMIT: pages of a map: a fleet has 1,000 cells at most, and a page holds at least some hundred.
const MAP_PAGES_MAX: usize = 16;

/// What is known of the cells of a fleet.
#[derive(Default)]
struct Map {
    version: u64,
    cells: Vec<CellRow>,
    /// Which of them is asked next when the tenant's own cannot be reached.
    next: usize,
}

/// The pools of a client: the one configured, and the one that a redirect led to.
pub(crate) struct Routes {
    home: Arc<Pool>,
    away: RwLock<Option<Arc<Pool>>>,
    /// Whether `away` is set: most clients are never redirected.
    moved: AtomicBool,
    map: Mutex<Map>,
    /// The version of the map that is known or being read: looked at with every call.
    map_version: AtomicU64,
}

/// The address of a redirect, if it is one that is followed with this credential: an operator's is good in one cell
/// alone, and is shown to no other.
fn leads(fault: &Fault, credential: Option<HandleBytes>) -> bool {
    let handle = credential.and_then(|bytes| Handle::parse(&bytes).ok());
    let at_home = roams(credential) || handle.is_some_and(|handle| handle.cell == fault.cell);
    at_home && !fault.detail.is_empty()
}

/// Whether a credential may be shown to a cell that did not send it there: an operator's is shown to its own alone.
fn roams(credential: Option<HandleBytes>) -> bool {
    let handle = credential.and_then(|bytes| Handle::parse(&bytes).ok());
    handle.is_none_or(|handle| handle.tenant != TenantId::SYSTEM)
}

/// The redirect that an error is.
pub(crate) fn redirect_of(error: ClientError) -> Result<Fault, ClientError> {
    let ClientError::Faulted(fault) = error else { return Err(error) };
    if fault.code == CODE_REDIRECT { Ok(fault) } else { Err(ClientError::Faulted(fault)) }
}

impl Routes {
    pub(crate) fn new(home: Arc<Pool>) -> Self {
        Self {
            home,
            away: RwLock::new(None),
            moved: AtomicBool::new(false),
            map: Mutex::default(),
            map_version: AtomicU64::new(0),
        }
    }

    /// Where calls go now.
    pub(crate) fn pool(&self) -> Arc<Pool> {
        let away = if self.moved.load(Ordering::Acquire) { self.away.read().clone() } else { None };
        away.unwrap_or_else(|| Arc::clone(&self.home))
    }

    /// The first connection: where the tenant lives.
    pub(crate) async fn connect(&self, deadline: Instant) -> Result<Arc<Link>, ClientError> {
        let mut redirects = 0;
        loop {
            let pool = self.pool();
            let fault = match pool.link(deadline).await {
                Ok(link) => return Ok(link),
                Err(error) => redirect_of(error)?,
            };
            if redirects == REDIRECTS_MAX {
                let until = Instant::now() + CIRCLE_REST;
                if until >= deadline {
                    return Err(ClientError::TooManyRedirects);
                }
                sleep_until(until.into()).await;
                redirects = 0;
            }
            redirects += 1;
            self.follow(&pool, fault, deadline).await?;
        }
    }

    /// Goes over to another credential, wherever calls go.
    pub(crate) async fn renew(&self, credential: HandleBytes, until: Instant) -> Result<(), ClientError> {
        let away = self.away.read().clone();
        match away {
            Some(away) => {
                away.renew(credential, until).await?;
                // It may be asked again one day, and does not know the tenant now.
                self.home.take_over(credential);
                Ok(())
            }
            None => self.home.renew(credential, until).await,
        }
    }

    pub(crate) fn close(&self) {
        self.home.close();
        if let Some(away) = self.away.write().take() {
            away.close();
        }
    }

    pub(crate) async fn idle(&self) {
        self.home.idle().await;
    }

    /// The node that a redirect led to cannot be reached: the next call asks at home again.
    pub(crate) fn home_again(&self, from: &Arc<Pool>) {
        let mut away = self.away.write();
        if away.as_ref().is_some_and(|away| Arc::ptr_eq(away, from)) {
            from.close();
            *away = None;
            self.moved.store(false, Ordering::Release);
            self.home.ask_anew();
        }
    }

    /// Goes on at the address that a redirect names: same credential, same trust, the name that is told with it.
    pub(crate) async fn follow(
        &self,
        from: &Pool,
        fault: Fault,
        deadline: Instant,
    ) -> Result<(), ClientError> {
        tracing::debug!(cell = fault.cell.0, address = %fault.detail, "redirected");
        if !leads(&fault, from.credential()) {
            return Err(ClientError::Faulted(fault));
        }
        let Some(config) = at(from, &fault.detail, &fault.named, deadline).await else {
            return Err(ClientError::Faulted(fault));
        };
        self.go(from, config)
    }

    /// Goes on with connections to another node.
    fn go(&self, from: &Pool, config: Config) -> Result<(), ClientError> {
        let same = |pool: &Pool| {
            let known = pool.config();
            known.addresses == config.addresses && known.server_name == config.server_name
        };
        let mut away = self.away.write();
        if away.as_ref().is_some_and(|away| same(away)) {
            return Ok(());
        }
        if away.is_some() && same(&self.home) {
            // Back where it began.
            if let Some(old) = away.take() {
                old.retire();
            }
            self.moved.store(false, Ordering::Release);
            self.home.ask_anew();
            return Ok(());
        }
        let fresh = Pool::start_with(config, from.credential())?;
        fresh.know(from);
        if let Some(old) = away.replace(fresh) {
            old.retire();
        }
        self.moved.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether the map names another cell than the one that calls go to: worth asking when that one is silent, unless
    /// the credential is nobody's business there.
    pub(crate) fn has_others(&self, from: &Pool) -> bool {
        self.map.lock().cells.len() > 1 && roams(from.credential())
    }

    /// The tenant's cell cannot be reached: asks another one where it lives now. False when none is known.
    pub(crate) async fn ask_around(&self, from: &Pool, deadline: Instant) -> bool {
        let row = {
            let mut map = self.map.lock();
            let count = map.cells.len().max(1);
            let (start, here) = (map.next, from.config());
            let is_here = |row: &CellRow| {
                let address = row.address.parse::<SocketAddr>();
                address.is_ok_and(|address| here.addresses.contains(&address))
            };
            let turn = (0..map.cells.len()).find(|turn| {
                let row = map.cells.get((start + turn) % count);
                row.is_some_and(|row| !is_here(row))
            });
            let Some(turn) = turn else { return false };
            map.next = (start + turn + 1) % count;
            map.cells.get((start + turn) % count).cloned()
        };
        let Some(row) = row else { return false };
        tracing::debug!(cell = row.cell, address = %row.address, "asking another cell");
        match at(from, &row.address, &row.certificate, deadline).await {
            Some(config) => self.go(from, config).is_ok(),
            None => false,
        }
    }

    /// Has the map of the fleet read, when a node has told of a newer one. Nobody waits for it.
    pub(crate) fn learn(self: &Arc<Self>, pool: &Arc<Pool>) {
        let (told, known) = (pool.map_version(), self.map_version.load(Ordering::Relaxed));
        let news = told > known
            && self.map_version.compare_exchange(known, told, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if news {
            let (routes, pool) = (Arc::clone(self), Arc::clone(pool));
            tokio::spawn(async move {
                match read_map(&pool).await {
                    Some(cells) => {
                        let version = cells.first().map_or(told, |row| row.version);
                        *routes.map.lock() = Map { version, cells, next: 0 };
                    }
                    None => {
                        tracing::debug!("the map of the fleet could not be read: it is tried again");
                        tokio::time::sleep(MAP_PATIENCE).await;
                        // Unless a newer one is being read by now.
                        let version = &routes.map_version;
                        let _ours =
                            version.compare_exchange(told, known, Ordering::AcqRel, Ordering::Relaxed);
                    }
                }
            });
        }
    }

    /// The cells of the fleet as they were read last, with the version of that; none before.
    pub(crate) fn cells(&self) -> (u64, Vec<CellRow>) {
        let map = self.map.lock();
        (map.version, map.cells.clone())
    }
}

/// The configuration for a node at an address that a node or a map names. A name is the one of its certificate; without
/// one the host counts, and of a bare address the name that is known already.
async fn at(from: &Pool, address: &str, named: &str, deadline: Instant) -> Option<Config> {
    let mut config = from.config().clone();
    let found = timeout_at(deadline.into(), tokio::net::lookup_host(address.to_owned())).await;
    config.addresses = found.ok()?.ok()?.collect();
    if !named.is_empty() {
        config.server_name = named.to_owned();
    } else if let Some((host, _)) = address.rsplit_once(':')
        && host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_err()
    {
        config.server_name = host.to_owned();
    }
    (!config.addresses.is_empty()).then_some(config)
}

/// All cells of the fleet, page after page.
async fn read_map(pool: &Pool) -> Option<Vec<CellRow>> {
    let deadline = Instant::now() + MAP_PATIENCE;
    let (mut cells, mut after): (Vec<CellRow>, Option<Private>) = (Vec::new(), None);
    for _ in 0..MAP_PAGES_MAX {
        let link = pool.link(deadline).await.ok()?;
        let request = Request::ListCells { after, limit: 0 };
        let head = Head { command_id: CommandId::default(), tenant: TENANT_OF_CONNECTION };
        let write = |out: &mut Outbox, id| out.request(id, head, &request);
        let pending = link.ask(Instant::now(), deadline, &write).ok()?;
        let Ok(Ok(Answer::Rows(mut kept))) = timeout_at(deadline.into(), pending).await else { return None };
        let page = kept.next_frame().ok()??.rows::<CellRow>().ok()?;
        cells.extend(page.rows);
        match page.next {
            Some(next) => after = Some(Private::new(next)),
            None => return Some(cells),
        }
    }
    None
}
