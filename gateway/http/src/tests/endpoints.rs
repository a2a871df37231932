//! Endpoints over HTTP: written and read with their tag, asked by applications and by proxies.

use super::House;
use serde_json::{Value, json};

const ENTRIES: &str = r#"{"entries": [{"permission": "orders.read"}, {"permission": "orders.write"}, {"permission": "media/files:read"}]}"#;

async fn shop(house: &House, key: &str) {
    let entries: Value = serde_json::from_str(ENTRIES).expect("json");
    house.ask("PUT /v1/services/orders", key, Some(entries)).await.expect(200);
    let endpoints = json!({ "endpoints": [
        { "method": "GET", "path": "/orders/{id}", "needs": "orders.read" },
        { "method": "*", "path": "/orders/**", "needs": "orders.write" },
        { "method": "GET", "path": "/files", "needs": "scope=media/files?kind=order" },
    ] });
    house.ask("PUT /v1/services/orders/endpoints", key, Some(endpoints)).await.expect(200);
}

/// PROPERTY: endpoints are given as they were taken, scopes in their one form; one that does not read is told by its place
/// and why; a map that somebody else has changed is not replaced under an older tag.
#[tokio::test(flavor = "multi_thread")]
async fn endpoints_are_read_strictly_and_told_as_given() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    let line = "PUT /v1/services/orders/endpoints";
    let none = house.ask(line, &key, Some(json!({ "endpoints": [] }))).await.expect(404);
    assert_eq!(none.code(), 284);
    shop(&house, &key).await;
    let told = house.ask("GET /v1/services/orders/endpoints", &key, None).await.expect(200);
    let rows = told.json();
    assert_eq!(rows["endpoints"][2]["needs"], "scope=read:media/files?kind=order");
    assert_eq!(
        rows["endpoints"][0],
        json!({ "method": "GET", "path": "/orders/{id}", "needs": "orders.read" })
    );
    let one = |method: &str, path: &str, needs: &str| json!({ "endpoints": [{ "method": method, "path": path, "needs": needs }] });
    for (content, status, code, field) in [
        (one("get", "/a", "orders.read"), 422, 227, "endpoints/0/method"),
        (one("GET", "a", "orders.read"), 422, 227, "endpoints/0/path"),
        (one("GET", "/a", "scope=media//files"), 422, 227, "endpoints/0/needs"),
        (one("GET", "/a", "orders.*"), 422, 227, "endpoints/0/needs"),
        (one("GET", &format!("/{}", "a".repeat(256)), "orders.read"), 409, 220, "endpoints/0/path"),
        (json!({ "endpoints": [{ "method": "GET", "path": "/a" }] }), 422, 227, "endpoints/0/needs"),
        (
            json!({ "endpoints": [{ "method": "GET", "path": "/a", "needs": "a", "more": 1 }] }),
            422,
            227,
            "endpoints/0/more",
        ),
    ] {
        let refused = house.ask(line, &key, Some(content.clone())).await.expect(status);
        assert_eq!((refused.code(), refused.string("field").as_str()), (code, field), "{content}");
    }
    let ill = house.ask(line, &key, Some(one("GET", "/a", "scope=media//files"))).await.expect(422);
    assert!(ill.string("detail").contains("at byte 6"), "{ill:?}");
    let twice = json!({ "endpoints": [
        { "method": "GET", "path": "/a/*", "needs": "orders.read" }, { "method": "GET", "path": "/*/b", "needs": "orders.read" },
    ] });
    let refused = house.ask(line, &key, Some(twice)).await.expect(409);
    assert_eq!((refused.code(), refused.string("field").as_str()), (287, "endpoints/1"));
    assert!(refused.string("detail").contains("endpoint 0"), "{refused:?}");
    let unknown = house.ask(line, &key, Some(one("GET", "/a", "orders.fly"))).await.expect(404);
    assert_eq!(unknown.code(), 206);
    // What another has changed meanwhile is not replaced.
    let (tag, bearer) = (told.header("etag"), format!("Bearer {key}"));
    let put = async |path: &str, tag: &str| {
        let shown =
            [("authorization", bearer.as_str()), ("content-type", "application/json"), ("if-match", tag)];
        house.send(line, &shown, &one("GET", path, "orders.read").to_string()).await
    };
    put("/first", tag).await.expect(200);
    assert_eq!(put("/second", tag).await.expect(412).code(), 223);
    let left = house.ask("GET /v1/services/orders/endpoints", &key, None).await.expect(200).json();
    assert_eq!(
        (left["endpoints"].as_array().map(Vec::len), &left["endpoints"][0]["path"]),
        (Some(1), &json!("/first"))
    );
}

/// PROPERTY: whoever may ask is answered a decision and the permission that was asked, by request, action or scope; a
/// question that is none is refused at its member.
#[tokio::test(flavor = "multi_thread")]
async fn applications_ask_with_the_request() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    shop(&house, &key).await;
    let (_, session) = house.person(&key, "amy@example.org", "orders.read").await;
    let ask = async |content: Value| house.ask("POST /v1/authorize", &session, Some(content)).await;
    for (content, decision, code, permission) in [
        (
            json!({ "service": "orders", "method": "GET", "target": "/orders/7?x=1" }),
            "permit",
            0,
            json!("orders.read"),
        ),
        (
            json!({ "service": "orders", "method": "PUT", "target": "/orders/7" }),
            "deny",
            109,
            json!("orders.write"),
        ),
        (
            json!({ "service": "orders", "method": "GET", "target": "/files" }),
            "deny",
            109,
            json!("media/files:read"),
        ),
        (json!({ "service": "orders", "method": "GET", "target": "/other" }), "deny", 142, Value::Null),
        (
            json!({ "service": "orders", "method": "GET", "target": "/orders/%2e%2e" }),
            "deny",
            143,
            Value::Null,
        ),
        (json!({ "service": "shop", "method": "GET", "target": "/" }), "deny", 144, Value::Null),
        (json!({ "service": "orders", "action": "read" }), "permit", 0, json!("orders.read")),
        (json!({ "service": "orders", "action": "fly" }), "deny", 142, Value::Null),
        (json!({ "scope": "media/files" }), "deny", 109, json!("media/files:read")),
        (json!({ "scope": "media/*" }), "deny", 140, Value::Null),
    ] {
        let told = ask(content.clone()).await.expect(200).json();
        assert_eq!(
            (&told["decision"], &told["reason_code"], &told["permission"]),
            (&json!(decision), &json!(code), &permission),
            "{content}"
        );
    }
    for (content, field) in [
        (json!({}), "service"),
        (json!({ "method": "GET", "target": "/" }), "service"),
        (json!({ "service": "orders" }), "method"),
        (json!({ "service": "orders", "method": "GET" }), "target"),
        (json!({ "service": "orders", "action": "read", "method": "GET", "target": "/" }), "action"),
        (json!({ "service": "orders", "action": "read", "scope": "a" }), "scope"),
        (json!({ "scope": "media//files" }), "scope"),
    ] {
        let refused = ask(content.clone()).await.expect(422);
        assert_eq!((refused.code(), refused.string("field").as_str()), (227, field), "{content}");
    }
    assert!(ask(json!({ "scope": "media//files" })).await.string("detail").contains("at byte 6"));
    // Another's handle needs the permission to ask about it.
    let other = json!({ "scope": "media/files", "handle": key });
    house.ask("POST /v1/authorize", &session, Some(other)).await.expect(403);
    let check = |content: Value| house.ask("POST /v1/check", &session, Some(content));
    let told = check(json!({ "scope": "media/files" })).await.expect(200).json();
    assert_eq!(told["reason_code"], 109);
    check(json!({ "scope": "media/files", "permission": "orders.read" })).await.expect(422);
    assert_eq!(check(json!({})).await.expect(422).string("field"), "permission");
}

/// PROPERTY: a proxy that names a service asks what its endpoints say of the method and target that the proxy tells; what
/// it does not tell, tells twice, or tells in a way that can be read in two, does not pass. The permission that was asked
/// is handed on.
#[tokio::test(flavor = "multi_thread")]
async fn proxies_ask_with_the_request() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    shop(&house, &key).await;
    let (subject, session) = house.person(&key, "amy@example.org", "orders.read").await;
    let bearer = format!("Bearer {session}");
    let line = "GET /t/acme/v1/forward-auth?service=orders";
    for (told, status) in [
        (&[("x-forwarded-method", "GET"), ("x-forwarded-uri", "/orders/7?x=1")][..], 200),
        (&[("x-original-method", "GET"), ("x-original-uri", "/orders/7")], 200),
        (
            &[
                ("x-original-method", "GET"),
                ("x-original-uri", "/orders/7"),
                ("x-forwarded-uri", "/orders/7"),
            ],
            400,
        ),
        // One kind from the proxy, and another from the caller.
        (&[("x-original-method", "GET"), ("x-forwarded-uri", "/orders/7")], 400),
        (&[("x-forwarded-method", "GET"), ("x-original-uri", "/orders/7")], 400),
        (
            &[("x-forwarded-method", "GET"), ("x-forwarded-uri", "/orders/7"), ("x-original-method", "GET")],
            400,
        ),
        // By which applications read another request than the one that is asked about.
        (
            &[
                ("x-forwarded-method", "GET"),
                ("x-forwarded-uri", "/orders/7"),
                ("x-original-url", "/orders/7"),
            ],
            400,
        ),
        (&[("x-forwarded-method", "GET"), ("x-forwarded-uri", "/orders/7"), ("x-rewrite-url", "/a")], 400),
        (&[("x-forwarded-method", "GET"), ("x-forwarded-uri", "/orders/7/")], 403),
        (
            &[
                ("x-original-method", "GET"),
                ("x-original-uri", "/orders/7"),
                ("x-forwarded-uri", "/orders/8"),
            ],
            400,
        ),
        (
            &[("x-original-method", "GET"), ("x-forwarded-method", "PUT"), ("x-original-uri", "/orders/7")],
            400,
        ),
        (&[("x-original-uri", "/orders/7")], 422),
        (&[("x-forwarded-method", "GET")], 422),
        (&[], 422),
        (&[("x-forwarded-method", "DELETE"), ("x-forwarded-uri", "/orders/7")], 403),
        (&[("x-forwarded-method", "GET"), ("x-forwarded-uri", "/nothing")], 403),
        (&[("x-forwarded-method", "GET"), ("x-forwarded-uri", "/orders/../orders/7")], 403),
        (&[("x-forwarded-method", "GET"), ("x-forwarded-uri", "/orders//7")], 403),
        (&[("x-forwarded-method", "GET"), ("x-forwarded-uri", "https://shop.example/orders/7")], 403),
    ] {
        let mut headers = told.to_vec();
        headers.extend([("authorization", bearer.as_str()), ("x-tessera-permission", "everything")]);
        let reply = house.send(line, &headers, "").await.expect(status);
        let permission = reply.headers.get("x-tessera-permission").map(String::as_str);
        assert_eq!(permission, Some(if status == 200 { "orders.read" } else { "" }), "{told:?}");
        if status == 200 {
            assert_eq!(reply.header("x-tessera-subject"), subject);
        }
    }
    // Another method than the request's own is taken by no door.
    let overriding = [
        ("x-original-method", "GET"),
        ("x-original-uri", "/orders/7"),
        ("x-http-method-override", "DELETE"),
        ("authorization", bearer.as_str()),
    ];
    house.send(line, &overriding, "").await.expect(400);
    let both = "GET /t/acme/v1/forward-auth?service=orders&permission=orders.read";
    house.send(both, &[("authorization", &bearer)], "").await.expect(422);
    house
        .send(line, &[("x-forwarded-method", "GET"), ("x-forwarded-uri", "/orders/7")], "")
        .await
        .expect(401);
    // Envoy asks with the request itself.
    let own = [("authorization", bearer.as_str()), ("x-tenant-id", "acme"), ("content-length", "0")];
    for (line, status) in [
        ("GET /v1/ext-authz/service=orders/orders/7?x=1", 200),
        ("PUT /v1/ext-authz/service=orders/orders/7", 403),
        ("GET /v1/ext-authz/service=orders/orders//7", 403),
        ("GET /v1/ext-authz/service=orders/orders/%2e%2e/7", 403),
        ("GET /v1/ext-authz/service=orders/orders/a/../7", 403),
        ("GET /v1/ext-authz/service=orders/", 403),
        ("GET /v1/ext-authz/service=other/orders/7", 403),
        ("GET /v1/ext-authz/service=/orders/7", 404),
    ] {
        house.send(line, &own, "").await.expect(status);
    }
    let mut rewritten = own.to_vec();
    rewritten.push(("x-original-url", "/orders/8"));
    house.send("GET /v1/ext-authz/service=orders/orders/7", &rewritten, "").await.expect(400);
}

/// PROPERTY: a question has one way in which it is asked: a scope beside a resource is refused, as beside a permission.
#[tokio::test(flavor = "multi_thread")]
async fn a_scope_stands_alone() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    shop(&house, &key).await;
    let (_, session) = house.person(&key, "amy@example.org", "orders.read").await;
    for content in [
        json!({ "scope": "media/files", "resource": "doc:1" }),
        json!({ "scope": "media/files", "permission": "orders.read", "resource": "doc:1" }),
        json!({ "scope": "media/files", "permission": "orders.read" }),
    ] {
        let refused = house.ask("POST /v1/check", &session, Some(content.clone())).await.expect(422);
        assert_eq!((refused.code(), refused.string("field").as_str()), (227, "scope"), "{content}");
    }
}
