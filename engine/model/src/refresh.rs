//! Refresh: the second handle of a session, and the clients that sessions are opened through.
//!
//! A refresh handle's secret says by which of the tenant's refresh keys it was made and the how-manieth
//! it is; the rest is a mac. So nothing of it is stored but a position, and a successor can be made
//! again. SPEC: formats.md section 1.

use crate::handle::SECRET_BYTES;
use crate::id::ClientIndex;
use crate::limits::PLACES_MAX;
use crate::name::Name;
use crate::named::Setting;
use crate::time::Deadline;

/// LIMIT: the last index: 24 bits. Whoever holds it signs in anew: a refresh a minute lasts 31 years.
pub const REFRESH_INDEX_MAX: u32 = (1 << 24) - 1;
/// Bytes of the mac.
pub const REFRESH_MAC_BYTES: usize = 16;

/// What a refresh handle's secret holds. No `Debug`, no `==`: the mac is a secret.
#[derive(Clone, Copy)]
pub struct RefreshSecret {
    /// The number of the refresh key; 0 is none.
    pub number: u8,
    /// How many went before it in its family, 24 bits.
    pub index: u32,
    /// The mac over handle, tag, number and index.
    pub mac: [u8; REFRESH_MAC_BYTES],
}

impl RefreshSecret {
    /// Reads a secret: number u8, index u24, mac.
    #[must_use]
    pub const fn parse(secret: &[u8; SECRET_BYTES]) -> Self {
        let [number, i0, i1, i2, mac @ ..] = *secret;
        Self { number, index: u32::from_le_bytes([i0, i1, i2, 0]), mac }
    }

    /// The 20 bytes. Bits of the index beyond 24 are lost: nobody makes such an index.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; SECRET_BYTES] {
        let [i0, i1, i2, _] = self.index.to_le_bytes();
        let head = [self.number, i0, i1, i2];
        let mut out = [0; SECRET_BYTES];
        for (to, from) in out.iter_mut().zip(head.iter().chain(&self.mac)) {
            *to = *from;
        }
        out
    }
}

/// Whether a session comes with a refresh handle, and whether each use replaces it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum RefreshMode {
    /// No refresh handle.
    #[default]
    Off,
    /// One refresh handle for the whole session.
    Fixed,
    /// Each use gives a successor; a handle that was replaced ends the session when it comes again.
    Rotating,
}

impl RefreshMode {
    /// Number on disk and wire: 0 to 2.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::Fixed => 1,
            Self::Rotating => 2,
        }
    }

    /// The mode with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Off),
            1 => Some(Self::Fixed),
            2 => Some(Self::Rotating),
            _ => None,
        }
    }

    /// For people and `--json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Fixed => "fixed",
            Self::Rotating => "rotating",
        }
    }
}

/// Where a session's refresh stands: 12 bytes by place. All zero for a session of no client and without
/// a refresh handle.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RefreshRecord {
    /// The number of the key that the current handle was made by; 0 when there is none.
    pub number: u8,
    /// The current handle's index, 24 bits.
    pub index: u32,
    /// When the current handle was given (a fixed one: used last), rounded up to the whole second.
    pub rotated_at: Deadline,
    /// The client it was opened through; for a key, the client that it names. 0 is the default client.
    pub client: ClientIndex,
}

/// What a client's sessions are like. A lifetime or limit of 0 is the tenant's setting, never "for ever".
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct ClientTerms {
    /// Whether sessions come with a refresh handle.
    pub refresh: RefreshMode,
    /// Absolute lifetime of a session, 60 s to 400 days; 0 for the tenant's.
    pub session_ttl_s: u32,
    /// Idle lifetime of a session, 30 s to the absolute one; 0 for the tenant's.
    pub session_idle_s: u32,
    /// Lifetime of a refresh handle from its giving, 60 s to 400 days; 0 for the tenant's. The session's
    /// absolute end is its end, too.
    pub refresh_ttl_s: u32,
    /// Live sessions of one subject through this client, at most; 0 for no limit but the tenant's.
    pub sessions_max: u32,
    /// Over that limit: whether the oldest session ends (true) or the new one is refused (false).
    pub evict: bool,
}

/// LIMIT: absolute lifetime of a session, s: 400 days.
pub const SESSION_TTL_S_MAX: u32 = 400 * 86_400;

impl ClientTerms {
    /// The first part that is out of bounds, if any.
    #[must_use]
    pub const fn fault(&self) -> Option<Setting> {
        const fn bad(value: u32, low: u32, high: u32) -> bool {
            value != 0 && (value < low || value > high)
        }
        let longest = if self.session_ttl_s == 0 { SESSION_TTL_S_MAX } else { self.session_ttl_s };
        if bad(self.session_ttl_s, 60, SESSION_TTL_S_MAX) {
            Some(Setting::SessionTtl)
        } else if bad(self.session_idle_s, 30, longest) {
            Some(Setting::SessionIdle)
        } else if bad(self.refresh_ttl_s, 60, SESSION_TTL_S_MAX) {
            Some(Setting::RefreshTtl)
        } else if bad(self.sessions_max, 1, PLACES_MAX) {
            Some(Setting::SessionsMax)
        } else {
            None
        }
    }
}

/// A client: what sessions are opened through when the caller's key names it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientRecord {
    /// Dense index, never used again. 0 is the default client, which has no record.
    pub index: ClientIndex,
    /// Unique name.
    pub name: Name,
    /// What its sessions are like.
    pub terms: ClientTerms,
}

/// Why a session or key has ended.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum EndReason {
    /// Somebody ended it.
    #[default]
    Ordered,
    /// A refresh handle came again after it had been replaced: two hold what one was given.
    RefreshReused,
}

impl EndReason {
    /// Number on disk: 1, 2.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Ordered => 1,
            Self::RefreshReused => 2,
        }
    }

    /// The reason with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Ordered),
            2 => Some(Self::RefreshReused),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a secret's parts read back from its bytes. METHOD: edge values of each part.
    #[test]
    fn secrets_read_back() {
        for number in [0, 1, 255] {
            for index in [0, 1, 0x01_0203, REFRESH_INDEX_MAX] {
                let bytes = RefreshSecret { number, index, mac: *b"sixteen bytes of" }.to_bytes();
                let read = RefreshSecret::parse(&bytes);
                assert_eq!((read.number, read.index), (number, index));
                assert!(read.mac == *b"sixteen bytes of" && read.to_bytes() == bytes);
            }
        }
        assert_eq!(RefreshSecret { number: 7, index: 0x03_0201, mac: [0; 16] }.to_bytes()[..4], [7, 1, 2, 3]);
    }

    /// PROPERTY: 0 is allowed everywhere (it is the tenant's), a lifetime outside its bounds nowhere.
    #[test]
    fn terms_are_bounded() {
        let fine = ClientTerms::default();
        assert_eq!(fine.fault(), None);
        let faults = [
            ClientTerms { session_ttl_s: 59, ..fine },
            ClientTerms { session_ttl_s: SESSION_TTL_S_MAX + 1, ..fine },
            ClientTerms { session_idle_s: 29, ..fine },
            ClientTerms { session_ttl_s: 60, session_idle_s: 61, ..fine },
            ClientTerms { refresh_ttl_s: 1, ..fine },
            ClientTerms { sessions_max: PLACES_MAX + 1, ..fine },
        ];
        for terms in faults {
            assert!(terms.fault().is_some(), "{terms:?}");
        }
        let edge = ClientTerms { session_ttl_s: 60, session_idle_s: 60, refresh_ttl_s: 60, ..fine };
        assert_eq!(ClientTerms { sessions_max: 1, ..edge }.fault(), None);
    }
}
