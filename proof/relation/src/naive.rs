//! The slow answer: every node of the graph, every truth, until nothing changes.

use crate::world::{Expression, Kind, Tuple, Who, World};
use std::collections::{BTreeMap, BTreeSet};

/// What is left out of an evaluation, to learn whether it decides.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Without {
    /// Nothing: the answer.
    Nothing,
    /// Every `or` is its first operand.
    Or,
    /// Every `and` is its first operand.
    And,
    /// Every `but not` is its first operand.
    Not,
    /// No relation leads to itself on another object.
    Recursion,
    /// No tuple names everybody.
    Everybody,
}

/// An answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Told {
    /// Yes.
    Permit,
    /// No.
    Deny,
    /// It hangs on what lies too deep.
    TooDeep,
}

/// An object in a relation: type, number, relation.
type Node = (usize, usize, usize);

/// Truth, or not known: in a circle, or too deep.
type Truth = Option<bool>;

/// A model with its tuples.
#[derive(Debug)]
pub struct Naive<'a> {
    world: &'a World,
    tuples: BTreeSet<Tuple>,
    without: Without,
}

impl<'a> Naive<'a> {
    /// Tuples that fit the model, with something left out.
    pub fn new(world: &'a World, tuples: impl IntoIterator<Item = Tuple>, without: Without) -> Self {
        let tuples = tuples
            .into_iter()
            .filter(|tuple| without != Without::Everybody || !matches!(tuple.who, Who::Everybody(_)));
        Self { world, tuples: tuples.collect(), without }
    }

    fn expression(&self, node: Node) -> Option<&'a Expression> {
        Some(&self.world.types.get(node.0)?.get(node.2)?.expression)
    }

    /// Who stands in tuples of a node, as far as the model takes them.
    fn stands(&self, node: Node) -> Vec<Who> {
        let kinds = self.world.types.get(node.0).and_then(|all| all.get(node.2)).map(|one| &one.kinds);
        let about = |tuple: &&Tuple| tuple.object == (node.0, node.1) && tuple.relation == node.2;
        let fits = |who: &Who| {
            let kind = match *who {
                Who::One(one, _) => Kind::One(one),
                Who::Everybody(one) => Kind::Everybody(one),
                Who::Set(one, _, relation) => Kind::Set(one, relation),
            };
            kinds.is_some_and(|kinds| kinds.contains(&kind))
        };
        self.tuples.iter().filter(about).map(|tuple| tuple.who).filter(fits).collect()
    }

    /// Where an expression at a node leads.
    fn leads(&self, node: Node, expression: &Expression, into: &mut Vec<Node>) {
        let mut add = |next: Node| {
            let same = (next.0, next.2) == (node.0, node.2);
            if self.expression(next).is_some() && !(same && self.without == Without::Recursion) {
                into.push(next);
            }
        };
        match expression {
            Expression::This => {
                for who in self.stands(node) {
                    if let Who::Set(one, number, relation) = who {
                        add((one, number, relation));
                    }
                }
            }
            Expression::Other(relation) => add((node.0, node.1, *relation)),
            Expression::Through(relation, parents) => {
                for who in self.stands((node.0, node.1, *parents)) {
                    if let Who::One(one, number) = who {
                        add((one, number, *relation));
                    }
                }
            }
            Expression::Or(all) | Expression::And(all) => {
                let first = match (expression, self.without) {
                    (Expression::Or(_), Without::Or) | (Expression::And(_), Without::And) => 1,
                    _ => all.len(),
                };
                all.iter().take(first).for_each(|one| self.leads(node, one, into));
            }
            Expression::Not(base, subtract) => {
                self.leads(node, base, into);
                if self.without != Without::Not {
                    self.leads(node, subtract, into);
                }
            }
        }
    }

    /// Everything below `root`, each with where it leads; what lies `depth` steps away leads nowhere.
    fn graph(&self, root: Node, depth: usize) -> (BTreeMap<Node, Vec<Node>>, BTreeSet<Node>) {
        let (mut graph, mut cut) = (BTreeMap::new(), BTreeSet::new());
        let mut level = vec![root];
        for distance in 0.. {
            let mut next = Vec::new();
            for node in level {
                if graph.contains_key(&node) {
                    continue;
                }
                let mut below = Vec::new();
                if distance >= depth {
                    cut.insert(node);
                } else if let Some(expression) = self.expression(node) {
                    self.leads(node, expression, &mut below);
                }
                next.extend(below.iter().copied());
                graph.insert(node, below);
            }
            if next.is_empty() {
                break;
            }
            level = next;
        }
        (graph, cut)
    }

    /// Answers for each of `subjects` whether it is in the relation `root`.
    #[must_use]
    pub fn tell(&self, root: Node, subjects: &[Who], depth: usize) -> Vec<Told> {
        let (graph, cut) = self.graph(root, depth);
        let round: BTreeSet<Node> = graph.keys().copied().filter(|node| reaches(&graph, *node)).collect();
        let mut told = Vec::new();
        for subject in subjects {
            let mut truths: BTreeMap<Node, Truth> = graph.keys().map(|node| (*node, None)).collect();
            loop {
                let mut changed = false;
                for node in graph.keys().filter(|node| !cut.contains(*node)) {
                    let mut truth = if is_set(*subject, *node) {
                        Some(true)
                    } else {
                        self.expression(*node).and_then(|one| self.truth(*node, one, *subject, &truths))
                    };
                    // A relation that leads to itself is never surely not: it was cut somewhere.
                    if truth == Some(false) && round.contains(node) {
                        truth = None;
                    }
                    if truths.insert(*node, truth) != Some(truth) {
                        changed = true;
                    }
                }
                if !changed {
                    break;
                }
            }
            told.push(match truths.get(&root).copied().flatten() {
                Some(true) => Told::Permit,
                Some(false) => Told::Deny,
                None if cut.is_empty() => Told::Deny,
                None => Told::TooDeep,
            });
        }
        told
    }

    fn truth(
        &self,
        node: Node,
        expression: &Expression,
        subject: Who,
        truths: &BTreeMap<Node, Truth>,
    ) -> Truth {
        match expression {
            Expression::This | Expression::Other(_) | Expression::Through(..) => {
                let everybody = match subject {
                    Who::One(one, _) => Some(Who::Everybody(one)),
                    Who::Everybody(_) | Who::Set(..) => None,
                };
                let named = *expression == Expression::This
                    && self.stands(node).iter().any(|who| *who == subject || Some(*who) == everybody);
                let mut below = Vec::new();
                self.leads(node, expression, &mut below);
                let known = below.iter().map(|next| truths.get(next).copied().flatten());
                any(known.chain([Some(named)]))
            }
            Expression::Or(all) => {
                let count = if self.without == Without::Or { 1 } else { all.len() };
                any(all.iter().take(count).map(|one| self.truth(node, one, subject, truths)))
            }
            Expression::And(all) => {
                let count = if self.without == Without::And { 1 } else { all.len() };
                not(any(all.iter().take(count).map(|one| not(self.truth(node, one, subject, truths)))))
            }
            Expression::Not(base, subtract) => {
                let base = self.truth(node, base, subject, truths);
                if self.without == Without::Not {
                    return base;
                }
                not(any([not(base), self.truth(node, subtract, subject, truths)].into_iter()))
            }
        }
    }

    /// Who of a type is in the relation by a tuple that counts for it: people and everybody, or sets.
    #[must_use]
    pub fn own_grants(&self, root: Node, wanted: usize, set: Option<usize>) -> BTreeSet<Who> {
        let (mut open, mut seen, mut found) = (vec![root], BTreeSet::new(), BTreeSet::new());
        while let Some(node) = open.pop() {
            if !seen.insert(node) {
                continue;
            }
            if set == Some(node.2) && node.0 == wanted {
                found.insert(Who::Set(node.0, node.1, node.2));
            }
            if let Some(expression) = self.expression(node) {
                self.grants(node, expression, &mut open, &mut |who| match who {
                    Who::One(one, _) | Who::Everybody(one) if one == wanted && set.is_none() => {
                        found.insert(who);
                    }
                    Who::One(..) | Who::Everybody(_) | Who::Set(..) => {}
                });
            }
        }
        found
    }

    fn grants(&self, node: Node, expression: &Expression, open: &mut Vec<Node>, each: &mut impl FnMut(Who)) {
        match expression {
            Expression::This => {
                self.stands(node).into_iter().for_each(each);
                self.leads(node, expression, open);
            }
            Expression::Other(_) | Expression::Through(..) => self.leads(node, expression, open),
            Expression::Or(all) | Expression::And(all) => {
                for one in all {
                    self.grants(node, one, open, each);
                }
            }
            Expression::Not(base, _) => self.grants(node, base, open, each),
        }
    }
}

fn is_set(subject: Who, node: Node) -> bool {
    subject == Who::Set(node.0, node.1, node.2)
}

/// Whether a node leads back to itself.
fn reaches(graph: &BTreeMap<Node, Vec<Node>>, node: Node) -> bool {
    let mut open: Vec<Node> = graph.get(&node).cloned().unwrap_or_default();
    let mut seen = BTreeSet::new();
    while let Some(one) = open.pop() {
        if one == node {
            return true;
        }
        if seen.insert(one) {
            open.extend(graph.get(&one).into_iter().flatten().copied());
        }
    }
    false
}

/// Kleene's or.
fn any(mut all: impl Iterator<Item = Truth>) -> Truth {
    let mut unknown = false;
    let yes = all.any(|one| {
        unknown |= one.is_none();
        one == Some(true)
    });
    if yes { Some(true) } else { (!unknown).then_some(false) }
}

/// Kleene's not.
fn not(truth: Truth) -> Truth {
    truth.map(|truth| !truth)
}
