//! Why a model or a tuple is turned down: always with the place, never with a half of it taken.

use crate::model::Position;
use std::fmt;
use tessera_model::Refusal;

/// A model that is not taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ModelError {
    /// Where the text goes wrong.
    pub at: Position,
    /// What is wrong there.
    pub reason: ModelReason,
}

/// What is wrong with a model.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ModelReason {
    /// More bytes than a model may have.
    TooLong,
    /// Parentheses or values nested too deep.
    TooDeep,
    /// More types, relations, restrictions or operands than a model may have.
    TooMany,
    /// Something else is asked for here.
    Unexpected {
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// `or`, `and` and `but not` beside each other without parentheses.
    MixedOperators,
    /// A schema version that is not known.
    Version {
        /// The version.
        found: String,
    },
    /// Part of the language that is not supported: conditions and modules.
    NotSupported {
        /// Which part.
        what: &'static str,
    },
    /// A name with characters or of a length that names cannot have.
    Name {
        /// The name, cut where it is long.
        name: String,
    },
    /// Defined twice.
    Twice {
        /// The name.
        name: String,
    },
    /// No type has this name.
    TypeUnknown {
        /// The name.
        name: String,
    },
    /// The type has no such relation.
    RelationUnknown {
        /// The type.
        type_name: String,
        /// The relation.
        relation: String,
    },
    /// The relation behind `from` must be a plain list of types: no sets, no wildcards, no rewrite.
    Tupleset {
        /// The relation behind `from`.
        relation: String,
    },
    /// No type that the relation behind `from` names has the relation before it.
    FromNowhere {
        /// The relation before `from`.
        relation: String,
    },
    /// A direct relation without types, or types without a direct relation.
    Restrictions {
        /// The relation.
        relation: String,
    },
    /// The relation is defined by itself, on one and the same object.
    Cycle {
        /// The relation.
        relation: String,
    },
    /// Nobody can ever be in this relation.
    NoEntry {
        /// The relation.
        relation: String,
    },
}

impl fmt::Display for ModelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the model is too long"),
            Self::TooDeep => write!(f, "nested too deep"),
            Self::TooMany => write!(f, "too many definitions or operands"),
            Self::Unexpected { found, expected } => write!(f, "expected {expected}, found {found}"),
            Self::MixedOperators => write!(f, "different operators need parentheses"),
            Self::Version { found } => write!(f, "schema {found} is not known; 1.1 and 1.2 are"),
            Self::NotSupported { what } => write!(f, "{what} are not supported"),
            Self::Name { name } => write!(f, "{name:?} is not a name"),
            Self::Twice { name } => write!(f, "{name} is defined twice"),
            Self::TypeUnknown { name } => write!(f, "no type {name}"),
            Self::RelationUnknown { type_name, relation } => {
                write!(f, "type {type_name} has no relation {relation}")
            }
            Self::Tupleset { relation } => {
                write!(f, "{relation} stands behind from, and may only be a list of types")
            }
            Self::FromNowhere { relation } => {
                write!(f, "no type that is named there has a relation {relation}")
            }
            Self::Restrictions { relation } => {
                write!(f, "relation {relation} and its list of types do not fit")
            }
            Self::Cycle { relation } => write!(f, "relation {relation} is defined by itself"),
            Self::NoEntry { relation } => write!(f, "nobody can ever be in relation {relation}"),
        }
    }
}

impl ModelError {
    pub(crate) fn new(at: Position, reason: ModelReason) -> Self {
        Self { at, reason }
    }

    /// Whether the text asks for a part of the language that is not supported, and is not merely wrong.
    #[must_use]
    pub fn is_not_supported(&self) -> bool {
        matches!(self.reason, ModelReason::NotSupported { .. })
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.reason)
    }
}

impl std::error::Error for ModelError {}

/// A name of an object, relation or subject that cannot be, or does not fit the model.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum NameError {
    /// Not of the form `type:id`, `type:id#relation` or `type:*`, or too long.
    Malformed,
    /// No such type in the model.
    TypeUnknown,
    /// The type has no such relation.
    RelationUnknown,
    /// The relation takes no tuple with such a subject.
    NotAllowed,
    /// More types, relations or objects than a tenant may name.
    TooMany,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not of the form type:id, type:id#relation or type:*",
            Self::TypeUnknown => "no such type in the model",
            Self::RelationUnknown => "no such relation of this type",
            Self::NotAllowed => "the relation takes no such subject",
            Self::TooMany => "too many names",
        })
    }
}

impl std::error::Error for NameError {}

/// Why a question has no answer. Never a permit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AskError {
    /// Something that the question names cannot be (`OpenFGA`: 2000).
    Query(NameError),
    /// A tuple that came with the question does not fit the model (`OpenFGA`: 2027).
    Contextual(NameError),
    /// The answer lies deeper than the limit (`OpenFGA`: 2002).
    DepthExceeded,
    /// The question costs more steps than one question may.
    BudgetExhausted,
}

impl AskError {
    /// The number that `OpenFGA` gives this error; a budget is theirs too as "too complex".
    #[must_use]
    pub fn openfga_code(self) -> u16 {
        match self {
            Self::Query(_) => 2000,
            Self::Contextual(_) => 2027,
            Self::DepthExceeded | Self::BudgetExhausted => 2002,
        }
    }

    /// What a question that failed is paid for with: all that it might have spent, where it was on its way.
    #[must_use]
    pub const fn steps(self, budget: u32) -> u32 {
        match self {
            Self::DepthExceeded | Self::BudgetExhausted => budget,
            Self::Query(_) | Self::Contextual(_) => 1,
        }
    }
}

/// The refusal that stands for it.
impl From<AskError> for Refusal {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Query(_) => Self::RelationUnknown,
            AskError::Contextual(_) => Self::RelationMismatch,
            AskError::DepthExceeded => Self::RelationTooDeep,
            AskError::BudgetExhausted => Self::RelationBudget,
        }
    }
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query(error) => write!(f, "{error}"),
            Self::Contextual(error) => write!(f, "a tuple of the request: {error}"),
            Self::DepthExceeded => write!(f, "the answer lies deeper than the limit"),
            Self::BudgetExhausted => write!(f, "the question costs more steps than one may"),
        }
    }
}

impl std::error::Error for AskError {}
