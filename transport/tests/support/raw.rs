//! A peer that sends what it likes.

use super::House;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream};
use rustls_pki_types::pem::PemObject;
use std::sync::Arc;
use std::time::Duration;
use tessera_client::wire::{Fault, Hello, Inbox, Kind, Outbox};
use tessera_model::Handle;
use tokio::time::timeout;

/// One connection and one stream of it.
pub(crate) struct Raw {
    pub(crate) connection: Connection,
    pub(crate) send: SendStream,
    pub(crate) receive: RecvStream,
    inbox: Inbox,
    _endpoint: Endpoint,
}

/// An endpoint that believes the house's certificate.
pub(crate) fn endpoint(house: &House, alpn: &[u8]) -> Endpoint {
    let mut roots = rustls::RootCertStore::empty();
    let certificate = rustls_pki_types::CertificateDer::from_pem_slice(house.pem.as_bytes());
    roots.add(certificate.expect("a certificate")).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![alpn.to_vec()];
    let crypto = QuicClientConfig::try_from(tls).expect("QUIC");
    let mut endpoint = Endpoint::client("127.0.0.1:0".parse().expect("an address")).expect("a socket");
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(crypto)));
    endpoint
}

impl Raw {
    /// Connects and opens a stream; says nothing.
    pub(crate) async fn connect(house: &House) -> Self {
        let endpoint = endpoint(house, b"tessera/1");
        let connecting = endpoint.connect(house.door.address(), "localhost").expect("an address");
        let connection = connecting.await.expect("connected");
        let (send, receive) = connection.open_bi().await.expect("a stream");
        Self::over(endpoint, connection, send, receive)
    }

    /// A peer on a stream that exists.
    pub(crate) fn over(
        endpoint: Endpoint,
        connection: Connection,
        send: SendStream,
        receive: RecvStream,
    ) -> Self {
        Self { connection, send, receive, inbox: Inbox::default(), _endpoint: endpoint }
    }

    /// Connects and says Hello with a credential.
    pub(crate) async fn hello(house: &House, credential: &str) -> Self {
        let mut raw = Self::connect(house).await;
        let handle = Handle::parse_text(credential).expect("a handle").to_bytes();
        let hello = Hello { credential: Some(handle), ..Hello::default() };
        let mut out = Outbox::new();
        out.hello(1, &hello).expect("written");
        raw.write(out.as_bytes()).await;
        let (id, kind, _) = raw.next().await.expect("an answer");
        assert_eq!((id, kind), (1, Kind::HelloReply));
        raw
    }

    /// Sends bytes; that the peer may be gone already is no error here.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        drop(self.send.write_all(bytes).await);
    }

    /// The next frame: its request id, its kind, and the fault it holds, if it is one.
    pub(crate) async fn next(&mut self) -> Option<(u64, Kind, Option<Fault>)> {
        loop {
            if let Some(frame) = self.inbox.next_frame().expect("sound frames") {
                let kind = frame.kind().expect("a kind");
                let fault = (kind == Kind::Error).then(|| frame.fault().expect("a fault"));
                return Some((frame.header.request_id, kind, fault));
            }
            let read = timeout(Duration::from_secs(60), self.receive.read_chunk(usize::MAX, true));
            let chunk = read.await.expect("an answer in time").ok()??;
            self.inbox.extend(&chunk.bytes);
        }
    }

    /// The next frame is an Error with this code, for this request.
    pub(crate) async fn expect_fault(&mut self, id: u64, code: u16) {
        let (found, kind, fault) = self.next().await.expect("an answer");
        assert_eq!((found, kind, fault.map(|fault| fault.code)), (id, Kind::Error, Some(code)));
    }

    /// Waits for the end of the connection: the code that the door gave.
    pub(crate) async fn closed(&self) -> u64 {
        let closed = timeout(Duration::from_secs(60), self.connection.closed()).await;
        match closed.expect("closed in time") {
            ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
            other => panic!("{other}"),
        }
    }
}
