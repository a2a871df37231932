//! Guards an axum server: every request names a handle, which must permit what its route needs.
//!
//! `cargo run --example axum -- 127.0.0.1:7443 certificate.pem service.key 127.0.0.1:8080`, then
//! `curl -H "authorization: Bearer tess_..." http://127.0.0.1:8080/orders`

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use tessera_client::{Client, ClientError, Config, Trust};
use tessera_model::{CheckQuery, Handle, HandleBytes, PermissionRef, Reason, Receipt, WorkspaceRef};

/// Somebody, who may not do this.
const NOT_ALLOWED: [Reason; 3] = [Reason::NotGranted, Reason::Restricted, Reason::AddressNotAllowed];

/// What a route needs.
#[derive(Clone)]
struct Guard {
    client: Client,
    permission: &'static str,
}

/// The handle of `authorization: Bearer tess_...`.
fn bearer(headers: &HeaderMap) -> Option<HandleBytes> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    Handle::parse_text(text).ok().map(|handle| handle.to_bytes())
}

/// Lets a request through that is permitted; every other ends here.
async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Result<Response, StatusCode> {
    let handle = bearer(request.headers()).ok_or(StatusCode::UNAUTHORIZED)?;
    let query = CheckQuery {
        handle: &handle,
        permission: PermissionRef::Name(guard.permission),
        workspace: WorkspaceRef::Tenant,
        at_least: Receipt::default(),
        address: None,
    };
    // No answer is no permit: the caller may come again.
    let decision = guard.client.check(&query).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    if NOT_ALLOWED.contains(&decision.reason) {
        return Err(StatusCode::FORBIDDEN);
    }
    if !decision.is_permit() {
        // Nobody, or nobody any more.
        return Err(StatusCode::UNAUTHORIZED);
    }
    // The holder is active: the session's idle end moves, at most once a minute.
    drop(guard.client.touch_lazily(&handle).await);
    Ok(next.run(request).await)
}

/// The application: one route that anybody may ask, one that a permission guards.
fn application(client: Client) -> Router {
    let reading = Guard { client, permission: "orders.read" };
    let guarded = Router::new()
        .route("/orders", get(async || "two orders\n"))
        .layer(from_fn_with_state(reading, guard));
    Router::new().route("/health", get(async || "well\n")).merge(guarded)
}

const USAGE: ClientError = ClientError::BadConfig("usage: axum ADDRESS CERTIFICATE KEY_FILE LISTEN");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, certificate, key, listen] = arguments.as_slice() else { return Err(USAGE.into()) };
    let trust = Trust::pinned_pem(&std::fs::read(certificate)?)?;
    let mut config = Config::new(address.parse()?, "localhost", trust);
    config.credential = Some(std::fs::read_to_string(key)?.trim().to_owned());
    let client = Client::connect(config).await?;
    let listener = tokio::net::TcpListener::bind(listen).await?;
    Ok(axum::serve(listener, application(client)).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use tessera_client::Permitted;
    use tower::Service as _;

    async fn ask(fake: &Permitted, path: &str, bearer: Option<&str>) -> StatusCode {
        let mut request = Request::builder().uri(path);
        if let Some(text) = bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {text}"));
        }
        let request = request.body(Body::empty()).expect("a request");
        application(fake.client()).call(request).await.expect("infallible").status()
    }

    /// PROPERTY: only a permitted handle gets through; without an answer nobody does.
    #[tokio::test]
    async fn only_who_is_permitted_gets_through() {
        let (amy, bob) = (Permitted::handle(1), Permitted::handle(2));
        let fake = Permitted::new().permit(&amy.to_bytes(), "orders.read", None);
        let fake = fake.permit(&bob.to_bytes(), "orders.write", None);
        let (amy_text, bob_text) = (amy.to_text(), bob.to_text());
        assert_eq!(ask(&fake, "/health", None).await, StatusCode::OK);
        assert_eq!(ask(&fake, "/orders", None).await, StatusCode::UNAUTHORIZED);
        assert_eq!(ask(&fake, "/orders", Some("tess_x")).await, StatusCode::UNAUTHORIZED);
        assert_eq!(ask(&fake, "/orders", Some(&amy_text)).await, StatusCode::OK);
        assert_eq!(ask(&fake, "/orders", Some(&bob_text)).await, StatusCode::FORBIDDEN);
        fake.fail(true);
        assert_eq!(ask(&fake, "/orders", Some(&amy_text)).await, StatusCode::SERVICE_UNAVAILABLE);
        fake.fail(false);
        fake.revoke(&amy.to_bytes());
        assert_eq!(ask(&fake, "/orders", Some(&amy_text)).await, StatusCode::UNAUTHORIZED);
    }
}
