//! Grants under conditions over HTTP.

use super::House;
use serde_json::json;

/// PROPERTY: conditions are given with a grant, changed, shown by lists and explanations, and taken away; a grant without a
/// word about them leaves them as they are; what is none is refused at its field.
#[tokio::test(flavor = "multi_thread")]
async fn grants_count_under_conditions() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    let (amy, session) = house.person(&key, "amy@example.org", "orders.*").await;
    house.ask("POST /v1/permission-names", &key, Some(json!({ "name": "bills.pay" }))).await.expect(200);
    house
        .ask("POST /v1/roles", &key, Some(json!({ "name": "payer", "patterns": ["bills.*"] })))
        .await
        .expect(200);
    let grants = format!("POST /v1/subjects/{amy}/grants");
    let all = ["hours Mon-Sun 00:00-24:00 Europe/Berlin", "networks 10.0.0.0/8"];
    let grant = |conditions: &[&str]| json!({ "role": "payer", "conditions": conditions });
    house.ask(&grants, &key, Some(grant(&all))).await.expect(200);
    house.ask(&grants, &key, Some(json!({ "role": "payer" }))).await.expect(200);
    let listed = house.ask(&format!("GET /v1/subjects/{amy}/grants"), &key, None).await.expect(200).json();
    let rows = listed["rows"].as_array().expect("rows").clone();
    assert!(rows.iter().any(|row| row["conditions"] == json!(all)), "{listed}");
    let may = async |address: &str| {
        let asked = json!({ "handle": session, "permission": "bills.pay", "address": address });
        house.ask("POST /v1/check", &key, Some(asked)).await.expect(200).json()
    };
    assert_eq!(may("10.1.2.3").await["decision"], "permit");
    let denied = may("11.1.2.3").await;
    assert_eq!((&denied["reason"], &denied["reason_code"]), (&json!("OutsideNetworks"), &json!(147)));
    let why = json!({ "subject": amy, "permission": "bills.pay", "address": "11.0.0.1" });
    let told = house.ask("POST /v1/explain", &key, Some(why)).await.expect(200).json();
    assert_eq!(
        (&told["reason"], &told["sources"][0]["unmet"]),
        (&json!("OutsideNetworks"), &json!("networks"))
    );
    let supposed = json!({
        "subject": amy, "permission": "orders.read", "grant": "payer", "conditions": ["acr 2"], "acr": 2,
    });
    house.ask("POST /v1/simulate", &key, Some(supposed)).await.expect(200);
    let set = format!("POST /v1/subjects/{amy}/grants/conditions");
    let line = json!({ "role": "payer", "conditions": ["step-up 31536000"] });
    house.ask(&set, &key, Some(line.clone())).await.expect(200);
    house.ask(&set, &session, Some(line)).await.expect(403);
    house.ask(&set, &key, Some(json!({ "role": "payer" }))).await.expect(400);
    for (wrong, code) in [("hours Mon 08:00-09:00 Mars/Base", 268), ("acr 99", 227)] {
        let line = json!({ "role": "payer", "conditions": [wrong] });
        let refused = house.ask(&set, &key, Some(line)).await;
        assert!((400..500).contains(&refused.status), "{wrong}");
        assert_eq!(refused.code(), code, "{wrong}");
    }
    house.ask(&set, &key, Some(json!({ "role": "payer", "conditions": [] }))).await.expect(200);
    assert_eq!(may("11.1.2.3").await["decision"], "permit");
    house.ask("POST /v1/groups", &key, Some(json!({ "name": "staff" }))).await.expect(200);
    house.ask("POST /v1/groups/staff/grants", &key, Some(grant(&["acr 1"]))).await.expect(200);
    let line = json!({ "role": "payer", "conditions": ["device managed"] });
    house.ask("POST /v1/groups/staff/grants/conditions", &key, Some(line)).await.expect(200);
    let listed = house.ask("GET /v1/groups/staff/grants", &key, None).await.expect(200).json();
    assert_eq!(listed["rows"][0]["conditions"], json!(["device managed"]));
}

/// PROPERTY: whoever asks about somebody else lends no address: a grant from networks counts where the person asks itself
/// from there, and where somebody entitled says that it does; in checks, by scope, about a resource, in batches, and in
/// lists.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_lends_an_address() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    let (amy, session) = house.person(&admin, "amy@example.org", "orders.*").await;
    let (_, checker) = house.person(&admin, "checker@example.org", "tessera.check").await;
    house.ask("POST /v1/permission-names", &admin, Some(json!({ "name": "bills.pay" }))).await.expect(200);
    let role = json!({ "name": "payer", "patterns": ["bills.*"] });
    house.ask("POST /v1/roles", &admin, Some(role)).await.expect(200);
    let grant = json!({ "role": "payer", "conditions": ["networks 127.0.0.0/8"] });
    house.ask(&format!("POST /v1/subjects/{amy}/grants"), &admin, Some(grant)).await.expect(200);
    for (by, said, holds) in [
        (&session, None, true),
        (&checker, None, false),
        (&admin, None, false),
        (&admin, Some("127.0.0.9"), true),
        (&admin, Some("10.0.0.9"), false),
    ] {
        let mut asked = json!({ "handle": session, "permission": "bills.pay" });
        if let Some(address) = said {
            asked["address"] = json!(address);
        }
        let about = |more: &str, value: &str| {
            let mut asked = asked.clone();
            asked[more] = json!(value);
            asked
        };
        let mut listed = asked.clone();
        listed.as_object_mut().expect("members").remove("permission");
        let list = house.ask("POST /v1/permissions", by, Some(listed)).await.expect(200).json();
        let listed = list["permissions"].as_array().expect("a list");
        assert_eq!(listed.iter().any(|one| one["name"] == "bills.pay"), holds, "{said:?} {list}");
        for asked in [asked.clone(), about("resource", "Bill:1")] {
            let told = house.ask("POST /v1/check", by, Some(asked)).await.expect(200).json();
            assert_eq!(told["decision"] == "permit", holds, "{said:?} {told}");
        }
        let batch = json!({ "checks": [asked] });
        let told = house.ask("POST /v1/check-batch", by, Some(batch)).await.expect(200).json();
        assert_eq!(told["decisions"][0]["decision"] == "permit", holds, "{said:?} {told}");
    }
}
