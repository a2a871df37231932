//! The atomics that the session table and the publishing order stand on.
//!
//! A module of its own, so that the model checker can compile `table.rs` and `order.rs`, the same
//! source, against its own atomics (see proof/order).

pub(crate) use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Places of the first chunk; chunks double from here to [`CHUNK_PLACES_MAX`].
pub(crate) const CHUNK_PLACES_FIRST: u32 = 64;
/// LIMIT: places of one chunk: 4,096 × 64 B = 256 KiB, what one growth step allocates.
pub(crate) const CHUNK_PLACES_MAX: u32 = 4_096;
