//! Packed lists of tuples: a row of runs, each a word with relation, set and how many follow, then a word for each
//! object.

use crate::blocks::{TIMED, edge};
use crate::edges::{Edge, Edges, Range};
use crate::line::ROOM;
use crate::objects::ObjectId;
use crate::words::RelationId;

/// The object of a packed word.
#[inline]
pub(crate) fn object_of(word: [u8; 4]) -> ObjectId {
    ObjectId(u32::from_le_bytes(word) & !TIMED)
}

/// Whether the tuple of a packed word has a window.
#[inline]
pub(crate) fn is_timed(word: [u8; 4]) -> bool {
    u32::from_le_bytes(word) & TIMED != 0
}

/// The edge of a packed word.
#[inline]
pub(crate) fn edge_of(run: u32, word: [u8; 4]) -> Edge {
    edge(run, u32::from_le_bytes(word))
}

/// The runs of a packed list, word by word.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a>(&'a [[u8; 4]]);

impl<'a> Words<'a> {
    /// Of a list.
    #[inline]
    pub(crate) fn of(list: &'a [u8]) -> Self {
        Self(list.as_chunks::<4>().0)
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = (u32, &'a [[u8; 4]]);

    #[inline]
    fn next(&mut self) -> Option<(u32, &'a [[u8; 4]])> {
        let (head, rest) = self.0.split_first()?;
        let head = u32::from_le_bytes(*head);
        let (words, rest) = rest.split_at_checked((head & 0xf) as usize)?;
        self.0 = rest;
        Some((head >> 4, words))
    }
}

/// The packed form, when it fits into a room.
pub(crate) fn packed(edges: &[Edge]) -> Option<([u8; ROOM], usize)> {
    let (mut room, mut len) = ([0; ROOM], 0_usize);
    for run in edges.chunk_by(|one, other| one.run() == other.run()) {
        let head = run.first()?.run() << 4 | u32::try_from(run.len()).ok().filter(|count| *count < 16)?;
        let words = run.iter().map(|edge| edge.object() | if edge.is_timed() { TIMED } else { 0 });
        for word in std::iter::once(head).chain(words) {
            room.get_mut(len..len + 4)?.copy_from_slice(&word.to_le_bytes());
            len += 4;
        }
    }
    Some((room, len))
}

/// One list of an object.
#[derive(Clone, Copy)]
pub(crate) enum Side<'a> {
    /// Runs in the object's own line.
    Packed(&'a [u8]),
    /// Sorted edges.
    Apart(&'a Edges),
}

impl<'a> Side<'a> {
    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        match self {
            Self::Packed(list) => list.is_empty(),
            Self::Apart(edges) => edges.is_empty(),
        }
    }

    /// Those with this relation and this set.
    #[inline]
    pub(crate) fn of(self, relation: RelationId, set: RelationId) -> Run<'a> {
        let from = Edge::new(relation.0, set.0, 0);
        match self {
            Self::Packed(list) => {
                let run = from.run();
                let words = Runs(list).find(|(one, _)| *one == run).map_or(&[][..], |(_, words)| words);
                Run::Packed { run, words }
            }
            Self::Apart(edges) => {
                Run::Apart(edges.range(from, Edge(Edge::new(relation.0, set.0, u32::MAX).0 | 0xf)))
            }
        }
    }

    /// The edge as it is stored, with its mark, when there is one.
    #[inline]
    pub(crate) fn find(self, edge: Edge) -> Option<Edge> {
        match self {
            Self::Packed(list) => {
                let (_, words) = Runs(list).find(|(one, _)| *one == edge.run())?;
                Run::Packed { run: edge.run(), words }.find(|one| one.object() == edge.object())
            }
            Self::Apart(edges) => edges.find(edge),
        }
    }

    /// All of them, in order.
    pub(crate) fn iter(self) -> impl Iterator<Item = Edge> + 'a {
        let (packed, apart) = match self {
            Self::Packed(list) => (Runs(list), None),
            Self::Apart(edges) => (Runs(&[]), Some(edges.iter())),
        };
        packed.flat_map(|(run, words)| Run::Packed { run, words }).chain(apart.into_iter().flatten())
    }

    /// Those from an edge on, in order.
    pub(crate) fn from(self, from: Edge) -> impl Iterator<Item = Edge> + 'a {
        let (packed, apart) = match self {
            Self::Packed(_) => (Some(self.iter().skip_while(move |edge| *edge < from)), None),
            Self::Apart(edges) => (None, Some(edges.range(from, Edge(u64::MAX)))),
        };
        packed.into_iter().flatten().chain(apart.into_iter().flatten())
    }
}

/// The runs of a packed list: relation and set as [`Edge::run`] gives them, and the words of the objects.
#[derive(Clone, Copy)]
pub(crate) struct Runs<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Runs<'a> {
    type Item = (u32, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<(u32, &'a [u8])> {
        let (head, rest) = self.0.split_first_chunk::<4>()?;
        let head = u32::from_le_bytes(*head);
        let (words, rest) = rest.split_at_checked((head & 0xf) as usize * 4)?;
        self.0 = rest;
        Some((head >> 4, words))
    }
}

/// Edges with one relation and one set, in order.
#[derive(Clone)]
pub(crate) enum Run<'a> {
    /// Of a packed list.
    Packed {
        /// Relation and set.
        run: u32,
        /// A word for each.
        words: &'a [u8],
    },
    /// Of a list that stands apart.
    Apart(Range<'a>),
}

impl Iterator for Run<'_> {
    type Item = Edge;

    #[inline]
    fn next(&mut self) -> Option<Edge> {
        match self {
            Self::Packed { run, words } => {
                let (word, rest) = words.split_first_chunk::<4>()?;
                *words = rest;
                Some(edge(*run, u32::from_le_bytes(*word)))
            }
            Self::Apart(range) => range.next(),
        }
    }
}
