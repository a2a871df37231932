//! Values: small, copied, comparable. What is longer than a word stands in a heap and is pointed to.
//!
//! INVARIANT: sets are sorted by [`Heaps::compare`] without repetition, fields of records by their name, and
//! a text or an entity has one number within an evaluation. So equality never looks at a text.

use std::cell::Cell;
use std::cmp::Ordering;

/// The number of a text.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Word(pub(crate) u32);

/// The number of an entity: its type and its id.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Uid(pub(crate) u32);

/// Which heap a value stands in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Heap {
    /// Constants of the policies.
    Constants,
    /// Attributes and tags of the stored entities.
    Entities,
    /// The request: its context, and entities sent with it.
    Request,
    /// Made by the program that runs.
    Made,
}

/// A run of values in a heap: the items of a set, or name and value of each field of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Span {
    pub(crate) heap: Heap,
    pub(crate) start: u32,
    /// Items, or fields.
    pub(crate) len: u32,
}

/// An address or a network.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Ip {
    pub(crate) six: bool,
    pub(crate) prefix: u8,
    pub(crate) high: u64,
    pub(crate) low: u64,
}

/// A value of an expression.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Long(i64),
    /// A text.
    Text(Word),
    /// An entity.
    Entity(Uid),
    /// Ten-thousandths.
    Decimal(i64),
    /// Milliseconds since 1970.
    Datetime(i64),
    /// Milliseconds.
    Duration(i64),
    /// An address or a network.
    Ip(Ip),
    /// Different values without an order.
    Set(Span),
    /// Values under names.
    Record(Span),
}

impl Value {
    const fn rank(&self) -> u8 {
        match self {
            Self::Bool(_) => 0,
            Self::Long(_) => 1,
            Self::Text(_) => 2,
            Self::Entity(_) => 3,
            Self::Decimal(_) => 4,
            Self::Datetime(_) => 5,
            Self::Duration(_) => 6,
            Self::Ip(_) => 7,
            Self::Set(_) => 8,
            Self::Record(_) => 9,
        }
    }
}

/// The heaps that values of one evaluation point into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heaps<'a> {
    pub(crate) constants: &'a [Value],
    pub(crate) entities: &'a [Value],
    pub(crate) request: &'a [Value],
    pub(crate) made: &'a [Value],
    /// Steps that are left: one is taken for each pair of values that is compared. Where none is left all are equal,
    /// and whoever compares looks at what is left before he believes it.
    pub(crate) left: &'a Cell<u32>,
}

impl<'a> Heaps<'a> {
    /// The heap that a span stands in.
    pub(crate) const fn heap(&self, span: Span) -> &'a [Value] {
        match span.heap {
            Heap::Constants => self.constants,
            Heap::Entities => self.entities,
            Heap::Request => self.request,
            Heap::Made => self.made,
        }
    }

    /// The items of a set.
    pub(crate) fn items(&self, span: Span) -> &'a [Value] {
        cells(self.heap(span), span, span.len)
    }

    /// Name and value of each field of a record, one behind the other.
    fn fields(&self, span: Span) -> &'a [Value] {
        cells(self.heap(span), span, span.len.saturating_mul(2))
    }

    /// The field of this name.
    pub(crate) fn field(&self, span: Span, name: Word) -> Option<Value> {
        found(fields(self.heap(span), span), name).copied()
    }

    /// An order of all values, in which the equal ones are equal.
    pub(crate) fn compare(&self, left: Value, right: Value) -> Ordering {
        let Some(rest) = self.left.get().checked_sub(1) else { return Ordering::Equal };
        self.left.set(rest);
        match (left, right) {
            (Value::Set(left), Value::Set(right)) | (Value::Record(left), Value::Record(right))
                if left == right =>
            {
                Ordering::Equal
            }
            (Value::Bool(left), Value::Bool(right)) => left.cmp(&right),
            (Value::Long(left), Value::Long(right))
            | (Value::Decimal(left), Value::Decimal(right))
            | (Value::Datetime(left), Value::Datetime(right))
            | (Value::Duration(left), Value::Duration(right)) => left.cmp(&right),
            (Value::Text(left), Value::Text(right)) => left.cmp(&right),
            (Value::Entity(left), Value::Entity(right)) => left.cmp(&right),
            (Value::Ip(left), Value::Ip(right)) => left.cmp(&right),
            (Value::Set(left), Value::Set(right)) => self.runs(self.items(left), self.items(right)),
            (Value::Record(left), Value::Record(right)) => self.runs(self.fields(left), self.fields(right)),
            (left, right) => left.rank().cmp(&right.rank()),
        }
    }

    /// LIMIT: recursion is as deep as values are nested, and that has a limit where they are read.
    fn runs(&self, left: &[Value], right: &[Value]) -> Ordering {
        left.len().cmp(&right.len()).then_with(|| {
            let unequal = left.iter().zip(right).map(|(left, right)| self.compare(*left, *right));
            unequal.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        })
    }

    /// Whether two values are the same.
    pub(crate) fn equal(&self, left: Value, right: Value) -> bool {
        self.compare(left, right).is_eq()
    }

    /// Whether the set has this item.
    pub(crate) fn contains(&self, set: Span, item: Value) -> bool {
        self.items(set).binary_search_by(|one| self.compare(*one, item)).is_ok()
    }
}

fn cells(heap: &[Value], span: Span, cells: u32) -> &[Value] {
    let start = span.start as usize;
    heap.get(start..start.saturating_add(cells as usize)).unwrap_or_default()
}

/// Name and value of each field of a record that stands in a heap.
pub(crate) fn fields(heap: &[Value], span: Span) -> &[[Value; 2]] {
    cells(heap, span, span.len.saturating_mul(2)).as_chunks::<2>().0
}

/// Up to so many fields are looked through one by one.
pub(crate) const FEW: usize = 8;

/// The value of the field of this name.
#[inline]
pub(crate) fn found(fields: &[[Value; 2]], name: Word) -> Option<&Value> {
    let of = |pair: &&[Value; 2]| matches!(pair, [Value::Text(key), _] if *key == name);
    let [_, value] = if fields.len() <= FEW {
        fields.iter().find(of)?
    } else {
        fields.get(fields.binary_search_by(|[key, _]| named(*key, name)).ok()?)?
    };
    Some(value)
}

fn named(key: Value, name: Word) -> Ordering {
    match key {
        Value::Text(key) => key.cmp(&name),
        Value::Bool(_)
        | Value::Long(_)
        | Value::Entity(_)
        | Value::Decimal(_)
        | Value::Datetime(_)
        | Value::Duration(_)
        | Value::Ip(_)
        | Value::Set(_)
        | Value::Record(_) => Ordering::Less,
    }
}
