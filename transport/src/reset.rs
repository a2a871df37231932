//! Stateless resets that outlive the process: a node that was killed and started again tells its callers
//! at once that their connections are gone.
//!
//! Reset tokens come from a key that the node keeps, so that the next process makes the same ones. Without
//! that, callers would wait for their idle timeout after every kill. It is not the certificate's key, which
//! is renewed now and then, and it is one node's alone: another that made the same tokens could be asked for
//! them (RFC 9000 section 21.11). Connection ids are random and not
//! checked on arrival: what an earlier process gave out must be recognised as an id too.
//! SPEC: RFC 9000 section 10.3.

use quinn::crypto::{CryptoError, HmacKey};
use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;
use tessera_crypto::{compare, digest};

/// Bytes of a connection id.
const ID_BYTES: usize = 8;

/// The key that reset tokens are made with.
struct Tokens([u8; 32]);

impl HmacKey for Tokens {
    fn sign(&self, data: &[u8], signature: &mut [u8]) {
        for (to, from) in signature.iter_mut().zip(digest::keyed(&self.0, &[data])) {
            *to = from;
        }
    }

    fn signature_len(&self) -> usize {
        32
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let made = digest::keyed(&self.0, &[data]);
        let given: &[u8; 32] = signature.try_into().map_err(|_| CryptoError)?;
        if compare::equal_arrays(&made, given) { Ok(()) } else { Err(CryptoError) }
    }
}

/// Random connection ids: a keyed hash of a counter, its key random for each generator.
#[derive(Default)]
struct Ids {
    random: RandomState,
    given: u64,
}

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        self.given += 1;
        ConnectionId::new(&self.random.hash_one(self.given).to_le_bytes())
    }

    fn cid_len(&self) -> usize {
        ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// The endpoints' configuration: tokens by the node's own key.
pub(crate) fn endpoint_config(key: &[u8]) -> EndpointConfig {
    let tokens = Tokens(digest::derive_key("tessera stateless reset v1", key));
    let mut config = EndpointConfig::new(Arc::new(tokens));
    config.cid_generator(|| Box::new(Ids::default()));
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(key_pem: &[u8], id: &[u8]) -> [u8; 32] {
        let mut out = [0; 32];
        Tokens(digest::derive_key("tessera stateless reset v1", key_pem)).sign(id, &mut out);
        out
    }

    /// PROPERTY: the next process with the same key makes the same tokens, another key others.
    /// TC-80 in part: reset tokens.
    #[test]
    fn tokens_outlive_the_process() {
        assert_eq!(token(b"key", b"12345678"), token(b"key", b"12345678"));
        assert_ne!(token(b"key", b"12345678"), token(b"key", b"12345679"));
        assert_ne!(token(b"key", b"12345678"), token(b"another", b"12345678"));
        let tokens = Tokens(digest::derive_key("tessera stateless reset v1", b"key"));
        assert!(tokens.verify(b"12345678", &token(b"key", b"12345678")).is_ok());
        assert!(tokens.verify(b"12345679", &token(b"key", b"12345678")).is_err());
    }

    /// PROPERTY: ids are of one length and do not repeat, within a generator and between two.
    #[test]
    fn ids_do_not_repeat() {
        let (mut one, mut two) = (Ids::default(), Ids::default());
        let mut seen = std::collections::HashSet::new();
        for _ in 0..10_000 {
            for id in [one.generate_cid(), two.generate_cid()] {
                assert_eq!(id.len(), ID_BYTES);
                assert!(seen.insert(id.to_vec()));
            }
        }
    }
}
