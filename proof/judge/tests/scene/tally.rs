//! Questions about a scene, and how often each thing was decisive.

use super::Scene;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use tessera_judge::Omit;

const QUESTIONS: u32 = 25;

/// How often each answer came, and how often each thing was decisive.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) asked: u32,
    pub(crate) permits: u32,
    decisive: BTreeMap<Omit, u32>,
}

/// Threads, each with worlds of its own.
const THREADS: usize = 2;

/// Asks about so many random worlds, before and after edits, some of them in rules that were loaded in another order; a
/// seed that failed is tried alone, and then nothing is said of shares: `None`. Tells how often each of `parts` was
/// decisive.
pub(crate) fn over(worlds: u64, edits: u32, parts: &[Omit], made: fn(u64) -> Scene) -> Option<Tally> {
    let only: Option<u64> = std::env::var("TESSERA_SEED").ok().and_then(|seed| seed.parse().ok());
    let (first, behind) = only.map_or((0, worlds), |seed| (seed, seed + 1));
    let next = AtomicU64::new(first);
    let work = || {
        let mut tally = Tally::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= behind {
                return tally;
            }
            let mut scene = made(seed);
            ask(&mut scene, &mut tally, parts, &format!("seed {seed}"));
            for _ in 0..edits {
                scene.edit();
            }
            if seed.is_multiple_of(7) {
                scene.rules = scene.loaded();
            }
            ask(&mut scene, &mut tally, parts, &format!("seed {seed}, edited"));
        }
    };
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        running.into_iter().for_each(|one| tally.add(one.join().unwrap()));
    });
    tally.print(parts);
    only.is_none().then_some(tally)
}

/// Asks, and compares.
fn ask(scene: &mut Scene, tally: &mut Tally, parts: &[Omit], what: &str) {
    for nth in 0..QUESTIONS {
        let asked = scene.question();
        let right = scene.world.permits(&asked, None);
        let (told, valid_until) = scene.engine(&asked);
        assert_eq!(told, right, "{what}: {asked:?}\n{:#?}", scene.world);
        assert_eq!(scene.listed(&asked), right, "list, {what}: {asked:?}");
        if nth.is_multiple_of(5) {
            let change = scene.change(&asked);
            // What comes behind the horizon nobody has looked at.
            let far = Scene::HORIZON_MS + 1;
            let (told, right) = (valid_until.min(far), change.unwrap_or(far));
            if asked.actor == 0 {
                assert_eq!(told, right, "until, {what}: {asked:?}");
            } else {
                // Of two answers that both count the first change is told, or an earlier instant.
                assert!(told <= right, "until, {what}: {asked:?}: {told} {right}");
            }
        }
        tally.asked += 1;
        tally.permits += u32::from(right);
        for part in parts {
            if scene.world.permits(&asked, Some(*part)) != right {
                *tally.decisive.entry(*part).or_default() += 1;
            }
        }
    }
}

impl Tally {
    /// How many percent a number is of all questions.
    pub(crate) fn share(&self, count: u32) -> f64 {
        f64::from(count) * 100.0 / f64::from(self.asked)
    }

    /// In how many percent of the questions something was decisive.
    pub(crate) fn decisive(&self, part: Omit) -> f64 {
        self.share(self.decisive.get(&part).copied().unwrap_or(0))
    }

    fn add(&mut self, other: Self) {
        self.asked += other.asked;
        self.permits += other.permits;
        for (part, count) in other.decisive {
            *self.decisive.entry(part).or_default() += count;
        }
    }

    fn print(&self, parts: &[Omit]) {
        println!("{} decisions, {:.1} % permits", self.asked, self.share(self.permits));
        for part in parts {
            println!("{part:?}: decisive in {:.2} %", self.decisive(*part));
        }
    }
}
