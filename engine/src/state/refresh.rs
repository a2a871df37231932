//! Refresh: a session's refresh handle gets its successor, or betrays that it was copied. The mac was
//! verified by the caller's task; here stands what the handle's place in its family means.

use super::session::is_step;
use super::{Decided, Made, State};
use crate::check::{Live, halves};
use crate::table::ALIVE;
use crate::used::TOUCH_EVERY_S;
use std::collections::BTreeSet;
use tessera_crypto::digest::tag_words;
use tessera_model::command::Ordered;
use tessera_model::refresh::{EndReason, REFRESH_INDEX_MAX, RefreshMode, RefreshRecord};
use tessera_model::settings::REFRESH_GRACE_S_MAX;
use tessera_model::{
    Caller, Command, Deadline, Event, Generation, Limit, Place, PublicId, Refusal, UnixMillis,
};

/// A refresh handle without its mac: one that came and was verified, or one that is to be made.
#[derive(Clone, Copy)]
pub(crate) struct Unsigned {
    pub(crate) place: Place,
    pub(crate) generation: Generation,
    pub(crate) tag: [u8; 16],
    pub(crate) number: u8,
    pub(crate) index: u32,
}

/// An instant as a deadline, rounded up: grace and lifetime are never shorter than they are set.
pub(super) fn rounded_up(now: UnixMillis) -> Deadline {
    UnixMillis(now.0.saturating_add(999)).to_deadline()
}

impl State {
    fn presented(command: &Command) -> Option<Unsigned> {
        if let Command::RefreshSession { place, generation, tag, number, index } = *command {
            Some(Unsigned { place, generation, tag, number, index })
        } else {
            None
        }
    }

    /// The session that a handle was made for, if it is alive.
    fn family(&self, came: &Unsigned, now: UnixMillis) -> Result<(Live, RefreshRecord), Refusal> {
        let [w0, w1, w2, ..] = self.place(came.place);
        let position = self.positions.read(came.place.0);
        let (held, _) = halves(w0);
        if held != came.generation.0 || (w1, w2) != tag_words(came.tag) {
            return Err(Refusal::SessionUnknown);
        }
        if w0 & ALIVE == 0 {
            // What ended it is told for as long as nobody else lives there.
            return Err(match self.positions.reason(came.place.0) {
                EndReason::RefreshReused => Refusal::RefreshReused,
                EndReason::Ordered => Refusal::SessionUnknown,
            });
        }
        let live = self.live(came.place, came.generation, now).ok_or(Refusal::SessionUnknown)?;
        let known = self.root.refresh_keys.contains_key(&came.number);
        if live.key || position.number == 0 || !known {
            return Err(Refusal::SessionUnknown);
        }
        Ok((live, position))
    }

    /// Whether a handle came from the client that it was given to. Looked at before anything else, a repeat
    /// included. Of handles whose family has ended it says yes: they are refused for that.
    pub(crate) fn is_from_its_client(&self, ordered: &Ordered, now: UnixMillis) -> bool {
        let Some(came) = Self::presented(&ordered.command) else { return true };
        let Ok((_, position)) = self.family(&came, now) else { return true };
        position.client == self.client_of(ordered.caller)
    }

    /// What a repeat of a refresh under its command id is given: the successor again where that is still
    /// allowed. Of the others an erasure is told how far it is.
    pub(crate) fn refreshed_again(
        &self,
        command: &Command,
        now: UnixMillis,
    ) -> Result<(Made, Option<Unsigned>), Refusal> {
        let Some(came) = Self::presented(command) else { return Ok((self.told_again(command), None)) };
        let (live, position) = self.family(&came, now)?;
        let given = self.is_in_grace(&came, &position, now)
            || (came.number, came.index) == (position.number, position.index);
        if given {
            return self.renewed(&came, &live, &position);
        }
        let session = Some(PublicId::of_place(live.opened, came.place, came.generation));
        Ok((Made { session, ..Made::default() }, None))
    }

    fn is_in_grace(&self, came: &Unsigned, position: &RefreshRecord, now: UnixMillis) -> bool {
        let since = position.rotated_at.to_millis().max(self.woken);
        let until = since.plus_seconds(self.root.settings.refresh_grace_s);
        came.index.checked_add(1) == Some(position.index) && now < until
    }

    /// What a holder is told of a family that stands at `position`.
    fn renewed(
        &self,
        came: &Unsigned,
        live: &Live,
        position: &RefreshRecord,
    ) -> Result<(Made, Option<Unsigned>), Refusal> {
        let terms = self.terms(position.client)?;
        let until = position.rotated_at.plus_seconds(terms.own.refresh_ttl_s).min(live.expires);
        let made = Made {
            session: Some(PublicId::of_place(live.opened, came.place, came.generation)),
            subject: self.root.subjects.get(&live.subject).map(|record| record.id),
            expires: Some(live.expires.to_millis()),
            idle_until: Some(live.idle.to_millis()),
            refresh_until: Some(until.to_millis()),
            ..Made::default()
        };
        let (number, index) = (position.number, position.index);
        Ok((made, Some(Unsigned { number, index, ..*came })))
    }

    pub(super) fn refresh_session(
        &self,
        command: &Command,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let came = Self::presented(command).ok_or(Refusal::Malformed)?;
        let (live, position) = self.family(&came, now)?;
        if position.client != self.client_of(caller) {
            return Err(Refusal::WrongClient);
        }
        if (came.number, came.index) == (position.number, position.index) {
            return self.rotate(&came, live, position, now);
        }
        if self.is_in_grace(&came, &position, now) {
            let (made, renewed) = self.renewed(&came, &live, &position)?;
            return Ok(Decided { made, renewed, ..Decided::default() });
        }
        let Unsigned { place, generation, .. } = came;
        let ended = Event::SessionEnded { place, generation, reason: EndReason::RefreshReused };
        Ok(Decided { refusal: Some(Refusal::RefreshReused), ..Decided::of(ended) })
    }

    /// The current handle came.
    fn rotate(
        &self,
        came: &Unsigned,
        live: Live,
        position: RefreshRecord,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let terms = self.terms(position.client)?.own;
        if terms.refresh == RefreshMode::Off
            || position.rotated_at.plus_seconds(terms.refresh_ttl_s).passed(now)
        {
            return Err(Refusal::RefreshExpired);
        }
        let idle = now.to_deadline().plus_seconds(terms.session_idle_s).min(live.expires).max(live.idle);
        let mut next = RefreshRecord { rotated_at: rounded_up(now), ..position };
        if terms.refresh == RefreshMode::Rotating {
            if position.index >= REFRESH_INDEX_MAX {
                return Err(Refusal::RefreshExhausted);
            }
            (next.number, next.index) = (self.root.refresh_key, position.index + 1);
        } else if !is_step(&live, idle, terms.session_idle_s)
            && next.rotated_at.0.saturating_sub(position.rotated_at.0)
                < TOUCH_EVERY_S.min(terms.refresh_ttl_s / 4)
        {
            // A fixed handle stays; what moved too little is not written.
            let (made, renewed) = self.renewed(came, &live, &position)?;
            return Ok(Decided { made, renewed, ..Decided::default() });
        }
        let Unsigned { place, generation, .. } = *came;
        let (made, renewed) = self.renewed(came, &Live { idle, ..live }, &next)?;
        let event = Event::SessionRefreshed { place, generation, refresh: next, idle };
        Ok(Decided { made, renewed, ..Decided::of(event) })
    }

    pub(super) fn apply_refreshed(
        &mut self,
        (place, generation): (Place, Generation),
        refresh: &RefreshRecord,
        idle: Deadline,
    ) {
        let [w0, ..] = self.place(place);
        let (held, _) = halves(w0);
        if held != generation.0 || w0 & ALIVE == 0 {
            return;
        }
        let before = self.positions.read(place.0).number;
        if before != refresh.number {
            let left = self.left.entry(before).or_default();
            *left = refresh.rotated_at.max(*left);
        }
        self.positions.write(place.0, refresh);
        self.apply_touched(place, generation, idle);
    }

    pub(super) fn rotate_refresh_keys(&self, at_once: bool, now: UnixMillis) -> Result<Decided, Refusal> {
        let known = &self.root.refresh_keys;
        let (before, from) = (self.root.refresh_key, u32::from(self.root.refresh_key));
        // 1 to 255, in a circle: a number comes again as late as can be, and never one that is in use.
        let mut circle = (0..255).filter_map(|step| u8::try_from((from + step) % 255 + 1).ok());
        let number = circle.find(|number| *number != before && !known.contains_key(number));
        let number = number.ok_or(Limit::RefreshKeys.reached())?;
        let mut events = vec![Event::RefreshKeyMade { number, at: now.to_deadline() }];
        let named = if at_once { BTreeSet::new() } else { self.refresh_numbers_in_use(now) };
        let dropped = known.keys().copied().filter(|known| !named.contains(known));
        events.extend(dropped.map(|number| Event::RefreshKeyDropped { number }));
        let made = Made { number: Some(u32::from(number)), ..Made::default() };
        Ok(Decided { events, made, new_refresh_key: Some(number), ..Decided::default() })
    }

    /// The refresh keys that a live session's handle was made by, or one that may be repeated still.
    fn refresh_numbers_in_use(&self, now: UnixMillis) -> BTreeSet<u8> {
        let mut numbers: BTreeSet<u8> = self
            .positions
            .each(self.places.used())
            .filter(|(_, position)| position.number != 0)
            .filter(|(place, _)| {
                let (generation, _) = halves(self.place(Place(*place))[0]);
                self.live(Place(*place), Generation(generation), now).is_some()
            })
            .map(|(_, position)| position.number)
            .collect();
        let repeatable = |since: UnixMillis| now <= since.plus_seconds(REFRESH_GRACE_S_MAX);
        if repeatable(self.woken) {
            numbers.extend(self.root.refresh_keys.keys());
        }
        numbers.extend(self.left.iter().filter(|(_, left)| repeatable(left.to_millis())).map(|(no, _)| no));
        numbers
    }

    pub(super) fn apply_refresh_key(&mut self, number: u8, at: Deadline) {
        self.root.refresh_key = number;
        self.root.refresh_keys.insert_mut(number, at);
    }

    pub(super) fn apply_refresh_key_dropped(&mut self, number: u8) {
        self.root.refresh_keys.remove_mut(&number);
        self.left.remove(&number);
        self.end_where(|live, position| !live.key && position.number == number);
    }

    /// Ends what lives at every place of which this holds. COST: a look at every position of the tenant.
    pub(super) fn end_where(&mut self, ends: impl Fn(&Live, &RefreshRecord) -> bool) {
        let found: Vec<(Place, Generation)> = self
            .positions
            .each(self.places.used())
            .filter_map(|(place, position)| {
                let fields = self.place(Place(place));
                let [w0, ..] = fields;
                let (generation, _) = halves(w0);
                let hit = w0 & ALIVE != 0 && ends(&Live::of(&fields), &position);
                hit.then_some((Place(place), Generation(generation)))
            })
            .collect();
        for (place, generation) in found {
            self.dirty.insert(super::bucket::of_place(place));
            self.apply_ended(place, generation, EndReason::Ordered);
        }
    }
}
