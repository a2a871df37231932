//! What comes with a question through a door whose standard has callers say more than a schema knows: of it, what the
//! schema has a place for.

use crate::circumstances::{Circumstances, circumstances, is_given};
use crate::list::Listing;
use crate::policed::GIVEN;
use crate::state::key_of;
use tessera_model::Refusal;
use tessera_model::policy::{EntityName, OWN_TYPES};
use tessera_program::PlainError;

/// What came with a question and fits the schema.
#[derive(Clone, Debug)]
pub struct Brought(pub(crate) Circumstances);

impl Listing {
    /// What a caller may say of the circumstances of an action: what its context has a place for and the node does not
    /// say itself.
    #[must_use]
    pub fn context_names(&self, permission: &str) -> Vec<&str> {
        let Some(shape) = self.0.shape.as_deref() else { return Vec::new() };
        let action = shape.actions.get(&("Action".to_owned(), permission.to_owned()));
        let Some(action) = action else { return Vec::new() };
        let fields = shape.fields(action.context).iter().map(|field| field.name.as_str());
        fields.filter(|name| !is_given(shape, action.context, name)).collect()
    }

    /// What a caller may say of an entity: what its type has a place for, where neither the node knows it nor it is stored.
    #[must_use]
    pub fn attribute_names(&self, kind: &str, id: &str) -> Vec<&str> {
        let (Some(shape), Some(name)) = (self.0.shape.as_deref(), EntityName::new(kind, id)) else {
            return Vec::new();
        };
        if OWN_TYPES.contains(&kind) || self.0.entities.contains_key(&key_of(&name)) {
            return Vec::new();
        }
        let Some(entity) = shape.entities.get(kind) else { return Vec::new() };
        shape.fields(entity.attributes).iter().map(|field| field.name.as_str()).collect()
    }

    /// Holds what came with a question against the schema: its context, a JSON object, and entities, a JSON list.
    ///
    /// # Errors
    /// The refusal, and what is wrong where.
    pub fn brought(
        &self,
        permission: &str,
        (context, entities): (Option<&str>, Option<&str>),
    ) -> Result<Brought, (Refusal, PlainError)> {
        circumstances(&self.0, permission, (context, entities), &GIVEN).map(Brought)
    }
}
