//! Lists about fleets: cells for everybody who has a credential, the rest for the nodes themselves and for operators.

use crate::list::{Window, whole};
use tessera_engine::{Bound, Engine, FLEET};
use tessera_model::{Cell, ListKind, Listed, PeerSeen, Private, Refusal, TenantId};
use tessera_wire::{CellRow, FleetRow, PeerRow, PlacementRow, Request, RequestKind, Rows};

/// Whether [`rows`] answers such a request.
pub(crate) const fn is_one(kind: RequestKind) -> bool {
    matches!(
        kind,
        RequestKind::ListCells
            | RequestKind::ListPlacements
            | RequestKind::ReadFleet
            | RequestKind::ListPeers
    )
}

/// Answers one of these lists.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is listed elsewhere")]
pub(crate) fn rows(engine: &Engine, bound: &Bound, request: &Request) -> Result<Rows, Refusal> {
    let window = |kind, after: &Option<Private>, limit: u32| {
        Window::of(engine, bound, Listed::all(kind), (after.as_ref(), limit))
    };
    match request {
        Request::ListCells { after, limit } => {
            alive(engine, bound).and_then(|()| cells(engine, &window(ListKind::Cells, after, *limit)?))
        }
        Request::ListPlacements { after, limit } => of_system(engine, bound, FLEET)
            .and_then(|()| placements(engine, &window(ListKind::Placements, after, *limit)?)),
        Request::ReadFleet {} => of_system(engine, bound, FLEET).and_then(|()| whole(fleet(engine))),
        Request::ListPeers {} => {
            of_system(engine, bound, FLEET).and_then(|()| whole(engine.peers().into_iter().map(peer)))
        }
        _ => Err(Refusal::Malformed),
    }
}

fn alive(engine: &Engine, bound: &Bound) -> Result<(), Refusal> {
    if engine.is_asleep(bound) {
        return Err(engine.unready(&bound.home));
    }
    if engine.is_alive(bound) { Ok(()) } else { Err(Refusal::Unauthorized) }
}

/// Where tenants live is said in the system tenant, to whoever may read and say it.
pub(crate) fn of_system(engine: &Engine, bound: &Bound, permission: &str) -> Result<(), Refusal> {
    alive(engine, bound)?;
    if bound.entry.tenant != TenantId::SYSTEM {
        return Err(Refusal::WrongTenant);
    }
    if engine.may(bound, permission) { Ok(()) } else { Err(Refusal::Unauthorized) }
}

/// The place of a cell in the list is the one after its number.
fn cells(engine: &Engine, window: &Window) -> Result<Rows, Refusal> {
    let (from, limit) = (window.from, window.limit);
    let Some(fleet) = engine.fleet() else { return whole(std::iter::empty::<CellRow>()) };
    let row = |cell: &Cell| CellRow {
        version: fleet.version(),
        cell: u32::from(cell.id.0),
        name: cell.name.to_string(),
        address: cell.address.to_string(),
        certificate: cell.certificate.to_string(),
        http: (!cell.http.is_empty()).then(|| cell.http.to_string()),
    };
    let place = |cell: &Cell| u64::from(cell.id.0) + 1;
    let mut left = fleet.cells().iter().filter(|cell| place(cell) > from);
    let page: Vec<&Cell> = left.by_ref().take(limit).collect();
    let next = left.next().and(page.last().map(|cell| place(cell)));
    window.finish(page.into_iter().map(|cell| (place(cell), row(cell))), next)
}

fn placements(engine: &Engine, window: &Window) -> Result<Rows, Refusal> {
    let (from, limit) = (window.from, window.limit);
    // The system tenant, 0, is never placed.
    let after = (from != 0).then_some(TenantId(from));
    let page = engine.placements(after, limit);
    let next = page.last().filter(|_| page.len() == limit).map(|last| last.tenant.0);
    let rows = page.into_iter().map(|placed| {
        let (tenant, epoch, cell) = (placed.tenant, placed.epoch.0, u32::from(placed.cell.0));
        (tenant.0, PlacementRow { tenant, epoch, cell })
    });
    window.finish(rows, next)
}

fn fleet(engine: &Engine) -> Option<FleetRow> {
    let fleet = engine.fleet()?;
    let own = fleet.cell(fleet.own())?;
    let (placements, digest) = engine.placements_told();
    Some(FleetRow {
        version: fleet.version(),
        cell: u32::from(own.id.0),
        name: own.name.to_string(),
        tenants: engine.tenants_here(),
        placements,
        digest,
        unheard: engine.is_unheard().then_some(true),
    })
}

fn peer(seen: PeerSeen) -> PeerRow {
    PeerRow {
        cell: u32::from(seen.cell.0),
        reached: seen.reached,
        seen: seen.at,
        trouble: (!seen.trouble.is_empty()).then(|| seen.trouble.into()),
        version: seen.version,
        tenants: seen.tenants,
        placements: seen.placements,
        differs: seen.differs,
    }
}
