//! The node's configuration: one TOML file and the environment, typed, with safe defaults.
//!
//! Every variable of the environment that belongs to it has two underscores in its name:
//! `TESSERA_STORAGE__DIR`. Keys that nobody knows are refused with the nearest known one. What
//! weakens a node has `danger_` in its name.

mod filter;
mod fleet;
mod http;
mod load;
mod locate;

pub(crate) use fleet::Fleet;
pub(crate) use http::Http;
pub(crate) use load::{ConfigError, load, read_toml};

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The whole configuration.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Where the node keeps what it remembers.
    pub(crate) storage: Storage,
    /// The QUIC door.
    pub(crate) quic: Quic,
    /// The HTTP door.
    pub(crate) http: Http,
    /// Metrics and health.
    pub(crate) health: Health,
    /// The fleet that the node belongs to.
    pub(crate) fleet: Fleet,
    /// The pool that hashes passwords.
    pub(crate) passwords: Passwords,
    /// How tenants live in memory.
    pub(crate) tenants: Tenants,
    /// The structured log.
    pub(crate) log: Log,
    /// How the node ends.
    pub(crate) shutdown: Shutdown,
}

/// Where the node keeps what it remembers.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Storage {
    /// The data directory. One process at a time.
    pub(crate) dir: PathBuf,
    /// The root key's file, of mode 0600: beside the data directory, never inside it.
    pub(crate) root_key_file: PathBuf,
    /// The command line named that file: it counts, whatever the environment says.
    #[serde(skip)]
    pub(crate) root_key_file_named: bool,
    /// Take a root key file that others on this machine can read.
    pub(crate) danger_root_key_readable_by_others: bool,
    /// Take the wall clock's time although the journal has later ones: what had ended by then may live again.
    pub(crate) danger_trust_wall_clock: bool,
    /// Bytes of one journal file, 64 KiB to 64 MiB in steps of 16 KiB; counts when the directory is made.
    pub(crate) journal_file_bytes: u64,
    /// Bytes of the journal that may wait for a checkpoint.
    pub(crate) tail_bytes_max: u64,
    /// Frames of the journal that may wait for a checkpoint.
    pub(crate) tail_frames_max: u64,
    /// Seconds after which a checkpoint is taken, if there is anything to take.
    pub(crate) checkpoint_seconds: u64,
    /// Bytes of the checkpoint's page cache.
    pub(crate) cache_bytes: u64,
    /// Seconds from the beginning of one look at the whole checkpoint to that of the next; 0: never.
    pub(crate) scrub_seconds: u64,
    /// Below which directory `tessera backup` makes its backups. Empty: the node takes none.
    pub(crate) backup_dir: PathBuf,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("/var/lib/tessera/data"),
            root_key_file: PathBuf::from("/var/lib/tessera/root.key"),
            root_key_file_named: false,
            danger_root_key_readable_by_others: false,
            danger_trust_wall_clock: false,
            journal_file_bytes: 64 * MIB,
            tail_bytes_max: 128 * MIB,
            tail_frames_max: 500_000,
            checkpoint_seconds: 60,
            cache_bytes: 16 * MIB,
            scrub_seconds: 86_400,
            backup_dir: PathBuf::new(),
        }
    }
}

/// The QUIC door.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Quic {
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// Runtimes with an endpoint each on the same port; 0: one per core, at most 8.
    pub(crate) endpoints: usize,
    /// The certificate chain (PEM). Empty: a self-signed one is made in the data directory.
    pub(crate) certificate_file: PathBuf,
    /// The certificate's private key (PEM).
    pub(crate) key_file: PathBuf,
    /// Seconds between two looks at the certificate's files, to take a renewed pair into use; 0: only at
    /// SIGHUP.
    pub(crate) certificate_poll_seconds: u64,
    /// Names that a self-signed certificate is made for.
    pub(crate) names: Vec<String>,
    /// Connections at a time.
    pub(crate) connections_max: usize,
    /// Keep the runtimes awake, for the fastest answers: each takes a core whole, busy or idle.
    pub(crate) busy_poll: bool,
    /// Cores (their numbers) that the endpoints' threads are bound to, in turn; empty: not bound.
    pub(crate) cores: Vec<usize>,
}

impl Default for Quic {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7443)),
            endpoints: 0,
            certificate_file: PathBuf::new(),
            key_file: PathBuf::new(),
            certificate_poll_seconds: 30,
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()],
            connections_max: 10_000,
            busy_poll: false,
            cores: Vec::new(),
        }
    }
}

/// Metrics and health, over plain HTTP.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Health {
    /// Where it listens: an address of this machine only, unless told otherwise.
    pub(crate) listen: SocketAddr,
    /// Listen on an address that other machines can reach, in plain text.
    pub(crate) danger_listen_beyond_this_machine: bool,
}

impl Default for Health {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 7480)), danger_listen_beyond_this_machine: false }
    }
}

/// The pool that hashes passwords, outside every actor, at the lowest priority.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Passwords {
    /// Threads; 0: one less than there are cores, at least one.
    pub(crate) threads: usize,
    /// Hashes that may wait; beyond it the answer is Busy.
    pub(crate) queue_max: usize,
    /// What one hash may cost, MiB × passes, whatever a tenant's settings say.
    pub(crate) cost_mib_max: u64,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { threads: 0, queue_max: 64, cost_mib_max: 256 }
    }
}

/// How tenants live in memory.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tenants {
    /// Seconds without work after which a tenant leaves memory; the next use wakes it.
    pub(crate) idle_sleep_seconds: u64,
    /// About how many bytes the tenants in memory may take.
    pub(crate) memory_bytes_max: u64,
}

impl Default for Tenants {
    fn default() -> Self {
        Self { idle_sleep_seconds: 600, memory_bytes_max: 512 * MIB }
    }
}

/// The structured log, on standard error.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// `text` for people, `json` for programs.
    pub(crate) format: LogFormat,
    /// What is written: a level, or `target=level` pairs with commas between.
    pub(crate) filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// One line for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How the node ends.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Shutdown {
    /// Seconds that open requests get to finish after the signal.
    pub(crate) drain_seconds: u64,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { drain_seconds: 10 }
    }
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
/// LIMIT: bytes that a key may name, beyond any machine of today.
const BYTES_MAX: u64 = 1024 * 1024 * 1024 * MIB;
/// LIMIT: frames that may wait for a checkpoint.
const FRAMES_MAX: u64 = 1_000_000_000;
/// LIMIT: seconds that a key may name: ten years.
const SECONDS_MAX: u64 = 10 * 365 * 86_400;
/// What is said beyond it.
const SECONDS: &str = "must be at most 315360000 (ten years)";
/// LIMIT: connections of one door, and hashes that may wait.
pub(super) const COUNT_MAX: usize = 10_000_000;

impl Storage {
    /// What is wrong with it beyond the types: the key and what to do about it.
    fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let mut faults = Vec::new();
        let mut fault = |wrong: bool, key: &'static str, what: &'static str| {
            if wrong {
                faults.push((key, what));
            }
        };
        let storage = self;
        let file = storage.journal_file_bytes;
        let copied = !storage.backup_dir.as_os_str().is_empty();
        fault(
            !file.is_multiple_of(16 * KIB) || !(64 * KIB..=64 * MIB).contains(&file),
            "storage.journal_file_bytes",
            "must be 65536 (64 KiB) to 67108864 (64 MiB), in steps of 16384 (16 KiB)",
        );
        fault(
            storage.tail_bytes_max < 2 * file,
            "storage.tail_bytes_max",
            "must be at least two journal files: one is written while the other waits for its checkpoint",
        );
        fault(storage.tail_frames_max < 1_000, "storage.tail_frames_max", "must be at least 1000, one group");
        fault(storage.checkpoint_seconds == 0, "storage.checkpoint_seconds", "must be at least 1");
        fault(storage.cache_bytes < MIB, "storage.cache_bytes", "must be at least 1048576 (1 MiB)");
        let bytes = "must be at most 1125899906842624 (1 PiB)";
        fault(storage.tail_bytes_max > BYTES_MAX, "storage.tail_bytes_max", bytes);
        fault(storage.cache_bytes > BYTES_MAX, "storage.cache_bytes", bytes);
        fault(storage.tail_frames_max > FRAMES_MAX, "storage.tail_frames_max", "must be at most 1000000000");
        fault(storage.checkpoint_seconds > SECONDS_MAX, "storage.checkpoint_seconds", SECONDS);
        fault(storage.scrub_seconds > SECONDS_MAX, "storage.scrub_seconds", SECONDS);
        fault(storage.dir.as_os_str().is_empty(), "storage.dir", "must name a directory");
        fault(storage.root_key_file.as_os_str().is_empty(), "storage.root_key_file", "must name a file");
        fault(
            storage.root_key_file.starts_with(&storage.dir),
            "storage.root_key_file",
            "must stand outside storage.dir: whoever copies the data must not copy the key with it",
        );
        fault(
            copied && real(&storage.backup_dir).starts_with(real(&storage.dir)),
            "storage.backup_dir",
            "must stand outside storage.dir: a backup must outlive the data, best on another disk",
        );
        fault(
            copied && real(&storage.root_key_file).starts_with(real(&storage.backup_dir)),
            "storage.backup_dir",
            "must not hold storage.root_key_file: whoever copies the backups must not copy the key with them",
        );
        faults
    }
}

/// Where a path leads, links followed as far as it is there.
fn real(path: &std::path::Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let found = whole.ancestors().find_map(|above| {
        let rest = whole.strip_prefix(above).ok()?;
        Some(above.canonicalize().ok()?.join(rest))
    });
    found.unwrap_or(whole)
}

impl Config {
    /// What is wrong beyond the types: the key and what to do about it.
    pub(crate) fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let mut fault = |wrong: bool, key: &'static str, what: &str| {
            if wrong {
                faults.push((key, what.to_owned()));
            }
        };
        let quic = &self.quic;
        fault(
            quic.certificate_file.as_os_str().is_empty() != quic.key_file.as_os_str().is_empty(),
            "quic.certificate_file",
            "and quic.key_file go together: give both or none",
        );
        fault(quic.names.is_empty(), "quic.names", "must hold at least one name");
        fault(quic.endpoints > 64, "quic.endpoints", "must be at most 64");
        let count = "must be 1 to 10000000";
        fault(!(1..=COUNT_MAX).contains(&quic.connections_max), "quic.connections_max", count);
        fault(quic.certificate_poll_seconds > SECONDS_MAX, "quic.certificate_poll_seconds", SECONDS);
        fault(self.fleet.poll_seconds > SECONDS_MAX, "fleet.poll_seconds", SECONDS);
        let queue = self.passwords.queue_max;
        fault(!(1..=COUNT_MAX).contains(&queue), "passwords.queue_max", count);
        fault(self.tenants.idle_sleep_seconds > SECONDS_MAX, "tenants.idle_sleep_seconds", SECONDS);
        fault(
            self.tenants.memory_bytes_max > BYTES_MAX,
            "tenants.memory_bytes_max",
            "must be at most 1125899906842624 (1 PiB)",
        );
        fault(
            !self.health.listen.ip().is_loopback() && !self.health.danger_listen_beyond_this_machine,
            "health.listen",
            "is reachable from other machines, in plain text: use a loopback address, or set health.danger_listen_beyond_this_machine",
        );
        for (key, what) in
            self.storage.faults().into_iter().chain(self.http.faults()).chain(self.fleet.faults())
        {
            faults.push((key, what.to_owned()));
        }
        let mut fault = |wrong: bool, key: &'static str, what: &str| {
            if wrong {
                faults.push((key, what.to_owned()));
            }
        };
        fault(
            self.passwords.cost_mib_max < 38,
            "passwords.cost_mib_max",
            "must be at least 38, two passes over 19 MiB: less is too little for a password",
        );
        fault(self.passwords.threads > 64, "passwords.threads", "must be at most 64");
        fault(self.tenants.idle_sleep_seconds == 0, "tenants.idle_sleep_seconds", "must be at least 1");
        if let Some(what) = filter::fault(&self.log.filter) {
            fault(true, "log.filter", &what);
        }
        fault(
            self.tenants.memory_bytes_max < 16 * MIB,
            "tenants.memory_bytes_max",
            "must be at least 16777216 (16 MiB)",
        );
        fault(self.shutdown.drain_seconds > 3600, "shutdown.drain_seconds", "must be at most 3600");
        faults
    }

    /// The configuration of `tessera dev`: everything below one folder, on the same ports.
    pub(crate) fn development(folder: &std::path::Path) -> Self {
        let mut config = Self::default();
        config.storage.dir = folder.join("data");
        config.storage.root_key_file = folder.join("root.key");
        config.storage.journal_file_bytes = 4 * MIB;
        config.storage.backup_dir = folder.join("backups");
        config.http = Http::development();
        // The walk speaks for itself.
        config.log.filter = "warn".to_owned();
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: the defaults are without fault, and none of them weakens anything.
    /// TC-90 in part: defaults.
    #[test]
    fn defaults_are_safe() {
        let config = Config::default();
        assert_eq!(config.faults(), []);
        let text = serde_json::to_string(&config).expect("json");
        assert!(!text.replace("readable_by_others\":false", "").contains("readable_by_others"));
        assert!(!config.health.danger_listen_beyond_this_machine);
        assert!(config.quic.listen.ip().is_loopback());
    }

    /// PROPERTY: every key stands in the operator's document, under its table.
    #[test]
    fn keys_are_documented() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operate/configuration.md");
        let text = std::fs::read_to_string(path).expect("the document");
        let value = serde_json::to_value(Config::default()).expect("json");
        for (table, keys) in value.as_object().expect("tables") {
            let part =
                text.split("## `[").find(|part| part.starts_with(&format!("{table}]`"))).expect("a part");
            for key in keys.as_object().expect("keys").keys() {
                assert!(part.contains(&format!("| `{key}` |")), "{table}.{key}");
            }
        }
    }

    /// PROPERTY: a directory for backups that a link leads into the data, or to where the root key is, is refused.
    #[test]
    fn links_are_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = Config::development(folder.path());
        assert_eq!(config.faults(), []);
        std::fs::create_dir(folder.path().join("data")).expect("a folder");
        for (name, to) in [("into", "data"), ("beside", ".")] {
            let link = folder.path().join(name);
            std::os::unix::fs::symlink(folder.path().join(to), &link).expect("a link");
            config.storage.backup_dir = if to == "data" { link.join("backups") } else { link };
            let faults = config.faults();
            assert!(faults.iter().any(|(key, _)| *key == "storage.backup_dir"), "{name}: {faults:?}");
        }
    }

    /// PROPERTY: each value out of its bounds is named with its key.
    #[test]
    fn values_out_of_bounds_are_named() {
        type Change = fn(&mut Config);
        let changes: &[(&str, Change)] = &[
            ("storage.journal_file_bytes", |c| c.storage.journal_file_bytes = 65_537),
            ("storage.tail_bytes_max", |c| c.storage.tail_bytes_max = 1),
            ("storage.tail_frames_max", |c| c.storage.tail_frames_max = 1),
            ("storage.checkpoint_seconds", |c| c.storage.checkpoint_seconds = 0),
            ("storage.cache_bytes", |c| c.storage.cache_bytes = 1),
            ("storage.dir", |c| c.storage.dir = PathBuf::new()),
            ("storage.root_key_file", |c| c.storage.root_key_file = c.storage.dir.join("k")),
            ("storage.backup_dir", |c| c.storage.backup_dir = c.storage.dir.join("b")),
            ("storage.backup_dir", |c| c.storage.backup_dir = PathBuf::from("/var/lib/tessera")),
            ("quic.certificate_file", |c| c.quic.key_file = PathBuf::from("k")),
            ("quic.names", |c| c.quic.names.clear()),
            ("quic.endpoints", |c| c.quic.endpoints = 65),
            ("quic.connections_max", |c| c.quic.connections_max = 0),
            ("health.listen", |c| c.health.listen = SocketAddr::from(([0, 0, 0, 0], 1))),
            ("http.listen", |c| {
                c.http.listen = "0.0.0.0:1".to_owned();
                c.http.plain = true;
            }),
            ("http.listen", |c| c.http.listen = "here".to_owned()),
            ("http.domain", |c| c.http.domain = "a b".to_owned()),
            ("http.origins", |c| c.http.origins.push("app.example.com".to_owned())),
            ("http.connections_max", |c| c.http.connections_max = 0),
            ("http.credential_per_second", |c| c.http.credential_per_second = 0),
            ("http.source_per_second", |c| c.http.source_per_second = 0),
            ("http.tenant_per_second", |c| c.http.tenant_per_second = 0),
            ("passwords.queue_max", |c| c.passwords.queue_max = 0),
            ("passwords.cost_mib_max", |c| c.passwords.cost_mib_max = 37),
            ("tenants.idle_sleep_seconds", |c| c.tenants.idle_sleep_seconds = 0),
            ("log.filter", |c| c.log.filter = "banana".to_owned()),
            ("tenants.memory_bytes_max", |c| c.tenants.memory_bytes_max = 1),
            ("shutdown.drain_seconds", |c| c.shutdown.drain_seconds = 3601),
            ("storage.tail_bytes_max", |c| c.storage.tail_bytes_max = u64::MAX),
            ("storage.tail_frames_max", |c| c.storage.tail_frames_max = u64::MAX),
            ("storage.checkpoint_seconds", |c| c.storage.checkpoint_seconds = u64::MAX),
            ("storage.scrub_seconds", |c| c.storage.scrub_seconds = u64::MAX),
            ("storage.cache_bytes", |c| c.storage.cache_bytes = u64::MAX),
            ("quic.connections_max", |c| c.quic.connections_max = usize::MAX),
            ("quic.certificate_poll_seconds", |c| c.quic.certificate_poll_seconds = u64::MAX),
            ("http.connections_max", |c| c.http.connections_max = usize::MAX),
            ("fleet.poll_seconds", |c| c.fleet.poll_seconds = u64::MAX),
            ("passwords.queue_max", |c| c.passwords.queue_max = usize::MAX),
            ("tenants.idle_sleep_seconds", |c| c.tenants.idle_sleep_seconds = u64::MAX),
            ("tenants.memory_bytes_max", |c| c.tenants.memory_bytes_max = u64::MAX),
        ];
        for (key, change) in changes {
            let mut config = Config::default();
            change(&mut config);
            assert!(config.faults().iter().any(|(found, _)| found == key), "{key}");
        }
    }
}
