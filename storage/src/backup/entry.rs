//! Files of entries: keys and values of the checkpoint's tables, one behind the other.
//!
//! An entry is the table's number u8, the key's length u16, the value's length u32, the key and the value,
//! which ends with its own hash as in the table.

use super::{FileNote, Progress, bad};
use crate::checkpoint::schema::Of;
use crate::disk::{Disk, DiskFile};
use crate::error::StorageError;
use std::sync::Arc;
use tessera_crypto::Hasher;

/// Bytes that are written or read at once.
const PIECE_BYTES: usize = 1024 * 1024;
/// Bytes before an entry's key.
const HEAD_BYTES: usize = 7;
/// LIMIT: bytes of an entry's value: a frame with its rows, or a bucket's part, with its hash.
const VALUE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A file that is being written.
pub(super) struct Writer<'a> {
    name: &'static str,
    file: Arc<dyn DiskFile>,
    hasher: Hasher,
    buffer: Vec<u8>,
    offset: u64,
    progress: &'a Progress,
}

impl<'a> Writer<'a> {
    pub(super) fn create(
        disk: &dyn Disk,
        name: &'static str,
        progress: &'a Progress,
    ) -> Result<Self, StorageError> {
        let file = disk.create(name).map_err(StorageError::while_doing("making", name))?;
        Ok(Self { name, file, hasher: Hasher::new(), buffer: Vec::new(), offset: 0, progress })
    }

    /// Writes an entry, never one that a reader would refuse.
    pub(super) fn entry(&mut self, of: Of, key: &[u8], value: &[u8]) -> Result<(), StorageError> {
        let too_large = || StorageError::FrameTooLarge { bytes: value.len(), max: VALUE_BYTES_MAX };
        let key_len = u16::try_from(key.len()).map_err(|_| too_large())?;
        let value_len = u32::try_from(value.len()).map_err(|_| too_large())?;
        if value.len() > VALUE_BYTES_MAX {
            return Err(too_large());
        }
        self.buffer.push(of as u8);
        self.buffer.extend_from_slice(&key_len.to_le_bytes());
        self.buffer.extend_from_slice(&value_len.to_le_bytes());
        self.buffer.extend_from_slice(key);
        self.bytes(value)
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        self.file
            .write_at(self.offset, &self.buffer)
            .map_err(StorageError::while_doing("writing", self.name))?;
        self.hasher.update(&self.buffer);
        self.offset += self.buffer.len() as u64;
        self.progress.add(self.buffer.len() as u64);
        self.buffer.clear();
        Ok(())
    }

    /// Writes and syncs what is left.
    pub(super) fn finish(mut self) -> Result<FileNote, StorageError> {
        self.flush()?;
        self.file.sync().map_err(StorageError::while_doing("syncing", self.name))?;
        Ok(FileNote { name: self.name.into(), bytes: self.offset, hash: self.hasher.finish() })
    }
}

/// Takes an entry.
pub(super) type Sink<'a> = &'a mut dyn FnMut(Of, &[u8], &[u8]) -> Result<(), StorageError>;

/// A file that is read from its first byte to its last, and held against its note.
struct Source<'a> {
    note: &'a FileNote,
    file: Arc<dyn DiskFile>,
    hasher: Hasher,
    buffer: Vec<u8>,
    /// What of the buffer was given.
    given: usize,
    offset: u64,
    progress: &'a Progress,
}

impl<'a> Source<'a> {
    fn open(disk: &dyn Disk, note: &'a FileNote, progress: &'a Progress) -> Result<Self, StorageError> {
        let file = disk.open(&note.name).map_err(|error| missing(&note.name, error))?;
        let size = file.size().map_err(StorageError::while_doing("measuring", &note.name))?;
        if size != note.bytes {
            let what = format!("has {size} bytes, the manifest says {}: take another backup", note.bytes);
            return Err(bad(&note.name, what));
        }
        Ok(Self { note, file, hasher: Hasher::new(), buffer: Vec::new(), given: 0, offset: 0, progress })
    }

    const fn is_at_end(&self) -> bool {
        self.given == self.buffer.len() && self.offset == self.note.bytes
    }

    /// The next `len` bytes.
    fn next(&mut self, len: usize) -> Result<&[u8], StorageError> {
        while self.buffer.len() - self.given < len {
            let left = usize::try_from(self.note.bytes - self.offset).unwrap_or(usize::MAX);
            let more = left.min(PIECE_BYTES);
            if more == 0 {
                return Err(bad(&self.note.name, "ends inside an entry: take another backup"));
            }
            self.buffer.drain(..self.given);
            self.given = 0;
            let from = self.buffer.len();
            self.buffer.resize(from + more, 0);
            let fresh = self.buffer.get_mut(from..).unwrap_or_default();
            self.file
                .read_at(self.offset, fresh)
                .map_err(StorageError::while_doing("reading", &self.note.name))?;
            self.hasher.update(fresh);
            self.offset += more as u64;
            self.progress.add(more as u64);
        }
        let from = self.given;
        self.given += len;
        self.buffer.get(from..from + len).ok_or(StorageError::LaneStopped)
    }

    fn entry(&mut self, sink: Sink<'_>) -> Result<(), StorageError> {
        let name = self.note.name.clone();
        let wrong = |what: &'static str| bad(&name, what);
        let [of, k0, k1, v0, v1, v2, v3] =
            *self.next(HEAD_BYTES)?.first_chunk::<HEAD_BYTES>().ok_or(StorageError::LaneStopped)?;
        let of = Of::from_number(of).ok_or_else(|| wrong("an entry of no table: take another backup"))?;
        let key_len = usize::from(u16::from_le_bytes([k0, k1]));
        let value_len = usize::try_from(u32::from_le_bytes([v0, v1, v2, v3])).unwrap_or(usize::MAX);
        if value_len > VALUE_BYTES_MAX {
            return Err(wrong("an entry is over its cap: take another backup"));
        }
        let both = self.next(key_len + value_len)?;
        let (key, value) = both.split_at_checked(key_len).ok_or(StorageError::LaneStopped)?;
        sink(of, key, value)
    }

    fn end(&self) -> Result<(), StorageError> {
        if self.hasher.finish() == self.note.hash {
            Ok(())
        } else {
            Err(bad(&self.note.name, "its bytes are not those that were written: take another backup"))
        }
    }
}

fn missing(name: &str, error: std::io::Error) -> StorageError {
    if error.kind() == std::io::ErrorKind::NotFound {
        bad(name, "is missing: bring it back, or take another backup")
    } else {
        StorageError::while_doing("opening", name)(error)
    }
}

/// Gives every entry of a file to `sink`. The file's hash is known only behind the last: whoever must not
/// believe what was changed looks at it first, with [`look`].
pub(super) fn read(
    disk: &dyn Disk,
    note: &FileNote,
    progress: &Progress,
    sink: Sink<'_>,
) -> Result<(), StorageError> {
    let mut source = Source::open(disk, note, progress)?;
    while !source.is_at_end() {
        source.entry(sink)?;
    }
    source.end()
}

/// Holds a file's length and hash against its note.
pub(super) fn look(disk: &dyn Disk, note: &FileNote, progress: &Progress) -> Result<(), StorageError> {
    let mut source = Source::open(disk, note, progress)?;
    while !source.is_at_end() {
        let left = usize::try_from(note.bytes - source.offset).unwrap_or(usize::MAX);
        source.next(left.min(PIECE_BYTES))?;
    }
    source.end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::simulated::Simulated;

    /// PROPERTY: an entry over a cap is refused and leaves the file as it was; the largest one is read again.
    #[test]
    fn what_cannot_be_read_is_not_written() {
        let (disk, progress) = (Simulated::new(), Progress::default());
        let mut writer = Writer::create(&disk, "state", &progress).expect("a file");
        let bytes = vec![7_u8; VALUE_BYTES_MAX + 1];
        let (key, value) = bytes.split_at(1);
        let long_key = bytes.get(..=usize::from(u16::MAX)).expect("a key");
        for (key, value) in [(key, bytes.as_slice()), (long_key, key)] {
            let refused = writer.entry(Of::Row, key, value);
            assert!(matches!(refused, Err(StorageError::FrameTooLarge { .. })));
        }
        writer.entry(Of::Row, key, value).expect("written");
        let note = writer.finish().expect("a file");
        let mut found = Vec::new();
        let done = read(&disk, &note, &progress, &mut |_, key, value| {
            found.push((key.len(), value.len()));
            Ok(())
        });
        done.expect("read");
        assert_eq!(found, [(1, VALUE_BYTES_MAX)]);
    }
}
