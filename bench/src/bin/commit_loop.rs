//! A fixed number of durable commands and nothing else, for callgrind, strace and profilers: `commit_loop
//! WRITERS COUNT ROUNDS [FOLDER]`. Prints what each command took: time, processor and thread changes.

use std::path::PathBuf;
use std::process::ExitCode;
use tessera_bench::commit::OnDisk;
use tessera_bench::figure::{Why, ended};
use tessera_bench::memory::{processor_seconds, thread_changes};
use tessera_bench::process::fresh;
use tessera_bench::rounds::median;

/// The node's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ended(run())
}

fn run() -> Result<(), Why> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |what: &str| Ok::<usize, Why>(arguments.next().ok_or(what)?.parse()?);
    let (writers, count, rounds) =
        (number("how many writers?")?, number("how many commands each?")?, number("how many rounds?")?);
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = fresh(&folder, &format!("commit-loop-{}", std::process::id()))?;
    let disk = OnDisk::new(&folder, writers)?;
    let used = || processor_seconds(std::process::id()).unwrap_or(f64::NAN);
    for _ in 0..rounds {
        disk.settle()?;
        let (processor, changes, groups) = (used(), thread_changes(), disk.house.engine.usage().store.groups);
        let (micros, rate, busy) = disk.burst(count)?;
        let (processor, changes, groups) =
            (used() - processor, thread_changes() - changes, disk.house.engine.usage().store.groups - groups);
        let commands = micros.len() as f64;
        eprintln!(
            "p50 {:.0} us, {rate:.0}/s; each {:.2} us of processor, {:.2} thread changes; groups of {:.1}; Busy {busy}",
            median(&micros),
            processor * 1e6 / commands,
            changes / commands,
            commands / groups as f64,
        );
    }
    // Without its end: the checkpoint that it takes would be counted with the commands.
    std::mem::forget(disk);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
