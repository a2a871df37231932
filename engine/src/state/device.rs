//! Devices: registered for a subject, trusted so far, limited, and revoked with their sessions.

use super::{Decided, Made, State, VOUCH};
use crate::beside::device_of;
use std::sync::Arc;
use tessera_model::command::Entropy;
use tessera_model::device::{DeviceRecord, Thumbprint, Trust};
use tessera_model::limits::{DEVICE_SESSIONS_MAX, DEVICES_MAX, DEVICES_PER_SUBJECT_MAX, PATTERNS_MAX};
use tessera_model::record::{SubjectKind, SubjectRecord};
use tessera_model::refresh::EndReason;
use tessera_model::{
    Caller, Command, Deadline, Event, Generation, Limit, Name, OnDevice, Pattern, Place, PublicId, Refusal,
    RestrictionId, SubjectIndex, UnixMillis,
};
use tessera_storage::BucketKind;

impl State {
    /// Decides what is ordered about devices.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is about something else")]
    pub(super) fn about_devices(
        &self,
        command: &Command,
        caller: Caller,
        entropy: &Entropy,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        if self.lifts_its_own(command, caller, now) {
            return Err(Refusal::BeyondCreator);
        }
        match command {
            Command::RegisterDevice { subject, name, key } => {
                self.register_device(*subject, (name, *key), caller, entropy, now)
            }
            Command::TrustDevice { device, trust } => {
                let known = self.usable_device(*device)?;
                Ok(Self::device_changed(known, DeviceRecord { trust: *trust, ..known.clone() }))
            }
            Command::RevokeDevice { device } => self.revoke_device(*device, now),
            Command::LimitDevice { device, patterns } => {
                let known = self.usable_device(*device)?;
                let (ceiling, mut events) = self.device_ceiling(patterns, known.ceiling)?;
                let changed = Self::device_changed(known, DeviceRecord { ceiling, ..known.clone() });
                events.extend(changed.events);
                Ok(Decided { events, ..Decided::default() })
            }
            Command::LimitTrust { trust, patterns } => self.limit_trust(*trust, patterns),
            Command::RequireDevices { required } => {
                let mut policy = self.root.device_policy;
                if policy.required == *required {
                    return Ok(Decided::nothing());
                }
                policy.required = *required;
                Ok(Decided::of(Event::DevicePolicyChanged(policy)))
            }
            _ => Err(Refusal::Malformed),
        }
    }

    /// Whether a session that a device limits orders what could lift that limit: its subject's devices, the levels, and
    /// whether devices are required, are for others then.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest lifts nothing")]
    fn lifts_its_own(&self, command: &Command, caller: Caller, now: UnixMillis) -> bool {
        let Caller::Holder { place, subject, .. } = caller else { return false };
        let own = match command {
            Command::TrustDevice { device, .. } | Command::LimitDevice { device, .. } => {
                self.root.device_ids.get(device).is_some_and(|(owner, _)| *owner == subject)
            }
            Command::LimitTrust { .. } | Command::RequireDevices { .. } => true,
            _ => false,
        };
        own && !self.is_whole(place, now)
    }

    /// A device with this public id that is not revoked.
    pub(super) fn usable_device(&self, id: PublicId) -> Result<&DeviceRecord, Refusal> {
        let known = self.root.device_ids.get(&id).and_then(|place| self.root.devices.get(place));
        known.map(|known| &**known).filter(|known| known.is_usable()).ok_or(Refusal::DeviceUnknown)
    }

    /// The device that a session of a subject opens on; 0 for none, where it need not be on one. Its key was proven to be
    /// held, or the caller may answer for devices.
    pub(super) fn device_to_open(
        &self,
        owner: &SubjectRecord,
        device: Option<OnDevice>,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<u32, Refusal> {
        let Some(OnDevice { id, proven }) = device else {
            let required = self.root.device_policy.required && owner.kind == SubjectKind::Person;
            return if required { Err(Refusal::DeviceRequired) } else { Ok(0) };
        };
        // INVARIANT: whoever shows no proof and may not answer for devices learns nothing of any.
        if proven.is_none() && !self.may_order(caller, VOUCH, now) {
            return Err(Refusal::DeviceProofRequired);
        }
        let known = self.usable_device(id)?;
        if known.subject != owner.index {
            return Err(Refusal::DeviceUnknown);
        }
        if proven.is_some_and(|key| key != known.key) {
            return Err(Refusal::DeviceProofWrong);
        }
        Ok(known.number)
    }

    fn device_changed(known: &DeviceRecord, record: DeviceRecord) -> Decided {
        if *known == record { Decided::nothing() } else { Decided::of(Event::DeviceChanged(record)) }
    }

    /// The devices of a subject, by number.
    pub(super) fn devices_of(&self, subject: SubjectIndex) -> impl Iterator<Item = &DeviceRecord> {
        let range = (subject, 0)..=(subject, u32::MAX);
        self.root.devices.range(range).map(|(_, record)| &**record)
    }

    fn register_device(
        &self,
        subject: PublicId,
        (name, key): (&Name, Thumbprint),
        caller: Caller,
        entropy: &Entropy,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let subject = self.known_subject(subject)?.index;
        let usable: Vec<_> = self.devices_of(subject).filter(|device| device.is_usable()).collect();
        if usable.iter().any(|device| device.key == key) {
            return Err(Refusal::Duplicate);
        }
        if usable.len() >= DEVICES_PER_SUBJECT_MAX {
            return Err(Limit::DevicesPerSubject.reached());
        }
        let (number, id) = (self.next.device, PublicId::new(now.0, entropy.take(20)));
        if number >= DEVICES_MAX {
            return Err(Limit::Devices.reached());
        }
        if self.root.device_ids.contains_key(&id) {
            return Err(Refusal::Duplicate);
        }
        // The ceiling of one that was revoked does not go by registering it anew: that is for whoever may lift it.
        let former = self.devices_of(subject).filter(|device| device.key == key).last();
        let ceiling = former.map_or(RestrictionId(0), |device| device.ceiling);
        let lifted = ceiling.0 == 0 || self.may_order(caller, "tessera.admin.subjects", now);
        let record = DeviceRecord {
            subject,
            number,
            id,
            name: name.clone(),
            key,
            trust: Trust::default(),
            ceiling: if lifted { RestrictionId(0) } else { ceiling },
            registered: now.to_deadline(),
            revoked: Deadline::NONE,
        };
        let made = Made { device: Some(id), ..Made::default() };
        Ok(Decided { made, ..Decided::of(Event::DeviceChanged(record)) })
    }

    fn revoke_device(&self, id: PublicId, now: UnixMillis) -> Result<Decided, Refusal> {
        let place = self.root.device_ids.get(&id).ok_or(Refusal::DeviceUnknown)?;
        let known = self.root.devices.get(place).ok_or(Refusal::DeviceUnknown)?;
        if !known.is_usable() {
            return Ok(Decided::nothing());
        }
        let revoked = DeviceRecord { revoked: now.to_deadline(), ..(**known).clone() };
        let mut events = vec![Event::DeviceChanged(revoked)];
        // The oldest one of many revoked ones is forgotten: its sessions have ended or are past their lifetime.
        let mut old = self.devices_of(known.subject).filter(|device| !device.is_usable());
        let oldest = old.next().map(|device| (device.subject, device.number));
        if let (Some((subject, number)), true) = (oldest, old.count() + 1 >= DEVICES_PER_SUBJECT_MAX) {
            events.push(Event::DeviceRemoved { subject, number });
        }
        let on_it = self.kin.of(&self.table, known.subject).filter_map(|place| {
            let fields = self.place(Place(place));
            let generation = Generation(crate::check::halves(fields[0]).0);
            let stands = device_of(&fields) == known.number;
            (stands && self.live(Place(place), generation, now).is_some()).then_some((place, generation))
        });
        events.extend(on_it.take(DEVICE_SESSIONS_MAX).map(|(place, generation)| Event::SessionEnded {
            place: Place(place),
            generation,
            reason: EndReason::Ordered,
        }));
        Ok(Decided { events, ..Decided::default() })
    }

    /// The ceiling of patterns: one that there is, or a new one.
    fn device_ceiling(
        &self,
        patterns: &[Pattern],
        held: RestrictionId,
    ) -> Result<(RestrictionId, Vec<Event>), Refusal> {
        if patterns.len() > PATTERNS_MAX {
            return Err(Limit::Patterns.reached());
        }
        let held = self.root.restrictions.get(&held).map_or(&[][..], |record| &record.patterns);
        self.look_up_all(patterns, held)?;
        let mut sorted = patterns.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        self.restriction(&sorted)
    }

    fn limit_trust(&self, trust: Trust, patterns: &[Pattern]) -> Result<Decided, Refusal> {
        let policy = self.root.device_policy;
        let (ceiling, mut events) = self.device_ceiling(patterns, policy.ceiling(trust))?;
        let changed = policy.with(trust, ceiling);
        if changed != policy {
            events.push(Event::DevicePolicyChanged(changed));
        }
        Ok(Decided { events, ..Decided::default() })
    }

    pub(super) fn apply_device(&mut self, record: &DeviceRecord) {
        self.next.device = self.next.device.max(record.number + 1);
        let place = (record.subject, record.number);
        self.root.device_ids.insert_mut(record.id, place);
        self.root.devices.insert_mut(place, Arc::new(record.clone()));
    }

    pub(super) fn apply_device_removed(&mut self, place: (SubjectIndex, u32)) {
        self.next.device = self.next.device.max(place.1.saturating_add(1));
        self.keep_given();
        if let Some(id) = self.root.devices.get(&place).map(|record| record.id) {
            self.root.device_ids.remove_mut(&id);
            self.root.devices.remove_mut(&place);
        }
    }

    /// What is forgotten of a subject that is deleted: its devices, and what it asked for.
    pub(super) fn elevations_gone(&self, subject: SubjectIndex, events: &mut Vec<Event>) {
        let devices = self.devices_of(subject);
        events.extend(devices.map(|device| Event::DeviceRemoved { subject, number: device.number }));
        let requests = self.requests_of(subject);
        events.extend(requests.map(|request| Event::RequestRemoved { number: request.number }));
    }

    /// The restrictions that are ceilings of devices.
    pub(super) fn device_ceilings(&self) -> impl Iterator<Item = RestrictionId> {
        let devices = self.root.devices.values().map(|device| device.ceiling);
        devices.chain(self.root.device_policy.ceilings)
    }

    /// Marks the bucket of what there is once per tenant.
    pub(super) fn policy_bucket() -> (BucketKind, u32) {
        (BucketKind::Names, 0)
    }
}
