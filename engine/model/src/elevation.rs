//! Elevations: somebody who acts for another, and roles that are asked for and given for a while.

use crate::id::{Generation, Place, PublicId, RoleId, SubjectIndex, WorkspaceIndex};
use crate::time::Deadline;

/// Who acts in a session that belongs to somebody else. SPEC: RFC 8693 section 4.1 calls it `act`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ActingRecord {
    /// For whom: the reason speaks of them.
    pub subject: SubjectIndex,
    /// The place of the session that acts.
    pub place: Place,
    /// Which life of it.
    pub generation: Generation,
    /// Who acts.
    pub actor: SubjectIndex,
    /// The session or key that the actor opened it with: it ends with that one.
    pub by: (Place, Generation),
    /// Why, as the actor said it.
    pub reason: Box<str>,
}

/// How it came that somebody acts for another no more.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum ActingEnd {
    /// It goes on, or what ended it is not noted yet.
    #[default]
    None,
    /// It was ended: by whoever acted, by the subject, or by somebody who administers sessions.
    Ordered,
    /// Its time was over.
    Lifetime,
    /// The actor's own session or key ended, or the actor may not act for others any more.
    Actor,
    /// The subject's sessions were ended, or the subject was suspended or deleted.
    Subject,
}

impl ActingEnd {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::None, Self::Ordered, Self::Lifetime, Self::Actor, Self::Subject];

    /// Number on disk and wire: 0 to 4.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Ordered => 1,
            Self::Lifetime => 2,
            Self::Actor => 3,
            Self::Subject => 4,
        }
    }

    /// The one with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.number() == number)
    }

    /// For people, HTTP and `--json`; empty while it goes on.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Ordered => "ordered",
            Self::Lifetime => "lifetime",
            Self::Actor => "actor",
            Self::Subject => "subject",
        }
    }
}

/// That somebody acted for another: kept when it is over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ActedRecord {
    /// For whom.
    pub subject: SubjectIndex,
    /// Its number among those of the subject; later ones have larger numbers.
    pub number: u32,
    /// The public id of the session that acted.
    pub session: PublicId,
    /// Who acted.
    pub actor: SubjectIndex,
    /// Since when.
    pub begun: Deadline,
    /// Until when at the latest.
    pub ends: Deadline,
    /// When it ended; `NONE` while it goes on.
    pub ended: Deadline,
    /// How.
    pub how: ActingEnd,
    /// Why, as the actor said it.
    pub reason: Box<str>,
}

/// Where a request for a role stands.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum RequestState {
    /// Nobody has decided; after its end it has lapsed.
    Open,
    /// Somebody granted it.
    Approved,
    /// Somebody refused it.
    Refused,
    /// Its subject took it back.
    Withdrawn,
}

impl RequestState {
    /// Number on disk and wire: 1 to 4.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Open => 1,
            Self::Approved => 2,
            Self::Refused => 3,
            Self::Withdrawn => 4,
        }
    }

    /// The state with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Open),
            2 => Some(Self::Approved),
            3 => Some(Self::Refused),
            4 => Some(Self::Withdrawn),
            _ => None,
        }
    }

    /// For people, HTTP and `--json`; an open one that has lapsed is `lapsed`.
    #[must_use]
    pub const fn name(self, lapsed: bool) -> &'static str {
        match self {
            Self::Open if lapsed => "lapsed",
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// A request for a role, for a while.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestRecord {
    /// Its number within the tenant; later ones have larger numbers.
    pub number: u32,
    /// Its public id.
    pub id: PublicId,
    /// For whom the role is asked.
    pub subject: SubjectIndex,
    /// Who asked: the subject or somebody in its place; 0 for an operator.
    pub made_by: SubjectIndex,
    /// For which role.
    pub role: RoleId,
    /// Where; 0 for the whole tenant.
    pub workspace: WorkspaceIndex,
    /// For how long from the approval on, s.
    pub duration_s: u32,
    /// Why, as the subject said it.
    pub reason: Box<str>,
    /// When it was made.
    pub made: Deadline,
    /// Until when it may be decided.
    pub until: Deadline,
    /// Where it stands.
    pub state: RequestState,
    /// Who decided; 0 for nobody, or for an operator.
    pub decided_by: SubjectIndex,
    /// When; `NONE` while it is open.
    pub decided: Deadline,
    /// When the grant that it made ends; `NONE` without one.
    pub granted_until: Deadline,
}
