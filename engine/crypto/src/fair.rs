//! A bounded queue that several tenants share by what their work costs, whoever asks for more of it.
//!
//! Start-time fair queueing: each tenant's next job has a tag that grows by the cost of the jobs before
//! it; the smallest tag comes first. A full queue gives the last place of whoever has most in it to
//! somebody who has less.

use std::collections::{BTreeMap, VecDeque};

/// LIMIT: tenants that nothing waits for and whose last work is still counted: 1,024 × 56 B.
const REMEMBERED_MAX: usize = 1_024;

struct Lane<T> {
    waiting: VecDeque<(u64, T)>,
    /// Where its next job stands in the common order.
    tag: u64,
}

/// The queue.
pub(crate) struct Fair<T> {
    lanes: BTreeMap<u64, Lane<T>>,
    /// The tag of the job that was taken last.
    now: u64,
    len: usize,
    max: usize,
}

impl<T> Fair<T> {
    /// An empty queue of at most `max` jobs.
    pub(crate) const fn new(max: usize) -> Self {
        Self { lanes: BTreeMap::new(), now: 0, len: 0, max }
    }

    /// How many jobs may wait.
    pub(crate) const fn max(&self) -> usize {
        self.max
    }

    /// How many jobs wait.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Queues a job, and gives back the one whose place it took, if any.
    ///
    /// # Errors
    /// The job itself, when the queue is full and nobody has at least two more in it.
    pub(crate) fn push(&mut self, tenant: u64, cost: u64, job: T) -> Result<Option<T>, T> {
        let mut out = None;
        if self.len >= self.max {
            let own = self.lanes.get(&tenant).map_or(0, |lane| lane.waiting.len());
            let longest = self.lanes.values_mut().max_by_key(|lane| lane.waiting.len());
            let Some(longest) = longest.filter(|lane| lane.waiting.len() > own + 1) else { return Err(job) };
            out = longest.waiting.pop_back().map(|(_, job)| job);
            self.len -= 1;
        }
        let now = self.now;
        let lane = self.lanes.entry(tenant).or_insert_with(|| Lane { waiting: VecDeque::new(), tag: now });
        if lane.waiting.is_empty() {
            lane.tag = lane.tag.max(now);
        }
        lane.waiting.push_back((cost.max(1), job));
        self.len += 1;
        Ok(out)
    }

    /// Takes the next job.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let waiting = self.lanes.values_mut().filter(|lane| !lane.waiting.is_empty());
        let lane = waiting.min_by_key(|lane| lane.tag)?;
        let (cost, job) = lane.waiting.pop_front()?;
        self.now = lane.tag;
        lane.tag = lane.tag.saturating_add(cost);
        self.len -= 1;
        let now = self.now;
        let all = self.lanes.len() <= REMEMBERED_MAX;
        self.lanes.retain(|_, lane| !lane.waiting.is_empty() || all && lane.tag > now);
        Some(job)
    }

    /// Takes everything.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        let lanes = std::mem::take(&mut self.lanes);
        self.len = 0;
        lanes.into_values().flat_map(|lane| lane.waiting).map(|(_, job)| job).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a tenant that always has work waiting gets its share by cost, whatever the others ask for: over any stretch
    /// two such tenants differ by at most one job of each; jobs of one tenant keep their order; the queue never holds
    /// more than it may, and nothing is lost. METHOD: seeded costs and arrivals, all counted.
    #[test]
    fn everybody_gets_a_share() {
        let mut seed = 7_u64;
        let mut next = |n: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % n
        };
        let costs = [1, 8, 64, 500];
        for max in [4, 16, 64] {
            let mut queue = Fair::new(max);
            let mut done = [0_u64; 4];
            let (mut pushed, mut popped, mut out, mut refused) = (0_u64, 0_u64, 0_u64, 0_u64);
            let mut last = [None; 4];
            for round in 0..20_000_u64 {
                for (tenant, cost) in costs.into_iter().enumerate() {
                    // Tenant 3 asks for a hundred times as much as there is room for.
                    for _ in 0..if tenant == 3 { 20 } else { 1 + next(3) } {
                        pushed += 1;
                        match queue.push(tenant as u64, cost, (tenant, pushed)) {
                            Ok(None) => {}
                            Ok(Some(_)) => out += 1,
                            Err(_) => refused += 1,
                        }
                    }
                }
                assert!(queue.len() <= max);
                let (tenant, no) = queue.pop().expect("a job");
                popped += 1;
                assert!(last[tenant].replace(no) < Some(no), "out of order");
                done[tenant] += costs[tenant];
                let (least, most) = (done.iter().min().unwrap(), done.iter().max().unwrap());
                assert!(most - least <= 2 * 500, "round {round}: {done:?}");
            }
            let left = queue.drain().len() as u64;
            assert_eq!(pushed, popped + out + refused + left);
            assert_eq!(queue.len(), 0);
        }
    }

    /// PROPERTY: whoever asks for one job after another is still charged for those before.
    #[test]
    fn work_that_was_done_is_remembered() {
        let mut queue = Fair::new(8);
        let mut done = [0, 0];
        queue.push(1, 1, 1).unwrap();
        queue.push(0, 100, 0).unwrap();
        for _ in 0..1_000 {
            let tenant: usize = queue.pop().expect("a job");
            done[tenant] += 1;
            let cost = if tenant == 0 { 100 } else { 1 };
            queue.push(tenant as u64, cost, tenant).unwrap();
        }
        assert!(done[1] >= 99 * done[0], "{done:?}");
    }
}
