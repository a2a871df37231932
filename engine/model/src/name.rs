//! Names that callers choose, and patterns of permission names.

use crate::limits::{NAME_BYTES_MAX, PATTERN_BYTES_MAX};
use std::fmt;

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NameError {
    /// Nothing in it.
    Empty,
    /// Over [`NAME_BYTES_MAX`] bytes.
    TooLong,
    /// A character outside the allowed set.
    BadCharacter,
    /// `.` or `..`, alone or between slashes: paths mean something else by it.
    Dots,
    /// A pattern with a character outside the allowed set, or a `*` that is not its last.
    BadPattern,
    /// Not what a tenant is called by.
    NoLabel,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the name is empty",
            Self::TooLong => "the name is over 128 bytes",
            Self::BadCharacter => "a name holds letters, digits and . _ - : / only",
            Self::Dots => "a name is not . or .., nor has them between slashes",
            Self::BadPattern => "a pattern is a name (letters, digits and . _ - : / only), or the beginning of one and a * at its end",
            Self::NoLabel => "a tenant's name has 1 to 63 small letters, digits and -, with no - at its ends: a host may name it",
        })
    }
}

impl std::error::Error for NameError {}

/// LIMIT: a label of a host's name, bytes (RFC 1035 section 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

const fn allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b':' | b'/')
}

/// The name of a role, permission, workspace, attribute or tenant: 1 to 128 bytes of ASCII letters,
/// digits and `. _ - : /`, without `.` and `..` between slashes. Case counts.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Name(Box<str>);

impl Name {
    /// Takes a text as a name.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, NameError> {
        Self::look(text).map(|()| Self(text.into()))
    }

    /// Whether a text is a name, without keeping it.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with it.
    pub fn look(text: &str) -> Result<(), NameError> {
        match text.len() {
            0 => Err(NameError::Empty),
            n if n > NAME_BYTES_MAX => Err(NameError::TooLong),
            _ if !text.bytes().all(allowed) => Err(NameError::BadCharacter),
            _ if text.split('/').any(|part| matches!(part, "." | "..")) => Err(NameError::Dots),
            _ => Ok(()),
        }
    }

    /// Takes a text as the name of a tenant, which a host may name: one label of it (RFC 1035 section 2.3.1,
    /// with a digit allowed first as by RFC 1123 section 2.1), in small letters.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with it.
    pub fn of_tenant(text: &str) -> Result<Self, NameError> {
        let name = Self::new(text)?;
        if name.is_label() { Ok(name) } else { Err(NameError::NoLabel) }
    }

    /// Whether a tenant may be called so: 1 to 63 small letters, digits and `-`, with no `-` at the ends.
    #[must_use]
    pub fn is_label(&self) -> bool {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        self.0.len() <= LABEL_BYTES_MAX
            && self.0.bytes().all(plain)
            && !self.0.starts_with('-')
            && !self.0.ends_with('-')
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a role or key covers: a permission's name, or a prefix followed by `*` (`orders.*`, `*`).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// Takes a text as a pattern: a name, or a name's beginning (possibly empty) and a final `*`.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let prefix = text.strip_suffix('*').unwrap_or(text);
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > PATTERN_BYTES_MAX {
            return Err(NameError::TooLong);
        }
        if !prefix.bytes().all(allowed) {
            return Err(NameError::BadPattern);
        }
        Ok(Self(text.into()))
    }

    /// Whether the pattern covers a permission of this name.
    #[must_use]
    pub fn covers(&self, permission: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => permission.starts_with(prefix),
            None => &*self.0 == permission,
        }
    }

    /// Whether every permission that `other` covers, today or later, is covered by this one too.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        match (self.0.strip_suffix('*'), other.0.strip_suffix('*')) {
            (Some(outer), Some(inner)) => inner.starts_with(outer),
            (Some(outer), None) => other.0.starts_with(outer),
            (None, Some(_)) => false,
            (None, None) => self.0 == other.0,
        }
    }

    /// The permission it names when it is no wildcard.
    #[must_use]
    pub fn exact(&self) -> Option<&str> {
        if self.0.ends_with('*') { None } else { Some(&self.0) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_plain() {
        assert!(Name::new("orders.read").is_ok());
        assert_eq!(Name::new(""), Err(NameError::Empty));
        assert_eq!(Name::new(&"a".repeat(129)), Err(NameError::TooLong));
        assert_eq!(Name::new("a b"), Err(NameError::BadCharacter));
        assert_eq!(Name::new("é"), Err(NameError::BadCharacter));
    }

    /// PROPERTY: what paths read as "here" and "above" is no name and no part of one; dots in words are.
    #[test]
    fn names_are_no_ways_up() {
        for bad in [".", "..", "../x", "a/..", "a/./b", "./a"] {
            assert_eq!(Name::new(bad), Err(NameError::Dots), "{bad}");
        }
        for good in ["...", "a..b", ".a", "a.", "a/...", "orders.read"] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
    }

    /// PROPERTY: a tenant is called by one label of a host's name, so that case tells no two of them apart.
    #[test]
    fn tenants_are_called_by_labels() {
        for good in ["acme", "a", "7", "demo-2", "a--b", &"a".repeat(63)] {
            assert!(Name::of_tenant(good).is_ok(), "{good}");
        }
        for bad in ["ACME", "acMe", "a.b", "a_b", "a/b", "a:b", "-a", "a-", "-", &"a".repeat(64)] {
            assert_eq!(Name::of_tenant(bad), Err(NameError::NoLabel), "{bad}");
        }
        assert_eq!(Name::of_tenant(""), Err(NameError::Empty));
    }

    #[test]
    fn patterns_cover_names_and_prefixes() {
        let covers = |pattern: &str, name: &str| Pattern::new(pattern).is_ok_and(|p| p.covers(name));
        assert!(covers("orders.read", "orders.read"));
        assert!(!covers("orders.read", "orders.reads"));
        assert!(covers("orders.*", "orders.read"));
        assert!(!covers("orders.*", "order"));
        assert!(covers("*", "anything"));
        assert_eq!(Pattern::new("a*b"), Err(NameError::BadPattern));
        let contains = |outer: &str, inner: &str| {
            Pattern::new(outer)
                .is_ok_and(|outer| Pattern::new(inner).is_ok_and(|inner| outer.contains(&inner)))
        };
        assert!(contains("orders.*", "orders.read") && contains("orders.*", "orders.read.*"));
        assert!(contains("*", "orders.*") && contains("orders.read", "orders.read"));
        assert!(!contains("orders.read", "orders.*") && !contains("orders.*", "*"));
    }
}
