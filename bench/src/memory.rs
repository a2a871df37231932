//! Memory and processor time of a process as the kernel counts them.

use std::fs;
use std::path::Path;

/// A field of a process's status file, in bytes.
fn field(path: &Path, name: &str) -> Option<f64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0)
}

/// Resident bytes of this process.
#[must_use]
pub fn own_resident() -> f64 {
    field(Path::new("/proc/self/status"), "VmRSS").unwrap_or(f64::NAN)
}

/// Resident bytes of another process.
#[must_use]
pub fn resident(process: u32) -> Option<f64> {
    field(Path::new(&format!("/proc/{process}/status")), "VmRSS")
}

/// Bytes of this process in huge pages.
#[must_use]
pub fn own_huge() -> f64 {
    field(Path::new("/proc/self/smaps_rollup"), "AnonHugePages").unwrap_or(f64::NAN)
}

/// The threads of a process that run at the lowest priority.
#[must_use]
pub fn lowest(process: u32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lowest = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.path().join("stat")).ok()?;
        let nice = text.rsplit_once(')')?.1.split_whitespace().nth(16)?;
        (nice == "19").then(|| task.file_name().to_str()?.parse().ok())?
    });
    lowest.collect()
}

/// Seconds of processor time that a process has taken, the kernel's share included.
#[must_use]
pub fn processor_seconds(process: u32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is the program's name in brackets, which may hold blanks.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / rustix::param::clock_ticks_per_second() as f64)
}

/// How often threads of this process have given their processor away, by waiting or not.
#[must_use]
pub fn thread_changes() -> f64 {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of = |path: &Path| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let counts = text.lines().filter_map(|line| line.split_once("ctxt_switches:"));
        counts.filter_map(|(_, count)| count.trim().parse::<f64>().ok()).sum::<f64>()
    };
    threads.map(|thread| of(&thread.path().join("status"))).sum()
}
