//! Services, and the permissions that they register.

use super::{Decided, Made, State};
use std::collections::BTreeMap;
use std::sync::Arc;
use tessera_model::catalogue::{
    EntryRecord, EntryText, ServiceEntry, ServiceRecord, beginnings, lies_below, sized,
};
use tessera_model::limits::{NAME_BYTES_MAX, SERVICES_MAX};
use tessera_model::{Event, Limit, Name, Pattern, PermissionId, Refusal, Scope, ServiceIndex};

/// Names of the engine's own.
const ENGINE: &str = "tessera";
/// LIMIT: permissions that replace one another in a row: whoever reads such a row is led on a few times at most.
const REPLACED_MAX: usize = 16;

impl State {
    /// The service below whose name a permission's name lies, that with the longest name.
    pub(super) fn service_above(&self, permission: &str) -> Option<&Arc<ServiceRecord>> {
        let found = beginnings(permission).find_map(|text| self.service_named(text));
        found.and_then(|index| self.root.services.get(&index))
    }

    fn service_named(&self, text: &str) -> Option<u32> {
        self.root.service_names.get(&Name::new(text).ok()?).copied()
    }

    /// Refuses exact names of patterns, and scopes of one path, that lie below a service and are no permission: it
    /// would have registered them.
    pub(super) fn look_up(&self, patterns: &[Pattern], held: &[Pattern]) -> Result<(), Refusal> {
        let fresh = || patterns.iter().filter(|pattern| !held.contains(pattern));
        let unknown = |name| self.permission_id(name).is_none() && self.service_above(name).is_some();
        let nothing = |scope: Scope<'_>| {
            let (head, _) = scope.head();
            let path = head.split(':').next().unwrap_or_default();
            scope.is_literal() && self.service_above(path).is_some() && !self.root.rules.reaches_any(&scope)
        };
        if fresh().filter_map(Pattern::exact).any(unknown) || fresh().filter_map(Pattern::scope).any(nothing)
        {
            Err(Refusal::PermissionUnknown)
        } else {
            Ok(())
        }
    }

    /// As [`State::look_up`], and exact names whoever would have registered them: what only cuts names what there is. A
    /// beginning or a scope may match nothing yet.
    pub(super) fn look_up_all(&self, patterns: &[Pattern], held: &[Pattern]) -> Result<(), Refusal> {
        let mut fresh = patterns.iter().filter(|pattern| !held.contains(pattern));
        let is_unknown =
            |pattern: &Pattern| pattern.exact().is_some_and(|name| self.permission_id(name).is_none());
        if fresh.any(is_unknown) { Err(Refusal::PermissionUnknown) } else { self.look_up(patterns, held) }
    }

    /// Refuses scopes with filters where nothing compares these.
    pub(super) fn unfiltered(patterns: &[Pattern]) -> Result<(), Refusal> {
        if patterns.iter().any(Pattern::is_filtered) { Err(Refusal::ScopeFiltered) } else { Ok(()) }
    }

    /// Whether a service may register this name.
    fn may_register(&self, service: &Name, permission: &Name) -> Result<(), Refusal> {
        let text = permission.as_str();
        if lies_below(text, ENGINE) {
            return Err(Refusal::BuiltIn);
        }
        let owner = self.permission_id(text).and_then(|id| self.root.entries.get(&id.0));
        let owner = owner.and_then(|index| self.root.services.get(index));
        if owner.is_some_and(|owner| owner.name != *service) {
            return Err(Refusal::PermissionOwned);
        }
        // A longer name than that of the other one takes its part out of what lies below it.
        let length = if lies_below(text, service.as_str()) { service.as_str().len() } else { 0 };
        match self.service_above(text) {
            Some(other)
                if other.name != *service && other.name.as_str().len() > length && owner.is_none() =>
            {
                Err(Refusal::PermissionOwned)
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn set_catalogue(&self, name: &Name, entries: &[ServiceEntry]) -> Result<Decided, Refusal> {
        if lies_below(name.as_str(), ENGINE) {
            return Err(Refusal::BuiltIn);
        }
        sized(entries, &[])?;
        let known = self.service_named(name.as_str()).and_then(|index| self.root.services.get(&index));
        if known.is_none() {
            Self::may_be_called(name)?;
        }
        let mut events = Vec::new();
        let mut found: BTreeMap<PermissionId, EntryRecord> = BTreeMap::new();
        let mut ids: BTreeMap<&Name, PermissionId> = BTreeMap::new();
        for entry in entries {
            self.may_register(name, &entry.permission)?;
            let id = self.entry_id(&entry.permission, &mut events)?;
            if ids.insert(&entry.permission, id).is_some() {
                return Err(Refusal::Duplicate);
            }
            let replaced_by = PermissionId(0);
            found.insert(id, EntryRecord { permission: id, text: entry.text.clone(), replaced_by });
        }
        for (entry, by) in entries.iter().filter_map(|entry| Some((entry, entry.replaced_by.as_ref()?))) {
            let by = ids.get(by).copied().or_else(|| self.permission_id(by.as_str()));
            let by = by.ok_or(Refusal::PermissionUnknown)?;
            let record = ids.get(&entry.permission).and_then(|id| found.get_mut(id));
            record.ok_or(Refusal::PermissionUnknown)?.replaced_by = by;
        }
        let kept = known.map(|known| self.kept(known, &found)).unwrap_or_default();
        sized(entries, &kept)?;
        let kept_count = u32::try_from(kept.len()).unwrap_or(u32::MAX);
        found.extend(kept.into_iter().map(|entry| (entry.permission, entry)));
        self.leads_on(name, &found)?;
        let made = Made { kept: Some(kept_count), ..Made::default() };
        let Some(index) = known.map(|known| known.index).or_else(|| self.free_number()) else {
            return Err(Limit::Services.reached());
        };
        if found.is_empty() {
            if let Some(index) = known.map(|known| known.index) {
                let endpoints = self.root.endpoints.contains_key(&index.0);
                events.extend(endpoints.then_some(Event::EndpointsRemoved(index)));
                events.push(Event::ServiceRemoved(index));
            }
        } else {
            let record = ServiceRecord { index, name: name.clone(), entries: found.into_values().collect() };
            let same = known.is_some_and(|known| **known == record);
            events.extend((!same).then_some(Event::ServiceChanged(record)));
        }
        Ok(Decided { events, made, ..Decided::default() })
    }

    /// The id of an entry's permission, registered with this command when it is none yet.
    fn entry_id(&self, permission: &Name, events: &mut Vec<Event>) -> Result<PermissionId, Refusal> {
        if let Some(id) = self.permission_id(permission.as_str()) {
            return Ok(id);
        }
        self.register_named(permission.as_str(), events)?;
        let named = events.iter().rev().find_map(|event| {
            let Event::PermissionRegistered { id, name } = event else { return None };
            (name == permission).then_some(*id)
        });
        named.ok_or(Refusal::PermissionUnknown)
    }

    /// Entries that a service does not register any more and that are in use: they stay, deprecated.
    fn kept(&self, known: &ServiceRecord, found: &BTreeMap<PermissionId, EntryRecord>) -> Vec<EntryRecord> {
        let gone = known.entries.iter().filter(|entry| !found.contains_key(&entry.permission));
        let name = |entry: &EntryRecord| self.root.rules.permission_name(entry.permission).map(Name::as_str);
        let mut unused: BTreeMap<&str, PermissionId> =
            gone.clone().filter_map(|entry| Some((name(entry)?, entry.permission))).collect();
        if unused.is_empty() {
            return Vec::new();
        }
        self.take_used(&mut unused);
        let used = gone.filter(|entry| {
            let by_relation = self.root.relation_mappings.contains_key(&entry.permission.0);
            by_relation || name(entry).is_some_and(|name| !unused.contains_key(name))
        });
        used.map(|entry| {
            let text = EntryText { deprecated: true, ..entry.text.clone() };
            EntryRecord { text, ..entry.clone() }
        })
        .collect()
    }

    /// Takes away every permission that a role, a key, a ceiling or an endpoint names in full, or a scope of one path
    /// reaches there.
    ///
    /// COST: looks at every pattern of the tenant, and only when a service takes entries back.
    fn take_used(&self, unused: &mut BTreeMap<&str, PermissionId>) {
        let roles = self.root.roles.values().flat_map(|record| &record.patterns);
        let keys = self.root.restrictions.values().flat_map(|record| &record.patterns);
        let ceilings = self.root.workspaces.values().flat_map(|record| &record.ceiling);
        for pattern in roles.chain(keys).chain(ceilings).filter(|pattern| pattern.is_literal()) {
            match pattern.exact() {
                Some(name) => {
                    unused.remove(name);
                }
                None => unused.retain(|name, _| !pattern.reaches(name)),
            }
        }
        for endpoint in self.root.endpoints.values().flat_map(|map| &map.record.endpoints) {
            let mut room = [0; NAME_BYTES_MAX];
            if let Some(name) = endpoint.permission(&mut room) {
                unused.remove(name);
            }
        }
    }

    /// Whatever replaces an entry leads to an end: neither back to it nor on for ever.
    fn leads_on(&self, service: &Name, found: &BTreeMap<PermissionId, EntryRecord>) -> Result<(), Refusal> {
        let next = |id: PermissionId| {
            let other = || {
                let other = self.root.services.get(self.root.entries.get(&id.0)?)?;
                other.entry(id).filter(|_| other.name != *service)
            };
            let entry = found.get(&id).or_else(other)?;
            (entry.replaced_by.0 > 0).then_some(entry.replaced_by)
        };
        for id in found.keys() {
            if std::iter::successors(next(*id), |id| next(*id)).nth(REPLACED_MAX).is_some() {
                return Err(Refusal::Cycle);
            }
        }
        Ok(())
    }

    /// The smallest number that no service has.
    fn free_number(&self) -> Option<ServiceIndex> {
        (1..=SERVICES_MAX).find(|index| !self.root.services.contains_key(index)).map(ServiceIndex)
    }

    pub(super) fn apply_catalogue(&mut self, record: &ServiceRecord) {
        self.apply_service_removed(record.index);
        self.root.service_bytes += record.bytes();
        self.root.service_names.insert_mut(record.name.clone(), record.index.0);
        for entry in &record.entries {
            self.root.entries.insert_mut(entry.permission.0, record.index.0);
        }
        self.root.services.insert_mut(record.index.0, Arc::new(record.clone()));
    }

    pub(super) fn apply_service_removed(&mut self, index: ServiceIndex) {
        let Some(known) = self.root.services.get(&index.0).cloned() else { return };
        self.root.service_bytes -= known.bytes();
        if self.root.service_names.get(&known.name) == Some(&index.0) {
            self.root.service_names.remove_mut(&known.name);
        }
        for entry in &known.entries {
            if self.root.entries.get(&entry.permission.0) == Some(&index.0) {
                self.root.entries.remove_mut(&entry.permission.0);
            }
        }
        self.root.services.remove_mut(&index.0);
    }
}
