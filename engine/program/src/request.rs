//! A question: who, what, to what, and the circumstances, with numbers of its own for what nobody knew.

use crate::brief::{Brief, put_briefs};
use crate::entities::{Entities, Fact, Row};
use crate::names::{Names, Numbers, number};
use crate::term::{Store, Term};
use crate::value::{Heap, Span, Uid, Value, Word};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};

/// A type and an id.
#[derive(Clone, Copy, Debug)]
pub struct EntityRef<'a> {
    /// The type.
    pub kind: &'a str,
    /// The id.
    pub id: &'a str,
}

/// Up to so many texts and entities of its own a question looks through them one by one.
const FEW: usize = 64;

/// No text.
const FREE: u32 = u32::MAX;

/// Texts and entities that only a question speaks of.
#[derive(Debug, Default)]
struct Own {
    text: String,
    words: Vec<(usize, usize)>,
    uids: Vec<(Word, Word)>,
    /// Where the texts are, by their hash under keys of this process, once they are many; as much again stays free.
    slots: Vec<u32>,
    keys: RandomState,
    /// The same of the entities.
    by_pair: HashMap<(Word, Word), u32>,
}

impl Own {
    fn clear(&mut self) {
        self.text.clear();
        self.words.clear();
        self.uids.clear();
        self.slots.clear();
        self.by_pair.clear();
    }

    fn get(&self, at: usize) -> Option<&str> {
        let (start, end) = self.words.get(at)?;
        self.text.get(*start..*end)
    }

    fn word(&mut self, text: &str) -> u32 {
        let known = if self.slots.is_empty() {
            (0..self.words.len()).find(|at| self.get(*at) == Some(text)).map(number)
        } else {
            let mut found = self.probe(text).map(|slot| self.slots.get(slot).copied().unwrap_or(FREE));
            found.find(|at| *at == FREE || self.get(*at as usize) == Some(text)).filter(|at| *at != FREE)
        };
        if let Some(known) = known {
            return known;
        }
        let (at, start) = (number(self.words.len()), self.text.len());
        self.text.push_str(text);
        self.words.push((start, self.text.len()));
        if self.words.len() > FEW {
            if self.words.len() * 2 > self.slots.len() {
                let many = (self.words.len() * 4).next_power_of_two();
                self.slots.clear();
                self.slots.resize(many, FREE);
                (0..at).for_each(|at| self.place(at));
            }
            self.place(at);
        }
        at
    }

    /// The slots where a text may stand, in their order.
    fn probe(&self, text: &str) -> impl Iterator<Item = usize> + use<> {
        let mask = self.slots.len().wrapping_sub(1);
        let hash = usize::try_from(self.keys.hash_one(text) & 0xffff_ffff).unwrap_or(0);
        (0..self.slots.len()).map(move |step| hash.wrapping_add(step) & mask)
    }

    fn place(&mut self, at: u32) {
        let Some(text) = self.get(at as usize) else { return };
        let free = self.probe(text).find(|slot| self.slots.get(*slot) == Some(&FREE));
        if let Some(slot) = free.and_then(|slot| self.slots.get_mut(slot)) {
            *slot = at;
        }
    }

    fn pair(&mut self, pair: (Word, Word)) -> u32 {
        let known = if self.by_pair.is_empty() {
            self.uids.iter().position(|one| *one == pair).map(number)
        } else {
            self.by_pair.get(&pair).copied()
        };
        if let Some(known) = known {
            return known;
        }
        let at = number(self.uids.len());
        self.uids.push(pair);
        if self.uids.len() > FEW {
            if self.by_pair.is_empty() {
                // Not collected: the room of the last question is used again.
                self.by_pair.extend((0..).zip(&self.uids).map(|(at, pair)| (*pair, at)));
            }
            self.by_pair.insert(pair, at);
        }
        at
    }
}

/// Room that questions are made in: taken once, used again and again.
#[derive(Debug)]
pub struct Desk {
    own: Own,
    heap: Vec<Value>,
    briefs: Vec<Brief>,
    sent: Entities,
    stack: Vec<Value>,
    cells: Vec<(Word, Value)>,
    above: Vec<Uid>,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            own: Own::default(),
            heap: Vec::new(),
            briefs: Vec::new(),
            sent: Entities::of(Heap::Request),
            stack: Vec::new(),
            cells: Vec::new(),
            above: Vec::new(),
        }
    }
}

/// A question, in the numbers of `names`. What no policy and no stored entity speaks of has numbers behind
/// those, so that equal texts have equal numbers here too.
///
/// COST: what a decision looks at comes first and lies in one line of the cache; the rest is room to make questions in.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Request<'a> {
    /// The circumstances in short.
    pub(crate) briefs: Vec<Brief>,
    pub(crate) subject: Uid,
    pub(crate) action: Uid,
    pub(crate) resource: Uid,
    /// Whether any entities were sent.
    pub(crate) sends: bool,
    pub(crate) heap: Vec<Value>,
    pub(crate) context: Span,
    /// Entities sent with the question; they stand before the stored ones.
    pub(crate) sent: Entities,
    numbers: Local<'a>,
    stack: Vec<Value>,
    cells: Vec<(Word, Value)>,
    above: Vec<Uid>,
}

#[derive(Debug)]
struct Local<'a> {
    names: &'a Names,
    own: Own,
}

impl Numbers for Local<'_> {
    fn word(&mut self, text: &str) -> Word {
        let known = self.names.known_word(text);
        known.unwrap_or_else(|| Word(self.own.word(text).saturating_add(number(self.names.words().len()))))
    }

    fn uid(&mut self, kind: &str, id: &str) -> Uid {
        let pair = (self.word(kind), self.word(id));
        let known = self.names.known_uid(pair);
        known.unwrap_or_else(|| Uid(self.own.pair(pair).saturating_add(number(self.names.uids().len()))))
    }
}

impl<'a> Request<'a> {
    /// A question. `None` when a value of the context is too deep.
    #[must_use]
    pub fn new(
        names: &'a Names,
        who: (EntityRef<'_>, EntityRef<'_>, EntityRef<'_>),
        context: &BTreeMap<String, Term>,
    ) -> Option<Self> {
        let mut request = Self::begin(names, who, Desk::default());
        request.tell(context, &[]).then_some(request)
    }

    /// A question without circumstances, made in room that is there. Allocates nothing once the room is large enough.
    #[must_use]
    pub fn begin(
        names: &'a Names,
        (subject, action, resource): (EntityRef<'_>, EntityRef<'_>, EntityRef<'_>),
        desk: Desk,
    ) -> Self {
        let Desk { mut own, mut heap, mut briefs, mut sent, mut stack, mut cells, mut above } = desk;
        own.clear();
        heap.clear();
        briefs.clear();
        sent.clear();
        stack.clear();
        cells.clear();
        above.clear();
        let mut numbers = Local { names, own };
        let mut uid = |one: EntityRef<'_>| numbers.uid(one.kind, one.id);
        let (subject, action, resource) = (uid(subject), uid(action), uid(resource));
        let context = Span { heap: Heap::Request, start: 0, len: 0 };
        let sends = false;
        Self { briefs, subject, action, resource, sends, heap, context, sent, numbers, stack, cells, above }
    }

    /// Gives the room back.
    #[must_use]
    pub fn end(self) -> Desk {
        let Self { numbers, heap, briefs, sent, stack, cells, above, .. } = self;
        Desk { own: numbers.own, heap, briefs, sent, stack, cells, above }
    }

    /// Who asks.
    #[must_use]
    pub const fn subject(&self) -> Uid {
        self.subject
    }

    /// What is to be done.
    #[must_use]
    pub const fn action(&self) -> Uid {
        self.action
    }

    /// Asks about another action from now on; its circumstances are to be told.
    pub fn turn_to(&mut self, kind: &str, id: &str) {
        self.action = self.numbers.uid(kind, id);
        // The circumstances of the one before make room when nothing came behind them.
        let Span { start, len, .. } = self.context;
        if (start as usize).saturating_add(2 * len as usize) == self.heap.len() {
            self.heap.truncate(start as usize);
        }
        self.context = Span { heap: Heap::Request, start: 0, len: 0 };
        self.briefs.clear();
    }

    /// Says the circumstances: those of a text, and those that have numbers already. False when a value is too deep.
    pub fn tell(&mut self, context: &BTreeMap<String, Term>, given: &[(Word, Value)]) -> bool {
        self.cells.clear();
        for (name, term) in context {
            let mut store = Store {
                names: &mut self.numbers,
                heap: &mut self.heap,
                which: Heap::Request,
                stack: &mut self.stack,
            };
            let name = store.names.word(name);
            let Some(value) = store.put(term) else { return false };
            self.cells.push((name, value));
        }
        self.cells.extend_from_slice(given);
        self.context = self.record();
        self.briefs.clear();
        put_briefs(&self.heap, self.context, &mut self.briefs);
        true
    }

    /// Stores the cells as a record.
    fn record(&mut self) -> Span {
        self.cells.sort_unstable_by_key(|(name, _)| *name);
        let (start, len) = (number(self.heap.len()), number(self.cells.len()));
        self.heap.extend(self.cells.iter().flat_map(|(name, value)| [Value::Text(*name), *value]));
        self.cells.clear();
        Span { heap: Heap::Request, start, len }
    }

    /// The number of a text, its own when nobody knows it.
    pub fn word(&mut self, text: &str) -> Word {
        self.numbers.word(text)
    }

    /// The number of an entity, its own when nobody knows it.
    pub fn uid(&mut self, kind: &str, id: &str) -> Uid {
        self.numbers.uid(kind, id)
    }

    /// An attribute of the entity that is described next.
    pub fn attribute(&mut self, name: Word, value: Value) {
        self.cells.push((name, value));
    }

    /// Something that the entity which is described next lies in, directly or not.
    pub fn lies_in(&mut self, other: Uid) {
        self.above.push(other);
    }

    /// Describes an entity for this question only, by the attributes and ancestors said since the last one.
    pub fn describe(&mut self, uid: Uid) {
        let attributes = self.record();
        self.sent.put_row(uid, (&self.heap, attributes), &mut self.above);
        self.sends = true;
    }

    /// Adds an entity that is known for this question only. False when a value is too deep.
    pub fn send(&mut self, entity: EntityRef<'_>, fact: &Fact) -> bool {
        std::mem::swap(&mut self.heap, &mut self.sent.heap);
        let done = self.sent.put_with(&mut self.numbers, (entity.kind, entity.id), fact, &mut self.stack);
        std::mem::swap(&mut self.heap, &mut self.sent.heap);
        self.sends |= done;
        done
    }

    pub(crate) fn text(&self, word: Word) -> &str {
        let (at, base) = (word.0 as usize, self.numbers.names.words());
        match base.get(at) {
            Some(text) => text,
            None => self.numbers.own.get(at.wrapping_sub(base.len())).unwrap_or_default(),
        }
    }

    /// The type of an entity.
    pub(crate) fn kind(&self, uid: Uid) -> Option<Word> {
        let (at, base) = (uid.0 as usize, self.numbers.names.uids());
        let pair = base.get(at).or_else(|| self.numbers.own.uids.get(at.wrapping_sub(base.len())));
        pair.map(|(kind, _)| *kind)
    }

    /// What is known of an entity, and the table that it stands in.
    pub(crate) fn row<'e>(&'e self, stored: &'e Entities, uid: Uid) -> Option<(&'e Row, &'e Entities)> {
        if self.sends
            && let Some(row) = self.sent.sent_row(uid)
        {
            return Some((row, &self.sent));
        }
        stored.row(uid).map(|row| (row, stored))
    }
}
