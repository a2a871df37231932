//! Why a text is not taken: what kind of fault, where, and in which words.

use cedar_policy::ffi::DetailedError;
use std::fmt;

/// A line and a column, both from 1. Columns count letters.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Place {
    /// The place of a byte of a text.
    #[must_use]
    pub fn of(text: &str, at: usize) -> Self {
        let mut at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let before = text.get(..at).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count();
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
        let one = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1);
        Self { line: one(line), column: one(column) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.line, self.column)
    }
}

/// The kind of a fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PolicyReason {
    /// The text is longer than its limit.
    TooLong,
    /// Brackets or operators are nested deeper than their limit.
    TooDeep,
    /// The text is not UTF-8.
    Encoding,
    /// A name stands twice in one object.
    DuplicateName,
    /// The text does not parse.
    Syntax,
    /// The schema contradicts itself, or speaks of what it does not define.
    Schema,
    /// A policy does not fit the schema.
    Validation,
    /// The policy compiles to more than a program may be.
    Limit,
    /// An entity does not fit the schema.
    Entity,
    /// The question does not fit the schema.
    Request,
    /// The machine gave no stack to parse on.
    Resources,
}

impl PolicyReason {
    /// The reason with this name; that of what a newer program says is `Validation`.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let all = [
            Self::TooLong,
            Self::TooDeep,
            Self::Encoding,
            Self::DuplicateName,
            Self::Syntax,
            Self::Schema,
            Self::Limit,
            Self::Entity,
            Self::Request,
            Self::Resources,
        ];
        all.into_iter().find(|reason| reason.name() == name).unwrap_or(Self::Validation)
    }

    /// A stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooLong => "TooLong",
            Self::TooDeep => "TooDeep",
            Self::Encoding => "Encoding",
            Self::DuplicateName => "DuplicateName",
            Self::Syntax => "Syntax",
            Self::Schema => "Schema",
            Self::Validation => "Validation",
            Self::Limit => "Limit",
            Self::Entity => "Entity",
            Self::Request => "Request",
            Self::Resources => "Resources",
        }
    }
}

/// A fault of a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyError {
    /// Its kind.
    pub reason: PolicyReason,
    /// Where it is, when it is at a place.
    pub place: Option<Place>,
    /// What is wrong.
    pub says: String,
    /// What would be right, when that is known.
    pub advice: Option<String>,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place {
            write!(out, "{place}: ")?;
        }
        write!(out, "{}", self.says)?;
        if let Some(advice) = &self.advice {
            write!(out, " ({advice})")?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyError {}

/// LIMIT: faults of one text that are told.
const TOLD_MAX: usize = 32;

impl PolicyError {
    pub(crate) fn new(reason: PolicyReason, says: impl Into<String>) -> Self {
        Self { reason, place: None, says: says.into(), advice: None }
    }

    pub(crate) fn at(reason: PolicyReason, place: Place, says: impl Into<String>) -> Self {
        Self { reason, place: Some(place), says: says.into(), advice: None }
    }

    /// The faults that the language's own parser and validator tell, each at its place in `text`.
    pub(crate) fn told(
        reason: PolicyReason,
        text: &str,
        faults: impl IntoIterator<Item = DetailedError>,
    ) -> Vec<Self> {
        let mut found = Vec::new();
        let mut waiting: Vec<DetailedError> = faults.into_iter().collect();
        waiting.reverse();
        while let Some(fault) = waiting.pop() {
            let first = fault.source_locations.first();
            let place =
                first.map(|label| Place::of(text, label.loc.start)).or_else(|| written(&fault.message));
            let label = first.and_then(|label| label.label.clone());
            let label = label.filter(|label| !fault.message.contains(label.as_str()));
            let says =
                label.map_or_else(|| fault.message.clone(), |label| format!("{}: {label}", fault.message));
            found.push(Self { reason, place, says, advice: fault.help.clone() });
            waiting.extend(fault.related.into_iter().rev());
            if found.len() == TOLD_MAX {
                break;
            }
        }
        found
    }
}

/// The place that a parser of JSON writes into its message.
fn written(message: &str) -> Option<Place> {
    let (_, tail) = message.rsplit_once(" at line ")?;
    let (line, tail) = tail.split_once(" column ")?;
    let column = tail.split(|letter: char| !letter.is_ascii_digit()).next()?;
    Some(Place { line: line.parse().ok()?, column: column.parse().ok()? })
}
