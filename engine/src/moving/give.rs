//! The cell that gives a tenant away.

use super::{
    Carrier, CarryError, MoveStatus, MoveTold, MoveWay, TakeStep, Taken, TakenStatus, Warmth, clear, order,
    until_awake,
};
use crate::directory::Entry;
use crate::engine::Engine;
use crate::house::House;
use crate::submit::SubmitError;
use crate::supervisor;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tessera_model::limits::MOVES_MAX;
use tessera_model::moving::{MoveStep, Moving};
use tessera_model::record::{TenantRecord, TenantStatus};
use tessera_model::{CellId, Epoch, Limit, Placement, Refusal, TenantId};
use tessera_storage::{CopySink, Head, Sent, StorageError};
use tokio::sync::mpsc;

/// LIMIT: moves that are remembered, the running ones among them; ended ones go first.
const REMEMBERED_MAX: usize = 64;
/// LIMIT: passes before a tenant is frozen, however much it writes meanwhile.
const PASSES_MAX: u32 = 8;
/// LIMIT: bytes of a pass behind which the rest is small: it is copied in some milliseconds.
const SMALL_BYTES: u64 = 256 * 1024;
/// LIMIT: passes over a frozen tenant: its node may have something to write of its own.
const LAST_PASSES_MAX: u32 = 8;
/// LIMIT: chunks that wait to be sent: 4 × 120 KiB.
const CHUNKS_AHEAD: usize = 4;
/// LIMIT: questions to the other cell about one step, some milliseconds apart: ten minutes at most.
const QUESTIONS_MAX: u32 = 60_000;
/// How long a pass may be over when the tenant is frozen, ms: what came since is small.
const FRESH_MS: u64 = 20;
/// How long it rests between two questions, at first and at most.
const REST_MS: (u64, u64) = (1, 10);

/// A move that was begun since the start.
pub(crate) struct Run {
    told: Arc<Mutex<MoveTold>>,
}

/// The moves that were begun since the start.
pub(crate) type Moves = Mutex<BTreeMap<TenantId, Run>>;

/// Why a move stopped; for people.
pub(super) enum Stopped {
    Refused(Refusal),
    Unknown,
    Store(StorageError),
    Carried(CarryError),
    Other(&'static str),
    There(String),
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Unknown => f.write_str("nobody knows whether the last step is durable"),
            Self::Store(error) => error.fmt(f),
            Self::Carried(error) => error.fmt(f),
            Self::Other(why) => f.write_str(why),
            Self::There(why) => write!(f, "the other cell: {why}"),
        }
    }
}

impl From<SubmitError> for Stopped {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Refused(refusal) | SubmitError::Wait { refusal, .. } => Self::Refused(refusal),
            SubmitError::Unknown => Self::Unknown,
        }
    }
}

impl From<StorageError> for Stopped {
    fn from(error: StorageError) -> Self {
        Self::Store(error)
    }
}

impl From<CarryError> for Stopped {
    fn from(error: CarryError) -> Self {
        Self::Carried(error)
    }
}

impl House {
    /// Whether a move of a tenant is under way here.
    pub(super) fn moves_now(&self, tenant: TenantId) -> bool {
        self.moves.lock().get(&tenant).is_some_and(|run| !run.told.lock().status.is_over())
    }

    /// Whether a move of a tenant is under way here, or has led to another cell.
    pub(crate) fn moves_away(&self, tenant: TenantId) -> bool {
        self.moves_now(tenant) || self.entry(tenant).is_some_and(|entry| entry.is_away())
    }
}

impl Engine {
    /// Takes what brings tenants to other cells into use.
    pub fn set_carrier(&self, carrier: Arc<dyn Carrier>) {
        *self.house.carrier.lock() = Some(carrier);
    }

    /// Begins to move a tenant to another cell, or to undo that, and tells how far it is; a move that is under way is
    /// told, and not begun again.
    ///
    /// # Errors
    /// `CellUnknown`, `TenantUnknown`, `WrongTenant` for the system tenant, `MoveRunning` when it is being moved
    /// otherwise, `Busy`.
    pub fn begin_move(&self, tenant: TenantId, to: CellId, way: MoveWay) -> Result<MoveTold, Refusal> {
        if tenant == TenantId::SYSTEM {
            return Err(Refusal::WrongTenant);
        }
        let carrier = self.house.carrier.lock().clone().ok_or(Refusal::CellUnknown)?;
        if to == self.house.own_cell() || self.cell(to).is_none() {
            return Err(Refusal::CellUnknown);
        }
        let system = self.house.system().ok_or(Refusal::NotReady)?;
        let record = system.root.full().tenants.get(tenant).ok_or(Refusal::TenantUnknown)?;
        if !matches!(record.status, TenantStatus::Active | TenantStatus::Suspended) {
            return Err(Refusal::TenantUnknown);
        }
        let status = MoveStatus::Copying;
        let told = MoveTold { tenant, to, status, bytes: 0, gap_ms: None, trouble: None };
        let mut moves = self.house.moves.lock();
        if let Some(run) = moves.get(&tenant) {
            let known = run.told.lock().clone();
            if !known.status.is_over() {
                let same = known.to == to && way == MoveWay::There;
                return if same { Ok(known) } else { Err(Refusal::MoveRunning) };
            }
        }
        let running = moves.values().filter(|run| !run.told.lock().status.is_over()).count();
        if running >= MOVES_MAX {
            return Err(Limit::Moves.busy());
        }
        if moves.len() >= REMEMBERED_MAX {
            moves.retain(|_, run| !run.told.lock().status.is_over());
        }
        let told = Arc::new(Mutex::new(told));
        moves.insert(tenant, Run { told: Arc::clone(&told) });
        drop(moves);
        let job = Job { engine: self.clone(), carrier, tenant, to, record, told, chunks: 0, froze_ms: None };
        drop(tokio::spawn(job.run(way)));
        self.follow_move(tenant)
    }

    /// How far the move of a tenant is that was begun since the start.
    ///
    /// # Errors
    /// `MoveUnknown`.
    pub fn follow_move(&self, tenant: TenantId) -> Result<MoveTold, Refusal> {
        let moves = self.house.moves.lock();
        let run = moves.get(&tenant).ok_or(Refusal::MoveUnknown)?;
        let told = run.told.lock().clone();
        Ok(told)
    }
}

/// One move.
struct Job {
    engine: Engine,
    carrier: Arc<dyn Carrier>,
    tenant: TenantId,
    to: CellId,
    record: TenantRecord,
    told: Arc<Mutex<MoveTold>>,
    /// Chunks that were sent.
    chunks: u64,
    /// When this run froze the tenant.
    froze_ms: Option<u64>,
}

impl Job {
    async fn run(mut self, way: MoveWay) {
        let (tenant, to) = (self.tenant, self.to);
        let house = Arc::clone(self.house());
        let _one = house.tended.alone(tenant).await;
        let ended = match way {
            MoveWay::There => self.there().await,
            MoveWay::Back => self.back().await,
        };
        match ended {
            Ok(status) => {
                tracing::info!(%tenant, to = to.0, "a move has ended");
                self.told.lock().status = status;
            }
            Err(stopped) => {
                tracing::error!(%tenant, to = to.0, error = %stopped, "a move has stopped: repeat or undo it");
                let mut told = self.told.lock();
                told.trouble = Some(stopped.to_string());
                told.status = MoveStatus::Failed;
            }
        }
    }

    fn house(&self) -> &Arc<House> {
        &self.engine.house
    }

    fn set(&self, status: MoveStatus) {
        self.told.lock().status = status;
    }

    async fn carry(&self, step: TakeStep) -> Result<Taken, Stopped> {
        let (mut rest, most) = REST_MS;
        for _ in 0..QUESTIONS_MAX {
            match self.carrier.carry(self.to, self.tenant, step.clone()).await {
                Ok(Taken { status: TakenStatus::Failed, trouble, .. }) => {
                    return Err(Stopped::There(trouble.unwrap_or_default()));
                }
                Ok(taken) => return Ok(taken),
                // It is busy with what it was asked before.
                Err(CarryError::Refused(Refusal::Busy(_) | Refusal::NotReady)) => {}
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(Duration::from_millis(rest)).await;
            rest = (rest * 2).min(most);
        }
        Err(Stopped::Other("the other cell takes nothing any more"))
    }

    /// Asks the other cell until it is that far, if it did not say so at once.
    async fn until(&self, mut taken: Taken, wanted: TakenStatus) -> Result<Taken, Stopped> {
        let (mut rest, most) = REST_MS;
        for _ in 0..QUESTIONS_MAX {
            if taken.status == wanted {
                return Ok(taken);
            }
            if taken.status == TakenStatus::Nothing {
                return Err(Stopped::Other("the other cell has lost what it had of the tenant"));
            }
            // A cell that waits itself until there is news answers later; one that does not is asked again.
            tokio::time::sleep(Duration::from_millis(rest)).await;
            rest = (rest * 2).min(most);
            taken = self.carry(TakeStep::Ask).await?;
        }
        Err(Stopped::Other("the other cell does not come to an end"))
    }

    /// Has the other cell open the tenant, and asks until it lives there. A node that was started again behind its answer
    /// has what was copied and no longer knows that it was to open it: it is told once more.
    async fn opened(&self, open: TakeStep) -> Result<Taken, Stopped> {
        let (mut rest, most) = REST_MS;
        let mut step = open.clone();
        for _ in 0..QUESTIONS_MAX {
            let taken = self.carry(step).await?;
            step = match taken.status {
                TakenStatus::Here => return Ok(taken),
                TakenStatus::Nothing | TakenStatus::Copied => open.clone(),
                TakenStatus::Copying | TakenStatus::Opening | TakenStatus::Failed => TakeStep::Ask,
            };
            tokio::time::sleep(Duration::from_millis(rest)).await;
            rest = (rest * 2).min(most);
        }
        Err(Stopped::Other("the other cell does not come to an end"))
    }

    /// Where the tenant is going, as its own history says.
    async fn moving(&self, entry: &Arc<Entry>) -> Result<Option<Moving>, Stopped> {
        if !until_awake(self.house(), entry).await {
            return Err(Stopped::Refused(Refusal::TenantFailed));
        }
        let view = entry.known_view().ok_or(Stopped::Refused(Refusal::NotReady))?;
        let course = view.root.full().course;
        if let Some(cell) = course.lent.filter(|cell| *cell != self.to && *cell != self.house().own_cell()) {
            // Two cells must not have copies that may be opened by somebody's word.
            match self.carrier.carry(cell, self.tenant, TakeStep::Drop).await {
                Ok(_) => drop(order(self.house(), entry, MoveStep::CopyGone).await?),
                Err(error) => {
                    return Err(Stopped::There(format!(
                        "cell {} has what is left of an earlier move: {error}",
                        cell.0
                    )));
                }
            }
        }
        Ok(course.moving)
    }

    fn entry(&self) -> Result<Arc<Entry>, Stopped> {
        self.house().entry(self.tenant).ok_or(Stopped::Refused(Refusal::TenantUnknown))
    }

    async fn there(&mut self) -> Result<MoveStatus, Stopped> {
        let entry = self.entry()?;
        match self.house().away(self.tenant) {
            Some(cell) if cell == self.to => return self.hand_over(&entry).await,
            Some(_) => return Err(Stopped::Refused(Refusal::Redirect)),
            None => {}
        }
        let epoch = match self.moving(&entry).await? {
            Some(moving) if moving.to != self.to => {
                return Err(Stopped::Other("it is on its way to another cell: undo that first"));
            }
            Some(moving) if moving.moved => return self.hand_over(&entry).await,
            Some(moving) => {
                self.froze_ms = Some(self.house().clock.elapsed_ms());
                moving.epoch
            }
            None => self.next_epoch()?,
        };
        match self.copy(&entry, epoch).await {
            Ok(head) => match order(self.house(), &entry, MoveStep::Depart { next: head.next }).await {
                Ok(_) => self.hand_over(&entry).await,
                Err(SubmitError::Unknown) => Err(Stopped::Unknown),
                Err(error) => self.thaw(&entry, error.into()).await,
            },
            Err(stopped) => self.thaw(&entry, stopped).await,
        }
    }

    /// A move that fails before the tenant has left is undone: nobody waits for a move that does not go on.
    async fn thaw(&self, entry: &Arc<Entry>, stopped: Stopped) -> Result<MoveStatus, Stopped> {
        if self.froze_ms.is_some()
            && let Err(error) = order(self.house(), entry, MoveStep::Stay).await
        {
            tracing::error!(tenant = %self.tenant, %error, "a tenant that does not move takes no commands: undo the move");
            return Err(stopped);
        }
        self.drop_there(entry).await;
        Err(stopped)
    }

    /// What is left in the other cell opens to nobody but by an operator's word; where it is not reached now, it is
    /// asked again.
    async fn drop_there(&self, entry: &Arc<Entry>) {
        match self.carrier.carry(self.to, self.tenant, TakeStep::Drop).await {
            Ok(_) => {
                if let Err(error) = order(self.house(), entry, MoveStep::CopyGone).await {
                    tracing::warn!(tenant = %self.tenant, %error, "another cell is asked again to drop what it has of a tenant");
                    self.house().tend(self.tenant);
                }
            }
            Err(error) => {
                tracing::warn!(tenant = %self.tenant, %error, "the other cell keeps a copy of a tenant that stays, until it is reached");
                self.house().tend(self.tenant);
            }
        }
    }

    /// Higher than any that the tenant has had anywhere.
    fn next_epoch(&self) -> Result<Epoch, Stopped> {
        let head = self.house().store.head(self.tenant)?.ok_or(Stopped::Refused(Refusal::TenantUnknown))?;
        let placed = self.engine.placement(self.tenant).map_or(Epoch(0), |placement| placement.epoch);
        Ok(Epoch(head.epoch.max(placed).0.saturating_add(1)))
    }

    /// Copies the tenant: most of it while it goes on, the rest while it is frozen. Tells its head, which the other
    /// cell has confirmed.
    async fn copy(&mut self, entry: &Arc<Entry>, epoch: Epoch) -> Result<Head, Stopped> {
        self.carry(TakeStep::Begin { record: self.record.clone(), epoch }).await?;
        // What it had was no tenant: it has not opened a copy while this node was down.
        self.house().began_here(entry);
        let (mut sent, mut last) = (Sent::new(), None);
        if self.froze_ms.is_none() {
            for _ in 0..PASSES_MAX {
                let (given, copied) = self.pass(entry, sent).await?;
                sent = given;
                let (takes, waited) = self.until_warm(&copied).await?;
                last = takes.then_some(copied);
                if sent.last_bytes() <= SMALL_BYTES && !waited {
                    break;
                }
            }
            let frozen = self.house().clock.elapsed_ms();
            match order(self.house(), entry, MoveStep::Leave { to: self.to, epoch }).await {
                Ok(_) | Err(SubmitError::Unknown) => self.froze_ms = Some(frozen),
                Err(SubmitError::Refused(refusal) | SubmitError::Wait { refusal, .. }) => {
                    return Err(Stopped::Refused(refusal));
                }
            }
        }
        self.set(MoveStatus::Frozen);
        tracing::debug!(tenant = %self.tenant, "a tenant that moves takes no commands");
        for _ in 0..LAST_PASSES_MAX {
            let copied;
            (sent, copied) = self.last_pass(entry, sent, last).await?;
            last = last.map(|_| copied);
            let live = self.house().store.head(self.tenant)?;
            if live.is_some_and(|live| (live.next, live.link) == (copied.next, copied.link)) {
                let ended = self.carry(TakeStep::End).await?;
                let taken = self.until(ended, TakenStatus::Copied).await?;
                tracing::debug!(tenant = %self.tenant, "the other cell has all of a tenant");
                return if (taken.next, taken.link) == (copied.next, copied.link) {
                    Ok(copied)
                } else {
                    Err(Stopped::Other("the other cell has something else"))
                };
            }
        }
        Err(Stopped::Other("the checkpoint does not reach the tenant's end"))
    }

    /// Waits until the other cell has in memory what was copied. Tells whether it takes what comes last as frames, and
    /// whether that took so long that there may be much to copy again.
    async fn until_warm(&self, copied: &Head) -> Result<(bool, bool), Stopped> {
        let began = self.house().clock.elapsed_ms();
        let (mut rest, most) = REST_MS;
        for _ in 0..QUESTIONS_MAX {
            let taken = self.carry(TakeStep::Ask).await?;
            let waited = self.house().clock.elapsed_ms().saturating_sub(began);
            match taken.warmth {
                Warmth::Unsaid => return Ok((false, false)),
                Warmth::Warm if taken.next < copied.next => {}
                Warmth::Warm | Warmth::Cold => return Ok((true, waited > FRESH_MS)),
                Warmth::Loading => {}
            }
            tokio::time::sleep(Duration::from_millis(rest)).await;
            rest = (rest * 2).min(most);
        }
        Err(Stopped::Other("the other cell does not get a tenant into memory"))
    }

    /// One pass over a frozen tenant: the frames behind the last one, where the other cell takes them and they are few.
    async fn last_pass(
        &mut self,
        entry: &Arc<Entry>,
        mut sent: Sent,
        last: Option<Head>,
    ) -> Result<(Sent, Head), Stopped> {
        if let Some(from) = last {
            let store = Arc::clone(&self.house().store);
            let (given, copied) = self
                .give(move |sink| {
                    let copied = store.copy_last(&from, &mut sent, sink);
                    (sent, copied)
                })
                .await?;
            match copied? {
                Some(copied) => return Ok((given, copied)),
                None => sent = given,
            }
        }
        self.pass(entry, sent).await
    }

    /// One pass of the copy, behind a checkpoint of the tenant alone.
    async fn pass(&mut self, entry: &Arc<Entry>, mut sent: Sent) -> Result<(Sent, Head), Stopped> {
        if !supervisor::hand_over(self.house(), entry).await? {
            return Err(Stopped::Refused(Refusal::TenantFailed));
        }
        tracing::debug!(tenant = %self.tenant, "a pass begins");
        let (store, tenant) = (Arc::clone(&self.house().store), self.tenant);
        let (sent, copied) = self
            .give(move |sink| {
                let copied = store.copy_out(tenant, &mut sent, sink);
                (sent, copied)
            })
            .await?;
        Ok((sent, copied?))
    }

    /// Sends the chunks that are made meanwhile.
    async fn give<T: Send + 'static>(
        &mut self,
        making: impl FnOnce(CopySink<'_>) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (give, mut chunks) = mpsc::channel::<Vec<u8>>(CHUNKS_AHEAD);
        let made = tokio::task::spawn_blocking(move || {
            making(&mut |chunk| give.blocking_send(chunk).map_err(|_| StorageError::LaneStopped))
        });
        while let Some(bytes) = chunks.recv().await {
            let len = bytes.len() as u64;
            self.carry(TakeStep::Chunk { number: self.chunks, bytes }).await?;
            self.chunks += 1;
            self.told.lock().bytes += len;
        }
        tracing::debug!(tenant = %self.tenant, "a pass has gone over");
        made.await.map_err(|_| Stopped::Other("the copy ended by a fault"))
    }

    /// The tenant has left: it is closed here, and opened there. What is here is kept until an operator says that it may
    /// go: the other cell may yet lose what it has.
    async fn hand_over(&self, entry: &Arc<Entry>) -> Result<MoveStatus, Stopped> {
        self.set(MoveStatus::HandedOver);
        tracing::debug!(tenant = %self.tenant, "a tenant has left");
        let mut taken = Taken::default();
        if let Some(head) = self.house().store.head(self.tenant)? {
            let moving = self.moving(entry).await?.filter(|moving| moving.moved && moving.to == self.to);
            let placed = self.engine.placement(self.tenant);
            let epoch = match (moving, placed.filter(|placed| placed.cell == self.to)) {
                (Some(moving), placed) if placed.is_none_or(|placed| placed.epoch <= moving.epoch) => {
                    moving.epoch
                }
                // It was opened there by an operator's word, or came there on another way.
                (_, Some(_)) => return self.settled(entry, Taken::default()).await,
                (_, None) => return Err(Stopped::Other("it has not left")),
            };
            let last = head.last();
            let (on, tenant) = (Arc::clone(&self.house().store), self.tenant);
            let frame = self.house().work(move || on.frame(tenant, last)).await;
            let frame = frame.map_err(|_| Stopped::Other("the last frame was not read"))??;
            let frame = frame.ok_or(Stopped::Other("the last frame is not there"))?;
            // What was ordered of it in the system tenant while it was copied goes along.
            let record = self.house().system().and_then(|view| view.root.full().tenants.get(self.tenant));
            let record = record.ok_or(Stopped::Refused(Refusal::TenantUnknown))?;
            // Its own history closes it here, so that nobody waits for the placement.
            let (placed, opened) =
                tokio::join!(self.place(epoch, placed), self.opened(TakeStep::Open { record, epoch, frame }));
            placed?;
            taken = opened?;
        }
        self.settled(entry, taken).await
    }

    async fn place(&self, epoch: Epoch, placed: Option<Placement>) -> Result<(), Stopped> {
        if placed.is_some_and(|placed| placed.epoch >= epoch) {
            return Ok(());
        }
        let placement = Placement { tenant: self.tenant, epoch, cell: self.to };
        match self.engine.place(placement).await {
            // The other cell has said so meanwhile.
            Ok(()) | Err(SubmitError::Refused(Refusal::PlacementOld)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// It lives there: nobody needs it here in memory any more.
    async fn settled(&self, entry: &Arc<Entry>, taken: Taken) -> Result<MoveStatus, Stopped> {
        let taken =
            if taken.status == TakenStatus::Nothing { self.carry(TakeStep::Ask).await? } else { taken };
        self.until(taken, TakenStatus::Here).await?;
        tracing::debug!(tenant = %self.tenant, "a tenant lives in the other cell");
        if let Some(froze) = self.froze_ms {
            let gap = self.house().clock.elapsed_ms().saturating_sub(froze);
            self.told.lock().gap_ms = Some(gap);
        }
        if !self.house().config.keeps_moved() {
            clear(self.house(), entry, false).await?;
        }
        Ok(MoveStatus::Done)
    }

    /// Undoes a move that has not handed the tenant over.
    async fn back(&self) -> Result<MoveStatus, Stopped> {
        let entry = self.entry()?;
        let has_left = || Stopped::Other("it has left: repeat the move, and move it back");
        if self.house().away(self.tenant).is_some() {
            return Err(has_left());
        }
        let moving = self.moving(&entry).await?;
        if moving.is_some_and(|moving| moving.moved) {
            return Err(has_left());
        }
        if moving.is_some_and(|moving| moving.to != self.to) {
            return Err(Stopped::Other("it is on its way to another cell"));
        }
        if moving.is_some() {
            order(self.house(), &entry, MoveStep::Stay).await?;
        }
        // Where it is closed because the other cell may have opened it, this is the operator's word that it has not.
        self.house().began_here(&entry);
        self.drop_there(&entry).await;
        Ok(MoveStatus::Stayed)
    }
}
