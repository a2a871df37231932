//! What stands in the fields of a row: one text or several, objects in their order, values, grants.

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use tessera_model::load::LoadGrant;
use tessera_model::record::AttributeValue;
use tessera_model::{Deadline, Name, UnixMillis};

/// A text, or several.
pub(super) struct Texts(pub(super) Vec<String>);

impl<'de> serde::Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }
        input.deserialize_any(Seen)
    }
}

/// The members of an object, in their order, a name that comes twice too.
pub(super) struct Pairs<T>(pub(super) Vec<(String, T)>);

impl<'de, T: serde::Deserialize<'de>> serde::Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Seen<T>(std::marker::PhantomData<T>);
        impl<'de, T: serde::Deserialize<'de>> Visitor<'de> for Seen<T> {
            type Value = Pairs<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<T>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        input.deserialize_map(Seen(std::marker::PhantomData))
    }
}

/// The value of an attribute.
pub(super) struct Scalar(pub(super) AttributeValue);

impl<'de> serde::Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Seen;
        impl Visitor<'_> for Seen {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, a whole number of 64 bits or a text")
            }

            fn visit_bool<E: serde::de::Error>(self, flag: bool) -> Result<Scalar, E> {
                Ok(Scalar(AttributeValue::Bool(flag)))
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar(AttributeValue::Integer(number)))
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Scalar, E> {
                let number = i64::try_from(number).map_err(|_| E::custom("the number is too large"))?;
                Ok(Scalar(AttributeValue::Integer(number)))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(AttributeValue::Text(text.into())))
            }
        }
        input.deserialize_any(Seen)
    }
}

/// A grant with a window.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grant {
    role: String,
    workspace: Option<String>,
    from: Option<String>,
    until: Option<String>,
}

impl Grant {
    /// The grant that it says.
    pub(super) fn read(self) -> Result<LoadGrant, String> {
        let name = |text: &str| Name::new(text).map_err(|error| error.to_string());
        let instant = |text: Option<String>| match text {
            None => Ok(Deadline::NONE),
            Some(text) => {
                let at = UnixMillis::parse(&text).and_then(UnixMillis::as_deadline);
                at.ok_or_else(|| "a row's times are instants: 2026-12-31T23:00:00Z".to_owned())
            }
        };
        Ok(LoadGrant {
            role: name(&self.role)?,
            workspace: self.workspace.as_deref().map(name).transpose()?,
            from: instant(self.from)?,
            until: instant(self.until)?,
        })
    }
}
