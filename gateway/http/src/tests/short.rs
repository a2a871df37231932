//! The short way of plain questions beside the general way: same questions, same answers, byte for byte.

use super::House;
use crate::Limits;
use crate::caller::{Listed, Origin};
use crate::short::{Desk, Taken};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// A header that is not plain, and that nobody looks at.
const GENERAL: &str = "x-general: 1\r\n";

/// Writes bytes; over TLS what is written has not gone out before it is flushed.
async fn say(stream: &mut (impl AsyncWrite + Unpin + ?Sized), bytes: &[u8]) {
    stream.write_all(bytes).await.expect("written");
    stream.flush().await.expect("flushed");
}

/// One answer as it came, without its date.
async fn answer(stream: &mut (impl AsyncRead + Unpin + ?Sized)) -> String {
    undated(&dated(stream).await)
}

async fn dated(stream: &mut (impl AsyncRead + Unpin + ?Sized)) -> Vec<u8> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read);
        if let Some((head, content)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.and_then(|length| length.parse().ok()).expect("a length");
            if content.len() >= length {
                assert_eq!(content.len(), length, "{text}");
                return read;
            }
        }
        let mut byte = [0];
        let count = stream.read(&mut byte).await.expect("read");
        assert_eq!(count, 1, "ended within an answer: {:?}", String::from_utf8_lossy(&read));
        read.push(byte[0]);
    }
}

fn undated(answer: &[u8]) -> String {
    let text = String::from_utf8(answer.to_vec()).expect("UTF-8");
    let (head, content) = text.split_once("\r\n\r\n").expect("a head");
    let lines: Vec<&str> = head.split("\r\n").collect();
    let dated = lines.iter().filter(|line| line.starts_with("date: ")).count();
    assert_eq!(dated, 1, "{text}");
    let lines: Vec<&str> = lines.into_iter().filter(|line| !line.starts_with("date: ")).collect();
    format!("{}\r\n\r\n{content}", lines.join("\r\n"))
}

fn request(path: &str, headers: &[(&str, &str)], content: &str) -> String {
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("POST {path} HTTP/1.1\r\n{lines}Content-Length: {}\r\n\r\n{content}", content.len())
}

/// The general way's answer to a request.
async fn general(house: &House, request: &str) -> String {
    let mut stream = house.connect(b"http/1.1").await;
    let marked = request.replacen("\r\n", &format!("\r\n{GENERAL}"), 1);
    stream.write_all(marked.as_bytes()).await.expect("written");
    answer(&mut *stream).await
}

/// The short way's answer, where it gives one: with how many bytes it takes.
fn short(house: &House, request: &[u8]) -> Option<(String, usize)> {
    let peer =
        Origin { address: "127.0.0.1".parse().expect("one"), sni: None, proxied: false, listed: Listed::No };
    let mut desk = Desk::new();
    match desk.answer(house.door.shared(), &peer, request) {
        Taken::Answered(length) => Some((undated(&desk.out), length)),
        Taken::Partial | Taken::Other => {
            assert!(desk.out.is_empty(), "an answer to what is not taken");
            None
        }
    }
}

/// Whether the short way takes a request; if so, both ways answer alike.
async fn alike(house: &House, request: &str) -> bool {
    // A key's use is noted meanwhile, and moves the position that is told: until nothing moves in between.
    for _ in 0..1_000 {
        let Some((answer, length)) = short(house, request.as_bytes()) else { return false };
        let other = general(house, &request[..length]).await;
        let again = short(house, request.as_bytes()).map(|(answer, _)| answer);
        if again.as_ref() == Some(&answer) {
            assert_eq!(answer, other, "{request}");
            return true;
        }
    }
    panic!("it does not settle: {request}");
}

struct Asked {
    house: House,
    key: String,
    session: String,
    ended: String,
    tenant: String,
}

async fn asked() -> Asked {
    let house = House::open().await;
    let (tenant, key) = house.tenant("acme").await;
    house.tenant("other").await;
    let (_, session) = house.person(&key, "amy@example.org", "orders.*").await;
    let ended = house.sign_in(&key, "amy@example.org").await;
    let workspace = json!({ "name": "desk", "parent": null });
    house.ask("POST /v1/workspaces", &key, Some(workspace)).await.expect(200);
    house.ask("POST /v1/sign-out", &ended, None).await;
    Asked { house, key, session, ended, tenant }
}

/// PROPERTY: whatever the short way answers, the general way answers alike, and what callers send is answered the
/// short way. METHOD: questions of every member, good and bad, by callers of every kind.
#[tokio::test(flavor = "multi_thread")]
async fn both_ways_answer_alike() {
    let Asked { house, key, session, ended, tenant } = asked().await;
    let members = [
        (
            "permission",
            vec![json!("orders.read"), json!("tessera.read"), json!("none"), json!(0), json!(3), json!(77)],
        ),
        (
            "handle",
            vec![
                json!(session),
                json!(ended),
                json!(key),
                Value::Null,
                json!("tess_x"),
                json!(house.operator),
            ],
        ),
        ("workspace", vec![json!("desk"), json!("nowhere"), json!(1), json!(9), Value::Null, json!("a b")]),
        ("at_least", vec![json!("1.0"), json!("1.9999999"), json!("9.1"), json!("x"), Value::Null]),
        ("address", vec![json!("203.0.113.7"), json!("::1"), json!("here"), Value::Null]),
        ("resource", vec![json!("doc:1")]),
        ("other", vec![json!(1)]),
    ];
    let mut contents = vec![json!({}), json!({ "permission": ["a"] }), json!({ "permission": true })];
    for (name, values) in &members {
        contents.extend(values.iter().map(|value| json!({ "permission": "orders.read", *name: value })));
        let about = |value: &Value| json!({ "permission": "orders.read", "handle": session, *name: value });
        contents.extend(values.iter().map(about));
    }
    let mut tokens = vec![json!({}), json!({ "token": 1 })];
    for token in [&session, &ended, &key, &house.operator, "x"] {
        tokens.push(json!({ "token": token }));
        for (name, value) in [
            ("token_type_hint", json!("access_token")),
            ("at_least", json!("1.1")),
            ("at_least", json!("2.1")),
            ("address", json!("203.0.113.7")),
            ("address", json!("x")),
            ("other", json!(null)),
        ] {
            tokens.push(json!({ "token": token, name: value }));
        }
    }
    let mut taken = 0;
    for caller in [&key, &session, &ended, &house.operator, "tess_none"] {
        let bearer = format!("Bearer {caller}");
        for (path, contents) in [("/v1/check", &contents), ("/v1/introspect", &tokens)] {
            for content in contents {
                let headers =
                    [("host", "localhost"), ("authorization", &bearer), ("content-type", "application/json")];
                let request = request(path, &headers, &content.to_string());
                taken += u32::from(alike(&house, &request).await);
            }
        }
    }
    assert!(taken > 100, "{taken}");
    // What callers send is plain.
    let bearer = format!("bEARER {session}");
    let plain = [
        ("Host", "Acme.auth.example.com:443"),
        ("Authorization", bearer.as_str()),
        ("Accept", "*/*"),
        ("Accept-Encoding", "gzip, deflate"),
        ("User-Agent", "python-requests/2.32"),
        ("Connection", "Keep-Alive"),
        ("CONTENT-TYPE", "application/json; charset=UTF-8"),
        ("X-Tenant-Id", tenant.as_str()),
        ("X-Request-ID", "bfe9eb29 of (mine)"),
    ];
    for content in [r#"{ "permission" : "orders.read" }"#, r#"{"permission":1,"workspace":"desk"}"#] {
        assert!(alike(&house, &request("/v1/check", &plain, content)).await, "{content}");
        for (path, is_plain) in [
            ("/t/acme/v1/check", true),
            ("/t/ACME/v1/check", false),
            ("/t/other/v1/check", false),
            ("/t/nobody/v1/check", false),
            ("/t/a%63me/v1/check", false),
        ] {
            assert_eq!(alike(&house, &request(path, &plain, content)).await, is_plain, "{path}");
        }
    }
    assert!(alike(&house, &request("/v1/introspect", &plain, &format!(r#"{{"token":"{session}"}}"#))).await);
    let form = plain.map(|(name, text)| {
        (name, if name == "CONTENT-TYPE" { "application/x-www-form-urlencoded" } else { text })
    });
    for (content, is_plain) in [
        (format!("token={session}"), true),
        (format!("token={ended}&token_type_hint=access_token"), true),
        (format!("token={session}&token_type_hint={}", "a".repeat(4_096)), true),
        (format!("token={session}&token_type_hint={}", "a".repeat(4_097)), false),
        (format!("token_type_hint=&token={session}&at_least=1.1&address=203.0.113.7"), true),
        (format!("token={session}&address=::1"), true),
        (format!("token={session}&token={session}"), false),
        (format!("token={session}&"), false),
        (format!("token={session}&other=1"), false),
        (format!("token={session}&token_type_hint=%61"), false),
        (format!("token={session}&at_least="), false),
        ("token=x".to_owned(), false),
        ("token".to_owned(), false),
    ] {
        assert_eq!(alike(&house, &request("/v1/introspect", &form, &content)).await, is_plain, "{content}");
    }
    assert!(!alike(&house, &request("/v1/check", &form, "permission=orders.read")).await);
    // Another tenant, or none, is named: that is for the general way to say.
    for (header, value) in
        [("Host", "other.auth.example.com"), ("X-Tenant-Id", "other"), ("X-Tenant-Id", "nobody")]
    {
        let named = plain.map(|(name, text)| (name, if name == header { value } else { text }));
        assert!(!alike(&house, &request("/v1/check", &named, r#"{"permission":"orders.read"}"#)).await);
    }
}

/// PROPERTY: bytes that differ from a plain request's are answered alike by both ways, or by the general way alone.
/// METHOD: 4,000 requests with one or two bytes changed, taken out or put in, half of them in the content.
/// TC-49, TC-87 in part.
#[tokio::test(flavor = "multi_thread")]
async fn changed_bytes_are_answered_alike() {
    let Asked { house, session, .. } = asked().await;
    let bearer = format!("Bearer {session}");
    let headers = [
        ("host", "localhost"),
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("accept", "*/*"),
    ];
    let good = request("/v1/check", &headers, r#"{"permission":"orders.read","workspace":1}"#);
    assert!(alike(&house, &good).await);
    let content = good.find("\r\n\r\n").expect("a head") + 4;
    let (mut state, mut taken) = (7_u64, 0);
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("small") % below
    };
    let signs: Vec<char> = "\r\n\t\0 :;,\"\\{}[]0123456789aAeEhHnulx*/.-_\u{7f}\u{e9}".chars().collect();
    for _ in 0..4_000 {
        let mut changed: Vec<char> = good.chars().collect();
        let from = if random(2) == 0 { 0 } else { content };
        for _ in 0..=random(2) {
            let at = from + random(changed.len() - from);
            match random(3) {
                0 => changed[at] = signs[random(signs.len())],
                1 => changed.insert(at, signs[random(signs.len())]),
                _ => drop(changed.remove(at)),
            }
        }
        let changed: String = changed.into_iter().collect();
        taken += u32::from(alike(&house, &changed).await);
    }
    assert!(taken > 100, "{taken}");
}

/// PROPERTY: the short way takes no memory for a question.
#[tokio::test]
async fn a_plain_question_takes_no_memory() {
    let Asked { house, session, .. } = asked().await;
    let peer =
        Origin { address: "127.0.0.1".parse().expect("one"), sni: None, proxied: false, listed: Listed::No };
    let bearer = format!("Bearer {session}");
    let headers =
        [("host", "localhost"), ("authorization", bearer.as_str()), ("content-type", "application/json")];
    let check = request("/v1/check", &headers, r#"{"permission":"orders.read","workspace":"desk"}"#);
    let introspect = request("/v1/introspect", &headers, &format!(r#"{{"token":"{session}"}}"#));
    let mut desk = Desk::new();
    let mut ask = |request: &str| {
        desk.out.clear();
        assert_eq!(
            desk.answer(house.door.shared(), &peer, request.as_bytes()),
            Taken::Answered(request.len())
        );
    };
    for request in [&check, &introspect] {
        ask(request);
        let counted = allocation_counter::measure(|| (0..100).for_each(|_| ask(request)));
        assert_eq!(counted.count_total, 0, "{request}");
    }
}

/// PROPERTY: over its budget a caller is told the same both ways.
#[tokio::test(flavor = "multi_thread")]
async fn both_ways_have_one_budget() {
    let house =
        House::with(|config| config.limits = Limits { credential_per_second: 30, ..Limits::default() }).await;
    let (_, key) = house.tenant("acme").await;
    house.pass(1_000);
    let (_, session) = house.person(&key, "amy@example.org", "orders.read").await;
    house.pass(1_000);
    let bearer = format!("Bearer {session}");
    let headers = [("host", "x"), ("authorization", bearer.as_str()), ("content-type", "application/json")];
    let request = request("/v1/check", &headers, r#"{"permission":"orders.read"}"#);
    let before = house.door.figures();
    for asked in 0..30 {
        let answer = if asked % 2 == 0 {
            short(&house, request.as_bytes()).expect("plain").0
        } else {
            general(&house, &request).await
        };
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{asked}: {answer}");
    }
    let named = request.replacen("\r\n", "\r\nx-request-id: 7\r\n", 1);
    let over = short(&house, named.as_bytes()).expect("plain").0;
    assert!(over.contains("\r\nx-request-id: 7\r\n"), "{over}");
    assert_eq!(over, general(&house, &named).await);
    let over = short(&house, request.as_bytes()).expect("plain").0;
    assert!(over.starts_with("HTTP/1.1 429 Too Many Requests\r\n"), "{over}");
    assert_eq!(over, general(&house, &request).await);
    let after = house.door.figures();
    assert_eq!(
        (
            after.requests - before.requests,
            after.refused - before.refused,
            after.over_budget - before.over_budget
        ),
        (34, 4, 4)
    );
}

/// PROPERTY: steps of policies are paid for both ways: with dear policies a credential's budget is worth fewer checks.
#[tokio::test(flavor = "multi_thread")]
async fn both_ways_pay_for_policies() {
    let house =
        House::with(|config| config.limits = Limits { credential_per_second: 200, ..Limits::default() })
            .await;
    let (_, key) = house.tenant("acme").await;
    let (_, session) = house.person(&key, "amy@example.org", "docs.read").await;
    let bearer = format!("Bearer {session}");
    let headers = [("host", "x"), ("authorization", bearer.as_str()), ("content-type", "application/json")];
    let request = request("/v1/check", &headers, r#"{"permission":"docs.read"}"#);
    let asked = async |is_short: bool| {
        house.pass(10_000);
        for asked in 0..400 {
            let answer = if is_short {
                short(&house, request.as_bytes()).expect("plain").0
            } else {
                general(&house, &request).await
            };
            if answer.starts_with("HTTP/1.1 429 ") {
                return asked;
            }
        }
        panic!("no budget");
    };
    assert_eq!((asked(true).await, asked(false).await), (200, 200));
    house.pass(10_000);
    let dear =
        |no: u32| format!("forbid (principal, action, resource) when {{ !context.key && {no} > 1000 }};");
    let dear = serde_json::json!({ "policies": (0..200).map(dear).collect::<Vec<_>>().join("\n") });
    house.ask("PUT /v1/policies", &key, Some(dear)).await.expect(200);
    let (less, same) = (asked(true).await, asked(false).await);
    assert!(less == same && less < 150, "{less} {same}");
}

/// PROPERTY: on one connection plain questions and others follow each other in any order and however their bytes
/// come, and each is answered once and in turn.
#[tokio::test(flavor = "multi_thread")]
async fn both_ways_share_a_connection() {
    for secure in [false, true] {
        let house = if secure { House::secure(|_| {}).await } else { House::open().await };
        let (_, key) = house.tenant("acme").await;
        let (_, session) = house.person(&key, "amy@example.org", "orders.read").await;
        let bearer = format!("Bearer {session}");
        let headers =
            [("host", "localhost"), ("authorization", bearer.as_str()), ("content-type", "application/json")];
        let check = request("/v1/check", &headers, r#"{"permission":"orders.read"}"#);
        let introspect = request("/v1/introspect", &headers, &format!(r#"{{"token":"{session}"}}"#));
        let me = format!("GET /v1/me HTTP/1.1\r\nhost: localhost\r\nauthorization: {bearer}\r\n\r\n");
        let none = "GET /v1/none HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned();
        let asks = [check, introspect, me, none];
        let mut stream = house.connect(b"http/1.1").await;
        let mut answers = Vec::new();
        for ask in &asks {
            say(&mut stream, ask.as_bytes()).await;
            answers.push(answer(&mut *stream).await);
        }
        assert!(answers[0].contains(r#""decision":"permit""#) && answers[1].contains(r#""active":true"#));
        // Cut anywhere.
        for (ask, expected) in asks.iter().zip(&answers) {
            for at in (1..ask.len()).step_by(7) {
                say(&mut stream, &ask.as_bytes()[..at]).await;
                tokio::time::sleep(Duration::from_millis(u64::from(at % 3 == 0))).await;
                say(&mut stream, &ask.as_bytes()[at..]).await;
                assert_eq!(&answer(&mut *stream).await, expected, "cut at {at}");
            }
        }
        // Several at once, in every order of three, with the last one cut.
        for (first, second, third) in (0..64).map(|order| (order % 4, order / 4 % 4, order / 16)) {
            let all = [&*asks[first], &*asks[second], &*asks[third]].concat();
            let at = all.len() - 1 - (first + 5 * second) % 40;
            say(&mut stream, &all.as_bytes()[..at]).await;
            for ask in [first, second] {
                assert_eq!(answer(&mut *stream).await, answers[ask]);
            }
            say(&mut stream, &all.as_bytes()[at..]).await;
            assert_eq!(answer(&mut *stream).await, answers[third]);
        }
        // More than are looked at at once.
        let many = 400;
        let (mut from, mut to) = tokio::io::split(stream);
        let all = asks[0].repeat(many);
        let write = async move {
            say(&mut to, all.as_bytes()).await;
            to
        };
        let read = async {
            for _ in 0..many {
                assert_eq!(answer(&mut from).await, answers[0]);
            }
        };
        let (_to, ()) = tokio::join!(write, read);
        // The drain ends a connection at rest.
        house.door.drain(Duration::from_secs(30)).await;
        assert_eq!(from.read(&mut [0; 16]).await.expect("ended"), 0);
    }
}

/// PROPERTY: a connection on which something else was asked rests again, and is answered the short way. METHOD: the
/// short way writes the node's date, which stands in these tests, the general way that of the day.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_rests_again() {
    let house = House::secure(|_| {}).await;
    let (_, key) = house.tenant("acme").await;
    let bearer = format!("Bearer {key}");
    let headers =
        [("host", "localhost"), ("authorization", bearer.as_str()), ("content-type", "application/json")];
    let check = request("/v1/check", &headers, r#"{"permission":"orders.read"}"#);
    let is_short =
        |answer: &[u8]| String::from_utf8_lossy(answer).contains("date: Thu, 01 Jan 2026 00:00:00 GMT\r\n");
    let shown = format!("host: localhost\r\nauthorization: {bearer}\r\n");
    let mut stream = house.connect(b"http/1.1").await;
    for other in [
        format!("GET /v1/me HTTP/1.1\r\n{shown}\r\n"),
        "GET /v1/none HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        request("/v1/check", &headers[..1], &" ".repeat(20_000)),
        request("/v1/check", &headers, "{}"),
        request("/v1/check-batch", &headers, r#"{"checks":[{"permission":"orders.read"}]}"#),
        check.replacen("\r\n", &format!("\r\n{GENERAL}"), 1),
    ] {
        say(&mut stream, other.as_bytes()).await;
        let general = dated(&mut *stream).await;
        assert!(!is_short(&general), "{other}");
        say(&mut stream, check.as_bytes()).await;
        let short = dated(&mut *stream).await;
        assert!(is_short(&short), "after {other}: {}", String::from_utf8_lossy(&short));
    }
}

/// PROPERTY: a connection that asks nothing more ends in time, whichever way it was answered.
/// TC-87 in part.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_at_rest_ends() {
    let house = House::with(|config| {
        config.limits = Limits { head: Duration::from_millis(100), ..config.limits };
    })
    .await;
    let (_, key) = house.tenant("acme").await;
    let bearer = format!("Bearer {key}");
    let headers = [("host", "x"), ("authorization", bearer.as_str()), ("content-type", "application/json")];
    let check = request("/v1/check", &headers, r#"{"permission":"orders.read"}"#);
    let me = format!("GET /v1/me HTTP/1.1\r\nhost: x\r\nauthorization: {bearer}\r\n\r\n");
    for asked in [String::new(), check.clone(), me.clone(), format!("{check}{me}"), format!("{me}{check}")] {
        let mut stream = house.connect(b"http/1.1").await;
        stream.write_all(asked.as_bytes()).await.expect("written");
        let mut read = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut read)).await;
        ended.expect("ended").expect("read");
        let text = String::from_utf8_lossy(&read);
        assert_eq!(text.matches("HTTP/1.1 200 OK").count(), asked.matches(" HTTP/1.1").count(), "{text}");
    }
}
