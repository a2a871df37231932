//! The pieces of a copy: number u8, length u32, then what it holds.

use crate::checkpoint::schema::{DirectoryRow, Of};
use crate::error::StorageError;
use crate::record::{Field, Reader, RecordError};
use tessera_crypto::Key;
use tessera_model::Revision;

/// Bytes of a chunk: two fit into the largest frame of the wire.
const CHUNK_BYTES: usize = 120 * 1024;
/// LIMIT: bytes of a piece: a directory row that lists as many buckets as there can be, or a value of a table.
const PIECE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes before what a piece holds.
const HEAD_BYTES: usize = 5;
/// LIMIT: bytes of a key of a table.
const KEY_BYTES_MAX: usize = 4 * 1024;

/// One piece.
pub(super) enum Piece<'a> {
    /// A set of the tenant's keys, with the number of its refresh key.
    Set(u8, [Key; 3]),
    /// The key at a slot of the store that gives; none where it was erased.
    Slot(u32, Option<Key>),
    /// An entry as it lies.
    Put(Of, &'a [u8], &'a [u8]),
    /// An entry that is not there any more.
    Gone(Of, &'a [u8]),
    /// The directory row: the pass is whole.
    Row(Box<DirectoryRow>),
    /// A frame behind the last whole pass, as history keeps it.
    Frame(&'a [u8]),
    /// Where the frames behind the last whole pass lead: what comes next, and the link before it. The pass is whole.
    Reached(Revision, [u8; 32]),
}

impl<'a> Piece<'a> {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Set(number, keys) => {
                number.put(out);
                keys.iter().for_each(|key| out.extend_from_slice(key.expose()));
            }
            Self::Slot(slot, key) => {
                slot.put(out);
                if let Some(key) = key {
                    out.extend_from_slice(key.expose());
                }
            }
            Self::Put(of, key, value) => {
                out.push(*of as u8);
                crate::record::field::put_bytes(key, out);
                out.extend_from_slice(value);
            }
            Self::Gone(of, key) => {
                out.push(*of as u8);
                out.extend_from_slice(key);
            }
            Self::Row(row) => row.put(out),
            Self::Frame(frame) => out.extend_from_slice(frame),
            Self::Reached(next, link) => {
                next.put(out);
                link.put(out);
            }
        }
    }

    const fn number(&self) -> u8 {
        match self {
            Self::Set(..) => 1,
            Self::Slot(..) => 2,
            Self::Put(..) => 3,
            Self::Gone(..) => 4,
            Self::Row(_) => 5,
            Self::Frame(_) => 6,
            Self::Reached(..) => 7,
        }
    }

    fn take(number: u8, body: &'a [u8]) -> Result<Self, RecordError> {
        let mut input = Reader::new(body);
        let of = |input: &mut Reader<'_>| {
            let of = Of::from_number(u8::take(input)?).ok_or(RecordError::BadNumber)?;
            // All that a copy has besides its directory row; counts are made anew.
            if matches!(of, Of::Bucket | Of::Row | Of::Segment) {
                Ok(of)
            } else {
                Err(RecordError::BadNumber)
            }
        };
        let key = |input: &mut Reader<'_>| input.array().map(Key::new);
        let piece = match number {
            1 => Self::Set(u8::take(&mut input)?, [key(&mut input)?, key(&mut input)?, key(&mut input)?]),
            2 => {
                let slot = u32::take(&mut input)?;
                let key = if input.rest().is_empty() { None } else { Some(key(&mut input)?) };
                Self::Slot(slot, key)
            }
            3 => {
                let (of, key) = (of(&mut input)?, input.bytes(KEY_BYTES_MAX)?);
                return Ok(Self::Put(of, key, input.rest()));
            }
            4 => return Ok(Self::Gone(of(&mut input)?, input.rest())),
            5 => Self::Row(Box::new(DirectoryRow::take(&mut input)?)),
            6 => return Ok(Self::Frame(body)),
            7 => Self::Reached(Revision::take(&mut input)?, input.array()?),
            _ => return Err(RecordError::BadNumber),
        };
        input.end()?;
        Ok(piece)
    }
}

/// Puts pieces behind one another and gives them away in chunks.
pub(super) struct Writer<'a> {
    chunk: Vec<u8>,
    sink: super::CopySink<'a>,
    /// Bytes given so far.
    pub(super) bytes: u64,
}

impl<'a> Writer<'a> {
    pub(super) const fn new(sink: super::CopySink<'a>) -> Self {
        Self { chunk: Vec::new(), sink, bytes: 0 }
    }

    pub(super) fn piece(&mut self, piece: &Piece<'_>) -> Result<(), StorageError> {
        let mut body = Vec::new();
        piece.put(&mut body);
        self.chunk.push(piece.number());
        u32::try_from(body.len()).unwrap_or(u32::MAX).put(&mut self.chunk);
        let mut rest = body.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(CHUNK_BYTES.saturating_sub(self.chunk.len())));
            self.chunk.extend_from_slice(now);
            rest = later;
            if self.chunk.len() >= CHUNK_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Gives what is left.
    pub(super) fn flush(&mut self) -> Result<(), StorageError> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        self.bytes += self.chunk.len() as u64;
        (self.sink)(std::mem::take(&mut self.chunk))
    }
}

/// Gives the whole pieces of what was received to `sink`, and keeps the rest.
pub(super) fn take_pieces(
    received: &mut Vec<u8>,
    sink: &mut dyn FnMut(Piece<'_>) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let wrong = |error: RecordError| StorageError::BadCopy(error.text());
    let mut given = 0;
    loop {
        let rest = received.get(given..).unwrap_or_default();
        let Some((head, rest)) = rest.split_first_chunk::<HEAD_BYTES>() else { break };
        let [number, a, b, c, d] = *head;
        let len = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if len > PIECE_BYTES_MAX {
            return Err(wrong(RecordError::OverCap));
        }
        let Some(body) = rest.get(..len) else { break };
        sink(Piece::take(number, body).map_err(wrong)?)?;
        given += HEAD_BYTES + len;
    }
    received.drain(..given);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::schema::{Life, Listed};
    use crate::checkpoint::share::Sum;
    use crate::keys::KeySlot;
    use crate::store::BucketKind;
    use tessera_fuzz::{Outcome, Target};
    use tessera_model::{Epoch, Slot};

    fn written(pieces: &[Piece<'_>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut sink = |chunk: Vec<u8>| {
            bytes.extend(chunk);
            Ok(())
        };
        let mut writer = Writer::new(&mut sink);
        pieces.iter().try_for_each(|piece| writer.piece(piece)).expect("written");
        writer.flush().expect("written");
        bytes
    }

    /// PROPERTY: a copy of any bytes, however they are cut into chunks, gives pieces and at most one error; the pieces
    /// write as the bytes that they were read from. METHOD: 200,000 changed copies.
    /// TC-98 in part: copies of tenants that move.
    #[test]
    fn fuzz_copies() {
        let key = || Key::new([7; 32]);
        let kind = BucketKind::Places;
        let listed = Listed { kind, no: 1, upto: Revision(2), key: 4, parts: vec![[3; 16]; 2] };
        let row = DirectoryRow {
            schema: 1,
            life: Life::Kept,
            slot: Slot(9),
            epoch: Epoch(1),
            next: Revision(4),
            link: [5; 32],
            keys: vec![KeySlot { number: 1, slot: 4 }],
            buckets: vec![listed],
            old_keys: vec![5],
            shares: Sum::default(),
        };
        let row = || Box::new(row.clone());
        let whole = written(&[
            Piece::Set(1, [key(), key(), key()]),
            Piece::Slot(4, Some(key())),
            Piece::Slot(5, None),
            Piece::Put(Of::Segment, b"a key", b"a value"),
            Piece::Gone(Of::Row, b"a key"),
            Piece::Row(row()),
            Piece::Frame(b"a frame"),
            Piece::Reached(Revision(5), [6; 32]),
        ]);
        let few = written(&[Piece::Gone(Of::Bucket, b""), Piece::Row(row())]);
        let found = Target::new("copy").seeds([whole, few]).run(|bytes| {
            let (mut received, mut again, mut count, mut error) = (Vec::new(), Vec::new(), 0, None);
            for chunk in bytes.chunks(1 + bytes.len() % 61) {
                received.extend_from_slice(chunk);
                let taken = take_pieces(&mut received, &mut |piece| {
                    count += 1;
                    again.extend(written(std::slice::from_ref(&piece)));
                    Ok(())
                });
                if let Err(fault) = taken {
                    error = Some(fault.to_string());
                    break;
                }
            }
            assert!(bytes.starts_with(&again), "a piece has two forms");
            if error.is_none() {
                assert_eq!([again, received].concat(), bytes, "something of a copy is lost");
            }
            match error {
                Some(error) => Outcome::refused(&error),
                None => Outcome::taken(&count.min(8)),
            }
        });
        println!("{}", found.unwrap_or_else(|finding| panic!("{finding}")));
    }
}
