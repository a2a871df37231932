//! Command ids and jitter: the client's own randomness, and the node's time.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tessera_model::{CommandId, PublicId, UnixMillis};

/// Random numbers that need not be secret: keyed once from the system by the standard library.
#[derive(Default)]
pub(crate) struct Dice {
    keys: RandomState,
    thrown: AtomicU64,
}

impl Dice {
    pub(crate) fn number(&self) -> u64 {
        self.keys.hash_one(self.thrown.fetch_add(1, Ordering::Relaxed))
    }

    /// A wait between half of `wait` and all of it, so that many callers do not come back at once.
    pub(crate) fn jitter(&self, wait: Duration) -> Duration {
        let half = wait / 2;
        let spread = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
        half + Duration::from_micros(self.number() % spread)
    }

    /// A fresh command id, stamped with the node's time.
    pub(crate) fn command_id(&self, now: UnixMillis) -> CommandId {
        let [a, b] = [self.number().to_le_bytes(), self.number().to_le_bytes()];
        let mut entropy = [0; 10];
        for (to, from) in entropy.iter_mut().zip(a.iter().chain(&b)) {
            *to = *from;
        }
        CommandId(PublicId::new(now.0, entropy).0)
    }
}

/// The node's clock as its Hello told it, carried on by our own monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeClock {
    told: UnixMillis,
    at: Instant,
}

impl NodeClock {
    pub(crate) fn told(time: UnixMillis) -> Self {
        Self { told: time, at: Instant::now() }
    }

    pub(crate) fn now(&self) -> UnixMillis {
        let passed = u64::try_from(self.at.elapsed().as_millis()).unwrap_or(u64::MAX);
        UnixMillis(self.told.0.saturating_add(passed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: command ids differ and carry the node's time.
    #[test]
    fn command_ids_differ_and_carry_the_nodes_time() {
        let dice = Dice::default();
        let ids: std::collections::HashSet<_> =
            (0..10_000).map(|_| dice.command_id(UnixMillis(1_764_100_000_000))).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.unix_ms() == 1_764_100_000_000));
        let wait = Duration::from_millis(100);
        for _ in 0..1_000 {
            let jittered = dice.jitter(wait);
            assert!(jittered >= wait / 2 && jittered <= wait);
        }
    }
}
