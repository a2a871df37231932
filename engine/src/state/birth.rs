//! What every tenant is born with: permissions and roles of the engine itself, and a first admin.

use super::{Birth, Made, State};
use crate::sight::PEOPLE;
use crate::watch::events::AUDIT;
use tessera_crypto::digest;
use tessera_model::command::Entropy;
use tessera_model::limits::ENGINE_PERMISSIONS_MAX;
use tessera_model::record::{GrantRecord, RoleRecord, SubjectKind, SubjectRecord, SubjectStatus};
use tessera_model::{
    CellId, ClientIndex, Deadline, Event, Name, Pattern, PermissionId, PublicId, RestrictionId, RoleId,
    Settings, SubjectIndex, TenantId, UnixMillis, WorkspaceIndex,
};
use tessera_storage::FIRST_REFRESH_KEY;

/// The permission to say where somebody's request came from, or where a handle is used from.
pub const ADDRESS: &str = "tessera.address";

/// The permission to answer for a device: to open sessions on it without the proof of its key.
pub const VOUCH: &str = "tessera.devices.vouch";
/// The permission to read and to say, in the system tenant, where tenants live: of the nodes of a fleet.
pub const FLEET: &str = "tessera.fleet.sync";

/// The engine's own permissions, in the order of their ids (1, 2, …), the same in every tenant.
pub const BUILT_IN: &[&str] = &[
    "tessera.check",
    "tessera.read",
    "tessera.sessions.open",
    "tessera.admin.settings",
    "tessera.admin.subjects",
    "tessera.admin.roles",
    "tessera.admin.workspaces",
    "tessera.admin.grants",
    "tessera.admin.sessions",
    "tessera.admin.keys",
    "tessera.admin.tenants",
    "tessera.admin.operators",
    ADDRESS,
    "tessera.admin.clients",
    "tessera.admin.groups",
    "tessera.admin.relations",
    "tessera.admin.services",
    "tessera.admin.policies",
    PEOPLE,
    VOUCH,
    FLEET,
    AUDIT,
];

const _: () = assert!(BUILT_IN.len() == ENGINE_PERMISSIONS_MAX as usize);

/// The role that covers all of the engine's permissions.
pub const ADMIN_ROLE: &str = "tessera.admin";
/// The role of a service that signs people in and asks about their sessions.
pub const SERVICE_ROLE: &str = "tessera.service";

/// LIMIT: lifetime of the first admin's and of an operator's key: 400 days. Never for ever.
pub(super) const FIRST_KEY_TTL_S: u32 = 400 * 86_400;

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().filter_map(|text| Pattern::new(text).ok()).collect()
}

/// The first events of a history: its own id, the engine's permissions and its two roles.
pub(super) fn first_events(tenant: TenantId, now: UnixMillis) -> Vec<Event> {
    let mut events = vec![
        Event::TenantBorn { tenant, at: now.to_deadline() },
        Event::SettingsChanged(Settings::default()),
        Event::RefreshKeyMade { number: FIRST_REFRESH_KEY, at: now.to_deadline() },
    ];
    for (id, name) in (1..).zip(BUILT_IN) {
        if let Ok(name) = Name::new(name) {
            events.push(Event::PermissionRegistered { id: PermissionId(id), name });
        }
    }
    let roles = [
        (1, ADMIN_ROLE, patterns(&["tessera.*"])),
        (2, SERVICE_ROLE, patterns(&["tessera.check", "tessera.read", "tessera.sessions.open", ADDRESS])),
    ];
    for (id, name, patterns) in roles {
        if let Ok(name) = Name::new(name) {
            events.push(Event::RoleChanged(RoleRecord {
                id: RoleId(id),
                name,
                patterns,
                parents: Vec::new(),
                workspace: WorkspaceIndex(0),
            }));
        }
    }
    events
}

/// A machine that holds the admin's role, for a tenant's first admin or an operator.
pub(super) fn admin_events(index: SubjectIndex, id: PublicId) -> Vec<Event> {
    vec![
        Event::SubjectChanged(SubjectRecord {
            index,
            id,
            kind: SubjectKind::Machine,
            status: SubjectStatus::Active,
            cut_off: 0,
            has_password: false,
            guest: false,
        }),
        Event::GrantAdded(GrantRecord {
            subject: index,
            role: RoleId(1),
            workspace: WorkspaceIndex(0),
            from: Deadline::NONE,
            until: Deadline::NONE,
        }),
    ]
}

/// A key of a subject that restricts nothing and names no client.
pub(super) const fn admin_key(subject: SubjectIndex) -> (SubjectIndex, RestrictionId, ClientIndex) {
    (subject, RestrictionId(0), ClientIndex(0))
}

impl State {
    /// The birth of a tenant with an admin machine and its key, and what the reply shows of it.
    pub(super) fn birth(tenant: TenantId, cell: CellId, entropy: &Entropy, now: UnixMillis) -> (Birth, Made) {
        let mut child = Self::new(tenant, cell);
        let mut events = first_events(tenant, now);
        let subject = PublicId::new(now.0, entropy.take(20));
        events.extend(admin_events(SubjectIndex(1), subject));
        for event in &events {
            child.apply(event);
        }
        let expires = now.to_deadline().plus_seconds(FIRST_KEY_TTL_S);
        let (opened, mut made) = child.open_key(admin_key(SubjectIndex(1)), expires, &entropy.take(0), now);
        events.extend(opened);
        made.subject = Some(subject);
        made.tenant = Some(tenant);
        let nonce = digest::hash(&[b"tessera birth v1", &tenant.0.to_le_bytes(), &entropy.0]);
        (Birth { tenant, nonce, events, rows: Vec::new() }, made)
    }

    /// The birth of the system tenant itself: no admin, a one-time secret instead.
    pub(crate) fn system_birth(now: UnixMillis, entropy: &Entropy) -> Birth {
        let nonce = digest::hash(&[b"tessera system v1", &entropy.0]);
        Birth {
            tenant: TenantId::SYSTEM,
            nonce,
            events: first_events(TenantId::SYSTEM, now),
            rows: Vec::new(),
        }
    }
}
