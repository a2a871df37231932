//! The root of a tenant: everything that decides permissions, immutable once published.
//!
//! The actor edits its own copy; a clone costs a few reference counts, because every part stands
//! behind its own pointer and an edit copies only the chunks it touches.

use crate::index::Index;
use crate::order::RootCell;
use crate::people::People;
use crate::policed::Policed;
use crate::state::{Placements, Tenants};
use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};
use std::collections::BTreeMap;
use std::sync::Arc;
use tessera_model::catalogue::ServiceRecord;
use tessera_model::device::{DevicePolicyRecord, DeviceRecord};
use tessera_model::elevation::{ActedRecord, ActingRecord, RequestRecord};
use tessera_model::endpoint::{EndpointsRecord, Router};
use tessera_model::invitation::InvitationRecord;
use tessera_model::limits::SUBJECTS_MAX;
use tessera_model::policy::{EntityName, EntityRecord, PolicyRecord};
use tessera_model::record::{
    AttributeRecord, FailureRecord, GroupRecord, RestrictionRecord, RoleRecord, SubjectRecord,
    WorkspaceRecord,
};
use tessera_model::refresh::ClientRecord;
use tessera_model::relation::RelationModelRecord;
use tessera_model::visibility::VisibilityRecord;
use tessera_model::{
    ClientIndex, Deadline, Epoch, Generation, GroupId, Name, Network, Place, PublicId, RestrictionId, RoleId,
    Settings, SubjectIndex, TenantId, WorkspaceIndex,
};
use tessera_policy::{Chunked, Rules};
use tessera_program::Shape;
use tessera_relation::Relations;

/// The relation of each type that a permission follows from.
pub(crate) type Relating = BTreeMap<Box<str>, Box<str>>;

/// What a tenant takes that has nothing: actor, queues, empty maps.
const ROOT_BYTES: usize = 48 * 1024;

/// The endpoints of a service, and what requests are compared with.
#[derive(Debug)]
pub(crate) struct EndpointMap {
    pub(crate) record: EndpointsRecord,
    pub(crate) router: Router,
}

impl EndpointMap {
    /// About how many bytes of memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.record.bytes() + self.router.bytes()
    }
}

/// The first number of each kind that was never used.
#[derive(Clone, Copy)]
pub(crate) struct Next {
    pub(crate) subject: u32,
    pub(crate) role: u32,
    pub(crate) workspace: u32,
    pub(crate) permission: u32,
    pub(crate) restriction: u32,
    pub(crate) attribute: u32,
    pub(crate) client: u32,
    pub(crate) group: u32,
    pub(crate) device: u32,
    pub(crate) request: u32,
    pub(crate) invitation: u32,
    pub(crate) tenant: u64,
}

impl Default for Next {
    fn default() -> Self {
        Self {
            subject: 1,
            role: 1,
            workspace: 1,
            permission: 1,
            restriction: 1,
            attribute: 1,
            client: 1,
            group: 1,
            device: 1,
            request: 1,
            invitation: 1,
            tenant: 1,
        }
    }
}

/// Who acts for somebody else, and who did.
#[derive(Clone, Default)]
pub(crate) struct Acts {
    /// Who acts in which session of somebody else.
    pub(crate) alive: HashTrieMapSync<(Place, Generation), Arc<ActingRecord>>,
    /// Who acts and acted for each subject, by number.
    pub(crate) kept: RedBlackTreeMapSync<(SubjectIndex, u32), Arc<ActedRecord>>,
    /// Those whose end is not noted yet.
    pub(crate) open: RedBlackTreeMapSync<(SubjectIndex, u32), ()>,
}

/// What is known of invitations besides themselves.
#[derive(Clone, Default)]
pub(crate) struct Invited {
    /// Where each public id leads.
    pub(crate) ids: HashTrieMapSync<PublicId, u32>,
    /// Numbers of those whose keys are to be destroyed: erased ones, and forgotten ones.
    pub(crate) keys: RedBlackTreeMapSync<u32, ()>,
}

/// Everything hot of one tenant besides its session table.
#[derive(Clone)]
pub(crate) struct Root {
    pub(crate) tenant: TenantId,
    pub(crate) epoch: Epoch,
    pub(crate) born: Deadline,
    pub(crate) rules: Rules,
    pub(crate) settings: Settings,
    /// The tenant's count of cut-offs.
    pub(crate) cut_offs: u32,
    /// Sessions opened below this count have ended, whoever holds them.
    pub(crate) cut_off: u32,
    pub(crate) subjects: People,
    /// Subjects' indexes by public id, and by the keyed hash of an identifier.
    pub(crate) subject_ids: Index<u32>,
    pub(crate) identifiers: Index<u32>,
    /// Subjects that are erased: since when, and whether that is done.
    pub(crate) erased: HashTrieMapSync<SubjectIndex, (Deadline, bool)>,
    /// Offered one-time secrets: tag and end.
    pub(crate) set_ups: HashTrieMapSync<SubjectIndex, ([u8; 16], Deadline)>,
    /// The networks that keys are bound to.
    pub(crate) sides: HashTrieMapSync<(Place, Generation), Arc<[Network]>>,
    /// The devices of each subject by number, revoked ones included, and where each public id leads.
    pub(crate) devices: RedBlackTreeMapSync<(SubjectIndex, u32), Arc<DeviceRecord>>,
    pub(crate) device_ids: HashTrieMapSync<PublicId, (SubjectIndex, u32)>,
    pub(crate) device_policy: DevicePolicyRecord,
    /// Who acts for somebody else, and who did.
    pub(crate) acts: Acts,
    /// Requests for roles by number, and where each public id leads.
    pub(crate) requests: RedBlackTreeMapSync<u32, Arc<RequestRecord>>,
    pub(crate) request_ids: HashTrieMapSync<PublicId, u32>,
    /// The requests of each subject.
    pub(crate) requests_of: RedBlackTreeMapSync<(SubjectIndex, u32), ()>,
    /// Invitations by number.
    pub(crate) invitations: RedBlackTreeMapSync<u32, Arc<InvitationRecord>>,
    pub(crate) invited: Invited,
    /// The role by which persons own their personal workspaces, 0 for none; and those that there are.
    pub(crate) personal_role: RoleId,
    pub(crate) personal: HashTrieMapSync<SubjectIndex, WorkspaceIndex>,
    /// Failed sign-ins by identifier.
    pub(crate) failures: RedBlackTreeMapSync<[u8; 16], FailureRecord>,
    pub(crate) attributes: RedBlackTreeMapSync<Name, AttributeRecord>,
    /// Bytes of the texts among the values.
    pub(crate) text_bytes: usize,
    pub(crate) roles: RedBlackTreeMapSync<RoleId, Arc<RoleRecord>>,
    pub(crate) role_names: HashTrieMapSync<Name, RoleId>,
    pub(crate) groups: RedBlackTreeMapSync<GroupId, Arc<GroupRecord>>,
    pub(crate) group_names: HashTrieMapSync<Name, GroupId>,
    pub(crate) workspaces: RedBlackTreeMapSync<WorkspaceIndex, Arc<WorkspaceRecord>>,
    pub(crate) workspace_names: HashTrieMapSync<Name, WorkspaceIndex>,
    pub(crate) permissions: RedBlackTreeMapSync<u32, Name>,
    pub(crate) restrictions: RedBlackTreeMapSync<RestrictionId, Arc<RestrictionRecord>>,
    pub(crate) tenants: Tenants,
    /// Where tenants live that are not where they were born, or were not at some time.
    pub(crate) placements: Placements,
    /// How the tenant goes from cell to cell.
    pub(crate) course: tessera_model::moving::Course,
    /// Tenants that are not deleted, by the hash of their name.
    pub(crate) tenant_names: Index<TenantId>,
    pub(crate) bootstrap: ([u8; 16], Deadline),
    pub(crate) clients: RedBlackTreeMapSync<ClientIndex, Arc<ClientRecord>>,
    pub(crate) client_names: HashTrieMapSync<Name, ClientIndex>,
    /// The client that a key names, by the key's place and life. A client that was deleted stays named.
    pub(crate) key_clients: RedBlackTreeMapSync<Place, (Generation, ClientIndex)>,
    /// The refresh keys that there are, each with when it was made.
    pub(crate) refresh_keys: RedBlackTreeMapSync<u8, Deadline>,
    /// The number of the one that handles are made by.
    pub(crate) refresh_key: u8,
    /// The services by number, and their numbers by name.
    pub(crate) services: RedBlackTreeMapSync<u32, Arc<ServiceRecord>>,
    pub(crate) service_names: HashTrieMapSync<Name, u32>,
    /// The number of the service that each permission is an entry of.
    pub(crate) entries: RedBlackTreeMapSync<u32, u32>,
    /// Bytes of what the services say.
    pub(crate) service_bytes: usize,
    /// Bytes of what restrictions are written as.
    pub(crate) restriction_bytes: usize,
    /// The endpoints by the number of their service.
    pub(crate) endpoints: RedBlackTreeMapSync<u32, Arc<EndpointMap>>,
    /// The first numbers that were never used, as of the publishing.
    pub(crate) next: Next,
    /// Tuples, and the relationship model over them.
    pub(crate) relations: Relations,
    /// The relationship models as they were written, by version; the last one is in force.
    pub(crate) relation_models: RedBlackTreeMapSync<u32, Arc<RelationModelRecord>>,
    /// The permissions that follow from relations: by permission, the relation of each type.
    pub(crate) relation_mappings: RedBlackTreeMapSync<u32, Arc<Relating>>,
    /// Compiled policies, and what they speak about; none where no policy is set.
    pub(crate) policed: Option<Arc<Policed>>,
    /// What the schema says that policies are held against.
    pub(crate) shape: Option<Arc<Shape>>,
    /// The policies as they were set.
    pub(crate) policies: Option<Arc<PolicyRecord>>,
    /// The version of the last ones, those included that are gone.
    pub(crate) policy_version: u32,
    /// The last sets, by version, those before the present one without their programs.
    pub(crate) policy_sets: RedBlackTreeMapSync<u32, Arc<PolicyRecord>>,
    /// The version of the set that was taken away last.
    pub(crate) policies_gone: u32,
    /// The stored entities, by share and name.
    pub(crate) entities: RedBlackTreeMapSync<(u32, EntityName), Arc<EntityRecord>>,
    /// What those lie in straight that lie in anything.
    pub(crate) parents: HashTrieMapSync<EntityName, Arc<[EntityName]>>,
    /// How many lie straight in those that any lies in.
    pub(crate) holding: HashTrieMapSync<EntityName, u32>,
    /// Bytes of what is known of them, and of their names.
    pub(crate) entity_bytes: usize,
    /// Who sees whom, where that was ever said.
    pub(crate) visibility: Option<Arc<VisibilityRecord>>,
    /// Who made each subject, by their numbers; 0 for nobody in the tenant.
    pub(crate) creators: Chunked<u32>,
    /// When the tenant was loaded, ms: cursors into tuples are of one life.
    pub(crate) life: u64,
}

impl Root {
    /// The root of a tenant of which nothing is known yet.
    pub(crate) fn new(tenant: TenantId) -> Self {
        Self {
            tenant,
            epoch: Epoch(1),
            born: Deadline::NONE,
            rules: Rules::new(),
            settings: Settings::default(),
            cut_offs: 0,
            cut_off: 0,
            subjects: People::new(),
            subject_ids: Index::new(),
            identifiers: Index::new(),
            erased: HashTrieMapSync::new_sync(),
            set_ups: HashTrieMapSync::new_sync(),
            sides: HashTrieMapSync::new_sync(),
            devices: RedBlackTreeMapSync::new_sync(),
            device_ids: HashTrieMapSync::new_sync(),
            device_policy: DevicePolicyRecord::default(),
            acts: Acts::default(),
            requests: RedBlackTreeMapSync::new_sync(),
            requests_of: RedBlackTreeMapSync::new_sync(),
            request_ids: HashTrieMapSync::new_sync(),
            invitations: RedBlackTreeMapSync::new_sync(),
            invited: Invited::default(),
            personal_role: RoleId(0),
            personal: HashTrieMapSync::new_sync(),
            failures: RedBlackTreeMapSync::new_sync(),
            attributes: RedBlackTreeMapSync::new_sync(),
            text_bytes: 0,
            roles: RedBlackTreeMapSync::new_sync(),
            role_names: HashTrieMapSync::new_sync(),
            groups: RedBlackTreeMapSync::new_sync(),
            group_names: HashTrieMapSync::new_sync(),
            workspaces: RedBlackTreeMapSync::new_sync(),
            workspace_names: HashTrieMapSync::new_sync(),
            permissions: RedBlackTreeMapSync::new_sync(),
            restrictions: RedBlackTreeMapSync::new_sync(),
            tenants: Tenants::new(),
            placements: Placements::new(),
            course: tessera_model::moving::Course::default(),
            tenant_names: Index::new(),
            bootstrap: ([0; 16], Deadline::NONE),
            clients: RedBlackTreeMapSync::new_sync(),
            client_names: HashTrieMapSync::new_sync(),
            key_clients: RedBlackTreeMapSync::new_sync(),
            refresh_keys: RedBlackTreeMapSync::new_sync(),
            refresh_key: 0,
            services: RedBlackTreeMapSync::new_sync(),
            service_names: HashTrieMapSync::new_sync(),
            entries: RedBlackTreeMapSync::new_sync(),
            service_bytes: 0,
            restriction_bytes: 0,
            endpoints: RedBlackTreeMapSync::new_sync(),
            next: Next::default(),
            relations: Relations::new(),
            relation_models: RedBlackTreeMapSync::new_sync(),
            relation_mappings: RedBlackTreeMapSync::new_sync(),
            policed: None,
            shape: None,
            policies: None,
            policy_version: 0,
            policy_sets: RedBlackTreeMapSync::new_sync(),
            policies_gone: 0,
            entities: RedBlackTreeMapSync::new_sync(),
            parents: HashTrieMapSync::new_sync(),
            holding: HashTrieMapSync::new_sync(),
            entity_bytes: 0,
            visibility: None,
            creators: Chunked::new(SUBJECTS_MAX),
            life: 0,
        }
    }

    /// About how many bytes of memory it takes. Measured per thing, not counted: it decides who sleeps.
    pub(crate) fn bytes(&self) -> usize {
        let counts = self.rules.counts();
        let of = |count: u32, each: usize| count as usize * each;
        let bits = (counts.permissions as usize).next_power_of_two().max(1_024) / 8;
        ROOT_BYTES
            + self.subjects.size() * 140
            + self.identifiers.size() * 60
            + self.failures.size() * 250
            + self.sides.size() * 300
            + self.devices.size() * 500
            + (self.acts.alive.size() + self.acts.kept.size()) * 400
            + self.requests.size() * 700
            + self.invitations.size() * 600
            + self.personal.size() * 60
            + self.rules.values() * 150
            + self.text_bytes
            + self.service_bytes
            + self.policies.as_ref().map_or(0, |record| record.bytes() * 4)
            + self.policy_sets.values().map(|record| record.bytes()).sum::<usize>()
            + self.entities.size() * 300
            + self.entity_bytes * 3
            + self.restriction_bytes
            + self.policed.as_ref().map_or(0, |policed| policed.bytes())
            + self.tenants.size() * 70
            + usize::try_from(self.relations.len()).unwrap_or(usize::MAX / 1_024) * 64
            + of(counts.permissions, 350)
            + of(counts.workspaces, 400)
            + of(counts.groups, 600)
            + of(counts.memberships, 400)
            + of(counts.roles, 600 + bits)
            + of(counts.restrictions, 600 + bits)
            + of(counts.sets, 150 + bits)
            + of(counts.overflows, 300)
    }

    /// The subject with this public id, deleted ones included.
    pub(crate) fn subject(&self, id: PublicId) -> Option<&SubjectRecord> {
        self.subjects.get(&self.index_of(id)?)
    }

    /// The index of the subject with this public id, deleted ones included.
    pub(crate) fn index_of(&self, id: PublicId) -> Option<SubjectIndex> {
        self.subject_ids.get(&id.0).map(SubjectIndex)
    }

    /// The tenant with this name that is not deleted.
    pub(crate) fn tenant_named(&self, name: &Name) -> Option<TenantId> {
        self.tenant_names.get(&of_name(name))
    }

    /// The subject that has the identifier with this keyed hash.
    pub(crate) fn holder(&self, hash: &[u8; 16]) -> Option<SubjectIndex> {
        self.identifiers.get(hash).map(SubjectIndex)
    }
}

/// 16 bytes of a name's hash: no two names share them.
pub(crate) fn of_name(name: &Name) -> [u8; 16] {
    let digest = tessera_crypto::digest::hash(&[name.as_str().as_bytes()]);
    digest.first_chunk().copied().unwrap_or_default()
}

/// The published root: an atomic pointer behind load and store.
pub(crate) struct Published {
    current: ArcSwap<Root>,
    /// Replaced roots, kept by the writer until nobody holds them: no reader ever frees one.
    retired: Mutex<Vec<Arc<Root>>>,
}

impl Published {
    pub(crate) fn new(root: Root) -> Self {
        Self { current: ArcSwap::from_pointee(root), retired: Mutex::new(Vec::new()) }
    }

    /// Swaps in a new root. Called by the tenant's actor alone.
    pub(crate) fn swap(&self, root: Arc<Root>) {
        let old = self.current.swap(root);
        let mut retired = self.retired.lock();
        retired.retain(|root| Arc::strong_count(root) > 1);
        retired.push(old);
    }

    /// The current root for longer than a reading (lists, tools).
    pub(crate) fn full(&self) -> Arc<Root> {
        self.current.load_full()
    }
}

impl RootCell<Root> for Published {
    type Loaded = LoadedRoot;

    fn load(&self) -> LoadedRoot {
        LoadedRoot(self.current.load())
    }
}

/// A root held for the length of a reading.
pub(crate) struct LoadedRoot(Guard<Arc<Root>>);

impl LoadedRoot {
    /// The same for longer.
    pub(crate) fn full(&self) -> Arc<Root> {
        Arc::clone(&self.0)
    }
}

impl std::ops::Deref for LoadedRoot {
    type Target = Root;

    fn deref(&self) -> &Root {
        &self.0
    }
}
