//! Who sees whom in a tenant, and what of them: rules by role, and one for everybody else.

use crate::id::RoleId;
use crate::identifier::IdentifierKind;
use crate::name::Name;

macro_rules! sets {
    ($(#[$doc:meta])* $set:ident($number:ty) of $(#[$edoc:meta])* $each:ident {
        $($(#[$vdoc:meta])* $name:ident = $bit:literal, $text:literal;)*
    }) => {
        $(#[$edoc])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum $each {
            $($(#[$vdoc])* $name,)*
        }

        impl $each {
            /// All of them, in the order of their bits.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Their names, in the same order.
            pub const NAMES: &'static [&'static str] = &[$($text,)*];

            /// Its name, for texts and programs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The one with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$name),)* _ => None }
            }

            const fn bit(self) -> $number {
                match self { $(Self::$name => 1 << $bit,)* }
            }
        }

        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $set($number);

        impl $set {
            /// All of them.
            pub const ALL: Self = Self($((1 << $bit) | )* 0);

            /// The set of these bits; none where one of them means nothing.
            #[must_use]
            pub const fn from_bits(bits: $number) -> Option<Self> {
                if bits & !Self::ALL.0 == 0 { Some(Self(bits)) } else { None }
            }

            /// Its bits.
            #[must_use]
            pub const fn bits(self) -> $number {
                self.0
            }

            /// Whether one is in it.
            #[must_use]
            pub const fn has(self, one: $each) -> bool {
                self.0 & one.bit() != 0
            }

            /// The same with one more.
            #[must_use]
            pub const fn with(self, one: $each) -> Self {
                Self(self.0 | one.bit())
            }

            /// Whether something is in both.
            #[must_use]
            pub const fn meets(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }

            /// What is in one of both.
            #[must_use]
            pub const fn or(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// Those that are in it.
            pub fn each(self) -> impl Iterator<Item = $each> {
                $each::ALL.iter().copied().filter(move |one| self.has(*one))
            }

            /// Their names.
            #[must_use]
            pub fn names(self) -> Vec<&'static str> {
                self.each().map($each::name).collect()
            }
        }

        impl FromIterator<$each> for $set {
            fn from_iter<I: IntoIterator<Item = $each>>(each: I) -> Self {
                each.into_iter().fold(Self::default(), Self::with)
            }
        }
    };
}

sets! {
    /// Whom somebody sees, beside themselves: whoever is in one of these. The empty set sees nobody.
    Reach(u8) of
    /// A circle of people whom somebody sees.
    Circle {
        /// Everybody.
        Everybody = 0, "all";
        /// Whoever holds a grant in a workspace in which the viewer holds one.
        Workspace = 1, "workspace";
        /// Whoever is in a group in which the viewer is, straight or through others.
        Group = 2, "group";
        /// Whom the viewer has made, and whom those have made.
        Created = 3, "created";
    }
}

sets! {
    /// What is shown of whoever is seen. Public id and kind are shown always.
    Details(u16) of
    /// A fact of somebody that is shown or not.
    Detail {
        /// Addresses of electronic mail.
        Email = 0, "email";
        /// Numbers of phones.
        Phone = 1, "phone";
        /// User names.
        Username = 2, "username";
        /// All attributes, declared or not.
        Attributes = 3, "attributes";
        /// Whether they are suspended, have a password, and how often signing in failed.
        Status = 4, "status";
        /// Who made them.
        Creator = 5, "creator";
        /// Their live sessions.
        Sessions = 6, "sessions";
        /// Their devices.
        Devices = 7, "devices";
        /// Their API keys.
        Keys = 8, "keys";
        /// Their roles: what they hold, where and until when, and why they may do something.
        Grants = 9, "grants";
        /// Their memberships in groups.
        Groups = 10, "groups";
        /// Their requests for roles.
        Requests = 11, "requests";
    }
}

impl Detail {
    /// What shows an identifier of a kind.
    #[must_use]
    pub const fn of_identifier(kind: IdentifierKind) -> Self {
        match kind {
            IdentifierKind::Email => Self::Email,
            IdentifierKind::Phone => Self::Phone,
            IdentifierKind::Username => Self::Username,
        }
    }
}

/// Whom holders of a role see, as it is ordered.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct VisibilityRule {
    /// Whose rule it is; none for everybody who has no role that a rule names.
    pub role: Option<Name>,
    /// Whom they see.
    pub reach: Reach,
    /// What of them.
    pub details: Details,
    /// Attributes that are shown by name; all are by [`Detail::Attributes`].
    pub attributes: Vec<Name>,
}

/// All rules of a tenant, as they are ordered; none for no limits but permissions.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct VisibilityDraft {
    /// The rules.
    pub rules: Vec<VisibilityRule>,
    /// The version of the present ones, when it must be this one; 0 for none.
    pub expected: Option<u32>,
}

/// Whom holders of a role see.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SightRecord {
    /// The role; 0 for everybody who has no role that a rule names.
    pub role: RoleId,
    /// Whom they see.
    pub reach: Reach,
    /// What of them.
    pub details: Details,
    /// Attributes that are shown by name, in their order.
    pub attributes: Vec<Name>,
}

/// All rules of a tenant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VisibilityRecord {
    /// How often they were set.
    pub version: u32,
    /// The rules, in the order of their roles. Where there are none, permissions alone limit who is seen.
    pub rules: Vec<SightRecord>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: names and bits are one to one, and a bit that means nothing is no set.
    #[test]
    fn sets_are_their_names_and_bits() {
        for circle in Circle::ALL {
            assert_eq!(Circle::from_name(circle.name()), Some(*circle));
        }
        for bits in 0..=u16::MAX {
            match Details::from_bits(bits) {
                None => assert_ne!(bits & !Details::ALL.bits(), 0),
                Some(details) => {
                    assert_eq!(details.bits(), bits);
                    let read = details.names().into_iter().filter_map(Detail::from_name);
                    assert_eq!(read.collect::<Details>(), details);
                }
            }
        }
        assert_eq!(Detail::NAMES.len(), Detail::ALL.len());
        assert_eq!(Reach::default().names(), Vec::<&str>::new());
        assert!(Reach::from_bits(16).is_none() && Reach::ALL.has(Circle::Created));
    }
}
