//! `tessera relation watch`: what becomes of relations, as it happens.

use crate::answer::{Answer, instant, put_instant, shown};
use crate::error::CtlError;
use crate::link::{Cursor, Link, cursor};
use crate::table::Table;
use serde_json::{Map, Value, json};
use std::time::Duration;
use tessera_client::wire::{Page, RelationEventRow, Request};
use tessera_model::{Deadline, Private};

/// How long one request waits for something to happen.
const WAIT_MS: u32 = 20_000;
/// What a row says: the reader has fallen behind.
const FELL_BEHIND: u32 = 4;

/// What is watched, and from where.
#[derive(Clone, clap::Args)]
pub(crate) struct Watch {
    /// Go on behind this position: a cursor that this command has told.
    #[arg(long, value_name = "CURSOR", value_parser = cursor)]
    cursor: Option<Cursor>,
    /// Only what there is now, and where to go on.
    #[arg(long)]
    once: bool,
}

async fn page(
    link: &Link,
    after: Option<&Cursor>,
    wait: Option<u32>,
) -> Result<Page<RelationEventRow>, CtlError> {
    let after = after.map(|cursor| Private::new(cursor.bytes().to_vec()));
    let request = Request::WatchRelations { after, limit: 0, wait_ms: wait };
    let patience = Duration::from_millis(u64::from(wait.unwrap_or(0)) + 10_000);
    let asked = link.client.with_deadline(patience).list::<RelationEventRow>(&request).await;
    asked.map_err(|error| link.told(&error))
}

fn word(row: &RelationEventRow) -> &'static str {
    match row.event {
        1 => "write",
        2 => "remove",
        3 => "model",
        FELL_BEHIND => "fell_behind",
        _ => "unknown",
    }
}

fn object(row: &RelationEventRow) -> Map<String, Value> {
    let mut json = Map::new();
    json.insert("event".into(), json!(word(row)));
    json.insert("seen".into(), json!(row.seen.to_string()));
    put_instant(&mut json, "at", Some(row.at));
    if row.version > 0 {
        json.insert("version".into(), json!(row.version));
    }
    if let Some(tuple) = &row.tuple {
        json.insert("user".into(), json!(tuple.subject));
        json.insert("relation".into(), json!(tuple.relation));
        json.insert("object".into(), json!(tuple.object));
        put_instant(&mut json, "from", instant(tuple.from));
        put_instant(&mut json, "until", instant(tuple.until));
    }
    json
}

fn what(row: &RelationEventRow) -> String {
    match &row.tuple {
        Some(tuple) => format!("{} {} {}", tuple.subject, tuple.relation, tuple.object),
        None if row.version > 0 => format!("version {}", row.version),
        None => "too much has changed: read all tuples, then go on with the cursor".to_owned(),
    }
}

/// Tells changes: once, or as they happen. As they happen each line is an object.
pub(crate) async fn watch(link: &Link, watch: Watch) -> Result<Answer, CtlError> {
    let mut at = watch.cursor;
    if watch.once {
        let found = page(link, at.as_ref(), None).await?;
        let mut table = Table::new(&["SEEN", "EVENT", "WHAT", "UNTIL"]);
        for row in &found.rows {
            let until = row.tuple.as_ref().map_or(Deadline::NONE, |tuple| tuple.until);
            table.row([row.seen.to_string(), word(row).to_owned(), what(row), shown(instant(until))]);
        }
        let changes: Vec<Value> = found.rows.iter().map(|row| Value::Object(object(row))).collect();
        let next = found.next.map(|bytes| Cursor::of(bytes).to_string());
        let answer = Answer::said(table.to_string()).with("changes", changes).with("next", next.clone());
        return Ok(match next {
            Some(next) => answer.line(format!("Go on with --cursor {next}")),
            None => answer,
        });
    }
    loop {
        let found = page(link, at.as_ref(), at.as_ref().map(|_| WAIT_MS)).await?;
        let next = found.next.map(Cursor::of);
        for (nth, row) in (1_usize..).zip(&found.rows) {
            let mut json = object(row);
            // The cursor goes on behind all of a page.
            let last = nth == found.rows.len();
            let told = next.as_ref().filter(|_| last).map(ToString::to_string);
            json.insert("cursor".into(), json!(told));
            if !crate::output::is_read(&format!("{}\n", crate::output::sorted(Value::Object(json))))? {
                return Ok(Answer::quiet());
            }
        }
        if let (None, Some(next)) = (&at, &next) {
            // Whoever ends before the first change has to know where to go on, too.
            crate::output::tell(&format!("tessera: watching; go on from here with --cursor {next}"));
        }
        at = next.or(at);
    }
}
