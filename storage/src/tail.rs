//! The tail: what is newer than the checkpoint, by tenant. Positions of frames, heads, recent rows.
//!
//! One lock, held for moments: the lane adds once per group, a checkpoint trims once, readers look.

use crate::batch::Head;
use crate::error::{Damage, StorageError};
use crate::journal::group::Name;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tessera_model::{Private, Revision, Row, RowKind, TenantId};

/// Where a frame of the tail stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Spot {
    pub(crate) revision: u64,
    pub(crate) sequence: u64,
    pub(crate) offset: u64,
    pub(crate) file: u32,
    pub(crate) len: u32,
}

/// The number of no journal file: the frame stands aside, in the checkpoint's file.
const ASIDE: u32 = u32::MAX;

impl Spot {
    /// A frame that stands aside, in the checkpoint's file.
    pub(crate) const fn aside(revision: u64) -> Self {
        Self { revision, sequence: 0, offset: 0, file: ASIDE, len: 0 }
    }

    /// Whether it stands in the checkpoint's file.
    pub(crate) const fn is_aside(&self) -> bool {
        self.file == ASIDE
    }
}

/// A row that the checkpoint may not have yet.
#[derive(Clone)]
pub(crate) struct Recent {
    pub(crate) value: Option<Private>,
    pub(crate) revision: Revision,
}

/// One tenant's share of the tail.
pub(crate) struct Tailed {
    pub(crate) head: Head,
    pub(crate) spots: VecDeque<Spot>,
    /// Bytes of the frames at these spots.
    pub(crate) bytes: u64,
    pub(crate) rows: BTreeMap<(RowKind, Vec<u8>), Recent>,
}

impl Tailed {
    pub(crate) const fn new(head: Head) -> Self {
        Self { head, spots: VecDeque::new(), bytes: 0, rows: BTreeMap::new() }
    }

    /// Notes where a frame stands.
    pub(crate) fn push(&mut self, spot: Spot) {
        self.bytes += u64::from(spot.len);
        self.spots.push_back(spot);
    }

    /// What it says of a row: its newest write, or the removal that took it along.
    pub(crate) fn row(&self, kind: RowKind, key: &[u8]) -> Option<&Recent> {
        let whole =
            || self.rows.get(&(kind, Row::whole_key(key)?.to_vec())).filter(|row| row.value.is_none());
        self.rows.get(&(kind, key.to_vec())).or_else(whole)
    }

    /// Notes a row unless a newer one is noted.
    pub(crate) fn note_row(&mut self, row: Row, revision: Revision) {
        if row.is_gone() {
            let prefix = &row.key;
            let within = self.rows.range((row.kind, prefix.clone())..);
            let within = within.take_while(|((kind, key), _)| *kind == row.kind && key.starts_with(prefix));
            let gone: Vec<_> = within.map(|(at, _)| at.clone()).collect();
            gone.iter().for_each(|at| drop(self.rows.remove(at)));
        }
        self.rows.insert((row.kind, row.key), Recent { value: row.value, revision });
    }
}

/// One group of the tail, for its bound.
#[derive(Clone, Copy, Debug)]
struct GroupNote {
    last: u64,
    frames: u64,
    bytes: u64,
}

/// What the journal still has of a refused tenant.
#[derive(Clone)]
pub(crate) struct Withheld {
    /// Where its whole frames end.
    pub(crate) head: Head,
    /// Its frames, the damaged ones included.
    pub(crate) spots: Vec<Spot>,
}

/// Whom damage refuses.
#[derive(Default)]
pub(crate) struct Refused {
    /// Tenants known to have lost frames.
    pub(crate) some: BTreeMap<TenantId, Damage>,
    /// Of these, whose damage and frames the checkpoint does not hold yet.
    pub(crate) withheld: BTreeMap<TenantId, Withheld>,
    /// Damage whose tenants are not known: all but those that frames behind it prove.
    pub(crate) all_but: Vec<(Damage, BTreeSet<TenantId>)>,
}

impl Refused {
    /// Damage whose tenants are known: it concerns nobody else.
    pub(crate) fn add(&mut self, head: Head, damage: Damage, spots: impl IntoIterator<Item = Spot>) {
        self.some.entry(head.tenant).or_insert(damage);
        let withheld = self.withheld.entry(head.tenant);
        let withheld = withheld.or_insert_with(|| Withheld { head, spots: Vec::new() });
        withheld.spots.extend(spots.into_iter().filter(|spot| !spot.is_aside()));
    }

    /// Why this tenant is refused, if it is.
    pub(crate) fn find(&self, tenant: TenantId) -> Option<&Damage> {
        let unproven = || self.all_but.iter().find(|(_, proven)| !proven.contains(&tenant));
        self.some.get(&tenant).or_else(|| unproven().map(|(damage, _)| damage))
    }
}

/// How much is newer than the checkpoint, for those who ask before every batch and must not wait for the lane, which
/// holds the tail while it notes a group.
#[derive(Default)]
pub(crate) struct TailSize {
    frames: AtomicU64,
    bytes: AtomicU64,
}

impl TailSize {
    /// Frames, and bytes.
    pub(crate) fn get(&self) -> (u64, u64) {
        (self.frames.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

/// What is newer than the checkpoint.
#[derive(Default)]
pub(crate) struct Tail {
    /// What [`Tail::frames`] and [`Tail::bytes`] are.
    pub(crate) size: Arc<TailSize>,
    pub(crate) tenants: BTreeMap<TenantId, Tailed>,
    groups: VecDeque<GroupNote>,
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    /// The last synced sequence and the hash of its group.
    pub(crate) sequence: u64,
    pub(crate) hash: [u8; 32],
    /// The sequence that the checkpoint covers.
    pub(crate) covered: u64,
    /// A finished checkpoint that the next group must name.
    pub(crate) name: Option<Name>,
    pub(crate) refused: Refused,
    pub(crate) forgotten: BTreeSet<TenantId>,
    /// Tenants that came back: the lane looks their heads up anew.
    pub(crate) returned: BTreeSet<TenantId>,
    pub(crate) groups_synced: u64,
    pub(crate) frames_synced: u64,
}

impl Tail {
    /// Fails for a tenant that is refused.
    pub(crate) fn admit(&self, tenant: TenantId) -> Result<(), StorageError> {
        self.refused.find(tenant).map_or(Ok(()), |damage| Err(StorageError::Damaged(damage.clone())))
    }

    /// Whether no tenant is refused.
    pub(crate) fn refuses_nobody(&self) -> bool {
        self.refused.some.is_empty() && self.refused.all_but.is_empty()
    }

    /// Notes a synced group.
    pub(crate) fn note_group(&mut self, last: u64, hash: [u8; 32], frames: u64, bytes: u64) {
        self.groups.push_back(GroupNote { last, frames, bytes });
        self.frames += frames;
        self.bytes += bytes;
        self.tell_size();
        self.sequence = last;
        self.hash = hash;
    }

    fn tell_size(&self) {
        self.size.frames.store(self.frames, Ordering::Relaxed);
        self.size.bytes.store(self.bytes, Ordering::Relaxed);
    }

    /// Notes a frame at its place.
    pub(crate) fn note_spot(&mut self, head: Head, spot: Spot) {
        let tailed = self.tenants.entry(head.tenant).or_insert_with(|| Tailed::new(head));
        tailed.head = head;
        tailed.push(spot);
    }

    /// Moves the spots of the last group, from sequence `from` on, to where it was written again.
    pub(crate) fn move_last(&mut self, from: u64, old_start: u64, file: u32, start: u64) {
        for tailed in self.tenants.values_mut() {
            for spot in tailed.spots.iter_mut().rev().take_while(|spot| spot.sequence >= from) {
                spot.file = file;
                spot.offset = start + (spot.offset - old_start);
            }
        }
    }

    /// Notes the rows of a synced batch whose frames were noted.
    pub(crate) fn note_rows(&mut self, rows: Vec<(TenantId, Revision, Row)>) {
        for (tenant, revision, row) in rows {
            if let Some(tailed) = self.tenants.get_mut(&tenant) {
                tailed.note_row(row, revision);
            }
        }
    }

    /// How far each tenant must be put for a checkpoint that covers `sequence`. What stands aside is in
    /// the checkpoint's file already.
    pub(crate) fn needed(&self, sequence: u64) -> Vec<(TenantId, Revision)> {
        let last = |tailed: &Tailed| {
            // Frames that stand aside come first, and have no sequence.
            let within = tailed.spots.partition_point(|spot| spot.sequence <= sequence);
            let spot = within.checked_sub(1).and_then(|at| tailed.spots.get(at))?;
            (!spot.is_aside()).then_some(Revision(spot.revision + 1))
        };
        self.tenants.iter().filter_map(|(tenant, tailed)| last(tailed).map(|next| (*tenant, next))).collect()
    }

    /// Forgets what a checkpoint covers: `put` says how far each tenant was put into it.
    pub(crate) fn trim(&mut self, covered: u64, put: &BTreeMap<TenantId, Revision>) {
        self.covered = self.covered.max(covered);
        while let Some(note) = self.groups.front().copied().filter(|note| note.last <= covered) {
            self.groups.pop_front();
            self.frames -= note.frames;
            self.bytes -= note.bytes;
        }
        self.tell_size();
        self.tenants.retain(|tenant, tailed| {
            let next = put.get(tenant).map_or(0, |next| next.0);
            let is_covered = |spot: &Spot| match spot.is_aside() {
                true => spot.revision < next,
                false => spot.sequence <= covered,
            };
            while let Some(spot) = tailed.spots.pop_front_if(|spot| is_covered(spot)) {
                tailed.bytes -= u64::from(spot.len);
            }
            !tailed.spots.is_empty() || !tailed.rows.is_empty()
        });
    }

    /// Frames of a tenant that were set aside need the journal no more.
    pub(crate) fn note_aside(&mut self, tenant: TenantId, upto: Revision) {
        let Some(tailed) = self.tenants.get_mut(&tenant) else { return };
        for spot in tailed.spots.iter_mut().filter(|spot| spot.revision < upto.0) {
            tailed.bytes -= u64::from(spot.len);
            *spot = Spot::aside(spot.revision);
        }
    }

    /// Forgets rows that the checkpoint now has, unless newer ones were noted meanwhile.
    pub(crate) fn drop_rows(&mut self, tenant: TenantId, stored: &[(RowKind, Vec<u8>, Revision)]) {
        let Some(tailed) = self.tenants.get_mut(&tenant) else { return };
        for (kind, key, revision) in stored {
            let at = (*kind, key.clone());
            if tailed.rows.get(&at).is_some_and(|recent| recent.revision == *revision) {
                tailed.rows.remove(&at);
            }
        }
    }
}
