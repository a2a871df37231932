//! The main job in the real binary: `tessera dev` walks through it, stays up, and starts again on its data.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

struct Development {
    child: Child,
    out: BufReader<ChildStdout>,
}

fn free_address() -> String {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    format!("127.0.0.1:{port}")
}

impl Development {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tessera"))
            .args(["dev", "--folder"])
            .arg(folder)
            .args(arguments)
            .env("TESSERA_HTTP__LISTEN", "127.0.0.1:0")
            .env("TESSERA_HEALTH__LISTEN", free_address())
            .env("TESSERA_QUIC__LISTEN", free_address())
            .env("TESSERA_STORAGE__JOURNAL_FILE_BYTES", "1048576")
            .env_remove("TESSERA_CONFIG")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, out }
    }

    /// Everything printed up to the line that contains `end`.
    fn until(&mut self, end: &str) -> String {
        let mut text = String::new();
        loop {
            let before = text.len();
            assert!(self.out.read_line(&mut text).expect("a line") > 0, "ended before {end:?}:\n{text}");
            if text.get(before..).is_some_and(|line| line.contains(end)) {
                return text;
            }
        }
    }

    fn end(&mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &id]).status().expect("kill runs").success());
        self.child.wait().expect("an end").code()
    }
}

impl Drop for Development {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn tessera(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
    command.args(arguments).arg("--profile").arg(folder).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// PROPERTY: the walk signs in, is permitted, revokes and is denied; afterwards the node answers the
/// commands of a second terminal, ends with 0, and knows everything again when it starts anew.
#[test]
fn the_main_job_runs_and_survives_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    for start in 1..=2 {
        let mut node = Development::start(folder.path(), &[]);
        let walk = node.until("Ctrl-C ends it");
        let (permit, deny) = (walk.find("Permit"), walk.find("Deny: revoked (101)"));
        assert!(permit.is_some() && permit < deny, "start {start}: {walk}");
        let permitted = tessera(folder.path(), &["check", "orders.read"]);
        assert_eq!(permitted.status.code(), Some(0), "{}", text(&permitted.stderr));
        let denied = tessera(folder.path(), &["check", "orders.burn", "--json"]);
        assert_eq!(denied.status.code(), Some(1), "{}", text(&denied.stderr));
        let users = tessera(folder.path(), &["user", "list"]);
        assert_eq!(users.status.code(), Some(0), "{}", text(&users.stderr));
        if start == 1 {
            // A used folder: the next walk mends what it needs.
            for line in [
                &["user", "suspend", "amy@example.org"][..],
                &["role", "change", "reader", "orders.list"],
                &["tenant", "suspend", "demo"],
            ] {
                let done = tessera(folder.path(), line);
                assert_eq!(done.status.code(), Some(0), "{line:?}: {}", text(&done.stderr));
            }
        }
        assert_eq!(node.end(), Some(0));
        let unreachable = tessera(folder.path(), &["check", "orders.read", "--timeout", "1s"]);
        assert_eq!(unreachable.status.code(), Some(3), "{}", text(&unreachable.stderr));
    }
    let secret = folder.path().join("data/operator-secret");
    assert!(!secret.exists(), "the one-time secret is used up");
}

/// PROPERTY: `--json` prints one object that holds every step.
#[test]
fn the_walk_as_json_is_one_object() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut node = Development::start(folder.path(), &["--json"]);
    let mut answers = serde_json::Deserializer::from_reader(&mut node.out).into_iter::<serde_json::Value>();
    let walk = answers.next().expect("an object").expect("JSON");
    drop(answers);
    assert!(walk.to_string().contains("Permit"), "{walk}");
    assert_eq!(node.end(), Some(0));
}
