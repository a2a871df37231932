//! What is answered of a tenant that lives in another cell: where that is, by the connection's own task.
//!
//! Whoever asks learns what the fleet file says of that cell and nothing of the tenant: of one that was never born the
//! answer is the same, by the number of the cell in its id.

use crate::answer;
use crate::connection::Line;
use crate::end::End;
use crate::stream::Desk;
use tessera_engine::{Bound, Engine};
use tessera_model::code::CODE_REDIRECT;
use tessera_model::{CellId, TenantId};
use tessera_wire::Fault;

/// The reply that sends somebody to a cell.
pub(crate) fn fault(engine: &Engine, cell: CellId) -> Fault {
    match engine.cell(cell) {
        Some((cell, version)) => Fault::redirect(&cell, version),
        None => Fault::redirect_unknown(cell),
    }
}

/// The reply to everything that a connection asks whose tenant, or whose caller's, lives elsewhere by now.
pub(crate) fn of(engine: &Engine, bound: &Bound) -> Option<Fault> {
    let cell = bound.entry.away().or_else(|| bound.home.away())?;
    Some(fault(engine, cell))
}

/// A refusal that says no more than that the tenant lives elsewhere, with where that is.
pub(crate) fn filled(engine: &Engine, tenant: Option<TenantId>, refused: Fault) -> Fault {
    if refused.code != CODE_REDIRECT || !refused.named.is_empty() {
        return refused;
    }
    match tenant.and_then(|tenant| engine.lives_in(tenant)) {
        Some(cell) => fault(engine, cell),
        None => Fault::redirect_unknown(refused.cell),
    }
}

/// Answers every frame that waits with where to ask.
pub(crate) fn all(desk: &mut Desk, line: &Line, redirect: &Fault, taken: &mut u64) -> Result<(), End> {
    while desk.outbox.len() < answer::ANSWERS_BYTES_MAX {
        let Some(frame) = desk.inbox.next_frame()? else { break };
        *taken += 1;
        let id = frame.header.request_id;
        answer::fault(&mut desk.outbox, line, id, redirect)?;
    }
    Ok(())
}
