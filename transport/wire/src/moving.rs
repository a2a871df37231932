//! Moves of tenants between cells, as requests and rows.

use crate::shape::shapes;
use tessera_model::{Private, TenantId};

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
        /// The revision that comes next in a whole copy.
        revision: u64 = Revision,
        /// The link before it, 32 bytes; empty without a whole copy.
        link: Private = ChainLink,
        /// Why it failed; none when it did not.
        trouble: Option<String> = Trouble,
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
        }
    };
}
pub(crate) use and_moves;
