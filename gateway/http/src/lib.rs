//! The HTTP door: an application in any language signs people in and asks, over HTTP/1.1 or 2.
//!
//! One table of operations ([`table`]) routes, reads strictly, refuses, documents and is tested. Who asks
//! is looked at with every request; nothing is kept between two. The door knows the engine, and neither
//! QUIC nor a store.

mod accept;
mod answer;
mod ask;
mod budget;
mod caller;
mod catalogue;
mod columns;
mod condition;
mod content;
mod cross;
mod door;
mod elevation;
mod endpoint;
mod events;
mod explain;
mod explorer;
mod figures;
mod forward;
mod groups;
mod held;
mod input;
mod invitation;
mod json;
mod limits;
mod list;
mod load;
mod one;
mod openapi;
mod openapi_relation;
mod openfga;
mod operation;
mod order;
mod parameters;
mod placed;
mod plain;
mod policy;
mod problem;
mod protocol;
mod public;
mod relation;
mod route;
mod scan;
mod serve;
mod settings;
mod short;
mod sight;
mod sound;
mod stream;
mod table;
#[cfg(test)]
mod tests;
mod tuple;
mod turn;
mod under;
mod value;
mod wake;
mod watch;

pub use door::{Door, DoorConfig, DoorError};
pub use figures::Figures;
pub use json::Json;
pub use limits::Limits;
pub use problem::Problem;
pub use protocol::{Admitted, Kernel, Open, PlainAnswer, PlainPath, PlainRequest, Protocol};
pub use scan::{Scan, Value};
