//! Decisions, people and sessions, as an application asks for them.

use super::House;
use serde_json::json;
use tessera_model::Reason;

/// PROPERTY: who signs in may do what was granted, until the session ends; the answer says why.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_and_is_checked() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    let (subject, session) = house.person(&key, "amy@example.org", "orders.read").await;
    let asked = |permission: &str| json!({ "handle": session, "permission": permission });
    let permit = house.ask("POST /v1/check", &key, Some(asked("orders.read"))).await.expect(200).json();
    assert_eq!((&permit["decision"], &permit["reason_code"]), (&json!("permit"), &json!(0)));
    assert!(permit["valid_until_ms"].is_u64() && permit["seen"].is_string());
    let deny = house.ask("POST /v1/check", &key, Some(asked("orders.write"))).await.expect(200).json();
    assert_eq!((&deny["decision"], &deny["reason_code"]), (&json!("deny"), &json!(107)));
    // The session asks about itself, without naming itself.
    let own = house.ask("POST /v1/check", &session, Some(json!({ "permission": "orders.read" }))).await;
    assert_eq!(own.expect(200).json()["decision"], "permit");
    let batch = json!({ "handle": session, "checks": [{ "permission": "orders.read" }, { "permission": "orders.fly" }] });
    let batch = house.ask("POST /v1/check-batch", &key, Some(batch)).await.expect(200).json();
    assert_eq!(
        (&batch["decisions"][0]["decision"], &batch["decisions"][1]["decision"]),
        (&json!("permit"), &json!("deny"))
    );
    let ids = json!({ "permissions": ["orders.read", "orders.fly"] });
    let ids = house.ask("POST /v1/resolve", &key, Some(ids)).await.expect(200).json();
    assert!(ids["permissions"][0].as_u64() > Some(0) && ids["permissions"][1] == 0);
    let by_id = json!({ "handle": session, "permission": ids["permissions"][0] });
    assert_eq!(house.ask("POST /v1/check", &key, Some(by_id)).await.expect(200).json()["decision"], "permit");
    let all = house.ask("POST /v1/permissions", &session, Some(json!({}))).await.expect(200).json();
    assert_eq!(all["permissions"][0]["name"], "orders.read");
    // RFC 7662: a form, and never more than "not active" about what is dead.
    let form = [
        ("authorization", format!("Bearer {key}")),
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
    ];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let active =
        house.send("POST /v1/introspect", &form, &format!("token={session}")).await.expect(200).json();
    assert_eq!((&active["active"], &active["sub"]), (&json!(true), &json!(subject)));
    house.ask("DELETE /v1/me/session", &session, None).await.expect(200);
    let dead = house.send("POST /v1/introspect", &form, &format!("token={session}")).await.expect(200).json();
    assert_eq!(
        (&dead["active"], &dead["reason_code"], &dead["sub"]),
        (&json!(false), &json!(101), &json!(null))
    );
    assert_eq!(house.ask("GET /v1/me", &session, None).await.expect(401).code(), 405);
    let after = house.ask("POST /v1/check", &key, Some(asked("orders.read"))).await.expect(200).json();
    assert_eq!(after["reason"], "Revoked");
}

/// PROPERTY: an answer has seen the receipt that the caller has, or is not given.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_sees_at_least() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    let receipt =
        house.ask("POST /v1/permission-names", &key, Some(json!({ "name": "a.b" }))).await.expect(200);
    let seen = |at_least: String| json!({ "permission": "a.b", "at_least": at_least });
    house.ask("POST /v1/check", &key, Some(seen(receipt.string("receipt")))).await.expect(200);
    let ahead = house.ask("POST /v1/check", &key, Some(seen("1.1000000".to_owned()))).await.expect(503);
    assert_eq!((ahead.code(), ahead.header("retry-after")), (303, "1"));
    assert_eq!(ahead.json()["field"], "at_least");
    house.ask("POST /v1/check", &key, Some(seen("99.1".to_owned()))).await.expect(503);
    house.ask("POST /v1/check", &key, Some(seen("x".to_owned()))).await.expect(422);
}

/// PROPERTY: a person sees and ends its own sessions, and nobody else's; a new password ends the others.
/// TC-68 in part.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_keeps_its_own_sessions() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    let (subject, first) = house.person(&key, "amy@example.org", "orders.read").await;
    let (_, other) = house.person(&key, "bob@example.org", "orders.write").await;
    let second = house.sign_in(&key, "amy@example.org").await;
    let third = house.sign_in(&key, "amy@example.org").await;
    let list = house.ask("GET /v1/me/sessions?limit=2", &first, None).await.expect(200).json();
    assert_eq!(list["rows"].as_array().map(Vec::len), Some(2));
    let next = format!("GET /v1/me/sessions?limit=2&cursor={}", list["next"].as_str().expect("more"));
    let rest = house.ask(&next, &first, None).await.expect(200).json();
    assert_eq!((rest["rows"].as_array().map(Vec::len), rest["next"].is_null()), (Some(1), true));
    let of_bob = house.ask("GET /v1/me", &other, None).await.expect(200).string("session");
    let foreign = format!("DELETE /v1/me/sessions/{of_bob}");
    assert_eq!(house.ask(&foreign, &first, None).await.expect(404).code(), 208);
    let of_second = house.ask("GET /v1/me", &second, None).await.expect(200).string("session");
    house.ask(&format!("DELETE /v1/me/sessions/{of_second}"), &first, None).await.expect(200);
    house.ask("GET /v1/me", &second, None).await.expect(401);
    let (bearer, id) = (format!("Bearer {first}"), house.engine.command_id().to_string());
    let shown = [("authorization", bearer.as_str()), ("idempotency-key", id.as_str())];
    let ended = house.send("POST /v1/me/sessions/end-others", &shown, "").await.expect(200).json();
    assert_eq!(ended["ended"], 1);
    // One command under one id: a repeat has its receipt, and whoever signed in since stays.
    let later = house.sign_in(&key, "amy@example.org").await;
    let again = house.send("POST /v1/me/sessions/end-others", &shown, "").await.expect(200).json();
    assert_eq!((&again["receipt"], &again["repeated"]), (&ended["receipt"], &true.into()));
    let me = house.ask("GET /v1/me", &later, None).await.expect(200).string("session");
    house.ask(&format!("DELETE /v1/me/sessions/{me}"), &later, None).await.expect(200);
    // A key is no session, and has no others.
    assert_eq!(house.ask("POST /v1/me/sessions/end-others", &key, None).await.expect(403).code(), 200);
    let none = house.ask("POST /v1/me/sessions/end-others", &first, None).await.expect(200).json();
    assert!(none["ended"] == 0 && none["receipt"].is_string(), "{none}");
    house.ask("GET /v1/me", &third, None).await.expect(401);
    house.ask("GET /v1/me", &first, None).await.expect(200);
    let fourth = house.sign_in(&key, "amy@example.org").await;
    let wrong = json!({ "old": "wrong", "new": "battery staple" });
    assert_eq!(house.ask("POST /v1/me/password", &first, Some(wrong)).await.expect(403).code(), 215);
    let right = json!({ "old": "correct horse", "new": "battery staple" });
    house.ask("POST /v1/me/password", &first, Some(right)).await.expect(200);
    house.ask("GET /v1/me", &fourth, None).await.expect(401);
    house.ask("POST /v1/me/touch", &first, None).await.expect(200);
    // It reads what is its own subject's, and not its neighbour's.
    house.ask(&format!("GET /v1/subjects/{subject}"), &first, None).await.expect(200);
    house.ask(&format!("GET /v1/subjects/{subject}"), &other, None).await.expect(403);
    house.ask("DELETE /v1/me/sessions", &first, None).await.expect(200);
    house.ask("GET /v1/me", &first, None).await.expect(401);
}

/// PROPERTY: unknown and wrong are one answer; the time of an idle session comes.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_open_is_one_answer() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    let (_, session) = house.person(&key, "amy@example.org", "orders.read").await;
    let proof = |identifier: &str, password: &str| json!({ "identifier": identifier, "password": password });
    let mut answers = Vec::new();
    for (identifier, password) in
        [("amy@example.org", "wrong"), ("bob@example.org", "correct horse"), ("?", "x")]
    {
        let reply = house.ask("POST /v1/sign-in", &key, Some(proof(identifier, password))).await.expect(403);
        answers.push(reply.text);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    house.pass(3_601_000);
    house.ask("GET /v1/me", &session, None).await.expect(401);
}

/// PROPERTY: a reverse proxy is told who it is, or that nobody may pass; what the request brought is
/// overwritten; what does not read does not pass.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_asks_for_each_request() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    let (subject, session) = house.person(&key, "amy@example.org", "orders.read").await;
    let bearer = format!("Bearer {session}");
    let spoofed = [("authorization", bearer.as_str()), ("x-tessera-subject", "admin")];
    let pass = house.send("GET /v1/forward-auth?permission=orders.read", &spoofed, "").await.expect(200);
    assert_eq!(
        (pass.header("x-tessera-subject"), pass.header("x-tessera-kind")),
        (subject.as_str(), "session")
    );
    let deny = house.send("GET /v1/forward-auth?permission=orders.write", &spoofed, "").await.expect(403);
    assert_eq!(deny.headers.get("x-tessera-subject").map(String::as_str), Some(""));
    house.send("GET /v1/forward-auth?permission=orders.read", &[], "").await.expect(401);
    house.send("GET /v1/forward-auth?permission=", &spoofed, "").await.expect(422);
    house.send("GET /v1/forward-auth?permision=orders.read", &spoofed, "").await.expect(400);
    for line in ["GET /v1/ext-authz/orders.read/", "PUT /v1/ext-authz/orders.read/any/path?x=1&x=2"] {
        let pass = house.send(line, &spoofed, "").await.expect(200);
        assert_eq!(pass.header("x-tessera-permission"), "orders.read");
    }
    house.send("GET /v1/ext-authz/-/", &spoofed, "").await.expect(200);
    house.send("GET /v1/ext-authz/orders.write/", &spoofed, "").await.expect(403);
    house.send("GET /v1/ext-authz/orders.read", &spoofed, "").await.expect(404);
    house.send("GET /v1/ext-authz/%00/x", &spoofed, "").await.expect(404);
}

/// PROPERTY: a key that is bound to networks is used over HTTP from where its request came behind proxies that
/// are listed, as a credential, in forward authentication and in a check; a forged header of anybody else
/// counts for nothing. Its successor is bound alike, and the old key ends (F-32, F-34).
#[tokio::test]
async fn f_34_a_key_stays_in_its_networks_behind_proxies() {
    let house = House::with(|config| config.proxies = vec!["127.0.0.1".parse().expect("an address")]).await;
    let (_, admin) = house.tenant("acme").await;
    let (amy, _) = house.person(&admin, "amy@example.org", "orders.read").await;
    // Whoever makes a key for somebody else holds what it covers.
    let maker = house.ask("GET /v1/me", &admin, None).await.expect(200).string("subject");
    house
        .ask(&format!("POST /v1/subjects/{maker}/grants"), &admin, Some(json!({ "role": "amy" })))
        .await
        .expect(200);
    let path = format!("POST /v1/subjects/{amy}/keys");
    let expires = super::START_MS + 86_400_000;
    let make = |networks: serde_json::Value| json!({ "expires": expires, "patterns": ["orders.read"], "networks": networks });
    assert_eq!(house.ask(&path, &admin, Some(make(json!(["10.1.2.3/8"])))).await.status / 100, 4);
    let made = house.ask(&path, &admin, Some(make(json!(["10.0.0.0/8"])))).await.expect(200);
    let shown =
        house.ask(&format!("GET /v1/keys/{}", made.string("session")), &admin, None).await.expect(200);
    assert_eq!(shown.json()["networks"], json!(["10.0.0.0/8"]));
    let bearer = format!("Bearer {}", made.string("handle"));
    let asks = ["GET /v1/me", "GET /v1/forward-auth?permission=orders.read", "GET /v1/forward-auth"];
    for ask in asks {
        for (from, status) in [("10.1.2.3", 200), ("11.0.0.1", 401), ("10.1.2.3, 11.0.0.1", 401), ("", 401)] {
            let from = [("authorization", bearer.as_str()), ("x-forwarded-for", from)];
            let headers = if from[1].1.is_empty() { &from[..1] } else { &from[..] };
            assert_eq!(house.send(ask, headers, "").await.status, status, "{ask} {from:?}");
        }
    }
    let check = |said: serde_json::Value| json!({ "handle": made.string("handle"), "permission": "orders.read", "address": said });
    let ask = async |said| {
        house.ask("POST /v1/check", &admin, Some(check(said))).await.expect(200).json()["reason_code"].clone()
    };
    assert_eq!(ask(json!("10.9.9.9")).await, 0);
    assert_eq!(ask(json!("11.0.0.1")).await, u64::from(Reason::AddressNotAllowed.code()));
    let rotate = format!("POST /v1/keys/{}/rotate", made.string("session"));
    house.ask(&rotate, &admin, Some(json!({ "networks": ["0.0.0.0/0"] }))).await.expect(403);
    let second = house.ask(&rotate, &admin, Some(json!({}))).await.expect(200).string("handle");
    let from_ten =
        |key: &str| [("authorization", format!("Bearer {key}")), ("x-forwarded-for", "10.1.2.3".to_owned())];
    for (key, status) in [(second, 200), (made.string("handle"), 401)] {
        let headers = from_ten(&key);
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        house.send("GET /v1/me", &headers, "").await.expect(status);
    }
}
