//! Handles: the opaque tokens that callers hold, in bytes and in text.
//!
//! A handle is 40 bytes: version, kind, cell, tenant, place, generation, secret. It names the place
//! where the answer lies; only a hash of it is stored. It is parsed here and hashed in crypto.
//! The text form carries a checksum, so that leaked ones can be scanned for.

use crate::id::{CellId, Generation, Place, TenantId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;

/// Bytes of a handle.
pub const HANDLE_BYTES: usize = 40;
/// Bytes of the secret inside.
pub const SECRET_BYTES: usize = 20;
/// Characters of the text form: prefix 5, base64url 54, checksum 6.
pub const HANDLE_TEXT_CHARS: usize = 65;
const VERSION: u8 = 1;

/// A handle as 40 bytes, possibly not a sound one. No `Debug`: it is a secret.
pub type HandleBytes = [u8; HANDLE_BYTES];

/// What a handle opens.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum HandleKind {
    /// A session, text prefix `tess_`.
    Session,
    /// An API key, text prefix `tkey_`.
    Key,
    /// A refresh handle, text prefix `tref_`.
    Refresh,
    /// A one-time secret with which its holder sets a password, text prefix `tset_`. Its place is the
    /// subject's index, its generation 1.
    SetUp,
    /// A one-time secret with which an invitation is answered, text prefix `tinv_`. Its place is the invitation's
    /// number, its generation how many secrets were made for it.
    Invitation,
}

impl HandleKind {
    /// The prefix of the text form.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "tess_",
            Self::Key => "tkey_",
            Self::Refresh => "tref_",
            Self::SetUp => "tset_",
            Self::Invitation => "tinv_",
        }
    }

    /// Whether it is a session or key: what checks ask about and connections are bound by.
    #[must_use]
    pub const fn is_credential(self) -> bool {
        matches!(self, Self::Session | Self::Key)
    }

    /// Number in byte 1 of a handle: 1 to 5.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Session => 1,
            Self::Key => 2,
            Self::Refresh => 3,
            Self::SetUp => 4,
            Self::Invitation => 5,
        }
    }

    const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Session),
            2 => Some(Self::Key),
            3 => Some(Self::Refresh),
            4 => Some(Self::SetUp),
            5 => Some(Self::Invitation),
            _ => None,
        }
    }
}

/// Why something is no handle. It never says which part of the secret was wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HandleError {
    /// Not the length or form of a handle.
    Malformed,
    /// The checksum of the text does not fit: mistyped or cut off.
    Checksum,
    /// A version that this build does not know.
    Version,
}

impl fmt::Display for HandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a handle",
            Self::Checksum => "the handle's checksum does not fit: mistyped or cut off",
            Self::Version => "the handle is of a version that is not known here",
        })
    }
}

impl std::error::Error for HandleError {}

/// A parsed handle. No `Debug`, no `==`: it holds a secret.
#[derive(Clone, Copy)]
pub struct Handle {
    /// What it opens.
    pub kind: HandleKind,
    /// Where it was issued: a routing hint, never trusted.
    pub cell: CellId,
    /// The tenant it belongs to.
    pub tenant: TenantId,
    /// The place in the tenant's table.
    pub place: Place,
    /// The life of that place.
    pub generation: Generation,
    /// What only the holder knows.
    pub secret: [u8; SECRET_BYTES],
}

impl Handle {
    /// Reads 40 bytes.
    ///
    /// # Errors
    /// [`HandleError::Version`] or [`HandleError::Malformed`].
    pub fn parse(bytes: &HandleBytes) -> Result<Self, HandleError> {
        let (head, secret) = bytes.split_last_chunk::<SECRET_BYTES>().ok_or(HandleError::Malformed)?;
        let &[version, kind, c0, c1, t0, t1, t2, t3, t4, t5, t6, t7, p0, p1, p2, p3, g0, g1, g2, g3] = head
        else {
            return Err(HandleError::Malformed);
        };
        if version != VERSION {
            return Err(HandleError::Version);
        }
        Ok(Self {
            kind: HandleKind::from_number(kind).ok_or(HandleError::Malformed)?,
            cell: CellId(u16::from_le_bytes([c0, c1])),
            tenant: TenantId(u64::from_le_bytes([t0, t1, t2, t3, t4, t5, t6, t7])),
            place: Place(u32::from_le_bytes([p0, p1, p2, p3])),
            generation: Generation(u32::from_le_bytes([g0, g1, g2, g3])),
            secret: *secret,
        })
    }

    /// Where a handle's place stands, of bytes that nobody has looked at: to ask for it early, and nothing else.
    #[must_use]
    #[inline]
    pub const fn place_of(bytes: &HandleBytes) -> Place {
        let [_, _, _, _, _, _, _, _, _, _, _, _, p0, p1, p2, p3, ..] = *bytes;
        Place(u32::from_le_bytes([p0, p1, p2, p3]))
    }

    /// The 40 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> HandleBytes {
        let [c0, c1] = self.cell.0.to_le_bytes();
        let [t0, t1, t2, t3, t4, t5, t6, t7] = self.tenant.0.to_le_bytes();
        let [p0, p1, p2, p3] = self.place.0.to_le_bytes();
        let [g0, g1, g2, g3] = self.generation.0.to_le_bytes();
        let mut out = [0; HANDLE_BYTES];
        let head = [
            VERSION,
            self.kind.number(),
            c0,
            c1,
            t0,
            t1,
            t2,
            t3,
            t4,
            t5,
            t6,
            t7,
            p0,
            p1,
            p2,
            p3,
            g0,
            g1,
            g2,
            g3,
        ];
        if let Some((front, secret)) = out.split_first_chunk_mut() {
            *front = head;
            secret.copy_from_slice(&self.secret);
        }
        out
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`HandleError`] says whether form, checksum or version is wrong.
    pub fn parse_text(text: &str) -> Result<Self, HandleError> {
        if text.len() != HANDLE_TEXT_CHARS || !text.is_ascii() {
            return Err(HandleError::Malformed);
        }
        let (body, checksum) = text.split_at(HANDLE_TEXT_CHARS - 6);
        if base62(crc32fast::hash(body.as_bytes())) != checksum.as_bytes() {
            return Err(HandleError::Checksum);
        }
        let (prefix, encoded) = body.split_at(5);
        let mut bytes: HandleBytes = [0; HANDLE_BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(encoded, &mut bytes);
        if length != Ok(HANDLE_BYTES) {
            return Err(HandleError::Malformed);
        }
        let handle = Self::parse(&bytes)?;
        if handle.kind.prefix() == prefix { Ok(handle) } else { Err(HandleError::Malformed) }
    }

    /// The text form, to be given to the holder once.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::with_capacity(HANDLE_TEXT_CHARS);
        text.push_str(self.kind.prefix());
        text.push_str(&URL_SAFE_NO_PAD.encode(self.to_bytes()));
        let checksum = base62(crc32fast::hash(text.as_bytes()));
        text.extend(checksum.iter().map(|byte| char::from(*byte)));
        text
    }
}

/// Six base62 digits (0–9 A–Z a–z), most significant first: 62^6 > 2^32.
fn base62(mut number: u32) -> [u8; 6] {
    let mut out = [b'0'; 6];
    for digit in out.iter_mut().rev() {
        let value = u8::try_from(number % 62).unwrap_or(0);
        *digit = match value {
            0..=9 => b'0' + value,
            10..=35 => b'A' + (value - 10),
            _ => b'a' + (value - 36),
        };
        number /= 62;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(kind: HandleKind) -> Handle {
        Handle {
            kind,
            cell: CellId(7),
            tenant: TenantId(0x0001_0000_0000_0002),
            place: Place(99),
            generation: Generation(3),
            secret: *b"twenty bytes secret!",
        }
    }

    /// PROPERTY: bytes and text read back. METHOD: each kind.
    #[test]
    fn handles_read_back() {
        for kind in [HandleKind::Session, HandleKind::Key, HandleKind::Refresh, HandleKind::SetUp] {
            let made = handle(kind);
            let text = made.to_text();
            assert_eq!(text.len(), HANDLE_TEXT_CHARS);
            assert!(!text.contains('.'));
            let Ok(read) = Handle::parse_text(&text) else { panic!("{text}") };
            assert!(read.to_bytes() == made.to_bytes());
        }
    }

    /// PROPERTY: no prefix, suffix or changed character of a text form reads as a handle (TC-20).
    /// METHOD: every cut and every single-character change to one other character, exhaustively.
    #[test]
    fn tc_20_damaged_texts_are_refused() {
        for kind in [HandleKind::Session, HandleKind::Key, HandleKind::Refresh, HandleKind::SetUp] {
            let text = handle(kind).to_text();
            for cut in 0..text.len() {
                assert!(Handle::parse_text(&text[..cut]).is_err());
                assert!(cut == 0 || Handle::parse_text(&text[cut..]).is_err());
            }
            for at in 0..text.len() {
                for bit in 0..7 {
                    let mut changed = text.clone().into_bytes();
                    changed[at] ^= 1 << bit;
                    let Ok(changed) = String::from_utf8(changed) else { continue };
                    assert!(Handle::parse_text(&changed).is_err(), "{at} {bit}");
                }
            }
        }
    }
}
