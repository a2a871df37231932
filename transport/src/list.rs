//! Lists: pages of what a tenant's view holds, and of a subject's cold rows.

use crate::backup::backup_row;
use crate::catalogue;
use crate::elevation;
use crate::events;
use crate::fleet;
use crate::invitation as invite;
use crate::moving;
use crate::policy;
use crate::reach::{explain, groups, review};
use crate::relation;
use crate::sight;
use crate::watch;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tessera_engine::{
    AUDIT, Bound, Cursors, Engine, Figure, KeyFound, Listing, Page, PolicySteps, Sees, View,
};
use tessera_model::limits::PAGE_ROWS_MAX;
use tessera_model::record::{GrantRecord, SubjectRecord};
use tessera_model::refresh::ClientRecord;
use tessera_model::visibility::Detail;
use tessera_model::{Limit, ListKind, Listed, Name, Private, PublicId, Refusal, TenantId};
use tessera_wire::{
    AttributeRow, ClientRow, Fault, GrantRow, HolderRow, KeyRow, OriginsRow, PermissionRow, RefreshKeyRow,
    Request, RequestKind, RoleRow, Rows, RowsWriter, SessionRow, SettingsRow, Shape, TenantRow, UsageRow,
    WorkspaceRow,
};

/// The permission that a list asks for; a session may read what is its own subject's without it.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest are lists about subjects")]
const fn permission(kind: RequestKind) -> &'static str {
    match kind {
        RequestKind::ListTenants | RequestKind::ReadTenant => "tessera.admin.tenants",
        RequestKind::Backup => "tessera.admin.operators",
        RequestKind::ListRoles | RequestKind::ListPermissionNames | RequestKind::ListRoleUses => {
            "tessera.admin.roles"
        }
        RequestKind::ListGroups | RequestKind::ListMembers | RequestKind::ListMemberships => {
            "tessera.admin.groups"
        }
        RequestKind::ListWorkspaces => "tessera.admin.workspaces",
        RequestKind::ListGrants
        | RequestKind::ListHolders
        | RequestKind::ListGroupGrants
        | RequestKind::ListReview
        | RequestKind::Explain
        | RequestKind::Simulate => "tessera.admin.grants",
        RequestKind::ListSessions | RequestKind::ListActings => "tessera.admin.sessions",
        RequestKind::ListKeys | RequestKind::ReadKey => "tessera.admin.keys",
        RequestKind::ReadSettings
        | RequestKind::ReadUsage
        | RequestKind::ListAttributes
        | RequestKind::ListRefreshKeys
        | RequestKind::ReadOrigins => "tessera.admin.settings",
        RequestKind::ListServices
        | RequestKind::ListEntries
        | RequestKind::ReadEntry
        | RequestKind::ListEndpoints
        | RequestKind::ListEntryUses => "tessera.admin.services",
        RequestKind::ReadDevicePolicy => "tessera.admin.settings",
        RequestKind::ChallengeDevice => "tessera.sessions.open",
        RequestKind::ReadPersonalRole | RequestKind::ReadVisibility => "tessera.admin.settings",
        RequestKind::ListRequests | RequestKind::ListInvitations => "tessera.admin.grants",
        RequestKind::ListClients | RequestKind::ReadClient => "tessera.admin.clients",
        RequestKind::ReadRelationModel
        | RequestKind::ListRelationModels
        | RequestKind::TryRelationModel
        | RequestKind::ListMappings
        | RequestKind::WatchRelations
        | RequestKind::ListRelations => "tessera.admin.relations",
        RequestKind::WatchEvents => AUDIT,
        kind if policy::administers(kind) => "tessera.admin.policies",
        RequestKind::CheckResource
        | RequestKind::Authorize
        | RequestKind::CheckAbout
        | RequestKind::CheckRelations
        | RequestKind::ListRelationObjects
        | RequestKind::ListRelationSubjects
        | RequestKind::ExpandRelation
        | RequestKind::ExplainRelation => "tessera.check",
        _ => "tessera.admin.subjects",
    }
}

/// Whose list it is, when it is about one subject.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest are about no one subject")]
const fn about(request: &Request) -> Option<PublicId> {
    match request {
        Request::ReadSubject { subject, identifier: None }
        | Request::ListKeys { subject, .. }
        | Request::ListInvitations { subject, .. }
        | Request::ListRequests { subject, .. } => *subject,
        Request::ListIdentifiers { subject }
        | Request::ListAttributeValues { subject }
        | Request::ListGrants { subject, .. }
        | Request::ListMemberships { subject, .. }
        | Request::ListDevices { subject, .. }
        | Request::ListActings { subject, .. }
        | Request::Explain { subject, .. }
        | Request::ListSessions { subject, .. } => Some(*subject),
        _ => None,
    }
}

/// Whether a list is of names without a person behind them, which are for services too.
const fn is_of_names(kind: RequestKind) -> bool {
    matches!(
        kind,
        RequestKind::ListRoles
            | RequestKind::ListPermissionNames
            | RequestKind::ListWorkspaces
            | RequestKind::ListGroups
            | RequestKind::ListServices
            | RequestKind::ListEntries
            | RequestKind::ReadEntry
            | RequestKind::ListEndpoints
            | RequestKind::ListAttributes
    )
}

/// LIMIT: places of the session table that cost as much as one check.
pub(crate) const PLACES_PER_CHECK: u64 = 8;

/// Answers a list, and says what it cost in checks. `gone` is set when nobody waits for it any more: then questions about
/// relations are given up.
pub(crate) async fn rows(
    engine: &Engine,
    bound: &Bound,
    request: Request,
    (cost, gone): (&mut u64, &Arc<AtomicBool>),
) -> Result<Rows, Fault> {
    if fleet::is_one(request.kind()) {
        // Cursors wait for the disk.
        let (engine, bound) = (engine.clone(), bound.clone());
        let told = tokio::task::spawn_blocking(move || fleet::rows(&engine, &bound, &request)).await;
        return told.map_err(|_| crate::answer::failed())?.map_err(Fault::refused);
    }
    if let Some(told) = moving::rows(engine, bound, &request).await {
        return told;
    }
    let kind = request.kind();
    let needed = invite::needs(&request).unwrap_or(permission(kind));
    let may = || {
        engine.may(bound, needed)
            || is_of_names(kind) && engine.may(bound, "tessera.read")
            || sight::is_of_people(&request) && engine.reads_people(bound)
    };
    let own = about(&request).is_some_and(|subject| bound.reads_as(subject))
        || relation::is_own(engine, bound, &request);
    if engine.is_asleep(bound) {
        return Err(Fault::refused(engine.unready(&bound.home)));
    }
    if !own && !may() {
        return Err(Fault::refused(Refusal::Unauthorized));
    }
    if !engine.is_alive(bound) {
        return Err(Fault::refused(Refusal::Unauthorized));
    }
    let permission = if own { None } else { Some(needed) };
    let view = bound.entry.view().as_ref().map(Arc::clone);
    let Some(view) = view else {
        return Err(Fault::refused(engine.unready(&bound.entry)));
    };
    if let Request::WatchRelations { after, limit, wait_ms } = request {
        drop(view);
        let page = watch::page(engine, bound, after, (limit, wait_ms), cost).await;
        return page.map_err(Fault::refused);
    }
    if let Request::WatchEvents { .. } = &request {
        drop(view);
        return events::page(engine, bound, request, cost).await.map_err(Fault::refused);
    }
    if let Request::TryPolicies { text, schema, built_in } = request {
        drop(view);
        return policy::trial(engine, bound, (text, schema, built_in)).await;
    }
    if let Request::CheckAbout { .. } = &request {
        return policy::judged(engine, bound, (view, request), cost).await;
    }
    // Cold rows and the walk over a table may take a while: not on the runtime that answers checks.
    let (engine, bound) = (engine.clone(), bound.clone());
    let gone = Arc::clone(gone);
    let page = move || {
        let (mut walked, policies) = (0, PolicySteps::counting());
        let page = page(&engine, &bound, (&view, permission), request, (&mut walked, &gone));
        (page, walked / PLACES_PER_CHECK + policies.checks())
    };
    let (page, checks) = tokio::task::spawn_blocking(page).await.map_err(|_| crate::answer::failed())?;
    *cost += checks;
    page.map_err(Fault::refused)
}

/// Where and how far a page goes, and how its cursors are made.
pub(crate) struct Window {
    pub(crate) from: u64,
    pub(crate) limit: usize,
    cursors: Cursors,
}

/// What a page is read from.
pub(crate) struct Source<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) bound: &'a Bound,
    pub(crate) view: &'a View,
    pub(crate) listing: Listing,
    /// What of a subject the answer tells.
    detail: Option<Detail>,
}

impl Source<'_> {
    /// Cursors of a list whose places are names.
    pub(crate) fn cursors(&self, listed: Listed) -> Result<Cursors, Refusal> {
        self.engine.cursors(self.bound.entry.tenant, listed)
    }

    /// A subject that the caller sees, with what of it the answer tells.
    pub(crate) fn subject(&self, id: PublicId) -> Result<&SubjectRecord, Refusal> {
        match self.detail {
            Some(detail) => self.listing.subject_with_detail(id, detail),
            None => self.listing.subject(id).ok_or(Refusal::SubjectUnknown),
        }
    }

    pub(crate) fn window(
        &self,
        listed: Listed,
        (after, limit): (Option<Private>, u32),
    ) -> Result<Window, Refusal> {
        Window::of(self.engine, self.bound, listed, (after.as_ref(), limit))
    }

    fn all(&self, kind: ListKind, after: Option<Private>, limit: u32) -> Result<Window, Refusal> {
        self.window(Listed::all(kind), (after, limit))
    }
}

#[expect(clippy::too_many_lines, reason = "one arm for each list")]
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest are about relations")]
fn page(
    engine: &Engine,
    bound: &Bound,
    (view, permission): (&View, Option<&str>),
    request: Request,
    (walked, gone): (&mut u64, &AtomicBool),
) -> Result<Rows, Refusal> {
    let listing = sight::listing(engine, (bound, view), permission);
    let source = Source { engine, bound, view, listing, detail: sight::detail(request.kind()) };
    let listing = &source.listing;
    let of = |subject| source.subject(subject);
    match request {
        Request::ListTenants { after, limit } => {
            let window = source.all(ListKind::Tenants, after, limit)?;
            let page = listing.tenants(window.from, window.limit);
            window.finish(
                page.rows.into_iter().map(|tenant| (tenant.id.0, tenant_row(engine, tenant))),
                page.next,
            )
        }
        Request::ReadTenant { tenant, name } => read_tenant(engine, listing, tenant, name.as_ref()),
        Request::ListSubjects { after, limit } => {
            let window = source.all(ListKind::Subjects, after, limit)?;
            let page = listing.subjects(window.from, window.limit);
            *walked = page.walked;
            window.finish(
                page.rows.iter().map(|row| (u64::from(row.index.0), sight::subject(listing, row))),
                page.next,
            )
        }
        Request::ReadSubject { subject, identifier } => {
            let found = match (subject, identifier) {
                (Some(subject), None) => of(subject)?,
                (None, Some(identifier)) => {
                    let hash = engine.identifier_hash(bound.entry.tenant, &identifier)?;
                    listing.subject_with(&hash, identifier.kind()).ok_or(Refusal::SubjectUnknown)?
                }
                (None, None) | (Some(_), Some(_)) => return Err(Refusal::Malformed),
            };
            whole([sight::subject(listing, found)])
        }
        Request::ListIdentifiers { subject } => sight::identifiers(&source, of(subject)?),
        Request::ListAttributeValues { subject } => sight::values(&source, of(subject)?),
        Request::ListAttributes {} => {
            whole(listing.attributes().map(|row| AttributeRow { name: row.name.clone(), kind: row.kind }))
        }
        Request::ListPermissionNames { after, limit } => {
            let window = source.all(ListKind::Permissions, after, limit)?;
            let page = listing.permissions(window.from, window.limit);
            let rows = page.rows.into_iter();
            window
                .finish(rows.map(|(id, name)| (u64::from(id.0), PermissionRow { id: id.0, name })), page.next)
        }
        Request::ListRoles { after, limit } => {
            let window = source.all(ListKind::Roles, after, limit)?;
            let page = listing.roles(window.from, window.limit);
            let rows = page.rows.iter().map(|role| {
                let (name, patterns) = (role.name.clone(), role.patterns.clone());
                let parents = listing.role_names(&role.parents);
                let workspace = listing.workspace_name(role.workspace).cloned();
                (u64::from(role.id.0), RoleRow { id: role.id.0, name, patterns, parents, workspace })
            });
            window.finish(rows, page.next)
        }
        Request::ListGroups { .. }
        | Request::ListMembers { .. }
        | Request::ListMemberships { .. }
        | Request::ListGroupGrants { .. }
        | Request::ListRoleUses { .. } => groups(&source, request),
        Request::ListReview { after, limit } => review(&source, (after, limit)),
        Request::Explain { .. } | Request::Simulate { .. } => explain(&source, request, walked),
        Request::ListWorkspaces { after, limit } => {
            workspaces(listing, &source.all(ListKind::Workspaces, after, limit)?)
        }
        Request::ListGrants { subject, after, limit } => {
            let listed = Listed::of_subject(ListKind::Grants, Some(subject));
            grants(listing, of(subject)?, &source.window(listed, (after, limit))?)
        }
        Request::ListHolders { role, after, limit } => {
            let role = listing.role_named(&role).ok_or(Refusal::RoleUnknown)?;
            let window = source.window(Listed::of_role(role), (after, limit))?;
            let page = listing.holders(role, window.from, window.limit);
            *walked = page.walked;
            holders(listing, page, &window)
        }
        Request::ListSessions { subject, after, limit } => {
            let listed = Listed::of_subject(ListKind::Sessions, Some(subject));
            let window = source.window(listed, (after, limit))?;
            let index = of(subject)?.index;
            let mut page = source.engine.read(source.view).sessions(index, window.from, window.limit);
            *walked = page.walked;
            page.rows.retain(|found| !found.key || listing.shows(index, Detail::Keys));
            // The cursor of a row is the place after it: a page that the frame cuts goes on there.
            let rows =
                page.rows.iter().map(|found| (u64::from(found.place.0) + 1, session_row(listing, found)));
            window.finish(rows, page.next)
        }
        Request::ListKeys { subject, after, limit } => {
            let listed = Listed::of_subject(ListKind::Keys, subject);
            let window = source.window(listed, (after, limit))?;
            let subject = subject.map(|subject| of(subject).map(|found| found.index)).transpose()?;
            let mut page = source.engine.read(source.view).keys(subject, window.from, window.limit);
            *walked = page.walked;
            page.rows.retain(|key| listing.shows(key.found.subject_index, Detail::Keys));
            keys(engine, bound, page, &window)
        }
        Request::ReadKey { key } => {
            let found = engine.read(view).key(key);
            let found = found.filter(|key| listing.shows(key.found.subject_index, Detail::Keys));
            let found = found.ok_or(Refusal::SessionUnknown)?;
            whole([key_row(engine, bound, found)?])
        }
        Request::ListClients { after, limit } => {
            let window = source.all(ListKind::Clients, after, limit)?;
            let page = listing.clients(window.from, window.limit);
            window.finish(page.rows.iter().map(|row| (u64::from(row.index.0), client_row(row))), page.next)
        }
        Request::ReadClient { name } => {
            whole([client_row(listing.client_named(&name).ok_or(Refusal::ClientUnknown)?)])
        }
        Request::ListRefreshKeys {} => {
            whole(listing.refresh_keys().map(|(number, created, current)| RefreshKeyRow {
                number: u32::from(number),
                created,
                current,
            }))
        }
        Request::ReadOrigins {} => whole([OriginsRow { origins: engine.origins(Some(bound.entry.tenant))? }]),
        Request::Backup { name, follow } => {
            // Every tenant's admin holds the permission in that tenant: a node is the operators' alone.
            if bound.entry.tenant != TenantId::SYSTEM {
                return Err(Refusal::WrongTenant);
            }
            let told = if follow { engine.follow_backup(&name)? } else { engine.begin_backup(&name)? };
            whole([backup_row(told)])
        }
        Request::ReadUsage {} => {
            let figures = engine.figures(bound, view)?;
            *walked = figures.1;
            whole(figures.0.into_iter().filter_map(|figure| {
                let Figure { name, count, used, bound } = figure;
                Some(UsageRow { name: Name::new(name).ok()?, count, used, bound })
            }))
        }
        Request::ReadSettings {} => whole([SettingsRow { settings: listing.settings() }]),
        Request::ListServices { .. }
        | Request::ListEntries { .. }
        | Request::ReadEntry { .. }
        | Request::ListEndpoints { .. }
        | Request::ListEntryUses { .. } => catalogue::page(&source, request, walked),
        request @ Request::Authorize { at_least, .. } => {
            let reading = engine.read(view);
            match reading.sees(at_least.unwrap_or_default()) {
                Sees::Yes => catalogue::authorize((engine, bound, &reading), &request),
                Sees::NotYet => Err(Refusal::Behind),
                Sees::Restored => Err(Refusal::Restored),
            }
        }
        Request::ChallengeDevice { device } => elevation::challenge(engine, bound, device),
        Request::ListDevices { .. }
        | Request::ReadDevicePolicy {}
        | Request::ListActings { .. }
        | Request::ListRequests { .. } => elevation::page(&source, request),
        Request::ListInvitations { .. } | Request::ReadPersonalRole {} => {
            invite::page(&source, request, walked)
        }
        Request::ReadVisibility {} => sight::rules(listing),
        Request::ReadPolicies { .. }
        | Request::ListPolicyVersions {}
        | Request::ReadBuiltInSchema { .. }
        | Request::ListEntities { .. } => policy::page(&source, request),
        about => relation::page((engine, bound, view), permission, about, (walked, gone)),
    }
}

/// Rows of a page: as many as are asked for, or as may be.
pub(crate) fn rows_of(limit: u32) -> usize {
    let limit = usize::try_from(limit).unwrap_or(PAGE_ROWS_MAX);
    if limit == 0 { PAGE_ROWS_MAX } else { limit.min(PAGE_ROWS_MAX) }
}

fn pages<T: Shape, const N: usize>(
    rows: impl Iterator<Item = (u64, T)>,
    next: Option<u64>,
    cursor: impl Fn(u64) -> [u8; N],
) -> Result<Rows, Refusal> {
    let (mut writer, mut last) = (RowsWriter::new(), None);
    for (at, row) in rows {
        if !writer.push(&row) {
            let cut = last.ok_or(Limit::WireFrameBytes.reached())?;
            return Ok(writer.finish(Some(&cursor(cut))));
        }
        last = Some(at);
    }
    Ok(writer.finish(next.map(cursor).as_ref().map(<[u8; N]>::as_slice)))
}

impl Window {
    /// A window on one of the lists of a caller's tenant. It may wait for the disk.
    pub(crate) fn of(
        engine: &Engine,
        bound: &Bound,
        listed: Listed,
        (after, limit): (Option<&Private>, u32),
    ) -> Result<Self, Refusal> {
        let cursors = engine.cursors(bound.entry.tenant, listed)?;
        let from = cursors.place(after.map(Private::expose))?;
        Ok(Self { from, limit: rows_of(limit), cursors })
    }

    /// A page of rows, each with its place in the list, under sealed cursors.
    pub(crate) fn finish<T: Shape>(
        &self,
        rows: impl Iterator<Item = (u64, T)>,
        next: Option<u64>,
    ) -> Result<Rows, Refusal> {
        pages(rows, next, |at| self.cursors.at(at))
    }
}

/// A list that fits into one page.
pub(crate) fn whole<T: Shape>(rows: impl IntoIterator<Item = T>) -> Result<Rows, Refusal> {
    let mut writer = RowsWriter::new();
    for row in rows {
        if !writer.push(&row) {
            return Err(Limit::WireFrameBytes.reached());
        }
    }
    Ok(writer.finish(None))
}

fn client_row(record: &ClientRecord) -> ClientRow {
    ClientRow { index: record.index.0, name: record.name.clone(), terms: record.terms }
}

fn session_row(listing: &Listing, found: &tessera_model::query::Introspection) -> SessionRow {
    SessionRow {
        session: found.id,
        key: found.key,
        created: found.authenticated_at.to_deadline(),
        expires: found.expires.to_deadline(),
        idle_until: (!found.key).then(|| found.idle_until.to_deadline()),
        device: found.device,
        actor: found.actor.and_then(|actor| listing.seen_id(actor)),
        reason: listing.acting_reason(found.place, found.generation).map(str::to_owned),
    }
}

fn keys(engine: &Engine, bound: &Bound, page: Page<KeyFound>, window: &Window) -> Result<Rows, Refusal> {
    let row = |key: KeyFound| Ok((u64::from(key.found.place.0) + 1, key_row(engine, bound, key)?));
    let rows = page.rows.into_iter().map(row).collect::<Result<Vec<_>, Refusal>>()?;
    window.finish(rows.into_iter(), page.next)
}

/// A key with what it is for, which may be read from the disk.
fn key_row(engine: &Engine, bound: &Bound, key: KeyFound) -> Result<KeyRow, Refusal> {
    let (client, client_name) = key.client.map_or((None, None), |(index, name)| (Some(index.0), name));
    Ok(KeyRow {
        client,
        client_name,
        session: key.found.id,
        subject: key.found.subject,
        created: key.found.authenticated_at.to_deadline(),
        expires: key.found.expires.to_deadline(),
        last_used: key.last_used,
        patterns: key.patterns,
        description: engine.key_description(bound, &key.found)?,
        networks: key.networks,
    })
}

fn tenant_row(engine: &Engine, record: tessera_model::record::TenantRecord) -> TenantRow {
    let trouble = engine.trouble(record.id);
    TenantRow {
        tenant: record.id,
        name: record.name,
        status: record.status,
        created: record.created,
        failed: trouble.as_ref().is_some_and(|trouble| trouble.failed),
        trouble: trouble.map(|trouble| trouble.what),
    }
}

fn read_tenant(
    engine: &Engine,
    listing: &Listing,
    tenant: Option<TenantId>,
    name: Option<&tessera_model::Name>,
) -> Result<Rows, Refusal> {
    let id = match (tenant, name) {
        (Some(tenant), None) => tenant,
        (None, Some(name)) => listing.tenant_named(name).ok_or(Refusal::TenantUnknown)?,
        (None, None) | (Some(_), Some(_)) => return Err(Refusal::Malformed),
    };
    let before = id.0.checked_sub(1).ok_or(Refusal::TenantUnknown)?;
    let found = listing.tenants(before, 1).rows.pop().filter(|row| row.id == id);
    whole([tenant_row(engine, found.ok_or(Refusal::TenantUnknown)?)])
}

fn workspaces(listing: &Listing, window: &Window) -> Result<Rows, Refusal> {
    let page = listing.workspaces(window.from, window.limit);
    let rows = page.rows.iter().map(|row| {
        let workspace = WorkspaceRow {
            index: row.index.0,
            id: row.id,
            name: row.name.clone(),
            parent: listing.workspace_name(row.parent).cloned(),
            inherits: row.inherits,
            ceiling: row.ceiling.clone(),
            owners: listing.role_name(row.owners).cloned(),
            personal: listing.owner_of(row),
        };
        (u64::from(row.index.0), workspace)
    });
    window.finish(rows, page.next)
}

fn grants(listing: &Listing, subject: &SubjectRecord, window: &Window) -> Result<Rows, Refusal> {
    let page = listing.grants(subject.index, window.from, window.limit);
    let rows = page.rows.into_iter().filter_map(|grant| {
        let row = GrantRow {
            role: listing.role_name(grant.role)?.clone(),
            workspace: listing.workspace_name(grant.workspace).cloned(),
            from: grant.from,
            until: grant.until,
            conditions: listing.conditions_of(&grant),
        };
        Some((grant.place_of_subject(), row))
    });
    window.finish(rows, page.next)
}

fn holders(
    listing: &Listing,
    page: Page<(SubjectRecord, GrantRecord)>,
    window: &Window,
) -> Result<Rows, Refusal> {
    let rows = page.rows.into_iter().map(|(holder, grant)| {
        let row = HolderRow {
            subject: holder.id,
            kind: holder.kind,
            status: listing.shows(holder.index, Detail::Status).then_some(holder.status),
            workspace: listing.workspace_name(grant.workspace).cloned(),
            from: grant.from,
            until: grant.until,
            conditions: listing.conditions_of(&grant),
        };
        (grant.place_of_role(), row)
    });
    window.finish(rows, page.next)
}
