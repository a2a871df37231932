//! Programs as they run: what is often done together is one step, and a jump leads to where it ends up.
//!
//! A compiled policy is mostly a row of questions about attributes of who asks, of the resource and of the circumstances,
//! each with a jump behind it. Such a question is one step here, which needs no stack. What a program says does not change,
//! and a step costs as many as it is made of; jumps that only lead to jumps are no steps.
//!
//! INVARIANT: jumps lead forward here too.

use crate::brief::{Short, ShortKind};
use crate::names::number;
use crate::op::{Op, Than, Variable};
use crate::value::{Value, Word};

/// What is asked of an attribute, beside whether it is a number of the kind of the step, from its first to its last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum What {
    /// Nothing, and another kind is a fault.
    Ordered,
    /// Nothing, and another kind is another value.
    Same,
    /// Whether it is there.
    Has,
    /// Whether it is this part of the question.
    IsPart(Variable),
}

/// The numbers that stand so to another.
const fn between(than: Than, right: i64) -> (i64, i64) {
    // Where there is none the first stands behind the last.
    const NONE: (i64, i64) = (1, 0);
    match than {
        Than::Less => {
            if let Some(last) = right.checked_sub(1) {
                (i64::MIN, last)
            } else {
                NONE
            }
        }
        Than::LessOrEqual => (i64::MIN, right),
        Than::Greater => {
            if let Some(first) = right.checked_add(1) {
                (first, i64::MAX)
            } else {
                NONE
            }
        }
        Than::GreaterOrEqual => (right, i64::MAX),
    }
}

/// Where the answer of a program is known: no place of a step.
pub(crate) const END: u32 = u32::MAX;

/// Where it goes on when an answer is this one, and what it leaves on the stack there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Branch {
    pub(crate) when: bool,
    pub(crate) leaves: Option<bool>,
    pub(crate) to: u32,
}

/// A question about an attribute of a part of the question, and the numbers that it is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Test {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) name: Word,
    /// Steps that it costs.
    pub(crate) steps: u32,
    pub(crate) of: Variable,
    pub(crate) kind: ShortKind,
    pub(crate) what: What,
    pub(crate) then: Branch,
}

/// One step.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fused {
    /// A question about an attribute that may jump.
    Test(Test),
    /// A question about an attribute that puts whether the answer is that of its branch.
    Tell(Test),
    /// The answer of the program.
    End(bool),
    /// Puts an attribute of a part of the question.
    Field(Variable, Word),
    /// Takes the top away and may jump.
    Branch(Branch),
    /// Jumps.
    Jump(u32),
    /// Any other instruction.
    One(Op),
}

impl Fused {
    /// Whether it leaves a truth value where it jumps.
    const fn leaves(&self) -> bool {
        match self {
            Self::Test(Test { then: branch, .. }) | Self::Branch(branch) => branch.leaves.is_some(),
            Self::Tell(_) | Self::End(_) | Self::Jump(_) | Self::Field(..) | Self::One(_) => false,
        }
    }

    const fn target(&mut self) -> Option<&mut u32> {
        match self {
            Self::Test(Test { then: branch, .. }) | Self::Branch(branch) => Some(&mut branch.to),
            Self::Jump(to) => Some(to),
            Self::Tell(_) | Self::End(_) | Self::Field(..) | Self::One(_) => None,
        }
    }
}

/// Where a program goes on that comes to `at` with a truth value on top, and what of it is left.
fn settled(code: &[Op], mut at: u32, mut value: bool) -> (Option<bool>, u32) {
    loop {
        let next = at.saturating_add(1);
        match (code.get(at as usize), value) {
            (Some(Op::Truth), _) => at = next,
            (Some(Op::Not), _) => (value, at) = (!value, next),
            (Some(Op::Jump(to)), _) | (Some(Op::And(to)), false) | (Some(Op::Or(to)), true) => at = *to,
            (Some(Op::And(_)), true) | (Some(Op::Or(_)), false) => return (None, next),
            (Some(Op::Unless(to)), _) => return (None, if value { next } else { *to }),
            _ => return (Some(value), at),
        }
    }
}

/// Where an instruction may go on elsewhere.
fn branch(code: &[Op], op: Op) -> Option<Branch> {
    let (when, (leaves, to)) = if let Op::And(to) = op {
        (false, settled(code, to, false))
    } else if let Op::Or(to) = op {
        (true, settled(code, to, true))
    } else if let Op::Unless(to) = op {
        (false, (None, to))
    } else {
        return None;
    };
    Some(Branch { when, leaves, to })
}

/// Makes the steps of a program.
fn fuse(code: &[Op], words: &[Word]) -> Box<[Fused]> {
    let branches: Vec<Option<Branch>> = code.iter().map(|op| branch(code, *op)).collect();
    let mut entered = vec![false; code.len() + 1];
    for (op, branch) in code.iter().zip(&branches) {
        let to = if let Op::Jump(to) = op { Some(*to) } else { branch.map(|branch| branch.to) };
        if let Some(place) = to.and_then(|to| entered.get_mut(to as usize)) {
            *place = true;
        }
    }
    let fusing = Fusing { code, words, branches, entered };
    let (mut fused, mut places, mut at) = (Vec::with_capacity(code.len()), vec![0; code.len() + 1], 0);
    while at < code.len() {
        if let Some(place) = places.get_mut(at) {
            *place = number(fused.len());
        }
        let (one, taken) = fusing.one(at);
        fused.extend(one);
        at += taken.max(1);
        // The last step that says the answer jumps when it is true, and this stands behind it.
        if let Some(Fused::Test(Test { then: Branch { to: END, .. }, .. })) = one {
            fused.push(Fused::End(false));
        }
    }
    if let Some(place) = places.last_mut() {
        *place = number(fused.len());
    }
    for one in &mut fused {
        let leaves = one.leaves();
        if let Some(to) = one.target() {
            // Nobody counts so many instructions: what ends already stays so.
            let ends = *to as usize >= code.len() && leaves;
            *to = if ends { END } else { places.get(*to as usize).copied().unwrap_or(END) };
        }
    }
    fused.into_boxed_slice()
}

/// A program as it runs.
#[derive(Clone, Debug)]
pub(crate) enum Steps {
    /// Questions about attributes alone, each with its jump: what falls off the end is false.
    Row(Box<[Test]>),
    /// Any steps.
    Any(Box<[Fused]>),
}

impl Steps {
    pub(crate) fn of(code: &[Op], words: &[Word]) -> Self {
        let fused = fuse(code, words);
        let Some((Fused::End(false), tests)) = fused.split_last() else { return Self::Any(fused) };
        let row = |one: &Fused| {
            let Fused::Test(test) = one else { return None };
            let within = (test.then.to as usize) < tests.len() && test.then.leaves.is_none();
            (within || test.then.to == END && test.then.leaves.is_some()).then_some(*test)
        };
        match tests.iter().map(row).collect() {
            Some(tests) => Self::Row(tests),
            None => Self::Any(fused),
        }
    }
}

/// A program on its way.
struct Fusing<'a> {
    code: &'a [Op],
    words: &'a [Word],
    branches: Vec<Option<Branch>>,
    /// Where jumps lead.
    entered: Vec<bool>,
}

impl Fusing<'_> {
    /// The instruction at a place, unless a jump leads there.
    fn within(&self, at: usize) -> Option<Op> {
        if self.entered.get(at).copied().unwrap_or(true) { None } else { self.code.get(at).copied() }
    }

    /// The step that begins at a place, and of how many instructions it is made; none for one that does nothing.
    fn one(&self, at: usize) -> (Option<Fused>, usize) {
        let Some(op) = self.code.get(at).copied() else { return (None, 1) };
        if let Op::Load(of) = op
            && let Some((fused, taken)) = self.field(of, at)
        {
            return (Some(fused), taken);
        }
        if let Some(Some(branch)) = self.branches.get(at) {
            return (Some(Fused::Branch(*branch)), 1);
        }
        (Some(if let Op::Jump(to) = op { Fused::Jump(to) } else { Fused::One(op) }), 1)
    }

    /// What is done with an attribute of a part of the question that is loaded at a place.
    fn field(&self, of: Variable, at: usize) -> Option<(Fused, usize)> {
        let next = self.within(at + 1)?;
        let (name, (what, mut not, taken)) = if let Op::Has { start, len: 1 } = next {
            (*self.words.get(start as usize)?, (Asked::Part(What::Has), false, 0))
        } else if let Op::Attribute(name) = next {
            let Some(asked) = self.asked(at + 2) else { return Some((Fused::Field(of, name), 2)) };
            (name, asked)
        } else {
            return None;
        };
        let (what, kind, first, last) = what.parts();
        let mut end = at + 2 + taken;
        while let Some(Op::Not | Op::Truth) = self.within(end) {
            not ^= matches!(self.within(end), Some(Op::Not));
            end += 1;
        }
        let branch = self.within(end).and_then(|_| self.branches.get(end).copied().flatten());
        end += usize::from(branch.is_some());
        // What is compared for equality costs one more.
        let free = what == What::Ordered;
        let steps = number(end - at).saturating_add(u32::from(!free));
        let ends = end == self.code.len();
        let mut then = branch.unwrap_or(Branch { when: true, leaves: Some(true), to: END });
        then.when ^= not;
        let test = Test { first, last, name, steps, of, kind, what, then };
        let jumps = branch.is_some() || ends;
        Some((if jumps { Fused::Test(test) } else { Fused::Tell(test) }, end - at))
    }

    /// What is asked of the attribute that lies on top, whether the answer is turned around, and of how many instructions
    /// the question is made.
    fn asked(&self, at: usize) -> Option<(Asked, bool, usize)> {
        let same = |right: &Value| {
            let Short(kind, right) = Short::of(right);
            (kind != ShortKind::Wide).then_some(Asked::Number(What::Same, kind, (right, right)))
        };
        match (self.within(at)?, self.within(at + 1)) {
            (Op::Push(right), Some(Op::Order(than))) => {
                let Short(kind, right) = Short::of(&right);
                let ordered = matches!(kind, ShortKind::Long | ShortKind::Datetime | ShortKind::Duration);
                ordered.then_some((Asked::Number(What::Ordered, kind, between(than, right)), false, 2))
            }
            (Op::Push(right), Some(Op::Equal)) => Some((same(&right)?, false, 2)),
            (Op::Push(right), Some(Op::Unequal)) => Some((same(&right)?, true, 2)),
            (Op::Load(part), Some(Op::Equal)) => Some((Asked::Part(What::IsPart(part)), false, 2)),
            (Op::Load(part), Some(Op::Unequal)) => Some((Asked::Part(What::IsPart(part)), true, 2)),
            (Op::Truth | Op::Not | Op::And(_) | Op::Or(_) | Op::Unless(_), _) => {
                Some((Asked::Number(What::Ordered, ShortKind::Bool, (1, 1)), false, 0))
            }
            _ => None,
        }
    }
}

/// A question about an attribute: about its number, or about something else.
enum Asked {
    Number(What, ShortKind, (i64, i64)),
    Part(What),
}

impl Asked {
    const fn parts(&self) -> (What, ShortKind, i64, i64) {
        match self {
            Self::Number(what, kind, (first, last)) => (*what, *kind, *first, *last),
            Self::Part(what) => (*what, ShortKind::None, 0, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brief::Parts;
    use crate::entities::{Entities, Fact};
    use crate::names::Names;
    use crate::policies::{Policies, Room};
    use crate::request::{EntityRef, Request};
    use crate::run::Run;
    use crate::term::Term;
    use std::collections::BTreeMap;

    /// Numbers from a seed.
    struct Seeded(u64);

    impl Seeded {
        fn below(&mut self, end: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % end
        }
    }

    const PARTS: [Variable; 4] = [Variable::Subject, Variable::Action, Variable::Resource, Variable::Context];

    /// Writes a random condition as the compiler does.
    fn write(random: &mut Seeded, names: &[Word], depth: u32, out: &mut Vec<Op>) {
        let kind = if depth == 0 { random.below(7) } else { random.below(13) };
        let (part, name) =
            (PARTS[random.below(4) as usize], names[random.below(names.len() as u64) as usize]);
        let field = [Op::Load(part), Op::Attribute(name)];
        let place = |out: &mut Vec<Op>, op: Op| {
            out.push(op);
            out.len() - 1
        };
        let land = |out: &mut Vec<Op>, at: usize| out[at] = out[at].to(number(out.len()));
        match kind {
            0 => out.extend(field),
            1 | 2 => {
                let start = name.0 % 3;
                out.extend([Op::Load(part), Op::Has { start, len: 1 + u32::from(kind == 2) }]);
            }
            3 | 4 => {
                let right = [Value::Long(2), Value::Text(name), Value::Bool(true)][random.below(3) as usize];
                let than = [Than::Less, Than::GreaterOrEqual][random.below(2) as usize];
                let op = if kind == 3 {
                    Op::Order(than)
                } else {
                    [Op::Equal, Op::Unequal][random.below(2) as usize]
                };
                out.extend(field.into_iter().chain([Op::Push(right), op]));
            }
            5 => out.extend(field.into_iter().chain([Op::Load(PARTS[random.below(4) as usize]), Op::Equal])),
            6 => out.push(Op::Push(Value::Bool(random.below(2) == 0))),
            7 | 8 => {
                write(random, names, depth - 1, out);
                out.push(Op::Not);
            }
            9..=11 => {
                write(random, names, depth - 1, out);
                let jump = place(out, if kind == 9 { Op::Or(0) } else { Op::And(0) });
                write(random, names, depth - 1, out);
                out.push(Op::Truth);
                land(out, jump);
            }
            _ => {
                write(random, names, depth - 1, out);
                let other = place(out, Op::Unless(0));
                write(random, names, depth - 1, out);
                let end = place(out, Op::Jump(0));
                land(out, other);
                write(random, names, depth - 1, out);
                land(out, end);
            }
        }
    }

    /// PROPERTY: a program says as it runs what its instructions say one after the other, faults included, and takes no
    /// more steps where it ends well. METHOD: random conditions in the compiler's form, over attributes that are there, are
    /// missing, or have other types, of entities that are known or not.
    #[test]
    fn steps_say_what_instructions_say() {
        let mut names = Names::default();
        let words: Vec<Word> = ["a", "b", "c", "d"].iter().map(|name| names.word(name)).collect();
        let fact = |values: [(&str, Term); 3]| Fact {
            attributes: values.map(|(name, value)| (name.to_owned(), value)).into(),
            ..Fact::default()
        };
        let mut entities = Entities::default();
        let owner = Term::Entity { kind: "User".into(), id: "u".into() };
        entities.put(
            &mut names,
            "User",
            "u",
            &fact([("a", Term::Bool(true)), ("b", Term::Long(2)), ("c", owner)]),
        );
        entities.put(
            &mut names,
            "Doc",
            "d",
            &fact([("a", Term::Bool(false)), ("b", Term::Long(7)), ("d", Term::Text("a".into()))]),
        );
        let context: BTreeMap<String, Term> = [("a", Term::Bool(true)), ("d", Term::Long(1))]
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        let (mut told, mut rows) = ([0_u32; 3], 0);
        for seed in 0..20_000 {
            let mut random = Seeded(seed);
            let mut code = Vec::new();
            write(&mut random, &words, 4, &mut code);
            let who = |kind, id| EntityRef { kind, id };
            let user = who("User", if random.below(8) == 0 { "x" } else { "u" });
            let doc = who("Doc", if random.below(8) == 0 { "x" } else { "d" });
            let request =
                Request::new(&names, (user, who("Action", "read"), doc), &context).expect("a question");
            let parts = Parts::of(&request, &entities);
            let policies = Policies::of_words(&words);
            let mut room = Room::of(code.len() + 2, 100_000);
            let steps = Steps::of(&code, &words);
            let mut run =
                Run { request: &request, entities: &entities, policies: &policies, parts, room: &mut room };
            let right = run.slowly(&code);
            let answer = match &steps {
                Steps::Row(tests) => run.row(tests),
                Steps::Any(steps) => run.answer(steps),
            };
            rows += u32::from(matches!(steps, Steps::Row(_)));
            assert_eq!(answer, right, "seed {seed}: {code:?} {steps:?}");
            told[match answer {
                Ok(true) => 0,
                Ok(false) => 1,
                Err(_) => 2,
            }] += 1;
        }
        assert!(told.iter().all(|count| *count > 1_000), "all three come: {told:?}");
        assert!(rows > 1_000, "rows come: {rows}");
    }
}
