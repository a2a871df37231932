//! Compiled policies against the language's own evaluator, over random schemas, policies, entities and
//! requests.
//!
//! The language's crate is the slow answer: every decision is compared under both rules about a forbid that
//! fails, and each operator is made wrong in turn to see that the comparison would notice.

mod agree;
mod random;
mod shape;
mod spoil;
mod write;

pub use agree::{Plan, Tally, run};
