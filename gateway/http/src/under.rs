//! Conditions of grants: the fields of requests, what they order, and how they are told.

use crate::answer::Object;
use crate::ask;
use crate::input::{Input, ill_formed};
use crate::operation::{Field, Shape};
use crate::problem::Problem;
use tessera_engine::Facts;
use tessera_model::grant_condition::GranteeName;
use tessera_model::{Command, CommandKind, Deadline, GrantConditions, Trust};

pub(crate) const CONDITIONS: Field =
    Field::body("conditions", Shape::Conditions, "all of them; an empty list for a grant without");
pub(crate) const UNDER: Field = Field::maybe(
    "conditions",
    Shape::Conditions,
    "it counts only while all of them hold; where they are left out those of an equal grant stay",
);
pub(crate) const FROM_THERE: Field =
    Field::maybe("address", Shape::Address, "from where it is supposed to be asked; none for nobody knows");
pub(crate) const ACR: Field =
    Field::maybe("acr", Shape::Count, "the level of proof that the session is supposed to be opened with");
pub(crate) const PROVEN: Field =
    Field::maybe("proven", Shape::Instant, "when that proof is supposed to be made");
pub(crate) const DEVICE_TRUST: Field = Field::maybe(
    "device_trust",
    Shape::Choice(&Trust::NAMES),
    "how far the session's device is supposed to be trusted; none for no device",
);

/// The command of a grant whose conditions a request speaks of; nothing for every other one.
pub(crate) fn command(kind: CommandKind, input: &Input) -> Result<Option<Command>, Problem> {
    let grants = matches!(kind, CommandKind::Grant | CommandKind::GrantGroup);
    let sets = kind == CommandKind::SetGrantConditions;
    let Some(conditions) = (if grants || sets { input.conditions("conditions")? } else { None }) else {
        return Ok(None);
    };
    let grantee = match input.public_id("subject")? {
        Some(subject) => GranteeName::Subject(subject),
        None => GranteeName::Group(input.name("group")?.ok_or_else(|| ill_formed("group"))?),
    };
    let role = input.name("role")?.ok_or_else(|| ill_formed("role"))?;
    let workspace = input.name("workspace")?;
    if sets {
        return Ok(Some(Command::SetGrantConditions { grantee, role, workspace, conditions }));
    }
    let (from, until) = (input.instant("from")?, input.instant("until")?);
    Ok(Some(Command::GrantUnder { grantee, role, workspace, from, until, conditions }))
}

/// What is supposed of whoever asks.
pub(crate) fn facts(input: &Input) -> Result<Facts, Problem> {
    let proven = input.instant("proven")?;
    Ok(Facts {
        address: ask::address(input.text("address"))?,
        acr: input.count("acr")?.map_or(0, |acr| u8::try_from(acr).unwrap_or(u8::MAX)),
        proven: (proven != Deadline::NONE).then(|| proven.to_millis()),
        trust: input.text("device_trust").and_then(Trust::from_name),
    })
}

/// The conditions of a grant, as a member of an object.
pub(crate) fn under(object: Object, conditions: &GrantConditions) -> Object {
    let texts: Vec<String> = conditions.as_slice().iter().map(ToString::to_string).collect();
    object.with("conditions", texts)
}
