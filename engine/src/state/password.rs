//! Passwords: changed by their owner, reset by an administrator who never knows the new one, hashed anew
//! when the tenant's parameters rose.
//!
//! INVARIANT: whatever replaces a password raises the subject's cut-off, so that a proof made from the old
//! one is refused, and ends a one-time secret that was offered.

use super::{Decided, Made, State, own_key};
use tessera_crypto::compare::equal_arrays;
use tessera_model::command::Entropy;
use tessera_model::limits::SET_UP_TTL_S_MAX;
use tessera_model::record::{SubjectRecord, SubjectStatus};
use tessera_model::{
    Caller, Deadline, Event, Generation, Handle, HandleKind, Limit, Place, Private, PublicId, Refusal, Row,
    RowKind, SubjectIndex, UnixMillis,
};

/// No session is spared.
const NOBODY: (Place, Generation) = (Place(0), Generation(0));

fn password_row(subject: SubjectIndex, value: Option<Private>) -> Row {
    Row { kind: RowKind::Password, key: Row::subject_key(subject, &[]), value }
}

impl State {
    pub(super) fn change_password(
        &self,
        id: PublicId,
        password: &Private,
        proven: u32,
        (caller, now): (Caller, UnixMillis),
    ) -> Result<Decided, Refusal> {
        let record = self.known_subject(id)?;
        if password.is_empty() {
            return Err(Refusal::PasswordUnset);
        }
        if proven != record.cut_off {
            return Err(Refusal::Changed);
        }
        // The session that made the change is spared.
        let Caller::Holder { place, generation, subject, .. } = caller else {
            return Err(Refusal::Unauthorized);
        };
        if subject != record.index {
            return Err(Refusal::Unauthorized);
        }
        // Others may have failed while this proof was made.
        self.may_try(&own_key(subject), now)?;
        self.replace_password(record, Some(password), (place, generation))
    }

    /// The facts of a password that is replaced, or taken away: sessions end but one that is spared, an
    /// offered one-time secret ends, keys live on.
    fn replace_password(
        &self,
        record: &SubjectRecord,
        password: Option<&Private>,
        spared: (Place, Generation),
    ) -> Result<Decided, Refusal> {
        let cut = self.cut(record.index, spared)?;
        let Event::CutOffRaised { count, .. } = cut else {
            return Err(Limit::CutOffs.reached());
        };
        let changed = SubjectRecord { has_password: password.is_some(), cut_off: count, ..record.clone() };
        let mut events = vec![Event::SubjectChanged(changed), cut];
        let mut rows = vec![password_row(record.index, password.cloned())];
        if password.is_some() {
            // Whoever set it knows it: what was guessed of the old one is over.
            self.forget_all(record.index, &mut events);
        }
        if let Some(ended) = self.set_up_ended(record.index) {
            events.push(ended);
            rows.push(Row::gone(RowKind::SetUp, record.index));
        }
        Ok(Decided { events, rows, ..Decided::default() })
    }

    /// The end of a one-time secret, if one is offered.
    pub(super) fn set_up_ended(&self, subject: SubjectIndex) -> Option<Event> {
        let offered = self.root.set_ups.contains_key(&subject);
        offered.then_some(Event::SetUpOffered { subject, tag: [0; 16], until: Deadline::NONE })
    }

    pub(super) fn reset_password(
        &self,
        id: PublicId,
        (until, clear): (Deadline, bool),
        caller: Caller,
        entropy: &Entropy,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let record = self.known_subject(id)?;
        if until.passed(now) {
            return Err(Refusal::DeadlinePassed);
        }
        if until > now.to_deadline().plus_seconds(SET_UP_TTL_S_MAX) {
            return Err(Limit::SetUpTtl.reached());
        }
        // Whoever gets the secret can sign in with what it sets.
        if !self.is_at_least(record.index, caller, now) {
            return Err(Refusal::BeyondCreator);
        }
        let subject = record.index;
        let handle = Handle {
            kind: HandleKind::SetUp,
            cell: self.cell,
            tenant: self.root.tenant,
            place: Place(subject.0),
            generation: Generation(1),
            secret: entropy.take(0),
        };
        let mut decided = match clear {
            true => self.replace_password(record, None, NOBODY)?,
            false => Decided::default(),
        };
        let tag = self.tagger.tag(&handle.to_bytes());
        decided.events.push(Event::SetUpOffered { subject, tag, until });
        let key = Row::subject_key(subject, &[]);
        decided.rows.retain(|row| row.kind != RowKind::SetUp);
        decided.rows.push(Row { kind: RowKind::SetUp, key, value: Some(Private::new(tag.to_vec())) });
        decided.made = Made {
            handle: Some(handle),
            subject: Some(id),
            expires: Some(until.to_millis()),
            ..Made::default()
        };
        Ok(decided)
    }

    pub(super) fn set_up_password(
        &self,
        subject: SubjectIndex,
        tag: &[u8; 16],
        password: &Private,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let record = self.root.subjects.get(&subject).ok_or(Refusal::SecretWrong)?;
        let gone = record.status == SubjectStatus::Deleted;
        if gone || password.is_empty() || !self.root.is_set_up(subject, tag, now) {
            return Err(Refusal::SecretWrong);
        }
        let decided = self.replace_password(record, Some(password), NOBODY)?;
        Ok(Decided { made: Made { subject: Some(record.id), ..Made::default() }, ..decided })
    }

    pub(super) fn rehash_password(
        &self,
        subject: SubjectIndex,
        proven: u32,
        password: &Private,
    ) -> Result<Decided, Refusal> {
        let record = self.root.subjects.get(&subject).ok_or(Refusal::SubjectUnknown)?;
        // A password that was replaced meanwhile raised the cut-off.
        if proven != record.cut_off || !record.has_password {
            return Err(Refusal::Changed);
        }
        Ok(Decided { rows: vec![password_row(subject, Some(password.clone()))], ..Decided::default() })
    }

    pub(super) fn apply_set_up(&mut self, subject: SubjectIndex, tag: [u8; 16], until: Deadline) {
        if tag == [0; 16] {
            self.root.set_ups.remove_mut(&subject);
        } else {
            self.root.set_ups.insert_mut(subject, (tag, until));
        }
    }
}

impl crate::root::Root {
    /// Whether the subject has an offered one-time secret of this tag that is good at `now`.
    pub(crate) fn is_set_up(&self, subject: SubjectIndex, tag: &[u8; 16], now: UnixMillis) -> bool {
        let offered = self.set_ups.get(&subject);
        offered.is_some_and(|(offered, until)| !until.passed(now) && equal_arrays(offered, tag))
    }
}
