//! Values as trees, before they are stored: what a parser gives.

use crate::names::{Numbers, number};
use crate::value::{Heap, Heaps, Ip, Span, Value};
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
                let mut values =
                    items.iter().map(|item| self.put_at(item, depth)).collect::<Option<Vec<Value>>>()?;
                let heaps = self.heaps();
                values.sort_by(|left, right| heaps.compare(*left, *right));
                values.dedup_by(|left, right| heaps.equal(*left, *right));
                Value::Set(self.run(values, 1))
            }
            Term::Record(fields) => {
                let fields = fields.iter().map(|(name, value)| (name.as_str(), value));
                Value::Record(self.fields(fields, depth)?)
            }
        })
    }

    /// Stores fields under their names.
    pub(crate) fn fields<'t>(
        &mut self,
        fields: impl Iterator<Item = (&'t str, &'t Term)>,
        depth: u32,
    ) -> Option<Span> {
        let mut pairs = Vec::new();
        for (name, value) in fields {
            pairs.push((self.names.word(name), self.put_at(value, depth)?));
        }
        pairs.sort_by_key(|(name, _)| *name);
        let cells = pairs.into_iter().flat_map(|(name, value)| [Value::Text(name), value]).collect();
        Some(self.run(cells, 2))
    }

    fn run(&mut self, values: Vec<Value>, each: u32) -> Span {
        let start = number(self.heap.len());
        let len = number(values.len()) / each;
        self.heap.extend(values);
        Span { heap: self.which, start, len }
    }

    fn heaps(&self) -> Heaps<'_> {
        let at = |which: Heap| if which == self.which { self.heap.as_slice() } else { &[] };
        Heaps {
            constants: at(Heap::Constants),
            entities: at(Heap::Entities),
            request: at(Heap::Request),
            made: &[],
        }
    }
}
