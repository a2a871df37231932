//! Power cuts at every kind of call, against a model of what was acknowledged and attempted.

mod kit;

use kit::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use tessera_model::{Event, Revision, TenantId};
use tessera_storage::disk::simulated::{Act, Fault, Planted, Simulated, Step, Survival};
use tessera_storage::{Bucket, BucketKind, Embedded, Head, Replay, StorageError, Store};

const TENANTS: u64 = 5;
const PLACES: u64 = 40;

/// SplitMix64: a seed repeats everything.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }
}

/// One tenant as it must be: every frame attempted, how many of them were acknowledged.
#[derive(Clone, Default)]
struct Kept {
    links: Vec<[u8; 32]>,
    /// What each frame wrote: place and value.
    writes: Vec<(u64, u64)>,
    acked: usize,
    /// Whether it was to be forgotten, and whether that was acknowledged.
    gone: Option<bool>,
}

impl Kept {
    fn state(&self, upto: usize) -> BTreeMap<u64, u64> {
        self.writes[..upto].iter().skip(1).copied().collect()
    }
}

struct World {
    seed: u64,
    /// Those in use; a forgotten one makes place for another.
    tenants: Vec<TenantId>,
    random: Seeded,
    kept: BTreeMap<TenantId, Kept>,
    no: u64,
    checkpoints: u64,
    inside_recovery: u64,
    /// Whether calls fail without the power going.
    faulty: bool,
    failed: u64,
}

fn frame(no: u64, at: u64) -> tessera_storage::Staged {
    let record = place(u32::try_from(at).unwrap(), u32::try_from(no).unwrap());
    let value = no.to_le_bytes().repeat(1 + usize::try_from(no % 40).unwrap());
    staged(no, vec![open_event(record)], vec![row(&at.to_le_bytes(), Some(&value))])
}

fn entropy(tenant: TenantId) -> [u8; 64] {
    [u8::try_from(tenant.0 % 251).unwrap(); 64]
}

impl World {
    fn forget(&mut self, store: &Embedded) {
        let at = usize::try_from(self.random.below(TENANTS)).unwrap();
        let tenant = self.tenants[at];
        if let Some(kept) = self.kept.get_mut(&tenant) {
            kept.gone = Some(store.forget(tenant).is_ok());
            let next = self.tenants.iter().map(|tenant| tenant.0).max().unwrap() + 1;
            self.tenants[at] = TenantId(next);
        }
    }

    fn new(seed: u64) -> Self {
        let kept = BTreeMap::new();
        Self {
            seed,
            tenants: (0..TENANTS).map(TenantId).collect(),
            random: Seeded(seed),
            kept,
            no: 0,
            checkpoints: 0,
            inside_recovery: 0,
            faulty: false,
            failed: 0,
        }
    }

    /// Commits a batch by hand: attempted at once, acknowledged when the proof is there.
    fn commit(&mut self, store: &Embedded, tenants: &[TenantId]) {
        let mut commits = Vec::new();
        for tenant in tenants {
            let Ok(found) = store.head(*tenant) else { return };
            if found.is_none() && store.make_tenant_keys(*tenant, &entropy(*tenant), &[4; 24]).is_err() {
                continue;
            }
            let kept = self.kept.entry(*tenant).or_default();
            let before = kept.links.len();
            let mut batch = store.batch(&found.unwrap_or(Head::unborn(*tenant)));
            if found.is_none() {
                // Its keys may not get to the disk: then nothing of it was tried.
                if batch.birth(*tenant, [5; 32], &born(*tenant)).is_err() {
                    continue;
                }
                kept.links.push(batch.head_after().link);
                kept.writes.push((0, 0));
            }
            for _ in 0..self.random.below(4) + u64::from(found.is_some()) {
                self.no += 1;
                let at = self.random.below(PLACES);
                // Nor may those of whom a frame is about.
                if batch.push(&frame(self.no, at)).is_err() {
                    break;
                }
                kept.links.push(batch.head_after().link);
                kept.writes.push((at, self.no));
            }
            if !batch.is_empty() {
                commits.push((*tenant, before, store.commit(batch)));
            }
        }
        while store.turn() {}
        for (tenant, before, commit) in commits {
            match commit.wait() {
                Ok(durable) => {
                    let kept = self.kept.get_mut(&tenant).unwrap();
                    kept.acked = kept.acked.max(usize::try_from(durable.head().next.0).unwrap());
                }
                Err(error) if error.is_unknown() => {}
                // Certainly not applied.
                Err(StorageError::StorageFull) => {
                    let kept = self.kept.get_mut(&tenant).unwrap();
                    kept.links.truncate(before);
                    kept.writes.truncate(before);
                }
                Err(error) => panic!("seed {}: {error}", self.seed),
            }
        }
    }

    fn checkpoint(&mut self, store: &Embedded, partly: bool) {
        let cut = store.cut();
        for tenant in &cut.tenants {
            let Ok(Some(head)) = store.head(*tenant) else { return };
            let state = self.kept[tenant].state(usize::try_from(head.next.0).unwrap());
            let opened = |(at, no): (u64, u64)| {
                open_event(place(u32::try_from(at).unwrap(), u32::try_from(no).unwrap()))
            };
            let events = state.into_iter().map(opened).collect();
            if store.put(*tenant, &head, vec![Bucket::of(BucketKind::Places, 0, events)]).is_err() {
                return;
            }
        }
        if !partly && store.finish(&cut).is_ok() {
            self.checkpoints += 1;
        }
    }

    /// One life of a store on this disk, until the power goes or the work is done.
    fn live(&mut self, disk: &Simulated) {
        let opened = on(Arc::new(disk.clone()), by_hand());
        let store = match opened {
            Ok(store) => store,
            Err(error) if disk.is_off() => {
                assert!(!matches!(error, StorageError::Damaged(_)), "seed {}: {error}", self.seed);
                self.inside_recovery += 1;
                return;
            }
            Err(StorageError::Damaged(damage)) => panic!("seed {}: {damage}", self.seed),
            Err(_) if self.faulty => {
                self.inside_recovery += 1;
                return;
            }
            Err(error) => panic!("seed {}: {error}", self.seed),
        };
        if disk.is_off() {
            // It went while the store prepared what it can start without.
            return;
        }
        self.compare(&store);
        for _ in 0..self.random.below(60) {
            if disk.is_off() || store.failed() {
                break;
            }
            match self.random.below(60) {
                50 => self.forget(&store),
                0..=4 => self.checkpoint(&store, false),
                5..=9 => self.checkpoint(&store, true),
                10..=14 => store.rest(),
                _ => {
                    let some = 1 + self.random.below(TENANTS);
                    let tenants = self.tenants[..usize::try_from(some).unwrap()].to_vec();
                    self.commit(&store, &tenants);
                }
            }
        }
        self.failed += u64::from(store.failed());
        if self.random.below(3) == 0 {
            store.stop();
        }
    }

    /// The store must stand at an attempted head of every tenant, not before the acknowledged one, and
    /// hold exactly what the frames up to there wrote. The model then forgets what was not kept.
    fn compare(&mut self, store: &Embedded) {
        let seed = self.seed;
        for (tenant, kept) in &mut self.kept {
            let head = store.head(*tenant).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            if kept.gone == Some(false) && head.is_none() {
                continue;
            }
            if kept.gone == Some(true) {
                assert!(head.is_none() && load(store, *tenant).unwrap().2.is_none(), "seed {seed}: {tenant}");
                assert!(store.tenant_keys(*tenant).is_err(), "seed {seed}: {tenant}");
                assert!(store.history(*tenant, Revision(0), 9).unwrap().is_empty(), "seed {seed}: {tenant}");
                continue;
            }
            let upto = head.map_or(0, |head| usize::try_from(head.next.0).unwrap());
            assert!(
                upto >= kept.acked,
                "seed {seed}: {tenant} lost {} acknowledged frames",
                kept.acked - upto
            );
            assert!(upto <= kept.links.len(), "seed {seed}: {tenant} has frames that nobody wrote");
            kept.links.truncate(upto);
            kept.writes.truncate(upto);
            kept.acked = upto;
            let Some(head) = head else { continue };
            if kept.gone.is_none() {
                let keys = store.tenant_keys(*tenant).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                assert_eq!(keys.index.expose()[..], entropy(*tenant)[..32], "seed {seed}");
            }
            assert_eq!(kept.links.last(), Some(&head.link), "seed {seed}");
            if kept.gone.is_some() && store.tenant_keys(*tenant).is_err() {
                // A forgetting that failed took the keys first: nobody reads what is left.
                assert_eq!(store.verify(*tenant).unwrap().link, head.link);
                continue;
            }
            let mut state = BTreeMap::new();
            store
                .load(*tenant, &mut |replay| {
                    let events = match replay {
                        Replay::Bucket(bucket) => bucket.events,
                        Replay::Frame(frame) => frame.events,
                    };
                    for event in events {
                        if let Event::SessionOpened { record, .. } = event {
                            state.insert(u64::from(record.place.0), u64::from(record.generation.0));
                        }
                    }
                })
                .unwrap();
            assert_eq!(state, kept.state(upto), "seed {seed}: {tenant}");
            // A forgetting that failed may have happened: the rows that it removed are not written again.
            for (at, no) in state.into_iter().filter(|_| kept.gone.is_none()) {
                let value = read(store, *tenant, &at.to_le_bytes()).unwrap();
                assert_eq!(value[..8], no.to_le_bytes(), "seed {seed}: {tenant}");
            }
            let history = store.history(*tenant, Revision(0), usize::MAX).unwrap();
            assert_eq!(history.iter().map(|frame| frame.link).collect::<Vec<_>>(), kept.links, "seed {seed}");
            assert_eq!(store.verify(*tenant).unwrap().link, head.link);
        }
    }
}

/// Runs `points` cuts from the seed behind `first_seed` on, and tells how many lives, checkpoints and cuts inside recovery there were.
fn run(points: u64, first_seed: u64, planted: Option<Planted>) -> Ran {
    let mut ran = Ran::default();
    let mut seed = first_seed;
    while ran.points < points {
        seed += 1;
        let mut world = World::new(seed);
        let mut disk = Simulated::new();
        for life in 0..3 + world.random.below(11) {
            if let Some(planted) = planted {
                disk.plant_fault(planted);
            }
            // Half of the cuts fall into the first calls of a life: recovery. Some are for a step that is rare,
            // those of a new directory's first life for one that comes in no other.
            let within = if world.random.below(2) == 0 { 14 } else { 400 };
            let rare = RARE[world.random.below(RARE.len() as u64) as usize];
            let first = FIRST[seed as usize % FIRST.len()];
            match (life, world.random.below(3)) {
                (0, _) if planted.is_none() => {
                    disk.cut_at(first, world.random.below(if first.file == "keys" { 2 } else { 1 }))
                }
                (_, 0) => disk.cut_at(rare, world.random.below(2)),
                _ => disk.plant(disk.calls() + 1 + world.random.below(within), Fault::PowerCut),
            }
            world.live(&disk);
            if let Some(step) = disk.cut_in() {
                *ran.steps.entry(step).or_default() += 1;
            }
            let survival = survival(&mut world.random);
            let random = &mut world.random;
            disk = disk.after_cut(survival, &mut |n| random.below(n));
            ran.points += 1;
        }
        // And once more without a cut: what is left must open and be whole.
        world.live(&disk);
        ran.checkpoints += world.checkpoints;
        ran.inside += world.inside_recovery;
    }
    ran
}

/// What a run came to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Ran {
    points: u64,
    checkpoints: u64,
    /// Cuts inside recovery.
    inside: u64,
    /// Cuts by the step that they fell on.
    steps: BTreeMap<Step, u64>,
}

impl Ran {
    fn add(&mut self, other: Self) {
        self.points += other.points;
        self.checkpoints += other.checkpoints;
        self.inside += other.inside;
        for (step, count) in other.steps {
            *self.steps.entry(step).or_default() += count;
        }
    }

    /// Steps with fewer cuts than these. What goes on in a file that has no name any more is read by nobody.
    fn few(&self, each: u64) -> Vec<(Step, u64)> {
        let counted = self.steps.iter().filter(|(step, _)| step.file != "a removed file");
        counted.filter(|(_, count)| **count < each).map(|(step, count)| (*step, *count)).collect()
    }
}

const fn step(act: Act, file: &'static str) -> Step {
    Step { act, file }
}

/// Steps of a new directory's first life.
const FIRST: [Step; 11] = [
    step(Act::Create, "checkpoint"),
    step(Act::Remove, "identity"),
    step(Act::Create, "identity"),
    step(Act::Write, "identity"),
    step(Act::Sync, "identity"),
    step(Act::Rename, "identity"),
    step(Act::Remove, "keys"),
    step(Act::Create, "keys"),
    step(Act::Write, "keys"),
    step(Act::Sync, "keys"),
    step(Act::Rename, "keys"),
];
/// Steps that come seldom in any life.
const RARE: [Step; 16] = [
    step(Act::Rename, "journal"),
    step(Act::Rename, "journal"),
    step(Act::Create, "journal"),
    step(Act::Size, "journal"),
    step(Act::Create, "checkpoint"),
    step(Act::Size, "checkpoint"),
    step(Act::Rename, "checkpoint"),
    step(Act::Rename, "checkpoint"),
    step(Act::Rename, "checkpoint"),
    step(Act::Rename, "checkpoint"),
    step(Act::Rename, "checkpoint"),
    step(Act::Remove, "checkpoint"),
    step(Act::Remove, "checkpoint"),
    step(Act::Write, "keys"),
    step(Act::Sync, "keys"),
    step(Act::SyncDirectory, "the directory"),
];

fn survival(random: &mut Seeded) -> Survival {
    match random.below(6) {
        0 => Survival::None,
        1 => Survival::All,
        2 => Survival::Sectors(5),
        3 => Survival::Sectors(50),
        4 => Survival::Sectors(95),
        _ => Survival::Prefix,
    }
}

/// Runs `points` lives in which one call fails; between them the power goes, or nothing happens. Tells
/// how many lives there were, how many of them ended by failing, and how many opens failed.
fn run_faulty(points: u64, first_seed: u64) -> (u64, u64, u64) {
    let (mut done, mut failed, mut inside) = (0, 0, 0);
    let mut seed = first_seed;
    while done < points {
        seed += 1;
        let mut world = World { faulty: true, ..World::new(seed) };
        let mut disk = Simulated::new();
        for _ in 0..3 + world.random.below(11) {
            let within = if world.random.below(2) == 0 { 14 } else { 400 };
            let fault = if world.random.below(3) == 0 { Fault::NoSpace } else { Fault::Io };
            for _ in 0..1 + world.random.below(2) {
                disk.plant(disk.calls() + 1 + world.random.below(within), fault);
            }
            world.live(&disk);
            if world.random.below(2) == 0 {
                let survival = survival(&mut world.random);
                let random = &mut world.random;
                disk = disk.after_cut(survival, &mut |n| random.below(n));
            }
            done += 1;
        }
        let disk = disk.image();
        world.faulty = false;
        world.live(&disk);
        failed += world.failed;
        inside += world.inside_recovery;
    }
    (done, failed, inside)
}

/// The whole engine loses its power 10,000 times in the short form (`tessera-proof power`); the store alone, whose
/// steps are told apart more finely here, loses it so often.
fn points() -> u64 {
    std::env::var("TESSERA_POINTS").ok().and_then(|points| points.parse().ok()).unwrap_or(4_000)
}

/// A seed that failed, to be tried alone (`TESSERA_SEED`).
fn only() -> Option<u64> {
    std::env::var("TESSERA_SEED").ok().and_then(|seed| seed.parse().ok())
}

/// PROPERTY: after any power cut every acknowledged frame is there, and nothing that nobody wrote.
/// TC-94 in part: the store; TC-93 in part, TC-95, TC-100.
#[test]
fn acknowledged_frames_survive_power_cuts() {
    if let Some(seed) = only() {
        println!("seed {seed}: {:?}", run(1, seed.saturating_sub(1), None));
        return;
    }
    let half = points() / 2;
    let (mut ran, two) = std::thread::scope(|scope| {
        let other = scope.spawn(|| run(half, 1_000_000, None));
        (run(half, 0, None), other.join().unwrap())
    });
    ran.add(two);
    // Which steps chance has met how often is not left to chance: worlds go on until each has its share.
    let each = points().min(10_000) / 100;
    for more in 2..40 {
        if ran.few(each).is_empty() {
            break;
        }
        ran.add(run(points() / 40, more * 1_000_000, None));
    }
    let steps: Vec<_> =
        ran.steps.iter().map(|(step, count)| format!("{:?} {} {count}", step.act, step.file)).collect();
    println!(
        "power: {} power cuts, {} checkpoints, {} cuts inside recovery, 0 violations; by step: {}",
        ran.points,
        ran.checkpoints,
        ran.inside,
        steps.join(", ")
    );
    assert!(ran.checkpoints > 0 && ran.inside * 10 > ran.points * 3, "{ran:?}");
    assert!(ran.few(each).is_empty(), "steps with fewer than {each} cuts: {:?}", ran.few(each));
}

/// PROPERTY: after any failed write or sync nothing more is acknowledged, and the next start, with or
/// without a power cut in between, has every acknowledged frame.
/// TC-96 in part.
#[test]
fn acknowledged_frames_survive_failing_calls() {
    if let Some(seed) = only() {
        println!("seed {seed}: {:?}", run_faulty(1, seed.saturating_sub(1)));
        return;
    }
    let (lives, failed, opens) = run_faulty((points() / 8).max(1_250), 5_000_000);
    println!("{lives} lives with failing calls, {failed} ended by failing, {opens} failed opens");
    assert!(failed > 0 && opens > 0);
}

/// PROPERTY: the simulator sees losses: each planted fault is caught. METHOD: a disk that lies about one sync in
/// seven; a journal that is synced after the answer; a checkpoint that frees the journal and is not durable; names of
/// files that are not.
/// TC-99 in part: the simulator notices.
#[test]
fn planted_faults_are_caught() {
    let all = [
        Planted::Lies(7),
        Planted::SyncAfterAnswer,
        Planted::CheckpointNotSynced,
        Planted::DirectoryNotSynced,
    ];
    for planted in all {
        let caught = std::panic::catch_unwind(|| run(3_000, 0, Some(planted)));
        assert!(caught.is_err(), "{planted:?} went unnoticed");
        println!("planted: {planted:?}: caught");
    }
}
