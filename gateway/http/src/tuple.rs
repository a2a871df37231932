//! Tuples as requests carry them, in the words of `OpenFGA`: user, relation, object.

use crate::json::Json;
use crate::value::{instant, text};
use tessera_model::Deadline;
use tessera_model::limits::{BATCH_CHECKS_MAX, RELATION_BYTES_MAX};
use tessera_model::relation::{RelationRecord, is_correlation};
use tessera_model::time::DEADLINE_EPOCH_S;

/// One question of a batch.
#[derive(Clone)]
pub(crate) struct RelationCheck {
    pub(crate) tuple: RelationRecord,
    pub(crate) contextual: Vec<RelationRecord>,
    pub(crate) correlation: Option<String>,
}

/// A text that may name an object, a relation or a subject.
pub(crate) fn name(value: &Json) -> Option<&str> {
    text(value).filter(|text| text.len() <= RELATION_BYTES_MAX)
}

/// A tuple; with `windows` it may have one.
pub(crate) fn tuple(value: &Json, windows: bool) -> Option<RelationRecord> {
    let Json::Members(members) = value else { return None };
    let mut record = empty();
    for (member, value) in members {
        match member.as_str() {
            "from" if windows => record.from = deadline(value)?,
            "until" if windows => record.until = deadline(value)?,
            member => put(&mut record, member, value)?,
        }
    }
    whole(record)
}

/// One question of a batch, or the member that does not read.
pub(crate) fn check(value: &Json) -> Result<RelationCheck, &'static str> {
    let Json::Members(members) = value else { return Err("") };
    let mut check = RelationCheck { tuple: empty(), contextual: Vec::new(), correlation: None };
    for (member, value) in members {
        match member.as_str() {
            "contextual_tuples" if *value == Json::Null => {}
            "contextual_tuples" => {
                check.contextual = crate::value::list(value, CONTEXT_MAX, |one| tuple(one, false))
                    .ok_or("/contextual_tuples")?;
            }
            "correlation_id" if *value == Json::Null => {}
            "correlation_id" => {
                let id = text(value).filter(|id| is_correlation(id)).ok_or("/correlation_id")?;
                check.correlation = Some(id.to_owned());
            }
            member => put(&mut check.tuple, member, value).ok_or("")?,
        }
    }
    check.tuple = whole(check.tuple).ok_or("")?;
    Ok(check)
}

/// LIMIT: tuples that come with one question.
pub(crate) const CONTEXT_MAX: usize = tessera_model::limits::RELATION_CONTEXT_MAX;
/// LIMIT: questions of one batch.
pub(crate) const CHECKS_MAX: usize = BATCH_CHECKS_MAX;

fn empty() -> RelationRecord {
    RelationRecord {
        object: "".into(),
        relation: "".into(),
        subject: "".into(),
        from: Deadline::NONE,
        until: Deadline::NONE,
    }
}

fn put(record: &mut RelationRecord, member: &str, value: &Json) -> Option<()> {
    let place = match member {
        "user" => &mut record.subject,
        "relation" => &mut record.relation,
        "object" => &mut record.object,
        _ => return None,
    };
    *place = name(value)?.into();
    Some(())
}

fn whole(record: RelationRecord) -> Option<RelationRecord> {
    let whole = [&record.object, &record.relation, &record.subject].iter().all(|part| !part.is_empty());
    whole.then_some(record)
}

/// An end or beginning; one of 0 would read as none.
fn deadline(value: &Json) -> Option<Deadline> {
    if *value == Json::Null {
        return Some(Deadline::NONE);
    }
    instant(value).filter(|at| at.0 / 1_000 > DEADLINE_EPOCH_S).map(|at| at.to_deadline())
}
