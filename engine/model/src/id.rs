//! Identifiers: one type per kind, never a bare integer.
//!
//! Outside the engine, subjects, workspaces and sessions are named by 16-byte public ids (UUIDv7
//! form, RFC 9562 section 5.7); inside by dense `u32` indexes that are never used again.

use crate::limits::ENGINE_PERMISSIONS_MAX;
use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

number! {
    /// A cell: one node with its embedded store. 0 is a node that belongs to no fleet.
    CellId(u16)
}
number! {
    /// Unit of ownership in a cluster, 0..4,096. At birth `tenant mod 4,096`.
    Slot(u32)
}
number! {
    /// Position of a session or key in its tenant's table. The high 8 bits are the tenant's part (0 today).
    Place(u32)
}
number! {
    /// Life number of a place. Only grows; a place whose generation would wrap is retired.
    Generation(u32)
}
number! {
    /// Dense index of a subject in its tenant. 0 names nobody; never used again.
    SubjectIndex(u32)
}
number! {
    /// Dense id of a permission's name in its tenant. 0 means "by name" in a query; never used again.
    PermissionId(u32)
}
number! {
    /// Dense id of a role in its tenant. 0 names none; never used again.
    RoleId(u32)
}
number! {
    /// Dense index of a workspace in its tenant. 0 is the tenant itself; never used again.
    WorkspaceIndex(u32)
}
number! {
    /// Dense id of a restriction (a mask of permissions) in its tenant. 0 restricts nothing.
    RestrictionId(u32)
}
number! {
    /// Dense index of a client in its tenant. 0 is the default client; never used again.
    ClientIndex(u32)
}
number! {
    /// Dense id of a group within its tenant, never used again. 0 names none.
    GroupId(u32)
}
number! {
    /// Number of a service within its tenant. 0 names none.
    ServiceIndex(u32)
}
number! {
    /// Dense id of an interned grant set in a published root. 0 is the empty set.
    SetId(u32)
}

impl RestrictionId {
    /// What tells a ceiling from the number of a record. Records end below it.
    const CEILING: u32 = 1 << 31;

    /// The restriction of a session whose opener vouched for its subject: all of the engine's own permissions
    /// but `held` are cut, those of applications are not. It needs no record: the number says it all.
    #[must_use]
    pub fn ceiling(held: impl Iterator<Item = PermissionId>) -> Self {
        let bit = |id: PermissionId| if id.0 <= ENGINE_PERMISSIONS_MAX { 1 << id.0 } else { 0 };
        Self(held.fold(Self::CEILING, |all, id| all | bit(id)))
    }

    /// Of a ceiling the permissions 0 to 63 that it lets through, bit by bit; those above all pass.
    #[must_use]
    pub const fn lets_through(self) -> Option<u64> {
        if self.0 & Self::CEILING == 0 {
            return None;
        }
        let engine = (1 << (ENGINE_PERMISSIONS_MAX + 1)) - 1;
        Some(!engine | (self.0 as u64 & engine))
    }
}

/// A tenant: birth cell u16 ‖ the directory's counter u48. Unique in a fleet, never used again.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TenantId(pub u64);

impl TenantId {
    /// Tenant 0, `system`: its nouns include tenants and operators.
    pub const SYSTEM: Self = Self(0);

    /// Puts an id together from the cell of birth and the directory's counter (low 48 bits used).
    #[must_use]
    pub const fn new(cell: CellId, counter: u64) -> Self {
        Self(((cell.0 as u64) << 48) | (counter & 0xFFFF_FFFF_FFFF))
    }

    /// The cell of its birth, the high 16 bits.
    #[must_use]
    pub const fn cell(self) -> CellId {
        CellId((self.0 >> 48) as u16)
    }

    /// The directory's counter, the low 48 bits.
    #[must_use]
    pub const fn counter(self) -> u64 {
        self.0 & 0xFFFF_FFFF_FFFF
    }

    /// The slot that a tenant is born in: `tenant mod 4,096`.
    #[must_use]
    pub const fn slot_at_birth(self) -> Slot {
        Slot((self.0 & 0xFFF) as u32)
    }

    /// Reads the printed form, 16 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 16 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        u64::from_str_radix(text, 16).ok().map(Self)
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What the world calls a subject, workspace, session or key: 16 bytes in UUIDv7 form,
/// or in UUIDv8 form for subjects of a bulk load.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PublicId(pub [u8; 16]);

impl PublicId {
    /// A UUIDv7 from a time in milliseconds and ten bytes of entropy (of which 74 bits are used).
    /// SPEC: RFC 9562 section 5.7.
    #[must_use]
    pub fn new(unix_ms: u64, entropy: [u8; 10]) -> Self {
        let [_, _, t0, t1, t2, t3, t4, t5] = unix_ms.to_be_bytes();
        let [e0, e1, e2, e3, e4, e5, e6, e7, e8, e9] = entropy;
        Self([t0, t1, t2, t3, t4, t5, (e0 & 0x0F) | 0x70, e1, (e2 & 0x3F) | 0x80, e3, e4, e5, e6, e7, e8, e9])
    }

    /// A UUIDv8 from 16 bytes of a digest, of which 122 bits are used: the id of a subject that a bulk load
    /// made. SPEC: RFC 9562 section 5.8.
    #[must_use]
    pub const fn of_digest(digest: [u8; 16]) -> Self {
        let [d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, da, db, dc, dd, de, df] = digest;
        Self([d0, d1, d2, d3, d4, d5, (d6 & 0x0F) | 0x80, d7, (d8 & 0x3F) | 0x80, d9, da, db, dc, dd, de, df])
    }

    /// The public id of a session or key: UUIDv7 form whose free bits hold place and generation, so
    /// that no index from public id to place is needed. `opened` is in whole seconds. Byte 7 is the
    /// part, bytes 9 to 11 the place in it, bytes 12 to 15 the generation.
    #[must_use]
    pub fn of_place(opened: crate::Deadline, place: Place, generation: Generation) -> Self {
        let [part, p0, p1, p2] = place.0.to_be_bytes();
        let [g0, g1, g2, g3] = generation.0.to_be_bytes();
        Self::new(opened.to_millis().0, [0, part, 0, p0, p1, p2, g0, g1, g2, g3])
    }

    /// The place and generation inside an id made by [`PublicId::of_place`]. Any id has some; the
    /// caller compares the whole id with that of the place.
    #[must_use]
    pub const fn place(self) -> (Place, Generation) {
        let [_, _, _, _, _, _, _, part, _, p0, p1, p2, g0, g1, g2, g3] = self.0;
        (Place(u32::from_be_bytes([part, p0, p1, p2])), Generation(u32::from_be_bytes([g0, g1, g2, g3])))
    }

    /// Whether a text reads as an id: a number, or a public id. Something new is not called so, for nobody could tell which
    /// of both is meant.
    #[must_use]
    pub fn is_read_in(text: &str) -> bool {
        text.bytes().all(|byte| byte.is_ascii_digit()) || Self::parse(text).is_some()
    }

    /// Reads the usual form with hyphens, lower or upper case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 36 {
            return None;
        }
        let mut digits = [0u8; 32];
        let mut filled = digits.iter_mut();
        for (at, byte) in bytes.iter().enumerate() {
            if matches!(at, 8 | 13 | 18 | 23) {
                if *byte != b'-' {
                    return None;
                }
                continue;
            }
            *filled.next()? = u8::try_from(char::from(*byte).to_digit(16)?).ok()?;
        }
        let mut out = [0u8; 16];
        for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair.iter().fold(0, |sum, digit| (sum << 4) | digit);
        }
        Some(Self(out))
    }
}

/// Characters of an id's text (RFC 9562 section 4).
const PUBLIC_ID_CHARS: usize = 36;

impl PublicId {
    /// The text, in ASCII.
    #[must_use]
    pub fn to_ascii(&self) -> [u8; PUBLIC_ID_CHARS] {
        // Where the two digits of each byte begin.
        const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
        let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble };
        let mut text = [b'-'; PUBLIC_ID_CHARS];
        for (at, byte) in PLACES.into_iter().zip(self.0) {
            if let Some([high, low]) = text.get_mut(at..at + 2) {
                (*high, *low) = (digit(byte >> 4), digit(byte & 15));
            }
        }
        text
    }
}

impl fmt::Display for PublicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.to_ascii()).unwrap_or_default())
    }
}

/// Idempotency of a command: 16 bytes chosen by the caller, the first 6 its time in ms, big-endian
/// (a UUIDv7 serves). A repeat under the same id happens once.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CommandId(pub [u8; 16]);

impl CommandId {
    /// The time inside, in ms since the Unix epoch.
    #[must_use]
    pub const fn unix_ms(self) -> u64 {
        let [t0, t1, t2, t3, t4, t5, ..] = self.0;
        u64::from_be_bytes([0, 0, t0, t1, t2, t3, t4, t5])
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&PublicId(self.0), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Deadline;

    /// PROPERTY: a public id gives back the place and generation it was made of, and its text form
    /// reads back. METHOD: edge values of each field.
    #[test]
    fn public_ids_of_places_read_back() {
        for place in [0, 1, 0xFF, 0x00FF_FFFF, 0x0100_0000, u32::MAX] {
            for generation in [1, 0x1234_5678, u32::MAX] {
                let id = PublicId::of_place(Deadline(217_000_000), Place(place), Generation(generation));
                assert_eq!(id.place(), (Place(place), Generation(generation)));
                assert_eq!(PublicId::parse(&id.to_string()), Some(id));
                assert_eq!(id.0[6] >> 4, 7);
                assert_eq!(id.0[8] >> 6, 2);
            }
        }
        assert_eq!(PublicId::parse("not an id"), None);
        assert_eq!(PublicId::parse("0190163d-8694-739b-aea5-966c26f8ad9g"), None);
    }

    /// PROPERTY: tenant ids keep cell and counter apart and read back from text.
    #[test]
    fn tenant_ids_read_back() {
        let id = TenantId::new(CellId(3), 77);
        assert_eq!(id.counter(), 77);
        assert_eq!(TenantId::parse(&id.to_string()), Some(id));
        assert_eq!(TenantId::parse("4d"), None);
    }
}
