//! The lane: one writer for all tenants. What waits becomes one group, one write, one sync.
//!
//! [`Lane::turn`] commits one group of what [`crate::intake`] gathered; a thread drives it in a node, a
//! test by hand.
//! There is no timer on the commit path: the sync is the batching window. Only after 50 ms without
//! work an empty group is written, so that damage to the last frames is told from a torn end.

use crate::batch::{Batch, Durable, Head};
use crate::checkpoint::Checkpoint;
use crate::checkpoint::read::{head_of, kept};
use crate::checkpoint::schema::Life;
use crate::error::StorageError;
use crate::intake::{Intake, Waiting};
use crate::journal::group::{self, Piece};
use crate::journal::write::{Journal, Written};
use crate::tail::{Spot, Tail, TailSize};
use parking_lot::Mutex;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tessera_model::{Epoch, Revision, TenantId};
use tokio::sync::Notify;

/// LIMIT: heads that the lane remembers: 65,536 × 64 B = 4 MiB.
const HEADS_MAX: usize = 65_536;

/// What is shared with the lane.
pub(crate) struct Shared {
    /// The life of the directory: no tenant's history goes on in an earlier one.
    pub(crate) epoch: Epoch,
    pub(crate) intake: Intake,
    pub(crate) tail: Mutex<Tail>,
    pub(crate) tail_size: Arc<TailSize>,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) failed: AtomicBool,
    pub(crate) failure: Notify,
    /// LIMIT: frames and bytes of the tail before writers get Busy.
    pub(crate) tail_frames_max: u64,
    pub(crate) tail_bytes_max: u64,
}

impl Shared {
    /// Nothing more is acknowledged from here on.
    fn fail(&self, error: &StorageError) {
        tracing::error!(%error, "the journal failed: nothing more is acknowledged");
        self.failed.store(true, Ordering::SeqCst);
        self.failure.notify_waiters();
    }

    /// The durable head of a tenant: from the tail, else from its directory row.
    pub(crate) fn head(&self, tenant: TenantId) -> Result<Option<Head>, StorageError> {
        {
            let tail = self.tail.lock();
            tail.admit(tenant)?;
            if tail.forgotten.contains(&tenant) {
                return Ok(None);
            }
            if let Some(tailed) = tail.tenants.get(&tenant) {
                return Ok(Some(self.raised(tailed.head)));
            }
        }
        let row = self.checkpoint.directory(tenant)?;
        if row.as_ref().is_some_and(|row| row.life == Life::Forgotten) {
            self.tail.lock().forgotten.insert(tenant);
        }
        Ok(kept(row).map(|row| self.raised(head_of(tenant, &row))))
    }

    /// A head as whatever comes behind it continues it: in the directory's epoch, or a later one of its own.
    pub(crate) fn raised(&self, head: Head) -> Head {
        Head { epoch: head.epoch.max(self.epoch), ..head }
    }
}

/// The lane: owns the journal's end.
pub(crate) struct Lane {
    shared: Arc<Shared>,
    journal: Journal,
    heads: BTreeMap<TenantId, Head>,
}

/// Why a turn was the last.
pub(crate) struct Stopped;

impl Lane {
    /// A lane that continues the journal.
    pub(crate) const fn new(shared: Arc<Shared>, journal: Journal) -> Self {
        Self { shared, journal, heads: BTreeMap::new() }
    }

    /// In a new directory, writes the first group, without frames.
    pub(crate) fn begin(&mut self) -> Result<(), StorageError> {
        if self.journal.end().sequence > 0 {
            return Ok(());
        }
        self.journal.switch_to_any()?;
        let written = self.journal.write(None, std::iter::empty())?;
        self.note(Vec::new(), &written, false);
        Ok(())
    }

    /// Commits what waits until it is stopped or fails. Runs in a thread of its own.
    pub(crate) fn run(mut self) {
        loop {
            let (group, stopping) =
                self.shared.intake.wait(self.journal.is_closed(), self.journal.group_bytes_max());
            let turn = if group.is_empty() { self.rest() } else { self.turn(group) };
            if turn.is_err() || stopping {
                break;
            }
        }
        self.shared.intake.close();
    }

    /// Ends a lane that was driven by hand.
    pub(crate) fn end(&self) {
        self.shared.intake.close();
    }

    /// One turn by hand: commits one group of what waits, and tells whether there was any.
    pub(crate) fn turn_by_hand(&mut self) -> bool {
        let group = self.shared.intake.take(self.journal.group_bytes_max());
        let worked = !group.is_empty();
        if worked && self.turn(group).is_err() {
            self.shared.intake.close();
        }
        worked
    }

    /// At rest: an empty group, unless the last one is empty and there is nothing to name.
    pub(crate) fn rest(&mut self) -> Result<(), Stopped> {
        let named = self.shared.tail.lock().name.is_some();
        if self.journal.is_closed() && !named {
            return Ok(());
        }
        // On a full disk the last group stays the last.
        if self.journal.make_room(group::size_of(0, 0), false).is_err() {
            return Ok(());
        }
        self.write(Vec::new())
    }

    /// Commits one group.
    fn turn(&mut self, group: Vec<Waiting>) -> Result<(), Stopped> {
        let mut group = group;
        let max = self.journal.group_bytes_max();
        let bytes = |waiting: &Waiting| group::size_of(waiting.batch.len(), waiting.batch.frames.len());
        if group.iter().any(|waiting| bytes(waiting) > max) {
            refuse(&mut group, |waiting| {
                let bytes = bytes(waiting);
                (bytes > max).then_some(StorageError::FrameTooLarge { bytes, max })
            });
        }
        if group.is_empty() {
            return Ok(());
        }
        if self.journal.make_room(size_of(&group), false).is_err() {
            refuse(&mut group, |waiting| (!waiting.batch.narrowing).then_some(StorageError::StorageFull));
            if group.is_empty() {
                return Ok(());
            }
            if self.journal.make_room(size_of(&group), true).is_err() {
                refuse(&mut group, |_| Some(StorageError::StorageFull));
                return Ok(());
            }
        }
        self.admit(&mut group);
        if group.is_empty() { Ok(()) } else { self.write(group) }
    }

    /// Refuses the batches that are not their tenant's next, and all but narrowing ones at the bound.
    fn admit(&mut self, group: &mut Vec<Waiting>) {
        if self.heads.len() > HEADS_MAX {
            self.heads.clear();
        }
        for tenant in std::mem::take(&mut self.shared.tail.lock().returned) {
            self.heads.remove(&tenant);
        }
        if !group.iter().all(|waiting| self.knows(&waiting.batch)) {
            refuse(group, |waiting| self.look_up(&waiting.batch).err());
        }
        let shared = Arc::clone(&self.shared);
        let tail = shared.tail.lock();
        let times = |max: u64, times: u64| max.saturating_mul(times);
        let over = |factor: u64| {
            tail.frames >= times(shared.tail_frames_max, factor)
                || tail.bytes >= times(shared.tail_bytes_max, factor)
        };
        let (full, twice_full) = (over(1), over(2));
        let plain = tail.forgotten.is_empty() && tail.refuses_nobody();
        refuse(group, |waiting| {
            let batch = &waiting.batch;
            let tenant = batch.tenant();
            if full && (!batch.narrowing || twice_full) {
                return Some(StorageError::Busy);
            }
            // As nearly all are: the next of a tenant that is known, where nobody is gone or damaged.
            let usual = plain && batch.births.is_empty() && !batch.is_empty();
            let known = if usual { self.heads.get_mut(&tenant) } else { None };
            if let Some(known) = known.filter(|known| **known == *batch.head_before()) {
                *known = shared.raised(batch.head_after());
                return None;
            }
            let known = self.heads.get(&tenant).copied();
            let in_order =
                if batch.is_own_birth() { known.is_none() } else { known == Some(*batch.head_before()) };
            let fresh = |head: &Head| !self.heads.contains_key(&head.tenant);
            let forgotten = |head: &Head| tail.forgotten.contains(&head.tenant);
            let gone = tail.forgotten.contains(&tenant) || batch.births.iter().any(forgotten);
            if let Err(damage) = tail.admit(tenant) {
                return Some(damage);
            }
            if batch.is_empty() || gone || !in_order || !batch.births.iter().all(fresh) {
                let expected = known.map_or(Revision(0), |head| head.next);
                return Some(StorageError::OutOfOrder { tenant, expected });
            }
            for head in batch.births.iter().chain([&batch.head_after()]) {
                self.heads.insert(head.tenant, shared.raised(*head));
            }
            None
        });
    }

    /// Whether it remembers the heads of all tenants in a batch.
    fn knows(&self, batch: &Batch) -> bool {
        batch.births.is_empty() && self.heads.contains_key(&batch.tenant())
    }

    /// Learns the heads of the tenants in a batch that it does not remember.
    fn look_up(&mut self, batch: &Batch) -> Result<(), StorageError> {
        for tenant in batch.births.iter().map(|head| head.tenant).chain([batch.tenant()]) {
            if !self.heads.contains_key(&tenant)
                && let Some(head) = self.shared.head(tenant)?
            {
                self.heads.insert(tenant, head);
            }
        }
        Ok(())
    }

    /// Writes and syncs one group, notes it, and only then answers.
    fn write(&mut self, mut group: Vec<Waiting>) -> Result<(), Stopped> {
        let name = self.shared.tail.lock().name;
        let pieces = group.iter().flat_map(|waiting| {
            waiting.batch.spans.iter().map(|span| Piece {
                tenant: span.tenant,
                revision: span.revision.0,
                bytes: waiting.batch.frames.get(span.start..span.start + span.len).unwrap_or_default(),
            })
        });
        match self.journal.write(name, pieces) {
            Ok(written) => {
                self.note(group, &written, name.is_some());
                Ok(())
            }
            Err(error) => {
                self.shared.fail(&error);
                refuse(&mut group, |_| Some(again(&error)));
                Err(Stopped)
            }
        }
    }

    fn note(&self, group: Vec<Waiting>, written: &Written, named: bool) {
        let mut answers = Vec::with_capacity(group.len());
        let mut tail = self.shared.tail.lock();
        let frames = u64::from(written.header.count);
        tail.note_group(
            written.header.last_sequence(),
            written.header.hash,
            frames,
            written.header.padded_len(),
        );
        tail.groups_synced += 1;
        tail.frames_synced += frames;
        if named {
            tail.name = None;
        }
        let mut sequence = written.header.sequence;
        let mut offset = written.offset + group::frames_offset(frames, named);
        for Waiting { mut batch, reply } in group {
            let after = batch.head_after();
            for span in &batch.spans {
                let born = || batch.births.iter().find(|head| head.tenant == span.tenant);
                let head = if span.tenant == after.tenant { Some(&after) } else { born() };
                let (len, file) = (u32::try_from(span.len).unwrap_or(u32::MAX), written.file);
                let spot = Spot { revision: span.revision.0, sequence, offset, file, len };
                if let Some(head) = head {
                    tail.note_spot(*head, spot);
                }
                sequence += 1;
                offset += span.len as u64;
            }
            tail.note_rows(std::mem::take(&mut batch.rows));
            answers.push((reply, Durable::new(after, sequence - 1)));
        }
        drop(tail);
        for (reply, durable) in answers {
            // A caller that went away loses its answer, never its write.
            drop(reply.send(Ok(durable)));
        }
    }
}

fn size_of(group: &[Waiting]) -> usize {
    let frames = group.iter().map(|waiting| waiting.batch.len()).sum();
    group::size_of(frames, group.iter().map(|waiting| waiting.batch.frames.len()).sum())
}

/// Answers those that `why` refuses, and leaves the others.
fn refuse(group: &mut Vec<Waiting>, mut why: impl FnMut(&Waiting) -> Option<StorageError>) {
    let found = Cell::new(None);
    let is_refused = |waiting: &mut Waiting| {
        let Some(error) = why(waiting) else { return false };
        found.set(Some(error));
        true
    };
    for waiting in group.extract_if(.., is_refused) {
        if let Some(error) = found.take() {
            waiting.answer(Err(error));
        }
    }
}

/// The same failure for each who waited.
fn again(error: &StorageError) -> StorageError {
    if let StorageError::Disk { doing, file, source } = error {
        let source =
            source.raw_os_error().map_or_else(|| source.kind().into(), std::io::Error::from_raw_os_error);
        StorageError::Disk { doing, file: file.clone(), source }
    } else {
        StorageError::LaneStopped
    }
}
