//! Origins: whose scripts may ask which tenant.

use super::House;
use serde_json::json;

const ASKS: (&str, &str) = ("access-control-request-method", "POST");
const APP: (&str, &str) = ("origin", "https://shop.example");

/// PROPERTY: a tenant lists the origins whose scripts may ask it, by what a preflight shows of it: host or path. They
/// may ask no other tenant, what only looks alike may ask nobody, and nobody wakes for a preflight.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_lists_its_origins() {
    let house = House::with(|config| config.origins.clear()).await;
    let (_, key) = house.tenant("acme").await;
    let (_, other) = house.tenant("other").await;
    let read = house.ask("GET /v1/origins", &key, None).await.expect(200);
    assert_eq!(read.json(), json!({ "origins": [] }));
    house.send("OPTIONS /t/acme/v1/check", &[APP, ASKS], "").await.expect(403);
    let set = json!({ "origins": ["https://shop.example", "http://localhost:5173"] });
    house.ask("PUT /v1/origins", &key, Some(set.clone())).await.expect(200);
    assert_eq!(house.ask("GET /v1/origins", &key, None).await.expect(200).json(), set);
    assert_eq!(house.ask("GET /v1/origins", &other, None).await.expect(200).json(), json!({ "origins": [] }));
    for asleep in [false, true] {
        if asleep {
            house.put_to_sleep().await;
        }
        let woken = house.engine.usage().woken;
        let by_path = house.send("OPTIONS /t/acme/v1/check", &[APP, ASKS], "").await.expect(204);
        assert_eq!(by_path.header("access-control-allow-origin"), APP.1);
        assert_eq!(by_path.header("access-control-allow-credentials"), "true");
        let host = ("host", "acme.auth.example.com");
        house.send("OPTIONS /v1/check", &[host, APP, ASKS], "").await.expect(204);
        // Nobody else's tenant, none that is not there, and none where none is named.
        let host = ("host", "other.auth.example.com");
        for (line, headers) in [
            ("OPTIONS /t/other/v1/check", &[APP, ASKS][..]),
            ("OPTIONS /t/nobody/v1/check", &[APP, ASKS]),
            ("OPTIONS /v1/check", &[APP, ASKS]),
            ("OPTIONS /v1/check", &[host, APP, ASKS]),
            ("OPTIONS /v1/check", &[("x-tenant-id", "acme"), APP, ASKS]),
        ] {
            let refused = house.send(line, headers, "").await.expect(403);
            assert!(!refused.headers.contains_key("access-control-allow-origin"), "{line}");
        }
        for alike in [
            "https://shop.example.evil",
            "http://shop.example",
            "https://shop.example:8443",
            "https://SHOP.example",
            "https://evil.shop.example",
            "null",
            "*",
        ] {
            house.send("OPTIONS /t/acme/v1/check", &[("origin", alike), ASKS], "").await.expect(403);
        }
        let twice = [APP, ("origin", "https://evil.example"), ASKS];
        house.send("OPTIONS /t/acme/v1/check", &twice, "").await.expect(400);
        assert_eq!(house.engine.usage().woken, woken);
    }
    let bearer = format!("Bearer {key}");
    let asked = house.send("GET /t/acme/v1/me", &[APP, ("authorization", &bearer)], "").await.expect(200);
    assert_eq!(asked.header("access-control-allow-origin"), APP.1);
    assert!(asked.header("vary").contains("origin"));
    let elsewhere = house.send("GET /v1/me", &[APP, ("authorization", &bearer)], "").await.expect(200);
    assert!(!elsewhere.headers.contains_key("access-control-allow-origin"));
    house.ask("PUT /v1/origins", &key, Some(json!({ "origins": [] }))).await.expect(200);
    house.send("OPTIONS /t/acme/v1/check", &[APP, ASKS], "").await.expect(403);
}

/// PROPERTY: what is no origin, stands twice or is too much is refused, and nothing of it is kept; a list that
/// somebody else changed meanwhile is not overwritten; the system tenant lists none.
#[tokio::test(flavor = "multi_thread")]
async fn bad_lists_are_refused() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    for bad in
        ["*", "null", "https://*.example.com", "https://a.example/", "http://a.example", "a.example", ""]
    {
        let reply = house.ask("PUT /v1/origins", &key, Some(json!({ "origins": [bad] }))).await.expect(422);
        assert_eq!(reply.string("field"), "origins");
    }
    let twice = json!({ "origins": ["https://a.example", "https://a.example"] });
    assert_eq!(house.ask("PUT /v1/origins", &key, Some(twice)).await.expect(409).code(), 211);
    let many: Vec<String> = (0..17).map(|nth| format!("https://a{nth}.example")).collect();
    house.ask("PUT /v1/origins", &key, Some(json!({ "origins": many }))).await.expect(422);
    house.ask("PUT /v1/origins", &key, Some(json!({ "origins": many[..16] }))).await.expect(200);
    let tag = house.ask("GET /v1/origins", &key, None).await.expect(200).header("etag").to_owned();
    let bearer = format!("Bearer {key}");
    let held = [("authorization", bearer.as_str()), ("if-match", tag.as_str())];
    let one = json!({ "origins": ["https://a.example"] }).to_string();
    house.send("PUT /v1/origins", &held, &one).await.expect(200);
    house.send("PUT /v1/origins", &held, &one).await.expect(412);
    let operator = house.operator.clone();
    let reply =
        house.ask("PUT /v1/origins", &operator, Some(json!({ "origins": ["https://a.example"] }))).await;
    assert_eq!(reply.expect(404).code(), 228);
}

/// PROPERTY: a page of a listed origin acts by a browser's cookie in that tenant, with the token; a tenant's
/// word opens nobody else's browsers, an operator's neither.
/// TC-86 in part.
#[tokio::test(flavor = "multi_thread")]
async fn a_listed_origin_acts_in_its_own_tenant() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    house.person(&key, "amy@example.org", "orders.read").await;
    house.ask("PUT /v1/origins", &key, Some(json!({ "origins": [APP.1] }))).await.expect(200);
    let proof = json!({ "identifier": "amy@example.org", "password": "correct horse", "cookie": true });
    let made = house.ask("POST /v1/sign-in", &key, Some(proof)).await.expect(200);
    let cookie = made.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    let token = made.string("csrf_token");
    let site = ("sec-fetch-site", "same-site");
    let page = [("cookie", cookie.as_str()), ("x-csrf-token", token.as_str()), APP, site];
    house.send("POST /t/acme/v1/me/touch", &page, "").await.expect(200);
    let without = [page[0], APP, site];
    house.send("POST /t/acme/v1/me/touch", &without, "").await.expect(403);
    house.send("POST /v1/me/touch", &page, "").await.expect(403);
    let operator = format!("__Host-tessera={}", house.operator);
    let theirs = [("cookie", operator.as_str()), APP, site];
    let refused = house.send("GET /t/acme/v1/me", &theirs, "").await.expect(403);
    assert_eq!(refused.string("field"), "origin");
}

/// PROPERTY: a page that asks in vain, however often, takes nothing from the budget of its visitor's source, and nothing
/// from another page: strangers are answered as before, and a listed origin may ask. A page of the door's own host is
/// looked up nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn preflights_use_nobody_up() {
    let house = House::with(|config| {
        config.origins.clear();
        config.limits.source_per_second = 5;
        config.limits.page_per_second = 3;
        config.limits.lookups_per_second = 8;
    })
    .await;
    let (_, key) = house.tenant("acme").await;
    house.pass(1_000);
    let set = json!({ "origins": ["https://shop.example"] });
    house.ask("PUT /v1/origins", &key, Some(set)).await.expect(200);
    let vain = |origin: &'static str| [("origin", origin), ASKS];
    let bearer = format!("Bearer {key}");
    for _ in 0..20 {
        let own = [("origin", "http://localhost"), ("authorization", bearer.as_str())];
        house.send("GET /t/acme/v1/origins", &own, "").await.expect(200);
    }
    for _ in 0..20 {
        house.send("OPTIONS /t/acme/v1/check", &vain("https://evil.example"), "").await.expect(403);
    }
    house.send("GET /v1/me", &[], "").await.expect(401);
    house.send("OPTIONS /t/acme/v1/check", &[APP, ASKS], "").await.expect(204);
    // Many pages together use up what is looked up for their source, and nothing else of it.
    for origin in ["https://a.example", "https://b.example", "https://c.example", "https://d.example"] {
        for _ in 0..5 {
            house.send("OPTIONS /t/acme/v1/check", &vain(origin), "").await.expect(403);
        }
    }
    house.send("GET /v1/me", &[], "").await.expect(401);
    house.pass(1_000);
    house.send("OPTIONS /t/acme/v1/check", &[APP, ASKS], "").await.expect(204);
}
