//! What browsers are told: which origins may ask (Fetch, CORS), and headers that keep answers harmless.

use crate::caller::{CSRF_HEADER, TENANT_HEADER, single};
use crate::door::Shared;
use crate::problem::Problem;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};

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

/// The origin that a request names, when its scripts may ask.
pub(crate) fn listed(shared: &Shared, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    shared.origins.iter().any(|known| known.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

/// Answers a preflight; nothing for other requests.
pub(crate) fn preflight(shared: &Shared, parts: &Parts) -> Option<Result<Response<Body>, Problem>> {
    if parts.method != Method::OPTIONS || !parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    if listed(shared, &parts.headers).is_none() {
        return Some(Err(Problem::cross_site("no scripts of this origin may ask").at("origin")));
    }
    if let Err(problem) = single(&parts.headers, "origin") {
        return Some(Err(problem));
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let methods = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    let text = format!(
        "authorization, content-type, idempotency-key, if-match, if-none-match, {CSRF_HEADER}, {TENANT_HEADER}"
    );
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, value);
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    Some(Ok(response))
}

/// Puts on what every answer carries.
pub(crate) fn finish(shared: &Shared, origin: Option<HeaderValue>, response: &mut Response<Body>) {
    let headers = response.headers_mut();
    for (name, value) in HARMLESS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if shared.secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(INSIST));
    }
    if shared.origins.is_empty() {
        return;
    }
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        let exposed = HeaderValue::from_static("etag, retry-after");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        let shared_with = HeaderValue::from_static("cross-origin");
        headers.insert(HeaderName::from_static("cross-origin-resource-policy"), shared_with);
    }
}
