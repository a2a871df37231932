//! What a release is installed with: the script, the unit of systemd, the container's file, and what the unit builds on.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_tessera");

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(packaging().join(name)).expect(name)
}

/// The install script, in a clean environment.
fn install(arguments: &[&str]) -> Output {
    let mut command = Command::new("sh");
    command.arg(packaging().join("install.sh")).args(arguments);
    command.env_clear().env("PATH", std::env::var("PATH").unwrap_or_default()).output().expect("sh runs")
}

fn installed(prefix: &Path) -> Output {
    install(&["--binary", BINARY, "--prefix", prefix.to_str().expect("UTF-8")])
}

fn mode(path: &Path) -> u32 {
    let about = std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    about.permissions().mode() & 0o777
}

/// All files below a folder, without their folder.
fn files(folder: &Path) -> Vec<String> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(&at).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(folder).expect("below").display().to_string());
            }
        }
    }
    found.sort();
    found
}

/// PROPERTY: a release is installed below a prefix and nowhere else, runs from there, and with its configuration; run again
/// it replaces the binary and keeps a configuration that was edited; taken away again, the configuration stays.
#[test]
fn the_script_installs_below_a_prefix() {
    let folder = tempfile::tempdir().expect("a folder");
    let prefix = folder.path().join("opt");
    let done = installed(&prefix);
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success() && text.contains("config root-key"), "{done:?}");
    let binary = prefix.join("bin/tessera");
    let config = prefix.join("etc/tessera/tessera.toml");
    for (path, right) in [
        ("bin/tessera", 0o755),
        ("etc/tessera/tessera.toml", 0o644),
        ("lib/systemd/system/tessera.service", 0o644),
        ("lib/sysusers.d/tessera.conf", 0o644),
        ("share/man/man1/tessera.1", 0o644),
        ("share/man/man1/tessera-doctor.1", 0o644),
        ("share/bash-completion/completions/tessera", 0o644),
        ("share/zsh/site-functions/_tessera", 0o644),
        ("share/fish/vendor_completions.d/tessera.fish", 0o644),
    ] {
        assert_eq!(mode(&prefix.join(path)), right, "{path}");
    }
    assert!(!files(&prefix).iter().any(|name| name.ends_with(".new")));
    let ran =
        Command::new(&binary).args(["config", "check", "--config"]).arg(&config).output().expect("it runs");
    assert!(ran.status.success(), "{ran:?}");
    std::fs::write(&config, "# edited\n").expect("written");
    let again = installed(&prefix);
    let text = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(
        again.status.success() && text.contains("stays as it is") && text.contains("in place of"),
        "{text}"
    );
    assert_eq!(std::fs::read_to_string(&config).expect("there"), "# edited\n");
    let away = install(&["--uninstall", "--prefix", prefix.to_str().expect("UTF-8")]);
    assert!(away.status.success(), "{away:?}");
    assert_eq!(files(&prefix), ["etc/tessera/tessera.toml"]);
}

/// PROPERTY: what cannot be installed is refused before anything is written, with what is wrong; saying what would be done
/// writes nothing; and the script asks no network.
#[test]
fn the_script_refuses_before_it_writes() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(folder.path().join("text"), "no binary").expect("written");
    std::fs::write(folder.path().join("other"), "#!/bin/sh\necho other 1.0\n").expect("written");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path().join("other"), executable).expect("mode");
    let prefix = at("prefix");
    for (arguments, code, what) in [
        (vec!["--binary", &*at("none"), "--prefix", &*prefix], 69, "is not there"),
        (vec!["--binary", &*at("text"), "--prefix", &*prefix], 69, "cannot be executed"),
        (vec!["--binary", &*at("other"), "--prefix", &*prefix], 69, "is not tessera"),
        (vec!["--binary", BINARY, "--prefix", "relative"], 2, "absolute"),
        (vec!["--binary", BINARY, "--prefix", "/a path"], 2, "misread"),
        (vec!["--binary", BINARY, "--prefix"], 2, "needs a value"),
        (vec!["--flag"], 2, "unknown"),
    ] {
        let done = install(&arguments);
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(told.contains(what), "{arguments:?}: {told}");
        assert!(!Path::new(&prefix).exists(), "{arguments:?}");
    }
    let done = install(&["--dry-run", "--binary", BINARY, "--prefix", &prefix]);
    assert!(done.status.success() && !Path::new(&prefix).exists(), "{done:?}");
    for word in ["curl", "wget", "http:", "https:", "/dev/tcp", "ftp"] {
        assert!(!read("install.sh").contains(word), "{word}");
    }
}

/// PROPERTY: systemd takes the unit as it is installed.
#[test]
fn systemd_takes_the_unit() {
    let folder = tempfile::tempdir().expect("a folder");
    let prefix = folder.path().join("opt");
    assert!(installed(&prefix).status.success());
    let unit = prefix.join("lib/systemd/system/tessera.service");
    let text = std::fs::read_to_string(&unit).expect("a unit");
    let start =
        format!("ExecStart={0}/bin/tessera serve --config {0}/etc/tessera/tessera.toml", prefix.display());
    assert!(text.contains(&start), "{text}");
    assert!(!text.contains("@PREFIX@") && !text.contains("@ETC@"));
    let verify = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit).output();
    let Ok(done) = verify else {
        println!("SKIPPED: there is no systemd-analyze on this machine");
        return;
    };
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    // What it says of other units of this machine is not ours.
    let ours: Vec<&str> = told.lines().filter(|line| line.contains("tessera.service")).collect();
    assert!(ours.is_empty(), "{told}");
    if !done.status.success() {
        println!("SKIPPED in part: systemd-analyze ended with {}: {told}", done.status);
    }
}

/// PROPERTY: the unit's type is true: a node tells its manager when it takes requests, and when it drains.
#[test]
fn a_node_says_when_it_is_ready() {
    assert!(read("tessera.service").contains("\nType=notify\n"));
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("notify");
    let manager = UnixDatagram::bind(&socket).expect("bound");
    manager.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    let mut node = Command::new(BINARY)
        .args(["dev", "--no-walk", "--folder"])
        .arg(folder.path().join("node"))
        .env("NOTIFY_SOCKET", &socket)
        .env("TESSERA_HTTP__LISTEN", "127.0.0.1:0")
        .env("TESSERA_HEALTH__LISTEN", "127.0.0.1:0")
        .env("TESSERA_QUIC__LISTEN", "127.0.0.1:0")
        .env("TESSERA_STORAGE__JOURNAL_FILE_BYTES", "1048576")
        .env_remove("TESSERA_CONFIG")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let told = || {
        let mut text = [0; 64];
        let count = manager.recv(&mut text).expect("told");
        String::from_utf8_lossy(&text[..count]).into_owned()
    };
    assert_eq!(told(), "READY=1\n");
    let signal = Command::new("kill").args(["-TERM", &node.id().to_string()]).status();
    assert!(signal.expect("kill runs").success());
    assert_eq!(told(), "STOPPING=1\n");
    assert_eq!(node.wait().expect("a status").code(), Some(0));
}

/// PROPERTY: a container runs as nobody who could do harm, keeps its data in a volume and no key in its layers.
#[test]
fn the_container_is_nobodys_root() {
    let text = read("Containerfile");
    let lines: Vec<&str> = text.lines().collect();
    let at = |begin: &str| {
        lines.iter().position(|line| line.starts_with(begin)).unwrap_or_else(|| panic!("no {begin}"))
    };
    assert!(lines[at("FROM")].ends_with("debian:bookworm-slim"));
    assert_eq!(lines[at("USER")], "USER 10001:10001");
    assert!(at("USER") > at("RUN") && at("ENTRYPOINT") > at("USER"), "{text}");
    assert_eq!(lines[at("VOLUME")], "VOLUME [\"/var/lib/tessera\"]");
    assert!(text.contains("ROOT_KEY_FILE=/run/secrets/") && !text.contains("TESSERA_ROOT_KEY="));
    let daemon = Command::new("docker").arg("info").output().is_ok_and(|done| done.status.success());
    println!(
        "SKIPPED: the image is not built here{}",
        if daemon { " (no network)" } else { ": no daemon runs" }
    );
}

/// The commands in the fenced parts of a document: behind `$ ` where it shows a session, else whole lines; each up to what
/// the shell does with it.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for part in text.split("\n```").skip(1).step_by(2) {
        let part = part.replace("\\\n", " ");
        let session = part.lines().any(|line| line.starts_with("$ "));
        for line in part.lines() {
            let line = if session { line.strip_prefix("$ ").unwrap_or_default() } else { line };
            let line =
                ["sudo ", "./"].iter().fold(line, |line, word| line.strip_prefix(word).unwrap_or(line));
            if line.starts_with("tessera ") {
                found.push(words(line));
            }
        }
    }
    found
}

/// The words of a command, as a shell parts them, without what it is piped, sent or put behind to.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for letter in line.chars() {
        match (letter, quote) {
            ('\'' | '"', None) => quote = Some(letter),
            (letter, Some(mark)) if letter == mark => quote = None,
            ('|' | '>' | '&' | '#' | ';', None) => break,
            (' ', None) => words.push(std::mem::take(&mut word)),
            (letter, _) => word.push(letter),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// PROPERTY: every command that the operators' pages show is one, with all of its flags; and so is what the unit of systemd
/// and the container run. METHOD: `--help` behind each, which the binary answers where it knows all before it.
#[test]
fn what_operators_are_told_to_type_is_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operate");
    let mut all = std::collections::BTreeSet::new();
    for page in std::fs::read_dir(folder).expect("the pages") {
        let path = page.expect("a page").path();
        // That one is run line by line, its mistakes included.
        if !path.ends_with("command-line.md") {
            all.extend(commands(&std::fs::read_to_string(path).expect("a page")));
        }
    }
    assert!(all.len() >= 40, "{}", all.len());
    let unit = read("tessera.service");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=@PREFIX@/bin/")).expect("a start");
    all.insert(words(start));
    let container = read("Containerfile");
    let run = container.lines().find_map(|line| line.strip_prefix("CMD [")).expect("what it runs");
    all.insert(words(&format!("tessera {}", run.replace([',', ']'], ""))));
    let wrong: Vec<String> = all
        .iter()
        .filter_map(|words| {
            let done = Command::new(BINARY).args(&words[1..]).arg("--help").output().expect("it runs");
            let told = String::from_utf8_lossy(&done.stderr).into_owned();
            (!done.status.success()).then(|| format!("{}: {told}", words.join(" ")))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    // What the container takes from the tree is there.
    for line in container.lines().filter_map(|line| line.strip_prefix("COPY ")) {
        let from = line.split_whitespace().find(|word| !word.starts_with("--")).expect("a source");
        assert!(from == "${BINARY}" || packaging().join("..").join(from).exists(), "{from}");
    }
}
