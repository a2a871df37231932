//! The doctor against real directories: a node that stands, one that runs, and each thing that can be planted.

use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_tessera");

/// A folder with a root key, and a configuration beside it.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        let made = place.command().args(["config", "root-key", "root.key"]).output().expect("it runs");
        assert!(made.status.success(), "{made:?}");
        place.configure("");
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(BINARY);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TESSERA_")) {
            command.env_remove(name);
        }
        command
    }

    /// Writes the configuration, with more below its last table.
    fn configure(&self, more: &str) {
        let text = format!(
            "[quic]\nlisten = \"{}\"\n[health]\nlisten = \"{}\"\n[storage]\ndir = \"data\"\nroot_key_file = \"root.key\"\njournal_file_bytes = 1048576\n{more}",
            self.port("quic"),
            self.health()
        );
        std::fs::write(self.at("tessera.toml"), text).expect("written");
    }

    fn health(&self) -> String {
        self.port("health")
    }

    /// A port of this place's own.
    fn port(&self, name: &str) -> String {
        let path = self.at(name);
        if let Ok(port) = std::fs::read_to_string(&path) {
            return port;
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").to_string();
        std::fs::write(path, &port).expect("written");
        port
    }

    /// The files of the journal.
    fn journal(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let all =
            std::fs::read_dir(self.at("data")).expect("a folder").map(|one| one.expect("a file").path());
        let is_journal = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("journal-"))
        };
        all.filter(is_journal).map(|path| (path.clone(), std::fs::read(path).expect("a file"))).collect()
    }

    /// What the doctor says, and its exit code.
    fn doctor(&self, more: &[&str]) -> (Value, i32) {
        let mut command = self.command();
        let done = command.args(["doctor", "--json", "--config", "tessera.toml"]).args(more).output();
        let done = done.expect("it runs");
        let told = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"));
        (told, done.status.code().expect("a code"))
    }

    /// Starts a node, and gives it once it is ready.
    fn serve(&self) -> Child {
        let mut node = self.command();
        let node =
            node.args(["serve", "--config", "tessera.toml"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = node.spawn().expect("it runs");
        let ready = (0..600).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(100));
            level(&self.doctor(&["--no-chains"]).0, "node") == "ok"
        });
        if !ready {
            child.kill().expect("a process");
            panic!("the node is not ready: {:?}", child.wait());
        }
        child
    }
}

fn end(mut node: Child) {
    let signal = Command::new("kill").args(["-TERM", &node.id().to_string()]).status();
    assert!(signal.expect("kill runs").success());
    assert_eq!(node.wait().expect("a status").code(), Some(0));
}

fn finding<'a>(told: &'a Value, name: &str) -> Option<&'a Value> {
    told["findings"].as_array().expect("findings").iter().find(|one| one["name"] == name)
}

fn level(told: &Value, name: &str) -> String {
    finding(told, name).map_or_else(String::new, |one| one["level"].as_str().expect("a word").to_owned())
}

/// The names that fail.
fn failed(told: &Value) -> Vec<String> {
    let findings = told["findings"].as_array().expect("findings").iter();
    findings
        .filter(|one| one["level"] == "fail")
        .map(|one| one["name"].as_str().expect("a name").to_owned())
        .collect()
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("mode");
}

/// PROPERTY: of a directory that stands the doctor follows every chain to its head and says them; beside a node that runs it
/// says what the node says; and a flipped byte in the journal is damage, by the store's code. A file that a killed doctor has
/// left keeps no node from starting.
#[test]
fn a_directory_is_looked_at_standing_running_and_damaged() {
    let place = Place::new();
    let node = place.serve();
    let (told, code) = place.doctor(&["--pid", &node.id().to_string()]);
    assert_eq!(
        (level(&told, "node"), level(&told, "chains"), code),
        ("ok".to_owned(), "ok".to_owned(), 0),
        "{told}"
    );
    end(node);
    let (told, code) = place.doctor(&[]);
    assert_eq!((code, told["ok"].as_bool()), (0, Some(true)), "{told}");
    let chains = finding(&told, "chains").expect("chains");
    let head = chains["details"]["heads"][0]["head"].as_str().expect("a head");
    assert!(chains["level"] == "ok" && head.len() == 64, "{chains}");
    assert_eq!(level(&told, "journal-time"), "ok");
    std::fs::write(place.at("data/doctor.probe"), "left").expect("written");
    end(place.serve());
    let (told, _) = place.doctor(&[]);
    assert!(level(&told, "chains") == "ok" && !place.at("data/doctor.probe").exists(), "{told}");
    // Killed, so that its last frames are in the journal: a byte of the first group that it wrote behind all checkpoints.
    let mut node = place.serve();
    let before = place.journal();
    for line in ["operator claim --credentials operator.key", "tenant create acme --key-file operator.key"] {
        let done =
            place.command().args(line.split(' ')).args(["--profile", "data"]).output().expect("it runs");
        assert!(done.status.success(), "{done:?}");
    }
    node.kill().expect("killed");
    node.wait().expect("ended");
    let after = place.journal();
    let (file, at) = after
        .iter()
        .find_map(|(file, bytes)| {
            let old = before.get(file).map_or(&[][..], Vec::as_slice);
            // A group without frames, which a checkpoint that came meanwhile may cover, is of another kind.
            let frames = |at: &usize| bytes[*at..*at + 4] == [0xff, b'T', b'S', b'G'] && bytes[*at + 6] == 0;
            let mut blocks = (4_096..bytes.len()).step_by(4_096).filter(frames);
            let at = blocks.find(|at| old.get(*at..*at + 4_096) != bytes.get(*at..*at + 4_096))?;
            Some((file, at))
        })
        .expect("a group");
    let mut bytes = after[file].clone();
    // Behind its end a block holds zeros, which nobody looks at.
    let last = bytes[at..at + 4_096].iter().rposition(|byte| *byte != 0).expect("a group");
    bytes[at + last] ^= 1;
    std::fs::write(file, bytes).expect("written");
    let (told, code) = place.doctor(&[]);
    assert_eq!((level(&told, "chains"), code), ("fail".to_owned(), 75), "{told}");
}

/// PROPERTY: each condition that can be planted is told under its name, with the exit code of its kind.
#[test]
fn each_condition_is_told() {
    let place = Place::new();
    let (told, code) = place.doctor(&[]);
    assert_eq!((failed(&told), code), (Vec::new(), 0), "{told}");
    for (more, name, code) in [
        ("tail_bytes_max = 1125899906842624\n", "disk-space", 0),
        ("[tenants]\nmemory_bytes_max = 1125899906842624\n", "memory", 69),
        ("[quic]\n", "", 78),
    ] {
        place.configure(more);
        if name.is_empty() {
            let done =
                place.command().args(["doctor", "--config", "tessera.toml"]).output().expect("it runs");
            assert_eq!(done.status.code(), Some(code), "{done:?}");
            continue;
        }
        let (told, found) = place.doctor(&[]);
        assert_eq!(
            (level(&told, name), found),
            (if code == 0 { "warn" } else { "fail" }.to_owned(), code),
            "{told}"
        );
    }
    place.configure("");
    mode(&place.at("root.key"), 0o644);
    let (told, code) = place.doctor(&[]);
    assert_eq!((failed(&told), code), (vec!["root-key".to_owned()], 78), "{told}");
    std::fs::remove_file(place.at("root.key")).expect("removed");
    let (told, code) = place.doctor(&[]);
    assert_eq!((failed(&told), code), (vec!["root-key".to_owned()], 69), "{told}");
    // Few files may be open in this shell.
    let line = format!("ulimit -n 64; exec {BINARY} doctor --json --config tessera.toml");
    let mut shell = Command::new("sh");
    let done = shell.args(["-c", &line]).current_dir(place.folder.path()).output().expect("sh runs");
    let told: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!(level(&told, "open-files"), "fail");
}

/// PROPERTY: a certificate that is configured and not there, is no pair, or is an authority's is told.
#[test]
fn certificates_are_told() {
    let place = Place::new();
    let openssl = |arguments: &str| {
        let line = format!("openssl {arguments} 2> /dev/null");
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &line])
            .current_dir(place.folder.path())
            .status()
            .is_ok_and(|status| status.success())
    };
    let made = [("one", "FALSE"), ("two", "FALSE"), ("authority", "TRUE")].iter().all(|(name, is_authority)| {
        openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 10 -subj /CN=localhost -addext basicConstraints=critical,CA:{is_authority} -keyout {name}.key -out {name}.pem"
        ))
    });
    if !made {
        println!("SKIPPED: there is no openssl on this machine");
        return;
    }
    for name in ["one.key", "two.key", "authority.key"] {
        mode(&place.at(name), 0o600);
    }
    let text = std::fs::read_to_string(place.at("tessera.toml")).expect("a file");
    for (chain, key, right, code) in [
        ("one.pem", "one.key", "ok", 0),
        ("one.pem", "two.key", "fail", 78),
        ("authority.pem", "authority.key", "fail", 78),
        ("none.pem", "one.key", "fail", 78),
        ("one.key", "one.key", "fail", 78),
    ] {
        let named = format!("[quic]\ncertificate_file = \"{chain}\"\nkey_file = \"{key}\"");
        std::fs::write(place.at("tessera.toml"), text.replace("[quic]", &named)).expect("written");
        let (told, found) = place.doctor(&[]);
        assert_eq!((level(&told, "certificate"), found), (right.to_owned(), code), "{chain} {key}: {told}");
    }
}
