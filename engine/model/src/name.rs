//! Names that callers choose, and patterns of permission names.

use crate::limits::{NAME_BYTES_MAX, PATTERN_BYTES_MAX};
use crate::scope::{FilterTarget, Scope, ScopeError, Written};
use std::fmt;

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NameError {
    /// Nothing in it.
    Empty,
    /// Over [`NAME_BYTES_MAX`] bytes.
    TooLong,
    /// A character outside the allowed set.
    BadCharacter,
    /// `.` or `..`, alone or between slashes: paths mean something else by it.
    Dots,
    /// A pattern with a character outside the allowed set, or a `*` that is not its last.
    BadPattern,
    /// Not what a tenant is called by.
    NoLabel,
    /// A pattern that is meant as a scope and is none.
    BadScope(ScopeError),
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadScope(error) => return write!(f, "no scope, {error}"),
            Self::Empty => "the name is empty",
            Self::TooLong => "the name is over 128 bytes",
            Self::BadCharacter => "a name holds letters, digits and . _ - : / only",
            Self::Dots => "a name is not . or .., nor has them between slashes",
            Self::BadPattern => "a pattern is a name (letters, digits and . _ - : / only), or the beginning of one and a * at its end",
            Self::NoLabel => "a tenant's name has 1 to 63 small letters, digits and -, with no - at its ends: a host may name it",
        })
    }
}

impl std::error::Error for NameError {}

/// LIMIT: a label of a host's name, bytes (RFC 1035 section 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

const fn allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b':' | b'/')
}

/// The name of a role, permission, workspace, attribute or tenant: 1 to 128 bytes of ASCII letters,
/// digits and `. _ - : /`, without `.` and `..` between slashes. Case counts.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Name(Box<str>);

impl Name {
    /// Takes a text as a name.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, NameError> {
        Self::look(text).map(|()| Self(text.into()))
    }

    /// What stands where a name was erased.
    #[must_use]
    pub fn erased() -> Self {
        Self("erased".into())
    }

    /// Whether a text is a name, without keeping it.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with it.
    pub fn look(text: &str) -> Result<(), NameError> {
        match text.len() {
            0 => Err(NameError::Empty),
            n if n > NAME_BYTES_MAX => Err(NameError::TooLong),
            _ if !text.bytes().all(allowed) => Err(NameError::BadCharacter),
            _ if text.split('/').any(|part| matches!(part, "." | "..")) => Err(NameError::Dots),
            _ => Ok(()),
        }
    }

    /// Takes a text as the name of a tenant, which a host may name: one label of it (RFC 1035 section 2.3.1,
    /// with a digit allowed first as by RFC 1123 section 2.1), in small letters.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with it.
    pub fn of_tenant(text: &str) -> Result<Self, NameError> {
        let name = Self::new(text)?;
        if name.is_label() { Ok(name) } else { Err(NameError::NoLabel) }
    }

    /// Whether a tenant may be called so: 1 to 63 small letters, digits and `-`, with no `-` at the ends.
    #[must_use]
    pub fn is_label(&self) -> bool {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        self.0.len() <= LABEL_BYTES_MAX
            && self.0.bytes().all(plain)
            && !self.0.starts_with('-')
            && !self.0.ends_with('-')
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a role or key covers: a permission's name, a prefix followed by `*` (`orders.*`, `*`), or behind
/// [`Pattern::SCOPE`] a scope (`scope=update:media/files/*`).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// What a pattern begins with that is a scope. No name has its last character.
    pub const SCOPE: &'static str = "scope=";

    /// Takes a text as a pattern: a name, a name's beginning (possibly empty) and a final `*`, or a scope, which
    /// is put into the one form in which it is written.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if let Some(scope) = text.strip_prefix(Self::SCOPE) {
            let scope = Scope::parse(scope.as_bytes()).map_err(NameError::BadScope)?;
            return Ok(Self::of_scope(&scope));
        }
        let prefix = text.strip_suffix('*').unwrap_or(text);
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > PATTERN_BYTES_MAX {
            return Err(NameError::TooLong);
        }
        if !prefix.bytes().all(allowed) {
            return Err(NameError::BadPattern);
        }
        Ok(Self(text.into()))
    }

    /// The pattern that is this scope.
    #[must_use]
    pub fn of_scope(scope: &Scope<'_>) -> Self {
        Self(format!("{}{scope}", Self::SCOPE).into())
    }

    /// The scope, where it is one.
    #[must_use]
    pub fn scope(&self) -> Option<Scope<'_>> {
        self.0.strip_prefix(Self::SCOPE).and_then(|scope| Scope::parse(scope.as_bytes()).ok())
    }

    /// The same without reading it: the text is in its one form.
    fn written(&self) -> Option<Written<'_>> {
        self.0.strip_prefix(Self::SCOPE).map(Written::new)
    }

    /// Whether it is a scope with filters: those depend on what is asked.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        self.written().is_some_and(|scope| scope.filters.is_some())
    }

    /// The value of a scope's filter on the workspace, and the same scope with another value in its place. The value
    /// is a workspace's name, or what stands for one: no byte of these is encoded.
    #[must_use]
    pub fn workspace_filter(&self) -> Option<(&str, impl Fn(&str) -> Result<Self, NameError>)> {
        let filters = self.written()?.filters?;
        let beginning = |one: &&str| one.split('=').next() == Some(FilterTarget::WORKSPACE);
        let value = filters.split('&').find(beginning)?.get(FilterTarget::WORKSPACE.len() + 1..)?;
        let with = move |other: &str| {
            let all = filters.split('&').map(|one| {
                if beginning(&one) { format!("{}={other}", FilterTarget::WORKSPACE) } else { one.to_owned() }
            });
            let head = self.0.split('?').next().unwrap_or_default();
            Self::new(&format!("{head}?{}", all.collect::<Vec<_>>().join("&")))
        };
        Some((value, with))
    }

    /// Whether the pattern covers a permission of this name, whatever is asked about.
    #[must_use]
    pub fn covers(&self, permission: &str) -> bool {
        match self.written() {
            Some(scope) => scope.filters.is_none() && scope.reaches(permission),
            None => match self.0.strip_suffix('*') {
                Some(prefix) => permission.starts_with(prefix),
                None => &*self.0 == permission,
            },
        }
    }

    /// Whether the pattern covers a permission of this name under some circumstances.
    #[must_use]
    pub fn reaches(&self, permission: &str) -> bool {
        self.written().map_or_else(|| self.covers(permission), |scope| scope.reaches(permission))
    }

    /// Whether it means certain permissions and no more: one by its name, or those of one path.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.written().map_or_else(|| self.exact().is_some(), Written::is_literal)
    }

    /// Whether every permission that `other` covers, today or later, is covered by this one too.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        match (self.scope(), other.scope()) {
            (Some(outer), Some(inner)) => return outer.contains(&inner),
            (Some(_), None) => return other.exact().is_some_and(|name| self.covers(name)),
            (None, Some(inner)) => {
                let (head, whole) = inner.head();
                return match self.prefix() {
                    Some(prefix) => head.starts_with(prefix),
                    None => whole && *self.0 == *head,
                };
            }
            (None, None) => {}
        }
        match (self.prefix(), other.prefix()) {
            (Some(outer), Some(inner)) => inner.starts_with(outer),
            (Some(outer), None) => other.0.starts_with(outer),
            (None, Some(_)) => false,
            (None, None) => self.0 == other.0,
        }
    }

    /// The permission it names when it is no wildcard and no scope.
    #[must_use]
    pub fn exact(&self) -> Option<&str> {
        if self.0.ends_with('*') || self.0.starts_with(Self::SCOPE) { None } else { Some(&self.0) }
    }

    /// What all names begin with that it covers, when it is a wildcard.
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        self.0.strip_suffix('*').filter(|_| !self.0.starts_with(Self::SCOPE))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_plain() {
        assert!(Name::new("orders.read").is_ok());
        assert_eq!(Name::new(""), Err(NameError::Empty));
        assert_eq!(Name::new(&"a".repeat(129)), Err(NameError::TooLong));
        assert_eq!(Name::new("a b"), Err(NameError::BadCharacter));
        assert_eq!(Name::new("é"), Err(NameError::BadCharacter));
    }

    /// PROPERTY: what paths read as "here" and "above" is no name and no part of one; dots in words are.
    #[test]
    fn names_are_no_ways_up() {
        for bad in [".", "..", "../x", "a/..", "a/./b", "./a"] {
            assert_eq!(Name::new(bad), Err(NameError::Dots), "{bad}");
        }
        for good in ["...", "a..b", ".a", "a.", "a/...", "orders.read"] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
    }

    /// PROPERTY: a tenant is called by one label of a host's name, so that case tells no two of them apart.
    #[test]
    fn tenants_are_called_by_labels() {
        for good in ["acme", "a", "7", "demo-2", "a--b", &"a".repeat(63)] {
            assert!(Name::of_tenant(good).is_ok(), "{good}");
        }
        for bad in ["ACME", "acMe", "a.b", "a_b", "a/b", "a:b", "-a", "a-", "-", &"a".repeat(64)] {
            assert_eq!(Name::of_tenant(bad), Err(NameError::NoLabel), "{bad}");
        }
        assert_eq!(Name::of_tenant(""), Err(NameError::Empty));
    }

    /// PROPERTY: a pattern that is a scope covers what the scope reaches, unless that depends on what is asked, and
    /// holds other patterns where they can reach no more.
    #[test]
    fn patterns_may_be_scopes() {
        let pattern = |text: &str| Pattern::new(text).expect(text);
        assert_eq!(pattern("scope=media/*").as_str(), "scope=read:media/*");
        assert!(pattern("scope=update:media/files").covers("media/files:read"));
        assert!(!pattern("scope=update:media/files").covers("media/files:delete"));
        let filtered = pattern("scope=read:media/files?uid=7");
        assert!(filtered.is_filtered() && filtered.reaches("media/files:read"));
        assert!(!filtered.covers("media/files:read"), "only when it is asked about 7");
        assert_eq!(filtered.exact().or(pattern("scope=read:media/**").prefix()), None);
        assert!(matches!(Pattern::new("scope=a//b"), Err(NameError::BadScope(_))));
        for (outer, inner) in [
            ("*", "scope=superadmin:**"),
            ("media/*", "scope=owner:media/*/x"),
            ("media/files:*", "scope=owner:media/files"),
            ("media/files:read", "scope=read:media/files?uid=7"),
            ("media/files:approve", "scope=approve:media/files"),
            ("scope=update:media/**", "media/files:read"),
            ("scope=update:media/*", "scope=create:media/files?uid=7"),
        ] {
            assert!(pattern(outer).contains(&pattern(inner)), "{outer} {inner}");
        }
        for (outer, inner) in [
            ("media/files*", "scope=read:media/*"),
            ("media/files:read", "scope=create:media/files"),
            ("media/files:owner", "scope=owner:media/files"),
            ("scope=update:media/**", "media/*"),
            ("scope=read:media/files?uid=7", "media/files:read"),
            ("scope=read:media/files?uid=7", "scope=read:media/files"),
        ] {
            assert!(!pattern(outer).contains(&pattern(inner)), "{outer} {inner}");
        }
    }

    /// PROPERTY: what is asked of a scope's text is what the scope says that is read from it. METHOD: random scopes and
    /// names.
    #[test]
    fn what_is_written_is_what_is_read() {
        let mut numbers = crate::scope::tests::Numbers(11);
        let (mut covered, mut reached) = (0, 0);
        for _ in 0..20_000 {
            let parts = 1 + numbers.next(3);
            let path: Vec<&str> = (0..parts)
                .map(|at| ["a", "b", "*", if at + 1 == parts { "**" } else { "a" }][numbers.next(4)])
                .collect();
            let action = ["", "read:", "update:", "*:", "superadmin:", "approve:"][numbers.next(6)];
            let filters = ["", "", "?k=v", "?workspace=a:b", "?k=%3F"][numbers.next(5)];
            let pattern =
                Pattern::new(&format!("scope={action}{}{filters}", path.join("/"))).expect("a pattern");
            let scope = pattern.scope().expect("a scope");
            let name: Vec<&str> =
                (0..1 + numbers.next(3)).map(|_| ["a", "b", "c", ""][numbers.next(4)]).collect();
            let by = ["read", "update", "superadmin", "approve", "", "x:y", "*"][numbers.next(7)];
            let name = format!("{}{}{by}", name.join("/"), [":", ":", "."][numbers.next(3)]);
            let reaches = scope.reaches(&name);
            assert_eq!(pattern.reaches(&name), reaches, "{pattern} {name}");
            assert_eq!(pattern.covers(&name), reaches && scope.filters().is_empty(), "{pattern} {name}");
            assert_eq!(pattern.is_filtered(), !scope.filters().is_empty(), "{pattern}");
            assert_eq!(pattern.is_literal(), scope.is_literal(), "{pattern}");
            covered += usize::from(pattern.covers(&name));
            reached += usize::from(reaches);
        }
        assert!(covered > 100 && reached > covered, "{covered} {reached}");
    }

    /// PROPERTY: of a scope's filters that on the workspace is found and replaced, and nothing else.
    #[test]
    fn a_filter_on_the_workspace_is_replaced() {
        for (text, value, right) in [
            ("scope=read:a?workspace=x", "x", "scope=read:a?workspace=@7"),
            ("scope=read:a?kind=y&workspace=a:b/c&z=1", "a:b/c", "scope=read:a?kind=y&workspace=@7&z=1"),
        ] {
            let pattern = Pattern::new(text).expect(text);
            let (found, with) = pattern.workspace_filter().expect(text);
            assert_eq!((found, with("@7").expect("a pattern").as_str()), (value, right));
        }
        for text in ["workspace=x", "scope=read:a", "scope=read:a?workspaces=x&xworkspace=1", "a*"] {
            let none = Pattern::new(text).map(|pattern| pattern.workspace_filter().is_none());
            assert!(none.unwrap_or(true), "{text}");
        }
    }

    #[test]
    fn patterns_cover_names_and_prefixes() {
        let covers = |pattern: &str, name: &str| Pattern::new(pattern).is_ok_and(|p| p.covers(name));
        assert!(covers("orders.read", "orders.read"));
        assert!(!covers("orders.read", "orders.reads"));
        assert!(covers("orders.*", "orders.read"));
        assert!(!covers("orders.*", "order"));
        assert!(covers("*", "anything"));
        assert_eq!(Pattern::new("a*b"), Err(NameError::BadPattern));
        let contains = |outer: &str, inner: &str| {
            Pattern::new(outer)
                .is_ok_and(|outer| Pattern::new(inner).is_ok_and(|inner| outer.contains(&inner)))
        };
        assert!(contains("orders.*", "orders.read") && contains("orders.*", "orders.read.*"));
        assert!(contains("*", "orders.*") && contains("orders.read", "orders.read"));
        assert!(!contains("orders.read", "orders.*") && !contains("orders.*", "*"));
    }
}
