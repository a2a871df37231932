//! Groups: which lie in which, and what is granted to each. What lies above a group is worked out when it is
//! written, so that no check ever walks the tree.

use crate::chunked::Chunked;
use crate::line::Line;
use crate::reach::{Gathered, Reach};
use rpds::RedBlackTreeSetSync;
use std::collections::BTreeSet;
use std::sync::Arc;
use tessera_model::GroupId;
use tessera_model::limits::{GROUP_DEPTH_MAX, GROUPS_MAX};
use tessera_model::record::{EdgeWindow, GroupRecord};

#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum State {
    /// Not put yet: a member or a grant may come before its group when a tenant is loaded.
    #[default]
    Awaited,
    Present,
    /// Gone for ever; the id is never used again.
    Removed,
}

#[derive(Clone, Default)]
struct Group {
    state: State,
    parents: Arc<[Reach]>,
    /// The group itself and all that it lies in, sorted.
    above: Arc<[GroupId]>,
    /// The windows of those among them that are not reached for good, sorted.
    limited: Arc<[Reach]>,
}

/// The groups of a tenant.
#[derive(Clone)]
pub(crate) struct Groups {
    groups: Chunked<Group>,
    /// What is granted to each group itself.
    lines: Chunked<Line>,
    /// Which group has which ones in it: outer, then inner.
    inner: RedBlackTreeSetSync<(GroupId, GroupId)>,
    count: u32,
}

impl Groups {
    pub(crate) fn new() -> Self {
        Self {
            groups: Chunked::new(GROUPS_MAX + 1),
            lines: Chunked::new(GROUPS_MAX + 1),
            inner: RedBlackTreeSetSync::new_with_ptr_kind(),
            count: 0,
        }
    }

    /// Whether an id may be a group's.
    pub(crate) fn is_id(group: GroupId) -> bool {
        (1..=GROUPS_MAX).contains(&group.0)
    }

    /// Whether the group was removed (not: is awaited).
    pub(crate) fn is_removed(&self, group: GroupId) -> bool {
        self.groups.get(group.0).is_some_and(|group| group.state == State::Removed)
    }

    /// What is granted to the group itself.
    pub(crate) fn line(&self, group: GroupId) -> Option<&Line> {
        self.lines.get(group.0)
    }

    pub(crate) fn set_line(&mut self, group: GroupId, line: Line) {
        self.lines.set(group.0, line);
    }

    /// Every group with what is granted to it itself.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (GroupId, &Line)> {
        self.lines.iter().map(|(id, line)| (GroupId(id), line))
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// The group itself and all that it lies in, sorted; nothing of one that was removed.
    pub(crate) fn above(&self, group: GroupId) -> &[GroupId] {
        self.groups.get(group.0).map_or(&[], |group| &group.above)
    }

    /// The windows in which the groups above it are reached that are not reached for good, sorted.
    pub(crate) fn limited(&self, group: GroupId) -> &[Reach] {
        self.groups.get(group.0).map_or(&[], |group| &group.limited)
    }

    /// Adds a group and all above it, behind an edge; of one that is awaited itself alone.
    pub(crate) fn gather(&self, edge: &Reach, group: GroupId, all: &mut Gathered) {
        match self.above(group) {
            [] if self.is_removed(group) => {}
            [] => all.add(edge, &[group], &[]),
            known => all.add(edge, known, self.limited(group)),
        }
    }

    /// The groups that lie in this one, straight.
    pub(crate) fn inner(&self, group: GroupId) -> impl Iterator<Item = GroupId> + '_ {
        let range = (group, GroupId(0))..=(group, GroupId(u32::MAX));
        self.inner.range(range).map(|(_, inner)| *inner)
    }

    /// Puts a group. Answers with the groups above which something changed, sorted.
    pub(crate) fn put(&mut self, record: &GroupRecord) -> Vec<GroupId> {
        let id = record.id;
        if !Self::is_id(id) || self.is_removed(id) {
            return vec![];
        }
        let old = self.groups.get(id.0).cloned().unwrap_or_default();
        self.count += u32::from(old.state != State::Present);
        let window = |parent: &GroupId| {
            let own = record.windows.iter().find(|window| window.parent == *parent);
            own.map_or(Reach::for_good(*parent), |EdgeWindow { from, until, .. }| {
                let (from, until) = Reach::for_good(*parent).meet(*from, *until);
                Reach { group: *parent, from, until }
            })
        };
        let parents: Arc<[Reach]> = record.parents.iter().map(window).collect();
        if *old.parents != *parents {
            self.relink(id, &old.parents, &parents);
        }
        self.groups.update(id.0, |group| {
            (group.state, group.parents) = (State::Present, parents);
        });
        self.settle(id)
    }

    /// Removes a group for ever. Answers with the groups above which something changed, sorted.
    pub(crate) fn remove(&mut self, id: GroupId) -> Vec<GroupId> {
        if !Self::is_id(id) {
            return vec![];
        }
        let old = self.groups.get(id.0).cloned().unwrap_or_default();
        self.count -= u32::from(old.state == State::Present);
        self.relink(id, &old.parents, &[]);
        self.groups.update(id.0, |group| {
            *group = Group { state: State::Removed, ..Group::default() };
        });
        let mut changed = BTreeSet::from([id]);
        for inner in self.inner(id).collect::<Vec<_>>() {
            changed.extend(self.settle(inner));
        }
        changed.into_iter().collect()
    }

    fn relink(&mut self, id: GroupId, old: &[Reach], new: &[Reach]) {
        for parent in old {
            self.inner.remove_mut(&(parent.group, id));
        }
        for parent in new {
            self.inner.insert_mut((parent.group, id));
        }
    }

    /// Works out anew what lies above a group, then above those in it, as far as that changes.
    ///
    /// LIMIT: as many levels as groups may have. Input that closed a circle would end here as well.
    fn settle(&mut self, id: GroupId) -> Vec<GroupId> {
        let (mut changed, mut level) = (BTreeSet::new(), BTreeSet::from([id]));
        for _ in 0..=GROUP_DEPTH_MAX {
            let mut below = BTreeSet::new();
            for id in level {
                let (above, limited) = self.work_out(id);
                if self.above(id) != above || self.limited(id) != limited {
                    self.groups.update(id.0, |group| {
                        (group.above, group.limited) = (above.into(), limited.into());
                    });
                    changed.insert(id);
                    below.extend(self.inner(id));
                }
            }
            if below.is_empty() {
                break;
            }
            level = below;
        }
        changed.into_iter().collect()
    }

    fn work_out(&self, id: GroupId) -> (Vec<GroupId>, Vec<Reach>) {
        if self.is_removed(id) {
            return (vec![], vec![]);
        }
        let parents = self.groups.get(id.0).map(|group| Arc::clone(&group.parents)).unwrap_or_default();
        let mut all = Gathered::default();
        all.add(&Reach::for_good(id), &[id], &[]);
        for parent in parents.iter() {
            self.gather(parent, parent.group, &mut all);
        }
        all.finish()
    }
}
