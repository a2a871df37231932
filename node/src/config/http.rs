//! The HTTP door's table of the configuration.

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use tessera_gateway_http::Limits;

/// The HTTP door; off unless it is told where to listen.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Http {
    /// Where it listens; empty: nowhere.
    pub(crate) listen: String,
    /// Speak plain HTTP; on a loopback address only.
    pub(crate) plain: bool,
    /// The domain below which the first label of a host names a tenant; empty: none.
    pub(crate) domain: String,
    /// Origins whose scripts may ask; none by default.
    pub(crate) origins: Vec<String>,
    /// Proxies whose forwarded headers are believed.
    pub(crate) proxies: Vec<IpAddr>,
    /// Connections at a time.
    pub(crate) connections_max: usize,
    /// Requests per second of one credential.
    pub(crate) credential_per_second: u32,
    /// Requests per second of one source without a good credential.
    pub(crate) source_per_second: u32,
    /// Requests per second of one tenant.
    pub(crate) tenant_per_second: u32,
}

impl Default for Http {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            listen: String::new(),
            plain: false,
            domain: String::new(),
            origins: Vec::new(),
            proxies: Vec::new(),
            connections_max: limits.connections,
            credential_per_second: limits.credential_per_second,
            source_per_second: limits.source_per_second,
            tenant_per_second: limits.tenant_per_second,
        }
    }
}

impl Http {
    /// That of `tessera dev`: plain, for this machine.
    pub(crate) fn development() -> Self {
        Self { listen: "127.0.0.1:7481".to_owned(), plain: true, ..Self::default() }
    }

    /// Where it listens, if it does.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }

    /// The door's limits.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            connections: self.connections_max,
            credential_per_second: self.credential_per_second,
            source_per_second: self.source_per_second,
            tenant_per_second: self.tenant_per_second,
            ..Limits::default()
        }
    }

    /// What is wrong beyond the types.
    pub(crate) fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let mut faults = Vec::new();
        let mut fault = |wrong: bool, key, what| {
            if wrong {
                faults.push((key, what));
            }
        };
        let address = self.address();
        fault(
            !self.listen.is_empty() && address.is_none(),
            "http.listen",
            "must be an address and a port, 127.0.0.1:8443, or empty: then there is no HTTP door",
        );
        fault(
            self.plain && address.is_some_and(|address| !address.ip().is_loopback()),
            "http.listen",
            "is reachable from other machines, in plain text: use a loopback address, or leave out http.plain",
        );
        let host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        fault(!self.domain.bytes().all(host), "http.domain", "must be a domain, auth.example.com");
        fault(
            self.origins.iter().any(|origin| !is_origin(origin)),
            "http.origins",
            "must hold origins, https://app.example.com, without a path",
        );
        let places = 1..=super::COUNT_MAX;
        fault(!places.contains(&self.connections_max), "http.connections_max", "must be 1 to 10000000");
        fault(self.credential_per_second == 0, "http.credential_per_second", "must be at least 1");
        fault(self.source_per_second == 0, "http.source_per_second", "must be at least 1");
        fault(self.tenant_per_second == 0, "http.tenant_per_second", "must be at least 1");
        faults
    }
}

fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        let plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
        !host.is_empty() && host.bytes().all(plain)
    })
}
