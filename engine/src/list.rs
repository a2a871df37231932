//! Lists for people who administer: read from the published root, page by page.
//!
//! A page is taken from one root and ends with a cursor or with the end. Cursors are the last index
//! seen: under writes nothing comes twice and nothing that stood throughout is left out.

use crate::root::Root;
use crate::sight::Sight;
use crate::view::View;
use std::ops::Bound;
use std::sync::Arc;
use tessera_model::limits::{PAGE_PLACES_MAX, PAGE_ROWS_MAX};
use tessera_model::record::{
    AttributeRecord, AttributeValue, GrantRecord, RoleRecord, SubjectRecord, SubjectStatus, TenantRecord,
    WorkspaceRecord,
};
use tessera_model::refresh::ClientRecord;
use tessera_model::visibility::Detail;
use tessera_model::{
    ClientIndex, Deadline, IdentifierKind, Name, PermissionId, PublicId, RoleId, Settings, SubjectIndex,
    TenantId, UnixMillis, WorkspaceIndex,
};

/// One page: rows and the cursor of the next page, if there is one.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page begins; `None` when this is the last.
    pub next: Option<u64>,
    /// Places of the session table that were looked at for it; a page may be empty and not the last.
    pub walked: u64,
}

/// A published root held for a list: every row of a page is of the same revision. Of subjects it holds those whom its
/// reader sees ([`crate::Engine::listing`]); one that a view gives itself holds all.
pub struct Listing(pub(crate) Arc<Root>, pub(crate) Sight);

impl View {
    /// The published root, for lists that show no subject, and for the tenant's own use.
    #[must_use]
    pub fn listing(&self) -> Listing {
        Listing::of(self.root.full())
    }
}

/// A page of the rows behind a cursor, each with its place in the list.
pub(crate) fn page<T>(rows: impl Iterator<Item = (u64, T)>, limit: usize) -> Page<T> {
    page_of(rows.map(|(at, row)| (at, Some(row))), limit)
}

/// A page of the rows behind a cursor, each with its place in the list; `None` is passed over. What is passed
/// over counts: a page ends after [`PAGE_PLACES_MAX`] rows that were looked at, whatever it holds.
pub(crate) fn page_of<T>(rows: impl Iterator<Item = (u64, Option<T>)>, limit: usize) -> Page<T> {
    let limit = limit.clamp(1, PAGE_ROWS_MAX);
    let (mut page, mut last) = (Page { rows: Vec::new(), next: None, walked: 0 }, None);
    for (at, row) in rows {
        if page.walked == PAGE_PLACES_MAX || page.rows.len() == limit && row.is_some() {
            page.next = last;
            break;
        }
        (page.walked, last) = (page.walked + 1, Some(at));
        page.rows.extend(row);
    }
    page
}

pub(crate) fn after(cursor: u64) -> u32 {
    u32::try_from(cursor).unwrap_or(u32::MAX)
}

impl Listing {
    /// Whether a one-time secret for an operator is offered that is good at `now` (system tenant only).
    #[must_use]
    pub fn offers_secret(&self, now: UnixMillis) -> bool {
        let (tag, until) = &self.0.bootstrap;
        *tag != [0; 16] && !until.passed(now)
    }

    /// The tenants after a cursor (system tenant only; elsewhere there are none).
    #[must_use]
    pub fn tenants(&self, cursor: u64, limit: usize) -> Page<TenantRecord> {
        page_of(self.0.tenants.after(TenantId(cursor)).map(|seen| (seen.id.0, seen.record())), limit)
    }

    /// The tenant with this name that is not deleted.
    #[must_use]
    pub fn tenant_named(&self, name: &Name) -> Option<TenantId> {
        self.0.tenant_named(name)
    }

    /// The subjects after a cursor, deleted ones left out, and those whom its reader does not see: a page may be empty
    /// and not the last.
    #[must_use]
    pub fn subjects(&self, cursor: u64, limit: usize) -> Page<SubjectRecord> {
        let range = (Bound::Excluded(SubjectIndex(after(cursor))), Bound::Unbounded);
        let row = |(index, record): (SubjectIndex, &SubjectRecord)| {
            let shown = record.status != SubjectStatus::Deleted && self.sees(index).is_some();
            (u64::from(index.0), shown.then(|| record.clone()))
        };
        page_of(self.0.subjects.range(range).map(row), limit)
    }

    /// A subject that is not deleted, and seen by its reader.
    #[must_use]
    pub fn subject(&self, id: PublicId) -> Option<&SubjectRecord> {
        self.if_seen(self.0.subject(id).filter(|record| record.status != SubjectStatus::Deleted))
    }

    /// The subject that has an identifier of a kind with this keyed hash, where its reader is shown that.
    #[must_use]
    pub fn subject_with(&self, hash: &[u8; 16], kind: IdentifierKind) -> Option<&SubjectRecord> {
        let found = self.if_seen(self.0.holder(hash).and_then(|index| self.0.subjects.get(&index)))?;
        self.shows(found.index, Detail::of_identifier(kind)).then_some(found)
    }

    /// The failed sign-ins of an identifier, and until when it waits at `now`.
    #[must_use]
    pub fn failures(&self, key: &[u8; 16], now: UnixMillis) -> (u32, Deadline) {
        let count = self.0.failures.get(key).map_or(0, |record| record.count);
        (count, self.0.waits(key, now).unwrap_or(Deadline::NONE))
    }

    /// The roles after a cursor.
    #[must_use]
    pub fn roles(&self, cursor: u64, limit: usize) -> Page<Arc<RoleRecord>> {
        let range = (Bound::Excluded(RoleId(after(cursor))), Bound::Unbounded);
        page_of(
            self.0.roles.range(range).map(|(id, record)| (u64::from(id.0), Some(Arc::clone(record)))),
            limit,
        )
    }

    /// The permissions after a cursor.
    #[must_use]
    pub fn permissions(&self, cursor: u64, limit: usize) -> Page<(PermissionId, Name)> {
        let range = (Bound::Excluded(after(cursor)), Bound::Unbounded);
        let rows = self.0.permissions.range(range);
        page_of(rows.map(|(id, name)| (u64::from(*id), Some((PermissionId(*id), name.clone())))), limit)
    }

    /// The workspaces after a cursor that its reader is shown.
    #[must_use]
    pub fn workspaces(&self, cursor: u64, limit: usize) -> Page<Arc<WorkspaceRecord>> {
        let range = (Bound::Excluded(WorkspaceIndex(after(cursor))), Bound::Unbounded);
        let rows = self.0.workspaces.range(range);
        let shown = |record: &Arc<WorkspaceRecord>| self.shows_workspace(record).then(|| Arc::clone(record));
        page_of(rows.map(|(index, record)| (u64::from(index.0), shown(record))), limit)
    }

    /// The clients after a cursor.
    #[must_use]
    pub fn clients(&self, cursor: u64, limit: usize) -> Page<Arc<ClientRecord>> {
        let range = (Bound::Excluded(ClientIndex(after(cursor))), Bound::Unbounded);
        page_of(
            self.0.clients.range(range).map(|(id, record)| (u64::from(id.0), Some(Arc::clone(record)))),
            limit,
        )
    }

    /// The client with this name.
    #[must_use]
    pub fn client_named(&self, name: &Name) -> Option<&ClientRecord> {
        self.0.clients.get(self.0.client_names.get(name)?).map(|record| &**record)
    }

    /// The refresh keys by number: when each was made, and whether handles are made by it now.
    pub fn refresh_keys(&self) -> impl Iterator<Item = (u8, Deadline, bool)> {
        let current = self.0.refresh_key;
        self.0.refresh_keys.iter().map(move |(number, at)| (*number, *at, *number == current))
    }

    /// The grants of a subject after a cursor, by role and workspace.
    #[must_use]
    pub fn grants(&self, subject: SubjectIndex, cursor: u64, limit: usize) -> Page<GrantRecord> {
        let placed = self.0.rules.grants_of(subject).map(|grant| (grant.place_of_subject(), Some(grant)));
        page_of(placed.filter(|(at, _)| *at > cursor), limit)
    }

    /// The role with this name.
    #[must_use]
    pub fn role_record(&self, name: &Name) -> Option<&Arc<RoleRecord>> {
        self.0.roles.get(self.0.role_names.get(name)?)
    }

    /// The workspace with this public id. It looks at them one after another.
    #[must_use]
    pub fn workspace_with(&self, id: PublicId) -> Option<WorkspaceIndex> {
        self.0.workspaces.values().find(|record| record.id == id).map(|record| record.index)
    }

    /// The grants of a role after a cursor, by subject and workspace, each with its holder. It looks at the
    /// subjects one after another: a page may be empty and not the last. Those whose grants its reader is not shown are
    /// left out.
    #[must_use]
    pub fn holders(&self, role: RoleId, cursor: u64, limit: usize) -> Page<(SubjectRecord, GrantRecord)> {
        let from = u32::try_from(cursor >> 32).unwrap_or(u32::MAX);
        let looked = u32::try_from(PAGE_PLACES_MAX).unwrap_or(u32::MAX);
        let (grants, beyond, more) = self.0.rules.holders_from(role, SubjectIndex(from), looked);
        let placed = grants.into_iter().map(|grant| {
            let shown = self.shows(grant.subject, Detail::Grants);
            let holder = self.0.subjects.get(&grant.subject).filter(|_| shown);
            (grant.place_of_role(), holder.map(|holder| (holder.clone(), grant)))
        });
        let mut page = page_of(placed.filter(|(at, _)| *at > cursor), limit);
        page.walked = u64::from(beyond.0 - from);
        if page.next.is_none() && more {
            // Everything of the subjects before that one was seen.
            page.next = Some((u64::from(beyond.0) << 32) - 1);
        }
        page
    }

    /// The name of a role.
    #[must_use]
    pub fn role_name(&self, role: RoleId) -> Option<&Name> {
        self.0.roles.get(&role).map(|record| &record.name)
    }

    /// The declared attributes.
    pub fn attributes(&self) -> impl Iterator<Item = &AttributeRecord> {
        self.0.attributes.values()
    }

    /// The values of a subject's declared attributes.
    pub fn values(&self, subject: SubjectIndex) -> impl Iterator<Item = (u32, &AttributeValue)> {
        self.0.rules.values_of(subject)
    }

    /// The tenant's settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.0.settings
    }
}
