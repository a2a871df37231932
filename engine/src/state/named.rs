//! What is found by its name, and grants as they come and go.

use super::State;
use tessera_model::record::GrantRecord;
use tessera_model::{
    Name, PermissionId, PermissionRef, PublicId, Refusal, RoleId, SubjectIndex, WorkspaceIndex,
};

impl State {
    pub(super) fn apply_grant(&mut self, record: &GrantRecord) {
        self.root.rules.put_grant(record);
        self.note_granted(record);
    }

    pub(super) fn apply_ungranted(&mut self, subject: SubjectIndex, role: RoleId, workspace: WorkspaceIndex) {
        self.note_ungranted(subject, role, workspace);
        self.root.rules.remove_grant(subject, role, workspace);
    }

    pub(super) fn permission_id(&self, name: &str) -> Option<PermissionId> {
        self.root.rules.permission(PermissionRef::Name(name))
    }

    /// Refuses to call something new by a name that reads as an id.
    pub(super) fn may_be_called(name: &Name) -> Result<(), Refusal> {
        if PublicId::is_read_in(name.as_str()) { Err(Refusal::BuiltIn) } else { Ok(()) }
    }

    pub(super) fn role_id(&self, name: &Name) -> Result<RoleId, Refusal> {
        self.root.role_names.get(name).copied().ok_or(Refusal::RoleUnknown)
    }

    pub(super) fn workspace_index(&self, name: Option<&Name>) -> Result<WorkspaceIndex, Refusal> {
        match name {
            None => Ok(WorkspaceIndex(0)),
            Some(name) => self.root.workspace_names.get(name).copied().ok_or(Refusal::WorkspaceUnknown),
        }
    }
}
