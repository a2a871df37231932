//! Several nodes behind one client: passed over, come back to, and spread over.

mod node;

use node::{Act, Node, permit};
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tessera_client::wire::{Frame, Outbox};
use tessera_client::{Balance, Client, ClientError, Config, Trust};
use tessera_model::{CheckQuery, PermissionId, PermissionRef, Receipt, WorkspaceRef};

const QUERY: CheckQuery<'static> = CheckQuery {
    handle: &[7; 40],
    permission: PermissionRef::Id(PermissionId(0)),
    workspace: WorkspaceRef::Tenant,
    at_least: Receipt { epoch: tessera_model::Epoch(0), revision: tessera_model::Revision(0) },
    address: None,
};

/// A node that counts what it is asked, and hangs up while it is down.
fn counting() -> (Node, Arc<AtomicUsize>, Arc<AtomicBool>) {
    let (asked, down) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (counted, is_down) = (Arc::clone(&asked), Arc::clone(&down));
    let node = Node::start(move |frame: &Frame<'_>, out: &mut Outbox| {
        if is_down.load(Ordering::SeqCst) {
            return Act::Hang;
        }
        counted.fetch_add(1, Ordering::SeqCst);
        out.decision(frame.header.request_id, &permit()).expect("written");
        Act::Answer
    });
    (node, asked, down)
}

/// A configuration for several nodes, each with its own certificate.
fn config(nodes: &[&Node]) -> Config {
    let pems: String = nodes.iter().map(|node| node.pem.as_str()).collect();
    let trust = Trust::roots_pem(pems.as_bytes()).expect("certificates");
    let mut config = Config::new(nodes[0].address, "localhost", trust);
    config.addresses = nodes.iter().map(|node| node.address).collect();
    config
}

async fn ask(client: &Client) -> bool {
    client.check(&QUERY).await.is_ok_and(|decision| decision.is_permit())
}

/// PROPERTY: an address that does not answer at all holds nobody up: the next one is tried beside it, long
/// before an attempt is given up. METHOD: a socket that is never read, then a node; a deadline below that of
/// one attempt.
#[tokio::test]
async fn a_silent_address_holds_nobody_up() {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let (node, ..) = counting();
    let mut config = config(&[&node]);
    config.addresses.insert(0, silent.local_addr().expect("an address"));
    config.deadline = Duration::from_secs(3);
    let mut client = Client::connect(config.clone()).await;
    // Only a busy machine needs another attempt: who is held up has none that succeeds.
    for _ in 0..20 {
        if client.is_ok() {
            break;
        }
        client = Client::connect(config.clone()).await;
    }
    assert!(ask(&client.expect("connected").with_deadline(Duration::from_secs(60))).await);
}

/// PROPERTY: calls go to the first node while it is there, to the second while it is not, and to the first
/// again when it is back; none fails on the way.
#[tokio::test]
async fn a_lost_node_is_passed_over_and_come_back_to() {
    let ((first, at_first, down), (second, at_second, _)) = (counting(), counting());
    let config = Config { look_home: Duration::from_millis(50), ..config(&[&first, &second]) };
    let client = Client::connect(config).await.expect("connected");
    for _ in 0..10 {
        assert!(ask(&client).await);
    }
    assert_eq!((at_first.load(Ordering::SeqCst), at_second.load(Ordering::SeqCst)), (10, 0));
    first.endpoint.set_server_config(None);
    down.store(true, Ordering::SeqCst);
    for _ in 0..10 {
        assert!(ask(&client).await);
    }
    assert_eq!((at_first.load(Ordering::SeqCst), at_second.load(Ordering::SeqCst)), (10, 10));
    down.store(false, Ordering::SeqCst);
    first.endpoint.set_server_config(Some(first.server.clone()));
    let back = async {
        while at_first.load(Ordering::SeqCst) == 10 {
            assert!(ask(&client).await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), back).await.expect("home again");
    // The connection that stood in is closed, when its calls have ended.
    let closed = async {
        while second.open.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), closed).await.expect("farewell");
}

/// PROPERTY: connections and calls are spread evenly over nodes that are alike.
#[tokio::test]
async fn calls_are_spread_over_nodes() {
    let ((first, at_first, _), (second, at_second, _)) = (counting(), counting());
    let spread = Config { balance: Balance::Spread, connections: 4, ..config(&[&first, &second]) };
    let client = Client::connect(spread).await.expect("connected");
    let all = async {
        while first.open.load(Ordering::SeqCst) < 2 || second.open.load(Ordering::SeqCst) < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("two connections each");
    // The seats are taken a moment after the nodes have counted them.
    while at_first.load(Ordering::SeqCst) == 0 || at_second.load(Ordering::SeqCst) == 0 {
        assert!(ask(&client).await);
    }
    let mut last = (0, 0);
    for _ in 0..1_000 {
        let before = (at_first.load(Ordering::SeqCst), at_second.load(Ordering::SeqCst));
        for _ in 0..40 {
            assert!(ask(&client).await);
        }
        let after = (at_first.load(Ordering::SeqCst), at_second.load(Ordering::SeqCst));
        last = (after.0 - before.0, after.1 - before.1);
        if last == (20, 20) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(last, (20, 20));
}

/// PROPERTY: a node whose certificate is not trusted is passed over like one that is away; when none is left it
/// is told at once, whatever the patience.
#[tokio::test]
async fn an_untrusted_node_is_passed_over() {
    let ((trusted, ..), (other, ..)) = (counting(), counting());
    let trust = Trust::roots_pem(trusted.pem.as_bytes()).expect("a certificate");
    let both = Config { trust: trust.clone(), ..config(&[&other, &trusted]) };
    assert!(ask(&Client::connect(both).await.expect("connected")).await);
    let (third, ..) = counting();
    let none = Config { trust, deadline: Duration::from_secs(3_600), ..config(&[&other, &third]) };
    assert!(matches!(Client::connect(none).await.err(), Some(ClientError::Untrusted(_))));
}
