//! Invitations: somebody is asked into a workspace, and comes in by the inviter's grant, decided again when they do.
//!
//! INVARIANT: nothing that an inviter is told depends on whether the identifier has an account: making an invitation,
//! listing, sending it again and taking it back look at no identifier that a subject has.

use super::grant::window;
use super::{Decided, Made, State};
use tessera_crypto::compare::equal_arrays;
use tessera_model::command::Entropy;
use tessera_model::invitation::{INVITATION_NUMBERS, InvitationRecord, InvitationState};
use tessera_model::limits::{
    GRANTS_PER_SUBJECT_MAX, INVITATION_SECRETS_MAX, INVITATION_TTL_S_MAX, INVITATIONS_MAX,
    INVITATIONS_PER_IDENTIFIER_MAX, INVITATIONS_PER_INVITER_MAX,
};
use tessera_model::note::{About, By, Note};
use tessera_model::record::{GrantRecord, SubjectKind, SubjectStatus};
use tessera_model::settings::Registration;
use tessera_model::{
    Caller, Command, Deadline, Event, Generation, Handle, HandleKind, Identifier, Limit, Name, PermissionId,
    Place, Private, PublicId, Reason, Refusal, RestrictionId, RoleId, Row, RowKind, SubjectIndex, TenantId,
    UnixMillis, WorkspaceIndex,
};

/// The row that says whom an invitation is for, or the tag of its secret.
fn row(number: u32, what: u8, value: Option<Vec<u8>>) -> Row {
    let key = Row::subject_key(SubjectIndex(number), &[what]);
    Row { kind: RowKind::Invitation, key, value: value.map(Private::new) }
}

/// Whom an invitation is for, as its row has it.
fn whom_row(number: u32, identifier: &Identifier) -> Row {
    let mut value = vec![identifier.kind().number()];
    value.extend_from_slice(identifier.typed().as_bytes());
    row(number, Row::INVITED, Some(value))
}

/// No secret any more.
const NO_TAG: [u8; 16] = [0; 16];

/// What an invitation is about.
struct Asked<'a> {
    whom: (&'a Identifier, [u8; 16]),
    place: (&'a Name, &'a Name),
    grant_until: Deadline,
    until: Deadline,
    guest: bool,
}

impl State {
    /// Decides what is ordered about invitations.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is about something else")]
    pub(super) fn about_invitations(
        &self,
        command: &Command,
        caller: Caller,
        entropy: &Entropy,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        match command {
            Command::Invite { whom: (identifier, hash), workspace, role, grant_until, until, guest } => {
                let (whom, place) = ((identifier, *hash), (workspace, role));
                let (grant_until, until, guest) = (*grant_until, *until, *guest);
                self.invite(&Asked { whom, place, grant_until, until, guest }, caller, entropy, now)
            }
            Command::AnswerInvitation { secret, accept, whom, password } => {
                let known = self.invited_by_secret(*secret, now).ok_or(Refusal::SecretWrong)?;
                if *accept {
                    self.accept_invitation(known, (whom.as_ref(), password), caller, entropy, now)
                } else {
                    Ok(Self::answered(known, InvitationState::Declined, SubjectIndex(0), now))
                }
            }
            Command::WithdrawInvitation { invitation } => {
                let known = self.open_invitation(*invitation, now)?;
                Ok(Self::answered(known, InvitationState::Withdrawn, SubjectIndex(0), now))
            }
            Command::EraseInvitation { invitation } => self.erase_invitation(*invitation, now),
            Command::FinishInvitations { numbers } => self.finish_invitations(numbers, caller),
            Command::ResendInvitation { invitation, until } => {
                let known = self.invitation(*invitation).ok_or(Refusal::InvitationUnknown)?;
                if known.state != InvitationState::Open {
                    return Err(Refusal::InvitationClosed);
                }
                if known.sent >= INVITATION_SECRETS_MAX {
                    return Err(Limit::InvitationSecrets.reached());
                }
                answerable(*until, now)?;
                // Whoever has the secret may come in by it.
                if !self.may_hand_out_all(&self.handed_with(known.role), caller, now) {
                    return Err(Refusal::BeyondCreator);
                }
                let sent = InvitationRecord { sent: known.sent + 1, until: *until, ..known.clone() };
                Ok(self.with_secret(sent, Vec::new(), entropy))
            }
            _ => Err(Refusal::Malformed),
        }
    }

    /// The invitation with this public id.
    pub(super) fn invitation(&self, id: PublicId) -> Option<&InvitationRecord> {
        self.root.invitations.get(self.root.invited.ids.get(&id)?).map(|record| &**record)
    }

    fn open_invitation(&self, id: PublicId, now: UnixMillis) -> Result<&InvitationRecord, Refusal> {
        let known = self.invitation(id).ok_or(Refusal::InvitationUnknown)?;
        if is_open(known, now) { Ok(known) } else { Err(Refusal::InvitationClosed) }
    }

    /// The open invitation whose secret has this tag: unknown, answered, lapsed and wrong are one answer.
    fn invited_by_secret(
        &self,
        (number, tag): (u32, [u8; 16]),
        now: UnixMillis,
    ) -> Option<&InvitationRecord> {
        self.root.invited_by((number, &tag), now)
    }

    fn answered(
        known: &InvitationRecord,
        state: InvitationState,
        subject: SubjectIndex,
        now: UnixMillis,
    ) -> Decided {
        let decided = now.to_deadline();
        let record = InvitationRecord { state, subject, decided, tag: NO_TAG, ..known.clone() };
        let made = Made { invitation: Some(known.id), ..Made::default() };
        let rows = vec![row(known.number, Row::INVITATION_TAG, None)];
        Decided { rows, made, ..Decided::of(Event::InvitationChanged(record)) }
    }

    /// Makes room for one more invitation: the oldest goes that is over.
    fn invitation_room(&self, now: UnixMillis) -> Result<Option<Event>, Refusal> {
        if self.root.invitations.size() < INVITATIONS_MAX {
            return Ok(None);
        }
        // One whose key is still to be destroyed by an operator's word stays until that is done.
        let waits = |number: &u32| self.root.invited.keys.contains_key(number);
        let goes =
            |record: &&std::sync::Arc<InvitationRecord>| !is_open(record, now) && !waits(&record.number);
        let over = self.root.invitations.values().find(goes);
        let number = over.ok_or(Limit::Invitations.reached())?.number;
        Ok(Some(Event::InvitationRemoved { number }))
    }

    fn invite(
        &self,
        asked: &Asked<'_>,
        caller: Caller,
        entropy: &Entropy,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        // An invitation outlives the look at its maker: somebody of the tenant answers for it.
        let Caller::Holder { place, generation, subject: inviter, .. } = caller else {
            return Err(Refusal::Unauthorized);
        };
        let live = self.live(place, generation, now).ok_or(Refusal::Unauthorized)?;
        let (workspace, role) = (self.workspace_index(Some(asked.place.0))?, self.role_id(asked.place.1)?);
        self.fits(role, workspace)?;
        window(Deadline::NONE, asked.grant_until, now)?;
        answerable(asked.until, now)?;
        if !self.may_hand_out_all(&self.patterns_of(role), caller, now) {
            return Err(Refusal::BeyondCreator);
        }
        // COST: looks at all invitations of the tenant.
        let open = || self.root.invitations.values().filter(|record| is_open(record, now));
        let of_them = || open().filter(|record| record.hash == asked.whom.1);
        if of_them().any(|record| (record.workspace, record.role) == (workspace, role)) {
            return Err(Refusal::Duplicate);
        }
        if of_them().count() >= INVITATIONS_PER_IDENTIFIER_MAX {
            return Err(Limit::InvitationsPerIdentifier.reached());
        }
        if open().filter(|record| record.inviter == inviter).count() >= INVITATIONS_PER_INVITER_MAX {
            return Err(Limit::InvitationsPerInviter.reached());
        }
        let room = self.invitation_room(now)?;
        let (number, id) = (self.next.invitation, PublicId::new(now.0, entropy.take(20)));
        if number >= INVITATION_NUMBERS {
            return Err(Limit::Invitations.reached());
        }
        if self.root.invited.ids.contains_key(&id) {
            return Err(Refusal::Duplicate);
        }
        let record = InvitationRecord {
            number,
            id,
            hash: asked.whom.1,
            workspace,
            role,
            grant_until: asked.grant_until,
            guest: asked.guest,
            inviter,
            restriction: live.restriction,
            tag: NO_TAG,
            sent: 1,
            made: now.to_deadline(),
            until: asked.until,
            state: InvitationState::Open,
            subject: SubjectIndex(0),
            decided: Deadline::NONE,
        };
        let mut decided = self.with_secret(record, room.into_iter().collect(), entropy);
        decided.rows.push(whom_row(number, asked.whom.0));
        Ok(decided)
    }

    /// An invitation with a new secret; the one before it ends.
    fn with_secret(&self, record: InvitationRecord, room: Vec<Event>, entropy: &Entropy) -> Decided {
        let handle = Handle {
            kind: HandleKind::Invitation,
            cell: self.cell,
            tenant: self.root.tenant,
            place: Place(record.number),
            generation: Generation(record.sent),
            secret: entropy.take(0),
        };
        let tag = self.tagger.tag(&handle.to_bytes());
        let made = Made {
            handle: Some(handle),
            invitation: Some(record.id),
            expires: Some(record.until.to_millis()),
            ..Made::default()
        };
        let mut rows: Vec<_> = room.iter().filter_map(gone_row).collect();
        rows.push(row(record.number, Row::INVITATION_TAG, Some(tag.to_vec())));
        let mut events = room;
        events.push(Event::InvitationChanged(InvitationRecord { tag, ..record }));
        Decided { events, rows, made, ..Decided::default() }
    }

    /// Whether the inviter may grant now what the invitation is about: it lives, and holds what granting that needs.
    fn still_may(&self, known: &InvitationRecord, now: UnixMillis) -> bool {
        let rules = &self.root.rules;
        let acts = |record: &&tessera_model::record::SubjectRecord| record.status == SubjectStatus::Active;
        let inviter = self.root.subjects.get(&known.inviter).filter(acts);
        let (Some(_), Some(line)) = (inviter, rules.line(known.inviter)) else { return false };
        let restriction = known.restriction;
        let lost = restriction.0 != 0
            && restriction.lets_through().is_none()
            && !self.root.restrictions.contains_key(&restriction);
        let holds = |permission: PermissionId, workspace: WorkspaceIndex| {
            rules.evaluate(line, permission, workspace, restriction, now).reason == Reason::None
        };
        let Some(grants) = self.permission_id("tessera.admin.grants").filter(|_| !lost) else { return false };
        let there = self.place_of_role(known.role).0 != 0 && holds(grants, known.workspace);
        let patterns = self.patterns_of(known.role);
        let covered = (1..).zip(super::BUILT_IN).all(|(id, name)| {
            !patterns.iter().any(|pattern| pattern.covers(name)) || holds(PermissionId(id), WorkspaceIndex(0))
        });
        (there || holds(grants, WorkspaceIndex(0))) && covered
    }

    fn accept_invitation(
        &self,
        known: &InvitationRecord,
        (whom, password): (Option<&(Identifier, [u8; 16])>, &Private),
        caller: Caller,
        entropy: &Entropy,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        if !self.root.roles.contains_key(&known.role) {
            return Err(Refusal::RoleUnknown);
        }
        if !self.root.workspaces.contains_key(&known.workspace) {
            return Err(Refusal::WorkspaceUnknown);
        }
        self.fits(known.role, known.workspace)?;
        if !self.still_may(known, now) {
            return Err(Refusal::InviterUnfit);
        }
        window(Deadline::NONE, known.grant_until, now)?;
        let (subject, id, mut decided) = match caller {
            Caller::Holder { place, generation, subject, .. } => {
                let own = self.live(place, generation, now).filter(|live| !live.key);
                own.ok_or(Refusal::Unauthorized)?;
                if self.root.holder(&known.hash) != Some(subject) {
                    return Err(Refusal::IdentifierUnknown);
                }
                let id = self.root.subjects.get(&subject).map(|record| record.id);
                (subject, id.ok_or(Refusal::SubjectUnknown)?, Decided::default())
            }
            Caller::Claimant => self.newcomer(known, (whom, password), entropy, now)?,
            Caller::Operator { .. } | Caller::Node | Caller::Bootstrap => return Err(Refusal::Unauthorized),
        };
        self.come_in(known, subject, &mut decided, now)?;
        let answered = Self::answered(known, InvitationState::Accepted, subject, now);
        decided.events.extend(answered.events);
        decided.rows.extend(answered.rows);
        decided.made = Made { subject: Some(id), invitation: Some(known.id), ..decided.made };
        Ok(decided)
    }

    /// Makes the subject that was invited, by the rules by which people register.
    fn newcomer(
        &self,
        known: &InvitationRecord,
        (whom, password): (Option<&(Identifier, [u8; 16])>, &Private),
        entropy: &Entropy,
        now: UnixMillis,
    ) -> Result<(SubjectIndex, PublicId, Decided), Refusal> {
        let whom = whom.filter(|(_, hash)| *hash == known.hash).ok_or(Refusal::Changed)?;
        if password.is_empty() {
            return Err(Refusal::PasswordUnset);
        }
        let status = self.status_at_birth(Caller::Claimant);
        let who = (SubjectKind::Person, status, known.guest);
        let decided = self.create_subject(who, std::slice::from_ref(whom), password, entropy, now)?;
        let id = decided.made.subject.ok_or(Refusal::SubjectUnknown)?;
        Ok((SubjectIndex(self.next.subject), id, decided))
    }

    /// Grants what the invitation is about, in the inviter's name. What the subject has there already and lasts as long
    /// stays as it is.
    fn come_in(
        &self,
        known: &InvitationRecord,
        subject: SubjectIndex,
        decided: &mut Decided,
        now: UnixMillis,
    ) -> Result<(), Refusal> {
        let (role, workspace) = (known.role, known.workspace);
        let (mut held, mut stood) = (0, false);
        let (from, mut until) = (Deadline::NONE, known.grant_until);
        for grant in self.root.rules.grants_of(subject) {
            if (grant.role, grant.workspace) != (role, workspace) {
                held += 1;
                continue;
            }
            let over = grant.until != Deadline::NONE && grant.until.passed(now);
            stood |= !over;
            let begun = grant.from == Deadline::NONE || grant.from.passed(now);
            let lasts = grant.until == Deadline::NONE
                || known.grant_until != Deadline::NONE && grant.until >= known.grant_until;
            if begun && lasts && !over {
                return Ok(());
            }
            // It is never shortened: what begins later and lasts longer stands unless both make one.
            if !begun && lasts && !over {
                if known.grant_until != Deadline::NONE && known.grant_until < grant.from {
                    return Err(Refusal::GrantStands);
                }
                until = grant.until;
            }
        }
        if held >= GRANTS_PER_SUBJECT_MAX {
            return Err(Limit::GrantsPerSubject.reached());
        }
        decided.events.push(Event::GrantAdded(GrantRecord { subject, role, workspace, from, until }));
        let by = self.root.subjects.get(&known.inviter).map_or(By::Node, |record| By::Subject(record.id));
        let note = Note { at: now.to_deadline(), by, request: None };
        decided.rows.push(About::Grant(subject, role, workspace).row(note, stood));
        Ok(())
    }

    /// Whether a stranger may answer an invitation: a subject is made where people register.
    pub(super) fn lets_answer(&self, command: &Command) -> bool {
        let Command::AnswerInvitation { accept, .. } = command else { return false };
        let registers = self.root.settings.registration() != Registration::Closed;
        self.root.tenant != TenantId::SYSTEM && (!*accept || registers)
    }

    /// What inviters were restricted to whose invitations may be answered yet: these numbers are not given to anything
    /// else.
    pub(super) fn invited_restrictions(&self) -> impl Iterator<Item = RestrictionId> {
        let open = self.root.invitations.values().filter(|record| record.state == InvitationState::Open);
        open.map(|record| record.restriction)
    }

    /// Forgets the invitations by which a subject came in that is deleted: they say who it was.
    pub(super) fn invitations_gone(
        &self,
        subject: SubjectIndex,
        (events, rows): (&mut Vec<Event>, &mut Vec<Row>),
    ) {
        let theirs = |record: &&std::sync::Arc<InvitationRecord>| {
            record.subject == subject || self.held.of(subject).any(|hash| *hash == record.hash)
        };
        for record in self.root.invitations.values().filter(theirs) {
            events.push(Event::InvitationRemoved { number: record.number });
            rows.push(Row::gone(RowKind::Invitation, SubjectIndex(record.number)));
        }
    }

    /// The role of an invitation, and where it is.
    pub(super) fn invited_to(&self, id: PublicId) -> Option<(RoleId, WorkspaceIndex, SubjectIndex)> {
        self.invitation(id).map(|known| (known.role, known.workspace, known.inviter))
    }
}

impl crate::root::Root {
    /// The open invitation with this number whose secret has this tag.
    pub(crate) fn invited_by(
        &self,
        (number, tag): (u32, &[u8; 16]),
        now: UnixMillis,
    ) -> Option<&InvitationRecord> {
        let known = self.invitations.get(&number).map(|record| &**record)?;
        (is_open(known, now) && known.tag != NO_TAG && equal_arrays(&known.tag, tag)).then_some(known)
    }
}

/// Whether an invitation can be answered at `now`.
pub(crate) fn is_open(record: &InvitationRecord, now: UnixMillis) -> bool {
    record.state == InvitationState::Open && !record.until.passed(now)
}

/// Until when an invitation may be answered: not in the past, and not too far ahead.
fn answerable(until: Deadline, now: UnixMillis) -> Result<(), Refusal> {
    if until.passed(now) {
        return Err(Refusal::DeadlinePassed);
    }
    if until > now.to_deadline().plus_seconds(INVITATION_TTL_S_MAX) {
        return Err(Limit::InvitationTtl.reached());
    }
    Ok(())
}

/// The removal of the rows of an invitation that is forgotten.
fn gone_row(event: &Event) -> Option<Row> {
    let Event::InvitationRemoved { number } = event else { return None };
    Some(Row::gone(RowKind::Invitation, SubjectIndex(*number)))
}
