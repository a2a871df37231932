//! What the load knows of a subject and of a tenant's roles, and the answer that follows from it.

use std::collections::BTreeSet;
use tessera_model::{PublicId, Reason};

/// The roles of every tenant, in the order of their bits.
pub const ROLES: [&str; 3] = ["reader", "writer", "auditor"];
/// The permissions asked for.
pub const PERMISSIONS: [&str; 4] = ["docs.read", "docs.write", "audit.read", "audit.export"];
/// The role whose patterns the load changes, and what each of its two forms covers besides.
pub const EDITED: usize = 2;

/// The patterns of a role, in one of the two forms of the edited one.
#[must_use]
pub fn patterns(role: usize, wide: bool) -> &'static [&'static str] {
    match (role, wide) {
        (0, _) => &["docs.read"],
        (1, _) => &["docs.*"],
        (_, true) => &["audit.*"],
        (_, false) => &["audit.read"],
    }
}

/// Whether a role covers a permission.
#[must_use]
pub const fn covers(role: usize, permission: usize, wide: bool) -> bool {
    match (role, permission) {
        (0, 0) | (1, 0 | 1) | (2, 2) => true,
        (2, 3) => wide,
        _ => false,
    }
}

/// What is known of one subject.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    /// One bit per role that is granted.
    pub granted: u8,
    /// The live sessions.
    pub live: BTreeSet<PublicId>,
}

impl Facts {
    /// Whether the role is granted.
    #[must_use]
    pub const fn has(&self, role: usize) -> bool {
        self.granted >> role & 1 == 1
    }

    /// The answer to a check of one of the subject's sessions.
    #[must_use]
    pub fn answer(&self, session: PublicId, permission: usize, wide: bool) -> Answer {
        if !self.live.contains(&session) {
            return Answer::Ended;
        }
        let granted = (0..ROLES.len()).any(|role| self.has(role) && covers(role, permission, wide));
        if granted { Answer::Permit } else { Answer::NotGranted }
    }
}

/// A check's answer as far as the load can know it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// Permit.
    Permit,
    /// Alive, but not granted.
    NotGranted,
    /// The session has ended; its place may have been given away.
    Ended,
}

impl Answer {
    /// Whether the node's reason says the same.
    #[must_use]
    pub const fn is(self, reason: Reason) -> bool {
        match self {
            Self::Permit => matches!(reason, Reason::None),
            Self::NotGranted => matches!(reason, Reason::NotGranted),
            Self::Ended => matches!(reason, Reason::Revoked | Reason::HandleUnknown | Reason::Changed),
        }
    }

    /// Whether it is a Permit.
    #[must_use]
    pub const fn permits(self) -> bool {
        matches!(self, Self::Permit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_model::Pattern;

    /// PROPERTY: what a role covers by arithmetic is what its patterns cover.
    #[test]
    fn coverage_agrees_with_the_patterns() {
        for (role, _) in ROLES.iter().enumerate() {
            for (permission, name) in PERMISSIONS.iter().enumerate() {
                for wide in [false, true] {
                    let by_pattern = patterns(role, wide)
                        .iter()
                        .any(|text| Pattern::new(text).expect("a pattern").covers(name));
                    assert_eq!(covers(role, permission, wide), by_pattern, "{role} {name} {wide}");
                }
            }
        }
    }

    /// PROPERTY: an ended session is never permitted, whatever is granted.
    #[test]
    fn an_ended_session_is_never_permitted() {
        let id = PublicId([1; 16]);
        let mut facts = Facts { granted: 0b111, live: BTreeSet::from([id]) };
        assert_eq!(facts.answer(id, 3, true), Answer::Permit);
        assert_eq!(facts.answer(id, 3, false), Answer::NotGranted);
        facts.live.clear();
        assert!((0..4).all(|permission| facts.answer(id, permission, true) == Answer::Ended));
    }
}
