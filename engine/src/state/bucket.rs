//! Buckets: the shares in which a tenant's state goes into a checkpoint, each a list of events.

use super::policy::share_of;
use super::relation::model_bucket;
use super::{State, command_id};
use tessera_model::limits::{BUCKET_PLACES, RELATION_MODELS_MAX};
use tessera_model::policy::EntityRecord;
use tessera_model::record::GroupRecord;
use tessera_model::{Event, GroupId, Place, SubjectIndex, TenantId};
use tessera_storage::{Bucket, BucketKind};

/// LIMIT: subjects of one bucket; 256 with their grants stay under 252 KiB in all but odd cases,
/// which storage splits.
const SUBJECTS: u32 = 256;
/// LIMIT: names (roles, permissions, …) of one bucket.
const NAMES: u32 = 256;
/// LIMIT: tenants of one bucket of the system tenant.
const TENANTS: u64 = 512;
/// Number ranges of the bucket kind `Names`.
const PERMISSIONS: u32 = 1_000_000;
const ROLES: u32 = 2_000_000;
const WORKSPACES: u32 = 3_000_000;
const RESTRICTIONS: u32 = 4_000_000;
const CLIENTS: u32 = 5_000_000;
const GROUPS: u32 = 6_000_000;
/// One service to a bucket: its entries may fill half of one.
const SERVICES: u32 = 7_000_000;
/// The policies alone fill one.
const POLICIES: u32 = 10_000_000;
/// Entities, by share.
const ENTITIES: u32 = 11_000_000;

/// One map of endpoints to a bucket: it may fill half of one.
const ENDPOINTS: u32 = 8_000_000;
/// Requests for roles of one bucket: a quarter of what names there are, for their reasons.
const REQUEST_SHARE: u32 = 64;
const REQUESTS: u32 = 9_000_000;

/// The bucket of the mappings, behind those of the models.
const MAPPINGS: u32 = tessera_relation::SHARES + RELATION_MODELS_MAX;

/// The bucket of a subject and everything that hangs on it.
pub(crate) const fn of_subject(subject: SubjectIndex) -> (BucketKind, u32) {
    (BucketKind::Subjects, subject.0 / SUBJECTS)
}

/// The bucket of a place.
pub(super) const fn of_place(place: Place) -> (BucketKind, u32) {
    (BucketKind::Places, place.0 / BUCKET_PLACES)
}

/// The bucket of a group and of what is granted to it.
pub(super) const fn of_group(group: GroupId) -> (BucketKind, u32) {
    (BucketKind::Names, GROUPS + group.0 / NAMES)
}

pub(super) const fn of_request(number: u32) -> (BucketKind, u32) {
    (BucketKind::Names, REQUESTS + number / REQUEST_SHARE)
}

fn of_tenant(tenant: TenantId) -> (BucketKind, u32) {
    (BucketKind::Directory, u32::try_from(tenant.counter() / TENANTS).unwrap_or(u32::MAX))
}

/// The bucket of an identifier's failures: the first 6 bits of its hash.
fn of_failure([first, ..]: &[u8; 16]) -> (BucketKind, u32) {
    (BucketKind::Failures, u32::from(first >> 2))
}

/// The bucket that an event's key lies in. Freed identifiers are found by `apply`.
pub(super) fn of(event: &Event) -> Option<(BucketKind, u32)> {
    Some(match event {
        Event::TenantBorn { .. }
        | Event::SettingsChanged(_)
        | Event::BootstrapChanged { .. }
        | Event::AttributeDeclared(_)
        | Event::RefreshKeyMade { .. }
        | Event::NumbersSkipped { .. }
        | Event::NamesSkipped { .. }
        | Event::RefreshKeyDropped { .. } => (BucketKind::Names, 0),
        Event::ClientChanged(record) => (BucketKind::Names, CLIENTS + record.index.0 / NAMES),
        Event::ClientRemoved(index) => (BucketKind::Names, CLIENTS + index.0 / NAMES),
        Event::TenantChanged(record) => of_tenant(record.id),
        Event::SubjectChanged(record) => of_subject(record.index),
        Event::SubjectErased { subject, .. }
        | Event::IdentifierTaken { subject, .. }
        | Event::SetUpOffered { subject, .. }
        | Event::AttributeChanged { subject, .. } => of_subject(*subject),
        Event::GrantAdded(record) => of_subject(record.subject),
        Event::GrantRemoved { subject, .. } => of_subject(*subject),
        Event::MemberAdded(record) => of_subject(record.subject),
        Event::MemberRemoved { subject, .. } => of_subject(*subject),
        Event::GroupChanged(record) => of_group(record.id),
        Event::GroupRemoved(group) | Event::GroupGrantRemoved { group, .. } => of_group(*group),
        Event::GroupGrantAdded(record) => of_group(record.group),
        Event::PermissionRegistered { id, .. } => (BucketKind::Names, PERMISSIONS + id.0 / NAMES),
        Event::RoleChanged(record) => (BucketKind::Names, ROLES + record.id.0 / NAMES),
        Event::RoleRemoved(role) => (BucketKind::Names, ROLES + role.0 / NAMES),
        Event::WorkspaceChanged(record) => (BucketKind::Names, WORKSPACES + record.index.0 / NAMES),
        Event::WorkspaceRemoved(index) => (BucketKind::Names, WORKSPACES + index.0 / NAMES),
        Event::ServiceChanged(record) => (BucketKind::Names, SERVICES + record.index.0),
        Event::ServiceRemoved(index) => (BucketKind::Names, SERVICES + index.0),
        Event::EndpointsChanged(record) => (BucketKind::Names, ENDPOINTS + record.service.0),
        Event::EndpointsRemoved(index) => (BucketKind::Names, ENDPOINTS + index.0),
        Event::DeviceChanged(record) => of_subject(record.subject),
        Event::DeviceRemoved { subject, .. } => of_subject(*subject),
        Event::DevicePolicyChanged(_) => State::policy_bucket(),
        Event::ActingBegun(record) => of_place(record.place),
        Event::RequestChanged(record) => of_request(record.number),
        Event::RequestRemoved { number } => of_request(*number),
        Event::PoliciesChanged(_) | Event::PoliciesRemoved { .. } => (BucketKind::Names, POLICIES),
        Event::EntityChanged(EntityRecord { name, .. }) | Event::EntityRemoved(name) => {
            (BucketKind::Names, ENTITIES + share_of(name))
        }
        Event::RestrictionAdded(record) => (BucketKind::Names, RESTRICTIONS + record.id.0 / NAMES),
        Event::RestrictionRemoved(id) => (BucketKind::Names, RESTRICTIONS + id.0 / NAMES),
        Event::SessionOpened { record, .. } => of_place(record.place),
        Event::SessionTouched { place, .. }
        | Event::SessionRefreshed { place, .. }
        | Event::SessionEnded { place, .. }
        | Event::NetworksBound { place, .. }
        | Event::ExpiresMoved { place, .. } => of_place(*place),
        Event::CutOffRaised { subject, .. } if subject.0 == 0 => (BucketKind::Names, 0),
        Event::CutOffRaised { subject, .. } => of_subject(*subject),
        Event::CommandRemembered(record) => (BucketKind::Commands, command_id::minute(record.id)),
        Event::CommandFloor { .. } => (BucketKind::Commands, 0),
        Event::FailuresCounted(record) => of_failure(&record.key),
        Event::PermissionMapped(_) | Event::PermissionUnmapped { .. } => (BucketKind::Relations, MAPPINGS),
        Event::RelationModelChanged(record) => (BucketKind::Relations, model_bucket(record)),
        Event::RelationWritten(record) => (BucketKind::Relations, tessera_relation::share_of(&record.object)),
        Event::RelationRemoved { object, .. } => (BucketKind::Relations, tessera_relation::share_of(object)),
        Event::IdentifierFreed { .. } => return None,
    })
}

impl State {
    /// The bucket's share of the state, as events.
    pub(crate) fn bucket(&self, (kind, no): (BucketKind, u32)) -> Bucket {
        let events = match kind {
            BucketKind::Places => self.place_events(no * BUCKET_PLACES, (no + 1) * BUCKET_PLACES),
            BucketKind::Subjects => self.subject_events(no * SUBJECTS, (no + 1) * SUBJECTS),
            BucketKind::Commands if no == 0 => vec![Event::CommandFloor { unix_ms: self.ids.floor_ms() }],
            BucketKind::Commands => self.ids.of_minute(no).map(Event::CommandRemembered).collect(),
            BucketKind::Directory => {
                let first = TenantId(u64::from(no) * TENANTS);
                let share = self.root.tenants.values().filter(|record| of_tenant(record.id).1 == no);
                debug_assert!(first.0 < u64::MAX);
                share.cloned().map(Event::TenantChanged).collect()
            }
            BucketKind::Failures => {
                let share = self.root.failures.values().filter(|record| of_failure(&record.key).1 == no);
                share.copied().map(Event::FailuresCounted).collect()
            }
            BucketKind::Names => self.name_events(no),
            BucketKind::Relations if no == MAPPINGS => self.mapping_events(),
            BucketKind::Relations => self.relation_events(no),
        };
        Bucket { kind, no, events }
    }

    fn subject_events(&self, from: u32, to: u32) -> Vec<Event> {
        let mut events = Vec::new();
        let range = SubjectIndex(from)..SubjectIndex(to);
        for (index, record) in self.root.subjects.range(range) {
            events.push(Event::SubjectChanged(record.clone()));
            if let Some((at, done)) = self.root.erased.get(&index) {
                events.push(Event::SubjectErased { subject: index, at: *at, done: *done });
            }
            for hash in self.held.of(index) {
                events.push(Event::IdentifierTaken { hash: *hash, subject: index });
            }
            if let Some((tag, until)) = self.root.set_ups.get(&index) {
                events.push(Event::SetUpOffered { subject: index, tag: *tag, until: *until });
            }
            events.extend(self.root.rules.grants_of(index).map(Event::GrantAdded));
            events.extend(self.written_memberships(index).map(Event::MemberAdded));
            events.extend(self.devices_of(index).cloned().map(Event::DeviceChanged));
            events.extend(self.root.rules.values_of(index).map(|(attribute, value)| {
                Event::AttributeChanged { subject: index, attribute, value: Some(value.clone()) }
            }));
        }
        events
    }

    fn name_events(&self, no: u32) -> Vec<Event> {
        let share = |base: u32| (no - base) * NAMES..(no - base + 1) * NAMES;
        match no {
            ENTITIES.. => self.entity_events(no - ENTITIES),
            POLICIES.. => self.policy_events(),
            ENDPOINTS..REQUESTS => {
                let map = self.root.endpoints.get(&(no - ENDPOINTS));
                map.map(|map| Event::EndpointsChanged(map.record.clone())).into_iter().collect()
            }
            REQUESTS.. => {
                let first = (no - REQUESTS) * REQUEST_SHARE;
                let records = self.root.requests.range(first..first.saturating_add(REQUEST_SHARE));
                records.map(|(_, record)| Event::RequestChanged((**record).clone())).collect()
            }
            SERVICES.. => {
                let record = self.root.services.get(&(no - SERVICES));
                record.map(|record| Event::ServiceChanged((**record).clone())).into_iter().collect()
            }
            GROUPS.. => {
                let mine = share(GROUPS);
                let records = self.root.groups.range(GroupId(mine.start)..GroupId(mine.end));
                records.flat_map(|(group, record)| self.group_events(*group, record)).collect()
            }
            CLIENTS.. => {
                let mine = share(CLIENTS);
                let records = self.root.clients.values().filter(|record| mine.contains(&record.index.0));
                records.map(|record| Event::ClientChanged((**record).clone())).collect()
            }
            RESTRICTIONS.. => {
                let mine = share(RESTRICTIONS);
                let records = self.root.restrictions.values().filter(|record| mine.contains(&record.id.0));
                records.map(|record| Event::RestrictionAdded((**record).clone())).collect()
            }
            WORKSPACES.. => {
                let mine = share(WORKSPACES);
                let records = self.root.workspaces.values().filter(|record| mine.contains(&record.index.0));
                records.map(|record| Event::WorkspaceChanged((**record).clone())).collect()
            }
            ROLES.. => {
                let mine = share(ROLES);
                let records = self.root.roles.values().filter(|record| mine.contains(&record.id.0));
                records.map(|record| Event::RoleChanged((**record).clone())).collect()
            }
            PERMISSIONS.. => {
                let mine = share(PERMISSIONS);
                let names = self.root.permissions.iter().filter(|(id, _)| mine.contains(id));
                names
                    .map(|(id, name)| Event::PermissionRegistered {
                        id: tessera_model::PermissionId(*id),
                        name: name.clone(),
                    })
                    .collect()
            }
            _ => self.basic_events(),
        }
    }

    fn group_events(&self, group: GroupId, record: &GroupRecord) -> Vec<Event> {
        let grants = self.root.rules.grants_to(group).map(Event::GroupGrantAdded);
        std::iter::once(Event::GroupChanged(record.clone())).chain(grants).collect()
    }

    /// What there is once per tenant, and the declared attributes.
    fn basic_events(&self) -> Vec<Event> {
        let (tag, until) = self.root.bootstrap;
        let mut events = vec![
            Event::TenantBorn { tenant: self.root.tenant, at: self.root.born },
            Event::SettingsChanged(self.root.settings),
            Event::BootstrapChanged { tag, until },
            Event::DevicePolicyChanged(self.root.device_policy),
            Event::CutOffRaised {
                subject: SubjectIndex(0),
                count: self.root.cut_off,
                spared: (Place(0), tessera_model::Generation(0)),
            },
        ];
        events.extend(self.root.attributes.values().cloned().map(Event::AttributeDeclared));
        events.extend(self.skipped.clone());
        events.push(Event::NamesSkipped { role: self.next.role, group: self.next.group });
        // The one that handles are made by comes last.
        let current = self.root.refresh_key;
        let mut keys: Vec<_> = self.root.refresh_keys.iter().map(|(number, at)| (*number, *at)).collect();
        keys.sort_unstable_by_key(|(number, _)| *number == current);
        events.extend(keys.into_iter().map(|(number, at)| Event::RefreshKeyMade { number, at }));
        events
    }
}
