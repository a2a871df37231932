//! Values as trees, before they are stored: what a parser gives.

use crate::names::{Numbers, number};
use crate::value::{Heap, Heaps, Ip, Span, Value, Word};
use std::cell::Cell;
use std::collections::BTreeMap;

/// LIMIT: values may be this deep, so that comparing them has a bound.
pub const TERM_DEPTH_MAX: u32 = 192;

/// A value that belongs to nobody yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Term {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Long(i64),
    /// A text.
    Text(String),
    /// An entity.
    Entity {
        /// Its type.
        kind: String,
        /// Its id.
        id: String,
    },
    /// Ten-thousandths.
    Decimal(i64),
    /// Milliseconds since 1970.
    Datetime(i64),
    /// Milliseconds.
    Duration(i64),
    /// An address or a network.
    Ip(Ip),
    /// Values without an order.
    Set(Vec<Self>),
    /// Values under names.
    Record(BTreeMap<String, Self>),
}

/// Where a tree is stored: a heap, its name, and what its values may point into.
pub(crate) struct Store<'a, N> {
    pub(crate) names: &'a mut N,
    pub(crate) heap: &'a mut Vec<Value>,
    pub(crate) which: Heap,
    /// Values of trees that are not whole yet.
    pub(crate) stack: &'a mut Vec<Value>,
}

impl<N: Numbers> Store<'_, N> {
    /// Stores a tree. What is deeper than [`TERM_DEPTH_MAX`] is not stored.
    pub(crate) fn put(&mut self, term: &Term) -> Option<Value> {
        self.put_at(term, TERM_DEPTH_MAX)
    }

    fn put_at(&mut self, term: &Term, depth: u32) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        Some(match term {
            Term::Bool(value) => Value::Bool(*value),
            Term::Long(value) => Value::Long(*value),
            Term::Text(text) => Value::Text(self.names.word(text)),
            Term::Entity { kind, id } => Value::Entity(self.names.uid(kind, id)),
            Term::Decimal(value) => Value::Decimal(*value),
            Term::Datetime(value) => Value::Datetime(*value),
            Term::Duration(value) => Value::Duration(*value),
            Term::Ip(ip) => Value::Ip(*ip),
            Term::Set(items) => {
                let from = self.stack.len();
                for item in items {
                    let value = self.put_at(item, depth)?;
                    self.stack.push(value);
                }
                Value::Set(self.set(from))
            }
            Term::Record(fields) => {
                let fields = fields.iter().map(|(name, value)| (name.as_str(), value));
                Value::Record(self.fields(fields, depth)?)
            }
        })
    }

    /// Stores the values behind `from` on the stack as a set.
    fn set(&mut self, from: usize) -> Span {
        let heap = self.heap.as_slice();
        let at = |which: Heap| if which == self.which { heap } else { &[] };
        // What is stored has a length that is bounded where it is read; nobody waits for steps here.
        let left = Cell::new(u32::MAX);
        let heaps = Heaps {
            left: &left,
            constants: at(Heap::Constants),
            entities: at(Heap::Entities),
            request: at(Heap::Request),
            made: &[],
        };
        let mut kept = from;
        if let Some(items) = self.stack.get_mut(from..) {
            items.sort_unstable_by(|left, right| heaps.compare(*left, *right));
        }
        for next in from..self.stack.len() {
            let Some(item) = self.stack.get(next).copied() else { break };
            let last = kept.checked_sub(1).filter(|last| *last >= from).and_then(|last| self.stack.get(last));
            if last.is_some_and(|last| heaps.equal(*last, item)) {
                continue;
            }
            if let Some(place) = self.stack.get_mut(kept) {
                *place = item;
            }
            kept += 1;
        }
        self.stack.truncate(kept);
        self.run(from, 1)
    }

    /// Stores fields under their names.
    pub(crate) fn fields<'t>(
        &mut self,
        fields: impl Iterator<Item = (&'t str, &'t Term)>,
        depth: u32,
    ) -> Option<Span> {
        let from = self.stack.len();
        for (name, value) in fields {
            let name = self.names.word(name);
            let value = self.put_at(value, depth)?;
            self.stack.extend([Value::Text(name), value]);
        }
        let key = |cell: &Value| if let Value::Text(name) = cell { *name } else { Word(u32::MAX) };
        if let Some(cells) = self.stack.get_mut(from..) {
            let (pairs, _) = cells.as_chunks_mut::<2>();
            pairs.sort_unstable_by_key(|[name, _]| key(name));
        }
        Some(self.run(from, 2))
    }

    /// Moves what lies on the stack behind `from` into the heap.
    fn run(&mut self, from: usize, each: u32) -> Span {
        let start = number(self.heap.len());
        let len = number(self.stack.len().saturating_sub(from)) / each;
        self.heap.extend(self.stack.drain(from..));
        Span { heap: self.which, start, len }
    }
}
