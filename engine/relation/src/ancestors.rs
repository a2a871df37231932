//! Ways through folders, flattened: beside each object that others lie in, all objects that a question comes by from there.
//!
//! A document lies in a folder that lies in folders. A question about it goes through all of them, one after the other, and
//! they seldom move: so they stand in one list beside the object that something lies in. What is granted on each of them
//! stands in no list: to share a folder changes none.
//!
//! INVARIANT: a list is good as long as each object in it has the turn that stands beside it. An object's turn counts the
//! changes of the tuples that lead on from it, over all lives of its number; so a list that a change has not reached is never
//! taken for a good one, and a write need not reach all. It remakes what lies next below, as far as it may look; what lies
//! further is remade when something is put there, or when the tenant wakes. Until then a question goes step by step.

use crate::line::WORN;
use crate::merged::{Merged, has_any};
use crate::objects::{LOCAL, Object, ObjectId};
use crate::relations::{Admitted, Relations};
use crate::search::has_circle;
use crate::seen::{Node, Seen};
use std::sync::Arc;
use tessera_policy::Chunked;

/// LIMIT: objects of one list: who lies in more is looked for step by step.
const STEPS_MAX: usize = 48;
/// LIMIT: tuples that one edit may look at to keep lists: some 50 us.
const LOOKS_MAX: usize = 1_024;
/// LIMIT: entries of one object's list, of all its rules, from which on no other rule has any.
const LISTED_MAX: usize = 8 * STEPS_MAX;
/// LIMIT: tuples that edits may look at in a row beyond [`LOOKS_FREE`] each. Behind that they keep the lists of their own
/// objects alone.
const DEBT_MAX: usize = 256 * LOOKS_MAX;
/// Tuples that each edit may look at for nothing.
const LOOKS_FREE: usize = 64;
/// LIMIT: tuples that are looked at to make all lists anew: some 0.2 s of a wake.
const LOOKS_ALL_MAX: usize = 2_097_152;
/// LIMIT: objects of all lists of a tenant: 48 MiB.
const STEPS_ALL_MAX: usize = 4_194_304;

/// An object that a question comes by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Ancestor {
    pub(crate) object: ObjectId,
    /// The object's turn when the list was made.
    pub(crate) turn: u16,
    /// The rule that the question came with to the object beside which the list stands.
    pub(crate) from: u16,
    /// The rule that it comes with to this one.
    pub(crate) rule: u16,
    /// Steps to there, at least as many as there are.
    pub(crate) level: u16,
}

type List = Option<Arc<[Ancestor]>>;

/// The lists, by object. The first of each rule is the object itself.
#[derive(Clone)]
pub(crate) struct Ancestors {
    lists: Chunked<List>,
    /// Objects of all lists.
    steps: usize,
    /// Tuples that were looked at beyond what edits may.
    debt: usize,
}

impl Ancestors {
    /// Lists of nothing.
    pub(crate) fn new() -> Self {
        Self { lists: Chunked::new(LOCAL), steps: 0, debt: 0 }
    }

    /// The list of an object.
    #[inline]
    pub(crate) fn of(&self, object: ObjectId) -> &[Ancestor] {
        self.lists.get(object.0).and_then(Option::as_deref).unwrap_or_default()
    }

    /// Asks for the place of an object's list, without waiting for it.
    #[inline]
    pub(crate) fn touch(&self, object: ObjectId) {
        self.lists.touch(object.0);
    }

    /// That edits have looked at more than they may, or not.
    #[cfg(test)]
    pub(crate) fn owe(&mut self, owes: bool) {
        self.debt = if owes { 2 * DEBT_MAX } else { 0 };
    }

    fn set(&mut self, object: ObjectId, list: List) {
        let had = self.of(object).len();
        let list = list.filter(|list| self.steps - had + list.len() <= STEPS_ALL_MAX);
        let has = list.as_deref().map_or(0, <[Ancestor]>::len);
        if had > 0 || has > 0 {
            self.lists.set(object.0, list);
            self.steps = self.steps - had + has;
        }
    }
}

impl Relations {
    /// The objects of a tuple that leads on: what it is about, and what it names.
    pub(crate) fn leading(&self, one: &Admitted<'_>) -> Option<[ObjectId; 2]> {
        let allowed = one.subject.allowed;
        if !self.schema.leading.is(one.object.0, (one.relation, allowed.relation)) {
            return None;
        }
        let objects = &self.tuples.objects;
        Some([objects.find(one.object.0, one.object.1)?, objects.find(allowed.type_id, one.subject.id)?])
    }

    /// Keeps lists when a tuple that leads on from one object to another has come, changed or gone.
    pub(crate) fn lead(&mut self, [about, named]: [ObjectId; 2]) {
        self.tuples.objects.turn(about);
        let mut looks = 0;
        if self.is_inner(about) {
            self.remake_below(about, &mut looks);
        } else {
            self.ancestors.set(about, None);
        }
        if !self.is_good(named) {
            self.remake(named, &mut looks);
        }
        let debt = self.ancestors.debt.saturating_add(looks);
        self.ancestors.debt = debt.saturating_sub(LOOKS_FREE);
    }

    /// Makes all lists anew.
    pub(crate) fn lead_all(&mut self) {
        self.ancestors = Ancestors::new();
        if self.schema.leading.rules.iter().all(Vec::is_empty) {
            return;
        }
        let (mut looks, mut number) = (0_usize, 0);
        while looks < LOOKS_ALL_MAX && number < self.tuples.objects.end() {
            if self.is_inner(ObjectId(number)) {
                let mut looked = 0;
                self.remake(ObjectId(number), &mut looked);
                looks = looks.saturating_add(looked);
            }
            number += 1;
        }
    }

    /// Whether something lies in an object.
    fn is_inner(&self, object: ObjectId) -> bool {
        let object = self.standing(object);
        object.is_some_and(|object| {
            has_any(object.reverse(), self.schema.leading.back.get(usize::from(object.type_id.0)))
        })
    }

    /// Whether an object has a list that is still good, or leads nowhere.
    fn is_good(&self, object: ObjectId) -> bool {
        let list = self.ancestors.of(object);
        if list.is_empty() {
            let found = self.standing(object);
            return found.is_none_or(|object| {
                !has_any(object.forward(), self.schema.leading.runs.get(usize::from(object.type_id.0)))
            });
        }
        list.iter()
            .all(|one| self.tuples.objects.get(one.object).is_some_and(|object| object.turn == one.turn))
    }

    /// Remakes the list of an object and of those below it, as far as one edit may look.
    fn remake_below(&mut self, object: ObjectId, looks: &mut usize) {
        let (mut seen, mut at) = (Seen::new(), 0);
        let most = if self.ancestors.debt > DEBT_MAX { 0 } else { LOOKS_MAX };
        seen.insert(Node::new(object.0, 0));
        while let Some(about) = seen.get(at).map(|node| ObjectId(node.object())) {
            if at == 0 || self.is_inner(about) {
                self.remake(about, looks);
            }
            at += 1;
            let Some(object) = self.standing(about) else { continue };
            let runs = self.schema.leading.back.get(usize::from(object.type_id.0));
            for (relation, set) in runs.into_iter().flatten() {
                for edge in object.reverse().of(*relation, *set) {
                    *looks += 1;
                    if *looks > most {
                        return;
                    }
                    seen.insert(Node::new(edge.object(), 0));
                }
            }
        }
    }

    /// Remakes the list of an object.
    fn remake(&mut self, about: ObjectId, looks: &mut usize) {
        let list = self.standing(about).map(|object| self.ancestors_of((about, object), looks));
        let list = list.filter(|list| !list.is_empty());
        self.ancestors.set(about, list.map(Arc::from));
    }

    /// The objects that questions come by from here, rule by rule.
    fn ancestors_of(&self, (about, object): (ObjectId, &Object), looks: &mut usize) -> Vec<Ancestor> {
        let mut list = Vec::new();
        let own = usize::from(object.type_id.0);
        if !has_any(object.forward(), self.schema.leading.runs.get(own)) {
            return list;
        }
        let before = *looks;
        for number in self.schema.leading.rules.get(own).into_iter().flatten() {
            // What has no entry is searched for.
            if looks.saturating_sub(before) > LOOKS_MAX || list.len() > LISTED_MAX {
                break;
            }
            list.extend(self.come_by((about, *number), looks).unwrap_or_default());
        }
        list
    }

    /// All that a question about one relation comes by; none where that may change by time, leads round or is too much.
    fn come_by(&self, (about, number): (ObjectId, usize), looks: &mut usize) -> Option<Vec<Ancestor>> {
        let from = u16::try_from(number).ok()?;
        let (mut seen, mut list, mut ways) = (Seen::new(), Vec::new(), Vec::new());
        seen.insert(Node::new(about.0, from));
        let (mut levels, mut looked) = (vec![0_u16], 0);
        while let Some(node) = seen.get(list.len()) {
            let (at, object) = (list.len(), ObjectId(node.object()));
            let found = self.standing(object).filter(|found| found.turn != WORN)?;
            let merged = self.merged_at(usize::from(node.relation()))?;
            let level = *levels.get(at)?;
            let below = level.checked_add(u16::try_from(merged.same).ok()?)?.checked_add(1)?;
            list.push(Ancestor { object, turn: found.turn, from, rule: node.relation(), level });
            for told in merged.leading() {
                for edge in found.forward().of(told.relation, told.set) {
                    *looks += 1;
                    looked += 1;
                    if looked > 4 * STEPS_MAX {
                        return None;
                    }
                    let target = self.tuples.objects.get(ObjectId(edge.object()))?;
                    for (_, next) in told.below.iter().filter(|(type_id, _)| *type_id == target.type_id) {
                        if edge.is_timed() {
                            return None;
                        }
                        let (nth, new) = seen.insert(Node::new(edge.object(), u16::try_from(*next).ok()?));
                        ways.push((at, nth));
                        if new {
                            levels.push(below);
                        }
                    }
                }
            }
            if seen.len() > STEPS_MAX {
                return None;
            }
        }
        (!has_circle(seen.len(), &ways)).then_some(list)
    }

    /// A rule with those that it counts in.
    pub(crate) fn merged_at(&self, number: usize) -> Option<&Merged> {
        self.schema.rule_at(number).and_then(|rule| rule.merged.as_ref())
    }
}
