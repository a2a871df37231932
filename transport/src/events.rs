//! Watching the events of a tenant: a request that may wait, in the task of its own that every list has.

use crate::list::PLACES_PER_CHECK;
use std::time::Duration;
use tessera_engine::{Bound, Engine, EventBy, EventFilter, EventTold, EventsFrom, EventsTold};
use tessera_model::{Limit, Private, PublicId, Receipt, Refusal};
use tessera_wire::{EventDetails, EventRow, Request, Rows, RowsWriter};

/// The events that a request asks for, as soon as there are some.
pub(crate) async fn page(
    engine: &Engine,
    bound: &Bound,
    request: Request,
    cost: &mut u64,
) -> Result<Rows, Refusal> {
    let Request::WatchEvents { after, limit, wait_ms, since, kinds, subject } = request else {
        return Err(Refusal::Malformed);
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let wait = Duration::from_millis(u64::from(wait_ms.unwrap_or(0)));
    let from = from(after.as_ref(), since);
    let told = engine.watch_events(bound, EventFilter { kinds, subject }, (from, limit, wait)).await?;
    *cost += told.looked / PLACES_PER_CHECK;
    rows(&told)
}

fn from(after: Option<&Private>, since: Option<Receipt>) -> EventsFrom {
    match (after, since) {
        (Some(cursor), _) => EventsFrom::Cursor(cursor.expose().to_vec()),
        (None, Some(since)) if since.epoch.0 == 0 => EventsFrom::First,
        (None, Some(since)) => EventsFrom::Behind(since),
        (None, None) => EventsFrom::Now,
    }
}

const fn by(by: EventBy) -> (u32, Option<PublicId>) {
    match by {
        EventBy::Subject(id) => (1, id),
        EventBy::Operator => (2, None),
        EventBy::Node => (3, None),
        EventBy::Secret => (4, None),
    }
}

fn row(told: &EventsTold, event: &EventTold) -> EventRow {
    let (by, actor) = by(event.by);
    EventRow {
        seen: Receipt { epoch: told.epoch(), revision: event.revision },
        at: event.at,
        event: event.kind.to_owned(),
        command: event.command.to_owned(),
        by,
        actor,
        subject: event.subject,
        details: EventDetails(event.details.clone()),
    }
}

fn rows(told: &EventsTold) -> Result<Rows, Refusal> {
    let (mut writer, mut last, mut next) = (RowsWriter::new(), None, told.next);
    for event in &told.events {
        if !writer.push(&row(told, event)) {
            // The rest comes with the next page.
            next = last.ok_or(Limit::WireFrameBytes.reached())?;
            break;
        }
        last = Some(event.behind);
    }
    Ok(writer.finish(Some(&told.cursor(next))))
}
