//! Cold rows as they stand in a frame.

use super::field::{Field, Reader, RecordError, put_bytes, put_count};
use tessera_model::limits::FRAME_WITH_ROWS_BYTES_MAX;
use tessera_model::{Private, Row, RowKind};

/// LIMIT: bytes of a row's key, as the model says.
pub(crate) const ROW_KEY_BYTES_MAX: usize = 192;
/// LIMIT: rows of one frame: each has at least 11 bytes.
const ROWS_MAX: usize = FRAME_WITH_ROWS_BYTES_MAX / 11;

impl Field for Row {
    fn put(&self, out: &mut Vec<u8>) {
        self.kind.number().put(out);
        put_bytes(&self.key, out);
        self.value.is_some().put(out);
        if let Some(value) = &self.value {
            put_bytes(value.expose(), out);
        }
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        let kind = RowKind::from_number(u16::take(input)?).ok_or(RecordError::BadNumber)?;
        let key = input.bytes(ROW_KEY_BYTES_MAX)?.to_vec();
        let value = if bool::take(input)? {
            Some(Private::new(input.bytes(FRAME_WITH_ROWS_BYTES_MAX)?.to_vec()))
        } else {
            None
        };
        Ok(Self { kind, key, value })
    }
}

/// Writes a frame's rows; nothing at all for none.
pub(crate) fn put_rows(rows: &[Row], out: &mut Vec<u8>) {
    if !rows.is_empty() {
        put_count(rows.len(), out);
        rows.iter().for_each(|row| row.put(out));
    }
}

/// Reads a frame's rows.
pub(crate) fn take_rows(bytes: &[u8]) -> Result<Vec<Row>, RecordError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut input = Reader::new(bytes);
    let rows = input.list(ROWS_MAX)?;
    // The empty list has one form only: no bytes.
    if rows.is_empty() {
        return Err(RecordError::BadNumber);
    }
    input.end()?;
    Ok(rows)
}
