//! Refusals point at the place: the field, which item of it, and what is wrong there.

use super::House;
use crate::openapi::example;
use crate::operation::Shape;
use serde_json::{Value, json};

/// PROPERTY: whatever of a request does not read, or names nothing, is told by its field and its place in a list, with
/// what is wrong there.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_point_at_the_place() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    let (amy, _) = house.person(&key, "amy@example.org", "orders.*").await;
    house
        .ask("POST /v1/workspaces", &key, Some(json!({ "name": "berlin", "inherits": true })))
        .await
        .expect(200);
    house.ask("POST /v1/permission-names", &key, Some(json!({ "name": "orders.read" }))).await.expect(200);
    let keys = format!("POST /v1/subjects/{amy}/keys");
    let make = |patterns: Value| json!({ "patterns": patterns, "expires": example(Shape::Instant) });
    let ceiling = |patterns: Value| json!({ "patterns": patterns });
    let entries = |entries: Value| json!({ "entries": entries });
    let long = "x".repeat(129);
    let role = |name: &str| json!({ "name": name, "patterns": [] });
    for (line, content, told) in [
        (keys.as_str(), make(json!(["orders.read", "a b"])), (422, 227, "patterns/1", "letters")),
        (&keys, make(json!(["orders.read", "scope=media//x"])), (422, 227, "patterns/1", "at byte 6")),
        (&keys, make(json!(["orders.read", "orders.raed"])), (404, 206, "patterns/1", "")),
        ("PUT /v1/workspaces/berlin/ceiling", ceiling(json!(["no.such"])), (404, 206, "patterns/0", "")),
        ("PUT /v1/workspaces/berlin/ceiling", ceiling(json!([7])), (422, 227, "patterns/0", "text")),
        ("POST /v1/roles", role(&long), (409, 220, "name", "128")),
        ("POST /v1/roles", role("a b"), (422, 227, "name", "letters")),
        ("POST /v1/roles", role("7"), (409, 226, "name", "")),
        (
            "POST /v1/groups",
            json!({ "name": "0190163d-8694-739b-aea5-966c26f8ad90" }),
            (409, 226, "name", ""),
        ),
        (
            "PUT /v1/services/shop",
            entries(
                json!([{ "permission": "shop.a" }, { "permission": "shop.b" }, { "permission": "shop.a" }]),
            ),
            (409, 211, "entries/2/permission", ""),
        ),
        (
            "PUT /v1/services/shop",
            entries(json!([{ "permission": "shop.a" },
                { "permission": "shop.b", "deprecated": true, "replaced_by": "shop.c" }])),
            (404, 206, "entries/1/replaced_by", ""),
        ),
        (
            "PUT /v1/services/shop",
            entries(json!([{ "permission": "shop.a", "labels": { "en-x": "A" } }])),
            (422, 227, "entries/0/labels/en-x", ""),
        ),
    ] {
        let refused = house.ask(line, &key, Some(content.clone())).await;
        let found = (refused.status, refused.code(), refused.string("field"));
        assert_eq!(found, (told.0, told.1, told.2.to_owned()), "{line} {content}: {refused:?}");
        assert!(refused.text.contains(told.3), "{line} {content}: {refused:?}");
    }
}
