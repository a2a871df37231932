//! The tuples of one tenant. A clone shares everything that is not changed afterwards.

use crate::edges::Edge;
use crate::objects::{ObjectId, Objects};
use crate::schema::Allowed;
use crate::words::{RelationId, TypeId};
use rpds::HashTrieMapSync;
use std::collections::hash_map::DefaultHasher;
use std::hash::BuildHasherDefault;
use tessera_model::{Deadline, UnixMillis};

/// From when and until when a tuple counts. Exact to the millisecond; none is without that end.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Window {
    /// The first second in which it counts.
    pub from: Deadline,
    /// The first second in which it does not count any more.
    pub until: Deadline,
}

impl Window {
    /// For good.
    pub const ALWAYS: Self = Self { from: Deadline::NONE, until: Deadline::NONE };

    /// Whether it is open at `now`, and when that changes by time alone.
    #[must_use]
    pub fn at(self, now: UnixMillis) -> (bool, UnixMillis) {
        let never = UnixMillis(u64::MAX);
        let begins = if self.from == Deadline::NONE { UnixMillis(0) } else { self.from.to_millis() };
        let ends = if self.until == Deadline::NONE { never } else { self.until.to_millis() };
        if ends <= begins || now >= ends {
            (false, never)
        } else if now < begins {
            (false, begins)
        } else {
            (true, ends)
        }
    }
}

/// What a write of a tuple did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Written {
    /// It was not there.
    New,
    /// It was there with another window.
    Changed,
    /// It was there just so.
    Same,
}

/// The standard hash without a random key, as everywhere in the root.
type FixedHasher = BuildHasherDefault<DefaultHasher>;
type Windows = HashTrieMapSync<(ObjectId, Edge), Window, FixedHasher>;

/// Who is what to whom.
#[derive(Clone)]
pub(crate) struct Tuples {
    pub(crate) objects: Objects,
    windows: Windows,
    len: u64,
}

/// A subject by number of its type and its id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    pub(crate) allowed: Allowed,
    pub(crate) id: &'a str,
}

impl Tuples {
    pub(crate) fn new() -> Self {
        let windows = Windows::new_with_hasher_and_ptr_kind(FixedHasher::default());
        Self { objects: Objects::new(), windows, len: 0 }
    }

    /// How many tuples there are.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The window of a stored edge.
    #[inline]
    pub(crate) fn window(&self, about: ObjectId, edge: Edge) -> Window {
        if edge.is_timed() {
            self.windows.get(&(about, edge.key())).copied().unwrap_or_default()
        } else {
            Window::ALWAYS
        }
    }

    /// The tuple, when it is there.
    pub(crate) fn find(
        &self,
        object: (TypeId, &str),
        relation: RelationId,
        subject: Named<'_>,
    ) -> Option<(ObjectId, Edge)> {
        let about = self.objects.find(object.0, object.1)?;
        let named = self.objects.find(subject.allowed.type_id, subject.id)?;
        let edge = Edge::new(relation.0, subject.allowed.relation.0, named.0);
        Some((about, self.objects.get(about)?.forward().find(edge)?))
    }

    /// Adds the tuple or changes its window. None when there are too many objects.
    pub(crate) fn write(
        &mut self,
        object: (TypeId, &str),
        relation: RelationId,
        subject: Named<'_>,
        window: Window,
    ) -> Option<Written> {
        let known = self.find(object, relation, subject);
        if known.is_some_and(|(about, edge)| self.window(about, edge) == window) {
            return Some(Written::Same);
        }
        let timed = window != Window::ALWAYS;
        let named = (subject.allowed.type_id, subject.id, subject.allowed.relation.0);
        let (about, edge) = self.objects.insert(object, relation.0, named, timed)?;
        if timed {
            self.windows.insert_mut((about, edge.key()), window);
        } else if known.is_some() {
            self.windows.remove_mut(&(about, edge.key()));
        }
        if known.is_some() {
            return Some(Written::Changed);
        }
        self.len += 1;
        Some(Written::New)
    }

    /// Takes the tuple out. Whether it was there.
    pub(crate) fn remove(
        &mut self,
        object: (TypeId, &str),
        relation: RelationId,
        subject: Named<'_>,
    ) -> bool {
        let Some((about, edge)) = self.find(object, relation, subject) else { return false };
        if edge.is_timed() {
            self.windows.remove_mut(&(about, edge.key()));
        }
        self.objects.remove(about, edge);
        self.len -= 1;
        true
    }
}
