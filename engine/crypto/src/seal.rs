//! Sealing: AES-256-GCM with a nonce and associated data that the caller chooses.
//!
//! INVARIANT: a nonce is used once under a key. The caller keeps it: a counter, or 12 random bytes
//! under a key that seals few things (NIST SP 800-38D section 8.3: at most 2^32).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 12;
/// Bytes that sealing adds.
pub const SEAL_BYTES: usize = 16;

/// A sealing key. No `Debug`, no `==`; wiped when dropped.
///
/// ```compile_fail,E0277
/// format!("{:?}", tessera_crypto::Key::new([0; 32]));
/// ```
/// ```compile_fail,E0369
/// let same = tessera_crypto::Key::new([0; 32]) == tessera_crypto::Key::new([0; 32]);
/// ```
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; KEY_BYTES]>);

/// Why something was not sealed or opened. It never says which part did not fit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SealError {
    /// The cipher refused to seal (over 2^36 bytes, or no memory).
    NotSealed,
    /// Key, nonce, associated data or bytes do not belong together.
    NotAuthentic,
}

impl std::fmt::Display for SealError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotSealed => "the bytes could not be sealed",
            Self::NotAuthentic => "the sealed bytes are not authentic",
        })
    }
}

impl std::error::Error for SealError {}

impl Key {
    /// Takes 32 bytes as a key.
    #[must_use]
    pub fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, to wrap this key under another or to key a hash. Each use is a place to look at.
    #[must_use]
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Seals `plain`: as many bytes, and 16 more. `associated` is authenticated and not stored.
    ///
    /// # Errors
    /// [`SealError::NotSealed`].
    pub fn seal(
        &self,
        nonce: [u8; NONCE_BYTES],
        associated: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let mut out = Vec::with_capacity(plain.len() + SEAL_BYTES);
        out.extend_from_slice(plain);
        self.cipher()
            .ok_or(SealError::NotSealed)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated), &mut out)
            .map_err(|_| SealError::NotSealed)?;
        Ok(out)
    }

    /// Opens what [`Key::seal`] made under the same key, nonce and associated data.
    ///
    /// # Errors
    /// [`SealError::NotAuthentic`].
    pub fn open(
        &self,
        nonce: [u8; NONCE_BYTES],
        associated: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let mut out = sealed.to_vec();
        let plain = self
            .cipher()
            .ok_or(SealError::NotAuthentic)?
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(associated), &mut out)
            .map_err(|_| SealError::NotAuthentic)?
            .len();
        out.truncate(plain);
        Ok(out)
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, self.0.as_slice()).ok().map(LessSafeKey::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SPEC: The Galois/Counter Mode of Operation (McGrew, Viega), test cases 13 and 14.
    #[test]
    fn published_vectors() {
        let key = Key::new([0; 32]);
        let empty = key.seal([0; 12], b"", b"").unwrap();
        let block = key.seal([0; 12], b"", &[0; 16]).unwrap();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex(&empty), "530f8afbc74536b9a963b4f1c4cb738b");
        assert_eq!(hex(&block), "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
    }

    /// PROPERTY: opens exactly under its own key, nonce and associated data, unchanged in every bit.
    /// METHOD: every single-bit change of the sealed bytes, and one change of each other input.
    #[test]
    fn opens_only_what_was_sealed() {
        let key = Key::new([1; 32]);
        let sealed = key.seal([2; 12], b"tenant 3", b"ann@example.com").unwrap();
        assert_eq!(key.open([2; 12], b"tenant 3", &sealed).unwrap(), b"ann@example.com");
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.open([2; 12], b"tenant 3", &changed), Err(SealError::NotAuthentic));
        }
        for cut in 0..sealed.len() {
            assert_eq!(key.open([2; 12], b"tenant 3", &sealed[..cut]), Err(SealError::NotAuthentic));
        }
        assert!(key.open([3; 12], b"tenant 3", &sealed).is_err());
        assert!(key.open([2; 12], b"tenant 4", &sealed).is_err());
        assert!(Key::new([2; 32]).open([2; 12], b"tenant 3", &sealed).is_err());
    }
}
