//! The embedded store's answers to [`Store`].

use super::Embedded;
use crate::batch::{Batch, Head};
use crate::checkpoint::read as table;
use crate::checkpoint::schema::{DirectoryRow, Life, Of, SCHEMA, encode, tenant_key};
use crate::checkpoint::scrub::{Scrub, Scrubbed};
use crate::checkpoint::share::Sum;
use crate::commit::Commit;
use crate::error::{Damage, StorageError};
use crate::intake::Waiting;
use crate::keys::KeySlot;
use crate::seal;
use crate::store::{
    Bucket, BucketKind, Cut, FIRST_REFRESH_KEY, FrameRead, Placed, Replay, RowRead, Store, TenantKeys,
    Verified,
};
use crate::usage::{Held, Room, Usage};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use tessera_crypto::Key;
use tessera_model::limits::BUCKET_PLACES;
use tessera_model::{Epoch, Place, Private, Revision, Row, RowKind, TenantId, UnixMillis};

/// LIMIT: bytes of the frames that are read of a history at once, the last one of them apart.
const HISTORY_BYTES_MAX: usize = 4 << 20;

impl Store for Embedded {
    fn commit(&self, batch: Batch) -> Commit {
        let (reply, commit) = Commit::pair();
        self.shared.intake.push(Waiting { batch: Box::new(batch), reply });
        commit
    }

    fn batch_bytes_max(&self) -> usize {
        let around = usize::try_from(crate::journal::group::frames_offset(0, true)).unwrap_or(usize::MAX);
        self.group_bytes_max.saturating_sub(around).min(tessera_model::limits::FRAME_WITH_ROWS_BYTES_MAX)
    }

    fn head(&self, tenant: TenantId) -> Result<Option<Head>, StorageError> {
        self.shared.head(tenant)
    }

    fn load(&self, tenant: TenantId, sink: &mut dyn FnMut(Replay)) -> Result<Option<Head>, StorageError> {
        self.shared.intake.settle(tenant);
        let _pin = self.pins.read();
        let tail = self.tail_of(tenant)?;
        if self.forgotten(tenant) {
            return Ok(None);
        }
        let spots = tail.as_ref().map_or(&[][..], |(_, spots)| spots);
        let (row, aside) = self.load_buckets(tenant, spots, sink)?;
        if row.is_none() && tail.is_none() {
            return Ok(None);
        }
        let base = Self::base(tenant, row.as_ref());
        let Some((head, spots)) = tail else { return Ok(Some(self.shared.raised(base))) };
        let reached = self.walk_tail(&base, (&spots, &aside), &mut |view| {
            sink(Replay::Frame(self.opened(view, "journal")?));
            Ok(true)
        })?;
        if (reached.next, reached.link) != (head.next, head.link) {
            return Err(StorageError::damaged("journal", 0, "the tail does not lead to the head", tenant));
        }
        Ok(Some(self.shared.raised(head)))
    }

    fn row(&self, tenant: TenantId, kind: RowKind, key: &[u8]) -> Result<RowRead, StorageError> {
        let Some(key) = self.stored_key(tenant, kind, key)? else { return Ok(RowRead::default()) };
        let found = self.stored_row(tenant, kind, &key)?;
        let Some(value) = found.value else { return Ok(found) };
        let opened = seal::row::open(&*self.safe, tenant, kind, (&key, &value))?;
        Ok(RowRead { value: opened.map(|(_, value)| value), revision: found.revision })
    }

    fn rows(
        &self,
        tenant: TenantId,
        kind: RowKind,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Private)>, StorageError> {
        let Some(prefix) = self.stored_key(tenant, kind, prefix)? else { return Ok(Vec::new()) };
        // Memory first, the transaction after: a row that left memory in between is in the file.
        let (recent, gone) = self.recent_rows(tenant, kind, &prefix)?;
        let is_gone = |key: &[u8]| Row::whole_key(key).is_some_and(|whole| gone.contains(whole));
        let mut merged = BTreeMap::new();
        self.shared.checkpoint.rows(tenant, kind, &prefix, &mut |key, row| {
            if let Some(value) = row.value.filter(|_| !recent.contains_key(&key) && !is_gone(&key)) {
                merged.insert(key, value);
            }
            merged.len() < limit
        })?;
        merged.extend(recent.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))));
        let opened = merged
            .into_iter()
            .take(limit)
            .map(|(key, value)| seal::row::open(&*self.safe, tenant, kind, (&key, &value)));
        let mut opened = opened.filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
        // Keys that are stored as hashes stood in another order.
        opened.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(opened)
    }

    fn place(&self, tenant: TenantId, place: Place) -> Result<Placed, StorageError> {
        self.shared.tail.lock().admit(tenant)?;
        let no = place.0 / BUCKET_PLACES;
        self.shared.checkpoint.read(|transaction| {
            let Some(row) = table::kept(table::directory(transaction, tenant)?) else {
                return Ok(Placed::Nobody);
            };
            if row.in_buckets() < row.next {
                return Ok(Placed::Behind);
            }
            let listed =
                row.buckets.iter().find(|listed| listed.kind == BucketKind::Places && listed.no == no);
            let Some(listed) = listed else { return Ok(Placed::Nobody) };
            let found = table::bucket(transaction, tenant, listed, None)?.place(place);
            Ok(found.map_or(Placed::Nobody, Placed::Here))
        })
    }

    fn with_tail(&self) -> Vec<TenantId> {
        let tail = self.shared.tail.lock();
        let tailed = tail.tenants.iter().filter(|(_, tailed)| !tailed.spots.is_empty());
        tailed.map(|(tenant, _)| *tenant).collect()
    }

    fn has_tail(&self, tenant: TenantId) -> bool {
        let tail = self.shared.tail.lock();
        tail.tenants.get(&tenant).is_some_and(|tailed| !tailed.spots.is_empty())
    }

    fn held(&self, tenant: TenantId) -> Result<Held, StorageError> {
        let rows = self.shared.checkpoint.rows_of(tenant)?;
        let tail = self.shared.tail.lock();
        let Some(tailed) = tail.tenants.get(&tenant) else { return Ok(Held { rows, ..Held::default() }) };
        Ok(Held {
            rows,
            rows_recent: tailed.rows.keys().filter(|(kind, _)| *kind != RowKind::SubjectKey).count() as u64,
            tail_frames: tailed.spots.len() as u64,
            tail_bytes: tailed.bytes,
        })
    }

    fn due(&self) -> bool {
        let (frames, bytes) = {
            let tail = self.shared.tail.lock();
            (tail.frames, tail.bytes)
        };
        let files = self.files.in_use() as u64 * self.files.file_bytes();
        frames >= self.shared.tail_frames_max / 2
            || bytes >= self.shared.tail_bytes_max / 2
            || files > self.shared.tail_bytes_max.saturating_add(2 * self.files.file_bytes())
    }

    fn cut(&self) -> Cut {
        let tail = self.shared.tail.lock();
        let tailed = tail.tenants.iter().filter(|(_, tailed)| !tailed.spots.is_empty());
        let tenants = tailed.map(|(tenant, _)| *tenant).collect();
        Cut { sequence: tail.sequence, tenants, hash: tail.hash }
    }

    fn put(&self, tenant: TenantId, head: &Head, buckets: Vec<Bucket>) -> Result<(), StorageError> {
        self.noting_space(self.put_tenant(tenant, head, buckets))
    }

    fn set_aside(&self, tenant: TenantId) -> Result<(), StorageError> {
        self.set_tenant_aside(tenant)
    }

    fn damaged(&self) -> Vec<Damage> {
        let tail = self.shared.tail.lock();
        let all_but = tail.refused.all_but.iter().map(|(damage, _)| damage.clone());
        tail.refused.some.values().cloned().chain(all_but).collect()
    }

    fn finish(&self, cut: &Cut) -> Result<(), StorageError> {
        let finished = self.noting_space(self.finish_cut(cut));
        if finished.is_ok() {
            self.no_space.store(false, Ordering::Relaxed);
        }
        finished
    }

    fn history(
        &self,
        tenant: TenantId,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<FrameRead>, StorageError> {
        let (mut frames, mut bytes) = (Vec::new(), 0_usize);
        if limit == 0 {
            return Ok(frames);
        }
        let whole = limit == usize::MAX;
        self.walk_from(tenant, (from, limit), &mut |view| {
            if view.head.revision >= from {
                bytes = bytes.saturating_add(view.whole.len());
                frames.push(self.opened(view, "history")?);
            }
            Ok(frames.len() < limit && (whole || bytes < HISTORY_BYTES_MAX))
        })?;
        Ok(frames)
    }

    fn verify(&self, tenant: TenantId) -> Result<Verified, StorageError> {
        let _pin = self.pins.read();
        let tail = self.tail_of(tenant)?;
        let mut verified = Verified { frames: 0, link: [0; 32], last: UnixMillis(0) };
        let mut take = |view: &crate::record::frame::FrameView<'_>| {
            verified = Verified { frames: verified.frames + 1, link: view.link, last: view.head.wall };
            Ok(true)
        };
        let spots = tail.as_ref().map_or(&[][..], |(_, spots)| spots);
        let (row, aside) = self.shared.checkpoint.read(|transaction| {
            let row = table::kept(table::directory(transaction, tenant)?);
            if let Some(row) = &row {
                Self::walk_history(transaction, row, tenant, Revision(0), &mut take)?;
            }
            Ok((row, Self::aside_of(transaction, tenant, spots)?))
        })?;
        if row.is_none() && tail.is_none() {
            return Err(StorageError::TenantUnknown(tenant));
        }
        let base = Self::base(tenant, row.as_ref());
        let mut head = base;
        if let Some((tail_head, spots)) = tail {
            self.walk_tail(&base, (&spots, &aside), &mut take)?;
            head = tail_head;
        }
        if verified.link != head.link || verified.frames != head.next.0 {
            return Err(StorageError::damaged("history", 0, "history does not end at the head", tenant));
        }
        Ok(verified)
    }

    fn scrub(&self, from: &Scrub, bytes_max: u64) -> Result<Scrubbed, StorageError> {
        self.shared.checkpoint.scrub(from, bytes_max)
    }

    fn is_kept(&self, tenant: TenantId) -> Result<bool, StorageError> {
        if self.shared.tail.lock().tenants.contains_key(&tenant) {
            return Ok(true);
        }
        Ok(table::kept(self.shared.checkpoint.directory(tenant)?).is_some())
    }

    fn forget(&self, tenant: TenantId) -> Result<(), StorageError> {
        let _one = self.finishing.lock();
        let old = self.shared.checkpoint.directory(tenant)?;
        if old.as_ref().is_some_and(|row| row.life == Life::Forgotten)
            && self.shared.tail.lock().forgotten.contains(&tenant)
        {
            return Ok(());
        }
        // Whose data is damaged is forgotten all the same.
        let head = self.shared.head(tenant).ok().flatten();
        let keys = self.keys.slots_of(tenant, old.as_ref().map_or(&[], |row| &row.keys));
        let base = head.unwrap_or_else(|| Self::base(tenant, old.as_ref()));
        let row = DirectoryRow {
            schema: SCHEMA,
            life: Life::Forgotten,
            slot: tenant.slot_at_birth(),
            epoch: Epoch(base.epoch.0),
            next: base.next,
            link: base.link,
            keys: Vec::new(),
            buckets: Vec::new(),
            old_keys: Vec::new(),
            shares: Sum::default(),
        };
        let value = encode(Of::Directory, &tenant_key(tenant), &row);
        // Keys first: once the row says so, nobody would look for them again.
        for KeySlot { slot, .. } in keys {
            self.keys.erase(slot)?;
        }
        self.safe.forget(tenant);
        self.shared.checkpoint.forget(tenant, value)?;
        let mut tail = self.shared.tail.lock();
        tail.tenants.remove(&tenant);
        tail.refused.some.remove(&tenant);
        tail.refused.withheld.remove(&tenant);
        tail.forgotten.insert(tenant);
        Ok(())
    }

    fn tenant_keys(&self, tenant: TenantId) -> Result<TenantKeys, StorageError> {
        let row = self.shared.checkpoint.directory(tenant)?;
        let (mut index, mut refresh) = (None, Vec::new());
        for KeySlot { number, slot } in self.keys.slots_of(tenant, row.as_ref().map_or(&[], |row| &row.keys))
        {
            if let Some([first, second, _]) = self.keys.open_at(tenant, slot)? {
                index = Some(first);
                refresh.push((number, second));
            }
        }
        let index = index.ok_or(StorageError::KeysMissing(tenant))?;
        Ok(TenantKeys { index, refresh })
    }

    fn make_tenant_keys(
        &self,
        tenant: TenantId,
        entropy: &[u8; 64],
        nonces: &[u8; 24],
    ) -> Result<(), StorageError> {
        let row = self.shared.checkpoint.directory(tenant)?;
        if row.is_some_and(|row| !row.keys.is_empty() || row.life != Life::Kept) {
            return Ok(());
        }
        let mut drawn = entropy.chunks_exact(32).filter_map(|half| half.first_chunk().copied().map(Key::new));
        let (Some(index), Some(refresh)) = (drawn.next(), drawn.next()) else { return Ok(()) };
        let draw = &self.keys.draw;
        let sequence = self.shared.tail.lock().sequence;
        let nonces = draw.nonces(nonces);
        self.keys.make((tenant, FIRST_REFRESH_KEY), &[index, refresh, draw.key()], &nonces, sequence)
    }

    fn make_refresh_key(
        &self,
        tenant: TenantId,
        number: u8,
        key: &[u8; 32],
        nonces: &[u8; 24],
    ) -> Result<(), StorageError> {
        let TenantKeys { index, .. } = self.tenant_keys(tenant)?;
        let named = self.shared.checkpoint.directory(tenant)?.map_or_else(Vec::new, |row| row.keys);
        for known in self.keys.slots_of(tenant, &named).iter().filter(|known| known.number == number) {
            self.keys.erase(known.slot)?;
        }
        let sealing = self.safe.tenant_key(tenant)?.sealing().clone();
        let sequence = self.shared.tail.lock().sequence;
        let nonces = self.keys.draw.nonces(nonces);
        self.keys.make((tenant, number), &[index, Key::new(*key), sealing], &nonces, sequence)
    }

    fn keep_refresh_keys(&self, tenant: TenantId, numbers: &[u8]) -> Result<(), StorageError> {
        let named = self.shared.checkpoint.directory(tenant)?.map_or_else(Vec::new, |row| row.keys);
        let slots = self.key_slots(tenant, &named)?;
        let kept = |slot: &KeySlot| numbers.contains(&slot.number);
        if slots.iter().any(kept) {
            for dropped in slots.iter().filter(|slot| !kept(slot)) {
                self.keys.erase(dropped.slot)?;
            }
        }
        Ok(())
    }

    fn room(&self) -> Room {
        if self.files.is_full() {
            return if self.files.is_exhausted() { Room::Nothing } else { Room::Full };
        }
        let (frames, bytes) = self.shared.tail_size.get();
        let near = Room::is_near(frames, self.shared.tail_frames_max)
            || Room::is_near(bytes, self.shared.tail_bytes_max);
        match near {
            true if self.no_space.load(Ordering::Relaxed) => Room::Full,
            true => Room::Busy,
            false
                if Room::is_tight(frames, self.shared.tail_frames_max)
                    || Room::is_tight(bytes, self.shared.tail_bytes_max) =>
            {
                Room::Tight
            }
            false => Room::Any,
        }
    }

    fn usage(&self) -> Usage {
        let (journal_files, switches, reuses, full) = self.files.counts();
        let tail = self.shared.tail.lock();
        Usage {
            tail_frames: tail.frames,
            tail_bytes: tail.bytes,
            tail_frames_max: self.shared.tail_frames_max,
            tail_bytes_max: self.shared.tail_bytes_max,
            journal_files,
            checkpoint_bytes: self.shared.checkpoint.bytes(),
            switches,
            reuses,
            groups: tail.groups_synced,
            frames: tail.frames_synced,
            checkpoints: self.checkpoints.load(Ordering::Relaxed),
            full: full || self.no_space.load(Ordering::Relaxed),
        }
    }

    fn failed(&self) -> bool {
        self.shared.failed.load(Ordering::SeqCst)
    }

    fn until_failed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            let notified = self.shared.failure.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if !self.failed() {
                notified.await;
            }
        })
    }

    fn stop(&self) {
        self.shared.intake.stop();
        // The lane first: it may wait for the preparer.
        let threads: Vec<_> = self.threads.lock().drain(..).collect();
        for thread in threads.into_iter().rev() {
            if thread.thread().name() == Some("tessera-prepare") {
                self.files.stop();
            }
            // A thread that panicked has told so; there is nothing to add at the end.
            drop(thread.join());
        }
        if let Some(mut lane) = self.by_hand.lock().take() {
            while lane.turn_by_hand() {}
            drop(lane.rest());
            lane.end();
        }
        self.shared.checkpoint.close();
        *self.lock.lock() = None;
    }
}
