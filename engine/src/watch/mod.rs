//! Watching relations: what changed behind a position, read from history, and a wait where nothing has.
//!
//! Nothing is kept for whoever watches: a position is a revision, good across restarts, and whoever reads too
//! slowly is told where to begin anew.

pub(crate) mod events;

use crate::bound::Bound;
use crate::cursor::Cursors;
use crate::engine::Engine;
use crate::view::View;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tessera_model::limits::{
    PAGE_ROWS_MAX, RELATION_WATCH_BEHIND_MAX, RELATION_WATCH_WAIT_MS_MAX, RELATION_WATCHERS_MAX,
};
use tessera_model::moving::Carried;
use tessera_model::relation::RelationRecord;
use tessera_model::{
    CursorFault, Epoch, Event, Limit, ListKind, Receipt, Refusal, Revision, TenantId, UnixMillis,
};
use tokio::sync::Notify;
use tokio::time::Instant;

/// The permission that whoever watches has, from the first row to the last.
const WATCH: &str = "tessera.admin.relations";

/// LIMIT: frames of history that are looked at in one step: some milliseconds.
const FRAMES: usize = 256;
/// LIMIT: such steps of one request.
const STEPS_MAX: usize = 16;

/// LIMIT: revisions that are known to have changed relations: whoever waits reads nothing before them.
const RECENT_MAX: usize = 256;

/// The revisions that changed relations, as far back as they are known.
struct Recent {
    /// Behind this one all are known.
    known_from: u64,
    revisions: VecDeque<u64>,
}

/// What waits for changes of a tenant's relations.
pub(crate) struct Watchers {
    published: Notify,
    /// Something was published, whatever it was.
    any: Notify,
    waiting: AtomicUsize,
    recent: Mutex<Recent>,
    /// Something was noted since the last waking.
    fresh: AtomicBool,
}

impl Watchers {
    /// Nobody yet; `next` is the revision that the tenant's next command gets.
    pub(crate) fn new(next: Revision) -> Self {
        let recent = Recent { known_from: next.0.saturating_sub(1), revisions: VecDeque::new() };
        Self {
            published: Notify::new(),
            any: Notify::new(),
            waiting: AtomicUsize::new(0),
            recent: Mutex::new(recent),
            fresh: AtomicBool::new(false),
        }
    }

    /// A revision that is about to be published changes relations. INVARIANT: noted before it is published, so
    /// that whoever sees a later one knows of it.
    pub(crate) fn note(&self, revision: Revision) {
        let mut recent = self.recent.lock();
        if recent.revisions.back() == Some(&revision.0) {
            return;
        }
        recent.revisions.push_back(revision.0);
        if recent.revisions.len() > RECENT_MAX {
            recent.known_from = recent.revisions.pop_front().unwrap_or(recent.known_from);
        }
        drop(recent);
        self.fresh.store(true, Ordering::Release);
    }

    /// The next time that something is published, whatever it is.
    pub(crate) fn any_published(&self) -> tokio::sync::futures::Notified<'_> {
        self.any.notified()
    }

    /// Wakes whoever waits for relations, when what was published changed those, and whoever waits for anything.
    pub(crate) fn wake(&self) {
        self.any.notify_waiters();
        if self.fresh.swap(false, Ordering::AcqRel) {
            self.published.notify_waiters();
        }
    }

    /// Where to read on behind a revision that was seen whole, up to `now`: right before the first one that
    /// changed relations, or `now` where none did. The same where that is not known.
    fn skip(&self, seen: u64, now: u64) -> u64 {
        let recent = self.recent.lock();
        if seen < recent.known_from {
            return seen;
        }
        let next = recent.revisions.iter().find(|revision| **revision > seen);
        next.map_or(now, |next| (next - 1).min(now)).max(seen)
    }
}

/// A change of relations.
#[derive(Clone, Debug)]
pub enum RelationChanged {
    /// The tuple stands, with this window.
    Written(RelationRecord),
    /// The tuple is gone; it has no window.
    Removed(RelationRecord),
    /// The model is this version.
    Model(u32),
}

/// A change with its position.
#[derive(Clone, Debug)]
pub struct RelationEvent {
    /// The position that it was committed at.
    pub revision: Revision,
    /// When.
    pub at: UnixMillis,
    /// What.
    pub change: RelationChanged,
    /// The position behind it, for a cursor.
    pub behind: WatchPosition,
}

/// A position of whoever watches: everything of a revision was seen, and so many changes of what follows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WatchPosition {
    revision: u64,
    seen: u32,
}

/// A part of the changes.
pub struct Watched {
    /// The changes, in their order.
    pub events: Vec<RelationEvent>,
    /// Where to go on behind all of them.
    pub next: WatchPosition,
    /// Too much has changed since the position that was asked for: read all tuples as of `next`, and go on there.
    pub fell_behind: bool,
    cursors: Cursors,
    epoch: u64,
    /// The revision that was published when it was read.
    seen: u64,
}

impl WatchPosition {
    /// The revision that was seen whole.
    #[must_use]
    pub const fn revision(self) -> Revision {
        Revision(self.revision)
    }
}

impl Watched {
    /// The life of the history that all of this is of.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        Epoch(self.epoch)
    }

    /// The cursor of a position.
    #[must_use]
    pub fn cursor(&self, at: WatchPosition) -> Vec<u8> {
        cursor_of(&self.cursors, at.revision, (Epoch(self.epoch), at.seen))
    }
}

/// One of the waiting; counted while it is there.
struct Place<'a>(&'a Watchers);

impl<'a> Place<'a> {
    fn take(watchers: &'a Watchers) -> Result<Self, Refusal> {
        let place = Self(watchers);
        if watchers.waiting.fetch_add(1, Ordering::Relaxed) >= RELATION_WATCHERS_MAX {
            return Err(Limit::RelationWatchers.busy());
        }
        Ok(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Waits at a watcher's place until something is published or the tenant stirs; false when `until` came before.
async fn heard(
    watchers: &Watchers,
    until: Instant,
    (published, stirred): (impl Future<Output = ()>, impl Future<Output = ()>),
) -> Result<bool, Refusal> {
    let _place = Place::take(watchers)?;
    let either = async {
        tokio::select! {
            () = published => {}
            () = stirred => {}
        }
    };
    Ok(tokio::time::timeout_at(until, either).await.is_ok())
}

/// The cursor of a position: its revision, the life of the history, and how much of what follows was seen.
fn cursor_of(cursors: &Cursors, revision: u64, (epoch, seen): (Epoch, u32)) -> Vec<u8> {
    let mut tail = [0; 12];
    let parts = epoch.0.to_le_bytes().into_iter().chain(seen.to_le_bytes());
    tail.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    cursors.behind(revision, &tail)
}

/// What [`cursor_of`] wrote.
fn read_cursor(cursors: &Cursors, cursor: &[u8]) -> Result<(u64, (Epoch, u32)), Refusal> {
    let damaged = Refusal::CursorRefused(CursorFault::Damaged);
    let (revision, tail) = cursors.tail(Some(cursor))?.ok_or(damaged)?;
    let (epoch, seen) = tail.split_first_chunk::<8>().ok_or(damaged)?;
    let seen = u32::from_le_bytes(seen.try_into().map_err(|_| damaged)?);
    Ok((revision, (Epoch(u64::from_le_bytes(*epoch)), seen)))
}

fn position(
    cursors: &Cursors,
    cursor: &[u8],
    (now, carried): (Receipt, Option<Carried>),
) -> Result<WatchPosition, Refusal> {
    let (revision, (Epoch(epoch), seen)) = read_cursor(cursors, cursor)?;
    match epoch {
        epoch if epoch < now.epoch.0 => {
            let at = (Epoch(epoch), Revision(revision));
            let same = carried.is_some_and(|carried| carried.holds(now.epoch, at));
            if same { Ok(WatchPosition { revision, seen }) } else { Err(Refusal::Restored) }
        }
        epoch if epoch > now.epoch.0 || revision > now.revision.0 => Err(Refusal::Behind),
        _ => Ok(WatchPosition { revision, seen }),
    }
}

/// Whether an event is one of the changes that are watched.
pub(crate) const fn is_change(event: &Event) -> bool {
    matches!(
        event,
        Event::RelationWritten(_) | Event::RelationRemoved { .. } | Event::RelationModelChanged(_)
    )
}

/// The changes of one frame.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is about something else")]
fn changes(events: Vec<Event>) -> Vec<RelationChanged> {
    let change = |event| {
        Some(match event {
            Event::RelationWritten(record) => RelationChanged::Written(record),
            Event::RelationRemoved { object, relation, subject } => {
                let (from, until) = (tessera_model::Deadline::NONE, tessera_model::Deadline::NONE);
                RelationChanged::Removed(RelationRecord { object, relation, subject, from, until })
            }
            Event::RelationModelChanged(record) => RelationChanged::Model(record.version),
            _ => return None,
        })
    };
    events.into_iter().filter_map(change).collect()
}

impl Engine {
    /// The changes of relations behind a cursor, at most `limit` of them (a command more than that, at most);
    /// none without a cursor, but where to begin. Where nothing has changed it waits as long as it is told, 30 s
    /// at most.
    ///
    /// # Errors
    /// `CursorRefused`, `Restored` or `Behind` for a cursor of elsewhere; `Busy` when too many wait;
    /// `Unauthorized` when the caller has ended meanwhile, or may not any more; `NotReady` when the tenant has gone
    /// to sleep.
    pub async fn watch_relations(
        &self,
        bound: &Bound,
        cursor: Option<Vec<u8>>,
        (limit, wait): (usize, Duration),
    ) -> Result<Watched, Refusal> {
        let limit = if limit == 0 { PAGE_ROWS_MAX } else { limit.min(PAGE_ROWS_MAX) };
        let wait = wait.min(Duration::from_millis(u64::from(RELATION_WATCH_WAIT_MS_MAX)));
        let until = Instant::now() + wait;
        let mut from = cursor;
        loop {
            // A tenant that goes to sleep or is loaded anew has other watchers from then on.
            let stirred = bound.entry.stirred();
            let view = bound.entry.view().as_ref().map(Arc::clone);
            let view = view.ok_or_else(|| self.unready(&bound.entry))?;
            let published = view.watchers.published.notified();
            tokio::pin!(stirred, published);
            // From here on nothing that is published goes unheard.
            published.as_mut().enable();
            let (engine, tenant, seen_view) = (self.clone(), bound.entry.tenant, Arc::clone(&view));
            let cursor = from.clone();
            let read = move || engine.changes(tenant, &seen_view, cursor.as_deref(), limit);
            let watched = tokio::task::spawn_blocking(read).await.map_err(|_| Refusal::NotReady)??;
            // The credential or what it may do may have ended while it was waited or read.
            self.may_still(bound, WATCH)?;
            let idle = watched.events.is_empty() && !watched.fell_behind && from.is_some();
            if !idle {
                return Ok(watched);
            }
            let on = Some(watched.cursor(watched.next));
            let moved = from != on;
            from = on;
            if moved && watched.next.revision < watched.seen {
                // There is more to look at, as far as nobody falls behind: no time to wait.
                continue;
            }
            if !heard(&view.watchers, until, (published, stirred)).await? {
                self.may_still(bound, WATCH)?;
                return Ok(watched);
            }
        }
    }

    /// Whether a caller that watches may be told more, now.
    fn may_still(&self, bound: &Bound, permission: &str) -> Result<(), Refusal> {
        if self.is_asleep(bound) {
            return Err(self.unready(&bound.home));
        }
        if self.is_alive(bound) && self.may(bound, permission) { Ok(()) } else { Err(Refusal::Unauthorized) }
    }

    /// Reads on behind a cursor, as far as some thousand frames go. Blocks.
    fn changes(
        &self,
        tenant: TenantId,
        view: &View,
        cursor: Option<&[u8]>,
        limit: usize,
    ) -> Result<Watched, Refusal> {
        let now = self.read(view).seen();
        let cursors = self.relation_cursors(tenant, ListKind::RelationChanges, &[])?;
        let end = WatchPosition { revision: now.revision.0, seen: 0 };
        let mut watched = Watched {
            events: Vec::new(),
            next: end,
            fell_behind: false,
            cursors,
            epoch: now.epoch.0,
            seen: end.revision,
        };
        let Some(cursor) = cursor else { return Ok(watched) };
        let mut at = position(&watched.cursors, cursor, (now, view.root.full().course.carried))?;
        if at.seen == 0 {
            at.revision = view.watchers.skip(at.revision, now.revision.0);
        }
        if now.revision.0 - at.revision > RELATION_WATCH_BEHIND_MAX {
            watched.fell_behind = true;
            return Ok(watched);
        }
        for _ in 0..STEPS_MAX {
            if at.revision >= now.revision.0 || watched.events.len() >= limit {
                break;
            }
            let frames = self.house.store.history(tenant, Revision(at.revision + 1), FRAMES);
            let frames = frames.map_err(|_| Refusal::TenantFailed)?;
            if frames.is_empty() {
                break;
            }
            for frame in frames {
                // What is durable and not yet published is seen by nobody.
                if frame.revision > now.revision || watched.events.len() >= limit {
                    break;
                }
                let (revision, wall) = (frame.revision, frame.wall);
                let all = changes(frame.events);
                let count = all.len();
                let skip = usize::try_from(at.seen).unwrap_or(usize::MAX);
                for (nth, change) in (1_u32..).zip(all).skip(skip) {
                    let behind = if usize::try_from(nth).is_ok_and(|nth| nth == count) {
                        WatchPosition { revision: revision.0, seen: 0 }
                    } else {
                        WatchPosition { revision: revision.0 - 1, seen: nth }
                    };
                    watched.events.push(RelationEvent { revision, at: wall, change, behind });
                }
                at = WatchPosition { revision: revision.0, seen: 0 };
            }
        }
        watched.next = at;
        Ok(watched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future as _;
    use std::task::{Context, Poll, Waker};

    /// PROPERTY: what is published wakes whoever waits exactly when it changed relations, each change once.
    #[test]
    fn only_changes_wake() {
        let watchers = Watchers::new(Revision(7));
        let mut context = Context::from_waker(Waker::noop());
        for (noted, wakes) in [(None, false), (Some(8), true), (None, false), (None, false), (Some(11), true)]
        {
            let published = watchers.published.notified();
            tokio::pin!(published);
            published.as_mut().enable();
            if let Some(revision) = noted {
                watchers.note(Revision(revision));
            }
            watchers.wake();
            let woken = matches!(published.as_mut().poll(&mut context), Poll::Ready(()));
            assert_eq!(woken, wakes, "{noted:?}");
        }
        assert_eq!((watchers.skip(6, 11), watchers.skip(8, 11)), (7, 10));
    }
}
