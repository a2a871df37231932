//! Entities: attributes, tags and ancestors of each, in flat tables.

use crate::brief::{Brief, put_briefs};
use crate::names::{Names, Numbers, number};
use crate::term::{Store, TERM_DEPTH_MAX, Term};
use crate::value::{Heap, Span, Uid, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of an entity, as a parser gives it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Fact {
    /// Its attributes.
    pub attributes: BTreeMap<String, Term>,
    /// Its tags.
    pub tags: BTreeMap<String, Term>,
    /// All that it is in, directly or not: type and id.
    pub ancestors: BTreeSet<(String, String)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) attributes: Span,
    pub(crate) tags: Span,
    /// Its attributes in short.
    briefs: u32,
    start: u32,
    len: u32,
}

/// Entities by number.
#[derive(Clone, Debug)]
pub struct Entities {
    /// Stored ones, at the place of their number.
    rows: Vec<Option<Row>>,
    /// Those of a request, in the order of their numbers.
    few: Vec<(Uid, Row)>,
    pub(crate) heap: Vec<Value>,
    briefs: Vec<Brief>,
    ancestors: Vec<Uid>,
    which: Heap,
}

impl Default for Entities {
    fn default() -> Self {
        Self::of(Heap::Entities)
    }
}

impl Entities {
    pub(crate) const fn of(which: Heap) -> Self {
        Self {
            rows: Vec::new(),
            few: Vec::new(),
            heap: Vec::new(),
            briefs: Vec::new(),
            ancestors: Vec::new(),
            which,
        }
    }

    /// Stores an entity in place of what was known of it. False when a value is too deep: nothing happens.
    pub fn put(&mut self, names: &mut Names, kind: &str, id: &str, fact: &Fact) -> bool {
        self.put_with(names, (kind, id), fact, &mut Vec::new())
    }

    /// Says anew what a stored entity lies in, directly or not; what else is known of it stays.
    pub fn put_above<'a>(
        &mut self,
        names: &mut Names,
        (kind, id): (&str, &str),
        above: impl Iterator<Item = (&'a str, &'a str)>,
    ) {
        let uid = names.uid(kind, id);
        let Some(Some(row)) = self.rows.get(uid.0 as usize).copied() else { return };
        let mut above: Vec<Uid> = above.map(|(kind, id)| names.uid(kind, id)).collect();
        self.put_fields(uid, row, &mut above);
    }

    /// Forgets an entity. Its values stay in the table until it is made anew.
    pub fn remove(&mut self, names: &mut Names, kind: &str, id: &str) {
        let uid = names.uid(kind, id);
        if let Some(place) = self.rows.get_mut(uid.0 as usize) {
            *place = None;
        }
    }

    /// Values that the table holds, those of entities that are gone included.
    #[must_use]
    pub fn size(&self) -> usize {
        self.heap.len() + self.ancestors.len()
    }

    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.few.clear();
        self.heap.clear();
        self.briefs.clear();
        self.ancestors.clear();
    }

    pub(crate) fn put_with<N: Numbers>(
        &mut self,
        names: &mut N,
        (kind, id): (&str, &str),
        fact: &Fact,
        stack: &mut Vec<Value>,
    ) -> bool {
        let uid = names.uid(kind, id);
        let mut above: Vec<Uid> = fact.ancestors.iter().map(|(kind, id)| names.uid(kind, id)).collect();
        let mut store = Store { names, heap: &mut self.heap, which: self.which, stack };
        let mut put = |fields: &BTreeMap<String, Term>| {
            store.fields(fields.iter().map(|(name, value)| (name.as_str(), value)), TERM_DEPTH_MAX)
        };
        let (Some(attributes), Some(tags)) = (put(&fact.attributes), put(&fact.tags)) else { return false };
        let briefs = put_briefs(&self.heap, attributes, &mut self.briefs);
        self.put_fields(uid, Row { attributes, tags, briefs, start: 0, len: 0 }, &mut above);
        true
    }

    /// Stores an entity without tags of attributes that are in a heap already.
    pub(crate) fn put_row(&mut self, uid: Uid, (heap, attributes): (&[Value], Span), above: &mut Vec<Uid>) {
        let tags = Span { heap: self.which, start: 0, len: 0 };
        let briefs = put_briefs(heap, attributes, &mut self.briefs);
        self.put_fields(uid, Row { attributes, tags, briefs, start: 0, len: 0 }, above);
    }

    /// Stores what is known of an entity; where its ancestors stand is told here.
    fn put_fields(&mut self, uid: Uid, known: Row, above: &mut Vec<Uid>) {
        above.retain(|one| *one != uid);
        above.sort_unstable();
        above.dedup();
        let row = Row { start: number(self.ancestors.len()), len: number(above.len()), ..known };
        self.ancestors.append(above);
        match self.which {
            Heap::Entities => {
                let at = uid.0 as usize;
                if self.rows.len() <= at {
                    self.rows.resize(at + 1, None);
                }
                if let Some(place) = self.rows.get_mut(at) {
                    *place = Some(row);
                }
            }
            Heap::Constants | Heap::Request | Heap::Made => {
                let at = self.few.partition_point(|(one, _)| *one < uid);
                self.few.insert(at, (uid, row));
            }
        }
    }

    #[inline]
    pub(crate) fn row(&self, uid: Uid) -> Option<&Row> {
        self.rows.get(uid.0 as usize)?.as_ref()
    }

    #[inline]
    pub(crate) fn sent_row(&self, uid: Uid) -> Option<&Row> {
        let at = self.few.partition_point(|(one, _)| *one < uid);
        self.few.get(at).filter(|(one, _)| *one == uid).map(|(_, row)| row)
    }

    /// The attributes of an entity in short.
    #[inline]
    pub(crate) fn briefs(&self, row: &Row) -> &[Brief] {
        let start = row.briefs as usize;
        self.briefs.get(start..start.saturating_add(row.attributes.len as usize)).unwrap_or_default()
    }

    pub(crate) fn ancestors(&self, row: &Row) -> &[Uid] {
        let start = row.start as usize;
        self.ancestors.get(start..start.saturating_add(row.len as usize)).unwrap_or_default()
    }
}
