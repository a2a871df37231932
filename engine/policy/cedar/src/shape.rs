//! What a schema says about values, told without the language: shapes, from the schema's own JSON.

use crate::error::{PolicyError, PolicyReason};
use crate::measure::{inside, items, measure, members};
use crate::source::{Parsed, Schema, on_stack};
use std::collections::{BTreeMap, BTreeSet};
use tessera_program::{ActionShape, EntityShape, Field, Kind, Names, Placed, Plain, Program, Shape};

/// LIMIT: kinds of one shape. What is defined once is told once, so that this is what a text of that length has.
const KINDS_MAX: usize = 65_536;

/// Which of two texts is wrong, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wrong {
    /// The schema.
    Schema(Vec<PolicyError>),
    /// The policies.
    Policies(Vec<PolicyError>),
}

impl Wrong {
    /// A schema that contradicts what it is held against.
    #[must_use]
    pub fn schema(says: impl Into<String>) -> Self {
        Self::Schema(vec![PolicyError::new(PolicyReason::Schema, says)])
    }

    /// Whether it is the schema.
    #[must_use]
    pub const fn is_schema(&self) -> bool {
        matches!(self, Self::Schema(_))
    }

    /// The faults, at their places.
    #[must_use]
    pub fn faults(&self) -> &[PolicyError] {
        match self {
            Self::Schema(faults) | Self::Policies(faults) => faults,
        }
    }
}

/// Reads a schema and policies, holds them against each other, and compiles them. A policy with the annotation
/// `@id` is named by it.
///
/// # Errors
/// What is wrong, each at its place.
pub fn program(schema: &[u8], policies: &[u8]) -> Result<Program, Wrong> {
    // What was read is also let go on the large stack: types may lie deep in each other.
    on_stack(|| Ok(read(schema, policies))).map_err(Wrong::Policies)?
}

fn read(schema: &[u8], policies: &[u8]) -> Result<Program, Wrong> {
    let text = Schema::guarded(schema).map_err(Wrong::Schema)?;
    let measured = measure(text).map_err(Wrong::Schema)?;
    let known = Schema::read(text).map_err(Wrong::Schema)?;
    let shape = Writer::default().whole(&measured.root).ok_or_else(|| {
        let says = "the schema has more types than a shape";
        Wrong::Schema(vec![PolicyError::new(PolicyReason::Schema, says)])
    })?;
    let parsed = Parsed::parse(policies).map_err(Wrong::Policies)?;
    measured.bears(parsed.set(), policies.len()).map_err(Wrong::Policies)?;
    parsed.validate(&known).map_err(Wrong::Policies)?;
    let mut names = Names::default();
    let policies = parsed.compile_named(&mut names).map_err(Wrong::Policies)?;
    Ok(Program { names, policies, shape })
}

#[derive(Default)]
struct Writer<'a> {
    shape: Shape,
    /// Types that have a name, by it, and their numbers once they have one.
    common: BTreeMap<String, (&'a str, &'a Placed)>,
    known: BTreeMap<String, u32>,
    entities: BTreeSet<String>,
}

impl<'a> Writer<'a> {
    fn whole(mut self, root: &'a Placed) -> Option<Shape> {
        let spaces = members(Some(root));
        for (space, of) in spaces {
            for (name, definition) in members(of.member("commonTypes")) {
                self.common.insert(inside(space, name), (space, definition));
            }
            self.entities
                .extend(members(of.member("entityTypes")).iter().map(|(name, _)| inside(space, name)));
        }
        let nothing = self.put(Kind::Record(Vec::new()))?;
        for (space, of) in spaces {
            for (name, definition) in members(of.member("entityTypes")) {
                let attributes = match definition.member("shape") {
                    Some(shape) => self.kind(space, shape)?,
                    None => nothing,
                };
                let tags = match definition.member("tags") {
                    Some(tags) => Some(self.kind(space, tags)?),
                    None => None,
                };
                let texts = |of: Option<&Placed>| -> Option<Vec<String>> {
                    items(of).iter().map(|item| item.text().map(str::to_owned)).collect()
                };
                let parents = texts(definition.member("memberOfTypes"))?;
                let parents = parents.iter().map(|parent| self.entity(space, parent)).collect();
                let mut ids = definition.member("enum").map(|ids| texts(Some(ids)).unwrap_or_default());
                // They are looked for by halves.
                ids.iter_mut().for_each(|ids| ids.sort_unstable());
                self.shape
                    .entities
                    .insert(inside(space, name), EntityShape { attributes, tags, parents, ids });
            }
            for (name, definition) in members(of.member("actions")) {
                let applies = definition.member("appliesTo");
                let context = match applies.and_then(|applies| applies.member("context")) {
                    Some(context) => self.kind(space, context)?,
                    None => nothing,
                };
                let above = items(definition.member("memberOf")).iter().filter_map(|one| {
                    let kind = one.member("type").and_then(Placed::text);
                    Some((
                        kind.map_or_else(|| inside(space, "Action"), str::to_owned),
                        one.member("id")?.text()?.to_owned(),
                    ))
                });
                let action = ActionShape { context, above: above.collect() };
                self.shape.actions.insert((inside(space, "Action"), name.clone()), action);
            }
        }
        self.close_actions();
        Some(self.shape)
    }

    /// Names all actions above each, not only those straight above.
    fn close_actions(&mut self) {
        let straight: BTreeMap<_, _> =
            self.shape.actions.iter().map(|(name, action)| (name.clone(), action.above.clone())).collect();
        for action in self.shape.actions.values_mut() {
            let (mut all, mut open) = (BTreeSet::new(), action.above.clone());
            while let Some(one) = open.pop() {
                if all.insert(one.clone()) {
                    open.extend(straight.get(&one).into_iter().flatten().cloned());
                }
            }
            action.above = all.into_iter().collect();
        }
    }

    /// The full name of an entity type that is named from within a namespace.
    fn entity(&self, space: &str, name: &str) -> String {
        let near = inside(space, name);
        if self.entities.contains(&near) { near } else { name.to_owned() }
    }

    fn put(&mut self, kind: Kind) -> Option<u32> {
        let number = u32::try_from(self.shape.kinds.len()).ok()?;
        self.shape.kinds.push(kind);
        (self.shape.kinds.len() <= KINDS_MAX).then_some(number)
    }

    /// LIMIT: recursion is as deep as the schema's text; types that have a name lie in none of themselves, which the
    /// language has looked at.
    fn kind(&mut self, space: &'a str, of: &'a Placed) -> Option<u32> {
        let name = of.member("name").and_then(Placed::text);
        let kind = match of.member("type").and_then(Placed::text)? {
            "Boolean" | "Bool" => Kind::Bool,
            "Long" => Kind::Long,
            "String" => Kind::Text,
            "Set" => Kind::Set(self.kind(space, of.member("element")?)?),
            "Record" => {
                let mut fields = Vec::new();
                for (name, field) in members(of.member("attributes")) {
                    let required = field.member("required").is_none_or(|at| at.value == Plain::Bool(true));
                    fields.push(Field { name: name.clone(), kind: self.kind(space, field)?, required });
                }
                Kind::Record(fields)
            }
            "Entity" => Kind::Entity(self.entity(space, name?)),
            "Extension" => extension(name?)?,
            "EntityOrCommon" => return self.named(space, name?),
            other => return self.named(space, other),
        };
        self.put(kind)
    }

    /// A type by its name: in the namespace first, then anywhere, a common one before an entity's, then those that the
    /// language has itself.
    fn named(&mut self, space: &'a str, name: &'a str) -> Option<u32> {
        for full in [inside(space, name), name.to_owned()] {
            if let Some((at, definition)) = self.common.get(&full).copied() {
                if let Some(known) = self.known.get(&full) {
                    return Some(*known);
                }
                let number = self.kind(at, definition)?;
                self.known.insert(full, number);
                return Some(number);
            }
            if self.entities.contains(&full) {
                return self.put(Kind::Entity(full));
            }
        }
        let plain = name.strip_prefix("__cedar::").unwrap_or(name);
        let kind = match plain {
            "Bool" | "Boolean" => Kind::Bool,
            "Long" => Kind::Long,
            "String" => Kind::Text,
            other => extension(other)?,
        };
        self.put(kind)
    }
}

fn extension(name: &str) -> Option<Kind> {
    match name.strip_prefix("__cedar::").unwrap_or(name) {
        "ipaddr" => Some(Kind::Ip),
        "decimal" => Some(Kind::Decimal),
        "datetime" => Some(Kind::Datetime),
        "duration" => Some(Kind::Duration),
        _ => None,
    }
}
