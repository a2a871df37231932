//! The guide to HTTP against a real node: its shell lines run in their order and end well.

use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A node; killed with its guard.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn free(udp: bool) -> String {
    let any = ("127.0.0.1", 0);
    let bound = if udp {
        UdpSocket::bind(any).and_then(|socket| socket.local_addr())
    } else {
        TcpListener::bind(any).and_then(|socket| socket.local_addr())
    };
    bound.expect("a port").to_string()
}

/// `tessera dev` in a folder, and where its HTTP door is.
fn develop(folder: &Path) -> (Node, String) {
    let (http, log) = (free(false), std::fs::File::create(folder.join("log")).expect("a file"));
    let child = Command::new(env!("CARGO_BIN_EXE_tessera"))
        .arg("dev")
        .current_dir(folder)
        .env("TESSERA_HTTP__LISTEN", &http)
        .env("TESSERA_HEALTH__LISTEN", free(false))
        .env("TESSERA_QUIC__LISTEN", free(true))
        .stdout(Stdio::from(log.try_clone().expect("a file")))
        .stderr(Stdio::from(log))
        .spawn()
        .expect("the binary runs");
    let node = Node(child);
    for _ in 0..600 {
        let printed = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        if printed.contains("Over HTTP, on") {
            return (node, http);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the node is not ready: {:?}", std::fs::read_to_string(folder.join("log")));
}

/// The lines of the document's `sh` blocks.
fn script() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/http.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let blocks = text.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap_or_default()).collect()
}

/// PROPERTY: every line of the guide does what it says, and so does what the node prints to try.
#[test]
fn the_guide_is_true() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_node, http) = develop(folder.path());
    let printed = std::fs::read_to_string(folder.path().join("log")).expect("the log");
    let tried: Vec<&str> = printed.lines().filter(|line| line.trim_start().starts_with("curl ")).collect();
    assert_eq!(tried.len(), 2, "{printed}");
    let tried = tried.join(" --fail-with-body\n");
    let script = script().replace("127.0.0.1:7481", &http);
    assert!(script.lines().count() > 15);
    let whole = format!("set -euo pipefail\n{script}\n{tried} --fail-with-body | grep permit\n");
    let ran =
        Command::new("bash").args(["-xc", &whole]).current_dir(folder.path()).output().expect("bash runs");
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ran.status.success(), "{}\n{}", told(&ran.stdout), told(&ran.stderr));
}
