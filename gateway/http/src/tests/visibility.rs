//! Who sees whom over HTTP: every list with the ids of somebody who is not seen, and the rules themselves.

use super::House;
use super::operations::request;
use crate::operation::{About, Act, List, Needs, Operation};
use crate::table::OPERATIONS;
use serde_json::{Value, json};

const MAIL: &str = "ann.hidden@example.org";

/// The ids and the identifier of somebody.
#[derive(Clone)]
struct Named {
    subject: String,
    key: String,
    mail: String,
}

/// The request of a list about somebody: its example, with their ids and names of things that there are.
fn about(one: &Operation, named: &Named) -> (String, String) {
    let (line, (_, content)) = request(one);
    let mut path = line;
    for (field, value) in [
        ("subject", named.subject.as_str()),
        ("key", &named.key),
        ("group", "team"),
        ("permission", "shop.read"),
    ] {
        if one.path.contains(&format!("{{{field}}}")) {
            let example = one.fields.iter().find(|of| of.name == field).expect("a field");
            let example = crate::openapi::example(example.shape);
            path = path.replacen(&format!("/{}", example.as_str().expect("a text")), &format!("/{value}"), 1);
        }
    }
    if one.act == Act::List(List::Holders) {
        path = path.replace("/roles/orders.clerk/", "/roles/clerk/");
    }
    if content.is_empty() {
        return (path, content);
    }
    let mut content: Value = serde_json::from_str(&content).expect("JSON");
    for (member, value) in [
        ("subject", json!(named.subject)),
        ("key", json!(named.key)),
        ("identifier", json!(named.mail)),
        ("object", json!("team:a")),
        ("relation", json!("member")),
        ("type", json!("user")),
        ("user", json!("user:somebody")),
        ("contextual_tuples", json!([])),
    ] {
        if content.get(member).is_some() {
            content[member] = value;
        }
    }
    if one.act == Act::List(List::Relation(About::Trial)) {
        content["model"] = json!("model\n  schema 1.1\ntype user\n");
    }
    (path, content.to_string())
}

async fn ann(house: &House, admin: &str) -> Named {
    let (subject, _) = house.person(admin, MAIL, "shop.*").await;
    let done = async |line: &str, body: Value| house.ask(line, admin, Some(body)).await.expect(200);
    done("POST /v1/roles", json!({ "name": "clerk", "patterns": ["shop.*"] })).await;
    let of = |rest: &str| format!("/v1/subjects/{subject}/{rest}");
    done(&format!("POST {}", of("grants")), json!({ "role": "clerk" })).await;
    done(&format!("PATCH {}", of("attributes")), json!({ "attributes": { "title": "ann's title" } })).await;
    done("POST /v1/groups", json!({ "name": "team" })).await;
    done("POST /v1/groups/team/members", json!({ "subject": subject })).await;
    let key = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    done(&format!("POST {}", of("devices")), json!({ "name": "phone", "thumbprint": key })).await;
    let wanted = json!({ "role": "team-lead", "duration_s": 3_600, "because": "on call" });
    done("POST /v1/roles", json!({ "name": "team-lead", "patterns": [] })).await;
    done(&format!("POST {}", of("requests")), wanted).await;
    let entries = json!({ "entries": [{ "permission": "shop.read", "action": "read", "deprecated": true }] });
    done("PUT /v1/services/shop", entries).await;
    let made = json!({ "patterns": ["tessera.check"], "expires": "2026-12-01T00:00:00Z", "description": "ann's key" });
    let key = done(&format!("POST {}", of("keys")), made).await.string("session");
    let model = "model\n  schema 1.1\ntype user\ntype team\n  relations\n    define member: [user]\n";
    done("PUT /v1/relations/model", json!({ "model": model })).await;
    let tuple = json!({ "user": format!("user:{subject}"), "relation": "member", "object": "team:a" });
    done("POST /v1/relations/tuples", json!({ "write": [tuple] })).await;
    Named { subject, key, mail: MAIL.to_owned() }
}

/// PROPERTY: whoever holds every permission there is, and sees nobody by the rule of its role, and whoever may read
/// people and sees nobody, is told nothing of somebody by any list of the table, and asked with their ids every list
/// answers as with ids that are nobody's. The tenant's admin is told by the same requests.
/// TC-68 in part: every list over HTTP, made from the table.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_sees_nobody_learns_of_nobody() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    let (_, blind) = house.person(&admin, "blind@example.org", "tessera.*").await;
    let (_, people) = house.person(&admin, "people@example.org", tessera_engine::PEOPLE).await;
    let ann = ann(&house, &admin).await;
    let rules = json!({ "version": 0, "rules": [
        { "role": "blind", "sees": [], "shows": ["email", "status", "grants"] },
        { "sees": [], "shows": ["email"], "attributes": ["title"] },
    ] });
    house.ask("PUT /v1/visibility", &admin, Some(rules)).await.expect(200);
    let flip = |id: &str, at: usize| {
        let other = if &id[at..=at] == "0" { "1" } else { "0" };
        format!("{}{other}{}", &id[..at], &id[at + 1..])
    };
    // The life of a key's place differs, and the last digit of a subject.
    let (subject, key) = (flip(&ann.subject, 35), flip(&ann.key, 7));
    let nobody = Named { subject, key, mail: "nan.hidden@example.org".to_owned() };
    let lists = OPERATIONS.iter().filter(|one| {
        matches!(one.act, Act::List(_)) && matches!(one.needs, Needs::Permission(_) | Needs::OwnOr(_))
    });
    let (mut told_admin, mut asked) = (0, 0);
    for one in lists {
        let ((line, content), (like, likewise)) = (about(one, &ann), about(one, &nobody));
        let told = house.post(&line, &admin, ("application/json", &content)).await;
        told_admin += usize::from(told.status == 200 && told.text.contains(&ann.subject));
        for (who, key) in [("blind", &blind), ("people", &people)] {
            let told = house.post(&line, key, ("application/json", &content)).await;
            let right = house.post(&like, key, ("application/json", &likewise)).await;
            let plain =
                |text: &str, named: &Named| text.replace(&named.subject, "ID").replace(&named.key, "KEY");
            let (told_text, right_text) = (plain(&told.text, &ann), plain(&right.text, &nobody));
            assert_eq!((told.status, told_text), (right.status, right_text), "{who}, {}", one.id);
            if told.status == 200 {
                for secret in [&ann.subject, &ann.key, MAIL, "ann's", "on call"] {
                    assert!(!told.text.contains(secret), "{who} is told of ann by {}: {told:?}", one.id);
                }
            }
            asked += 1;
        }
    }
    assert!(told_admin >= 17 && asked > 100, "{told_admin} {asked}");
    // What it sees of itself is itself.
    for key in [&blind, &people] {
        let rows = house.ask("GET /v1/subjects", key, None).await.expect(200).json();
        assert_eq!(rows["rows"].as_array().map(Vec::len), Some(1), "{rows}");
        assert_eq!((&rows["rows"][0]["index"], &rows["rows"][0]["status"]), (&Value::Null, &json!("active")));
    }
}

/// PROPERTY: the rules are read with a tag and set against it, told where they are wrong, and show as far as they go.
#[tokio::test(flavor = "multi_thread")]
async fn rules_are_set_and_show_as_far_as_they_go() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    let (me, people) = house.person(&admin, "people@example.org", tessera_engine::PEOPLE).await;
    let ann = ann(&house, &admin).await;
    let line = "PUT /v1/visibility";
    let none = house.ask("GET /v1/visibility", &admin, None).await.expect(200);
    assert_eq!(none.json(), json!({ "version": 0, "rules": [] }));
    let tag = none.header("etag").to_owned();
    for (rules, code, at) in [
        (json!([{ "sees": ["friends"], "shows": [] }]), 227, "rules/0/sees"),
        (json!([{ "sees": [], "shows": ["mail"] }]), 227, "rules/0/shows"),
        (json!([{ "sees": [] }]), 227, "rules/0/shows"),
        (json!([{ "sees": [], "shows": [], "who": 1 }]), 227, "rules/0/who"),
        (json!([{ "sees": [], "shows": [], "role": 1 }]), 227, "rules/0/role"),
        (json!([{ "sees": [], "shows": [], "attributes": vec!["a"; 17] }]), 220, "rules/0/attributes"),
        (json!(vec![json!({ "sees": [], "shows": [] }); 65]), 220, "rules"),
        (json!([{ "sees": [], "shows": [], "role": "nobody" }]), 205, ""),
        (json!([{ "sees": [], "shows": [], "role": "tessera.admin" }]), 226, ""),
    ] {
        let told = house.ask(line, &admin, Some(json!({ "rules": rules }))).await;
        assert_eq!(told.code(), code, "{rules}: {told:?}");
        assert!(at.is_empty() || told.text.contains(at), "{rules}: {told:?}");
    }
    let rules =
        json!([{ "role": null, "sees": ["group"], "shows": ["email", "groups"], "attributes": ["title"] }]);
    let body = json!({ "rules": rules }).to_string();
    let bearer = format!("Bearer {admin}");
    let with = |tag: &str| [("authorization", bearer.clone()), ("if-match", tag.to_owned())];
    let send = async |tag: &str| {
        let headers = with(tag);
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        house.send(line, &headers, &body).await
    };
    send(&tag).await.expect(200);
    send(&tag).await.expect(412);
    let told = house.ask("GET /v1/visibility", &admin, None).await.expect(200).json();
    assert_eq!((&told["version"], &told["rules"]), (&json!(1), &rules));
    let of = |rest: &str| format!("GET /v1/subjects/{}{rest}", ann.subject);
    house.ask(&of(""), &people, None).await.expect(404);
    house.ask("POST /v1/groups/team/members", &admin, Some(json!({ "subject": me }))).await.expect(200);
    let row = house.ask(&of(""), &people, None).await.expect(200).json();
    assert_eq!(
        (&row["status"], &row["has_password"], &row["creator"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    let rows = house.ask(&of("/identifiers"), &people, None).await.expect(200).json();
    assert_eq!((&rows["rows"][0]["identifier"], &rows["rows"][0]["failures"]), (&json!(MAIL), &Value::Null));
    let rows = house.ask(&of("/attributes"), &people, None).await.expect(200).json();
    assert_eq!(rows["rows"], json!([{ "name": "title", "value": "ann's title" }]));
    let rows = house.ask(&of("/groups"), &people, None).await.expect(200).json();
    assert_eq!(rows["rows"][0]["group"], "team");
    for hidden in ["/grants", "/sessions", "/keys", "/devices", "/requests"] {
        let told = house.ask(&of(hidden), &people, None).await;
        assert_eq!((told.status, told.code()), (403, 245), "{hidden}: {told:?}");
    }
    // Nobody says more than they see.
    let (_, support) = house.person(&admin, "support@example.org", "tessera.admin.settings").await;
    let told = house.ask(line, &support, Some(json!({ "rules": [] }))).await;
    assert_eq!((told.status, told.code()), (403, 244), "{told:?}");
}
