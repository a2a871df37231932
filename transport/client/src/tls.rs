//! Which certificates are believed, and TLS 1.3 as the wire asks for it.

use crate::error::ClientError;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use std::sync::Arc;

/// Which certificates of nodes are believed.
#[derive(Clone)]
pub struct Trust(Believed);

#[derive(Clone)]
enum Believed {
    Roots(Arc<RootCertStore>),
    Pinned(CertificateDer<'static>),
}

impl Trust {
    /// Certificates that chain to one of these, in PEM.
    ///
    /// # Errors
    /// [`ClientError::BadConfig`] when the text holds no certificate.
    pub fn roots_pem(pem: &[u8]) -> Result<Self, ClientError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let bad = ClientError::BadConfig("its certificates do not read as PEM");
            let Ok(certificate) = certificate else { return Err(bad) };
            roots.add(certificate).map_err(|_| bad)?;
        }
        if roots.is_empty() {
            return Err(ClientError::BadConfig("it holds no certificate in PEM"));
        }
        Ok(Self(Believed::Roots(Arc::new(roots))))
    }

    /// Exactly this certificate, in PEM, whatever its name and lifetime (the development mode makes one).
    ///
    /// # Errors
    /// [`ClientError::BadConfig`] when the text holds no certificate.
    pub fn pinned_pem(pem: &[u8]) -> Result<Self, ClientError> {
        CertificateDer::from_pem_slice(pem)
            .map(|certificate| Self(Believed::Pinned(certificate)))
            .map_err(|_| ClientError::BadConfig("the pinned certificate does not read as PEM"))
    }
}

/// Believes one certificate; the handshake proves that the node holds its key.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *end_entity == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer))
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only TLS 1.3 is spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// TLS 1.3 on aws-lc-rs, our protocol's name, no 0-RTT.
pub(crate) fn client_config(trust: &Trust) -> Result<QuicClientConfig, ClientError> {
    let bad = |_| ClientError::BadConfig("TLS could not be set up");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(bad)?;
    let mut tls = match &trust.0 {
        Believed::Roots(roots) => builder.with_root_certificates(Arc::clone(roots)).with_no_client_auth(),
        Believed::Pinned(certificate) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned { certificate: certificate.clone(), provider }))
            .with_no_client_auth(),
    };
    tls.alpn_protocols = vec![tessera_wire::ALPN.to_vec()];
    tls.enable_early_data = false;
    QuicClientConfig::try_from(tls).map_err(|_| ClientError::BadConfig("TLS lacks a QUIC cipher suite"))
}
