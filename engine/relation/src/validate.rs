//! What a model must keep to before it is compiled; the same rules as `OpenFGA`'s.

use crate::error::{ModelError, ModelReason};
use crate::model::{Model, Position, RelationDefinition, RestrictionKind, Rewrite, TypeDefinition};
use crate::text::shortened;
use std::collections::{BTreeMap, BTreeSet};

/// LIMIT: ways from one relation to another that a model may have: 65,536 × some 32 B in the compiled one.
const EDGES_MAX: usize = 65_536;
/// LIMIT: looks at a way while it is found out who can be in a relation: some 100 ms.
const LOOKS_MAX: usize = 64 * EDGES_MAX;

/// The model by name.
pub(crate) struct Book<'a> {
    types: BTreeMap<&'a str, (&'a TypeDefinition, BTreeMap<&'a str, &'a RelationDefinition>)>,
}

impl<'a> Book<'a> {
    fn new(model: &'a Model) -> Result<Self, ModelError> {
        let mut types = BTreeMap::new();
        for one in &model.types {
            let mut relations = BTreeMap::new();
            for relation in &one.relations {
                if relations.insert(relation.name.as_str(), relation).is_some() {
                    let name = relation.name.clone();
                    return Err(ModelError::new(relation.at, ModelReason::Twice { name }));
                }
            }
            if types.insert(one.name.as_str(), (one, relations)).is_some() {
                return Err(ModelError::new(one.at, ModelReason::Twice { name: one.name.clone() }));
            }
        }
        Ok(Self { types })
    }

    fn relation(&self, type_name: &str, relation: &str) -> Option<&'a RelationDefinition> {
        self.types.get(type_name)?.1.get(relation).copied()
    }

    fn known(&self, type_name: &str, relation: &str, at: Position) -> Result<(), ModelError> {
        if self.relation(type_name, relation).is_some() {
            return Ok(());
        }
        let (type_name, relation) = (shortened(type_name), shortened(relation));
        Err(ModelError::new(at, ModelReason::RelationUnknown { type_name, relation }))
    }
}

/// Holds `model` against the rules.
pub(crate) fn validate(model: &Model) -> Result<(), ModelError> {
    let book = Book::new(model)?;
    // First what bounds all that follows.
    let users = users(&book, model)?;
    for one in &model.types {
        for relation in &one.relations {
            restrictions(&book, relation)?;
            rewrite(&book, one, &relation.rewrite)?;
        }
    }
    for one in &model.types {
        cycles(&book, one)?;
    }
    entries(&book, model, &users)
}

fn mentions_direct(rewrite: &Rewrite) -> bool {
    match rewrite {
        Rewrite::Direct => true,
        Rewrite::Computed { .. } | Rewrite::From { .. } => false,
        Rewrite::Union(all) | Rewrite::Intersection(all) => all.iter().any(mentions_direct),
        Rewrite::Exclusion(base, subtract) => mentions_direct(base) || mentions_direct(subtract),
    }
}

fn restrictions(book: &Book<'_>, relation: &RelationDefinition) -> Result<(), ModelError> {
    if mentions_direct(&relation.rewrite) == relation.direct.is_empty() {
        let name = relation.name.clone();
        return Err(ModelError::new(relation.at, ModelReason::Restrictions { relation: name }));
    }
    for restriction in &relation.direct {
        let name = restriction.type_name.as_str();
        if !book.types.contains_key(name) {
            let reason = ModelReason::TypeUnknown { name: shortened(name) };
            return Err(ModelError::new(restriction.at, reason));
        }
        if let RestrictionKind::Userset(relation) = &restriction.kind {
            book.known(name, relation, restriction.at)?;
        }
    }
    Ok(())
}

fn rewrite(book: &Book<'_>, one: &TypeDefinition, written: &Rewrite) -> Result<(), ModelError> {
    match written {
        Rewrite::Direct => Ok(()),
        Rewrite::Computed { relation, at } => book.known(&one.name, relation, *at),
        Rewrite::From { relation, tupleset, at } => {
            book.known(&one.name, tupleset, *at)?;
            let Some(named) = book.relation(&one.name, tupleset) else { return Ok(()) };
            let plain = named.rewrite == Rewrite::Direct
                && named.direct.iter().all(|restriction| restriction.kind == RestrictionKind::Object);
            if !plain {
                return Err(ModelError::new(*at, ModelReason::Tupleset { relation: shortened(tupleset) }));
            }
            let mut types = named.direct.iter().map(|restriction| restriction.type_name.as_str());
            if types.any(|name| book.relation(name, relation).is_some()) {
                return Ok(());
            }
            Err(ModelError::new(*at, ModelReason::FromNowhere { relation: shortened(relation) }))
        }
        Rewrite::Union(all) | Rewrite::Intersection(all) => {
            all.iter().try_for_each(|operand| rewrite(book, one, operand))
        }
        Rewrite::Exclusion(base, subtract) => {
            rewrite(book, one, base)?;
            rewrite(book, one, subtract)
        }
    }
}

/// Relations of the same object that `written` names.
fn computed<'a>(written: &'a Rewrite, into: &mut Vec<&'a str>) {
    match written {
        Rewrite::Direct | Rewrite::From { .. } => {}
        Rewrite::Computed { relation, .. } => into.push(relation),
        Rewrite::Union(all) | Rewrite::Intersection(all) => {
            all.iter().for_each(|operand| computed(operand, into));
        }
        Rewrite::Exclusion(base, subtract) => {
            computed(base, into);
            computed(subtract, into);
        }
    }
}

/// No relation is defined by itself on one and the same object. Relations without a way down are taken
/// away until none is left.
fn cycles(book: &Book<'_>, one: &TypeDefinition) -> Result<(), ModelError> {
    let Some((_, relations)) = book.types.get(one.name.as_str()) else { return Ok(()) };
    let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut waits: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, relation) in relations {
        let mut below = Vec::new();
        computed(&relation.rewrite, &mut below);
        waits.insert(name, below.len());
        for one in below {
            users.entry(one).or_default().push(name);
        }
    }
    let mut ready: Vec<&str> =
        waits.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
    let mut done = BTreeSet::new();
    while let Some(name) = ready.pop() {
        done.insert(name);
        for user in users.get(name).into_iter().flatten() {
            let Some(count) = waits.get_mut(user) else { continue };
            *count = count.saturating_sub(1);
            if *count == 0 {
                ready.push(user);
            }
        }
    }
    match one.relations.iter().find(|relation| !done.contains(relation.name.as_str())) {
        Some(relation) => {
            let name = relation.name.clone();
            Err(ModelError::new(relation.at, ModelReason::Cycle { relation: name }))
        }
        None => Ok(()),
    }
}

/// A relation of a type, by name.
type Key<'a> = (&'a str, &'a str);

/// By relation: those that name it, with their types.
type Users<'a> = BTreeMap<Key<'a>, Vec<(&'a TypeDefinition, &'a RelationDefinition)>>;

/// Who names whom, each once. Counts the ways from one to another, and says where there are too many.
fn users<'a>(book: &Book<'a>, model: &'a Model) -> Result<Users<'a>, ModelError> {
    let mut users: Users<'_> = BTreeMap::new();
    let mut edges = 0_usize;
    for one in &model.types {
        for relation in &one.relations {
            let mut below = Vec::new();
            leads_to(book, one, relation, &relation.rewrite, &mut below);
            edges = edges.saturating_add(below.len());
            if edges > EDGES_MAX {
                return Err(ModelError::new(relation.at, ModelReason::TooMany));
            }
            below.sort_unstable();
            below.dedup();
            for key in below {
                users.entry(key).or_default().push((one, relation));
            }
        }
    }
    Ok(users)
}

/// Every relation can be reached by a tuple that names somebody. What can is grown from below.
fn entries<'a>(book: &Book<'a>, model: &'a Model, users: &Users<'a>) -> Result<(), ModelError> {
    let mut entered = Entered { book, open: BTreeSet::new(), looks: 0 };
    let mut asked: Vec<(&TypeDefinition, &RelationDefinition)> = model
        .types
        .iter()
        .flat_map(|one| one.relations.iter().map(move |relation| (one, relation)))
        .collect();
    while let Some((one, relation)) = asked.pop() {
        let key = (one.name.as_str(), relation.name.as_str());
        if !entered.open.contains(&key) && entered.enters(one, relation, &relation.rewrite) {
            entered.open.insert(key);
            let users = users.get(&key).into_iter().flatten().copied();
            asked.extend(users.filter(|(one, relation)| !entered.is_open(&one.name, &relation.name)));
        }
        if entered.looks > LOOKS_MAX {
            return Err(ModelError::new(relation.at, ModelReason::TooMany));
        }
    }
    let all = model.types.iter().flat_map(|one| one.relations.iter().map(move |relation| (one, relation)));
    for (one, relation) in all {
        if !entered.is_open(&one.name, &relation.name) {
            let name = relation.name.clone();
            return Err(ModelError::new(relation.at, ModelReason::NoEntry { relation: name }));
        }
    }
    Ok(())
}

/// The relations that `written` names, of whatever type; once for each time it names them.
fn leads_to<'a>(
    book: &Book<'a>,
    one: &'a TypeDefinition,
    relation: &'a RelationDefinition,
    written: &'a Rewrite,
    into: &mut Vec<Key<'a>>,
) {
    if into.len() > EDGES_MAX {
        return;
    }
    match written {
        Rewrite::Direct => into.extend(relation.direct.iter().filter_map(|one| match &one.kind {
            RestrictionKind::Userset(name) => Some((one.type_name.as_str(), name.as_str())),
            RestrictionKind::Object | RestrictionKind::Wildcard => None,
        })),
        Rewrite::Computed { relation, .. } => into.push((&one.name, relation)),
        Rewrite::From { relation, tupleset, .. } => {
            let named = book.relation(&one.name, tupleset);
            let types = named.into_iter().flat_map(|named| named.direct.iter());
            into.extend(types.map(|one| (one.type_name.as_str(), relation.as_str())));
        }
        Rewrite::Union(all) | Rewrite::Intersection(all) => {
            all.iter().for_each(|operand| leads_to(book, one, relation, operand, into));
        }
        Rewrite::Exclusion(base, subtract) => {
            leads_to(book, one, relation, base, into);
            leads_to(book, one, relation, subtract, into);
        }
    }
}

/// The relations that somebody can be in, as far as they are found.
struct Entered<'a, 'b> {
    book: &'b Book<'a>,
    open: BTreeSet<Key<'a>>,
    /// What was looked at to find them.
    looks: usize,
}

impl<'a> Entered<'a, '_> {
    fn is_open(&self, type_name: &str, relation: &str) -> bool {
        self.open.contains(&(type_name, relation))
    }

    /// Whether somebody can be in this part of a relation's rewrite. Behind the last look: no.
    fn enters(
        &mut self,
        one: &'a TypeDefinition,
        relation: &'a RelationDefinition,
        written: &'a Rewrite,
    ) -> bool {
        self.looks = self.looks.saturating_add(1);
        if self.looks > LOOKS_MAX {
            return false;
        }
        match written {
            Rewrite::Direct => relation.direct.iter().any(|restriction| match &restriction.kind {
                RestrictionKind::Object | RestrictionKind::Wildcard => true,
                RestrictionKind::Userset(name) => self.looks_at(&restriction.type_name, name),
            }),
            Rewrite::Computed { relation, .. } => self.is_open(&one.name, relation),
            Rewrite::From { relation, tupleset, .. } => {
                let named = self.book.relation(&one.name, tupleset);
                let mut types = named.into_iter().flat_map(|named| named.direct.iter());
                types.any(|restriction| self.looks_at(&restriction.type_name, relation))
            }
            Rewrite::Union(all) => all.iter().any(|operand| self.enters(one, relation, operand)),
            Rewrite::Intersection(all) => all.iter().all(|operand| self.enters(one, relation, operand)),
            Rewrite::Exclusion(base, _) => self.enters(one, relation, base),
        }
    }

    fn looks_at(&mut self, type_name: &str, relation: &str) -> bool {
        self.looks = self.looks.saturating_add(1);
        self.is_open(type_name, relation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(definitions: &str) -> Result<(), ModelReason> {
        let text = format!("model\n  schema 1.1\ntype user\ntype t\n  relations\n{definitions}");
        validate(&Model::parse(&text).expect("a model")).map_err(|error| error.reason)
    }

    /// PROPERTY: finding out who can be in a relation costs no more than its bound: one that is named often
    /// is looked at once, and where looks would go with the square of the text the model is turned down.
    /// TC-49 in part: models of relations.
    #[test]
    fn who_can_be_in_a_relation_is_found_within_a_bound() {
        let often = vec!["r"; 5_000].join(" and ");
        let text = format!("    define x: ({often}) and z\n    define z: [user]\n    define r: [user]\n");
        assert_eq!(told(&text), Ok(()));
        let all: Vec<String> = (0..4_000).map(|number| format!("r{number}")).collect();
        let mut text = format!("    define x: {}\n", all.join(" and "));
        all.iter().rev().for_each(|one| text.push_str(&format!("    define {one}: [user]\n")));
        assert_eq!(told(&text), Err(ModelReason::TooMany));
    }

    /// PROPERTY: steps through a list of types are ways as well: thousands of both are turned down before
    /// anything is looked through.
    /// TC-49 in part: models of relations.
    #[test]
    fn ways_through_long_lists_are_counted() {
        let types = vec!["t"; 5_000].join(", ");
        let steps = vec!["r from p"; 5_000].join(" or ");
        let text = format!("    define p: [{types}]\n    define r: [user] or {steps}\n");
        assert_eq!(told(&text), Err(ModelReason::TooMany));
    }
}
