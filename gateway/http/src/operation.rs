//! What an operation is: one line of the table that routes, reads, refuses, documents and tests it.

use tessera_model::CommandKind;

/// A method of HTTP.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    /// Its name in lower case, as OpenAPI writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// Where a field of a request stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stand {
    Path,
    Query,
    Body,
    /// The content as a whole, in a form of its own.
    Content,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shape {
    Name,
    Names,
    Patterns,
    /// Conditions of a group's rule.
    Rule,
    /// Conditions of a grant.
    Conditions,
    /// Origins of the web.
    Origins,
    /// Ranges of addresses in CIDR form.
    Networks,
    /// Public id of a subject.
    Subject,
    /// Public id of a session or key.
    Session,
    /// Tenant by id or name.
    Tenant,
    /// The text form of a handle; a secret.
    Handle,
    /// A password or one-time secret.
    Password,
    /// Person or machine.
    SubjectKind,
    /// Name, address or number that somebody signs in with; its kind is guessed.
    Identifier,
    Identifiers,
    /// Bool, integer or text.
    AttributeKind,
    /// An object of attributes; null removes one.
    Attributes,
    Bool,
    /// A whole number of at most 32 bits.
    Count,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Rows of one page, at most.
    Limit,
    /// Where a page begins, as the page before told it.
    Cursor,
    /// An instant: ISO 8601 in UTC, or Unix time in ms.
    Instant,
    /// `epoch.revision`.
    Receipt,
    /// A permission by name or id.
    Permission,
    /// A workspace by name or index.
    Workspace,
    /// An IPv4 or IPv6 address.
    Address,
    /// The questions of a batch.
    Checks,
    /// The text of a relationship model.
    Model,
    /// A subject of relations: `type:id`, `type:id#relation` or `type:*`.
    User,
    /// The name of a relation.
    Relation,
    /// An object of relations: `type:id`.
    Object,
    /// A type of objects, or `type#relation` for sets.
    Type,
    /// Tuples of relations, each with its window.
    Tuples,
    /// Tuples without windows; so many of them at most.
    Plain(usize),
    /// The questions about relations of a batch.
    RelationChecks,
    /// The thumbprint of a key (RFC 7638).
    Thumbprint,
    /// The public key of a device.
    DeviceKey,
    /// The proof of a device's key.
    DeviceProof,
    /// The entries of a service.
    Entries,
    /// The endpoints of a service.
    Endpoints,
    /// The rules about who sees whom.
    Sight,
    /// The text of policies, or of their schema.
    Policies,
    /// The circumstances of a question: an object.
    Context,
    /// Entities that policies speak about.
    EntityList,
    /// The types and ids of entities.
    EntityNames,
    /// Rows of subjects, NDJSON or CSV.
    Rows,
    Text,
}

/// A field of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) stand: Stand,
    pub(crate) shape: Shape,
    pub(crate) required: bool,
    pub(crate) text: &'static str,
}

impl Field {
    /// A part of the path.
    pub(crate) const fn path(name: &'static str, shape: Shape, text: &'static str) -> Self {
        Self { name, stand: Stand::Path, shape, required: true, text }
    }

    /// A parameter of the query that may be left out.
    pub(crate) const fn query(name: &'static str, shape: Shape, text: &'static str) -> Self {
        Self { name, stand: Stand::Query, shape, required: false, text }
    }

    /// A member of the body.
    pub(crate) const fn body(name: &'static str, shape: Shape, text: &'static str) -> Self {
        Self { name, stand: Stand::Body, shape, required: true, text }
    }

    /// The content as a whole.
    pub(crate) const fn content(name: &'static str, shape: Shape, text: &'static str) -> Self {
        Self { name, stand: Stand::Content, shape, required: true, text }
    }

    /// A member of the body that may be left out.
    pub(crate) const fn maybe(name: &'static str, shape: Shape, text: &'static str) -> Self {
        Self { name, stand: Stand::Body, shape, required: false, text }
    }
}

/// Who may ask for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Needs {
    /// Nobody has to show a credential.
    Nothing,
    /// Any live session or key.
    Credential,
    /// A permission of the caller's tenant.
    Permission(&'static str),
    /// A permission, or a session that asks about its own subject.
    OwnOr(&'static str),
}

impl Needs {
    /// The permission, if one is named.
    pub(crate) const fn permission(self) -> Option<&'static str> {
        match self {
            Self::Nothing | Self::Credential => None,
            Self::Permission(permission) | Self::OwnOr(permission) => Some(permission),
        }
    }
}

/// What answers it, as a member → meaning list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// One object with these members.
    One(&'static [&'static str]),
    /// A page: `rows` with these members each, and `next`.
    Page(&'static [&'static str]),
    /// A page of an answer: as a page, with `seen` and `valid_until`.
    Listed(&'static [&'static str]),
    /// A page of changes: as a page, with `seen` and `fell_behind`.
    Watched(&'static [&'static str]),
    /// What a command made: `receipt`, `repeated`, and these members.
    Made(&'static [&'static str]),
    /// No content.
    Empty,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Operation {
    /// Its name, unique: `operationId` of OpenAPI.
    pub(crate) id: &'static str,
    pub(crate) verb: Verb,
    /// Below the tenant, with `{field}` for parts.
    pub(crate) path: &'static str,
    pub(crate) needs: Needs,
    pub(crate) summary: &'static str,
    pub(crate) fields: &'static [Field],
    pub(crate) answer: Answer,
    pub(crate) act: Act,
}

/// What is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Act {
    /// A question that is answered from the published view.
    Ask(Ask),
    /// A page or a record.
    List(List),
    /// A command of the engine, whose id is the idempotency key.
    Order(CommandKind),
    /// A command that begins with a proof of the caller's own.
    Own(Own),
}

/// Questions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ask {
    Check,
    Authorize,
    CheckBatch,
    Introspect,
    Permissions,
    Resolve,
    WhoAmI,
    Challenge,
    Forward,
}

/// Lists and records.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum List {
    Tenants,
    Tenant,
    Subjects,
    Subject,
    FindSubject,
    Identifiers,
    AttributeValues,
    Attributes,
    PermissionNames,
    Roles,
    Role,
    Workspaces,
    Workspace,
    Grants,
    Holders,
    Operators,
    Sessions,
    Settings,
    Usage,
    /// Waits.
    Events,
    MySessions,
    Keys,
    KeysOf,
    Key,
    Clients,
    Client,
    RefreshKeys,
    Origins,
    Services,
    Entries,
    EntriesOf,
    Entry,
    EntryUses,
    DeprecatedUses,
    Endpoints,
    MyDevices,
    MyActings,
    Actings,
    Devices,
    DevicePolicy,
    Requests,
    RequestsOf,
    Invitations,
    InvitationsOf,
    InvitationsFor,
    PersonalRole,
    Service,
    Policies,
    PolicyTrial,
    Entities,
    Groups,
    Group,
    Members,
    Memberships,
    GroupGrants,
    RoleUses,
    Review,
    Explain,
    Simulate,
    Visibility,
    Relation(About),
}

impl List {
    /// Whether it gives names without a person behind them, which `tessera.read` is enough for.
    pub(crate) const fn is_of_names(self) -> bool {
        matches!(
            self,
            Self::Roles
                | Self::Role
                | Self::PermissionNames
                | Self::Workspaces
                | Self::Workspace
                | Self::Groups
                | Self::Group
                | Self::Services
                | Self::Service
                | Self::Entries
                | Self::EntriesOf
                | Self::Entry
                | Self::Endpoints
                | Self::Attributes
        )
    }
}

impl List {
    /// Whether it reads people, so that the permission to read those whom the rules show is enough.
    pub(crate) const fn is_of_people(self) -> bool {
        matches!(
            self,
            Self::Subjects
                | Self::Subject
                | Self::FindSubject
                | Self::Identifiers
                | Self::AttributeValues
                | Self::Grants
                | Self::Memberships
                | Self::Members
                | Self::Sessions
                | Self::KeysOf
                | Self::Devices
                | Self::Actings
                | Self::RequestsOf
        )
    }
}

/// Questions about relations.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum About {
    Model,
    Models,
    Trial,
    Tuples,
    Mappings,
    Watch,
    Check,
    Checks,
    Expand,
    Objects,
    Subjects,
    Explain,
}

/// What begins with a proof, or is about the caller.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Own {
    SignIn,
    SignInPublicly,
    ChallengePublicly,
    Register,
    Refresh,
    Touch,
    ChangePassword,
    EndThis,
    EndOne,
    EndAll,
    SignOut,
    PatchSettings,
}

impl Operation {
    /// Whether it is about relations: its problems carry the numbers of `OpenFGA`.
    pub(crate) fn is_about_relations(&self) -> bool {
        self.path.starts_with("/v1/relations")
    }

    /// The field that is the content as a whole.
    pub(crate) fn content(&self) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.stand == Stand::Content)
    }
}

impl Act {
    /// Whether it changes something: an idempotency key counts.
    pub(crate) const fn changes(self) -> bool {
        match self {
            Self::Ask(_) | Self::List(_) => false,
            Self::Order(_) | Self::Own(_) => true,
        }
    }
}
