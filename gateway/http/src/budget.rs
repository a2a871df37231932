//! How much one credential, source or tenant may ask: token buckets in a map with a limit.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use tessera_model::UnixMillis;

/// LIMIT: buckets of one kind: 65,536 × some 64 B are 4 MiB. Full ones are forgotten first.
const BUCKETS_MAX: usize = 65_536;

/// What is left, in thousandths, and when that was so.
type Bucket = (i64, UnixMillis);

/// The buckets of one kind. A bucket holds one second's worth, and may go into debt by one request.
pub(crate) struct Budgets<K> {
    per_second: i64,
    buckets: Mutex<HashMap<K, Bucket>>,
}

impl<K: Eq + Hash> Budgets<K> {
    /// Budgets of so much a second.
    pub(crate) fn new(per_second: u32) -> Self {
        Self { per_second: i64::from(per_second), buckets: Mutex::new(HashMap::new()) }
    }

    /// Takes `cost` from a bucket.
    ///
    /// # Errors
    /// When nothing is left: after how many ms there is.
    pub(crate) fn take(&self, key: K, cost: u32, now: UnixMillis) -> Result<(), u32> {
        let full = self.per_second * 1_000;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(&key) {
            let rate = self.per_second;
            buckets.retain(|_, bucket| refilled(*bucket, rate, now) < full);
            if buckets.len() >= BUCKETS_MAX {
                return Err(1_000);
            }
        }
        let bucket = buckets.entry(key).or_insert((full, now));
        *bucket = (refilled(*bucket, self.per_second, now), now.max(bucket.1));
        if bucket.0 <= 0 {
            let wait = (1 - bucket.0) / self.per_second.max(1) + 1;
            return Err(u32::try_from(wait).unwrap_or(u32::MAX));
        }
        bucket.0 = bucket.0.saturating_sub(i64::from(cost) * 1_000);
        Ok(())
    }

    /// Gives back what was taken for nothing.
    pub(crate) fn give_back(&self, key: &K, cost: u32) {
        let full = self.per_second * 1_000;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(key) {
            bucket.0 = bucket.0.saturating_add(i64::from(cost) * 1_000).min(full);
        }
    }

    /// Takes what an answer has cost, known only when it was there: the bucket may go into debt.
    pub(crate) fn charge(&self, key: &K, cost: u64) {
        let cost = i64::try_from(cost).unwrap_or(i64::MAX).saturating_mul(1_000);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(key) {
            bucket.0 = bucket.0.saturating_sub(cost);
        }
    }
}

/// What is left after the time that has passed.
fn refilled((left, since): Bucket, per_second: i64, now: UnixMillis) -> i64 {
    let passed = i64::try_from(now.0.saturating_sub(since.0)).unwrap_or(i64::MAX);
    left.saturating_add(per_second.saturating_mul(passed)).min(per_second * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a second's worth at once, then as time passes; keys apart; debt is paid back first.
    #[test]
    fn budgets_refill_with_time() {
        let (budgets, at) = (Budgets::new(10), UnixMillis);
        for _ in 0..10 {
            assert_eq!(budgets.take(1, 1, at(0)), Ok(()));
        }
        let wait = budgets.take(1, 1, at(0)).expect_err("used up");
        assert!(wait > 0 && wait <= 101, "{wait}");
        assert_eq!(budgets.take(2, 1, at(0)), Ok(()));
        assert_eq!(budgets.take(1, 30, at(100)), Ok(()), "one request may go into debt");
        assert!(budgets.take(1, 1, at(2_900)).is_err());
        assert_eq!(budgets.take(1, 1, at(3_101)), Ok(()));
        assert_eq!(budgets.take(1, 1, at(0)), Ok(()), "time that goes back takes nothing away");
        budgets.charge(&3, 1_000);
        assert_eq!(budgets.take(3, 1, at(0)), Ok(()), "whoever took nothing owes nothing");
        budgets.charge(&3, 19);
        assert!(budgets.take(3, 1, at(900)).is_err(), "what was charged is paid back");
        assert_eq!(budgets.take(3, 1, at(1_101)), Ok(()));
        for _ in 0..100 {
            assert_eq!(budgets.take(4, 1, at(0)), Ok(()), "what is given back was not taken");
            budgets.give_back(&4, 1);
        }
        budgets.give_back(&4, 100);
        let taken = (0..100).filter(|_| budgets.take(4, 1, at(0)).is_ok()).count();
        assert_eq!(taken, 10, "no more is given back than a second's worth");
    }

    /// PROPERTY: there are never more buckets than the limit; full ones make room.
    #[test]
    fn buckets_are_bounded() {
        let budgets = Budgets::new(1);
        for key in 0..BUCKETS_MAX {
            assert_eq!(budgets.take(key, 1, UnixMillis(0)), Ok(()));
        }
        assert!(budgets.take(usize::MAX, 1, UnixMillis(0)).is_err());
        assert_eq!(budgets.take(usize::MAX, 1, UnixMillis(1_000)), Ok(()));
        assert_eq!(budgets.buckets.lock().expect("no panic").len(), 1);
    }
}
