//! Bytes in, bytes out: digests, comparison in constant time, random bytes, sealing, passwords.
//!
//! Nothing here knows a noun of the engine, a file or a wire. Secrets have no `Debug`, no `Display`
//! and no `==`; what is compared is compared in constant time (`compare`). Keys are wiped when dropped.

pub mod compare;
pub mod digest;
mod fair;
pub mod fingerprint;
pub mod password;
pub mod pool;
pub mod possession;
pub mod random;
pub mod seal;

pub use digest::{Hasher, Tagger};
pub use fingerprint::Fingerprint;
pub use password::{Parameters, PasswordError, Verdict};
pub use pool::{Job, Outcome, PasswordPool, QueueFull};
pub use seal::{Key, SealError};
