//! The instructions of a program: each takes its operands from a stack and leaves its result there.

use crate::value::{Value, Word};

/// A part of the question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Variable {
    /// Who asks.
    Subject,
    /// What is to be done.
    Action,
    /// To what.
    Resource,
    /// The circumstances.
    Context,
}

/// How two numbers, instants or durations are compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Than {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// What is asked of an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IpKind {
    /// Of the fourth version.
    Four,
    /// Of the sixth.
    Six,
    /// This machine.
    Loopback,
    /// For many listeners.
    Multicast,
}

/// The extension that a text is read by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reading {
    /// An address or network.
    Ip,
    /// A decimal.
    Decimal,
    /// An instant.
    Datetime,
    /// A duration.
    Duration,
}

/// What is done with two numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sum {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
}

/// What is asked of a set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SetKind {
    /// Whether it has an item.
    Contains,
    /// Whether it has all items of another.
    ContainsAll,
    /// Whether it has an item in common with another.
    ContainsAny,
}

/// Extensions with one operand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Single {
    /// Reads a text.
    Read(Reading),
    /// Asks about an address.
    IpIs(IpKind),
    /// The start of the day.
    ToDate,
    /// The time of the day.
    ToTime,
    /// A duration in units of so many milliseconds.
    Whole(i64),
}

/// Extensions with two operands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pair {
    /// Compares decimals.
    Decimal(Than),
    /// Whether an address lies in a network.
    InRange,
    /// An instant later by a duration.
    Offset,
    /// The duration between two instants.
    Since,
}

/// An instruction. Jumps lead forward only, so that every program ends.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// Puts a constant.
    Push(Value),
    /// Puts a part of the question.
    Load(Variable),
    /// Puts the top once more.
    Double,
    /// Takes the top away.
    Drop,
    /// The attribute of an entity or record.
    Attribute(Word),
    /// Whether an entity or record has attributes, each of the one before: a run of the words of the policies.
    Has {
        /// Its first word.
        start: u32,
        /// Its words.
        len: u32,
    },
    /// Whether an entity has a tag.
    HasTag,
    /// The tag of an entity.
    Tag,
    /// Leaves false and jumps, or takes true away.
    And(u32),
    /// Leaves true and jumps, or takes false away.
    Or(u32),
    /// Takes the top away, and jumps when it is false.
    Unless(u32),
    /// Jumps.
    Jump(u32),
    /// Fails when the top is neither true nor false.
    Truth,
    /// `!`
    Not,
    /// `-`
    Negate,
    /// `+`, `-`, `*`
    Arithmetic(Sum),
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`, `<=`, `>`, `>=`
    Order(Than),
    /// Whether an entity is of a type.
    Is(Word),
    /// Whether an entity is another, or one of a set, or below one.
    In,
    /// Asks about a set.
    Sets(SetKind),
    /// Whether a set has no item.
    IsEmpty,
    /// Whether a text has a form.
    Like(u32),
    /// A set of so many values from the stack.
    Set(u32),
    /// A record of so many values from the stack, in the order of the words of the policies from `start`.
    Record {
        /// The first name.
        start: u32,
        /// The names.
        len: u32,
    },
    /// An extension with one operand.
    Single(Single),
    /// An extension with two operands.
    Pair(Pair),
}

impl Op {
    /// Where it may jump to.
    pub(crate) const fn target(self) -> Option<u32> {
        if let Self::And(to) | Self::Or(to) | Self::Unless(to) | Self::Jump(to) = self {
            Some(to)
        } else {
            None
        }
    }

    /// The same jump to another place.
    pub(crate) const fn to(self, to: u32) -> Self {
        if let Self::And(_) = self {
            Self::And(to)
        } else if let Self::Or(_) = self {
            Self::Or(to)
        } else if let Self::Unless(_) = self {
            Self::Unless(to)
        } else {
            Self::Jump(to)
        }
    }

    /// How many values more than it takes it may leave.
    pub(crate) const fn grows(self) -> bool {
        matches!(
            self,
            Self::Push(_) | Self::Load(_) | Self::Double | Self::Set(0) | Self::Record { len: 0, .. }
        )
    }

    /// Cells that it makes.
    pub(crate) const fn makes(self) -> u32 {
        if let Self::Set(items) = self {
            items
        } else if let Self::Record { len, .. } = self {
            len.saturating_mul(2)
        } else {
            0
        }
    }
}
