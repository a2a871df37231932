//! Watching relations: a request that may wait, in the task of its own that every list has.

use std::sync::Arc;
use std::time::Duration;
use tessera_engine::{Bound, Engine, Listing, RelationChanged, Watched};
use tessera_model::relation::RelationRecord;
use tessera_model::{Limit, Private, Receipt, Refusal, UnixMillis};
use tessera_wire::{RelationEventRow, Rows, RowsWriter};

const WRITTEN: u32 = 1;
const REMOVED: u32 = 2;
const MODEL: u32 = 3;
const FELL_BEHIND: u32 = 4;

/// The changes behind a cursor, as soon as there are some.
pub(crate) async fn page(
    engine: &Engine,
    bound: &Bound,
    after: Option<Private>,
    (limit, wait_ms): (u32, Option<u32>),
    cost: &mut u64,
) -> Result<Rows, Refusal> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let wait = Duration::from_millis(u64::from(wait_ms.unwrap_or(0)));
    let after = after.map(|cursor| cursor.expose().to_vec());
    let watched = engine.watch_relations(bound, after, (limit, wait)).await?;
    *cost += watched.events.len() as u64 / 8;
    let view = bound.entry.view().as_ref().map(Arc::clone).ok_or_else(|| engine.unready(&bound.entry))?;
    let listing = engine.listing(bound, &view, "tessera.admin.relations");
    rows(&watched, &listing)
}

fn rows(watched: &Watched, listing: &Listing) -> Result<Rows, Refusal> {
    let epoch = watched.epoch();
    let mut writer = RowsWriter::new();
    let mut next = watched.next;
    if watched.fell_behind {
        let seen = Receipt { epoch, revision: watched.next.revision() };
        let row = RelationEventRow { event: FELL_BEHIND, seen, at: UnixMillis(0), version: 0, tuple: None };
        if !writer.push(&row) {
            return Err(Limit::WireFrameBytes.reached());
        }
    }
    let mut last = None;
    for event in &watched.events {
        let (number, version, tuple): (u32, u32, Option<&RelationRecord>) = match &event.change {
            RelationChanged::Written(tuple) => (WRITTEN, 0, Some(tuple)),
            RelationChanged::Removed(tuple) => (REMOVED, 0, Some(tuple)),
            RelationChanged::Model(version) => (MODEL, *version, None),
        };
        let tells = |tuple: &RelationRecord| listing.tells(&tuple.object) && listing.tells(&tuple.subject);
        if !tuple.is_none_or(tells) {
            last = Some(event.behind);
            continue;
        }
        let seen = Receipt { epoch, revision: event.revision };
        let row = RelationEventRow { event: number, seen, at: event.at, version, tuple: tuple.cloned() };
        if !writer.push(&row) {
            // The rest comes with the next page.
            next = last.ok_or(Limit::WireFrameBytes.reached())?;
            break;
        }
        last = Some(event.behind);
    }
    Ok(writer.finish(Some(&watched.cursor(next))))
}
