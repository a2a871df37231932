//! Lists and records: pages of what a tenant's view holds, and of a subject's cold rows.

use crate::answer::{self, Object};
use crate::ask;
use crate::caller::{Caller, tenant_named};
use crate::catalogue;
use crate::door::Shared;
use crate::elevation;
use crate::endpoint;
use crate::events;
use crate::explain;
use crate::groups;
use crate::input::{Input, ill_formed};
use crate::invitation;
use crate::operation::{About, List, Needs, Operation};
use crate::policy;
use crate::problem::Problem;
use crate::relation;
use crate::serve;
use crate::settings;
use crate::sight;
use crate::watch;
use serde_json::Value;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tessera_engine::{ADMIN_ROLE, Bound, Cursors, Engine, KeyFound, Listing, Page, View};
use tessera_model::limits::PAGE_ROWS_MAX;
use tessera_model::query::Introspection;
use tessera_model::record::{AttributeKind, AttributeValue, GrantRecord, RoleRecord, SubjectRecord};
use tessera_model::record::{TenantRecord, WorkspaceRecord};
use tessera_model::refresh::ClientRecord;
use tessera_model::visibility::Detail;
use tessera_model::{
    Deadline, IdentifierKind, ListKind, Listed, Name, PublicId, Refusal, RoleId, SubjectIndex, TenantId,
    cursor,
};

/// The permission of services that read names without a person behind them.
pub(crate) const READ: &str = "tessera.read";

/// Answers a list, away from the threads that answer checks: cold rows and walks may take a while.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    caller: &Caller,
    (operation, list): (&'static Operation, List),
    input: Input,
) -> Result<Value, Problem> {
    let bound = caller.bound.clone();
    let engine = &shared.engine;
    if engine.is_asleep(&bound) {
        return Err(engine.unready(&bound.home).into());
    }
    let (true, permission) = entitled(engine, &bound, (operation, list), &input)? else {
        return Err(Refusal::Unauthorized.into());
    };
    if !engine.is_alive(&bound) {
        return Err(Refusal::Unauthorized.into());
    }
    if list == List::Relation(About::Watch) {
        let (value, told) = watch::answer(shared, &bound, &input).await?;
        serve::charge(shared, &caller.bound, told / relation::STEPS_PER_CHECK);
        return Ok(value);
    }
    if list == List::Events {
        return events::answer(shared, &bound, (&input, PLACES_PER_REQUEST)).await;
    }
    let view = ask::view(shared, &bound)?;
    // What is dropped here, because the caller has gone, is given up there; what was looked at is paid for.
    let asks = Asks::default();
    let (on, by, gone) = (Arc::clone(shared), caller.clone(), Arc::clone(&asks.0));
    let read = move || {
        let (engine, walked, mut cost) = (&on.engine, Walked::default(), 0);
        let value = if let List::Relation(about) = list {
            relation::answer((engine, &bound, &view), permission, (about, &input), (&gone, &mut cost))
        } else {
            rows(engine, &bound, (&view, permission), list, (&input, &walked))
        };
        serve::charge(&on, &by.bound, cost + walked.0.get() / PLACES_PER_REQUEST);
        value
    };
    tokio::task::spawn_blocking(read).await.map_err(|_| Problem::failed())?
}

/// Somebody waits for an answer; whoever works on it is told when nobody does any more.
#[derive(Default)]
struct Asks(Arc<AtomicBool>);

impl Drop for Asks {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// LIMIT: places of the session table, or subjects, that cost as much as one request, as over QUIC.
const PLACES_PER_REQUEST: u64 = 8;

/// What was looked at for a page.
#[derive(Default)]
struct Walked(Cell<u64>);

/// Whether the caller may read this, and with which permission; a session may read what is its own subject's without
/// one.
fn entitled(
    engine: &Engine,
    bound: &Bound,
    (operation, list): (&Operation, List),
    input: &Input,
) -> Result<(bool, Option<&'static str>), Problem> {
    let own = || Ok::<_, Problem>(input.public_id("subject")?.is_some_and(|id| bound.reads_as(id)));
    let may = |permission| {
        engine.may(bound, permission)
            || list.is_of_names() && engine.may(bound, READ)
            || list.is_of_people() && engine.reads_people(bound)
    };
    Ok(match operation.needs {
        Needs::Nothing => (false, None),
        // What is the caller's own is not for whoever acts in its session.
        Needs::Credential => (!bound.acting, None),
        Needs::OwnOr(_) if own()? => (true, None),
        Needs::Permission(permission) | Needs::OwnOr(permission) => (may(permission), Some(permission)),
    })
}

#[expect(clippy::too_many_lines, reason = "one arm for each list")]
fn rows(
    engine: &Engine,
    bound: &Bound,
    (view, permission): (&View, Option<&str>),
    list: List,
    (input, walked): (&Input, &Walked),
) -> Result<Value, Problem> {
    let listing = sight::listing(engine, (bound, view), permission);
    let subject = || sight::named(&listing, (list, input));
    let name = || input.name("name")?.ok_or_else(|| ill_formed("name"));
    let window = |listed| Window::new(engine, bound, listed, (input, walked));
    let all = |kind| window(Listed::all(kind));
    match list {
        List::Tenants => {
            system_only(bound)?;
            all(ListKind::Tenants)?
                .page(|from, limit| listing.tenants(from, limit), |row| tenant(engine, row))
        }
        List::Tenant => {
            system_only(bound)?;
            let id = input.text("tenant_ref").and_then(|text| tenant_named(engine, text));
            let id = id.ok_or(Refusal::TenantUnknown)?;
            one_tenant(&listing, id).map(|row| tenant(engine, &row).value())
        }
        List::Subjects => all(ListKind::Subjects)?
            .page(|from, limit| listing.subjects(from, limit), |row| sight::subject(&listing, row)),
        List::Subject => Ok(sight::subject(&listing, subject()?).value()),
        List::FindSubject => {
            let identifier = input.identifier("identifier")?.ok_or_else(|| ill_formed("identifier"))?;
            let hash = engine.identifier_hash(bound.entry.tenant, &identifier)?;
            let found = listing.subject_with(&hash, identifier.kind()).ok_or(Refusal::SubjectUnknown)?;
            Ok(sight::subject(&listing, found).value())
        }
        List::Identifiers => {
            let subject = subject()?.index;
            let seen = listing.sees(subject).ok_or(Refusal::SubjectUnknown)?;
            let status = seen.has(Detail::Status);
            let found = engine.identifiers(bound, subject)?;
            let mut rows = Vec::with_capacity(found.len());
            for one in found.iter().filter(|one| Listing::shows_identifier(seen, one.kind())) {
                let key = engine.identifier_hash(bound.entry.tenant, one)?;
                let (failures, waits_until) = listing.failures(&key, engine.now());
                let row =
                    Object::new().with("identifier", one.typed()).with("kind", identifier_kind(one.kind()));
                let until = (status && waits_until != Deadline::NONE).then(|| waits_until.to_millis());
                rows.push(row.with("failures", status.then_some(failures)).at("waits_until", until));
            }
            Ok(whole(rows.into_iter()))
        }
        List::AttributeValues => values(engine, bound, &listing, subject()?),
        List::Attributes => Ok(whole(
            listing
                .attributes()
                .map(|row| Object::new().shown("name", &row.name).with("kind", attribute_kind(row.kind))),
        )),
        List::PermissionNames => all(ListKind::Permissions)?.page(
            |from, limit| listing.permissions(from, limit),
            |(id, name)| Object::new().with("id", id.0).shown("name", name),
        ),
        List::Roles => {
            all(ListKind::Roles)?.page(|from, limit| listing.roles(from, limit), |row| role(&listing, row))
        }
        List::Role => {
            let found = listing.role_record(&name()?).ok_or(Refusal::RoleUnknown)?;
            Ok(role(&listing, found).value())
        }
        List::Workspaces => all(ListKind::Workspaces)?
            .page(|from, limit| listing.workspaces(from, limit), |row| workspace(&listing, row)),
        List::Groups
        | List::Group
        | List::Members
        | List::Memberships
        | List::GroupGrants
        | List::RoleUses => groups::rows(&listing, (list, input), window),
        List::Review => groups::review(engine, bound, &listing, (input, &walked.0)),
        List::Explain | List::Simulate => {
            subject()?;
            explain::answer((engine, view), (bound, &listing), (list, input), &walked.0)
        }
        List::Workspace => {
            let found = listing.workspace_named(&name()?);
            let found = found.ok_or(Refusal::WorkspaceUnknown)?;
            Ok(workspace(&listing, found).value())
        }
        List::Grants => {
            let subject = subject()?;
            let window = window(Listed::of_subject(ListKind::Grants, Some(subject.id)))?;
            window.page(|from, limit| listing.grants(subject.index, from, limit), |row| grant(&listing, row))
        }
        List::Holders => {
            let role = listing.role_named(&name()?).ok_or(Refusal::RoleUnknown)?;
            holders(&listing, role, window(Listed::of_role(role))?)
        }
        List::Operators => {
            system_only(bound)?;
            let role = Name::new(ADMIN_ROLE).ok().and_then(|name| listing.role_named(&name));
            let role = role.ok_or(Refusal::RoleUnknown)?;
            holders(&listing, role, window(Listed::of_role(role))?)
        }
        List::Sessions => sessions((engine, &listing), view, subject()?, window),
        List::MySessions => {
            let own: PublicId = bound.subject;
            let record = listing.subject(own).ok_or(Refusal::SubjectUnknown)?;
            sessions((engine, &listing), view, record, window)
        }
        List::Keys => keys((engine, bound, view), &listing, (None, all(ListKind::Keys)?)),
        List::KeysOf => {
            let subject = subject()?;
            let window = window(Listed::of_subject(ListKind::Keys, Some(subject.id)))?;
            keys((engine, bound, view), &listing, (Some(subject.index), window))
        }
        List::Key => {
            let id = input.public_id("key")?.ok_or_else(|| ill_formed("key"))?;
            let found = engine.read(view).key(id);
            let found = found.filter(|key| listing.shows(key.found.subject_index, Detail::Keys));
            let found = found.ok_or(Refusal::SessionUnknown)?;
            Ok(key(engine, bound, &found)?.value())
        }
        List::Clients => {
            all(ListKind::Clients)?.page(|from, limit| listing.clients(from, limit), |row| client(row))
        }
        List::Client => Ok(client(listing.client_named(&name()?).ok_or(Refusal::ClientUnknown)?).value()),
        List::RefreshKeys => Ok(whole(listing.refresh_keys().map(|(number, created, current)| {
            Object::new().with("number", number).until("created", created).with("current", current)
        }))),
        List::Origins => {
            let origins = engine.origins(Some(bound.entry.tenant))?;
            let origins: Vec<String> = origins.iter().map(ToString::to_string).collect();
            Ok(Object::new().with("origins", origins).value())
        }
        List::Events => Err(Problem::failed()),
        List::Usage => {
            let (figures, looked_at) = engine.figures(bound, view)?;
            walked.0.set(looked_at);
            Ok(whole(figures.into_iter().map(|figure| {
                let object = Object::new().with("name", figure.name).with("count", figure.count);
                object.with("used", figure.used).with("bound", (figure.bound > 0).then_some(figure.bound))
            })))
        }
        List::Services
        | List::Entries
        | List::EntriesOf
        | List::Service
        | List::Entry
        | List::EntryUses
        | List::DeprecatedUses => catalogue::rows(&engine.read(view), &listing, (list, input), window),
        List::Visibility => Ok(sight::told(&listing)),
        List::Endpoints => endpoint::told(&listing, input),
        List::MyDevices
        | List::Devices
        | List::MyActings
        | List::Actings
        | List::DevicePolicy
        | List::Requests
        | List::RequestsOf => elevation::rows((engine, bound), &listing, (list, input), window),
        List::Invitations | List::InvitationsOf | List::InvitationsFor | List::PersonalRole => {
            invitation::rows((engine, bound), &listing, (list, input), window)
        }
        List::Policies | List::PolicyTrial | List::Entities => {
            policy::rows((engine, bound), &listing, (list, input))
        }
        List::Relation(_) => Err(Problem::failed()),
        List::Settings => Ok(settings::members(&listing.settings(), Object::new()).value()),
    }
}

pub(crate) fn limit(input: &Input) -> Result<usize, Problem> {
    let limit =
        input.count("limit")?.map_or(PAGE_ROWS_MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    if (1..=PAGE_ROWS_MAX).contains(&limit) { Ok(limit) } else { Err(ill_formed("limit")) }
}

/// Tenants are listed by the system tenant alone.
fn system_only(bound: &Bound) -> Result<(), Problem> {
    if bound.entry.tenant == TenantId::SYSTEM { Ok(()) } else { Err(Refusal::WrongTenant.into()) }
}

/// Names as texts.
pub(crate) fn texts(names: &[Name]) -> Vec<&str> {
    names.iter().map(Name::as_str).collect()
}

/// Where and how far a page goes, and how its cursors are made.
pub(crate) struct Window<'a> {
    from: u64,
    limit: usize,
    cursors: Cursors,
    walked: &'a Walked,
}

impl<'a> Window<'a> {
    fn new(
        engine: &Engine,
        bound: &Bound,
        listed: Listed,
        (input, walked): (&Input, &'a Walked),
    ) -> Result<Self, Problem> {
        let cursors = engine.cursors(bound.entry.tenant, listed)?;
        let from = cursors.place(input.cursor("cursor").as_deref())?;
        Ok(Self { from, limit: limit(input)?, cursors, walked })
    }

    /// Behind which place, and how many rows at most.
    pub(crate) const fn within(&self) -> (u64, usize) {
        (self.from, self.limit)
    }

    /// A page as rows and the cursor of the next one.
    pub(crate) fn page<T>(
        &self,
        read: impl FnOnce(u64, usize) -> Page<T>,
        object: impl Fn(&T) -> Object,
    ) -> Result<Value, Problem> {
        let page = read(self.from, self.limit);
        self.walked.0.set(page.walked);
        let next = page.next.map(|at| cursor::to_text(&self.cursors.at(at)));
        Ok(rows_of(page.rows.iter().map(object), next))
    }
}

pub(crate) fn rows_of(rows: impl Iterator<Item = Object>, next: Option<String>) -> Value {
    let rows: Vec<Value> = rows.map(Object::value).collect();
    Object::new().with("rows", rows).with("next", next).value()
}

/// A list that is one page.
pub(crate) fn whole(rows: impl Iterator<Item = Object>) -> Value {
    rows_of(rows, None)
}

fn one_tenant(listing: &Listing, id: TenantId) -> Result<TenantRecord, Problem> {
    let before = id.0.checked_sub(1).ok_or(Refusal::TenantUnknown)?;
    let found = listing.tenants(before, 1).rows.pop().filter(|row| row.id == id);
    Ok(found.ok_or(Refusal::TenantUnknown)?)
}

fn tenant(engine: &Engine, row: &TenantRecord) -> Object {
    let trouble = engine.trouble(row.id);
    let failed = trouble.as_ref().is_some_and(|trouble| trouble.failed);
    let object = Object::new().shown("tenant", row.id).shown("name", &row.name);
    let object = object.with("status", row.status.name()).until("created", row.created);
    object.with("failed", failed).with("trouble", trouble.map(|trouble| trouble.what))
}

fn role(listing: &Listing, row: &Arc<RoleRecord>) -> Object {
    let patterns: Vec<&str> = row.patterns.iter().map(tessera_model::Pattern::as_str).collect();
    let object = Object::new().with("id", row.id.0).shown("name", &row.name).with("patterns", patterns);
    let workspace = listing.workspace_name(row.workspace).map(Name::to_string);
    object.with("parents", texts(&listing.role_names(&row.parents))).with("workspace", workspace)
}

fn workspace(listing: &Listing, row: &Arc<WorkspaceRecord>) -> Object {
    let parent = listing.workspace_name(row.parent).map(Name::to_string);
    let object = Object::new().with("index", row.index.0).shown("id", row.id).shown("name", &row.name);
    let ceiling: Vec<&str> = row.ceiling.iter().map(tessera_model::Pattern::as_str).collect();
    let object = object.with("parent", parent).with("inherits", row.inherits).with("ceiling", ceiling);
    let object = object.with("owners", listing.role_name(row.owners).map(Name::to_string));
    object.with("personal", listing.owner_of(row).map(|id| id.to_string()))
}

/// The window of a grant, and its conditions.
fn during(listing: &Listing, object: Object, grant: &GrantRecord) -> Object {
    let object = object.until("from", grant.from).until("until", grant.until);
    crate::under::under(object, &listing.conditions_of(grant))
}

fn grant(listing: &Listing, row: &GrantRecord) -> Object {
    let workspace = listing.workspace_name(row.workspace).map(Name::to_string);
    let role = listing.role_name(row.role).map(Name::to_string);
    during(listing, Object::new().with("role", role).with("workspace", workspace), row)
}

fn holders(listing: &Listing, role: RoleId, window: Window<'_>) -> Result<Value, Problem> {
    window.page(
        |from, limit| listing.holders(role, from, limit),
        |(holder, grant)| {
            let workspace = listing.workspace_name(grant.workspace).map(Name::to_string);
            let object = Object::new().shown("subject", holder.id).with("kind", holder.kind.name());
            let status = listing.shows(holder.index, Detail::Status).then(|| holder.status.name());
            during(listing, object.with("status", status).with("workspace", workspace), grant)
        },
    )
}

fn sessions<'a>(
    (engine, listing): (&Engine, &Listing),
    view: &View,
    subject: &SubjectRecord,
    window: impl Fn(Listed) -> Result<Window<'a>, Problem>,
) -> Result<Value, Problem> {
    let window = window(Listed::of_subject(ListKind::Sessions, Some(subject.id)))?;
    window.page(
        |from, limit| {
            let mut page = engine.read(view).sessions(subject.index, from, limit);
            page.rows.retain(|found| !found.key || listing.shows(subject.index, Detail::Keys));
            page
        },
        |found| {
            let reason = listing.acting_reason(found.place, found.generation);
            let actor = found.actor.and_then(|actor| listing.seen_id(actor));
            answer::session(&Introspection { actor, ..found.clone() }).with("acts_because", reason)
        },
    )
}

/// A key with what it is for, which may be read from the disk.
fn key(engine: &Engine, bound: &Bound, key: &KeyFound) -> Result<Object, Problem> {
    let patterns: Vec<&str> = key.patterns.iter().map(tessera_model::Pattern::as_str).collect();
    let description = engine.key_description(bound, &key.found)?;
    let object = Object::new()
        .shown("session", key.found.id)
        .shown("subject", key.found.subject)
        .at("created", Some(key.found.authenticated_at))
        .at("expires", Some(key.found.expires))
        .until("last_used", key.last_used)
        .with("patterns", patterns)
        .with("client", key.client.as_ref().and_then(|(_, name)| name.as_ref().map(Name::to_string)))
        .with("networks", key.networks.iter().map(ToString::to_string).collect::<Vec<_>>());
    Ok(object.with("description", String::from_utf8_lossy(description.expose()).into_owned()))
}

fn client(row: &ClientRecord) -> Object {
    let terms = &row.terms;
    Object::new()
        .with("id", row.index.0)
        .shown("name", &row.name)
        .with("refresh", terms.refresh.name())
        .with("session_ttl_s", terms.session_ttl_s)
        .with("session_idle_s", terms.session_idle_s)
        .with("refresh_ttl_s", terms.refresh_ttl_s)
        .with("sessions_max", terms.sessions_max)
        .with("over_limit", if terms.evict { "evict" } else { "refuse" })
}

fn keys(
    (engine, bound, view): (&Engine, &Bound, &View),
    listing: &Listing,
    (subject, window): (Option<SubjectIndex>, Window<'_>),
) -> Result<Value, Problem> {
    let page = engine.read(view).keys(subject, window.from, window.limit);
    let shown = page.rows.iter().filter(|key| listing.shows(key.found.subject_index, Detail::Keys));
    let rows: Result<Vec<_>, Problem> = shown.map(|row| key(engine, bound, row)).collect();
    let page = Page { rows: rows?, next: page.next, walked: page.walked };
    window.page(|_, _| page, Object::clone)
}

fn values(
    engine: &Engine,
    bound: &Bound,
    listing: &Listing,
    subject: &SubjectRecord,
) -> Result<Value, Problem> {
    let row = |name: &Name, value: Value| Object::new().shown("name", name).with("value", value);
    let name_of = |id| listing.attributes().find(|row| row.id == id).map(|row| &row.name);
    let seen = listing.sees(subject.index).ok_or(Refusal::SubjectUnknown)?;
    let hot = listing.values(subject.index).filter_map(|(id, value)| {
        let value = match value {
            AttributeValue::Bool(value) => Value::from(*value),
            AttributeValue::Integer(value) => Value::from(*value),
            AttributeValue::Text(text) => Value::from(text.to_string()),
        };
        let name = name_of(id)?;
        listing.shows_attribute(seen, name).then(|| row(name, value))
    });
    let cold = engine.profile(bound, subject.index)?;
    let cold = cold.iter().filter(|(name, _)| listing.shows_attribute(seen, name));
    let cold = cold.map(|(name, text)| row(name, String::from_utf8_lossy(text.expose()).into()));
    Ok(whole(hot.chain(cold)))
}

const fn attribute_kind(kind: AttributeKind) -> &'static str {
    match kind {
        AttributeKind::Bool => "bool",
        AttributeKind::Integer => "integer",
        AttributeKind::Text => "text",
    }
}

const fn identifier_kind(kind: IdentifierKind) -> &'static str {
    match kind {
        IdentifierKind::Email => "email",
        IdentifierKind::Phone => "phone",
        IdentifierKind::Username => "username",
    }
}
