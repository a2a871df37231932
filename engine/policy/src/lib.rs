//! Everything that decides permissions: lines, grant sets, roles, groups, workspaces, restrictions, names.
//!
//! Pure data. [`Rules`] is immutable once published: the tenant's actor edits a private copy and
//! publishes a clone, which shares every chunk that was not touched. Readers call [`Rules::evaluate`]
//! and its neighbours without a lock, an allocation or an await; every question has an answer.
//! There is no clock here, no I/O, and nothing is refused: what may be written is decided before.

mod bits;
mod ceilings;
mod chunked;
mod conditions;
mod evaluate;
mod explain;
mod grants;
mod groups;
mod held;
mod line;
mod list;
mod members;
mod names;
mod overflow;
mod reach;
mod restrictions;
mod roles;
mod ruled;
mod rules;
mod sets;
mod slab;
mod touch;
mod week;
mod windows;
mod within;
mod workspaces;

pub use chunked::Chunked;
pub use conditions::{Facts, is_zone};
pub use evaluate::Outcome;
pub use explain::{Cuts, Explanation, Source};
pub use held::HeldThing;
pub use line::Line;
pub use reach::Reach;
pub use rules::{Counts, Rules};
pub use touch::touch;
pub use within::{Actor, Within};
