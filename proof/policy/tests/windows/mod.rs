//! A clock that tests move, a random sequence, and windows as they are read slowly.

use std::sync::atomic::{AtomicU64, Ordering};
use tessera_engine::Clock;
use tessera_model::{Deadline, GrantCondition, GrantConditions, UnixMillis};

pub(crate) const NOW: u64 = 1_767_225_600_000;

/// A minute, ms.
pub(crate) const MINUTE: u64 = 60_000;
/// How long windows last at the most, in minutes from the beginning.
pub(crate) const SPAN: usize = 600;

/// A clock that stands until it is moved.
pub(crate) struct Hand(pub(crate) AtomicU64);

impl Clock for Hand {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }
}

/// A sequence that is the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) % bound as u64).expect("small")
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

/// When something counts: minutes from the beginning, none for no end; and hours of each day in UTC, as minutes of it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Window {
    from: Option<u64>,
    until: Option<u64>,
    hours: Option<(u64, u64)>,
}

impl Window {
    pub(crate) fn random(random: &mut Random, hours: bool) -> Self {
        let mut minute = |percent: usize| random.chance(percent).then(|| 1 + random.below(SPAN) as u64);
        let (from, until) = (minute(25), minute(40));
        let hours = (hours && random.chance(30)).then(|| {
            let from = random.below(46) as u64 * 30;
            (from, from + 30 * (1 + random.below(4) as u64).min((1_440 - from) / 30))
        });
        match (from, until) {
            (Some(from), Some(until)) if from >= until => Self { from: None, until: Some(until), hours },
            (from, until) => Self { from, until, hours },
        }
    }

    pub(crate) fn holds(self, at: UnixMillis) -> bool {
        let passed = at.0 - NOW;
        let minute = passed / MINUTE % 1_440;
        self.from.is_none_or(|from| passed >= from * MINUTE)
            && self.until.is_none_or(|until| passed < until * MINUTE)
            && self.hours.is_none_or(|(from, until)| (from..until).contains(&minute))
    }

    pub(crate) fn deadlines(self) -> (Deadline, Deadline) {
        let at = |minute: u64| UnixMillis(NOW + minute * MINUTE).to_deadline();
        (self.from.map_or(Deadline::NONE, at), self.until.map_or(Deadline::NONE, at))
    }

    pub(crate) fn conditions(self) -> GrantConditions {
        let text = |(from, until): (u64, u64)| {
            let clock = |minute: u64| format!("{:02}:{:02}", minute / 60, minute % 60);
            format!("hours Mon-Sun {}-{} UTC", clock(from), clock(until))
        };
        let all = self.hours.map(|hours| GrantCondition::parse(&text(hours)).expect("hours"));
        GrantConditions::new(all.into_iter().collect()).expect("one")
    }
}
