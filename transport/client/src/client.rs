//! The client: what an application calls.

use crate::call::{Routes, Write};
use crate::config::Config;
use crate::double::Double;
use crate::error::ClientError;
use crate::ids::Dice;
use crate::lane::Answer;
use crate::pool::Pool;
use crate::touched::Touched;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tessera_model::limits::BATCH_CHECKS_MAX;
use tessera_model::query::Introspection;
use tessera_model::{
    CheckQuery, CommandId, Decision, Handle, HandleBytes, PermissionRef, Private, PublicId, Reason, Receipt,
    TenantId, UnixMillis, WorkspaceRef,
};
use tessera_wire::{
    Frame, Head, HelloReply, ListPermissions, Made, Outbox, Page, Permissions, Request, Resolve, Resolved,
    Shape, TENANT_OF_CONNECTION, WireError,
};
use tracing::Instrument as _;

/// What a handle turned out to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Found {
    /// A live session or key.
    Alive(Introspection),
    /// Nothing alive: why, and the position that was seen.
    Nothing(Reason, Receipt),
}

/// A client of one tenant (or of none, before sign-in). Cheap to clone; the last one closes.
#[derive(Clone)]
pub struct Client {
    open: Arc<Open>,
    deadline: Duration,
}

struct Open {
    way: Way,
    hello: HelloReply,
    touched: Touched,
    dice: Dice,
}

/// Who answers.
enum Way {
    /// A node.
    Node(Routes),
    /// A script, for tests of applications.
    Script(Double),
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Way::Node(routes) = &self.way {
            routes.close();
        }
    }
}

impl Open {
    fn new(way: Way, hello: HelloReply) -> Arc<Self> {
        Arc::new(Self { way, hello, touched: Touched::default(), dice: Dice::default() })
    }

    /// One call, in a span of its own. COST: a look at a flag when nobody listens at level debug.
    async fn call(
        &self,
        what: &'static str,
        allowed: Duration,
        command: Option<CommandId>,
        write: Write<'_>,
    ) -> Result<Answer, ClientError> {
        let span = tracing::debug_span!("call", what, outcome = tracing::field::Empty);
        let done = match &self.way {
            Way::Node(routes) => routes.call(allowed, command, write).instrument(span.clone()).await,
            Way::Script(double) => double.answer(write)?.sound(),
        };
        span.record("outcome", done.as_ref().map_or_else(ClientError::name, |_| "answered"));
        done
    }
}

pub(crate) const fn unexpected() -> ClientError {
    ClientError::Unreadable(WireError::KindUnknown)
}

impl Client {
    /// Connects and says Hello.
    ///
    /// # Errors
    /// [`ClientError::BadConfig`], [`ClientError::Unreachable`], or what the node answered to Hello.
    pub async fn connect(config: Config) -> Result<Self, ClientError> {
        let deadline = config.deadline;
        let pool = Pool::start(config)?;
        match pool.link(Instant::now() + deadline).await {
            Ok(link) => Ok(Self { open: Open::new(Way::Node(Routes::new(pool)), link.hello), deadline }),
            Err(error) => {
                pool.close();
                Err(error)
            }
        }
    }

    /// A client for tests of applications: each question is handed to `script`, which writes the answer.
    /// [`crate::Permitted`] is the ready-made one for checks.
    #[must_use]
    pub fn double(
        script: impl Fn(&Frame<'_>, &mut Outbox) -> Result<(), WireError> + Send + Sync + 'static,
    ) -> Self {
        let open = Open::new(Way::Script(Double::new(script)), HelloReply::default());
        Self { open, deadline: Duration::from_secs(5) }
    }

    /// The same connections with another deadline per call.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self { open: Arc::clone(&self.open), deadline }
    }

    /// What the node answered to the first Hello.
    #[must_use]
    pub fn hello(&self) -> &HelloReply {
        &self.open.hello
    }

    /// The node's time now, by its last Hello and our own monotonic clock.
    #[must_use]
    pub fn node_time(&self) -> UnixMillis {
        match &self.open.way {
            Way::Node(routes) => routes.pool().now(),
            Way::Script(_) => self.open.hello.node_time,
        }
    }

    /// A fresh command id, stamped with the node's time.
    #[must_use]
    pub fn command_id(&self) -> CommandId {
        self.open.dice.command_id(self.node_time())
    }

    pub(crate) async fn read(&self, what: &'static str, write: Write<'_>) -> Result<Answer, ClientError> {
        self.open.call(what, self.deadline, None, write).await
    }

    /// Asks one question.
    ///
    /// # Errors
    /// Any [`ClientError`]; none of them is a Permit.
    pub async fn check(&self, query: &CheckQuery<'_>) -> Result<Decision, ClientError> {
        let write = |out: &mut Outbox, id| out.check(id, query);
        let Answer::Decision(decision) = self.read("check", &write).await? else { return Err(unexpected()) };
        Ok(decision)
    }

    /// Whether the holder of `handle` may do `permission` there and now. Everything that is not a
    /// Permit from the node is no: a bad handle, an unreachable node, a passed deadline.
    pub async fn is_permitted(&self, handle: &str, permission: &str, workspace: Option<&str>) -> bool {
        let Ok(handle) = Handle::parse_text(handle) else { return false };
        let handle = handle.to_bytes();
        let query = CheckQuery {
            handle: &handle,
            permission: PermissionRef::Name(permission),
            workspace: workspace.map_or(WorkspaceRef::Tenant, WorkspaceRef::Name),
            at_least: Receipt::default(),
            address: None,
        };
        self.check(&query).await.is_ok_and(|decision| decision.is_permit())
    }

    /// Asks many questions, 1,024 to a frame; the answers are in their order.
    ///
    /// # Errors
    /// Any [`ClientError`]; no answer is given then.
    pub async fn check_batch(
        &self,
        at_least: Receipt,
        queries: &[CheckQuery<'_>],
    ) -> Result<Vec<Decision>, ClientError> {
        let mut decisions = Vec::with_capacity(queries.len());
        for part in queries.chunks(BATCH_CHECKS_MAX) {
            let write = |out: &mut Outbox, id| out.check_batch(id, at_least, part.iter().copied());
            let Answer::Batch(batch) = self.read("check_batch", &write).await? else {
                return Err(unexpected());
            };
            if batch.decisions.len() != part.len() {
                return Err(unexpected());
            }
            decisions.extend(batch.decisions);
        }
        Ok(decisions)
    }

    /// What may the holder of this handle do in a workspace?
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn list_permissions(&self, ask: &ListPermissions<'_>) -> Result<Permissions, ClientError> {
        let write = |out: &mut Outbox, id| out.list_permissions(id, ask);
        let Answer::Permissions(answer) = self.read("list_permissions", &write).await? else {
            return Err(unexpected());
        };
        Ok(*answer)
    }

    /// The ids of names; 0 for an unknown one. Ids are never used again: they may be kept.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn resolve(&self, names: &[Resolve<'_>]) -> Result<Resolved, ClientError> {
        let write = |out: &mut Outbox, id| out.resolve(id, names);
        let Answer::Resolved(resolved) = self.read("resolve", &write).await? else {
            return Err(unexpected());
        };
        if resolved.ids.len() == names.len() { Ok(resolved) } else { Err(unexpected()) }
    }

    /// Orders a command in the connection's tenant, under a fresh command id.
    ///
    /// # Errors
    /// Any [`ClientError`]; after [`ClientError::OutcomeUnknown`] repeat it with
    /// [`Client::request_again`].
    pub async fn request(&self, request: &Request) -> Result<Made, ClientError> {
        self.request_again(TENANT_OF_CONNECTION, self.command_id(), request).await
    }

    /// Orders a command in a tenant that the caller names (operators), under a given command id:
    /// however often it is sent, it happens once.
    ///
    /// # Errors
    /// As [`Client::request`].
    pub async fn request_again(
        &self,
        tenant: TenantId,
        command_id: CommandId,
        request: &Request,
    ) -> Result<Made, ClientError> {
        let head = Head { command_id, tenant };
        let write = |out: &mut Outbox, id| out.request(id, head, request);
        let answer = self.open.call(request.kind().name(), self.deadline, Some(command_id), &write).await?;
        let Answer::Made(made) = answer else { return Err(unexpected()) };
        Ok(*made)
    }

    /// Asks for a page of a list in the connection's tenant.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn list<T: Shape>(&self, request: &Request) -> Result<Page<T>, ClientError> {
        self.list_of(TENANT_OF_CONNECTION, request).await
    }

    /// Asks for a page of a list in a tenant that the caller names (operators).
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn list_of<T: Shape>(
        &self,
        tenant: TenantId,
        request: &Request,
    ) -> Result<Page<T>, ClientError> {
        let head = Head { command_id: CommandId::default(), tenant };
        let write = |out: &mut Outbox, id| out.request(id, head, request);
        let Answer::Rows(mut kept) = self.read(request.kind().name(), &write).await? else {
            return Err(unexpected());
        };
        let frame = kept.next_frame()?.ok_or_else(unexpected)?;
        Ok(frame.rows::<T>()?)
    }

    /// Signs in with a password: a new session, its handle given once.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn sign_in(&self, identifier: &str, password: &str) -> Result<Made, ClientError> {
        self.sign_in_from(identifier, password, None).await
    }

    /// Signs in for a person whose request came from an address, which a service says (permission
    /// `tessera.address`): failures are counted against that source, not the service's own.
    ///
    /// # Errors
    /// Any [`ClientError`]; [`ClientError::Wait`] after too many failures.
    pub async fn sign_in_from(
        &self,
        identifier: &str,
        password: &str,
        address: Option<IpAddr>,
    ) -> Result<Made, ClientError> {
        let private = |text: &str| Private::new(text.as_bytes().to_vec());
        let (identifier, password) = (private(identifier), private(password));
        self.request(&Request::SignIn { identifier, password, address, device: None }).await
    }

    /// Sets a password with a one-time secret: over a client of its tenant, or one whose credential is the
    /// secret itself. All sessions of its subject end.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn set_up_password(&self, secret: &HandleBytes, password: &str) -> Result<Made, ClientError> {
        let secret = Private::new(secret.to_vec());
        let password = Private::new(password.as_bytes().to_vec());
        self.request(&Request::SetUpPassword { secret, password }).await
    }

    /// Moves a session's idle end, or a key's last use.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn touch(&self, handle: &HandleBytes) -> Result<Made, ClientError> {
        self.request(&Request::TouchSession { handle: Private::new(handle.to_vec()) }).await
    }

    /// Touches a session or key unless this client did so within the last minute (more often moves
    /// nothing). For every request that an application serves.
    ///
    /// # Errors
    /// Any [`ClientError`]; the next call tries again.
    pub async fn touch_lazily(&self, handle: &HandleBytes) -> Result<(), ClientError> {
        if !self.open.touched.due(handle, Instant::now()) {
            return Ok(());
        }
        let touched = self.touch(handle).await;
        if touched.is_err() {
            self.open.touched.forget(handle);
        }
        touched.map(drop)
    }

    /// Ends a session or key by its public id.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn end(&self, session: PublicId) -> Result<Made, ClientError> {
        self.request(&Request::EndSession { session }).await
    }

    /// Ends the session of this handle.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn sign_out(&self, handle: &HandleBytes) -> Result<Made, ClientError> {
        self.request(&Request::SignOut { handle: Private::new(handle.to_vec()) }).await
    }

    /// Goes over to another credential of the same tenant, without a gap: it is tried first, then every
    /// connection is replaced by one that uses it. When this returns, the old one is used no more and may be
    /// revoked. Nothing is changed when the new one opens nothing.
    ///
    /// # Errors
    /// [`ClientError::BadConfig`] for a handle that is none or of another tenant; what the node answered to
    /// Hello; [`ClientError::DeadlinePassed`] when connections with the old one are left at the deadline.
    pub async fn renew(&self, credential: &str) -> Result<(), ClientError> {
        let handle = Handle::parse_text(credential)
            .map_err(|_| ClientError::BadConfig("the credential is no handle"))?;
        let Way::Node(routes) = &self.open.way else { return Ok(()) };
        if !routes.pool().is_of(handle.tenant) {
            return Err(ClientError::BadConfig("the credential is of another tenant"));
        }
        routes.renew(handle.to_bytes(), Instant::now() + self.deadline).await
    }

    /// Closes the connections and waits until the node was told. Calls in flight end as lost.
    pub async fn close(self) {
        if let Way::Node(routes) = &self.open.way {
            routes.close();
            routes.idle().await;
        }
    }
}
