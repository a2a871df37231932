//! Every limit of the door, by name.

use std::time::Duration;

/// LIMIT: a request's content, bytes: 1,024 checks of some 200 B with names.
pub(crate) const BODY_BYTES_MAX: usize = 256 * 1024;

/// What connections and requests may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// LIMIT: connections of one node. One at rest over HTTP/1.1 and TLS costs some 12 KiB.
    pub connections: usize,
    /// LIMIT: connections from one IPv4 address or IPv6 /64, proxies that are listed left out.
    pub connections_per_source: usize,
    /// LIMIT: a TLS handshake.
    pub handshake: Duration,
    /// LIMIT: from the first byte of a request's head to its last, and between two requests.
    pub head: Duration,
    /// LIMIT: from the head of a request to the last byte of its content.
    pub body: Duration,
    /// LIMIT: header fields of one request.
    pub headers: usize,
    /// LIMIT: bytes of one request's head.
    pub head_bytes: usize,
    /// LIMIT: requests at once on one HTTP/2 connection.
    pub streams: u32,
    /// LIMIT: how long a request waits for a sleeping tenant that its credential has woken.
    pub wake: Duration,
    /// LIMIT: requests that wait at once for tenants that wake: some 10 KiB each.
    pub waiters: usize,
    /// LIMIT: of these, requests that wait for one tenant: a quarter.
    pub waiters_per_tenant: usize,
    /// LIMIT: how long a conditional change waits for those of its tenant before it.
    pub turn: Duration,
    /// LIMIT: conditional changes of one tenant that wait at once.
    pub turns_per_tenant: usize,
    /// LIMIT: requests per second of one credential; each check of a batch counts.
    pub credential_per_second: u32,
    /// LIMIT: requests per second of one source that show no credential, or one that opens nothing.
    pub source_per_second: u32,
    /// LIMIT: look-ups per second of an origin that nobody lists, from one source: a page that asks in vain.
    pub page_per_second: u32,
    /// LIMIT: all of these per second from one source: each may read a row. Beyond them no tenant's list is
    /// looked at for it.
    pub lookups_per_second: u32,
    /// LIMIT: refreshes per second from one IPv4 address or IPv6 /64. Each costs a hash before anybody is asked:
    /// 20,000 are 2 ms of a core.
    pub refreshes_per_second: u32,
    /// LIMIT: requests per second of one tenant.
    pub tenant_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_source: 1_024,
            handshake: Duration::from_secs(5),
            head: Duration::from_secs(30),
            body: Duration::from_secs(10),
            headers: 64,
            head_bytes: 16 * 1024,
            streams: 64,
            wake: Duration::from_secs(2),
            waiters: 1_024,
            waiters_per_tenant: 256,
            turn: Duration::from_secs(5),
            turns_per_tenant: 64,
            credential_per_second: 1_000_000,
            source_per_second: 50,
            page_per_second: 10,
            lookups_per_second: 500,
            refreshes_per_second: 20_000,
            tenant_per_second: 1_000_000,
        }
    }
}
