//! Lists as callers ask for them: the second half of the table of requests.

/// The table of requests: the commands that are given, then the lists.
macro_rules! and_lists {
    ($($commands:tt)*) => {
        requests! {
            $($commands)*
            /// The tenants, by an operator.
            ListTenants = 0x2001 -> TenantRow {
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// One tenant by id or name, by an operator.
            ReadTenant = 0x2002 -> TenantRow {
                /// Its id.
                tenant: Option<TenantId> = Tenant,
                /// Its name.
                name: Option<Name> = Name,
            };
            /// The subjects.
            ListSubjects = 0x2003 -> SubjectRow {
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// One subject by public id or identifier.
            ReadSubject = 0x2004 -> SubjectRow {
                /// Its public id.
                subject: Option<PublicId> = Subject,
                /// One of its identifiers.
                identifier: Option<Identifier> = Identifier,
            };
            /// The identifiers of a subject.
            ListIdentifiers = 0x2005 -> IdentifierRow {
                /// Whose.
                subject: PublicId = Subject,
            };
            /// The attributes of a subject.
            ListAttributeValues = 0x2006 -> AttributeValueRow {
                /// Whose.
                subject: PublicId = Subject,
            };
            /// The declared attributes.
            ListAttributes = 0x2007 -> AttributeRow {};
            /// The registered permissions.
            ListPermissionNames = 0x2008 -> PermissionRow {
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// The roles.
            ListRoles = 0x2009 -> RoleRow {
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// The workspaces.
            ListWorkspaces = 0x200A -> WorkspaceRow {
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// The grants of a subject.
            ListGrants = 0x200B -> GrantRow {
                /// Whose.
                subject: PublicId = Subject,
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// The live sessions and keys of a subject.
            ListSessions = 0x200C -> SessionRow {
                /// Whose.
                subject: PublicId = Subject,
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// The tenant's settings.
            ReadSettings = 0x200D -> SettingsRow {};
            /// The clients.
            ListClients = 0x200E -> ClientRow {
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// One client by name.
            ReadClient = 0x200F -> ClientRow {
                /// Its name.
                name: Name = Name,
            };
            /// The refresh keys.
            ListRefreshKeys = 0x2010 -> RefreshKeyRow {};
            /// The origins whose scripts may ask the tenant over HTTP: one row.
            ReadOrigins = 0x2011 -> OriginsRow {};
            /// The holders of a role: who has it, where and when.
            ListHolders = 0x2012 -> HolderRow {
                /// Which role.
                role: Name = Role,
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// How much of what it may have the tenant uses; in the system tenant that of the whole node, too.
            ReadUsage = 0x2013 -> UsageRow {};
            /// Begins a backup of the whole node below its directory for backups, or tells how far it is. One row.
            Backup = 0x2014 -> BackupRow {
                /// What it is called: a label, as a tenant may have.
                name: Name = Name,
                /// Only to tell how far it is.
                follow: bool = Follow,
            };
            /// The live keys of a subject, or of the whole tenant.
            ListKeys = 0x2020 -> KeyRow {
                /// Whose; none for everybody's.
                subject: Option<PublicId> = Subject,
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// One live key by its public id.
            ReadKey = 0x2021 -> KeyRow {
                /// Its public id.
                key: PublicId = Session,
            };
            /// The relationship model: the present one, or an earlier one of those that are kept.
            ReadRelationModel = 0x2030 -> RelationModelRow {
                /// Which version; none for the present one.
                version: Option<u32> = ModelVersion,
            };
            /// Holds a text against the rules of relationship models and against the stored tuples; changes nothing.
            TryRelationModel = 0x2031 -> RelationTrialRow {
                /// The text.
                text: Private = RelationModel,
            };
            /// The stored tuples, those that do not fit the model included.
            ListRelations = 0x2032 -> RelationRow {
                /// Only those about this object, or `type:` for all of a type.
                object: Option<Private> = RelationObject,
                /// Only those of this relation.
                relation: Option<Private> = Relation,
                /// Only those that name this subject.
                subject: Option<Private> = RelationSubject,
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// Whether subjects are in relations to objects: one row for each, in their order.
            CheckRelations = 0x2033 -> RelationAnswerRow {
                /// What is asked.
                checks: Vec<RelationRecord> = RelationObject,
                /// Tuples that count in one of these questions only.
                contextual: Vec<(u32, RelationRecord)> = Contextual,
                /// What the caller calls each question, at most 36 bytes and no two alike; none for all of them.
                correlations: Vec<String> = Correlation,
                /// The position that must have been seen.
                at_least: Option<Receipt> = Epoch,
            };
            /// The objects of a type to which a subject is in a relation.
            ListRelationObjects = 0x2034 -> RelationNameRow {
                /// The subject.
                subject: Private = RelationSubject,
                /// The relation.
                relation: Private = Relation,
                /// The type.
                type_name: Private = TypeName,
                /// Tuples that count in this question only; their number is 0.
                contextual: Vec<(u32, RelationRecord)> = Contextual,
                /// The position that must have been seen.
                at_least: Option<Receipt> = Epoch,
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// The subjects of a type, or its sets, that are in a relation to an object.
            ListRelationSubjects = 0x2035 -> RelationNameRow {
                /// The object.
                object: Private = RelationObject,
                /// The relation.
                relation: Private = Relation,
                /// The type, or `type#relation` for sets.
                type_name: Private = TypeName,
                /// Tuples that count in this question only; their number is 0.
                contextual: Vec<(u32, RelationRecord)> = Contextual,
                /// The position that must have been seen.
                at_least: Option<Receipt> = Epoch,
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// One level of a relation to an object: who stands there, and which sets count.
            ExpandRelation = 0x2036 -> RelationStepRow {
                /// The object.
                object: Private = RelationObject,
                /// The relation.
                relation: Private = Relation,
                /// Tuples that count in this question only; their number is 0.
                contextual: Vec<(u32, RelationRecord)> = Contextual,
                /// The position that must have been seen.
                at_least: Option<Receipt> = Epoch,
            };
            /// Why a check has its answer.
            ExplainRelation = 0x2037 -> RelationStepRow {
                /// What is asked.
                check: RelationRecord = RelationObject,
                /// Tuples that count in this question only; their number is 0.
                contextual: Vec<(u32, RelationRecord)> = Contextual,
                /// The position that must have been seen.
                at_least: Option<Receipt> = Epoch,
            };
            /// The versions of the relationship model that are kept, the present one first.
            ListRelationModels = 0x2038 -> RelationVersionRow {};
            /// The permissions that follow from relations, by id and type.
            ListMappings = 0x2039 -> RelationMappingRow {
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// May this session or key do it to this resource, there, now? By a role, or by a relation of the
            /// resource's type that the permission is mapped to. One row.
            CheckResource = 0x203A -> ResourceRow {
                /// The session's or key's, 40 bytes.
                handle: Private = Handle,
                /// What.
                permission: Name = Permission,
                /// Where; none for the tenant.
                workspace: Option<Name> = Workspace,
                /// To what: `type:id`.
                resource: Private = RelationObject,
                /// Where the holder's request came from: with the permission `tessera.address`.
                address: Option<IpAddr> = Address,
                /// The position that must have been seen.
                at_least: Option<Receipt> = Epoch,
            };
            /// The changes of relations behind a cursor; none without one, but `Next`, where to begin. Where nothing
            /// has changed the answer waits. `Next` is always there.
            WatchRelations = 0x203B -> RelationEventRow {
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
                /// How long to wait where nothing has changed, at most 30,000 ms; none for not at all.
                wait_ms: Option<u32> = Wait,
            };
            /// The groups.
            ListGroups = 0x2040 -> GroupRow {
                /// Those alone that lie in this one, straight.
                within: Option<Name> = Group,
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// The subjects in a group.
            ListMembers = 0x2041 -> MemberRow {
                /// In which.
                group: Name = Group,
                /// Those too that are in groups in it.
                nested: bool = Nested,
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// The groups that a subject is in, straight or through others.
            ListMemberships = 0x2042 -> MembershipRow {
                /// Who.
                subject: PublicId = Subject,
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// The grants of a group itself.
            ListGroupGrants = 0x2043 -> GrantRow {
                /// Which.
                group: Name = Group,
            };
            /// Who holds what, since when, by whom and until when. What one holder has is on one page, unless a frame is full: then the next one begins with it again.
            ListReview = 0x2047 -> ReviewRow {
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// Why a subject may do something or not. A session may ask that about its own subject.
            Explain = 0x2045 -> ExplainRow {
                /// Who.
                subject: PublicId = Subject,
                /// Through which of its sessions or keys: what a check of that says; none for a session that nothing cuts.
                key: Option<PublicId> = Session,
                /// What.
                permission: Name = Permission,
                /// Where; none for the tenant.
                workspace: Option<Name> = Workspace,
                /// To which resource, `type:id`; none for no question about one.
                resource: Option<Private> = RelationObject,
                /// When; `NONE` for now.
                at: Deadline = At,
                /// The circumstances, a JSON object; none for none.
                context: Option<Private> = Context,
                /// Entities for this question only, a JSON list; none for none.
                entities: Option<Private> = Entities,
                /// From where it is supposed to be asked; none for nobody knows.
                address: Option<IpAddr> = Address,
                /// The level of proof that the session is supposed to be opened with; 0 for none, and for a session or key that
                /// is named, which has its own; so has it the next two.
                acr: u32 = Acr,
                /// When that proof is supposed to be made; `NONE` for none.
                proven: Deadline = Proven,
                /// How far the session's device is supposed to be trusted; none for no device.
                trust: Option<Trust> = Trust,
            };
            /// What the answer would be at a time, with a role or grant that is supposed. Changes nothing.
            Simulate = 0x2046 -> ExplainRow {
                /// Who.
                subject: PublicId = Subject,
                /// What.
                permission: Name = Permission,
                /// Where; none for the tenant.
                workspace: Option<Name> = Workspace,
                /// When; `NONE` for now.
                at: Deadline = At,
                /// A role that is supposed to cover `patterns` by itself, a new one when there is none of this name.
                role: Option<Name> = DraftRole,
                /// What it is supposed to cover.
                patterns: Vec<Pattern> = Pattern,
                /// A role that the subject is supposed to have.
                grant: Option<Name> = DraftGrant,
                /// Where it is supposed to have it; none for the whole tenant.
                grant_workspace: Option<Name> = DraftWorkspace,
                /// First instant of that grant.
                from: Deadline = From,
                /// First instant after it.
                until: Deadline = Until,
                /// A role that the subject is supposed to have no more.
                without: Option<Name> = WithoutGrant,
                /// Where that one is granted; none for the whole tenant.
                without_workspace: Option<Name> = WithoutWorkspace,
                /// A group that the subject is supposed to be in.
                group: Option<Name> = Group,
                /// The conditions of the grant that is supposed.
                conditions: GrantConditions = GrantCondition,
                /// From where it is supposed to be asked; none for nobody knows.
                address: Option<IpAddr> = Address,
                /// The level of proof that the session is supposed to be opened with; 0 for none.
                acr: u32 = Acr,
                /// When that proof is supposed to be made; `NONE` for none.
                proven: Deadline = Proven,
                /// How far the session's device is supposed to be trusted; none for no device.
                trust: Option<Trust> = Trust,
            };
            /// The services.
            ListServices = 0x2050 -> ServiceRow {
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// The entries of a service, or of all of them.
            ListEntries = 0x2051 -> EntryRow {
                /// Whose; none for all.
                service: Option<Name> = Service,
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// One entry by its permission.
            ReadEntry = 0x2052 -> EntryRow {
                /// The permission.
                permission: Name = Permission,
            };
            /// Where an entry is used, by patterns with a `*` too; or where deprecated entries are named in full.
            ListEntryUses = 0x2053 -> EntryUseRow {
                /// Which; none for all that are deprecated.
                permission: Option<Name> = Permission,
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// May this session or key do this with an application, there, now? What it is, is told in one of three
            /// ways: by a scope; by a service and an action of it; by a service, a method and a target. One row.
            Authorize = 0x20AA -> AuthorizedRow {
                /// The session's or key's, 40 bytes.
                handle: Private = Handle,
                /// Where; none for the tenant.
                workspace: Option<Name> = Workspace,
                /// What, as a scope.
                scope: Option<Private> = Scope,
                /// Of which service.
                service: Option<Name> = Service,
                /// Which of its actions.
                action: Option<Name> = Action,
                /// By which method.
                method: Option<Name> = Method,
                /// To which target.
                target: Option<Private> = RequestTarget,
                /// Where the holder's request came from: with the permission `tessera.address`.
                address: Option<IpAddr> = Address,
                /// The position that must have been seen.
                at_least: Option<Receipt> = Epoch,
            };
            /// The endpoints of a service, as they were registered.
            ListEndpoints = 0x20AB -> EndpointRow {
                /// Whose.
                service: Name = Service,
            };
            /// The policies as they were set: one row.
            ReadPolicies = 0x208C -> PolicySetRow {
                /// Which version; 0 for the present one.
                version: u32 = PolicyVersion,
            };
            /// The versions of the policies that are kept, the newest first.
            ListPolicyVersions = 0x20D0 -> PolicyVersionRow {};
            /// A part of the built-in schema: what a tenant's permissions and declared attributes are to policies.
            ReadBuiltInSchema = 0x20D1 -> SchemaPartRow {
                /// Which, from 0.
                part: u32 = PartNumber,
            };
            /// What would be wrong with policies, each at its place: no row when nothing is. Changes nothing.
            TryPolicies = 0x208D -> PolicyFaultRow {
                /// Their text; none for the one that there is.
                text: Option<Private> = PolicyText,
                /// The schema's text; none for the one that there is.
                schema: Option<Private> = PolicySchema,
                /// The built-in schema takes the place of the present one.
                built_in: bool = BuiltInSchema,
            };
            /// The stored entities.
            ListEntities = 0x208E -> EntityRow {
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// May this handle do it, under these circumstances? By a role, a relation to the resource, or a policy.
            CheckAbout = 0x208F -> ResourceRow {
                /// Its handle, 40 bytes.
                handle: Private = Handle,
                /// What.
                permission: Name = Permission,
                /// Where; none for the tenant.
                workspace: Option<Name> = Workspace,
                /// To which resource, `Type:id`; none for the workspace.
                resource: Option<Private> = RelationObject,
                /// The circumstances, a JSON object of at most 16 KiB; none for none.
                context: Option<Private> = Context,
                /// Entities for this question only, a JSON list; none for none.
                entities: Option<Private> = Entities,
                /// Where the handle is used from, with the permission `tessera.address`.
                address: Option<IpAddr> = Address,
                /// The position that the answer must have seen; none for any.
                at_least: Option<Receipt> = Epoch,
            };
            /// Where a role is used: roles that have it for a parent, and groups that it is granted to.
            ListRoleUses = 0x2044 -> RoleUseRow {
                /// Which.
                role: Name = Role,
            };
        }
    };
}
pub(crate) use and_lists;
