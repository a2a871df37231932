//! A seeded multi-tenant load and an auditor that knows the right answer of every check.
//!
//! The load drives a node through the shipped client, open loop (latency from the intended start) or
//! closed loop. The auditor keeps what was acknowledged and what is in flight ([`history`]); an answer
//! is wrong when no state between its sending and its arrival gives it, a write is lost when it was
//! acknowledged and is not there on rereading.

pub mod args;
pub mod audit;
mod chart;
pub mod facts;
pub mod fleet;
pub mod history;
pub mod moment;
pub mod moves;
pub mod node;
pub mod operation;
pub mod page;
mod page_fleet;
pub mod refresh;
pub mod report;
pub mod run;
pub mod seeded;
pub mod setup;
pub mod throughput;
pub mod timeline;
pub mod write;
