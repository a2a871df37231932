//! Putting a tenant into the checkpoint: directory row, buckets, rows and history in one step.

use super::Embedded;
use crate::batch::Head;
use crate::checkpoint::aside::AsideFrames;
use crate::checkpoint::read as table;
use crate::checkpoint::schema::{
    self, ASIDE, ASIDE_FRAME, BUCKET, DIRECTORY, DirectoryRow, Life, Listed, Of, ROW, SEGMENT,
};
use crate::checkpoint::share::{self, Sum};
use crate::checkpoint::{Flushed, Pending};
use crate::error::StorageError;
use crate::record::{bucket, image};
use crate::seal::{self, KeyHeld, PartKey, Place, TENANT, Vault};
use crate::store::{Bucket, BucketKind, Cut};
use crate::tail::{Recent, Spot};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tessera_model::{Revision, Row, RowKind, TenantId};

/// A file below this size is never compacted.
const COMPACT_BYTES_MIN: u64 = 8 * 1024 * 1024;
/// A file over so many times its live content is.
const COMPACT_TIMES: u64 = 3;

type Rows = Vec<(RowKind, Vec<u8>, Recent)>;

impl Embedded {
    pub(super) fn put_tenant(
        &self,
        tenant: TenantId,
        head: &Head,
        buckets: Vec<Bucket>,
    ) -> Result<(), StorageError> {
        let _pin = self.pins.read();
        let names: Vec<_> = buckets.iter().map(|bucket| (bucket.kind, bucket.no)).collect();
        let flushed = self.shared.checkpoint.put(tenant, || {
            let (spots, rows) = self.recent(tenant, head)?;
            self.shared.checkpoint.read(|transaction| {
                let old = table::directory(transaction, tenant)?;
                if old.as_ref().is_some_and(|row| row.life != Life::Kept) {
                    return Err(StorageError::TenantUnknown(tenant));
                }
                self.build(transaction, head, old, buckets, &spots, rows)
            })
        })?;
        // Not before: where it is not taken, the same bucket comes again and needs its other key then.
        self.safe.put(tenant, &names, head.next);
        self.drop_rows(flushed);
        Ok(())
    }

    pub(crate) fn drop_rows(&self, flushed: Flushed) {
        let mut tail = self.shared.tail.lock();
        for (tenant, rows) in flushed {
            tail.drop_rows(tenant, &rows);
        }
    }

    /// What the tail has of a tenant up to `head`, which must be durable.
    pub(crate) fn recent(&self, tenant: TenantId, head: &Head) -> Result<(Vec<Spot>, Rows), StorageError> {
        let durable = self.shared.head(tenant)?.ok_or(StorageError::TenantUnknown(tenant))?;
        let ahead = head.next > durable.next || (head.next == durable.next && *head != durable);
        if ahead || head.tenant != tenant {
            return Err(StorageError::OutOfOrder { tenant, expected: durable.next });
        }
        let tail = self.shared.tail.lock();
        let Some(tailed) = tail.tenants.get(&tenant) else { return Ok((Vec::new(), Vec::new())) };
        let spots = tailed.spots.iter().filter(|spot| spot.revision < head.next.0).copied().collect();
        let rows = tailed.rows.iter().filter(|(_, recent)| recent.revision < head.next);
        let rows = rows.map(|((kind, key), recent)| (*kind, key.clone(), recent.clone())).collect();
        Ok((spots, rows))
    }

    fn build(
        &self,
        transaction: &redb::ReadTransaction,
        head: &Head,
        old: Option<DirectoryRow>,
        buckets: Vec<Bucket>,
        spots: &[Spot],
        rows: Rows,
    ) -> Result<Pending, StorageError> {
        let tenant = head.tenant;
        let aside = Self::aside_of(transaction, tenant, spots)?;
        let mut row = old.unwrap_or_else(|| DirectoryRow {
            schema: schema::SCHEMA,
            life: Life::Kept,
            slot: head.slot,
            epoch: head.epoch,
            next: Revision(0),
            link: [0; 32],
            keys: Vec::new(),
            buckets: Vec::new(),
            old_keys: Vec::new(),
            shares: Sum::default(),
        });
        // What names them is durable since they were written here.
        self.erase_old_keys(&row.old_keys)?;
        row.old_keys.clear();
        let mut pending =
            Pending { tenant, next: head.next.max(row.next), entries: Vec::new(), rows: Vec::new() };
        self.add_history(transaction, head, &row, (spots, &aside), &mut pending)?;
        drop_aside(transaction, head, spots, &mut pending)?;
        if !buckets.is_empty() {
            // All that a load applied is in them.
            row.schema = schema::SCHEMA;
        }
        for bucket in buckets {
            self.add_bucket(&mut row, head, &bucket, &mut pending)?;
        }
        for (kind, key, recent) in rows {
            if recent.value.is_none() && Row::whole_key(&key) == Some(&key) {
                // What was written since comes behind it, in the order of keys.
                let under = table::row_keys(transaction, tenant, kind, &key)?;
                pending.entries.extend(under.into_iter().map(|stored| (ROW, stored, None)));
            }
            let stored = schema::row_key(tenant, kind, &key);
            let value = recent.value.map(|value| table::put_row(&stored, &value, recent.revision));
            pending.entries.push((ROW, stored, value));
            pending.rows.push((kind, key, recent.revision));
        }
        share::add(transaction, &self.shared.checkpoint.salt, &mut row.shares, &mut pending)?;
        row.keys = self.key_slots(tenant, &row.keys)?;
        if head.next >= row.next {
            (row.slot, row.epoch, row.next, row.link) = (head.slot, head.epoch, head.next, head.link);
        }
        let key = schema::tenant_key(tenant);
        let value = schema::encode(Of::Directory, &key, &row);
        pending.entries.push((DIRECTORY, key.to_vec(), Some(value)));
        Ok(pending)
    }

    /// Adds the frames between the directory row and `head` to the tenant's segments.
    fn add_history(
        &self,
        transaction: &redb::ReadTransaction,
        head: &Head,
        row: &DirectoryRow,
        spots: (&[Spot], &AsideFrames),
        pending: &mut Pending,
    ) -> Result<(), StorageError> {
        let from =
            Head { tenant: head.tenant, slot: row.slot, epoch: row.epoch, next: row.next, link: row.link };
        if head.next <= from.next {
            return Ok(());
        }
        let mut segment: Option<crate::checkpoint::segment::Segment> = None;
        let reached = self.walk_tail(&from, spots, &mut |view| {
            let mut open = match segment.take() {
                Some(open) => open,
                // Before a tenant's first frame stands its genesis, which that frame names.
                None => match view.genesis().ok().flatten() {
                    Some(genesis) => Self::open_segment(transaction, &Head { link: genesis, ..from })?,
                    None => Self::open_segment(transaction, &from)?,
                },
            };
            if !open.push(view) {
                let (key, value) = open.write();
                pending.entries.push((SEGMENT, key, Some(value)));
                let link = open.link;
                open = crate::checkpoint::segment::Segment::new(head.tenant, view.head.revision, link);
                // An empty segment takes any frame.
                open.push(view);
            }
            segment = Some(open);
            Ok(true)
        })?;
        if let Some(open) = segment.filter(|open| !open.is_empty()) {
            let (key, value) = open.write();
            pending.entries.push((SEGMENT, key, Some(value)));
        }
        if reached.next != head.next || reached.link != head.link {
            return Err(StorageError::damaged(
                "journal",
                0,
                "the tail does not lead to the head",
                head.tenant,
            ));
        }
        Ok(())
    }

    fn add_bucket(
        &self,
        row: &mut DirectoryRow,
        head: &Head,
        bucket: &Bucket,
        pending: &mut Pending,
    ) -> Result<(), StorageError> {
        let (tenant, name) = (head.tenant, (bucket.kind, bucket.no));
        let at = row.buckets.iter().position(|listed| (listed.kind, listed.no) == name);
        let old = at.map(|at| row.buckets.swap_remove(at));
        let bodies = image::parts(bucket);
        let had = old.as_ref().map_or(0, |old| old.key);
        // Command ids come and go by the minute: a slot for each of their buckets would fill the key file.
        // Nor is a key given to one more that is about to be replaced.
        let shares = bucket.kind == BucketKind::Commands && !self.safe.has_old(tenant);
        let shared = |listed: &&Listed| shares && listed.kind == bucket.kind && listed.key != 0;
        let known =
            if had == 0 { row.buckets.iter().find(shared).map_or(0, |listed| listed.key) } else { had };
        let (slot, under) = self.bucket_key((tenant, head.next), name, known, &bodies)?;
        if had != 0 && had != slot && !row.buckets.iter().any(|listed| listed.key == had) {
            row.old_keys.push(had);
        }
        let mut listed = Listed {
            kind: bucket.kind,
            no: bucket.no,
            upto: head.next,
            key: slot,
            parts: Vec::with_capacity(bodies.len()),
        };
        for (part, (form, one)) in (0u32..).zip(&bodies) {
            let key = schema::bucket_key(tenant, bucket.kind, bucket.no, part);
            let sealed = match &under {
                Some(under) if !one.private.is_empty() => {
                    let place = Place { tenant, owner: TENANT, kind: seal::BUCKET, key: &key };
                    under.seal(&place, &one.private)?
                }
                Some(_) | None => Vec::new(),
            };
            let value = table::put_bucket(&listed, &key, (*form, &one.body), &sealed);
            listed.parts.push(value.last_chunk().copied().unwrap_or_default());
            pending.entries.push((BUCKET, key, Some(value)));
        }
        for part in bodies.len()..old.map_or(0, |old| old.parts.len()) {
            let part = u32::try_from(part).unwrap_or(u32::MAX);
            pending.entries.push((BUCKET, schema::bucket_key(tenant, bucket.kind, bucket.no, part), None));
        }
        if !listed.parts.is_empty() {
            row.buckets.push(listed);
        }
        // Also behind a removal, which has put the last one elsewhere.
        row.buckets.sort_by_key(|listed| (listed.kind, listed.no));
        Ok(())
    }

    /// The key that a bucket is sealed under now, and its slot: the one that it had, unless an erasure replaces it;
    /// none while nothing private was ever in it.
    fn bucket_key(
        &self,
        (tenant, next): (TenantId, Revision),
        name: (BucketKind, u32),
        had: u32,
        bodies: &[(u8, bucket::Part)],
    ) -> Result<(u32, Option<Arc<PartKey>>), StorageError> {
        let renewed = self.safe.is_renewed(tenant, name, next);
        let private = bodies.iter().any(|(_, one)| !one.private.is_empty());
        if bodies.is_empty() || !private && renewed {
            return Ok((0, None));
        }
        if !private {
            return Ok((had, None));
        }
        if had != 0 && !renewed {
            return match self.safe.key_at(tenant, had)? {
                KeyHeld::Key(key) => Ok((had, Some(key))),
                KeyHeld::Erased | KeyHeld::Never => {
                    Err(table::damage(Of::Bucket, "the key of a listed bucket was erased", Some(tenant)))
                }
            };
        }
        let (slot, key) = self.safe.draw(tenant)?;
        Ok((slot, Some(key)))
    }

    /// Notes it when a part of a checkpoint found no space.
    pub(super) fn noting_space<T>(&self, done: Result<T, StorageError>) -> Result<T, StorageError> {
        if done.as_ref().is_err_and(StorageError::is_full) {
            self.no_space.store(true, Ordering::Relaxed);
        }
        done
    }

    pub(super) fn finish_cut(&self, cut: &Cut) -> Result<(), StorageError> {
        let _one = self.finishing.lock();
        let needed = {
            let tail = self.shared.tail.lock();
            if let Some((damage, _)) = tail.refused.all_but.first() {
                // Nobody knows whose frames are gone: covering the tail would throw away what tells.
                return Err(StorageError::Damaged(damage.clone()));
            }
            if cut.sequence < tail.covered || cut.sequence > tail.sequence {
                return Err(StorageError::BadOptions("the cut is not of this store's present"));
            }
            tail.needed(cut.sequence)
        };
        self.set_withheld_aside()?;
        let checkpoint = &self.shared.checkpoint;
        let named = |tenant, slot| {
            Ok(table::kept(checkpoint.directory(tenant)?).is_some_and(|row| row.keys.contains(&slot)))
        };
        let keys_upto = self.keys.settle(named)?;
        let (flushed, meta, put) = checkpoint.finish(cut.sequence, cut.hash, keys_upto, |upto| {
            for (tenant, next) in &needed {
                let put = upto.get(tenant).copied();
                let stored = match put {
                    Some(put) => put,
                    None => table::kept(checkpoint.directory(*tenant)?).map_or(Revision(0), |row| row.next),
                };
                if stored < *next {
                    return Err(StorageError::CheckpointIncomplete(*tenant));
                }
            }
            Ok(())
        })?;
        self.drop_rows(flushed);
        {
            let _files = self.pins.write();
            let mut tail = self.shared.tail.lock();
            tail.trim(cut.sequence, &put);
            tail.name = Some(crate::journal::group::Name { covered: meta.covered, writes: meta.writes });
            drop(tail);
            self.files.release(cut.sequence);
        }
        self.shared.intake.want_name();
        self.checkpoints.fetch_add(1, Ordering::Relaxed);
        self.compact_if_grown()
    }

    /// Compacts when the file has grown by half since it was last looked at and is mostly unused.
    fn compact_if_grown(&self) -> Result<(), StorageError> {
        // A backup reads the file as it was: it is compacted after the next checkpoint.
        let Some(_no_backup) = self.backing.try_lock() else { return Ok(()) };
        let size = self.shared.checkpoint.bytes();
        let before = self.compacted_at.load(Ordering::Relaxed);
        if size < COMPACT_BYTES_MIN || size < before.saturating_add(before / 2) {
            return Ok(());
        }
        self.shared.checkpoint.compact_above(COMPACT_TIMES)?;
        self.compacted_at.store(self.shared.checkpoint.bytes(), Ordering::Relaxed);
        Ok(())
    }
}

/// Frames that stood aside and are in buckets and history now need to stand nowhere else.
fn drop_aside(
    transaction: &redb::ReadTransaction,
    head: &Head,
    spots: &[Spot],
    pending: &mut Pending,
) -> Result<(), StorageError> {
    if !spots.iter().any(Spot::is_aside) {
        return Ok(());
    }
    let (keys, more) = crate::checkpoint::aside::keys_below(transaction, head.tenant, head.next.0)?;
    pending.entries.extend(keys.into_iter().map(|key| (ASIDE_FRAME, key, None)));
    if !more {
        pending.entries.push((ASIDE, schema::tenant_key(head.tenant).to_vec(), None));
    }
    Ok(())
}
