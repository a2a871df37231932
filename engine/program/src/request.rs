//! A question: who, what, to what, and the circumstances, with numbers of its own for what nobody knew.

use crate::entities::{Entities, Fact, Row};
use crate::names::{Names, Numbers, number};
use crate::term::{Store, Term};
use crate::value::{Heap, Span, Uid, Value, Word};
use std::collections::BTreeMap;

/// A type and an id.
#[derive(Clone, Copy, Debug)]
pub struct EntityRef<'a> {
    /// The type.
    pub kind: &'a str,
    /// The id.
    pub id: &'a str,
}

/// A question, in the numbers of `names`. What no policy and no stored entity speaks of has numbers behind
/// those, so that equal texts have equal numbers here too.
#[derive(Debug)]
pub struct Request<'a> {
    numbers: Local<'a>,
    pub(crate) subject: Uid,
    pub(crate) action: Uid,
    pub(crate) resource: Uid,
    pub(crate) context: Span,
    pub(crate) heap: Vec<Value>,
    /// Entities sent with the question; they stand before the stored ones.
    pub(crate) sent: Entities,
}

#[derive(Debug)]
struct Local<'a> {
    names: &'a Names,
    own: Names,
}

impl Numbers for Local<'_> {
    fn word(&mut self, text: &str) -> Word {
        let known = self.names.known_word(text);
        known.unwrap_or_else(|| Word(self.own.word(text).0.saturating_add(number(self.names.words().len()))))
    }

    fn uid(&mut self, kind: &str, id: &str) -> Uid {
        let pair = (self.word(kind), self.word(id));
        let known = self.names.known_uid(pair);
        known.unwrap_or_else(|| Uid(self.own.pair(pair).0.saturating_add(number(self.names.uids().len()))))
    }
}

impl<'a> Request<'a> {
    /// A question. `None` when a value of the context is too deep.
    #[must_use]
    pub fn new(
        names: &'a Names,
        (subject, action, resource): (EntityRef<'_>, EntityRef<'_>, EntityRef<'_>),
        context: &BTreeMap<String, Term>,
    ) -> Option<Self> {
        let mut numbers = Local { names, own: Names::default() };
        let mut heap = Vec::new();
        let mut uid = |one: EntityRef<'_>| numbers.uid(one.kind, one.id);
        let (subject, action, resource) = (uid(subject), uid(action), uid(resource));
        let mut store = Store { names: &mut numbers, heap: &mut heap, which: Heap::Request };
        let fields = context.iter().map(|(name, value)| (name.as_str(), value));
        let context = store.fields(fields, crate::term::TERM_DEPTH_MAX)?;
        Some(Self { numbers, subject, action, resource, context, heap, sent: Entities::of(Heap::Request) })
    }

    /// Adds an entity that is known for this question only. False when a value is too deep.
    pub fn send(&mut self, entity: EntityRef<'_>, fact: &Fact) -> bool {
        std::mem::swap(&mut self.heap, &mut self.sent.heap);
        let done = self.sent.put_with(&mut self.numbers, entity.kind, entity.id, fact);
        std::mem::swap(&mut self.heap, &mut self.sent.heap);
        done
    }

    pub(crate) fn text(&self, word: Word) -> &str {
        let (at, base) = (word.0 as usize, self.numbers.names.words());
        match base.get(at) {
            Some(text) => text,
            None => self.numbers.own.words().get(at.wrapping_sub(base.len())).map_or("", |text| text),
        }
    }

    /// The type of an entity.
    pub(crate) fn kind(&self, uid: Uid) -> Option<Word> {
        let (at, base) = (uid.0 as usize, self.numbers.names.uids());
        let pair = base.get(at).or_else(|| self.numbers.own.uids().get(at.wrapping_sub(base.len())));
        pair.map(|(kind, _)| *kind)
    }

    /// What is known of an entity, and the table that it stands in.
    pub(crate) fn row<'e>(&'e self, stored: &'e Entities, uid: Uid) -> Option<(&'e Row, &'e Entities)> {
        if !self.sent.is_empty()
            && let Some(row) = self.sent.sent_row(uid)
        {
            return Some((row, &self.sent));
        }
        stored.row(uid).map(|row| (row, stored))
    }
}
