//! Weekly hours, compiled: the minutes of the week at which they open and close, and the clocks of their zone.
//!
//! A moment is in them when the clock of the zone shows a time that is: where clocks are put back, an hour comes twice
//! and counts twice; where they are put forward, an hour that never comes is left out.

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use tessera_model::UnixMillis;
use tessera_model::weekly::{DAY_MINUTES, Hours};

/// Minutes of a week.
const WEEK_MINUTES: usize = 7 * DAY_MINUTES as usize;
/// Seconds of a week.
const WEEK_S: i64 = 7 * 86_400;
/// What lies between the beginning of a week, Monday at midnight, and the first instant of 1970, a Thursday.
const THURSDAY_S: i64 = 3 * 86_400;
/// LIMIT: changes of a zone's offset that are looked at for the next change of an answer. A week has one; beyond it an
/// answer is right, and good for less long than it might be.
const OFFSETS_MAX: usize = 64;

/// The zone of this name, by the database that is part of the build: what a name means is the same wherever this build
/// runs.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok().filter(|zone| !zone.is_unknown())
}

/// Weekly hours as a check reads them.
#[derive(Clone, Debug)]
pub(crate) struct Week {
    zone: TimeZone,
    /// Whether the first minute of Monday is in them.
    begins_open: bool,
    /// The minutes of the week at which that changes, in order.
    flips: Box<[u16]>,
}

impl Week {
    pub(crate) fn new(hours: &Hours, zone: TimeZone) -> Self {
        let mut open = vec![false; WEEK_MINUTES];
        for span in hours.spans() {
            let long = if span.until > span.from { span.until } else { span.until + DAY_MINUTES };
            for day in (0..7).filter(|day| span.days >> day & 1 == 1) {
                let start = day * usize::from(DAY_MINUTES);
                for minute in usize::from(span.from)..usize::from(long) {
                    if let Some(at) = open.get_mut((start + minute) % WEEK_MINUTES) {
                        *at = true;
                    }
                }
            }
        }
        let pairs = open.windows(2).zip(1u16..);
        let flips = pairs.filter(|(pair, _)| matches!(pair, [a, b] if a != b)).map(|(_, minute)| minute);
        Self { zone, begins_open: open.first() == Some(&true), flips: flips.collect() }
    }

    /// What the clock shows at an instant, in seconds since Monday.
    fn clock(&self, at: i64) -> Option<i64> {
        let offset = self.zone.to_offset(Timestamp::from_second(at).ok()?).seconds();
        Some((at + i64::from(offset) + THURSDAY_S).rem_euclid(WEEK_S))
    }

    /// Whether a clock shows a time that is in them.
    fn is_open(&self, clock: i64) -> bool {
        let passed = self.flips.partition_point(|flip| i64::from(*flip) * 60 <= clock);
        self.begins_open ^ (passed % 2 == 1)
    }

    /// How long a clock goes on until a change, when it is not put forward or back; the week itself for no change, or
    /// one that is none.
    fn ahead(&self, clock: i64) -> i64 {
        let next = self.flips.partition_point(|flip| i64::from(*flip) * 60 <= clock);
        let flip = self.flips.get(next).map(|flip| i64::from(*flip) * 60);
        flip.unwrap_or(WEEK_S) - clock
    }

    /// The first instant after one at which it is open where it was not, or not where it was.
    fn change(&self, mut at: i64) -> Option<i64> {
        if self.flips.is_empty() {
            return None;
        }
        let mut clock = self.clock(at)?;
        let was = self.is_open(clock);
        for _ in 0..OFFSETS_MAX {
            let put = self.zone.following(Timestamp::from_second(at).ok()?).next();
            let put = put.map_or(i64::MAX, |put| put.timestamp().as_second());
            // A week has two legs: up to its end, and from its beginning.
            let (mut leg, mut of) = (at, clock);
            for _ in 0..=self.flips.len() {
                leg += self.ahead(of);
                of = (clock + (leg - at)).rem_euclid(WEEK_S);
                if leg >= put {
                    break;
                }
                if self.is_open(of) != was {
                    return Some(leg);
                }
            }
            if put == i64::MAX {
                return None;
            }
            at = put;
            clock = self.clock(at)?;
            if self.is_open(clock) != was {
                return Some(at);
            }
        }
        Some(at)
    }

    /// The first span of time from an instant on in which they hold: its first instant, which may lie before, and the
    /// first after it. Of a span that begins later the end is not looked for.
    pub(crate) fn run(&self, at: UnixMillis) -> Option<(UnixMillis, UnixMillis)> {
        let second = i64::try_from(at.0 / 1000).ok()?;
        let open = self.is_open(self.clock(second)?);
        let change = self.change(second).and_then(|second| u64::try_from(second).ok());
        let change = change.and_then(|second| second.checked_mul(1000)).map(UnixMillis);
        let never = UnixMillis(u64::MAX);
        if open { Some((UnixMillis(0), change.unwrap_or(never))) } else { change.map(|from| (from, never)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: at every minute of the weeks in which clocks are put forward or back, in zones that differ in how,
    /// hours hold exactly when the clock shows a time that is in them; and the end of a span is the first minute at
    /// which that differs. METHOD: the clock's day and time by name, against the spans as they are written.
    /// F-49
    #[test]
    fn hours_follow_the_clock() {
        let spans = [
            "Mon-Fri 08:00-18:00",
            "Sun 01:30-02:30",
            "Sat 22:00-06:00",
            "Sun 02:00-03:00, Sun 04:00-05:00",
            "Mon-Sun 00:00-24:00",
            "Sun 23:00-01:00",
            "Sun+Tue 00:00-00:01",
        ];
        let zones = [
            "Europe/Berlin",
            "America/New_York",
            "Australia/Lord_Howe",
            "UTC",
            "Asia/Kathmandu",
            "Africa/Casablanca",
            "America/Sao_Paulo",
            "Pacific/Apia",
        ];
        for name in zones {
            let clocks = zone(name).expect(name);
            for spans in spans {
                let hours = Hours::parse(&format!("{spans} {name}")).expect(spans);
                let week = Week::new(&hours, clocks.clone());
                // The Thursdays before: October 2026, twice in March, April and October 2027.
                for start in [1_793_232_000_i64, 1_804_723_200, 1_805_932_800, 1_806_537_600, 1_824_681_600] {
                    let shown = |second: i64| {
                        let at = clocks.to_datetime(Timestamp::from_second(second).expect("near"));
                        let day = at.weekday().to_monday_zero_offset();
                        let minute = at.hour() as u16 * 60 + at.minute() as u16;
                        hours.spans().iter().any(|span| {
                            let on = |day: i8| span.days >> day & 1 == 1;
                            if span.until > span.from {
                                on(day) && (span.from..span.until).contains(&minute)
                            } else {
                                on(day) && minute >= span.from || on((day + 6) % 7) && minute < span.until
                            }
                        })
                    };
                    let minutes: Vec<bool> = (0..6 * 1_440).map(|at| shown(start + at * 60)).collect();
                    for (at, open) in minutes.iter().enumerate().take(5 * 1_440).step_by(7) {
                        let now = start as u64 + at as u64 * 60;
                        let run = week.run(UnixMillis(now * 1000 + 999));
                        let change = minutes.iter().skip(at).position(|other| other != open);
                        let change = change.map(|after| UnixMillis((now + after as u64 * 60) * 1000));
                        let told = run.map(|(from, until)| if *open { until } else { from });
                        let told = told.filter(|told| told.0 < (start as u64 + 6 * 86_400) * 1000);
                        assert_eq!(
                            run.is_some_and(|(from, _)| from.0 <= now * 1000),
                            *open,
                            "{name} {spans} {now}"
                        );
                        assert_eq!(told, change, "{name} {spans} {now}");
                    }
                }
            }
        }
    }

    /// PROPERTY: names that are no zone are none.
    #[test]
    fn unknown_zones_are_none() {
        for name in ["Europe/Atlantis", "Etc/Unknown", "", "local"] {
            assert!(zone(name).is_none(), "{name}");
        }
    }
}
