//! Strict JSON (RFC 8259): a member that stands twice is refused, depth is capped, nothing is guessed.

use crate::problem::Problem;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// LIMIT: arrays and objects within each other: the deepest request has 4.
const DEPTH_MAX: usize = 16;
/// LIMIT: members of one object: the attributes of a subject, and room for the rest of a request.
const MEMBERS_MAX: usize = 128;
/// How a doubled member is told from other faults; no JSON text can make the parser say it.
const DOUBLED: &str = "\u{1}member\u{1}";
/// How too great a depth is told.
const DEEP: &str = "\u{1}deep\u{1}";
/// How too many members are told.
const MANY: &str = "\u{1}many\u{1}";

/// A JSON value. No `Debug`: it may hold passwords.
#[derive(Clone, Eq, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Whole(i128),
    /// A number that is not whole: no request holds one.
    Fraction,
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object, in the order of its text.
    Members(Vec<(String, Json)>),
}

/// Reads one JSON value that fills the whole text.
///
/// # Errors
/// A [`Problem`] that names the doubled member, or says what does not read; with line and column.
pub(crate) fn read(bytes: &[u8]) -> Result<Json, Problem> {
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let value = Depth(0).deserialize(&mut parser).and_then(|value| parser.end().map(|()| value));
    value.map_err(|error| {
        let text = error.to_string();
        let problem = if let Some(name) = text.split(DOUBLED).nth(1) {
            Problem::unreadable("a member stands twice").at(name)
        } else if text.contains(DEEP) || text.starts_with("recursion limit") {
            Problem::unreadable("nested too deep")
        } else if text.contains(MANY) {
            Problem::unreadable("too many members in one object")
        } else {
            Problem::unreadable("not one JSON value in UTF-8")
        };
        problem.with("line", error.line()).with("column", error.column())
    })
}

/// Reads a value at a depth.
#[derive(Clone, Copy)]
struct Depth(usize);

impl Depth {
    fn below<E: Error>(self) -> Result<Self, E> {
        if self.0 >= DEPTH_MAX { Err(E::custom(DEEP)) } else { Ok(Self(self.0 + 1)) }
    }
}

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Whole(i128::from(value)))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Whole(i128::from(value)))
    }

    fn visit_f64<E: Error>(self, _value: f64) -> Result<Json, E> {
        Ok(Json::Fraction)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let below = self.below()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let below = self.below()?;
        let mut read: Vec<(String, Json)> = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            if read.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format!("{DOUBLED}{name}{DOUBLED}")));
            }
            if read.len() >= MEMBERS_MAX {
                return Err(A::Error::custom(MANY));
            }
            read.push((name, members.next_value_seed(below)?));
        }
        Ok(Json::Members(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(text: &[u8]) -> String {
        read(text).err().map(|problem| problem.to_json().to_string()).unwrap_or_default()
    }

    /// PROPERTY: doubled members, escapes included, are named at any depth; so is nothing else refused
    /// that RFC 8259 allows.
    #[test]
    fn doubled_members_are_named() {
        assert!(read(br#" {"a": [1, -2.5, "\u00e9", null, true], "b": {}} "#).is_ok());
        for text in [r#"{"a":1,"a":2}"#, r#"{"b":[{"a":1,"\u0061":2}]}"#] {
            let told = detail(text.as_bytes());
            assert!(told.contains("\"field\":\"a\"") && told.contains("twice"), "{told}");
        }
    }

    /// PROPERTY: whatever does not read is told with its line and column.
    #[test]
    fn what_does_not_read_has_a_place() {
        let many = format!("{{{}}}", (0..129).map(|no| format!("\"{no}\":0,")).collect::<String>());
        for (text, says, line) in [
            (&b"{\"a\":1,\n\"a\":2}"[..], "twice", 2),
            (b"{\n\n'", "not one JSON value", 3),
            (b"[\n\"\xff\"]", "not one JSON value", 2),
            (&[b'['; 99][..], "too deep", 1),
            (many.as_bytes(), "too many members", 1),
        ] {
            let told = detail(text);
            assert!(told.contains(says) && told.contains(&format!("\"line\":{line},")), "{told}");
            assert!(told.contains("\"column\":"), "{told}");
        }
    }

    /// PROPERTY: what is not one whole value in UTF-8, or is too deep, is refused without a crash.
    /// TC-49 in part: JSON, TC-83 in part.
    #[test]
    fn what_is_not_json_is_refused() {
        for text in ["", "{", "{}{}", "{'a':1}", "[1,]", "NaN", "{\"a\":01}", "\u{feff}{}"] {
            assert!(detail(text.as_bytes()).contains("not one JSON value"), "{text}");
        }
        assert!(detail(b"\"\xff\"").contains("not one JSON value"));
        for brackets in [17, 200, 100_000] {
            assert!(detail("[".repeat(brackets).as_bytes()).contains("too deep"), "{brackets}");
            assert!(detail("{\"a\":".repeat(brackets).as_bytes()).contains("too deep"), "{brackets}");
        }
        assert!(read(format!("{}{}", "[".repeat(16), "]".repeat(16)).as_bytes()).is_ok());
    }
}
