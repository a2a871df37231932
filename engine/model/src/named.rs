//! The names of limits and settings, as refusals carry them.

use crate::refusal::Refusal;
use std::fmt;

macro_rules! names {
    ($(#[$doc:meta])* $type:ident { $($name:ident = $text:tt),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        #[expect(missing_docs, reason = "each variant is the name that it stands for")]
        pub enum $type {
            $($name,)*
            /// One that this program has no name for.
            Unnamed,
        }

        impl $type {
            /// What stands for one without a name.
            pub const UNNAMED: Self = Self::Unnamed;

            /// All that have a name.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name; empty for one without.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* Self::Unnamed => "" }
            }

            /// The one with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Self {
                Self::ALL.iter().copied().find(|known| known.name() == name).unwrap_or(Self::Unnamed)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

macro_rules! limits {
    ($($name:ident = $constant:ident,)* $(; $($set:ident = $text:literal,)*)*) => {
        names! {
            /// A limit, by the name that it has in docs/surface/limits.txt, or in small letters by that of
            /// the setting of tenant or node which it is.
            Limit { $($name = (stringify!($constant)),)* $($($set = $text,)*)* }
        }

        impl Limit {
            /// Its number in this build; 0 for one that settings give.
            #[must_use]
            pub const fn bound(self) -> u64 {
                match self {
                    $(Self::$name => crate::limits::$constant as u64,)*
                    $($(Self::$set => 0,)*)*
                    Self::Unnamed => 0,
                }
            }
        }
    };
}

limits! {
    AttributeBytes = ATTRIBUTE_BYTES_MAX,
    Attributes = ATTRIBUTES_MAX,
    AttributesPerSubject = ATTRIBUTES_PER_SUBJECT_MAX,
    AttributesPerSubjectBytes = ATTRIBUTES_PER_SUBJECT_BYTES_MAX,
    ChallengesUsed = CHALLENGES_USED_MAX,
    Clients = CLIENTS_MAX,
    ConditionBytes = CONDITION_BYTES_MAX,
    ConditionValues = CONDITION_VALUES_MAX,
    CommandIdAge = COMMAND_ID_AGE_MS_MAX,
    CommandIdAhead = COMMAND_ID_AHEAD_MS_MAX,
    CommandIds = COMMAND_IDS_MAX,
    ContextBytes = CONTEXT_BYTES_MAX,
    CutOffs = CUT_OFFS_MAX,
    EndpointBytes = ENDPOINT_BYTES_MAX,
    EndpointMapBytes = ENDPOINT_MAP_BYTES_MAX,
    EndpointSegments = ENDPOINT_SEGMENTS_MAX,
    Endpoints = ENDPOINTS_MAX,
    VisibilityRules = VISIBILITY_RULES_MAX,
    VisibilityAttributes = VISIBILITY_ATTRIBUTES_MAX,
    ActingPerActor = ACTING_PER_ACTOR_MAX,
    ActingTtl = ACTING_TTL_S_MAX,
    Devices = DEVICES_MAX,
    DeviceProofs = DEVICE_PROOFS_MAX,
    DevicesPerSubject = DEVICES_PER_SUBJECT_MAX,
    Entities = ENTITIES_MAX,
    EntityAncestors = ENTITY_ANCESTORS_MAX,
    EntityBytes = ENTITY_BYTES_MAX,
    EntityChanges = ENTITY_CHANGES_MAX,
    EntryDescriptionBytes = ENTRY_DESCRIPTION_BYTES_MAX,
    FrameBytes = FRAME_BYTES_MAX,
    GrantConditionBytes = GRANT_CONDITION_BYTES_MAX,
    GrantConditions = GRANT_CONDITIONS_MAX,
    HoursSpans = HOURS_SPANS_MAX,
    GrantsPerGroup = GRANTS_PER_GROUP_MAX,
    GrantsPerSubject = GRANTS_PER_SUBJECT_MAX,
    GroupDepth = GROUP_DEPTH_MAX,
    Groups = GROUPS_MAX,
    GroupsAbove = GROUPS_ABOVE_MAX,
    GroupWindows = GROUP_WINDOWS_MAX,
    GroupsPerSubject = GROUPS_PER_SUBJECT_MAX,
    IdentifierBytes = IDENTIFIER_BYTES_MAX,
    IdentifiersPerSubject = IDENTIFIERS_PER_SUBJECT_MAX,
    Intake = INTAKE_MAX,
    Invitations = INVITATIONS_MAX,
    InvitationsPerIdentifier = INVITATIONS_PER_IDENTIFIER_MAX,
    InvitationsPerInviter = INVITATIONS_PER_INVITER_MAX,
    InvitationSecrets = INVITATION_SECRETS_MAX,
    InvitationTtl = INVITATION_TTL_S_MAX,
    KeyDescriptionBytes = KEY_DESCRIPTION_BYTES_MAX,
    LabelBytes = LABEL_BYTES_MAX,
    Labels = LABELS_MAX,
    LoadRows = LOAD_ROWS_MAX,
    LoadsWaiting = LOADS_WAITING_MAX,
    KeyOverlap = KEY_OVERLAP_S_MAX,
    KeyTtl = KEY_TTL_S_MAX,
    MoveChunks = MOVE_CHUNKS_MAX,
    Moves = MOVES_MAX,
    NameBytes = NAME_BYTES_MAX,
    Networks = NETWORKS_MAX,
    Origins = ORIGINS_MAX,
    PasswordBytes = PASSWORD_BYTES_MAX,
    PatternBytes = PATTERN_BYTES_MAX,
    Patterns = PATTERNS_MAX,
    Permissions = PERMISSIONS_MAX,
    Placements = PLACEMENTS_MAX,
    Places = PLACES_MAX,
    PolicyCompiles = POLICY_COMPILES_MAX,
    PolicyProgramBytes = POLICY_PROGRAM_BYTES_MAX,
    PolicyTextBytes = POLICY_TEXT_BYTES_MAX,
    ProfilePerSubject = PROFILE_PER_SUBJECT_MAX,
    ProfilePerSubjectBytes = PROFILE_PER_SUBJECT_BYTES_MAX,
    PublicWakes = PUBLIC_WAKES_MAX,
    PublicWakesPerSource = PUBLIC_WAKES_PER_SOURCE_MAX,
    RefreshKeys = REFRESH_KEYS_MAX,
    Registrations = REGISTRATIONS_MAX,
    RegistrationsPerSource = REGISTRATIONS_PER_SOURCE_MAX,
    RelationChanges = RELATION_CHANGES_MAX,
    RelationMappings = RELATION_MAPPINGS_MAX,
    RelationModelBytes = RELATION_MODEL_BYTES_MAX,
    RelationWatchers = RELATION_WATCHERS_MAX,
    Relations = RELATIONS_MAX,
    ReasonBytes = REASON_BYTES_MAX,
    RequestDuration = REQUEST_DURATION_S_MAX,
    Requests = REQUESTS_MAX,
    RequestsKeptPerSubject = REQUESTS_KEPT_PER_SUBJECT_MAX,
    RequestsPerSubject = REQUESTS_PER_SUBJECT_MAX,
    Restrictions = RESTRICTIONS_MAX,
    RoleDepth = ROLE_DEPTH_MAX,
    RoleParents = ROLE_PARENTS_MAX,
    Roles = ROLES_MAX,
    RuleConditions = RULE_CONDITIONS_MAX,
    RuleGroups = RULE_GROUPS_MAX,
    ScopeBytes = SCOPE_BYTES_MAX,
    ScopeFilters = SCOPE_FILTERS_MAX,
    ScopeSegments = SCOPE_SEGMENTS_MAX,
    ServiceBytes = SERVICE_BYTES_MAX,
    ServiceEntries = SERVICE_ENTRIES_MAX,
    SentEntities = SENT_ENTITIES_MAX,
    SentEntitiesBytes = SENT_ENTITIES_BYTES_MAX,
    Services = SERVICES_MAX,
    SetUpTtl = SET_UP_TTL_S_MAX,
    Subjects = SUBJECTS_MAX,
    WireFrameBytes = WIRE_FRAME_BYTES_MAX,
    WorkspaceDepth = WORKSPACE_DEPTH_MAX,
    WorkspaceTree = WORKSPACE_TREE_MAX,
    Workspaces = WORKSPACES_MAX,
    ;
    PasswordBytesMin = "password_bytes_min",
    SessionsMax = "sessions_max",
    ;
    ChecksPerSecond = "checks_per_second",
    CommandsInFlight = "commands_in_flight",
    CredentialPerSecond = "credential_per_second",
    PasswordsQueue = "passwords.queue_max",
    RefreshesPerSecond = "refreshes_per_second",
    SourcePerSecond = "source_per_second",
    TailBytes = "storage.tail_bytes_max",
    TailFrames = "storage.tail_frames_max",
    TenantPerSecond = "tenant_per_second",
}

/// A limit that is reached, with its number: that of the node which says so.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct LimitAt {
    /// Which.
    pub limit: Limit,
    /// Its number, in the unit that its name ends in; 0 when nobody said.
    pub bound: u64,
}

impl LimitAt {
    /// What stands for a limit without a name.
    pub const UNNAMED: Self = Self { limit: Limit::Unnamed, bound: 0 };
}

impl fmt::Display for LimitAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.limit.name())?;
        if self.bound == 0 { Ok(()) } else { write!(f, " {}", grouped(self.bound)) }
    }
}

/// A number for people: its digits in groups of three.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

impl Limit {
    /// The limit with a number of its own.
    #[must_use]
    pub const fn at(self, bound: u64) -> LimitAt {
        LimitAt { limit: self, bound }
    }

    /// The refusal that this limit is reached, with its number in this build.
    #[must_use]
    pub const fn reached(self) -> Refusal {
        Refusal::LimitReached(self.at(self.bound()))
    }

    /// The refusal that this limit is reached for the moment, with its number in this build.
    #[must_use]
    pub const fn busy(self) -> Refusal {
        Refusal::Busy(self.at(self.bound()))
    }
}

names! {
    /// What of a cursor does not fit the list that it was sent to.
    CursorFault {
        List = "another list",
        Tenant = "another tenant",
        Filter = "another subject, role or filter",
        Damaged = "damaged, cut off or not from here",
    }
}

names! {
    /// A setting of a tenant, or a bound that its node sets for it, by its name.
    Setting {
        SessionTtl = "session_ttl_s",
        SessionIdle = "session_idle_s",
        ArgonMemory = "argon_memory_kib",
        ArgonPasses = "argon_passes",
        ArgonLanes = "argon_lanes",
        PasswordBytes = "password_bytes_min",
        SignInFree = "sign_in_free",
        SignInWait = "sign_in_wait_s",
        SignInWaitMax = "sign_in_wait_s_max",
        SignInFailures = "sign_in_failures_max",
        SourceFailures = "source_failures_max",
        SourceRefill = "source_refill_s",
        Refresh = "refresh",
        RefreshTtl = "refresh_ttl_s",
        RefreshGrace = "refresh_grace_s",
        SessionsMax = "sessions_max",
        SessionsOverLimit = "sessions_over_limit",
        PublicSignIn = "public_sign_in",
        Registration = "registration",
        PasswordsCost = "passwords.cost_mib_max",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: numbers are printed in groups of three digits, from the right.
    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (67_108_864, "67,108,864")] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(Limit::Subjects.at(1_000_000).to_string(), "SUBJECTS_MAX 1,000,000");
    }

    /// PROPERTY: names are one to one, and every limit stands in the document of limits with its number, or is a
    /// setting of tenant or node that its document explains.
    #[test]
    fn names_are_one_to_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/surface/limits.txt");
        let text = std::fs::read_to_string(path).expect("the document");
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operate/configuration.md");
        let configuration = std::fs::read_to_string(path).expect("the document");
        for limit in Limit::ALL {
            assert_eq!(Limit::from_name(limit.name()), *limit);
            let listed = text.contains(&format!("\n{limit} = "));
            let set = crate::settings::Settings::named(limit.name()).is_some() && limit.bound() == 0;
            let bare = limit.name().rsplit('.').next().unwrap_or_default();
            let of_node = limit.bound() == 0 && configuration.contains(&format!("| `{bare}` |"));
            assert!(listed || set || of_node, "{limit}");
        }
        for setting in Setting::ALL {
            assert_eq!(Setting::from_name(setting.name()), *setting);
        }
    }
}
