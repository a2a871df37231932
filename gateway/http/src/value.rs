//! A JSON value read as what a field must be; nothing when it is something else.

use crate::json::Json;
use tessera_model::limits::{
    ATTRIBUTES_PER_SUBJECT_MAX, GRANT_CONDITIONS_MAX, IDENTIFIERS_PER_SUBJECT_MAX, NETWORKS_MAX, ORIGINS_MAX,
    PATTERNS_MAX, RULE_CONDITIONS_MAX,
};
use tessera_model::record::{AttributeKind, AttributeValue, SubjectKind};
use tessera_model::{
    Condition, Epoch, GrantCondition, GrantConditions, Handle, HandleBytes, Identifier, Name, Network,
    Origin, Pattern, Receipt, Revision, UnixMillis,
};

/// A permission or workspace as it was asked for.
#[derive(Clone, Copy)]
pub(crate) enum NameOrNumber<'a> {
    Name(&'a str),
    Number(u32),
}

pub(crate) fn text(value: &Json) -> Option<&str> {
    if let Json::Text(text) = value { Some(text) } else { None }
}

pub(crate) fn list<T>(value: &Json, most: usize, read: impl Fn(&Json) -> Option<T>) -> Option<Vec<T>> {
    let Json::List(items) = value else { return None };
    if items.len() > most { None } else { items.iter().map(read).collect() }
}

pub(crate) fn patterns(value: &Json) -> Option<Vec<Pattern>> {
    list(value, PATTERNS_MAX, |item| Pattern::new(text(item)?).ok())
}

pub(crate) fn rule(value: &Json) -> Option<Vec<Condition>> {
    list(value, RULE_CONDITIONS_MAX, |item| Condition::new(text(item)?).ok())
}

pub(crate) fn conditions(value: &Json) -> Option<GrantConditions> {
    let all = list(value, GRANT_CONDITIONS_MAX, |item| GrantCondition::parse(text(item)?).ok())?;
    GrantConditions::new(all).ok()
}

pub(crate) fn networks(value: &Json) -> Option<Vec<Network>> {
    list(value, NETWORKS_MAX, |item| Network::parse(text(item)?).ok())
}

pub(crate) fn origins(value: &Json) -> Option<Vec<Origin>> {
    list(value, ORIGINS_MAX, |item| Origin::new(text(item)?).ok())
}

pub(crate) fn identifiers(value: &Json) -> Option<Vec<Identifier>> {
    list(value, IDENTIFIERS_PER_SUBJECT_MAX, |item| Identifier::guess(text(item)?).ok())
}

pub(crate) fn bool(value: &Json) -> Option<bool> {
    if let Json::Bool(value) = value { Some(*value) } else { None }
}

/// A whole number of 32 bits.
pub(crate) fn count(value: &Json) -> Option<u32> {
    if let Json::Whole(value) = value { u32::try_from(*value).ok() } else { None }
}

pub(crate) fn handle(text: &str) -> Option<HandleBytes> {
    Handle::parse_text(text).ok().map(|handle| handle.to_bytes())
}

pub(crate) fn receipt(text: &str) -> Option<Receipt> {
    let (epoch, revision) = text.split_once('.')?;
    Some(Receipt { epoch: Epoch(epoch.parse().ok()?), revision: Revision(revision.parse().ok()?) })
}

pub(crate) fn name_or_number(value: &Json) -> Option<NameOrNumber<'_>> {
    match value {
        Json::Text(text) => Name::look(text).is_ok().then_some(NameOrNumber::Name(text)),
        Json::Whole(number) => u32::try_from(*number).ok().map(NameOrNumber::Number),
        Json::Null | Json::Bool(_) | Json::Fraction | Json::List(_) | Json::Members(_) => None,
    }
}

pub(crate) fn subject_kind(value: &Json) -> Option<SubjectKind> {
    match text(value)? {
        "person" => Some(SubjectKind::Person),
        "machine" => Some(SubjectKind::Machine),
        _ => None,
    }
}

pub(crate) fn attribute_kind(value: &Json) -> Option<AttributeKind> {
    match text(value)? {
        "bool" => Some(AttributeKind::Bool),
        "integer" => Some(AttributeKind::Integer),
        "text" => Some(AttributeKind::Text),
        _ => None,
    }
}

pub(crate) fn attributes(value: &Json) -> Option<Vec<(Name, Option<AttributeValue>)>> {
    let Json::Members(members) = value else { return None };
    if members.len() > ATTRIBUTES_PER_SUBJECT_MAX {
        return None;
    }
    let read = |(name, value): &(String, Json)| {
        let value = match value {
            Json::Null => None,
            Json::Bool(value) => Some(AttributeValue::Bool(*value)),
            Json::Whole(value) => Some(AttributeValue::Integer(i64::try_from(*value).ok()?)),
            Json::Text(text) => Some(AttributeValue::Text(text.as_str().into())),
            Json::Fraction | Json::List(_) | Json::Members(_) => return None,
        };
        Some((Name::new(name).ok()?, value))
    };
    members.iter().map(read).collect()
}

/// ISO 8601 in UTC with whole seconds, `2026-11-25T23:00:00Z`, or Unix time in ms.
pub(crate) fn instant(value: &Json) -> Option<UnixMillis> {
    match value {
        Json::Whole(ms) => u64::try_from(*ms).ok().map(UnixMillis),
        Json::Text(text) => iso(text),
        Json::Null | Json::Bool(_) | Json::Fraction | Json::List(_) | Json::Members(_) => None,
    }
}

fn iso(text: &str) -> Option<UnixMillis> {
    // One form only: as it is printed.
    UnixMillis::parse(text).filter(|at| at.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: an instant reads back as it is printed; what is no date is refused.
    #[test]
    fn instants_read_back() {
        for ms in [0_u64, 951_782_400_000, 1_709_164_800_000, 1_767_225_599_000, 4_102_444_800_000] {
            assert_eq!(iso(&UnixMillis(ms).to_string()), Some(UnixMillis(ms)), "{ms}");
        }
        for bad in [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-1-01T00:00:00Z",
            "2026-01-01 00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00+",
            "",
            "+026-01-01T00:00:00Z",
            "2026-01-01T00:00:60Z",
        ] {
            assert_eq!(iso(bad), None, "{bad}");
        }
    }
}
