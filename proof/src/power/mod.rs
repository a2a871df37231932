//! Power cuts through the whole engine: actors, lane, checkpoints, sleep and wake, erasures, moves between two cells over
//! simulated disks, several lives on each image, every answer compared with what was acknowledged and attempted.

mod link;
mod moving;
mod restore;
mod tally;

use crate::kill::Told;
use crate::node::Trouble;
use crate::simulate::{End, Phase, Profile, World, quiet, runtime};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tally::Tally;
use tessera_crypto::PasswordPool;
use tessera_storage::disk::simulated::{Fault, Planted, Simulated, Stage, Survival};

/// What is to be tried.
pub(crate) struct Plan {
    /// Power cuts.
    pub(crate) points: u64,
    pub(crate) seed: u64,
}

/// Threads, each with worlds of its own.
const THREADS: u64 = 2;
/// LIMIT: power cuts in which a planted fault must be caught.
const PLANTED_POINTS: u64 = 3_000;
/// From so many points on each step must have had a hundred.
const POINTS_COUNTED: u64 = 10_000;
/// The first calls of a life: recovery.
const RECOVERY_CALLS: u64 = 14;
/// One world in so many has a restore, another one a tenant that moves.
const EVERY: u64 = 8;
/// Steps that come seldom in any life, and those of a new directory.
const RARE: [Stage; 10] = [
    Stage::Make,
    Stage::Zero,
    Stage::Switch,
    Stage::Reuse,
    Stage::EmptyGroup,
    Stage::CommitHeader,
    Stage::CommitSync,
    Stage::Copy,
    Stage::EmptyGroup,
    Stage::Names,
];
const FIRST: [Stage; 6] =
    [Stage::Identity, Stage::Keys, Stage::Identity, Stage::Zero, Stage::Keys, Stage::Switch];

/// What is planted, and what it is called.
const PLANTED: [(Planted, &str); 6] = [
    (Planted::Lies(7), "a disk that lies about one sync in seven"),
    (Planted::SyncAfterAnswer, "answers before their sync"),
    (Planted::ChainNotChecked, "hashes that are not looked at"),
    (Planted::CheckpointNotSynced, "journal files used again before the checkpoint is durable"),
    (Planted::DirectoryNotSynced, "a directory that is not synced"),
    (Planted::KeysKept, "keys that are erased and stay"),
];

/// Runs the proof.
pub(crate) fn run(plan: &Plan) -> Result<Told, Trouble> {
    quiet();
    let bar = ProgressBar::new(plan.points);
    bar.set_style(ProgressStyle::with_template("power {bar:30} {pos}/{len} {msg}")?);
    let mut tally = cuts(plan, &bar)?;
    bar.finish_and_clear();
    progress(&format!("power: {tally}"));
    if plan.points >= POINTS_COUNTED {
        let few = tally.few();
        tally.faults.extend(few);
    }
    let planted = planted(plan.seed, &mut tally.faults)?;
    let violations = tally.faults.len() as u64;
    let mut text = format!("power: {tally}; {violations} violations; planted: {planted}");
    for fault in tally.faults.iter().take(20) {
        text.push_str("\n  ");
        text.push_str(fault);
    }
    Ok(Told { text, violations })
}

/// Says how far it is, to whoever watches.
fn progress(text: &str) {
    // Nobody reads it when standard error is closed.
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// Worlds from the seed on, until there were enough power cuts.
fn cuts(plan: &Plan, bar: &ProgressBar) -> Result<Tally, Trouble> {
    let (next, done) = (AtomicU64::new(plan.seed), AtomicU64::new(0));
    let work = || -> Result<Tally, Trouble> {
        let (mut tally, pool) = (Tally::default(), Arc::new(PasswordPool::in_place()));
        while done.load(Ordering::Relaxed) < plan.points {
            let before = tally.points;
            let seed = next.fetch_add(1, Ordering::Relaxed);
            one(seed, false, &mut tally, |tally| lives(seed, None, &pool, tally))?;
            done.fetch_add(tally.points - before, Ordering::Relaxed);
            bar.inc(tally.points - before);
        }
        Ok(tally)
    };
    let mut all = Tally::default();
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        for one in running {
            all.add(one.join().map_err(|_| Trouble::from("a thread of the proof panicked"))??);
        }
        Ok::<_, Trouble>(())
    })?;
    // Which steps chance has met how often is not left to chance: worlds go on until each has its hundred.
    let pool = Arc::new(PasswordPool::in_place());
    while plan.points >= POINTS_COUNTED && all.lacks() && all.points < 2 * plan.points {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        one(seed, false, &mut all, |tally| lives(seed, None, &pool, tally))?;
    }
    Ok(all)
}

/// Plants each fault until a world shows it, on both threads; tells after how many power cuts that was.
fn planted(seed: u64, faults: &mut Vec<String>) -> Result<String, Trouble> {
    // What a planted fault makes panic is caught, and counted like any other violation.
    std::panic::set_hook(Box::new(|_| {}));
    let disks = PLANTED.into_iter().map(|(planted, name)| (Plant::Disk(planted), name, ANY));
    let moves = moving::PLANTS.into_iter().map(|(plant, name, said)| (Plant::Move(plant), name, said));
    let all: Vec<_> = disks.chain(moves).collect();
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<_>, Trouble> {
        let (mut told, pool) = (Vec::new(), Arc::new(PasswordPool::in_place()));
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(planted) = all.get(at) else { return Ok(told) };
            told.push((at, noticed(*planted, seed, &pool)?));
        }
    };
    let mut found = BTreeMap::new();
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        for one in running {
            found.extend(one.join().map_err(|_| Trouble::from("a thread of the proof panicked"))??);
        }
        Ok::<_, Trouble>(())
    })?;
    let mut told = Vec::new();
    for noticed in found.into_values() {
        told.push(noticed.clone().unwrap_or_else(|missed| missed));
        faults.extend(noticed.err());
    }
    Ok(told.join(", "))
}

/// A fault that is planted.
#[derive(Clone, Copy)]
enum Plant {
    /// One of the disk.
    Disk(Planted),
    /// One of a move.
    Move(moving::Plant),
}

/// Any words.
const ANY: &[&str] = &[""];

/// Runs worlds until one shows what is planted, in one of those words; otherwise tells that none did.
fn noticed(
    (plant, name, said): (Plant, &str, &[&str]),
    seed: u64,
    pool: &Arc<PasswordPool>,
) -> Result<Result<String, String>, Trouble> {
    if matches!(plant, Plant::Disk(Planted::ChainNotChecked)) && !tessera_engine::PLANTED {
        return Ok(Ok(format!("{name}: SKIPPED: this build has no planted faults")));
    }
    let (mut tally, mut seed) = (Tally::default(), seed);
    while tally.faults.is_empty() && tally.points < PLANTED_POINTS {
        one(seed, true, &mut tally, |tally| match plant {
            Plant::Disk(planted) => lives(seed, Some(planted), pool, tally),
            Plant::Move(plant) => moving::world(seed, Some(plant), pool, tally),
        })?;
        tally.faults.retain(|fault| said.iter().any(|said| fault.contains(said)));
        seed += 1;
    }
    progress(&format!("power: {name}: {:?} after {} cuts", tally.faults.first(), tally.points));
    if tally.faults.is_empty() {
        return Ok(Err(format!("{name} NOT noticed")));
    }
    Ok(Ok(format!("{name} caught within {} cuts", tally.points)))
}

/// One world: a directory that is made, lives of it that end without power, and one that does not. A panic is a fault.
fn one(
    seed: u64,
    is_planted: bool,
    tally: &mut Tally,
    world: impl FnOnce(&mut Tally) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let faults = tally.faults.len();
    let ran = catch_unwind(AssertUnwindSafe(|| world(tally)));
    match ran {
        Ok(Ok(())) => {}
        // What a planted fault breaks may end the proof's own work.
        Ok(Err(error)) if is_planted => tally.faults.push(error.to_string()),
        Ok(Err(error)) => return Err(format!("seed {seed}: {error}").into()),
        Err(_) => tally.faults.push("a panic".to_owned()),
    }
    for fault in tally.faults.iter_mut().skip(faults) {
        *fault = format!("--seed {seed}: {fault}");
    }
    Ok(())
}

fn lives(
    seed: u64,
    planted: Option<Planted>,
    pool: &Arc<PasswordPool>,
    tally: &mut Tally,
) -> Result<(), Trouble> {
    let profile = Profile { tenants: 2, people: 2, steps: (1, 4), failing: false, spoil: None };
    if seed.is_multiple_of(2) && planted.is_none() {
        begun(seed, profile, pool, tally)?;
    }
    if seed % EVERY == EVERY / 2 && planted.is_none() {
        moving::world(seed, None, pool, tally)?;
    }
    let mut world = World::new(seed, profile);
    let (mut disk, mut ended) = (Simulated::new(), End::Stopped);
    let lives = 4 + world.dice.below(11);
    for life in 0..=lives {
        if let Some(planted) = planted {
            disk.plant_fault(planted);
        }
        if life > 0 {
            choose(&mut world, &disk);
        }
        let end = runtime()?.block_on(world.live(&disk, pool, false))?;
        // A life that nothing cut short is cut where it ended.
        tally.note(&world, &disk, ended);
        (ended, disk) = (end, survived(&mut world, &disk));
        world.look_behind_erased(&disk);
        if !world.faults.is_empty() {
            break;
        }
    }
    if world.faults.is_empty() {
        // And once without a cut: what is left must open and be whole.
        let end = runtime()?.block_on(world.live(&disk, pool, true))?;
        if end != End::Stopped {
            world.fault(format!("the last life ended with {end:?}"));
        }
        world.look_behind_erased(&disk.image());
        if seed.is_multiple_of(EVERY) && planted.is_none() {
            restore::cut(&mut world, &disk.image(), tally)?;
        }
    }
    tally.counts.add(&world.counts);
    tally.faults.append(&mut world.faults);
    Ok(())
}

/// The power goes while a directory is made and its first tenants are; what is left of it opens.
fn begun(seed: u64, profile: Profile, pool: &Arc<PasswordPool>, tally: &mut Tally) -> Result<(), Trouble> {
    let mut world = World::new(seed.wrapping_add(1 << 40), profile);
    let disk = Simulated::new();
    let first = FIRST.get(world.dice.index(FIRST.len())).copied().unwrap_or_default();
    let calls = if first == Stage::Keys { 24 } else { 5 };
    disk.cut_at_stage(first, world.dice.below(calls));
    runtime()?.block_on(world.live(&disk, pool, false))?;
    tally.note(&world, &disk, End::Stopped);
    let disk = survived(&mut world, &disk);
    // Whether anything of it was finished or not: it starts, and its chains verify.
    world.tenants.clear();
    world.pending.clear();
    runtime()?.block_on(world.start_only(&disk, pool))?;
    tally.faults.append(&mut world.faults);
    Ok(())
}

/// Chooses where the power goes in the next life.
fn choose(world: &mut World, disk: &Simulated) {
    let dice = &mut world.dice;
    match dice.below(17) {
        0..=9 => disk.plant(1 + dice.below(RECOVERY_CALLS), Fault::PowerCut),
        10..=12 => {
            let rare = RARE.get(dice.index(RARE.len())).copied().unwrap_or_default();
            disk.cut_at_stage(rare, dice.below(3));
        }
        13 => world.wanted = Some(Phase::Sleep),
        14 => world.wanted = Some(Phase::Wake),
        15 => world.wanted = Some(Phase::Erase),
        _ => disk.plant(1 + dice.below(200), Fault::PowerCut),
    }
}

/// What the power cut leaves.
fn survived(world: &mut World, disk: &Simulated) -> Simulated {
    let dice = &mut world.dice;
    let survival = match dice.below(6) {
        0 => Survival::None,
        1 => Survival::All,
        2 => Survival::Sectors(5),
        3 => Survival::Sectors(50),
        4 => Survival::Sectors(95),
        _ => Survival::Prefix,
    };
    world.counts.power += 1;
    disk.after_cut(survival, &mut |most| dice.below(most))
}
