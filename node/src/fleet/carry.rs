//! Steps of moves on their way to other cells, and questions about them.

use super::peers::Peers;
use std::sync::Arc;
use tessera_client::ClientError;
use tessera_client::wire::{Request, Shape, TakenRow, WordRow};
use tessera_engine::Engine;
use tessera_engine::moving::{Asked, Carried, Carrier, CarryError, TakeStep};
use tessera_model::{CellId, Refusal, TenantId};
use tessera_transport::{take_request, taken_of, word_of};

/// Codes of a node that does not know what it is asked.
const UNKNOWN_TO_IT: [u16; 2] = [402, 403];

/// The kept connections to the other cells.
pub(super) struct Links {
    engine: Engine,
    peers: Arc<Peers>,
}

fn unreached(why: impl Into<Box<str>>) -> CarryError {
    CarryError::Unreached(why.into())
}

impl Links {
    pub(super) const fn new(engine: Engine, peers: Arc<Peers>) -> Self {
        Self { engine, peers }
    }

    /// The one row that a cell answers with.
    async fn row<T: Shape>(&self, cell: CellId, request: &Request) -> Result<T, CarryError> {
        let (cell, _) = self.engine.cell(cell).ok_or(CarryError::Refused(Refusal::CellUnknown))?;
        let client = self.peers.client(&cell).await.map_err(unreached)?;
        let page = match client.list::<T>(request).await {
            Ok(page) => page,
            Err(ClientError::Refused(refusal)) => return Err(CarryError::Refused(refusal)),
            Err(error) if error.code().is_some_and(|code| UNKNOWN_TO_IT.contains(&code)) => {
                return Err(unreached(format!(
                    "cell {} runs an older release, which does not know this: upgrade it first",
                    cell.name
                )));
            }
            Err(error) => {
                self.peers.forget(cell.id).await;
                return Err(unreached(error.to_string()));
            }
        };
        page.rows.into_iter().next().ok_or_else(|| unreached("its answer does not read"))
    }
}

impl Carrier for Links {
    fn carry(&self, to: CellId, tenant: TenantId, step: TakeStep) -> Carried<'_> {
        Box::pin(async move {
            let row = self.row::<TakenRow>(to, &take_request(tenant, step)).await?;
            taken_of(row).ok_or_else(|| unreached("its answer does not read"))
        })
    }

    fn ask(&self, cell: CellId, tenant: TenantId) -> Asked<'_> {
        Box::pin(async move {
            let own = self.engine.fleet().map_or(0, |fleet| u32::from(fleet.own().0));
            let row = self.row::<WordRow>(cell, &Request::LastWord { tenant, cell: own }).await?;
            word_of(tenant, row).ok_or_else(|| unreached("its answer does not read"))
        })
    }
}
