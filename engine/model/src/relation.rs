//! Relations as commands and events carry them: tuples, changes of tuples, and the model's text.

use crate::id::PermissionId;
use crate::time::Deadline;

/// A tuple: a subject is in a relation to an object, for good or in a window.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RelationRecord {
    /// `type:id`.
    pub object: Box<str>,
    /// The relation's name.
    pub relation: Box<str>,
    /// `type:id`, `type:id#relation` or `type:*`.
    pub subject: Box<str>,
    /// First instant in which it counts; `NONE` for no beginning.
    pub from: Deadline,
    /// First instant in which it does not count any more; `NONE` for no end.
    pub until: Deadline,
}

/// What is to be done with a tuple.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum RelationAct {
    /// It stands from now on, with this window.
    Write,
    /// It is gone.
    Remove,
    /// Nothing: it is a condition of the others.
    Require,
}

impl RelationAct {
    /// Number on the wire: 1 to 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Write => 1,
            Self::Remove => 2,
            Self::Require => 3,
        }
    }

    /// The act with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Write),
            2 => Some(Self::Remove),
            3 => Some(Self::Require),
            _ => None,
        }
    }
}

/// What must be true of a tuple before its change, or nothing of the command happens.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum RelationCondition {
    /// Nothing: one that is already so is no error.
    Any,
    /// It must be there, whatever its window.
    Present,
    /// It must not be there.
    Absent,
}

impl RelationCondition {
    /// Number on the wire: 0 to 2.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Any => 0,
            Self::Present => 1,
            Self::Absent => 2,
        }
    }

    /// The condition with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Any),
            1 => Some(Self::Present),
            2 => Some(Self::Absent),
            _ => None,
        }
    }
}

/// One change of a command; they are looked at in their order, and all happen or none.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RelationChange {
    /// What is to be done.
    pub act: RelationAct,
    /// What must be true before.
    pub condition: RelationCondition,
    /// The tuple; its window counts where it is written.
    pub tuple: RelationRecord,
}

/// The relationship model of a tenant: its text, and how many there were before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RelationModelRecord {
    /// Counts the models of a tenant, from 1.
    pub version: u32,
    /// The text in the modeling language.
    pub text: Box<str>,
    /// When it was set.
    pub at: Deadline,
}

/// A permission that a relation to a resource gives, beside what roles grant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RelationMappingRecord {
    /// Which permission.
    pub permission: PermissionId,
    /// The type of the resource.
    pub type_name: Box<str>,
    /// The relation to it that gives the permission.
    pub relation: Box<str>,
}

/// LIMIT: bytes of a correlation id, as in `OpenFGA`.
const CORRELATION_BYTES_MAX: usize = 36;

/// Whether a text may be the correlation id of a question in a batch: letters, digits, `-` and `_`.
#[must_use]
pub fn is_correlation(id: &str) -> bool {
    (1..=CORRELATION_BYTES_MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
