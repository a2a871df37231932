//! The quick way to an answer: a search by levels where only unions are below, a walk through the
//! operators elsewhere. What it cannot settle alone goes to the exact evaluation.

use crate::edges::Edge;
use crate::error::AskError;
use crate::objects::ObjectId;
use crate::question::{Question, Subject};
use crate::schema::{Op, Rule};
use crate::seen::{Node, Seen};
use crate::words::RelationId;

/// Whether somebody is in a relation. The order is that of a union; the least wins an intersection.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Truth {
    /// No.
    No,
    /// No, but a circle lies below: on the right side of `but not` this denies.
    Round,
    /// Yes.
    Yes,
}

impl Truth {
    pub(crate) fn of(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }

    /// In the first and not in the second.
    pub(crate) fn but_not(self, subtract: Self) -> Self {
        match (self, subtract) {
            (Self::No, _) | (_, Self::Yes) => Self::No,
            (Self::Yes, Self::No) => Self::Yes,
            (Self::Round | Self::Yes, Self::No | Self::Round) => Self::Round,
        }
    }
}

/// Why the quick way ended without an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stop {
    /// The exact evaluation must tell.
    Unsettled,
    /// There is none.
    Failed(AskError),
}

impl From<AskError> for Stop {
    fn from(error: AskError) -> Self {
        Self::Failed(error)
    }
}

/// What is still not settled where nothing else can settle it lies too deep.
impl From<Stop> for AskError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Failed(error) => error,
            Stop::Unsettled => Self::DepthExceeded,
        }
    }
}

impl Question<'_> {
    /// Whether a tuple of this relation names the subject itself, or everybody of its type.
    #[inline]
    pub(crate) fn names(&self, rule: &Rule, about: ObjectId, subject: Subject) -> bool {
        let one = subject.allowed;
        if rule.allowed.binary_search(&one).is_ok()
            && self.has(about, Edge::new(rule.relation.0, one.relation.0, subject.object.0))
        {
            return true;
        }
        if one.relation != RelationId::NONE || one.wildcard {
            return false;
        }
        if !rule.allows(one.type_id, RelationId::NONE, true) {
            return false;
        }
        let edge = |object: ObjectId| Edge::new(rule.relation.0, 0, object.0);
        let stored = self.relations.tuples.objects.wildcard(one.type_id);
        stored.is_some_and(|all| self.has(about, edge(all)))
            || self.local_wildcard(one.type_id).is_some_and(|all| self.has(about, edge(all)))
    }

    /// The nodes that one step leads to. A set counts only where the model allows it.
    #[inline]
    pub(crate) fn below(
        &self,
        rule: &Rule,
        op: Op,
        about: ObjectId,
        mut each: impl FnMut(Node) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        match op {
            Op::Direct => {
                for set in &rule.usersets {
                    for object in self.forward(about, rule.relation, *set) {
                        self.spend(1)?;
                        let type_id = self.type_of(object);
                        if type_id.is_some_and(|type_id| rule.allows(type_id, *set, false)) {
                            each(Node::new(object.0, set.0))?;
                        }
                    }
                    self.solvent()?;
                }
                Ok(())
            }
            Op::Computed(relation) => each(Node::new(about.0, relation.0)),
            Op::From { relation, tupleset } => {
                let Some(named) = self.relations.schema.rule(rule.type_id, tupleset) else { return Ok(()) };
                for object in self.forward(about, tupleset, RelationId::NONE) {
                    self.spend(1)?;
                    let Some(type_id) = self.type_of(object) else { continue };
                    if named.allows(type_id, RelationId::NONE, false)
                        && self.relations.schema.rule(type_id, relation).is_some()
                    {
                        each(Node::new(object.0, relation.0))?;
                    }
                }
                Ok(self.solvent()?)
            }
            Op::Union { .. } | Op::Intersection { .. } | Op::Exclusion { .. } => Ok(()),
        }
    }

    /// Where nothing but unions is below: the subject is found on some level, or it is not there.
    ///
    /// `round` asks to tell a circle below apart, which costs a second look at what was seen.
    pub(crate) fn reach(&self, root: Node, subject: Subject, depth: u32, round: bool) -> Result<Truth, Stop> {
        if let Some(truth) = self.meet(root, subject, depth, round)? {
            return Ok(truth);
        }
        let mut seen = Seen::new();
        let mut ways: Vec<(usize, usize)> = Vec::new();
        seen.insert(root);
        let itself = subject.node();
        let (mut at, mut level_end, mut depth) = (0, 1, depth);
        while let Some(node) = seen.get(at) {
            if at == level_end {
                level_end = seen.len();
                depth = depth.saturating_add(1);
            }
            if depth >= self.depth {
                return Err(Stop::Unsettled);
            }
            self.spend(1)?;
            if itself == Some(node) {
                return Ok(Truth::Yes);
            }
            let about = ObjectId(node.object());
            if let Some(rule) = self.rule(node) {
                self.spend(rule.long)?;
                for op in &rule.program {
                    if *op == Op::Direct && self.names(rule, about, subject) {
                        return Ok(Truth::Yes);
                    }
                    self.below(rule, *op, about, |below| {
                        let (number, new) = seen.insert(below);
                        if new {
                            self.relations.tuples.objects.touch(ObjectId(below.object()));
                        }
                        if round {
                            ways.push((at, number));
                        }
                        Ok(())
                    })?;
                }
            }
            at += 1;
        }
        Ok(if round && has_circle(seen.len(), &ways) { Truth::Round } else { Truth::No })
    }
}

/// Whether these ways lead round: nodes that nothing leads to are taken away until none is left.
#[cold]
#[inline(never)]
pub(crate) fn has_circle(nodes: usize, ways: &[(usize, usize)]) -> bool {
    let mut incoming = vec![0_u32; nodes];
    let mut sorted = ways.to_vec();
    sorted.sort_unstable();
    for (_, to) in &sorted {
        incoming.get_mut(*to).into_iter().for_each(|count| *count += 1);
    }
    let mut ready: Vec<usize> =
        incoming.iter().enumerate().filter(|(_, count)| **count == 0).map(|(at, _)| at).collect();
    let mut gone = 0;
    while let Some(from) = ready.pop() {
        gone += 1;
        let start = sorted.partition_point(|(one, _)| *one < from);
        for (_, to) in sorted.iter().skip(start).take_while(|(one, _)| *one == from) {
            let Some(count) = incoming.get_mut(*to) else { continue };
            *count -= 1;
            if *count == 0 {
                ready.push(*to);
            }
        }
    }
    gone < nodes
}

/// Truths that stand inline.
const FEW: usize = 16;

/// A walk through operators. Comes back with [`Stop::Unsettled`] where it meets itself.
pub(crate) struct Walk<'a, 'b> {
    pub(crate) question: &'b Question<'a>,
    pub(crate) subject: Subject,
    /// Nodes on the way that may be met again: those that can be part of a circle.
    path: Vec<Node>,
    known: Seen,
    /// What is known about the first of them, and about the rest.
    few: [Option<Truth>; FEW],
    many: Vec<Option<Truth>>,
}

impl<'a, 'b> Walk<'a, 'b> {
    pub(crate) fn new(question: &'b Question<'a>, subject: Subject) -> Self {
        let (path, known, many) = (Vec::new(), Seen::new(), Vec::new());
        Self { question, subject, path, known, few: [None; FEW], many }
    }

    /// What is known about the node of this number.
    fn told(&self, number: usize) -> Option<Truth> {
        let one = match number.checked_sub(FEW) {
            None => self.few.get(number),
            Some(number) => self.many.get(number),
        };
        one.copied().flatten()
    }

    fn tell(&mut self, number: usize, truth: Truth) {
        let Some(at) = number.checked_sub(FEW) else {
            self.few.get_mut(number).into_iter().for_each(|place| *place = Some(truth));
            return;
        };
        if self.many.len() <= at {
            self.many.resize(at + 1, None);
        }
        self.many.get_mut(at).into_iter().for_each(|place| *place = Some(truth));
    }

    /// The truth about a node that lies `depth` steps from the one asked about.
    pub(crate) fn node(&mut self, node: Node, depth: u32) -> Result<Truth, Stop> {
        if depth >= self.question.depth || self.path.contains(&node) {
            return Err(Stop::Unsettled);
        }
        let Some(rule) = self.question.rule(node) else { return Ok(Truth::No) };
        if self.subject.node() == Some(node) {
            return if rule.circular { Err(Stop::Unsettled) } else { Ok(Truth::Yes) };
        }
        let (number, new) = self.known.insert(node);
        if let Some(truth) = self.told(number).filter(|_| !new) {
            return Ok(truth);
        }
        self.question.spend(rule.long.saturating_add(1))?;
        let truth = if rule.union_only && self.question.has_climbed(node, self.subject, depth) {
            Truth::Yes
        } else if rule.union_only {
            self.question.reach(node, self.subject, depth, rule.recursive)?
        } else if rule.circular {
            self.path.push(node);
            let truth = self.op(rule, 0, ObjectId(node.object()), depth)?;
            self.path.pop();
            truth
        } else {
            self.op(rule, 0, ObjectId(node.object()), depth)?
        };
        self.tell(number, truth);
        Ok(truth)
    }

    /// The truth about one step of a program. A relation that can be part of a circle is looked at whole.
    fn op(&mut self, rule: &'a Rule, at: usize, about: ObjectId, depth: u32) -> Result<Truth, Stop> {
        let whole = rule.circular;
        let Some(op) = rule.program.get(at).copied() else { return Ok(Truth::No) };
        match op {
            Op::Direct | Op::Computed(_) | Op::From { .. } => {
                let mut truth = Truth::of(op == Op::Direct && self.question.names(rule, about, self.subject));
                let question = self.question;
                question.below(rule, op, about, |below| {
                    if whole || truth != Truth::Yes {
                        truth = truth.max(self.node(below, depth + 1)?);
                    }
                    Ok(())
                })?;
                Ok(truth)
            }
            Op::Union { end } | Op::Intersection { end } => {
                let union = matches!(op, Op::Union { .. });
                let (mut truth, settled) =
                    if union { (Truth::No, Truth::Yes) } else { (Truth::Yes, Truth::No) };
                let mut operand = at + 1;
                while operand < end && (whole || truth != settled) {
                    let one = self.op(rule, operand, about, depth)?;
                    truth = if union { truth.max(one) } else { truth.min(one) };
                    operand = rule.program.get(operand).map_or(end, |op| op.end(operand));
                }
                Ok(truth)
            }
            Op::Exclusion { end } => {
                let base = self.op(rule, at + 1, about, depth)?;
                if base == Truth::No && !whole {
                    return Ok(Truth::No);
                }
                let behind = rule.program.get(at + 1).map_or(end, |op| op.end(at + 1));
                Ok(base.but_not(self.op(rule, behind, about, depth)?))
            }
        }
    }
}
