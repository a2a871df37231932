//! The session table: sessions and API keys, 64 bytes each, written by one actor, read by everybody.
//!
//! Chunks double from 64 to 4,096 places of eight atomic words and are found through a two-level
//! array that only grows. Readers take no lock, never spin and never wait; a place is never moved.
//! Only [`crate::order`] stores into places that somebody may read, and the order of its stores is what readers rely
//! on.
//!
//! The words: w0 generation | state; w1, w2 tag; w3 subject | workspace; w4 expires | cut-off count;
//! w5 idle | restriction; w6 device | opened; w7 next | previous of the subject's list: the writer's own,
//! which readers never load and publishing never stores.

use crate::sync::{AtomicU64, CHUNK_PLACES_FIRST, CHUNK_PLACES_MAX, Ordering};
use std::sync::OnceLock;

/// One place: eight words, one cache line.
#[repr(align(64))]
pub(crate) struct Words([AtomicU64; 8]);

/// The eight words as read or to be stored.
pub(crate) type Fields = [u64; 8];

/// Bit of w0: a session or key lives here.
pub(crate) const ALIVE: u64 = 1 << 32;
/// Bit of w0: it is an API key.
pub(crate) const KEY: u64 = 1 << 33;
/// Where the authentication context class stands in w0 (4 bits).
pub(crate) const ACR_SHIFT: u32 = 34;
/// Bit of w0: more of it stands in the root: the networks that it is bound to, its device, or who acts in it.
pub(crate) const SIDE: u64 = 1 << 38;

impl Words {
    fn empty() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    /// w0 alone, without ordering: an early touch that brings the line into the cache, and the
    /// second look after a fence.
    #[inline]
    pub(crate) fn head_relaxed(&self) -> u64 {
        let [w0, ..] = &self.0;
        w0.load(Ordering::Relaxed)
    }

    /// The low half of w3, without ordering: whose line will be needed soon. May be of a former life.
    #[inline]
    pub(crate) fn subject_relaxed(&self) -> u64 {
        let [_, _, _, w3, ..] = &self.0;
        w3.load(Ordering::Relaxed) & 0xffff_ffff
    }

    /// The low half of w5, without ordering: a session's idle end, a key's last use.
    pub(crate) fn idle_relaxed(&self) -> u32 {
        let [_, _, _, _, _, w5, ..] = &self.0;
        u32::try_from(w5.load(Ordering::Relaxed) & 0xffff_ffff).unwrap_or(u32::MAX)
    }

    /// All eight words, w0 first with Acquire.
    #[inline]
    pub(crate) fn read(&self) -> Fields {
        let [w0, w1, w2, w3, w4, w5, w6, _] = &self.0;
        let head = w0.load(Ordering::Acquire);
        let order = Ordering::Relaxed;
        [
            head,
            w1.load(order),
            w2.load(order),
            w3.load(order),
            w4.load(order),
            w5.load(order),
            w6.load(order),
            0,
        ]
    }

    /// Stores w0 alone.
    pub(crate) fn store_head(&self, value: u64, order: Ordering) {
        let [w0, ..] = &self.0;
        w0.store(value, order);
    }

    /// Stores w1 to w6.
    pub(crate) fn store_body(&self, fields: &Fields) {
        for (word, value) in self.0.iter().zip(fields).skip(1).take(6) {
            word.store(*value, Ordering::Relaxed);
        }
    }

    /// Stores w0 to w6, of a table that no reader has yet.
    pub(crate) fn fill(&self, fields: &Fields) {
        for (word, value) in self.0.iter().zip(fields).take(7) {
            word.store(*value, Ordering::Relaxed);
        }
    }

    /// Stores w4 (expires | cut-off count).
    pub(crate) fn store_ends(&self, value: u64) {
        let [_, _, _, _, w4, ..] = &self.0;
        w4.store(value, Ordering::Relaxed);
    }

    /// Stores w5 (idle | restriction).
    pub(crate) fn store_idle(&self, value: u64) {
        let [_, _, _, _, _, w5, ..] = &self.0;
        w5.store(value, Ordering::Relaxed);
    }
}

impl Words {
    /// w7 (next | previous of the subject's list). For the writer alone.
    pub(crate) fn links(&self) -> u64 {
        let [.., w7] = &self.0;
        w7.load(Ordering::Relaxed)
    }

    /// Stores w7. For the writer alone: before it is durable, because nobody else looks.
    pub(crate) fn store_links(&self, value: u64) {
        let [.., w7] = &self.0;
        w7.store(value, Ordering::Relaxed);
    }
}

type Chunk = Box<[Words]>;

/// LIMIT: chunks per inner array of the two-level array.
pub(crate) const INNER: usize = 64;
/// LIMIT: inner arrays: 66 × 64 chunks hold 2^24 places and the doubling ones before.
pub(crate) const OUTER: usize = 66;

/// The table of one tenant.
pub(crate) struct Table {
    outer: [OnceLock<Box<[OnceLock<Chunk>]>>; OUTER],
}

impl Table {
    /// An empty table: about 1 KiB until the first place is stored.
    pub(crate) fn new() -> Self {
        Self { outer: [const { OnceLock::new() }; OUTER] }
    }

    /// The words of a place, if its chunk was ever made.
    #[inline]
    pub(crate) fn place(&self, place: u32) -> Option<&Words> {
        let (chunk, offset, _) = locate(place);
        self.outer.get(chunk / INNER)?.get()?.get(chunk % INNER)?.get()?.get(offset)
    }

    /// Asks for the cache line of a place before it is needed, without waiting for it.
    #[inline]
    pub(crate) fn touch(&self, place: u32, touch: impl Fn(&[Words], usize)) {
        let (chunk, offset, _) = locate(place);
        let inner = self.outer.get(chunk / INNER).and_then(OnceLock::get);
        if let Some(chunk) = inner.and_then(|inner| inner.get(chunk % INNER)).and_then(OnceLock::get) {
            touch(chunk, offset);
        }
    }

    /// The words of a place, its chunk made if need be. `None` beyond 2^24 places.
    pub(crate) fn make(&self, place: u32) -> Option<&Words> {
        let (chunk, offset, size) = locate(place);
        let inner =
            self.outer.get(chunk / INNER)?.get_or_init(|| (0..INNER).map(|_| OnceLock::new()).collect());
        let words = inner.get(chunk % INNER)?.get_or_init(|| (0..size).map(|_| Words::empty()).collect());
        words.get(offset)
    }

    /// The words from a place on to the end of its chunk; none where that was never made.
    pub(crate) fn from(&self, place: u32) -> &[Words] {
        let (chunk, offset, _) = locate(place);
        let inner = self.outer.get(chunk / INNER).and_then(OnceLock::get);
        let chunk = inner.and_then(|inner| inner.get(chunk % INNER)).and_then(OnceLock::get);
        chunk.and_then(|chunk| chunk.get(offset..)).unwrap_or_default()
    }

    /// As [`Table::from`], the chunk made if need be. `None` beyond 2^24 places.
    pub(crate) fn make_from(&self, place: u32) -> Option<&[Words]> {
        self.make(place)?;
        Some(self.from(place))
    }

    /// Bytes of the chunks that exist.
    pub(crate) fn bytes(&self) -> usize {
        let chunks = self.outer.iter().filter_map(OnceLock::get).flat_map(|inner| inner.iter());
        chunks.filter_map(OnceLock::get).map(|chunk| chunk.len() * size_of::<Words>()).sum()
    }
}

/// Chunk number, offset in it and its size. The doubling chunks cover `first × (2^k − 1)` places.
#[inline]
pub(crate) fn locate(place: u32) -> (usize, usize, u32) {
    const DOUBLING: u32 = (CHUNK_PLACES_MAX / CHUNK_PLACES_FIRST).ilog2();
    const DOUBLED: u32 = CHUNK_PLACES_MAX - CHUNK_PLACES_FIRST;
    if place >= DOUBLED {
        let beyond = place - DOUBLED;
        let chunk = DOUBLING + beyond / CHUNK_PLACES_MAX;
        return (chunk as usize, (beyond % CHUNK_PLACES_MAX) as usize, CHUNK_PLACES_MAX);
    }
    let shifted = place + CHUNK_PLACES_FIRST;
    let chunk = shifted.ilog2() - CHUNK_PLACES_FIRST.ilog2();
    let size = CHUNK_PLACES_FIRST << chunk;
    (chunk as usize, (shifted - size) as usize, size)
}
