//! The members of answers, as the table of operations names them.

use crate::operation::Answer;

pub(crate) const NOTHING: Answer = Answer::Made(&[]);
pub(crate) const CHANGED: Answer = Answer::Made(&["dry_run"]);
pub(crate) const SUBJECT_ROW: &[&str] =
    &["subject", "index", "kind", "status", "has_password", "guest", "creator"];
pub(crate) const SESSION_ROW: &[&str] =
    &["session", "kind", "created", "expires", "idle_until", "device", "actor", "acts_because"];
pub(crate) const KEY_ROW: &[&str] = &[
    "session",
    "subject",
    "created",
    "expires",
    "last_used",
    "patterns",
    "client",
    "networks",
    "description",
];
pub(crate) const ROLE_ROW: &[&str] = &["id", "name", "patterns", "parents", "workspace"];
pub(crate) const GROUP_ROW: &[&str] = &["id", "name", "parents", "rule", "left"];
pub(crate) const REVIEW_ROW: &[&str] = &[
    "subject",
    "group",
    "role",
    "workspace",
    "member_of",
    "from",
    "until",
    "created",
    "by",
    "changed",
    "changed_by",
    "request",
    "conditions",
];
pub(crate) const EXPLAINED: &[&str] = &[
    "decision",
    "reason",
    "reason_code",
    "valid_until",
    "sources",
    "restricted",
    "cuts",
    "ceilings",
    "related",
    "policies",
];
pub(crate) const ENTRY_ROW: &[&str] =
    &["service", "id", "permission", "action", "labels", "description", "deprecated", "replaced_by"];
pub(crate) const USE_ROW: &[&str] = &[
    "permission",
    "used_by",
    "role",
    "group",
    "subject",
    "key",
    "workspace",
    "pattern",
    "mapping",
    "endpoint",
    "from",
    "until",
];
pub(crate) const GRANT_ROW: &[&str] = &["role", "workspace", "from", "until", "conditions"];
pub(crate) const WORKSPACE_ROW: &[&str] =
    &["index", "id", "name", "parent", "inherits", "ceiling", "owners", "personal"];
pub(crate) const HOLDER_ROW: &[&str] =
    &["subject", "kind", "status", "workspace", "from", "until", "conditions"];
pub(crate) const TENANT_ROW: &[&str] = &["tenant", "name", "status", "created", "failed", "trouble"];
pub(crate) const SETTINGS_ROW: &[&str] = &crate::settings::NAMES;
pub(crate) const CLIENT_ROW: &[&str] = &[
    "id",
    "name",
    "refresh",
    "session_ttl_s",
    "session_idle_s",
    "refresh_ttl_s",
    "sessions_max",
    "over_limit",
];
pub(crate) const SESSION_MADE: Answer = Answer::Made(&[
    "subject",
    "session",
    "handle",
    "expires",
    "idle_until",
    "refresh_handle",
    "refresh_until",
    "evicted",
    "csrf_token",
]);
pub(crate) const DEVICE_ROW: &[&str] =
    &["device", "subject", "name", "thumbprint", "trust", "ceiling", "registered", "revoked"];
pub(crate) const INVITATION_ROW: &[&str] = &[
    "invitation",
    "identifier",
    "inviter",
    "role",
    "workspace",
    "grant_until",
    "guest",
    "secrets",
    "created",
    "until",
    "state",
    "subject",
    "decided",
];
pub(crate) const REQUEST_ROW: &[&str] = &[
    "request",
    "subject",
    "made_by",
    "role",
    "workspace",
    "duration_s",
    "because",
    "created",
    "until",
    "state",
    "decided_by",
    "decided",
    "granted_until",
];

/// That somebody acts or acted for a subject.
pub(crate) const ACTING_ROW: &[&str] =
    &["session", "actor", "acts_because", "created", "expires", "ended", "how"];
