//! Compiled policies: programs, found by action and scope, and decisions over all of them.
//!
//! Default is deny, a forbid wins, a permit that fails is no permit. What a forbid that fails does is a
//! choice: [`FaultRule`].

use crate::brief::Parts;
use crate::entities::Entities;
use crate::fault::FaultReason;
use crate::fuse::Steps;
use crate::hash::NumberHash;
use crate::names::number;
use crate::op::{Op, Variable};
use crate::pattern::Pattern;
use crate::request::Request;
use crate::run::Run;
use crate::value::{Uid, Value, Word};
use std::cell::Cell;
use std::collections::HashMap;

/// What a policy does where it applies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// It permits.
    Permit,
    /// It forbids, and wins.
    Forbid,
}

/// What a forbid does that fails while it is evaluated.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum FaultRule {
    /// It denies.
    #[default]
    Strict,
    /// It is left out, as Cedar does; a program that is not whole denies all the same.
    Cedar,
}

/// Whom or what a policy is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    pub(crate) is: Option<Uid>,
    pub(crate) within: Option<Uid>,
    pub(crate) kind: Option<Word>,
}

#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) effect: Effect,
    pub(crate) subject: Scope,
    pub(crate) actions: Option<Vec<Uid>>,
    pub(crate) below: bool,
    pub(crate) resource: Scope,
    pub(crate) name: Box<str>,
}

#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) head: Head,
    pub(crate) code: Box<[Op]>,
    /// The code as it runs.
    steps: Steps,
    /// The one action that it is about, where that is all that its head asks for.
    only: Option<Uid>,
    /// Whether it looks at what the clock moves.
    timed: bool,
}

/// Policies by the narrowest part of their scope.
#[derive(Clone, Debug, Default)]
struct Found {
    all: Vec<u32>,
    resource_kinds: HashMap<Word, Vec<u32>, NumberHash>,
    subject_kinds: HashMap<Word, Vec<u32>, NumberHash>,
    resources: HashMap<Uid, Vec<u32>, NumberHash>,
    subjects: HashMap<Uid, Vec<u32>, NumberHash>,
    /// Whether any stands below a part of its scope.
    scoped: bool,
}

impl Found {
    fn put(&mut self, head: &Head, at: u32) {
        let exact = |scope: &Scope| scope.is.or(scope.within);
        let list = if let Some(uid) = exact(&head.resource) {
            self.resources.entry(uid).or_default()
        } else if let Some(uid) = exact(&head.subject) {
            self.subjects.entry(uid).or_default()
        } else if let Some(kind) = head.resource.kind {
            self.resource_kinds.entry(kind).or_default()
        } else if let Some(kind) = head.subject.kind {
            self.subject_kinds.entry(kind).or_default()
        } else {
            self.all.push(at);
            return;
        };
        list.push(at);
        self.scoped = true;
    }

    /// Visits what may concern a question until `enough` says so; whether it did.
    #[inline(always)]
    fn visit<'a>(&self, run: &mut Run<'a>, enough: &mut impl FnMut(&mut Run<'a>, u32) -> bool) -> bool {
        for at in &self.all {
            if enough(run, *at) {
                return true;
            }
        }
        self.scoped && self.visit_scoped(run, enough)
    }

    /// The same of those whose scope names somebody or something.
    #[inline(never)]
    fn visit_scoped<'a>(&self, run: &mut Run<'a>, enough: &mut dyn FnMut(&mut Run<'a>, u32) -> bool) -> bool {
        let (request, entities) = (run.request, run.entities);
        let mut any =
            |list: Option<&Vec<u32>>| list.is_some_and(|list| list.iter().any(|at| enough(run, *at)));
        let kind = |kinds: &HashMap<Word, Vec<u32>, NumberHash>, uid: Uid| {
            if kinds.is_empty() { None } else { request.kind(uid) }
        };
        let resource_kind = kind(&self.resource_kinds, request.resource);
        let subject_kind = kind(&self.subject_kinds, request.subject);
        if any(resource_kind.and_then(|kind| self.resource_kinds.get(&kind)))
            || any(subject_kind.and_then(|kind| self.subject_kinds.get(&kind)))
            || any(self.resources.get(&request.resource))
            || any(self.subjects.get(&request.subject))
        {
            return true;
        }
        let above = |named: &HashMap<Uid, Vec<u32>, NumberHash>, uid: Uid| {
            let row = if named.is_empty() { None } else { request.row(entities, uid) };
            row.map_or(&[][..], |(row, table)| table.ancestors(row))
        };
        above(&self.resources, request.resource).iter().any(|uid| any(self.resources.get(uid)))
            || above(&self.subjects, request.subject).iter().any(|uid| any(self.subjects.get(uid)))
    }
}

/// Policies of one effect, by action and scope.
#[derive(Clone, Debug, Default)]
struct Index {
    any: Found,
    /// Those about certain actions.
    of_actions: Vec<Found>,
    /// By the number of an action: one more than the place above, 0 for none. Numbers of actions are small: they are given
    /// before those of entities that are stored.
    by_action: Vec<u32>,
    some: bool,
}

impl Index {
    fn put(&mut self, head: &Head, at: u32) {
        self.some = true;
        let Some(actions) = &head.actions else { return self.any.put(head, at) };
        for action in actions {
            let place = action.0 as usize;
            if self.by_action.len() <= place {
                self.by_action.resize(place + 1, 0);
            }
            let Some(slot) = self.by_action.get_mut(place) else { continue };
            if *slot == 0 {
                self.of_actions.push(Found::default());
                *slot = number(self.of_actions.len());
            }
            if let Some(found) = self.of_actions.get_mut(slot.wrapping_sub(1) as usize) {
                found.put(head, at);
            }
        }
    }

    #[inline]
    fn of(&self, action: Uid) -> Option<&Found> {
        let slot = self.by_action.get(action.0 as usize)?;
        self.of_actions.get(slot.wrapping_sub(1) as usize)
    }
}

/// Compiled policies.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    pub(crate) constants: Vec<Value>,
    pub(crate) words: Vec<Word>,
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) policies: Vec<Policy>,
    permits: Index,
    forbids: Index,
    made: usize,
    deep: usize,
    /// Whether any needs a stack.
    stacked: bool,
}

/// Room that evaluation works in: taken once, used again and again.
#[derive(Debug, Default)]
pub struct Room {
    pub(crate) stack: Vec<Value>,
    pub(crate) made: Vec<Value>,
    timed: bool,
    /// Steps that the question may still take.
    pub(crate) left: Cell<u32>,
}

/// LIMIT: steps that one question may take over all policies that may concern it, some 100 us: one for a policy, for an
/// instruction, for a pair of values that is compared, within sets and records too, and for 64 bytes of a text that is
/// looked through. What would take more fails, under both rules.
pub const QUESTION_STEPS_MAX: u32 = 16_384;

impl Room {
    /// Room for a program of its own.
    #[cfg(test)]
    pub(crate) fn of(deep: usize, steps: u32) -> Self {
        Self { stack: Vec::with_capacity(deep), left: Cell::new(steps), ..Self::default() }
    }

    /// Steps that the last question took.
    #[must_use]
    pub const fn steps(&self) -> u32 {
        QUESTION_STEPS_MAX.saturating_sub(self.left.get())
    }

    /// Whether a policy that the last question concerned looks at what the clock moves.
    #[must_use]
    pub const fn is_timed(&self) -> bool {
        self.timed
    }
}

/// What one policy says to a question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It applies.
    Applies,
    /// It failed.
    Failed(FaultReason),
}

/// What all policies say to a question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ruling {
    /// A policy permits and none forbids: the number of one that permits.
    Permit(u32),
    /// No policy permits.
    NoPermit,
    /// A policy forbids: its number.
    Forbidden(u32),
    /// A policy that forbids failed, and the rule is strict or its program is not whole: its number, and why.
    Failed(u32, FaultReason),
}

impl Ruling {
    /// Whether it permits.
    #[must_use]
    pub const fn permits(self) -> bool {
        matches!(self, Self::Permit(_))
    }
}

impl Policies {
    /// No policies, but words that a program speaks of.
    #[cfg(test)]
    pub(crate) fn of_words(words: &[Word]) -> Self {
        Self { words: words.to_vec(), ..Self::default() }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.policies.len()
    }

    /// The name of a policy.
    #[must_use]
    pub fn name(&self, number: u32) -> &str {
        self.policies.get(number as usize).map_or("", |policy| &policy.head.name)
    }

    /// What a policy does.
    #[must_use]
    pub fn effect(&self, number: u32) -> Effect {
        self.policies.get(number as usize).map_or(Effect::Forbid, |policy| policy.head.effect)
    }

    /// Room for the largest of these policies.
    #[must_use]
    pub fn room(&self) -> Room {
        Room { stack: Vec::with_capacity(self.deep), made: Vec::with_capacity(self.made), ..Room::default() }
    }

    pub(crate) fn add(&mut self, head: Head, code: Vec<Op>, made: usize, deep: usize) {
        let at = number(self.policies.len());
        let index = match head.effect {
            Effect::Permit => &mut self.permits,
            Effect::Forbid => &mut self.forbids,
        };
        index.put(&head, at);
        (self.made, self.deep) = (self.made.max(made), self.deep.max(deep));
        let policy = Policy::new(head, code, &self.words);
        self.stacked |= matches!(policy.steps, Steps::Any(_));
        self.policies.push(policy);
    }

    /// Says which attributes of the context the clock moves: policies that look at one of them, or at the context
    /// as a whole, are told apart from now on ([`Room::is_timed`]).
    pub fn moved_by_clock(&mut self, names: &[Word]) {
        let words = &self.words;
        for policy in &mut self.policies {
            let whole_or_moved = |pair: &[Op]| match pair {
                [Op::Load(Variable::Context), Op::Attribute(name)] => names.contains(name),
                [Op::Load(Variable::Context), Op::Has { start, .. }] => {
                    words.get(*start as usize).is_none_or(|name| names.contains(name))
                }
                [Op::Load(Variable::Context), ..] => true,
                _ => false,
            };
            // The last instruction stands alone.
            let last = policy.code.last().is_some_and(|op| matches!(op, Op::Load(Variable::Context)));
            policy.timed = last || policy.code.windows(2).any(whole_or_moved);
        }
    }

    /// What these policies say. Allocates nothing when `room` is [`Policies::room`] of them.
    pub fn decide(
        &self,
        entities: &Entities,
        request: &Request<'_>,
        rule: FaultRule,
        room: &mut Room,
    ) -> Ruling {
        let mut run = self.begin(entities, request, room);
        if self.forbids.some
            && let Some(ruling) = self.forbidden(&mut run, rule)
        {
            return ruling;
        }
        let mut ruling = Ruling::NoPermit;
        self.visit(&self.permits, &mut run, |at, outcome| {
            if outcome == Outcome::Applies {
                ruling = Ruling::Permit(at);
            }
            outcome == Outcome::Applies
        });
        ruling
    }

    /// What the policies that forbid say alone: nothing when none does.
    pub fn forbids(
        &self,
        entities: &Entities,
        request: &Request<'_>,
        rule: FaultRule,
        room: &mut Room,
    ) -> Option<Ruling> {
        let mut run = self.begin(entities, request, room);
        self.forbidden(&mut run, rule)
    }

    fn forbidden(&self, run: &mut Run<'_>, rule: FaultRule) -> Option<Ruling> {
        let mut ruling = None;
        self.visit(&self.forbids, run, |at, outcome| {
            ruling = match (outcome, rule) {
                (Outcome::Applies, _) => Some(Ruling::Forbidden(at)),
                (Outcome::Failed(fault), FaultRule::Strict)
                | (
                    Outcome::Failed(fault @ (FaultReason::Program | FaultReason::Exhausted)),
                    FaultRule::Cedar,
                ) => Some(Ruling::Failed(at, fault)),
                (Outcome::Failed(_), FaultRule::Cedar) => None,
            };
            ruling.is_some()
        });
        ruling
    }

    /// Every policy that applies or fails, by number.
    pub fn all(&self, entities: &Entities, request: &Request<'_>, room: &mut Room) -> Vec<(u32, Outcome)> {
        let mut run = self.begin(entities, request, room);
        let mut found = Vec::new();
        for index in [&self.forbids, &self.permits] {
            self.visit(index, &mut run, |at, outcome| {
                found.push((at, outcome));
                false
            });
        }
        found.sort_unstable_by_key(|(at, _)| *at);
        found.dedup_by_key(|(at, _)| *at);
        found
    }

    /// A question in its room.
    #[inline(always)]
    fn begin<'r>(&'r self, entities: &'r Entities, request: &'r Request<'_>, room: &'r mut Room) -> Run<'r> {
        room.timed = false;
        room.left.set(QUESTION_STEPS_MAX);
        if self.stacked {
            // What is reserved counts from the end of what lies there.
            room.stack.clear();
            room.stack.reserve(self.deep);
            room.made.clear();
            room.made.reserve(self.made);
        }
        Run { request, entities, policies: self, parts: Parts::of(request, entities), room }
    }

    /// Evaluates the policies that may concern the question until `enough` says so.
    #[inline]
    fn visit<'a>(&self, index: &Index, run: &mut Run<'a>, mut enough: impl FnMut(u32, Outcome) -> bool) {
        if !index.some {
            return;
        }
        let mut one = |run: &mut Run<'a>, at: u32| {
            let Some(policy) = self.policies.get(at as usize) else { return false };
            let outcome = policy.outcome(run);
            outcome.is_some_and(|outcome| enough(at, outcome))
        };
        if index.any.visit(run, &mut one) {
            return;
        }
        let action = run.request.action;
        if let Some(found) = index.of(action)
            && found.visit(run, &mut one)
        {
            return;
        }
        let Some((row, table)) = run.request.row(run.entities, action) else { return };
        for action in table.ancestors(row) {
            if let Some(found) = index.of(*action)
                && found.visit(run, &mut one)
            {
                return;
            }
        }
    }
}

impl Policy {
    fn new(head: Head, code: Vec<Op>, words: &[Word]) -> Self {
        let free = |scope: &Scope| scope.is.is_none() && scope.within.is_none() && scope.kind.is_none();
        let only = match head.actions.as_deref() {
            Some([action]) if !head.below && free(&head.subject) && free(&head.resource) => Some(*action),
            Some(_) | None => None,
        };
        Self { steps: Steps::of(&code, words), head, code: code.into_boxed_slice(), only, timed: false }
    }

    /// What it says; nothing when it does not apply.
    #[inline(always)]
    fn outcome(&self, run: &mut Run<'_>) -> Option<Outcome> {
        let concerns = if self.only == Some(run.request.action) {
            run.pay(1).map(|()| true)
        } else {
            self.concerns(run)
        };
        match concerns {
            Ok(true) => {}
            Ok(false) => return None,
            Err(fault) => return Some(Outcome::Failed(fault)),
        }
        run.room.timed |= self.timed;
        let answer = match &self.steps {
            Steps::Row(tests) => run.row(tests),
            Steps::Any(steps) => run.answer(steps),
        };
        match answer {
            Ok(true) => Some(Outcome::Applies),
            Ok(false) => None,
            Err(fault) => Some(Outcome::Failed(fault)),
        }
    }

    /// Whether it is about the question.
    fn concerns(&self, run: &Run<'_>) -> Result<bool, FaultReason> {
        let (head, request) = (&self.head, run.request);
        let listed = head.actions.as_ref().map_or(0, |actions| if head.below { actions.len() } else { 0 });
        run.pay(number(listed).saturating_add(1))?;
        Ok(run.concerns(&head.subject, request.subject)
            && run.concerns(&head.resource, request.resource)
            && head.actions.as_ref().is_none_or(|actions| {
                actions.binary_search(&request.action).is_ok()
                    || head.below && actions.iter().any(|action| run.is_below(request.action, *action))
            }))
    }
}

impl Run<'_> {
    fn concerns(&self, scope: &Scope, uid: Uid) -> bool {
        scope.is.is_none_or(|one| one == uid)
            && scope.kind.is_none_or(|kind| self.request.kind(uid) == Some(kind))
            && scope.within.is_none_or(|of| self.is_below(uid, of))
    }

    fn is_below(&self, uid: Uid, of: Uid) -> bool {
        self.is_in(uid, Value::Entity(of)).unwrap_or(false)
    }
}
