//! The send buffer: frames are written behind each other and leave in one write.

use crate::fault::WireError;
use crate::frame::{HEADER_BYTES, Header};
use crate::kind::Kind;
use rkyv::api::low::{LowSerializer, to_bytes_in_with_alloc};
use rkyv::rancor::Failure;
use rkyv::ser::allocator::SubAllocator;
use rkyv::util::AlignedVec;
use tessera_model::limits::WIRE_FRAME_BYTES_MAX;

/// LIMIT: a send buffer of up to 64 KiB is kept for the next replies.
const KEPT_BYTES: usize = 64 * 1024;

/// What serialises into the send buffer.
pub(crate) type Serializer<'a> = LowSerializer<&'a mut AlignedVec<16>, SubAllocator<'a>, Failure>;

/// Frames on their way out. Always a multiple of 16 bytes.
#[derive(Default)]
pub struct Outbox {
    bytes: AlignedVec<16>,
}

impl Outbox {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The bytes written so far.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes that the buffer holds on to.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Forgets the frames. A large buffer is given back.
    pub fn clear(&mut self) {
        if self.bytes.capacity() > KEPT_BYTES {
            self.bytes = AlignedVec::new();
        } else {
            self.bytes.clear();
        }
    }

    /// Forgets what was written behind the first `len` bytes, which end with a frame.
    pub fn cut(&mut self, len: usize) {
        self.bytes.resize(len.min(self.bytes.len()), 0);
    }

    /// Puts frames of another buffer behind those here.
    pub fn append(&mut self, other: &Self) {
        self.bytes.extend_from_slice(&other.bytes);
    }

    /// Writes one frame whose payload is so many words, an even number.
    /// COST: each is stored where it goes: what is put together elsewhere and copied waits for its parts.
    pub(crate) fn flat<const WORDS: usize>(&mut self, kind: Kind, request_id: u64, payload: [u64; WORDS]) {
        const { assert!(WORDS.is_multiple_of(2) && WORDS < 1_024) };
        let bytes = u32::try_from(WORDS * 8).unwrap_or_default();
        let first = u64::from(bytes) | u64::from(kind.number()) << 32;
        let start = self.bytes.len();
        self.bytes.resize(start + HEADER_BYTES + WORDS * 8, 0);
        let (places, _) = self.bytes.as_mut_slice().get_mut(start..).unwrap_or_default().as_chunks_mut();
        for (to, from) in places.iter_mut().zip([first, request_id].into_iter().chain(payload)) {
            *to = from.to_le_bytes();
        }
    }

    /// Writes one frame: header, payload, padding. On failure nothing is written.
    pub(crate) fn payload<T>(&mut self, kind: Kind, request_id: u64, payload: &T) -> Result<(), WireError>
    where
        T: for<'a> rkyv::Serialize<Serializer<'a>>,
    {
        let start = self.bytes.len();
        let written = self.write(kind, request_id, payload);
        if written.is_err() {
            self.bytes.resize(start, 0);
        }
        written
    }

    fn write<T>(&mut self, kind: Kind, request_id: u64, payload: &T) -> Result<(), WireError>
    where
        T: for<'a> rkyv::Serialize<Serializer<'a>>,
    {
        let start = self.bytes.len();
        let mut header = Header { len: 0, kind: kind.number(), request_id };
        self.bytes.extend_from_slice(&header.to_bytes());
        // COST: flat types need no scratch space; an allocation by rkyv would be an error here.
        to_bytes_in_with_alloc::<_, _, Failure>(payload, &mut self.bytes, SubAllocator::new(&mut []))
            .map_err(|_| WireError::BadPayload)?;
        let len = self.bytes.len() - start - HEADER_BYTES;
        if len > WIRE_FRAME_BYTES_MAX {
            return Err(WireError::FrameTooLarge);
        }
        header.len = u32::try_from(len).map_err(|_| WireError::FrameTooLarge)?;
        self.bytes.resize(start + HEADER_BYTES + len.next_multiple_of(HEADER_BYTES), 0);
        if let Some(place) = self.bytes.as_mut_slice().get_mut(start..start + HEADER_BYTES) {
            place.copy_from_slice(&header.to_bytes());
        }
        Ok(())
    }
}
