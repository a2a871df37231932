//! What a client is told at its start.

use crate::error::ClientError;
use crate::tls::Trust;
use rustls_pki_types::ServerName;
use std::net::SocketAddr;
use std::time::Duration;
use tessera_model::{Handle, HandleBytes, TenantId};

/// LIMIT: connections of one client: more do not help one process, and each costs the node memory.
const CONNECTIONS_MAX: usize = 64;
/// LIMIT: streams of one connection; nodes allow as many by default.
const STREAMS_MAX: usize = 100;

/// Which of several nodes a connection goes to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Balance {
    /// To the first address that answers; the others stand by for when it does not.
    #[default]
    InOrder,
    /// To all of them in turn, from one that chance chooses: connections, and the calls that go over them in
    /// turn, are spread evenly. For nodes that are alike.
    Spread,
}

/// How to reach a node, and as whom. No `Debug`: it holds a credential.
#[derive(Clone)]
pub struct Config {
    /// Where nodes listen that serve the same tenants. One that does not answer is passed over, and its
    /// connections come back to it when it does.
    pub addresses: Vec<SocketAddr>,
    /// Which of them a connection goes to. Default the first that answers.
    pub balance: Balance,
    /// How often a connection that had to go elsewhere looks whether its first choice is back. Default 15 s.
    pub look_home: Duration,
    /// The name in the nodes' certificates.
    pub server_name: String,
    /// Which certificates are believed.
    pub trust: Trust,
    /// The caller's own session or key, as text. Without one only sign-in and the operator's claim work.
    pub credential: Option<String>,
    /// The tenant asked about, when it is not the credential's own.
    pub tenant: Option<TenantId>,
    /// How long a call may take, everything included: connecting, repeating, waiting.
    pub deadline: Duration,
    /// Connections kept. Default 1.
    pub connections: usize,
    /// Streams per connection: a lost packet holds up one of them. Default 4.
    pub streams: usize,
    /// Pings an idle connection, so that it stays. Default 10 s.
    pub keep_alive: Duration,
    /// Keeps one thread of the runtime awake while the client lives: it looks for answers again and again,
    /// and none is held up by the kernel's waking of a core. It takes a core whole. Default off.
    pub busy_poll: bool,
}

impl Config {
    /// Defaults for one node.
    #[must_use]
    pub fn new(address: SocketAddr, server_name: &str, trust: Trust) -> Self {
        Self {
            addresses: vec![address],
            balance: Balance::InOrder,
            look_home: Duration::from_secs(15),
            server_name: server_name.to_owned(),
            trust,
            credential: None,
            tenant: None,
            deadline: Duration::from_secs(5),
            connections: 1,
            streams: 4,
            keep_alive: Duration::from_secs(10),
            busy_poll: false,
        }
    }

    /// The credential's bytes, when everything holds.
    pub(crate) fn sound(&self) -> Result<Option<HandleBytes>, ClientError> {
        if self.addresses.is_empty() {
            return Err(ClientError::BadConfig("no address"));
        }
        if self.connections == 0 || self.connections > CONNECTIONS_MAX {
            return Err(ClientError::BadConfig("connections must be 1 to 64"));
        }
        if self.streams == 0 || self.streams > STREAMS_MAX {
            return Err(ClientError::BadConfig("streams must be 1 to 100"));
        }
        if ServerName::try_from(self.server_name.as_str()).is_err() {
            return Err(ClientError::BadConfig("the server name is neither a host's name nor an IP address"));
        }
        let Some(text) = &self.credential else { return Ok(None) };
        let handle =
            Handle::parse_text(text).map_err(|_| ClientError::BadConfig("the credential is no handle"))?;
        Ok(Some(handle.to_bytes()))
    }
}
