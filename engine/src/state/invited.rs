//! What is kept of invitations, and how whom they were for is erased: the key of each is destroyed alone.
//!
//! INVARIANT: a number is given once. Under the key of a number that was erased nothing is sealed any more.

use super::{Decided, Made, State};
use std::sync::Arc;
use tessera_model::invitation::{InvitationRecord, InvitationState};
use tessera_model::limits::INVITATION_KEYS_WAIT_MAX;
use tessera_model::{Caller, Deadline, Event, PublicId, Refusal, Row, RowKind, SubjectIndex, UnixMillis};
use tessera_storage::BucketKind;

impl State {
    /// Begins to erase whom an invitation is for; repeated, tells how far that is.
    pub(super) fn erase_invitation(&self, id: PublicId, now: UnixMillis) -> Result<Decided, Refusal> {
        let known = self.invitation(id).ok_or(Refusal::InvitationUnknown)?;
        let made = Made { invitation: Some(id), erased: Some(self.root.is_erased(known)), ..Made::default() };
        if known.state == InvitationState::Erased {
            return Ok(Decided { made, ..Decided::nothing() });
        }
        let decided = if known.decided == Deadline::NONE { now.to_deadline() } else { known.decided };
        let state = InvitationState::Erased;
        let blank = InvitationRecord { hash: [0; 16], tag: [0; 16], state, decided, ..known.clone() };
        let rows = vec![Row::gone(RowKind::Invitation, SubjectIndex(known.number))];
        Ok(Decided { rows, made, ..Decided::of(Event::InvitationChanged(blank)) })
    }

    /// Notes that the keys of invitations are destroyed. The node alone knows.
    pub(super) fn finish_invitations(&self, numbers: &[u32], caller: Caller) -> Result<Decided, Refusal> {
        if caller != Caller::Node {
            return Err(Refusal::Unauthorized);
        }
        let waiting = numbers.iter().filter(|number| self.root.invited.keys.contains_key(number));
        let events = waiting.map(|number| Event::InvitationErased { number: *number }).collect();
        Ok(Decided { events, ..Decided::default() })
    }

    pub(super) fn apply_invitation(&mut self, record: &InvitationRecord) {
        self.invitation_given(record.number);
        self.root.invited.ids.insert_mut(record.id, record.number);
        self.root.invitations.insert_mut(record.number, Arc::new(record.clone()));
        if record.state == InvitationState::Erased {
            self.root.invited.keys.insert_mut(record.number, ());
        }
    }

    pub(super) fn apply_invitation_removed(&mut self, number: u32) {
        self.invitation_given(number);
        let waits = !self.root.invitations.get(&number).is_some_and(|known| self.root.is_erased(known));
        if let Some(id) = self.root.invitations.get(&number).map(|record| record.id) {
            self.root.invited.ids.remove_mut(&id);
            self.root.invitations.remove_mut(&number);
        }
        if waits {
            self.root.invited.keys.insert_mut(number, ());
        }
        self.dirty.insert((BucketKind::Names, 0));
    }

    pub(super) fn apply_invitation_erased(&mut self, number: u32) {
        self.invitation_given(number);
        self.root.invited.keys.remove_mut(&number);
        self.dirty.insert((BucketKind::Names, 0));
    }

    fn invitation_given(&mut self, number: u32) {
        self.next.invitation = self.next.invitation.max(number.saturating_add(1));
    }

    /// The last number that was given: it is known although nothing is left of its invitation.
    pub(super) fn last_invitation(&self) -> Option<Event> {
        let last = self.next.invitation.checked_sub(1).filter(|number| *number > 0)?;
        // One that is there, or waits for its key, tells its own number.
        let stands = self.root.invitations.contains_key(&last) || self.root.invited.keys.contains_key(&last);
        (!stands).then_some(Event::InvitationErased { number: last })
    }

    /// A bucket's share of the invitations: each, and what is to be known of those that are forgotten.
    pub(super) fn invitation_events(&self, share: std::ops::Range<u32>) -> Vec<Event> {
        let mut events = Vec::new();
        for (number, record) in self.root.invitations.range(share.clone()) {
            events.push(Event::InvitationChanged((**record).clone()));
            if self.root.is_erased(record) {
                events.push(Event::InvitationErased { number: *number });
            }
        }
        let forgotten = self.root.invited.keys.range(share).map(|(number, ())| *number);
        let forgotten = forgotten.filter(|number| !self.root.invitations.contains_key(number));
        events.extend(forgotten.map(|number| Event::InvitationRemoved { number }));
        events
    }
}

impl crate::root::Root {
    /// Whether nobody can read any more whom that was for.
    pub(crate) fn is_erased(&self, known: &InvitationRecord) -> bool {
        known.state == InvitationState::Erased && !self.invited.keys.contains_key(&known.number)
    }

    /// Whether an erasure is to be begun: of a subject, of an invitation by an operator's word, or of what was forgotten.
    pub(crate) fn has_erasures(&self) -> bool {
        let ordered = |number: &u32| self.invitations.contains_key(number);
        self.erased.values().any(|(_, done)| !done)
            || self.keys_wait()
            || self.invited.keys.keys().any(ordered)
    }

    /// Whether so many keys of forgotten invitations wait that they go without another erasure.
    fn keys_wait(&self) -> bool {
        self.invited.keys.size() >= INVITATION_KEYS_WAIT_MAX
    }

    /// Whether what was just applied begins one.
    pub(crate) fn begins_erasing(&self, event: &Event) -> bool {
        if let Event::SubjectErased { done, .. } = event {
            !done
        } else if let Event::InvitationChanged(record) = event {
            record.state == InvitationState::Erased
        } else {
            matches!(event, Event::InvitationRemoved { .. }) && self.keys_wait()
        }
    }
}
