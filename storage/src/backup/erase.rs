//! An erasure reaches a backup of before: another backup is made of it, without whoever was erased since.
//!
//! Whose key was destroyed in the data directory is told by its key file; the slots are the same. Frames, rows and history
//! are sealed under those keys, and copied as they are. Buckets speak of many, and are written anew under other keys. The
//! keys of the old backup are destroyed when the new one is whole: until then the old one can be restored.

use super::entry::{Writer, read};
use super::verify::{Backup, tenant_of};
use super::{KEYS, KEYS_BYTES_MAX, MANIFEST, Manifest, Progress, STATE, TAIL, bad};
use crate::bucket::{Bucket, Image};
use crate::checkpoint::read as table;
use crate::checkpoint::schema::{self, DirectoryRow, ERASING_KEY, Erasing, Life, Listed, Of, ROW_KEY_HEAD};
use crate::disk::{self, Disk};
use crate::embedded::Identity;
use crate::error::StorageError;
use crate::key_files;
use crate::key_slots::gone;
use crate::keys::{
    Keys, SLOT_BYTES, Slot, TENANT_BYTES, TENANT_SLOTS, associated, check_of, unwrapped, wrap,
};
use crate::record::event::{is_private, outlives_its_key};
use crate::record::frame::{Form, FrameView};
use crate::record::{Field, Reader, RecordError, image};
use crate::root_key::RootKey;
use crate::seal::{self, Draw, PartKey, Place, TENANT, row::slot_in};
use std::collections::{BTreeMap, BTreeSet};
use tessera_crypto::Key;
use tessera_model::invitation::invitation_of;
use tessera_model::{Event, Row, RowKind, SubjectIndex, TenantId};

/// The part of a bucket, at the end of its key.
const PART_BYTES: usize = 4;

/// What was erased from a backup.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BackupErased {
    /// Subjects that the new backup holds nothing private of any more, and the old one did.
    pub subjects: u64,
    /// Invitations of which the new backup does not hold any more whom they were for, and the old one did.
    pub invitations: u64,
    /// Parts of buckets that were written anew.
    pub buckets: u64,
}

/// Who is erased of a tenant, and under which keys its buckets stand.
struct Erasure {
    /// Owners of keys: subjects, and invitations.
    subjects: BTreeSet<SubjectIndex>,
    /// What the slots of the tenant are wrapped under.
    under: Key,
    /// The key of all buckets that are written anew, and its slot.
    fresh: (u32, PartKey),
}

struct Work {
    tenants: BTreeMap<TenantId, Erasure>,
    /// The key file of the new backup.
    keys: Vec<u8>,
    /// That of the old one.
    before: Vec<u8>,
    buckets: u64,
}

fn slot_of(bytes: &[u8], slot: u32) -> Option<&[u8]> {
    let from = usize::try_from(slot).ok()?.checked_mul(SLOT_BYTES)?;
    bytes.get(from..from.checked_add(SLOT_BYTES)?)
}

fn zero(bytes: &mut [u8], slot: u32) {
    let from = usize::try_from(slot).unwrap_or(usize::MAX).saturating_mul(SLOT_BYTES);
    if let Some(place) = bytes.get_mut(from..from.saturating_add(SLOT_BYTES)) {
        place.copy_from_slice(&gone());
    }
}

impl Backup {
    /// Whether it was taken of the data directory with this identity (the content of its file `LANE`), in the life that
    /// it is in: the slots of the key files are the same then, and otherwise they need not be.
    ///
    /// # Errors
    /// [`StorageError::BadBackup`] when it was not; damage of the identity.
    pub fn check_is_of(&self, lane: &[u8]) -> Result<(), StorageError> {
        let identity = Identity::read(lane)?;
        if identity.salt() != self.manifest.salt || identity.epoch() != self.manifest.epoch {
            let what = "it is of another data directory, or of before a restore: destroy it as a whole";
            return Err(bad(MANIFEST, what));
        }
        Ok(())
    }

    /// Makes another backup of this one on an empty disk, without anybody whose key `now` (the copies of the key file,
    /// [`KEY_FILES`], of the data directory that it is of, whose file `LANE` is `lane`) says was erased since, in any of
    /// them; then destroys this one's keys. Without any such subject nothing is made, and nothing destroyed. Looks at every byte first. `seed` is 32 random
    /// bytes.
    ///
    /// # Errors
    /// [`StorageError::BadBackup`], as [`Backup::check_is_of`] too, [`StorageError::RootKeyWrong`]; otherwise as the disks report. Until it is done this
    /// backup is as it was.
    pub fn erase(
        &self,
        to: &dyn Disk,
        (root_key, lane, now): (&RootKey, &[u8], &[Vec<u8>]),
        seed: &[u8; 32],
        progress: &Progress,
    ) -> Result<BackupErased, StorageError> {
        self.check_is_of(lane)?;
        if !to.list().map_err(StorageError::while_doing("listing", "the new backup"))?.is_empty() {
            return Err(StorageError::NotEmpty);
        }
        self.verify(progress)?;
        let before = disk::read_at_most(&*self.disk, KEYS, KEYS_BYTES_MAX)
            .map_err(StorageError::while_doing("reading", KEYS))?;
        if !key_files::is_of(&before, &check_of(&root_key.0, &self.manifest.salt)) {
            return Err(StorageError::RootKeyWrong);
        }
        let subjects = self.erased(&before, now, progress)?;
        let mut work = work(before, subjects, root_key, seed)?;
        let owners = || work.tenants.values().flat_map(|erasure| &erasure.subjects);
        let invitations = owners().filter(|owner| invitation_of(**owner).is_some()).count() as u64;
        let subjects = (owners().count() as u64).saturating_sub(invitations);
        if subjects + invitations == 0 {
            return Ok(BackupErased { subjects, invitations, buckets: 0 });
        }
        self.write(to, &mut work, progress)?;
        self.destroy_keys()?;
        Ok(BackupErased { subjects, invitations, buckets: work.buckets })
    }

    /// The tenants in which somebody was being erased when this backup was taken.
    fn erasing(&self, progress: &Progress) -> Result<Vec<TenantId>, StorageError> {
        let mut tenants = Vec::new();
        read(&*self.disk, self.note(STATE)?, progress, &mut |of, key, value| {
            if let (Of::Meta, ERASING_KEY) = (of, key) {
                let noted: Erasing =
                    schema::decode(of, key, value).map_err(|error| bad(STATE, error.text()))?;
                tenants = noted.tenants;
            }
            Ok(())
        })?;
        Ok(tenants)
    }

    /// The subjects whose keys this backup has and the data directory has erased. Of a tenant in which somebody was being
    /// erased also those whose keys it has not: its buckets may still hold them.
    fn erased(
        &self,
        before: &[u8],
        now: &[Vec<u8>],
        progress: &Progress,
    ) -> Result<BTreeMap<TenantId, BTreeMap<SubjectIndex, u32>>, StorageError> {
        let mut found: BTreeMap<TenantId, BTreeMap<SubjectIndex, u32>> = BTreeMap::new();
        let erasing = self.erasing(progress)?;
        let mut note = |tenant: TenantId, key: &[u8], slot: Option<u32>| {
            let (Some(slot), Some(owner)) = (slot, key.first_chunk().copied()) else { return };
            let erased = |bytes: &[u8]| slot_of(bytes, slot).is_some_and(|found| found == &gone()[..]);
            if now.iter().any(|copy| erased(copy)) && (!erased(before) || erasing.contains(&tenant)) {
                let owner = SubjectIndex(u32::from_be_bytes(owner));
                found.entry(tenant).or_default().insert(owner, slot);
            }
        };
        read(&*self.disk, self.note(STATE)?, progress, &mut |of, key, value| {
            let kind = key.get(8..ROW_KEY_HEAD).and_then(|kind| kind.try_into().ok()).map(u16::from_be_bytes);
            if let (Of::Row, Some(tenant), Some(rest)) = (of, tenant_of(key), key.get(ROW_KEY_HEAD..))
                && kind == Some(RowKind::SubjectKey.number())
            {
                let row = table::decode_row(key, value).map_err(|error| bad(STATE, error.text()))?;
                note(tenant, rest, row.value.as_ref().and_then(slot_in));
            }
            Ok(())
        })?;
        read(&*self.disk, self.note(TAIL)?, progress, &mut |of, key, value| {
            if let (Of::AsideFrame, Some(tenant)) = (of, tenant_of(key)) {
                let wrong = |error: RecordError| bad(TAIL, error.text());
                let body = schema::open(of, key, value).map_err(wrong)?;
                let (view, _) = FrameView::read(body, Form::Journal).map_err(wrong)?;
                for Row { kind, key, value } in view.rows().map_err(wrong)? {
                    if kind == RowKind::SubjectKey {
                        note(tenant, &key, value.as_ref().and_then(slot_in));
                    }
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn write(&self, to: &dyn Disk, work: &mut Work, progress: &Progress) -> Result<(), StorageError> {
        // Directory rows stand before the buckets whose hashes they list: those are written twice, the first time for
        // these alone.
        let mut rows: BTreeMap<TenantId, DirectoryRow> = BTreeMap::new();
        read(&*self.disk, self.note(STATE)?, progress, &mut |of, key, value| {
            let Some(tenant) = tenant_of(key).filter(|tenant| work.tenants.contains_key(tenant)) else {
                return Ok(());
            };
            if let Of::Directory = of {
                let row: DirectoryRow =
                    schema::decode(of, key, value).map_err(|error| bad(STATE, error.text()))?;
                if row.life == Life::Kept {
                    rows.insert(tenant, row);
                }
            }
            Ok(())
        })?;
        let places = places_of(&rows);
        let mut listed = rows.clone();
        read(&*self.disk, self.note(STATE)?, progress, &mut |of, key, value| {
            if let (Of::Bucket, Some((tenant, at, part))) = (of, place_of(&places, key))
                && let Some(written) = work.bucket((tenant, &rows, at), key, value)?
                && let Some(hash) = listed
                    .get_mut(&tenant)
                    .and_then(|row| row.buckets.get_mut(at))
                    .and_then(|listed| listed.parts.get_mut(part))
            {
                *hash = written.last_chunk().copied().unwrap_or_default();
            }
            Ok(())
        })?;
        for (tenant, row) in &mut listed {
            work.replaces(*tenant, row);
        }
        work.buckets = 0;
        let mut state = Writer::create(to, STATE, progress)?;
        read(&*self.disk, self.note(STATE)?, progress, &mut |of, key, value| {
            let known = tenant_of(key).and_then(|tenant| listed.get(&tenant));
            if let (Of::Directory, Some(row)) = (of, known) {
                return state.entry(of, key, &schema::encode(of, key, row));
            }
            if let (Of::Bucket, Some((tenant, at, _))) = (of, place_of(&places, key))
                && let Some(written) = work.bucket((tenant, &rows, at), key, value)?
            {
                return state.entry(of, key, &written);
            }
            state.entry(of, key, value)
        })?;
        let state = state.finish()?;
        let mut tail = Writer::create(to, TAIL, progress)?;
        read(&*self.disk, self.note(TAIL)?, progress, &mut |of, key, value| tail.entry(of, key, value))?;
        let tail = tail.finish()?;
        let mut keys = Writer::create(to, KEYS, progress)?;
        keys.bytes(&work.keys)?;
        let files = vec![state, tail, keys.finish()?];
        let manifest = Manifest { files, ..self.manifest.clone() };
        to.sync_dir().map_err(StorageError::while_doing("syncing", "the new backup's directory"))?;
        disk::replace(to, MANIFEST, &manifest.encode()).map_err(StorageError::while_doing("making", MANIFEST))
    }

    /// Overwrites the keys of this backup in place, and takes its manifest away: nothing sealed in it opens any more.
    fn destroy_keys(&self) -> Result<(), StorageError> {
        let doing = |doing| StorageError::while_doing(doing, KEYS);
        let file = self.disk.open(KEYS).map_err(doing("opening"))?;
        let size = file.size().map_err(doing("measuring"))?;
        let zeros = vec![0; usize::try_from(size).unwrap_or(0)];
        file.write_at(0, &zeros).map_err(doing("writing"))?;
        file.sync().map_err(doing("syncing"))?;
        self.disk.remove(MANIFEST).map_err(StorageError::while_doing("removing", MANIFEST))?;
        self.disk.sync_dir().map_err(StorageError::while_doing("syncing", "the old backup's directory"))
    }
}

/// The tenants of which somebody is erased, each with another key for its buckets, and the key file that has those.
fn work(
    before: Vec<u8>,
    subjects: BTreeMap<TenantId, BTreeMap<SubjectIndex, u32>>,
    root_key: &RootKey,
    seed: &[u8; 32],
) -> Result<Work, StorageError> {
    let file = Keys::under(root_key, Draw::new(seed));
    let mut sealing: BTreeMap<TenantId, Key> = BTreeMap::new();
    let blocks = before.get(SLOT_BYTES..).unwrap_or_default().chunks_exact(TENANT_BYTES);
    for (slot, block) in (1_u32..).step_by(TENANT_SLOTS as usize).zip(blocks) {
        if let Some((owner, [_, _, key])) = block.first_chunk().and_then(|block| file.set_in(block, slot)) {
            sealing.entry(owner.tenant).or_insert(key);
        }
    }
    let mut keys = before.clone();
    let mut tenants = BTreeMap::new();
    for (tenant, owners) in subjects {
        let missing = || bad(KEYS, format!("holds no keys of tenant {tenant}"));
        let under = file.slots_key(tenant, sealing.get(&tenant).ok_or_else(missing)?);
        owners.values().for_each(|slot| zero(&mut keys, *slot));
        // Behind everything, in fours as all others.
        let behind = keys.len().saturating_sub(SLOT_BYTES).next_multiple_of(TENANT_BYTES) + SLOT_BYTES;
        keys.resize(behind, 0);
        let first = u32::try_from(behind / SLOT_BYTES).map_err(|_| bad(KEYS, "is over its cap"))?;
        let mut fresh = None;
        for slot in first..first.saturating_add(TENANT_SLOTS) {
            let key = file.draw.key();
            wrap(&under, file.draw.nonce(), &associated(tenant, slot), &key)?.put(&mut keys);
            fresh.get_or_insert((slot, PartKey::new(key)));
        }
        let fresh = fresh.ok_or_else(missing)?;
        let subjects = owners.into_keys().collect();
        tenants.insert(tenant, Erasure { subjects, under, fresh });
    }
    Ok(Work { tenants, keys, before, buckets: 0 })
}

/// Where each listed bucket stands in its tenant's row, by its key without the part.
type Places = BTreeMap<Vec<u8>, (TenantId, usize)>;

fn places_of(rows: &BTreeMap<TenantId, DirectoryRow>) -> Places {
    let mut places = Places::new();
    for (tenant, row) in rows {
        for (at, listed) in row.buckets.iter().enumerate() {
            let mut key = schema::bucket_key(*tenant, listed.kind, listed.no, 0);
            key.truncate(key.len().saturating_sub(PART_BYTES));
            places.insert(key, (*tenant, at));
        }
    }
    places
}

/// Which listed bucket a key of `bucket_v1` is of: its tenant, its place in the row, and which part.
fn place_of(places: &Places, key: &[u8]) -> Option<(TenantId, usize, usize)> {
    let (head, part) = key.split_last_chunk::<PART_BYTES>()?;
    let (tenant, at) = places.get(head)?;
    Some((*tenant, *at, usize::try_from(u32::from_be_bytes(*part)).ok()?))
}

impl Work {
    /// A part of a bucket as it is written anew; none where nothing of it was sealed.
    fn bucket(
        &mut self,
        (tenant, rows, at): (TenantId, &BTreeMap<TenantId, DirectoryRow>, usize),
        key: &[u8],
        value: &[u8],
    ) -> Result<Option<Vec<u8>>, StorageError> {
        let listed = rows.get(&tenant).and_then(|row| row.buckets.get(at));
        let (Some(erasure), Some(listed)) = (self.tenants.get(&tenant), listed) else { return Ok(None) };
        if listed.key == 0 {
            return Ok(None);
        }
        let wrong = |error: RecordError| bad(STATE, format!("a bucket of tenant {tenant}: {}", error.text()));
        let body = schema::open(Of::Bucket, key, value).map_err(wrong)?;
        let mut bucket = Bucket::of(listed.kind, listed.no, Vec::new());
        let part = table::take_bucket(body, listed, &mut bucket).map_err(wrong)?;
        let Some(sealed) = part.sealed() else { return Ok(None) };
        let found =
            slot_of(&self.before, listed.key).and_then(|slot| Slot::take(&mut Reader::new(slot)).ok());
        let old = found.and_then(|slot| unwrapped(&erasure.under, &associated(tenant, listed.key), &slot));
        let unopened = || bad(STATE, format!("a bucket of tenant {tenant} does not open"));
        let place = Place { tenant, owner: TENANT, kind: seal::BUCKET, key };
        let plain = PartKey::new(old.ok_or_else(unopened)?).open(&place, sealed).ok_or_else(unopened)?;
        part.fill(&plain, &mut bucket).map_err(wrong)?;
        bucket.events.retain_mut(|event| !is_of(event, &erasure.subjects) || blanked(event));
        if let Image::Commands(ids) = &mut bucket.image {
            // What was ordered of whom cannot be told from them: none is kept. A restore begins another epoch.
            ids.iter_mut().for_each(|id| id.fingerprint = 0);
        }
        self.buckets += 1;
        let mut parts = image::parts(&bucket);
        let listed = Listed { key: erasure.fresh.0, ..listed.clone() };
        let Some((form, one)) = parts.pop().filter(|_| parts.is_empty()) else {
            // Everything in it was of whoever is erased: an empty list of events.
            return Ok(Some(table::put_bucket(&listed, key, (image::EVENTS, &0_u32.to_le_bytes()), &[])));
        };
        let sealed = match one.private.is_empty() {
            true => Vec::new(),
            false => erasure.fresh.1.seal(&place, &one.private)?,
        };
        Ok(Some(table::put_bucket(&listed, key, (form, &one.body), &sealed)))
    }

    /// Another key for all sealed buckets of a row; those of before are gone.
    fn replaces(&mut self, tenant: TenantId, row: &mut DirectoryRow) {
        let Some(erasure) = self.tenants.get(&tenant) else { return };
        for listed in row.buckets.iter_mut().filter(|listed| listed.key != 0) {
            zero(&mut self.keys, listed.key);
            listed.key = erasure.fresh.0;
        }
        row.old_keys.drain(..).for_each(|slot| zero(&mut self.keys, slot));
    }
}

/// Whether something private of it is of one of these.
fn is_of(event: &Event, subjects: &BTreeSet<SubjectIndex>) -> bool {
    is_private(event) && event.owner().is_some_and(|owner| subjects.contains(&owner))
}

/// Makes an event blank of what is private of it; false where it says nothing then.
fn blanked(event: &mut Event) -> bool {
    let mut bytes = Vec::new();
    event.put(&mut bytes);
    match Event::take(&mut Reader::new(&bytes)) {
        Ok(blank) if outlives_its_key(event) => {
            *event = blank;
            true
        }
        Ok(_) | Err(_) => false,
    }
}
