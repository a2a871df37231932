//! Dry runs: what a change would come to, and nothing of it.

use super::House;
use crate::openapi::example;
use crate::operation::{Shape, Stand, Verb};
use crate::table::OPERATIONS;
use serde_json::{Value, json};

const MODEL: &str = "model\n  schema 1.1\ntype user\ntype document\n  relations\n    define viewer: [user]\n";

/// Each change of the administration: the operation, its path, a content that holds, one that does not with the code
/// that says so, and where what it changes is read.
fn changes(subject: &str, device: &str) -> Vec<(&'static str, String, Value, (Value, u64), String)> {
    let of = |path: &str| path.replace("SUBJECT", subject).replace("DEVICE", device);
    let many: Vec<String> = (0..65).map(|no| format!("p{no}.*")).collect();
    let row = |id, path: &str, good, bad, code, read: &str| (id, of(path), good, (bad, code), of(read));
    vec![
        row(
            "change_settings",
            "/v1/settings",
            json!({ "sessions_max": 5 }),
            json!({ "sessions_max": 0 }),
            218,
            "/v1/settings",
        ),
        row(
            "change_origins",
            "/v1/origins",
            json!({ "origins": ["https://a.example"] }),
            json!({ "origins": ["a"] }),
            227,
            "/v1/origins",
        ),
        row(
            "set_attributes",
            "/v1/subjects/SUBJECT/attributes",
            json!({ "attributes": { "seats": 7 } }),
            json!({ "attributes": { "seats": "x" } }),
            222,
            "/v1/subjects/SUBJECT/attributes",
        ),
        row(
            "change_role",
            "/v1/roles/clerk",
            json!({ "patterns": ["b.*"] }),
            json!({ "patterns": many }),
            220,
            "/v1/roles/clerk",
        ),
        row(
            "set_role_parents",
            "/v1/roles/clerk/parents",
            json!({ "parents": ["chief"] }),
            json!({ "parents": ["clerk"] }),
            251,
            "/v1/roles/clerk",
        ),
        row(
            "move_workspace",
            "/v1/workspaces/berlin/parent",
            json!({ "parent": "eu" }),
            json!({ "parent": "nowhere" }),
            207,
            "/v1/workspaces/berlin",
        ),
        row(
            "set_ceiling",
            "/v1/workspaces/berlin/ceiling",
            json!({ "patterns": ["a.*"] }),
            json!({ "patterns": many }),
            220,
            "/v1/workspaces/berlin",
        ),
        row(
            "set_owners",
            "/v1/workspaces/berlin/owners",
            json!({ "role": "clerk" }),
            json!({ "role": "none" }),
            205,
            "/v1/workspaces/berlin",
        ),
        row(
            "map_permission",
            "/v1/relations/mappings",
            json!({ "permission": "a.b", "type": "document", "relation": "viewer" }),
            json!({ "permission": "a.b", "type": "document", "relation": "none" }),
            275,
            "/v1/relations/mappings",
        ),
        row(
            "set_relation_model",
            "/v1/relations/model",
            json!({ "model": format!("{MODEL}type team\n") }),
            json!({ "model": "type" }),
            270,
            "/v1/relations/model",
        ),
        row(
            "change_group_rule",
            "/v1/groups/seated/rule",
            json!({ "rule": ["seats=4|5"] }),
            json!({ "rule": ["seats=many"] }),
            222,
            "/v1/groups/seated",
        ),
        row(
            "set_service",
            "/v1/services/shop",
            json!({ "entries": [{ "permission": "shop.buy" }, { "permission": "shop.sell" }] }),
            json!({ "entries": [{ "permission": "tessera.check" }] }),
            226,
            "/v1/services/shop/entries",
        ),
        row(
            "set_endpoints",
            "/v1/services/shop/endpoints",
            json!({ "endpoints": [{ "method": "GET", "path": "/buy", "needs": "shop.buy" }] }),
            json!({ "endpoints": [{ "method": "GET", "path": "/buy", "needs": "shop.unknown" }] }),
            206,
            "/v1/services/shop/endpoints",
        ),
        row(
            "set_policies",
            "/v1/policies",
            json!({ "policies": "permit (principal, action, resource);" }),
            json!({ "policies": "permit (principal, action, resource) when { context.none };" }),
            291,
            "/v1/policies",
        ),
        row(
            "change_client",
            "/v1/clients/phone",
            json!({ "sessions_max": 3 }),
            json!({ "session_ttl_s": 1 }),
            218,
            "/v1/clients/phone",
        ),
        row(
            "trust_device",
            "/v1/devices/DEVICE/trust",
            json!({ "trust": "managed" }),
            json!({ "trust": "blind" }),
            227,
            "/v1/subjects/SUBJECT/devices",
        ),
        row(
            "limit_device",
            "/v1/devices/DEVICE/ceiling",
            json!({ "patterns": ["a.*"] }),
            json!({ "patterns": many }),
            220,
            "/v1/subjects/SUBJECT/devices",
        ),
        row(
            "limit_trust",
            "/v1/device-policy/levels/managed",
            json!({ "patterns": ["a.*"] }),
            json!({ "patterns": many }),
            220,
            "/v1/device-policy",
        ),
        row(
            "require_devices",
            "/v1/device-policy/required",
            json!({ "required": true }),
            json!({ "required": 1 }),
            227,
            "/v1/device-policy",
        ),
        row(
            "set_visibility",
            "/v1/visibility",
            json!({ "rules": [{ "role": "clerk", "sees": ["group"], "shows": ["email"] }] }),
            json!({ "rules": [{ "role": "nobody", "sees": ["group"], "shows": ["email"] }] }),
            205,
            "/v1/visibility",
        ),
        row(
            "set_guest",
            "/v1/subjects/SUBJECT/guest",
            json!({ "guest": true }),
            json!({ "guest": 1 }),
            227,
            "/v1/subjects/SUBJECT",
        ),
        row(
            "set_personal_role",
            "/v1/personal-workspaces",
            json!({ "role": "clerk" }),
            json!({ "role": 1 }),
            227,
            "/v1/personal-workspaces",
        ),
    ]
}

/// PROPERTY: every PUT and PATCH of the table tries itself with `dry_run`: it answers as the change would, the record
/// stays byte for byte and the position where it was, and its idempotency key is as good as before.
#[tokio::test(flavor = "multi_thread")]
async fn changes_can_be_tried() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    let (subject, _) = house.person(&key, "amy@example.org", "a.b").await;
    for (line, content) in [
        ("POST /v1/roles", json!({ "name": "clerk", "patterns": ["a.*"] })),
        ("POST /v1/roles", json!({ "name": "chief", "patterns": ["c.*"] })),
        ("POST /v1/workspaces", json!({ "name": "eu" })),
        ("POST /v1/workspaces", json!({ "name": "berlin" })),
        ("POST /v1/attributes", json!({ "name": "seats", "kind": "integer" })),
        ("POST /v1/groups", json!({ "name": "seated", "rule": ["seats=*"] })),
        ("POST /v1/clients", json!({ "name": "phone" })),
        ("PUT /v1/relations/model", json!({ "model": MODEL })),
        ("PUT /v1/services/shop", json!({ "entries": [{ "permission": "shop.buy" }] })),
    ] {
        house.ask(line, &key, Some(content)).await.expect(200);
    }
    // A subject that owns a workspace, so that it can have owners.
    let grant = json!({ "role": "clerk", "workspace": "berlin" });
    house.ask(&format!("POST /v1/subjects/{subject}/grants"), &key, Some(grant)).await.expect(200);
    let device = json!({ "name": "phone", "thumbprint": example(Shape::Thumbprint) });
    let device = house.ask(&format!("POST /v1/subjects/{subject}/devices"), &key, Some(device)).await;
    let changes = changes(&subject, &device.expect(200).string("device"));
    for operation in OPERATIONS.iter().filter(|one| matches!(one.verb, Verb::Put | Verb::Patch)) {
        let dry = operation.fields.iter().any(|field| field.name == "dry_run" && field.stand == Stand::Query);
        let known = changes.iter().any(|(id, ..)| *id == operation.id);
        assert!(dry && known, "{} cannot be tried, or is not here", operation.id);
    }
    let bearer = format!("Bearer {key}");
    for (id, path, good, (bad, code), read) in &changes {
        let verb =
            OPERATIONS.iter().find(|one| one.id == *id).expect("an operation").verb.name().to_uppercase();
        let state = async || {
            let record = house.ask(&format!("GET {read}"), &key, None).await.expect(200);
            let seen = house.ask("GET /v1/me", &key, None).await.expect(200).string("seen");
            (record.text, record.headers.get("etag").cloned(), seen)
        };
        let before = state().await;
        let command = house.engine.command_id().to_string();
        let shown = [("authorization", bearer.as_str()), ("idempotency-key", command.as_str())];
        let (dry, line) = (format!("{verb} {path}?dry_run=true"), format!("{verb} {path}"));
        let tried = house.send(&dry, &shown, &good.to_string()).await.expect(200).json();
        assert_eq!((&tried["dry_run"], &tried["repeated"]), (&true.into(), &false.into()), "{id}: {tried}");
        assert_eq!(state().await, before, "{id}: a trial changes nothing");
        let refused = house.send(&dry, &shown, &bad.to_string()).await;
        assert!(refused.status >= 400 && (*code == 0 || refused.code() == *code), "{id}: {refused:?}");
        let same = house.send(&line, &[shown[0]], &bad.to_string()).await;
        assert_eq!((refused.status, refused.json()), (same.status, same.json()), "{id}");
        assert_eq!(state().await, before, "{id}: a refusal changes nothing");
        // What a condition refuses is refused in a trial, too.
        if let Some(tag) = &before.1 {
            let stale = [shown[0], ("if-match", "\"0123456789abcdef0123456789abcdef\"")];
            assert_eq!(house.send(&dry, &stale, &good.to_string()).await.expect(412).code(), 223, "{id}");
            let now = [shown[0], ("if-match", tag.as_str())];
            house.send(&dry, &now, &good.to_string()).await.expect(200);
        }
        let done = house.send(&line, &shown, &good.to_string()).await.expect(200).json();
        assert_eq!(done["repeated"], false, "{id}: the trial has used its key up");
        assert_ne!(state().await, before, "{id}");
    }
}
