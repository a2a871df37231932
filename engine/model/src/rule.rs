//! Rules of groups: conditions on declared attributes, all of which hold for whoever is in the group.
//!
//! A condition is written `attribute=value`, with `|` between values of which one is enough. A value `*` takes any
//! that is set, `*text` any text that ends so. A `\` before `\`, `|` or `*` takes that character as it is.

use crate::id::SubjectIndex;
use crate::limits::{CONDITION_BYTES_MAX, CONDITION_VALUES_MAX};
use crate::name::Name;
use std::fmt;

/// Why a text is no condition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ConditionError {
    /// Over [`CONDITION_BYTES_MAX`] bytes.
    TooLong,
    /// Over [`CONDITION_VALUES_MAX`] values.
    TooMany,
    /// No attribute's name and `=` in front.
    NoAttribute,
    /// A value with nothing in it.
    Empty,
    /// A `*` that does not begin its value, or a `\` before something else than `\`, `|` and `*`.
    BadValue,
}

impl fmt::Display for ConditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the condition is over 1,024 bytes",
            Self::TooMany => "the condition has more than 32 values",
            Self::NoAttribute => "a condition is an attribute's name, =, and values with | between them",
            Self::Empty => "a value is empty",
            Self::BadValue => r"a * may only begin a value, and a \ stands before \, | or *",
        })
    }
}

impl std::error::Error for ConditionError {}

/// What a value must be.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Match {
    /// Any that is set.
    Any,
    /// This one: a text, `true` or `false`, or a number in its shortest form.
    Is(Box<str>),
    /// A text that ends so.
    Ends(Box<str>),
}

/// A condition as it is written: an attribute, and the values of which one is enough.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Condition {
    attribute: Name,
    matches: Vec<Match>,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// [`ConditionError`] says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, ConditionError> {
        if text.len() > CONDITION_BYTES_MAX {
            return Err(ConditionError::TooLong);
        }
        let (name, values) = text.split_once('=').ok_or(ConditionError::NoAttribute)?;
        let attribute = Name::new(name).map_err(|_| ConditionError::NoAttribute)?;
        let (mut matches, mut value) = (Vec::new(), Value::default());
        let mut chars = values.chars();
        while let Some(char) = chars.next() {
            match char {
                '|' => matches.push(std::mem::take(&mut value).finish()?),
                '*' if value.is_empty() => value.open = true,
                '*' => return Err(ConditionError::BadValue),
                '\\' => match chars.next() {
                    Some(taken @ ('\\' | '|' | '*')) => value.text.push(taken),
                    _ => return Err(ConditionError::BadValue),
                },
                plain => value.text.push(plain),
            }
            if matches.len() >= CONDITION_VALUES_MAX {
                return Err(ConditionError::TooMany);
            }
        }
        matches.push(value.finish()?);
        Ok(Self { attribute, matches })
    }

    /// The condition that these stand for.
    #[must_use]
    pub const fn of(attribute: Name, matches: Vec<Match>) -> Self {
        Self { attribute, matches }
    }

    /// Whose values are looked at.
    #[must_use]
    pub const fn attribute(&self) -> &Name {
        &self.attribute
    }

    /// What a value must be: one of these.
    #[must_use]
    pub fn matches(&self) -> &[Match] {
        &self.matches
    }
}

/// A value that is being read.
#[derive(Default)]
struct Value {
    /// Whether it began with a `*`.
    open: bool,
    text: String,
}

impl Value {
    fn is_empty(&self) -> bool {
        !self.open && self.text.is_empty()
    }

    fn finish(self) -> Result<Match, ConditionError> {
        match (self.open, self.text.is_empty()) {
            (true, true) => Ok(Match::Any),
            (true, false) => Ok(Match::Ends(self.text.into())),
            (false, false) => Ok(Match::Is(self.text.into())),
            (false, true) => Err(ConditionError::Empty),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = |f: &mut fmt::Formatter<'_>, text: &str| {
            text.chars().try_for_each(|char| match char {
                '\\' | '|' | '*' => write!(f, "\\{char}"),
                plain => write!(f, "{plain}"),
            })
        };
        write!(f, "{}=", self.attribute)?;
        for (nth, value) in self.matches.iter().enumerate() {
            if nth > 0 {
                f.write_str("|")?;
            }
            match value {
                Match::Any => f.write_str("*")?,
                Match::Is(text) => escaped(f, text)?,
                Match::Ends(text) => {
                    f.write_str("*")?;
                    escaped(f, text)?;
                }
            }
        }
        Ok(())
    }
}

/// A condition as it is kept: a declared attribute's id, and the values of which one is enough.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Term {
    /// Which attribute.
    pub attribute: u32,
    /// What its value must be: one of these.
    pub matches: Vec<Match>,
}

/// The rule of a group: who is in it.
///
/// A change of a rule reaches the subjects in slices of their indexes: those below `settled` follow `terms`
/// already, the others what stood before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupRule {
    /// What all hold for whoever is in the group; never none.
    pub terms: Vec<Term>,
    /// What held before, for subjects that the change has not reached; none when there was no rule.
    pub before: Vec<Term>,
    /// The first subject that the change has not reached.
    pub settled: SubjectIndex,
}

impl GroupRule {
    /// Where a change is that has reached everybody.
    pub const SETTLED: SubjectIndex = SubjectIndex(u32::MAX);

    /// Whether its change has reached everybody.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        self.settled.0 == Self::SETTLED.0
    }

    /// What must hold for a subject; nothing is in the group where that is none.
    #[must_use]
    pub fn terms_for(&self, subject: SubjectIndex) -> &[Term] {
        if subject < self.settled { &self.terms } else { &self.before }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, ConditionError> {
        Condition::new(text).map(|condition| condition.to_string())
    }

    /// PROPERTY: a condition is read back from its text; what is none says why.
    #[test]
    fn conditions_are_read_back() {
        for text in ["a=b", "a=b|c", "a=*", "a=*@example.org|x", r"a=\*b\|c\\d", "a=x=y", "a= b ", "a:b/c=1"]
        {
            assert_eq!(read(text).as_deref(), Ok(text));
        }
        let matches = Condition::new(r"a=*\*x").map(|condition| condition.matches().to_vec());
        assert_eq!(matches, Ok(vec![Match::Ends("*x".into())]));
        assert_eq!(read("a"), Err(ConditionError::NoAttribute));
        assert_eq!(read("=b"), Err(ConditionError::NoAttribute));
        assert_eq!(read("a b=c"), Err(ConditionError::NoAttribute));
        for text in ["a=", "a=b|", "a=|b", "a=b||c"] {
            assert_eq!(read(text), Err(ConditionError::Empty), "{text}");
        }
        for text in ["a=b*", "a=**", r"a=\b", r"a=b\"] {
            assert_eq!(read(text), Err(ConditionError::BadValue), "{text}");
        }
        let values = |count: usize| format!("a={}", vec!["b"; count].join("|"));
        assert!(read(&values(CONDITION_VALUES_MAX)).is_ok());
        assert_eq!(read(&values(CONDITION_VALUES_MAX + 1)), Err(ConditionError::TooMany));
        let long = |bytes: usize| format!("a={}", "b".repeat(bytes - 2));
        assert!(read(&long(CONDITION_BYTES_MAX)).is_ok());
        assert_eq!(read(&long(CONDITION_BYTES_MAX + 1)), Err(ConditionError::TooLong));
    }
}
