//! A house for tests: an engine over a store in memory, with a clock that tests move.

#![allow(dead_code, clippy::allow_attributes, reason = "each test binary uses its own part of the support")]

mod policies;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tessera_crypto::PasswordPool;
use tessera_engine::{Bound, Clock, Engine, EngineConfig, Entropy, SubmitError};
use tessera_model::record::SubjectKind;
use tessera_model::refresh::ClientTerms;
use tessera_model::{
    Caller, CheckQuery, Command, Decision, Handle, Identifier, Name, Pattern, PermissionRef, Private,
    PublicId, Receipt, Refusal, Settings, TenantId, UnixMillis, WorkspaceRef,
};
use tessera_storage::{Memory, Store};

/// 2026-01-01 in ms, a whole second.
pub(crate) const START_MS: u64 = 1_767_225_600_000;

/// A clock that stands until it is moved.
pub(crate) struct Hand(pub(crate) AtomicU64);

impl Clock for Hand {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }
}

/// Random bytes of the operating system.
pub(crate) struct System;

impl Entropy for System {
    fn fill(&self, bytes: &mut [u8]) {
        tessera_crypto::random::fill(bytes).expect("random bytes");
    }
}

/// An engine, its clock and its store.
pub(crate) struct House {
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<Hand>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) pool: Arc<PasswordPool>,
    /// The key of the operator that was made last.
    pub(crate) operator_key: std::sync::Mutex<Option<Handle>>,
}

/// A tenant of the house with its admin.
pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) admin: Bound,
    pub(crate) admin_key: Handle,
}

impl House {
    pub(crate) async fn over(store: Arc<dyn Store>, now_ms: u64) -> Self {
        Self::configured(store, now_ms, EngineConfig::default()).await
    }

    pub(crate) async fn configured(store: Arc<dyn Store>, now_ms: u64, config: EngineConfig) -> Self {
        let clock = Arc::new(Hand(AtomicU64::new(now_ms)));
        Self { clock: Arc::clone(&clock), ..Self::start(store, clock, config).await }
    }

    /// A house with another clock, which the test moves itself.
    pub(crate) async fn with_clock(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self::start(store, clock, EngineConfig::default()).await
    }

    async fn start(store: Arc<dyn Store>, clock: Arc<dyn Clock>, config: EngineConfig) -> Self {
        let threads = NonZeroUsize::new(1).expect("one");
        let pool = PasswordPool::with_patience(threads, 64, std::time::Duration::MAX);
        let pool = Arc::new(pool.expect("a pool"));
        let seams: (Arc<dyn Clock>, Arc<dyn Entropy>) = (clock, Arc::new(System));
        let started = Engine::start(config, Arc::clone(&store), seams, Arc::clone(&pool));
        let engine = started.await.expect("an engine");
        let clock = Arc::new(Hand(AtomicU64::new(0)));
        Self { engine, clock, store, pool, operator_key: std::sync::Mutex::default() }
    }

    pub(crate) async fn new() -> Self {
        Self::over(Arc::new(Memory::new(1 << 20)), START_MS).await
    }

    pub(crate) fn pass(&self, ms: u64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    /// An operator's connection to the system tenant, by the one-time secret.
    pub(crate) async fn operator(&self) -> Bound {
        let (engine, name) = (&self.engine, Name::new("ops").expect("a name"));
        let until = engine.now().plus_seconds(1800).to_deadline();
        let offer = Command::OfferBootstrap { tag: [7; 16], until };
        engine.submit_system(Caller::Node, engine.command_id(), offer).await.expect("offered");
        let claim = Command::ClaimOperator { tag: [7; 16], name };
        let done =
            engine.submit_system(Caller::Bootstrap, engine.command_id(), claim).await.expect("claimed");
        let key = done.made.handle.expect("a key");
        *self.operator_key.lock().expect("sound") = Some(key);
        engine.hello(&key.to_bytes(), None).expect("bound")
    }

    pub(crate) async fn tenant(&self, operator: &Bound, name: &str) -> Tenant {
        let command = Command::CreateTenant { name: Name::new(name).expect("a name") };
        let done = self.engine.submit(operator, self.engine.command_id(), command).await.expect("created");
        let (id, key) = (done.made.tenant.expect("an id"), done.made.handle.expect("a key"));
        let admin = self.bind(&key).await;
        // Cheap hashes: these tests are not about Argon2's cost.
        let settings = Settings { argon_memory_kib: 64, argon_passes: 1, ..Settings::default() };
        self.submit(&admin, Command::ChangeSettings { settings: settings.into() }).await;
        Tenant { id, admin, admin_key: key }
    }

    /// Binds a credential, waiting while its tenant wakes.
    pub(crate) async fn bind(&self, handle: &Handle) -> Bound {
        for _ in 0..60_000 {
            match self.engine.hello(&handle.to_bytes(), None) {
                Ok(bound) => return bound,
                Err(tessera_engine::HelloRefusal::NotReady) => {
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
                Err(refused) => panic!("{refused:?}"),
            }
        }
        panic!("the tenant did not wake");
    }

    /// Wakes a tenant of a former life of this house.
    pub(crate) async fn wake(&self, tenant: &Tenant) {
        self.bind(&tenant.admin_key).await;
    }

    pub(crate) async fn submit(&self, bound: &Bound, command: Command) -> tessera_engine::Done {
        let (kind, id) = (command.kind(), self.engine.command_id());
        // On a slow machine a tenant may have gone to sleep meanwhile: as a client does, it is sent again.
        for _ in 0..60_000 {
            match self.engine.submit(bound, id, command.clone()).await {
                Ok(done) => return done,
                Err(SubmitError::Refused(Refusal::NotReady)) => {
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
                Err(error) => panic!("{kind:?}: {error}"),
            }
        }
        panic!("{kind:?}: the tenant did not wake");
    }

    /// Why a command is refused.
    pub(crate) async fn refused(&self, bound: &Bound, command: Command) -> Refusal {
        match self.engine.submit(bound, self.engine.command_id(), command).await {
            Err(SubmitError::Refused(refusal)) => refusal,
            other => panic!("{:?}", other.map(|done| done.receipt)),
        }
    }

    /// A house with the tenant acme, and ann in it, who has a password.
    pub(crate) async fn with_ann() -> (Self, Tenant, PublicId) {
        let house = Self::new().await;
        let operator = house.operator().await;
        let tenant = house.tenant(&operator, "acme").await;
        let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
        (house, tenant, ann)
    }

    pub(crate) async fn person(&self, tenant: &Tenant, email: &str, password: &str) -> PublicId {
        let identifiers = vec![Identifier::guess(email).expect("an identifier")];
        let password = Some(Private::new(password.as_bytes().to_vec()));
        let (engine, kind) = (&self.engine, SubjectKind::Person);
        let done =
            engine.create_subject(&tenant.admin, engine.command_id(), (kind, identifiers), password).await;
        done.expect("created").made.subject.expect("an id")
    }

    pub(crate) async fn sign_in(
        &self,
        tenant: &Tenant,
        email: &str,
        password: &str,
    ) -> Result<Handle, tessera_engine::SubmitError> {
        let identifier = Identifier::guess(email).expect("an identifier");
        let password = Private::new(password.as_bytes().to_vec());
        let id = self.engine.command_id();
        let done = self.engine.sign_in(&tenant.admin, id, (&identifier, password), (None, None)).await?;
        Ok(done.made.handle.expect("a handle"))
    }

    /// As `sign_in`, for a person whose request came from an address.
    pub(crate) async fn sign_in_from(
        &self,
        by: &Bound,
        (email, password): (&str, &str),
        from: Option<std::net::IpAddr>,
    ) -> Result<Handle, tessera_engine::SubmitError> {
        let identifier = Identifier::guess(email).expect("an identifier");
        let proof = (&identifier, Private::new(password.as_bytes().to_vec()));
        let done = self.engine.sign_in(by, self.engine.command_id(), proof, (from, None)).await?;
        Ok(done.made.handle.expect("a handle"))
    }

    /// A one-time secret for somebody's password, good for an hour.
    pub(crate) async fn reset(&self, by: &Bound, subject: PublicId, clear: bool) -> Handle {
        let until = self.engine.now().plus_seconds(3_600).to_deadline();
        let done = self.submit(by, Command::ResetPassword { subject, until, clear }).await;
        done.made.handle.expect("a secret")
    }

    /// Sets a password with a one-time secret, as a stranger.
    pub(crate) async fn set_up(
        &self,
        secret: &Handle,
        password: &str,
    ) -> Result<tessera_engine::Done, tessera_engine::SubmitError> {
        let (secret, id) = (Private::new(secret.to_bytes().to_vec()), self.engine.command_id());
        self.engine.set_up_password(None, id, &secret, Private::new(password.as_bytes().to_vec())).await
    }

    pub(crate) async fn role(&self, tenant: &Tenant, name: &str, patterns: &[&str]) {
        let patterns = patterns.iter().map(|text| Pattern::new(text).expect("a pattern")).collect();
        let name = Name::new(name).expect("a name");
        self.submit(&tenant.admin, Command::CreateRole { name, patterns }).await;
    }

    pub(crate) async fn grant(&self, tenant: &Tenant, subject: PublicId, role: &str) {
        self.submit(&tenant.admin, grant(subject, role)).await;
    }

    pub(crate) fn check(&self, tenant: &Tenant, handle: &Handle, permission: &str) -> Decision {
        let view = tenant.admin.entry.view();
        let view = view.as_ref().expect("awake");
        let reading = self.engine.read(view);
        let query = CheckQuery {
            handle: &handle.to_bytes(),
            permission: PermissionRef::Name(permission),
            workspace: WorkspaceRef::Tenant,
            at_least: Receipt::default(),
            address: None,
        };
        self.engine.check(&tenant.admin, &reading, &query)
    }
}

impl House {
    /// Changes some of a tenant's settings.
    pub(crate) async fn set(&self, tenant: &Tenant, change: impl FnOnce(&mut Settings)) {
        let view = tenant.admin.entry.view();
        let mut settings = view.as_ref().expect("awake").listing().settings();
        drop(view);
        change(&mut settings);
        self.submit(&tenant.admin, Command::ChangeSettings { settings: settings.into() }).await;
    }

    /// Opens a session as `bound`, who vouches for the subject.
    pub(crate) async fn open(
        &self,
        bound: &Bound,
        subject: PublicId,
    ) -> Result<tessera_engine::Done, tessera_engine::SubmitError> {
        let view = bound.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        drop(view);
        let record = listing.subject(subject).expect("a subject");
        let command = Command::OpenSession {
            subject: record.index,
            seen_cut_off: record.cut_off,
            identifier: None,
            acr: 0,
            device: None,
        };
        self.engine.submit(bound, self.engine.command_id(), command).await
    }

    /// Uses a refresh handle under a new command id.
    pub(crate) async fn refresh(
        &self,
        bound: &Bound,
        handle: &Handle,
    ) -> Result<tessera_engine::Done, tessera_engine::SubmitError> {
        self.engine.refresh(bound, self.engine.command_id(), &handle.to_bytes()).await
    }

    /// Makes a client, and a key of the tenant's admin that names it.
    pub(crate) async fn client(&self, tenant: &Tenant, name: &str, terms: ClientTerms) -> Bound {
        let name = Name::new(name).expect("a name");
        self.submit(&tenant.admin, Command::CreateClient { name: name.clone(), terms }).await;
        let command = Command::CreateKey {
            subject: tenant.admin.subject,
            patterns: Vec::new(),
            expires: self.engine.now().plus_seconds(300 * 86_400).to_deadline(),
            description: Private::default(),
            client: Some(name),
            networks: Vec::new(),
        };
        let key = self.submit(&tenant.admin, command).await.made.handle.expect("a key");
        self.bind(&key).await
    }
}

/// A grant of a role in the whole tenant, without a window.
pub(crate) fn grant(subject: PublicId, role: &str) -> Command {
    let none = tessera_model::Deadline::NONE;
    let role = Name::new(role).expect("a name");
    Command::Grant { subject, role, workspace: None, from: none, until: none }
}

/// A key that may be used from anywhere.
pub(crate) fn key(
    subject: PublicId,
    patterns: Vec<Pattern>,
    expires: tessera_model::Deadline,
    description: Private,
) -> Command {
    Command::CreateKey { subject, patterns, expires, description, client: None, networks: Vec::new() }
}

/// Runs all of them at once, and gives their results in their order.
pub(crate) async fn at_once<T: Unpin, F: Future<Output = T>>(all: impl IntoIterator<Item = F>) -> Vec<T> {
    let mut running: Vec<_> = all.into_iter().map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        let mut left = false;
        for (one, done) in &mut running {
            if done.is_none() {
                match one.as_mut().poll(context) {
                    std::task::Poll::Ready(result) => *done = Some(result),
                    std::task::Poll::Pending => left = true,
                }
            }
        }
        if left { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    running.into_iter().map(|(_, done)| done.expect("done")).collect()
}
