//! The order of publishing and reading, explored by a model checker.
//!
//! `table.rs` and `order.rs` are the engine's own source, compiled here against the checker's atomics
//! ([`sync`]). The root's atomic pointer is stood in for by a lock: what is proven is the order, not
//! the pointer. LIMIT: three preemptions (set by the tests); chunks of two places.

mod sync;

#[path = "../../../engine/src/table.rs"]
#[expect(dead_code, reason = "the engine uses more of its table than the order needs")]
mod table;

#[path = "../../../engine/src/order.rs"]
#[cfg_attr(not(test), expect(dead_code, reason = "the order is driven by the tests"))]
mod order;

#[cfg(test)]
mod explore;
