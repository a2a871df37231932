//! The cell that takes a tenant.

use super::arrive::note_arrival;
use super::warm::{Claimed, Shelf};
use super::{TakeStep, Taken, TakenStatus, Warmth, adopt, clear, has_arrived, until_awake, until_loaded};
use crate::engine::Engine;
use crate::house::House;
use crate::moving::Hold;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tessera_model::limits::{MOVE_CHUNKS_MAX, MOVES_MAX};
use tessera_model::moving::MoveStep;
use tessera_model::record::{TenantRecord, TenantStatus};
use tessera_model::{Caller, CellId, Epoch, Event, Limit, Placement, Refusal, Revision, TenantId};
use tessera_storage::{Arrival, FrameRead, StorageError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// LIMIT: how long nobody may ask for what is being copied: it is dropped when another tenant comes.
const IDLE_MS: u64 = 10 * 60 * 1_000;
/// LIMIT: how long a cell that asks is kept waiting for the end of what it asked for; then it asks again.
const NEWS_PATIENCE: Duration = Duration::from_secs(2);

/// What the one who writes is told.
enum Work {
    Chunk(Vec<u8>),
    End,
}

/// How far a copy is in memory: what comes next, the link before it, and whether it is there.
type Far = (Revision, [u8; 32], Warmth);

/// Who writes a copy, and what of it is in memory.
type Before = (Option<JoinHandle<()>>, Arc<Shelf>);

/// What is told of it: whoever waits for the end is woken by every change.
pub(super) type Told = watch::Sender<Taken>;

/// A tenant that is being taken.
pub(crate) struct Taking {
    epoch: Epoch,
    /// Chunks that were taken in.
    chunks: u64,
    ended: bool,
    work: mpsc::Sender<Work>,
    told: Arc<Told>,
    /// Who writes it; whatever comes after it waits for the end of that.
    writer: Option<JoinHandle<()>>,
    /// Whether what was copied is being dropped.
    dropped: bool,
    /// When it was asked for last.
    asked_ms: u64,
    /// What of it is in memory.
    shelf: Arc<Shelf>,
}

impl Taking {
    /// One that takes no more work.
    fn closed(epoch: Epoch, told: Taken) -> Self {
        let (work, _) = mpsc::channel(1);
        let told = Arc::new(Told::new(told));
        let (writer, dropped, shelf) = (None, false, Shelf::cold());
        Self { epoch, chunks: 0, ended: true, work, told, writer, dropped, asked_ms: 0, shelf }
    }

    /// What of it is in memory.
    pub(super) fn shelf(&self) -> Arc<Shelf> {
        Arc::clone(&self.shelf)
    }

    /// When it was asked for last.
    pub(super) const fn asked_ms(&self) -> u64 {
        self.asked_ms
    }

    /// How far it is.
    pub(super) fn told(&self) -> Taken {
        self.told.borrow().clone()
    }

    /// What tells it from every other one of the same tenant.
    pub(super) fn mark(&self) -> Arc<Told> {
        Arc::clone(&self.told)
    }

    fn is_copying(&self) -> bool {
        self.told.borrow().status == TakenStatus::Copying
    }

    /// Whether something is being done about it.
    fn is_busy(&self) -> bool {
        matches!(self.told.borrow().status, TakenStatus::Copying | TakenStatus::Opening)
    }

    /// Whether it is being written, opened or dropped.
    fn is_held(&self) -> bool {
        self.dropped || self.is_busy()
    }

    fn is_opening(&self) -> bool {
        self.told.borrow().status == TakenStatus::Opening
    }

    fn is_idle(&self, now_ms: u64) -> bool {
        self.is_copying() && now_ms.saturating_sub(self.asked_ms) > IDLE_MS
    }
}

/// The tenants that are being taken.
pub(crate) type Takings = Mutex<BTreeMap<TenantId, Taking>>;

impl House {
    /// Whether the tenant is being opened here by somebody who knows what is left to do.
    pub(super) fn is_opening(&self, tenant: TenantId) -> bool {
        let takings = self.takings.lock();
        takings.get(&tenant).is_some_and(Taking::is_opening)
    }

    /// Whether a copy of it is being written, opened or dropped here.
    pub(super) fn is_taken_now(&self, tenant: TenantId) -> bool {
        self.takings.lock().get(&tenant).is_some_and(|taking| taking.is_held())
    }

    /// It is opened here by an operator's word.
    ///
    /// # Errors
    /// `MoveRunning` while a copy of it is being written, opened or dropped.
    pub(super) fn open_by_word(&self, tenant: TenantId, epoch: Epoch) -> Result<(), Refusal> {
        let opening = Taking::closed(epoch, Taken { status: TakenStatus::Opening, ..Taken::default() });
        let mut takings = self.takings.lock();
        if takings.get(&tenant).is_some_and(|taking| taking.is_held()) {
            return Err(Refusal::MoveRunning);
        }
        takings.insert(tenant, opening);
        Ok(())
    }
}

impl Engine {
    /// As [`Engine::take_step`]; tells how far it is when that has changed, or after two seconds.
    ///
    /// # Errors
    /// As [`Engine::take_step`].
    pub async fn take_step_and_wait(&self, tenant: TenantId, step: TakeStep) -> Result<Taken, Refusal> {
        let ended = || self.house.takings.lock().get(&tenant).is_none_or(|taking| taking.ended);
        let waits = match &step {
            TakeStep::End | TakeStep::Open { .. } => true,
            // What is still to come of a copy is nothing to wait for.
            TakeStep::Ask => ended(),
            TakeStep::Begin { .. } | TakeStep::Chunk { .. } | TakeStep::Drop => false,
        };
        let taken = self.take_step(tenant, step)?;
        if !waits || !matches!(taken.status, TakenStatus::Copying | TakenStatus::Opening) {
            return Ok(taken);
        }
        let told = self.house.takings.lock().get(&tenant).map(|taking| Arc::clone(&taking.told));
        if let Some(told) = told {
            let mut told = told.subscribe();
            let changed = told.wait_for(|told| told.status != taken.status);
            drop(tokio::time::timeout(NEWS_PATIENCE, changed).await);
        }
        self.how_far(tenant)
    }

    /// Takes a step of a move of which this cell is the end, for a cell of its fleet. Returns at once: what takes
    /// longer is asked for again.
    ///
    /// # Errors
    /// `PlacementOld` when it lives here, or somewhere since a later epoch; `Duplicate` when its name is taken;
    /// `Busy`; `MoveUnknown` for a step of what was not begun.
    pub fn take_step(&self, tenant: TenantId, step: TakeStep) -> Result<Taken, Refusal> {
        match step {
            TakeStep::Begin { record, epoch } => self.begin_taking(tenant, &record, epoch),
            TakeStep::Chunk { number, bytes } => {
                let mut takings = self.house.takings.lock();
                let taking = self.under_way(&mut takings, tenant)?;
                if number == taking.chunks && !taking.ended {
                    taking.work.try_send(Work::Chunk(bytes)).map_err(|_| Limit::MoveChunks.busy())?;
                    taking.chunks += 1;
                } else if number > taking.chunks {
                    return Err(Refusal::Changed);
                }
                Ok(taking.told())
            }
            TakeStep::End => {
                let mut takings = self.house.takings.lock();
                let taking = self.under_way(&mut takings, tenant)?;
                if !taking.ended {
                    taking.work.try_send(Work::End).map_err(|_| Limit::MoveChunks.busy())?;
                    taking.ended = true;
                }
                Ok(taking.told())
            }
            TakeStep::Ask => self.how_far(tenant),
            TakeStep::Open { record, epoch, frame } => self.begin_opening(tenant, record, (epoch, frame)),
            TakeStep::Drop => {
                self.may_come(tenant, None)?;
                let mut takings = self.house.takings.lock();
                if takings.get(&tenant).is_some_and(Taking::is_opening) {
                    return Err(Limit::Moves.busy());
                }
                self.drop_taking(&mut takings, tenant);
                Ok(Taken::default())
            }
        }
    }

    /// The tenant that is being taken, asked for now.
    fn under_way<'a>(
        &self,
        takings: &'a mut BTreeMap<TenantId, Taking>,
        tenant: TenantId,
    ) -> Result<&'a mut Taking, Refusal> {
        let taking = takings.get_mut(&tenant).filter(|taking| !taking.dropped);
        let taking = taking.ok_or(Refusal::MoveUnknown)?;
        taking.asked_ms = self.house.clock.elapsed_ms();
        Ok(taking)
    }

    /// Drops what was copied of a tenant, once nobody writes it any more; until then it is not begun anew.
    pub(super) fn drop_taking(&self, takings: &mut BTreeMap<TenantId, Taking>, tenant: TenantId) {
        if takings.get(&tenant).is_some_and(|taking| taking.dropped) {
            return;
        }
        let dropping = Taking { dropped: true, ..Taking::closed(Epoch(0), Taken::default()) };
        let writer = takings.insert(tenant, dropping).and_then(|old| old.writer);
        drop(tokio::spawn(let_go(Arc::clone(&self.house), tenant, writer)));
    }

    /// Whether the tenant may come here, in this epoch.
    fn may_come(&self, tenant: TenantId, epoch: Option<Epoch>) -> Result<(), Refusal> {
        if tenant == TenantId::SYSTEM {
            return Err(Refusal::WrongTenant);
        }
        let system = self.house.system().ok_or(Refusal::NotReady)?;
        let root = system.root.full();
        let placed = root.placements.get(tenant);
        let later = placed.is_some_and(|placed| epoch.is_some_and(|epoch| placed.epoch >= epoch));
        if later || self.house.is_adopted(tenant) { Err(Refusal::PlacementOld) } else { Ok(()) }
    }

    fn begin_taking(&self, tenant: TenantId, record: &TenantRecord, epoch: Epoch) -> Result<Taken, Refusal> {
        self.may_come(tenant, Some(epoch))?;
        if record.id != tenant || !record.name.is_label() {
            return Err(Refusal::Malformed);
        }
        let system = self.house.system().ok_or(Refusal::NotReady)?;
        if system.root.full().tenant_named(&record.name).is_some_and(|other| other != tenant) {
            return Err(Refusal::Duplicate);
        }
        let mut takings = self.house.takings.lock();
        if takings.get(&tenant).is_some_and(|taking| taking.dropped || taking.is_opening()) {
            return Err(Limit::Moves.busy());
        }
        let asked_ms = self.house.clock.elapsed_ms();
        let others = takings.iter().filter(|(other, _)| **other != tenant);
        let idle: Vec<_> =
            others.filter(|(_, taking)| taking.is_idle(asked_ms)).map(|(other, _)| *other).collect();
        idle.into_iter().for_each(|other| self.drop_taking(&mut takings, other));
        // One that ended is remembered by the store.
        takings.retain(|other, taking| *other == tenant || taking.is_held());
        if takings.keys().filter(|other| **other != tenant).count() >= MOVES_MAX {
            return Err(Limit::Moves.busy());
        }
        let before = takings.remove(&tenant).and_then(|old| old.writer);
        let (work, working) = mpsc::channel(MOVE_CHUNKS_MAX);
        let warmth = Warmth::Loading;
        let copying = Taken { status: TakenStatus::Copying, warmth, ..Taken::default() };
        let told = Arc::new(Told::new(copying.clone()));
        let shelf = Arc::new(Shelf::default());
        let task = (Arc::clone(&told), Arc::clone(&shelf));
        let writing = write(self.clone(), (record.clone(), epoch), (before, working), task);
        let (far, kept) = (Arc::clone(&told), Arc::clone(&shelf));
        let writer = Some(tokio::spawn(async move {
            writing.await;
            if far.borrow().status != TakenStatus::Copied {
                kept.let_go();
            }
        }));
        let (chunks, ended, dropped) = (0, false, false);
        takings.insert(tenant, Taking { epoch, chunks, ended, work, told, writer, dropped, asked_ms, shelf });
        drop(takings);
        Ok(copying)
    }

    fn how_far(&self, tenant: TenantId) -> Result<Taken, Refusal> {
        let mut warmth = Warmth::Unsaid;
        if let Some(taking) = self.house.takings.lock().get_mut(&tenant) {
            taking.asked_ms = self.house.clock.elapsed_ms();
            let told = taking.told();
            if told.status != TakenStatus::Here {
                return Ok(told);
            }
            warmth = told.warmth;
        }
        let arrived = self.house.store.arrived(tenant).map_err(|error| refusal_of(&error))?;
        if let Some(head) = arrived {
            let status = TakenStatus::Copied;
            return Ok(Taken { status, next: head.next, link: head.link, ..Taken::default() });
        }
        let here = self.house.away(tenant).is_none();
        let Some(entry) = self.house.entry(tenant).filter(|_| here) else { return Ok(Taken::default()) };
        self.house.wake(&entry);
        // One that came to its end here needs no other cell's copy.
        let ended = matches!(entry.status(), TenantStatus::Closing | TenantStatus::Deleted);
        let arrived = ended || has_arrived(&entry);
        let status = if arrived { TakenStatus::Here } else { TakenStatus::Opening };
        Ok(Taken { status, warmth, ..Taken::default() })
    }

    pub(super) fn begin_opening(
        &self,
        tenant: TenantId,
        record: TenantRecord,
        (epoch, frame): (Epoch, Vec<u8>),
    ) -> Result<Taken, Refusal> {
        if record.id != tenant || tenant == TenantId::SYSTEM {
            return Err(Refusal::Malformed);
        }
        let placed = self.placement(tenant);
        let own = Placement { tenant, epoch, cell: self.house.own_cell() };
        if placed.is_some_and(|placed| placed != own && placed.epoch >= epoch) {
            return Err(Refusal::PlacementOld);
        }
        let (told, before) = {
            let mut takings = self.house.takings.lock();
            let mut opening =
                Taking::closed(epoch, Taken { status: TakenStatus::Opening, ..Taken::default() });
            opening.asked_ms = self.house.clock.elapsed_ms();
            let told = Arc::clone(&opening.told);
            match takings.get(&tenant) {
                Some(known) if known.is_opening() && known.epoch == epoch => return Ok(known.told()),
                // What is being dropped is gone before anything of it is opened.
                Some(known) if known.dropped || known.is_opening() => return Err(Limit::Moves.busy()),
                Some(_) | None => {
                    let mut before = takings.remove(&tenant);
                    let shelf = before.as_ref().map_or_else(Shelf::cold, Taking::shelf);
                    // It counts for the memory that there is until it is opened.
                    opening.shelf = Arc::clone(&shelf);
                    takings.insert(tenant, opening);
                    (told, (before.as_mut().and_then(|before| before.writer.take()), shelf))
                }
            }
        };
        let opening = told.borrow().clone();
        drop(tokio::spawn(open(self.clone(), (record, own), (frame, before), told)));
        Ok(opening)
    }
}

pub(super) fn refusal_of(error: &StorageError) -> Refusal {
    tracing::warn!(%error, "a tenant that moves was not looked up");
    if matches!(error, StorageError::TenantHere(_)) { Refusal::PlacementOld } else { Refusal::NotReady }
}

fn failed(told: &Told, tenant: TenantId, error: &dyn std::fmt::Display) {
    tracing::error!(%tenant, %error, "a tenant that came from another cell was not taken");
    told.send_modify(|told| {
        told.trouble = Some(error.to_string());
        told.status = TakenStatus::Failed;
    });
}

/// Removes what is left here of a tenant that comes back, with its actor; where nothing is left, nothing.
async fn make_room(house: &Arc<House>, tenant: TenantId) -> Result<(), StorageError> {
    let on = Arc::clone(house);
    let kept =
        house.work(move || on.store.is_kept(tenant)).await.unwrap_or(Err(StorageError::LaneStopped))?;
    if !kept {
        return Ok(());
    }
    match house.entry(tenant).filter(|_| house.away(tenant).is_some()) {
        Some(entry) => clear(house, &entry, true).await,
        None => Err(StorageError::TenantHere(tenant)),
    }
}

/// Writes what comes, one piece of work after the other.
async fn write(
    engine: Engine,
    (record, epoch): (TenantRecord, Epoch),
    (before, mut working): (Option<JoinHandle<()>>, mpsc::Receiver<Work>),
    (told, shelf_of): (Arc<Told>, Arc<Shelf>),
) {
    let tenant = record.id;
    // What an earlier copy writes last must not stand among what this one writes.
    if let Some(before) = before {
        drop(before.await);
    }
    // Frames of an earlier life here must not stand in the journal when those of the next one come.
    if !engine.checkpoint().await {
        return failed(&told, tenant, &"a checkpoint could not be taken");
    }
    let house = Arc::clone(&engine.house);
    if let Err(error) = make_room(&house, tenant).await {
        return failed(&told, tenant, &error);
    }
    let on = Arc::clone(&house);
    let begun = move || {
        let arrival = on.store.begin_arrival(tenant)?;
        on.store.note_arrival(&record, &|tenant| on.is_adopted(tenant))?;
        Ok::<_, StorageError>(arrival)
    };
    let mut arrival = match house.work(begun).await {
        Ok(Ok(arrival)) => arrival,
        Ok(Err(error)) => return failed(&told, tenant, &error),
        Err(_) => return failed(&told, tenant, &"a fault of the node"),
    };
    while let Some(work) = working.recv().await {
        let (on, shelf) = (Arc::clone(&house), Arc::clone(&shelf_of));
        match work {
            Work::Chunk(bytes) => {
                let taken = house.work(move || taken(&on, arrival, &bytes, &shelf)).await;
                let far = match taken {
                    Ok(Ok(taken)) => taken,
                    Ok(Err(error)) => return failed(&told, tenant, &error),
                    Err(_) => return failed(&told, tenant, &"a fault of the node"),
                };
                arrival = far.0;
                told.send_modify(|told| (told.next, told.link, told.warmth) = far.1);
            }
            Work::End => {
                let ended = house.work(move || {
                    let head = on.store.end_arrival(&mut arrival, epoch);
                    (head, arrival)
                });
                let arrival = match ended.await {
                    Ok((Ok(head), arrival)) => {
                        let status = TakenStatus::Copied;
                        let taken = Taken { status, next: head.next, link: head.link, ..Taken::default() };
                        told.send_replace(taken);
                        arrival
                    }
                    Ok((Err(error), _)) => return failed(&told, tenant, &error),
                    Err(_) => return failed(&told, tenant, &"a fault of the node"),
                };
                // The other cell writes its last word meanwhile.
                let (on, shelf) = (Arc::clone(&house), Arc::clone(&shelf_of));
                let kept = house.work(move || shelf.keep_up(&on, &arrival)).await;
                if !matches!(kept, Ok(Ok(()))) {
                    tracing::warn!(%tenant, "a tenant that was copied is loaded from the disk when it is opened");
                    shelf_of.let_go();
                }
                return;
            }
        }
    }
    // Nobody sends any more: another copy was begun, or this one dropped.
}

/// Drops what was copied of a tenant, behind the last that is written of it.
async fn let_go(house: Arc<House>, tenant: TenantId, writer: Option<JoinHandle<()>>) {
    if let Some(writer) = writer {
        drop(writer.await);
    }
    let on = Arc::clone(&house);
    match house.work(move || on.store.drop_arrival(tenant)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%tenant, %error, "what was copied of a tenant that stays is still here");
        }
        Err(_) => tracing::warn!(%tenant, "what was copied of a tenant that stays is still here"),
    }
    let mut takings = house.takings.lock();
    if takings.get(&tenant).is_some_and(|taking| taking.dropped) {
        takings.remove(&tenant);
    }
}

/// Takes a chunk; tells how far it is in memory then.
fn taken(
    house: &House,
    mut arrival: Arrival,
    bytes: &[u8],
    shelf: &Shelf,
) -> Result<(Arrival, Far), StorageError> {
    house.store.take_arrival(&mut arrival, bytes)?;
    // What came behind buckets is taken once it is durable: nobody waits for it then.
    if arrival.is_in_buckets() {
        shelf.keep_up(house, &arrival)?;
    }
    let mut told = Taken::default();
    shelf.tell(&mut told);
    Ok((arrival, (told.next, told.link, told.warmth)))
}

/// Whether a frame says that the tenant has left for this cell, in this epoch.
fn opens(frame: &FrameRead, (cell, epoch): (CellId, Epoch)) -> bool {
    let moved = |event: &Event| *event == Event::TenantMoved { to: cell, epoch };
    frame.caller == Caller::Node && frame.events.iter().any(moved)
}

/// Opens a tenant: in the store, then in the system tenant, then in its own history.
async fn open(
    engine: Engine,
    (record, own): (TenantRecord, Placement),
    (frame, (writer, shelf)): (Vec<u8>, Before),
    told: Arc<Told>,
) {
    let (house, tenant) = (Arc::clone(&engine.house), own.tenant);
    let on = Arc::clone(&house);
    let opened = house
        .work(move || on.store.open_arrival(tenant, &frame, &|frame| opens(frame, (own.cell, own.epoch))));
    let refused = |error: &dyn std::fmt::Display| {
        shelf.let_go();
        failed(&told, tenant, error);
    };
    let head = match opened.await {
        Ok(Ok(head)) => head,
        Ok(Err(error)) => return refused(&error),
        Err(_) => return refused(&"a fault of the node"),
    };
    tracing::debug!(%tenant, "a copy is a tenant of the store");
    let claimed = Claimed::take(&house, tenant);
    let adopt = adopt(record, own);
    if let Err(error) = engine.submit_system(Caller::Node, engine.command_id(), adopt).await {
        return refused(&error);
    }
    tracing::debug!(%tenant, "a tenant that came is known here");
    if let Some(writer) = writer {
        // It keeps up what is in memory.
        drop(writer.await);
    }
    let Some(entry) = house.entry(tenant) else { return refused(&Refusal::TenantUnknown) };
    let warm = match claimed {
        Some(claimed) => {
            let on = Arc::clone(&house);
            match house.work(move || claimed.show(&on, &shelf, &head)).await {
                Ok(Ok(warm)) => warm,
                Ok(Err(differs)) => return failed(&told, tenant, &differs),
                Err(_) => false,
            }
        }
        None => {
            shelf.let_go();
            false
        }
    };
    let awake = if warm { until_awake(&house, &entry).await } else { until_loaded(&house, &entry).await };
    if !awake {
        return failed(&told, tenant, &Refusal::TenantFailed);
    }
    tracing::debug!(%tenant, warm, "a tenant that came is in memory");
    match note_arrival(&house, &entry, MoveStep::Arrive).await {
        Ok(()) => {
            tracing::info!(%tenant, warm, "a tenant has come from another cell");
            entry.release(Hold::Own);
            told.send_modify(|told| {
                told.status = TakenStatus::Here;
                told.warmth = if warm { Warmth::Warm } else { Warmth::Cold };
            });
        }
        Err(error) => failed(&told, tenant, &error),
    }
}
