//! Scopes: what may be done to what, written as `[action:]path[?filters]`, and the permissions that it means.
//!
//! A scope is anchored and typed: its path is compared part by part from the front, its action by its level or
//! by itself, and all of its filters must hold. It means the permissions that are called by its path, a `:` and
//! an action: `read:media/files` is the permission `media/files:read`.

mod action;
mod compiled;
mod fault;
mod written;

pub use compiled::{FilterTarget, HeldScope, ScopeAttributes};
pub use fault::{ScopeError, ScopeFault};
pub(crate) use written::Written;

use crate::limits::{NAME_BYTES_MAX, SCOPE_BYTES_MAX, SCOPE_FILTERS_MAX, SCOPE_SEGMENTS_MAX};
use action::{ANY_ACTION, Action, DEFAULT_ACTION, Rank, includes, rank};
use std::fmt;

/// One part of a path, whatever it is.
const ONE: &str = "*";
/// All further parts of a path, at least one.
const REST: &str = "**";
/// Whether a path is one, as a scope holds it.
fn covers_path<'p>(pattern: impl Iterator<Item = &'p str>, mut path: impl Iterator<Item = &'p str>) -> bool {
    for part in pattern {
        let Some(found) = path.next() else { return false };
        match part {
            REST => return true,
            ONE => {}
            part if part == found => {}
            _ => return false,
        }
    }
    path.next().is_none()
}

/// ASCII letters, digits, `-` and `_`, one bit each: what actions are made of.
const WORD: u128 = {
    let (mut set, mut byte) = (0, 0_u8);
    while byte < 128 {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            set |= 1 << byte;
        }
        byte += 1;
    }
    set
};
/// What parts of paths and keys are made of, but for wildcards.
const PART: u128 = WORD | 1 << b'.';
/// What stands for itself in a value.
const PLAIN: u128 = PART | 1 << b'~' | 1 << b':' | 1 << b'/' | 1 << b'@' | 1 << b',';

/// Whether a byte is one of a set: looked up, for every byte of every question is.
const fn is(byte: u8, set: u128) -> bool {
    byte.is_ascii() && set >> byte & 1 == 1
}

const fn is_word(byte: u8) -> bool {
    is(byte, WORD)
}

/// A byte that stands for itself in a value.
const fn is_plain(byte: u8) -> bool {
    is(byte, PLAIN)
}

/// What stands before and behind the first of a byte.
fn cut(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|found| found == byte)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// The bytes that a percent-encoded text stands for; it was looked at before.
#[derive(Clone, Debug)]
pub struct Decoded<'a>(std::slice::Iter<'a, u8>);

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let byte = *self.0.next()?;
        if byte != b'%' {
            return Some(byte);
        }
        let (high, low) = (digit(*self.0.next()?)?, digit(*self.0.next()?)?);
        Some(high << 4 | low)
    }
}

/// A filter of a scope: an attribute, and the value that it must have, or in a question has.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScopeFilter<'a> {
    /// What the attribute is called.
    pub key: &'a str,
    /// The value as it was written.
    raw: &'a str,
}

impl<'a> ScopeFilter<'a> {
    /// The bytes of the value: text.
    #[must_use]
    pub fn value(&self) -> Decoded<'a> {
        Decoded(self.raw.as_bytes().iter())
    }

    /// Whether the value is this text.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        self.value().eq(text.bytes())
    }

    fn is_same(&self, other: &ScopeFilter<'_>) -> bool {
        self.key == other.key && self.value().eq(other.value())
    }
}

/// A scope, read from a text that it borrows. Reading it allocates nothing.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    action: Action<'a>,
    path: [&'a str; SCOPE_SEGMENTS_MAX],
    parts: usize,
    /// Sorted by key.
    filters: [ScopeFilter<'a>; SCOPE_FILTERS_MAX],
    count: usize,
}

const fn wrong(at: usize, fault: ScopeFault) -> ScopeError {
    ScopeError { at, fault }
}

/// Where a text has a byte that may not stand in it.
fn odd(text: &str, at: usize, allowed: impl Fn(u8) -> bool) -> Result<(), ScopeError> {
    match text.bytes().position(|byte| !allowed(byte)) {
        None => Ok(()),
        Some(found) => Err(wrong(at + found, ScopeFault::BadCharacter)),
    }
}

impl<'a> Scope<'a> {
    /// Reads a scope. Every text is one or is told where it is not.
    ///
    /// # Errors
    /// [`ScopeError`] names the byte and what is wrong there.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ScopeError> {
        if bytes.len() > SCOPE_BYTES_MAX {
            return Err(wrong(SCOPE_BYTES_MAX, ScopeFault::TooLong));
        }
        let text = str::from_utf8(bytes).map_err(|error| wrong(error.valid_up_to(), ScopeFault::NotText))?;
        let (head, filters) = match cut(text, b'?') {
            Some((head, filters)) => (head, Some((filters, head.len() + 1))),
            None => (text, None),
        };
        let (action, path, at) = match cut(head, b':') {
            Some((action, path)) => (action, path, action.len() + 1),
            None => (DEFAULT_ACTION, head, 0),
        };
        if action.is_empty() {
            return Err(wrong(0, ScopeFault::EmptyAction));
        }
        if action != ANY_ACTION {
            odd(action, 0, is_word)?;
        }
        let mut scope = Self::of_action(action);
        scope.read_path(path, at)?;
        if path.len() + 1 + action.len() > NAME_BYTES_MAX {
            return Err(wrong(at, ScopeFault::NameTooLong));
        }
        if let Some((filters, at)) = filters {
            scope.read_filters(filters, at)?;
        }
        if at == 0 && text.len() + DEFAULT_ACTION.len() + 1 > SCOPE_BYTES_MAX {
            return Err(wrong(SCOPE_BYTES_MAX - DEFAULT_ACTION.len() - 1, ScopeFault::TooLong));
        }
        Ok(scope)
    }

    fn of_action(action: &'a str) -> Self {
        let (path, filters) = ([""; SCOPE_SEGMENTS_MAX], [ScopeFilter::default(); SCOPE_FILTERS_MAX]);
        Self { action: (action, rank(action)), path, parts: 0, filters, count: 0 }
    }

    fn read_path(&mut self, path: &'a str, mut at: usize) -> Result<(), ScopeError> {
        let (mut rest, mut left) = (None, Some(path));
        while let Some(text) = left {
            let (part, further) =
                cut(text, b'/').map_or((text, None), |(part, further)| (part, Some(further)));
            left = further;
            if let Some(rest) = rest {
                return Err(wrong(rest, ScopeFault::WildcardInside));
            }
            let fault = match part {
                "" => Some(ScopeFault::EmptySegment),
                "." | ".." => Some(ScopeFault::Dots),
                REST | ONE => None,
                _ if part.bytes().all(|byte| is(byte, PART)) => None,
                _ => {
                    odd(part, at, |byte| is(byte, PART) || byte == b'*')?;
                    Some(ScopeFault::PartWildcard)
                }
            };
            if let Some(fault) = fault {
                return Err(wrong(at, fault));
            }
            let Some(place) = self.path.get_mut(self.parts) else {
                return Err(wrong(at, ScopeFault::TooManySegments));
            };
            *place = part;
            self.parts += 1;
            rest = (part == REST).then_some(at);
            at += part.len() + 1;
        }
        Ok(())
    }

    fn read_filters(&mut self, filters: &'a str, mut at: usize) -> Result<(), ScopeError> {
        let mut left = Some(filters);
        while let Some(text) = left {
            let (filter, further) =
                cut(text, b'&').map_or((text, None), |(one, further)| (one, Some(further)));
            left = further;
            if filter.is_empty() {
                return Err(wrong(at, ScopeFault::EmptyFilter));
            }
            let Some((key, raw)) = cut(filter, b'=') else {
                odd(filter, at, |byte| is(byte, PART))?;
                return Err(wrong(at + filter.len(), ScopeFault::EmptyValue));
            };
            if key.is_empty() {
                return Err(wrong(at, ScopeFault::EmptyKey));
            }
            odd(key, at, |byte| is(byte, PART))?;
            let behind = at + key.len() + 1;
            if raw.is_empty() {
                return Err(wrong(behind, ScopeFault::EmptyValue));
            }
            read_value(raw, behind)?;
            let held = self.filters.get(..self.count).unwrap_or_default();
            let place = match held.binary_search_by(|held| held.key.cmp(key)) {
                Ok(_) => return Err(wrong(at, ScopeFault::KeyRepeated)),
                Err(place) => place,
            };
            if self.count == SCOPE_FILTERS_MAX {
                return Err(wrong(at, ScopeFault::TooManyFilters));
            }
            self.count += 1;
            if let Some(behind) = self.filters.get_mut(place..self.count) {
                behind.rotate_right(1);
                if let Some(first) = behind.first_mut() {
                    *first = ScopeFilter { key, raw };
                }
            }
            at += filter.len() + 1;
        }
        Ok(())
    }

    /// The scope that means the permission of this name and no other; none where no scope does.
    #[must_use]
    pub fn of_permission(name: &'a str) -> Option<Self> {
        let (path, action) = name.split_once(':')?;
        let word = !action.is_empty() && action.bytes().all(is_word);
        let mut scope = Self::of_action(action);
        scope.read_path(path, 0).ok().filter(|()| word && scope.is_literal())?;
        Some(scope)
    }

    /// The action.
    #[must_use]
    pub const fn action(&self) -> &'a str {
        self.action.0
    }

    /// The parts of the path.
    #[must_use]
    pub fn path(&self) -> &[&'a str] {
        self.path.get(..self.parts).unwrap_or_default()
    }

    /// The filters, sorted by key.
    #[must_use]
    pub fn filters(&self) -> &[ScopeFilter<'a>] {
        self.filters.get(..self.count).unwrap_or_default()
    }

    /// Whether its path holds no wildcard.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.path().iter().all(|part| !matches!(*part, ONE | REST))
    }

    /// Whether it can be asked for: one action, to one thing.
    #[must_use]
    pub fn is_concrete(&self) -> bool {
        self.is_literal() && self.action.1 != Rank::Any
    }

    /// The name of the permission that a concrete one means, written into `room`.
    #[must_use]
    pub fn permission<'r>(&self, room: &'r mut [u8; NAME_BYTES_MAX]) -> Option<&'r str> {
        if !self.is_concrete() {
            return None;
        }
        let mut end = 0;
        let mut put = |text: &str| {
            let place = room.get_mut(end..end + text.len())?;
            place.copy_from_slice(text.as_bytes());
            end += text.len();
            Some(())
        };
        for (at, part) in self.path().iter().enumerate() {
            if at > 0 {
                put("/")?;
            }
            put(part)?;
        }
        put(":")?;
        put(self.action.0)?;
        str::from_utf8(room.get(..end)?).ok()
    }

    /// Whether it reaches the permission of this name, were it not for its filters.
    #[must_use]
    pub fn reaches(&self, permission: &str) -> bool {
        reaches(self.action, self.path().iter().copied(), permission)
    }

    /// Whether it reaches whatever another one reaches, today or later, under whatever filters.
    #[must_use]
    pub fn contains(&self, other: &Scope<'_>) -> bool {
        // A part of the inner path that is a wildcard is held by a wildcard alone: a `*` by both kinds, a `**` by its like.
        let held = |path: &[&str]| {
            let mut inner = path.iter();
            for part in self.path() {
                match (*part, inner.next()) {
                    (REST, Some(_)) => return true,
                    (part, Some(found)) if part == *found => {}
                    (ONE, Some(found)) if *found != REST => {}
                    _ => return false,
                }
            }
            inner.next().is_none()
        };
        let narrower = |outer: &ScopeFilter<'_>| other.filters().iter().any(|inner| inner.is_same(outer));
        held(other.path()) && includes(self.action, other.action) && self.filters().iter().all(narrower)
    }

    /// The beginning that all permissions have that it reaches, and whether it is all of the only one's name.
    #[must_use]
    pub fn head(&self) -> (String, bool) {
        let mut head = String::new();
        for part in self.path() {
            if part.contains('*') {
                return (head, false);
            }
            head.push_str(part);
            head.push('/');
        }
        head.pop();
        head.push(':');
        let single = matches!(self.action.1, Rank::Word | Rank::Level(0));
        if single {
            head.push_str(self.action.0);
        }
        (head, single)
    }
}

fn reaches<'a>(action: Action<'_>, path: impl Iterator<Item = &'a str>, permission: &'a str) -> bool {
    let Some((found, asked)) = permission.split_once(':') else { return false };
    // Most are told apart by the first part of their path. What no concrete scope can be called is no scope's to give.
    covers_path(path, found.split('/'))
        && !asked.is_empty()
        && asked.bytes().all(is_word)
        && found.split('/').all(|part| !part.is_empty())
        && includes(action, (asked, rank(asked)))
}

/// Looks at a value: text once decoded, without control characters.
fn read_value(raw: &str, at: usize) -> Result<(), ScopeError> {
    let bytes = raw.as_bytes();
    if bytes.iter().all(|byte| is_plain(*byte)) {
        return Ok(());
    }
    let (mut decoded, mut end, mut place) = ([0; SCOPE_BYTES_MAX], 0, 0);
    while let Some(byte) = bytes.get(place) {
        let (value, length) = if *byte == b'%' {
            let digits = [1, 2].map(|next| bytes.get(place + next).copied().and_then(digit));
            let [Some(high), Some(low)] = digits else {
                return Err(wrong(at + place, ScopeFault::BadEscape));
            };
            (high << 4 | low, 3)
        } else if is_plain(*byte) {
            (*byte, 1)
        } else {
            return Err(wrong(at + place, ScopeFault::BadCharacter));
        };
        if let Some(room) = decoded.get_mut(end) {
            *room = value;
        }
        end += 1;
        place += length;
    }
    let text = decoded.get(..end).and_then(|decoded| str::from_utf8(decoded).ok());
    if text.is_some_and(|text| !text.chars().any(char::is_control)) {
        Ok(())
    } else {
        Err(wrong(at, ScopeFault::BadValue))
    }
}

impl PartialEq for Scope<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.action == other.action
            && self.path() == other.path()
            && self.count == other.count
            && self.filters().iter().zip(other.filters()).all(|(one, other)| one.is_same(other))
    }
}

/// In the one form in which each is written: with its action, its filters sorted by key, and nothing encoded
/// that may stand for itself.
impl fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.action.0)?;
        for (at, part) in self.path().iter().enumerate() {
            write!(f, "{}{part}", if at == 0 { "" } else { "/" })?;
        }
        for (at, filter) in self.filters().iter().enumerate() {
            write!(f, "{}{}=", if at == 0 { '?' } else { '&' }, filter.key)?;
            for byte in filter.value() {
                if is_plain(byte) {
                    write!(f, "{}", char::from(byte))?;
                } else {
                    write!(f, "%{byte:02X}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
