//! Why a call has no answer. None of these is a Permit.

use std::fmt;
use std::time::Duration;
use tessera_model::code::CODE_REDIRECT;
use tessera_model::{CommandId, Refusal};
use tessera_wire::{Fault, WireError};

/// Why a call has no answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// The configuration does not hold: what is wrong with it.
    BadConfig(&'static str),
    /// No node could be reached within the deadline.
    Unreachable(Option<quinn::ConnectionError>),
    /// A node answered whose certificate is not trusted, and no other address led further: why.
    Untrusted(quinn::ConnectionError),
    /// The node did not answer within the deadline. What was asked changes nothing.
    DeadlinePassed,
    /// A command was sent and its outcome is not known: repeat it under this command id.
    OutcomeUnknown(CommandId),
    /// The command happened before, and the secret that it made is not given again: start anew.
    SecretLost,
    /// The node turned the command down.
    Refused(Refusal),
    /// The node turned the command down for a while, as after too many failed sign-ins.
    Wait {
        /// Why.
        refusal: Refusal,
        /// When it may be tried again; `None` when waiting does not help.
        after: Option<Duration>,
    },
    /// The node answered with a code that is no refusal (4xx, 5xx, Redirect without an address).
    Faulted(Fault),
    /// The node redirected more than twice.
    TooManyRedirects,
    /// The question cannot be written, or the answer does not read.
    Unreadable(WireError),
    /// The client was closed.
    Closed,
}

impl ClientError {
    /// Number in the one code space, where the node gave one.
    #[must_use]
    pub const fn code(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal) | Self::Wait { refusal, .. } => Some(refusal.code()),
            Self::Faulted(fault) => Some(fault.code),
            Self::Unreadable(error) => Some(error.code()),
            Self::BadConfig(_)
            | Self::Unreachable(_)
            | Self::Untrusted(_)
            | Self::DeadlinePassed
            | Self::OutcomeUnknown(_)
            | Self::SecretLost
            | Self::TooManyRedirects
            | Self::Closed => None,
        }
    }

    /// Its name, for logs and traces.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::BadConfig(_) => "BadConfig",
            Self::Unreachable(_) => "Unreachable",
            Self::Untrusted(_) => "Untrusted",
            Self::DeadlinePassed => "DeadlinePassed",
            Self::OutcomeUnknown(_) => "OutcomeUnknown",
            Self::SecretLost => "SecretLost",
            Self::Refused(refusal) | Self::Wait { refusal, .. } => refusal.name(),
            Self::Faulted(_) => "Faulted",
            Self::TooManyRedirects => "TooManyRedirects",
            Self::Unreadable(_) => "Unreadable",
            Self::Closed => "Closed",
        }
    }

    pub(crate) fn of(fault: Fault) -> Self {
        match fault.refusal() {
            Some(refusal @ Refusal::TooManyFailures) => {
                let after = Duration::from_millis(fault.retry_ms.into());
                Self::Wait { refusal, after: Some(after).filter(|after| !after.is_zero()) }
            }
            // Where to goes with it.
            Some(Refusal::Redirect) | None => Self::Faulted(fault),
            Some(refusal) => Self::Refused(refusal),
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadConfig(what) => write!(f, "configuration: {what}"),
            Self::Unreachable(Some(source)) => write!(f, "no node could be reached: {source}"),
            Self::Unreachable(None) => f.write_str("no node could be reached"),
            Self::Untrusted(quinn::ConnectionError::TransportError(found)) => {
                write!(f, "the node's certificate is not trusted: {}", found.reason)
            }
            Self::Untrusted(source) => write!(f, "the node's certificate is not trusted: {source}"),
            Self::DeadlinePassed => f.write_str("no answer within the deadline"),
            Self::OutcomeUnknown(id) => {
                write!(f, "the outcome is not known: repeat it under command id {id}")
            }
            Self::SecretLost => {
                f.write_str("it happened before, and its secret is not given again: start anew")
            }
            Self::Refused(refusal) | Self::Wait { refusal, after: None } => {
                write!(f, "{refusal} ({})", refusal.code())
            }
            Self::Wait { refusal, after: Some(after) } => {
                write!(f, "{refusal} ({}): in {} s", refusal.code(), after.as_millis().div_ceil(1_000))
            }
            Self::Faulted(fault) if fault.code == CODE_REDIRECT && !fault.detail.is_empty() => {
                write!(f, "the tenant lives in cell {}, at {} ({})", fault.cell, fault.detail, fault.code)
            }
            Self::Faulted(fault) if fault.code == CODE_REDIRECT => write!(f, "{} (302)", Refusal::Redirect),
            Self::Faulted(fault) => write!(f, "{fault}"),
            Self::TooManyRedirects => f.write_str("redirected more than twice"),
            Self::Unreadable(error) => write!(f, "{error}"),
            Self::Closed => f.write_str("the client was closed"),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreachable(Some(source)) | Self::Untrusted(source) => Some(source),
            Self::Unreadable(source) => Some(source),
            Self::Refused(source) | Self::Wait { refusal: source, .. } => Some(source),
            Self::Unreachable(None)
            | Self::BadConfig(_)
            | Self::DeadlinePassed
            | Self::OutcomeUnknown(_)
            | Self::SecretLost
            | Self::Faulted(_)
            | Self::TooManyRedirects
            | Self::Closed => None,
        }
    }
}

impl From<WireError> for ClientError {
    fn from(error: WireError) -> Self {
        Self::Unreadable(error)
    }
}
