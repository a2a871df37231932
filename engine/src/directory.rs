//! The directory: tenant → entry, the one structure besides the lane that holds several tenants.

use crate::admit::Intake;
use crate::supervisor::Writer;
use crate::view::View;
use arc_swap::{ArcSwapOption, Guard};
use dashmap::DashMap;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use tessera_model::record::TenantStatus;
use tessera_model::{CellId, CommandId, TenantId, UnixMillis};

/// Where a tenant stands on this node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Not in memory.
    Asleep,
    /// Being loaded.
    Waking,
    /// In memory, with a view and an actor.
    Awake,
    /// Going to sleep or being closed.
    Leaving,
    /// Damaged: its data does not verify.
    Failed,
}

impl Standing {
    const fn number(self) -> u8 {
        match self {
            Self::Asleep => 0,
            Self::Waking => 1,
            Self::Awake => 2,
            Self::Leaving => 3,
            Self::Failed => 4,
        }
    }

    const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Asleep,
            1 => Self::Waking,
            2 => Self::Awake,
            3 => Self::Leaving,
            _ => Self::Failed,
        }
    }
}

/// Where in the word of a status the other cell begins.
const AWAY: u32 = 8;

/// LIMIT: panics of one command before it is quarantined.
pub(crate) const STRIKES_MAX: u8 = 3;
/// LIMIT: what is told of one tenant's damage until the next start; some 200 bytes each.
const DAMAGE_TOLD_MAX: usize = 64;
/// LIMIT: of that, what an answer about the tenant tells.
const TROUBLES_MAX: usize = 8;
/// LIMIT: commands whose panics are counted per tenant; the oldest ids go first.
const STRUCK_COMMANDS_MAX: usize = 1_024;

/// One tenant on this node. Connections keep it and load its view once per drained read.
pub struct Entry {
    /// Whose entry it is.
    pub tenant: TenantId,
    standing: AtomicU8,
    /// The status, and above it the cell that the tenant lives in, plus 1, when that is another one.
    status: AtomicU32,
    pub(crate) view: ArcSwapOption<View>,
    /// Why the tenant is closed although it is in memory, and the view that is not shown meanwhile.
    pub(crate) held: Mutex<(u8, Option<Arc<View>>)>,
    used_ms: AtomicU64,
    pub(crate) intake: Arc<Intake>,
    pub(crate) actor: Mutex<Option<Writer>>,
    strikes: Mutex<BTreeMap<CommandId, u8>>,
    /// What of it read wrong and was told.
    damage: Mutex<BTreeSet<String>>,
    /// Why it has failed.
    failure: Mutex<Option<String>>,
    pub(crate) stirs: tokio::sync::Notify,
    /// What of it goes into a checkpoint is taken by one at a time: buckets of one position belong into one transaction.
    pub(crate) handing: tokio::sync::Mutex<()>,
}

/// What is the matter with a tenant on this node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trouble {
    /// Whether it has failed: nothing of it is answered until it is repaired. Else it goes on, and what is
    /// told concerns a part of it.
    pub failed: bool,
    /// What reads wrong, or what the node turns down; for people.
    pub what: String,
}

impl Entry {
    fn new(tenant: TenantId, status: TenantStatus) -> Self {
        Self {
            tenant,
            standing: AtomicU8::new(Standing::Asleep.number()),
            status: AtomicU32::new(status.number().into()),
            view: ArcSwapOption::empty(),
            held: Mutex::default(),
            used_ms: AtomicU64::new(0),
            intake: Arc::default(),
            actor: Mutex::new(None),
            strikes: Mutex::new(BTreeMap::new()),
            damage: Mutex::default(),
            failure: Mutex::default(),
            stirs: tokio::sync::Notify::new(),
            handing: tokio::sync::Mutex::default(),
        }
    }

    /// The published view, if the tenant is awake.
    #[must_use]
    pub fn view(&self) -> Guard<Option<Arc<View>>> {
        self.view.load()
    }

    /// Where the tenant stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing::from_number(self.standing.load(Ordering::Acquire))
    }

    /// Whether the tenant may be used here, as the system tenant last published it: it is active and lives here.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status.load(Ordering::Acquire) == u32::from(TenantStatus::Active.number())
    }

    /// The other cell that the tenant lives in.
    #[must_use]
    #[inline]
    pub fn away(&self) -> Option<CellId> {
        let cell = self.status.load(Ordering::Acquire) >> AWAY;
        cell.checked_sub(1).and_then(|cell| u16::try_from(cell).ok()).map(CellId)
    }

    /// The status, as the system tenant last published it.
    #[must_use]
    pub fn status(&self) -> TenantStatus {
        let [status, ..] = self.status.load(Ordering::Acquire).to_le_bytes();
        TenantStatus::from_number(status).unwrap_or(TenantStatus::Deleted)
    }

    pub(crate) fn set_status(&self, status: TenantStatus) {
        let changed = |word: u32| word >> AWAY << AWAY | u32::from(status.number());
        self.change(changed);
    }

    pub(crate) fn set_away(&self, cell: Option<CellId>) {
        let away = cell.map_or(0, |cell| u32::from(cell.0) + 1) << AWAY;
        self.change(|word| away | word & ((1 << AWAY) - 1));
    }

    fn change(&self, changed: impl Fn(u32) -> u32) {
        let (Ok(_) | Err(_)) =
            self.status.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| Some(changed(word)));
    }

    pub(crate) fn set_standing(&self, standing: Standing) {
        self.standing.store(standing.number(), Ordering::Release);
        self.stirs.notify_waiters();
    }

    /// Ends when the tenant's standing changes after this call, whenever it is awaited.
    pub fn stirred(&self) -> impl Future<Output = ()> + Send + '_ {
        self.stirs.notified()
    }

    /// Moves from one standing to another; false when it stood elsewhere.
    pub(crate) fn shift(&self, from: Standing, to: Standing) -> bool {
        let (from, to) = (from.number(), to.number());
        self.standing.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Notes that the tenant was used; it is not put to sleep for a while.
    pub(crate) fn used(&self, now: UnixMillis) {
        // Once a second is enough, and spares the line that all readers share.
        if self.idle_for(now) >= 1_000 {
            self.used_ms.store(now.0, Ordering::Relaxed);
        }
    }

    pub(crate) fn idle_for(&self, now: UnixMillis) -> u64 {
        now.0.saturating_sub(self.used_ms.load(Ordering::Relaxed))
    }

    /// Notes something that reads wrong; true when it is news that is to be told.
    pub(crate) fn note_damage(&self, what: String) -> bool {
        let mut damage = self.damage.lock();
        damage.len() < DAMAGE_TOLD_MAX && damage.insert(what)
    }

    /// Whether something of it read wrong since the node's start.
    pub(crate) fn is_damaged(&self) -> bool {
        !self.damage.lock().is_empty()
    }

    /// Notes why it has failed, for whoever asks what is the matter.
    pub(crate) fn note_failure(&self, why: String) {
        *self.failure.lock() = Some(why);
    }

    /// What is the matter with it on this node; `None` when nothing is.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        let failed = self.standing() == Standing::Failed;
        let mut told: Vec<String> = Vec::new();
        if failed {
            let why = self.failure.lock().clone();
            told.push(why.unwrap_or_else(|| "its data cannot be read: the node's log says why".to_owned()));
        }
        told.extend(self.damage.lock().iter().take(TROUBLES_MAX).cloned());
        told.dedup();
        let quarantined = self.strikes.lock().values().filter(|count| **count >= STRIKES_MAX).count();
        if quarantined > 0 {
            let commands =
                if quarantined == 1 { "1 command is" } else { &format!("{quarantined} commands are") };
            told.push(format!("{commands} quarantined until the node restarts"));
        }
        (!told.is_empty()).then(|| Trouble { failed, what: told.join("; ") })
    }

    /// Counts a panic of a command.
    pub(crate) fn strike(&self, id: CommandId) {
        let mut strikes = self.strikes.lock();
        if strikes.len() >= STRUCK_COMMANDS_MAX {
            strikes.pop_first();
        }
        let count = strikes.entry(id).or_insert(0);
        *count = count.saturating_add(1);
    }

    /// Whether it says nothing but that its tenant sleeps.
    fn is_blank(&self) -> bool {
        self.standing() == Standing::Asleep
            && self.intake.len() == 0
            && self.strikes.lock().is_empty()
            && !self.is_damaged()
    }

    /// Whether a command is quarantined until the node restarts.
    pub(crate) fn is_quarantined(&self, id: CommandId) -> bool {
        self.strikes.lock().get(&id).is_some_and(|count| *count >= STRIKES_MAX)
    }
}

/// LIMIT: shards of the directory's map; the default starves writers.
const SHARDS: usize = 512;

/// All tenants that this node was asked about.
pub(crate) struct Directory(DashMap<TenantId, Arc<Entry>, foldhash::fast::FixedState>);

impl Directory {
    pub(crate) fn new() -> Self {
        Self(DashMap::with_capacity_and_hasher_and_shard_amount(
            0,
            foldhash::fast::FixedState::default(),
            SHARDS,
        ))
    }

    pub(crate) fn entry(&self, tenant: TenantId) -> Option<Arc<Entry>> {
        self.0.get(&tenant).map(|entry| Arc::clone(&entry))
    }

    /// The entry of a known tenant, made if need be.
    pub(crate) fn entry_or_make(&self, tenant: TenantId, status: TenantStatus) -> Arc<Entry> {
        Arc::clone(&self.0.entry(tenant).or_insert_with(|| Arc::new(Entry::new(tenant, status))))
    }

    /// The entry of a tenant that is none of this cell yet: whoever asks for it is sent where it is known to live, and
    /// nobody wakes it.
    pub(crate) fn entry_before(&self, tenant: TenantId, away: Option<CellId>) -> Arc<Entry> {
        let made = || {
            let entry = Entry::new(tenant, TenantStatus::Deleted);
            entry.set_away(away);
            Arc::new(entry)
        };
        Arc::clone(&self.0.entry(tenant).or_insert_with(made))
    }

    /// Drops the entries of sleeping tenants that nobody holds and that say nothing but that: whoever asks
    /// next gets a new one. Nobody gets an entry but through the map, so one that only the map holds stays so
    /// while its shard is locked.
    pub(crate) fn drop_sleepers(&self) {
        self.0.retain(|_, entry| Arc::strong_count(entry) > 1 || !entry.is_blank());
    }

    /// All entries.
    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        self.0.iter().map(|entry| Arc::clone(entry.value())).collect()
    }
}
