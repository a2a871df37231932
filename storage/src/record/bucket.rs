//! Buckets as records: a list of events, split into parts of at most 252 KiB, and what is private of them.

use super::field::{Field, Reader, RecordError};
use tessera_model::Event;
use tessera_model::limits::BUCKET_BYTES_MAX;

/// Bytes kept free in a part for the header and hash around its events.
pub(super) const AROUND_BYTES: usize = 128 + crate::seal::AROUND_BYTES;
/// LIMIT: events of one part; each has at least five bytes.
const EVENTS_MAX: usize = BUCKET_BYTES_MAX / 5;

/// A part of a bucket in the making.
pub(crate) struct Part {
    /// A count and that many events, without what is private of them.
    pub(crate) body: Vec<u8>,
    /// What is private of them, in their order.
    pub(crate) private: Vec<u8>,
}

/// Encodes the events as parts.
pub(crate) fn parts(events: &[Event]) -> Vec<Part> {
    let mut parts = Vec::new();
    let (mut body, mut private, mut count) = (vec![0; 4], Vec::new(), 0u32);
    let close = |body: &mut Vec<u8>, private: &mut Vec<u8>, count: &mut u32, parts: &mut Vec<Part>| {
        if *count == 0 {
            return;
        }
        if let Some(field) = body.first_chunk_mut::<4>() {
            *field = count.to_le_bytes();
        }
        let private = std::mem::take(private);
        parts.push(Part { body: std::mem::replace(body, vec![0; 4]), private });
        *count = 0;
    };
    for event in events {
        let before = (body.len(), private.len());
        event.put(&mut body);
        event.put_private(&mut private);
        if body.len() + private.len() > BUCKET_BYTES_MAX - AROUND_BYTES && count > 0 {
            let moved = (body.split_off(before.0), private.split_off(before.1));
            close(&mut body, &mut private, &mut count, &mut parts);
            body.extend_from_slice(&moved.0);
            private.extend_from_slice(&moved.1);
        }
        count += 1;
    }
    close(&mut body, &mut private, &mut count, &mut parts);
    parts
}

/// Decodes the events of one part; what is private of them is blank.
pub(crate) fn take_part(input: &mut Reader<'_>) -> Result<Vec<Event>, RecordError> {
    input.list(EVENTS_MAX)
}

/// Puts the events of a part behind those of the parts before it. Those of the first are taken as they lie.
pub(crate) fn append(to: &mut Vec<Event>, mut events: Vec<Event>) {
    if to.is_empty() {
        *to = events;
    } else {
        to.append(&mut events);
    }
}

/// Fills in what is private of the events of one part.
pub(crate) fn take_private(events: &mut [Event], private: &[u8]) -> Result<(), RecordError> {
    let mut input = Reader::new(private);
    events.iter_mut().try_for_each(|event| event.take_private(&mut input))?;
    input.end()
}
