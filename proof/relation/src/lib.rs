//! A slow and obvious answer to questions about relations, over random models and tuples.
//!
//! It shares no code with the engine: models are printed as text for it, and answered here by looking
//! at every node of the whole graph, again and again until nothing changes. The tests compare.

mod naive;
mod random;
mod world;

pub use naive::{Naive, Told, Without};
pub use random::Random;
pub use world::{Expression, Kind, Relation, Tuple, Who, World};
