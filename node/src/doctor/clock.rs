//! The clock: whether the wall goes as the boot clock does, and where the journal's time stands.

use super::finding::Finding;
use super::store::Last;
use crate::clock::{Machine, Readings as _};
use crate::config::Config;
use crate::exit;
use serde_json::json;
use std::path::Path;
use std::time::UNIX_EPOCH;
use tessera_model::UnixMillis;

const CLOCK: &str = "clock";
const JOURNAL: &str = "journal-time";
/// LIMIT: a step of the wall that a node follows, ms (node/src/clock.rs).
const STEP_MS: i64 = 5_000;
/// LIMIT: a journal so far ahead of the wall stops writes, ms (formats: one hour).
const AHEAD_MS: u64 = 3_600_000;
/// The first moment that a deadline can name.
const FIRST_MS: u64 = 1_577_836_800_000;

/// Both clocks at a moment.
pub(crate) struct Watch {
    wall_ms: u64,
    boot_ms: u64,
}

impl Watch {
    /// Reads both.
    pub(crate) fn start() -> Self {
        Self { wall_ms: Machine.wall_ms(), boot_ms: Machine.boot_ms() }
    }

    /// How far the wall has gone ahead of the boot clock until then, ms.
    fn step(&self, then: &Self) -> i64 {
        let gone = |from: u64, to: u64| {
            let (from, to) = (i64::try_from(from).unwrap_or(i64::MAX), i64::try_from(to).unwrap_or(i64::MAX));
            to.saturating_sub(from)
        };
        gone(self.wall_ms, then.wall_ms).saturating_sub(gone(self.boot_ms, then.boot_ms))
    }
}

/// The wall's time, in seconds.
pub(crate) fn now_seconds() -> u64 {
    Machine.wall_ms() / 1_000
}

/// The latest change of a file of the directory.
fn newest(dir: &Path) -> Option<u64> {
    let entries = std::fs::read_dir(dir).ok()?.flatten();
    let changed = entries.filter_map(|entry| entry.metadata().ok()?.modified().ok());
    let millis =
        changed.filter_map(|time| u64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok());
    millis.max()
}

/// Looks at the clock, which was read before too, and at the journal's time.
pub(crate) fn look(config: &Config, before: &Watch, last: Last) -> [Finding; 2] {
    let now = Watch::start();
    let wall = judge_wall(before.step(&now), now.wall_ms, newest(&config.storage.dir));
    [wall, judge_journal(now.wall_ms, last)]
}

const SET: &str =
    "set the clock right, keep it by NTP (chrony, systemd-timesyncd), then start the node again";

fn judge_wall(step_ms: i64, wall_ms: u64, newest_ms: Option<u64>) -> Finding {
    let at = UnixMillis(wall_ms);
    let ahead = newest_ms.map_or(0, |newest| newest.saturating_sub(wall_ms));
    let finding = if wall_ms < FIRST_MS {
        Finding::fail(CLOCK, exit::UNAVAILABLE, format!("the wall clock says {at}, before any deadline"), SET)
    } else if step_ms.abs() > STEP_MS {
        Finding::fail(
            CLOCK,
            exit::UNAVAILABLE,
            format!(
                "the wall clock was set by {step_ms} ms while it was looked at: a node does not follow that"
            ),
            SET,
        )
    } else if ahead > STEP_MS.unsigned_abs() {
        Finding::warn(
            CLOCK,
            format!(
                "the wall clock says {at}, and a file of the data directory is {} s newer",
                ahead / 1_000
            ),
            SET,
        )
    } else {
        Finding::ok(CLOCK, format!("the wall clock says {at}, and goes as the boot clock does"))
    };
    finding.with(json!({ "step_ms": step_ms }))
}

fn judge_journal(wall_ms: u64, last: Last) -> Finding {
    let ahead = "where the wall clock is wrong, set it right; where the journal is: see docs/operate/running.md, The clock";
    let of_ms = |ahead_ms: u64, what: String| {
        let finding = if ahead_ms > AHEAD_MS {
            Finding::fail(JOURNAL, exit::UNAVAILABLE, format!("{what}: writes wait for the operator"), ahead)
        } else if ahead_ms > STEP_MS.unsigned_abs() {
            Finding::warn(JOURNAL, what, ahead)
        } else {
            Finding::ok(JOURNAL, what)
        };
        finding.with(json!({ "ahead_ms": ahead_ms }))
    };
    match last {
        Last::Unknown => Finding::ok(JOURNAL, "no frame was looked at"),
        Last::Frame(last) => {
            let ahead_ms = last.0.saturating_sub(wall_ms);
            of_ms(
                ahead_ms,
                format!("the last frame is of {last}, {} s ahead of the wall clock", ahead_ms / 1_000),
            )
        }
        Last::Running { wall_s, alarms, .. } if wall_s.abs() * 1_000.0 > STEP_MS as f64 => Finding::fail(
            JOURNAL,
            exit::UNAVAILABLE,
            format!("the node's clock and the wall are {wall_s:.1} s apart ({alarms} alarms): writes wait"),
            ahead,
        ),
        Last::Running { journal_s, alarms, .. } => {
            let ahead_ms = std::time::Duration::try_from_secs_f64(journal_s.max(0.0)).unwrap_or_default();
            let ahead_ms = u64::try_from(ahead_ms.as_millis()).unwrap_or(u64::MAX);
            let what = format!("the journal is {journal_s:.0} s ahead of the node's clock");
            if alarms > 0.0 && ahead_ms <= STEP_MS.unsigned_abs() {
                let what = format!("{what}; the wall clock was too far off {alarms} times since the start");
                return Finding::warn(JOURNAL, what, "look for what sets the clock");
            }
            of_ms(ahead_ms, what)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    /// PROPERTY: a wall that steps, that is before all deadlines, or that is behind the directory's files is told.
    #[test]
    fn a_wrong_wall_is_told() {
        let now = FIRST_MS + 86_400_000;
        let of = |step, wall, newest| judge_wall(step, wall, newest).level;
        assert_eq!((of(5_000, now, None), of(5_001, now, None)), (Level::Ok, Level::Fail));
        assert_eq!(of(-5_001, now, None), Level::Fail);
        assert_eq!(of(0, FIRST_MS - 1, None), Level::Fail);
        assert_eq!((of(0, now, Some(now + 5_000)), of(0, now, Some(now + 5_001))), (Level::Ok, Level::Warn));
        let (before, then) =
            (Watch { wall_ms: 10_000, boot_ms: 500 }, Watch { wall_ms: 4_000, boot_ms: 1_500 });
        assert_eq!((before.step(&then), before.step(&before)), (-7_000, 0));
    }

    /// PROPERTY: a journal ahead of the wall is told: beyond the hour that stops writes as a failure; and what a node that
    /// runs says of its clock.
    #[test]
    fn a_journal_ahead_is_told() {
        let now = FIRST_MS + 86_400_000;
        let frame = |ahead: u64| judge_journal(now, Last::Frame(UnixMillis(now + ahead))).level;
        assert_eq!((frame(0), frame(5_000), frame(5_001)), (Level::Ok, Level::Ok, Level::Warn));
        assert_eq!((frame(AHEAD_MS), frame(AHEAD_MS + 1)), (Level::Warn, Level::Fail));
        let running =
            |journal_s, wall_s, alarms| judge_journal(now, Last::Running { journal_s, wall_s, alarms }).level;
        assert_eq!((running(0.0, 0.5, 0.0), running(0.0, 0.5, 1.0)), (Level::Ok, Level::Warn));
        assert_eq!((running(0.0, -6.0, 1.0), running(4_000.0, 0.0, 0.0)), (Level::Fail, Level::Fail));
        assert_eq!(
            (running(60.0, 0.0, 0.0), judge_journal(now, Last::Unknown).level),
            (Level::Warn, Level::Ok)
        );
    }
}
