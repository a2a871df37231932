//! Groups: what one commit writes.

/// Bytes of one frame's entry in a group's table.
pub(crate) const ENTRY_BYTES: usize = 32;
