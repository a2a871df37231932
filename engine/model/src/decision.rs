//! The answer to a check: Permit, or Deny with a reason; always with the revision it was taken at.

use crate::revision::Receipt;
use crate::time::UnixMillis;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// Why a check was denied. `None` stands with a Permit.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// Its number in the one code space (1xx; 0 with a Permit).
            #[must_use]
            pub const fn code(self) -> u16 {
                match self { $(Self::$name => $code,)* }
            }

            /// The reason with this code.
            #[must_use]
            pub const fn from_code(code: u16) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }

            /// Its stable name, for logs and `--json`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What it means, for people.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// All of them, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

reasons! {
    /// Permitted.
    None = 0, "permitted";
    /// No such handle here, or its secret is wrong (one answer).
    HandleUnknown = 100, "no such handle";
    /// The session or key was ended, or a cut-off ended it.
    Revoked = 101, "revoked";
    /// The absolute lifetime is over.
    Expired = 102, "expired";
    /// The idle lifetime is over.
    Idle = 103, "idle for too long";
    /// The tenant is suspended, closing or unknown.
    TenantClosed = 104, "the tenant is not active";
    /// The subject is suspended.
    SubjectSuspended = 105, "the subject is suspended";
    /// The subject was deleted.
    SubjectDeleted = 106, "the subject was deleted";
    /// No permission of this name or id.
    PermissionUnknown = 107, "no such permission";
    /// No workspace of this name or id.
    WorkspaceUnknown = 108, "no such workspace";
    /// No grant covers the permission there and now.
    NotGranted = 109, "not granted";
    /// A grant covers it, but the key's restriction does not.
    Restricted = 110, "outside the key's permissions";
    /// The place changed hands while the answer was made.
    Changed = 111, "changed while answering";
    /// The handle belongs to another tenant than the connection asks for.
    OtherTenant = 112, "a handle of another tenant";
    /// A key bound to addresses was used without one, or from another.
    AddressNotAllowed = 113, "not from this address";
    /// A handle of a kind that opens nothing here (a refresh handle).
    HandleKindWrong = 114, "not a session or key";
    /// A relation to the resource may give it, but the answer lies deeper than one may look.
    DepthExceeded = 115, "the relations to the resource lie too deep";
    /// A relation to the resource may give it, but the answer costs more than one question may.
    BudgetExceeded = 116, "the relations to the resource cost more than one question may";
    /// The resource is ill-formed, or the relationship model does not have its type, relation or `user`.
    ResourceUnknown = 117, "no such resource in the relationship model";
    /// A grant covers it, but the ceiling of the workspace, or of one above, does not.
    BeyondCeiling = 120, "outside the workspace's ceiling";
    /// A policy forbids it.
    PolicyForbids = 125, "a policy forbids it";
    /// A policy that forbids failed while it was evaluated, and the tenant's rule is strict.
    PolicyFailed = 126, "a policy that forbids failed";
    /// The stored policies are no program that this build reads: nothing is permitted.
    PolicyUnreadable = 127, "the stored policies cannot be read: set them anew";
    /// A grant covers it, but what sessions on this device may use does not.
    BeyondDevice = 130, "outside what sessions on this device may use";
    /// The device of the session was revoked.
    DeviceRevoked = 131, "the device was revoked";
    /// Somebody acts for the subject who holds that permission of the engine no more, or never did.
    BeyondActor = 132, "more than whoever acts may do";
    /// Whoever acts for the subject is not alive any more.
    ActorGone = 133, "whoever acts for the subject is not alive any more";
    /// It is asked by a scope that nothing can be asked by: ill-formed, with a wildcard, or with a filter that
    /// speaks for workspace or subject.
    ScopeMalformed = 140, "nothing can be asked by this scope";
    /// A grant and a scope of the key reach it, but the scope's filters do not hold.
    ScopeFiltered = 141, "the filters of the key's scope do not hold";
    /// No endpoint of the service matches the request, or it has no such action.
    EndpointUnknown = 142, "the service has no such endpoint or action";
    /// The method or path can be read in more than one way: it matches no endpoint.
    RequestDoubtful = 143, "the request's method or path can be read in more than one way";
    /// No such service.
    ServiceUnknown = 144, "no such service";
    /// A grant with conditions covers it, and nothing is known of what they ask for.
    ConditionsUnmet = 145, "granted under conditions that nothing is known of";
    /// A grant covers it at other hours of the week.
    OutsideHours = 146, "not granted at this hour";
    /// A grant covers it from other networks.
    OutsideNetworks = 147, "not granted from this address";
    /// A grant covers it in sessions on devices that are trusted further.
    DeviceUntrusted = 148, "not granted on a device that is trusted no further";
    /// A grant covers it in sessions that were opened with a stronger proof, or more recently: step up.
    StepUpNeeded = 149, "granted after a stronger or more recent sign-in";
}

impl Reason {
    /// Whether no grant counts: relations and policies are asked then.
    #[must_use]
    pub const fn is_ungranted(self) -> bool {
        matches!(self, Self::NotGranted) || self.is_conditional()
    }

    /// Whether a grant would count under other circumstances.
    #[must_use]
    pub const fn is_conditional(self) -> bool {
        matches!(
            self,
            Self::ConditionsUnmet
                | Self::OutsideHours
                | Self::OutsideNetworks
                | Self::DeviceUntrusted
                | Self::StepUpNeeded
        )
    }
}

/// The answer to a check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Decision {
    /// `Reason::None` means Permit, everything else Deny.
    pub reason: Reason,
    /// The published position it was taken at.
    pub seen: Receipt,
    /// The earliest moment at which time alone may change the answer; `u64::MAX` for never.
    pub valid_until: UnixMillis,
}

impl Decision {
    /// A denial that no moment changes.
    #[must_use]
    pub const fn deny(reason: Reason, seen: Receipt) -> Self {
        Self { reason, seen, valid_until: UnixMillis(u64::MAX) }
    }

    /// Whether it is a Permit.
    #[must_use]
    pub const fn is_permit(&self) -> bool {
        matches!(self.reason, Reason::None)
    }
}
