//! The table of all operations: from it come the routes, the strict reading, OpenAPI and the tests.

use crate::columns::{
    ACTING_ROW, CHANGED, CLIENT_ROW, DEVICE_ROW, ENTRY_ROW, EXPLAINED, GRANT_ROW, GROUP_ROW, HOLDER_ROW,
    INVITATION_ROW, KEY_ROW, NOTHING, REQUEST_ROW, REVIEW_ROW, ROLE_ROW, SESSION_MADE, SESSION_ROW,
    SETTINGS_ROW, SUBJECT_ROW, TENANT_ROW, USE_ROW, WORKSPACE_ROW,
};
use crate::elevation::{CHALLENGE, DEVICE, DEVICE_NAME, ON_DEVICE, PROOF, PUBLIC_KEY, THUMBPRINT};
use crate::operation::{About, Act, Answer, Ask, Field, List, Needs, Operation, Own, Shape, Verb};
use crate::tuple::CONTEXT_MAX;
use crate::under::{ACR, CONDITIONS, DEVICE_TRUST, FROM_THERE, PROVEN, UNDER};
use tessera_model::CommandKind as Kind;
use tessera_model::Trust;
use tessera_model::limits::RELATION_CHANGES_MAX;
use tessera_model::settings::SettingUnit;

const SUBJECT: Field = Field::path("subject", Shape::Subject, "public id of the subject");
const TENANT: Field = Field::path("tenant_ref", Shape::Tenant, "id or name of the tenant");
const AT_LEAST: Field = Field::maybe("at_least", Shape::Receipt, "a receipt that the answer must have seen");
const SCOPE: Field = Field::maybe(
    "scope",
    Shape::Text,
    "`[action:]path[?filters]`: one action to one path, and what the request says of itself",
);
const ADDRESS: Field = Field::maybe(
    "address",
    Shape::Address,
    "where the holder's request came from, with the permission tessera.address",
);
const HANDLE: Field = Field::maybe("handle", Shape::Handle, "session or key; without it, the caller's own");
const WORKSPACE: Field = Field::maybe("workspace", Shape::Workspace, "name or index; none for the tenant");
const CURSOR: Field = Field::query("cursor", Shape::Cursor, "`next` of the page before");
const LIMIT: Field = Field::query("limit", Shape::Limit, "rows at most, 1 to 1000");
const DRY_RUN: Field = Field::query("dry_run", Shape::Bool, "change nothing: only say what would come of it");
const NAME: Field = Field::body("name", Shape::Name, "unique name");
const PATTERNS: Field =
    Field::body("patterns", Shape::Patterns, "names of permissions, or beginnings with `*`");

const BELOW: Field = Field::body("patterns", Shape::Patterns, "the ceiling; an empty list for none");
const REQUEST: Field = Field::path("request", Shape::Session, "public id of the request");
const BECAUSE: Field = Field::body("because", Shape::Text, "why, one line of at most 256 bytes");
const FOR: Field =
    Field::body("duration_s", Shape::Count, "for how long from the approval on, seconds, 30 days at most");
const OPEN_ONLY: Field = Field::query("open", Shape::Bool, "those alone that can be decided");
const OPEN_INVITED: Field = Field::query("open", Shape::Bool, "those alone that can be answered");
const INVITATION: Field = Field::path("invitation", Shape::Session, "public id of the invitation");
const INVITED_BY: Field = Field::body("secret", Shape::Handle, "as `invite` gave it");
const INVITED_UNTIL: Field = Field::maybe(
    "expires",
    Shape::Instant,
    "until when it may be answered, 30 days at most; a week without it",
);
const CLIENT: Field = Field::path("name", Shape::Name, "the client's");
const CLIENT_REFRESH: Field = Field::maybe(
    "refresh",
    Shape::Choice(SettingUnit::Refresh.choices()),
    "whether its sessions have a refresh handle",
);
const CLIENT_TTL: Field =
    Field::maybe("session_ttl_s", Shape::Count, "absolute lifetime of a session; 0 for the tenant's");
const CLIENT_IDLE: Field =
    Field::maybe("session_idle_s", Shape::Count, "idle lifetime of a session; 0 for the tenant's");
const CLIENT_REFRESH_TTL: Field =
    Field::maybe("refresh_ttl_s", Shape::Count, "lifetime of a refresh handle; 0 for the tenant's");
const CLIENT_SESSIONS: Field = Field::maybe(
    "sessions_max",
    Shape::Count,
    "live sessions of one subject through it; 0 for no limit but the tenant's",
);
const CLIENT_OVER: Field =
    Field::maybe("over_limit", Shape::Choice(SettingUnit::OverLimit.choices()), "what happens beyond that");

const SUBJECTS: Needs = Needs::Permission("tessera.admin.subjects");
const TENANTS: Needs = Needs::Permission("tessera.admin.tenants");
const ROLES: Needs = Needs::Permission("tessera.admin.roles");
const WORKSPACES: Needs = Needs::Permission("tessera.admin.workspaces");
const POLICIES: Needs = Needs::Permission("tessera.admin.policies");
const POLICY_TEXT: Field =
    Field::maybe("policies", Shape::Policies, "in Cedar's form or its JSON; without it as they are");
const POLICY_SCHEMA: Field = Field::maybe(
    "schema",
    Shape::Policies,
    "what they must fit; without it as it is, and the built-in one at first",
);
const BUILT_IN: Field =
    Field::maybe("built_in_schema", Shape::Bool, "put the built-in schema in the place of the present one");
const IF_VERSION: &str = "the version that the present set must have; 0 for none at all";
const CIRCUMSTANCES: Field = Field::maybe(
    "context",
    Shape::Context,
    "the circumstances that policies look at, with the permission tessera.check",
);
const SENT: Field = Field::maybe(
    "entities",
    Shape::EntityList,
    "entities that are known for this question only, with the permission tessera.check; 64 at most",
);
const GRANTS: Needs = Needs::Permission("tessera.admin.grants");
const SESSIONS: Needs = Needs::Permission("tessera.admin.sessions");
const SETTINGS: Needs = Needs::Permission("tessera.admin.settings");
const KEYS: Needs = Needs::Permission("tessera.admin.keys");
const GROUPS: Needs = Needs::Permission("tessera.admin.groups");
const SERVICES: Needs = Needs::Permission("tessera.admin.services");
const SERVICE_NAME: Field = Field::path("name", Shape::Name, "the service's");
const ENTRY: Field = Field::path("permission", Shape::Name, "the entry's");
const GROUP: Field = Field::path("group", Shape::Name, "the group's");
const ROLE: Field = Field::body("role", Shape::Name, "which");
const PLACE: Field = Field::maybe("workspace", Shape::Name, "where; none for the tenant");
const FROM: Field = Field::maybe("from", Shape::Instant, "first instant");
const UNTIL: Field = Field::maybe("until", Shape::Instant, "first instant after");
const CLIENTS: Needs = Needs::Permission("tessera.admin.clients");
const RELATIONS: Needs = Needs::Permission("tessera.admin.relations");
const CHECK: Needs = Needs::Permission("tessera.check");
const MODEL: Field = Field::body("model", Shape::Model, "in the modeling language of OpenFGA, or its JSON");
const USER: Field = Field::body("user", Shape::User, "`type:id`, `type:id#relation` or `type:*`");
const RELATION: Field = Field::body("relation", Shape::Relation, "name of the relation");
const OBJECT: Field = Field::body("object", Shape::Object, "`type:id`");
const CONTEXT: Field =
    Field::maybe("contextual_tuples", Shape::Plain(CONTEXT_MAX), "tuples that count in this question only");
const CHANGES: Shape = Shape::Plain(RELATION_CHANGES_MAX);
const TUPLE_ROW: &[&str] = &["user", "relation", "object", "from", "until"];
const OPEN: Needs = Needs::Permission("tessera.sessions.open");

macro_rules! table {
    ($($id:literal $verb:ident $path:literal, $needs:expr, $summary:literal, $fields:expr,
        $answer:expr, $act:expr;)*) => {
        /// Every operation.
        pub(crate) static OPERATIONS: &[Operation] = &[$(Operation {
            id: $id,
            verb: Verb::$verb,
            path: $path,
            needs: $needs,
            summary: $summary,
            fields: &$fields,
            answer: $answer,
            act: $act,
        },)*];
    };
}

table! {
    // Decisions.
    "check" Post "/v1/check", Needs::Credential, "May this session or key do it, there, now?",
        [HANDLE, Field::maybe("permission", Shape::Permission, "name or id; or else a scope is given"), SCOPE, WORKSPACE, AT_LEAST,
         Field::maybe("resource", Shape::Object, "to what, `type:id`: by a role, by a relation of its type that the permission is mapped to, or by a policy"), CIRCUMSTANCES, SENT, ADDRESS],
        Answer::One(&["decision", "reason", "reason_code", "seen", "valid_until"]), Act::Ask(Ask::Check);
    "authorize" Post "/v1/authorize", Needs::Credential, "May this session or key do this with an application? It is told by a scope, by a service and one of its actions, or by a service and a request's method and target. What no endpoint matches is denied.",
        [HANDLE, SCOPE, Field::maybe("service", Shape::Name, "of which service"),
         Field::maybe("action", Shape::Name, "an entry's permission, in full or behind the service's name"),
         Field::maybe("method", Shape::Text, "the request's method, in capitals"),
         Field::maybe("target", Shape::Text, "the request's target as it came: path and query"), WORKSPACE, AT_LEAST, ADDRESS],
        Answer::One(&["decision", "reason", "reason_code", "seen", "valid_until", "permission"]), Act::Ask(Ask::Authorize);
    "check_batch" Post "/v1/check-batch", Needs::Credential, "Up to 1,024 checks against one position.",
        [Field::body("checks", Shape::Checks, "each as of check"), HANDLE, AT_LEAST],
        Answer::One(&["seen", "decisions"]), Act::Ask(Ask::CheckBatch);
    "introspect" Post "/v1/introspect", Needs::Credential, "What is known about a session or key (RFC 7662).",
        [Field::body("token", Shape::Text, "session or key"),
         Field::maybe("token_type_hint", Shape::Text, "is not needed and not looked at"), AT_LEAST, ADDRESS],
        Answer::One(&["active", "sub", "tenant", "session", "kind", "iat", "exp", "workspace", "seen",
            "idle_until", "token_type", "device", "act", "reason", "reason_code"]), Act::Ask(Ask::Introspect);
    "list_permissions" Post "/v1/permissions", Needs::Credential, "Everything that a session or key may do in a workspace.",
        [HANDLE, WORKSPACE, AT_LEAST, ADDRESS],
        Answer::One(&["decision", "reason", "reason_code", "seen", "valid_until", "permissions"]), Act::Ask(Ask::Permissions);
    "resolve" Post "/v1/resolve", Needs::Credential, "Ids for names, to ask with; 0 for what is not known.",
        [Field::maybe("permissions", Shape::Names, "names of permissions"),
         Field::maybe("workspaces", Shape::Names, "names of workspaces")],
        Answer::One(&["seen", "permissions", "workspaces"]), Act::Ask(Ask::Resolve);
    "forward_authorization" Get "/v1/forward-auth", Needs::Credential, "For a reverse proxy: may this request pass?",
        [Field::query("permission", Shape::Permission, "name; without one, and without a service, being alive is enough"),
         Field::query("service", Shape::Name, "the service whose endpoints say what the request needs, which `x-forwarded-method` and `x-forwarded-uri` or `x-original-method` and `x-original-uri` tell"),
         Field::query("workspace", Shape::Workspace, "name; none for the tenant")],
        Answer::Empty, Act::Ask(Ask::Forward);

    // People and sessions.
    "sign_in" Post "/v1/sign-in", OPEN, "Signs a person in with a password and opens a session.",
        [Field::body("identifier", Shape::Text, "as typed"),
         Field::body("password", Shape::Password, "in the clear"),
         Field::maybe("address", Shape::Address, "where the person's request came from, with the permission tessera.address"),
         ON_DEVICE, PROOF, Field::maybe("cookie", Shape::Bool, "give the session to a browser, in a __Host- cookie")],
        SESSION_MADE, Act::Own(Own::SignIn);
    "sign_in_publicly" Post "/v1/public/sign-in", Needs::Nothing, "Signs a person in for whom no application speaks, where the tenant's `public_sign_in` is on. The request names the tenant.",
        [Field::body("identifier", Shape::Text, "as typed"),
         Field::body("password", Shape::Password, "in the clear"), ON_DEVICE, PROOF,
         Field::maybe("cookie", Shape::Bool, "give the session to a browser, in a __Host- cookie")],
        SESSION_MADE, Act::Own(Own::SignInPublicly);
    "challenge_device" Post "/v1/devices/{device}/challenge", OPEN, "What a device signs so that a session opens on it: good once, for two minutes. Whether there is such a device is not told.", [DEVICE], CHALLENGE, Act::Ask(Ask::Challenge);
    "challenge_device_publicly" Post "/v1/public/devices/{device}/challenge", Needs::Nothing, "The same for a sign-in for which no application speaks, where the tenant's `public_sign_in` is on. The request names the tenant.", [DEVICE], CHALLENGE, Act::Own(Own::ChallengePublicly);
    "register" Post "/v1/register", Needs::Nothing, "Makes a subject of a person with an identifier and a password, where the tenant's `registration` is open or with approval. Whether the identifier was taken is not told. The request names the tenant.",
        [Field::body("identifier", Shape::Identifier, "as typed"),
         Field::body("password", Shape::Password, "in the clear")],
        Answer::One(&["accepted"]), Act::Own(Own::Register);
    "refresh" Post "/v1/refresh", Needs::Credential, "Uses a refresh handle: the session's idle end moves, and a rotating client's handle is replaced.",
        [Field::maybe("refresh_handle", Shape::Handle, "the session's; without it, that of the browser's cookie")],
        Answer::Made(&["subject", "session", "expires", "idle_until", "refresh_handle", "refresh_until"]), Act::Own(Own::Refresh);
    "set_up_password" Post "/v1/password/set-up", Needs::Nothing, "Sets a password with a one-time secret; its subject's sessions end.",
        [Field::body("secret", Shape::Handle, "as `reset_password` gave it"),
         Field::body("password", Shape::Password, "in the clear")],
        Answer::Made(&["subject"]), Act::Order(Kind::SetUpPassword);
    "who_am_i" Get "/v1/me", Needs::Credential, "Whose credential this is, and until when.", [],
        Answer::One(&["tenant", "subject", "session", "kind", "authenticated_at", "expires", "idle_until", "seen", "csrf_token"]),
        Act::Ask(Ask::WhoAmI);
    "touch" Post "/v1/me/touch", Needs::Credential, "Moves the idle end of the session (a key's last use).", [], Answer::Made(&["expires", "idle_until"]), Act::Own(Own::Touch);
    "change_password" Post "/v1/me/password", Needs::Credential, "Changes one's own password; other sessions end.",
        [Field::body("old", Shape::Password, "the password until now"),
         Field::body("new", Shape::Password, "the new one")], NOTHING, Act::Own(Own::ChangePassword);
    "list_my_sessions" Get "/v1/me/sessions", Needs::Credential, "The caller's own live sessions and keys.", [CURSOR, LIMIT], Answer::Page(SESSION_ROW), Act::List(List::MySessions);
    "end_this_session" Delete "/v1/me/session", Needs::Credential, "Ends the session that asks.", [], NOTHING, Act::Own(Own::EndThis);
    "end_my_session" Delete "/v1/me/sessions/{session}", Needs::Credential, "Ends one of one's own sessions.", [Field::path("session", Shape::Session, "public id")], NOTHING, Act::Own(Own::EndOne);
    "end_my_other_sessions" Post "/v1/me/sessions/end-others", Needs::Credential, "Ends one's other sessions.", [], Answer::Made(&["ended"]), Act::Order(Kind::EndOtherSessions);
    "end_my_sessions" Delete "/v1/me/sessions", Needs::Credential, "Ends all of one's own sessions.", [], NOTHING, Act::Own(Own::EndAll);
    "sign_out" Post "/v1/sign-out", Needs::Credential, "Ends the session of a handle.", [Field::body("handle", Shape::Handle, "the session's")], NOTHING, Act::Own(Own::SignOut);

    // The node and its tenants.
    "claim_operator" Post "/v1/operators/claim", Needs::Nothing, "Turns the one-time secret of the first start into an operator with a key.",
        [Field::body("secret", Shape::Password, "as the node showed it"), NAME],
        Answer::Made(&["subject", "session", "handle", "expires"]), Act::Order(Kind::ClaimOperator);
    "list_operators" Get "/v1/operators", TENANTS, "The operators: whoever may do everything in the system tenant.", [CURSOR, LIMIT], Answer::Page(HOLDER_ROW), Act::List(List::Operators);
    "create_tenant" Post "/v1/tenants", TENANTS, "Makes a tenant with an admin, who gets a key.", [NAME], Answer::Made(&["tenant", "subject", "session", "handle", "expires"]), Act::Order(Kind::CreateTenant);
    "list_tenants" Get "/v1/tenants", TENANTS, "The tenants.", [CURSOR, LIMIT], Answer::Page(TENANT_ROW), Act::List(List::Tenants);
    "read_tenant" Get "/v1/tenants/{tenant_ref}", TENANTS, "One tenant.", [TENANT], Answer::One(TENANT_ROW), Act::List(List::Tenant);
    "suspend_tenant" Post "/v1/tenants/{tenant_ref}/suspend", TENANTS, "Suspends a tenant.", [TENANT], NOTHING, Act::Order(Kind::SuspendTenant);
    "resume_tenant" Post "/v1/tenants/{tenant_ref}/resume", TENANTS, "Resumes a suspended tenant.", [TENANT], NOTHING, Act::Order(Kind::ResumeTenant);
    "delete_tenant" Delete "/v1/tenants/{tenant_ref}", TENANTS, "Deletes a tenant for ever.", [TENANT], NOTHING, Act::Order(Kind::DeleteTenant);
    "read_settings" Get "/v1/settings", SETTINGS, "The tenant's settings.", [], Answer::One(SETTINGS_ROW), Act::List(List::Settings);
    "watch_events" Get "/v1/events", Needs::Permission("tessera.audit"), "What has happened in the tenant, from any position on, in its order; without `cursor` and `since` none, but `next`, where to begin. What is private of a subject is `hidden` without tessera.admin.subjects, and `erased` when the subject is.",
        [CURSOR, LIMIT, Field::query("since", Shape::Receipt, "without a cursor: the position behind which to begin; `0.0` for the beginning of the history"),
         Field::query("kind", Shape::Text, "only events of these kinds, whole names or their first words, with commas between"), Field::query("subject", Shape::Subject, "only what is about this subject, or ordered by it"),
         Field::query("wait_s", Shape::Count, "how long to wait where nothing has happened, seconds, 30 at most; none for not at all")],
        Answer::Page(&["event", "seen", "at", "command", "by", "subject", "details"]), Act::List(List::Events);
    "read_usage" Get "/v1/usage", SETTINGS, "How much of what it may have the tenant uses; in the system tenant that of the whole node, too.", [], Answer::Page(&["name", "count", "used", "bound"]), Act::List(List::Usage);
    "change_settings" Patch "/v1/settings", SETTINGS, "Changes some of the tenant's settings (RFC 7396); with `dry_run` only looks whether they hold.",
        crate::settings::PATCH,
        Answer::Made(&crate::settings::CHANGED), Act::Own(Own::PatchSettings);

    "read_origins" Get "/v1/origins", SETTINGS, "The origins whose scripts may ask this tenant, where the request names it by host or path.", [],
        Answer::One(&["origins"]), Act::List(List::Origins);
    "change_origins" Put "/v1/origins", SETTINGS, "Lists the origins whose scripts may ask this tenant, as a whole.",
        [Field::body("origins", Shape::Origins, "as browsers send them; none for nobody"), DRY_RUN],
        CHANGED, Act::Order(Kind::ChangeOrigins);

    // Subjects.
    "create_subject" Post "/v1/subjects", SUBJECTS, "Makes a subject.",
        [Field::maybe("kind", Shape::SubjectKind, "`person` (the default) or `machine`"),
         Field::maybe("identifiers", Shape::Identifiers, "what it signs in with"),
         Field::maybe("password", Shape::Password, "in the clear")],
        Answer::Made(&["subject"]), Act::Order(Kind::CreateSubject);
    "load_subjects" Post "/v1/subjects/load", SUBJECTS, "Makes subjects of rows, NDJSON or CSV, up to 512 at once, each whole or not at all. A row that was loaded before changes nothing. A repeat under the same `Idempotency-Key` has its receipt alone.",
        [Field::content("rows", Shape::Rows, "one row a line, as `tessera load` reads them"),
         DRY_RUN, Field::query("first_line", Shape::Count, "the number that the content's first line, a heading included, has in the whole load; 1 without it")],
        Answer::Made(&["dry_run", "made", "known", "rejected"]), Act::Order(Kind::LoadSubjects);
    "list_subjects" Get "/v1/subjects", SUBJECTS, "The subjects.", [CURSOR, LIMIT],
        Answer::Page(SUBJECT_ROW), Act::List(List::Subjects);
    "find_subject" Post "/v1/subjects/find", SUBJECTS, "The subject with an identifier.",
        [Field::body("identifier", Shape::Identifier, "as typed")], Answer::One(SUBJECT_ROW), Act::List(List::FindSubject);
    "read_subject" Get "/v1/subjects/{subject}", Needs::OwnOr("tessera.admin.subjects"), "One subject.", [SUBJECT],
        Answer::One(SUBJECT_ROW), Act::List(List::Subject);
    "delete_subject" Delete "/v1/subjects/{subject}", SUBJECTS, "Deletes a subject for ever.", [SUBJECT],
        NOTHING, Act::Order(Kind::DeleteSubject);
    "erase_subject" Post "/v1/subjects/{subject}/erase", SUBJECTS, "Erases a subject: deletes it, and destroys the key that what is private of it is sealed under. `erased` says whether that is done; until then ask again, under another `Idempotency-Key`.", [SUBJECT],
        Answer::Made(&["subject", "erased"]), Act::Order(Kind::EraseSubject);
    "suspend_subject" Post "/v1/subjects/{subject}/suspend", SUBJECTS, "Suspends a subject.", [SUBJECT],
        NOTHING, Act::Order(Kind::SuspendSubject);
    "resume_subject" Post "/v1/subjects/{subject}/resume", SUBJECTS, "Resumes a suspended subject.", [SUBJECT],
        NOTHING, Act::Order(Kind::ResumeSubject);
    "reset_password" Post "/v1/subjects/{subject}/password/reset", SUBJECTS, "Makes a one-time secret with which a subject sets its password.",
        [SUBJECT, Field::body("expires", Shape::Instant, "when the secret ends, a week at most"),
         Field::maybe("clear", Shape::Bool, "take the present password away and end the sessions at once")],
        Answer::Made(&["subject", "handle", "expires"]), Act::Order(Kind::ResetPassword);
    "forget_failures" Delete "/v1/subjects/{subject}/failures", SUBJECTS, "Forgets a subject's failed sign-ins.", [SUBJECT],
        NOTHING, Act::Order(Kind::ForgetFailures);
    "list_identifiers" Get "/v1/subjects/{subject}/identifiers", Needs::OwnOr("tessera.admin.subjects"), "What a subject signs in with.", [SUBJECT],
        Answer::Page(&["identifier", "kind", "failures", "waits_until"]), Act::List(List::Identifiers);
    "add_identifier" Post "/v1/subjects/{subject}/identifiers", SUBJECTS, "Adds an identifier to a subject.",
        [SUBJECT, Field::body("identifier", Shape::Identifier, "as typed")], NOTHING, Act::Order(Kind::AddIdentifier);
    "remove_identifier" Post "/v1/subjects/{subject}/identifiers/remove", SUBJECTS, "Takes an identifier from a subject.",
        [SUBJECT, Field::body("identifier", Shape::Identifier, "as typed")], NOTHING, Act::Order(Kind::RemoveIdentifier);
    "list_attribute_values" Get "/v1/subjects/{subject}/attributes", Needs::OwnOr("tessera.admin.subjects"), "The attributes of a subject.", [SUBJECT],
        Answer::Page(&["name", "value"]), Act::List(List::AttributeValues);
    "set_attributes" Patch "/v1/subjects/{subject}/attributes", SUBJECTS, "Sets attributes of a subject, or removes them with null (RFC 7396).",
        [SUBJECT, Field::body("attributes", Shape::Attributes, "name and value"), DRY_RUN], CHANGED, Act::Order(Kind::SetAttributes);
    "list_attributes" Get "/v1/attributes", SETTINGS, "The declared attributes.", [],
        Answer::Page(&["name", "kind"]), Act::List(List::Attributes);
    "declare_attribute" Post "/v1/attributes", SETTINGS, "Declares an attribute: typed and hot.",
        [NAME, Field::body("kind", Shape::AttributeKind, "`bool`, `integer` or `text`")], NOTHING, Act::Order(Kind::DeclareAttribute);

    // Roles, workspaces, grants.
    "list_permission_names" Get "/v1/permission-names", ROLES, "The registered permissions.", [CURSOR, LIMIT],
        Answer::Page(&["id", "name"]), Act::List(List::PermissionNames);
    "register_permission" Post "/v1/permission-names", ROLES, "Registers a permission's name.", [NAME],
        Answer::Made(&["permission"]), Act::Order(Kind::RegisterPermission);
    "list_roles" Get "/v1/roles", ROLES, "The roles.", [CURSOR, LIMIT],
        Answer::Page(ROLE_ROW), Act::List(List::Roles);
    "create_role" Post "/v1/roles", ROLES, "Makes a role.", [NAME, PATTERNS],
        Answer::Made(&["role"]), Act::Order(Kind::CreateRole);
    "create_role_in" Post "/v1/workspaces/{workspace}/roles", ROLES, "Makes a role of a workspace: granted there and below alone, and gone with it. Who holds the permission in that workspace is enough for it, and for what becomes of the role.",
        [Field::path("workspace", Shape::Name, "the workspace's"), NAME, PATTERNS],
        Answer::Made(&["role"]), Act::Order(Kind::CreateRoleIn);
    "read_role" Get "/v1/roles/{name}", ROLES, "One role.", [Field::path("name", Shape::Name, "the role's")],
        Answer::One(ROLE_ROW), Act::List(List::Role);
    "change_role" Put "/v1/roles/{name}", ROLES, "Changes what a role covers.",
        [Field::path("name", Shape::Name, "the role's"), PATTERNS, DRY_RUN], CHANGED, Act::Order(Kind::ChangeRole);
    "delete_role" Delete "/v1/roles/{name}", ROLES, "Deletes a role and every grant of it.",
        [Field::path("name", Shape::Name, "the role's")], NOTHING, Act::Order(Kind::DeleteRole);
    "set_role_parents" Put "/v1/roles/{name}/parents", ROLES, "Sets the roles whose permissions a role covers too, as a whole.",
        [Field::path("name", Shape::Name, "the role's"), Field::body("parents", Shape::Names, "all of them; none for no parents"), DRY_RUN],
        CHANGED, Act::Order(Kind::SetRoleParents);
    "list_role_uses" Get "/v1/roles/{name}/uses", ROLES, "Where a role is used: roles that have it for a parent, and groups that it is granted to.",
        [Field::path("name", Shape::Name, "the role's")],
        Answer::Page(&["role", "group", "workspace", "from", "until"]), Act::List(List::RoleUses);
    "list_workspaces" Get "/v1/workspaces", WORKSPACES, "The workspaces.", [CURSOR, LIMIT],
        Answer::Page(WORKSPACE_ROW), Act::List(List::Workspaces);
    "create_workspace" Post "/v1/workspaces", WORKSPACES, "Makes a workspace.",
        [NAME, Field::maybe("parent", Shape::Name, "the workspace above; none for the tenant"),
         Field::maybe("inherits", Shape::Bool, "whether grants above hold here too; true when left out")],
        Answer::Made(&["workspace", "workspace_id"]), Act::Order(Kind::CreateWorkspace);
    "read_workspace" Get "/v1/workspaces/{name}", WORKSPACES, "One workspace.", [Field::path("name", Shape::Name, "the workspace's")],
        Answer::One(WORKSPACE_ROW), Act::List(List::Workspace);
    "delete_workspace" Delete "/v1/workspaces/{name}", WORKSPACES, "Deletes an empty workspace and every grant in it.",
        [Field::path("name", Shape::Name, "the workspace's")], NOTHING, Act::Order(Kind::DeleteWorkspace);
    "delete_workspace_tree" Delete "/v1/workspaces/{name}/tree", WORKSPACES, "Deletes a workspace with all below it, and every grant in them.",
        [Field::path("name", Shape::Name, "the workspace's")], NOTHING, Act::Order(Kind::DeleteWorkspaceTree);
    "move_workspace" Put "/v1/workspaces/{name}/parent", WORKSPACES, "Hangs a workspace, with all below it, under another one.",
        [Field::path("name", Shape::Name, "the workspace's"),
         Field::maybe("parent", Shape::Name, "the workspace above; none for the tenant"),
         Field::maybe("inherits", Shape::Bool, "whether grants above hold here too; true when left out"), DRY_RUN],
        CHANGED, Act::Order(Kind::MoveWorkspace);
    "set_ceiling" Put "/v1/workspaces/{name}/ceiling", WORKSPACES, "Sets what anything in a workspace and below it must lie in.",
        [Field::path("name", Shape::Name, "the workspace's"),
         Field::body("patterns", Shape::Patterns, "the ceiling; an empty list for none"), DRY_RUN], CHANGED, Act::Order(Kind::SetCeiling);
    "set_owners" Put "/v1/workspaces/{name}/owners", WORKSPACES, "Sets the role whose holders in a workspace own it: one of them stays.",
        [Field::path("name", Shape::Name, "the workspace's"),
         Field::maybe("role", Shape::Name, "the role; none for no owners"), DRY_RUN], CHANGED, Act::Order(Kind::SetOwners);
    "list_grants" Get "/v1/subjects/{subject}/grants", Needs::OwnOr("tessera.admin.grants"), "The grants of a subject.", [SUBJECT, CURSOR, LIMIT],
        Answer::Page(GRANT_ROW), Act::List(List::Grants);
    "list_holders" Get "/v1/roles/{name}/holders", GRANTS, "The holders of a role: who has it, where and when.",
        [Field::path("name", Shape::Name, "the role's"), CURSOR, LIMIT],
        Answer::Page(HOLDER_ROW), Act::List(List::Holders);
    "grant" Post "/v1/subjects/{subject}/grants", GRANTS, "Grants a role.",
        [SUBJECT, ROLE, PLACE, FROM, UNTIL, UNDER], NOTHING, Act::Order(Kind::Grant);
    "set_grant_conditions" Post "/v1/subjects/{subject}/grants/conditions", GRANTS, "Puts conditions in the place of those that a grant has.",
        [SUBJECT, ROLE, PLACE, CONDITIONS], NOTHING, Act::Order(Kind::SetGrantConditions);
    "ungrant" Post "/v1/subjects/{subject}/grants/remove", GRANTS, "Takes a grant back.",
        [SUBJECT, ROLE, PLACE], NOTHING, Act::Order(Kind::Ungrant);

    // Groups.
    "list_groups" Get "/v1/groups", GROUPS, "The groups.",
        [Field::query("within", Shape::Name, "those alone that lie in this group, straight"), CURSOR, LIMIT],
        Answer::Page(GROUP_ROW), Act::List(List::Groups);
    "create_group" Post "/v1/groups", GROUPS, "Makes a group.",
        [NAME, Field::maybe("rule", Shape::Rule, "what holds for whoever is in it; none for a group whose members are put into it")],
        Answer::Made(&["group", "left"]), Act::Order(Kind::CreateGroup);
    "change_group_rule" Put "/v1/groups/{name}/rule", GROUPS, "Changes the rule of a group. `left` tells how many subjects it has not reached yet: ask again with the same rule until it is 0.",
        [Field::path("name", Shape::Name, "the group's"),
         Field::body("rule", Shape::Rule, "what holds for whoever is in it from now on"), DRY_RUN],
        Answer::Made(&["left", "dry_run"]), Act::Order(Kind::ChangeGroupRule);
    "read_group" Get "/v1/groups/{name}", GROUPS, "One group.", [Field::path("name", Shape::Name, "the group's")],
        Answer::One(GROUP_ROW), Act::List(List::Group);
    "delete_group" Delete "/v1/groups/{name}", GROUPS, "Deletes a group, every membership in it and every grant to it.",
        [Field::path("name", Shape::Name, "the group's")], NOTHING, Act::Order(Kind::DeleteGroup);
    "list_members" Get "/v1/groups/{group}/members", GROUPS, "The subjects in a group, each with how it is in it.",
        [GROUP, Field::query("nested", Shape::Bool, "those too that are in groups in it"), CURSOR, LIMIT],
        Answer::Page(&["subject", "direct", "from", "until", "through"]), Act::List(List::Members);
    "add_member" Post "/v1/groups/{group}/members", GROUPS, "Puts a subject into a group.",
        [GROUP, Field::body("subject", Shape::Subject, "whom"), FROM, UNTIL], NOTHING, Act::Order(Kind::AddMember);
    "remove_member" Post "/v1/groups/{group}/members/remove", GROUPS, "Takes a subject out of a group.",
        [GROUP, Field::body("subject", Shape::Subject, "whom")], NOTHING, Act::Order(Kind::RemoveMember);
    "add_subgroup" Post "/v1/groups/{group}/groups", GROUPS, "Puts a group into this one, whose grants hold for its members too. It replaces the window of an equal edge.",
        [GROUP, Field::body("member", Shape::Name, "the inner one"), FROM, UNTIL], NOTHING, Act::Order(Kind::AddSubgroup);
    "remove_subgroup" Post "/v1/groups/{group}/groups/remove", GROUPS, "Takes a group out of this one.",
        [GROUP, Field::body("member", Shape::Name, "the inner one")], NOTHING, Act::Order(Kind::RemoveSubgroup);
    "list_memberships" Get "/v1/subjects/{subject}/groups", Needs::OwnOr("tessera.admin.groups"), "The groups that a subject is in, straight or through others.",
        [SUBJECT, CURSOR, LIMIT], Answer::Page(&["group", "direct", "from", "until", "through"]), Act::List(List::Memberships);
    "list_group_grants" Get "/v1/groups/{group}/grants", GRANTS, "The grants of a group itself.", [GROUP],
        Answer::Page(GRANT_ROW), Act::List(List::GroupGrants);
    "grant_group" Post "/v1/groups/{group}/grants", GRANTS, "Grants a role to all who are in a group.",
        [GROUP, ROLE, PLACE, FROM, UNTIL, UNDER], NOTHING, Act::Order(Kind::GrantGroup);
    "set_group_grant_conditions" Post "/v1/groups/{group}/grants/conditions", GRANTS, "Puts conditions in the place of those that a group's grant has.",
        [GROUP, ROLE, PLACE, CONDITIONS], NOTHING, Act::Order(Kind::SetGrantConditions);
    "ungrant_group" Post "/v1/groups/{group}/grants/remove", GRANTS, "Takes a grant from a group.",
        [GROUP, ROLE, PLACE], NOTHING, Act::Order(Kind::UngrantGroup);

    "renew_grant" Post "/v1/subjects/{subject}/grants/renew", GRANTS, "Moves the end of a grant that stands; its beginning stays.",
        [SUBJECT, ROLE, PLACE, UNTIL], NOTHING, Act::Order(Kind::RenewGrant);
    "list_review" Get "/v1/review", GRANTS, "Who holds what, since when, by whom and until when.",
        [CURSOR, LIMIT], Answer::Page(REVIEW_ROW), Act::List(List::Review);
    "explain" Post "/v1/explain", Needs::OwnOr("tessera.admin.grants"), "Why a subject may do something or not: through which grants, roles, groups and workspaces, until when; or what cuts it.",
        [Field::body("subject", Shape::Subject, "who"), Field::body("permission", Shape::Name, "what"),
         Field::maybe("workspace", Shape::Name, "where; none for the tenant"),
         Field::maybe("key", Shape::Session, "public id of the session or key that it is asked through: what a check of that says; proof and device are its own then"),
         Field::maybe("resource", Shape::Object, "to what, `type:id`; the relation that the permission is mapped to is told with its path"),
         Field::maybe("context", Shape::Context, "the circumstances that policies look at; `ip`, `key` and `opened` too"),
         Field::maybe("entities", Shape::EntityList, "entities that are supposed for this question; 64 at most"),
         Field::maybe("at", Shape::Instant, "when; none for now"), FROM_THERE, ACR, PROVEN, DEVICE_TRUST],
        Answer::One(EXPLAINED), Act::List(List::Explain);
    "simulate" Post "/v1/simulate", GRANTS, "What the answer would be at a time, with a role, grant or membership that is supposed. Changes nothing.",
        [Field::body("subject", Shape::Subject, "who"), Field::body("permission", Shape::Name, "what"),
         Field::maybe("workspace", Shape::Name, "where; none for the tenant"),
         Field::maybe("at", Shape::Instant, "when; none for now"),
         Field::maybe("role", Shape::Name, "a role that is supposed to cover `covers`; a new one when there is none"),
         Field::maybe("covers", Shape::Patterns, "what that role is supposed to cover"),
         Field::maybe("grant", Shape::Name, "a role that the subject is supposed to have"),
         Field::maybe("grant_workspace", Shape::Name, "where; none for the tenant"), FROM, UNTIL, UNDER,
         Field::maybe("without", Shape::Name, "a role that it is supposed to have no more"),
         Field::maybe("without_workspace", Shape::Name, "where that one is granted; none for the tenant"),
         Field::maybe("group", Shape::Name, "a group that it is supposed to be in"), FROM_THERE, ACR, PROVEN, DEVICE_TRUST],
        Answer::One(EXPLAINED), Act::List(List::Simulate);

    // Services: what applications register.
    "list_services" Get "/v1/services", SERVICES, "The services: applications that register permissions.", [CURSOR, LIMIT],
        Answer::Page(&["service", "entries", "deprecated_entries"]), Act::List(List::Services);
    "read_service" Get "/v1/services/{name}", SERVICES, "A service with all of its entries, as one record.", [SERVICE_NAME], Answer::One(&["name", "entries"]), Act::List(List::Service);
    "set_service" Put "/v1/services/{name}", SERVICES, "Puts entries in the place of all that a service has, in one commit. What is gone, but in use, stays as deprecated, and is counted in `kept`; a service without entries is gone.",
        [SERVICE_NAME, Field::body("entries", Shape::Entries, "all that it registers, 512 at most"), DRY_RUN],
        Answer::Made(&["kept", "dry_run"]), Act::Order(Kind::SetService);
    "set_endpoints" Put "/v1/services/{name}/endpoints", SERVICES, "Puts endpoints in the place of all that a service has, in one commit. Of those that a request matches the narrowest counts; where it would be doubtful which that is, nothing is taken.",
        [SERVICE_NAME, Field::body("endpoints", Shape::Endpoints, "all of them, 512 at most"), DRY_RUN],
        CHANGED, Act::Order(Kind::SetEndpoints);
    "list_endpoints" Get "/v1/services/{name}/endpoints", SERVICES, "The endpoints of a service, as they were registered.",
        [SERVICE_NAME], Answer::One(&["service", "endpoints"]), Act::List(List::Endpoints);
    "list_entries_of" Get "/v1/services/{name}/entries", SERVICES, "The entries of a service.",
        [SERVICE_NAME, CURSOR, LIMIT], Answer::Page(ENTRY_ROW), Act::List(List::EntriesOf);
    "list_entries" Get "/v1/entries", SERVICES, "The entries of all services.", [CURSOR, LIMIT],
        Answer::Page(ENTRY_ROW), Act::List(List::Entries);
    "read_entry" Get "/v1/entries/{permission}", SERVICES, "One entry.", [ENTRY],
        Answer::One(ENTRY_ROW), Act::List(List::Entry);
    "list_entry_uses" Get "/v1/entries/{permission}/uses", SERVICES, "Where an entry is used, by patterns with a `*` too: roles, grants to groups and subjects, keys, ceilings, mappings to relations.",
        [ENTRY, CURSOR, LIMIT], Answer::Page(USE_ROW), Act::List(List::EntryUses);
    "list_deprecated_uses" Get "/v1/deprecated-uses", SERVICES, "Where deprecated entries are named in full.",
        [CURSOR, LIMIT], Answer::Page(USE_ROW), Act::List(List::DeprecatedUses);

    // Policies: under which circumstances.
    "set_policies" Put "/v1/policies", POLICIES, "Sets policies, their schema, or what a forbid does that fails: what is named, and the rest stays. Texts that are wrong are refused with line and column.",
        [POLICY_TEXT, POLICY_SCHEMA, BUILT_IN,
         Field::maybe("failing_forbid", Shape::Choice(crate::policy::RULES), "`strict` denies, `cedar` leaves it out"),
         Field::maybe("version", Shape::Count, IF_VERSION), DRY_RUN],
        Answer::Made(&["version", "dry_run"]), Act::Order(Kind::SetPolicies);
    "read_policies" Get "/v1/policies", POLICIES, "The policies as they were set, and their schema; and which versions are kept.", [Field::query("version", Shape::Count, "a version that is kept; none for the present one")],
        Answer::One(&["version", "created", "policies", "schema", "built_in_schema", "failing_forbid", "count", "versions"]), Act::List(List::Policies);
    "delete_policies" Delete "/v1/policies", POLICIES, "Takes all policies away, and their schema. Entities must be gone before.",
        [Field::query("version", Shape::Count, IF_VERSION)], NOTHING, Act::Order(Kind::DeletePolicies);
    "try_policies" Post "/v1/policies/try", POLICIES, "What would be wrong with policies and their schema, each at its place. Changes nothing.",
        [POLICY_TEXT, POLICY_SCHEMA, BUILT_IN], Answer::One(&["valid", "count", "faults"]), Act::List(List::PolicyTrial);
    "change_entities" Post "/v1/policies/entities", POLICIES, "Stores entities and removes others, 256 at most: all of them, or none.",
        [Field::maybe("entities", Shape::EntityList, "each in the place of what was known of it"),
         Field::maybe("remove", Shape::EntityNames, "those that go"), DRY_RUN],
        CHANGED, Act::Order(Kind::ChangeEntities);
    "list_entities" Get "/v1/policies/entities", POLICIES, "The stored entities.", [CURSOR, LIMIT],
        Answer::Page(&["entity"]), Act::List(List::Entities);

    // Relations: who is what to whom.
    "set_relation_model" Put "/v1/relations/model", RELATIONS, "Puts a relationship model in the place of the present one. One that leaves stored tuples behind is refused, and the first of them are told.",
        [MODEL, Field::maybe("allow_orphans", Shape::Bool, "take it all the same: such tuples stay, and count in no answer"), DRY_RUN],
        Answer::Made(&["version", "dry_run"]), Act::Order(Kind::SetRelationModel);
    "read_relation_model" Get "/v1/relations/model", RELATIONS, "The relationship model.",
        [Field::query("version", Shape::Count, "an earlier one; the last 16 are kept")],
        Answer::One(&["version", "created", "model"]), Act::List(List::Relation(About::Model));
    "list_relation_models" Get "/v1/relations/models", RELATIONS, "The versions of the relationship model that are kept, the present one first.", [],
        Answer::Page(&["version", "created", "bytes"]), Act::List(List::Relation(About::Models));
    "try_relation_model" Post "/v1/relations/model/try", RELATIONS, "What would become of a relationship model: where it goes wrong, or which stored tuples would not fit it. Changes nothing.",
        [MODEL], Answer::One(&["valid", "line", "column", "message", "orphans", "examples"]),
        Act::List(List::Relation(About::Trial));
    "change_relations" Post "/v1/relations/tuples", RELATIONS, "Writes and removes tuples: up to 1,000 changes and conditions are one commit, and all happen or none.",
        [Field::maybe("write", Shape::Tuples, "tuples that stand from now on, each with its window"),
         Field::maybe("remove", CHANGES, "tuples that go"),
         Field::maybe("require", CHANGES, "tuples that must be there, or nothing happens"),
         Field::maybe("forbid", CHANGES, "tuples that must not be there"),
         Field::maybe("strict", Shape::Bool, "every tuple that is written must be new, every one that is removed must be there"), DRY_RUN],
        CHANGED, Act::Order(Kind::ChangeRelations);
    "list_relations" Get "/v1/relations/tuples", RELATIONS, "The stored tuples.",
        [Field::query("object", Shape::Object, "those about this object; `type:` for all of a type"),
         Field::query("relation", Shape::Relation, "those of this relation"),
         Field::query("user", Shape::User, "those that name this subject"), CURSOR, LIMIT],
        Answer::Page(TUPLE_ROW), Act::List(List::Relation(About::Tuples));
    "list_mappings" Get "/v1/relations/mappings", RELATIONS, "The permissions that follow from relations to resources.",
        [CURSOR, LIMIT], Answer::Page(&["permission", "type", "relation"]), Act::List(List::Relation(About::Mappings));
    "map_permission" Put "/v1/relations/mappings", RELATIONS, "Lets a permission follow from a relation to a resource of a type: `check` with a `resource` asks it where no role grants. None of the engine's own.",
        [Field::body("permission", Shape::Name, "which"), Field::body("type", Shape::Type, "of the resources"), RELATION, DRY_RUN],
        CHANGED, Act::Order(Kind::MapPermission);
    "unmap_permission" Post "/v1/relations/mappings/remove", RELATIONS, "Takes such a mapping back.",
        [Field::body("permission", Shape::Name, "which"), Field::body("type", Shape::Type, "of the resources")],
        NOTHING, Act::Order(Kind::UnmapPermission);
    "watch_relations" Get "/v1/relations/watch", RELATIONS, "The changes of relations behind a cursor, in their order; without one none, but `next`, where to begin. Where `fell_behind` is true too much has changed: read all tuples as of `seen`, and go on with `next`.",
        [CURSOR, LIMIT, Field::query("wait_s", Shape::Count, "how long to wait where nothing has changed, seconds, 30 at most; none for not at all")],
        Answer::Watched(&["event", "seen", "at", "version", "user", "relation", "object", "from", "until"]), Act::List(List::Relation(About::Watch));
    "check_relation" Post "/v1/relations/check", CHECK, "Is a subject in a relation to an object?",
        [USER, RELATION, OBJECT, CONTEXT, AT_LEAST],
        Answer::One(&["decision", "valid_until", "steps", "seen"]), Act::List(List::Relation(About::Check));
    "check_relations" Post "/v1/relations/check-batch", CHECK, "Up to 1,024 checks of relations against one position. Each answer carries the `correlation_id` of its question, or the place of it; one that has an error is no permit.",
        [Field::body("checks", Shape::RelationChecks, "each as of check_relation"), AT_LEAST],
        Answer::One(&["seen", "results"]), Act::List(List::Relation(About::Checks));
    "expand_relation" Post "/v1/relations/expand", CHECK, "One level of a relation to an object: who stands there, and which sets count.",
        [OBJECT, RELATION, CONTEXT, AT_LEAST],
        Answer::One(&["seen", "tree"]), Act::List(List::Relation(About::Expand));
    "list_objects" Post "/v1/relations/list-objects", CHECK, "The objects of a type to which a subject is in a relation, by name.",
        [USER, RELATION, Field::body("type", Shape::Type, "of the objects"), CONTEXT, AT_LEAST, CURSOR, LIMIT],
        Answer::Listed(&["object"]), Act::List(List::Relation(About::Objects));
    "list_subjects_of" Post "/v1/relations/list-subjects", CHECK, "The subjects of a type that are in a relation to an object, by name; everybody of it is `type:*`.",
        [OBJECT, RELATION, Field::body("type", Shape::Type, "of the subjects; `type#relation` for sets"), CONTEXT, AT_LEAST, CURSOR, LIMIT],
        Answer::Listed(&["user"]), Act::List(List::Relation(About::Subjects));
    "explain_relation" Post "/v1/relations/explain", CHECK, "Why a check of a relation has its answer: the way to a tuple, or what takes it away.",
        [USER, RELATION, OBJECT, CONTEXT, AT_LEAST],
        Answer::One(&["seen", "decision", "path"]), Act::List(List::Relation(About::Explain));

    // Devices: what people sign in on.
    "list_my_devices" Get "/v1/me/devices", Needs::Credential, "The caller's own devices, revoked ones included.", [CURSOR, LIMIT], Answer::Page(DEVICE_ROW), Act::List(List::MyDevices);
    "list_devices" Get "/v1/subjects/{subject}/devices", Needs::OwnOr("tessera.admin.subjects"), "The devices of a subject, revoked ones included.", [SUBJECT, CURSOR, LIMIT], Answer::Page(DEVICE_ROW), Act::List(List::Devices);
    "list_my_actings" Get "/v1/me/actings", Needs::Credential, "Who acts and acted for the caller.", [CURSOR, LIMIT], Answer::Page(ACTING_ROW), Act::List(List::MyActings);
    "list_actings" Get "/v1/subjects/{subject}/actings", Needs::OwnOr("tessera.admin.sessions"), "Who acts and acted for a subject: since when, why, until when, and how it ended.", [SUBJECT, CURSOR, LIMIT], Answer::Page(ACTING_ROW), Act::List(List::Actings);
    "register_device" Post "/v1/subjects/{subject}/devices", Needs::OwnOr("tessera.sessions.open"), "Registers a device of a subject by its key's thumbprint, as `unverified`.", [SUBJECT, DEVICE_NAME, THUMBPRINT], Answer::Made(&["device"]), Act::Order(Kind::RegisterDevice);
    "register_device_key" Post "/v1/subjects/{subject}/device-keys", Needs::OwnOr("tessera.sessions.open"), "The same by its public key, whose thumbprint is what is kept.", [SUBJECT, DEVICE_NAME, PUBLIC_KEY], Answer::Made(&["device"]), Act::Order(Kind::RegisterDevice);
    "trust_device" Put "/v1/devices/{device}/trust", SUBJECTS, "Says how far a device is trusted; it acts at the next check of its sessions.", [DEVICE, Field::body("trust", Shape::Choice(&Trust::NAMES), "how far"), DRY_RUN], CHANGED, Act::Order(Kind::TrustDevice);
    "limit_device" Put "/v1/devices/{device}/ceiling", SUBJECTS, "Sets what sessions on a device may use at most, beside the ceiling of its level.", [DEVICE, BELOW, DRY_RUN], CHANGED, Act::Order(Kind::LimitDevice);
    "revoke_device" Delete "/v1/devices/{device}", Needs::OwnOr("tessera.admin.sessions"), "Revokes a device for ever: its sessions end.", [DEVICE], NOTHING, Act::Order(Kind::RevokeDevice);
    "read_device_policy" Get "/v1/device-policy", SETTINGS, "What the tenant asks of devices: a row for each level of trust.", [], Answer::Page(&["trust", "ceiling", "required"]), Act::List(List::DevicePolicy);
    "limit_trust" Put "/v1/device-policy/levels/{trust}", SETTINGS, "Sets what sessions on devices of a level may use at most.", [Field::path("trust", Shape::Choice(&Trust::NAMES), "which level"), BELOW, DRY_RUN], CHANGED, Act::Order(Kind::LimitTrust);
    "require_devices" Put "/v1/device-policy/required", SETTINGS, "Says whether sessions of persons open on devices only. Those that are open stay.", [Field::body("required", Shape::Bool, "whether"), DRY_RUN], CHANGED, Act::Order(Kind::RequireDevices);

    "set_visibility" Put "/v1/visibility", SETTINGS, "Says who sees whom, in the place of what was said; no rules for no limits but permissions. By whoever sees everybody in full alone.",
        [Field::body("rules", Shape::Sight, "one for each role, and one without a role for everybody else; 64 at most"), Field::maybe("version", Shape::Count, IF_VERSION), DRY_RUN],
        CHANGED, Act::Order(Kind::SetVisibility);
    "read_visibility" Get "/v1/visibility", SETTINGS, "Who sees whom.", [], Answer::One(&["version", "rules"]), Act::List(List::Visibility);

    // Elevations: acting for somebody, and roles for a while.
    "impersonate" Post "/v1/subjects/{subject}/impersonate", OPEN, "Opens a session of somebody else in which the caller acts. It ends with the caller's own, and the subject sees it.", [SUBJECT, Field::body("patterns", Shape::Patterns, "what it may use of the subject's permissions; at least one"), Field::body("ttl_s", Shape::Count, "how long it lives, seconds, an hour at most"), BECAUSE], SESSION_MADE, Act::Order(Kind::Impersonate);
    "list_requests" Get "/v1/requests", GRANTS, "The requests for roles, in the order in which they were made.", [OPEN_ONLY, CURSOR, LIMIT], Answer::Page(REQUEST_ROW), Act::List(List::Requests);
    "list_requests_of" Get "/v1/subjects/{subject}/requests", Needs::OwnOr("tessera.admin.grants"), "The requests of a subject for roles.", [SUBJECT, OPEN_ONLY, CURSOR, LIMIT], Answer::Page(REQUEST_ROW), Act::List(List::RequestsOf);
    "request_role" Post "/v1/subjects/{subject}/requests", Needs::OwnOr("tessera.admin.grants"), "Asks for a role, for a while. Somebody else must decide within a week.", [SUBJECT, ROLE, PLACE, FOR, BECAUSE], Answer::Made(&["request"]), Act::Order(Kind::RequestRole);
    "approve_request" Post "/v1/requests/{request}/approve", GRANTS, "Grants what a request asks for, from now on. Never by whom it is for.", [REQUEST], Answer::Made(&["request", "expires"]), Act::Order(Kind::ApproveRequest);
    "refuse_request" Post "/v1/requests/{request}/refuse", GRANTS, "Refuses a request.", [REQUEST], NOTHING, Act::Order(Kind::RefuseRequest);
    "withdraw_request" Delete "/v1/requests/{request}", Needs::OwnOr("tessera.admin.grants"), "Takes a request back.", [REQUEST], NOTHING, Act::Order(Kind::WithdrawRequest);

    // Invitations, guests, personal workspaces.
    "list_invitations" Get "/v1/invitations", GRANTS, "The invitations, in the order in which they were made.", [OPEN_INVITED, CURSOR, LIMIT], Answer::Page(INVITATION_ROW), Act::List(List::Invitations);
    "list_invitations_of" Get "/v1/subjects/{subject}/invitations", Needs::OwnOr("tessera.admin.grants"), "The invitations that a subject has made.", [SUBJECT, OPEN_INVITED, CURSOR, LIMIT], Answer::Page(INVITATION_ROW), Act::List(List::InvitationsOf);
    "find_invitations" Post "/v1/invitations/find", SUBJECTS, "The invitations that are for an identifier, whoever made them, in the order in which they were made.", [Field::body("identifier", Shape::Identifier, "as typed"), CURSOR, LIMIT], Answer::Page(INVITATION_ROW), Act::List(List::InvitationsFor);
    "erase_invitation" Post "/v1/invitations/{invitation}/erase", SUBJECTS, "Erases whom an invitation is for: it ends, and the key that that is sealed under is destroyed. `erased` says whether that is done; until then ask again, under another `Idempotency-Key`.", [INVITATION], Answer::Made(&["invitation", "erased"]), Act::Order(Kind::EraseInvitation);
    "invite" Post "/v1/invitations", GRANTS, "Invites somebody into a workspace, whether there is an account or not, which is told to nobody. The handle is the one-time secret that goes to whom is invited; only a session or key of the tenant invites.", [Field::body("identifier", Shape::Identifier, "whom, as typed"), Field::body("workspace", Shape::Name, "where"), ROLE, UNTIL, INVITED_UNTIL, Field::maybe("guest", Shape::Bool, "whether a subject that it makes is a guest")], Answer::Made(&["invitation", "handle", "expires"]), Act::Order(Kind::Invite);
    "resend_invitation" Post "/v1/invitations/{invitation}/resend", Needs::OwnOr("tessera.admin.grants"), "Makes a new secret for an invitation; the one before ends.", [INVITATION, INVITED_UNTIL], Answer::Made(&["invitation", "handle", "expires"]), Act::Order(Kind::ResendInvitation);
    "withdraw_invitation" Delete "/v1/invitations/{invitation}", Needs::OwnOr("tessera.admin.grants"), "Takes an invitation back.", [INVITATION], Answer::Made(&["invitation"]), Act::Order(Kind::WithdrawInvitation);
    "accept_invitation" Post "/v1/invitations/accept", Needs::Credential, "Accepts an invitation for the session's own subject, which has the invited identifier. The grant is decided again, in the inviter's name.", [INVITED_BY], Answer::Made(&["invitation", "subject"]), Act::Order(Kind::AnswerInvitation);
    "join_by_invitation" Post "/v1/invitations/join", Needs::Nothing, "Accepts an invitation for somebody who has no account: a subject is made with the invited identifier and this password, where the tenant's `registration` is open or with approval.", [INVITED_BY, Field::body("password", Shape::Password, "in the clear")], Answer::Made(&["invitation", "subject"]), Act::Order(Kind::AnswerInvitation);
    "decline_invitation" Post "/v1/invitations/decline", Needs::Nothing, "Declines an invitation.", [INVITED_BY], Answer::Made(&["invitation"]), Act::Order(Kind::AnswerInvitation);
    "set_guest" Put "/v1/subjects/{subject}/guest", SUBJECTS, "Makes a guest of a subject, whom nothing reaches but what is granted to itself in a workspace; or a member of a guest.", [SUBJECT, Field::body("guest", Shape::Bool, "whether"), DRY_RUN], CHANGED, Act::Order(Kind::SetGuest);
    "read_personal_role" Get "/v1/personal-workspaces", SETTINGS, "The role by which persons own their personal workspaces; null where new persons get none.", [], Answer::One(&["role"]), Act::List(List::PersonalRole);
    "set_personal_role" Put "/v1/personal-workspaces", SETTINGS, "Names that role: each new person gets a personal workspace. Without a role new persons get none.", [Field::maybe("role", Shape::Name, "which"), DRY_RUN], CHANGED, Act::Order(Kind::SetPersonalRole);
    "make_personal_workspace" Post "/v1/subjects/{subject}/personal-workspace", Needs::OwnOr("tessera.admin.workspaces"), "Makes the personal workspace of a subject, or tells which it is.", [SUBJECT], Answer::Made(&["workspace", "workspace_id"]), Act::Order(Kind::MakePersonalWorkspace);

    // Sessions and keys of others.
    "list_sessions" Get "/v1/subjects/{subject}/sessions", Needs::OwnOr("tessera.admin.sessions"), "The live sessions and keys of a subject.",
        [SUBJECT, CURSOR, LIMIT], Answer::Page(SESSION_ROW), Act::List(List::Sessions);
    "open_session" Post "/v1/subjects/{subject}/sessions", OPEN, "Opens a session for a subject whom the caller has authenticated itself.", [SUBJECT, ON_DEVICE, PROOF],
        SESSION_MADE, Act::Order(Kind::OpenSession);
    "end_subject_sessions" Delete "/v1/subjects/{subject}/sessions", Needs::OwnOr("tessera.admin.sessions"), "Ends all sessions of a subject.", [SUBJECT],
        NOTHING, Act::Order(Kind::EndSubjectSessions);
    "touch_session" Post "/v1/sessions/touch", OPEN, "Moves the idle end of a session (a key's last use).",
        [Field::body("handle", Shape::Handle, "the session's or key's")], Answer::Made(&["expires", "idle_until"]), Act::Order(Kind::TouchSession);
    "end_session" Delete "/v1/sessions/{session}", Needs::OwnOr("tessera.admin.sessions"), "Ends one session or key.",
        [Field::path("session", Shape::Session, "public id")], NOTHING, Act::Order(Kind::EndSession);
    "end_tenant_sessions" Delete "/v1/sessions", SESSIONS, "Ends all sessions of the tenant.", [],
        NOTHING, Act::Order(Kind::EndTenantSessions);
    "list_clients" Get "/v1/clients", CLIENTS, "The clients: what sessions are like that are opened through a key which names one.",
        [CURSOR, LIMIT], Answer::Page(CLIENT_ROW), Act::List(List::Clients);
    "create_client" Post "/v1/clients", CLIENTS, "Makes a client. What is left out is as the tenant's settings say, and `refresh` is off.",
        [NAME, CLIENT_REFRESH, CLIENT_TTL, CLIENT_IDLE, CLIENT_REFRESH_TTL, CLIENT_SESSIONS, CLIENT_OVER],
        Answer::Made(&["client"]), Act::Order(Kind::CreateClient);
    "read_client" Get "/v1/clients/{name}", CLIENTS, "One client.", [CLIENT],
        Answer::One(CLIENT_ROW), Act::List(List::Client);
    "change_client" Patch "/v1/clients/{name}", CLIENTS, "Changes some of a client's terms (RFC 7396); they act at the next opening and refresh.",
        [CLIENT, CLIENT_REFRESH, CLIENT_TTL, CLIENT_IDLE, CLIENT_REFRESH_TTL, CLIENT_SESSIONS, CLIENT_OVER, DRY_RUN],
        CHANGED, Act::Order(Kind::ChangeClient);
    "delete_client" Delete "/v1/clients/{name}", CLIENTS, "Deletes a client: its sessions end, keys that name it open no more.", [CLIENT],
        NOTHING, Act::Order(Kind::DeleteClient);
    "list_refresh_keys" Get "/v1/refresh-keys", SETTINGS, "The keys that refresh handles are made by.", [],
        Answer::Page(&["number", "created", "current"]), Act::List(List::RefreshKeys);
    "rotate_refresh_keys" Post "/v1/refresh-keys/rotate", SETTINGS, "Makes a new refresh key; nobody is signed out.",
        [Field::maybe("now", Shape::Bool, "older keys are leaked: they go at once, and their sessions end")],
        Answer::Made(&["number"]), Act::Order(Kind::RotateRefreshKeys);
    "list_keys" Get "/v1/keys", KEYS, "The tenant's API keys.", [CURSOR, LIMIT],
        Answer::Page(KEY_ROW), Act::List(List::Keys);
    "list_keys_of" Get "/v1/subjects/{subject}/keys", Needs::OwnOr("tessera.admin.keys"), "The API keys of a subject.",
        [SUBJECT, CURSOR, LIMIT], Answer::Page(KEY_ROW), Act::List(List::KeysOf);
    "read_key" Get "/v1/keys/{key}", KEYS, "One API key.", [Field::path("key", Shape::Session, "public id")],
        Answer::One(KEY_ROW), Act::List(List::Key);
    "create_key" Post "/v1/subjects/{subject}/keys", KEYS, "Makes an API key.",
        [SUBJECT, Field::maybe("patterns", Shape::Patterns, "what it may cover; none for all that its owner may"),
         Field::body("expires", Shape::Instant, "when it ends"), Field::maybe("description", Shape::Text, "what it is for"),
         Field::maybe("client", Shape::Name, "the client that sessions are opened through with it"),
         Field::maybe("networks", Shape::Networks, "from where it may be used; none for anywhere")],
        Answer::Made(&["subject", "session", "handle", "expires"]), Act::Order(Kind::CreateKey);
    "rotate_key" Post "/v1/keys/{key}/rotate", Needs::OwnOr("tessera.admin.keys"), "Makes a key in place of an old one, which lives on for a while; a key may do that for itself.",
        [Field::path("key", Shape::Session, "public id"),
         Field::maybe("overlap_s", Shape::Count, "how long the old one lives on, seconds; none ends it now"),
         Field::maybe("expires", Shape::Instant, "when the new one ends; none for when the old one would have"),
         Field::maybe("patterns", Shape::Patterns, "what it may cover, within what the old one may; none for the same"),
         Field::maybe("networks", Shape::Networks, "from where it may be used, within where the old one may; none for the same")],
        Answer::Made(&["subject", "session", "handle", "expires"]), Act::Order(Kind::RotateKey);
    "revoke_key" Delete "/v1/keys/{key}", KEYS, "Ends a key.",
        [Field::path("key", Shape::Session, "public id")], NOTHING, Act::Order(Kind::RevokeKey);
}
