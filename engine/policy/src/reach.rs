//! How groups reach others: for good, or in windows. A window of a path is what the windows of its edges have in
//! common; several paths to one group count each.

use crate::overflow::{begins, ends};
use crate::rules::Rules;
use std::collections::BTreeSet;
use tessera_model::{Deadline, GroupId};

/// No instant lies in it: such a path is known and never counts.
const EMPTY: (Deadline, Deadline) = (Deadline(u32::MAX), Deadline(1));

/// A group, and a window in which it is reached. Ordered by group, then by beginning.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Reach {
    /// Which group.
    pub group: GroupId,
    /// First instant; `NONE` for no beginning.
    pub from: Deadline,
    /// First instant after; `NONE` for no end.
    pub until: Deadline,
}

impl Reach {
    /// A group that is reached for good.
    pub(crate) const fn for_good(group: GroupId) -> Self {
        Self { group, from: Deadline::NONE, until: Deadline::NONE }
    }

    fn is_for_good(&self) -> bool {
        self.from == Deadline::NONE && self.until == Deadline::NONE
    }

    /// Whether no instant lies in the window.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        begins(self.from) >= ends(self.until)
    }

    /// What a window has in common with this one; empty ones are all alike.
    #[must_use]
    pub fn meet(&self, from: Deadline, until: Deadline) -> (Deadline, Deadline) {
        let from = self.from.max(from);
        let until = match (self.until, until) {
            (Deadline::NONE, until) | (until, Deadline::NONE) => until,
            (one, other) => one.min(other),
        };
        if begins(from) < ends(until) { (from, until) } else { EMPTY }
    }
}

/// What is reached over several paths, on its way to being worked out.
#[derive(Default)]
pub(crate) struct Gathered {
    steady: BTreeSet<GroupId>,
    limited: Vec<Reach>,
}

impl Gathered {
    /// Adds all that lies behind one edge: groups (sorted), and the windows of those among them that have some.
    pub(crate) fn add(&mut self, edge: &Reach, groups: &[GroupId], limited: &[Reach]) {
        let mut at = 0;
        for group in groups {
            let first = at;
            while limited.get(at).is_some_and(|reach| reach.group == *group) {
                at += 1;
            }
            let windows = limited.get(first..at).unwrap_or_default();
            if windows.is_empty() {
                self.put(Reach { group: *group, ..*edge });
            }
            for window in windows {
                let (from, until) = edge.meet(window.from, window.until);
                self.put(Reach { group: *group, from, until });
            }
        }
    }

    fn put(&mut self, reach: Reach) {
        if reach.is_for_good() {
            self.steady.insert(reach.group);
        } else {
            self.limited.push(reach);
        }
    }

    /// All groups that are reached, sorted; and the windows of those that are not reached for good, sorted, joined
    /// where they touch.
    pub(crate) fn finish(mut self) -> (Vec<GroupId>, Vec<Reach>) {
        self.limited.sort_unstable();
        let mut joined: Vec<Reach> = Vec::with_capacity(self.limited.len());
        for next in self.limited {
            match joined.last_mut() {
                // One that never counts is kept where there is no other.
                Some(last) if last.group == next.group && next.is_empty() => {}
                Some(last) if last.group == next.group && begins(next.from) <= ends(last.until) => {
                    if ends(last.until) < ends(next.until) {
                        last.until = next.until;
                    }
                }
                _ => joined.push(next),
            }
        }
        self.steady.extend(joined.iter().filter(|reach| reach.is_for_good()).map(|reach| reach.group));
        joined.retain(|reach| !self.steady.contains(&reach.group));
        let mut all = self.steady;
        all.extend(joined.iter().map(|reach| reach.group));
        (all.into_iter().collect(), joined)
    }
}

impl Rules {
    /// The group itself and all that it lies in, each with a window in which it does; more than once where several
    /// paths lead there.
    #[must_use]
    pub fn reaches(&self, group: GroupId) -> Vec<Reach> {
        let limited = self.groups.limited(group);
        let steady = self.groups.above(group).iter().copied();
        let steady = steady.filter(|at| !limited.iter().any(|reach| reach.group == *at));
        steady.map(Reach::for_good).chain(limited.iter().copied()).collect()
    }

    /// In how many windows a group lies in others, straight and through others.
    #[must_use]
    pub fn windows_above(&self, group: GroupId) -> usize {
        self.groups.limited(group).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(group: u32, from: u32, until: u32) -> Reach {
        Reach { group: GroupId(group), from: Deadline(from), until: Deadline(until) }
    }

    /// PROPERTY: windows meet in what they have in common, join where they touch, become for good where nothing is
    /// left out, and an empty one keeps the group known.
    #[test]
    fn windows_meet_and_join() {
        assert_eq!(reach(1, 3, 9).meet(Deadline(5), Deadline::NONE), (Deadline(5), Deadline(9)));
        assert_eq!(reach(1, 3, 5).meet(Deadline(5), Deadline::NONE), EMPTY);
        let gathered = |edges: &[(Reach, &[u32])]| {
            let mut all = Gathered::default();
            for (edge, groups) in edges {
                let groups: Vec<_> = groups.iter().copied().map(GroupId).collect();
                all.add(edge, &groups, &[]);
            }
            let (groups, limited) = all.finish();
            (groups.iter().map(|group| group.0).collect::<Vec<_>>(), limited)
        };
        let (groups, limited) =
            gathered(&[(reach(0, 0, 4), &[1, 2]), (reach(0, 4, 0), &[2]), (reach(0, 6, 9), &[1])]);
        assert_eq!((groups, limited), (vec![1, 2], vec![reach(1, 0, 4), reach(1, 6, 9)]));
        let empty = Reach { group: GroupId(3), from: EMPTY.0, until: EMPTY.1 };
        let (groups, limited) = gathered(&[(empty, &[3, 4]), (reach(0, 1, 2), &[4])]);
        assert_eq!((groups, limited), (vec![3, 4], vec![empty, reach(4, 1, 2)]));
    }
}
