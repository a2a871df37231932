//! Writing a program: the numbers and texts of docs/file.md.

use super::{ORDERS, PAIRS, SETS, SINGLES, SUMS, VARIABLES, fold, place};
use crate::names::Names;
use crate::op::{Op, Single};
use crate::pattern::Pattern;
use crate::policies::{Policies, Scope};
use crate::shape::{Kind, Shape};
use crate::term::Term;
use crate::value::{Heap, Ip, Span, Value, Word};
use std::collections::BTreeMap;

pub(super) struct Out<'a> {
    pub(super) bytes: Vec<u8>,
    pub(super) policies: &'a Policies,
    pub(super) names: &'a Names,
}

impl Out<'_> {
    pub(super) fn number(&mut self, mut number: u64) {
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

    pub(super) fn flag(&mut self, flag: bool) {
        self.bytes.push(u8::from(flag));
    }

    pub(super) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    pub(super) fn word(&mut self, word: Word) {
        self.number(u64::from(word.0));
    }

    pub(super) fn each<T>(&mut self, items: &[T], mut put: impl FnMut(&mut Self, &T)) {
        self.number(items.len() as u64);
        items.iter().for_each(|item| put(self, item));
    }

    pub(super) fn pairs<'p>(&mut self, pairs: impl ExactSizeIterator<Item = &'p (String, String)>) {
        self.number(pairs.len() as u64);
        pairs.for_each(|(kind, id)| {
            self.text(kind);
            self.text(id);
        });
    }

    pub(super) fn scope(&mut self, scope: &Scope) {
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

    pub(super) fn fields(&mut self, fields: &BTreeMap<String, Term>) {
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
            let constants =
                if span.heap == Heap::Constants { self.policies.constants.as_slice() } else { &[] };
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

    pub(super) fn op(&mut self, op: Op) {
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

    pub(super) fn shape(&mut self, shape: &Shape) {
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
