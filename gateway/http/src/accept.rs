//! Connections: accepted within limits, their TLS shaken, served over HTTP/1.1 or 2, ended well.

use crate::caller::{Listed, Origin};
use crate::door::Shared;
use crate::figures::add;
use crate::held::Waiting;
use crate::one;
use crate::route;
use crate::stream::{Known, Stream};
use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tessera_model::Source;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long the door rests when the system gives it no socket: too many open files.
const REST: Duration = Duration::from_millis(50);

/// What every connection is served with.
pub(crate) type Served = (Arc<Shared>, Router);

/// Counts a connection while it stands.
struct Standing(Arc<Shared>);

impl Standing {
    fn new(shared: &Arc<Shared>) -> Self {
        add(&shared.counters.connections_open, 1);
        Self(Arc::clone(shared))
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.0.counters.connections_open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Accepts until the drain begins. Every connection holds `alive`.
pub(crate) async fn run(
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    (shared, router): Served,
    alive: mpsc::Sender<()>,
) {
    let mut draining = shared.draining.clone();
    let acceptor = tls.map(TlsAcceptor::from);
    loop {
        let accepted = tokio::select! {
            biased;
            _ = draining.wait_for(|draining| *draining) => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(REST).await;
            continue;
        };
        let limits = &shared.limits;
        let open = shared.counters.connections_open.load(Ordering::Relaxed);
        // A listed proxy speaks for many.
        let most = if shared.proxies.contains(&peer.ip().to_canonical()) {
            usize::MAX
        } else {
            limits.connections_per_source
        };
        let counted = shared.sources.count(Source::of(peer.ip()), most);
        let Some(counted) = counted.filter(|_| open < limits.connections as u64) else {
            add(&shared.counters.connections_refused, 1);
            continue;
        };
        let standing = Standing::new(&shared);
        let (served, acceptor, alive) =
            ((Arc::clone(&shared), router.clone()), acceptor.clone(), alive.clone());
        drop(tokio::spawn(async move {
            connection(stream, peer, acceptor, served).await;
            drop((standing, counted, alive));
        }));
    }
    // Whoever waits for the end finds nobody listening.
    drop(listener);
    drop(alive);
}

/// One connection, from its handshake to its end.
async fn connection(stream: TcpStream, peer: SocketAddr, acceptor: Option<TlsAcceptor>, served: Served) {
    // Answers are small and wait for nobody.
    drop(stream.set_nodelay(true));
    add(&served.0.counters.connections, 1);
    let origin = |sni| Origin { address: peer.ip().to_canonical(), sni, proxied: false, listed: Listed::No };
    let Some(acceptor) = acceptor else {
        return one::serve(stream, origin(None), served).await;
    };
    match shake(stream, acceptor, &served.0).await {
        Some(stream) => {
            let session = stream.get_ref().1;
            let origin = origin(session.server_name().map(|name| name.to_ascii_lowercase().into()));
            // What was agreed on is spoken: nothing is guessed from the first bytes.
            if session.alpn_protocol() == Some(b"h2") {
                Box::pin(two(stream, origin, served)).await;
            } else {
                Box::pin(one::serve(stream, origin, served)).await;
            }
        }
        None => add(&served.0.counters.handshakes_failed, 1),
    }
}

/// Shakes hands, within its time.
async fn shake(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    shared: &Shared,
) -> Option<Box<TlsStream<TcpStream>>> {
    let shaken = tokio::time::timeout(shared.limits.handshake, acceptor.accept(stream));
    Box::pin(shaken).await.ok()?.ok().map(Box::new)
}

/// Serves requests over HTTP/2 until the peer or the drain ends the connection.
async fn two<S>(stream: S, origin: Origin, (shared, router): Served)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = shared.limits;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        // Twice the cap: what is between is answered with a problem document.
        .max_header_list_size(u32::try_from(limits.head_bytes.saturating_mul(2)).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(32)
        .max_local_error_reset_streams(64)
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(256 * 1024)
        .max_send_buf_size(256 * 1024)
        .keep_alive_interval(limits.head)
        .keep_alive_timeout(limits.body);
    let mut draining = shared.draining.clone();
    let known = Arc::new(Known::default());
    let stream = Stream::new(stream, Arc::clone(&shared), false, Arc::clone(&known));
    let waiting = Arc::new(Waiting::default());
    let held = Arc::clone(&waiting);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (shared, router, origin) = (Arc::clone(&shared), router.clone(), origin.clone());
        let (waiting, known) = (Arc::clone(&held), Arc::clone(&known));
        async move {
            let response = route::respond(&shared, router, origin, (request, &known.unread)).await;
            Ok::<_, Infallible>(response.map(|body| waiting.hold(body)))
        }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut kept = pin!(kept(waiting, limits.body));
    tokio::select! {
        biased;
        // The end of a connection, whoever ended it, is its end.
        ended = connection.as_mut() => return drop(ended),
        _ = draining.wait_for(|draining| *draining) => {}
        () = kept.as_mut() => return,
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        ended = connection => drop(ended),
        () = kept => {}
    }
}

/// Ends when the peer has not taken an answer for too long; over HTTP/1.1 the stream looks after that.
async fn kept(waiting: Arc<Waiting>, turn: Duration) {
    loop {
        tokio::time::sleep(turn).await;
        if !waiting.turn() {
            return;
        }
    }
}
