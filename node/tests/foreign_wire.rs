//! A second implementation of the wire, in Python and from docs/wire.md alone, against real nodes.

mod develop;

use develop::{Node, free, started};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const AIOQUIC: &str = "aioquic-1.7.2";

fn of_tests(file: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign_wire")).join(file)
}

/// The Python that has aioquic; none when the registry cannot be reached, which is forgiven unless
/// `TESSERA_NOTHING_SKIPPED` is set.
fn aioquic() -> Option<PathBuf> {
    let into = Path::new(env!("CARGO_TARGET_TMPDIR")).join(AIOQUIC);
    let installed = Command::new("timeout")
        .args(["300", "bash"])
        .arg(of_tests("install.sh"))
        .arg(&into)
        .status()
        .is_ok_and(|status| status.success());
    if !installed {
        assert!(std::env::var_os("TESSERA_NOTHING_SKIPPED").is_none(), "{AIOQUIC} cannot be installed");
        println!("skipped: {AIOQUIC} cannot be installed: no python3-venv, or PyPI cannot be reached");
        return None;
    }
    Some(into.join("bin/python"))
}

/// `tessera serve` with a new data directory, which nobody has claimed: the directory, and where it listens.
fn unclaimed(folder: &Path) -> (Node, PathBuf, String) {
    let (root_key, data, listen) = (folder.join("root.key"), folder.join("data"), free(true));
    let log = std::fs::File::create(folder.join("log")).expect("a file");
    let binary = env!("CARGO_BIN_EXE_tessera");
    let made = Command::new(binary).args(["config", "root-key"]).arg(&root_key).output();
    assert!(made.is_ok_and(|made| made.status.success()), "a root key");
    let child = Command::new(binary)
        .arg("serve")
        .env("TESSERA_STORAGE__DIR", &data)
        .env("TESSERA_STORAGE__ROOT_KEY_FILE", &root_key)
        .env("TESSERA_HEALTH__LISTEN", free(false))
        .env("TESSERA_QUIC__LISTEN", &listen)
        .stdout(Stdio::from(log.try_clone().expect("a file")))
        .stderr(Stdio::from(log))
        .spawn()
        .expect("the binary runs");
    let node = Node(child);
    for _ in 0..1_200 {
        if data.join("client.toml").exists() && data.join("operator-secret").exists() {
            return (node, data, listen);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the node is not ready: {:?}", std::fs::read_to_string(folder.join("log")));
}

/// PROPERTY: what follows docs/wire.md alone claims a node, does the main job and hears of every question what
/// the command line says; every example of the document is written again byte by byte; and frames that are
/// broken in a few hundred ways are answered or closed as the document promises, while others are served.
/// TC-82 in part, TC-84 in part: another implementation.
#[test]
fn the_document_suffices() {
    let Some(python) = aioquic() else { return };
    let (develop, fresh) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let listen = free(true);
    let (_fresh, data, fresh_listen) = unclaimed(fresh.path());
    let (_node, _) = started(develop.path(), true, &[("TESSERA_QUIC__LISTEN", &listen)]);
    let ran = Command::new("timeout")
        .arg("900")
        .arg(&python)
        .arg(of_tests("run.py"))
        .current_dir(develop.path())
        .env("TESSERA_BINARY", env!("CARGO_BIN_EXE_tessera"))
        .env("TESSERA_NODE", develop.path().join(".tessera"))
        .env("TESSERA_LISTEN", &listen)
        .env("TESSERA_FRESH", &data)
        .env("TESSERA_FRESH_LISTEN", &fresh_listen)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("timeout runs");
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{told}\n{}", String::from_utf8_lossy(&ran.stderr));
    print!("{told}");
}
