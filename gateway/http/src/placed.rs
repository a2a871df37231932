//! Where a refusal of the engine is meant: the field of the request, and which item of it.

use crate::ask;
use crate::door::Shared;
use crate::input::Input;
use crate::problem::Problem;
use tessera_engine::{Bound, Reading};
use tessera_model::{CommandKind, Name, Pattern, Refusal};

/// The fields that hold patterns of permissions.
const PATTERNS: [&str; 2] = ["patterns", "ceiling"];

/// A problem with a command, told at the field that it is about, where that can be found.
pub(crate) fn placed(
    shared: &Shared,
    bound: &Bound,
    (kind, input): (CommandKind, &Input),
    problem: Problem,
) -> Problem {
    let place = if problem.field.is_some() {
        None
    } else if problem.code == Refusal::PermissionUnknown.code() {
        ask::view(shared, bound).ok().and_then(|view| unknown(&shared.engine.read(&view), kind, input))
    } else if problem.code == Refusal::BuiltIn.code() {
        let named = input.name("name").ok().flatten();
        named.filter(Name::reads_as_id).map(|_| "name".to_owned())
    } else {
        None
    };
    match place {
        Some(place) => problem.at(&place),
        None => problem,
    }
}

/// The first that names no permission: an entry by what replaces it, or a pattern.
fn unknown(reading: &Reading<'_>, kind: CommandKind, input: &Input) -> Option<String> {
    let is_known = |name: &str| reading.resolve(name, "").0.0 != 0;
    if kind == CommandKind::SetService {
        let entries = input.entries("entries").ok()?;
        let there =
            |name: &Name| entries.iter().any(|entry| entry.permission == *name) || is_known(name.as_str());
        let at = entries.iter().position(|entry| entry.replaced_by.as_ref().is_some_and(|by| !there(by)))?;
        return Some(format!("entries/{at}/replaced_by"));
    }
    let is_unknown = |pattern: &Pattern| match (pattern.exact(), pattern.scope()) {
        (Some(name), _) => !is_known(name),
        (None, Some(scope)) => scope.is_literal() && !reading.reaches(&scope),
        (None, None) => false,
    };
    PATTERNS.into_iter().find_map(|field| {
        let at = input.patterns(field).ok()?.iter().position(is_unknown)?;
        Some(format!("{field}/{at}"))
    })
}
