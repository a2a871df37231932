//! What every door has before it knows who comes: a certificate that can be replaced, places that one source
//! cannot take all, and counters for metrics.
//!
//! It knows neither QUIC nor HTTP, and nothing of the engine.

mod counts;
mod der;
mod figures;
mod identity;
mod named;
mod validity;

pub use counts::{Counted, Counts};
pub use identity::{Identity, IdentityError};
pub use named::Named;
pub use validity::Validity;
