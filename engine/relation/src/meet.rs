//! Sets within sets, met from below.
//!
//! A group may hold thousands, and groups hold groups: to ask every group that a folder names whether it holds
//! somebody is long. But somebody is in few groups. So the sets that the subject is in are found from below,
//! once for a question, and the search from above asks of each set that a tuple names only whether it is one of
//! those. This goes for rules that are `met`: see [`crate::schema::Rule`].
//!
//! What lies below such a set is then not looked at, and yet the answer has to be that of the whole search:
//! nothing there may lie too deep, or in a circle. Therefore each object has a height, kept with every write:
//! at least the longest row of sets within sets below it. It is never lowered, so that an edit pays for each
//! height once; where it is too high the whole search answers. INVARIANT: for a stored tuple that names a set in
//! a met rule, the object's height is above the set's. In a circle heights grow until they are not counted.

use crate::error::AskError;
use crate::objects::{Object, ObjectId};
use crate::plan::Above;
use crate::question::{Question, Subject};
use crate::relations::{Admitted, Relations};
use crate::runs::{Run, Runs, Side, Words, edge_of, is_timed, object_of};
use crate::schema::{CHEAP, Rule};
use crate::seen::{Node, Seen};
use crate::sets::CHAIN_MAX;
use crate::words::{RelationId, TypeId};
use std::cell::Ref;

/// LIMIT: heights that are counted: more than a question may look down.
const HEIGHT_MAX: u8 = 64;
/// LIMIT: tuples that one edit may look at to keep heights: some ms. Each object is raised at most 64 times.
const RAISED_MAX: usize = 16_384;
/// LIMIT: tuples on the way up from a subject: who is in more sets is searched for from above.
const CLIMBED_MAX: usize = 1_024;

/// The sets that a subject is in.
pub(crate) struct Met {
    /// Of whom; none before anybody was looked up.
    subject: Option<ObjectId>,
    /// Each with the type that its object has to have: whether it has is looked at where it counts.
    nodes: Seen,
    /// A bit for the end of each object's number: most sets that are asked for are none of these.
    ends: u64,
    /// They are too many to be found from below.
    many: bool,
}

impl Met {
    pub(crate) fn new() -> Self {
        Self { subject: None, nodes: Seen::new(), ends: 0, many: false }
    }

    /// A bit for the end of each object's number; all where they are too many to be known.
    #[inline]
    pub(crate) fn ends(&self) -> u64 {
        if self.many { u64::MAX } else { self.ends }
    }

    #[inline]
    fn begin(&mut self, subject: ObjectId) {
        (self.subject, self.ends, self.many) = (Some(subject), 0, false);
        self.nodes.clear();
    }

    #[inline]
    fn insert(&mut self, node: Node) {
        let end = 1 << (node.object() & 63);
        if self.ends & end == 0 {
            self.ends |= end;
            let _number = self.nodes.push(node);
        } else {
            self.nodes.insert(node);
        }
    }
}

/// What became of a row of lists.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Listed {
    /// All of it was taken.
    Whole,
    /// There are too many.
    Many,
    /// One does not say: one has to climb.
    Climb,
}

/// What a list of objects came by on its way up, and the ends of its levels.
pub(crate) struct Climbed {
    pub(crate) subject: Subject,
    pub(crate) seen: Seen,
    pub(crate) ends: Vec<usize>,
}

impl Relations {
    /// Keeps heights when a new tuple names a set.
    pub(crate) fn nest(&mut self, one: &Admitted<'_>) {
        let met = self.schema.rule(one.object.0, one.relation).is_some_and(|rule| rule.met);
        if !met || self.deep {
            return;
        }
        let objects = &self.tuples.objects;
        let about = objects.find(one.object.0, one.object.1);
        let named = objects.find(one.subject.allowed.type_id, one.subject.id);
        if let (Some(about), Some(named)) = (about, named) {
            let height = objects.get(named).map_or(0, |object| object.height);
            self.raise(about, height.saturating_add(1).min(HEIGHT_MAX), &mut 0);
        }
    }

    /// Keeps heights when a model counts other tuples.
    pub(crate) fn nest_all(&mut self) {
        self.deep = false;
        if self.schema.sets.nests.iter().all(Vec::is_empty) {
            return;
        }
        let mut nested: Vec<(ObjectId, ObjectId)> = Vec::new();
        for (about, object) in self.tuples.objects.iter() {
            for edge in object.forward().iter().filter(|edge| edge.set() != RelationId::NONE.0) {
                let rule = self.schema.rule(object.type_id, RelationId(edge.relation()));
                if rule.is_some_and(|rule| rule.met) {
                    nested.push((about, ObjectId(edge.object())));
                }
            }
        }
        for (about, named) in nested {
            if self.deep {
                return;
            }
            let height = self.tuples.objects.get(named).map_or(0, |object| object.height);
            self.raise(about, height.saturating_add(1).min(HEIGHT_MAX), &mut 0);
        }
    }

    /// Raises an object, and those above that its height reaches.
    fn raise(&mut self, about: ObjectId, least: u8, looks: &mut usize) {
        let mut open = vec![(about, least)];
        while let Some((about, least)) = open.pop() {
            let Some(object) = self.tuples.objects.get(about).filter(|object| object.height < least) else {
                continue;
            };
            let above = least.saturating_add(1).min(HEIGHT_MAX);
            let nests = self.schema.sets.nests.get(usize::from(object.type_id.0));
            for (relation, set) in nests.into_iter().flatten() {
                for edge in object.reverse().of(*relation, *set) {
                    *looks += 1;
                    if *looks > RAISED_MAX {
                        self.deep = true;
                        return;
                    }
                    open.push((ObjectId(edge.object()), above));
                }
            }
            self.tuples.objects.set_height(about, least);
            self.highest = self.highest.max(least);
        }
    }
}

impl Question<'_> {
    /// The sets that the subject is in, found when they are asked for first.
    #[inline]
    pub(crate) fn met(&self, subject: Subject) -> Result<Ref<'_, Met>, AskError> {
        let met = self.met.borrow();
        if met.subject == Some(subject.object) {
            return Ok(met);
        }
        drop(met);
        self.climb_sets(subject)?;
        Ok(self.met.borrow())
    }

    /// Whether a set is one of those; none when they are too many.
    #[inline]
    pub(crate) fn has_met(&self, met: &Met, node: Node, type_id: TypeId) -> Option<bool> {
        if met.many {
            return None;
        }
        let may = met.ends >> (node.object() & 63) & 1 == 1;
        Some(
            may && met.nodes.find(node.typed(type_id)).is_some()
                && self.type_of(ObjectId(node.object())) == Some(type_id),
        )
    }

    /// Finds the sets that a subject is in.
    fn climb_sets(&self, subject: Subject) -> Result<(), AskError> {
        let mut met = self.met.borrow_mut();
        met.begin(subject.object);
        let mut looks = 0;
        match self.by_lists(subject, &mut met, &mut looks) {
            Listed::Whole => {}
            Listed::Many => met.many = true,
            Listed::Climb => {
                met.begin(subject.object);
                self.climb_from(subject, &mut met, &mut looks);
            }
        }
        drop(met);
        self.spend(u32::try_from(looks).unwrap_or(u32::MAX))?;
        self.solvent()
    }

    /// Takes the sets that a subject stands in, each with the list beside it.
    fn by_lists(&self, subject: Subject, met: &mut Met, looks: &mut usize) -> Listed {
        if !self.relations.flat.is_kept() {
            return Listed::Climb;
        }
        let (sets, at) = (&self.relations.schema.sets, usize::from(subject.allowed.type_id.0));
        let everybody = self.relations.tuples.objects.wildcard(subject.allowed.type_id);
        let begins = [(Some(subject.object), sets.objects.get(at)), (everybody, sets.everybody.get(at))];
        for (named, above) in begins {
            let Some((named, above)) = named.zip(above).filter(|(_, above)| !above.is_empty()) else {
                continue;
            };
            let Some(object) = self.relations.tuples.objects.get(named) else { continue };
            match object.reverse() {
                Side::Packed(list) => {
                    for (run, words) in Words::of(list) {
                        let Some(one) = above.iter().find(|one| one.run == run) else { continue };
                        for word in words {
                            let back = edge_of(run, *word);
                            if is_timed(*word) && !self.counts_back(named, one.relation, one.set, back) {
                                *looks += 1;
                                continue;
                            }
                            match self.list_one(one, object_of(*word), met, looks) {
                                Listed::Whole => {}
                                listed @ (Listed::Many | Listed::Climb) => return listed,
                            }
                        }
                    }
                }
                side @ Side::Apart(_) => {
                    for one in above {
                        for back in side.of(one.relation, one.set) {
                            if !self.counts_back(named, one.relation, one.set, back) {
                                *looks += 1;
                                continue;
                            }
                            match self.list_one(one, ObjectId(back.object()), met, looks) {
                                Listed::Whole => {}
                                listed @ (Listed::Many | Listed::Climb) => return listed,
                            }
                        }
                    }
                }
            }
        }
        Listed::Whole
    }

    /// Takes a set that a tuple leads to, with the list beside it.
    #[inline]
    fn list_one(&self, one: &Above, about: ObjectId, met: &mut Met, looks: &mut usize) -> Listed {
        *looks += 1;
        if *looks > CLIMBED_MAX {
            return Listed::Many;
        }
        let type_id = match one.only {
            Some(type_id) => type_id,
            None => match self.relations.tuples.objects.get(about).map(|object| object.type_id) {
                Some(type_id) if one.types.contains(&type_id) => type_id,
                Some(_) | None => return Listed::Whole,
            },
        };
        met.insert(Node::new(about.0, one.relation.0).typed(type_id));
        for (_, relation) in one.alike.iter().filter(|(own, _)| *own == type_id) {
            met.insert(Node::new(about.0, relation.0).typed(type_id));
        }
        for lead in self.relations.flat.of(about) {
            if lead.from != one.relation || lead.own != type_id {
                continue;
            }
            if lead.to == Node::NONE {
                return Listed::Climb;
            }
            *looks += 1;
            met.insert(lead.to);
        }
        Listed::Whole
    }

    /// Climbs from a subject through all sets that it is in.
    fn climb_from(&self, subject: Subject, met: &mut Met, looks: &mut usize) {
        let type_id = subject.allowed.type_id;
        let (sets, at) = (&self.relations.schema.sets, usize::from(type_id.0));
        let objects = &self.relations.tuples.objects;
        let everybody = objects.wildcard(type_id);
        let begins = [(Some(subject.object), sets.objects.get(at)), (everybody, sets.everybody.get(at))];
        for (named, above) in begins {
            let Some((named, above)) = named.zip(above) else { continue };
            if let Some(object) = objects.get(named).filter(|_| !above.is_empty()) {
                met.many |= !self.climb_set((named, object), above, met, looks);
            }
        }
        let mut at = 0;
        while let Some(node) = met.nodes.get(at).filter(|_| !met.many) {
            at += 1;
            let about = ObjectId(node.object());
            let object = objects.get(about).filter(|one| one.type_id == node.type_id());
            let rule = self.relations.schema.rule(node.type_id(), RelationId(node.relation()));
            let Some((object, rule)) = object.zip(rule) else { continue };
            *looks = looks.saturating_add(1 + rule.above.len() / CHEAP);
            met.many = !self.climb_set((about, object), &rule.above, met, looks);
        }
    }

    /// Goes up from one object, straight or as a set. False when there are too many.
    #[inline]
    fn climb_set(
        &self,
        (named, object): (ObjectId, &Object),
        above: &[Above],
        met: &mut Met,
        looks: &mut usize,
    ) -> bool {
        for one in above.iter().filter(|one| one.same) {
            one.only.into_iter().for_each(|only| met.insert(Node::new(named.0, one.relation.0).typed(only)));
        }
        match object.reverse() {
            Side::Packed(list) => {
                for (run, words) in Runs(list) {
                    let Some(one) = above.iter().find(|one| one.run == run && !one.same) else { continue };
                    if !self.climb_run(named, one, Run::Packed { run, words }, met, looks) {
                        return false;
                    }
                }
                true
            }
            side @ Side::Apart(_) => above.iter().filter(|one| !one.same).all(|one| {
                let tuples = side.of(one.relation, one.set);
                self.climb_run(named, one, tuples, met, looks)
            }),
        }
    }

    /// Goes up along one run of tuples. False when there are too many.
    #[inline]
    fn climb_run(
        &self,
        named: ObjectId,
        one: &Above,
        tuples: Run<'_>,
        met: &mut Met,
        looks: &mut usize,
    ) -> bool {
        let objects = &self.relations.tuples.objects;
        for back in tuples {
            *looks += 1;
            if *looks > CLIMBED_MAX {
                return false;
            }
            if !self.counts_back(named, one.relation, one.set, back) {
                continue;
            }
            let type_id = match one.only {
                Some(type_id) => {
                    objects.touch(ObjectId(back.object()));
                    type_id
                }
                None => match objects.get(ObjectId(back.object())).map(|object| object.type_id) {
                    Some(type_id) if one.types.contains(&type_id) => type_id,
                    Some(_) | None => continue,
                },
            };
            met.insert(Node::new(back.object(), one.relation.0).typed(type_id));
        }
        true
    }

    /// Whether a list came by this node on its way up, and the subject lies not too deep below it.
    pub(crate) fn has_climbed(&self, node: Node, subject: Subject, depth: u32) -> bool {
        let Some(climbed) = self.climbed.as_ref().filter(|climbed| climbed.subject == subject) else {
            return false;
        };
        let Some(number) = climbed.seen.find(node) else { return false };
        let level = climbed.ends.partition_point(|end| *end <= number);
        u32::try_from(level).is_ok_and(|level| depth.saturating_add(level) < self.depth)
    }

    /// Whether somebody is surely in this rule's relation to an object so many steps away, or surely not: nothing
    /// below it can lead round or lie too deep.
    pub(crate) fn is_sure(&self, rule: &Rule, depth: u32) -> bool {
        let Some(steps) = rule.reach.steps else { return false };
        let deepest = depth.saturating_add(steps);
        if !rule.reach.met {
            return deepest < self.depth;
        }
        !self.has_own_tuples() && self.meets() && self.lies_in(deepest, self.relations.highest)
    }

    /// Whether sets can be met from below at all.
    #[inline]
    pub(crate) fn meets(&self) -> bool {
        !self.relations.deep && self.relations.schema.sets.chain < CHAIN_MAX
    }

    /// Whether all below a set of this height, so many steps away, lies in the depth that may be looked at.
    #[inline]
    pub(crate) fn lies_in(&self, depth: u32, height: u8) -> bool {
        self.relations.lies_in(depth, height, self.depth)
    }
}

impl Relations {
    /// Whether all below a set of this height, so many steps away, lies less than `end` steps away. A height that is not
    /// counted may be that of a circle.
    #[inline]
    pub(crate) fn lies_in(&self, depth: u32, height: u8, end: u32) -> bool {
        let chain = self.schema.sets.chain;
        let deepest = depth.saturating_add(chain + u32::from(height) * (1 + chain));
        height < HEIGHT_MAX && deepest < end
    }
}
