//! The written form of objects and subjects: `type:id`, `type:id#relation`, `type:*`.

use crate::error::NameError;

/// LIMIT: bytes of a type's name, as in `OpenFGA`.
const TYPE_BYTES_MAX: usize = 254;
/// LIMIT: bytes of a relation's name, as in `OpenFGA`.
const RELATION_BYTES_MAX: usize = 50;
/// LIMIT: bytes of an object's id: an identifier of 254 bytes fits.
const ID_BYTES_MAX: usize = 256;

/// No blanks, no control characters, none of the signs that separate.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.chars().any(|letter| {
            letter.is_whitespace() || letter.is_control() || matches!(letter, ':' | '#' | '*' | '@')
        })
}

pub(crate) fn is_type_name(name: &str) -> bool {
    name.len() <= TYPE_BYTES_MAX && is_plain(name)
}

pub(crate) fn is_relation_name(name: &str) -> bool {
    name.len() <= RELATION_BYTES_MAX && is_plain(name)
}

/// The name as an error shows it.
pub(crate) fn shortened(name: &str) -> String {
    name.chars().take(40).collect()
}

/// An object as it is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ObjectText<'a> {
    pub(crate) type_name: &'a str,
    pub(crate) id: &'a str,
}

/// A subject as it is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct SubjectText<'a> {
    pub(crate) object: ObjectText<'a>,
    /// The relation of a set; none for one object, or for everybody of a type.
    pub(crate) relation: Option<&'a str>,
}

impl<'a> ObjectText<'a> {
    /// Reads `type:id`. An id may hold any sign but `:`, `#` and blanks, and is not `*`.
    pub(crate) fn parse(text: &'a str) -> Result<Self, NameError> {
        let one = Self::parse_any(text)?;
        if one.is_wildcard() { Err(NameError::Malformed) } else { Ok(one) }
    }

    fn parse_any(text: &'a str) -> Result<Self, NameError> {
        let (type_name, id) = text.split_once(':').ok_or(NameError::Malformed)?;
        let odd = |letter: char| letter.is_whitespace() || letter.is_control() || matches!(letter, ':' | '#');
        let good = is_type_name(type_name) && !id.is_empty() && id.len() <= ID_BYTES_MAX && !id.contains(odd);
        if good { Ok(Self { type_name, id }) } else { Err(NameError::Malformed) }
    }

    /// Whether this is everybody of the type.
    pub(crate) fn is_wildcard(self) -> bool {
        self.id == "*"
    }
}

impl<'a> SubjectText<'a> {
    /// Reads `type:id`, `type:id#relation` or `type:*`.
    pub(crate) fn parse(text: &'a str) -> Result<Self, NameError> {
        match text.split_once('#') {
            None => Ok(Self { object: ObjectText::parse_any(text)?, relation: None }),
            Some((object, relation)) if is_relation_name(relation) => {
                Ok(Self { object: ObjectText::parse(object)?, relation: Some(relation) })
            }
            Some(_) => Err(NameError::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: ids as people have them are read, shapes that name nothing are not (F-15, F-17).
    #[test]
    fn f_15_f_17_names_are_read_or_refused() {
        for good in ["user:auth0|66a1f0c2", "user:ann.lee+test@example.org", "room:2026/q3-plan"] {
            assert!(ObjectText::parse(good).is_ok() && SubjectText::parse(good).is_ok(), "{good}");
        }
        assert!(SubjectText::parse("user:*").is_ok() && SubjectText::parse("team:a#member").is_ok());
        let long = format!("user:{}", "x".repeat(257));
        for bad in
            ["user:*#viewer", "a:b:c", "user:", ":a", "user", "user:a#", "user:a#b#c", "user:a b", &long]
        {
            assert_eq!(SubjectText::parse(bad), Err(NameError::Malformed), "{bad}");
        }
        for bad in ["file:*", "file:a#viewer"] {
            assert_eq!(ObjectText::parse(bad), Err(NameError::Malformed), "{bad}");
        }
    }
}
