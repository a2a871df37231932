//! Steps of moves on their way to other cells.

use super::peers::Peers;
use std::sync::Arc;
use tessera_client::ClientError;
use tessera_client::wire::{Request, TakenRow};
use tessera_engine::Engine;
use tessera_engine::moving::{Carried, Carrier, CarryError, TakeStep, Taken, TakenStatus};
use tessera_model::record::{TenantRecord, TenantStatus};
use tessera_model::{Cell, CellId, Deadline, Private, Refusal, Revision, TenantId};

/// The kept connections to the other cells.
pub(super) struct Links {
    engine: Engine,
    peers: Arc<Peers>,
}

impl Links {
    pub(super) const fn new(engine: Engine, peers: Arc<Peers>) -> Self {
        Self { engine, peers }
    }

    async fn ask(&self, cell: &Cell, request: &Request) -> Result<Taken, CarryError> {
        let unreached = |why: String| CarryError::Unreached(why.into());
        let client = self.peers.client(cell).await.map_err(unreached)?;
        let page = match client.list::<TakenRow>(request).await {
            Ok(page) => page,
            Err(ClientError::Refused(refusal)) => return Err(CarryError::Refused(refusal)),
            Err(error) => {
                self.peers.forget(cell.id).await;
                return Err(unreached(error.to_string()));
            }
        };
        let row = page.rows.into_iter().next();
        row.and_then(taken_of).ok_or_else(|| unreached("its answer does not read".to_owned()))
    }
}

impl Carrier for Links {
    fn carry(&self, to: CellId, tenant: TenantId, step: TakeStep) -> Carried<'_> {
        Box::pin(async move {
            let (cell, _) = self.engine.cell(to).ok_or(CarryError::Refused(Refusal::CellUnknown))?;
            self.ask(&cell, &request_of(tenant, step)).await
        })
    }
}

/// A step as a request.
fn request_of(tenant: TenantId, step: TakeStep) -> Request {
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

fn taken_of(row: TakenRow) -> Option<Taken> {
    let status = match row.status {
        0 => TakenStatus::Nothing,
        1 => TakenStatus::Copying,
        2 => TakenStatus::Copied,
        3 => TakenStatus::Opening,
        4 => TakenStatus::Here,
        5 => TakenStatus::Failed,
        _ => return None,
    };
    let link = match status {
        TakenStatus::Copied => row.link.expose().try_into().ok()?,
        TakenStatus::Nothing
        | TakenStatus::Copying
        | TakenStatus::Opening
        | TakenStatus::Here
        | TakenStatus::Failed => [0; 32],
    };
    Some(Taken { status, next: Revision(row.revision), link, trouble: row.trouble })
}
