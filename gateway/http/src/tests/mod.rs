//! Tests over real sockets: a whole door over a store in memory, and a client that writes bytes.

mod bad_input;
mod browser;
mod budgets;
mod conditions;
mod decisions;
mod dry_run;
mod elevations;
mod endpoints;
mod field;
mod field_writes;
mod fuzz;
mod hostile;
mod hostile_one;
mod hostile_two;
mod invitations;
mod load;
mod matrix;
mod operations;
mod origins;
mod places;
mod policies;
mod proxies;
mod public;
mod refresh;
mod relations;
mod services;
mod short;
mod visibility;

use crate::{Door, DoorConfig, Limits};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tessera_crypto::PasswordPool;
use tessera_engine::{Clock, Engine, EngineConfig, Entropy};
use tessera_model::{Private, UnixMillis};
use tessera_storage::Memory;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

const START_MS: u64 = 1_767_225_600_000;

/// A clock that stands until it is moved.
struct Hand(AtomicU64);

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

/// An open door with its engine and an operator.
struct House {
    engine: Engine,
    door: Door,
    clock: Arc<Hand>,
    operator: String,
    /// What trusts the door, when it speaks TLS.
    trust: Option<Arc<rustls::ClientConfig>>,
}

/// A connection of either kind.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A certificate of its own for `localhost`, and what trusts it.
fn identity() -> ((Vec<u8>, Private), Arc<rustls::ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let trust = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let key = Private::new(made.signing_key.serialize_pem().into_bytes());
    ((made.cert.pem().into_bytes(), key), Arc::new(trust))
}

/// An answer.
#[derive(Debug)]
struct Reply {
    status: u16,
    headers: BTreeMap<String, String>,
    text: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    fn string(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_else(|| panic!("no {member}: {self:?}")).to_owned()
    }

    fn code(&self) -> u64 {
        self.json()["code"].as_u64().unwrap_or_else(|| panic!("no code: {self:?}"))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

/// Reads an answer that is the last of its connection.
fn parse(bytes: &[u8]) -> Reply {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|word| word.parse().ok());
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        // One that stands twice is two lines.
        let known = headers.entry(name.to_owned()).or_default();
        known.push_str(if known.is_empty() { "" } else { "\n" });
        known.push_str(value);
    }
    Reply { status: status.unwrap_or(0), headers, text: body.to_owned() }
}

impl House {
    async fn open() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut DoorConfig)) -> Self {
        Self::made(change, None).await
    }

    async fn made(change: impl FnOnce(&mut DoorConfig), trust: Option<Arc<rustls::ClientConfig>>) -> Self {
        let clock = Arc::new(Hand(AtomicU64::new(START_MS)));
        let pool =
            PasswordPool::with_patience(NonZeroUsize::MIN, 64, std::time::Duration::MAX).expect("a pool");
        let seams: (Arc<dyn Clock>, Arc<dyn Entropy>) = (clock.clone(), Arc::new(System));
        let store = Arc::new(Memory::new(1 << 20));
        let engine =
            Engine::start(EngineConfig::default(), store, seams, Arc::new(pool)).await.expect("an engine");
        let mut config = DoorConfig {
            listen: "127.0.0.1:0".parse().expect("an address"),
            identity: None,
            domain: "auth.example.com".to_owned(),
            origins: vec!["https://app.example.com".to_owned()],
            proxies: Vec::new(),
            protocols: Vec::new(),
            limits: Limits { source_per_second: 100_000, ..Limits::default() },
        };
        change(&mut config);
        let door = Door::open(engine.clone(), config).await.expect("a door");
        let mut house = Self { engine, door, clock, operator: String::new(), trust };
        let secret = Private::new(b"the one-time secret".to_vec());
        let until = house.engine.now().plus_seconds(1_800).to_deadline();
        house.engine.offer_operator(&secret, until).await.expect("offered");
        let claim = json!({ "secret": "the one-time secret", "name": "ops" });
        house.operator =
            house.ask("POST /v1/operators/claim", "", Some(claim)).await.expect(200).string("handle");
        house
    }

    fn pass(&self, ms: u64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    /// A door that speaks TLS.
    async fn secure(change: impl FnOnce(&mut DoorConfig)) -> Self {
        let (pair, trust) = identity();
        let change = |config: &mut DoorConfig| {
            config.identity = Some(pair);
            change(config);
        };
        Self::made(change, Some(trust)).await
    }

    /// A connection; over TLS one that speaks `protocol`.
    async fn connect(&self, protocol: &[u8]) -> Box<dyn Wire> {
        let stream = TcpStream::connect(self.door.address()).await.expect("connected");
        stream.set_nodelay(true).expect("set");
        let Some(trust) = &self.trust else { return Box::new(stream) };
        let mut trust = rustls::ClientConfig::clone(trust);
        trust.alpn_protocols = vec![protocol.to_vec()];
        let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
        let connector = tokio_rustls::TlsConnector::from(Arc::new(trust));
        Box::new(connector.connect(name, stream).await.expect("a handshake"))
    }

    /// Sends bytes and reads until the connection ends.
    async fn raw(&self, bytes: &[u8]) -> Reply {
        let mut stream = self.connect(b"http/1.1").await;
        // A peer that refuses early may close before everything is written.
        drop(stream.write_all(bytes).await);
        // Over TLS bytes that the socket did not take at once wait for it.
        drop(stream.flush().await);
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        parse(&answer)
    }

    /// One request with headers of its own.
    async fn send(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut text = format!("{line} HTTP/1.1\r\nconnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            text.push_str("host: localhost\r\n");
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            text.push_str(&format!("content-length: {}\r\n", body.len()));
            if !headers.iter().any(|(name, _)| *name == "content-type") {
                text.push_str("content-type: application/json\r\n");
            }
        }
        self.raw(format!("{text}\r\n{body}").as_bytes()).await
    }

    /// One request with a bearer token.
    async fn ask(&self, line: &str, key: &str, body: Option<Value>) -> Reply {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str())];
        self.send(line, if key.is_empty() { &[] } else { &headers }, &body).await
    }

    /// One request with a bearer token and a content of some type.
    async fn post(&self, line: &str, key: &str, (kind, text): (&str, &str)) -> Reply {
        let bearer = format!("Bearer {key}");
        let shown = [("content-type", kind), ("authorization", bearer.as_str())];
        self.send(line, if key.is_empty() { &shown[..1] } else { &shown }, text).await
    }

    /// A tenant with cheap password hashes; its id and its admin's key.
    async fn tenant(&self, called: &str) -> (String, String) {
        let made =
            self.ask("POST /v1/tenants", &self.operator, Some(json!({ "name": called }))).await.expect(200);
        let (id, key) = (made.string("tenant"), made.string("handle"));
        let cheap = json!({ "argon_memory_kib": 64, "argon_passes": 1 });
        self.ask("PATCH /v1/settings", &key, Some(cheap)).await.expect(200);
        (id, key)
    }

    /// A person with a password, a role that covers `pattern`, and a session: subject and handle.
    async fn person(&self, key: &str, email: &str, pattern: &str) -> (String, String) {
        let role = email.split('@').next().unwrap_or_default();
        let person = json!({ "identifiers": [email], "password": "correct horse" });
        let subject = self.ask("POST /v1/subjects", key, Some(person)).await.expect(200).string("subject");
        let made = json!({ "name": role, "patterns": [pattern] });
        self.ask("POST /v1/roles", key, Some(made)).await.expect(200);
        let path = format!("POST /v1/subjects/{subject}/grants");
        self.ask(&path, key, Some(json!({ "role": role }))).await.expect(200);
        (subject, self.sign_in(key, email).await)
    }

    async fn sign_in(&self, key: &str, email: &str) -> String {
        let proof = json!({ "identifier": email, "password": "correct horse" });
        self.ask("POST /v1/sign-in", key, Some(proof)).await.expect(200).string("handle")
    }
}
