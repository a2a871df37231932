//! Builds a node from its configuration, bottom up, and takes it down again, top down.

use crate::clock::{Drift, Machine, NodeClock};
use crate::config::Config;
use crate::entropy::SystemEntropy;
use crate::exit::FatalError;
use crate::lifecycle::{self, Phase, Signals, Wish};
use crate::telemetry::{self, Recorder};
use crate::{http, metric, tls};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Runs a node until a signal ends it.
///
/// # Errors
/// What kept it from starting, or made it stop.
pub(crate) fn serve(config: Config) -> Result<(), FatalError> {
    telemetry::start_log(&config.log)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| FatalError::unavailable(format!("the runtime cannot start: {error}")))?;
    runtime.block_on(live(config))
}

/// Runs a node for development below `folder`.
///
/// # Errors
/// As [`serve`].
pub(crate) fn develop(config: Config, folder: &Path) -> Result<(), FatalError> {
    std::fs::create_dir_all(folder)
        .map_err(|error| FatalError::unavailable(format!("{}: {error}", folder.display())))?;
    serve(config)
}

async fn live(config: Config) -> Result<(), FatalError> {
    let mut signals = Signals::take()?;
    let recorder = Recorder::install()?;
    let (phase, watching) = lifecycle::phases();
    let listener = http::bind(config.http.listen).await?;
    let door = tokio::spawn(http::serve(listener, recorder, watching));
    let clock = Arc::new(NodeClock::new(Machine));
    let _entropy = SystemEntropy;
    let _identity = tls::identity(&config)?;
    let follower = tokio::spawn(follow(Arc::clone(&clock)));
    phase.send_replace(Phase::Ready);
    tracing::info!(http = %config.http.listen, quic = %config.quic.listen, "ready");
    loop {
        match signals.next().await {
            Wish::End => break,
            Wish::Reload => metrics::counter!(metric::CERTIFICATE_RELOADS_TOTAL).increment(1),
        }
    }
    let started = Instant::now();
    phase.send_replace(Phase::Draining);
    tracing::info!("draining");
    follower.abort();
    metrics::histogram!(metric::DRAIN_SECONDS).record(started.elapsed().as_secs_f64());
    phase.send_replace(Phase::Ended);
    drop(tokio::time::timeout(Duration::from_secs(1), door).await);
    tracing::info!("ended");
    Ok(())
}

/// Compares the clock with the wall once a second.
async fn follow(clock: Arc<NodeClock>) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tick.tick().await;
        let drift = match clock.follow() {
            Drift::Followed(drift) => drift,
            Drift::Alarm(drift) => {
                metrics::counter!(metric::CLOCK_ALARMS_TOTAL).increment(1);
                tracing::warn!(drift_ms = drift, "the wall clock is too far off and is not followed");
                drift
            }
        };
        metrics::gauge!(metric::CLOCK_DRIFT_SECONDS).set(drift as f64 / 1000.0);
    }
}
