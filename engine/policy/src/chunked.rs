//! A persistent array: a clone shares every chunk, an edit copies one chunk and the nodes above it.
//!
//! Chunks of 16 under nodes of 16 and 64: an edit copies 16 entries, 16 pointers, 64 pointers and the
//! short top. Wider nodes made a batch of changes three times slower (formats.md section 3): each pointer is a
//! count to raise, in memory of its own. Entries are copied in one go, so where all pointers to chunks must fit
//! into the processor's cache beside others, chunks are larger and nodes smaller.

use crate::touch::touch;
use std::sync::Arc;

const LOWER: usize = 16;

type Chunk<T, const CHUNK: usize> = [T; CHUNK];
type Lower<T, const CHUNK: usize> = [Arc<Chunk<T, CHUNK>>; LOWER];
type Upper<T, const CHUNK: usize, const UPPER: usize> = [Arc<Lower<T, CHUNK>>; UPPER];

/// An array of `T`, as long as its highest index that was written. What was never written is default.
#[derive(Clone)]
pub struct Chunked<T, const CHUNK: usize = 16, const UPPER: usize = 64> {
    top: Arc<[Arc<Upper<T, CHUNK, UPPER>>]>,
    /// Defaults, shared by everything that was never written.
    empty: Arc<Upper<T, CHUNK, UPPER>>,
    len: u32,
    /// Indexes from here on are not taken: the model's limit of what is stored.
    limit: u32,
}

impl<T: Clone + Default, const CHUNK: usize, const UPPER: usize> Chunked<T, CHUNK, UPPER> {
    const UPPER_ENTRIES: usize = CHUNK * LOWER * UPPER;

    /// An empty array that takes indexes below `limit`.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        let value = T::default();
        let chunk: Arc<Chunk<T, CHUNK>> = Arc::new(std::array::from_fn(|_| value.clone()));
        let lower: Arc<Lower<T, CHUNK>> = Arc::new(std::array::from_fn(|_| Arc::clone(&chunk)));
        let empty: Arc<Upper<T, CHUNK, UPPER>> = Arc::new(std::array::from_fn(|_| Arc::clone(&lower)));
        Self { top: Arc::new([]), empty, len: 0, limit }
    }

    /// The entry, when the array reaches that far. Four dependent loads.
    #[must_use]
    #[inline]
    pub fn get(&self, index: u32) -> Option<&T> {
        // COST: one division, by the length of a chunk; what comes above it are powers of two.
        let (chunk, entry) = (index as usize / CHUNK, index as usize % CHUNK);
        let upper = self.top.get(chunk / (LOWER * UPPER))?;
        let lower = upper.get(chunk / LOWER % UPPER)?;
        lower.get(chunk % LOWER)?.get(entry)
    }

    /// Asks for the entry's cache line, without waiting for it.
    #[inline]
    pub fn touch(&self, index: u32) {
        let (chunk, entry) = (index as usize / CHUNK, index as usize % CHUNK);
        let lower = self.top.get(chunk / (LOWER * UPPER)).and_then(|upper| upper.get(chunk / LOWER % UPPER));
        if let Some(chunk) = lower.and_then(|lower| lower.get(chunk % LOWER)) {
            touch(chunk.as_slice(), entry);
        }
    }

    /// Changes the entry, growing the array to it. An index at or over the limit changes nothing.
    pub fn update(&mut self, index: u32, change: impl FnOnce(&mut T)) {
        if index >= self.limit {
            return;
        }
        self.len = self.len.max(index + 1);
        let index = index as usize;
        let at = index / Self::UPPER_ENTRIES;
        if at >= self.top.len() {
            let missing = std::iter::repeat_n(&self.empty, at + 1 - self.top.len());
            self.top = self.top.iter().chain(missing).map(Arc::clone).collect();
        }
        let Some(upper) = Arc::make_mut(&mut self.top).get_mut(at) else { return };
        let Some(lower) = Arc::make_mut(upper).get_mut(index / (CHUNK * LOWER) % UPPER) else { return };
        let Some(chunk) = Arc::make_mut(lower).get_mut(index / CHUNK % LOWER) else { return };
        if let Some(entry) = Arc::make_mut(chunk).get_mut(index % CHUNK) {
            change(entry);
        }
    }

    /// Replaces the entry, growing the array to it.
    pub fn set(&mut self, index: u32, value: T) {
        self.update(index, |entry| *entry = value);
    }

    /// One more than the highest index that was written.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Every entry from an index up to the highest written, with its index.
    pub(crate) fn iter_from(&self, from: u32) -> impl Iterator<Item = (u32, &T)> {
        let start = from as usize;
        let uppers = self.top.iter().skip(start / Self::UPPER_ENTRIES);
        let lowers =
            uppers.flat_map(|upper| upper.iter()).skip(start % Self::UPPER_ENTRIES / (CHUNK * LOWER));
        let chunks = lowers.flat_map(|lower| lower.iter()).skip(start % (CHUNK * LOWER) / CHUNK);
        (from..self.len).zip(chunks.flat_map(|chunk| chunk.iter()).skip(start % CHUNK))
    }

    /// Whether nothing was ever written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Every entry up to the highest written, with its index.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let chunks = self.top.iter().flat_map(|upper| upper.iter()).flat_map(|lower| lower.iter());
        (0..self.len).zip(chunks.flat_map(|chunk| chunk.iter()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: behaves as a vector of defaults; a clone never sees a later change.
    /// METHOD: writes at edges of every level, compared with a plain map, and clones kept aside.
    #[test]
    fn behaves_as_a_vector_and_clones_stand_still() {
        behaves::<16, 64>();
        behaves::<64, 16>();
    }

    fn behaves<const CHUNK: usize, const UPPER: usize>() {
        let mut array = Chunked::<u64, CHUNK, UPPER>::new(100_000);
        let mut plain = std::collections::BTreeMap::new();
        let mut kept = vec![];
        let places = [
            0,
            15,
            16,
            63,
            64,
            255,
            256,
            1_023,
            1_024,
            16_383,
            16_384,
            40_000,
            99_999,
            100_000,
            u32::MAX,
            3,
            16,
        ];
        for (step, at) in (1u64..).zip(places) {
            array.set(at, step);
            if at < 100_000 {
                plain.insert(at, step);
            }
            kept.push((array.clone(), plain.clone()));
        }
        for (array, plain) in kept {
            assert_eq!(array.len(), plain.keys().next_back().unwrap() + 1);
            assert_eq!(array.iter().count(), array.len() as usize);
            for from in [0, 1, 15, 16, 17, 300, 16_383, 16_384, 16_390, 40_001, 100_000] {
                let rest: Vec<_> = array.iter().skip(from as usize).collect();
                assert_eq!(array.iter_from(from).collect::<Vec<_>>(), rest, "{from}");
            }
            for (at, value) in array.iter() {
                assert_eq!(*value, plain.get(&at).copied().unwrap_or(0), "{at}");
                assert_eq!(array.get(at), Some(value));
            }
        }
        assert_eq!(array.get(100_000_000), None);
    }
}
