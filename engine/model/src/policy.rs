//! Policies as commands and events carry them: texts, what they were compiled to, and entities.

use crate::limits::{ENTITY_ID_BYTES_MAX, ENTITY_TYPE_BYTES_MAX};
use crate::time::Deadline;
use std::hash::{Hash, Hasher};

/// The policies of a tenant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyRecord {
    /// Counts the sets of policies of a tenant, from 1.
    pub version: u32,
    /// The schema's text; `None` for the built-in one.
    pub schema: Option<Box<str>>,
    /// The policies' text.
    pub text: Box<str>,
    /// What both were compiled to (docs/file.md).
    pub program: Box<[u8]>,
    /// Whether a forbid that fails is left out, as Cedar does, and does not deny.
    pub lenient: bool,
    /// When they were set.
    pub at: Deadline,
}

impl PolicyRecord {
    /// Bytes of its texts and its program.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.text.len() + self.schema.as_ref().map_or(0, |schema| schema.len()) + self.program.len()
    }
}

/// Texts of policies and what they were compiled to before they are decided about.
#[derive(Clone)]
pub struct PolicyDraft {
    /// The schema's text; `None` for the built-in one.
    pub schema: Option<Box<str>>,
    /// The policies' text.
    pub text: Box<str>,
    /// What both were compiled to.
    pub program: Box<[u8]>,
    /// Whether a forbid that fails is left out.
    pub lenient: bool,
    /// The version of the present set, when it must be this one; 0 for none at all.
    pub expected: Option<u32>,
}

impl Hash for PolicyDraft {
    /// What was compiled follows from the texts, and what is expected from what was read on the way: a repeat of the
    /// command is one all the same.
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.schema, &self.text, self.lenient).hash(state);
    }
}

/// The type and id of an entity.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EntityName {
    /// Its type.
    pub kind: Box<str>,
    /// Its id within its type.
    pub id: Box<str>,
}

impl EntityName {
    /// A name, when type and id are within their bounds.
    #[must_use]
    pub fn new(kind: &str, id: &str) -> Option<Self> {
        let fits = (1..=ENTITY_TYPE_BYTES_MAX).contains(&kind.len()) && id.len() <= ENTITY_ID_BYTES_MAX;
        fits.then(|| Self { kind: kind.into(), id: id.into() })
    }
}

/// An entity that policies speak about.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct EntityRecord {
    /// Its type and id.
    pub name: EntityName,
    /// Its attributes, tags and parents, as bytes (docs/file.md).
    pub fact: Box<[u8]>,
}

/// One change of a command; they are looked at in their order, and all happen or none.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum EntityChange {
    /// It is this from now on.
    Put(EntityRecord),
    /// It is gone.
    Remove(EntityName),
}

impl EntityChange {
    /// Which entity.
    #[must_use]
    pub const fn name(&self) -> &EntityName {
        match self {
            Self::Put(record) => &record.name,
            Self::Remove(name) => name,
        }
    }
}

/// The types of what a tenant has of its own, which nobody stores: they stand in every schema.
pub const OWN_TYPES: [&str; 5] = ["User", "Group", "Role", "Workspace", "Tenant"];
/// What a node says itself in every context whose action has a place for it.
pub const GIVEN: [&str; 8] =
    ["now", "ip", "opened", "key", "workspace", "acr", "authenticated_at", "device_trust"];
