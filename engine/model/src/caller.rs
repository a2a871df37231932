//! Who orders a command.

use crate::id::{Generation, Place, SubjectIndex};
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

/// From where somebody orders, as far as that is known. Of who it is that is no part: a command that is repeated from
/// elsewhere is the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Whence(pub Option<IpAddr>);

impl PartialEq for Whence {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Whence {}

impl Hash for Whence {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// Who orders a command. Made by the engine from a live credential, or by the node for itself;
/// `decide` looks again whether it is still alive and allowed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Caller {
    /// A session or key of the tenant itself.
    Holder {
        /// Its place.
        place: Place,
        /// The life of the place.
        generation: Generation,
        /// Whose it is.
        subject: SubjectIndex,
        /// From where.
        from: Whence,
    },
    /// A session or key of the system tenant, acting on another tenant.
    Operator {
        /// Its place in the system tenant.
        place: Place,
        /// The life of the place.
        generation: Generation,
        /// Whose it is in the system tenant.
        subject: SubjectIndex,
        /// From where.
        from: Whence,
    },
    /// Whoever holds the one-time secret of the first start.
    Bootstrap,
    /// The node itself.
    Node,
    /// Whoever holds the secret that the command carries the proof of.
    Claimant,
}

impl Caller {
    /// Number on disk: 1 to 5.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Holder { .. } => 1,
            Self::Operator { .. } => 2,
            Self::Bootstrap => 3,
            Self::Node => 4,
            Self::Claimant => 5,
        }
    }
}
