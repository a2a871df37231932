//! Relations over HTTP: model, tuples and every question, their errors in both number spaces, their cost.

use super::{House, Reply};
use crate::Limits;
use serde_json::{Value, json};

const MODEL: &str = "model\n  schema 1.1\ntype user\ntype team\n  relations\n    define member: [user, team#member]\ntype document\n  relations\n    define blocked: [user]\n    define viewer: [user, user:*, team#member]\n    define can_view: viewer but not blocked\n";

/// A tuple, or a question: subject, relation, object.
fn tuple(text: &str) -> Value {
    let words: Vec<&str> = text.split(' ').collect();
    json!({ "user": words[0], "relation": words[1], "object": words[2] })
}

fn tuples(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|text| tuple(text)).collect()
}

/// A question with members of its own.
fn with(text: &str, more: &Value) -> Value {
    let mut question = tuple(text);
    let members = question.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    question
}

struct Acme {
    house: House,
    key: String,
}

impl Acme {
    async fn open(limits: Limits) -> Self {
        let house = House::with(|config| {
            config.limits = Limits { source_per_second: 100_000, ..limits };
        })
        .await;
        let (_, key) = house.tenant("acme").await;
        let acme = Self { house, key };
        acme.ask("PUT model", json!({ "model": MODEL })).await.expect(200);
        acme
    }

    async fn ask(&self, line: &str, body: Value) -> Reply {
        let (verb, path) = line.split_once(' ').expect("verb and path");
        let body = if body.is_null() { None } else { Some(body) };
        self.house.ask(&format!("{verb} /v1/relations/{path}"), &self.key, body).await
    }

    async fn write(&self, texts: &[&str]) -> Reply {
        self.ask("POST tuples", json!({ "write": tuples(texts) })).await
    }
}

/// A problem's own number, and that of `OpenFGA`.
fn numbers(reply: &Reply) -> (u64, u64) {
    (reply.code(), reply.json()["openfga_code"].as_u64().unwrap_or(0))
}

/// PROPERTY: what is written is answered at the next question, also with `at_least`; each answer of a batch
/// carries the id of its question, tuples of one question count in no other (F-20), and an error is its own and
/// no permit.
#[tokio::test(flavor = "multi_thread")]
async fn f_20_questions_are_answered() {
    let acme = Acme::open(Limits::default()).await;
    let all = [
        "user:ann member team:a",
        "team:a#member viewer document:1",
        "user:eve viewer document:1",
        "user:eve blocked document:1",
        "user:* viewer document:2",
    ];
    let receipt = acme.write(&all).await.expect(200).string("receipt");
    let seen = json!({ "at_least": receipt });
    for (question, decision) in [
        ("user:ann can_view document:1", "permit"),
        ("user:eve can_view document:1", "deny"),
        ("user:bob can_view document:1", "deny"),
        ("user:bob can_view document:2", "permit"),
        ("team:a#member viewer document:1", "permit"),
    ] {
        let reply = acme.ask("POST check", with(question, &seen)).await.expect(200);
        assert_eq!(reply.string("decision"), decision, "{question}");
    }
    let ahead =
        acme.ask("POST check", with("user:ann viewer document:1", &json!({ "at_least": "1.999" }))).await;
    assert_eq!((ahead.status, ahead.code()), (503, 303));

    let along = json!({ "correlation_id": "with", "contextual_tuples": tuples(&["user:bob member team:a"]) });
    let checks = json!([
        with("user:bob can_view document:1", &json!({ "correlation_id": "without" })),
        with("user:bob can_view document:1", &along),
        with("user:bob fly document:1", &json!({ "correlation_id": "unknown" })),
        tuple("user:bob can_view document:1"),
    ]);
    let told = acme.ask("POST check-batch", json!({ "checks": checks })).await.expect(200).json();
    let told: Vec<(&str, &str, u64)> = told["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|one| {
            let code = one["error"]["openfga_code"].as_u64().unwrap_or(0);
            (one["correlation_id"].as_str().expect("id"), one["decision"].as_str().expect("word"), code)
        })
        .collect();
    assert_eq!(
        told,
        [("without", "deny", 0), ("with", "permit", 0), ("unknown", "deny", 2000), ("3", "deny", 0)]
    );
    let twice = json!([
        with("user:bob viewer document:1", &json!({ "correlation_id": "1" })),
        tuple("user:bob viewer document:1")
    ]);
    let twice = acme.ask("POST check-batch", json!({ "checks": twice })).await.expect(422);
    assert_eq!(twice.string("field"), "checks/1/correlation_id");

    let expanded = json!({ "object": "document:1", "relation": "can_view" });
    let tree = acme.ask("POST expand", expanded).await.expect(200).json()["tree"].clone();
    assert_eq!(
        tree,
        json!({ "exclusion": [{ "computed": "document:1#viewer" }, { "computed": "document:1#blocked" }] })
    );
    let path = acme.ask("POST explain", tuple("user:eve can_view document:1")).await.expect(200).json();
    assert_eq!(path["decision"], "deny");
    let path = path["path"].as_array().expect("a path");
    assert!(path.iter().any(|step| step["what"] == "user:eve blocked document:1"), "{path:?}");
    let asked = json!({ "object": "document:1", "relation": "can_view", "type": "user" });
    let users = acme.ask("POST list-subjects", asked).await.expect(200).json();
    assert_eq!(users["rows"], json!([{ "user": "user:ann" }]));
}

/// PROPERTY: changes of one request all happen or none; conditions are held against what stands; every refusal has
/// its number in both spaces, and nothing of it is stored.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_both_numbers() {
    let acme = Acme::open(Limits::default()).await;
    acme.write(&["user:ann viewer document:1"]).await.expect(200);
    acme.write(&["user:ann viewer document:1"]).await.expect(200);
    let strict = |member: &str, text: &str| json!({ member: tuples(&[text]), "strict": true });
    let (there, gone) = ("user:ann viewer document:1", "user:bob viewer document:1");
    let mixed = json!({ "write": tuples(&[gone]), "require": tuples(&["user:zoe viewer document:1"]) });
    let model = |model: &str| json!({ "model": model });
    for (line, body, status, told) in [
        ("POST tuples", strict("write", there), 409, (272, 2017)),
        ("POST tuples", strict("remove", gone), 409, (273, 2017)),
        ("POST tuples", json!({ "write": tuples(&[gone]), "forbid": tuples(&[there]) }), 409, (272, 2017)),
        ("POST tuples", mixed, 409, (273, 2017)),
        ("POST tuples", json!({ "write": tuples(&["team:a viewer document:1"]) }), 422, (274, 2027)),
        ("POST tuples", json!({ "write": tuples(&["user:* member team:a"]) }), 422, (274, 2027)),
        ("POST tuples", json!({ "write": [{ "user": "user:ann" }] }), 422, (227, 2000)),
        ("POST check", tuple("user:ann fly document:1"), 422, (275, 2000)),
        ("POST check", tuple("user:ann viewer nonsense"), 422, (275, 2000)),
        (
            "POST check",
            with(there, &json!({ "contextual_tuples": tuples(&["user:ann fly document:1"]) })),
            422,
            (274, 2027),
        ),
        ("PUT model", model("model\n  schema 1.1\ntype a:\n"), 422, (270, 2056)),
        ("PUT model", model("model\n  schema 1.1\ntype user\n"), 409, (271, 0)),
        ("GET model?version=9", Value::Null, 404, (278, 2001)),
        ("GET tuples?cursor=AAAA", Value::Null, 422, (243, 2007)),
    ] {
        let reply = acme.ask(line, body).await;
        assert_eq!((reply.status, numbers(&reply)), (status, told), "{line}: {reply:?}");
    }
    let other = "user:eve viewer document:2";
    acme.write(&[other]).await.expect(200);
    // The tuple that it is about is named.
    for (body, field, detail) in [
        (json!({ "write": tuples(&[gone, "team:a viewer document:1"]) }), "write/1", "takes no such subject"),
        (json!({ "write": tuples(&[gone, "user:ann fly document:1"]) }), "write/1", "no such relation"),
        (json!({ "write": tuples(&[gone, there]), "strict": true }), "write/1", ""),
        (json!({ "remove": tuples(&[there, gone]), "strict": true }), "remove/1", ""),
        (
            json!({ "remove": tuples(&[there]), "write": tuples(&[there, other]), "strict": true }),
            "write/1",
            "",
        ),
        (json!({ "write": tuples(&[gone]), "forbid": tuples(&[gone, there]) }), "forbid/1", ""),
        (json!({ "write": tuples(&[gone]), "require": tuples(&[there, gone]) }), "require/1", ""),
    ] {
        let told = acme.ask("POST tuples", body).await.json();
        assert_eq!(told["field"], field, "{told}");
        assert!(told["detail"].as_str().unwrap_or_default().contains(detail), "{told}");
    }
    let wrong = acme.ask("PUT model", model("model\n  schema 1.1\ntype a:\n")).await.json();
    assert_eq!((&wrong["line"], &wrong["column"]), (&json!(3), &json!(7)));
    let orphans = acme.ask("PUT model", model("model\n  schema 1.1\ntype user\n")).await.json();
    assert_eq!((&orphans["orphans"], &orphans["examples"][0]["user"]), (&json!(2), &json!("user:ann")));
    let rows = acme.ask("GET tuples", Value::Null).await.expect(200).json()["rows"].clone();
    assert_eq!(rows.as_array().map(Vec::len), Some(2), "{rows}");

    // Deeper than 25 steps is an error of its own, never a quiet no.
    let nested: Vec<String> =
        (0..30).map(|at| format!("team:t{}#member member team:t{at}", at + 1)).collect();
    let nested: Vec<&str> = nested.iter().map(String::as_str).collect();
    acme.write(&nested).await.expect(200);
    let deep = acme.ask("POST check", tuple("user:ann member team:t0")).await;
    assert_eq!((deep.status, numbers(&deep)), (422, (276, 2002)));
}

/// PROPERTY: a model is tried without a change; its versions are kept and read; it is changed only as it was seen;
/// tuples that it leaves behind count in no answer.
#[tokio::test(flavor = "multi_thread")]
async fn models_are_tried_and_kept() {
    let acme = Acme::open(Limits::default()).await;
    acme.write(&["user:ann viewer document:1", "user:* viewer document:2"]).await.expect(200);
    let narrow = MODEL.replace("[user, user:*, team#member]", "[user, team#member]");
    let trial = acme.ask("POST model/try", json!({ "model": narrow })).await.expect(200).json();
    assert_eq!((&trial["valid"], &trial["orphans"]), (&json!(true), &json!(1)));
    assert_eq!(trial["examples"][0]["user"], "user:*");
    let trial = acme.ask("POST model/try", json!({ "model": "nonsense" })).await.expect(200).json();
    assert_eq!((&trial["valid"], &trial["line"]), (&json!(false), &json!(1)));

    let read = acme.ask("GET model", Value::Null).await.expect(200);
    let tag = read.header("etag").to_owned();
    assert_eq!((read.json()["version"].clone(), read.string("model")), (json!(1), MODEL.to_owned()));
    let bearer = format!("Bearer {}", acme.key);
    let body = json!({ "model": narrow, "allow_orphans": true }).to_string();
    let line = "PUT /v1/relations/model";
    let stale = [("authorization", bearer.as_str()), ("if-match", "\"0\"")];
    acme.house.send(line, &stale, &body).await.expect(412);
    let fresh = [("authorization", bearer.as_str()), ("if-match", tag.as_str())];
    let made = acme.house.send(line, &fresh, &body).await.expect(200);
    assert_eq!(made.json()["version"], 2);
    assert_eq!(
        acme.ask("POST check", tuple("user:bob viewer document:2")).await.expect(200).string("decision"),
        "deny"
    );

    for version in 3..=20 {
        let model = format!("{narrow}\n# {version}\n");
        acme.ask("PUT model", json!({ "model": model, "allow_orphans": true })).await.expect(200);
    }
    let rows = acme.ask("GET models", Value::Null).await.expect(200).json()["rows"].clone();
    let versions: Vec<u64> =
        rows.as_array().expect("rows").iter().filter_map(|row| row["version"].as_u64()).collect();
    assert_eq!(versions, (5..=20).rev().collect::<Vec<_>>());
    assert_eq!(acme.ask("GET model?version=4", Value::Null).await.code(), 278);
    assert!(
        acme.ask("GET model?version=5", Value::Null).await.expect(200).string("model").ends_with("# 5\n")
    );
}

/// PROPERTY: a list comes page by page and is whole; a cursor goes on in its own list only, and not in that of
/// another question.
#[tokio::test(flavor = "multi_thread")]
async fn lists_go_on_by_sealed_cursors() {
    let acme = Acme::open(Limits::default()).await;
    let all: Vec<String> = (0..25).map(|at| format!("user:ann viewer document:n{at:02}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    acme.write(&all).await.expect(200);
    let question = json!({ "user": "user:ann", "relation": "can_view", "type": "document" });
    let (mut names, mut cursors, mut query) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = acme.ask(&format!("POST list-objects?limit=10{query}"), question.clone()).await;
        let page = page.expect(200).json();
        let rows = page["rows"].as_array().expect("rows").clone();
        names.extend(rows.iter().filter_map(|row| row["object"].as_str().map(str::to_owned)));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("&cursor={next}");
        cursors.push(next.to_owned());
    }
    assert_eq!(names, (0..25).map(|at| format!("document:n{at:02}")).collect::<Vec<_>>());
    let tuples = acme.ask("GET tuples?limit=10", Value::Null).await.expect(200).string("next");
    let other = json!({ "user": "user:bob", "relation": "can_view", "type": "document" });
    for (line, body) in [
        (format!("POST list-objects?cursor={tuples}"), question.clone()),
        (format!("POST list-objects?cursor={}", cursors[0]), other),
        (format!("GET tuples?cursor={}", cursors[0]), Value::Null),
        (format!("GET tuples?relation=viewer&cursor={tuples}"), Value::Null),
    ] {
        let reply = acme.ask(&line, body).await;
        assert_eq!((reply.status, numbers(&reply)), (422, (243, 2007)), "{line}");
    }
    let rest = acme.ask(&format!("GET tuples?cursor={tuples}"), Value::Null).await.expect(200).json();
    assert_eq!(rest["rows"].as_array().map(Vec::len), Some(15));
}

/// PROPERTY: a question costs what it looked at: one that walks far leaves a debt that time pays back.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_costs_what_it_walked() {
    let acme = Acme::open(Limits { credential_per_second: 500, ..Limits::default() }).await;
    acme.house.pass(1_000);
    for part in 0..8 {
        let all: Vec<String> =
            (0..1_000).map(|at| format!("user:ann viewer document:n{part}x{at}")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        acme.write(&all).await.expect(200);
    }
    acme.house.pass(1_000);
    for _ in 0..50 {
        acme.ask("POST check", tuple("user:ann viewer document:n0x0")).await.expect(200);
    }
    let question = json!({ "user": "user:ann", "relation": "viewer", "type": "document" });
    acme.ask("POST list-objects?limit=1", question).await.expect(200);
    let over = acme.ask("POST check", tuple("user:ann viewer document:n0x0")).await.expect(429);
    let wait = over.json()["retry_ms"].as_u64().expect("a wait");
    assert!(wait > 500, "{over:?}");
    acme.house.pass(wait);
    acme.ask("POST check", tuple("user:ann viewer document:n0x0")).await.expect(200);
}

/// PROPERTY: a question that fails on its way is paid for, too. METHOD: a row of groups that is too deep for an answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_fails_costs_what_it_walked() {
    let acme = Acme::open(Limits { credential_per_second: 500, ..Limits::default() }).await;
    acme.house.pass(1_000);
    let row: Vec<String> = (0..40).map(|at| format!("team:c{}#member member team:c{at}", at + 1)).collect();
    let row: Vec<&str> = row.iter().map(String::as_str).collect();
    acme.write(&row).await.expect(200);
    for line in ["POST check", "POST explain"] {
        acme.house.pass(60_000);
        let deep = acme.ask(line, tuple("user:zed member team:c0")).await;
        assert_eq!(numbers(&deep), (276, 2002), "{line}: {deep:?}");
        acme.ask("POST check", tuple("user:ann viewer document:1")).await.expect(429);
    }
    acme.house.pass(60_000);
    let check = json!({ "checks": [tuple("user:zed member team:c0")] });
    let batch = acme.ask("POST check-batch", check).await.expect(200).json();
    assert!(batch["results"][0]["valid_until"].is_string(), "what was given up on may change: {batch}");
}

/// PROPERTY: a check about a resource is allowed by the relation that its permission is mapped to, to that resource
/// alone and within what restricts the handle; the explanation shows the path; nothing mapped is nothing allowed.
#[tokio::test(flavor = "multi_thread")]
async fn a_resource_is_checked_by_its_relation() {
    let acme = Acme::open(Limits::default()).await;
    let (ann, session) = acme.house.person(&acme.key, "ann@example.org", "guests.enter").await;
    acme.house
        .ask("POST /v1/permission-names", &acme.key, Some(json!({ "name": "docs.read" })))
        .await
        .expect(200);
    let asked = async |object: &str| {
        let body = json!({ "permission": "docs.read", "resource": object });
        let reply = acme.house.ask("POST /v1/check", &session, Some(body)).await.expect(200);
        (reply.string("decision"), reply.json()["reason_code"].as_u64().expect("a code"))
    };
    assert_eq!(asked("document:1").await, ("deny".to_owned(), 109));
    let mapping = json!({ "permission": "docs.read", "type": "document", "relation": "can_view" });
    acme.ask("PUT mappings", mapping).await.expect(200);
    let own = json!({ "permission": "tessera.admin.keys", "type": "document", "relation": "can_view" });
    assert_eq!(acme.ask("PUT mappings", own).await.code(), 226);
    let other = json!({ "permission": "docs.read", "type": "document", "relation": "flies" });
    assert_eq!(numbers(&acme.ask("PUT mappings", other).await), (275, 2000));
    acme.write(&[&format!("user:{ann} viewer document:1")]).await.expect(200);
    assert_eq!(asked("document:1").await, ("permit".to_owned(), 0));
    assert_eq!(asked("document:2").await, ("deny".to_owned(), 109));
    assert_eq!(asked("nonsense").await, ("deny".to_owned(), 117));
    let question = json!({ "subject": ann, "permission": "docs.read", "resource": "document:1" });
    let told = acme.house.ask("POST /v1/explain", &acme.key, Some(question)).await.expect(200).json();
    assert_eq!(
        (&told["decision"], &told["related"]["set"]),
        (&json!("permit"), &json!("document:1#can_view"))
    );
    let tuple = format!("user:{ann} viewer document:1");
    let path = told["related"]["path"].as_array().expect("a path");
    assert!(path.iter().any(|step| step["what"] == tuple.as_str()), "{path:?}");
    let rows = acme.ask("GET mappings", Value::Null).await.expect(200).json()["rows"].clone();
    assert_eq!(rows, json!([{ "permission": "docs.read", "type": "document", "relation": "can_view" }]));
    let gone = json!({ "permission": "docs.read", "type": "document" });
    acme.ask("POST mappings/remove", gone).await.expect(200);
    assert_eq!(asked("document:1").await, ("deny".to_owned(), 109));
}

/// PROPERTY: whoever watches hears each change once, and is answered when something happens; a position goes on where
/// it ended, and one of another list is refused.
#[tokio::test(flavor = "multi_thread")]
async fn changes_are_watched() {
    let acme = Acme::open(Limits::default()).await;
    let begin = acme.ask("GET watch", Value::Null).await.expect(200).json();
    assert_eq!((&begin["rows"], &begin["fell_behind"]), (&json!([]), &json!(false)));
    let next = begin["next"].as_str().expect("a cursor").to_owned();
    let line = format!("GET watch?wait_s=20&cursor={next}");
    let (waited, written) = tokio::join!(acme.ask(&line, Value::Null), async {
        // Whether it came before or after the other one asked: it is told.
        acme.write(&["user:ann viewer document:1"]).await
    });
    written.expect(200);
    let heard = waited.expect(200).json();
    assert_eq!(
        (&heard["rows"][0]["event"], &heard["rows"][0]["user"]),
        (&json!("write"), &json!("user:ann"))
    );
    acme.ask("POST tuples", json!({ "remove": tuples(&["user:ann viewer document:1"]) })).await.expect(200);
    let next = heard["next"].as_str().expect("a cursor");
    let heard = acme.ask(&format!("GET watch?cursor={next}"), Value::Null).await.expect(200).json();
    let rows = heard["rows"].as_array().expect("rows");
    assert_eq!((rows.len(), &rows[0]["event"]), (1, &json!("remove")));
    let told = acme.ask(&format!("GET tuples?cursor={next}"), Value::Null).await;
    assert_eq!((told.status, numbers(&told)), (422, (243, 2007)));
}
