//! Relations between objects and subjects: Zanzibar's algebra in `OpenFGA`'s language.
//!
//! A [`Model`] says which types and relations there are and how one follows from others, tuples say who
//! is what to whom, and [`Relations`] answers questions about both. Pure data: no clock, no I/O, no
//! randomness. Every question costs at most its budget and ends in an answer or a typed error; an
//! exhausted depth or budget is never a permit.
//!
//! ```
//! use tessera_model::UnixMillis;
//! use tessera_relation::{Ask, Model, Relations, TupleRef, Window};
//!
//! let model = Model::parse(
//!     "model\n  schema 1.1\ntype user\ntype document\n  relations\n    define viewer: [user]\n",
//! )?;
//! let mut relations = Relations::new();
//! relations.set_model(&model)?;
//! let tuple = TupleRef { subject: "user:ann", relation: "viewer", object: "document:1" };
//! relations.write(&tuple, Window::ALWAYS)?;
//! assert!(relations.check(&Ask::at(UnixMillis(0)), &tuple)?.permitted);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ancestors;
mod blocks;
mod buckets;
mod down;
mod dsl;
mod edges;
mod error;
mod exact;
mod expand;
mod flat;
mod json;
mod json_model;
mod lex;
mod line;
mod list;
mod meet;
mod merged;
mod model;
mod objects;
mod plan;
mod question;
mod relations;
mod runs;
mod schema;
mod search;
mod seen;
mod sets;
mod stored;
mod swift;
mod text;
mod tuples;
mod validate;
mod words;

pub use error::{AskError, ModelError, ModelReason, NameError};
pub use expand::{Branch, Explanation, Step, StepKind};
pub use list::{Listed, RELATION_LIST_BUDGET};
pub use model::{Model, Position, RelationDefinition, Restriction, RestrictionKind, Rewrite, TypeDefinition};
pub use question::{Ask, RELATION_BATCH_BUDGET, RELATION_BUDGET, RELATION_DEPTH, TupleRef};
pub use relations::{Answer, Relations};
pub use stored::{Filter, Known, Mark, Orphans, Page, SHARES, Stored, share_of};
pub use tuples::{Window, Written};
