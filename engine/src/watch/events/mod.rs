//! Watching everything that happens in a tenant: its events behind a position, as far as the reader may see them, from
//! the first frame of its history on.
//!
//! Nothing is kept for whoever watches. A page looks at so many frames at most and tells where to go on, also where
//! nothing of it is told: a reader far behind catches up page by page, and costs what it reads.

mod told;

use self::told::{Teller, Told};
use crate::bound::Bound;
use crate::cursor::Cursors;
use crate::engine::Engine;
use crate::list::Listing;
use crate::view::View;
use crate::watch::{FRAMES, STEPS_MAX, cursor_of, heard, read_cursor};
use std::sync::Arc;
use std::time::Duration;
use tessera_model::limits::{PAGE_ROWS_MAX, RELATION_WATCH_WAIT_MS_MAX};
use tessera_model::visibility::Detail;
use tessera_model::{
    Caller, Epoch, ListKind, PublicId, Receipt, Refusal, Revision, SubjectIndex, TenantId, UnixMillis,
};
use tessera_storage::FrameRead;

/// The permission that whoever watches events has, from the first row to the last.
pub const AUDIT: &str = "tessera.audit";
/// The permission to read what is private of subjects.
const PRIVATE: &str = "tessera.admin.subjects";

/// LIMIT: what a request that waits looks at, all rounds together, before it answers without any event: as much as one
/// page.
const LOOKED_MAX: u64 = 4_096;
/// Events of a frame that cost as much to look at as another frame.
const EVENTS_PER_FRAME: u64 = 8;
/// LIMIT: names of kinds in a filter.
pub const EVENT_KINDS_MAX: usize = 64;

/// What of the events is asked for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EventFilter {
    /// Only of these kinds: a whole name (`grant.added`), or the beginning of some (`grant`); none for all.
    pub kinds: Vec<String>,
    /// Only about this subject, or ordered by it.
    pub subject: Option<PublicId>,
}

/// Where a watch begins.
#[derive(Clone, Debug)]
pub enum EventsFrom {
    /// Behind what is there now.
    Now,
    /// With the first event of the tenant.
    First,
    /// Behind this position.
    Behind(Receipt),
    /// Where a page ended.
    Cursor(Vec<u8>),
}

/// Who ordered something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventBy {
    /// A subject of the tenant; none for one that the reader does not see.
    Subject(Option<PublicId>),
    /// An operator of the node.
    Operator,
    /// The node itself.
    Node,
    /// Whoever held a secret.
    Secret,
}

/// One event.
#[derive(Clone, Debug)]
pub struct EventTold {
    /// The position that it was committed at.
    pub revision: Revision,
    /// When.
    pub at: UnixMillis,
    /// What kind of event; `command` for a command without any event that is told.
    pub kind: &'static str,
    /// By which command.
    pub command: &'static str,
    /// By whom.
    pub by: EventBy,
    /// Whom it is about.
    pub subject: Option<PublicId>,
    /// What it says, `name=value` each.
    pub details: Vec<String>,
    /// The position behind it, for a cursor.
    pub behind: EventPosition,
}

/// A position: everything before a revision was seen, and so many events of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EventPosition {
    next: u64,
    seen: u32,
}

/// A part of the events.
pub struct EventsTold {
    /// The events, in their order.
    pub events: Vec<EventTold>,
    /// Where to go on behind all of them.
    pub next: EventPosition,
    /// How many frames were looked at, and for each eight events of one another.
    pub looked: u64,
    cursors: Cursors,
    now: Receipt,
}

impl EventsTold {
    /// The position up to which everything was seen.
    #[must_use]
    pub const fn seen(&self) -> Receipt {
        Receipt { epoch: self.now.epoch, revision: Revision(self.next.next.saturating_sub(1)) }
    }

    /// The life of the history that all of this is of.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.now.epoch
    }

    /// The cursor of a position.
    #[must_use]
    pub fn cursor(&self, at: EventPosition) -> Vec<u8> {
        cursor_of(&self.cursors, at.next, (self.now.epoch, at.seen))
    }

    const fn has_more(&self) -> bool {
        self.next.next <= self.now.revision.0
    }
}

/// What a reader is told of one frame: of whom it sees, and what was asked for.
struct Reader<'a> {
    teller: Teller<'a>,
    filter: &'a EventFilter,
}

impl Reader<'_> {
    /// Whether it is told of this: of nobody whom it does not see, and of whom it sees what it is shown. What names a
    /// session or a key alone tells not whose it is: where rules limit what is seen, nobody is told of it.
    fn is_for(&self, told: &Told) -> bool {
        let listing = self.teller.listing;
        if !told.names.iter().all(|name| listing.tells(name)) {
            return false;
        }
        if told.subject.0 == 0 {
            let of_somebody = matches!(told.detail, Some(Detail::Sessions | Detail::Keys));
            let hidden = of_somebody && listing.is_limited();
            return !hidden;
        }
        match told.detail {
            Some(detail) => listing.shows(told.subject, detail),
            None => listing.sees(told.subject).is_some(),
        }
    }

    fn by(&self, frame: &FrameRead) -> EventBy {
        match frame.caller {
            // A tenant's first frame is ordered in the system tenant, by a subject of that one.
            Caller::Holder { .. } if frame.revision.0 == 0 && frame.tenant != TenantId::SYSTEM => {
                EventBy::Operator
            }
            Caller::Holder { subject, .. } => EventBy::Subject(self.teller.listing.shown_id(subject)),
            Caller::Operator { .. } => EventBy::Operator,
            Caller::Node => EventBy::Node,
            Caller::Bootstrap | Caller::Claimant => EventBy::Secret,
        }
    }

    fn wants(&self, kind: &str, (subject, by): (Option<PublicId>, EventBy)) -> bool {
        let of_kind = |asked: &String| {
            kind.strip_prefix(asked.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let kinds = self.filter.kinds.is_empty() || self.filter.kinds.iter().any(of_kind);
        let about = |asked: PublicId| subject == Some(asked) || by == EventBy::Subject(Some(asked));
        kinds && self.filter.subject.is_none_or(about)
    }

    fn row(&self, frame: &FrameRead, told: Told) -> Option<EventTold> {
        if !self.is_for(&told) {
            return None;
        }
        let by = self.by(frame);
        let subject = self.teller.listing.shown_id(told.subject);
        if !self.wants(told.kind, (subject, by)) {
            return None;
        }
        Some(EventTold {
            revision: frame.revision,
            at: frame.wall,
            kind: told.kind,
            command: frame.kind.name(),
            by,
            subject,
            details: told.details,
            behind: EventPosition { next: frame.revision.0, seen: 0 },
        })
    }

    /// What is told of a frame, behind `skip` events of it.
    fn rows(&self, frame: &FrameRead, skip: u32) -> Vec<EventTold> {
        let mut found: Vec<Told> = frame.events.iter().filter_map(|event| self.teller.tell(event)).collect();
        if found.is_empty() {
            // What it changed is told to nobody, as a password is: that it was ordered is.
            let (subject, detail) = (SubjectIndex(0), None);
            found.push(Told { kind: "command", subject, detail, details: vec![], names: vec![] });
        }
        let count = found.len();
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let rows = (1_u32..).zip(found).skip(skip).filter_map(|(nth, told)| {
            let last = usize::try_from(nth).is_ok_and(|nth| nth == count);
            let next = frame.revision.0;
            let behind = if last {
                EventPosition { next: next + 1, seen: 0 }
            } else {
                EventPosition { next, seen: nth }
            };
            self.row(frame, told).map(|row| EventTold { behind, ..row })
        });
        rows.collect()
    }
}

impl Engine {
    /// The events of a tenant from a position on, at most `limit` of them (a command more than that, at most), filtered.
    /// Where there is nothing behind it the answer waits as long as it is told, 30 s at most; it is given without any
    /// event once as much was looked at as one page may look at.
    ///
    /// # Errors
    /// `Malformed` for a filter over its bounds; `CursorRefused`, `Restored` or `Behind` for a position of elsewhere;
    /// `Busy` when too many wait; `Unauthorized` when the caller has ended meanwhile, or may not any more; `NotReady`
    /// when the tenant has gone to sleep.
    pub async fn watch_events(
        &self,
        bound: &Bound,
        filter: EventFilter,
        window: (EventsFrom, usize, Duration),
    ) -> Result<EventsTold, Refusal> {
        self.watch_events_paid(bound, filter, window, Arc::new(|_: u64| {})).await
    }

    /// As [`Engine::watch_events`]; `paid` hears how much each round has looked at, also when nobody waits for the answer
    /// any more.
    ///
    /// # Errors
    /// As [`Engine::watch_events`].
    pub async fn watch_events_paid(
        &self,
        bound: &Bound,
        filter: EventFilter,
        (from, limit, wait): (EventsFrom, usize, Duration),
        paid: Arc<dyn Fn(u64) + Send + Sync>,
    ) -> Result<EventsTold, Refusal> {
        if filter.kinds.len() > EVENT_KINDS_MAX {
            return Err(Refusal::Malformed);
        }
        let limit = if limit == 0 { PAGE_ROWS_MAX } else { limit.min(PAGE_ROWS_MAX) };
        let wait = wait.min(Duration::from_millis(u64::from(RELATION_WATCH_WAIT_MS_MAX)));
        let until = tokio::time::Instant::now() + wait;
        let waits = !wait.is_zero() && !matches!(from, EventsFrom::Now);
        let filter = Arc::new(filter);
        let (mut from, mut looked) = (from, 0_u64);
        loop {
            let stirred = bound.entry.stirred();
            let view = bound.entry.view().as_ref().map(Arc::clone);
            let view = view.ok_or_else(|| self.unready(&bound.entry))?;
            let published = view.watchers.any_published();
            tokio::pin!(stirred, published);
            // From here on nothing that is published goes unheard.
            published.as_mut().enable();
            self.may_still(bound, AUDIT)?;
            let (engine, bound_too, seen, asked) =
                (self.clone(), bound.clone(), Arc::clone(&view), (Arc::clone(&filter), from.clone()));
            let paid = Arc::clone(&paid);
            let read = move || {
                let told = engine.events(&bound_too, &seen, &asked.0, &asked.1, limit)?;
                paid(told.looked);
                Ok::<_, Refusal>(told)
            };
            let mut told = tokio::task::spawn_blocking(read).await.map_err(|_| Refusal::NotReady)??;
            looked = looked.saturating_add(told.looked);
            told.looked = looked;
            // The credential or what it may do may have ended while it was waited or read.
            self.may_still(bound, AUDIT)?;
            if !waits || !told.events.is_empty() || told.has_more() || looked >= LOOKED_MAX {
                return Ok(told);
            }
            from = EventsFrom::Cursor(told.cursor(told.next));
            if !heard(&view.watchers, until, (published, stirred)).await? {
                self.may_still(bound, AUDIT)?;
                return Ok(told);
            }
        }
    }

    /// The cursors of events that are filtered so.
    fn event_cursors(&self, tenant: TenantId, filter: &EventFilter) -> Result<Cursors, Refusal> {
        let subject = filter.subject.map(|subject| subject.to_string()).unwrap_or_default();
        let mut about = vec![subject.as_str()];
        about.extend(filter.kinds.iter().map(String::as_str));
        self.relation_cursors(tenant, ListKind::Events, &about)
    }

    /// Where to begin.
    fn begin_events(
        &self,
        tenant: TenantId,
        (cursors, now): (&Cursors, Receipt),
        from: &EventsFrom,
    ) -> Result<EventPosition, Refusal> {
        let (epoch, at) = match from {
            EventsFrom::First => return Ok(EventPosition { next: 0, seen: 0 }),
            EventsFrom::Now => return Ok(EventPosition { next: now.revision.0 + 1, seen: 0 }),
            EventsFrom::Behind(seen) => {
                (seen.epoch, EventPosition { next: seen.revision.0.saturating_add(1), seen: 0 })
            }
            EventsFrom::Cursor(bytes) => {
                let (next, (epoch, seen)) = read_cursor(cursors, bytes)?;
                (epoch, EventPosition { next, seen })
            }
        };
        if epoch > now.epoch {
            return Err(Refusal::Behind);
        }
        let past = at.next > now.revision.0 + 1;
        if epoch == now.epoch {
            return if past { Err(Refusal::Behind) } else { Ok(at) };
        }
        // A position of before a restore is good as far as the history that was seen is the one that is there.
        let last = if at.seen > 0 { Some(at.next) } else { at.next.checked_sub(1) };
        let Some(last) = last else { return Ok(at) };
        if past {
            return Err(Refusal::Restored);
        }
        let frame = self.house.store.history(tenant, Revision(last), 1).map_err(|_| Refusal::TenantFailed)?;
        match frame.first() {
            Some(frame) if frame.revision.0 == last && frame.epoch <= epoch => Ok(at),
            Some(_) | None => Err(Refusal::Restored),
        }
    }

    /// Reads on from a position, as far as some thousand frames go. Blocks.
    fn events(
        &self,
        bound: &Bound,
        view: &View,
        filter: &EventFilter,
        from: &EventsFrom,
        limit: usize,
    ) -> Result<EventsTold, Refusal> {
        let tenant = bound.entry.tenant;
        let now = self.read(view).seen();
        let cursors = self.event_cursors(tenant, filter)?;
        let mut at = self.begin_events(tenant, (&cursors, now), from)?;
        let listing: Listing = self.listing(bound, view, AUDIT);
        let root = view.root.full();
        let teller = Teller { root: &root, listing: &listing, private: self.may(bound, PRIVATE) };
        let reader = Reader { teller, filter };
        let mut told = EventsTold { events: Vec::new(), next: at, looked: 0, cursors, now };
        for _ in 0..STEPS_MAX {
            if at.next > now.revision.0 || told.events.len() >= limit {
                break;
            }
            let frames = self.house.store.history(tenant, Revision(at.next), FRAMES);
            let frames = frames.map_err(|_| Refusal::TenantFailed)?;
            if frames.is_empty() {
                break;
            }
            for frame in frames {
                // What is durable and not yet published is seen by nobody.
                if frame.revision > now.revision || told.events.len() >= limit {
                    break;
                }
                told.looked += 1 + frame.events.len() as u64 / EVENTS_PER_FRAME;
                told.events.extend(reader.rows(&frame, at.seen));
                at = EventPosition { next: frame.revision.0 + 1, seen: 0 };
            }
        }
        told.next = at;
        Ok(told)
    }
}
