//! A tenant on its way from one cell to another, as its own history has it.

use crate::id::CellId;
use crate::revision::{Epoch, Revision};

/// A step of a move in the history of the tenant that moves. The node alone orders one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum MoveStep {
    /// Nothing more is written but the end of this move.
    Leave {
        /// Where it goes.
        to: CellId,
        /// The epoch that it has there.
        epoch: Epoch,
    },
    /// It does not move: writing goes on.
    Stay,
    /// It has left. Refused unless nothing was written behind what the other cell has.
    Depart {
        /// The revision that comes next, as the other cell has it.
        next: Revision,
    },
    /// It has come: writing goes on here.
    Arrive,
}

/// Where a tenant is going.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moving {
    /// The cell.
    pub to: CellId,
    /// The epoch that it has there.
    pub epoch: Epoch,
    /// The first epoch whose positions its history holds without a gap.
    pub from: Epoch,
    /// Whether it has left.
    pub moved: bool,
}

/// What a move has carried on: positions of earlier epochs that mean the same in this one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Carried {
    /// From this epoch on.
    pub from: Epoch,
    /// Into this one.
    pub into: Epoch,
    /// Up to this position.
    pub upto: Revision,
}

/// How a tenant goes from cell to cell.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Course {
    /// Where it is going.
    pub moving: Option<Moving>,
    /// What its last move has carried on.
    pub carried: Option<Carried>,
}

impl Carried {
    /// Whether a position of an earlier epoch is one of the present one, too.
    #[must_use]
    pub fn holds(&self, now: Epoch, (epoch, revision): (Epoch, Revision)) -> bool {
        self.into == now && (self.from..self.into).contains(&epoch) && revision <= self.upto
    }
}
