//! A QUIC peer that sends what it likes.

use crate::attack::checks;
use crate::node::Trouble;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, Endpoint, RecvStream, SendStream};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tessera_client::wire::{ALPN, Hello, Outbox};
use tessera_model::{Handle, HandleBytes};

/// How long a hostile peer tries to write.
const PATIENCE: Duration = Duration::from_millis(500);

/// An endpoint that believes this certificate (PEM).
pub(crate) fn endpoint(pem: &[u8]) -> Result<Endpoint, Trouble> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem)?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let crypto = QuicClientConfig::try_from(tls)?;
    let mut endpoint = Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(crypto)));
    Ok(endpoint)
}

/// A connection that has said Hello.
pub(crate) struct Raw {
    connection: Connection,
    send: SendStream,
    _receive: RecvStream,
    handle: HandleBytes,
    _endpoint: Endpoint,
}

impl Raw {
    /// Connects and says Hello with a credential; reads the first piece of the answer.
    pub(crate) async fn hello(pem: &[u8], door: SocketAddr, credential: &str) -> Result<Self, Trouble> {
        let endpoint = endpoint(pem)?;
        let connection = endpoint.connect(door, "localhost")?.await?;
        let (mut send, mut receive) = connection.open_bi().await?;
        let handle = Handle::parse_text(credential).map_err(|error| format!("{error:?}"))?.to_bytes();
        let mut out = Outbox::new();
        out.hello(1, &Hello { credential: Some(handle), ..Hello::default() })
            .map_err(|error| format!("{error:?}"))?;
        send.write_all(out.as_bytes()).await?;
        let answered = tokio::time::timeout(Duration::from_secs(10), receive.read_chunk(64, true)).await??;
        answered.ok_or("the node closed the stream")?;
        Ok(Self { connection, send, _receive: receive, handle, _endpoint: endpoint })
    }

    /// Does ill in one of four ways: nothing at all, half a frame, checks whose answers it does not read, streams
    /// that it resets.
    pub(crate) async fn misbehave(&mut self, way: u32) {
        let all = checks(&self.handle, 200);
        match way {
            0 => {}
            1 => drop(self.send.write_all(all.get(..20).unwrap_or_default()).await),
            2 => {
                let flood = async { while self.send.write_all(&all).await.is_ok() {} };
                drop(tokio::time::timeout(PATIENCE, flood).await);
            }
            _ => {
                for _ in 0..60 {
                    let opened = tokio::time::timeout(PATIENCE, self.connection.open_bi()).await;
                    let Ok(Ok((mut send, _receive))) = opened else { return };
                    drop(send.write(&[1]).await);
                    drop(send.reset(0_u32.into()));
                }
            }
        }
    }

    /// Whether the node closed it.
    pub(crate) fn is_closed(&self) -> bool {
        self.connection.close_reason().is_some()
    }
}
