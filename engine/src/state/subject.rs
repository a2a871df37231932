//! Subjects, their identifiers and passwords.

use super::{Decided, Made, State};
use tessera_model::command::Entropy;
use tessera_model::limits::{CUT_OFFS_MAX, IDENTIFIERS_PER_SUBJECT_MAX, SUBJECTS_MAX};
use tessera_model::record::{SubjectKind, SubjectRecord, SubjectStatus};
use tessera_model::settings::Registration;
use tessera_model::{
    Caller, Event, Generation, Identifier, Limit, Place, Private, PublicId, Refusal, Row, RowKind,
    SubjectIndex, UnixMillis,
};

pub(super) fn identifier_row(subject: SubjectIndex, identifier: &Identifier, hash: [u8; 16]) -> Row {
    let mut value = vec![identifier.kind().number()];
    value.extend_from_slice(identifier.typed().as_bytes());
    let key = Row::subject_key(subject, &hash);
    Row { kind: RowKind::Identifier, key, value: Some(Private::new(value)) }
}

impl State {
    /// A subject that is not deleted.
    pub(super) fn known_subject(&self, id: PublicId) -> Result<&SubjectRecord, Refusal> {
        let record = self.root.subject(id).ok_or(Refusal::SubjectUnknown)?;
        if record.status == SubjectStatus::Deleted { Err(Refusal::SubjectUnknown) } else { Ok(record) }
    }

    /// Whoever registers where that needs approval may nothing until an administrator resumes them.
    pub(super) fn status_at_birth(&self, caller: Caller) -> SubjectStatus {
        let waits = caller == Caller::Claimant && self.root.settings.registration() == Registration::Approval;
        if waits { SubjectStatus::Suspended } else { SubjectStatus::Active }
    }

    pub(super) fn create_subject(
        &self,
        (kind, status, guest): (SubjectKind, SubjectStatus, bool),
        identifiers: &[(Identifier, [u8; 16])],
        password: &Private,
        entropy: &Entropy,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        if self.next.subject >= SUBJECTS_MAX {
            return Err(Limit::Subjects.reached());
        }
        if identifiers.len() > IDENTIFIERS_PER_SUBJECT_MAX {
            return Err(Limit::IdentifiersPerSubject.reached());
        }
        let taken = identifiers.iter().any(|(_, hash)| self.root.holder(hash).is_some());
        let mut hashes: Vec<_> = identifiers.iter().map(|(_, hash)| *hash).collect();
        hashes.sort_unstable();
        if taken || hashes.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
            return Err(Refusal::Duplicate);
        }
        let index = SubjectIndex(self.next.subject);
        let id = PublicId::new(now.0, entropy.take(20));
        if self.root.index_of(id).is_some() {
            return Err(Refusal::Duplicate);
        }
        let has_password = !password.is_empty();
        let record = SubjectRecord { index, id, kind, status, cut_off: 0, has_password, guest };
        let mut events = vec![Event::SubjectChanged(record)];
        let mut rows = Vec::with_capacity(identifiers.len() + 1);
        for (identifier, hash) in identifiers {
            // Failures from before there was anybody are not the newcomer's.
            events.extend(self.forget(hash));
            events.push(Event::IdentifierTaken { hash: *hash, subject: index });
            rows.push(identifier_row(index, identifier, *hash));
        }
        if has_password {
            let key = Row::subject_key(index, &[]);
            rows.push(Row { kind: RowKind::Password, key, value: Some(password.clone()) });
        }
        if kind == SubjectKind::Person && !guest {
            events.extend(self.personal_events(index, id));
        }
        let made = Made { subject: Some(id), number: Some(index.0), ..Made::default() };
        Ok(Decided { events, rows, made, ..Decided::default() })
    }

    /// Makes a guest of a subject, or a member of a guest: nobody so comes to more than the caller could grant.
    pub(super) fn set_guest(
        &self,
        id: PublicId,
        guest: bool,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let record = self.known_subject(id)?;
        if record.guest == guest {
            return Ok(Decided::nothing());
        }
        if !guest && !self.may_hand_out_all(&self.all_patterns_of(record.index), caller, now) {
            return Err(Refusal::BeyondCreator);
        }
        if self.leaves_no_operator(|rules| rules.put_guest(record.index, guest), now) {
            return Err(Refusal::LastOperator);
        }
        Ok(Decided::of(Event::SubjectChanged(SubjectRecord { guest, ..record.clone() })))
    }

    /// Raises the cut-off of a subject: its sessions end. `None` when the counter would wrap.
    pub(super) fn cut(&self, subject: SubjectIndex, spared: (Place, Generation)) -> Result<Event, Refusal> {
        let count = self.root.cut_offs.checked_add(1).filter(|count| *count <= CUT_OFFS_MAX);
        let count = count.ok_or(Limit::CutOffs.reached())?;
        Ok(Event::CutOffRaised { subject, count, spared })
    }

    pub(super) fn suspend_subject(&self, id: PublicId, now: UnixMillis) -> Result<Decided, Refusal> {
        let record = self.known_subject(id)?;
        if self.is_last_operator(record.index, now) {
            return Err(Refusal::LastOperator);
        }
        if record.status == SubjectStatus::Suspended {
            return Ok(Decided::nothing());
        }
        if self.is_last_owner_anywhere(record.index) {
            return Err(Refusal::LastOwner);
        }
        let cut = self.cut(record.index, (Place(0), Generation(0)))?;
        let Event::CutOffRaised { count, .. } = cut else {
            return Err(Limit::CutOffs.reached());
        };
        let suspended = SubjectRecord { status: SubjectStatus::Suspended, cut_off: count, ..record.clone() };
        Ok(Decided { events: vec![Event::SubjectChanged(suspended), cut], ..Decided::default() })
    }

    pub(super) fn resume_subject(&self, id: PublicId) -> Result<Decided, Refusal> {
        let record = self.known_subject(id)?;
        if record.status == SubjectStatus::Active {
            return Ok(Decided::nothing());
        }
        let resumed = SubjectRecord { status: SubjectStatus::Active, ..record.clone() };
        Ok(Decided::of(Event::SubjectChanged(resumed)))
    }

    pub(super) fn delete_subject(&self, id: PublicId, now: UnixMillis) -> Result<Decided, Refusal> {
        let record = self.known_subject(id)?;
        if self.is_last_operator(record.index, now) {
            return Err(Refusal::LastOperator);
        }
        let index = record.index;
        if self.is_last_owner_anywhere(index) {
            return Err(Refusal::LastOwner);
        }
        let cut = self.cut(index, (Place(0), Generation(0)))?;
        let Event::CutOffRaised { count, .. } = cut else {
            return Err(Limit::CutOffs.reached());
        };
        let gone = SubjectRecord {
            status: SubjectStatus::Deleted,
            cut_off: count,
            has_password: false,
            ..record.clone()
        };
        let mut events = self.personal_gone(record)?;
        events.push(cut);
        // Whatever it has of each kind: nothing that it once was given can be too much to be taken away.
        let kinds = [
            RowKind::Password,
            RowKind::Identifier,
            RowKind::Profile,
            RowKind::KeyDescription,
            RowKind::SetUp,
            RowKind::Granted,
        ];
        let mut rows: Vec<_> = kinds.map(|kind| Row::gone(kind, index)).into();
        self.invitations_gone(index, (&mut events, &mut rows));
        for hash in self.held.of(index) {
            events.push(Event::IdentifierFreed { subject: index, hash: *hash });
        }
        for grant in self.root.rules.grants_of(index) {
            events.push(Event::GrantRemoved { subject: index, role: grant.role, workspace: grant.workspace });
        }
        let memberships = self.written_memberships(index);
        events.extend(memberships.map(|member| Event::MemberRemoved { subject: index, group: member.group }));
        events.extend(self.set_up_ended(index));
        self.forget_all(index, &mut events);
        self.elevations_gone(index, &mut events);
        let values = self.root.rules.values_of(index).map(|(attribute, _)| attribute);
        events.extend(values.map(|attribute| Event::AttributeChanged {
            subject: index,
            attribute,
            value: None,
        }));
        events.push(Event::SubjectChanged(gone));
        Ok(Decided { events, rows, ..Decided::default() })
    }

    pub(super) fn add_identifier(
        &self,
        id: PublicId,
        identifier: &Identifier,
        hash: [u8; 16],
    ) -> Result<Decided, Refusal> {
        let record = self.known_subject(id)?;
        match self.root.holder(&hash) {
            Some(owner) if owner == record.index => return Ok(Decided::nothing()),
            Some(_) => return Err(Refusal::Duplicate),
            None => {}
        }
        if self.held.of(record.index).count() >= IDENTIFIERS_PER_SUBJECT_MAX {
            return Err(Limit::IdentifiersPerSubject.reached());
        }
        let mut events = vec![Event::IdentifierTaken { hash, subject: record.index }];
        events.extend(self.forget(&hash));
        Ok(Decided {
            events,
            rows: vec![identifier_row(record.index, identifier, hash)],
            ..Decided::default()
        })
    }

    pub(super) fn remove_identifier(&self, id: PublicId, hash: [u8; 16]) -> Result<Decided, Refusal> {
        let record = self.known_subject(id)?;
        if self.root.holder(&hash) != Some(record.index) {
            return Err(Refusal::IdentifierUnknown);
        }
        let key = Row::subject_key(record.index, &hash);
        let mut events = vec![Event::IdentifierFreed { subject: record.index, hash }];
        events.extend(self.forget(&hash));
        Ok(Decided {
            events,
            rows: vec![Row { kind: RowKind::Identifier, key, value: None }],
            ..Decided::default()
        })
    }

    pub(super) fn apply_subject(&mut self, record: &SubjectRecord) {
        self.next.subject = self.next.subject.max(record.index.0 + 1);
        self.root.cut_offs = self.root.cut_offs.max(record.cut_off);
        self.root.rules.put_subject(record.index, record.status, record.cut_off);
        self.root.rules.put_guest(record.index, record.guest);
        self.root.subject_ids.insert(record.id.0, record.index.0);
        self.root.subjects.insert(record.clone());
    }

    pub(super) fn apply_identifier(&mut self, hash: [u8; 16], subject: SubjectIndex) {
        self.root.identifiers.insert(hash, subject.0);
        self.held.add(subject, hash);
    }

    pub(super) fn apply_freed(&mut self, hash: [u8; 16]) {
        if let Some(subject) = self.root.holder(&hash) {
            self.root.identifiers.remove(&hash);
            self.held.remove(subject, hash);
            self.dirty.insert(super::bucket::of_subject(subject));
        }
    }

    pub(super) fn apply_cut_off(
        &mut self,
        subject: SubjectIndex,
        count: u32,
        (place, generation): (Place, Generation),
    ) {
        self.root.cut_offs = self.root.cut_offs.max(count);
        if generation.0 != 0 {
            self.apply_spared(place, generation, count);
        }
        if subject.0 == 0 {
            self.root.cut_off = self.root.cut_off.max(count);
            return;
        }
        let Some(record) = self.root.subjects.get(&subject) else { return };
        let raised = SubjectRecord { cut_off: record.cut_off.max(count), ..record.clone() };
        self.root.rules.put_subject(subject, raised.status, raised.cut_off);
        self.root.subjects.insert(raised);
    }
}
