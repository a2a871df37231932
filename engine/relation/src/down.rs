//! The search from above through unions, one object and its line after the other; sets are met from below.

use crate::edges::Edge;
use crate::meet::Met;
use crate::objects::{Object, ObjectId};
use crate::plan::Visit;
use crate::question::{Question, Subject};
use crate::relations::Relations;
use crate::runs::{Run, Side, Words, edge_of, is_timed, object_of};
use crate::schema::Rule;
use crate::search::{Stop, Truth, has_circle};
use crate::seen::{Node, Seen};
use crate::words::{RelationId, TypeId};
use std::cell::Ref;

/// What a way down came to.
enum Found {
    On,
    Yes,
    Unknown,
}

/// Nodes whose lines and rules are kept as they were come by.
const KEPT: usize = 8;

/// A search from above.
struct Down<'a, 'b> {
    question: &'b Question<'a>,
    subject: Subject,
    /// Who stands for everybody of the subject's type.
    everybody: Option<ObjectId>,
    seen: Seen,
    /// Of the first nodes that were seen.
    kept: [Option<(&'a Object, &'a Rule)>; KEPT],
    /// The sets that the subject is in, once they were asked for.
    met: Option<Ref<'b, Met>>,
    ways: Vec<(usize, usize)>,
    round: bool,
    /// A node was come by a second time.
    again: bool,
    at: usize,
    depth: u32,
    /// Sets that the present node names lie in the depth that may be looked at, whatever their height is.
    near: bool,
    /// Bits of the sets that the subject is in, once they are known: see [`Met::ends`].
    ends: u64,
    /// A bit for the end of each object's number that was seen.
    come_by: u64,
}

impl<'a> Question<'a> {
    /// As the search through unions, with sets met from below; none where the whole search must answer.
    pub(crate) fn meet(
        &self,
        root: Node,
        subject: Subject,
        depth: u32,
        round: bool,
    ) -> Result<Option<Truth>, Stop> {
        let one = subject.allowed;
        let usable =
            one.relation == RelationId::NONE && !one.wildcard && !self.has_own_tuples() && self.meets();
        if !usable {
            return Ok(None);
        }
        let relations: &'a Relations = self.relations;
        let object = relations.tuples.objects.get(ObjectId(root.object()));
        let Some(rule) = self.rule(root) else { return Ok(Some(Truth::No)) };
        if rule.reach.met {
            self.touch_sets(subject);
        }
        let everybody = relations.tuples.objects.wildcard(one.type_id);
        let (seen, ways) = (Seen::new(), Vec::new());
        let (kept, met, again, at, near) = ([None; KEPT], None, false, 0, self.near(depth));
        let mut down = Down {
            question: self,
            subject,
            everybody,
            seen,
            kept,
            met,
            ways,
            round,
            again,
            at,
            depth,
            near,
            ends: u64::MAX,
            come_by: 0,
        };
        let found = if rule.met { down.root(root, rule)? } else { down.go(root, rule, object)? };
        let found = match found {
            Found::On => down.levels()?,
            found @ (Found::Yes | Found::Unknown) => found,
        };
        match found {
            Found::Yes => return Ok(Some(Truth::Yes)),
            Found::Unknown => return Ok(None),
            Found::On => {}
        }
        // No way round where each node was come by once.
        let circle = down.again && has_circle(down.seen.len(), &down.ways);
        Ok(Some(if circle { Truth::Round } else { Truth::No }))
    }

    /// Whether sets that a node so many steps away names lie in the depth that may be looked at.
    #[inline]
    fn near(&self, depth: u32) -> bool {
        self.lies_in(depth.saturating_add(1), self.relations.highest)
    }
}

impl Question<'_> {
    /// Asks for the lists of the sets that the subject is in straight away: they are looked at sooner or later.
    #[inline]
    fn touch_sets(&self, subject: Subject) {
        let (objects, schema) = (&self.relations.tuples.objects, &self.relations.schema);
        let begins = schema.sets.objects.get(usize::from(subject.allowed.type_id.0));
        let (Some(object), Some(begins)) = (objects.get(subject.object), begins) else { return };
        let Side::Packed(list) = object.reverse() else { return };
        for (run, words) in Words::of(list) {
            if begins.iter().any(|one| one.run == run) {
                words.iter().for_each(|word| self.relations.flat.touch(object_of(*word)));
            }
        }
    }
}

impl<'a> Down<'a, '_> {
    /// Level by level.
    fn levels(&mut self) -> Result<Found, Stop> {
        let relations: &'a Relations = self.question.relations;
        let mut level_end = self.seen.len();
        while let Some(node) = self.seen.get(self.at) {
            if self.at == level_end {
                level_end = self.seen.len();
                self.depth = self.depth.saturating_add(1);
                self.near = self.question.near(self.depth);
            }
            if self.depth >= self.question.depth {
                return Err(Stop::Unsettled);
            }
            let about = ObjectId(node.object());
            let (object, rule) = match self.kept.get(self.at).copied().flatten() {
                Some((object, rule)) => (Some(object), Some(rule)),
                None => (relations.tuples.objects.get(about), self.question.rule(node)),
            };
            let Some(rule) = rule else {
                self.question.spend(1)?;
                self.at += 1;
                continue;
            };
            self.question.spend(rule.long.saturating_add(1))?;
            match self.visit(rule, about, object)? {
                Found::On => self.at += 1,
                found @ (Found::Yes | Found::Unknown) => return Ok(found),
            }
        }
        Ok(Found::On)
    }

    /// The first node, where it is met itself.
    fn root(&mut self, root: Node, rule: &'a Rule) -> Result<Found, Stop> {
        // What it names lies a step further than it does.
        self.near = self.question.lies_in(self.depth, self.question.relations.highest);
        if self.question.relations.tuples.objects.get(ObjectId(root.object())).is_none() {
            return Ok(Found::On);
        }
        self.set(root, rule.type_id, self.depth)
    }

    /// A set that is met from below, so many steps away.
    #[inline]
    fn set(&mut self, node: Node, type_id: TypeId, depth: u32) -> Result<Found, Stop> {
        let question = self.question;
        if !self.near {
            let object = question.relations.tuples.objects.get(ObjectId(node.object()));
            if !question.lies_in(depth, object.map_or(0, |object| object.height)) {
                return Ok(Found::Unknown);
            }
        }
        if self.met.is_none() {
            let met = question.met(self.subject)?;
            self.ends = met.ends();
            self.met = Some(met);
        }
        let Some(met) = &self.met else { return Ok(Found::Unknown) };
        Ok(match question.has_met(met, node, type_id) {
            Some(true) => Found::Yes,
            Some(false) => Found::On,
            None => Found::Unknown,
        })
    }

    /// Goes on to a node below, or meets it.
    #[inline]
    fn go(&mut self, node: Node, rule: &'a Rule, object: Option<&'a Object>) -> Result<Found, Stop> {
        if rule.met {
            return self.set(node, rule.type_id, self.depth.saturating_add(1));
        }
        let first = self.seen.len() == 0;
        let end = 1 << (node.object() & 63);
        let (number, new) = if self.come_by & end == 0 {
            self.come_by |= end;
            (self.seen.push(node), true)
        } else {
            self.seen.insert(node)
        };
        if let (Some(place), Some(object)) = (self.kept.get_mut(number), object) {
            *place = Some((object, rule));
        }
        if self.round && !first {
            self.again |= !new;
            if self.ways.capacity() == 0 {
                self.ways.reserve(16);
            }
            self.ways.push((self.at, number));
        }
        Ok(Found::On)
    }

    /// All that the tuples about one object and its other relations say.
    #[inline]
    fn visit(&mut self, rule: &'a Rule, about: ObjectId, object: Option<&'a Object>) -> Result<Found, Stop> {
        let found = match object.map(Object::forward) {
            Some(Side::Packed(list)) => self.packed(rule, about, list)?,
            Some(side @ Side::Apart(_)) => self.apart(rule, about, side)?,
            None => Found::On,
        };
        if !matches!(found, Found::On) {
            return Ok(found);
        }
        let relations: &'a Relations = self.question.relations;
        for number in &rule.same {
            let Some(next) = relations.schema.rule_at(*number) else { continue };
            match self.go(Node::new(about.0, next.relation.0), next, object)? {
                Found::On => {}
                found @ (Found::Yes | Found::Unknown) => return Ok(found),
            }
        }
        Ok(Found::On)
    }

    /// Tuples in the object's own line. Those that lead on come last: their objects' lines are asked for before.
    #[inline]
    fn packed(&mut self, rule: &'a Rule, about: ObjectId, list: &[u8]) -> Result<Found, Stop> {
        let objects = &self.question.relations.tuples.objects;
        let mut leads: Option<(&'a Visit, &[[u8; 4]])> = None;
        for (run, words) in Words::of(list) {
            let Some(visit) = rule.visits.iter().find(|one| one.run == run) else { continue };
            if !visit.below.is_empty() {
                words.iter().for_each(|word| objects.touch(object_of(*word)));
                // Where more than one run leads on, the one before does not wait any longer.
                if let Some((visit, words)) = leads.replace((visit, words)) {
                    match self.steps(visit, about, words)? {
                        Found::On => {}
                        found @ (Found::Yes | Found::Unknown) => return Ok(found),
                    }
                }
            }
            if visit.named && words.iter().any(|word| self.is_named(rule, about, (run, *word))) {
                return Ok(Found::Yes);
            }
            if let Some(type_id) = visit.met {
                self.question.spend(u32::try_from(words.len()).unwrap_or(u32::MAX))?;
                for word in words {
                    let named = object_of(*word);
                    // Most sets are told from those that the subject is in by a bit.
                    if self.near && self.ends >> (named.0 & 63) & 1 == 0 {
                        continue;
                    }
                    if !self.question.counts(about, edge_of(run, *word)) {
                        continue;
                    }
                    let node = Node::new(named.0, visit.set.0);
                    match self.set(node, type_id, self.depth.saturating_add(1))? {
                        Found::On => {}
                        found @ (Found::Yes | Found::Unknown) => return Ok(found),
                    }
                }
                self.question.solvent()?;
            }
        }
        leads.map_or(Ok(Found::On), |(visit, words)| self.steps(visit, about, words))
    }

    /// Goes on to what one run of a line leads to.
    #[inline]
    fn steps(&mut self, visit: &Visit, about: ObjectId, words: &[[u8; 4]]) -> Result<Found, Stop> {
        self.question.spend(u32::try_from(words.len()).unwrap_or(u32::MAX))?;
        for word in words {
            if is_timed(*word) && !self.question.counts(about, edge_of(visit.run, *word)) {
                continue;
            }
            match self.step(visit, object_of(*word))? {
                Found::On => {}
                found @ (Found::Yes | Found::Unknown) => return Ok(found),
            }
        }
        self.question.solvent()?;
        Ok(Found::On)
    }

    /// Many tuples, each run looked up.
    fn apart(&mut self, rule: &'a Rule, about: ObjectId, side: Side<'_>) -> Result<Found, Stop> {
        for visit in &rule.visits {
            let named = |object: ObjectId, itself: bool| {
                let edge = side.find(Edge::new(visit.relation.0, RelationId::NONE.0, object.0));
                edge.is_some_and(|edge| self.names(rule, about, (edge, itself)))
            };
            let everybody = || self.everybody.is_some_and(|everybody| named(everybody, false));
            if visit.named && (named(self.subject.object, true) || everybody()) {
                return Ok(Found::Yes);
            }
            let tuples = || side.of(visit.relation, visit.set);
            let found = match visit.met {
                Some(type_id) => self.sets(about, (visit.set, type_id), tuples())?,
                None if visit.below.is_empty() => Found::On,
                None => self.lead_on(about, visit, tuples())?,
            };
            if !matches!(found, Found::On) {
                return Ok(found);
            }
        }
        Ok(Found::On)
    }

    /// Whether a tuple names the subject itself, or everybody of its type, and counts.
    #[inline]
    fn is_named(&self, rule: &Rule, about: ObjectId, (run, word): (u32, [u8; 4])) -> bool {
        let named = object_of(word);
        let itself = named == self.subject.object;
        (itself || self.everybody == Some(named)) && self.names(rule, about, (edge_of(run, word), itself))
    }

    /// Whether a tuple that names the subject itself, or everybody of its type, counts.
    fn names(&self, rule: &Rule, about: ObjectId, (edge, itself): (Edge, bool)) -> bool {
        rule.allows(self.subject.allowed.type_id, RelationId::NONE, !itself)
            && self.question.counts(about, edge)
    }

    /// Tuples that name sets of one type, met from below.
    #[inline]
    fn sets(
        &mut self,
        about: ObjectId,
        (set, type_id): (RelationId, TypeId),
        tuples: Run<'_>,
    ) -> Result<Found, Stop> {
        let depth = self.depth.saturating_add(1);
        for edge in tuples {
            if !self.question.counts(about, edge) {
                continue;
            }
            self.question.spend(1)?;
            match self.set(Node::new(edge.object(), set.0), type_id, depth)? {
                Found::On => {}
                found @ (Found::Yes | Found::Unknown) => return Ok(found),
            }
        }
        self.question.solvent()?;
        Ok(Found::On)
    }

    /// Tuples that lead to other nodes. A set, or an object, counts only where the model allows it.
    #[inline]
    fn lead_on(&mut self, about: ObjectId, visit: &Visit, tuples: Run<'_>) -> Result<Found, Stop> {
        for edge in tuples {
            if !self.question.counts(about, edge) {
                continue;
            }
            self.question.spend(1)?;
            match self.step(visit, ObjectId(edge.object()))? {
                Found::On => {}
                found @ (Found::Yes | Found::Unknown) => return Ok(found),
            }
        }
        self.question.solvent()?;
        Ok(Found::On)
    }

    /// Goes on to what one tuple leads to.
    #[inline]
    fn step(&mut self, visit: &Visit, named: ObjectId) -> Result<Found, Stop> {
        let relations: &'a Relations = self.question.relations;
        let Some(below) = relations.tuples.objects.get(named) else { return Ok(Found::On) };
        for (_, number) in visit.below.iter().filter(|(type_id, _)| *type_id == below.type_id) {
            let Some(next) = relations.schema.rule_at(*number) else { continue };
            match self.go(Node::new(named.0, next.relation.0), next, Some(below))? {
                Found::On => {}
                found @ (Found::Yes | Found::Unknown) => return Ok(found),
            }
        }
        Ok(Found::On)
    }
}
