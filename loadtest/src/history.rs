//! The auditor's core: which states something can have had in an interval, given what is known of its
//! changes.
//!
//! Changes of one history never overlap: the load orders one at a time. A change takes effect at some
//! moment from its order to its acknowledgement; one that is not acknowledged may still take effect.
//! INVARIANT: states stand in the order in which they can have been; every one but the last was left.

use crate::moment::Moment;
use std::collections::VecDeque;

/// A state and when it can have begun.
#[derive(Clone, Debug)]
struct Step<S> {
    state: S,
    ordered: Moment,
    /// When it was certainly there; `MAX` while its change is in flight.
    settled: Moment,
}

/// The states that something had, has and may have.
#[derive(Clone, Debug)]
pub struct History<S> {
    steps: VecDeque<Step<S>>,
}

impl<S: Clone> History<S> {
    /// Something that is in this state from the beginning.
    #[must_use]
    pub fn new(state: S) -> Self {
        Self { steps: VecDeque::from([Step { state, ordered: 0, settled: 0 }]) }
    }

    /// Whether a change is in flight: no other may be ordered.
    #[must_use]
    pub fn in_flight(&self) -> bool {
        self.steps.back().is_some_and(|step| step.settled == Moment::MAX)
    }

    /// A change was ordered: from now on the state may be this one. False while another is in flight.
    pub fn order(&mut self, state: S, now: Moment) -> bool {
        if self.in_flight() {
            return false;
        }
        self.steps.push_back(Step { state, ordered: now, settled: Moment::MAX });
        true
    }

    /// The change in flight was acknowledged: the state is certainly its own.
    pub fn settle(&mut self, now: Moment) {
        if let Some(step) = self.steps.back_mut().filter(|step| step.settled == Moment::MAX) {
            step.settled = now;
        }
    }

    /// As [`History::settle`], with what the answer told of the new state (an id that was not known before).
    pub fn settle_as(&mut self, now: Moment, refine: impl FnOnce(&mut S)) {
        if let Some(step) = self.steps.back_mut().filter(|step| step.settled == Moment::MAX) {
            refine(&mut step.state);
            step.settled = now;
        }
    }

    /// The change in flight was refused: it never happens.
    pub fn refuse(&mut self) {
        if self.in_flight() && self.steps.len() > 1 {
            self.steps.pop_back();
        }
    }

    /// The states that can have been there at some moment from `from` to `to`.
    pub fn possible(&self, from: Moment, to: Moment) -> impl Iterator<Item = &S> {
        let left = self.steps.iter().skip(1).map(|next| next.settled).chain([Moment::MAX]);
        let steps = self.steps.iter().zip(left);
        steps.filter(move |(step, left)| step.ordered <= to && *left >= from).map(|(step, _)| &step.state)
    }

    /// The newest state: certain, or that of the change in flight.
    #[must_use]
    pub fn newest(&self) -> Option<&S> {
        self.steps.back().map(|step| &step.state)
    }

    /// Forgets states that were certainly left before `before`.
    pub fn forget(&mut self, before: Moment) {
        while self.steps.get(1).is_some_and(|next| next.settled < before) {
            self.steps.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::Seeded;
    use std::collections::BTreeSet;

    /// A change as the slow model sees it: ordered, acknowledged (`None`: never heard of), its state.
    type Change = (Moment, Option<Moment>, u32);

    /// The slow and obvious answer: every way in which the changes can have taken effect, moment by
    /// moment, and every state seen from `from` to `to` in any of them.
    fn slow(changes: &[Change], horizon: Moment, from: Moment, to: Moment) -> BTreeSet<u32> {
        fn go(
            rest: &[Change],
            earliest: Moment,
            chosen: &mut Vec<(Moment, u32)>,
            ask: &mut dyn FnMut(&[(Moment, u32)]),
            horizon: Moment,
        ) {
            let Some((&(ordered, settled, state), later)) = rest.split_first() else { return ask(chosen) };
            // In flight: it takes effect by the horizon or not at all.
            if settled.is_none() {
                go(later, earliest, chosen, ask, horizon);
            }
            for effect in ordered.max(earliest)..=settled.unwrap_or(horizon) {
                chosen.push((effect, state));
                go(later, effect, chosen, ask, horizon);
                chosen.pop();
            }
        }
        let mut seen = BTreeSet::new();
        let mut ask = |chosen: &[(Moment, u32)]| {
            for moment in from..=to {
                // At the moment of an effect either state may be met.
                let before = chosen.iter().rev().find(|(effect, _)| *effect < moment);
                seen.insert(before.map_or(0, |(_, state)| *state));
                seen.extend(chosen.iter().filter(|(effect, _)| *effect == moment).map(|(_, state)| *state));
            }
        };
        go(changes, 0, &mut Vec::new(), &mut ask, horizon);
        seen
    }

    /// PROPERTY: the possible states of an interval are exactly those that some order of effects gives.
    /// METHOD: random short histories on a clock of 24 ticks, every interval, compared with trying all
    /// effects; forgetting and refusals in between change nothing.
    #[test]
    fn possible_states_agree_with_trying_everything() {
        const HORIZON: Moment = 24;
        for seed in 0..300 {
            let mut random = Seeded::new(seed);
            let (mut history, mut changes, mut now) = (History::new(0), Vec::<Change>::new(), 0);
            for state in 1..=4 {
                now += Moment::from(random.below(4)) + 1;
                assert!(history.order(state, now));
                let ordered = now;
                now += Moment::from(random.below(4));
                match random.below(8) {
                    0 => history.refuse(),
                    1 if state == 4 => changes.push((ordered, None, state)),
                    _ => {
                        history.settle(now);
                        changes.push((ordered, Some(now), state));
                    }
                }
            }
            for from in 0..HORIZON {
                let mut kept = history.clone();
                kept.forget(from);
                for to in from..HORIZON {
                    let fast: BTreeSet<u32> = history.possible(from, to).copied().collect();
                    assert_eq!(fast, slow(&changes, HORIZON, from, to), "seed {seed}, {from} to {to}");
                    let kept: BTreeSet<u32> = kept.possible(from, to).copied().collect();
                    assert_eq!(fast, kept, "seed {seed}, {from} to {to}, forgotten");
                }
            }
        }
    }

    /// PROPERTY: one change at a time; a refused one leaves no trace.
    #[test]
    fn one_change_at_a_time() {
        let mut history = History::new('a');
        assert!(history.order('b', 5));
        assert!(!history.order('c', 6));
        assert_eq!(history.possible(5, 9).count(), 2);
        assert_eq!(history.possible(0, 4).count(), 1);
        history.refuse();
        assert!(!history.in_flight());
        assert_eq!(history.possible(0, Moment::MAX).copied().collect::<String>(), "a");
    }
}
