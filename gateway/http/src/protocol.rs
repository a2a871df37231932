//! What a protocol stands on that has paths of its own: the door's duties before its answers, and after them.
//!
//! TLS, limits, budgets, origins, the choice of a tenant, the credential and the content's bytes are the door's for
//! every path. A protocol reads what the content says, asks the engine, and prints.

use crate::ask;
use crate::caller::{self, Caller, Origin, single};
use crate::door::Shared;
use crate::json::{self, Json};
use crate::plain::Plain;
use crate::problem::Problem;
use crate::relation::STEPS_PER_CHECK;
use crate::route::Told;
use crate::serve;
use crate::short;
use axum::RequestPartsExt as _;
use axum::Router;
use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, header};
use std::future::Future;
use std::sync::Arc;
use tessera_engine::{Bound, Engine, View};
use tessera_model::{Refusal, UnixMillis};

/// A protocol with paths of its own.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    /// Its routes, made from what it stands on. A part `{tenant}` of a path names the tenant.
    pub routes: fn(&Kernel) -> Router,
    /// Which of its paths are also asked in the plain form.
    pub plain: &'static [PlainPath],
}

/// Writes the content of an answer of 200, or says what is refused. Nothing where the general way must answer: what it
/// says of the same request is the same. It is quick, and waits for nothing.
pub type PlainAnswer = fn(&PlainRequest<'_>, &mut Vec<u8>) -> Option<Result<(), Problem>>;

/// A path whose plain requests are answered where they are read.
#[derive(Clone, Copy, Debug)]
pub struct PlainPath {
    /// The path, a route of the protocol for POST with JSON; it stands below the tenant's prefix, too.
    pub path: &'static str,
    /// What answers it.
    pub answer: PlainAnswer,
}

/// A request in the plain form, of which nothing was looked at beyond its head. No `Debug`: it holds a secret.
pub struct PlainRequest<'a> {
    shared: &'a Arc<Shared>,
    peer: &'a Origin,
    plain: &'a Plain<'a>,
    now: UnixMillis,
}

impl<'a> PlainRequest<'a> {
    pub(crate) const fn new(
        shared: &'a Arc<Shared>,
        peer: &'a Origin,
        (plain, now): (&'a Plain<'a>, UnixMillis),
    ) -> Self {
        Self { shared, peer, plain, now }
    }

    /// The content.
    #[must_use]
    pub const fn content(&self) -> &'a str {
        self.plain.content
    }

    /// Answers whoever holds a permission of its tenant, within its budgets; nothing where the general way must answer,
    /// which then takes from the budgets what `answer` has left there.
    pub fn admit(
        &self,
        permission: &str,
        answer: impl FnOnce(&Admitted) -> Option<()>,
    ) -> Option<Result<(), Problem>> {
        let shared = self.shared;
        let (bound, handle) = short::bind(shared, self.peer, self.plain)?;
        if let Err(problem) = serve::take(shared, &bound, (1, self.now)) {
            return Some(Err(problem));
        }
        if !shared.engine.may(&bound, permission) {
            return Some(Err(Refusal::Unauthorized.into()));
        }
        let caller = Caller { bound, handle, cookie: false };
        let admitted = Admitted { shared: Arc::clone(shared), caller, content: Vec::new() };
        let answered = answer(&admitted);
        if answered.is_none() {
            serve::give_back(shared, &admitted.caller.bound, 1);
        }
        answered.map(Ok)
    }
}

/// The door as a protocol sees it.
#[derive(Clone)]
pub struct Kernel {
    shared: Arc<Shared>,
}

/// A request of somebody whom the door has let in, with its content. No `Debug`: it holds a secret.
pub struct Admitted {
    shared: Arc<Shared>,
    caller: Caller,
    content: Vec<(String, Json)>,
}

/// A request of anybody.
#[derive(Clone, Debug)]
pub struct Open {
    /// Scheme, host and port as whoever asks names them: `https://pdp.example.com`.
    pub origin: String,
    /// The path as it was asked for, escapes included.
    pub path: String,
}

impl Kernel {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Answers a request whose credential holds a permission of its tenant, with JSON or a problem document.
    /// `route` names the path in the log. What is refused before `answer` is refused as at every path of the door.
    pub async fn admit<A, T: Into<Body>>(
        &self,
        (route, permission): (&'static str, &str),
        request: Request,
        answer: impl FnOnce(Admitted) -> A + Send,
    ) -> Response<Body>
    where
        A: Future<Output = Result<T, Problem>> + Send,
    {
        let (mut parts, body) = request.into_parts();
        let told = match self.admitted(&mut parts, body, permission).await {
            Ok(admitted) => answer(admitted).await,
            Err(problem) => Err(problem),
        };
        respond(route, told)
    }

    /// Answers a request that shows no credential, within the budget of its source.
    pub async fn open(
        &self,
        route: &'static str,
        request: Request,
        answer: impl FnOnce(&Open) -> String + Send,
    ) -> Response<Body> {
        let (mut parts, _) = request.into_parts();
        respond(route, self.opened(&mut parts).await.map(|open| answer(&open)))
    }

    /// Does what may take a while, or wait for the disk, away from the threads that answer checks.
    ///
    /// # Errors
    /// `Failed` when it panics.
    pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        tokio::task::spawn_blocking(work).await.map_err(|_| Problem::failed())
    }

    async fn admitted(&self, parts: &mut Parts, body: Body, permission: &str) -> Result<Admitted, Problem> {
        let shared = &self.shared;
        let (origin, tenant) = place(parts).await?;
        let named = caller::tenant(shared, parts, tenant.as_deref(), &origin)?;
        let bound = caller::bind(shared, parts, named, (&origin, false)).await;
        let caller = serve::counted(shared, &origin, bound)?;
        serve::afford(shared, &caller, 1)?;
        if shared.engine.is_asleep(&caller.bound) {
            return Err(shared.engine.unready(&caller.bound.home).into());
        }
        if !shared.engine.may(&caller.bound, permission) {
            return Err(Refusal::Unauthorized.into());
        }
        let bytes = serve::content(shared, parts, body).await?;
        if !serve::kind(parts)?.eq_ignore_ascii_case("application/json") {
            return Err(Problem::content_type());
        }
        match json::read(&bytes)? {
            Json::Members(content) => Ok(Admitted { shared: Arc::clone(shared), caller, content }),
            Json::Null | Json::Bool(_) | Json::Whole(_) | Json::Fraction | Json::Text(_) | Json::List(_) => {
                Err(Problem::unreadable("the content must be an object"))
            }
        }
    }

    async fn opened(&self, parts: &mut Parts) -> Result<Open, Problem> {
        let shared = &self.shared;
        let (origin, tenant) = place(parts).await?;
        serve::stranger(shared, &origin)?;
        caller::tenant(shared, parts, tenant.as_deref(), &origin)?;
        let target = parts.uri.authority().map(axum::http::uri::Authority::as_str);
        let authority = single(&parts.headers, "host")?.or(target).unwrap_or_default().to_ascii_lowercase();
        // A listed proxy may speak TLS for a door that stands behind it.
        let behind = origin.proxied && single(&parts.headers, "x-forwarded-proto")? == Some("https");
        let scheme = if shared.secure || behind { "https" } else { "http" };
        Ok(Open { origin: format!("{scheme}://{authority}"), path: parts.uri.path().to_owned() })
    }
}

impl Problem {
    /// The same as a bad request, for a protocol that knows no finer status.
    #[must_use]
    pub const fn as_bad_request(mut self) -> Self {
        self.status = StatusCode::BAD_REQUEST;
        self
    }

    /// Whether the request is what is wrong.
    #[must_use]
    pub fn is_bad_request(&self) -> bool {
        self.status == StatusCode::BAD_REQUEST
    }

    /// What is wrong with one of several questions of a request: status, message, and what the document says of both.
    #[must_use]
    pub fn as_error(&self) -> serde_json::Value {
        let mut document = self.to_json();
        if let Some(members) = document.as_object_mut() {
            let title = members.remove("title").unwrap_or_default();
            let message = members.remove("detail").unwrap_or(title);
            members.insert("message".to_owned(), message);
            members.remove("type");
        }
        crate::answer::sorted(document)
    }
}

/// Where a request came from, and the tenant that its path names.
async fn place(parts: &mut Parts) -> Result<(Origin, Option<String>), Problem> {
    let path = parts.extract::<RawPathParams>().await;
    let path = path.map_err(|_| Problem::unreadable("the path does not read"))?;
    let tenant = path.iter().find(|(name, _)| *name == "tenant").map(|(_, value)| value.to_owned());
    let origin = parts.extensions.get::<Origin>().cloned().ok_or_else(Problem::failed)?;
    Ok((origin, tenant))
}

fn respond(route: &'static str, told: Result<impl Into<Body>, Problem>) -> Response<Body> {
    let mut response = match told {
        Ok(text) => {
            let mut response = Response::new(text.into());
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
            response
        }
        Err(problem) => problem.into_response(),
    };
    response.extensions_mut().insert(Told(route));
    response
}

impl Admitted {
    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    /// Whose credential it is, bound to the tenant that is asked about.
    #[must_use]
    pub const fn bound(&self) -> &Bound {
        &self.caller.bound
    }

    /// The members of the content.
    #[must_use]
    pub fn content(&self) -> &[(String, Json)] {
        &self.content
    }

    /// The tenant's view.
    ///
    /// # Errors
    /// Why there is none.
    pub fn view(&self) -> Result<Arc<View>, Problem> {
        ask::view(&self.shared, &self.caller.bound)
    }

    /// Whether a text names the tenant that is asked about, by id or by name.
    #[must_use]
    pub fn is_tenant(&self, text: &str) -> bool {
        caller::tenant_named(&self.shared.engine, text) == Some(self.caller.bound.entry.tenant)
    }

    /// Takes what an answer has cost beside its request from the budgets of its credential and tenant: checks, and
    /// steps of relations.
    pub fn charge(&self, checks: u64, steps: u64) {
        serve::charge(&self.shared, &self.caller.bound, checks.saturating_add(steps / STEPS_PER_CHECK));
    }
}
