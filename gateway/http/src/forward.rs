//! Forward authentication: a reverse proxy asks for each request whether it may pass.
//!
//! What the request needs is told by the proxy's configuration, as a permission, or follows from the endpoints that a
//! service has registered. nginx (`auth_request`), Traefik and Caddy send a GET to one path; Envoy (`ext_authz` over HTTP) sends
//! the request's own method and path below a prefix. Who asks is whoever the request's own credential
//! says. Every identity header is set on every answer, so that what the request brought is overwritten.

use crate::ask;
use crate::caller::{self, Caller, Origin};
use crate::door::Shared;
use crate::input::ill_formed;
use crate::problem::Problem;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use std::sync::Arc;
use tessera_engine::{Bound, Wanted};
use tessera_model::{CheckQuery, Name, PermissionRef, Reason, Receipt, Refusal, WorkspaceRef};

/// Below it Envoy's requests come: the permission, then the request's own path.
pub(crate) const PREFIX: &str = "/v1/ext-authz/";
/// In the permission's place: what a service's endpoints say.
const BY_ENDPOINTS: &str = "service=";
/// In the permission's place: being alive is enough.
const ALIVE: &str = "-";
/// What a proxy hands on to the application behind it.
const IDENTITY: [&str; 6] = [
    "x-tessera-subject",
    "x-tessera-session",
    "x-tessera-tenant",
    "x-tessera-kind",
    "x-tessera-permission",
    "x-tessera-actor",
];

/// What a request that a proxy asks about needs.
#[derive(Clone, Copy)]
pub(crate) enum Wants<'a> {
    /// A permission; none where being alive is enough.
    Permission(Option<&'a str>),
    /// What the endpoints of a service say for this method and target.
    Request(&'a str, (&'a str, &'a str)),
}

/// Whether the request passes, with who it is from.
pub(crate) fn ask(
    shared: &Shared,
    caller: &Caller,
    (wants, workspace): (Wants<'_>, Option<&str>),
) -> Result<Response<Body>, Problem> {
    let bound: &Bound = &caller.bound;
    let view = ask::view(shared, bound)?;
    let reading = shared.engine.read(&view);
    let query = CheckQuery {
        handle: &caller.handle,
        permission: PermissionRef::Name(""),
        workspace: workspace.map_or(WorkspaceRef::Tenant, WorkspaceRef::Name),
        at_least: Receipt::default(),
        address: None,
    };
    let mut permission = None;
    let reason = match wants {
        Wants::Permission(None) => shared
            .engine
            .introspect(bound, &reading, (&caller.handle, None))
            .map_or_else(|reason| reason, |_| Reason::None),
        Wants::Permission(Some(name)) => {
            permission = Some(name.to_owned());
            let query = CheckQuery { permission: PermissionRef::Name(name), ..query };
            shared.engine.check(bound, &reading, &query).reason
        }
        Wants::Request(service, (method, target)) => {
            let wanted = Wanted::Request(service, method, target);
            let found = shared.engine.authorize(bound, &reading, &query, wanted);
            permission = found.permission.map(|name| name.to_string());
            found.decision.reason
        }
    };
    if reason != Reason::None {
        let known = matches!(
            reason,
            Reason::NotGranted
                | Reason::Restricted
                | Reason::BeyondCeiling
                | Reason::BeyondDevice
                | Reason::BeyondActor
                | Reason::PermissionUnknown
                | Reason::WorkspaceUnknown
                | Reason::ScopeFiltered
                | Reason::EndpointUnknown
                | Reason::RequestDoubtful
                | Reason::ServiceUnknown
        ) || reason.is_conditional();
        return Err(if known { Refusal::Unauthorized.into() } else { Problem::unauthenticated() });
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::OK;
    // Whoever acts is told: what is done is not the subject's doing alone.
    let actor = if bound.acting {
        let found = shared.engine.introspect(bound, &reading, (&caller.handle, None));
        found.map_err(|_| Problem::unauthenticated())?.actor
    } else {
        None
    };
    let kind = if bound.key { "key" } else { "session" };
    let values = [
        bound.subject.to_string(),
        bound.credential.to_string(),
        bound.entry.tenant.to_string(),
        kind.to_owned(),
        permission.unwrap_or_default(),
        actor.map(|id| id.to_string()).unwrap_or_default(),
    ];
    for (name, value) in IDENTITY.into_iter().zip(values) {
        let value = HeaderValue::from_str(&value).map_err(|_| Problem::failed())?;
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    Ok(response)
}

/// Sets the identity headers that are not there to nothing: a proxy that copies them overwrites what
/// the request brought.
pub(crate) fn strip(response: &mut Response<Body>) {
    for name in IDENTITY {
        response.headers_mut().entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(""));
    }
}

/// The method of the request that a proxy asks about, as the proxy tells it. One of the names may be the
/// client's own, which the proxy handed on: where they differ nobody knows which, and none counts.
pub(crate) fn original_method(parts: &Parts) -> Result<Method, Problem> {
    let mut told = parts.uri.path().starts_with(PREFIX).then(|| parts.method.clone());
    for name in ["x-forwarded-method", "x-original-method"] {
        let Some(text) = caller::single(&parts.headers, name)? else { continue };
        let method =
            Method::from_bytes(text.as_bytes()).map_err(|_| Problem::unreadable("is no method").at(name))?;
        if told.as_ref().is_some_and(|other| *other != method) {
            return Err(Problem::unreadable("is another method than the request's").at(name));
        }
        told = Some(method);
    }
    Ok(told.unwrap_or_else(|| parts.method.clone()))
}

/// Headers by which some applications read another path than the request's own. Those for another method are taken
/// by no door.
const OVERRIDES: [&str; 2] = ["x-original-url", "x-rewrite-url"];
/// Method and target as proxies tell them: Traefik and Caddy, and nginx as it is set up.
const TOLD: [[&str; 2]; 2] =
    [["x-forwarded-method", "x-forwarded-uri"], ["x-original-method", "x-original-uri"]];

/// Refuses a request by whose headers an application may do something else than what is asked about.
fn as_it_is(parts: &Parts) -> Result<(), Problem> {
    match OVERRIDES.into_iter().find(|name| parts.headers.contains_key(*name)) {
        None => Ok(()),
        Some(name) => Err(Problem::unreadable("may make another request of it").at(name)),
    }
}

/// Method and target of the request that a proxy asks about, both of which it must tell by the names of one kind: what
/// is not told is not guessed, and a name of the other kind is the caller's own, which the proxy handed on.
pub(crate) fn original(parts: &Parts) -> Result<(&str, &str), Problem> {
    as_it_is(parts)?;
    let has = |names: &[&str; 2]| names.iter().any(|name| parts.headers.contains_key(*name));
    let [first, second] = &TOLD;
    let [method, target] = match (has(first), has(second)) {
        (true, true) => {
            let odd = second.iter().find(|name| parts.headers.contains_key(**name));
            let odd = odd.copied().unwrap_or_default();
            return Err(Problem::unreadable("stands beside what another proxy sets").at(odd));
        }
        (false, true) => *second,
        _ => *first,
    };
    let told = |name| {
        // The request reads well: it is the proxy that does not say what it was asked.
        let missing = || ill_formed(name);
        caller::single(&parts.headers, name)?.ok_or_else(missing)
    };
    Ok((told(method)?, told(target)?))
}

/// Envoy's form: any method, the permission as the first part below the prefix.
pub(crate) async fn envoy(
    shared: &Arc<Shared>,
    parts: &Parts,
    origin: &Origin,
) -> Result<Response<Body>, Problem> {
    let rest = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let (permission, path) = rest.split_once('/').ok_or_else(Problem::no_such_path)?;
    let service = permission.strip_prefix(BY_ENDPOINTS);
    let name = match (permission, service) {
        (ALIVE, _) => None,
        (text, None) | (_, Some(text)) => Some(Name::new(text).map_err(|_| Problem::no_such_path())?),
    };
    if service.is_some() {
        as_it_is(parts)?;
    }
    // The query does not count.
    let target = format!("/{path}");
    let wants = match (&name, service) {
        (Some(service), Some(_)) => Wants::Request(service.as_str(), (parts.method.as_str(), &target)),
        (name, _) => Wants::Permission(name.as_ref().map(Name::as_str)),
    };
    let named = caller::tenant(shared, parts, None, origin)?;
    let caller = caller::bind(shared, parts, named, (origin, true)).await?;
    ask(shared, &caller, (wants, None))
}
