//! Commands and lists as callers send them: one table for both directions and for the documents.
//!
//! They mirror the model's commands where a caller can order them, with passwords in the clear (the
//! node hashes them) and identifiers as typed (the node hashes those too, for uniqueness).

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
use tessera_model::{
    Deadline, Identifier, Name, Network, Origin, Pattern, Private, PublicId, Settings, TenantId,
};

macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident = $number:literal -> $answer:ident
        { $($(#[$fdoc:meta])* $field:ident: $type:ty = $tag:ident,)* };)*) => {
        /// A command or list. No `Debug`: it may hold passwords and personal data.
        #[derive(Clone)]
        #[non_exhaustive]
        pub enum Request {
            $($(#[$doc])* $name { $($(#[$fdoc])* $field: $type,)* },)*
        }

        /// The kind of a command or list.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum RequestKind {
            $($(#[$doc])* $name,)*
        }

        impl Request {
            /// Its kind.
            #[must_use]
            pub const fn kind(&self) -> RequestKind {
                match self { $(Self::$name { .. } => RequestKind::$name,)* }
            }

            fn put(&self, out: &mut FieldsWriter) {
                match self { $(Self::$name { $($field,)* } => { $($field.put(Tag::$tag, out);)* })* }
            }

            fn take(kind: RequestKind, from: &FieldsReader<'_>) -> Result<Self, WireError> {
                let request = match kind {
                    $(RequestKind::$name => Self::$name { $($field: Part::take(Tag::$tag, from)?,)* },)*
                };
                from.finish()?;
                Ok(request)
            }

            #[cfg(test)]
            pub(crate) fn sample(kind: RequestKind, nth: u64) -> Self {
                match kind {
                    $(RequestKind::$name => Self::$name { $($field: crate::sample::Sample::sample(nth),)* },)*
                }
            }
        }

        impl RequestKind {
            /// All kinds, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Number in the header.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $number,)* }
            }

            /// The kind with this number.
            #[must_use]
            pub const fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }

            /// Its name, for documents and logs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What answers it: `Made` in a Receipt, or the rows of a page.
            #[must_use]
            pub const fn answer(self) -> &'static str {
                match self { $(Self::$name => stringify!($answer),)* }
            }

            /// Its fields: name, type, tag.
            #[must_use]
            pub const fn fields(self) -> &'static [(&'static str, &'static str, Tag)] {
                match self { $(Self::$name => &[$((stringify!($field), stringify!($type), Tag::$tag),)*],)* }
            }
        }
    };
}

requests! {
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
    /// Changes the tenant's settings as a whole.
    ChangeSettings = 0x100A -> Made {
        /// The new settings, each under its own tag.
        settings: Settings = SessionTtl,
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
    /// Sets a password with a one-time secret, which is used up. All sessions of its subject end. Over a
    /// connection of its tenant, or one whose Hello gave the secret itself.
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
    /// Registers a permission's name.
    RegisterPermission = 0x1028 -> Made {
        /// Its name.
        name: Name = Name,
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
    /// Uses a refresh handle: the session's idle end moves, and the reply holds the handle's successor. A
    /// handle that was replaced before ends its session.
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
    /// Makes a key in place of an old one, which lives on for a while. A session may do that for keys of
    /// its own subject, and a key for itself.
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
    /// Signs a person in with a password. The connection's credential needs `tessera.sessions.open`.
    SignIn = 0x1800 -> Made {
        /// The identifier as typed; its kind is guessed.
        identifier: Private = Typed,
        /// The password in the clear.
        password: Private = Password,
        /// Where the person's request came from: with the permission `tessera.address`. Without it the
        /// connection's own address counts.
        address: Option<IpAddr> = Address,
    };
    /// Ends the session of this handle.
    SignOut = 0x1802 -> Made {
        /// The handle, 40 bytes.
        handle: Private = Handle,
    };
    /// Panics when decided: a planted fault, refused unless the build has it.
    PlantedPanic = 0x1FFF -> Made {};
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
}

impl RequestKind {
    /// Whether it changes something: it carries a command id and is answered by a Receipt.
    #[must_use]
    pub const fn is_command(self) -> bool {
        self.number() < 0x2000
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
