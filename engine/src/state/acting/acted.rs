//! What is kept of sessions in which somebody acted for somebody else: since when, until when, and how it ended.
//!
//! Such a session ends in many ways, some of them without a command: its time is over, the actor may not act any more, a
//! cut-off. Each is noted by the tenant's next drain, the ordered ones in their own commit. INVARIANT: what is noted
//! as over stays over: a session that lives on at its place is ended with the note, for the actor's power may be given anew.

use crate::check::{Live, UsedFrom};
use crate::state::{Decided, State};
use crate::table::{ALIVE, Fields};
use std::sync::Arc;
use tessera_model::elevation::{ActedRecord, ActingEnd};
use tessera_model::grant_condition::GrantCondition;
use tessera_model::limits::ACTED_PER_SUBJECT_MAX;
use tessera_model::record::SubjectStatus;
use tessera_model::refresh::EndReason;
use tessera_model::{
    Caller, Deadline, Event, Generation, Place, PublicId, Refusal, SubjectIndex, UnixMillis, WorkspaceIndex,
};

/// LIMIT: ends that one frame notes; the next one goes on.
const ENDS_MAX: usize = 256;

impl State {
    /// Who acts and acted for a subject, by number.
    pub(in crate::state) fn acted_of(&self, subject: SubjectIndex) -> impl Iterator<Item = &ActedRecord> {
        let range = (subject, 0)..=(subject, u32::MAX);
        self.root.acts.kept.range(range).map(|(_, record)| &**record)
    }

    /// That somebody begins to act; what is oldest and over makes room.
    pub(in crate::state) fn acting_begins(&self, record: ActedRecord) -> Vec<Event> {
        let subject = record.subject;
        let number = self.acted_of(subject).last().map_or(1, |last| last.number.saturating_add(1));
        let mut events = vec![Event::ActingNoted(ActedRecord { number, ..record })];
        let mut over = self.acted_of(subject).filter(|record| record.ended != Deadline::NONE);
        let oldest = over.next().map(|record| record.number);
        if let (Some(number), true) = (oldest, over.count() + 1 >= ACTED_PER_SUBJECT_MAX) {
            events.push(Event::ActingForgotten { subject, number });
        }
        events
    }

    fn noted(record: &ActedRecord, (ended, how): (Deadline, ActingEnd)) -> Event {
        Event::ActingNoted(ActedRecord { ended, how, ..record.clone() })
    }

    /// That a session which somebody ends now was one in which somebody acted.
    pub(in crate::state) fn acting_ordered(&self, session: PublicId, now: UnixMillis) -> Option<Event> {
        let mut open = self.root.acts.open.keys().filter_map(|at| self.root.acts.kept.get(at));
        let record = open.find(|record| record.session == session)?;
        Some(Self::noted(record, (now.to_deadline(), ActingEnd::Ordered)))
    }

    /// When and how it ended that somebody acted; none while it goes on.
    fn acting_end(&self, record: &ActedRecord, now: UnixMillis) -> Option<(Deadline, ActingEnd)> {
        let (place, generation) = record.session.place();
        if self.live(place, generation, now).is_some() {
            return None;
        }
        let (at, fields) = (now.to_deadline(), self.place(place));
        let live = Live::of(&fields);
        let lies_there = crate::check::halves(fields[0]).0 == generation.0 && fields[0] & ALIVE != 0;
        let line = self.root.rules.line(record.subject);
        Some(if record.ends.passed(now) {
            (record.ends, ActingEnd::Lifetime)
        } else if lies_there && live.idle.passed(now) {
            (live.idle, ActingEnd::Lifetime)
        } else if line.is_none_or(|line| line.status() != SubjectStatus::Active)
            || lies_there && self.is_cut(&live)
        {
            (at, ActingEnd::Subject)
        } else if lies_there && self.stands_somewhere(&fields, (place, generation), now) {
            return None;
        } else if lies_there {
            (at, ActingEnd::Actor)
        } else {
            (at, ActingEnd::Ordered)
        })
    }

    /// Whether a session that is denied lies there still, and neither a cut-off nor time nor a deletion keeps it and whoever
    /// acts in it from coming back.
    fn could_come_back(&self, life: (Place, Generation), now: UnixMillis) -> bool {
        let lives = |(place, generation): (Place, Generation)| {
            let fields = self.place(place);
            let ([head, ..], live) = (fields, Live::of(&fields));
            let line = self.root.rules.line(live.subject);
            let held = head & ALIVE != 0 && crate::check::halves(head).0 == generation.0;
            let stays = line.is_some_and(|line| line.status() != SubjectStatus::Deleted);
            (held && stays && !self.is_cut(&live) && live.clock(now).is_ok()).then_some((live, line))
        };
        let (Some((live, _)), Some(acting)) = (lives(life), self.acting(life)) else { return false };
        let by = lives(acting.by).and_then(|(_, line)| line);
        by.is_some_and(|line| live.cut_off >= line.cut_off())
    }

    /// Whether a session in which somebody acts could be used from some address, where what lets them act counts from some
    /// networks alone. Networks lie in one another or apart, so that the first addresses of all of them are all that
    /// matter.
    fn stands_somewhere(&self, fields: &Fields, life: (Place, Generation), now: UnixMillis) -> bool {
        let (Some(acting), Some(open)) = (self.acting(life), self.permission_id(crate::beside::OPENS)) else {
            return false;
        };
        let sources = self.root.rules.explain(acting.actor, open, WorkspaceIndex(0), now).sources;
        let named = sources.iter().flat_map(|source| source.conditions.as_slice());
        let named = named.filter_map(|condition| {
            if let GrantCondition::Networks(networks) = condition { Some(networks.as_slice()) } else { None }
        });
        let bound = self.root.sides.get(&acting.by).map(|networks| &**networks);
        let mut addresses = named.chain(bound).flatten().map(|network| Some(network.address()));
        let read = |place: Place| self.place(place);
        addresses.any(|address| {
            let from = UsedFrom::Address(&address);
            crate::beside::stands(&self.root, fields, life, from, (&read, now)).is_ok()
        })
    }

    /// Whether an end is to be noted.
    pub(crate) fn acts_are_over(&self, now: UnixMillis) -> bool {
        if self.root.acts.open.is_empty() {
            return false;
        }
        let mut open = self.root.acts.open.keys().filter_map(|at| self.root.acts.kept.get(at));
        open.any(|record| self.acting_end(record, now).is_some())
    }

    pub(in crate::state) fn note_actings(&self, caller: Caller, now: UnixMillis) -> Result<Decided, Refusal> {
        if caller != Caller::Node {
            return Err(Refusal::Unauthorized);
        }
        let open = self.root.acts.open.keys().filter_map(|at| self.root.acts.kept.get(at));
        let ends = open.filter_map(|record| Some((record, self.acting_end(record, now)?)));
        let mut events = Vec::new();
        for (record, end) in ends.take(ENDS_MAX) {
            let (place, generation) = record.session.place();
            // It was denied already; nothing that is given later brings it back.
            if self.could_come_back((place, generation), now) {
                events.push(Event::SessionEnded { place, generation, reason: EndReason::Ordered });
            }
            events.push(Self::noted(record, end));
        }
        Ok(Decided { events, ..Decided::default() })
    }

    pub(in crate::state) fn apply_acted(&mut self, record: &ActedRecord) {
        let at = (record.subject, record.number);
        if record.ended == Deadline::NONE {
            self.root.acts.open.insert_mut(at, ());
        } else {
            self.root.acts.open.remove_mut(&at);
        }
        self.root.acts.kept.insert_mut(at, Arc::new(record.clone()));
    }

    pub(in crate::state) fn apply_acted_forgotten(&mut self, at: (SubjectIndex, u32)) {
        self.root.acts.open.remove_mut(&at);
        self.root.acts.kept.remove_mut(&at);
    }
}
