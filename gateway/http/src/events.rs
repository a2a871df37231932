//! Watching the events of a tenant over HTTP: a page that is answered as soon as something has happened.

use crate::answer::Object;
use crate::door::Shared;
use crate::input::{Input, ill_formed};
use crate::problem::Problem;
use crate::serve;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tessera_engine::{Bound, EVENT_KINDS_MAX, EventBy, EventFilter, EventTold, EventsFrom, EventsTold};
use tessera_model::{Receipt, cursor};

/// Answers `watch_events`. What was looked at is paid for, also when the caller has gone; `frames` cost one request.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    bound: &Bound,
    (input, frames): (&Input, u64),
) -> Result<Value, Problem> {
    let wait = Duration::from_secs(u64::from(input.count("wait_s")?.unwrap_or(0)));
    let limit = crate::list::limit(input)?;
    let filter = EventFilter { kinds: kinds(input)?, subject: input.public_id("subject")? };
    let since = if input.text("since").is_some() { Some(input.receipt("since")?) } else { None };
    let from = match (input.cursor("cursor"), since) {
        (Some(cursor), _) => EventsFrom::Cursor(cursor),
        (None, Some(since)) if since.epoch.0 == 0 => EventsFrom::First,
        (None, Some(since)) => EventsFrom::Behind(since),
        (None, None) => EventsFrom::Now,
    };
    let (by, on, sum) = (bound.clone(), Arc::clone(shared), AtomicU64::new(0));
    let paid = move |looked: u64| {
        let before = sum.fetch_add(looked, Ordering::Relaxed);
        serve::charge(&on, &by, (before + looked) / frames - before / frames);
    };
    let window = (from, limit, wait);
    let mut draining = shared.draining.clone();
    let told = tokio::select! {
        biased;
        told = shared.engine.watch_events_paid(bound, filter, window, Arc::new(paid)) => told?,
        // What waits for something to happen is not waited for.
        _ = draining.wait_for(|draining| *draining) => return Err(Problem::draining()),
    };
    let rows: Vec<Value> = told.events.iter().map(|event| row(&told, event)).collect();
    let next = cursor::to_text(&told.cursor(told.next));
    Ok(Object::new().with("rows", rows).with("next", next).value())
}

/// LIMIT: bytes of the kinds that are asked for: some forty names. They fit a request's target with all else.
pub(crate) const KINDS_BYTES_MAX: usize = 768;
/// How kinds are written, for the description.
pub(crate) const KINDS_FORM: &str = "^[a-z.-]+(,[a-z.-]+)*$";

/// Names of kinds, with commas between.
fn kinds(input: &Input) -> Result<Vec<String>, Problem> {
    let Some(text) = input.text("kind") else { return Ok(Vec::new()) };
    let kinds: Vec<String> = text.split(',').map(str::to_owned).collect();
    let is_kind = |kind: &String| {
        !kind.is_empty() && kind.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'.' | b'-'))
    };
    if text.len() > KINDS_BYTES_MAX || kinds.len() > EVENT_KINDS_MAX || !kinds.iter().all(is_kind) {
        return Err(ill_formed("kind"));
    }
    Ok(kinds)
}

fn row(told: &EventsTold, event: &EventTold) -> Value {
    let seen = Receipt { epoch: told.epoch(), revision: event.revision };
    let by = match event.by {
        EventBy::Subject(Some(id)) => id.to_string(),
        EventBy::Subject(None) => "subject".to_owned(),
        EventBy::Operator => "operator".to_owned(),
        EventBy::Node => "node".to_owned(),
        EventBy::Secret => "secret".to_owned(),
    };
    let details = event.details.iter().filter_map(|detail| detail.split_once('='));
    let details: Map<String, Value> =
        details.map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    let object = Object::new().with("event", event.kind).shown("seen", seen).at("at", Some(event.at));
    let object = object.with("command", event.command).with("by", by);
    let object = match event.subject {
        Some(subject) => object.with("subject", subject.to_string()),
        None => object,
    };
    object.with("details", details).value()
}
