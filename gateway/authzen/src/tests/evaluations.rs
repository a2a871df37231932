//! Evaluations: one, several in one request, and what they say beside their decision.

use super::{House, decision, question, reason};
use serde_json::{Value, json};

/// PROPERTY: a person is named by id or identifier, a session by its handle; a tenant, a workspace or an object is
/// asked about; whatever is not there is a denial with its reason. FIELD: A7, the interop examples' subject.
#[tokio::test]
async fn evaluations_say_yes_or_why_not() {
    let house = House::open().await;
    let alice = house.person("alice@example.com").await;
    for (role, permission) in [("reader", "orders.read"), ("writer", "docs.read")] {
        house.role(role, permission).await;
    }
    house.done("POST /v1/workspaces", json!({ "name": "berlin" })).await;
    house.grant(&alice, "reader", Some("berlin")).await;
    house.documents().await;
    house.write(&format!("user:{alice}"), "viewer", "document:123").await;
    let proof = json!({ "identifier": "alice@example.com", "password": "correct horse" });
    let session =
        house.done("POST /v1/sign-in", proof).await["handle"].as_str().expect("a handle").to_owned();
    let (by_name, by_id, by_session) =
        (("user", "alice@example.com"), ("subject", alice.as_str()), ("session", session.as_str()));
    for subject in [by_name, by_id, by_session] {
        for (action, resource, right) in [
            ("orders.read", ("workspace", "berlin"), "None"),
            ("orders.read", ("workspace", "paris"), "WorkspaceUnknown"),
            ("orders.read", ("tenant", "acme"), "NotGranted"),
            ("orders.read", ("tenant", house.tenant.as_str()), "NotGranted"),
            ("orders.read", ("tenant", "other"), "TenantUnknown"),
            ("orders.fly", ("tenant", "acme"), "PermissionUnknown"),
            ("no name at all", ("tenant", "acme"), "PermissionUnknown"),
            ("docs.read", ("document", "123"), "None"),
            ("docs.read", ("document", "124"), "NotGranted"),
            ("docs.read", ("document", "1 2"), "ResourceUnknown"),
            ("docs.read", ("document:123", "x"), "ResourceUnknown"),
            ("docs.read", ("book", "123"), "NotGranted"),
        ] {
            let told = house.access("evaluation", question(subject, action, resource)).await;
            assert_eq!(reason(&told), right, "{subject:?} {action} {resource:?}");
            assert_eq!(decision(&told), right == "None");
        }
    }
    for (subject, right) in [
        (("user", "bob@example.com"), "SubjectUnknown"),
        (("user", "0190163d-8694-739b-aea5-966c26f8ad91"), "SubjectUnknown"),
        (("user", ""), "SubjectUnknown"),
        (("robot", "alice@example.com"), "SubjectUnknown"),
        (("session", "tess_nonsense"), "HandleUnknown"),
    ] {
        let told =
            house.access("evaluation", question(subject, "orders.read", ("workspace", "berlin"))).await;
        assert_eq!((decision(&told), reason(&told)), (false, right), "{subject:?}");
    }
    // Roles are asked where the resource says that it lies.
    house.role("author", "docs.write").await;
    house.grant(&alice, "author", Some("berlin")).await;
    let mut asked = question(by_id, "docs.write", ("document", "9"));
    assert!(!decision(&house.access("evaluation", asked.clone()).await));
    asked["resource"]["properties"] = json!({ "workspace": "berlin", "library_record": { "isbn": 1.5 } });
    assert!(decision(&house.access("evaluation", asked.clone()).await));
    asked["resource"]["properties"] = json!({ "workspace": "paris" });
    assert_eq!(reason(&house.access("evaluation", asked).await), "WorkspaceUnknown");
    // What ends tells when.
    let suspended = house.done(&format!("POST /v1/subjects/{alice}/suspend"), json!({})).await;
    let told = house.access("evaluation", question(by_id, "docs.read", ("document", "123"))).await;
    assert_eq!(reason(&told), "SubjectSuspended");
    assert_eq!(told["context"]["revision"], suspended["receipt"]);
}

/// PROPERTY: what may be kept tells until when, to the millisecond.
#[tokio::test]
async fn evaluations_say_until_when() {
    let house = House::open().await;
    let alice = house.person("alice@example.com").await;
    house.role("reader", "orders.read").await;
    let until = super::START_MS + 60_000;
    let grant = json!({ "role": "reader", "until": until });
    house.done(&format!("POST /v1/subjects/{alice}/grants"), grant).await;
    let asked = || question(("user", &alice), "orders.read", ("tenant", "acme"));
    let told = house.access("evaluation", asked()).await;
    assert!(decision(&told));
    assert_eq!(told["context"]["valid_until_ms"], json!(until));
    assert_eq!(told["context"]["valid_until"], json!("2026-01-01T00:01:00Z"));
    house.pass(60_000);
    let told = house.access("evaluation", asked()).await;
    assert_eq!((decision(&told), told["context"].get("valid_until")), (false, None));
}

/// PROPERTY: defaults stand for what an item leaves out and never for what it says; each of the three semantics ends
/// where it should, and the order is that of the request; without items it is one evaluation.
#[tokio::test]
async fn evaluations_follow_their_semantic() {
    let house = House::open().await;
    let alice = house.person("alice@example.com").await;
    house.role("reader", "docs.read").await;
    house.documents().await;
    for object in ["1", "3"] {
        house.write(&format!("user:{alice}"), "viewer", &format!("document:{object}")).await;
    }
    let items = |ids: &[&str]| -> Vec<Value> {
        ids.iter().map(|id| json!({ "resource": { "type": "document", "id": id } })).collect()
    };
    let mut asked = json!({
        "subject": { "type": "user", "id": "alice@example.com" },
        "action": { "name": "docs.read" },
        "context": { "time": "2024-05-31T15:22-07:00" },
        "evaluations": items(&["1", "2", "3"]),
    });
    let decisions = |told: &Value| -> Vec<bool> {
        assert!(told.get("decision").is_none());
        told["evaluations"].as_array().expect("answers").iter().map(decision).collect()
    };
    let told = house.access("evaluations", asked.clone()).await;
    assert_eq!(decisions(&told), [true, false, true]);
    for (semantic, ids, right) in [
        ("execute_all", ["1", "2", "3"], &[true, false, true][..]),
        ("deny_on_first_deny", ["1", "2", "3"], &[true, false]),
        ("deny_on_first_deny", ["1", "3", "1"], &[true, true, true]),
        ("permit_on_first_permit", ["1", "2", "3"], &[true]),
        ("permit_on_first_permit", ["2", "3", "1"], &[false, true]),
        ("permit_on_first_permit", ["2", "4", "5"], &[false, false, false]),
    ] {
        asked["options"] = json!({ "evaluations_semantic": semantic, "another_option": "value" });
        asked["evaluations"] = items(&ids).into();
        assert_eq!(decisions(&house.access("evaluations", asked.clone()).await), right, "{semantic} {ids:?}");
    }
    asked["evaluations"] = json!([
        { "resource": { "type": "document", "id": "1" } },
        { "resource": { "type": "document", "id": "1" }, "action": { "name": "docs.fly" } },
        { "resource": { "type": "document", "id": "1" }, "subject": { "type": "user", "id": "bob@example.com" } },
    ]);
    asked["options"] = json!({});
    let told = house.access("evaluations", asked.clone()).await;
    assert_eq!(decisions(&told), [true, false, false]);
    assert_eq!(reason(&told["evaluations"][1]), "PermissionUnknown");
    asked["resource"] = json!({ "type": "document", "id": "3" });
    for empty in [json!([]), Value::Null] {
        asked["evaluations"] = empty;
        assert!(decision(&house.access("evaluations", asked.clone()).await));
    }
    asked.as_object_mut().expect("members").remove("evaluations");
    assert!(decision(&house.access("evaluations", asked).await));
}

/// PROPERTY: a key asked about does what its restriction and networks leave of its owner's, by role and by relation,
/// also in searches; where it is used from says only whoever may. F-31, F-34 over the standard's endpoints.
#[tokio::test]
async fn f_34_a_key_is_what_its_restrictions_leave() {
    let house = House::open().await;
    let ann = house.person("ann@example.com").await;
    for (role, permission) in [("reader", "docs.read"), ("writer", "docs.write"), ("clerk", "orders.read")] {
        house.role(role, permission).await;
    }
    let bearer = format!("Bearer {}", house.key);
    let me = house.send("GET /v1/me", &[("authorization", &bearer)], "").await.expect(200).json()["subject"]
        .clone();
    let me = me.as_str().expect("an id").to_owned();
    for (subject, role) in [(&me, "reader"), (&me, "clerk"), (&ann, "clerk")] {
        house.grant(subject, role, None).await;
    }
    house.documents().await;
    house.map("docs.write", "viewer").await;
    house.write(&format!("user:{ann}"), "viewer", "document:1").await;
    let made = json!({
        "expires": super::START_MS + 3_600_000,
        "patterns": ["docs.read"],
        "networks": ["10.0.0.0/8"],
    });
    let key = house.done(&format!("POST /v1/subjects/{ann}/keys"), made).await["handle"].clone();
    let key = key.as_str().expect("a key");
    let place = |address: &str| json!({ "ip_address": address });
    for (action, resource, address, right) in [
        ("docs.read", ("document", "1"), None, "AddressNotAllowed"),
        ("docs.read", ("document", "1"), Some("192.0.2.1"), "AddressNotAllowed"),
        ("docs.read", ("document", "1"), Some("10.1.2.3"), "None"),
        ("docs.read", ("document", "2"), Some("10.1.2.3"), "NotGranted"),
        ("docs.write", ("document", "1"), Some("10.1.2.3"), "Restricted"),
        ("orders.read", ("tenant", "acme"), Some("10.1.2.3"), "Restricted"),
    ] {
        for member in ["subject", "context"] {
            let mut asked = question(("session", key), action, resource);
            if let Some(address) = address {
                let said = if member == "subject" {
                    &mut asked["subject"]["properties"]
                } else {
                    &mut asked["context"]
                };
                *said = place(address);
            }
            let told = house.access("evaluation", asked.clone()).await;
            assert_eq!(reason(&told), right, "{action} {resource:?} {address:?}");
            asked["resource"] = json!({ "type": resource.0 });
            let found = house.access("search/resource", asked.clone()).await;
            let found = found["results"].as_array().expect("results").len();
            let all = right == "None" || right == "NotGranted";
            assert_eq!(found, usize::from(all), "{action} {resource:?} {address:?}");
            asked["resource"] = json!({ "type": "document", "id": "1" });
            let found = house.access("search/action", asked).await;
            let inside = address.is_some_and(|address| address.starts_with("10."));
            let right = if inside { json!([{ "name": "docs.read" }]) } else { json!([]) };
            assert_eq!(found["results"], right);
        }
    }
    let made = json!({ "expires": super::START_MS + 3_600_000, "patterns": ["tessera.check"] });
    let checker = house.done(&format!("POST /v1/subjects/{me}/keys"), made).await["handle"].clone();
    let house_bearer = bearer;
    let bearer = format!("Bearer {}", checker.as_str().expect("a key"));
    let mut asked = question(("session", key), "docs.read", ("document", "1"));
    let by = [("authorization", bearer.as_str())];
    house.send("POST /access/v1/evaluation", &by, &asked.to_string()).await.expect(200);
    asked["context"] = place("10.1.2.3");
    let told = house.send("POST /access/v1/evaluation", &by, &asked.to_string()).await.expect(403);
    assert_eq!(told.field(), "context/ip_address");
    // Whoever asks from inside a network lends its address to nobody.
    let made = json!({
        "expires": super::START_MS + 3_600_000,
        "patterns": ["docs.read"],
        "networks": ["127.0.0.0/8"],
    });
    let near = house.done(&format!("POST /v1/subjects/{me}/keys"), made).await["handle"].clone();
    let mut asked = question(("session", near.as_str().expect("a key")), "docs.read", ("document", "1"));
    for headers in [by, [("authorization", house_bearer.as_str())]] {
        let told = house.send("POST /access/v1/evaluation", &headers, &asked.to_string()).await.expect(200);
        assert_eq!(reason(&told.json()), "AddressNotAllowed");
    }
    asked["context"] = place("127.0.0.9");
    assert_eq!(reason(&house.access("evaluation", asked).await), "None");
}
