//! How much work a schema is, told before the language's own reader resolves it.
//!
//! A text that is short may stand for much: what is declared of many names at once is copied for each, types that have
//! a name are written out wherever they are named, and a validator looks at every action with every pair of types that
//! it applies to, once for each policy. All of that is counted here first, from the schema's own JSON.

use crate::error::{PolicyError, PolicyReason};
use crate::guard::{self, TEXT_BYTES_MAX};
use cedar_policy::SchemaFragment;
use std::collections::{BTreeMap, BTreeSet};
use tessera_program::{Placed, Plain, PlainBounds};

/// LIMIT: a schema's JSON is as long as its text allows, with the words that JSON puts around it.
const JSON: PlainBounds = PlainBounds { bytes: 16 * TEXT_BYTES_MAX, depth: 128, nodes: 1 << 20 };
/// LIMIT: parts of all types, those that have a name written out: of a tenant's own schema 8,192 × 6.
const PARTS_MAX: u64 = 1 << 17;
/// LIMIT: actions with a type of who asks and a type of what is asked about: of a tenant's own schema 8,192 × 2.
const ENVIRONMENTS_MAX: u64 = 1 << 15;
/// LIMIT: pairs of an action, or of a type, and one that it lies in, straight or through others.
const ABOVE_MAX: u64 = 1 << 17;
/// LIMIT: bytes of policies, times the environments that each is held against: some seconds of one core.
const WORK_MAX: u64 = 1 << 26;

/// What was counted of a schema.
pub(crate) struct Measured {
    /// The schema's JSON.
    pub(crate) root: Placed,
    environments: u64,
    types: u64,
}

fn much(says: &str) -> Vec<PolicyError> {
    vec![PolicyError::new(PolicyReason::TooLong, says)]
}

/// The members of an object.
pub(crate) fn members(of: Option<&Placed>) -> &[(String, Placed)] {
    if let Some(Placed { value: Plain::Object(members), .. }) = of { members } else { &[] }
}

/// The items of a list.
pub(crate) fn items(of: Option<&Placed>) -> &[Placed] {
    if let Some(Placed { value: Plain::List(items), .. }) = of { items } else { &[] }
}

/// A name in its namespace.
pub(crate) fn inside(space: &str, name: &str) -> String {
    if space.is_empty() { name.to_owned() } else { format!("{space}::{name}") }
}

fn count(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}

/// Counts a schema that was guarded. To be called where the stack is large.
pub(crate) fn measure(text: &str) -> Result<Measured, Vec<PolicyError>> {
    let wrong = |says: String| vec![PolicyError::new(PolicyReason::Schema, says)];
    let told = |error: &dyn std::error::Error| wrong(error.to_string());
    let fragment = if guard::is_json(text) {
        SchemaFragment::from_json_str(text).map_err(|error| {
            PolicyError::told(PolicyReason::Schema, text, [cedar_policy::ffi::DetailedError::from(&error)])
        })?
    } else {
        let read = SchemaFragment::from_cedarschema_str(text).map_err(|error| {
            PolicyError::told(PolicyReason::Schema, text, [cedar_policy::ffi::DetailedError::from(&error)])
        });
        read?.0
    };
    let json = fragment.to_json_string().map_err(|error| told(&error))?;
    let root = Plain::read(&json, JSON).map_err(|misfit| wrong(misfit.says))?;
    let (environments, types) = counted(&root)?;
    Ok(Measured { root, environments, types })
}

fn counted(root: &Placed) -> Result<(u64, u64), Vec<PolicyError>> {
    let spaces = members(Some(root));
    let mut counter = Counter::default();
    for (space, of) in spaces {
        for (name, definition) in members(of.member("commonTypes")) {
            counter.common.insert(inside(space, name), (space, definition));
        }
    }
    let (mut parts, mut environments, mut types) = (0_u64, 0_u64, 0_u64);
    let (mut above_types, mut above_actions) = (Above::new(), Above::new());
    for (space, of) in spaces {
        for (_, definition) in members(of.member("commonTypes")) {
            parts = parts.saturating_add(counter.parts(space, definition));
        }
        for (name, definition) in members(of.member("entityTypes")) {
            types = types.saturating_add(1);
            for one in ["shape", "tags"].iter().filter_map(|part| definition.member(part)) {
                parts = parts.saturating_add(counter.parts(space, one));
            }
            let above = items(definition.member("memberOfTypes")).iter().filter_map(Placed::text);
            // A name without its namespace may be one of another; both are counted.
            let above = above.flat_map(|one| [inside(space, one), one.to_owned()]);
            above_types.insert(inside(space, name), above.collect());
        }
        for (name, definition) in members(of.member("actions")) {
            let applies = definition.member("appliesTo");
            let many = |list: &str| count(items(applies.and_then(|applies| applies.member(list))).len());
            let pairs = many("principalTypes").saturating_mul(many("resourceTypes"));
            environments = environments.saturating_add(pairs);
            if let Some(context) = applies.and_then(|applies| applies.member("context")) {
                parts = parts.saturating_add(counter.parts(space, context));
            }
            let above = items(definition.member("memberOf")).iter().filter_map(|one| {
                let kind = one.member("type").and_then(Placed::text);
                let kind = kind.map_or_else(|| inside(space, "Action"), str::to_owned);
                Some(format!("{kind}::{:?}", one.member("id")?.text()?))
            });
            let above = above.collect();
            above_actions.insert(format!("{}::{name:?}", inside(space, "Action")), above);
        }
    }
    if parts > PARTS_MAX {
        return Err(much("the types of the schema, written out, have too many parts"));
    }
    if environments > ENVIRONMENTS_MAX {
        return Err(much("the actions of the schema apply to too many pairs of principal and resource"));
    }
    if lies_in_many(&above_types) || lies_in_many(&above_actions) {
        return Err(much("the types or the actions of the schema lie in too many others"));
    }
    Ok((environments, types))
}

/// What each lies in straight.
type Above = BTreeMap<String, Vec<String>>;

/// Whether there are too many pairs of one and another that it lies in. Looks at little more than may be.
fn lies_in_many(above: &Above) -> bool {
    let mut seen = 0_u64;
    for straight in above.values() {
        let (mut all, mut open) = (BTreeSet::new(), vec![straight]);
        while let Some(straight) = open.pop() {
            for one in straight {
                seen = seen.saturating_add(1);
                if seen > ABOVE_MAX {
                    return true;
                }
                if all.insert(one)
                    && let Some(next) = above.get(one)
                {
                    open.push(next);
                }
            }
        }
    }
    false
}

#[derive(Default)]
struct Counter<'a> {
    common: BTreeMap<String, (&'a str, &'a Placed)>,
    known: BTreeMap<String, u64>,
}

impl<'a> Counter<'a> {
    /// The parts of a type, those that have a name written out.
    ///
    /// LIMIT: recursion is as deep as there are names, and looks at each once; the stack has room for that.
    fn parts(&mut self, space: &'a str, of: &'a Placed) -> u64 {
        let name = of.member("name").and_then(Placed::text);
        let within = match of.member("type").and_then(Placed::text) {
            Some("Set") => of.member("element").map_or(0, |element| self.parts(space, element)),
            Some("Record") => members(of.member("attributes"))
                .iter()
                .fold(0_u64, |sum, (_, field)| sum.saturating_add(self.parts(space, field))),
            Some("EntityOrCommon") => name.map_or(0, |name| self.named(space, name)),
            Some(other) => self.named(space, other),
            None => 0,
        };
        within.saturating_add(1)
    }

    fn named(&mut self, space: &'a str, name: &'a str) -> u64 {
        for full in [inside(space, name), name.to_owned()] {
            if let Some(known) = self.known.get(&full) {
                return *known;
            }
            if let Some((at, definition)) = self.common.get(&full).copied() {
                // A type that lies in itself counts as nothing there; the language refuses it.
                self.known.insert(full.clone(), 0);
                let parts = self.parts(at, definition);
                self.known.insert(full, parts);
                return parts;
            }
        }
        0
    }
}

impl Measured {
    /// Whether holding these policies against the schema is work that may be done.
    pub(crate) fn bears(&self, set: &cedar_policy::PolicySet, bytes: usize) -> Result<(), Vec<PolicyError>> {
        // An open slot is tried with every type.
        let slots = set.templates().map(|template| template.slots().count()).max().unwrap_or(0);
        let tried = (0..slots).fold(1_u64, |tried, _| tried.saturating_mul(self.types.max(1)));
        let work = count(bytes).saturating_mul(self.environments).saturating_mul(tried);
        if work > WORK_MAX {
            return Err(much(
                "the policies are too long for a schema whose actions apply to so many pairs of principal and resource",
            ));
        }
        Ok(())
    }
}
