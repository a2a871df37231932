//! Where tenants live: a noun of the system tenant alone. The highest epoch wins, whoever says it and whenever.

use super::{Decided, State};
use rpds::RedBlackTreeMapSync;
use std::ops::Bound;
use tessera_crypto::digest;
use tessera_model::limits::PLACEMENTS_MAX;
use tessera_model::{CellId, Epoch, Event, Limit, Placement, Refusal, TenantId, UnixMillis};

/// Shares that placements lie in: of 1,048,576 each has 256, which are some 5 KiB.
const SHARES: u64 = 4_096;

/// Where tenants live of which anybody ever said so, in the order of their shares. A clone shares everything.
#[derive(Clone)]
pub(crate) struct Placements {
    all: RedBlackTreeMapSync<(u32, TenantId), (Epoch, CellId)>,
    /// The sum of their hashes: the same for the same ones, in whatever order they came.
    digest: u64,
    /// Of the system tenant: the last epoch in which the other cells have said what has left this one.
    pub(crate) heard: Epoch,
}

/// LIMIT: how far the epoch of a placement may be ahead of the time of day, which restores take, ms: a day.
const EPOCH_AHEAD_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// Eight bytes of the hash of one.
fn hash_of(placement: &Placement) -> u64 {
    let Placement { tenant, epoch, cell } = placement;
    let [a, b, c, d, e, f, g, h, ..] =
        digest::hash(&[&tenant.0.to_le_bytes(), &epoch.0.to_le_bytes(), &cell.0.to_le_bytes()]);
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

fn placement((key, value): (&(u32, TenantId), &(Epoch, CellId))) -> Placement {
    Placement { tenant: key.1, epoch: value.0, cell: value.1 }
}

impl Placements {
    pub(crate) fn new() -> Self {
        Self { all: RedBlackTreeMapSync::new_sync(), digest: 0, heard: Epoch(0) }
    }

    /// The share that a tenant lies in.
    pub(super) fn share(tenant: TenantId) -> u32 {
        u32::try_from(tenant.0 % SHARES).unwrap_or_default()
    }

    fn key(tenant: TenantId) -> (u32, TenantId) {
        (Self::share(tenant), tenant)
    }

    /// What is known of a tenant.
    pub(crate) fn get(&self, tenant: TenantId) -> Option<Placement> {
        let (epoch, cell) = *self.all.get(&Self::key(tenant))?;
        Some(Placement { tenant, epoch, cell })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.size()
    }

    /// Those behind one, in the order of all; from the first on behind none.
    pub(crate) fn after(&self, tenant: Option<TenantId>) -> impl Iterator<Item = Placement> {
        let from = tenant.map_or(Bound::Unbounded, |tenant| Bound::Excluded(Self::key(tenant)));
        self.all.range((from, Bound::Unbounded)).map(placement)
    }

    /// A number that two nodes have in common when they know the same ones.
    pub(crate) const fn digest(&self) -> u64 {
        self.digest
    }

    fn insert(&mut self, placement: &Placement) {
        if let Some(old) = self.get(placement.tenant) {
            self.digest = self.digest.wrapping_sub(hash_of(&old));
        }
        self.digest = self.digest.wrapping_add(hash_of(placement));
        self.all.insert_mut(Self::key(placement.tenant), (placement.epoch, placement.cell));
    }

    fn of_share(&self, share: u32) -> impl Iterator<Item = Placement> {
        let all = (share, TenantId(0))..=(share, TenantId(u64::MAX));
        self.all.range(all).map(placement)
    }
}

impl State {
    pub(super) fn place_tenant(&self, placement: &Placement, now: UnixMillis) -> Result<Decided, Refusal> {
        self.only_system()?;
        if placement.tenant == TenantId::SYSTEM {
            return Err(Refusal::BuiltIn);
        }
        // Epoch 0 is that of a tenant of which nothing is known.
        let known = self.root.placements.get(placement.tenant);
        if placement.epoch <= known.map(|known| known.epoch).unwrap_or_default() {
            return Err(Refusal::PlacementOld);
        }
        // A restore and an operator's claim take the time of day; whatever lies beyond it would be there for ever.
        if placement.epoch.0 > now.0.saturating_add(EPOCH_AHEAD_MS_MAX) {
            return Err(Refusal::EpochAhead);
        }
        if known.is_none() && self.root.placements.len() >= PLACEMENTS_MAX {
            return Err(Limit::Placements.reached());
        }
        Ok(Decided::of(Event::TenantPlaced(*placement)))
    }

    /// Replayed over a newer state it changes nothing.
    pub(super) fn apply_placed(&mut self, placement: &Placement) {
        if self.root.placements.get(placement.tenant).is_none_or(|known| known.epoch < placement.epoch) {
            self.root.placements.insert(placement);
        }
    }

    pub(super) fn placement_events(&self, share: u32) -> Vec<Event> {
        self.root.placements.of_share(share).map(Event::TenantPlaced).collect()
    }
}
