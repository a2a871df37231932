//! Entities: attributes, tags and ancestors of each, in flat tables.

use crate::names::{Names, Numbers, number};
use crate::term::{Store, TERM_DEPTH_MAX, Term};
use crate::value::{Heap, Span, Uid, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of an entity, as a parser gives it.
#[derive(Clone, Debug, Default)]
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
        Self { rows: Vec::new(), few: Vec::new(), heap: Vec::new(), ancestors: Vec::new(), which }
    }

    /// Stores an entity in place of what was known of it. False when a value is too deep: nothing happens.
    pub fn put(&mut self, names: &mut Names, kind: &str, id: &str, fact: &Fact) -> bool {
        self.put_with(names, kind, id, fact)
    }

    pub(crate) fn put_with<N: Numbers>(&mut self, names: &mut N, kind: &str, id: &str, fact: &Fact) -> bool {
        let uid = names.uid(kind, id);
        let mut ancestors: Vec<Uid> =
            fact.ancestors.iter().map(|(kind, id)| names.uid(kind, id)).filter(|one| *one != uid).collect();
        ancestors.sort_unstable();
        ancestors.dedup();
        let mut store = Store { names, heap: &mut self.heap, which: self.which };
        let texts = |(name, value): (&'_ String, &'_ Term)| (name.clone(), value.clone());
        let (attributes, tags): (Vec<_>, Vec<_>) =
            (fact.attributes.iter().map(texts).collect(), fact.tags.iter().map(texts).collect());
        let mut put = |fields: &[(String, Term)]| {
            store.fields(fields.iter().map(|(name, value)| (name.as_str(), value)), TERM_DEPTH_MAX)
        };
        let (Some(attributes), Some(tags)) = (put(&attributes), put(&tags)) else { return false };
        let row = Row { attributes, tags, start: number(self.ancestors.len()), len: number(ancestors.len()) };
        self.ancestors.extend(ancestors);
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
        true
    }

    pub(crate) fn row(&self, uid: Uid) -> Option<&Row> {
        self.rows.get(uid.0 as usize)?.as_ref()
    }

    pub(crate) fn sent_row(&self, uid: Uid) -> Option<&Row> {
        let at = self.few.partition_point(|(one, _)| *one < uid);
        self.few.get(at).filter(|(one, _)| *one == uid).map(|(_, row)| row)
    }

    pub(crate) fn ancestors(&self, row: &Row) -> &[Uid] {
        let start = row.start as usize;
        self.ancestors.get(start..start.saturating_add(row.len as usize)).unwrap_or_default()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.few.is_empty()
    }
}
