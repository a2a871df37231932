//! The private state of one tenant and its two pure functions: decide and apply.
//!
//! `decide` reads the state and answers with events or a refusal; `apply` takes an event and cannot
//! refuse. Neither knows a clock, randomness or I/O: `now` and entropy come in as values. One file
//! per noun. The state is the actor's own, at most one batch ahead of the disk, and thrown away when
//! a commit is not certain.

mod acting;
mod attribute;
mod birth;
mod bucket;
mod caller;
mod catalogue;
mod client;
mod command_id;
mod condition;
mod device;
mod endpoint;
mod epoch;
mod erasure;
mod failures;
mod grant;
mod group;
mod held;
mod image;
mod invitation;
mod invited;
mod kept;
mod key;
mod kin;
mod load;
mod loaded;
mod made;
mod mapping;
mod moving;
mod named;
mod overlay;
mod owners;
mod password;
mod personal;
mod placement;
mod places;
mod planted;
mod policy;
mod positions;
mod power;
mod refresh;
mod relation;
mod remembered;
mod request;
mod role;
mod role_place;
mod rule;
mod session;
mod settings;
mod subject;
mod tenant;
mod tenants;
mod visibility;
mod workspace;

pub use birth::{ADDRESS, ADMIN_ROLE, BUILT_IN, FLEET, SERVICE_ROLE, VOUCH};
pub(crate) use bucket::{of_invitation, of_subject};
pub(crate) use command_id::Known;
pub(crate) use failures::{FOR_EVER, own_key, wait};
pub(crate) use invitation::is_open;
pub use made::Made;
pub(crate) use placement::Placements;
pub(crate) use policy::key_of;
pub(crate) use power::hands_out;
pub(crate) use refresh::Unsigned;
pub(crate) use settings::doors;
pub(crate) use tenants::Tenants;

use crate::order::Change;
use crate::root::{Next, Root};
use crate::table::Table;
use command_id::CommandIds;
use held::Held;
use kin::Kin;
use overlay::Overlay;
use places::Places;
use positions::Positions;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use tessera_crypto::digest::Tagger;
use tessera_model::command::Ordered;
use tessera_model::policy::EntityName;
use tessera_model::{
    CellId, Command, Event, Refusal, RestrictionId, Revision, Row, SubjectIndex, TenantId, UnixMillis,
    WorkspaceIndex,
};
use tessera_storage::BucketKind;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// The birth of another tenant, committed in the same batch as the command of the system tenant.
pub(crate) struct Birth {
    pub(crate) tenant: TenantId,
    pub(crate) nonce: [u8; 32],
    pub(crate) events: Vec<Event>,
    pub(crate) rows: Vec<Row>,
}

/// What `decide` found: facts, cold rows and the reply's content. No events: nothing changed.
#[derive(Default)]
pub(crate) struct Decided {
    pub(crate) events: Vec<Event>,
    pub(crate) rows: Vec<Row>,
    pub(crate) made: Made,
    pub(crate) birth: Option<Birth>,
    /// The refresh handle for the reply; its mac is made by whoever has the keys.
    pub(crate) renewed: Option<Unsigned>,
    /// What the caller is told although something happened.
    pub(crate) refusal: Option<Refusal>,
    /// A refresh key of this number must be there before the events are.
    pub(crate) new_refresh_key: Option<u8>,
}

impl Decided {
    pub(crate) fn of(event: Event) -> Self {
        Self { events: vec![event], ..Self::default() }
    }

    /// Nothing to do: done without a frame.
    pub(crate) fn nothing() -> Self {
        Self::default()
    }
}

/// The private state of one tenant.
pub(crate) struct State {
    pub(crate) root: Root,
    pub(crate) root_changed: bool,
    table: Arc<Table>,
    overlay: Overlay,
    places: Places,
    positions: Positions,
    kin: Kin,
    /// When a session last left a refresh key for a newer one; gone with a restart.
    left: std::collections::BTreeMap<u8, tessera_model::Deadline>,
    /// When the tenant was loaded.
    woken: UnixMillis,
    ids: CommandIds,
    held: Held,
    ranked: BTreeSet<failures::Rank>,
    /// Who owns each workspace that has owners.
    owners: Map<WorkspaceIndex, BTreeSet<SubjectIndex>>,
    profile_moved: Map<SubjectIndex, Revision>,
    restriction_of: Map<Vec<tessera_model::Pattern>, RestrictionId>,
    /// Numbers of restrictions that nothing names since the tenant was loaded, the smallest last.
    restrictions_free: Vec<u32>,
    next: Next,
    /// The event that skipped numbers last.
    skipped: Option<Event>,
    dirty: BTreeSet<(BucketKind, u32)>,
    /// The entities that lie straight in another one, by that.
    inner: std::collections::BTreeMap<EntityName, BTreeSet<EntityName>>,
    tagger: Tagger,
    cell: CellId,
    pub(crate) revision: Revision,
    /// What is applied comes from the store.
    loading: bool,
}

impl State {
    /// The state of a tenant of which nothing was applied yet.
    #[must_use]
    pub(crate) fn new(tenant: TenantId, cell: CellId) -> Self {
        Self {
            root: Root::new(tenant),
            root_changed: false,
            table: Arc::new(Table::new()),
            overlay: Overlay::default(),
            places: Places::default(),
            positions: Positions::default(),
            kin: Kin::default(),
            left: std::collections::BTreeMap::new(),
            woken: UnixMillis(0),
            ids: CommandIds::default(),
            held: Held::default(),
            ranked: BTreeSet::new(),
            owners: Map::default(),
            profile_moved: Map::default(),
            restriction_of: Map::default(),
            restrictions_free: Vec::new(),
            next: Next::default(),
            skipped: None,
            dirty: BTreeSet::new(),
            inner: std::collections::BTreeMap::new(),
            tagger: Tagger::new(),
            cell,
            revision: Revision(0),
            loading: false,
        }
    }

    /// As [`State::new`], for what is loaded: nothing is compiled before [`State::loaded`].
    #[must_use]
    pub(crate) fn to_be_loaded(tenant: TenantId, cell: CellId) -> Self {
        Self { loading: true, ..Self::new(tenant, cell) }
    }

    /// Decides one command: facts, or why not. Pure; nothing changes.
    ///
    /// # Errors
    /// The [`Refusal`] that the caller is told.
    #[expect(clippy::too_many_lines, reason = "one arm for each command")]
    pub(crate) fn decide(&self, ordered: &Ordered, now: UnixMillis) -> Result<Decided, Refusal> {
        self.not_frozen(&ordered.command)?;
        self.authorize(ordered, now)?;
        self.leaves_personal(&ordered.command)?;
        let entropy = &ordered.entropy;
        let caller = ordered.caller;
        match &ordered.command {
            Command::ClaimOperator { tag, name } => self.claim_operator(*tag, name, entropy, now),
            Command::OfferBootstrap { tag, until } => self.offer_bootstrap(*tag, *until),
            Command::CreateTenant { name } => self.create_tenant(name, entropy, now),
            Command::SuspendTenant { tenant } => self.suspend_tenant(*tenant),
            Command::ResumeTenant { tenant } => self.resume_tenant(*tenant),
            Command::DeleteTenant { tenant, finish } => self.delete_tenant(*tenant, *finish, caller),
            Command::ChangeSettings { settings } => self.change_settings(settings),
            Command::ChangeOrigins { origins } => self.change_origins(origins),
            Command::RotateRefreshKeys { now: at_once } => self.rotate_refresh_keys(*at_once, now),
            Command::BeginEpoch {} => self.begin_epoch(),
            Command::CreateSubject { kind, identifiers, password } => {
                let kind = (*kind, self.status_at_birth(caller), false);
                let made = self.create_subject(kind, identifiers, password, entropy, now)?;
                Ok(Self::created_by(made, caller, self.next.subject))
            }
            Command::SuspendSubject { subject } => self.suspend_subject(*subject, now),
            Command::ResumeSubject { subject } => self.resume_subject(*subject),
            Command::DeleteSubject { subject } => self.delete_subject(*subject, now),
            Command::EraseSubject { subject } => self.erase_subject(*subject, now),
            Command::FinishErasure { subject } => self.finish_erasure(*subject, caller),
            Command::AddIdentifier { subject, identifier, hash } => {
                self.add_identifier(*subject, identifier, *hash)
            }
            Command::RemoveIdentifier { subject, hash } => self.remove_identifier(*subject, *hash),
            Command::ChangePassword { subject, password, proven } => {
                self.change_password(*subject, password, *proven, (caller, now))
            }
            Command::ResetPassword { subject, until, clear } => {
                self.reset_password(*subject, (*until, *clear), caller, entropy, now)
            }
            Command::SetUpPassword { subject, tag, password } => {
                self.set_up_password(*subject, tag, password, now)
            }
            Command::RehashPassword { subject, proven, password } => {
                self.rehash_password(*subject, *proven, password)
            }
            Command::ForgetFailures { subject } => self.forget_failures(*subject),
            Command::CountFailure { key } => self.count_failure(*key, now),
            Command::DeclareAttribute { name, kind } => self.declare_attribute(name, *kind),
            Command::SetAttributes { subject, values, held, as_of } => {
                self.set_attributes(*subject, values, (held, *as_of), caller, now)
            }
            Command::LoadSubjects { rows, trial } => self.load_subjects(rows, *trial, caller, now),
            Command::RegisterPermission { name } => self.register_permission(name),
            Command::CreateRole { name, patterns } => self.create_role(None, name, patterns, caller, now),
            Command::CreateRoleIn { workspace, name, patterns } => {
                self.create_role(Some(workspace), name, patterns, caller, now)
            }
            Command::ChangeRole { name, patterns } => self.change_role(name, patterns, caller, now),
            Command::DeleteRole { name } => self.delete_role(name, now),
            Command::SetRoleParents { name, parents } => self.set_role_parents(name, parents, caller, now),
            Command::RenewGrant { subject, role, workspace, until } => {
                self.renew_grant(*subject, (role, workspace.as_ref()), *until, caller, now)
            }
            Command::CreateGroup { name, rule } => self.create_group(name, rule),
            Command::ChangeGroupRule { name, rule } => self.change_group_rule(name, rule, caller, now),
            Command::DeleteGroup { name } => self.delete_group(name, now),
            Command::AddMember { group, subject, from, until } => {
                self.add_member(group, *subject, (*from, *until), caller, now)
            }
            Command::RemoveMember { group, subject } => self.remove_member(group, *subject, now),
            Command::AddSubgroup { group, member, from, until } => {
                self.add_subgroup(group, member, (*from, *until), caller, now)
            }
            Command::RemoveSubgroup { group, member } => self.remove_subgroup(group, member, now),
            Command::GrantGroup { group, role, workspace, from, until } => {
                self.grant_group((group, role, workspace.as_ref()), (*from, *until), caller, now)
            }
            Command::UngrantGroup { group, role, workspace } => {
                self.ungrant_group((group, role, workspace.as_ref()), now)
            }
            Command::CreateWorkspace { name, parent, inherits } => {
                self.create_workspace(name, parent.as_ref(), *inherits, entropy, now)
            }
            Command::DeleteWorkspace { name } => self.delete_workspace(name),
            Command::DeleteWorkspaceTree { name } => self.delete_workspace_tree(name),
            Command::MoveWorkspace { name, parent, inherits } => {
                self.move_workspace(name, parent.as_ref(), *inherits)
            }
            Command::SetCeiling { name, patterns } => self.set_ceiling(name, patterns),
            Command::SetOwners { name, role } => self.set_owners(name, role.as_ref()),
            Command::Grant { subject, role, workspace, from, until } => {
                self.grant(*subject, role, workspace.as_ref(), (*from, *until), caller, now)
            }
            Command::Ungrant { subject, role, workspace } => {
                self.ungrant(*subject, role, workspace.as_ref(), now)
            }
            Command::OpenSession { subject, seen_cut_off, identifier, acr, device } => {
                let proof = (*seen_cut_off, *identifier, *acr);
                self.open_session((*subject, *device), proof, caller, entropy, now)
            }
            Command::TouchSession { place, generation } => self.touch_session(*place, *generation, now),
            Command::EndSession { session } => self.end_session(*session, now),
            Command::NoteActings {} => self.note_actings(caller, now),
            Command::EndSubjectSessions { subject } => self.end_subject_sessions(*subject),
            Command::EndTenantSessions {} => self.end_tenant_sessions(),
            Command::EndOtherSessions {} => self.end_other_sessions(caller, now),
            Command::RefreshSession { .. } => self.refresh_session(&ordered.command, caller, now),
            Command::CreateKey { subject, patterns, expires, description, client, networks } => {
                let what = (*subject, (patterns.as_slice(), networks.as_slice()), *expires);
                self.create_key(what, (description, client.as_ref()), caller, entropy, now)
            }
            Command::RotateKey { .. } => self.rotate_key(&ordered.command, caller, entropy, now),
            Command::CreateClient { name, terms } => self.create_client(name, terms),
            Command::ChangeClient { name, terms } => self.change_client(name, terms),
            Command::DeleteClient { name } => self.delete_client(name),
            Command::RevokeKey { key } => self.end_session(*key, now),
            Command::SetRelationModel { text, allow_orphans } => {
                self.set_relation_model(text, *allow_orphans, now)
            }
            Command::ChangeRelations { changes } => self.change_relations(changes),
            Command::MapPermission { permission, type_name, relation } => {
                self.map_permission(permission, type_name, relation)
            }
            Command::UnmapPermission { permission, type_name } => {
                self.unmap_permission(permission, type_name)
            }
            Command::SetService { name, entries } => self.set_catalogue(name, entries),
            Command::SetEndpoints { name, endpoints } => self.set_endpoints(name, endpoints),
            Command::RegisterDevice { .. }
            | Command::TrustDevice { .. }
            | Command::RevokeDevice { .. }
            | Command::LimitDevice { .. }
            | Command::LimitTrust { .. }
            | Command::RequireDevices { .. } => self.about_devices(&ordered.command, caller, entropy, now),
            Command::Impersonate { subject, patterns, ttl_s, reason } => {
                self.impersonate((*subject, patterns), (*ttl_s, reason), caller, entropy, now)
            }
            Command::RequestRole { .. }
            | Command::ApproveRequest { .. }
            | Command::RefuseRequest { .. }
            | Command::WithdrawRequest { .. } => self.about_requests(&ordered.command, caller, entropy, now),
            Command::Invite { .. }
            | Command::AnswerInvitation { .. }
            | Command::WithdrawInvitation { .. }
            | Command::EraseInvitation { .. }
            | Command::FinishInvitations { .. }
            | Command::ResendInvitation { .. } => {
                self.about_invitations(&ordered.command, caller, entropy, now)
            }
            Command::SetGuest { subject, guest } => self.set_guest(*subject, *guest, caller, now),
            Command::SetPersonalRole { role } => self.set_personal_role(role.as_ref(), caller, now),
            Command::MakePersonalWorkspace { subject } => self.make_personal(*subject),
            Command::SetPolicies { draft } => self.set_policies(draft, now),
            Command::DeletePolicies { expected } => self.delete_policies(*expected),
            Command::ChangeEntities { changes } => self.change_entities(changes),
            Command::SetGrantConditions { .. } | Command::GrantUnder { .. } => {
                self.about_conditions(&ordered.command, caller, now)
            }
            Command::SetVisibility { draft } => self.set_visibility(draft, caller, now),
            Command::PlaceTenant { placement } => self.place_tenant(placement, now),
            Command::NoteMove { step } => self.move_tenant(*step),
            Command::AdoptTenant { name, created, suspended, placement } => {
                self.adopt_tenant(name, (*created, *suspended), placement, now)
            }
            Command::HearFleet {} => self.hear_fleet(),
            Command::PlantedPanic {} => planted::panic(),
        }
    }

    /// Applies one fact. Knows no clock, no randomness and no refusal.
    #[expect(clippy::too_many_lines, reason = "one arm for each event")]
    pub(crate) fn apply(&mut self, event: &Event) {
        if let Some(bucket) = bucket::of(event) {
            self.dirty.insert(bucket);
        }
        match event {
            Event::SessionOpened { record, evicted } => return self.apply_opened(record, evicted),
            Event::ExpiresMoved { place, generation, expires } => {
                return self.apply_expires(*place, *generation, *expires);
            }
            Event::SessionTouched { place, generation, idle } => {
                return self.apply_touched(*place, *generation, *idle);
            }
            Event::SessionRefreshed { place, generation, refresh, idle } => {
                return self.apply_refreshed((*place, *generation), refresh, *idle);
            }
            Event::SessionEnded { place, generation, reason } => {
                return self.apply_ended(*place, *generation, *reason);
            }
            Event::CommandRemembered(record) => return self.ids.remember(*record),
            Event::CommandFloor { unix_ms } => return self.ids.raise_floor(*unix_ms),
            Event::TenantBorn { .. }
            | Event::SettingsChanged(_)
            | Event::TenantChanged(_)
            | Event::BootstrapChanged { .. }
            | Event::SubjectChanged(_)
            | Event::SubjectErased { .. }
            | Event::IdentifierTaken { .. }
            | Event::IdentifierFreed { .. }
            | Event::SetUpOffered { .. }
            | Event::FailuresCounted(_)
            | Event::NetworksBound { .. }
            | Event::AttributeDeclared(_)
            | Event::AttributeChanged { .. }
            | Event::PermissionRegistered { .. }
            | Event::RoleChanged(_)
            | Event::RoleRemoved(_)
            | Event::WorkspaceChanged(_)
            | Event::WorkspaceRemoved(_)
            | Event::GrantAdded(_)
            | Event::GrantRemoved { .. }
            | Event::GrantConditionsSet(_)
            | Event::GroupChanged(_)
            | Event::GroupRemoved(_)
            | Event::MemberAdded(_)
            | Event::MemberRemoved { .. }
            | Event::GroupGrantAdded(_)
            | Event::GroupGrantRemoved { .. }
            | Event::RestrictionAdded(_)
            | Event::RestrictionRemoved(_)
            | Event::ClientChanged(_)
            | Event::ClientRemoved(_)
            | Event::RefreshKeyMade { .. }
            | Event::RefreshKeyDropped { .. }
            | Event::NumbersSkipped { .. }
            | Event::NamesSkipped { .. }
            | Event::NumbersKept { .. }
            | Event::RelationModelChanged(_)
            | Event::RelationWritten(_)
            | Event::RelationRemoved { .. }
            | Event::PermissionMapped(_)
            | Event::PermissionUnmapped { .. }
            | Event::ServiceChanged(_)
            | Event::ServiceRemoved(_)
            | Event::EndpointsChanged(_)
            | Event::EndpointsRemoved(_)
            | Event::DeviceChanged(_)
            | Event::DeviceRemoved { .. }
            | Event::DevicePolicyChanged(_)
            | Event::ActingBegun(_)
            | Event::ActingNoted(_)
            | Event::ActingForgotten { .. }
            | Event::RequestChanged(_)
            | Event::RequestRemoved { .. }
            | Event::InvitationChanged(_)
            | Event::InvitationRemoved { .. }
            | Event::InvitationErased { .. }
            | Event::PersonalRoleChanged { .. }
            | Event::PoliciesChanged(_)
            | Event::PoliciesRemoved { .. }
            | Event::EntityChanged(_)
            | Event::EntityRemoved(_)
            | Event::VisibilityChanged(_)
            | Event::CreatorNoted { .. }
            | Event::TenantPlaced(_)
            | Event::TenantLeaving { .. }
            | Event::TenantStays
            | Event::TenantMoved { .. }
            | Event::TenantArrived { .. }
            | Event::TenantCopyGone
            | Event::FleetHeard { .. }
            | Event::CutOffRaised { .. } => {}
        }
        self.root_changed = true;
        self.apply_to_root(event);
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each event")]
    fn apply_to_root(&mut self, event: &Event) {
        match event {
            Event::TenantBorn { tenant, at } => self.apply_born(*tenant, *at),
            Event::SettingsChanged(settings) => self.root.settings = *settings,
            Event::TenantChanged(record) => self.apply_tenant(record),
            Event::BootstrapChanged { tag, until } => self.root.bootstrap = (*tag, *until),
            Event::SubjectChanged(record) => self.apply_subject(record),
            Event::SubjectErased { subject, at, done } => self.apply_erased(*subject, (*at, *done)),
            Event::IdentifierTaken { hash, subject } => self.apply_identifier(*hash, *subject),
            Event::IdentifierFreed { hash, .. } => self.apply_freed(*hash),
            Event::SetUpOffered { subject, tag, until } => self.apply_set_up(*subject, *tag, *until),
            Event::FailuresCounted(record) => self.apply_failures(record),
            Event::NetworksBound { place, generation, networks } => {
                self.root.sides.insert_mut((*place, *generation), networks.as_slice().into());
            }
            Event::AttributeDeclared(record) => self.apply_declared(record),
            Event::AttributeChanged { subject, attribute, value } => {
                self.apply_attribute(*subject, *attribute, value.as_ref());
            }
            Event::PermissionRegistered { id, name } => self.apply_permission(*id, name),
            Event::RoleChanged(record) => self.apply_role(record),
            Event::RoleRemoved(role) => self.apply_role_removed(*role),
            Event::WorkspaceChanged(record) => self.apply_workspace(record),
            Event::WorkspaceRemoved(index) => self.apply_workspace_removed(*index),
            Event::GrantAdded(record) => self.apply_grant(record),
            Event::GrantRemoved { subject, role, workspace } => {
                self.apply_ungranted(*subject, *role, *workspace);
            }
            Event::GrantConditionsSet(record) => self.apply_conditions(record),
            Event::GroupChanged(record) => self.apply_group(record),
            Event::GroupRemoved(group) => self.apply_group_removed(*group),
            Event::MemberAdded(record) => self.root.rules.put_member(record),
            Event::MemberRemoved { subject, group } => self.root.rules.remove_member(*subject, *group),
            Event::GroupGrantAdded(record) => self.root.rules.put_group_grant(record),
            Event::GroupGrantRemoved { group, role, workspace } => {
                self.root.rules.remove_group_grant(*group, *role, *workspace);
            }
            Event::RestrictionAdded(record) => self.apply_restriction(record),
            Event::RestrictionRemoved(id) => self.apply_restriction_removed(*id),
            Event::CutOffRaised { subject, count, spared } => self.apply_cut_off(*subject, *count, *spared),
            Event::ClientChanged(record) => self.apply_client(record),
            Event::ClientRemoved(index) => self.apply_client_removed(*index),
            Event::RefreshKeyMade { number, at } => self.apply_refresh_key(*number, *at),
            Event::RefreshKeyDropped { number } => self.apply_refresh_key_dropped(*number),
            Event::NumbersSkipped { tenant, subject, permission, workspace } => {
                self.apply_skipped(*tenant, (*subject, *permission, *workspace));
            }
            Event::NamesSkipped { role, group } => self.apply_names_skipped(*role, *group),
            Event::NumbersKept { client, device, request } => self.apply_kept(*client, *device, *request),
            Event::RelationModelChanged(record) => self.apply_relation_model(record),
            Event::RelationWritten(record) => self.apply_relation(record),
            Event::RelationRemoved { object, relation, subject } => {
                self.apply_relation_removed(object, relation, subject);
            }
            Event::PermissionMapped(record) => self.apply_mapped(record),
            Event::PermissionUnmapped { permission, type_name } => {
                self.apply_unmapped(*permission, type_name);
            }
            Event::ServiceChanged(record) => self.apply_catalogue(record),
            Event::ServiceRemoved(index) => self.apply_service_removed(*index),
            Event::EndpointsChanged(record) => self.apply_endpoints(record),
            Event::EndpointsRemoved(index) => self.apply_endpoints_removed(*index),
            Event::DeviceChanged(record) => self.apply_device(record),
            Event::DeviceRemoved { subject, number } => self.apply_device_removed((*subject, *number)),
            Event::DevicePolicyChanged(record) => self.root.device_policy = *record,
            Event::ActingBegun(record) => self.apply_acting(record),
            Event::ActingNoted(record) => self.apply_acted(record),
            Event::ActingForgotten { subject, number } => self.apply_acted_forgotten((*subject, *number)),
            Event::RequestChanged(record) => self.apply_request(record),
            Event::RequestRemoved { number } => self.apply_request_removed(*number),
            Event::InvitationChanged(record) => self.apply_invitation(record),
            Event::InvitationRemoved { number } => self.apply_invitation_removed(*number),
            Event::InvitationErased { number } => self.apply_invitation_erased(*number),
            Event::PersonalRoleChanged { role } => self.root.personal_role = *role,
            Event::PoliciesChanged(record) => self.apply_policies(record),
            Event::PoliciesRemoved { version } => self.apply_policies_removed(*version),
            Event::EntityChanged(record) => self.apply_entity(record),
            Event::EntityRemoved(name) => self.apply_entity_removed(name),
            Event::VisibilityChanged(record) => self.apply_visibility(record),
            Event::CreatorNoted { subject, by } => self.apply_creator(*subject, *by),
            Event::TenantPlaced(placement) => self.apply_placed(placement),
            Event::TenantLeaving { .. }
            | Event::TenantStays
            | Event::TenantMoved { .. }
            | Event::TenantArrived { .. }
            | Event::TenantCopyGone
            | Event::FleetHeard { .. } => self.apply_move(event),
            Event::SessionOpened { .. }
            | Event::SessionTouched { .. }
            | Event::SessionRefreshed { .. }
            | Event::ExpiresMoved { .. }
            | Event::SessionEnded { .. }
            | Event::CommandRemembered(_)
            | Event::CommandFloor { .. } => {}
        }
    }

    /// What the batch changed, to be published behind its proof; the state starts the next batch.
    pub(crate) fn take_changes(&mut self) -> (Vec<(u32, Change)>, Option<Arc<Root>>) {
        let changes = self.overlay.take();
        self.root.next = self.next;
        let root = self.root_changed.then(|| Arc::new(self.root.clone()));
        self.root_changed = false;
        (changes, root)
    }

    /// Brings loaded facts into the table before the view exists; `durable` facts only.
    pub(crate) fn settle(&mut self) {
        let changes = self.overlay.take();
        let marks = crate::order::Marks::new(0);
        crate::order::publish(&self.table, &marks, &changes, None, 0);
    }

    /// The view of a state that was just loaded.
    pub(crate) fn view(&mut self) -> crate::view::View {
        self.settle();
        self.root_changed = false;
        self.root.next = self.next;
        let view = crate::view::View::new(self.root.clone(), Arc::clone(&self.table), self.revision);
        view.remembered.store(self.ids.len(), std::sync::atomic::Ordering::Relaxed);
        view
    }
}
