//! What a tenant's view holds about relations, for the doors.

use crate::list::Listing;
use tessera_model::relation::RelationModelRecord;
use tessera_model::{Name, PermissionId};
use tessera_relation::Relations;

impl Listing {
    /// Tuples, and the relationship model over them.
    #[must_use]
    pub fn relations(&self) -> &Relations {
        &self.0.relations
    }

    /// The relationship model as it was written.
    #[must_use]
    pub fn relation_model(&self) -> Option<&RelationModelRecord> {
        self.0.relation_models.last().map(|(_, record)| &**record)
    }

    /// The relationship models that are kept, from the last one on.
    pub fn relation_models(&self) -> impl Iterator<Item = &RelationModelRecord> {
        self.0.relation_models.values().rev().map(|record| &**record)
    }

    /// The permissions that follow from relations, behind a permission and a type: permission, type, relation.
    pub fn relation_mappings<'a>(
        &'a self,
        after: (u32, &'a str),
    ) -> impl Iterator<Item = (PermissionId, &'a str, &'a str)> {
        let all = self.0.relation_mappings.range(after.0..).flat_map(|(permission, types)| {
            types
                .iter()
                .map(move |(type_name, relation)| (PermissionId(*permission), &**type_name, &**relation))
        });
        all.filter(move |(permission, type_name, _)| (permission.0, *type_name) > after)
    }

    /// The name of a permission.
    #[must_use]
    pub fn permission_name(&self, permission: PermissionId) -> Option<&Name> {
        self.0.rules.permission_name(permission)
    }

    /// When the tenant was loaded, ms: a mark in the tuples is good for one life.
    #[must_use]
    pub fn life(&self) -> u64 {
        self.0.life
    }
}
