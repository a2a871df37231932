//! Another root key for a stopped data directory: every key is wrapped anew, one copy of the key file after the other,
//! so that one of them is whole under one of the two keys whenever it ends early.
//!
//! The root key makes part of what subjects' and buckets' keys are wrapped under. So a slot that was erased, and that the
//! medium keeps all the same, opens with the root key of its time alone.

use crate::disk::{self, Disk, real::Directory};
use crate::embedded::{Identity, LANE, LOCK};
use crate::error::StorageError;
use crate::key_files::{self, FILES};
use crate::key_slots::gone;
use crate::keys::{Keys, SLOT_BYTES, STATE_KEY, Slot, TENANT_SLOTS, associated, check_of, unwrapped, wrap};
use crate::record::{Field, Reader};
use crate::root_key::RootKey;
use crate::seal::Draw;
use std::path::Path;
use tessera_crypto::Key;
use tessera_model::TenantId;

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
    let tenants = tenants_of(&copies, (&from, &to));
    let mut slots = Slots { latest: (0..tenants.len()).collect(), tenants, draw: &to.draw };
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
        let wrapped = match wrapped {
            Some(wrapped) => [wrapped.clone(), wrapped],
            None => slots.block(blocks, slot)?,
        };
        for (made, block) in made.iter_mut().zip(wrapped) {
            made.extend_from_slice(&block);
        }
        slot += TENANT_SLOTS;
    }
    for (name, bytes) in FILES.iter().zip(&made) {
        write(disk, name, bytes)?;
    }
    Ok(sets)
}

/// A tenant, with what its slots are wrapped under before and after.
type Wrapped = (TenantId, Key, Key);

/// The tenants whose sets open.
fn tenants_of(copies: &[Vec<u8>; 2], (from, to): (&Keys, &Keys)) -> Vec<Wrapped> {
    let mut tenants: Vec<Wrapped> = Vec::new();
    let mut slot = 1;
    loop {
        let blocks = copies.each_ref().map(|bytes| block_at(bytes, slot));
        if blocks == [None, None] {
            return tenants;
        }
        if let Some((owner, [_, _, sealing])) =
            blocks.iter().flatten().find_map(|block| from.set_in(block, slot))
        {
            let known = tenants.binary_search_by_key(&owner.tenant, |(tenant, ..)| *tenant);
            if let Err(at) = known {
                let keys = [from, to].map(|keys| keys.slots_key(owner.tenant, &sealing));
                let [old, new] = keys;
                tenants.insert(at, (owner.tenant, old, new));
            }
        }
        slot += TENANT_SLOTS;
    }
}

/// Wraps the keys of subjects and buckets anew. Whose one is, its slot does not say: those of a tenant stand together, and
/// those that were made at one time are of the few tenants that made keys then. COST: one try for each tenant that made
/// one since; all tenants only for the first of each, and for a slot that is nobody's any more.
struct Slots<'a> {
    tenants: Vec<Wrapped>,
    /// Places among the tenants: whose the last ones were, the latest first.
    latest: Vec<usize>,
    draw: &'a Draw,
}

impl Slots<'_> {
    /// What was made together at a slot, in both copies.
    fn block(
        &mut self,
        blocks: [Option<&[u8; BLOCK_BYTES]>; 2],
        slot: u32,
    ) -> Result<[Vec<u8>; 2], StorageError> {
        let other = blocks.into_iter().flatten().next();
        let [a, b] = blocks.map(|block| block.or(other).map_or(&[][..], |block| block));
        let (mut first, mut second) = (Vec::with_capacity(BLOCK_BYTES), Vec::with_capacity(BLOCK_BYTES));
        for (no, (a, b)) in (slot..).zip(a.chunks(SLOT_BYTES).zip(b.chunks(SLOT_BYTES))) {
            let erased = gone();
            let wrapped = match [a, b].contains(&&erased[..]) {
                // A crash came in between.
                true => Some(erased),
                false => self.wrapped(a, no)?.map_or_else(|| self.wrapped(b, no), |found| Ok(Some(found)))?,
            };
            // What opens in neither stays as it is, for whoever needs it to be told.
            first.extend_from_slice(wrapped.as_deref().unwrap_or(a));
            second.extend_from_slice(wrapped.as_deref().unwrap_or(b));
        }
        Ok([first, second])
    }

    /// A slot wrapped anew, when it holds a key of one of the tenants.
    fn wrapped(&mut self, bytes: &[u8], slot: u32) -> Result<Option<Vec<u8>>, StorageError> {
        let Ok(found) = Slot::take(&mut Reader::new(bytes)) else { return Ok(None) };
        if found.state != STATE_KEY {
            return Ok(None);
        }
        for (nth, at) in self.latest.iter().enumerate() {
            let Some((tenant, old, new)) = self.tenants.get(*at) else { continue };
            let about = associated(*tenant, slot);
            if let Some(key) = unwrapped(old, &about, &found) {
                let mut out = Vec::with_capacity(SLOT_BYTES);
                wrap(new, self.draw.nonce(), &about, &key)?.put(&mut out);
                if let Some(before) = self.latest.get_mut(..=nth) {
                    before.rotate_right(1);
                }
                return Ok(Some(out));
            }
        }
        Ok(None)
    }
}

/// What was made together at a slot.
fn block_at(bytes: &[u8], slot: u32) -> Option<&[u8; BLOCK_BYTES]> {
    let from = usize::try_from(slot).ok()?.checked_mul(SLOT_BYTES)?;
    bytes.get(from..)?.first_chunk()
}

fn write(disk: &dyn Disk, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
    disk::replace(disk, name, bytes).map_err(StorageError::while_doing("making", name))
}
