//! Where a refusal of the engine is meant: the field of the request, and which item of it.

use crate::ask;
use crate::door::Shared;
use crate::input::Input;
use crate::problem::Problem;
use tessera_engine::{Bound, Reading};
use tessera_model::endpoint::ambiguous;
use tessera_model::{CommandKind, Name, Pattern, PublicId, Refusal};

/// A problem with a command, told at the field that it is about, where that can be found.
pub(crate) fn placed(
    shared: &Shared,
    bound: &Bound,
    (kind, input): (CommandKind, &Input),
    problem: Problem,
) -> Problem {
    let place = if problem.field.is_some() {
        None
    } else if problem.code == Refusal::EndpointAmbiguous.code() {
        let Some((one, other)) = input.endpoints("endpoints").ok().as_deref().and_then(ambiguous) else {
            return problem;
        };
        let why = format!("it and endpoint {one} match one request, and neither is narrower");
        return problem.at(&format!("endpoints/{other}")).because(why);
    } else if problem.code == Refusal::PermissionUnknown.code() {
        ask::view(shared, bound).ok().and_then(|view| unknown(&shared.engine.read(&view), kind, input))
    } else if problem.code == Refusal::BuiltIn.code() {
        let named = input.name("name").ok().flatten();
        named.filter(|name| PublicId::is_read_in(name.as_str())).map(|_| "name".to_owned())
    } else {
        None
    };
    match place {
        Some(place) => problem.at(&place),
        None => problem,
    }
}

/// The first that names no permission: an entry by what replaces it, an endpoint by what it needs, or a pattern.
fn unknown(reading: &Reading<'_>, kind: CommandKind, input: &Input) -> Option<String> {
    let is_known = |name: &str| reading.resolve(name, "").0.0 != 0;
    if kind == CommandKind::SetService {
        let entries = input.entries("entries").ok()?;
        let there =
            |name: &Name| entries.iter().any(|entry| entry.permission == *name) || is_known(name.as_str());
        let at = entries.iter().position(|entry| entry.replaced_by.as_ref().is_some_and(|by| !there(by)))?;
        return Some(format!("entries/{at}/replaced_by"));
    }
    let (field, patterns) = if kind == CommandKind::SetEndpoints {
        let endpoints = input.endpoints("endpoints").ok()?;
        ("endpoints", endpoints.iter().map(|endpoint| endpoint.target().clone()).collect())
    } else {
        ("patterns", input.patterns("patterns").ok()?)
    };
    let name = |pattern: &Pattern| pattern.exact().is_some_and(|name| !is_known(name));
    let scope = |pattern: &Pattern| {
        pattern.scope().is_some_and(|scope| scope.is_literal() && !reading.reaches(&scope))
    };
    let at = patterns.iter().position(name).or_else(|| patterns.iter().position(scope))?;
    Some(format!("{field}/{at}"))
}
