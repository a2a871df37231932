//! Commands: the engine's, in the words of the table; the idempotency key is the command's id.

use crate::answer;
use crate::ask;
use crate::caller::{self, Caller, tenant_named};
use crate::door::Shared;
use crate::elevation;
use crate::input::{Input, ill_formed};
use crate::invitation;
use crate::load;
use crate::operation::{Act, Own};
use crate::placed::placed;
use crate::policy;
use crate::problem::Problem;
use crate::relation;
use crate::serve;
use crate::settings;
use crate::under;
use crate::value;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, header};
use serde_json::Value;
use tessera_engine::{Bound, Done, Rotation, SubmitError};
use tessera_model::refresh::{ClientTerms, RefreshMode};
use tessera_model::{
    Command, CommandId, CommandKind, Handle, HandleBytes, Identifier, OnDevice, Private, PublicId, Refusal,
    SubjectIndex, TenantId, UnixMillis,
};

/// The header whose value is the command's id (draft-ietf-httpapi-idempotency-key-header).
const KEY_HEADER: &str = "idempotency-key";

/// An answer with headers of its own.
pub(crate) type Answered = (Value, Vec<(HeaderName, HeaderValue)>);

/// The command's id: a UUIDv7, bare or in quotes; a fresh one when the caller names none.
pub(crate) fn command_id(shared: &Shared, parts: &Parts) -> Result<CommandId, Problem> {
    let Some(text) = caller::single(&parts.headers, KEY_HEADER)? else {
        return Ok(shared.engine.command_id());
    };
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    PublicId::parse(bare)
        .filter(|id| id.0.get(6).is_some_and(|byte| byte >> 4 == 7))
        .map(|id| CommandId(id.0))
        .ok_or_else(|| Problem::unreadable("must be a UUIDv7").at(KEY_HEADER))
}

/// Performs what needs no credential but a one-time secret.
pub(crate) async fn unbound(
    shared: &Shared,
    act: Act,
    id: CommandId,
    input: &Input,
) -> Result<Value, Problem> {
    let done = if act == Act::Order(CommandKind::SetUpPassword) {
        let secret = Private::new(required(input.handle("secret")?, "secret")?.to_vec());
        shared.engine.set_up_password(None, id, &secret, input.secret("password")).await?
    } else if act == Act::Order(CommandKind::AnswerInvitation) {
        invitation::answer(shared, id, input).await?
    } else {
        let name = required(input.name("name")?, "name")?;
        shared.engine.claim_operator(id, &input.secret("secret"), name).await?
    };
    Ok(answer::made(&done, None).value())
}

/// Performs what changes something.
pub(crate) async fn perform(
    shared: &Shared,
    caller: &Caller,
    (act, id): (Act, CommandId),
    (parts, input): (&Parts, &Input),
) -> Result<Answered, Problem> {
    let plain = |value: Value| (value, Vec::new());
    match act {
        Act::Order(CommandKind::LoadSubjects) => Ok(plain(load::load(shared, caller, id, input).await?)),
        Act::Order(kind) => {
            let trial = input.bool("dry_run")?;
            let done = order(shared, &caller.bound, (id, trial.unwrap_or(false)), kind, input).await;
            let done = done.map_err(|problem| placed(shared, &caller.bound, (kind, input), problem))?;
            let made = answer::made(&done, number(kind));
            Ok(plain(trial.map_or(made.clone(), |trial| made.with("dry_run", trial)).value()))
        }
        Act::Own(Own::Refresh) => refresh(shared, caller, id, (parts, input)).await,
        Act::Own(Own::SignIn) => sign_in(shared, &caller.bound, id, input).await,
        Act::Own(own) => own_act(shared, caller, (own, id), input).await,
        Act::Ask(_) | Act::List(_) => Err(Problem::failed()),
    }
}

fn required<T>(value: Option<T>, field: &str) -> Result<T, Problem> {
    value.ok_or_else(|| ill_formed(field))
}

/// The member for the dense id of what was made.
const fn number(kind: CommandKind) -> Option<&'static str> {
    match kind.number() {
        40 => Some("permission"),
        41 | 156 => Some("role"),
        50 | 182 => Some("workspace"),
        11 => Some("number"),
        90 => Some("client"),
        100 => Some("group"),
        120 | 140 => Some("version"),
        76 => Some("ended"),
        _ => None,
    }
}

/// Whoever lives behind a handle of this tenant.
fn behind(
    shared: &Shared,
    bound: &Bound,
    handle: &HandleBytes,
) -> Result<tessera_model::query::Introspection, Problem> {
    let view = ask::view(shared, bound)?;
    let found = shared.engine.locate(bound, &shared.engine.read(&view), handle);
    Ok(found.map_err(|_| Refusal::SessionUnknown)?)
}

/// A subject's dense index and cut-off.
fn subject_of(shared: &Shared, bound: &Bound, id: PublicId) -> Result<(SubjectIndex, u32), Problem> {
    let listing = ask::view(shared, bound)?.listing();
    let record = listing.subject(id).ok_or(Refusal::SubjectUnknown)?;
    Ok((record.index, record.cut_off))
}

/// Orders a command: those that need a hash or a look-up first, the others as they are.
#[expect(clippy::too_many_lines, reason = "one arm for each of them")]
#[expect(clippy::wildcard_enum_match_arm, reason = "what needs nothing first is mapped below")]
async fn order(
    shared: &Shared,
    bound: &Bound,
    (id, trial): (CommandId, bool),
    kind: CommandKind,
    input: &Input,
) -> Result<Done, Problem> {
    let engine = &shared.engine;
    let subject = || required(input.public_id("subject")?, "subject");
    let identifier = || required(input.identifier("identifier")?, "identifier");
    let command = match kind {
        CommandKind::CreateSubject => {
            let password = input.text("password").map(|_| input.secret("password"));
            let who = (input.subject_kind("kind")?, input.identifiers("identifiers")?);
            return Ok(engine.create_subject(bound, id, who, password).await?);
        }
        CommandKind::SetAttributes => {
            let values = input.attributes("attributes")?;
            return Ok(engine.set_attributes(bound, (id, trial), subject()?, values).await?);
        }
        CommandKind::AddIdentifier => {
            let identifier = identifier()?;
            let hash = engine.identifier_hash(bound.entry.tenant, &identifier)?;
            Command::AddIdentifier { subject: subject()?, identifier, hash }
        }
        CommandKind::RemoveIdentifier => {
            let hash = engine.identifier_hash(bound.entry.tenant, &identifier()?)?;
            Command::RemoveIdentifier { subject: subject()?, hash }
        }
        CommandKind::OpenSession => {
            if let Some(shown) = elevation::shown(input)? {
                return Ok(engine.open_session_on(bound, id, subject()?, &shown).await?);
            }
            let (subject, seen_cut_off) = subject_of(shared, bound, subject()?)?;
            // No proof of the subject's own: the caller vouches, and not for anybody above itself.
            let device = input.public_id("device")?.map(OnDevice::from);
            Command::OpenSession { subject, seen_cut_off, identifier: None, acr: 0, device }
        }
        CommandKind::AnswerInvitation => {
            return invitation::accept(shared, bound, id, input).await;
        }
        CommandKind::Invite => {
            let whom = identifier()?;
            let hash = engine.identifier_hash(bound.entry.tenant, &whom)?;
            invitation::invite((whom, hash), input, engine.now())?
        }
        CommandKind::RotateKey => {
            return Ok(engine.rotate_key(bound, id, rotation(input)?).await?);
        }
        CommandKind::TouchSession => {
            let found = behind(shared, bound, &required(input.handle("handle")?, "handle")?)?;
            Command::TouchSession { place: found.place, generation: found.generation }
        }
        CommandKind::ChangeClient => {
            let name = required(input.name("name")?, "name")?;
            if !engine.may(bound, kind.permission()) {
                return Err(Refusal::Unauthorized.into());
            }
            let listing = ask::view(shared, bound)?.listing();
            let known = listing.client_named(&name).ok_or(Refusal::ClientUnknown)?;
            let terms = terms(known.terms, input)?;
            Command::ChangeClient { name, terms }
        }
        CommandKind::SetRelationModel
        | CommandKind::ChangeRelations
        | CommandKind::MapPermission
        | CommandKind::UnmapPermission => {
            let command = relation::command(kind, input)?;
            let view = ask::view(shared, bound)?;
            let done = engine.submit_or_try(bound, (id, trial), command).await;
            let listing = engine.listing(bound, &view, kind.permission());
            return relation::told(listing, input, done.map_err(Problem::from)).await;
        }
        CommandKind::SetPolicies | CommandKind::DeletePolicies | CommandKind::ChangeEntities => {
            return policy::order(engine, bound, (kind, id, trial), input).await;
        }
        // Only the system tenant says which tenants there are.
        CommandKind::SuspendTenant | CommandKind::ResumeTenant | CommandKind::DeleteTenant
            if bound.entry.tenant != TenantId::SYSTEM =>
        {
            return Err(Refusal::WrongTenant.into());
        }
        plain => command_of(shared, plain, input)?,
    };
    Ok(engine.submit_or_try(bound, (id, trial), command).await?)
}

/// What a key is to become.
fn rotation(input: &Input) -> Result<Rotation, Problem> {
    Ok(Rotation {
        key: required(input.public_id("key")?, "key")?,
        expires: input.instant("expires")?,
        patterns: input.patterns("patterns")?,
        networks: input.networks("networks")?,
        overlap_s: input.count("overlap_s")?.unwrap_or(0),
    })
}

/// The command behind an operation that carries all that it needs.
#[expect(clippy::too_many_lines, reason = "one arm for each command")]
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not mapped is refused")]
fn command_of(shared: &Shared, kind: CommandKind, input: &Input) -> Result<Command, Problem> {
    let subject = || required(input.public_id("subject")?, "subject");
    let named = |field: &'static str| required(input.name(field)?, field);
    if let Some(command) = under::command(kind, input)? {
        return Ok(command);
    }
    let tenant = || -> Result<TenantId, Problem> {
        let found = input.text("tenant_ref").and_then(|text| tenant_named(&shared.engine, text));
        Ok(found.ok_or(Refusal::TenantUnknown)?)
    };
    Ok(match kind {
        CommandKind::CreateTenant => Command::CreateTenant { name: named("name")? },
        CommandKind::SuspendTenant => Command::SuspendTenant { tenant: tenant()? },
        CommandKind::ResumeTenant => Command::ResumeTenant { tenant: tenant()? },
        CommandKind::DeleteTenant => Command::DeleteTenant { tenant: tenant()?, finish: false },
        CommandKind::SuspendSubject => Command::SuspendSubject { subject: subject()? },
        CommandKind::ResumeSubject => Command::ResumeSubject { subject: subject()? },
        CommandKind::ResetPassword => Command::ResetPassword {
            subject: subject()?,
            until: input.instant("expires")?,
            clear: input.bool("clear")?.unwrap_or(false),
        },
        CommandKind::ForgetFailures => Command::ForgetFailures { subject: subject()? },
        CommandKind::DeclareAttribute => Command::DeclareAttribute {
            name: named("name")?,
            kind: required(input.attribute_kind("kind")?, "kind")?,
        },
        CommandKind::EraseSubject => Command::EraseSubject { subject: subject()? },
        CommandKind::DeleteSubject => Command::DeleteSubject { subject: subject()? },
        CommandKind::RegisterPermission => Command::RegisterPermission { name: named("name")? },
        CommandKind::CreateRole => {
            Command::CreateRole { name: named("name")?, patterns: input.patterns("patterns")? }
        }
        CommandKind::CreateRoleIn => Command::CreateRoleIn {
            workspace: named("workspace")?,
            name: named("name")?,
            patterns: input.patterns("patterns")?,
        },
        CommandKind::ChangeRole => {
            Command::ChangeRole { name: named("name")?, patterns: input.patterns("patterns")? }
        }
        CommandKind::DeleteRole => Command::DeleteRole { name: named("name")? },
        CommandKind::SetRoleParents => {
            Command::SetRoleParents { name: named("name")?, parents: input.names("parents")? }
        }
        CommandKind::RenewGrant => Command::RenewGrant {
            subject: subject()?,
            role: named("role")?,
            workspace: input.name("workspace")?,
            until: input.instant("until")?,
        },
        CommandKind::CreateGroup => Command::CreateGroup { name: named("name")?, rule: input.rule("rule")? },
        CommandKind::ChangeGroupRule => {
            Command::ChangeGroupRule { name: named("name")?, rule: input.rule("rule")? }
        }
        CommandKind::DeleteGroup => Command::DeleteGroup { name: named("name")? },
        CommandKind::AddMember => Command::AddMember {
            group: named("group")?,
            subject: subject()?,
            from: input.instant("from")?,
            until: input.instant("until")?,
        },
        CommandKind::RemoveMember => Command::RemoveMember { group: named("group")?, subject: subject()? },
        CommandKind::AddSubgroup => Command::AddSubgroup {
            group: named("group")?,
            member: named("member")?,
            from: input.instant("from")?,
            until: input.instant("until")?,
        },
        CommandKind::RemoveSubgroup => {
            Command::RemoveSubgroup { group: named("group")?, member: named("member")? }
        }
        CommandKind::GrantGroup => Command::GrantGroup {
            group: named("group")?,
            role: named("role")?,
            workspace: input.name("workspace")?,
            from: input.instant("from")?,
            until: input.instant("until")?,
        },
        CommandKind::UngrantGroup => Command::UngrantGroup {
            group: named("group")?,
            role: named("role")?,
            workspace: input.name("workspace")?,
        },
        CommandKind::CreateWorkspace => Command::CreateWorkspace {
            name: named("name")?,
            parent: input.name("parent")?,
            inherits: input.bool("inherits")?.unwrap_or(true),
        },
        CommandKind::DeleteWorkspace => Command::DeleteWorkspace { name: named("name")? },
        CommandKind::DeleteWorkspaceTree => Command::DeleteWorkspaceTree { name: named("name")? },
        CommandKind::MoveWorkspace => Command::MoveWorkspace {
            name: named("name")?,
            parent: input.name("parent")?,
            inherits: input.bool("inherits")?.unwrap_or(true),
        },
        CommandKind::SetCeiling => {
            Command::SetCeiling { name: named("name")?, patterns: input.patterns("patterns")? }
        }
        CommandKind::SetOwners => Command::SetOwners { name: named("name")?, role: input.name("role")? },
        CommandKind::Grant => Command::Grant {
            subject: subject()?,
            role: named("role")?,
            workspace: input.name("workspace")?,
            from: input.instant("from")?,
            until: input.instant("until")?,
        },
        CommandKind::Ungrant => Command::Ungrant {
            subject: subject()?,
            role: named("role")?,
            workspace: input.name("workspace")?,
        },
        CommandKind::EndSession => {
            Command::EndSession { session: required(input.public_id("session")?, "session")? }
        }
        CommandKind::EndSubjectSessions => Command::EndSubjectSessions { subject: subject()? },
        CommandKind::EndTenantSessions => Command::EndTenantSessions {},
        CommandKind::EndOtherSessions => Command::EndOtherSessions {},
        CommandKind::CreateKey => Command::CreateKey {
            subject: subject()?,
            patterns: input.patterns("patterns")?,
            expires: input.instant("expires")?,
            description: input.secret("description"),
            client: input.name("client")?,
            networks: input.networks("networks")?,
        },
        CommandKind::CreateClient => {
            Command::CreateClient { name: named("name")?, terms: terms(ClientTerms::default(), input)? }
        }
        CommandKind::ChangeOrigins => Command::ChangeOrigins { origins: input.origins("origins")? },
        CommandKind::DeleteClient => Command::DeleteClient { name: named("name")? },
        CommandKind::RotateRefreshKeys => {
            Command::RotateRefreshKeys { now: input.bool("now")?.unwrap_or(false) }
        }
        CommandKind::SetService => {
            Command::SetService { name: named("name")?, entries: input.entries("entries")? }
        }
        CommandKind::SetEndpoints => {
            Command::SetEndpoints { name: named("name")?, endpoints: input.endpoints("endpoints")? }
        }
        CommandKind::SetVisibility => input.visibility()?,
        CommandKind::RevokeKey => Command::RevokeKey { key: required(input.public_id("key")?, "key")? },
        CommandKind::RegisterDevice
        | CommandKind::TrustDevice
        | CommandKind::RevokeDevice
        | CommandKind::LimitDevice
        | CommandKind::LimitTrust
        | CommandKind::RequireDevices
        | CommandKind::Impersonate
        | CommandKind::RequestRole
        | CommandKind::ApproveRequest
        | CommandKind::RefuseRequest
        | CommandKind::WithdrawRequest => elevation::command(kind, input)?,
        CommandKind::WithdrawInvitation
        | CommandKind::EraseInvitation
        | CommandKind::ResendInvitation
        | CommandKind::SetGuest
        | CommandKind::SetPersonalRole
        | CommandKind::MakePersonalWorkspace => invitation::command(kind, input, shared.engine.now())?,
        _ => return Err(Refusal::Malformed.into()),
    })
}

/// A client's terms with what a request names; the rest stays.
fn terms(now: ClientTerms, input: &Input) -> Result<ClientTerms, Problem> {
    let modes = [RefreshMode::Off, RefreshMode::Fixed, RefreshMode::Rotating];
    let mode = input.text("refresh").and_then(|name| modes.into_iter().find(|mode| mode.name() == name));
    Ok(ClientTerms {
        refresh: mode.unwrap_or(now.refresh),
        session_ttl_s: input.count("session_ttl_s")?.unwrap_or(now.session_ttl_s),
        session_idle_s: input.count("session_idle_s")?.unwrap_or(now.session_idle_s),
        refresh_ttl_s: input.count("refresh_ttl_s")?.unwrap_or(now.refresh_ttl_s),
        sessions_max: input.count("sessions_max")?.unwrap_or(now.sessions_max),
        evict: input.text("over_limit").map_or(now.evict, |word| word == "evict"),
    })
}

/// A cookie that scripts do not see, until a handle's end.
fn cookie(
    shared: &Shared,
    name: &str,
    handle: &Handle,
    end: Option<UnixMillis>,
) -> Result<(HeaderName, HeaderValue), Problem> {
    let seconds = end.map_or(0, |end| end.0.saturating_sub(shared.engine.now().0) / 1_000);
    let text =
        format!("{name}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}", handle.to_text());
    let value = HeaderValue::from_str(&text).map_err(|_| Problem::failed())?;
    Ok((header::SET_COOKIE, value))
}

/// Uses a refresh handle: of the content, or a browser's own of the cookie, whose successor goes there again.
async fn refresh(
    shared: &Shared,
    caller: &Caller,
    id: CommandId,
    (parts, input): (&Parts, &Input),
) -> Result<Answered, Problem> {
    let shown = input.handle("refresh_handle")?;
    let kept = if caller.cookie { caller::cookie(&parts.headers, caller::REFRESH_COOKIE)? } else { None };
    let from_cookie = shown.is_none();
    let handle = required(shown.or_else(|| kept.and_then(value::handle)), "refresh_handle")?;
    serve::may_refresh(shared, parts)?;
    let mut done = shared.engine.refresh(&caller.bound, id, &handle).await?;
    let mut headers = Vec::new();
    if from_cookie && let Some(next) = done.made.refresh.take() {
        headers.push(cookie(shared, caller::REFRESH_COOKIE, &next, done.made.refresh_until)?);
    }
    Ok((answer::made(&done, None).value(), headers))
}

/// Signs a person in; a browser gets the session in a cookie and the token that goes beside it.
async fn sign_in(shared: &Shared, bound: &Bound, id: CommandId, input: &Input) -> Result<Answered, Problem> {
    // Ill-formed and unknown are one answer.
    let typed = input.text("identifier").unwrap_or_default();
    let identifier = Identifier::guess(typed).map_err(|_| Refusal::SignInFailed)?;
    let from = ask::address(input.text("address"))?;
    let proof = (&identifier, input.secret("password"));
    let done = match elevation::shown(input)? {
        Some(shown) => shared.engine.sign_in_on(bound, id, proof, (from, &shown)).await?,
        None => shared.engine.sign_in(bound, id, proof, (from, input.public_id("device")?)).await?,
    };
    signed_in(shared, done, input.bool("cookie")?.unwrap_or(false))
}

/// A session that was opened: as a handle, or in a browser's cookie.
pub(crate) fn signed_in(shared: &Shared, done: Done, cookies: bool) -> Result<Answered, Problem> {
    if !cookies {
        return Ok((answer::made(&done, None).value(), Vec::new()));
    }
    let Some(handle) = done.made.handle else {
        // A repeat: the cookie was given once.
        return Ok((answer::made(&done, None).value(), Vec::new()));
    };
    let mut headers = vec![cookie(shared, caller::COOKIE, &handle, done.made.expires)?];
    let mut shown = done;
    // The script beside the cookies has no use for the secrets in them.
    shown.made.handle = None;
    if let Some(refresh) = shown.made.refresh.take() {
        headers.push(cookie(shared, caller::REFRESH_COOKIE, &refresh, shown.made.refresh_until)?);
    }
    let token = caller::csrf_token(&handle.to_bytes());
    Ok((answer::made(&shown, None).with("csrf_token", token).value(), headers))
}

/// Takes the cookies from a browser.
fn forget(caller: &Caller) -> Vec<(HeaderName, HeaderValue)> {
    if !caller.cookie {
        return Vec::new();
    }
    [
        "__Host-tessera=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0",
        "__Host-tessera-refresh=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0",
    ]
    .map(|text| (header::SET_COOKIE, HeaderValue::from_static(text)))
    .into()
}

/// What a caller does about itself.
async fn own_act(
    shared: &Shared,
    caller: &Caller,
    (own, id): (Own, CommandId),
    input: &Input,
) -> Result<Answered, Problem> {
    let (engine, bound) = (&shared.engine, &caller.bound);
    let plain = |done: &Done| (answer::made(done, None).value(), Vec::new());
    match own {
        // They are performed before.
        Own::SignIn | Own::Refresh | Own::SignInPublicly | Own::ChallengePublicly | Own::Register => {
            Err(Problem::failed())
        }
        Own::Touch => {
            let found = behind(shared, bound, &caller.handle)?;
            let command = Command::TouchSession { place: found.place, generation: found.generation };
            Ok(plain(&engine.submit(bound, id, command).await?))
        }
        Own::ChangePassword => {
            if bound.key {
                return Err(Refusal::Unauthorized.into());
            }
            let (old, new): (Private, Private) = (input.secret("old"), input.secret("new"));
            let done = engine.change_password(bound, id, old, new).await;
            let at = |error: SubmitError| {
                let field =
                    if let SubmitError::Refused(Refusal::PasswordLength(_)) = error { "new" } else { "old" };
                let named =
                    matches!(error, SubmitError::Refused(Refusal::PasswordLength(_) | Refusal::SignInFailed));
                let problem = Problem::from(error);
                if named { problem.at(field) } else { problem }
            };
            Ok(plain(&done.map_err(at)?))
        }
        Own::EndThis => {
            let command = Command::EndSession { session: bound.credential };
            Ok((plain(&engine.submit(bound, id, command).await?).0, forget(caller)))
        }
        Own::EndOne => {
            let session = required(input.public_id("session")?, "session")?;
            own_session(shared, bound, session)?;
            let done = engine.submit(bound, id, Command::EndSession { session }).await?;
            let cookie = if session == bound.credential { forget(caller) } else { Vec::new() };
            Ok((plain(&done).0, cookie))
        }
        Own::EndAll => {
            let command = Command::EndSubjectSessions { subject: bound.subject };
            Ok((plain(&engine.submit(bound, id, command).await?).0, forget(caller)))
        }
        Own::SignOut => {
            let session = behind(shared, bound, &required(input.handle("handle")?, "handle")?)?.id;
            Ok(plain(&engine.submit(bound, id, Command::EndSession { session }).await?))
        }
        Own::PatchSettings => patch_settings(shared, bound, id, input).await.map(|value| (value, Vec::new())),
    }
}

/// Refuses a session that is not of the caller's own subject.
fn own_session(shared: &Shared, bound: &Bound, session: PublicId) -> Result<(), Problem> {
    let own = others(shared, bound)?;
    if session == bound.credential || own.contains(&session) {
        Ok(())
    } else {
        Err(Refusal::SessionUnknown.into())
    }
}

/// The caller's other live sessions; keys are left out.
fn others(shared: &Shared, bound: &Bound) -> Result<Vec<PublicId>, Problem> {
    let (subject, _) = subject_of(shared, bound, bound.subject)?;
    let view = ask::view(shared, bound)?;
    let (mut found, mut next) = (Vec::new(), Some(0));
    while let Some(cursor) = next {
        let page = shared.engine.read(&view).sessions(subject, cursor, usize::MAX);
        found.extend(page.rows.iter().filter(|row| !row.key && row.id != bound.credential).map(|row| row.id));
        next = page.next;
    }
    Ok(found)
}

/// A merge patch of the settings (RFC 7396): what is named changes, the rest stays.
async fn patch_settings(
    shared: &Shared,
    bound: &Bound,
    id: CommandId,
    input: &Input,
) -> Result<Value, Problem> {
    let (change, trial) = (settings::change(input)?, input.bool("dry_run")?.unwrap_or(false));
    let command = Command::ChangeSettings { settings: change.clone() };
    let done = shared.engine.submit_or_try(bound, (id, trial), command).await?;
    let now = ask::view(shared, bound)?.listing().settings();
    let answer = answer::made(&done, None).with("dry_run", trial);
    Ok(settings::members(&change.applied(&now), answer).value())
}
