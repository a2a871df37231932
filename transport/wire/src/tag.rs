//! The tags of fields: what a field of a command, list or receipt means. Append-only.

macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        /// What a field means.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[non_exhaustive]
        pub enum Tag {
            $($(#[$doc])* $name,)*
        }

        impl Tag {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Number on the wire.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $number,)* }
            }

            /// Its name, for documents and errors.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

tags! {
    /// Opens a row: the fields up to the next one belong to it. Holds nothing.
    Row = 1;
    /// Before the first row: where the next page begins. Absent on the last page.
    Next = 2;
    /// Where a page begins: the `Next` of the page before. Absent for the first.
    After = 3;
    /// How many rows at most; 0 for as many as fit.
    Limit = 4;
    /// The life of the history that a command went into.
    Epoch = 5;
    /// The position in it.
    Revision = 6;
    /// Whether this is a repeat, whose secrets are not given again.
    Repeated = 7;
    /// A tenant's id.
    Tenant = 10;
    /// A tenant's status: 1 active, 2 suspended, 3 closing, 4 deleted.
    TenantStatus = 11;
    /// When something was made, seconds since 1970.
    Created = 12;
    /// The name of what the command or row is about.
    Name = 13;
    /// The one-time secret of the first start, as text.
    OneTimeSecret = 14;
    /// A subject's public id.
    Subject = 20;
    /// A subject's dense index.
    SubjectIndex = 21;
    /// 1 person, 2 machine.
    SubjectKind = 22;
    /// 1 active, 2 suspended, 3 deleted.
    SubjectStatus = 23;
    /// Whether a password is set.
    HasPassword = 24;
    /// 1 email, 2 phone, 3 username: before each `Identifier`.
    IdentifierKind = 25;
    /// An identifier as typed.
    Identifier = 26;
    /// An identifier as typed, its kind guessed by the node (sign-in).
    Typed = 27;
    /// A password in the clear.
    Password = 28;
    /// The password until now, in the clear.
    OldPassword = 29;
    /// An attribute's name.
    Attribute = 30;
    /// After each `Attribute`: its value (flag, integer or text), or none to remove it.
    Value = 31;
    /// 1 flag, 2 integer, 3 text.
    AttributeKind = 32;
    /// A role's name.
    Role = 40;
    /// A role's dense id.
    RoleId = 41;
    /// A pattern of permission names.
    Pattern = 42;
    /// A permission's dense id.
    PermissionId = 43;
    /// A workspace's name.
    Workspace = 50;
    /// A workspace's dense index.
    WorkspaceIndex = 51;
    /// A workspace's public id.
    WorkspaceId = 52;
    /// The name of the workspace above.
    Parent = 53;
    /// Whether grants above hold here too.
    Inherits = 54;
    /// First instant of a grant, seconds since 1970; 0 for no beginning.
    From = 60;
    /// First instant after a grant, seconds since 1970; 0 for no end.
    Until = 61;
    /// A session's or key's public id.
    Session = 70;
    /// A session's or key's handle, 40 bytes.
    Handle = 71;
    /// When a session or key ends at the latest, seconds since 1970.
    Expires = 72;
    /// When a session ends unless touched, seconds since 1970.
    IdleUntil = 73;
    /// Whether it is an API key.
    IsKey = 74;
    /// What a key is for.
    Description = 75;
    /// When a key was last used, to the minute, seconds since 1970; 0 for never.
    LastUsed = 76;
    /// A session's refresh handle, 40 bytes.
    RefreshHandle = 77;
    /// When a refresh handle ends unless used, seconds since 1970.
    RefreshUntil = 78;
    /// The public id of a session that ended for a new one; oldest first.
    Evicted = 79;
    /// Absolute lifetime of a session, s; of a client 0 for the tenant's.
    SessionTtl = 80;
    /// Idle lifetime of a session, s; of a client 0 for the tenant's.
    SessionIdle = 81;
    /// Argon2id memory, KiB.
    ArgonMemory = 82;
    /// Argon2id passes.
    ArgonPasses = 83;
    /// Argon2id lanes.
    ArgonLanes = 84;
    /// Fewest bytes of a password.
    PasswordBytesMin = 85;
    /// A client's name.
    Client = 90;
    /// A client's dense index.
    ClientIndex = 91;
    /// Whether sessions come with a refresh handle: 0 off, 1 fixed, 2 rotating.
    RefreshMode = 92;
    /// Lifetime of a refresh handle, s; of a client 0 for the tenant's.
    RefreshTtl = 93;
    /// How long a replaced refresh handle gives its successor again, s.
    RefreshGrace = 94;
    /// Live sessions of one subject, at most; of a client 0 for no limit but the tenant's.
    SessionsMax = 95;
    /// Of a client, over that limit: whether the oldest session ends, or the new one is refused.
    Evict = 96;
    /// A refresh key's number.
    KeyNumber = 97;
    /// Whether refresh handles are made by it now.
    IsCurrent = 98;
    /// Whether older refresh keys are dropped at once.
    AtOnce = 99;
    /// Whether a password is taken away at once.
    Clear = 100;
    /// Where a request came from: 4 bytes (IPv4) or 16 (IPv6).
    Address = 101;
    /// Failed sign-ins in a row.
    Failures = 102;
    /// Until when an identifier may not be tried, seconds since 1970; 0 when it may.
    WaitsUntil = 103;
    /// A network that a key is bound to: 4 or 16 bytes of its address, then its prefix.
    Network = 104;
    /// How long an old key lives on, s.
    Overlap = 105;
    /// Whether a tenant has failed on this node: nothing of it is answered until it is repaired.
    Failed = 106;
    /// What is the matter with a tenant on this node, for people.
    Trouble = 107;
    /// Failed sign-ins of one identifier after which the next must wait.
    SignInFree = 110;
    /// The first wait, s.
    SignInWait = 111;
    /// The longest wait, s.
    SignInWaitMax = 112;
    /// Failed sign-ins in a row after which only a new password lets in.
    SignInFailuresMax = 113;
    /// Failed sign-ins that one source has at once.
    SourceFailuresMax = 114;
    /// How long it takes until a source has one more, s.
    SourceRefill = 115;
    /// Beyond the limit of a subject's sessions: 0 the new one is refused, 1 the oldest one ends.
    SessionsOverLimit = 116;
    /// How many sessions ended.
    Ended = 117;
    /// Whether people may sign in over HTTP without an application's credential: 0 off, 1 on.
    PublicSignIn = 120;
    /// Whether people may register over HTTP: 0 closed, 1 with an administrator's approval, 2 open.
    Registration = 121;
    /// An origin whose scripts may ask over HTTP.
    Origin = 130;
    /// A group's dense id.
    GroupId = 131;
    /// The name of a group in another one.
    Member = 132;
    /// Whether a membership is in the group itself.
    Direct = 133;
    /// A group in a group, through which somebody is in it.
    Through = 134;
    /// Whether those too are meant that are in groups in it.
    Nested = 135;
    /// Of a row that explains: which part of the explanation it is.
    Why = 136;
    /// A reason's code, 0 for a Permit.
    Reason = 137;
    /// A permission's name.
    Permission = 138;
    /// When an answer is asked for, seconds since 1970; 0 for now.
    At = 139;
    /// Whether a grant counts at that instant.
    Holds = 140;
    /// A workspace that does not inherit and so keeps a grant out.
    Wall = 141;
    /// First instant of a membership, seconds since 1970; 0 for no beginning.
    MemberFrom = 142;
    /// First instant after a membership, seconds since 1970; 0 for no end.
    MemberUntil = 143;
    /// The name of a role that is supposed to cover something else.
    DraftRole = 144;
    /// The name of a role that is supposed to be granted.
    DraftGrant = 145;
    /// Where it is supposed to be granted; absent for the whole tenant.
    DraftWorkspace = 146;
    /// The name of a role whose grant is supposed to be taken back.
    WithoutGrant = 147;
    /// Where that grant stands; absent for the whole tenant.
    WithoutWorkspace = 148;
    /// Who made a grant or membership: a public id, `operator` or `node`; `rule` where it follows from one.
    By = 149;
    /// When a grant or membership was changed last, seconds since 1970; 0 when it is as it was made.
    Changed = 150;
    /// Who changed it: as of `By`.
    ChangedBy = 151;
    /// A group that somebody is in.
    InGroup = 152;
    /// A group's name.
    Group = 153;
    /// Whether it is only told what would happen.
    Trial = 160;
    /// The PHC string of a password's hash; empty for no password.
    PasswordHash = 161;
    /// Tells rows of equal content apart; 0 where identifiers do.
    Serial = 162;
    /// How many rows became subjects.
    RowsMade = 163;
    /// How many rows were subjects from an earlier time.
    RowsKnown = 164;
    /// A row that was turned down: its number u32, which part u8 (0 the row, 1 an identifier, 2 the password,
    /// 3 an attribute, 4 a grant), the part's number u16, the code u16, the name of a limit.
    Rejected = 165;
    /// How many of something there are.
    Count = 170;
    /// How many count against a limit.
    Used = 171;
    /// The number of a limit; 0 for none.
    Bound = 172;
    /// The object of a tuple, `type:id`; each is followed by its `Relation` and its `RelationSubject`.
    RelationObject = 190;
    /// A relation's name.
    Relation = 191;
    /// The subject of a tuple: `type:id`, `type:id#relation` or `type:*`.
    RelationSubject = 192;
    /// Of a change: 1 write, 2 remove, 3 require, and 16 times what must be: 0 nothing, 1 present, 2 absent.
    RelationChange = 193;
    /// A relationship model's text.
    RelationModel = 194;
    /// Whether a model is taken although stored tuples do not fit it.
    AllowOrphans = 195;
    /// Counts the relationship models of a tenant.
    ModelVersion = 196;
    /// Before a tuple that comes with a question: the number of the check that it counts in, from 0.
    Contextual = 197;
    /// The object of such a tuple.
    ContextObject = 198;
    /// Its relation.
    ContextRelation = 199;
    /// A type of objects.
    TypeName = 200;
    /// Whether the subject is in the relation.
    Permitted = 201;
    /// A code of the code table; 0 for none.
    Code = 202;
    /// A line of a text, from 1; 0 for none.
    Line = 203;
    /// A character of a line, from 1; 0 for none.
    Column = 204;
    /// What is wrong, or what a step says.
    Told = 205;
    /// How deep a step stands below the first.
    Depth = 206;
    /// What a step is.
    StepKind = 207;
    /// How many stored tuples do not fit.
    Orphans = 208;
    /// Until when an answer holds by time alone, ms since 1970; 2^64 - 1 for ever.
    ValidUntil = 209;
    /// What was looked at for an answer.
    Steps = 210;
    /// The subject of a tuple that comes with a question.
    ContextSubject = 211;
    /// What a caller calls its question, to know the answer by.
    Correlation = 212;
    /// How long to wait for something to tell, ms.
    Wait = 213;
    /// When something was committed, ms since 1970.
    Happened = 214;
    /// What became of relations: 1 a tuple was written, 2 one was removed, 3 the model changed, 4 the reader has
    /// fallen behind.
    RelationEvent = 215;
    /// Whether only to tell how far a backup is, and not to begin it.
    Follow = 216;
    /// How far a backup is: 1 it is being taken, 2 it is done, 3 it failed.
    BackupStatus = 217;
    /// Bytes that were written.
    BytesDone = 218;
    /// About how many bytes there will be.
    BytesExpected = 219;
    /// A condition of a group's rule, `attribute=value`; all of them hold for whoever is in the group.
    Condition = 220;
    /// How many subjects a changed rule has not reached yet: the same command, ordered again, goes on.
    Left = 221;
    /// A service's name.
    Service = 222;
    /// The kind of action that an entry is about.
    Action = 223;
    /// What an entry is called: a language tag, a space, the text.
    Label = 224;
    /// What an entry is about.
    EntryDescription = 225;
    /// Whether an entry is on its way out.
    Deprecated = 226;
    /// The permission to use in its place.
    ReplacedBy = 227;
    /// What uses an entry: 1 a role, 2 a grant to a group, 3 a grant to a subject, 4 a key, 5 a ceiling, 6 a mapping, 7 an endpoint.
    EntryUse = 228;
    /// How many entries stayed because they are in use.
    Kept = 229;
    /// How many entries are deprecated.
    DeprecatedCount = 230;
    /// The text of policies.
    PolicyText = 240;
    /// The text of a schema of policies.
    PolicySchema = 241;
    /// Counts the sets of policies of a tenant; 0 for none.
    PolicyVersion = 242;
    /// Whether the built-in schema is meant.
    BuiltInSchema = 243;
    /// Whether a forbid that fails is left out, as Cedar does, and does not deny.
    Lenient = 244;
    /// Entities, a JSON list.
    Entities = 245;
    /// The type of an entity.
    EntityType = 246;
    /// After each `EntityType`: its id.
    EntityId = 247;
    /// The circumstances of a question, a JSON object.
    Context = 248;
    /// Whether a fault is of the schema, and not of the policies.
    InSchema = 249;
    /// What kind of fault it is.
    FaultKind = 250;
    /// What would be right.
    Advice = 251;
    /// How many entities there are.
    EntityCount = 252;
    /// A device's public id.
    Device = 260;
    /// The thumbprint of a device's key, 32 bytes (RFC 7638, SHA-256).
    Thumbprint = 261;
    /// How far a device is trusted: 0 unverified, 1 known, 2 managed, 3 hardened.
    Trust = 262;
    /// When a device was revoked, seconds since 1970; 0 while it may be used.
    Revoked = 263;
    /// Whether sessions of persons open on devices only.
    Required = 264;
    /// The public id of whoever acts in a session for its subject.
    Actor = 265;
    /// Why somebody acts for another, or asks for a role.
    Because = 266;
    /// How long something lives, s.
    Duration = 267;
    /// The public id of a request for a role.
    Request = 268;
    /// Where a request stands: 1 open, 2 approved, 3 refused, 4 withdrawn.
    RequestState = 269;
    /// Whether a request's time to be decided has passed.
    Lapsed = 270;
    /// The public id of whoever decided.
    DecidedBy = 271;
    /// When a request was decided, seconds since 1970; 0 while it is open.
    Decided = 272;
    /// When the grant that a request made ends, seconds since 1970; 0 without one.
    GrantedUntil = 273;
    /// Whether those alone are meant that can be decided.
    Open = 274;
    /// The public id of an invitation.
    Invitation = 280;
    /// Where an invitation stands: 1 open, 2 accepted, 3 declined, 4 withdrawn, 5 erased.
    InvitationState = 281;
    /// Whether a subject is a guest, or becomes one.
    Guest = 282;
    /// How many secrets were made for an invitation.
    Secrets = 283;
    /// Whether an invitation is accepted.
    Accept = 284;
    /// Whether a grant does not reach its holder, who is a guest.
    Withheld = 285;
    /// The public id of the subject whose personal workspace it is.
    PersonalOf = 286;
    /// A scope, `[action:]path[?filters]`.
    Scope = 290;
    /// A method of HTTP, in capitals; of an endpoint also `*` for any.
    Method = 291;
    /// The target of a request: path and query.
    RequestTarget = 292;
    /// A pattern of paths.
    PathPattern = 293;
    /// What an endpoint needs: a permission, or behind `scope=` a scope.
    Needs = 294;
    /// Whom a rule shows: 1 everybody, 2 whoever shares a workspace, 4 a group, 8 whom the viewer has made; the sum.
    Reach = 300;
    /// What of them: 1 email, 2 phone, 4 username, 8 attributes, 16 status, 32 creator, 64 sessions, 128 devices,
    /// 256 keys, 512 grants, 1,024 groups, 2,048 requests; the sum.
    Details = 301;
    /// An attribute that a rule shows by name.
    ShownAttribute = 302;
    /// The version of who sees whom.
    VisibilityVersion = 303;
    /// The public id of who made a subject.
    Creator = 304;
    /// A condition of a grant: `hours`, `networks`, `device`, `acr` or `step-up`, and what it asks for; all of them hold
    /// while the grant counts.
    GrantCondition = 320;
    /// The first condition of a grant that does not hold, by its word.
    Unmet = 321;
    /// The level of proof that a session is opened with.
    Acr = 322;
    /// When the proof that a session is opened with is made.
    Proven = 323;
    /// Which part of a text, from 0.
    PartNumber = 324;
    /// How many parts a text has.
    Parts = 325;
    /// Whether a version is the present one.
    Present = 326;
    /// Whether what is private of a subject is erased; 0 while that is under way.
    Erased = 340;
    /// The public key of a device: 65 bytes of P-256, not compressed, or 32 of Ed25519.
    DeviceKey = 341;
    /// A device's proof: algorithm (1 ES256, 2 Ed25519), public key, signature, challenge.
    DeviceProof = 342;
    /// What a device signs: 36 bytes.
    Challenge = 343;
    /// How it ended that somebody acted for another: 1 ordered, 2 its time was over, 3 the actor, 4 the subject; 0 while it
    /// goes on.
    ActingEnd = 344;
    /// When it ended, seconds since 1970; 0 while it goes on.
    EndedAt = 345;
    /// The version of a fleet file.
    FleetVersion = 370;
    /// The number of a cell.
    Cell = 371;
    /// Where a cell's QUIC door is, `host:port`.
    CellAddress = 372;
    /// The name in a cell's certificate.
    CertificateName = 373;
    /// Where a cell's HTTP door is: scheme, host and port.
    HttpOrigin = 374;
    /// Whether another cell answered.
    Reached = 375;
    /// How many tenants live in a cell.
    Tenants = 376;
    /// How many placements a node knows.
    Placements = 377;
    /// A number that two nodes have in common when they know the same placements.
    PlacementsDigest = 378;
    /// Of how many tenants two nodes say otherwise of one and the same epoch.
    Differs = 379;
    /// Whether a move is to be undone.
    Undo = 380;
    /// What the cell that takes a tenant is to do: 1 begin, 2 the next chunk, 3 that was all, 4 how far is it, 5 open
    /// it, 6 drop what was copied.
    MoveStep = 381;
    /// The number of a chunk of a tenant that moves, from 0 on.
    ChunkNumber = 382;
    /// A chunk of a tenant that moves, or the frame that opens it.
    Chunk = 383;
    /// How far a move is: 1 it is copied, 2 it takes no commands, 3 it is handed over, 4 it lives there, 5 it stays, 6
    /// it stopped.
    MoveStatus = 384;
    /// How long a tenant took no commands, ms.
    MoveGap = 385;
    /// How far the cell that takes a tenant is: 0 it has nothing, 1 it is copied, 2 the copy is whole and closed, 3 it
    /// is opened, 4 it lives there, 5 it failed.
    TakenStatus = 386;
    /// The link that a tenant's next frame continues, 32 bytes.
    ChainLink = 387;
    /// Whether a tenant is suspended.
    Suspended = 388;
    /// What kind of event: words with dots between.
    EventKind = 390;
    /// The command that brought an event.
    EventCommand = 391;
    /// Who ordered it: 1 a subject, 2 an operator, 3 the node, 4 whoever held a secret.
    EventBy = 392;
    /// What an event says, `name=value`.
    EventDetail = 393;
    /// What a cell says of a tenant: 0 nothing, 1 it is on its way, 2 it lives there, 3 it has left for the one that asks.
    WordStatus = 394;
    /// What an operator says of a tenant: 1 the cell that it came from is lost, 2 the cell that it went to has lost it, 3
    /// what is kept of it may go, 4 nothing has left this cell since it was restored.
    SettleWay = 395;
    /// Whether what was acknowledged elsewhere may be lost.
    AcceptLoss = 396;
    /// Whether all of a tenant is in a copy.
    CopyWhole = 397;
    /// Whether a copy came from elsewhere and waits to be opened.
    Arriving = 398;
    /// Whether a cell was restored, and is closed until the others have said what has left it.
    Unheard = 399;
    /// Whether a tenant that is copied is in memory there already: 1 it is being loaded, 2 it is in memory, 3 it is loaded
    /// when it is opened.
    Warmth = 405;
    /// How many more stand behind an answer that a frame does not hold.
    StepsLeft = 408;
}
