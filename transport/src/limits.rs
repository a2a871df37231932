//! Every limit of the door, by name.

use std::time::Duration;

/// What connections and streams may take. The defaults hold 1,000 hostile connections under 256 MiB.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// LIMIT: connections of one node. Each costs some 20 KiB when idle.
    pub connections: usize,
    /// LIMIT: connections from one IPv4 address or IPv6 /64: a host of many services behind one address.
    pub connections_per_source: usize,
    /// LIMIT: strangers: connections that no Hello has bound yet. Their handshakes take the node some 0.3 s
    /// of one core together, so that a crowd that comes back after a restart is through in a moment.
    pub strangers: usize,
    /// LIMIT: strangers from one IPv4 address or IPv6 /64: a quarter of all.
    pub strangers_per_source: usize,
    /// LIMIT: from connecting to a Hello that binds the connection: time to claim an operator.
    pub stranger: Duration,
    /// LIMIT: checks per second of one credential, whatever its connections; over it Busy. The default is
    /// above what four cores answer: it bounds nobody who is served, an operator lowers it.
    pub checks_per_second: u32,
    /// LIMIT: refreshes per second from one IPv4 address or IPv6 /64; over it Busy. Each costs a hash before
    /// anybody is asked: 20,000 are 2 ms of a core.
    pub refreshes_per_second: u32,
    /// LIMIT: handshakes under way before new ones must prove their address (Retry): below what strangers
    /// may hold, so that addresses that nobody has cannot take all of their places.
    pub handshakes_unproven: usize,
    /// LIMIT: a handshake, and the first Hello.
    pub handshake: Duration,
    /// LIMIT: from the first byte of a frame to its last, and for a peer to read its replies.
    pub frame: Duration,
    /// LIMIT: a connection that nothing is heard from.
    pub idle: Duration,
    /// LIMIT: how long a stream that rests keeps buffers over a page: some batches come again at once.
    pub rest: Duration,
    /// LIMIT: streams before Hello was answered.
    pub streams_before_hello: u32,
    /// LIMIT: streams after it: one caller's client opens 4 by default.
    pub streams: u32,
    /// LIMIT: bytes in flight to us on one stream: some 580 checks by id.
    pub stream_window: u32,
    /// LIMIT: bytes in flight to us on one connection before Hello was answered.
    pub window_before_hello: u32,
    /// LIMIT: bytes in flight to us on one connection.
    pub connection_window: u32,
    /// LIMIT: bytes of replies of one connection that its peer has not acknowledged.
    pub send_window: u64,
    /// LIMIT: commands and lists of one connection that run at once.
    pub commands_in_flight: usize,
    /// LIMIT: streams that ended without a whole frame: opened and reset.
    pub empty_streams: usize,
    /// LIMIT: Hellos of one connection: a sleeping tenant says NotReady a few times.
    pub hellos: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_source: 4_096,
            strangers: 256,
            strangers_per_source: 64,
            stranger: Duration::from_secs(30),
            checks_per_second: 10_000_000,
            refreshes_per_second: 20_000,
            handshakes_unproven: 64,
            handshake: Duration::from_secs(5),
            frame: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            rest: Duration::from_secs(1),
            streams_before_hello: 16,
            streams: 100,
            stream_window: 64 * 1024,
            window_before_hello: 16 * 1024,
            connection_window: 128 * 1024,
            send_window: 1024 * 1024,
            commands_in_flight: 256,
            empty_streams: 128,
            hellos: 16,
        }
    }
}
