//! From a request to its line of the table, and from an answer to the wire.

use crate::caller::{Listed, Origin, source};
use crate::content::Content;
use crate::cross;
use crate::door::Shared;
use crate::figures::add;
use crate::forward;
use crate::operation::{Operation, Verb};
use crate::problem::Problem;
use crate::protocol::{Kernel, Protocol};
use crate::serve;
use crate::table::OPERATIONS;
use axum::Router;
use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Response, StatusCode, Version, header};
use axum::routing::{MethodFilter, on};
use hyper::body::Incoming;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tower_service::Service as _;

/// What a caller calls a request by, given back with its answer.
pub(crate) const REQUEST_ID: &str = "x-request-id";
/// The tenant's part of a path.
const TENANT_PREFIX: &str = "/t/{tenant}";
/// LIMIT: a request's target, bytes: the longest path holds two names of 128 B, escaped.
const TARGET_BYTES_MAX: usize = 4 * 1024;

/// The routes of the table, each also below the tenant's prefix, and those of the protocols.
pub(crate) fn router(shared: &Arc<Shared>, protocols: &[Protocol]) -> Router {
    let mut router = Router::new();
    for operation in OPERATIONS {
        for prefix in ["", TENANT_PREFIX] {
            let shared = Arc::clone(shared);
            let serve = move |path: Result<RawPathParams, _>, request: Request| {
                let shared = Arc::clone(&shared);
                async move { serve::serve(shared, operation, path.ok(), request).await }
            };
            router = router.route(&format!("{prefix}{}", operation.path), on(filter(operation), serve));
        }
    }
    let kernel = Kernel::new(Arc::clone(shared));
    for protocol in protocols {
        router = router.merge((protocol.routes)(&kernel));
    }
    crate::explorer::routes(router)
        .fallback(async || Problem::no_such_path().into_response())
        .method_not_allowed_fallback(async || Problem::no_such_method().into_response())
}

const fn filter(operation: &Operation) -> MethodFilter {
    match operation.verb {
        Verb::Get => MethodFilter::GET,
        Verb::Post => MethodFilter::POST,
        Verb::Put => MethodFilter::PUT,
        Verb::Patch => MethodFilter::PATCH,
        Verb::Delete => MethodFilter::DELETE,
    }
}

/// What an answer tells the log beside its status.
#[derive(Clone, Copy)]
pub(crate) struct Told(pub(crate) &'static str);

/// The target of the log of requests.
pub(crate) const ACCESS: &str = "tessera::access";

/// Answers one request; `unread` tells the connection that it ends over content that nobody reads.
pub(crate) async fn respond(
    shared: &Arc<Shared>,
    mut router: Router,
    peer: Origin,
    (request, unread): (hyper::Request<Incoming>, &AtomicBool),
) -> Response<Body> {
    let begun = tokio::time::Instant::now();
    let (parts, body) = request.into_parts();
    let address = source(shared, peer.address, &parts.headers);
    let named = parts.headers.get(header::ORIGIN).cloned();
    let listed = if named.is_some() { cross::listed(shared, &parts, address).await } else { Listed::No };
    let proxied = shared.proxies.contains(&peer.address);
    let origin = Origin { address, listed, proxied, ..peer };
    let asked_as: Vec<HeaderValue> = parts.headers.get_all(REQUEST_ID).iter().cloned().collect();
    let method = parts.method.clone();
    let envoy = parts.uri.path().starts_with(forward::PREFIX);
    let (body, lent) = Content::lend(&parts, body);
    let mut ends = false;
    let mut response = match sound(shared, &parts) {
        Err(problem) => {
            // What stands behind its head is not read.
            ends = parts.version < Version::HTTP_2;
            problem.into_response()
        }
        Ok(()) => match cross::preflight(&parts, listed) {
            Some(answered) => answered.unwrap_or_else(Problem::into_response),
            None if envoy => {
                let asked = forward::envoy(shared, &parts, &origin).await;
                serve::counted(shared, &origin, asked).unwrap_or_else(Problem::into_response)
            }
            None => {
                let mut request = Request::from_parts(parts, body);
                request.extensions_mut().insert(origin.clone());
                // A router never fails.
                router.call(request).await.unwrap_or_else(|never| match never {})
            }
        },
    };
    if envoy {
        forward::strip(&mut response);
    }
    if let Some(lent) = lent.filter(|_| !ends) {
        ends = !lent.finish(shared.limits.body).await;
    }
    if ends {
        unread.store(true, Ordering::Relaxed);
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    count(shared, response.status());
    for id in asked_as {
        // Whatever became of the request, whoever sent it finds its answer by it.
        response.headers_mut().append(REQUEST_ID, id);
    }
    cross::finish(shared, (named, listed), &mut response);
    let route = response.extensions().get::<Told>().map_or("-", |told| told.0);
    log(origin.address, (&method, route), response.status(), begun);
    response
}

/// Tells the log of an answer.
pub(crate) fn log(
    peer: IpAddr,
    (method, route): (&Method, &str),
    status: StatusCode,
    begun: tokio::time::Instant,
) {
    tracing::debug!(
        target: ACCESS,
        %peer,
        %method,
        route,
        status = status.as_u16(),
        us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
        "answered"
    );
}

/// Counts an answer.
pub(crate) fn count(shared: &Shared, status: StatusCode) {
    let counters = &shared.counters;
    add(&counters.requests, 1);
    if status.is_client_error() {
        add(&counters.refused, 1);
    } else if status.is_server_error() {
        add(&counters.failed, 1);
    }
}

/// Refuses what no request needs and what two readers may read in two ways.
fn sound(shared: &Shared, parts: &Parts) -> Result<(), Problem> {
    if *shared.draining.borrow() {
        return Err(Problem::draining());
    }
    // HTTP/2 counts a field as its bytes and 32 (RFC 9113 section 6.5.2).
    let fields = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32);
    if parts.headers.len() > shared.limits.headers || fields.sum::<usize>() > shared.limits.head_bytes {
        return Err(Problem::head_too_large());
    }
    if parts.headers.contains_key(header::TRANSFER_ENCODING) {
        // RFC 9112 section 6.3: a length may be asked for. With one length there is one reading.
        return Err(Problem::length_required());
    }
    if parts.headers.get_all(header::CONTENT_LENGTH).iter().count() > 1 {
        return Err(Problem::unreadable("a header stands twice").at("content-length"));
    }
    if parts.uri.path().len() + parts.uri.query().map_or(0, str::len) > TARGET_BYTES_MAX {
        return Err(Problem::target_too_long());
    }
    for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
        if parts.headers.contains_key(name) {
            return Err(Problem::unreadable("the method is that of the request").at(name));
        }
    }
    Ok(())
}
