//! What stands beside a place: the networks that a key is bound to, the device that a session stands on, and
//! whoever acts in it for its subject. Off the hot path: a flag of the place says whether there is anything.

use crate::check::{Judged, Live, UsedFrom, alive, halves};
use crate::root::Root;
use crate::table::{Fields, SIDE};
use crate::view::Reading;
use tessera_model::device::DeviceRecord;
use tessera_model::{Generation, Place, PublicId, Reason, SubjectIndex, UnixMillis};
use tessera_policy::{Actor, Within};

/// Beside a place there is at most one of these.
enum Beside<'r> {
    /// It stands on a device.
    Device(&'r DeviceRecord),
    /// Somebody acts in it.
    Acting(&'r tessera_model::elevation::ActingRecord),
    /// It is bound to networks.
    Networks(&'r [tessera_model::Network]),
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
    } else if let Some(acting) = root.actings.get(&life) {
        Some(Beside::Acting(acting))
    } else {
        root.sides.get(&life).map(|networks| Beside::Networks(networks))
    };
    found.ok_or(Judged::STALE)
}

fn usable(device: &DeviceRecord) -> Result<(), Judged> {
    if device.is_usable() { Ok(()) } else { Err(Judged::deny(Reason::DeviceRevoked)) }
}

/// Whether what stands beside a place lets it be used, and until when.
#[cold]
#[inline(never)]
pub(crate) fn stands(
    root: &Root,
    fields: &Fields,
    life: (Place, Generation),
    from: UsedFrom<'_>,
    (read, now): (&dyn Fn(Place) -> Fields, UnixMillis),
) -> Result<UnixMillis, Judged> {
    let never = UnixMillis(u64::MAX);
    match beside(root, fields, life)? {
        Beside::Device(device) => usable(device).map(|()| never),
        Beside::Networks(networks) => {
            let UsedFrom::Address(address) = from else { return Ok(never) };
            let inside =
                address.is_some_and(|address| networks.iter().any(|network| network.contains(address)));
            if inside { Ok(never) } else { Err(Judged::deny(Reason::AddressNotAllowed)) }
        }
        Beside::Acting(acting) => {
            let gone = Judged::deny(Reason::ActorGone);
            let (place, generation) = acting.by;
            let fields = read(place);
            let [w0, w1, w2, ..] = fields;
            let who = (generation.0, (w1, w2));
            let (_, live, end) = alive(root, &fields, who, now)
                .map_err(|judged| if matches!(judged.reason, Reason::Changed) { judged } else { gone })?;
            if live.subject != acting.actor {
                return Err(gone);
            }
            if w0 & SIDE != 0 {
                match beside(root, &fields, acting.by)? {
                    Beside::Device(device) => usable(device).map_err(|_| gone)?,
                    // Where the actor is was looked at when it began.
                    Beside::Networks(_) => {}
                    Beside::Acting(_) => return Err(gone),
                }
            }
            Ok(end)
        }
    }
}

/// What a place must lie in besides its restriction. Of what does not stand nothing is told: that was asked before.
#[cold]
#[inline(never)]
pub(crate) fn within<'r>(
    root: &'r Root,
    fields: &Fields,
    life: (Place, Generation),
    read: &dyn Fn(Place) -> Fields,
) -> Within<'r> {
    let ceilings = |device: &DeviceRecord| [root.device_policy.ceiling(device.trust), device.ceiling];
    match beside(root, fields, life) {
        Ok(Beside::Device(device)) => Within { ceilings: ceilings(device), actor: None },
        Ok(Beside::Acting(acting)) => {
            let theirs = read(acting.by.0);
            let live = Live::of(&theirs);
            let line = root.rules.line(acting.actor);
            let actor = line.map(|line| Actor { line, restriction: live.restriction });
            let own = device(root, acting.actor, device_of(&theirs));
            Within { ceilings: own.map(ceilings).unwrap_or_default(), actor }
        }
        Ok(Beside::Networks(_)) | Err(_) => Within::default(),
    }
}

impl Reading<'_> {
    /// A place of somebody else, whole or as nothing.
    pub(crate) fn whole(&self, place: Place) -> Fields {
        let Some(words) = self.view.table.place(place.0) else { return Fields::default() };
        let fields = words.read();
        let [head, ..] = fields;
        if words.head() == head { fields } else { Fields::default() }
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
