//! A tenant on its way to another cell: frozen from `Leave` on, until it stays or has arrived.

use super::{Decided, State};
use tessera_model::moving::{Carried, MoveStep, Moving};
use tessera_model::record::{TenantRecord, TenantStatus};
use tessera_model::{CellId, Command, Deadline, Epoch, Event, Name, Placement, Refusal, Revision, TenantId};

impl State {
    /// Whether a tenant that moves takes this command: only what ends the move, and the beginning of an epoch.
    pub(super) fn not_frozen(&self, command: &Command) -> Result<(), Refusal> {
        let ends = matches!(command, Command::NoteMove { .. } | Command::BeginEpoch {});
        if self.root.course.moving.is_none() || ends { Ok(()) } else { Err(Refusal::Moving) }
    }

    pub(super) fn move_tenant(&self, step: MoveStep) -> Result<Decided, Refusal> {
        if self.root.tenant == TenantId::SYSTEM {
            return Err(Refusal::WrongTenant);
        }
        match (step, self.root.course.moving) {
            (MoveStep::Leave { to, epoch }, None) if to != self.cell && epoch > self.root.epoch => {
                let from = self.root.course.carried.filter(|carried| carried.into == self.root.epoch);
                let from = from.map_or(self.root.epoch, |carried| carried.from);
                Ok(Decided::of(Event::TenantLeaving { to, epoch, from }))
            }
            (MoveStep::Leave { .. }, None) => Err(Refusal::CellUnknown),
            (MoveStep::Leave { to, epoch }, Some(moving)) if (to, epoch) == (moving.to, moving.epoch) => {
                Ok(Decided::nothing())
            }
            (MoveStep::Stay, None) | (MoveStep::Arrive, None) => Ok(Decided::nothing()),
            (MoveStep::Stay, Some(moving)) if !moving.moved && moving.to != self.cell => {
                Ok(Decided::of(Event::TenantStays))
            }
            (MoveStep::Depart { next }, Some(moving)) if moving.to != self.cell => match moving.moved {
                true => Ok(Decided::nothing()),
                false if next == self.revision => {
                    Ok(Decided::of(Event::TenantMoved { to: moving.to, epoch: moving.epoch }))
                }
                false => Err(Refusal::Changed),
            },
            (MoveStep::Depart { .. }, None) => Err(Refusal::Changed),
            (MoveStep::Arrive, Some(moving)) if moving.to == self.cell => {
                let upto = Revision(self.revision.0.saturating_sub(1));
                Ok(Decided::of(Event::TenantArrived { from: moving.from, into: self.root.epoch, upto }))
            }
            (
                MoveStep::Leave { .. } | MoveStep::Stay | MoveStep::Depart { .. } | MoveStep::Arrive,
                Some(_),
            ) => Err(Refusal::Moving),
        }
    }

    /// A tenant comes into this cell: its record, and that it lives here, in one step.
    pub(super) fn adopt_tenant(
        &self,
        name: &Name,
        (created, suspended): (Deadline, bool),
        placement: &Placement,
    ) -> Result<Decided, Refusal> {
        self.only_system()?;
        if placement.cell != self.cell || !name.is_label() {
            return Err(Refusal::Malformed);
        }
        let status = if suspended { TenantStatus::Suspended } else { TenantStatus::Active };
        let is_taken =
            |name: &Name| self.root.tenant_named(name).is_some_and(|other| other != placement.tenant);
        let mut name = name.clone();
        if is_taken(&name) {
            // It was taken here while the tenant was on its way; it has left, and nobody could bring it back.
            name = Name::new(&format!("moved-{}", placement.tenant)).map_err(|_| Refusal::Malformed)?;
        }
        if is_taken(&name) {
            return Err(Refusal::Duplicate);
        }
        let record = TenantRecord { id: placement.tenant, name, status, created };
        let known = self.root.placements.get(record.id);
        if known == Some(*placement)
            && let Some(seen) = self.root.tenants.see(record.id)
            && (!suspended || seen.status != TenantStatus::Active)
        {
            return Ok(Decided::nothing());
        }
        // Other cells may have said already that it lives here.
        let mut decided = match known == Some(*placement) {
            true => Decided::nothing(),
            false => self.place_tenant(placement)?,
        };
        decided.events.push(Event::TenantChanged(record));
        Ok(decided)
    }

    pub(super) fn apply_leaving(&mut self, to: CellId, epoch: Epoch, from: Epoch) {
        self.root.course.moving = Some(Moving { to, epoch, from, moved: false });
    }

    pub(super) const fn apply_stays(&mut self) {
        self.root.course.moving = None;
    }

    pub(super) const fn apply_moved(&mut self) {
        if let Some(moving) = &mut self.root.course.moving {
            moving.moved = true;
        }
    }

    pub(super) const fn apply_arrived(&mut self, carried: Carried) {
        self.root.course.moving = None;
        self.root.course.carried = Some(carried);
    }

    /// What there is of it in the bucket of what there is once.
    pub(super) fn moving_events(&self) -> impl Iterator<Item = Event> {
        let arrived = self.root.course.carried.map(|Carried { from, into, upto }| Event::TenantArrived {
            from,
            into,
            upto,
        });
        let leaving = self.root.course.moving.map(|Moving { to, epoch, from, .. }| Event::TenantLeaving {
            to,
            epoch,
            from,
        });
        let moved = self.root.course.moving.filter(|moving| moving.moved);
        let moved = moved.map(|Moving { to, epoch, .. }| Event::TenantMoved { to, epoch });
        arrived.into_iter().chain(leaving).chain(moved)
    }
}
