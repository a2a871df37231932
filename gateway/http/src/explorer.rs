//! The description, and a page to try it with: all of it in the binary, nothing from another host.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use axum::routing::get;

/// The page may run its own script, and ask this host alone.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Adds the description and the page.
pub(crate) fn routes(router: Router) -> Router {
    let document = crate::openapi::document().to_string();
    router
        .route("/openapi.json", get(async move || file("application/json", document)))
        .route(
            "/explorer",
            get(async || file("text/html; charset=utf-8", include_str!("explorer/page.html"))),
        )
        .route(
            "/explorer.js",
            get(async || file("text/javascript; charset=utf-8", include_str!("explorer/page.js"))),
        )
        .route(
            "/explorer.css",
            get(async || file("text/css; charset=utf-8", include_str!("explorer/page.css"))),
        )
}

fn file(kind: &'static str, text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
