//! The course of a run: what was answered when and how fast, and what was done to the node meanwhile.
//!
//! Time is cut into slots of one length. A run that is longer than they reach has longer ones: two become one.

use crate::audit::lock;
use crate::moment::Moment;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::sync::Mutex;

/// LIMIT: slots of a run: as many as a page shows in points that are told apart; each takes some 20 KiB.
const SLOTS_MAX: usize = 600;
/// What a slot begins with, ns: a second.
const WIDTH_NS: Moment = 1_000_000_000;
/// LIMIT: the longest latency told apart, us: two minutes.
const LONGEST_US: u64 = 120_000_000;

/// What was done to a node.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// It was killed.
    Kill,
    /// It answered again.
    Restart,
    /// A tenant went to another cell.
    Move,
}

impl Event {
    /// Its name in the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Restart => "restart",
            Self::Move => "move",
        }
    }
}

/// An event of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mark {
    /// Seconds since the load began.
    pub at_s: f64,
    /// What.
    pub event: Event,
    /// What there is to say of it.
    pub text: String,
}

/// What one slot saw.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Where it begins, seconds since the load began.
    pub at_s: f64,
    /// How long it is.
    pub seconds: f64,
    /// Operations answered in it, per second.
    pub per_second: f64,
    /// Operations refused in it.
    pub refused: u64,
    /// Operations given up in it.
    pub unanswered: u64,
    /// The median of their latencies, us; 0 where nothing was answered, as in all below.
    pub p50_us: u64,
    /// 90 of 100 were faster.
    pub p90_us: u64,
    /// 99 of 100 were faster.
    pub p99_us: u64,
    /// 999 of 1,000 were faster.
    pub p999_us: u64,
    /// The slowest.
    pub max_us: u64,
    /// Operations answered of the tenants of each cell of a fleet, per second; none without a fleet.
    pub cells: Vec<f64>,
}

#[derive(Default)]
struct Slot {
    refused: u64,
    unanswered: u64,
    latencies: Option<Histogram<u64>>,
    /// Answers by cell.
    cells: Vec<u64>,
}

impl Slot {
    fn take(&mut self, other: Self) {
        self.refused += other.refused;
        self.unanswered += other.unanswered;
        match (&mut self.latencies, other.latencies) {
            // Both have the same bounds.
            (Some(own), Some(other)) => own.add(other).unwrap_or_default(),
            (own @ None, other) => *own = other,
            (Some(_), None) => {}
        }
        for (cell, count) in other.cells.into_iter().enumerate() {
            self.count(cell, count);
        }
    }

    fn count(&mut self, cell: usize, more: u64) {
        if self.cells.len() <= cell {
            self.cells.resize(cell + 1, 0);
        }
        if let Some(count) = self.cells.get_mut(cell) {
            *count += more;
        }
    }
}

struct Inner {
    begun: Moment,
    width: Moment,
    slots: Vec<Slot>,
    marks: Vec<(Moment, Event, String)>,
    /// Cells of the fleet; none without one.
    cells: usize,
}

impl Inner {
    const fn new(begun: Moment, cells: usize) -> Self {
        Self { begun, width: WIDTH_NS, slots: Vec::new(), marks: Vec::new(), cells }
    }

    fn slot(&mut self, at: Moment) -> Option<&mut Slot> {
        let since = at.saturating_sub(self.begun);
        while since / self.width >= SLOTS_MAX as Moment {
            let mut slots = std::mem::take(&mut self.slots).into_iter();
            while let Some(mut slot) = slots.next() {
                if let Some(other) = slots.next() {
                    slot.take(other);
                }
                self.slots.push(slot);
            }
            self.width *= 2;
        }
        let nth = usize::try_from(since / self.width).ok()?;
        if self.slots.len() <= nth {
            self.slots.resize_with(nth + 1, Slot::default);
        }
        self.slots.get_mut(nth)
    }
}

/// The course of a run while it goes on.
pub struct Timeline(Mutex<Inner>);

impl Default for Timeline {
    fn default() -> Self {
        Self::of(0)
    }
}

impl Timeline {
    /// The course of a run over so many cells; 0 without a fleet.
    #[must_use]
    pub const fn of(cells: usize) -> Self {
        Self(Mutex::new(Inner::new(0, cells)))
    }

    /// The load begins.
    pub fn begin(&self, at: Moment) {
        let mut inner = lock(&self.0);
        *inner = Inner::new(at, inner.cells);
    }

    /// Something was answered of a tenant of this cell, so many ns after its intended start.
    pub fn answered(&self, at: Moment, nanos: u64, cell: usize) {
        let mut inner = lock(&self.0);
        let Some(slot) = inner.slot(at) else { return };
        slot.count(cell, 1);
        if slot.latencies.is_none() {
            slot.latencies = Histogram::new_with_bounds(1, LONGEST_US, 2).ok();
        }
        if let Some(latencies) = &mut slot.latencies {
            latencies.saturating_record((nanos / 1_000).clamp(1, LONGEST_US));
        }
    }

    /// Something was refused.
    pub fn refused(&self, at: Moment) {
        if let Some(slot) = lock(&self.0).slot(at) {
            slot.refused += 1;
        }
    }

    /// Something was given up.
    pub fn unanswered(&self, at: Moment) {
        if let Some(slot) = lock(&self.0).slot(at) {
            slot.unanswered += 1;
        }
    }

    /// Something was done to a node.
    pub fn mark(&self, at: Moment, event: Event, text: String) {
        lock(&self.0).marks.push((at, event, text));
    }

    /// How long after the beginning a moment is, s.
    #[must_use]
    pub fn since_begun(&self, at: Moment) -> f64 {
        std::time::Duration::from_nanos(at.saturating_sub(lock(&self.0).begun)).as_secs_f64()
    }

    /// The whole course, up to the end of the load.
    #[must_use]
    pub fn course(&self, ended: Moment) -> (Vec<Point>, Vec<Mark>) {
        let inner = lock(&self.0);
        let seconds = |nanos: Moment| std::time::Duration::from_nanos(nanos).as_secs_f64();
        let whole = ended.saturating_sub(inner.begun);
        let point = |(nth, slot): (usize, &Slot)| {
            let from = nth as Moment * inner.width;
            let width = seconds(whole.saturating_sub(from).clamp(1_000_000, inner.width));
            let at = |quantile: f64| slot.latencies.as_ref().map_or(0, |of| of.value_at_quantile(quantile));
            let count = slot.latencies.as_ref().map_or(0, Histogram::len);
            let of_cell = |cell: usize| slot.cells.get(cell).map_or(0.0, |count| *count as f64 / width);
            Point {
                at_s: seconds(from),
                seconds: width,
                per_second: count as f64 / width,
                refused: slot.refused,
                unanswered: slot.unanswered,
                p50_us: at(0.5),
                p90_us: at(0.9),
                p99_us: at(0.99),
                p999_us: at(0.999),
                max_us: slot.latencies.as_ref().map_or(0, Histogram::max),
                cells: (0..inner.cells).map(of_cell).collect(),
            }
        };
        // A move is told when it is done, and stands where it began.
        let mut marks: Vec<_> = inner.marks.iter().collect();
        marks.sort_by_key(|(at, ..)| *at);
        let marks = marks.into_iter().map(|(at, event, text)| Mark {
            at_s: seconds(at.saturating_sub(inner.begun)),
            event: *event,
            text: text.clone(),
        });
        // Where nothing more was answered, the course goes on to the end of the load all the same.
        let count = usize::try_from(whole.div_ceil(inner.width)).unwrap_or(SLOTS_MAX).min(SLOTS_MAX);
        let (count, empty) = (count.max(inner.slots.len()), Slot::default());
        let points = (0..count).map(|nth| point((nth, inner.slots.get(nth).unwrap_or(&empty))));
        (points.collect(), marks.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: whatever the length of a run, nothing that was noted is lost, of no cell, and slots stay within their
    /// limit; events stand in their order.
    #[test]
    fn long_runs_have_longer_slots() {
        for seconds in [1, 599, 600, 601, 5_000] {
            let timeline = Timeline::of(3);
            timeline.begin(7 * WIDTH_NS);
            for second in 0..seconds {
                let at = (7 + second) * WIDTH_NS;
                let cell = usize::try_from(second % 3).expect("small");
                timeline.answered(at, 1_000_000 * (1 + second % 10), cell);
                timeline.refused(at);
                timeline.unanswered(at + 1);
            }
            timeline.mark(9 * WIDTH_NS, Event::Restart, "second".to_owned());
            timeline.mark(8 * WIDTH_NS, Event::Kill, "first".to_owned());
            let (points, marks) = timeline.course((7 + seconds) * WIDTH_NS);
            assert!(points.len() <= SLOTS_MAX, "{}", points.len());
            let sum = |of: &dyn Fn(&Point) -> f64| points.iter().map(of).sum::<f64>().round();
            assert_eq!(sum(&|point| point.seconds), seconds as f64);
            assert_eq!(sum(&|point| point.per_second * point.seconds), seconds as f64);
            assert_eq!(sum(&|point| (point.refused + point.unanswered) as f64), 2.0 * seconds as f64);
            for cell in 0..3_usize {
                let right = (seconds + 2 - cell as u64) / 3;
                assert_eq!(sum(&|point| point.cells[cell] * point.seconds), right as f64, "{cell}");
            }
            let slowest = points.iter().map(|point| point.max_us).max().unwrap_or_default();
            let right = 1_000 * seconds.min(10);
            assert!(slowest >= right && slowest <= right + right / 50, "{slowest}");
            assert_eq!((marks.len(), marks[0].at_s, marks[0].event), (2, 1.0, Event::Kill));
            // A quiet end is part of the course.
            let (points, _) = timeline.course((7 + seconds + 20) * WIDTH_NS);
            let last = points.last().expect("a slot");
            let quiet = if seconds + 20 <= 600 { seconds as f64 + 20.0 } else { last.at_s + last.seconds };
            assert_eq!(last.at_s + last.seconds, quiet);
        }
    }
}
