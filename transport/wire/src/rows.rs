//! The rows of lists.

use crate::shape::shapes;
use tessera_model::record::{AttributeKind, AttributeValue, SubjectKind, SubjectStatus, TenantStatus};
use tessera_model::refresh::ClientTerms;
use tessera_model::relation::RelationRecord;
use tessera_model::{
    Condition, Deadline, GrantConditions, Identifier, Name, Network, Origin, Pattern, Private, PublicId,
    Receipt, Settings, TenantId, UnixMillis,
};

shapes! {
    /// A tenant.
    #[derive(Clone, Debug, Eq, PartialEq)]
    TenantRow {
        /// Its id.
        tenant: TenantId = Tenant,
        /// Its name.
        name: Name = Name,
        /// Whether it may be used.
        status: TenantStatus = TenantStatus,
        /// When it was made.
        created: Deadline = Created,
        /// Whether it has failed on this node: nothing of it is answered until it is repaired.
        failed: bool = Failed,
        /// What is the matter with it on this node; none when nothing is.
        trouble: Option<String> = Trouble,
    }
    /// A subject.
    #[derive(Clone, Debug, Eq, PartialEq)]
    SubjectRow {
        /// Its public id.
        subject: PublicId = Subject,
        /// Its dense index; none for a caller who does not see everybody.
        index: Option<u32> = SubjectIndex,
        /// Person or machine.
        kind: SubjectKind = SubjectKind,
        /// Whether it may act; none where that is not shown.
        status: Option<SubjectStatus> = SubjectStatus,
        /// Whether a password is set; none where that is not shown.
        has_password: Option<bool> = HasPassword,
        /// Whether it is a guest; none where its status is not shown.
        guest: Option<bool> = Guest,
        /// Who made it; none for nobody of the tenant, and where that is not shown.
        creator: Option<PublicId> = Creator,
    }
    /// An identifier of a subject. No `Debug`: it is personal data.
    #[derive(Clone, Eq, PartialEq)]
    IdentifierRow {
        /// The identifier.
        identifier: Identifier = Identifier,
        /// Its failed sign-ins in a row; none where that is not shown.
        failures: Option<u32> = Failures,
        /// Until when it may not be tried; `NONE` when it may.
        waits_until: Deadline = WaitsUntil,
    }
    /// An attribute of a subject. No `Debug`: it is personal data.
    #[derive(Clone, Eq, PartialEq)]
    AttributeValueRow {
        /// Its name and value; always one.
        values: Vec<(Name, Option<AttributeValue>)> = Attribute,
    }
    /// A declared attribute.
    #[derive(Clone, Debug, Eq, PartialEq)]
    AttributeRow {
        /// Its name.
        name: Name = Name,
        /// The kind of its values.
        kind: AttributeKind = AttributeKind,
    }
    /// A registered permission.
    #[derive(Clone, Debug, Eq, PartialEq)]
    PermissionRow {
        /// Its dense id.
        id: u32 = PermissionId,
        /// Its name.
        name: Name = Name,
    }
    /// A role.
    #[derive(Clone, Debug, Eq, PartialEq)]
    RoleRow {
        /// Its dense id.
        id: u32 = RoleId,
        /// Its name.
        name: Name = Name,
        /// What it covers by itself.
        patterns: Vec<Pattern> = Pattern,
        /// The roles whose permissions it covers too.
        parents: Vec<Name> = Parent,
        /// The workspace that it belongs to; none for the tenant.
        workspace: Option<Name> = Workspace,
    }
    /// A group.
    #[derive(Clone, Debug, Eq, PartialEq)]
    GroupRow {
        /// Its dense id.
        id: u32 = GroupId,
        /// Its name.
        name: Name = Name,
        /// The groups that it lies in, straight.
        parents: Vec<Name> = Parent,
        /// What holds for whoever is in it; none for a group whose members are put into it.
        rule: Vec<Condition> = Condition,
        /// How many subjects a change of that has not reached yet.
        left: u32 = Left,
    }
    /// A subject in a group.
    #[derive(Clone, Debug, Eq, PartialEq)]
    MemberRow {
        /// Its public id.
        subject: PublicId = Subject,
        /// Whether it is in that group itself.
        direct: bool = Direct,
        /// First instant of that membership; `NONE` for no beginning, or where it is not direct.
        from: Deadline = From,
        /// First instant after it; `NONE` for no end, or where it is not direct.
        until: Deadline = Until,
        /// The groups through which it is in it too.
        through: Vec<Name> = Through,
    }
    /// A group that a subject is in.
    #[derive(Clone, Debug, Eq, PartialEq)]
    MembershipRow {
        /// Its name.
        group: Name = Group,
        /// Whether the subject is in it itself.
        direct: bool = Direct,
        /// First instant of that membership; `NONE` for no beginning, or where it is not direct.
        from: Deadline = From,
        /// First instant after it; `NONE` for no end, or where it is not direct.
        until: Deadline = Until,
        /// The groups through which the subject is in it too.
        through: Vec<Name> = Through,
    }
    /// Where a role is used: by a role below it, or by a group that it is granted to.
    #[derive(Clone, Debug, Eq, PartialEq)]
    RoleUseRow {
        /// The role that has it for a parent.
        role: Option<Name> = Role,
        /// The group that it is granted to.
        group: Option<Name> = Group,
        /// Where the grant holds; none for the whole tenant.
        workspace: Option<Name> = Workspace,
        /// First instant of the grant.
        from: Deadline = From,
        /// First instant after it.
        until: Deadline = Until,
    }
    /// Something that somebody holds: a role, or a membership.
    #[derive(Clone, Debug, Eq, PartialEq)]
    ReviewRow {
        /// The subject that holds it.
        subject: Option<PublicId> = Subject,
        /// The group that holds it.
        group: Option<Name> = Group,
        /// The role that is held.
        role: Option<Name> = Role,
        /// Where; none for the whole tenant.
        workspace: Option<Name> = Workspace,
        /// The group that the subject is in.
        member_of: Option<Name> = InGroup,
        /// First instant.
        from: Deadline = From,
        /// First instant after.
        until: Deadline = Until,
        /// When it was made; `NONE` of what a tenant was born with.
        created: Deadline = Created,
        /// By whom: a public id, `operator` or `node`; `rule` where it follows from a group's rule.
        by: Option<Name> = By,
        /// When it was changed last; `NONE` when it is as it was made.
        changed: Deadline = Changed,
        /// By whom.
        changed_by: Option<Name> = ChangedBy,
        /// The request that it was made for, or changed for last.
        request: Option<PublicId> = Request,
        /// The conditions under which a role counts; none for any.
        conditions: GrantConditions = GrantCondition,
    }
    /// A part of an explanation: first the decision, then each grant that covers what was asked, those that count
    /// first, then what cuts it.
    #[derive(Clone, Debug, Eq, PartialEq)]
    ExplainRow {
        /// 1 the decision, 2 a grant, 4 a workspace's ceiling, 5 the relation to the resource, 6 a step of it, 7 a policy
        /// that permits, 8 one that forbids. What cuts the session or key that it is asked through: 3 what it covers, 9 the
        /// ceiling of its device's level, 10 that of the device, or that it was revoked, 11 whoever acts in it, 12 the
        /// networks that it is used from alone.
        kind: u32 = Why,
        /// Of the decision: its reason's code, 0 for a Permit.
        reason: u32 = Reason,
        /// Of a grant: whether it counts. Of a relation or step: whether the subject is in it. Of a policy: whether it
        /// applies; else it failed.
        holds: bool = Holds,
        /// The role that is granted, then its parents up to the one whose pattern covers the permission.
        roles: Vec<Name> = Role,
        /// That pattern; of what cuts, all that it lets through.
        patterns: Vec<Pattern> = Pattern,
        /// Where the grant stands, none for the whole tenant; or whose ceiling it is.
        workspace: Option<Name> = Workspace,
        /// First instant of the grant.
        from: Deadline = From,
        /// First instant after the grant; of the decision, when time alone changes it.
        until: Deadline = Until,
        /// The groups that the grant comes through: the subject's own, up to the one that has it.
        groups: Vec<Name> = Group,
        /// First instant of the membership.
        member_from: Deadline = MemberFrom,
        /// First instant after the membership.
        member_until: Deadline = MemberUntil,
        /// The workspace that does not inherit and so keeps the grant out.
        wall: Option<Name> = Wall,
        /// Whether the grant does not reach the subject, a guest.
        withheld: bool = Withheld,
        /// Of a relation: `type:id#relation`, that of the resource that the permission is mapped to. Of a step
        /// below it: what it says. Of a policy: its name, and behind a colon why it failed. Of what cuts: the level's
        /// name, the device's or the actor's public id, the networks.
        told: Option<String> = Told,
        /// Of a step: how deep it stands.
        depth: u32 = Depth,
        /// Of a step: what it is, as in `RelationStepRow`.
        step: u32 = StepKind,
        /// Of a grant: the conditions under which it counts; none for any.
        conditions: GrantConditions = GrantCondition,
        /// Of a grant: the first of them that does not hold.
        unmet: Option<String> = Unmet,
    }
    /// A workspace.
    #[derive(Clone, Debug, Eq, PartialEq)]
    WorkspaceRow {
        /// Its dense index.
        index: u32 = WorkspaceIndex,
        /// Its public id.
        id: PublicId = WorkspaceId,
        /// Its name.
        name: Name = Name,
        /// The workspace above; none for the tenant.
        parent: Option<Name> = Parent,
        /// Whether grants above hold here too.
        inherits: bool = Inherits,
        /// What anything in it or below must lie in; empty for no ceiling.
        ceiling: Vec<Pattern> = Pattern,
        /// The role whose holders own it.
        owners: Option<Name> = Role,
        /// The subject whose personal workspace it is.
        personal: Option<PublicId> = PersonalOf,
    }
    /// A grant of a subject.
    #[derive(Clone, Debug, Eq, PartialEq)]
    GrantRow {
        /// Which role.
        role: Name = Role,
        /// Where; none for the whole tenant.
        workspace: Option<Name> = Workspace,
        /// First instant.
        from: Deadline = From,
        /// First instant after.
        until: Deadline = Until,
        /// The conditions under which it counts; none for any.
        conditions: GrantConditions = GrantCondition,
    }
    /// A grant of a role, by whom it is held.
    #[derive(Clone, Debug, Eq, PartialEq)]
    HolderRow {
        /// Who has the role.
        subject: PublicId = Subject,
        /// Person or machine.
        kind: SubjectKind = SubjectKind,
        /// Whether it may act; none where that is not shown.
        status: Option<SubjectStatus> = SubjectStatus,
        /// Where; none for the whole tenant.
        workspace: Option<Name> = Workspace,
        /// First instant.
        from: Deadline = From,
        /// First instant after.
        until: Deadline = Until,
        /// The conditions under which it counts; none for any.
        conditions: GrantConditions = GrantCondition,
    }
    /// How much there is of one thing, beside its limit.
    #[derive(Clone, Debug, Eq, PartialEq)]
    UsageRow {
        /// What is counted; those of the node begin with `node.`.
        name: Name = Name,
        /// How many there are now.
        count: u64 = Count,
        /// How many count against the limit: also what is gone, where numbers are not used again.
        used: u64 = Used,
        /// The limit; 0 for none.
        bound: u64 = Bound,
    }
    /// How far a backup is.
    #[derive(Clone, Debug, Eq, PartialEq)]
    BackupRow {
        /// What it is called.
        name: Name = Name,
        /// 1 it is being taken, 2 it is done, 3 it failed.
        status: u32 = BackupStatus,
        /// Bytes that were written.
        bytes: u64 = BytesDone,
        /// About how many bytes there will be.
        expected: u64 = BytesExpected,
        /// Tenants in it; 0 until it is done.
        tenants: u64 = Count,
        /// Why it failed; none when it did not.
        trouble: Option<String> = Trouble,
    }
    /// A live session or key of a subject.
    #[derive(Clone, Debug, Eq, PartialEq)]
    SessionRow {
        /// Its public id.
        session: PublicId = Session,
        /// Whether it is an API key.
        key: bool = IsKey,
        /// When it was opened or made.
        created: Deadline = Created,
        /// When it ends at the latest.
        expires: Deadline = Expires,
        /// When it ends unless touched; none of a key.
        idle_until: Option<Deadline> = IdleUntil,
        /// The device that it stands on.
        device: Option<PublicId> = Device,
        /// Who acts in it for its subject.
        actor: Option<PublicId> = Actor,
        /// Why.
        reason: Option<String> = Because,
    }
    /// A live key. No `Debug`: what it is for may be personal.
    #[derive(Clone)]
    KeyRow {
        /// Its public id.
        session: PublicId = Session,
        /// Whose it is.
        subject: PublicId = Subject,
        /// When it was made.
        created: Deadline = Created,
        /// When it ends.
        expires: Deadline = Expires,
        /// When it was last used; `NONE` for never.
        last_used: Deadline = LastUsed,
        /// What it covers of its owner's permissions; empty for all of them.
        patterns: Vec<Pattern> = Pattern,
        /// What it is for.
        description: Private = Description,
        /// The index of the client that it names.
        client: Option<u32> = ClientIndex,
        /// That client's name; none when it was deleted.
        client_name: Option<Name> = Client,
        /// From where it may be used; empty for anywhere.
        networks: Vec<Network> = Network,
    }
    /// A client.
    #[derive(Clone, Debug, Eq, PartialEq)]
    ClientRow {
        /// Its dense index.
        index: u32 = ClientIndex,
        /// Its name.
        name: Name = Name,
        /// What its sessions are like, each part under its own tag.
        terms: ClientTerms = RefreshMode,
    }
    /// A refresh key.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    RefreshKeyRow {
        /// Its number, 1 to 255.
        number: u32 = KeyNumber,
        /// When it was made.
        created: Deadline = Created,
        /// Whether refresh handles are made by it now.
        current: bool = IsCurrent,
    }
    /// The origins whose scripts may ask a tenant over HTTP.
    #[derive(Clone, Debug, Eq, PartialEq)]
    OriginsRow {
        /// All of them.
        origins: Vec<Origin> = Origin,
    }
    /// The relationship model.
    #[derive(Clone)]
    RelationModelRow {
        /// Counts the models of the tenant.
        version: u32 = ModelVersion,
        /// Its text.
        text: Private = RelationModel,
        /// When it was set.
        created: Deadline = Created,
    }
    /// A version of the relationship model.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    RelationVersionRow {
        /// Counts the models of the tenant.
        version: u32 = ModelVersion,
        /// When it was set.
        created: Deadline = Created,
        /// Bytes of its text.
        bytes: u64 = Count,
    }
    /// A permission that follows from a relation.
    #[derive(Clone, Debug, Eq, PartialEq)]
    RelationMappingRow {
        /// Which permission.
        permission: Name = Permission,
        /// The type of the resource.
        type_name: String = TypeName,
        /// The relation to it.
        relation: String = Relation,
    }
    /// The answer to a check about a resource.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    ResourceRow {
        /// The reason's code; 0 for a Permit.
        reason: u32 = Reason,
        /// The position that the answer was taken at.
        seen: Receipt = Epoch,
        /// Until when it holds by time alone.
        valid_until: UnixMillis = ValidUntil,
        /// What was looked at in the relations for it.
        steps: u32 = Steps,
    }
    /// A change of relations.
    #[derive(Clone, Debug, Eq, PartialEq)]
    RelationEventRow {
        /// 1 the tuple stands with this window, 2 it is gone, 3 the model is another version, 4 too much has changed:
        /// read all tuples as of this position, and go on behind `Next`.
        event: u32 = RelationEvent,
        /// The position: the epoch that it is of, and its revision.
        seen: Receipt = Epoch,
        /// When it was committed.
        at: UnixMillis = Happened,
        /// The version of the model; 0 where that is not what changed.
        version: u32 = ModelVersion,
        /// The tuple.
        tuple: Option<RelationRecord> = RelationObject,
    }
    /// What became of a text that was held against the rules.
    #[derive(Clone)]
    RelationTrialRow {
        /// Where it is wrong, from 1; 0 when it is right.
        line: u32 = Line,
        /// Where in the line.
        column: u32 = Column,
        /// What is wrong.
        told: Private = Told,
        /// How many stored tuples do not fit it.
        orphans: u32 = Orphans,
        /// The first of them.
        tuples: Vec<RelationRecord> = RelationObject,
    }
    /// A stored tuple.
    #[derive(Clone, Debug, Eq, PartialEq)]
    RelationRow {
        /// The tuple.
        tuple: RelationRecord = RelationObject,
    }
    /// The answer to one check of a relation.
    #[derive(Clone, Debug, Eq, PartialEq)]
    RelationAnswerRow {
        /// Whether the subject is in the relation.
        permitted: bool = Permitted,
        /// Why there is no answer: a code of the code table; 0 when there is one.
        code: u32 = Code,
        /// Until when it holds by time alone.
        valid_until: UnixMillis = ValidUntil,
        /// What was looked at for it.
        steps: u32 = Steps,
        /// What the caller called the question.
        correlation: Option<String> = Correlation,
    }
    /// An object or subject by name.
    #[derive(Clone)]
    RelationNameRow {
        /// `type:id`, `type:id#relation` or `type:*`.
        name: Private = Told,
    }
    /// A step of an expansion or explanation.
    #[derive(Clone)]
    RelationStepRow {
        /// How deep it stands.
        depth: u32 = Depth,
        /// Expansion: 1 or, 2 and, 3 but not, 4 tuples, 5 computed, 6 from, 7 so many more, which a frame does not hold;
        /// explanation: 11 set, 12 tuple, 13 taken away.
        kind: u32 = StepKind,
        /// What it says.
        told: Private = Told,
        /// Explanation: whether the subject is in it.
        holds: bool = Permitted,
        /// Of 7: how many steps of the expansion stand behind this one and are not told.
        left: Option<u32> = StepsLeft,
    }
    /// The tenant's settings.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    SettingsRow {
        /// Each under its own tag.
        settings: Settings = SessionTtl,
    }
}
