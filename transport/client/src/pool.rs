//! The connections of a client: each seat is kept by a task that connects, and connects again.

use crate::config::Config;
use crate::error::ClientError;
use crate::ids::{Dice, NodeClock};
use crate::link::{Link, NotOpened};
use crate::tls;
use parking_lot::{Mutex, RwLock};
use quinn::{Endpoint, IdleTimeout, TransportConfig, VarInt};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tessera_model::{HandleBytes, UnixMillis};
use tessera_wire::Hello;
use tokio::sync::watch;
use tokio::time::{sleep, timeout_at};

/// The first and the longest wait between two attempts to connect.
const BACK_OFF_FIRST: Duration = Duration::from_millis(20);
const BACK_OFF_LONGEST: Duration = Duration::from_secs(2);
/// LIMIT: one attempt to connect, Hello included.
const ATTEMPT: Duration = Duration::from_secs(5);
/// LIMIT: a connection that nothing is heard from ends after this.
const IDLE: Duration = Duration::from_secs(30);
/// LIMIT: what a node may send before we read it: per stream, per connection.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// The connections to one cell.
pub(crate) struct Pool {
    config: Config,
    credential: Option<HandleBytes>,
    endpoint: Endpoint,
    seats: Vec<RwLock<Option<Arc<Link>>>>,
    next: AtomicUsize,
    problem: Mutex<Option<NotOpened>>,
    clock: Mutex<Option<NodeClock>>,
    /// Counts what changed in seats or problem; its end ends the keepers.
    changed: watch::Sender<u64>,
    closed: watch::Sender<bool>,
    pub(crate) dice: Dice,
}

impl Pool {
    /// Starts the keepers; returns at once.
    pub(crate) fn start(config: Config) -> Result<Arc<Self>, ClientError> {
        let credential = config.sound()?;
        let endpoint = endpoint(&config)?;
        let pool = Arc::new(Self {
            credential,
            endpoint,
            seats: (0..config.connections).map(|_| RwLock::default()).collect(),
            next: AtomicUsize::new(0),
            problem: Mutex::new(None),
            clock: Mutex::new(None),
            changed: watch::Sender::new(0),
            closed: watch::Sender::new(false),
            dice: Dice::default(),
            config,
        });
        for seat in 0..pool.seats.len() {
            tokio::spawn(keep(Arc::clone(&pool), seat, pool.closed.subscribe()));
        }
        Ok(pool)
    }

    pub(crate) const fn config(&self) -> &Config {
        &self.config
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
            let problem = self.problem.lock().clone();
            match problem {
                Some(NotOpened::Refused(fault)) if !passes(fault.code) => return Err(ClientError::of(fault)),
                Some(NotOpened::Unreadable(error)) => return Err(ClientError::Unreadable(error)),
                Some(NotOpened::Refused(_) | NotOpened::Connection(_)) | None => {}
            }
            if timeout_at(deadline.into(), changed.changed()).await.is_err() {
                return Err(self.unreachable());
            }
        }
    }

    fn unreachable(&self) -> ClientError {
        match self.problem.lock().clone() {
            Some(NotOpened::Connection(source)) => ClientError::Unreachable(source),
            Some(NotOpened::Refused(fault)) => ClientError::of(fault),
            Some(NotOpened::Unreadable(error)) => ClientError::Unreadable(error),
            None => ClientError::Unreachable(None),
        }
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

    async fn open(&self, turn: usize) -> Result<Arc<Link>, NotOpened> {
        let address = self.config.addresses.get(turn % self.config.addresses.len().max(1));
        let Some(address) = address else { return Err(NotOpened::Connection(None)) };
        let hello = Hello { credential: self.credential, tenant: self.config.tenant, ..Hello::default() };
        let (name, streams) = (&self.config.server_name, self.config.streams);
        Link::open(&self.endpoint, *address, name, &hello, streams, Instant::now() + ATTEMPT).await
    }
}

/// Whether a refused Hello is worth another attempt soon: retry codes, and a node that goes away.
const fn passes(code: u16) -> bool {
    matches!(code, 300..=399 | 406..=408 | 500..)
}

/// Keeps one seat: connects, waits for the end, connects again with a growing, jittered wait.
async fn keep(pool: Arc<Pool>, seat: usize, mut closed: watch::Receiver<bool>) {
    let (mut back_off, mut turn) = (BACK_OFF_FIRST, seat);
    loop {
        let opened = tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => return,
            opened = pool.open(turn) => opened,
        };
        turn = turn.wrapping_add(1);
        let since = Instant::now();
        match opened {
            Ok(link) => {
                *pool.clock.lock() = Some(link.clock);
                *pool.problem.lock() = None;
                pool.place(seat, Some(&link));
                let ended = tokio::select! {
                    biased;
                    _ = closed.wait_for(|closed| *closed) => return pool.place(seat, None),
                    ended = link.ended() => ended,
                };
                *pool.problem.lock() = Some(NotOpened::Connection(Some(ended)));
                pool.place(seat, None);
                turn = turn.wrapping_sub(1);
            }
            Err(problem) => {
                *pool.problem.lock() = Some(problem);
                pool.changed.send_modify(|count| *count += 1);
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
