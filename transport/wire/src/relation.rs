//! Tuples in fields: object, relation and subject behind each other, then their window.

use crate::fault::WireError;
use crate::fields::{FieldValue, FieldsReader, FieldsWriter};
use crate::instant::instant;
use crate::part::{Part, number, text};
use crate::tag::Tag;
use tessera_model::limits::{
    BATCH_CHECKS_MAX, RELATION_BYTES_MAX, RELATION_CHANGES_MAX, RELATION_CONTEXT_MAX,
};
use tessera_model::relation::{RelationAct, RelationChange, RelationCondition, RelationRecord};
use tessera_model::{Deadline, UnixMillis};

/// LIMIT: tuples of one request: its checks, or its changes, and those that come with them.
const TUPLES_MAX: usize = BATCH_CHECKS_MAX + RELATION_CHANGES_MAX + RELATION_CONTEXT_MAX;

/// LIMIT: bytes of what a caller calls a question, as in `OpenFGA`.
const CORRELATION_BYTES_MAX: usize = 36;

fn put_tuple(tuple: &RelationRecord, out: &mut FieldsWriter) {
    out.text(Tag::RelationObject, &tuple.object);
    out.text(Tag::Relation, &tuple.relation);
    out.text(Tag::RelationSubject, &tuple.subject);
    tuple.from.put(Tag::From, out);
    tuple.until.put(Tag::Until, out);
}

fn name(tag: Tag, value: Option<Result<FieldValue<'_>, WireError>>) -> Result<Box<str>, WireError> {
    let value = text(tag, value.ok_or(WireError::BadField(tag))??)?;
    if value.len() > RELATION_BYTES_MAX { Err(WireError::Malformed(tag)) } else { Ok(value.into()) }
}

/// Nothing of several fields under these tags is left over.
fn none_left(left: &[(Tag, bool)]) -> Result<(), WireError> {
    left.iter().find(|(_, more)| *more).map_or(Ok(()), |(tag, _)| Err(WireError::BadField(*tag)))
}

/// Every tuple of the fields, in their order.
fn tuples(from: &FieldsReader<'_>) -> Result<Vec<RelationRecord>, WireError> {
    let mut found = Vec::new();
    let mut relations = from.all(Tag::Relation);
    let mut subjects = from.all(Tag::RelationSubject);
    let (mut begins, mut ends) = (from.all(Tag::From), from.all(Tag::Until));
    for object in from.all(Tag::RelationObject) {
        if found.len() == TUPLES_MAX {
            return Err(WireError::Malformed(Tag::RelationObject));
        }
        found.push(RelationRecord {
            object: name(Tag::RelationObject, Some(object))?,
            relation: name(Tag::Relation, relations.next())?,
            subject: name(Tag::RelationSubject, subjects.next())?,
            from: instant(Tag::From, begins.next())?,
            until: instant(Tag::Until, ends.next())?,
        });
    }
    none_left(&[
        (Tag::Relation, relations.next().is_some()),
        (Tag::RelationSubject, subjects.next().is_some()),
        (Tag::From, begins.next().is_some()),
        (Tag::Until, ends.next().is_some()),
    ])?;
    Ok(found)
}

impl Part for Vec<RelationRecord> {
    fn put(&self, _tag: Tag, out: &mut FieldsWriter) {
        self.iter().for_each(|tuple| put_tuple(tuple, out));
    }

    fn take(_tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        tuples(from)
    }
}

impl Part for RelationRecord {
    fn put(&self, _tag: Tag, out: &mut FieldsWriter) {
        put_tuple(self, out);
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let mut all = Vec::<Self>::take(tag, from)?;
        let last = all.pop();
        last.filter(|_| all.is_empty()).ok_or(WireError::BadField(tag))
    }
}

/// Tuples of a question have no window: they count in it, or they do not come along.
impl Part for Vec<(u32, RelationRecord)> {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        for (check, tuple) in self {
            out.number(tag, u64::from(*check));
            out.text(Tag::ContextObject, &tuple.object);
            out.text(Tag::ContextRelation, &tuple.relation);
            out.text(Tag::ContextSubject, &tuple.subject);
        }
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let mut found = Self::new();
        let mut objects = from.all(Tag::ContextObject);
        let mut relations = from.all(Tag::ContextRelation);
        let mut subjects = from.all(Tag::ContextSubject);
        for check in from.all(tag) {
            let FieldValue::Number(check) = check? else { return Err(WireError::BadField(tag)) };
            if found.len() == TUPLES_MAX {
                return Err(WireError::Malformed(tag));
            }
            let tuple = RelationRecord {
                object: name(Tag::ContextObject, objects.next())?,
                relation: name(Tag::ContextRelation, relations.next())?,
                subject: name(Tag::ContextSubject, subjects.next())?,
                from: Deadline::NONE,
                until: Deadline::NONE,
            };
            found.push((u32::try_from(check).map_err(|_| WireError::BadField(tag))?, tuple));
        }
        none_left(&[
            (Tag::ContextObject, objects.next().is_some()),
            (Tag::ContextRelation, relations.next().is_some()),
            (Tag::ContextSubject, subjects.next().is_some()),
        ])?;
        Ok(found)
    }
}

impl Part for Vec<RelationChange> {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        for change in self {
            let number = change.act.number() | change.condition.number() << 4;
            out.number(tag, u64::from(number));
            put_tuple(&change.tuple, out);
        }
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let (mut changes, mut tuples) = (Self::new(), tuples(from)?.into_iter());
        for number in from.all(tag) {
            let FieldValue::Number(number) = number? else { return Err(WireError::BadField(tag)) };
            let number = u8::try_from(number).map_err(|_| WireError::BadField(tag))?;
            let tuple = tuples.next().ok_or(WireError::BadField(Tag::RelationObject))?;
            if changes.len() == RELATION_CHANGES_MAX {
                return Err(WireError::Malformed(tag));
            }
            changes.push(RelationChange {
                act: RelationAct::from_number(number & 0xf).ok_or(WireError::BadField(tag))?,
                condition: RelationCondition::from_number(number >> 4).ok_or(WireError::BadField(tag))?,
                tuple,
            });
        }
        if tuples.next().is_some() { Err(WireError::BadField(tag)) } else { Ok(changes) }
    }
}

/// What a caller calls its questions: none, or one for each.
impl Part for Vec<String> {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        self.iter().for_each(|one| out.text(tag, one));
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let mut found = Self::new();
        for value in from.all(tag) {
            let one = text(tag, value?)?;
            if found.len() == BATCH_CHECKS_MAX || one.len() > CORRELATION_BYTES_MAX {
                return Err(WireError::Malformed(tag));
            }
            found.push(one.to_owned());
        }
        Ok(found)
    }
}

impl Part for UnixMillis {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        out.number(tag, self.0);
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        number(tag, from).map(Self)
    }
}
