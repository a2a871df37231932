//! Faults that are planted into the simulation, which must be noticed in every run.

use super::one;
use crate::node::Trouble;
use std::sync::Arc;
use tessera_crypto::PasswordPool;
use tessera_model::{CellId, Event};
use tessera_storage::disk::simulated::Planted;

/// LIMIT: seeds in which a planted fault must be caught.
const PLANTED_SEEDS: u64 = 60;

/// What a tenant forgets when it is loaded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Spoil {
    /// That sessions were ended.
    Ends,
    /// Failed sign-ins.
    Failures,
    /// That refresh handles were replaced.
    Refreshes,
    /// That a tenant has left this cell: no world of one node has that.
    Left(CellId),
}

impl Spoil {
    /// What worlds of one node notice.
    pub(crate) const ALL: [Self; 3] = [Self::Ends, Self::Failures, Self::Refreshes];

    /// What is planted, for people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ends => "a wake that forgets ended sessions",
            Self::Failures => "a wake that forgets failed sign-ins",
            Self::Refreshes => "a wake that forgets refreshes",
            Self::Left(_) => "a cell that goes on with what has left it",
        }
    }

    pub(super) fn forgets(self, event: &Event) -> bool {
        match self {
            Self::Ends => matches!(event, Event::SessionEnded { .. }),
            Self::Failures => matches!(event, Event::FailuresCounted(_)),
            Self::Refreshes => matches!(event, Event::SessionRefreshed { .. }),
            Self::Left(own) => {
                // A load that forgot the last word alone would find that it was leaving, and ask before it opens.
                let left = matches!(event, Event::TenantLeaving { to, .. } | Event::TenantMoved { to, .. } if *to != own);
                left || matches!(event, Event::TenantPlaced(placed) if placed.cell != own)
            }
        }
    }
}

/// A fault that is planted into every life.
pub(super) enum Plant {
    /// None.
    None,
    /// One of the disk.
    Disk(Planted),
    /// One of every wake.
    Wake(Spoil),
}

/// Plants each fault in turn, until a seed shows it; tells which ones were caught.
pub(super) fn planted(
    seed: u64,
    pool: &Arc<PasswordPool>,
    faults: &mut Vec<String>,
) -> Result<String, Trouble> {
    let mut told = Vec::new();
    let plants = [(Plant::Disk(Planted::SyncAfterAnswer), "answers before their sync")]
        .into_iter()
        .chain(Spoil::ALL.map(|spoil| (Plant::Wake(spoil), spoil.name())));
    for (plant, name) in plants {
        let mut caught = None;
        for seed in seed..seed + PLANTED_SEEDS {
            // One that ends the simulation is noticed as well.
            if one(seed, &plant, pool).map_or(true, |ran| !ran.faults.is_empty()) {
                caught = Some(seed);
                break;
            }
        }
        match caught {
            Some(seed) => told.push(format!("{name} caught with seed {seed}")),
            None => {
                told.push(format!("{name} NOT noticed"));
                faults.push(format!("{name}: not noticed"));
            }
        }
    }
    Ok(told.join(", "))
}
