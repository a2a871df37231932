//! Any bytes at a reader: mutated inputs from a seed, a corpus that is kept, findings made small.
//!
//! A crate's tests hand a reader and some good inputs to a [`Target`]. It replays the corpus in
//! `proof/fuzz/corpus`, then changes inputs again and again: what a reader answers in a way that was not seen
//! before joins the inputs that are changed. A panic is a [`FindingError`], made small, with its bytes in the form
//! of a line of the corpus. One seed gives the same inputs again.

mod corpus;
mod mutate;
mod random;
mod target;

pub use corpus::{from_hex, to_hex};
pub use random::Random;
pub use target::{FindingError, Outcome, Run, Target};
