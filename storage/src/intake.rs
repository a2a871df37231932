//! Where batches wait for the lane, and what one group takes of them.

use crate::batch::{Batch, Durable};
use crate::error::StorageError;
use crate::journal::group;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::time::Duration;
use tessera_model::TenantId;
use tessera_model::limits::GROUP_FRAMES_MAX;
use tokio::sync::oneshot;

/// How long the lane rests before it writes an empty group.
const REST: Duration = Duration::from_millis(50);
/// Spins between two looks at a burst: some microseconds.
const BURST_SPINS: u32 = 100;
/// LIMIT: batches that may wait: one per tenant in flight, far more tenants than are awake.
const WAITING_MAX: usize = 65_536;
/// A batch and who waits for it. It stays where it is while it goes through the lane.
pub(crate) struct Waiting {
    pub(crate) batch: Box<Batch>,
    pub(crate) reply: oneshot::Sender<Result<Durable, StorageError>>,
}

impl Waiting {
    pub(crate) fn answer(self, answer: Result<Durable, StorageError>) {
        // A caller that went away loses its answer, never its write.
        drop(self.reply.send(answer));
    }
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    stopping: bool,
    stopped: bool,
    /// A checkpoint was finished: the lane is to name it at rest.
    name_wanted: bool,
    /// Whose frames the lane is writing.
    writing: Vec<TenantId>,
    /// How many batches the last group gathered.
    gathered: usize,
    /// A thread drives the lane.
    threaded: bool,
}

/// Where batches wait for the lane.
#[derive(Default)]
pub(crate) struct Intake {
    queue: Mutex<Queue>,
    changed: Condvar,
    /// A group was answered.
    answered: Condvar,
}

impl Intake {
    /// Whether the lane is ending or has ended.
    pub(crate) fn is_stopping(&self) -> bool {
        let queue = self.queue.lock();
        queue.stopping || queue.stopped
    }

    /// Says that a thread drives the lane from now on.
    pub(crate) fn start(&self) {
        self.queue.lock().threaded = true;
    }

    /// Waits until no batch of the tenant waits or is being written: whoever reads it anew must see
    /// what its last writer left. By hand nothing is written meanwhile.
    pub(crate) fn settle(&self, tenant: TenantId) {
        let mut queue = self.queue.lock();
        let concerns = |batch: &Batch| batch.spans.iter().any(|span| span.tenant == tenant);
        while queue.threaded
            && !queue.stopped
            && (queue.writing.contains(&tenant)
                || queue.waiting.iter().any(|waiting| concerns(&waiting.batch)))
        {
            self.answered.wait(&mut queue);
        }
    }

    /// Lets a batch wait.
    pub(crate) fn push(&self, waiting: Waiting) {
        let mut queue = self.queue.lock();
        if queue.stopping || queue.stopped {
            drop(queue);
            waiting.answer(Err(StorageError::LaneStopped));
        } else if queue.waiting.len() >= WAITING_MAX {
            drop(queue);
            waiting.answer(Err(StorageError::Busy));
        } else {
            queue.waiting.push_back(waiting);
            drop(queue);
            self.changed.notify_one();
        }
    }

    /// Asks the lane to end behind what waits.
    pub(crate) fn stop(&self) {
        self.queue.lock().stopping = true;
        self.changed.notify_all();
    }

    /// Asks for a group soon, empty if need be.
    pub(crate) fn want_name(&self) {
        self.queue.lock().name_wanted = true;
        self.changed.notify_all();
    }

    /// Looks on while more arrives, a few microseconds at a time: the first of a burst that wakes the
    /// lane would else cost the others a sync of waiting. Ends at the first look that finds nothing new.
    fn let_burst_arrive(&self, queue: &mut MutexGuard<'_, Queue>) {
        let mut before = 0;
        while queue.waiting.len() > before && queue.waiting.len() < GROUP_FRAMES_MAX {
            before = queue.waiting.len();
            // Not a yield: on a busy machine that gives a whole slice away.
            MutexGuard::unlocked(queue, || (0..BURST_SPINS).for_each(|_| std::hint::spin_loop()));
        }
    }

    /// Waits for work: what one group of `bytes_max` bytes takes; nothing, when the lane is to write an empty group; and whether it is
    /// the last turn.
    pub(crate) fn wait(&self, closed: bool, bytes_max: usize) -> (Vec<Waiting>, bool) {
        let mut queue = self.queue.lock();
        queue.writing.clear();
        self.answered.notify_all();
        let mut rested = false;
        loop {
            if !queue.waiting.is_empty() {
                // A lone writer has nobody behind it, and would wait for nothing each time.
                if rested && (queue.gathered > 1 || queue.waiting.len() > 1) {
                    self.let_burst_arrive(&mut queue);
                }
                let group = gather(&mut queue.waiting, GROUP_FRAMES_MAX, bytes_max);
                queue.gathered = group.len();
                let tenants =
                    group.iter().flat_map(|waiting| waiting.batch.spans.iter().map(|span| span.tenant));
                queue.writing.extend(tenants);
                return (group, false);
            }
            if queue.stopping {
                return (Vec::new(), true);
            }
            rested = true;
            if closed && !queue.name_wanted {
                self.changed.wait(&mut queue);
            } else if self.changed.wait_for(&mut queue, REST).timed_out()
                && queue.waiting.is_empty()
                && !queue.stopping
            {
                queue.name_wanted = false;
                return (Vec::new(), false);
            }
        }
    }

    /// What one group takes of what waits now.
    pub(crate) fn take(&self, bytes_max: usize) -> Vec<Waiting> {
        gather(&mut self.queue.lock().waiting, GROUP_FRAMES_MAX, bytes_max)
    }

    /// Ends: whoever waits learns that nothing more is acknowledged.
    pub(crate) fn close(&self) {
        let mut queue = self.queue.lock();
        queue.stopped = true;
        let waiting = std::mem::take(&mut queue.waiting);
        drop(queue);
        waiting.into_iter().for_each(|waiting| waiting.answer(Err(StorageError::LaneStopped)));
        self.changed.notify_all();
        self.answered.notify_all();
    }
}

/// Takes from the front what one group holds: never a batch over two groups.
fn gather(waiting: &mut VecDeque<Waiting>, frames_max: usize, bytes_max: usize) -> Vec<Waiting> {
    let (mut frames, mut bytes) = (0, 0);
    let fits = waiting.iter().take_while(|next| {
        frames += next.batch.len();
        bytes += next.batch.frames.len();
        frames <= frames_max && group::size_of(frames, bytes) <= bytes_max
    });
    let count = fits.count();
    waiting.drain(..count.max(usize::from(!waiting.is_empty()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Head, Staged};
    use crate::commit::Commit;
    use tessera_model::{Caller, CommandId, CommandKind, Revision, UnixMillis};

    fn waiting(tenant: u64, frames: usize) -> Waiting {
        let mut batch =
            crate::seal::tests::batch(&Head { next: Revision(1), ..Head::unborn(TenantId(tenant)) });
        for _ in 0..frames {
            let staged = Staged {
                kind: CommandKind::OpenSession,
                id: CommandId([0; 16]),
                fingerprint: 0,
                caller: Caller::Node,
                wall: UnixMillis(0),
                events: Vec::new(),
                rows: Vec::new(),
            };
            batch.push(&staged).unwrap();
        }
        Waiting { batch: Box::new(batch), reply: Commit::pair().0 }
    }

    /// PROPERTY: a group takes from the front, whole batches only, within both caps, at least one, and
    /// as many as fit. METHOD: every batch is looked for in the groups, which are measured anew.
    #[test]
    fn groups_take_whole_batches_from_the_front() {
        for (frames_max, blocks) in [(1_000, 1_000), (10, 1_000), (1_000, 4), (3, 2)] {
            let bytes_max = blocks * group::BLOCK_BYTES;
            let sizes: Vec<usize> = (0..60).map(|at| 1 + at * 7 % 9).collect();
            let mut queue: VecDeque<Waiting> =
                (0u64..).zip(&sizes).map(|(at, size)| waiting(at, *size)).collect();
            let mut seen = 0;
            while !queue.is_empty() {
                let size = |group: &[&Waiting]| {
                    let frames = group.iter().map(|waiting| waiting.batch.len()).sum();
                    let bytes = group.iter().map(|waiting| waiting.batch.frames.len()).sum();
                    (frames, group::size_of(frames, bytes))
                };
                let group = gather(&mut queue, frames_max, bytes_max);
                for waiting in &group {
                    assert_eq!((waiting.batch.tenant().0, waiting.batch.len()), (seen, sizes[seen as usize]));
                    seen += 1;
                }
                let mut members: Vec<&Waiting> = group.iter().collect();
                let (frames, bytes) = size(&members);
                assert!(group.len() == 1 || (frames <= frames_max && bytes <= bytes_max));
                if let Some(next) = queue.front() {
                    members.push(next);
                    let (frames, bytes) = size(&members);
                    assert!(frames > frames_max || bytes > bytes_max, "one more would have fitted");
                }
            }
            assert_eq!(seen as usize, sizes.len());
        }
    }
}
