//! Services over HTTP: entries that do not read are told with their place, what is registered is told as it was.

use super::House;
use serde_json::{Value, json};

/// PROPERTY: what does not read in an entry is refused with its code at its place, and nothing happens; what reads is
/// told as it was given, and its uses are found.
#[tokio::test(flavor = "multi_thread")]
async fn entries_are_read_strictly_and_told_as_given() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    let put = async |entries: Value| {
        house.ask("PUT /v1/services/orders", &key, Some(json!({ "entries": entries }))).await
    };
    let good = json!({ "permission": "orders.read" });
    let long = "x".repeat(513);
    let many: serde_json::Map<String, Value> =
        (0..9).map(|no| (format!("a{}", char::from(b'a' + no)), json!("x"))).collect();
    let seen = async || house.ask("GET /v1/me", &key, None).await.expect(200).string("seen");
    let before = seen().await;
    for (bad, code, place) in [
        (json!(7), 227, ""),
        (json!({}), 227, "/permission"),
        (json!({ "permission": "a b" }), 227, "/permission"),
        (json!({ "permission": "x".repeat(129) }), 220, "/permission"),
        (json!({ "permission": "a", "nobody": 1 }), 227, "/nobody"),
        (json!({ "permission": "a", "action": 1 }), 227, "/action"),
        (json!({ "permission": "a", "labels": [] }), 227, "/labels"),
        (json!({ "permission": "a", "labels": { "english": "A" } }), 227, "/labels/english"),
        (json!({ "permission": "a", "labels": { "en": "" } }), 227, "/labels/en"),
        (json!({ "permission": "a", "labels": { "en": 7 } }), 227, "/labels/en"),
        (json!({ "permission": "a", "labels": { "en": "a\nb" } }), 227, "/labels/en"),
        (json!({ "permission": "a", "labels": { "en": "x".repeat(121) } }), 220, "/labels/en"),
        (json!({ "permission": "a", "labels": { "EN": "x", "en": "y" } }), 227, "/labels/en"),
        (json!({ "permission": "a", "labels": many }), 220, "/labels"),
        (json!({ "permission": "a", "description": long }), 220, "/description"),
        (json!({ "permission": "a", "description": "\u{0}" }), 227, "/description"),
        (json!({ "permission": "a", "deprecated": "yes" }), 227, "/deprecated"),
        (json!({ "permission": "a", "replaced_by": "b" }), 227, "/replaced_by"),
    ] {
        let reply = put(json!([good, bad])).await;
        assert_eq!(reply.code(), code, "{bad}: {reply:?}");
        assert_eq!(reply.string("field"), format!("entries/1{place}"), "{bad}");
    }
    let reply = put(json!(vec![good; 513])).await;
    assert_eq!((reply.code(), reply.string("field")), (220, "entries".to_owned()));
    for (line, status, code) in [
        ("GET /v1/services/nobody/entries", 404, 284),
        ("GET /v1/entries/orders.read", 404, 206),
        ("GET /v1/entries/orders.read/uses", 404, 206),
    ] {
        assert_eq!(house.ask(line, &key, None).await.expect(status).code(), code, "{line}");
    }
    assert_eq!(seen().await, before);
    let entry = json!({
        "permission": "orders.read", "action": "read", "description": "Sees every order.", "deprecated": true,
        "labels": { "en": "Read orders", "de": "Bestellungen lesen", "fa": "\u{62e}\u{648}\u{627}\u{646}" },
        "replaced_by": "orders.list",
    });
    let made = put(json!([entry, { "permission": "orders.list" }])).await.expect(200).json();
    assert_eq!(made["kept"], 0);
    let told = house.ask("GET /v1/entries/orders.read", &key, None).await.expect(200).json();
    for (member, value) in entry.as_object().expect("an object") {
        assert_eq!(told[member], *value, "{member}");
    }
    let listed = house.ask("GET /v1/services", &key, None).await.expect(200).json();
    assert_eq!(listed["rows"], json!([{ "service": "orders", "entries": 2, "deprecated_entries": 1 }]));
    // Another service's, and a cursor of another list.
    let theirs = json!({ "entries": [{ "permission": "orders.read" }] });
    let refused = house.ask("PUT /v1/services/bills", &key, Some(theirs)).await.expect(409);
    assert_eq!(refused.code(), 285);
    let page = house.ask("GET /v1/services/orders/entries?limit=1", &key, None).await.expect(200);
    let next = page.string("next");
    for (path, code) in [
        (format!("/v1/services/orders/entries?cursor={next}"), 0),
        (format!("/v1/entries?cursor={next}"), 243),
        (format!("/v1/services?cursor={next}"), 243),
        (format!("/v1/deprecated-uses?cursor={next}"), 243),
        (format!("/v1/entries/orders.read/uses?cursor={next}"), 243),
    ] {
        let reply = house.ask(&format!("GET {path}"), &key, None).await;
        assert_eq!(if reply.status == 200 { 0 } else { reply.code() }, code, "{path}");
    }
    let role = json!({ "name": "clerk", "patterns": ["orders.read"] });
    house.ask("POST /v1/roles", &key, Some(role)).await.expect(200);
    for path in ["/v1/deprecated-uses", "/v1/entries/orders.read/uses"] {
        let uses = house.ask(&format!("GET {path}"), &key, None).await.expect(200).json();
        assert_eq!(uses["rows"][0]["used_by"], "role", "{path}");
        assert_eq!(
            (&uses["rows"][0]["role"], &uses["rows"][0]["pattern"]),
            (&json!("clerk"), &json!("orders.read"))
        );
        assert_eq!(uses["rows"].as_array().map(Vec::len), Some(1));
    }
    let typo = json!({ "name": "typo", "patterns": ["orders.raed"] });
    assert_eq!(house.ask("POST /v1/roles", &key, Some(typo)).await.expect(404).code(), 206);
}
