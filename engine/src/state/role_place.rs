//! Roles of workspaces: granted there and below alone, administered there, and gone with it.

use super::State;
use crate::check::Live;
use crate::facts::facts_of;
use std::collections::BTreeSet;
use tessera_model::limits::WORKSPACE_DEPTH_MAX;
use tessera_model::{
    Command, Event, Generation, Name, Place, Reason, Refusal, RoleId, UnixMillis, Whence, WorkspaceIndex,
};

impl State {
    /// Whether a workspace is another one or lies below it; 0 is the tenant, above all.
    fn lies_at(&self, mut workspace: WorkspaceIndex, above: WorkspaceIndex) -> bool {
        for _ in 0..=WORKSPACE_DEPTH_MAX {
            if above.0 == 0 || workspace == above {
                return true;
            }
            let Some(record) = self.root.workspaces.get(&workspace) else { return false };
            workspace = record.parent;
        }
        false
    }

    /// The workspace that a role belongs to; 0 for the tenant.
    pub(super) fn place_of_role(&self, role: RoleId) -> WorkspaceIndex {
        self.root.roles.get(&role).map_or(WorkspaceIndex(0), |record| record.workspace)
    }

    /// Refuses a role where it does not hold.
    pub(super) fn fits(&self, role: RoleId, workspace: WorkspaceIndex) -> Result<(), Refusal> {
        if self.lies_at(workspace, self.place_of_role(role)) { Ok(()) } else { Err(Refusal::RoleOutside) }
    }

    /// The removal of the roles that belong to one of these workspaces.
    pub(super) fn roles_gone(&self, tree: &[WorkspaceIndex]) -> Vec<Event> {
        let tree: BTreeSet<_> = tree.iter().copied().collect();
        let roles = self.root.roles.values().filter(|record| tree.contains(&record.workspace));
        roles.map(|record| Event::RoleRemoved(record.id)).collect()
    }

    /// Refuses a move that would leave a role of a workspace above with a grant, or a role below it, outside.
    ///
    /// COST: looks at all roles, and at the holders of those that belong to a workspace.
    pub(super) fn stays_inside(
        &self,
        tree: &[WorkspaceIndex],
        parent: WorkspaceIndex,
    ) -> Result<(), Refusal> {
        let tree: BTreeSet<_> = tree.iter().copied().collect();
        let leaves =
            |place: WorkspaceIndex| place.0 != 0 && !tree.contains(&place) && !self.lies_at(parent, place);
        let rules = &self.root.rules;
        for record in self.root.roles.values().filter(|record| leaves(record.workspace)) {
            let held = rules.holders_of(record.id).any(|grant| tree.contains(&grant.workspace))
                || rules.groups_with(record.id).into_iter().any(|grant| tree.contains(&grant.workspace))
                || rules.roles_below(record.id).any(|below| tree.contains(&self.place_of_role(below)));
            let owns = tree.iter().filter_map(|place| self.root.workspaces.get(place));
            if held || owns.into_iter().any(|place| place.owners == record.id) {
                return Err(Refusal::RoleOutside);
            }
        }
        Ok(())
    }

    /// The workspace whose administrators may order a command: what a role of a workspace is, and who has it there.
    #[expect(clippy::wildcard_enum_match_arm, reason = "everything else concerns the tenant")]
    fn place_of_order(&self, command: &Command) -> Option<WorkspaceIndex> {
        let named = |name: &Name| self.role_id(name).ok();
        let place = match command {
            Command::CreateRoleIn { workspace, .. } => self.workspace_index(Some(workspace)).ok()?,
            Command::ChangeRole { name, .. }
            | Command::DeleteRole { name }
            | Command::SetRoleParents { name, .. } => self.place_of_role(named(name)?),
            Command::Grant { role, workspace: Some(place), .. }
            | Command::Ungrant { role, workspace: Some(place), .. }
            | Command::RenewGrant { role, workspace: Some(place), .. }
            | Command::GrantGroup { role, workspace: Some(place), .. }
            | Command::SetGrantConditions { role, workspace: Some(place), .. }
            | Command::GrantUnder { role, workspace: Some(place), .. }
            | Command::UngrantGroup { role, workspace: Some(place), .. }
            | Command::Invite { role, workspace: place, .. } => {
                self.of_a_workspace(named(role)?)?;
                self.workspace_index(Some(place)).ok()?
            }
            Command::ApproveRequest { request } | Command::RefuseRequest { request } => {
                let known = self.request(*request)?;
                self.of_a_workspace(known.role)?;
                known.workspace
            }
            Command::WithdrawInvitation { invitation } | Command::ResendInvitation { invitation, .. } => {
                let (role, place, _) = self.invited_to(*invitation)?;
                self.of_a_workspace(role)?;
                place
            }
            _ => return None,
        };
        (place.0 != 0).then_some(place)
    }

    /// A role that belongs to a workspace.
    fn of_a_workspace(&self, role: RoleId) -> Option<WorkspaceIndex> {
        Some(self.place_of_role(role)).filter(|place| place.0 != 0)
    }

    /// Whether whoever lives there holds the permission of a command in the workspace that it is about alone.
    pub(super) fn holds_there(
        &self,
        command: &Command,
        (life, live, from): ((Place, Generation), &Live, Whence),
        now: UnixMillis,
    ) -> bool {
        let (place, permission) =
            (self.place_of_order(command), self.permission_id(command.kind().permission()));
        let (Some(place), Some(permission)) = (place, permission) else { return false };
        let (Some(line), Some(within)) = (self.root.rules.line(live.subject), self.within(life, now)) else {
            return false;
        };
        let facts = facts_of(&self.root, &self.place(life.0), from.0);
        let when = (now, Some(&facts));
        let found = self.root.rules.evaluate_under(line, permission, place, live.restriction, when);
        let found = self.root.rules.cut_within(found, permission, &within, now);
        found.reason == Reason::None
    }
}
