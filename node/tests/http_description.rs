//! schemathesis against the real node over TLS: what the description of the HTTP door says is so.

mod develop;

use develop::{Node, started};
use std::path::{Path, PathBuf};
use std::process::Command;

/// `tessera dev` over TLS in a folder, with a budget of strangers that a tester does not use up.
fn develop(folder: &Path) -> (Node, String) {
    let (node, http) = started(folder, false, &[("TESSERA_HTTP__SOURCE_PER_SECOND", "1000000")]);
    let port = http.rsplit(':').next().expect("a port");
    (node, format!("https://localhost:{port}"))
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
    // As the admin everything; as the operator what only an operator may. Each has a node, and both run at one time.
    std::thread::scope(|scope| {
        for asked in [("admin", "^/v1/", "60"), ("operator", "^/v1/(tenants|operators)", "15")] {
            let python = &python;
            scope.spawn(move || ask(python, asked));
        }
    });
}

/// Has schemathesis ask for so many seconds, as somebody, for what this expression says.
fn ask(python: &Path, (who, chosen, seconds): (&str, &str, &str)) {
    let folder = tempfile::tempdir().expect("a folder");
    let (_node, base) = develop(folder.path());
    let operator = std::fs::read_to_string(folder.path().join(".tessera/operator.key")).expect("a key");
    let certificate = folder.path().join(".tessera/data/certificate.pem");
    let ran = Command::new("timeout")
        .arg("600")
        .arg(python)
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
