//! The checkpoint: state, cold rows and history of every tenant in one redb file, behind the journal.
//!
//! What is put waits in memory until a transaction is worth its syncs; the last transaction of a
//! checkpoint names the cut that it covers. Nothing here is visible before its transaction: until then
//! the journal's tail answers.

pub(crate) mod ahead;
pub(crate) mod aside;
pub(crate) mod backend;
pub(crate) mod read;
pub(crate) mod schema;
pub(crate) mod scrub;
pub(crate) mod segment;
pub(crate) mod share;

use crate::disk::Disk;
use crate::error::StorageError;
use backend::Backend;
use parking_lot::{Mutex, RwLock};
use redb::{Database, Durability, WriteTransaction};
use schema::{
    ASIDE, ASIDE_FRAME, BUCKET, DIRECTORY, META, META_KEY, Meta, Of, ROW, SEGMENT, SHARE, TABLES, Table,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use tessera_model::{Revision, RowKind, TenantId};

/// The file of a store's directory that holds the checkpoint.
pub const FILE: &str = "state.redb";
const BESIDE: &str = "state.redb.new";
/// Bytes of puts that are worth a transaction.
const FLUSH_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of the cache while a backup is restored.
const BUILD_CACHE_BYTES: usize = 64 * 1024 * 1024;
/// Bytes copied at once.
const COPY_BYTES: usize = 1024 * 1024;

/// What one tenant's put writes.
pub(crate) struct Pending {
    pub(crate) tenant: TenantId,
    pub(crate) next: Revision,
    /// Table, key and value; no value removes.
    pub(crate) entries: Vec<Entry>,
    /// The rows among them, to be dropped from memory.
    pub(crate) rows: Vec<(RowKind, Vec<u8>, Revision)>,
}

impl Pending {
    fn bytes(&self) -> usize {
        self.entries.iter().map(|(_, key, value)| key.len() + value.as_ref().map_or(0, Vec::len) + 32).sum()
    }
}

/// A key of a table and its value; none removes it.
pub(crate) type Entry = (Table, Vec<u8>, Option<Vec<u8>>);

/// What a transaction made durable.
pub(crate) type Flushed = Vec<(TenantId, Vec<(RowKind, Vec<u8>, Revision)>)>;

struct Writer {
    pending: Vec<Pending>,
    bytes: usize,
    meta: Meta,
    /// How far each tenant was put since the last finish.
    upto: BTreeMap<TenantId, Revision>,
    /// The file may hold what was never synced (its last transactions are newer than the journal's word
    /// of it): it is copied before anything builds on it.
    copy_first: bool,
}

/// The checkpoint's file.
pub(crate) struct Checkpoint {
    disk: Arc<dyn Disk>,
    cache_bytes: usize,
    /// The directory's salt.
    pub(crate) salt: [u8; 32],
    database: RwLock<Option<Database>>,
    writer: Mutex<Writer>,
}

impl Checkpoint {
    /// Opens the file, making it when it is not there.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        salt: [u8; 32],
        cache_bytes: usize,
    ) -> Result<Self, StorageError> {
        let names = disk.list().map_err(StorageError::while_doing("listing", "the directory"))?;
        if !names.iter().any(|name| name == FILE) {
            make(&disk, salt, cache_bytes)?;
        }
        let database = open_file(&*disk, FILE, cache_bytes)?;
        let writer = Writer {
            pending: Vec::new(),
            bytes: 0,
            meta: blank(salt),
            upto: BTreeMap::new(),
            copy_first: false,
        };
        let (database, writer) = (RwLock::new(Some(database)), Mutex::new(writer));
        let checkpoint = Self { disk, cache_bytes, salt, database, writer };
        let meta: Meta = checkpoint
            .value(META, Of::Meta, META_KEY)?
            .ok_or_else(|| read::damage(Of::Meta, "there is no entry", None))?;
        if meta.schema > schema::SCHEMA {
            return Err(StorageError::NewerFormat { found: meta.schema, known: schema::SCHEMA });
        }
        if meta.salt != salt {
            return Err(read::damage(Of::Meta, "the file is of another directory", None));
        }
        checkpoint.writer.lock().meta = meta;
        Ok(checkpoint)
    }

    /// What is covered.
    pub(crate) fn meta(&self) -> Meta {
        self.writer.lock().meta
    }

    /// Says that the file is to be copied before the next transaction.
    pub(crate) fn copy_first(&self) {
        self.writer.lock().copy_first = true;
    }

    /// Bytes of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.disk.open(FILE).and_then(|file| file.size()).unwrap_or(0)
    }

    /// Takes a tenant's put; writes a transaction when enough waits, and gives back what is durable now.
    /// `build` runs under the writer's lock, so that it sees the last directory row.
    pub(crate) fn put(
        &self,
        tenant: TenantId,
        build: impl FnOnce() -> Result<Pending, StorageError>,
    ) -> Result<Flushed, StorageError> {
        let mut writer = self.writer.lock();
        let mut flushed = Flushed::new();
        if writer.pending.iter().any(|pending| pending.tenant == tenant) {
            flushed = self.flush(&mut writer, None)?;
        }
        // What it builds on must be what it is written to: after a failed transaction only a copy tells.
        self.ground(&mut writer)?;
        let pending = build()?;
        writer.bytes += pending.bytes();
        writer.pending.push(pending);
        if writer.bytes >= FLUSH_BYTES {
            flushed.append(&mut self.flush(&mut writer, None)?);
        }
        Ok(flushed)
    }

    /// Writes everything put, in one last transaction that also says what is covered from now on.
    /// `complete` is asked before, with how far each tenant was put, which is given back too.
    pub(crate) fn finish(
        &self,
        covered: u64,
        hash: [u8; 32],
        keys_upto: u32,
        complete: impl FnOnce(&BTreeMap<TenantId, Revision>) -> Result<(), StorageError>,
    ) -> Result<(Flushed, Meta, BTreeMap<TenantId, Revision>), StorageError> {
        let mut writer = self.writer.lock();
        let mut upto = writer.upto.clone();
        upto.extend(writer.pending.iter().map(|pending| (pending.tenant, pending.next)));
        complete(&upto)?;
        let meta = Meta { covered, hash, keys_upto, ..writer.meta };
        let flushed = self.flush(&mut writer, Some(meta))?;
        writer.upto.clear();
        Ok((flushed, writer.meta, upto))
    }

    /// Whether something of a tenant waits for its transaction.
    pub(crate) fn is_pending(&self, tenant: TenantId) -> bool {
        self.writer.lock().pending.iter().any(|pending| pending.tenant == tenant)
    }

    /// Copies the file first, if it may hold what was never synced.
    fn ground(&self, writer: &mut Writer) -> Result<(), StorageError> {
        if writer.copy_first {
            self.copy()?;
            writer.copy_first = false;
        }
        Ok(())
    }

    fn flush(&self, writer: &mut Writer, finished: Option<Meta>) -> Result<Flushed, StorageError> {
        self.ground(writer)?;
        let meta = finished.unwrap_or(writer.meta);
        let meta = Meta { writes: writer.meta.writes + 1, ..meta };
        let entries = writer.pending.iter().flat_map(|pending| &pending.entries);
        if let Err(error) = self.transact(&meta, entries) {
            // After a failed write or sync nobody knows what of the file is on disk: a copy does.
            writer.copy_first = true;
            return Err(error);
        }
        writer.meta = meta;
        writer.bytes = 0;
        let pending = std::mem::take(&mut writer.pending);
        for put in &pending {
            writer.upto.insert(put.tenant, put.next);
        }
        Ok(pending.into_iter().map(|put| (put.tenant, put.rows)).collect())
    }

    fn transact<'a>(
        &self,
        meta: &Meta,
        entries: impl Iterator<Item = &'a Entry> + Clone,
    ) -> Result<(), StorageError> {
        let database = self.database.read();
        let database = database.as_ref().ok_or(StorageError::LaneStopped)?;
        read::guarded(|| {
            let transaction = begin(database)?;
            let meta = (META, META_KEY.to_vec(), Some(schema::encode(Of::Meta, META_KEY, meta)));
            write_entries(&transaction, entries)?;
            write_entries(&transaction, [meta].iter())?;
            transaction.commit().map_err(StorageError::checkpoint("committing"))
        })
    }

    /// Writes entries in a transaction of their own.
    pub(crate) fn write_now(&self, entries: &[Entry]) -> Result<(), StorageError> {
        let mut writer = self.writer.lock();
        self.ground(&mut writer)?;
        let meta = Meta { writes: writer.meta.writes + 1, ..writer.meta };
        if let Err(error) = self.transact(&meta, entries.iter()) {
            writer.copy_first = true;
            return Err(error);
        }
        writer.meta = meta;
        Ok(())
    }

    /// Writes what waits for its transaction.
    pub(crate) fn flush_now(&self) -> Result<Flushed, StorageError> {
        let mut writer = self.writer.lock();
        if writer.pending.is_empty() { Ok(Flushed::new()) } else { self.flush(&mut writer, None) }
    }

    /// Removes everything that begins with the tenant's key from buckets, rows and history, and leaves
    /// `row` as its directory row.
    pub(crate) fn forget(&self, tenant: TenantId, row: Vec<u8>) -> Result<(), StorageError> {
        let mut writer = self.writer.lock();
        self.flush(&mut writer, None)?;
        let meta = Meta { writes: writer.meta.writes + 1, ..writer.meta };
        if let Err(error) = self.remove_tenant(tenant, row, &meta) {
            writer.copy_first = true;
            return Err(error);
        }
        writer.meta = meta;
        Ok(())
    }

    fn remove_tenant(&self, tenant: TenantId, row: Vec<u8>, meta: &Meta) -> Result<(), StorageError> {
        let database = self.database.read();
        let database = database.as_ref().ok_or(StorageError::LaneStopped)?;
        let transaction = begin(database)?;
        let from = schema::tenant_key(tenant);
        for table in [BUCKET, ROW, SEGMENT, ASIDE, ASIDE_FRAME, SHARE] {
            let mut table =
                transaction.open_table(table).map_err(StorageError::checkpoint("opening a table"))?;
            let within = |key: &[u8], _: &[u8]| !key.starts_with(&from);
            let upper = tenant.0.checked_add(1).map(u64::to_be_bytes);
            let kept = match &upper {
                Some(upper) => table.retain_in::<&[u8], _>(from.as_slice()..upper.as_slice(), within),
                None => table.retain_in::<&[u8], _>(from.as_slice().., within),
            };
            kept.map_err(StorageError::checkpoint("removing a tenant"))?;
        }
        let meta_value = schema::encode(Of::Meta, META_KEY, meta);
        let entries = [(DIRECTORY, from.to_vec(), Some(row)), (META, META_KEY.to_vec(), Some(meta_value))];
        write_entries(&transaction, entries.iter())?;
        transaction.commit().map_err(StorageError::checkpoint("committing"))
    }

    /// Copies the file, so that everything in it is synced, and goes on in the copy.
    fn copy(&self) -> Result<(), StorageError> {
        let doing = |doing| StorageError::while_doing(doing, BESIDE);
        // Only this writer changes the file: while it copies, readers go on in the old one.
        remove_if_there(&*self.disk, BESIDE)?;
        let from = self.disk.open(FILE).map_err(StorageError::while_doing("opening", FILE))?;
        let to = self.disk.create(BESIDE).map_err(doing("making"))?;
        let size = from.size().map_err(StorageError::while_doing("measuring", FILE))?;
        let mut piece = vec![0; COPY_BYTES];
        let mut at = 0;
        while at < size {
            let len = usize::try_from(size - at).unwrap_or(COPY_BYTES).min(COPY_BYTES);
            let piece = piece.get_mut(..len).unwrap_or_default();
            from.read_at(at, piece).map_err(StorageError::while_doing("reading", FILE))?;
            to.write_at(at, piece).map_err(doing("writing"))?;
            at += len as u64;
        }
        to.sync().map_err(doing("syncing"))?;
        let copied = open_file(&*self.disk, BESIDE, self.cache_bytes)?;
        let mut database = self.database.write();
        self.disk.rename(BESIDE, FILE).map_err(doing("renaming"))?;
        // What the old handle still writes at its end goes into the file that lost its name.
        *database = Some(copied);
        self.disk.sync_dir().map_err(StorageError::while_doing("syncing", "the directory"))?;
        Ok(())
    }

    /// Gives unused space back when the file is over `times` its live size. Readers of the file wait
    /// while it is compacted, not while it is measured.
    pub(crate) fn compact_above(&self, times: u64) -> Result<(), StorageError> {
        let mut writer = self.writer.lock();
        let size = self.bytes();
        let live = {
            let database = self.database.read();
            let database = database.as_ref().ok_or(StorageError::LaneStopped)?;
            read::guarded(|| {
                let transaction = begin(database)?;
                let stats = transaction.stats().map_err(StorageError::checkpoint("measuring"))?;
                transaction.abort().map_err(StorageError::checkpoint("measuring"))?;
                Ok(stats.stored_bytes() + stats.metadata_bytes())
            })?
        };
        if size <= live.saturating_mul(times) {
            return Ok(());
        }
        let mut database = self.database.write();
        let database = database.as_mut().ok_or(StorageError::LaneStopped)?;
        let done = read::guarded(|| database.compact().map_err(StorageError::checkpoint("compacting")));
        writer.copy_first |= done.is_err();
        done.map(|_| ())
    }

    /// Closes the file.
    pub(crate) fn close(&self) {
        *self.database.write() = None;
    }
}

const fn blank(salt: [u8; 32]) -> Meta {
    Meta { schema: schema::SCHEMA, salt, covered: 0, hash: [0; 32], writes: 0, keys_upto: 0 }
}

fn begin(database: &Database) -> Result<WriteTransaction, StorageError> {
    let mut transaction = database.begin_write().map_err(StorageError::checkpoint("beginning"))?;
    transaction.set_durability(Durability::Immediate).map_err(StorageError::checkpoint("beginning"))?;
    transaction.set_quick_repair(true);
    Ok(transaction)
}

fn write_entries<'a>(
    transaction: &WriteTransaction,
    entries: impl Iterator<Item = &'a Entry> + Clone,
) -> Result<(), StorageError> {
    for table in TABLES {
        use redb::TableHandle;
        let mut mine = entries.clone().filter(|(of, _, _)| of.name() == table.name()).peekable();
        if mine.peek().is_none() {
            continue;
        }
        let mut open = transaction.open_table(table).map_err(StorageError::checkpoint("opening a table"))?;
        for (_, key, value) in mine {
            match value {
                Some(value) => open.insert(key.as_slice(), value.as_slice()).map(|_| ()),
                None => open.remove(key.as_slice()).map(|_| ()),
            }
            .map_err(StorageError::checkpoint("writing"))?;
        }
    }
    Ok(())
}

fn remove_if_there(disk: &dyn Disk, name: &str) -> Result<(), StorageError> {
    match disk.remove(name) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StorageError::while_doing("removing", name)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A checkpoint's file that is being made of a backup.
pub(crate) struct Builder(Database);

impl Builder {
    /// Makes the file with empty tables.
    pub(crate) fn new(disk: &Arc<dyn Disk>, salt: [u8; 32]) -> Result<Self, StorageError> {
        make(disk, salt, BUILD_CACHE_BYTES)?;
        open_file(&**disk, FILE, BUILD_CACHE_BYTES).map(Self)
    }

    /// Writes entries in a transaction of their own.
    pub(crate) fn write(&self, entries: &[Entry]) -> Result<(), StorageError> {
        read::guarded(|| {
            let transaction = begin(&self.0)?;
            write_entries(&transaction, entries.iter())?;
            transaction.commit().map_err(StorageError::checkpoint("committing"))
        })
    }

    /// The tenants that have a directory row.
    pub(crate) fn tenants(&self) -> Result<std::collections::BTreeSet<TenantId>, StorageError> {
        read::guarded(|| {
            let transaction = redb::ReadableDatabase::begin_read(&self.0)
                .map_err(StorageError::checkpoint("beginning to read"))?;
            let mut found = std::collections::BTreeSet::new();
            read::scan(&transaction, DIRECTORY, &[], &mut |key, _| {
                found.extend(key.first_chunk().copied().map(u64::from_be_bytes).map(TenantId));
                Ok(true)
            })?;
            Ok(found)
        })
    }

    /// Closes the file.
    pub(crate) fn finish(self) -> Result<(), StorageError> {
        read::guarded(|| {
            drop(self.0);
            Ok(())
        })
    }
}

/// Makes the file with all its tables beside its name, so that half a file is never seen.
fn make(disk: &Arc<dyn Disk>, salt: [u8; 32], cache_bytes: usize) -> Result<(), StorageError> {
    remove_if_there(&**disk, BESIDE)?;
    let file = disk.create(BESIDE).map_err(StorageError::while_doing("making", BESIDE))?;
    let database = redb::Builder::new()
        .set_cache_size(cache_bytes)
        .create_with_backend(Backend(Arc::clone(&file)))
        .map_err(StorageError::checkpoint("making the file"))?;
    let transaction = begin(&database)?;
    for table in TABLES {
        transaction.open_table(table).map_err(StorageError::checkpoint("making a table"))?;
    }
    let value = schema::encode(Of::Meta, META_KEY, &blank(salt));
    write_entries(&transaction, [(META, META_KEY.to_vec(), Some(value))].iter())?;
    transaction.commit().map_err(StorageError::checkpoint("committing"))?;
    drop(database);
    file.sync().map_err(StorageError::while_doing("syncing", BESIDE))?;
    disk.rename(BESIDE, FILE).map_err(StorageError::while_doing("renaming", BESIDE))?;
    disk.sync_dir().map_err(StorageError::while_doing("syncing", "the directory"))
}

fn open_file(disk: &dyn Disk, name: &str, cache_bytes: usize) -> Result<Database, StorageError> {
    let file = disk.open(name).map_err(StorageError::while_doing("opening", name))?;
    // A damaged file may make the database panic: then it is damaged, and nobody else is disturbed.
    read::guarded(|| {
        redb::Builder::new()
            .set_cache_size(cache_bytes)
            .create_with_backend(Backend(file))
            .map_err(StorageError::checkpoint("opening the file"))
    })
}
