//! `tessera relation`: many checks at once, versions of the model, and permissions that follow from relations.

use crate::answer::{Answer, instant, put_instant, shown};
use crate::error::CtlError;
use crate::lines::{self, NoText};
use crate::link::{Link, Window};
use crate::relation_ask::{record, refused};
use crate::table::Table;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use tessera_client::wire::{RelationAnswerRow, RelationMappingRow, RelationVersionRow, Request};
use tessera_model::limits::{BATCH_CHECKS_MAX, WIRE_FRAME_BYTES_MAX};
use tessera_model::relation::{RelationRecord, is_correlation};
use tessera_model::{Name, Receipt, Refusal};

/// LIMIT: questions of one `relation check-batch`: about 100 MiB of answers as text.
const QUESTIONS_MAX: usize = 1_000_000;

/// LIMIT: bytes of one line.
const LINE_BYTES_MAX: usize = 4_096;

/// A question with what it is called.
struct Question {
    id: String,
    check: RelationRecord,
}

/// Reads a line: `SUBJECT RELATION OBJECT [ID]`; empty lines and comments are none.
fn question(line: usize, text: &str) -> Result<Option<Question>, CtlError> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (check, id) = match words.as_slice() {
        [] => return Ok(None),
        [first, ..] if first.starts_with('#') => return Ok(None),
        [subject, relation, object] => (record(subject, relation, object), line.to_string()),
        [subject, relation, object, id] => (record(subject, relation, object), (*id).to_owned()),
        _ => return Err(CtlError::usage(format!("line {line}: subject, relation, object, and an id"))),
    };
    Ok(Some(Question { id, check }))
}

fn questions(file: &Path) -> Result<Vec<Question>, CtlError> {
    let failed = |error: std::io::Error| CtlError::file("reading", file, &error);
    let reader: Box<dyn std::io::BufRead> = if file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::io::BufReader::new(std::fs::File::open(file).map_err(failed)?))
    };
    questions_of(reader, failed)
}

/// Reads questions; each has an id of its own, by which its answer is known.
fn questions_of(
    mut reader: impl std::io::BufRead,
    failed: impl Fn(std::io::Error) -> CtlError,
) -> Result<Vec<Question>, CtlError> {
    let (mut found, mut ids) = (Vec::new(), BTreeMap::new());
    let mut number = 0;
    while let Some((_, text)) = lines::next(&mut reader, LINE_BYTES_MAX).map_err(&failed)? {
        number += 1;
        let wrong = |what: &str| CtlError::usage(format!("line {number}: {what}"));
        let text = text.map_err(|why| match why {
            NoText::Long => wrong(&format!("more than {LINE_BYTES_MAX} bytes")),
            NoText::Coded(_) => wrong("not UTF-8"),
        })?;
        let Some(one) = question(number, &text)? else { continue };
        if !is_correlation(&one.id) {
            return Err(wrong("an id has 1 to 36 letters, digits, - and _"));
        }
        if let Some(other) = ids.insert(one.id.clone(), number) {
            return Err(wrong(&format!("the id {} stands in line {other} already", one.id)));
        }
        found.push(one);
        if found.len() > QUESTIONS_MAX {
            return Err(CtlError::usage(format!("more than {QUESTIONS_MAX} questions: split the file")));
        }
    }
    Ok(found)
}

/// LIMIT: bytes of the questions of one request, so that it stays well below a frame's.
const PART_BYTES: usize = WIRE_FRAME_BYTES_MAX / 2;

/// How many of these questions go into one request.
fn fitting(questions: &[Question]) -> usize {
    let mut bytes = 0;
    let fits = questions.iter().take(BATCH_CHECKS_MAX).take_while(|one| {
        let check = &one.check;
        bytes += one.id.len() + check.subject.len() + check.relation.len() + check.object.len() + 64;
        bytes <= PART_BYTES
    });
    fits.count().max(1)
}

/// Many checks, each answer with the id of its question. Any that is no permit ends with exit code 1.
pub(crate) async fn check_batch(
    link: &Link,
    file: &Path,
    at_least: Option<Receipt>,
) -> Result<Answer, CtlError> {
    let questions = questions(file)?;
    let mut table = Table::new(&["ID", "SUBJECT", "RELATION", "OBJECT", "DECISION"]);
    let (mut results, mut denied) = (Vec::with_capacity(questions.len()), 0_usize);
    let mut left = questions.as_slice();
    while !left.is_empty() {
        let part;
        (part, left) = left.split_at(fitting(left));
        let request = Request::CheckRelations {
            checks: part.iter().map(|one| one.check.clone()).collect(),
            contextual: Vec::new(),
            correlations: part.iter().map(|one| one.id.clone()).collect(),
            at_least,
        };
        for row in link.page::<RelationAnswerRow>(&request).await?.rows {
            let id = row.correlation.clone().unwrap_or_default();
            let Some(asked) = part.iter().find(|one| one.id == id) else {
                return Err(CtlError::unexpected(format!("an answer to no question: {id}")));
            };
            denied += usize::from(!row.permitted);
            let error = if row.code == 0 { None } else { Some(refused(row.code).to_string()) };
            let word = if row.permitted { "permit" } else { "deny" };
            let check = &asked.check;
            let cells = [id.clone(), check.subject.to_string(), check.relation.to_string()];
            let [id_cell, subject, relation] = cells;
            let told = error.clone().map_or_else(|| word.to_owned(), |error| format!("{word}: {error}"));
            table.row([id_cell, subject, relation, check.object.to_string(), told]);
            let mut json = Map::new();
            json.insert("correlation_id".into(), json!(id));
            json.insert("decision".into(), json!(word));
            json.insert("code".into(), json!(row.code));
            json.insert("error".into(), json!(error));
            json.insert("steps".into(), json!(row.steps));
            put_instant(&mut json, "valid_until", Some(row.valid_until));
            results.push(Value::Object(json));
        }
    }
    let permitted = results.len() - denied;
    let answer = Answer::said(table.to_string()).with("results", results);
    let answer = answer.with("permitted", permitted).with("denied", denied);
    Ok(if denied == 0 { answer } else { answer.denied() })
}

/// The versions of the model that are kept.
pub(crate) async fn models(link: &Link) -> Result<Answer, CtlError> {
    let rows = link.page::<RelationVersionRow>(&Request::ListRelationModels {}).await?.rows;
    let mut table = Table::new(&["VERSION", "CREATED", "BYTES"]);
    let mut listed = Vec::new();
    for row in &rows {
        table.row([row.version.to_string(), shown(instant(row.created)), row.bytes.to_string()]);
        let mut json = Map::new();
        json.insert("version".into(), json!(row.version));
        put_instant(&mut json, "created", instant(row.created));
        json.insert("bytes".into(), json!(row.bytes));
        listed.push(Value::Object(json));
    }
    Ok(Answer::said(table.to_string()).with("models", listed))
}

/// Maps a permission to a relation.
pub(crate) async fn map(
    link: &Link,
    permission: Name,
    [type_name, relation]: [String; 2],
) -> Result<Answer, CtlError> {
    let text = format!("{permission} follows from {relation} of a {type_name}.");
    let made = link.order(&Request::MapPermission { permission, type_name, relation }).await?;
    Ok(Answer::said(text).made(&made))
}

/// Takes a mapping back.
pub(crate) async fn unmap(link: &Link, permission: Name, type_name: String) -> Result<Answer, CtlError> {
    let text = format!("{permission} follows from no relation to a {type_name}.");
    let made = link.order(&Request::UnmapPermission { permission, type_name }).await?;
    Ok(Answer::said(text).made(&made))
}

/// The permissions that follow from relations.
pub(crate) async fn mappings(link: &Link, window: &Window) -> Result<Answer, CtlError> {
    let request = |after, limit| Request::ListMappings { after, limit };
    let found = window.read::<RelationMappingRow>(link, request).await?;
    let mut table = Table::new(&["PERMISSION", "TYPE", "RELATION"]);
    let mut listed = Vec::new();
    for row in &found.rows {
        table.row([row.permission.to_string(), row.type_name.clone(), row.relation.clone()]);
        listed.push(json!({
            "permission": row.permission.to_string(), "type": row.type_name, "relation": row.relation,
        }));
    }
    Ok(found.told(Answer::said(table.to_string()).with("mappings", listed)))
}

/// Whether a refusal is about a tuple itself, and not about the moment.
pub(crate) fn is_about_a_tuple(error: &CtlError) -> bool {
    error.name() == Refusal::RelationMismatch.name() || error.name() == Refusal::DeadlinePassed.name()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: every question of a file has an id of its own that every door takes; a line that is none, is too
    /// long or no text, and an id that stands twice, are told with their line.
    #[test]
    fn questions_have_ids_of_their_own() {
        let read = |text: &[u8]| {
            questions_of(std::io::BufReader::new(text), |error| CtlError::usage(error.to_string()))
        };
        let good =
            read(b"# all\nuser:a r t:1 first\n\nuser:a r t:2\n").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(good.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["first", "4"]);
        let long = [b"user:a r t:", &[b'x'; 5_000][..]].concat();
        let thirty_seven = format!("user:a r t:1 {}", "x".repeat(37));
        for (text, line, why) in [
            (&b"user:a r t:1 x\nuser:b r t:1 x"[..], 2, "line 1 already"),
            (b"user:a r t:1 2\nuser:b r t:1", 2, "stands in"),
            (b"user:a r t:1 a.b", 1, "letters"),
            (thirty_seven.as_bytes(), 1, "letters"),
            (b"user:a r", 1, "subject"),
            (b"user:a r t:\xff", 1, "UTF-8"),
            (&long, 1, "4096 bytes"),
        ] {
            let told = read(text).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(told.contains(&format!("line {line}:")) && told.contains(why), "{told}");
        }
    }
}
