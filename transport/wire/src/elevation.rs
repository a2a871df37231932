//! Devices, whoever acts for another, and requests for roles: their commands and lists in the table of requests,
//! their rows, and how their types lie in fields.

use crate::fault::WireError;
use crate::fields::{FieldValue, FieldsReader, FieldsWriter};
use crate::part::{Part, kind_number, number, text};
use crate::shape::shapes;
use crate::tag::Tag;
use tessera_model::elevation::{ActingEnd, RequestState};
use tessera_model::limits::GRANT_CONDITIONS_MAX;
use tessera_model::{
    Challenge, Deadline, DeviceKey, DeviceProof, GrantCondition, GrantConditions, Limit, Name, Pattern,
    PublicId, Thumbprint, Trust,
};

/// 32 bytes.
impl Part for Thumbprint {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        out.bytes(tag, &self.0);
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let FieldValue::Bytes(bytes) = from.one(tag)? else { return Err(WireError::BadField(tag)) };
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| WireError::Malformed(tag))?;
        if bytes == [0; 32] { Err(WireError::Malformed(tag)) } else { Ok(Self(bytes)) }
    }
}

macro_rules! bytes {
    ($($type:ty: |$value:ident| $put:expr, $take:expr;)*) => {$(
        impl Part for $type {
            fn put(&self, tag: Tag, out: &mut FieldsWriter) {
                let $value = self;
                out.bytes(tag, $put);
            }

            fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
                let FieldValue::Bytes(bytes) = from.one(tag)? else { return Err(WireError::BadField(tag)) };
                $take(bytes).ok_or(WireError::Malformed(tag))
            }
        }
    )*};
}

bytes! {
    DeviceKey: |key| key.bytes(), Self::from_bytes;
    DeviceProof: |proof| &proof.to_bytes(), Self::from_bytes;
    Challenge: |challenge| &challenge.0, |bytes: &[u8]| bytes.try_into().ok().map(Self);
}

impl Part for Trust {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        out.number(tag, u64::from(self.number()));
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        kind_number(tag, number(tag, from)?, Self::from_number)
    }
}

impl Part for GrantConditions {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        for condition in self.as_slice() {
            out.text(tag, &condition.to_string());
        }
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let mut conditions = Vec::new();
        for value in from.all(tag) {
            if conditions.len() == GRANT_CONDITIONS_MAX {
                return Err(WireError::Limit(tag, Limit::GrantConditions));
            }
            let condition = GrantCondition::parse(text(tag, value?)?);
            conditions.push(condition.map_err(|error| {
                error.limit().map_or(WireError::Malformed(tag), |limit| WireError::Limit(tag, limit))
            })?);
        }
        Self::new(conditions).map_err(|_| WireError::Malformed(tag))
    }
}

impl Part for ActingEnd {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        out.number(tag, u64::from(self.number()));
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        kind_number(tag, number(tag, from)?, Self::from_number)
    }
}

impl Part for RequestState {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        out.number(tag, u64::from(self.number()));
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        kind_number(tag, number(tag, from)?, Self::from_number)
    }
}

shapes! {
    /// A device of a subject.
    #[derive(Clone, Debug, Eq, PartialEq)]
    DeviceRow {
        /// Its public id.
        device: PublicId = Device,
        /// Whose it is.
        subject: PublicId = Subject,
        /// What it is called.
        name: Name = Name,
        /// The thumbprint of its key.
        key: Thumbprint = Thumbprint,
        /// How far the tenant trusts it.
        trust: Trust = Trust,
        /// What its sessions may use at most, beside the ceiling of its level; empty for no ceiling of its own.
        ceiling: Vec<Pattern> = Pattern,
        /// When it was registered.
        registered: Deadline = Created,
        /// When it was revoked; `NONE` while it may be used.
        revoked: Deadline = Revoked,
    }
    /// What a tenant asks of devices of one level.
    #[derive(Clone, Debug, Eq, PartialEq)]
    DevicePolicyRow {
        /// Which level.
        trust: Trust = Trust,
        /// What sessions on its devices may use at most; empty for no ceiling.
        ceiling: Vec<Pattern> = Pattern,
        /// Whether sessions of persons open on devices only: the same in every row.
        required: bool = Required,
    }
    /// What a device is to sign so that a session opens on it.
    #[derive(Clone, Debug, Eq, PartialEq)]
    ChallengeRow {
        /// Which device it is for.
        device: PublicId = Device,
        /// The challenge: good once.
        challenge: Challenge = Challenge,
        /// Until when.
        until: Deadline = Until,
    }
    /// That somebody acts or acted for a subject.
    #[derive(Clone, Debug, Eq, PartialEq)]
    ActingRow {
        /// For whom.
        subject: PublicId = Subject,
        /// The public id of the session that acts.
        session: PublicId = Session,
        /// Who acts; none for somebody whom the reader does not see.
        actor: Option<PublicId> = Actor,
        /// Why.
        reason: String = Because,
        /// Since when.
        begun: Deadline = Created,
        /// Until when at the latest.
        ends: Deadline = Expires,
        /// When it ended; `NONE` while it goes on.
        ended: Deadline = EndedAt,
        /// How.
        how: ActingEnd = ActingEnd,
    }
    /// A request for a role.
    #[derive(Clone, Debug, Eq, PartialEq)]
    RequestRow {
        /// Its public id.
        request: PublicId = Request,
        /// For whom the role is asked.
        subject: PublicId = Subject,
        /// Who asked; none for an operator.
        made_by: Option<PublicId> = Actor,
        /// For which role; none when it was deleted since.
        role: Option<Name> = Role,
        /// Where; none for the whole tenant.
        workspace: Option<Name> = Workspace,
        /// For how long from the approval on, s.
        duration_s: u32 = Duration,
        /// Why.
        reason: String = Because,
        /// When it was made.
        made: Deadline = Created,
        /// Until when it may be decided.
        until: Deadline = Until,
        /// Where it stands; an open one past `until` has lapsed.
        state: RequestState = RequestState,
        /// Whether it has lapsed.
        lapsed: bool = Lapsed,
        /// Who decided; none for nobody, or for an operator.
        decided_by: Option<PublicId> = DecidedBy,
        /// When; `NONE` while it is open.
        decided: Deadline = Decided,
        /// When the grant that it made ends; `NONE` without one.
        granted_until: Deadline = GrantedUntil,
    }
}

/// The table of requests: the commands that are given, then those about devices and elevations with their lists,
/// then the other lists.
macro_rules! and_elevations {
    ($($commands:tt)*) => {
        $crate::invitation::and_invitations! {
            $($commands)*
            /// Registers a device of a subject, at the lowest level of trust. A session may do that for its own.
            RegisterDevice = 0x1096 -> Made {
                /// Whose.
                subject: PublicId = Subject,
                /// What it is called.
                name: Name = Name,
                /// The thumbprint of its key (RFC 7638); none where the key itself is given.
                key: Option<Thumbprint> = Thumbprint,
                /// Its public key.
                public_key: Option<DeviceKey> = DeviceKey,
            };
            /// Says how far a device is trusted.
            TrustDevice = 0x1097 -> Made {
                /// Which.
                device: PublicId = Device,
                /// How far.
                trust: Trust = Trust,
            };
            /// Revokes a device for ever: its sessions end. A session may do that for its own subject's.
            RevokeDevice = 0x1098 -> Made {
                /// Which.
                device: PublicId = Device,
            };
            /// Sets what sessions on one device may use at most.
            LimitDevice = 0x1099 -> Made {
                /// Which.
                device: PublicId = Device,
                /// The ceiling from now on; empty for none.
                patterns: Vec<Pattern> = Pattern,
            };
            /// Sets what sessions on devices of one level may use at most.
            LimitTrust = 0x109A -> Made {
                /// Which level.
                trust: Trust = Trust,
                /// The ceiling from now on; empty for none.
                patterns: Vec<Pattern> = Pattern,
            };
            /// Says whether sessions of persons open on devices only. Those that are open stay.
            RequireDevices = 0x109B -> Made {
                /// Whether.
                required: bool = Required,
            };
            /// Makes a role of a workspace: granted there and below alone, and gone with it. Who administers roles there is
            /// enough for it.
            CreateRoleIn = 0x109C -> Made {
                /// Where.
                workspace: Name = Workspace,
                /// Its name, unique in the tenant.
                name: Name = Name,
                /// What it covers.
                patterns: Vec<Pattern> = Pattern,
            };
            /// Opens a session of somebody else in which the caller acts. It ends with the caller's own.
            Impersonate = 0x10A0 -> Made {
                /// For whom.
                subject: PublicId = Subject,
                /// What it may use of the subject's permissions; at least one.
                patterns: Vec<Pattern> = Pattern,
                /// How long it lives, s; an hour at most.
                ttl_s: u32 = Duration,
                /// Why; shown to the subject.
                reason: String = Because,
            };
            /// Asks for a role, for a while. A session may do that for its own subject.
            RequestRole = 0x10A1 -> Made {
                /// For whom.
                subject: PublicId = Subject,
                /// Which role.
                role: Name = Role,
                /// Where; none for the whole tenant.
                workspace: Option<Name> = Workspace,
                /// For how long from the approval on, s.
                duration_s: u32 = Duration,
                /// Why.
                reason: String = Because,
            };
            /// Grants what a request asks for. Never by whom it is for.
            ApproveRequest = 0x10A2 -> Made {
                /// Which.
                request: PublicId = Request,
            };
            /// Refuses a request.
            RefuseRequest = 0x10A3 -> Made {
                /// Which.
                request: PublicId = Request,
            };
            /// Takes a request back. A session may do that for its own subject's.
            WithdrawRequest = 0x10A4 -> Made {
                /// Which.
                request: PublicId = Request,
            };
            /// Puts conditions in the place of those that a grant has, of a subject or of a group: it counts only while all of
            /// them hold.
            SetGrantConditions = 0x10D0 -> Made {
                /// Whose; none where a group is named.
                subject: Option<PublicId> = Subject,
                /// Which group's.
                group: Option<Name> = Group,
                /// Which role.
                role: Name = Role,
                /// Where; none for the whole tenant.
                workspace: Option<Name> = Workspace,
                /// All of them; none for a grant without.
                conditions: GrantConditions = GrantCondition,
            };
            /// Grants a role to a subject or a group under conditions.
            GrantUnder = 0x10D1 -> Made {
                /// Whose; none where a group is named.
                subject: Option<PublicId> = Subject,
                /// Which group's.
                group: Option<Name> = Group,
                /// Which role.
                role: Name = Role,
                /// Where; none for the whole tenant.
                workspace: Option<Name> = Workspace,
                /// First instant; `NONE` for no beginning.
                from: Deadline = From,
                /// First instant after; `NONE` for no end.
                until: Deadline = Until,
                /// The conditions; none for a grant without.
                conditions: GrantConditions = GrantCondition,
            };
            /// The devices of a subject, revoked ones included.
            ListDevices = 0x2096 -> DeviceRow {
                /// Whose.
                subject: PublicId = Subject,
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// What a device is to sign: made for one opening of a session on it. Whether there is such a device is not told.
            ChallengeDevice = 0x20B2 -> ChallengeRow {
                /// Which.
                device: PublicId = Device,
            };
            /// Who acts and acted for a subject, in the order in which that began. A session may list its own subject's.
            ListActings = 0x20B3 -> ActingRow {
                /// For whom.
                subject: PublicId = Subject,
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// What the tenant asks of devices, a row for each level.
            ReadDevicePolicy = 0x2097 -> DevicePolicyRow {};
            /// The requests for roles, in the order in which they were made. A session may list its own subject's.
            ListRequests = 0x20A1 -> RequestRow {
                /// Whose; none for everybody's.
                subject: Option<PublicId> = Subject,
                /// Those alone that can be decided.
                open: bool = Open,
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
        }
    };
}
pub(crate) use and_elevations;
