//! The door as the node holds it: opened, reloaded, drained.

use crate::budget::Budgets;
use crate::connection::{self, Shared};
use crate::end::End;
use crate::figures::{Counters, Figures, add};
use crate::limits::Limits;
use crate::receive::Sparing;
use crate::socket;
use crate::strangers::Places;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{
    Endpoint, EndpointConfig, IdleTimeout, Incoming, Runtime as _, ServerConfig, TokioRuntime,
    TransportConfig, VarInt,
};
use std::fmt;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::Duration;
use tessera_accept::{Identity, IdentityError};
use tessera_engine::Engine;
use tessera_model::{CellId, Source};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// LIMIT: threads per runtime that read cold rows for lists; more wait.
const LIST_THREADS: usize = 2;

/// What a door is told.
pub struct DoorConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Runtimes, each with an endpoint of its own on the same port; one per core is best.
    pub runtimes: usize,
    /// The certificate chain, PEM.
    pub chain_pem: Vec<u8>,
    /// Its key, PEM.
    pub key_pem: tessera_model::Private,
    /// What reset tokens are made with: a secret that outlives the process and is this node's alone.
    pub reset_key: tessera_model::Private,
    /// The node's cell, told in Hello's reply.
    pub cell: CellId,
    /// The node's version, told in Hello's reply: major × 10^6 + minor × 10^3 + patch.
    pub version: u32,
    /// Limits of connections and streams.
    pub limits: Limits,
    /// Keep every runtime awake: it looks for packets again and again and never sleeps. An answer is then
    /// not held up by the kernel's waking of a core, and each runtime takes a core whole, busy or idle.
    pub busy_poll: bool,
    /// Cores that the runtimes' threads are bound to, in turn; empty: the system places them.
    pub cores: Vec<usize>,
}

/// Why a door does not open.
#[derive(Debug)]
#[non_exhaustive]
pub enum DoorError {
    /// The address cannot be listened on.
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The certificate or its key does not hold: what is wrong.
    Certificate(&'static str),
    /// This process may not run on a core that it was told: which.
    Core(usize),
    /// TLS could not be set up.
    Tls,
    /// A runtime could not be started.
    Runtime(std::io::Error),
}

impl fmt::Display for DoorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, source } => write!(f, "cannot listen on {address}: {source}"),
            Self::Certificate(what) => f.write_str(what),
            Self::Core(core) => write!(f, "this process may not run on core {core}"),
            Self::Tls => f.write_str("TLS could not be set up"),
            Self::Runtime(source) => write!(f, "a runtime could not be started: {source}"),
        }
    }
}

impl From<IdentityError> for DoorError {
    fn from(error: IdentityError) -> Self {
        if let IdentityError::Certificate(what) = error { Self::Certificate(what) } else { Self::Tls }
    }
}

impl std::error::Error for DoorError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { source, .. } | Self::Runtime(source) => Some(source),
            Self::Certificate(_) | Self::Core(_) | Self::Tls => None,
        }
    }
}

/// An open door. Dropping it closes at once; [`Door::drain`] closes well.
pub struct Door {
    address: SocketAddr,
    identity: Arc<Identity>,
    shared: Arc<Shared>,
    draining: watch::Sender<bool>,
    /// Every runtime holds a sender; the channel ends when all have ended.
    ended: mpsc::Receiver<()>,
    threads: Vec<JoinHandle<()>>,
}

impl Door {
    /// Opens the door: binds, starts the runtimes, accepts.
    ///
    /// # Errors
    /// [`DoorError`]; nothing keeps running.
    pub fn open(engine: Engine, config: DoorConfig) -> Result<Self, DoorError> {
        if let Some(core) = crate::cores::unreachable(&config.cores) {
            return Err(DoorError::Core(core));
        }
        let identity = Identity::new(&config.chain_pem, config.key_pem.expose())?;
        let server = server_config(&identity, &config.limits)?;
        let listen = |source| DoorError::Listen { address: config.listen, source };
        let sockets = socket::bind(config.listen, config.runtimes.max(1)).map_err(listen)?;
        let address = sockets.first().ok_or(DoorError::Tls)?.local_addr().map_err(listen)?;
        let (draining, drained) = watch::channel(false);
        let (alive, ended) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            engine,
            limits: config.limits,
            counters: Counters::default(),
            budgets: Budgets::new(config.limits.checks_per_second),
            refreshes: Budgets::new(config.limits.refreshes_per_second),
            sources: Arc::default(),
            strangers: Arc::default(),
            handshakes: AtomicUsize::new(0),
            cell: config.cell,
            version: config.version,
            draining: drained,
        });
        let mut door = Self { address, identity, shared, draining, ended, threads: Vec::new() };
        let endpoint = crate::reset::endpoint_config(config.reset_key.expose());
        for (at, socket) in sockets.into_iter().enumerate() {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(LIST_THREADS)
                .build()
                .map_err(DoorError::Runtime)?;
            let (shared, server, endpoint) = (Arc::clone(&door.shared), server.clone(), endpoint.clone());
            let (alive, busy_poll) = (alive.clone(), config.busy_poll);
            let thread = std::thread::Builder::new().name(format!("quic-{at}"));
            let core = config.cores.iter().cycle().nth(at).copied();
            let body = move || {
                if let Some(Err(error)) = core.map(crate::cores::bind) {
                    tracing::warn!(%error, core, "a runtime's thread could not be bound to its core");
                }
                if busy_poll {
                    drop(runtime.spawn(stay_awake(Arc::clone(&shared))));
                }
                runtime.block_on(accept(socket, endpoint, server, shared));
                drop(alive);
            };
            door.threads.push(thread.spawn(body).map_err(DoorError::Runtime)?);
        }
        Ok(door)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces the certificate: new handshakes get it, connections that stand stay. A bad pair
    /// changes nothing.
    ///
    /// # Errors
    /// [`DoorError::Certificate`].
    pub fn reload(&self, chain_pem: &[u8], key_pem: &[u8]) -> Result<(), DoorError> {
        Ok(self.identity.replace(chain_pem, key_pem)?)
    }

    /// What was counted since it was opened.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let strangers = u64::try_from(self.shared.strangers.count()).unwrap_or(u64::MAX);
        Figures { strangers, ..self.shared.counters.read() }
    }

    /// Takes no new connection or command, lets what runs end and be read, then closes. After
    /// `patience` it closes at once.
    pub async fn drain(mut self, patience: Duration) {
        self.draining.send_replace(true);
        if tokio::time::timeout(patience, self.ended.recv()).await.is_err() {
            tracing::warn!("connections were cut off at the end of the drain");
            return;
        }
        // They have ended but for their last lines.
        let threads = std::mem::take(&mut self.threads);
        let join = move || {
            threads.into_iter().filter(|thread| thread.is_finished()).for_each(|thread| drop(thread.join()))
        };
        drop(tokio::task::spawn_blocking(join).await);
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.draining.send_replace(true);
    }
}

fn server_config(identity: &Arc<Identity>, limits: &Limits) -> Result<ServerConfig, DoorError> {
    // Our protocol's name, and no tickets: there is no 0-RTT.
    let mut tls = identity.config(&[tessera_wire::ALPN])?;
    tls.send_tls13_tickets = 0;
    let crypto = QuicServerConfig::try_from(tls).map_err(|_| DoorError::Tls)?;
    let mut server = ServerConfig::with_crypto(Arc::new(crypto));
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(Some(IdleTimeout::try_from(limits.idle).map_err(|_| DoorError::Tls)?))
        .max_concurrent_bidi_streams(VarInt::from_u32(limits.streams_before_hello))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(limits.stream_window))
        .receive_window(VarInt::from_u32(limits.window_before_hello))
        .send_window(limits.send_window);
    server.transport_config(Arc::new(transport));
    server.migration(false);
    Ok(server)
}

/// Takes a connection, lets it prove its address first, or turns it away.
fn welcome(incoming: Incoming, shared: &Arc<Shared>) {
    let (counters, limits) = (&shared.counters, &shared.limits);
    if shared.handshakes.load(Relaxed) >= limits.handshakes_unproven && !incoming.remote_address_validated() {
        add(&counters.retries, 1);
        // It fails only for an address that was validated.
        return drop(incoming.retry());
    }
    let address = incoming.remote_address().ip();
    let full = counters.connections_open.load(Relaxed) >= limits.connections as u64;
    let source = shared.sources.count(Source::of(address), limits.connections_per_source);
    let Some(source) = source.filter(|_| !full) else {
        add(&counters.connections_refused, 1);
        return incoming.refuse();
    };
    let places = Places { all: limits.strangers, per_source: limits.strangers_per_source };
    let Some(place) = shared.strangers.admit(address, places, Instant::now()) else {
        add(&counters.strangers_refused, 1);
        return incoming.refuse();
    };
    drop(tokio::spawn(connection::run(incoming, Arc::clone(shared), source, place)));
}

/// Gives a runtime something to do for ever, so that it looks at its socket instead of going to sleep.
/// It ends with its runtime.
async fn stay_awake(shared: Arc<Shared>) {
    loop {
        add(&shared.counters.idle_turns, 1);
        // The runtime looks at its socket before this comes back.
        tokio::task::yield_now().await;
    }
}

/// One runtime: accepts until the drain begins, then waits for its connections to end.
async fn accept(socket: UdpSocket, config: EndpointConfig, server: ServerConfig, shared: Arc<Shared>) {
    let endpoint = TokioRuntime.wrap_udp_socket(socket).and_then(|socket| {
        let (socket, runtime) = (Sparing::over(socket), Arc::new(TokioRuntime));
        Endpoint::new_with_abstract_socket(config, Some(server), socket, runtime)
    });
    let endpoint = match endpoint {
        Ok(endpoint) => endpoint,
        Err(error) => {
            tracing::error!(%error, "an endpoint could not be started");
            return;
        }
    };
    let mut draining = shared.draining.clone();
    loop {
        let incoming = tokio::select! {
            biased;
            _ = draining.wait_for(|draining| *draining) => break,
            incoming = endpoint.accept() => incoming,
        };
        let Some(incoming) = incoming else { break };
        welcome(incoming, &shared);
    }
    endpoint.set_server_config(None);
    // Each connection ends by itself; whoever holds the door decides how long that may take.
    while endpoint.open_connections() > 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
        if shared.counters.connections_open.load(Relaxed) == 0 {
            break;
        }
    }
    endpoint.close(End::DRAINING.code(), b"");
    drop(tokio::time::timeout(Duration::from_secs(1), endpoint.wait_idle()).await);
}
