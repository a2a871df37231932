//! Where the power went, how often, and what was found.

use super::RECOVERY_CALLS;
use crate::simulate::{Counts, End, Phase, World};
use std::collections::BTreeMap;
use std::fmt;
use tessera_storage::disk::simulated::{Simulated, Stage};

/// What is counted beside the steps of the disk.
const PARTS: [&str; 6] = ["unclean start", "sleep", "wake", "erase", "restore", MOVE];
/// The power went in either cell while a tenant moved from one to the other.
const MOVE: &str = "move";
/// The phases of a move in which the power went, each at either end.
const MOVE_PHASES: [&str; 5] = ["a start", "copying", "frozen", "handed over", "undone"];
/// LIMIT: power cuts that each step must have had.
const EACH_MIN: u64 = 100;
/// LIMIT: power cuts that each end must have had in each phase of a move.
const EACH_PHASE_MIN: u64 = 10;

/// Counts of all worlds.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) points: u64,
    /// In the first calls of a life; of these before the store was open.
    recovery: u64,
    opening: u64,
    stages: BTreeMap<Stage, u64>,
    parts: BTreeMap<&'static str, u64>,
    /// By the phase of a move, and whether the cell gave the tenant away.
    moves: BTreeMap<(&'static str, bool), u64>,
    /// Moves in which both cells lost their power.
    pub(super) both: u64,
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

    /// Notes a power cut in one of two cells: in which phase of a move, and whether that cell gives.
    pub(super) fn note_move(&mut self, disk: &Simulated, phase: Option<(&'static str, bool)>) {
        self.points += 1;
        *self.stages.entry(disk.cut_stage().unwrap_or_default()).or_default() += 1;
        self.recovery += u64::from(disk.calls() <= RECOVERY_CALLS);
        let Some((phase, gives)) = phase else { return };
        *self.parts.entry(MOVE).or_default() += 1;
        *self.moves.entry((phase, gives)).or_default() += 1;
    }

    /// The phases of a move, at either end, with their counts.
    fn phases(&self) -> impl Iterator<Item = (&'static str, bool, u64)> + '_ {
        let ends = MOVE_PHASES.into_iter().flat_map(|phase| [(phase, true), (phase, false)]);
        ends.map(|(phase, gives)| (phase, gives, self.moves.get(&(phase, gives)).copied().unwrap_or(0)))
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
        for (end, count) in other.moves {
            *self.moves.entry(end).or_default() += count;
        }
        self.both += other.both;
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
            || self.phases().any(|(.., count)| count < EACH_PHASE_MIN)
    }

    /// The steps that had too few cuts, and whether too few of all were in recovery.
    pub(super) fn few(&self) -> Vec<String> {
        let few = self.steps().into_iter().filter(|(_, count)| *count < EACH_MIN);
        let mut told: Vec<_> = few.map(|(name, count)| format!("{name}: {count} cuts only")).collect();
        let few = self.phases().filter(|(.., count)| *count < EACH_PHASE_MIN);
        told.extend(few.map(|(phase, gives, count)| {
            format!("move, {phase}, of the cell that {}: {count} cuts only", end_name(gives))
        }));
        if self.recovery * 2 < self.points {
            told.push(format!("{} of {} cuts in recovery", self.recovery, self.points));
        }
        told
    }
}

const fn end_name(gives: bool) -> &'static str {
    if gives { "gives" } else { "takes" }
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
        write!(f, "; of moves by phase, of the cell that gives/takes:")?;
        for (at, phase) in MOVE_PHASES.into_iter().enumerate() {
            let count = |gives| self.moves.get(&(phase, gives)).copied().unwrap_or(0);
            write!(f, "{} {phase} {}/{}", if at == 0 { "" } else { "," }, count(true), count(false))?;
        }
        write!(f, ", both at once {}", self.both)?;
        let Counts {
            acknowledged,
            unknown,
            checkpoints,
            signed_in,
            refreshed,
            slept,
            erased,
            moved,
            answers,
            frames,
            ..
        } = self.counts;
        write!(
            f,
            "; {acknowledged} commands acknowledged, {unknown} unknown, {checkpoints} checkpoints, {signed_in} sign-ins, {refreshed} refreshes, {slept} tenants put to sleep, {erased} people erased, {moved} tenants moved, {answers} answers compared, {frames} frames verified"
        )
    }
}
