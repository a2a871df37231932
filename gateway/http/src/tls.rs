//! TLS for HTTP: 1.3, HTTP/2 and 1.1, with a certificate that can be replaced while connections stand.

use crate::door::DoorError;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::{Arc, PoisonError, RwLock};

/// The certificate that new handshakes get.
#[derive(Debug)]
pub(crate) struct Identity {
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Identity {
    /// Takes a chain and its key, both in PEM.
    pub(crate) fn new(chain_pem: &[u8], key_pem: &[u8]) -> Result<Arc<Self>, DoorError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let current = RwLock::new(pair(&provider, chain_pem, key_pem)?);
        Ok(Arc::new(Self { provider, current }))
    }

    /// Replaces the certificate for new handshakes; a bad pair changes nothing.
    pub(crate) fn replace(&self, chain_pem: &[u8], key_pem: &[u8]) -> Result<(), DoorError> {
        let fresh = pair(&self.provider, chain_pem, key_pem)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// TLS 1.3 without early data: what changes something must not be replayed.
    pub(crate) fn config(self: &Arc<Self>) -> Result<rustls::ServerConfig, DoorError> {
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&self.provider));
        let builder =
            builder.with_protocol_versions(&[&rustls::version::TLS13]).map_err(|_| DoorError::Tls)?;
        let mut tls = builder.with_no_client_auth().with_cert_resolver(Arc::clone(self) as _);
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        tls.max_early_data_size = 0;
        Ok(tls)
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn pair(provider: &CryptoProvider, chain_pem: &[u8], key_pem: &[u8]) -> Result<Arc<CertifiedKey>, DoorError> {
    let bad = DoorError::Certificate;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain_pem).collect();
    let chain = chain.map_err(|_| bad("the certificate does not read as PEM"))?;
    if chain.is_empty() {
        return Err(bad("no certificate in the file"));
    }
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| bad("the key does not read as PEM"))?;
    let key =
        provider.key_provider.load_private_key(key).map_err(|_| bad("the key is of a kind not known"))?;
    let pair = CertifiedKey::new(chain, key);
    pair.keys_match().map_err(|_| bad("certificate and key do not belong together"))?;
    Ok(Arc::new(pair))
}
