//! The exact evaluation: everything below a question, circles included, whatever the order.
//!
//! The graph of (object, relation) below the question is made by levels, up to the depth limit. Circles
//! (strongly connected components) are found and settled from below. Inside a circle truths only
//! grow from [`Truth::Round`] to [`Truth::Yes`], so the outcome hangs on no order; what is not Yes
//! in a circle stays Round. What lies too deep is Round as well, and then the answer is an error.

use crate::error::AskError;
use crate::objects::ObjectId;
use crate::question::{Question, Subject};
use crate::schema::{Op, Rule};
use crate::search::{Stop, Truth};
use crate::seen::{Node, Seen};

struct Vertex<'a> {
    rule: Option<&'a Rule>,
    /// A tuple names the subject.
    named: bool,
    /// The subject is this very set.
    itself: bool,
    /// Too deep to be looked at.
    cut: bool,
    /// Its ways: from here on in the list of ways.
    ways: usize,
    truth: Truth,
}

/// Where a step of a vertex's program leads.
#[derive(Clone, Copy)]
struct Step {
    op: usize,
    to: usize,
}

struct Graph<'a, 'b> {
    question: &'b Question<'a>,
    vertices: Vec<Vertex<'a>>,
    steps: Vec<Step>,
}

impl Question<'_> {
    /// Whether the subject is in the node's relation.
    ///
    /// # Errors
    ///
    /// Depth, when the answer hangs on what lies deeper than the limit; budget.
    #[cold]
    #[inline(never)]
    pub(crate) fn exact(&self, root: Node, subject: Subject) -> Result<bool, AskError> {
        let mut graph = Graph { question: self, vertices: Vec::new(), steps: Vec::new() };
        graph.build(root, subject)?;
        graph.settle()?;
        let cut = graph.vertices.iter().any(|vertex| vertex.cut);
        match graph.vertices.first().map_or(Truth::No, |vertex| vertex.truth) {
            Truth::Yes => Ok(true),
            Truth::Round if cut => Err(AskError::DepthExceeded),
            Truth::Round | Truth::No => Ok(false),
        }
    }
}

impl Graph<'_, '_> {
    fn build(&mut self, root: Node, subject: Subject) -> Result<(), Stop> {
        let question = self.question;
        let mut seen = Seen::new();
        seen.insert(root);
        let (mut at, mut level_end, mut depth) = (0, 1, 0);
        while let Some(node) = seen.get(at) {
            if at == level_end {
                level_end = seen.len();
                depth += 1;
            }
            question.spend(1)?;
            let about = ObjectId(node.object());
            let cut = depth >= question.depth;
            let rule = question.rule(node).filter(|_| !cut);
            question.spend(rule.map_or(0, |rule| rule.long))?;
            self.vertices.push(Vertex {
                rule,
                named: rule.is_some_and(|rule| question.names(rule, about, subject)),
                itself: subject.node() == Some(node) && !cut,
                cut,
                ways: self.steps.len(),
                truth: Truth::Round,
            });
            let program = rule.map(|rule| (rule, rule.program.iter().enumerate()));
            for (rule, (op, step)) in
                program.into_iter().flat_map(|(rule, ops)| ops.map(move |op| (rule, op)))
            {
                question.below(rule, *step, about, |below| {
                    self.steps.push(Step { op, to: seen.insert(below).0 });
                    Ok(())
                })?;
            }
            at += 1;
        }
        Ok(())
    }

    fn ways(&self, vertex: usize) -> &[Step] {
        let start = self.vertices.get(vertex).map_or(0, |vertex| vertex.ways);
        let end = self.vertices.get(vertex + 1).map_or(self.steps.len(), |vertex| vertex.ways);
        self.steps.get(start..end).unwrap_or_default()
    }

    /// Finds the circles from below (Tarjan's algorithm, without recursion) and settles each.
    fn settle(&mut self) -> Result<(), AskError> {
        const NEW: usize = usize::MAX;
        let count = self.vertices.len();
        let (mut order, mut low) = (vec![NEW; count], vec![0_usize; count]);
        let (mut open, mut on) = (Vec::new(), vec![false; count]);
        let mut next = 0;
        // Every vertex is below the first one.
        let mut path: Vec<(usize, usize)> = vec![(0, 0)];
        while let Some((vertex, way)) = path.pop() {
            if way == 0 {
                set(&mut order, vertex, next);
                set(&mut low, vertex, next);
                set(&mut on, vertex, true);
                open.push(vertex);
                next += 1;
            }
            if let Some(step) = self.ways(vertex).get(way).copied() {
                path.push((vertex, way + 1));
                if get(&order, step.to) == NEW {
                    path.push((step.to, 0));
                } else if on.get(step.to) == Some(&true) {
                    let least = get(&low, vertex).min(get(&order, step.to));
                    set(&mut low, vertex, least);
                }
                continue;
            }
            if get(&low, vertex) == get(&order, vertex) {
                let start = open.iter().rposition(|one| *one == vertex).unwrap_or(0);
                let circle = open.split_off(start);
                circle.iter().for_each(|one| set(&mut on, *one, false));
                self.settle_circle(&circle)?;
            }
            if let Some((above, _)) = path.last() {
                let least = get(&low, *above).min(get(&low, vertex));
                set(&mut low, *above, least);
            }
        }
        Ok(())
    }

    /// Settles vertices that lead to each other, or a single one.
    fn settle_circle(&mut self, circle: &[usize]) -> Result<(), AskError> {
        if let [one] = circle
            && !self.ways(*one).iter().any(|step| step.to == *one)
        {
            let truth = self.truth(*one)?;
            self.vertices.get_mut(*one).into_iter().for_each(|vertex| vertex.truth = truth);
            return Ok(());
        }
        loop {
            let mut grew = false;
            // Those found last lie lowest.
            for one in circle.iter().rev() {
                if self.vertices.get(*one).is_some_and(|vertex| vertex.truth != Truth::Yes)
                    && self.truth(*one)? == Truth::Yes
                {
                    self.vertices.get_mut(*one).into_iter().for_each(|vertex| vertex.truth = Truth::Yes);
                    grew = true;
                }
            }
            if !grew {
                return Ok(());
            }
        }
    }

    /// What the program of a vertex says, from the truths below it.
    fn truth(&self, number: usize) -> Result<Truth, AskError> {
        let Some(vertex) = self.vertices.get(number) else { return Ok(Truth::No) };
        if vertex.cut {
            return Ok(Truth::Round);
        }
        if vertex.itself {
            return Ok(Truth::Yes);
        }
        let Some(rule) = vertex.rule else { return Ok(Truth::No) };
        let ways = self.ways(number);
        let cost = ways.len().saturating_add(rule.program.len());
        self.question.spend(u32::try_from(cost).unwrap_or(u32::MAX))?;
        Ok(self.op(vertex, rule, 0, ways))
    }

    fn op(&self, vertex: &Vertex<'_>, rule: &Rule, at: usize, ways: &[Step]) -> Truth {
        let Some(op) = rule.program.get(at).copied() else { return Truth::No };
        match op {
            Op::Direct | Op::Computed(_) | Op::From { .. } => {
                let start = ways.partition_point(|step| step.op < at);
                let below = ways.iter().skip(start).take_while(|step| step.op == at);
                let below = below.filter_map(|step| self.vertices.get(step.to)).map(|below| below.truth);
                below.fold(Truth::of(op == Op::Direct && vertex.named), Truth::max)
            }
            Op::Union { end } | Op::Intersection { end } => {
                let union = matches!(op, Op::Union { .. });
                let mut truth = Truth::of(!union);
                let mut operand = at + 1;
                while operand < end {
                    let one = self.op(vertex, rule, operand, ways);
                    truth = if union { truth.max(one) } else { truth.min(one) };
                    operand = rule.program.get(operand).map_or(end, |op| op.end(operand));
                }
                truth
            }
            Op::Exclusion { end } => {
                let behind = rule.program.get(at + 1).map_or(end, |op| op.end(at + 1));
                let base = self.op(vertex, rule, at + 1, ways);
                base.but_not(self.op(vertex, rule, behind, ways))
            }
        }
    }
}

fn get(list: &[usize], at: usize) -> usize {
    list.get(at).copied().unwrap_or(0)
}

fn set<T>(list: &mut [T], at: usize, value: T) {
    if let Some(place) = list.get_mut(at) {
        *place = value;
    }
}
