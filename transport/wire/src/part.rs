//! How each type of the model lies in fields: the one place that both directions are written.

use crate::fault::WireError;
use crate::fields::{FieldValue, FieldsReader, FieldsWriter};
use crate::tag::Tag;
use tessera_model::limits::{GROUPS_ABOVE_MAX, PATTERNS_MAX, RULE_CONDITIONS_MAX};
use tessera_model::name::NameError;
use tessera_model::record::{AttributeKind, SubjectKind, SubjectStatus, TenantStatus};
use tessera_model::refresh::RefreshMode;
use tessera_model::rule::ConditionError;
use tessera_model::{Condition, IdentifierKind, Limit, Name, Pattern, Private, PublicId, TenantId};

/// A part of a request, receipt or row.
pub(crate) trait Part: Sized {
    fn put(&self, tag: Tag, out: &mut FieldsWriter);
    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError>;
}

pub(crate) fn number(tag: Tag, from: &FieldsReader<'_>) -> Result<u64, WireError> {
    let FieldValue::Number(number) = from.one(tag)? else { return Err(WireError::BadField(tag)) };
    Ok(number)
}

pub(crate) fn small(tag: Tag, from: &FieldsReader<'_>) -> Result<u32, WireError> {
    u32::try_from(number(tag, from)?).map_err(|_| WireError::BadField(tag))
}

pub(crate) fn kind_number<T>(tag: Tag, number: u64, known: fn(u8) -> Option<T>) -> Result<T, WireError> {
    u8::try_from(number).ok().and_then(known).ok_or(WireError::BadField(tag))
}

pub(crate) fn text<'a>(tag: Tag, value: FieldValue<'a>) -> Result<&'a str, WireError> {
    let FieldValue::Text(text) = value else { return Err(WireError::BadField(tag)) };
    Ok(text)
}

/// What is wrong with a text that is no name: too long by a limit, or ill-formed.
pub(crate) fn ill_named(tag: Tag, error: NameError, limit: Limit) -> WireError {
    let reached = match error {
        NameError::TooLong => Some(limit),
        NameError::BadScope(error) => error.limit(),
        NameError::Empty
        | NameError::BadCharacter
        | NameError::Dots
        | NameError::BadPattern
        | NameError::NoLabel => None,
    };
    reached.map_or(WireError::Malformed(tag), |limit| WireError::Limit(tag, limit))
}

impl<T: Part> Part for Option<T> {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        if let Some(value) = self {
            value.put(tag, out);
        }
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        if from.has(tag) { T::take(tag, from).map(Some) } else { Ok(None) }
    }
}

impl Part for u32 {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        out.number(tag, u64::from(*self));
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        small(tag, from)
    }
}

impl Part for TenantId {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        out.number(tag, self.0);
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        number(tag, from).map(Self)
    }
}

impl Part for bool {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        out.flag(tag, *self);
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let FieldValue::Flag(flag) = from.one(tag)? else { return Err(WireError::BadField(tag)) };
        Ok(flag)
    }
}

impl Part for Name {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        out.text(tag, self.as_str());
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        Self::new(text(tag, from.one(tag)?)?).map_err(|error| ill_named(tag, error, Limit::NameBytes))
    }
}

/// A text for people.
impl Part for String {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        out.text(tag, self);
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        text(tag, from.one(tag)?).map(Self::from)
    }
}

macro_rules! texts {
    ($($item:ident: $most:ident, $many:ident, $long:ident;)*) => {$(
        impl Part for Vec<$item> {
            fn put(&self, tag: Tag, out: &mut FieldsWriter) {
                for item in self {
                    out.text(tag, item.as_str());
                }
            }

            fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
                let mut items = Self::new();
                for value in from.all(tag) {
                    if items.len() == $most {
                        return Err(WireError::Limit(tag, Limit::$many));
                    }
                    let item = $item::new(text(tag, value?)?);
                    items.push(item.map_err(|error| ill_named(tag, error, Limit::$long))?);
                }
                Ok(items)
            }
        }
    )*};
}
texts! {
    Pattern: PATTERNS_MAX, Patterns, PatternBytes;
    Name: GROUPS_ABOVE_MAX, GroupsAbove, NameBytes;
}

impl Part for Vec<Condition> {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        for condition in self {
            out.text(tag, &condition.to_string());
        }
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let mut conditions = Self::new();
        for value in from.all(tag) {
            if conditions.len() == RULE_CONDITIONS_MAX {
                return Err(WireError::Limit(tag, Limit::RuleConditions));
            }
            conditions.push(Condition::new(text(tag, value?)?).map_err(|error| match error {
                ConditionError::TooLong => WireError::Limit(tag, Limit::ConditionBytes),
                ConditionError::TooMany => WireError::Limit(tag, Limit::ConditionValues),
                ConditionError::NoAttribute | ConditionError::Empty | ConditionError::BadValue => {
                    WireError::Malformed(tag)
                }
            })?);
        }
        Ok(conditions)
    }
}

impl Part for PublicId {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        out.bytes(tag, &self.0);
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let FieldValue::Bytes(bytes) = from.one(tag)? else { return Err(WireError::BadField(tag)) };
        bytes.try_into().map(Self).map_err(|_| WireError::BadField(tag))
    }
}

impl Part for Private {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        out.bytes(tag, self.expose());
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let FieldValue::Bytes(bytes) = from.one(tag)? else { return Err(WireError::BadField(tag)) };
        Ok(Self::new(bytes.to_vec()))
    }
}

macro_rules! numbered {
    ($($type:ty: $known:expr, $number:expr;)*) => {
        $(
            impl Part for $type {
                fn put(&self, tag: Tag, out: &mut FieldsWriter) {
                    let number: fn($type) -> u8 = $number;
                    out.number(tag, u64::from(number(*self)));
                }

                fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
                    kind_number(tag, number(tag, from)?, $known)
                }
            }
        )*
    };
}

numbered! {
    TenantStatus: TenantStatus::from_number, |status| status.number();
    SubjectStatus: SubjectStatus::from_number, |status| status.number();
    AttributeKind: AttributeKind::from_number, |kind| kind.number();
    RefreshMode: RefreshMode::from_number, |mode| mode.number();
    IdentifierKind: IdentifierKind::from_number, |kind| kind.number();
    SubjectKind: subject_kind, |kind| match kind { SubjectKind::Person => 1, SubjectKind::Machine => 2 };
}

const fn subject_kind(number: u8) -> Option<SubjectKind> {
    match number {
        1 => Some(SubjectKind::Person),
        2 => Some(SubjectKind::Machine),
        _ => None,
    }
}
