//! Buckets as records: a list of events, split into parts of at most 252 KiB.

use super::field::{Field, Reader, RecordError};
use tessera_model::Event;
use tessera_model::limits::BUCKET_BYTES_MAX;

/// Bytes kept free in a part for the header and hash around its events.
pub(super) const AROUND_BYTES: usize = 128;
/// LIMIT: events of one part; each has at least five bytes.
const EVENTS_MAX: usize = BUCKET_BYTES_MAX / 5;

/// Encodes the events as parts, each a count and that many events.
pub(crate) fn parts(events: &[Event]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    let (mut body, mut count) = (vec![0; 4], 0u32);
    let close = |body: &mut Vec<u8>, count: &mut u32, parts: &mut Vec<Vec<u8>>| {
        if *count == 0 {
            return;
        }
        if let Some(field) = body.first_chunk_mut::<4>() {
            *field = count.to_le_bytes();
        }
        parts.push(std::mem::replace(body, vec![0; 4]));
        *count = 0;
    };
    for event in events {
        let before = body.len();
        event.put(&mut body);
        if body.len() > BUCKET_BYTES_MAX - AROUND_BYTES && count > 0 {
            let moved = body.split_off(before);
            close(&mut body, &mut count, &mut parts);
            body.extend_from_slice(&moved);
        }
        count += 1;
    }
    close(&mut body, &mut count, &mut parts);
    parts
}

/// Decodes one part behind what `events` holds.
pub(crate) fn take_part(body: &[u8], events: &mut Vec<Event>) -> Result<(), RecordError> {
    let mut input = Reader::new(body);
    events.append(&mut input.list(EVENTS_MAX)?);
    input.end()
}
