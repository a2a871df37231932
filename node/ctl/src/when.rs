//! Times as people type them: an instant in ISO 8601 UTC, or a span from now such as `+30m`.
//!
//! There is no clock here: "now" is the node's time, which its Hello told.

use crate::error::CtlError;
use std::str::FromStr;
use std::time::Duration;
use tessera_model::{Deadline, UnixMillis};

/// A time on the command line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum When {
    /// At this instant.
    At(Deadline),
    /// So many seconds from now.
    After(u32),
}

const FORM: &str = "a time is 2026-12-31T23:00:00Z, 2026-12-31, or a span from now: +30m, +2h, +7d";

impl When {
    /// The instant meant, at `now`.
    pub(crate) fn resolve(self, now: UnixMillis) -> Result<Deadline, CtlError> {
        match self {
            Self::At(deadline) => Ok(deadline),
            Self::After(seconds) => {
                let sum = now.to_deadline().0.checked_add(seconds).filter(|sum| *sum != u32::MAX);
                sum.map(Deadline).ok_or_else(|| CtlError::usage("the time is too far ahead"))
            }
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(span) = text.strip_prefix('+') {
            let seconds = seconds(span)?;
            let seconds = u32::try_from(seconds).map_err(|_| "the time is too far ahead".to_owned())?;
            return if seconds == 0 { Err("a span of nothing".to_owned()) } else { Ok(Self::After(seconds)) };
        }
        let at = UnixMillis::parse(text).ok_or_else(|| FORM.to_owned())?;
        let outside = || {
            let past = UnixMillis::parse("2020-01-01").is_some_and(|first| at.0 / 1_000 <= first.0 / 1_000);
            if past { "the time lies in the past" } else { "the time is too far ahead" }.to_owned()
        };
        at.as_deadline().map(Self::At).ok_or_else(outside)
    }
}

/// Seconds of a span: a number and `s`, `m`, `h`, `d` or `w`. A number alone is none: 7 may mean days.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    let form = || "a span is a number and s, m, h, d or w: 90s, 30m, 2h, 7d".to_owned();
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let factor = match text.get(digits.len()..).unwrap_or_default() {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(form()),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(form());
    }
    let number: u64 = digits.parse().map_err(|_| form())?;
    number.checked_mul(factor).ok_or_else(|| "the span is too long".to_owned())
}

/// A span in whole seconds that fits a setting.
pub(crate) fn setting(text: &str) -> Result<u32, String> {
    u32::try_from(seconds(text)?).map_err(|_| "the span is too long".to_owned())
}

/// How long two keys are alive beside each other, up to a week.
pub(crate) fn overlap(text: &str) -> Result<Duration, String> {
    let seconds = seconds(text)?;
    if seconds <= 604_800 { Ok(Duration::from_secs(seconds)) } else { Err("give at most 7d".to_owned()) }
}

/// How long to wait: a span, with `ms` too.
pub(crate) fn patience(text: &str) -> Result<Duration, String> {
    let span = match text.strip_suffix("ms") {
        Some(number) => {
            Duration::from_millis(number.parse().map_err(|_| "milliseconds are a number and ms")?)
        }
        None => Duration::from_secs(
            seconds(text).map_err(|_| "a span is a number and ms, s, m or h: 500ms, 5s, 1m")?,
        ),
    };
    let sensible = Duration::from_millis(1)..=Duration::from_secs(3_600);
    if sensible.contains(&span) { Ok(span) } else { Err("give between 1ms and 1h".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: what the model prints reads back as the same instant. METHOD: seconds spread over all
    /// deadlines with a prime stride, and both edges.
    #[test]
    fn printed_instants_read_back() {
        let edges = [1, 2, 59, 60, 86_399, 86_400, 5_097_600, u32::MAX - 2, u32::MAX - 1];
        let spread = (1..2_000_u32).map(|nth| nth.wrapping_mul(2_147_483_629) % (u32::MAX - 1) + 1);
        for second in edges.into_iter().chain(spread) {
            let deadline = Deadline(second);
            assert_eq!(deadline.to_string().parse(), Ok(When::At(deadline)), "{deadline}");
        }
    }

    #[test]
    fn spans_are_counted_from_now() {
        let now = UnixMillis(1_764_100_000_999);
        for (text, seconds) in
            [("+45s", 45), ("+30m", 1_800), ("+2h", 7_200), ("+7d", 604_800), ("+1w", 604_800)]
        {
            let when: When = text.parse().expect(text);
            let expected = Deadline(now.to_deadline().0 + seconds);
            assert_eq!(when.resolve(now).expect("ahead"), expected, "{text}");
        }
        assert!(When::After(u32::MAX).resolve(now).is_err());
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in [
            "",
            "+",
            "+0m",
            "+-3m",
            "+3x",
            "+7",
            "+3 m",
            "30m",
            "+99999999999999999999d",
            "+500000d",
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-01-00",
            "2026-1-1",
            "2026-01-01T24:00Z",
            "2026-01-01T23:60Z",
            "2026-01-01T23:00",
            "2026-01-01T23:00:00+01:00",
            "2026-01-01T23:00:60Z",
            "2019-12-31",
            "2020-01-01",
            "9999-01-01",
            "+\u{666}m",
            "2026-01-01T23:00:00:00Z",
            "2026-01-01-01",
            "now",
        ] {
            assert!(bad.parse::<When>().is_err(), "{bad}");
        }
        let told = |text: &str| text.parse::<When>().expect_err(text);
        assert_eq!(told("2020-01-01"), "the time lies in the past");
        assert_eq!(told("9999-01-01"), "the time is too far ahead");
        assert!("2024-02-29".parse::<When>().is_ok());
        assert_eq!("2026-01-01T23:00Z".parse::<When>(), "2026-01-01T23:00:00Z".parse());
        assert_eq!(patience("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(patience("5s"), Ok(Duration::from_secs(5)));
        assert!(patience("5").is_err() && setting("600").is_err(), "a number without a unit");
        assert!(patience("0s").is_err() && patience("2h").is_err() && patience("ms").is_err());
        assert_eq!(setting("1d"), Ok(86_400));
    }
}
