//! A model compiled: flat programs over numbers, and what the graph of types says about each.

use crate::error::{ModelError, NameError};
use crate::merged::{Leading, Merged};
use crate::model::{Model, RelationDefinition, RestrictionKind, Rewrite};
use crate::plan::{Above, Reach, Visit};
use crate::sets::Sets;
use crate::validate::validate;
use crate::words::{RelationId, TypeId, Words};
use std::collections::BTreeMap;

/// Steps, kinds of subjects or uses that a node's own step pays for; longer lists cost more.
pub(crate) const CHEAP: usize = 16;

/// One step of a program, in preorder: an operator stands before its operands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Op {
    /// Who stands in the relation's own tuples.
    Direct,
    /// Another relation to the same object.
    Computed(RelationId),
    /// `relation` to the objects that tuples of `tupleset` name.
    From { relation: RelationId, tupleset: RelationId },
    /// At least one of the operands up to `end`.
    Union { end: usize },
    /// All operands up to `end`.
    Intersection { end: usize },
    /// The first operand and not the second; both end at `end`.
    Exclusion { end: usize },
}

impl Op {
    /// Where the program goes on behind this step, which stands at `at`.
    pub(crate) fn end(self, at: usize) -> usize {
        match self {
            Self::Direct | Self::Computed(_) | Self::From { .. } => at + 1,
            Self::Union { end } | Self::Intersection { end } | Self::Exclusion { end } => end,
        }
    }
}

/// A kind of subject that tuples of a relation may name.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Allowed {
    pub(crate) type_id: TypeId,
    /// The relation of a set, none for an object or everybody of the type.
    pub(crate) relation: RelationId,
    pub(crate) wildcard: bool,
}

/// How somebody comes into a relation from another one.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Way {
    /// The same object.
    Computed,
    /// Objects whose tuples of this relation name the object.
    From(RelationId),
    /// Objects whose own tuples name the set.
    Userset,
}

/// A relation of a type that counts another one in, outside of the right side of `but not`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Use {
    pub(crate) way: Way,
    pub(crate) rule: usize,
}

/// One relation of one type.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) type_id: TypeId,
    pub(crate) relation: RelationId,
    /// Sorted.
    pub(crate) allowed: Vec<Allowed>,
    /// The distinct relations of sets in `allowed`.
    pub(crate) usersets: Vec<RelationId>,
    pub(crate) program: Vec<Op>,
    /// Steps, and kinds of sets for each direct one, beyond the first sixteen: what they cost at each node.
    pub(crate) long: u32,
    /// By step of the program: it stands outside of every right side of a `but not`.
    pub(crate) positive: Vec<bool>,
    /// The program has no `and` and no `but not`.
    pub(crate) plain: bool,
    /// Nothing that this relation can lead to has an `and` or a `but not`.
    pub(crate) union_only: bool,
    /// Types and relations below can lead round in a circle, so that tuples may.
    pub(crate) recursive: bool,
    /// The relation can be a part of such a circle.
    pub(crate) circular: bool,
    /// Who counts this relation in.
    pub(crate) uses: Vec<Use>,
    /// It can stand in tuples as a set, or leads into one that can, and nothing but tuples of objects and sets
    /// and relations of the same object lead to it: who is in it is found from below.
    pub(crate) met: bool,
    /// Where somebody in it comes into other met rules.
    pub(crate) above: Vec<Above>,
    /// What its tuples mean, run by run.
    pub(crate) visits: Vec<Visit>,
    /// Rules of relations to the same object that a union counts in.
    pub(crate) same: Vec<usize>,
    /// What may lie below it at most.
    pub(crate) reach: Reach,
    /// It with all others of the same object that it counts in, where only unions are below.
    pub(crate) merged: Option<Merged>,
}

impl Rule {
    /// Whether a tuple of this relation may name an object of this type, or everybody of it.
    pub(crate) fn allows(&self, type_id: TypeId, relation: RelationId, wildcard: bool) -> bool {
        let one = Allowed { type_id, relation, wildcard };
        if self.allowed.len() <= 8 {
            self.allowed.contains(&one)
        } else {
            self.allowed.binary_search(&one).is_ok()
        }
    }
}

/// A compiled model.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    pub(crate) rules: Vec<Rule>,
    /// By type, then by relation, so many for each type: the rule's number and one, 0 for none.
    index: Vec<u32>,
    relations: usize,
    /// Whether the type is in this model, by type.
    known: Vec<bool>,
    /// What is found from below.
    pub(crate) sets: Sets,
    /// Which tuples lead on from one object to the next.
    pub(crate) leading: Leading,
}

impl Schema {
    /// Compiles `model`; `words` learns its names.
    pub(crate) fn compile(model: &Model, words: &mut Words) -> Result<Self, ModelError> {
        validate(model)?;
        words.take(model)?;
        let known = vec![false; words.types()];
        let relations = words.relations() + 1;
        let index = vec![0; words.types() * relations];
        let (sets, leading) = (Sets::default(), Leading::default());
        let mut schema = Self { rules: Vec::new(), index, relations, known, sets, leading };
        for one in &model.types {
            let Some(type_id) = words.type_id(&one.name) else { continue };
            if let Some(known) = schema.known.get_mut(usize::from(type_id.0)) {
                *known = true;
            }
            for relation in &one.relations {
                schema.add(type_id, relation, words);
            }
        }
        schema.tell();
        schema.meet(words.types());
        schema.plan();
        schema.merge(words.types());
        Ok(schema)
    }

    fn add(&mut self, type_id: TypeId, definition: &RelationDefinition, words: &Words) {
        let relation = words.relation_id(&definition.name).unwrap_or_default();
        let mut allowed = Vec::with_capacity(definition.direct.len());
        for restriction in &definition.direct {
            let Some(type_id) = words.type_id(&restriction.type_name) else { continue };
            let (relation, wildcard) = match &restriction.kind {
                RestrictionKind::Object => (RelationId::NONE, false),
                RestrictionKind::Wildcard => (RelationId::NONE, true),
                RestrictionKind::Userset(name) => (words.relation_id(name).unwrap_or_default(), false),
            };
            allowed.push(Allowed { type_id, relation, wildcard });
        }
        allowed.sort_unstable();
        allowed.dedup();
        let mut usersets: Vec<RelationId> =
            allowed.iter().map(|one| one.relation).filter(|relation| *relation != RelationId::NONE).collect();
        usersets.sort_unstable();
        usersets.dedup();
        let mut program = Vec::new();
        emit(&definition.rewrite, words, &mut program);
        let plain = program
            .iter()
            .all(|op| matches!(op, Op::Direct | Op::Computed(_) | Op::From { .. } | Op::Union { .. }));
        let cost = |op: &Op| if *op == Op::Direct { usersets.len() + 1 } else { 1 };
        let steps = program.iter().map(cost).fold(0, usize::saturating_add);
        let long = u32::try_from(steps.saturating_sub(CHEAP)).unwrap_or(u32::MAX);
        self.rules.push(Rule {
            type_id,
            relation,
            allowed,
            usersets,
            positive: counts_in(&program),
            program,
            long,
            plain,
            union_only: plain,
            recursive: false,
            circular: false,
            uses: Vec::new(),
            met: false,
            above: Vec::new(),
            visits: Vec::new(),
            same: Vec::new(),
            reach: Reach::default(),
            merged: None,
        });
        let number = u32::try_from(self.rules.len()).unwrap_or(0);
        let at = usize::from(type_id.0) * self.relations + usize::from(relation.0);
        self.index.get_mut(at).into_iter().for_each(|place| *place = number);
    }

    /// The number of the rule.
    #[inline]
    pub(crate) fn number(&self, type_id: TypeId, relation: RelationId) -> Option<usize> {
        // A relation that came after the model has no place in it.
        let relation = Some(usize::from(relation.0)).filter(|relation| *relation < self.relations)?;
        let number = *self.index.get(usize::from(type_id.0) * self.relations + relation)?;
        (number as usize).checked_sub(1)
    }

    /// The rule of a relation of a type.
    #[inline]
    pub(crate) fn rule(&self, type_id: TypeId, relation: RelationId) -> Option<&Rule> {
        self.rules.get(self.number(type_id, relation)?)
    }

    /// All rules, each with its number.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (usize, &Rule)> {
        self.rules.iter().enumerate()
    }

    /// By rule: whether who is in it may thereby be in the rule `target`.
    pub(crate) fn leading_to(&self, target: usize) -> Vec<bool> {
        let mut below: Vec<Vec<usize>> = vec![Vec::new(); self.rules.len()];
        for (number, rule) in self.rules() {
            for one in &rule.uses {
                below.get_mut(one.rule).into_iter().for_each(|list| list.push(number));
            }
        }
        let mut leads = vec![false; self.rules.len()];
        let mut open = vec![target];
        while let Some(number) = open.pop() {
            let Some(place) = leads.get_mut(number).filter(|place| !**place) else { continue };
            *place = true;
            open.extend(below.get(number).into_iter().flatten().copied());
        }
        leads
    }

    pub(crate) fn rule_at(&self, number: usize) -> Option<&Rule> {
        self.rules.get(number)
    }

    /// Whether the model has this type.
    pub(crate) fn knows(&self, type_id: TypeId) -> bool {
        self.known.get(usize::from(type_id.0)).copied().unwrap_or(false)
    }

    /// Whether a tuple fits the model.
    pub(crate) fn admits(
        &self,
        object: TypeId,
        relation: RelationId,
        subject: Allowed,
    ) -> Result<(), NameError> {
        if !self.knows(object) || !self.knows(subject.type_id) {
            return Err(NameError::TypeUnknown);
        }
        let rule = self.rule(object, relation).ok_or(NameError::RelationUnknown)?;
        if subject.relation != RelationId::NONE && self.rule(subject.type_id, subject.relation).is_none() {
            return Err(NameError::RelationUnknown);
        }
        if rule.allowed.binary_search(&subject).is_ok() { Ok(()) } else { Err(NameError::NotAllowed) }
    }

    /// The types that tuples of `tupleset` name.
    fn named(&self, type_id: TypeId, tupleset: RelationId) -> Vec<TypeId> {
        let rule = self.rule(type_id, tupleset);
        rule.into_iter().flat_map(|rule| rule.allowed.iter()).map(|allowed| allowed.type_id).collect()
    }

    /// The rules that one step of `rule` leads to, each with its way.
    pub(crate) fn below(&self, rule: &Rule, op: Op) -> Vec<(Way, usize)> {
        match op {
            Op::Direct => {
                let sets = rule.allowed.iter().filter(|allowed| allowed.relation != RelationId::NONE);
                sets.filter_map(|one| Some((Way::Userset, self.number(one.type_id, one.relation)?))).collect()
            }
            Op::Computed(relation) => self
                .number(rule.type_id, relation)
                .map(|number| (Way::Computed, number))
                .into_iter()
                .collect(),
            Op::From { relation, tupleset } => {
                let types = self.named(rule.type_id, tupleset);
                types
                    .into_iter()
                    .filter_map(|one| Some((Way::From(tupleset), self.number(one, relation)?)))
                    .collect()
            }
            Op::Union { .. } | Op::Intersection { .. } | Op::Exclusion { .. } => Vec::new(),
        }
    }

    /// Finds out what each rule can lead to.
    fn tell(&mut self) {
        let mut uses: BTreeMap<usize, Vec<Use>> = BTreeMap::new();
        let mut down: Vec<Vec<usize>> = vec![Vec::new(); self.rules.len()];
        let mut up: Vec<Vec<usize>> = down.clone();
        for (number, rule) in self.rules.iter().enumerate() {
            for (at, op) in rule.program.iter().enumerate() {
                for (way, below) in self.below(rule, *op) {
                    down.get_mut(number).into_iter().for_each(|list| list.push(below));
                    up.get_mut(below).into_iter().for_each(|list| list.push(number));
                    if rule.positive.get(at) == Some(&true) {
                        uses.entry(below).or_default().push(Use { way, rule: number });
                    }
                }
            }
        }
        let (ends, begins) = (peeled(&down, &up), peeled(&up, &down));
        // What is not a union spoils everything above it.
        let mut spoilt: Vec<usize> =
            self.rules.iter().enumerate().filter(|(_, rule)| !rule.plain).map(|(number, _)| number).collect();
        for (number, rule) in self.rules.iter_mut().enumerate() {
            rule.uses = uses.remove(&number).unwrap_or_default();
            rule.uses.sort_unstable();
            rule.uses.dedup();
            rule.recursive = ends.get(number) == Some(&false);
            rule.circular = rule.recursive && begins.get(number) == Some(&false);
        }
        while let Some(number) = spoilt.pop() {
            for user in up.get(number).into_iter().flatten() {
                if let Some(rule) = self.rules.get_mut(*user).filter(|rule| rule.union_only) {
                    rule.union_only = false;
                    spoilt.push(*user);
                }
            }
        }
    }
}

/// Takes those without a way `out` away until none is left; what stays leads into a circle.
fn peeled(out: &[Vec<usize>], back: &[Vec<usize>]) -> Vec<bool> {
    let mut waits: Vec<usize> = out.iter().map(Vec::len).collect();
    let mut gone = vec![false; out.len()];
    let mut ready: Vec<usize> =
        waits.iter().enumerate().filter(|(_, count)| **count == 0).map(|(number, _)| number).collect();
    while let Some(number) = ready.pop() {
        gone.get_mut(number).into_iter().for_each(|one| *one = true);
        for user in back.get(number).into_iter().flatten() {
            let Some(count) = waits.get_mut(*user) else { continue };
            *count -= 1;
            if *count == 0 {
                ready.push(*user);
            }
        }
    }
    gone
}

/// By step: whether it stands outside of every right side of a `but not`.
fn counts_in(program: &[Op]) -> Vec<bool> {
    let mut positive = vec![true; program.len()];
    for (above, op) in program.iter().enumerate() {
        if let Op::Exclusion { end } = *op {
            let behind = program.get(above + 1).map_or(end, |base| base.end(above + 1));
            positive.get_mut(behind..end).into_iter().flatten().for_each(|step| *step = false);
        }
    }
    positive
}

fn emit(written: &Rewrite, words: &Words, program: &mut Vec<Op>) {
    let relation = |name: &str| words.relation_id(name).unwrap_or_default();
    let at = program.len();
    let all: Vec<&Rewrite> = match written {
        Rewrite::Direct => {
            program.push(Op::Direct);
            return;
        }
        Rewrite::Computed { relation: name, .. } => {
            program.push(Op::Computed(relation(name)));
            return;
        }
        Rewrite::From { relation: name, tupleset, .. } => {
            program.push(Op::From { relation: relation(name), tupleset: relation(tupleset) });
            return;
        }
        Rewrite::Union(all) | Rewrite::Intersection(all) => all.iter().collect(),
        Rewrite::Exclusion(base, subtract) => vec![base, subtract],
    };
    program.push(Op::Direct);
    for operand in all {
        emit(operand, words, program);
    }
    let end = program.len();
    let op = match written {
        Rewrite::Intersection(_) => Op::Intersection { end },
        Rewrite::Exclusion(..) => Op::Exclusion { end },
        Rewrite::Union(_) | Rewrite::Direct | Rewrite::Computed { .. } | Rewrite::From { .. } => {
            Op::Union { end }
        }
    };
    if let Some(place) = program.get_mut(at) {
        *place = op;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the step at `at` stands outside of every right side: every step above it is asked.
    fn slow(program: &[Op], at: usize) -> bool {
        (0..at).all(|above| match program[above] {
            Op::Exclusion { end } => !(program[above + 1].end(above + 1)..end).contains(&at),
            _ => true,
        })
    }

    fn grow(program: &mut Vec<Op>, dice: &mut u64, depth: u32) {
        *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let kind = if depth == 0 { 0 } else { (*dice >> 40) % 4 };
        let at = program.len();
        program.push(Op::Direct);
        let operands = if kind == 0 { 0 } else { 2 };
        (0..operands).for_each(|_| grow(program, dice, depth - 1));
        let end = program.len();
        program[at] = match kind {
            0 => Op::Direct,
            1 => Op::Union { end },
            2 => Op::Intersection { end },
            _ => Op::Exclusion { end },
        };
    }

    /// PROPERTY: a step counts in unless it stands on the right side of some `but not`.
    #[test]
    fn right_sides_do_not_count_in() {
        let (mut dice, mut out) = (3, 0);
        for _ in 0..300 {
            let mut program = Vec::new();
            grow(&mut program, &mut dice, 5);
            let expected: Vec<bool> = (0..program.len()).map(|at| slow(&program, at)).collect();
            out += expected.iter().filter(|one| !**one).count();
            assert_eq!(counts_in(&program), expected, "{program:?}");
        }
        assert!(out > 300);
    }

    /// PROPERTY: what tuples of a relation may name is found whatever the order of the text.
    #[test]
    fn every_kind_of_subject_is_found() {
        let kinds = ["c", "a", "b:*", "a#m", "d#m", "b", "c#m", "a:*"];
        let types = "type a\n  relations\n    define m: [a]\ntype b\ntype c\n  relations\n    define m: [a]\ntype d\n  relations\n    define m: [a]\n";
        for turn in 0..kinds.len() {
            let mut turned = kinds;
            turned.rotate_left(turn);
            let text = format!(
                "model\n  schema 1.1\n{types}type t\n  relations\n    define r: [{}]\n",
                turned.join(", ")
            );
            let mut words = Words::default();
            let schema = Schema::compile(&Model::parse(&text).unwrap(), &mut words).unwrap();
            let (t, r) = (words.type_id("t").unwrap(), words.relation_id("r").unwrap());
            let rule = schema.rule(t, r).unwrap();
            for (name, set, wildcard) in
                [("a", false, false), ("b", false, true), ("d", true, false), ("d", false, false)]
            {
                let relation = if set { words.relation_id("m").unwrap() } else { RelationId::NONE };
                let kind =
                    format!("{name}{}{}", if set { "#m" } else { "" }, if wildcard { ":*" } else { "" });
                let allowed = rule.allows(words.type_id(name).unwrap(), relation, wildcard);
                assert_eq!(allowed, kinds.contains(&kind.as_str()), "{kind}");
            }
        }
    }
}
