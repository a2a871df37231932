//! Guards a gRPC server: every call names a handle, which must permit what the service needs.
//!
//! `cargo run --example tonic -- 127.0.0.1:7443 certificate.pem service.key 127.0.0.1:50051` serves the
//! standard health service behind the permission `orders.read`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tessera_client::{Client, ClientError, Config, Trust};
use tessera_model::{CheckQuery, Handle, HandleBytes, PermissionRef, Reason, Receipt, WorkspaceRef};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, Request, Response, header};
use tower::Service;
use tower::layer::layer_fn;

/// Somebody, who may not do this.
const NOT_ALLOWED: [Reason; 3] = [Reason::NotGranted, Reason::Restricted, Reason::AddressNotAllowed];

/// What a service needs.
#[derive(Clone)]
struct Guarded {
    client: Client,
    permission: &'static str,
}

/// A service with a guard before it.
#[derive(Clone)]
struct Guard<S> {
    inner: S,
    guarded: Guarded,
}

/// The handle of the metadata `authorization: Bearer tess_...`.
fn bearer(headers: &HeaderMap) -> Option<HandleBytes> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    Handle::parse_text(text).ok().map(|handle| handle.to_bytes())
}

impl Guarded {
    /// Whether a call may go on.
    async fn look(&self, headers: &HeaderMap) -> Result<(), Status> {
        let handle = bearer(headers).ok_or_else(|| Status::unauthenticated("a bearer handle is needed"))?;
        let query = CheckQuery {
            handle: &handle,
            permission: PermissionRef::Name(self.permission),
            workspace: WorkspaceRef::Tenant,
            at_least: Receipt::default(),
            address: None,
        };
        // No answer is no permit: the caller may come again.
        let asked = self.client.check(&query).await;
        let decision = asked.map_err(|_| Status::unavailable("permissions cannot be asked for"))?;
        if decision.is_permit() {
            Ok(())
        } else if NOT_ALLOWED.contains(&decision.reason) {
            Err(Status::permission_denied(decision.reason.text()))
        } else {
            // Nobody, or nobody any more.
            Err(Status::unauthenticated(decision.reason.text()))
        }
    }
}

type Answered<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

impl<S> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Answered<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The one that was polled ready answers; a clone waits for the next call.
        let fresh = self.inner.clone();
        let (mut ready, guarded) = (std::mem::replace(&mut self.inner, fresh), self.guarded.clone());
        Box::pin(async move {
            match guarded.look(request.headers()).await {
                Ok(()) => ready.call(request).await,
                Err(status) => Ok(status.into_http()),
            }
        })
    }
}

/// Serves on a listener until `end`.
async fn serve(
    client: Client,
    listener: tokio::net::TcpListener,
    end: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let guarded = Guarded { client, permission: "orders.read" };
    let (_reporter, health) = tonic_health::server::health_reporter();
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    tonic::transport::Server::builder()
        .layer(layer_fn(move |inner| Guard { inner, guarded: guarded.clone() }))
        .add_service(health)
        .serve_with_incoming_shutdown(incoming, end)
        .await
}

const USAGE: ClientError = ClientError::BadConfig("usage: tonic ADDRESS CERTIFICATE KEY_FILE LISTEN");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, certificate, key, listen] = arguments.as_slice() else { return Err(USAGE.into()) };
    let trust = Trust::pinned_pem(&std::fs::read(certificate)?)?;
    let mut config = Config::new(address.parse()?, "localhost", trust);
    config.credential = Some(std::fs::read_to_string(key)?.trim().to_owned());
    let client = Client::connect(config).await?;
    let listener = tokio::net::TcpListener::bind(listen).await?;
    serve(client, listener, std::future::pending()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_client::Permitted;
    use tonic::Code;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;

    /// PROPERTY: only a permitted handle reaches the service; without an answer nobody does.
    #[tokio::test]
    async fn only_who_is_permitted_gets_through() {
        let (amy, bob) = (Permitted::handle(1), Permitted::handle(2));
        let fake = Permitted::new().permit(&amy.to_bytes(), "orders.read", None);
        let fake = fake.permit(&bob.to_bytes(), "orders.write", None);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(serve(fake.client(), listener, async { drop(ended.await) }));
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}"));
        let channel = endpoint.expect("an address").connect().await.expect("connected");
        let mut health = HealthClient::new(channel);
        let mut ask = async |bearer: Option<String>| {
            let mut request = tonic::Request::new(HealthCheckRequest { service: String::new() });
            if let Some(text) = bearer {
                let value = format!("Bearer {text}").parse().expect("a value");
                request.metadata_mut().insert("authorization", value);
            }
            health.check(request).await.map_or_else(|status| status.code(), |_| Code::Ok)
        };
        assert_eq!(ask(None).await, Code::Unauthenticated);
        assert_eq!(ask(Some(amy.to_text())).await, Code::Ok);
        assert_eq!(ask(Some(bob.to_text())).await, Code::PermissionDenied);
        fake.fail(true);
        assert_eq!(ask(Some(amy.to_text())).await, Code::Unavailable);
        fake.fail(false);
        fake.revoke(&amy.to_bytes());
        assert_eq!(ask(Some(amy.to_text())).await, Code::Unauthenticated);
        drop(end);
        serving.await.expect("no panic").expect("served");
    }
}
