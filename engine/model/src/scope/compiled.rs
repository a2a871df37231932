//! A scope with filters, as keys hold it: made once, compared often, and nothing allocated for it.

use super::action::{Rank, includes};
use super::{REST, Scope};
use crate::id::WorkspaceIndex;
use crate::name::Name;

/// What a filter of a held scope is compared with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FilterTarget {
    /// The number of the workspace that is asked about ([`FilterTarget::of_workspace`]).
    Workspace,
    /// The public id of whoever asks.
    Subject,
    /// A declared attribute of whoever asks.
    Attribute(Name),
    /// An attribute of the request, as the scope that is asked for says.
    Request(Box<str>),
}

impl FilterTarget {
    /// Keys that an asker may not speak for.
    const SUBJECT: &'static str = "subject";
    pub(crate) const WORKSPACE: &'static str = "workspace";
    /// Stands before a workspace's number: no name has it.
    const NUMBER: char = '@';

    /// What a key means: `workspace`, `subject`, `subject.` and an attribute's name, or an attribute of the request.
    #[must_use]
    pub fn of(key: &str) -> Self {
        let attribute = key.strip_prefix(Self::SUBJECT).and_then(|rest| rest.strip_prefix('.'));
        match attribute.map(Name::new) {
            Some(Ok(name)) => Self::Attribute(name),
            _ if key == Self::WORKSPACE => Self::Workspace,
            _ if key == Self::SUBJECT => Self::Subject,
            _ => Self::Request(key.into()),
        }
    }

    /// How a workspace is written where it is meant itself and not whatever is called so later.
    #[must_use]
    pub fn of_workspace(workspace: WorkspaceIndex) -> String {
        format!("{}{}", Self::NUMBER, workspace.0)
    }

    /// The workspace that is written so.
    #[must_use]
    pub fn workspace(value: &str) -> Option<WorkspaceIndex> {
        let digits = value.strip_prefix(Self::NUMBER)?;
        let number = digits.parse::<u32>().ok().filter(|_| !digits.starts_with(['0', '+']))?;
        Some(WorkspaceIndex(number))
    }

    /// Whether a question may say this of itself. Workspace and subject are what they are.
    #[must_use]
    pub fn may_be_said(key: &str) -> bool {
        let speaks_for =
            |what| key.strip_prefix(what).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        !speaks_for(Self::SUBJECT) && !speaks_for(Self::WORKSPACE)
    }
}

/// What a held scope's filters are compared with.
pub trait ScopeAttributes {
    /// Whether the workspace that is asked about is written so ([`FilterTarget::of_workspace`]).
    fn workspace_is(&self, value: &str) -> bool;
    /// Whether the subject's public id is this.
    fn subject_is(&self, value: &str) -> bool;
    /// Whether the subject's attribute has this value, by the kind that it is declared with.
    fn attribute_is(&self, attribute: &Name, value: &str) -> bool;
}

/// A scope with filters, compiled.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeldScope {
    action: (Box<str>, Rank),
    path: Box<[Box<str>]>,
    filters: Box<[(FilterTarget, Box<str>)]>,
}

impl HeldScope {
    /// Compiles a scope.
    #[must_use]
    pub fn new(scope: &Scope<'_>) -> Self {
        let filters = scope.filters().iter().map(|filter| {
            // The value was looked at when the scope was read.
            let value = String::from_utf8(filter.value().collect()).unwrap_or_default();
            (FilterTarget::of(filter.key), value.into())
        });
        Self {
            action: (scope.action.0.into(), scope.action.1),
            path: scope.path().iter().map(|part| Box::from(*part)).collect(),
            filters: filters.collect(),
        }
    }

    /// The filters, with what each is compared with.
    #[must_use]
    pub fn filters(&self) -> &[(FilterTarget, Box<str>)] {
        &self.filters
    }

    /// Whether it reaches what is asked for, were it not for its filters.
    #[must_use]
    pub fn reaches(&self, asked: &Scope<'_>) -> bool {
        if !includes((&self.action.0, self.action.1), asked.action) {
            return false;
        }
        let mut path = asked.path().iter();
        for part in &self.path {
            let Some(found) = path.next() else { return false };
            match &**part {
                REST => return true,
                "*" => {}
                part if part == *found => {}
                _ => return false,
            }
        }
        path.next().is_none()
    }

    /// Whether every one of its filters holds.
    pub fn holds(&self, asked: &Scope<'_>, here: &impl ScopeAttributes) -> bool {
        self.filters.iter().all(|(target, value)| match target {
            FilterTarget::Workspace => here.workspace_is(value),
            FilterTarget::Subject => here.subject_is(value),
            FilterTarget::Attribute(attribute) => here.attribute_is(attribute, value),
            FilterTarget::Request(key) => {
                let found = asked.filters().binary_search_by(|filter| filter.key.cmp(key));
                found.ok().and_then(|at| asked.filters().get(at)).is_some_and(|filter| filter.is(value))
            }
        })
    }
}
