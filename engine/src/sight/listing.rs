//! What a list of one caller's shows: of whom, and how much.

use super::{PERSONAL, Seen, Sight};
use crate::list::Listing;
use crate::root::Root;
use std::sync::{Arc, LazyLock};
use tessera_model::note::{By, Note};
use tessera_model::record::{SubjectRecord, WorkspaceRecord};
use tessera_model::visibility::{Detail, VisibilityRule};
use tessera_model::{IdentifierKind, Name, PublicId, Refusal, SubjectIndex, WorkspaceIndex};

/// What a personal workspace is called where it is not told whose it is.
static SOMEBODYS: LazyLock<Option<Name>> = LazyLock::new(|| Name::new(PERSONAL.trim_end_matches('.')).ok());

impl Listing {
    /// Everything of a root.
    pub(crate) fn of(root: Arc<Root>) -> Self {
        Self(root, Sight::default())
    }

    /// Whether its reader sees less than everybody in full.
    #[must_use]
    pub const fn is_limited(&self) -> bool {
        self.1.0.is_some()
    }

    /// What of a subject its reader is shown; none for whom it does not see.
    #[must_use]
    pub fn sees(&self, subject: SubjectIndex) -> Option<Seen> {
        self.1.seen(&self.0, subject)
    }

    /// Whether it is its reader's own, or its reader sees everybody in full.
    pub(crate) fn is_own(&self, subject: SubjectIndex) -> bool {
        self.1.0.as_ref().is_none_or(|limited| limited.own && limited.viewer == subject)
    }

    /// Whether its reader sees a subject, and is shown a detail of it.
    #[must_use]
    pub fn shows(&self, subject: SubjectIndex, detail: Detail) -> bool {
        self.sees(subject).is_some_and(|seen| seen.has(detail))
    }

    /// The public id of a subject, for a reader who sees it.
    #[must_use]
    pub fn shown_id(&self, subject: SubjectIndex) -> Option<PublicId> {
        let record = self.0.subjects.get(&subject)?;
        self.sees(subject).map(|_| record.id)
    }

    /// A public id of a subject, for a reader who sees it.
    #[must_use]
    pub fn seen_id(&self, id: PublicId) -> Option<PublicId> {
        if !self.is_limited() {
            return Some(id);
        }
        self.0.index_of(id).and_then(|subject| self.shown_id(subject))
    }

    /// A subject of which its reader is to be shown a detail.
    ///
    /// # Errors
    /// `SubjectUnknown` for one that is not there or not seen, `NotShown` for one that is seen without that.
    pub fn subject_with_detail(&self, id: PublicId, detail: Detail) -> Result<&SubjectRecord, Refusal> {
        let record = self.subject(id).ok_or(Refusal::SubjectUnknown)?;
        if self.shows(record.index, detail) { Ok(record) } else { Err(Refusal::NotShown) }
    }

    /// Whether an attribute of a subject is shown.
    #[must_use]
    pub fn shows_attribute(&self, seen: Seen, name: &Name) -> bool {
        let by_name = |limited: &Arc<super::Limited>| {
            let mut by = (0_u32..).zip(&limited.rules).filter(|(nth, _)| seen.rules >> nth & 1 == 1);
            by.any(|(_, ruled)| ruled.rule.attributes.contains(name))
        };
        seen.has(Detail::Attributes) || self.1.0.as_ref().is_some_and(by_name)
    }

    /// Whether an identifier of a kind is shown.
    #[must_use]
    pub const fn shows_identifier(seen: Seen, kind: IdentifierKind) -> bool {
        seen.has(Detail::of_identifier(kind))
    }

    /// Who made a subject, for a reader who is shown that and sees whoever it was.
    #[must_use]
    pub fn creator(&self, subject: SubjectIndex) -> Option<PublicId> {
        let by = self.0.creators.get(subject.0).copied().filter(|by| *by != 0)?;
        if self.shows(subject, Detail::Creator) { self.shown_id(SubjectIndex(by)) } else { None }
    }

    /// Whether a name of relations may be told: no `user:` of somebody whom its reader does not see. One that is
    /// nobody's is kept back as well, so that nothing tells both apart.
    #[must_use]
    pub fn tells(&self, name: &str) -> bool {
        if !self.is_limited() {
            return true;
        }
        let bare = name.split_once('#').map_or(name, |(bare, _)| bare);
        let id = bare.split_once(':').filter(|(kind, _)| *kind == crate::resource::SUBJECT_TYPE);
        // The name of a personal workspace tells whose it is, in whatever an application calls so.
        let id = id.map(|(_, id)| id).or_else(|| bare.split_once(PERSONAL).map(|(_, id)| id));
        id.and_then(PublicId::parse).is_none_or(|id| self.seen_id(id).is_some())
    }

    /// Whether its reader is shown a workspace: of personal ones, whose names tell whose they are, those of subjects
    /// that it sees.
    #[must_use]
    pub fn shows_workspace(&self, workspace: &WorkspaceRecord) -> bool {
        workspace.personal.0 == 0 || self.sees(workspace.personal).is_some()
    }

    /// The name of a workspace. INVARIANT: every list and read tells the names of workspaces by this; a personal one of
    /// somebody whom its reader does not see is called [`PERSONAL`] alone, and tells not whose it is.
    #[must_use]
    pub fn workspace_name(&self, index: WorkspaceIndex) -> Option<&Name> {
        let record = self.0.workspaces.get(&index)?;
        if self.shows_workspace(record) { Some(&record.name) } else { SOMEBODYS.as_ref() }
    }

    /// A name of a workspace, as its reader is told it.
    pub(crate) fn told_place(&self, name: Name) -> Option<Name> {
        match self.0.workspace_names.get(&name) {
            Some(index) => self.workspace_name(*index).cloned(),
            None => Some(name),
        }
    }

    /// The workspace with this name, for a reader who is shown it.
    #[must_use]
    pub fn workspace_named(&self, name: &Name) -> Option<&Arc<WorkspaceRecord>> {
        let record = self.0.workspaces.get(self.0.workspace_names.get(name)?)?;
        self.shows_workspace(record).then_some(record)
    }

    /// Who sees whom: the version, 0 for no rules, and the rules. One of a role that was deleted is nobody's.
    #[must_use]
    pub fn visibility(&self) -> (u32, Vec<VisibilityRule>) {
        let Some(record) = self.0.visibility.as_deref().filter(|record| !record.rules.is_empty()) else {
            return (0, Vec::new());
        };
        let rules =
            record.rules.iter().filter(|rule| rule.role.0 == 0 || self.0.roles.contains_key(&rule.role));
        let rules = rules.map(|rule| VisibilityRule {
            role: self.role_name(rule.role).cloned(),
            reach: rule.reach,
            details: rule.details,
            attributes: rule.attributes.clone(),
        });
        (record.version, rules.collect())
    }

    /// A line about relations, where all names in it may be told; empty otherwise.
    #[must_use]
    pub fn told_line<'a>(&self, line: &'a str) -> &'a str {
        if line.split_whitespace().all(|word| self.tells(word)) { line } else { "" }
    }

    /// A note, with by whom where its reader sees them.
    pub(crate) fn told(&self, note: Note) -> Option<By> {
        match note.by {
            By::Subject(id) => self.seen_id(id).map(By::Subject),
            by @ (By::Operator | By::Node) => Some(by),
        }
    }

    /// The same subject for a reader who sees it. One that is not there costs as much as one that is not seen.
    pub(crate) fn if_seen<'a>(&self, found: Option<&'a SubjectRecord>) -> Option<&'a SubjectRecord> {
        let Some(record) = found else {
            self.1.pretend(&self.0);
            return None;
        };
        self.sees(record.index).map(|_| record)
    }
}
