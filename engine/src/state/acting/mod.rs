//! Sessions in which somebody acts for somebody else: within the subject, within the actor, with a reason, for an
//! hour at most, and over with either of them.

mod acted;

use super::client::Terms;
use super::{BUILT_IN, Decided, State};
use std::sync::Arc;
use tessera_model::command::Entropy;
use tessera_model::elevation::{ActedRecord, ActingEnd, ActingRecord};
use tessera_model::limits::{ACTING_PER_ACTOR_MAX, ACTING_TTL_S_MAX, PATTERNS_MAX, REASON_BYTES_MAX};
use tessera_model::record::{SubjectKind, SubjectStatus};
use tessera_model::refresh::RefreshRecord;
use tessera_model::{
    Caller, Command, Deadline, Event, Generation, HandleKind, Limit, Pattern, Place, PublicId, Refusal,
    UnixMillis,
};

/// A reason reads as one line of text.
pub(super) fn sound_reason(reason: &str) -> Result<(), Refusal> {
    if reason.len() > REASON_BYTES_MAX {
        return Err(Limit::ReasonBytes.reached());
    }
    if reason.trim().is_empty() || reason.chars().any(char::is_control) {
        return Err(Refusal::Malformed);
    }
    Ok(())
}

impl State {
    /// Whether what somebody is to act with, and how long, can be ordered at all.
    fn sound_terms(&self, patterns: &[Pattern], ttl_s: u32) -> Result<(), Refusal> {
        if patterns.is_empty() {
            return Err(Refusal::Malformed);
        }
        if patterns.len() > PATTERNS_MAX {
            return Err(Limit::Patterns.reached());
        }
        self.look_up_all(patterns, &[])?;
        match ttl_s {
            0 => Err(Refusal::DeadlinePassed),
            long if long > ACTING_TTL_S_MAX => Err(Limit::ActingTtl.reached()),
            _ => Ok(()),
        }
    }

    pub(super) fn impersonate(
        &self,
        (id, patterns): (PublicId, &[Pattern]),
        (ttl_s, reason): (u32, &str),
        caller: Caller,
        entropy: &Entropy,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let Caller::Holder { place, generation, subject: actor, .. } = caller else {
            return Err(Refusal::Unauthorized);
        };
        let own = self.live(place, generation, now).ok_or(Refusal::Unauthorized)?;
        let subject = self.known_subject(id)?;
        if subject.status == SubjectStatus::Suspended {
            return Err(Refusal::SubjectSuspended);
        }
        sound_reason(reason)?;
        self.sound_terms(patterns, ttl_s)?;
        // Nobody acts for a machine, for themselves, or for somebody who may act for others or stands above them.
        let may_act = self.permission_id("tessera.sessions.open").is_some_and(|open| {
            let name = BUILT_IN.get((open.0 as usize).saturating_sub(1)).copied().unwrap_or_default();
            self.all_patterns_of(subject.index).iter().any(|pattern| pattern.covers(name))
        });
        let allowed = subject.kind == SubjectKind::Person
            && subject.index != actor
            && !may_act
            && self.is_at_least(subject.index, caller, now)
            && self.within_mask(&own, patterns);
        if !allowed {
            return Err(Refusal::BeyondCreator);
        }
        let lives = |life: &(Place, Generation), record: &ActingRecord| {
            record.actor == actor && self.live(life.0, life.1, now).is_some()
        };
        // COST: looks at all acting sessions of the tenant: those that live, and those that nobody has ended.
        let acts = self.root.acts.alive.iter().filter(|(life, record)| lives(life, record)).count();
        if acts >= ACTING_PER_ACTOR_MAX {
            return Err(Limit::ActingPerActor.reached());
        }
        let mut sorted = patterns.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let (restriction, mut events) = self.restriction(&sorted)?;
        let Terms { client, own: terms } = self.terms(self.client_of(caller))?;
        let at = now.to_deadline();
        let expires = at.plus_seconds(ttl_s).min(own.expires);
        let idle = at.plus_seconds(terms.session_idle_s).min(expires);
        let refresh = RefreshRecord { client, ..RefreshRecord::default() };
        let who = (subject.index, restriction, 0);
        let (mut record, mut made) =
            self.issue(HandleKind::Session, &entropy.take(0), who, (expires, idle, refresh), now)?;
        record.side = true;
        made.subject = Some(subject.id);
        events.push(Event::ActingBegun(ActingRecord {
            subject: subject.index,
            place: record.place,
            generation: record.generation,
            actor,
            by: (place, generation),
            reason: reason.into(),
        }));
        events.extend(self.acting_begins(ActedRecord {
            subject: subject.index,
            number: 0,
            session: made.session.unwrap_or_default(),
            actor,
            begun: at,
            ends: expires,
            ended: Deadline::NONE,
            how: ActingEnd::None,
            reason: reason.into(),
        }));
        events.push(Event::SessionOpened { record, evicted: Vec::new() });
        Ok(Decided { events, made, ..Decided::default() })
    }

    /// Who acts in a session, if somebody does.
    pub(super) fn acting(&self, life: (Place, Generation)) -> Option<&ActingRecord> {
        // Asked by every command: mostly nobody acts anywhere, and there is nothing to be hashed.
        let alive = Some(&self.root.acts.alive).filter(|alive| !alive.is_empty())?;
        alive.get(&life).map(|record| &**record)
    }

    /// What whoever acts for somebody else may order in their name: the end of it, and that it is not over yet.
    pub(super) fn may_order_acting(command: &Command, own: Place) -> bool {
        if let Command::TouchSession { place, .. } = command {
            return *place == own;
        }
        if let Command::EndSession { session } = command { session.place().0 == own } else { false }
    }

    pub(super) fn apply_acting(&mut self, record: &ActingRecord) {
        self.root.acts.alive.insert_mut((record.place, record.generation), Arc::new(record.clone()));
    }
}
