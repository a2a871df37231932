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
use tessera_engine::{Because, Draft, Engine, Listing, View, Why};
use tessera_model::{Deadline, Name, Pattern, Refusal};

/// Answers `explain` and `simulate`.
pub(crate) fn answer(
    (engine, view): (&Engine, &View),
    listing: &Listing,
    (list, input): (List, &Input),
    walked: &Cell<u64>,
) -> Result<Value, Problem> {
    let subject = input.public_id("subject")?.ok_or_else(|| ill_formed("subject"))?;
    let permission = input.name("permission")?.ok_or_else(|| ill_formed("permission"))?;
    let (mut allowed, mut draft) = (Vec::new(), Draft::default());
    if list == List::Explain {
        if let Some(key) = input.public_id("key")? {
            let found = engine.read(view).key(key).filter(|key| key.found.subject == subject);
            allowed = found.ok_or(Refusal::SessionUnknown)?.patterns;
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
    let at = if at == Deadline::NONE { engine.now() } else { at.to_millis() };
    let resource = input.text("resource").map(Into::into);
    let json = |name| input.json_text(name).map(|text| text.map(Into::into));
    let (context, entities) = (json("context")?, json("entities")?);
    let workspace = input.name("workspace")?;
    let why = Why { subject, allowed, permission, workspace, resource, context, entities, at };
    let found = listing.explain(&why, &draft)?;
    walked.set(walked.get() + found.related.as_ref().map_or(0, |related| u64::from(related.steps)));
    let sources: Vec<Value> = found.sources.iter().map(|source| because(source).value()).collect();
    let object = Object::new().decided(found.reason).at("valid_until", Some(found.valid_until));
    let object = object.with("sources", sources).with("restricted", found.restricted);
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
