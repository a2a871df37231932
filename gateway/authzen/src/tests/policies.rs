//! Evaluations and searches in a tenant that has policies.

use super::searches::closure;
use super::{House, decision, question, reason};
use serde_json::{Value, json};

const SCHEMA: &str = r#"
    entity Tenant; entity Workspace in [Workspace, Tenant]; entity Role in [Role]; entity Group in [Group];
    entity User in [Group, Role] = { kind: String };
    entity document = { size: Long, sealed?: Bool };
    action "docs.read", "docs.write", "orders.read" appliesTo {
        principal: [User], resource: [document, Workspace, Tenant], context: { trust?: Long, now: datetime }
    };"#;
const POLICIES: &str = r#"
    @id("small") permit (principal, action == Action::"docs.read", resource is document) when { resource.size < 10 };
    @id("sealed") forbid (principal, action == Action::"docs.write", resource is document)
        when { resource has sealed && resource.sealed };
    @id("doubt") forbid (principal, action, resource) when { context has trust && context.trust < 3 };"#;

/// Two people of whom one may write, five documents of which three are stored for policies and three have tuples.
async fn scene() -> (House, Vec<String>) {
    let house = House::open().await;
    let people = vec![house.person("ann@example.com").await, house.person("ben@example.com").await];
    for name in ["docs.read", "docs.write", "orders.read"] {
        house.done("POST /v1/permission-names", json!({ "name": name })).await;
    }
    for place in ["berlin", "paris"] {
        house.done("POST /v1/workspaces", json!({ "name": place })).await;
    }
    house.role("writer", "docs.write").await;
    house.grant(&people[0], "writer", None).await;
    house.documents().await;
    house.map("docs.write", "can_view").await;
    for (user, object) in [("nobody", "1"), ("nobody", "2"), (&people[1], "3"), (&people[1], "2")] {
        house.write(&format!("user:{user}"), "viewer", &format!("document:{object}")).await;
    }
    house.done("PUT /v1/policies", json!({ "schema": SCHEMA, "policies": POLICIES })).await;
    let stored = |id: &str, attrs: Value| json!({ "uid": { "type": "document", "id": id }, "attrs": attrs });
    let entities = json!([
        stored("2", json!({ "size": 70, "sealed": true })),
        stored("4", json!({ "size": 7 })),
        stored("5", json!({ "size": 70 })),
    ]);
    house.done("POST /v1/policies/entities", json!({ "entities": entities })).await;
    (house, people)
}

/// PROPERTY: a search gives exactly what single evaluations permit where policies decide, too: those that permit by what is
/// stored of a document without a tuple, and those that forbid what a role or relation gives; whatever the page's size.
#[tokio::test]
async fn searches_are_the_closure_of_evaluations_under_policies() {
    let (house, people) = scene().await;
    let mut told = [0; 2];
    for limit in [1, 2, 9] {
        closure(&house, &people, limit, &mut told).await;
    }
    assert!(told.iter().all(|count| *count > 10), "both answers come in numbers: {told:?}");
    let may = async |person: &str, action: &str, id: &str| {
        decision(&house.access("evaluation", question(("user", person), action, ("document", id))).await)
    };
    assert!(may(&people[1], "docs.read", "4").await && !may(&people[1], "docs.read", "5").await);
    assert!(may(&people[0], "docs.write", "5").await && !may(&people[0], "docs.write", "2").await);
}

/// PROPERTY: policies look at what a request says of its circumstances, and of a resource that is not stored, as far as the
/// schema has a place for it; the rest is passed over, also what the node says itself; what is of another type is a 400 that
/// names the member, and of one of several its own answer alone; sessions and subjects, one question and several, are answered alike; a search under circumstances
/// finds what evaluations under them permit.
#[tokio::test]
async fn circumstances_have_a_say() {
    let (house, people) = scene().await;
    let proof = json!({ "identifier": "ben@example.com", "password": "correct horse" });
    let session = house.done("POST /v1/sign-in", proof).await["handle"].clone();
    let session = session.as_str().expect("a handle");
    for who in [("user", people[1].as_str()), ("session", session)] {
        for (id, properties, context, right) in [
            ("4", json!({}), json!({}), "None"),
            ("4", json!({}), json!({ "trust": 3 }), "None"),
            ("4", json!({}), json!({ "trust": 2 }), "PolicyForbids"),
            (
                "4",
                json!({}),
                json!({ "trust": 2, "time": "12:00", "deep": { "er": [1.5] } }),
                "PolicyForbids",
            ),
            ("4", json!({}), json!({ "now": "1999-01-01", "weather": "rain" }), "None"),
            ("9", json!({}), json!({}), "NotGranted"),
            ("9", json!({ "size": 9, "colour": "red" }), json!({}), "None"),
            ("9", json!({ "size": 10 }), json!({}), "NotGranted"),
            ("9", json!({ "size": 9 }), json!({ "trust": 1 }), "PolicyForbids"),
            // What is stored is known better than a request says.
            ("5", json!({ "size": 9 }), json!({}), "NotGranted"),
        ] {
            let mut asked = question(who, "docs.read", ("document", id));
            asked["resource"]["properties"] = properties;
            asked["context"] = context;
            let one = house.access("evaluation", asked.clone()).await;
            assert_eq!(reason(&one), right, "{asked}");
            let several = house.access("evaluations", json!({ "evaluations": [asked, asked] })).await;
            let several = several["evaluations"].as_array().expect("answers");
            assert!(several.len() == 2 && several.iter().all(|told| reason(told) == right), "{asked}");
            let mut sought = asked.clone();
            sought.as_object_mut().expect("members").remove("action");
            let found = house.access("search/action", sought).await;
            let found = found["results"].as_array().expect("results").iter();
            let found = found.filter(|action| action["name"] == "docs.read").count();
            assert_eq!(found, usize::from(right == "None"), "{asked}");
        }
    }
    for (part, value, field) in [
        ("context", json!({ "trust": "3" }), "context/trust"),
        ("context", json!({ "trust": 1.5 }), "context/trust"),
        ("context", json!({ "trust": "x".repeat(20_000) }), "context"),
        (
            "resource",
            json!({ "type": "document", "id": "9", "properties": { "size": true } }),
            "resource/properties/size",
        ),
        (
            "resource",
            json!({ "type": "document", "id": "9", "properties": { "size": 1, "sealed": "\u{e9}\n" } }),
            "resource/properties/sealed",
        ),
        (
            "resource",
            json!({ "type": "document", "id": "9", "properties": { "sealed": true } }),
            "resource/properties",
        ),
    ] {
        let good = question(("user", &people[1]), "docs.read", ("document", "4"));
        let mut asked = good.clone();
        asked[part] = value;
        let told = house.ask("POST /access/v1/evaluation", &asked).await.expect(400);
        assert_eq!(told.field(), field, "{asked}");
        // One of several is closed for itself, and the others are answered.
        let several = json!({ "evaluations": [good, asked, good] });
        let told = house.access("evaluations", several).await;
        let told = told["evaluations"].as_array().expect("answers");
        let said: Vec<bool> = told.iter().map(decision).collect();
        assert_eq!(said, [true, false, true], "{asked}");
        let error = &told[1]["context"]["error"];
        assert_eq!(error["status"], 400, "{error}");
        assert_eq!(error["field"], format!("evaluations/1/{field}"), "{error}");
        assert!(error["message"].is_string() && error["code"].is_number(), "{error}");
        for (semantic, answers) in [("deny_on_first_deny", 2), ("permit_on_first_permit", 1)] {
            let several = json!({
                "options": { "evaluations_semantic": semantic }, "evaluations": [good, asked, good],
            });
            let told = house.access("evaluations", several).await;
            assert_eq!(told["evaluations"].as_array().map(Vec::len), Some(answers), "{semantic}");
        }
    }
    let mut asked = question(("user", &people[1]), "docs.read", ("document", ""));
    asked["resource"] = json!({ "type": "document" });
    asked["context"] = json!({ "trust": 1 });
    assert_eq!(house.access("search/resource", asked).await["results"], json!([]));
}

/// PROPERTY: more questions than policies may take steps for beside other requests are answered as each alone is.
#[tokio::test]
async fn many_evaluations_under_policies_are_answered_aside() {
    let (house, people) = scene().await;
    let costly = format!(
        "{POLICIES} permit (principal, action == Action::\"orders.read\", resource) when {{ {} }};",
        vec!["[1, 2, 3].containsAll([3, 2, 1, 4])"; 200].join(" || ")
    );
    house.done("PUT /v1/policies", json!({ "policies": costly })).await;
    let items: Vec<Value> = (0..60)
        .map(|at| {
            let action = ["orders.read", "docs.read"][at % 2];
            question(("user", &people[at / 2 % 2]), action, ("document", ["4", "5", "2"][at % 3]))
        })
        .collect();
    let told = house.access("evaluations", json!({ "evaluations": items })).await;
    for (item, answer) in items.iter().zip(told["evaluations"].as_array().expect("answers")) {
        let alone = house.access("evaluation", item.clone()).await;
        assert_eq!((decision(answer), reason(answer)), (decision(&alone), reason(&alone)), "{item}");
    }
    assert_eq!(told["evaluations"].as_array().map(Vec::len), Some(60));
}
