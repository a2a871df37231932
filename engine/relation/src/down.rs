//! The search from above through unions, one object and its line after the other; sets are met from below.

use crate::edges::Edge;
use crate::line::{Run, Runs, Side};
use crate::objects::{Object, ObjectId};
use crate::plan::Visit;
use crate::question::{Question, Subject};
use crate::schema::Rule;
use crate::search::{Stop, Truth, has_circle};
use crate::seen::{Node, Seen};
use crate::words::{RelationId, TypeId};

/// What a way down came to.
enum Found {
    On,
    Yes,
    Unknown,
}

/// A search from above.
struct Down<'a, 'b> {
    question: &'b Question<'a>,
    subject: Subject,
    /// Who stands for everybody of the subject's type.
    everybody: Option<ObjectId>,
    seen: Seen,
    ways: Vec<(usize, usize)>,
    round: bool,
    /// A node was come by a second time.
    again: bool,
    at: usize,
    depth: u32,
}

impl Question<'_> {
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
        let objects = &self.relations.tuples.objects;
        let everybody = objects.wildcard(one.type_id);
        let (seen, ways) = (Seen::new(), Vec::new());
        let mut down =
            Down { question: self, subject, everybody, seen, ways, round, again: false, at: 0, depth };
        match down.node(root)? {
            Found::On => {}
            Found::Yes => return Ok(Some(Truth::Yes)),
            Found::Unknown => return Ok(None),
        }
        let mut level_end = down.seen.len();
        while let Some(node) = down.seen.get(down.at) {
            if down.at == level_end {
                level_end = down.seen.len();
                down.depth = down.depth.saturating_add(1);
            }
            if down.depth >= self.depth {
                return Err(Stop::Unsettled);
            }
            let about = ObjectId(node.object());
            let object = objects.get(about);
            let rule = match object {
                Some(object) => self.relations.schema.rule(object.type_id, RelationId(node.relation())),
                None => self.rule(node),
            };
            match rule {
                Some(rule) => {
                    self.spend(rule.long.saturating_add(1))?;
                    match down.visit(rule, about, object)? {
                        Found::On => {}
                        Found::Yes => return Ok(Some(Truth::Yes)),
                        Found::Unknown => return Ok(None),
                    }
                }
                None => self.spend(1)?,
            }
            down.at += 1;
        }
        // No way round where each node was come by once.
        let circle = down.again && has_circle(down.seen.len(), &down.ways);
        Ok(Some(if circle { Truth::Round } else { Truth::No }))
    }
}

impl Down<'_, '_> {
    /// The first node.
    fn node(&mut self, root: Node) -> Result<Found, Stop> {
        match self.question.rule(root) {
            Some(rule) if rule.met => {
                let object = self.question.relations.tuples.objects.get(ObjectId(root.object()));
                object.map_or(Ok(Found::On), |object| self.set(root, object.type_id, self.depth))
            }
            Some(_) | None => {
                self.seen.insert(root);
                Ok(Found::On)
            }
        }
    }

    /// A set that is met from below, so many steps away.
    #[inline]
    fn set(&self, node: Node, type_id: TypeId, depth: u32) -> Result<Found, Stop> {
        let question = self.question;
        if !question.lies_in(depth, question.relations.highest) {
            let object = question.relations.tuples.objects.get(ObjectId(node.object()));
            if !question.lies_in(depth, object.map_or(0, |object| object.height)) {
                return Ok(Found::Unknown);
            }
        }
        Ok(match question.is_met(node, type_id, self.subject)? {
            Some(true) => Found::Yes,
            Some(false) => Found::On,
            None => Found::Unknown,
        })
    }

    /// Goes on to a node below, or meets it.
    #[inline]
    fn go(&mut self, node: Node, rule: &Rule) -> Result<Found, Stop> {
        if rule.met {
            return self.set(node, rule.type_id, self.depth.saturating_add(1));
        }
        let (number, new) = self.seen.insert(node);
        if self.round {
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
    fn visit(&mut self, rule: &Rule, about: ObjectId, object: Option<&Object>) -> Result<Found, Stop> {
        let found = match object.map(Object::forward) {
            Some(Side::Packed(list)) => self.packed(rule, about, list)?,
            Some(side @ Side::Apart(_)) => self.apart(rule, about, side)?,
            None => Found::On,
        };
        if !matches!(found, Found::On) {
            return Ok(found);
        }
        for number in &rule.same {
            let Some(next) = self.question.relations.schema.rule_at(*number) else { continue };
            match self.go(Node::new(about.0, next.relation.0), next)? {
                Found::On => {}
                found @ (Found::Yes | Found::Unknown) => return Ok(found),
            }
        }
        Ok(Found::On)
    }

    /// Tuples in the object's own line. Those that lead on come last: their objects' lines are asked for before.
    #[inline]
    fn packed(&mut self, rule: &Rule, about: ObjectId, list: &[u8]) -> Result<Found, Stop> {
        let objects = &self.question.relations.tuples.objects;
        let mut leads_on = false;
        for (run, words) in Runs(list) {
            let Some(visit) = rule.visits.iter().find(|one| one.run == run) else { continue };
            let tuples = Run::Packed { run, words };
            if !visit.below.is_empty() {
                leads_on = true;
                tuples.clone().for_each(|edge| objects.touch(ObjectId(edge.object())));
            }
            if visit.named && tuples.clone().any(|edge| self.is_named(rule, about, edge)) {
                return Ok(Found::Yes);
            }
            if let Some(type_id) = visit.met {
                match self.sets(about, (visit.set, type_id), tuples)? {
                    Found::On => {}
                    found @ (Found::Yes | Found::Unknown) => return Ok(found),
                }
            }
        }
        if leads_on {
            for (run, words) in Runs(list) {
                let visit = rule.visits.iter().find(|one| one.run == run && !one.below.is_empty());
                let Some(visit) = visit else { continue };
                match self.lead_on(about, visit, Run::Packed { run, words })? {
                    Found::On => {}
                    found @ (Found::Yes | Found::Unknown) => return Ok(found),
                }
            }
        }
        Ok(Found::On)
    }

    /// Many tuples, each run looked up.
    fn apart(&mut self, rule: &Rule, about: ObjectId, side: Side<'_>) -> Result<Found, Stop> {
        for visit in &rule.visits {
            let named = |object: ObjectId| {
                let edge = side.find(Edge::new(visit.relation.0, RelationId::NONE.0, object.0));
                edge.is_some_and(|edge| self.is_named(rule, about, edge))
            };
            if visit.named && (named(self.subject.object) || self.everybody.is_some_and(named)) {
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
    fn is_named(&self, rule: &Rule, about: ObjectId, edge: Edge) -> bool {
        let (named, one) = (ObjectId(edge.object()), self.subject.allowed);
        let itself = named == self.subject.object;
        (itself || self.everybody == Some(named))
            && rule.allows(one.type_id, RelationId::NONE, !itself)
            && self.question.counts(about, edge)
    }

    /// Tuples that name sets of one type, met from below.
    #[inline]
    fn sets(
        &self,
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
        let relations = self.question.relations;
        for edge in tuples {
            if !self.question.counts(about, edge) {
                continue;
            }
            self.question.spend(1)?;
            let Some(below) = relations.tuples.objects.get(ObjectId(edge.object())) else { continue };
            for (_, number) in visit.below.iter().filter(|(type_id, _)| *type_id == below.type_id) {
                let Some(next) = relations.schema.rule_at(*number) else { continue };
                match self.go(Node::new(edge.object(), next.relation.0), next)? {
                    Found::On => {}
                    found @ (Found::Yes | Found::Unknown) => return Ok(found),
                }
            }
        }
        self.question.solvent()?;
        Ok(Found::On)
    }
}
