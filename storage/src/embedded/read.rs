//! Reading frames back: from the journal's tail by their spots, from history by segments.

use super::Embedded;
use crate::batch::Head;
use crate::checkpoint::ahead;
use crate::checkpoint::aside::AsideFrames;
use crate::checkpoint::read as table;
use crate::checkpoint::schema::{DirectoryRow, Of};
use crate::checkpoint::segment::{self, Segment};
use crate::checkpoint::share;
use crate::disk::DiskFile;
use crate::error::StorageError;
use crate::journal::files::name_of;
use crate::keys::KeySlot;
use crate::record::RecordError;
use crate::record::frame::{Form, FrameView};
use crate::seal::{self, KeyHeld, Vault};
use crate::store::{FrameRead, Replay, RowRead};
use crate::tail::Spot;
use redb::ReadTransaction;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tessera_model::{Private, Revision, Row, RowKind, TenantId};

/// LIMIT: bytes read at once, where frames of one tenant stand near one another.
const WINDOW_BYTES: usize = 64 * 1024;
/// Bytes between two frames that are rather read along than left out by a read of its own.
const GAP_BYTES: u64 = 4 * 1024;

/// Rows of the tail, and the keys of removals that took all rows under them along.
pub(super) type RecentRows = (BTreeMap<Vec<u8>, Option<Private>>, BTreeSet<Vec<u8>>);

/// What a walk over frames does with each: whether it wants more.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(&FrameView<'_>) -> Result<bool, StorageError>;

/// Reads journal files through one window.
#[derive(Default)]
pub(super) struct Window {
    file: Option<(u32, Arc<dyn DiskFile>)>,
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// The bytes at the first of these spots of the journal, not looked at yet; those at the others are wanted next.
    pub(super) fn frame(
        &mut self,
        store: &Embedded,
        tenant: TenantId,
        spots: &[Spot],
    ) -> Result<&[u8], StorageError> {
        let Some(spot) = spots.first() else { return Err(StorageError::LaneStopped) };
        let len = usize::try_from(spot.len).unwrap_or(usize::MAX);
        let same = self.file.as_ref().is_some_and(|(no, _)| *no == spot.file);
        let inside = same
            && spot.offset >= self.start
            && spot.offset + len as u64 <= self.start + self.bytes.len() as u64;
        if !inside {
            let name = name_of(spot.file);
            let gone = || StorageError::damaged(&name, spot.offset, "the journal file is gone", tenant);
            if !same {
                self.file = Some((spot.file, store.files.file(spot.file).ok_or_else(gone)?));
            }
            let Some((_, file)) = &self.file else { return Err(gone()) };
            self.bytes.resize(len.max(near(spots)), 0);
            self.start = spot.offset;
            file.read_at(spot.offset, &mut self.bytes)
                .map_err(StorageError::while_doing("reading", &name))?;
        }
        let from = usize::try_from(spot.offset - self.start).unwrap_or(usize::MAX);
        let frame = self.bytes.get(from..).and_then(|rest| rest.get(..len));
        frame.ok_or(StorageError::LaneStopped)
    }
}

/// Bytes from the first of these spots to the end of the last that stands near behind it.
fn near(spots: &[Spot]) -> usize {
    let Some(first) = spots.first() else { return 0 };
    let mut end = first.offset;
    for spot in spots.iter().take_while(|spot| spot.file == first.file) {
        let next = spot.offset.saturating_add(u64::from(spot.len));
        let is_near = spot.offset >= end && spot.offset - end <= GAP_BYTES;
        if !is_near || next - first.offset > WINDOW_BYTES as u64 {
            break;
        }
        end = next;
    }
    usize::try_from(end - first.offset).unwrap_or(0)
}

impl Embedded {
    /// A frame, its sealed parts opened.
    pub(crate) fn opened(&self, view: &FrameView<'_>, file: &str) -> Result<FrameRead, StorageError> {
        if self.keys.is_closed() {
            return seal::frame::read_blank(view, file);
        }
        seal::frame::read(view, &*self.safe, file)
    }

    /// The key under which a row is stored; `None` when there is no such row, because its owner has no key.
    pub(super) fn stored_key(
        &self,
        tenant: TenantId,
        kind: RowKind,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, StorageError> {
        if !seal::row::is_masked(kind, key) {
            return Ok(Some(key.to_vec()));
        }
        let held = self.safe.held(tenant, seal::row::owner_of(kind, key))?;
        Ok(if let KeyHeld::Key(under) = held { Some(seal::row::stored_key(kind, key, &under)) } else { None })
    }

    /// A row as it is stored.
    pub(super) fn stored_row(
        &self,
        tenant: TenantId,
        kind: RowKind,
        key: &[u8],
    ) -> Result<RowRead, StorageError> {
        {
            let tail = self.shared.tail.lock();
            tail.admit(tenant)?;
            if let Some(recent) = tail.tenants.get(&tenant).and_then(|tailed| tailed.row(kind, key)) {
                return Ok(RowRead { value: recent.value.clone(), revision: recent.revision });
            }
        }
        self.shared.checkpoint.row(tenant, kind, key)
    }

    /// Rows of the tail whose key begins so, and the keys whose rows in the checkpoint are gone whole.
    pub(super) fn recent_rows(
        &self,
        tenant: TenantId,
        kind: RowKind,
        prefix: &[u8],
    ) -> Result<RecentRows, StorageError> {
        let tail = self.shared.tail.lock();
        tail.admit(tenant)?;
        let Some(tailed) = tail.tenants.get(&tenant) else { return Ok(RecentRows::default()) };
        let from = Row::whole_key(prefix).unwrap_or(prefix);
        let (mut rows, mut gone) = RecentRows::default();
        for ((found, key), recent) in tailed.rows.range((kind, from.to_vec())..) {
            if *found != kind || !key.starts_with(from) {
                break;
            }
            if recent.value.is_none() && Row::whole_key(key) == Some(key) {
                gone.insert(key.clone());
            }
            if key.starts_with(prefix) {
                rows.insert(key.clone(), recent.value.clone());
            }
        }
        Ok((rows, gone))
    }

    /// Gives a tenant's buckets to `sink`, and tells its directory row and the frames that stand aside, all as of one
    /// transaction: a put moves frames that stand aside into buckets.
    pub(super) fn load_buckets(
        &self,
        tenant: TenantId,
        spots: &[Spot],
        sink: &mut dyn FnMut(Replay),
    ) -> Result<(Option<DirectoryRow>, AsideFrames), StorageError> {
        let mut erased = BTreeSet::new();
        loop {
            let loaded = self.shared.checkpoint.read(|transaction| {
                let row = table::kept(table::directory(transaction, tenant)?);
                let Some(row) = row else {
                    return Ok(Ok((None, Self::aside_of(transaction, tenant, spots)?)));
                };
                let keys = match table::bucket_keys(tenant, &row, &self.safe)? {
                    Ok(keys) => keys,
                    Err(slot) => return Ok(Err(slot)),
                };
                share::all_there(transaction, (tenant, &self.shared.checkpoint.salt), &row.shares)?;
                table::listed_once(tenant, &row)?;
                let give = &mut |bucket| sink(Replay::Bucket(bucket));
                ahead::each(transaction, tenant, &row.buckets, &keys, give)?;
                self.give_history(transaction, (tenant, &row), row.in_buckets(), sink)?;
                Ok(Ok((Some(row), Self::aside_of(transaction, tenant, spots)?)))
            })?;
            match loaded {
                Ok(loaded) => return Ok(loaded),
                // An erasure has put it under another key meanwhile: the row of now says so.
                Err(slot) if erased.insert(slot) => {}
                Err(_) => {
                    return Err(table::damage(
                        Of::Bucket,
                        "the key of a listed bucket was erased",
                        Some(tenant),
                    ));
                }
            }
        }
    }

    /// Gives the frames of history from `from` up to where a directory row stands.
    pub(crate) fn give_history(
        &self,
        transaction: &ReadTransaction,
        (tenant, row): (TenantId, &DirectoryRow),
        from: Revision,
        sink: &mut dyn FnMut(Replay),
    ) -> Result<(), StorageError> {
        if from >= row.next {
            return Ok(());
        }
        Self::walk_history(transaction, row, tenant, from, &mut |view| {
            if view.head.revision < row.next {
                sink(Replay::Frame(self.opened(view, Of::Segment.name())?));
            }
            Ok(true)
        })?;
        Ok(())
    }

    /// A tenant's durable head and the spots of its tail.
    pub(super) fn tail_of(&self, tenant: TenantId) -> Result<Option<(Head, Vec<Spot>)>, StorageError> {
        let tail = self.shared.tail.lock();
        tail.admit(tenant)?;
        let tailed = tail.tenants.get(&tenant);
        Ok(tailed.map(|tailed| (tailed.head, tailed.spots.iter().copied().collect())))
    }

    /// As [`Embedded::tail_of`], the spots from the one before `from` on alone, and so many of them behind it.
    pub(super) fn tail_from(
        &self,
        tenant: TenantId,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<Spot>, StorageError> {
        let tail = self.shared.tail.lock();
        tail.admit(tenant)?;
        let Some(tailed) = tail.tenants.get(&tenant) else { return Ok(Vec::new()) };
        let before = from.0.saturating_sub(1);
        let first = tailed.spots.partition_point(|spot| spot.revision < before);
        Ok(tailed.spots.range(first..).take(limit.saturating_add(1)).copied().collect())
    }

    /// Where a walk over the tail may begin for the frames from `from` on: the checkpoint's head, or behind the
    /// frame before them, whose link stands in it. Whoever calls holds the pins.
    pub(super) fn begin_at(
        &self,
        base: Head,
        (spots, aside): (&[Spot], &AsideFrames),
        from: Revision,
    ) -> Result<Head, StorageError> {
        let Some(spot) = spots.first().filter(|spot| spot.revision >= base.next.0 && spot.revision < from.0)
        else {
            return Ok(base);
        };
        let mut window = Window::default();
        let frame = match aside.get(&spot.revision).filter(|_| spot.is_aside()) {
            Some(frame) => frame.as_slice(),
            None => window.frame(self, base.tenant, std::slice::from_ref(spot))?,
        };
        let damaged = |what| StorageError::damaged(&name_of(spot.file), spot.offset, what, base.tenant);
        let (view, _) = FrameView::read(frame, Form::Journal).map_err(|error| damaged(error.text()))?;
        if view.head.tenant != base.tenant || view.head.revision.0 != spot.revision {
            return Err(damaged("another frame stands here"));
        }
        let (slot, epoch) = (view.head.slot, view.head.epoch);
        Ok(Head { slot, epoch, next: Revision(spot.revision).next(), link: view.link, ..base })
    }

    /// Where the checkpoint stands: the head that the tail continues.
    pub(crate) fn base(tenant: TenantId, row: Option<&DirectoryRow>) -> Head {
        row.map_or(Head::unborn(tenant), |row| table::head_of(tenant, row))
    }

    /// The slots of a tenant's keys without those that were erased.
    pub(crate) fn key_slots(
        &self,
        tenant: TenantId,
        named: &[KeySlot],
    ) -> Result<Vec<KeySlot>, StorageError> {
        let mut slots = self.keys.slots_of(tenant, named);
        // Only beside another set is one ever erased while its tenant lives.
        if slots.len() > 1 {
            let mut kept = Vec::with_capacity(slots.len());
            for slot in slots {
                if !self.keys.is_erased(slot.slot)? {
                    kept.push(slot);
                }
            }
            slots = kept;
        }
        Ok(slots)
    }

    pub(super) fn forgotten(&self, tenant: TenantId) -> bool {
        self.shared.tail.lock().forgotten.contains(&tenant)
    }

    /// Gives frames of the tail from `from` on to `sink`, each link verified over the one before.
    /// Those that stand aside are in `aside`. Whoever calls holds the pins.
    pub(crate) fn walk_tail(
        &self,
        from: &Head,
        (spots, aside): (&[Spot], &AsideFrames),
        sink: Sink<'_>,
    ) -> Result<Head, StorageError> {
        let tenant = from.tenant;
        let mut head = *from;
        let mut window = Window::default();
        for (at, spot) in spots.iter().enumerate().filter(|(_, spot)| spot.revision >= from.next.0) {
            let name = if spot.is_aside() { Of::AsideFrame.name().to_owned() } else { name_of(spot.file) };
            let damaged = |what| StorageError::damaged(&name, spot.offset, what, tenant);
            let frame = match aside.get(&spot.revision) {
                Some(frame) if spot.is_aside() => frame.as_slice(),
                None if spot.is_aside() => return Err(damaged("a frame that stands aside is missing")),
                Some(_) | None => window.frame(self, tenant, spots.get(at..).unwrap_or_default())?,
            };
            let (view, _) = FrameView::read(frame, Form::Journal).map_err(|error| damaged(error.text()))?;
            if let Some(genesis) = view.genesis().map_err(|error| damaged(error.text()))? {
                head.link = genesis;
            }
            if view.head.tenant != tenant || view.head.revision != head.next {
                return Err(damaged("frames of the tenant are missing before this one"));
            }
            if !view.holds(&head.link, Form::Journal) {
                return Err(damaged("a frame's link does not hold"));
            }
            let (slot, epoch) = (view.head.slot, view.head.epoch);
            head = Head { tenant, slot, epoch, next: head.next.next(), link: view.link };
            if !sink(&view)? {
                break;
            }
        }
        Ok(head)
    }

    /// The frames that stand aside, if any of the spots asks for them.
    pub(crate) fn aside_of(
        transaction: &ReadTransaction,
        tenant: TenantId,
        spots: &[Spot],
    ) -> Result<AsideFrames, StorageError> {
        if spots.iter().any(Spot::is_aside) {
            crate::checkpoint::aside::frames(transaction, tenant)
        } else {
            Ok(AsideFrames::new())
        }
    }

    /// Gives frames of history from `from` on to `sink`, up to where the directory row stands. `None`
    /// when `sink` had enough, else the link of the last.
    pub(crate) fn walk_history(
        transaction: &ReadTransaction,
        row: &DirectoryRow,
        tenant: TenantId,
        from: Revision,
        sink: Sink<'_>,
    ) -> Result<bool, StorageError> {
        let fault = |error: RecordError| table::damage(Of::Segment, error.text(), Some(tenant));
        let mut at = from;
        while at < row.next {
            let segment = segment::at(transaction, tenant, at)?
                .filter(|segment| segment.next > at)
                .ok_or_else(|| table::damage(Of::Segment, "a segment is missing", Some(tenant)))?;
            let mut wanted = |view: &FrameView<'_>| {
                if view.head.revision < at { Ok(true) } else { sink(view) }
            };
            if !segment.walk(fault, &mut wanted)? {
                return Ok(false);
            }
            at = segment.next;
        }
        Ok(true)
    }

    /// Gives a tenant's frames from `from` on to `sink`, those of history first, until it has enough; of the tail at
    /// most so many.
    pub(crate) fn walk_from(
        &self,
        tenant: TenantId,
        (from, limit): (Revision, usize),
        sink: Sink<'_>,
    ) -> Result<(), StorageError> {
        let _pin = self.pins.read();
        let spots = self.tail_from(tenant, from, limit)?;
        let (row, more, aside) = self.shared.checkpoint.read(|transaction| {
            let aside = Self::aside_of(transaction, tenant, &spots)?;
            let Some(row) = table::kept(table::directory(transaction, tenant)?) else {
                return Ok((None, true, aside));
            };
            let more = Self::walk_history(transaction, &row, tenant, from, &mut *sink)?;
            Ok((Some(row), more, aside))
        })?;
        if more && !spots.is_empty() {
            let base = self.begin_at(Self::base(tenant, row.as_ref()), (&spots, &aside), from)?;
            self.walk_tail(&base, (&spots, &aside), sink)?;
        }
        Ok(())
    }

    /// The segment that new frames go into, or a new one.
    pub(crate) fn open_segment(transaction: &ReadTransaction, head: &Head) -> Result<Segment, StorageError> {
        let last = match segment::at(transaction, head.tenant, Revision(u64::MAX)) {
            Err(error @ StorageError::Damaged(_)) => {
                // It stays as it is, for whoever reads history to find; what comes now stands behind it.
                tracing::error!(tenant = %head.tenant, %error, "history is damaged; it goes on in a new segment");
                None
            }
            last => last?,
        };
        match last {
            Some(last) if last.next != head.next || last.link != head.link => {
                Err(table::damage(Of::Segment, "history does not end at the head", Some(head.tenant)))
            }
            Some(last) if !last.is_closed() => Ok(last),
            Some(_) | None => Ok(Segment::new(head.tenant, head.next, head.link)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a window has the frame that is asked for and, whole, those that stand near behind it, up to the first
    /// gap, the end of the file and its bound; nothing else is read. METHOD: seeded rows of frames with gaps of every
    /// size, beside a walk that looks at each byte between them.
    #[test]
    fn windows_end_where_frames_stand_apart() {
        let mut seed = 1_u64;
        let mut next = |most: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % most
        };
        let (mut alone, mut bounded) = (0, 0);
        for _ in 0..500 {
            let (mut offset, mut file) = (next(10_000), 0);
            let spots: Vec<Spot> = (0..40)
                .map(|revision| {
                    offset += next(GAP_BYTES + 200);
                    if next(60) == 0 {
                        (file, offset) = (file + 1, next(100));
                    }
                    let len = u32::try_from(1 + next(6_000)).unwrap();
                    let spot = Spot { revision, sequence: revision, offset, file, len };
                    offset += u64::from(len);
                    spot
                })
                .collect();
            for at in 0..spots.len() {
                let end = |spot: &Spot| spot.offset + u64::from(spot.len);
                let first = spots[at];
                let mut expected = 0;
                for (number, spot) in spots[at..].iter().enumerate() {
                    let before = if number == 0 { first.offset } else { end(&spots[at + number - 1]) };
                    let apart = spot.file != first.file || (before..spot.offset).count() as u64 > GAP_BYTES;
                    let wide = end(spot).saturating_sub(first.offset) > WINDOW_BYTES as u64;
                    bounded += usize::from(!apart && wide);
                    if apart || wide {
                        break;
                    }
                    expected = usize::try_from(end(spot) - first.offset).unwrap();
                }
                alone += usize::from(expected == first.len as usize);
                assert_eq!(near(&spots[at..]), expected, "{:?}", &spots[at..]);
            }
        }
        assert!(alone > 100 && bounded > 100, "{alone} {bounded}");
        assert_eq!(near(&[]), 0);
    }
}
