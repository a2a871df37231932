//! Bulk load: rows of subjects as they come from a file, and what became of each.
//!
//! A row is known by its content: the same row, loaded again, is the same subject. So a load that was
//! cut off anywhere is simply run again.

use crate::command::CommandKind;
use crate::id::PublicId;
use crate::identifier::Identifier;
use crate::name::Name;
use crate::private::Private;
use crate::record::{AttributeValue, SubjectKind};
use crate::refusal::Refusal;
use crate::time::Deadline;

/// A grant of a row.
#[derive(Clone, Hash)]
pub struct LoadGrant {
    /// Which role.
    pub role: Name,
    /// Where; `None` for the whole tenant.
    pub workspace: Option<Name>,
    /// First instant; `NONE` for no beginning.
    pub from: Deadline,
    /// First instant after; `NONE` for no end.
    pub until: Deadline,
}

/// One subject of a bulk load, with all that comes with it.
#[derive(Clone, Hash)]
pub struct LoadRow {
    /// Person or machine.
    pub kind: SubjectKind,
    /// Whether it is suspended from the beginning.
    pub suspended: bool,
    /// What it signs in with; at most 16.
    pub identifiers: Vec<Identifier>,
    /// PHC string of its password's hash (Argon2id); empty for none.
    pub password: Private,
    /// Its attributes: declared ones by their kind, undeclared ones as texts; at most 64.
    pub values: Vec<(Name, AttributeValue)>,
    /// Its grants; at most 256.
    pub grants: Vec<LoadGrant>,
    /// Tells rows of equal content apart; of a row with identifiers 0, for these cannot be taken twice.
    pub serial: u64,
}

impl LoadRow {
    /// All that it says, without two rows that say different things alike: what its id is derived from.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let mut part = |bytes: &[u8]| {
            out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            out.extend_from_slice(bytes);
        };
        let kind = match self.kind {
            SubjectKind::Person => 1,
            SubjectKind::Machine => 2,
        };
        part(&[kind, u8::from(self.suspended)]);
        part(&self.serial.to_le_bytes());
        part(self.password.expose());
        part(&(self.identifiers.len() as u64).to_le_bytes());
        for identifier in &self.identifiers {
            part(&[identifier.kind().number()]);
            part(identifier.normal().as_bytes());
        }
        part(&(self.values.len() as u64).to_le_bytes());
        for (name, value) in &self.values {
            part(name.as_str().as_bytes());
            match value {
                AttributeValue::Bool(flag) => part(&[1, u8::from(*flag)]),
                AttributeValue::Integer(integer) => part(&integer.to_le_bytes()),
                AttributeValue::Text(text) => {
                    part(&[3]);
                    part(text.as_bytes());
                }
            }
        }
        for grant in &self.grants {
            part(grant.role.as_str().as_bytes());
            part(grant.workspace.as_ref().map_or(&[][..], |name| name.as_str().as_bytes()));
            part(&[grant.from.0.to_le_bytes(), grant.until.0.to_le_bytes()].concat());
        }
        out
    }
}

/// A row on its way to be decided: with what the caller's task derived from it under the tenant's key.
#[derive(Clone, Hash)]
pub struct KeyedRow {
    /// The subject's public id, derived from all that the row says.
    pub id: PublicId,
    /// The keyed hash of each identifier.
    pub hashes: Vec<[u8; 16]>,
    /// The row.
    pub row: LoadRow,
}

/// A part of a row, for what is wrong with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LoadField {
    /// The row as a whole.
    Row,
    /// An identifier.
    Identifier,
    /// The password's hash.
    Password,
    /// An attribute.
    Attribute,
    /// A grant.
    Grant,
}

impl LoadField {
    /// Number on the wire: 0 to 4.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Row => 0,
            Self::Identifier => 1,
            Self::Password => 2,
            Self::Attribute => 3,
            Self::Grant => 4,
        }
    }

    /// The part with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Row),
            1 => Some(Self::Identifier),
            2 => Some(Self::Password),
            3 => Some(Self::Attribute),
            4 => Some(Self::Grant),
            _ => None,
        }
    }
}

/// A row that was turned down; nothing of it happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rejected {
    /// Which of the command's rows, from 0.
    pub row: u32,
    /// Which part of it.
    pub field: LoadField,
    /// Which of its parts of that kind, from 0.
    pub nth: u16,
    /// Why.
    pub refusal: Refusal,
}

/// What became of the rows of one command.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Loaded {
    /// Subjects that were made, or would be by a trial.
    pub made: u32,
    /// Rows whose subject was there from an earlier time.
    pub known: u32,
    /// Rows that were turned down, in their order.
    pub rejected: Vec<Rejected>,
}

impl CommandKind {
    /// Whether it is a piece of long work that waits behind all others: a queue of its own, one per batch.
    #[must_use]
    pub const fn is_bulk(self) -> bool {
        matches!(self, Self::LoadSubjects)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> LoadRow {
        LoadRow {
            kind: SubjectKind::Person,
            suspended: false,
            identifiers: vec![Identifier::guess("amy@example.org").expect("an email")],
            password: Private::default(),
            values: Vec::new(),
            grants: Vec::new(),
            serial: 0,
        }
    }

    /// PROPERTY: rows that say different things have different contents; spelling an identifier another way
    /// says the same. METHOD: each part changed alone, and parts that run into each other.
    /// TC-8.
    #[test]
    fn contents_tell_rows_apart() {
        let name = |text: &str| Name::new(text).expect("a name");
        let text = |text: &str| AttributeValue::Text(text.into());
        let grant = |role: &str, workspace: Option<&str>| LoadGrant {
            role: name(role),
            workspace: workspace.map(name),
            from: Deadline::NONE,
            until: Deadline::NONE,
        };
        let rows = [
            row(),
            LoadRow { kind: SubjectKind::Machine, ..row() },
            LoadRow { suspended: true, ..row() },
            LoadRow { serial: 1, ..row() },
            LoadRow { password: Private::new(b"x".to_vec()), ..row() },
            LoadRow { identifiers: Vec::new(), ..row() },
            LoadRow { values: vec![(name("a"), text("b"))], ..row() },
            LoadRow { values: vec![(name("a"), text("b")), (name("c"), text("d"))], ..row() },
            LoadRow { values: vec![(name("ab"), text(""))], ..row() },
            LoadRow { values: vec![(name("a"), AttributeValue::Integer(1))], ..row() },
            LoadRow { values: vec![(name("a"), AttributeValue::Bool(true))], ..row() },
            LoadRow { grants: vec![grant("a", None)], ..row() },
            LoadRow { grants: vec![grant("a", Some("b"))], ..row() },
            LoadRow { grants: vec![LoadGrant { until: Deadline(7), ..grant("a", None) }], ..row() },
            LoadRow { grants: vec![LoadGrant { from: Deadline(7), ..grant("a", None) }], ..row() },
        ];
        for (at, one) in rows.iter().enumerate() {
            for (other_at, other) in rows.iter().enumerate() {
                assert_eq!(one.content() == other.content(), at == other_at, "{at} {other_at}");
            }
        }
        let again = LoadRow { identifiers: vec![Identifier::guess("AMY@Example.org").expect("it")], ..row() };
        assert_eq!(again.content(), row().content());
    }
}
