//! A real node in a folder of its own, on free loopback ports, and a shell that asks it.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

/// A node; killed with its guard.
pub(crate) struct Node {
    pub(crate) folder: PathBuf,
    pub(crate) quic: SocketAddr,
    /// Where `tessera dev` answers over HTTP.
    pub(crate) gateway: SocketAddr,
    /// Where it answers about its health.
    pub(crate) health: SocketAddr,
    child: Child,
    out: BufReader<ChildStdout>,
    err: BufReader<ChildStderr>,
}

fn free_port(udp: bool) -> SocketAddr {
    let any = ("127.0.0.1", 0);
    let address = if udp {
        UdpSocket::bind(any).and_then(|socket| socket.local_addr())
    } else {
        TcpListener::bind(any).and_then(|socket| socket.local_addr())
    };
    address.expect("a port")
}

/// Makes a node that is served in a folder the only cell of a fleet.
pub(crate) fn fleet_of_one(folder: &Path) {
    let text = "version = 1\n\n[[cell]]\nnumber = 1\nname = \"a\"\naddress = \"127.0.0.1:7443\"\n";
    std::fs::write(folder.join("fleet.toml"), text).expect("a file");
}

/// A shell command in the node's folder, with the binary in its path and a home of its own.
pub(crate) fn shell(folder: &Path, line: &str) -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_tessera")).parent().expect("a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TESSERA_")) {
        command.env_remove(name);
    }
    command.env("PATH", format!("{}:{path}", binary.display())).env("HOME", folder.join("home"));
    command.env_remove("XDG_CONFIG_HOME").env("COLUMNS", "110");
    command
}

impl Node {
    /// Starts `line` (`tessera serve`, `tessera dev`) in a folder; it is not yet ready.
    pub(crate) fn start(folder: &Path, line: &str) -> Self {
        let (http, quic, gateway) = (free_port(false), free_port(true), free_port(false));
        let mut command = shell(folder, &format!("exec {line}"));
        command
            .env("TESSERA_HEALTH__LISTEN", http.to_string())
            .env("TESSERA_QUIC__LISTEN", quic.to_string())
            .env("TESSERA_STORAGE__JOURNAL_FILE_BYTES", "1048576")
            .env("TESSERA_LOG__FORMAT", "json")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if line.starts_with("tessera serve") {
            command.env("TESSERA_STORAGE__DIR", "data").env("TESSERA_STORAGE__ROOT_KEY_FILE", "root.key");
            std::fs::create_dir_all(folder.join("backups")).expect("a folder");
            command.env("TESSERA_STORAGE__BACKUP_DIR", "backups");
            if folder.join("fleet.toml").exists() {
                command.env("TESSERA_FLEET__FILE", "fleet.toml").env("TESSERA_FLEET__CELL", "a");
            }
        }
        if line.starts_with("tessera dev") {
            command.env("TESSERA_HTTP__LISTEN", gateway.to_string());
        }
        let mut child = command.spawn().expect("the binary runs");
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        let err = BufReader::new(child.stderr.take().expect("a pipe"));
        Self { folder: folder.to_owned(), quic, gateway, health: http, child, out, err }
    }

    /// Starts `tessera serve` on a folder, a fresh one or one that was served from before, and waits until
    /// it takes requests.
    pub(crate) fn serve(folder: &Path) -> Self {
        let line = "test -e root.key || tessera config root-key root.key";
        let made = shell(folder, line).output().expect("the binary runs");
        assert!(made.status.success(), "{made:?}");
        let mut node = Self::start(folder, "tessera serve");
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            let read = node.err.read_line(&mut line).expect("a line");
            assert!(read > 0, "the node ended: {seen}");
            // A log for programs is one object a line, and no secret is among them.
            assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok(), "{line}");
            if line.contains("\"message\":\"ready\"") {
                assert!(!seen.contains("once-"), "{seen}");
                return node;
            }
            seen.push_str(&line);
        }
    }

    /// What it prints, up to and with the line that ends the text.
    pub(crate) fn printed_until(&mut self, last: impl Fn(&str) -> bool) -> String {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            let read = self.out.read_line(&mut line).expect("a line");
            assert!(read > 0, "the node ended: {text}");
            text.push_str(&line);
            if last(line.trim_end()) {
                return text;
            }
        }
    }

    /// Runs a shell command beside it.
    pub(crate) fn shell(&self, line: &str) -> Output {
        shell(&self.folder, line).output().expect("the shell runs")
    }

    /// Ends it with a signal and gives its exit code.
    pub(crate) fn end(mut self) -> i32 {
        let signal = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(signal.expect("kill runs").success());
        for _ in 0..600 {
            if let Some(status) = self.child.try_wait().expect("a status") {
                return status.code().expect("a code");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the node does not end");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
