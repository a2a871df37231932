//! What a question looks at on one object, made ready when the model is compiled.

use crate::edges::Edge;
use crate::schema::{Op, Rule, Schema, Way};
use crate::words::{RelationId, TypeId};
use std::collections::BTreeMap;

/// What the tuples with one relation and one kind of set mean on the way down from an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Visit {
    /// Relation and set, as [`Edge::run`] gives them.
    pub(crate) run: u32,
    pub(crate) relation: RelationId,
    pub(crate) set: RelationId,
    /// They may name the subject itself.
    pub(crate) named: bool,
    /// They name sets of one type only, and these are met from below.
    pub(crate) met: Option<TypeId>,
    /// Else the rules that they lead to, by the type of the object that they name.
    pub(crate) below: Vec<(TypeId, usize)>,
}

/// Where somebody in a met rule comes into others by one run of tuples, or on the same object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Above {
    /// The relation of the others.
    pub(crate) relation: RelationId,
    /// The set that their tuples name; none where they name objects.
    pub(crate) set: RelationId,
    /// Both, as [`Edge::run`] gives them.
    pub(crate) run: u32,
    /// They count the relation to the same object in; no tuple leads there.
    pub(crate) same: bool,
    /// The only type that they have: then an object need not be looked at.
    pub(crate) only: Option<TypeId>,
    /// All their types: relations of one name share one run of tuples, walked once.
    pub(crate) types: Vec<TypeId>,
    /// Where the way up begins: relations to the same object that who is in one of the others is in thereby.
    pub(crate) alike: Vec<(TypeId, RelationId)>,
}

/// How far down a rule leads, when that is bounded whatever the tuples are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Reach {
    /// Steps to the last rule, met ones counted as one; none where rules that are not met can lead round.
    pub(crate) steps: Option<u32>,
    /// Some of them are met: what lies in these is bounded by heights.
    pub(crate) met: bool,
}

impl Above {
    /// Relation, set and type of each, with those of one run together.
    pub(crate) fn runs(mut users: Vec<(RelationId, RelationId, TypeId)>) -> Vec<Self> {
        users.sort_unstable();
        users.dedup();
        let runs = users.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1));
        runs.filter_map(|run| Self::of(run, false)).collect()
    }

    fn of(run: &[(RelationId, RelationId, TypeId)], same: bool) -> Option<Self> {
        let (relation, set, type_id) = *run.first()?;
        let types = run.iter().map(|(_, _, type_id)| *type_id).collect();
        let number = Edge::new(relation.0, set.0, 0).run();
        let only = (run.len() == 1).then_some(type_id);
        Some(Self { relation, set, run: number, same, only, types, alike: Vec::new() })
    }
}

impl Schema {
    /// Makes the visits of each rule.
    pub(crate) fn plan(&mut self) {
        let reaches = self.reaches();
        for number in 0..self.rules.len() {
            let Some(rule) = self.rules.get(number) else { continue };
            let (visits, same, above) = (self.visits(rule), self.same(rule), self.above(rule));
            let reach = reaches.get(number).copied().unwrap_or_default();
            if let Some(rule) = self.rules.get_mut(number) {
                (rule.visits, rule.same, rule.above, rule.reach) = (visits, same, above, reach);
            }
        }
        let mut sets = std::mem::take(&mut self.sets);
        for one in sets.objects.iter_mut().chain(&mut sets.everybody).flatten() {
            one.alike = one.types.iter().flat_map(|type_id| self.alike(*type_id, one.relation)).collect();
        }
        self.sets = sets;
    }

    /// Relations to the same object that count a met one in, near or far.
    fn alike(&self, type_id: TypeId, relation: RelationId) -> Vec<(TypeId, RelationId)> {
        let mut found = vec![relation];
        let mut at = 0;
        while let Some(rule) = found.get(at).map(|one| self.rule(type_id, *one)) {
            at += 1;
            for one in rule.into_iter().flat_map(|rule| &rule.above).filter(|one| one.same) {
                if !found.contains(&one.relation) {
                    found.push(one.relation);
                }
            }
        }
        found.into_iter().skip(1).map(|one| (type_id, one)).collect()
    }

    fn same(&self, rule: &Rule) -> Vec<usize> {
        let same = rule.program.iter().filter_map(|op| match op {
            Op::Computed(relation) => self.number(rule.type_id, *relation),
            Op::Direct
            | Op::From { .. }
            | Op::Union { .. }
            | Op::Intersection { .. }
            | Op::Exclusion { .. } => None,
        });
        same.collect()
    }

    fn visits(&self, rule: &Rule) -> Vec<Visit> {
        let mut visits = Visits::new();
        if rule.program.contains(&Op::Direct) {
            self.visit_own(rule, &mut visits);
        }
        for op in &rule.program {
            let Op::From { relation, tupleset } = *op else { continue };
            let named = self.rule(rule.type_id, tupleset);
            let objects = named.into_iter().flat_map(|named| &named.allowed);
            let objects = objects.filter(|one| one.relation == RelationId::NONE && !one.wildcard);
            let below: Vec<(TypeId, usize)> =
                objects.filter_map(|one| Some((one.type_id, self.number(one.type_id, relation)?))).collect();
            if !below.is_empty() {
                visit(&mut visits, tupleset, RelationId::NONE).below.extend(below);
            }
        }
        let sorted = visits.into_values().map(|mut one| {
            one.below.sort_unstable();
            one.below.dedup();
            one
        });
        sorted.collect()
    }

    /// The relation's own tuples.
    fn visit_own(&self, rule: &Rule, visits: &mut Visits) {
        for one in &rule.allowed {
            let found = visit(visits, rule.relation, one.relation);
            if one.relation == RelationId::NONE {
                found.named = true;
            } else if let Some(number) = self.number(one.type_id, one.relation) {
                found.below.push((one.type_id, number));
            }
        }
        let is_met = |number: usize| self.rule_at(number).is_some_and(|rule| rule.met);
        for one in visits.values_mut().filter(|one| one.set != RelationId::NONE) {
            let kinds = rule.allowed.iter().filter(|allowed| allowed.relation == one.set).count();
            if let [(type_id, number)] = *one.below
                && kinds == 1
                && is_met(number)
            {
                one.met = Some(type_id);
                one.below.clear();
            }
        }
    }

    fn above(&self, rule: &Rule) -> Vec<Above> {
        if !rule.met {
            return Vec::new();
        }
        let (mut same, mut users) = (Vec::new(), Vec::new());
        for one in &rule.uses {
            let Some(user) = self.rule_at(one.rule).filter(|user| user.met) else { continue };
            match one.way {
                Way::Computed => same.push((user.relation, RelationId::NONE, user.type_id)),
                Way::Userset => users.push((user.relation, rule.relation, user.type_id)),
                // What is met counts in nothing of this kind.
                Way::From(_) => {}
            }
        }
        let same = same.chunks(1).filter_map(|one| Above::of(one, true));
        same.chain(Above::runs(users)).collect()
    }

    /// By rule, from those that lead nowhere on up.
    fn reaches(&self) -> Vec<Reach> {
        let down: Vec<Vec<usize>> = self
            .rules
            .iter()
            .map(|rule| {
                let ways = rule.program.iter().flat_map(|op| self.below(rule, *op));
                ways.map(|(_, below)| below).collect()
            })
            .collect();
        let mut up: Vec<Vec<usize>> = vec![Vec::new(); down.len()];
        // What is met is an end, whatever it leads to.
        let is_end = |number: usize| self.rule_at(number).is_none_or(|rule| rule.met);
        let mut waits = vec![0_usize; down.len()];
        let mut found: Vec<Reach> = vec![Reach::default(); down.len()];
        let mut ready = Vec::new();
        for (number, ways) in down.iter().enumerate() {
            if is_end(number) || ways.is_empty() {
                let met = self.rule_at(number).is_some_and(|rule| rule.met);
                found.get_mut(number).into_iter().for_each(|reach| *reach = Reach { steps: Some(0), met });
                ready.push(number);
                continue;
            }
            waits.get_mut(number).into_iter().for_each(|count| *count = ways.len());
            for below in ways {
                up.get_mut(*below).into_iter().for_each(|list| list.push(number));
            }
        }
        while let Some(number) = ready.pop() {
            let Some(below) = found.get(number).copied() else { continue };
            for user in up.get(number).into_iter().flatten() {
                let (Some(reach), Some(count)) = (found.get_mut(*user), waits.get_mut(*user)) else {
                    continue;
                };
                let steps = below.steps.unwrap_or(0).saturating_add(1);
                *reach =
                    Reach { steps: Some(reach.steps.unwrap_or(0).max(steps)), met: reach.met || below.met };
                *count -= 1;
                if *count == 0 {
                    ready.push(*user);
                }
            }
        }
        // What still waits can lead round.
        for (reach, count) in found.iter_mut().zip(&waits) {
            if *count > 0 {
                reach.steps = None;
            }
        }
        found
    }
}

/// Visits by their runs.
type Visits = BTreeMap<u32, Visit>;

/// The visit of a run, new when there is none.
fn visit(visits: &mut Visits, relation: RelationId, set: RelationId) -> &mut Visit {
    let run = Edge::new(relation.0, set.0, 0).run();
    let new = || Visit { run, relation, set, named: false, met: None, below: Vec::new() };
    visits.entry(run).or_insert_with(new)
}
