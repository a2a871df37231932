//! Attributes of subjects: declared ones typed and hot, undeclared texts in the cold profile.

use super::{Decided, State};
use tessera_model::limits::{ATTRIBUTE_BYTES_MAX, ATTRIBUTES_MAX, ATTRIBUTES_PER_SUBJECT_MAX};
use tessera_model::record::{AttributeKind, AttributeRecord, AttributeValue};
use tessera_model::{Event, Name, Private, PublicId, Refusal, Row, RowKind, SubjectIndex};

impl State {
    pub(super) fn declare_attribute(&self, name: &Name, kind: AttributeKind) -> Result<Decided, Refusal> {
        if let Some(known) = self.root.attributes.get(name) {
            return if known.kind == kind { Ok(Decided::nothing()) } else { Err(Refusal::AttributeKind) };
        }
        if self.next.attribute > ATTRIBUTES_MAX {
            return Err(Refusal::LimitReached);
        }
        let record = AttributeRecord { id: self.next.attribute, name: name.clone(), kind };
        Ok(Decided::of(Event::AttributeDeclared(record)))
    }

    pub(super) fn set_attributes(
        &self,
        id: PublicId,
        values: &[(Name, Option<AttributeValue>)],
    ) -> Result<Decided, Refusal> {
        let subject = self.known_subject(id)?.index;
        if values.len() > ATTRIBUTES_PER_SUBJECT_MAX {
            return Err(Refusal::LimitReached);
        }
        let mut decided = Decided::default();
        for (name, value) in values {
            if matches!(value, Some(AttributeValue::Text(text)) if text.len() > ATTRIBUTE_BYTES_MAX) {
                return Err(Refusal::AttributeKind);
            }
            if let Some(declared) = self.root.attributes.get(name) {
                if value.as_ref().is_some_and(|value| value.kind() != declared.kind) {
                    return Err(Refusal::AttributeKind);
                }
                let attribute = declared.id;
                decided.events.push(Event::AttributeChanged { subject, attribute, value: value.clone() });
            } else {
                let text = match value {
                    None => None,
                    Some(AttributeValue::Text(text)) => Some(Private::new(text.as_bytes().to_vec())),
                    Some(AttributeValue::Bool(_) | AttributeValue::Integer(_)) => {
                        return Err(Refusal::AttributeUnknown);
                    }
                };
                let key = Row::subject_key(subject, name.as_str().as_bytes());
                decided.rows.push(Row { kind: RowKind::Profile, key, value: text });
            }
        }
        Ok(decided)
    }

    pub(super) fn apply_declared(&mut self, record: &AttributeRecord) {
        self.next.attribute = self.next.attribute.max(record.id + 1);
        self.root.attributes.insert_mut(record.name.clone(), record.clone());
    }

    pub(super) fn apply_attribute(
        &mut self,
        subject: SubjectIndex,
        attribute: u32,
        value: Option<&AttributeValue>,
    ) {
        match value {
            Some(value) => self.root.values.insert_mut((subject, attribute), value.clone()),
            None => {
                self.root.values.remove_mut(&(subject, attribute));
            }
        }
    }
}
