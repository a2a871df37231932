//! Restoring: a data directory made of a backup, whose tenants go on in a new epoch.
//!
//! What the tail held stands aside in the new checkpoint, where a load finds it; the journal begins anew.
//! The directory's identity is written last: without it there is no data directory.

use super::entry::read;
use super::verify::{Backup, tenant_of};
use super::{KEYS, KEYS_BYTES_MAX, Progress, STATE, TAIL, bad};
use crate::batch::Head;
use crate::checkpoint::schema::{self, DIRECTORY, DirectoryRow, Life, META, META_KEY, Meta, Of, TABLES};
use crate::checkpoint::share::Sum;
use crate::checkpoint::{Builder, Entry};
use crate::disk::{self, Disk};
use crate::embedded::Identity;
use crate::error::StorageError;
use crate::key_files;
use crate::keys::{KeySlot, Keys};
use crate::root_key::RootKey;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tessera_model::{Epoch, Name, Revision, TenantId, UnixMillis};

/// Bytes of entries that one transaction writes.
const WRITE_BYTES: usize = 4 * 1024 * 1024;

/// One tenant that was restored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Restored {
    /// Which.
    pub tenant: TenantId,
    /// What it is called; none for the system tenant.
    pub name: Option<Name>,
    /// The last position of the backup; whatever came later is not there.
    pub revision: Revision,
}

impl Backup {
    /// Makes a data directory of the backup on an empty disk. Looks at every byte first. `now` makes its epoch
    /// another one than that of any other restore.
    ///
    /// # Errors
    /// [`StorageError::BadBackup`], [`StorageError::RootKeyWrong`]; otherwise as the disks report. What is
    /// there then is no data directory.
    pub fn restore(
        &self,
        to: &Arc<dyn Disk>,
        root_key: &RootKey,
        now: UnixMillis,
        progress: &Progress,
    ) -> Result<(Epoch, Vec<Restored>), StorageError> {
        if !to.list().map_err(StorageError::while_doing("listing", "the new directory"))?.is_empty() {
            return Err(StorageError::NotEmpty);
        }
        self.verify(progress)?;
        let (keys, upto) = self.keys(root_key)?;
        for name in key_files::FILES {
            disk::replace(&**to, name, &keys.bytes).map_err(StorageError::while_doing("making", name))?;
        }
        let builder = Builder::new(to, self.manifest.salt)?;
        self.copy(STATE, &builder, progress, &keys.sets)?;
        self.copy(TAIL, &builder, progress, &keys.sets)?;
        let mut last = self.unwritten(&builder, &keys.sets)?;
        let meta = Meta {
            schema: schema::SCHEMA,
            salt: self.manifest.salt,
            covered: 0,
            hash: [0; 32],
            writes: 0,
            keys_upto: upto,
        };
        last.push((META, META_KEY.to_vec(), Some(schema::encode(Of::Meta, META_KEY, &meta))));
        builder.write(&last)?;
        builder.finish()?;
        let epoch = self.manifest.next_epoch(now);
        Identity::of(self.manifest.journal_file_bytes, self.manifest.salt, epoch).write(&**to)?;
        let tenants = self.tenants().iter().map(|note| Restored {
            tenant: note.tenant,
            name: note.known.as_ref().map(|known| known.name.clone()),
            revision: Revision(note.next.0.saturating_sub(1)),
        });
        Ok((epoch, tenants.collect()))
    }

    /// The key file, and where in it each tenant's keys stand, each opened with the root key.
    fn keys(&self, root_key: &RootKey) -> Result<(Kept, u32), StorageError> {
        let bytes = disk::read_at_most(&*self.disk, KEYS, KEYS_BYTES_MAX)
            .map_err(StorageError::while_doing("reading", KEYS))?;
        let (sets, upto) = Keys::sets_in(&bytes, root_key, &self.manifest.salt)?;
        for note in self.tenants() {
            if !sets.contains_key(&note.tenant) {
                return Err(bad(
                    KEYS,
                    format!("holds no keys of tenant {}: take another backup", note.tenant),
                ));
            }
        }
        Ok((Kept { bytes, sets }, upto))
    }

    /// Copies the entries of a file; directory rows name the keys that are there.
    fn copy(
        &self,
        name: &'static str,
        to: &Builder,
        progress: &Progress,
        sets: &Sets,
    ) -> Result<(), StorageError> {
        let (mut entries, mut bytes) = (Vec::<Entry>::new(), 0);
        read(&*self.disk, self.note(name)?, progress, &mut |of, key, value| {
            let table = TABLES.get(of as usize - 1).copied().ok_or(StorageError::LaneStopped)?;
            let mut value = value.to_vec();
            if let (Of::Directory, Some(tenant)) = (of, tenant_of(key)) {
                let wrong = |error: crate::record::RecordError| bad(name, error.text());
                let mut row: DirectoryRow = schema::decode(of, key, &value).map_err(wrong)?;
                row.keys = if row.life == Life::Kept { keys_of(sets, tenant) } else { Vec::new() };
                value = schema::encode(of, key, &row);
            }
            bytes += key.len() + value.len();
            entries.push((table, key.to_vec(), Some(value)));
            if bytes >= WRITE_BYTES {
                to.write(&entries)?;
                entries.clear();
                bytes = 0;
            }
            Ok(())
        })?;
        to.write(&entries)
    }

    /// Directory rows of the tenants that were born in the tail: they name their keys.
    fn unwritten(&self, builder: &Builder, sets: &Sets) -> Result<Vec<Entry>, StorageError> {
        let written: BTreeSet<TenantId> = builder.tenants()?;
        let born = self.tenants().iter().filter(|note| !written.contains(&note.tenant));
        let rows = born.map(|note| {
            let unborn = Head::unborn(note.tenant);
            let row = DirectoryRow {
                schema: schema::SCHEMA,
                life: Life::Kept,
                slot: unborn.slot,
                epoch: note.epoch,
                next: unborn.next,
                link: unborn.link,
                keys: keys_of(sets, note.tenant),
                buckets: Vec::new(),
                old_keys: Vec::new(),
                shares: Sum::default(),
            };
            let key = schema::tenant_key(note.tenant);
            (DIRECTORY, key.to_vec(), Some(schema::encode(Of::Directory, &key, &row)))
        });
        Ok(rows.collect())
    }
}

/// Where each tenant's sets of keys stand.
pub(super) type Sets = BTreeMap<TenantId, Vec<KeySlot>>;

struct Kept {
    bytes: Vec<u8>,
    sets: Sets,
}

fn keys_of(sets: &Sets, tenant: TenantId) -> Vec<KeySlot> {
    sets.get(&tenant).cloned().unwrap_or_default()
}
