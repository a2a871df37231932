//! What went wrong with a frame: as an error here, and as an Error reply on the wire.

use crate::archive::{self, ErrorPayload};
use crate::frame::Frame;
use crate::kind::Kind;
use crate::outbox::Outbox;
use crate::tag::Tag;
use std::fmt;
use tessera_model::code::{CODE_REDIRECT, ProtocolCode};
use tessera_model::{Cell, CellId, Limit, Refusal};

/// LIMIT: the text of an Error reply, bytes: a sentence for people.
const DETAIL_BYTES_MAX: usize = 256;
/// LIMIT: the name in an Error reply, bytes: that of a limit, a setting, a part of a cursor, and the longest of a host
/// (RFC 1035 section 3.1).
const NAMED_BYTES_MAX: usize = 253;

/// Why bytes are not what they claim to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum WireError {
    /// The header or the padding is wrong: where the next frame begins is not known.
    BadHeader,
    /// The frame is over the cap.
    FrameTooLarge,
    /// No kind has this number, or not one that may be sent in this direction.
    KindUnknown,
    /// The payload does not read as its kind.
    BadPayload,
    /// A field is missing, repeated, or of another kind than its tag asks for.
    BadField(Tag),
    /// A field holds something ill-formed: a refusal (227), for the payload itself is sound.
    Malformed(Tag),
    /// A field holds more than a limit allows: a refusal (220).
    Limit(Tag, Limit),
    /// A field names an instant that no deadline can: before 2020, or too far ahead. A refusal too (217).
    DeadlinePassed(Tag),
}

impl WireError {
    /// Its number in the one code space.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::BadHeader => ProtocolCode::BadHeader.code(),
            Self::FrameTooLarge => ProtocolCode::FrameTooLarge.code(),
            Self::KindUnknown => ProtocolCode::KindUnknown.code(),
            Self::BadPayload | Self::BadField(_) => ProtocolCode::BadPayload.code(),
            Self::Malformed(_) => Refusal::Malformed.code(),
            Self::Limit(_, limit) => limit.reached().code(),
            Self::DeadlinePassed(_) => Refusal::DeadlinePassed.code(),
        }
    }

    /// Whether the connection must be closed, because the stream cannot be read on.
    #[must_use]
    pub const fn closes(self) -> bool {
        matches!(self, Self::BadHeader | Self::FrameTooLarge)
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadHeader => f.write_str("bad frame header"),
            Self::FrameTooLarge => f.write_str("frame over the cap"),
            Self::KindUnknown => f.write_str("unknown kind"),
            Self::BadPayload => f.write_str("the payload does not read as its kind"),
            Self::BadField(tag) => write!(f, "field {} is missing, repeated or of another kind", tag.name()),
            Self::Malformed(tag) => write!(f, "field {} is ill-formed", tag.name()),
            Self::Limit(tag, limit) => write!(f, "field {}: {}", tag.name(), limit.reached()),
            Self::DeadlinePassed(tag) => write!(f, "field {} is in the past or too far ahead", tag.name()),
        }
    }
}

impl std::error::Error for WireError {}

/// An Error reply: why a question was not answered.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Fault {
    /// Number in the one code space (2xx to 5xx).
    pub code: u16,
    /// Where the tenant lives, with Redirect.
    pub cell: CellId,
    /// When to come again, in ms; 0 when nothing is known. With NotReady and Busy.
    pub retry_ms: u32,
    /// The limit, setting or part of a cursor that a refusal names; empty for none. With Redirect the name in the other
    /// node's certificate.
    pub named: String,
    /// The number of that limit; 0 for none. With Redirect the version of the fleet file.
    pub bound: u64,
    /// A sentence for people; with Redirect the address of the other node.
    pub detail: String,
}

impl Fault {
    /// A reply with a code and a sentence.
    #[must_use]
    pub fn new(code: u16, detail: &str) -> Self {
        Self { code, detail: detail.to_owned(), ..Self::default() }
    }

    /// A refusal with its own text, and with what it names.
    #[must_use]
    pub fn refused(refusal: Refusal) -> Self {
        let (named, bound) = (refusal.named().to_owned(), refusal.bound());
        Self { named, bound, ..Self::new(refusal.code(), &refusal.to_string()) }
    }

    /// A protocol error with its own text.
    #[must_use]
    pub fn protocol(code: ProtocolCode) -> Self {
        Self::new(code.code(), code.text())
    }

    /// Another node has the tenant: what this one's fleet file, of that version, says of it.
    #[must_use]
    pub fn redirect(cell: &Cell, version: u64) -> Self {
        let named = cell.certificate.to_string();
        Self { cell: cell.id, named, bound: version, ..Self::new(CODE_REDIRECT, &cell.address) }
    }

    /// Another node has the tenant, and this one's fleet file does not say where that is.
    #[must_use]
    pub fn redirect_unknown(cell: CellId) -> Self {
        Self { cell, ..Self::new(CODE_REDIRECT, "") }
    }

    /// The refusal behind the code, if it is one.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        Refusal::read(self.code, &self.named, self.bound)
    }
}

impl From<WireError> for Fault {
    fn from(error: WireError) -> Self {
        let told = Self::new(error.code(), &error.to_string());
        if let WireError::Limit(_, limit) = error {
            Self { named: limit.name().to_owned(), bound: limit.bound(), ..told }
        } else {
            told
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.detail.is_empty() {
            write!(f, "code {}", self.code)
        } else {
            write!(f, "{} ({})", self.detail, self.code)
        }
    }
}

/// The longest beginning of `text` within `bytes` bytes that is whole characters.
fn beginning(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or("")
}

impl Outbox {
    /// Writes an Error reply. The detail is cut to 256 bytes.
    ///
    /// # Errors
    /// [`WireError::FrameTooLarge`] cannot happen within the cut.
    pub fn fault(&mut self, request_id: u64, fault: &Fault) -> Result<(), WireError> {
        let payload = ErrorPayload {
            code: fault.code,
            cell: fault.cell.0,
            retry_ms: fault.retry_ms,
            bound: fault.bound,
            named: beginning(&fault.named, NAMED_BYTES_MAX).as_bytes().to_vec(),
            detail: beginning(&fault.detail, DETAIL_BYTES_MAX).as_bytes().to_vec(),
        };
        self.payload(Kind::Error, request_id, &payload)
    }
}

impl Frame<'_> {
    /// Reads an Error reply.
    ///
    /// # Errors
    /// [`WireError::BadPayload`].
    pub fn fault(&self) -> Result<Fault, WireError> {
        let payload = archive::read::<archive::ArchivedErrorPayload>(self.payload)?;
        let (named, detail) = (payload.named.as_slice(), payload.detail.as_slice());
        if detail.len() > DETAIL_BYTES_MAX || named.len() > NAMED_BYTES_MAX {
            return Err(WireError::BadPayload);
        }
        Ok(Fault {
            code: payload.code.to_native(),
            cell: CellId(payload.cell.to_native()),
            retry_ms: payload.retry_ms.to_native(),
            bound: payload.bound.to_native(),
            named: str::from_utf8(named).map_err(|_| WireError::BadPayload)?.to_owned(),
            detail: str::from_utf8(detail).map_err(|_| WireError::BadPayload)?.to_owned(),
        })
    }
}
