//! One connection: its handshake, who it is bound to, its streams and its end.

use crate::budget::{Bucket, Budgets, Credential};
use crate::end::End;
use crate::figures::{Counters, add};
use crate::limits::Limits;
use crate::strangers::{Place, Strangers};
use crate::stream;
use quinn::{Connection, Incoming, VarInt};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tessera_accept::Counts;
use tessera_engine::{Bound, Engine};
use tessera_model::{CellId, HandleBytes, Source};
use tessera_wire::RequestKind;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

/// What all connections of a door share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) limits: Limits,
    pub(crate) counters: Counters,
    /// Checks by credential.
    pub(crate) budgets: Budgets<Credential>,
    /// Refreshes by source.
    pub(crate) refreshes: Budgets<Source>,
    pub(crate) sources: Arc<Counts<Source>>,
    pub(crate) strangers: Arc<Strangers>,
    /// Handshakes under way.
    pub(crate) handshakes: AtomicUsize,
    pub(crate) cell: CellId,
    pub(crate) version: u32,
    pub(crate) draining: watch::Receiver<bool>,
}

/// Who said Hello. No `Debug`: it holds a credential.
pub(crate) enum Peer {
    /// A live credential, bound to a tenant; kept to bind it to another one that an operator names.
    Bound(Bound, HandleBytes, Arc<Bucket>),
    /// Nobody yet: only this request is taken, the operator's claim or the use of a one-time secret.
    Stranger(RequestKind),
}

/// One connection.
pub(crate) struct Line {
    pub(crate) shared: Arc<Shared>,
    pub(crate) connection: Connection,
    pub(crate) peer: OnceLock<Peer>,
    /// Commands and lists that may still run at once.
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) hellos: AtomicUsize,
    pub(crate) empty_streams: AtomicUsize,
    /// The refreshes of its source; made at the first.
    refreshes: OnceLock<Arc<Bucket>>,
    /// The place of a stranger, until Hello binds the connection.
    place: Mutex<Option<Place>>,
}

/// Counts a connection while it stands.
struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: &Arc<Shared>) -> Self {
        add(&shared.counters.connections_open, 1);
        Self(Arc::clone(shared))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.counters.connections_open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Line {
    /// Whether Hello bound the connection to a tenant.
    pub(crate) fn is_bound(&self) -> bool {
        matches!(self.peer.get(), Some(Peer::Bound(..)))
    }

    /// Hello was answered with a tenant: no stranger any more, more streams and wider windows.
    pub(crate) fn open_up(&self) {
        drop(self.place.lock().unwrap_or_else(PoisonError::into_inner).take());
        let limits = &self.shared.limits;
        self.connection.set_max_concurrent_bi_streams(VarInt::from_u32(limits.streams));
        self.connection.set_receive_window(VarInt::from_u32(limits.connection_window));
    }

    /// Counts a refresh against the budget of where the connection comes from; false when that is used up.
    pub(crate) fn may_refresh(&self) -> bool {
        let (budgets, now) = (&self.shared.refreshes, self.shared.engine.now());
        let source = || budgets.of(Source::of(self.connection.remote_address().ip()), now);
        let bucket = self.refreshes.get_or_init(source);
        let left = budgets.left(bucket, now) > 0;
        if left {
            budgets.use_up(bucket, 1);
        }
        left
    }

    /// Closes with a code.
    pub(crate) fn end(&self, end: End) {
        add(&self.shared.counters.closed, 1);
        end.close(&self.connection);
    }
}

/// From the first packet to the end.
pub(crate) async fn run(
    incoming: Incoming,
    shared: Arc<Shared>,
    _source: tessera_accept::Counted<Source>,
    place: Place,
) {
    let (_counted, begun, lost) = (Counted::new(&shared), Instant::now(), place.lost());
    let mut lost = std::pin::pin!(lost);
    shared.handshakes.fetch_add(1, Ordering::Relaxed);
    let shaken = tokio::select! {
        biased;
        () = &mut lost => {
            add(&shared.counters.strangers_refused, 1);
            None
        }
        shaken = timeout_at(begun + shared.limits.handshake, incoming) => shaken.ok().and_then(Result::ok),
    };
    shared.handshakes.fetch_sub(1, Ordering::Relaxed);
    let Some(connection) = shaken else {
        add(&shared.counters.handshakes_failed, 1);
        return;
    };
    add(&shared.counters.connections, 1);
    tracing::debug!(peer = %connection.remote_address(), "connected");
    let line = Arc::new(Line {
        permits: Arc::new(Semaphore::new(shared.limits.commands_in_flight)),
        peer: OnceLock::new(),
        hellos: AtomicUsize::new(0),
        empty_streams: AtomicUsize::new(0),
        refreshes: OnceLock::new(),
        place: Mutex::new(Some(place)),
        connection,
        shared,
    });
    tokio::select! {
        () = streams(&line) => {}
        () = strange(&line, begun, lost) => {}
    }
    tracing::debug!(peer = %line.connection.remote_address(), "ended");
}

/// Closes a connection that says no Hello in time, that no Hello has bound in time, or whose place
/// somebody else got. Ends with nothing else.
async fn strange(line: &Line, begun: Instant, mut lost: impl Future<Output = ()> + Unpin) {
    let limits = &line.shared.limits;
    let mut until = begun + limits.handshake;
    loop {
        let made_room = tokio::select! {
            () = &mut lost => true,
            () = sleep_until(until) => false,
        };
        match (line.peer.get(), made_room) {
            (Some(Peer::Bound(..)), _) => {}
            (None | Some(Peer::Stranger(_)), true) => {
                add(&line.shared.counters.strangers_refused, 1);
                line.end(End::LIMIT);
            }
            (Some(Peer::Stranger(_)), false) if until < begun + limits.stranger => {
                until = begun + limits.stranger;
                continue;
            }
            (None | Some(Peer::Stranger(_)), false) => line.end(End::TOO_SLOW),
        }
        return std::future::pending().await;
    }
}

/// Serves streams until the connection ends. At a drain each stream finishes what runs, its replies
/// are read by the peer, and then the connection is closed.
async fn streams(line: &Arc<Line>) {
    let mut draining = line.shared.draining.clone();
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = draining.wait_for(|draining| *draining) => break,
            opened = line.connection.accept_bi() => {
                let Ok((send, receive)) = opened else { break };
                tasks.spawn(stream::run(Arc::clone(line), send, receive));
            }
            Some(ended) = tasks.join_next() => {
                match ended {
                    Ok(Ok(())) => {}
                    Ok(Err(end)) => line.end(end),
                    Err(error) => {
                        tracing::error!(panicked = error.is_panic(), "a stream's task failed");
                        line.end(End::FAILED);
                    }
                }
            }
        }
    }
    while tasks.join_next().await.is_some() {}
    End::DRAINING.close(&line.connection);
}
