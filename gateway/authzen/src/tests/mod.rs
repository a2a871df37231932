//! Tests over real sockets: a door with this protocol over a store in memory, and a client that writes bytes.

mod evaluations;
mod fuzz;
mod plain;
mod policies;
mod refusals;
mod searches;

use crate::routes::{Asked, CHECK, answer};
use axum::Router;
use axum::extract::Request;
use axum::routing::post;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tessera_crypto::PasswordPool;
use tessera_engine::{Clock, Engine, EngineConfig, Entropy};
use tessera_gateway_http::{Admitted, Door, DoorConfig, Kernel, Limits, Protocol};
use tessera_model::{Private, UnixMillis};
use tessera_relation::RELATION_BUDGET;
use tessera_storage::Memory;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const START_MS: u64 = 1_767_225_600_000;
const MODEL: &str = "model\n  schema 1.1\ntype user\ntype team\n  relations\n    define member: [user, team#member]\ntype document\n  relations\n    define blocked: [user]\n    define viewer: [user, user:*, team#member]\n    define can_view: viewer but not blocked\n";

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

/// An answer.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    text: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// The field that a problem names.
    fn field(&self) -> String {
        self.json()["field"].as_str().unwrap_or_default().to_owned()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// An open door with a tenant, its admin's key and people in it.
struct House {
    door: Door,
    clock: Arc<Hand>,
    operator: String,
    tenant: String,
    key: String,
}

impl House {
    async fn open() -> Self {
        Self::with(crate::PROTOCOL).await
    }

    /// A house in which each page of a search may cost little more than one question.
    async fn narrow() -> Self {
        let routes = |kernel: &Kernel| {
            let mut router = Router::new();
            for asked in Asked::ALL {
                let kernel = kernel.clone();
                let serve = move |request: Request| async move {
                    let told = async move |admitted: Admitted| match asked {
                        Asked::Evaluation | Asked::Evaluations => answer(asked, admitted).await,
                        Asked::Subjects | Asked::Resources | Asked::Actions => {
                            crate::search::within(asked, &admitted, RELATION_BUDGET + 1)
                                .map(String::into_bytes)
                        }
                    };
                    kernel.admit((asked.path(), CHECK), request, told).await
                };
                router = router.route(asked.path(), post(serve));
            }
            router
        };
        Self::with(Protocol { routes, plain: &[] }).await
    }

    async fn with(protocol: Protocol) -> Self {
        Self::within(protocol, Limits::default(), vec!["127.0.0.1".parse().expect("an address")]).await
    }

    async fn within(protocol: Protocol, limits: Limits, proxies: Vec<IpAddr>) -> Self {
        let clock = Arc::new(Hand(AtomicU64::new(START_MS)));
        let pool =
            PasswordPool::with_patience(NonZeroUsize::MIN, 64, std::time::Duration::MAX).expect("a pool");
        let seams: (Arc<dyn Clock>, Arc<dyn Entropy>) = (clock.clone(), Arc::new(System));
        let store = Arc::new(Memory::new(1 << 20));
        let engine =
            Engine::start(EngineConfig::default(), store, seams, Arc::new(pool)).await.expect("an engine");
        let config = DoorConfig {
            listen: "127.0.0.1:0".parse().expect("an address"),
            identity: None,
            domain: "auth.example.com".to_owned(),
            origins: Vec::new(),
            proxies,
            protocols: vec![protocol],
            limits: Limits { source_per_second: 100_000, ..limits },
        };
        let secret = Private::new(b"the one-time secret".to_vec());
        let until = engine.now().plus_seconds(1_800).to_deadline();
        engine.offer_operator(&secret, until).await.expect("offered");
        let door = Door::open(engine, config).await.expect("a door");
        let none = String::new;
        let mut house = Self { door, clock, operator: none(), tenant: none(), key: none() };
        let claim = json!({ "secret": "the one-time secret", "name": "ops" });
        let claimed = house.send("POST /v1/operators/claim", &[], &claim.to_string()).await.expect(200);
        house.operator = claimed.json()["handle"].as_str().expect("a handle").to_owned();
        let bearer = format!("Bearer {}", house.operator);
        let headers = [("authorization", bearer.as_str())];
        let made = house.send("POST /v1/tenants", &headers, r#"{"name":"acme"}"#).await.expect(200).json();
        house.tenant = made["tenant"].as_str().expect("an id").to_owned();
        house.key = made["handle"].as_str().expect("a key").to_owned();
        house.done("PATCH /v1/settings", json!({ "argon_memory_kib": 64, "argon_passes": 1 })).await;
        house
    }

    fn pass(&self, ms: u64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
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
        let mut stream = TcpStream::connect(self.door.address()).await.expect("connected");
        stream.write_all(format!("{text}\r\n{body}").as_bytes()).await.expect("written");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("read");
        let text = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
        Reply { status, head: head.to_owned(), text: body.to_owned() }
    }

    /// One request as the tenant's admin.
    async fn ask(&self, line: &str, body: &Value) -> Reply {
        let bearer = format!("Bearer {}", self.key);
        self.send(line, &[("authorization", &bearer)], &body.to_string()).await
    }

    async fn done(&self, line: &str, body: Value) -> Value {
        self.ask(line, &body).await.expect(200).json()
    }

    /// A question of the standard.
    async fn access(&self, what: &str, body: Value) -> Value {
        let reply = self.ask(&format!("POST /access/v1/{what}"), &body).await.expect(200);
        assert_eq!(reply.header("content-type"), Some("application/json"));
        reply.json()
    }

    /// A person of the tenant.
    async fn person(&self, email: &str) -> String {
        let person = json!({ "identifiers": [email], "password": "correct horse" });
        let made = self.done("POST /v1/subjects", person).await;
        made["subject"].as_str().expect("an id").to_owned()
    }

    /// A role of one permission.
    async fn role(&self, role: &str, permission: &str) {
        self.done("POST /v1/roles", json!({ "name": role, "patterns": [permission] })).await;
    }

    async fn grant(&self, subject: &str, role: &str, workspace: Option<&str>) {
        let mut grant = json!({ "role": role });
        if let Some(workspace) = workspace {
            grant["workspace"] = workspace.into();
        }
        self.done(&format!("POST /v1/subjects/{subject}/grants"), grant).await;
    }

    /// A relationship model, with a permission that follows from being able to view a document.
    async fn documents(&self) {
        self.done("PUT /v1/relations/model", json!({ "model": MODEL })).await;
        self.map("docs.read", "can_view").await;
    }

    async fn map(&self, permission: &str, relation: &str) {
        let mapped = json!({ "permission": permission, "type": "document", "relation": relation });
        self.done("PUT /v1/relations/mappings", mapped).await;
    }

    async fn write(&self, user: &str, relation: &str, object: &str) {
        let tuple = json!({ "user": user, "relation": relation, "object": object });
        self.done("POST /v1/relations/tuples", json!({ "write": [tuple] })).await;
    }
}

/// A question about a person.
fn question(subject: (&str, &str), action: &str, resource: (&str, &str)) -> Value {
    json!({
        "subject": { "type": subject.0, "id": subject.1 },
        "action": { "name": action },
        "resource": { "type": resource.0, "id": resource.1 },
    })
}

fn decision(told: &Value) -> bool {
    told["decision"].as_bool().unwrap_or_else(|| panic!("no decision: {told}"))
}

fn reason(told: &Value) -> &str {
    told["context"]["reason"]["name"].as_str().unwrap_or_else(|| panic!("no reason: {told}"))
}
