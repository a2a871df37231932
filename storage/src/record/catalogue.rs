//! Services and their entries as records.

use super::field::{Field, Reader, RecordError, put_bytes, put_list, record};
use super::noun::text;
use tessera_model::catalogue::{EntryRecord, EntryText, Label, ServiceRecord};
use tessera_model::limits::{ENTRY_DESCRIPTION_BYTES_MAX, LABEL_BYTES_MAX, LABELS_MAX, SERVICE_ENTRIES_MAX};

record! {
    ServiceRecord { index, name, entries }
    EntryRecord { permission, text, replaced_by }
}

impl Field for Vec<EntryRecord> {
    fn put(&self, out: &mut Vec<u8>) {
        put_list(self, out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        input.list(SERVICE_ENTRIES_MAX)
    }
}

impl Field for Vec<Label> {
    fn put(&self, out: &mut Vec<u8>) {
        put_list(self, out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        input.list(LABELS_MAX)
    }
}

/// Language, then text.
impl Field for Label {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.language().as_str().as_bytes(), out);
        put_bytes(self.text().as_bytes(), out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        let language = text(input, LABEL_BYTES_MAX)?;
        let label = Self::new(language, text(input, LABEL_BYTES_MAX)?).map_err(|_| RecordError::BadText)?;
        // A language is written in one way.
        if label.language().as_str() == language { Ok(label) } else { Err(RecordError::BadText) }
    }
}

impl Field for EntryText {
    fn put(&self, out: &mut Vec<u8>) {
        self.action.put(out);
        self.labels.put(out);
        put_bytes(self.description.as_bytes(), out);
        self.deprecated.put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        let (action, labels) = (Field::take(input)?, Vec::<Label>::take(input)?);
        if !labels.is_sorted() {
            return Err(RecordError::BadText);
        }
        let description = text(input, ENTRY_DESCRIPTION_BYTES_MAX)?;
        Self::new(action, labels, description, Field::take(input)?).map_err(|_| RecordError::BadText)
    }
}
