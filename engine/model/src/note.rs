//! Notes on grants and memberships: since when they stand, and by whom. Cold: no check asks for them.

use crate::event::{Row, RowKind};
use crate::id::{GroupId, PublicId, RoleId, SubjectIndex, WorkspaceIndex};
use crate::private::Private;
use crate::time::Deadline;

/// Who made something, as far as it is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum By {
    /// A subject of the tenant.
    Subject(PublicId),
    /// An operator.
    Operator,
    /// The node itself.
    Node,
}

impl By {
    /// For people and programs: the public id, `operator` or `node`.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Subject(id) => id.to_string(),
            Self::Operator => "operator".to_owned(),
            Self::Node => "node".to_owned(),
        }
    }
}

/// When something was made or changed, and by whom.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Note {
    /// When.
    pub at: Deadline,
    /// By whom.
    pub by: By,
    /// The request that it was made for.
    pub request: Option<PublicId>,
}

/// What a note is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum About {
    /// A grant to a subject.
    Grant(SubjectIndex, RoleId, WorkspaceIndex),
    /// A membership.
    Member(SubjectIndex, GroupId),
    /// A grant to a group.
    GroupGrant(GroupId, RoleId, WorkspaceIndex),
}

const GRANT: u8 = b'g';
const MEMBER: u8 = b'm';
const CHANGED: u8 = b'r';

impl About {
    const fn kind(self) -> RowKind {
        match self {
            Self::Grant(..) | Self::Member(..) => RowKind::Granted,
            Self::GroupGrant(..) => RowKind::GroupGranted,
        }
    }

    /// The key of the note on how it was made, or of the one on its last change.
    #[must_use]
    pub fn key(self, changed: bool) -> Vec<u8> {
        let numbers = |key: &mut Vec<u8>, numbers: &[u32]| {
            numbers.iter().for_each(|number| key.extend_from_slice(&number.to_be_bytes()));
        };
        let mut key = match self {
            Self::Grant(subject, role, workspace) => {
                let mut key = Row::subject_key(subject, &[GRANT]);
                numbers(&mut key, &[role.0, workspace.0]);
                key
            }
            Self::Member(subject, group) => {
                let mut key = Row::subject_key(subject, &[MEMBER]);
                numbers(&mut key, &[group.0]);
                key
            }
            Self::GroupGrant(group, role, workspace) => {
                let mut key = Row::subject_key(SubjectIndex(group.0), &[]);
                numbers(&mut key, &[role.0, workspace.0]);
                key
            }
        };
        key.extend(changed.then_some(CHANGED));
        key
    }

    /// The row that notes it: how it was made, or its last change when it stood before.
    #[must_use]
    pub fn row(self, note: Note, stood: bool) -> Row {
        Row { kind: self.kind(), key: self.key(stood), value: Some(note.value()) }
    }

    /// The removal of both notes.
    #[must_use]
    pub fn gone(self) -> [Row; 2] {
        [false, true].map(|changed| Row { kind: self.kind(), key: self.key(changed), value: None })
    }
}

impl Note {
    fn value(self) -> Private {
        let mut bytes = self.at.0.to_be_bytes().to_vec();
        match self.by {
            By::Subject(id) => {
                bytes.push(1);
                bytes.extend_from_slice(&id.0);
            }
            By::Operator => bytes.push(2),
            By::Node => bytes.push(4),
        }
        // Whoever made it has 16 bytes or none: what is behind is the request.
        bytes.extend(self.request.iter().flat_map(|request| request.0));
        Private::new(bytes)
    }

    /// Reads a row's value.
    #[must_use]
    pub fn read(value: &Private) -> Option<Self> {
        let (at, rest) = value.expose().split_first_chunk::<4>()?;
        let (by, rest) = match rest.split_first()? {
            (1, rest) => {
                let (id, rest) = rest.split_first_chunk()?;
                (By::Subject(PublicId(*id)), rest)
            }
            (2, rest) => (By::Operator, rest),
            (4, rest) => (By::Node, rest),
            _ => return None,
        };
        let request = if rest.is_empty() { None } else { Some(PublicId(rest.try_into().ok()?)) };
        Some(Self { at: Deadline(u32::from_be_bytes(*at)), by, request })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: notes read back; keys of different things differ, and begin with whose they are.
    #[test]
    fn notes_read_back() {
        for by in [By::Subject(PublicId([7; 16])), By::Operator, By::Node] {
            for request in [None, Some(PublicId([9; 16]))] {
                let note = Note { at: Deadline(186_000_000), by, request };
                assert_eq!(Note::read(&note.value()), Some(note));
            }
        }
        assert_eq!(Note::read(&Private::new(vec![0; 5])), None);
        let (subject, group, role, place) = (SubjectIndex(3), GroupId(3), RoleId(1), WorkspaceIndex(2));
        let about = [About::Grant(subject, role, place), About::Member(subject, group)];
        let mut keys: Vec<_> = about.iter().flat_map(|one| [one.key(false), one.key(true)]).collect();
        keys.push(About::Grant(subject, RoleId(2), place).key(false));
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count);
        assert!(keys.iter().all(|key| key.starts_with(&3_u32.to_be_bytes())));
    }
}
