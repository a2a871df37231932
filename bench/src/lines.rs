//! The bench's own HTTP/1.1 caller: connections over TLS that stay, each with one request in flight.
//!
//! It drives a node and the bare axum server alike, so that the difference between the two is the node's.

use crate::figure::Why;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long connecting may be tried: a process that was just started is not there yet.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);

/// Connections on a runtime of one thread.
pub struct Lines {
    runtime: Runtime,
    lines: Vec<Line>,
}

/// One connection.
struct Line {
    stream: TlsStream<TcpStream>,
    /// What was read of an answer.
    read: Vec<u8>,
}

impl Lines {
    /// Opens so many connections.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn connect(address: SocketAddr, pem: &[u8], count: usize) -> Result<Self, Why> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let connector = connector(pem, b"http/1.1")?;
        let lines = runtime.block_on(async {
            let mut lines = Vec::with_capacity(count);
            for _ in 0..count {
                lines.push(Line { stream: connect(&connector, address).await?, read: Vec::new() });
            }
            Ok::<_, Why>(lines)
        })?;
        Ok(Self { runtime, lines })
    }

    /// Sends one request over the first connection: the answer's content, as text.
    ///
    /// # Errors
    /// When it is not answered with 200.
    pub fn once(&mut self, request: &[u8]) -> Result<String, Why> {
        let Self { runtime, lines } = self;
        let line = lines.first_mut().ok_or("no connection")?;
        let content = runtime.block_on(line.once(request))?;
        Ok(String::from_utf8(line.read.split_off(line.read.len().saturating_sub(content)))?)
    }

    /// Sends one request over every connection, so that each has served one.
    ///
    /// # Errors
    /// As [`Lines::once`].
    pub fn each(&mut self, request: &[u8]) -> Result<(), Why> {
        let Self { runtime, lines } = self;
        runtime.block_on(async {
            for line in lines {
                line.once(request).await?;
            }
            Ok(())
        })
    }

    /// Requests per second, every connection with one in flight, until `count` were answered.
    ///
    /// # Errors
    /// As [`Lines::once`].
    pub fn rate(&mut self, request: &Arc<[u8]>, count: usize) -> Result<f64, Why> {
        let Self { runtime, lines } = self;
        let each = count.div_ceil(lines.len().max(1));
        runtime.block_on(async {
            let started = Instant::now();
            let mut running = tokio::task::JoinSet::new();
            for mut line in lines.drain(..) {
                let request = Arc::clone(request);
                running.spawn(async move {
                    for _ in 0..each {
                        line.once(&request).await?;
                    }
                    Ok::<_, Why>(line)
                });
            }
            let answered = running.len() * each;
            while let Some(line) = running.join_next().await {
                lines.push(line??);
            }
            Ok(answered as f64 / started.elapsed().as_secs_f64())
        })
    }
}

impl Line {
    /// Sends one request and reads its answer whole: how many bytes of content it has.
    async fn once(&mut self, request: &[u8]) -> Result<usize, Why> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        self.read.clear();
        loop {
            let read = tokio::time::timeout(ANSWER, self.stream.read_buf(&mut self.read)).await??;
            if read == 0 {
                return Err("the connection ended".into());
            }
            if let Some((head, content)) = lengths(&self.read)?
                && self.read.len() >= head + content
            {
                return Ok(content);
            }
        }
    }
}

/// Bytes of an answer's head and of its content, once the head is there.
fn lengths(read: &[u8]) -> Result<Option<(usize, usize)>, Why> {
    let Some(head) = read.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(read.get(..head).unwrap_or_default())?;
    if !text.starts_with("HTTP/1.1 200") {
        return Err(format!("answered with {}", text.lines().next().unwrap_or_default()).into());
    }
    let length = text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    Ok(Some((head + 4, length.ok_or("an answer without a length")?.parse()?)))
}

/// A request as text. The host is that of the certificate.
#[must_use]
pub fn post(path: &str, credential: &str, content: &str) -> Arc<[u8]> {
    let length = content.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {credential}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{content}"
    )
    .into_bytes()
    .into()
}

/// A TLS connection, tried until the server is there.
///
/// # Errors
/// When it is not there in time.
pub(crate) async fn connect(
    connector: &TlsConnector,
    address: SocketAddr,
) -> Result<TlsStream<TcpStream>, Why> {
    let started = Instant::now();
    let stream = loop {
        match TcpStream::connect(address).await {
            Ok(stream) => break stream,
            Err(error) if started.elapsed() > PATIENCE => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    stream.set_nodelay(true)?;
    Ok(connector.connect(ServerName::try_from("localhost")?, stream).await?)
}

/// Believes exactly this certificate, as a root, and speaks this protocol.
///
/// # Errors
/// When the certificate does not read.
pub(crate) fn connector(pem: &[u8], protocol: &[u8]) -> Result<TlsConnector, Why> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![protocol.to_vec()];
    Ok(TlsConnector::from(Arc::new(tls)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: an answer is whole when its head and as many bytes as that names are there.
    #[test]
    fn lengths_are_read() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ndate: x\r\n\r\nabc";
        assert_eq!(lengths(answer).expect("read"), Some((answer.len() - 3, 3)));
        assert_eq!(lengths(&answer[..20]).expect("read"), None);
        assert!(lengths(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").is_err());
    }
}
