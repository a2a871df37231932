//! What a rule reports: where, what, and what to do instead.

use std::fmt;

/// One broken rule at one place.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Violation {
    /// Path from the root of the tree.
    pub(crate) path: String,
    /// Line, from 1; 0 when the file as a whole is meant.
    pub(crate) line: usize,
    /// The rule's name, `F1` to `F22`.
    pub(crate) rule: &'static str,
    /// What is wrong and what to do instead.
    pub(crate) what: String,
}

impl Violation {
    /// A violation of `rule` at `path:line`.
    pub(crate) fn new(rule: &'static str, path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}:{} {}", self.rule, self.path, self.line, self.what)
    }
}
