//! Positions in a tenant's history, and the proof of a write.

use std::fmt;

/// Position of a command in its tenant's history. The first command of a tenant is 0 (its birth).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision that follows.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Life of a tenant's history: raised by a restore or a move. The first is 1.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Epoch(pub u64);

/// Proof of a write: the position it took. Given back as `at_least`, a check sees at least this.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Receipt {
    /// The life of the history that the write went into. 0 in a query asks for nothing.
    pub epoch: Epoch,
    /// The position in it.
    pub revision: Revision,
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch.0, self.revision.0)
    }
}
