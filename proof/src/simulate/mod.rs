//! A whole engine from one seed: real actors, lane, limits and timers on one thread and a paused clock, over a disk
//! whose power goes and whose calls fail; each seed runs twice, and both traces must be the same.

mod erasure;
mod learn;
mod life;
mod look;
mod orders;
mod plant;
mod spoil;
mod world;

use crate::kill::Told;
use crate::node::Trouble;
use indicatif::{ProgressBar, ProgressStyle};
pub(crate) use life::{DEADLINE, Node, Seat, options};
pub(crate) use plant::Spoil;
use plant::{Plant, planted};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tessera_crypto::PasswordPool;
use tessera_storage::disk::simulated::{Simulated, Survival};
pub(crate) use world::{Counts, Phase, Profile, World};

/// What is to be tried.
pub(crate) struct Plan {
    /// How many seeds, from `seed` on.
    pub(crate) seeds: u64,
    pub(crate) seed: u64,
}

/// Threads, each with seeds of its own.
const THREADS: u64 = 2;

/// How a life of a node ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// It was stopped.
    Stopped,
    /// It was killed, or its store failed: what it had written is there.
    Killed,
    /// The power went.
    Power,
}

/// What one seed came to.
struct Ran {
    trace: u64,
    counts: Counts,
    faults: Vec<String>,
}

/// Runs the proof.
pub(crate) fn run(plan: &Plan) -> Result<Told, Trouble> {
    let pool = Arc::new(PasswordPool::in_place());
    quiet();
    let bar = ProgressBar::new(plan.seeds);
    bar.set_style(ProgressStyle::with_template("simulate {bar:30} {pos}/{len} {msg}")?);
    let next = AtomicU64::new(0);
    let work = || -> Result<(Counts, Vec<String>), Trouble> {
        let (mut counts, mut faults) = (Counts::default(), Vec::new());
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= plan.seeds {
                return Ok((counts, faults));
            }
            let seed = plan.seed + at;
            let (first, again) = (one(seed, &Plant::None, &pool)?, one(seed, &Plant::None, &pool)?);
            if first.trace != again.trace {
                faults.push(format!("seed {seed}: two runs, two traces"));
            }
            faults.extend(first.faults.iter().map(|fault| format!("seed {seed}: {fault}")));
            counts.add(&first.counts);
            bar.inc(1);
        }
    };
    let parts: Result<Vec<_>, Trouble> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        running
            .into_iter()
            .map(|one| one.join().map_err(|_| Trouble::from("a simulation panicked"))?)
            .collect()
    });
    bar.finish_and_clear();
    let (mut counts, mut faults) = (Counts::default(), Vec::new());
    for (part, found) in parts? {
        counts.add(&part);
        faults.extend(found);
    }
    let planted = planted(plan.seed, &pool, &mut faults)?;
    let mut text = format!(
        "simulate: {} seeds from {}, each twice; {counts}; {} violations; planted: {planted}",
        plan.seeds,
        plan.seed,
        faults.len()
    );
    for fault in faults.iter().take(20) {
        text.push_str("\n  ");
        text.push_str(fault);
    }
    Ok(Told { text, violations: faults.len() as u64 })
}

/// Panics that are planted are not printed.
pub(crate) fn quiet() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref::<&str>() != Some(&"planted panic") {
            usual(info);
        }
    }));
}

/// A runtime on one thread, whose time goes on when nothing else does.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()
}

/// Several lives of one node on one disk, all from one seed.
fn one(seed: u64, plant: &Plant, pool: &Arc<PasswordPool>) -> Result<Ran, Trouble> {
    let spoil = if let Plant::Wake(spoil) = plant { Some(*spoil) } else { None };
    let profile = Profile { tenants: 3, people: 3, steps: (6, 18), failing: true, spoil };
    let mut world = World::new(seed, profile);
    let mut disk = Simulated::new();
    let lives = 3 + world.dice.below(3);
    for life in 0..lives {
        if let Plant::Disk(planted) = plant {
            disk.plant_fault(*planted);
        }
        let runtime = runtime()?;
        let end = runtime.block_on(world.live(&disk, pool, life + 1 == lives))?;
        drop(runtime);
        world.counts.lives += 1;
        let dice = &mut world.dice;
        disk = match end {
            End::Stopped | End::Killed => disk.image(),
            End::Power => {
                let survival = match dice.below(5) {
                    0 => Survival::None,
                    1 => Survival::All,
                    2 => Survival::Sectors(50),
                    3 => Survival::Sectors(95),
                    _ => Survival::Prefix,
                };
                world.counts.power += 1;
                disk.after_cut(survival, &mut |most| dice.below(most))
            }
        };
        if !world.faults.is_empty() {
            break;
        }
    }
    Ok(Ran { trace: world.trace(), counts: world.counts, faults: world.faults })
}
