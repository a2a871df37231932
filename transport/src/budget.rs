//! How much a credential or a source may ask: one bucket each, whatever the number of its connections, and for as long
//! as something is missing in it, whether they have ended or not.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use tessera_model::{PublicId, TenantId, UnixMillis};

/// LIMIT: buckets from which on those of ended connections that are full again are swept out.
const SWEEP_AT: usize = 1_024;

/// A credential: its tenant, and its public id there.
pub(crate) type Credential = (TenantId, PublicId);

/// A token bucket. It may go into debt by one drained read.
pub(crate) struct Bucket(Mutex<(i64, UnixMillis)>);

/// The buckets of everybody with open connections, and of those who have ended theirs and not yet got back what
/// they used up.
pub(crate) struct Budgets<K> {
    /// Questions per second, and how many may come at once.
    rate: i64,
    buckets: Mutex<HashMap<K, Arc<Bucket>>>,
}

impl<K: Eq + Hash> Budgets<K> {
    pub(crate) fn new(per_second: u32) -> Self {
        Self { rate: i64::from(per_second), buckets: Mutex::new(HashMap::new()) }
    }

    /// The bucket of a credential or source, shared by its connections.
    pub(crate) fn of(&self, credential: K, now: UnixMillis) -> Arc<Bucket> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get(&credential) {
            return Arc::clone(bucket);
        }
        if buckets.len() >= SWEEP_AT && buckets.len().is_power_of_two() {
            buckets.retain(|_, bucket| Arc::strong_count(bucket) > 1 || self.left(bucket, now) < self.rate);
        }
        let bucket = Arc::new(Bucket(Mutex::new((self.rate, now))));
        buckets.insert(credential, Arc::clone(&bucket));
        bucket
    }

    /// What is left of a bucket now.
    pub(crate) fn left(&self, bucket: &Bucket, now: UnixMillis) -> i64 {
        let mut state = bucket.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = i64::try_from(now.0.saturating_sub(state.1.0)).unwrap_or(i64::MAX);
        let gained = self.rate.saturating_mul(passed) / 1_000;
        if gained > 0 {
            *state = (state.0.saturating_add(gained).min(self.rate), now);
        }
        state.0
    }

    /// Takes what a drained read has used.
    pub(crate) fn use_up(&self, bucket: &Bucket, checks: u64) {
        let mut state = bucket.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = state.0.saturating_sub(i64::try_from(checks).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a credential's connections share one bucket; it refills with time, never beyond a second's.
    #[test]
    fn a_second_connection_brings_no_second_budget() {
        let (budgets, id, at) = (Budgets::new(100), (TenantId(1), PublicId([1; 16])), UnixMillis);
        let (first, second) = (budgets.of(id, at(0)), budgets.of(id, at(0)));
        budgets.use_up(&first, 100);
        assert_eq!(budgets.left(&second, at(5)), 0);
        assert_eq!(budgets.left(&second, at(10)), 1);
        assert_eq!(budgets.left(&first, at(500)), 50);
        assert_eq!(budgets.left(&first, at(100_000)), 100);
        let other = budgets.of((TenantId(2), id.1), at(0));
        assert_eq!(budgets.left(&other, at(0)), 100);
        budgets.use_up(&first, 1_000);
        assert!(budgets.left(&first, at(100_001)) < 0, "debt is paid back first");
    }

    /// PROPERTY: whoever ends its connections and comes back finds what it left, debts too.
    #[test]
    fn ending_a_connection_pays_no_debt() {
        let (budgets, id, at) = (Budgets::new(100), (TenantId(1), PublicId([1; 16])), UnixMillis);
        let first = budgets.of(id, at(0));
        budgets.use_up(&first, 300);
        drop(first);
        for nth in 0..5_000_u128 {
            drop(budgets.of((TenantId(2), PublicId(nth.to_le_bytes())), at(0)));
        }
        assert_eq!(budgets.left(&budgets.of(id, at(0)), at(0)), -200);
        assert_eq!(budgets.left(&budgets.of(id, at(2_500)), at(2_500)), 50);
    }

    /// PROPERTY: buckets of ended connections in which nothing is missing are swept out.
    #[test]
    fn ended_buckets_are_swept_out() {
        let budgets = Budgets::new(1);
        for nth in 0..5_000_u128 {
            drop(budgets.of((TenantId(1), PublicId(nth.to_le_bytes())), UnixMillis(0)));
        }
        let left = budgets.buckets.lock().expect("no panic").len();
        assert!(left <= 2_048, "{left}");
    }
}
