//! The life of a real node: start, health, metrics, reload, a second process, drain and end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

/// A node in development mode below a folder; killed with its guard.
struct Node {
    child: Child,
    log: BufReader<ChildStderr>,
    http: SocketAddr,
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

impl Node {
    fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    fn logging(folder: &Path, format: &str) -> Self {
        Self::start_with(folder, &[("TESSERA_LOG__FORMAT", format)])
    }

    fn start_with(folder: &Path, more: &[(&str, &str)]) -> Self {
        let http = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let quic = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut child = Command::new(env!("CARGO_BIN_EXE_tessera"))
            .args(["dev", "--no-walk", "--folder"])
            .arg(folder)
            .env("TESSERA_LOG__FILTER", "info")
            .env("TESSERA_HTTP__LISTEN", "127.0.0.1:0")
            .env("TESSERA_HEALTH__LISTEN", http.to_string())
            .env("TESSERA_QUIC__LISTEN", quic.to_string())
            .env("TESSERA_LOG__FORMAT", "json")
            .env("TESSERA_STORAGE__JOURNAL_FILE_BYTES", "1048576")
            .envs(more.iter().copied())
            .env_remove("TESSERA_CONFIG")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let log = BufReader::new(child.stderr.take().expect("a pipe"));
        Self { child, log, http }
    }

    /// Reads the log up to the line with this message.
    fn until(&mut self, message: &str) -> serde_json::Value {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            let read = self.log.read_line(&mut line).expect("a line");
            assert!(read > 0, "the log ended before {message:?}:\n{seen}");
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(&line)
                && value["message"] == message
            {
                return value;
            }
            seen.push_str(&line);
        }
    }

    fn ask(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.http).expect("the HTTP door");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, answer)
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let done = Command::new("kill").args(["-s", name, &id]).status().expect("kill runs");
        assert!(done.success());
    }

    fn end(&mut self) -> i32 {
        self.signal("TERM");
        self.child.wait().expect("an end").code().expect("no signal ended it")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// PROPERTY: a node becomes ready, tells its metrics, and ends with 0 after SIGTERM, SIGINT alike.
#[test]
fn a_node_lives_and_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["TERM", "INT"] {
        let mut node = Node::start(folder.path());
        node.until("ready");
        assert_eq!(node.ask("/livez").0, 200);
        assert_eq!(node.ask("/readyz").0, 200);
        assert_eq!(node.ask("/other").0, 404);
        let (status, metrics) = node.ask("/metrics");
        assert_eq!(status, 200);
        for metric in
            ["tessera_info{version=", "tessera_ready 1", "tessera_resident_bytes ", "tessera_tenants_awake "]
        {
            assert!(metrics.contains(metric), "{metric}: {metrics}");
        }
        node.signal(name);
        let started = Instant::now();
        assert_eq!(node.child.wait().expect("an end").code(), Some(0));
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}

/// PROPERTY: SIGHUP loads the certificate again and the node goes on.
#[test]
fn a_hangup_reloads_the_certificate() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut node = Node::start(folder.path());
    node.until("ready");
    node.signal("HUP");
    node.until("loaded the certificate again");
    assert_eq!(node.ask("/readyz").0, 200);
    assert!(node.ask("/metrics").1.contains("tessera_certificate_reloads_total 1"));
    assert_eq!(node.end(), 0);
}

/// PROPERTY: a second process on the same directory is refused with 69 and disturbs nobody.
#[test]
fn a_second_process_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut first = Node::start(folder.path());
    first.until("ready");
    let mut second = Node::start(folder.path());
    assert_eq!(second.child.wait().expect("an end").code(), Some(69));
    assert_eq!(first.ask("/readyz").0, 200);
    assert_eq!(first.end(), 0);
}

/// PROPERTY: an address in use is told with its key, and ends with 69.
#[test]
fn an_address_in_use_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let folder = tempfile::tempdir().expect("a folder");
    let address = taken.local_addr().expect("an address").to_string();
    let refused = Command::new(env!("CARGO_BIN_EXE_tessera"))
        .args(["dev", "--folder"])
        .arg(folder.path())
        .env("TESSERA_HTTP__LISTEN", "127.0.0.1:0")
        .env("TESSERA_HEALTH__LISTEN", &address)
        .env_remove("TESSERA_CONFIG")
        .output()
        .expect("the binary runs");
    assert_eq!(refused.status.code(), Some(69));
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(message.contains(&format!("health.listen {address}")), "{message}");
}

/// A development node whose fdatasync fails from the `from`-th of each thread on; killed after a minute.
fn with_failing_syncs(folder: &Path, from: u32) -> (Option<i32>, String) {
    let ended = Command::new("timeout")
        .args(["-s", "KILL", "60", "strace", "-f", "-qqq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e"])
        .arg(format!("inject=fdatasync:error=EIO:when={from}+"))
        .arg(env!("CARGO_BIN_EXE_tessera"))
        .args(["dev", "--folder"])
        .arg(folder)
        .env("TESSERA_HTTP__LISTEN", "127.0.0.1:0")
        .env("TESSERA_HEALTH__LISTEN", format!("127.0.0.1:{}", free_port()))
        .env("TESSERA_QUIC__LISTEN", format!("127.0.0.1:{}", free_port()))
        .env("TESSERA_LOG__FILTER", "info")
        .env_remove("TESSERA_CONFIG")
        .output()
        .expect("strace runs");
    (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

/// PROPERTY: a disk that fails to sync, at the start or under commands, ends the node with 75 and says
/// so; nothing hangs and nothing is printed for programmers; with a sound disk it starts again.
/// TC-96 in part.
#[test]
fn a_failing_disk_ends_with_75() {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, message) = with_failing_syncs(folder.path(), 1);
    assert_eq!(code, Some(75), "{message}");
    let sound = tempfile::tempdir().expect("a folder");
    let mut first = Node::start(sound.path());
    first.until("ready");
    assert_eq!(first.end(), 0);
    let (code, message) = with_failing_syncs(sound.path(), 4);
    assert_eq!(code, Some(75), "{message}");
    assert!(message.contains("INFO ready"), "{message}");
    assert!(message.contains("the store has failed"), "{message}");
    assert!(!message.contains("RUST_BACKTRACE"), "{message}");
    let mut again = Node::start(sound.path());
    again.until("ready");
    assert_eq!(again.end(), 0);
}

/// PROPERTY: while nobody has claimed a node, its one-time secret stands in a file for the owner only. People
/// are shown it at each start; a log for programs names the file, in JSON like all of its lines, and never
/// holds the secret.
/// TC-74 in part: the log; TC-120 in part.
#[test]
fn the_one_time_secret_is_shown_and_kept_for_the_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data/operator-secret");
    for format in ["text", "json"] {
        let mut node = Node::logging(folder.path(), format);
        let mut seen = String::new();
        while !seen.contains("ready") {
            assert!(node.log.read_line(&mut seen).expect("a line") > 0, "the log ended");
        }
        let kept = std::fs::read_to_string(&path).expect("a file");
        assert_eq!(kept.trim().len(), "once-".len() + 32);
        assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        if format == "text" {
            assert!(seen.lines().any(|line| line.trim() == kept.trim()), "{seen}");
        } else {
            let sound = |line: &str| serde_json::from_str::<serde_json::Value>(line).is_ok();
            assert!(seen.lines().all(sound) && !seen.contains("once-"), "{seen}");
            assert!(seen.contains("data/operator-secret"), "{seen}");
        }
        assert_eq!(node.end(), 0);
    }
}

/// PROPERTY: damage in the checkpoint that nobody needs yet is told while the node serves: in the log with its table,
/// in the metrics, and in the text of the readiness probe, which stays 200.
#[test]
fn damage_is_told_before_it_is_needed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut node = Node::start(folder.path());
    node.until("ready");
    assert_eq!(node.ask("/readyz").1.rsplit("\r\n").next(), Some("ready\n"));
    assert_eq!(node.end(), 0);
    let path = folder.path().join("data/state.redb");
    let mut bytes = std::fs::read(&path).expect("the checkpoint");
    // Frames of history begin so; a start reads none of them.
    let frames: Vec<usize> =
        (0..bytes.len() - 80).filter(|at| bytes[*at..].starts_with(b"\xFET\x01")).collect();
    assert!(!frames.is_empty());
    frames.iter().for_each(|at| bytes[at + 70] ^= 1);
    std::fs::write(&path, bytes).expect("written");
    let mut node = Node::start_with(folder.path(), &[("TESSERA_STORAGE__SCRUB_SECONDS", "1")]);
    let told = node.until("the checkpoint is damaged");
    assert!(told["damage"].as_str().expect("a text").contains("segment_v1"), "{told}");
    let (status, text) = node.ask("/readyz");
    assert_eq!(status, 200);
    assert!(text.contains("damaged entries of the checkpoint: 1, see the log"), "{text}");
    assert!(node.ask("/metrics").1.contains("tessera_scrub_damage 1"));
    assert_eq!(node.end(), 0);
}

/// The files below a folder, with what they hold.
fn files(folder: &Path) -> std::collections::BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            let bytes = std::fs::read(&path).expect("a file");
            found.insert(path, bytes);
        }
    }
    found
}

/// PROPERTY: a binary over a directory that a newer version wrote ends with 78, says what to do, and changes no byte.
/// TC-101 in part: the real binary.
#[test]
fn a_newer_directory_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut node = Node::start(folder.path());
    node.until("ready");
    node.signal("TERM");
    node.child.wait().expect("an end");
    let lane = files(folder.path()).into_keys().find(|path| path.ends_with("LANE")).expect("an identity");
    let mut bytes = std::fs::read(&lane).expect("read");
    bytes[4] = 9;
    let body = bytes.len() - 32;
    let hash = tessera_crypto::digest::hash(&[&bytes[..body]]);
    bytes[body..].copy_from_slice(&hash);
    std::fs::write(&lane, bytes).expect("written");
    let data = lane.parent().expect("the data directory");
    let before = files(data);
    let mut node = Node::start(folder.path());
    assert_eq!(node.child.wait().expect("an end").code(), Some(78));
    let mut said = String::new();
    node.log.read_to_string(&mut said).expect("the log");
    assert!(said.contains("newer version") && said.contains("start that version"), "{said}");
    assert!(files(data) == before, "the refusal changed the directory");
}

/// The cores that thread `name` of process `pid` may run on, as the kernel writes them.
fn cores_of(pid: u32, name: &str) -> String {
    let of = |task: &Path, what: &str| std::fs::read_to_string(task.join(what)).unwrap_or_default();
    let begun = Instant::now();
    // A thread names itself, and binds itself behind that, as soon as it runs.
    let task = loop {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("its threads");
        let mut tasks = tasks.map(|task| task.expect("a thread").path());
        if let Some(task) = tasks.find(|task| of(task, "comm").trim() == name) {
            break task;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "no thread {name}");
        std::thread::sleep(Duration::from_millis(5));
    };
    let status = of(&task, "status");
    status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).expect("a set").trim().to_owned()
}

/// PROPERTY: the endpoints' threads run on the cores that were named, in turn, and no other thread is bound; a core
/// that the process has not ends the start with 78 and its name. METHOD: what the kernel says of the threads.
#[test]
fn endpoints_run_on_the_cores_that_were_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let status = std::fs::read_to_string("/proc/self/status").expect("of this process");
    let all = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).expect("a set").trim();
    let first: usize = all.split([',', '-']).next().and_then(|core| core.parse().ok()).expect("a core");
    let cores = format!("[{first}]");
    let mut node = Node::start_with(
        folder.path(),
        &[
            ("TESSERA_QUIC__CORES", &cores),
            ("TESSERA_QUIC__ENDPOINTS", "2"),
            ("TESSERA_QUIC__BUSY_POLL", "true"),
        ],
    );
    node.until("ready");
    for name in ["quic-0", "quic-1"] {
        let begun = Instant::now();
        while cores_of(node.child.id(), name) != first.to_string() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{name} is not bound");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    assert_eq!(cores_of(node.child.id(), "tessera"), all);
    assert_eq!(node.end(), 0);
    let mut wrong = Node::start_with(folder.path(), &[("TESSERA_QUIC__CORES", "[100000]")]);
    assert_eq!(wrong.child.wait().expect("an end").code(), Some(78));
    let mut said = String::new();
    wrong.log.read_to_string(&mut said).expect("its log");
    assert!(said.contains("quic.cores: this process may not run on core 100000"), "{said}");
}
