//! Moving a tenant to another cell while it is asked and written: copied, frozen, handed over, opened there.
//!
//! The cell that gives drives (`give`): it copies in passes while the tenant goes on, writes `Leave` into the tenant's
//! own history, which freezes it, copies the rest, and when the other cell has all of it, closed, writes `Depart`.
//! From that moment on nobody asks it here; only then is that frame given out, and it alone opens the tenant there
//! (`take`). What stops half way is finished or undone by the same command, repeated, or by the nodes themselves
//! (`tend`). What cannot be finished because a cell is lost is ended by an operator's word (`settle`).

mod arrive;
mod give;
mod hold;
#[cfg(debug_assertions)]
mod same;
mod settle;
mod take;
mod tend;
mod wait;
mod warm;

pub(crate) use give::Moves;
pub(crate) use hold::Hold;
pub use settle::{CopyFound, Settled};
pub(crate) use take::Takings;
pub use tend::LastWord;
pub(crate) use tend::Tended;
pub use tessera_model::moving::{MoveStatus, SettleWay, TakenStatus, Warmth, WordStatus};

use crate::directory::{Entry, Standing};
use crate::house::House;
use crate::submit;
use crate::view::View;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tessera_model::moving::MoveStep;
use tessera_model::record::{TenantRecord, TenantStatus};
use tessera_model::{CellId, Command, Epoch, Placement, Refusal, Revision, TenantId};
use tessera_storage::StorageError;
use wait::{until_awake, until_loaded};

/// What the cell that gives a tenant asks of the one that takes it.
#[derive(Clone, Debug, PartialEq)]
pub enum TakeStep {
    /// To begin; an earlier copy that was not opened goes.
    Begin {
        /// What is known of the tenant.
        record: TenantRecord,
        /// The epoch that it is to have there.
        epoch: Epoch,
    },
    /// To take the next chunk of the copy.
    Chunk {
        /// Its number, from 0 on.
        number: u64,
        /// The chunk.
        bytes: Vec<u8>,
    },
    /// That was all: the copy is to be verified and made durable, closed.
    End,
    /// How far it is.
    Ask,
    /// To open the tenant.
    Open {
        /// What is known of it.
        record: TenantRecord,
        /// The epoch that it is to have there.
        epoch: Epoch,
        /// The frame that ended its life in the other cell.
        frame: Vec<u8>,
    },
    /// To drop a copy that was not opened.
    Drop,
}

/// What the cell that takes a tenant tells.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Taken {
    /// How far it is.
    pub status: TakenStatus,
    /// Where the copy stands: the revision that comes next, and the link before it; once it is whole. Before that, how far
    /// it is in memory.
    pub next: Revision,
    /// See `next`.
    pub link: [u8; 32],
    /// Why it failed; for people.
    pub trouble: Option<String>,
    /// Whether it is in memory already, while it is copied.
    pub warmth: Warmth,
}

/// Why the other cell gave no answer, or none of use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CarryError {
    /// It refused.
    Refused(Refusal),
    /// It was not reached, or did not answer.
    Unreached(Box<str>),
}

impl fmt::Display for CarryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "the other cell refused: {refusal}"),
            Self::Unreached(why) => write!(f, "the other cell was not reached: {why}"),
        }
    }
}

impl std::error::Error for CarryError {}

/// An answer on its way.
pub type Carried<'a> = Pin<Box<dyn Future<Output = Result<Taken, CarryError>> + Send + 'a>>;

/// What a cell says of a tenant, on its way.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Result<LastWord, CarryError>> + Send + 'a>>;

/// Brings what is asked to other cells, over links that nobody else reads and whose ends know each other.
pub trait Carrier: Send + Sync + 'static {
    /// Asks a cell about a tenant that it takes.
    fn carry(&self, to: CellId, tenant: TenantId, step: TakeStep) -> Carried<'_>;

    /// Asks a cell what it says of a tenant of which this one has a copy.
    fn ask(&self, _cell: CellId, _tenant: TenantId) -> Asked<'_> {
        Box::pin(async { Err(CarryError::Unreached("nobody asks it".into())) })
    }
}

/// What is told of a move.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MoveTold {
    /// Which tenant.
    pub tenant: TenantId,
    /// Where to.
    pub to: CellId,
    /// How far it is.
    pub status: MoveStatus,
    /// Bytes that were copied.
    pub bytes: u64,
    /// How long it took no commands, ms; none before it does again.
    pub gap_ms: Option<u64>,
    /// Why it stopped; for people.
    pub trouble: Option<String>,
}

/// What is to become of a tenant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MoveWay {
    /// It goes to the other cell.
    There,
    /// It stays: a move that has not handed it over is undone.
    Back,
}

/// What is left to do for a tenant that is in memory again: one that has left stays closed, one that has come says so,
/// and of which another cell may have opened a copy while this one was down is closed until that was asked.
pub(crate) fn look_at(house: &Arc<House>, entry: &Entry, view: &View) {
    let (tenant, course) = (entry.tenant, view.root.full().course);
    if house.is_opening(tenant) {
        // Whoever opens it knows what is left to do.
        return;
    }
    let own = house.own_cell();
    match course.moving {
        Some(moving) if moving.to == own => {
            // Its sessions end first, where it was opened without the last word of the other cell.
            entry.hold(Hold::Own);
            drop(tokio::spawn(arrive::arrive(Arc::clone(house), tenant)));
        }
        Some(moving) if moving.moved => {
            if house.away(tenant).is_none() {
                entry.set_away(Some(moving.to));
            }
            house.tend(tenant);
        }
        Some(_) => {
            if !house.tended.is_of_this_life(tenant) {
                entry.hold(Hold::Own);
            }
            house.tend(tenant);
        }
        None if course.lent.is_some_and(|cell| cell != own) => {
            if !house.tended.is_of_this_life(tenant) {
                entry.hold(Hold::Own);
            }
            house.tend(tenant);
        }
        None => {}
    }
}

/// Orders a step of its move in a tenant's own history.
async fn order(
    house: &Arc<House>,
    entry: &Arc<Entry>,
    step: MoveStep,
) -> Result<Revision, submit::SubmitError> {
    let ordered = submit::of_node(house, Command::NoteMove { step });
    submit::submit(house, entry, ordered).await.map(|done| done.receipt.revision)
}

/// Ends the tenant's actor, and removes all that there is of it here if it is to go. Blocks nobody.
async fn clear(house: &Arc<House>, entry: &Arc<Entry>, forget: bool) -> Result<(), StorageError> {
    // What is being loaded or put to sleep must not come to its end behind this.
    leave(entry).await?;
    let actor = entry.actor.lock().take();
    if let Some(actor) = actor {
        actor.stop_and_wait().await;
    }
    entry.show(None);
    entry.intake.refuse(Refusal::Redirect);
    let (store, tenant) = (Arc::clone(&house.store), entry.tenant);
    let done = if forget {
        house.work(move || store.forget(tenant)).await.unwrap_or(Err(StorageError::LaneStopped))
    } else {
        Ok(())
    };
    entry.set_standing(Standing::Asleep);
    if entry.is_away() || forget {
        // Whoever was let in between.
        entry.intake.refuse(Refusal::Redirect);
    }
    done
}

/// Takes a tenant's standing for whoever removes it from memory, when nobody else is about to change it.
async fn leave(entry: &Entry) -> Result<(), StorageError> {
    let left = async {
        loop {
            // Before the look: what stirs in between is not missed.
            let stirred = entry.stirred();
            match entry.standing() {
                Standing::Waking | Standing::Leaving => stirred.await,
                now @ (Standing::Asleep | Standing::Awake | Standing::Failed) => {
                    if entry.shift(now, Standing::Leaving) {
                        return;
                    }
                }
            }
        }
    };
    tokio::time::timeout(wait::AWAKE_PATIENCE, left).await.map_err(|_| StorageError::Busy)
}

/// Whether a tenant is in memory, and nothing is left of its way here.
fn has_arrived(entry: &Entry) -> bool {
    entry.known_view().is_some_and(|view| view.root.full().course.moving.is_none())
}

/// The command by which the system tenant of this cell takes a tenant as one of its own.
fn adopt(record: TenantRecord, placement: Placement) -> Command {
    let TenantRecord { name, created, status, .. } = record;
    Command::AdoptTenant { name, created, suspended: status == TenantStatus::Suspended, placement }
}
