//! Watching relations over HTTP: a request that is answered as soon as something has changed.

use crate::answer::Object;
use crate::door::Shared;
use crate::input::Input;
use crate::problem::Problem;
use serde_json::Value;
use std::time::Duration;
use tessera_engine::{Bound, RelationChanged, RelationEvent, Watched};
use tessera_model::{Receipt, cursor};

/// Answers `watch_relations`, and says how much it told.
pub(crate) async fn answer(shared: &Shared, bound: &Bound, input: &Input) -> Result<(Value, u64), Problem> {
    let wait = Duration::from_secs(u64::from(input.count("wait_s")?.unwrap_or(0)));
    let limit = crate::list::limit(input)?;
    let mut draining = shared.draining.clone();
    let watched = tokio::select! {
        biased;
        watched = shared.engine.watch_relations(bound, input.cursor("cursor"), (limit, wait)) => watched?,
        // What waits for something to happen is not waited for.
        _ = draining.wait_for(|draining| *draining) => return Err(Problem::draining()),
    };
    let seen = Receipt { epoch: watched.epoch(), revision: watched.next.revision() };
    let view = shared.engine.view_of(bound)?;
    let listing = shared.engine.listing(bound, &view, "tessera.admin.relations");
    let tells = |event: &&RelationEvent| match &event.change {
        RelationChanged::Written(tuple) | RelationChanged::Removed(tuple) => {
            listing.tells(&tuple.object) && listing.tells(&tuple.subject)
        }
        RelationChanged::Model(_) => true,
    };
    let rows: Vec<Value> = watched.events.iter().filter(tells).map(|event| row(&watched, event)).collect();
    let next = cursor::to_text(&watched.cursor(watched.next));
    let told = rows.len() as u64;
    let answer = Object::new().with("rows", rows).with("next", next).shown("seen", seen);
    Ok((answer.with("fell_behind", watched.fell_behind).value(), told))
}

fn row(watched: &Watched, event: &RelationEvent) -> Value {
    let seen = Receipt { epoch: watched.epoch(), revision: event.revision };
    let (word, tuple) = match &event.change {
        RelationChanged::Written(tuple) => ("write", tuple),
        RelationChanged::Removed(tuple) => ("remove", tuple),
        RelationChanged::Model(version) => {
            let object = Object::new().with("event", "model").shown("seen", seen).at("at", Some(event.at));
            return object.with("version", *version).value();
        }
    };
    Object::new()
        .with("event", word)
        .shown("seen", seen)
        .at("at", Some(event.at))
        .with("user", &*tuple.subject)
        .with("relation", &*tuple.relation)
        .with("object", &*tuple.object)
        .until("from", tuple.from)
        .until("until", tuple.until)
        .value()
}
