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
    /// It has come, by the last word of the other cell: writing goes on here.
    Arrive,
    /// It goes on here by an operator's word, for the other cell is lost.
    Claim {
        /// Whether nothing can have been written there behind what is here: sessions live on. Else all of them end, for
        /// nobody knows which ended there.
        whole: bool,
    },
    /// The other cell has nothing any more of a move that was undone.
    CopyGone,
}

/// Numbers of states, as they stand on the wire and in what people are told: in this one place.
macro_rules! numbered {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $number:literal,)* })*) => {$(
        $(#[$doc])*
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Its number.
            #[must_use]
            pub const fn number(self) -> u32 {
                match self { $(Self::$variant => $number,)* }
            }

            /// The one of this number.
            #[must_use]
            pub const fn from_number(number: u32) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }
        }
    )*};
}

numbered! {
    /// How far a move is.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    MoveStatus {
        /// It is copied, and goes on meanwhile.
        Copying = 1,
        /// It takes no commands: the rest is copied.
        Frozen = 2,
        /// It has left, and is being opened in the other cell.
        HandedOver = 3,
        /// It lives in the other cell.
        Done = 4,
        /// It lives here and goes on.
        Stayed = 5,
        /// It stopped: the same command, repeated, goes on with it.
        Failed = 6,
    }
    /// How far the cell that takes a tenant is.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    TakenStatus {
        /// There is nothing of it.
        #[default]
        Nothing = 0,
        /// It is being copied.
        Copying = 1,
        /// The copy is whole, durable and closed.
        Copied = 2,
        /// It is being opened.
        Opening = 3,
        /// It lives here, or did to its end.
        Here = 4,
        /// The copy has failed: it is begun anew.
        Failed = 5,
    }
    /// Whether a tenant that is being taken is in memory there already.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    Warmth {
        /// It does not say: a version that loads what was copied when it is opened, and takes no last frames.
        #[default]
        Unsaid = 0,
        /// It is being loaded.
        Loading = 1,
        /// It is in memory, up to the revision that is told.
        Warm = 2,
        /// It is loaded when it is opened.
        Cold = 3,
    }
    /// What a cell says of a tenant that another one has a copy of.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    WordStatus {
        /// There is nothing of it, or what there is says nothing.
        #[default]
        Nothing = 0,
        /// It is on its way: the last word is still to come.
        Leaving = 1,
        /// It lives here, and is not on its way there.
        Stays = 2,
        /// It has left for the cell that asks: this is the last word.
        Moved = 3,
    }
    /// What an operator says of a tenant whose move cannot end by itself.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    SettleWay {
        /// The cell that it came from is lost for ever: what was copied is opened.
        SourceLost = 1,
        /// The cell that it went to has lost it: what was kept is opened again.
        TakeBack = 2,
        /// What was kept of it is removed.
        ForgetCopy = 3,
        /// Nothing has left this cell since the backup that it was restored from.
        TrustOwn = 4,
    }
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
    /// The cell that may still have a copy, of a move that was undone.
    pub lent: Option<CellId>,
}

impl Carried {
    /// Whether a position of an earlier epoch is one of the present one, too.
    #[must_use]
    pub fn holds(&self, now: Epoch, (epoch, revision): (Epoch, Revision)) -> bool {
        self.into == now && (self.from..self.into).contains(&epoch) && revision <= self.upto
    }
}

impl MoveStatus {
    /// Whether nothing more comes of it by itself.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Stayed | Self::Failed)
    }
}
