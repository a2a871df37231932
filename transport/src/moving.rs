//! Moves of tenants: begun by operators, and taken step by step for other cells of the fleet.

use crate::fleet::of_system;
use crate::list::whole;
use tessera_engine::moving::{MoveStatus, MoveTold, MoveWay, TakeStep, Taken, TakenStatus};
use tessera_engine::{Bound, Engine, FLEET};
use tessera_model::record::{TenantRecord, TenantStatus};
use tessera_model::{CellId, Epoch, Private, Refusal};
use tessera_wire::{MoveRow, Request, Rows, TakenRow};

/// Answers one of these requests; nothing for one that is about something else.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is listed elsewhere")]
pub(crate) fn rows(engine: &Engine, bound: &Bound, request: &Request) -> Option<Result<Rows, Refusal>> {
    match request {
        Request::MoveTenant { tenant, cell, undo, follow } => {
            let told = of_system(engine, bound, "tessera.admin.tenants").and_then(|()| {
                let to = u16::try_from(*cell).map(CellId).map_err(|_| Refusal::CellUnknown)?;
                let way = if *undo { MoveWay::Back } else { MoveWay::There };
                if *follow { engine.follow_move(*tenant) } else { engine.begin_move(*tenant, to, way) }
            });
            Some(told.and_then(|told| whole([move_row(told)])))
        }
        Request::TakeTenant { tenant, .. } => {
            let taken = of_system(engine, bound, FLEET)
                .and_then(|()| step_of(request).ok_or(Refusal::Malformed))
                .and_then(|step| engine.take_step(*tenant, step));
            Some(taken.and_then(|taken| whole([taken_row(taken)])))
        }
        _ => None,
    }
}

/// The step that a request asks for; none where something of it is missing.
fn step_of(request: &Request) -> Option<TakeStep> {
    let Request::TakeTenant { step, tenant, epoch, name, created, suspended, number, bytes } = request else {
        return None;
    };
    let epoch = Epoch(*epoch);
    let record = || {
        let status = if *suspended { TenantStatus::Suspended } else { TenantStatus::Active };
        Some(TenantRecord { id: *tenant, name: name.clone()?, status, created: *created })
    };
    let bytes = || bytes.as_ref().map(|bytes| bytes.expose().to_vec());
    Some(match *step {
        1 => TakeStep::Begin { record: record()?, epoch },
        2 => TakeStep::Chunk { number: *number, bytes: bytes()? },
        3 => TakeStep::End,
        4 => TakeStep::Ask,
        5 => TakeStep::Open { record: record()?, epoch, frame: bytes()? },
        6 => TakeStep::Drop,
        _ => return None,
    })
}

fn move_row(told: MoveTold) -> MoveRow {
    let MoveTold { tenant, to, status, bytes, gap_ms, trouble } = told;
    let status = match status {
        MoveStatus::Copying => 1,
        MoveStatus::Frozen => 2,
        MoveStatus::HandedOver => 3,
        MoveStatus::Done => 4,
        MoveStatus::Stayed => 5,
        MoveStatus::Failed => 6,
    };
    MoveRow { tenant, cell: u32::from(to.0), status, bytes, gap: gap_ms.unwrap_or_default(), trouble }
}

fn taken_row(taken: Taken) -> TakenRow {
    let Taken { status, next, link, trouble } = taken;
    let whole = status == TakenStatus::Copied;
    let status = match status {
        TakenStatus::Nothing => 0,
        TakenStatus::Copying => 1,
        TakenStatus::Copied => 2,
        TakenStatus::Opening => 3,
        TakenStatus::Here => 4,
        TakenStatus::Failed => 5,
    };
    let link = Private::new(if whole { link.to_vec() } else { Vec::new() });
    TakenRow { status, revision: next.0, link, trouble }
}
