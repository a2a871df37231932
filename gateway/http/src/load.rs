//! Bulk load: rows of NDJSON or CSV become subjects, and what became of each is told.
//!
//! A content is one command: as many rows as a command takes, known again by what they say, under whatever
//! id. What does not read is told beside what the engine turns down, with its line and field.

use crate::answer::{self, Object};
use crate::ask;
use crate::caller::Caller;
use crate::door::Shared;
use crate::input::{Input, ill_formed};
use crate::json::Json;
use crate::problem::Problem;
use serde_json::Value;
use std::collections::BTreeMap;
use tessera_model::limits::LOAD_ROWS_MAX;
use tessera_model::load::{LoadRow, Loaded};
use tessera_model::record::AttributeKind;
use tessera_model::{CommandId, Limit, Refusal};
use tessera_rows::{Heading, RowFault, lines, rejected_field};

/// The forms of rows, as content types. NDJSON has no registered one; both that are in use are taken.
pub(crate) const FORMS: [(&str, Form); 3] =
    [("application/x-ndjson", Form::Ndjson), ("application/jsonl", Form::Ndjson), ("text/csv", Form::Csv)];

/// How rows are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    Ndjson,
    Csv,
}

impl Form {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }

    /// The form of a content type.
    pub(crate) fn of(kind: &str) -> Option<Self> {
        FORMS.into_iter().find(|(known, _)| kind.eq_ignore_ascii_case(known)).map(|(_, form)| form)
    }
}

/// A content of rows as a field of the request.
pub(crate) fn field(form: Form, text: &str) -> Json {
    Json::List(vec![Json::Text(form.name().to_owned()), Json::Text(text.to_owned())])
}

/// A field of rows: their form and their text.
pub(crate) fn rows(value: &Json) -> Option<(Form, &str)> {
    let Json::List(pair) = value else { return None };
    let [Json::Text(form), Json::Text(text)] = pair.as_slice() else { return None };
    let forms = [Form::Ndjson, Form::Csv];
    forms.into_iter().find(|known| known.name() == form).map(|form| (form, text.as_str()))
}

/// The rows of a content that read, each with its line, and the faults of the others.
#[derive(Default)]
struct Taken {
    rows: Vec<LoadRow>,
    places: Vec<u64>,
    faults: Vec<(u64, RowFault)>,
}

/// Loads the rows of a content.
pub(crate) async fn load(
    shared: &Shared,
    caller: &Caller,
    id: CommandId,
    input: &Input,
) -> Result<Value, Problem> {
    let (form, text) = input.rows("rows").ok_or_else(|| ill_formed("rows"))?;
    let (text, first) = (text.to_owned(), input.count("first_line")?);
    let trial = input.bool("dry_run")?.unwrap_or(false);
    let listing = ask::view(shared, &caller.bound)?.listing();
    let kinds = listing.attributes().map(|row| (row.name.as_str().to_owned(), row.kind)).collect();
    // Some milliseconds for the largest content: not on the threads that answer checks.
    let read = move || take(&text, (form, first), &kinds);
    let Taken { rows, places, faults } =
        tokio::task::spawn_blocking(read).await.map_err(|_| Problem::failed())??;
    let sent: Vec<LoadRow> = rows.clone();
    let done = shared.engine.load_subjects(&caller.bound, id, sent, trial).await?;
    let answer = answer::made(&done, None).with("dry_run", trial);
    Ok(match &done.made.loaded {
        // A repeat has its receipt alone.
        None => answer.value(),
        Some(loaded) => told(answer, loaded, (&rows, &places), &faults).value(),
    })
}

/// Reads the rows of a content.
fn take(
    text: &str,
    (form, first): (Form, Option<u32>),
    kinds: &BTreeMap<String, AttributeKind>,
) -> Result<Taken, Problem> {
    let (mut taken, mut heading) = (Taken::default(), None);
    // What is added to a line's number in the content for that in the whole load.
    let before = u64::from(first.unwrap_or(1)).saturating_sub(1);
    for (number, line) in lines(text) {
        let read = match (form, &heading) {
            (Form::Ndjson, _) => tessera_rows::read(line),
            (Form::Csv, Some(heading)) => Heading::read(heading, line),
            (Form::Csv, None) => {
                let read = Heading::new(line, kinds);
                heading = Some(read.map_err(|fault| ill_formed(&at(&fault)).because(fault.what))?);
                continue;
            }
        };
        if taken.rows.len() + taken.faults.len() == LOAD_ROWS_MAX {
            return Err(Problem::from(Limit::LoadRows.reached()).at("rows"));
        }
        let number = before + number;
        match read {
            Ok(mut row) => {
                // Rows without identifiers are told from their like by where they stand.
                row.serial = if row.identifiers.is_empty() { number } else { 0 };
                taken.rows.push(row);
                taken.places.push(number);
            }
            Err(fault) => taken.faults.push((number, fault)),
        }
    }
    Ok(taken)
}

fn at(fault: &RowFault) -> String {
    if fault.field.is_empty() { "rows".to_owned() } else { format!("rows/{}", fault.field) }
}

/// What became of the rows.
fn told(
    answer: Object,
    loaded: &Loaded,
    (rows, places): (&[LoadRow], &[u64]),
    faults: &[(u64, RowFault)],
) -> Object {
    let ill = Refusal::Malformed;
    let unread = faults.iter().map(|(line, fault)| {
        let row = Object::new().with("line", *line).with("field", fault.field.clone());
        let row = row.with("code", ill.code()).with("name", ill.name());
        (*line, row.with("title", fault.what.clone()).value())
    });
    let refused = loaded.rejected.iter().filter_map(|rejected| {
        let place = usize::try_from(rejected.row).ok()?;
        let (row, line) = (rows.get(place)?, *places.get(place)?);
        let refusal = rejected.refusal;
        let told = Object::new().with("line", line).with("field", rejected_field(row, rejected));
        let told = told.with("code", refusal.code()).with("name", refusal.name());
        Some((line, told.with("title", refusal.to_string()).value()))
    });
    let mut rejected: Vec<(u64, Value)> = unread.chain(refused).collect();
    rejected.sort_by_key(|(line, _)| *line);
    let rejected: Vec<Value> = rejected.into_iter().map(|(_, told)| told).collect();
    answer.with("made", loaded.made).with("known", loaded.known).with("rejected", rejected)
}
