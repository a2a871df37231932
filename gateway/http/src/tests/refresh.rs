//! Refresh over HTTP: with a bearer token, in a browser's cookies, and the clients behind it.

use super::{House, Reply};
use serde_json::{Value, json};

/// A service's key that names a client `phone`, whose handles rotate.
async fn phone(house: &House, admin: &str) -> String {
    let made = json!({ "name": "phone", "refresh": "rotating", "session_idle_s": 600 });
    assert_eq!(house.ask("POST /v1/clients", admin, Some(made)).await.expect(200).json()["client"], 1);
    let machine = json!({ "kind": "machine" });
    let subject = house.ask("POST /v1/subjects", admin, Some(machine)).await.expect(200).string("subject");
    let service = json!({ "role": "tessera.service" });
    house.ask(&format!("POST /v1/subjects/{subject}/grants"), admin, Some(service)).await.expect(200);
    let patterns = ["tessera.sessions.open"];
    let key = json!({ "expires": "2026-06-01T00:00:00Z", "client": "phone", "patterns": patterns });
    house
        .ask(&format!("POST /v1/subjects/{subject}/keys"), admin, Some(key))
        .await
        .expect(200)
        .string("handle")
}

fn proof(cookie: bool) -> Option<Value> {
    Some(json!({ "identifier": "amy@example.org", "password": "correct horse", "cookie": cookie }))
}

async fn refresh(house: &House, key: &str, handle: &str) -> Reply {
    house.ask("POST /v1/refresh", key, Some(json!({ "refresh_handle": handle }))).await
}

/// The part of an answer's cookie of this name that a browser sends again.
fn cookie(reply: &Reply, name: &str) -> String {
    let set = reply.header("set-cookie").lines().find(|line| line.starts_with(&format!("{name}=")));
    let set = set.unwrap_or_else(|| panic!("no {name}: {reply:?}"));
    for part in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
        assert!(set.contains(part), "{set}");
    }
    set.split(';').next().unwrap_or_default().to_owned()
}

/// PROPERTY: a refresh moves the idle end and gives a successor; a lost reply is repeated byte for byte; what
/// was replaced ends the session after the grace; another client's key is refused and ends nothing (F-21).
#[tokio::test(flavor = "multi_thread")]
async fn f_21_a_family_over_http() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    let (_, foreign) = house.tenant("other").await;
    house.person(&admin, "amy@example.org", "orders.read").await;
    let key = phone(&house, &admin).await;
    // The default client's sessions have no refresh handle.
    let plain = house.ask("POST /v1/sign-in", &admin, proof(false)).await.expect(200);
    assert!(plain.json().get("refresh_handle").is_none() && plain.json().get("refresh_until").is_none());
    let opened = house.ask("POST /v1/sign-in", &key, proof(false)).await.expect(200);
    let (session, first) = (opened.string("handle"), opened.string("refresh_handle"));
    assert!(first.starts_with("tref_") && opened.json()["refresh_until_ms"].is_u64());
    house.pass(300_000);
    let refused = refresh(&house, &admin, &first).await.expect(403);
    assert_eq!(refused.code(), 238, "another client's");
    assert_eq!(refresh(&house, &foreign, &first).await.code(), 208, "another tenant's");
    assert_eq!(refresh(&house, &key, &session).await.code(), 227, "no refresh handle");
    let cut = first.get(..64).expect("a part");
    assert_eq!(refresh(&house, &key, cut).await.json()["field"], "refresh_handle");
    house.ask("POST /v1/refresh", &key, None).await.expect(422);
    let given = refresh(&house, &key, &first).await.expect(200);
    let second = given.string("refresh_handle");
    assert!(second != first && given.string("session") == opened.string("session"));
    let idle = |reply: &Reply| reply.json()["idle_until_ms"].as_u64();
    assert_eq!(idle(&given), idle(&opened).map(|end| end + 300_000));
    // The reply was lost: the same again.
    assert_eq!(refresh(&house, &key, &first).await.expect(200).string("refresh_handle"), second);
    let third = refresh(&house, &key, &second).await.expect(200).string("refresh_handle");
    // The session's own handle stays, and may be the credential for its refresh.
    house.ask("GET /v1/me", &session, None).await.expect(200);
    let fourth = refresh(&house, &session, &third).await.expect(200).string("refresh_handle");
    house.pass(10_000);
    assert_eq!(refresh(&house, &key, &second).await.expect(403).code(), 235);
    house.ask("GET /v1/me", &session, None).await.expect(401);
    assert_eq!(refresh(&house, &key, &fourth).await.expect(403).code(), 235);
}

/// PROPERTY: a refresh repeated under its own `Idempotency-Key` gives the same successor, byte for byte, within
/// the grace; past it the receipt without the secret, and never reuse; another client gets nothing by it. Twenty
/// at once leave one live successor (F-21, TC-17).
#[tokio::test(flavor = "multi_thread")]
async fn f_21_a_repeat_gives_the_same_successor() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    house.person(&admin, "amy@example.org", "orders.read").await;
    let key = phone(&house, &admin).await;
    let opened = house.ask("POST /v1/sign-in", &key, proof(false)).await.expect(200);
    let (session, first) = (opened.string("handle"), opened.string("refresh_handle"));
    let id = tessera_model::PublicId(house.engine.command_id().0).to_string();
    let again = async |key: &str| {
        let (bearer, body) = (format!("Bearer {key}"), json!({ "refresh_handle": first }).to_string());
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", id.as_str())];
        house.send("POST /v1/refresh", &headers, &body).await
    };
    let second = again(&key).await.expect(200).string("refresh_handle");
    let repeat = again(&key).await.expect(200);
    assert_eq!((repeat.string("refresh_handle"), &repeat.json()["repeated"]), (second.clone(), &json!(true)));
    assert_eq!(again(&admin).await.expect(403).code(), 238);
    house.pass(60_000);
    let late = again(&key).await.expect(200).json();
    assert_eq!((&late["repeated"], late.get("refresh_handle")), (&json!(true), None));
    house.ask("GET /v1/me", &session, None).await.expect(200);
    let (house, key) = (std::sync::Arc::new(house), std::sync::Arc::new(key));
    let mut twenty = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (house, key, second) =
            (std::sync::Arc::clone(&house), std::sync::Arc::clone(&key), second.clone());
        twenty.spawn(async move { refresh(&house, &key, &second).await });
    }
    let mut given = Vec::new();
    for reply in twenty.join_all().await {
        given.push(reply.expect(200).string("refresh_handle"));
    }
    given.dedup();
    assert_eq!(given.len(), 1, "one successor");
    refresh(&house, &key, &given.remove(0)).await.expect(200);
    house.ask("GET /v1/me", &session, None).await.expect(200);
}

/// PROPERTY: a browser's refresh handle stands in a cookie of its own, which a refresh replaces and which no
/// script sees; it needs the proofs of every change, and goes with the session.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_refreshes_by_its_cookies() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    house.person(&admin, "amy@example.org", "orders.read").await;
    let key = phone(&house, &admin).await;
    let opened = house.ask("POST /v1/sign-in", &key, proof(true)).await.expect(200);
    let (session, first) = (cookie(&opened, "__Host-tessera"), cookie(&opened, "__Host-tessera-refresh"));
    assert!(!opened.text.contains("tref_") && !opened.text.contains("tess_"), "{}", opened.text);
    let token = opened.string("csrf_token");
    let ask = async |refresh: &str, token: &str| {
        let both = format!("{session}; {refresh}");
        house.send("POST /v1/refresh", &[("cookie", &both), ("x-csrf-token", token)], "").await
    };
    assert_eq!(ask(&first, "0").await.expect(403).string("field"), "x-csrf-token");
    ask(&format!("{first}; {first}"), &token).await.expect(400);
    ask("other=1", &token).await.expect(422);
    ask("__Host-tessera-refresh=tref_x", &token).await.expect(422);
    let given = ask(&first, &token).await.expect(200);
    let second = cookie(&given, "__Host-tessera-refresh");
    assert!(second != first && !given.text.contains("tref_"), "{}", given.text);
    assert_eq!(cookie(&ask(&first, &token).await.expect(200), "__Host-tessera-refresh"), second);
    // A bearer token's refresh never reads a cookie.
    let held = session.split_once('=').map(|(_, handle)| format!("Bearer {handle}")).expect("a handle");
    let headers = [("cookie", second.as_str()), ("authorization", held.as_str())];
    house.send("POST /v1/refresh", &headers, "").await.expect(422);
    ask(&second, &token).await.expect(200);
    let gone =
        house.send("DELETE /v1/me/session", &[("cookie", &session), ("x-csrf-token", &token)], "").await;
    let set = gone.expect(200).header("set-cookie").to_owned();
    assert!(set.lines().count() == 2 && set.lines().all(|line| line.contains("Max-Age=0")), "{set}");
}

/// PROPERTY: clients are made, read, changed and deleted, refresh keys rotated and listed; bad terms are
/// refused; beyond a limit the oldest session is named as it goes, or the new one is refused.
#[tokio::test(flavor = "multi_thread")]
async fn clients_limits_and_keys() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    house.person(&admin, "amy@example.org", "orders.read").await;
    let key = phone(&house, &admin).await;
    let named = |reply: Reply| (reply.status, reply.json()["code"].as_u64());
    let again = json!({ "name": "phone" });
    assert_eq!(named(house.ask("POST /v1/clients", &admin, Some(again)).await), (409, Some(211)));
    let short = json!({ "name": "kiosk", "session_ttl_s": 59 });
    assert_eq!(named(house.ask("POST /v1/clients", &admin, Some(short)).await), (422, Some(218)));
    let word = json!({ "refresh": "sometimes" });
    let told = house.ask("PATCH /v1/clients/phone", &admin, Some(word)).await;
    assert_eq!((told.status, told.string("field")), (422, "refresh".to_owned()));
    assert_eq!(named(house.ask("GET /v1/clients/desk", &admin, None).await), (404, Some(239)));
    let limit = json!({ "sessions_max": 1, "over_limit": "evict" });
    house.ask("PATCH /v1/clients/phone", &admin, Some(limit)).await.expect(200);
    let read = house.ask("GET /v1/clients/phone", &admin, None).await.expect(200);
    assert_eq!(
        read.json(),
        json!({ "id": 1, "name": "phone", "refresh": "rotating", "session_ttl_s": 0, "session_idle_s": 600,
            "refresh_ttl_s": 0, "sessions_max": 1, "over_limit": "evict" })
    );
    // What was seen otherwise is not changed.
    let bearer = format!("Bearer {admin}");
    let seen = [("authorization", bearer.as_str()), ("if-match", "\"x\"")];
    house.send("DELETE /v1/clients/phone", &seen, "").await.expect(412);
    let keys = house.ask("GET /v1/keys", &admin, None).await.expect(200).json();
    assert!(keys["rows"].as_array().expect("rows").iter().any(|row| row["client"] == "phone"), "{keys}");
    let first = house.ask("POST /v1/sign-in", &key, proof(false)).await.expect(200);
    assert!(first.json().get("evicted").is_none());
    let second = house.ask("POST /v1/sign-in", &key, proof(false)).await.expect(200);
    assert_eq!(second.json()["evicted"], json!([first.string("session")]));
    house.ask("GET /v1/me", &first.string("handle"), None).await.expect(401);
    let refuse = json!({ "over_limit": "refuse" });
    house.ask("PATCH /v1/clients/phone", &admin, Some(refuse)).await.expect(200);
    assert_eq!(named(house.ask("POST /v1/sign-in", &key, proof(false)).await), (409, Some(240)));
    // The keys rotate and nobody is signed out; at once, they take their families along.
    let rotate = async |now: bool| {
        house
            .ask("POST /v1/refresh-keys/rotate", &admin, Some(json!({ "now": now })))
            .await
            .expect(200)
            .json()
    };
    assert_eq!(rotate(false).await["number"], 2);
    let listed = house.ask("GET /v1/refresh-keys", &admin, None).await.expect(200).json();
    assert_eq!((&listed["rows"][0]["current"], &listed["rows"][1]["current"]), (&json!(false), &json!(true)));
    let given = refresh(&house, &key, &second.string("refresh_handle")).await.expect(200);
    assert_eq!(rotate(true).await["number"], 3);
    assert_eq!(refresh(&house, &key, &given.string("refresh_handle")).await.code(), 208);
    house.ask("GET /v1/me", &second.string("handle"), None).await.expect(401);
    house.ask("DELETE /v1/clients/phone", &admin, None).await.expect(200);
    assert_eq!(named(house.ask("POST /v1/sign-in", &key, proof(false)).await), (404, Some(239)));
    // The settings name the modes in words.
    let set = json!({ "refresh": "fixed", "sessions_over_limit": "evict" });
    let set = house.ask("PATCH /v1/settings", &admin, Some(set)).await.expect(200).json();
    assert_eq!((&set["refresh"], &set["sessions_over_limit"]), (&json!("fixed"), &json!("evict")));
    let zero = json!({ "refresh_ttl_s": 0 });
    assert_eq!(named(house.ask("PATCH /v1/settings", &admin, Some(zero)).await), (422, Some(218)));
    let number = json!({ "refresh": 1 });
    house.ask("PATCH /v1/settings", &admin, Some(number)).await.expect(422);
}

/// PROPERTY: refreshes are budgeted by where they come from; beyond it 429, and nothing happens to the family.
#[tokio::test(flavor = "multi_thread")]
async fn refreshes_have_a_budget_by_source() {
    let house = House::with(|config| config.limits.refreshes_per_second = 1).await;
    let (_, admin) = house.tenant("acme").await;
    house.person(&admin, "amy@example.org", "orders.read").await;
    let key = phone(&house, &admin).await;
    let opened = house.ask("POST /v1/sign-in", &key, proof(false)).await.expect(200);
    let first = opened.string("refresh_handle");
    let mut forged = first.clone().into_bytes();
    // Another letter inside: the check sum tells it before anything is asked.
    forged[20] ^= 1;
    let forged = String::from_utf8(forged).expect("text");
    refresh(&house, &key, &forged).await.expect(422);
    refresh(&house, &key, &first).await.expect(200);
    refresh(&house, &key, &first).await.expect(429);
    house.pass(1_001);
    refresh(&house, &key, &first).await.expect(200);
}
