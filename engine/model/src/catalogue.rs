//! Services: the applications of a tenant, and the permissions that each of them registers.
//!
//! A service's entries are replaced as a whole. What an entry says for people (labels, description) decides
//! nothing; its permission is what roles, keys, ceilings and mappings name.

use crate::id::{PermissionId, ServiceIndex};
use crate::limits::{
    ENTRY_DESCRIPTION_BYTES_MAX, LABEL_BYTES_MAX, LABELS_MAX, SERVICE_BYTES_MAX, SERVICE_ENTRIES_MAX,
};
use crate::name::Name;
use crate::named::Limit;
use crate::refusal::Refusal;
use std::fmt;

/// LIMIT: a language tag, bytes (RFC 5646 section 4.4.1).
const LANGUAGE_BYTES_MAX: usize = 35;
/// LIMIT: bytes of a subtag (RFC 5646 section 2.1).
const SUBTAG_BYTES_MAX: usize = 8;

/// A language by its tag (RFC 5646), in small letters: `en`, `fa`, `zh-hant`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Language(Box<str>);

impl Language {
    /// Takes a text as a language tag that is well-formed (RFC 5646 section 2.1): a language of two or three letters, then
    /// script, region, variants, extensions and private subtags in this order, none of them twice.
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub fn new(text: &str) -> Result<Self, Refusal> {
        let tag = text.to_ascii_lowercase();
        if text.len() <= LANGUAGE_BYTES_MAX && is_tag(&tag) {
            Ok(Self(tag.into()))
        } else {
            Err(Refusal::Malformed)
        }
    }

    /// The tag.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text in small letters is a well-formed language tag.
fn is_tag(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let plain = |part: &&str| {
        (1..=SUBTAG_BYTES_MAX).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if !parts.iter().all(plain) {
        return false;
    }
    let letters = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphabetic());
    let mut rest = parts.as_slice();
    // Takes the next subtag where it is of a kind.
    let mut takes = |is: &dyn Fn(&str) -> bool| match rest {
        [next, behind @ ..] if is(next) => {
            rest = behind;
            Some(*next)
        }
        _ => None,
    };
    if takes(&|part| (2..=3).contains(&part.len()) && letters(part)).is_none() {
        return false;
    }
    for _ in 0..3 {
        takes(&|part| part.len() == 3 && letters(part));
    }
    takes(&|part| part.len() == 4 && letters(part));
    let region = |part: &str| part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    takes(&|part| part.len() == 2 && letters(part) || region(part));
    let variant =
        |part: &str| part.len() >= 5 || part.len() == 4 && part.starts_with(|c: char| c.is_ascii_digit());
    let mut seen = Vec::new();
    while let Some(part) = takes(&variant) {
        if seen.contains(&part) {
            return false;
        }
        seen.push(part);
    }
    while let Some(single) = takes(&|part| part.len() == 1 && part != "x") {
        if seen.contains(&single) || takes(&|part| part.len() >= 2).is_none() {
            return false;
        }
        seen.push(single);
        while takes(&|part| part.len() >= 2).is_some() {}
    }
    if takes(&|part| part == "x").is_some() {
        return !rest.is_empty();
    }
    rest.is_empty()
}

/// The place of the first entry whose permission another one before it has, too.
#[must_use]
pub fn doubled(entries: &[ServiceEntry]) -> Option<usize> {
    let mut seen = std::collections::BTreeSet::new();
    entries.iter().position(|entry| !seen.insert(&entry.permission))
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text is for people to read and nothing else: no control characters, and none that turn the
/// direction of what follows (Unicode Standard Annex 9, explicit formatting).
fn is_plain(text: &str) -> bool {
    let turns = |letter: char| matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !text.chars().any(|letter| letter.is_control() || turns(letter))
}

/// What an entry is called in one language.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Label {
    language: Language,
    text: Box<str>,
}

impl Label {
    /// Takes a text as what something is called in a language.
    ///
    /// # Errors
    /// `LimitReached` when it is too long, [`Refusal::Malformed`] when it is empty, begins or ends with a
    /// space, or holds what is no text for people.
    pub fn new(language: &str, text: &str) -> Result<Self, Refusal> {
        if text.len() > LABEL_BYTES_MAX {
            return Err(Limit::LabelBytes.reached());
        }
        if text.is_empty() || text.trim() != text || !is_plain(text) {
            return Err(Refusal::Malformed);
        }
        Ok(Self { language: Language::new(language)?, text: text.into() })
    }

    /// The language.
    #[must_use]
    pub const fn language(&self) -> &Language {
        &self.language
    }

    /// What it is called.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// What an entry says for people, and whether it is to be used any more.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct EntryText {
    /// The kind of action: `read`, `create`, `approve`.
    pub action: Option<Name>,
    /// What it is called, one for each language, sorted.
    pub labels: Vec<Label>,
    /// What it is about; may be empty.
    pub description: Box<str>,
    /// Whether it is on its way out: it works as before, and its uses are reported.
    pub deprecated: bool,
}

impl EntryText {
    /// Puts it together.
    ///
    /// # Errors
    /// `LimitReached` for too many labels or too long a description, [`Refusal::Malformed`] for two labels of
    /// one language or a description that is no text for people.
    pub fn new(
        action: Option<Name>,
        mut labels: Vec<Label>,
        description: &str,
        deprecated: bool,
    ) -> Result<Self, Refusal> {
        if labels.len() > LABELS_MAX {
            return Err(Limit::Labels.reached());
        }
        if description.len() > ENTRY_DESCRIPTION_BYTES_MAX {
            return Err(Limit::EntryDescriptionBytes.reached());
        }
        labels.sort_unstable();
        let again = labels.windows(2).any(|pair| match pair {
            [one, next] => one.language == next.language,
            _ => false,
        });
        // A description may have lines.
        if again || !description.split('\n').all(is_plain) {
            return Err(Refusal::Malformed);
        }
        Ok(Self { action, labels, description: description.into(), deprecated })
    }

    /// Bytes of its texts.
    fn bytes(&self) -> usize {
        let labels = self.labels.iter().map(|label| label.language.0.len() + label.text.len());
        let action = self.action.as_ref().map_or(0, |action| action.as_str().len());
        labels.sum::<usize>() + action + self.description.len()
    }
}

/// An entry as a service registers it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ServiceEntry {
    /// The permission.
    pub permission: Name,
    /// What it says.
    pub text: EntryText,
    /// The permission to use in its place; only of a deprecated one.
    pub replaced_by: Option<Name>,
}

impl ServiceEntry {
    /// Puts an entry together.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] when one is named that replaces it, and it is not deprecated.
    pub fn new(permission: Name, text: EntryText, replaced_by: Option<Name>) -> Result<Self, Refusal> {
        if replaced_by.is_some() && !text.deprecated {
            return Err(Refusal::Malformed);
        }
        Ok(Self { permission, text, replaced_by })
    }

    /// Bytes of its texts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.permission.as_str().len() + self.text.bytes()
    }
}

/// Looks at the entries of a service as a whole, with those that stay because they are in use.
///
/// # Errors
/// `LimitReached` for too many of them or too many bytes.
pub fn sized(entries: &[ServiceEntry], kept: &[EntryRecord]) -> Result<(), Refusal> {
    if entries.len() + kept.len() > SERVICE_ENTRIES_MAX {
        return Err(Limit::ServiceEntries.reached());
    }
    let bytes: usize = entries.iter().map(ServiceEntry::bytes).sum();
    let bytes = bytes + kept.iter().map(|entry| entry.text.bytes()).sum::<usize>();
    if bytes > SERVICE_BYTES_MAX { Err(Limit::ServiceBytes.reached()) } else { Ok(()) }
}

/// An entry of a service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EntryRecord {
    /// The permission.
    pub permission: PermissionId,
    /// What it says.
    pub text: EntryText,
    /// The permission to use in its place; 0 for none.
    pub replaced_by: PermissionId,
}

/// A service: an application of the tenant, and what it registers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceRecord {
    /// Its number; that of a service that is gone may be given again.
    pub index: ServiceIndex,
    /// Its name, unique among services.
    pub name: Name,
    /// Its entries, by permission.
    pub entries: Vec<EntryRecord>,
}

impl ServiceRecord {
    /// The entry of a permission.
    #[must_use]
    pub fn entry(&self, permission: PermissionId) -> Option<&EntryRecord> {
        let at = self.entries.binary_search_by_key(&permission, |entry| entry.permission);
        at.ok().and_then(|at| self.entries.get(at))
    }

    /// About how many bytes of memory its texts take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.entries.iter().map(|entry| entry.text.bytes() + 128).sum()
    }
}

/// What stands between a service's name and the rest of a permission's.
pub const BETWEEN: [char; 3] = ['.', ':', '/'];

/// Whether a permission's name lies below a service's: it is that name, or begins with it and a `.`, `:` or `/`.
#[must_use]
pub fn lies_below(permission: &str, service: &str) -> bool {
    permission.strip_prefix(service).is_some_and(|rest| rest.is_empty() || rest.starts_with(BETWEEN))
}

/// The beginnings of a name below which it lies, the longest first, itself included.
pub fn beginnings(name: &str) -> impl Iterator<Item = &str> {
    let ends = name.rmatch_indices(BETWEEN).map(|(at, _)| at);
    std::iter::once(name.len()).chain(ends).filter_map(|end| name.get(..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: tags are those of RFC 5646 in form, and case tells no two of them apart.
    #[test]
    fn languages_are_tags() {
        for good in [
            "en",
            "fa",
            "fil",
            "zh-Hant",
            "de-CH-1996",
            "EN-us",
            "sl-rozaj-biske-1994",
            "es-419",
            "zh-cmn-Hans-CN",
            "en-a-bbb-x-a",
            "de-x-a-b",
            "hy-Latn-IT-arevela",
            "en-u-co-phonebk-t-de",
        ] {
            assert!(Language::new(good).is_ok_and(|tag| tag.as_str() == good.to_lowercase()), "{good}");
        }
        for bad in [
            "",
            "e",
            "1a",
            "engl",
            "en_US",
            "en-",
            "en--us",
            "en-123456789",
            "en-1",
            "en-a",
            "en-x",
            "en-us-us",
            "en-us-latn",
            "de-1996-1996",
            "en-a-bb-a-cc",
            "en-u-x-a",
            "en-12",
            &format!("en{}", "-abcdefgh".repeat(4)),
        ] {
            assert_eq!(Language::new(bad), Err(Refusal::Malformed), "{bad}");
        }
    }

    /// PROPERTY: a label is a bounded text of one line for people; two of one language are refused.
    #[test]
    fn labels_are_for_people() {
        assert!(Label::new("fa", "\u{62e}\u{648}\u{627}\u{646}\u{62f}\u{646} \u{633}\u{641}\u{627}\u{631}\u{634}\u{200c}\u{647}\u{627}").is_ok());
        for bad in ["", " a", "a ", "a\nb", "a\u{0}", "\u{202e}gpj", "\u{2066}x"] {
            assert_eq!(Label::new("en", bad), Err(Refusal::Malformed), "{bad:?}");
        }
        assert!(Label::new("en", &"x".repeat(120)).is_ok());
        assert_eq!(Label::new("en", &"x".repeat(121)), Err(Limit::LabelBytes.reached()));
        let label = |tag: &str| Label::new(tag, "x").expect("a label");
        let text = |labels, description: &str| EntryText::new(None, labels, description, false);
        assert_eq!(text(vec![label("en"), label("EN")], ""), Err(Refusal::Malformed));
        assert_eq!(text(Vec::new(), "a\tb"), Err(Refusal::Malformed));
        assert!(
            text(vec![label("en"), label("de")], "two\nlines")
                .is_ok_and(|text| text.labels[0] == label("de"))
        );
        assert_eq!(text(Vec::new(), &"x".repeat(513)), Err(Limit::EntryDescriptionBytes.reached()));
        let many = (0..9).map(|no| label(&format!("a{}", char::from(b'a' + no)))).collect();
        assert_eq!(text(many, ""), Err(Limit::Labels.reached()));
    }

    /// PROPERTY: what replaces an entry is told of a deprecated one only; too many and too long are refused.
    #[test]
    fn entries_are_bounded() {
        let name = |text: &str| Name::new(text).expect("a name");
        let text = |deprecated| EntryText { deprecated, ..EntryText::default() };
        assert!(ServiceEntry::new(name("a"), text(true), Some(name("b"))).is_ok());
        assert_eq!(ServiceEntry::new(name("a"), text(false), Some(name("b"))), Err(Refusal::Malformed));
        let entry = ServiceEntry::new(name("a"), text(false), None).expect("an entry");
        assert_eq!(sized(&vec![entry.clone(); 513], &[]), Err(Limit::ServiceEntries.reached()));
        let long = EntryText { description: "x".repeat(512).into(), ..EntryText::default() };
        let long = ServiceEntry { text: long, ..entry };
        assert_eq!(sized(&vec![long.clone(); 200], &[]), Err(Limit::ServiceBytes.reached()));
        assert_eq!(sized(&vec![long; 100], &[]), Ok(()));
    }

    /// PROPERTY: a name lies below its own beginnings up to a sign between words, and below nothing else.
    #[test]
    fn names_lie_below_their_beginnings() {
        let all: Vec<_> = beginnings("media/files.read:own").collect();
        assert_eq!(all, ["media/files.read:own", "media/files.read", "media/files", "media"]);
        assert!(all.iter().all(|one| lies_below("media/files.read:own", one)));
        assert!(!lies_below("mediator.read", "media") && !lies_below("media", "media.x"));
    }
}
