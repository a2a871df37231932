//! A tenant on its way to another cell: frozen from `Leave` on, until it stays or has arrived.

use super::{Decided, State};
use tessera_model::moving::{Carried, Course, MoveStep, Moving};
use tessera_model::record::{TenantRecord, TenantStatus};
use tessera_model::{
    Command, Deadline, Epoch, Event, Name, Placement, Refusal, Revision, TenantId, UnixMillis,
};

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
            (MoveStep::Arrive, Some(moving)) if moving.to == self.cell => self.go_on_here(Some(moving), true),
            (MoveStep::Claim { whole }, moving) => {
                self.go_on_here(moving, whole && moving.is_some_and(|moving| moving.to == self.cell))
            }
            (MoveStep::CopyGone, None) => Ok(match self.root.course.lent {
                Some(_) => Decided::of(Event::TenantCopyGone),
                None => Decided::nothing(),
            }),
            (
                MoveStep::Leave { .. }
                | MoveStep::Stay
                | MoveStep::Depart { .. }
                | MoveStep::Arrive
                | MoveStep::CopyGone,
                Some(_),
            ) => Err(Refusal::Moving),
        }
    }

    /// The tenant goes on here. Where nobody knows what was written elsewhere behind what is here, it is as restored
    /// from a backup: nobody's session goes on, and no number is given again.
    fn go_on_here(&self, moving: Option<Moving>, whole: bool) -> Result<Decided, Refusal> {
        let mut decided = if whole { Decided::nothing() } else { self.begin_epoch()? };
        if let Some(Moving { from, .. }) = moving {
            let upto = Revision(self.revision.0.saturating_sub(1));
            decided.events.push(Event::TenantArrived { from, into: self.root.epoch, upto });
        }
        Ok(decided)
    }

    /// The other cells have said what has left this one.
    pub(super) fn hear_fleet(&self) -> Result<Decided, Refusal> {
        self.only_system()?;
        let heard = self.root.placements.heard >= self.root.epoch;
        Ok(if heard { Decided::nothing() } else { Decided::of(Event::FleetHeard { epoch: self.root.epoch }) })
    }

    /// A tenant comes into this cell: its record, and that it lives here, in one step.
    pub(super) fn adopt_tenant(
        &self,
        name: &Name,
        (created, suspended): (Deadline, bool),
        placement: &Placement,
        now: UnixMillis,
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
            false => self.place_tenant(placement, now)?,
        };
        decided.events.push(Event::TenantChanged(record));
        Ok(decided)
    }

    /// Applies what an event says of a tenant's way; of all others nothing.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is applied elsewhere")]
    pub(super) fn apply_move(&mut self, event: &Event) {
        let own = self.cell;
        let course = &mut self.root.course;
        match *event {
            Event::TenantLeaving { to, epoch, from } => {
                course.moving = Some(Moving { to, epoch, from, moved: false });
            }
            Event::TenantStays => course.lent = course.moving.take().map(|moving| moving.to).or(course.lent),
            Event::TenantMoved { .. } => {
                if let Some(moving) = &mut course.moving {
                    moving.moved = true;
                }
            }
            Event::TenantArrived { from, into, upto } => {
                course.moving = None;
                course.carried = Some(Carried { from, into, upto });
                course.lent = course.lent.filter(|cell| *cell != own);
            }
            Event::TenantCopyGone => course.lent = None,
            Event::FleetHeard { epoch } => self.root.placements.heard = self.root.placements.heard.max(epoch),
            _ => {}
        }
    }

    /// What there is of it in the bucket of what there is once.
    pub(super) fn moving_events(&self) -> Vec<Event> {
        let Course { moving, carried, lent } = self.root.course;
        let mut events = Vec::new();
        if let Some(Carried { from, into, upto }) = carried {
            events.push(Event::TenantArrived { from, into, upto });
        }
        if let Some(to) = lent {
            let epoch = self.root.epoch;
            events.extend([Event::TenantLeaving { to, epoch, from: epoch }, Event::TenantStays]);
        }
        if let Some(Moving { to, epoch, from, moved }) = moving {
            events.push(Event::TenantLeaving { to, epoch, from });
            events.extend(moved.then_some(Event::TenantMoved { to, epoch }));
        }
        if self.root.placements.heard > Epoch(0) {
            events.push(Event::FleetHeard { epoch: self.root.placements.heard });
        }
        events
    }
}
