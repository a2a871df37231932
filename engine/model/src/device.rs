//! Devices: what people sign in on, each bound to a key, with a trust level that its sessions cannot outgrow.

use crate::id::{PublicId, RestrictionId, SubjectIndex};
use crate::name::Name;
use crate::time::Deadline;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;

/// How far a tenant trusts a device. Sessions on it may use no more than the ceiling of its level.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Trust {
    /// Nobody has looked at it: whatever a person registered.
    #[default]
    Unverified,
    /// Somebody has said that it is the subject's.
    Known,
    /// The organisation looks after it.
    Managed,
    /// Managed, and its key lies in hardware that does not give it out.
    Hardened,
}

impl Trust {
    /// All levels, the lowest first.
    pub const ALL: [Self; 4] = [Self::Unverified, Self::Known, Self::Managed, Self::Hardened];

    /// Number on disk and wire: 0 to 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Unverified => 0,
            Self::Known => 1,
            Self::Managed => 2,
            Self::Hardened => 3,
        }
    }

    /// The level with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Unverified),
            1 => Some(Self::Known),
            2 => Some(Self::Managed),
            3 => Some(Self::Hardened),
            _ => None,
        }
    }

    /// For people, HTTP and `--json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unverified => "unverified",
            Self::Known => "known",
            Self::Managed => "managed",
            Self::Hardened => "hardened",
        }
    }

    /// The names of all levels, the lowest first.
    pub const NAMES: [&'static str; 4] = ["unverified", "known", "managed", "hardened"];

    /// The level with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// The thumbprint of a device's public key: SHA-256 over the key's required members.
/// SPEC: RFC 7638 section 3.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Thumbprint(pub [u8; 32]);

impl Thumbprint {
    /// Reads 43 characters of base64url without padding; `None` for anything else, and for zeros.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 43 {
            return None;
        }
        let bytes: [u8; 32] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let known = Self(bytes);
        // One text for one key: the last character has bits that must be zero.
        (bytes != [0; 32] && known.to_string() == text).then_some(known)
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// A device of a subject.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeviceRecord {
    /// Whose it is.
    pub subject: SubjectIndex,
    /// Its number within the tenant; 0 names none.
    pub number: u32,
    /// Its public id.
    pub id: PublicId,
    /// What its owner calls it.
    pub name: Name,
    /// The thumbprint of its key, unique among the subject's devices that are not revoked.
    pub key: Thumbprint,
    /// How far the tenant trusts it.
    pub trust: Trust,
    /// What its sessions may use at most, beside the ceiling of its level; 0 for no ceiling of its own.
    pub ceiling: RestrictionId,
    /// When it was registered.
    pub registered: Deadline,
    /// When it was revoked; `NONE` while it may be used.
    pub revoked: Deadline,
}

impl DeviceRecord {
    /// Whether sessions may be opened and used on it.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.revoked == Deadline::NONE
    }
}

/// What a tenant asks of devices.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DevicePolicyRecord {
    /// Whether a session of a person opens on a device only.
    pub required: bool,
    /// What sessions on a device of each level may use at most; 0 for no ceiling.
    pub ceilings: [RestrictionId; 4],
}

impl DevicePolicyRecord {
    /// The ceiling of a level.
    #[must_use]
    pub const fn ceiling(&self, trust: Trust) -> RestrictionId {
        let [unverified, known, managed, hardened] = self.ceilings;
        match trust {
            Trust::Unverified => unverified,
            Trust::Known => known,
            Trust::Managed => managed,
            Trust::Hardened => hardened,
        }
    }

    /// The same with another ceiling of a level.
    #[must_use]
    pub const fn with(mut self, trust: Trust, ceiling: RestrictionId) -> Self {
        let [unverified, known, managed, hardened] = &mut self.ceilings;
        match trust {
            Trust::Unverified => *unverified = ceiling,
            Trust::Known => *known = ceiling,
            Trust::Managed => *managed = ceiling,
            Trust::Hardened => *hardened = ceiling,
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a thumbprint has one text, that of RFC 7638 section 3.1 among them; nothing else reads.
    #[test]
    fn thumbprints_have_one_text() {
        let text = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
        assert_eq!(Thumbprint::parse(text).expect("the RFC's").to_string(), text);
        let zeros = Thumbprint([0; 32]).to_string();
        for bad in
            ["", "NzbLs", &format!("{text}="), &text.replace("Xs", "Xt"), &text.replace('-', "+"), &zeros]
        {
            assert_eq!(Thumbprint::parse(bad), None, "{bad}");
        }
    }

    /// PROPERTY: levels read back from numbers and names, and each has a ceiling of its own.
    #[test]
    fn levels_are_one_to_one() {
        for (at, level) in Trust::ALL.into_iter().enumerate() {
            assert_eq!(Trust::from_number(level.number()), Some(level));
            assert_eq!(Trust::from_name(Trust::NAMES[at]), Some(level));
            let policy = DevicePolicyRecord::default().with(level, RestrictionId(7));
            for other in Trust::ALL {
                assert_eq!(policy.ceiling(other).0, if other == level { 7 } else { 0 });
            }
        }
        assert_eq!(Trust::from_number(4), None);
    }
}
