//! Sessions: opened, touched, ended one by one or by a cut-off.

use super::client::Terms;
use super::image::fields_of;
use super::kin::Most;
use super::refresh::{Unsigned, rounded_up};
use super::{Decided, Made, State, places};
use crate::check::Live;
use crate::table::{ALIVE, Fields, SIDE};
use crate::used::TOUCH_EVERY_S;
use tessera_model::command::Entropy;
use tessera_model::record::{PlaceRecord, SubjectStatus};
use tessera_model::refresh::{EndReason, RefreshMode, RefreshRecord};
use tessera_model::{
    Caller, ClientIndex, Deadline, Event, Generation, Handle, HandleKind, Limit, OnDevice, Place, PlaceImage,
    PublicId, Refusal, RestrictionId, SubjectIndex, UnixMillis, WorkspaceIndex,
};

/// Whether an idle end moves far enough to be written: a minute, of short idle lifetimes a quarter, or on
/// to the absolute end.
pub(super) fn is_step(live: &Live, idle: Deadline, idle_s: u32) -> bool {
    let moved = idle.0.saturating_sub(live.idle.0);
    let soon = !live.key && live.idle < live.expires && idle == live.expires;
    let step = if live.key { TOUCH_EVERY_S } else { TOUCH_EVERY_S.min(idle_s / 4) };
    moved >= step || soon
}

impl State {
    /// Chooses the place and life that the next session or key gets.
    fn next_place(&self) -> Result<(Place, Generation), Refusal> {
        let place = self.places.pick().ok_or(Limit::Places.reached())?;
        places::next_life(place, &self.place(Place(place))).ok_or(Limit::Places.reached())
    }

    /// The handle and record of something that opens now.
    pub(super) fn issue(
        &self,
        kind: HandleKind,
        secret: &[u8; 20],
        (subject, restriction, acr): (SubjectIndex, RestrictionId, u8),
        (expires, idle, refresh): (Deadline, Deadline, RefreshRecord),
        now: UnixMillis,
    ) -> Result<(PlaceRecord, Made), Refusal> {
        let (place, generation) = self.next_place()?;
        let handle =
            Handle { kind, cell: self.cell, tenant: self.root.tenant, place, generation, secret: *secret };
        let opened = now.to_deadline();
        let record = PlaceRecord {
            place,
            generation,
            key: kind == HandleKind::Key,
            acr,
            tag: self.tagger.tag(&handle.to_bytes()),
            subject,
            workspace: WorkspaceIndex(0),
            expires,
            cut_off: self.root.cut_offs,
            idle,
            restriction,
            device: 0,
            opened,
            refresh,
            side: false,
        };
        let made = Made {
            handle: Some(handle),
            session: Some(PublicId::of_place(opened, place, generation)),
            expires: Some(expires.to_millis()),
            idle_until: (kind == HandleKind::Session).then(|| idle.to_millis()),
            ..Made::default()
        };
        Ok((record, made))
    }

    pub(super) fn open_session(
        &self,
        (subject, device): (SubjectIndex, Option<OnDevice>),
        (seen_cut_off, identifier, acr): (u32, Option<[u8; 16]>, u8),
        caller: Caller,
        entropy: &Entropy,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let owner = self.root.subjects.get(&subject).ok_or(Refusal::SubjectUnknown)?;
        match owner.status {
            SubjectStatus::Active => {}
            SubjectStatus::Suspended => return Err(Refusal::SubjectSuspended),
            SubjectStatus::Deleted => return Err(Refusal::SubjectDeleted),
        }
        if seen_cut_off != owner.cut_off {
            return Err(Refusal::Changed);
        }
        if let Some(identifier) = &identifier {
            self.may_try(identifier, now)?;
        }
        // Without a proof of the subject's own, the caller vouches: not for anybody above itself, now or later.
        let restriction = if acr == 0 { self.vouch(subject, caller, now)? } else { RestrictionId(0) };
        let device = self.device_to_open(owner, device, caller, now)?;
        if acr == 0 && !self.stays_within(subject, device, caller, now) {
            return Err(Refusal::BeyondCreator);
        }
        let Terms { client, own } = self.terms(self.client_of(caller))?;
        let settings = &self.root.settings;
        let evicted = self.make_room(
            subject,
            [
                Most { client: Some(client), sessions: own.sessions_max, evict: own.evict },
                Most { client: None, sessions: settings.sessions_max, evict: settings.evicts() },
            ],
            now,
        )?;
        let at = now.to_deadline();
        let expires = at.plus_seconds(own.session_ttl_s);
        let idle = at.plus_seconds(own.session_idle_s).min(expires);
        let with_refresh = own.refresh != RefreshMode::Off;
        let refresh = RefreshRecord {
            number: if with_refresh { self.root.refresh_key } else { 0 },
            index: 0,
            rotated_at: if with_refresh { rounded_up(now) } else { Deadline::NONE },
            client,
        };
        let who = (subject, restriction, acr);
        let ends = (expires, idle, refresh);
        let (mut record, mut made) = self.issue(HandleKind::Session, &entropy.take(0), who, ends, now)?;
        (record.device, record.side) = (device, device != 0);
        made.subject = Some(owner.id);
        made.evicted =
            evicted.iter().map(|(place, generation)| self.public_id(*place, *generation)).collect();
        let renewed = (refresh.number != 0).then_some(Unsigned {
            place: record.place,
            generation: record.generation,
            tag: record.tag,
            number: refresh.number,
            index: 0,
        });
        if renewed.is_some() {
            let until = refresh.rotated_at.plus_seconds(own.refresh_ttl_s).min(expires);
            made.refresh_until = Some(until.to_millis());
        }
        let mut events = vec![Event::SessionOpened { record, evicted }];
        events.extend(identifier.and_then(|identifier| self.forget(&identifier)));
        Ok(Decided { events, made, renewed, ..Decided::default() })
    }

    fn public_id(&self, place: Place, generation: Generation) -> PublicId {
        PublicId::of_place(Live::of(&self.place(place)).opened, place, generation)
    }

    /// A key for a subject: its event and what its holder is shown.
    pub(super) fn open_key(
        &self,
        (subject, restriction, client): (SubjectIndex, RestrictionId, ClientIndex),
        expires: Deadline,
        secret: &[u8; 20],
        now: UnixMillis,
    ) -> (Vec<Event>, Made) {
        let refresh = RefreshRecord { client, ..RefreshRecord::default() };
        let ends = (expires, now.to_deadline(), refresh);
        match self.issue(HandleKind::Key, secret, (subject, restriction, 0), ends, now) {
            Ok((record, made)) => (vec![Event::SessionOpened { record, evicted: Vec::new() }], made),
            Err(_) => (Vec::new(), Made::default()),
        }
    }

    pub(super) fn touch_session(
        &self,
        place: Place,
        generation: Generation,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let live = self.live(place, generation, now).ok_or(Refusal::SessionUnknown)?;
        let at = now.to_deadline();
        let terms = self.terms(self.positions.read(place.0).client);
        let idle_s = terms.map_or(self.root.settings.session_idle_s, |terms| terms.own.session_idle_s);
        let (idle, end) = if live.key {
            (at, None)
        } else {
            let idle = at.plus_seconds(idle_s).min(live.expires);
            (idle, Some(idle.to_millis()))
        };
        let made = Made {
            session: Some(PublicId::of_place(live.opened, place, generation)),
            expires: Some(live.expires.to_millis()),
            idle_until: end,
            ..Made::default()
        };
        if !is_step(&live, idle, idle_s) {
            let idle_until = end.map(|_| live.idle.to_millis());
            return Ok(Decided { made: Made { idle_until, ..made }, ..Decided::default() });
        }
        Ok(Decided { made, ..Decided::of(Event::SessionTouched { place, generation, idle }) })
    }

    pub(super) fn end_session(&self, id: PublicId, now: UnixMillis) -> Result<Decided, Refusal> {
        let (place, generation) = id.place();
        let fields = self.place(place);
        let [w0, ..] = fields;
        let live = Live::of(&fields);
        let (held, _) = crate::check::halves(w0);
        if held == 0 || generation.0 == 0 || generation.0 > held {
            return Err(Refusal::SessionUnknown);
        }
        if generation.0 < held || w0 & ALIVE == 0 {
            // That life is over, whoever lives there now: ending it again is done.
            return Ok(Decided::nothing());
        }
        if PublicId::of_place(live.opened, place, generation) != id {
            return Err(Refusal::SessionUnknown);
        }
        if live.clock(now).is_err() || self.is_cut(&live) {
            return Ok(Decided::nothing());
        }
        let mut decided = Decided::of(Event::SessionEnded { place, generation, reason: EndReason::Ordered });
        decided.events.extend(self.acting_ordered(id, now));
        Ok(decided)
    }

    pub(super) fn end_subject_sessions(&self, subject: PublicId) -> Result<Decided, Refusal> {
        let record = self.known_subject(subject)?;
        Ok(Decided::of(self.cut(record.index, (Place(0), Generation(0)))?))
    }

    pub(super) fn end_tenant_sessions(&self) -> Result<Decided, Refusal> {
        Ok(Decided::of(self.cut(SubjectIndex(0), (Place(0), Generation(0)))?))
    }

    /// Ends the sessions of the caller's own subject but the one that asks, and tells how many they were.
    pub(super) fn end_other_sessions(&self, caller: Caller, now: UnixMillis) -> Result<Decided, Refusal> {
        let Caller::Holder { place, generation, subject, .. } = caller else {
            return Err(Refusal::Unauthorized);
        };
        let own = self.live(place, generation, now).filter(|live| !live.key);
        own.ok_or(Refusal::Unauthorized)?;
        let others = self.kin.of(&self.table, subject).filter(|other| {
            let there = self.place(Place(*other));
            let held = Generation(crate::check::halves(there[0]).0);
            *other != place.0 && self.live(Place(*other), held, now).is_some_and(|live| !live.key)
        });
        let ended = u32::try_from(others.count()).unwrap_or(u32::MAX);
        let made = super::Made { number: Some(ended), ..super::Made::default() };
        if ended == 0 {
            return Ok(Decided { made, ..Decided::default() });
        }
        let events = vec![self.cut(subject, (place, generation))?];
        Ok(Decided { events, made, ..Decided::default() })
    }

    pub(super) fn apply_opened(&mut self, record: &PlaceRecord, evicted: &[(Place, Generation)]) {
        for (place, generation) in evicted {
            self.dirty.insert(super::bucket::of_place(*place));
            self.apply_ended(*place, *generation, EndReason::Ordered);
        }
        let before = self.place(record.place);
        let (held, _) = crate::check::halves(before[0]);
        if held > record.generation.0 {
            return;
        }
        if held < record.generation.0 {
            self.free_side(record.place, &before);
        }
        self.unlink(record.place, &before);
        if !record.key {
            self.kin.add(&self.table, record.subject, record.place.0);
        }
        self.name_client(record);
        self.positions.write(record.place.0, &record.refresh);
        self.places.filled(record.place.0);
        self.overlay.open(record.place.0, fields_of(&PlaceImage::of(record)));
    }

    pub(super) fn apply_touched(&mut self, place: Place, generation: Generation, idle: Deadline) {
        let mut now = self.place(place);
        let (held, _) = crate::check::halves(now[0]);
        if held == generation.0 && now[0] & ALIVE != 0 {
            now[5] = now[5] & !0xFFFF_FFFF | u64::from(idle.0);
            self.overlay.shift(place.0, now);
        }
    }

    /// Moves the end of a session or key to an earlier instant.
    pub(super) fn apply_expires(&mut self, place: Place, generation: Generation, expires: Deadline) {
        let mut now = self.place(place);
        let (held, _) = crate::check::halves(now[0]);
        let (before, cut_off) = crate::check::halves(now[4]);
        if held == generation.0 && now[0] & ALIVE != 0 && expires.0 < before {
            now[4] = u64::from(expires.0) | u64::from(cut_off) << 32;
            self.overlay.shift(place.0, now);
        }
    }

    /// Forgets the networks of a life that is over, or who acted in it.
    fn free_side(&mut self, place: Place, before: &Fields) {
        let life = (place, Generation(crate::check::halves(before[0]).0));
        if before[0] & SIDE != 0
            && (self.root.sides.remove_mut(&life) || self.root.acts.alive.remove_mut(&life))
        {
            self.root_changed = true;
        }
    }

    /// Raises the cut-off count of a session that is spared.
    pub(super) fn apply_spared(&mut self, place: Place, generation: Generation, count: u32) {
        let mut now = self.place(place);
        let (held, _) = crate::check::halves(now[0]);
        let (expires, old) = crate::check::halves(now[4]);
        if held == generation.0 && now[0] & ALIVE != 0 && old < count {
            now[4] = u64::from(expires) | u64::from(count) << 32;
            self.overlay.shift(place.0, now);
            self.dirty.insert(super::bucket::of_place(place));
        }
    }

    pub(super) fn apply_ended(&mut self, place: Place, generation: Generation, reason: EndReason) {
        let mut now = self.place(place);
        let (held, _) = crate::check::halves(now[0]);
        if held > generation.0 {
            return;
        }
        self.unlink(place, &now);
        self.positions.end(place.0, reason);
        self.unname_client(place);
        self.free_side(place, &now);
        if held < generation.0 {
            // Of this life only its number is known (a bucket keeps no more of what has ended).
            now = [u64::from(generation.0), 0, 0, 0, 0, 0, 0, 0];
        }
        self.places.ended(place.0);
        self.overlay.end(place.0, now);
    }

    /// Looks for places whose life is over, so that they can be used again.
    pub(crate) fn sweep(&mut self, budget: usize, now: UnixMillis) {
        let (table, root) = (&self.table, &self.root);
        // Places beside one another are often of one subject, whose line is looked up once.
        let last = std::cell::Cell::new(None);
        let of_subject = |subject: SubjectIndex| {
            if let Some((known, gone, cut)) = last.get()
                && known == subject
            {
                return (gone, cut);
            }
            let line = root.rules.line(subject);
            let gone = line.is_some_and(|line| line.status() == SubjectStatus::Deleted);
            let cut = line.map_or(0, |line| line.cut_off());
            last.set(Some((subject, gone, cut)));
            (gone, cut)
        };
        let is_cut = |live: &Live| {
            let (gone, cut) = of_subject(live.subject);
            gone || !live.key && (live.cut_off < cut || live.cut_off < root.cut_off)
        };
        for (place, fields) in self.places.sweep(budget, now, |place| table.from(place), is_cut) {
            self.unlink(Place(place), &fields);
        }
    }

    /// What else is known of a life: the networks that it is bound to, and who acts in it.
    pub(super) fn side_events(&self, life: (Place, Generation), fields: &Fields, events: &mut Vec<Event>) {
        if fields[0] & SIDE == 0 {
            return;
        }
        if let Some(networks) = self.root.sides.get(&life) {
            let (place, generation) = life;
            events.push(Event::NetworksBound { place, generation, networks: networks.to_vec() });
        }
        events.extend(self.acting(life).cloned().map(Event::ActingBegun));
    }
}
