//! Where a list goes on: of which list, tenant and filter, and after which row.
//!
//! A cursor is opaque to whoever holds it. The node checks that it is one of its own and belongs to the
//! list that it is sent to; a position is nothing secret, so this keeps mistakes apart, not rights.

use crate::id::{GroupId, PublicId, RoleId, TenantId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

macro_rules! lists {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// A list that goes on over pages. Numbers are append-only: they stand in cursors.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum ListKind {
            $($(#[$doc])* $name,)*
        }

        impl ListKind {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its number in a cursor.
            #[must_use]
            pub const fn number(self) -> u8 {
                match self { $(Self::$name => $number,)* }
            }

            /// The list with this number.
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }
        }
    };
}

lists! {
    /// The tenants, by id.
    Tenants = 1,
    /// The subjects, by index.
    Subjects = 2,
    /// The live sessions and keys of a subject, by place.
    Sessions = 3,
    /// The live keys, by place.
    Keys = 4,
    /// The roles, by id.
    Roles = 5,
    /// The permissions, by id.
    Permissions = 6,
    /// The workspaces, by index.
    Workspaces = 7,
    /// The clients, by index.
    Clients = 8,
    /// The grants of a subject, by role and workspace.
    Grants = 9,
    /// The holders of a role, by subject and workspace.
    Holders = 10,
    /// The stored tuples of relations, by the numbers of one life of the tenant.
    Relations = 11,
    /// The objects that a subject is related to, by name.
    RelationObjects = 12,
    /// The subjects that are related to an object, by name.
    RelationSubjects = 13,
    /// The permissions that are mapped to relations, by id and type.
    Mappings = 14,
    /// The changes of relations, by position.
    RelationChanges = 15,
    /// The services, by number.
    Services = 16,
    /// The entries of a service, or of all of them, by service and permission.
    Entries = 17,
    /// Where an entry is used, by kind, holder and place.
    EntryUses = 18,
    /// Where deprecated entries are used, by kind, holder and place.
    DeprecatedUses = 19,
    /// The groups, or those that lie in one, by id.
    Groups = 20,
    /// The subjects in a group, by index.
    Members = 21,
    /// The groups that a subject is in, by id.
    Memberships = 22,
    /// Who holds what, by holder and what it holds.
    Review = 23,
    /// The entities that policies speak about, by share, type and id.
    Entities = 25,
    /// The devices of a subject, by number.
    Devices = 60,
    /// The requests for roles, by number.
    Requests = 61,
    /// The invitations, by number.
    Invitations = 62,
    /// Who acted for a subject, by number.
    Actings = 63,
    /// The cells of the fleet, by number.
    Cells = 70,
    /// Where tenants live, by share and tenant.
    Placements = 71,
    /// The events of a tenant, by position.
    Events = 72,
    /// The copies of tenants that do not live in the cell, by tenant.
    Copies = 73,
}

/// A list and what it is narrowed to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Listed {
    /// Which list.
    pub kind: ListKind,
    /// What it is about: a subject's public id, the number of a role, service or permission, the hash of a question, or zeros for all.
    pub filter: [u8; 16],
}

impl Listed {
    /// The whole list.
    #[must_use]
    pub const fn all(kind: ListKind) -> Self {
        Self { kind, filter: [0; 16] }
    }

    /// The list about one subject; about all of them without one.
    #[must_use]
    pub fn of_subject(kind: ListKind, subject: Option<PublicId>) -> Self {
        Self { kind, filter: subject.map_or([0; 16], |id| id.0) }
    }

    /// The holders of one role.
    #[must_use]
    pub fn of_role(role: RoleId) -> Self {
        Self::of_number(ListKind::Holders, role.0)
    }

    /// The list about a group, without or with what lies in the groups in it.
    #[must_use]
    pub fn of_group(kind: ListKind, group: Option<GroupId>, nested: bool) -> Self {
        let mut listed = Self::of_number(kind, group.map_or(0, |group| group.0));
        let [_, _, _, _, deep, ..] = &mut listed.filter;
        *deep = u8::from(nested);
        listed
    }

    /// The list about what has a number in its tenant.
    #[must_use]
    pub fn of_number(kind: ListKind, number: u32) -> Self {
        let [a, b, c, d] = number.to_le_bytes();
        let mut filter = [0; 16];
        [filter[0], filter[1], filter[2], filter[3]] = [a, b, c, d];
        Self { kind, filter }
    }
}

/// A place in a list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cursor {
    /// Whose list.
    pub tenant: TenantId,
    /// Which list.
    pub listed: Listed,
    /// The last row that was seen, as the list counts.
    pub at: u64,
}

/// Bytes of a cursor that its seal covers: version, list, tenant, filter, position.
pub const CURSOR_BODY_BYTES: usize = 34;
/// Bytes of a cursor with its seal of eight bytes.
pub const CURSOR_BYTES: usize = CURSOR_BODY_BYTES + 8;

const VERSION: u8 = 1;
/// LIMIT: characters of a cursor's text: one that goes on behind the longest name of a relation has 806.
const TEXT_CHARS_MAX: usize = 1_024;

/// A cursor as text: base64url without padding (RFC 4648 section 5).
#[must_use]
pub fn to_text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of a cursor's text; none of what is no such text. Whether they are a cursor, the node says.
#[must_use]
pub fn from_text(text: &str) -> Option<Vec<u8>> {
    if text.len() > TEXT_CHARS_MAX {
        return None;
    }
    URL_SAFE_NO_PAD.decode(text).ok()
}

impl Cursor {
    /// The bytes that the seal covers.
    #[must_use]
    pub fn body(&self) -> [u8; CURSOR_BODY_BYTES] {
        let mut body = [0; CURSOR_BODY_BYTES];
        let head = [VERSION, self.listed.kind.number()];
        let parts =
            [head.as_slice(), &self.tenant.0.to_le_bytes(), &self.listed.filter, &self.at.to_le_bytes()];
        for (byte, from) in body.iter_mut().zip(parts.into_iter().flatten()) {
            *byte = *from;
        }
        body
    }

    /// Reads the bytes that the seal covers.
    #[must_use]
    pub fn read(body: &[u8; CURSOR_BODY_BYTES]) -> Option<Self> {
        let (head, rest) = body.split_first_chunk::<2>()?;
        let (tenant, rest) = rest.split_first_chunk::<8>()?;
        let (filter, at) = rest.split_first_chunk::<16>()?;
        let [version, kind] = *head;
        let kind = ListKind::from_number(kind).filter(|_| version == VERSION)?;
        let at = u64::from_le_bytes(at.try_into().ok()?);
        let listed = Listed { kind, filter: *filter };
        Some(Self { tenant: TenantId(u64::from_le_bytes(*tenant)), listed, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: texts read back, whatever the bytes; other characters, padding and great lengths are none.
    #[test]
    fn texts_read_back() {
        for bytes in [&[][..], &[0], &[255; 42], &(0..=95).collect::<Vec<u8>>()] {
            assert_eq!(from_text(&to_text(bytes)).as_deref(), Some(bytes));
        }
        for bad in ["a", "ab=", "a b", "a+b/", "\u{e9}a", &"A".repeat(1_028)] {
            assert_eq!(from_text(bad), None, "{bad}");
        }
    }

    /// PROPERTY: cursors of every list read back from their bytes, and no two have the same bytes; another
    /// version or list is none.
    #[test]
    fn cursors_read_back() {
        let mut seen = std::collections::BTreeSet::new();
        for kind in ListKind::ALL {
            let about = [None, Some(PublicId([7; 16]))].map(|subject| Listed::of_subject(*kind, subject));
            for listed in about.into_iter().chain([Listed::of_role(RoleId(7))]) {
                for (tenant, at) in [(0, 0), (1, 0), (0, 1), (u64::MAX, u64::MAX)] {
                    let cursor = Cursor { tenant: TenantId(tenant), listed, at };
                    assert_eq!(Cursor::read(&cursor.body()), Some(cursor));
                    seen.insert(cursor.body());
                }
            }
        }
        assert_eq!(seen.len(), ListKind::ALL.len() * 2 * 4 + 4);
        let body = Cursor { tenant: TenantId(1), listed: Listed::all(ListKind::Keys), at: 1 }.body();
        for (byte, value) in [(0, 2), (1, 0), (1, 99)] {
            let mut bad = body;
            bad[byte] = value;
            assert_eq!(Cursor::read(&bad), None);
        }
    }
}
