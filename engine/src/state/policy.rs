//! Policies and the entities that they speak about.
//!
//! What comes in was compiled before admission; nothing here knows the language. An event carries the texts and the
//! program beside them, so that a tenant is loaded without it.

use super::{Decided, Made, State};
use crate::policed::{Policed, ancestors};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tessera_crypto::digest;
use tessera_model::limits::{
    ENTITIES_MAX, ENTITY_ANCESTORS_MAX, ENTITY_BYTES_MAX, ENTITY_CHANGES_MAX, POLICY_PROGRAM_BYTES_MAX,
    POLICY_TEXT_BYTES_MAX, SENT_ENTITIES_BYTES_MAX,
};
use tessera_model::policy::{EntityChange, EntityName, EntityRecord, OWN_TYPES, PolicyDraft, PolicyRecord};
use tessera_model::{Event, Limit, Refusal, UnixMillis};
use tessera_program::{Fact, Program, Shape};

/// LIMIT: shares that entities are kept in: 256 of a full tenant stand in one.
pub(super) const SHARES: u32 = 256;

/// The share of an entity.
pub(super) fn share_of(name: &EntityName) -> u32 {
    let [first, ..] = digest::hash(&[name.kind.as_bytes(), &[0], name.id.as_bytes()]);
    u32::from(first) % SHARES
}

/// The key of an entity in its share.
pub(crate) fn key_of(name: &EntityName) -> (u32, EntityName) {
    (share_of(name), name.clone())
}

/// What the changes of a command make of entities; none for those that go.
type After<'a> = BTreeMap<&'a EntityName, Option<(Fact, &'a EntityRecord)>>;

impl State {
    fn is_version(&self, expected: Option<u32>) -> Result<(), Refusal> {
        let version = self.root.policies.as_ref().map_or(0, |known| known.version);
        if expected.is_none_or(|expected| expected == version) { Ok(()) } else { Err(Refusal::PolicyVersion) }
    }

    pub(super) fn set_policies(&self, draft: &PolicyDraft, now: UnixMillis) -> Result<Decided, Refusal> {
        self.is_version(draft.expected)?;
        let text = draft.text.len() + draft.schema.as_ref().map_or(0, |schema| schema.len());
        if text > POLICY_TEXT_BYTES_MAX {
            return Err(Limit::PolicyTextBytes.reached());
        }
        if draft.program.len() > POLICY_PROGRAM_BYTES_MAX {
            return Err(Limit::PolicyProgramBytes.reached());
        }
        let program = Program::decode(&draft.program).map_err(|_| Refusal::PolicyWrong)?;
        let known = self.root.policies.as_deref();
        let same = |known: &&PolicyRecord| {
            known.text == draft.text
                && known.schema == draft.schema
                && known.lenient == draft.lenient
                && known.program == draft.program
        };
        if let Some(known) = known.filter(same) {
            return Ok(numbered(known.version, Vec::new()));
        }
        let fits = |record: &EntityRecord| {
            let fact = Fact::decode(&record.fact);
            fact.is_ok_and(|fact| program.shape.fits(&record.name.kind, &record.name.id, &fact))
        };
        // COST: looks at every entity.
        if !self.root.entities.values().all(|record| fits(record)) {
            return Err(Refusal::EntitiesStored);
        }
        let version = self.root.policy_version.saturating_add(1);
        let PolicyDraft { schema, text, program, lenient, expected: _ } = draft.clone();
        let record = PolicyRecord { version, schema, text, program, lenient, at: now.to_deadline() };
        Ok(numbered(version, vec![Event::PoliciesChanged(record)]))
    }

    pub(super) fn delete_policies(&self, expected: Option<u32>) -> Result<Decided, Refusal> {
        self.is_version(expected)?;
        let Some(known) = &self.root.policies else { return Ok(Decided::nothing()) };
        if !self.root.entities.is_empty() {
            return Err(Refusal::EntitiesStored);
        }
        Ok(Decided::of(Event::PoliciesRemoved { version: known.version }))
    }

    pub(super) fn change_entities(&self, changes: &[EntityChange]) -> Result<Decided, Refusal> {
        if changes.len() > ENTITY_CHANGES_MAX {
            return Err(Limit::EntityChanges.reached());
        }
        let mut after: After<'_> = BTreeMap::new();
        let mut bytes = 0;
        for change in changes {
            let name = change.name();
            bytes += name.kind.len() + name.id.len();
            let EntityChange::Put(record) = change else {
                after.insert(name, None);
                continue;
            };
            bytes += record.fact.len();
            if record.fact.len() > ENTITY_BYTES_MAX {
                return Err(Limit::EntityBytes.reached());
            }
            let shape = self.root.shape.as_deref().ok_or(Refusal::PoliciesUnset)?;
            after.insert(name, Some((fact_of(shape, record)?, record)));
        }
        if bytes > SENT_ENTITIES_BYTES_MAX {
            return Err(Limit::SentEntitiesBytes.reached());
        }
        let stored = |name: &EntityName| self.root.entities.get(&key_of(name));
        let grown = after.iter().filter(|(name, made)| made.is_some() && stored(name).is_none()).count();
        let gone = after.iter().filter(|(name, made)| made.is_none() && stored(name).is_some()).count();
        if grown > gone && self.root.entities.size() + grown - gone > ENTITIES_MAX {
            return Err(Limit::Entities.reached());
        }
        self.look_above(&after)?;
        let events = after.iter().filter_map(|(name, made)| match (made, stored(name)) {
            (Some((_, record)), Some(known)) if **known == **record => None,
            (Some((_, record)), _) => Some(Event::EntityChanged((*record).clone())),
            (None, Some(_)) => Some(Event::EntityRemoved((*name).clone())),
            (None, None) => None,
        });
        Ok(Decided { events: events.collect(), ..Decided::default() })
    }

    /// None would lie in itself, or in more than one may.
    ///
    /// COST: looks at what lies above each that is put, and above each below it.
    fn look_above(&self, after: &After<'_>) -> Result<(), Refusal> {
        let stored = |name: &EntityName| self.root.entities.get(&key_of(name));
        let parents = |kind: &str, id: &str| -> Vec<(String, String)> {
            let Some(name) = EntityName::new(kind, id) else { return Vec::new() };
            match after.get(&name) {
                Some(made) => made.iter().flat_map(|(fact, _)| fact.ancestors.iter().cloned()).collect(),
                None => stored(&name).map(|record| straight(record)).unwrap_or_default(),
            }
        };
        let put = after.iter().filter(|(_, made)| made.is_some()).map(|(name, _)| *name);
        let moved: BTreeSet<&EntityName> = put.collect();
        let below = self.below(moved.iter().copied());
        for name in moved.into_iter().chain(below.iter().filter(|name| !after.contains_key(name))) {
            let above = ancestors((&name.kind, &name.id), &parents);
            if above.contains(&(name.kind.to_string(), name.id.to_string())) {
                return Err(Refusal::Cycle);
            }
            if above.len() > ENTITY_ANCESTORS_MAX {
                return Err(Limit::EntityAncestors.reached());
            }
        }
        Ok(())
    }

    /// Every entity that lies in one of these, straight or through others.
    fn below<'a>(&self, of: impl IntoIterator<Item = &'a EntityName>) -> BTreeSet<EntityName> {
        let (mut all, mut open): (BTreeSet<EntityName>, Vec<EntityName>) =
            (BTreeSet::new(), of.into_iter().cloned().collect());
        while let Some(one) = open.pop() {
            for inner in self.inner.get(&one).into_iter().flatten() {
                if all.insert(inner.clone()) {
                    open.push(inner.clone());
                }
            }
        }
        all
    }

    pub(super) fn apply_policies(&mut self, record: &PolicyRecord) {
        self.root.policy_version = self.root.policy_version.max(record.version);
        self.root.policies = Some(Arc::new(record.clone()));
        if !self.loading {
            self.read_policies();
        }
    }

    pub(super) fn apply_policies_removed(&mut self, version: u32) {
        self.root.policy_version = self.root.policy_version.max(version);
        self.root.policies = None;
        (self.root.policed, self.root.shape) = (None, None);
    }

    /// Makes of the stored program and entities what checks ask.
    pub(super) fn read_policies(&mut self) {
        let Some(record) = self.root.policies.clone() else { return };
        let policed = Policed::new(&record, &self.root);
        self.root.shape = Some(policed.shape());
        self.root.policed = policed.rules().then(|| Arc::new(policed));
    }

    pub(super) fn apply_entity(&mut self, record: &EntityRecord) {
        let moved = self.take_out(&record.name) != straight(record);
        for (kind, id) in straight(record) {
            if let Some(parent) = EntityName::new(&kind, &id) {
                self.inner.entry(parent).or_default().insert(record.name.clone());
            }
        }
        self.root.entity_bytes += record.fact.len();
        self.root.entities.insert_mut(key_of(&record.name), Arc::new(record.clone()));
        self.follow_entity(&record.name, moved);
    }

    pub(super) fn apply_entity_removed(&mut self, name: &EntityName) {
        let moved = !self.take_out(name).is_empty();
        self.root.entities.remove_mut(&key_of(name));
        self.follow_entity(name, moved);
    }

    /// Takes an entity out of those that it lies in; answers with them.
    fn take_out(&mut self, name: &EntityName) -> Vec<(String, String)> {
        let Some(known) = self.root.entities.get(&key_of(name)) else { return Vec::new() };
        let parents = straight(known);
        self.root.entity_bytes -= known.fact.len();
        for (kind, id) in &parents {
            let Some(parent) = EntityName::new(kind, id) else { continue };
            if let Some(inner) = self.inner.get_mut(&parent) {
                inner.remove(name);
                if inner.is_empty() {
                    self.inner.remove(&parent);
                }
            }
        }
        parents
    }

    /// Brings what checks ask to an entity's new state, and those below it when what lies above it moved.
    fn follow_entity(&mut self, name: &EntityName, moved: bool) {
        if self.loading || self.root.policed.is_none() {
            return;
        }
        let mut changed = if moved { self.below([name]) } else { BTreeSet::new() };
        changed.insert(name.clone());
        let Some(mut policed) = self.root.policed.take() else { return };
        if policed.is_worn() {
            return self.read_policies();
        }
        // COST: copies the tables once for each batch that changes entities.
        let table = Arc::make_mut(&mut policed);
        for name in &changed {
            table.put_entity(name, &self.root);
        }
        self.root.policed = Some(policed);
    }

    pub(super) fn policy_events(&self) -> Vec<Event> {
        match &self.root.policies {
            Some(record) => vec![Event::PoliciesChanged((**record).clone())],
            None if self.root.policy_version > 0 => {
                vec![Event::PoliciesRemoved { version: self.root.policy_version }]
            }
            None => Vec::new(),
        }
    }

    /// A share of the entities as events.
    pub(super) fn entity_events(&self, share: u32) -> Vec<Event> {
        let first = |share: u32| (share, EntityName { kind: "".into(), id: "".into() });
        let records = self.root.entities.range(first(share)..first(share + 1));
        records.map(|(_, record)| Event::EntityChanged((**record).clone())).collect()
    }
}

fn numbered(version: u32, events: Vec<Event>) -> Decided {
    Decided { events, made: Made { number: Some(version), ..Made::default() }, ..Decided::default() }
}

/// What an entity lies in straight.
pub(crate) fn straight(record: &EntityRecord) -> Vec<(String, String)> {
    Fact::decode(&record.fact).map(|fact| fact.ancestors.into_iter().collect()).unwrap_or_default()
}

/// What is known of an entity, when it fits the schema and is none of a tenant's own.
fn fact_of(shape: &Shape, record: &EntityRecord) -> Result<Fact, Refusal> {
    let own = |kind: &str| OWN_TYPES.contains(&kind);
    if own(&record.name.kind) {
        return Err(Refusal::BuiltIn);
    }
    let fact = Fact::decode(&record.fact).map_err(|_| Refusal::EntityWrong)?;
    let fits = shape.fits(&record.name.kind, &record.name.id, &fact);
    if fits && !fact.ancestors.iter().any(|(kind, _)| own(kind)) {
        Ok(fact)
    } else {
        Err(Refusal::EntityWrong)
    }
}
