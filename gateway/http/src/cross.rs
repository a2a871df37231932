//! What browsers are told: which origins may ask (Fetch, CORS), and headers that keep answers harmless.

use crate::caller::{self, CSRF_HEADER, Listed, TENANT_HEADER, single, tenant_named};
use crate::door::Shared;
use crate::problem::Problem;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use std::net::IpAddr;
use tessera_crypto::digest;
use tessera_model::{Origin, Source};

/// What stands on every answer.
const HARMLESS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];
/// A year, for this host alone: its domain may hold others.
const INSIST: &str = "max-age=31536000";

/// Whether scripts of the origin that a request names may ask: the node lists it, or the tenant that host or
/// path name does. Nothing else can be seen in a preflight.
///
/// Looking at a tenant's list wakes nobody. What is not listed is taken from a budget of the source for that
/// origin, and for all origins: a page that somebody visits takes nothing from what this source may ask, or sign in
/// with, and nothing from another page. A page of the door's own host needs no list.
pub(crate) async fn listed(shared: &Shared, parts: &Parts, source: IpAddr) -> Listed {
    let Ok(Some(named)) = single(&parts.headers, header::ORIGIN.as_str()) else { return Listed::No };
    if shared.origins.iter().any(|known| known == named) {
        return Listed::Node;
    }
    let Ok(origin) = Origin::new(named) else { return Listed::No };
    if is_own_page(parts, named) {
        return Listed::No;
    }
    let Some(text) = tenant_text(shared, parts) else { return Listed::No };
    let (source, now) = (Source::of(source), shared.engine.now());
    let page = (source, mark(named));
    if shared.by_page.take(page, 0, now).is_err() || shared.lookups.take(source, 0, now).is_err() {
        return Listed::No;
    }
    let tenant = tenant_named(&shared.engine, &text);
    let engine = shared.engine.clone();
    // A row may be looked at: not on the threads that answer checks.
    let origins = tokio::task::spawn_blocking(move || engine.origins(tenant)).await;
    match (origins, tenant) {
        (Ok(Ok(origins)), Some(tenant)) if origins.contains(&origin) => Listed::Tenant(tenant),
        _ => {
            // Where nothing is left, nothing more is looked at.
            shared.by_page.take(page, 1, now).unwrap_or_default();
            shared.lookups.take(source, 1, now).unwrap_or_default();
            Listed::No
        }
    }
}

/// Whether a page of the very host and port that are asked has made the request.
fn is_own_page(parts: &Parts, origin: &str) -> bool {
    let named = single(&parts.headers, "host").ok().flatten();
    let asked = named.or_else(|| parts.uri.authority().map(axum::http::uri::Authority::as_str));
    let page = origin.split_once("://").map(|(_, page)| page);
    page.zip(asked).is_some_and(|(page, asked)| page.eq_ignore_ascii_case(asked))
}

/// What tells one origin from another in a budget's key.
fn mark(origin: &str) -> u64 {
    let digest = digest::hash(&[b"tessera origin v1", origin.as_bytes()]);
    u64::from_le_bytes(digest.first_chunk().copied().unwrap_or_default())
}

/// The tenant as the path or the host names it.
fn tenant_text(shared: &Shared, parts: &Parts) -> Option<String> {
    let path = parts.uri.path().strip_prefix("/t/").and_then(|rest| rest.split_once('/'));
    if let Some((text, _)) = path {
        return Some(text.to_owned());
    }
    let host = caller::host(parts).ok()?;
    caller::label(&host, &shared.domain).map(str::to_owned)
}

/// Answers a preflight; nothing for other requests.
pub(crate) fn preflight(parts: &Parts, listed: Listed) -> Option<Result<Response<Body>, Problem>> {
    if parts.method != Method::OPTIONS || !parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    if let Err(problem) = single(&parts.headers, "origin") {
        return Some(Err(problem));
    }
    if listed == Listed::No {
        return Some(Err(Problem::cross_site("no scripts of this origin may ask").at("origin")));
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let methods = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    let text = format!(
        "authorization, content-type, idempotency-key, if-match, if-none-match, x-request-id, {CSRF_HEADER}, {TENANT_HEADER}"
    );
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, value);
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    Some(Ok(response))
}

/// What [`finish`] puts on an answer that no script of another origin has asked for, as lines.
pub(crate) fn lines(secure: bool) -> Box<[u8]> {
    let insist = secure.then_some((header::STRICT_TRANSPORT_SECURITY, INSIST));
    let lines = HARMLESS.into_iter().chain(insist);
    lines.flat_map(|(name, value)| format!("\r\n{name}: {value}").into_bytes()).collect()
}

/// Puts on what every answer carries.
pub(crate) fn finish(
    shared: &Shared,
    (origin, listed): (Option<HeaderValue>, Listed),
    response: &mut Response<Body>,
) {
    let headers = response.headers_mut();
    for (name, value) in HARMLESS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if shared.secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(INSIST));
    }
    let Some(origin) = origin else { return };
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if listed != Listed::No {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        let exposed = HeaderValue::from_static("etag, retry-after, x-request-id");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        let shared_with = HeaderValue::from_static("cross-origin");
        headers.insert(HeaderName::from_static("cross-origin-resource-policy"), shared_with);
    }
}
