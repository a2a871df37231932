//! The disk: what a commit costs on it, whether it keeps what it was given, and how much room there is.

use super::finding::Finding;
use crate::config::Config;
use crate::exit;
use serde_json::json;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tessera_storage::disk::{Disk as _, real::Directory};

const SYNC: &str = "disk-sync";
const KIND: &str = "disk-kind";
const SPACE: &str = "disk-space";
const BACKUPS: &str = "backups";
/// The file that the disk is measured with.
const PROBE: &str = "doctor.probe";
/// LIMIT: writes that are measured: on a disk of 10 ms a second and a half.
const WRITES: u32 = 128;
/// Bytes of one write: the smallest group of the journal.
const WRITE_BYTES: usize = 4 * 1024;
/// LIMIT: a sync that makes commands slow: all of them wait for one.
const SLOW: Duration = Duration::from_millis(10);
/// LIMIT: a sync with which nobody is served: a sign-in would wait for seconds.
const USELESS: Duration = Duration::from_millis(200);
const MIB: u64 = 1024 * 1024;

/// The nearest directory that is there.
fn standing(dir: &Path) -> PathBuf {
    if dir.is_dir() {
        return dir.to_owned();
    }
    let mut path = if dir.is_absolute() { dir.to_owned() } else { Path::new(".").join(dir) };
    while !path.is_dir() && path.pop() {}
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path }
}

/// What writes of 4 KiB with a sync each take, from the fastest to the slowest: as the journal commits.
fn measure(dir: &Path) -> std::io::Result<Vec<Duration>> {
    let disk = Directory::open(dir)?;
    // One that was left is of a doctor that was killed.
    drop(disk.remove(PROBE));
    let file = disk.create(PROBE)?;
    let measured = (|| {
        // Prepared as a journal file is: its blocks are there before they are written.
        file.write_at(0, &vec![0; WRITE_BYTES * WRITES as usize])?;
        file.sync()?;
        let mut taken = Vec::with_capacity(WRITES as usize);
        for nth in 0..WRITES {
            let begun = Instant::now();
            file.write_at(u64::from(nth) * WRITE_BYTES as u64, &[1; WRITE_BYTES])?;
            file.sync()?;
            taken.push(begun.elapsed());
        }
        taken.sort_unstable();
        Ok(taken)
    })();
    disk.remove(PROBE)?;
    measured
}

/// What a commit costs.
pub(crate) fn sync(dir: &Path) -> Finding {
    let at = standing(dir);
    match measure(&at) {
        Ok(taken) => judge_sync(&at, &taken),
        Err(error) => Finding::fail(
            SYNC,
            exit::UNAVAILABLE,
            format!("{}: {error}", at.display()),
            "the node's user must be able to write there",
        ),
    }
}

fn judge_sync(at: &Path, taken: &[Duration]) -> Finding {
    let nth = |part: usize| taken.get((taken.len() * part / 100).min(taken.len().saturating_sub(1)));
    let (median, late) = (nth(50).copied().unwrap_or_default(), nth(99).copied().unwrap_or_default());
    let per_second = 1.0 / median.as_secs_f64().max(1e-9);
    let what = format!(
        "{}: a write of 4 KiB with its sync takes {} us in the middle, {} us at the 99th of 100: some {per_second:.0} commits a second, each of up to 1,000 commands",
        at.display(),
        median.as_micros(),
        late.as_micros()
    );
    let details = json!({
        "median_us": u64::try_from(median.as_micros()).unwrap_or(u64::MAX),
        "p99_us": u64::try_from(late.as_micros()).unwrap_or(u64::MAX), "writes": taken.len(),
    });
    let disk = "put storage.dir on a disk with a write cache that survives a power cut (NVMe, or a controller with a battery)";
    let finding = if median >= USELESS {
        Finding::fail(SYNC, exit::UNAVAILABLE, what, disk)
    } else if median >= SLOW || late >= USELESS {
        Finding::warn(SYNC, what, disk)
    } else {
        Finding::ok(SYNC, what)
    };
    finding.with(details)
}

/// File systems that do not keep what a node needs kept, by their number.
const DOUBTFUL: [(u64, &str, &str); 5] = [
    (0x0102_1994, "tmpfs", "everything in it is gone when the machine stops"),
    (0x8584_58f6, "ramfs", "everything in it is gone when the machine stops"),
    (
        0x794c_7630,
        "overlayfs",
        "everything in a container's own layer goes with the container: mount a volume",
    ),
    (0x6969, "NFS", "a sync is a promise of another machine, and two nodes may hold one directory"),
    (0xff53_4d42, "CIFS", "a sync is a promise of another machine, and two nodes may hold one directory"),
];

/// Whether the file system keeps what it was given.
pub(crate) fn kind(dir: &Path) -> Finding {
    let at = standing(dir);
    match rustix::fs::statfs(&at) {
        Ok(about) => judge_kind(&at, u64::try_from(about.f_type).unwrap_or_default()),
        Err(error) => Finding::warn(KIND, format!("{}: {error}", at.display()), "look at the mount"),
    }
}

fn judge_kind(at: &Path, number: u64) -> Finding {
    let shown = at.display();
    match DOUBTFUL.iter().find(|(known, ..)| *known == number) {
        Some((_, name, why)) => Finding::warn(
            KIND,
            format!("{shown} is on {name}: {why}"),
            "put storage.dir on a disk of this machine",
        ),
        None => Finding::ok(KIND, format!("{shown} is on a file system of a disk")),
    }
    .with(json!({ "type": number }))
}

/// Room for the journal and the next checkpoint.
pub(crate) fn space(config: &Config) -> Finding {
    let at = standing(&config.storage.dir);
    let checkpoint = std::fs::metadata(config.storage.dir.join("state.redb")).map_or(0, |about| about.len());
    match rustix::fs::statvfs(&at) {
        Ok(about) => judge_space(config, about.f_bavail.saturating_mul(about.f_frsize), checkpoint),
        Err(error) => Finding::warn(SPACE, format!("{}: {error}", at.display()), "look at the mount"),
    }
}

fn judge_space(config: &Config, free: u64, checkpoint: u64) -> Finding {
    let storage = &config.storage;
    // The next journal file, and the one in reserve for what takes rights away.
    let least = storage.journal_file_bytes.saturating_mul(2);
    // The whole tail, and a checkpoint that grows by as much as it has: redb copies what it changes.
    let good = storage.tail_bytes_max.saturating_add(least).saturating_add(checkpoint);
    let what = format!(
        "{} MiB are free; the journal's next file and its reserve take {} MiB, a full tail and the next checkpoint up to {} MiB",
        free / MIB,
        least / MIB,
        good / MIB
    );
    let todo = "make space, or move storage.dir to a larger disk: a full disk takes no commands but those that take rights away";
    let finding = if free < least {
        Finding::fail(SPACE, exit::UNAVAILABLE, what, todo)
    } else if free < good {
        Finding::warn(SPACE, what, todo)
    } else {
        Finding::ok(SPACE, what)
    };
    finding.with(json!({ "free_bytes": free, "least_bytes": least, "good_bytes": good }))
}

/// Where backups go.
pub(crate) fn backups(config: &Config) -> Finding {
    let (dir, data) = (&config.storage.backup_dir, &config.storage.dir);
    if dir.as_os_str().is_empty() {
        return Finding::warn(
            BACKUPS,
            "storage.backup_dir names no directory: this node takes no backup",
            "name one on another disk: see docs/operate/backup.md",
        );
    }
    let shown = dir.display();
    let Ok(about) = std::fs::metadata(dir) else {
        return Finding::warn(
            BACKUPS,
            format!("storage.backup_dir {shown} is not there: this node takes no backup"),
            format!("mkdir -m 700 {shown}, as the node's user"),
        );
    };
    if std::fs::metadata(standing(data)).is_ok_and(|data| data.dev() == about.dev()) {
        return Finding::warn(
            BACKUPS,
            format!("{shown} is on the disk of the data directory: both are lost together"),
            "name a directory on another disk, or copy each backup away",
        );
    }
    Finding::ok(BACKUPS, format!("{shown} is on another disk than the data directory"))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    /// PROPERTY: a slow disk warns, one that is of no use fails, and a directory that cannot be written fails. METHOD: times
    /// as they would be measured; and one real measurement, which leaves nothing behind.
    #[test]
    fn slow_disks_are_told() {
        let of = |ms: u64, last: u64| {
            let mut taken = vec![Duration::from_millis(ms); 99];
            taken.push(Duration::from_millis(last));
            judge_sync(Path::new("/data"), &taken).level
        };
        assert_eq!((of(1, 1), of(1, 150), of(10, 10)), (Level::Ok, Level::Ok, Level::Warn));
        assert_eq!((of(1, 200), of(200, 200)), (Level::Warn, Level::Fail));
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(PROBE), "left").expect("written");
        let found = sync(&folder.path().join("data"));
        assert!(found.what.contains("commits a second"), "{}", found.what);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
        assert_eq!(sync(Path::new("/proc/tessera/data")).level, Level::Fail);
    }

    /// PROPERTY: a file system that keeps nothing, or that another machine keeps, is told.
    #[test]
    fn doubtful_file_systems_are_told() {
        for (number, name, _) in DOUBTFUL {
            let found = judge_kind(Path::new("/data"), number);
            assert!(found.level == Level::Warn && found.what.contains(name), "{}", found.what);
        }
        assert_eq!(judge_kind(Path::new("/data"), 0xef53).level, Level::Ok);
    }

    /// PROPERTY: too little room for the reserve fails, too little for a full tail and the next checkpoint warns.
    #[test]
    fn little_room_is_told() {
        let mut config = Config::default();
        config.storage.journal_file_bytes = 64 * MIB;
        config.storage.tail_bytes_max = 128 * MIB;
        let of = |free, checkpoint| judge_space(&config, free * MIB, checkpoint * MIB).level;
        assert_eq!(
            (of(127, 0), of(128, 0), of(255, 0), of(256, 0)),
            (Level::Fail, Level::Warn, Level::Warn, Level::Ok)
        );
        assert_eq!((of(300, 100), of(356, 100)), (Level::Warn, Level::Ok));
        config.storage.tail_bytes_max = u64::MAX;
        assert_eq!(space(&config).level, Level::Warn);
    }

    /// PROPERTY: a backup directory that is none, is not there, or lies on the data's disk is told.
    #[test]
    fn backups_beside_the_data_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = Config::development(folder.path());
        for (dir, part) in [("", "no directory"), ("none", "is not there"), (".", "lost together")] {
            config.storage.backup_dir = if dir.is_empty() { PathBuf::new() } else { folder.path().join(dir) };
            let found = backups(&config);
            assert!(found.level == Level::Warn && found.what.contains(part), "{}", found.what);
        }
        config.storage.backup_dir = PathBuf::from("/proc");
        assert_eq!(backups(&config).level, Level::Ok);
    }
}
