//! Invitations, guests and personal workspaces over HTTP.

use crate::answer::Object;
use crate::door::Shared;
use crate::input::{Input, ill_formed};
use crate::list::Window;
use crate::operation::List;
use crate::problem::Problem;
use serde_json::Value;
use tessera_engine::{Bound, Done, Engine, InvitationFound, InvitationsOf, Listing, usual_end};
use tessera_model::{
    Command, CommandId, CommandKind, Deadline, Identifier, ListKind, Listed, Name, Private, PublicId,
    Refusal, UnixMillis,
};

fn required<T>(value: Option<T>, field: &str) -> Result<T, Problem> {
    value.ok_or_else(|| ill_formed(field))
}

fn secret(input: &Input) -> Result<Private, Problem> {
    Ok(Private::new(required(input.handle("secret")?, "secret")?.to_vec()))
}

/// Until when it may be answered; a week from now where nobody says.
fn until(input: &Input, now: UnixMillis) -> Result<Deadline, Problem> {
    let said = input.instant("expires")?;
    Ok(if said == Deadline::NONE { usual_end(now) } else { said })
}

/// Answers for somebody without an account: with a password it is accepted, without one declined.
pub(crate) async fn answer(shared: &Shared, id: CommandId, input: &Input) -> Result<Done, Problem> {
    let password = input.text("password").map(|_| input.secret("password"));
    let answer = (password.is_some(), password);
    Ok(shared.engine.answer_invitation(None, id, &secret(input)?, answer).await?)
}

/// Accepts for the caller's own subject.
pub(crate) async fn accept(
    shared: &Shared,
    bound: &Bound,
    id: CommandId,
    input: &Input,
) -> Result<Done, Problem> {
    Ok(shared.engine.answer_invitation(Some(bound), id, &secret(input)?, (true, None)).await?)
}

/// The command that invites.
pub(crate) fn invite(
    whom: (Identifier, [u8; 16]),
    input: &Input,
    now: UnixMillis,
) -> Result<Command, Problem> {
    Ok(Command::Invite {
        whom,
        workspace: required(input.name("workspace")?, "workspace")?,
        role: required(input.name("role")?, "role")?,
        grant_until: input.instant("until")?,
        until: until(input, now)?,
        guest: input.bool("guest")?.unwrap_or(false),
    })
}

/// The command behind one of these operations.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is mapped elsewhere")]
pub(crate) fn command(kind: CommandKind, input: &Input, now: UnixMillis) -> Result<Command, Problem> {
    let id = |field: &'static str| -> Result<PublicId, Problem> { required(input.public_id(field)?, field) };
    Ok(match kind {
        CommandKind::WithdrawInvitation => Command::WithdrawInvitation { invitation: id("invitation")? },
        CommandKind::EraseInvitation => Command::EraseInvitation { invitation: id("invitation")? },
        CommandKind::ResendInvitation => {
            Command::ResendInvitation { invitation: id("invitation")?, until: until(input, now)? }
        }
        CommandKind::SetGuest => {
            Command::SetGuest { subject: id("subject")?, guest: required(input.bool("guest")?, "guest")? }
        }
        CommandKind::SetPersonalRole => Command::SetPersonalRole { role: input.name("role")? },
        CommandKind::MakePersonalWorkspace => Command::MakePersonalWorkspace { subject: id("subject")? },
        _ => return Err(Refusal::Malformed.into()),
    })
}

/// Answers one of the lists.
pub(crate) fn rows<'a>(
    (engine, bound): (&Engine, &Bound),
    listing: &Listing,
    (list, input): (List, &Input),
    window: impl Fn(Listed) -> Result<Window<'a>, Problem>,
) -> Result<Value, Problem> {
    if list == List::PersonalRole {
        return Ok(Object::new().with("role", listing.personal_role().map(Name::to_string)).value());
    }
    let inviter = if list == List::InvitationsOf {
        let id = required(input.public_id("subject")?, "subject")?;
        Some(listing.subject(id).ok_or(Refusal::SubjectUnknown)?)
    } else {
        None
    };
    let listed = Listed::of_subject(ListKind::Invitations, inviter.map(|record| record.id));
    let whom = if list == List::InvitationsFor {
        let whom = required(input.identifier("identifier")?, "identifier")?;
        Some(engine.identifier_hash(bound.entry.tenant, &whom)?)
    } else {
        None
    };
    let of = InvitationsOf {
        inviter: inviter.map(|record| record.index),
        open: input.bool("open")?.unwrap_or(false),
        whom,
    };
    let window = window(listed)?;
    let page = engine.invitations(bound, listing, of, window.within())?;
    window.page(|_, _| page, invitation)
}

fn invitation(found: &InvitationFound) -> Object {
    let record = &found.record;
    let name = |name: &Option<Name>| name.as_ref().map(Name::to_string);
    Object::new()
        .shown("invitation", record.id)
        .with("identifier", found.whom.as_ref().map(|whom| whom.typed().to_owned()))
        .with("inviter", found.inviter.map(|id| id.to_string()))
        .with("role", name(&found.role))
        .with("workspace", name(&found.workspace))
        .until("grant_until", record.grant_until)
        .with("guest", record.guest)
        .with("secrets", record.sent)
        .until("created", record.made)
        .until("until", record.until)
        .with("state", record.state.name(found.lapsed))
        .with("subject", found.subject.map(|id| id.to_string()))
        .until("decided", record.decided)
}
