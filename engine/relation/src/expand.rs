//! Looking inside: how a relation to an object comes about, and why a check had its answer.

use crate::edges::Edge;
use crate::error::AskError;
use crate::objects::ObjectId;
use crate::question::{Ask, Question, Subject, TupleRef};
use crate::relations::{Answer, Relations};
use crate::schema::{Op, Rule};
use crate::seen::Node;
use crate::words::RelationId;

/// LIMIT: steps of one explanation: more nobody reads.
const STEPS_MAX: usize = 128;

/// One level of a relation, as Zanzibar's expand gives it: sets are named, not followed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Branch {
    /// Everybody who is in one of them.
    Union(Vec<Branch>),
    /// Who is in all of them.
    Intersection(Vec<Branch>),
    /// Who is in the first and not in the second.
    Exclusion(Box<[Branch; 2]>),
    /// Who stands in tuples.
    Direct(
        /// Objects, sets and `type:*`, sorted.
        Vec<String>,
    ),
    /// Who is in another relation to the same object.
    Computed(
        /// `type:id#relation`.
        String,
    ),
    /// Who is in a relation to the objects that tuples name.
    From {
        /// Whose tuples: `type:id#relation`.
        tupleset: String,
        /// Each as `type:id#relation`, sorted.
        sets: Vec<String>,
    },
}

/// One step of an explanation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    /// How far below the question it stands.
    pub depth: u32,
    /// What it says.
    pub kind: StepKind,
    /// The set `type:id#relation`, or the tuple as `subject relation object`.
    pub what: String,
    /// Whether the subject is in it.
    pub holds: bool,
}

/// An explanation: the answer, and how it comes about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explanation {
    /// The answer of the check; its steps are those of the check and of the way together.
    pub answer: Answer,
    /// The way. Where looking for it costs more or lies deeper than one may: the question, and that.
    pub path: Vec<Step>,
}

/// What a step of an explanation is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StepKind {
    /// A relation to an object.
    Set,
    /// A tuple that names the subject, or everybody of its type.
    Tuple,
    /// From here on what is taken away: the right side of a `but not`.
    ButNot,
    /// The way would cost more than the answer did, and more than one may: it is not told.
    NotTold,
}

impl Relations {
    /// One level of a relation to an object.
    ///
    /// # Errors
    ///
    /// As [`Relations::check`].
    pub fn expand(&self, ask: &Ask<'_>, object: &str, relation: &str) -> Result<Branch, AskError> {
        let mut question = Question::new(self, ask)?;
        let node = question.node(object, relation)?;
        let Some(rule) = question.rule(node) else { return Ok(Branch::Direct(Vec::new())) };
        question.branch(rule, 0, ObjectId(node.object()))
    }

    /// Why a check has its answer: the way to a tuple, or the right side of a `but not` that takes it away.
    ///
    /// # Errors
    ///
    /// As [`Relations::check`].
    pub fn explain(&self, ask: &Ask<'_>, tuple: &TupleRef<'_>) -> Result<Explanation, AskError> {
        let mut answer = self.check(ask, tuple)?;
        let mut question = Question::new(self, ask)?;
        let (node, subject) = question.both(tuple)?;
        let mut teller = Teller { question: &question, subject, path: Vec::new(), steps: Vec::new() };
        let told = teller.node(node, 0);
        let mut path = teller.steps;
        if told.and_then(|()| question.solvent()).is_err() {
            let what = question.set_text(node);
            path = vec![
                Step { depth: 0, kind: StepKind::Set, what, holds: answer.permitted },
                Step { depth: 1, kind: StepKind::NotTold, what: String::new(), holds: false },
            ];
        }
        answer.steps = answer.steps.saturating_add(question.spent());
        Ok(Explanation { answer, path })
    }
}

impl Question<'_> {
    /// `type:id`, or `type:id#relation`.
    pub(crate) fn text(&self, object: ObjectId, relation: RelationId) -> String {
        let words = &self.relations.words;
        let type_name = self.type_of(object).map_or("", |type_id| words.type_name(type_id));
        let id = self.id_of(object);
        if relation == RelationId::NONE {
            format!("{type_name}:{id}")
        } else {
            format!("{type_name}:{id}#{}", words.relation_name(relation))
        }
    }

    fn set_text(&self, node: Node) -> String {
        self.text(ObjectId(node.object()), RelationId(node.relation()))
    }

    fn branch(&self, rule: &Rule, at: usize, about: ObjectId) -> Result<Branch, AskError> {
        let Some(op) = rule.program.get(at).copied() else { return Ok(Branch::Union(Vec::new())) };
        let mut sets = Vec::new();
        self.below(rule, op, about, |below| {
            sets.push(self.set_text(below));
            Ok(())
        })?;
        Ok(match op {
            Op::Direct => {
                for object in self.forward(about, rule.relation, RelationId::NONE) {
                    self.spend(1)?;
                    let Some(type_id) = self.type_of(object) else { continue };
                    if rule.allows(type_id, RelationId::NONE, self.id_of(object) == "*") {
                        sets.push(self.text(object, RelationId::NONE));
                    }
                }
                self.solvent()?;
                sets.sort_unstable();
                sets.dedup();
                Branch::Direct(sets)
            }
            Op::Computed(relation) => Branch::Computed(self.text(about, relation)),
            Op::From { tupleset, .. } => {
                sets.sort_unstable();
                sets.dedup();
                Branch::From { tupleset: self.text(about, tupleset), sets }
            }
            Op::Union { end } => Branch::Union(self.branches(rule, at + 1, end, about)?),
            Op::Intersection { end } => Branch::Intersection(self.branches(rule, at + 1, end, about)?),
            Op::Exclusion { end } => {
                let behind = rule.program.get(at + 1).map_or(end, |op| op.end(at + 1));
                let base = self.branch(rule, at + 1, about)?;
                Branch::Exclusion(Box::new([base, self.branch(rule, behind, about)?]))
            }
        })
    }

    fn branches(
        &self,
        rule: &Rule,
        from: usize,
        end: usize,
        about: ObjectId,
    ) -> Result<Vec<Branch>, AskError> {
        let (mut at, mut branches) = (from, Vec::new());
        while at < end {
            branches.push(self.branch(rule, at, about)?);
            at = rule.program.get(at).map_or(end, |op| op.end(at));
        }
        Ok(branches)
    }
}

struct Teller<'a, 'b> {
    question: &'b Question<'a>,
    subject: Subject,
    path: Vec<Node>,
    steps: Vec<Step>,
}

impl<'a> Teller<'a, '_> {
    fn push(&mut self, depth: u32, kind: StepKind, what: String, holds: bool) {
        if self.steps.len() < STEPS_MAX {
            self.steps.push(Step { depth, kind, what, holds });
        }
    }

    fn node(&mut self, node: Node, depth: u32) -> Result<(), AskError> {
        let holds = self.question.permits(node, self.subject)?;
        self.push(depth, StepKind::Set, self.question.set_text(node), holds);
        let go_on = depth < self.question.depth
            && self.steps.len() < STEPS_MAX
            && !self.path.contains(&node)
            && self.subject.node() != Some(node);
        if let Some(rule) = self.question.rule(node).filter(|_| go_on) {
            self.path.push(node);
            self.op(rule, 0, ObjectId(node.object()), depth + 1)?;
            self.path.pop();
        }
        Ok(())
    }

    /// Who stands in the tuple: the subject itself, or everybody of its type.
    fn named(&self, rule: &Rule, about: ObjectId) -> String {
        let (question, one) = (self.question, self.subject.allowed);
        let own = Edge::new(rule.relation.0, one.relation.0, self.subject.object.0);
        let itself = rule.allowed.binary_search(&one).is_ok() && question.has(about, own);
        if itself {
            return question.text(self.subject.object, one.relation);
        }
        format!("{}:*", question.relations.words.type_name(one.type_id))
    }

    /// Those below a step that the subject is in; the first one only.
    fn first(&self, rule: &Rule, op: Op, about: ObjectId) -> Result<Option<Node>, AskError> {
        let mut found = None;
        self.question.below(rule, op, about, |below| {
            if found.is_none() && !self.path.contains(&below) && self.question.permits(below, self.subject)? {
                found = Some(below);
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn holds(&self, rule: &Rule, at: usize, about: ObjectId) -> Result<bool, AskError> {
        let Some(op) = rule.program.get(at).copied() else { return Ok(false) };
        match op {
            Op::Direct if self.question.names(rule, about, self.subject) => Ok(true),
            Op::Direct | Op::Computed(_) | Op::From { .. } => Ok(self.first(rule, op, about)?.is_some()),
            Op::Union { end } | Op::Intersection { end } => {
                let union = matches!(op, Op::Union { .. });
                let mut operand = at + 1;
                while operand < end {
                    if self.holds(rule, operand, about)? == union {
                        return Ok(union);
                    }
                    operand = rule.program.get(operand).map_or(end, |op| op.end(operand));
                }
                Ok(!union)
            }
            Op::Exclusion { end } => {
                let behind = rule.program.get(at + 1).map_or(end, |op| op.end(at + 1));
                Ok(self.holds(rule, at + 1, about)? && !self.holds(rule, behind, about)?)
            }
        }
    }

    fn op(&mut self, rule: &'a Rule, at: usize, about: ObjectId, depth: u32) -> Result<(), AskError> {
        let Some(op) = rule.program.get(at).copied() else { return Ok(()) };
        match op {
            Op::Direct if self.question.names(rule, about, self.subject) => {
                let subject = self.named(rule, about);
                let relation = self.question.relations.words.relation_name(rule.relation);
                let object = self.question.text(about, RelationId::NONE);
                self.push(depth, StepKind::Tuple, format!("{subject} {relation} {object}"), true);
                Ok(())
            }
            Op::Direct | Op::Computed(_) | Op::From { .. } => match self.first(rule, op, about)? {
                Some(below) => self.node(below, depth),
                None => Ok(()),
            },
            Op::Union { end } | Op::Intersection { end } => {
                // A union is explained by its first good operand, an intersection by its first bad one or all.
                let union = matches!(op, Op::Union { .. });
                let (mut operand, mut all) = (at + 1, Vec::new());
                while operand < end {
                    if self.holds(rule, operand, about)? == union {
                        return self.op(rule, operand, about, depth);
                    }
                    all.push(operand);
                    operand = rule.program.get(operand).map_or(end, |op| op.end(operand));
                }
                all.into_iter().filter(|_| !union).try_for_each(|one| self.op(rule, one, about, depth))
            }
            Op::Exclusion { end } => {
                let behind = rule.program.get(at + 1).map_or(end, |op| op.end(at + 1));
                self.op(rule, at + 1, about, depth)?;
                if self.holds(rule, at + 1, about)? && self.holds(rule, behind, about)? {
                    self.push(depth, StepKind::ButNot, self.question.text(about, rule.relation), false);
                    self.op(rule, behind, about, depth + 1)?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;
    use crate::tuples::Window;
    use tessera_model::UnixMillis;

    /// PROPERTY: an explanation names the tuple as it stands: the subject's own where there is one, else everybody's,
    /// stored or of the question.
    #[test]
    fn the_tuple_is_told_as_it_stands() {
        let mut relations = Relations::new();
        let text =
            "model\n  schema 1.1\ntype user\ntype doc\n  relations\n    define viewer: [user, user:*]\n";
        relations.set_model(&Model::parse(text).unwrap()).unwrap();
        let tuple = |subject| TupleRef { subject, relation: "viewer", object: "doc:1" };
        let told = |relations: &Relations, contextual: &[TupleRef<'_>]| {
            let ask = Ask { contextual, ..Ask::at(UnixMillis(0)) };
            let path = relations.explain(&ask, &tuple("user:ann")).unwrap().path;
            path.into_iter().find(|step| step.kind == StepKind::Tuple).map(|step| step.what)
        };
        assert_eq!(told(&relations, &[]), None);
        let everybody = Some("user:* viewer doc:1".to_owned());
        assert_eq!(told(&relations, &[tuple("user:*")]), everybody);
        relations.write(&tuple("user:*"), Window::ALWAYS).unwrap();
        assert_eq!(told(&relations, &[]), everybody);
        assert_eq!(told(&relations, &[tuple("user:ann")]), Some("user:ann viewer doc:1".to_owned()));
        relations.write(&tuple("user:ann"), Window::ALWAYS).unwrap();
        assert_eq!(told(&relations, &[]), Some("user:ann viewer doc:1".to_owned()));
    }
}
