//! Fleets: cells, where tenants live, and how a node finds the others, as requests and rows.

use crate::shape::shapes;
use tessera_model::{TenantId, UnixMillis};

shapes! {
    /// A cell, as the fleet file has it.
    #[derive(Clone, Debug, Eq, PartialEq)]
    CellRow {
        /// The version of the file: the same in every row.
        version: u64 = FleetVersion,
        /// Its number, which the ids of tenants born there begin with.
        cell: u32 = Cell,
        /// Its name.
        name: String = Name,
        /// Where its QUIC door is, `host:port`.
        address: String = CellAddress,
        /// The name in its certificate.
        certificate: String = CertificateName,
        /// Where its HTTP door is; none when nobody is told.
        http: Option<String> = HttpOrigin,
    }
    /// Where a tenant lives of which anybody ever said so.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    PlacementRow {
        /// Which tenant.
        tenant: TenantId = Tenant,
        /// Since which epoch.
        epoch: u64 = Epoch,
        /// In which cell.
        cell: u32 = Cell,
    }
    /// What a node is in its fleet.
    #[derive(Clone, Debug, Eq, PartialEq)]
    FleetRow {
        /// The version of the fleet file that it uses.
        version: u64 = FleetVersion,
        /// Its cell.
        cell: u32 = Cell,
        /// The name of that.
        name: String = Name,
        /// How many tenants live there.
        tenants: u64 = Tenants,
        /// How many placements it knows.
        placements: u64 = Placements,
        /// A number that two nodes have in common when they know the same ones.
        digest: u64 = PlacementsDigest,
        /// Whether it was restored, and its tenants are closed until the other cells have said what has left it.
        unheard: Option<bool> = Unheard,
    }
    /// What a node found when it asked another cell last.
    #[derive(Clone, Debug, Eq, PartialEq)]
    PeerRow {
        /// Which.
        cell: u32 = Cell,
        /// Whether it answered.
        reached: bool = Reached,
        /// When that was; 0 when it was not asked yet.
        seen: UnixMillis = Happened,
        /// Why it did not answer; none when it did.
        trouble: Option<String> = Trouble,
        /// The version of the fleet file that it used when it answered last.
        version: u64 = FleetVersion,
        /// How many tenants lived there.
        tenants: u64 = Tenants,
        /// How many placements it knew.
        placements: u64 = Placements,
        /// Of how many tenants the two say otherwise of one and the same epoch, or did not take what the other knew.
        differs: u64 = Differs,
    }
}

/// The table of requests: the commands that are given, then those about fleets, then the others.
macro_rules! and_fleet {
    ($($commands:tt)*) => {
        $crate::moving::and_moves! {
            $($commands)*
            /// Says that a tenant lives in a cell from an epoch on; refused unless that is higher than the known one. By
            /// another node of the fleet, in the system tenant.
            PlaceTenant = 0x10F0 -> Made {
                /// Which tenant.
                tenant: TenantId = Tenant,
                /// Since which epoch.
                epoch: u64 = Epoch,
                /// In which cell.
                cell: u32 = Cell,
            };
            /// The cells of the fleet, by number; none of a node that belongs to none. Any credential may ask.
            ListCells = 0x20F0 -> CellRow {
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// Where tenants live of which anybody ever said so, in the system tenant.
            ListPlacements = 0x20F1 -> PlacementRow {
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
            };
            /// What the node is in its fleet, in the system tenant; no row of one that belongs to none.
            ReadFleet = 0x20F2 -> FleetRow {};
            /// What the node found when it asked the other cells last, in the system tenant.
            ListPeers = 0x20F3 -> PeerRow {};
        }
    };
}
pub(crate) use and_fleet;
