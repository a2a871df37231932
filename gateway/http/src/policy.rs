//! Policies over HTTP: the set of a tenant, the entities that it speaks about, and checks under circumstances.

use crate::answer::Object;
use crate::ask;
use crate::door::Shared;
use crate::input::{Input, ill_formed};
use crate::json::Json;
use crate::list::{limit, rows_of};
use crate::operation::List;
use crate::problem::Problem;
use crate::value::text;
use serde_json::{Map, Value, json};
use tessera_engine::{Bound, Done, Engine, Listing, PolicyParts, PolicySaid, SubmitError, Tried};
use tessera_model::limits::{
    CONTEXT_BYTES_MAX, ENTITY_CHANGES_MAX, ENTITY_ID_BYTES_MAX, ENTITY_TYPE_BYTES_MAX, POLICY_TEXT_BYTES_MAX,
    SENT_ENTITIES_BYTES_MAX,
};
use tessera_model::policy::EntityName;
use tessera_model::{CommandId, CommandKind, CursorFault, Limit, ListKind, Listed, Refusal, cursor};
use tessera_program::PlainError;

/// The rules about a forbid that fails.
pub(crate) const RULES: &[&str] = &["strict", "cedar"];

/// A value as JSON text; nothing for a number that is not whole.
fn written(value: &Json) -> Option<Value> {
    Some(match value {
        Json::Null => Value::Null,
        Json::Bool(value) => json!(value),
        Json::Whole(value) => json!(i64::try_from(*value).ok()?),
        Json::Fraction => return None,
        Json::Text(text) => json!(text),
        Json::List(items) => Value::Array(items.iter().map(written).collect::<Option<_>>()?),
        Json::Members(members) => {
            let members = members.iter().map(|(name, value)| Some((name.clone(), written(value)?)));
            Value::Object(members.collect::<Option<Map<_, _>>>()?)
        }
    })
}

impl Input {
    /// A field as JSON text.
    pub(crate) fn json_text(&self, name: &str) -> Result<Option<String>, Problem> {
        let written = |value: &Json| written(value).map(|value| value.to_string());
        self.json(name).map(|value| written(value).ok_or_else(|| ill_formed(name))).transpose()
    }
}

/// The names of entities: objects of `type` and `id`.
pub(crate) fn names(value: &Json) -> Option<Vec<EntityName>> {
    crate::value::list(value, ENTITY_CHANGES_MAX, |item| {
        let Json::Members(members) = item else { return None };
        let member =
            |name: &str| members.iter().find(|(one, _)| one == name).and_then(|(_, value)| text(value));
        (members.len() == 2).then(|| EntityName::new(member("type")?, member("id")?))?
    })
}

fn parts(input: &Input) -> Result<PolicyParts, Problem> {
    Ok(PolicyParts {
        text: input.text("policies").map(Into::into),
        schema: input.text("schema").map(Into::into),
        built_in: input.bool("built_in_schema")?.unwrap_or(false),
        lenient: input.text("failing_forbid").map(|rule| rule == "cedar"),
        expected: input.count("version")?,
    })
}

/// What does not fit, at its field.
pub(crate) fn misfit((refusal, misfit): (Refusal, PlainError)) -> Problem {
    let field = if refusal.is_of_context() { "context" } else { "entities" };
    Problem::from(refusal).at(field).because(misfit.says)
}

/// Orders one of the commands of policies.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is ordered elsewhere")]
pub(crate) async fn order(
    engine: &Engine,
    bound: &Bound,
    (kind, id, trial): (CommandKind, CommandId, bool),
    input: &Input,
) -> Result<Done, Problem> {
    match kind {
        CommandKind::SetPolicies => {
            let wrong = [Refusal::PolicyWrong, Refusal::PolicySchemaWrong];
            let done = engine.set_policies_or_tell(bound, (id, trial), parts(input)?).await;
            done.map_err(|(error, tried)| match error {
                SubmitError::Refused(refusal) if wrong.contains(&refusal) => {
                    told(Problem::from(refusal), &tried)
                }
                error => error.into(),
            })
        }
        CommandKind::ChangeEntities => {
            let put = input.json_text("entities")?;
            let remove = input
                .json("remove")
                .map_or(Ok(Vec::new()), |value| names(value).ok_or_else(|| ill_formed("remove")))?;
            if let Some(put) = put.as_deref() {
                engine.view_of(bound)?.listing().try_entities(put).map_err(misfit)?;
            }
            Ok(engine.change_entities(bound, (id, trial), (put.as_deref(), remove)).await?)
        }
        _ => {
            let expected = input.count("version")?;
            let command = tessera_model::Command::DeletePolicies { expected };
            Ok(engine.submit_or_try(bound, (id, trial), command).await?)
        }
    }
}

fn faults(tried: &Tried) -> Vec<Value> {
    let fault = |fault: &tessera_engine::PolicyFault| {
        Object::new()
            .with("field", if tried.in_schema { "schema" } else { "policies" })
            .with("line", fault.place.map(|place| place.line))
            .with("column", fault.place.map(|place| place.column))
            .with("kind", fault.reason.name())
            .with("message", fault.says.as_str())
            .with("advice", fault.advice.as_deref())
            .value()
    };
    tried.faults.iter().map(fault).collect()
}

/// A refusal with the places where texts are wrong.
fn told(problem: Problem, tried: &Tried) -> Problem {
    let problem = problem.at(if tried.in_schema { "schema" } else { "policies" });
    let Some(first) = tried.faults.first() else { return problem };
    let problem = problem.because(first.says.clone()).with("faults", faults(tried));
    match first.place {
        Some(place) => problem.with("line", place.line).with("column", place.column),
        None => problem,
    }
}

/// Answers one of the lists.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other lists are answered elsewhere")]
pub(crate) fn rows(
    (engine, bound): (&Engine, &Bound),
    listing: &Listing,
    (list, input): (List, &Input),
) -> Result<Value, Problem> {
    match list {
        List::Policies => {
            let version = input.count("version")?.unwrap_or(0);
            let known = listing.policy_set(version);
            if version != 0 && known.is_none() {
                return Err(Problem::from(Refusal::PolicyVersion).at("version"));
            }
            let present = listing.policies().map(|known| known.version);
            let is_present = known.map(|known| known.version) == present;
            let set = known.and_then(|known| known.schema.as_deref()).map(str::to_owned);
            let built_in = set.is_none();
            let object = Object::new()
                .with("version", known.map_or(0, |known| known.version))
                .until("created", known.map_or(tessera_model::Deadline::NONE, |known| known.at))
                .with("policies", known.map_or("", |known| &known.text))
                // Of a version before nobody knows what the built-in one was.
                .with("schema", set.or_else(|| is_present.then(|| listing.built_in_schema())))
                .with("built_in_schema", built_in)
                .with(
                    "failing_forbid",
                    if known.is_some_and(|known| known.lenient) { "cedar" } else { "strict" },
                )
                .with("count", is_present.then(|| listing.policies_count()))
                .with("versions", versions(listing, present));
            Ok(object.value())
        }
        List::PolicyTrial => {
            let runtime = tokio::runtime::Handle::current();
            let tried = runtime.block_on(engine.try_policies(bound, parts(input)?))?;
            let valid = tried.faults.is_empty();
            let object = Object::new().with("valid", valid).with("count", tried.policies);
            Ok(object.with("faults", faults(&tried)).value())
        }
        List::Entities => {
            let cursors = engine.cursors(bound.entry.tenant, Listed::all(ListKind::Entities))?;
            let damaged = || Problem::from(Refusal::CursorRefused(CursorFault::Damaged));
            let after = input.cursor("cursor");
            let from = match cursors.tail(after.as_deref())? {
                None => (0, EntityName { kind: "".into(), id: "".into() }),
                Some((share, tail)) => {
                    let tail = std::str::from_utf8(tail).map_err(|_| damaged())?;
                    let (kind, id) = tail.split_once('\0').ok_or_else(damaged)?;
                    let name = EntityName::new(kind, id).ok_or_else(damaged)?;
                    (u32::try_from(share).map_err(|_| damaged())?, name)
                }
            };
            let most = limit(input)?;
            let mut rest = listing.entities(from).peekable();
            let (mut rows, mut last) = (Vec::new(), None);
            while let Some((share, name, json)) = rest.next_if(|_| rows.len() < most) {
                let entity: Value = serde_json::from_str(&json).map_err(|_| Problem::failed())?;
                rows.push(Object::new().with("entity", entity));
                last = Some((share, name));
            }
            let next = last.filter(|_| rest.peek().is_some()).map(|(share, name)| {
                let tail = format!("{}\0{}", name.kind, name.id);
                cursor::to_text(&cursors.behind(u64::from(share), tail.as_bytes()))
            });
            Ok(rows_of(rows.into_iter(), next))
        }
        _ => Err(Problem::failed()),
    }
}

/// The versions that are kept, the newest first.
fn versions(listing: &Listing, present: Option<u32>) -> Vec<Value> {
    let one = |set: &tessera_model::policy::PolicyRecord| {
        Object::new()
            .with("version", set.version)
            .with("present", present == Some(set.version))
            .until("created", set.at)
            .with("failing_forbid", if set.lenient { "cedar" } else { "strict" })
            .with("built_in_schema", set.schema.is_none())
            .value()
    };
    listing.policy_sets().map(one).collect()
}

/// What policies say to a question.
pub(crate) fn said(all: &[PolicySaid]) -> Vec<Value> {
    let one = |said: &PolicySaid| {
        let object = Object::new().with("policy", said.name.as_str());
        object
            .with("effect", if said.forbids { "forbids" } else { "permits" })
            .with("fault", said.fault)
            .value()
    };
    all.iter().map(one).collect()
}

/// Whether the caller may say under which circumstances it asks, if it says so.
pub(crate) fn may_say(shared: &Shared, bound: &Bound, input: &Input) -> Result<(), Problem> {
    for field in ["context", "entities"] {
        if input.json(field).is_some() && !shared.engine.may(bound, ask::CHECK) {
            return Err(Problem::from(Refusal::Unauthorized).at(field));
        }
    }
    Ok(())
}

/// What the description says of the texts, contexts and entities.
pub(crate) fn text_schema() -> Value {
    json!({ "type": "string", "maxLength": POLICY_TEXT_BYTES_MAX })
}

pub(crate) fn context_schema() -> Value {
    json!({ "type": "object", "description": format!("as the schema says of the action's context; {CONTEXT_BYTES_MAX} bytes at most") })
}

fn name_schema() -> Value {
    json!({
        "type": "object", "additionalProperties": false, "required": ["type", "id"],
        "properties": {
            "type": { "type": "string", "minLength": 1, "maxLength": ENTITY_TYPE_BYTES_MAX },
            "id": { "type": "string", "maxLength": ENTITY_ID_BYTES_MAX },
        },
    })
}

pub(crate) fn names_schema() -> Value {
    json!({ "type": "array", "maxItems": ENTITY_CHANGES_MAX, "items": name_schema() })
}

pub(crate) fn entities_schema() -> Value {
    json!({
        "type": "array", "maxItems": ENTITY_CHANGES_MAX,
        "description": format!("{SENT_ENTITIES_BYTES_MAX} bytes at most"),
        "items": {
            "type": "object", "additionalProperties": false, "required": ["uid"],
            "properties": {
                "uid": name_schema(), "attrs": { "type": "object" }, "tags": { "type": "object" },
                "parents": { "type": "array", "items": name_schema() },
            },
        },
    })
}

/// The limit that a list of entities is over, when it is one.
pub(crate) fn over(value: &Json) -> Option<Limit> {
    let Json::List(items) = value else { return None };
    (items.len() > ENTITY_CHANGES_MAX).then_some(Limit::EntityChanges)
}
