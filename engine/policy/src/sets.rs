//! Interned grant sets: the distinct sets of roles that anybody holds at one place.
//!
//! Many subjects share few sets; each set owns one compiled bitset. Editing a role rebuilds the sets
//! that hold it, whatever the number of subjects.

use crate::bits::Bits;
use crate::chunked::Chunked;
use crate::names::FixedHasher;
use crate::roles::{Permissions, Roles};
use crate::slab::Slab;
use rpds::HashTrieMapSync;
use std::sync::Arc;
use tessera_model::{PermissionId, RoleId, SetId};

/// LIMIT: ids of sets: five in the line of every subject could be distinct, and none would be lost.
const SETS_MAX: u32 = u32::MAX;

/// Sorted roles, without doubles.
type RoleList = Arc<[RoleId]>;

#[derive(Clone)]
struct Interned {
    roles: RoleList,
    /// One bit per role modulo 64: most sets say so without their list that a role is not in them.
    signature: u64,
}

impl Interned {
    fn new(roles: RoleList) -> Self {
        let signature = roles.iter().fold(0, |all, role| all | signature(*role));
        Self { roles, signature }
    }
}

const fn signature(role: RoleId) -> u64 {
    1 << (role.0 % 64)
}

/// The sets of a tenant. Set 0 is the empty one.
#[derive(Clone)]
pub(crate) struct Sets {
    bits: Chunked<Bits>,
    interned: Slab<Interned>,
    /// Places (root or workspace of a subject) that point to a set. At zero the set is freed.
    holders: Chunked<u32>,
    by_roles: HashTrieMapSync<RoleList, u32, FixedHasher>,
    all_holders: u64,
}

impl Sets {
    pub(crate) fn new() -> Self {
        Self {
            bits: Chunked::new(SETS_MAX),
            interned: Slab::new(SETS_MAX),
            holders: Chunked::new(SETS_MAX),
            by_roles: HashTrieMapSync::new_with_hasher_and_ptr_kind(FixedHasher::default()),
            all_holders: 0,
        }
    }

    /// Whether the set covers the permission.
    #[inline]
    pub(crate) fn holds(&self, set: SetId, permission: PermissionId) -> bool {
        self.bits.get(set.0).is_some_and(|bits| bits.holds(permission))
    }

    /// What the set covers.
    pub(crate) fn words(&self, set: SetId) -> &[u64] {
        self.bits.get(set.0).map_or(&[], Bits::words)
    }

    /// Adds what the set covers to `out`.
    pub(crate) fn add_to(&self, set: SetId, out: &mut [u64]) {
        if let Some(bits) = self.bits.get(set.0) {
            bits.add_to(out);
        }
    }

    /// The roles in the set, sorted.
    pub(crate) fn roles(&self, set: SetId) -> &[RoleId] {
        self.interned.get(set.0).map_or(&[], |interned| &interned.roles)
    }

    /// The set of these roles (sorted, distinct), with one more holder.
    pub(crate) fn acquire(&mut self, list: &[RoleId], roles: &Roles, permissions: &Permissions) -> SetId {
        if list.is_empty() {
            return SetId(0);
        }
        self.all_holders += 1;
        if let Some(id) = self.by_roles.get(list).copied() {
            self.holders.update(id, |holders| *holders += 1);
            return SetId(id);
        }
        let list: RoleList = list.into();
        let id = self.interned.insert(Interned::new(Arc::clone(&list)));
        self.holders.set(id, 1);
        self.by_roles.insert_mut(list, id);
        self.rebuild(SetId(id), roles, &mut vec![0; permissions.words()]);
        SetId(id)
    }

    /// One holder fewer; the last one frees the set.
    pub(crate) fn release(&mut self, set: SetId) {
        let Some(interned) = self.interned.get(set.0) else { return };
        self.all_holders -= 1;
        let mut left = 0;
        let list = Arc::clone(&interned.roles);
        self.holders.update(set.0, |holders| {
            *holders -= 1;
            left = *holders;
        });
        if left == 0 {
            self.forget_list(&list, set);
            self.interned.remove(set.0);
            self.bits.set(set.0, Bits::default());
        }
    }

    /// The set `old` with a role more, with `old`'s holder moved to it.
    pub(crate) fn adding(
        &mut self,
        old: SetId,
        role: RoleId,
        roles: &Roles,
        permissions: &Permissions,
    ) -> SetId {
        let mut list = self.roles(old).to_vec();
        let Err(at) = list.binary_search(&role) else { return old };
        list.insert(at, role);
        let new = self.acquire(&list, roles, permissions);
        self.release(old);
        new
    }

    /// The set `old` with a role fewer, with `old`'s holder moved to it.
    pub(crate) fn removing(
        &mut self,
        old: SetId,
        role: RoleId,
        roles: &Roles,
        permissions: &Permissions,
    ) -> SetId {
        let mut list = self.roles(old).to_vec();
        let Ok(at) = list.binary_search(&role) else { return old };
        list.remove(at);
        let new = self.acquire(&list, roles, permissions);
        self.release(old);
        new
    }

    /// Takes a role out of every set, holders untouched: whoever held it holds the rest (F-36).
    ///
    /// Two ids may then stand for the same roles; new holders get the one that the map names.
    pub(crate) fn remove_role(&mut self, role: RoleId, roles: &Roles, permissions: &Permissions) {
        let mut scratch = vec![0; permissions.words()];
        for set in self.with(&[role]) {
            let Some(old) = self.interned.get(set.0).map(|interned| Arc::clone(&interned.roles)) else {
                continue;
            };
            let list: RoleList = old.iter().copied().filter(|other| *other != role).collect();
            self.forget_list(&old, set);
            if !list.is_empty() && !self.by_roles.contains_key(&list) {
                self.by_roles.insert_mut(Arc::clone(&list), set.0);
            }
            self.interned.update(set.0, |interned| *interned = Interned::new(list));
            self.rebuild(set, roles, &mut scratch);
        }
    }

    /// The sets that hold any of these roles (sorted). COST: looks at the signature of every set, 1 to 2 ns
    /// each. An index per role made each change of a grant several times slower than this makes an edit of a
    /// role.
    pub(crate) fn with(&self, roles: &[RoleId]) -> Vec<SetId> {
        let any = roles.iter().fold(0, |all, role| all | signature(*role));
        let holds = |interned: &Interned| {
            interned.signature & any != 0
                && interned.roles.iter().any(|role| roles.binary_search(role).is_ok())
        };
        self.interned.iter().filter(|(_, interned)| holds(interned)).map(|(id, _)| SetId(id)).collect()
    }

    fn forget_list(&mut self, list: &RoleList, set: SetId) {
        if self.by_roles.get(list) == Some(&set.0) {
            self.by_roles.remove_mut(list);
        }
    }

    /// Rebuilds the sets that hold any of these roles (sorted).
    pub(crate) fn rebuild_with(&mut self, changed: &[RoleId], roles: &Roles, permissions: &Permissions) {
        let mut scratch = vec![0; permissions.words()];
        for set in self.with(changed) {
            self.rebuild(set, roles, &mut scratch);
        }
    }

    /// Raises the bit of a new permission in the sets that hold any of these roles (sorted). COST: looks at
    /// the signature of every set once.
    pub(crate) fn raise(&mut self, permission: PermissionId, roles: &[RoleId], permissions: &Permissions) {
        for set in self.with(roles) {
            let bits = self.bits.get(set.0).cloned().unwrap_or_default();
            if let Some(bits) = bits.with(permission, permissions.words()) {
                self.bits.set(set.0, bits);
            }
        }
    }

    fn rebuild(&mut self, set: SetId, roles: &Roles, scratch: &mut [u64]) {
        scratch.fill(0);
        for role in self.roles(set) {
            roles.add_to(*role, scratch);
        }
        let bits = Bits::new(scratch);
        self.bits.set(set.0, bits);
    }

    /// Distinct sets, and places that point to them.
    pub(crate) fn counts(&self) -> (u32, u64) {
        (self.interned.count(), self.all_holders)
    }
}
