//! Errors, identifiers of requests, and the discovery document.

use super::{House, decision, question};
use serde_json::{Value, json};

/// PROPERTY: without a credential it is 401, without the permission 403, in both cases before anything is looked up; a
/// request's identifier comes back with every answer, and where a session is used from is an address.
#[tokio::test]
async fn whoever_may_not_ask_is_told_nothing() {
    let house = House::open().await;
    let good = question(("user", "alice@example.com"), "docs.read", ("document", "1"));
    let paths = ["evaluation", "evaluations", "search/subject", "search/resource", "search/action"];
    house.person("alice@example.com").await;
    let proof = json!({ "identifier": "alice@example.com", "password": "correct horse" });
    let session = house.done("POST /v1/sign-in", proof).await["handle"].as_str().expect("one").to_owned();
    for path in paths {
        let line = format!("POST /access/v1/{path}");
        let id = [("x-request-id", "bfe9eb29-ab87-4ca3-be83-a1d5d8305716")];
        let told = house.send(&line, &id, &good.to_string()).await.expect(401);
        assert_eq!(told.header("x-request-id"), Some("bfe9eb29-ab87-4ca3-be83-a1d5d8305716"));
        assert!(told.header("www-authenticate").is_some_and(|scheme| scheme.starts_with("Bearer")));
        let bearer = format!("Bearer {session}");
        let told = house.send(&line, &[("authorization", &bearer)], &good.to_string()).await.expect(403);
        assert_eq!(told.header("x-request-id"), None);
        house.ask(&format!("GET /access/v1/{path}"), &Value::Null).await.expect(405);
        for (body, field) in [
            ("[]", ""),
            ("{", ""),
            (r#"{"subject":{"type":"user","id":"a"},"subject":{}}"#, "subject"),
            ("{}", "subject"),
        ] {
            let bearer = format!("Bearer {}", house.key);
            let told = house.send(&line, &[("authorization", &bearer)], body).await.expect(400);
            assert_eq!(told.field(), field, "{path} {body}");
        }
    }
    // Also with what the door refuses before anybody reads it.
    for line in ["GET /nowhere", "POST /v1/check", "DELETE /access/v1/evaluation"] {
        let told = house.send(line, &[("x-request-id", "7")], "").await;
        assert!(told.status >= 400 && told.header("x-request-id") == Some("7"), "{told:?}");
    }
    // Where a session is used from is said by whoever may say it, and is an address.
    let mut asked = question(("session", &session), "docs.read", ("tenant", "acme"));
    asked["subject"]["properties"] = json!({ "ip_address": "no address" });
    let told = house.ask("POST /access/v1/evaluation", &asked).await.expect(400);
    assert_eq!(told.field(), "subject/properties/ip_address");
}

/// PROPERTY: what is missing or of another type is named in a 400; what nobody knows is passed over.
#[tokio::test]
async fn what_does_not_read_is_named() {
    let house = House::open().await;
    let good = question(("user", "alice@example.com"), "docs.read", ("document", "1"));
    let mut strange = good.clone();
    strange["from_a_later_version"] = json!({ "deep": [[[1.5]]] });
    strange["subject"]["nickname"] = json!("al");
    strange["subject"]["properties"] = json!({ "ip_address": "no address", "department": "Sales" });
    assert!(!decision(&house.access("evaluation", strange).await));
    for (path, pointer, value, field) in [
        ("evaluation", "/subject", json!("alice"), "subject"),
        ("evaluation", "/subject/type", Value::Null, "subject/type"),
        ("evaluation", "/subject/id", json!(7), "subject/id"),
        ("evaluation", "/action", Value::Null, "action"),
        ("evaluation", "/action/name", json!(["a"]), "action/name"),
        ("evaluation", "/resource/id", Value::Null, "resource/id"),
        ("evaluation", "/resource/properties", json!(1), "resource/properties"),
        ("evaluation", "/resource/properties", json!({ "workspace": 1 }), "resource/properties/workspace"),
        ("evaluation", "/context", json!("now"), "context"),
        ("evaluations", "/evaluations", json!({}), "evaluations"),
        ("evaluations", "/evaluations", json!([1]), "evaluations/0"),
        (
            "evaluations",
            "/evaluations",
            json!([{}, { "resource": { "type": "b" } }]),
            "evaluations/1/resource/id",
        ),
        ("evaluations", "/evaluations", json!(vec![json!({}); 1_025]), "evaluations"),
        ("search/subject", "/resource/id", Value::Null, "resource/id"),
        ("search/resource", "/subject/id", Value::Null, "subject/id"),
        ("search/action", "/resource/type", Value::Null, "resource/type"),
        ("search/subject", "/page", json!([]), "page"),
        ("search/subject", "/page", json!({ "limit": -1 }), "page/limit"),
        ("search/subject", "/page", json!({ "limit": 1.5 }), "page/limit"),
        ("search/subject", "/page", json!({ "token": 1 }), "page/token"),
        ("search/subject", "/page", json!({ "token": "nonsense" }), "page/token"),
    ] {
        let mut bad = good.clone();
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        bad.pointer_mut(parent).expect("there")[name] = value;
        let told = house.ask(&format!("POST /access/v1/{path}"), &bad).await.expect(400);
        assert_eq!(told.field(), field, "{path} {pointer}");
    }
}

/// PROPERTY: options, content type and depth are held against the standard and the door's caps. TC-83 in part: JSON of
/// the standard's own endpoints.
#[tokio::test]
async fn options_and_contents_are_held_against_their_bounds() {
    let house = House::open().await;
    let good = question(("user", "alice@example.com"), "docs.read", ("document", "1"));
    let mut bad = good.clone();
    bad["evaluations"] = json!([{}]);
    for (options, field) in [
        (json!("all"), "options"),
        (json!({ "evaluations_semantic": "any" }), "options/evaluations_semantic"),
        (json!({ "evaluations_semantic": true }), "options/evaluations_semantic"),
    ] {
        bad["options"] = options;
        assert_eq!(house.ask("POST /access/v1/evaluations", &bad).await.expect(400).field(), field);
    }
    let bearer = format!("Bearer {}", house.key);
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        house.send("POST /access/v1/evaluation", &headers, &good.to_string()).await.expect(415);
    }
    let deep = format!("{{\"context\":{}1{}}}", "[".repeat(20), "]".repeat(20));
    house.send("POST /access/v1/evaluation", &[("authorization", &bearer)], &deep).await.expect(400);
}

/// PROPERTY: the document is found where the standard puts it, for host and path; its identifier is the one that it
/// was asked for; every endpoint that it names answers; it tells nobody which tenants there are.
#[tokio::test]
async fn the_discovery_document_is_where_the_standard_puts_it() {
    let house = House::open().await;
    let well_known = "GET /.well-known/authzen-configuration";
    let plain = house.send(well_known, &[("host", "pdp.example.com:8443")], "").await.expect(200);
    assert_eq!(plain.header("content-type"), Some("application/json"));
    let told = plain.json();
    assert_eq!(told["policy_decision_point"], "http://pdp.example.com:8443");
    assert_eq!(told["access_evaluation_endpoint"], "http://pdp.example.com:8443/access/v1/evaluation");
    assert_eq!(told["search_action_endpoint"], "http://pdp.example.com:8443/access/v1/search/action");
    let proxied = [("host", "acme.auth.example.com"), ("x-forwarded-proto", "https")];
    let told = house.send(well_known, &proxied, "").await.expect(200).json();
    assert_eq!(told["policy_decision_point"], "https://acme.auth.example.com");
    let below = |tenant: &str| format!("{well_known}/t/{tenant}");
    let [known, unknown] = [below("acme"), below("nobody")];
    let host = [("host", "pdp.example.com")];
    let told = house.send(&known, &host, "").await.expect(200);
    let other = house.send(&unknown, &host, "").await.expect(200);
    assert_eq!(told.text.replace("/t/acme", "/t/nobody"), other.text);
    let told = told.json();
    assert_eq!(told["policy_decision_point"], "http://pdp.example.com/t/acme");
    house.send(&known, &[("host", "other.auth.example.com")], "").await.expect(421);
    // Each of them is asked, below the prefix too.
    let asked = question(("user", "a"), "b", ("c", "d")).to_string();
    let bearer = format!("Bearer {}", house.key);
    for (name, url) in told.as_object().expect("members") {
        let url = url.as_str().expect("a URL");
        if name == "policy_decision_point" {
            continue;
        }
        assert!(name.starts_with("access_") || name.starts_with("search_"));
        let path = url.strip_prefix("http://pdp.example.com").expect("the same host");
        let headers = [("host", "pdp.example.com"), ("authorization", bearer.as_str())];
        house.send(&format!("POST {path}"), &headers, &asked).await.expect(200);
        let foreign = path.replace("/t/acme", "/t/nobody");
        house.send(&format!("POST {foreign}"), &headers, &asked).await.expect(401);
    }
    assert_eq!(told.as_object().expect("members").len(), 6);
}
