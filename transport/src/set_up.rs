//! Strangers with a one-time secret: they do what it is for, and nothing else.

use crate::answer::{fault, follow};
use crate::connection::Line;
use crate::end::End;
use crate::order;
use crate::stream::Desk;
use std::sync::Arc;
use tessera_engine::HelloRefusal;
use tessera_model::{Handle, HandleBytes, HandleKind, Refusal, TenantId};
use tessera_wire::{Fault, Kind, RequestKind};

/// The tenant of a one-time secret, and what it is for; `None` for another credential.
pub(crate) fn set_up_of(
    credential: &HandleBytes,
    wanted: Option<TenantId>,
) -> Result<Option<(TenantId, RequestKind)>, HelloRefusal> {
    let Ok(handle) = Handle::parse(credential) else { return Ok(None) };
    let kind = match handle.kind {
        HandleKind::SetUp => RequestKind::SetUpPassword,
        HandleKind::Invitation => RequestKind::AnswerInvitation,
        HandleKind::Session | HandleKind::Key | HandleKind::Refresh => return Ok(None),
    };
    let elsewhere = wanted.is_some_and(|wanted| wanted != handle.tenant);
    if elsewhere { Err(HelloRefusal::Refused) } else { Ok(Some((handle.tenant, kind))) }
}

/// A stranger may do what it came for, and nothing else.
pub(crate) fn strange(
    desk: &mut Desk,
    line: &Arc<Line>,
    wanted: RequestKind,
    taken: &mut u64,
) -> Result<(), End> {
    while let Some(frame) = desk.inbox.next_frame()? {
        *taken += 1;
        let id = frame.header.request_id;
        if frame.kind() == Ok(Kind::Request(wanted)) {
            let started = order::start(line, None, wanted, &frame, &desk.replies);
            follow(&mut desk.outbox, line, id, started, &mut desk.running)?;
        } else {
            fault(&mut desk.outbox, line, id, &Fault::refused(Refusal::Unauthorized))?;
        }
    }
    Ok(())
}
