//! Field cases over HTTP: what people reported about comparable products, by their ids.

use super::House;
use serde_json::{Value, json};
use tessera_model::{CommandId, PublicId};

/// What a check over HTTP says about a handle.
async fn may(house: &House, asker: &str, handle: &str, permission: &str) -> Value {
    let asked = json!({ "handle": handle, "permission": permission });
    house.ask("POST /v1/check", asker, Some(asked)).await.expect(200).json()
}

/// A key of a subject that may read orders. Its maker must be able to read them too.
async fn make_key(house: &House, admin: &str, subject: &str) -> String {
    let own = house.ask("GET /v1/me", admin, None).await.expect(200).string("subject");
    let path = format!("POST /v1/subjects/{own}/grants");
    house.ask(&path, admin, Some(json!({ "role": "amy" }))).await;
    let asked = json!({ "expires": "2026-06-01T00:00:00Z", "patterns": ["orders.read"] });
    let path = format!("POST /v1/subjects/{subject}/keys");
    house.ask(&path, admin, Some(asked)).await.expect(200).string("handle")
}

/// PROPERTY (F-24): what the answer says is when the session ends, to the millisecond; a touch moves the
/// idle end and never the absolute one.
#[tokio::test(flavor = "multi_thread")]
async fn f_24_ends_are_what_the_answer_says() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    house.ask("PATCH /v1/settings", &admin, Some(json!({ "session_idle_s": 120 }))).await.expect(200);
    house.person(&admin, "amy@example.org", "orders.read").await;
    let proof = json!({ "identifier": "amy@example.org", "password": "correct horse" });
    let made = house.ask("POST /v1/sign-in", &admin, Some(proof)).await.expect(200).json();
    let begun = house.engine.now().0;
    assert_eq!(
        (&made["expires_ms"], &made["idle_until_ms"]),
        (&(begun + 86_400_000).into(), &(begun + 120_000).into())
    );
    let handle = made["handle"].as_str().expect("a handle");
    let first = may(&house, &admin, handle, "orders.read").await;
    assert_eq!((&first["decision"], &first["valid_until_ms"]), (&"permit".into(), &(begun + 120_000).into()));
    house.pass(100_000);
    let touched = house.ask("POST /v1/me/touch", handle, None).await.expect(200).json();
    assert_eq!(touched["idle_until_ms"], begun + 220_000);
    house.pass(119_999);
    assert_eq!(may(&house, &admin, handle, "orders.read").await["decision"], "permit");
    house.pass(1);
    assert_eq!(may(&house, &admin, handle, "orders.read").await["decision"], "deny");
    house.ask("GET /v1/me", handle, None).await.expect(401);
}

/// PROPERTY (F-26): who changes a password throws out everybody else, and keeps the keys; a reset by an
/// admin that clears it throws out everybody.
#[tokio::test(flavor = "multi_thread")]
async fn f_26_a_new_password_throws_out_the_others() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    let (subject, own) = house.person(&admin, "amy@example.org", "orders.read").await;
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(house.sign_in(&admin, "amy@example.org").await);
    }
    let keys = [make_key(&house, &admin, &subject).await, make_key(&house, &admin, &subject).await];
    let change = json!({ "old": "correct horse", "new": "battery staple" });
    house.ask("POST /v1/me/password", &own, Some(change)).await.expect(200);
    for other in &others {
        assert_eq!(may(&house, &admin, other, "orders.read").await["reason"], "Revoked");
    }
    for alive in [&own, &keys[0], &keys[1]] {
        assert_eq!(may(&house, &admin, alive, "orders.read").await["decision"], "permit");
    }
    let reset = json!({ "expires": "2026-01-01T12:00:00Z", "clear": true });
    house.ask(&format!("POST /v1/subjects/{subject}/password/reset"), &admin, Some(reset)).await.expect(200);
    house.ask("GET /v1/me", &own, None).await.expect(401);
}

/// PROPERTY (F-27): a clock that is a little ahead is let pass; one that is far ahead is told so.
#[tokio::test(flavor = "multi_thread")]
async fn f_27_a_clock_a_little_ahead_is_no_error() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    let bearer = format!("Bearer {admin}");
    for (ahead_ms, status) in [(9_000, 200), (11_000, 400)] {
        let id = CommandId(PublicId::new(house.engine.now().0 + ahead_ms, [7; 10]).0).to_string();
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", id.as_str())];
        let name = json!({ "name": format!("a.{ahead_ms}") }).to_string();
        let reply = house.send("POST /v1/permission-names", &headers, &name).await.expect(status);
        if status == 400 {
            assert_eq!((reply.code(), reply.string("field")), (213, "idempotency-key".to_owned()));
        }
    }
}

/// PROPERTY (F-29): a key of a suspended subject opens nothing from the answer on, is not deleted, and
/// opens again at once; of a deleted subject never.
#[tokio::test(flavor = "multi_thread")]
async fn f_29_a_key_sleeps_with_its_owner() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    let (subject, _) = house.person(&admin, "amy@example.org", "orders.read").await;
    let key = make_key(&house, &admin, &subject).await;
    let order = |verb: &'static str, what: &'static str| {
        let (house, admin, subject) = (&house, &admin, &subject);
        async move { house.ask(&format!("{verb} /v1/subjects/{subject}{what}"), admin, None).await.expect(200) }
    };
    order("POST", "/suspend").await;
    house.ask("GET /v1/me", &key, None).await.expect(401);
    assert_eq!(may(&house, &admin, &key, "orders.read").await["decision"], "deny");
    order("POST", "/resume").await;
    house.ask("GET /v1/me", &key, None).await.expect(200);
    assert_eq!(may(&house, &admin, &key, "orders.read").await["decision"], "permit");
    order("DELETE", "").await;
    house.ask("GET /v1/me", &key, None).await.expect(401);
    assert_eq!(may(&house, &admin, &key, "orders.read").await["decision"], "deny");
}

/// PROPERTY (F-31): a key may what its mask says and no more, whatever its owner may or comes to.
#[tokio::test(flavor = "multi_thread")]
async fn f_31_a_mask_comes_before_the_owner() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    let (subject, _) = house.person(&admin, "amy@example.org", "orders.*").await;
    for name in ["orders.read", "orders.write"] {
        house.ask("POST /v1/permission-names", &admin, Some(json!({ "name": name }))).await.expect(200);
    }
    let path = format!("POST /v1/subjects/{subject}/grants");
    house.ask(&path, &admin, Some(json!({ "role": "tessera.admin" }))).await.expect(200);
    let key = make_key(&house, &admin, &subject).await;
    assert_eq!(may(&house, &key, &key, "orders.read").await["decision"], "permit");
    let denied = may(&house, &key, &key, "orders.write").await;
    assert_eq!((&denied["decision"], &denied["reason"]), (&"deny".into(), &"Restricted".into()));
    let wide = json!({ "expires": "2026-06-01T00:00:00Z", "patterns": ["*"] });
    house.ask(&format!("POST /v1/subjects/{subject}/keys"), &key, Some(wide)).await.expect(403);
    house.ask("GET /v1/subjects", &key, None).await.expect(403);
}
