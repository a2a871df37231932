//! Policies over HTTP: set on a condition, told with line and column, asked by checks and explanations.

use super::House;
use serde_json::{Value, json};

const SCHEMA: &str = r#"
    entity Tenant; entity Workspace in [Workspace, Tenant]; entity Role in [Role]; entity Group in [Group];
    entity User in [Group, Role] = { kind: String };
    entity Doc = { size: Long };
    action "docs.read" appliesTo { principal: [User], resource: [Doc, Tenant], context: { n?: Long, ip?: ipaddr } };"#;
const POLICIES: &str = r#"
    @id("small") permit (principal, action, resource is Doc) when { resource.size < 10 };
    @id("later") forbid (principal, action, resource) when { context has n && context.n > 3 };"#;

/// PROPERTY: what is wrong is refused with its field, line and column, and nothing happens; what is right is told as it was
/// set, on the condition of its tag and its version; checks say what the policies say, and explanations which of them.
#[tokio::test(flavor = "multi_thread")]
async fn policies_are_set_told_and_asked() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    let (subject, session) = house.person(&key, "amy@example.org", "guests.enter").await;
    let name = json!({ "name": "docs.read" });
    house.ask("POST /v1/permission-names", &key, Some(name)).await.expect(200);
    let put = async |content: Value| house.ask("PUT /v1/policies", &key, Some(content)).await;
    let before = house.ask("GET /v1/policies", &key, None).await.expect(200);
    let told = before.json();
    assert_eq!((&told["version"], &told["built_in_schema"]), (&json!(0), &json!(true)));
    assert!(told["schema"].as_str().is_some_and(|text| text.contains("\"docs.read\"")), "{told}");
    for (content, status, code, field) in [
        (json!({ "policies": "permit (" }), 422, 291, "policies"),
        (
            json!({ "policies": "permit (principal, action, resource)\nwhen { context.m };", "schema": SCHEMA }),
            422,
            291,
            "policies",
        ),
        (json!({ "schema": "entity User = { a: Nothing };" }), 422, 290, "schema"),
        (json!({ "policies": 7 }), 422, 227, "policies"),
        (json!({ "failing_forbid": "maybe" }), 422, 227, "failing_forbid"),
        (json!({ "version": -1 }), 422, 227, "version"),
        (json!({ "policies": " ".repeat(100_000) }), 409, 220, ""),
    ] {
        let reply = put(content).await.expect(status);
        assert_eq!(reply.code(), code, "{reply:?}");
        if !field.is_empty() {
            assert_eq!(reply.string("field"), field);
        }
        if code == 291 {
            assert!(
                reply.json()["line"].is_u64() && reply.json()["faults"][0]["column"].is_u64(),
                "{reply:?}"
            );
        }
    }
    let tried =
        json!({ "policies": "permit (principal, action, resource) when { context.m };", "schema": SCHEMA });
    let tried = house.ask("POST /v1/policies/try", &key, Some(tried)).await.expect(200).json();
    assert_eq!((&tried["valid"], &tried["faults"][0]["line"]), (&json!(false), &json!(1)));
    let set = json!({ "policies": POLICIES, "schema": SCHEMA, "version": 0 });
    assert_eq!(put(set.clone()).await.expect(200).json()["version"], 1);
    let mut stale = set.clone();
    stale["policies"] = json!("");
    assert_eq!(put(stale).await.expect(409).code(), 292);
    let told = house.ask("GET /v1/policies", &key, None).await.expect(200);
    assert_eq!((&told.json()["policies"], &told.json()["count"]), (&json!(POLICIES), &json!(2)));
    assert_ne!(told.headers.get("etag"), before.headers.get("etag"));

    let entity = |size: Value| json!({ "uid": { "type": "Doc", "id": "1" }, "attrs": { "size": size } });
    let store = async |content: Value| house.ask("POST /v1/policies/entities", &key, Some(content)).await;
    for (bad, status, code) in [
        (json!([entity(json!("x"))]), 422, 294),
        (json!([entity(json!(1.5))]), 422, 227),
        (json!([{ "uid": { "type": "User", "id": "x" }, "attrs": { "kind": "person" } }]), 409, 226),
        (json!([{ "uid": { "type": "Doc" } }]), 422, 294),
        (json!({}), 422, 227),
    ] {
        assert_eq!(store(json!({ "entities": bad })).await.expect(status).code(), code, "{bad}");
    }
    store(json!({ "entities": [entity(json!(7))] })).await.expect(200);
    let listed = house.ask("GET /v1/policies/entities", &key, None).await.expect(200).json();
    assert_eq!(listed["rows"][0]["entity"]["attrs"], json!({ "size": 7 }));

    let check = async |more: Value| {
        let mut content = json!({ "permission": "docs.read", "handle": session });
        for (member, value) in more.as_object().expect("an object") {
            content[member] = value.clone();
        }
        house.ask("POST /v1/check", &key, Some(content)).await
    };
    for (more, reason) in [
        (json!({ "resource": "Doc:1" }), "None"),
        (json!({ "resource": "Doc:1", "context": { "n": 3 } }), "None"),
        (json!({ "resource": "Doc:1", "context": { "n": 4 } }), "PolicyForbids"),
        (json!({ "resource": "Doc:2" }), "NotGranted"),
        (json!({ "context": {} }), "NotGranted"),
        (
            json!({ "resource": "Doc:2", "entities": [{ "uid": { "type": "Doc", "id": "2" }, "attrs": { "size": 1 } }] }),
            "None",
        ),
    ] {
        assert_eq!(check(more.clone()).await.expect(200).json()["reason"], reason, "{more}");
    }
    for (more, code, field) in [
        (json!({ "context": { "n": "x" } }), 293, "context"),
        (json!({ "context": { "ip": "10.0.0.1" } }), 293, "context"),
        (json!({ "context": { "n": 1.5 } }), 227, "context"),
        (json!({ "context": [] }), 227, "context"),
        (json!({ "context": { "n": null } }), 293, "context"),
        (json!({ "entities": [{}] }), 294, "entities"),
    ] {
        let reply = check(more.clone()).await.expect(422);
        assert_eq!((reply.code(), reply.string("field")), (code, field.to_owned()), "{more}");
    }
    let long = check(json!({ "context": { "n": "x".repeat(20_000) } })).await.expect(409);
    assert_eq!((long.code(), long.string("field")), (220, "context".to_owned()));
    // A session asks about itself, but says no circumstances.
    let own = json!({ "permission": "docs.read", "resource": "Doc:1" });
    assert_eq!(
        house.ask("POST /v1/check", &session, Some(own)).await.expect(200).json()["decision"],
        "permit"
    );
    let own = json!({ "permission": "docs.read", "resource": "Doc:1", "context": {} });
    assert_eq!(house.ask("POST /v1/check", &session, Some(own)).await.expect(403).code(), 200);
    let why = json!({ "subject": subject, "permission": "docs.read", "resource": "Doc:1", "context": { "n": 9, "ip": "10.0.0.1" } });
    let why = house.ask("POST /v1/explain", &key, Some(why)).await.expect(200).json();
    let said = json!([
        { "policy": "small", "effect": "permits", "fault": null },
        { "policy": "later", "effect": "forbids", "fault": null },
    ]);
    assert_eq!((&why["reason"], &why["policies"]), (&json!("PolicyForbids"), &said));
    assert_eq!(house.ask("DELETE /v1/policies", &key, None).await.expect(409).code(), 295);
    store(json!({ "remove": [{ "type": "Doc", "id": "1" }] })).await.expect(200);
    house.ask("DELETE /v1/policies?version=1", &key, None).await.expect(200);
    assert_eq!(check(json!({ "resource": "Doc:1" })).await.expect(200).json()["reason"], "NotGranted");
}
