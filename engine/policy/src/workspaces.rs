//! The tree of workspaces, with each one's chain of ancestors worked out when it is written.
//!
//! A check never walks the tree: a workspace's 16 bytes hold its next four ancestors, and say whether
//! grants for the whole tenant hold in it. A workspace that does not inherit has an empty chain.

use crate::ceilings::Ceilings;
use crate::chunked::Chunked;
use crate::names::{Known, Names};
use crate::roles::Permissions;
use crate::slab::Slab;
use std::sync::Arc;
use tessera_model::limits::{WORKSPACE_DEPTH_MAX, WORKSPACES_MAX};
use tessera_model::record::WorkspaceRecord;
use tessera_model::{Name, PermissionId, WorkspaceIndex};

// What may stand in a chain beside indexes; no line of a subject holds such a number.
/// The chain has ended at the tenant: grants for all of it hold here.
const ROOT: u32 = u32::MAX;
/// The chain has ended below the tenant: nothing from further above holds here.
const STOP: u32 = u32::MAX - 1;
/// Never put.
const AWAITED: u32 = u32::MAX - 2;
/// Removed for ever.
const REMOVED: u32 = u32::MAX - 3;
/// In the last place: the rest of the chain is the deep record with this number.
const DEEP: u32 = 1 << 31;
const INLINE: usize = 4;

/// 16 bytes: the next ancestors, then `ROOT` or `STOP` (left out where four ancestors end at the root).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Node([u32; INLINE]);

impl Default for Node {
    fn default() -> Self {
        Self([AWAITED; INLINE])
    }
}

/// What the fourth place of a node could not hold.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Deep {
    /// From the fourth ancestor on.
    rest: Arc<[u32]>,
    root: bool,
}

/// As much of a scope as stands in the workspace's 16 bytes.
#[derive(Clone, Copy)]
pub(crate) struct Near<'a> {
    /// The workspace itself.
    pub(crate) own: u32,
    /// Its next ancestors; numbers that are no index stand for nothing.
    pub(crate) above: &'a [u32; INLINE],
    /// Whether grants for the whole tenant hold here; false while the chain goes on elsewhere.
    pub(crate) root: bool,
    /// Whether the chain goes on in a deep record.
    pub(crate) is_deep: bool,
}

/// Where a check asks: the workspace, its ancestors as far as they reach, and whether the tenant's
/// grants reach it.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    near: Near<'a>,
    /// Ancestors beyond.
    pub(crate) deep: &'a [u32],
    /// Whether grants for the whole tenant hold here.
    pub(crate) root: bool,
}

impl Scope<'_> {
    /// Whether a grant in this workspace holds here.
    pub(crate) fn contains(&self, workspace: WorkspaceIndex) -> bool {
        if workspace.0 == 0 {
            return self.root;
        }
        self.near.own == workspace.0
            || self.near.above.contains(&workspace.0)
            || self.deep.contains(&workspace.0)
    }

    /// Every workspace in which a grant holds here, the tenant left out.
    pub(crate) fn places(&self) -> impl Iterator<Item = u32> {
        let near = std::iter::once(self.near.own).chain(*self.near.above);
        near.filter(|at| *at <= WORKSPACES_MAX).chain(self.deep.iter().copied())
    }
}

/// What the tree knows of a workspace beside its chain. It may be awaited: a child can come first.
#[derive(Clone, Debug, Default)]
struct Branch {
    name: Option<Known>,
    parent: u32,
    inherits: bool,
    first_child: u32,
    next: u32,
    previous: u32,
}

/// The workspaces of a tenant.
#[derive(Clone)]
pub(crate) struct Workspaces {
    nodes: Chunked<Node>,
    deep: Slab<Deep>,
    branches: Chunked<Branch>,
    pub(crate) ceilings: Ceilings,
    names: Names,
    count: u32,
}

impl Workspaces {
    pub(crate) fn new() -> Self {
        Self {
            nodes: Chunked::new(WORKSPACES_MAX + 1),
            deep: Slab::new(WORKSPACES_MAX + 2),
            branches: Chunked::new(WORKSPACES_MAX + 1),
            ceilings: Ceilings::new(),
            names: Names::new(),
            count: 0,
        }
    }

    /// Where a check in this workspace looks first; `None` when there is no such workspace.
    #[inline]
    pub(crate) fn near(&self, workspace: WorkspaceIndex) -> Option<Near<'_>> {
        if workspace.0 == 0 {
            return Some(Near { own: ROOT, above: &[ROOT; INLINE], root: true, is_deep: false });
        }
        let Node(above) = self.nodes.get(workspace.0)?;
        let [first, .., last] = *above;
        if first == AWAITED || first == REMOVED {
            return None;
        }
        let is_deep = is_deep(last);
        Some(Near { own: workspace.0, above, root: last != STOP && !is_deep, is_deep })
    }

    /// Asks for a workspace's cache line before it is needed.
    #[inline]
    pub(crate) fn touch(&self, workspace: WorkspaceIndex) {
        self.nodes.touch(workspace.0);
    }

    /// All of where a check in this workspace looks; `None` when there is no such workspace.
    pub(crate) fn scope(&self, workspace: WorkspaceIndex) -> Option<Scope<'_>> {
        let near = self.near(workspace)?;
        if !near.is_deep {
            return Some(Scope { near, deep: &[], root: near.root });
        }
        let [.., last] = *near.above;
        let deep = self.deep.get(last & !DEEP)?;
        Some(Scope { near, deep: &deep.rest, root: deep.root })
    }

    /// Whether there is such a workspace; 0 is the tenant.
    #[inline]
    pub(crate) fn exists(&self, workspace: WorkspaceIndex) -> bool {
        let Some(Node([a, ..])) = self.nodes.get(workspace.0) else { return workspace.0 == 0 };
        workspace.0 == 0 || !matches!(*a, AWAITED | REMOVED)
    }

    /// Whether the workspace was removed (not: is awaited).
    pub(crate) fn is_removed(&self, workspace: WorkspaceIndex) -> bool {
        self.nodes.get(workspace.0).is_some_and(|node| *node == Node([REMOVED; INLINE]))
    }

    pub(crate) fn named(&self, name: &str) -> Option<WorkspaceIndex> {
        self.names.get(name).map(WorkspaceIndex)
    }

    pub(crate) fn name(&self, workspace: WorkspaceIndex) -> Option<&Name> {
        self.branches.get(workspace.0)?.name.as_ref().map(Known::name)
    }

    /// Whether a permission is below the ceiling of a workspace; the tenant has none.
    #[inline]
    pub(crate) fn lets_through(&self, workspace: WorkspaceIndex, permission: PermissionId) -> bool {
        self.ceilings.lets_through(workspace.0, permission)
    }

    /// The mask that everything in a workspace must lie in; `None` cuts nothing.
    pub(crate) fn ceiling(&self, workspace: WorkspaceIndex) -> Option<&[u64]> {
        self.ceilings.mask(workspace.0)
    }

    /// Works out every ceiling anew, because permissions have other names.
    pub(crate) fn renamed(&mut self, permissions: &Permissions) {
        for index in self.ceilings.own() {
            self.settle_ceiling(index, permissions);
        }
    }

    /// The workspaces straight below one, the tenant's left out.
    pub(crate) fn below(&self, workspace: WorkspaceIndex) -> Vec<WorkspaceIndex> {
        self.children(workspace.0).into_iter().map(WorkspaceIndex).collect()
    }

    /// Whether grants above a workspace hold in it.
    pub(crate) fn inherits(&self, workspace: u32) -> bool {
        self.branches.get(workspace).is_some_and(|branch| branch.inherits)
    }

    /// The workspace above, 0 for the tenant.
    pub(crate) fn parent(&self, workspace: u32) -> u32 {
        self.branches.get(workspace).map_or(0, |branch| branch.parent)
    }

    /// Puts a workspace; its descendants' chains and ceilings follow.
    pub(crate) fn put(&mut self, record: &WorkspaceRecord, permissions: &Permissions) {
        let index = record.index.0;
        if index == 0 || index > WORKSPACES_MAX {
            return;
        }
        let old = self.branches.get(index).cloned().unwrap_or_default();
        if !self.exists(record.index) {
            self.count += 1;
        }
        if old.name.as_ref().map(Known::name) != Some(&record.name) {
            let known = Known::new(&record.name);
            if let Some(old) = &old.name {
                self.names.remove(old, index);
            }
            self.names.insert(known.clone(), index);
            self.branches.update(index, |branch| branch.name = Some(known));
        }
        if old.parent != record.parent.0 {
            self.unlink(index);
            self.link(index, record.parent.0);
        }
        self.branches.update(index, |branch| branch.inherits = record.inherits);
        self.settle(index);
        self.ceilings.put(index, &record.ceiling);
        self.settle_ceiling(index, permissions);
    }

    /// Removes a workspace for ever. Should it have children, nothing from above reaches them any more.
    pub(crate) fn remove(&mut self, workspace: WorkspaceIndex) {
        let index = workspace.0;
        if index == 0 || index > WORKSPACES_MAX {
            return;
        }
        if self.exists(workspace) {
            self.count -= 1;
        }
        if let Some(name) = self.branches.get(index).and_then(|branch| branch.name.clone()) {
            self.names.remove(&name, index);
        }
        self.unlink(index);
        self.branches.update(index, |branch| branch.name = None);
        self.ceilings.put(index, &[]);
        self.store(index, Node([REMOVED; INLINE]));
        for child in self.children(index) {
            self.settle(child);
        }
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Works the chain of a workspace out anew, then those of its descendants, as far as they change.
    ///
    /// LIMIT: as many levels as a tree may have. Input that closed a circle would end here as well.
    fn settle(&mut self, index: u32) {
        let mut level = vec![index];
        for _ in 0..=WORKSPACE_DEPTH_MAX {
            let mut below = vec![];
            for index in level {
                let (chain, root) = self.chain(index);
                if self.put_chain(index, &chain, root) {
                    below.extend(self.children(index));
                }
            }
            if below.is_empty() {
                return;
            }
            level = below;
        }
    }

    /// Works the ceiling of a workspace out anew, then those of its descendants, as far as they change.
    ///
    /// LIMIT: as [`Self::settle`].
    fn settle_ceiling(&mut self, index: u32, permissions: &Permissions) {
        let mut level = vec![index];
        for _ in 0..=WORKSPACE_DEPTH_MAX {
            let mut below = vec![];
            for index in level {
                if self.ceilings.settle(index, self.parent(index), permissions) {
                    below.extend(self.children(index));
                }
            }
            if below.is_empty() {
                return;
            }
            level = below;
        }
    }

    /// The chain of a workspace, from its own record and its parent's chain.
    fn chain(&self, index: u32) -> (Vec<u32>, bool) {
        let Some(branch) = self.branches.get(index) else { return (vec![], false) };
        if !branch.inherits || branch.parent == index {
            return (vec![], false);
        }
        if branch.parent == 0 {
            return (vec![], true);
        }
        let Some(scope) = self.scope(WorkspaceIndex(branch.parent)) else { return (vec![], false) };
        let near =
            std::iter::once(scope.near.own).chain(*scope.near.above).filter(|at| *at <= WORKSPACES_MAX);
        let mut chain: Vec<u32> = near.chain(scope.deep.iter().copied()).collect();
        let whole = chain.len() <= WORKSPACE_DEPTH_MAX;
        chain.truncate(WORKSPACE_DEPTH_MAX);
        (chain, scope.root && whole)
    }

    /// Stores a chain; false when it stood there already.
    fn put_chain(&mut self, index: u32, chain: &[u32], root: bool) -> bool {
        let end = if root { ROOT } else { STOP };
        let fits = chain.len() < INLINE || (chain.len() == INLINE && root);
        if fits {
            let mut node = [end; INLINE];
            for (to, from) in node.iter_mut().zip(chain) {
                *to = *from;
            }
            let changed = self.nodes.get(index) != Some(&Node(node));
            if changed {
                self.store(index, Node(node));
            }
            return changed;
        }
        let (near, rest) = chain.split_at(INLINE - 1);
        let same = self
            .scope(WorkspaceIndex(index))
            .is_some_and(|old| old.root == root && old.deep == rest && old.near.above.starts_with(near));
        if same {
            return false;
        }
        let deep = self.deep.insert(Deep { rest: rest.into(), root });
        if let [a, b, c] = *near {
            self.store(index, Node([a, b, c, DEEP | deep]));
        }
        true
    }

    /// Replaces a node; frees the deep record of the old one.
    fn store(&mut self, index: u32, node: Node) {
        if let Some(Node([.., last])) = self.nodes.get(index).copied()
            && is_deep(last)
        {
            self.deep.remove(last & !DEEP);
        }
        self.nodes.set(index, node);
    }

    fn children(&self, index: u32) -> Vec<u32> {
        let mut out = vec![];
        let mut at = self.branches.get(index).map_or(0, |branch| branch.first_child);
        while at != 0 {
            out.push(at);
            at = self.branches.get(at).map_or(0, |branch| branch.next);
        }
        out
    }

    /// Hangs a workspace below a parent. The tenant keeps no list of its children: nothing asks for it.
    fn link(&mut self, index: u32, parent: u32) {
        if parent > WORKSPACES_MAX {
            return;
        }
        let first = match parent {
            0 => 0,
            _ => self.branches.get(parent).map_or(0, |branch| branch.first_child),
        };
        self.branches.update(index, |branch| {
            (branch.parent, branch.next, branch.previous) = (parent, first, 0);
        });
        if first != 0 {
            self.branches.update(first, |branch| branch.previous = index);
        }
        if parent != 0 {
            self.branches.update(parent, |branch| branch.first_child = index);
        }
    }

    fn unlink(&mut self, index: u32) {
        let Some(Branch { parent, next, previous, .. }) = self.branches.get(index).cloned() else { return };
        if parent == 0 {
            return;
        }
        match previous {
            0 => self.branches.update(parent, |branch| branch.first_child = next),
            _ => self.branches.update(previous, |branch| branch.next = next),
        }
        if next != 0 {
            self.branches.update(next, |branch| branch.previous = previous);
        }
        self.branches.update(index, |branch| {
            (branch.parent, branch.next, branch.previous) = (0, 0, 0);
        });
    }
}

/// A number of a deep record, not one of the four words for an end.
const fn is_deep(last: u32) -> bool {
    last >> 30 == 0b10
}
