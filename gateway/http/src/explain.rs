//! Why a question is answered as it is, and what it would be with what is supposed.

use crate::answer::Object;
use crate::input::{Input, ill_formed};
use crate::list::texts;
use crate::operation::List;
use crate::policy;
use crate::problem::Problem;
use crate::relation;
use crate::under::{facts, under};
use serde_json::Value;
use std::cell::Cell;
use tessera_engine::{Because, Bound, Cut, Draft, Engine, Listing, View, Why};
use tessera_model::{Deadline, Name, Pattern};

/// Answers `explain` and `simulate`.
pub(crate) fn answer(
    (engine, view): (&Engine, &View),
    (bound, listing): (&Bound, &Listing),
    (list, input): (List, &Input),
    walked: &Cell<u64>,
) -> Result<Value, Problem> {
    let subject = input.public_id("subject")?.ok_or_else(|| ill_formed("subject"))?;
    let permission = input.name("permission")?.ok_or_else(|| ill_formed("permission"))?;
    let (mut through, mut draft, reading) = (None, Draft::default(), engine.read(view));
    if list == List::Explain {
        if let Some(id) = input.public_id("key")? {
            let found = engine.through(bound, &reading, (subject, id));
            through = Some(found.map_err(|refusal| Problem::from(refusal).at("key"))?);
            // A session or key has its own.
            if let Some(own) =
                ["acr", "proven", "device_trust"].into_iter().find(|name| input.json(name).is_some())
            {
                return Err(ill_formed(own));
            }
        }
    } else {
        let window = (input.instant("from")?, input.instant("until")?);
        let grant = input.name("grant")?;
        let place = input.name("grant_workspace")?;
        let covers = input.patterns("covers")?;
        draft = Draft {
            role: input.name("role")?.map(|role| (role, covers)),
            grant: grant.map(|grant| (grant, place, window.0, window.1)),
            without: match input.name("without")? {
                None => None,
                Some(without) => Some((without, input.name("without_workspace")?)),
            },
            group: input.name("group")?,
            conditions: input.conditions("conditions")?.unwrap_or_default(),
            ..Draft::default()
        };
    }
    draft.facts = facts(input)?;
    let at = input.instant("at")?;
    let at = if at == Deadline::NONE { reading.now() } else { at.to_millis() };
    let resource = input.text("resource").map(Into::into);
    let json = |name| input.json_text(name).map(|text| text.map(Into::into));
    let (context, entities) = (json("context")?, json("entities")?);
    let workspace = input.name("workspace")?;
    let why = Why { subject, through, permission, workspace, resource, context, entities, at };
    let found = listing.explain(&why, &draft)?;
    walked.set(walked.get() + found.related.as_ref().map_or(0, |related| u64::from(related.steps)));
    let sources: Vec<Value> = found.sources.iter().map(|source| because(source).value()).collect();
    let object = Object::new().decided(found.reason).at("valid_until", Some(found.valid_until));
    let object = object.with("sources", sources);
    let restricted = found.cuts.iter().any(|cut| matches!(cut, Cut::Restriction(_)));
    let cuts: Vec<Value> = found.cuts.iter().map(|cut| cut_by(cut).value()).collect();
    let object = object.with("restricted", restricted).with("cuts", cuts);
    let related = found.related.as_ref().map(|related| {
        let path: Vec<Value> = related.path.iter().map(|step| relation::step(listing, step)).collect();
        Object::new()
            .with("set", related.set.as_str())
            .with("holds", related.holds)
            .with("path", path)
            .value()
    });
    let object = object.with("ceilings", texts(&found.ceilings)).with("related", related);
    Ok(object.with("policies", policy::said(&found.policies)).value())
}

/// What cuts a session or key.
fn cut_by(cut: &Cut) -> Object {
    let texts = |patterns: &[Pattern]| patterns.iter().map(Pattern::to_string).collect::<Vec<_>>();
    let by = |word: &str| Object::new().with("by", word);
    match cut {
        Cut::Restriction(patterns) => by("restriction").with("covers", texts(patterns)),
        Cut::Level(trust, patterns) => {
            by("level").with("level", trust.name()).with("covers", texts(patterns))
        }
        Cut::Device(id, patterns) => {
            by("device").with("device", id.to_string()).with("covers", texts(patterns))
        }
        Cut::Actor(id) => by("actor").with("actor", id.map(|id| id.to_string())),
        Cut::Networks(networks) => {
            by("networks").with("networks", networks.iter().map(ToString::to_string).collect::<Vec<_>>())
        }
    }
}

fn because(source: &Because) -> Object {
    let name = |name: &Option<Name>| name.as_ref().map(Name::to_string);
    let object = Object::new()
        .with("holds", source.holds)
        .with("roles", texts(&source.roles))
        .with("pattern", source.pattern.as_ref().map(Pattern::to_string))
        .with("workspace", name(&source.workspace))
        .until("from", source.from)
        .until("until", source.until)
        .with("groups", texts(&source.groups))
        .until("member_from", source.member_from)
        .until("member_until", source.member_until)
        .with("wall", name(&source.wall))
        .with("withheld", source.withheld);
    under(object, &source.conditions).with("unmet", (!source.unmet.is_empty()).then_some(source.unmet))
}
