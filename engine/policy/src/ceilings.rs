//! Ceilings of workspaces: what anything in one, and in all below it, must lie in.
//!
//! Each workspace's ceiling is worked out when it is written, with those of all above it; walls are against
//! grants, not against ceilings. A tenant without ceilings pays nothing for them.

use crate::bits::Bits;
use crate::chunked::Chunked;
use crate::roles::{Permissions, compile};
use std::sync::Arc;
use tessera_model::limits::WORKSPACES_MAX;
use tessera_model::{Pattern, PermissionId};

#[derive(Clone, Default)]
struct Ceiling {
    /// Its own; empty for none.
    own: Arc<[Pattern]>,
    /// Its own and those of all above it; `None` where nothing is cut.
    mask: Option<Bits>,
}

/// The ceilings of all workspaces.
#[derive(Clone)]
pub(crate) struct Ceilings {
    ceilings: Chunked<Ceiling>,
    /// Workspaces with one of their own.
    count: u32,
}

impl Ceilings {
    pub(crate) fn new() -> Self {
        Self { ceilings: Chunked::new(WORKSPACES_MAX + 1), count: 0 }
    }

    /// Whether a permission is below the ceiling of a workspace.
    #[inline]
    pub(crate) fn lets_through(&self, workspace: u32, permission: PermissionId) -> bool {
        self.count == 0 || self.is_below(workspace, permission)
    }

    #[cold]
    #[inline(never)]
    fn is_below(&self, workspace: u32, permission: PermissionId) -> bool {
        let mask = self.ceilings.get(workspace).and_then(|ceiling| ceiling.mask.as_ref());
        mask.is_none_or(|mask| mask.holds(permission))
    }

    /// The mask of a workspace; `None` cuts nothing.
    pub(crate) fn mask(&self, workspace: u32) -> Option<&[u64]> {
        self.ceilings.get(workspace)?.mask.as_ref().map(Bits::words)
    }

    /// The workspaces that have one of their own.
    pub(crate) fn own(&self) -> Vec<u32> {
        if self.count == 0 {
            return vec![];
        }
        self.ceilings.iter().filter(|(_, ceiling)| !ceiling.own.is_empty()).map(|(at, _)| at).collect()
    }

    /// Whether a workspace has one of its own that cuts a permission of this name.
    pub(crate) fn cuts(&self, workspace: u32, name: &str) -> bool {
        let own = self.ceilings.get(workspace).map_or(&[][..], |ceiling| &ceiling.own);
        !own.is_empty() && !own.iter().any(|pattern| pattern.covers(name))
    }

    /// Puts a workspace's own.
    pub(crate) fn put(&mut self, workspace: u32, patterns: &[Pattern]) {
        let old = self.ceilings.get(workspace).map_or(&[][..], |ceiling| &ceiling.own);
        if old == patterns {
            return;
        }
        self.count = self.count + u32::from(!patterns.is_empty()) - u32::from(!old.is_empty());
        let own = patterns.into();
        self.ceilings.update(workspace, |ceiling| ceiling.own = own);
    }

    /// Works out a workspace's mask from its own ceiling and the mask above; false when it was so before.
    pub(crate) fn settle(&mut self, workspace: u32, parent: u32, permissions: &Permissions) -> bool {
        let own = self.ceilings.get(workspace).map_or(&[][..], |ceiling| &ceiling.own);
        let above = if parent == 0 { None } else { self.ceilings.get(parent).and_then(|at| at.mask.clone()) };
        let mask = match (own, above) {
            ([], above) => above,
            (own, None) => Some(compile(own, permissions)),
            (own, Some(above)) => {
                let mut words = compile(own, permissions).words().to_vec();
                for (at, word) in words.iter_mut().enumerate() {
                    *word &= above.words().get(at).copied().unwrap_or(0);
                }
                Some(Bits::new(&words))
            }
        };
        let changed = self.ceilings.get(workspace).and_then(|ceiling| ceiling.mask.as_ref()) != mask.as_ref();
        if changed {
            self.ceilings.update(workspace, |ceiling| ceiling.mask = mask);
        }
        changed
    }
}
