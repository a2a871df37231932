//! What stands at a time, counted by whose it is: connections by source, waiting requests by tenant. One cannot
//! take all places.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts by key, and the sum of all. It holds as many keys as have places.
#[derive(Debug)]
pub struct Counts<K: Eq + Hash>(Mutex<(HashMap<K, usize>, usize)>);

/// A place in a count; dropping it gives it back.
#[derive(Debug)]
pub struct Counted<K: Copy + Eq + Hash> {
    counts: Arc<Counts<K>>,
    key: K,
}

impl<K: Eq + Hash> Default for Counts<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Copy + Eq + Hash> Counts<K> {
    /// Takes a place, unless the key has `most` of them.
    #[must_use]
    pub fn count(self: &Arc<Self>, key: K, most: usize) -> Option<Counted<K>> {
        self.count_within(key, most, usize::MAX)
    }

    /// Takes a place, unless the key has `most` of them or all keys together have `most_in_all`.
    #[must_use]
    pub fn count_within(self: &Arc<Self>, key: K, most: usize, most_in_all: usize) -> Option<Counted<K>> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (counts, all) = &mut *held;
        let count = counts.get(&key).copied().unwrap_or(0);
        if count >= most || *all >= most_in_all {
            return None;
        }
        counts.insert(key, count + 1);
        *all += 1;
        Some(Counted { counts: Arc::clone(self), key })
    }
}

impl<K: Copy + Eq + Hash> Drop for Counted<K> {
    fn drop(&mut self) {
        let mut held = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (counts, all) = &mut *held;
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            *all -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: keys are counted apart, the sum is bounded, and a place that was given back is free; nothing
    /// stays behind.
    #[test]
    fn places_are_counted_apart_and_given_back() {
        let counts = Arc::new(Counts::default());
        let count = |key: u8| counts.count_within(key, 2, 3);
        let (first, second) = (count(1), count(1));
        assert!(first.is_some() && second.is_some() && count(1).is_none());
        let third = count(2);
        assert!(third.is_some() && count(3).is_none(), "the sum is bounded");
        drop(first);
        assert!(count(3).is_some() && count(1).is_some());
        drop((second, third));
        let held = counts.0.lock().expect("no panic");
        assert!(held.0.is_empty() && held.1 == 0);
    }
}
