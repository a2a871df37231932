//! Taking a backup of a store that goes on: the tail and the keys at one moment, then the checkpoint as one
//! read transaction of that moment sees it.
//!
//! While the tail is copied no checkpoint ends and nothing is forgotten; the lane never waits. While the
//! checkpoint is copied nobody waits for anything; its file is not compacted meanwhile.

use super::entry::Writer;
use super::{
    Backups, FILES, KEYS, KEYS_BYTES_MAX, Known, MAGIC, MANIFEST, MANIFEST_BYTES_MAX, Manifest, Progress,
    STATE, TAIL, TENANTS_MAX, Taken, TenantNote, VERSION,
};
use crate::batch::Head;
use crate::checkpoint::read as table;
use crate::checkpoint::schema::{
    self, AsideRow, BUCKET, DIRECTORY, DirectoryRow, ERASING_KEY, Life, META, Of, ROW, SEGMENT, SHARE, Table,
};
use crate::disk::{self, Disk, real::Directory};
use crate::embedded::Embedded;
use crate::error::StorageError;
use crate::store::{BucketKind, Store};
use crate::tail::Spot;
use redb::ReadTransaction;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;
use tessera_model::{Event, TenantId, UnixMillis};

/// The tables that are copied as they stand.
const COPIED: [(Table, Of); 5] = [
    (DIRECTORY, Of::Directory),
    (BUCKET, Of::Bucket),
    (ROW, Of::Row),
    (SEGMENT, Of::Segment),
    (SHARE, Of::Share),
];

type Heads = BTreeMap<TenantId, Head>;
type Names = BTreeMap<TenantId, Known>;

impl Backups for Embedded {
    fn backup(&self, name: &str, made: UnixMillis, progress: &Progress) -> Result<Taken, StorageError> {
        let above = self.backup_dir.as_deref().ok_or(StorageError::BackupsOff)?;
        let path = above.join(name);
        let shown = path.display().to_string();
        match std::fs::DirBuilder::new().create(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(StorageError::BackupThere),
            made => made.map_err(StorageError::while_doing("making", &shown))?,
        }
        let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&path, owner_only).map_err(StorageError::while_doing("making", &shown))?;
        sync_above(above)?;
        let directory = Directory::open(&path).map_err(StorageError::while_doing("opening", &shown))?;
        self.backup_to(&directory, made, progress)
    }
}

impl Embedded {
    /// Takes a backup into an empty directory.
    ///
    /// # Errors
    /// Damage that is known or found; otherwise as the disks report. What is there then is no backup.
    pub fn backup_to(
        &self,
        to: &dyn Disk,
        made: UnixMillis,
        progress: &Progress,
    ) -> Result<Taken, StorageError> {
        let _one = self.backing.lock();
        if let Some(damage) = self.damaged().into_iter().next() {
            return Err(StorageError::Damaged(damage));
        }
        let usage = self.usage();
        progress.expect(usage.checkpoint_bytes + usage.tail_bytes);
        let mut cut = Cut { heads: Heads::new(), names: Names::new() };
        let (transaction, sequence, tail, keys) = self.copy_cut(to, progress, &mut cut)?;
        let state = self.copy_state(to, &transaction, progress, &mut cut)?;
        drop(transaction);
        let files = vec![state, tail, keys];
        debug_assert!(files.iter().map(|note| &*note.name).eq(FILES));
        let bytes = files.iter().map(|note| note.bytes).sum();
        let Cut { heads, mut names } = cut;
        let tenants: Vec<TenantNote> = heads
            .into_values()
            .map(|Head { tenant, epoch, next, link, .. }| TenantNote {
                tenant,
                epoch,
                next,
                link,
                known: names.remove(&tenant),
            })
            .collect();
        let taken = Taken { tenants: tenants.len() as u64, bytes, epoch: self.shared.epoch, sequence };
        let manifest = Manifest {
            magic: MAGIC,
            version: VERSION,
            spare: 0,
            made,
            salt: self.shared.checkpoint.salt,
            journal_file_bytes: self.files.file_bytes(),
            epoch: self.shared.epoch,
            sequence,
            files,
            tenants,
        };
        to.sync_dir().map_err(StorageError::while_doing("syncing", "the backup's directory"))?;
        let whole = manifest.encode();
        if whole.len() as u64 > MANIFEST_BYTES_MAX || manifest.tenants.len() > TENANTS_MAX {
            return Err(super::bad(MANIFEST, "would be over its cap: this node has too many tenants"));
        }
        disk::replace(to, MANIFEST, &whole).map_err(StorageError::while_doing("making", MANIFEST))?;
        Ok(taken)
    }

    /// Copies the tail and the keys, and gives the transaction of the same moment.
    fn copy_cut(
        &self,
        to: &dyn Disk,
        progress: &Progress,
        cut: &mut Cut,
    ) -> Result<(ReadTransaction, u64, super::FileNote, super::FileNote), StorageError> {
        let _nothing_is_forgotten = self.finishing.lock();
        let _nothing_is_trimmed = self.pins.read();
        let _no_key_is_erased = self.erasing.lock();
        // The checkpoint first: what leaves the tail is in it before.
        let transaction = self.shared.checkpoint.snapshot()?;
        let (sequence, tailed) = {
            let tail = self.shared.tail.lock();
            let tailed = tail.tenants.values();
            let tailed: Vec<(Head, Vec<Spot>)> =
                tailed.map(|one| (one.head, one.spots.iter().copied().collect())).collect();
            (tail.sequence, tailed)
        };
        let mut file = Writer::create(to, TAIL, progress)?;
        table::guarded(|| {
            let row = table::kept(table::directory(&transaction, TenantId::SYSTEM)?);
            for listed in row.iter().flat_map(|row| &row.buckets) {
                if listed.kind == BucketKind::Directory {
                    let bucket = table::bucket(&transaction, TenantId::SYSTEM, listed, None)?;
                    note_names(&bucket.events, &mut cut.names);
                }
            }
            for (head, spots) in &tailed {
                self.copy_tailed(&transaction, (head, spots), &mut file, cut)?;
            }
            Ok(())
        })?;
        let tail = file.finish()?;
        let mut file = Writer::create(to, KEYS, progress)?;
        let keys = self.keys.copy()?;
        if keys.len() as u64 > KEYS_BYTES_MAX {
            return Err(super::bad(KEYS, "would be over its cap: this node has too many keys"));
        }
        file.bytes(&keys)?;
        Ok((transaction, sequence, tail, file.finish()?))
    }

    /// Copies the frames of one tenant that its directory row does not cover, every link verified.
    fn copy_tailed(
        &self,
        transaction: &ReadTransaction,
        (head, spots): (&Head, &[Spot]),
        file: &mut Writer<'_>,
        cut: &mut Cut,
    ) -> Result<(), StorageError> {
        let tenant = head.tenant;
        let row = table::directory(transaction, tenant)?;
        if row.as_ref().is_some_and(|row| row.life != Life::Kept) {
            return Ok(());
        }
        let base = Self::base(tenant, row.as_ref());
        let head = if head.next < base.next { &base } else { head };
        cut.heads.insert(tenant, *head);
        let aside = Self::aside_of(transaction, tenant, spots)?;
        let reached = self.walk_tail(&base, (spots, &aside), &mut |view| {
            let key = schema::segment_key(tenant, view.head.revision);
            let mut value = view.whole.to_vec();
            schema::close(Of::AsideFrame, &key, &mut value);
            file.entry(Of::AsideFrame, &key, &value)?;
            if tenant == TenantId::SYSTEM {
                let frame = crate::seal::frame::read_blank(view, "journal")?;
                note_names(&frame.events, &mut cut.names);
            }
            Ok(true)
        })?;
        if (reached.next, reached.link) != (head.next, head.link) {
            return Err(StorageError::damaged("journal", 0, "the tail does not lead to the head", tenant));
        }
        if reached.next == base.next {
            return Ok(());
        }
        let Head { slot, epoch, next, link, .. } = *head;
        let row = AsideRow { schema: schema::SCHEMA, slot, epoch, next, link, damage: None };
        let key = schema::tenant_key(tenant);
        file.entry(Of::Aside, &key, &schema::encode(Of::Aside, &key, &row))
    }

    /// Copies the tables, every value verified.
    fn copy_state(
        &self,
        to: &dyn Disk,
        transaction: &ReadTransaction,
        progress: &Progress,
        cut: &mut Cut,
    ) -> Result<super::FileNote, StorageError> {
        let mut file = Writer::create(to, STATE, progress)?;
        let mut arriving = BTreeSet::new();
        table::guarded(|| {
            for (from, of) in COPIED {
                table::scan(transaction, from, &[], &mut |key, value| {
                    if self.shared.intake.is_stopping() {
                        return Err(StorageError::LaneStopped);
                    }
                    let tenant = key.first_chunk().copied().map(u64::from_be_bytes).map(TenantId);
                    let wrong = |error: crate::record::RecordError| table::damage(of, error.text(), tenant);
                    schema::open(of, key, value).map_err(wrong)?;
                    if let (Of::Directory, Some(tenant)) = (of, tenant) {
                        let row: DirectoryRow = schema::decode(of, key, value).map_err(wrong)?;
                        if row.life == Life::Kept {
                            cut.heads.entry(tenant).or_insert_with(|| table::head_of(tenant, &row));
                        }
                        if row.life == Life::Arriving {
                            arriving.insert(tenant);
                        }
                    }
                    // What comes from another store and is not opened is copied from there once more.
                    if tenant.is_some_and(|tenant| arriving.contains(&tenant)) {
                        return Ok(true);
                    }
                    file.entry(of, key, value)?;
                    Ok(true)
                })?;
            }
            // Where it is restored, erasures go on that are not finished here.
            if let Some(value) = table::raw(transaction, META, ERASING_KEY)? {
                schema::open(Of::Meta, ERASING_KEY, &value)
                    .map_err(|error| table::damage(Of::Meta, error.text(), None))?;
                file.entry(Of::Meta, ERASING_KEY, &value)?;
            }
            Ok(())
        })?;
        file.finish()
    }
}

/// What a cut holds: who stands where, and what they are called.
struct Cut {
    heads: Heads,
    names: Names,
}

fn note_names(events: &[Event], names: &mut Names) {
    for event in events {
        if let Event::TenantChanged(record) = event {
            names.insert(record.id, Known { name: record.name.clone(), status: record.status });
        }
    }
}

fn sync_above(above: &Path) -> Result<(), StorageError> {
    let shown = above.display().to_string();
    let synced = std::fs::File::open(above).and_then(|above| above.sync_all());
    synced.map_err(StorageError::while_doing("syncing", &shown))
}
