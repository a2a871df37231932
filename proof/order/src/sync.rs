//! The checker's atomics under the names that the engine's source uses.

pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};

/// Places of the first chunk: two, to keep the explored space small.
pub(crate) const CHUNK_PLACES_FIRST: u32 = 2;
/// LIMIT: places of the largest chunk: twice the first, so that both shapes are explored.
pub(crate) const CHUNK_PLACES_MAX: u32 = 4;
