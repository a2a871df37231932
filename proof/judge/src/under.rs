//! The conditions of a grant, looked at slowly: what clocks show by the rules of the zones as they are written down.

/// A zone whose clocks are known here without any database.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Zone {
    /// UTC.
    Utc,
    /// Berlin: one hour ahead, two from the last Sunday of March to that of October, at one o'clock UTC.
    Berlin,
    /// New York: five hours behind, four from the second Sunday of March to the first of November, at two o'clock there.
    NewYork,
}

/// Days before a month of a year that is or is not a leap year.
const MONTHS: [u32; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

const fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_of(year: u32) -> u32 {
    if is_leap(year) { 366 } else { 365 }
}

/// The days from 1970 to the first of a month (0 for January).
fn first_of(year: u32, month: usize) -> u32 {
    let years: u32 = (1970..year).map(days_of).sum();
    years + MONTHS.get(month).copied().unwrap_or(0) + u32::from(month > 1 && is_leap(year))
}

/// 0 for Monday.
const fn weekday(days: u32) -> u32 {
    (days + 3) % 7
}

/// The days from 1970 to the first Sunday on or after a day.
const fn sunday_from(days: u32) -> u32 {
    days + 6 - weekday(days)
}

impl Zone {
    /// What its clocks are ahead of UTC at an instant, s.
    #[must_use]
    pub fn ahead(self, utc_s: i64) -> i64 {
        let at = |days: u32, hour: i64| i64::from(days) * 86_400 + hour * 3_600;
        let mut left = u32::try_from(utc_s / 86_400).unwrap_or(0);
        let is_over = |year: &u32| {
            let rest = left.checked_sub(days_of(*year));
            left = rest.unwrap_or(left);
            rest.is_some()
        };
        let year = 1970 + u32::try_from((1970..2200).take_while(is_over).count()).unwrap_or(0);
        match self {
            Self::Utc => 0,
            Self::Berlin => {
                let (march, october) =
                    (sunday_from(first_of(year, 2) + 24), sunday_from(first_of(year, 9) + 24));
                if (at(march, 1)..at(october, 1)).contains(&utc_s) { 7_200 } else { 3_600 }
            }
            Self::NewYork => {
                let (march, november) = (sunday_from(first_of(year, 2) + 7), sunday_from(first_of(year, 10)));
                if (at(march, 7)..at(november, 6)).contains(&utc_s) { -14_400 } else { -18_000 }
            }
        }
    }
}

/// One span of weekly hours: days (0 for Monday), first minute of the day, first minute after it.
pub type Span = (Vec<u32>, u32, u32);

/// What a grant asks for beside its window. Nothing for what it does not ask for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Under {
    /// Hours of the week on the clocks of a zone.
    pub hours: Option<(Vec<Span>, Zone)>,
    /// Networks, by number.
    pub networks: Vec<u32>,
    /// The least trust of a device.
    pub trust: Option<u32>,
    /// The least level of proof.
    pub acr: u32,
    /// The age that the proof must be below, s.
    pub step_up_s: Option<u64>,
}

impl Under {
    /// Whether the hours hold: minute by minute, what the clock shows.
    #[must_use]
    pub fn is_open(&self, utc_s: i64) -> bool {
        let Some((spans, zone)) = &self.hours else { return true };
        let shown = utc_s + zone.ahead(utc_s);
        let day = u32::try_from(shown / 86_400).unwrap_or(0);
        let minute = u32::try_from(shown % 86_400 / 60).unwrap_or(0);
        let (today, yesterday) = (weekday(day), weekday(day + 6));
        spans.iter().any(|(days, from, until)| {
            if from < until {
                days.contains(&today) && (*from..*until).contains(&minute)
            } else {
                days.contains(&today) && minute >= *from || days.contains(&yesterday) && minute < *until
            }
        })
    }
}
