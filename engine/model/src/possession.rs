//! Proof of possession: a device shows that it holds the key that it was registered with, by signing what the node has just
//! made for it.
//!
//! Nothing here is verified: these are the bytes of keys, challenges and proofs, and what is signed. Who hashes and verifies
//! is told the texts and bytes.

use crate::device::Thumbprint;
use crate::id::PublicId;
use crate::private::Private;
use crate::time::Deadline;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::fmt;

/// Bytes of a public key on the curve P-256: an uncompressed point (SEC 1 section 2.3.3).
pub const P256_KEY_BYTES: usize = 65;
/// Bytes of a public key of Ed25519 (RFC 8032 section 5.1.5).
pub const ED25519_KEY_BYTES: usize = 32;
/// Bytes of a signature, of either kind: r and s behind one another (RFC 7518 section 3.4), or R and S.
pub const SIGNATURE_BYTES: usize = 64;
/// Bytes of a challenge: its end, 4; a number that no other has, 16; the seal of whoever made it, 16.
pub const CHALLENGE_BYTES: usize = 36;
/// LIMIT: bytes of a proof: a byte for the algorithm, the longer key, a signature, a challenge.
pub const DEVICE_PROOF_BYTES_MAX: usize = 1 + P256_KEY_BYTES + SIGNATURE_BYTES + CHALLENGE_BYTES;

/// What a signature of a device begins with: it is good for nothing else, and nothing else for it.
const SIGNED_AS: &[u8] = b"tessera device proof v1\0";

/// The public key of a device. SPEC: RFC 7518 section 3.4 (ES256), RFC 8037 section 3.1 (EdDSA).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum DeviceKey {
    /// ECDSA on P-256 with SHA-256.
    P256([u8; P256_KEY_BYTES]),
    /// Ed25519.
    Ed25519([u8; ED25519_KEY_BYTES]),
}

impl DeviceKey {
    /// Its bytes: 65 for P-256, 32 for Ed25519.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        match self {
            Self::P256(bytes) => bytes,
            Self::Ed25519(bytes) => bytes,
        }
    }

    /// The key of so many bytes; whether a point of P-256 lies on the curve is not looked at.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if let Ok(key) = bytes.try_into() {
            return Some(Self::Ed25519(key));
        }
        let key: [u8; P256_KEY_BYTES] = bytes.try_into().ok()?;
        // 4: not compressed.
        (key.first() == Some(&4)).then_some(Self::P256(key))
    }

    /// Reads base64url without padding of its bytes: 87 characters or 43.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if !matches!(text.len(), 43 | 87) {
            return None;
        }
        let known = Self::from_bytes(&URL_SAFE_NO_PAD.decode(text).ok()?)?;
        // One text for one key.
        (known.to_string() == text).then_some(known)
    }

    /// The text whose SHA-256 is its thumbprint: the required members of its JWK in their order.
    /// SPEC: RFC 7638 section 3, RFC 8037 section 2.
    #[must_use]
    pub fn thumbprint_text(&self) -> String {
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::P256([_, point @ ..]) => {
                let (x, y) = point.split_at(32);
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, part(x), part(y))
            }
            Self::Ed25519(key) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, part(key)),
        }
    }

    /// Its algorithm's number in a proof.
    const fn number(&self) -> u8 {
        match self {
            Self::P256(_) => 1,
            Self::Ed25519(_) => 2,
        }
    }
}

impl fmt::Display for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.bytes()))
    }
}

/// What a device signs: made by the node for one device of one tenant, good once and for two minutes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Challenge(pub [u8; CHALLENGE_BYTES]);

impl Challenge {
    /// Of its parts.
    #[must_use]
    pub fn new(until: Deadline, number: [u8; 16], seal: [u8; 16]) -> Self {
        let mut bytes = [0; CHALLENGE_BYTES];
        let parts = until.0.to_le_bytes().into_iter().chain(number).chain(seal);
        bytes.iter_mut().zip(parts).for_each(|(byte, part)| *byte = part);
        Self(bytes)
    }

    /// Its parts: when it ends, its number, and its seal.
    #[must_use]
    pub fn parts(&self) -> (Deadline, [u8; 16], [u8; 16]) {
        let [a, b, c, d, rest @ ..] = self.0;
        let (mut number, mut seal) = ([0; 16], [0; 16]);
        number.iter_mut().chain(&mut seal).zip(rest).for_each(|(byte, part)| *byte = part);
        (Deadline(u32::from_le_bytes([a, b, c, d])), number, seal)
    }

    /// The bytes that a device signs.
    #[must_use]
    pub fn signed(&self, device: PublicId) -> Vec<u8> {
        [SIGNED_AS, &device.0, &self.0].concat()
    }

    /// Reads base64url without padding: 48 characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 48 {
            return None;
        }
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// A proof that whoever made it holds a key: the key, a challenge, and the signature of what the challenge says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DeviceProof {
    /// The key that it is supposed to be made by.
    pub key: DeviceKey,
    /// The signature.
    pub signature: [u8; SIGNATURE_BYTES],
    /// The challenge that is signed.
    pub challenge: Challenge,
}

impl DeviceProof {
    /// Its bytes: algorithm (1 ES256, 2 Ed25519), key, signature, challenge.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [&[self.key.number()], self.key.bytes(), &self.signature, &self.challenge.0].concat()
    }

    /// The proof of these bytes, and of no others.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (number, rest) = bytes.split_first()?;
        let (rest, challenge) = rest.split_last_chunk::<CHALLENGE_BYTES>()?;
        let (key, signature) = rest.split_last_chunk::<SIGNATURE_BYTES>()?;
        let key = DeviceKey::from_bytes(key).filter(|key| key.number() == *number)?;
        Some(Self { key, signature: *signature, challenge: Challenge(*challenge) })
    }

    /// Reads base64url without padding of its bytes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // LIMIT: four characters for three bytes.
        if text.len() > DEVICE_PROOF_BYTES_MAX.div_ceil(3) * 4 {
            return None;
        }
        Self::from_bytes(&URL_SAFE_NO_PAD.decode(text).ok()?)
    }
}

impl fmt::Display for DeviceProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.to_bytes()))
    }
}

/// What stands around a private key in a file. SPEC: RFC 7468 section 10.
const PEM: [&str; 2] = ["-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"];

/// A private key in PKCS#8 form as a file's text.
#[must_use]
pub fn pem_of(pkcs8: &[u8]) -> Private {
    let [begin, end] = PEM;
    Private::new(format!("{begin}\n{}\n{end}\n", STANDARD.encode(pkcs8)).into_bytes())
}

/// The private key in PKCS#8 form that a file's text holds.
#[must_use]
pub fn pkcs8_of(text: &str) -> Option<Private> {
    let [begin, end] = PEM;
    let inner = text.trim().strip_prefix(begin)?.strip_suffix(end)?;
    let packed: String = inner.split_ascii_whitespace().collect();
    STANDARD.decode(packed).ok().map(Private::new)
}

/// The device that a session opens on, and by which key it was shown to be that one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct OnDevice {
    /// Its public id.
    pub id: PublicId,
    /// The thumbprint of the key that was proven to be held; none where the caller answers for the device.
    pub proven: Option<Thumbprint>,
}

/// The caller answers for it.
impl From<PublicId> for OnDevice {
    fn from(id: PublicId) -> Self {
        Self { id, proven: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: keys, challenges and proofs read back from bytes and texts; whatever is cut, longer or of another
    /// algorithm does not read.
    #[test]
    fn proofs_read_back() {
        let mut point = [7; P256_KEY_BYTES];
        point[0] = 4;
        for key in [DeviceKey::P256(point), DeviceKey::Ed25519([9; 32])] {
            assert_eq!(DeviceKey::from_bytes(key.bytes()), Some(key));
            assert_eq!(DeviceKey::parse(&key.to_string()), Some(key));
            let challenge = Challenge::new(Deadline(77), [1; 16], [2; 16]);
            assert_eq!(challenge.parts(), (Deadline(77), [1; 16], [2; 16]));
            assert_eq!(Challenge::parse(&challenge.to_string()), Some(challenge));
            let proof = DeviceProof { key, signature: [3; 64], challenge };
            let bytes = proof.to_bytes();
            assert!(bytes.len() <= DEVICE_PROOF_BYTES_MAX);
            assert_eq!(DeviceProof::from_bytes(&bytes), Some(proof));
            assert_eq!(DeviceProof::parse(&proof.to_string()), Some(proof));
            for at in 0..bytes.len() {
                assert_eq!(DeviceProof::from_bytes(&bytes[..at]), None, "cut at {at}");
            }
            let mut other = bytes.clone();
            other[0] ^= 3;
            assert_eq!(DeviceProof::from_bytes(&other), None, "another algorithm");
            assert_eq!(DeviceProof::from_bytes(&[bytes, vec![0]].concat()), None, "longer");
        }
        point[0] = 2;
        assert_eq!(DeviceKey::from_bytes(&point), None, "a compressed point has 33 bytes");
        for text in ["", "A", &"A".repeat(87), &format!("{}B", "A".repeat(42))] {
            assert_eq!(DeviceKey::parse(text), None, "{text}");
        }
    }

    /// PROPERTY: a private key reads back from its text, also when that is broken into lines; others do not read.
    #[test]
    fn private_keys_read_back() {
        let text = String::from_utf8(pem_of(&[7; 48]).expose().to_vec()).expect("a text");
        assert_eq!(pkcs8_of(&text).expect("a key").expose(), [7; 48]);
        assert!(pkcs8_of(&text.replace("BwcHBwcH", "BwcH\nBwcH")).is_some());
        for bad in
            ["", "-----BEGIN PRIVATE KEY-----", &text.replace("PRIVATE", "PUBLIC"), &text.replace("Bw", "!!")]
        {
            assert!(pkcs8_of(bad).is_none(), "{bad}");
        }
    }

    /// PROPERTY: what is hashed for a thumbprint is the text of the specifications' examples: RFC 8037 appendix A.3.
    #[test]
    fn thumbprints_are_of_the_specified_text() {
        let key = DeviceKey::parse("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").expect("a key");
        let text = r#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        assert_eq!(key.thumbprint_text(), text);
    }
}
