//! Workspaces: the tenant's tree.

use super::{Decided, Made, State};
use std::sync::Arc;
use tessera_model::command::Entropy;
use tessera_model::limits::{WORKSPACE_DEPTH_MAX, WORKSPACES_MAX};
use tessera_model::record::WorkspaceRecord;
use tessera_model::{Event, Limit, Name, PublicId, Refusal, UnixMillis, WorkspaceIndex};

impl State {
    pub(super) fn create_workspace(
        &self,
        name: &Name,
        parent: Option<&Name>,
        inherits: bool,
        entropy: &Entropy,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        if self.root.workspace_names.contains_key(name) {
            return Err(Refusal::Duplicate);
        }
        let parent = self.workspace_index(parent)?;
        if self.next.workspace >= WORKSPACES_MAX {
            return Err(Refusal::LimitReached(Limit::Workspaces));
        }
        if self.depth(parent) >= WORKSPACE_DEPTH_MAX {
            return Err(Refusal::LimitReached(Limit::WorkspaceDepth));
        }
        let index = WorkspaceIndex(self.next.workspace);
        let id = PublicId::new(now.0, entropy.take(20));
        let record = WorkspaceRecord { index, id, name: name.clone(), parent, inherits };
        Ok(Decided {
            made: Made { number: Some(index.0), workspace: Some(id), ..Made::default() },
            ..Decided::of(Event::WorkspaceChanged(record))
        })
    }

    /// Nodes from a workspace up to the tenant, itself included.
    fn depth(&self, mut index: WorkspaceIndex) -> usize {
        let mut depth = 0;
        while depth <= WORKSPACE_DEPTH_MAX {
            let Some(record) = self.root.workspaces.get(&index) else { break };
            (depth, index) = (depth + 1, record.parent);
        }
        depth
    }

    pub(super) fn delete_workspace(&self, name: &Name) -> Result<Decided, Refusal> {
        let index = self.workspace_index(Some(name))?;
        if self.root.workspaces.values().any(|record| record.parent == index) {
            return Err(Refusal::NotEmpty);
        }
        Ok(Decided::of(Event::WorkspaceRemoved(index)))
    }

    pub(super) fn apply_workspace(&mut self, record: &WorkspaceRecord) {
        self.next.workspace = self.next.workspace.max(record.index.0 + 1);
        self.root.rules.put_workspace(record);
        self.root.workspace_names.insert_mut(record.name.clone(), record.index);
        self.root.workspaces.insert_mut(record.index, Arc::new(record.clone()));
    }

    pub(super) fn apply_workspace_removed(&mut self, index: WorkspaceIndex) {
        self.next.workspace = self.next.workspace.max(index.0 + 1);
        let holders: Vec<_> = self.root.rules.holders_in(index).map(|grant| grant.subject).collect();
        self.dirty.extend(holders.into_iter().map(super::bucket::of_subject));
        self.root.rules.remove_workspace(index);
        if let Some(record) = self.root.workspaces.get(&index) {
            let name = record.name.clone();
            self.root.workspace_names.remove_mut(&name);
        }
        self.root.workspaces.remove_mut(&index);
    }
}
