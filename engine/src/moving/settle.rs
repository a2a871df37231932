//! What an operator says of a tenant whose move cannot end by itself, because a cell is lost.
//!
//! Whoever opens a tenant here takes a placement of a later epoch than any other cell can have given it: a cell that
//! comes back after all finds that the tenant lives elsewhere, and nobody is ever permitted by both.

use super::give::Stopped;
use super::{
    CarryError, SettleWay, TakeStep, Taken, TakenStatus, WordStatus, adopt, clear, order, until_awake,
    until_loaded,
};
use crate::engine::Engine;
use crate::moving::Hold;
use crate::submit::SubmitError;
use std::sync::Arc;
use tessera_model::moving::MoveStep;
use tessera_model::record::{TenantRecord, TenantStatus};
use tessera_model::{Caller, CellId, Epoch, Placement, Refusal, Revision, TenantId};
use tessera_storage::{Arriving, StorageError};

/// LIMIT: checkpoints until the journal has no frame any more of a tenant that is taken back.
const CHECKPOINTS_MAX: u32 = 8;

/// What became of a tenant by an operator's word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Settled {
    /// Which tenant.
    pub tenant: TenantId,
    /// The epoch that it goes on in here; 0 when it does not.
    pub epoch: Epoch,
    /// The last position that it has here.
    pub revision: Revision,
    /// Whether whatever was acknowledged elsewhere is here: sessions live on.
    pub whole: bool,
}

/// A tenant of which this cell has something, though it does not live here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CopyFound {
    /// Which, as it was known here last.
    pub record: TenantRecord,
    /// Whether it came from elsewhere and waits to be opened; else it has left, and is kept.
    pub arriving: bool,
    /// The last position that is here; none where it is not whole.
    pub revision: Option<Revision>,
    /// The cell that the tenant lives in, as far as this one knows.
    pub cell: Option<CellId>,
}

fn store(error: &StorageError) -> Refusal {
    tracing::warn!(%error, "a copy of a tenant was not reached");
    Refusal::NotReady
}

fn stopped(why: &Stopped) -> SubmitError {
    tracing::warn!(%why, "a tenant was not opened by an operator's word: give the command again");
    SubmitError::Refused(Refusal::NotReady)
}

impl Engine {
    /// Does what an operator says of a tenant. Repeated, it goes on where it stopped.
    ///
    /// # Errors
    /// `CopyUnknown`, `CopyPartial`, `CellAlive`, `LossUnsaid`, `CopyNeeded`; any [`SubmitError`].
    pub async fn settle_move(
        &self,
        caller: Caller,
        tenant: TenantId,
        (way, loss): (SettleWay, bool),
    ) -> Result<Settled, SubmitError> {
        if way == SettleWay::TrustOwn {
            self.hear_fleet(caller).await?;
            return Ok(Settled { tenant, epoch: Epoch(0), revision: Revision(0), whole: false });
        }
        if tenant == TenantId::SYSTEM {
            return Err(Refusal::WrongTenant.into());
        }
        if self.house.moves_now(tenant) {
            return Err(Refusal::MoveRunning.into());
        }
        let _one = self.house.tended.alone(tenant).await;
        match way {
            SettleWay::SourceLost => self.open_copy(caller, tenant, loss).await,
            SettleWay::TakeBack => self.take_back(caller, tenant, loss).await,
            SettleWay::ForgetCopy => self.forget_copy(tenant).await,
            SettleWay::TrustOwn => Err(Refusal::Malformed.into()),
        }
    }

    /// Refuses where some cell that answers has the tenant.
    async fn nobody_has(&self, tenant: TenantId) -> Result<(), Refusal> {
        let has = |word: &Result<super::LastWord, CarryError>| {
            let said = word.as_ref().map(|word| word.status);
            matches!(said, Ok(WordStatus::Leaving | WordStatus::Stays | WordStatus::Moved))
                // It is there, and wakes.
                || matches!(word, Err(CarryError::Refused(Refusal::NotReady)))
        };
        let said = self.words(tenant).await;
        if said.iter().any(|(_, word)| has(word)) { Err(Refusal::CellAlive) } else { Ok(()) }
    }

    /// Later than any epoch that another cell can have given the tenant: restores take the time of day, too.
    fn later_epoch(&self, tenant: TenantId, here: Epoch) -> Epoch {
        let placed = self.placement(tenant).map_or(Epoch(0), |placed| placed.epoch);
        Epoch(self.now().0.max(placed.0.saturating_add(1)).max(here.0.saturating_add(1)))
    }

    async fn open_copy(&self, caller: Caller, tenant: TenantId, loss: bool) -> Result<Settled, SubmitError> {
        let on = Arc::clone(&self.house);
        let found = self.house.work(move || on.arrivals_left()).await.map_err(|_| Refusal::NotReady)?;
        let found = found.map_err(|error| store(&error))?;
        let Some(Arriving { record, head, .. }) = found.into_iter().find(|found| found.record.id == tenant)
        else {
            return self.go_on_opening(tenant).await;
        };
        let head = head.ok_or(Refusal::CopyPartial)?;
        let placed = self.placement(tenant);
        let own = self.house.own_cell();
        let moved_on = |placed: Placement| placed.cell != own && placed.epoch >= head.epoch;
        if placed.is_some_and(moved_on) {
            return Err(Refusal::Redirect.into());
        }
        self.nobody_has(tenant).await?;
        // The other cell says so only behind its last word, which is refused unless it has written nothing else.
        let whole = placed == Some(Placement { tenant, epoch: head.epoch, cell: own });
        if !whole && !loss {
            return Err(Refusal::LossUnsaid.into());
        }
        let epoch = if whole { head.epoch } else { self.later_epoch(tenant, head.epoch) };
        let revision = head.last();
        self.go_on_by_word(caller, record, (epoch, whole)).await?;
        Ok(Settled { tenant, epoch, revision, whole })
    }

    /// It was opened already, by this word or by the last one of the other cell.
    async fn go_on_opening(&self, tenant: TenantId) -> Result<Settled, SubmitError> {
        let entry = self.house.entry(tenant).ok_or(Refusal::CopyUnknown)?;
        if self.house.away(tenant).is_some() || entry.is_away() {
            return Err(Refusal::CopyUnknown.into());
        }
        if !until_awake(&self.house, &entry).await {
            return Err(Refusal::TenantFailed.into());
        }
        let view = entry.known_view().ok_or(Refusal::NotReady)?;
        if view.root.full().course.moving.is_some_and(|moving| moving.to == self.house.own_cell()) {
            super::arrive::end_arrival(&self.house, &entry).await?;
        } else if view.root.full().course.moving.is_none() && view.root.full().course.lent.is_none() {
            // That it goes on was noted, and whoever said so never heard it.
            self.house.began_here(&entry);
        }
        let head =
            self.house.store.head(tenant).map_err(|error| store(&error))?.ok_or(Refusal::CopyUnknown)?;
        let revision = head.last();
        Ok(Settled { tenant, epoch: head.epoch, revision, whole: true })
    }

    /// Opens what there is of a tenant here: in the system tenant first, so that everybody hears of it.
    async fn go_on_by_word(
        &self,
        caller: Caller,
        record: TenantRecord,
        (epoch, whole): (Epoch, bool),
    ) -> Result<(), SubmitError> {
        let (house, tenant) = (&self.house, record.id);
        house.open_by_word(tenant, epoch)?;
        let opened = self.open_by_word(caller, record, (epoch, whole)).await;
        house.takings.lock().remove(&tenant);
        opened
    }

    async fn open_by_word(
        &self,
        caller: Caller,
        record: TenantRecord,
        (epoch, whole): (Epoch, bool),
    ) -> Result<(), SubmitError> {
        let (house, tenant) = (&self.house, record.id);
        if let Some(entry) = house.entry(tenant) {
            entry.hold(Hold::Own);
        }
        let placement = Placement { tenant, epoch, cell: house.own_cell() };
        let adopt = adopt(record, placement);
        self.submit_system(caller, self.command_id(), adopt).await?;
        let entry = house.entry(tenant).ok_or(Refusal::TenantUnknown)?;
        entry.hold(Hold::Own);
        let on = Arc::clone(&house.store);
        let claimed = house.work(move || on.claim(tenant, epoch)).await.map_err(|_| Refusal::NotReady)?;
        claimed.map_err(|error| store(&error))?;
        if !until_loaded(house, &entry).await {
            return Err(Refusal::TenantFailed.into());
        }
        order(house, &entry, MoveStep::Claim { whole }).await?;
        entry.set_away(house.away(tenant));
        house.began_here(&entry);
        tracing::warn!(%tenant, epoch = epoch.0, whole, "a tenant goes on here by an operator's word");
        Ok(())
    }

    async fn take_back(&self, caller: Caller, tenant: TenantId, loss: bool) -> Result<Settled, SubmitError> {
        let house = &self.house;
        let record = house.system().and_then(|view| view.root.full().tenants.get(tenant));
        let record = record.ok_or(Refusal::CopyUnknown)?;
        let entry = house.entry(tenant).ok_or(Refusal::CopyUnknown)?;
        let on = Arc::clone(&house.store);
        let kept = house.work(move || on.is_kept(tenant)).await.map_err(|_| Refusal::NotReady)?;
        let there = matches!(record.status, TenantStatus::Active | TenantStatus::Suspended);
        if !there || !kept.map_err(|error| store(&error))? {
            return Err(Refusal::CopyUnknown.into());
        }
        if !until_awake(house, &entry).await {
            return Err(Refusal::TenantFailed.into());
        }
        let moved = |entry: &crate::directory::Entry| {
            let view = entry.known_view();
            view.is_some_and(|view| view.root.full().course.moving.is_some_and(|moving| moving.moved))
        };
        if house.away(tenant).is_none() && !moved(&entry) {
            return self.go_on_opening(tenant).await;
        }
        self.nobody_has(tenant).await?;
        if !loss {
            return Err(Refusal::LossUnsaid.into());
        }
        entry.hold(Hold::Own);
        for _ in 0..CHECKPOINTS_MAX {
            if !house.store.has_tail(tenant) {
                break;
            }
            if !self.checkpoint().await {
                return Err(Refusal::NotReady.into());
            }
        }
        clear(house, &entry, false).await.map_err(|error| store(&error))?;
        let head = house.store.head(tenant).map_err(|error| store(&error))?.ok_or(Refusal::CopyUnknown)?;
        let epoch = self.later_epoch(tenant, head.epoch);
        let revision = head.last();
        self.go_on_by_word(caller, record, (epoch, false)).await?;
        Ok(Settled { tenant, epoch, revision, whole: false })
    }

    /// Removes what is kept of a tenant that lives elsewhere, or was copied from there and never opened.
    async fn forget_copy(&self, tenant: TenantId) -> Result<Settled, SubmitError> {
        let house = &self.house;
        let all = Arc::clone(house);
        let looked = house.work(move || {
            let on = &all.store;
            let arriving = all.arrivals_left()?.into_iter().find(|found| found.record.id == tenant);
            Ok::<_, StorageError>((arriving, on.is_kept(tenant)?, on.head(tenant).ok().flatten()))
        });
        let looked = looked.await.map_err(|_| Refusal::NotReady)?;
        let (arriving, kept, head) = looked.map_err(|error| store(&error))?;
        let head = arriving.as_ref().and_then(|found| found.head).or(head);
        let revision = head.map_or(Revision(0), |head| head.last());
        let settled = Settled { tenant, epoch: Epoch(0), revision, whole: true };
        if let Some(Arriving { head, .. }) = arriving {
            if self.placement(tenant).is_some_and(|placed| placed.cell == house.own_cell()) {
                return Err(Refusal::CopyNeeded.into());
            }
            if house.is_opening(tenant) {
                return Err(Refusal::MoveRunning.into());
            }
            // It may have left already, and nobody but the cell that it left knows.
            let spared = |word: &Result<super::LastWord, CarryError>| {
                word.as_ref().is_ok_and(|word| matches!(word.status, WordStatus::Nothing | WordStatus::Stays))
            };
            // What is not whole opens nowhere.
            if head.is_some() && !self.words(tenant).await.iter().all(|(_, word)| spared(word)) {
                return Err(Refusal::CopyNeeded.into());
            }
            self.drop_taking(&mut house.takings.lock(), tenant);
            return Ok(settled);
        }
        let Some(cell) = house.away(tenant).filter(|_| kept) else { return Err(Refusal::CopyUnknown.into()) };
        let carrier = house.carrier.lock().clone().ok_or(Refusal::CellUnknown)?;
        let said = carrier.carry(cell, tenant, TakeStep::Ask).await;
        if !matches!(said, Ok(Taken { status: TakenStatus::Here, .. })) {
            return Err(Refusal::CopyNeeded.into());
        }
        let entry = house.entry(tenant).ok_or(Refusal::CopyUnknown)?;
        clear(house, &entry, true).await.map_err(|error| stopped(&Stopped::Store(error)))?;
        Ok(settled)
    }

    /// The tenants of which this cell has something though they do not live here, at most so many behind one.
    ///
    /// # Errors
    /// `NotReady` when that cannot be read now.
    pub async fn copies(&self, after: TenantId, limit: usize) -> Result<Vec<CopyFound>, Refusal> {
        let engine = self.clone();
        let found = self.house.work(move || engine.copies_now(after, limit)).await;
        found.map_err(|_| Refusal::NotReady)?.map_err(|error| store(&error))
    }

    fn copies_now(&self, after: TenantId, limit: usize) -> Result<Vec<CopyFound>, StorageError> {
        let house = &self.house;
        let mut found = std::collections::BTreeMap::new();
        for Arriving { record, head, .. } in house.arrivals_left()? {
            let (revision, cell) = (head.map(|head| head.last()), house.away(record.id));
            found.insert(record.id, CopyFound { record, arriving: true, revision, cell });
        }
        let Some(view) = house.system() else { return Ok(Vec::new()) };
        let root = view.root.full();
        let elsewhere = root.placements.after(None).filter(|placed| placed.cell != house.own_cell());
        for placed in elsewhere {
            if root.tenants.see(placed.tenant).is_none() || !house.store.is_kept(placed.tenant)? {
                continue;
            }
            let (record, head) = (root.tenants.get(placed.tenant), house.store.head(placed.tenant)?);
            if let (Some(record), Some(head)) = (record, head) {
                let (revision, cell) = (Some(head.last()), Some(placed.cell));
                found.insert(record.id, CopyFound { record, arriving: false, revision, cell });
            }
        }
        Ok(found.into_values().filter(|found| found.record.id > after).take(limit).collect())
    }
}
