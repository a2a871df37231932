//! What is asked: every change that a caller can order, and who orders it.

pub use crate::caller::{Caller, Whence};
use crate::catalogue::ServiceEntry;
use crate::commands::commands;
use crate::device::{Thumbprint, Trust};
use crate::endpoint::Endpoint;
pub use crate::entropy::{ENTROPY_BYTES, Entropy};
use crate::id::{Generation, Place, PublicId, SubjectIndex, TenantId};
use crate::identifier::Identifier;
use crate::load::KeyedRow;
use crate::name::{Name, Pattern};
pub use crate::ordered::Ordered;
use crate::policy::{EntityChange, PolicyDraft};
use crate::possession::OnDevice;
use crate::record::{AttributeKind, AttributeValue, SubjectKind};
use crate::refresh::ClientTerms;
use crate::relation::RelationChange;
use crate::settings::SettingsChange;
use crate::{Condition, Deadline, Network, Origin, Private};

commands! {
    /// System tenant: turns the one-time secret into an operator with a key. Caller: `Bootstrap`.
    ClaimOperator = 1, narrows false, "tessera.admin.operators", {
        /// Tag of the secret as shown at the first start.
        tag: [u8; 16],
        /// What the operator is called (kept as the key's description).
        name: Name,
    };
    /// System tenant: makes a tenant with an admin, who gets a key.
    CreateTenant = 2, narrows false, "tessera.admin.tenants", { #[doc = "The new tenant's name, unique among those that are not deleted."] name: Name, };
    /// System tenant: suspends a tenant. Checks are denied and commands refused from its next check on.
    SuspendTenant = 3, narrows true, "tessera.admin.tenants", { #[doc = "Which."] tenant: TenantId, };
    /// System tenant: resumes a suspended tenant.
    ResumeTenant = 4, narrows false, "tessera.admin.tenants", { #[doc = "Which."] tenant: TenantId, };
    /// System tenant: begins (status closing) and, repeated by the node, completes a deletion.
    DeleteTenant = 5, narrows true, "tessera.admin.tenants", {
        /// Which.
        tenant: TenantId,
        /// Set by the node alone: the actor has ended, write the tombstone.
        finish: bool,
    };
    /// System tenant: a new one-time secret (first start, `operator recover`). Caller: `Node`.
    OfferBootstrap = 6, narrows false, "tessera.admin.operators", { #[doc = "Tag of the secret."] tag: [u8; 16], #[doc = "When it ends."] until: Deadline, };
    /// Changes some of the tenant's settings; the others stay.
    ChangeSettings = 10, narrows false, "tessera.admin.settings", {
        /// Which, and their new values.
        settings: SettingsChange,
    };
    /// Makes a new refresh key. Older ones stay for the sessions that have a refresh handle by them.
    RotateRefreshKeys = 11, narrows false, "tessera.admin.settings", { #[doc = "The older ones are leaked: they are dropped at once, and those sessions end."] now: bool, };
    /// Lists the origins (RFC 6454) whose scripts may ask this tenant over HTTP, as a whole.
    ChangeOrigins = 12, narrows false, "tessera.admin.settings", { #[doc = "All of them."] origins: Vec<Origin>, };
    /// Begins the epoch that a restore has raised the history to: all sessions end, and numbers that may have been
    /// given after the backup are skipped. Caller: `Node`.
    BeginEpoch = 13, narrows true, "tessera.admin.settings", {};
    /// Makes a subject. Caller: also `Claimant`, a person who registers where the settings allow it.
    CreateSubject = 20, narrows false, "tessera.admin.subjects", {
        /// Person or machine.
        kind: SubjectKind,
        /// Its identifiers, each with the keyed hash under the tenant's index key.
        identifiers: Vec<(Identifier, [u8; 16])>,
        /// PHC string of the password's hash; empty for none.
        password: Private,
    };
    /// Suspends a subject: its sessions end, its keys are denied until it is resumed.
    SuspendSubject = 21, narrows true, "tessera.admin.subjects", { #[doc = "Whom."] subject: PublicId, };
    /// Resumes a suspended subject. Ended sessions stay ended.
    ResumeSubject = 22, narrows false, "tessera.admin.subjects", { #[doc = "Whom."] subject: PublicId, };
    /// Deletes a subject for ever: sessions and keys end, identifiers become free.
    DeleteSubject = 23, narrows true, "tessera.admin.subjects", { #[doc = "Whom."] subject: PublicId, };
    /// Deletes a subject and destroys the key of what is private of it; repeated, tells whether that is done.
    EraseSubject = 224, narrows true, "tessera.admin.subjects", { #[doc = "Whom."] subject: PublicId, };
    /// Notes that a subject is erased. Caller: `Node`.
    FinishErasure = 225, narrows true, "tessera.admin.subjects", { #[doc = "Whom."] subject: SubjectIndex, };
    /// Adds an identifier to a subject.
    AddIdentifier = 24, narrows false, "tessera.admin.subjects", {
        /// Whose.
        subject: PublicId,
        /// The identifier.
        identifier: Identifier,
        /// Its keyed hash.
        hash: [u8; 16],
    };
    /// Takes an identifier from a subject.
    RemoveIdentifier = 25, narrows true, "tessera.admin.subjects", {
        /// Whose.
        subject: PublicId,
        /// The identifier's keyed hash.
        hash: [u8; 16],
    };
    /// Changes the password of the caller's own subject: its other sessions end, keys live on. Caller: a
    /// session.
    ChangePassword = 26, narrows false, "tessera.admin.subjects", {
        /// Whose.
        subject: PublicId,
        /// PHC string of the new hash.
        password: Private,
        /// The subject's cut-off when the old password was verified.
        proven: u32,
    };
    /// Offers a one-time secret with which its holder sets the subject's password. An older one ends.
    ResetPassword = 27, narrows false, "tessera.admin.subjects", {
        /// Whose.
        subject: PublicId,
        /// When the secret ends.
        until: Deadline,
        /// Whether the present password is taken away and the sessions end now, not when the new one is set.
        clear: bool,
    };
    /// Sets a password with the one-time secret: all sessions of the subject end. Caller: `Claimant`.
    SetUpPassword = 28, narrows false, "tessera.admin.subjects", {
        /// Whose.
        subject: SubjectIndex,
        /// Tag of the secret.
        tag: [u8; 16],
        /// PHC string of the new hash; empty when the secret was not good any more before it was made.
        password: Private,
    };
    /// Stores the hash of the same password by the tenant's present parameters. Caller: `Node`, after a
    /// sign-in.
    RehashPassword = 29, narrows false, "tessera.admin.subjects", {
        /// Whose.
        subject: SubjectIndex,
        /// The subject's cut-off when the password was verified.
        proven: u32,
        /// PHC string of the new hash.
        password: Private,
    };
    /// Forgets the failed sign-ins of a subject's identifiers: they may be tried again at once.
    ForgetFailures = 32, narrows false, "tessera.admin.subjects", { #[doc = "Whose."] subject: PublicId, };
    /// Counts a failed sign-in. Caller: `Node`, before the failure is answered.
    CountFailure = 33, narrows false, "tessera.sessions.open", {
        /// The identifier's keyed hash, whether an account has it or not.
        key: [u8; 16],
    };
    /// Declares an attribute: typed and hot.
    DeclareAttribute = 30, narrows false, "tessera.admin.settings", {
        /// Its name.
        name: Name,
        /// The kind of its values.
        kind: AttributeKind,
    };
    /// Sets or removes attributes of a subject: declared ones hot, undeclared texts in its profile.
    SetAttributes = 31, narrows false, "tessera.admin.subjects", {
        /// Whose.
        subject: PublicId,
        /// Name and value; `None` removes.
        values: Vec<(Name, Option<AttributeValue>)>,
        /// Names and lengths of the undeclared texts that it has, read by the caller's task when the values
        /// hold any.
        held: Vec<(Name, usize)>,
        /// The applied revision before that read; refused as `Changed` when the profile moved since.
        as_of: crate::Revision,
    };
    /// Makes subjects of the rows of a bulk load, each whole or not at all. A row whose subject is there
    /// already changes nothing. Rows with grants also need `tessera.admin.grants`.
    LoadSubjects = 34, narrows false, "tessera.admin.subjects", {
        /// The rows; at most 512.
        rows: Vec<KeyedRow>,
        /// Only tells what would become of the rows.
        trial: bool,
    };
    /// Registers a permission's name. Matching patterns of roles and restrictions cover it at once.
    RegisterPermission = 40, narrows false, "tessera.admin.roles", { #[doc = "Its name."] name: Name, };
    /// Makes a role. Exact names that are no permission yet are registered.
    CreateRole = 41, narrows false, "tessera.admin.roles", {
        /// Its name.
        name: Name,
        /// What it covers.
        patterns: Vec<Pattern>,
    };
    /// Changes what a role covers.
    ChangeRole = 42, narrows false, "tessera.admin.roles", {
        /// Its name.
        name: Name,
        /// What it covers from now on.
        patterns: Vec<Pattern>,
    };
    /// Deletes a role and every grant of it.
    DeleteRole = 43, narrows true, "tessera.admin.roles", { #[doc = "Its name."] name: Name, };
    /// Sets the roles that a role has for parents: it covers whatever they cover, too.
    SetRoleParents = 44, narrows false, "tessera.admin.roles", {
        /// Its name.
        name: Name,
        /// All its parents from now on; empty for none.
        parents: Vec<Name>,
    };
    /// Makes a workspace.
    CreateWorkspace = 50, narrows false, "tessera.admin.workspaces", {
        /// Its name.
        name: Name,
        /// The workspace above, or the tenant.
        parent: Option<Name>,
        /// Whether grants above hold here too.
        inherits: bool,
    };
    /// Deletes an empty workspace and every grant in it.
    DeleteWorkspace = 51, narrows true, "tessera.admin.workspaces", { #[doc = "Its name."] name: Name, };
    /// Deletes a workspace with all below it, and every grant in them.
    DeleteWorkspaceTree = 52, narrows true, "tessera.admin.workspaces", { #[doc = "Its name."] name: Name, };
    /// Hangs a workspace, with all below it, under another one.
    MoveWorkspace = 53, narrows false, "tessera.admin.workspaces", {
        /// Its name.
        name: Name,
        /// The workspace above from now on, or the tenant.
        parent: Option<Name>,
        /// Whether grants above hold here too.
        inherits: bool,
    };
    /// Sets what anything in a workspace and below it must lie in.
    SetCeiling = 54, narrows false, "tessera.admin.workspaces", {
        /// Its name.
        name: Name,
        /// The ceiling from now on; empty for none.
        patterns: Vec<Pattern>,
    };
    /// Sets the role whose holders in a workspace own it: one of them stays from then on.
    SetOwners = 55, narrows false, "tessera.admin.workspaces", {
        /// Its name.
        name: Name,
        /// The role; `None` for no owners.
        role: Option<Name>,
    };
    /// Grants a role, replacing the window of an equal grant.
    Grant = 60, narrows false, "tessera.admin.grants", {
        /// Whose.
        subject: PublicId,
        /// Which role.
        role: Name,
        /// Where; `None` for the whole tenant.
        workspace: Option<Name>,
        /// First instant; `NONE` for no beginning.
        from: Deadline,
        /// First instant after; `NONE` for no end.
        until: Deadline,
    };
    /// Takes a grant back.
    Ungrant = 61, narrows true, "tessera.admin.grants", {
        /// Whose.
        subject: PublicId,
        /// Which role.
        role: Name,
        /// Where; `None` for the whole tenant.
        workspace: Option<Name>,
    };
    /// Moves the end of a grant that stands; its beginning stays.
    RenewGrant = 62, narrows false, "tessera.admin.grants", {
        /// Whose.
        subject: PublicId,
        /// Which role.
        role: Name,
        /// Where; `None` for the whole tenant.
        workspace: Option<Name>,
        /// First instant after, from now on; `NONE` for no end.
        until: Deadline,
    };
    /// Makes a group.
    CreateGroup = 100, narrows false, "tessera.admin.groups", {
        /// Its name.
        name: Name,
        /// What holds for whoever is in it; empty for a group whose members are put into it.
        rule: Vec<Condition>,
    };
    /// Deletes a group, every membership in it and every grant to it. Groups in it stay, without it.
    DeleteGroup = 101, narrows true, "tessera.admin.groups", { #[doc = "Its name."] name: Name, };
    /// Puts a subject into a group, replacing the window of an equal membership.
    AddMember = 102, narrows false, "tessera.admin.groups", {
        /// Into which.
        group: Name,
        /// Whom.
        subject: PublicId,
        /// First instant; `NONE` for no beginning.
        from: Deadline,
        /// First instant after; `NONE` for no end.
        until: Deadline,
    };
    /// Takes a subject out of a group.
    RemoveMember = 103, narrows true, "tessera.admin.groups", {
        /// Out of which.
        group: Name,
        /// Whom.
        subject: PublicId,
    };
    /// Puts a group into another one: the outer one's grants hold for the members of the inner one too. It replaces
    /// the window of an equal edge.
    AddSubgroup = 104, narrows false, "tessera.admin.groups", {
        /// The outer one.
        group: Name,
        /// The inner one.
        member: Name,
        /// First instant; `NONE` for no beginning.
        from: Deadline,
        /// First instant after; `NONE` for no end.
        until: Deadline,
    };
    /// Takes a group out of another one.
    RemoveSubgroup = 105, narrows true, "tessera.admin.groups", {
        /// The outer one.
        group: Name,
        /// The inner one.
        member: Name,
    };
    /// Grants a role to all who are in a group, replacing the window of an equal grant.
    GrantGroup = 106, narrows false, "tessera.admin.grants", {
        /// Which group's.
        group: Name,
        /// Which role.
        role: Name,
        /// Where; `None` for the whole tenant.
        workspace: Option<Name>,
        /// First instant; `NONE` for no beginning.
        from: Deadline,
        /// First instant after; `NONE` for no end.
        until: Deadline,
    };
    /// Takes a grant from a group.
    UngrantGroup = 107, narrows true, "tessera.admin.grants", {
        /// Which group's.
        group: Name,
        /// Which role.
        role: Name,
        /// Where; `None` for the whole tenant.
        workspace: Option<Name>,
    };
    /// Changes the rule of a group, for so many subjects at once. Ordered again with the same rule, it goes on
    /// with the next ones; with the rule before, it is taken back from the last ones on.
    ChangeGroupRule = 108, narrows false, "tessera.admin.groups", {
        /// Its name.
        name: Name,
        /// What holds for whoever is in it from now on; at least one condition.
        rule: Vec<Condition>,
    };
    /// Opens a session for a subject whose proof was verified before admission.
    OpenSession = 70, narrows false, "tessera.sessions.open", {
        /// Whose.
        subject: SubjectIndex,
        /// The subject's cut-off when the proof was verified; refused when it rose since.
        seen_cut_off: u32,
        /// The keyed hash of the identifier that the proof was given with: its failures are forgotten.
        identifier: Option<[u8; 16]>,
        /// The class of the proof, 1 for a password, 0 for none: then the caller vouches, and must hold
        /// every one of the engine's permissions that the subject holds.
        acr: u8,
        /// The subject's device that it opens on, and the key by which that is proven; `None` for none.
        device: Option<OnDevice>,
    };
    /// Moves a session's idle end (a key's last use). A session may touch itself.
    TouchSession = 71, narrows false, "tessera.sessions.open", {
        /// Where.
        place: Place,
        /// Which life.
        generation: Generation,
    };
    /// Ends one session or key. A session may end itself and others of its subject.
    EndSession = 72, narrows true, "tessera.admin.sessions", { #[doc = "Its public id."] session: PublicId, };
    /// Ends all sessions of a subject. A session may do that for its own subject.
    EndSubjectSessions = 73, narrows true, "tessera.admin.sessions", { #[doc = "Whose."] subject: PublicId, };
    /// Ends all sessions of the tenant.
    EndTenantSessions = 74, narrows true, "tessera.admin.sessions", {};
    /// Ends the other sessions of the caller's own subject; keys live on. Caller: a session.
    EndOtherSessions = 76, narrows true, "tessera.admin.sessions", {};
    /// Gives a session's refresh handle its successor and moves its idle end. The handle was verified
    /// before admission. A session may refresh itself.
    RefreshSession = 75, narrows false, "tessera.sessions.open", {
        /// Where.
        place: Place,
        /// Which life.
        generation: Generation,
        /// The tag that the handle was verified with.
        tag: [u8; 16],
        /// The number of the refresh key that the handle was made by.
        number: u8,
        /// The handle's index.
        index: u32,
    };
    /// Makes an API key for a subject. Its permissions must lie within its creator's.
    CreateKey = 80, narrows false, "tessera.admin.keys", {
        /// Whose it will be.
        subject: PublicId,
        /// What it may cover of the owner's permissions; empty for all of them.
        patterns: Vec<Pattern>,
        /// When it ends.
        expires: Deadline,
        /// What it is for.
        description: Private,
        /// The client that sessions are opened through when this key opens them; `None` for the default.
        client: Option<Name>,
        /// From where it may be used; empty for anywhere.
        networks: Vec<Network>,
    };
    /// Makes a key in place of an old one, which lives on for a while. An owner's session may do that for
    /// its keys, and a key for itself, within what the old one may and for no longer.
    RotateKey = 82, narrows false, "tessera.admin.keys", {
        /// The old key's public id.
        key: PublicId,
        /// When the new one ends; `NONE` for when the old one would have.
        expires: Deadline,
        /// What the new one may cover, within what the old one may; empty for the same.
        patterns: Vec<Pattern>,
        /// From where the new one may be used, within where the old one may; empty for the same.
        networks: Vec<Network>,
        /// How long the old one lives on, s; 0 ends it now.
        overlap_s: u32,
        /// What the old one is for, read by the caller's task.
        description: Private,
    };
    /// Ends a key.
    RevokeKey = 81, narrows true, "tessera.admin.keys", { #[doc = "Its public id."] key: PublicId, };
    /// Makes a client.
    CreateClient = 90, narrows false, "tessera.admin.clients", {
        /// Its name.
        name: Name,
        /// What its sessions are like.
        terms: ClientTerms,
    };
    /// Changes what a client's sessions are like; it acts at their next opening and refresh.
    ChangeClient = 91, narrows false, "tessera.admin.clients", {
        /// Its name.
        name: Name,
        /// What its sessions are like from now on.
        terms: ClientTerms,
    };
    /// Deletes a client: the sessions that were opened through it end, keys that name it open no more.
    DeleteClient = 92, narrows true, "tessera.admin.clients", { #[doc = "Its name."] name: Name, };
    /// Puts a relationship model in the place of the present one.
    SetRelationModel = 120, narrows false, "tessera.admin.relations", {
        /// Its text in the modeling language.
        text: Box<str>,
        /// Takes it although stored tuples do not fit it; they stay, and count in no answer.
        allow_orphans: bool,
    };
    /// Writes and removes tuples: all of them, or none when a condition does not hold.
    ChangeRelations = 121, narrows false, "tessera.admin.relations", { #[doc = "The changes, in their order."] changes: Vec<RelationChange>, };
    /// Maps a permission to a relation of a type of resources: whoever is in it may do it to that resource.
    MapPermission = 122, narrows false, "tessera.admin.relations", {
        /// The permission; none of the engine's own.
        permission: Name,
        /// The type of the resources.
        type_name: Box<str>,
        /// The relation.
        relation: Box<str>,
    };
    /// Takes such a mapping back.
    UnmapPermission = 123, narrows true, "tessera.admin.relations", {
        /// The permission.
        permission: Name,
        /// The type of the resources.
        type_name: Box<str>,
    };
    /// Puts entries in the place of all that a service has. What is gone, but in use, stays as deprecated.
    SetService = 130, narrows false, "tessera.admin.services", {
        /// Its name.
        name: Name,
        /// All that it registers from now on.
        entries: Vec<ServiceEntry>,
    };
    /// Puts a schema, policies and the rule about those that fail in the place of all that there are.
    SetPolicies = 140, narrows false, "tessera.admin.policies", { #[doc = "Compiled before admission, against the schema."] draft: PolicyDraft, };
    /// Takes all policies away, and their schema with them. Entities must be gone before.
    DeletePolicies = 141, narrows false, "tessera.admin.policies", { #[doc = "The version of the present set, when it must be this one."] expected: Option<u32>, };
    /// Stores and removes entities: all of them, or none.
    ChangeEntities = 142, narrows false, "tessera.admin.policies", { #[doc = "The changes, in their order."] changes: Vec<EntityChange>, };
    /// Registers a device of a subject, at the lowest level of trust. A session may do that for its own subject.
    RegisterDevice = 150, narrows false, "tessera.sessions.open", {
        /// Whose.
        subject: PublicId,
        /// What it is called.
        name: Name,
        /// The thumbprint of its key.
        key: Thumbprint,
    };
    /// Says how far a device is trusted; it acts at the next check of its sessions.
    TrustDevice = 151, narrows false, "tessera.admin.subjects", {
        /// Which.
        device: PublicId,
        /// How far.
        trust: Trust,
    };
    /// Revokes a device for ever: its sessions end. A session may do that for its own subject's.
    RevokeDevice = 152, narrows true, "tessera.admin.sessions", { #[doc = "Which."] device: PublicId, };
    /// Sets what sessions on one device may use at most.
    LimitDevice = 153, narrows false, "tessera.admin.subjects", {
        /// Which.
        device: PublicId,
        /// The ceiling from now on; empty for none.
        patterns: Vec<Pattern>,
    };
    /// Sets what sessions on devices of one level may use at most.
    LimitTrust = 154, narrows false, "tessera.admin.settings", {
        /// Which level.
        trust: Trust,
        /// The ceiling from now on; empty for none.
        patterns: Vec<Pattern>,
    };
    /// Says whether sessions of persons open on devices only. Those that are open stay.
    RequireDevices = 155, narrows false, "tessera.admin.settings", { #[doc = "Whether."] required: bool, };
    /// Makes a role of a workspace: granted there and below alone, gone with it, administered by who administers there.
    CreateRoleIn = 156, narrows false, "tessera.admin.roles", {
        /// Where.
        workspace: Name,
        /// Its name, unique in the tenant.
        name: Name,
        /// What it covers.
        patterns: Vec<Pattern>,
    };
    /// Opens a session of somebody else in which the caller acts; it ends with the caller's own.
    Impersonate = 160, narrows false, "tessera.sessions.open", {
        /// For whom.
        subject: PublicId,
        /// What it may use of the subject's permissions; at least one.
        patterns: Vec<Pattern>,
        /// How long it lives, s.
        ttl_s: u32,
        /// Why; shown to the subject.
        reason: Box<str>,
    };
    /// Asks for a role, for a while. A session may do that for its own subject.
    RequestRole = 161, narrows false, "tessera.admin.grants", {
        /// For whom.
        subject: PublicId,
        /// Which role.
        role: Name,
        /// Where; `None` for the whole tenant.
        workspace: Option<Name>,
        /// For how long from the approval on, s.
        duration_s: u32,
        /// Why.
        reason: Box<str>,
    };
    /// Grants what a request asks for. Never by whom it is for.
    ApproveRequest = 162, narrows false, "tessera.admin.grants", { #[doc = "Which."] request: PublicId, };
    /// Refuses a request.
    RefuseRequest = 163, narrows true, "tessera.admin.grants", { #[doc = "Which."] request: PublicId, };
    /// Takes a request back. A session may do that for its own subject's.
    WithdrawRequest = 164, narrows true, "tessera.admin.grants", { #[doc = "Which."] request: PublicId, };
    /// Puts endpoints in the place of all that a service has.
    SetEndpoints = 170, narrows false, "tessera.admin.services", {
        /// The service's name.
        name: Name,
        /// All of them; none for no endpoints.
        endpoints: Vec<Endpoint>,
    };
    #[doc = "Puts conditions in the place of those that a grant has: it counts only while all of them hold."] SetGrantConditions = 208, narrows false, "tessera.admin.grants", { #[doc = "Whose grant."] grantee: crate::grant_condition::GranteeName, #[doc = "Of which role."] role: Name, #[doc = "Where; `None` for the whole tenant."] workspace: Option<Name>, #[doc = "All of them; none for a grant without."] conditions: crate::GrantConditions, };
    #[doc = "Grants a role under conditions, replacing window and conditions of an equal grant."] GrantUnder = 209, narrows false, "tessera.admin.grants", { #[doc = "To whom."] grantee: crate::grant_condition::GranteeName, #[doc = "Which role."] role: Name, #[doc = "Where; `None` for the whole tenant."] workspace: Option<Name>, #[doc = "First instant; `NONE` for no beginning."] from: Deadline, #[doc = "First instant after; `NONE` for no end."] until: Deadline, #[doc = "The conditions; none for a grant without."] conditions: crate::GrantConditions, };
    /// Invites somebody into a workspace: it is told to nobody whether the identifier has an account.
    Invite = 176, narrows false, "tessera.admin.grants", {
        /// Whom, with the keyed hash under the tenant's index key.
        whom: (Identifier, [u8; 16]),
        /// Where.
        workspace: Name,
        /// With which role.
        role: Name,
        /// The end of the grant; `NONE` for no end.
        grant_until: Deadline,
        /// Until when it may be answered.
        until: Deadline,
        /// Whether a subject that it makes is a guest.
        guest: bool,
    };
    /// Answers an invitation with its one-time secret. Caller: a session whose subject has the invited identifier, or
    /// `Claimant`, of whom a subject is made, where people register.
    AnswerInvitation = 177, narrows false, "tessera.admin.grants", {
        /// The invitation's number and the tag of the secret.
        secret: (u32, [u8; 16]),
        /// Whether it is accepted.
        accept: bool,
        /// For a subject that is to be made: the invited identifier with its keyed hash. Read by the caller's task.
        whom: Option<(Identifier, [u8; 16])>,
        /// PHC string of its password's hash.
        password: Private,
    };
    /// Takes an invitation back.
    WithdrawInvitation = 178, narrows true, "tessera.admin.grants", { #[doc = "Which."] invitation: PublicId, };
    /// Makes a new secret for an invitation; the one before ends.
    ResendInvitation = 179, narrows false, "tessera.admin.grants", {
        /// Which.
        invitation: PublicId,
        /// Until when it may be answered from now on.
        until: Deadline,
    };
    #[doc = "Erases whom an invitation is for: it ends, and the key that that is sealed under is destroyed; repeated, tells whether that is done."] EraseInvitation = 251, narrows true, "tessera.admin.subjects", { #[doc = "Which."] invitation: PublicId, };
    #[doc = "Notes that whom these invitations were for is erased. Caller: `Node`."] FinishInvitations = 252, narrows true, "tessera.admin.subjects", { #[doc = "Their numbers."] numbers: Vec<u32>, };
    /// Makes a guest of a subject, or a member of a guest.
    SetGuest = 180, narrows false, "tessera.admin.subjects", { #[doc = "Whom."] subject: PublicId, #[doc = "Whether it is a guest."] guest: bool, };
    /// Names the role by which persons own their personal workspaces, or turns those off for new ones.
    SetPersonalRole = 181, narrows false, "tessera.admin.settings", { #[doc = "Which; `None` for no personal workspaces."] role: Option<Name>, };
    /// Makes the personal workspace of a subject, or tells which it is. A session may do that for its own subject.
    MakePersonalWorkspace = 182, narrows false, "tessera.admin.workspaces", { #[doc = "Whose."] subject: PublicId, };
    /// Notes the ends of sessions in which somebody acted for somebody else, whatever ended them. Caller: `Node`.
    NoteActings = 184, narrows true, "tessera.admin.sessions", {};
    /// Says who sees whom, in the place of what was said. By whoever sees everybody in full alone.
    SetVisibility = 192, narrows false, "tessera.admin.settings", { #[doc = "The rules."] draft: crate::visibility::VisibilityDraft, };
    #[doc = "System tenant: says that a tenant lives in a cell from an epoch on. Refused unless the epoch is higher than the known one."] PlaceTenant = 240, narrows false, "tessera.fleet.sync", { #[doc = "Which, since when, where."] placement: crate::Placement, };
    #[doc = "A step of the tenant's move to another cell. Caller: `Node`."] NoteMove = 248, narrows true, "tessera.fleet.sync", { #[doc = "Which."] step: crate::moving::MoveStep, };
    #[doc = "System tenant: takes a tenant that comes from another cell, or goes on here by an operator's word. No door orders it."] AdoptTenant = 249, narrows false, "tessera.admin.tenants", { #[doc = "Its name."] name: Name, #[doc = "When it was made."] created: Deadline, #[doc = "Whether it is suspended."] suspended: bool, #[doc = "That it lives here."] placement: crate::Placement, };
    #[doc = "System tenant: the other cells have said what has left this one since it was restored, or an operator says that nothing has."] HearFleet = 250, narrows true, "tessera.admin.tenants", {};
    /// Panics when decided: a planted fault, refused unless the build has the feature `planted`.
    PlantedPanic = 65_000, narrows false, "tessera.admin.settings", {};
}
