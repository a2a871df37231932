//! Attributes in short: a record beside its values, sixteen bytes a field, so that most questions about an attribute look at
//! nothing else.

use crate::entities::Entities;
use crate::fault::FaultReason;
use crate::names::number;
use crate::op::Variable;
use crate::request::Request;
use crate::value::{FEW, Span, Uid, Value, Word, fields};

/// Kinds of values: those that are one number, and the others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ShortKind {
    Bool,
    Long,
    Text,
    Entity,
    Decimal,
    Datetime,
    Duration,
    /// More than one number: the value tells.
    Wide,
    /// No kind of any value.
    None,
}

/// A value as one number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Short(pub(crate) ShortKind, pub(crate) i64);

impl Short {
    /// The value; [`ShortKind::Wide`] where it is not one number.
    #[inline]
    pub(crate) const fn of(value: &Value) -> Self {
        match value {
            Value::Bool(value) => Self(ShortKind::Bool, *value as i64),
            Value::Long(value) => Self(ShortKind::Long, *value),
            Value::Text(word) => Self(ShortKind::Text, word.0 as i64),
            Value::Entity(uid) => Self(ShortKind::Entity, uid.0 as i64),
            Value::Decimal(value) => Self(ShortKind::Decimal, *value),
            Value::Datetime(value) => Self(ShortKind::Datetime, *value),
            Value::Duration(value) => Self(ShortKind::Duration, *value),
            Value::Ip(_) | Value::Set(_) | Value::Record(_) => Self(ShortKind::Wide, 0),
        }
    }
}

/// A field of a record in short.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Brief {
    pub(crate) number: i64,
    name: Word,
    pub(crate) kind: ShortKind,
}

/// Adds the fields of a record that stands in a heap, and tells where they begin.
pub(crate) fn put_briefs(heap: &[Value], record: Span, out: &mut Vec<Brief>) -> u32 {
    let start = number(out.len());
    out.extend(fields(heap, record).iter().map(|[key, value]| {
        let Short(kind, number) = Short::of(value);
        let name = if let Value::Text(name) = key { *name } else { Word(u32::MAX) };
        Brief { number, name, kind }
    }));
    start
}

/// What is known of a part of the question.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Sight {
    /// Its attributes are here.
    Known,
    /// Nobody knows the entity.
    Unknown,
    /// Nobody looked yet.
    Unread,
}

/// The attributes of the parts of a question, at the places of [`Variable`], looked up once for all of its programs; those
/// of the action when a program asks for them.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    briefs: [&'a [Brief]; 4],
    sights: [Sight; 4],
}

impl<'a> Parts<'a> {
    #[inline(always)]
    pub(crate) fn of(request: &'a Request<'_>, entities: &'a Entities) -> Self {
        let sight = |known: Option<_>| if known.is_some() { Sight::Known } else { Sight::Unknown };
        let subject = attributes(request, entities, request.subject);
        let resource = attributes(request, entities, request.resource);
        Self {
            briefs: [subject.unwrap_or_default(), &[], resource.unwrap_or_default(), &request.briefs],
            sights: [sight(subject), Sight::Unread, sight(resource), Sight::Known],
        }
    }

    /// An attribute, where there are few.
    #[inline(always)]
    pub(crate) fn find(&self, of: Variable, name: Word) -> Option<&'a Brief> {
        let briefs = *self.briefs.get(of as usize)?;
        if briefs.len() > FEW {
            return None;
        }
        briefs.iter().find(|brief| brief.name == name)
    }

    /// Whether a part was looked at, is known, and has few attributes: what is not found in it is not there.
    #[inline(always)]
    pub(crate) fn is_plain(&self, of: Variable) -> bool {
        self.sights.get(of as usize) == Some(&Sight::Known)
            && self.briefs.get(of as usize).is_some_and(|briefs| briefs.len() <= FEW)
    }

    /// An attribute of a part that has many, that has it not, or that nobody looked at yet.
    #[inline(never)]
    pub(crate) fn seek(
        &mut self,
        (request, entities): (&'a Request<'_>, &'a Entities),
        of: Variable,
        name: Word,
    ) -> Result<&'a Brief, FaultReason> {
        let (Some(briefs), Some(sight)) =
            (self.briefs.get_mut(of as usize), self.sights.get_mut(of as usize))
        else {
            return Err(FaultReason::Program);
        };
        if *sight == Sight::Unread {
            let read = attributes(request, entities, request.action);
            *sight = if read.is_some() { Sight::Known } else { Sight::Unknown };
            *briefs = read.unwrap_or_default();
        }
        if *sight == Sight::Unknown {
            return Err(FaultReason::EntityUnknown);
        }
        let at = briefs.binary_search_by_key(&name, |brief| brief.name);
        at.ok().and_then(|at| briefs.get(at)).ok_or(FaultReason::AttributeMissing)
    }
}

/// The attributes of an entity; none of one that nobody knows.
#[inline(always)]
fn attributes<'a>(request: &'a Request<'_>, entities: &'a Entities, uid: Uid) -> Option<&'a [Brief]> {
    if request.sends
        && let Some(row) = request.sent.sent_row(uid)
    {
        return Some(request.sent.briefs(row));
    }
    Some(entities.briefs(entities.row(uid)?))
}
