//! How much of what it may have a tenant uses, and its node: for people who watch limits.

use crate::bound::Bound;
use crate::directory::Entry;
use crate::engine::Engine;
use crate::house::House;
use crate::view::View;
use tessera_model::limits::{
    ATTRIBUTES_MAX, CLIENTS_MAX, CUT_OFFS_MAX, FAILURES_MAX, GROUPS_MAX, INTAKE_MAX, INVITATIONS_MAX,
    PERMISSIONS_MAX, PLACES_MAX, REFRESH_KEYS_MAX, RELATIONS_MAX, REQUESTS_MAX, RESTRICTIONS_MAX, ROLES_MAX,
    SUBJECTS_MAX, WORKSPACES_MAX,
};
use tessera_model::record::{SubjectStatus, TenantStatus};
use tessera_model::{Refusal, TenantId};

/// How much there is of one thing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Figure {
    /// What is counted; those of the node begin with `node.`.
    pub name: &'static str,
    /// How many there are now.
    pub count: u64,
    /// How many count against the limit: also what is gone, where numbers are not used again.
    pub used: u64,
    /// The limit; 0 for none.
    pub bound: u64,
}

impl Figure {
    /// What counts against its limit while it is there.
    fn of(name: &'static str, count: usize, bound: u64) -> Self {
        let count = count as u64;
        Self { name, count, used: count, bound }
    }

    /// What counts against its limit for ever: `next` is the first number that was never used.
    fn ever(name: &'static str, count: usize, next: u32, bound: u32) -> Self {
        // A limit of numbers below it, from 1 on.
        let (used, bound) = (u64::from(next) - 1, u64::from(bound) - 1);
        Self { name, count: count as u64, used, bound }
    }
}

impl Engine {
    /// How much of what it may have a bound connection's tenant uses; for the system tenant that of the whole
    /// node, too. Also how many places of the session table were looked at for it. It walks all subjects and
    /// places: not for a runtime's thread.
    ///
    /// # Errors
    /// `TenantFailed` when what is kept of the tenant cannot be counted.
    pub fn figures(&self, bound: &Bound, view: &View) -> Result<(Vec<Figure>, u64), Refusal> {
        let (mut figures, walked) = self.of_tenant(&bound.entry, view)?;
        if bound.entry.tenant == TenantId::SYSTEM {
            figures.extend(self.of_node(view));
        }
        Ok((figures, walked))
    }

    fn of_tenant(&self, entry: &Entry, view: &View) -> Result<(Vec<Figure>, u64), Refusal> {
        let root = view.root.full();
        let counts = root.rules.counts();
        let (sessions, keys, walked) = self.read(view).count_live();
        let (mut there, mut guests) = (0, 0);
        for (_, record) in root.subjects.range(..) {
            let counts = record.status != SubjectStatus::Deleted;
            there += usize::from(counts);
            guests += usize::from(counts && record.guest);
        }
        let live = usize::try_from(sessions + keys).unwrap_or(usize::MAX);
        let next = &root.next;
        let sized = |name, count: u32, bound: u32| Figure::of(name, count as usize, u64::from(bound));
        let counted = |name, count| Figure { name, count, used: count, bound: 0 };
        let held = self.house.store.held(entry.tenant).map_err(|error| House::unread(entry, &error))?;
        let figures = vec![
            Figure::ever("subjects", there, next.subject, SUBJECTS_MAX),
            Figure::of("guests", guests, 0),
            Figure::of("personal_workspaces", root.personal.size(), 0),
            Figure::of("identifiers", root.identifiers.size(), 0),
            counted("sessions", sessions),
            counted("keys", keys),
            Figure::of("sessions_and_keys", live, u64::from(PLACES_MAX)),
            Figure::ever("roles", counts.roles as usize, next.role, ROLES_MAX),
            counted("grants", root.rules.count_grants()),
            Figure::ever("permissions", counts.permissions as usize, next.permission, PERMISSIONS_MAX),
            Figure::ever("workspaces", counts.workspaces as usize, next.workspace, WORKSPACES_MAX),
            Figure::ever("clients", root.clients.size(), next.client, CLIENTS_MAX),
            Figure::ever("groups", counts.groups as usize, next.group, GROUPS_MAX + 1),
            Figure::of(
                "relations",
                usize::try_from(root.relations.len()).unwrap_or(usize::MAX),
                RELATIONS_MAX,
            ),
            Figure::ever("attributes", root.attributes.size(), next.attribute, ATTRIBUTES_MAX + 1),
            sized("restrictions", counts.restrictions, RESTRICTIONS_MAX - 1),
            Figure::of("refresh_keys", root.refresh_keys.size(), u64::from(REFRESH_KEYS_MAX)),
            Figure::of("devices", root.devices.size(), 0),
            Figure::of("acting_sessions", root.acts.alive.size(), 0),
            Figure::of("requests", root.requests.size(), REQUESTS_MAX as u64),
            Figure::of("invitations", root.invitations.size(), INVITATIONS_MAX as u64),
            Figure::of("failed_identifiers", root.failures.size(), FAILURES_MAX as u64),
            sized("cut_offs", root.cut_offs, CUT_OFFS_MAX),
            Figure::of("commands_waiting", entry.intake.len(), INTAKE_MAX as u64),
            counted("commands", view.marks.published()),
            Figure::of("hot_bytes", view.bytes(), self.house.config.memory_bytes_max as u64),
            counted("cold_rows", held.rows),
            counted("cold_rows_since", held.rows_recent),
            counted("journal_frames", held.tail_frames),
            counted("journal_bytes", held.tail_bytes),
        ];
        Ok((figures, walked + there as u64 + held.rows / 64))
    }

    fn of_node(&self, view: &View) -> Vec<Figure> {
        let usage = self.usage();
        let store = &usage.store;
        let root = view.root.full();
        let there = root.tenants.iter().filter(|record| record.status != TenantStatus::Deleted).count();
        let counted = |name, count| Figure { name, count, used: count, bound: 0 };
        let within = |name, count, bound| Figure { name, count, used: count, bound };
        vec![
            Figure { used: root.next.tenant - 1, ..Figure::of("node.tenants", there, 0) },
            Figure::of("node.tenants_awake", usage.awake, 0),
            Figure::of("node.tenants_failed", usage.failed, 0),
            Figure::of("node.hot_bytes", usage.awake_bytes, self.house.config.memory_bytes_max as u64),
            Figure::of("node.session_table_bytes", usage.table_bytes, 0),
            Figure::of("node.commands_waiting", usage.waiting, 0),
            Figure::of("node.passwords_waiting", usage.hashing, 0),
            within("node.journal_frames", store.tail_frames, store.tail_frames_max),
            within("node.journal_bytes", store.tail_bytes, store.tail_bytes_max),
            counted("node.journal_files", store.journal_files),
            counted("node.checkpoint_bytes", store.checkpoint_bytes),
        ]
    }
}
