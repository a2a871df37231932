//! Weekly hours: spans of the week, read on the clocks of a place.
//!
//! Written `Mon-Fri 08:00-18:00, Sat 09:00-12:00 Europe/Berlin`: days and times, and last the time zone by its name in
//! the IANA database. A span that ends no later than it begins goes on into the next day; 24:00 is the end of a day.

use crate::limits::{HOURS_SPANS_MAX, ZONE_BYTES_MAX};
use std::fmt;

/// The days of a week as they are written, Monday first.
pub const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// Minutes of a day.
pub const DAY_MINUTES: u16 = 24 * 60;

/// Why a text is no weekly hours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HoursError {
    /// No spans, or no zone behind them.
    Missing,
    /// Over [`HOURS_SPANS_MAX`] spans.
    TooMany,
    /// No day, or a range of days with something else at an end.
    BadDays,
    /// No pair of times `HH:MM-HH:MM`, or one that begins where it ends.
    BadTimes,
    /// Not the form of a time zone's name.
    BadZone,
}

impl fmt::Display for HoursError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "hours are days, times and a time zone: Mon-Fri 08:00-18:00 Europe/Berlin",
            Self::TooMany => "hours have at most 16 spans",
            Self::BadDays => {
                "days are Mon, Tue, Wed, Thu, Fri, Sat and Sun, alone or as a range such as Mon-Fri"
            }
            Self::BadTimes => "times are HH:MM-HH:MM, from 00:00 to 24:00, and end where they do not begin",
            Self::BadZone => "a time zone is a name of the IANA database, such as Europe/Berlin or UTC",
        })
    }
}

impl std::error::Error for HoursError {}

/// One span of a week: the same times on some days.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Span {
    /// The days on which it begins: bit 0 is Monday.
    pub days: u8,
    /// The minute of the day at which it begins.
    pub from: u16,
    /// The first minute after it; no later than `from`: of the next day.
    pub until: u16,
}

impl Span {
    /// Whether it is a span at all.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.days != 0
            && self.days < 128
            && self.from < DAY_MINUTES
            && self.until > 0
            && self.until <= DAY_MINUTES
            && self.from != self.until
    }
}

/// Spans of the week on the clocks of a place.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Hours {
    spans: Vec<Span>,
    zone: Box<str>,
}

impl Hours {
    /// The hours that these are; `None` when there are none or too many, or one of them is none.
    #[must_use]
    pub fn new(spans: Vec<Span>, zone: &str) -> Option<Self> {
        let sound = !spans.is_empty() && spans.len() <= HOURS_SPANS_MAX && spans.iter().all(Span::is_sound);
        (sound && is_zone(zone)).then(|| Self { spans, zone: zone.into() })
    }

    /// Reads hours.
    ///
    /// # Errors
    /// [`HoursError`] says what is wrong with them.
    pub fn parse(text: &str) -> Result<Self, HoursError> {
        let (spans, zone) = text.trim_end().rsplit_once(' ').ok_or(HoursError::Missing)?;
        if zone.contains(':') {
            return Err(HoursError::Missing);
        }
        if !is_zone(zone) {
            return Err(HoursError::BadZone);
        }
        let mut read = Vec::new();
        for span in spans.split(',') {
            if read.len() == HOURS_SPANS_MAX {
                return Err(HoursError::TooMany);
            }
            let (days, times) = span.trim().split_once(' ').ok_or(HoursError::Missing)?;
            let days = days_of(days).ok_or(HoursError::BadDays)?;
            let (from, until) = times_of(times.trim_start()).ok_or(HoursError::BadTimes)?;
            let span = Span { days, from, until };
            if !span.is_sound() {
                return Err(HoursError::BadTimes);
            }
            read.push(span);
        }
        Ok(Self { spans: read, zone: zone.into() })
    }

    /// The spans.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The time zone's name.
    #[must_use]
    pub const fn zone(&self) -> &str {
        &self.zone
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for span in &self.spans {
            let (from, until) = (span.from, span.until);
            write_days(f, span.days)?;
            write!(f, " {:02}:{:02}-{:02}:{:02}", from / 60, from % 60, until / 60, until % 60)?;
            f.write_str(if Some(span) == self.spans.last() { " " } else { ", " })?;
        }
        f.write_str(&self.zone)
    }
}

/// Whether a text has the form of a time zone's name.
fn is_zone(text: &str) -> bool {
    let byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+');
    let starts = text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
    starts && text.len() <= ZONE_BYTES_MAX && text.bytes().all(byte)
}

fn day_of(text: &str) -> Option<usize> {
    DAYS.iter().position(|day| day.eq_ignore_ascii_case(text))
}

/// The bits of a day, of a range of days, or of several with `+` between them.
fn days_of(text: &str) -> Option<u8> {
    let mut bits = 0;
    for part in text.split('+') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day_of(first)?, day_of(last)?);
        let count = (last + 7 - first) % 7;
        bits |= (0..=count).fold(0, |bits, step| bits | 1u8 << ((first + step) % 7));
    }
    Some(bits)
}

/// Writes days as the fewest ranges that do not go over Sunday.
fn write_days(f: &mut fmt::Formatter<'_>, bits: u8) -> fmt::Result {
    let (mut day, mut first) = (0, true);
    while day < 7 {
        let length = (day..7).take_while(|at| bits >> at & 1 == 1).count();
        if length > 0 {
            f.write_str(if first { "" } else { "+" })?;
            f.write_str(DAYS.get(day).copied().unwrap_or_default())?;
            if length > 1 {
                write!(f, "-{}", DAYS.get(day + length - 1).copied().unwrap_or_default())?;
            }
            first = false;
        }
        day += length.max(1);
    }
    Ok(())
}

/// Two times with a dash between them.
fn times_of(text: &str) -> Option<(u16, u16)> {
    let (from, until) = text.split_once('-')?;
    Some((minute_of(from)?, minute_of(until)?))
}

/// The minute of the day of `HH:MM`, up to 24:00.
fn minute_of(text: &str) -> Option<u16> {
    let [a, b, b':', c, d] = *text.as_bytes() else { return None };
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
    let (hours, minutes) = (digit(a)? * 10 + digit(b)?, digit(c)? * 10 + digit(d)?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= DAY_MINUTES).then_some(minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: hours that print read back as what they were; spaces and case do not matter.
    #[test]
    fn hours_read_back() {
        for (text, printed) in [
            ("Mon-Fri 08:00-18:00 Europe/Berlin", None),
            ("Mon-Fri 08:00-18:00, Sat 09:00-12:00 America/Argentina/Buenos_Aires", None),
            ("sat-mon 22:00-06:00 UTC", Some("Mon+Sat-Sun 22:00-06:00 UTC")),
            ("Mon+Wed+Thu  00:00-24:00  Etc/GMT-14", Some("Mon+Wed-Thu 00:00-24:00 Etc/GMT-14")),
        ] {
            let hours = Hours::parse(text).expect(text);
            assert_eq!(hours.to_string(), printed.unwrap_or(text));
            assert_eq!(Hours::parse(&hours.to_string()), Ok(hours.clone()));
            assert_eq!(Hours::new(hours.spans().to_vec(), hours.zone()), Some(hours));
        }
        for days in 1..128 {
            let hours = Hours::new(vec![Span { days, from: 60, until: 30 }], "UTC").expect("sound");
            assert_eq!(Hours::parse(&hours.to_string()), Ok(hours));
        }
    }

    /// PROPERTY: what is no hours is refused with what is wrong.
    #[test]
    fn others_are_refused() {
        use HoursError::{BadDays, BadTimes, BadZone, Missing, TooMany};
        let many = ["Mon 08:00-09:00"; HOURS_SPANS_MAX + 1].join(", ") + " UTC";
        for (text, error) in [
            ("", Missing),
            ("UTC", Missing),
            ("Mon-Fri 08:00-18:00", Missing),
            ("Mon UTC", Missing),
            ("Mon-Fry 08:00-18:00 UTC", BadDays),
            ("- 08:00-18:00 UTC", BadDays),
            ("Mon 8:00-18:00 UTC", BadTimes),
            ("Mon 08:60-18:00 UTC", BadTimes),
            ("Mon 08:00-24:01 UTC", BadTimes),
            ("Mon 24:00-08:00 UTC", BadTimes),
            ("Mon 08:00-08:00 UTC", BadTimes),
            ("Mon 08:00-00:00 UTC", BadTimes),
            ("Mon 08:00-18:00 ../etc/passwd", BadZone),
            (&many, TooMany),
        ] {
            assert_eq!(Hours::parse(text), Err(error), "{text}");
        }
    }
}
