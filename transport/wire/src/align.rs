//! The receive buffer: chunks come in at any offset, frames go out aligned to 16.
//!
//! QUIC hands out chunks of any length. They are copied once, behind each other, into a buffer that
//! starts at a multiple of 16; as every frame's length is one too, each payload stands aligned and
//! is read in place.

use crate::fault::WireError;
use crate::frame::{Frame, HEADER_BYTES, Header};
use rkyv::util::AlignedVec;
use tessera_model::limits::{WIRE_FRAME_BEFORE_HELLO_BYTES_MAX, WIRE_FRAME_BYTES_MAX};

/// LIMIT: a receive buffer of up to one page is always kept; a larger one while it is used by an eighth,
/// and until its peer rests.
const KEPT_BYTES: usize = 4 * 1024;

/// The receive buffer of one stream. It grows on demand up to one frame and one chunk.
pub struct Inbox {
    bytes: AlignedVec<16>,
    start: usize,
    cap: usize,
}

impl Default for Inbox {
    /// A buffer that takes frames up to the cap of a connection that has said Hello.
    fn default() -> Self {
        Self { bytes: AlignedVec::new(), start: 0, cap: WIRE_FRAME_BYTES_MAX }
    }
}

impl Inbox {
    /// A buffer for the time before Hello was answered: frames up to 4 KiB.
    #[must_use]
    pub fn before_hello() -> Self {
        Self { cap: WIRE_FRAME_BEFORE_HELLO_BYTES_MAX, ..Self::default() }
    }

    /// Hello was answered: frames up to 256 KiB from now on.
    pub const fn after_hello(&mut self) {
        self.cap = WIRE_FRAME_BYTES_MAX;
    }

    /// Takes a chunk. What was read before is dropped first.
    pub fn extend(&mut self, chunk: &[u8]) {
        self.compact();
        self.bytes.extend_from_slice(chunk);
    }

    /// The next whole frame, if there is one. Frames of unknown kinds are given out too.
    ///
    /// # Errors
    /// [`WireError::BadHeader`] or [`WireError::FrameTooLarge`]: nothing after it can be read.
    #[inline]
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, WireError> {
        let rest = self.bytes.get(self.start..).unwrap_or_default();
        let Some((head, rest)) = rest.split_first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let header = Header::parse(*head)?;
        let len = usize::try_from(header.len).map_err(|_| WireError::FrameTooLarge)?;
        if len > self.cap {
            return Err(WireError::FrameTooLarge);
        }
        let padded = len.next_multiple_of(HEADER_BYTES);
        let Some(body) = rest.get(..padded) else { return Ok(None) };
        let (payload, padding) = body.split_at(len);
        if padding.iter().any(|byte| *byte != 0) {
            return Err(WireError::BadHeader);
        }
        self.start += HEADER_BYTES + padded;
        Ok(Some(Frame { header, payload }))
    }

    /// Whether the beginning of a frame waits for its rest.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.start < self.bytes.len()
    }

    /// Bytes that the buffer holds on to.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Gives back a buffer over a page that holds nothing: its peer has not spoken for a while.
    pub fn rest(&mut self) {
        if !self.is_partial() && self.bytes.capacity() > KEPT_BYTES {
            (self.bytes, self.start) = (AlignedVec::new(), 0);
        }
    }

    fn compact(&mut self) {
        if self.start == 0 {
            return;
        }
        let rest = self.bytes.len() - self.start;
        if rest == 0 && self.bytes.capacity() > KEPT_BYTES && self.bytes.len() < self.bytes.capacity() / 8 {
            self.bytes = AlignedVec::new();
        } else {
            let start = self.start;
            self.bytes.as_mut_slice().copy_within(start.., 0);
            self.bytes.resize(rest, 0);
        }
        self.start = 0;
    }
}
