//! What a run found: latencies by kind, throughput and the auditor's counts, as text and JSON.

use crate::audit::Auditor;
use crate::fleet::CellTold;
use crate::moves::{Gaps, Moved};
use crate::timeline::{Mark, Point};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// The kinds of operations.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// One check.
    Check,
    /// A batch of checks.
    Batch,
    /// Sign-in with a password.
    SignIn,
    /// A session opened for somebody authenticated elsewhere.
    Open,
    /// One session, or all of a subject's, ended.
    Revoke,
    /// A refresh handle used: the current one, or one that was replaced long ago.
    Refresh,
    /// A role granted or taken back.
    Grant,
    /// A role edited.
    Role,
}

impl Kind {
    /// Its name in the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Batch => "batch",
            Self::SignIn => "sign-in",
            Self::Open => "open",
            Self::Revoke => "revoke",
            Self::Refresh => "refresh",
            Self::Grant => "grant",
            Self::Role => "role",
        }
    }
}

/// LIMIT: the longest latency told apart, ns: two minutes.
const LONGEST_NS: u64 = 120_000_000_000;

/// What one worker measured.
#[derive(Default)]
pub struct Tally {
    latencies: BTreeMap<Kind, Histogram<u64>>,
    /// Operations refused.
    pub refused: u64,
    /// Operations without an answer.
    pub unanswered: u64,
    /// Draws with nothing to do.
    pub idle: u64,
}

impl Tally {
    /// Adds a latency in ns, counted from the intended start.
    pub fn record(&mut self, kind: Kind, nanos: u64) {
        if let std::collections::btree_map::Entry::Vacant(empty) = self.latencies.entry(kind)
            && let Ok(histogram) = Histogram::new_with_bounds(1, LONGEST_NS, 3)
        {
            empty.insert(histogram);
        }
        if let Some(histogram) = self.latencies.get_mut(&kind) {
            histogram.saturating_record(nanos.clamp(1, LONGEST_NS));
        }
    }

    /// Adds what another worker measured.
    pub fn add(&mut self, other: &Self) {
        for (kind, histogram) in &other.latencies {
            if let Some(own) = self.latencies.get_mut(kind) {
                // Both have the same bounds.
                own.add(histogram).unwrap_or_default();
            } else {
                self.latencies.insert(*kind, histogram.clone());
            }
        }
        self.refused += other.refused;
        self.unanswered += other.unanswered;
        self.idle += other.idle;
    }

    /// Operations answered.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.latencies.values().map(Histogram::len).sum()
    }
}

/// Latencies of one kind, µs from the intended start.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    /// What.
    pub kind: &'static str,
    /// How many were answered.
    pub count: u64,
    /// Median.
    pub p50_us: f64,
    /// 90 of 100 were faster.
    pub p90_us: f64,
    /// 99 of 100 were faster.
    pub p99_us: f64,
    /// 999 of 1,000 were faster.
    pub p999_us: f64,
    /// The slowest.
    pub max_us: f64,
    /// The same and more of them, in their order.
    pub quantiles: Vec<Quantile>,
}

/// A latency that so many were at least as fast as.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantile {
    /// Which part of all, 0 to 1.
    pub quantile: f64,
    /// The latency, us.
    pub us: f64,
}

/// The quantiles of a report.
pub const QUANTILES: [f64; 10] = [0.0, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999, 0.99999];

/// The auditor's counts.
#[derive(Clone, Debug, Serialize)]
pub struct Audited {
    /// Checks compared with what their interval allows.
    pub checks: u64,
    /// Of these, checks with one right answer only.
    pub certain: u64,
    /// Writes that were acknowledged.
    pub writes: u64,
    /// Of these, revocations.
    pub revocations: u64,
    /// Refreshes whose answer was compared: a successor, or a spent handle's refusal.
    pub refreshes: u64,
    /// Lists read again and compared.
    pub rereads: u64,
    /// Wrong answers.
    pub wrong: u64,
    /// Answers older than a receipt given before.
    pub stale: u64,
    /// Lists that miss an acknowledged write or hold a refused one.
    pub lost: u64,
    /// Subjects or roles whose last write stayed unknown.
    pub unknown: u64,
    /// Subjects that could not be read again.
    pub unread: u64,
    /// The first findings.
    pub examples: Vec<String>,
}

/// The whole report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Open or closed loop, with its rate or depth.
    pub mode: String,
    /// How long the load ran.
    pub seconds: f64,
    /// Tenants.
    pub tenants: usize,
    /// Subjects of each.
    pub subjects: u32,
    /// Times that the node was killed and started again.
    pub kills: u64,
    /// Seconds from each kill until the node answered again, the longest.
    pub restart_seconds_max: f64,
    /// Operations answered per second.
    pub per_second: f64,
    /// Operations refused (Busy above all).
    pub refused: u64,
    /// Operations without an answer within the deadline.
    pub unanswered: u64,
    /// Latencies by kind.
    pub latencies: Vec<Latency>,
    /// What the auditor saw.
    pub audited: Audited,
    /// The nodes of the fleet; none without one.
    pub cells: Vec<CellTold>,
    /// Tenants that were moved, in their order.
    pub moves: Vec<Moved>,
    /// How long commands stood still over the moves of which no node was killed.
    pub gaps: Option<Gaps>,
    /// The course of the run.
    pub course: Vec<Point>,
    /// What was done to the node meanwhile.
    pub marks: Vec<Mark>,
}

fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1_000.0
}

/// The latencies of a tally.
#[must_use]
pub fn latencies(tally: &Tally) -> Vec<Latency> {
    let of = |(kind, histogram): (&Kind, &Histogram<u64>)| {
        let at = |quantile: f64| micros(histogram.value_at_quantile(quantile));
        Latency {
            kind: kind.name(),
            count: histogram.len(),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: micros(histogram.max()),
            quantiles: QUANTILES.map(|quantile| Quantile { quantile, us: at(quantile) }).to_vec(),
        }
    };
    tally.latencies.iter().map(of).collect()
}

impl Audited {
    /// The auditor's counts.
    #[must_use]
    pub fn of(auditor: &Auditor, unknown: u64, unread: u64) -> Self {
        let count = |of: &AtomicU64| of.load(Ordering::SeqCst);
        Self {
            checks: count(&auditor.checks),
            certain: count(&auditor.certain),
            writes: count(&auditor.writes),
            revocations: count(&auditor.revocations),
            refreshes: count(&auditor.refreshes),
            rereads: count(&auditor.rereads),
            wrong: count(&auditor.wrong),
            stale: count(&auditor.stale),
            lost: count(&auditor.lost),
            unknown,
            unread,
            examples: auditor.examples(),
        }
    }
}

impl Report {
    /// With what was done to a fleet.
    #[must_use]
    pub fn over(self, cells: Vec<CellTold>, moves: Vec<Moved>) -> Self {
        Self { gaps: Gaps::of(&moves), cells, moves, ..self }
    }

    /// Whether nothing was found, everything was read again and every move came to its end.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let audited = &self.audited;
        let found = audited.wrong + audited.stale + audited.lost + audited.unread;
        found == 0 && self.moves.iter().all(|moved| moved.done)
    }

    /// What was done to the fleet, for people; nothing without one.
    fn fleet_text(&self) -> String {
        let mut out = String::new();
        for cell in &self.cells {
            out.push_str(&format!(
                "node {}: {} kills (longest restart {:.2} s), {} tenants at the end\n",
                cell.name, cell.kills, cell.restart_seconds_max, cell.tenants
            ));
        }
        let done = self.moves.iter().filter(|moved| moved.done).count();
        if !self.moves.is_empty() {
            let hit = self.moves.iter().filter(|moved| moved.interrupted).count();
            out.push_str(&format!("{done} of {} moves done, {hit} hit by a kill", self.moves.len()));
            out.push_str(&match &self.gaps {
                Some(gaps) => format!(
                    "; over the other {} no commands for {:.0} ms (median), {:.0} ms (most); between two writes of one writer {:.1} ms, {:.1} ms\n",
                    gaps.count, gaps.p50_ms, gaps.max_ms, gaps.seen_p50_ms, gaps.seen_max_ms
                ),
                None => "\n".to_owned(),
            });
        }
        for moved in &self.moves {
            out.push_str(&format!("  {:.1} s: {}\n", moved.at_s, moved.text()));
        }
        out
    }

    /// The report for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!(
            "{}, seed {}, {} tenants of {} subjects, {:.1} s\n{:.0} operations/s answered, {} refused, {} unanswered, {} kills (longest restart {:.2} s)\n\nlatency from the intended start, us\n{:<8} {:>10} {:>10} {:>10} {:>10} {:>10} {:>12}\n",
            self.mode,
            self.seed,
            self.tenants,
            self.subjects,
            self.seconds,
            self.per_second,
            self.refused,
            self.unanswered,
            self.kills,
            self.restart_seconds_max,
            "kind",
            "count",
            "p50",
            "p90",
            "p99",
            "p99.9",
            "max"
        );
        for row in &self.latencies {
            out.push_str(&format!(
                "{:<8} {:>10} {:>10.0} {:>10.0} {:>10.0} {:>10.0} {:>12.0}\n",
                row.kind, row.count, row.p50_us, row.p90_us, row.p99_us, row.p999_us, row.max_us
            ));
        }
        if !self.cells.is_empty() {
            out.push_str(&format!("\n{}", self.fleet_text()));
        }
        let audited = &self.audited;
        out.push_str(&format!(
            "\naudited {} checks ({} with one right answer), {} acknowledged writes ({} revocations), {} refreshes, {} lists read again\nwrong {}, stale {}, lost {}; {} outcomes stayed unknown, {} subjects could not be read again\n",
            audited.checks,
            audited.certain,
            audited.writes,
            audited.revocations,
            audited.refreshes,
            audited.rereads,
            audited.wrong,
            audited.stale,
            audited.lost,
            audited.unknown,
            audited.unread
        ));
        for example in &audited.examples {
            out.push_str(&format!("  {example}\n"));
        }
        out
    }
}
