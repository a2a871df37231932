//! Invitations: somebody, whether there is an account or not, is asked into a workspace with a role.

use crate::id::{PublicId, RestrictionId, RoleId, SubjectIndex, WorkspaceIndex};
use crate::time::Deadline;
use std::fmt;

/// Where an invitation stands.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum InvitationState {
    /// Nobody has answered; after its end it has lapsed.
    Open,
    /// Whoever was invited is in, by the grant that it made.
    Accepted,
    /// Whoever was invited does not want to.
    Declined,
    /// It was taken back.
    Withdrawn,
    /// Whom it was for is erased, or is about to be.
    Erased,
}

impl InvitationState {
    /// Number on disk and wire: 1 to 5.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Open => 1,
            Self::Accepted => 2,
            Self::Declined => 3,
            Self::Withdrawn => 4,
            Self::Erased => 5,
        }
    }

    /// The state with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Open),
            2 => Some(Self::Accepted),
            3 => Some(Self::Declined),
            4 => Some(Self::Withdrawn),
            5 => Some(Self::Erased),
            _ => None,
        }
    }

    /// For people, HTTP and `--json`; an open one that has lapsed is `lapsed`.
    #[must_use]
    pub const fn name(self, lapsed: bool) -> &'static str {
        match self {
            Self::Open if lapsed => "lapsed",
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Withdrawn => "withdrawn",
            Self::Erased => "erased",
        }
    }
}

/// Invitations have numbers below this one. It marks what is sealed under the key of an invitation, where others have
/// the index of the subject: no subject's is as large.
pub const INVITATION_NUMBERS: u32 = 1 << 31;

/// Under whose key whom an invitation is for is stored: one of its own, so that it can be erased alone.
#[must_use]
pub const fn key_owner(number: u32) -> SubjectIndex {
    SubjectIndex(INVITATION_NUMBERS | number)
}

/// The number of the invitation whose key that is; none of a subject.
#[must_use]
pub const fn invitation_of(owner: SubjectIndex) -> Option<u32> {
    if owner.0 >= INVITATION_NUMBERS { Some(owner.0 & !INVITATION_NUMBERS) } else { None }
}

/// An invitation. Whom it is for, in words, is a cold row; here stands the keyed hash of that.
#[derive(Clone, Eq, PartialEq)]
pub struct InvitationRecord {
    /// Its number within the tenant; later ones have larger numbers.
    pub number: u32,
    /// Its public id.
    pub id: PublicId,
    /// Keyed hash of the identifier that is invited.
    pub hash: [u8; 16],
    /// Into which workspace.
    pub workspace: WorkspaceIndex,
    /// With which role.
    pub role: RoleId,
    /// The end of the grant that it makes; `NONE` for no end.
    pub grant_until: Deadline,
    /// Whether a subject that it makes is a guest.
    pub guest: bool,
    /// Who invites, and still answers for it when it is accepted.
    pub inviter: SubjectIndex,
    /// What the inviter's session or key was restricted to; 0 for nothing.
    pub restriction: RestrictionId,
    /// Tag of its one-time secret; zeros when there is none any more.
    pub tag: [u8; 16],
    /// How many secrets were made for it.
    pub sent: u32,
    /// When it was made.
    pub made: Deadline,
    /// Until when it may be answered.
    pub until: Deadline,
    /// Where it stands.
    pub state: InvitationState,
    /// Who accepted it; 0 for nobody.
    pub subject: SubjectIndex,
    /// When it was answered or taken back; `NONE` while it is open.
    pub decided: Deadline,
}

impl fmt::Debug for InvitationRecord {
    /// Everything but tag and hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvitationRecord")
            .field("number", &self.number)
            .field("id", &self.id)
            .field("workspace", &self.workspace)
            .field("role", &self.role)
            .field("inviter", &self.inviter)
            .field("until", &self.until)
            .field("state", &self.state)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: states read back from their numbers, and have names of their own.
    #[test]
    fn states_are_one_to_one() {
        let states = (1..=5).map(|number| InvitationState::from_number(number).expect("a state"));
        let mut names: Vec<_> = states.clone().map(|state| state.name(false)).collect();
        for (number, state) in (1..).zip(states) {
            assert_eq!(state.number(), number);
        }
        names.push(InvitationState::Open.name(true));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 6);
        assert_eq!(InvitationState::from_number(6), None);
    }
}
