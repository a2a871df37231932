//! Why a connection is closed by us: a code that the peer sees.

use quinn::VarInt;
use tessera_model::code::{CODE_FAILED, ProtocolCode};
use tessera_wire::WireError;

/// The end of a connection, with its code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct End(u16);

impl End {
    pub(crate) const TOO_SLOW: Self = Self(ProtocolCode::TooSlow.code());
    pub(crate) const LIMIT: Self = Self(ProtocolCode::LimitReached.code());
    pub(crate) const HELLO_EXPECTED: Self = Self(ProtocolCode::HelloExpected.code());
    pub(crate) const HELLO_REFUSED: Self = Self(ProtocolCode::HelloRefused.code());
    pub(crate) const DRAINING: Self = Self(ProtocolCode::Draining.code());
    pub(crate) const FAILED: Self = Self(CODE_FAILED);

    /// Closes the connection. What was written but not acknowledged is lost.
    pub(crate) fn close(self, connection: &quinn::Connection) {
        connection.close(self.code(), b"");
    }

    /// The code as QUIC carries it.
    pub(crate) const fn code(self) -> VarInt {
        VarInt::from_u32(self.0 as u32)
    }
}

impl From<WireError> for End {
    fn from(error: WireError) -> Self {
        Self(error.code())
    }
}
