//! Whether a value reads as what its field must be, and which limit it is over where it does not.

use crate::input::{NAMES_MAX, TEXT_CHARS_MAX, ill_formed};
use crate::json::Json;
use crate::load::rows;
use crate::operation::{Field, Shape};
use crate::problem::Problem;
use crate::tuple;
use crate::value::{
    attribute_kind, attributes, bool, conditions, count, handle, identifiers, instant, list, name_or_number,
    networks, origins, patterns, receipt, rule, subject_kind, text,
};
use std::net::IpAddr;
use tessera_model::limits::{ENTITY_CHANGES_MAX, PAGE_ROWS_MAX, PASSWORD_BYTES_MAX, RELATION_CHANGES_MAX};
use tessera_model::{
    Condition, DeviceKey, DeviceProof, GrantCondition, Identifier, Limit, Name, Network, Pattern, PublicId,
    Refusal, Thumbprint,
};

/// Whether a value reads as what its field must be, before anything is done with the request.
pub(crate) fn sound(field: &Field, value: &Json) -> Result<(), Problem> {
    let sound = match field.shape {
        Shape::Name => text(value).is_some_and(|text| Name::look(text).is_ok()),
        Shape::Names => list(value, NAMES_MAX, |item| Name::new(text(item)?).ok()).is_some(),
        Shape::Patterns => patterns(value).is_some(),
        Shape::Rule => rule(value).is_some(),
        Shape::Conditions => conditions(value).is_some(),
        Shape::Networks => networks(value).is_some(),
        Shape::Origins => origins(value).is_some(),
        Shape::Subject | Shape::Session => text(value).and_then(PublicId::parse).is_some(),
        Shape::Handle => text(value).and_then(handle).is_some(),
        Shape::Tenant | Shape::Cursor => text(value).is_some(),
        Shape::Password => text(value).is_some_and(|text| text.len() <= PASSWORD_BYTES_MAX),
        Shape::Text => text(value).is_some_and(|text| text.chars().count() <= TEXT_CHARS_MAX),
        Shape::SubjectKind => subject_kind(value).is_some(),
        Shape::Identifier => text(value).is_some_and(|text| Identifier::guess(text).is_ok()),
        Shape::Identifiers => identifiers(value).is_some(),
        Shape::AttributeKind => attribute_kind(value).is_some(),
        Shape::Attributes => attributes(value).is_some(),
        Shape::Thumbprint => text(value).and_then(Thumbprint::parse).is_some(),
        Shape::DeviceKey => text(value).and_then(DeviceKey::parse).is_some(),
        Shape::DeviceProof => text(value).and_then(DeviceProof::parse).is_some(),
        Shape::Bool => bool(value).is_some(),
        Shape::Count => count(value).is_some(),
        Shape::Choice(choices) => text(value).is_some_and(|text| choices.contains(&text)),
        Shape::Limit => count(value).is_some_and(|rows| (1..=PAGE_ROWS_MAX).contains(&(rows as usize))),
        Shape::Address => text(value).is_some_and(|text| text.parse::<IpAddr>().is_ok()),
        Shape::Instant => instant(value).is_some(),
        Shape::Receipt => text(value).and_then(receipt).is_some(),
        Shape::Permission | Shape::Workspace => name_or_number(value).is_some(),
        Shape::Checks | Shape::RelationChecks => matches!(value, Json::List(_)),
        Shape::Model | Shape::Policies => text(value).is_some(),
        Shape::Context => matches!(value, Json::Members(_)),
        // What is wrong with one of them is told where they are read.
        Shape::EntityList => matches!(value, Json::List(items) if items.len() <= ENTITY_CHANGES_MAX),
        Shape::EntityNames => crate::policy::names(value).is_some(),
        Shape::User | Shape::Relation | Shape::Object | Shape::Type => tuple::name(value).is_some(),
        Shape::Tuples => list(value, RELATION_CHANGES_MAX, |one| tuple::tuple(one, true)).is_some(),
        Shape::Plain(most) => list(value, most, |one| tuple::tuple(one, false)).is_some(),
        Shape::Rows => rows(value).is_some(),
        // What is wrong with one of them is told where they are read.
        Shape::Entries | Shape::Endpoints | Shape::Sight => matches!(value, Json::List(_)),
    };
    if sound {
        return Ok(());
    }
    let refused = |limit: Limit| {
        let at = limit.at(limit.bound());
        if limit == Limit::PasswordBytes { Refusal::PasswordLength(at) } else { Refusal::LimitReached(at) }
    };
    let (problem, (nth, why)) = match over(field.shape, value) {
        Some((nth, limit)) => (refused(limit).into(), (nth, None)),
        None => (ill_formed(field.name), fault(field.shape, value)),
    };
    let place = nth.map_or_else(|| field.name.to_owned(), |nth| format!("{}/{nth}", field.name));
    let problem = problem.at(&place);
    Err(match why {
        Some(why) => problem.because(why),
        None => problem,
    })
}

/// Which of the items of a list does not read, and why it or a text alone does not.
#[expect(clippy::wildcard_enum_match_arm, reason = "of the rest there is no more to say")]
fn fault(shape: Shape, value: &Json) -> (Option<usize>, Option<String>) {
    let why = |item: &Json| -> Option<String> {
        let Some(text) = text(item) else { return Some("a text is expected".to_owned()) };
        match shape {
            Shape::Name | Shape::Names => Name::look(text).err().map(|why| why.to_string()),
            Shape::Patterns => Pattern::new(text).err().map(|why| why.to_string()),
            Shape::Rule => Condition::new(text).err().map(|why| why.to_string()),
            Shape::Conditions => GrantCondition::parse(text).err().map(|why| why.to_string()),
            Shape::Networks => Network::parse(text).err().map(|why| why.to_string()),
            _ => None,
        }
    };
    match (shape, value) {
        (Shape::Name, item) => (None, why(item)),
        (
            Shape::Names | Shape::Patterns | Shape::Rule | Shape::Conditions | Shape::Networks,
            Json::List(items),
        ) => items.iter().enumerate().find_map(|(nth, item)| Some((nth, why(item)?))).unzip(),
        _ => (None, None),
    }
}

/// The limit that a value is over, when that is what is wrong with it, and which item of a list.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest have no limits of their own")]
fn over(shape: Shape, value: &Json) -> Option<(Option<usize>, Limit)> {
    let beyond = |length: usize, limit: Limit| limit != Limit::Unnamed && length as u64 > limit.bound();
    let long = |value: &Json, limit: Limit| text(value).is_some_and(|text| beyond(text.len(), limit));
    if matches!(shape, Shape::EntityList | Shape::EntityNames) {
        return crate::policy::over(value).map(|limit| (None, limit));
    }
    let (each, many) = match shape {
        Shape::Name | Shape::Permission | Shape::Workspace => (Limit::NameBytes, None),
        Shape::Identifier => (Limit::IdentifierBytes, None),
        Shape::Password => (Limit::PasswordBytes, None),
        Shape::Patterns => (Limit::PatternBytes, Some(Limit::Patterns)),
        Shape::Rule => (Limit::ConditionBytes, Some(Limit::RuleConditions)),
        Shape::Conditions => (Limit::GrantConditionBytes, Some(Limit::GrantConditions)),
        Shape::Identifiers => (Limit::IdentifierBytes, Some(Limit::IdentifiersPerSubject)),
        Shape::Networks => (Limit::Unnamed, Some(Limit::Networks)),
        Shape::Tuples | Shape::Plain(RELATION_CHANGES_MAX) => (Limit::Unnamed, Some(Limit::RelationChanges)),
        Shape::Attributes => (Limit::NameBytes, Some(Limit::AttributesPerSubject)),
        _ => return None,
    };
    match value {
        Json::List(items) => {
            let over = many.filter(|many| items.len() as u64 > many.bound());
            let item = || Some((Some(items.iter().position(|item| long(item, each))?), each));
            over.map(|many| (None, many)).or_else(item)
        }
        Json::Members(members) => {
            let over = many.filter(|many| members.len() as u64 > many.bound());
            let over =
                over.or_else(|| members.iter().any(|(name, _)| beyond(name.len(), each)).then_some(each));
            over.map(|limit| (None, limit))
        }
        Json::Text(_) => long(value, each).then_some((None, each)),
        Json::Null | Json::Bool(_) | Json::Whole(_) | Json::Fraction => None,
    }
}
