//! Policies and the entities that they speak about.
//!
//! What comes in was compiled before admission; nothing here knows the language. An event carries the texts and the
//! program beside them, so that a tenant is loaded without it.

use super::{Decided, Made, State};
use crate::policed::{Policed, ancestors, stored_above};
use crate::policies::unfit;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tessera_crypto::digest;
use tessera_model::limits::{
    ENTITIES_BELOW_MAX, ENTITIES_BYTES_MAX, ENTITIES_MAX, ENTITY_BYTES_MAX, ENTITY_CHANGES_MAX,
    POLICY_PROGRAM_BYTES_MAX, POLICY_TEXT_BYTES_MAX, POLICY_VERSIONS_MAX, SENT_ENTITIES_BYTES_MAX,
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
        if unfit(&self.root, &program.shape).is_some() {
            return Err(Refusal::PolicySchemaWrong);
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
        let put: usize = after.values().flatten().map(|(_, record)| bytes_of(record)).sum();
        let old: usize = after.keys().filter_map(|name| stored(name)).map(|record| bytes_of(record)).sum();
        if put > old && self.root.entity_bytes + put - old > ENTITIES_BYTES_MAX {
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

    /// None would lie in itself, or in more than one may, and no more are below those that move than are looked at.
    ///
    /// COST: looks at what lies above each that moves, and above each below it.
    fn look_above(&self, after: &After<'_>) -> Result<(), Refusal> {
        let parents: BTreeMap<&EntityName, Vec<EntityName>> = after
            .iter()
            .map(|(name, made)| (*name, made.as_ref().map(|(fact, _)| parents_of(fact)).unwrap_or_default()))
            .collect();
        let mut added: BTreeMap<&EntityName, Vec<&EntityName>> = BTreeMap::new();
        for (name, above) in &parents {
            above.iter().for_each(|parent| added.entry(parent).or_default().push(name));
        }
        let straight = |name: &EntityName| match parents.get(name) {
            Some(above) => Some(above.as_slice()),
            None => stored_above(&self.root, name),
        };
        let moved = parents.iter().filter(|(name, above)| {
            let stored = stored_above(&self.root, name).unwrap_or_default();
            stored != above.as_slice()
        });
        let (mut looked, mut below) = (BTreeSet::new(), 0_usize);
        for (name, _) in moved {
            let (mut all, mut open): (BTreeSet<&EntityName>, _) = (BTreeSet::new(), vec![*name]);
            while let Some(one) = open.pop() {
                let inner = self.inner.get(one).into_iter().flatten();
                for inner in inner.chain(added.get(one).into_iter().flatten().copied()) {
                    if all.insert(inner) {
                        below += 1;
                        if below > ENTITIES_BELOW_MAX {
                            return Err(Limit::EntityChanges.reached());
                        }
                        open.push(inner);
                    }
                }
            }
            looked.insert(*name);
            looked.append(&mut all);
        }
        for name in looked {
            let above = ancestors(name, &straight).ok_or(Limit::EntityAncestors.reached())?;
            if above.contains(name) {
                return Err(Refusal::Cycle);
            }
        }
        Ok(())
    }

    /// Every entity that lies in this one, straight or through others.
    fn below(&self, of: &EntityName) -> BTreeSet<EntityName> {
        let (mut all, mut open) = (BTreeSet::new(), vec![of.clone()]);
        while let Some(one) = open.pop() {
            for inner in self.inner.get(&one).into_iter().flatten() {
                if all.insert(inner.clone()) {
                    open.push(inner.clone());
                }
            }
        }
        all
    }

    /// Takes over a set: as the present one when none is newer, else as one that is kept. The set that had its share before
    /// is kept no more.
    pub(super) fn apply_policies(&mut self, record: &PolicyRecord) {
        let version = record.version;
        self.root.policy_version = self.root.policy_version.max(version);
        let newest = self.root.policies.as_ref().map_or(0, |known| known.version);
        let share = version % POLICY_VERSIONS_MAX;
        let mates = self.root.policy_sets.keys().filter(|at| **at % POLICY_VERSIONS_MAX == share);
        let mates: Vec<u32> = mates.copied().collect();
        if mates.iter().any(|mate| *mate > version) {
            return;
        }
        for mate in mates {
            self.root.policy_sets.remove_mut(&mate);
        }
        if version < newest || version <= self.root.policies_gone {
            self.root.policy_sets.insert_mut(version, Arc::new(kept(record)));
            return;
        }
        self.keep_present();
        let record = Arc::new(record.clone());
        self.root.policy_sets.insert_mut(version, Arc::clone(&record));
        self.root.policies = Some(record);
        if !self.loading {
            self.read_policies();
        }
    }

    /// The present set becomes one that is kept.
    fn keep_present(&mut self) {
        if let Some(known) = self.root.policies.take()
            && self.root.policy_sets.contains_key(&known.version)
        {
            self.root.policy_sets.insert_mut(known.version, Arc::new(kept(&known)));
        }
    }

    pub(super) fn apply_policies_removed(&mut self, version: u32) {
        self.root.policy_version = self.root.policy_version.max(version);
        self.root.policies_gone = self.root.policies_gone.max(version);
        if self.root.policies.as_ref().is_some_and(|known| known.version <= version) {
            self.keep_present();
            (self.root.policed, self.root.shape) = (None, None);
        }
    }

    /// Makes of the stored program and entities what checks ask.
    pub(super) fn read_policies(&mut self) {
        let Some(record) = self.root.policies.clone() else { return };
        let policed = Policed::new(&record, &self.root);
        self.root.shape = Some(policed.shape());
        self.root.policed = policed.rules().then(|| Arc::new(policed));
    }

    pub(super) fn apply_entity(&mut self, record: &EntityRecord) {
        let name = &record.name;
        let parents = Fact::decode(&record.fact).map(|fact| parents_of(&fact)).unwrap_or_default();
        let moved = self.take_out(name) != parents;
        for parent in &parents {
            self.inner.entry(parent.clone()).or_default().insert(name.clone());
            self.count_in(parent);
        }
        if !parents.is_empty() {
            self.root.parents.insert_mut(name.clone(), parents.into());
        }
        self.root.entity_bytes += bytes_of(record);
        self.root.entities.insert_mut(key_of(name), Arc::new(record.clone()));
        self.follow_entity(name, moved);
    }

    pub(super) fn apply_entity_removed(&mut self, name: &EntityName) {
        let moved = !self.take_out(name).is_empty();
        self.root.entities.remove_mut(&key_of(name));
        self.follow_entity(name, moved);
    }

    /// Takes an entity out of those that it lies in; answers with them.
    fn take_out(&mut self, name: &EntityName) -> Vec<EntityName> {
        let Some(known) = self.root.entities.get(&key_of(name)) else { return Vec::new() };
        self.root.entity_bytes -= bytes_of(known);
        let parents = self.root.parents.get(name).map(|above| above.to_vec()).unwrap_or_default();
        self.root.parents.remove_mut(name);
        for parent in &parents {
            if let Some(inner) = self.inner.get_mut(parent) {
                inner.remove(name);
                if inner.is_empty() {
                    self.inner.remove(parent);
                }
            }
            self.count_in(parent);
        }
        parents
    }

    /// Writes down for those who read how many lie in an entity.
    fn count_in(&mut self, parent: &EntityName) {
        match self.inner.get(parent).map_or(0, BTreeSet::len) {
            0 => drop(self.root.holding.remove_mut(parent)),
            many => self.root.holding.insert_mut(parent.clone(), u32::try_from(many).unwrap_or(u32::MAX)),
        }
    }

    /// Brings what checks ask to an entity's new state, and those below it when what lies above it moved.
    fn follow_entity(&mut self, name: &EntityName, moved: bool) {
        if self.loading || self.root.policed.is_none() {
            return;
        }
        let below = if moved { self.below(name) } else { BTreeSet::new() };
        let Some(mut policed) = self.root.policed.take() else { return };
        if policed.is_worn() {
            return self.read_policies();
        }
        // COST: copies the tables once for each batch that changes entities.
        let table = Arc::make_mut(&mut policed);
        table.put_entity(name, &self.root);
        for name in &below {
            table.move_entity(name, &self.root);
        }
        self.root.policed = Some(policed);
    }

    /// Which set was taken away last, as an event.
    pub(super) fn policy_events(&self) -> Vec<Event> {
        let gone = self.root.policies_gone;
        if gone > 0 { vec![Event::PoliciesRemoved { version: gone }] } else { Vec::new() }
    }

    /// The set of a share as events.
    pub(super) fn policy_set_events(&self, share: u32) -> Vec<Event> {
        let sets = self.root.policy_sets.values();
        let mine = sets.filter(|record| record.version % POLICY_VERSIONS_MAX == share);
        mine.map(|record| Event::PoliciesChanged((**record).clone())).collect()
    }

    /// A share of the entities as events.
    pub(super) fn entity_events(&self, share: u32) -> Vec<Event> {
        let first = |share: u32| (share, EntityName { kind: "".into(), id: "".into() });
        let records = self.root.entities.range(first(share)..first(share + 1));
        records.map(|(_, record)| Event::EntityChanged((**record).clone())).collect()
    }
}

/// A set without what it was compiled to.
fn kept(record: &PolicyRecord) -> PolicyRecord {
    PolicyRecord { program: Box::default(), ..record.clone() }
}

fn numbered(version: u32, events: Vec<Event>) -> Decided {
    Decided { events, made: Made { number: Some(version), ..Made::default() }, ..Decided::default() }
}

/// What an entity lies in straight.
fn parents_of(fact: &Fact) -> Vec<EntityName> {
    let name =
        |(kind, id): &(String, String)| EntityName { kind: kind.as_str().into(), id: id.as_str().into() };
    fact.ancestors.iter().map(name).collect()
}

/// Bytes of an entity and its name.
fn bytes_of(record: &EntityRecord) -> usize {
    record.fact.len() + record.name.kind.len() + record.name.id.len()
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
