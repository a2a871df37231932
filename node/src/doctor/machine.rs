//! What the operating system lets the node have: open files, memory, buffers of sockets; and where secrets may leak to.
//!
//! Read from /proc and /sys below a root, which tests plant.

use super::finding::Finding;
use crate::config::Config;
use crate::exit;
use serde_json::json;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

const FILES: &str = "open-files";
const MEMORY: &str = "memory";
const BUFFERS: &str = "udp-buffers";
const CORES: &str = "core-dumps";
const SWAP: &str = "swap";
/// LIMIT: open files beside connections over HTTP: journal, checkpoint, sockets, the runtime's own.
const FILES_BESIDE: u64 = 256;
/// LIMIT: what the node asks the kernel for, for each UDP socket (transport/src/socket.rs).
const BUFFER_BYTES: u64 = 4 * 1024 * 1024;
/// LIMIT: below it a burst of packets is dropped at the kernel's own default.
const BUFFER_BYTES_LEAST: u64 = 1024 * 1024;
/// LIMIT: what a node takes beside its tenants, its cache, its tail and its hashes.
const MEMORY_BESIDE: u64 = 128 * MIB;
const MIB: u64 = 1024 * 1024;

/// The machine, as a process on it sees it.
pub(crate) struct Machine {
    root: PathBuf,
    /// Whose limits count.
    process: String,
}

impl Machine {
    pub(crate) fn new(root: PathBuf, pid: Option<u32>) -> Self {
        Self { root, process: pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string()) }
    }

    fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        std::fs::read_to_string(self.root.join(path)).ok()
    }

    /// A file that holds one number, or `max`.
    fn number(&self, path: impl AsRef<Path>) -> Option<u64> {
        let text = self.read(path)?;
        if text.trim() == "max" { Some(u64::MAX) } else { text.trim().parse().ok() }
    }

    /// The soft limit of this name.
    fn limit(&self, name: &str) -> Option<u64> {
        let text = self.read(format!("proc/{}/limits", self.process))?;
        let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
        let soft = rest.split_whitespace().next()?;
        if soft == "unlimited" { Some(u64::MAX) } else { soft.parse().ok() }
    }

    /// A line of /proc/meminfo, in bytes.
    fn meminfo(&self, name: &str) -> Option<u64> {
        let text = self.read("proc/meminfo")?;
        let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(rest.split_whitespace().next()?.parse::<u64>().ok()?.saturating_mul(1024))
    }

    /// The least limit of the control groups that the process is in, and of those above.
    fn group_limit(&self) -> Option<u64> {
        let text = self.read(format!("proc/{}/cgroup", self.process))?;
        let mut least: Option<u64> = None;
        for line in text.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(kinds), Some(path)) = (parts.next(), parts.next()) else { continue };
            let (folder, file) = match kinds {
                "" => ("sys/fs/cgroup", "memory.max"),
                kinds if kinds.split(',').any(|kind| kind == "memory") => {
                    ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
                }
                _ => continue,
            };
            for above in Path::new(path).ancestors() {
                let below = above.strip_prefix("/").unwrap_or(above);
                if let Some(found) = self.number(Path::new(folder).join(below).join(file)) {
                    least = Some(least.map_or(found, |least| least.min(found)));
                }
            }
        }
        least
    }

    /// What there is of each.
    pub(crate) fn findings(&self, config: &Config) -> Vec<Finding> {
        let ram = self.meminfo("MemTotal");
        let limit = |one: Option<u64>, other: Option<u64>| [one, other].into_iter().flatten().min();
        let buffers =
            ["rmem_max", "wmem_max"].map(|name| (name, self.number(format!("proc/sys/net/core/{name}"))));
        vec![
            judge_files(config, self.limit("Max open files")),
            judge_memory(config, limit(ram, self.group_limit())),
            judge_buffers(buffers),
            judge_cores(self.limit("Max core file size")),
            judge_swap(self.meminfo("SwapTotal"), self.limit("Max locked memory")),
        ]
    }
}

fn unread(name: &'static str) -> Finding {
    Finding::warn(name, "/proc does not tell", "look at it as the node's user, on the machine itself")
}

fn judge_files(config: &Config, limit: Option<u64>) -> Finding {
    let Some(limit) = limit else { return unread(FILES) };
    let over_http = config.http.address().map_or(0, |_| config.http.connections_max as u64);
    let need = over_http.saturating_add(FILES_BESIDE);
    let shown = if limit == u64::MAX { "unlimited".to_owned() } else { limit.to_string() };
    let what = format!(
        "{shown} may be open; {over_http} connections over HTTP (http.connections_max) and the node's own take {need}"
    );
    let todo = format!("LimitNOFILE={} in the unit, or ulimit -n before the start", need.next_power_of_two());
    let finding = if limit < FILES_BESIDE {
        Finding::fail(FILES, exit::UNAVAILABLE, what, todo)
    } else if limit < need {
        Finding::warn(FILES, what, todo)
    } else {
        Finding::ok(FILES, what)
    };
    finding.with(json!({ "limit": limit, "need": need }))
}

fn judge_memory(config: &Config, limit: Option<u64>) -> Finding {
    let Some(limit) = limit else { return unread(MEMORY) };
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads =
        if config.passwords.threads == 0 { cores.saturating_sub(1).max(1) } else { config.passwords.threads };
    let hashes = (threads as u64).saturating_mul(config.passwords.cost_mib_max).saturating_mul(MIB);
    let tenants = config.tenants.memory_bytes_max;
    let need = [config.storage.cache_bytes, config.storage.tail_bytes_max, hashes, MEMORY_BESIDE]
        .into_iter()
        .fold(tenants, u64::saturating_add);
    let what = format!(
        "{} MiB may be used; tenants take up to {} MiB (tenants.memory_bytes_max), and with cache, tail and hashes the node up to {} MiB",
        limit / MIB,
        tenants / MIB,
        need / MIB
    );
    let todo = "raise MemoryMax (or the container's limit), or lower tenants.memory_bytes_max and passwords.cost_mib_max";
    let finding = if limit < tenants {
        Finding::fail(MEMORY, exit::UNAVAILABLE, what, todo)
    } else if limit < need {
        Finding::warn(MEMORY, what, todo)
    } else {
        Finding::ok(MEMORY, what)
    };
    finding.with(json!({ "limit_bytes": limit, "need_bytes": need }))
}

fn judge_buffers(found: [(&str, Option<u64>); 2]) -> Finding {
    let told = |(name, bytes): (&str, Option<u64>)| bytes.map(|bytes| (name.to_owned(), bytes));
    let [Some(read), Some(write)] = found.map(told) else { return unread(BUFFERS) };
    let least = read.1.min(write.1);
    let what = format!(
        "net.core.{} is {} and net.core.{} {}; the node asks for {BUFFER_BYTES} for each socket",
        read.0, read.1, write.0, write.1
    );
    let todo = format!(
        "sysctl -w net.core.rmem_max={BUFFER_BYTES} net.core.wmem_max={BUFFER_BYTES}, and the same in /etc/sysctl.d"
    );
    let finding = if least < BUFFER_BYTES_LEAST {
        Finding::warn(BUFFERS, format!("{what}: bursts lose packets"), todo)
    } else {
        Finding::ok(BUFFERS, what)
    };
    finding.with(json!({ "rmem_max": read.1, "wmem_max": write.1 }))
}

fn judge_cores(limit: Option<u64>) -> Finding {
    match limit {
        None => unread(CORES),
        Some(0) => Finding::ok(CORES, "none is written: no key leaves memory that way"),
        Some(_) => Finding::warn(
            CORES,
            "a crash may write a core file, with every key in it",
            "LimitCORE=0 in the unit, or ulimit -c 0 before the start",
        ),
    }
}

fn judge_swap(swap: Option<u64>, locked: Option<u64>) -> Finding {
    let Some(swap) = swap else { return unread(SWAP) };
    let locked = locked.map_or_else(
        || "unknown".to_owned(),
        |bytes| if bytes == u64::MAX { "unlimited".to_owned() } else { format!("{} KiB", bytes / 1024) },
    );
    if swap == 0 {
        return Finding::ok(SWAP, format!("there is none; the node locks no memory (the limit is {locked})"));
    }
    Finding::warn(
        SWAP,
        format!(
            "{} MiB: keys in memory may be written there, for the node locks no memory (the limit is {locked})",
            swap / MIB
        ),
        "MemorySwapMax=0 in the unit, or encrypt the swap",
    )
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    const LIMITS: &str = "Limit                     Soft Limit           Hard Limit           Units     \nMax core file size        0                    unlimited            bytes     \nMax open files            1024                 524288               files     \nMax locked memory         8388608              8388608              bytes     \n";

    fn planted(files: &[(&str, &str)]) -> (tempfile::TempDir, Machine) {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        let machine = Machine::new(folder.path().to_owned(), Some(7));
        (folder, machine)
    }

    /// PROPERTY: what /proc and /sys say is read as the kernel writes it: the least limit of all groups above counts.
    #[test]
    fn the_kernels_words_are_read() {
        let (_folder, machine) = planted(&[
            ("proc/7/limits", LIMITS),
            ("proc/7/cgroup", "4:cpu,memory:/a\n0::/system.slice/tessera.service\n"),
            ("sys/fs/cgroup/system.slice/tessera.service/memory.max", "max\n"),
            ("sys/fs/cgroup/system.slice/memory.max", "734003200\n"),
            ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n"),
            ("proc/meminfo", "MemTotal:       16384000 kB\nSwapTotal:             0 kB\n"),
            ("proc/sys/net/core/rmem_max", "212992\n"),
            ("proc/sys/net/core/wmem_max", "212992\n"),
        ]);
        assert_eq!(machine.limit("Max open files"), Some(1_024));
        assert_eq!(machine.group_limit(), Some(734_003_200));
        let mut config = Config::default();
        config.tenants.memory_bytes_max = 512 * MIB;
        let levels: Vec<_> =
            machine.findings(&config).into_iter().map(|found| (found.name, found.level)).collect();
        assert_eq!(
            levels,
            [
                (FILES, Level::Ok),
                (MEMORY, Level::Warn),
                (BUFFERS, Level::Warn),
                (CORES, Level::Ok),
                (SWAP, Level::Ok)
            ]
        );
        let (_folder, nothing) = planted(&[]);
        assert!(nothing.findings(&config).iter().all(|found| found.level == Level::Warn));
    }

    /// PROPERTY: each limit that is too low is told: as a failure where a node cannot do its work within it.
    #[test]
    fn low_limits_are_told() {
        let mut config = Config::default();
        let files = |config: &Config, limit| judge_files(config, Some(limit)).level;
        assert_eq!((files(&config, 255), files(&config, 256)), (Level::Fail, Level::Ok));
        config.http.listen = "127.0.0.1:8443".to_owned();
        assert_eq!((files(&config, 10_255), files(&config, 10_256)), (Level::Warn, Level::Ok));
        assert_eq!(files(&config, u64::MAX), Level::Ok);
        config.passwords.threads = 1;
        config.passwords.cost_mib_max = 256;
        let memory = |mib: u64| judge_memory(&config, Some(mib * MIB)).level;
        // 512 for tenants, 16 of cache, 128 of tail, 256 of hashes and 128 beside.
        assert_eq!((memory(511), memory(512)), (Level::Fail, Level::Warn));
        assert_eq!((memory(1_039), memory(1_040)), (Level::Warn, Level::Ok));
        let buffers =
            |read, write| judge_buffers([("rmem_max", Some(read)), ("wmem_max", Some(write))]).level;
        assert_eq!((buffers(MIB, MIB - 1), buffers(MIB, MIB)), (Level::Warn, Level::Ok));
        assert_eq!((judge_cores(Some(1)).level, judge_cores(Some(0)).level), (Level::Warn, Level::Ok));
        assert_eq!(
            (judge_swap(Some(1), None).level, judge_swap(Some(0), Some(1)).level),
            (Level::Warn, Level::Ok)
        );
    }
}
