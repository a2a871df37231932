//! What all parts of the engine share: store, seams, directory and settings of the node.

use crate::bound::HelloRefusal;
use crate::directory::{Directory, Entry, Standing};
use crate::front::Strangers;
use crate::seam::{Clock, Entropy};
use crate::supervisor::SupervisorMessage;
use crate::view::{Reading, View};
use parking_lot::Mutex;
use ractor::ActorRef;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use tessera_crypto::digest::Tagger;
use tessera_crypto::pool::PasswordPool;
use tessera_model::record::TenantStatus;
use tessera_model::{CellId, TenantId, UnixMillis};
use tessera_storage::{StorageError, Store};

/// Whether this build has the planted faults that the proofs must notice; a node that is shipped has none.
pub const PLANTED: bool = cfg!(feature = "planted");

/// Settings of the engine on one node.
#[derive(Clone, Copy, Debug)]
pub struct EngineConfig {
    /// The cell that this node is.
    pub cell: CellId,
    /// A tenant that nobody used for so long is put to sleep, ms.
    pub idle_sleep_ms: u64,
    /// About how many bytes the tenants in memory may take; beyond it the one that was used least recently
    /// is put to sleep.
    pub memory_bytes_max: usize,
    /// Tenants that are loaded at a time.
    pub loads_max: usize,
    /// Take the clock's time although a history proves a later one (an operator's way out).
    pub trusts_wall: bool,
    /// What a password's hash may cost here, KiB × passes, whatever a tenant's settings say.
    pub password_cost_max: u64,
    /// A checkpoint is taken at least so often while there is something to take, ms.
    pub checkpoint_every_ms: u64,
    /// Does what may block where it is asked for, instead of on a thread of its own: for a simulation, in which
    /// everything happens on one thread and in one order.
    pub blocks_in_place: bool,
    /// Planted fault: one revocation in so many is never published. 0 plants nothing.
    #[cfg(feature = "planted")]
    pub planted_skip_revocations: u32,
    /// Planted fault: a tenant that has moved away is answered here all the same, over connections that stand.
    #[cfg(feature = "planted")]
    pub planted_keeps_moved: bool,
}

impl EngineConfig {
    /// Whether a tenant that has moved away is answered here all the same; never in a build without planted faults.
    pub(crate) const fn keeps_moved(&self) -> bool {
        #[cfg(feature = "planted")]
        return self.planted_keeps_moved;
        #[cfg(not(feature = "planted"))]
        return false;
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            cell: CellId(0),
            idle_sleep_ms: 10 * 60 * 1000,
            memory_bytes_max: 512 * 1024 * 1024,
            loads_max: 2,
            trusts_wall: false,
            password_cost_max: 256 * 1024,
            checkpoint_every_ms: 60 * 1000,
            blocks_in_place: false,
            #[cfg(feature = "planted")]
            planted_skip_revocations: 0,
            #[cfg(feature = "planted")]
            planted_keeps_moved: false,
        }
    }
}

/// LIMIT: passwords that are hashed anew at once after sign-ins: a quarter of the smallest hashing queue,
/// so that those who wait for an answer find room.
pub(crate) const REHASHES_MAX: usize = 16;

/// The shared part of an engine.
pub(crate) struct House {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) pool: Arc<PasswordPool>,
    pub(crate) directory: Directory,
    /// Tenants of which another cell says otherwise of the same epoch, and where it says that they live.
    pub(crate) disputed: Mutex<std::collections::BTreeMap<TenantId, CellId>>,
    /// What was found of the other cells.
    pub(crate) peers: Mutex<std::collections::BTreeMap<CellId, tessera_model::PeerSeen>>,
    /// The fleet that the node belongs to.
    pub(crate) fleet: arc_swap::ArcSwapOption<tessera_model::Fleet>,
    pub(crate) tagger: Tagger,
    pub(crate) config: EngineConfig,
    /// Failed sign-ins since the start.
    pub(crate) failed_sign_ins: AtomicU64,
    /// Sign-ins that were told to wait.
    pub(crate) told_to_wait: AtomicU64,
    /// Passwords that may be hashed anew at once.
    pub(crate) rehashes: Arc<tokio::sync::Semaphore>,
    /// Policies that may be compiled at once.
    pub(crate) compiles: Arc<tokio::sync::Semaphore>,
    /// The tenants that some are compiled for: one at a time for each.
    pub(crate) compiling: Arc<Mutex<std::collections::BTreeSet<TenantId>>>,
    pub(crate) supervisor: Mutex<Option<ActorRef<SupervisorMessage>>>,
    /// The latest time that a loaded history proves, less what the clock's elapsed time was then: time
    /// goes on from there, never back behind it.
    pub(crate) proven: AtomicI64,
    /// Tenants that were loaded, put to sleep, and of these for the memory that they took.
    pub(crate) woken: AtomicU64,
    pub(crate) slept: AtomicU64,
    pub(crate) slept_for_memory: AtomicU64,
    /// Tenants that are still to be looked at for times that are to come, where the wall clock is trusted.
    pub(crate) doubted: Mutex<VecDeque<TenantId>>,
    /// Tenants whose buckets a checkpoint is to write anew, whether anything changed or not.
    pub(crate) rewriting: Mutex<std::collections::BTreeSet<TenantId>>,
    /// What strangers have done lately.
    pub(crate) strangers: Strangers,
    /// What brings tenants to other cells; none where the node belongs to no fleet.
    pub(crate) carrier: Mutex<Option<Arc<dyn crate::moving::Carrier>>>,
    /// Tenants that are moved away, and those that are taken.
    pub(crate) moves: crate::moving::Moves,
    pub(crate) takings: crate::moving::Takings,
    /// What is to be done about moves, and by whom.
    pub(crate) tended: crate::moving::Tended,
    /// The backup that was begun last.
    pub(crate) backup: Mutex<Option<crate::backup::Run>>,
}

/// Work that may block has ended without a result: it panicked, or the runtime ends.
#[derive(Debug)]
pub(crate) struct WorkLost;

/// LIMIT: how far the journal may be ahead of the clock before writes wait for an operator: one hour.
const JOURNAL_AHEAD_MS_MAX: u64 = 60 * 60 * 1000;

impl House {
    /// Does work that may block, on a thread of its own or, in a simulation, at once.
    ///
    /// # Errors
    /// [`WorkLost`].
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, WorkLost> {
        if self.config.blocks_in_place {
            return catch_unwind(AssertUnwindSafe(work)).map_err(|_| WorkLost);
        }
        tokio::task::spawn_blocking(work).await.map_err(|_| WorkLost)
    }

    /// The clock's time, but never behind what a loaded history proves and what has passed since: what had
    /// expired before a restart stays expired, wherever the wall clock was set meanwhile, and what ends
    /// later ends in time.
    pub(crate) fn now(&self) -> UnixMillis {
        let (told, proven) = self.told_and_proven();
        UnixMillis(told.max(proven))
    }

    /// The same time, and whether writes must wait for an operator: each clock is read once.
    pub(crate) fn now_and_stopped(&self) -> (UnixMillis, bool) {
        let (told, proven) = self.told_and_proven();
        (UnixMillis(told.max(proven)), self.stops(proven.saturating_sub(told)))
    }

    fn proven_at(&self, elapsed_ms: u64) -> u64 {
        elapsed_ms.saturating_add_signed(self.proven.load(Ordering::Relaxed))
    }

    /// The clock's time and the journal's, ms, of one moment.
    fn told_and_proven(&self) -> (u64, u64) {
        let (now, elapsed_ms) = self.clock.moment();
        (now.0, self.proven_at(elapsed_ms))
    }

    /// A loaded history of a tenant proves that it was at least this late. Where the operator trusts the
    /// wall clock alone, a later time proves nothing.
    pub(crate) fn prove(&self, time: UnixMillis) {
        if self.config.trusts_wall && time > self.clock.now() {
            return;
        }
        let elapsed = i64::try_from(self.clock.elapsed_ms()).unwrap_or(i64::MAX);
        let proven = i64::try_from(time.0).unwrap_or(i64::MAX).saturating_sub(elapsed);
        self.proven.fetch_max(proven, Ordering::Relaxed);
    }

    /// How far the journal's time is ahead of the clock's, ms.
    pub(crate) fn journal_ahead_ms(&self) -> u64 {
        let (told, proven) = self.told_and_proven();
        proven.saturating_sub(told)
    }

    /// Whether the clock says that writes must wait for an operator, or the journal is far ahead of it.
    fn stops(&self, journal_ahead_ms: u64) -> bool {
        self.clock.is_stopped() || journal_ahead_ms > JOURNAL_AHEAD_MS_MAX
    }

    /// A view read at the present time. While the clock is in doubt, what ends is held against the later
    /// of the times that it may be, what begins against the earlier.
    pub(crate) fn read<'v>(&self, view: &'v View) -> Reading<'v> {
        // Each clock is read once: most of a short question's time would be theirs.
        let (told, proven) = self.told_and_proven();
        let now = UnixMillis(told.max(proven));
        if !self.stops(proven.saturating_sub(told)) {
            return view.read(now);
        }
        let (early, late) = self.clock.span();
        view.read_between(early.min(now), late.max(now))
    }

    /// Says so when the journal's time stops writes.
    pub(crate) fn tell_journal_ahead(&self) {
        if self.journal_ahead_ms() > JOURNAL_AHEAD_MS_MAX {
            let (wall, journal) = self.told_and_proven();
            tracing::error!(
                wall_ms = wall,
                journal_ms = journal,
                ahead_s = (journal - wall) / 1000,
                "the journal's time is ahead of the wall clock: writes wait for an operator; set the clock \
                 right, or see danger_trust_wall_clock"
            );
        }
    }

    /// The system tenant's view; it never sleeps.
    pub(crate) fn system(&self) -> Option<Arc<View>> {
        let entry = self.directory.entry(TenantId::SYSTEM)?;
        entry.view().as_ref().map(Arc::clone)
    }

    /// The entry of a tenant that exists, whatever its status. Unknown tenants cost one look-up in the
    /// system tenant's root and leave nothing behind.
    pub(crate) fn entry(&self, tenant: TenantId) -> Option<Arc<Entry>> {
        if let Some(entry) = self.directory.entry(tenant) {
            return Some(entry);
        }
        let status_of = |view: &View| view.root.full().tenants.see(tenant).map(|seen| seen.status);
        let view = self.system()?;
        let entry = self.directory.entry_or_make(tenant, status_of(&view)?);
        // The record may have changed between the look and the insertion.
        if let Some(status) = status_of(&view) {
            entry.set_status(status);
        }
        self.tell_where(&entry);
        Some(entry)
    }

    /// Notes in an entry that was just made where its tenant lives, and what holds it.
    pub(crate) fn tell_where(&self, entry: &Entry) {
        // It may be placed between the look and this: set until a look behind it says the same.
        loop {
            let away = self.away(entry.tenant);
            entry.set_away(away);
            if self.away(entry.tenant) == away {
                break;
            }
        }
        if self.tended.is_unheard() {
            entry.hold(crate::moving::Hold::Unheard);
            // They may have been heard between the look and this.
            if !self.tended.is_unheard() {
                entry.release(crate::moving::Hold::Unheard);
            }
        }
    }

    /// Starts waking a tenant, if it sleeps. Nobody waits for it.
    pub(crate) fn wake(&self, entry: &Entry) {
        if entry.status() != TenantStatus::Deleted && entry.shift(Standing::Asleep, Standing::Waking) {
            self.tell(SupervisorMessage::Wake(entry.tenant));
        }
    }

    /// Why a tenant without a view answers nothing now; one that sleeps is woken.
    pub(crate) fn unready(&self, entry: &Entry) -> HelloRefusal {
        if entry.standing() == Standing::Failed {
            return HelloRefusal::Failed;
        }
        self.wake(entry);
        HelloRefusal::NotReady
    }

    /// What is answered when something of a tenant could not be read. What passes is NotReady; all else is
    /// the tenant's damage, and stands in the log once, with where it is.
    pub(crate) fn unread(entry: &Entry, error: &StorageError) -> HelloRefusal {
        if matches!(error, StorageError::LaneStopped | StorageError::Busy) {
            return HelloRefusal::NotReady;
        }
        if entry.note_damage(error.to_string()) {
            tracing::error!(tenant = %entry.tenant, %error, "a part of a tenant cannot be read: who needs it is refused");
        }
        HelloRefusal::Failed
    }

    pub(crate) fn tell(&self, message: SupervisorMessage) {
        let supervisor = self.supervisor.lock().clone();
        if let Some(supervisor) = supervisor {
            // The supervisor is gone only when the node is ending.
            drop(supervisor.cast(message));
        }
    }
}
