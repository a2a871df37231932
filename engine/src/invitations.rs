//! Invitations at the door: answered with a one-time secret by whoever has it, and listed for people who administer.
//!
//! The secret is looked at before anything is hashed or read: a wrong one costs a look-up. `decide` looks again.

use crate::admit::Done;
use crate::bound::{Bound, HelloRefusal};
use crate::directory::{Entry, Standing};
use crate::engine::Engine;
use crate::house::House;
use crate::list::{Listing, Page, after, page};
use crate::root::Root;
use crate::state::is_open;
use crate::submit::{self, SubmitError};
use std::ops::Bound as Edge;
use std::sync::Arc;
use tessera_crypto::compare::equal;
use tessera_model::invitation::{InvitationRecord, InvitationState};
use tessera_model::settings::Registration;
use tessera_model::{
    Caller, Command, CommandId, Deadline, Handle, HandleBytes, HandleKind, Identifier, IdentifierKind, Name,
    Private, PublicId, Refusal, Row, RowKind, SubjectIndex, UnixMillis,
};

/// An invitation, in names.
#[derive(Clone)]
pub struct InvitationFound {
    /// What it is.
    pub record: InvitationRecord,
    /// Whom it is for; `None` when that is not kept any more.
    pub whom: Option<Identifier>,
    /// Who invites; `None` when they are gone.
    pub inviter: Option<PublicId>,
    /// With which role; `None` when it was deleted since.
    pub role: Option<Name>,
    /// Where; `None` when that was deleted since.
    pub workspace: Option<Name>,
    /// Who accepted; `None` for nobody.
    pub subject: Option<PublicId>,
    /// Whether its time to be answered has passed.
    pub lapsed: bool,
}

/// Which invitations a list is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct InvitationsOf {
    /// Those of this inviter alone.
    pub inviter: Option<SubjectIndex>,
    /// Those alone that can be answered.
    pub open: bool,
    /// Those alone that are for the identifier with this keyed hash, whoever made them: for whoever administers subjects.
    pub whom: Option<[u8; 16]>,
}

/// Who is invited, as the row has it.
fn whom(value: &Private) -> Option<Identifier> {
    let (kind, typed) = value.expose().split_first()?;
    let typed = std::str::from_utf8(typed).ok()?;
    Identifier::new(IdentifierKind::from_number(*kind)?, typed).ok()
}

impl Listing {
    /// The invitations behind a cursor, in the order in which they were made, without whom they are for.
    fn invitations(
        &self,
        of: InvitationsOf,
        (cursor, limit): (u64, usize),
        now: UnixMillis,
    ) -> Page<InvitationFound> {
        let root: &Root = &self.0;
        let range = (Edge::Excluded(after(cursor)), Edge::Unbounded);
        let rows = root.invitations.range(range).filter_map(|(number, record)| {
            let is_open = is_open(record, now);
            if of.open && !is_open
                || of.inviter.is_some_and(|inviter| inviter != record.inviter)
                || of.whom.is_some_and(|whom| whom != record.hash)
            {
                return None;
            }
            // What somebody else has asked whom for is shown with whoever asked; whoever knows whom it is for finds all.
            if of.whom.is_none() {
                self.sees(record.inviter)?;
            }
            let found = InvitationFound {
                record: (**record).clone(),
                whom: None,
                inviter: self.shown_id(record.inviter),
                role: root.roles.get(&record.role).map(|role| role.name.clone()),
                workspace: self.workspace_name(record.workspace).cloned(),
                subject: self.shown_id(record.subject),
                lapsed: record.state == InvitationState::Open && !is_open,
            };
            Some((u64::from(*number), found))
        });
        page(rows, limit)
    }

    /// The subject whose personal workspace it is, unless it is nobody's.
    #[must_use]
    pub fn owner_of(&self, workspace: &tessera_model::record::WorkspaceRecord) -> Option<PublicId> {
        self.shown_id(workspace.personal)
    }

    /// The role by which persons own their personal workspaces; `None` where there are none for new ones.
    #[must_use]
    pub fn personal_role(&self) -> Option<&Name> {
        self.role_name(self.0.personal_role)
    }
}

impl Engine {
    /// The invitations behind a cursor, with whom they are for. It may wait for the disk.
    ///
    /// # Errors
    /// `Unauthorized` when those for an identifier are asked for by somebody who does not administer subjects: they tell who
    /// else invites it. `TenantFailed` when a row is damaged, `NotReady` when the node is ending.
    pub fn invitations(
        &self,
        bound: &Bound,
        listing: &Listing,
        of: InvitationsOf,
        window: (u64, usize),
    ) -> Result<Page<InvitationFound>, Refusal> {
        if of.whom.is_some() && !self.may(bound, "tessera.admin.subjects") {
            return Err(Refusal::Unauthorized);
        }
        let mut page = listing.invitations(of, window, self.now());
        // An address is nobody's whom a rule could show: it is told to whoever has it.
        for found in page.rows.iter_mut().filter(|found| listing.is_own(found.record.inviter)) {
            found.whom = self.whom(&bound.entry, found.record.number)?;
        }
        page.walked = page.walked.saturating_add(page.rows.len() as u64);
        Ok(page)
    }

    /// Whom an invitation is for.
    fn whom(&self, entry: &Entry, number: u32) -> Result<Option<Identifier>, Refusal> {
        let key = Row::subject_key(SubjectIndex(number), &[Row::INVITED]);
        let read = self.house.store.row(entry.tenant, RowKind::Invitation, &key);
        let read = read.map_err(|error| Refusal::from(House::unread(entry, &error)))?;
        Ok(read.value.as_ref().and_then(whom))
    }

    /// Whether this is the one-time secret of an invitation here that can be answered: what lets a stranger in to
    /// answer it. For a sleeping tenant only its row is read, and only a match starts a wake.
    ///
    /// # Errors
    /// [`HelloRefusal`].
    pub fn hello_invited(&self, bytes: &HandleBytes) -> Result<(), HelloRefusal> {
        self.house.leads_here(bytes)?;
        let (entry, number) = self.invitation_of(bytes).ok_or(HelloRefusal::Refused)?;
        let tag = self.house.tagger.tag(bytes);
        if let Some(view) = entry.view().as_ref() {
            let good = view.root.full().invited_by((number, &tag), self.now()).is_some();
            return if good { Ok(()) } else { Err(HelloRefusal::Refused) };
        }
        if entry.standing() == Standing::Failed {
            return Err(HelloRefusal::Failed);
        }
        let key = Row::subject_key(SubjectIndex(number), &[Row::INVITATION_TAG]);
        let row = self.house.store.row(entry.tenant, RowKind::Invitation, &key);
        let offered = row.map_err(|error| House::unread(&entry, &error))?.value;
        if !offered.is_some_and(|offered| equal(offered.expose(), &tag)) {
            return Err(HelloRefusal::Refused);
        }
        Err(self.house.unready(&entry))
    }

    /// The active tenant and the number of the invitation that a one-time secret names.
    fn invitation_of(&self, bytes: &HandleBytes) -> Option<(Arc<Entry>, u32)> {
        let handle = Handle::parse(bytes).ok().filter(|handle| handle.kind == HandleKind::Invitation)?;
        let entry = self.house.entry(handle.tenant).filter(|entry| entry.is_active())?;
        Some((entry, handle.place.0))
    }

    /// Answers an invitation with its one-time secret: over a bound connection for the caller's own subject, which
    /// has the invited identifier; else for somebody who has no account yet and, accepting, becomes a subject with the
    /// password, where people register.
    ///
    /// # Errors
    /// [`SubmitError`]: a refusal (`SecretWrong` when it is wrong, answered, withdrawn or lapsed), or Unknown.
    pub async fn answer_invitation(
        &self,
        bound: Option<&Bound>,
        id: CommandId,
        secret: &Private,
        (accept, password): (bool, Option<Private>),
    ) -> Result<Done, SubmitError> {
        let bytes: &HandleBytes = secret.expose().try_into().map_err(|_| Refusal::SecretWrong)?;
        self.house.leads_here(bytes).map_err(Refusal::from)?;
        let (entry, number) = self.invitation_of(bytes).ok_or(Refusal::SecretWrong)?;
        if bound.is_some_and(|bound| bound.entry.tenant != entry.tenant) {
            return Err(Refusal::SecretWrong.into());
        }
        let secret = (number, self.house.tagger.tag(bytes));
        let mut answer = (None, Private::default());
        if bound.is_none() {
            let view = entry.view().as_ref().map(Arc::clone);
            let Some(view) = view else {
                // Whoever has no secret of an invitation wakes no tenant.
                return Err(match self.hello_invited(bytes) {
                    Err(HelloRefusal::Refused) => Refusal::SecretWrong,
                    Err(refusal) => refusal.into(),
                    Ok(()) => Refusal::NotReady,
                }
                .into());
            };
            let root = view.root.full();
            let good = root.invited_by((secret.0, &secret.1), self.now()).is_some();
            // It may be a repeat of the command that answered it: then it is told so.
            if accept && good {
                if root.settings.registration() == Registration::Closed {
                    return Err(Refusal::Unauthorized.into());
                }
                let whom = self.whom_off_thread(&entry, number).await?.ok_or(Refusal::SecretWrong)?;
                let hash = self.identifier_hash(entry.tenant, &whom)?;
                let password = password.ok_or(Refusal::PasswordUnset)?;
                answer = (Some((whom, hash)), self.hash(entry.tenant, &root.settings, password).await?);
            }
        }
        let (whom, password) = answer;
        let command = Command::AnswerInvitation { secret, accept, whom, password };
        match bound {
            Some(bound) => self.submit(bound, id, command).await,
            None => submit::submit(&self.house, &entry, self.ordered(Caller::Claimant, id, command)).await,
        }
    }

    /// As [`Engine::whom`], without making a runtime's thread wait for the disk.
    async fn whom_off_thread(
        &self,
        entry: &Arc<Entry>,
        number: u32,
    ) -> Result<Option<Identifier>, SubmitError> {
        let (engine, entry) = (self.clone(), Arc::clone(entry));
        let read = self.house.work(move || engine.whom(&entry, number)).await;
        read.unwrap_or(Err(Refusal::NotReady)).map_err(SubmitError::from)
    }
}

/// Until when an invitation is good if nobody says: a week from now.
#[must_use]
pub fn usual_end(now: UnixMillis) -> Deadline {
    now.to_deadline().plus_seconds(7 * 86_400)
}
