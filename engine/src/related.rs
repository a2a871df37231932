//! What a tenant's view holds about relations, for the doors.

use crate::list::Listing;
use crate::resource::{SUBJECT_TYPE, is_unsettled, subject_text};
use std::collections::BTreeSet;
use tessera_model::relation::RelationModelRecord;
use tessera_model::{Name, PermissionId, PermissionRef, PublicId, UnixMillis};
use tessera_relation::{Ask, AskError, Listed, Relations};

/// Whom the relations to a resource give a permission, all of them.
#[derive(Clone, Debug)]
pub struct RelatedSubjects {
    /// Whom.
    pub subjects: BTreeSet<PublicId>,
    /// Until when that holds by time alone.
    pub valid_until: UnixMillis,
    /// What was looked at for it, in tuples and nodes.
    pub steps: u32,
}

impl Listing {
    /// The relation of a type that a permission follows from.
    #[must_use]
    pub fn mapped(&self, permission: &str, type_name: &str) -> Option<&str> {
        let permission = self.0.rules.permission(PermissionRef::Name(permission))?;
        self.0.relation_mappings.get(&permission.0)?.get(type_name).map(|relation| &**relation)
    }

    /// The subjects that the relations to `object` give a permission. Only where that can be told as a whole:
    /// none where a tuple names everybody, and where it costs more than `budget` or lies too deep; then each
    /// subject is to be asked about.
    #[must_use]
    pub fn related_subjects(
        &self,
        permission: &str,
        object: &str,
        (budget, now): (u32, UnixMillis),
    ) -> Option<RelatedSubjects> {
        let nobody =
            RelatedSubjects { subjects: BTreeSet::new(), valid_until: UnixMillis(u64::MAX), steps: 0 };
        let Some((type_name, _)) = object.split_once(':') else { return Some(nobody) };
        let Some(relation) = self.mapped(permission, type_name) else { return Some(nobody) };
        let relations = &self.0.relations;
        if relations.names_everybody(SUBJECT_TYPE) {
            return None;
        }
        let ask = Ask { budget, ..Ask::at(now) };
        match relations.list_subjects(&ask, object, relation, SUBJECT_TYPE, None) {
            Ok(listed) => {
                let id = |name: &String| PublicId::parse(name.split_once(':')?.1);
                let subjects = listed.names.iter().filter_map(id).collect();
                Some(RelatedSubjects { subjects, valid_until: listed.valid_until, steps: listed.steps })
            }
            Err(error) => (!is_unsettled(error)).then_some(nobody),
        }
    }

    /// The objects of a type that the relations give a subject a permission to. None where that is not told as a
    /// whole: it costs more than `budget`, or lies too deep.
    #[must_use]
    pub fn related_objects(
        &self,
        subject: PublicId,
        (permission, type_name): (&str, &str),
        (budget, now): (u32, UnixMillis),
    ) -> Option<Listed> {
        let nothing = Listed { names: Vec::new(), valid_until: UnixMillis(u64::MAX), steps: 0 };
        let Some(relation) = self.mapped(permission, type_name) else { return Some(nothing) };
        let ask = Ask { budget, ..Ask::at(now) };
        let listed: Result<Listed, AskError> =
            self.0.relations.list_objects(&ask, &subject_text(subject), relation, type_name);
        listed.map_or_else(|error| (!is_unsettled(error)).then_some(nothing), Some)
    }

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
