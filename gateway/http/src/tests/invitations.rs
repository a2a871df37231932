//! Invitations, guests and personal workspaces over HTTP.

use super::House;
use serde_json::{Value, json};

async fn place(house: &House, key: &str) {
    let workspace = json!({ "name": "berlin" });
    house.ask("POST /v1/workspaces", key, Some(workspace)).await.expect(200);
    let role = json!({ "name": "clerk", "patterns": ["orders.write"] });
    house.ask("POST /v1/roles", key, Some(role)).await.expect(200);
}

/// PROPERTY: somebody with an account accepts in their session, somebody without one joins where people register, and
/// each is in the workspace and nowhere else; others are refused; the lists tell what became of each.
#[tokio::test(flavor = "multi_thread")]
async fn people_are_invited() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    place(&house, &key).await;
    let (amy, session) = house.person(&key, "amy@example.org", "orders.read").await;
    let invite = |whom: &str, guest: bool| json!({ "identifier": whom, "workspace": "berlin", "role": "clerk", "guest": guest });
    assert_eq!(
        house.ask("POST /v1/invitations", &session, Some(invite("x@example.org", false))).await.code(),
        200
    );
    let made =
        house.ask("POST /v1/invitations", &key, Some(invite("amy@example.org", false))).await.expect(200);
    let secret = json!({ "secret": made.string("handle") });
    let again = house.ask("POST /v1/invitations", &key, Some(invite("amy@example.org", false))).await;
    assert_eq!(again.code(), 211);
    let (_, other) = house.person(&key, "bob@example.org", "orders.read").await;
    let wrong = house.ask("POST /v1/invitations/accept", &other, Some(secret.clone())).await;
    assert_eq!(wrong.code(), 210);
    let done = house.ask("POST /v1/invitations/accept", &session, Some(secret.clone())).await.expect(200);
    assert_eq!((done.string("subject"), done.string("invitation")), (amy, made.string("invitation")));
    let used = house.ask("POST /v1/invitations/accept", &session, Some(secret)).await;
    assert_eq!(used.code(), 224);
    let check = |workspace: Value| json!({ "permission": "orders.write", "workspace": workspace });
    let may = async |handle: &str, workspace: Value| {
        let told = house.ask("POST /v1/check", handle, Some(check(workspace))).await.expect(200).json();
        told["decision"].clone()
    };
    assert_eq!(may(&session, json!("berlin")).await, "permit");
    assert_eq!(may(&session, Value::Null).await, "deny");
    // Nobody registers here yet.
    let made =
        house.ask("POST /v1/invitations", &key, Some(invite("eve@example.org", true))).await.expect(200);
    let join = json!({ "secret": made.string("handle"), "password": "correct horse" });
    assert_eq!(house.ask("POST /v1/invitations/join", "", Some(join.clone())).await.code(), 200);
    let open = json!({ "registration": "open" });
    house.ask("PATCH /v1/settings", &key, Some(open)).await.expect(200);
    let eve = house.ask("POST /v1/invitations/join", "", Some(join)).await.expect(200).string("subject");
    let row = house.ask(&format!("GET /v1/subjects/{eve}"), &key, None).await.expect(200).json();
    assert_eq!(row["guest"], true);
    house.sign_in(&key, "eve@example.org").await;
    let made =
        house.ask("POST /v1/invitations", &key, Some(invite("jo@example.org", false))).await.expect(200);
    let invitation = made.string("invitation");
    let line = format!("POST /v1/invitations/{invitation}/resend");
    let anew = house.ask(&line, &key, Some(json!({}))).await.expect(200).string("handle");
    let old = json!({ "secret": made.string("handle") });
    assert_eq!(house.ask("POST /v1/invitations/decline", "", Some(old)).await.code(), 224);
    house.ask("POST /v1/invitations/decline", "", Some(json!({ "secret": anew }))).await.expect(200);
    let gone = house.ask(&format!("DELETE /v1/invitations/{invitation}"), &key, None).await;
    assert_eq!(gone.code(), 248);
    assert_eq!(house.ask("GET /v1/invitations", &session, None).await.code(), 200);
    let listed = house.ask("GET /v1/invitations?limit=2", &key, None).await.expect(200).json();
    let next = listed["next"].as_str().expect("a cursor");
    let rest = house.ask(&format!("GET /v1/invitations?cursor={next}"), &key, None).await.expect(200).json();
    let rows = [&listed, &rest].into_iter().flat_map(|page| page["rows"].as_array().expect("rows"));
    let told: Vec<_> = rows.map(|row| (row["identifier"].clone(), row["state"].clone())).collect();
    let wanted = [("amy", "accepted"), ("eve", "accepted"), ("jo", "declined")];
    assert_eq!(told, wanted.map(|(who, state)| (json!(format!("{who}@example.org")), json!(state))));
    // An address is found by whoever administers subjects, and erased.
    let find = async |handle: &str| {
        let whom = json!({ "identifier": "JO@example.org" });
        house.ask("POST /v1/invitations/find", handle, Some(whom)).await
    };
    assert_eq!(find(&session).await.code(), 200);
    let found = find(&key).await.expect(200).json();
    assert_eq!(found["rows"].as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(found["rows"][0]["invitation"], invitation.as_str());
    let line = format!("POST /v1/invitations/{invitation}/erase");
    assert_eq!(house.ask(&line, &session, None).await.code(), 200);
    let mut erased = json!(false);
    for _ in 0..600 {
        erased = house.ask(&line, &key, None).await.expect(200).json()["erased"].clone();
        if erased == true {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(erased, true);
    assert_eq!(find(&key).await.expect(200).json()["rows"], json!([]));
    let listed = house.ask("GET /v1/invitations", &key, None).await.expect(200).json();
    assert_eq!(
        (&listed["rows"][2]["state"], &listed["rows"][2]["identifier"]),
        (&json!("erased"), &Value::Null)
    );
}

/// PROPERTY: a guest has what is granted in workspaces, a member the rest too; persons get workspaces of their own where
/// the tenant names a role; a service is replaced only as it was read.
#[tokio::test(flavor = "multi_thread")]
async fn guests_and_personal_workspaces() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    place(&house, &key).await;
    let (amy, session) = house.person(&key, "amy@example.org", "orders.read").await;
    house.ask("POST /v1/permission-names", &key, Some(json!({ "name": "orders.read" }))).await.expect(200);
    let may = async || {
        let check = json!({ "permission": "orders.read" });
        house.ask("POST /v1/check", &session, Some(check)).await.expect(200).json()["decision"].clone()
    };
    assert_eq!(may().await, "permit");
    let line = format!("PUT /v1/subjects/{amy}/guest");
    assert_eq!(house.ask(&line, &session, Some(json!({ "guest": true }))).await.code(), 200);
    house.ask(&line, &key, Some(json!({ "guest": true }))).await.expect(200);
    assert_eq!(may().await, "deny");
    house.ask(&line, &key, Some(json!({ "guest": false }))).await.expect(200);
    assert_eq!(may().await, "permit");
    let line = format!("POST /v1/subjects/{amy}/personal-workspace");
    assert_eq!(house.ask(&line, &session, None).await.code(), 258);
    house.ask("PUT /v1/personal-workspaces", &key, Some(json!({ "role": "clerk" }))).await.expect(200);
    let told = house.ask("GET /v1/personal-workspaces", &key, None).await.expect(200).json();
    assert_eq!(told["role"], "clerk");
    let made = house.ask(&line, &session, None).await.expect(200).string("workspace_id");
    assert_eq!(house.ask(&line, &session, None).await.expect(200).string("workspace_id"), made);
    let line = format!("GET /v1/workspaces/tessera.personal.{amy}");
    let row = house.ask(&line, &key, None).await.expect(200).json();
    assert_eq!((&row["id"], &row["personal"]), (&json!(made), &json!(amy)));
}

/// PROPERTY: a service's entries are replaced under the tag under which they were read, and not under an older one.
#[tokio::test(flavor = "multi_thread")]
async fn services_are_replaced_as_they_were_read() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    let entries = |names: &[&str]| {
        let entries: Vec<_> = names.iter().map(|name| json!({ "permission": name })).collect();
        json!({ "entries": entries }).to_string()
    };
    let put = async |names: &[&str], tag: &str| {
        let bearer = format!("Bearer {key}");
        let shown = [("authorization", bearer.as_str()), ("if-match", tag)];
        house.send("PUT /v1/services/shop", &shown, &entries(names)).await
    };
    let all = json!({ "entries": [{ "permission": "shop.read" }] });
    house.ask("PUT /v1/services/shop", &key, Some(all)).await.expect(200);
    let read = house.ask("GET /v1/services/shop", &key, None).await.expect(200);
    assert_eq!(read.json()["entries"].as_array().map(Vec::len), Some(1));
    let tag = read.header("etag").to_owned();
    assert_eq!(put(&["shop.read", "shop.write"], &tag).await.status, 200);
    assert_eq!(put(&["shop.read"], &tag).await.status, 412);
    let now = house.ask("GET /v1/services/shop", &key, None).await.expect(200);
    assert_eq!(now.json()["entries"].as_array().map(Vec::len), Some(2));
}
