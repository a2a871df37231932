//! `tessera relation` over a node: the model, tuples, and questions about both.

use crate::answer::{Answer, instant, put_instant, shown};
use crate::error::CtlError;
use crate::grant::deadline;
use crate::link::{Link, Window};
use crate::relation_move::tuples_in;
use crate::table::Table;
use crate::when::When;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use tessera_client::wire::{
    RelationAnswerRow, RelationModelRow, RelationNameRow, RelationRow, RelationStepRow, RelationTrialRow,
    Request,
};
use tessera_model::limits::RELATION_CHANGES_MAX;
use tessera_model::relation::{RelationAct, RelationChange, RelationCondition, RelationRecord};
use tessera_model::{Deadline, Private, Receipt, Refusal};
use tessera_relation::{Model, Relations, TupleRef};

/// A tuple on a command line: subject, relation and object in one argument.
#[derive(Clone, Debug)]
pub(crate) struct Tuple(RelationRecord);

pub(crate) fn tuple(text: &str) -> Result<Tuple, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [subject, relation, object] = words.as_slice() else {
        return Err("a tuple is subject, relation and object: 'user:ann viewer document:1'".to_owned());
    };
    Ok(Tuple(record(subject, relation, object)))
}

pub(crate) fn record(subject: &str, relation: &str, object: &str) -> RelationRecord {
    RelationRecord {
        object: object.into(),
        relation: relation.into(),
        subject: subject.into(),
        from: Deadline::NONE,
        until: Deadline::NONE,
    }
}

/// What a question may bring along.
#[derive(Clone, clap::Args)]
pub(crate) struct Along {
    /// A tuple that counts in this question only; may stand several times.
    #[arg(long = "with", value_name = "TUPLE", value_parser = tuple)]
    with: Vec<Tuple>,
    /// The receipt of a write that the answer must have seen.
    #[arg(long, value_name = "RECEIPT", value_parser = crate::answer::receipt)]
    at_least: Option<Receipt>,
}

impl Along {
    fn contextual(&self) -> Vec<(u32, RelationRecord)> {
        self.with.iter().map(|Tuple(tuple)| (0, tuple.clone())).collect()
    }
}

/// What to write, and under which conditions.
#[derive(Clone, clap::Args)]
pub(crate) struct Changes {
    /// Tuples to write: 'user:ann viewer document:1'.
    #[arg(value_name = "TUPLE", value_parser = tuple)]
    tuples: Vec<Tuple>,
    /// A file of tuples to write, YAML or JSON: a list of user, relation and object, and from_ms and until_ms (Unix time in
    /// ms) where one counts for a while alone; with another ending, one such object a line, as `relation export` writes.
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// A tuple to remove; may stand several times.
    #[arg(long, value_name = "TUPLE", value_parser = tuple)]
    remove: Vec<Tuple>,
    /// A tuple that must be there; nothing happens otherwise.
    #[arg(long, value_name = "TUPLE", value_parser = tuple)]
    require: Vec<Tuple>,
    /// A tuple that must not be there; nothing happens otherwise.
    #[arg(long, value_name = "TUPLE", value_parser = tuple)]
    forbid: Vec<Tuple>,
    /// Every tuple that is written must be new, every one that is removed must be there.
    #[arg(long)]
    strict: bool,
    /// From when the written tuples count: an instant in UTC, or a span from now. One of a file that says so itself counts
    /// as it says.
    #[arg(long, value_name = "TIME")]
    from: Option<When>,
    /// Until when they count. Of a file as above.
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
}

fn private(text: &str) -> Private {
    Private::new(text.as_bytes().to_vec())
}

fn shown_text(text: &Private) -> String {
    String::from_utf8_lossy(text.expose()).into_owned()
}

impl Changes {
    fn all(self, link: &Link) -> Result<Vec<RelationChange>, CtlError> {
        let (from, until) = (deadline(link, self.from)?, deadline(link, self.until)?);
        let (new, there) = if self.strict {
            (RelationCondition::Absent, RelationCondition::Present)
        } else {
            (RelationCondition::Any, RelationCondition::Any)
        };
        let one = |act, condition, tuple| RelationChange { act, condition, tuple };
        let plain = |tuples: Vec<Tuple>, act, condition| {
            tuples.into_iter().map(move |Tuple(tuple)| one(act, condition, tuple))
        };
        let mut changes: Vec<RelationChange> =
            plain(self.require, RelationAct::Require, RelationCondition::Present).collect();
        changes.extend(plain(self.forbid, RelationAct::Require, RelationCondition::Absent));
        changes.extend(plain(self.remove, RelationAct::Remove, there));
        let mut written: Vec<RelationRecord> = self.tuples.into_iter().map(|Tuple(tuple)| tuple).collect();
        if let Some(path) = &self.file {
            written.extend(tuples_in(path)?);
        }
        // A window of a tuple's own stands as a whole.
        let windowed = |tuple: RelationRecord| match (tuple.from, tuple.until) {
            (Deadline::NONE, Deadline::NONE) => RelationRecord { from, until, ..tuple },
            _ => tuple,
        };
        let write = |tuple| one(RelationAct::Write, new, windowed(tuple));
        changes.extend(written.into_iter().map(write));
        if changes.is_empty() {
            return Err(CtlError::usage("nothing is to be written or removed"));
        }
        one_command(&changes).map(|()| changes)
    }
}

/// What is to happen only if something is there, or not there, is one command, or the condition would hold for
/// its first part alone.
fn one_command(changes: &[RelationChange]) -> Result<(), CtlError> {
    let conditions = changes.iter().any(|change| change.act == RelationAct::Require);
    if conditions && changes.len() > RELATION_CHANGES_MAX {
        let told = format!("{} changes with --require or --forbid are more than one command", changes.len());
        let advice =
            format!("write at most {RELATION_CHANGES_MAX} at once, conditions included, or none of those");
        return Err(CtlError::usage(told).advise(advice));
    }
    Ok(())
}

/// Writes and removes; many tuples are several commands, each whole by itself.
pub(crate) async fn write(link: &Link, changes: Changes) -> Result<Answer, CtlError> {
    let changes = changes.all(link)?;
    let (mut last, mut done) = (None, 0_usize);
    for part in changes.chunks(RELATION_CHANGES_MAX) {
        last = Some(match link.order(&Request::ChangeRelations { changes: part.to_vec() }).await {
            Ok(made) => made,
            Err(error) if error.is(Refusal::RelationMismatch) => {
                return Err(unfit(link, error, &changes, done).await);
            }
            Err(error) => return Err(behind(error, done, changes.len())),
        });
        done += part.len();
    }
    let count = |act| changes.iter().filter(|change| change.act == act).count();
    let (written, removed) = (count(RelationAct::Write), count(RelationAct::Remove));
    let answer = Answer::said(format!("{written} tuples stand, {removed} are gone."));
    let answer = answer.with("written", written).with("removed", removed);
    Ok(match last {
        Some(made) => answer.made(&made),
        None => answer,
    })
}

/// An error about a tuple that does not fit says which one, and what is wrong with it.
async fn unfit(link: &Link, error: CtlError, changes: &[RelationChange], done: usize) -> CtlError {
    let page = link.page::<RelationModelRow>(&Request::ReadRelationModel { version: None }).await;
    let Ok(page) = page else { return behind(error, done, changes.len()) };
    let mut relations = Relations::new();
    if let Some(row) = page.rows.into_iter().next()
        && Model::parse(&shown_text(&row.text)).and_then(|model| relations.set_model(&model)).is_err()
    {
        return behind(error, done, changes.len());
    }
    let written = changes.iter().enumerate().skip(done).filter(|(_, one)| one.act == RelationAct::Write);
    let wrong = written
        .filter_map(|(nth, one)| Some((nth, one, relations.admits(&TupleRef::from(&one.tuple)).err()?)))
        .next();
    let Some((nth, one, why)) = wrong else { return behind(error, done, changes.len()) };
    let RelationRecord { subject, relation, object, .. } = &one.tuple;
    let taken = if done == 0 { String::new() } else { format!("; the first {done} have happened") };
    error.advise(format!("change {}, {subject} {relation} {object}: {why}{taken}", nth + 1))
}

/// An error behind parts that were taken says so.
fn behind(error: CtlError, done: usize, all: usize) -> CtlError {
    if done == 0 {
        return error;
    }
    error.advise(format!(
        "the first {done} of {all} changes have happened; without --strict the same command may be run again"
    ))
}

/// Stored tuples as a table and as objects.
pub(crate) async fn read(
    link: &Link,
    window: &Window,
    [object, relation, subject]: [Option<String>; 3],
) -> Result<Answer, CtlError> {
    let part = |text: &Option<String>| text.as_deref().map(private);
    let request = |after, limit| Request::ListRelations {
        object: part(&object),
        relation: part(&relation),
        subject: part(&subject),
        after,
        limit,
    };
    let found = window.read::<RelationRow>(link, request).await?;
    let mut table = Table::new(&["SUBJECT", "RELATION", "OBJECT", "FROM", "UNTIL"]);
    let mut listed = Vec::new();
    for RelationRow { tuple } in &found.rows {
        let (from, until) = (instant(tuple.from), instant(tuple.until));
        let cells = [tuple.subject.to_string(), tuple.relation.to_string(), tuple.object.to_string()];
        let [subject, relation, object] = cells;
        table.row([subject, relation, object, shown(from), shown(until)]);
        listed.push(tuple_json(tuple));
    }
    Ok(found.told(Answer::said(table.to_string()).with("tuples", listed)))
}

fn tuple_json(tuple: &RelationRecord) -> Value {
    let mut json = Map::new();
    json.insert("user".into(), json!(tuple.subject));
    json.insert("relation".into(), json!(tuple.relation));
    json.insert("object".into(), json!(tuple.object));
    put_instant(&mut json, "from", instant(tuple.from));
    put_instant(&mut json, "until", instant(tuple.until));
    Value::Object(json)
}

/// The error behind a code in an answer.
pub(crate) fn refused(code: u32) -> CtlError {
    let known = u16::try_from(code).ok().and_then(Refusal::from_code);
    known.map_or_else(
        || CtlError::unexpected(format!("an answer of code {code}")),
        |refusal| CtlError::of(&tessera_client::ClientError::Refused(refusal), ""),
    )
}

/// One check. Denied ends with exit code 1.
pub(crate) async fn check(link: &Link, check: RelationRecord, along: &Along) -> Result<Answer, CtlError> {
    let text = format!("{} {} {}", check.subject, check.relation, check.object);
    let request = Request::CheckRelations {
        checks: vec![check],
        contextual: along.contextual(),
        correlations: Vec::new(),
        at_least: along.at_least,
    };
    let row = link.page::<RelationAnswerRow>(&request).await?.rows.pop();
    let row = row.ok_or_else(|| CtlError::unexpected("no answer"))?;
    if row.code != 0 {
        return Err(refused(row.code));
    }
    let word = if row.permitted { "Permit" } else { "Deny" };
    let answer = Answer::said(format!("{word}: {text}"))
        .with("decision", word.to_lowercase())
        .with("steps", row.steps)
        .at("valid_until", Some(row.valid_until));
    Ok(if row.permitted { answer } else { answer.denied() })
}

/// Why a check has its answer.
pub(crate) async fn explain(link: &Link, check: RelationRecord, along: &Along) -> Result<Answer, CtlError> {
    let request =
        Request::ExplainRelation { check, contextual: along.contextual(), at_least: along.at_least };
    let rows = link.page::<RelationStepRow>(&request).await?.rows;
    let permitted = rows.first().is_some_and(|first| first.holds);
    let answer = steps(&rows).with("decision", if permitted { "permit" } else { "deny" });
    Ok(if permitted { answer } else { answer.denied() })
}

/// One level of a relation to an object. What an answer does not hold is counted.
pub(crate) async fn expand(
    link: &Link,
    (object, relation): (&str, &str),
    along: &Along,
) -> Result<Answer, CtlError> {
    let request = Request::ExpandRelation {
        object: private(object),
        relation: private(relation),
        contextual: along.contextual(),
        at_least: along.at_least,
    };
    let mut rows = link.page::<RelationStepRow>(&request).await?.rows;
    let left = rows.pop_if(|last| last.left.is_some()).and_then(|last| last.left);
    let answer = steps(&rows).with("left", left.unwrap_or(0));
    Ok(match left {
        None => answer,
        Some(left) => answer.line(format!(
            "and {} more, which one answer does not hold: tessera relation read --object {object} lists the tuples, \
             tessera relation list-subjects {object} {relation} user whoever is in it.",
            tessera_model::grouped(left.into())
        )),
    })
}

/// What a step is, for people and as a stable word for programs.
pub(crate) fn kind(kind: u32, holds: bool) -> (&'static str, &'static str) {
    match (kind, holds) {
        (1, _) => ("any of", "union"),
        (2, _) => ("all of", "intersection"),
        (3, _) => ("the first, but not the second, of", "exclusion"),
        (4, _) => ("", "direct"),
        (5, _) => ("whoever is", "computed"),
        (6, _) => ("what is named by", "from"),
        (11, true) => ("yes:", "set"),
        (11, false) => ("no: ", "set"),
        (12, _) => ("by the tuple", "tuple"),
        (13, _) => ("taken away by 'but not' of", "but_not"),
        (14, _) => ("the way there costs more than one may look at: it is not told", "not_told"),
        _ => ("?", "unknown"),
    }
}

fn steps(rows: &[RelationStepRow]) -> Answer {
    let mut lines = Vec::new();
    let mut listed = Vec::new();
    for row in rows {
        let (words, word) = kind(row.kind, row.holds);
        let text = shown_text(&row.told);
        let indent = "  ".repeat(usize::try_from(row.depth).unwrap_or(0).min(60));
        lines.push(format!("{indent}{}", [words, &text].join(" ").trim()));
        listed.push(json!({ "depth": row.depth, "kind": word, "what": text, "holds": row.holds }));
    }
    if lines.is_empty() {
        lines.push("Nobody.".to_owned());
    }
    Answer::said(lines.join("\n")).with("steps", listed)
}

/// Names, one a line.
fn names(answer: &crate::link::Rows<RelationNameRow>) -> Answer {
    let names: Vec<String> = answer.rows.iter().map(|row| shown_text(&row.name)).collect();
    let text = if names.is_empty() { "None.".to_owned() } else { names.join("\n") };
    answer.told(Answer::said(text).with("names", names))
}

/// The objects of a type to which a subject is in a relation.
pub(crate) async fn objects(
    link: &Link,
    window: &Window,
    [subject, relation, type_name]: [&str; 3],
    along: &Along,
) -> Result<Answer, CtlError> {
    let request = |after, limit| Request::ListRelationObjects {
        subject: private(subject),
        relation: private(relation),
        type_name: private(type_name),
        contextual: along.contextual(),
        at_least: along.at_least,
        after,
        limit,
    };
    Ok(names(&window.read::<RelationNameRow>(link, request).await?))
}

/// The subjects of a type, or its sets, that are in a relation to an object.
pub(crate) async fn subjects(
    link: &Link,
    window: &Window,
    [object, relation, type_name]: [&str; 3],
    along: &Along,
) -> Result<Answer, CtlError> {
    let request = |after, limit| Request::ListRelationSubjects {
        object: private(object),
        relation: private(relation),
        type_name: private(type_name),
        contextual: along.contextual(),
        at_least: along.at_least,
        after,
        limit,
    };
    Ok(names(&window.read::<RelationNameRow>(link, request).await?))
}

/// The relationship model.
pub(crate) async fn show_model(link: &Link, version: Option<u32>) -> Result<Answer, CtlError> {
    let row = link.page::<RelationModelRow>(&Request::ReadRelationModel { version }).await?.rows.pop();
    let row = row.ok_or_else(|| CtlError::unknown("there is no relationship model yet"))?;
    let text = shown_text(&row.text);
    Ok(Answer::said(text.clone())
        .with("version", row.version)
        .with("model", text)
        .at("created", instant(row.created)))
}

/// Puts a model in the place of the present one, or only tries it.
pub(crate) async fn set_model(
    link: &Link,
    path: &Path,
    allow_orphans: bool,
    dry_run: bool,
) -> Result<Answer, CtlError> {
    let text = std::fs::read(path).map_err(|error| CtlError::file("reading", path, &error))?;
    let trial = Request::TryRelationModel { text: Private::new(text.clone()) };
    let row = link.page::<RelationTrialRow>(&trial).await?.rows.pop();
    let row = row.ok_or_else(|| CtlError::unexpected("no answer"))?;
    if row.line != 0 {
        let (line, column, told) = (row.line, row.column, shown_text(&row.told));
        return Err(CtlError::new(
            crate::error::REFUSED,
            Refusal::RelationModelWrong.name(),
            format!("{}:{line}:{column}: {told}", path.display()),
        ));
    }
    let tuples: Vec<Value> = row.tuples.iter().map(tuple_json).collect();
    let lost = |answer: Answer| {
        let answer = answer.with("orphans", row.orphans).with("examples", tuples.clone());
        row.tuples.iter().fold(answer, |answer, one| {
            answer.line(format!("  {} {} {}", one.subject, one.relation, one.object))
        })
    };
    if dry_run {
        let text = match row.orphans {
            0 => "The model is right, and every stored tuple fits it.".to_owned(),
            count => format!("The model is right; these of {count} stored tuples would count no more:"),
        };
        return Ok(lost(Answer::said(text)));
    }
    let request = Request::SetRelationModel { text: Private::new(text), allow_orphans };
    let made = link.order(&request).await?;
    let text = match row.orphans {
        0 => "The model is set.".to_owned(),
        count => format!("The model is set; these of {count} stored tuples count no more:"),
    };
    Ok(lost(Answer::said(text)).made(&made))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(act: RelationAct, count: usize) -> impl Iterator<Item = RelationChange> {
        let change = move |number| RelationChange {
            act,
            condition: RelationCondition::Any,
            tuple: record("user:ann", "viewer", &format!("document:{number}")),
        };
        (0..count).map(change)
    }

    /// PROPERTY: conditions hold for all changes or the command is refused; changes without them may be parts.
    #[test]
    fn conditions_are_one_command() {
        for (conditions, writes, good) in [
            (0, 5_000, true),
            (1, RELATION_CHANGES_MAX - 1, true),
            (1, RELATION_CHANGES_MAX, false),
            (2_000, 0, false),
        ] {
            let all: Vec<RelationChange> = changes(RelationAct::Require, conditions)
                .chain(changes(RelationAct::Write, writes))
                .collect();
            let done = one_command(&all);
            assert_eq!(done.is_ok(), good, "{conditions} {writes}");
            assert!(done.err().is_none_or(|error| error.exit() == crate::error::USAGE));
        }
    }
}
