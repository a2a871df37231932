//! API keys: credentials of a subject with permissions of their own, within their creator's.

use super::{Decided, State};
use crate::check::Live;
use crate::table::ALIVE;
use std::collections::BTreeSet;
use std::sync::Arc;
use tessera_model::command::Entropy;
use tessera_model::limits::{KEY_DESCRIPTION_BYTES_MAX, PATTERNS_MAX, RESTRICTIONS_MAX};
use tessera_model::record::RestrictionRecord;
use tessera_model::{
    Caller, Deadline, Event, Limit, Name, Pattern, Place, Private, PublicId, Refusal, RestrictionId, Row,
    UnixMillis,
};

/// LIMIT: lifetime of a key: ten years. Never for ever.
const KEY_TTL_S_MAX: u32 = 10 * 366 * 86_400;

impl State {
    pub(super) fn create_key(
        &self,
        (subject, patterns, expires): (PublicId, &Vec<Pattern>, Deadline),
        (description, client): (&Private, Option<&Name>),
        caller: Caller,
        entropy: &Entropy,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let record = self.known_subject(subject)?;
        if expires.passed(now) || expires > now.to_deadline().plus_seconds(KEY_TTL_S_MAX) {
            return Err(Refusal::DeadlinePassed);
        }
        if patterns.len() > PATTERNS_MAX {
            return Err(Refusal::LimitReached(Limit::Patterns));
        }
        if description.expose().len() > KEY_DESCRIPTION_BYTES_MAX {
            return Err(Refusal::LimitReached(Limit::KeyDescriptionBytes));
        }
        let mut sorted = patterns.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let (restriction, mut events) = self.restriction(&sorted)?;
        if !self.within_creator(record.index, &sorted, expires, caller, now) {
            return Err(Refusal::BeyondCreator);
        }
        let client = self.client_index(client)?;
        let what = (record.index, restriction, client);
        let (opened, mut made) = self.open_key(what, expires, &entropy.take(0), now);
        if opened.is_empty() {
            return Err(Refusal::LimitReached(Limit::Places));
        }
        events.extend(opened);
        made.subject = Some(record.id);
        let mut rows = Vec::new();
        if let (false, Some(key)) = (description.is_empty(), made.session) {
            rows.push(Row::description(record.index, key, description));
        }
        Ok(Decided { events, rows, made, ..Decided::default() })
    }

    /// The restriction of sorted patterns: one that exists, or a new one. Empty patterns restrict nothing.
    fn restriction(&self, sorted: &[Pattern]) -> Result<(RestrictionId, Vec<Event>), Refusal> {
        if sorted.is_empty() {
            return Ok((RestrictionId(0), Vec::new()));
        }
        if let Some(known) = self.restriction_of.get(sorted) {
            return Ok((*known, Vec::new()));
        }
        let id = self.restrictions_free.last().copied().unwrap_or(self.next.restriction);
        if id >= RESTRICTIONS_MAX {
            return Err(Refusal::LimitReached(Limit::Restrictions));
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
        self.root.rules.put_restriction(record);
        self.restriction_of.insert(record.patterns.clone(), record.id);
        self.root.restrictions.insert_mut(record.id, Arc::new(record.clone()));
    }

    /// Lets go of the restrictions that no place names any more: their numbers are given again. Only at a
    /// load: while the tenant is awake a reader may still hold a root in which a number means the old one.
    pub(super) fn free_restrictions(&mut self) {
        let mut named = BTreeSet::new();
        for place in 0..self.places.used() {
            let fields = self.place(Place(place));
            // What has ended by time alone may still stand there, and is never widened.
            if fields[0] & ALIVE != 0 {
                named.insert(Live::of(&fields).restriction);
            }
        }
        let gone: Vec<_> = self.root.restrictions.keys().filter(|id| !named.contains(id)).copied().collect();
        for id in gone {
            self.apply(&Event::RestrictionRemoved(id));
        }
        let there = &self.root.restrictions;
        let free = (1..self.next.restriction).rev().filter(|id| !there.contains_key(&RestrictionId(*id)));
        self.restrictions_free = free.collect();
    }

    pub(super) fn apply_restriction_removed(&mut self, id: RestrictionId) {
        self.next.restriction = self.next.restriction.max(id.0 + 1);
        self.root.rules.remove_restriction(id);
        if let Some(record) = self.root.restrictions.get(&id) {
            let patterns = record.patterns.clone();
            self.restriction_of.remove(&patterns);
        }
        self.root.restrictions.remove_mut(&id);
    }
}
