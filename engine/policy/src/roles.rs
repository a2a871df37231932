//! Permissions and roles: names, patterns, and the bits that patterns compile to.

use crate::bits::{Bits, raise};
use crate::chunked::Chunked;
use crate::names::{Known, Names};
use std::sync::Arc;
use tessera_model::limits::{PERMISSIONS_MAX, ROLES_MAX};
use tessera_model::record::RoleRecord;
use tessera_model::{Name, Pattern, PermissionId, RoleId};

/// The permissions of a tenant: name to id and back.
#[derive(Clone)]
pub(crate) struct Permissions {
    names: Names,
    known: Chunked<Option<Known>>,
    /// Which ids there are: for the hot path, which needs no name.
    registered: Bits,
    count: u32,
}

impl Permissions {
    pub(crate) fn new() -> Self {
        Self {
            names: Names::new(),
            known: Chunked::new(PERMISSIONS_MAX + 1),
            registered: Bits::default(),
            count: 0,
        }
    }

    /// Registers a name. False when that changed nothing.
    pub(crate) fn put(&mut self, id: PermissionId, name: &Name) -> bool {
        if id == PermissionId(0) || id.0 > PERMISSIONS_MAX || self.name(id) == Some(name) {
            return false;
        }
        let known = Known::new(name);
        match self.known.get(id.0).cloned().flatten() {
            Some(old) => self.names.remove(&old, id.0),
            None => self.count += 1,
        }
        self.names.insert(known.clone(), id.0);
        self.known.set(id.0, Some(known));
        let mut words = vec![0; self.words()];
        self.registered.add_to(&mut words);
        raise(&mut words, id);
        self.registered = Bits::new(&words);
        true
    }

    pub(crate) fn named(&self, name: &str) -> Option<PermissionId> {
        self.names.get(name).map(PermissionId)
    }

    #[inline]
    pub(crate) fn exists(&self, id: PermissionId) -> bool {
        self.registered.holds(id)
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

/// What patterns cover among the registered permissions.
pub(crate) fn compile(patterns: &[Pattern], permissions: &Permissions) -> Bits {
    let mut words = vec![0; permissions.words()];
    for pattern in patterns {
        match pattern.exact() {
            Some(name) => {
                if let Some(id) = permissions.named(name) {
                    raise(&mut words, id);
                }
            }
            None => {
                let known = permissions.known.iter().filter_map(|(id, known)| Some((id, known.as_ref()?)));
                for (id, _) in known.filter(|(_, known)| pattern.covers(known.name().as_str())) {
                    raise(&mut words, PermissionId(id));
                }
            }
        }
    }
    Bits::new(&words)
}

/// What is known of a role beside its bits.
#[derive(Clone, Default)]
struct Role {
    state: State,
    patterns: Arc<[Pattern]>,
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
    bits: Chunked<Bits>,
    roles: Chunked<Role>,
    count: u32,
}

impl Roles {
    pub(crate) fn new() -> Self {
        Self { bits: Chunked::new(ROLES_MAX + 1), roles: Chunked::new(ROLES_MAX + 1), count: 0 }
    }

    /// Whether a role covers a permission. One that is not here covers nothing.
    #[inline]
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

    /// Whether the role was removed (not: is awaited).
    pub(crate) fn is_removed(&self, role: RoleId) -> bool {
        self.roles.get(role.0).is_some_and(|role| role.state == State::Removed)
    }

    /// Puts a role. True when what it covers changed, so that the sets that hold it must be rebuilt.
    pub(crate) fn put(&mut self, record: &RoleRecord, permissions: &Permissions) -> bool {
        let id = record.id.0;
        if id == 0 || id > ROLES_MAX {
            return false;
        }
        if self.roles.get(id).is_none_or(|role| role.state != State::Present) {
            self.count += 1;
        }
        self.roles.update(id, |role| {
            role.state = State::Present;
            if *role.patterns != *record.patterns {
                role.patterns = record.patterns.as_slice().into();
            }
        });
        self.put_bits(record.id, compile(&record.patterns, permissions))
    }

    /// Removes a role; it covers nothing from now on. The sets that hold it are the caller's to edit.
    pub(crate) fn remove(&mut self, id: RoleId) {
        if self.roles.get(id.0).is_some_and(|role| role.state == State::Present) {
            self.count -= 1;
        }
        self.roles.update(id.0, |role| {
            role.state = State::Removed;
            role.patterns = Arc::default();
        });
        self.bits.set(id.0, Bits::default());
    }

    fn put_bits(&mut self, id: RoleId, bits: Bits) -> bool {
        let changed = self.bits.get(id.0).is_none_or(|old| *old != bits);
        if changed {
            self.bits.set(id.0, bits);
        }
        changed
    }

    /// Looks again at the roles whose patterns cover a permission that is new; names them.
    pub(crate) fn registered(&mut self, name: &str, permissions: &Permissions) -> Vec<RoleId> {
        let covers = |role: &Role| role.patterns.iter().any(|pattern| pattern.covers(name));
        let concerned: Vec<(RoleId, Bits)> = self
            .roles
            .iter()
            .filter(|(_, role)| covers(role))
            .map(|(id, role)| (RoleId(id), compile(&role.patterns, permissions)))
            .collect();
        concerned.into_iter().filter_map(|(id, bits)| self.put_bits(id, bits).then_some(id)).collect()
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }
}
