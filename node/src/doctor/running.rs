//! A node that runs: what it says of itself where its health is asked.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// LIMIT: how long a node on this machine may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// LIMIT: bytes of an answer: all metrics have some 40 KiB.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// A node's own words.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Running {
    /// Whether it takes requests.
    pub(crate) is_ready: bool,
    /// What it says of that.
    pub(crate) ready: String,
    metrics: String,
}

impl Running {
    /// Asks; nothing where no node answers.
    pub(crate) fn ask(address: SocketAddr) -> Option<Self> {
        let (status, ready) = get(address, "/readyz")?;
        let (_, metrics) = get(address, "/metrics")?;
        Some(Self { is_ready: status == 200, ready, metrics })
    }

    /// A metric without labels.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let line = self.metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        line.trim().parse().ok()
    }

    #[cfg(test)]
    pub(crate) fn planted(ready: &str, metrics: &str) -> Self {
        Self { is_ready: ready.starts_with("ready"), ready: ready.to_owned(), metrics: metrics.to_owned() }
    }
}

/// One request over plain HTTP: status and content.
fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let asked = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(asked.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).ok()?;
    let text = String::from_utf8(answer).ok()?;
    let (head, content) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, content.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a metric is read by its whole name, and where nobody listens there is no node.
    #[test]
    fn metrics_are_read() {
        let node = Running::planted("ready\n", "# HELP tessera_a\ntessera_ab 2\ntessera_a 1.5\n");
        assert_eq!((node.metric("tessera_a"), node.metric("tessera_c")), (Some(1.5), None));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        assert_eq!(Running::ask(address), None);
    }
}
