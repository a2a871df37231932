//! Names of types and relations as small numbers, for the whole life of a tenant: never used again.

use crate::error::{ModelError, ModelReason};
use crate::model::{Model, Position, RestrictionKind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// LIMIT: relation names of a tenant, over all time: 14 bits of an edge.
const RELATIONS_MAX: usize = (1 << 14) - 1;
/// LIMIT: type names of a tenant, over all time.
const TYPES_MAX: usize = u16::MAX as usize;

/// A type's number.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct TypeId(pub(crate) u16);

/// A relation name's number; one name has one number in all types. 0 is none.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct RelationId(pub(crate) u16);

impl RelationId {
    /// No relation: an object itself.
    pub(crate) const NONE: Self = Self(0);
}

#[derive(Clone, Default)]
struct Table {
    ids: BTreeMap<Arc<str>, u16>,
    names: Vec<Arc<str>>,
}

impl Table {
    fn intern(&mut self, name: &str, limit: usize) -> Option<u16> {
        if let Some(id) = self.ids.get(name) {
            return Some(*id);
        }
        if self.names.len() >= limit {
            return None;
        }
        let name: Arc<str> = Arc::from(name);
        let id = u16::try_from(self.names.len()).ok()?;
        self.names.push(Arc::clone(&name));
        self.ids.insert(name, id);
        Some(id)
    }
}

/// Every name of a type or relation that any schema of this tenant ever used.
#[derive(Clone, Default)]
pub(crate) struct Words {
    types: Table,
    relations: Table,
}

impl Words {
    pub(crate) fn type_id(&self, name: &str) -> Option<TypeId> {
        self.types.ids.get(name).map(|id| TypeId(*id))
    }

    pub(crate) fn relation_id(&self, name: &str) -> Option<RelationId> {
        self.relations.ids.get(name).map(|id| RelationId(id.saturating_add(1)))
    }

    pub(crate) fn type_name(&self, id: TypeId) -> &str {
        self.types.names.get(usize::from(id.0)).map_or("", |name| name)
    }

    pub(crate) fn relation_name(&self, id: RelationId) -> &str {
        let at = usize::from(id.0).checked_sub(1);
        at.and_then(|at| self.relations.names.get(at)).map_or("", |name| name)
    }

    /// The names of types, in the order of their numbers.
    pub(crate) fn type_names(&self) -> impl Iterator<Item = &str> {
        self.types.names.iter().map(|name| &**name)
    }

    /// How many types have a number.
    pub(crate) fn types(&self) -> usize {
        self.types.names.len()
    }

    pub(crate) fn intern_type(&mut self, name: &str) -> Option<TypeId> {
        self.types.intern(name, TYPES_MAX).map(TypeId)
    }

    pub(crate) fn intern_relation(&mut self, name: &str) -> Option<RelationId> {
        self.relations.intern(name, RELATIONS_MAX).map(|id| RelationId(id.saturating_add(1)))
    }

    /// Gives a number to every name of `model`.
    pub(crate) fn take(&mut self, model: &Model) -> Result<(), ModelError> {
        let full = |at: Position| ModelError::new(at, ModelReason::TooMany);
        for one in &model.types {
            self.intern_type(&one.name).ok_or_else(|| full(one.at))?;
            for relation in &one.relations {
                self.intern_relation(&relation.name).ok_or_else(|| full(relation.at))?;
                for restriction in &relation.direct {
                    self.intern_type(&restriction.type_name).ok_or_else(|| full(restriction.at))?;
                    if let RestrictionKind::Userset(name) = &restriction.kind {
                        self.intern_relation(name).ok_or_else(|| full(restriction.at))?;
                    }
                }
            }
        }
        Ok(())
    }
}
