//! Failed sign-ins, counted by identifier, whether an account has it or not: durable, and the same for both.
//!
//! INVARIANT: at most [`FAILURES_MAX`] identifiers are counted. Beyond, the one with the fewest failures,
//! the oldest of these, is forgotten: to make room an attacker needs as many failures on as many others.

use super::{Decided, State};
use tessera_model::limits::FAILURES_MAX;
use tessera_model::record::FailureRecord;
use tessera_model::{Deadline, Event, PublicId, Refusal, Settings, SubjectIndex, UnixMillis};

/// From the last failure that is allowed on, only a new password opens the way: the latest deadline there is.
pub(crate) const FOR_EVER: Deadline = Deadline(u32::MAX - 1);

/// The order in which counted identifiers are forgotten.
pub(super) type Rank = (u32, Deadline, [u8; 16]);

const fn rank(record: &FailureRecord) -> Rank {
    (record.count, record.at, record.key)
}

/// Until when an identifier waits after so many failures, the last of them at `now`.
pub(crate) fn wait(count: u32, settings: &Settings, now: UnixMillis) -> Deadline {
    if count >= settings.sign_in_failures_max {
        return FOR_EVER;
    }
    let Some(doubled) = count.checked_sub(settings.sign_in_free) else { return Deadline::NONE };
    let wait = u64::from(settings.sign_in_wait_s) << doubled.min(32);
    let wait = u32::try_from(wait).unwrap_or(u32::MAX).min(settings.sign_in_wait_s_max);
    // A begun second is a whole one.
    UnixMillis(now.0 + 999).plus_seconds(wait).to_deadline()
}

impl State {
    /// Counts a failure of an identifier; refused besides, where it waits already.
    pub(super) fn count_failure(&self, key: [u8; 16], now: UnixMillis) -> Result<Decided, Refusal> {
        let held = self.root.failures.get(&key);
        let count = held.map_or(0, |record| record.count).saturating_add(1);
        let until = wait(count, &self.root.settings, now);
        let counted = FailureRecord { subject: self.whose(&key), key, count, at: now.to_deadline(), until };
        let mut decided = Decided::of(Event::FailuresCounted(counted));
        // What was tried beside those that made it wait is counted, and told what a right one would be.
        decided.refusal = self.may_try(&key, now).err();
        if held.is_none() && self.ranked.len() >= FAILURES_MAX {
            decided.events.extend(self.ranked.first().map(|(_, _, key)| self.forgotten(*key)));
        }
        Ok(decided)
    }

    /// Whose identifier that is, or whose own key: nobody's is 0.
    fn whose(&self, key: &[u8; 16]) -> SubjectIndex {
        let [a, b, c, d, rest @ ..] = *key;
        let own = (rest == [0; 12]).then(|| SubjectIndex(u32::from_le_bytes([a, b, c, d])));
        own.or_else(|| self.root.holder(key)).unwrap_or_default()
    }

    /// Nothing is kept of an identifier's failures any more. They were counted under the subject that stands in
    /// their record, whoever has the identifier now.
    fn forgotten(&self, key: [u8; 16]) -> Event {
        let subject = self.root.failures.get(&key).map_or_else(|| self.whose(&key), |record| record.subject);
        Event::FailuresCounted(FailureRecord {
            subject,
            key,
            count: 0,
            at: Deadline::NONE,
            until: Deadline::NONE,
        })
    }

    /// Whether an identifier may be tried at `now`.
    pub(super) fn may_try(&self, key: &[u8; 16], now: UnixMillis) -> Result<(), Refusal> {
        if self.root.waits(key, now).is_some() { Err(Refusal::TooManyFailures) } else { Ok(()) }
    }

    /// Forgets the failures of an identifier, if there are any.
    pub(super) fn forget(&self, key: &[u8; 16]) -> Option<Event> {
        self.root.failures.contains_key(key).then(|| self.forgotten(*key))
    }

    /// Forgets the failures of all identifiers of a subject, and those of its own key.
    pub(super) fn forget_all(&self, subject: SubjectIndex, events: &mut Vec<Event>) {
        let held = self.held.of(subject);
        events.extend(held.filter_map(|key| self.forget(key)));
        events.extend(self.forget(&own_key(subject)));
    }

    pub(super) fn forget_failures(&self, id: PublicId) -> Result<Decided, Refusal> {
        let mut decided = Decided::default();
        self.forget_all(self.known_subject(id)?.index, &mut decided.events);
        Ok(decided)
    }

    /// Nothing is known any more of the failures that were counted under a subject.
    pub(super) fn drop_failures_of(&mut self, subject: SubjectIndex) {
        let theirs = self.root.failures.values().filter(|record| record.subject == subject);
        let gone: Vec<_> = theirs.map(|record| FailureRecord { count: 0, ..*record }).collect();
        for record in gone {
            self.apply_failures(&record);
            self.dirty.extend(super::bucket::of(&Event::FailuresCounted(record)));
        }
    }

    pub(super) fn apply_failures(&mut self, record: &FailureRecord) {
        if let Some(old) = self.root.failures.get(&record.key) {
            self.ranked.remove(&rank(old));
        }
        if record.count == 0 {
            self.root.failures.remove_mut(&record.key);
        } else {
            self.root.failures.insert_mut(record.key, *record);
            self.ranked.insert(rank(record));
        }
    }
}

/// The key under which failures are counted that name the subject itself (a change of its password): it is
/// no hash that an identifier could have but by a chance of 2^-96.
pub(crate) fn own_key(subject: SubjectIndex) -> [u8; 16] {
    let mut key = [0; 16];
    for (to, from) in key.iter_mut().zip(subject.0.to_le_bytes()) {
        *to = from;
    }
    key
}

impl crate::root::Root {
    /// Until when an identifier waits; `None` when it may be tried at `now`.
    pub(crate) fn waits(&self, key: &[u8; 16], now: UnixMillis) -> Option<Deadline> {
        let record = self.failures.get(key)?;
        (record.until != Deadline::NONE && !record.until.passed(now)).then_some(record.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use tessera_model::{CellId, TenantId};

    fn key(number: u64) -> [u8; 16] {
        let mut key = [7; 16];
        key[..8].copy_from_slice(&number.to_le_bytes());
        key
    }

    fn fail(state: &mut State, key: [u8; 16], now: UnixMillis) {
        let decided = state.count_failure(key, now).unwrap_or_else(|_| panic!("never refused"));
        for event in &decided.events {
            state.apply(event);
        }
    }

    /// PROPERTY: the table holds as many as it may; whoever failed oftener stays, the oldest of the others
    /// go; replaying what a bucket holds gives the same table. METHOD: a slow model beside it.
    #[test]
    fn the_rarest_and_oldest_are_forgotten() {
        let mut state = State::new(TenantId(1), CellId(0));
        let mut model: BTreeMap<[u8; 16], (u32, u32)> = BTreeMap::new();
        let at = |step: u64| UnixMillis(1_767_225_600_000 + step * 1_000);
        let mut seed = 1_u64;
        for step in 0..24_000_u64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // A few are tried over and over, most once.
            let chosen = if step % 4 == 0 { key(seed >> 33 & 15) } else { key(1_000 + step) };
            fail(&mut state, chosen, at(step));
            if !model.contains_key(&chosen) && model.len() >= FAILURES_MAX {
                let first = model.iter().min_by_key(|(key, (count, at))| (*count, *at, **key));
                let first = first.map(|(key, _)| *key);
                model.remove(&first.expect("the table is full"));
            }
            let held = model.entry(chosen).or_insert((0, 0));
            *held = (held.0 + 1, at(step).to_deadline().0);
        }
        let kept: BTreeMap<_, _> =
            state.root.failures.values().map(|record| (record.key, (record.count, record.at.0))).collect();
        assert_eq!((kept.len(), &kept), (FAILURES_MAX, &model));
        assert!((0..16).all(|number| kept[&key(number)].0 > 300));
        let mut again = State::new(TenantId(1), CellId(0));
        for no in 0..64 {
            for event in state.bucket((tessera_storage::BucketKind::Failures, no)).events {
                again.apply(&event);
            }
        }
        assert!(again.root.failures == state.root.failures && again.ranked == state.ranked);
    }
}
