//! A subject's line: 64 bytes that answer most checks without another table.

use tessera_model::record::SubjectStatus;
use tessera_model::{SetId, WorkspaceIndex};

/// LIMIT: workspaces of one subject that stand in its line; more go to its overflow record.
pub(crate) const WORKSPACES_INLINE: usize = 5;
const STATUS_BITS: u32 = 3;
const GUEST_BIT: u32 = 2;

/// What the rules know about one subject, one group, or those who are in the same groups. One cache line.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C, align(64))]
pub struct Line {
    /// Low two bits: number of the status; 0 says that nobody stands here. The third: a guest.
    flags: u32,
    cut_off: u32,
    /// Number of the interned membership: the groups that the subject is in for good; 0 for none.
    pub(crate) groups: u32,
    pub(crate) root_grant: u32,
    /// 0 is an unused pair.
    pub(crate) workspaces: [u32; WORKSPACES_INLINE],
    /// Id of the overflow record, 0 for none.
    pub(crate) overflow: u32,
    /// The sets granted there; the word behind them stays 0, the empty set.
    grants: [u32; WORKSPACES_INLINE + 1],
}

impl Line {
    /// Whether a subject stands here at all.
    pub(crate) const fn is_present(&self) -> bool {
        self.flags & STATUS_BITS != 0
    }

    /// Whether the subject may act.
    #[must_use]
    #[inline]
    pub const fn status(&self) -> SubjectStatus {
        match self.flags & STATUS_BITS {
            1 => SubjectStatus::Active,
            2 => SubjectStatus::Suspended,
            _ => SubjectStatus::Deleted,
        }
    }

    /// Whether the status is active.
    #[must_use]
    #[inline]
    pub const fn is_active(&self) -> bool {
        self.flags & STATUS_BITS == 1
    }

    /// Sessions opened below this count of the tenant's cut-offs have ended.
    #[must_use]
    #[inline]
    pub const fn cut_off(&self) -> u32 {
        self.cut_off
    }

    /// Whether a guest stands here: nothing counts but what is granted to itself in a workspace.
    #[must_use]
    #[inline]
    pub const fn is_guest(&self) -> bool {
        self.flags >> GUEST_BIT & 1 == 1
    }

    /// The set granted for the whole tenant, as far as that counts: the empty one for a guest.
    #[inline]
    pub(crate) const fn root_that_counts(&self) -> SetId {
        // No branch: all ones for members, zeros for guests.
        SetId(self.root_grant & (self.flags >> GUEST_BIT & 1).wrapping_sub(1))
    }

    /// The number of the membership, as far as that counts: 0 for a guest.
    #[inline]
    pub(crate) const fn groups_that_count(&self) -> u32 {
        self.groups & (self.flags >> GUEST_BIT & 1).wrapping_sub(1)
    }

    /// The set granted for the whole tenant.
    pub(crate) const fn root(&self) -> SetId {
        SetId(self.root_grant)
    }

    pub(crate) fn put_subject(&mut self, status: SubjectStatus, cut_off: u32) {
        self.flags = (self.flags & !STATUS_BITS) | u32::from(status.number());
        self.cut_off = cut_off;
    }

    pub(crate) fn put_guest(&mut self, guest: bool) {
        self.flags = (self.flags & !(1 << GUEST_BIT)) | u32::from(guest) << GUEST_BIT;
    }

    pub(crate) fn put_cut_off(&mut self, cut_off: u32) {
        self.cut_off = cut_off;
    }

    /// Which of the line's workspaces are this one or one of four above it: one bit each.
    ///
    /// Written so that the compiler compares four at once: eight lanes, whole words as truth. Inlined
    /// it would take them apart again.
    #[inline(never)]
    pub(crate) fn hits(&self, own: u32, above: &[u32; 4]) -> u32 {
        let [a, b, c, d, e] = self.workspaces;
        let [w, x, y, z] = *above;
        let mut lanes = [0u32; 8];
        for near in [own, w, x, y, z] {
            for (lane, at) in lanes.iter_mut().zip([a, b, c, d, e, 0, 0, 0]) {
                *lane |= u32::from(at == near).wrapping_neg();
            }
        }
        lanes.iter().zip([1, 2, 4, 8, 16]).fold(0, |all, (lane, bit)| all | (lane & bit))
    }

    /// The set of the lowest bit; the empty one when there is none.
    #[inline]
    pub(crate) fn first_of(&self, hits: u32) -> SetId {
        let none = 1 << WORKSPACES_INLINE;
        SetId(self.grants.get((hits | none).trailing_zeros() as usize).copied().unwrap_or(0))
    }

    /// Every set that the line points to, the empty one included.
    pub(crate) fn sets(&self) -> impl Iterator<Item = SetId> {
        std::iter::once(self.root_grant).chain(self.grants).map(SetId)
    }

    /// Whether something may be granted in a workspace itself (0 for the whole tenant).
    pub(crate) fn may_hold_in(&self, workspace: WorkspaceIndex) -> bool {
        let here = match workspace.0 {
            0 => self.root_grant != 0,
            at => self.workspaces.contains(&at),
        };
        here || self.overflow != 0
    }

    /// Forgets every grant; status and cut-off stay.
    pub(crate) fn clear_grants(&mut self) {
        *self = Self { flags: self.flags, cut_off: self.cut_off, ..Self::default() };
    }

    /// The workspaces that stand in the line, with the set granted in each.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (WorkspaceIndex, SetId)> {
        let pairs = self.workspaces.into_iter().zip(self.grants);
        pairs.filter(|(workspace, _)| *workspace != 0).map(|(at, set)| (WorkspaceIndex(at), SetId(set)))
    }

    /// The set granted in a workspace, when that stands in the line.
    pub(crate) fn set_in(&self, workspace: WorkspaceIndex) -> Option<SetId> {
        self.pairs().find(|(at, _)| *at == workspace).map(|(_, set)| set)
    }

    /// Puts a pair where `old` stood (0: into an unused place). False when there is none.
    pub(crate) fn replace_pair(&mut self, old: u32, workspace: u32, set: SetId) -> bool {
        let mut places = self.workspaces.iter_mut().zip(self.grants.iter_mut());
        match places.find(|(at, _)| **at == old) {
            Some((at, grant)) => {
                (*at, *grant) = (workspace, set.0);
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_cache_line() {
        assert_eq!((size_of::<Line>(), align_of::<Line>()), (64, 64));
        assert!(!Line::default().is_present());
    }
}
