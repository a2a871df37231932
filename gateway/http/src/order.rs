//! Commands: the engine's, in the words of the table; the idempotency key is the command's id.

use crate::answer::{self, Object};
use crate::ask;
use crate::caller::{self, Caller, tenant_named};
use crate::door::Shared;
use crate::input::{Input, ill_formed};
use crate::operation::{Act, Own};
use crate::problem::Problem;
use crate::settings;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, header};
use serde_json::Value;
use tessera_engine::{Bound, Done};
use tessera_model::{
    Command, CommandId, CommandKind, HandleBytes, Identifier, Private, PublicId, Refusal, Settings,
    SubjectIndex, TenantId,
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
    input: &Input,
) -> Result<Answered, Problem> {
    let plain = |value: Value| (value, Vec::new());
    match act {
        Act::Order(kind) => {
            let done = order(shared, &caller.bound, id, kind, input).await?;
            Ok(plain(answer::made(&done, number(kind)).value()))
        }
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
        41 => Some("role"),
        50 => Some("workspace"),
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
    let found = shared.engine.introspect(bound, &shared.engine.read(&view), handle);
    Ok(found.map_err(|_| Refusal::SessionUnknown)?)
}

/// A subject's dense index and cut-off.
fn subject_of(shared: &Shared, bound: &Bound, id: PublicId) -> Result<(SubjectIndex, u32), Problem> {
    let listing = ask::view(shared, bound)?.listing();
    let record = listing.subject(id).ok_or(Refusal::SubjectUnknown)?;
    Ok((record.index, record.cut_off))
}

/// Orders a command: those that need a hash or a look-up first, the others as they are.
#[expect(clippy::wildcard_enum_match_arm, reason = "what needs nothing first is mapped below")]
async fn order(
    shared: &Shared,
    bound: &Bound,
    id: CommandId,
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
            return Ok(engine.set_attributes(bound, id, subject()?, input.attributes("attributes")?).await?);
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
            let (subject, seen_cut_off) = subject_of(shared, bound, subject()?)?;
            // No proof of the subject's own: the caller vouches, and not for anybody above itself.
            Command::OpenSession { subject, seen_cut_off, identifier: None, acr: 0 }
        }
        CommandKind::TouchSession => {
            let found = behind(shared, bound, &required(input.handle("handle")?, "handle")?)?;
            Command::TouchSession { place: found.place, generation: found.generation }
        }
        plain => command_of(shared, plain, input)?,
    };
    Ok(engine.submit(bound, id, command).await?)
}

/// The command behind an operation that carries all that it needs.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not mapped is refused")]
fn command_of(shared: &Shared, kind: CommandKind, input: &Input) -> Result<Command, Problem> {
    let subject = || required(input.public_id("subject")?, "subject");
    let named = |field: &'static str| required(input.name(field)?, field);
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
        CommandKind::DeleteSubject => Command::DeleteSubject { subject: subject()? },
        CommandKind::RegisterPermission => Command::RegisterPermission { name: named("name")? },
        CommandKind::CreateRole => {
            Command::CreateRole { name: named("name")?, patterns: input.patterns("patterns")? }
        }
        CommandKind::ChangeRole => {
            Command::ChangeRole { name: named("name")?, patterns: input.patterns("patterns")? }
        }
        CommandKind::DeleteRole => Command::DeleteRole { name: named("name")? },
        CommandKind::CreateWorkspace => Command::CreateWorkspace {
            name: named("name")?,
            parent: input.name("parent")?,
            inherits: input.bool("inherits")?.unwrap_or(true),
        },
        CommandKind::DeleteWorkspace => Command::DeleteWorkspace { name: named("name")? },
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
        CommandKind::CreateKey => Command::CreateKey {
            subject: subject()?,
            patterns: input.patterns("patterns")?,
            expires: input.instant("expires")?,
            description: input.secret("description"),
            client: input.name("client")?,
        },
        CommandKind::RevokeKey => Command::RevokeKey { key: required(input.public_id("key")?, "key")? },
        _ => return Err(Refusal::Malformed.into()),
    })
}

/// Signs a person in; a browser gets the session in a cookie and the token that goes beside it.
async fn sign_in(shared: &Shared, bound: &Bound, id: CommandId, input: &Input) -> Result<Answered, Problem> {
    // Ill-formed and unknown are one answer.
    let typed = input.text("identifier").unwrap_or_default();
    let identifier = Identifier::guess(typed).map_err(|_| Refusal::SignInFailed)?;
    let from = ask::address(input.text("address"))?;
    let proof = (&identifier, input.secret("password"));
    let done = shared.engine.sign_in(bound, id, proof, from).await?;
    if !input.bool("cookie")?.unwrap_or(false) {
        return Ok((answer::made(&done, None).value(), Vec::new()));
    }
    let Some(handle) = done.made.handle else {
        // A repeat: the cookie was given once.
        return Ok((answer::made(&done, None).value(), Vec::new()));
    };
    let seconds = done.made.expires.map_or(0, |end| end.0.saturating_sub(shared.engine.now().0) / 1_000);
    let text = format!(
        "{}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}",
        caller::COOKIE,
        handle.to_text()
    );
    let value = HeaderValue::from_str(&text).map_err(|_| Problem::failed())?;
    let mut shown = done;
    // The script beside the cookie has no use for the secret in it.
    shown.made.handle = None;
    let token = caller::csrf_token(&handle.to_bytes());
    Ok((answer::made(&shown, None).with("csrf_token", token).value(), vec![(header::SET_COOKIE, value)]))
}

/// Takes the cookie from a browser.
fn forget(caller: &Caller) -> Vec<(HeaderName, HeaderValue)> {
    if !caller.cookie {
        return Vec::new();
    }
    let text = "__Host-tessera=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0";
    vec![(header::SET_COOKIE, HeaderValue::from_static(text))]
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
        Own::SignIn => sign_in(shared, bound, id, input).await,
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
            Ok(plain(&engine.change_password(bound, id, old, new).await?))
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
        Own::EndOthers => end_others(shared, bound).await.map(|value| (value, Vec::new())),
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

/// Ends the caller's other sessions, each by a command of its own: what was ended is told, and asking
/// again ends the rest.
async fn end_others(shared: &Shared, bound: &Bound) -> Result<Value, Problem> {
    // Where nothing is ended, the position at which that was so.
    let (mut ended, mut receipt) = (0_u64, ask::view(shared, bound)?.read(shared.engine.now()).seen());
    for session in others(shared, bound)? {
        let id = shared.engine.command_id();
        match shared.engine.submit(bound, id, Command::EndSession { session }).await {
            Ok(done) => {
                ended += 1;
                receipt = done.receipt;
            }
            // It has ended meanwhile.
            Err(tessera_engine::SubmitError::Refused(Refusal::SessionUnknown)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Object::new().with("ended", ended).shown("receipt", receipt).with("repeated", false).value())
}

/// A merge patch of the settings (RFC 7396): what is named changes, the rest stays.
async fn patch_settings(
    shared: &Shared,
    bound: &Bound,
    id: CommandId,
    input: &Input,
) -> Result<Value, Problem> {
    if !shared.engine.may(bound, CommandKind::ChangeSettings.permission()) {
        return Err(Refusal::Unauthorized.into());
    }
    let mut changed: Settings = ask::view(shared, bound)?.listing().settings();
    settings::change(&mut changed, input)?;
    if let Some(field) = changed.fault() {
        return Err(Refusal::SettingOutOfBounds(field).into());
    }
    let mut answer = Object::new();
    if !input.bool("dry_run")?.unwrap_or(false) {
        let done = shared.engine.submit(bound, id, Command::ChangeSettings { settings: changed }).await?;
        answer = answer::made(&done, None);
    }
    Ok(settings::members(&changed, answer).value())
}
