//! Browsers: the cookie and its proofs, origins, and what answers carry.

use super::House;
use serde_json::json;

/// PROPERTY: a browser's session stands in a cookie that scripts do not see; what changes something
/// needs the token beside it and comes from an own page.
/// TC-15 in part: the cookie; TC-86 in part.
#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_needs_its_proofs() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    house.person(&key, "amy@example.org", "orders.read").await;
    let proof = json!({ "identifier": "amy@example.org", "password": "correct horse", "cookie": true });
    let made = house.ask("POST /v1/sign-in", &key, Some(proof)).await.expect(200);
    let set = made.header("set-cookie").to_owned();
    for part in
        ["__Host-tessera=tess_", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax", "; Max-Age=86400"]
    {
        assert!(set.contains(part), "{set}");
    }
    assert!(!made.text.contains("tess_"), "the script sees no secret: {}", made.text);
    let cookie = set.split(';').next().expect("a cookie").to_owned();
    let token = made.string("csrf_token");
    let seen = house.send("GET /v1/me", &[("cookie", &cookie)], "").await.expect(200);
    assert_eq!(seen.string("csrf_token"), token);
    let good: [(&str, &str); 3] =
        [("cookie", &cookie), ("x-csrf-token", &token), ("sec-fetch-site", "same-origin")];
    house.send("POST /v1/me/touch", &good, "").await.expect(200);
    // Without the token, with another, from another site, with another origin.
    let field = |reply: super::Reply| reply.expect(403).string("field");
    assert_eq!(field(house.send("POST /v1/me/touch", &good[..1], "").await), "x-csrf-token");
    let bad = [good[0], ("x-csrf-token", "0"), good[2]];
    assert_eq!(field(house.send("POST /v1/me/touch", &bad, "").await), "x-csrf-token");
    for site in ["cross-site", "same-site", "x"] {
        let bad = [good[0], good[1], ("sec-fetch-site", site)];
        assert_eq!(field(house.send("POST /v1/me/touch", &bad, "").await), "sec-fetch-site");
        assert_eq!(field(house.send("GET /v1/me", &[good[0], bad[2]], "").await), "sec-fetch-site");
    }
    for origin in ["https://evil.example", "null", "https://localhost.evil.example"] {
        let bad = [good[0], good[1], ("origin", origin)];
        assert_eq!(field(house.send("POST /v1/me/touch", &bad, "").await), "origin");
    }
    let own = [good[0], good[1], good[2], ("origin", "http://localhost:7481")];
    house.send("POST /v1/me/touch", &own, "").await.expect(200);
    let both = [good[0], ("authorization", "Bearer x")];
    house.send("GET /v1/me", &both, "").await.expect(400);
    let twice = format!("{cookie}; {cookie}");
    house.send("GET /v1/me", &[("cookie", &twice)], "").await.expect(400);
    // A proxy's question about a request that changes something: only from an own page.
    let ask = "GET /v1/forward-auth";
    house.send(ask, &[good[0]], "").await.expect(200);
    house.send(ask, &[good[0], ("x-forwarded-method", "POST")], "").await.expect(403);
    house.send(ask, &[good[0], ("x-forwarded-method", "POST"), good[2]], "").await.expect(200);
    // A client's own word does not go before the proxy's, under either name, nor before the request itself.
    for (told, spoofed) in
        [("x-original-method", "x-forwarded-method"), ("x-forwarded-method", "x-original-method")]
    {
        house.send(ask, &[good[0], (told, "POST"), (spoofed, "GET")], "").await.expect(400);
    }
    let envoy = "POST /v1/ext-authz/-/orders";
    house.send(envoy, &[good[0], ("x-forwarded-method", "GET")], "").await.expect(400);
    house.send(envoy, &good[..1], "").await.expect(403);
    let link = [good[0], ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
    house.send(ask, &link, "").await.expect(200);
    house.send(ask, &link[..2], "").await.expect(403);
    let gone = house.send("DELETE /v1/me/session", &good, "").await.expect(200);
    assert!(gone.header("set-cookie").contains("Max-Age=0"));
    house.send("GET /v1/me", &[("cookie", &cookie)], "").await.expect(401);
}

/// PROPERTY: only listed origins are told that their scripts may ask; every answer is harmless.
/// TC-86 in part: other origins and frames.
#[tokio::test(flavor = "multi_thread")]
async fn origins_are_closed_unless_listed() {
    let house = House::open().await;
    let asks = ("access-control-request-method", "POST");
    let listed =
        house.send("OPTIONS /v1/check", &[("origin", "https://app.example.com"), asks], "").await.expect(204);
    assert_eq!(listed.header("access-control-allow-origin"), "https://app.example.com");
    let foreign = house
        .send("OPTIONS /v1/check", &[("origin", "https://app.example.com.evil"), asks], "")
        .await
        .expect(403);
    assert!(!foreign.headers.contains_key("access-control-allow-origin"));
    let refused = house.send("GET /v1/me", &[("origin", "https://app.example.com")], "").await.expect(401);
    assert_eq!(refused.header("access-control-allow-origin"), "https://app.example.com");
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(refused.header(name), value);
    }
    assert!(refused.header("content-security-policy").contains("frame-ancestors 'none'"));
    let page = house.send("GET /explorer", &[], "").await.expect(200);
    assert!(!page.text.contains("://"), "nothing of another host");
    let page = house.send("GET /explorer.js", &[], "").await.expect(200);
    assert!(
        !page.text.contains("://") && page.header("content-security-policy").contains("script-src 'self'")
    );
    house.send("GET /openapi.json", &[], "").await.expect(200);
}
