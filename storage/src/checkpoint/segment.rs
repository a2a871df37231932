//! History segments: a tenant's frames without their rows, in values of at most 252 KiB.
//!
//! Value: schema u16 ‖ closed u16 ‖ count u32 ‖ first u64 ‖ last u64 ‖ link before [32] ‖ link of the
//! last [32] ‖ frames ‖ hash [16]. A closed segment is never written again.

use super::read;
use super::schema::{self, Of, SEAL_BYTES, SEGMENT, segment_key};
use crate::error::StorageError;
use crate::record::frame::{Form, FrameView};
use crate::record::{Field, Reader, RecordError, field::record};
use redb::ReadTransaction;
use tessera_model::limits::BUCKET_BYTES_MAX;
use tessera_model::{Revision, TenantId};

const HEAD_BYTES: usize = 2 + 2 + 4 + 8 + 8 + 32 + 32;

struct Head {
    schema: u16,
    closed: u16,
    count: u32,
    first: Revision,
    last: Revision,
    before: [u8; 32],
    link: [u8; 32],
}

record! { Head { schema, closed, count, first, last, before, link } }

/// A segment in memory.
#[derive(Clone)]
pub(crate) struct Segment {
    tenant: TenantId,
    pub(crate) first: Revision,
    pub(crate) next: Revision,
    pub(crate) before: [u8; 32],
    pub(crate) link: [u8; 32],
    count: u32,
    closed: bool,
    frames: Vec<u8>,
}

impl Segment {
    /// An empty one that continues the chain.
    pub(crate) const fn new(tenant: TenantId, first: Revision, before: [u8; 32]) -> Self {
        Self { tenant, first, next: first, before, link: before, count: 0, closed: false, frames: Vec::new() }
    }

    /// Reads a value.
    pub(crate) fn read(tenant: TenantId, first: Revision, value: &[u8]) -> Result<Self, RecordError> {
        let key = segment_key(tenant, first);
        let mut input = Reader::new(schema::open(Of::Segment, &key, value)?);
        let head = Head::take(&mut input)?;
        if head.schema != schema::SCHEMA || head.first != first || head.closed > 1 {
            return Err(RecordError::BadHeader);
        }
        // The last revision there can be has none behind it: nothing is counted from what was not written so.
        let next = first.0.checked_add(u64::from(head.count)).ok_or(RecordError::OverCap)?;
        if head.last.0 != next.saturating_sub(1) {
            return Err(RecordError::BadHeader);
        }
        Ok(Self {
            tenant,
            first,
            next: Revision(next),
            before: head.before,
            link: head.link,
            count: head.count,
            closed: head.closed == 1,
            frames: input.rest().to_vec(),
        })
    }

    /// The key and value.
    pub(crate) fn write(&self) -> (Vec<u8>, Vec<u8>) {
        let key = segment_key(self.tenant, self.first);
        let mut value = Vec::with_capacity(HEAD_BYTES + self.frames.len() + SEAL_BYTES);
        let head = Head {
            schema: schema::SCHEMA,
            closed: u16::from(self.closed),
            count: self.count,
            first: self.first,
            last: Revision(self.next.0.saturating_sub(1)),
            before: self.before,
            link: self.link,
        };
        head.put(&mut value);
        value.extend_from_slice(&self.frames);
        schema::close(Of::Segment, &key, &mut value);
        (key, value)
    }

    /// Whether it takes no more frames.
    pub(crate) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether it has none yet.
    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a frame whose link was verified; false (and closed) when it does not fit any more.
    pub(crate) fn push(&mut self, view: &FrameView<'_>) -> bool {
        let before = self.frames.len();
        view.put_history(&mut self.frames);
        if HEAD_BYTES + self.frames.len() + SEAL_BYTES > BUCKET_BYTES_MAX && self.count > 0 {
            self.frames.truncate(before);
            self.closed = true;
            return false;
        }
        self.count += 1;
        self.next = view.head.revision.next();
        self.link = view.link;
        true
    }

    /// Gives each frame to `sink`, every link verified; stops when it says so.
    pub(crate) fn walk<E>(
        &self,
        fault: impl Fn(RecordError) -> E,
        sink: &mut dyn FnMut(&FrameView<'_>) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let (mut rest, mut link, mut revision) = (self.frames.as_slice(), self.before, self.first);
        for _ in 0..self.count {
            let (view, len) = FrameView::read(rest, Form::History).map_err(&fault)?;
            if let Some(genesis) = view.genesis().map_err(&fault)?
                && genesis != link
            {
                return Err(fault(RecordError::BadHash));
            }
            if !view.holds(&link, Form::History)
                || view.head.revision != revision
                || view.head.tenant != self.tenant
            {
                return Err(fault(RecordError::BadHash));
            }
            rest = rest.get(len..).unwrap_or_default();
            (link, revision) = (view.link, revision.next());
            if !sink(&view)? {
                return Ok(false);
            }
        }
        if !rest.is_empty() || link != self.link || revision != self.next {
            return Err(fault(RecordError::Trailing));
        }
        Ok(true)
    }
}
/// The segment that holds `revision`, or the last one before it.
pub(crate) fn at(
    transaction: &ReadTransaction,
    tenant: TenantId,
    revision: Revision,
) -> Result<Option<Segment>, StorageError> {
    let (from, to) = (segment_key(tenant, Revision(0)), segment_key(tenant, revision));
    let table = transaction.open_table(SEGMENT).map_err(StorageError::checkpoint("opening a table"))?;
    let mut range =
        table.range::<&[u8]>(from.as_slice()..=to.as_slice()).map_err(StorageError::checkpoint("reading"))?;
    let Some(entry) = range.next_back() else { return Ok(None) };
    let (key, value) = entry.map_err(StorageError::checkpoint("reading"))?;
    let first = key.value().last_chunk::<8>().copied().unwrap_or_default();
    Segment::read(tenant, Revision(u64::from_be_bytes(first)), value.value())
        .map(Some)
        .map_err(read::fault(Of::Segment, tenant))
}
