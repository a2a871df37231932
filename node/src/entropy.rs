//! The node's randomness: the system's generator, behind the engine's seam.

use tessera_engine::Entropy;

/// The system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        if tessera_crypto::random::draw(bytes).is_err() {
            // WHY: without randomness every secret made from here on would be guessable. Nothing was
            // acknowledged that is not durable, so stopping at once loses nothing.
            tracing::error!("the system gave no random bytes: the node stops");
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: what was there is overwritten, in every byte, sooner or later.
    #[test]
    fn every_byte_is_filled() {
        let mut changed = [false; 64];
        for _ in 0..16 {
            let mut bytes = [0; 64];
            SystemEntropy.fill(&mut bytes);
            for (seen, byte) in changed.iter_mut().zip(bytes) {
                *seen |= byte != 0;
            }
        }
        assert!(changed.iter().all(|seen| *seen));
    }
}
