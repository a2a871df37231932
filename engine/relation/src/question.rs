//! One question: the tuples that came with it, its instant, and what it may cost.

use crate::edges::Edge;
use crate::error::{AskError, NameError};
use crate::meet::{Climbed, Met};
use crate::objects::{LOCAL, Object, ObjectId};
use crate::relations::Relations;
use crate::schema::{Allowed, Rule};
use crate::seen::Node;
use crate::text::{ObjectText, SubjectText};
use crate::words::{RelationId, TypeId};
use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, Ordering};
use tessera_model::UnixMillis;
use tessera_model::limits::RELATION_CONTEXT_MAX;
use tessera_model::relation::RelationRecord;

/// A tuple as it is written: subject, relation, object.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TupleRef<'a> {
    /// `type:id`, `type:id#relation` or `type:*`.
    pub subject: &'a str,
    /// The relation.
    pub relation: &'a str,
    /// `type:id`.
    pub object: &'a str,
}

impl<'a> From<&'a RelationRecord> for TupleRef<'a> {
    fn from(record: &'a RelationRecord) -> Self {
        Self { subject: &record.subject, relation: &record.relation, object: &record.object }
    }
}

/// How a question is asked.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Tuples that count in this question only, beside the stored ones.
    pub contextual: &'a [TupleRef<'a>],
    /// The instant for which it is asked.
    pub now: UnixMillis,
    /// Steps from one object in a relation to the next that an answer may lie away.
    pub depth: u32,
    /// Objects in relations and tuples that may be looked at.
    pub budget: u32,
    /// Set when nobody waits for the answer any more: then it is given up as one that costs too much.
    pub gone: Option<&'a AtomicBool>,
}

/// LIMIT: steps that an answer may lie away, as in `OpenFGA`.
pub const RELATION_DEPTH: u32 = 25;
/// LIMIT: objects in relations and tuples that one question may look at: some 10 ms.
pub const RELATION_BUDGET: u32 = 200_000;
/// LIMIT: steps of all questions of one batch: less than a second.
pub const RELATION_BATCH_BUDGET: u32 = 16 * RELATION_BUDGET;

impl Ask<'_> {
    /// A question without tuples of its own, with the standing limits.
    #[must_use]
    pub fn at(now: UnixMillis) -> Self {
        Self { contextual: &[], now, depth: RELATION_DEPTH, budget: RELATION_BUDGET, gone: None }
    }
}

/// Who is asked about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Subject {
    pub(crate) object: ObjectId,
    pub(crate) allowed: Allowed,
}

impl Subject {
    /// The node that this subject is, when it is a set.
    pub(crate) fn node(self) -> Option<Node> {
        let relation = self.allowed.relation;
        (relation != RelationId::NONE).then(|| Node::new(self.object.0, relation.0))
    }
}

/// The stored tuples with those of the question over them.
pub(crate) struct Question<'a> {
    pub(crate) relations: &'a Relations,
    pub(crate) depth: u32,
    now: UnixMillis,
    budget: Cell<u32>,
    spent: Cell<u32>,
    /// More was looked at than the budget pays for: there is no answer any more.
    overdrawn: Cell<bool>,
    until: Cell<UnixMillis>,
    gone: Option<&'a AtomicBool>,
    /// Objects that no stored tuple names, numbered from [`LOCAL`] on.
    locals: Vec<(TypeId, String)>,
    forward: Vec<(ObjectId, Edge)>,
    reverse: Vec<(ObjectId, Edge)>,
    /// What was found from below.
    pub(crate) met: RefCell<Met>,
    /// What a list came by from below.
    pub(crate) climbed: Option<Climbed>,
}

impl<'a> Question<'a> {
    pub(crate) fn new(relations: &'a Relations, ask: &Ask<'a>) -> Result<Self, AskError> {
        let mut question = Self {
            relations,
            depth: ask.depth,
            now: ask.now,
            budget: Cell::new(ask.budget),
            spent: Cell::new(0),
            overdrawn: Cell::new(false),
            until: Cell::new(UnixMillis(u64::MAX)),
            gone: ask.gone,
            locals: Vec::new(),
            forward: Vec::new(),
            reverse: Vec::new(),
            met: RefCell::new(Met::new()),
            climbed: None,
        };
        if !ask.contextual.is_empty() {
            question.add(ask.contextual)?;
        }
        Ok(question)
    }

    #[cold]
    fn add(&mut self, tuples: &[TupleRef<'_>]) -> Result<(), AskError> {
        if tuples.len() > RELATION_CONTEXT_MAX {
            return Err(AskError::Contextual(NameError::TooMany));
        }
        for tuple in tuples {
            let admitted = self.relations.admit(tuple).map_err(AskError::Contextual)?;
            let about = self.number(admitted.object.0, admitted.object.1);
            let named = self.number(admitted.subject.allowed.type_id, admitted.subject.id);
            let (relation, set) = (admitted.relation.0, admitted.subject.allowed.relation.0);
            self.forward.push((about, Edge::new(relation, set, named.0)));
            self.reverse.push((named, Edge::new(relation, set, about.0)));
        }
        for list in [&mut self.forward, &mut self.reverse] {
            list.sort_unstable();
            list.dedup();
        }
        Ok(())
    }

    /// The number of an object, stored or of this question only.
    fn number(&mut self, type_id: TypeId, id: &str) -> ObjectId {
        if let Some(found) = self.relations.tuples.objects.find(type_id, id) {
            return found;
        }
        let known = self.locals.iter().position(|(one, name)| *one == type_id && name == id);
        let at = known.unwrap_or_else(|| {
            self.locals.push((type_id, id.to_owned()));
            self.locals.len() - 1
        });
        ObjectId(LOCAL.saturating_add(u32::try_from(at).unwrap_or(0)))
    }

    /// The node of a relation to an object.
    pub(crate) fn node(&mut self, object: &str, relation: &str) -> Result<Node, AskError> {
        let (type_id, id, relation) = self.about(object, relation)?;
        Ok(Node::new(self.number(type_id, id).0, relation.0))
    }

    /// What a question is about, read and not yet looked up.
    fn about<'t>(&self, object: &'t str, relation: &str) -> Result<(TypeId, &'t str, RelationId), AskError> {
        let text = ObjectText::parse(object).map_err(AskError::Query)?;
        let (type_id, relation) = self.relations.relation(text.type_name, relation)?;
        Ok((type_id, text.id, relation))
    }

    /// The node and the subject of a check, looked up side by side.
    pub(crate) fn both(&mut self, tuple: &TupleRef<'_>) -> Result<(Node, Subject), AskError> {
        let (type_id, id, relation) = self.about(tuple.object, tuple.relation)?;
        let (allowed, name) = self.named(tuple.subject)?;
        let node = Node::new(self.number(type_id, id).0, relation.0);
        Ok((node, Subject { object: self.number(allowed.type_id, name), allowed }))
    }

    /// The subject of this name.
    pub(crate) fn subject(&mut self, subject: &str) -> Result<Subject, AskError> {
        let (allowed, id) = self.named(subject)?;
        Ok(Subject { object: self.number(allowed.type_id, id), allowed })
    }

    /// A subject, read and not yet looked up.
    fn named<'t>(&self, subject: &'t str) -> Result<(Allowed, &'t str), AskError> {
        let text = SubjectText::parse(subject).map_err(AskError::Query)?;
        let type_id = self.relations.known_type(text.object.type_name).map_err(AskError::Query)?;
        let relation = match text.relation {
            None => RelationId::NONE,
            Some(name) => self.relations.relation(text.object.type_name, name)?.1,
        };
        let allowed = Allowed { type_id, relation, wildcard: text.object.is_wildcard() };
        Ok((allowed, text.object.id))
    }

    /// The answer holds until then, by time alone.
    pub(crate) fn valid_until(&self) -> UnixMillis {
        self.until.get()
    }

    /// What was looked at so far.
    pub(crate) fn spent(&self) -> u32 {
        self.spent.get()
    }

    /// Pays for `steps`.
    #[inline]
    pub(crate) fn spend(&self, steps: u32) -> Result<(), AskError> {
        let left = self.budget.get().checked_sub(steps).ok_or(AskError::BudgetExhausted)?;
        if self.gone.is_some_and(|gone| gone.load(Ordering::Relaxed)) {
            return Err(AskError::BudgetExhausted);
        }
        self.budget.set(left);
        self.spent.set(self.spent.get().saturating_add(steps));
        Ok(())
    }

    /// Pays for a tuple that is passed over. A filter cannot fail: what the budget does not pay for fails
    /// behind it.
    #[cold]
    fn pass_over(&self) {
        match self.budget.get().checked_sub(1) {
            Some(left) => self.budget.set(left),
            None => self.overdrawn.set(true),
        }
        self.spent.set(self.spent.get().saturating_add(1));
    }

    /// Whether what was passed over is paid for: asked behind every run over tuples.
    #[inline]
    pub(crate) fn solvent(&self) -> Result<(), AskError> {
        if self.overdrawn.get() { Err(AskError::BudgetExhausted) } else { Ok(()) }
    }

    /// Whether tuples came with the question.
    #[inline]
    pub(crate) fn has_own_tuples(&self) -> bool {
        !self.forward.is_empty()
    }

    /// The object of this question that stands for everybody of the type.
    #[inline]
    pub(crate) fn local_wildcard(&self, type_id: TypeId) -> Option<ObjectId> {
        let at = self.locals.iter().position(|(one, id)| *one == type_id && id == "*")?;
        Some(ObjectId(LOCAL.saturating_add(u32::try_from(at).unwrap_or(0))))
    }

    pub(crate) fn type_of(&self, object: ObjectId) -> Option<TypeId> {
        if object.0 >= LOCAL {
            return self.locals.get((object.0 - LOCAL) as usize).map(|(type_id, _)| *type_id);
        }
        self.relations.tuples.objects.get(object).map(|object| object.type_id)
    }

    /// The id of an object.
    pub(crate) fn id_of(&self, object: ObjectId) -> &str {
        if object.0 >= LOCAL {
            return self.locals.get((object.0 - LOCAL) as usize).map_or("", |(_, id)| id);
        }
        self.relations.tuples.objects.get(object).map_or("", Object::id)
    }

    /// The rule of a node, when its type has this relation.
    #[inline]
    pub(crate) fn rule(&self, node: Node) -> Option<&'a Rule> {
        let type_id = self.type_of(ObjectId(node.object()))?;
        self.relations.schema.rule(type_id, RelationId(node.relation()))
    }

    /// Whether a stored tuple counts now. Notes when that changes; one that does not costs a step.
    #[inline]
    pub(crate) fn counts(&self, about: ObjectId, edge: Edge) -> bool {
        if !edge.is_timed() {
            return true;
        }
        let (open, until) = self.relations.tuples.window(about, edge).at(self.now);
        self.until.set(self.until.get().min(until));
        if !open {
            self.pass_over();
        }
        open
    }

    /// Whether a stored tuple counts now, told from the object that it names.
    #[inline]
    pub(crate) fn counts_back(
        &self,
        named: ObjectId,
        relation: RelationId,
        set: RelationId,
        back: Edge,
    ) -> bool {
        let about = ObjectId(back.object());
        !back.is_timed() || self.counts(about, Edge::new(relation.0, set.0, named.0).timed(true))
    }

    /// Whether a tuple says so directly.
    #[inline]
    pub(crate) fn has(&self, about: ObjectId, edge: Edge) -> bool {
        let stored = self.relations.tuples.objects.get(about).and_then(|object| object.forward().find(edge));
        stored.is_some_and(|edge| self.counts(about, edge))
            || (!self.forward.is_empty() && self.forward.binary_search(&(about, edge.key())).is_ok())
    }

    /// Tuples about an object, with `set` as the relation of their sets (none for objects).
    #[inline]
    pub(crate) fn forward(
        &self,
        about: ObjectId,
        relation: RelationId,
        set: RelationId,
    ) -> impl Iterator<Item = ObjectId> + '_ {
        let (from, to) = between(relation, set);
        let stored = self.relations.tuples.objects.get(about);
        let stored = stored.into_iter().flat_map(move |object| object.forward().of(relation, set));
        let stored = stored.filter(move |edge| self.counts(about, *edge));
        let more = span(&self.forward, about, from, to);
        stored.map(|edge| ObjectId(edge.object())).chain(more)
    }

    /// Objects whose tuples name `named`, with `set` as its relation (none for the object itself).
    #[inline]
    pub(crate) fn reverse(
        &self,
        named: ObjectId,
        relation: RelationId,
        set: RelationId,
    ) -> impl Iterator<Item = ObjectId> + '_ {
        let (from, to) = between(relation, set);
        let stored = self.relations.tuples.objects.get(named);
        let stored = stored.into_iter().flat_map(move |object| object.reverse().of(relation, set));
        let stored = stored.filter(move |back| self.counts_back(named, relation, set, *back));
        let more = span(&self.reverse, named, from, to);
        stored.map(|edge| ObjectId(edge.object())).chain(more)
    }
}

/// Everything with this relation and this set.
#[inline]
pub(crate) fn between(relation: RelationId, set: RelationId) -> (Edge, Edge) {
    let from = Edge::new(relation.0, set.0, 0);
    (from, Edge(Edge::new(relation.0, set.0, u32::MAX).0 | 0xf))
}

/// The part of a sorted list that lies between two edges of an object.
fn span(
    list: &[(ObjectId, Edge)],
    object: ObjectId,
    from: Edge,
    to: Edge,
) -> impl Iterator<Item = ObjectId> + '_ {
    let start = if list.is_empty() { 0 } else { list.partition_point(|one| *one < (object, from)) };
    let list = list.get(start..).unwrap_or_default().iter();
    list.take_while(move |one| **one < (object, to)).map(|(_, edge)| ObjectId(edge.object()))
}
