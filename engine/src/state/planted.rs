//! A command that panics when it is decided: a planted fault.

use super::Decided;
use tessera_model::Refusal;

#[cfg(feature = "planted")]
#[expect(clippy::panic, reason = "a planted fault: the quarantine test needs a command that panics")]
pub(super) fn panic() -> Result<Decided, Refusal> {
    panic!("planted panic")
}

#[cfg(not(feature = "planted"))]
pub(super) fn panic() -> Result<Decided, Refusal> {
    Err(Refusal::WrongTenant)
}
