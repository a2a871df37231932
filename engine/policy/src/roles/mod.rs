//! Permissions and roles: names, patterns, and the bits that patterns compile to.

use crate::bits::{Bits, raise};
use crate::chunked::Chunked;
use crate::names::{Known, Names};
use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use tessera_model::limits::{PERMISSIONS_MAX, ROLE_DEPTH_MAX, ROLES_MAX};
use tessera_model::record::RoleRecord;
use tessera_model::{Name, Pattern, PermissionId, RoleId, Scope};

/// The permissions of a tenant: name to id and back.
#[derive(Clone)]
pub(crate) struct Permissions {
    names: Names,
    /// The same in the order of the names: those with one beginning stand together.
    sorted: RedBlackTreeMapSync<Known, u32>,
    known: Chunked<Option<Known>>,
    /// Which ids there are: for the hot path, which needs no name.
    registered: Bits,
    count: u32,
}

impl Permissions {
    pub(crate) fn new() -> Self {
        Self {
            names: Names::new(),
            sorted: RedBlackTreeMapSync::new_with_ptr_kind(),
            known: Chunked::new(PERMISSIONS_MAX + 1),
            registered: Bits::default(),
            count: 0,
        }
    }

    /// Registers a name.
    pub(crate) fn put(&mut self, id: PermissionId, name: &Name) -> Registered {
        if id == PermissionId(0) || id.0 > PERMISSIONS_MAX || self.name(id) == Some(name) {
            return Registered::Nothing;
        }
        let known = Known::new(name);
        let old = self.known.get(id.0).cloned().flatten();
        match &old {
            Some(old) => {
                self.names.remove(old, id.0);
                if self.sorted.get(old) == Some(&id.0) {
                    self.sorted.remove_mut(old);
                }
            }
            None => self.count += 1,
        }
        self.sorted.insert_mut(known.clone(), id.0);
        self.names.insert(known.clone(), id.0);
        self.known.set(id.0, Some(known));
        let mut words = vec![0; self.words()];
        self.registered.add_to(&mut words);
        raise(&mut words, id);
        self.registered = Bits::new(&words);
        if old.is_some() { Registered::Renamed } else { Registered::New }
    }

    pub(crate) fn named(&self, name: &str) -> Option<PermissionId> {
        self.names.get(name).map(PermissionId)
    }

    #[inline]
    pub(crate) fn exists(&self, id: PermissionId) -> bool {
        self.registered.holds(id)
    }

    /// Raises the bits of all whose names begin with `prefix`. COST: looks at those alone.
    fn raise_all(&self, prefix: &str, words: &mut [u64]) {
        if prefix.is_empty() {
            return self.registered.add_to(words);
        }
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let behind = self.sorted.range::<str, _>(from);
        for (_, id) in behind.take_while(|(known, _)| known.name().as_str().starts_with(prefix)) {
            raise(words, PermissionId(*id));
        }
    }

    /// Raises the bits of all that a scope reaches. COST: looks at those that begin as its path does up to a
    /// wildcard.
    fn raise_reached(&self, scope: &Scope<'_>, words: &mut [u64]) {
        let (head, _) = scope.head();
        let behind = self.sorted.range::<str, _>((Bound::Included(&*head), Bound::Unbounded));
        for (known, id) in behind.take_while(|(known, _)| known.name().as_str().starts_with(&*head)) {
            if scope.reaches(known.name().as_str()) {
                raise(words, PermissionId(*id));
            }
        }
    }

    /// Whether a scope reaches any of them. COST: as [`Permissions::raise_reached`].
    pub(crate) fn any_reached(&self, scope: &Scope<'_>) -> bool {
        let (head, _) = scope.head();
        let behind = self.sorted.range::<str, _>((Bound::Included(&*head), Bound::Unbounded));
        let mut begun = behind.take_while(|(known, _)| known.name().as_str().starts_with(&*head));
        begun.any(|(known, _)| scope.reaches(known.name().as_str()))
    }

    pub(crate) fn name(&self, id: PermissionId) -> Option<&Name> {
        self.known.get(id.0)?.as_ref().map(Known::name)
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Words of a set of permissions: room for 1,024 permissions, doubled until all ids fit.
    pub(crate) fn words(&self) -> usize {
        (self.known.len().next_power_of_two().max(1_024) / 64) as usize
    }
}

/// What a registration came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Registered {
    /// It was so before.
    Nothing,
    /// One more permission.
    New,
    /// The id had another name.
    Renamed,
}

#[cfg(test)]
thread_local! {
    /// How often patterns were compiled against all permissions.
    pub(crate) static COMPILED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// What patterns cover among the registered permissions. COST: looks at each permission that is covered
/// once, however many patterns with a `*` cover it, for one that lies within another is left out.
pub(crate) fn compile(patterns: &[Pattern], permissions: &Permissions) -> Bits {
    #[cfg(test)]
    COMPILED.set(COMPILED.get() + 1);
    let mut words = vec![0; permissions.words()];
    let mut prefixes = Vec::new();
    for pattern in patterns {
        match (pattern.exact(), pattern.prefix(), pattern.scope()) {
            (Some(name), _, _) => {
                if let Some(id) = permissions.named(name) {
                    raise(&mut words, id);
                }
            }
            (None, Some(prefix), _) => prefixes.push(prefix),
            // What depends on its filters is not covered as such.
            (None, None, Some(scope)) if scope.filters().is_empty() => {
                permissions.raise_reached(&scope, &mut words)
            }
            (None, None, _) => {}
        }
    }
    prefixes.sort_unstable();
    let mut last: Option<&str> = None;
    for prefix in prefixes {
        if last.is_none_or(|outer| !prefix.starts_with(outer)) {
            permissions.raise_all(prefix, &mut words);
            last = Some(prefix);
        }
    }
    Bits::new(&words)
}

/// What is known of a role beside its bits.
#[derive(Clone, Default)]
struct Role {
    state: State,
    patterns: Arc<[Pattern]>,
    /// What the patterns cover.
    own: Bits,
    parents: Arc<[RoleId]>,
}

#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum State {
    /// Not put yet: a grant may come before its role when a tenant is loaded.
    #[default]
    Awaited,
    Present,
    /// Gone for ever; the id is never used again.
    Removed,
}

/// The roles of a tenant.
#[derive(Clone)]
pub(crate) struct Roles {
    /// What each covers, by itself and through its parents.
    bits: Chunked<Bits>,
    roles: Chunked<Role>,
    /// Which role has which ones below it: parent, then child.
    children: RedBlackTreeSetSync<(RoleId, RoleId)>,
    count: u32,
}

impl Roles {
    pub(crate) fn new() -> Self {
        Self {
            bits: Chunked::new(ROLES_MAX + 1),
            roles: Chunked::new(ROLES_MAX + 1),
            children: RedBlackTreeSetSync::new_with_ptr_kind(),
            count: 0,
        }
    }

    /// Whether a role covers a permission. One that is not here covers nothing.
    pub(crate) fn covers(&self, role: RoleId, permission: PermissionId) -> bool {
        self.bits.get(role.0).is_some_and(|bits| bits.holds(permission))
    }

    /// Adds what a role covers to `out`.
    pub(crate) fn add_to(&self, role: RoleId, out: &mut [u64]) {
        if let Some(bits) = self.bits.get(role.0) {
            bits.add_to(out);
        }
    }

    pub(crate) fn words(&self, role: RoleId) -> &[u64] {
        self.bits.get(role.0).map_or(&[], Bits::words)
    }

    /// The roles that a role has for parents itself.
    pub(crate) fn parents(&self, role: RoleId) -> &[RoleId] {
        self.roles.get(role.0).map_or(&[], |role| &role.parents)
    }

    /// Whether the role was removed (not: is awaited).
    pub(crate) fn is_removed(&self, role: RoleId) -> bool {
        self.roles.get(role.0).is_some_and(|role| role.state == State::Removed)
    }

    /// The roles that have this one for a parent, sorted.
    pub(crate) fn below(&self, role: RoleId) -> impl Iterator<Item = RoleId> + '_ {
        self.children.range((role, RoleId(0))..=(role, RoleId(u32::MAX))).map(|(_, child)| *child)
    }

    /// Puts a role. Answers with the roles that cover something else now, sorted: the sets that hold them
    /// must be rebuilt.
    pub(crate) fn put(&mut self, record: &RoleRecord, permissions: &Permissions) -> Vec<RoleId> {
        let id = record.id;
        if id.0 == 0 || id.0 > ROLES_MAX {
            return vec![];
        }
        let old = self.roles.get(id.0).cloned().unwrap_or_default();
        self.count += u32::from(old.state != State::Present);
        self.relink(id, &old.parents, &record.parents);
        let own = compile(&record.patterns, permissions);
        self.roles.update(id.0, |role| {
            (role.state, role.own) = (State::Present, own);
            if *role.patterns != *record.patterns {
                role.patterns = record.patterns.as_slice().into();
            }
            if *role.parents != *record.parents {
                role.parents = record.parents.as_slice().into();
            }
        });
        self.settle([id], permissions)
    }

    /// Removes a role; it covers nothing from now on. Answers with the roles below that cover less now,
    /// sorted. The sets that hold it are the caller's to edit.
    pub(crate) fn remove(&mut self, id: RoleId, permissions: &Permissions) -> Vec<RoleId> {
        let old = self.roles.get(id.0).cloned().unwrap_or_default();
        self.count -= u32::from(old.state == State::Present);
        self.relink(id, &old.parents, &[]);
        self.roles.update(id.0, |role| *role = Role { state: State::Removed, ..Role::default() });
        self.bits.set(id.0, Bits::default());
        let below: Vec<_> = self.below(id).collect();
        self.settle(below, permissions)
    }

    fn relink(&mut self, id: RoleId, old: &[RoleId], new: &[RoleId]) {
        if old == new {
            return;
        }
        for parent in old {
            self.children.remove_mut(&(*parent, id));
        }
        for parent in new {
            self.children.insert_mut((*parent, id));
        }
    }

    /// Works out anew what roles cover, then those below, as far as that changes.
    ///
    /// LIMIT: as many levels as roles may have. Input that closed a circle would end here as well.
    fn settle(&mut self, ids: impl IntoIterator<Item = RoleId>, permissions: &Permissions) -> Vec<RoleId> {
        let (mut changed, mut level) = (BTreeSet::new(), ids.into_iter().collect::<BTreeSet<_>>());
        for _ in 0..=ROLE_DEPTH_MAX {
            let mut below = BTreeSet::new();
            for id in level {
                if self.put_bits(id, self.work_out(id, permissions)) {
                    changed.insert(id);
                    below.extend(self.below(id));
                }
            }
            if below.is_empty() {
                break;
            }
            level = below;
        }
        changed.into_iter().collect()
    }

    fn work_out(&self, id: RoleId, permissions: &Permissions) -> Bits {
        let Some(role) = self.roles.get(id.0) else { return Bits::default() };
        if role.parents.is_empty() {
            return role.own.clone();
        }
        let mut words = vec![0; permissions.words()];
        role.own.add_to(&mut words);
        for parent in role.parents.iter() {
            self.add_to(*parent, &mut words);
        }
        Bits::new(&words)
    }

    fn put_bits(&mut self, id: RoleId, bits: Bits) -> bool {
        let changed = self.bits.get(id.0).is_none_or(|old| *old != bits);
        if changed {
            self.bits.set(id.0, bits);
        }
        changed
    }

    /// Raises the bit of a new permission in the roles whose patterns cover it and in those below; names
    /// them, sorted. COST: looks at every pattern once, and copies the bits of those roles.
    pub(crate) fn registered(
        &mut self,
        id: PermissionId,
        name: &str,
        permissions: &Permissions,
    ) -> Vec<RoleId> {
        let covers = |role: &Role| role.patterns.iter().any(|pattern| pattern.covers(name));
        let concerned: Vec<u32> =
            self.roles.iter().filter(|(_, role)| covers(role)).map(|(role, _)| role).collect();
        for role in &concerned {
            self.roles.update(*role, |role| {
                if let Some(own) = role.own.with(id, permissions.words()) {
                    role.own = own;
                }
            });
        }
        self.settle(concerned.into_iter().map(RoleId), permissions)
    }

    /// Compiles every role anew, and names those that changed, sorted.
    pub(crate) fn renamed(&mut self, permissions: &Permissions) -> Vec<RoleId> {
        let all: Vec<_> =
            self.roles.iter().map(|(id, role)| (id, compile(&role.patterns, permissions))).collect();
        for (id, own) in &all {
            self.roles.update(*id, |role| role.own = own.clone());
        }
        self.settle(all.into_iter().map(|(id, _)| RoleId(id)), permissions)
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }
}

#[cfg(test)]
mod tests;
