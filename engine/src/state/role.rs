//! Roles, and the permissions whose names they cover.

use super::{BUILT_IN, Decided, Made, State};
use std::collections::BTreeSet;
use std::sync::Arc;
use tessera_model::limits::{PATTERNS_MAX, PERMISSIONS_MAX, ROLE_DEPTH_MAX, ROLE_PARENTS_MAX, ROLES_MAX};
use tessera_model::record::RoleRecord;
use tessera_model::{Caller, Event, Limit, Name, Pattern, PermissionId, Refusal, RoleId, UnixMillis};
use tessera_storage::BucketKind;

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
        if self.service_above(name.as_str()).is_some() {
            return Err(Refusal::PermissionOwned);
        }
        self.register_named(name.as_str(), &mut events)?;
        Ok(Decided {
            events,
            made: Made { number: Some(self.next.permission), ..Made::default() },
            ..Decided::default()
        })
    }

    /// Adds the registration of a name that is no permission yet.
    pub(super) fn register_named(&self, name: &str, events: &mut Vec<Event>) -> Result<(), Refusal> {
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
            return Err(Limit::Permissions.reached());
        }
        let name = Name::new(name).map_err(|_| Refusal::Malformed)?;
        Self::may_be_called(&name)?;
        events.push(Event::PermissionRegistered { id: PermissionId(id), name });
        Ok(())
    }

    /// Registrations of the exact names among the patterns.
    pub(super) fn register_exact(&self, patterns: &[Pattern]) -> Result<Vec<Event>, Refusal> {
        if patterns.len() > PATTERNS_MAX {
            return Err(Limit::Patterns.reached());
        }
        Self::unfiltered(patterns)?;
        self.look_up(patterns, &[])?;
        let mut events = Vec::new();
        for name in patterns.iter().filter_map(Pattern::exact) {
            self.register_named(name, &mut events)?;
        }
        Ok(events)
    }

    pub(super) fn create_role(
        &self,
        workspace: Option<&Name>,
        name: &Name,
        patterns: &[Pattern],
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        if name.as_str().starts_with(RESERVED) {
            return Err(Refusal::BuiltIn);
        }
        Self::may_be_called(name)?;
        if self.root.role_names.contains_key(name) {
            return Err(Refusal::Duplicate);
        }
        let workspace = self.workspace_index(workspace)?;
        if self.next.role >= ROLES_MAX {
            return Err(Limit::Roles.reached());
        }
        if !self.may_hand_out(patterns, caller, now) {
            return Err(Refusal::BeyondCreator);
        }
        let id = RoleId(self.next.role);
        let mut events = self.register_by(patterns, caller, now)?;
        events.push(Event::RoleChanged(RoleRecord {
            id,
            name: name.clone(),
            patterns: patterns.to_vec(),
            parents: Vec::new(),
            workspace,
        }));
        Ok(Decided { events, made: Made { number: Some(id.0), ..Made::default() }, ..Decided::default() })
    }

    /// As [`State::register_exact`], by whoever may: permissions are the tenant's, and who administers roles of a
    /// workspace alone names those there are.
    fn register_by(
        &self,
        patterns: &[Pattern],
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Vec<Event>, Refusal> {
        let events = self.register_exact(patterns)?;
        let may = events.is_empty() || self.may_order(caller, "tessera.admin.roles", now);
        if may { Ok(events) } else { Err(Refusal::PermissionUnknown) }
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
        let known = self.root.roles.get(&id).ok_or(Refusal::RoleUnknown)?;
        let record = RoleRecord { patterns: patterns.to_vec(), ..(**known).clone() };
        if **known == record {
            return Ok(Decided::nothing());
        }
        if self.leaves_no_operator(|rules| rules.put_role(&record), now) {
            return Err(Refusal::LastOperator);
        }
        let mut events = self.register_by(patterns, caller, now)?;
        events.push(Event::RoleChanged(record));
        Ok(Decided { events, ..Decided::default() })
    }

    pub(super) fn set_role_parents(
        &self,
        name: &Name,
        parents: &[Name],
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        if name.as_str().starts_with(RESERVED) {
            return Err(Refusal::BuiltIn);
        }
        let id = self.role_id(name)?;
        let known = self.root.roles.get(&id).ok_or(Refusal::RoleUnknown)?;
        let parents = parents.iter().map(|name| self.role_id(name)).collect::<Result<BTreeSet<_>, _>>()?;
        if parents.len() > ROLE_PARENTS_MAX {
            return Err(Limit::RoleParents.reached());
        }
        for parent in &parents {
            self.fits(*parent, known.workspace)?;
        }
        let above: BTreeSet<_> = parents.iter().flat_map(|parent| self.roles_above(*parent).0).collect();
        if above.contains(&id) {
            return Err(Refusal::Cycle);
        }
        let height = parents.iter().map(|parent| self.roles_above(*parent).1).max().unwrap_or(0);
        if height + self.role_depth(id) > ROLE_DEPTH_MAX {
            return Err(Limit::RoleDepth.reached());
        }
        let handed: Vec<_> = parents.iter().flat_map(|parent| self.handed_with(*parent)).collect();
        if !self.may_hand_out_all(&handed, caller, now) {
            return Err(Refusal::BeyondCreator);
        }
        let record = RoleRecord { parents: parents.into_iter().collect(), ..(**known).clone() };
        if **known == record {
            return Ok(Decided::nothing());
        }
        if self.leaves_no_operator(|rules| rules.put_role(&record), now) {
            return Err(Refusal::LastOperator);
        }
        Ok(Decided::of(Event::RoleChanged(record)))
    }

    /// A role and all roles above it, and how many levels they are.
    pub(super) fn roles_above(&self, role: RoleId) -> (BTreeSet<RoleId>, usize) {
        let (mut all, mut level, mut levels) = (BTreeSet::new(), BTreeSet::from([role]), 0);
        while !level.is_empty() && levels <= ROLE_DEPTH_MAX {
            levels += 1;
            all.extend(level.iter().copied());
            let records = level.iter().filter_map(|role| self.root.roles.get(role));
            let parents = records.flat_map(|record| record.parents.iter().copied());
            level = parents.filter(|parent| self.root.roles.contains_key(parent)).collect();
        }
        (all, levels)
    }

    /// Levels of roles from this one downwards, itself included.
    fn role_depth(&self, role: RoleId) -> usize {
        let (mut level, mut levels) = (BTreeSet::from([role]), 0);
        while !level.is_empty() && levels <= ROLE_DEPTH_MAX {
            levels += 1;
            level = level.iter().flat_map(|role| self.root.rules.roles_below(*role)).collect();
        }
        levels
    }

    /// What a role covers, by itself and through its parents.
    pub(super) fn patterns_of(&self, role: RoleId) -> Vec<&Pattern> {
        let records = self.roles_above(role).0.into_iter().filter_map(|role| self.root.roles.get(&role));
        records.flat_map(|record| record.patterns.iter()).collect()
    }

    /// What is handed out with a role: what it covers, and a sight of others where a rule gives one.
    pub(super) fn handed_with(&self, role: RoleId) -> Vec<&Pattern> {
        let mut patterns = self.patterns_of(role);
        patterns.extend(self.sight_by(&self.roles_above(role).0));
        patterns
    }

    pub(super) fn delete_role(&self, name: &Name, now: UnixMillis) -> Result<Decided, Refusal> {
        if name.as_str().starts_with(RESERVED) {
            return Err(Refusal::BuiltIn);
        }
        let id = self.role_id(name)?;
        if self.makes_owners(id) {
            return Err(Refusal::LastOwner);
        }
        if self.leaves_no_operator(|rules| rules.remove_role(id), now) {
            return Err(Refusal::LastOperator);
        }
        Ok(Decided::of(Event::RoleRemoved(id)))
    }

    pub(super) fn apply_permission(&mut self, id: PermissionId, name: &Name) {
        debug_assert!(id.0 as usize > BUILT_IN.len() || BUILT_IN.contains(&name.as_str()));
        self.next.permission = self.next.permission.max(id.0 + 1);
        self.root.rules.put_permission(id, name);
        self.root.permissions.insert_mut(id.0, name.clone());
        // The built-in schema has it from now on.
        if !self.loading && self.root.policies.as_ref().is_some_and(|known| known.schema.is_none()) {
            self.read_policies();
        }
    }

    pub(super) fn apply_role(&mut self, record: &RoleRecord) {
        self.next.role = self.next.role.max(record.id.0 + 1);
        self.root.rules.put_role(record);
        self.root.role_names.insert_mut(record.name.clone(), record.id);
        self.root.roles.insert_mut(record.id, Arc::new(record.clone()));
    }

    pub(super) fn apply_role_removed(&mut self, role: RoleId) {
        self.next.role = self.next.role.max(role.0 + 1);
        self.dirty.insert((BucketKind::Names, 0));
        self.forget_requests(|request| request.role == role);
        if self.root.personal_role == role {
            self.root.personal_role = RoleId(0);
        }
        // Every holder's grants change with it, so their buckets do too.
        let holders: Vec<_> = self.root.rules.holders_of(role).map(|grant| grant.subject).collect();
        self.dirty.extend(holders.into_iter().map(super::bucket::of_subject));
        let groups = self.root.rules.groups_with(role).into_iter().map(|grant| grant.group);
        self.dirty.extend(groups.map(super::bucket::of_group));
        self.root.rules.remove_role(role);
        if let Some(record) = self.root.roles.get(&role) {
            let name = record.name.clone();
            self.root.role_names.remove_mut(&name);
        }
        self.root.roles.remove_mut(&role);
    }
}
