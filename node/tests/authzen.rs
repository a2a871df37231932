//! AuthZEN against a real node: the guide's shell lines, and the standard's examples with a client of its own.

mod develop;

use develop::started;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a program printed, which ended well.
fn told(command: &mut Command) -> String {
    let ran = command.output().expect("it runs");
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ran.status.success(), "{}\n{}", told(&ran.stdout), told(&ran.stderr));
    told(&ran.stdout)
}

/// PROPERTY: every line of the guide does what it says.
#[test]
fn the_guide_to_authzen_is_true() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_node, http) = started(folder.path(), true, &[]);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/authzen.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let blocks = text.split("```sh\n").skip(1);
    let script: String = blocks.map(|block| block.split("```").next().unwrap_or_default()).collect();
    let script = script.replace("127.0.0.1:7481", &http);
    assert!(script.lines().count() > 25);
    let whole = format!("set -euo pipefail\n{script}");
    told(Command::new("bash").args(["-xc", &whole]).current_dir(folder.path()));
}

/// The Python that has httpx; none when the registry cannot be reached, which is forgiven unless
/// `TESSERA_NOTHING_SKIPPED` is set.
fn httpx(scripts: &Path) -> Option<PathBuf> {
    let into = Path::new(env!("CARGO_TARGET_TMPDIR")).join("httpx-0.28.1");
    let installed = Command::new("timeout")
        .args(["300", "bash"])
        .arg(scripts.join("install.sh"))
        .arg(&into)
        .status()
        .is_ok_and(|status| status.success());
    if !installed {
        assert!(std::env::var_os("TESSERA_NOTHING_SKIPPED").is_none(), "httpx cannot be installed");
        println!("skipped: httpx cannot be installed: no python3-venv, or PyPI cannot be reached");
        return None;
    }
    Some(into.join("bin/python"))
}

/// PROPERTY: a client that knows the standard and nothing of Tessera finds its endpoints and gets the standard's answers.
#[test]
fn a_foreign_client_gets_the_standards_answers() {
    let scripts = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/authzen"));
    let Some(python) = httpx(scripts) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (_node, http) = started(folder.path(), true, &[]);
    let key = std::fs::read_to_string(folder.path().join(".tessera/demo-admin.key")).expect("a key");
    let script = scripts.join("interop.py");
    let printed = told(Command::new(python).arg(script).arg(format!("http://{http}")).arg(key.trim()));
    println!("{printed}");
    assert!(printed.contains("each answered as the standard says"), "{printed}");
}
