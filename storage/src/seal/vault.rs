//! The keys of the embedded store: found by their owner's row, opened once, and kept for a while.

use super::{KeyHeld, PartKey, TENANT, Vault, row};
use crate::checkpoint::read::kept;
use crate::checkpoint::schema::Life;
use crate::error::StorageError;
use crate::keys::{KeySlot, Keys};
use crate::lane::Shared;
use crate::store::{BucketKind, FIRST_REFRESH_KEY, RowRead};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tessera_crypto::Key;
use tessera_model::{Revision, Row, RowKind, SubjectIndex, TenantId};

/// LIMIT: keys that are kept open: 65,536 × 200 B = 13 MB. When there are more, all are forgotten.
const OPEN_MAX: usize = 65_536;
/// Keys that are made at once for a tenant: at first, and at most; each time twice as many.
const AHEAD: (u32, u32) = (8, 1_024);
/// LIMIT: tenants for whom keys were made ahead: 1,024 × 1,024 × 200 B = 200 MB at the very most.
const AHEAD_TENANTS_MAX: usize = 1_024;

/// Keys that nobody has yet.
#[derive(Default)]
struct Ahead {
    keys: VecDeque<(u32, Arc<PartKey>)>,
    made: u32,
    /// When somebody drew from them last, as [`Aheads`] counts.
    drawn: u64,
}

/// What was made ahead, by tenant.
#[derive(Default)]
struct Aheads {
    tenants: BTreeMap<TenantId, Ahead>,
    draws: u64,
}

impl Aheads {
    /// What was made for a tenant. Where there are too many tenants, the one that drew longest ago loses its own: those
    /// slots stay unused.
    fn of(&mut self, tenant: TenantId) -> &mut Ahead {
        if self.tenants.len() >= AHEAD_TENANTS_MAX && !self.tenants.contains_key(&tenant) {
            let oldest = self.tenants.iter().min_by_key(|(_, ahead)| ahead.drawn);
            if let Some(oldest) = oldest.map(|(tenant, _)| *tenant) {
                self.tenants.remove(&oldest);
            }
        }
        self.draws += 1;
        let ahead = self.tenants.entry(tenant).or_default();
        ahead.drawn = self.draws;
        ahead
    }
}

/// What must be put with other keys because somebody is erased.
#[derive(Default)]
struct Renewals {
    /// Buckets, and the position as of which they hold nothing of the erased any more.
    buckets: BTreeMap<(TenantId, BucketKind, u32), Revision>,
    /// Behind which position a tenant's buckets are clean: what was taken of them before may come yet.
    clean_from: BTreeMap<TenantId, Revision>,
}

/// Keys that are open.
#[derive(Default)]
struct Open {
    keys: BTreeMap<(TenantId, SubjectIndex), Arc<PartKey>>,
    /// Rises with each erasure: what was read before is not kept after.
    erased: u64,
    /// Keys that were destroyed since the start, by tenant.
    destroyed: BTreeMap<TenantId, u64>,
}

/// The keys of the embedded store.
pub(crate) struct Safe {
    shared: Arc<Shared>,
    pub(crate) keys: Arc<Keys>,
    open: Mutex<Open>,
    ahead: Mutex<Aheads>,
    renew: Mutex<Renewals>,
}

impl Safe {
    /// Gives the keys that the key file holds.
    pub(crate) fn new(shared: Arc<Shared>, keys: Arc<Keys>) -> Self {
        Self { shared, keys, open: Mutex::default(), ahead: Mutex::default(), renew: Mutex::default() }
    }

    /// The key that the slots of a tenant are wrapped under.
    pub(crate) fn slots_key(&self, tenant: TenantId) -> Result<Key, StorageError> {
        Ok(self.keys.slots_key(tenant, self.tenant_key(tenant)?.sealing()))
    }

    /// A tenant's sealing key: what is nobody's in particular is sealed under it.
    pub(crate) fn tenant_key(&self, tenant: TenantId) -> Result<Arc<PartKey>, StorageError> {
        self.cached(tenant, TENANT, || {
            let row = self.shared.checkpoint.directory(tenant)?;
            for KeySlot { slot, .. } in self.keys.slots_of(tenant, row.as_ref().map_or(&[], |row| &row.keys))
            {
                if let Some([_, _, sealing]) = self.keys.open_at(tenant, slot)? {
                    return Ok(KeyHeld::Key(Arc::new(PartKey::new(sealing))));
                }
            }
            Err(StorageError::KeysMissing(tenant))
        })
        .and_then(|held| match held {
            KeyHeld::Key(key) => Ok(key),
            KeyHeld::Erased | KeyHeld::Never => Err(StorageError::KeysMissing(tenant)),
        })
    }

    fn cached(
        &self,
        tenant: TenantId,
        owner: SubjectIndex,
        find: impl FnOnce() -> Result<KeyHeld, StorageError>,
    ) -> Result<KeyHeld, StorageError> {
        let erased = {
            let open = self.open.lock();
            if let Some(key) = open.keys.get(&(tenant, owner)) {
                return Ok(KeyHeld::Key(Arc::clone(key)));
            }
            open.erased
        };
        let found = find()?;
        if let KeyHeld::Key(key) = &found {
            let mut open = self.open.lock();
            if open.erased == erased {
                if open.keys.len() >= OPEN_MAX {
                    open.keys.clear();
                }
                open.keys.insert((tenant, owner), Arc::clone(key));
            }
        }
        Ok(found)
    }

    /// The slot of a subject's key, as its row says.
    pub(crate) fn slot_of(&self, tenant: TenantId, owner: SubjectIndex) -> Result<Option<u32>, StorageError> {
        let key = Row::subject_key(owner, &[]);
        let recent = {
            let tail = self.shared.tail.lock();
            let tailed = tail.tenants.get(&tenant);
            tailed.and_then(|tailed| tailed.row(RowKind::SubjectKey, &key)).and_then(|row| row.value.clone())
        };
        let value = match recent {
            Some(value) => Some(value),
            None => {
                let RowRead { value, .. } = self.shared.checkpoint.row(tenant, RowKind::SubjectKey, &key)?;
                value
            }
        };
        let Some(value) = value else { return Ok(None) };
        let wrong = || StorageError::damaged("state.redb/row_v1", 0, "a key's row names no slot", tenant);
        row::slot_in(&value).map(Some).ok_or_else(wrong)
    }

    /// The key at a slot that something of the tenant names.
    pub(crate) fn key_at(&self, tenant: TenantId, slot: u32) -> Result<KeyHeld, StorageError> {
        let under = self.slots_key(tenant)?;
        let found = self.keys.key_at((tenant, slot), &under)?;
        Ok(found.map_or(KeyHeld::Erased, |key| KeyHeld::Key(Arc::new(PartKey::new(key)))))
    }

    /// Forgets what is open of a tenant, and what was made for it.
    pub(crate) fn forget(&self, tenant: TenantId) {
        self.shut(|whose| whose.0 == tenant);
        self.ahead.lock().tenants.remove(&tenant);
        let mut renew = self.renew.lock();
        renew.buckets.retain(|whose, _| whose.0 != tenant);
        renew.clean_from.remove(&tenant);
    }

    fn shut(&self, which: impl Fn(&(TenantId, SubjectIndex)) -> bool) {
        let mut open = self.open.lock();
        open.erased += 1;
        open.keys.retain(|whose, _| !which(whose));
    }

    /// Erases the key of a subject; whatever is sealed under it can be read by nobody any more.
    pub(crate) fn erase(&self, tenant: TenantId, owner: SubjectIndex) -> Result<(), StorageError> {
        if let Some(slot) = self.slot_of(tenant, owner)? {
            self.keys.erase_slots(&[slot])?;
        }
        self.shut(|whose| *whose == (tenant, owner));
        *self.open.lock().destroyed.entry(tenant).or_default() += 1;
        Ok(())
    }

    /// How many keys of a tenant were erased since the start.
    pub(crate) fn erasures(&self, tenant: TenantId) -> u64 {
        self.open.lock().destroyed.get(&tenant).copied().unwrap_or_default()
    }

    /// From here on a tenant's buckets hold nothing of somebody erased: those that are put later and were taken before
    /// are to be put again.
    pub(crate) fn clean_from(&self, tenant: TenantId, from: Revision) {
        let mut renew = self.renew.lock();
        let known = renew.clean_from.entry(tenant).or_insert(from);
        *known = from.max(*known);
    }

    /// Buckets that get another key when they are put next as of this position, or a later one. Tells all of the tenant
    /// that do.
    pub(crate) fn renew(
        &self,
        tenant: TenantId,
        buckets: impl Iterator<Item = (BucketKind, u32)>,
        from: Revision,
    ) -> Vec<(BucketKind, u32)> {
        let mut renew = self.renew.lock();
        renew.buckets.extend(buckets.map(|(kind, no)| ((tenant, kind, no), from)));
        let all = renew.buckets.keys().filter(|whose| whose.0 == tenant);
        all.map(|(_, kind, no)| (*kind, *no)).collect()
    }

    /// Whether a bucket gets another key now: it is put as of a position as of which it is clean. One that was taken
    /// before is noted: it will have to be put again.
    pub(crate) fn is_renewed(&self, tenant: TenantId, (kind, no): (BucketKind, u32), next: Revision) -> bool {
        let mut renew = self.renew.lock();
        let clean_from = renew.clean_from.get(&tenant).copied().unwrap_or_default();
        let noted = renew.buckets.get(&(tenant, kind, no)).copied();
        if next < clean_from {
            renew.buckets.insert((tenant, kind, no), clean_from);
        }
        noted.is_some_and(|from| from <= next)
    }

    /// Buckets were put as of this position: those that were to get another key have it.
    pub(crate) fn put(&self, tenant: TenantId, buckets: &[(BucketKind, u32)], next: Revision) {
        let mut renew = self.renew.lock();
        for (kind, no) in buckets {
            if renew.buckets.get(&(tenant, *kind, *no)).is_some_and(|from| *from <= next) {
                renew.buckets.remove(&(tenant, *kind, *no));
            }
        }
    }

    /// Whether buckets of a tenant still have the keys of before.
    pub(crate) fn has_old(&self, tenant: TenantId) -> bool {
        self.renew.lock().buckets.keys().any(|whose| whose.0 == tenant)
    }
}

impl Vault for Safe {
    fn held(&self, tenant: TenantId, owner: SubjectIndex) -> Result<KeyHeld, StorageError> {
        if owner == TENANT {
            return self.tenant_key(tenant).map(KeyHeld::Key);
        }
        self.cached(tenant, owner, || match self.slot_of(tenant, owner)? {
            None => Ok(KeyHeld::Never),
            Some(slot) => self.key_at(tenant, slot),
        })
    }

    fn draw(&self, tenant: TenantId) -> Result<(u32, Arc<PartKey>), StorageError> {
        let under = self.slots_key(tenant)?;
        let mut all = self.ahead.lock();
        let ahead = all.of(tenant);
        if ahead.keys.is_empty() {
            let (least, most) = AHEAD;
            let more = ahead.made.saturating_mul(2).clamp(least, most);
            let (first, keys) = self.keys.make_slots(tenant, &under, more)?;
            ahead.made = more;
            ahead.keys.extend((first..).zip(keys).map(|(slot, key)| (slot, Arc::new(PartKey::new(key)))));
        }
        ahead.keys.pop_front().ok_or(StorageError::KeysMissing(tenant))
    }

    fn bear(&self, tenant: TenantId) -> Result<(), StorageError> {
        let row = self.shared.checkpoint.directory(tenant)?;
        if row.as_ref().is_some_and(|row| row.life != Life::Kept) {
            return Ok(());
        }
        if kept(row).is_some_and(|row| !row.keys.is_empty()) || !self.keys.slots_of(tenant, &[]).is_empty() {
            return Ok(());
        }
        let draw = &self.keys.draw;
        let keys = [draw.key(), draw.key(), draw.key()];
        let nonces = [draw.nonce(), draw.nonce(), draw.nonce()];
        let sequence = self.shared.tail.lock().sequence;
        self.keys.make((tenant, FIRST_REFRESH_KEY), &keys, &nonces, sequence)
    }
}
