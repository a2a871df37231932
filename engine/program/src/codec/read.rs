//! Reading a program: any bytes give one, or an error.

use super::{CodecError, ORDERS, PAIRS, PLAIN, Read, SETS, SINGLES, SUMS, VARIABLES, at, unfold};
use crate::assemble::{Assembler, HeadRef, ScopeRef};
use crate::names::{Names, number};
use crate::op::{Op, Single};
use crate::pattern::Pattern;
use crate::policies::{Effect, Policies};
use crate::shape::{ActionShape, EntityShape, Field, Kind, Shape};
use crate::term::{TERM_DEPTH_MAX, Term};
use crate::value::{Ip, Word};
use std::collections::BTreeMap;

pub(super) struct In<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) names: Names,
}

impl In<'_> {
    pub(super) fn byte(&mut self) -> Read<u8> {
        let (first, rest) = self.bytes.split_first().ok_or(CodecError)?;
        self.bytes = rest;
        Ok(*first)
    }

    pub(super) fn number(&mut self) -> Read<u64> {
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

    pub(super) fn text(&mut self) -> Read<String> {
        let len = usize::try_from(self.number()?).map_err(|_| CodecError)?;
        let (text, rest) = self.bytes.split_at_checked(len).ok_or(CodecError)?;
        self.bytes = rest;
        std::str::from_utf8(text).map(str::to_owned).map_err(|_| CodecError)
    }

    pub(super) fn word(&mut self) -> Read<Word> {
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

    pub(super) fn pairs(&mut self) -> Read<Vec<(String, String)>> {
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

    pub(super) fn fields(&mut self, depth: u32) -> Read<BTreeMap<String, Term>> {
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
        let kind = kind
            .checked_sub(1)
            .map(|word| self.names.words().get(word as usize).map(|text| text.to_string()).ok_or(CodecError));
        Ok(ScopeText { is, within, kind: kind.transpose()? })
    }

    pub(super) fn policy(&mut self, policies: &mut Policies) -> Read<()> {
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

    pub(super) fn shape(&mut self) -> Read<Shape> {
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
            let mut ids = if self.flag()? { Some(self.each(Self::text)?) } else { None };
            ids.iter_mut().for_each(|ids| ids.sort_unstable());
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
