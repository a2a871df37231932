//! Running a program: one pass over its instructions, a stack, a heap for what it makes. No allocation.
//!
//! It is total: whatever the values are, it ends in true, in false or in a typed fault.

use crate::entities::Entities;
use crate::fault::FaultReason;
use crate::fuse::{END, Fused, Short, ShortKind, Test, What};
use crate::op::{Op, Than, Variable};
use crate::pattern::Pattern;
use crate::request::Request;
use crate::value::{Heap, Heaps, Span, Uid, Value, Word, fields, found};
use std::cell::Cell;
use std::cmp::Ordering;

/// What programs point into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pool<'a> {
    pub(crate) constants: &'a [Value],
    pub(crate) words: &'a [Word],
    pub(crate) patterns: &'a [Pattern],
}

/// The attributes of the parts of a question, looked up once for all of its programs; none of an entity that nobody knows.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    subject: Option<&'a [[Value; 2]]>,
    resource: Option<&'a [[Value; 2]]>,
    context: &'a [[Value; 2]],
}

impl<'a> Parts<'a> {
    #[inline]
    pub(crate) fn of(request: &'a Request<'_>, entities: &'a Entities) -> Self {
        let known = |uid: Uid| {
            let (row, _) = request.row(entities, uid)?;
            let heap = if row.attributes.heap == Heap::Entities { &entities.heap } else { &request.heap };
            Some(fields(heap, row.attributes))
        };
        let context = fields(&request.heap, request.context);
        Self { subject: known(request.subject), resource: known(request.resource), context }
    }
}

/// One program, one question.
pub(crate) struct Run<'a> {
    pub(crate) request: &'a Request<'a>,
    pub(crate) entities: &'a Entities,
    pub(crate) parts: Parts<'a>,
    pub(crate) pool: Pool<'a>,
    pub(crate) stack: &'a mut Vec<Value>,
    pub(crate) made: &'a mut Vec<Value>,
    /// Steps that the question may still take.
    pub(crate) left: &'a Cell<u32>,
}

/// Bytes of a text that are looked at for one step.
pub(crate) const BYTES_PER_STEP: usize = 64;

type Step<T> = Result<T, FaultReason>;

impl Run<'_> {
    /// The answer of a whole program.
    pub(crate) fn answer(&mut self, code: &[Fused]) -> Step<bool> {
        self.stack.clear();
        self.made.clear();
        let mut at = 0;
        while let Some(one) = code.get(at) {
            at += 1;
            let (truth, branch) = match one {
                Fused::Test(test) => {
                    let truth = self.test(test)?;
                    match &test.then {
                        Some(branch) => (truth, branch),
                        None if test.last => return Ok(truth),
                        None => {
                            self.put(Value::Bool(truth))?;
                            continue;
                        }
                    }
                }
                Fused::Branch(branch) => {
                    self.pay(1)?;
                    (self.truth()?, branch)
                }
                Fused::Jump(to) => {
                    self.pay(1)?;
                    at = *to as usize;
                    continue;
                }
                Fused::Field(of, name) => {
                    self.put_field(*of, *name)?;
                    continue;
                }
                Fused::One(op) => {
                    self.pay(1)?;
                    self.step(*op)?;
                    continue;
                }
            };
            if truth == branch.when {
                if let Some(left) = branch.leaves {
                    if branch.to == END {
                        return Ok(left);
                    }
                    self.put(Value::Bool(left))?;
                }
                at = branch.to as usize;
            }
        }
        self.truth()
    }

    /// The same, one instruction after the other.
    #[cfg(test)]
    pub(crate) fn slowly(&mut self, code: &[Op]) -> Step<bool> {
        self.stack.clear();
        self.made.clear();
        let mut at = 0;
        while let Some(op) = code.get(at) {
            at += 1;
            let Some(to) = op.target() else {
                self.step(*op)?;
                continue;
            };
            let truth = if let Op::Jump(_) = op { None } else { Some(self.truth()?) };
            let taken = truth.is_none_or(|truth| truth == matches!(op, Op::Or(_)));
            if let (true, Some(truth), false) = (taken, truth, matches!(op, Op::Unless(_))) {
                self.put(Value::Bool(truth))?;
            }
            if taken {
                at = to as usize;
            }
        }
        self.truth()
    }

    /// The answer to a question about an attribute.
    #[inline]
    fn test(&self, test: &Test) -> Step<bool> {
        self.pay(test.steps)?;
        let field = self.field(test.of, test.name);
        let answer = match &test.what {
            What::Between(kind, first, last) => {
                let number = match (field?, kind) {
                    (Value::Long(number), ShortKind::Long)
                    | (Value::Datetime(number), ShortKind::Datetime)
                    | (Value::Duration(number), ShortKind::Duration) => *number,
                    _ => return Err(FaultReason::Type),
                };
                *first <= number && number <= *last
            }
            What::Is(right) => Short::of(field?) == Some(*right),
            What::Truth => {
                let Value::Bool(truth) = field? else { return Err(FaultReason::Type) };
                *truth
            }
            What::Has => match field {
                Ok(_) => true,
                Err(FaultReason::AttributeMissing | FaultReason::EntityUnknown) => false,
                Err(fault) => return Err(fault),
            },
            What::IsPart(part) => self.is_part(field?, *part)?,
        };
        Ok(answer != test.not)
    }

    // What is rare, or long, stands apart, so that the row of questions is short.

    #[inline(never)]
    fn is_part(&self, left: &Value, part: Variable) -> Step<bool> {
        self.compared(self.heaps().equal(*left, self.variable(part)))
    }

    #[inline(never)]
    fn put_field(&mut self, of: Variable, name: Word) -> Step<()> {
        self.pay(2)?;
        let value = *self.field(of, name)?;
        self.put(value)
    }

    #[inline(never)]
    fn of_action(&self) -> Step<&[[Value; 2]]> {
        let row = self.request.row(self.entities, self.request.action);
        let (row, _) = row.ok_or(FaultReason::EntityUnknown)?;
        Ok(fields(self.heaps().heap(row.attributes), row.attributes))
    }

    /// An attribute of a part of the question.
    #[inline(always)]
    fn field(&self, of: Variable, name: Word) -> Step<&Value> {
        let fields = match of {
            Variable::Subject => self.parts.subject.ok_or(FaultReason::EntityUnknown)?,
            Variable::Context => self.parts.context,
            Variable::Resource => self.parts.resource.ok_or(FaultReason::EntityUnknown)?,
            Variable::Action => self.of_action()?,
        };
        found(fields, name).ok_or(FaultReason::AttributeMissing)
    }

    /// Takes steps from those that are left.
    pub(crate) fn pay(&self, steps: u32) -> Step<()> {
        self.left.set(self.left.get().checked_sub(steps).ok_or(FaultReason::Exhausted)?);
        Ok(())
    }

    /// What came of comparing, when there were steps for all of it.
    pub(crate) fn compared<T>(&self, came: T) -> Step<T> {
        if self.left.get() == 0 { Err(FaultReason::Exhausted) } else { Ok(came) }
    }

    #[inline(never)]
    fn step(&mut self, op: Op) -> Step<()> {
        let value = match op {
            Op::Push(value) => value,
            Op::Load(variable) => self.variable(variable),
            Op::Attribute(name) => {
                let value = self.pop()?;
                self.attribute(value, name)?
            }
            Op::Has { start, len } => {
                self.pay(len)?;
                let value = self.pop()?;
                Value::Bool(self.has(value, start, len)?)
            }
            Op::Double => {
                let value = self.pop()?;
                self.put(value)?;
                value
            }
            Op::Drop => return self.pop().map(drop),
            Op::Truth | Op::Not => Value::Bool(self.truth()? != matches!(op, Op::Not)),
            Op::Equal | Op::Unequal => {
                let (left, right) = self.two()?;
                let equal = self.compared(self.heaps().equal(left, right))?;
                Value::Bool(equal == matches!(op, Op::Equal))
            }
            Op::Order(than) => {
                let (left, right) = self.two()?;
                Value::Bool(holds(than, comparable(&left, &right)?))
            }
            Op::Is(kind) => {
                let uid = self.entity()?;
                Value::Bool(self.request.kind(uid) == Some(kind))
            }
            Op::In => {
                let right = self.pop()?;
                if let Value::Set(span) = right {
                    self.pay(span.len)?;
                }
                let uid = self.entity()?;
                Value::Bool(self.is_in(uid, right)?)
            }
            Op::Like(pattern) => {
                let word = self.word()?;
                let pattern = self.pool.patterns.get(pattern as usize).ok_or(FaultReason::Program)?;
                let text = self.request.text(word);
                let parts = pattern.parts().iter().map(|part| part.len() + 1).sum::<usize>();
                self.pay(crate::names::number((text.len() + parts) / BYTES_PER_STEP))?;
                Value::Bool(pattern.matches(text))
            }
            Op::HasTag => Value::Bool(self.tag()?.is_ok()),
            Op::Tag => self.tag()??,
            Op::IsEmpty => Value::Bool(self.set()?.len == 0),
            Op::Sets(kind) => return self.sets(kind),
            Op::Set(items) => return self.make_set(items),
            Op::Record { start, len } => return self.make_record(start, len),
            Op::Negate => return self.negate(),
            Op::Arithmetic(sum) => return self.arithmetic(sum),
            Op::Single(single) => return self.single(single),
            Op::Pair(pair) => return self.pair(pair),
            Op::And(_) | Op::Or(_) | Op::Unless(_) | Op::Jump(_) => return Err(FaultReason::Program),
        };
        self.put(value)
    }

    pub(crate) fn put(&mut self, value: Value) -> Step<()> {
        // COST: never grows; the room for the deepest program was taken once.
        if self.stack.len() == self.stack.capacity() {
            return Err(FaultReason::Program);
        }
        self.stack.push(value);
        Ok(())
    }

    pub(crate) fn pop(&mut self) -> Step<Value> {
        self.stack.pop().ok_or(FaultReason::Program)
    }

    pub(crate) fn two(&mut self) -> Step<(Value, Value)> {
        let right = self.pop()?;
        Ok((self.pop()?, right))
    }

    pub(crate) fn heaps(&self) -> Heaps<'_> {
        Heaps {
            constants: self.pool.constants,
            entities: &self.entities.heap,
            request: &self.request.heap,
            made: self.made,
            left: self.left,
        }
    }

    fn truth(&mut self) -> Step<bool> {
        let Value::Bool(truth) = self.pop()? else { return Err(FaultReason::Type) };
        Ok(truth)
    }

    pub(crate) fn word(&mut self) -> Step<Word> {
        let Value::Text(word) = self.pop()? else { return Err(FaultReason::Type) };
        Ok(word)
    }

    fn entity(&mut self) -> Step<Uid> {
        let Value::Entity(uid) = self.pop()? else { return Err(FaultReason::Type) };
        Ok(uid)
    }

    pub(crate) fn set(&mut self) -> Step<Span> {
        let Value::Set(span) = self.pop()? else { return Err(FaultReason::Type) };
        Ok(span)
    }

    fn variable(&self, variable: Variable) -> Value {
        match variable {
            Variable::Subject => Value::Entity(self.request.subject),
            Variable::Action => Value::Entity(self.request.action),
            Variable::Resource => Value::Entity(self.request.resource),
            Variable::Context => Value::Record(self.request.context),
        }
    }

    fn attribute(&self, value: Value, name: Word) -> Step<Value> {
        if let Value::Record(span) = value {
            return self.heaps().field(span, name).ok_or(FaultReason::AttributeMissing);
        }
        let Value::Entity(uid) = value else { return Err(FaultReason::Type) };
        let (row, _) = self.request.row(self.entities, uid).ok_or(FaultReason::EntityUnknown)?;
        self.heaps().field(row.attributes, name).ok_or(FaultReason::AttributeMissing)
    }

    fn has(&self, value: Value, start: u32, len: u32) -> Step<bool> {
        let start = start as usize;
        let path = self.pool.words.get(start..start.saturating_add(len as usize));
        let mut value = value;
        for name in path.ok_or(FaultReason::Program)? {
            match self.attribute(value, *name) {
                Ok(next) => value = next,
                Err(FaultReason::AttributeMissing | FaultReason::EntityUnknown) => return Ok(false),
                Err(fault) => return Err(fault),
            }
        }
        Ok(true)
    }

    /// The tag of the entity below the key on the stack; the inner fault says that there is none.
    fn tag(&mut self) -> Step<Step<Value>> {
        let key = self.pop()?;
        let uid = self.entity()?;
        let Value::Text(key) = key else { return Err(FaultReason::Type) };
        let Some((row, _)) = self.request.row(self.entities, uid) else {
            return Ok(Err(FaultReason::EntityUnknown));
        };
        Ok(self.heaps().field(row.tags, key).ok_or(FaultReason::TagMissing))
    }

    /// Whether an entity is `of`, or below it, or one of it or below one of it.
    pub(crate) fn is_in(&self, uid: Uid, of: Value) -> Step<bool> {
        let row = self.request.row(self.entities, uid);
        let ancestors = row.map_or(&[][..], |(row, table)| table.ancestors(row));
        let below = |other: Uid| other == uid || ancestors.binary_search(&other).is_ok();
        if let Value::Entity(other) = of {
            return Ok(below(other));
        }
        let Value::Set(span) = of else { return Err(FaultReason::Type) };
        let mut found = false;
        for item in self.heaps().items(span) {
            let Value::Entity(other) = item else { return Err(FaultReason::Type) };
            found |= below(*other);
        }
        Ok(found)
    }

    /// Puts a set or record of the values that lie on the stack.
    pub(crate) fn make_set(&mut self, items: u32) -> Step<()> {
        self.pay(items)?;
        let start = self.made.len();
        let from = self.stack.len().checked_sub(items as usize).ok_or(FaultReason::Program)?;
        let items = self.stack.get(from..).ok_or(FaultReason::Program)?;
        if self.made.len().saturating_add(items.len()) > self.made.capacity() {
            return Err(FaultReason::Program);
        }
        self.made.extend_from_slice(items);
        self.stack.truncate(from);
        let (older, fresh) = self.made.split_at_mut_checked(start).ok_or(FaultReason::Program)?;
        let heaps = Heaps {
            constants: self.pool.constants,
            entities: &self.entities.heap,
            request: &self.request.heap,
            made: older,
            left: self.left,
        };
        // By halves among those that are in order already: what has run out of steps on the way ends here, and what is
        // not in order any more is not looked at.
        let mut kept = 0_usize;
        for at in 0..fresh.len() {
            let Some(item) = fresh.get(at).copied() else { break };
            let ordered = fresh.get(..kept).unwrap_or_default();
            let found = ordered.binary_search_by(|one| heaps.compare(*one, item));
            let moved = kept.saturating_sub(found.unwrap_or_else(|place| place)) / BYTES_PER_STEP;
            let rest = self.left.get().checked_sub(crate::names::number(moved).max(1));
            self.left.set(rest.filter(|rest| *rest > 0).ok_or(FaultReason::Exhausted)?);
            let Err(place) = found else { continue };
            if let Some(cell) = fresh.get_mut(kept) {
                *cell = item;
            }
            kept += 1;
            if let Some(tail) = fresh.get_mut(place..kept) {
                tail.rotate_right(1);
            }
        }
        self.made.truncate(start + kept);
        let (start, len) = (crate::names::number(start), crate::names::number(kept));
        self.put(Value::Set(Span { heap: Heap::Made, start, len }))
    }

    /// Puts a record of the values that lie on the stack, under names that are sorted.
    pub(crate) fn make_record(&mut self, first: u32, len: u32) -> Step<()> {
        let start = self.made.len();
        let from = self.stack.len().checked_sub(len as usize).ok_or(FaultReason::Program)?;
        let first = first as usize;
        let names = self.pool.words.get(first..first.saturating_add(len as usize));
        let values = self.stack.get(from..).ok_or(FaultReason::Program)?;
        if start.saturating_add(values.len() * 2) > self.made.capacity() {
            return Err(FaultReason::Program);
        }
        for (name, value) in names.ok_or(FaultReason::Program)?.iter().zip(values) {
            self.made.push(Value::Text(*name));
            self.made.push(*value);
        }
        self.stack.truncate(from);
        self.put(Value::Record(Span { heap: Heap::Made, start: crate::names::number(start), len }))
    }
}

/// The order of two values that have one.
#[inline]
fn comparable(left: &Value, right: &Value) -> Step<Ordering> {
    match (left, right) {
        (Value::Long(left), Value::Long(right))
        | (Value::Datetime(left), Value::Datetime(right))
        | (Value::Duration(left), Value::Duration(right)) => Ok(left.cmp(right)),
        _ => Err(FaultReason::Type),
    }
}

pub(crate) const fn holds(than: Than, order: Ordering) -> bool {
    match than {
        Than::Less => order.is_lt(),
        Than::LessOrEqual => order.is_le(),
        Than::Greater => order.is_gt(),
        Than::GreaterOrEqual => order.is_ge(),
    }
}
