//! The key file: each tenant's keys, wrapped under the root key, in slots of 64 bytes kept twice.
//!
//! Slot 0 is the header. A tenant's keys take four slots behind one another: whose they are and the refresh
//! key's number, the index key, the refresh key, and the sealing key, under which its subjects' keys are wrapped
//! (`key_slots`). A tenant has such a set for each number of a refresh key that is still in use; the other two
//! are the same in all of them. Slots are written once and erased in place, never used again. The root key itself
//! stands in a file beside the directory, never in it.

use crate::disk::{Disk, DiskFile};
use crate::error::{Damage, StorageError};
use crate::key_files::{self, FILES};
use crate::record::{Field, Reader, field::record};
use crate::root_key::RootKey;
use crate::seal::Draw;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use tessera_crypto::{Key, compare, digest};
use tessera_model::TenantId;

pub(crate) const SLOT_BYTES: usize = 64;
/// Slots of one set of keys. Whatever is made takes as many, or a multiple.
pub(crate) const TENANT_SLOTS: u32 = 4;
pub(crate) const TENANT_BYTES: usize = SLOT_BYTES * 4;
pub(crate) const STATE_KEY: u32 = 1;
const STATE_OWNER: u32 = 2;
pub(crate) const STATE_ERASED: u32 = 3;

/// A slot as it stands in the file.
pub(crate) struct Slot {
    pub(crate) nonce: [u8; 12],
    pub(crate) wrapped: [u8; 32],
    pub(crate) tag: [u8; 16],
    pub(crate) state: u32,
}

/// A tenant's keys: index, refresh and sealing key.
pub(crate) type Set = [Key; 3];

pub(crate) struct Owner {
    pub(crate) tenant: TenantId,
    sequence: u64,
    slots: u32,
    /// The refresh key's number.
    number: u8,
    spare: [u8; 11],
}

/// Where a set of a tenant's keys stands in the key file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct KeySlot {
    /// The number of its refresh key.
    pub(crate) number: u8,
    /// The first of its slots.
    pub(crate) slot: u32,
}

record! {
    Slot { nonce, wrapped, tag, state }
    Owner { tenant, sequence, slots, number, spare }
    KeySlot { number, slot }
}

/// Where a tenant's directory row says its keys are.
pub(crate) enum Named {
    /// It does not say.
    Nowhere,
    /// At these slots.
    At(Vec<KeySlot>),
    /// The tenant is forgotten.
    Gone,
}

#[derive(Default)]
pub(crate) struct Inner {
    /// The next slot that was never used.
    pub(crate) next: u32,
    /// Slots that their tenant's directory row does not name yet, by tenant and refresh key's number.
    recent: BTreeMap<(TenantId, u8), u32>,
}

/// Both copies of the key file.
pub(crate) struct Keys {
    /// None where nobody asks for keys.
    pub(crate) files: Vec<Arc<dyn DiskFile>>,
    pub(crate) root: Key,
    pub(crate) draw: Draw,
    pub(crate) inner: Mutex<Inner>,
}

pub(crate) fn check_of(root: &Key, salt: &[u8; 32]) -> [u8; 32] {
    digest::keyed(root.expose(), &[b"tessera root key v1", salt])
}

pub(crate) fn at(slot: u32) -> u64 {
    u64::from(slot) * SLOT_BYTES as u64
}

impl Keys {
    /// Opens both files and reads the slots from `upto` on. They are made when there are none, unless
    /// tenants were `born`. `end` is the journal's last sequence: keys made behind it mean that the journal
    /// lost its end.
    pub(crate) fn open(
        disk: &dyn Disk,
        root: &RootKey,
        (salt, seed): (&[u8; 32], &[u8; 32]),
        (upto, end): (u32, u64),
        born: bool,
    ) -> Result<Self, StorageError> {
        let keys = Self {
            files: key_files::open(disk, &check_of(&root.0, salt), born)?.to_vec(),
            root: root.0.clone(),
            draw: Draw::new(seed),
            inner: Mutex::new(Inner { next: 1, recent: BTreeMap::new() }),
        };
        keys.scan(upto.max(1), end)?;
        Ok(keys)
    }

    /// Keys of a store that is looked at without its root key: there are none.
    pub(crate) fn closed() -> Self {
        let draw = Draw::new(&[0; 32]);
        Self { files: Vec::new(), root: Key::new([0; 32]), draw, inner: Mutex::default() }
    }

    /// Whether there are none.
    pub(crate) const fn is_closed(&self) -> bool {
        self.files.is_empty()
    }

    fn scan(&self, from: u32, end: u64) -> Result<(), StorageError> {
        let mut bytes_end = 0;
        for (file, name) in self.files.iter().zip(FILES) {
            bytes_end = bytes_end.max(file.size().map_err(StorageError::while_doing("measuring", name))?);
        }
        let slots = u32::try_from(bytes_end.div_ceil(SLOT_BYTES as u64)).unwrap_or(u32::MAX);
        let mut inner = self.inner.lock();
        // Slots stand in fours behind the header, whatever a crash left of the last ones.
        inner.next = (1 + (slots.max(1) - 1).next_multiple_of(TENANT_SLOTS)).max(from);
        let mut slot = from;
        while slot + TENANT_SLOTS <= slots {
            if let Some((owner, copy)) = self.owner(slot)? {
                if owner.sequence > end {
                    return Err(StorageError::Damaged(Damage {
                        file: FILES.first().copied().unwrap_or_default().into(),
                        offset: at(slot),
                        what: "keys were made behind the journal's end: the journal lost its end".into(),
                        tenants: None,
                    }));
                }
                self.heal(slot, copy)?;
                inner.recent.insert((owner.tenant, owner.number), slot);
            }
            slot += TENANT_SLOTS;
        }
        Ok(())
    }

    /// The owner's slot at `slot`, and which copy has it; `None` when it was never written whole, or is
    /// erased.
    fn owner(&self, slot: u32) -> Result<Option<(Owner, usize)>, StorageError> {
        if self.finish_erasing(slot)? {
            return Ok(None);
        }
        for copy in 0..FILES.len() {
            let Some(bytes) = self.read(copy, slot)? else { continue };
            if let Some(owner) = self.owner_in(&bytes, slot) {
                return Ok(Some((owner, copy)));
            }
        }
        Ok(None)
    }

    /// Where one copy is erased, erases the other too: a crash came in between.
    fn finish_erasing(&self, slot: u32) -> Result<bool, StorageError> {
        let erased = erased();
        let (mut done, mut left) = (false, Vec::new());
        for copy in 0..FILES.len() {
            if self.read(copy, slot)?.is_some_and(|bytes| bytes[..] == erased[..]) {
                done = true;
            } else {
                left.push(copy);
            }
        }
        for copy in left.into_iter().filter(|_| done) {
            self.write(copy, slot, &erased)?;
        }
        Ok(done)
    }

    fn owner_tag(&self, slot: u32, owner: &[u8; 32]) -> [u8; 16] {
        let hash = digest::keyed(self.root.expose(), &[b"tessera owner v1", &slot.to_le_bytes(), owner]);
        let mut tag = [0; 16];
        for (to, from) in tag.iter_mut().zip(hash) {
            *to = from;
        }
        tag
    }

    /// The slots of a set in one copy; `None` beyond its end.
    fn read(&self, copy: usize, slot: u32) -> Result<Option<[u8; TENANT_BYTES]>, StorageError> {
        let (Some(file), Some(name)) = (self.files.get(copy), FILES.get(copy)) else { return Ok(None) };
        let mut bytes = [0; TENANT_BYTES];
        match file.read_at(at(slot), &mut bytes) {
            Ok(()) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(StorageError::while_doing("reading", name)(error)),
        }
    }

    /// Makes the other copy like this one where a crash or damage left them different.
    fn heal(&self, slot: u32, copy: usize) -> Result<(), StorageError> {
        let Some(good) = self.read(copy, slot)? else { return Ok(()) };
        for other in (0..FILES.len()).filter(|other| *other != copy) {
            if self.read(other, slot)? != Some(good) && self.whole(&good, slot) {
                self.write(other, slot, &good)?;
            }
        }
        Ok(())
    }

    fn whole(&self, bytes: &[u8; TENANT_BYTES], slot: u32) -> bool {
        let tenant = Reader::new(bytes.get(12..).unwrap_or_default()).array().map(u64::from_le_bytes);
        tenant.is_ok_and(|tenant| self.unwrap(TenantId(tenant), bytes, slot).is_some())
    }

    pub(crate) fn write(&self, copy: usize, slot: u32, bytes: &[u8]) -> Result<(), StorageError> {
        self.write_unsynced(copy, slot, bytes)?;
        self.sync(copy)
    }

    /// Makes a set of keys, wrapped under the nonces, durable in both copies. `sequence` is the journal's last
    /// one. A set that the number has already stays.
    pub(crate) fn make(
        &self,
        (tenant, number): (TenantId, u8),
        keys: &Set,
        nonces: &[[u8; 12]; 3],
        sequence: u64,
    ) -> Result<(), StorageError> {
        let mut inner = self.inner.lock();
        if inner.recent.contains_key(&(tenant, number)) {
            return Ok(());
        }
        let slot = inner.next;
        let mut bytes = Vec::with_capacity(TENANT_BYTES);
        self.put_owner(
            slot,
            &Owner { tenant, sequence, slots: TENANT_SLOTS, number, spare: [0; 11] },
            &mut bytes,
        );
        for (no, (key, nonce)) in (1..).zip(keys.iter().zip(nonces)) {
            wrap(&self.root, *nonce, &associated(tenant, slot + no), key)?.put(&mut bytes);
        }
        // A slot that was once tried is not used again, whatever came of it.
        inner.next = slot + TENANT_SLOTS;
        for copy in 0..FILES.len() {
            self.write(copy, slot, &bytes)?;
        }
        inner.recent.insert((tenant, number), slot);
        Ok(())
    }

    pub(crate) fn put_owner(&self, slot: u32, owner: &Owner, out: &mut Vec<u8>) {
        let mut wrapped = [0; 32];
        let mut bytes = Vec::with_capacity(32);
        owner.put(&mut bytes);
        wrapped.copy_from_slice(bytes.get(..32).unwrap_or(&[0; 32]));
        let tag = self.owner_tag(slot, &wrapped);
        Slot { nonce: [0; 12], wrapped, tag, state: STATE_OWNER }.put(out);
    }

    /// A copy of the file as it stands now.
    pub(crate) fn copy(&self) -> Result<Vec<u8>, StorageError> {
        let _nothing_is_made = self.inner.lock();
        let (Some(file), Some(name)) = (self.files.first(), FILES.first()) else { return Ok(Vec::new()) };
        let size = file.size().map_err(StorageError::while_doing("measuring", name))?;
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        file.read_at(0, &mut bytes).map_err(StorageError::while_doing("reading", name))?;
        Ok(bytes)
    }

    /// Where in a copy of the file each tenant's sets stand that the root key opens, and the first slot behind
    /// all of them.
    pub(crate) fn sets_in(
        bytes: &[u8],
        root: &RootKey,
        salt: &[u8; 32],
    ) -> Result<(BTreeMap<TenantId, Vec<KeySlot>>, u32), StorageError> {
        if !key_files::is_of(bytes, &check_of(&root.0, salt)) {
            return Err(StorageError::RootKeyWrong);
        }
        let keys = Self { root: root.0.clone(), ..Self::closed() };
        let mut sets: BTreeMap<TenantId, Vec<KeySlot>> = BTreeMap::new();
        let mut slot = 1;
        for bytes in bytes.get(SLOT_BYTES..).unwrap_or_default().chunks(TENANT_BYTES) {
            if let Some(bytes) = bytes.first_chunk()
                && let Some(owner) = keys.owner_in(bytes, slot)
                && keys.unwrap(owner.tenant, bytes, slot).is_some()
            {
                sets.entry(owner.tenant).or_default().push(KeySlot { number: owner.number, slot });
            }
            slot += TENANT_SLOTS;
        }
        Ok((sets, slot))
    }

    pub(crate) fn owner_in(&self, bytes: &[u8; TENANT_BYTES], slot: u32) -> Option<Owner> {
        let found = Slot::take(&mut Reader::new(bytes)).ok()?;
        let tag = self.owner_tag(slot, &found.wrapped);
        let sound = found.state == STATE_OWNER && compare::equal(&found.tag, &tag);
        Owner::take(&mut Reader::new(&found.wrapped)).ok().filter(|_| sound)
    }

    /// The slots of a tenant: those that its directory row names, and the newer ones.
    pub(crate) fn slots_of(&self, tenant: TenantId, named: &[KeySlot]) -> Vec<KeySlot> {
        let inner = self.inner.lock();
        let recent = inner.recent.range((tenant, 0)..=(tenant, u8::MAX));
        let mut slots: Vec<KeySlot> =
            recent.map(|((_, number), slot)| KeySlot { number: *number, slot: *slot }).collect();
        slots.extend(named.iter().filter(|named| !slots.contains(named)).copied().collect::<Vec<_>>());
        slots.sort_unstable_by_key(|slot| (slot.number, slot.slot));
        slots
    }

    /// The set at a slot. `None` when it was erased.
    pub(crate) fn open_at(&self, tenant: TenantId, slot: u32) -> Result<Option<Set>, StorageError> {
        if self.finish_erasing(slot)? {
            return Ok(None);
        }
        for copy in 0..FILES.len() {
            let Some(bytes) = self.read(copy, slot)? else { continue };
            if let Some(keys) = self.unwrap(tenant, &bytes, slot) {
                return Ok(Some(keys));
            }
        }
        let [file, _] = FILES;
        Err(StorageError::damaged(file, at(slot), "a tenant's keys do not open in either copy", tenant))
    }

    pub(crate) fn unwrap(&self, tenant: TenantId, bytes: &[u8; TENANT_BYTES], slot: u32) -> Option<Set> {
        let mut keys = (1..).zip(bytes.chunks_exact(SLOT_BYTES).skip(1)).map(|(no, bytes)| {
            let found = Slot::take(&mut Reader::new(bytes)).ok()?;
            unwrapped(&self.root, &associated(tenant, slot + no), &found)
        });
        Some([keys.next()??, keys.next()??, keys.next()??])
    }

    /// Erases a set of keys in place, in both copies.
    pub(crate) fn erase(&self, slot: u32) -> Result<(), StorageError> {
        let bytes = erased();
        for copy in 0..FILES.len() {
            self.write(copy, slot, &bytes)?;
        }
        self.inner.lock().recent.retain(|_, recent| *recent != slot);
        Ok(())
    }

    /// Whether a set was erased (both copies are, from now on).
    pub(crate) fn is_erased(&self, slot: u32) -> Result<bool, StorageError> {
        self.finish_erasing(slot)
    }

    /// Holds what the scan found against the directory rows: a set that a row names is settled; one that
    /// stands beside another of its number, or of a tenant that is forgotten, is what a failed making left,
    /// and is erased.
    pub(crate) fn reconcile(&self, named: impl Fn(TenantId) -> Named) {
        let recent: Vec<((TenantId, u8), u32)> =
            self.inner.lock().recent.iter().map(|(whose, slot)| (*whose, *slot)).collect();
        for ((tenant, number), slot) in recent {
            let erase = match named(tenant) {
                Named::Nowhere => continue,
                Named::Gone => true,
                Named::At(slots) if slots.contains(&KeySlot { number, slot }) => false,
                Named::At(slots) if slots.iter().any(|known| known.number == number) => true,
                Named::At(_) => continue,
            };
            self.inner.lock().recent.remove(&(tenant, number));
            if erase && let Err(error) = self.erase(slot) {
                tracing::warn!(%error, "keys that nobody has could not be erased yet");
            }
        }
    }

    /// Forgets the sets that directory rows name now, and tells from which slot on a start must look.
    pub(crate) fn settle(
        &self,
        named: impl Fn(TenantId, KeySlot) -> Result<bool, StorageError>,
    ) -> Result<u32, StorageError> {
        let recent: Vec<((TenantId, u8), u32)> =
            self.inner.lock().recent.iter().map(|(whose, slot)| (*whose, *slot)).collect();
        let mut settled = Vec::new();
        for ((tenant, number), slot) in recent {
            if named(tenant, KeySlot { number, slot })? {
                settled.push(slot);
            }
        }
        let mut inner = self.inner.lock();
        inner.recent.retain(|_, slot| !settled.contains(slot));
        Ok(inner.recent.values().copied().min().unwrap_or(inner.next))
    }
}

fn erased() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(TENANT_BYTES);
    for _ in 0..TENANT_SLOTS {
        Slot { nonce: [0; 12], wrapped: [0; 32], tag: [0; 16], state: STATE_ERASED }.put(&mut bytes);
    }
    bytes
}

/// A key as its slot holds it.
pub(crate) fn wrap(under: &Key, nonce: [u8; 12], associated: &[u8], key: &Key) -> Result<Slot, StorageError> {
    let unfit = || StorageError::RootKeyUnfit("it does not seal");
    let sealed = under.seal(nonce, associated, key.expose()).map_err(|_| unfit())?;
    let mut sealed = Reader::new(&sealed);
    let wrapped = sealed.array().map_err(|_| unfit())?;
    Ok(Slot { nonce, wrapped, tag: sealed.array().map_err(|_| unfit())?, state: STATE_KEY })
}

/// The key in a slot; `None` when it does not open, or holds none.
pub(crate) fn unwrapped(under: &Key, associated: &[u8], slot: &Slot) -> Option<Key> {
    if slot.state != STATE_KEY {
        return None;
    }
    let sealed = [slot.wrapped.as_slice(), &slot.tag].concat();
    let plain = under.open(slot.nonce, associated, &sealed).ok()?;
    plain.first_chunk().copied().map(Key::new)
}

pub(crate) fn associated(tenant: TenantId, slot: u32) -> [u8; 12] {
    let mut out = [0; 12];
    let parts = tenant.0.to_le_bytes().into_iter().chain(slot.to_le_bytes());
    for (to, from) in out.iter_mut().zip(parts) {
        *to = from;
    }
    out
}
