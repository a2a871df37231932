//! Requests for roles: asked for by a subject, decided by somebody else, granted for a while.

use super::acting::sound_reason;
use super::{Decided, Made, State};
use std::sync::Arc;
use tessera_model::command::Entropy;
use tessera_model::elevation::{RequestRecord, RequestState};
use tessera_model::limits::{
    GRANTS_PER_SUBJECT_MAX, REQUEST_DURATION_S_MAX, REQUEST_TTL_S, REQUESTS_KEPT_PER_SUBJECT_MAX,
    REQUESTS_MAX, REQUESTS_PER_SUBJECT_MAX,
};
use tessera_model::note::About;
use tessera_model::record::{GrantRecord, SubjectStatus};
use tessera_model::{
    Caller, Command, Deadline, Event, Limit, Name, PublicId, Refusal, SubjectIndex, UnixMillis,
};

/// Whoever decides, as far as it is a subject of the tenant.
const fn decider(caller: Caller) -> SubjectIndex {
    if let Caller::Holder { subject, .. } = caller { subject } else { SubjectIndex(0) }
}

impl State {
    /// Decides what is ordered about requests.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is about something else")]
    pub(super) fn about_requests(
        &self,
        command: &Command,
        caller: Caller,
        entropy: &Entropy,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        match command {
            Command::RequestRole { subject, role, workspace, duration_s, reason } => {
                let what = (role, workspace.as_ref(), *duration_s);
                self.request_role(*subject, what, reason, caller, entropy, now)
            }
            Command::ApproveRequest { request } => {
                self.approve(self.open_request(*request, now)?, caller, now)
            }
            Command::RefuseRequest { request } => {
                let known = self.open_request(*request, now)?;
                if Self::is_one_side(known, caller) {
                    return Err(Refusal::OwnRequest);
                }
                Ok(Decided::of(Event::RequestChanged(Self::decided(
                    known,
                    RequestState::Refused,
                    caller,
                    now,
                ))))
            }
            Command::WithdrawRequest { request } => {
                let known = self.open_request(*request, now)?;
                let withdrawn = Self::decided(known, RequestState::Withdrawn, caller, now);
                Ok(Decided::of(Event::RequestChanged(withdrawn)))
            }
            _ => Err(Refusal::Malformed),
        }
    }

    /// The request with this public id.
    pub(super) fn request(&self, id: PublicId) -> Option<&RequestRecord> {
        self.root.requests.get(self.root.request_ids.get(&id)?).map(|record| &**record)
    }

    fn open_request(&self, id: PublicId, now: UnixMillis) -> Result<&RequestRecord, Refusal> {
        let known = self.request(id).ok_or(Refusal::RequestUnknown)?;
        let open = known.state == RequestState::Open && !known.until.passed(now);
        if open { Ok(known) } else { Err(Refusal::RequestClosed) }
    }

    /// Whether a request is about whoever decides.
    fn is_one_side(known: &RequestRecord, caller: Caller) -> bool {
        decider(caller) == known.subject
    }

    /// The requests of a subject, by number.
    pub(super) fn requests_of(&self, subject: SubjectIndex) -> impl Iterator<Item = &RequestRecord> {
        let numbers = self.root.requests_of.range((subject, 0)..=(subject, u32::MAX));
        numbers.filter_map(|((_, number), ())| self.root.requests.get(number)).map(|record| &**record)
    }

    /// Makes room for one more request of a subject: its own oldest one goes that is over, then anybody's. One that is
    /// open, or whose grant stands, is never forgotten for a new one.
    fn request_room(&self, subject: SubjectIndex, now: UnixMillis) -> Result<Option<Event>, Refusal> {
        let kept = self.requests_of(subject).count();
        let full = self.root.requests.size() >= REQUESTS_MAX;
        if kept < REQUESTS_KEPT_PER_SUBJECT_MAX && !full {
            return Ok(None);
        }
        let over = |request: &&RequestRecord| {
            let open = request.state == RequestState::Open && !request.until.passed(now);
            let stands = request.granted_until != Deadline::NONE && !request.granted_until.passed(now);
            !open && !stands
        };
        let own = self.requests_of(subject).find(over);
        let found = match own {
            None if kept >= REQUESTS_KEPT_PER_SUBJECT_MAX => {
                return Err(Limit::RequestsKeptPerSubject.reached());
            }
            None => self.root.requests.values().map(|record| &**record).find(over),
            own => own,
        };
        let number = found.ok_or(Limit::Requests.reached())?.number;
        Ok(Some(Event::RequestRemoved { number }))
    }

    fn decided(known: &RequestRecord, state: RequestState, caller: Caller, now: UnixMillis) -> RequestRecord {
        RequestRecord { state, decided_by: decider(caller), decided: now.to_deadline(), ..known.clone() }
    }

    fn request_role(
        &self,
        subject: PublicId,
        (role, workspace, duration_s): (&Name, Option<&Name>, u32),
        reason: &str,
        caller: Caller,
        entropy: &Entropy,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let record = self.known_subject(subject)?;
        if record.status == SubjectStatus::Suspended {
            return Err(Refusal::SubjectSuspended);
        }
        let subject = record.index;
        let (role, workspace) = (self.role_id(role)?, self.workspace_index(workspace)?);
        self.fits(role, workspace)?;
        sound_reason(reason)?;
        if duration_s == 0 {
            return Err(Refusal::DeadlinePassed);
        }
        if duration_s > REQUEST_DURATION_S_MAX {
            return Err(Limit::RequestDuration.reached());
        }
        let is_open =
            |request: &RequestRecord| request.state == RequestState::Open && !request.until.passed(now);
        let mine: Vec<_> = self.requests_of(subject).filter(|request| is_open(request)).collect();
        if mine.iter().any(|request| (request.role, request.workspace) == (role, workspace)) {
            return Err(Refusal::Duplicate);
        }
        if mine.len() >= REQUESTS_PER_SUBJECT_MAX {
            return Err(Limit::RequestsPerSubject.reached());
        }
        let mut events: Vec<_> = self.request_room(subject, now)?.into_iter().collect();
        let (number, id) = (self.next.request, PublicId::new(now.0, entropy.take(20)));
        if number == u32::MAX {
            return Err(Limit::Requests.reached());
        }
        if self.root.request_ids.contains_key(&id) {
            return Err(Refusal::Duplicate);
        }
        let made = now.to_deadline();
        events.push(Event::RequestChanged(RequestRecord {
            number,
            id,
            subject,
            made_by: decider(caller),
            role,
            workspace,
            duration_s,
            reason: reason.into(),
            made,
            until: made.plus_seconds(REQUEST_TTL_S),
            state: RequestState::Open,
            decided_by: SubjectIndex(0),
            decided: Deadline::NONE,
            granted_until: Deadline::NONE,
        }));
        Ok(Decided { events, made: Made { request: Some(id), ..Made::default() }, ..Decided::default() })
    }

    /// Grants what is asked for, from now on and for as long as it was asked for.
    fn approve(&self, known: &RequestRecord, caller: Caller, now: UnixMillis) -> Result<Decided, Refusal> {
        if Self::is_one_side(known, caller) || decider(caller) == known.made_by {
            return Err(Refusal::OwnRequest);
        }
        let subject = self.root.subjects.get(&known.subject).ok_or(Refusal::SubjectUnknown)?;
        match subject.status {
            SubjectStatus::Active => {}
            SubjectStatus::Suspended => return Err(Refusal::SubjectSuspended),
            SubjectStatus::Deleted => return Err(Refusal::SubjectDeleted),
        }
        if !self.root.roles.contains_key(&known.role) {
            return Err(Refusal::RoleUnknown);
        }
        if known.workspace.0 != 0 && !self.root.workspaces.contains_key(&known.workspace) {
            return Err(Refusal::WorkspaceUnknown);
        }
        self.fits(known.role, known.workspace)?;
        if !self.may_hand_out_all(&self.handed_with(known.role), caller, now) {
            return Err(Refusal::BeyondCreator);
        }
        let (mut from, mut until) = (now.to_deadline(), now.to_deadline().plus_seconds(known.duration_s));
        let asked = until;
        let (mut held, mut stood, mut over) = (0, false, false);
        for grant in self.root.rules.grants_of(known.subject) {
            if (grant.role, grant.workspace) != (known.role, known.workspace) {
                held += 1;
                continue;
            }
            if grant.until != Deadline::NONE && grant.until.passed(now) {
                // One that is over tells nothing of the new one.
                over = true;
                continue;
            }
            stood = true;
            let begun = grant.from == Deadline::NONE || grant.from.passed(now);
            let lasts = grant.until == Deadline::NONE || grant.until >= until;
            // One grant has one window: what begins behind the end of this one does not fit into it.
            if begun && lasts || !begun && grant.from > until {
                return Err(Refusal::GrantStands);
            }
            // One that ends earlier is made longer; one that begins before this one ends is in force from now on.
            from = from.min(grant.from);
            if lasts {
                until = grant.until;
            }
        }
        if held >= GRANTS_PER_SUBJECT_MAX {
            return Err(Limit::GrantsPerSubject.reached());
        }
        let (role, workspace) = (known.role, known.workspace);
        let grant = GrantRecord { subject: known.subject, role, workspace, from, until };
        let mut note = self.note(caller, now);
        note.request = Some(known.id);
        let about = About::Grant(known.subject, role, workspace);
        let [_, changed] = about.gone();
        let mut rows = vec![about.row(note, stood)];
        rows.extend((over && !stood).then_some(changed));
        let mut approved = Self::decided(known, RequestState::Approved, caller, now);
        approved.granted_until = asked;
        let events = vec![Event::GrantAdded(grant), Event::RequestChanged(approved)];
        let made = Made { request: Some(known.id), expires: Some(asked.to_millis()), ..Made::default() };
        Ok(Decided { events, rows, made, ..Decided::default() })
    }

    pub(super) fn apply_request(&mut self, record: &RequestRecord) {
        self.next.request = self.next.request.max(record.number.saturating_add(1));
        self.root.request_ids.insert_mut(record.id, record.number);
        self.root.requests_of.insert_mut((record.subject, record.number), ());
        self.root.requests.insert_mut(record.number, Arc::new(record.clone()));
    }

    pub(super) fn apply_request_removed(&mut self, number: u32) {
        self.next.request = self.next.request.max(number.saturating_add(1));
        self.keep_given();
        if let Some((id, subject)) = self.root.requests.get(&number).map(|record| (record.id, record.subject))
        {
            self.root.request_ids.remove_mut(&id);
            self.root.requests_of.remove_mut(&(subject, number));
            self.root.requests.remove_mut(&number);
        }
    }

    /// Forgets the requests for what is gone: none of them ever comes to mean something else.
    ///
    /// COST: looks at all requests of the tenant.
    pub(super) fn forget_requests(&mut self, is_gone: impl Fn(&RequestRecord) -> bool) {
        let gone = self.root.requests.values().filter(|request| is_gone(request));
        let gone: Vec<_> = gone.map(|request| request.number).collect();
        for number in gone {
            self.dirty.insert(super::bucket::of_request(number));
            self.apply_request_removed(number);
        }
    }
}
