//! One connection: its handshake, who it is bound to, its streams and its end.

use crate::budget::{Bucket, Budgets};
use crate::end::End;
use crate::figures::{Counters, add};
use crate::limits::Limits;
use crate::sources::{self, Sources};
use crate::stream;
use quinn::{Connection, Incoming, VarInt};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use tessera_engine::{Bound, Engine};
use tessera_model::{CellId, HandleBytes};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// What all connections of a door share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) limits: Limits,
    pub(crate) counters: Counters,
    pub(crate) budgets: Budgets,
    pub(crate) sources: Arc<Sources>,
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
    /// Nobody yet: only the operator's claim is taken.
    Stranger,
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

    /// Hello was answered with a tenant: more streams and wider windows from now on.
    pub(crate) fn open_up(&self) {
        let limits = &self.shared.limits;
        self.connection.set_max_concurrent_bi_streams(VarInt::from_u32(limits.streams));
        self.connection.set_receive_window(VarInt::from_u32(limits.connection_window));
    }

    /// Closes with a code.
    pub(crate) fn end(&self, end: End) {
        add(&self.shared.counters.closed, 1);
        end.close(&self.connection);
    }
}

/// From the first packet to the end.
pub(crate) async fn run(incoming: Incoming, shared: Arc<Shared>, _source: sources::Counted) {
    let _counted = Counted::new(&shared);
    shared.handshakes.fetch_add(1, Ordering::Relaxed);
    let shaken = timeout(shared.limits.handshake, incoming).await;
    shared.handshakes.fetch_sub(1, Ordering::Relaxed);
    let Ok(Ok(connection)) = shaken else {
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
        connection,
        shared,
    });
    let silence = tokio::spawn(hello_in_time(Arc::clone(&line)));
    streams(&line).await;
    silence.abort();
    tracing::debug!(peer = %line.connection.remote_address(), "ended");
}

/// Whoever has not said Hello in time is closed.
async fn hello_in_time(line: Arc<Line>) {
    tokio::time::sleep(line.shared.limits.handshake).await;
    if line.peer.get().is_none() {
        line.end(End::TOO_SLOW);
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
