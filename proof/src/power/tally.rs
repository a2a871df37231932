//! Where the power went, how often, and what was found.

use super::RECOVERY_CALLS;
use crate::simulate::{Counts, End, Phase, World};
use std::collections::BTreeMap;
use std::fmt;
use tessera_storage::disk::simulated::{Simulated, Stage};

/// What is counted beside the steps of the disk.
const PARTS: [&str; 5] = ["unclean start", "sleep", "wake", "erase", "restore"];
/// What no world of this proof does. A step is added as a [`Phase`] that a life is to meet, and a part here.
const NOT_TRIED: [&str; 1] = ["move"];
/// LIMIT: power cuts that each step must have had.
const EACH_MIN: u64 = 100;

/// Counts of all worlds.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) points: u64,
    /// In the first calls of a life; of these before the store was open.
    recovery: u64,
    opening: u64,
    stages: BTreeMap<Stage, u64>,
    parts: BTreeMap<&'static str, u64>,
    pub(super) counts: Counts,
    pub(super) faults: Vec<String>,
}

impl Tally {
    /// Notes how a life was cut short, or that it was not; `before` is how the one before ended.
    pub(super) fn note(&mut self, world: &World, disk: &Simulated, before: End) {
        self.points += 1;
        let Some(stage) = disk.cut_stage() else { return };
        *self.stages.entry(stage).or_default() += 1;
        self.recovery += u64::from(disk.calls() <= RECOVERY_CALLS);
        let part = match world.cut_in {
            Some(Phase::Start) => {
                self.opening += 1;
                (before != End::Stopped).then_some("unclean start")
            }
            Some(Phase::Sleep) => Some("sleep"),
            Some(Phase::Wake) => Some("wake"),
            Some(Phase::Erase) => Some("erase"),
            Some(Phase::Work | Phase::Stop) | None => None,
        };
        part.into_iter().for_each(|part| *self.parts.entry(part).or_default() += 1);
    }

    /// Notes a power cut inside a restore.
    pub(super) fn note_restore(&mut self, stage: Option<Stage>) {
        self.points += 1;
        *self.stages.entry(stage.unwrap_or_default()).or_default() += 1;
        *self.parts.entry("restore").or_default() += 1;
    }

    pub(super) fn add(&mut self, other: Self) {
        self.points += other.points;
        self.recovery += other.recovery;
        self.opening += other.opening;
        for (stage, count) in other.stages {
            *self.stages.entry(stage).or_default() += count;
        }
        for (part, count) in other.parts {
            *self.parts.entry(part).or_default() += count;
        }
        self.counts.add(&other.counts);
        self.faults.extend(other.faults);
    }

    /// Each step with its count.
    fn steps(&self) -> Vec<(&'static str, u64)> {
        let stages = Stage::ALL.map(|stage| (stage.name(), self.stages.get(&stage).copied().unwrap_or(0)));
        let parts = PARTS.map(|part| (part, self.parts.get(part).copied().unwrap_or(0)));
        stages.into_iter().chain(parts).collect()
    }

    /// Whether some step had too few cuts yet.
    pub(super) fn lacks(&self) -> bool {
        self.steps().iter().any(|(_, count)| *count < EACH_MIN)
    }

    /// The steps that had too few cuts, and whether too few of all were in recovery.
    pub(super) fn few(&self) -> Vec<String> {
        let few = self.steps().into_iter().filter(|(_, count)| *count < EACH_MIN);
        let mut told: Vec<_> = few.map(|(name, count)| format!("{name}: {count} cuts only")).collect();
        if self.recovery * 2 < self.points {
            told.push(format!("{} of {} cuts in recovery", self.recovery, self.points));
        }
        told
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} power cuts, {} in the first {RECOVERY_CALLS} calls of a life, {} before the store was open; by step:",
            self.points, self.recovery, self.opening
        )?;
        for (at, (name, count)) in self.steps().into_iter().enumerate() {
            write!(f, "{} {name} {count}", if at == 0 { "" } else { "," })?;
        }
        for name in NOT_TRIED {
            write!(f, ", {name} not tried")?;
        }
        let Counts {
            acknowledged,
            unknown,
            checkpoints,
            signed_in,
            refreshed,
            slept,
            erased,
            answers,
            frames,
            ..
        } = self.counts;
        write!(
            f,
            "; {acknowledged} commands acknowledged, {unknown} unknown, {checkpoints} checkpoints, {signed_in} sign-ins, {refreshed} refreshes, {slept} tenants put to sleep, {erased} people erased, {answers} answers compared, {frames} frames verified"
        )
    }
}
