//! Signatures of devices: verified, and made by whoever plays one.
//!
//! Two algorithms, both deterministic in what they accept: ECDSA on P-256 with SHA-256, the signature as r and s behind one
//! another, and Ed25519. A key says by its length which one it is.

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, ParsedPublicKey, VerificationAlgorithm,
};
use zeroize::Zeroizing;

/// Bytes of a public key on P-256: an uncompressed point.
const P256_BYTES: usize = 65;

/// The algorithm of a public key, by its length.
fn algorithm(key: &[u8]) -> &'static dyn VerificationAlgorithm {
    if key.len() == P256_BYTES { &ECDSA_P256_SHA256_FIXED } else { &ED25519 }
}

/// SHA-256, as thumbprints of keys ask for it (RFC 7638).
#[must_use]
pub fn sha256(text: &[u8]) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, text);
    digest.as_ref().try_into().unwrap_or_default()
}

/// Whether these bytes are a public key: a point of P-256 that lies on the curve, or 32 bytes of Ed25519.
#[must_use]
pub fn is_key(key: &[u8]) -> bool {
    matches!(key.len(), P256_BYTES | 32) && ParsedPublicKey::new(algorithm(key), key).is_ok()
}

/// Whether a signature of a message was made by the holder of a key.
#[must_use]
pub fn is_signed_by(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = ParsedPublicKey::new(algorithm(key), key);
    key.is_ok_and(|key| key.verify_sig(message, signature).is_ok())
}

/// The system gave no key, or these bytes hold none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SigningKeyError;

impl std::fmt::Display for SigningKeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no key of P-256 or Ed25519 in PKCS#8 form")
    }
}

impl std::error::Error for SigningKeyError {}

enum Pair {
    P256(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// A device's private key. No `Debug`, no `==`.
pub struct SigningKey(Pair);

impl SigningKey {
    /// A new private key of P-256, in PKCS#8 form (RFC 5958): for programs that play a device. Real ones keep theirs in
    /// hardware.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn generate_p256() -> Result<Zeroizing<Vec<u8>>, SigningKeyError> {
        let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        pair.map(|document| Zeroizing::new(document.as_ref().to_vec())).map_err(|_| SigningKeyError)
    }

    /// The same of Ed25519.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn generate_ed25519() -> Result<Zeroizing<Vec<u8>>, SigningKeyError> {
        let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
        pair.map(|document| Zeroizing::new(document.as_ref().to_vec())).map_err(|_| SigningKeyError)
    }

    /// The private key in PKCS#8 form, of either algorithm.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn from_pkcs8(bytes: &[u8]) -> Result<Self, SigningKeyError> {
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes) {
            return Ok(Self(Pair::P256(Box::new(pair))));
        }
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes).map_err(|_| SigningKeyError)?;
        Ok(Self(Pair::Ed25519(Box::new(pair))))
    }

    /// The bytes of its public key.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        match &self.0 {
            Pair::P256(pair) => pair.public_key().as_ref(),
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
        }
    }

    /// Signs a message: 64 bytes.
    ///
    /// # Errors
    /// [`SigningKeyError`] when the system gives no random bytes.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningKeyError> {
        let signature = match &self.0 {
            Pair::P256(pair) => pair.sign(&SystemRandom::new(), message).map_err(|_| SigningKeyError)?,
            Pair::Ed25519(pair) => pair.sign(message),
        };
        signature.as_ref().try_into().map_err(|_| SigningKeyError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> [SigningKey; 2] {
        let made = [SigningKey::generate_p256(), SigningKey::generate_ed25519()];
        made.map(|bytes| SigningKey::from_pkcs8(&bytes.expect("made")).expect("a key"))
    }

    /// PROPERTY: a signature holds for its key and its message alone, whichever bit of them is another one, and a key that is
    /// no point is none.
    #[test]
    fn signatures_hold_for_their_key_and_message() {
        for (key, other) in keys().into_iter().zip(keys()) {
            let signature = key.sign(b"message").expect("signed");
            let public = key.public_key();
            assert!(is_key(public) && is_signed_by(public, b"message", &signature));
            assert!(!is_signed_by(other.public_key(), b"message", &signature));
            assert!(!is_signed_by(public, b"massage", &signature));
            for bit in (0..signature.len() * 8).step_by(7) {
                let mut bent = signature;
                bent[bit / 8] ^= 1 << (bit % 8);
                assert!(!is_signed_by(public, b"message", &bent), "bit {bit}");
            }
            assert!(!is_signed_by(public, b"message", &[0; 64]) && !is_signed_by(public, b"message", &[]));
        }
        let mut nowhere = [5; P256_BYTES];
        nowhere[0] = 4;
        assert!(!is_key(&nowhere) && !is_signed_by(&nowhere, b"message", &[1; 64]));
        assert!(!is_key(&[]) && !is_key(&[4; 64]) && SigningKey::from_pkcs8(b"no key").is_err());
    }

    /// PROPERTY: the hash is SHA-256: the thumbprint of RFC 8037 appendix A.3 comes of its text.
    #[test]
    fn the_hash_is_sha_256() {
        let text = br#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let known = [0x90, 0xfa, 0xca, 0xfe, 0xa9, 0xb1, 0x55, 0x66];
        assert_eq!(sha256(text)[..8], known);
    }
}
