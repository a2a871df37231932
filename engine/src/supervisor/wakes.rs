//! The order in which tenants are loaded: those that somebody asks for first, few at a time.
//!
//! After a kill every tenant with frames in the journal owes a checkpoint. Loading them all at once would
//! keep the one that a connection waits for from the processor.

use std::collections::VecDeque;
use tessera_model::TenantId;

/// Why a tenant is loaded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Why {
    /// Somebody waits for it.
    Asked,
    /// It owes a checkpoint, and nobody waits.
    Owed,
}

/// What is to be loaded, and how much is being loaded.
pub(crate) struct Wakes {
    asked: VecDeque<TenantId>,
    owed: VecDeque<TenantId>,
    loading: [usize; 2],
    most: usize,
}

impl Wakes {
    /// Nothing to load yet, and `most` loads at a time (at least two: one is kept for who is asked for).
    pub(crate) fn new(most: usize) -> Self {
        Self { asked: VecDeque::new(), owed: VecDeque::new(), loading: [0; 2], most: most.max(2) }
    }

    /// A tenant is to be loaded.
    pub(crate) fn push(&mut self, tenant: TenantId, why: Why) {
        match why {
            Why::Asked => self.asked.push_back(tenant),
            Why::Owed => self.owed.push_back(tenant),
        }
    }

    /// The next one to load now, if another load may run. While somebody waits, one load at most is of those
    /// that are only owed; they never take the last place.
    pub(crate) fn pop(&mut self) -> Option<(TenantId, Why)> {
        let [asked, owed] = self.loading;
        if asked + owed >= self.most {
            return None;
        }
        if let Some(tenant) = self.asked.pop_front() {
            self.loading = [asked + 1, owed];
            return Some((tenant, Why::Asked));
        }
        if owed >= if asked > 0 { 1 } else { self.most - 1 } {
            return None;
        }
        let tenant = self.owed.pop_front()?;
        self.loading = [asked, owed + 1];
        Some((tenant, Why::Owed))
    }

    /// A load has ended, or was not begun after all.
    pub(crate) fn done(&mut self, why: Why) {
        let [asked, owed] = self.loading;
        self.loading = match why {
            Why::Asked => [asked.saturating_sub(1), owed],
            Why::Owed => [asked, owed.saturating_sub(1)],
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: who is asked for is loaded before all that is owed, in the order of asking, as soon as any load ends and at
    /// once where a place is free, which there is unless as many are asked for; never more than `most` at a time;
    /// everything is loaded in the end. METHOD: seeded arrivals and ends, beside plain counts.
    #[test]
    fn who_is_asked_for_comes_first() {
        for most in [1, 2, 3, 8] {
            let mut seed = most as u64;
            let mut next = |n: u64| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 33) % n
            };
            let mut wakes = Wakes::new(most);
            let most = most.max(2);
            (0..500).for_each(|tenant| wakes.push(TenantId(tenant), Why::Owed));
            let (mut waiting, mut running) = (VecDeque::new(), Vec::new());
            let (mut asked, mut begun) = (10_000, 0);
            for step in 0..20_000 {
                if step < 10_000 && next(8) == 0 {
                    asked += 1;
                    wakes.push(TenantId(asked), Why::Asked);
                    waiting.push_back(TenantId(asked));
                    if running.iter().all(|(_, why)| *why == Why::Owed) && waiting.len() == 1 {
                        assert!(running.len() < most, "no place is kept");
                    }
                }
                while let Some((tenant, why)) = wakes.pop() {
                    begun += 1;
                    match why {
                        Why::Asked => assert_eq!(waiting.pop_front(), Some(tenant)),
                        Why::Owed => assert!(waiting.is_empty(), "somebody waits"),
                    }
                    running.push((tenant, why));
                    assert!(running.len() <= most);
                    let owed = running.iter().filter(|(_, why)| *why == Why::Owed).count();
                    assert!(owed < most);
                }
                assert!(waiting.is_empty() || running.len() == most);
                if !running.is_empty() && next(4) == 0 {
                    let at = usize::try_from(next(running.len() as u64)).unwrap();
                    wakes.done(running.swap_remove(at).1);
                }
            }
            assert_eq!(begun, 500 + asked - 10_000);
        }
    }
}
