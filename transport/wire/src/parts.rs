//! Types that lie in several fields: identifiers, attributes, settings, receipts.

use crate::fault::WireError;
use crate::fields::{FieldValue, FieldsReader, FieldsWriter};
use crate::part::{Part, ill_named, kind_number, number, small, text};
use crate::tag::Tag;
use tessera_model::identifier::IdentifierError;
use tessera_model::limits::{
    ATTRIBUTE_BYTES_MAX, ATTRIBUTES_PER_SUBJECT_MAX, EVICTED_MAX, IDENTIFIERS_PER_SUBJECT_MAX,
};
use tessera_model::record::AttributeValue;
use tessera_model::refresh::ClientTerms;
use tessera_model::settings::SettingsChange;
use tessera_model::{
    Epoch, Identifier, IdentifierKind, Limit, Name, PublicId, Receipt, Revision, Setting, Settings,
};

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
                return Err(WireError::Limit(tag, Limit::IdentifiersPerSubject));
            }
            let kind = kind_number(Tag::IdentifierKind, kind, IdentifierKind::from_number)?;
            let identifier = Identifier::new(kind, text(tag, typed?)?);
            identifiers.push(identifier.map_err(|error| match error {
                IdentifierError::TooLong => WireError::Limit(tag, Limit::IdentifierBytes),
                IdentifierError::BadEmail | IdentifierError::BadPhone | IdentifierError::BadUsername => {
                    WireError::Malformed(tag)
                }
            })?);
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
                return Err(WireError::Limit(tag, Limit::AttributesPerSubject));
            }
            let name = Name::new(text(tag, name?)?);
            let name = name.map_err(|error| ill_named(tag, error, Limit::NameBytes))?;
            let value = match values.next().ok_or(WireError::BadField(Tag::Value))?? {
                FieldValue::None => None,
                FieldValue::Flag(flag) => Some(AttributeValue::Bool(flag)),
                FieldValue::Integer(integer) => Some(AttributeValue::Integer(integer)),
                FieldValue::Text(text) if text.len() <= ATTRIBUTE_BYTES_MAX => {
                    Some(AttributeValue::Text(text.into()))
                }
                FieldValue::Text(_) => return Err(WireError::Limit(Tag::Value, Limit::AttributeBytes)),
                FieldValue::Number(_) | FieldValue::Bytes(_) => return Err(WireError::BadField(Tag::Value)),
            };
            attributes.push((name, value));
        }
        if values.next().is_some() { Err(WireError::BadField(Tag::Value)) } else { Ok(attributes) }
    }
}

impl Part for Vec<PublicId> {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        self.iter().for_each(|id| id.put(tag, out));
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let mut ids = Self::new();
        for value in from.all(tag) {
            let FieldValue::Bytes(bytes) = value? else { return Err(WireError::BadField(tag)) };
            if ids.len() == EVICTED_MAX {
                return Err(WireError::Malformed(tag));
            }
            ids.push(bytes.try_into().map(PublicId).map_err(|_| WireError::BadField(tag))?);
        }
        Ok(ids)
    }
}

/// The tag of each setting.
const SETTINGS: &[(Setting, Tag)] = &[
    (Setting::SessionTtl, Tag::SessionTtl),
    (Setting::SessionIdle, Tag::SessionIdle),
    (Setting::ArgonMemory, Tag::ArgonMemory),
    (Setting::ArgonPasses, Tag::ArgonPasses),
    (Setting::ArgonLanes, Tag::ArgonLanes),
    (Setting::PasswordBytes, Tag::PasswordBytesMin),
    (Setting::SignInFree, Tag::SignInFree),
    (Setting::SignInWait, Tag::SignInWait),
    (Setting::SignInWaitMax, Tag::SignInWaitMax),
    (Setting::SignInFailures, Tag::SignInFailuresMax),
    (Setting::SourceFailures, Tag::SourceFailuresMax),
    (Setting::SourceRefill, Tag::SourceRefill),
    (Setting::Refresh, Tag::RefreshMode),
    (Setting::RefreshTtl, Tag::RefreshTtl),
    (Setting::RefreshGrace, Tag::RefreshGrace),
    (Setting::SessionsMax, Tag::SessionsMax),
    (Setting::SessionsOverLimit, Tag::SessionsOverLimit),
    (Setting::PublicSignIn, Tag::PublicSignIn),
    (Setting::Registration, Tag::Registration),
];

/// Each setting under its own tag.
impl Part for Settings {
    fn put(&self, _tag: Tag, out: &mut FieldsWriter) {
        for (setting, tag) in SETTINGS {
            if let Some(value) = self.get(*setting) {
                value.put(*tag, out);
            }
        }
    }

    fn take(_tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let mut settings = Self::default();
        for (setting, tag) in SETTINGS {
            settings.set(*setting, small(*tag, from)?);
        }
        Ok(settings)
    }
}

/// Each setting that changes under its own tag; at least one.
impl Part for SettingsChange {
    fn put(&self, _tag: Tag, out: &mut FieldsWriter) {
        for (setting, tag) in SETTINGS {
            if let Some((_, value)) = self.values().iter().find(|(named, _)| named == setting) {
                value.put(*tag, out);
            }
        }
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let mut values = Vec::with_capacity(SETTINGS.len());
        for (setting, tag) in SETTINGS {
            if let Some(value) = <Option<u32> as Part>::take(*tag, from)? {
                values.push((*setting, value));
            }
        }
        if values.is_empty() {
            return Err(WireError::BadField(tag));
        }
        let value = |named| values.iter().find(|(setting, _)| *setting == named).map(|(_, value)| *value);
        Ok(Self::of(value))
    }
}

/// Each of a client's terms under its own tag.
impl Part for ClientTerms {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        self.refresh.put(tag, out);
        self.session_ttl_s.put(Tag::SessionTtl, out);
        self.session_idle_s.put(Tag::SessionIdle, out);
        self.refresh_ttl_s.put(Tag::RefreshTtl, out);
        self.sessions_max.put(Tag::SessionsMax, out);
        self.evict.put(Tag::Evict, out);
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            refresh: Part::take(tag, from)?,
            session_ttl_s: small(Tag::SessionTtl, from)?,
            session_idle_s: small(Tag::SessionIdle, from)?,
            refresh_ttl_s: small(Tag::RefreshTtl, from)?,
            sessions_max: small(Tag::SessionsMax, from)?,
            evict: Part::take(Tag::Evict, from)?,
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
