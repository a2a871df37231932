//! Values and entities as JSON: what was read is written so that it reads as the same again.

use crate::entities::Fact;
use crate::term::Term;
use crate::value::Ip;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

const DAY_MS: i64 = 86_400_000;

impl Fact {
    /// The entity of this type and id as an object of `uid`, `attrs`, `parents` and `tags`; its ancestors stand for its
    /// parents.
    #[must_use]
    pub fn to_json(&self, kind: &str, id: &str) -> String {
        let mut out = String::from("{\"uid\":");
        uid(kind, id, &mut out);
        out.push_str(",\"attrs\":");
        fields(&self.attributes, &mut out);
        out.push_str(",\"parents\":[");
        for (nth, (kind, id)) in self.ancestors.iter().enumerate() {
            if nth > 0 {
                out.push(',');
            }
            uid(kind, id, &mut out);
        }
        out.push(']');
        if !self.tags.is_empty() {
            out.push_str(",\"tags\":");
            fields(&self.tags, &mut out);
        }
        out.push('}');
        out
    }
}

fn uid(kind: &str, id: &str, out: &mut String) {
    out.push_str("{\"type\":");
    text(kind, out);
    out.push_str(",\"id\":");
    text(id, out);
    out.push('}');
}

fn fields(fields: &BTreeMap<String, Term>, out: &mut String) {
    out.push('{');
    for (nth, (name, value)) in fields.iter().enumerate() {
        if nth > 0 {
            out.push(',');
        }
        text(name, out);
        out.push(':');
        term(value, out);
    }
    out.push('}');
}

/// LIMIT: recursion is as deep as the value, which has a bound where it is read.
fn term(value: &Term, out: &mut String) {
    match value {
        Term::Bool(value) => *out += &value.to_string(),
        Term::Long(value) => *out += &value.to_string(),
        Term::Text(value) => text(value, out),
        Term::Entity { kind, id } => uid(kind, id, out),
        Term::Decimal(value) => {
            let (sign, whole) = (if *value < 0 { "-" } else { "" }, value.unsigned_abs());
            *out += &format!("\"{sign}{}.{:04}\"", whole / 10_000, whole % 10_000);
        }
        Term::Datetime(value) => {
            let (year, month, day) = civil(value.div_euclid(DAY_MS));
            let ms = value.rem_euclid(DAY_MS);
            let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
            let rest = ms % 1_000;
            *out +=
                &format!("\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{rest:03}Z\"");
        }
        Term::Duration(value) => *out += &format!("\"{value}ms\""),
        Term::Ip(ip) => *out += &format!("\"{}\"", address(*ip)),
        Term::Set(items) => {
            out.push('[');
            for (nth, item) in items.iter().enumerate() {
                if nth > 0 {
                    out.push(',');
                }
                term(item, out);
            }
            out.push(']');
        }
        Term::Record(values) => fields(values, out),
    }
}

fn address(ip: Ip) -> String {
    if ip.six {
        let bits = u128::from(ip.high) << 64 | u128::from(ip.low);
        format!("{}/{}", Ipv6Addr::from(bits), ip.prefix)
    } else {
        format!("{}/{}", Ipv4Addr::from(u32::try_from(ip.low).unwrap_or_default()), ip.prefix)
    }
}

/// Year, month and day of a day since 1970, as in the proleptic Gregorian calendar.
const fn civil(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    (year + era * 400 + if month <= 2 { 1 } else { 0 }, month, day)
}

fn text(of: &str, out: &mut String) {
    out.push('"');
    for letter in of.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            letter if letter < ' ' => *out += &format!("\\u{:04x}", u32::from(letter)),
            letter => out.push(letter),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::datetime;

    /// PROPERTY: an instant is written as the text that is read as it.
    #[test]
    fn instants_are_read_as_they_are_written() {
        for ms in [0, 951_782_400_000, 1_709_164_800_123, -1, -62_167_219_200_000, 253_402_300_799_999] {
            let mut out = String::new();
            term(&Term::Datetime(ms), &mut out);
            assert_eq!(datetime(out.trim_matches('"')), Some(ms), "{out}");
        }
    }
}
