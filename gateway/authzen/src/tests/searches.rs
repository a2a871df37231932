//! Searches, held against what every single evaluation says; their pages and tokens.

use super::{House, decision, question};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const PEOPLE: [&str; 6] = ["ann", "ben", "cleo", "dan", "eve", "fay"];
const ACTIONS: [&str; 3] = ["docs.read", "docs.write", "orders.read"];
const DOCUMENTS: [&str; 5] = ["1", "2", "3", "4", "5"];

/// Numbers that look random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
        usize::try_from(self.0 >> 33).expect("small") % bound
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// All results of a search, page by page; the pages' sizes are within the limit.
async fn walk(house: &House, what: &str, mut asked: Value, limit: usize) -> Vec<Value> {
    let mut all = Vec::new();
    asked["page"] = json!({ "limit": limit });
    loop {
        let told = house.access(&format!("search/{what}"), asked.clone()).await;
        let results = told["results"].as_array().expect("results").clone();
        assert!(results.len() <= limit && told["page"]["count"] == json!(results.len()), "{told}");
        assert!(told["context"]["revision"].is_string());
        all.extend(results);
        assert!(all.len() < 100, "it comes to an end");
        let next = told["page"]["next_token"].as_str().expect("a token").to_owned();
        if next.is_empty() {
            return all;
        }
        // The limit may be said again, and need not.
        asked["page"] = if all.len() % 2 == 0 {
            json!({ "token": next })
        } else {
            json!({ "token": next, "limit": limit })
        };
    }
}

fn set(results: Vec<Value>, member: &str) -> BTreeSet<String> {
    let count = results.len();
    let text = |one: &Value| one[member].as_str().expect("a text").to_owned();
    let set: BTreeSet<String> = results.iter().map(text).collect();
    assert_eq!(set.len(), count, "nothing comes twice: {results:?}");
    set
}

/// PROPERTY: each search gives exactly what single evaluations permit, whatever the page's size. METHOD: random
/// grants, tuples, ceilings and suspensions; subjects by person, resources by document and workspace, actions by
/// permission, each compared with all evaluations.
#[tokio::test]
async fn searches_are_the_closure_of_evaluations() {
    let house = House::open().await;
    let mut people = Vec::new();
    for name in PEOPLE {
        people.push(house.person(&format!("{name}@example.com")).await);
    }
    for (role, permission) in [("reader", "docs.read"), ("writer", "docs.write"), ("clerk", "orders.read")] {
        house.role(role, permission).await;
    }
    for place in ["berlin", "paris"] {
        house.done("POST /v1/workspaces", json!({ "name": place })).await;
    }
    house.documents().await;
    house.map("docs.write", "viewer").await;
    for object in DOCUMENTS {
        house.write("user:nobody", "viewer", &format!("document:{object}")).await;
    }
    let (mut dice, mut told) = (Dice(3), [0_u32; 2]);
    for round in 0..14 {
        for _ in 0..6 {
            let (one, object) = (dice.below(people.len()), format!("document:{}", dice.one(&DOCUMENTS)));
            let user = format!("user:{}", people[one]);
            match dice.below(9) {
                0 | 1 => {
                    let workspace = [None, Some("berlin"), Some("paris")][dice.below(3)];
                    let mut grant = json!({ "role": dice.one(&["reader", "writer", "clerk"]) });
                    if let Some(workspace) = workspace {
                        grant["workspace"] = workspace.into();
                    }
                    house.ask(&format!("POST /v1/subjects/{}/grants", people[one]), &grant).await;
                }
                2 if round > 11 => {
                    house.ask(&format!("POST /v1/subjects/{}/suspend", people[one]), &json!({})).await;
                }
                3 => {
                    let patterns = [json!([]), json!([]), json!(["orders.*"])][dice.below(3)].clone();
                    house.done("PUT /v1/workspaces/berlin/ceiling", json!({ "patterns": patterns })).await;
                }
                4 => house.write(&user, "member", "team:a").await,
                5 => house.write("team:a#member", "viewer", &object).await,
                6 => house.write(&user, "blocked", &object).await,
                7 if round > 5 => house.write("user:*", "viewer", &object).await,
                _ => house.write(&user, "viewer", &object).await,
            }
        }
        let limit = 1 + dice.below(4);
        closure(&house, &people, limit, &mut told).await;
    }
    let all = told[0] + told[1];
    assert!(told[0] * 5 >= all && told[1] * 5 >= all, "both answers come in numbers: {told:?}");
}

/// Compares every search with the evaluations that it stands for.
pub(super) async fn closure(house: &House, people: &[String], limit: usize, told: &mut [u32; 2]) {
    let documents = DOCUMENTS.map(|object| ("document", object));
    let places = [("workspace", "berlin"), ("workspace", "paris"), ("tenant", house.tenant.as_str())];
    let resources: Vec<(&str, &str)> = documents.into_iter().chain(places).collect();
    let mut permitted = BTreeSet::new();
    for person in people {
        let items: Vec<Value> = ACTIONS
            .iter()
            .flat_map(|action| {
                resources.iter().map(move |resource| question(("user", person), action, *resource))
            })
            .collect();
        let answers = house.access("evaluations", json!({ "evaluations": items })).await;
        for (item, answer) in items.iter().zip(answers["evaluations"].as_array().expect("answers")) {
            told[usize::from(decision(answer))] += 1;
            if decision(answer) {
                let text =
                    |pointer: &str| item.pointer(pointer).and_then(Value::as_str).expect("a text").to_owned();
                permitted.insert((
                    person.clone(),
                    text("/action/name"),
                    text("/resource/type"),
                    text("/resource/id"),
                ));
            }
        }
    }
    for action in ACTIONS {
        for (kind, id) in &resources {
            let mut asked = question(("user", "ignored"), action, (kind, id));
            asked["subject"] = json!({ "type": "user" });
            let found = set(walk(house, "subject", asked, limit).await, "id");
            let right = permitted
                .iter()
                .filter(|one| (one.1.as_str(), one.2.as_str(), one.3.as_str()) == (action, *kind, *id));
            assert_eq!(
                found.intersection(&people.iter().cloned().collect()).cloned().collect::<BTreeSet<_>>(),
                right.map(|one| one.0.clone()).collect(),
                "who may {action} {kind} {id}"
            );
        }
        for person in people {
            for kind in ["document", "workspace", "tenant"] {
                let mut asked = question(("user", person), action, (kind, ""));
                asked["resource"] = json!({ "type": kind });
                let found = set(walk(house, "resource", asked, limit).await, "id");
                let right = permitted
                    .iter()
                    .filter(|one| (&one.0, one.1.as_str(), one.2.as_str()) == (person, action, kind));
                assert_eq!(
                    found,
                    right.map(|one| one.3.clone()).collect(),
                    "which {kind} may {person} {action}"
                );
            }
        }
    }
    for person in people {
        for (kind, id) in &resources {
            let mut asked = question(("user", person), "", (kind, id));
            asked.as_object_mut().expect("members").remove("action");
            let found = set(walk(house, "action", asked, limit).await, "name");
            let right = permitted
                .iter()
                .filter(|one| (&one.0, one.2.as_str(), one.3.as_str()) == (person, *kind, *id));
            assert_eq!(found, right.map(|one| one.1.clone()).collect(), "what may {person} with {kind} {id}");
        }
    }
}

/// PROPERTY: a token goes on with its own question and limit and with no other; one of another search, of another
/// tenant's making or damaged is refused; a limit of 0 gives nothing and tells that there is something.
#[tokio::test]
async fn tokens_belong_to_their_question() {
    let house = House::open().await;
    house.role("reader", "docs.read").await;
    for name in PEOPLE {
        let person = house.person(&format!("{name}@example.com")).await;
        house.grant(&person, "reader", None).await;
    }
    let mut asked = question(("user", ""), "docs.read", ("tenant", "acme"));
    asked["page"] = json!({ "limit": 4 });
    let told = house.access("search/subject", asked.clone()).await;
    let token = told["page"]["next_token"].as_str().expect("a token").to_owned();
    assert!(!token.is_empty() && told["results"].as_array().expect("results").len() == 4);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut changed = asked.clone();
        changed["page"] = json!({ "token": token });
        change(&mut changed);
        changed
    };
    let told = house.access("search/subject", with(&|_| {})).await;
    assert_eq!(
        (told["results"].as_array().expect("results").len(), &told["page"]["next_token"]),
        (2, &json!(""))
    );
    // The page is told first.
    let text = house.ask("POST /access/v1/search/subject", &with(&|_| {})).await.text;
    assert!(text.starts_with("{\"page\":"), "{text}");
    let damaged = format!("{}{}", &token[..token.len() - 2], if token.ends_with("AA") { "BB" } else { "AA" });
    for (path, body, field) in [
        ("subject", with(&|asked| asked["page"]["limit"] = 5.into()), "page/limit"),
        ("subject", with(&|asked| asked["action"]["name"] = "docs.write".into()), "page/token"),
        ("subject", with(&|asked| asked["context"] = json!({ "time": 1 })), "page/token"),
        ("subject", with(&|asked| asked["subject"]["type"] = "subject".into()), "page/token"),
        ("subject", with(&|asked| asked["page"]["token"] = damaged.clone().into()), "page/token"),
        ("resource", with(&|_| {}), "page/token"),
        ("action", with(&|_| {}), "page/token"),
    ] {
        let told = house.ask(&format!("POST /access/v1/search/{path}"), &body).await.expect(400);
        assert_eq!(told.field(), field, "{path} {body}");
    }
    let same = with(&|asked| {
        asked["page"]["limit"] = 4.into();
        asked["later"] = json!(true);
    });
    house.access("search/subject", same).await;
    asked["page"]["limit"] = 0.into();
    let told = house.access("search/subject", asked.clone()).await;
    assert_eq!(told["page"]["count"], 0);
    assert!(!told["page"]["next_token"].as_str().expect("a token").is_empty());
    asked["page"] = json!({ "limit": 100_000 });
    let told = house.access("search/subject", asked).await;
    assert_eq!(told["page"]["next_token"], "");
}

/// PROPERTY: a session's search is that of its holder, cut as the session is; what is not there finds nothing.
#[tokio::test]
async fn sessions_search_too_and_what_is_not_there_finds_nothing() {
    let house = House::open().await;
    let ann = house.person("ann@example.com").await;
    house.role("reader", "orders.read").await;
    house.role("writer", "docs.read").await;
    house.documents().await;
    house.grant(&ann, "reader", None).await;
    for object in ["1", "2"] {
        house.write(&format!("user:{ann}"), "viewer", &format!("document:{object}")).await;
    }
    let proof = json!({ "identifier": "ann@example.com", "password": "correct horse" });
    let session = house.done("POST /v1/sign-in", proof).await["handle"].as_str().expect("one").to_owned();
    for subject in [("session", session.as_str()), ("user", "ann@example.com")] {
        let mut asked = question(subject, "docs.read", ("document", ""));
        asked["resource"] = json!({ "type": "document" });
        let found = set(walk(&house, "resource", asked, 1).await, "id");
        assert_eq!(found, ["1", "2"].map(str::to_owned).into());
        let mut asked = question(subject, "", ("document", "1"));
        asked.as_object_mut().expect("members").remove("action");
        let found = set(walk(&house, "action", asked, 1).await, "name");
        assert_eq!(found, ["docs.read", "orders.read"].map(str::to_owned).into());
    }
    for (what, subject, resource) in [
        ("subject", ("session", ""), ("tenant", "acme")),
        ("subject", ("group", ""), ("tenant", "acme")),
        ("subject", ("user", ""), ("tenant", "other")),
        ("subject", ("user", ""), ("workspace", "nowhere")),
        ("resource", ("user", "nobody@example.com"), ("document", "")),
        ("resource", ("user", "ann@example.com"), ("book", "")),
        ("resource", ("user", "ann@example.com"), ("a:b", "")),
        ("action", ("robot", "1"), ("tenant", "acme")),
        ("action", ("user", "ann@example.com"), ("tenant", "other")),
    ] {
        let asked = question(subject, "docs.read", resource);
        assert!(walk(&house, what, asked, 3).await.is_empty(), "{what} {subject:?} {resource:?}");
    }
}

/// PROPERTY: a page that has cost what it may ends with a token, and the walk over all pages finds everything once:
/// where the relations tell all of theirs at once, and where each subject or object has to be asked about.
#[tokio::test]
async fn pages_that_cost_too_much_go_on() {
    let house = House::narrow().await;
    house.role("writer", "docs.read").await;
    house.documents().await;
    let mut people = BTreeSet::new();
    for name in PEOPLE {
        let person = house.person(&format!("{name}@example.com")).await;
        for object in ["1", "2", "3"] {
            house.write(&format!("user:{person}"), "viewer", &format!("document:{object}")).await;
        }
        people.insert(person);
    }
    let ann = people.iter().next().expect("somebody").clone();
    for everybody in [false, true] {
        if everybody {
            house.write("user:*", "viewer", "document:4").await;
        }
        let mut asked = question(("user", ""), "docs.read", ("document", "1"));
        asked["page"] = json!({ "limit": 100 });
        let told = house.access("search/subject", asked.clone()).await;
        assert_ne!(told["page"]["next_token"], "", "one page is not enough");
        assert_eq!(set(walk(&house, "subject", asked, 100).await, "id"), people);
        let mut asked = question(("user", &ann), "docs.read", ("document", ""));
        asked["resource"] = json!({ "type": "document" });
        let right: BTreeSet<String> =
            ["1", "2", "3", "4"][..3 + usize::from(everybody)].iter().map(|one| (*one).to_owned()).collect();
        assert_eq!(set(walk(&house, "resource", asked, 100).await, "id"), right);
    }
}
