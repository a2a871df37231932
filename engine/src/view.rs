//! The view of one tenant: its session table, its published root and how far they are published.

use crate::guess::Sources;
use crate::order::{self, Change, Marks, RootCell};
use crate::possession::Challenges;
use crate::ring::Ring;
use crate::root::{LoadedRoot, Published, Root};
use crate::table::Table;
use crate::used::Touching;
use crate::watch::Watchers;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tessera_model::{Epoch, Receipt, Revision, TenantId, UnixMillis};
use tessera_storage::Durable;

/// What readers of one tenant see. Only the tenant's actor changes it, and only behind a proof.
pub struct View {
    pub(crate) tenant: TenantId,
    pub(crate) epoch: Epoch,
    pub(crate) table: Arc<Table>,
    pub(crate) root: Published,
    pub(crate) marks: Marks,
    /// Command ids that the actor remembers, as of its last batch.
    pub(crate) remembered: AtomicUsize,
    /// How often sources failed to sign in here.
    pub(crate) sources: Sources,
    /// The tenant's refresh keys, for callers that verify a handle.
    pub(crate) ring: ArcSwap<Ring>,
    /// Keys whose last use is on its way.
    pub(crate) touching: Touching,
    /// Whoever waits for changes of relations.
    pub(crate) watchers: Watchers,
    /// What devices are asked to sign.
    pub(crate) challenges: Challenges,
}

/// Bytes of a remembered command id, its part of the table included.
pub(crate) const REMEMBERED_BYTES: usize = 55;

impl View {
    /// The view of a tenant that was just loaded; `next` is the revision that its next command gets.
    pub(crate) fn new(root: Root, table: Arc<Table>, next: Revision) -> Self {
        Self {
            tenant: root.tenant,
            epoch: root.epoch,
            table,
            root: Published::new(root),
            marks: Marks::new(next.0),
            remembered: AtomicUsize::new(0),
            sources: Sources::default(),
            ring: ArcSwap::from_pointee(Ring::Keys(Vec::new())),
            touching: Touching::default(),
            watchers: Watchers::new(next),
            challenges: Challenges::default(),
        }
    }

    /// About how many bytes of memory the tenant takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let remembered = self.remembered.load(Ordering::Relaxed) * REMEMBERED_BYTES;
        self.table.bytes() + self.root.full().bytes() + remembered + self.sources.bytes()
    }

    /// Publishes a durable batch: places and, if it changed, the root. INVARIANT: the view never runs
    /// ahead of its proof.
    pub(crate) fn publish(&self, durable: &Durable, changes: &[(u32, Change)], root: Option<Arc<Root>>) {
        let head = durable.head();
        assert_eq!(durable.tenant(), self.tenant, "a proof of another tenant");
        assert!(head.next.0 >= self.marks.published(), "the view ran ahead of its proof");
        match root {
            None => order::publish(&self.table, &self.marks, changes, None, head.next.0),
            Some(root) => {
                let mut swap = || self.root.swap(Arc::clone(&root));
                order::publish(&self.table, &self.marks, changes, Some(&mut swap), head.next.0);
            }
        }
        self.watchers.wake();
    }

    /// Step (1) of a reader: published revision, version and root, once per drained read.
    #[must_use]
    pub fn read(&self, now: UnixMillis) -> Reading<'_> {
        let next = self.marks.published();
        let version = self.marks.version();
        let seen = Receipt { epoch: self.epoch, revision: Revision(next.saturating_sub(1)) };
        Reading { view: self, root: self.root.load(), version, seen, now, early: now }
    }

    /// The same where nobody knows which of two times it is: what ends is held against the later, what
    /// begins against the earlier.
    #[must_use]
    pub fn read_between(&self, early: UnixMillis, late: UnixMillis) -> Reading<'_> {
        Reading { early, ..self.read(late) }
    }

    /// Whether policies are asked about what roles and relations say.
    #[must_use]
    pub fn has_policies(&self) -> bool {
        self.root.load().policed.is_some()
    }

    /// Bytes of the session table.
    #[must_use]
    pub fn table_bytes(&self) -> usize {
        self.table.bytes()
    }
}

/// One drained read's look at a view: every question of the read is answered against it.
pub struct Reading<'a> {
    pub(crate) view: &'a View,
    pub(crate) root: LoadedRoot,
    pub(crate) version: u64,
    pub(crate) seen: Receipt,
    pub(crate) now: UnixMillis,
    /// Before `now` only while the node's clock is in doubt.
    pub(crate) early: UnixMillis,
}

/// How a reading stands to a receipt that a caller has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sees {
    /// The reading is at or beyond it.
    Yes,
    /// Not yet: answer NotReady.
    NotYet,
    /// It is of a history that a restore has left.
    Restored,
}

impl Reading<'_> {
    /// The position that the answers of this reading were taken at.
    #[must_use]
    pub const fn seen(&self) -> Receipt {
        self.seen
    }

    /// The time of this reading.
    #[must_use]
    pub const fn now(&self) -> UnixMillis {
        self.now
    }

    /// Step (1) anew, for the next drained read of the same connection: as [`View::read`], but a root that
    /// was not swapped meanwhile is kept, which costs no write to shared memory.
    ///
    /// The published revision is read before the version, and a root is never older than the version
    /// that was read before it, so the position that is answered with is one that this root holds.
    pub fn renew(&mut self, now: UnixMillis) {
        let next = self.view.marks.published();
        let version = self.view.marks.version();
        if version != self.version {
            self.root = self.view.root.load();
            self.version = version;
        }
        self.seen = Receipt { epoch: self.view.epoch, revision: Revision(next.saturating_sub(1)) };
        self.now = now;
    }

    /// Whether this reading has seen what the caller has seen. An epoch of 0 asks for nothing.
    #[must_use]
    pub fn sees(&self, at_least: Receipt) -> Sees {
        if at_least.epoch.0 == 0
            || at_least.epoch == self.seen.epoch && at_least.revision <= self.seen.revision
        {
            Sees::Yes
        } else if at_least.epoch < self.seen.epoch {
            let carried = self.root.full().course.carried;
            let at = (at_least.epoch, at_least.revision);
            if carried.is_some_and(|carried| carried.holds(self.seen.epoch, at)) {
                return Sees::Yes;
            }
            Sees::Restored
        } else {
            Sees::NotYet
        }
    }
}
