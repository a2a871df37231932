//! A command on its way to its tenant.

use crate::command::{Caller, Command};
use crate::entropy::Entropy;
use crate::id::CommandId;
use crate::time::UnixMillis;

/// A command on its way: with its id, its caller and the entropy drawn for it.
#[derive(Clone)]
pub struct Ordered {
    /// The command.
    pub command: Command,
    /// Its id.
    pub id: CommandId,
    /// Who orders it.
    pub caller: Caller,
    /// Eight hash bytes of caller and command: another command under the same id is refused.
    pub fingerprint: u64,
    /// Random bytes, drawn before admission.
    pub entropy: Entropy,
    /// It is decided alone: nothing of it happens, and nothing is remembered.
    pub trial: bool,
    /// When it was admitted, for metrics.
    pub admitted: UnixMillis,
}
