//! Owners of workspaces: once a workspace has one, one stays.
//!
//! A role of the workspace's choice makes its holders owners. Who counts holds it in that workspace itself, for
//! good, without conditions, and is active: a grant that ends, or one through a group, keeps nobody from being the last.

use super::State;
use std::collections::BTreeSet;
use tessera_model::record::{GrantRecord, SubjectStatus, WorkspaceRecord};
use tessera_model::{RoleId, SubjectIndex, WorkspaceIndex};

impl State {
    /// The role whose holders own a workspace; 0 for none.
    fn owners_role(&self, workspace: WorkspaceIndex) -> RoleId {
        self.root.workspaces.get(&workspace).map_or(RoleId(0), |record| record.owners)
    }

    fn counts(&self, subject: SubjectIndex) -> bool {
        self.root.rules.line(subject).is_some_and(|line| line.status() == SubjectStatus::Active)
    }

    /// Whether a workspace would have no owner without this subject, and has one with it.
    pub(super) fn is_last_owner(
        &self,
        subject: SubjectIndex,
        role: RoleId,
        workspace: WorkspaceIndex,
    ) -> bool {
        if workspace.0 == 0 || role.0 == 0 || self.owners_role(workspace) != role {
            return false;
        }
        let Some(owners) = self.owners.get(&workspace) else { return false };
        owners.contains(&subject)
            && self.counts(subject)
            && !owners.iter().any(|other| *other != subject && self.counts(*other))
    }

    /// Whether a workspace would have no owner if this subject could not act.
    pub(super) fn is_last_owner_anywhere(&self, subject: SubjectIndex) -> bool {
        let grants = self.root.rules.grants_of(subject);
        grants.into_iter().any(|grant| self.is_last_owner(subject, grant.role, grant.workspace))
    }

    /// Whether a role makes owners of some workspace.
    pub(super) fn makes_owners(&self, role: RoleId) -> bool {
        self.owners.keys().any(|workspace| self.owners_role(*workspace) == role)
    }

    /// Whether anybody who counts holds a role in a workspace for good.
    pub(super) fn has_owner(&self, role: RoleId, workspace: WorkspaceIndex) -> bool {
        self.holders_for_good(role, workspace).into_iter().any(|subject| self.counts(subject))
    }

    fn holders_for_good(&self, role: RoleId, workspace: WorkspaceIndex) -> BTreeSet<SubjectIndex> {
        let holders = self.root.rules.holders_in(workspace);
        holders
            .filter(|grant| grant.role == role && self.counts_always(grant))
            .map(|grant| grant.subject)
            .collect()
    }

    /// Notes who owns a workspace, when its record was put.
    pub(super) fn note_owners(&mut self, record: &WorkspaceRecord) {
        if record.owners.0 == 0 {
            self.owners.remove(&record.index);
        } else if self.owners_role(record.index) != record.owners || !self.owners.contains_key(&record.index)
        {
            let holders = self.holders_for_good(record.owners, record.index);
            self.owners.insert(record.index, holders);
        }
    }

    /// Notes a grant that was put.
    pub(super) fn note_granted(&mut self, grant: &GrantRecord) {
        if grant.workspace.0 == 0 || self.owners_role(grant.workspace) != grant.role {
            return;
        }
        let always = self.counts_always(grant);
        if let Some(owners) = self.owners.get_mut(&grant.workspace) {
            if always {
                owners.insert(grant.subject);
            } else {
                owners.remove(&grant.subject);
            }
        }
    }

    /// Notes a grant that was taken back.
    pub(super) fn note_ungranted(&mut self, subject: SubjectIndex, role: RoleId, workspace: WorkspaceIndex) {
        if workspace.0 != 0
            && self.owners_role(workspace) == role
            && let Some(owners) = self.owners.get_mut(&workspace)
        {
            owners.remove(&subject);
        }
    }
}
