//! Roles, and the permissions whose names they cover.

use super::{BUILT_IN, Decided, Made, State};
use std::sync::Arc;
use tessera_model::limits::{PATTERNS_MAX, PERMISSIONS_MAX, ROLES_MAX};
use tessera_model::record::RoleRecord;
use tessera_model::{Caller, Event, Limit, Name, Pattern, PermissionId, Refusal, RoleId, UnixMillis};

/// Names of the engine's own begin so; nobody else makes or changes one.
const RESERVED: &str = "tessera.";

impl State {
    pub(super) fn register_permission(&self, name: &Name) -> Result<Decided, Refusal> {
        if let Some(known) = self.permission_id(name.as_str()) {
            return Ok(Decided {
                made: Made { number: Some(known.0), ..Made::default() },
                ..Decided::default()
            });
        }
        let mut events = Vec::new();
        self.register_named(name.as_str(), &mut events)?;
        Ok(Decided {
            events,
            made: Made { number: Some(self.next.permission), ..Made::default() },
            ..Decided::default()
        })
    }

    /// Adds the registration of a name that is no permission yet.
    fn register_named(&self, name: &str, events: &mut Vec<Event>) -> Result<(), Refusal> {
        let registers = |event: &&Event| matches!(event, Event::PermissionRegistered { .. });
        let before = u32::try_from(events.iter().filter(registers).count()).unwrap_or(u32::MAX);
        let again = events.iter().any(|event| {
            matches!(event, Event::PermissionRegistered { name: known, .. } if known.as_str() == name)
        });
        if again || self.permission_id(name).is_some() {
            return Ok(());
        }
        if name.starts_with(RESERVED) {
            return Err(Refusal::BuiltIn);
        }
        let id = self.next.permission.saturating_add(before);
        if id >= PERMISSIONS_MAX {
            return Err(Refusal::LimitReached(Limit::Permissions));
        }
        let name = Name::new(name).map_err(|_| Refusal::Malformed)?;
        events.push(Event::PermissionRegistered { id: PermissionId(id), name });
        Ok(())
    }

    /// Registrations of the exact names among the patterns.
    pub(super) fn register_exact(&self, patterns: &[Pattern]) -> Result<Vec<Event>, Refusal> {
        if patterns.len() > PATTERNS_MAX {
            return Err(Refusal::LimitReached(Limit::Patterns));
        }
        let mut events = Vec::new();
        for name in patterns.iter().filter_map(Pattern::exact) {
            self.register_named(name, &mut events)?;
        }
        Ok(events)
    }

    pub(super) fn create_role(
        &self,
        name: &Name,
        patterns: &[Pattern],
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        if name.as_str().starts_with(RESERVED) {
            return Err(Refusal::BuiltIn);
        }
        if self.root.role_names.contains_key(name) {
            return Err(Refusal::Duplicate);
        }
        if self.next.role >= ROLES_MAX {
            return Err(Refusal::LimitReached(Limit::Roles));
        }
        if !self.may_hand_out(patterns, caller, now) {
            return Err(Refusal::BeyondCreator);
        }
        let id = RoleId(self.next.role);
        let mut events = self.register_exact(patterns)?;
        events.push(Event::RoleChanged(RoleRecord { id, name: name.clone(), patterns: patterns.to_vec() }));
        Ok(Decided { events, made: Made { number: Some(id.0), ..Made::default() }, ..Decided::default() })
    }

    pub(super) fn change_role(
        &self,
        name: &Name,
        patterns: &[Pattern],
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        if name.as_str().starts_with(RESERVED) {
            return Err(Refusal::BuiltIn);
        }
        let id = self.role_id(name)?;
        if !self.may_hand_out(patterns, caller, now) {
            return Err(Refusal::BeyondCreator);
        }
        let record = RoleRecord { id, name: name.clone(), patterns: patterns.to_vec() };
        if self.root.roles.get(&id).is_some_and(|known| **known == record) {
            return Ok(Decided::nothing());
        }
        let mut events = self.register_exact(patterns)?;
        events.push(Event::RoleChanged(record));
        Ok(Decided { events, ..Decided::default() })
    }

    pub(super) fn delete_role(&self, name: &Name) -> Result<Decided, Refusal> {
        if name.as_str().starts_with(RESERVED) {
            return Err(Refusal::BuiltIn);
        }
        Ok(Decided::of(Event::RoleRemoved(self.role_id(name)?)))
    }

    pub(super) fn apply_permission(&mut self, id: PermissionId, name: &Name) {
        debug_assert!(id.0 as usize > BUILT_IN.len() || BUILT_IN.contains(&name.as_str()));
        self.next.permission = self.next.permission.max(id.0 + 1);
        self.root.rules.put_permission(id, name);
        self.root.permissions.insert_mut(id.0, name.clone());
    }

    pub(super) fn apply_role(&mut self, record: &RoleRecord) {
        self.next.role = self.next.role.max(record.id.0 + 1);
        self.root.rules.put_role(record);
        self.root.role_names.insert_mut(record.name.clone(), record.id);
        self.root.roles.insert_mut(record.id, Arc::new(record.clone()));
    }

    pub(super) fn apply_role_removed(&mut self, role: RoleId) {
        self.next.role = self.next.role.max(role.0 + 1);
        // Every holder's grants change with it, so their buckets do too.
        let holders: Vec<_> = self.root.rules.holders_of(role).map(|grant| grant.subject).collect();
        self.dirty.extend(holders.into_iter().map(super::bucket::of_subject));
        self.root.rules.remove_role(role);
        if let Some(record) = self.root.roles.get(&role) {
            let name = record.name.clone();
            self.root.role_names.remove_mut(&name);
        }
        self.root.roles.remove_mut(&role);
    }
}
