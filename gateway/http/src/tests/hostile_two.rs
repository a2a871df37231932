//! HTTP/2 frame by frame (RFC 9113, RFC 7541): floods end their connection and nobody else's.

use super::{House, Wire};
use crate::Limits;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// Error codes (RFC 9113 section 7).
const ENHANCE_YOUR_CALM: u32 = 0xb;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a length").to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A field as a literal without indexing (RFC 7541 section 6.2.2).
fn field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        let length = text.len();
        if length < 127 {
            bytes.push(u8::try_from(length).expect("short"));
        } else {
            bytes.push(127);
            let mut rest = length - 127;
            while rest >= 128 {
                bytes.push(u8::try_from(rest % 128 + 128).expect("a byte"));
                rest /= 128;
            }
            bytes.push(u8::try_from(rest).expect("a byte"));
        }
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// The fields of a request.
fn get(path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let own = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", path)];
    own.iter().chain(more).flat_map(|(name, value)| field(name, value)).collect()
}

/// A connection on which frames are written by hand.
struct Two(Box<dyn Wire>);

impl Two {
    /// Connects with the given settings (RFC 9113 section 3.4).
    async fn open(house: &House, settings: &[(u16, u32)]) -> Self {
        let mut stream = house.connect(b"h2").await;
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()[..]].concat())
            .collect();
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frame(SETTINGS, 0, 0, &payload));
        stream.write_all(&bytes).await.expect("written");
        Self(stream)
    }

    /// Writes and, so that neither side waits for the other, reads at once; the frames that came until
    /// the peer ended the connection.
    async fn flood(self, flood: Vec<u8>, times: usize) -> Vec<(u8, u32, Vec<u8>)> {
        let (mut reading, mut writing) = tokio::io::split(self.0);
        let writer = tokio::spawn(async move {
            for _ in 0..times {
                if writing.write_all(&flood).await.is_err() {
                    return;
                }
            }
            drop(writing.flush().await);
            // Still there: whatever ends the connection is the door's doing.
            std::future::pending::<()>().await;
        });
        let mut bytes = Vec::new();
        drop(reading.read_to_end(&mut bytes).await);
        writer.abort();
        frames(&bytes)
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("written");
    }

    /// The next frame; none at the end.
    async fn read(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).ok()?];
        self.0.read_exact(&mut payload).await.ok()?;
        Some((head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload))
    }
}

fn frames(mut bytes: &[u8]) -> Vec<(u8, u32, Vec<u8>)> {
    let mut found = Vec::new();
    while let Some((head, rest)) = bytes.split_at_checked(9) {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        found.push((head[3], stream, payload.to_vec()));
        bytes = rest;
    }
    found
}

/// The error codes of the frames that end a connection.
fn goodbyes(frames: &[(u8, u32, Vec<u8>)]) -> Vec<u32> {
    let ends = frames.iter().filter(|(kind, ..)| *kind == GOAWAY);
    ends.filter_map(|(.., payload)| Some(u32::from_be_bytes(payload.get(4..8)?.try_into().ok()?))).collect()
}

/// Resident memory of this process, bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("statm");
    let pages: u64 = text.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("pages");
    pages * 4_096
}

/// PROPERTY (CVE-2023-44487): a peer that opens and takes back streams is told to calm down and is gone;
/// its streams are answered or not, and others are served before and behind it.
/// TC-87 in part.
#[tokio::test(flavor = "multi_thread")]
async fn rapid_resets_end_their_connection() {
    let house = House::secure(|_| {}).await;
    let (_, key) = house.tenant("acme").await;
    let before = resident();
    let headers = get("/v1/me", &[("authorization", &format!("Bearer {key}"))]);
    let mut flood = Vec::new();
    for nth in 0..20_000_u32 {
        let stream = 2 * nth + 1;
        flood.extend(frame(HEADERS, END_HEADERS | END_STREAM, stream, &headers));
        flood.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    let told = Two::open(&house, &[]).await.flood(flood, 1).await;
    assert_eq!(goodbyes(&told), [ENHANCE_YOUR_CALM]);
    house.ask("GET /v1/me", &key, None).await.expect(200);
    assert!(resident().saturating_sub(before) < 64 << 20);
}

/// PROPERTY (CVE-2024-27316 and its kin): headers without an end are not collected.
/// TC-87 in part.
#[tokio::test(flavor = "multi_thread")]
async fn endless_headers_end_their_connection() {
    let house = House::secure(|_| {}).await;
    let (_, key) = house.tenant("acme").await;
    let before = resident();
    let begun = frame(HEADERS, END_STREAM, 1, &get("/v1/me", &[]));
    // Frames full of fields, frames of one byte less than a field, and empty ones.
    let full: Vec<u8> = (0..100).flat_map(|nth| field(&format!("x-{nth}"), &"y".repeat(100))).collect();
    for payload in [full.as_slice(), &field("x", "y"), &[]] {
        let mut two = Two::open(&house, &[]).await;
        two.write(&begun).await;
        let told = two.flood(frame(CONTINUATION, 0, 1, payload).repeat(64), 2_000).await;
        let ended = goodbyes(&told);
        assert!(!ended.is_empty() && ended.iter().all(|code| *code != 0), "{} B: {ended:?}", payload.len());
        house.ask("GET /v1/me", &key, None).await.expect(200);
    }
    assert!(resident().saturating_sub(before) < 64 << 20);
}

/// PROPERTY: a small head that says much (RFC 7541 section 7.3) is not answered as a request and is not
/// kept; a head that is a little too large gets 431 with a problem document, and its connection goes on.
/// TC-87 in part.
#[tokio::test(flavor = "multi_thread")]
async fn header_bombs_are_refused() {
    let house = House::secure(|_| {}).await;
    let (_, key) = house.tenant("acme").await;
    let before = resident();
    // One field of 4,000 bytes into the dynamic table, then named 12,000 times: 48 MB.
    let mut bomb = get("/v1/me", &[]);
    bomb.push(0x40);
    bomb.extend(&field("x-a", &"y".repeat(3_900))[1..]);
    bomb.extend([0xbe].repeat(12_000));
    let bombs: Vec<u8> =
        [1, 3, 5].into_iter().flat_map(|at| frame(HEADERS, END_HEADERS | END_STREAM, at, &bomb)).collect();
    let mut two = Two::open(&house, &[]).await;
    two.write(&bombs).await;
    let (kind, ..) = loop {
        let next = two.read().await.expect("an answer or an end");
        if !matches!(next.0, SETTINGS | WINDOW_UPDATE | PING) {
            break next;
        }
    };
    assert!(matches!(kind, GOAWAY | RST_STREAM | HEADERS), "{kind}");
    let mut two = Two::open(&house, &[]).await;
    let large = get("/v1/me", &[("x-a", &"y".repeat(10_000)), ("x-b", &"y".repeat(8_000))]);
    let (first, rest) = large.split_at(16_000);
    two.write(&frame(HEADERS, END_STREAM, 1, first)).await;
    two.write(&frame(CONTINUATION, END_HEADERS, 1, rest)).await;
    let many: Vec<(String, &str)> = (0..70).map(|nth| (format!("x-{nth}"), "1")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    two.write(&frame(HEADERS, END_HEADERS | END_STREAM, 3, &get("/v1/me", &many))).await;
    let (mut heads, mut documents) = (0, Vec::new());
    while documents.len() < 2 {
        let (kind, _, payload) = two.read().await.expect("the connection goes on");
        match kind {
            HEADERS => heads += 1,
            DATA if !payload.is_empty() => documents.push(payload),
            _ => {}
        }
    }
    assert_eq!(heads, 2, "each is answered");
    for document in documents {
        let told: serde_json::Value = serde_json::from_slice(&document).expect("a document");
        assert_eq!((&told["status"], &told["code"]), (&431.into(), &401.into()), "{told}");
    }
    house.ask("GET /v1/me", &key, None).await.expect(200);
    assert!(resident().saturating_sub(before) < 64 << 20);
}

/// PROPERTY (CVE-2019-9512, -9515): pings and settings without end are answered no faster than the peer
/// reads, nothing of them is kept, and others are served meanwhile.
/// TC-87 in part.
#[tokio::test(flavor = "multi_thread")]
async fn control_floods_wait_for_their_peer() {
    let house = House::secure(|config| {
        config.limits = Limits { body: Duration::from_millis(500), ..config.limits };
    })
    .await;
    let (_, key) = house.tenant("acme").await;
    let before = resident();
    let settings: Vec<u8> = [[0, 4].as_slice(), &65_535_u32.to_be_bytes()].concat();
    for flood in [frame(PING, 0, 0, &[7; 8]), frame(SETTINGS, 0, 0, &settings)] {
        let mut deaf = Two::open(&house, &[]).await;
        let flood = flood.repeat(1_000);
        // Until the door reads no further, or ends it.
        for _ in 0..4_000 {
            let written = tokio::time::timeout(Duration::from_secs(2), deaf.0.write_all(&flood)).await;
            if !matches!(written, Ok(Ok(()))) {
                break;
            }
        }
        house.ask("GET /v1/me", &key, None).await.expect(200);
        // Who never reads is cut off.
        while house.door.figures().connections_open > 0 {
            house.ask("GET /v1/me", &key, None).await.expect(200);
        }
    }
    assert!(resident().saturating_sub(before) < 64 << 20);
}

/// PROPERTY: streams beyond the limit are refused and the others answered; who opens no window for an
/// answer loses the connection.
#[tokio::test(flavor = "multi_thread")]
async fn streams_and_windows_are_bounded() {
    let house = House::secure(|config| {
        config.limits = Limits { streams: 4, body: Duration::from_millis(300), ..config.limits };
    })
    .await;
    let (_, key) = house.tenant("acme").await;
    let headers = get("/v1/me", &[("authorization", &format!("Bearer {key}"))]);
    // No window: no answer can leave, and so no stream ends.
    let mut two = Two::open(&house, &[(4, 0)]).await;
    for nth in 0..8_u32 {
        two.write(&frame(HEADERS, END_HEADERS | END_STREAM, 2 * nth + 1, &headers)).await;
    }
    let (mut answered, mut refused) = (0, 0);
    while let Some((kind, _, payload)) = two.read().await {
        match kind {
            HEADERS => answered += 1,
            // REFUSED_STREAM
            RST_STREAM if payload == 7_u32.to_be_bytes() => refused += 1,
            DATA => assert!(payload.is_empty(), "there is no window"),
            _ => {}
        }
    }
    assert_eq!((answered, refused), (4, 4), "and then the connection has ended");
    // A window that grows too large is an error of the connection or stream, not a larger window.
    let grown = frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffff_u32.to_be_bytes());
    let told = Two::open(&house, &[]).await.flood(grown, 2).await;
    assert_eq!(goodbyes(&told), [3], "FLOW_CONTROL_ERROR");
    house.ask("GET /v1/me", &key, None).await.expect(200);
}

/// PROPERTY: frames that are none, or stand where they must not, end their connection alone.
/// TC-87 in part.
#[tokio::test(flavor = "multi_thread")]
async fn bad_frames_end_their_connection() {
    let house = House::secure(|_| {}).await;
    let (_, key) = house.tenant("acme").await;
    let good = get("/v1/me", &[]);
    let upper: Vec<u8> = [good.as_slice(), &field("X-A", "1")].concat();
    let hop: Vec<u8> = [good.as_slice(), &field("transfer-encoding", "chunked")].concat();
    let fatal = [
        frame(DATA, 0, 0, b"x"),
        frame(HEADERS, END_HEADERS, 0, &good),
        frame(HEADERS, END_HEADERS | END_STREAM, 2, &good),
        frame(CONTINUATION, END_HEADERS, 1, &good),
        frame(SETTINGS, 0, 0, &[1]),
        frame(PING, 0, 0, &[1]),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff; 40]),
        [frame(HEADERS, 0, 1, &good), frame(PING, 0, 0, &[0; 8])].concat(),
        vec![0xff; 64],
    ];
    for bytes in fatal {
        let told = Two::open(&house, &[]).await.flood(bytes.clone(), 1).await;
        let ended = goodbyes(&told);
        assert!(!ended.is_empty() && ended[0] != 0, "{bytes:?}: {told:?}");
    }
    // A request that is malformed (RFC 9113 section 8.1.1) is not answered as if it were none.
    for bad in [upper, hop, field(":method", "GET"), [good.as_slice(), &good].concat()] {
        let mut two = Two::open(&house, &[]).await;
        two.write(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &bad)).await;
        while let Some((kind, _, payload)) = two.read().await {
            assert!(kind != HEADERS && kind != DATA, "{bad:?}: {payload:?}");
            if kind == RST_STREAM || kind == GOAWAY {
                break;
            }
        }
    }
    house.ask("GET /v1/me", &key, None).await.expect(200);
}

/// PROPERTY: what HTTP/2 answers by itself, before there is a request, is a status alone; what ends a stream or a
/// connection says a code of the standard and nothing from inside.
/// TC-90 in part.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_protocol_answers_itself_is_bare() {
    let house = House::secure(|_| {}).await;
    // Beyond twice the cap of a head no request is made of it (RFC 9113 section 10.5.1).
    let large = get(
        "/v1/me",
        &[("x-a", &"y".repeat(14_000)), ("x-b", &"y".repeat(14_000)), ("x-c", &"y".repeat(14_000))],
    );
    let mut two = Two::open(&house, &[]).await;
    let mut parts = large.chunks(16_000).peekable();
    let mut kind = HEADERS;
    while let Some(part) = parts.next() {
        let flags = if parts.peek().is_none() { END_HEADERS } else { 0 };
        two.write(&frame(kind, if kind == HEADERS { flags | END_STREAM } else { flags }, 1, part)).await;
        kind = CONTINUATION;
    }
    let (mut heads, mut ended) = (0, false);
    while let Some((kind, stream, payload)) = two.read().await {
        match kind {
            // `:status` by its index and three digits.
            HEADERS => {
                assert!(payload.len() <= 5, "{payload:?}");
                heads += 1;
            }
            DATA => assert!(payload.is_empty(), "{payload:?}"),
            RST_STREAM | GOAWAY => {
                assert_eq!(if kind == RST_STREAM { stream } else { 1 }, 1);
                ended = true;
                break;
            }
            _ => {}
        }
    }
    assert!(heads <= 1 && (heads == 1 || ended), "nothing was told");
    let good = get("/v1/me", &[]);
    for bytes in [
        frame(DATA, 0, 0, b"x"),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff; 40]),
        frame(HEADERS, END_HEADERS | END_STREAM, 2, &good),
        frame(SETTINGS, 0, 0, &[1]),
        vec![0xff; 64],
    ] {
        let told = Two::open(&house, &[]).await.flood(bytes, 1).await;
        assert!(!goodbyes(&told).is_empty(), "{told:?}");
        for (.., payload) in told.iter().filter(|(kind, ..)| *kind == GOAWAY) {
            assert!(payload[8..].is_empty(), "text beside the code");
        }
    }
    // The one text that it has is its own, of how much was too much.
    let mut flood = Vec::new();
    for nth in 0..20_000_u32 {
        flood.extend(frame(HEADERS, END_HEADERS | END_STREAM, 2 * nth + 1, &good));
        flood.extend(frame(RST_STREAM, 0, 2 * nth + 1, &8_u32.to_be_bytes()));
    }
    let told = Two::open(&house, &[]).await.flood(flood, 1).await;
    assert!(!goodbyes(&told).is_empty(), "{told:?}");
    for (.., payload) in told.iter().filter(|(kind, ..)| *kind == GOAWAY) {
        let text = String::from_utf8_lossy(&payload[8..]);
        assert!(text.is_empty() || text.starts_with("too_many_"), "{text}");
    }
}
