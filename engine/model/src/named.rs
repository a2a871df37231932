//! The names of limits and settings, as refusals carry them.

use std::fmt;

macro_rules! names {
    ($(#[$doc:meta])* $type:ident { $($name:ident = $text:literal),* $(,)? }) => {
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
                match name { $($text => Self::$name,)* _ => Self::Unnamed }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

names! {
    /// A limit, by the name that it has in docs/surface/limits.txt.
    Limit {
        AttributeBytes = "ATTRIBUTE_BYTES_MAX",
        Attributes = "ATTRIBUTES_MAX",
        AttributesPerSubject = "ATTRIBUTES_PER_SUBJECT_MAX",
        AttributesPerSubjectBytes = "ATTRIBUTES_PER_SUBJECT_BYTES_MAX",
        Clients = "CLIENTS_MAX",
        CutOffs = "CUT_OFFS_MAX",
        FrameBytes = "FRAME_BYTES_MAX",
        GrantsPerGroup = "GRANTS_PER_GROUP_MAX",
        GrantsPerSubject = "GRANTS_PER_SUBJECT_MAX",
        GroupDepth = "GROUP_DEPTH_MAX",
        Groups = "GROUPS_MAX",
        GroupsAbove = "GROUPS_ABOVE_MAX",
        GroupsPerSubject = "GROUPS_PER_SUBJECT_MAX",
        IdentifiersPerSubject = "IDENTIFIERS_PER_SUBJECT_MAX",
        LoadRows = "LOAD_ROWS_MAX",
        KeyDescriptionBytes = "KEY_DESCRIPTION_BYTES_MAX",
        Networks = "NETWORKS_MAX",
        Origins = "ORIGINS_MAX",
        Patterns = "PATTERNS_MAX",
        Permissions = "PERMISSIONS_MAX",
        Places = "PLACES_MAX",
        ProfilePerSubject = "PROFILE_PER_SUBJECT_MAX",
        ProfilePerSubjectBytes = "PROFILE_PER_SUBJECT_BYTES_MAX",
        RefreshKeys = "REFRESH_KEYS_MAX",
        Restrictions = "RESTRICTIONS_MAX",
        RoleDepth = "ROLE_DEPTH_MAX",
        RoleParents = "ROLE_PARENTS_MAX",
        Roles = "ROLES_MAX",
        Subjects = "SUBJECTS_MAX",
        WireFrameBytes = "WIRE_FRAME_BYTES_MAX",
        WorkspaceDepth = "WORKSPACE_DEPTH_MAX",
        WorkspaceTree = "WORKSPACE_TREE_MAX",
        Workspaces = "WORKSPACES_MAX",
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

    /// PROPERTY: names are one to one, and every limit stands in the document of limits.
    #[test]
    fn names_are_one_to_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/surface/limits.txt");
        let text = std::fs::read_to_string(path).expect("the document");
        for limit in Limit::ALL {
            assert_eq!(Limit::from_name(limit.name()), *limit);
            assert!(text.contains(&format!("\n{limit} = ")), "{limit}");
        }
        for setting in Setting::ALL {
            assert_eq!(Setting::from_name(setting.name()), *setting);
        }
    }
}
