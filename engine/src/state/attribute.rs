//! Attributes of subjects: declared ones typed and hot, undeclared texts in the cold profile.

use super::{Decided, State};
use crate::policed::Policed;
use crate::policies::may_be_declared;
use std::collections::BTreeMap;
use tessera_model::limits::{
    ATTRIBUTE_BYTES_MAX, ATTRIBUTES_MAX, ATTRIBUTES_PER_SUBJECT_BYTES_MAX, ATTRIBUTES_PER_SUBJECT_MAX,
    PROFILE_PER_SUBJECT_BYTES_MAX, PROFILE_PER_SUBJECT_MAX,
};
use tessera_model::record::{AttributeKind, AttributeRecord, AttributeValue};
use tessera_model::{
    Caller, Event, GroupId, Limit, Name, Private, PublicId, Refusal, Revision, Row, RowKind, SubjectIndex,
    UnixMillis,
};
use tessera_policy::Rules;

impl State {
    pub(super) fn declare_attribute(&self, name: &Name, kind: AttributeKind) -> Result<Decided, Refusal> {
        if let Some(known) = self.root.attributes.get(name) {
            return if known.kind == kind { Ok(Decided::nothing()) } else { Err(Refusal::AttributeKind) };
        }
        if self.root.shape.as_ref().is_some_and(|shape| !may_be_declared(shape, name.as_str(), kind)) {
            return Err(Refusal::AttributeKind);
        }
        if self.next.attribute > ATTRIBUTES_MAX {
            return Err(Limit::Attributes.reached());
        }
        let record = AttributeRecord { id: self.next.attribute, name: name.clone(), kind };
        Ok(Decided::of(Event::AttributeDeclared(record)))
    }

    pub(super) fn set_attributes(
        &self,
        id: PublicId,
        values: &[(Name, Option<AttributeValue>)],
        (held, as_of): (&[(Name, usize)], Revision),
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let subject = self.known_subject(id)?.index;
        let values: Vec<_> = values.iter().map(|(name, value)| (name, value.as_ref())).collect();
        let decided = self.values_set(subject, &values, held).map_err(|(_, refusal)| refusal)?;
        if !decided.rows.is_empty() && self.profile_moved.get(&subject).is_some_and(|moved| *moved > as_of) {
            return Err(Refusal::Changed);
        }
        let may = |group: &GroupId| self.may_hand_out_all(&self.handed_by(*group), caller, now);
        if !self.entered(subject, &decided.events).iter().all(may) {
            return Err(Refusal::BeyondCreator);
        }
        let put = |rules: &mut Rules| {
            for event in &decided.events {
                if let Event::AttributeChanged { subject, attribute, value } = event {
                    rules.put_value(*subject, *attribute, value.as_ref());
                }
            }
        };
        if self.root.rules.rule_groups() > 0 && self.leaves_no_operator(put, now) {
            return Err(Refusal::LastOperator);
        }
        Ok(decided)
    }

    /// What setting these values comes to for a subject that has `held` of undeclared ones; or which of them
    /// does not fit, and why.
    pub(super) fn values_set(
        &self,
        subject: SubjectIndex,
        values: &[(&Name, Option<&AttributeValue>)],
        held: &[(Name, usize)],
    ) -> Result<Decided, (usize, Refusal)> {
        if values.len() > ATTRIBUTES_PER_SUBJECT_MAX {
            return Err((ATTRIBUTES_PER_SUBJECT_MAX, Limit::AttributesPerSubject.reached()));
        }
        let values_held = self.root.rules.values_of(subject);
        let mut hot = Sizes(values_held.map(|(attribute, value)| (attribute, bytes(value))).collect());
        let mut cold = Sizes(held.iter().map(|(name, len)| (name, name.as_str().len() + len)).collect());
        let (hot_before, cold_before) = (hot.total(), cold.total());
        let mut decided = Decided::default();
        for (at, (name, value)) in values.iter().copied().enumerate() {
            let refused = |refusal| (at, refusal);
            if values.iter().take(at).any(|(before, _)| *before == name) {
                return Err(refused(Refusal::Malformed));
            }
            if matches!(value, Some(AttributeValue::Text(text)) if text.len() > ATTRIBUTE_BYTES_MAX) {
                return Err(refused(Limit::AttributeBytes.reached()));
            }
            if let Some(declared) = self.root.attributes.get(name) {
                if value.is_some_and(|value| value.kind() != declared.kind) {
                    return Err(refused(Refusal::AttributeKind));
                }
                let attribute = declared.id;
                hot.set(attribute, value.map(bytes));
                decided.events.push(Event::AttributeChanged { subject, attribute, value: value.cloned() });
            } else {
                let text = match value {
                    None => None,
                    Some(AttributeValue::Text(text)) => Some(Private::new(text.as_bytes().to_vec())),
                    Some(AttributeValue::Bool(_) | AttributeValue::Integer(_)) => {
                        return Err(refused(Refusal::AttributeUnknown));
                    }
                };
                cold.set(name, text.as_ref().map(|text| name.as_str().len() + text.expose().len()));
                let key = Row::subject_key(subject, name.as_str().as_bytes());
                decided.rows.push(Row { kind: RowKind::Profile, key, value: text });
            }
        }
        let (hot_max, cold_max) = (
            (ATTRIBUTES_PER_SUBJECT_MAX, ATTRIBUTES_PER_SUBJECT_BYTES_MAX),
            (PROFILE_PER_SUBJECT_MAX, PROFILE_PER_SUBJECT_BYTES_MAX),
        );
        let last = values.len().saturating_sub(1);
        let hot_limits = (Limit::AttributesPerSubject, Limit::AttributesPerSubjectBytes);
        let cold_limits = (Limit::ProfilePerSubject, Limit::ProfilePerSubjectBytes);
        grown(hot_before, hot.total(), hot_max, hot_limits).map_err(|refusal| (last, refusal))?;
        grown(cold_before, cold.total(), cold_max, cold_limits).map_err(|refusal| (last, refusal))?;
        Ok(decided)
    }

    pub(super) fn apply_declared(&mut self, record: &AttributeRecord) {
        self.next.attribute = self.next.attribute.max(record.id + 1);
        self.root.attributes.insert_mut(record.name.clone(), record.clone());
        if let Some(mut policed) = self.root.policed.take() {
            Policed::declare(&mut policed, &self.root);
            self.root.policed = Some(policed);
        }
    }

    pub(super) fn apply_attribute(
        &mut self,
        subject: SubjectIndex,
        attribute: u32,
        value: Option<&AttributeValue>,
    ) {
        let text =
            |value: &AttributeValue| if let AttributeValue::Text(text) = value { text.len() } else { 0 };
        let old = self.root.rules.value_of(subject, attribute).map_or(0, text);
        self.root.text_bytes = self.root.text_bytes - old + value.map_or(0, text);
        self.root.rules.put_value(subject, attribute, value);
    }
}

/// Bytes that a value takes.
const fn bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::Bool(_) => 1,
        AttributeValue::Integer(_) => 8,
        AttributeValue::Text(text) => text.len(),
    }
}

/// How much of each a subject has.
struct Sizes<K>(BTreeMap<K, usize>);

impl<K: Ord> Sizes<K> {
    fn set(&mut self, key: K, size: Option<usize>) {
        match size {
            Some(size) => self.0.insert(key, size),
            None => self.0.remove(&key),
        };
    }

    /// Count and bytes.
    fn total(&self) -> (usize, usize) {
        (self.0.len(), self.0.values().sum())
    }
}

/// What grows stays within its bounds; what shrinks may come from beyond them.
fn grown(
    before: (usize, usize),
    after: (usize, usize),
    max: (usize, usize),
    limits: (Limit, Limit),
) -> Result<(), Refusal> {
    if after.0 > max.0 && after.0 > before.0 {
        return Err(limits.0.reached());
    }
    if after.1 > max.1 && after.1 > before.1 { Err(limits.1.reached()) } else { Ok(()) }
}
