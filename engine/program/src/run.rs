//! Running a program: one pass over its instructions, a stack, a heap for what it makes. No allocation.
//!
//! It is total: whatever the values are, it ends in true, in false or in a typed fault.

use crate::brief::Parts;
use crate::entities::Entities;
use crate::fault::FaultReason;
use crate::fuse::{END, Fused, Test, What};
use crate::op::{Op, Than, Variable};
use crate::policies::{Policies, Room};
use crate::request::Request;
use crate::value::{Heap, Heaps, Span, Uid, Value, Word};
use std::cmp::Ordering;

/// One question, and the programs that it is asked of.
pub(crate) struct Run<'a> {
    pub(crate) request: &'a Request<'a>,
    pub(crate) entities: &'a Entities,
    pub(crate) policies: &'a Policies,
    pub(crate) parts: Parts<'a>,
    pub(crate) room: &'a mut Room,
}

/// Bytes of a text that are looked at for one step.
pub(crate) const BYTES_PER_STEP: usize = 64;

type Step<T> = Result<T, FaultReason>;

impl Run<'_> {
    /// The answer of a program that is a row of questions about attributes: it needs no stack.
    #[inline(never)]
    pub(crate) fn row(&mut self, tests: &[Test]) -> Step<bool> {
        let mut rest = tests;
        while let Some((test, next)) = rest.split_first() {
            rest = next;
            if self.test(test)? == test.then.when {
                let Some(further) = tests.get(test.then.to as usize..) else {
                    return Ok(test.then.leaves == Some(true));
                };
                rest = further;
            }
        }
        Ok(false)
    }

    /// The answer of a whole program.
    pub(crate) fn answer(&mut self, code: &[Fused]) -> Step<bool> {
        self.room.stack.clear();
        self.room.made.clear();
        let mut at = 0;
        while let Some(one) = code.get(at) {
            at += 1;
            let then = match one {
                Fused::Test(test) => {
                    if self.test(test)? != test.then.when {
                        continue;
                    }
                    test.then
                }
                Fused::End(answer) => return Ok(*answer),
                Fused::Branch(then) => {
                    self.pay(1)?;
                    if self.truth()? != then.when {
                        continue;
                    }
                    *then
                }
                Fused::Tell(test) => {
                    let truth = self.test(test)? == test.then.when;
                    self.put(Value::Bool(truth))?;
                    continue;
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
            if let Some(left) = then.leaves {
                if then.to == END {
                    return Ok(left);
                }
                self.put(Value::Bool(left))?;
            }
            at = then.to as usize;
        }
        self.truth()
    }

    /// The same, one instruction after the other.
    #[cfg(test)]
    pub(crate) fn slowly(&mut self, code: &[Op]) -> Step<bool> {
        self.room.stack.clear();
        self.room.made.clear();
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
    #[inline(always)]
    fn test(&mut self, test: &Test) -> Step<bool> {
        self.pay(test.steps)?;
        let brief = match self.parts.find(test.of, test.name) {
            Some(brief) => brief,
            None if test.what == What::Has && self.parts.is_plain(test.of) => return Ok(false),
            None => match self.parts.seek((self.request, self.entities), test.of, test.name) {
                Ok(brief) => brief,
                Err(FaultReason::AttributeMissing | FaultReason::EntityUnknown) if test.what == What::Has => {
                    return Ok(false);
                }
                Err(fault) => return Err(fault),
            },
        };
        if brief.kind == test.kind {
            return Ok(test.first <= brief.number && brief.number <= test.last);
        }
        if test.what == What::Has { Ok(true) } else { self.unlike(test) }
    }

    // What is rare, or long, stands apart, so that the row of questions is short.

    /// The answer to a question about an attribute of another kind.
    #[inline(never)]
    fn unlike(&self, test: &Test) -> Step<bool> {
        match test.what {
            What::Has => Ok(true),
            What::Same => Ok(false),
            What::Ordered => Err(FaultReason::Type),
            What::IsPart(part) => {
                let value = self.attribute(self.variable(test.of), test.name)?;
                self.compared(self.heaps().equal(value, self.variable(part)))
            }
        }
    }

    #[inline(never)]
    fn put_field(&mut self, of: Variable, name: Word) -> Step<()> {
        self.pay(2)?;
        let value = self.attribute(self.variable(of), name)?;
        self.put(value)
    }

    /// Takes steps from those that are left.
    pub(crate) fn pay(&self, steps: u32) -> Step<()> {
        self.room.left.set(self.room.left.get().checked_sub(steps).ok_or(FaultReason::Exhausted)?);
        Ok(())
    }

    /// What came of comparing, when there were steps for all of it.
    pub(crate) fn compared<T>(&self, came: T) -> Step<T> {
        if self.room.left.get() == 0 { Err(FaultReason::Exhausted) } else { Ok(came) }
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
                let pattern = self.policies.patterns.get(pattern as usize).ok_or(FaultReason::Program)?;
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
        if self.room.stack.len() == self.room.stack.capacity() {
            return Err(FaultReason::Program);
        }
        self.room.stack.push(value);
        Ok(())
    }

    pub(crate) fn pop(&mut self) -> Step<Value> {
        self.room.stack.pop().ok_or(FaultReason::Program)
    }

    pub(crate) fn two(&mut self) -> Step<(Value, Value)> {
        let right = self.pop()?;
        Ok((self.pop()?, right))
    }

    pub(crate) fn heaps(&self) -> Heaps<'_> {
        Heaps {
            constants: &self.policies.constants,
            entities: &self.entities.heap,
            request: &self.request.heap,
            made: &self.room.made,
            left: &self.room.left,
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
        let path = self.policies.words.get(start..start.saturating_add(len as usize));
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
        let start = self.room.made.len();
        let from = self.room.stack.len().checked_sub(items as usize).ok_or(FaultReason::Program)?;
        let items = self.room.stack.get(from..).ok_or(FaultReason::Program)?;
        if self.room.made.len().saturating_add(items.len()) > self.room.made.capacity() {
            return Err(FaultReason::Program);
        }
        self.room.made.extend_from_slice(items);
        self.room.stack.truncate(from);
        let (older, fresh) = self.room.made.split_at_mut_checked(start).ok_or(FaultReason::Program)?;
        let heaps = Heaps {
            constants: &self.policies.constants,
            entities: &self.entities.heap,
            request: &self.request.heap,
            made: older,
            left: &self.room.left,
        };
        // By halves among those that are in order already: what has run out of steps on the way ends here, and what is
        // not in order any more is not looked at.
        let mut kept = 0_usize;
        for at in 0..fresh.len() {
            let Some(item) = fresh.get(at).copied() else { break };
            let ordered = fresh.get(..kept).unwrap_or_default();
            let found = ordered.binary_search_by(|one| heaps.compare(*one, item));
            let moved = kept.saturating_sub(found.unwrap_or_else(|place| place)) / BYTES_PER_STEP;
            let rest = self.room.left.get().checked_sub(crate::names::number(moved).max(1));
            self.room.left.set(rest.filter(|rest| *rest > 0).ok_or(FaultReason::Exhausted)?);
            let Err(place) = found else { continue };
            if let Some(cell) = fresh.get_mut(kept) {
                *cell = item;
            }
            kept += 1;
            if let Some(tail) = fresh.get_mut(place..kept) {
                tail.rotate_right(1);
            }
        }
        self.room.made.truncate(start + kept);
        let (start, len) = (crate::names::number(start), crate::names::number(kept));
        self.put(Value::Set(Span { heap: Heap::Made, start, len }))
    }

    /// Puts a record of the values that lie on the stack, under names that are sorted.
    pub(crate) fn make_record(&mut self, first: u32, len: u32) -> Step<()> {
        let start = self.room.made.len();
        let from = self.room.stack.len().checked_sub(len as usize).ok_or(FaultReason::Program)?;
        let first = first as usize;
        let names = self.policies.words.get(first..first.saturating_add(len as usize));
        let values = self.room.stack.get(from..).ok_or(FaultReason::Program)?;
        if start.saturating_add(values.len() * 2) > self.room.made.capacity() {
            return Err(FaultReason::Program);
        }
        for (name, value) in names.ok_or(FaultReason::Program)?.iter().zip(values) {
            self.room.made.push(Value::Text(*name));
            self.room.made.push(*value);
        }
        self.room.stack.truncate(from);
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
