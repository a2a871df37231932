//! Another root key for a stopped data directory: every tenant's keys are wrapped anew, one copy of the key file
//! after the other, so that one of them is whole under one of the two keys whenever it ends early.

use crate::disk::{self, Disk, real::Directory};
use crate::embedded::{Identity, LANE, LOCK};
use crate::error::StorageError;
use crate::key_files::{self, FILES};
use crate::keys::{Keys, SLOT_BYTES, TENANT_SLOTS, check_of};
use crate::root_key::RootKey;
use crate::seal::Draw;
use std::path::Path;

/// Bytes of what is made together.
const BLOCK_BYTES: usize = SLOT_BYTES * TENANT_SLOTS as usize;

/// Wraps the keys of the directory at `path` under another root key, and tells how many sets there are. Repeated
/// after it ended early, it ends what it began. `seed` is 32 random bytes.
///
/// # Errors
/// [`StorageError::InUse`] while a node runs on it, [`StorageError::RootKeyWrong`], damage; otherwise as the disk
/// reports. The directory opens with one of the two keys then.
pub fn rotate_root(path: &Path, old: &RootKey, new: &RootKey, seed: &[u8; 32]) -> Result<u64, StorageError> {
    let name = path.display().to_string();
    let directory = Directory::open(path).map_err(StorageError::while_doing("opening", &name))?;
    rotate_root_on(&directory, old, new, seed)
}

/// As [`rotate_root`], on a disk, real or simulated.
///
/// # Errors
/// As [`rotate_root`].
pub fn rotate_root_on(
    disk: &dyn Disk,
    old: &RootKey,
    new: &RootKey,
    seed: &[u8; 32],
) -> Result<u64, StorageError> {
    let lock = disk.lock(LOCK).map_err(StorageError::while_doing("locking", LOCK))?;
    let _lock = lock.ok_or(StorageError::InUse)?;
    let lane = disk::read_all(disk, LANE).map_err(StorageError::while_doing("reading", LANE))?;
    let salt = Identity::read(&lane)?.salt();
    let read = |name| disk::read_all(disk, name).map_err(StorageError::while_doing("reading", name));
    let [a, b] = FILES;
    let copies = [read(a)?, read(b)?];
    let [first, second] = &copies;
    let is_of = |bytes: &[u8], root: &RootKey| key_files::is_of(bytes, &check_of(&root.0, &salt));
    if is_of(first, new) {
        // It ended early behind the first copy, or behind both.
        if !is_of(second, new) {
            write(disk, b, first)?;
        }
        return Ok(Keys::under(new, Draw::new(seed)).count_sets(first));
    }
    if !copies.iter().all(|bytes| is_of(bytes, old)) {
        return Err(StorageError::RootKeyWrong);
    }
    let (from, to) = (Keys::under(old, Draw::new(&[0; 32])), Keys::under(new, Draw::new(seed)));
    let header = key_files::header(&check_of(&new.0, &salt));
    let mut made = [header.clone(), header];
    let (mut sets, mut slot) = (0, 1);
    loop {
        let blocks = copies.each_ref().map(|bytes| block_at(bytes, slot));
        if blocks == [None, None] {
            break;
        }
        let wrapped = match blocks.iter().flatten().find_map(|block| from.set_in(block, slot)) {
            Some(set) => {
                sets += 1;
                Some(to.block_of(slot, &set)?)
            }
            None => None,
        };
        for (made, block) in made.iter_mut().zip(blocks) {
            // What is wrapped under a tenant's key stays as it is.
            let other = blocks.into_iter().flatten().next();
            made.extend_from_slice(match &wrapped {
                Some(wrapped) => wrapped,
                None => block.or(other).map_or(&[][..], |block| block),
            });
        }
        slot += TENANT_SLOTS;
    }
    for (name, bytes) in FILES.iter().zip(&made) {
        write(disk, name, bytes)?;
    }
    Ok(sets)
}

/// What was made together at a slot.
fn block_at(bytes: &[u8], slot: u32) -> Option<&[u8; BLOCK_BYTES]> {
    let from = usize::try_from(slot).ok()?.checked_mul(SLOT_BYTES)?;
    bytes.get(from..)?.first_chunk()
}

fn write(disk: &dyn Disk, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
    disk::replace(disk, name, bytes).map_err(StorageError::while_doing("making", name))
}
