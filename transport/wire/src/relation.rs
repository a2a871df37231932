//! Tuples in fields: object, relation and subject behind each other, then their window.

use crate::fault::WireError;
use crate::fields::{FieldValue, FieldsReader, FieldsWriter, Head};
use crate::frame::Frame;
use crate::instant::instant;
use crate::part::{Part, number, text};
use crate::tag::Tag;
use tessera_model::limits::{
    BATCH_CHECKS_MAX, RELATION_BYTES_MAX, RELATION_CHANGES_MAX, RELATION_CONTEXT_MAX,
};
use tessera_model::relation::{RelationAct, RelationChange, RelationCondition, RelationRecord};
use tessera_model::{Deadline, Epoch, Receipt, Revision, UnixMillis};

/// LIMIT: tuples of one request: its checks, or its changes, and those that come with them.
const TUPLES_MAX: usize = BATCH_CHECKS_MAX + RELATION_CHANGES_MAX + RELATION_CONTEXT_MAX;

/// LIMIT: bytes of what a caller calls a question, as in `OpenFGA`.
const CORRELATION_BYTES_MAX: usize = 36;

/// A single check of relations, as it lies in its frame.
#[derive(Clone, Copy)]
pub struct RelationAsk<'a> {
    /// What stands before its fields.
    pub head: Head,
    /// `type:id`.
    pub object: &'a str,
    /// The relation.
    pub relation: &'a str,
    /// `type:id`, `type:id#relation` or `type:*`.
    pub subject: &'a str,
    /// The position that must have been seen.
    pub at_least: Option<Receipt>,
}

impl<'a> Frame<'a> {
    /// The check of relations in a frame of that kind, read in place, when it is a single one with nothing but a
    /// position beside it. None for any other request, good or bad: [`Frame::request`] tells.
    #[must_use]
    pub fn relation_ask(&self) -> Option<RelationAsk<'a>> {
        let (head, fields) = self.fields().ok()?;
        let [object, relation, subject, from, until, epoch, revision] = fields.only([
            Tag::RelationObject,
            Tag::Relation,
            Tag::RelationSubject,
            Tag::From,
            Tag::Until,
            Tag::Epoch,
            Tag::Revision,
        ])?;
        for (tag, value) in [(Tag::From, from), (Tag::Until, until)] {
            instant(tag, value.map(Ok)).ok()?;
        }
        let name = |value: Option<FieldValue<'a>>| match value? {
            FieldValue::Text(text) => Some(text).filter(|text| text.len() <= RELATION_BYTES_MAX),
            FieldValue::None
            | FieldValue::Number(_)
            | FieldValue::Flag(_)
            | FieldValue::Integer(_)
            | FieldValue::Bytes(_) => None,
        };
        let at_least = match (epoch, revision) {
            (None, None) => None,
            (Some(FieldValue::Number(epoch)), Some(FieldValue::Number(revision))) => {
                Some(Receipt { epoch: Epoch(epoch), revision: Revision(revision) })
            }
            _ => return None,
        };
        Some(RelationAsk {
            head,
            object: name(object)?,
            relation: name(relation)?,
            subject: name(subject)?,
            at_least,
        })
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Inbox, Outbox, Request, RequestKind};

    fn record(subject: &str) -> RelationRecord {
        RelationRecord {
            object: "document:1".into(),
            relation: "viewer".into(),
            subject: subject.into(),
            from: Deadline::NONE,
            until: Deadline::NONE,
        }
    }

    /// The check that a request is read as where it lies, and as a whole.
    fn both(request: &Request) -> (Option<RelationRecord>, Option<RelationRecord>) {
        let (mut out, mut inbox) = (Outbox::new(), Inbox::default());
        out.request(7, Head::default(), request).expect("written");
        inbox.extend(out.as_bytes());
        let frame = inbox.next_frame().expect("a frame").expect("a frame");
        let ask = frame.relation_ask();
        let told = ask.map(|ask| RelationRecord {
            object: ask.object.into(),
            relation: ask.relation.into(),
            ..record(ask.subject)
        });
        let Ok((head, whole)) = frame.request(RequestKind::CheckRelations) else { return (told, None) };
        let Request::CheckRelations { checks, contextual, correlations, at_least } = whole else {
            return (told, None);
        };
        let single = checks.len() == 1 && contextual.is_empty() && correlations.is_empty();
        assert!(ask.is_none_or(|ask| (ask.head, ask.at_least) == (head, at_least)));
        (told, checks.into_iter().next().filter(|_| single))
    }

    /// PROPERTY: a single check that is read where it lies is the one that is read as a whole; anything that comes
    /// along, and anything that does not read, is left to the whole.
    #[test]
    fn a_single_check_is_read_where_it_lies() {
        let seen = Some(Receipt { epoch: Epoch(3), revision: Revision(9) });
        for at_least in [None, seen] {
            let ask = |checks, contextual, correlations| {
                both(&Request::CheckRelations { checks, contextual, correlations, at_least })
            };
            let one = record("user:ann");
            let (told, whole) = ask(vec![one.clone()], vec![], vec![]);
            assert!(told.is_some() && told == whole);
            let bounded = RelationRecord { until: Deadline(7), ..one.clone() };
            assert_eq!(ask(vec![bounded.clone()], vec![], vec![]).1, Some(bounded));
            assert_eq!(ask(vec![one.clone(), one.clone()], vec![], vec![]), (None, None));
            assert_eq!(ask(vec![one.clone()], vec![(0, one.clone())], vec![]), (None, None));
            assert_eq!(ask(vec![one.clone()], vec![], vec!["a".to_owned()]), (None, None));
            assert_eq!(ask(vec![], vec![], vec![]), (None, None));
            let long = record(&"x".repeat(RELATION_BYTES_MAX + 1));
            assert_eq!(ask(vec![long], vec![], vec![]), (None, None));
        }
        let other = Request::ExpandRelation {
            object: tessera_model::Private::new(b"document:1".to_vec()),
            relation: tessera_model::Private::new(b"viewer".to_vec()),
            contextual: vec![],
            at_least: None,
        };
        assert_eq!(both(&other), (None, None));
    }
}
