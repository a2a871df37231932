//! Who sees whom, as records.

use super::field::{Field, Reader, RecordError, put_list};
use tessera_model::limits::{VISIBILITY_ATTRIBUTES_MAX, VISIBILITY_RULES_MAX};
use tessera_model::visibility::{Details, Reach, SightRecord, VisibilityRecord};

/// Its bits.
impl Field for Reach {
    fn put(&self, out: &mut Vec<u8>) {
        self.bits().put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        Self::from_bits(Field::take(input)?).ok_or(RecordError::BadNumber)
    }
}

/// Its bits.
impl Field for Details {
    fn put(&self, out: &mut Vec<u8>) {
        self.bits().put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        Self::from_bits(Field::take(input)?).ok_or(RecordError::BadNumber)
    }
}

/// The role, whom it sees, what of them, and the names of attributes.
impl Field for SightRecord {
    fn put(&self, out: &mut Vec<u8>) {
        self.role.put(out);
        self.reach.put(out);
        self.details.put(out);
        put_list(&self.attributes, out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        let (role, reach, details) = (Field::take(input)?, Field::take(input)?, Field::take(input)?);
        Ok(Self { role, reach, details, attributes: input.list(VISIBILITY_ATTRIBUTES_MAX)? })
    }
}

/// The version, then the rules.
impl Field for VisibilityRecord {
    fn put(&self, out: &mut Vec<u8>) {
        self.version.put(out);
        put_list(&self.rules, out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        Ok(Self { version: Field::take(input)?, rules: input.list(VISIBILITY_RULES_MAX)? })
    }
}
