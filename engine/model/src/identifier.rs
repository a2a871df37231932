//! What people type to say who they are: email, phone or username, in one normal form.
//!
//! Uniqueness is decided on the normal form, so that capitals, full-width letters and the two
//! spellings of an international domain are one account (F-62). The form as typed is kept for display.

use crate::limits::IDENTIFIER_BYTES_MAX;
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// The kinds of identifier.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum IdentifierKind {
    /// An email address: NFC, IDNA domain (UTS 46), local part in simple lower case, no dot or tag stripping.
    Email,
    /// A phone number: E.164 without `+`, 7 to 15 digits.
    Phone,
    /// A username: NFKC, then ASCII lower case letters, digits and `. _ -`, 3 to 30 characters.
    Username,
}

impl IdentifierKind {
    /// Number on disk and wire: 1, 2, 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Email => 1,
            Self::Phone => 2,
            Self::Username => 3,
        }
    }

    /// The kind with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Email),
            2 => Some(Self::Phone),
            3 => Some(Self::Username),
            _ => None,
        }
    }
}

/// Why a text is no identifier.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IdentifierError {
    /// Over 254 bytes, typed or normalised.
    TooLong,
    /// Not an email address.
    BadEmail,
    /// Not a phone number in international form.
    BadPhone,
    /// Not a username.
    BadUsername,
}

impl fmt::Display for IdentifierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "an identifier has at most 254 bytes",
            Self::BadEmail => "an email address is local@domain",
            Self::BadPhone => "a phone number is + and 7 to 15 digits",
            Self::BadUsername => "a username has 3 to 30 of a-z 0-9 . _ - and starts with a letter or digit",
        })
    }
}

impl std::error::Error for IdentifierError {}

/// An identifier in normal form, with the form as typed.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Identifier {
    kind: IdentifierKind,
    normal: Box<str>,
    typed: Box<str>,
}

impl Identifier {
    /// Normalises a typed text of a known kind.
    ///
    /// # Errors
    /// [`IdentifierError`] says what is wrong with it.
    pub fn new(kind: IdentifierKind, typed: &str) -> Result<Self, IdentifierError> {
        if typed.len() > IDENTIFIER_BYTES_MAX {
            return Err(IdentifierError::TooLong);
        }
        let normal = match kind {
            IdentifierKind::Email => email(typed)?,
            IdentifierKind::Phone => phone(typed)?,
            IdentifierKind::Username => username(typed)?,
        };
        if normal.len() > IDENTIFIER_BYTES_MAX {
            return Err(IdentifierError::TooLong);
        }
        Ok(Self { kind, normal: normal.into(), typed: typed.into() })
    }

    /// Guesses the kind: an `@` makes an email, a leading `+` a phone number, anything else a username.
    ///
    /// # Errors
    /// [`IdentifierError`] of the guessed kind.
    pub fn guess(typed: &str) -> Result<Self, IdentifierError> {
        let kind = if typed.contains('@') {
            IdentifierKind::Email
        } else if typed.starts_with('+') {
            IdentifierKind::Phone
        } else {
            IdentifierKind::Username
        };
        Self::new(kind, typed)
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> IdentifierKind {
        self.kind
    }

    /// The normal form, on which uniqueness is decided.
    #[must_use]
    pub fn normal(&self) -> &str {
        &self.normal
    }

    /// The form as typed.
    #[must_use]
    pub fn typed(&self) -> &str {
        &self.typed
    }
}

fn simple_lower(c: char) -> char {
    // Simple case folding keeps one character one character; where lower case has several
    // (only U+0130), the character stays.
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn email(typed: &str) -> Result<String, IdentifierError> {
    let nfc: String = typed.nfc().collect();
    let (local, domain) = nfc.rsplit_once('@').ok_or(IdentifierError::BadEmail)?;
    let bad = |c: char| c.is_control() || c.is_whitespace() || c == '@' || c == '"';
    if local.is_empty() || local.len() > 64 || local.chars().any(bad) {
        return Err(IdentifierError::BadEmail);
    }
    let domain = idna::domain_to_ascii_strict(domain).map_err(|_| IdentifierError::BadEmail)?;
    if domain.is_empty() || domain.starts_with('.') || domain.ends_with('.') {
        return Err(IdentifierError::BadEmail);
    }
    let local: String = local.chars().map(simple_lower).nfc().collect();
    Ok(format!("{local}@{domain}"))
}

fn phone(typed: &str) -> Result<String, IdentifierError> {
    let digits: String = typed
        .strip_prefix('+')
        .ok_or(IdentifierError::BadPhone)?
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.'))
        .collect();
    let sound = (7..=15).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0');
    if sound { Ok(digits) } else { Err(IdentifierError::BadPhone) }
}

fn username(typed: &str) -> Result<String, IdentifierError> {
    let normal: String = typed.nfkc().map(|c| c.to_ascii_lowercase()).collect();
    let sound = (3..=30).contains(&normal.len())
        && normal.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
        && normal.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    if sound { Ok(normal) } else { Err(IdentifierError::BadUsername) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(typed: &str) -> Option<String> {
        Identifier::guess(typed).ok().map(|i| i.normal().to_owned())
    }

    /// PROPERTY: spellings that people take for one are one, others are not (F-62).
    /// TC-9 in part.
    #[test]
    fn f_62_one_account_for_one_spelling() {
        assert_eq!(normal("Amy.Poe@EXAMPLE.org"), normal("amy.poe@example.org"));
        assert_ne!(normal("amypoe@example.org"), normal("amy.poe@example.org"));
        assert_ne!(normal("amy.poe+x@example.org"), normal("amy.poe@example.org"));
        assert_eq!(normal("x@bücher.example"), normal("x@xn--bcher-kva.example"));
        assert_eq!(normal("Ａｍｙ"), Some("amy".into()));
        assert_eq!(
            Identifier::guess("Amy.Poe@EXAMPLE.org").map(|i| i.typed().to_owned()),
            Ok("Amy.Poe@EXAMPLE.org".into())
        );
    }

    #[test]
    fn bad_ones_are_refused() {
        for bad in ["", "ab", "a@", "@b", "a b@c.d", "+12", "+0123456789", "+12a4567", "é́x", "-amy"] {
            assert_eq!(normal(bad), None, "{bad}");
        }
        assert!(Identifier::guess(&format!("{}@example.org", "a".repeat(250))).is_err());
    }

    /// PROPERTY: normalising twice changes nothing.
    /// TC-9 in part.
    #[test]
    fn normal_forms_are_fixed_points() {
        for typed in ["Amy@Bücher.example", "+44 20 7946-0958", "Jo.Do_3"] {
            let once = Identifier::guess(typed).map(|i| (i.kind(), i.normal().to_owned()));
            let Ok((kind, once)) = once else { panic!("{typed}") };
            let again = if kind == IdentifierKind::Phone { format!("+{once}") } else { once.clone() };
            assert_eq!(normal(&again), Some(once));
        }
    }
}
