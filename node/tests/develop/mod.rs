//! `tessera dev` as a process of a test.

#![allow(dead_code, clippy::allow_attributes, reason = "each test program uses its own part of it")]

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A process; killed with its guard.
pub(crate) struct Node(pub(crate) Child);

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A free address of this machine.
pub(crate) fn free(udp: bool) -> String {
    let any = ("127.0.0.1", 0);
    let bound = if udp {
        UdpSocket::bind(any).and_then(|socket| socket.local_addr())
    } else {
        TcpListener::bind(any).and_then(|socket| socket.local_addr())
    };
    bound.expect("a port").to_string()
}

/// `tessera dev` in a folder with further settings, and where its HTTP door is. It has walked.
pub(crate) fn started(folder: &Path, plain: bool, settings: &[(&str, &str)]) -> (Node, String) {
    let (http, log) = (free(false), std::fs::File::create(folder.join("log")).expect("a file"));
    let child = Command::new(env!("CARGO_BIN_EXE_tessera"))
        .arg("dev")
        .current_dir(folder)
        .env("TESSERA_HTTP__LISTEN", &http)
        .env("TESSERA_HTTP__PLAIN", plain.to_string())
        .env("TESSERA_HEALTH__LISTEN", free(false))
        .env("TESSERA_QUIC__LISTEN", free(true))
        .envs(settings.iter().copied())
        .stdout(Stdio::from(log.try_clone().expect("a file")))
        .stderr(Stdio::from(log))
        .spawn()
        .expect("the binary runs");
    let node = Node(child);
    for _ in 0..1_200 {
        let printed = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        if printed.contains("Over HTTP, on") {
            return (node, http);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the node is not ready: {:?}", std::fs::read_to_string(folder.join("log")));
}

/// Waits until somebody listens there.
pub(crate) fn until_listens(address: &str) {
    for _ in 0..600 {
        if TcpStream::connect(address).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nobody listens at {address}");
}
