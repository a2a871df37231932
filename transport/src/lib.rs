//! The QUIC door: one endpoint per core on one port, frames in, answers out.
//!
//! A stream drains what is readable, answers checks in place against one reading of the tenant's view
//! and writes once. Commands run beside and their replies come back to the stream. Who may ask is
//! looked at again with every drained read. The door knows no table and no store.

mod answer;
mod aside;
mod backup;
mod budget;
mod catalogue;
mod connection;
mod cores;
mod door;
mod elevation;
mod elsewhere;
mod end;
mod events;
mod figures;
mod fleet;
mod invitation;
mod limits;
mod list;
mod moving;
mod order;
mod policy;
mod quick;
mod reach;
mod receive;
mod relation;
mod reset;
mod set_up;
mod sight;
mod socket;
mod strangers;
mod stream;
mod watch;

pub use door::{Door, DoorConfig, DoorError};
pub use figures::Figures;
pub use limits::Limits;
pub use moving::{take_request, taken_of, word_of};
