//! Tells the service manager how the node stands, where one asks (`NOTIFY_SOCKET`, sd_notify of systemd).

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The variable that names the manager's socket.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// What a manager is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    /// Requests are taken.
    Ready,
    /// No new connections; open requests finish.
    Stopping,
}

/// Tells the manager. Without one nothing happens; one that does not listen is told about in the log.
pub(crate) fn tell(state: State) {
    let Some(name) = std::env::var_os(VARIABLE) else { return };
    let text: &[u8] = match state {
        State::Ready => b"READY=1\n",
        State::Stopping => b"STOPPING=1\n",
    };
    if let Err(error) = send(name.as_encoded_bytes(), text) {
        tracing::warn!(%error, "the service manager could not be told ({VARIABLE})");
    }
}

fn send(name: &[u8], text: &[u8]) -> std::io::Result<()> {
    let address = match name.strip_prefix(b"@") {
        Some(hidden) => SocketAddr::from_abstract_name(hidden)?,
        None => SocketAddr::from_pathname(std::path::Path::new(&*String::from_utf8_lossy(name)))?,
    };
    UnixDatagram::unbound()?.send_to_addr(text, &address).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a manager is told at a path and at a name without one; one that is not there is an error, not a wait.
    #[test]
    fn managers_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let hidden = format!("tessera-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&hidden).expect("a name");
        for (socket, name) in [
            (UnixDatagram::bind(&path).expect("bound"), path.display().to_string()),
            (UnixDatagram::bind_addr(&address).expect("bound"), format!("@{hidden}")),
        ] {
            send(name.as_bytes(), b"READY=1\n").expect("sent");
            let mut told = [0; 32];
            let count = socket.recv(&mut told).expect("told");
            assert_eq!(&told[..count], b"READY=1\n");
        }
        assert!(send(b"/none/notify", b"READY=1\n").is_err());
    }
}
