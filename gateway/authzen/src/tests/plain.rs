//! One evaluation in the plain form: the short way and the general way say the same, byte for byte.

use super::{House, question};
use serde_json::{Value, json};
use tessera_gateway_http::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A header that is not plain, and that nobody looks at.
const GENERAL: &str = "x-general: 1\r\n";
/// The date of the node's clock, which stands in these tests; the general way writes that of the day.
const SHORT: &str = "date: Thu, 01 Jan 2026 00:00:00 GMT\r\n";

/// A connection that stays open.
struct Line {
    stream: TcpStream,
    read: Vec<u8>,
    filled: usize,
}

impl Line {
    async fn open(house: &House) -> Self {
        let stream = TcpStream::connect(house.door.address()).await.expect("connected");
        Self { stream, read: vec![0; 64 * 1024], filled: 0 }
    }

    /// Asks, and reads one answer whole.
    async fn ask(&mut self, request: &str) -> &str {
        self.stream.write_all(request.as_bytes()).await.expect("written");
        self.filled = 0;
        loop {
            let count = self.stream.read(&mut self.read[self.filled..]).await.expect("read");
            assert_ne!(count, 0, "ended within the answer to {request}");
            self.filled += count;
            let text = str::from_utf8(&self.read[..self.filled]).expect("UTF-8");
            let Some((head, content)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if length.and_then(|length| length.parse().ok()) == Some(content.len()) {
                break;
            }
        }
        str::from_utf8(&self.read[..self.filled]).expect("UTF-8")
    }
}

fn request(path: &str, headers: &[(&str, &str)], content: &str) -> String {
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("POST {path} HTTP/1.1\r\n{lines}content-length: {}\r\n\r\n{content}", content.len())
}

fn undated(answer: &str) -> String {
    answer.split("\r\n").filter(|line| !line.starts_with("date: ")).collect::<Vec<_>>().join("\r\n")
}

/// Both ways of one house.
struct Ways {
    house: House,
    plain: Line,
    general: Line,
    session: String,
    alice: String,
}

impl Ways {
    async fn open(limits: Limits) -> Self {
        let house = House::within(crate::PROTOCOL, limits, Vec::new()).await;
        // Whatever was taken from budgets meanwhile is there again; the second that dates tell stays.
        let alice = house.person("alice@example.com").await;
        for (role, permission) in [("reader", "orders.read"), ("writer", "docs.read")] {
            house.role(role, permission).await;
        }
        house.done("POST /v1/workspaces", json!({ "name": "berlin" })).await;
        house.grant(&alice, "reader", Some("berlin")).await;
        house.documents().await;
        house.write(&format!("user:{alice}"), "viewer", "document:123").await;
        let proof = json!({ "identifier": "alice@example.com", "password": "correct horse" });
        let opened = house.done("POST /v1/sign-in", proof).await;
        let session = opened["handle"].as_str().expect("a handle").to_owned();
        let (plain, general) = (Line::open(&house).await, Line::open(&house).await);
        Self { house, plain, general, session, alice }
    }

    /// Whether the short way takes a request soon. Behind an answer of the general way a connection is hyper's for a
    /// moment, and so is what comes within it: it is asked again.
    async fn soon(&mut self, request: &str) -> bool {
        for _ in 0..50 {
            if self.alike(request).await {
                return true;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        false
    }

    /// Whether the short way takes a request; both ways answer alike.
    async fn alike(&mut self, request: &str) -> bool {
        let marked = request.replacen("\r\n", &format!("\r\n{GENERAL}"), 1);
        // A key's use is noted meanwhile, and moves the position that is told: until nothing moves in between.
        for _ in 0..1_000 {
            let answer = self.plain.ask(request).await.to_owned();
            let other = undated(self.general.ask(&marked).await);
            let again = self.plain.ask(request).await;
            if again == answer || undated(again) == undated(&answer) {
                assert_eq!(undated(&answer), other, "{request}");
                return answer.contains(SHORT);
            }
        }
        panic!("it does not settle: {request}");
    }

    fn of(&self, bearer: &str, content: &str) -> String {
        let bearer = format!("Bearer {bearer}");
        let headers =
            [("host", "localhost"), ("authorization", bearer.as_str()), ("content-type", "application/json")];
        request("/access/v1/evaluation", &headers, content)
    }
}

/// Numbers from a seed.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("small") % end
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// What may stand in a question, good and bad.
fn random(ways: &Ways, seeded: &mut Seeded) -> Value {
    let said = [
        json!({}),
        json!({ "workspace": "berlin" }),
        json!({ "workspace": "paris", "n": 7, "b": true, "x": null }),
        json!({ "workspace": null }),
        json!({ "workspace": 1 }),
        json!({ "ip_address": "203.0.113.7" }),
        json!({ "ip_address": "here" }),
        json!({ "ip_address": false }),
        json!({ "nested": { "a": [1, 2] } }),
        json!({ "fraction": 1.5, "text": "caf\u{e9}" }),
        json!({ "1": 1, "2": 1, "3": 1, "4": 1, "5": 1, "6": 1, "7": 1, "8": 1, "9": 1 }),
        json!([]),
        json!("text"),
        Value::Null,
    ];
    let (alice, session) = (json!(ways.alice), json!(ways.session));
    let unknown = json!("0190163d-8694-739b-aea5-966c26f8ad91");
    let ids = [alice, session, unknown, json!("alice@example.com"), json!(""), json!(7), Value::Null];
    let kinds = ["user", "subject", "session", "robot"];
    let mut subject = json!({ "type": seeded.one(&kinds), "id": seeded.one(&ids) });
    let actions = ["orders.read", "docs.read", "orders.fly", "no name at all", ""];
    let mut action = json!({ "name": seeded.one(&actions) });
    let places = [
        ("document", "123"),
        ("document", "124"),
        ("document", "1 2"),
        ("document", ""),
        ("book", "\"quoted\""),
        ("document:123", "x"),
        ("", "x"),
        ("workspace", "berlin"),
        ("workspace", "paris"),
        ("workspace", "0190163d-8694-739b-aea5-966c26f8ad91"),
        ("tenant", "acme"),
        ("tenant", ways.house.tenant.as_str()),
        ("tenant", "other"),
    ];
    let (kind, id) = seeded.one(&places);
    let mut resource = json!({ "type": kind, "id": id });
    for (part, often) in [(&mut subject, 5), (&mut action, 8), (&mut resource, 3)] {
        if seeded.below(often) == 0 {
            part["properties"] = seeded.one(&said).clone();
        }
        if seeded.below(40) == 0 {
            part["other"] = json!(1);
        }
    }
    let mut asked = json!({ "subject": subject, "action": action, "resource": resource });
    if seeded.below(4) == 0 {
        asked["context"] = seeded.one(&said).clone();
    }
    for name in ["subject", "action", "resource"] {
        if seeded.below(40) == 0 {
            asked.as_object_mut().expect("members").remove(name);
        }
    }
    asked
}

/// PROPERTY: whatever the short way answers, the general way answers alike: status, headers and content; and what
/// callers send is answered the short way. METHOD: random questions of every part, good and bad, by callers of every
/// kind, and the same with one or two characters changed. TC-49, TC-87 in part.
#[tokio::test(flavor = "multi_thread")]
async fn both_ways_evaluate_alike() {
    let mut ways = Ways::open(Limits::default()).await;
    let mut seeded = Seeded(11);
    let callers = [ways.house.key.clone(), ways.session.clone(), "tess_none".to_owned()];
    let signs: Vec<char> = "\r\t ,:\"\\{}[]019truefalsn-.eu\u{7f}\u{e9}".chars().collect();
    let (mut taken, mut changed) = (0, 0);
    for round in 0..1_200 {
        let mut content = random(&ways, &mut seeded).to_string();
        let is_changed = round % 2 == 1;
        if is_changed {
            let mut letters: Vec<char> = content.chars().collect();
            for _ in 0..=seeded.below(2) {
                let at = seeded.below(letters.len());
                match seeded.below(3) {
                    0 => letters[at] = *seeded.one(&signs),
                    1 => letters.insert(at, *seeded.one(&signs)),
                    _ => drop(letters.remove(at)),
                }
            }
            content = letters.into_iter().collect();
        }
        let caller = if seeded.below(8) == 0 { seeded.one(&callers) } else { &callers[0] };
        let asked = ways.of(caller, &content);
        // Budgets last for the second that stands.
        let short = ways.alike(&asked).await;
        *(if is_changed { &mut changed } else { &mut taken }) += u32::from(short);
    }
    assert!(taken > 100 && changed > 30, "{taken} and {changed}");
}

/// PROPERTY: what callers send is answered the short way: below the tenant's prefix, with an id of their own, with
/// properties and a context; what is not plain is not. The credential is told from others, and the tenant.
#[tokio::test(flavor = "multi_thread")]
async fn what_callers_send_is_plain() {
    let mut ways = Ways::open(Limits::default()).await;
    let (alice, bearer) = (ways.alice.clone(), format!("Bearer {}", ways.house.key));
    let mut asked = question(("user", &alice), "orders.read", ("workspace", "berlin"));
    let plain = [
        ("Host", "acme.auth.example.com:443"),
        ("Authorization", bearer.as_str()),
        ("Accept", "*/*"),
        ("User-Agent", "python-requests/2.32"),
        ("Content-Type", "application/json; charset=utf-8"),
        ("X-Request-ID", "bfe9eb29-ab87-4ca3-be83-a1d5d8305716"),
    ];
    let path = "/access/v1/evaluation";
    assert!(ways.soon(&request(path, &plain, &asked.to_string())).await);
    let below = format!("/t/acme{path}");
    assert!(ways.soon(&request(&below, &plain, &asked.to_string())).await);
    assert!(!ways.alike(&request("/t/other/access/v1/evaluation", &plain, &asked.to_string())).await);
    assert!(!ways.alike(&request("/access/v1/evaluations", &plain, &asked.to_string())).await);
    for (resource, is_plain) in [
        (json!({ "type": "document", "id": "123" }), true),
        (json!({ "type": "document", "id": "9", "properties": { "workspace": "berlin", "n": 1 } }), true),
        (json!({ "type": "book", "id": "9" }), true),
        (json!({ "type": "tenant", "id": "acme" }), true),
        (json!({ "type": "document", "id": "9", "properties": { "list": [] } }), false),
    ] {
        asked["resource"] = resource.clone();
        asked["context"] = json!({ "time": "2024-05-31T15:22-07:00", "n": null });
        let request = request(path, &plain, &asked.to_string());
        let short = if is_plain { ways.soon(&request).await } else { ways.alike(&request).await };
        assert_eq!(short, is_plain, "{resource}");
    }
    // By an identifier somebody is looked up where it may wait.
    asked["subject"] = json!({ "type": "user", "id": "alice@example.com" });
    assert!(!ways.alike(&request(path, &plain, &asked.to_string())).await);
    // Somebody without the permission to check is told so on either way; somebody without a credential on the general.
    let session = ways.session.clone();
    asked["subject"] = json!({ "type": "user", "id": alice });
    asked["resource"] = json!({ "type": "document", "id": "123" });
    assert!(ways.soon(&ways.of(&session, &asked.to_string())).await);
    assert!(ways.plain.ask(&ways.of(&session, &asked.to_string())).await.starts_with("HTTP/1.1 403 "));
    let nobody = ways.of("tess_none", &asked.to_string());
    assert!(!ways.alike(&nobody).await);
    assert!(ways.plain.ask(&nobody).await.starts_with("HTTP/1.1 401 "));
    assert!(!ways.alike(&ways.of(&ways.house.key, "{}")).await);
    assert!(ways.plain.ask(&ways.of(&ways.house.key, "{}")).await.starts_with("HTTP/1.1 400 "));
}

/// PROPERTY: both ways take from one budget, once for each request, whichever way it is answered; over it both say the
/// same. METHOD: plain questions, general ones, and plain ones that go on to the general way, until nothing is left.
#[tokio::test(flavor = "multi_thread")]
async fn both_ways_pay_alike() {
    let limits = Limits { credential_per_second: 30, ..Limits::default() };
    let house = House::within(crate::PROTOCOL, limits, Vec::new()).await;
    house.pass(1_000);
    let alice = house.person("alice@example.com").await;
    house.pass(2_000);
    let asked = |id: &str| question(("user", id), "tessera.read", ("tenant", "acme")).to_string();
    let bearer = format!("Bearer {}", house.key);
    let headers = [("host", "x"), ("authorization", bearer.as_str()), ("content-type", "application/json")];
    let plain = request("/access/v1/evaluation", &headers, &asked(&alice));
    let onward = request("/access/v1/evaluation", &headers, &asked("alice@example.com"));
    let general = plain.replacen("\r\n", &format!("\r\n{GENERAL}"), 1);
    let mut line = Line::open(&house).await;
    for round in 0..30 {
        let request = [&plain, &onward, &general][round % 3];
        let answer = line.ask(request).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{round}: {answer}");
    }
    let over = undated(line.ask(&plain).await);
    assert!(over.starts_with("HTTP/1.1 429 "), "{over}");
    assert_eq!(undated(line.ask(&general).await), over);
    assert_eq!(undated(line.ask(&onward).await), over);
}

/// PROPERTY: a plain evaluation takes no memory: neither reading it, nor deciding, nor answering. METHOD: door and caller
/// on one thread, whose allocations are counted over a few questions at a time, often: timers of the engine that take some
/// are on that thread too, and between two of them nothing is taken.
#[test]
fn a_plain_evaluation_takes_no_memory() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (mut ways, requests) = runtime.block_on(async {
        let ways = Ways::open(Limits::default()).await;
        let alice = ways.alice.clone();
        let mut about = question(("user", &alice), "docs.read", ("book", "7"));
        about["resource"]["properties"] = json!({ "workspace": "berlin" });
        about["context"] = json!({ "time": "2024-05-31T15:22-07:00" });
        let granted = question(("user", &alice), "orders.read", ("workspace", "berlin"));
        let session = question(("session", &ways.session), "orders.read", ("workspace", "berlin"));
        let requests = [granted, about, session].map(|asked| ways.of(&ways.house.key, &asked.to_string()));
        (ways, requests)
    });
    for request in &requests {
        let answer = runtime.block_on(async {
            for _ in 0..10 {
                ways.plain.ask(request).await;
            }
            ways.plain.ask(request).await.to_owned()
        });
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(SHORT), "{answer}");
        let mut few = || {
            let counted = allocation_counter::measure(|| {
                runtime.block_on(async {
                    for _ in 0..3 {
                        ways.plain.ask(request).await;
                    }
                });
            });
            counted.count_total
        };
        assert_eq!((0..200).map(|_| few()).min(), Some(0), "{request}");
    }
}
