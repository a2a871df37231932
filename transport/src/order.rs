//! Commands: each in a task of its own, its reply back to the stream it came on.

use crate::answer::failed;
use crate::connection::{Line, Peer};
use crate::elevation;
use crate::elsewhere;
use crate::list;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tessera_engine::{Bound, Done, Engine, HelloRefusal, Rotation, SubmitError};
use tessera_model::code::{CODE_UNKNOWN, ProtocolCode};
use tessera_model::grant_condition::GranteeName;
use tessera_model::visibility::VisibilityDraft;
use tessera_model::{
    CellId, Command, CommandId, Epoch, Generation, HandleBytes, Identifier, Limit, Name, OnDevice, Place,
    Placement, Private, PublicId, Refusal,
};
use tessera_wire::{Fault, Frame, Head, Made, Outbox, Request, RequestKind, TENANT_OF_CONNECTION, WireError};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// Starts a command or list. Its reply goes to `replies`, whatever happens.
///
/// # Errors
/// Why it was not started: it does not read, too many run, or the node is going away.
pub(crate) fn start(
    line: &Arc<Line>,
    caller: Option<(&Bound, &HandleBytes)>,
    kind: RequestKind,
    frame: &Frame<'_>,
    replies: &mpsc::Sender<Outbox>,
) -> Result<(), Fault> {
    let (head, request) = frame.request(kind)?;
    if *line.shared.draining.borrow() {
        return Err(Fault::protocol(ProtocolCode::Draining));
    }
    let bound = match caller {
        Some((bound, credential)) => Some(of_tenant(&line.shared.engine, bound, credential, head)?),
        None => None,
    };
    let limits = &line.shared.limits;
    if kind == RequestKind::RefreshSession && !line.may_refresh() {
        return Err(busy(Limit::RefreshesPerSecond, limits.refreshes_per_second.into()));
    }
    // Lists are paid for from the budget of checks, by what they looked at.
    let budget = match line.peer.get() {
        Some(Peer::Bound(_, _, bucket)) if !kind.is_command() => Some(Arc::clone(bucket)),
        Some(Peer::Bound(..) | Peer::Stranger(_)) | None => None,
    };
    if budget.as_ref().is_some_and(|bucket| line.shared.budgets.left(bucket, line.shared.engine.now()) <= 0) {
        return Err(busy(Limit::ChecksPerSecond, limits.checks_per_second.into()));
    }
    let permit = permit(line)?;
    let (line, replies, id) = (Arc::clone(line), replies.clone(), frame.header.request_id);
    let stream = replies.clone();
    tokio::spawn(async move {
        let mut reply = Reply::to(id, replies);
        let mut cost = 1;
        let engine = &line.shared.engine;
        let mut draining = line.shared.draining.clone();
        let gone = Arc::new(AtomicBool::new(false));
        let waits = matches!(kind, RequestKind::WatchRelations | RequestKind::WatchEvents);
        let mut work =
            Box::pin(perform(engine, bound.as_ref(), (head, request), &mut reply, (&mut cost, &gone)));
        let first = tokio::select! {
            biased;
            written = &mut work => Some(written),
            // What waits for something to happen is not waited for.
            _ = draining.wait_for(|draining| *draining), if waits => {
                Some(Err(Fault::protocol(ProtocolCode::Draining)))
            }
            () = stream.closed(), if !kind.is_command() => None,
        };
        // Nobody reads the answer to a question whose stream has ended: it is given up, and is paid for:
        // what was answered by its steps, the check under way as one that ran out of budget. A command is seen through.
        let written = match first {
            Some(written) => written,
            None if waits => Err(failed()),
            None => {
                gone.store(true, Ordering::Relaxed);
                work.as_mut().await
            }
        };
        drop(work);
        if let Some(bucket) = budget {
            line.shared.budgets.use_up(&bucket, cost);
        }
        if let Err(fault) = written {
            let tenant = bound.as_ref().map(|bound| bound.entry.tenant);
            reply.fault(&elsewhere::filled(engine, tenant, fault));
        }
        drop(reply);
        drop(permit);
    });
    Ok(())
}

fn busy(limit: Limit, bound: u64) -> Fault {
    Fault { retry_ms: 1, ..Fault::refused(Refusal::Busy(limit.at(bound))) }
}

/// Whether what runs beside the stream, or has ended and is not taken yet, leaves room for one more: their replies wait in
/// a channel that holds as many.
///
/// # Errors
/// Busy, where it does not.
pub(crate) fn room(line: &Line, running: usize) -> Result<(), Fault> {
    let most = line.shared.limits.commands_in_flight;
    if running < most { Ok(()) } else { Err(busy(Limit::CommandsInFlight, most as u64)) }
}

/// Leave to run beside the stream, kept while it does.
///
/// # Errors
/// Busy, where as many run as may.
pub(crate) fn permit(line: &Line) -> Result<OwnedSemaphorePermit, Fault> {
    let most = line.shared.limits.commands_in_flight as u64;
    Arc::clone(&line.permits).try_acquire_owned().map_err(|_| busy(Limit::CommandsInFlight, most))
}

/// A reply on its way. Dropped before anything was written (a panic), it says that the node failed.
pub(crate) struct Reply {
    pub(crate) outbox: Outbox,
    pub(crate) id: u64,
    replies: Option<mpsc::Sender<Outbox>>,
}

impl Reply {
    pub(crate) fn to(id: u64, replies: mpsc::Sender<Outbox>) -> Self {
        Self { outbox: Outbox::new(), id, replies: Some(replies) }
    }

    pub(crate) fn fault(&mut self, fault: &Fault) {
        self.outbox.clear();
        if self.outbox.fault(self.id, fault).is_err() {
            // It always fits into a frame.
            self.outbox.clear();
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if self.outbox.is_empty() {
            self.fault(&failed());
        }
        if let Some(replies) = self.replies.take() {
            // The channel has room for every permit; a stream that has ended needs no reply.
            drop(replies.try_send(std::mem::take(&mut self.outbox)));
        }
    }
}

/// The caller bound to the tenant that the command names: its own, or another one for operators.
fn of_tenant(engine: &Engine, bound: &Bound, credential: &HandleBytes, head: Head) -> Result<Bound, Fault> {
    if head.tenant == TENANT_OF_CONNECTION || head.tenant == bound.entry.tenant {
        return Ok(bound.clone());
    }
    engine.hello_from(credential, Some(head.tenant), bound.peer).map_err(|refusal| match refusal {
        HelloRefusal::NotReady => Fault { retry_ms: 5, ..Fault::refused(Refusal::NotReady) },
        HelloRefusal::Failed => Fault::refused(Refusal::TenantFailed),
        HelloRefusal::Suspended => Fault::refused(Refusal::TenantSuspended),
        HelloRefusal::Refused => Fault::refused(Refusal::TenantUnknown),
        HelloRefusal::Elsewhere(cell) => elsewhere::fault(engine, cell),
    })
}

async fn perform(
    engine: &Engine,
    bound: Option<&Bound>,
    (head, request): (Head, Request),
    reply: &mut Reply,
    cost: (&mut u64, &Arc<AtomicBool>),
) -> Result<(), Fault> {
    let id = head.command_id;
    if matches!(request, Request::PlantedPanic {}) && !tessera_engine::PLANTED {
        return Err(WireError::KindUnknown.into());
    }
    if !request.kind().is_command() {
        let bound = bound.ok_or_else(|| Fault::refused(Refusal::Unauthorized))?;
        let rows = list::rows(engine, bound, request, cost).await?;
        return Ok(reply.outbox.rows(reply.id, &rows)?);
    }
    let kind = request.kind();
    let done = match (bound, request) {
        (_, Request::ClaimOperator { secret, name }) => engine.claim_operator(id, &secret, name).await,
        (bound, Request::SetUpPassword { secret, password }) => {
            engine.set_up_password(bound, id, &secret, password).await
        }
        (bound, Request::AnswerInvitation { secret, accept, password }) => {
            engine.answer_invitation(bound, id, &secret, (accept, password)).await
        }
        (Some(bound), request) => {
            crate::policy::fits(engine, bound, &request)?;
            order(engine, bound, id, request).await
        }
        (None, _) => Err(Refusal::Unauthorized.into()),
    };
    let made = made(kind, done.map_err(of_error)?);
    Ok(reply.outbox.made(reply.id, head, &made)?)
}

/// The reply to a command that was not done.
pub(crate) fn of_error(error: SubmitError) -> Fault {
    match error {
        SubmitError::Refused(refusal) => Fault::refused(refusal),
        SubmitError::Wait { refusal, retry_ms } => {
            Fault { retry_ms: u32::try_from(retry_ms).unwrap_or(u32::MAX), ..Fault::refused(refusal) }
        }
        SubmitError::Unknown => Fault::new(CODE_UNKNOWN, "the outcome is not known"),
    }
}

/// What was made, as the wire tells it.
fn made(kind: RequestKind, done: Done) -> Made {
    let number = |wanted: RequestKind| done.made.number.filter(|_| kind == wanted);
    Made {
        receipt: done.receipt,
        repeated: done.repeat,
        tenant: done.made.tenant,
        subject: done.made.subject,
        session: done.made.session,
        handle: done.made.handle.map(|handle| Private::new(handle.to_bytes().to_vec())),
        expires: done.made.expires.map(tessera_model::UnixMillis::to_deadline),
        idle_until: done.made.idle_until.map(tessera_model::UnixMillis::to_deadline),
        refresh: done.made.refresh.map(|handle| Private::new(handle.to_bytes().to_vec())),
        refresh_until: done.made.refresh_until.map(tessera_model::UnixMillis::to_deadline),
        ended: number(RequestKind::EndOtherSessions),
        evicted: done.made.evicted,
        role: number(RequestKind::CreateRole).or(number(RequestKind::CreateRoleIn)),
        permission: number(RequestKind::RegisterPermission),
        workspace: number(RequestKind::CreateWorkspace).or(number(RequestKind::MakePersonalWorkspace)),
        workspace_id: done.made.workspace,
        client: number(RequestKind::CreateClient),
        kept: done.made.kept,
        policies: number(RequestKind::SetPolicies),
        group: number(RequestKind::CreateGroup),
        device: done.made.device,
        request: done.made.request,
        invitation: done.made.invitation,
        refresh_key: number(RequestKind::RotateRefreshKeys),
        loaded: done.made.loaded,
        erased: done.made.erased,
        left: done.made.left,
    }
}

/// The place of a live session or key of this tenant.
fn place_of(
    engine: &Engine,
    bound: &Bound,
    handle: &Private,
) -> Result<(Place, Generation, PublicId), Refusal> {
    let bytes: &HandleBytes = handle.expose().try_into().map_err(|_| Refusal::Malformed)?;
    let view = bound.entry.view();
    let Some(view) = view.as_ref() else {
        return Err(engine.unready(&bound.entry));
    };
    let found = engine.locate(bound, &engine.read(view), bytes);
    found.map(|found| (found.place, found.generation, found.id)).map_err(|_| Refusal::SessionUnknown)
}

/// Whoever is named, by its dense index and cut-off.
fn subject_of(
    engine: &Engine,
    bound: &Bound,
    subject: PublicId,
) -> Result<(tessera_model::SubjectIndex, u32), Refusal> {
    let view = bound.entry.view();
    let Some(view) = view.as_ref() else {
        return Err(engine.unready(&bound.entry));
    };
    let listing = view.listing();
    let record = listing.subject(subject).ok_or(Refusal::SubjectUnknown)?;
    Ok((record.index, record.cut_off))
}

/// Orders a command: those that need a proof, a hash or a look-up first, the others as they are.
#[expect(clippy::too_many_lines, reason = "one arm for each of them")]
#[expect(clippy::wildcard_enum_match_arm, reason = "what needs nothing first is mapped below")]
async fn order(engine: &Engine, bound: &Bound, id: CommandId, request: Request) -> Result<Done, SubmitError> {
    let command = match request {
        Request::SignIn { identifier, password, address, device, proof } => {
            let typed = std::str::from_utf8(identifier.expose()).map_err(|_| Refusal::SignInFailed)?;
            // Ill-formed and unknown are one answer.
            let identifier = Identifier::guess(typed).map_err(|_| Refusal::SignInFailed)?;
            let (who, shown) = ((&identifier, password), elevation::shown(device, proof)?);
            return match shown {
                Some(shown) => engine.sign_in_on(bound, id, who, (address, &shown)).await,
                None => engine.sign_in(bound, id, who, (address, device)).await,
            };
        }
        Request::ChangePassword { old, new } => return engine.change_password(bound, id, old, new).await,
        Request::CreateSubject { kind, identifiers, password } => {
            return engine.create_subject(bound, id, (kind, identifiers), password).await;
        }
        Request::LoadSubjects { trial, rows } => return engine.load_subjects(bound, id, rows, trial).await,
        Request::SetAttributes { subject, values } => {
            return engine.set_attributes(bound, (id, false), subject, values).await;
        }
        Request::AddIdentifier { subject, identifier } => {
            let hash = engine.identifier_hash(bound.entry.tenant, &identifier)?;
            Command::AddIdentifier { subject, identifier, hash }
        }
        Request::RemoveIdentifier { subject, identifier } => {
            let hash = engine.identifier_hash(bound.entry.tenant, &identifier)?;
            Command::RemoveIdentifier { subject, hash }
        }
        Request::Invite { whom, workspace, role, grant_until, until, guest } => {
            let hash = engine.identifier_hash(bound.entry.tenant, &whom)?;
            Command::Invite { whom: (whom, hash), workspace, role, grant_until, until, guest }
        }
        Request::RotateKey { key, expires, patterns, networks, overlap_s } => {
            let rotation = Rotation { key, expires, patterns, networks, overlap_s };
            return engine.rotate_key(bound, id, rotation).await;
        }
        Request::OpenSession { subject, device, proof } => {
            if let Some(shown) = elevation::shown(device, proof)? {
                return engine.open_session_on(bound, id, subject, &shown).await;
            }
            let ((subject, seen_cut_off), device) =
                (subject_of(engine, bound, subject)?, device.map(OnDevice::from));
            // No proof of the subject's own: the caller vouches, and not for anybody above itself.
            Command::OpenSession { subject, seen_cut_off, identifier: None, acr: 0, device }
        }
        Request::RegisterDevice { subject, name, key, public_key } => {
            let key = elevation::key(key, public_key)?;
            Command::RegisterDevice { subject, name, key }
        }
        Request::TouchSession { handle } => {
            let (place, generation, _) = place_of(engine, bound, &handle)?;
            Command::TouchSession { place, generation }
        }
        Request::RefreshSession { handle } => {
            let bytes = handle.expose().try_into().map_err(|_| Refusal::Malformed)?;
            return engine.refresh(bound, id, bytes).await;
        }
        Request::SignOut { handle } => {
            // One that has ended is ended again, as by its id: a repeat gets its receipt.
            let bytes: &HandleBytes = handle.expose().try_into().map_err(|_| Refusal::Malformed)?;
            let view = engine.view_of(bound)?;
            let session = engine.id_of(&engine.read(&view), bytes).ok_or(Refusal::SessionUnknown)?;
            Command::EndSession { session }
        }
        Request::SetService { name, trial, entries } => {
            let command = Command::SetService { name, entries };
            return engine.submit_or_try(bound, (id, trial), command).await;
        }
        Request::SetEndpoints { name, trial, endpoints } => {
            let command = Command::SetEndpoints { name, endpoints };
            return engine.submit_or_try(bound, (id, trial), command).await;
        }
        Request::SetVisibility { version: expected, trial, rules } => {
            let command = Command::SetVisibility { draft: VisibilityDraft { rules, expected } };
            return engine.submit_or_try(bound, (id, trial), command).await;
        }
        Request::SetPolicies { text, schema, built_in, lenient, version, trial } => {
            let parts = crate::policy::parts((text, schema, built_in), (lenient, version))?;
            return engine.set_policies(bound, (id, trial), parts).await;
        }
        Request::ChangeEntities { put, remove, trial } => {
            let put = put.as_ref().map(crate::policy::text).transpose()?;
            return engine.change_entities(bound, (id, trial), (put, remove)).await;
        }
        Request::DeletePolicies { version: expected } => Command::DeletePolicies { expected },
        plain => command_of(plain).ok_or(Refusal::Malformed)?,
    };
    engine.submit(bound, id, command).await
}

/// The command behind a request that carries all that it needs.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not mapped is refused")]
#[expect(clippy::too_many_lines, reason = "one arm for each command")]
fn command_of(request: Request) -> Option<Command> {
    Some(match request {
        Request::CreateTenant { name } => Command::CreateTenant { name },
        Request::SuspendTenant { tenant } => Command::SuspendTenant { tenant },
        Request::ResumeTenant { tenant } => Command::ResumeTenant { tenant },
        Request::DeleteTenant { tenant } => Command::DeleteTenant { tenant, finish: false },
        Request::ChangeSettings { settings } => Command::ChangeSettings { settings },
        Request::EraseSubject { subject } => Command::EraseSubject { subject },
        Request::DeleteSubject { subject } => Command::DeleteSubject { subject },
        Request::SuspendSubject { subject } => Command::SuspendSubject { subject },
        Request::ResumeSubject { subject } => Command::ResumeSubject { subject },
        Request::ResetPassword { subject, until, clear } => Command::ResetPassword { subject, until, clear },
        Request::ForgetFailures { subject } => Command::ForgetFailures { subject },
        Request::DeclareAttribute { name, kind } => Command::DeclareAttribute { name, kind },
        Request::RegisterPermission { name } => Command::RegisterPermission { name },
        Request::CreateRole { name, patterns } => Command::CreateRole { name, patterns },
        Request::ChangeRole { name, patterns } => Command::ChangeRole { name, patterns },
        Request::DeleteRole { name } => Command::DeleteRole { name },
        Request::SetRoleParents { name, parents } => Command::SetRoleParents { name, parents },
        Request::RenewGrant { subject, role, workspace, until } => {
            Command::RenewGrant { subject, role, workspace, until }
        }
        Request::CreateGroup { name, rule } => Command::CreateGroup { name, rule },
        Request::ChangeGroupRule { name, rule } => Command::ChangeGroupRule { name, rule },
        Request::DeleteGroup { name } => Command::DeleteGroup { name },
        Request::AddMember { group, subject, from, until } => {
            Command::AddMember { group, subject, from, until }
        }
        Request::RemoveMember { group, subject } => Command::RemoveMember { group, subject },
        Request::AddSubgroup { group, member, from, until } => {
            Command::AddSubgroup { group, member, from, until }
        }
        Request::RemoveSubgroup { group, member } => Command::RemoveSubgroup { group, member },
        Request::GrantGroup { group, role, workspace, from, until } => {
            Command::GrantGroup { group, role, workspace, from, until }
        }
        Request::UngrantGroup { group, role, workspace } => Command::UngrantGroup { group, role, workspace },
        Request::CreateWorkspace { name, parent, inherits } => {
            Command::CreateWorkspace { name, parent, inherits }
        }
        Request::DeleteWorkspace { name } => Command::DeleteWorkspace { name },
        Request::DeleteWorkspaceTree { name } => Command::DeleteWorkspaceTree { name },
        Request::MoveWorkspace { name, parent, inherits } => {
            Command::MoveWorkspace { name, parent, inherits }
        }
        Request::SetCeiling { name, patterns } => Command::SetCeiling { name, patterns },
        Request::SetOwners { name, role } => Command::SetOwners { name, role },
        Request::Grant { subject, role, workspace, from, until } => {
            Command::Grant { subject, role, workspace, from, until }
        }
        Request::SetGrantConditions { subject, group, role, workspace, conditions } => {
            let grantee = grantee(subject, group)?;
            Command::SetGrantConditions { grantee, role, workspace, conditions }
        }
        Request::GrantUnder { subject, group, role, workspace, from, until, conditions } => {
            let grantee = grantee(subject, group)?;
            Command::GrantUnder { grantee, role, workspace, from, until, conditions }
        }
        Request::Ungrant { subject, role, workspace } => Command::Ungrant { subject, role, workspace },
        Request::EndSession { session } => Command::EndSession { session },
        Request::EndSubjectSessions { subject } => Command::EndSubjectSessions { subject },
        Request::EndTenantSessions {} => Command::EndTenantSessions {},
        Request::EndOtherSessions {} => Command::EndOtherSessions {},
        Request::CreateKey { subject, patterns, expires, description, client, networks } => {
            Command::CreateKey { subject, patterns, expires, description, client, networks }
        }
        Request::ChangeOrigins { origins } => Command::ChangeOrigins { origins },
        Request::RotateRefreshKeys { now } => Command::RotateRefreshKeys { now },
        Request::CreateClient { name, terms } => Command::CreateClient { name, terms },
        Request::ChangeClient { name, terms } => Command::ChangeClient { name, terms },
        Request::DeleteClient { name } => Command::DeleteClient { name },
        Request::RevokeKey { key } => Command::RevokeKey { key },
        Request::SetRelationModel { text, allow_orphans } => {
            Command::SetRelationModel { text: std::str::from_utf8(text.expose()).ok()?.into(), allow_orphans }
        }
        Request::ChangeRelations { changes } => Command::ChangeRelations { changes },
        Request::MapPermission { permission, type_name, relation } => {
            Command::MapPermission { permission, type_name: type_name.into(), relation: relation.into() }
        }
        Request::UnmapPermission { permission, type_name } => {
            Command::UnmapPermission { permission, type_name: type_name.into() }
        }
        Request::CreateRoleIn { workspace, name, patterns } => {
            Command::CreateRoleIn { workspace, name, patterns }
        }
        Request::TrustDevice { device, trust } => Command::TrustDevice { device, trust },
        Request::RevokeDevice { device } => Command::RevokeDevice { device },
        Request::LimitDevice { device, patterns } => Command::LimitDevice { device, patterns },
        Request::LimitTrust { trust, patterns } => Command::LimitTrust { trust, patterns },
        Request::RequireDevices { required } => Command::RequireDevices { required },
        Request::Impersonate { subject, patterns, ttl_s, reason } => {
            Command::Impersonate { subject, patterns, ttl_s, reason: reason.into() }
        }
        Request::RequestRole { subject, role, workspace, duration_s, reason } => {
            Command::RequestRole { subject, role, workspace, duration_s, reason: reason.into() }
        }
        Request::ApproveRequest { request } => Command::ApproveRequest { request },
        Request::RefuseRequest { request } => Command::RefuseRequest { request },
        Request::WithdrawRequest { request } => Command::WithdrawRequest { request },
        Request::WithdrawInvitation { invitation } => Command::WithdrawInvitation { invitation },
        Request::EraseInvitation { invitation } => Command::EraseInvitation { invitation },
        Request::ResendInvitation { invitation, until } => Command::ResendInvitation { invitation, until },
        Request::SetGuest { subject, guest } => Command::SetGuest { subject, guest },
        Request::SetPersonalRole { role } => Command::SetPersonalRole { role },
        Request::MakePersonalWorkspace { subject } => Command::MakePersonalWorkspace { subject },
        Request::PlaceTenant { tenant, epoch, cell } => {
            let (epoch, cell) = (Epoch(epoch), CellId(u16::try_from(cell).ok()?));
            Command::PlaceTenant { placement: Placement { tenant, epoch, cell } }
        }
        Request::PlantedPanic {} => Command::PlantedPanic {},
        _ => return None,
    })
}

/// Whose grant it is: a subject's or a group's, not both.
fn grantee(subject: Option<PublicId>, group: Option<Name>) -> Option<GranteeName> {
    match (subject, group) {
        (Some(subject), None) => Some(GranteeName::Subject(subject)),
        (None, Some(group)) => Some(GranteeName::Group(group)),
        (Some(_), Some(_)) | (None, None) => None,
    }
}
