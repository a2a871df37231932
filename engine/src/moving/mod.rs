//! Moving a tenant to another cell while it is asked and written: copied, frozen, handed over, opened there.
//!
//! The cell that gives drives (`give`): it copies in passes while the tenant goes on, writes `Leave` into the tenant's
//! own history, which freezes it, copies the rest, and when the other cell has all of it, closed, writes `Depart`.
//! From that moment on nobody asks it here; only then is that frame given out, and it alone opens the tenant there
//! (`take`). What stops half way is finished or undone by the same command, repeated.

mod give;
mod take;

pub(crate) use give::Moves;
pub(crate) use take::Takings;

use crate::directory::Entry;
use crate::house::House;
use crate::submit;
use crate::view::View;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tessera_model::moving::MoveStep;
use tessera_model::record::TenantRecord;
use tessera_model::{CellId, Command, Epoch, Refusal, Revision, TenantId};

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

/// How far the cell that takes a tenant is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TakenStatus {
    /// There is nothing of it.
    #[default]
    Nothing,
    /// It is being copied.
    Copying,
    /// The copy is whole, durable and closed.
    Copied,
    /// It is being opened.
    Opening,
    /// It lives here.
    Here,
    /// The copy has failed: it is begun anew.
    Failed,
}

/// What the cell that takes a tenant tells.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Taken {
    /// How far it is.
    pub status: TakenStatus,
    /// Where the copy stands: the revision that comes next, and the link before it; once it is whole.
    pub next: Revision,
    /// See `next`.
    pub link: [u8; 32],
    /// Why it failed; for people.
    pub trouble: Option<String>,
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

/// Brings what is asked to other cells, over links that nobody else reads and whose ends know each other.
pub trait Carrier: Send + Sync + 'static {
    /// Asks a cell about a tenant.
    fn carry(&self, to: CellId, tenant: TenantId, step: TakeStep) -> Carried<'_>;
}

/// How far a move is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MoveStatus {
    /// It is copied, and goes on meanwhile.
    Copying,
    /// It takes no commands: the rest is copied.
    Frozen,
    /// It has left, and is being opened in the other cell.
    HandedOver,
    /// It lives in the other cell, and nothing of it is left here.
    Done,
    /// It lives here and goes on.
    Stayed,
    /// It stopped: the same command, repeated, goes on with it.
    Failed,
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

/// What is left to do for a tenant that is awake again: one that has left stays closed, and one that has come says so.
pub(crate) fn look_at(house: &Arc<House>, entry: &Entry, view: &View) {
    let Some(moving) = view.root.full().course.moving else { return };
    if moving.to == house.own_cell() {
        drop(tokio::spawn(take::arrive(Arc::clone(house), entry.tenant)));
    } else if moving.moved {
        entry.set_away(Some(moving.to));
        tracing::warn!(tenant = %entry.tenant, to = moving.to.0, "a tenant has left and was not opened elsewhere yet: repeat its move");
    } else {
        tracing::warn!(tenant = %entry.tenant, to = moving.to.0, "a tenant takes no commands: repeat or undo its move");
    }
}

/// LIMIT: looks of 10 ms at a tenant that is to be awake: ten minutes.
const LOOKS_MAX: u32 = 60_000;

/// Orders a step of its move in a tenant's own history.
async fn order(
    house: &Arc<House>,
    entry: &Arc<Entry>,
    step: MoveStep,
) -> Result<Revision, submit::SubmitError> {
    let ordered = submit::of_node(house, Command::NoteMove { step });
    submit::submit(house, entry, ordered).await.map(|done| done.receipt.revision)
}

/// Waits until a tenant is awake; false when it has failed, or does not come.
async fn until_awake(house: &Arc<House>, entry: &Arc<Entry>) -> bool {
    for _ in 0..LOOKS_MAX {
        house.wake(entry);
        match entry.standing() {
            crate::directory::Standing::Awake => return true,
            crate::directory::Standing::Failed => return false,
            crate::directory::Standing::Asleep
            | crate::directory::Standing::Waking
            | crate::directory::Standing::Leaving => {}
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}
