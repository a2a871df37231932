//! Which cell a tenant lives in, as this node knows it, and what a tenant that lives elsewhere is answered here.
//!
//! Where a tenant lives is, in this order: the system tenant's record of it; here, where the system tenant has a
//! tenant of that id; the cell of its birth. A record of another cell closes a tenant here for ever, until one of a
//! higher epoch says otherwise: no door answers anything of it but where it lives.
//! What the fleet file says of cells is given by the node and may be replaced while it runs.

use crate::bound::HelloRefusal;
use crate::directory::Entry;
use crate::engine::Engine;
use crate::house::House;
use crate::submit::SubmitError;
use std::sync::Arc;
use tessera_model::record::TenantStatus;
use tessera_model::{
    Caller, Cell, CellId, Command, Fleet, Handle, HandleBytes, PeerSeen, Placement, TenantId,
};

impl House {
    /// The cell that this node is.
    pub(crate) fn own_cell(&self) -> CellId {
        self.config.cell
    }

    /// The other cell that a tenant lives in; `None` when it lives here, or nobody knows of it.
    pub(crate) fn away(&self, tenant: TenantId) -> Option<CellId> {
        if tenant == TenantId::SYSTEM {
            return None;
        }
        let view = self.system()?;
        let root = view.root.full();
        let cell = match root.placements.get(tenant) {
            Some(placement) => placement.cell,
            None if root.tenants.see(tenant).is_some() => return None,
            None => self.fleet.load().as_ref()?.cell(tenant.cell())?.id,
        };
        if cell != self.own_cell() { Some(cell) } else { self.disputed.lock().get(&tenant).copied() }
    }

    /// Whoever holds this handle and asks about this tenant is answered here; else where to ask.
    ///
    /// A handle of the system tenant is of the one of its cell: each cell has its own operators.
    ///
    /// # Errors
    /// [`HelloRefusal::Elsewhere`].
    pub(crate) fn stays(&self, handle: &Handle, wanted: Option<TenantId>) -> Result<(), HelloRefusal> {
        let away = if handle.tenant == TenantId::SYSTEM {
            let fleet = self.fleet.load();
            let known = fleet.as_ref().and_then(|fleet| fleet.cell(handle.cell)).map(|cell| cell.id);
            // An operator of another cell who names a tenant is refused: sent home it would be sent back.
            let asks_home = wanted.is_none_or(|wanted| wanted == TenantId::SYSTEM);
            known.filter(|cell| *cell != self.own_cell() && asks_home)
        } else if let Some(entry) = self.directory.entry(handle.tenant) {
            // It says where the tenant lives as soon as that has changed, and before its placement is written.
            entry.away()
        } else {
            self.away(handle.tenant)
        };
        away.map_or(Ok(()), |cell| Err(HelloRefusal::Elsewhere(cell)))
    }

    /// As [`House::stays`], of the bytes of a handle; what does not read is judged by whoever reads it.
    ///
    /// # Errors
    /// [`HelloRefusal::Elsewhere`].
    pub(crate) fn leads_here(&self, bytes: &HandleBytes) -> Result<(), HelloRefusal> {
        Handle::parse(bytes).map_or(Ok(()), |handle| self.stays(&handle, None))
    }

    /// A tenant's placement was published: its entry says from now on where it lives.
    pub(crate) fn placed(&self, tenant: TenantId) {
        self.disputed.lock().remove(&tenant);
        self.tended.news.notify_one();
        let away = self.away(tenant).filter(|_| !self.config.keeps_moved());
        if let Some(entry) = self.directory.entry(tenant) {
            entry.set_away(away);
        }
    }
}

impl Engine {
    /// The fleet that this node belongs to, as its file had it last.
    #[must_use]
    pub fn fleet(&self) -> Option<Arc<Fleet>> {
        self.house.fleet.load_full()
    }

    /// Takes another fleet into use. Its own cell must be the one that the engine was started as; of another one, or of
    /// an older version, nothing is taken. True when it was taken.
    pub fn set_fleet(&self, fleet: Fleet) -> bool {
        let older = self.house.fleet.load().as_ref().is_some_and(|known| fleet.version() < known.version());
        if fleet.own() != self.house.own_cell() || older {
            return false;
        }
        self.house.fleet.store(Some(Arc::new(fleet)));
        self.house.look_restored();
        self.house.tended.news.notify_one();
        true
    }

    /// The other cell that a tenant lives in, or is on its way to and has left for; `None` when it lives here, or nobody
    /// knows of it.
    #[must_use]
    pub fn lives_in(&self, tenant: TenantId) -> Option<CellId> {
        // The entry says so before its placement is written.
        let of_entry = || self.house.directory.entry(tenant).and_then(|entry| entry.away());
        self.house.away(tenant).or_else(of_entry)
    }

    /// What the fleet file says of a cell, and its version.
    #[must_use]
    pub fn cell(&self, cell: CellId) -> Option<(Cell, u64)> {
        let fleet = self.house.fleet.load();
        let fleet = fleet.as_ref()?;
        Some((fleet.cell(cell)?.clone(), fleet.version()))
    }

    /// What the system tenant knows of where a tenant lives; `None` when nobody ever said so.
    #[must_use]
    pub fn placement(&self, tenant: TenantId) -> Option<Placement> {
        self.house.system()?.root.full().placements.get(tenant)
    }

    /// Placements behind one, at most so many, in the order of all; from the first on behind none.
    #[must_use]
    pub fn placements(&self, after: Option<TenantId>, limit: usize) -> Vec<Placement> {
        let Some(view) = self.house.system() else { return Vec::new() };
        view.root.full().placements.after(after).take(limit).collect()
    }

    /// Says in the node's own name where a tenant lives.
    ///
    /// # Errors
    /// `PlacementOld` unless the epoch is higher than the known one; else any [`SubmitError`].
    pub async fn place(&self, placement: Placement) -> Result<(), SubmitError> {
        let command = Command::PlaceTenant { placement };
        self.submit_system(Caller::Node, self.command_id(), command).await.map(drop)
    }

    /// Another cell says otherwise of the epoch that this one knows a tenant in: it is closed here, where it was open,
    /// until a higher epoch says where it lives. True when that is news.
    pub fn dispute(&self, other: Placement) -> bool {
        let Placement { tenant, epoch, cell } = other;
        let known = self.placement(tenant).filter(|known| known.epoch == epoch && known.cell != cell);
        if known.is_none() || cell == self.house.own_cell() {
            return false;
        }
        let news = self.house.disputed.lock().insert(tenant, cell) != Some(cell);
        if let Some(entry) = self.house.directory.entry(tenant) {
            entry.set_away(self.house.away(tenant));
        }
        news
    }

    /// How many placements the system tenant knows, and a number that two nodes have in common when they know the same.
    #[must_use]
    pub fn placements_told(&self) -> (u64, u64) {
        let Some(view) = self.house.system() else { return (0, 0) };
        let placements = &view.root.full().placements;
        (u64::try_from(placements.len()).unwrap_or(u64::MAX), placements.digest())
    }

    /// Notes what was found when another cell was asked.
    pub fn note_peer(&self, seen: PeerSeen) {
        self.house.peers.lock().insert(seen.cell, seen);
    }

    /// What was found of each other cell of the fleet; of one that was not asked yet, nothing.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerSeen> {
        let (known, fleet) = (self.house.peers.lock(), self.house.fleet.load());
        let others = fleet.as_ref().into_iter().flat_map(|fleet| fleet.others());
        let unasked = |cell| PeerSeen { cell, ..PeerSeen::default() };
        others.map(|cell| known.get(&cell.id).cloned().unwrap_or_else(|| unasked(cell.id))).collect()
    }

    /// How many tenants live here. COST: all tenants are looked at once for each change in the system tenant, however
    /// many cells ask.
    #[must_use]
    pub fn tenants_here(&self) -> u64 {
        let Some(view) = self.house.system() else { return 0 };
        let at = self.house.read(&view).seen();
        let mut counted = self.house.tended.counted.lock();
        if let Some((_, count)) = counted.filter(|(known, _)| *known == at) {
            return count;
        }
        let root = view.root.full();
        let lives =
            |tenant| root.placements.get(tenant).is_none_or(|placed| placed.cell == self.house.own_cell());
        let there = root.tenants.iter().filter(|seen| seen.status != TenantStatus::Deleted && lives(seen.id));
        let count = u64::try_from(there.count()).unwrap_or(u64::MAX);
        *counted = Some((at, count));
        count
    }
}

impl Entry {
    /// Whether the tenant lives in another cell: nothing of it is answered here.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.away().is_some()
    }
}
