//! schemathesis against the real node over TLS: what the description of the HTTP door says is so.

use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
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

/// `tessera dev` over TLS in a folder, with a budget of strangers that a tester does not use up.
fn develop(folder: &Path) -> (Node, String) {
    let (http, log) = (free(false), std::fs::File::create(folder.join("log")).expect("a file"));
    let child = Command::new(env!("CARGO_BIN_EXE_tessera"))
        .arg("dev")
        .current_dir(folder)
        .env("TESSERA_HTTP__LISTEN", &http)
        .env("TESSERA_HTTP__PLAIN", "false")
        .env("TESSERA_HTTP__SOURCE_PER_SECOND", "1000000")
        .env("TESSERA_HEALTH__LISTEN", free(false))
        .env("TESSERA_QUIC__LISTEN", free(true))
        .stdout(Stdio::from(log.try_clone().expect("a file")))
        .stderr(Stdio::from(log))
        .spawn()
        .expect("the binary runs");
    let node = Node(child);
    for _ in 0..1_200 {
        let printed = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        if printed.contains("Over HTTP, on") {
            let port = http.rsplit(':').next().expect("a port");
            return (node, format!("https://localhost:{port}"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the node is not ready: {:?}", std::fs::read_to_string(folder.join("log")));
}

fn of_tests(file: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemathesis")).join(file)
}

/// The Python that has schemathesis; none when the registry cannot be reached, which is forgiven unless
/// `TESSERA_NOTHING_SKIPPED` is set.
fn schemathesis() -> Option<PathBuf> {
    let into = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemathesis-4.32.5");
    let installed = Command::new("timeout")
        .args(["300", "bash"])
        .arg(of_tests("install.sh"))
        .arg(&into)
        .status()
        .is_ok_and(|status| status.success());
    if !installed {
        assert!(std::env::var_os("TESSERA_NOTHING_SKIPPED").is_none(), "schemathesis cannot be installed");
        println!("skipped: schemathesis cannot be installed: no python3-venv, or PyPI cannot be reached");
        return None;
    }
    Some(into.join("bin/python"))
}

/// PROPERTY: whatever schemathesis makes of the description, as a tenant's admin and as the operator,
/// the door answers as described: no failure of its own, no status, type, member or header that is not
/// described, nothing refused that should hold and nothing taken that should not.
#[test]
fn schemathesis_finds_nothing() {
    let Some(python) = schemathesis() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (_node, base) = develop(folder.path());
    let operator = std::fs::read_to_string(folder.path().join(".tessera/operator.key")).expect("a key");
    let certificate = folder.path().join(".tessera/data/certificate.pem");
    // As the admin everything; as the operator what only an operator may.
    for (who, chosen, seconds) in [("admin", "^/v1/", "60"), ("operator", "^/v1/(tenants|operators)", "15")] {
        let ran = Command::new("timeout")
            .arg("600")
            .arg(&python)
            .args(["-m", "schemathesis.cli", "--config-file"])
            .arg(of_tests("schemathesis.toml"))
            .args(["run", &format!("{base}/openapi.json"), "--max-time", seconds, "--max-examples", "5"])
            .args(["--include-path-regex", chosen, "--tls-verify"])
            .arg(&certificate)
            .current_dir(folder.path())
            .env("TESSERA_AS", who)
            .env("TESSERA_BASE", &base)
            .env("TESSERA_OPERATOR", operator.trim())
            .env("TESSERA_CERTIFICATE", &certificate)
            .env("SCHEMATHESIS_HOOKS", of_tests("hooks.py"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .expect("timeout runs");
        let told = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success(), "as {who}: {told}\n{}", String::from_utf8_lossy(&ran.stderr));
        println!("as {who}: {}", told.lines().rev().find(|line| !line.is_empty()).unwrap_or_default());
    }
}
