//! The figures: what Tessera costs, each beside a peer in the same run (docs/performance.md).
//!
//! `tessera-bench` takes them, prints a table and writes rows of JSON; the criterion benches and the
//! instruction count use the same worlds. Nothing here is shipped and nobody imports it.

pub mod args;
pub mod checks;
pub mod figure;
pub mod house;
pub mod large;
pub mod memory;
pub mod rounds;
pub mod seeded;
pub mod world;
