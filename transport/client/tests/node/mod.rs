//! A stand-in for a node: speaks the wire, answers by a script.

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Connection, Endpoint, RecvStream, SendStream, VarInt};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tessera_client::wire::{Fault, Frame, HelloReply, Inbox, Kind, Outbox};
use tessera_client::{Config, Trust};
use tessera_model::{Decision, Epoch, Reason, Receipt, Revision, UnixMillis};

/// What the stand-in does with one frame after Hello.
pub(crate) enum Act {
    /// Sends what was written.
    Answer,
    /// Says nothing.
    Silence,
    /// Closes the connection.
    Hang,
}

type Script = dyn Fn(&Frame<'_>, &mut Outbox) -> Act + Send + Sync;

/// A running stand-in.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) pem: String,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) open: Arc<AtomicUsize>,
    /// Hellos that are still answered by NotReady.
    pub(crate) waking: Arc<AtomicUsize>,
    pub(crate) endpoint: Endpoint,
    /// What it takes connections with; without one it takes none.
    pub(crate) server: quinn::ServerConfig,
}

pub(crate) const NODE_MS: u64 = 1_764_100_000_000;

/// A Permit at revision 41.
pub(crate) fn permit() -> Decision {
    let seen = Receipt { epoch: Epoch(1), revision: Revision(41) };
    Decision { reason: Reason::None, seen, valid_until: UnixMillis(u64::MAX) }
}

impl Node {
    pub(crate) fn start(script: impl Fn(&Frame<'_>, &mut Outbox) -> Act + Send + Sync + 'static) -> Self {
        Self::with_streams(100, script)
    }

    pub(crate) fn with_streams(
        streams: u32,
        script: impl Fn(&Frame<'_>, &mut Outbox) -> Act + Send + Sync + 'static,
    ) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a pair");
        tls.alpn_protocols = vec![tessera_client::wire::ALPN.to_vec()];
        let crypto = QuicServerConfig::try_from(tls).expect("QUIC");
        let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        let mut transport = quinn::TransportConfig::default();
        transport.max_concurrent_bidi_streams(VarInt::from_u32(streams));
        config.transport_config(Arc::new(transport));
        let endpoint =
            Endpoint::server(config.clone(), "127.0.0.1:0".parse().expect("an address")).expect("a socket");
        let (connections, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let node = Self {
            address: endpoint.local_addr().expect("an address"),
            pem: made.cert.pem(),
            connections: Arc::clone(&connections),
            open: Arc::clone(&open),
            waking: Arc::default(),
            endpoint: endpoint.clone(),
            server: config,
        };
        let (script, waking): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&node.waking));
        tokio::spawn(async move {
            while let Some(incoming) = endpoint.accept().await {
                let Ok(connection) = incoming.await else { continue };
                connections.fetch_add(1, Ordering::SeqCst);
                open.fetch_add(1, Ordering::SeqCst);
                let (script, open) = (Arc::clone(&script), Arc::clone(&open));
                let waking = Arc::clone(&waking);
                tokio::spawn(async move {
                    while let Ok((send, receive)) = connection.accept_bi().await {
                        let told = (Arc::clone(&script), Arc::clone(&waking));
                        tokio::spawn(stream(connection.clone(), send, receive, told));
                    }
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        node
    }

    /// A configuration for this node.
    pub(crate) fn config(&self) -> Config {
        let trust = Trust::pinned_pem(self.pem.as_bytes()).expect("a certificate");
        Config { deadline: Duration::from_secs(60), ..Config::new(self.address, "localhost", trust) }
    }
}

async fn stream(
    connection: Connection,
    mut send: SendStream,
    mut receive: RecvStream,
    (script, waking): (Arc<Script>, Arc<AtomicUsize>),
) {
    let (mut inbox, mut outbox) = (Inbox::default(), Outbox::new());
    while let Ok(Some(chunk)) = receive.read_chunk(usize::MAX, true).await {
        inbox.extend(&chunk.bytes);
        while let Some(frame) = inbox.next_frame().expect("a sound frame") {
            if frame.kind() == Ok(Kind::Hello) {
                let left =
                    waking.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
                if left.is_ok() {
                    let refused = Fault::refused(tessera_model::Refusal::NotReady);
                    outbox.fault(frame.header.request_id, &refused).expect("written");
                    continue;
                }
                let reply = HelloReply { node_time: UnixMillis(NODE_MS), ..HelloReply::default() };
                outbox.hello_reply(frame.header.request_id, &reply).expect("written");
                continue;
            }
            match script(&frame, &mut outbox) {
                Act::Answer | Act::Silence => {}
                Act::Hang => connection.close(VarInt::from_u32(0), b""),
            }
        }
        if send.write_all(outbox.as_bytes()).await.is_err() {
            return;
        }
        outbox.clear();
    }
}
