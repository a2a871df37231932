//! Permissions that follow from relations to resources.

use super::{BUILT_IN, Decided, State};
use std::sync::Arc;
use tessera_model::limits::RELATION_MAPPINGS_MAX;
use tessera_model::relation::RelationMappingRecord;
use tessera_model::{Event, Limit, Name, PermissionId, PermissionRef, Refusal};

impl State {
    fn mappable(&self, permission: &Name) -> Result<PermissionId, Refusal> {
        if BUILT_IN.contains(&permission.as_str()) {
            // Whoever writes tuples would hand out power over the tenant.
            return Err(Refusal::BuiltIn);
        }
        let known = self.root.rules.permission(PermissionRef::Name(permission.as_str()));
        known.ok_or(Refusal::PermissionUnknown)
    }

    pub(super) fn map_permission(
        &self,
        permission: &Name,
        type_name: &str,
        relation: &str,
    ) -> Result<Decided, Refusal> {
        let permission = self.mappable(permission)?;
        if !self.root.relations.has_relation(type_name, relation) {
            return Err(Refusal::RelationUnknown);
        }
        let known = self.root.relation_mappings.get(&permission.0).and_then(|types| types.get(type_name));
        if known.is_some_and(|known| &**known == relation) {
            return Ok(Decided::nothing());
        }
        let all: usize = self.root.relation_mappings.values().map(|types| types.len()).sum();
        if known.is_none() && all >= RELATION_MAPPINGS_MAX {
            return Err(Limit::RelationMappings.reached());
        }
        let (type_name, relation) = (type_name.into(), relation.into());
        Ok(Decided::of(Event::PermissionMapped(RelationMappingRecord { permission, type_name, relation })))
    }

    pub(super) fn unmap_permission(&self, permission: &Name, type_name: &str) -> Result<Decided, Refusal> {
        let permission = self.mappable(permission)?;
        let types = self.root.relation_mappings.get(&permission.0);
        if types.is_none_or(|types| !types.contains_key(type_name)) {
            return Ok(Decided::nothing());
        }
        Ok(Decided::of(Event::PermissionUnmapped { permission, type_name: type_name.into() }))
    }

    pub(super) fn apply_mapped(&mut self, record: &RelationMappingRecord) {
        let known = self.root.relation_mappings.get(&record.permission.0);
        let mut types = known.map(|types| (**types).clone()).unwrap_or_default();
        types.insert(record.type_name.clone(), record.relation.clone());
        self.root.relation_mappings.insert_mut(record.permission.0, Arc::new(types));
    }

    pub(super) fn apply_unmapped(&mut self, permission: PermissionId, type_name: &str) {
        let Some(known) = self.root.relation_mappings.get(&permission.0) else { return };
        let mut types = (**known).clone();
        types.remove(type_name);
        if types.is_empty() {
            self.root.relation_mappings.remove_mut(&permission.0);
        } else {
            self.root.relation_mappings.insert_mut(permission.0, Arc::new(types));
        }
    }

    /// All of them as events.
    pub(super) fn mapping_events(&self) -> Vec<Event> {
        let all = self.root.relation_mappings.iter().flat_map(|(permission, types)| {
            types.iter().map(|(type_name, relation)| {
                Event::PermissionMapped(RelationMappingRecord {
                    permission: PermissionId(*permission),
                    type_name: type_name.clone(),
                    relation: relation.clone(),
                })
            })
        });
        all.collect()
    }
}
