//! Lists: all objects that a subject is related to, all subjects that are related to an object.
//!
//! Candidates are found along the tuples, from the subject upwards or from the object downwards; where
//! an `and` or a `but not` has a say, each candidate is checked. A list is whole, or it is an error.

use crate::error::{AskError, NameError};
use crate::meet::Climbed;
use crate::objects::ObjectId;
use crate::question::{Ask, Question, Subject};
use crate::relations::Relations;
use crate::schema::{Allowed, CHEAP, Op, Rule, Way};
use crate::search::Truth;
use crate::seen::{Node, Seen};
use crate::text::is_relation_name;
use crate::words::{RelationId, TypeId};
use std::collections::BTreeSet;
use tessera_model::UnixMillis;

/// LIMIT: objects in relations and tuples that one list may look at: some 100 ms.
pub const RELATION_LIST_BUDGET: u32 = 4_000_000;

/// Objects whose lines are asked for before they are looked at.
const AHEAD: usize = 12;

/// A list, sorted by name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed {
    /// `type:id`; subjects also `type:id#relation` and `type:*`.
    pub names: Vec<String>,
    /// Until when the list holds by time alone.
    pub valid_until: UnixMillis,
    /// Objects in relations and tuples that were looked at.
    pub steps: u32,
}

impl Relations {
    /// All objects of a type to which the subject is in the relation.
    ///
    /// # Errors
    ///
    /// As [`Relations::check`]; a list that would not be whole is an error.
    pub fn list_objects(
        &self,
        ask: &Ask<'_>,
        subject: &str,
        relation: &str,
        type_name: &str,
    ) -> Result<Listed, AskError> {
        let mut question = Question::new(self, ask)?;
        let (type_id, relation) = self.relation(type_name, relation)?;
        let subject = question.subject(subject)?;
        let Some(target) = self.schema.number(type_id, relation) else {
            return Err(AskError::Query(NameError::RelationUnknown));
        };
        let found = question.objects(subject, target)?;
        Ok(question.told(question.named_in_order(type_name, found)))
    }

    /// All subjects of a type, or sets of a type and relation, that are in a relation to the object. Those
    /// are named that have it by tuples of their own; everybody of a type is named as `type:*`.
    ///
    /// # Errors
    ///
    /// As [`Relations::check`]; a list that would not be whole is an error.
    pub fn list_subjects(
        &self,
        ask: &Ask<'_>,
        object: &str,
        relation: &str,
        type_name: &str,
        set: Option<&str>,
    ) -> Result<Listed, AskError> {
        let mut question = Question::new(self, ask)?;
        let root = question.node(object, relation)?;
        let (type_id, set) = match set {
            Some(set) if is_relation_name(set) => self.relation(type_name, set)?,
            Some(_) => return Err(AskError::Query(NameError::Malformed)),
            None => (self.known_type(type_name).map_err(AskError::Query)?, RelationId::NONE),
        };
        let found = question.subjects(root, type_id, set)?;
        if set == RelationId::NONE {
            return Ok(question.told(question.named_in_order(type_name, found)));
        }
        let relation = self.words.relation_name(set);
        let names =
            found.into_iter().map(|object| format!("{type_name}:{}#{relation}", question.id_of(object)));
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        Ok(question.told(names))
    }
}

impl Question<'_> {
    fn told(&self, names: Vec<String>) -> Listed {
        Listed { names, valid_until: self.valid_until(), steps: self.spent() }
    }

    /// The names of objects of one type, sorted: by their first bytes, and where these are alike by the rest.
    fn named_in_order(&self, type_name: &str, found: Vec<ObjectId>) -> Vec<String> {
        let begins = |id: &str| {
            let mut first = [0_u8; 8];
            first.iter_mut().zip(id.as_bytes()).for_each(|(place, byte)| *place = *byte);
            u64::from_be_bytes(first)
        };
        let mut all: Vec<(u64, &str)> =
            found.into_iter().map(|object| self.id_of(object)).map(|id| (begins(id), id)).collect();
        all.sort_unstable();
        let names = all.into_iter().map(|(_, id)| {
            let mut name = String::with_capacity(type_name.len() + 1 + id.len());
            name.push_str(type_name);
            name.push(':');
            name.push_str(id);
            name
        });
        names.collect()
    }

    /// The nodes whose own tuples name the subject, or that it is.
    fn seeds(&self, subject: Subject, leads: &[bool], seen: &mut Seen) -> Result<(), AskError> {
        if let Some(node) = subject.node() {
            seen.insert(node);
        }
        let one = subject.allowed;
        let everybody = Allowed { wildcard: true, ..one };
        for (number, rule) in self.relations.schema.rules() {
            if leads.get(number) != Some(&true) {
                continue;
            }
            let mut take = |object: ObjectId, set: RelationId| -> Result<(), AskError> {
                for about in self.reverse(object, rule.relation, set) {
                    self.spend(1)?;
                    if self.type_of(about) == Some(rule.type_id) {
                        seen.insert(Node::new(about.0, rule.relation.0));
                    }
                }
                self.solvent()
            };
            if rule.allowed.binary_search(&one).is_ok() {
                take(subject.object, one.relation)?;
            }
            if one.relation == RelationId::NONE
                && !one.wildcard
                && rule.allowed.binary_search(&everybody).is_ok()
            {
                let stored = self.relations.tuples.objects.wildcard(one.type_id);
                for all in stored.into_iter().chain(self.local_wildcard(one.type_id)) {
                    take(all, RelationId::NONE)?;
                }
            }
        }
        Ok(())
    }

    /// All objects that the subject has the rule `target` to.
    fn objects(&mut self, subject: Subject, target: usize) -> Result<Vec<ObjectId>, AskError> {
        let schema = &self.relations.schema;
        let leads = schema.leading_to(target);
        let Some(wanted) = schema.rule_at(target) else { return Ok(Vec::new()) };
        let mut seen = Seen::new();
        self.seeds(subject, &leads, &mut seen)?;
        let (mut at, mut level_end, mut depth) = (0, seen.len(), 0);
        let mut found = Vec::new();
        let mut ends = vec![level_end];
        while let Some(node) = seen.get(at) {
            if at == level_end {
                level_end = seen.len();
                ends.push(level_end);
                depth += 1;
            }
            at += 1;
            self.spend(1)?;
            let object = ObjectId(node.object());
            let Some(type_id) = self.type_of(object) else { continue };
            let Some(number) = schema.number(type_id, RelationId(node.relation())) else { continue };
            if number == target {
                if depth >= self.depth && wanted.union_only {
                    return Err(AskError::DepthExceeded);
                }
                found.push((object, node));
            }
            self.climb(number, type_id, object, &leads, &mut seen)?;
        }
        if wanted.union_only {
            return Ok(found.into_iter().map(|(object, _)| object).collect());
        }
        self.climbed = Some(Climbed { subject, seen, ends });
        let mut permitted = Vec::new();
        // Where the rule itself can be met again, or be the subject, only the whole search tells.
        let tells = !wanted.circular && subject.node().is_none();
        for (object, node) in found {
            let known = if tells { self.operand(wanted, 0, object, subject)? } else { None };
            if known.map_or_else(|| self.permits(node, subject), Ok)? {
                permitted.push(object);
            }
        }
        Ok(permitted)
    }

    /// Whether a step of the rule asked for holds, from what a list came by and from what surely is or is not; none
    /// where that does not tell.
    fn operand(
        &self,
        rule: &Rule,
        at: usize,
        about: ObjectId,
        subject: Subject,
    ) -> Result<Option<bool>, AskError> {
        let schema = &self.relations.schema;
        let Some(op) = rule.program.get(at).copied() else { return Ok(None) };
        match op {
            Op::Computed(relation) => {
                let Some(below) = schema.rule(rule.type_id, relation).filter(|below| below.union_only) else {
                    return Ok(None);
                };
                self.spend(1)?;
                let node = Node::new(about.0, relation.0);
                if self.has_climbed(node, subject, 1) {
                    return Ok(Some(true));
                }
                if !self.is_sure(below, 1) {
                    return Ok(None);
                }
                Ok(Some(self.reach(node, subject, 1, false)? == Truth::Yes))
            }
            Op::Direct if rule.usersets.is_empty() => Ok(Some(self.names(rule, about, subject))),
            Op::Direct | Op::From { .. } => Ok(None),
            Op::Union { end } | Op::Intersection { end } => {
                let union = matches!(op, Op::Union { .. });
                let mut operand = at + 1;
                while operand < end {
                    match self.operand(rule, operand, about, subject)? {
                        Some(one) if one != union => {}
                        settled => return Ok(settled),
                    }
                    operand = rule.program.get(operand).map_or(end, |op| op.end(operand));
                }
                Ok(Some(!union))
            }
            Op::Exclusion { end } => {
                let behind = rule.program.get(at + 1).map_or(end, |op| op.end(at + 1));
                match self.operand(rule, at + 1, about, subject)? {
                    Some(true) => {
                        Ok(self.operand(rule, behind, about, subject)?.map(|subtracted| !subtracted))
                    }
                    settled => Ok(settled),
                }
            }
        }
    }

    /// The nodes that count in the relation `number` to `object`.
    fn climb(
        &self,
        number: usize,
        type_id: TypeId,
        object: ObjectId,
        leads: &[bool],
        seen: &mut Seen,
    ) -> Result<(), AskError> {
        let (schema, objects) = (&self.relations.schema, &self.relations.tuples.objects);
        let Some(rule) = schema.rule_at(number) else { return Ok(()) };
        self.spend(u32::try_from(rule.uses.len().saturating_sub(CHEAP)).unwrap_or(u32::MAX))?;
        for one in rule.uses.iter().filter(|one| leads.get(one.rule) == Some(&true)) {
            let Some(user) = schema.rule_at(one.rule) else { continue };
            let (relation, set) = match one.way {
                Way::Computed => {
                    if user.type_id == type_id {
                        seen.insert(Node::new(object.0, user.relation.0));
                    }
                    continue;
                }
                Way::From(tupleset) => {
                    let named = schema.rule(user.type_id, tupleset);
                    if !named.is_some_and(|named| named.allows(type_id, RelationId::NONE, false)) {
                        continue;
                    }
                    (tupleset, RelationId::NONE)
                }
                Way::Userset => {
                    if !user.allows(type_id, rule.relation, false) {
                        continue;
                    }
                    (user.relation, rule.relation)
                }
            };
            // Their lines are asked for some steps ahead.
            let mut ahead = objects.get(object).map(|object| object.reverse().of(relation, set));
            let mut touch = || {
                let next = ahead.as_mut().and_then(Iterator::next);
                next.into_iter().for_each(|edge| objects.touch(ObjectId(edge.object())));
            };
            (0..AHEAD).for_each(|_| touch());
            for about in self.reverse(object, relation, set) {
                touch();
                self.spend(1)?;
                if self.type_of(about) == Some(user.type_id) {
                    seen.insert(Node::new(about.0, user.relation.0));
                }
            }
            self.solvent()?;
        }
        Ok(())
    }

    /// All subjects of a type (sets, when `set` is a relation) that are in the relation `root`.
    fn subjects(&self, root: Node, type_id: TypeId, set: RelationId) -> Result<Vec<ObjectId>, AskError> {
        let found = self.named_below(root, (type_id, set), false)?;
        if self.rule(root).is_some_and(|rule| rule.union_only) {
            return Ok(found.into_iter().collect());
        }
        let (mut permitted, mut everybody_denied) = (BTreeSet::new(), false);
        for object in &found {
            let wildcard = set == RelationId::NONE && self.id_of(*object) == "*";
            let allowed = Allowed { type_id, relation: set, wildcard };
            if self.permits(root, Subject { object: *object, allowed })? {
                permitted.insert(*object);
            } else {
                everybody_denied |= wildcard;
            }
        }
        if everybody_denied {
            // Everybody is taken away again; who is not is named in what takes away.
            let allowed = Allowed { type_id, relation: set, wildcard: false };
            for object in self.named_below(root, (type_id, set), true)?.difference(&found) {
                if self.id_of(*object) != "*" && self.permits(root, Subject { object: *object, allowed })? {
                    permitted.insert(*object);
                }
            }
        }
        Ok(permitted.into_iter().collect())
    }

    /// Subjects of a type (or sets) that tuples name below a relation; also in what is taken away, if `all`.
    fn named_below(
        &self,
        root: Node,
        (type_id, set): (TypeId, RelationId),
        all: bool,
    ) -> Result<BTreeSet<ObjectId>, AskError> {
        let mut seen = Seen::new();
        seen.insert(root);
        let (mut at, mut level_end, mut depth) = (0, 1, 0);
        let mut found: BTreeSet<ObjectId> = BTreeSet::new();
        while let Some(node) = seen.get(at) {
            if at == level_end {
                level_end = seen.len();
                depth += 1;
            }
            if depth >= self.depth {
                return Err(AskError::DepthExceeded);
            }
            at += 1;
            self.spend(1)?;
            let about = ObjectId(node.object());
            if node.relation() == set.0 && self.type_of(about) == Some(type_id) {
                found.insert(about);
            }
            let Some(rule) = self.rule(node) else { continue };
            self.spend(rule.long)?;
            for (op, _) in rule.program.iter().zip(&rule.positive).filter(|(_, positive)| all || **positive) {
                if *op == Op::Direct && set == RelationId::NONE {
                    for object in self.forward(about, rule.relation, RelationId::NONE) {
                        self.spend(1)?;
                        let wildcard = self.id_of(object) == "*";
                        if self.type_of(object) == Some(type_id)
                            && rule.allows(type_id, RelationId::NONE, wildcard)
                        {
                            found.insert(object);
                        }
                    }
                    self.solvent()?;
                }
                self.below(rule, *op, about, |below| {
                    seen.insert(below);
                    Ok(())
                })?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Model, TupleRef, Window};

    /// PROPERTY: who is spared from what takes everybody away is listed, though only the tuple of everybody leads in, named
    /// itself or through a group. F-05 in its hardest form.
    #[test]
    fn f_05_the_spared_are_listed() {
        const MODEL: &str = "model\n  schema 1.1\ntype user\ntype group\n  relations\n    define member: [user]\ntype doc\n  relations\n    define all: [user:*]\n    define spared: [user, group#member]\n    define blocked: all but not spared\n    define viewer: all but not blocked\n";
        let mut relations = Relations::new();
        relations.set_model(&Model::parse(MODEL).unwrap()).unwrap();
        for (subject, relation, object) in [
            ("user:*", "all", "doc:1"),
            ("user:ann", "spared", "doc:1"),
            ("group:g#member", "spared", "doc:1"),
            ("user:bob", "member", "group:g"),
            ("user:cyd", "spared", "doc:2"),
        ] {
            relations.write(&TupleRef { subject, relation, object }, Window::ALWAYS).unwrap();
        }
        let ask = Ask::at(UnixMillis(0));
        let listed = relations.list_subjects(&ask, "doc:1", "viewer", "user", None).unwrap();
        assert_eq!(listed.names, ["user:ann", "user:bob"]);
        for (subject, permitted) in
            [("user:ann", true), ("user:bob", true), ("user:cyd", false), ("user:*", false)]
        {
            let tuple = TupleRef { subject, relation: "viewer", object: "doc:1" };
            assert_eq!(relations.check(&ask, &tuple).unwrap().permitted, permitted, "{subject}");
        }
    }
}
