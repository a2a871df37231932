//! Time as the engine sees it: a wall clock in milliseconds and deadlines in whole seconds.
//!
//! Nothing here reads a clock: `now` is given as a value, once per drained read or batch.

use std::fmt;

/// Seconds between the Unix epoch and 2020-01-01 UTC, the zero of [`Deadline`].
pub const DEADLINE_EPOCH_S: u64 = 1_577_836_800;

/// Wall time in milliseconds since the Unix epoch, from the node's clock.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// The instant `seconds` later; stays at the end of time rather than wrapping.
    #[must_use]
    pub const fn plus_seconds(self, seconds: u32) -> Self {
        Self(self.0.saturating_add(seconds as u64 * 1000))
    }

    /// The whole second this instant lies in, as a deadline (rounded down).
    #[must_use]
    pub fn to_deadline(self) -> Deadline {
        let seconds = (self.0 / 1000).saturating_sub(DEADLINE_EPOCH_S);
        Deadline(u32::try_from(seconds).unwrap_or(u32::MAX - 1))
    }

    /// The deadline at the second that this instant lies in; `None` where none can be: up to 2020-01-01, or
    /// too far ahead.
    #[must_use]
    pub fn as_deadline(self) -> Option<Deadline> {
        let since = (self.0 / 1000).checked_sub(DEADLINE_EPOCH_S).filter(|since| *since != 0);
        since.and_then(|since| u32::try_from(since).ok()).filter(|since| *since != u32::MAX).map(Deadline)
    }

    /// Reads `2026-12-31T23:00:00Z`, `2026-12-31T23:00Z` or `2026-12-31`, in UTC; what prints as an instant
    /// reads back as it. SPEC: RFC 3339 section 5.6, UTC only, no fractions.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        seconds(text).map(|seconds| Self(seconds * 1000))
    }
}

/// A persisted instant: whole seconds since 2020-01-01 UTC. Something with this deadline is valid
/// while `now_ms < (deadline + 1,577,836,800) × 1000`. 0 means none where a field allows that.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Deadline(pub u32);

impl Deadline {
    /// No deadline, where a field allows that.
    pub const NONE: Self = Self(0);

    /// The first instant that is no longer valid.
    #[must_use]
    pub const fn to_millis(self) -> UnixMillis {
        UnixMillis((self.0 as u64 + DEADLINE_EPOCH_S) * 1000)
    }

    /// Whether the deadline has come at `now`.
    #[must_use]
    pub const fn passed(self, now: UnixMillis) -> bool {
        now.0 >= self.to_millis().0
    }

    /// The deadline `seconds` later; stays below `u32::MAX`, which is never a deadline.
    #[must_use]
    pub const fn plus_seconds(self, seconds: u32) -> Self {
        let sum = self.0.saturating_add(seconds);
        Self(if sum == u32::MAX { u32::MAX - 1 } else { sum })
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", UnixMillis(self.to_millis().0))
    }
}

impl fmt::Display for UnixMillis {
    /// ISO 8601 in UTC with seconds, e.g. `2026-11-25T23:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1000;
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        // Days to civil date: proleptic Gregorian, eras of 400 years (146,097 days).
        let z = days + 719_468;
        let (era, doe) = (z / 146_097, z % 146_097);
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + u64::from(month <= 2);
        let (hour, minute, second) = (rest / 3_600, rest % 3_600 / 60, rest % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Seconds since 1970 of `2026-12-31T23:00:00Z`, `2026-12-31T23:00Z` or `2026-12-31`.
fn seconds(text: &str) -> Option<u64> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, time.strip_suffix('Z')?),
        None => (text, "00:00"),
    };
    let mut parts = date.split('-');
    let (year, month, day) =
        (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let mut clock = time.split(':');
    let (hour, minute) = (digits(clock.next()?, 2)?, digits(clock.next()?, 2)?);
    let second = clock.next().map_or(Some(0), |text| digits(text, 2))?;
    let whole = parts.next().is_none() && clock.next().is_none();
    let sound = whole
        && (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    // Civil date to days: months from March, so that the leap day is the last (eras of 400 years).
    let (y, m) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let (era, yoe) = (y / 400, y % 400);
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + (153 * m + 2) / 5 + day.checked_sub(1)?;
    let days = (era * 146_097 + doe).checked_sub(719_468)?;
    sound.then_some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

fn digits(text: &str, count: usize) -> Option<u64> {
    let sound = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if sound { text.parse().ok() } else { None }
}

const fn days_of(year: u64, month: u64) -> u64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a deadline ends exactly at its second (F-24).
    #[test]
    fn f_24_a_deadline_ends_at_its_second() {
        let deadline = Deadline(100);
        let end = deadline.to_millis().0;
        assert!(!deadline.passed(UnixMillis(end - 1)));
        assert!(deadline.passed(UnixMillis(end)));
        assert_eq!(UnixMillis(end).to_deadline(), deadline);
    }

    /// PROPERTY: every day of eight centuries is the day after the one before. METHOD: the calendar
    /// counted by hand, slow and obvious.
    #[test]
    fn the_calendar_counts_every_day() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for number in 0..292_000_u64 {
            assert_eq!(seconds(&format!("{year:04}-{month:02}-{day:02}")), Some(number * 86_400));
            day += 1;
            if day > days_of(year, month) {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    #[test]
    fn instants_print_as_iso_8601() {
        assert_eq!(UnixMillis(1_577_836_800_000).to_string(), "2020-01-01T00:00:00Z");
        assert_eq!(UnixMillis(1_709_164_799_000).to_string(), "2024-02-28T23:59:59Z");
        assert_eq!(UnixMillis(1_709_164_800_000).to_string(), "2024-02-29T00:00:00Z");
    }
}
