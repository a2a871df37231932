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
use tessera_model::{Event, Revision, TenantId, UnixMillis};
use tessera_storage::{Bucket, Head, Image, Replay, StorageError};

/// LIMIT: events between two settlings of loaded places, so that the overlay stays small.
const SETTLE_EVERY: usize = 4_096;

/// A tenant that is being loaded.
pub(crate) struct Loader {
    pub(crate) state: State,
    /// Whether frames came behind the buckets.
    in_tail: bool,
    /// Events since places were settled last.
    applied: usize,
    /// The latest times of frames and of command ids: they prove what time it is once the tenant lives here.
    wall: UnixMillis,
    latest_ms: u64,
}

impl Loader {
    /// One of which nothing was loaded yet.
    pub(crate) fn new(house: &House, tenant: TenantId) -> Self {
        let state = State::to_be_loaded(tenant, house.config.cell);
        Self { state, in_tail: false, applied: 0, wall: UnixMillis(0), latest_ms: 0 }
    }

    /// Takes the next part of it.
    pub(crate) fn take(&mut self, replay: Replay) {
        match replay {
            Replay::Bucket(bucket) => {
                let Bucket { no, image, events, .. } = bucket;
                self.take_image(no, image);
                self.apply(&events);
            }
            Replay::Frame(frame) => {
                if !self.in_tail {
                    // What buckets brought is not dirty; what the tail brings is.
                    self.in_tail = true;
                    drop(self.state.take_dirty());
                }
                self.apply(&frame.events);
                self.wall = self.wall.max(frame.wall);
                self.state.remember_record(CommandIdRecord {
                    id: frame.id,
                    revision: frame.revision,
                    fingerprint: frame.fingerprint,
                });
            }
        }
    }

    /// Takes over what of a bucket stands in it as it lies in memory.
    fn take_image(&mut self, no: u32, image: Image) {
        match image {
            Image::None => {}
            Image::Places(places) => self.state.take_places(no, &places),
            Image::Commands(ids) => {
                // They rise, and begin with their times.
                self.latest_ms = self.latest_ms.max(ids.last().map_or(0, |record| record.id.unix_ms()));
                self.state.take_ids(ids);
            }
        }
    }

    fn apply(&mut self, events: &[Event]) {
        for event in events {
            self.state.apply(event);
            if let Event::CommandRemembered(record) = event {
                self.latest_ms = self.latest_ms.max(record.id.unix_ms());
            }
        }
        self.applied += events.len();
        if self.applied >= SETTLE_EVERY {
            self.applied = 0;
            self.state.settle();
        }
    }

    /// All that was loaded stands in buckets on the disk: nothing of it is to be put there again.
    pub(crate) fn is_in_buckets(&mut self) {
        drop(self.state.take_dirty());
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn bytes(&mut self) -> usize {
        self.state.settle();
        self.state.bytes()
    }

    /// What a tenant's actor starts with, at this head.
    pub(crate) fn finish(self, house: &Arc<House>, entry: &Arc<Entry>, head: Head) -> Running {
        let Self { mut state, in_tail, mut wall, latest_ms, .. } = self;
        house.prove(wall);
        if latest_ms > 0 {
            // A command's id proves a time as well.
            house.prove(UnixMillis(latest_ms.saturating_sub(COMMAND_ID_AHEAD_MS_MAX)));
        }
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
        Running {
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
            calls: crate::supervisor::Calls::default(),
            waiting: std::collections::VecDeque::new(),
            wall,
            #[cfg(feature = "planted")]
            planted_seen: 0,
        }
    }
}

/// Loads a tenant. Blocks.
///
/// # Errors
/// What the store found: damage, or no such tenant.
pub(crate) fn load(house: &Arc<House>, entry: &Arc<Entry>) -> Result<Running, StorageError> {
    let mut loader = Loader::new(house, entry.tenant);
    let head = house.store.load(entry.tenant, &mut |replay| loader.take(replay))?;
    let head = head.ok_or(StorageError::TenantUnknown(entry.tenant))?;
    Ok(loader.finish(house, entry, head))
}
