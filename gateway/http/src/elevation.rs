//! Devices, whoever acts for another, and requests for roles over HTTP.

use crate::answer::Object;
use crate::input::{Input, ill_formed};
use crate::list::{Window, whole};
use crate::operation::{Answer, Field, List, Shape};
use crate::problem::Problem;
use crate::sight;
use serde_json::Value;
use tessera_engine::{Bound, DeviceFound, DeviceShown, Engine, Listing, RequestFound, RequestsOf};
use tessera_model::elevation::{ActedRecord, ActingEnd};
use tessera_model::record::SubjectRecord;
use tessera_model::{
    Challenge, Command, CommandKind, Deadline, DeviceKey, DeviceProof, Limit, ListKind, Listed, Name,
    Pattern, PublicId, Refusal, Thumbprint, Trust,
};

pub(crate) const ON_DEVICE: Field =
    Field::maybe("device", Shape::Session, "public id of the subject's device that it opens on");
pub(crate) const PROOF: Field = Field::maybe(
    "device_proof",
    Shape::DeviceProof,
    "the proof of that device's key, base64url: algorithm (1 ES256, 2 Ed25519), public key, signature, challenge; without it the caller answers for the device, with the permission tessera.devices.vouch",
);
pub(crate) const DEVICE: Field = Field::path("device", Shape::Session, "public id of the device");
pub(crate) const DEVICE_NAME: Field = Field::body("name", Shape::Name, "what it is called");
pub(crate) const THUMBPRINT: Field = Field::body(
    "thumbprint",
    Shape::Thumbprint,
    "of the device's public key (RFC 7638, SHA-256), 43 characters of base64url",
);
pub(crate) const PUBLIC_KEY: Field = Field::body(
    "public_key",
    Shape::DeviceKey,
    "base64url of its bytes: 65 of P-256, not compressed, or 32 of Ed25519",
);
pub(crate) const CHALLENGE: Answer = Answer::One(&["device", "challenge", "until"]);

/// The example of a proof in the description.
pub(crate) fn example_proof() -> Value {
    let (key, challenge) = (DeviceKey::Ed25519([1; 32]), Challenge([0; 36]));
    DeviceProof { key, signature: [0; 64], challenge }.to_string().into()
}

/// The thumbprint that a device is registered with.
fn registered(input: &Input) -> Result<Thumbprint, Problem> {
    match input.text("public_key").and_then(DeviceKey::parse) {
        Some(key) => DeviceShown::thumbprint(&key).map_err(|refusal| Problem::from(refusal).at("public_key")),
        None => required(input.text("thumbprint").and_then(Thumbprint::parse), "thumbprint"),
    }
}

/// The device that a session is to open on, where it proves its key.
pub(crate) fn shown(input: &Input) -> Result<Option<DeviceShown>, Problem> {
    let Some(proof) = input.text("device_proof").and_then(DeviceProof::parse) else { return Ok(None) };
    let device = required(input.public_id("device")?, "device")?;
    Ok(Some(DeviceShown { device, proof }))
}

/// What a device is to sign.
pub(crate) fn challenge(device: PublicId, (challenge, until): (Challenge, Deadline)) -> Value {
    let object = Object::new().shown("device", device).shown("challenge", challenge);
    object.until("until", until).value()
}

/// The same, asked for by an application.
pub(crate) fn ask_challenge(engine: &Engine, bound: &Bound, input: &Input) -> Result<Value, Problem> {
    let device = required(input.public_id("device")?, "device")?;
    Ok(challenge(device, engine.challenge(bound, device)?))
}

fn required<T>(value: Option<T>, field: &str) -> Result<T, Problem> {
    value.ok_or_else(|| ill_formed(field))
}

fn trust(input: &Input) -> Result<Trust, Problem> {
    required(input.text("trust").and_then(Trust::from_name), "trust")
}

/// Why, within its bounds; what else is wrong with it is told where it is decided.
fn because(input: &Input) -> Result<Box<str>, Problem> {
    let text = required(input.text("because"), "because")?;
    if text.len() as u64 > Limit::ReasonBytes.bound() {
        return Err(Problem::from(Limit::ReasonBytes.reached()).at("because"));
    }
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err(ill_formed("because"));
    }
    Ok(text.into())
}

/// The command behind one of these operations.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is mapped elsewhere")]
pub(crate) fn command(kind: CommandKind, input: &Input) -> Result<Command, Problem> {
    let id = |field: &'static str| -> Result<PublicId, Problem> { required(input.public_id(field)?, field) };
    let seconds = |field: &'static str| required(input.count(field)?, field);
    Ok(match kind {
        CommandKind::RegisterDevice => Command::RegisterDevice {
            subject: id("subject")?,
            name: required(input.name("name")?, "name")?,
            key: registered(input)?,
        },
        CommandKind::TrustDevice => Command::TrustDevice { device: id("device")?, trust: trust(input)? },
        CommandKind::RevokeDevice => Command::RevokeDevice { device: id("device")? },
        CommandKind::LimitDevice => {
            Command::LimitDevice { device: id("device")?, patterns: input.patterns("patterns")? }
        }
        CommandKind::LimitTrust => {
            Command::LimitTrust { trust: trust(input)?, patterns: input.patterns("patterns")? }
        }
        CommandKind::RequireDevices => {
            Command::RequireDevices { required: required(input.bool("required")?, "required")? }
        }
        CommandKind::Impersonate => Command::Impersonate {
            subject: id("subject")?,
            patterns: input.patterns("patterns")?,
            ttl_s: seconds("ttl_s")?,
            reason: because(input)?,
        },
        CommandKind::RequestRole => Command::RequestRole {
            subject: id("subject")?,
            role: required(input.name("role")?, "role")?,
            workspace: input.name("workspace")?,
            duration_s: seconds("duration_s")?,
            reason: because(input)?,
        },
        CommandKind::ApproveRequest => Command::ApproveRequest { request: id("request")? },
        CommandKind::RefuseRequest => Command::RefuseRequest { request: id("request")? },
        CommandKind::WithdrawRequest => Command::WithdrawRequest { request: id("request")? },
        _ => return Err(Refusal::Malformed.into()),
    })
}

/// Answers one of the lists.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other lists are answered elsewhere")]
pub(crate) fn rows<'a>(
    (engine, bound): (&Engine, &Bound),
    listing: &Listing,
    (list, input): (List, &Input),
    window: impl Fn(Listed) -> Result<Window<'a>, Problem>,
) -> Result<Value, Problem> {
    let subject = || -> Result<&SubjectRecord, Problem> {
        if matches!(list, List::MyDevices | List::MyActings) {
            return Ok(listing.subject(bound.subject).ok_or(Refusal::SubjectUnknown)?);
        }
        sight::named(listing, (list, input))
    };
    match list {
        List::MyDevices | List::Devices => {
            let owner = subject()?;
            let window = window(Listed::of_subject(ListKind::Devices, Some(owner.id)))?;
            window.page(|from, limit| listing.devices(owner.index, from, limit), device)
        }
        List::MyActings | List::Actings => {
            let owner = subject()?;
            let window = window(Listed::of_subject(ListKind::Actings, Some(owner.id)))?;
            window.page(|from, limit| listing.actings(owner.index, from, limit), acting)
        }
        List::DevicePolicy => {
            let (required, levels) = listing.device_policy();
            Ok(whole(levels.into_iter().map(|(level, ceiling): (Trust, Vec<Pattern>)| {
                let object = Object::new().with("trust", level.name()).with("required", required);
                object.with("ceiling", texts_of(&ceiling))
            })))
        }
        List::Requests | List::RequestsOf => {
            let owner = if list == List::RequestsOf { Some(subject()?) } else { None };
            let listed = Listed::of_subject(ListKind::Requests, owner.map(|owner| owner.id));
            let of = RequestsOf {
                subject: owner.map(|owner| owner.index),
                open: input.bool("open")?.unwrap_or(false),
            };
            let now = engine.now();
            window(listed)?.page(|from, limit| listing.requests(of, (from, limit), now), request)
        }
        _ => Err(Problem::failed()),
    }
}

/// Patterns as texts.
fn texts_of(patterns: &[Pattern]) -> Vec<&str> {
    patterns.iter().map(Pattern::as_str).collect()
}

fn acting((record, actor): &(ActedRecord, Option<PublicId>)) -> Object {
    let how = (record.how != ActingEnd::None).then(|| record.how.name());
    Object::new()
        .shown("session", record.session)
        .with("actor", actor.map(|id| id.to_string()))
        .with("acts_because", &*record.reason)
        .until("created", record.begun)
        .until("expires", record.ends)
        .until("ended", record.ended)
        .with("how", how)
}

fn device(found: &DeviceFound) -> Object {
    let record = &found.record;
    Object::new()
        .shown("device", record.id)
        .shown("subject", found.subject)
        .shown("name", &record.name)
        .shown("thumbprint", record.key)
        .with("trust", record.trust.name())
        .with("ceiling", texts_of(&found.ceiling))
        .until("registered", record.registered)
        .until("revoked", record.revoked)
}

fn request(found: &RequestFound) -> Object {
    let record = &found.record;
    let name = |name: &Option<Name>| name.as_ref().map(Name::to_string);
    Object::new()
        .shown("request", record.id)
        .shown("subject", found.subject)
        .with("made_by", found.made_by.map(|id| id.to_string()))
        .with("role", name(&found.role))
        .with("workspace", name(&found.workspace))
        .with("duration_s", record.duration_s)
        .with("because", &*record.reason)
        .until("created", record.made)
        .until("until", record.until)
        .with("state", record.state.name(found.lapsed))
        .with("decided_by", found.decided_by.map(|id| id.to_string()))
        .until("decided", record.decided)
        .until("granted_until", record.granted_until)
}
