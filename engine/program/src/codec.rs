//! Programs as bytes: names, policies and the shape they were checked against, so that what was compiled once is
//! read again without the language. Reading is total: bytes that are no program are an error, never a surprise.
//!
//! Numbers are LEB128, signed ones folded first; texts stand behind their length. What is read goes through the
//! [`Assembler`], which holds every program to its limits.

use crate::assemble::{Assembler, HeadRef, ScopeRef};
use crate::entities::Fact;
use crate::names::{Names, number};
use crate::op::{IpKind, Op, Pair, Reading, SetKind, Single, Sum, Than, Variable};
use crate::pattern::Pattern;
use crate::policies::{Effect, Policies, Scope};
use crate::shape::{ActionShape, EntityShape, Field, Kind, Shape};
use crate::term::{TERM_DEPTH_MAX, Term};
use crate::value::{Heap, Ip, Span, Value, Word};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

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

struct Out<'a> {
    bytes: Vec<u8>,
    policies: &'a Policies,
    names: &'a Names,
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
const VARIABLES: [Variable; 4] =
    [Variable::Subject, Variable::Action, Variable::Resource, Variable::Context];
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

impl Out<'_> {
    fn number(&mut self, mut number: u64) {
        loop {
            let [low, ..] = number.to_le_bytes();
            number >>= 7;
            if number == 0 && low < 0x80 {
                return self.bytes.push(low);
            }
            self.bytes.push(low | 0x80);
        }
    }

    fn signed(&mut self, number: i64) {
        self.number(fold(number));
    }

    fn flag(&mut self, flag: bool) {
        self.bytes.push(u8::from(flag));
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn word(&mut self, word: Word) {
        self.number(u64::from(word.0));
    }

    fn each<T>(&mut self, items: &[T], mut put: impl FnMut(&mut Self, &T)) {
        self.number(items.len() as u64);
        items.iter().for_each(|item| put(self, item));
    }

    fn pairs<'p>(&mut self, pairs: impl ExactSizeIterator<Item = &'p (String, String)>) {
        self.number(pairs.len() as u64);
        pairs.for_each(|(kind, id)| {
            self.text(kind);
            self.text(id);
        });
    }

    fn scope(&mut self, scope: &Scope) {
        let numbers =
            [scope.is.map(|uid| uid.0), scope.within.map(|uid| uid.0), scope.kind.map(|word| word.0)];
        numbers.into_iter().for_each(|number| self.number(number.map_or(0, |number| u64::from(number) + 1)));
    }

    fn ip(&mut self, ip: Ip) {
        self.flag(ip.six);
        self.bytes.push(ip.prefix);
        self.number(ip.high);
        self.number(ip.low);
    }

    fn fields(&mut self, fields: &BTreeMap<String, Term>) {
        self.number(fields.len() as u64);
        for (name, value) in fields {
            self.text(name);
            self.term(value);
        }
    }

    fn term(&mut self, term: &Term) {
        match term {
            Term::Bool(value) => self.bytes.push(u8::from(*value)),
            Term::Long(value) => {
                self.bytes.push(2);
                self.signed(*value);
            }
            Term::Text(text) => {
                self.bytes.push(3);
                self.text(text);
            }
            Term::Entity { kind, id } => {
                self.bytes.push(4);
                self.text(kind);
                self.text(id);
            }
            Term::Decimal(value) => {
                self.bytes.push(5);
                self.signed(*value);
            }
            Term::Datetime(value) => {
                self.bytes.push(6);
                self.signed(*value);
            }
            Term::Duration(value) => {
                self.bytes.push(7);
                self.signed(*value);
            }
            Term::Ip(ip) => {
                self.bytes.push(8);
                self.ip(*ip);
            }
            Term::Set(items) => {
                self.bytes.push(9);
                self.each(items, |out, item| out.term(item));
            }
            Term::Record(fields) => {
                self.bytes.push(10);
                self.fields(fields);
            }
        }
    }

    /// A constant as the tree that it was stored from.
    fn constant(&self, value: Value) -> Term {
        let text = |word: Word| self.names.words().get(word.0 as usize).map_or("", |text| text).to_owned();
        let cells = |span: Span, each: usize| {
            let constants = if span.heap == Heap::Constants { self.policies.constants.as_slice() } else { &[] };
            let start = span.start as usize;
            constants.get(start..start + span.len as usize * each).unwrap_or_default()
        };
        match value {
            Value::Bool(value) => Term::Bool(value),
            Value::Long(value) => Term::Long(value),
            Value::Text(word) => Term::Text(text(word)),
            Value::Entity(uid) => {
                let pair = self.names.uids().get(uid.0 as usize);
                let (kind, id) = pair.map_or_else(Default::default, |(kind, id)| (text(*kind), text(*id)));
                Term::Entity { kind, id }
            }
            Value::Decimal(value) => Term::Decimal(value),
            Value::Datetime(value) => Term::Datetime(value),
            Value::Duration(value) => Term::Duration(value),
            Value::Ip(ip) => Term::Ip(ip),
            Value::Set(span) => Term::Set(cells(span, 1).iter().map(|item| self.constant(*item)).collect()),
            Value::Record(span) => {
                let (pairs, _) = cells(span, 2).as_chunks::<2>();
                let fields = pairs.iter().map(|[name, value]| {
                    let name = if let Value::Text(word) = name { text(*word) } else { String::new() };
                    (name, self.constant(*value))
                });
                Term::Record(fields.collect())
            }
        }
    }

    fn words(&mut self, start: u32, len: u32) {
        let start = start as usize;
        let words = self.policies.words.get(start..start + len as usize).unwrap_or_default();
        self.number(words.len() as u64);
        words.iter().for_each(|word| self.number(u64::from(word.0)));
    }

    fn op(&mut self, op: Op) {
        let (code, operand) = match op {
            Op::Double => (1, None),
            Op::Drop => (2, None),
            Op::HasTag => (3, None),
            Op::Tag => (4, None),
            Op::Truth => (5, None),
            Op::Not => (6, None),
            Op::Negate => (7, None),
            Op::Equal => (8, None),
            Op::Unequal => (9, None),
            Op::In => (10, None),
            Op::IsEmpty => (11, None),
            Op::Set(items) => (20, Some(u64::from(items))),
            Op::Load(variable) => (21, Some(place(&VARIABLES, &variable))),
            Op::Attribute(word) => (22, Some(u64::from(word.0))),
            Op::And(to) => (23, Some(u64::from(to))),
            Op::Or(to) => (24, Some(u64::from(to))),
            Op::Unless(to) => (25, Some(u64::from(to))),
            Op::Jump(to) => (26, Some(u64::from(to))),
            Op::Arithmetic(sum) => (27, Some(place(&SUMS, &sum))),
            Op::Order(than) => (28, Some(place(&ORDERS, &than))),
            Op::Is(word) => (29, Some(u64::from(word.0))),
            Op::Sets(kind) => (30, Some(place(&SETS, &kind))),
            Op::Pair(pair) => (31, Some(place(&PAIRS, &pair))),
            Op::Single(Single::Whole(unit)) => (33, Some(fold(unit))),
            Op::Single(single) => (32, Some(place(&SINGLES, &single))),
            Op::Push(value) => {
                self.bytes.push(40);
                let term = self.constant(value);
                return self.term(&term);
            }
            Op::Has { start, len } => {
                self.bytes.push(41);
                return self.words(start, len);
            }
            Op::Record { start, len } => {
                self.bytes.push(42);
                return self.words(start, len);
            }
            Op::Like(pattern) => {
                self.bytes.push(43);
                let parts = self.policies.patterns.get(pattern as usize).map_or(&[][..], Pattern::parts);
                return self.each(parts, |out, part| out.text(part));
            }
        };
        self.bytes.push(code);
        if let Some(operand) = operand {
            self.number(operand);
        }
    }

    fn shape(&mut self, shape: &Shape) {
        self.each(&shape.kinds, |out, kind| match kind {
            Kind::Bool => out.bytes.push(0),
            Kind::Long => out.bytes.push(1),
            Kind::Text => out.bytes.push(2),
            Kind::Decimal => out.bytes.push(3),
            Kind::Datetime => out.bytes.push(4),
            Kind::Duration => out.bytes.push(5),
            Kind::Ip => out.bytes.push(6),
            Kind::Entity(of) => {
                out.bytes.push(7);
                out.text(of);
            }
            Kind::Set(of) => {
                out.bytes.push(8);
                out.number(u64::from(*of));
            }
            Kind::Record(fields) => {
                out.bytes.push(9);
                out.each(fields, |out, field| {
                    out.text(&field.name);
                    out.number(u64::from(field.kind));
                    out.flag(field.required);
                });
            }
        });
        self.number(shape.entities.len() as u64);
        for (name, entity) in &shape.entities {
            self.text(name);
            self.number(u64::from(entity.attributes));
            self.number(entity.tags.map_or(0, |tags| u64::from(tags) + 1));
            self.each(&entity.parents, |out, parent| out.text(parent));
            self.flag(entity.ids.is_some());
            if let Some(ids) = &entity.ids {
                self.each(ids, |out, id| out.text(id));
            }
        }
        self.number(shape.actions.len() as u64);
        for ((kind, id), action) in &shape.actions {
            self.text(kind);
            self.text(id);
            self.number(u64::from(action.context));
            self.pairs(action.above.iter());
        }
    }
}

struct In<'a> {
    bytes: &'a [u8],
    names: Names,
}

impl In<'_> {
    fn byte(&mut self) -> Read<u8> {
        let (first, rest) = self.bytes.split_first().ok_or(CodecError)?;
        self.bytes = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Read<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                return Err(CodecError);
            }
            number |= part << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(CodecError)
    }

    fn small(&mut self) -> Read<u32> {
        u32::try_from(self.number()?).map_err(|_| CodecError)
    }

    fn signed(&mut self) -> Read<i64> {
        self.number().map(unfold)
    }

    fn flag(&mut self) -> Read<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(CodecError),
        }
    }

    fn text(&mut self) -> Read<String> {
        let len = usize::try_from(self.number()?).map_err(|_| CodecError)?;
        let (text, rest) = self.bytes.split_at_checked(len).ok_or(CodecError)?;
        self.bytes = rest;
        std::str::from_utf8(text).map(str::to_owned).map_err(|_| CodecError)
    }

    fn word(&mut self) -> Read<Word> {
        let number = self.small()?;
        if (number as usize) < self.names.words().len() { Ok(Word(number)) } else { Err(CodecError) }
    }

    /// COST: an item has at least one byte, so a false count ends where the bytes end.
    fn each<T>(&mut self, mut take: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let count = self.number()?;
        if count > self.bytes.len() as u64 {
            return Err(CodecError);
        }
        (0..count).map(|_| take(self)).collect()
    }

    fn pairs(&mut self) -> Read<Vec<(String, String)>> {
        self.each(|from| Ok((from.text()?, from.text()?)))
    }

    fn uid(&self, number: u32) -> Read<(String, String)> {
        let text = |word: &Word| self.names.words().get(word.0 as usize).map(|text| text.to_string());
        let (kind, id) = self.names.uids().get(number as usize).ok_or(CodecError)?;
        Ok((text(kind).ok_or(CodecError)?, text(id).ok_or(CodecError)?))
    }

    fn ip(&mut self) -> Read<Ip> {
        let ip = Ip { six: self.flag()?, prefix: self.byte()?, high: self.number()?, low: self.number()? };
        let four = !ip.six && ip.prefix <= 32 && ip.high == 0 && ip.low <= u64::from(u32::MAX);
        if four || ip.six && ip.prefix <= 128 { Ok(ip) } else { Err(CodecError) }
    }

    fn fields(&mut self, depth: u32) -> Read<BTreeMap<String, Term>> {
        let fields = self.each(|from| Ok((from.text()?, from.term(depth)?)))?;
        Ok(fields.into_iter().collect())
    }

    fn term(&mut self, depth: u32) -> Read<Term> {
        let depth = depth.checked_sub(1).ok_or(CodecError)?;
        Ok(match self.byte()? {
            0 => Term::Bool(false),
            1 => Term::Bool(true),
            2 => Term::Long(self.signed()?),
            3 => Term::Text(self.text()?),
            4 => Term::Entity { kind: self.text()?, id: self.text()? },
            5 => Term::Decimal(self.signed()?),
            6 => Term::Datetime(self.signed()?),
            7 => Term::Duration(self.signed()?),
            8 => Term::Ip(self.ip()?),
            9 => Term::Set(self.each(|from| from.term(depth))?),
            10 => Term::Record(self.fields(depth)?),
            _ => return Err(CodecError),
        })
    }

    fn op(&mut self, code: u8) -> Read<Op> {
        Ok(match code {
            1..=11 => at(&PLAIN, u64::from(code) - 1)?,
            20 => Op::Set(self.small()?),
            21 => Op::Load(at(&VARIABLES, self.number()?)?),
            23 => Op::And(self.small()?),
            24 => Op::Or(self.small()?),
            25 => Op::Unless(self.small()?),
            26 => Op::Jump(self.small()?),
            27 => Op::Arithmetic(at(&SUMS, self.number()?)?),
            28 => Op::Order(at(&ORDERS, self.number()?)?),
            30 => Op::Sets(at(&SETS, self.number()?)?),
            31 => Op::Pair(at(&PAIRS, self.number()?)?),
            32 => Op::Single(at(&SINGLES, self.number()?)?),
            33 => Op::Single(Single::Whole(Some(self.signed()?).filter(|unit| *unit > 0).ok_or(CodecError)?)),
            _ => return Err(CodecError),
        })
    }

    fn scope(&mut self) -> Read<ScopeText> {
        let (is, within, kind) = (self.small()?, self.small()?, self.small()?);
        let uid = |number: u32| number.checked_sub(1).map(|number| self.uid(number)).transpose();
        let (is, within) = (uid(is)?, uid(within)?);
        let kind = kind.checked_sub(1).map(|word| {
            self.names.words().get(word as usize).map(|text| text.to_string()).ok_or(CodecError)
        });
        Ok(ScopeText { is, within, kind: kind.transpose()? })
    }

    fn policy(&mut self, policies: &mut Policies) -> Read<()> {
        let effect = if self.flag()? { Effect::Forbid } else { Effect::Permit };
        let (name, subject) = (self.text()?, self.scope()?);
        let actions = if self.flag()? {
            let numbers = self.each(Self::small)?;
            Some(numbers.into_iter().map(|number| self.uid(number)).collect::<Read<Vec<_>>>()?)
        } else {
            None
        };
        let (below, resource) = (self.flag()?, self.scope()?);
        let count = self.number()?;
        let mut names = std::mem::take(&mut self.names);
        let known = (names.words().len(), names.uids().len());
        let mut out = Assembler::new(policies, &mut names);
        for _ in 0..count {
            let code = self.byte()?;
            // The numbers are lent to the assembler meanwhile: texts are looked up through it.
            match code {
                40 => {
                    let term = self.term(TERM_DEPTH_MAX)?;
                    out.constant(&term).map_err(|_| CodecError)?;
                }
                41 | 42 => {
                    let words = self.each(Self::small)?;
                    let words = words.into_iter().map(|word| out.text(Word(word)).map(str::to_owned));
                    let words = words.collect::<Option<Vec<_>>>().ok_or(CodecError)?;
                    if code == 41 {
                        out.has(words.iter().map(String::as_str));
                    } else {
                        let words: Vec<&str> = words.iter().map(String::as_str).collect();
                        if out.order(words.iter().copied()) != words {
                            return Err(CodecError);
                        }
                        out.record(&words);
                    }
                }
                43 => {
                    let parts = self.each(Self::text)?.into_iter().map(String::into_boxed_str).collect();
                    out.like(Pattern::of(parts));
                }
                22 | 29 => {
                    let word = Word(self.small()?);
                    out.text(word).ok_or(CodecError)?;
                    out.put(if code == 22 { Op::Attribute(word) } else { Op::Is(word) });
                }
                _ => {
                    let op = self.op(code)?;
                    out.put(op);
                }
            }
        }
        let head = HeadRef {
            name: &name,
            effect,
            subject: subject.borrow(),
            actions: actions
                .as_ref()
                .map(|all| all.iter().map(|(kind, id)| (kind.as_str(), id.as_str())).collect()),
            below,
            resource: resource.borrow(),
        };
        out.finish(&head).map_err(|_| CodecError)?;
        // Whatever a program names stands in its own table.
        if (names.words().len(), names.uids().len()) != known {
            return Err(CodecError);
        }
        self.names = names;
        Ok(())
    }

    fn shape(&mut self) -> Read<Shape> {
        let mut kinds: Vec<Kind> = Vec::new();
        for _ in 0..self.number()? {
            let below = number(kinds.len());
            // A kind stands behind those within it, so that none holds itself.
            let within = |of: u32| if of < below { Ok(of) } else { Err(CodecError) };
            kinds.push(match self.byte()? {
                0 => Kind::Bool,
                1 => Kind::Long,
                2 => Kind::Text,
                3 => Kind::Decimal,
                4 => Kind::Datetime,
                5 => Kind::Duration,
                6 => Kind::Ip,
                7 => Kind::Entity(self.text()?),
                8 => Kind::Set(within(self.small()?)?),
                9 => Kind::Record(self.each(|from| {
                    Ok(Field { name: from.text()?, kind: within(from.small()?)?, required: from.flag()? })
                })?),
                _ => return Err(CodecError),
            });
        }
        let count = number(kinds.len());
        let known = |of: u32| if of < count { Ok(of) } else { Err(CodecError) };
        let (mut entities, mut actions) = (BTreeMap::new(), BTreeMap::new());
        for _ in 0..self.number()? {
            let (name, attributes) = (self.text()?, known(self.small()?)?);
            let tags = self.small()?.checked_sub(1).map(known).transpose()?;
            let parents = self.each(Self::text)?;
            let ids = if self.flag()? { Some(self.each(Self::text)?) } else { None };
            entities.insert(name, EntityShape { attributes, tags, parents, ids });
        }
        for _ in 0..self.number()? {
            let name = (self.text()?, self.text()?);
            let (context, above) = (known(self.small()?)?, self.pairs()?);
            actions.insert(name, ActionShape { context, above });
        }
        Ok(Shape { kinds, entities, actions })
    }
}

struct ScopeText {
    is: Option<(String, String)>,
    within: Option<(String, String)>,
    kind: Option<String>,
}

impl ScopeText {
    fn borrow(&self) -> ScopeRef<'_> {
        ScopeRef {
            kind: self.kind.as_deref(),
            is: self.is.as_ref().map(|(kind, id)| (kind.as_str(), id.as_str())),
            within: self.within.as_ref().map(|(kind, id)| (kind.as_str(), id.as_str())),
        }
    }
}
