//! The connections of a client: each seat is kept by a task that connects, and connects again.

mod moved;

use crate::config::{Balance, Config};
use crate::error::ClientError;
use crate::ids::{Dice, NodeClock};
use crate::link::{Link, NotOpened};
use crate::tls;
use moved::redirect;
use parking_lot::{Mutex, RwLock};
use quinn::{Endpoint, IdleTimeout, TransportConfig, VarInt};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tessera_model::{Handle, HandleBytes, Refusal, TenantId, UnixMillis};
use tessera_wire::Hello;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout_at};

/// The first and the longest wait between two attempts to connect.
const BACK_OFF_FIRST: Duration = Duration::from_millis(20);
const BACK_OFF_LONGEST: Duration = Duration::from_secs(2);
/// LIMIT: one attempt to connect, Hello included.
const ATTEMPT: Duration = Duration::from_secs(5);
/// LIMIT: a connection that nothing is heard from ends after this.
const IDLE: Duration = Duration::from_secs(30);
/// The round trip that a new connection reckons with: a first packet that found nobody, as while a node starts, is sent
/// again after three of them. RFC 9002 (section 6.2.2) has 333 ms for paths of which nothing is known; a node is near its
/// services, and where it is not, a packet more is sent.
const ROUND_TRIP: Duration = Duration::from_millis(50);
/// LIMIT: what a node may send before we read it: per stream, per connection.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// How long an address has before the next is tried beside it: some round trips.
const HEAD_START: Duration = Duration::from_millis(300);
/// LIMIT: how long calls on a connection that was replaced may still take.
const FAREWELL: Duration = Duration::from_secs(30);

/// The connections to one cell.
pub(crate) struct Pool {
    config: Config,
    /// The credential that new connections say Hello with, and how often it was renewed.
    credential: RwLock<(Option<HandleBytes>, u64)>,
    /// Tells the keepers that there is another credential.
    renewed: watch::Sender<u64>,
    endpoint: Endpoint,
    seats: Vec<RwLock<Option<Arc<Link>>>>,
    next: AtomicUsize,
    /// Why each address gave no connection when it was tried last, and how often in a row it gave none; none
    /// where it did, or was not tried.
    problems: Mutex<Vec<Option<(NotOpened, u32)>>>,
    clock: Mutex<Option<NodeClock>>,
    /// Counts what changed in seats or problems; its end ends the keepers.
    changed: watch::Sender<u64>,
    closed: watch::Sender<bool>,
    /// Counts how often somebody wanted to be told anew where the tenant lives.
    asked: watch::Sender<u64>,
    /// The version of the fleet's map that a node told last.
    map_version: AtomicU64,
    pub(crate) dice: Dice,
}

impl Pool {
    /// Starts the keepers; returns at once.
    pub(crate) fn start(config: Config) -> Result<Arc<Self>, ClientError> {
        let credential = config.sound()?;
        Self::start_with(config, credential)
    }

    /// As [`Pool::start`], with another credential than the configuration's.
    pub(crate) fn start_with(
        config: Config,
        credential: Option<HandleBytes>,
    ) -> Result<Arc<Self>, ClientError> {
        let endpoint = endpoint(&config)?;
        let pool = Arc::new(Self {
            credential: RwLock::new((credential, 0)),
            renewed: watch::Sender::new(0),
            endpoint,
            seats: (0..config.connections).map(|_| RwLock::default()).collect(),
            next: AtomicUsize::new(0),
            problems: Mutex::new(vec![None; config.addresses.len()]),
            clock: Mutex::new(None),
            changed: watch::Sender::new(0),
            closed: watch::Sender::new(false),
            asked: watch::Sender::new(0),
            map_version: AtomicU64::new(0),
            dice: Dice::default(),
            config,
        });
        let first = match pool.config.balance {
            Balance::InOrder => 0,
            Balance::Spread => usize::try_from(pool.dice.number() >> 32).unwrap_or_default(),
        };
        for seat in 0..pool.seats.len() {
            let home = match pool.config.balance {
                Balance::InOrder => 0,
                Balance::Spread => first.wrapping_add(seat) % pool.config.addresses.len().max(1),
            };
            tokio::spawn(keep(Arc::clone(&pool), seat, home, pool.closed.subscribe()));
        }
        if pool.config.busy_poll {
            tokio::spawn(stay_awake(pool.closed.subscribe()));
        }
        Ok(pool)
    }

    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    /// Whether the credential is one of this tenant.
    pub(crate) fn is_of(&self, tenant: TenantId) -> bool {
        let credential = self.credential.read().0;
        let known = credential.and_then(|bytes| Handle::parse(&bytes).ok());
        known.is_some_and(|handle| handle.tenant == tenant)
    }

    /// The node's time, for command ids.
    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.lock().map_or(UnixMillis(0), |clock| clock.now())
    }

    /// A connection that stands, if there is one.
    pub(crate) fn live(&self) -> Option<Arc<Link>> {
        if let [only] = self.seats.as_slice() {
            return only.read().as_ref().filter(|link| link.is_live()).cloned();
        }
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        (0..self.seats.len()).find_map(|turn| {
            let seat = self.seats.get(first.wrapping_add(turn) % self.seats.len())?;
            seat.read().as_ref().filter(|link| link.is_live()).cloned()
        })
    }

    /// A connection that stands, waited for until the deadline. A refused Hello is an answer.
    pub(crate) async fn link(&self, deadline: Instant) -> Result<Arc<Link>, ClientError> {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(link) = self.live() {
                return Ok(link);
            }
            if *self.closed.borrow() {
                return Err(ClientError::Closed);
            }
            if let Some(verdict) = self.verdict() {
                return Err(verdict);
            }
            if timeout_at(deadline.into(), changed.changed()).await.is_err() {
                return Err(told(&self.problems.lock()));
            }
        }
    }

    /// What no wait changes: every address has refused Hello, answered what does not read, or has a
    /// certificate that is not trusted.
    fn verdict(&self) -> Option<ClientError> {
        let problems = self.problems.lock();
        if let Some(fault) = redirect(&problems) {
            return Some(ClientError::of(fault));
        }
        let over = problems.iter().all(|problem| match problem {
            Some((NotOpened::Refused(fault), _)) => !passes(fault.code),
            Some((NotOpened::Unreadable(_) | NotOpened::Untrusted(_), _)) => true,
            Some((NotOpened::Connection(_), _)) | None => false,
        });
        over.then(|| told(&problems))
    }

    /// Ends the keepers and the connections.
    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
        self.endpoint.close(VarInt::from_u32(0), b"");
        self.changed.send_modify(|count| *count += 1);
    }

    /// Waits until the node was told of the end.
    pub(crate) async fn idle(&self) {
        self.endpoint.wait_idle().await;
    }

    /// One attempt at one address.
    async fn open(self: Arc<Self>, at: usize) -> (usize, Result<Arc<Link>, NotOpened>) {
        let Some(address) = self.config.addresses.get(at) else {
            return (at, Err(NotOpened::Connection(None)));
        };
        let (credential, turn) = *self.credential.read();
        (at, self.open_with(*address, credential, turn).await)
    }

    async fn open_with(
        &self,
        address: SocketAddr,
        credential: Option<HandleBytes>,
        turn: u64,
    ) -> Result<Arc<Link>, NotOpened> {
        let hello = Hello { credential, tenant: self.config.tenant, ..Hello::default() };
        let (name, streams) = (&self.config.server_name, (self.config.streams, turn));
        Link::open(&self.endpoint, address, name, &hello, streams, Instant::now() + ATTEMPT).await
    }

    /// Goes over to another credential: tries it, then lets every seat connect with it beside the connection
    /// that stands, which is closed when its calls have ended. Nothing is changed when it opens nothing.
    pub(crate) async fn renew(&self, credential: HandleBytes, until: Instant) -> Result<(), ClientError> {
        let mut last = ClientError::Unreachable(None);
        for address in &self.config.addresses {
            match self.open_with(*address, Some(credential), 0).await {
                Ok(link) => {
                    link.close();
                    return self.go_over(credential, until).await;
                }
                Err(problem) => last = told(&[Some((problem, 1))]),
            }
        }
        Err(last)
    }

    /// How often the credential was renewed.
    pub(crate) fn turn(&self) -> u64 {
        self.credential.read().1
    }

    async fn go_over(&self, credential: HandleBytes, until: Instant) -> Result<(), ClientError> {
        let mut changed = self.changed.subscribe();
        let turn = {
            let mut known = self.credential.write();
            *known = (Some(credential), known.1 + 1);
            known.1
        };
        self.renewed.send_replace(turn);
        let over =
            |seat: &RwLock<Option<Arc<Link>>>| seat.read().as_ref().is_none_or(|link| link.turn >= turn);
        while !self.seats.iter().all(over) {
            if timeout_at(until.into(), changed.changed()).await.is_err() {
                return Err(ClientError::DeadlinePassed);
            }
        }
        Ok(())
    }

    /// Tries every address once, from `first` on: the next as soon as one has failed, or beside one that
    /// takes its time. The first connection wins.
    async fn open_any(self: &Arc<Self>, first: usize) -> Option<(usize, Arc<Link>)> {
        let count = self.config.addresses.len();
        let mut attempts = JoinSet::new();
        let mut started = 0;
        loop {
            if started < count {
                attempts.spawn(Arc::clone(self).open((first + started) % count));
                started += 1;
            }
            let ended = tokio::select! {
                ended = attempts.join_next() => ended?,
                () = sleep(HEAD_START), if started < count => continue,
            };
            match ended {
                Ok((at, Ok(link))) => {
                    self.note(at, None);
                    attempts.abort_all();
                    while let Some(late) = attempts.join_next().await {
                        if let Ok((_, Ok(late))) = late {
                            late.close();
                        }
                    }
                    return Some((at, link));
                }
                Ok((at, Err(problem))) => self.note(at, Some(problem)),
                // An attempt that panicked is one that failed.
                Err(_) => {}
            }
        }
    }

    /// Notes why an address gave no connection, or that it did.
    fn note(&self, at: usize, problem: Option<NotOpened>) {
        let Some(address) = self.config.addresses.get(at).copied() else { return };
        if let Some(known) = self.problems.lock().get_mut(at) {
            let tries = known.as_ref().map_or(0, |(_, tries)| *tries).saturating_add(1);
            *known = problem.map(|problem| (problem, tries));
            match &known {
                None => tracing::info!(%address, "connected to a node"),
                Some((problem, tries)) => {
                    let why = why(problem.clone());
                    // One of many in a row is news, the others are not.
                    if *tries == worth_telling(problem) {
                        tracing::warn!(%address, %why, tries, "no connection to a node");
                    } else {
                        tracing::debug!(%address, %why, tries, "no connection to a node yet");
                    }
                }
            }
        }
        self.changed.send_modify(|count| *count += 1);
    }
}

/// Of several problems the one that says most: what an address said, before what it did not.
fn told(problems: &[Option<(NotOpened, u32)>]) -> ClientError {
    let rank = |problem: &NotOpened| match problem {
        NotOpened::Refused(_) => 0,
        NotOpened::Untrusted(_) => 1,
        NotOpened::Unreadable(_) => 2,
        NotOpened::Connection(_) => 3,
    };
    let first = problems.iter().flatten().map(|(problem, _)| problem).min_by_key(|problem| rank(problem));
    first.map_or(ClientError::Unreachable(None), |problem| why(problem.clone()))
}

/// What an attempt came to, as a call would be told.
fn why(problem: NotOpened) -> ClientError {
    match problem {
        NotOpened::Refused(fault) => ClientError::of(fault),
        NotOpened::Untrusted(why) => ClientError::Untrusted(why),
        NotOpened::Unreadable(error) => ClientError::Unreadable(error),
        NotOpened::Connection(source) => ClientError::Unreachable(source),
    }
}

/// Which of many attempts in a row that came to the same is told: the first, but where a node says that it
/// passes (its tenant wakes, it is busy) the eighth, some two seconds later.
const fn worth_telling(problem: &NotOpened) -> u32 {
    match problem {
        NotOpened::Refused(fault) if passes(fault.code) => 8,
        NotOpened::Refused(_)
        | NotOpened::Untrusted(_)
        | NotOpened::Unreadable(_)
        | NotOpened::Connection(_) => 1,
    }
}

/// Whether a refused Hello is worth another attempt soon: retry codes, and a node that goes away. A damaged
/// tenant (502) stays so until somebody repairs it.
const fn passes(code: u16) -> bool {
    matches!(code, 300..=399 | 406..=408 | 500..)
        && code != Refusal::TenantFailed.code()
        && code != Refusal::Redirect.code()
}

/// Gives the runtime something to do, so that it looks at its sockets instead of going to sleep.
async fn stay_awake(closed: watch::Receiver<bool>) {
    while !*closed.borrow() {
        // The runtime looks at its sockets before this comes back.
        tokio::task::yield_now().await;
    }
}

/// Keeps one seat: connects, waits for the end, connects again with a growing, jittered wait.
async fn keep(pool: Arc<Pool>, seat: usize, home: usize, mut closed: watch::Receiver<bool>) {
    let (mut back_off, mut first) = (BACK_OFF_FIRST, home);
    let mut asked = pool.asked.subscribe();
    loop {
        asked.borrow_and_update();
        let opened = tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => return,
            opened = pool.open_any(first) => opened,
        };
        let since = Instant::now();
        if let Some((at, link)) = opened {
            let ended = tokio::select! {
                biased;
                _ = closed.wait_for(|closed| *closed) => return pool.place(seat, None),
                ended = pool.sit(seat, home, at, link) => ended,
            };
            pool.place(seat, None);
            // The same one first: it may have been a moment's trouble. All others are tried behind it.
            first = ended;
        }
        if redirect(&pool.problems.lock()).is_some() {
            // Nobody asks here until somebody wants to know anew. The sender is gone with the pool alone.
            tokio::select! {
                biased;
                _ = closed.wait_for(|closed| *closed) => return,
                _ = asked.changed() => continue,
            }
        }
        // A connection that stood for a while starts the waits anew.
        back_off = if since.elapsed() > BACK_OFF_LONGEST { BACK_OFF_FIRST } else { back_off };
        tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => return,
            () = sleep(pool.dice.jitter(back_off)) => {}
        }
        back_off = (back_off * 2).min(BACK_OFF_LONGEST);
    }
}

impl Pool {
    /// Serves a seat with a connection until it ends; gives the address that it ended at. Away from home
    /// it looks home now and then, and moves back without a gap.
    async fn sit(self: &Arc<Self>, seat: usize, home: usize, mut at: usize, mut link: Arc<Link>) -> usize {
        loop {
            *self.clock.lock() = Some(link.clock);
            self.map_version.fetch_max(link.hello.map_version, Ordering::Relaxed);
            self.place(seat, Some(&link));
            let (home_or_here, turn) = (if at == home { None } else { Some(home) }, link.turn);
            let ended = tokio::select! {
                ended = link.ended() => ended,
                fresh = self.better(at, home_or_here, turn) => {
                    let (there, fresh) = fresh;
                    tokio::spawn(farewell(std::mem::replace(&mut link, fresh)));
                    at = there;
                    continue;
                }
            };
            self.note(at, Some(NotOpened::Connection(Some(ended))));
            return at;
        }
    }

    /// A connection that is better than the one a seat has, as soon as there is one: with the credential that
    /// is used by now, or to the seat's home when it sits elsewhere.
    async fn better(self: &Arc<Self>, here: usize, home: Option<usize>, turn: u64) -> (usize, Arc<Link>) {
        let mut renewed = self.renewed.subscribe();
        let mut wait = BACK_OFF_FIRST;
        loop {
            let to = tokio::select! {
                biased;
                // The sender is only gone with the pool, which is here.
                _ = async { renewed.wait_for(|now| *now > turn).await.is_ok() } => {
                    sleep(wait).await;
                    wait = (wait * 2).min(BACK_OFF_LONGEST);
                    here
                }
                () = sleep(self.dice.jitter(self.config.look_home)), if home.is_some() => home.unwrap_or(here),
            };
            match Arc::clone(self).open(to).await {
                (at, Ok(link)) => {
                    self.note(at, None);
                    return (at, link);
                }
                (at, Err(problem)) => self.note(at, Some(problem)),
            }
        }
    }
}

/// Lets the calls of a connection that was replaced end, then closes it.
async fn farewell(link: Arc<Link>) {
    let until = Instant::now() + FAREWELL;
    while link.waiting() > 0 && Instant::now() < until {
        sleep(Duration::from_millis(20)).await;
    }
    link.close();
}

impl Pool {
    fn place(&self, seat: usize, link: Option<&Arc<Link>>) {
        if let Some(seat) = self.seats.get(seat) {
            *seat.write() = link.cloned();
        }
        self.changed.send_modify(|count| *count += 1);
    }
}

fn endpoint(config: &Config) -> Result<Endpoint, ClientError> {
    let v6 = config.addresses.iter().any(SocketAddr::is_ipv6);
    let local: SocketAddr =
        if v6 { (Ipv6Addr::UNSPECIFIED, 0).into() } else { (Ipv4Addr::UNSPECIFIED, 0).into() };
    let mut endpoint =
        Endpoint::client(local).map_err(|_| ClientError::BadConfig("no local address for UDP"))?;
    let mut transport = TransportConfig::default();
    let idle = IdleTimeout::try_from(IDLE).map_err(|_| ClientError::BadConfig("the idle limit"))?;
    transport
        .max_idle_timeout(Some(idle))
        .initial_rtt(ROUND_TRIP)
        .keep_alive_interval(Some(config.keep_alive))
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW));
    let mut client = quinn::ClientConfig::new(Arc::new(tls::client_config(&config.trust)?));
    client.transport_config(Arc::new(transport));
    endpoint.set_default_client_config(client);
    Ok(endpoint)
}
