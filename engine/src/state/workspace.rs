//! Workspaces: the tenant's tree.

use super::{Decided, Made, State};
use std::sync::Arc;
use tessera_model::command::Entropy;
use tessera_model::limits::{PATTERNS_MAX, WORKSPACE_DEPTH_MAX, WORKSPACE_TREE_MAX, WORKSPACES_MAX};
use tessera_model::record::WorkspaceRecord;
use tessera_model::{
    Event, Limit, Name, Pattern, PublicId, Refusal, RoleId, SubjectIndex, UnixMillis, WorkspaceIndex,
};

impl State {
    pub(super) fn create_workspace(
        &self,
        name: &Name,
        parent: Option<&Name>,
        inherits: bool,
        entropy: &Entropy,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        Self::may_be_called(name)?;
        if self.root.workspace_names.contains_key(name) {
            return Err(Refusal::Duplicate);
        }
        let parent = self.workspace_index(parent)?;
        if self.next.workspace >= WORKSPACES_MAX {
            return Err(Limit::Workspaces.reached());
        }
        if self.depth(parent) >= WORKSPACE_DEPTH_MAX {
            return Err(Limit::WorkspaceDepth.reached());
        }
        let index = WorkspaceIndex(self.next.workspace);
        let id = PublicId::new(now.0, entropy.take(20));
        let (ceiling, owners) = (Vec::new(), RoleId(0));
        let personal = SubjectIndex(0);
        let name = name.clone();
        let record = WorkspaceRecord { index, id, name, parent, inherits, ceiling, owners, personal };
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
        if !self.root.rules.workspaces_below(index).is_empty() {
            return Err(Refusal::NotEmpty);
        }
        let mut events = self.roles_gone(&[index]);
        events.push(Event::WorkspaceRemoved(index));
        Ok(Decided { events, ..Decided::default() })
    }

    pub(super) fn delete_workspace_tree(&self, name: &Name) -> Result<Decided, Refusal> {
        let index = self.workspace_index(Some(name))?;
        let mut tree: Vec<_> = self.levels_below(index).into_iter().flatten().collect();
        if tree.len() > WORKSPACE_TREE_MAX {
            return Err(Limit::WorkspaceTree.reached());
        }
        let mut events = self.roles_gone(&tree);
        // Those below first.
        tree.reverse();
        events.extend(tree.into_iter().map(Event::WorkspaceRemoved));
        Ok(Decided { events, ..Decided::default() })
    }

    /// A workspace and all below it, level by level.
    pub(super) fn levels_below(&self, index: WorkspaceIndex) -> Vec<Vec<WorkspaceIndex>> {
        let (mut levels, mut level) = (Vec::new(), vec![index]);
        while !level.is_empty() && levels.len() <= WORKSPACE_DEPTH_MAX {
            let below = level.iter().flat_map(|at| self.root.rules.workspaces_below(*at)).collect();
            levels.push(std::mem::replace(&mut level, below));
        }
        levels
    }

    fn known_workspace(&self, name: &Name) -> Result<&WorkspaceRecord, Refusal> {
        let index = self.workspace_index(Some(name))?;
        self.root.workspaces.get(&index).map(|record| &**record).ok_or(Refusal::WorkspaceUnknown)
    }

    fn changed(&self, record: WorkspaceRecord) -> Decided {
        if self.root.workspaces.get(&record.index).is_some_and(|known| **known == record) {
            return Decided::nothing();
        }
        Decided::of(Event::WorkspaceChanged(record))
    }

    pub(super) fn move_workspace(
        &self,
        name: &Name,
        parent: Option<&Name>,
        inherits: bool,
    ) -> Result<Decided, Refusal> {
        let record = self.known_workspace(name)?;
        let parent = self.workspace_index(parent)?;
        let levels = self.levels_below(record.index);
        if levels.iter().flatten().any(|below| *below == parent) {
            return Err(Refusal::Cycle);
        }
        if self.depth(parent) + levels.len() > WORKSPACE_DEPTH_MAX {
            return Err(Limit::WorkspaceDepth.reached());
        }
        self.stays_inside(&levels.concat(), parent)?;
        Ok(self.changed(WorkspaceRecord { parent, inherits, ..record.clone() }))
    }

    pub(super) fn set_ceiling(&self, name: &Name, patterns: &[Pattern]) -> Result<Decided, Refusal> {
        let record = self.known_workspace(name)?;
        if patterns.len() > PATTERNS_MAX {
            return Err(Limit::Patterns.reached());
        }
        Self::unfiltered(patterns)?;
        self.look_up_all(patterns, &record.ceiling)?;
        Ok(self.changed(WorkspaceRecord { ceiling: patterns.to_vec(), ..record.clone() }))
    }

    pub(super) fn set_owners(&self, name: &Name, role: Option<&Name>) -> Result<Decided, Refusal> {
        let record = self.known_workspace(name)?;
        let owners = role.map_or(Ok(RoleId(0)), |role| self.role_id(role))?;
        self.fits(owners, record.index)?;
        if owners.0 != 0 && !self.has_owner(owners, record.index) {
            return Err(Refusal::LastOwner);
        }
        Ok(self.changed(WorkspaceRecord { owners, ..record.clone() }))
    }

    pub(super) fn apply_workspace(&mut self, record: &WorkspaceRecord) {
        self.next.workspace = self.next.workspace.max(record.index.0 + 1);
        self.root.rules.put_workspace(record);
        self.note_owners(record);
        if record.personal.0 != 0 {
            self.root.personal.insert_mut(record.personal, record.index);
        }
        self.root.workspace_names.insert_mut(record.name.clone(), record.index);
        self.root.workspaces.insert_mut(record.index, Arc::new(record.clone()));
    }

    pub(super) fn apply_workspace_removed(&mut self, index: WorkspaceIndex) {
        self.next.workspace = self.next.workspace.max(index.0 + 1);
        self.keep_numbers();
        self.forget_requests(|request| request.workspace == index);
        let holders: Vec<_> = self.root.rules.holders_in(index).map(|grant| grant.subject).collect();
        self.dirty.extend(holders.into_iter().map(super::bucket::of_subject));
        let groups = self.root.rules.groups_granted_in(index).into_iter().map(|grant| grant.group);
        self.dirty.extend(groups.map(super::bucket::of_group));
        self.root.rules.remove_workspace(index);
        self.owners.remove(&index);
        if let Some(record) = self.root.workspaces.get(&index) {
            let (name, personal) = (record.name.clone(), record.personal);
            self.root.workspace_names.remove_mut(&name);
            self.root.personal.remove_mut(&personal);
        }
        self.root.workspaces.remove_mut(&index);
    }
}
