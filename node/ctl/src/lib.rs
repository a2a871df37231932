//! The operator's command line: every noun of the engine as words, over QUIC, with answers for people
//! and for programs.
//!
//! It is a caller like any other: it knows the client and the model, and neither engine nor storage.
//! [`Ctl`] is mounted by the binary beside its own words; [`demo`] is the walk of `tessera dev`.
//! Every answer is a sentence or an aligned table, or, with `--json`, one object of stable field names
//! (docs/operate/command-line.md).

mod advice;
mod answer;
mod attribute;
mod authorize;
mod backup;
mod catalogue;
mod check;
mod client;
mod condition;
mod demo;
mod device;
mod device_key;
mod endpoint;
mod erase;
mod error;
mod explain;
mod fleet;
#[cfg(test)]
mod fuzz;
mod grant;
mod group;
mod handle;
mod invitation;
mod key;
mod keys;
mod line;
mod lines;
mod link;
mod load;
mod moving;
mod named;
#[cfg(test)]
mod openfga_test;
mod operator;
mod origin;
mod output;
mod permission;
mod ping;
mod policy;
mod policy_node;
mod policy_test;
mod profile;
mod reach;
mod relation;
mod relation_ask;
mod relation_more;
mod relation_move;
mod relation_watch;
mod request;
mod role;
mod rotate;
mod secret;
mod session;
mod settings;
mod store;
mod table;
mod tenant;
mod usage;
mod user;
mod visibility;
mod watch;
mod when;
mod workspace;
mod yaml;

pub use demo::{Demo, demo};
pub use error::CtlError;
pub use line::Ctl;
pub use output::{put, sorted, tell};
pub use profile::{PROFILE_FILE, Profile};
