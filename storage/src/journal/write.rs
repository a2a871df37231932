//! The journal's writing end, owned by the lane: one group, one write, one sync.

use super::files::{Files, Full, name_of};
use super::group::{self, Draft, Header, Name, Piece, Salt};
use crate::disk::DiskFile;
use crate::error::StorageError;
use std::sync::Arc;

/// Where the next group goes.
pub(crate) struct Journal {
    files: Arc<Files>,
    salt: Salt,
    /// The current file; `None` when none could be had yet.
    current: Option<(u32, Arc<dyn DiskFile>)>,
    offset: u64,
    next: u64,
    hash: [u8; 32],
    lane_epoch: u64,
    closed: bool,
    /// The current file is the reserve: only commands that narrow go on in it.
    in_reserve: bool,
    buffer: Vec<u8>,
}

/// What was written and synced.
pub(crate) struct Written {
    pub(crate) file: u32,
    pub(crate) offset: u64,
    pub(crate) header: Header,
}

/// Where the journal ended before this life of the lane.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct End {
    /// The last sequence.
    pub(crate) sequence: u64,
    /// The hash of the last group.
    pub(crate) hash: [u8; 32],
    /// Its lane epoch.
    pub(crate) lane_epoch: u64,
}

impl Journal {
    /// Continues behind `end`.
    pub(crate) const fn new(files: Arc<Files>, salt: Salt, end: &End) -> Self {
        Self {
            files,
            salt,
            current: None,
            offset: 0,
            next: end.sequence + 1,
            hash: end.hash,
            lane_epoch: end.lane_epoch + 1,
            closed: true,
            in_reserve: false,
            buffer: Vec::new(),
        }
    }

    /// Goes on behind the last group in a given file, when no fresh one can be had.
    pub(crate) fn continue_in(&mut self, no: u32, file: Arc<dyn DiskFile>, offset: u64) {
        self.current = Some((no, file));
        self.offset = offset;
    }

    /// Whether the last group has no frames.
    pub(crate) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The last sequence and the hash of the last group.
    pub(crate) const fn end(&self) -> End {
        End { sequence: self.next - 1, hash: self.hash, lane_epoch: self.lane_epoch }
    }

    /// Bytes of the largest group: a quarter of a file, so that switching wastes little.
    pub(crate) fn group_bytes_max(&self) -> usize {
        let quarter = usize::try_from(self.files.file_bytes() / 4).unwrap_or(usize::MAX);
        quarter.min(tessera_model::limits::GROUP_BYTES_MAX)
    }

    /// Makes room for `bytes` more: in this file, or in the next one.
    pub(crate) fn make_room(&mut self, bytes: usize, narrow: bool) -> Result<(), StorageError> {
        if self.in_reserve && self.files.is_relieved(!narrow) {
            self.in_reserve = false;
        }
        if self.in_reserve && !narrow {
            return Err(StorageError::StorageFull);
        }
        if self.current.is_some() && self.offset + bytes as u64 <= self.files.file_bytes() {
            return Ok(());
        }
        self.switch(narrow)
    }

    /// Goes on at the start of another file.
    fn switch(&mut self, narrow: bool) -> Result<(), StorageError> {
        let taken = self.files.take(self.next - 1, narrow).map_err(|Full| StorageError::StorageFull)?;
        self.in_reserve = taken.is_reserve;
        self.current = Some((taken.no, taken.file));
        self.offset = 0;
        Ok(())
    }

    /// Says that no file is free beside the current one.
    pub(crate) const fn enter_reserve(&mut self) {
        self.in_reserve = true;
    }

    /// Goes on at the start of any free file, for the start of the store.
    pub(crate) fn switch_to_any(&mut self) -> Result<(), StorageError> {
        let taken = self.files.take_any(self.next - 1).map_err(|Full| StorageError::StorageFull)?;
        self.current = Some((taken.no, taken.file));
        self.offset = 0;
        Ok(())
    }

    /// Writes one group where [`Journal::make_room`] made room, and syncs it. After an error nothing
    /// more may be written.
    pub(crate) fn write<'a>(
        &mut self,
        name: Option<Name>,
        pieces: impl Iterator<Item = Piece<'a>> + Clone,
    ) -> Result<Written, StorageError> {
        let draft = Draft { sequence: self.next, lane_epoch: self.lane_epoch, previous: self.hash, name };
        let header = group::encode(&mut self.buffer, &self.salt, &draft, pieces);
        let offset = self.offset;
        let file = self.put_buffer()?;
        self.next = header.last_sequence() + 1;
        self.hash = header.hash;
        self.closed = header.is_closing();
        Ok(Written { file, offset, header })
    }

    /// Writes the last group of the life before again, same bytes: what was only in the page cache, or
    /// behind a failed sync, is durable from here on.
    pub(crate) fn write_again(&mut self, bytes: &[u8]) -> Result<(u32, u64), StorageError> {
        self.buffer.clear();
        self.buffer.extend_from_slice(bytes);
        self.buffer.resize(bytes.len().next_multiple_of(group::BLOCK_BYTES), 0);
        let offset = self.offset;
        self.put_buffer().map(|file| (file, offset))
    }

    fn put_buffer(&mut self) -> Result<u32, StorageError> {
        let Some((no, file)) = &self.current else { return Err(StorageError::StorageFull) };
        let name = name_of(*no);
        file.write_at(self.offset, &self.buffer)
            .map_err(StorageError::while_doing("writing a group to", &name))?;
        file.sync().map_err(StorageError::while_doing("syncing a group in", &name))?;
        self.offset += self.buffer.len() as u64;
        Ok(*no)
    }
}
