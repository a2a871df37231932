//! Bulk load over HTTP.

use super::House;
use serde_json::{Value, json};

const LOAD: &str = "POST /v1/subjects/load";
const NDJSON: &str = "application/x-ndjson";

/// Line, field and code of each row that was turned down.
fn rejected(told: &Value) -> Vec<(u64, String, u64)> {
    let rows = told["rejected"].as_array().expect("a list");
    let text = |row: &Value, member: &str| row[member].as_str().expect(member).to_owned();
    let number = |row: &Value, member: &str| row[member].as_u64().expect(member);
    rows.iter().map(|row| (number(row, "line"), text(row, "field"), number(row, "code"))).collect()
}

async fn count(house: &House, key: &str) -> usize {
    let listed = house.ask("GET /v1/subjects", key, None).await.expect(200);
    listed.json()["rows"].as_array().expect("rows").len()
}

/// PROPERTY: each row is taken whole or told with its line and field; a trial changes nothing; rows that
/// were loaded, in either form and under any key, are known again; a repeat under its key has its receipt.
#[tokio::test(flavor = "multi_thread")]
async fn rows_are_taken_or_told() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    house.ask("POST /v1/roles", &key, Some(json!({ "name": "r", "patterns": ["a.*"] }))).await.expect(200);
    let before = count(&house, &key).await;
    let rows = "# people\n{\"email\":\"a@b.example\",\"roles\":[\"r\"],\"attributes\":{\"full_name\":\"A\"}}\n\n\
        {\"e-mail\":\"c@b.example\"}\n{\"email\":\"A@b.example\"}\n{\"username\":\"dan\",\"roles\":[\"none\"]}\n\
        {\"kind\":\"machine\"}\n{\"email\":\"e@b.example\"";
    let wrong = [
        (4, "e-mail".to_owned(), 227),
        (5, "email".to_owned(), 211),
        (6, "roles.none".to_owned(), 205),
        (8, String::new(), 227),
    ];
    let tried = house.post(&format!("{LOAD}?dry_run=true"), &key, (NDJSON, rows)).await.expect(200).json();
    assert_eq!((&tried["made"], &tried["known"], &tried["dry_run"]), (&2.into(), &0.into(), &true.into()));
    assert_eq!(rejected(&tried), wrong);
    assert_eq!(count(&house, &key).await, before, "a trial changes nothing");
    let done = house.post(LOAD, &key, (NDJSON, rows)).await.expect(200).json();
    assert_eq!((&done["made"], &done["known"]), (&2.into(), &0.into()));
    assert_eq!(rejected(&done), wrong);
    assert_eq!(count(&house, &key).await, before + 2);
    // Again, under an id of its own and then the same: known, and then the receipt alone.
    let (bearer, id) = (format!("Bearer {key}"), house.engine.command_id().to_string());
    let shown =
        [("authorization", bearer.as_str()), ("content-type", NDJSON), ("idempotency-key", id.as_str())];
    let again = house.send(LOAD, &shown, rows).await.expect(200).json();
    assert_eq!((&again["made"], &again["known"]), (&0.into(), &2.into()));
    let fresh = "{\"email\":\"new@b.example\"}";
    let other = house.engine.command_id().to_string();
    let shown =
        [("authorization", bearer.as_str()), ("content-type", NDJSON), ("idempotency-key", other.as_str())];
    let first = house.send(LOAD, &shown, fresh).await.expect(200).json();
    let repeat = house.send(LOAD, &shown, fresh).await.expect(200).json();
    assert_eq!((&repeat["receipt"], &repeat["repeated"]), (&first["receipt"], &true.into()));
    assert_eq!((&first["made"], repeat.get("made")), (&1.into(), None));
    let clash = house.send(LOAD, &shown, "{\"email\":\"else@b.example\"}").await.expect(422);
    assert_eq!((clash.code(), clash.string("field")), (212, "idempotency-key".to_owned()));
    // CSV that says the same is the same.
    let csv = "email,roles,attribute.full_name\na@b.example,r,A\nf@b.example,,\n";
    let done = house.post(LOAD, &key, ("text/csv; charset=utf-8", csv)).await.expect(200).json();
    assert_eq!((&done["made"], &done["known"]), (&1.into(), &1.into()));
    // Rows without identifiers are told apart by their line in the whole load.
    let nobody = "{\"kind\":\"machine\"}";
    for (first, made) in [(7, 0), (8, 1), (8, 0)] {
        let line = format!("{LOAD}?first_line={first}");
        let done = house.post(&line, &key, (NDJSON, nobody)).await.expect(200).json();
        assert_eq!(done["made"], made, "line {first}");
    }
    let csv = "kind\nmachine\nrobot";
    for (first, line) in [("?first_line=8", 10), ("?first_line=1", 3), ("", 3)] {
        let done = house.post(&format!("{LOAD}{first}"), &key, ("text/csv", csv)).await.expect(200).json();
        assert_eq!(rejected(&done), [(line, "kind".to_owned(), 227)]);
    }
}

/// PROPERTY: a content that is no rows, too many or too large is refused whole with the standard's status and the
/// field; whoever lacks the permission is refused, and grants need theirs; nothing of it is there.
/// TC-53 in part: sizes.
#[tokio::test(flavor = "multi_thread")]
async fn contents_that_are_no_rows() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    let (_, clerk) = house.person(&key, "amy@example.org", "tessera.admin.subjects").await;
    let (_, nobody) = house.person(&key, "bob@example.org", "a.b").await;
    let before = count(&house, &key).await;
    let many = "{}\n".repeat(513);
    let faulty = "x\n".repeat(513);
    let large = "#".repeat(256 * 1024 + 1);
    for (kind, text, status, code, field) in [
        ("application/json", "{}", 415, 403, "content-type"),
        ("text/plain", "{}", 415, 403, "content-type"),
        (NDJSON, "", 400, 403, "rows"),
        (NDJSON, many.as_str(), 409, 220, "rows"),
        (NDJSON, faulty.as_str(), 409, 220, "rows"),
        (NDJSON, large.as_str(), 413, 401, ""),
        ("text/csv", "e-mail\na@b.example", 422, 227, "rows/e-mail"),
        ("text/csv", "email,email\na@b.example,", 422, 227, "rows/email"),
    ] {
        let reply = house.post(LOAD, &key, (kind, text)).await;
        let told = reply.json();
        assert_eq!((reply.status, reply.code()), (status, code), "{kind} {told}");
        assert_eq!(told["field"].as_str().unwrap_or_default(), field, "{told}");
    }
    let row = "{\"email\":\"z@b.example\",\"roles\":[\"tessera.admin\"]}";
    for caller in [&clerk, &nobody] {
        assert_eq!(house.post(LOAD, caller, (NDJSON, row)).await.expect(403).code(), 200);
    }
    let query = house.post(&format!("{LOAD}?dry_run=maybe"), &key, (NDJSON, row)).await.expect(422);
    assert_eq!(query.string("field"), "dry_run");
    assert_eq!(count(&house, &key).await, before);
}
