//! Flat programs over numbered values: what compiled policies are, and how they are evaluated.
//!
//! A policy is a scope, by which it is found, and a program: instructions one behind the other, jumps
//! forward only, a stack. Attributes, texts and entities are numbers ([`Names`]), so that equality is that
//! of numbers. [`Policies::decide`] allocates nothing, ends always, and answers with a [`Ruling`] whatever
//! the values are. Nothing here knows a language: programs are made with an [`Assembler`].

mod assemble;
mod brief;
mod codec;
mod entities;
mod fault;
mod fuse;
mod hash;
mod json;
mod names;
mod op;
mod operate;
mod pattern;
mod plain;
mod policies;
mod request;
mod run;
mod shape;
mod term;
mod text;
mod value;

pub use assemble::{Assembler, HeadRef, POLICY_MADE_MAX, POLICY_OPS_MAX, ProgramError, ScopeRef};
pub use codec::{CodecError, Program};
pub use entities::{Entities, Fact};
pub use fault::FaultReason;
pub use names::Names;
pub use op::{IpKind, Op, Pair, Reading, SetKind, Single, Sum, Than, Variable};
pub use pattern::Pattern;
pub use plain::{Placed, Plain, PlainBounds, PlainError};
pub use policies::{Effect, FaultRule, Outcome, Policies, QUESTION_STEPS_MAX, Room, Ruling};
pub use request::{Desk, EntityRef, Request};
pub use shape::{ActionShape, EntityShape, Field, Kind, Sent, Shape};
pub use term::{TERM_DEPTH_MAX, Term};
pub use text::{datetime, decimal, duration};
pub use value::{Ip, Span, Uid, Value, Word};
