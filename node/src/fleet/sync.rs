//! Where tenants live, told between cells: what another cell knows in a higher epoch is taken, what it does not know is
//! sent. Two cells that know the same find that out by one number.

use super::peers::Peers;
use std::collections::HashMap;
use std::time::Duration;
use tessera_client::wire::{FleetRow, PlacementRow, Request};
use tessera_client::{Client, ClientError};
use tessera_engine::{Engine, SubmitError};
use tessera_model::limits::{PAGE_ROWS_MAX, PLACEMENTS_MAX};
use tessera_model::{Cell, CellId, Epoch, PeerSeen, Placement, Refusal, TenantId};
use tokio::time::{Instant, timeout_at};

/// LIMIT: pages of another cell's placements: a page may hold less than it could.
const PAGES_MAX: usize = PLACEMENTS_MAX.div_ceil(PAGE_ROWS_MAX) * 2;
/// LIMIT: how long another cell may take in one round to tell and take placements; the next round goes on.
const PATIENCE: Duration = Duration::from_secs(10);
/// LIMIT: placements of this node that are looked at in one go.
const LOOKED_AT_ONCE: usize = 1_000;

/// Exchanges what is known with one other cell, and notes what was found. True when nothing that it knows is left to be
/// taken here.
pub(super) async fn with(engine: &Engine, peers: &Peers, cell: &Cell) -> bool {
    let before = engine.peers().into_iter().find(|seen| seen.cell == cell.id).unwrap_or_default();
    let told = exchange(engine, peers, cell).await;
    let seen = match told {
        Ok((row, differs)) => {
            if !before.reached {
                tracing::info!(cell = %cell.name, "another cell of the fleet answers");
            }
            PeerSeen {
                cell: cell.id,
                reached: true,
                at: engine.now(),
                trouble: Box::default(),
                version: row.version,
                tenants: row.tenants,
                placements: row.placements,
                differs,
            }
        }
        Err(trouble) => {
            if *before.trouble != *trouble {
                tracing::warn!(cell = %cell.name, why = %trouble, "another cell of the fleet does not answer: tenants of this one are served");
            }
            // A connection that does not lead anywhere is made anew.
            peers.forget(cell.id).await;
            let (reached, trouble, at) = (false, trouble.into(), engine.now());
            PeerSeen { cell: cell.id, reached, trouble, at, ..before }
        }
    };
    // A newer file may name a cell that this node has not asked.
    let known = engine.fleet().map_or(0, |fleet| fleet.version());
    let heard = seen.reached && seen.differs == 0 && seen.version <= known;
    engine.note_peer(seen);
    heard
}

async fn exchange(engine: &Engine, peers: &Peers, cell: &Cell) -> Result<(FleetRow, u64), String> {
    let client = peers.client(cell).await?;
    let row = told(&client).await?;
    if row.cell != u32::from(cell.id.0) {
        let (there, said) = (row.cell, cell.id);
        return Err(format!(
            "the node at {} is cell {there}, not {said}: one of the fleet files is wrong",
            cell.address
        ));
    }
    if row.digest == engine.placements_told().1 {
        return Ok((row, 0));
    }
    let until = Instant::now() + PATIENCE;
    let theirs = timeout_at(until, all(&client)).await;
    let theirs = theirs.map_err(|_| format!("it did not tell all within {} s", PATIENCE.as_secs()))??;
    let mut differs = take(engine, cell, &theirs).await;
    differs += send(engine, (&client, until), &theirs).await?;
    Ok((told(&client).await?, differs))
}

/// What the other node is in its fleet.
async fn told(client: &Client) -> Result<FleetRow, String> {
    let page = client.list::<FleetRow>(&Request::ReadFleet {}).await.map_err(|error| {
        if matches!(error, ClientError::Refused(Refusal::Unauthorized)) {
            "the key for it may not do tessera.fleet.sync there".to_owned()
        } else {
            error.to_string()
        }
    })?;
    page.rows.into_iter().next().ok_or_else(|| "the node there belongs to no fleet".to_owned())
}

/// All that another cell knows.
async fn all(client: &Client) -> Result<HashMap<TenantId, (Epoch, CellId)>, String> {
    let (mut theirs, mut after) = (HashMap::new(), None);
    for _ in 0..PAGES_MAX {
        let page = client.list::<PlacementRow>(&Request::ListPlacements { after, limit: 0 }).await;
        let page = page.map_err(|error| error.to_string())?;
        for row in page.rows {
            if let (Ok(cell), true) = (u16::try_from(row.cell), theirs.len() < PLACEMENTS_MAX) {
                theirs.insert(row.tenant, (Epoch(row.epoch), CellId(cell)));
            }
        }
        match page.next {
            Some(next) => after = Some(tessera_model::Private::new(next)),
            None => return Ok(theirs),
        }
    }
    Err("it tells of more placements than there can be".to_owned())
}

/// Takes what another cell knows in a higher epoch; says how much of it stays in dispute.
async fn take(engine: &Engine, from: &Cell, theirs: &HashMap<TenantId, (Epoch, CellId)>) -> u64 {
    let mut differs = 0;
    for (tenant, (epoch, cell)) in theirs {
        let placement = Placement { tenant: *tenant, epoch: *epoch, cell: *cell };
        match engine.placement(*tenant) {
            Some(known) if known.epoch > *epoch || known == placement => {}
            Some(known) if known.epoch == *epoch => {
                // Nobody can tell who is right: it is closed here until an operator says so in a higher epoch.
                if engine.dispute(placement) {
                    tracing::error!(%tenant, from = %from.name, here = %known.cell, there = %cell, epoch = epoch.0, "two cells say otherwise of one epoch where a tenant lives: it is closed");
                }
                differs += 1;
            }
            _ => match engine.place(placement).await {
                Ok(()) => {
                    tracing::info!(%tenant, %cell, epoch = epoch.0, from = %from.name, "a tenant lives elsewhere by now")
                }
                // A newer one came meanwhile.
                Err(SubmitError::Refused(Refusal::PlacementOld)) => {}
                Err(error) => {
                    tracing::warn!(%tenant, %error, "a placement was not taken");
                    differs += 1;
                }
            },
        }
    }
    differs
}

/// Sends what another cell does not know, or knows in a lower epoch; says how much of it was not taken.
async fn send(
    engine: &Engine,
    (to, until): (&Client, Instant),
    theirs: &HashMap<TenantId, (Epoch, CellId)>,
) -> Result<u64, String> {
    let (mut after, mut differs) = (None, 0);
    loop {
        let mine = engine.placements(after, LOOKED_AT_ONCE);
        let Some(last) = mine.last() else { return Ok(differs) };
        after = Some(last.tenant);
        for placed in mine {
            if theirs.get(&placed.tenant).is_some_and(|(epoch, _)| *epoch >= placed.epoch) {
                continue;
            }
            if Instant::now() >= until {
                return Ok(differs + 1);
            }
            let (tenant, epoch, cell) = (placed.tenant, placed.epoch.0, u32::from(placed.cell.0));
            match to.request(&Request::PlaceTenant { tenant, epoch, cell }).await {
                Ok(_) | Err(ClientError::Refused(Refusal::PlacementOld)) => {}
                Err(ClientError::Refused(refusal)) => {
                    tracing::warn!(%tenant, %refusal, "another cell did not take a placement");
                    differs += 1;
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}
