//! Bad input over real sockets: the standard's own status, a problem document, nobody else disturbed.

use super::{House, parse};
use crate::Limits;
use serde_json::json;
use std::time::Duration;
use tessera_model::TenantId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// PROPERTY: shapes in which two readers may see two requests are refused, and nothing behind them is read.
/// TC-87 in part.
#[tokio::test(flavor = "multi_thread")]
async fn smuggled_requests_are_not_read() {
    let house = House::open().await;
    let smuggled = "GET /v1/me HTTP/1.1\r\nHost: x\r\n\r\n";
    let shapes: [(&str, &[u16]); 12] = [
        ("POST /v1/check HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 40\r\n\r\nabcd", &[400]),
        (
            "POST /v1/check HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            &[400, 411],
        ),
        ("POST /v1/check HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", &[411]),
        (
            "POST /v1/check HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            &[400, 411],
        ),
        ("POST /v1/check HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", &[400]),
        ("POST /v1/check HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", &[400, 411]),
        ("POST /v1/check HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\nabcd", &[400]),
        ("POST /v1/check HTTP/1.1\r\nHost: x\r\nContent-Length: 4, 4\r\n\r\nabcd", &[400]),
        ("GET /v1/me HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n folded\r\n\r\n", &[400]),
        ("GET /v1/me HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", &[400]),
        ("GET /v1/me HTTP/1.1\r\n\r\n", &[400]),
        ("GET http://y/v1/me HTTP/1.1\r\nHost: x\r\n\r\n", &[421]),
    ];
    for (shape, statuses) in shapes {
        let close = shape.replacen("\r\n", "\r\nConnection: close\r\n", 1);
        let reply = house.raw(format!("{close}{smuggled}").as_bytes()).await;
        assert!(statuses.contains(&reply.status), "{shape}: {reply:?}");
        assert_eq!(reply.text.matches("HTTP/1.1").count(), 0, "a second answer to {shape}");
    }
    // Without being asked to close, the door does so by itself.
    let alone = "POST /v1/check HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let reply = house.raw(format!("{alone}{smuggled}").as_bytes()).await;
    assert_eq!((reply.status, reply.header("connection")), (411, "close"));
    assert!(!reply.text.contains("HTTP/1.1"));
}

/// PROPERTY: whoever writes a whole request before reading gets the answer that came before its end, however
/// much was still under way: what is read of it is dropped, and no reset overtakes the answer.
#[tokio::test(flavor = "multi_thread")]
async fn an_early_answer_is_not_lost() {
    let house = House::open().await;
    let content = vec![b'x'; 1024 * 1024];
    let chunked = "POST /v1/check HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    let large = "POST /v1/check HTTP/1.1\r\nHost: x\r\nContent-Length: 8388608\r\n\r\n".to_owned();
    let ill = "POST /v1/check HTTP/1.1\r\nHost : x\r\nContent-Length: 8388608\r\n\r\n".to_owned();
    for (head, status) in [(chunked, 411), (large, 401), (ill, 400)] {
        let mut stream = house.connect(b"http/1.1").await;
        stream.write_all(head.as_bytes()).await.expect("the head is taken");
        for _ in 0..8 {
            // Slower than the answer.
            tokio::time::sleep(Duration::from_millis(5)).await;
            stream.write_all(&content).await.expect("the content is taken");
        }
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("the end is no reset");
        assert_eq!(parse(&answer).status, status);
    }
}

/// PROPERTY: heads and contents beyond the caps are refused; the tenants' data stays as it was.
/// TC-83 in part: over HTTP.
#[tokio::test(flavor = "multi_thread")]
async fn caps_hold() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    let bearer = format!("Bearer {key}");
    let long = "x".repeat(20_000);
    assert_eq!(house.send("GET /v1/me", &[("x-a", &long)], "").await.status, 431);
    assert_eq!(
        house.send(&format!("GET /v1/me?{}", "x".repeat(5_000)), &[], "").await.expect(414).code(),
        401
    );
    let many: Vec<(String, &str)> = (0..70).map(|nth| (format!("x-{nth}"), "1")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(house.send("GET /v1/me", &many, "").await.status, 431);
    let head = format!(
        "POST /v1/check HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\nContent-Type: application/json\r\n"
    );
    let endless = format!("{head}Content-Length: 99999999\r\nConnection: close\r\n\r\n");
    assert_eq!(house.raw(endless.as_bytes()).await.expect(413).code(), 401);
    for (body, field) in [
        ("[".repeat(100_000), ""),
        ("{\"a\":".repeat(40_000), ""),
        ("{\"permission\":\"a\",\"permission\":\"b\"}".to_owned(), "permission"),
        ("{\"permission\":\"a\",\"per\\u006dission\":\"b\"}".to_owned(), "permission"),
        ("{\"permision\":\"a\"}".to_owned(), "permision"),
        ("[]".to_owned(), ""),
        ("\"x\"".to_owned(), ""),
        ("{\"permission\":\"a\"} x".to_owned(), ""),
    ] {
        let reply = house.send("POST /v1/check", &[("authorization", &bearer)], &body).await.expect(400);
        assert_eq!(
            (reply.code(), reply.json()["field"].as_str().unwrap_or_default()),
            (403, field),
            "{reply:?}"
        );
    }
    let missing = house.send("POST /v1/introspect", &[("authorization", &bearer)], "{}").await.expect(400);
    assert_eq!((missing.code(), missing.string("field").as_str()), (403, "token"), "{missing:?}");
    let mut bytes = format!("{head}Connection: close\r\nContent-Length: 19\r\n\r\n").into_bytes();
    bytes.extend(b"{\"permission\":\"\xff\xfe\"}");
    house.raw(&bytes).await.expect(400);
    for (kind, status) in [
        ("text/plain", 415),
        ("application/json; charset=latin1", 415),
        ("application/json; charset=UTF-8", 200),
    ] {
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        house.send("POST /v1/check", &headers, "{\"permission\":\"a.b\"}").await.expect(status);
    }
    house
        .send("POST /v1/check", &[("authorization", &bearer), ("content-encoding", "gzip")], "{}")
        .await
        .expect(415);
    house.send("GET /v1/roles?limit=1&limit=2", &[("authorization", &bearer)], "").await.expect(400);
    house.send("GET /v1/roles?limit=0", &[("authorization", &bearer)], "").await.expect(422);
    house.send("GET /v1/roles?limit=1001", &[("authorization", &bearer)], "").await.expect(422);
    house.send("GET /v1/roles", &[("authorization", &bearer)], "{}").await.expect(400);
    house
        .send("GET /v1/roles", &[("authorization", &bearer), ("authorization", "Bearer x")], "")
        .await
        .expect(400);
}

/// PROPERTY: paths and methods that almost exist are not what they look like.
/// TC-89.
#[tokio::test(flavor = "multi_thread")]
async fn almost_paths_do_not_exist() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    for path in [
        "/v1/me/",
        "//v1/me",
        "/v1//me",
        "/V1/me",
        "/v1/me;x=1",
        "/v1/%6de",
        "/v1/./me",
        "/v1/x/../me",
        "/v1/me%00",
        "/v2/me",
        "/",
        "/t/acme/t/acme/v1/me",
    ] {
        assert_eq!(house.ask(&format!("GET {path}"), &key, None).await.status, 404, "{path}");
    }
    let wrong = house.ask("PUT /v1/me", &key, None).await.expect(405);
    assert!(wrong.header("allow").contains("GET"), "{wrong:?}");
    for method in ["TRACE", "OPTIONS", "FOO"] {
        house.ask(&format!("{method} /v1/me"), &key, None).await.expect(405);
    }
    let bearer = format!("Bearer {key}");
    let hidden = [("authorization", bearer.as_str()), ("x-http-method-override", "DELETE")];
    house.send("POST /v1/sessions/touch", &hidden, "").await.expect(400);
    assert_eq!(
        house.raw(b"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\nConnection: close\r\n\r\n").await.status,
        404
    );
}

/// PROPERTY: whatever of a request names a tenant names the same one; a foreign credential is told what a
/// stranger is told, whether that tenant is there or not.
/// TC-58 in part.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_names_one_tenant() {
    let house = House::open().await;
    let (acme, key) = house.tenant("acme").await;
    let (_, foreign) = house.tenant("other").await;
    let as_key = |key: &str| format!("Bearer {key}");
    let (mine, theirs, ops) = (as_key(&key), as_key(&foreign), as_key(&house.operator));
    let me = |headers: Vec<(&'static str, String)>, path: &'static str| {
        let house = &house;
        async move {
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            house.send(&format!("GET {path}"), &headers, "").await
        }
    };
    let host = ("host", "acme.auth.example.com".to_owned());
    let header = ("x-tenant-id", acme.clone());
    let own = ("authorization", mine.clone());
    me(vec![own.clone(), host.clone(), header.clone()], "/t/acme/v1/me").await.expect(200);
    me(vec![own.clone(), ("host", "ACME.auth.example.com:8443".to_owned())], "/v1/me").await.expect(200);
    for (headers, path) in [
        (vec![own.clone(), host.clone()], "/t/other/v1/me"),
        (vec![own.clone(), ("x-tenant-id", "other".to_owned())], "/t/acme/v1/me"),
        (vec![own.clone(), host.clone(), ("x-tenant-id", "none".to_owned())], "/v1/me"),
        (vec![own.clone(), ("x-tenant-id", "nobody".to_owned())], "/t/none/v1/me"),
    ] {
        assert_eq!(me(headers, path).await.expect(421).code(), 400);
    }
    let mut answers = Vec::new();
    for path in ["/t/acme/v1/me", "/t/none/v1/me", "/t/ffffffffffffffff/v1/me"] {
        answers.push(me(vec![("authorization", theirs.clone())], path).await.expect(401).text);
    }
    answers.push(me(vec![], "/v1/me").await.expect(401).text);
    answers.dedup();
    assert_eq!(answers.len(), 1);
    // An operator acts where it says, and is told when there is no such tenant.
    let there = me(vec![("authorization", ops.clone())], "/t/acme/v1/me").await.expect(200);
    assert_eq!(there.string("tenant"), acme);
    assert_eq!(me(vec![("authorization", ops)], "/t/none/v1/me").await.expect(404).code(), 201);
}

/// PROPERTY: whoever sends slowly is cut off in time, and holds up nobody.
/// TC-87 in part.
#[tokio::test(flavor = "multi_thread")]
async fn slow_senders_are_cut_off() {
    let house = House::with(|config| {
        config.limits =
            Limits { head: Duration::from_millis(200), body: Duration::from_millis(200), ..config.limits };
    })
    .await;
    let (_, key) = house.tenant("acme").await;
    for begun in [
        String::new(),
        "GET /v1/me HTTP/1.1\r\nHost:".to_owned(),
        format!(
            "POST /v1/check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{{"
        ),
    ] {
        let mut slow = TcpStream::connect(house.door.address()).await.expect("connected");
        slow.write_all(begun.as_bytes()).await.expect("written");
        house.ask("GET /v1/me", &key, None).await.expect(200);
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(30), slow.read_to_end(&mut answer)).await;
        ended.expect("cut off").expect("read");
        assert!(matches!(parse(&answer).status, 0 | 408), "{begun}");
    }
}

/// PROPERTY: connections of one source, and requests without a good credential, have a limit; a listed
/// proxy's word is believed about where they come from, and nobody else's.
#[tokio::test(flavor = "multi_thread")]
async fn sources_have_limits() {
    let house = House::with(|config| {
        config.limits = Limits { connections_per_source: 2, source_per_second: 3, ..config.limits };
    })
    .await;
    for status in [401, 401, 429, 429] {
        let spoofed = [("x-forwarded-for", "203.0.113.9")];
        house.send("GET /v1/me", &spoofed, "").await.expect(status);
    }
    let held =
        (TcpStream::connect(house.door.address()).await, TcpStream::connect(house.door.address()).await);
    let refused = house.send("GET /v1/me", &[], "").await;
    assert_eq!(refused.status, 0, "{refused:?}");
    drop(held);
    let proxied = House::with(|config| {
        config.proxies = vec!["127.0.0.1".parse().expect("an address")];
        config.limits = Limits { source_per_second: 1, ..config.limits };
    })
    .await;
    for (from, status) in [
        ("203.0.113.9", 401),
        ("203.0.113.9", 429),
        ("198.51.100.1, 203.0.113.10", 401),
        ("198.51.100.2, 203.0.113.10", 429),
    ] {
        proxied.send("GET /v1/me", &[("x-forwarded-for", from)], "").await.expect(status);
    }
}

/// PROPERTY: a command is done once under one key; another command under it is refused; a key that is
/// none is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_command_is_done_once() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    let id = house.engine.command_id().to_string();
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", id.as_str())];
    let role = |name: &str| json!({ "name": name, "patterns": ["a.b"] }).to_string();
    let first = house.send("POST /v1/roles", &headers, &role("one")).await.expect(200).json();
    let again = house.send("POST /v1/roles", &headers, &role("one")).await.expect(200).json();
    assert_eq!((&first["repeated"], &again["repeated"]), (&json!(false), &json!(true)));
    assert_eq!(first["receipt"], again["receipt"]);
    let other = house.send("POST /v1/roles", &headers, &role("two")).await.expect(422);
    assert_eq!((other.code(), other.string("field")), (212, "idempotency-key".to_owned()));
    for bad in ["x", "\"\"", "01a2157f-2efc-488e-b29a-57721e09a4f3"] {
        let headers = [headers[0], ("idempotency-key", bad)];
        house.send("POST /v1/roles", &headers, &role("three")).await.expect(400);
    }
    let quoted = format!("\"{id}\"");
    house.send("POST /v1/roles", &[headers[0], ("idempotency-key", &quoted)], &role("one")).await.expect(200);
    // Conditions: what was not seen as it is does not change.
    let read = house.ask("GET /v1/roles/one", &key, None).await.expect(200);
    let tag = read.header("etag").to_owned();
    house.send("GET /v1/roles/one", &[headers[0], ("if-none-match", &tag)], "").await.expect(304);
    let patterns = json!({ "patterns": ["c.d"] }).to_string();
    house.send("PUT /v1/roles/one", &[headers[0], ("if-match", &tag)], &patterns).await.expect(200);
    let stale =
        house.send("PUT /v1/roles/one", &[headers[0], ("if-match", &tag)], &patterns).await.expect(412);
    assert_eq!(stale.code(), 223);
    // A list may stand in two headers; bytes that no tag holds are no tag.
    let listed = [headers[0], ("if-match", "\"x\""), ("if-match", "\u{a1}")];
    house.send("PUT /v1/roles/one", &listed, &patterns).await.expect(412);
    let listed = [headers[0], ("if-none-match", "\"x\""), ("if-none-match", "*")];
    house.send("GET /v1/roles/one", &listed, "").await.expect(304);
}

/// PROPERTY: at a drain what runs is answered, and nothing new is taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_drain_answers_what_runs() {
    // On an address of its own: on that of the others one of them may come to listen at the same port.
    let listen = "127.0.0.7:0".parse().expect("an address");
    let house = House::with(|config| config.listen = listen).await;
    let address = house.door.address();
    let mut idle = TcpStream::connect(address).await.expect("connected");
    idle.write_all(b"GET /v1/me HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("written");
    let mut first = [0; 16];
    idle.read_exact(&mut first).await.expect("answered");
    house.door.drain(Duration::from_secs(30)).await;
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.expect("ended well");
    assert!(TcpStream::connect(address).await.is_err());
}

/// PROPERTY: while a tenant's conditional change is under way, the next one of that tenant waits within its bounds and is
/// told Busy then; another tenant's is done at once, and so is a trial.
#[tokio::test(flavor = "multi_thread")]
async fn conditional_changes_hold_up_their_own_tenant_only() {
    for (limits, limit) in [
        (Limits { turn: Duration::ZERO, ..Limits::default() }, "turn"),
        (Limits { turns_per_tenant: 0, ..Limits::default() }, "turns_per_tenant"),
    ] {
        let house = House::with(|config| config.limits = limits).await;
        let (acme, other) = (house.tenant("acme").await.1, house.tenant("other").await.1);
        let change = async |path: &str, key: &str| {
            let headers = [("authorization", &*format!("Bearer {key}")), ("if-match", "*")];
            house
                .send(&format!("PATCH {path}"), &headers, &json!({ "session_idle_s": 120 }).to_string())
                .await
        };
        let who = house.ask("GET /v1/me", &acme, None).await.expect(200).json();
        let tenant = TenantId(who["tenant"].as_str().expect("a tenant").parse().expect("a number"));
        let held = crate::turn::take(house.door.shared(), tenant).await.expect("its turn");
        let told = change("/v1/settings", &acme).await.expect(429);
        assert_eq!(
            (told.code(), told.string("limit"), told.header("retry-after")),
            (301, limit.to_owned(), "1")
        );
        change("/v1/settings", &other).await.expect(200);
        change("/v1/settings?dry_run=true", &acme).await.expect(200);
        drop(held);
        change("/v1/settings", &acme).await.expect(200);
    }
}
