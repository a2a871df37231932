//! The edges of one object: sorted words, from one that stands inline to many thousands in blocks.

use std::sync::Arc;

/// An edge: relation (14 bits), relation of the subject's set (14), the other object (32), and in the
/// lowest of 4 spare bits whether the tuple has a window. Sorted, so that a question is a range.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Edge(pub(crate) u64);

impl Edge {
    /// Nothing: sorts behind every edge.
    const NONE: Self = Self(u64::MAX);

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

/// LIMIT: edges of one block: an edit copies at most that many words, 4 KiB.
const BLOCK_MAX: usize = 512;

/// The edges of one object in one direction. An edit of a clone copies one block and the list of blocks.
#[derive(Clone, Debug, Default)]
pub(crate) enum Edges {
    /// None.
    #[default]
    Empty,
    /// One, inline.
    One(Edge),
    /// Up to four, the rest filled up.
    Four(Arc<[Edge; 4]>),
    /// Up to sixteen, the rest filled up.
    Sixteen(Arc<[Edge; 16]>),
    /// Up to a block, sorted.
    Block(Arc<Vec<Edge>>),
    /// More, in sorted blocks that are never empty.
    Many(Arc<Many>),
}

/// Puts an edge into a sorted block, in the place of the same with another mark. Whether it is new. A block
/// grows by an eighth: most of them are written once and then read.
fn put(block: &mut Vec<Edge>, edge: Edge) -> bool {
    match block.binary_search_by_key(&edge.key(), |one| one.key()) {
        Ok(at) => {
            block.iter_mut().skip(at).take(1).for_each(|one| *one = edge);
            false
        }
        Err(at) => {
            if block.len() == block.capacity() {
                block.reserve_exact(block.len() / 8 + 2);
            }
            block.insert(at, edge);
            true
        }
    }
}

/// Sorted blocks, each with its first edge beside it.
#[derive(Clone, Debug)]
pub(crate) struct Many {
    firsts: Vec<Edge>,
    blocks: Vec<Arc<Vec<Edge>>>,
    len: usize,
}

impl Edges {
    /// The edges from `from` up to, not including, `to`.
    #[inline]
    pub(crate) fn range(&self, from: Edge, to: Edge) -> Range<'_> {
        let (head, rest): (&[Edge], &[Arc<Vec<Edge>>]) = match self {
            Self::Empty => (&[], &[]),
            Self::One(edge) => (std::slice::from_ref(edge), &[]),
            Self::Four(edges) => (edges.as_slice(), &[]),
            Self::Sixteen(edges) => (edges.as_slice(), &[]),
            Self::Block(block) => (block.as_slice(), &[]),
            Self::Many(many) => many.from(from),
        };
        let start = if head.len() > 16 {
            head.partition_point(|edge| *edge < from)
        } else {
            head.iter().position(|edge| *edge >= from).unwrap_or(head.len())
        };
        Range { head: head.get(start..).unwrap_or_default(), rest, to }
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
                *self = Self::Many(Arc::new(Many::of(std::mem::take(block))));
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
            if let Ok(at) = block.binary_search_by_key(&edge.key(), |one| one.key()) {
                block.remove(at);
            }
            if block.len() > 12 {
                return;
            }
        }
        let all: Vec<Edge> = self.iter().filter(|one| one.key() != edge.key()).collect();
        *self = Self::of(&all);
    }

    /// These edges, which are sorted.
    pub(crate) fn of(all: &[Edge]) -> Self {
        let at = |index: usize| all.get(index).copied().unwrap_or(Edge::NONE);
        match all.len() {
            0 => Self::Empty,
            1 => Self::One(at(0)),
            2..=4 => Self::Four(Arc::new(std::array::from_fn(at))),
            5..=16 => Self::Sixteen(Arc::new(std::array::from_fn(at))),
            _ => Self::Block(Arc::new(all.to_vec())),
        }
    }
}

/// Takes the second half of a block out.
fn halved(block: &mut Vec<Edge>) -> Vec<Edge> {
    let behind = block.split_off(BLOCK_MAX / 2);
    block.shrink_to_fit();
    behind
}

impl Many {
    /// One block that is full, as two.
    fn of(mut block: Vec<Edge>) -> Self {
        let len = block.len();
        let behind = halved(&mut block);
        let first = |block: &[Edge]| block.first().copied().unwrap_or(Edge::NONE);
        Self {
            firsts: vec![first(&block), first(&behind)],
            blocks: vec![Arc::new(block), Arc::new(behind)],
            len,
        }
    }

    /// The block that `edge` is in or would be.
    fn block(&self, edge: Edge) -> usize {
        self.firsts.partition_point(|first| first.key() <= edge.key()).saturating_sub(1)
    }

    fn from(&self, edge: Edge) -> (&[Edge], &[Arc<Vec<Edge>>]) {
        let blocks = self.blocks.get(self.block(edge)..).unwrap_or_default();
        blocks.split_first().map_or((&[], &[]), |(head, rest)| (head.as_slice(), rest))
    }

    fn insert(&mut self, edge: Edge) {
        let number = self.block(edge);
        let Some(block) = self.blocks.get_mut(number).map(Arc::make_mut) else { return };
        self.len += usize::from(put(block, edge));
        let split = (block.len() > BLOCK_MAX).then(|| halved(block));
        self.mark(number);
        if let Some(behind) = split {
            self.firsts.insert(number + 1, behind.first().copied().unwrap_or(Edge::NONE));
            self.blocks.insert(number + 1, Arc::new(behind));
        }
    }

    fn remove(&mut self, edge: Edge) {
        let number = self.block(edge);
        let Some(block) = self.blocks.get_mut(number).map(Arc::make_mut) else { return };
        let Ok(at) = block.binary_search_by_key(&edge.key(), |one| one.key()) else { return };
        block.remove(at);
        self.len -= 1;
        if block.is_empty() {
            self.blocks.remove(number);
            self.firsts.remove(number);
        } else {
            self.mark(number);
        }
    }

    fn mark(&mut self, number: usize) {
        let first = self.blocks.get(number).and_then(|block| block.first()).copied();
        if let (Some(place), Some(first)) = (self.firsts.get_mut(number), first) {
            *place = first;
        }
    }
}

/// Edges in order.
#[derive(Clone)]
pub(crate) struct Range<'a> {
    head: &'a [Edge],
    rest: &'a [Arc<Vec<Edge>>],
    to: Edge,
}

impl Iterator for Range<'_> {
    type Item = Edge;

    #[inline]
    fn next(&mut self) -> Option<Edge> {
        loop {
            if let Some((edge, behind)) = self.head.split_first() {
                if *edge >= self.to {
                    return None;
                }
                self.head = behind;
                return Some(*edge);
            }
            let (head, rest) = self.rest.split_first()?;
            (self.head, self.rest) = (head.as_slice(), rest);
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
