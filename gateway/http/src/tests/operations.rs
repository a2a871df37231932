//! The table tested whole: every operation with every credential, and none missing.

use super::House;
use crate::openapi::{example, sample};
use crate::operation::{Act, Ask, Field, Needs, Operation, Own, Stand};
use crate::table::OPERATIONS;
use serde_json::json;
use std::collections::BTreeSet;
use tessera_model::CommandKind;

/// Commands that are not ordered over HTTP in their own shape.
const ELSEWHERE: [CommandKind; 16] = [
    // A handle, or a browser's cookie: `refresh`.
    CommandKind::RefreshSession,
    // The node's own.
    CommandKind::OfferBootstrap,
    CommandKind::BeginEpoch,
    CommandKind::RehashPassword,
    CommandKind::CountFailure,
    CommandKind::FinishErasure,
    CommandKind::FinishInvitations,
    CommandKind::NoteActings,
    // One's own, below /v1/me.
    CommandKind::ChangePassword,
    // Behind the merge patch.
    CommandKind::ChangeSettings,
    // What grants order whose conditions are spoken of.
    CommandKind::GrantUnder,
    // Between the nodes of a fleet.
    CommandKind::PlaceTenant,
    CommandKind::NoteMove,
    CommandKind::AdoptTenant,
    CommandKind::HearFleet,
    // Never in a release.
    CommandKind::PlantedPanic,
];

/// The request of an operation, made from its examples.
pub(super) fn request(operation: &Operation) -> (String, (&'static str, String)) {
    let mut path = operation.path.to_owned();
    for field in operation.fields.iter().filter(|field| field.stand == Stand::Path) {
        let value = example(field.shape);
        path = path.replace(&format!("{{{}}}", field.name), value.as_str().expect("text"));
    }
    let body: Vec<&Field> = operation.fields.iter().filter(|field| field.stand == Stand::Body).collect();
    let line = format!("{} {path}", operation.verb.name().to_uppercase());
    let content = match operation.content() {
        Some(field) => ("application/x-ndjson", example(field.shape).as_str().expect("rows").to_owned()),
        None if body.is_empty() => ("application/json", String::new()),
        None => ("application/json", sample(&body).to_string()),
    };
    (line, content)
}

/// PROPERTY: every command of the engine has an operation, and ids, routes and fields are one to one.
#[test]
fn no_command_is_missing() {
    let ordered: Vec<CommandKind> = OPERATIONS
        .iter()
        .filter_map(|one| if let Act::Order(kind) = one.act { Some(kind) } else { None })
        .collect();
    for kind in CommandKind::ALL {
        assert!(ordered.contains(kind) != ELSEWHERE.contains(kind), "{}", kind.name());
    }
    let (mut ids, mut routes) = (BTreeSet::new(), BTreeSet::new());
    for one in OPERATIONS {
        assert!(ids.insert(one.id) && routes.insert((one.verb.name(), one.path)), "{}", one.id);
        let names: BTreeSet<_> = one.fields.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), one.fields.len(), "{}", one.id);
        for field in one.fields.iter().filter(|field| field.stand == Stand::Path) {
            assert!(one.path.contains(&format!("{{{}}}", field.name)), "{}", one.id);
        }
        if let (Act::Order(kind), Some(permission)) = (one.act, one.needs.permission()) {
            assert_eq!(permission, kind.permission(), "{}", one.id);
        }
    }
}

/// PROPERTY: each operation, with each credential: nobody and another tenant's are told nothing, a person
/// without the permission is refused, the admin is not; whatever happens, the answer is one of the
/// standard's and names nothing from inside.
/// TC-11 in part: whole operations; TC-57 in part: over HTTP.
#[tokio::test(flavor = "multi_thread")]
async fn every_operation_with_every_credential() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    let (_, foreign) = house.tenant("other").await;
    house.person(&admin, "amy@example.org", "orders.read").await;
    house.person(&admin, "bob@example.org", "orders.read").await;
    for one in OPERATIONS {
        let (line, (kind, content)) = request(one);
        let content = (kind, content.as_str());
        let below = line.replacen(' ', " /t/acme", 1);
        let ends = matches!(one.act, Act::Own(Own::EndThis | Own::EndAll));
        if one.needs != Needs::Nothing {
            for (line, key) in [(&line, ""), (&below, foreign.as_str()), (&line, "tkey_x")] {
                let reply = house.post(line, key, content).await;
                assert_eq!((reply.status, reply.code()), (401, 405), "{}: {reply:?}", one.id);
            }
        }
        if matches!(one.needs, Needs::Permission(_) | Needs::OwnOr(_)) {
            let person = house.sign_in(&admin, "amy@example.org").await;
            // With conditions and without: a refusal comes first.
            let reply = house.post(&line, &person, content).await;
            assert!(matches!(reply.status, 403 | 404), "{}: {reply:?}", one.id);
            assert!(reply.status == 403 || reply.code() != 200, "{}: {reply:?}", one.id);
        }
        let key = if ends { house.sign_in(&admin, "bob@example.org").await } else { admin.clone() };
        let reply = house.post(&below, &key, content).await;
        assert!(reply.status < 500 && reply.status != 401, "{}: {reply:?}", one.id);
        if one.id == "require_devices" {
            // The others sign in without one.
            let off = json!({ "required": false });
            house.ask("PUT /v1/device-policy/required", &admin, Some(off)).await.expect(200);
        }
        if one.path.starts_with("/v1/tenants") {
            assert!(matches!(reply.status, 403 | 404), "{}: {reply:?}", one.id);
        }
        if one.act != Act::Ask(Ask::Forward) {
            let told = reply.json();
            assert!(reply.status < 300 || told["title"].is_string(), "{}: {told}", one.id);
        }
        for inside in ["panicked", "src/", "Err("] {
            assert!(!reply.text.contains(inside), "{}: {reply:?}", one.id);
        }
    }
}
