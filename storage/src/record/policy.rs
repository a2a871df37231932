//! Policies and entities as records.

use super::field::{Field, Reader, RecordError, put_bytes, record};
use super::noun::text;
use tessera_model::limits::{
    ENTITY_BYTES_MAX, ENTITY_ID_BYTES_MAX, ENTITY_TYPE_BYTES_MAX, POLICY_PROGRAM_BYTES_MAX,
};
use tessera_model::policy::{EntityName, EntityRecord, PolicyRecord};

record! {
    PolicyRecord { version, schema, text, program, lenient, at }
    EntityRecord { name, fact }
}

/// A program, or what is known of an entity: the longer of them is the cap.
impl Field for Box<[u8]> {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self, out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        input.bytes(POLICY_PROGRAM_BYTES_MAX.max(ENTITY_BYTES_MAX)).map(Into::into)
    }
}

/// Type, then id.
impl Field for EntityName {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.kind.as_bytes(), out);
        put_bytes(self.id.as_bytes(), out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        let kind = text(input, ENTITY_TYPE_BYTES_MAX)?;
        Self::new(kind, text(input, ENTITY_ID_BYTES_MAX)?).ok_or(RecordError::BadText)
    }
}
