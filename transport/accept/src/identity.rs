//! TLS 1.3 with a certificate that can be replaced while connections stand.

use crate::named::is_authority;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// No client takes such a one, and the node would learn of it from none of them.
const OF_AUTHORITY: &str = "the first certificate is an authority's (CA:TRUE), which no client takes as a server's: make one with openssl req -x509 -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:NAME, or put the server's own first";

/// The certificate that new handshakes get.
#[derive(Debug)]
pub struct Identity {
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

/// Why there is no TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum IdentityError {
    /// The certificate or its key does not hold: what is wrong.
    Certificate(&'static str),
    /// TLS could not be set up.
    Tls,
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(what) => f.write_str(what),
            Self::Tls => f.write_str("TLS could not be set up"),
        }
    }
}

impl std::error::Error for IdentityError {}

impl Identity {
    /// Takes a chain and its key, both in PEM.
    ///
    /// # Errors
    /// [`IdentityError::Certificate`] when they do not read or do not belong together.
    pub fn new(chain_pem: &[u8], key_pem: &[u8]) -> Result<Arc<Self>, IdentityError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let current = RwLock::new(pair(&provider, chain_pem, key_pem)?);
        Ok(Arc::new(Self { provider, current }))
    }

    /// Replaces the certificate for new handshakes; a bad pair changes nothing.
    ///
    /// # Errors
    /// [`IdentityError::Certificate`].
    pub fn replace(&self, chain_pem: &[u8], key_pem: &[u8]) -> Result<(), IdentityError> {
        let fresh = pair(&self.provider, chain_pem, key_pem)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// TLS 1.3 that speaks these protocols, without early data: what changes something must not be replayed.
    ///
    /// # Errors
    /// [`IdentityError::Tls`].
    pub fn config(self: &Arc<Self>, protocols: &[&[u8]]) -> Result<ServerConfig, IdentityError> {
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider));
        let builder =
            builder.with_protocol_versions(&[&rustls::version::TLS13]).map_err(|_| IdentityError::Tls)?;
        let mut tls = builder.with_no_client_auth().with_cert_resolver(Arc::clone(self) as _);
        tls.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        tls.max_early_data_size = 0;
        Ok(tls)
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn pair(
    provider: &CryptoProvider,
    chain_pem: &[u8],
    key_pem: &[u8],
) -> Result<Arc<CertifiedKey>, IdentityError> {
    let bad = IdentityError::Certificate;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain_pem).collect();
    let chain = chain.map_err(|_| bad("the certificate does not read as PEM"))?;
    if chain.is_empty() {
        return Err(bad("no certificate in the file"));
    }
    if chain.first().is_some_and(|first| is_authority(first)) {
        return Err(bad(OF_AUTHORITY));
    }
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| bad("the key does not read as PEM"))?;
    let key =
        provider.key_provider.load_private_key(key).map_err(|_| bad("the key is of a kind not known"))?;
    let pair = CertifiedKey::new(chain, key);
    pair.keys_match().map_err(|_| bad("certificate and key do not belong together"))?;
    Ok(Arc::new(pair))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, IsCa};

    fn made() -> (Vec<u8>, Vec<u8>) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        (made.cert.pem().into_bytes(), made.signing_key.serialize_pem().into_bytes())
    }

    /// PROPERTY: an authority's certificate, which every client refuses, is refused and changes nothing, with a bound on its
    /// path and without; behind the server's own it may stand.
    #[test]
    fn an_authoritys_certificate_is_refused() {
        let (chain, key) = made();
        let identity = Identity::new(&chain, &key).expect("an identity");
        let signed = |is_ca: IsCa| {
            let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("names");
            parameters.is_ca = is_ca;
            parameters.key_usages.push(rcgen::KeyUsagePurpose::DigitalSignature);
            let key = rcgen::KeyPair::generate().expect("a key");
            let made = parameters.self_signed(&key).expect("signed");
            (made.pem().into_bytes(), key.serialize_pem().into_bytes())
        };
        for bound in [BasicConstraints::Unconstrained, BasicConstraints::Constrained(0)] {
            let (authority, its_key) = signed(IsCa::Ca(bound));
            let refused = Err(IdentityError::Certificate(OF_AUTHORITY));
            assert_eq!(identity.replace(&authority, &its_key), refused);
            let both: Vec<u8> = chain.iter().chain(&authority).copied().collect();
            assert_eq!(identity.replace(&both, &key), Ok(()));
        }
        let (server, its_key) = signed(IsCa::ExplicitNoCa);
        assert_eq!(identity.replace(&server, &its_key), Ok(()));
        assert!(!is_authority(b"no certificate"));
    }

    /// PROPERTY: a pair that belongs together is taken and shown to the next handshake; any other is refused and
    /// changes nothing.
    /// TC-79 in part: no early data is taken.
    #[test]
    fn a_bad_pair_changes_nothing() {
        let ((chain, key), (other_chain, other_key)) = (made(), made());
        let identity = Identity::new(&chain, &key).expect("an identity");
        let shown = || identity.current.read().expect("no panic").cert.clone();
        let before = shown();
        for (chain, key) in [(&chain, &other_key), (&other_chain, &key), (&key, &chain), (&Vec::new(), &key)]
        {
            assert!(matches!(identity.replace(chain, key), Err(IdentityError::Certificate(_))));
            assert!(Identity::new(chain, key).is_err());
            assert_eq!(shown(), before);
        }
        identity.replace(&other_chain, &other_key).expect("replaced");
        assert_ne!(shown(), before);
        assert!(identity.config(&[b"h2"]).is_ok_and(|tls| tls.max_early_data_size == 0));
    }
}
