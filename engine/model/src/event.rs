//! What happened: facts of one command, each the resulting value of one key.
//!
//! Replaying events over a newer state changes nothing. `apply` in the engine takes each of them
//! without a clock, without randomness and without refusing.

use crate::catalogue::ServiceRecord;
use crate::device::{DevicePolicyRecord, DeviceRecord};
use crate::elevation::{ActedRecord, ActingRecord, RequestRecord};
use crate::endpoint::EndpointsRecord;
use crate::fleet::Placement;
use crate::grant_condition::GrantConditionsRecord;
use crate::id::{
    CellId, ClientIndex, Generation, GroupId, Place, RestrictionId, RoleId, ServiceIndex, SubjectIndex,
    WorkspaceIndex,
};
use crate::invitation::InvitationRecord;
use crate::network::Network;
use crate::policy::{EntityName, EntityRecord, PolicyRecord};
use crate::private::Private;
use crate::record::{
    AttributeRecord, AttributeValue, CommandIdRecord, FailureRecord, GrantRecord, GroupGrantRecord,
    GroupRecord, MemberRecord, PlaceRecord, RestrictionRecord, RoleRecord, SubjectRecord, TenantRecord,
    WorkspaceRecord,
};
use crate::refresh::{ClientRecord, EndReason, RefreshRecord};
use crate::relation::{RelationMappingRecord, RelationModelRecord, RelationRecord};
use crate::revision::{Epoch, Revision};
use crate::settings::Settings;
use crate::time::Deadline;
use crate::visibility::VisibilityRecord;
use crate::{Name, PermissionId, PublicId, TenantId};

/// One fact.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The tenant was born under this id. The first event of every history.
    TenantBorn {
        /// The tenant's own id.
        tenant: TenantId,
        /// When.
        at: Deadline,
    },
    /// The tenant's settings are these.
    SettingsChanged(Settings),
    /// System tenant: the tenant's record is this.
    TenantChanged(TenantRecord),
    /// System tenant: the one-time secret that makes an operator; a zero tag means none.
    BootstrapChanged {
        /// Tag of the secret (first 16 bytes of its keyed hash).
        tag: [u8; 16],
        /// When it ends.
        until: Deadline,
    },
    /// The subject's record is this.
    SubjectChanged(SubjectRecord),
    /// What is private of a subject is being erased since then, or is erased.
    SubjectErased {
        /// Of whom.
        subject: SubjectIndex,
        /// Since when.
        at: Deadline,
        /// Whether it is done: nobody can read it any more.
        done: bool,
    },
    /// The identifier with this keyed hash belongs to the subject.
    IdentifierTaken {
        /// Keyed hash of the normal form, under the tenant's index key.
        hash: [u8; 16],
        /// Whose it is.
        subject: SubjectIndex,
    },
    /// The identifier with this keyed hash belongs to nobody.
    IdentifierFreed {
        /// Whose it was.
        subject: SubjectIndex,
        /// Keyed hash of the normal form.
        hash: [u8; 16],
    },
    /// The subject's one-time secret for setting a password; a zero tag means none.
    SetUpOffered {
        /// Whose password it sets.
        subject: SubjectIndex,
        /// First 16 bytes of the keyed hash of the secret's handle.
        tag: [u8; 16],
        /// When it ends.
        until: Deadline,
    },
    /// The failed sign-ins of an identifier are these; a count of 0 forgets them.
    FailuresCounted(FailureRecord),
    /// A declared attribute.
    AttributeDeclared(AttributeRecord),
    /// The subject's declared attribute has this value, or none.
    AttributeChanged {
        /// Whose.
        subject: SubjectIndex,
        /// Which.
        attribute: u32,
        /// The value; `None` removes it.
        value: Option<AttributeValue>,
    },
    /// A permission has this name.
    PermissionRegistered {
        /// Its id.
        id: PermissionId,
        /// Its name.
        name: Name,
    },
    /// The role's record is this.
    RoleChanged(RoleRecord),
    /// The role is gone, and every grant of it.
    RoleRemoved(RoleId),
    /// The workspace's record is this.
    WorkspaceChanged(WorkspaceRecord),
    /// The workspace is gone, and every grant in it.
    WorkspaceRemoved(WorkspaceIndex),
    /// The grant stands (one per subject, role and workspace: it replaces an older window).
    GrantAdded(GrantRecord),
    /// The grant of this subject, role and workspace is gone.
    GrantRemoved {
        /// Whose.
        subject: SubjectIndex,
        /// Which role.
        role: RoleId,
        /// Where.
        workspace: WorkspaceIndex,
    },
    /// The conditions of a grant are these; none for a grant without.
    GrantConditionsSet(GrantConditionsRecord),
    /// The group's record is this.
    GroupChanged(GroupRecord),
    /// The group is gone, and with it every membership in it and every grant to it.
    GroupRemoved(GroupId),
    /// The subject is in the group (one per subject and group: it replaces an older window).
    MemberAdded(MemberRecord),
    /// The subject is not in the group any more.
    MemberRemoved {
        /// Who.
        subject: SubjectIndex,
        /// In which group.
        group: GroupId,
    },
    /// The grant to a group stands (one per group, role and workspace: it replaces an older window).
    GroupGrantAdded(GroupGrantRecord),
    /// The grant of this group, role and workspace is gone.
    GroupGrantRemoved {
        /// Which group's.
        group: GroupId,
        /// Which role.
        role: RoleId,
        /// Where.
        workspace: WorkspaceIndex,
    },
    /// The relationship model is this. Tuples that it does not take stay, and count in no answer.
    RelationModelChanged(RelationModelRecord),
    /// The tuple stands, with this window.
    RelationWritten(RelationRecord),
    /// The tuple is gone.
    RelationRemoved {
        /// `type:id`.
        object: Box<str>,
        /// The relation's name.
        relation: Box<str>,
        /// `type:id`, `type:id#relation` or `type:*`.
        subject: Box<str>,
    },
    /// The permission follows from this relation to a resource of this type (one per permission and type).
    PermissionMapped(RelationMappingRecord),
    /// The permission follows from no relation to resources of this type any more.
    PermissionUnmapped {
        /// Which permission.
        permission: PermissionId,
        /// The type of the resources.
        type_name: Box<str>,
    },
    /// The service's record is this.
    ServiceChanged(ServiceRecord),
    /// The service is gone. Its permissions stay registered, and belong to nobody.
    ServiceRemoved(ServiceIndex),
    /// The service's endpoints are these.
    EndpointsChanged(EndpointsRecord),
    /// The service has no endpoints.
    EndpointsRemoved(ServiceIndex),
    /// The policies are these.
    PoliciesChanged(PolicyRecord),
    /// There are no policies; the last ones had this version.
    PoliciesRemoved {
        /// Of the last ones.
        version: u32,
    },
    /// The entity is this.
    EntityChanged(EntityRecord),
    /// Nothing is known of the entity any more.
    EntityRemoved(EntityName),
    /// A restriction was made.
    RestrictionAdded(RestrictionRecord),
    /// A restriction holds nothing any more (kept for the name in history).
    RestrictionRemoved(RestrictionId),
    /// A session or key stands at its place. Over a limit, sessions of its subject have ended for it.
    SessionOpened {
        /// The session or key.
        record: PlaceRecord,
        /// The sessions that ended for it, oldest by opening first; at most 255.
        evicted: Vec<(Place, Generation)>,
    },
    /// The key that is made next at this place is bound to these networks: denied from elsewhere.
    NetworksBound {
        /// Where.
        place: Place,
        /// Which life.
        generation: Generation,
        /// From where it may be used; at least one.
        networks: Vec<Network>,
    },
    /// The session or key ends earlier, at this instant.
    ExpiresMoved {
        /// Where.
        place: Place,
        /// Which life.
        generation: Generation,
        /// Its end.
        expires: Deadline,
    },
    /// The idle end (sessions) or last use (keys) moved.
    SessionTouched {
        /// Where.
        place: Place,
        /// Which life.
        generation: Generation,
        /// The new idle end or last use.
        idle: Deadline,
    },
    /// The session was refreshed: its refresh handle and its idle end are these.
    SessionRefreshed {
        /// Where.
        place: Place,
        /// Which life.
        generation: Generation,
        /// Where its refresh stands now.
        refresh: RefreshRecord,
        /// The new idle end.
        idle: Deadline,
    },
    /// The session or key has ended.
    SessionEnded {
        /// Where.
        place: Place,
        /// Which life.
        generation: Generation,
        /// Why.
        reason: EndReason,
    },
    /// The tenant's count of cut-offs rose to `count`, and with it the cut-off of the subject (or of
    /// the whole tenant when `subject` is 0): sessions opened below it have ended.
    CutOffRaised {
        /// Whose sessions; 0 for all of the tenant.
        subject: SubjectIndex,
        /// The new count.
        count: u32,
        /// A session that is spared: its own count is raised too. (0, 0) for none.
        spared: (Place, Generation),
    },
    /// The client's record is this.
    ClientChanged(ClientRecord),
    /// The client is gone, and every session that was opened through it has ended.
    ClientRemoved(ClientIndex),
    /// The tenant has a refresh key of this number, and makes refresh handles by it from now on.
    RefreshKeyMade {
        /// Its number, never 0.
        number: u8,
        /// When it was made.
        at: Deadline,
    },
    /// The refresh key is gone, and every session whose refresh handle was made by it has ended.
    RefreshKeyDropped {
        /// Its number.
        number: u8,
    },
    /// Numbers below these are not given any more: whoever was given some of them since a backup is not
    /// known. Each is the first that may be given.
    NumbersSkipped {
        /// The counter of tenants.
        tenant: u64,
        /// The index of subjects.
        subject: u32,
        /// The id of permissions.
        permission: u32,
        /// The index of workspaces.
        workspace: u32,
    },
    /// Roles and groups with numbers below these are not made any more: those that were given are gone, and what
    /// names them still must not come to mean others. Each is the first that may be given.
    NamesSkipped {
        /// The id of roles.
        role: u32,
        /// The id of groups.
        group: u32,
    },
    /// The same of what may go without a trace of its number.
    NumbersKept {
        /// The index of clients: keys name them.
        client: u32,
        /// The number of devices.
        device: u32,
        /// The number of requests.
        request: u32,
    },
    /// The device's record is this.
    DeviceChanged(DeviceRecord),
    /// The device is gone without a trace: its subject was deleted, or it was revoked long ago.
    DeviceRemoved {
        /// Whose it was.
        subject: SubjectIndex,
        /// Its number.
        number: u32,
    },
    /// What the tenant asks of devices is this.
    DevicePolicyChanged(DevicePolicyRecord),
    /// In the session that is opened next at this place somebody acts for its subject.
    ActingBegun(ActingRecord),
    /// That somebody acts for the subject, or acted, is this: noted when it begins and when it ends.
    ActingNoted(ActedRecord),
    /// That somebody acted for the subject is not remembered any more.
    ActingForgotten {
        /// For whom.
        subject: SubjectIndex,
        /// Its number.
        number: u32,
    },
    /// The request's record is this.
    RequestChanged(RequestRecord),
    /// The request is forgotten.
    RequestRemoved {
        /// Its number.
        number: u32,
    },
    /// The invitation's record is this.
    InvitationChanged(InvitationRecord),
    /// The invitation is forgotten.
    InvitationRemoved {
        /// Its number.
        number: u32,
    },
    /// Nobody can read any more whom this invitation was for, whether it is forgotten or not. Numbers up to it are given
    /// to no other one.
    InvitationErased {
        /// Its number.
        number: u32,
    },
    /// The role by which subjects own their personal workspaces is this; 0 where the tenant has none of those.
    PersonalRoleChanged {
        /// Which.
        role: RoleId,
    },
    /// Who sees whom is this.
    VisibilityChanged(VisibilityRecord),
    /// A subject was made by another one.
    CreatorNoted {
        /// Who was made.
        subject: SubjectIndex,
        /// By whom.
        by: SubjectIndex,
    },
    /// System tenant: a tenant lives there, from that epoch on.
    TenantPlaced(Placement),
    /// The tenant is about to leave: nothing more is written but the end of that.
    TenantLeaving {
        /// Where it goes.
        to: CellId,
        /// The epoch that it has there.
        epoch: Epoch,
        /// The first epoch whose positions its history holds without a gap.
        from: Epoch,
    },
    /// The tenant does not leave.
    TenantStays,
    /// The tenant has left: whoever has this frame may go on with its history, and nobody else.
    TenantMoved {
        /// Where it went.
        to: CellId,
        /// The epoch that it has there.
        epoch: Epoch,
    },
    /// The tenant has come, and positions of these epochs up to that one mean the same as before.
    TenantArrived {
        /// From this epoch on.
        from: Epoch,
        /// Into this one.
        into: Epoch,
        /// Up to this position.
        upto: Revision,
    },
    /// System tenant: the other cells have said what has left this one, since it began this epoch.
    FleetHeard {
        /// Which.
        epoch: Epoch,
    },
    /// The other cell has nothing any more of a move that was undone.
    TenantCopyGone,
    /// A command id that a bucket remembers (frames carry their own in the header).
    CommandRemembered(CommandIdRecord),
    /// Command ids at or below this time (ms) are refused as too old: what was remembered of them is gone.
    CommandFloor {
        /// The time, ms since the Unix epoch.
        unix_ms: u64,
    },
}

/// The kinds of cold rows.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum RowKind {
    /// Key: subject index (4 bytes, big-endian). Value: PHC string of the password hash.
    Password,
    /// Key: subject index, then keyed hash of the identifier. Value: kind byte, then the typed form.
    Identifier,
    /// Key: subject index, then an undeclared attribute's name. Value: its text.
    Profile,
    /// Key: subject index, then place and generation (big-endian). Value: what a person said the key is for.
    KeyDescription,
    /// Key: subject index. Value: tag of its one-time secret, 16 bytes: what a sleeping tenant is asked for
    /// when somebody knocks with one. Whether the secret is good is hot.
    SetUp,
    /// Key: [`Row::DOORS`] or [`Row::ORIGINS`]. Value: what a tenant's settings let strangers do, two bytes, or the
    /// origins that it lists, with line feeds between. What a sleeping tenant is asked for by strangers.
    Front,
    /// Key: subject index, then `g`, role and workspace of a grant, or `m` and the group of a membership; then
    /// `r` for its last change (big-endian). Value: when, and by whom ([`crate::note::Note`]).
    Granted,
    /// Key: group id, then role and workspace of a grant to it; then `r` for its last change (big-endian).
    /// Value: as of `Granted`.
    GroupGranted,
    /// Key: number of an invitation, then `i`. Value: whom it is for: kind byte, then the typed form. And `t`: tag of its
    /// one-time secret, 16 bytes, as of `SetUp`. Sealed under the invitation's own key.
    Invitation,
    /// The store's own. Key: subject index. Value: the slot of its key in the key file, which everything else of
    /// the subject is sealed under. The only kind that is not sealed.
    SubjectKey,
}

impl RowKind {
    /// Number on disk: 1 to 6, 20 and 21, 40 and 41.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Password => 1,
            Self::Identifier => 2,
            Self::Profile => 3,
            Self::KeyDescription => 4,
            Self::SetUp => 5,
            Self::Front => 6,
            Self::Granted => 20,
            Self::GroupGranted => 21,
            Self::Invitation => 40,
            Self::SubjectKey => 41,
        }
    }

    /// What such a row holds, for errors.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Identifier => "identifier",
            Self::Profile => "profile",
            Self::KeyDescription => "description",
            Self::SetUp => "one-time secret",
            Self::Front => "front",
            Self::Granted => "note on a grant",
            Self::GroupGranted => "note on a group's grant",
            Self::Invitation => "invitation",
            Self::SubjectKey => "key",
        }
    }

    /// Whether such a row belongs to the subject that its key begins with; the others are the tenant's, or an invitation's.
    #[must_use]
    pub const fn is_of_subject(self) -> bool {
        !matches!(self, Self::Front | Self::GroupGranted | Self::Invitation)
    }

    /// The kind with this number.
    #[must_use]
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            1 => Some(Self::Password),
            2 => Some(Self::Identifier),
            3 => Some(Self::Profile),
            4 => Some(Self::KeyDescription),
            5 => Some(Self::SetUp),
            6 => Some(Self::Front),
            20 => Some(Self::Granted),
            21 => Some(Self::GroupGranted),
            40 => Some(Self::Invitation),
            41 => Some(Self::SubjectKey),
            _ => None,
        }
    }
}

/// A cold row that a command writes or removes, in the same frame as its events.
#[derive(Clone)]
pub struct Row {
    /// What it is.
    pub kind: RowKind,
    /// Its key within the tenant and kind, at most 192 bytes.
    pub key: Vec<u8>,
    /// The value; `None` removes the row, and where the key is a subject's alone ([`Row::gone`]) every
    /// row of that kind whose key begins with it.
    pub value: Option<Private>,
}

/// Bytes of the subject's index at the beginning of a key.
const SUBJECT_KEY_BYTES: usize = 4;

impl Row {
    /// The key of what a tenant's settings let strangers do. No key of a subject: those begin with four bytes of
    /// an index and are removed by them.
    pub const DOORS: &'static [u8] = b"doors";
    /// The key of the origins that a tenant lists.
    pub const ORIGINS: &'static [u8] = b"origins";
    /// Behind the number of an invitation: whom it is for.
    pub const INVITED: u8 = b'i';
    /// Behind the number of an invitation: the tag of its one-time secret.
    pub const INVITATION_TAG: u8 = b't';

    /// The key of a row that belongs to a subject: its index, big-endian, then `rest`.
    #[must_use]
    pub fn subject_key(subject: SubjectIndex, rest: &[u8]) -> Vec<u8> {
        let mut key = subject.0.to_be_bytes().to_vec();
        key.extend_from_slice(rest);
        key
    }

    /// Removes every row of a kind that belongs to a subject, whatever there is.
    #[must_use]
    pub fn gone(kind: RowKind, subject: SubjectIndex) -> Self {
        Self { kind, key: Self::subject_key(subject, &[]), value: None }
    }

    /// What the key of a session or API key says about its description.
    #[must_use]
    pub fn description(subject: SubjectIndex, key: PublicId, text: &Private) -> Self {
        let (place, generation) = key.place();
        let key = Self::description_key(subject, place, generation);
        Self { kind: RowKind::KeyDescription, key, value: Some(text.clone()) }
    }

    /// The key of the row that says what an API key is for.
    #[must_use]
    pub fn description_key(subject: SubjectIndex, place: Place, generation: Generation) -> Vec<u8> {
        let mut rest = place.0.to_be_bytes().to_vec();
        rest.extend_from_slice(&generation.0.to_be_bytes());
        Self::subject_key(subject, &rest)
    }

    /// The key of a removal that takes a row with this key along.
    #[must_use]
    pub fn whole_key(key: &[u8]) -> Option<&[u8]> {
        key.get(..SUBJECT_KEY_BYTES)
    }

    /// Whether it removes every row whose key begins with its own.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.value.is_none() && self.key.len() == SUBJECT_KEY_BYTES
    }
}
