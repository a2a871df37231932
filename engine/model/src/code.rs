//! The one table of code numbers.
//!
//! 1xx deny reasons, 2xx and 6xx refusals, 3xx retry, 4xx protocol, 5xx unknown or failed. Append-only;
//! docs/surface/codes.txt is its golden text.

/// Protocol errors (4xx): the frame could not be taken as a question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ProtocolCode {
    /// The header is wrong: the connection is closed.
    BadHeader,
    /// The frame is over the cap: the connection is closed.
    FrameTooLarge,
    /// A kind that this node does not know.
    KindUnknown,
    /// The payload does not read as its kind.
    BadPayload,
    /// Something else than Hello came first, or a second Hello.
    HelloExpected,
    /// Hello's credential opens nothing (one answer for every cause).
    HelloRefused,
    /// A named limit of the connection is reached: the connection is closed.
    LimitReached,
    /// The peer took too long: the connection is closed.
    TooSlow,
    /// The node is going away.
    Draining,
}

impl ProtocolCode {
    /// All of them, in the order of their codes.
    pub const ALL: &'static [Self] = &[
        Self::BadHeader,
        Self::FrameTooLarge,
        Self::KindUnknown,
        Self::BadPayload,
        Self::HelloExpected,
        Self::HelloRefused,
        Self::LimitReached,
        Self::TooSlow,
        Self::Draining,
    ];

    /// Its number.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::BadHeader => 400,
            Self::FrameTooLarge => 401,
            Self::KindUnknown => 402,
            Self::BadPayload => 403,
            Self::HelloExpected => 404,
            Self::HelloRefused => 405,
            Self::LimitReached => 406,
            Self::TooSlow => 407,
            Self::Draining => 408,
        }
    }

    /// The code with this number.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.code() == code)
    }

    /// What it means, for people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::BadHeader => "bad frame header",
            Self::FrameTooLarge => "frame over the cap",
            Self::KindUnknown => "unknown kind",
            Self::BadPayload => "the payload does not read as its kind",
            Self::HelloExpected => "one Hello is expected, first",
            Self::HelloRefused => "the credential opens nothing",
            Self::LimitReached => "a limit of the connection is reached",
            Self::TooSlow => "too slow",
            Self::Draining => "the node is going away",
        }
    }
}

/// The outcome of a command is not known: repeat it under the same command id.
pub const CODE_UNKNOWN: u16 = 500;
/// The node failed in a way that is its own fault; nothing is known to have happened.
pub const CODE_FAILED: u16 = 501;
/// 302: another node has the tenant (fleet).
pub const CODE_REDIRECT: u16 = 302;
