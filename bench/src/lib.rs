//! The figures: what Tessera costs, each beside a peer in the same run (docs/performance.md).
//!
//! `tessera-bench` takes them, prints a table and writes rows of JSON; the criterion benches and the
//! instruction count use the same worlds. Nothing here is shipped and nobody imports it.

pub mod apart;
pub mod args;
pub mod bare;
pub mod caller;
pub mod casbin;
pub mod checks;
pub mod commit;
pub mod crowd;
pub mod crowd_quic;
pub mod echo;
pub mod engines;
pub mod figure;
pub mod flood;
pub mod graph;
pub mod house;
pub mod http;
pub mod instructions;
pub mod large;
pub mod lines;
pub mod many;
pub mod memory;
pub mod moves;
pub mod paced;
pub mod peers;
pub mod policies;
pub mod prepared;
pub mod process;
mod pulse;
pub mod reach;
pub mod redis;
pub mod relations;
pub mod restart;
pub mod revoked;
pub mod rounds;
pub mod rpc;
pub mod scopes;
pub mod seeded;
pub mod wire;
pub mod wire_peers;
pub mod world;
