//! Why a program has no result.

use std::fmt;

/// What went wrong while a policy was evaluated.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FaultReason {
    /// A value is of another type than the operator takes.
    Type,
    /// An entity or record has no such attribute.
    AttributeMissing,
    /// Nothing is known of the entity.
    EntityUnknown,
    /// The entity has no such tag.
    TagMissing,
    /// A number would be too large or too small.
    Overflow,
    /// A text is no address, decimal, instant or duration.
    Unreadable,
    /// The program is not whole: a fault of the compiler.
    Program,
    /// The question costs more steps than one question may.
    Exhausted,
}

impl FaultReason {
    /// A word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Type => "value of another type",
            Self::AttributeMissing => "attribute missing",
            Self::EntityUnknown => "entity unknown",
            Self::TagMissing => "tag missing",
            Self::Overflow => "overflow",
            Self::Unreadable => "text not readable",
            Self::Program => "program not whole",
            Self::Exhausted => "more steps than one question may take",
        }
    }
}

impl fmt::Display for FaultReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}
