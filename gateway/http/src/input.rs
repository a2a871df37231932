//! A request's fields, gathered from path, query and body by the table, and read as what they must be.

use crate::json::Json;
use crate::operation::{Field, Operation, Shape, Stand};
use crate::problem::Problem;
use tessera_model::limits::{ATTRIBUTES_PER_SUBJECT_MAX, IDENTIFIERS_PER_SUBJECT_MAX, PATTERNS_MAX};
use tessera_model::record::{AttributeKind, AttributeValue, SubjectKind};
use tessera_model::time::DEADLINE_EPOCH_S;
use tessera_model::{
    Deadline, Epoch, Handle, HandleBytes, Identifier, Name, Pattern, Private, PublicId, Receipt, Refusal,
    Revision, UnixMillis,
};

/// LIMIT: names in one question about ids.
const NAMES_MAX: usize = 1_024;

/// The fields of one request. No `Debug`: it may hold passwords.
#[derive(Clone)]
pub(crate) struct Input(Vec<(&'static str, Json)>);

impl Input {
    /// Gathers the fields. What the table does not know is named and refused, and so is what is missing.
    ///
    /// # Errors
    /// A [`Problem`] at the field.
    pub(crate) fn gather(
        operation: &'static Operation,
        path: Vec<(String, String)>,
        query: Vec<(String, String)>,
        body: Vec<(String, Json)>,
    ) -> Result<Self, Problem> {
        let text = |(name, value)| (name, Json::Text(value));
        let mut gathered = Vec::with_capacity(operation.fields.len());
        let mut take = |stand: Stand, pairs: &mut dyn Iterator<Item = (String, Json)>| {
            for (name, value) in pairs {
                let known = operation.fields.iter().find(|field| field.stand == stand && field.name == name);
                let Some(field) = known else {
                    return Err(Problem::unreadable("no such member or parameter here").at(&name));
                };
                // An explicit null is as good as none.
                if value != Json::Null {
                    gathered.push((field.name, value));
                }
            }
            Ok(())
        };
        take(Stand::Path, &mut path.into_iter().map(text))?;
        take(Stand::Query, &mut query.into_iter().map(text))?;
        take(Stand::Body, &mut body.into_iter())?;
        let input = Self(gathered);
        for field in operation.fields {
            match input.json(field.name) {
                None if field.required => return Err(Problem::unreadable("is missing").at(field.name)),
                None => {}
                Some(value) => sound(field, value)?,
            }
        }
        Ok(input)
    }

    fn json(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Takes a field out and reads it; nothing when it was left out.
    fn read<T>(&self, name: &str, read: impl FnOnce(&Json) -> Option<T>) -> Result<Option<T>, Problem> {
        self.json(name).map(|value| read(value).ok_or_else(|| ill_formed(name))).transpose()
    }

    /// A text, when there is one.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.json(name) {
            Some(Json::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A secret text, such as a password; empty when it was left out.
    pub(crate) fn secret(&self, name: &str) -> Private {
        Private::new(self.text(name).unwrap_or_default().as_bytes().to_vec())
    }

    pub(crate) fn bool(&self, name: &str) -> Result<Option<bool>, Problem> {
        self.read(name, bool)
    }

    pub(crate) fn count(&self, name: &str) -> Result<Option<u32>, Problem> {
        self.read(name, count)
    }

    pub(crate) fn name(&self, name: &str) -> Result<Option<Name>, Problem> {
        self.read(name, |value| Name::new(text(value)?).ok())
    }

    pub(crate) fn public_id(&self, name: &str) -> Result<Option<PublicId>, Problem> {
        self.read(name, |value| PublicId::parse(text(value)?))
    }

    pub(crate) fn patterns(&self, name: &str) -> Result<Vec<Pattern>, Problem> {
        Ok(self.read(name, patterns)?.unwrap_or_default())
    }

    pub(crate) fn names(&self, name: &str) -> Result<Vec<Name>, Problem> {
        Ok(self
            .read(name, |value| list(value, NAMES_MAX, |item| Name::new(text(item)?).ok()))?
            .unwrap_or_default())
    }

    pub(crate) fn identifier(&self, name: &str) -> Result<Option<Identifier>, Problem> {
        self.read(name, |value| Identifier::guess(text(value)?).ok())
    }

    pub(crate) fn identifiers(&self, name: &str) -> Result<Vec<Identifier>, Problem> {
        Ok(self.read(name, identifiers)?.unwrap_or_default())
    }

    pub(crate) fn handle(&self, name: &str) -> Result<Option<HandleBytes>, Problem> {
        self.read(name, |value| handle(text(value)?))
    }

    pub(crate) fn instant(&self, name: &str) -> Result<Deadline, Problem> {
        Ok(self.read(name, instant)?.map_or(Ok(Deadline::NONE), |at| {
            // A deadline of 0 would read as none.
            let deadline = at.to_deadline();
            let early = at.0 / 1_000 <= DEADLINE_EPOCH_S;
            if early { Err(Problem::from(Refusal::DeadlinePassed).at(name)) } else { Ok(deadline) }
        })?)
    }

    pub(crate) fn receipt(&self, name: &str) -> Result<Receipt, Problem> {
        Ok(self.read(name, |value| receipt(text(value)?))?.unwrap_or_default())
    }

    pub(crate) fn cursor(&self, name: &str) -> Result<u64, Problem> {
        Ok(self.read(name, |value| text(value)?.parse().ok())?.unwrap_or_default())
    }

    pub(crate) fn subject_kind(&self, name: &str) -> Result<SubjectKind, Problem> {
        Ok(self.read(name, subject_kind)?.unwrap_or(SubjectKind::Person))
    }

    pub(crate) fn attribute_kind(&self, name: &str) -> Result<Option<AttributeKind>, Problem> {
        self.read(name, attribute_kind)
    }

    pub(crate) fn attributes(&self, name: &str) -> Result<Vec<(Name, Option<AttributeValue>)>, Problem> {
        Ok(self.read(name, attributes)?.unwrap_or_default())
    }

    /// A name or a number.
    pub(crate) fn name_or_number(&self, name: &str) -> Result<Option<NameOrNumber<'_>>, Problem> {
        self.json(name).map(|value| name_or_number(value).ok_or_else(|| ill_formed(name))).transpose()
    }

    /// The questions of a batch, each an object.
    pub(crate) fn checks(&self, name: &str) -> &[Json] {
        match self.json(name) {
            Some(Json::List(list)) => list,
            _ => &[],
        }
    }
}

/// A permission or workspace as it was asked for.
#[derive(Clone, Copy)]
pub(crate) enum NameOrNumber<'a> {
    Name(&'a str),
    Number(u32),
}

pub(crate) fn ill_formed(field: &str) -> Problem {
    Problem::from(Refusal::Malformed).at(field)
}

/// Whether a value reads as what its field must be, before anything is done with the request.
fn sound(field: &Field, value: &Json) -> Result<(), Problem> {
    let sound = match field.shape {
        Shape::Name => text(value).is_some_and(|text| Name::new(text).is_ok()),
        Shape::Names => list(value, NAMES_MAX, |item| Name::new(text(item)?).ok()).is_some(),
        Shape::Patterns => patterns(value).is_some(),
        Shape::Subject | Shape::Session => text(value).and_then(PublicId::parse).is_some(),
        Shape::Handle => text(value).and_then(handle).is_some(),
        Shape::Tenant | Shape::Password | Shape::Text => text(value).is_some(),
        Shape::SubjectKind => subject_kind(value).is_some(),
        Shape::Identifier => text(value).is_some_and(|text| Identifier::guess(text).is_ok()),
        Shape::Identifiers => identifiers(value).is_some(),
        Shape::AttributeKind => attribute_kind(value).is_some(),
        Shape::Attributes => attributes(value).is_some(),
        Shape::Bool => bool(value).is_some(),
        Shape::Count => count(value).is_some(),
        Shape::Cursor => text(value).is_some_and(|text| text.parse::<u64>().is_ok()),
        Shape::Instant => instant(value).is_some(),
        Shape::Receipt => text(value).and_then(receipt).is_some(),
        Shape::Permission | Shape::Workspace => name_or_number(value).is_some(),
        Shape::Checks => matches!(value, Json::List(_)),
    };
    if sound { Ok(()) } else { Err(ill_formed(field.name)) }
}

pub(crate) fn text(value: &Json) -> Option<&str> {
    if let Json::Text(text) = value { Some(text) } else { None }
}

fn list<T>(value: &Json, most: usize, read: impl Fn(&Json) -> Option<T>) -> Option<Vec<T>> {
    let Json::List(items) = value else { return None };
    if items.len() > most { None } else { items.iter().map(read).collect() }
}

fn patterns(value: &Json) -> Option<Vec<Pattern>> {
    list(value, PATTERNS_MAX, |item| Pattern::new(text(item)?).ok())
}

fn identifiers(value: &Json) -> Option<Vec<Identifier>> {
    list(value, IDENTIFIERS_PER_SUBJECT_MAX, |item| Identifier::guess(text(item)?).ok())
}

/// `true` or `false`, in a query as text.
fn bool(value: &Json) -> Option<bool> {
    match value {
        Json::Bool(value) => Some(*value),
        Json::Text(text) => match text.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        },
        Json::Null | Json::Whole(_) | Json::Fraction | Json::List(_) | Json::Members(_) => None,
    }
}

/// A whole number, in a query as text.
fn count(value: &Json) -> Option<u32> {
    match value {
        Json::Whole(value) => u32::try_from(*value).ok(),
        Json::Text(text) => text.parse().ok(),
        Json::Null | Json::Bool(_) | Json::Fraction | Json::List(_) | Json::Members(_) => None,
    }
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
        Json::Text(text) => Name::new(text).is_ok().then_some(NameOrNumber::Name(text)),
        Json::Whole(number) => u32::try_from(*number).ok().map(NameOrNumber::Number),
        Json::Null | Json::Bool(_) | Json::Fraction | Json::List(_) | Json::Members(_) => None,
    }
}

fn subject_kind(value: &Json) -> Option<SubjectKind> {
    match text(value)? {
        "person" => Some(SubjectKind::Person),
        "machine" => Some(SubjectKind::Machine),
        _ => None,
    }
}

fn attribute_kind(value: &Json) -> Option<AttributeKind> {
    match text(value)? {
        "bool" => Some(AttributeKind::Bool),
        "integer" => Some(AttributeKind::Integer),
        "text" => Some(AttributeKind::Text),
        _ => None,
    }
}

fn attributes(value: &Json) -> Option<Vec<(Name, Option<AttributeValue>)>> {
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
fn instant(value: &Json) -> Option<UnixMillis> {
    match value {
        Json::Whole(ms) => u64::try_from(*ms).ok().map(UnixMillis),
        Json::Text(text) => iso(text),
        Json::Null | Json::Bool(_) | Json::Fraction | Json::List(_) | Json::Members(_) => None,
    }
}

fn iso(text: &str) -> Option<UnixMillis> {
    let number = |from: usize, to: usize| -> Option<u64> {
        let digits = text.get(from..to)?;
        if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
    };
    if text.len() != 20 {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month) || day == 0 || hour > 23 || minute > 59 || second > 59 || year < 1970 {
        return None;
    }
    // Civil date to days: proleptic Gregorian, years beginning in March, eras of 400 years.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let at = UnixMillis((days * 86_400 + hour * 3_600 + minute * 60 + second) * 1_000);
    // What prints otherwise was no date: the 31st of a short month, or other signs between the numbers.
    (at.to_string() == text).then_some(at)
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
