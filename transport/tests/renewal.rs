//! Credentials that are renewed under a client that keeps asking, and nodes that come and go.

use crate::support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use support::{House, query};
use tessera_client::wire::Request;
use tessera_client::{Client, ClientError, Config};
use tessera_model::{Deadline, Handle, Pattern, Private, PublicId};

/// A key of the admin for itself.
async fn key(admin: &Client) -> (String, PublicId) {
    let (subject, _) = admin.hello().bound.expect("bound");
    let made = admin
        .request(&Request::CreateKey {
            client: None,
            subject,
            patterns: vec![Pattern::new("tessera.*").expect("a pattern")],
            expires: Deadline(admin.node_time().to_deadline().0 + 3_600),
            description: Private::new(b"rotated".to_vec()),
            networks: Vec::new(),
        })
        .await
        .expect("made");
    (made.handle_text().expect("a handle"), made.session.expect("an id"))
}

/// PROPERTY: a service's key is renewed twenty times, each old one revoked as soon as the client uses the new one,
/// and no check of the many that run meanwhile fails; a key that opens nothing, or of another tenant, changes
/// nothing. METHOD: two connections, four callers that ask without a pause.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_credential_fails_no_check() {
    let house = House::open().await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    let other = house.tenant(&operator, "other").await;
    acme.person("amy@example.org", "reader", &["orders.read"]).await;
    let (handle, _) = acme.session("amy@example.org").await;
    let (text, mut id) = key(&acme.client).await;
    let config = Config { connections: 2, ..house.config(Some(text)) };
    let service = Client::connect(config).await.expect("connected");
    let (over, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (service, over, asked) = (service.clone(), Arc::clone(&over), Arc::clone(&asked));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let decision = service.check(&query(&handle, "orders.read")).await.expect("an answer");
                    assert!(decision.is_permit(), "{decision:?}");
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for _ in 0..20 {
        let (fresh, next) = key(&acme.client).await;
        service.renew(&fresh).await.expect("renewed");
        acme.client.request(&Request::RevokeKey { key: id }).await.expect("revoked");
        id = next;
    }
    let wrong = Handle { secret: [3; 20], ..Handle::parse_text(&acme.key).expect("a handle") };
    assert_eq!(service.renew(&wrong.to_text()).await.expect_err("refused").code(), Some(405));
    for bad in ["tkey_x", &other.key] {
        assert!(matches!(service.renew(bad).await, Err(ClientError::BadConfig(_))), "{bad}");
    }
    assert!(service.check(&query(&handle, "orders.read")).await.is_ok());
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.expect("no check failed");
    }
    println!("{} checks over 20 renewals", asked.load(Ordering::Relaxed));
    // The connections of before were told goodbye: the service has two, and one for each other client.
    let mut open = u64::MAX;
    for _ in 0..6_000 {
        open = house.door.figures().connections_open;
        if open <= 2 + 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(open <= 2 + 3, "{open} connections are left");
}
