//! How each type of the model lies in fields: the one place that both directions are written.

use crate::fault::WireError;
use crate::fields::{FieldValue, FieldsReader, FieldsWriter};
use crate::tag::Tag;
use tessera_model::limits::{
    ATTRIBUTE_BYTES_MAX, ATTRIBUTES_PER_SUBJECT_MAX, IDENTIFIERS_PER_SUBJECT_MAX, PATTERNS_MAX,
};
use tessera_model::record::{AttributeKind, AttributeValue, SubjectKind, SubjectStatus, TenantStatus};
use tessera_model::time::DEADLINE_EPOCH_S;
use tessera_model::{
    Deadline, Epoch, Identifier, IdentifierKind, Name, Pattern, Private, PublicId, Receipt, Revision,
    Settings, TenantId,
};

/// A part of a request, receipt or row.
pub(crate) trait Part: Sized {
    fn put(&self, tag: Tag, out: &mut FieldsWriter);
    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError>;
}

fn number(tag: Tag, from: &FieldsReader<'_>) -> Result<u64, WireError> {
    let FieldValue::Number(number) = from.one(tag)? else { return Err(WireError::BadField(tag)) };
    Ok(number)
}

fn small(tag: Tag, from: &FieldsReader<'_>) -> Result<u32, WireError> {
    u32::try_from(number(tag, from)?).map_err(|_| WireError::BadField(tag))
}

fn kind_number<T>(tag: Tag, number: u64, known: fn(u8) -> Option<T>) -> Result<T, WireError> {
    u8::try_from(number).ok().and_then(known).ok_or(WireError::BadField(tag))
}

fn text<'a>(tag: Tag, value: FieldValue<'a>) -> Result<&'a str, WireError> {
    let FieldValue::Text(text) = value else { return Err(WireError::BadField(tag)) };
    Ok(text)
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
        Self::new(text(tag, from.one(tag)?)?).map_err(|_| WireError::Malformed(tag))
    }
}

impl Part for Vec<Pattern> {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        for pattern in self {
            out.text(tag, pattern.as_str());
        }
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let mut patterns = Self::new();
        for value in from.all(tag) {
            if patterns.len() == PATTERNS_MAX {
                return Err(WireError::Malformed(tag));
            }
            patterns.push(Pattern::new(text(tag, value?)?).map_err(|_| WireError::Malformed(tag))?);
        }
        Ok(patterns)
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

/// Whole seconds since 1970; 0 for none.
impl Part for Deadline {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        let seconds = if *self == Self::NONE { 0 } else { u64::from(self.0) + DEADLINE_EPOCH_S };
        out.number(tag, seconds);
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let seconds = number(tag, from)?;
        if seconds == 0 {
            return Ok(Self::NONE);
        }
        let since = seconds.checked_sub(DEADLINE_EPOCH_S).filter(|since| *since != 0);
        let since = since.and_then(|since| u32::try_from(since).ok()).filter(|since| *since != u32::MAX);
        since.map(Self).ok_or(WireError::Malformed(tag))
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

impl Part for Vec<Identifier> {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        for identifier in self {
            out.number(Tag::IdentifierKind, u64::from(identifier.kind().number()));
            out.text(tag, identifier.typed());
        }
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let (mut identifiers, mut kinds) = (Self::new(), from.all(Tag::IdentifierKind));
        for typed in from.all(tag) {
            let Some(Ok(FieldValue::Number(kind))) = kinds.next() else {
                return Err(WireError::BadField(Tag::IdentifierKind));
            };
            if identifiers.len() == IDENTIFIERS_PER_SUBJECT_MAX {
                return Err(WireError::Malformed(tag));
            }
            let kind = kind_number(Tag::IdentifierKind, kind, IdentifierKind::from_number)?;
            let identifier = Identifier::new(kind, text(tag, typed?)?);
            identifiers.push(identifier.map_err(|_| WireError::Malformed(tag))?);
        }
        if kinds.next().is_some() { Err(WireError::BadField(Tag::IdentifierKind)) } else { Ok(identifiers) }
    }
}

impl Part for Identifier {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        vec![self.clone()].put(tag, out);
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let mut identifiers = Vec::<Self>::take(tag, from)?;
        let last = identifiers.pop();
        last.filter(|_| identifiers.is_empty()).ok_or(WireError::BadField(tag))
    }
}

/// Names, each followed by its value under the tag `Value`; none removes.
impl Part for Vec<(Name, Option<AttributeValue>)> {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        for (name, value) in self {
            out.text(tag, name.as_str());
            match value {
                None => out.none(Tag::Value),
                Some(AttributeValue::Bool(flag)) => out.flag(Tag::Value, *flag),
                Some(AttributeValue::Integer(integer)) => out.integer(Tag::Value, *integer),
                Some(AttributeValue::Text(text)) => out.text(Tag::Value, text),
            }
        }
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let (mut attributes, mut values) = (Self::new(), from.all(Tag::Value));
        for name in from.all(tag) {
            if attributes.len() == ATTRIBUTES_PER_SUBJECT_MAX {
                return Err(WireError::Malformed(tag));
            }
            let name = Name::new(text(tag, name?)?).map_err(|_| WireError::Malformed(tag))?;
            let value = match values.next().ok_or(WireError::BadField(Tag::Value))?? {
                FieldValue::None => None,
                FieldValue::Flag(flag) => Some(AttributeValue::Bool(flag)),
                FieldValue::Integer(integer) => Some(AttributeValue::Integer(integer)),
                FieldValue::Text(text) if text.len() <= ATTRIBUTE_BYTES_MAX => {
                    Some(AttributeValue::Text(text.into()))
                }
                FieldValue::Text(_) => return Err(WireError::Malformed(Tag::Value)),
                FieldValue::Number(_) | FieldValue::Bytes(_) => return Err(WireError::BadField(Tag::Value)),
            };
            attributes.push((name, value));
        }
        if values.next().is_some() { Err(WireError::BadField(Tag::Value)) } else { Ok(attributes) }
    }
}

/// Each setting under its own tag.
impl Part for Settings {
    fn put(&self, _tag: Tag, out: &mut FieldsWriter) {
        self.session_ttl_s.put(Tag::SessionTtl, out);
        self.session_idle_s.put(Tag::SessionIdle, out);
        self.argon_memory_kib.put(Tag::ArgonMemory, out);
        self.argon_passes.put(Tag::ArgonPasses, out);
        self.argon_lanes.put(Tag::ArgonLanes, out);
        self.password_bytes_min.put(Tag::PasswordBytesMin, out);
    }

    fn take(_tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            session_ttl_s: small(Tag::SessionTtl, from)?,
            session_idle_s: small(Tag::SessionIdle, from)?,
            argon_memory_kib: small(Tag::ArgonMemory, from)?,
            argon_passes: small(Tag::ArgonPasses, from)?,
            argon_lanes: small(Tag::ArgonLanes, from)?,
            password_bytes_min: small(Tag::PasswordBytesMin, from)?,
        })
    }
}

/// Epoch and revision under their own tags.
impl Part for Receipt {
    fn put(&self, _tag: Tag, out: &mut FieldsWriter) {
        out.number(Tag::Epoch, self.epoch.0);
        out.number(Tag::Revision, self.revision.0);
    }

    fn take(_tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        Ok(Self { epoch: Epoch(number(Tag::Epoch, from)?), revision: Revision(number(Tag::Revision, from)?) })
    }
}
