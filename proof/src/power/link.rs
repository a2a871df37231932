//! The link between two simulated cells: it brings the steps of a move, cuts the power in a chosen phase of it, and looks all
//! along whether both of them answer for the tenant.

use crate::simulate::Node;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tessera_engine::Engine;
use tessera_engine::moving::{Carried, Carrier, CarryError, MoveStatus, MoveTold, TakeStep};
use tessera_model::{CellId, HandleBytes, TenantId};
use tessera_storage::disk::simulated::{Fault, Simulated};

/// The cells, by their place in everything that holds both.
pub(super) const CELLS: [(CellId, &str); 2] = [(CellId(1), "one"), (CellId(2), "two")];
/// How long a step is on its way, there and back.
const WAY: Duration = Duration::from_millis(1);

/// Why an end of the link is not reached.
pub(super) const LOST: &str = "without power";

/// A cell that runs.
#[derive(Clone)]
struct Up {
    engine: Engine,
    disk: Simulated,
    life: u64,
}

/// Where the power is to go: in that phase of a move, at so many more calls of each of these disks.
pub(super) struct Cut {
    pub(super) phase: MoveStatus,
    pub(super) disks: Vec<(Simulated, u64)>,
}

#[derive(Default)]
struct State {
    up: [Option<Up>; 2],
    /// The key of the tenant's admin.
    key: Option<HandleBytes>,
    /// The move that is under way: its tenant, and the cell that gives.
    run: Option<(TenantId, usize)>,
    cut: Option<Cut>,
    /// The phase that was seen last.
    phase: Option<MoveStatus>,
    /// Whether both cells answered at one time.
    both: bool,
    lives: u64,
}

/// What both cells stand at.
#[derive(Clone, Default)]
pub(super) struct Link(Arc<Mutex<State>>);

impl Link {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A cell runs: its engine is reached, and reaches the other one.
    pub(super) fn raise(&self, side: usize, node: &Node) {
        let mut state = self.state();
        state.lives += 1;
        let life = state.lives;
        let up = Up { engine: node.engine.clone(), disk: node.disk.clone(), life };
        if let Some(place) = state.up.get_mut(side) {
            *place = Some(up);
        }
        drop(state);
        node.engine.set_carrier(Arc::new(End { link: self.clone(), side, life }));
    }

    /// A cell runs no more.
    pub(super) fn lower(&self, side: usize) {
        if let Some(place) = self.state().up.get_mut(side) {
            *place = None;
        }
    }

    pub(super) fn know(&self, key: HandleBytes) {
        self.state().key = Some(key);
    }

    /// A move was begun; where its power is to go.
    pub(super) fn begin(&self, tenant: TenantId, from: usize, cut: Option<Cut>) {
        let mut state = self.state();
        (state.run, state.cut, state.phase) = (Some((tenant, from)), cut, None);
    }

    /// The move has ended, or nobody knows any more; in which phase.
    pub(super) fn end(&self) -> Option<MoveStatus> {
        let mut state = self.state();
        (state.run, state.cut) = (None, None);
        state.phase
    }

    /// Whether both cells answered at one time.
    pub(super) fn both(&self) -> bool {
        self.state().both
    }

    fn up(&self, side: usize) -> Option<Up> {
        self.state().up.get(side).cloned().flatten().filter(|up| !up.disk.is_off())
    }

    /// How far the move is, which its cell tells while it runs.
    pub(super) fn told(&self) -> Option<MoveTold> {
        let (tenant, from) = self.state().run?;
        self.up(from)?.engine.follow_move(tenant).ok()
    }

    /// Looks all along while a move is under way.
    pub(super) async fn watch(self) {
        loop {
            tokio::time::sleep(WAY).await;
            if self.state().run.is_some() {
                self.look();
            }
        }
    }

    /// Looks at both cells.
    pub(super) fn look(&self) {
        let told = self.told().filter(|told| !told.status.is_over());
        let cells = [self.up(0), self.up(1)];
        let mut state = self.state();
        if let Some(told) = told {
            state.phase = Some(told.status);
            if let Some(cut) = state.cut.take_if(|cut| cut.phase == told.status) {
                for (disk, more) in cut.disks {
                    disk.plant(disk.calls() + 1 + more, Fault::PowerCut);
                }
            }
        }
        let Some(key) = state.key else { return };
        drop(state);
        let answers = |up: &Up| up.engine.hello(&key, None).is_ok();
        if cells.iter().all(|up| up.as_ref().is_some_and(answers)) {
            self.state().both = true;
        }
    }
}

/// The end of a link at one life of a cell.
struct End {
    link: Link,
    side: usize,
    life: u64,
}

impl End {
    async fn bring(
        &self,
        to: CellId,
        tenant: TenantId,
        step: TakeStep,
    ) -> Option<Result<tessera_engine::moving::Taken, CarryError>> {
        self.link.look();
        tokio::time::sleep(WAY).await;
        let there = CELLS.iter().position(|(cell, _)| *cell == to)?;
        self.link.up(self.side).filter(|up| up.life == self.life)?;
        let up = self.link.up(there)?;
        let taken = up.engine.take_step(tenant, step).map_err(CarryError::Refused);
        self.link.look();
        tokio::time::sleep(WAY).await;
        self.link.look();
        // An answer that is on its way when the power goes is lost.
        self.link.up(there).filter(|now| now.life == up.life).map(|_| taken)
    }
}

impl Carrier for End {
    fn carry(&self, to: CellId, tenant: TenantId, step: TakeStep) -> Carried<'_> {
        Box::pin(async move {
            let brought = self.bring(to, tenant, step).await;
            brought.unwrap_or_else(|| Err(CarryError::Unreached(LOST.into())))
        })
    }
}
