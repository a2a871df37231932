//! The HTTP door's peer: a bare axum server over TLS that reads JSON and answers with JSON.
//!
//! It parses what it is asked, writes a document of fixed content anew for each answer, and does nothing
//! else: what is left over is TLS, hyper and axum.

use crate::figure::Why;
use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use axum::serve::Listener;
use rustls_pki_types::PrivateKeyDer;
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Serves until the process is ended. It has as many threads as the node has.
///
/// # Errors
/// When it cannot listen, or `reply` is no JSON.
pub fn serve(listen: SocketAddr, reply: &str, certificate: &Path) -> Result<(), Why> {
    let reply: Arc<Value> = Arc::new(serde_json::from_str(reply)?);
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(8));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    runtime.block_on(async {
        let listener =
            Tls { listener: TcpListener::bind(listen).await?, acceptor: acceptor(certificate, b"http/1.1")? };
        let answer = move |asked: Bytes| {
            let reply = Arc::clone(&reply);
            async move { answer(&asked, &reply) }
        };
        let mut router = Router::new();
        for path in ["/v1/check", "/v1/introspect", "/access/v1/evaluation"] {
            router = router.route(path, post(answer.clone()));
        }
        axum::serve(listener, router).await?;
        Ok(())
    })
}

/// What axum's own `Json` does on both sides, without its look at the content's type.
fn answer(asked: &Bytes, reply: &Value) -> Result<impl IntoResponse + use<>, StatusCode> {
    let asked: Value = serde_json::from_slice(asked).map_err(|_| StatusCode::BAD_REQUEST)?;
    if !asked.is_object() {
        return Err(StatusCode::BAD_REQUEST);
    }
    let text = serde_json::to_vec(reply).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text))
}

/// Speaks this protocol under a certificate of its own, which it writes to a file.
///
/// # Errors
/// When it cannot be made or written.
pub(crate) fn acceptor(certificate: &Path, protocol: &[u8]) -> Result<TlsAcceptor, Why> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    tls.alpn_protocols = vec![protocol.to_vec()];
    // In place at once: whoever waits for the file reads a whole one.
    let fresh = certificate.with_extension("new");
    std::fs::write(&fresh, made.cert.pem())?;
    std::fs::rename(fresh, certificate)?;
    Ok(TlsAcceptor::from(Arc::new(tls)))
}

struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let Ok((stream, peer)) = self.listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            drop(stream.set_nodelay(true));
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
