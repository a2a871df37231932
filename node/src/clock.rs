//! The node's clock: wall time at start plus the boot clock, which counts suspension and never goes back.
//!
//! Steps of the wall clock up to five seconds are followed; a larger difference raises an alarm and
//! is not followed. This is the only file of the engine's process that reads a clock.

use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use tessera_engine::Clock;
use tessera_model::UnixMillis;

/// LIMIT: a step of the wall that is followed, ms. A step beyond it is a mistake or an attack.
const STEP_MS_MAX: i64 = 5_000;

/// What the clock reads; tests plant their own.
pub(crate) trait Readings: Send + Sync + 'static {
    /// Wall time, ms since the Unix epoch.
    fn wall_ms(&self) -> u64;
    /// Time since boot, suspension included, ms.
    fn boot_ms(&self) -> u64;
}

/// The machine's own clocks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Machine;

impl Readings for Machine {
    fn wall_ms(&self) -> u64 {
        let read = millis(clock_gettime(ClockId::Realtime));
        #[cfg(feature = "planted")]
        let read = crate::planted::wall_ms(read);
        read
    }

    fn boot_ms(&self) -> u64 {
        let read = millis(clock_gettime(ClockId::Boottime));
        #[cfg(feature = "planted")]
        let read = crate::planted::boot_ms(read);
        read
    }
}

fn millis(time: rustix::time::Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let part = u64::try_from(time.tv_nsec).unwrap_or_default() / 1_000_000;
    seconds.saturating_mul(1000).saturating_add(part)
}

/// How the wall clock stands to the node's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Drift {
    /// Together, or a step that is followed now, ms.
    Followed(i64),
    /// The wall is this many ms ahead (or behind, when negative): not followed.
    Alarm(i64),
}

/// The node's clock.
#[derive(Debug)]
pub(crate) struct NodeClock<R = Machine> {
    readings: R,
    boot_at_start: u64,
    wall_at_start: u64,
    /// What was followed since the start, ms.
    followed: AtomicI64,
    /// INVARIANT: the largest time ever given out; nothing below it is given out again.
    last: AtomicU64,
    /// Whether the last comparison raised an alarm: writes wait then.
    alarmed: AtomicBool,
}

impl<R: Readings> NodeClock<R> {
    /// A clock that starts at the wall's time.
    pub(crate) fn new(readings: R) -> Self {
        let (boot_at_start, wall_at_start) = (readings.boot_ms(), readings.wall_ms());
        let last = AtomicU64::new(wall_at_start);
        Self {
            readings,
            boot_at_start,
            wall_at_start,
            followed: AtomicI64::new(0),
            last,
            alarmed: AtomicBool::new(false),
        }
    }

    /// Compares with the wall; to be called about once a second.
    ///
    /// A step back is followed too: time then stands still until the wall has caught up.
    pub(crate) fn follow(&self) -> Drift {
        let wall = i64::try_from(self.readings.wall_ms()).unwrap_or(i64::MAX);
        let own = i64::try_from(self.counted(self.readings.boot_ms())).unwrap_or(i64::MAX);
        let drift = wall.saturating_sub(own);
        let alarmed = drift.abs() > STEP_MS_MAX;
        #[cfg(feature = "planted")]
        let alarmed = alarmed && !crate::planted::follows();
        self.alarmed.store(alarmed, Ordering::Relaxed);
        if alarmed {
            return Drift::Alarm(drift);
        }
        self.followed.fetch_add(drift, Ordering::Relaxed);
        Drift::Followed(drift)
    }

    /// Start plus what the boot clock counted plus what was followed.
    fn counted(&self, boot_ms: u64) -> u64 {
        let since = boot_ms.saturating_sub(self.boot_at_start);
        let unsteered = self.wall_at_start.saturating_add(since);
        unsteered.saturating_add_signed(self.followed.load(Ordering::Relaxed))
    }
}

impl<R: Readings> Clock for NodeClock<R> {
    fn now(&self) -> UnixMillis {
        self.moment().0
    }

    fn moment(&self) -> (UnixMillis, u64) {
        let boot_ms = self.readings.boot_ms();
        let counted = self.counted(boot_ms);
        let last = self.last.load(Ordering::Relaxed);
        // Most readings are of the same millisecond: no write then.
        if counted == last {
            return (UnixMillis(last), boot_ms);
        }
        let before = self.last.fetch_max(counted, Ordering::Relaxed);
        (UnixMillis(before.max(counted)), boot_ms)
    }

    fn elapsed_ms(&self) -> u64 {
        self.readings.boot_ms()
    }

    fn is_stopped(&self) -> bool {
        self.alarmed.load(Ordering::Relaxed)
    }

    fn span(&self) -> (UnixMillis, UnixMillis) {
        let (own, wall) = (self.now(), UnixMillis(self.readings.wall_ms()));
        (own.min(wall), own.max(wall))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Planted {
        wall: AtomicU64,
        boot: AtomicU64,
    }

    impl Readings for &'static Planted {
        fn wall_ms(&self) -> u64 {
            self.wall.load(Ordering::Relaxed)
        }

        fn boot_ms(&self) -> u64 {
            self.boot.load(Ordering::Relaxed)
        }
    }

    fn clock() -> (&'static Planted, NodeClock<&'static Planted>) {
        let planted: &'static Planted = Box::leak(Box::default());
        planted.wall.store(1_000_000, Ordering::Relaxed);
        planted.boot.store(7_000, Ordering::Relaxed);
        (planted, NodeClock::new(planted))
    }

    /// PROPERTY: between comparisons only the boot clock moves time, a wall that jumps does not.
    /// TC-25 in part.
    #[test]
    fn time_is_counted_by_the_boot_clock() {
        let (planted, clock) = clock();
        planted.boot.fetch_add(250, Ordering::Relaxed);
        planted.wall.fetch_add(3_600_000, Ordering::Relaxed);
        assert_eq!(clock.now(), UnixMillis(1_000_250));
    }

    /// PROPERTY: five seconds are followed in both directions, a millisecond more is an alarm.
    #[test]
    fn steps_up_to_five_seconds_are_followed() {
        for (step, followed) in [(5_000, true), (5_001, false), (-5_000, true), (-5_001, false)] {
            let (planted, clock) = clock();
            planted.wall.store(1_000_000_u64.saturating_add_signed(step), Ordering::Relaxed);
            let drift = clock.follow();
            assert_eq!(drift, if followed { Drift::Followed(step) } else { Drift::Alarm(step) });
            assert_eq!(clock.is_stopped(), !followed);
            planted.boot.fetch_add(10_000, Ordering::Relaxed);
            let expected = 1_010_000_u64.saturating_add_signed(if followed { step } else { 0 });
            assert_eq!(clock.now(), UnixMillis(expected));
        }
    }

    /// PROPERTY: whatever the wall and the comparisons do, no reading is below an earlier one, and
    /// after a step back time goes on as soon as the wall has caught up.
    /// TC-25 in part.
    #[test]
    fn time_never_goes_back() {
        let (planted, clock) = clock();
        let (mut last, mut state) = (clock.now(), 1_u64);
        for _ in 0..10_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            planted.boot.fetch_add(state >> 60, Ordering::Relaxed);
            let wall = clock
                .counted(clock.readings.boot_ms())
                .saturating_add_signed((state >> 33) as i64 % 6_000 - 3_000);
            planted.wall.store(wall, Ordering::Relaxed);
            if state % 7 == 0 {
                clock.follow();
            }
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
        planted.boot.fetch_add(60_000_000, Ordering::Relaxed);
        assert!(clock.now() > last);
    }

    /// PROPERTY: own time and the wall's are told in their order, and what has passed follows the boot clock.
    #[test]
    fn both_times_are_told() {
        let (planted, clock) = clock();
        for (wall, span) in
            [(1_000_000, (1_000_000, 1_000_000)), (5, (5, 1_000_000)), (9_000_000, (1_000_000, 9_000_000))]
        {
            planted.wall.store(wall, Ordering::Relaxed);
            assert_eq!(clock.span(), (UnixMillis(span.0), UnixMillis(span.1)));
        }
        let before = clock.elapsed_ms();
        planted.boot.fetch_add(250, Ordering::Relaxed);
        assert_eq!(clock.elapsed_ms() - before, 250);
    }

    /// PROPERTY: the machine's clocks run.
    #[test]
    fn the_machine_has_both_clocks() {
        let clock = NodeClock::new(Machine);
        let first = clock.now();
        assert!(first.0 > 1_577_836_800_000);
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert!(clock.now().0 >= first.0 + 5);
        assert!(matches!(clock.follow(), Drift::Followed(_)));
    }
}
