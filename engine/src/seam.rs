//! Where time and randomness enter: two seams that `node` and the tests fill.

use tessera_model::UnixMillis;

/// The node's clock: wall time that never goes back.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> UnixMillis;
}

/// The node's source of randomness.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `bytes` with random bytes fit for secrets.
    fn fill(&self, bytes: &mut [u8]);
}
