//! Moves of tenants between cells, as requests and rows.

use crate::shape::shapes;
use tessera_model::{Deadline, Name, Private, TenantId};

shapes! {
    /// How far a move is.
    #[derive(Clone, Debug, Eq, PartialEq)]
    MoveRow {
        /// Which tenant.
        tenant: TenantId = Tenant,
        /// To which cell.
        cell: u32 = Cell,
        /// 1 it is copied, 2 it takes no commands, 3 it is handed over, 4 it lives there, 5 it stays, 6 it stopped.
        status: u32 = MoveStatus,
        /// Bytes that were copied.
        bytes: u64 = BytesDone,
        /// How long it took no commands, ms; 0 before it does again.
        gap: u64 = MoveGap,
        /// Why it stopped; none when it did not.
        trouble: Option<String> = Trouble,
    }
    /// What the cell that takes a tenant tells.
    #[derive(Clone)]
    TakenRow {
        /// 0 it has nothing, 1 it is copied, 2 the copy is whole and closed, 3 it is opened, 4 it lives there, 5 it failed.
        status: u32 = TakenStatus,
        /// The revision that comes next in a whole copy; while it is copied, behind what is in memory.
        revision: u64 = Revision,
        /// The link before it, 32 bytes; empty without a whole copy.
        link: Private = ChainLink,
        /// Why it failed; none when it did not.
        trouble: Option<String> = Trouble,
        /// Whether it is in memory: 1 it is being loaded, 2 it is in memory, 3 it is loaded when it is opened.
        warmth: Option<u32> = Warmth,
    }
    /// What a cell says of a tenant of which the one that asks has a copy.
    #[derive(Clone)]
    WordRow {
        /// 0 it has nothing that says anything, 1 it is on its way, 2 it lives there, 3 it has left for the one that asks.
        status: u32 = WordStatus,
        /// The epoch that it is to have where it goes; 0 where it does not.
        epoch: u64 = Epoch,
        /// Its name (left).
        name: Option<Name> = Name,
        /// When it was made (left).
        created: Deadline = Created,
        /// Whether it is suspended (left).
        suspended: bool = Suspended,
        /// The frame that ended its life there (left); else empty.
        frame: Private = Chunk,
    }
    /// What became of a tenant by an operator's word.
    #[derive(Clone, Debug, Eq, PartialEq)]
    SettledRow {
        /// Which tenant.
        tenant: TenantId = Tenant,
        /// The epoch that it goes on in; 0 where it does not.
        epoch: u64 = Epoch,
        /// The last position that is here.
        revision: u64 = Revision,
        /// Whether whatever was acknowledged elsewhere is here.
        whole: bool = CopyWhole,
    }
    /// A tenant of which a cell has something though it does not live there.
    #[derive(Clone, Debug, Eq, PartialEq)]
    CopyRow {
        /// Which tenant.
        tenant: TenantId = Tenant,
        /// Its name, as it was known there last.
        name: Name = Name,
        /// Whether it came from elsewhere and waits to be opened; else it has left, and is kept.
        arriving: bool = Arriving,
        /// Whether all of it is there.
        whole: bool = CopyWhole,
        /// The last position that is there.
        revision: u64 = Revision,
        /// The cell that the tenant lives in, as far as this one knows.
        cell: Option<u32> = Cell,
    }
}

/// The table of requests: the commands that are given, then those about moves, then the others.
macro_rules! and_moves {
    ($($commands:tt)*) => {
        $crate::visibility::and_visibility! {
            $($commands)*
            /// Begins to move a tenant to another cell, or tells how far that is. One row. By an operator.
            MoveTenant = 0x20F4 -> MoveRow {
                /// Which tenant.
                tenant: TenantId = Tenant,
                /// To which cell.
                cell: u32 = Cell,
                /// To undo a move that has not handed it over.
                undo: bool = Undo,
                /// Only to tell how far it is.
                follow: bool = Follow,
            };
            /// A step of a move, by the cell that gives to the cell that takes. One row.
            TakeTenant = 0x20F5 -> TakenRow {
                /// 1 begin, 2 the next chunk, 3 that was all, 4 how far is it, 5 open it, 6 drop what was copied.
                step: u32 = MoveStep,
                /// Which tenant.
                tenant: TenantId = Tenant,
                /// The epoch that it is to have (begin, open).
                epoch: u64 = Epoch,
                /// Its name (begin, open).
                name: Option<Name> = Name,
                /// When it was made (begin, open).
                created: Deadline = Created,
                /// Whether it is suspended (begin, open).
                suspended: bool = Suspended,
                /// The number of the chunk, from 0 on.
                number: u64 = ChunkNumber,
                /// The chunk; or the frame that opens it.
                bytes: Option<Private> = Chunk,
            };
            /// What a cell says of a tenant, by the cell that has a copy of it. One row.
            LastWord = 0x20F6 -> WordRow {
                /// Which tenant.
                tenant: TenantId = Tenant,
                /// The cell that asks.
                cell: u32 = Cell,
            };
            /// Does what an operator says of a tenant whose move cannot end by itself. One row.
            SettleTenant = 0x20F7 -> SettledRow {
                /// Which tenant; the system tenant for the whole cell.
                tenant: TenantId = Tenant,
                /// 1 the cell that it came from is lost, 2 the cell that it went to has lost it, 3 what is kept of it
                /// may go, 4 nothing has left this cell since it was restored.
                way: u32 = SettleWay,
                /// Whether what was acknowledged elsewhere may be lost.
                loss: bool = AcceptLoss,
            };
            /// The tenants of which a cell has something though they do not live there, in the system tenant.
            ListCopies = 0x20F8 -> CopyRow {
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
        }
    };
}
pub(crate) use and_moves;
