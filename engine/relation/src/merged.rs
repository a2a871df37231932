//! What a relation and all others that it counts in of the same object say, in one row of runs: made ready when a model is
//! compiled, so that a visit goes once over an object's tuples and meets each object once.

use crate::objects::ObjectId;
use crate::plan::Visit;
use crate::question::RELATION_DEPTH;
use crate::runs::Side;
use crate::schema::{Rule, Schema};
use crate::words::{RelationId, TypeId};

/// LIMIT: relations of one object that count in one another here: as many as an answer may lie away.
const LINKS_MAX: usize = RELATION_DEPTH as usize;
/// LIMIT: runs, and rules that they lead to, of one relation with those that count in it.
const TOLD_MAX: usize = 256;

/// What the tuples of one run mean.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Told {
    /// Relation and set, as [`crate::edges::Edge::run`] gives them.
    pub(crate) run: u32,
    pub(crate) relation: RelationId,
    pub(crate) set: RelationId,
    /// They may name the subject itself: the rule that says whom.
    pub(crate) named: Option<usize>,
    /// They name sets of one type only, and these are met from below; then they name nobody else.
    pub(crate) met: Option<TypeId>,
    /// Else the rules that they lead to, by the type of the object that they name.
    pub(crate) below: Vec<(TypeId, usize)>,
}

/// A relation with all others of the same object that it counts in.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Merged {
    pub(crate) told: Vec<Told>,
    /// Relations of the same object that are met from below.
    pub(crate) sets: Vec<RelationId>,
    /// Steps on the object itself, at most.
    pub(crate) same: u32,
}

impl Merged {
    /// What a run means.
    #[inline]
    pub(crate) fn of(&self, run: u32) -> Option<&Told> {
        self.told.iter().find(|told| told.run == run)
    }

    /// What leads on to other objects.
    #[inline]
    pub(crate) fn leading(&self) -> impl Iterator<Item = &Told> {
        self.told.iter().filter(|told| !told.below.is_empty())
    }

    /// Takes a visit in. False where its run means two things.
    fn take(&mut self, visit: &Visit, number: usize) -> bool {
        let at = self.told.iter().position(|told| told.run == visit.run).unwrap_or_else(|| {
            let (run, relation, set) = (visit.run, visit.relation, visit.set);
            self.told.push(Told { run, relation, set, named: None, met: None, below: Vec::new() });
            self.told.len() - 1
        });
        let Some(told) = self.told.get_mut(at) else { return false };
        if visit.named {
            told.named = Some(number);
        }
        told.met = told.met.or(visit.met);
        told.below.extend(&visit.below);
        told.below.sort_unstable();
        told.below.dedup();
        told.met.is_none() || told.below.is_empty() && told.named.is_none()
    }
}

/// Which tuples lead on from one object to the next, outside of sets that are met from below.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leading {
    /// By type of the object that they are about: their runs.
    pub(crate) runs: Vec<Vec<(RelationId, RelationId)>>,
    /// By type of the object that they name: the same.
    pub(crate) back: Vec<Vec<(RelationId, RelationId)>>,
    /// By type: the rules whose ways lead on.
    pub(crate) rules: Vec<Vec<usize>>,
}

impl Leading {
    /// Whether a tuple about an object of this type leads on.
    #[inline]
    pub(crate) fn is(&self, about: TypeId, run: (RelationId, RelationId)) -> bool {
        self.runs.get(usize::from(about.0)).is_some_and(|runs| runs.contains(&run))
    }
}

/// Whether any tuple of these runs stands on a side.
pub(crate) fn has_any(side: Side<'_>, runs: Option<&Vec<(RelationId, RelationId)>>) -> bool {
    runs.into_iter().flatten().any(|(relation, set)| side.of(*relation, *set).next().is_some())
}

impl Schema {
    /// Merges each rule with those that it counts in.
    pub(crate) fn merge(&mut self, types: usize) {
        let merged: Vec<Option<Merged>> = (0..self.rules.len()).map(|number| self.merged(number)).collect();
        let mut leading = Leading::default();
        for lists in [&mut leading.runs, &mut leading.back] {
            lists.resize(types, Vec::new());
        }
        leading.rules.resize(types, Vec::new());
        for (number, (rule, merged)) in self.rules.iter_mut().zip(merged).enumerate() {
            let own = usize::from(rule.type_id.0);
            for told in merged.iter().flat_map(Merged::leading) {
                let run = (told.relation, told.set);
                leading.runs.get_mut(own).into_iter().for_each(|list| list.push(run));
                for (type_id, _) in &told.below {
                    let back = leading.back.get_mut(usize::from(type_id.0));
                    back.into_iter().for_each(|list| list.push(run));
                }
            }
            if merged.as_ref().is_some_and(|merged| merged.leading().next().is_some()) {
                leading.rules.get_mut(own).into_iter().for_each(|list| list.push(number));
            }
            rule.merged = merged;
        }
        for list in leading.runs.iter_mut().chain(&mut leading.back) {
            list.sort_unstable();
            list.dedup();
        }
        self.leading = leading;
    }

    /// None where the rule has operators below it, is met itself, or has a run that means two things.
    fn merged(&self, number: usize) -> Option<Merged> {
        let usable = |rule: &&Rule| rule.union_only && rule.long == 0;
        self.rule_at(number).filter(usable).filter(|rule| !rule.met)?;
        let (mut merged, mut open, mut at) = (Merged::default(), vec![number], 0);
        while let Some(number) = open.get(at).copied() {
            at += 1;
            let rule = self.rule_at(number).filter(usable)?;
            // A chain of more is too deep for an answer from here, and what it names would be kept for each of its links.
            let told: usize = merged.told.iter().map(|told| 1 + told.below.len()).sum();
            if at > LINKS_MAX || told > TOLD_MAX {
                return None;
            }
            if rule.met {
                merged.sets.push(rule.relation);
                continue;
            }
            if !rule.visits.iter().all(|visit| merged.take(visit, number)) {
                return None;
            }
            for next in &rule.same {
                if !open.contains(next) {
                    open.push(*next);
                }
            }
        }
        merged.same = u32::try_from(open.len()).ok()?.checked_sub(1)?;
        Some(merged)
    }
}

/// An object that a packed word leads to, where its tuple has no window.
#[inline]
pub(crate) fn untimed(word: [u8; 4]) -> Option<ObjectId> {
    if crate::runs::is_timed(word) { None } else { Some(crate::runs::object_of(word)) }
}
