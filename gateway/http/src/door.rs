//! The door as the node holds it: opened, reloaded, drained.

use crate::accept;
use crate::budget::Budgets;
use crate::cross;
use crate::figures::{Counters, Figures};
use crate::limits::Limits;
use crate::plain;
use crate::protocol::Protocol;
use crate::route;
use crate::turn::Turns;
use crate::wake::Waiters;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tessera_accept::{Counts, Identity, IdentityError};
use tessera_engine::Engine;
use tessera_model::{Private, PublicId, Source, TenantId};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

/// What a door is told.
pub struct DoorConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Certificate chain and key, both PEM. `None` speaks plain HTTP, on a loopback address only.
    pub identity: Option<(Vec<u8>, Private)>,
    /// The domain below which the first label of a host names a tenant; empty for none.
    pub domain: String,
    /// Origins (scheme, host, port) whose scripts may ask every tenant, beside those that a tenant lists; none by
    /// default.
    pub origins: Vec<String>,
    /// Addresses of proxies whose forwarded headers are believed.
    pub proxies: Vec<IpAddr>,
    /// Protocols with paths of their own, beside the door's.
    pub protocols: Vec<Protocol>,
    /// Limits of connections and requests.
    pub limits: Limits,
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
    /// Plain HTTP was asked for on an address that other machines can reach.
    PlainBeyondThisMachine,
    /// The certificate or its key does not hold: what is wrong.
    Certificate(&'static str),
    /// TLS could not be set up.
    Tls,
}

impl fmt::Display for DoorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, source } => write!(f, "cannot listen on {address}: {source}"),
            Self::PlainBeyondThisMachine => f.write_str("plain HTTP is for loopback addresses only"),
            Self::Certificate(what) => f.write_str(what),
            Self::Tls => f.write_str("TLS could not be set up"),
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
            Self::Listen { source, .. } => Some(source),
            Self::PlainBeyondThisMachine | Self::Certificate(_) | Self::Tls => None,
        }
    }
}

/// What all connections of a door share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) limits: Limits,
    pub(crate) counters: Counters,
    pub(crate) domain: String,
    pub(crate) origins: Vec<String>,
    pub(crate) proxies: Vec<IpAddr>,
    pub(crate) by_credential: Budgets<(TenantId, PublicId)>,
    pub(crate) by_source: Budgets<Source>,
    /// Look-ups of origins that nobody lists, by source and origin.
    pub(crate) by_page: Budgets<(Source, u64)>,
    /// All of these by source.
    pub(crate) lookups: Budgets<Source>,
    pub(crate) refreshes: Budgets<Source>,
    pub(crate) by_tenant: Budgets<TenantId>,
    pub(crate) sources: Arc<Counts<Source>>,
    pub(crate) waiters: Waiters,
    pub(crate) draining: watch::Receiver<bool>,
    pub(crate) turns: Arc<Turns>,
    /// Whether TLS is spoken: browsers are then told to insist on it.
    pub(crate) secure: bool,
    /// What every answer carries, as lines.
    pub(crate) harmless: Box<[u8]>,
    /// What is asked in the plain form.
    pub(crate) lines: Box<[plain::Line]>,
}

/// An open door. Dropping it closes at once; [`Door::drain`] closes well.
pub struct Door {
    address: SocketAddr,
    identity: Option<Arc<Identity>>,
    shared: Arc<Shared>,
    draining: watch::Sender<bool>,
    /// Every connection holds a sender; the channel ends when all have ended.
    ended: mpsc::Receiver<()>,
}

impl Door {
    /// Opens the door on the runtime that it is called in.
    ///
    /// # Errors
    /// [`DoorError`]; nothing keeps running.
    pub async fn open(engine: Engine, config: DoorConfig) -> Result<Self, DoorError> {
        if config.identity.is_none() && !config.listen.ip().is_loopback() {
            return Err(DoorError::PlainBeyondThisMachine);
        }
        let identity = match &config.identity {
            Some((chain, key)) => Some(Identity::new(chain, key.expose())?),
            None => None,
        };
        // In the order of preference.
        let speak = |identity: &Arc<Identity>| identity.config(&[b"h2", b"http/1.1"]);
        let tls = identity.as_ref().map(speak).transpose()?.map(Arc::new);
        let listen = |source| DoorError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (draining, drained) = watch::channel(false);
        let (alive, ended) = mpsc::channel(1);
        let limits = config.limits;
        let shared = Arc::new(Shared {
            engine,
            limits,
            counters: Counters::default(),
            domain: config.domain.to_ascii_lowercase(),
            origins: config.origins,
            proxies: config.proxies.iter().map(IpAddr::to_canonical).collect(),
            by_credential: Budgets::new(limits.credential_per_second),
            by_source: Budgets::new(limits.source_per_second),
            by_page: Budgets::new(limits.page_per_second),
            lookups: Budgets::new(limits.lookups_per_second),
            refreshes: Budgets::new(limits.refreshes_per_second),
            by_tenant: Budgets::new(limits.tenant_per_second),
            sources: Arc::default(),
            waiters: Waiters::default(),
            draining: drained,
            turns: Arc::default(),
            secure: tls.is_some(),
            harmless: cross::lines(tls.is_some()),
            lines: plain::lines(&config.protocols),
        });
        let router = route::router(&shared, &config.protocols);
        drop(tokio::spawn(accept::run(listener, tls, (Arc::clone(&shared), router), alive)));
        Ok(Self { address, identity, shared, draining, ended })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces the certificate: new handshakes get it, connections that stand stay. A bad pair changes
    /// nothing; a door without TLS has none.
    ///
    /// # Errors
    /// [`DoorError::Certificate`].
    pub fn reload(&self, chain_pem: &[u8], key_pem: &[u8]) -> Result<(), DoorError> {
        let Some(identity) = &self.identity else { return Ok(()) };
        Ok(identity.replace(chain_pem, key_pem)?)
    }

    /// What was counted since it was opened.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.shared.counters.read()
    }

    /// What its connections share.
    #[cfg(test)]
    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Takes no new connection or request, answers those that run, then closes. After `patience` it
    /// closes at once.
    pub async fn drain(mut self, patience: Duration) {
        self.draining.send_replace(true);
        if tokio::time::timeout(patience, self.ended.recv()).await.is_err() {
            tracing::warn!("HTTP connections were cut off at the end of the drain");
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.draining.send_replace(true);
    }
}
