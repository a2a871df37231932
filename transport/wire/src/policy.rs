//! Policies in fields: the names of entities, and the rows that tell of policies.

use crate::fault::WireError;
use crate::fields::{FieldsReader, FieldsWriter};
use crate::part::{Part, text};
use crate::shape::shapes;
use crate::tag::Tag;
use tessera_model::limits::ENTITY_CHANGES_MAX;
use tessera_model::policy::EntityName;
use tessera_model::{Deadline, Limit, Private};

/// Each is a type, then an id.
impl Part for Vec<EntityName> {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        for name in self {
            out.text(tag, &name.kind);
            out.text(Tag::EntityId, &name.id);
        }
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let (mut names, mut ids) = (Self::new(), from.all(Tag::EntityId));
        for kind in from.all(tag) {
            if names.len() == ENTITY_CHANGES_MAX {
                return Err(WireError::Limit(tag, Limit::EntityChanges));
            }
            let kind = text(tag, kind?)?;
            let id = text(Tag::EntityId, ids.next().ok_or(WireError::BadField(Tag::EntityId))??)?;
            names.push(EntityName::new(kind, id).ok_or(WireError::Malformed(tag))?);
        }
        if ids.next().is_some() { Err(WireError::BadField(Tag::EntityId)) } else { Ok(names) }
    }
}

shapes! {
    /// The policies as they were set.
    #[derive(Clone)]
    PolicySetRow {
        /// The version of the set; 0 for none.
        version: u32 = PolicyVersion,
        /// Their text.
        text: Private = PolicyText,
        /// The schema's text; that of the built-in one where none was set.
        schema: Private = PolicySchema,
        /// Whether it is the built-in one.
        built_in: bool = BuiltInSchema,
        /// Whether a forbid that fails is left out.
        lenient: bool = Lenient,
        /// How many policies there are.
        count: u32 = Count,
        /// How many entities are stored.
        entities: u32 = EntityCount,
        /// When they were set.
        created: Deadline = Created,
    }
    /// A version of the policies that is kept.
    #[derive(Clone, Debug, Eq, PartialEq)]
    PolicyVersionRow {
        /// Its number.
        version: u32 = PolicyVersion,
        /// Whether it is the present one.
        present: bool = Present,
        /// Whether its schema is the built-in one.
        built_in: bool = BuiltInSchema,
        /// Whether a forbid that fails is left out.
        lenient: bool = Lenient,
        /// When it was set.
        created: Deadline = Created,
    }
    /// A part of a schema.
    #[derive(Clone)]
    SchemaPartRow {
        /// Its text.
        schema: Private = PolicySchema,
        /// How many parts there are.
        parts: u32 = Parts,
    }
    /// What is wrong with policies or their schema.
    #[derive(Clone)]
    PolicyFaultRow {
        /// Whether it is in the schema.
        in_schema: bool = InSchema,
        /// Where, from 1; 0 where it is at no place.
        line: u32 = Line,
        /// Where in the line.
        column: u32 = Column,
        /// What kind of fault.
        kind: String = FaultKind,
        /// What is wrong.
        told: Private = Told,
        /// What would be right; none where nobody knows.
        advice: Option<Private> = Advice,
    }
    /// A stored entity.
    #[derive(Clone)]
    EntityRow {
        /// Its type.
        kind: String = EntityType,
        /// Its id.
        id: String = EntityId,
        /// The entity as JSON.
        entity: Private = Entities,
    }
}
