//! Start, ready, drain, end: the phases of a node and the signals that move it.

use crate::exit::FatalError;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Where the node is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    /// Files are opened and recovered; nothing is answered yet.
    Starting,
    /// Requests are taken.
    Ready,
    /// No new connections; open requests finish.
    Draining,
    /// Everything is on disk and closed.
    Ended,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wish {
    /// SIGTERM or SIGINT: drain and end.
    End,
    /// SIGHUP: load the certificate again.
    Reload,
}

/// The signals that the node listens to.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Takes the signals over from the system's defaults.
    ///
    /// # Errors
    /// When the system does not let them be taken.
    pub(crate) fn take() -> Result<Self, FatalError> {
        let take = |kind| {
            signal(kind).map_err(|error| FatalError::unavailable(format!("signals cannot be taken: {error}")))
        };
        Ok(Self {
            terminate: take(SignalKind::terminate())?,
            interrupt: take(SignalKind::interrupt())?,
            hangup: take(SignalKind::hangup())?,
        })
    }

    /// The next wish.
    pub(crate) async fn next(&mut self) -> Wish {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Wish::End,
            _ = self.interrupt.recv() => Wish::End,
            _ = self.hangup.recv() => Wish::Reload,
        }
    }
}

/// A channel for the phase, starting at the start.
pub(crate) fn phases() -> (watch::Sender<Phase>, watch::Receiver<Phase>) {
    watch::channel(Phase::Starting)
}
