//! Cedar as the language of policies: texts are parsed, validated and formatted here, and compiled to the
//! flat programs that the engine evaluates.
//!
//! The language's own crate is parser and validator. It decides nothing: that is done by
//! [`tessera_program`], which knows no language.
//!
//! ```
//! use tessera_policy_cedar::{Facts, Parsed, Question, Schema};
//! use tessera_program::{FaultRule, Names};
//!
//! let schema = Schema::parse(b"entity User, Doc; action read appliesTo { principal: User, resource: Doc };")
//!     .map_err(|faults| faults[0].to_string())?;
//! let policies = Parsed::parse(b"permit(principal == User::\"ann\", action, resource);").unwrap();
//! policies.validate(&schema).unwrap();
//! let mut names = Names::default();
//! let compiled = policies.compile(&mut names).unwrap();
//! let entities = Facts::parse(b"[]", Some(&schema)).unwrap().store(&mut names).unwrap();
//! let asked = ["User::\"ann\"", "Action::\"read\"", "Doc::\"1\""];
//! let question = Question::parse(asked, "{}", Some(&schema), true).unwrap();
//! let request = question.numbered(&names).unwrap();
//! let mut room = compiled.room();
//! assert!(compiled.decide(&entities, &request, FaultRule::Strict, &mut room).permits());
//! # Ok::<(), String>(())
//! ```

mod compile;
mod error;
mod facts;
mod guard;
mod measure;
mod shape;
mod source;

pub use compile::{CompileError, compile};
pub use error::{Place, PolicyError, PolicyReason};
pub use facts::{Facts, Question};
pub use guard::{
    CONTEXT_BYTES_MAX, ENTITIES_BYTES_MAX, HEIGHT_MAX, NESTING_MAX, TEXT_BYTES_MAX, json as check_json,
};
pub use shape::{Wrong, program};
pub use source::{Parsed, Schema, format};
