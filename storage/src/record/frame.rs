//! Frame v1: one command, one frame, one revision.
//!
//! The payload ends with the sealed parts, one for each owner of something private in its events.
//! Header (64) ‖ payload ‖ hash of the rows (32) ‖ link (32) ‖ length of the rows u32 ‖ 0 u32 ‖ rows,
//! padded with zeros to a multiple of 16. History keeps it up to the link.

use super::field::{Field, Reader, RecordError, put_count, put_list, record};
use super::row::{put_rows, take_rows};
use crate::batch::Staged;
use crate::chain;
use crate::seal::Part;
use crate::seal::frame::Sealed;
use crate::store::FrameRead;
use tessera_model::limits::FRAME_BYTES_MAX;
use tessera_model::{
    Caller, CommandId, CommandKind, Epoch, Event, Revision, Row, Slot, TenantId, UnixMillis,
};

/// First two bytes of a frame: no text begins so.
const MAGIC: u16 = u16::from_le_bytes([0xFE, b'T']);
/// Version of the frame.
const VERSION: u8 = 1;
/// Version of the payload's records.
const SCHEMA: u16 = 1;
/// Flag: the payload begins with the nonce of a newborn tenant's chain.
const FLAG_BIRTH: u8 = 1;
/// Flag: the fingerprint is sealed, at the beginning of the first subject's part, or of the tenant's where there is no
/// other; in the payload stands 0.
const FLAG_HIDDEN: u8 = 2;
/// Bytes of the header.
const HEADER_BYTES: usize = 64;
/// Bytes between payload and rows.
const TRAILER_BYTES: usize = 32 + 32 + 4 + 4;
/// LIMIT: events of one frame; each has at least five bytes.
const EVENTS_MAX: usize = FRAME_BYTES_MAX / 5;

/// What a frame's header says besides lengths.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FrameHead {
    pub(crate) tenant: TenantId,
    pub(crate) slot: Slot,
    pub(crate) revision: Revision,
    pub(crate) epoch: Epoch,
    pub(crate) wall: UnixMillis,
    pub(crate) kind: CommandKind,
    pub(crate) id: CommandId,
}

/// What encoding a frame found out.
pub(crate) struct Made {
    /// The frame's link.
    pub(crate) link: [u8; 32],
    /// Its bytes without rows.
    pub(crate) without_rows: usize,
}

struct Header {
    magic: u16,
    version: u8,
    flags: u8,
    kind: u16,
    schema: u16,
    payload_len: u32,
    slot: Slot,
    tenant: TenantId,
    revision: Revision,
    epoch: Epoch,
    wall: UnixMillis,
    id: CommandId,
}

record! {
    Header {
        magic, version, flags, kind, schema, payload_len, slot, tenant, revision, epoch, wall, id,
    }
}

/// Writes the frame of `staged` behind what `out` holds. Where the frame is over a cap its lengths may
/// be wrong: the caller looks at the size and takes it back.
pub(crate) fn encode(
    out: &mut Vec<u8>,
    head: &FrameHead,
    before: &[u8; 32],
    nonce: Option<&[u8; 32]>,
    (staged, sealed): (&Staged, &Sealed),
) -> Made {
    let start = out.len();
    let header = Header {
        magic: MAGIC,
        version: VERSION,
        flags: if nonce.is_some() { FLAG_BIRTH } else { 0 }
            | if sealed.hides_fingerprint { FLAG_HIDDEN } else { 0 },
        kind: head.kind.number(),
        schema: SCHEMA,
        payload_len: 0,
        slot: head.slot,
        tenant: head.tenant,
        revision: head.revision,
        epoch: head.epoch,
        wall: head.wall,
        id: head.id,
    };
    header.put(out);
    if let Some(nonce) = nonce {
        nonce.put(out);
    }
    if sealed.hides_fingerprint { 0 } else { staged.fingerprint }.put(out);
    staged.caller.put(out);
    put_list(&staged.events, out);
    put_count(sealed.parts.len(), out);
    sealed.parts.iter().for_each(|part| out.extend_from_slice(part));
    let payload_len = u32::try_from(out.len() - start - HEADER_BYTES).unwrap_or(u32::MAX);
    if let Some(field) = out.get_mut(start + 8..start + 12) {
        field.copy_from_slice(&payload_len.to_le_bytes());
    }
    let mut rows = Vec::new();
    put_rows(&sealed.rows, &mut rows);
    let rows_hash = chain::rows_hash(&rows);
    let link = chain::link(before, out.get(start..).unwrap_or_default(), &rows_hash);
    rows_hash.put(out);
    link.put(out);
    let without_rows = out.len() - start;
    u32::try_from(rows.len()).unwrap_or(u32::MAX).put(out);
    0u32.put(out);
    out.extend_from_slice(&rows);
    pad(out, start);
    Made { link, without_rows }
}

fn pad(out: &mut Vec<u8>, start: usize) {
    let len = out.len() - start;
    out.resize(start + len.next_multiple_of(16), 0);
}

/// A frame in place, its structure checked, its link not yet.
pub(crate) struct FrameView<'a> {
    pub(crate) head: FrameHead,
    birth: bool,
    hidden: bool,
    /// Header and payload, as the link hashes them.
    linked: &'a [u8],
    payload: &'a [u8],
    rows_hash: [u8; 32],
    pub(crate) link: [u8; 32],
    /// The rows as encoded; nothing in history.
    rows: &'a [u8],
    /// Bytes up to and with the link.
    upto_link: &'a [u8],
    /// All of its bytes, with padding.
    pub(crate) whole: &'a [u8],
}

/// Where a frame stands: in the journal with its rows, in history without.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// With length and rows behind the link.
    Journal,
    /// Ends with the link.
    History,
}

impl<'a> FrameView<'a> {
    /// Reads one frame from the front of `bytes`; also tells how many bytes it took.
    pub(crate) fn read(bytes: &'a [u8], form: Form) -> Result<(Self, usize), RecordError> {
        let mut input = Reader::new(bytes);
        let header = Header::take(&mut input)?;
        let sound = header.magic == MAGIC
            && header.version == VERSION
            && header.schema == SCHEMA
            && header.flags & !(FLAG_BIRTH | FLAG_HIDDEN) == 0;
        if !sound {
            return Err(RecordError::BadHeader);
        }
        let kind = CommandKind::from_number(header.kind).ok_or(RecordError::BadNumber)?;
        let payload_len = usize::try_from(header.payload_len).map_err(|_| RecordError::OverCap)?;
        if payload_len > FRAME_BYTES_MAX {
            return Err(RecordError::OverCap);
        }
        let payload = input.slice(payload_len)?;
        let linked = bytes.get(..HEADER_BYTES + payload_len).ok_or(RecordError::Short)?;
        let (rows_hash, link) = (input.array()?, input.array()?);
        let upto_link = bytes.get(..linked.len() + 64).ok_or(RecordError::Short)?;
        let (rows, end) = match form {
            Form::History => (Default::default(), upto_link.len()),
            Form::Journal => {
                let len = input.count(tessera_model::limits::FRAME_WITH_ROWS_BYTES_MAX)?;
                if u32::take(&mut input)? != 0 {
                    return Err(RecordError::BadHeader);
                }
                (input.slice(len)?, linked.len() + TRAILER_BYTES + len)
            }
        };
        let whole = end.next_multiple_of(16);
        if input.slice(whole - end)?.iter().any(|byte| *byte != 0) {
            return Err(RecordError::BadHeader);
        }
        let head = FrameHead {
            tenant: header.tenant,
            slot: header.slot,
            revision: header.revision,
            epoch: header.epoch,
            wall: header.wall,
            kind,
            id: header.id,
        };
        let birth = header.flags & FLAG_BIRTH != 0;
        let hidden = header.flags & FLAG_HIDDEN != 0;
        let all = bytes.get(..whole).ok_or(RecordError::Short)?;
        Ok((
            Self { head, birth, hidden, linked, payload, rows_hash, link, rows, upto_link, whole: all },
            whole,
        ))
    }

    /// The link before a newborn tenant's first frame; `None` for other frames.
    pub(crate) fn genesis(&self) -> Result<Option<[u8; 32]>, RecordError> {
        if !self.birth {
            return Ok(None);
        }
        let nonce = Reader::new(self.payload).array()?;
        Ok(Some(chain::genesis(self.head.tenant, &nonce)))
    }

    /// Whether its fingerprint is sealed.
    pub(crate) const fn hides_fingerprint(&self) -> bool {
        self.hidden
    }

    /// Whether the link holds over the link `before`, and the rows (where they stand) have their hash.
    pub(crate) fn holds(&self, before: &[u8; 32], form: Form) -> bool {
        chain::link(before, self.linked, &self.rows_hash) == self.link
            && (form == Form::History || chain::rows_hash(self.rows) == self.rows_hash)
    }

    /// The rows.
    pub(crate) fn rows(&self) -> Result<Vec<Row>, RecordError> {
        take_rows(self.rows)
    }

    /// Writes the frame as history keeps it.
    pub(crate) fn put_history(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(self.upto_link);
        pad(out, start);
    }

    /// The frame with its payload decoded, what is private of it blank; and the sealed parts that hold it.
    pub(crate) fn decode(&self) -> Result<(FrameRead, Vec<Part<'a>>), RecordError> {
        let mut input = Reader::new(self.payload);
        if self.birth {
            input.slice(32)?;
        }
        let fingerprint = u64::take(&mut input)?;
        let caller = Caller::take(&mut input)?;
        let events: Vec<Event> = input.list(EVENTS_MAX)?;
        let mut parts = Vec::new();
        for _ in 0..input.count(EVENTS_MAX)? {
            parts.push(Part::take(&mut input)?);
        }
        input.end()?;
        let frame = FrameRead {
            tenant: self.head.tenant,
            revision: self.head.revision,
            epoch: self.head.epoch,
            kind: self.head.kind,
            id: self.head.id,
            fingerprint,
            caller,
            wall: self.head.wall,
            events,
            link: self.link,
        };
        Ok((frame, parts))
    }
}
