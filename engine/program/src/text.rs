//! Values of the extensions as texts: addresses, decimals, instants and durations, as Cedar reads them.

use crate::value::Ip;
use std::net::IpAddr;

const DAY_MS: i64 = 86_400_000;
/// Digits behind the point of a decimal.
const DECIMAL_DIGITS: usize = 4;
/// LIMIT: the longest address with a prefix, `ABCD:EF01:2345:6789:ABCD:EF01:2345:6789/128`.
const IP_BYTES: usize = 43;

impl Ip {
    /// A single address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        let (bits, prefix) = match address {
            IpAddr::V4(four) => (u128::from(u32::from(four)), 32),
            IpAddr::V6(six) => (u128::from(six), 128),
        };
        let high = u64::try_from(bits >> 64).unwrap_or_default();
        let low = u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
        Self { six: address.is_ipv6(), prefix, high, low }
    }

    /// Reads `10.0.0.1`, `10.0.0.0/8`, `::1` or `fe80::/10`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let twice = |letter: char| text.matches(letter).nth(1).is_some();
        if text.len() > IP_BYTES || (twice(':') && twice('.')) {
            return None;
        }
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let (bits, whole) = match address {
            IpAddr::V4(four) => (u128::from(u32::from(four)), 32),
            IpAddr::V6(six) => (u128::from(six), 128),
        };
        let prefix = match prefix {
            Some(digits) => whole_number(digits).filter(|prefix| *prefix <= whole)?,
            None => whole,
        };
        let high = u64::try_from(bits >> 64).unwrap_or_default();
        let low = u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
        Some(Self { six: address.is_ipv6(), prefix, high, low })
    }

    const fn bits(self) -> u128 {
        ((self.high as u128) << 64) | self.low as u128
    }

    fn host_mask(self) -> u128 {
        let (whole, all) = if self.six { (128, u128::MAX) } else { (32, u128::from(u32::MAX)) };
        let host = u32::from(self.prefix).min(whole);
        all.checked_shr(host).unwrap_or(0)
    }

    /// Whether all of it lies in `other`.
    pub(crate) fn is_in(self, other: Self) -> bool {
        let first = |ip: Self| ip.bits() & !ip.host_mask();
        let last = |ip: Self| ip.bits() | ip.host_mask();
        self.six == other.six && first(other) <= first(self) && last(self) <= last(other)
    }

    /// Whether all of it is this machine.
    pub(crate) fn is_loopback(self) -> bool {
        if self.six {
            self.bits() == 1 && self.prefix == 128
        } else {
            self.bits() >> 24 == 127 && self.prefix >= 8
        }
    }

    /// Whether all of it is for many listeners.
    pub(crate) fn is_multicast(self) -> bool {
        if self.six {
            self.bits() >> 120 == 0xff && self.prefix >= 8
        } else {
            self.bits() >> 28 == 0xe && self.prefix >= 4
        }
    }
}

/// One to three digits without a leading zero.
fn whole_number(digits: &str) -> Option<u8> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || digits.len() > 3 || (digits.starts_with('0') && digits != "0") {
        return None;
    }
    digits.parse().ok()
}

/// Reads `-12.34` as ten-thousandths.
#[must_use]
pub fn decimal(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.')?;
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let plain = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(digits) || !plain(part) || part.len() > DECIMAL_DIGITS {
        return None;
    }
    let scaled = whole.parse::<i64>().ok()?.checked_mul(10_000)?;
    let missing = u32::try_from(DECIMAL_DIGITS - part.len()).ok()?;
    let part = part.parse::<i64>().ok()?.checked_mul(10_i64.checked_pow(missing)?)?;
    if whole.starts_with('-') { scaled.checked_sub(part) } else { scaled.checked_add(part) }
}

/// Reads `-1d2h3m4s5ms`, each unit at most once and in this order, as milliseconds.
#[must_use]
pub fn duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest.is_empty() {
        return None;
    }
    let units = [("d", DAY_MS), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let (mut total, mut next) = (0_i64, 0_usize);
    let mut parts = [0_u64; 5];
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (digits, tail) = rest.split_at_checked(end)?;
        let letters = if tail.starts_with("ms") { 2 } else { 1 };
        let (unit, tail) = tail.split_at_checked(letters)?;
        let at = units.iter().position(|(name, _)| *name == unit).filter(|at| *at >= next)?;
        *parts.get_mut(at)? = digits.parse().ok()?;
        (next, rest) = (at + 1, tail);
    }
    for ((_, scale), part) in units.iter().zip(parts).rev() {
        let part = i128::from(part) * if negative { -1 } else { 1 };
        // The least number has no positive counterpart, and only milliseconds may reach it at once.
        if *scale != 1 && part.unsigned_abs() > u128::from(i64::MAX.unsigned_abs()) {
            return None;
        }
        let part = i64::try_from(part.checked_mul(i128::from(*scale))?).ok()?;
        if *scale != 1 && part == i64::MIN {
            return None;
        }
        total = total.checked_add(part)?;
    }
    Some(total)
}

/// Reads `2024-10-15`, `2024-10-15T11:35:00Z`, `…00.123Z`, `…00+0200` or `…00.123-0530` as milliseconds.
#[must_use]
pub fn datetime(text: &str) -> Option<i64> {
    let mut reader = Reader { rest: text };
    let (year, month, day) = (reader.number(4)?, reader.after("-", 2)?, reader.after("-", 2)?);
    let date = days(year, month, day)?.checked_mul(DAY_MS)?;
    if reader.rest.is_empty() {
        return Some(date);
    }
    let (hour, minute, second) = (reader.after("T", 2)?, reader.after(":", 2)?, reader.after(":", 2)?);
    let part = if reader.rest.starts_with('.') { reader.after(".", 3)? } else { 0 };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let time = ((hour * 60 + minute) * 60 + second) * 1_000 + part;
    if reader.rest == "Z" {
        return date.checked_add(time);
    }
    let (sign, digits) = match reader.rest.split_at_checked(1)? {
        ("+", digits) => (-1, digits),
        ("-", digits) => (1, digits),
        _ => return None,
    };
    let mut reader = Reader { rest: digits };
    let (hours, minutes) = (reader.number(2)?, reader.number(2)?);
    if !reader.rest.is_empty() || hours > 23 || minutes > 59 {
        return None;
    }
    date.checked_add(time)?.checked_add(sign * (hours * 60 + minutes) * 60_000)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (head, rest) = self.rest.split_at_checked(digits)?;
        if !head.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.rest = rest;
        head.parse().ok()
    }

    fn after(&mut self, mark: &str, digits: usize) -> Option<i64> {
        self.rest = self.rest.strip_prefix(mark)?;
        self.number(digits)
    }
}

/// Days since 1970-01-01 of a date that exists.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=last).contains(&day) {
        return None;
    }
    // SPEC: the usual count of days in years that begin in March, so that the leap day is the last.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(era * 146_097 + of_era - 719_468)
}

/// The start of the day of an instant.
pub(crate) const fn to_date(at: i64) -> Option<i64> {
    at.checked_sub(at.rem_euclid(DAY_MS))
}

/// Milliseconds since the start of the day of an instant.
pub(crate) const fn to_time(at: i64) -> i64 {
    at.rem_euclid(DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: texts mean what they mean in Cedar; what is nearly right is refused.
    #[test]
    fn texts_are_read() {
        assert_eq!(decimal("1.5"), Some(15_000));
        assert_eq!(decimal("-0.0001"), Some(-1));
        assert_eq!(decimal("922337203685477.5807"), Some(i64::MAX));
        assert_eq!(decimal("-922337203685477.5808"), Some(i64::MIN));
        for bad in ["", "1", "1.", ".5", "1.23456", "+1.0", "1.-5", "922337203685477.5808", "--1.0", "1.0 "] {
            assert_eq!(decimal(bad), None, "{bad}");
        }
        assert_eq!(duration("1d2h3m4s5ms"), Some(93_784_005));
        assert_eq!(duration("-1ms"), Some(-1));
        assert_eq!(duration("0ms"), Some(0));
        assert_eq!(duration("-9223372036854775808ms"), Some(i64::MIN));
        assert_eq!(duration("-106751991167d7h12m55s808ms"), Some(i64::MIN));
        for bad in [
            "",
            "-",
            "1",
            "d",
            "1s1m",
            "1m1m",
            "1 s",
            "1.5s",
            "9223372036854775808ms",
            "99999999999999999999d",
        ] {
            assert_eq!(duration(bad), None, "{bad}");
        }
        assert_eq!(datetime("1970-01-01"), Some(0));
        assert_eq!(datetime("2024-02-29T23:59:59.999Z"), Some(1_709_251_199_999));
        assert_eq!(datetime("2024-10-15T11:35:00+0200"), datetime("2024-10-15T09:35:00Z"));
        assert_eq!(datetime("0000-01-01"), Some(-62_167_219_200_000));
        for bad in [
            "2023-02-29",
            "2024-13-01",
            "2024-1-1",
            "2024-10-15T24:00:00Z",
            "2024-10-15T11:35:00",
            "2024-10-15T11:35:00.1Z",
            "2024-10-15T11:35:00+02:00",
            "2024-10-15T11:35:00+2400",
            "2024-10-15 ",
            "\u{0662}024-10-15",
        ] {
            assert_eq!(datetime(bad), None, "{bad}");
        }
    }

    /// PROPERTY: networks hold what lies in them, and nothing of the other family.
    #[test]
    fn networks_hold_addresses() {
        let ip = |text: &str| Ip::parse(text).expect(text);
        assert!(ip("10.1.2.3").is_in(ip("10.0.0.0/8")) && !ip("11.0.0.0").is_in(ip("10.0.0.0/8")));
        assert!(ip("::1").is_in(ip("::/0")) && !ip("::1").is_in(ip("0.0.0.0/0")));
        assert!(ip("10.0.0.0/9").is_in(ip("10.0.0.0/8")) && !ip("10.0.0.0/8").is_in(ip("10.0.0.0/9")));
        assert!(ip("127.0.0.1").is_loopback() && ip("::1").is_loopback() && !ip("127.0.0.0/7").is_loopback());
        assert!(ip("224.0.0.1").is_multicast() && ip("ff02::1").is_multicast());
        for bad in
            ["", "10.0.0", "10.0.0.1/33", "10.0.0.1/08", "::ffff:1.2.3.4", "::1/129", "10.0.0.1/", " ::1"]
        {
            assert_eq!(Ip::parse(bad), None, "{bad}");
        }
    }
}
