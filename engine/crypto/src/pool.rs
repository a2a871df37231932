//! A bounded pool of threads that hash passwords, at the lowest priority the system has.
//!
//! Memory is bounded by threads × the cap of one hash, waiting by the queue's length and a time. Nothing
//! waits for the pool: a job's answer goes to the reply that came with it. Tenants share it by what their hashes cost ([`crate::fair`]).

use crate::fair::Fair;
use crate::password::{self, Memory, Parameters, PasswordError, SALT_BYTES, Verdict};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// LIMIT: how long a job may wait before it is answered Busy: a claimant has given up by then.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// How long an idle thread keeps its memory.
const MEMORY_KEPT: Duration = Duration::from_secs(5);
/// The lowest priority of an ordinary thread.
const NICE: i32 = 19;

/// Work for the pool. No `Debug`: it holds a password.
pub enum Job {
    /// Make a PHC string.
    Hash {
        /// The new password.
        password: Zeroizing<Vec<u8>>,
        /// A fresh salt.
        salt: [u8; SALT_BYTES],
        /// What it may cost.
        parameters: Parameters,
    },
    /// Verify against a stored PHC string.
    Verify {
        /// The password as typed.
        password: Zeroizing<Vec<u8>>,
        /// The stored hash; `None` for somebody unknown or without one: the same work, `Mismatch`.
        stored: Option<String>,
        /// The tenant's parameters: the cost for the unknown, and what a stored hash should have.
        parameters: Parameters,
    },
}

/// What came of a job.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The PHC string, or why there is none.
    Hashed(Result<String, PasswordError>),
    /// What the password was found to be.
    Verified {
        /// Match, mismatch or no sound hash.
        verdict: Verdict,
        /// It matched, and its hash should be made anew with the tenant's parameters.
        needs_rehash: bool,
    },
    /// It waited too long, or the pool is ending. Nothing was computed.
    Busy,
}

impl Job {
    /// What it costs, in KiB × passes.
    fn cost(&self) -> u64 {
        match self {
            Self::Verify { stored: Some(phc), parameters, .. } => {
                password::parameters_of(phc).map_or_else(|| parameters.cost(), |stored| stored.cost())
            }
            Self::Hash { parameters, .. } | Self::Verify { parameters, .. } => parameters.cost(),
        }
    }
}

/// The queue is full: answer Busy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QueueFull;

/// Takes the outcome. Called once, on a thread of the pool; it must not block.
pub type Reply = Box<dyn FnOnce(Outcome) + Send>;

struct Waiting {
    job: Job,
    reply: Reply,
    since: Instant,
}

struct Queue {
    waiting: Fair<Waiting>,
    closed: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    work: AtomicU64,
    /// How long a job may wait.
    patience: Duration,
}

impl Shared {
    /// A panic under this lock is impossible to come by, and harmless: the queue is whole between calls.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pool. Dropping it answers what waits with Busy and ends its threads after their current job.
pub struct PasswordPool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// Where there is no thread: each job is done by whoever submits it.
    in_place: Option<Mutex<Memory>>,
}

impl PasswordPool {
    /// A pool without threads: each job is done and answered before [`PasswordPool::try_submit`] returns. For a
    /// simulation, in which everything happens on one thread and in one order.
    #[must_use]
    pub fn in_place() -> Self {
        let queue = Mutex::new(Queue { waiting: Fair::new(1), closed: false });
        let (arrived, work) = (Condvar::new(), AtomicU64::new(0));
        let shared = Arc::new(Shared { queue, arrived, work, patience: WAIT_MAX });
        Self { shared, threads: Vec::new(), in_place: Some(Mutex::new(Memory::new())) }
    }

    /// Starts `threads` threads in front of a queue of at most `queue` jobs, each of which waits two seconds at most.
    ///
    /// # Errors
    /// The system's error when a thread cannot be started.
    pub fn new(threads: NonZeroUsize, queue: usize) -> std::io::Result<Self> {
        Self::with_patience(threads, queue, WAIT_MAX)
    }

    /// As [`PasswordPool::new`], with jobs that wait no longer than `patience`: where nobody's patience is to be
    /// tried, a slow machine then answers as a fast one does.
    ///
    /// # Errors
    /// The system's error when a thread cannot be started.
    pub fn with_patience(threads: NonZeroUsize, queue: usize, patience: Duration) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue { waiting: Fair::new(queue), closed: false }),
            arrived: Condvar::new(),
            work: AtomicU64::new(0),
            patience,
        });
        let mut pool = Self { shared, threads: Vec::with_capacity(threads.get()), in_place: None };
        for number in 0..threads.get() {
            let shared = Arc::clone(&pool.shared);
            let thread = std::thread::Builder::new()
                .name(format!("password-{number}"))
                .spawn(move || work(&shared))?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// Queues a job of a tenant. The reply is called on a thread of the pool, or on that of a caller whose
    /// job took this one's place; what it does must be short.
    ///
    /// # Errors
    /// [`QueueFull`] when as many jobs wait as may, and no other tenant has more of them; the reply is
    /// dropped unanswered.
    pub fn try_submit(&self, tenant: u64, job: Job, reply: Reply) -> Result<(), QueueFull> {
        if let Some(memory) = &self.in_place {
            let outcome = compute(&mut memory.lock().unwrap_or_else(PoisonError::into_inner), job);
            answer(reply, outcome);
            return Ok(());
        }
        let mut queue = self.shared.lock();
        if queue.closed {
            return Err(QueueFull);
        }
        let cost = job.cost();
        let pushed_out = queue.waiting.push(tenant, cost, Waiting { job, reply, since: Instant::now() });
        drop(queue);
        match pushed_out {
            Err(_) => return Err(QueueFull),
            Ok(None) => {}
            Ok(Some(out)) => answer(out.reply, Outcome::Busy),
        }
        self.shared.arrived.notify_one();
        Ok(())
    }

    /// How many jobs may wait.
    #[must_use]
    pub fn queue_max(&self) -> usize {
        self.shared.lock().waiting.max()
    }

    /// How many jobs wait, for metrics.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.lock().waiting.len()
    }

    /// KiB that were filled since the start, each pass counted: the work of all jobs that were answered.
    #[must_use]
    pub fn work_kib(&self) -> u64 {
        self.shared.work.load(Ordering::Acquire)
    }
}

impl Drop for PasswordPool {
    fn drop(&mut self) {
        let waiting = {
            let mut queue = self.shared.lock();
            queue.closed = true;
            queue.waiting.drain()
        };
        self.shared.arrived.notify_all();
        for waiting in waiting {
            answer(waiting.reply, Outcome::Busy);
        }
        for thread in self.threads.drain(..) {
            // A worker that panicked outside a job has nothing left to tell.
            drop(thread.join());
        }
    }
}

/// One thread's life: take the next job, answer it, until the pool closes.
fn work(shared: &Shared) {
    // The kernel takes a thread's own id for 0. Without the right to lower itself it works all the same.
    rustix::process::setpriority_process(None, NICE).ok();
    let mut memory = Memory::new();
    while let Some(Waiting { job, reply, since }) = next(shared, &mut memory) {
        let outcome = if since.elapsed() > shared.patience {
            Outcome::Busy
        } else {
            // Argon2 does not panic on capped parameters; if it ever did, one caller is told Busy.
            catch_unwind(AssertUnwindSafe(|| compute(&mut memory, job))).unwrap_or(Outcome::Busy)
        };
        shared.work.fetch_add(memory.take_work(), Ordering::Release);
        answer(reply, outcome);
    }
}

/// The next job, or `None` when the pool has closed. Memory is given back when none comes.
fn next(shared: &Shared, memory: &mut Memory) -> Option<Waiting> {
    let mut queue = shared.lock();
    loop {
        if let Some(waiting) = queue.waiting.pop() {
            return Some(waiting);
        }
        if queue.closed {
            return None;
        }
        queue = if memory.bytes() == 0 {
            shared.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner)
        } else {
            let (queue, timeout) =
                shared.arrived.wait_timeout(queue, MEMORY_KEPT).unwrap_or_else(PoisonError::into_inner);
            if timeout.timed_out() && queue.waiting.len() == 0 {
                memory.release();
            }
            queue
        };
    }
}

fn compute(memory: &mut Memory, job: Job) -> Outcome {
    match job {
        Job::Hash { password, salt, parameters } => {
            Outcome::Hashed(password::hash_in(memory, &password, &salt, parameters))
        }
        Job::Verify { password, stored: Some(phc), parameters } => {
            let verdict = password::verify_in(memory, &password, &phc);
            if verdict == Verdict::Malformed {
                // Nothing was computed: the time must not tell.
                password::dummy_verify(memory, &password, parameters);
            }
            let needs_rehash = verdict == Verdict::Match && password::needs_rehash(&phc, parameters);
            Outcome::Verified { verdict, needs_rehash }
        }
        Job::Verify { password, stored: None, parameters } => {
            password::dummy_verify(memory, &password, parameters);
            Outcome::Verified { verdict: Verdict::Mismatch, needs_rehash: false }
        }
    }
}

/// A reply that panics takes its own caller down, never the pool.
fn answer(reply: Reply, outcome: Outcome) {
    drop(catch_unwind(AssertUnwindSafe(move || reply(outcome))));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const CHEAP: Parameters = Parameters { memory_kib: 64, passes: 1, lanes: 1 };

    fn pool(threads: usize, queue: usize) -> PasswordPool {
        // However slow the machine is, nothing waits too long.
        let patience = Duration::from_secs(3_600);
        PasswordPool::with_patience(NonZeroUsize::new(threads).unwrap(), queue, patience).unwrap()
    }

    fn password() -> Zeroizing<Vec<u8>> {
        Zeroizing::new(b"correct horse".to_vec())
    }

    fn ask(pool: &PasswordPool, job: Job) -> Outcome {
        let (tell, told) = mpsc::channel();
        pool.try_submit(1, job, Box::new(move |outcome| tell.send(outcome).unwrap())).unwrap();
        told.recv().unwrap()
    }

    fn verify(stored: Option<String>, parameters: Parameters) -> Job {
        Job::Verify { password: password(), stored, parameters }
    }

    /// PROPERTY: the pool answers as the functions do; nobody's password is a mismatch.
    #[test]
    fn answers_as_the_functions_do() {
        let pool = pool(2, 8);
        let hash = Job::Hash { password: password(), salt: [7; 16], parameters: CHEAP };
        let Outcome::Hashed(Ok(phc)) = ask(&pool, hash) else { panic!("no hash") };
        assert_eq!(phc, password::hash(&password(), &[7; 16], CHEAP).unwrap());
        let verified = |verdict, needs_rehash| Outcome::Verified { verdict, needs_rehash };
        assert_eq!(ask(&pool, verify(Some(phc.clone()), CHEAP)), verified(Verdict::Match, false));
        assert_eq!(
            ask(&pool, verify(Some(phc.clone()), Parameters::default())),
            verified(Verdict::Match, true)
        );
        assert_eq!(ask(&pool, verify(None, CHEAP)), verified(Verdict::Mismatch, false));
        assert_eq!(ask(&pool, verify(Some("x".into()), CHEAP)), verified(Verdict::Malformed, false));
        // Whoever asks, whatever is stored: one hash each.
        for stored in [None, Some("x".into()), Some(phc)] {
            let before = pool.work_kib();
            ask(&pool, verify(stored, CHEAP));
            assert_eq!(pool.work_kib() - before, 64);
        }
    }

    /// PROPERTY: a pool without threads answers the same, before the call returns.
    #[test]
    fn a_pool_in_place_answers_at_once() {
        let (pool, (tell, told)) = (PasswordPool::in_place(), mpsc::channel());
        let reply: Reply = Box::new(move |outcome| tell.send(outcome).unwrap());
        pool.try_submit(1, Job::Hash { password: password(), salt: [7; 16], parameters: CHEAP }, reply)
            .unwrap();
        let phc = password::hash(&password(), &[7; 16], CHEAP).unwrap();
        assert_eq!(told.try_recv().unwrap(), Outcome::Hashed(Ok(phc.clone())));
        let verified = ask(&pool, verify(Some(phc), CHEAP));
        assert_eq!(verified, Outcome::Verified { verdict: Verdict::Match, needs_rehash: false });
    }

    /// PROPERTY: the queue holds as many as it may and no more; every accepted job is answered once,
    /// also when the pool ends; a reply that panics ends nothing.
    /// TC-112 in part.
    #[test]
    fn the_queue_is_bounded_and_every_job_is_answered() {
        let pool = pool(1, 4);
        let (open, gate) = mpsc::channel::<()>();
        let (started, has_started) = mpsc::channel();
        // The worker stands in the first reply until the gate opens.
        let block = move |_| {
            started.send(()).unwrap();
            gate.recv().ok();
            panic!("planted");
        };
        pool.try_submit(1, verify(None, CHEAP), Box::new(block)).unwrap();
        has_started.recv().unwrap();
        let (tell, told) = mpsc::channel();
        let reply = |tell: &mpsc::Sender<Outcome>| -> Reply {
            let tell = tell.clone();
            Box::new(move |outcome| tell.send(outcome).unwrap())
        };
        for _ in 0..4 {
            assert_eq!(pool.try_submit(1, verify(None, CHEAP), reply(&tell)), Ok(()));
        }
        assert_eq!(pool.try_submit(1, verify(None, CHEAP), reply(&tell)), Err(QueueFull));
        assert_eq!(pool.waiting(), 4);
        open.send(()).unwrap();
        for _ in 0..4 {
            assert!(matches!(told.recv().unwrap(), Outcome::Verified { .. }));
        }
        for _ in 0..4 {
            pool.try_submit(1, verify(None, Parameters::default()), reply(&tell)).unwrap();
        }
        drop(pool);
        drop(tell);
        assert_eq!(told.iter().count(), 4);
    }

    /// PROPERTY: a tenant that asks for much of it is not in the way of another: of two tenants that wait, each
    /// gets as much work done, and a full queue makes room for the one that has less in it.
    /// TC-64 in part: hashes.
    #[test]
    fn tenants_share_the_pool_by_cost() {
        const DEAR: Parameters = Parameters { memory_kib: 1_024, passes: 4, lanes: 1 };
        let pool = pool(1, 40);
        let (open, gate) = mpsc::channel::<()>();
        let (started, has_started) = mpsc::channel();
        let block = move |_| {
            started.send(()).unwrap();
            gate.recv().ok();
        };
        pool.try_submit(9, verify(None, CHEAP), Box::new(block)).unwrap();
        has_started.recv().unwrap();
        let (tell, told) = mpsc::channel();
        let ask = |tenant, parameters| {
            let tell = tell.clone();
            let reply = move |outcome| tell.send((tenant, outcome)).unwrap();
            pool.try_submit(tenant, verify(None, parameters), Box::new(reply))
        };
        for _ in 0..40 {
            assert_eq!(ask(1, DEAR), Ok(()));
        }
        assert_eq!(ask(1, DEAR), Err(QueueFull), "nobody has more waiting");
        for _ in 0..20 {
            assert_eq!(ask(2, CHEAP), Ok(()));
        }
        assert_eq!(ask(2, CHEAP), Err(QueueFull));
        for _ in 0..20 {
            assert_eq!(told.recv().unwrap(), (1, Outcome::Busy));
        }
        open.send(()).unwrap();
        let order: Vec<u64> = (0..40).map(|_| told.recv().unwrap().0).collect();
        let before_the_last_cheap = order.iter().rposition(|tenant| *tenant == 2).unwrap();
        assert!(before_the_last_cheap <= 21, "{order:?}");
    }

    /// PROPERTY: what waited longer than it may is answered Busy, not computed; the pool goes on.
    #[test]
    fn what_waited_too_long_is_busy() {
        let patience = Duration::from_millis(20);
        let pool = PasswordPool::with_patience(NonZeroUsize::MIN, 4, patience).unwrap();
        let (open, gate) = mpsc::channel::<()>();
        let (started, has_started) = mpsc::channel();
        let stand = move |_| {
            started.send(()).unwrap();
            gate.recv().ok();
        };
        pool.try_submit(1, verify(None, CHEAP), Box::new(stand)).unwrap();
        has_started.recv().unwrap();
        let (tell, told) = mpsc::channel();
        let reply = move |outcome| tell.send(outcome).unwrap();
        pool.try_submit(1, verify(None, CHEAP), Box::new(reply)).unwrap();
        std::thread::sleep(patience * 2);
        open.send(()).unwrap();
        assert_eq!(told.recv().unwrap(), Outcome::Busy);
        // On a busy machine the thread itself may come late.
        assert!((0..1_000).any(|_| matches!(ask(&pool, verify(None, CHEAP)), Outcome::Verified { .. })));
    }

    /// PROPERTY: the pool's threads run at the lowest priority, and only they do.
    /// TC-112 in part.
    #[test]
    fn threads_run_at_the_lowest_priority() {
        let pool = pool(1, 4);
        let own = || rustix::process::getpriority_process(None).unwrap();
        let (tell, told) = mpsc::channel();
        let reply: Reply = Box::new(move |_| tell.send(own()).unwrap());
        pool.try_submit(1, verify(None, CHEAP), reply).unwrap();
        assert_eq!(told.recv().unwrap(), NICE);
        assert!(own() < NICE);
    }
}
