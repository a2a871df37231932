//! Relations: the tenant's model and its tuples.

use super::{Decided, Made, State};
use std::collections::BTreeMap;
use std::sync::Arc;
use tessera_model::limits::{
    RELATION_CHANGES_MAX, RELATION_MODEL_BYTES_MAX, RELATION_MODELS_MAX, RELATIONS_MAX,
};
use tessera_model::relation::{
    RelationAct, RelationChange, RelationCondition, RelationModelRecord, RelationRecord,
};
use tessera_model::{Deadline, Event, Limit, Refusal, UnixMillis};
use tessera_relation::{Model, TupleRef, Window};

/// The bucket of a model: one alone may fill it, and its successor in it is [`RELATION_MODELS_MAX`] later.
pub(super) const fn model_bucket(record: &RelationModelRecord) -> u32 {
    tessera_relation::SHARES + record.version % RELATION_MODELS_MAX
}

fn window(record: &RelationRecord) -> Window {
    Window { from: record.from, until: record.until }
}

impl State {
    pub(super) fn set_relation_model(
        &self,
        text: &str,
        allow_orphans: bool,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        if text.len() > RELATION_MODEL_BYTES_MAX {
            return Err(Limit::RelationModelBytes.reached());
        }
        let known = self.root.relation_models.last().map(|(_, record)| record);
        let version = known.map_or(0, |known| known.version);
        if known.is_some_and(|known| &*known.text == text) {
            return Ok(Decided {
                made: Made { number: Some(version), ..Made::default() },
                ..Decided::default()
            });
        }
        let model = Model::parse(text).map_err(|_| Refusal::RelationModelWrong)?;
        let orphans = self.root.relations.orphans(&model, None).map_err(|_| Refusal::RelationModelWrong)?;
        if orphans.count > 0 && !allow_orphans {
            return Err(Refusal::RelationOrphans);
        }
        let version = version.saturating_add(1);
        let record = RelationModelRecord { version, text: text.into(), at: now.to_deadline() };
        Ok(Decided {
            events: vec![Event::RelationModelChanged(record)],
            made: Made { number: Some(version), ..Made::default() },
            ..Decided::default()
        })
    }

    pub(super) fn change_relations(&self, changes: &[RelationChange]) -> Result<Decided, Refusal> {
        if changes.len() > RELATION_CHANGES_MAX {
            return Err(Limit::RelationChanges.reached());
        }
        // What the changes so far made of each tuple: its window, or none.
        let mut after: BTreeMap<TupleRef<'_>, Option<&RelationRecord>> = BTreeMap::new();
        for change in changes {
            let key = TupleRef::from(&change.tuple);
            let stored = self.root.relations.window(&key);
            let there = after.get(&key).map_or(stored.is_some(), Option::is_some);
            match change.condition {
                RelationCondition::Present if !there => return Err(Refusal::RelationMissing),
                RelationCondition::Absent if there => return Err(Refusal::RelationExists),
                RelationCondition::Any | RelationCondition::Present | RelationCondition::Absent => {}
            }
            match change.act {
                RelationAct::Write => {
                    self.root.relations.admits(&key).map_err(|_| Refusal::RelationMismatch)?;
                    let (from, until) = (change.tuple.from, change.tuple.until);
                    if until != Deadline::NONE && until <= from {
                        return Err(Refusal::DeadlinePassed);
                    }
                    after.insert(key, Some(&change.tuple));
                }
                RelationAct::Remove => {
                    after.insert(key, None);
                }
                RelationAct::Require => {}
            }
        }
        let stands = |key: &TupleRef<'_>| self.root.relations.window(key).is_some();
        let grows = after.iter().filter(|(key, record)| record.is_some() && !stands(key)).count() as u64;
        let shrinks = after.iter().filter(|(key, record)| record.is_none() && stands(key)).count() as u64;
        if grows > shrinks && self.root.relations.len() + grows - shrinks > RELATIONS_MAX {
            return Err(Limit::Relations.reached());
        }
        let mut events = Vec::new();
        for (key, record) in after {
            let stored = self.root.relations.window(&key);
            match record {
                Some(record) if stored != Some(window(record)) => {
                    events.push(Event::RelationWritten(record.clone()));
                }
                None if stored.is_some() => events.push(Event::RelationRemoved {
                    object: key.object.into(),
                    relation: key.relation.into(),
                    subject: key.subject.into(),
                }),
                Some(_) | None => {}
            }
        }
        Ok(Decided { events, ..Decided::default() })
    }

    pub(super) fn apply_relation_model(&mut self, record: &RelationModelRecord) {
        let models = &mut self.root.relation_models;
        let last = models.last().map_or(0, |(version, _)| *version);
        let newest = last.max(record.version);
        if record.version.saturating_add(RELATION_MODELS_MAX) > newest {
            models.insert_mut(record.version, Arc::new(record.clone()));
        }
        while let Some(oldest) = models.first().map(|(version, _)| *version)
            && oldest.saturating_add(RELATION_MODELS_MAX) <= newest
        {
            models.remove_mut(&oldest);
        }
        if record.version >= last && !self.loading {
            self.compile_relation_model();
        }
    }

    /// Compiles the newest model that is kept. Not each that is loaded: of those only the last one counts.
    pub(super) fn compile_relation_model(&mut self) {
        let Some((_, record)) = self.root.relation_models.last() else { return };
        // It was read before it was decided; a text that this build does not read leaves the last one.
        let set = Model::parse(&record.text).and_then(|model| self.root.relations.set_model(&model));
        debug_assert!(set.is_ok());
    }

    pub(super) fn apply_relation(&mut self, record: &RelationRecord) {
        let restored = self.root.relations.restore(&record.into(), window(record));
        debug_assert!(restored.is_ok());
    }

    pub(super) fn apply_relation_removed(&mut self, object: &str, relation: &str, subject: &str) {
        self.root.relations.remove(&TupleRef { subject, relation, object });
    }

    /// A share of the tuples as events.
    pub(super) fn relation_events(&self, no: u32) -> Vec<Event> {
        if no >= tessera_relation::SHARES {
            let models = self.root.relation_models.values().filter(|record| model_bucket(record) == no);
            return models
                .map(|record| Event::RelationModelChanged(RelationModelRecord::clone(record)))
                .collect();
        }
        let share = self.root.relations.share(no).into_iter();
        share
            .map(|stored| {
                Event::RelationWritten(RelationRecord {
                    object: stored.object.into(),
                    relation: stored.relation.into(),
                    subject: stored.subject.into(),
                    from: stored.window.from,
                    until: stored.window.until,
                })
            })
            .collect()
    }
}
