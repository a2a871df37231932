//! A scope as it is written in its one form, asked without reading it.

use super::action::{DEFAULT_ACTION, rank};
use super::{cut, reaches};

/// A scope in the one form in which it is written, by its text alone: what is asked of a pattern for every permission
/// that there is costs no reading of it.
#[derive(Clone, Copy)]
pub(crate) struct Written<'a> {
    action: &'a str,
    path: &'a str,
    pub(crate) filters: Option<&'a str>,
}

impl<'a> Written<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let (head, filters) = cut(text, b'?').map_or((text, None), |(head, rest)| (head, Some(rest)));
        let (action, path) = cut(head, b':').unwrap_or((DEFAULT_ACTION, head));
        Self { action, path, filters }
    }

    /// As [`Scope::is_literal`].
    pub(crate) fn is_literal(self) -> bool {
        !self.path.contains('*')
    }

    /// As [`Scope::reaches`].
    pub(crate) fn reaches(self, permission: &'a str) -> bool {
        reaches((self.action, rank(self.action)), self.path.split('/'), permission)
    }
}
