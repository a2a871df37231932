//! HTTP/1.1 byte by byte: what is no request is refused in the standard's words, with a document.

use super::House;
use crate::Limits;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A second request behind each shape: it must never be answered.
const BEHIND: &str = "GET /v1/me HTTP/1.1\r\nHost: x\r\n\r\n";

/// PROPERTY (RFC 9112 sections 2.2, 3, 5, 6): shapes that two readers read in two ways, and bytes that
/// are no request, are answered once, with the standard's status and a problem document, and the
/// connection ends; meanwhile others are served.
/// TC-87 in part.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_gets_a_document() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    let post = "POST /v1/check HTTP/1.1\r\nHost: x\r\n";
    let chunked = format!("{post}Transfer-Encoding: chunked\r\n");
    let shapes: Vec<(Vec<u8>, &[u16])> = vec![
        // Lengths that differ, or are none.
        (format!("{post}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd").into(), &[400]),
        (format!("{post}Content-Length: -1\r\n\r\n").into(), &[400]),
        (format!("{post}Content-Length: 0x4\r\n\r\nabcd").into(), &[400]),
        (format!("{post}Content-Length: 18446744073709551616\r\n\r\n").into(), &[400]),
        (format!("{post}Content-Length: 1 1\r\n\r\n").into(), &[400]),
        (format!("{post}Content-Length:\r\n\r\n").into(), &[400]),
        // Chunks are not read, whatever they look like.
        (format!("{chunked}\r\n0\r\n\r\n").into(), &[411]),
        (format!("{chunked}Content-Length: 4\r\n\r\n0\r\n\r\n").into(), &[400, 411]),
        (
            format!("{post}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").into(),
            &[400, 411],
        ),
        (format!("{chunked}\r\nffffffffffffffff1\r\n").into(), &[411]),
        (format!("{chunked}\r\n1;x=\"\r\n\"\r\na\r\n0\r\n\r\n").into(), &[411]),
        (format!("{post}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n").into(), &[400]),
        (format!("{post}Transfer-Encoding: identity\r\n\r\n").into(), &[400, 411]),
        (format!("{post}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n").into(), &[400, 411]),
        (format!("{post}Transfer_Encoding: chunked\r\nContent-Length: 0\r\n\r\n").into(), &[401]),
        // Names, folds, ends of lines, NUL.
        (format!("{post}Content-Length : 4\r\n\r\nabcd").into(), &[400]),
        ("GET /v1/me HTTP/1.1\r\nHost: x\r\n X-A: 1\r\n\r\n".into(), &[400]),
        ("GET /v1/me HTTP/1.1\r\nHost: x\r\nX-A: a\r\n\tb\r\n\r\n".into(), &[400]),
        ("GET /v1/me HTTP/1.1\r\n Host: x\r\n\r\n".into(), &[400]),
        ("GET /v1/me HTTP/1.1\r\nHost: x\r\nX-A: a\rb\r\n\r\n".into(), &[400]),
        ("GET /v1/me HTTP/1.1\r\nHost: x\rX-A: b\r\n\r\n".into(), &[400]),
        (b"GET /v1/me HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n".to_vec(), &[400]),
        (b"GET /v1/me\0 HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), &[400]),
        ("GET /v1/me HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n".into(), &[400]),
        ("GET /v1/me HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n".into(), &[400]),
        // First lines.
        ("GET  /v1/me HTTP/1.1\r\nHost: x\r\n\r\n".into(), &[400]),
        ("GET /v1/me HTTP/1.2\r\nHost: x\r\n\r\n".into(), &[400]),
        ("GET /v1/me HTTP/9.9\r\nHost: x\r\n\r\n".into(), &[400]),
        ("GET /v1/me\r\n\r\n".into(), &[400]),
        ("GET /v1/me HTTP/1.1 x\r\nHost: x\r\n\r\n".into(), &[400]),
        ("G\u{e9}T /v1/me HTTP/1.1\r\nHost: x\r\n\r\n".into(), &[400]),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), &[400]),
        (format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(70_000)).into(), &[414, 431]),
        (format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "a: b\r\n".repeat(3_000)).into(), &[431]),
        (format!("GET / HTTP/1.1\r\nHost: x\r\na: {}\r\n\r\n", "b".repeat(70_000)).into(), &[431]),
    ];
    // HTTP/2 where HTTP/1.1 was agreed on (RFC 9113 section 3.4) is not answered at all.
    assert_eq!(house.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.status, 0);
    for (shape, statuses) in shapes {
        let told = String::from_utf8_lossy(&shape).chars().take(120).collect::<String>();
        let closes = statuses != [401];
        let close = if closes { BEHIND } else { "" };
        let mut bytes = shape;
        if closes {
            bytes.extend_from_slice(close.as_bytes());
        } else {
            let text = String::from_utf8_lossy(&bytes).replacen("\r\n", "\r\nConnection: close\r\n", 1);
            bytes = text.into_bytes();
        }
        let reply = house.raw(&bytes).await;
        assert!(statuses.contains(&reply.status), "{told}: {reply:?}");
        assert_eq!(reply.header("content-type"), "application/problem+json", "{told}: {reply:?}");
        assert_eq!(reply.json()["status"], reply.status, "{told}: one document and nothing behind it");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{told}");
        house.ask("GET /v1/me", &key, None).await.expect(200);
    }
}

/// PROPERTY: whoever asks and does not read is cut off, and holds up nobody.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_read_is_cut_off() {
    let house = House::with(|config| {
        config.limits = Limits { body: Duration::from_millis(200), ..config.limits };
    })
    .await;
    let (_, key) = house.tenant("acme").await;
    let mut deaf = house.connect(b"http/1.1").await;
    while house.door.figures().connections_open == 0 {
        tokio::task::yield_now().await;
    }
    // Answers of some 60 KiB each, until the kernel takes no more of them.
    let ask = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(500);
    let written = deaf.write_all(ask.as_bytes()).await;
    while house.door.figures().connections_open > 0 {
        house.ask("GET /v1/me", &key, None).await.expect(200);
    }
    let mut rest = Vec::new();
    let read = deaf.read_to_end(&mut rest).await;
    assert!(written.is_err() || read.is_err() || rest.len() < 500 * 40_000, "{}", rest.len());
}

/// PROPERTY (RFC 9112 sections 9.3 and 9.6): an answer that comes before the content is read leaves a
/// connection on which the next request is answered, or says that there is none.
#[tokio::test(flavor = "multi_thread")]
async fn an_early_answer_says_whether_more_may_follow() {
    let house = House::open().await;
    let bodies = [(100, 401, true), (200_000, 401, true), (300_000, 401, false)];
    for (path, bodies) in
        [("/v1/check", bodies), ("/v1/none", bodies.map(|(length, _, stays)| (length, 404, stays)))]
    {
        for (length, status, stays) in bodies {
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
            );
            let mut bytes = head.into_bytes();
            bytes.resize(bytes.len() + length, b' ');
            let last = "GET /v1/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            bytes.extend_from_slice(last.as_bytes());
            let reply = house.raw(&bytes).await;
            // A peer that is still sending may lose the answer with the connection.
            if reply.status == 0 && !stays {
                continue;
            }
            assert_eq!(reply.status, status, "{path} {length}: {reply:?}");
            assert_eq!(reply.header("connection") == "close", !stays, "{path} {length}: {reply:?}");
            assert_eq!(reply.text.contains("HTTP/1.1 401"), stays, "{path} {length}: {reply:?}");
        }
    }
}
