//! May they? Answered slowly and obviously, to hold the engine's answers against.
//!
//! A [`World`] is what was written, in plain maps; [`World::permits`] reads all of it for every question. It
//! imports nothing of the engine: not a type, not a rule. The tests build the same random worlds in both,
//! before and after random edits.

mod decide;
mod under;
mod world;

pub use decide::{Omit, Question};
pub use under::{Span, Under, Zone};
pub use world::{Conditions, Device, Holder, Place, Role, Rule, Wanted, Window, World};
