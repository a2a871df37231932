//! Buckets: the shares in which a tenant's state goes into a checkpoint, as it lies or as a list of events.

use super::placement::Placements;
use super::policy::share_of;
use super::relation::model_bucket;
use super::{Next, State, command_id};
use tessera_model::grant_condition::Grantee;
use tessera_model::limits::{BUCKET_PLACES, POLICY_VERSIONS_MAX, RELATION_MODELS_MAX};
use tessera_model::policy::EntityRecord;
use tessera_model::record::GroupRecord;
use tessera_model::{Event, GroupId, Place, SubjectIndex, TenantId};
use tessera_storage::{Bucket, BucketKind, Image};

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
/// Which set of policies was taken away last.
const POLICIES: u32 = 10_000_000;
/// Sets of policies, each of which alone fills one: the last ones, each at its version's share.
const POLICY_SETS: u32 = 14_000_000;
/// Behind them.
const POLICY_SETS_END: u32 = POLICY_SETS + POLICY_VERSIONS_MAX;
/// Entities, by share.
const ENTITIES: u32 = 11_000_000;

/// Who sees whom alone.
const VISIBILITY: u32 = 12_000_000;

/// One map of endpoints to a bucket: it may fill half of one.
const ENDPOINTS: u32 = 8_000_000;
/// Requests for roles of one bucket: a quarter of what names there are, for their reasons.
const REQUEST_SHARE: u32 = 64;
const REQUESTS: u32 = 9_000_000;

/// Invitations of one bucket, as of requests.
const INVITATIONS: u32 = 100_000_000;

/// Where tenants live, by share: behind all invitations that a number may name.
const PLACEMENTS: u32 = 200_000_000;

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

/// The bucket of an invitation.
pub(crate) const fn of_invitation(number: u32) -> (BucketKind, u32) {
    (BucketKind::Names, INVITATIONS + number / REQUEST_SHARE)
}

fn of_tenant(tenant: TenantId) -> (BucketKind, u32) {
    (BucketKind::Directory, u32::try_from(tenant.counter() / TENANTS).unwrap_or(u32::MAX))
}

/// The bucket of an identifier's failures: the first 6 bits of its hash.
fn of_failure([first, ..]: &[u8; 16]) -> (BucketKind, u32) {
    (BucketKind::Failures, u32::from(first >> 2))
}

/// The bucket that an event's key lies in. Freed identifiers are found by `apply`.
#[expect(clippy::too_many_lines, reason = "one arm for each event")]
pub(super) fn of(event: &Event) -> Option<(BucketKind, u32)> {
    Some(match event {
        Event::TenantBorn { .. }
        | Event::SettingsChanged(_)
        | Event::BootstrapChanged { .. }
        | Event::AttributeDeclared(_)
        | Event::RefreshKeyMade { .. }
        | Event::NumbersSkipped { .. }
        | Event::NamesSkipped { .. }
        | Event::NumbersKept { .. }
        | Event::PersonalRoleChanged { .. }
        | Event::TenantLeaving { .. }
        | Event::TenantStays
        | Event::TenantMoved { .. }
        | Event::TenantArrived { .. }
        | Event::TenantCopyGone
        | Event::FleetHeard { .. }
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
        Event::GrantConditionsSet(record) => match record.grantee {
            Grantee::Subject(subject) => of_subject(subject),
            Grantee::Group(group) => of_group(group),
        },
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
        Event::ActingNoted(record) => of_subject(record.subject),
        Event::ActingForgotten { subject, .. } => of_subject(*subject),
        Event::DevicePolicyChanged(_) => State::policy_bucket(),
        Event::ActingBegun(record) => of_place(record.place),
        Event::RequestChanged(record) => of_request(record.number),
        Event::RequestRemoved { number } => of_request(*number),
        Event::InvitationChanged(record) => of_invitation(record.number),
        Event::InvitationRemoved { number } | Event::InvitationErased { number } => of_invitation(*number),
        Event::PoliciesChanged(record) => {
            (BucketKind::Names, POLICY_SETS + record.version % POLICY_VERSIONS_MAX)
        }
        Event::PoliciesRemoved { .. } => (BucketKind::Names, POLICIES),
        Event::EntityChanged(EntityRecord { name, .. }) | Event::EntityRemoved(name) => {
            (BucketKind::Names, ENTITIES + share_of(name))
        }
        Event::VisibilityChanged(_) => (BucketKind::Names, VISIBILITY),
        Event::TenantPlaced(placement) => {
            (BucketKind::Names, PLACEMENTS + Placements::share(placement.tenant))
        }
        Event::CreatorNoted { subject, .. } => of_subject(*subject),
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
    /// The bucket's share of the state.
    pub(crate) fn bucket(&self, (kind, no): (BucketKind, u32)) -> Bucket {
        let events = match kind {
            BucketKind::Places => {
                let (places, events) = self.place_image(no);
                return Bucket { kind, no, image: Image::Places(places), events };
            }
            BucketKind::Subjects => self.subject_events(no * SUBJECTS, (no + 1) * SUBJECTS),
            BucketKind::Commands if no == 0 => vec![Event::CommandFloor { unix_ms: self.ids.floor_ms() }],
            BucketKind::Commands => {
                let image = Image::Commands(self.ids.of_minute(no));
                return Bucket { image, ..Bucket::of(kind, no, Vec::new()) };
            }
            BucketKind::Directory => {
                let share = self.root.tenants.iter().filter(|seen| of_tenant(seen.id).1 == no);
                share.filter_map(|seen| seen.record()).map(Event::TenantChanged).collect()
            }
            BucketKind::Failures => {
                let share = self.root.failures.values().filter(|record| of_failure(&record.key).1 == no);
                share.copied().map(Event::FailuresCounted).collect()
            }
            BucketKind::Names => self.name_events(no),
            BucketKind::Relations if no == MAPPINGS => self.mapping_events(),
            BucketKind::Relations => self.relation_events(no),
        };
        Bucket::of(kind, no, events)
    }

    fn subject_events(&self, from: u32, to: u32) -> Vec<Event> {
        let mut events = Vec::new();
        let range = SubjectIndex(from)..SubjectIndex(to);
        for (index, record) in self.root.subjects.range(range) {
            events.push(Event::SubjectChanged(record.clone()));
            events.extend(self.creator_event(index));
            if let Some((at, done)) = self.root.erased.get(&index) {
                events.push(Event::SubjectErased { subject: index, at: *at, done: *done });
            }
            for hash in self.held.of(index) {
                events.push(Event::IdentifierTaken { hash: *hash, subject: index });
            }
            if let Some((tag, until)) = self.root.set_ups.get(&index) {
                events.push(Event::SetUpOffered { subject: index, tag: *tag, until: *until });
            }
            events.extend(self.condition_events(Grantee::Subject(index)));
            events.extend(self.root.rules.grants_of(index).map(Event::GrantAdded));
            events.extend(self.written_memberships(index).map(Event::MemberAdded));
            events.extend(self.devices_of(index).cloned().map(Event::DeviceChanged));
            events.extend(self.acted_of(index).cloned().map(Event::ActingNoted));
            events.extend(self.root.rules.values_of(index).map(|(attribute, value)| {
                Event::AttributeChanged { subject: index, attribute, value: Some(value.clone()) }
            }));
        }
        events
    }

    fn name_events(&self, no: u32) -> Vec<Event> {
        let share = |base: u32| (no - base) * NAMES..(no - base + 1) * NAMES;
        match no {
            POLICY_SETS..POLICY_SETS_END => self.policy_set_events(no - POLICY_SETS),
            PLACEMENTS.. => self.placement_events(no - PLACEMENTS),
            INVITATIONS.. => {
                let first = (no - INVITATIONS) * REQUEST_SHARE;
                self.invitation_events(first..first.saturating_add(REQUEST_SHARE))
            }
            VISIBILITY.. => self.visibility_event().into_iter().collect(),
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
        let conditions = self.condition_events(Grantee::Group(group));
        std::iter::once(Event::GroupChanged(record.clone())).chain(conditions).chain(grants).collect()
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
        events.extend(self.moving_events());
        events.push(Event::PersonalRoleChanged { role: self.root.personal_role });
        events.push(Event::NamesSkipped { role: self.next.role, group: self.next.group });
        let Next { client, device, request, .. } = self.next;
        events.push(Event::NumbersKept { client, device, request });
        events.extend(self.last_invitation());
        // The one that handles are made by comes last.
        let current = self.root.refresh_key;
        let mut keys: Vec<_> = self.root.refresh_keys.iter().map(|(number, at)| (*number, *at)).collect();
        keys.sort_unstable_by_key(|(number, _)| *number == current);
        events.extend(keys.into_iter().map(|(number, at)| Event::RefreshKeyMade { number, at }));
        events
    }
}
