//! Who sees whom over HTTP: the rules, and people as they are shown to whoever asks.

use crate::answer::Object;
use crate::input::{Input, ill_formed};
use crate::json::Json;
use crate::operation::List;
use crate::problem::Problem;
use crate::value::{list, text};
use serde_json::{Value, json};
use tessera_engine::{Bound, Engine, Listing, View};
use tessera_model::limits::{NAME_BYTES_MAX, VISIBILITY_ATTRIBUTES_MAX, VISIBILITY_RULES_MAX};
use tessera_model::name::NameError;
use tessera_model::record::SubjectRecord;
use tessera_model::visibility::{Circle, Detail, Details, Reach, VisibilityDraft, VisibilityRule};
use tessera_model::{Command, Limit, Name, Refusal};

/// What of the subject that it names an answer tells, beside that it is there.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the rest names no subject, or filters what it tells by itself"
)]
pub(crate) const fn detail(list: List) -> Option<Detail> {
    match list {
        List::Grants | List::Explain | List::Simulate => Some(Detail::Grants),
        List::Memberships => Some(Detail::Groups),
        List::Sessions | List::MySessions => Some(Detail::Sessions),
        List::KeysOf => Some(Detail::Keys),
        List::Devices | List::MyDevices => Some(Detail::Devices),
        List::Actings | List::MyActings => Some(Detail::Sessions),
        List::RequestsOf => Some(Detail::Requests),
        _ => None,
    }
}

/// The lists of a tenant for a caller who reads with a permission. What is the caller's own is read without one, as it is.
pub(crate) fn listing(engine: &Engine, (bound, view): (&Bound, &View), permission: Option<&str>) -> Listing {
    permission.map_or_else(|| view.listing(), |name| engine.listing(bound, view, name))
}

/// The subject that a question names, for whoever sees it and is shown what the answer tells.
pub(crate) fn named<'a>(
    listing: &'a Listing,
    (list, input): (List, &Input),
) -> Result<&'a SubjectRecord, Problem> {
    let id = input.public_id("subject")?.ok_or_else(|| ill_formed("subject"))?;
    Ok(match detail(list) {
        Some(detail) => listing.subject_with_detail(id, detail)?,
        None => listing.subject(id).ok_or(Refusal::SubjectUnknown)?,
    })
}

/// A subject as its reader is shown it.
pub(crate) fn subject(listing: &Listing, row: &SubjectRecord) -> Object {
    let status = listing.shows(row.index, Detail::Status);
    Object::new()
        .shown("subject", row.id)
        // It tells how many there are.
        .with("index", (!listing.is_limited()).then_some(row.index.0))
        .with("kind", row.kind.name())
        .with("status", status.then(|| row.status.name()))
        .with("has_password", status.then_some(row.has_password))
        .with("guest", status.then_some(row.guest))
        .with("creator", listing.creator(row.index).map(|id| id.to_string()))
}

/// Why a part of the rules does not read, and where: a path below them.
type Fault = (String, Refusal);

impl Input {
    /// The rules about who sees whom.
    pub(crate) fn visibility(&self) -> Result<Command, Problem> {
        let rules = self.json("rules").ok_or_else(|| ill_formed("rules"))?;
        let rules =
            rules_of(rules).map_err(|(at, refusal)| Problem::from(refusal).at(&format!("rules{at}")))?;
        Ok(Command::SetVisibility { draft: VisibilityDraft { rules, expected: self.count("version")? } })
    }
}

fn rules_of(value: &Json) -> Result<Vec<VisibilityRule>, Fault> {
    let Json::List(items) = value else { return Err((String::new(), Refusal::Malformed)) };
    if items.len() > VISIBILITY_RULES_MAX {
        return Err((String::new(), Limit::VisibilityRules.reached()));
    }
    let placed = items.iter().enumerate();
    placed
        .map(|(at, item)| rule(item).map_err(|(below, refusal)| (format!("/{at}{below}"), refusal)))
        .collect()
}

fn rule(value: &Json) -> Result<VisibilityRule, Fault> {
    let ill = |below: &str| (below.to_owned(), Refusal::Malformed);
    let Json::Members(members) = value else { return Err(ill("")) };
    let (mut role, mut reach, mut details, mut attributes) = (None, None, None, Vec::new());
    for (member, value) in members {
        let at = format!("/{member}");
        match member.as_str() {
            "role" if *value == Json::Null => {}
            "role" => role = Some(name(value).map_err(|refusal| (at, refusal))?),
            "sees" => {
                let each = list(value, Circle::ALL.len(), |one| Circle::from_name(text(one)?));
                reach = Some(each.ok_or_else(|| ill(&at))?.into_iter().collect::<Reach>());
            }
            "shows" => {
                let each = list(value, Detail::ALL.len(), |one| Detail::from_name(text(one)?));
                details = Some(each.ok_or_else(|| ill(&at))?.into_iter().collect::<Details>());
            }
            "attributes" => {
                let Json::List(items) = value else { return Err(ill(&at)) };
                if items.len() > VISIBILITY_ATTRIBUTES_MAX {
                    return Err((at, Limit::VisibilityAttributes.reached()));
                }
                let names = items.iter().map(name).collect::<Result<_, _>>();
                attributes = names.map_err(|refusal| (at, refusal))?;
            }
            _ => return Err(ill(&at)),
        }
    }
    let (reach, details) = (reach.ok_or_else(|| ill("/sees"))?, details.ok_or_else(|| ill("/shows"))?);
    Ok(VisibilityRule { role, reach, details, attributes })
}

fn name(value: &Json) -> Result<Name, Refusal> {
    Name::new(text(value).ok_or(Refusal::Malformed)?).map_err(|error| {
        if error == NameError::TooLong { Limit::NameBytes.reached() } else { Refusal::Malformed }
    })
}

/// What the description says of the rules.
pub(crate) fn schema() -> Value {
    let name = json!({ "type": "string", "minLength": 1, "maxLength": NAME_BYTES_MAX });
    let word = |names: &[&str]| json!({ "type": "array", "uniqueItems": true, "items": { "type": "string", "enum": names } });
    json!({
        "type": "array", "maxItems": VISIBILITY_RULES_MAX,
        "items": {
            "type": "object", "additionalProperties": false, "required": ["sees", "shows"],
            "properties": {
                "role": { "type": ["string", "null"], "minLength": 1, "maxLength": NAME_BYTES_MAX, "description": "whose rule it is; none for everybody who has no role that a rule names" },
                "sees": word(Circle::NAMES),
                "shows": word(Detail::NAMES),
                "attributes": { "type": "array", "maxItems": VISIBILITY_ATTRIBUTES_MAX, "items": name, "description": "shown by name; all are by `attributes` in `shows`" },
            },
        },
    })
}

/// Rules that read.
pub(crate) fn example() -> Value {
    json!([
        { "sees": ["workspace", "group"], "shows": ["email", "groups"], "attributes": ["title"] },
        { "role": "tessera.service", "sees": ["all"], "shows": ["status"] },
    ])
}

/// Who sees whom.
pub(crate) fn told(listing: &Listing) -> Value {
    let (version, rules) = listing.visibility();
    let rules = rules.into_iter().map(|rule| {
        Object::new()
            .with("role", rule.role.as_ref().map(Name::to_string))
            .with("sees", rule.reach.names())
            .with("shows", rule.details.names())
            .with("attributes", rule.attributes.iter().map(Name::to_string).collect::<Vec<_>>())
            .value()
    });
    Object::new().with("version", version).with("rules", rules.collect::<Vec<Value>>()).value()
}
