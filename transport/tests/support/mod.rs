//! A whole door for tests: engine over a store in memory, a certificate, clients.

pub(crate) mod raw;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tessera_client::wire::Request;
use tessera_client::{Client, ClientError, Config, Trust};
use tessera_crypto::PasswordPool;
use tessera_engine::{Clock, Engine, EngineConfig, Entropy};
use tessera_model::record::SubjectKind;
use tessera_model::{
    CellId, CheckQuery, Deadline, HandleBytes, Identifier, Name, Pattern, PermissionRef, Private, PublicId,
    Receipt, Settings, TenantId, UnixMillis, WorkspaceRef,
};
use tessera_storage::Memory;
use tessera_transport::{Door, DoorConfig, Limits};

const START_MS: u64 = 1_767_225_600_000;

/// Asks with little time, and with more where nothing at all was said within it: a client waits for what is busy until
/// its deadline, and a slow machine may not have answered by then.
pub(crate) async fn soon<T>(
    client: &Client,
    mut call: impl AsyncFnMut(Client) -> Result<T, ClientError>,
) -> Result<T, ClientError> {
    for ms in [50, 500, 5_000] {
        let told = call(client.with_deadline(Duration::from_millis(ms))).await;
        if matches!(told, Ok(_) | Err(ClientError::Refused(_) | ClientError::Wait { .. })) {
            return told;
        }
    }
    call(client.with_deadline(Duration::from_secs(60))).await
}

/// A clock that stands until it is moved.
pub(crate) struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }
}

struct System;

impl Entropy for System {
    fn fill(&self, bytes: &mut [u8]) {
        tessera_crypto::random::fill(bytes).expect("random bytes");
    }
}

/// An open door with its engine.
pub(crate) struct House {
    pub(crate) engine: Engine,
    pub(crate) door: Door,
    pub(crate) pem: String,
    clock: Arc<Hand>,
}

/// A tenant with its admin's key and a client that uses it.
pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) key: String,
    pub(crate) client: Client,
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// A self-signed pair in PEM.
pub(crate) fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        Self::configured(limits, EngineConfig::default()).await
    }

    pub(crate) async fn configured(limits: Limits, config: EngineConfig) -> Self {
        Self::polling(limits, config, false).await
    }

    pub(crate) async fn polling(limits: Limits, config: EngineConfig, busy_poll: bool) -> Self {
        let clock = Arc::new(Hand(AtomicU64::new(START_MS)));
        let threads = NonZeroUsize::new(1).expect("one");
        let pool = PasswordPool::with_patience(threads, 64, std::time::Duration::MAX);
        let pool = Arc::new(pool.expect("a pool"));
        let seams: (Arc<dyn Clock>, Arc<dyn Entropy>) = (clock.clone(), Arc::new(System));
        let store = Arc::new(Memory::new(1 << 20));
        let engine = Engine::start(config, store, seams, pool).await.expect("an engine");
        let (pem, key) = certificate();
        let config = DoorConfig {
            listen: "127.0.0.1:0".parse().expect("an address"),
            runtimes: 2,
            chain_pem: pem.clone().into_bytes(),
            key_pem: Private::new(key.into_bytes()),
            reset_key: Private::new(vec![7; 32]),
            cell: CellId(0),
            version: 1_000,
            limits,
            busy_poll,
            cores: Vec::new(),
        };
        let door = Door::open(engine.clone(), config).expect("a door");
        Self { engine, door, pem, clock }
    }

    pub(crate) fn pass(&self, ms: u64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn config(&self, credential: Option<String>) -> Config {
        let trust = Trust::pinned_pem(self.pem.as_bytes()).expect("a certificate");
        let config = Config::new(self.door.address(), "localhost", trust);
        Config { credential, deadline: Duration::from_secs(60), ..config }
    }

    pub(crate) async fn client(&self, credential: &str) -> Client {
        Client::connect(self.config(Some(credential.to_owned()))).await.expect("connected")
    }

    /// Offers a one-time secret, as a node does that nobody has claimed: strangers are welcome until then.
    pub(crate) async fn offer(&self) -> Private {
        let secret = Private::new(b"the one-time secret".to_vec());
        let until = self.engine.now().plus_seconds(1_800).to_deadline();
        self.engine.offer_operator(&secret, until).await.expect("offered");
        secret
    }

    /// The first operator, by the one-time secret over the wire: its key.
    pub(crate) async fn operator(&self) -> Client {
        let secret = self.offer().await;
        let stranger = Client::connect(self.config(None)).await.expect("connected");
        let claim = Request::ClaimOperator { secret, name: name("ops") };
        let made = stranger.request(&claim).await.expect("claimed");
        self.client(&made.handle_text().expect("a key")).await
    }

    /// A tenant with cheap password hashes.
    pub(crate) async fn tenant(&self, operator: &Client, called: &str) -> Tenant {
        let made = operator.request(&Request::CreateTenant { name: name(called) }).await.expect("created");
        let (id, key) = (made.tenant.expect("an id"), made.handle_text().expect("a key"));
        let client = self.client(&key).await;
        let settings = Settings { argon_memory_kib: 64, argon_passes: 1, ..Settings::default() };
        client.request(&Request::ChangeSettings { settings: settings.into() }).await.expect("changed");
        Tenant { id, key, client }
    }
}

impl Tenant {
    /// A person with a password and a role that covers `patterns`.
    pub(crate) async fn person(&self, email: &str, role: &str, patterns: &[&str]) -> PublicId {
        let request = Request::CreateSubject {
            kind: SubjectKind::Person,
            identifiers: vec![Identifier::guess(email).expect("an identifier")],
            password: Some(Private::new(b"correct horse".to_vec())),
        };
        let subject = self.client.request(&request).await.expect("created").subject.expect("an id");
        let patterns = patterns.iter().map(|text| Pattern::new(text).expect("a pattern")).collect();
        self.client.request(&Request::CreateRole { name: name(role), patterns }).await.expect("created");
        let (from, until) = (Deadline::NONE, Deadline::NONE);
        let grant = Request::Grant { subject, role: name(role), workspace: None, from, until };
        self.client.request(&grant).await.expect("granted");
        subject
    }

    /// The handle of a new session of that person.
    pub(crate) async fn session(&self, email: &str) -> (HandleBytes, String) {
        let made = self.client.sign_in(email, "correct horse").await.expect("signed in");
        let bytes = made.handle.as_ref().expect("a handle").expose().try_into().expect("40 bytes");
        (bytes, made.handle_text().expect("a handle"))
    }
}

/// May the holder of `handle` do `permission` in the tenant?
pub(crate) fn query<'a>(handle: &'a HandleBytes, permission: &'a str) -> CheckQuery<'a> {
    CheckQuery {
        handle,
        permission: PermissionRef::Name(permission),
        workspace: WorkspaceRef::Tenant,
        at_least: Receipt::default(),
        address: None,
    }
}
