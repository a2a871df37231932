//! Where new keys and nonces come from: drawn from random bytes that the node gave at the start.

use parking_lot::Mutex;
use tessera_crypto::{Key, digest};

/// A row of keys that nobody can draw again: what it was drawn from is overwritten at once.
pub(crate) struct Draw(Mutex<Key>);

impl Draw {
    /// Draws from 32 random bytes, which nobody else may have.
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        Self(Mutex::new(Key::new(digest::derive_key("tessera draw v1", seed))))
    }

    /// 32 bytes that nobody could foresee.
    pub(crate) fn bytes(&self) -> [u8; 32] {
        let mut state = self.0.lock();
        let drawn = digest::keyed(state.expose(), &[b"drawn"]);
        *state = Key::new(digest::keyed(state.expose(), &[b"next"]));
        drawn
    }

    /// A key.
    pub(crate) fn key(&self) -> Key {
        Key::new(self.bytes())
    }

    /// A nonce for a key that wraps few others.
    pub(crate) fn nonce(&self) -> [u8; 12] {
        self.bytes().first_chunk().copied().unwrap_or_default()
    }

    /// The nonces of a set of keys: two that were given, and one more.
    pub(crate) fn nonces(&self, given: &[u8; 24]) -> [[u8; 12]; 3] {
        let [index, refresh] = [given.first_chunk(), given.last_chunk()].map(|nonce| nonce.copied());
        [index.unwrap_or_default(), refresh.unwrap_or_default(), self.nonce()]
    }
}
