//! API keys: credentials of a subject with permissions of their own, within their creator's.

use super::{Decided, Made, State};
use crate::check::Live;
use crate::table::ALIVE;
use std::collections::BTreeSet;
use std::sync::Arc;
use tessera_model::command::Entropy;
use tessera_model::limits::{
    KEY_DESCRIPTION_BYTES_MAX, KEY_OVERLAP_S_MAX, KEY_TTL_S_MAX, NETWORKS_MAX, PATTERNS_MAX,
    RESTRICTIONS_MAX, RESTRICTIONS_NARROWED_MAX,
};
use tessera_model::record::RestrictionRecord;
use tessera_model::refresh::EndReason;
use tessera_model::scope::{FilterTarget, HeldScope};
use tessera_model::{
    Caller, ClientIndex, Command, Deadline, Event, Generation, Limit, Name, Network, Pattern, Place, Private,
    PublicId, Refusal, RestrictionId, Row, SubjectIndex, UnixMillis,
};

/// What a key may cover and from where it may be used.
type Reach<'a> = (&'a [Pattern], &'a [Network]);

fn sorted<T: Clone + Ord>(items: &[T]) -> Vec<T> {
    let mut sorted = items.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
}

/// About how many bytes the patterns of a restriction take: as they are written three times, in the record, by what
/// it is found by and beside its mask, and as what filters are compared with.
fn pattern_bytes(record: &RestrictionRecord) -> usize {
    let of = |pattern: &Pattern| {
        let text = size_of::<Pattern>() + pattern.as_str().len();
        let parts = pattern.as_str().matches(['/', '&', '?']).count() + 1;
        let held = size_of::<HeldScope>() + text + parts * 64;
        3 * text + if pattern.is_filtered() { held } else { 0 }
    };
    record.patterns.iter().map(of).sum()
}

/// Whether a key may end then: later, and within its longest life.
fn within_ttl(expires: Deadline, now: UnixMillis) -> Result<(), Refusal> {
    if expires.passed(now) {
        Err(Refusal::DeadlinePassed)
    } else if expires > now.to_deadline().plus_seconds(KEY_TTL_S_MAX) {
        Err(Limit::KeyTtl.reached())
    } else {
        Ok(())
    }
}

/// Whether every network lies within one of the outer ones; no outer ones hold everything.
fn lie_within(inner: &[Network], outer: &[Network]) -> bool {
    let held = |network: &Network| outer.iter().any(|outer| outer.holds(network));
    outer.is_empty() || !inner.is_empty() && inner.iter().all(held)
}

impl State {
    pub(super) fn create_key(
        &self,
        (subject, reach, expires): (PublicId, Reach<'_>, Deadline),
        (description, client): (&Private, Option<&Name>),
        caller: Caller,
        entropy: &Entropy,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let record = self.known_subject(subject)?;
        within_ttl(expires, now)?;
        if reach.0.len() > PATTERNS_MAX {
            return Err(Limit::Patterns.reached());
        }
        let (patterns, networks) = (sorted(&self.placed(reach.0)?), sorted(reach.1));
        self.look_up_all(&patterns, &[])?;
        self.filters_fit(&patterns, &[])?;
        if networks.len() > NETWORKS_MAX {
            return Err(Limit::Networks.reached());
        }
        if description.expose().len() > KEY_DESCRIPTION_BYTES_MAX {
            return Err(Limit::KeyDescriptionBytes.reached());
        }
        let (restriction, mut events) = self.restriction(&patterns)?;
        let within = self.within_creator(record.index, &patterns, expires, caller, now)
            && lie_within(&networks, self.networks_of(caller));
        if !within {
            return Err(Refusal::BeyondCreator);
        }
        let client = self.client_index(client)?;
        let what = (restriction, networks.as_slice(), client);
        let (opened, made) = self.make_key((record.index, record.id), what, expires, (entropy, now))?;
        events.extend(opened);
        let mut rows = Vec::new();
        if let (false, Some(key)) = (description.is_empty(), made.session) {
            rows.push(Row::description(record.index, key, description));
        }
        Ok(Decided { events, rows, made, ..Decided::default() })
    }

    /// The facts of a new key, and what its holder is shown.
    fn make_key(
        &self,
        (index, subject): (SubjectIndex, PublicId),
        (restriction, networks, client): (RestrictionId, &[Network], ClientIndex),
        expires: Deadline,
        (entropy, now): (&Entropy, UnixMillis),
    ) -> Result<(Vec<Event>, Made), Refusal> {
        let what = (index, restriction, client);
        let (mut opened, mut made) = self.open_key(what, expires, &entropy.take(0), now);
        let Some(Event::SessionOpened { record, .. }) = opened.first_mut() else {
            return Err(Limit::Places.reached());
        };
        if !networks.is_empty() {
            record.side = true;
            let (place, generation) = (record.place, record.generation);
            opened.insert(0, Event::NetworksBound { place, generation, networks: networks.to_vec() });
        }
        made.subject = Some(subject);
        Ok((opened, made))
    }

    /// The networks that a caller's own credential is bound to; none for anywhere.
    fn networks_of(&self, caller: Caller) -> &[Network] {
        let Caller::Holder { place, generation, .. } = caller else { return &[] };
        self.root.sides.get(&(place, generation)).map_or(&[], |networks| networks)
    }

    /// The living key with this public id, and its life.
    fn living_key(&self, id: PublicId, now: UnixMillis) -> Option<(Live, Place, Generation)> {
        let (place, generation) = id.place();
        let live = self.live(place, generation, now)?;
        let named = live.key && PublicId::of_place(live.opened, place, generation) == id;
        named.then_some((live, place, generation))
    }

    /// Whether a caller rotates what is its own. Whoever is no holder here was looked at elsewhere.
    fn is_its_own(&self, id: PublicId, caller: Caller, now: UnixMillis) -> bool {
        let Caller::Holder { place, generation, .. } = caller else { return true };
        self.live(place, generation, now).is_some_and(|live| self.rotates_own(id, (place, &live), now))
    }

    /// Whether a caller may rotate a key without the permission: a session one of its subject, a key itself.
    /// A session whose opener vouched is not the subject's own, and one on a device with a ceiling has less than the
    /// subject: what they took would outgrow them.
    pub(super) fn rotates_own(&self, id: PublicId, (own, caller): (Place, &Live), now: UnixMillis) -> bool {
        let is_own = |live: &Live| {
            !caller.key
                && caller.restriction.0 == 0
                && live.subject == caller.subject
                && self.is_whole(own, now)
        };
        self.living_key(id, now).is_some_and(|(live, place, _)| place == own || is_own(&live))
    }

    pub(super) fn rotate_key(
        &self,
        command: &Command,
        caller: Caller,
        entropy: &Entropy,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let Command::RotateKey { key, expires, patterns, networks, overlap_s, description } = command else {
            return Err(Refusal::Malformed);
        };
        let (old, place, generation) = self.living_key(*key, now).ok_or(Refusal::SessionUnknown)?;
        let owner = self.root.subjects.get(&old.subject).ok_or(Refusal::SessionUnknown)?;
        let expires = if *expires == Deadline::NONE { old.expires } else { *expires };
        within_ttl(expires, now)?;
        if *overlap_s > KEY_OVERLAP_S_MAX {
            return Err(Limit::KeyOverlap.reached());
        }
        let held = self.root.restrictions.get(&old.restriction).map_or(&[][..], |record| &record.patterns);
        if patterns.len() > PATTERNS_MAX {
            return Err(Limit::Patterns.reached());
        }
        let patterns = if patterns.is_empty() { held.to_vec() } else { sorted(&self.placed(patterns)?) };
        let bound = self.root.sides.get(&(place, generation)).map_or(&[][..], |networks| networks);
        let networks = if networks.is_empty() { bound.to_vec() } else { sorted(networks) };
        if networks.len() > NETWORKS_MAX {
            return Err(Limit::Networks.reached());
        }
        let covers = |pattern: &Pattern| held.iter().any(|outer| outer.contains(pattern));
        let narrower = (held.is_empty() || patterns.iter().all(covers)) && lie_within(&networks, bound);
        // A longer life is a new key: for whoever may make it.
        let longer = expires > old.expires;
        let makes = || {
            self.may_order(caller, "tessera.admin.keys", now)
                && self.within_creator(old.subject, &patterns, expires, caller, now)
                && lie_within(&networks, self.networks_of(caller))
        };
        if !narrower || longer && !makes() {
            return Err(Refusal::BeyondCreator);
        }
        // What it has it keeps, also where a service has taken over the names since. Looked at last: whoever asks for
        // more costs no more.
        self.look_up_all(&patterns, held)?;
        self.filters_fit(&patterns, held)?;
        // Whoever rotates a key is shown its successor: of somebody else's, only who could have made it.
        if !self.is_its_own(*key, caller, now)
            && !self.within_creator(old.subject, &patterns, expires, caller, now)
        {
            return Err(Refusal::BeyondCreator);
        }
        let (restriction, mut events) = self.restriction(&patterns)?;
        if !events.is_empty() && !self.may_order(caller, "tessera.admin.keys", now) {
            self.narrowed_anew()?;
        }
        // A key whose client was deleted opens nothing, and neither would its successor.
        let client = self.positions.read(place.0).client;
        if client != ClientIndex(0) && !self.root.clients.contains_key(&client) {
            return Err(Refusal::ClientUnknown);
        }
        let of = (restriction, networks.as_slice(), client);
        let (opened, made) = self.make_key((old.subject, owner.id), of, expires, (entropy, now))?;
        events.extend(opened);
        if *overlap_s == 0 {
            events.push(Event::SessionEnded { place, generation, reason: EndReason::Ordered });
        } else {
            let end = now.to_deadline().plus_seconds(*overlap_s);
            if end < old.expires {
                events.push(Event::ExpiresMoved { place, generation, expires: end });
            }
        }
        let mut rows = Vec::new();
        if let (false, Some(key)) = (description.is_empty(), made.session) {
            rows.push(Row::description(old.subject, key, description));
        }
        Ok(Decided { events, rows, made, ..Decided::default() })
    }

    /// Refuses one more restriction to whoever may only narrow its own: numbers come back when the tenant sleeps, and
    /// nobody may use up what administrators make keys with.
    fn narrowed_anew(&self) -> Result<(), Refusal> {
        let bound = RESTRICTIONS_NARROWED_MAX;
        let there = u64::try_from(self.root.restrictions.size()).unwrap_or(u64::MAX);
        if there >= u64::from(bound) {
            Err(Refusal::LimitReached(Limit::Restrictions.at(bound.into())))
        } else {
            Ok(())
        }
    }

    /// The restriction of sorted patterns: one that exists, or a new one. Empty patterns restrict nothing.
    pub(super) fn restriction(&self, sorted: &[Pattern]) -> Result<(RestrictionId, Vec<Event>), Refusal> {
        if sorted.is_empty() {
            return Ok((RestrictionId(0), Vec::new()));
        }
        if let Some(known) = self.restriction_of.get(sorted) {
            return Ok((*known, Vec::new()));
        }
        let id = self.restrictions_free.last().copied().unwrap_or(self.next.restriction);
        if id >= RESTRICTIONS_MAX {
            return Err(Limit::Restrictions.reached());
        }
        let id = RestrictionId(id);
        let record = RestrictionRecord { id, patterns: sorted.to_vec() };
        Ok((id, vec![Event::RestrictionAdded(record)]))
    }

    pub(super) fn apply_restriction(&mut self, record: &RestrictionRecord) {
        self.next.restriction = self.next.restriction.max(record.id.0 + 1);
        if self.restrictions_free.last() == Some(&record.id.0) {
            self.restrictions_free.pop();
        }
        if let Some(old) =
            self.root.restrictions.get(&record.id).filter(|old| old.patterns != record.patterns)
        {
            self.restriction_of.remove(&old.patterns);
        }
        let old = self.root.restrictions.get(&record.id).map_or(0, |old| pattern_bytes(old));
        self.root.restriction_bytes = self.root.restriction_bytes - old + pattern_bytes(record);
        self.root.rules.put_restriction(record);
        self.restriction_of.insert(record.patterns.clone(), record.id);
        self.root.restrictions.insert_mut(record.id, Arc::new(record.clone()));
    }

    /// Whether a place holds this life, were it over by its time alone.
    fn is_there(&self, (place, generation): (Place, Generation)) -> bool {
        let [w0, ..] = self.place(place);
        w0 & ALIVE != 0 && crate::check::halves(w0).0 == generation.0
    }

    /// The restrictions that something names. COST: a look at every place, where there are any restrictions.
    fn restrictions_named(&self) -> BTreeSet<RestrictionId> {
        let mut named = BTreeSet::new();
        if self.root.restrictions.is_empty() {
            return named;
        }
        let mut last = RestrictionId(0);
        for place in 0..self.places.used() {
            let fields = self.place(Place(place));
            // What has ended by time alone may still stand there, and is never widened.
            let restriction = Live::of(&fields).restriction;
            if fields[0] & ALIVE != 0 && restriction != last {
                named.insert(restriction);
                last = restriction;
            }
        }
        named.extend(self.device_ceilings());
        named.extend(self.invited_restrictions());
        named
    }

    /// Lets go of the restrictions that no place names any more: their numbers are given again. Only at a
    /// load: while the tenant is awake a reader may still hold a root in which a number means the old one.
    pub(super) fn free_restrictions(&mut self) {
        let over: Vec<_> =
            self.root.acts.alive.keys().filter(|life| !self.is_there(**life)).copied().collect();
        for life in over {
            self.root.acts.alive.remove_mut(&life);
        }
        let over: Vec<_> = self.root.sides.keys().filter(|life| !self.is_there(**life)).copied().collect();
        for life in over {
            self.root.sides.remove_mut(&life);
        }
        let named = self.restrictions_named();
        let gone: Vec<_> = self.root.restrictions.keys().filter(|id| !named.contains(id)).copied().collect();
        for id in gone {
            self.apply(&Event::RestrictionRemoved(id));
        }
        let there = &self.root.restrictions;
        let free = (1..self.next.restriction).rev().filter(|id| !there.contains_key(&RestrictionId(*id)));
        self.restrictions_free = free.collect();
    }

    /// The same patterns, with the workspaces that filters name put down by their numbers: whatever is called so later
    /// is another one.
    fn placed(&self, patterns: &[Pattern]) -> Result<Vec<Pattern>, Refusal> {
        let placed = |pattern: &Pattern| {
            let Some((value, with)) = pattern.workspace_filter() else { return Ok(pattern.clone()) };
            let named = || self.root.workspace_names.get(&Name::new(value).ok()?).copied();
            let index = FilterTarget::workspace(value).or_else(named);
            let index = index.filter(|index| self.root.workspaces.contains_key(index));
            let index = index.ok_or(Refusal::WorkspaceUnknown)?;
            with(&FilterTarget::of_workspace(index)).map_err(|_| Refusal::Malformed)
        };
        patterns.iter().map(placed).collect()
    }

    /// Whether filters over the subject's attributes name declared ones, with values of their kinds. What is held
    /// already was looked at before.
    fn filters_fit(&self, patterns: &[Pattern], held: &[Pattern]) -> Result<(), Refusal> {
        let fresh = patterns.iter().filter(|pattern| !held.contains(pattern));
        for scope in fresh.filter_map(Pattern::scope) {
            for (target, value) in HeldScope::new(&scope).filters() {
                let fits = match target {
                    FilterTarget::Attribute(name) => {
                        let declared = self.root.attributes.get(name).ok_or(Refusal::AttributeUnknown)?;
                        crate::scope::reads_as(declared.kind, value)
                    }
                    FilterTarget::Subject => PublicId::parse(value).is_some(),
                    FilterTarget::Workspace => FilterTarget::workspace(value).is_some(),
                    FilterTarget::Request(_) => true,
                };
                if !fits {
                    return Err(Refusal::AttributeKind);
                }
            }
        }
        Ok(())
    }

    pub(super) fn apply_restriction_removed(&mut self, id: RestrictionId) {
        self.next.restriction = self.next.restriction.max(id.0 + 1);
        self.root.rules.remove_restriction(id);
        if let Some(record) = self.root.restrictions.get(&id) {
            let patterns = record.patterns.clone();
            self.root.restriction_bytes -= pattern_bytes(record);
            self.restriction_of.remove(&patterns);
        }
        self.root.restrictions.remove_mut(&id);
    }
}
