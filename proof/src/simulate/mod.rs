//! A whole engine from one seed: real actors, lane, limits and timers on one thread and a paused clock, over a disk
//! whose power goes and whose calls fail; each seed runs twice, and both traces must be the same.

mod life;
mod world;

use crate::kill::Told;
use crate::node::Trouble;
use indicatif::{ProgressBar, ProgressStyle};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tessera_crypto::PasswordPool;
use tessera_storage::disk::simulated::{Planted, Simulated, Survival};
use world::{Counts, World};

/// What is to be tried.
pub(crate) struct Plan {
    /// How many seeds, from `seed` on.
    pub(crate) seeds: u64,
    pub(crate) seed: u64,
}

/// LIMIT: seeds in which a planted fault must be caught.
const PLANTED_SEEDS: u64 = 60;
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
    let threads = NonZeroUsize::new(1).ok_or("no thread")?;
    let pool = Arc::new(PasswordPool::new(threads, 8)?);
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
            let (first, again) = (one(seed, None, &pool)?, one(seed, None, &pool)?);
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
    let mut caught = None;
    for seed in plan.seed..plan.seed + PLANTED_SEEDS {
        if !one(seed, Some(Planted::SyncAfterAnswer), &pool)?.faults.is_empty() {
            caught = Some(seed);
            break;
        }
    }
    let planted = caught.map_or("NOT noticed".to_owned(), |seed| format!("caught with seed {seed}"));
    if caught.is_none() {
        faults.push("answers before their sync were not noticed".to_owned());
    }
    let mut text = format!(
        "simulate: {} seeds from {}, each twice; {counts}; {} violations; planted: answers before their sync {planted}",
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
fn quiet() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref::<&str>() != Some(&"planted panic") {
            usual(info);
        }
    }));
}

/// Several lives of one node on one disk, all from one seed.
fn one(seed: u64, planted: Option<Planted>, pool: &Arc<PasswordPool>) -> Result<Ran, Trouble> {
    let mut world = World::new(seed);
    let mut disk = Simulated::new();
    let lives = 3 + world.dice.below(3);
    for life in 0..lives {
        if let Some(planted) = planted {
            disk.plant_fault(planted);
        }
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
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
