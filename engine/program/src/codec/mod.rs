//! Programs as bytes: names, policies and the shape they were checked against, so that what was compiled once is
//! read again without the language. Reading is total: bytes that are no program are an error, never a surprise.
//!
//! Numbers are LEB128, signed ones folded first; texts stand behind their length. What is read goes through the
//! [`Assembler`], which holds every program to its limits.

mod read;
mod write;

use crate::entities::Fact;
use crate::names::Names;
use crate::op::{IpKind, Op, Pair, Reading, SetKind, Single, Sum, Than, Variable};
use crate::policies::{Effect, Policies};
use crate::shape::Shape;
use crate::term::TERM_DEPTH_MAX;
use read::In;
use std::collections::BTreeSet;
use std::fmt;
use write::Out;

/// The first byte: which form the rest has.
const FORM: u8 = 1;

/// Bytes that are no program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CodecError;

impl fmt::Display for CodecError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("these bytes are no program")
    }
}

impl std::error::Error for CodecError {}

type Read<T> = Result<T, CodecError>;

/// A program: policies, the numbers that they are written in, and what they were checked against.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The numbers.
    pub names: Names,
    /// The policies.
    pub policies: Policies,
    /// What the schema says.
    pub shape: Shape,
}

impl Program {
    /// The program as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Out { bytes: vec![FORM], policies: &self.policies, names: &self.names };
        out.each(self.names.words(), |out, word| out.text(word));
        out.each(self.names.uids(), |out, (kind, id)| {
            out.word(*kind);
            out.word(*id);
        });
        out.shape(&self.shape);
        out.each(&self.policies.policies, |out, policy| {
            out.flag(policy.head.effect == Effect::Forbid);
            out.text(&policy.head.name);
            out.scope(&policy.head.subject);
            out.flag(policy.head.actions.is_some());
            if let Some(actions) = &policy.head.actions {
                out.each(actions, |out, uid| out.number(u64::from(uid.0)));
            }
            out.flag(policy.head.below);
            out.scope(&policy.head.resource);
            out.each(&policy.code, |out, op| out.op(*op));
        });
        out.bytes
    }

    /// Reads a program.
    ///
    /// # Errors
    /// When the bytes are none, or it breaks a limit.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut from = In { bytes, names: Names::default() };
        if from.byte()? != FORM {
            return Err(CodecError);
        }
        for nth in 0..from.number()? {
            let text = from.text()?;
            let word = from.names.word(&text);
            if u64::from(word.0) != nth {
                return Err(CodecError);
            }
        }
        for nth in 0..from.number()? {
            let pair = (from.word()?, from.word()?);
            if u64::from(from.names.pair(pair).0) != nth {
                return Err(CodecError);
            }
        }
        let shape = from.shape()?;
        let mut policies = Policies::default();
        for _ in 0..from.number()? {
            from.policy(&mut policies)?;
        }
        if !from.bytes.is_empty() {
            return Err(CodecError);
        }
        Ok(Self { names: from.names, policies, shape })
    }
}

impl Fact {
    /// What is known of an entity, as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (policies, names) = (Policies::default(), Names::default());
        let mut out = Out { bytes: vec![FORM], policies: &policies, names: &names };
        for fields in [&self.attributes, &self.tags] {
            out.fields(fields);
        }
        out.pairs(self.ancestors.iter());
        out.bytes
    }

    /// Reads what is known of an entity.
    ///
    /// # Errors
    /// When the bytes are nothing of the kind.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut from = In { bytes, names: Names::default() };
        if from.byte()? != FORM {
            return Err(CodecError);
        }
        let (attributes, tags) = (from.fields(TERM_DEPTH_MAX)?, from.fields(TERM_DEPTH_MAX)?);
        let ancestors = from.pairs()?.into_iter().collect::<BTreeSet<_>>();
        if from.bytes.is_empty() { Ok(Self { attributes, tags, ancestors }) } else { Err(CodecError) }
    }
}

const fn fold(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

const fn unfold(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

/// Singles and pairs in the order of their numbers; units of time stand behind them.
const SINGLES: [Single; 10] = [
    Single::Read(Reading::Ip),
    Single::Read(Reading::Decimal),
    Single::Read(Reading::Datetime),
    Single::Read(Reading::Duration),
    Single::IpIs(IpKind::Four),
    Single::IpIs(IpKind::Six),
    Single::IpIs(IpKind::Loopback),
    Single::IpIs(IpKind::Multicast),
    Single::ToDate,
    Single::ToTime,
];
const PAIRS: [Pair; 7] = [
    Pair::Decimal(Than::Less),
    Pair::Decimal(Than::LessOrEqual),
    Pair::Decimal(Than::Greater),
    Pair::Decimal(Than::GreaterOrEqual),
    Pair::InRange,
    Pair::Offset,
    Pair::Since,
];
const ORDERS: [Than; 4] = [Than::Less, Than::LessOrEqual, Than::Greater, Than::GreaterOrEqual];
const SUMS: [Sum; 3] = [Sum::Add, Sum::Subtract, Sum::Multiply];
const SETS: [SetKind; 3] = [SetKind::Contains, SetKind::ContainsAll, SetKind::ContainsAny];
const VARIABLES: [Variable; 4] = [Variable::Subject, Variable::Action, Variable::Resource, Variable::Context];
/// Instructions without operands, in the order of their numbers, from 1.
const PLAIN: [Op; 11] = [
    Op::Double,
    Op::Drop,
    Op::HasTag,
    Op::Tag,
    Op::Truth,
    Op::Not,
    Op::Negate,
    Op::Equal,
    Op::Unequal,
    Op::In,
    Op::IsEmpty,
];

fn place<T: PartialEq>(all: &[T], one: &T) -> u64 {
    all.iter().position(|other| other == one).map_or(u64::MAX, |at| at as u64)
}

fn at<T: Copy>(all: &[T], nth: u64) -> Read<T> {
    usize::try_from(nth).ok().and_then(|nth| all.get(nth)).copied().ok_or(CodecError)
}
