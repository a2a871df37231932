//! Field cases of writes, names, keys and guesses over HTTP, by their ids.

use super::{House, Reply};
use serde_json::{Value, json};
use std::collections::BTreeMap;

async fn may(house: &House, asker: &str, handle: &str, permission: &str) -> String {
    let asked = json!({ "handle": handle, "permission": permission });
    house.ask("POST /v1/check", asker, Some(asked)).await.expect(200).string("decision")
}

/// Everything of an answer but the moment that it was given at.
fn whole(reply: &Reply) -> (u16, BTreeMap<String, String>, String) {
    let mut headers = reply.headers.clone();
    headers.remove("date");
    (reply.status, headers, reply.text.clone())
}

/// PROPERTY (F-20): a repeat under its key has the same receipt; what is there already is done without a new
/// revision, which is stated; a precondition that does not hold leaves nothing behind; what replaces goes in one
/// revision; each question of a batch has its own answer.
#[tokio::test(flavor = "multi_thread")]
async fn f_20_writes_are_done_once() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    let (subject, session) = house.person(&admin, "amy@example.org", "clinic.open").await;
    let (_, other) = house.person(&admin, "bob@example.org", "clinic.see").await;
    let role = json!({ "name": "night", "patterns": ["clinic.*"] });
    house.ask("POST /v1/roles", &admin, Some(role.clone())).await.expect(200);
    let path = format!("POST /v1/subjects/{subject}/grants");
    let (bearer, id) = (format!("Bearer {admin}"), house.engine.command_id().to_string());
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", id.as_str())];
    let grant = json!({ "role": "night" });
    let first = house.send(&path, &headers, &grant.to_string()).await.expect(200);
    let again = house.send(&path, &headers, &grant.to_string()).await.expect(200);
    assert_eq!(
        (first.string("receipt"), again.json()["repeated"].clone()),
        (again.string("receipt"), true.into())
    );
    // Another id, and the grant is there: done, and nothing has happened.
    let there = house.ask(&path, &admin, Some(grant)).await.expect(200);
    assert_eq!(
        (there.string("receipt"), there.json()["repeated"].clone()),
        (first.string("receipt"), false.into())
    );
    // A role of this name must not exist: refused, and nothing of it is there.
    let before = house.ask("GET /v1/roles/night", &admin, None).await.expect(200);
    let made = json!({ "name": "night", "patterns": ["orders.read"] });
    assert_eq!(house.ask("POST /v1/roles", &admin, Some(made)).await.expect(409).code(), 211);
    let after = house.ask("GET /v1/roles/night", &admin, None).await.expect(200);
    assert_eq!((before.text, before.headers["etag"].clone()), (after.text, after.headers["etag"].clone()));
    // What replaces goes in one step: no moment without it.
    let revision = |reply: &Reply| -> u64 {
        reply.string("receipt").split('.').nth(1).and_then(|text| text.parse().ok()).expect("a revision")
    };
    let put = json!({ "patterns": ["clinic.open", "clinic.close"] });
    let replaced = house.ask("PUT /v1/roles/night", &admin, Some(put)).await.expect(200);
    assert_eq!(revision(&replaced), revision(&first) + 1);
    let questions = json!({ "checks": [
        { "permission": "clinic.open", "handle": session }, { "permission": "clinic.open", "handle": other },
        { "permission": "clinic.open", "handle": session }, { "permission": "clinic.fly", "handle": session },
    ] });
    let answers = house.ask("POST /v1/check-batch", &admin, Some(questions)).await.expect(200).json();
    let decided: Vec<&Value> =
        answers["decisions"].as_array().expect("answers").iter().map(|one| &one["decision"]).collect();
    assert_eq!(decided, ["permit", "deny", "permit", "deny"]);
}

/// PROPERTY (F-32): a rotated key covers and lasts no more than the old one; the old one lives for the overlap, to
/// the second; somebody else's key is as one that is not there.
#[tokio::test(flavor = "multi_thread")]
async fn f_32_a_rotated_key_is_never_more() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    let (subject, session) = house.person(&admin, "amy@example.org", "orders.*").await;
    let (_, other) = house.person(&admin, "bob@example.org", "orders.read").await;
    let own = house.ask("GET /v1/me", &admin, None).await.expect(200).string("subject");
    house
        .ask(&format!("POST /v1/subjects/{own}/grants"), &admin, Some(json!({ "role": "amy" })))
        .await
        .expect(200);
    let asked = json!({ "expires": "2026-06-01T00:00:00Z", "patterns": ["orders.read"] });
    let made = house.ask(&format!("POST /v1/subjects/{subject}/keys"), &admin, Some(asked)).await.expect(200);
    let (key, old) = (made.string("session"), made.string("handle"));
    let rotate = format!("POST /v1/keys/{key}/rotate");
    let wider = json!({ "patterns": ["orders.*"] });
    house.ask(&rotate, &session, Some(wider)).await.expect(403);
    let longer = json!({ "expires": "2026-12-01T00:00:00Z" });
    house.ask(&rotate, &session, Some(longer)).await.expect(403);
    let foreign = house.ask(&rotate, &other, Some(json!({}))).await;
    let made_up = "POST /v1/keys/01a2157f-2efc-788e-b29a-57721e09a4f3/rotate";
    assert_eq!(whole(&foreign), whole(&house.ask(made_up, &other, Some(json!({}))).await));
    assert!(matches!(foreign.status, 403 | 404), "{foreign:?}");
    let next = house.ask(&rotate, &session, Some(json!({ "overlap_s": 60 }))).await.expect(200);
    assert_eq!(next.string("expires"), "2026-06-01T00:00:00Z");
    let shown =
        house.ask(&format!("GET /v1/keys/{}", next.string("session")), &admin, None).await.expect(200);
    assert_eq!(shown.json()["patterns"], json!(["orders.read"]));
    house.pass(59_000);
    house.ask("GET /v1/me", &old, None).await.expect(200);
    house.pass(1_000);
    house.ask("GET /v1/me", &old, None).await.expect(401);
    house.ask("GET /v1/me", &next.string("handle"), None).await.expect(200);
}

/// PROPERTY (F-36): what a deleted role or workspace gave is gone at the next question, its holders stay as they are,
/// and another one of its name begins with nobody.
#[tokio::test(flavor = "multi_thread")]
async fn f_36_a_name_again_is_another_thing() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    let (subject, session) = house.person(&admin, "amy@example.org", "orders.read").await;
    let check = async |place: Option<&str>| {
        let asked = json!({ "handle": session, "permission": "orders.read", "workspace": place });
        house.ask("POST /v1/check", &admin, Some(asked)).await.expect(200).string("decision")
    };
    assert_eq!(check(None).await, "permit");
    house.ask("DELETE /v1/roles/amy", &admin, None).await.expect(200);
    assert_eq!(check(None).await, "deny");
    let role = json!({ "name": "amy", "patterns": ["orders.read"] });
    house.ask("POST /v1/roles", &admin, Some(role)).await.expect(200);
    let grants = format!("GET /v1/subjects/{subject}/grants");
    assert_eq!(house.ask(&grants, &admin, None).await.expect(200).json()["rows"], json!([]));
    assert_eq!(check(None).await, "deny");
    let make = json!({ "name": "berlin" });
    house.ask("POST /v1/workspaces", &admin, Some(make.clone())).await.expect(200);
    let give = json!({ "role": "amy", "workspace": "berlin" });
    let path = format!("POST /v1/subjects/{subject}/grants");
    house.ask(&path, &admin, Some(give.clone())).await.expect(200);
    assert_eq!(check(Some("berlin")).await, "permit");
    house.ask("DELETE /v1/workspaces/berlin", &admin, None).await.expect(200);
    house.ask("POST /v1/workspaces", &admin, Some(make)).await.expect(200);
    assert_eq!(check(Some("berlin")).await, "deny");
    house.ask(&path, &admin, Some(give)).await.expect(200);
    assert_eq!(check(Some("berlin")).await, "permit");
}

/// PROPERTY (F-40): the same handle may what its subject may now, without a refresh, and lists the same.
#[tokio::test(flavor = "multi_thread")]
async fn f_40_a_handle_follows_its_grants() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    let (subject, session) = house.person(&admin, "amy@example.org", "orders.read").await;
    house
        .ask("POST /v1/roles", &admin, Some(json!({ "name": "boss", "patterns": ["orders.pay"] })))
        .await
        .expect(200);
    let listed = async || {
        let answer = house.ask("POST /v1/permissions", &session, Some(json!({}))).await.expect(200).json();
        let rows = answer["permissions"].as_array().expect("permissions").clone();
        rows.iter().any(|row| row["name"] == "orders.pay")
    };
    assert_eq!(
        (may(&house, &session, &session, "orders.pay").await.as_str(), listed().await),
        ("deny", false)
    );
    let path = format!("POST /v1/subjects/{subject}/grants");
    house.ask(&path, &admin, Some(json!({ "role": "boss" }))).await.expect(200);
    assert_eq!(
        (may(&house, &session, &session, "orders.pay").await.as_str(), listed().await),
        ("permit", true)
    );
    house.ask(&format!("{path}/remove"), &admin, Some(json!({ "role": "boss" }))).await.expect(200);
    assert_eq!(
        (may(&house, &session, &session, "orders.pay").await.as_str(), listed().await),
        ("deny", false)
    );
}

/// PROPERTY (F-41): who names a foreign tenant, wherever in a request, is told the same as of one that is not there,
/// byte for byte, and nothing changes there.
/// TC-57 in part.
#[tokio::test(flavor = "multi_thread")]
async fn f_41_a_foreign_tenant_is_as_none() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    let (_, other) = house.tenant("other").await;
    let (_, session) = house.person(&admin, "amy@example.org", "orders.read").await;
    let position = async || house.ask("GET /v1/me", &other, None).await.expect(200).string("seen");
    let before = position().await;
    let bearer = format!("Bearer {admin}");
    let own = ("authorization", bearer.as_str());
    let person = json!({ "identifiers": ["eve@example.org"] }).to_string();
    for content in ["", person.as_str()] {
        let (verb, path) =
            if content.is_empty() { ("GET", "/v1/subjects") } else { ("POST", "/v1/subjects") };
        let mut told = Vec::new();
        for foreign in ["other", "nobody"] {
            let host = format!("{foreign}.auth.example.com");
            for (line, headers) in [
                (format!("{verb} /t/{foreign}{path}"), vec![own]),
                (format!("{verb} {path}"), vec![own, ("x-tenant-id", foreign)]),
                (format!("{verb} {path}"), vec![own, ("host", host.as_str())]),
            ] {
                told.push(whole(&house.send(&line, &headers, content).await));
            }
        }
        assert_eq!(told[0].0, 401);
        assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
    }
    for verb in ["GET /v1/tenants/{}", "DELETE /v1/tenants/{}", "POST /v1/tenants/{}/suspend"] {
        // With the permission's name and without.
        for key in [&admin, &session] {
            let there = house.ask(&verb.replace("{}", "other"), key, None).await;
            assert_eq!(whole(&there), whole(&house.ask(&verb.replace("{}", "nobody"), key, None).await));
            assert!(matches!(there.status, 403 | 404), "{there:?}");
        }
    }
    assert_eq!(position().await, before);
}

/// PROPERTY (F-62): spellings of one identifier are one account, others are others; what was typed stays.
/// TC-9 in part.
#[tokio::test(flavor = "multi_thread")]
async fn f_62_spellings_are_one_account() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    let make = async |identifier: &str| {
        let person = json!({ "identifiers": [identifier], "password": "correct horse" });
        house.ask("POST /v1/subjects", &admin, Some(person)).await
    };
    let amy = make("Amy.Poe@EXAMPLE.org").await.expect(200).string("subject");
    let signs_in = async |identifier: &str| {
        let proof = json!({ "identifier": identifier, "password": "correct horse" });
        house.ask("POST /v1/sign-in", &admin, Some(proof)).await
    };
    assert_eq!(signs_in("amy.poe@example.org").await.expect(200).string("subject"), amy);
    assert_eq!(make("AMY.POE@example.org").await.expect(409).code(), 211);
    make("amypoe@example.org").await.expect(200);
    make("amy.poe+x@example.org").await.expect(200);
    let book = make("x@b\u{fc}cher.example").await.expect(200).string("subject");
    assert_eq!(signs_in("x@xn--bcher-kva.example").await.expect(200).string("subject"), book);
    let wide = make("\u{ff21}\u{ff4d}\u{ff59}").await.expect(200).string("subject");
    assert_eq!(signs_in("amy").await.expect(200).string("subject"), wide);
    let listed = house.ask(&format!("GET /v1/subjects/{amy}/identifiers"), &admin, None).await.expect(200);
    assert_eq!(listed.json()["rows"][0]["identifier"], "Amy.Poe@EXAMPLE.org");
}

/// PROPERTY (F-63): wrong passwords of a stranger cost the owner a wait that is told and no session, key or other
/// person; they are counted by identifier, whoever sends them; a forged header of a peer that is not listed chooses no
/// source.
#[tokio::test(flavor = "multi_thread")]
async fn f_63_a_stranger_does_not_lock_out_the_owner() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    let short = json!({ "sign_in_wait_s_max": 60, "source_failures_max": 40 });
    house.ask("PATCH /v1/settings", &admin, Some(short)).await.expect(200);
    let (subject, session) = house.person(&admin, "ann@example.org", "orders.read").await;
    house.person(&admin, "bob@example.org", "orders.read").await;
    let bearer = format!("Bearer {admin}");
    let tries = async |who: &str, password: &str, forged: &str| {
        let proof = json!({ "identifier": who, "password": password }).to_string();
        let headers = [("authorization", bearer.as_str()), ("x-forwarded-for", forged)];
        house.send("POST /v1/sign-in", &headers, &proof).await
    };
    let wait = |told: &Reply| told.json()["retry_ms"].as_u64().expect("a wait");
    for nth in 0..20 {
        let forged = format!("203.0.113.{nth}");
        let mut told = tries("ann@example.org", "wrong horse", &forged).await;
        if told.status == 429 {
            house.pass(wait(&told));
            told = tries("ann@example.org", "wrong horse", &forged).await;
        }
        assert_eq!(told.expect(403).code(), 215, "{nth}");
    }
    let told = tries("ann@example.org", "correct horse", "203.0.113.99").await.expect(429);
    assert!(wait(&told) <= 60_999, "{told:?}");
    let rows =
        house.ask(&format!("GET /v1/subjects/{subject}/identifiers"), &admin, None).await.expect(200).json();
    assert_eq!(rows["rows"][0]["failures"], 20, "{rows}");
    assert_eq!(may(&house, &admin, &session, "orders.read").await, "permit");
    house.sign_in(&admin, "bob@example.org").await;
    house.pass(wait(&told));
    house.sign_in(&admin, "ann@example.org").await;
    // One source over many accounts: it is told to wait under any header that it makes up.
    let mut refused = false;
    for nth in 0..60 {
        let forged = format!("198.51.100.{nth}");
        refused |= tries(&format!("user-{nth}@example.org"), "x", &forged).await.status == 429;
    }
    assert!(refused, "a forged header chose the source");
}
