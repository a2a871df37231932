//! Where time and randomness enter: two seams that `node` and the tests fill.

use tessera_model::UnixMillis;

/// The node's clock: wall time that never goes back.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> UnixMillis;

    /// Milliseconds that have passed since some moment, whatever happens to the wall clock.
    fn elapsed_ms(&self) -> u64 {
        self.now().0
    }

    /// Both of one moment, where reading them together costs less.
    fn moment(&self) -> (UnixMillis, u64) {
        (self.now(), self.elapsed_ms())
    }

    /// Whether the clock is so far from the wall's that writes must wait for an operator.
    fn is_stopped(&self) -> bool {
        false
    }

    /// The earlier and the later of this clock's time and the wall's.
    fn span(&self) -> (UnixMillis, UnixMillis) {
        (self.now(), self.now())
    }
}

/// The node's source of randomness.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `bytes` with random bytes fit for secrets.
    fn fill(&self, bytes: &mut [u8]);
}
