//! The header of a frame, and a frame as it is handed on.

use crate::align::Inbox;
use crate::fault::WireError;
use crate::kind::Kind;

/// The protocol's name and version in TLS (ALPN).
pub const ALPN: &[u8] = b"tessera/1";
/// Bytes of a header, and what payloads are padded to.
pub const HEADER_BYTES: usize = 16;

/// A header: len u32 (payload without padding), kind u16, flags u16 (0), request id u64.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// Bytes of the payload, without header and padding.
    pub len: u32,
    /// Number of the kind, known or not.
    pub kind: u16,
    /// What the reply carries back. Chosen by the caller.
    pub request_id: u64,
}

impl Header {
    /// Reads 16 bytes.
    ///
    /// # Errors
    /// [`WireError::BadHeader`] when a flag is set: none is known yet.
    pub const fn parse(bytes: [u8; HEADER_BYTES]) -> Result<Self, WireError> {
        let [l0, l1, l2, l3, k0, k1, f0, f1, r0, r1, r2, r3, r4, r5, r6, r7] = bytes;
        if f0 != 0 || f1 != 0 {
            return Err(WireError::BadHeader);
        }
        Ok(Self {
            len: u32::from_le_bytes([l0, l1, l2, l3]),
            kind: u16::from_le_bytes([k0, k1]),
            request_id: u64::from_le_bytes([r0, r1, r2, r3, r4, r5, r6, r7]),
        })
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let [l0, l1, l2, l3] = self.len.to_le_bytes();
        let [k0, k1] = self.kind.to_le_bytes();
        let [r0, r1, r2, r3, r4, r5, r6, r7] = self.request_id.to_le_bytes();
        [l0, l1, l2, l3, k0, k1, 0, 0, r0, r1, r2, r3, r4, r5, r6, r7]
    }
}

/// A frame in the receive buffer. No `Debug`: payloads hold secrets.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// Its header.
    pub header: Header,
    /// Its payload, at an address that is a multiple of 16.
    pub payload: &'a [u8],
}

impl Frame<'_> {
    /// Its kind.
    ///
    /// # Errors
    /// [`WireError::KindUnknown`].
    #[inline]
    pub fn kind(&self) -> Result<Kind, WireError> {
        Kind::from_number(self.header.kind).ok_or(WireError::KindUnknown)
    }

    /// The frame alone, in a buffer of its own, for whoever reads it later.
    #[must_use]
    pub fn kept(&self) -> Inbox {
        let padding = [0; HEADER_BYTES];
        let mut inbox = Inbox::default();
        inbox.extend(&self.header.to_bytes());
        inbox.extend(self.payload);
        let pad = self.payload.len().next_multiple_of(HEADER_BYTES) - self.payload.len();
        inbox.extend(padding.get(..pad).unwrap_or_default());
        inbox
    }
}
