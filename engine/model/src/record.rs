//! The nouns as records: what an event carries, a bucket holds and the state keeps.
//!
//! A record is the whole resulting value of one key, so that applying it twice, or over a newer
//! bucket, is harmless.

use crate::id::{
    Generation, GroupId, Place, PublicId, RestrictionId, RoleId, SubjectIndex, TenantId, WorkspaceIndex,
};
use crate::name::{Name, Pattern};
use crate::refresh::RefreshRecord;
use crate::rule::GroupRule;
use crate::time::Deadline;

/// Whether a tenant may be used.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TenantStatus {
    /// In use.
    Active,
    /// Suspended by an operator: every check is denied, no command is taken.
    Suspended,
    /// Being deleted: its actor is ending.
    Closing,
    /// Gone. The record stays as the tombstone; the id is never used again.
    Deleted,
}

impl TenantStatus {
    /// Number on disk and wire: 1 to 4.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Active => 1,
            Self::Suspended => 2,
            Self::Closing => 3,
            Self::Deleted => 4,
        }
    }

    /// The status with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Active),
            2 => Some(Self::Suspended),
            3 => Some(Self::Closing),
            4 => Some(Self::Deleted),
            _ => None,
        }
    }

    /// For people and `--json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closing => "closing",
            Self::Deleted => "deleted",
        }
    }
}

/// A tenant, as the system tenant knows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TenantRecord {
    /// Its id.
    pub id: TenantId,
    /// Its name, unique among those that are not deleted.
    pub name: Name,
    /// Whether it may be used.
    pub status: TenantStatus,
    /// When it was made.
    pub created: Deadline,
}

/// Person or machine.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SubjectKind {
    /// A human being.
    Person,
    /// A service, device or operator's tool.
    Machine,
}

impl SubjectKind {
    /// For people, HTTP, policies and `--json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Machine => "machine",
        }
    }
}

/// Whether a subject may act.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SubjectStatus {
    /// May act.
    Active,
    /// Sessions ended at suspension; keys are denied until it is resumed.
    Suspended,
    /// Gone for ever; index and id are never used again.
    Deleted,
}

impl SubjectStatus {
    /// Number on disk and wire: 1 to 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Active => 1,
            Self::Suspended => 2,
            Self::Deleted => 3,
        }
    }

    /// The status with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Active),
            2 => Some(Self::Suspended),
            3 => Some(Self::Deleted),
            _ => None,
        }
    }

    /// For people and `--json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
        }
    }
}

/// A subject: whoever acts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SubjectRecord {
    /// Dense index, never used again.
    pub index: SubjectIndex,
    /// Public id.
    pub id: PublicId,
    /// Person or machine.
    pub kind: SubjectKind,
    /// Whether it may act.
    pub status: SubjectStatus,
    /// Sessions that were opened below this count of the tenant's cut-offs have ended.
    pub cut_off: u32,
    /// Whether a password is set (the hash is a cold row).
    pub has_password: bool,
    /// Whether it is a guest: nothing reaches it but what is granted to itself in a workspace.
    pub guest: bool,
}

/// A role: a named set of permission patterns.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RoleRecord {
    /// Dense id, never used again.
    pub id: RoleId,
    /// Unique name.
    pub name: Name,
    /// What it covers by itself.
    pub patterns: Vec<Pattern>,
    /// Roles whatever of which it covers too, sorted. One that was removed covers nothing.
    pub parents: Vec<RoleId>,
    /// The workspace that it belongs to: it is granted there and below alone, and goes with it. 0 for the tenant.
    pub workspace: WorkspaceIndex,
}

/// A workspace: a node of the tenant's tree.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WorkspaceRecord {
    /// Dense index, never used again.
    pub index: WorkspaceIndex,
    /// Public id.
    pub id: PublicId,
    /// Unique name.
    pub name: Name,
    /// The workspace above; 0 for the tenant.
    pub parent: WorkspaceIndex,
    /// Whether grants above it hold here too.
    pub inherits: bool,
    /// What anything in it or below must lie in, whoever asks; empty for no ceiling.
    pub ceiling: Vec<Pattern>,
    /// The role whose holders own it: one of them stays, once there is one. 0 for none.
    pub owners: RoleId,
    /// The subject whose personal workspace it is; 0 for nobody's.
    pub personal: SubjectIndex,
}

/// A grant: this subject has this role there, in this window.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct GrantRecord {
    /// Whose.
    pub subject: SubjectIndex,
    /// Which role.
    pub role: RoleId,
    /// Where; 0 for the whole tenant.
    pub workspace: WorkspaceIndex,
    /// First instant of the window; 0 for no beginning.
    pub from: Deadline,
    /// First instant after the window; 0 for no end.
    pub until: Deadline,
}

impl GrantRecord {
    /// Its place in the list of its subject's grants: role, then workspace.
    #[must_use]
    pub const fn place_of_subject(&self) -> u64 {
        ((self.role.0 as u64) << 32) | self.workspace.0 as u64
    }

    /// Its place in the list of its role's holders: subject, then workspace.
    #[must_use]
    pub const fn place_of_role(&self) -> u64 {
        ((self.subject.0 as u64) << 32) | self.workspace.0 as u64
    }
}

/// A group: subjects and groups that hold grants together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupRecord {
    /// Dense id, never used again.
    pub id: GroupId,
    /// Unique name.
    pub name: Name,
    /// The groups that it lies in, sorted: their grants hold for its members too. One that was removed
    /// grants nothing.
    pub parents: Vec<GroupId>,
    /// The windows in which it lies in some of these, sorted by parent; in the others it lies for good.
    pub windows: Vec<EdgeWindow>,
    /// Who is in it, where that follows from attributes; such a group has no other members.
    pub rule: Option<GroupRule>,
}

/// A window in which a group lies in another one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EdgeWindow {
    /// The outer group.
    pub parent: GroupId,
    /// First instant of the window; 0 for no beginning.
    pub from: Deadline,
    /// First instant after the window; 0 for no end.
    pub until: Deadline,
}

/// A membership: this subject is in this group, in this window. There is one per subject and group.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MemberRecord {
    /// Who.
    pub subject: SubjectIndex,
    /// In which group.
    pub group: GroupId,
    /// First instant of the window; 0 for no beginning.
    pub from: Deadline,
    /// First instant after the window; 0 for no end.
    pub until: Deadline,
}

/// A grant to a group: whoever is in it has this role there, in this window.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct GroupGrantRecord {
    /// Which group's.
    pub group: GroupId,
    /// Which role.
    pub role: RoleId,
    /// Where; 0 for the whole tenant.
    pub workspace: WorkspaceIndex,
    /// First instant of the window; 0 for no beginning.
    pub from: Deadline,
    /// First instant after the window; 0 for no end.
    pub until: Deadline,
}

/// A restriction: the mask that a key's permissions must lie in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RestrictionRecord {
    /// Dense id, never used again.
    pub id: RestrictionId,
    /// What it lets through.
    pub patterns: Vec<Pattern>,
}

/// The kind of an attribute's value.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum AttributeKind {
    /// True or false.
    Bool,
    /// A signed whole number.
    Integer,
    /// A text of at most 4,096 bytes.
    Text,
}

impl AttributeKind {
    /// Number on disk and wire: 1 to 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Bool => 1,
            Self::Integer => 2,
            Self::Text => 3,
        }
    }

    /// The kind with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Bool),
            2 => Some(Self::Integer),
            3 => Some(Self::Text),
            _ => None,
        }
    }
}

/// A value of an attribute.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum AttributeValue {
    /// True or false.
    Bool(bool),
    /// A signed whole number.
    Integer(i64),
    /// A text.
    Text(Box<str>),
}

impl AttributeValue {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> AttributeKind {
        match self {
            Self::Bool(_) => AttributeKind::Bool,
            Self::Integer(_) => AttributeKind::Integer,
            Self::Text(_) => AttributeKind::Text,
        }
    }
}

/// A declared attribute: typed, and hot for rules and policies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AttributeRecord {
    /// Dense id, never used again. 0 names none.
    pub id: u32,
    /// Unique name.
    pub name: Name,
    /// The kind of its values.
    pub kind: AttributeKind,
}

/// A session or API key at its place: what the eight words of the table hold.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct PlaceRecord {
    /// Where.
    pub place: Place,
    /// Which life of the place.
    pub generation: Generation,
    /// API key (true) or session.
    pub key: bool,
    /// Authentication context class, 0 to 15; 1 is a password.
    pub acr: u8,
    /// First 16 bytes of the keyed hash of the handle.
    pub tag: [u8; 16],
    /// Whose.
    pub subject: SubjectIndex,
    /// The workspace it is bound to; 0 for none.
    pub workspace: WorkspaceIndex,
    /// The end at the latest.
    pub expires: Deadline,
    /// The tenant's count of cut-offs when it was opened.
    pub cut_off: u32,
    /// The end unless touched (sessions); last use (keys).
    pub idle: Deadline,
    /// The mask its permissions must lie in; 0 for none.
    pub restriction: RestrictionId,
    /// The device it stands on; 0 for none.
    pub device: u32,
    /// When it was opened, which is when its holder proved who they are.
    pub opened: Deadline,
    /// Where its refresh stands, and its client.
    pub refresh: RefreshRecord,
    /// Whether more of it stands elsewhere: the networks that it is bound to or who acts in it, in the event before,
    /// or its device.
    pub side: bool,
}

impl std::fmt::Debug for PlaceRecord {
    /// Everything but the tag.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlaceRecord")
            .field("place", &self.place)
            .field("generation", &self.generation)
            .field("key", &self.key)
            .field("subject", &self.subject)
            .field("expires", &self.expires)
            .field("idle", &self.idle)
            .field("cut_off", &self.cut_off)
            .field("refresh", &self.refresh)
            .finish_non_exhaustive()
    }
}

/// Failed sign-ins of one identifier, whether an account has it or not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FailureRecord {
    /// Whose identifier it is; 0 where nobody has it.
    pub subject: SubjectIndex,
    /// The identifier's keyed hash.
    pub key: [u8; 16],
    /// How many since the last success; 0 when nothing is kept of it.
    pub count: u32,
    /// When the last one was.
    pub at: Deadline,
    /// Until when it may not be tried; 0 when it may.
    pub until: Deadline,
}

/// A remembered command id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CommandIdRecord {
    /// The id.
    pub id: crate::CommandId,
    /// Where its command went.
    pub revision: crate::Revision,
    /// Eight hash bytes of caller and command.
    pub fingerprint: u64,
}
