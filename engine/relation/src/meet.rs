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

use crate::edges::Edge;
use crate::error::AskError;
use crate::objects::{Object, ObjectId};
use crate::question::{Question, Subject, between};
use crate::relations::{Admitted, Relations};
use crate::schema::{CHEAP, Op, Rule, Use, Way};
use crate::search::{Stop, Truth, has_circle};
use crate::seen::{Node, Seen};
use crate::sets::CHAIN_MAX;
use crate::words::{RelationId, TypeId};

/// LIMIT: heights that are counted: more than a question may look down.
const HEIGHT_MAX: u8 = 64;
/// LIMIT: tuples that one edit may look at to keep heights: some ms. Each object is raised at most 64 times.
const RAISED_MAX: usize = 16_384;
/// LIMIT: tuples on the way up from a subject: who is in more sets is searched for from above.
const CLIMBED_MAX: usize = 1_024;

/// The sets that a subject is in.
pub(crate) struct Met {
    subject: ObjectId,
    /// Each with the type that its object has to have: whether it has is looked at where it counts.
    nodes: Seen,
    /// They are too many to be found from below.
    many: bool,
}

/// What a list of objects came by on its way up, and the ends of its levels.
pub(crate) struct Climbed {
    pub(crate) subject: Subject,
    pub(crate) seen: Seen,
    pub(crate) ends: Vec<usize>,
}

/// Which types the objects on a way up may have: relations of one name have one run of tuples, walked once.
struct Above<F> {
    /// The only one: then an object need not be looked at.
    only: Option<TypeId>,
    run: F,
}

/// What a way down came to.
enum Found {
    On,
    Yes,
    Unknown,
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
            for edge in object.forward.iter().filter(|edge| edge.set() != RelationId::NONE.0) {
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
                let (from, to) = between(*relation, *set);
                for edge in object.reverse.range(from, to) {
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
    /// As the search through unions, with sets met from below; none where the whole search must answer.
    pub(crate) fn meet(
        &self,
        root: Node,
        subject: Subject,
        depth: u32,
        round: bool,
    ) -> Result<Option<Truth>, Stop> {
        let one = subject.allowed;
        let usable = one.relation == RelationId::NONE
            && !one.wildcard
            && !self.has_own_tuples()
            && !self.relations.deep
            && self.relations.schema.sets.chain < CHAIN_MAX;
        if !usable {
            return Ok(None);
        }
        let objects = &self.relations.tuples.objects;
        let mut down = Down {
            question: self,
            subject,
            seen: Seen::new(),
            ways: Vec::new(),
            again: false,
            round,
            at: 0,
            depth,
        };
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
            self.spend(1)?;
            let about = ObjectId(node.object());
            let object = objects.get(about);
            let relation = RelationId(node.relation());
            let rule = match object {
                Some(object) => self.relations.schema.rule(object.type_id, relation),
                None => self.rule(node),
            };
            if let Some(rule) = rule {
                self.spend(rule.long)?;
                for op in &rule.program {
                    match down.step(rule, *op, about, object)? {
                        Found::On => {}
                        Found::Yes => return Ok(Some(Truth::Yes)),
                        Found::Unknown => return Ok(None),
                    }
                }
            }
            down.at += 1;
        }
        // No way round where each node was come by once.
        let circle = down.again && has_circle(down.seen.len(), &down.ways);
        Ok(Some(if circle { Truth::Round } else { Truth::No }))
    }

    /// Whether a set, met from below, holds the subject; none when they are too many.
    #[inline]
    fn is_met(&self, node: Node, type_id: TypeId, subject: Subject) -> Result<Option<bool>, AskError> {
        if let Some(met) = self.met.borrow().as_ref().filter(|met| met.subject == subject.object) {
            return Ok((!met.many).then(|| self.has_met(met, node, type_id)));
        }
        let met = self.climb_sets(subject)?;
        let found = (!met.many).then(|| self.has_met(&met, node, type_id));
        self.met.replace(Some(met));
        Ok(found)
    }

    #[inline]
    fn has_met(&self, met: &Met, node: Node, type_id: TypeId) -> bool {
        met.nodes.find(node.typed(type_id)).is_some()
            && self.type_of(ObjectId(node.object())) == Some(type_id)
    }

    /// Finds the sets that a subject is in.
    fn climb_sets(&self, subject: Subject) -> Result<Met, AskError> {
        let mut met = Met { subject: subject.object, nodes: Seen::new(), many: false };
        let (mut looks, type_id) = (0, subject.allowed.type_id);
        let (sets, at) = (&self.relations.schema.sets, usize::from(type_id.0));
        let everybody = self.relations.tuples.objects.wildcard(type_id);
        let begins = [(Some(subject.object), sets.objects.get(at)), (everybody, sets.everybody.get(at))];
        for (named, rules) in begins {
            let Some(named) = named else { continue };
            let object = self.relations.tuples.objects.get(named);
            let rules = rules.map_or(&[][..], Vec::as_slice);
            for run in rules.chunk_by(|one, other| one.0 == other.0) {
                let Some((relation, above)) = run.first().copied() else { continue };
                let above = Above {
                    only: (run.len() == 1).then_some(above),
                    run: |one| run.contains(&(relation, one)),
                };
                let way = (relation, RelationId::NONE);
                met.many |= !self.climb_set((named, object), way, &above, &mut met.nodes, &mut looks);
            }
        }
        let mut at = 0;
        while let Some(node) = met.nodes.get(at).filter(|_| !met.many) {
            at += 1;
            met.many = !self.climb_sets_above(node, &mut met.nodes, &mut looks);
        }
        self.spend(u32::try_from(looks).unwrap_or(u32::MAX))?;
        self.solvent()?;
        Ok(met)
    }

    /// Goes up from one set. False when there are too many.
    #[inline]
    fn climb_sets_above(&self, node: Node, nodes: &mut Seen, looks: &mut usize) -> bool {
        let schema = &self.relations.schema;
        let about = ObjectId(node.object());
        let object = self.relations.tuples.objects.get(about).filter(|one| one.type_id == node.type_id());
        let relation = RelationId(node.relation());
        let Some((object, rule)) = object.and_then(|one| Some((one, schema.rule(one.type_id, relation)?)))
        else {
            return true;
        };
        *looks = looks.saturating_add(1 + rule.ups.len() / CHEAP);
        let of = |up: &Use| schema.rule_at(up.rule).map(|user| (user.relation, user.type_id));
        let alike = |one: &Use, other: &Use| {
            one.way == other.way && of(one).map(|(user, _)| user) == of(other).map(|(user, _)| user)
        };
        for run in rule.ups.chunk_by(alike) {
            let Some((first, (user, above))) = run.first().and_then(|up| Some((up, of(up)?))) else {
                continue;
            };
            if first.way == Way::Computed {
                for (_, above) in run.iter().filter_map(of) {
                    nodes.insert(Node::new(about.0, user.0).typed(above));
                }
                continue;
            }
            let above = Above {
                only: (run.len() == 1).then_some(above),
                run: |one| run.iter().filter_map(of).any(|(_, above)| above == one),
            };
            if !self.climb_set((about, Some(object)), (user, relation), &above, nodes, looks) {
                return false;
            }
        }
        true
    }

    /// The objects whose tuples name one, straight or as a set. False when there are too many.
    #[inline]
    fn climb_set(
        &self,
        (named, object): (ObjectId, Option<&Object>),
        (relation, set): (RelationId, RelationId),
        above: &Above<impl Fn(TypeId) -> bool>,
        nodes: &mut Seen,
        looks: &mut usize,
    ) -> bool {
        let Some(object) = object else { return true };
        let objects = &self.relations.tuples.objects;
        let (from, to) = between(relation, set);
        for back in object.reverse.range(from, to) {
            *looks += 1;
            if *looks > CLIMBED_MAX {
                return false;
            }
            if self.counts_back(named, relation, set, back) {
                let type_id = match above.only {
                    Some(type_id) => {
                        objects.touch(ObjectId(back.object()));
                        type_id
                    }
                    None => match objects.get(ObjectId(back.object())).map(|object| object.type_id) {
                        Some(type_id) if (above.run)(type_id) => type_id,
                        Some(_) | None => continue,
                    },
                };
                nodes.insert(Node::new(back.object(), relation.0).typed(type_id));
            }
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
}

/// A search from above.
struct Down<'a, 'b> {
    question: &'b Question<'a>,
    subject: Subject,
    seen: Seen,
    ways: Vec<(usize, usize)>,
    round: bool,
    /// A node was come by a second time.
    again: bool,
    at: usize,
    depth: u32,
}

impl Down<'_, '_> {
    /// The first node.
    fn node(&mut self, root: Node) -> Result<Found, Stop> {
        match self.question.rule(root) {
            Some(rule) if rule.met => {
                let about = ObjectId(root.object());
                let object = self.question.relations.tuples.objects.get(about);
                match object {
                    Some(object) => self.set(root, object.type_id, self.depth),
                    None => Ok(Found::On),
                }
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
        let chain = self.question.relations.schema.sets.chain;
        // As deep as what lies below it may be. A height that is not counted may be that of a circle.
        let fits = |height: u8| {
            let deepest = depth.saturating_add(chain + u32::from(height) * (1 + chain));
            height < HEIGHT_MAX && deepest < self.question.depth
        };
        if !fits(self.question.relations.highest) {
            let object = self.question.relations.tuples.objects.get(ObjectId(node.object()));
            if !fits(object.map_or(0, |object| object.height)) {
                return Ok(Found::Unknown);
            }
        }
        Ok(match self.question.is_met(node, type_id, self.subject)? {
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

    /// A set that a tuple names. Where only sets of one type may stand there and they are met, the object itself
    /// need not be looked at.
    #[inline]
    fn named(&mut self, rule: &Rule, set: RelationId, edge: Edge) -> Result<Found, Stop> {
        let schema = &self.question.relations.schema;
        let node = Node::new(edge.object(), set.0);
        if let Some(type_id) = rule.met_sets.iter().find(|(one, _)| *one == set).map(|(_, type_id)| *type_id)
        {
            return self.set(node, type_id, self.depth.saturating_add(1));
        }
        let below = self.question.relations.tuples.objects.get(ObjectId(edge.object()));
        let type_id = below.map(|below| below.type_id).filter(|type_id| rule.allows(*type_id, set, false));
        match type_id.and_then(|type_id| schema.rule(type_id, set)) {
            Some(next) => self.go(node, next),
            None => Ok(Found::On),
        }
    }

    /// One step of a node's program.
    fn step(&mut self, rule: &Rule, op: Op, about: ObjectId, object: Option<&Object>) -> Result<Found, Stop> {
        let question = self.question;
        let (schema, objects) = (&question.relations.schema, &question.relations.tuples.objects);
        match op {
            Op::Direct => {
                if self.names(rule, about, object) {
                    return Ok(Found::Yes);
                }
                let Some(object) = object else { return Ok(Found::On) };
                for set in &rule.usersets {
                    let (from, to) = between(rule.relation, *set);
                    for edge in object.forward.range(from, to).filter(|edge| question.counts(about, *edge)) {
                        question.spend(1)?;
                        match self.named(rule, *set, edge)? {
                            Found::On => {}
                            found @ (Found::Yes | Found::Unknown) => return Ok(found),
                        }
                    }
                    question.solvent()?;
                }
            }
            Op::Computed(relation) => {
                let Some(next) = schema.rule(rule.type_id, relation) else { return Ok(Found::On) };
                return self.go(Node::new(about.0, relation.0), next);
            }
            Op::From { relation, tupleset } => {
                let Some(named) = schema.rule(rule.type_id, tupleset) else { return Ok(Found::On) };
                let Some(object) = object else { return Ok(Found::On) };
                let (from, to) = between(tupleset, RelationId::NONE);
                for edge in object.forward.range(from, to).filter(|edge| question.counts(about, *edge)) {
                    question.spend(1)?;
                    let Some(below) = objects.get(ObjectId(edge.object())) else { continue };
                    let Some(next) = schema.rule(below.type_id, relation) else { continue };
                    if named.allows(below.type_id, RelationId::NONE, false) {
                        match self.go(Node::new(edge.object(), relation.0), next)? {
                            Found::On => {}
                            found @ (Found::Yes | Found::Unknown) => return Ok(found),
                        }
                    }
                }
                question.solvent()?;
            }
            Op::Union { .. } | Op::Intersection { .. } | Op::Exclusion { .. } => {}
        }
        Ok(Found::On)
    }

    /// Whether a tuple names the subject itself, or everybody of its type.
    #[inline]
    fn names(&self, rule: &Rule, about: ObjectId, object: Option<&Object>) -> bool {
        let (Some(object), one) = (object, self.subject.allowed) else { return false };
        let has = |named: ObjectId| {
            let edge = object.forward.find(Edge::new(rule.relation.0, RelationId::NONE.0, named.0));
            edge.is_some_and(|edge| self.question.counts(about, edge))
        };
        if rule.allows(one.type_id, RelationId::NONE, false) && has(self.subject.object) {
            return true;
        }
        rule.allows(one.type_id, RelationId::NONE, true)
            && self.question.relations.tuples.objects.wildcard(one.type_id).is_some_and(has)
    }
}
