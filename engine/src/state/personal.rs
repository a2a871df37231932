//! Personal workspaces: one for each person, owned by them through a role that the tenant names, gone with them.
//!
//! Its name is given by rule, below a prefix that nobody else may use, so that no name that somebody chose is in the way.

use super::{Decided, Made, State};
use crate::sight::PERSONAL;
use tessera_model::limits::WORKSPACES_MAX;
use tessera_model::record::{GrantRecord, SubjectRecord, WorkspaceRecord};
use tessera_model::{
    Caller, Command, Deadline, Event, Limit, Name, PublicId, Refusal, RoleId, SubjectIndex, UnixMillis,
    WorkspaceIndex,
};

fn name_of(subject: PublicId) -> Option<Name> {
    Name::new(&format!("{PERSONAL}{subject}")).ok()
}

/// The public id of a personal workspace: it follows from whose it is and from its number, which are never given again.
fn id_of(subject: PublicId, index: WorkspaceIndex) -> PublicId {
    let digest =
        tessera_crypto::digest::hash(&[b"tessera personal workspace v1", &subject.0, &index.0.to_le_bytes()]);
    PublicId::of_digest(digest.first_chunk().copied().unwrap_or_default())
}

impl State {
    pub(super) fn set_personal_role(
        &self,
        role: Option<&Name>,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let role = role.map_or(Ok(RoleId(0)), |role| self.role_id(role))?;
        // One of a workspace holds there alone.
        self.fits(role, WorkspaceIndex(0))?;
        if !self.may_hand_out_all(&self.patterns_of(role), caller, now) {
            return Err(Refusal::BeyondCreator);
        }
        if role == self.root.personal_role {
            return Ok(Decided::nothing());
        }
        Ok(Decided::of(Event::PersonalRoleChanged { role }))
    }

    /// The personal workspace of a subject, as it would be made now; nothing where the tenant has none.
    pub(super) fn personal_events(&self, subject: SubjectIndex, id: PublicId) -> Vec<Event> {
        let (role, index) = (self.root.personal_role, self.next.workspace);
        let Some(name) = name_of(id).filter(|_| role.0 != 0 && index < WORKSPACES_MAX) else {
            return Vec::new();
        };
        let workspace = WorkspaceIndex(index);
        let (from, until) = (Deadline::NONE, Deadline::NONE);
        vec![
            Event::WorkspaceChanged(WorkspaceRecord {
                index: workspace,
                id: id_of(id, workspace),
                name,
                parent: WorkspaceIndex(0),
                inherits: true,
                ceiling: Vec::new(),
                owners: role,
                personal: subject,
            }),
            Event::GrantAdded(GrantRecord { subject, role, workspace, from, until }),
        ]
    }

    pub(super) fn make_personal(&self, subject: PublicId) -> Result<Decided, Refusal> {
        let record = self.known_subject(subject)?;
        if let Some(known) = self.personal_of(record.index) {
            let made = Made { workspace: Some(known.id), number: Some(known.index.0), ..Made::default() };
            return Ok(Decided { made, ..Decided::default() });
        }
        if self.root.personal_role.0 == 0 || record.guest {
            return Err(Refusal::PersonalOff);
        }
        let events = self.personal_events(record.index, record.id);
        let Some(Event::WorkspaceChanged(workspace)) = events.first() else {
            return Err(Limit::Workspaces.reached());
        };
        let (id, number) = (Some(workspace.id), Some(workspace.index.0));
        let made = Made { workspace: id, number, ..Made::default() };
        Ok(Decided { events, made, ..Decided::default() })
    }

    /// The personal workspace of a subject.
    pub(super) fn personal_of(&self, subject: SubjectIndex) -> Option<&WorkspaceRecord> {
        self.root
            .personal
            .get(&subject)
            .and_then(|index| self.root.workspaces.get(index))
            .map(|record| &**record)
    }

    /// What goes with a subject: its personal workspace, with its roles. Refused while other workspaces hang below it.
    pub(super) fn personal_gone(&self, record: &SubjectRecord) -> Result<Vec<Event>, Refusal> {
        let Some(known) = self.personal_of(record.index) else { return Ok(Vec::new()) };
        if !self.root.rules.workspaces_below(known.index).is_empty() {
            return Err(Refusal::NotEmpty);
        }
        let mut events = self.roles_gone(&[known.index]);
        events.push(Event::WorkspaceRemoved(known.index));
        Ok(events)
    }

    /// Whether a workspace is this subject's own: it is not left without an owner by them.
    pub(super) fn is_personal_of(&self, workspace: WorkspaceIndex, subject: SubjectIndex) -> bool {
        self.root.workspaces.get(&workspace).is_some_and(|record| record.personal == subject)
    }

    /// Refuses what would take a personal workspace from its subject: its deletion with others, and other owners.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is about no workspace")]
    pub(super) fn leaves_personal(&self, command: &Command) -> Result<(), Refusal> {
        let is_personal = |name: &Name| {
            let known = self.root.workspace_names.get(name).and_then(|index| self.root.workspaces.get(index));
            known.is_some_and(|record| record.personal.0 != 0)
        };
        let refused = match command {
            // The prefix is for those that are made by rule.
            Command::CreateWorkspace { name, .. } => {
                name.as_str().starts_with(PERSONAL) || name.as_str() == PERSONAL.trim_end_matches('.')
            }
            Command::SetOwners { name, .. } => is_personal(name),
            Command::DeleteWorkspaceTree { name } => {
                let Ok(index) = self.workspace_index(Some(name)) else { return Ok(()) };
                let tree = self.levels_below(index).into_iter().flatten().skip(1);
                let mut below = tree.filter_map(|at| self.root.workspaces.get(&at));
                below.any(|record| record.personal.0 != 0)
            }
            _ => false,
        };
        if refused { Err(Refusal::Personal) } else { Ok(()) }
    }
}
