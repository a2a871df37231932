//! What the nodes do about moves by themselves: a copy that waits asks for the last word, a tenant that was frozen when
//! its node went down goes on, and a cell that was restored opens nothing before the others have been heard.

use super::give::Stopped;
use super::take::Taking;
use super::{CarryError, TakeStep, WordStatus, order};
use crate::directory::Entry;
use crate::engine::Engine;
use crate::house::House;
use crate::moving::Hold;
use crate::submit::SubmitError;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tessera_model::moving::{MoveStep, Moving};
use tessera_model::record::TenantRecord;
use tessera_model::{Caller, CellId, Command, Epoch, Placement, Receipt, Refusal, TenantId};
use tessera_storage::{Arriving, Head, StorageError};
use tokio::sync::{Notify, OwnedMutexGuard};

/// LIMIT: tenants whose moves are looked after one behind the other in one go; the others the next time.
const TENDED_AT_ONCE: usize = 256;

/// What a cell says of a tenant that another one has a copy of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LastWord {
    /// How it stands there.
    pub status: WordStatus,
    /// The epoch that it is to have where it goes (leaving, moved).
    pub epoch: Epoch,
    /// What is known of it (moved).
    pub record: Option<TenantRecord>,
    /// The frame that ends its life there, and opens it elsewhere (moved).
    pub frame: Vec<u8>,
}

impl LastWord {
    fn says(status: WordStatus, epoch: Epoch) -> Self {
        Self { status, epoch, ..Self::default() }
    }
}

/// The moves that are looked after.
#[derive(Default)]
pub(crate) struct Tended {
    /// Tenants whose moves began in this life of the node: no other cell opened a copy while it was down.
    of_this_life: Mutex<BTreeSet<TenantId>>,
    /// Tenants of which another cell has, or may have, a copy.
    waiting: Mutex<BTreeSet<TenantId>>,
    /// The last of them that was looked after.
    last: Mutex<TenantId>,
    /// One thing at a time happens to the move of a tenant.
    one: Mutex<BTreeMap<TenantId, Arc<tokio::sync::Mutex<()>>>>,
    /// The cell was restored, and the others have not said yet what has left it.
    unheard: AtomicBool,
    /// Where a tenant lives has changed, or what the fleet is.
    pub(crate) news: Notify,
    /// How many tenants lived here at a position of the system tenant.
    pub(crate) counted: Mutex<Option<(Receipt, u64)>>,
}

impl Tended {
    pub(crate) fn is_of_this_life(&self, tenant: TenantId) -> bool {
        self.of_this_life.lock().contains(&tenant)
    }

    pub(crate) fn is_unheard(&self) -> bool {
        self.unheard.load(Ordering::SeqCst)
    }

    fn one(&self, tenant: TenantId) -> Arc<tokio::sync::Mutex<()>> {
        let mut all = self.one.lock();
        // Those that nobody holds are made anew when somebody asks.
        all.retain(|_, lock| Arc::strong_count(lock) > 1);
        Arc::clone(all.entry(tenant).or_default())
    }

    /// Whoever does something about a tenant's move; waits for whoever does now.
    pub(super) async fn alone(&self, tenant: TenantId) -> OwnedMutexGuard<()> {
        self.one(tenant).lock_owned().await
    }
}

impl House {
    /// What was copied here and is nobody's tenant yet; also where only the word of this cell's system tenant is missing.
    pub(super) fn arrivals_left(&self) -> Result<Vec<Arriving>, StorageError> {
        // While the system tenant is read again nobody knows who lives here.
        if self.system().is_none() {
            return Ok(Vec::new());
        }
        self.store.arrivals(&|tenant| self.is_adopted(tenant))
    }

    /// Whether this cell's system tenant knows a tenant as one that lives here.
    pub(super) fn is_adopted(&self, tenant: TenantId) -> bool {
        let known = self.system().is_some_and(|view| view.root.full().tenants.see(tenant).is_some());
        known && self.away(tenant).is_none()
    }

    /// Notes that a move is to be looked after, and begins to.
    pub(super) fn tend(self: &Arc<Self>, tenant: TenantId) {
        self.tended.waiting.lock().insert(tenant);
        let engine = Engine { house: Arc::clone(self) };
        drop(tokio::spawn(async move { engine.tend_one(tenant).await }));
    }

    /// The move of this tenant is one of this life: it may be open.
    pub(super) fn began_here(&self, entry: &Entry) {
        self.tended.of_this_life.lock().insert(entry.tenant);
        entry.release(Hold::Own);
    }

    /// Whether a restored cell must hear the others before it opens what it has: the first epoch is no restored one.
    fn must_hear(&self) -> bool {
        let Some(view) = self.system() else { return false };
        let root = view.root.full();
        root.epoch > Epoch(1) && root.placements.heard < root.epoch
    }

    /// The fleet is known: a cell that was restored stays closed until it has been heard.
    pub(crate) fn look_restored(&self) {
        if self.tended.is_unheard() || !self.must_hear() {
            return;
        }
        self.tended.unheard.store(true, Ordering::SeqCst);
        tracing::warn!(
            "this cell was restored from a backup: its tenants are closed until all other cells have said what has left it (docs/operate/fleet.md)"
        );
        for entry in self.directory.all().into_iter().filter(|entry| entry.tenant != TenantId::SYSTEM) {
            entry.hold(Hold::Unheard);
        }
    }
}

impl Engine {
    /// Whether the cell was restored, and its tenants are closed until the others have said what has left it.
    #[must_use]
    pub fn is_unheard(&self) -> bool {
        self.house.tended.is_unheard()
    }

    /// The other cells have said what has left this one, or an operator says that nothing has: its tenants are opened.
    ///
    /// # Errors
    /// Any [`SubmitError`].
    pub async fn hear_fleet(&self, caller: Caller) -> Result<(), SubmitError> {
        self.submit_system(caller, self.command_id(), Command::HearFleet {}).await?;
        if self.house.tended.unheard.swap(false, Ordering::SeqCst) {
            tracing::info!("the tenants of this cell are open: what has left it is known");
        }
        self.house.directory.all().into_iter().for_each(|entry| entry.release(Hold::Unheard));
        Ok(())
    }

    /// Ends when where a tenant lives has changed since the last call, or what the fleet is.
    pub async fn until_fleet_news(&self) {
        self.house.tended.news.notified().await;
    }

    /// Does what is left of moves: asks for the last word of tenants that were copied and not opened, and goes on with
    /// those that were leaving when the node went down. To be called again and again: each time does what can be done.
    pub async fn tend_moves(&self) {
        self.house.let_warm_go(false);
        let last = *self.house.tended.last.lock();
        let waiting: Vec<TenantId> = {
            let waiting = self.house.tended.waiting.lock();
            // Those behind the last one of before come first: one that cannot be done keeps nobody else waiting for ever.
            let (before, behind): (Vec<_>, Vec<_>) = waiting.iter().copied().partition(|one| *one <= last);
            behind.into_iter().chain(before).take(TENDED_AT_ONCE).collect()
        };
        for tenant in waiting {
            self.tend_one(tenant).await;
            *self.house.tended.last.lock() = tenant;
        }
        let house = Arc::clone(&self.house);
        let found = self.house.work(move || house.arrivals_left()).await;
        let found = match found {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return tracing::warn!(%error, "nobody knows which tenants were copied here"),
            Err(_) => return,
        };
        for Arriving { record, head, .. } in found.into_iter().take(TENDED_AT_ONCE) {
            if let Some(head) = head {
                self.tend_copy(&record, head).await;
            }
        }
    }

    /// A whole copy waits here: whoever gave it is asked for the last word.
    async fn tend_copy(&self, record: &TenantRecord, head: Head) {
        let tenant = record.id;
        // What is said below is said of the copy that is here now.
        let seen = self.house.takings.lock().get(&tenant).map(Taking::mark);
        if self.house.is_taken_now(tenant) {
            return;
        }
        for (cell, word) in self.words(tenant).await {
            let Ok(word) = word else { continue };
            match word.status {
                WordStatus::Nothing => {}
                WordStatus::Leaving => return,
                WordStatus::Stays => {
                    tracing::info!(%tenant, from = cell.0, "a tenant that was copied here stays where it was: the copy goes");
                    let mut takings = self.house.takings.lock();
                    let now = takings.get(&tenant).map(Taking::mark);
                    let same = match (&now, &seen) {
                        (None, None) => true,
                        (Some(now), Some(seen)) => Arc::ptr_eq(now, seen),
                        (None, Some(_)) | (Some(_), None) => false,
                    };
                    if same {
                        self.drop_taking(&mut takings, tenant);
                    }
                    return;
                }
                WordStatus::Moved => {
                    if let Some(record) = word.record.filter(|_| word.epoch == head.epoch) {
                        tracing::info!(%tenant, from = cell.0, "a tenant that was copied here has left where it was");
                        drop(self.begin_opening(tenant, record, (word.epoch, word.frame)));
                        return;
                    }
                }
            }
        }
    }

    /// What all other cells say of a tenant; the one that should know best first.
    pub(super) async fn words(&self, tenant: TenantId) -> Vec<(CellId, Result<LastWord, CarryError>)> {
        let carrier = self.house.carrier.lock().clone();
        let (Some(carrier), Some(fleet)) = (carrier, self.fleet()) else { return Vec::new() };
        let mut cells: Vec<CellId> = fleet.others().map(|cell| cell.id).collect();
        let likely = self.house.away(tenant).unwrap_or_else(|| tenant.cell());
        cells.sort_by_key(|cell| (*cell != likely, *cell));
        let mut said = Vec::with_capacity(cells.len());
        for cell in cells {
            said.push((cell, carrier.ask(cell, tenant).await));
        }
        said
    }

    /// Goes on with the move of a tenant that is leaving, or that another cell may have a copy of.
    pub(super) async fn tend_one(&self, tenant: TenantId) {
        // Whoever does something about it now knows more; the next round looks again.
        let Ok(_one) = self.house.tended.one(tenant).try_lock_owned() else { return };
        let done = match self.house.entry(tenant) {
            None => true,
            Some(entry) => match entry.known_view() {
                // It is looked at when it wakes.
                None => entry.standing() == crate::directory::Standing::Asleep,
                Some(view) => {
                    let course = view.root.full().course;
                    let tended = match (course.moving, course.lent) {
                        (Some(moving), _) => self.tend_leaving(&entry, moving).await,
                        (None, Some(cell)) => self.tend_lent(&entry, cell).await,
                        (None, None) => Ok(true),
                    };
                    tended.unwrap_or_else(|why| {
                        tracing::debug!(%tenant, %why, "a move is looked after again later");
                        false
                    })
                }
            },
        };
        if done {
            self.house.tended.waiting.lock().remove(&tenant);
        }
    }

    /// It has left, or was frozen when the node went down: then it stays, unless the other cell has opened it.
    async fn tend_leaving(&self, entry: &Arc<Entry>, moving: Moving) -> Result<bool, Stopped> {
        let (house, tenant) = (&self.house, entry.tenant);
        if moving.to == house.own_cell() {
            // It has come, and that was not noted yet.
            if !house.is_taken_now(tenant) {
                super::arrive::end_arrival(house, entry).await?;
            }
            return Ok(true);
        }
        if moving.moved {
            let placement = Placement { tenant, epoch: moving.epoch, cell: moving.to };
            return match self.placement(tenant) {
                Some(known) if known.epoch >= moving.epoch => Ok(true),
                Some(_) | None => self.place(placement).await.map(|()| true).map_err(Stopped::from),
            };
        }
        if house.moves_now(tenant) {
            return Ok(false);
        }
        if !self.drop_there(entry, moving.to).await? {
            return Ok(true);
        }
        order(house, entry, MoveStep::Stay).await?;
        order(house, entry, MoveStep::CopyGone).await?;
        house.began_here(entry);
        tracing::info!(%tenant, to = moving.to.0, "a move that was cut off is undone: the tenant goes on here");
        Ok(true)
    }

    /// A move of it was undone, and the other cell was not heard.
    async fn tend_lent(&self, entry: &Arc<Entry>, cell: CellId) -> Result<bool, Stopped> {
        if cell != self.house.own_cell() && !self.drop_there(entry, cell).await? {
            return Ok(true);
        }
        order(&self.house, entry, MoveStep::CopyGone).await?;
        self.house.began_here(entry);
        Ok(true)
    }

    /// Has another cell drop its copy. False when it has opened it: the tenant lives there.
    async fn drop_there(&self, entry: &Arc<Entry>, cell: CellId) -> Result<bool, Stopped> {
        let carrier = self.house.carrier.lock().clone().ok_or(Stopped::Refused(Refusal::CellUnknown))?;
        match carrier.carry(cell, entry.tenant, TakeStep::Drop).await {
            Ok(_) => Ok(true),
            Err(CarryError::Refused(Refusal::PlacementOld)) => {
                // Where it lives comes with the next round; nobody may be answered here until then.
                entry.set_away(Some(cell));
                tracing::warn!(tenant = %entry.tenant, cell = cell.0, "another cell has opened a tenant that was here: it is closed");
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What this cell says of a tenant, to another one that has a copy of it.
    ///
    /// # Errors
    /// `NotReady` while it wakes; `WrongTenant` for the system tenant.
    pub async fn last_word(&self, tenant: TenantId, asker: CellId) -> Result<LastWord, Refusal> {
        if tenant == TenantId::SYSTEM {
            return Err(Refusal::WrongTenant);
        }
        let house = &self.house;
        let Some(entry) = house.entry(tenant) else { return Ok(LastWord::default()) };
        let kept = house.store.is_kept(tenant).map_err(|_| Refusal::NotReady)?;
        let elsewhere = house.away(tenant).is_some_and(|cell| cell != asker);
        if !kept || elsewhere {
            return Ok(LastWord::default());
        }
        let Some(view) = entry.known_view() else {
            house.wake(&entry);
            return Err(Refusal::NotReady);
        };
        let moving = view.root.full().course.moving;
        match moving {
            Some(moving) if moving.to == asker && moving.moved => self.moved_word(tenant, moving).await,
            // What it has may be older than what has left it.
            Some(_) | None if entry.is_held() => Ok(LastWord::default()),
            Some(moving) if moving.to == asker => Ok(LastWord::says(WordStatus::Leaving, moving.epoch)),
            Some(_) | None if house.away(tenant).is_some() => Ok(LastWord::default()),
            Some(_) | None if house.moves_now(tenant) => Ok(LastWord::says(WordStatus::Leaving, Epoch(0))),
            Some(_) | None => Ok(LastWord::says(WordStatus::Stays, Epoch(0))),
        }
    }

    async fn moved_word(&self, tenant: TenantId, moving: Moving) -> Result<LastWord, Refusal> {
        let house = &self.house;
        let placed = self.placement(tenant);
        if placed.is_none_or(|placed| placed.epoch < moving.epoch) {
            let placement = Placement { tenant, epoch: moving.epoch, cell: moving.to };
            self.place(placement).await.map_err(|_| Refusal::NotReady)?;
        } else if placed.is_some_and(|placed| placed.epoch > moving.epoch) {
            return Ok(LastWord::default());
        }
        let record = house.system().and_then(|view| view.root.full().tenants.get(tenant));
        let on = Arc::clone(&house.store);
        let read = house.work(move || {
            let Some(head) = on.head(tenant)? else { return Ok(None) };
            on.frame(tenant, head.last())
        });
        let frame = read.await.map_err(|_| Refusal::NotReady)?.map_err(|_| Refusal::NotReady)?;
        Ok(LastWord {
            status: WordStatus::Moved,
            epoch: moving.epoch,
            record,
            frame: frame.unwrap_or_default(),
        })
    }
}
