//! Why a text is no scope, and at which byte.

use crate::named::Limit;
use std::fmt;

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// What is wrong with a text that should be a scope.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum ScopeFault {
            $($(#[$doc])* $name,)*
        }

        impl ScopeFault {
            /// What it means, for people.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

faults! {
    /// Over `SCOPE_BYTES_MAX`, in the form in which it is written.
    TooLong = "a scope has at most 256 bytes";
    /// No UTF-8.
    NotText = "a scope is UTF-8";
    /// A character that may not stand there.
    BadCharacter = "this may not stand here";
    /// Nothing before the `:`.
    EmptyAction = "the action is empty";
    /// Nothing between two `/`, or at an end.
    EmptySegment = "a part of the path is empty";
    /// `.` or `..`.
    Dots = "a part of a path is not . or ..";
    /// A `*` beside other characters.
    PartWildcard = "a * stands for a whole part of the path";
    /// A `**` that is not the last part.
    WildcardInside = "a ** is the last part of the path";
    /// Over `SCOPE_SEGMENTS_MAX`.
    TooManySegments = "a path has at most 8 parts";
    /// Path and action together are longer than the name of a permission.
    NameTooLong = "path and action together have at most 128 bytes";
    /// A `?` with nothing behind it, or two `&` in a row.
    EmptyFilter = "a filter is empty";
    /// Nothing before the `=`.
    EmptyKey = "a filter has no key";
    /// Two filters of one key.
    KeyRepeated = "this key stands here twice";
    /// No `=`, or nothing behind it.
    EmptyValue = "a filter has no value";
    /// A `%` without two hexadecimal digits.
    BadEscape = "a % has two hexadecimal digits behind it";
    /// A value whose bytes are no UTF-8, or that holds a control character.
    BadValue = "a value is text without control characters";
    /// Over `SCOPE_FILTERS_MAX`.
    TooManyFilters = "a scope has at most 8 filters";
}

/// Why a text is no scope.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ScopeError {
    /// The byte at which that shows, from 0.
    pub at: usize,
    /// What is wrong there.
    pub fault: ScopeFault,
}

impl ScopeError {
    /// The limit that is reached, where it is one.
    #[must_use]
    pub const fn limit(self) -> Option<Limit> {
        match self.fault {
            ScopeFault::TooLong => Some(Limit::ScopeBytes),
            ScopeFault::TooManySegments => Some(Limit::ScopeSegments),
            ScopeFault::TooManyFilters => Some(Limit::ScopeFilters),
            ScopeFault::NameTooLong => Some(Limit::NameBytes),
            ScopeFault::NotText
            | ScopeFault::BadCharacter
            | ScopeFault::EmptyAction
            | ScopeFault::EmptySegment
            | ScopeFault::Dots
            | ScopeFault::PartWildcard
            | ScopeFault::WildcardInside
            | ScopeFault::EmptyFilter
            | ScopeFault::EmptyKey
            | ScopeFault::KeyRepeated
            | ScopeFault::EmptyValue
            | ScopeFault::BadEscape
            | ScopeFault::BadValue => None,
        }
    }
}

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.at, self.fault.text())
    }
}

impl std::error::Error for ScopeError {}
