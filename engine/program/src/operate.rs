//! Operators on numbers, collections, addresses, decimals, instants and durations.

use crate::fault::FaultReason;
use crate::names::number;
use crate::op::{IpKind, Pair, Reading, SetKind, Single, Sum};
use crate::run::{BYTES_PER_STEP, Run, holds};
use crate::text;
use crate::value::{Ip, Span, Value};

type Step<T> = Result<T, FaultReason>;

const fn long(value: Value) -> Step<i64> {
    if let Value::Long(long) = value { Ok(long) } else { Err(FaultReason::Type) }
}

const fn decimal(value: Value) -> Step<i64> {
    if let Value::Decimal(decimal) = value { Ok(decimal) } else { Err(FaultReason::Type) }
}

const fn datetime(value: Value) -> Step<i64> {
    if let Value::Datetime(at) = value { Ok(at) } else { Err(FaultReason::Type) }
}

const fn duration(value: Value) -> Step<i64> {
    if let Value::Duration(long) = value { Ok(long) } else { Err(FaultReason::Type) }
}

const fn ip(value: Value) -> Step<Ip> {
    if let Value::Ip(ip) = value { Ok(ip) } else { Err(FaultReason::Type) }
}

impl Run<'_> {
    pub(crate) fn negate(&mut self) -> Step<()> {
        let negative = long(self.pop()?)?.checked_neg();
        self.put(Value::Long(negative.ok_or(FaultReason::Overflow)?))
    }

    pub(crate) fn arithmetic(&mut self, sum: Sum) -> Step<()> {
        let (left, right) = self.two()?;
        let (left, right) = (long(left)?, long(right)?);
        let result = match sum {
            Sum::Add => left.checked_add(right),
            Sum::Subtract => left.checked_sub(right),
            Sum::Multiply => left.checked_mul(right),
        };
        self.put(Value::Long(result.ok_or(FaultReason::Overflow)?))
    }

    pub(crate) fn sets(&mut self, kind: SetKind) -> Step<()> {
        let (left, right) = self.two()?;
        let Value::Set(left) = left else { return Err(FaultReason::Type) };
        self.pay(1)?;
        let answer = if let SetKind::Contains = kind {
            self.heaps().contains(left, right)
        } else {
            let Value::Set(right) = right else { return Err(FaultReason::Type) };
            if let SetKind::ContainsAll = kind {
                self.holds_all(left, right)
            } else {
                self.shares(left, right)
            }
        };
        let answer = self.compared(answer)?;
        self.put(Value::Bool(answer))
    }

    fn holds_all(&self, left: Span, right: Span) -> bool {
        let heaps = self.heaps();
        right.len <= left.len && heaps.items(right).iter().all(|item| heaps.contains(left, *item))
    }

    fn shares(&self, left: Span, right: Span) -> bool {
        let heaps = self.heaps();
        let (few, many) = if left.len <= right.len { (left, right) } else { (right, left) };
        heaps.items(few).iter().any(|item| heaps.contains(many, *item))
    }

    pub(crate) fn single(&mut self, single: Single) -> Step<()> {
        let value = match single {
            Single::Read(reading) => {
                let word = self.word()?;
                let text = self.request.text(word);
                self.pay(number(text.len() / BYTES_PER_STEP))?;
                read(reading, text)?
            }
            Single::IpIs(kind) => {
                let ip = ip(self.pop()?)?;
                Value::Bool(match kind {
                    IpKind::Four => !ip.six,
                    IpKind::Six => ip.six,
                    IpKind::Loopback => ip.is_loopback(),
                    IpKind::Multicast => ip.is_multicast(),
                })
            }
            Single::ToDate => {
                Value::Datetime(text::to_date(datetime(self.pop()?)?).ok_or(FaultReason::Overflow)?)
            }
            Single::ToTime => Value::Duration(text::to_time(datetime(self.pop()?)?)),
            Single::Whole(unit) => {
                let long = duration(self.pop()?)?;
                Value::Long(long.checked_div(unit).ok_or(FaultReason::Program)?)
            }
        };
        self.put(value)
    }

    pub(crate) fn pair(&mut self, pair: Pair) -> Step<()> {
        let (left, right) = self.two()?;
        let value = match pair {
            Pair::Decimal(than) => Some(Value::Bool(holds(than, decimal(left)?.cmp(&decimal(right)?)))),
            Pair::InRange => Some(Value::Bool(ip(left)?.is_in(ip(right)?))),
            Pair::Offset => datetime(left)?.checked_add(duration(right)?).map(Value::Datetime),
            Pair::Since => datetime(left)?.checked_sub(datetime(right)?).map(Value::Duration),
        };
        self.put(value.ok_or(FaultReason::Overflow)?)
    }
}

fn read(reading: Reading, of: &str) -> Step<Value> {
    let value = match reading {
        Reading::Ip => Ip::parse(of).map(Value::Ip),
        Reading::Decimal => text::decimal(of).map(Value::Decimal),
        Reading::Datetime => text::datetime(of).map(Value::Datetime),
        Reading::Duration => text::duration(of).map(Value::Duration),
    };
    value.ok_or(FaultReason::Unreadable)
}
