//! Loading a tenant: buckets of the checkpoint, taken over as they lie or through `apply`, then the frames of the
//! tail, through `apply` alone.

use crate::actor::Running;
use crate::directory::Entry;
use crate::house::House;
use crate::ring::Ring;
use crate::state::State;
use std::sync::Arc;
use tessera_model::limits::COMMAND_ID_AHEAD_MS_MAX;
use tessera_model::record::CommandIdRecord;
use tessera_model::{Event, Revision, UnixMillis};
use tessera_storage::{Bucket, Image, Replay, StorageError};

/// LIMIT: events between two settlings of loaded places, so that the overlay stays small.
const SETTLE_EVERY: usize = 4_096;

/// A command's id proves a time as well.
fn prove_ids(house: &House, latest_ms: Option<u64>) {
    if let Some(latest) = latest_ms.filter(|latest| *latest > 0) {
        house.prove(UnixMillis(latest.saturating_sub(COMMAND_ID_AHEAD_MS_MAX)));
    }
}

/// Takes over what of a bucket stands in it as it lies in memory.
fn take_image(house: &House, state: &mut State, no: u32, image: Image) {
    match image {
        Image::None => {}
        Image::Places(places) => state.take_places(no, &places),
        Image::Commands(ids) => {
            // They rise, and begin with their times.
            prove_ids(house, ids.last().map(|record| record.id.unix_ms()));
            state.take_ids(ids);
        }
    }
}

/// Loads a tenant. Blocks.
///
/// # Errors
/// What the store found: damage, or no such tenant.
pub(crate) fn load(house: &Arc<House>, entry: &Arc<Entry>) -> Result<Running, StorageError> {
    let mut state = State::to_be_loaded(entry.tenant, house.config.cell);
    let (mut in_tail, mut applied, mut wall) = (false, 0, UnixMillis(0));
    let mut apply = |state: &mut State, events: &[Event]| {
        let mut latest = None;
        for event in events {
            state.apply(event);
            if let Event::CommandRemembered(record) = event {
                latest = latest.max(Some(record.id.unix_ms()));
            }
        }
        prove_ids(house, latest);
        applied += events.len();
        if applied >= SETTLE_EVERY {
            applied = 0;
            state.settle();
        }
    };
    let head = house.store.load(entry.tenant, &mut |replay| match replay {
        Replay::Bucket(bucket) => {
            let Bucket { no, image, events, .. } = bucket;
            take_image(house, &mut state, no, image);
            apply(&mut state, &events);
        }
        Replay::Frame(frame) => {
            if !in_tail {
                // What buckets brought is not dirty; what the tail brings is.
                in_tail = true;
                drop(state.take_dirty());
            }
            apply(&mut state, &frame.events);
            wall = wall.max(frame.wall);
            house.prove(frame.wall);
            let (id, revision, fingerprint) = (frame.id, frame.revision, frame.fingerprint);
            state.remember_record(CommandIdRecord { id, revision, fingerprint });
        }
    })?;
    let head = head.ok_or(StorageError::TenantUnknown(entry.tenant))?;
    if !in_tail {
        drop(state.take_dirty());
    }
    state.loaded(head.epoch, Revision(head.next.0), house.now());
    let clock = house.clock.now();
    if house.config.trusts_wall && (wall > clock || state.is_ahead_of(clock)) {
        tracing::warn!(tenant = %entry.tenant, "the times of a history that are ahead of the wall clock were dropped");
        state.forget_ahead_of(clock);
        wall = wall.min(clock);
    }
    house.tell_journal_ahead();
    state.settle();
    // What ended while it slept holds no place any more.
    state.sweep(usize::MAX, house.now());
    let ring = Arc::new(Ring::load(&*house.store, entry.tenant, &state.refresh_numbers()));
    let view = Arc::new(state.view());
    view.ring.store(Arc::clone(&ring));
    Ok(Running {
        house: Arc::clone(house),
        entry: Arc::clone(entry),
        view,
        state,
        ring,
        refresh_keys_changed: false,
        erases: false,
        gone: None,
        placed: Vec::new(),
        head,
        calls: crate::writer::Calls::default(),
        waiting: std::collections::VecDeque::new(),
        wall,
        #[cfg(feature = "planted")]
        planted_seen: 0,
    })
}
