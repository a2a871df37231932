//! Edges in words, run by run: relation and set, how many there are, then a word for each object.

use crate::edges::Edge;

/// The mark of a window in a word.
pub(crate) const TIMED: u32 = 1 << 31;

pub(crate) fn word(edge: Edge) -> u32 {
    edge.object() & !TIMED | if edge.is_timed() { TIMED } else { 0 }
}

/// The edge of a packed word.
#[inline]
pub(crate) fn edge(run: u32, word: u32) -> Edge {
    Edge(u64::from(run) << 36 | u64::from(word & !TIMED) << 4 | u64::from(word >> 31))
}

/// The runs of some words.
#[derive(Clone, Copy)]
pub(crate) struct Runs<'a>(pub(crate) &'a [u32]);

impl<'a> Iterator for Runs<'a> {
    type Item = (u32, &'a [u32]);

    #[inline]
    fn next(&mut self) -> Option<(u32, &'a [u32])> {
        let ([run, count], rest) = self.0.split_first_chunk::<2>()?;
        if *run == 0 {
            return None;
        }
        let (objects, rest) = rest.split_at_checked(*count as usize)?;
        self.0 = rest;
        Some((*run, objects))
    }
}

/// These edges, which are sorted, in words.
pub(crate) fn packed(edges: &[Edge]) -> Vec<u32> {
    let runs = edges.chunk_by(|one, other| one.run() == other.run());
    let mut words = Vec::with_capacity(edges.len() + 2 * runs.clone().count());
    for run in runs {
        words.extend(run.first().map(|edge| edge.run()));
        words.push(u32::try_from(run.len()).unwrap_or(u32::MAX));
        words.extend(run.iter().map(|edge| word(*edge)));
    }
    words
}

/// The first edge of some words.
pub(crate) fn first(words: &[u32]) -> Edge {
    let run = Runs(words).next().and_then(|(run, objects)| Some(edge(run, *objects.first()?)));
    run.unwrap_or(Edge::NONE)
}

/// Where the run of an edge begins in a block, or belongs, and how many edges it has.
fn place_of(block: &[u32], run: u32) -> (usize, usize) {
    let mut at = 0;
    for (one, objects) in Runs(block) {
        if one >= run {
            return (at, if one == run { objects.len() } else { 0 });
        }
        at += 2 + objects.len();
    }
    (at, 0)
}

/// Where an edge stands in a block, or belongs.
fn search(block: &[u32], at: usize, count: usize, edge: Edge) -> Result<usize, usize> {
    let objects = block.get(at + 2..at + 2 + count).unwrap_or_default();
    let found = objects.binary_search_by_key(&edge.object(), |word| word & !TIMED);
    found.map(|nth| at + 2 + nth).map_err(|nth| at + 2 + nth)
}

fn recount(block: &mut [u32], at: usize, count: usize) {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    block.get_mut(at + 1).into_iter().for_each(|place| *place = count);
}

/// Puts an edge into a block, in the place of the same with another mark. Whether it is new. A block grows by an eighth:
/// most of them are written once and then read.
pub(crate) fn put(block: &mut Vec<u32>, edge: Edge) -> bool {
    if block.capacity() < block.len() + 3 {
        block.reserve_exact(block.len() / 8 + 4);
    }
    let (at, count) = place_of(block, edge.run());
    if count == 0 {
        block.splice(at..at, [edge.run(), 1, word(edge)]);
        return true;
    }
    match search(block, at, count, edge) {
        Ok(at) => {
            block.get_mut(at).into_iter().for_each(|place| *place = word(edge));
            false
        }
        Err(place) => {
            block.insert(place, word(edge));
            recount(block, at, count + 1);
            true
        }
    }
}

/// Takes an edge out of a block. Whether it was there.
pub(crate) fn take(block: &mut Vec<u32>, edge: Edge) -> bool {
    let (at, count) = place_of(block, edge.run());
    let Ok(place) = search(block, at, count, edge) else { return false };
    if count == 1 {
        block.drain(at..at + 3);
    } else {
        block.remove(place);
        recount(block, at, count - 1);
    }
    true
}

/// The two halves of a block.
pub(crate) fn halves(block: &[u32]) -> [Vec<u32>; 2] {
    let runs = Runs(block).flat_map(|(run, words)| words.iter().map(move |word| edge(run, *word)));
    let all: Vec<Edge> = runs.collect();
    let (one, other) = all.split_at(all.len() / 2);
    [packed(one), packed(other)]
}
