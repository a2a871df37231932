//! Names of types and relations as small numbers, for the whole life of a tenant: never used again.

use crate::error::{ModelError, ModelReason};
use crate::model::{Model, Position, RestrictionKind};
use crate::objects::{hash, word};
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

/// Places that a name may stand in, from the one on that its hash leads to. WHY: names that are made to share a
/// place cost no more than a search among all names. So many names are compared one by one.
const PLACES: usize = 8;

#[derive(Clone)]
struct Table {
    names: Vec<Arc<str>>,
    /// Of the first names: how each begins, and its length, so that most are told apart without a look at the text.
    heads: [(u64, usize); PLACES],
    /// Number and one of the name whose hash leads here, 0 for none. At least twice as long as it must be.
    places: Vec<u16>,
    /// All names, for those whose places were taken.
    ids: BTreeMap<Arc<str>, u16>,
}

impl Default for Table {
    fn default() -> Self {
        // No name is so long.
        let heads = [(0, usize::MAX); PLACES];
        Self { names: Vec::new(), heads, places: Vec::new(), ids: BTreeMap::new() }
    }
}

/// How a name begins, and its length.
#[inline]
fn head(name: &str) -> (u64, usize) {
    (word(name.as_bytes()), name.len())
}

impl Table {
    /// The name's number.
    #[inline]
    fn find(&self, name: &str) -> Option<u16> {
        if self.names.len() <= PLACES {
            let head = head(name);
            for (id, one) in (0_u16..).zip(&self.heads) {
                if *one == head && (name.len() <= 8 || self.is(id, name)) {
                    return Some(id);
                }
            }
            return None;
        }
        for place in self.places_of(name) {
            let id = self.places.get(place).copied().unwrap_or(0).checked_sub(1)?;
            if self.is(id, name) {
                return Some(id);
            }
        }
        self.ids.get(name).copied()
    }

    #[inline]
    fn is(&self, id: u16, name: &str) -> bool {
        self.names.get(usize::from(id)).is_some_and(|one| **one == *name)
    }

    #[inline]
    fn places_of(&self, name: &str) -> impl Iterator<Item = usize> + use<> {
        let (first, mask) = (hash(0, name) as usize, self.places.len().wrapping_sub(1));
        (0..PLACES).map(move |step| first.wrapping_add(step) & mask)
    }

    fn intern(&mut self, name: &str, limit: usize) -> Option<u16> {
        if let Some(id) = self.find(name) {
            return Some(id);
        }
        if self.names.len() >= limit {
            return None;
        }
        let (id, name): (u16, Arc<str>) = (u16::try_from(self.names.len()).ok()?, Arc::from(name));
        self.heads.get_mut(self.names.len()).into_iter().for_each(|place| *place = head(&name));
        self.names.push(Arc::clone(&name));
        self.ids.insert(name, id);
        if self.names.len() * 2 > self.places.len() {
            self.places = vec![0; (self.names.len() * 4).next_power_of_two()];
            (0..=id).for_each(|id| self.put(id));
        } else {
            self.put(id);
        }
        Some(id)
    }

    /// Puts a name into its first free place, where there is one.
    fn put(&mut self, id: u16) {
        let Some(name) = self.names.get(usize::from(id)) else { return };
        let free = self.places_of(name).find(|place| self.places.get(*place) == Some(&0));
        if let Some(place) = free.and_then(|place| self.places.get_mut(place)) {
            *place = id.saturating_add(1);
        }
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
        self.types.find(name).map(TypeId)
    }

    pub(crate) fn relation_id(&self, name: &str) -> Option<RelationId> {
        self.relations.find(name).map(|id| RelationId(id.saturating_add(1)))
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

    /// How many relations have a number.
    pub(crate) fn relations(&self) -> usize {
        self.relations.names.len()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: every name has one number, counted in the order of coming, however many share a place.
    #[test]
    fn names_are_numbered_once() {
        let mut table = Table::default();
        let names: Vec<String> = (0..3_000).map(|number| format!("name-{number}")).collect();
        assert_eq!((table.find("name-0"), table.find("")), (None, None));
        for (id, name) in (0_u16..).zip(&names) {
            assert_eq!(table.find(name), None);
            assert_eq!(table.intern(name, 3_000), Some(id));
        }
        // What found no free place is found all the same.
        table.places.fill(1);
        for (id, name) in (0_u16..).zip(&names) {
            assert_eq!((table.find(name), table.intern(name, 3_000)), (Some(id), Some(id)));
        }
        assert_eq!((table.find("another"), table.intern("another", 3_000)), (None, None));
    }
}
