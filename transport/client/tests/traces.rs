//! What the client tells a collector of traces: connections, and each call with what became of it.

mod node;

use node::{Act, Node, permit};
use std::fmt::{Debug, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tessera_client::{Client, Config};
use tessera_model::{CheckQuery, PermissionRef, Receipt, WorkspaceRef};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// How long is tried what cannot be done: many times as long as a try takes.
const LONG: Duration = Duration::from_secs(4);

/// Keeps every span and event of the client as a line.
#[derive(Clone, Default)]
struct Collector {
    lines: Arc<Mutex<Vec<String>>>,
    spans: Arc<AtomicU64>,
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).expect("a string");
    }
}

impl Collector {
    fn keep(&self, line: Line) {
        self.lines.lock().expect("no panic").push(line.0);
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("tessera_client")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line(span.metadata().name().to_owned());
        span.record(&mut line);
        self.keep(line);
        Id::from_u64(self.spans.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn record(&self, _span: &Id, values: &Record<'_>) {
        let mut line = Line("record".to_owned());
        values.record(&mut line);
        self.keep(line);
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.keep(line);
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// PROPERTY: a node that says that its tenant wakes is no trouble while it wakes; one that says so for long is told
/// once. In no line stands more than an address and what it answered.
#[tokio::test]
async fn a_waking_tenant_is_no_warning() {
    let collector = Collector::default();
    let _guard = tracing::subscriber::set_default(collector.clone());
    let node = Node::start(|_, _| Act::Silence);
    node.waking.store(4, Ordering::SeqCst);
    let client = Client::connect(node.config()).await.expect("connected in the end");
    client.close().await;
    let lines = collector.lines.lock().expect("no panic").clone();
    assert!(lines.iter().any(|line| line.starts_with("DEBUG") && line.contains("waking")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("WARN") || line.contains("Fault {")), "{lines:?}");
    node.waking.store(usize::MAX, Ordering::SeqCst);
    assert!(Client::connect(Config { deadline: LONG, ..node.config() }).await.is_err());
    let lines = collector.lines.lock().expect("no panic").clone();
    assert_eq!(lines.iter().filter(|line| line.starts_with("WARN")).count(), 1, "{lines:?}");
}

/// PROPERTY: a call is a span with what was asked and what became of it; a connection that is made and one that
/// cannot be are events; no handle and no permission stands in any of them.
/// TC-74 in part: traces; TC-120 in part.
#[tokio::test]
async fn calls_and_connections_are_told() {
    let collector = Collector::default();
    let _guard = tracing::subscriber::set_default(collector.clone());
    let node = Node::start(|frame, out| {
        out.decision(frame.header.request_id, &permit()).expect("written");
        Act::Answer
    });
    let client = Client::connect(node.config()).await.expect("connected");
    let query = CheckQuery {
        handle: &[7; 40],
        permission: PermissionRef::Name("orders.secret"),
        workspace: WorkspaceRef::Tenant,
        at_least: Receipt::default(),
        address: None,
    };
    assert!(client.check(&query).await.expect("an answer").is_permit());
    let other = Node::start(|_, _| Act::Silence);
    let wrong = Config { addresses: vec![other.address], deadline: LONG, ..node.config() };
    assert!(Client::connect(wrong).await.is_err());
    let lines = collector.lines.lock().expect("no panic").clone();
    let has = |part: &str| lines.iter().any(|line| line.contains(part));
    assert!(has("call what=\"check\"") && has("record outcome=\"answered\""), "{lines:?}");
    assert!(
        has("INFO message=connected to a node") && has("WARN message=no connection to a node"),
        "{lines:?}"
    );
    assert!(!has("orders.secret") && !has("7, 7, 7"), "{lines:?}");
}
