//! One connection: its streams, the tasks that serve them, and its end.

use crate::ids::NodeClock;
use crate::lane::{Answer, Ended, Lane, NotSent, Pending};
use bytes::Bytes;
use parking_lot::RwLock;
use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream, VarInt};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tessera_model::code::ProtocolCode;
use tessera_wire::{Fault, Hello, HelloReply, Inbox, Outbox, WireError};
use tokio::time::{sleep, timeout_at};

/// How often deadlines are looked at while calls are in flight, and while none is.
const SWEEP_BUSY: Duration = Duration::from_millis(5);
const SWEEP_IDLE: Duration = Duration::from_millis(50);
/// LIMIT: chunks taken from a stream at once: about one datagram each, 64 KiB together.
const CHUNKS_MAX: usize = 48;

/// Why a connection was not opened.
#[derive(Clone, Debug)]
pub(crate) enum NotOpened {
    /// It could not be made, or broke.
    Connection(Option<ConnectionError>),
    /// The node's certificate is not one that is trusted: why.
    Untrusted(ConnectionError),
    /// The node turned Hello down.
    Refused(Fault),
    /// The node's answer to Hello does not read.
    Unreadable(WireError),
}

/// The first alert of TLS, as QUIC numbers it (RFC 9001 section 4.8).
const ALERTS: u64 = 0x100;

impl NotOpened {
    /// Tells a certificate that we do not trust from a connection that could not be made.
    fn of(error: ConnectionError) -> Self {
        // What we ourselves found wrong with the handshake. The alerts about certificates: RFC 8446
        // section 6.2, bad_certificate to certificate_unknown, unknown_ca, access_denied, and decrypt_error for
        // a signature that is not the authority's.
        if let ConnectionError::TransportError(found) = &error
            && matches!(u64::from(found.code).checked_sub(ALERTS), Some(42..=46 | 48 | 49 | 51))
        {
            return Self::Untrusted(error);
        }
        Self::Connection(Some(error))
    }
}

/// A connection that has said Hello.
pub(crate) struct Link {
    connection: Connection,
    lanes: RwLock<Vec<Arc<Lane>>>,
    next: AtomicUsize,
    /// Set when the connection has ended: asked at every call, so it is no look into the connection.
    over: AtomicBool,
    /// How often the pool's credential had been renewed when this one said Hello.
    pub(crate) turn: u64,
    /// What the node answered to Hello.
    pub(crate) hello: HelloReply,
    /// The node's clock.
    pub(crate) clock: NodeClock,
}

impl Link {
    /// Connects, says Hello on the first stream, and opens the others behind it.
    pub(crate) async fn open(
        endpoint: &Endpoint,
        address: SocketAddr,
        server_name: &str,
        hello: &Hello,
        (streams, turn): (usize, u64),
        deadline: Instant,
    ) -> Result<Arc<Self>, NotOpened> {
        let connecting = endpoint.connect(address, server_name).map_err(|_| NotOpened::Connection(None))?;
        let connection = match timeout_at(deadline.into(), connecting).await {
            Ok(connection) => connection.map_err(NotOpened::of)?,
            Err(_) => return Err(NotOpened::Connection(Some(ConnectionError::TimedOut))),
        };
        // Whoever gives this attempt up leaves no connection behind.
        let mut unfinished = Unfinished(Some(connection.clone()));
        let lane = match timeout_at(deadline.into(), Self::lane(&connection)).await {
            Ok(lane) => lane.map_err(|error| NotOpened::Connection(Some(error)))?,
            Err(_) => return Err(NotOpened::Connection(Some(ConnectionError::TimedOut))),
        };
        let write = |out: &mut Outbox, id| out.hello(id, hello);
        let Ok(pending) = lane.ask(Instant::now(), deadline, &write) else {
            return Err(NotOpened::Connection(connection.close_reason()));
        };
        let answer = match timeout_at(deadline.into(), pending).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(Ended::Lost | Ended::Deadline)) | Err(_) => {
                let reason = connection.close_reason().or(Some(ConnectionError::TimedOut));
                connection.close(code(ProtocolCode::TooSlow), b"");
                return Err(NotOpened::Connection(reason));
            }
        };
        let refused = match answer {
            Answer::Hello(hello) => {
                let lanes = RwLock::new(vec![lane]);
                let clock = NodeClock::told(hello.node_time);
                let (next, over) = (AtomicUsize::new(0), AtomicBool::new(false));
                unfinished.0 = None;
                let link = Arc::new(Self { connection, lanes, next, over, turn, hello, clock });
                tokio::spawn(Arc::clone(&link).widen(streams));
                tokio::spawn(sweep(Arc::clone(&link)));
                return Ok(link);
            }
            Answer::Fault(fault) => NotOpened::Refused(fault),
            Answer::Unreadable(error) => NotOpened::Unreadable(error),
            Answer::Decision(_)
            | Answer::Batch(_)
            | Answer::Introspection(_)
            | Answer::Permissions(_)
            | Answer::Resolved(_)
            | Answer::Relation(_)
            | Answer::Made(_)
            | Answer::Rows(_) => NotOpened::Unreadable(WireError::KindUnknown),
        };
        connection.close(VarInt::from_u32(0), b"");
        Err(refused)
    }

    async fn lane(connection: &Connection) -> Result<Arc<Lane>, ConnectionError> {
        let (send, receive) = connection.open_bi().await?;
        let lane = Arc::new(Lane::default());
        tokio::spawn(write(Arc::clone(&lane), send, connection.clone()));
        tokio::spawn(read(Arc::clone(&lane), receive, connection.clone()));
        Ok(lane)
    }

    /// Opens the other streams as the node gives room for them; calls never wait for one.
    async fn widen(self: Arc<Self>, streams: usize) {
        for _ in 1..streams {
            let Ok(lane) = Self::lane(&self.connection).await else { return };
            self.lanes.write().push(lane);
        }
    }

    /// Writes a frame on the next stream that has room.
    pub(crate) fn ask(
        &self,
        sent: Instant,
        deadline: Instant,
        write: &(dyn Fn(&mut Outbox, u64) -> Result<(), WireError> + Sync),
    ) -> Result<Pending, NotSent> {
        let lanes = self.lanes.read();
        if let [only] = lanes.as_slice() {
            return only.ask(sent, deadline, write);
        }
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let mut outcome = Err(NotSent::Lost);
        for turn in 0..lanes.len() {
            let Some(lane) = lanes.get(first.wrapping_add(turn) % lanes.len()) else { continue };
            outcome = lane.ask(sent, deadline, write);
            if !matches!(outcome, Err(NotSent::Full)) {
                break;
            }
        }
        outcome
    }

    /// Calls in flight.
    pub(crate) fn waiting(&self) -> usize {
        self.lanes.read().iter().map(|lane| lane.waiting()).sum()
    }

    /// Ends it.
    pub(crate) fn close(&self) {
        self.connection.close(VarInt::from_u32(0), b"");
    }

    /// Whether it still stands.
    pub(crate) fn is_live(&self) -> bool {
        !self.over.load(Ordering::Acquire)
    }

    /// Waits for its end.
    pub(crate) async fn ended(&self) -> ConnectionError {
        let ended = self.connection.closed().await;
        self.over.store(true, Ordering::Release);
        ended
    }
}

/// A connection on its way to a link; closed unless it gets there.
struct Unfinished(Option<Connection>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(connection) = &self.0 {
            connection.close(VarInt::from_u32(0), b"");
        }
    }
}

fn code(code: ProtocolCode) -> VarInt {
    VarInt::from_u32(u32::from(code.code()))
}

/// Sends what callers wrote: everything that waits in one write.
async fn write(lane: Arc<Lane>, mut send: SendStream, connection: Connection) {
    let mut outbox = Outbox::new();
    while lane.frames(&mut outbox).await {
        if send.write_all(outbox.as_bytes()).await.is_err() {
            break;
        }
        outbox.clear();
    }
    lane.lose();
    connection.close(VarInt::from_u32(0), b"");
}

/// Gives answers to whoever waits, until the stream ends; then the connection has no use any more.
async fn read(lane: Arc<Lane>, mut receive: RecvStream, connection: Connection) {
    let (mut inbox, mut wakers) = (Inbox::default(), Vec::new());
    let mut chunks = [const { Bytes::new() }; CHUNKS_MAX];
    let mut why = VarInt::from_u32(0);
    while let Ok(Some(count)) = receive.read_chunks(&mut chunks).await {
        chunks.iter_mut().take(count).for_each(|chunk| inbox.extend(&std::mem::take(chunk)));
        if let Err(error) = lane.deliver(&mut inbox, &mut wakers) {
            why = VarInt::from_u32(u32::from(error.code()));
            break;
        }
    }
    lane.lose();
    connection.close(why, b"");
}

/// Ends calls at their deadline. A node that was silent for the whole of a call is left: the
/// connection is closed, and another takes its place.
async fn sweep(link: Arc<Link>) {
    while link.connection.close_reason().is_none() {
        let lanes = link.lanes.read().clone();
        sleep(if link.waiting() == 0 { SWEEP_IDLE } else { SWEEP_BUSY }).await;
        let (now, heard) = (Instant::now(), lanes.iter().filter_map(|lane| lane.heard()).max());
        if lanes.iter().filter(|lane| lane.expire(now, heard)).count() > 0 {
            link.connection.close(code(ProtocolCode::TooSlow), b"");
        }
    }
    link.over.store(true, Ordering::Release);
    link.lanes.read().iter().for_each(|lane| lane.lose());
}
