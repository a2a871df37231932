//! Budgets: what a credential and a tenant may ask in a second, and how they are told.

use super::{House, Reply};
use crate::Limits;
use serde_json::json;

async fn until_over(house: &House, key: &str) -> (usize, Reply) {
    for asked in 0..200 {
        let reply = house.ask("GET /v1/me", key, None).await;
        if reply.status == 429 {
            return (asked, reply);
        }
        reply.expect(200);
    }
    panic!("no budget");
}

/// PROPERTY: a credential has its own budget of requests, whatever its connections; beyond it 429 with when to come
/// again and the limit's name, others are served, and time brings it back.
#[tokio::test(flavor = "multi_thread")]
async fn a_credential_has_a_budget() {
    let house =
        House::with(|config| config.limits = Limits { credential_per_second: 40, ..Limits::default() }).await;
    let (_, key) = house.tenant("acme").await;
    house.pass(1_000);
    let (_, session) = house.person(&key, "amy@example.org", "orders.read").await;
    house.pass(1_000);
    let (asked, over) = until_over(&house, &session).await;
    assert_eq!(asked, 40);
    assert_eq!(
        (over.code(), over.header("retry-after"), over.string("limit").as_str()),
        (301, "1", "credential_per_second")
    );
    assert_eq!(over.json()["bound"], 40);
    let wait = over.json()["retry_ms"].as_u64().expect("a wait");
    house.ask("GET /v1/me", &key, None).await.expect(200);
    house.pass(wait);
    house.ask("GET /v1/me", &session, None).await.expect(200);
    house.pass(1_000);
    // Each check of a batch counts: one request may go into debt, which is paid back first.
    let checks: Vec<_> = (0..100).map(|_| json!({ "permission": "orders.read" })).collect();
    house.ask("POST /v1/check-batch", &session, Some(json!({ "checks": checks }))).await.expect(200);
    let debt = house.ask("GET /v1/me", &session, None).await.expect(429);
    assert!(debt.json()["retry_ms"].as_u64().expect("a wait") > 1_000, "{debt:?}");
}

/// PROPERTY: a tenant's credentials share its budget; beyond it 429 with the limit's name, and another tenant is served.
/// TC-64 in part: requests.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_a_budget() {
    let house =
        House::with(|config| config.limits = Limits { tenant_per_second: 30, ..Limits::default() }).await;
    let (_, key) = house.tenant("acme").await;
    let (_, other) = house.tenant("other").await;
    let (_, session) = house.person(&key, "amy@example.org", "orders.read").await;
    house.pass(1_000);
    for _ in 0..20 {
        house.ask("GET /v1/me", &session, None).await.expect(200);
    }
    let (asked, over) = until_over(&house, &key).await;
    assert_eq!(asked, 10);
    assert_eq!(
        (over.code(), over.header("retry-after"), over.string("limit").as_str()),
        (301, "1", "tenant_per_second")
    );
    assert_eq!(over.json()["bound"], 30);
    house.ask("GET /v1/me", &session, None).await.expect(429);
    house.ask("GET /v1/me", &other, None).await.expect(200);
    house.pass(1_000);
    house.ask("GET /v1/me", &session, None).await.expect(200);
}

/// PROPERTY: a list pays for what it looks at, as over QUIC: a page over many places costs an eighth of them, whatever
/// of it is shown.
#[tokio::test(flavor = "multi_thread")]
async fn lists_pay_for_what_they_look_at() {
    let house =
        House::with(|config| config.limits = Limits { credential_per_second: 400, ..Limits::default() })
            .await;
    let (_, key) = house.tenant("acme").await;
    let (subject, _) = house.person(&key, "amy@example.org", "orders.read").await;
    let mut opened = 0;
    while opened < 800 {
        let reply = house.ask(&format!("POST /v1/subjects/{subject}/sessions"), &key, None).await;
        match reply.status {
            200 => opened += 1,
            _ => house.pass(1_000),
        }
    }
    house.pass(10_000);
    // Keys are looked for in all places, 800 of them: a hundred requests.
    for round in 0..4 {
        let reply = house.ask("GET /v1/keys", &key, None).await;
        assert_eq!(reply.status, 200, "round {round}: {reply:?}");
    }
    let over = house.ask("GET /v1/keys", &key, None).await.expect(429);
    assert_eq!(over.string("limit"), "credential_per_second");
    house.pass(2_000);
    house.ask("GET /v1/me", &key, None).await.expect(200);
}
