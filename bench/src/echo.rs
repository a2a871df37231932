//! The wire's peer: a bare quinn server that answers every frame with one of fixed size.
//!
//! It reads the same length prefix as the wire, drains what is readable and writes once, and does
//! nothing else: what is left over is QUIC itself.

use crate::figure::Why;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Connection, Endpoint, RecvStream, SendStream, ServerConfig};
use rustls_pki_types::PrivateKeyDer;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tessera_wire::{ALPN, HEADER_BYTES};

/// Chunks taken from a stream at once.
const CHUNKS: usize = 48;

/// Serves until the process is ended.
///
/// # Errors
/// When it cannot listen.
pub fn serve(listen: SocketAddr, (reply, busy): (usize, bool), certificate: &Path) -> Result<(), Why> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if busy {
        // As the node does it: the thread never sleeps in the kernel.
        runtime.spawn(async {
            loop {
                tokio::task::yield_now().await;
            }
        });
    }
    runtime.block_on(async {
        let endpoint = Endpoint::server(config(certificate)?, listen)?;
        while let Some(incoming) = endpoint.accept().await {
            if let Ok(connection) = incoming.await {
                tokio::spawn(streams(connection, reply));
            }
        }
        Ok(())
    })
}

fn config(certificate: &Path) -> Result<ServerConfig, Why> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    // In place at once: whoever waits for the file reads a whole one.
    let fresh = certificate.with_extension("new");
    std::fs::write(&fresh, made.cert.pem())?;
    std::fs::rename(fresh, certificate)?;
    Ok(ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?)))
}

async fn streams(connection: Connection, reply: usize) {
    while let Ok((send, receive)) = connection.accept_bi().await {
        tokio::spawn(echo(send, receive, reply));
    }
}

async fn echo(mut send: SendStream, mut receive: RecvStream, reply: usize) {
    let mut chunks = [const { bytes::Bytes::new() }; CHUNKS];
    let (mut waiting, mut answers) = (Vec::new(), Vec::new());
    while let Ok(Some(count)) = receive.read_chunks(&mut chunks).await {
        chunks.iter().take(count).for_each(|chunk| waiting.extend_from_slice(chunk));
        let mut read = 0;
        while let Some(length) = frame(waiting.get(read..).unwrap_or_default()) {
            read += length;
            answers.resize(answers.len() + reply, 0);
        }
        waiting.drain(..read);
        if send.write_all(&answers).await.is_err() {
            return;
        }
        answers.clear();
    }
}

/// Bytes of the first whole frame: header, payload, padding.
fn frame(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_le_bytes(*bytes.first_chunk::<4>()?);
    let whole = HEADER_BYTES + usize::try_from(length).ok()?.next_multiple_of(HEADER_BYTES);
    (bytes.len() >= whole).then_some(whole)
}
