//! Metrics, health and readiness over plain HTTP, for this machine's probes.

use crate::assemble::Live;
use crate::exit::{FatalError, elsewhere};
use crate::lifecycle::Phase;
use crate::metric;
use crate::telemetry::Recorder;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What the answers are made from.
#[derive(Clone)]
struct Shared {
    recorder: Recorder,
    phase: watch::Receiver<Phase>,
    live: Arc<OnceLock<Live>>,
}

/// Binds the address, before anything is started that would have to be undone.
///
/// # Errors
/// When the address is in use or not of this machine.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, FatalError> {
    TcpListener::bind(address).await.map_err(|error| {
        FatalError::unavailable(format!("health.listen {address}: {error}{}", elsewhere("HEALTH", &error)))
    })
}

/// Answers until the node has ended.
pub(crate) async fn serve(
    listener: TcpListener,
    recorder: Recorder,
    phase: watch::Receiver<Phase>,
    live: Arc<OnceLock<Live>>,
) {
    let mut ended = phase.clone();
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(alive))
        .route("/readyz", get(ready))
        .with_state(Shared { recorder, phase, live });
    let end = async move {
        // A sender that is gone means the end too.
        drop(ended.wait_for(|phase| *phase == Phase::Ended).await);
    };
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(end).await {
        tracing::error!(%error, "the listener for metrics and health has failed");
    }
}

async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    let ready = *shared.phase.borrow() == Phase::Ready;
    metrics::gauge!(metric::READY).set(if ready { 1.0 } else { 0.0 });
    if let Some(live) = shared.live.get() {
        live.record();
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], shared.recorder.render())
}

/// The process runs: whoever restarts it for a missing answer here is right.
async fn alive() -> &'static str {
    "alive\n"
}

/// Whether requests should be sent here.
async fn ready(State(shared): State<Shared>) -> impl IntoResponse {
    let (status, what) = match *shared.phase.borrow() {
        Phase::Ready => (StatusCode::OK, "ready\n"),
        Phase::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        Phase::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        Phase::Ended => (StatusCode::SERVICE_UNAVAILABLE, "ended\n"),
    };
    let mut text = what.to_owned();
    // Details for people: requests are answered all the same, whoever is not concerned.
    let (tenants, parts, entries) = shared.live.get().map(Live::damage).unwrap_or_default();
    if tenants > 0 {
        text.push_str(&format!("tenants that failed: {tenants}, see the log\n"));
    }
    if parts > 0 {
        text.push_str(&format!("tenants of which a part cannot be read: {parts}, see the log\n"));
    }
    if entries > 0 {
        text.push_str(&format!("damaged entries of the checkpoint: {entries}, see the log\n"));
    }
    (status, text)
}
