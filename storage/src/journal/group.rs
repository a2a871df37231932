//! Groups: what one commit writes. A header, a table of frames, the frames.
//!
//! The hash of a group is keyed by the directory's salt, so that nobody who can store text in a tenant
//! can forge one, and covers the hash of the group before, so that groups stand in one order.

use crate::record::frame::{Form, FrameView};
use crate::record::{Field, Reader, RecordError, field::record};
use tessera_crypto::Hasher;
use tessera_model::TenantId;
use tessera_model::limits::{GROUP_BYTES_MAX, GROUP_FRAMES_MAX};

/// Groups begin at multiples of this, and are padded to it: what a disk writes whole.
pub(crate) const BLOCK_BYTES: usize = 4096;
/// Bytes of the header.
pub(crate) const HEADER_BYTES: usize = 128;
/// Bytes of one frame's entry in a group's table.
pub(crate) const ENTRY_BYTES: usize = 32;
/// Bytes of a checkpoint's name between table and frames.
const NAME_BYTES: usize = 16;
/// First four bytes of a group; 0xFF begins no UTF-8 text.
const MAGIC: u32 = u32::from_le_bytes([0xFF, b'T', b'S', b'G']);
/// Version of the group.
const VERSION: u16 = 1;
/// Flag: the lane wrote it at rest or at its end; it holds no frames.
const FLAG_CLOSING: u16 = 1;
/// Flag: a checkpoint's name stands between table and frames.
const FLAG_NAMES: u16 = 2;
/// What the table's hash covers of the header.
const BEFORE_TABLE_HASH: usize = 64;
/// What the group's hash covers of the header.
const BEFORE_HASH: usize = 96;

/// The directory's salt.
pub(crate) type Salt = [u8; 32];

/// A finished checkpoint, as the next group names it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Name {
    /// The sequence that it covers.
    pub(crate) covered: u64,
    /// The number of transactions its file had seen when it was finished.
    pub(crate) writes: u64,
}

/// A group's header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    magic: u32,
    version: u16,
    flags: u16,
    /// Sequence of the first frame.
    pub(crate) sequence: u64,
    /// Frames in it.
    pub(crate) count: u32,
    body_len: u32,
    /// Raised at every start: of two groups behind the same one, the later life's counts.
    pub(crate) lane_epoch: u64,
    /// Hash of the group before.
    pub(crate) previous: [u8; 32],
    table_hash: [u8; 32],
    /// Its own hash.
    pub(crate) hash: [u8; 32],
}

/// One frame's entry in the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    /// Whose frame.
    pub(crate) tenant: TenantId,
    /// Its revision.
    pub(crate) revision: u64,
    /// Its first byte, from the group's first.
    pub(crate) offset: u32,
    /// Its bytes.
    pub(crate) len: u32,
    spare: u64,
}

record! {
    Name { covered, writes }
    Header {
        magic, version, flags, sequence, count, body_len, lane_epoch, previous, table_hash, hash,
    }
    Entry { tenant, revision, offset, len, spare }
}

impl Header {
    /// A header, if these bytes can be one of this version.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let header = Self::take(&mut Reader::new(bytes)).ok()?;
        let sound = header.magic == MAGIC
            && header.version == VERSION
            && header.flags & !(FLAG_CLOSING | FLAG_NAMES) == 0
            && header.sequence > 0
            // A damaged number may be any, and is counted on from before it is verified.
            && header.sequence.checked_add(u64::from(header.count) + 1).is_some()
            && usize::try_from(header.count).is_ok_and(|count| count <= GROUP_FRAMES_MAX)
            && header.whole_len() <= GROUP_BYTES_MAX
            && header.table_len() + header.name_len() <= header.body_len();
        sound.then_some(header)
    }

    /// Whether these bytes begin like a group of a version that this program does not know.
    pub(crate) fn is_newer(bytes: &[u8]) -> Option<u16> {
        let mut input = Reader::new(bytes);
        let (magic, version) = (u32::take(&mut input).ok()?, u16::take(&mut input).ok()?);
        (magic == MAGIC && version > VERSION).then_some(version)
    }

    fn body_len(&self) -> usize {
        usize::try_from(self.body_len).unwrap_or(usize::MAX / 2)
    }

    fn table_len(&self) -> usize {
        usize::try_from(self.count).unwrap_or(usize::MAX / 64) * ENTRY_BYTES
    }

    const fn name_len(&self) -> usize {
        if self.flags & FLAG_NAMES == 0 { 0 } else { NAME_BYTES }
    }

    /// Bytes with header and body, without padding.
    pub(crate) fn whole_len(&self) -> usize {
        HEADER_BYTES + self.body_len()
    }

    /// Bytes that it takes in its file.
    pub(crate) fn padded_len(&self) -> u64 {
        self.whole_len().next_multiple_of(BLOCK_BYTES) as u64
    }

    /// Whether it has no frames: the lane was at rest.
    pub(crate) const fn is_closing(&self) -> bool {
        self.flags & FLAG_CLOSING != 0
    }

    /// Sequence of the last frame. A group without frames takes one number all the same.
    pub(crate) fn last_sequence(&self) -> u64 {
        self.sequence + u64::from(self.count.max(1)) - 1
    }
}

/// What is known of a group before it is hashed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft {
    pub(crate) sequence: u64,
    pub(crate) lane_epoch: u64,
    pub(crate) previous: [u8; 32],
    pub(crate) name: Option<Name>,
}

/// Bytes that `frames` frames of `bytes` bytes take as a group, padding included.
pub(crate) const fn size_of(frames: usize, bytes: usize) -> usize {
    (HEADER_BYTES + frames * ENTRY_BYTES + NAME_BYTES + bytes).next_multiple_of(BLOCK_BYTES)
}

/// The first byte of the first frame, from the group's first.
pub(crate) const fn frames_offset(frames: u64, named: bool) -> u64 {
    HEADER_BYTES as u64 + frames * ENTRY_BYTES as u64 + if named { NAME_BYTES as u64 } else { 0 }
}

/// One frame on its way into a group.
#[derive(Clone, Copy)]
pub(crate) struct Piece<'a> {
    pub(crate) tenant: TenantId,
    pub(crate) revision: u64,
    pub(crate) bytes: &'a [u8],
}

/// Writes a whole group into `out` and gives back its header. The caller keeps the caps: at most
/// `GROUP_FRAMES_MAX` frames in `GROUP_BYTES_MAX` bytes.
pub(crate) fn encode<'a>(
    out: &mut Vec<u8>,
    salt: &Salt,
    draft: &Draft,
    pieces: impl Iterator<Item = Piece<'a>> + Clone,
) -> Header {
    out.clear();
    out.resize(HEADER_BYTES, 0);
    let (mut count, mut bytes) = (0u32, 0usize);
    for piece in pieces.clone() {
        count += 1;
        bytes += piece.bytes.len();
    }
    let names = if draft.name.is_some() { FLAG_NAMES } else { 0 };
    let closing = if count == 0 { FLAG_CLOSING } else { 0 };
    let mut header = Header {
        magic: MAGIC,
        version: VERSION,
        flags: names | closing,
        sequence: draft.sequence,
        count,
        body_len: 0,
        lane_epoch: draft.lane_epoch,
        previous: draft.previous,
        table_hash: [0; 32],
        hash: [0; 32],
    };
    let body_len = header.table_len() + header.name_len() + bytes;
    header.body_len = u32::try_from(body_len).unwrap_or(u32::MAX);
    let mut offset = HEADER_BYTES + header.table_len() + header.name_len();
    for piece in pieces.clone() {
        let entry = Entry {
            tenant: piece.tenant,
            revision: piece.revision,
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
            len: u32::try_from(piece.bytes.len()).unwrap_or(u32::MAX),
            spare: 0,
        };
        entry.put(out);
        offset += piece.bytes.len();
    }
    let table_end = out.len();
    if let Some(name) = draft.name {
        name.put(out);
    }
    pieces.for_each(|piece| out.extend_from_slice(piece.bytes));
    let mut head = Vec::with_capacity(HEADER_BYTES);
    header.put(&mut head);
    header.table_hash = hash_behind(salt, (&head, BEFORE_TABLE_HASH), out, table_end);
    head.clear();
    header.put(&mut head);
    let end = out.len();
    header.hash = hash_behind(salt, (&head, BEFORE_HASH), out, end);
    head.clear();
    header.put(&mut head);
    if let Some(place) = out.get_mut(..HEADER_BYTES) {
        place.copy_from_slice(&head);
    }
    out.resize(out.len().next_multiple_of(BLOCK_BYTES), 0);
    header
}

/// The hash of the first `before` bytes of the header and of what stands behind the header up to `end`. They are put right
/// before it meanwhile: bytes that stand in one piece are hashed several blocks at a time.
fn hash_behind(salt: &Salt, (head, before): (&[u8], usize), out: &mut [u8], end: usize) -> [u8; 32] {
    let start = HEADER_BYTES - before;
    if let (Some(place), Some(first)) = (out.get_mut(start..HEADER_BYTES), head.get(..before)) {
        place.copy_from_slice(first);
    }
    tessera_crypto::digest::keyed(salt, &[out.get(start..end).unwrap_or_default()])
}

fn hash(salt: &Salt, head: &[u8], rest: &[u8]) -> [u8; 32] {
    Hasher::keyed(salt).update(head).update(rest).finish()
}

/// A group that was read back, as far as it verifies.
pub(crate) enum Reading {
    /// It is whole.
    Whole(Vec<Entry>, Option<Name>),
    /// Its table is, its frames are not.
    TableOnly(Vec<Entry>),
    /// Nothing of it is.
    Nothing,
}

/// Looks at a group's bytes (without padding) behind a header that [`Header::read`] took.
pub(crate) fn read(bytes: &[u8], header: &Header, salt: &Salt) -> Reading {
    let table_end = HEADER_BYTES + header.table_len();
    let (Some(table), Some(body)) = (bytes.get(HEADER_BYTES..table_end), bytes.get(HEADER_BYTES..)) else {
        return Reading::Nothing;
    };
    let before = |len| bytes.get(..len).unwrap_or_default();
    let unchecked = crate::planted::is_chain_unchecked();
    if hash(salt, before(BEFORE_TABLE_HASH), table) != header.table_hash && !unchecked {
        return Reading::Nothing;
    }
    let Ok(entries) = entries(table) else { return Reading::Nothing };
    let whole = hash(salt, before(BEFORE_HASH), body) == header.hash || unchecked;
    if bytes.len() != header.whole_len() || !whole {
        return Reading::TableOnly(entries);
    }
    if header.name_len() == 0 {
        return Reading::Whole(entries, None);
    }
    match Name::take(&mut Reader::new(bytes.get(table_end..).unwrap_or_default())) {
        Ok(name) => Reading::Whole(entries, Some(name)),
        Err(_) => Reading::TableOnly(entries),
    }
}

/// A group of `frames` sequence numbers whose header or table was damaged, made anew of the frames behind
/// them: only if it has the hash that the group behind it names, so it is the very same.
pub(crate) fn make_anew(
    bytes: &[u8],
    salt: &Salt,
    draft: &Draft,
    frames: u64,
    wanted: &[u8; 32],
) -> Option<(Header, Vec<Entry>, Option<Name>)> {
    let mut out = Vec::new();
    for (count, named) in [(frames, false), (frames, true), (0, false), (0, true)] {
        if count > GROUP_FRAMES_MAX as u64 || count == 0 && frames != 1 {
            continue;
        }
        let start = usize::try_from(frames_offset(count, named)).ok()?;
        let name = bytes.get(start.checked_sub(NAME_BYTES)?..start).filter(|_| named);
        let name = name.and_then(|bytes| Name::take(&mut Reader::new(bytes)).ok());
        let Some(pieces) = pieces(bytes.get(start..).unwrap_or_default(), count) else { continue };
        let header = encode(&mut out, salt, &Draft { name, ..*draft }, pieces.iter().copied());
        if header.hash == *wanted {
            let entries = entries(out.get(HEADER_BYTES..HEADER_BYTES + header.table_len())?).ok()?;
            return Some((header, entries, name));
        }
    }
    None
}

/// So many frames that stand behind one another.
fn pieces(mut rest: &[u8], count: u64) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    for _ in 0..count {
        let (view, len) = FrameView::read(rest, Form::Journal).ok()?;
        let (bytes, behind) = rest.split_at_checked(len)?;
        pieces.push(Piece { tenant: view.head.tenant, revision: view.head.revision.0, bytes });
        rest = behind;
    }
    Some(pieces)
}

fn entries(table: &[u8]) -> Result<Vec<Entry>, RecordError> {
    let mut input = Reader::new(table);
    let mut entries = Vec::with_capacity(table.len() / ENTRY_BYTES);
    while !input.rest().is_empty() {
        entries.push(Entry::take(&mut input)?);
    }
    Ok(entries)
}
