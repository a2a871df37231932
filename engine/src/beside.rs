//! What stands beside a place: the networks that a key is bound to, the device that a session stands on, and
//! whoever acts in it for its subject. Off the hot path: a flag of the place says whether there is anything.

use crate::check::{Judged, Live, NEVER, UsedFrom, alive, halves};
use crate::facts::facts_of;
use crate::order;
use crate::order::Verdict;
use crate::root::Root;
use crate::table::{Fields, SIDE};
use crate::view::Reading;
use tessera_model::device::DeviceRecord;
use tessera_model::elevation::ActingRecord;
use tessera_model::{
    Generation, Network, PermissionId, PermissionRef, Place, PublicId, Reason, RestrictionId, SubjectIndex,
    UnixMillis, WorkspaceIndex,
};
use tessera_policy::{Actor, Outcome, Within};

/// What whoever acts for others must be permitted, at each check.
pub(crate) const OPENS: &str = "tessera.sessions.open";

/// Beside a place there is at most one of these.
enum Beside<'r> {
    /// It stands on a device.
    Device(&'r DeviceRecord),
    /// Somebody acts in it.
    Acting(&'r ActingRecord),
    /// It is bound to networks.
    Networks(&'r [Network]),
}

/// The number of the device that a place stands on; 0 for none.
pub(crate) const fn device_of(fields: &Fields) -> u32 {
    let [_, _, _, _, _, _, w6, _] = *fields;
    halves(w6).0
}

fn device(root: &Root, subject: SubjectIndex, number: u32) -> Option<&DeviceRecord> {
    root.devices.get(&(subject, number)).map(|record| &**record)
}

fn beside<'r>(root: &'r Root, fields: &Fields, life: (Place, Generation)) -> Result<Beside<'r>, Judged> {
    let number = device_of(fields);
    let found = if number != 0 {
        // One that is not there was forgotten long after it was revoked, or is not published yet.
        device(root, Live::of(fields).subject, number).map(Beside::Device)
    } else if let Some(acting) = root.acts.alive.get(&life) {
        Some(Beside::Acting(acting))
    } else {
        root.sides.get(&life).map(|networks| Beside::Networks(networks))
    };
    found.ok_or(Judged::STALE)
}

fn usable(device: &DeviceRecord) -> Result<(), Judged> {
    if device.is_usable() { Ok(()) } else { Err(Judged::deny(Reason::DeviceRevoked)) }
}

/// What was found of a place that may be used: until when, and what it must lie in besides its restriction.
pub(crate) type Standing<'r> = (UnixMillis, Within<'r>);

/// Whether what stands beside a place lets it be used, until when, and what that cuts. INVARIANT: the place of whoever
/// acts is read once: what lets it act and what cuts it are of the same life.
#[cold]
#[inline(never)]
pub(crate) fn stands<'r>(
    root: &'r Root,
    fields: &Fields,
    life: (Place, Generation),
    from: UsedFrom<'_>,
    (read, now): (&dyn Fn(Place) -> Fields, UnixMillis),
) -> Result<Standing<'r>, Judged> {
    match beside(root, fields, life)? {
        Beside::Device(device) => {
            usable(device)?;
            Ok((NEVER, Within { ceilings: ceilings(root, device), actor: None }))
        }
        Beside::Networks(networks) => {
            inside(networks, from)?;
            Ok((NEVER, Within::default()))
        }
        Beside::Acting(acting) => acts(root, acting, (Live::of(fields).cut_off, from), (read, now)),
    }
}

/// Whether it is used from one of these networks, as far as it matters from where.
fn inside(networks: &[Network], from: UsedFrom<'_>) -> Result<(), Judged> {
    let UsedFrom::Address(address) = from else { return Ok(()) };
    let inside = address.is_some_and(|address| networks.iter().any(|network| network.contains(address)));
    if inside { Ok(()) } else { Err(Judged::deny(Reason::AddressNotAllowed)) }
}

/// The ceilings of a device: that of its level, and its own.
fn ceilings(root: &Root, device: &DeviceRecord) -> [RestrictionId; 2] {
    [root.device_policy.ceiling(device.trust), device.ceiling]
}

/// Whether somebody may act still, in a session that was opened at some count of cut-offs.
fn acts<'r>(
    root: &'r Root,
    acting: &ActingRecord,
    (opened, from): (u32, UsedFrom<'_>),
    (read, now): (&dyn Fn(Place) -> Fields, UnixMillis),
) -> Result<Standing<'r>, Judged> {
    let gone = Judged::deny(Reason::ActorGone);
    let (place, generation) = acting.by;
    let fields = read(place);
    let [w0, w1, w2, ..] = fields;
    let who = (generation.0, (w1, w2));
    let (line, live, end) = alive(root, &fields, who, now)
        .map_err(|judged| if matches!(judged.reason, Reason::Changed) { judged } else { gone })?;
    // A key outlives the cut-offs of its owner; what was begun with it does not.
    if live.subject != acting.actor || opened < line.cut_off() {
        return Err(gone);
    }
    let mut own = [RestrictionId(0); 2];
    if w0 & SIDE != 0 {
        match beside(root, &fields, acting.by)? {
            Beside::Device(device) => {
                usable(device).map_err(|_| gone)?;
                own = ceilings(root, device);
            }
            // What the actor's key is bound to, what was begun with it is bound to.
            Beside::Networks(networks) => inside(networks, from)?,
            Beside::Acting(_) => return Err(gone),
        }
    }
    // Whoever may not act for others any more does not go on with it, whatever it is about.
    let open = root.rules.permission(PermissionRef::Name(OPENS)).ok_or(gone)?;
    let facts = facts_of(root, &fields, from.address());
    let when = (now, Some(&facts));
    let may = root.rules.evaluate_under(line, open, WorkspaceIndex(0), live.restriction, when);
    let may = root.rules.cut_within(may, open, &Within { ceilings: own, actor: None }, now);
    if !may.is_permit() {
        return Err(Judged { valid_until: may.valid_until, ..gone });
    }
    let actor = Some(Actor { line, restriction: live.restriction, facts });
    Ok((end.min(may.valid_until), Within { ceilings: own, actor }))
}

/// Whether what stands beside a place lets it be used: its networks, its device, whoever acts in it. Also until
/// when, and what it must lie in for that.
#[inline]
pub(crate) fn placed<'r>(
    root: &'r Root,
    fields: &Fields,
    (place, generation): (Place, u32),
    from: UsedFrom<'_>,
    at: (&dyn Fn(Place) -> Fields, UnixMillis),
) -> Result<Standing<'r>, Judged> {
    let [head, ..] = *fields;
    if head & SIDE == 0 {
        return Ok((NEVER, Within::default()));
    }
    stands(root, fields, (place, Generation(generation)), from, at)
}

/// Whether it is alive at all and used from where it may be, without a permission; until when, and within what.
pub(crate) fn standing<'r>(
    root: &'r Root,
    fields: &Fields,
    who: (u32, (u64, u64)),
    (place, from): (Place, UsedFrom<'_>),
    (read, now): (&dyn Fn(Place) -> Fields, UnixMillis),
) -> Result<Standing<'r>, Judged> {
    let (_, _, end) = alive(root, fields, who, now)?;
    let (until, within) = placed(root, fields, (place, who.0), from, (read, now))?;
    Ok((until.min(end), within))
}

/// Whether it is alive at all and used from where it may be, without a permission.
pub(crate) fn judge_alive(
    root: &Root,
    fields: &Fields,
    who: (u32, (u64, u64)),
    at: (Place, UsedFrom<'_>),
    when: (&dyn Fn(Place) -> Fields, UnixMillis),
) -> Judged {
    match standing(root, fields, who, at, when) {
        Ok((valid_until, _)) => Judged { reason: Reason::None, valid_until },
        Err(denied) => denied,
    }
}

/// What is left of an answer within what stands beside its place.
pub(crate) fn cut(
    judged: Judged,
    root: &Root,
    permission: Option<PermissionId>,
    (end, within): Standing<'_>,
    now: UnixMillis,
) -> Judged {
    let Some(permission) = permission.filter(|_| !within.is_open() && !judged.stale()) else { return judged };
    let found = Outcome { reason: judged.reason, valid_until: judged.valid_until };
    let found = root.rules.cut_within(found, permission, &within, now);
    Judged { reason: found.reason, valid_until: found.valid_until.min(end) }
}

impl Reading<'_> {
    /// A place of somebody else, whole or as nothing.
    pub(crate) fn whole(&self, place: Place) -> Fields {
        self.view.table.place(place.0).and_then(order::whole).unwrap_or_default()
    }

    /// The public ids of the device that a place stands on, and of whoever acts in it.
    pub(crate) fn besides(
        root: &Root,
        fields: &Fields,
        life: (Place, Generation),
    ) -> (Option<PublicId>, Option<PublicId>) {
        let [head, ..] = *fields;
        if head & SIDE == 0 {
            return (None, None);
        }
        match beside(root, fields, life) {
            Ok(Beside::Device(device)) => (Some(device.id), None),
            Ok(Beside::Acting(acting)) => (None, root.subjects.get(&acting.actor).map(|record| record.id)),
            Ok(Beside::Networks(_)) | Err(_) => (None, None),
        }
    }
}
