//! The path of a request as endpoints are compared with it: in the one form that all applications read alike.

use super::{Part, REST};
use crate::limits::{ENDPOINT_SEGMENTS_MAX, URI_BYTES_MAX};
use std::fmt;

/// A byte that stands for itself between two slashes: `pchar` of RFC 3986 section 3.3 without `;`, by which some
/// applications end a part, and `*`, which patterns mean something else by.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'+'
                | b','
                | b'='
                | b':'
                | b'@'
        )
}

/// Whether a part of a pattern is one that a path may have, but `.` and `..`.
pub(super) fn is_literal(part: &str) -> bool {
    !matches!(part, "" | "." | "..") && part.bytes().all(is_plain)
}

pub(super) fn part_of_pattern(part: &str) -> Part<'_> {
    let word = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    match part {
        REST => Part::Rest,
        "*" => Part::One,
        _ if word.is_some_and(is_word) => Part::One,
        _ => Part::Is(part),
    }
}

/// Why a request's target matches no endpoint, whichever there are.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum PathFault {
    /// Over `URI_BYTES_MAX`, or more parts than any pattern has.
    TooLong,
    /// It does not begin with `/`: it is no path.
    NoPath,
    /// A byte that no path has as it is: `\`, `;`, `#`, a space, a control character, one that is not ASCII.
    BadCharacter,
    /// Two slashes in a row.
    EmptySegment,
    /// `.` or `..`: where it leads depends on who reads it.
    Dots,
    /// A `%` without two hexadecimal digits.
    BadEscape,
    /// An encoded byte that would mean something else when it is decoded, or need not be encoded.
    Escaped,
    /// Encoded bytes that are no UTF-8.
    NotText,
}

impl PathFault {
    /// What it means, for people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::TooLong => "the path is too long",
            Self::NoPath => "it is no path",
            Self::BadCharacter => "a byte that no path has",
            Self::EmptySegment => "two slashes in a row",
            Self::Dots => "a part that is . or ..",
            Self::BadEscape => "a % without two hexadecimal digits",
            Self::Escaped => "an encoded byte that means something else when it is decoded",
            Self::NotText => "encoded bytes that are no UTF-8",
        }
    }
}

/// Why a request's target matches no endpoint, and at which byte that shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PathError {
    /// The byte, from 0.
    pub at: usize,
    /// What is wrong there.
    pub fault: PathFault,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.at, self.fault.text())
    }
}

impl std::error::Error for PathError {}

/// The path of a request, read from a target that it borrows. Reading it allocates nothing.
#[derive(Clone, Copy, Debug)]
pub struct Requested<'a> {
    parts: [&'a str; ENDPOINT_SEGMENTS_MAX],
    count: usize,
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Looks at what stands between two slashes.
fn look(part: &str, at: usize) -> Result<(), PathError> {
    let wrong = |place: usize, fault| Err(PathError { at: at + place, fault });
    if matches!(part, "." | "..") {
        return wrong(0, PathFault::Dots);
    }
    let bytes = part.as_bytes();
    let (mut place, mut encoded) = (0, false);
    while let Some(byte) = bytes.get(place) {
        if *byte == b'%' {
            let digits = [1, 2].map(|next| bytes.get(place + next).copied().and_then(digit));
            let [Some(high), Some(low)] = digits else { return wrong(place, PathFault::BadEscape) };
            let value = high << 4 | low;
            // What may stand for itself has one form; what means something to whoever decodes it twice has none.
            // What is not seen at the ends of a part many take away.
            let unseen = value == b' ' && (place == 0 || place + 3 == bytes.len());
            if is_plain(value)
                || value.is_ascii_control()
                || matches!(value, b'/' | b'\\' | b'%' | b';' | b'*' | b'?' | b'#')
                || unseen
            {
                return wrong(place, PathFault::Escaped);
            }
            encoded |= !value.is_ascii();
            place += 3;
        } else if is_plain(*byte) || *byte == b'*' {
            place += 1;
        } else {
            return wrong(place, PathFault::BadCharacter);
        }
    }
    if encoded && !is_text(bytes) { wrong(0, PathFault::NotText) } else { Ok(()) }
}

/// Whether the bytes that an encoded part stands for are UTF-8.
fn is_text(part: &[u8]) -> bool {
    let (mut decoded, mut end, mut place) = ([0; URI_BYTES_MAX], 0, 0);
    while let Some(byte) = part.get(place) {
        let pair =
            (part.get(place + 1).copied().and_then(digit), part.get(place + 2).copied().and_then(digit));
        let (value, length) = match (byte, pair) {
            (b'%', (Some(high), Some(low))) => (high << 4 | low, 3),
            _ => (*byte, 1),
        };
        if let Some(room) = decoded.get_mut(end) {
            *room = value;
        }
        end += 1;
        place += length;
    }
    decoded.get(..end).is_some_and(|decoded| str::from_utf8(decoded).is_ok())
}

impl<'a> Requested<'a> {
    /// Reads a request's target (RFC 9112 section 3.2.1): the path, and a query that does not count.
    ///
    /// # Errors
    /// [`PathError`] for a path that applications may read in more than one way.
    pub fn new(target: &'a str) -> Result<Self, PathError> {
        let wrong = |at, fault| Err(PathError { at, fault });
        if target.len() > URI_BYTES_MAX {
            return wrong(URI_BYTES_MAX, PathFault::TooLong);
        }
        let path = target.split('?').next().unwrap_or_default();
        let Some(below) = path.strip_prefix('/') else { return wrong(0, PathFault::NoPath) };
        let (mut requested, mut at) = (Self { parts: [""; _], count: 0 }, 1);
        for part in below.split('/') {
            look(part, at)?;
            let last = at + part.len() == path.len();
            if part.is_empty() && !last {
                return wrong(at, PathFault::EmptySegment);
            }
            let Some(place) = requested.parts.get_mut(requested.count) else {
                return wrong(at, PathFault::TooLong);
            };
            *place = part;
            requested.count += 1;
            at += part.len() + 1;
        }
        Ok(requested)
    }

    /// What stands between the slashes; the last is empty where the path ends with one.
    #[must_use]
    pub fn parts(&self) -> &[&'a str] {
        self.parts.get(..self.count).unwrap_or_default()
    }
}
