//! Commands as callers send them: one table for both directions and for the documents. Lists stand beside it.
//!
//! They mirror the model's commands, with passwords in the clear and identifiers as typed: the node hashes both.

use crate::declare::requests;
use crate::event::and_events;
use crate::fault::WireError;
use crate::fields::{FieldsReader, FieldsWriter, Head};
use crate::frame::Frame;
use crate::kind::Kind;
use crate::outbox::Outbox;
use crate::part::Part;
use crate::tag::Tag;
use std::net::IpAddr;
use tessera_model::record::{AttributeKind, AttributeValue, SubjectKind};
use tessera_model::refresh::ClientTerms;
use tessera_model::relation::{RelationChange, RelationRecord};
use tessera_model::settings::SettingsChange;
use tessera_model::{
    Condition, Deadline, DeviceKey, DeviceProof, GrantConditions, Identifier, Name, Network, Origin, Pattern,
    Private, PublicId, Receipt, TenantId, Thumbprint, Trust, catalogue::ServiceEntry, endpoint::Endpoint,
    load::LoadRow, policy::EntityName, visibility::VisibilityRule,
};

and_events! {
    /// Turns the one-time secret of the first start into an operator with a key. Needs no credential.
    ClaimOperator = 0x1001 -> Made {
        /// The secret as shown.
        secret: Private = OneTimeSecret,
        /// What the operator is called.
        name: Name = Name,
    };
    /// Makes a tenant with an admin, who gets a key.
    CreateTenant = 0x1002 -> Made {
        /// Its name.
        name: Name = Name,
    };
    /// Suspends a tenant.
    SuspendTenant = 0x1003 -> Made {
        /// Which.
        tenant: TenantId = Tenant,
    };
    /// Resumes a suspended tenant.
    ResumeTenant = 0x1004 -> Made {
        /// Which.
        tenant: TenantId = Tenant,
    };
    /// Deletes a tenant for ever.
    DeleteTenant = 0x1005 -> Made {
        /// Which.
        tenant: TenantId = Tenant,
    };
    /// Changes some of the tenant's settings; the others stay.
    ChangeSettings = 0x100A -> Made {
        /// The new values, each under its own tag.
        settings: SettingsChange = SessionTtl,
    };
    /// Makes a new refresh key; older ones stay for the sessions that need them, or are dropped at once.
    RotateRefreshKeys = 0x100B -> Made {
        /// Drops the older ones at once: sessions with a refresh handle by them end.
        now: bool = AtOnce,
    };
    /// Lists the origins whose scripts may ask the tenant over HTTP, as a whole; empty for none.
    ChangeOrigins = 0x100C -> Made {
        /// All of them.
        origins: Vec<Origin> = Origin,
    };
    /// Makes a subject.
    CreateSubject = 0x1014 -> Made {
        /// Person or machine.
        kind: SubjectKind = SubjectKind,
        /// Its identifiers.
        identifiers: Vec<Identifier> = Identifier,
        /// Its password in the clear; none for a subject that does not sign in with one.
        password: Option<Private> = Password,
    };
    /// Suspends a subject.
    SuspendSubject = 0x1015 -> Made {
        /// Whom.
        subject: PublicId = Subject,
    };
    /// Resumes a suspended subject.
    ResumeSubject = 0x1016 -> Made {
        /// Whom.
        subject: PublicId = Subject,
    };
    /// Deletes a subject for ever.
    DeleteSubject = 0x1017 -> Made {
        /// Whom.
        subject: PublicId = Subject,
    };
    /// Deletes a subject and destroys the key of what is private of it; repeated, it tells whether that is done.
    EraseSubject = 0x10e0 -> Made {
        /// Whom.
        subject: PublicId = Subject,
    };
    /// Adds an identifier to a subject.
    AddIdentifier = 0x1018 -> Made {
        /// Whose.
        subject: PublicId = Subject,
        /// The identifier.
        identifier: Identifier = Identifier,
    };
    /// Takes an identifier from a subject.
    RemoveIdentifier = 0x1019 -> Made {
        /// Whose.
        subject: PublicId = Subject,
        /// The identifier.
        identifier: Identifier = Identifier,
    };
    /// Changes the password of the connection's own subject. Its other sessions end.
    ChangePassword = 0x101A -> Made {
        /// The password until now.
        old: Private = OldPassword,
        /// The new one.
        new: Private = Password,
    };
    /// Offers a one-time secret with which its holder sets the subject's password. The receipt holds the
    /// secret as a handle (kind 4), once; an older secret ends.
    ResetPassword = 0x101B -> Made {
        /// Whose.
        subject: PublicId = Subject,
        /// When the secret ends.
        until: Deadline = Expires,
        /// Whether the present password is taken away and the sessions end now already.
        clear: bool = Clear,
    };
    /// Sets a password with a one-time secret, which is used up; Hello may give it, too. Its subject's sessions end.
    SetUpPassword = 0x101C -> Made {
        /// The secret, a handle of kind 4.
        secret: Private = Handle,
        /// The new password in the clear.
        password: Private = Password,
    };
    /// Declares an attribute: typed and hot.
    DeclareAttribute = 0x101E -> Made {
        /// Its name.
        name: Name = Name,
        /// The kind of its values.
        kind: AttributeKind = AttributeKind,
    };
    /// Sets or removes attributes of a subject.
    SetAttributes = 0x101F -> Made {
        /// Whose.
        subject: PublicId = Subject,
        /// Name and value; none removes.
        values: Vec<(Name, Option<AttributeValue>)> = Attribute,
    };
    /// Forgets the failed sign-ins of a subject's identifiers: they may be tried again at once.
    ForgetFailures = 0x1020 -> Made {
        /// Whose.
        subject: PublicId = Subject,
    };
    /// Makes subjects of the rows of a bulk load, each whole or not at all. A row that was loaded before is
    /// known by its content. Rows with grants also need `tessera.admin.grants`.
    LoadSubjects = 0x1022 -> Made {
        /// Only tells what would become of the rows.
        trial: bool = Trial,
        /// The rows; at most 512.
        rows: Vec<LoadRow> = Row,
    };
    /// Registers a permission's name.
    RegisterPermission = 0x1028 -> Made {
        /// Its name.
        name: Name = Name,
    };
    /// Puts endpoints in the place of all that a service has, each opened by a `Row`.
    SetEndpoints = 0x10AA -> Made {
        /// The service's name.
        name: Name = Name,
        /// Only tells what would come of it.
        trial: bool = Trial,
        /// All of them; at most 512.
        endpoints: Vec<Endpoint> = Row,
    };
    /// Makes a role.
    CreateRole = 0x1029 -> Made {
        /// Its name.
        name: Name = Name,
        /// What it covers.
        patterns: Vec<Pattern> = Pattern,
    };
    /// Changes what a role covers.
    ChangeRole = 0x102A -> Made {
        /// Its name.
        name: Name = Name,
        /// What it covers from now on.
        patterns: Vec<Pattern> = Pattern,
    };
    /// Deletes a role and every grant of it.
    DeleteRole = 0x102B -> Made {
        /// Its name.
        name: Name = Name,
    };
    /// Sets the roles whose permissions a role covers too, as a whole.
    SetRoleParents = 0x102C -> Made {
        /// Its name.
        name: Name = Name,
        /// All its parents from now on; none for no parents.
        parents: Vec<Name> = Parent,
    };
    /// Makes a workspace.
    CreateWorkspace = 0x1032 -> Made {
        /// Its name.
        name: Name = Name,
        /// The workspace above; none for the tenant.
        parent: Option<Name> = Parent,
        /// Whether grants above hold here too.
        inherits: bool = Inherits,
    };
    /// Deletes an empty workspace and every grant in it.
    DeleteWorkspace = 0x1033 -> Made {
        /// Its name.
        name: Name = Name,
    };
    /// Deletes a workspace with all below it, and every grant in them.
    DeleteWorkspaceTree = 0x1034 -> Made {
        /// Its name.
        name: Name = Name,
    };
    /// Hangs a workspace, with all below it, under another one.
    MoveWorkspace = 0x1035 -> Made {
        /// Its name.
        name: Name = Name,
        /// The workspace above from now on; none for the tenant.
        parent: Option<Name> = Parent,
        /// Whether grants above hold here too.
        inherits: bool = Inherits,
    };
    /// Sets what anything in a workspace and below it must lie in.
    SetCeiling = 0x1036 -> Made {
        /// Its name.
        name: Name = Name,
        /// The ceiling from now on; empty for none.
        patterns: Vec<Pattern> = Pattern,
    };
    /// Sets the role whose holders in a workspace own it: one of them stays from then on.
    SetOwners = 0x1037 -> Made {
        /// Its name.
        name: Name = Name,
        /// The role; none for no owners.
        role: Option<Name> = Role,
    };
    /// Grants a role.
    Grant = 0x103C -> Made {
        /// Whose.
        subject: PublicId = Subject,
        /// Which role.
        role: Name = Role,
        /// Where; none for the whole tenant.
        workspace: Option<Name> = Workspace,
        /// First instant; `NONE` for no beginning.
        from: Deadline = From,
        /// First instant after; `NONE` for no end.
        until: Deadline = Until,
    };
    /// Takes a grant back.
    Ungrant = 0x103D -> Made {
        /// Whose.
        subject: PublicId = Subject,
        /// Which role.
        role: Name = Role,
        /// Where; none for the whole tenant.
        workspace: Option<Name> = Workspace,
    };
    /// Opens a session for a subject whom the caller has authenticated itself.
    OpenSession = 0x1046 -> Made {
        /// Whose.
        subject: PublicId = Subject,
        /// The subject's device that it opens on.
        device: Option<PublicId> = Device,
        /// The proof of that device's key; without it the caller answers for it (`tessera.devices.vouch`).
        proof: Option<DeviceProof> = DeviceProof,
    };
    /// Moves a session's idle end, or a key's last use.
    TouchSession = 0x1047 -> Made {
        /// Its handle, 40 bytes.
        handle: Private = Handle,
    };
    /// Ends one session or key by its public id.
    EndSession = 0x1048 -> Made {
        /// Its public id.
        session: PublicId = Session,
    };
    /// Ends all sessions of a subject.
    EndSubjectSessions = 0x1049 -> Made {
        /// Whose.
        subject: PublicId = Subject,
    };
    /// Ends all sessions of the tenant.
    EndTenantSessions = 0x104A -> Made {};
    /// Ends the other sessions of the connection's own subject, which a session asks for; keys live on.
    EndOtherSessions = 0x104C -> Made {};
    /// Uses a refresh handle: the session's idle end moves. A handle that was replaced ends its session.
    RefreshSession = 0x104B -> Made {
        /// The refresh handle, 40 bytes.
        handle: Private = RefreshHandle,
    };
    /// Makes an API key.
    CreateKey = 0x1050 -> Made {
        /// Whose it will be.
        subject: PublicId = Subject,
        /// What it may cover of the owner's permissions; empty for all of them.
        patterns: Vec<Pattern> = Pattern,
        /// When it ends.
        expires: Deadline = Expires,
        /// What it is for.
        description: Private = Description,
        /// The client that sessions are opened through when this key opens them; none for the default.
        client: Option<Name> = Client,
        /// From where it may be used; empty for anywhere.
        networks: Vec<Network> = Network,
    };
    /// Ends a key.
    RevokeKey = 0x1051 -> Made {
        /// Its public id.
        key: PublicId = Session,
    };
    /// Makes a key in place of an old one, which lives on for a while: also by itself, or its owner's session.
    RotateKey = 0x1052 -> Made {
        /// The old key's public id.
        key: PublicId = Session,
        /// When the new one ends; `NONE` for when the old one would have.
        expires: Deadline = Expires,
        /// What the new one may cover, within what the old one may; empty for the same.
        patterns: Vec<Pattern> = Pattern,
        /// From where the new one may be used, within where the old one may; empty for the same.
        networks: Vec<Network> = Network,
        /// How long the old one lives on, s; 0 ends it now.
        overlap_s: u32 = Overlap,
    };
    /// Makes a client.
    CreateClient = 0x105A -> Made {
        /// Its name.
        name: Name = Name,
        /// What its sessions are like, each part under its own tag.
        terms: ClientTerms = RefreshMode,
    };
    /// Changes what a client's sessions are like, as a whole.
    ChangeClient = 0x105B -> Made {
        /// Its name.
        name: Name = Name,
        /// What its sessions are like from now on, each part under its own tag.
        terms: ClientTerms = RefreshMode,
    };
    /// Deletes a client: the sessions that were opened through it end.
    DeleteClient = 0x105C -> Made {
        /// Its name.
        name: Name = Name,
    };
    /// Moves the end of a grant that stands; its beginning stays.
    RenewGrant = 0x103E -> Made {
        /// Whose.
        subject: PublicId = Subject,
        /// Which role.
        role: Name = Role,
        /// Where; none for the whole tenant.
        workspace: Option<Name> = Workspace,
        /// First instant after, from now on; `NONE` for no end.
        until: Deadline = Until,
    };
    /// Makes a group.
    CreateGroup = 0x1064 -> Made {
        /// Its name.
        name: Name = Name,
        /// What holds for whoever is in it; none for a group whose members are put into it.
        rule: Vec<Condition> = Condition,
    };
    /// Deletes a group, every membership in it and every grant to it.
    DeleteGroup = 0x1065 -> Made {
        /// Its name.
        name: Name = Name,
    };
    /// Puts a subject into a group.
    AddMember = 0x1066 -> Made {
        /// Into which.
        group: Name = Group,
        /// Whom.
        subject: PublicId = Subject,
        /// First instant; `NONE` for no beginning.
        from: Deadline = From,
        /// First instant after; `NONE` for no end.
        until: Deadline = Until,
    };
    /// Takes a subject out of a group.
    RemoveMember = 0x1067 -> Made {
        /// Out of which.
        group: Name = Group,
        /// Whom.
        subject: PublicId = Subject,
    };
    /// Puts a group into another one, whose grants hold for its members too. It replaces the window of an equal edge.
    AddSubgroup = 0x1068 -> Made {
        /// The outer one.
        group: Name = Group,
        /// The inner one.
        member: Name = Member,
        /// First instant; `NONE` for no beginning.
        from: Deadline = From,
        /// First instant after; `NONE` for no end.
        until: Deadline = Until,
    };
    /// Takes a group out of another one.
    RemoveSubgroup = 0x1069 -> Made {
        /// The outer one.
        group: Name = Group,
        /// The inner one.
        member: Name = Member,
    };
    /// Grants a role to all who are in a group.
    GrantGroup = 0x106A -> Made {
        /// Which group's.
        group: Name = Group,
        /// Which role.
        role: Name = Role,
        /// Where; none for the whole tenant.
        workspace: Option<Name> = Workspace,
        /// First instant; `NONE` for no beginning.
        from: Deadline = From,
        /// First instant after; `NONE` for no end.
        until: Deadline = Until,
    };
    /// Takes a grant from a group.
    UngrantGroup = 0x106B -> Made {
        /// Which group's.
        group: Name = Group,
        /// Which role.
        role: Name = Role,
        /// Where; none for the whole tenant.
        workspace: Option<Name> = Workspace,
    };
    /// Changes the rule of a group, for so many subjects at once: the same request goes on with the next ones
    /// until none is left.
    ChangeGroupRule = 0x106C -> Made {
        /// Its name.
        name: Name = Name,
        /// What holds for whoever is in it from now on; at least one.
        rule: Vec<Condition> = Condition,
    };
    /// Puts a relationship model in the place of the present one.
    SetRelationModel = 0x1078 -> Made {
        /// Its text, at most 192 KiB.
        text: Private = RelationModel,
        /// Takes it although stored tuples do not fit it; they stay, and count in no answer.
        allow_orphans: bool = AllowOrphans,
    };
    /// Writes and removes tuples, at most 1,000: all of them, or none when a condition does not hold.
    ChangeRelations = 0x1079 -> Made {
        /// The changes, in their order.
        changes: Vec<RelationChange> = RelationChange,
    };
    /// Maps a permission to a relation of a type of resources: whoever is in it may do it to that resource.
    MapPermission = 0x107A -> Made {
        /// The permission; none of the engine's own.
        permission: Name = Permission,
        /// The type.
        type_name: String = TypeName,
        /// The relation.
        relation: String = Relation,
    };
    /// Takes such a mapping back.
    UnmapPermission = 0x107B -> Made {
        /// The permission.
        permission: Name = Permission,
        /// The type.
        type_name: String = TypeName,
    };
    /// Puts entries in the place of all that a service has, each opened by a `Row`. What of it is not there any more,
    /// but in use, stays as deprecated; a service without entries is gone.
    SetService = 0x1082 -> Made {
        /// Its name.
        name: Name = Name,
        /// Only tells what would come of it.
        trial: bool = Trial,
        /// All that it registers from now on; at most 512.
        entries: Vec<ServiceEntry> = Row,
    };
    /// Sets policies: what is named of them, and the rest as it is.
    SetPolicies = 0x108C -> Made {
        /// Their text, in Cedar's form or its JSON; none for the one that there is.
        text: Option<Private> = PolicyText,
        /// The schema's text; none for the one that there is. Both texts have 96 KiB.
        schema: Option<Private> = PolicySchema,
        /// The built-in schema takes the place of the present one.
        built_in: bool = BuiltInSchema,
        /// Whether a forbid that fails is left out; none as it is.
        lenient: Option<bool> = Lenient,
        /// The version of the present set, when it must be this one; 0 for none at all.
        version: Option<u32> = PolicyVersion,
        /// Only tells what would come of it.
        trial: bool = Trial,
    };
    /// Takes all policies away, and their schema with them. Entities must be gone before.
    DeletePolicies = 0x108D -> Made {
        /// The version of the present set, when it must be this one.
        version: Option<u32> = PolicyVersion,
    };
    /// Stores entities and removes others, at most 256: all of them, or none.
    ChangeEntities = 0x108E -> Made {
        /// Those to store, a JSON list; none for none.
        put: Option<Private> = Entities,
        /// Those to remove: type, then id.
        remove: Vec<EntityName> = EntityType,
        /// Only tells what would come of it.
        trial: bool = Trial,
    };
    /// Signs a person in with a password. The connection's credential needs `tessera.sessions.open`.
    SignIn = 0x1800 -> Made {
        /// The identifier as typed; its kind is guessed.
        identifier: Private = Typed,
        /// The password in the clear.
        password: Private = Password,
        /// Where the person's request came from (`tessera.address`); else the connection's address counts.
        address: Option<IpAddr> = Address,
        /// The person's device that the session opens on.
        device: Option<PublicId> = Device,
        /// The proof of that device's key; without it the caller answers for it (`tessera.devices.vouch`).
        proof: Option<DeviceProof> = DeviceProof,
    };
    /// Ends the session of this handle.
    SignOut = 0x1802 -> Made {
        /// The handle, 40 bytes.
        handle: Private = Handle,
    };
    /// Panics when decided: a planted fault, refused unless the build has it.
    PlantedPanic = 0x1FFF -> Made {};
}

impl RequestKind {
    /// Whether it changes something: it carries a command id and is answered by a Receipt.
    #[must_use]
    pub const fn is_command(self) -> bool {
        self.number() < 0x2000
    }
}

impl Request {
    /// The same list from a cursor on; false, and nothing changed, when it is no list of pages.
    pub fn go_on(&mut self, from: Option<Private>) -> bool {
        if let Self::ListTenants { after, .. }
        | Self::ListSubjects { after, .. }
        | Self::ListPermissionNames { after, .. }
        | Self::ListRoles { after, .. }
        | Self::ListWorkspaces { after, .. }
        | Self::ListGrants { after, .. }
        | Self::ListHolders { after, .. }
        | Self::ListSessions { after, .. }
        | Self::ListClients { after, .. }
        | Self::ListKeys { after, .. }
        | Self::ListMappings { after, .. }
        | Self::WatchRelations { after, .. }
        | Self::WatchEvents { after, .. }
        | Self::ListRelations { after, .. }
        | Self::ListRelationObjects { after, .. }
        | Self::ListRelationSubjects { after, .. }
        | Self::ListGroups { after, .. }
        | Self::ListMembers { after, .. }
        | Self::ListMemberships { after, .. }
        | Self::ListServices { after, .. }
        | Self::ListEntries { after, .. }
        | Self::ListEntryUses { after, .. }
        | Self::ListDevices { after, .. }
        | Self::ListActings { after, .. }
        | Self::ListRequests { after, .. }
        | Self::ListInvitations { after, .. }
        | Self::ListEntities { after, .. }
        | Self::ListCells { after, .. }
        | Self::ListPlacements { after, .. }
        | Self::ListCopies { after, .. }
        | Self::ListReview { after, .. } = self
        {
            *after = from;
            return true;
        }
        false
    }
}

impl Outbox {
    /// Writes a command or list.
    ///
    /// # Errors
    /// [`WireError::FrameTooLarge`].
    pub fn request(&mut self, request_id: u64, head: Head, request: &Request) -> Result<(), WireError> {
        let mut fields = FieldsWriter::new(head);
        request.put(&mut fields);
        self.fields(Kind::Request(request.kind()), request_id, &fields)
    }
}

impl Frame<'_> {
    /// Reads a command or list of this kind.
    ///
    /// # Errors
    /// [`WireError::BadPayload`], [`WireError::BadField`] or [`WireError::Malformed`].
    pub fn request(&self, kind: RequestKind) -> Result<(Head, Request), WireError> {
        let (head, fields) = self.fields()?;
        Ok((head, Request::take(kind, &fields)?))
    }
}
