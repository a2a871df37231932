//! The edges of one object: sorted words, from one that stands inline to many thousands in blocks.

use crate::blocks::{Runs, edge, first, halves, packed, put, take};
use std::sync::Arc;

/// An edge: relation (14 bits), relation of the subject's set (14), the other object (32), and in the
/// lowest of 4 spare bits whether the tuple has a window. Sorted, so that a question is a range.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Edge(pub(crate) u64);

impl Edge {
    /// Nothing: sorts behind every edge.
    pub(crate) const NONE: Self = Self(u64::MAX);

    pub(crate) fn new(relation: u16, set: u16, object: u32) -> Self {
        Self(u64::from(relation) << 50 | u64::from(set) << 36 | u64::from(object) << 4)
    }

    pub(crate) fn timed(self, timed: bool) -> Self {
        Self(self.0 & !1 | u64::from(timed))
    }

    pub(crate) fn is_timed(self) -> bool {
        self.0 & 1 == 1
    }

    /// The edge without its mark of a window: what makes it the same tuple.
    pub(crate) fn key(self) -> Self {
        Self(self.0 & !0xf)
    }

    /// Relation and set: what the edges of one run share.
    #[inline]
    pub(crate) fn run(self) -> u32 {
        (self.0 >> 36) as u32
    }

    pub(crate) fn relation(self) -> u16 {
        (self.0 >> 50) as u16
    }

    pub(crate) fn set(self) -> u16 {
        (self.0 >> 36 & 0x3fff) as u16
    }

    #[expect(clippy::cast_possible_truncation, reason = "the object has 32 bits")]
    pub(crate) fn object(self) -> u32 {
        (self.0 >> 4) as u32
    }
}

/// LIMIT: words of one block: an edit copies at most that many, 4 KiB.
const BLOCK_MAX: usize = 1_024;
/// The edges of one object in one direction. An edit of a clone copies one block and the list of blocks.
///
/// They stand in words, run by run: relation and set, how many there are, then a word for each object. A run of 0 is the
/// end: no edge that stands here has relation 0.
#[derive(Clone, Debug, Default)]
pub(crate) enum Edges {
    /// None.
    #[default]
    Empty,
    /// Up to eight words, the rest filled up.
    Eight(Arc<[u32; 8]>),
    /// Up to twenty words, the rest filled up.
    Twenty(Arc<[u32; 20]>),
    /// Up to a block.
    Block(Arc<Vec<u32>>),
    /// More, in blocks that are never empty.
    Many(Arc<Many>),
}

/// Blocks, each with its first edge beside it.
#[derive(Clone, Debug)]
pub(crate) struct Many {
    firsts: Vec<Edge>,
    blocks: Vec<Arc<Vec<u32>>>,
    len: usize,
}

impl Edges {
    /// The words of the first block in which an edge may be, and the blocks behind it.
    #[inline]
    fn words(&self, from: Edge) -> (&[u32], &[Arc<Vec<u32>>]) {
        match self {
            Self::Empty => (&[], &[]),
            Self::Eight(words) => (words.as_slice(), &[]),
            Self::Twenty(words) => (words.as_slice(), &[]),
            Self::Block(block) => (block.as_slice(), &[]),
            Self::Many(many) => many.from(from),
        }
    }

    /// The edges from `from` up to, not including, `to`.
    #[inline]
    pub(crate) fn range(&self, from: Edge, to: Edge) -> Range<'_> {
        let (words, rest) = self.words(from);
        let mut behind = Runs(words);
        let (mut run, mut objects) = (0, &[][..]);
        // WHY: a run is passed over as a whole, and searched where the first edge lies in it.
        for (one, all) in behind.by_ref() {
            if one < from.run() {
                continue;
            }
            let start =
                if one > from.run() { 0 } else { all.partition_point(|word| edge(one, *word) < from) };
            (run, objects) = (one, all.get(start..).unwrap_or_default());
            break;
        }
        Range { run, objects, behind, rest, to }
    }

    /// The edge as it is stored, with its mark, when there is one.
    #[inline]
    pub(crate) fn find(&self, edge: Edge) -> Option<Edge> {
        let key = edge.key();
        self.range(key, Edge(key.0 | 0xf)).next()
    }

    /// All of them.
    pub(crate) fn iter(&self) -> Range<'_> {
        self.range(Edge(0), Edge::NONE)
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Puts the edge in, in the place of the same with another mark.
    pub(crate) fn insert(&mut self, edge: Edge) {
        if let Self::Many(many) = self {
            return Arc::make_mut(many).insert(edge);
        }
        if let Self::Block(block) = self {
            let block = Arc::make_mut(block);
            put(block, edge);
            if block.len() > BLOCK_MAX {
                *self = Self::Many(Arc::new(Many::of(block)));
            }
            return;
        }
        let mut all: Vec<Edge> = self.iter().collect();
        match all.binary_search_by_key(&edge.key(), |one| one.key()) {
            Ok(at) => all.iter_mut().skip(at).take(1).for_each(|one| *one = edge),
            Err(at) => all.insert(at, edge),
        }
        *self = Self::of(&all);
    }

    /// Takes the edge out, whatever its mark.
    pub(crate) fn remove(&mut self, edge: Edge) {
        if let Self::Many(many) = self {
            let many = Arc::make_mut(many);
            many.remove(edge);
            if many.len > 12 {
                return;
            }
        }
        if let Self::Block(block) = self {
            let block = Arc::make_mut(block);
            take(block, edge);
            if block.len() > 16 {
                return;
            }
        }
        let all: Vec<Edge> = self.iter().filter(|one| one.key() != edge.key()).collect();
        *self = Self::of(&all);
    }

    /// These edges, which are sorted.
    pub(crate) fn of(all: &[Edge]) -> Self {
        let words = packed(all);
        let at = |index: usize| words.get(index).copied().unwrap_or(0);
        match words.len() {
            0 => Self::Empty,
            1..=8 => Self::Eight(Arc::new(std::array::from_fn(at))),
            9..=20 => Self::Twenty(Arc::new(std::array::from_fn(at))),
            _ => Self::Block(Arc::new(words)),
        }
    }
}

impl Many {
    /// One block that is full, as two.
    fn of(block: &[u32]) -> Self {
        let len = Range::of(block).count();
        let halves = halves(block);
        Self {
            firsts: halves.iter().map(|half| first(half)).collect(),
            blocks: halves.map(Arc::new).into(),
            len,
        }
    }

    /// The block that `edge` is in or would be.
    fn block(&self, edge: Edge) -> usize {
        self.firsts.partition_point(|first| first.key() <= edge.key()).saturating_sub(1)
    }

    fn from(&self, edge: Edge) -> (&[u32], &[Arc<Vec<u32>>]) {
        let blocks = self.blocks.get(self.block(edge)..).unwrap_or_default();
        blocks.split_first().map_or((&[], &[]), |(head, rest)| (head.as_slice(), rest))
    }

    fn insert(&mut self, edge: Edge) {
        let number = self.block(edge);
        let Some(block) = self.blocks.get_mut(number).map(Arc::make_mut) else { return };
        self.len += usize::from(put(block, edge));
        let split = if block.len() > BLOCK_MAX {
            let [stays, behind] = halves(block);
            *block = stays;
            Some(behind)
        } else {
            None
        };
        self.mark(number);
        if let Some(behind) = split {
            self.firsts.insert(number + 1, first(&behind));
            self.blocks.insert(number + 1, Arc::new(behind));
        }
    }

    fn remove(&mut self, edge: Edge) {
        let number = self.block(edge);
        let Some(block) = self.blocks.get_mut(number).map(Arc::make_mut) else { return };
        if !take(block, edge) {
            return;
        }
        self.len -= 1;
        if block.is_empty() {
            self.blocks.remove(number);
            self.firsts.remove(number);
        } else {
            self.mark(number);
        }
    }

    fn mark(&mut self, number: usize) {
        let first = self.blocks.get(number).map(|block| first(block));
        if let (Some(place), Some(first)) = (self.firsts.get_mut(number), first) {
            *place = first;
        }
    }
}

/// Edges in order.
#[derive(Clone)]
pub(crate) struct Range<'a> {
    run: u32,
    objects: &'a [u32],
    behind: Runs<'a>,
    rest: &'a [Arc<Vec<u32>>],
    to: Edge,
}

impl<'a> Range<'a> {
    /// All of a block.
    fn of(block: &'a [u32]) -> Self {
        Range { run: 0, objects: &[], behind: Runs(block), rest: &[], to: Edge::NONE }
    }
}

impl Iterator for Range<'_> {
    type Item = Edge;

    #[inline]
    fn next(&mut self) -> Option<Edge> {
        loop {
            if let Some((word, behind)) = self.objects.split_first() {
                let edge = edge(self.run, *word);
                if edge >= self.to {
                    return None;
                }
                self.objects = behind;
                return Some(edge);
            }
            if let Some((run, objects)) = self.behind.next() {
                (self.run, self.objects) = (run, objects);
                continue;
            }
            let (block, rest) = self.rest.split_first()?;
            (self.behind, self.rest) = (Runs(block.as_slice()), rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// PROPERTY: behaves as a sorted map, in every size; a clone never sees a later change.
    #[test]
    fn edges_behave_as_a_sorted_map() {
        let (mut edges, mut plain) = (Edges::default(), BTreeMap::new());
        let mut kept = vec![];
        let mut state = 7_u64;
        for step in 0..6_000_u32 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let number = u32::try_from(state >> 40).unwrap() % 3_000;
            let edge =
                Edge::new(u16::try_from(number % 3).unwrap() + 1, 0, number).timed(state & 1 << 20 != 0);
            // It grows, then shrinks.
            if (state >> 33) % 10 < if step < 3_500 { 8 } else { 2 } {
                edges.insert(edge);
                plain.insert(edge.key(), edge);
            } else {
                edges.remove(edge);
                plain.remove(&edge.key());
            }
            assert_eq!(edges.find(edge), plain.get(&edge.key()).copied());
            if step % 500 == 3 || step < 40 {
                kept.push((edges.clone(), plain.clone()));
            }
        }
        for (edges, plain) in kept {
            assert!(edges.iter().eq(plain.values().copied()));
            let (from, to) = (Edge::new(2, 0, 0), Edge::new(3, 0, 0));
            assert!(edges.range(from, to).eq(plain.range(from..to).map(|(_, edge)| *edge)));
            assert_eq!(edges.is_empty(), plain.is_empty());
        }
    }

    /// PROPERTY: an edge gives back what was put into it.
    #[test]
    fn edges_keep_their_parts() {
        let edge = Edge::new(0x3fff, 0x3ffe, u32::MAX).timed(true);
        assert_eq!((edge.relation(), edge.set(), edge.object()), (0x3fff, 0x3ffe, u32::MAX));
        assert!(edge.is_timed() && !edge.key().is_timed() && edge < Edge::NONE);
    }
}
