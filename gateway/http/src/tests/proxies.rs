//! What reverse proxies send, in the form that their documentation gives, and what they are answered.

use super::House;

/// PROPERTY: Traefik's `forwardAuth` asks with a GET, the request's own headers and five of its own about it; it copies
/// the named headers of a 2xx and hands on any other answer whole. The method that counts is the forwarded one.
#[tokio::test(flavor = "multi_thread")]
async fn traefik_asks_and_is_answered() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    let (subject, session) = house.person(&key, "amy@example.org", "orders.read").await;
    let bearer = format!("Bearer {session}");
    let forwarded = |method: &'static str, uri: &'static str| {
        [
            ("x-forwarded-method", method),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "shop.example"),
            ("x-forwarded-uri", uri),
            ("x-forwarded-for", "203.0.113.7"),
            ("accept-encoding", "gzip"),
        ]
    };
    let line = "GET /t/acme/v1/forward-auth?permission=orders.read";
    for (method, uri) in [("GET", "/orders?x=1"), ("POST", "/orders"), ("DELETE", "/orders/%2e%2e")] {
        let mut headers = forwarded(method, uri).to_vec();
        headers.extend([
            ("authorization", bearer.as_str()),
            ("x-tessera-subject", "admin"),
            ("x-tessera-kind", "key"),
        ]);
        let pass = house.send(line, &headers, "").await.expect(200);
        assert_eq!(pass.header("x-tessera-subject"), subject);
        assert_eq!(pass.header("x-tessera-kind"), "session");
        let named = ["subject", "session", "tenant", "kind", "permission"];
        assert!(named.iter().all(|name| !pass.header(&format!("x-tessera-{name}")).is_empty()), "{pass:?}");
        assert!(pass.text.is_empty());
    }
    // Not in: the answer that the browser gets, with every name overwritten by nothing.
    for (credential, status) in [("Bearer x", 401), ("Basic YW15Og==", 401), ("", 401)] {
        let mut headers = forwarded("GET", "/orders").to_vec();
        if !credential.is_empty() {
            headers.push(("authorization", credential));
        }
        let refused = house.send(line, &headers, "").await.expect(status);
        assert_eq!(refused.headers.get("x-tessera-subject").map(String::as_str), Some(""));
        assert_eq!(refused.header("www-authenticate"), "Bearer");
    }
    for bad in ["G ET", "get\u{1}", ""] {
        let mut headers = forwarded("GET", "/orders").to_vec();
        headers[0].1 = bad;
        headers.push(("cookie", "__Host-tessera=x"));
        assert_ne!(house.send(line, &headers, "").await.status / 100, 2, "{bad:?}");
    }
    // Another tenant's door.
    house.tenant("other").await;
    let mut headers = forwarded("GET", "/orders").to_vec();
    headers.push(("authorization", &bearer));
    house.send(&line.replace("acme", "other"), &headers, "").await.expect(401);
}

/// PROPERTY: Envoy's `ext_authz` over HTTP asks with the request's own method, path below the prefix and headers, and
/// without its content; a 200 lets it pass with the allowed headers, anything else does not.
#[tokio::test(flavor = "multi_thread")]
async fn envoy_asks_and_is_answered() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    let (subject, session) = house.person(&key, "amy@example.org", "orders.read").await;
    let bearer = format!("Bearer {session}");
    let own = [
        ("authorization", bearer.as_str()),
        ("x-tenant-id", "acme"),
        ("x-envoy-internal", "true"),
        ("x-request-id", "0b0f5b5c-0000-4000-8000-000000000000"),
        ("x-forwarded-proto", "https"),
        ("x-tessera-subject", "admin"),
    ];
    for line in [
        "GET /v1/ext-authz/orders.read/",
        "POST /v1/ext-authz/orders.read/orders?page=2&page=3",
        "PATCH /v1/ext-authz/orders.read//a/../b;x=1",
        "OPTIONS /v1/ext-authz/orders.read/orders",
        "DELETE /v1/ext-authz/-/orders/7",
    ] {
        // Envoy says that there is no content, whatever the request had.
        let mut headers = own.to_vec();
        headers.push(("content-length", "0"));
        let pass = house.send(line, &headers, "").await.expect(200);
        assert_eq!((pass.header("x-tessera-subject"), pass.text.as_str()), (subject.as_str(), ""), "{line}");
    }
    for (line, status) in [
        ("GET /v1/ext-authz/orders.write/orders", 403),
        ("GET /v1/ext-authz/orders.read", 404),
        ("GET /v1/ext-authz//orders", 404),
        ("GET /v1/ext-authz/a%20b/orders", 404),
    ] {
        let refused = house.send(line, &own, "").await.expect(status);
        assert_eq!(refused.headers.get("x-tessera-subject").map(String::as_str), Some(""), "{line}");
    }
    let mut foreign = own;
    foreign[1].1 = "other";
    house.send("GET /v1/ext-authz/orders.read/", &foreign, "").await.expect(401);
    house.send("GET /v1/ext-authz/orders.read/", &own[1..], "").await.expect(401);
}
