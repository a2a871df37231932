//! How often one source may fail at signing in: counted by network, in this node's memory.
//!
//! An attempt is counted before a password is hashed and given back when it was right: what runs at once
//! is within the budget, too. A network is an IPv4 address or an IPv6 /64. The table is bounded; networks
//! that it has no room for are counted together with their neighbours.

use parking_lot::Mutex;
use std::collections::HashMap;
use tessera_model::{Settings, Source, UnixMillis};

/// LIMIT: networks of one tenant that are counted apart: 16,384 × 24 B and the table's slack are under 1 MiB.
const NETWORKS_MAX: usize = 16_384;
/// LIMIT: counters for the networks beyond: one for each wide network (IPv4 /16, IPv6 /32) by its hash.
const WIDE_COUNTERS: usize = 4_096;
/// LIMIT: how often a full table is looked through for networks that may be forgotten, ms.
const SWEEP_EVERY_MS: u64 = 1_000;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// The counter of a source's wide network.
fn wide(source: Source) -> usize {
    let [a, b, c, d, e, f, ..] = source.bytes();
    let wide = if [a, b, c, d] == [0; 4] { [0, 0, e, f] } else { [a, b, c, d] };
    // Fibonacci hashing: neighbours do not meet.
    let hashed = u32::from_be_bytes(wide).wrapping_mul(0x9E37_79B9);
    usize::try_from(hashed >> 20).unwrap_or(0) % WIDE_COUNTERS
}

/// A budget that fills again with time (GCRA): so many at once, one more every `every_ms`.
#[derive(Clone, Copy)]
pub(crate) struct Budget {
    burst: u64,
    every_ms: u64,
}

impl Budget {
    /// So many at once, one more every so many ms.
    pub(crate) const fn new(burst: u32, every_ms: u64) -> Self {
        Self { burst: burst as u64, every_ms }
    }

    pub(crate) const fn of(settings: &Settings) -> Self {
        Self { burst: settings.source_failures_max as u64, every_ms: settings.source_refill_s as u64 * 1_000 }
    }

    /// Counts one against a counter: the moment at which it is empty again.
    pub(crate) fn take(self, empty_at: &mut u64, now: u64) -> Result<(), u64> {
        let next = (*empty_at).max(now) + self.every_ms;
        let late = next.saturating_sub(now + self.burst * self.every_ms);
        if late > 0 {
            return Err(late);
        }
        *empty_at = next;
        Ok(())
    }
}

#[derive(Default)]
struct Counters {
    apart: Map<Source, u64>,
    together: Vec<u64>,
    swept_ms: u64,
}

impl Counters {
    /// The counter of a network.
    fn of(&mut self, network: Source, now: u64) -> &mut u64 {
        let known = self.apart.contains_key(&network);
        if !known && self.apart.len() >= NETWORKS_MAX && self.swept_ms + SWEEP_EVERY_MS <= now {
            self.swept_ms = now;
            self.apart.retain(|_, empty_at| *empty_at > now);
        }
        if known || self.apart.len() < NETWORKS_MAX {
            return self.apart.entry(network).or_insert(0);
        }
        self.together.resize(WIDE_COUNTERS, 0);
        // INVARIANT: `wide` is below WIDE_COUNTERS.
        match self.together.get_mut(wide(network)) {
            Some(counter) => counter,
            None => self.apart.entry(network).or_insert(0),
        }
    }
}

/// The counters of one tenant's sources. They are gone when the tenant sleeps, by when they are empty.
#[derive(Default)]
pub(crate) struct Sources(Mutex<Counters>);

impl Sources {
    /// Counts an attempt.
    ///
    /// # Errors
    /// How long the source must wait, ms.
    pub(crate) fn take(&self, network: Source, budget: Budget, now: UnixMillis) -> Result<(), u64> {
        budget.take(self.0.lock().of(network, now.0), now.0)
    }

    /// Gives an attempt back that was no failure.
    pub(crate) fn give_back(&self, network: Source, budget: Budget, now: UnixMillis) {
        let mut counters = self.0.lock();
        let counter = counters.of(network, now.0);
        *counter = counter.saturating_sub(budget.every_ms);
    }
}

impl Sources {
    /// About how many bytes the counters take.
    pub(crate) fn bytes(&self) -> usize {
        let counters = self.0.lock();
        counters.apart.capacity() * 24 + counters.together.capacity() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::net::IpAddr;

    /// PROPERTY: a budget lets through what a slow model does: each failure costs one, one comes back
    /// every so many seconds, never more than the burst. METHOD: 20,000 steps of random length.
    #[test]
    fn a_budget_agrees_with_a_slow_model() {
        let budget = Budget { burst: 5, every_ms: 700 };
        let (mut empty_at, mut now, mut seed) = (0, 1_000_000_u64, 7_u64);
        // The model: a queue of the moments at which what was taken comes back, one after another.
        let mut back = VecDeque::new();
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            now += (seed >> 33) % 900;
            while back.front().is_some_and(|at| *at <= now) {
                back.pop_front();
            }
            let wanted = if back.len() < 5 {
                let last = back.back().copied().unwrap_or(now);
                back.push_back(last.max(now) + 700);
                Ok(())
            } else {
                Err(back.front().copied().unwrap_or(now) - now)
            };
            assert_eq!(budget.take(&mut empty_at, now), wanted, "at {now}");
        }
    }

    /// PROPERTY: the table stays bounded; a network that it has no room for is counted with its
    /// neighbours, and has room again when others are forgotten.
    #[test]
    fn a_flood_of_networks_is_counted_together() {
        let (sources, budget) = (Sources::default(), Budget { burst: 2, every_ms: 1_000 });
        let of = |nth: u32| Source::of(IpAddr::from(nth.to_be_bytes()));
        let at = UnixMillis;
        for nth in 0..16_384 {
            assert_eq!(sources.take(of(nth), budget, at(5_000)), Ok(()));
        }
        let (one, neighbour, far) = (of(0x0A00_0001), of(0x0A00_0002), of(0x0B00_0001));
        assert_ne!(wide(one), wide(far));
        assert_eq!(sources.take(one, budget, at(5_000)), Ok(()));
        assert_eq!(sources.take(neighbour, budget, at(5_000)), Ok(()));
        assert_eq!(sources.take(one, budget, at(5_000)), Err(1_000));
        assert_eq!(sources.take(far, budget, at(5_000)), Ok(()));
        assert_eq!(sources.0.lock().apart.len(), 16_384);
        // What was given back is free again; who is counted apart is not concerned.
        sources.give_back(one, budget, at(5_000));
        assert_eq!(sources.take(neighbour, budget, at(5_000)), Ok(()));
        assert_eq!(sources.take(of(7), budget, at(5_000)), Ok(()));
        assert_eq!(sources.take(of(7), budget, at(5_000)), Err(1_000));
        assert_eq!(sources.take(one, budget, at(7_000)), Ok(()));
        assert!(sources.0.lock().apart.len() < 16_384, "nothing was forgotten");
    }
}
