//! Moves of tenants: begun by operators, taken step by step for other cells of the fleet, and ended by an operator's word
//! where a cell is lost. What the cells say to each other is written and read here alone.

use crate::fleet::of_system;
use crate::list::{Window, whole};
use crate::order::of_error;
use tessera_engine::moving::{
    CopyFound, LastWord, MoveTold, MoveWay, Settled, TakeStep, Taken, TakenStatus, Warmth, WordStatus,
};
use tessera_engine::{Bound, Engine, FLEET};
use tessera_model::moving::SettleWay;
use tessera_model::record::{TenantRecord, TenantStatus};
use tessera_model::{CellId, Deadline, Epoch, ListKind, Listed, Private, Refusal, Revision, TenantId};
use tessera_wire::{CopyRow, Fault, MoveRow, Request, Rows, SettledRow, TakenRow, WordRow};

/// Of whom it is asked about tenants of the whole cell.
const OPERATORS: &str = "tessera.admin.tenants";

/// Answers one of these requests; nothing for one that is about something else.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is listed elsewhere")]
pub(crate) async fn rows(engine: &Engine, bound: &Bound, request: &Request) -> Option<Result<Rows, Fault>> {
    let told = match request {
        Request::MoveTenant { tenant, cell, undo, follow } => {
            of_system(engine, bound, OPERATORS).and_then(|()| {
                let to = u16::try_from(*cell).map(CellId).map_err(|_| Refusal::CellUnknown)?;
                let way = if *undo { MoveWay::Back } else { MoveWay::There };
                let told =
                    if *follow { engine.follow_move(*tenant) } else { engine.begin_move(*tenant, to, way) };
                whole([move_row(told?)])
            })
        }
        Request::TakeTenant { tenant, .. } => {
            take(engine, bound, (*tenant, request)).await.and_then(|taken| whole([taken_row(taken)]))
        }
        Request::LastWord { tenant, cell } => {
            let said = last_word(engine, bound, (*tenant, *cell)).await;
            said.and_then(|word| whole([word_row(word)]))
        }
        Request::SettleTenant { tenant, way, loss } => {
            let settled = settle(engine, bound, (*tenant, *way, *loss)).await;
            return Some(settled.and_then(|settled| whole([settled_row(settled)]).map_err(Fault::refused)));
        }
        Request::ListCopies { after, limit } => copies(engine, bound, (after.as_ref(), *limit)).await,
        _ => return None,
    };
    Some(told.map_err(Fault::refused))
}

async fn take(
    engine: &Engine,
    bound: &Bound,
    (tenant, request): (TenantId, &Request),
) -> Result<Taken, Refusal> {
    of_system(engine, bound, FLEET)?;
    let step = step_of(request).ok_or(Refusal::Malformed)?;
    engine.take_step_and_wait(tenant, step).await
}

async fn last_word(
    engine: &Engine,
    bound: &Bound,
    (tenant, cell): (TenantId, u32),
) -> Result<LastWord, Refusal> {
    of_system(engine, bound, FLEET)?;
    let asker = u16::try_from(cell).map(CellId).map_err(|_| Refusal::CellUnknown)?;
    engine.last_word(tenant, asker).await
}

async fn settle(
    engine: &Engine,
    bound: &Bound,
    (tenant, way, loss): (TenantId, u32, bool),
) -> Result<Settled, Fault> {
    of_system(engine, bound, OPERATORS).map_err(Fault::refused)?;
    let way = SettleWay::from_number(way).ok_or(Fault::refused(Refusal::Malformed))?;
    engine.settle_move(bound.caller, tenant, (way, loss)).await.map_err(of_error)
}

async fn copies(
    engine: &Engine,
    bound: &Bound,
    (after, limit): (Option<&Private>, u32),
) -> Result<Rows, Refusal> {
    of_system(engine, bound, OPERATORS)?;
    let (of, by, after) = (engine.clone(), bound.clone(), after.cloned());
    // Cursors wait for the disk.
    let window = move || Window::of(&of, &by, Listed::all(ListKind::Copies), (after.as_ref(), limit));
    let window = tokio::task::spawn_blocking(window).await.map_err(|_| Refusal::NotReady)??;
    let page = engine.copies(TenantId(window.from), window.limit).await?;
    let next = page.last().filter(|_| page.len() == window.limit).map(|last| last.record.id.0);
    window.finish(page.into_iter().map(|found| (found.record.id.0, copy_row(found))), next)
}

/// A step as a request.
#[must_use]
pub fn take_request(tenant: TenantId, step: TakeStep) -> Request {
    let plain = |step, number, bytes| Request::TakeTenant {
        step,
        tenant,
        epoch: 0,
        name: None,
        created: Deadline::NONE,
        suspended: false,
        number,
        bytes,
    };
    let about = |step, record: TenantRecord, epoch, bytes| Request::TakeTenant {
        step,
        tenant,
        epoch,
        name: Some(record.name),
        created: record.created,
        suspended: record.status == TenantStatus::Suspended,
        number: 0,
        bytes,
    };
    match step {
        TakeStep::Begin { record, epoch } => about(1, record, epoch.0, None),
        TakeStep::Chunk { number, bytes } => plain(2, number, Some(Private::new(bytes))),
        TakeStep::End => plain(3, 0, None),
        TakeStep::Ask => plain(4, 0, None),
        TakeStep::Open { record, epoch, frame } => about(5, record, epoch.0, Some(Private::new(frame))),
        TakeStep::Drop => plain(6, 0, None),
    }
}

/// The step that a request asks for; none where something of it is missing.
fn step_of(request: &Request) -> Option<TakeStep> {
    let Request::TakeTenant { step, tenant, epoch, name, created, suspended, number, bytes } = request else {
        return None;
    };
    let epoch = Epoch(*epoch);
    let record = || record_of(*tenant, name.clone()?, (*created, *suspended));
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

fn record_of(
    tenant: TenantId,
    name: tessera_model::Name,
    (created, suspended): (Deadline, bool),
) -> Option<TenantRecord> {
    let status = if suspended { TenantStatus::Suspended } else { TenantStatus::Active };
    Some(TenantRecord { id: tenant, name, status, created })
}

fn move_row(told: MoveTold) -> MoveRow {
    let MoveTold { tenant, to, status, bytes, gap_ms, trouble } = told;
    let (cell, status) = (u32::from(to.0), status.number());
    MoveRow { tenant, cell, status, bytes, gap: gap_ms.unwrap_or_default(), trouble }
}

fn taken_row(taken: Taken) -> TakenRow {
    let Taken { status, next, link, trouble, warmth } = taken;
    let link = Private::new(if status == TakenStatus::Copied { link.to_vec() } else { Vec::new() });
    let warmth = (warmth != Warmth::Unsaid).then_some(warmth.number());
    TakenRow { status: status.number(), revision: next.0, link, trouble, warmth }
}

/// What a cell that takes a tenant has told; none where it does not read.
#[must_use]
pub fn taken_of(row: TakenRow) -> Option<Taken> {
    let status = TakenStatus::from_number(row.status)?;
    let link = if status == TakenStatus::Copied { row.link.expose().try_into().ok()? } else { [0; 32] };
    // One that this version does not know is as good as none.
    let warmth = row.warmth.and_then(Warmth::from_number).unwrap_or_default();
    Some(Taken { status, next: Revision(row.revision), link, trouble: row.trouble, warmth })
}

fn word_row(word: LastWord) -> WordRow {
    let LastWord { status, epoch, record, frame } = word;
    let suspended = record.as_ref().is_some_and(|record| record.status == TenantStatus::Suspended);
    let created = record.as_ref().map_or(Deadline::NONE, |record| record.created);
    let name = record.map(|record| record.name);
    let frame = Private::new(frame);
    WordRow { status: status.number(), epoch: epoch.0, name, created, suspended, frame }
}

/// What a cell has said of a tenant; none where it does not read.
#[must_use]
pub fn word_of(tenant: TenantId, row: WordRow) -> Option<LastWord> {
    let status = WordStatus::from_number(row.status)?;
    let record = row.name.and_then(|name| record_of(tenant, name, (row.created, row.suspended)));
    if status == WordStatus::Moved && record.is_none() {
        return None;
    }
    Some(LastWord { status, epoch: Epoch(row.epoch), record, frame: row.frame.expose().to_vec() })
}

fn settled_row(settled: Settled) -> SettledRow {
    let Settled { tenant, epoch, revision, whole } = settled;
    SettledRow { tenant, epoch: epoch.0, revision: revision.0, whole }
}

fn copy_row(found: CopyFound) -> CopyRow {
    let CopyFound { record, arriving, revision, cell } = found;
    CopyRow {
        tenant: record.id,
        name: record.name,
        arriving,
        whole: revision.is_some(),
        revision: revision.map_or(0, |revision| revision.0),
        cell: cell.map(|cell| u32::from(cell.0)),
    }
}
