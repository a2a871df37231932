//! Devices, acting for somebody, and roles for a while over HTTP.

use super::House;
use crate::openapi::example;
use crate::operation::Shape;
use serde_json::{Value, json};
use tessera_crypto::possession::SigningKey;
use tessera_model::{Challenge, DeviceKey, DeviceProof, PublicId};

/// PROPERTY: a person registers, sees and revokes devices of their own with their session, and signs in on one; what it
/// may use follows the ceilings that an administrator sets.
#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_on_their_devices() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    let (amy, session) = house.person(&key, "amy@example.org", "orders.*").await;
    let device = json!({ "name": "phone", "thumbprint": example(Shape::Thumbprint) });
    let line = format!("POST /v1/subjects/{amy}/devices");
    let device = house.ask(&line, &session, Some(device)).await.expect(200).string("device");
    let proof = json!({
        "identifier": "amy@example.org", "password": "correct horse", "device": device,
    });
    let signed = house.ask("POST /v1/sign-in", &key, Some(proof)).await.expect(200);
    let on_it = signed.string("handle");
    for name in ["orders.read", "orders.write"] {
        house.ask("POST /v1/permission-names", &key, Some(json!({ "name": name }))).await.expect(200);
    }
    let ceiling = json!({ "patterns": ["orders.read"] });
    house.ask("PUT /v1/device-policy/levels/unverified", &key, Some(ceiling)).await.expect(200);
    let may = async |handle: &str, name: &str| {
        house.ask("POST /v1/check", handle, Some(json!({ "permission": name }))).await.expect(200).json()
    };
    assert_eq!(may(&on_it, "orders.read").await["decision"], "permit");
    let denied = may(&on_it, "orders.write").await;
    assert_eq!((&denied["reason"], &denied["reason_code"]), (&json!("BeyondDevice"), &json!(130)));
    house.ask("GET /v1/forward-auth?permission=orders.write", &on_it, None).await.expect(403);
    assert_eq!(may(&session, "orders.write").await["decision"], "permit");
    let told =
        house.ask("POST /v1/introspect", &key, Some(json!({ "token": on_it }))).await.expect(200).json();
    assert_eq!((&told["device"], &told["act"]), (&json!(device), &Value::Null));
    let mine = house.ask("GET /v1/me/devices", &session, None).await.expect(200).json();
    assert_eq!(mine["rows"][0]["trust"], "unverified");
    let trust = json!({ "trust": "managed" });
    let line = format!("PUT /v1/devices/{device}/trust");
    assert_eq!(house.ask(&line, &session, Some(trust.clone())).await.expect(403).code(), 200);
    house.ask(&line, &key, Some(trust)).await.expect(200);
    assert_eq!(may(&on_it, "orders.write").await["decision"], "permit");
    house.ask(&format!("DELETE /v1/devices/{device}"), &session, None).await.expect(200);
    assert_eq!(house.ask("GET /v1/me", &on_it, None).await.status, 401);
    let unknown = json!({ "device": device });
    let line = format!("POST /v1/subjects/{amy}/sessions");
    assert_eq!(house.ask(&line, &key, Some(unknown)).await.expect(404).code(), 259);
}

/// PROPERTY: whoever acts for a person is told by introspection (RFC 8693 `act`) and by the person's own list with the
/// reason; it is over when the person ends it. TC-67 in part: both names are kept.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_acts_is_told() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    let (amy, session) = house.person(&key, "amy@example.org", "orders.*").await;
    let (sue, support) = house.person(&key, "sue@example.org", "tessera.sessions.open").await;
    let act = |because: &str| json!({ "patterns": ["orders.*"], "ttl_s": 600, "because": because });
    let line = format!("POST /v1/subjects/{amy}/impersonate");
    for (because, code) in [("", 227), ("a\nb", 227), (&*"x".repeat(257), 220)] {
        let refused = house.ask(&line, &support, Some(act(because))).await;
        assert_eq!((refused.code(), refused.string("field")), (code, "because".to_owned()));
    }
    let opened = house.ask(&line, &support, Some(act("ticket 7"))).await.expect(200);
    let acting = opened.string("handle");
    let told =
        house.ask("POST /v1/introspect", &key, Some(json!({ "token": acting }))).await.expect(200).json();
    assert_eq!((&told["sub"], &told["act"]), (&json!(amy), &json!({ "sub": sue })));
    let mine = house.ask("GET /v1/me/sessions", &session, None).await.expect(200).json();
    let rows = mine["rows"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["actor"] == json!(sue)).expect("the acting session");
    assert_eq!(row["acts_because"], "ticket 7");
    // What is the person's own is not read so: neither by "me" nor by the subject's name.
    for line in [
        "GET /v1/me/sessions".to_owned(),
        "GET /v1/me/devices".to_owned(),
        format!("GET /v1/subjects/{amy}/identifiers"),
        format!("GET /v1/subjects/{amy}/sessions"),
        format!("GET /v1/subjects/{amy}/devices"),
        format!("GET /v1/subjects/{amy}/requests"),
    ] {
        assert_eq!(house.ask(&line, &acting, None).await.expect(403).code(), 200, "{line}");
        house.ask(&line, &session, None).await.expect(200);
    }
    // A proxy is told who acts.
    let name = json!({ "name": "orders.read" });
    house.ask("POST /v1/permission-names", &key, Some(name)).await.expect(200);
    let pass = house.ask("GET /v1/forward-auth?permission=orders.read", &acting, None).await.expect(200);
    assert_eq!((pass.header("x-tessera-subject"), pass.header("x-tessera-actor")), (&*amy, &*sue));
    let pass = house.ask("GET /v1/forward-auth?permission=orders.read", &session, None).await.expect(200);
    assert_eq!(pass.header("x-tessera-actor"), "");
    let password = json!({ "old": "correct horse", "new": "another correct horse" });
    assert_eq!(house.ask("POST /v1/me/password", &acting, Some(password)).await.expect(403).code(), 266);
    let line = format!("DELETE /v1/me/sessions/{}", opened.string("session"));
    house.ask(&line, &session, None).await.expect(200);
    assert_eq!(house.ask("GET /v1/me", &acting, None).await.status, 401);
}

/// PROPERTY: a person asks with their own session and sees what became of it; somebody else decides.
#[tokio::test(flavor = "multi_thread")]
async fn roles_are_asked_for_and_given() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    let (amy, session) = house.person(&key, "amy@example.org", "orders.read").await;
    let role = json!({ "name": "clerk", "patterns": ["orders.write"] });
    house.ask("POST /v1/roles", &key, Some(role)).await.expect(200);
    let line = format!("POST /v1/subjects/{amy}/requests");
    let ask = json!({ "role": "clerk", "duration_s": 3600, "because": "on call" });
    let request = house.ask(&line, &session, Some(ask.clone())).await.expect(200).string("request");
    assert_eq!(house.ask(&line, &session, Some(ask)).await.expect(409).code(), 211);
    assert_eq!(house.ask("GET /v1/requests", &session, None).await.expect(403).code(), 200);
    let open = house.ask("GET /v1/requests?open=true", &key, None).await.expect(200).json();
    assert_eq!(open["rows"][0]["request"], json!(request));
    let line = format!("POST /v1/requests/{request}/approve");
    assert_eq!(house.ask(&line, &session, None).await.expect(403).code(), 200);
    let done = house.ask(&line, &key, None).await.expect(200).json();
    assert!(done["expires_ms"].is_u64(), "{done}");
    let check = json!({ "permission": "orders.write" });
    let may = house.ask("POST /v1/check", &session, Some(check)).await.expect(200).json();
    assert_eq!((&may["decision"], &may["valid_until"]), (&json!("permit"), &done["expires"]));
    let mine =
        house.ask(&format!("GET /v1/subjects/{amy}/requests"), &session, None).await.expect(200).json();
    assert_eq!(mine["rows"][0]["state"], "approved");
    assert_eq!(house.ask(&line, &key, None).await.expect(409).code(), 263);
    assert_eq!(
        house.ask(&format!("DELETE /v1/requests/{request}"), &session, None).await.expect(409).code(),
        263
    );
}

/// PROPERTY: a device that is registered by its key proves it: by an application that answers for none, and at public
/// sign-in. No proof, one that was used, and a key that is no point are refused, each by its code and at its field.
#[tokio::test(flavor = "multi_thread")]
async fn devices_prove_their_keys() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    house.ask("PATCH /v1/settings", &key, Some(json!({ "public_sign_in": "on" }))).await.expect(200);
    let (amy, session) = house.person(&key, "amy@example.org", "orders.*").await;
    let (_, desk) = house.person(&key, "desk@example.org", "tessera.sessions.open").await;
    let phone = SigningKey::from_pkcs8(&SigningKey::generate_p256().expect("made")).expect("a key");
    let public = DeviceKey::from_bytes(phone.public_key()).expect("a key");
    let line = format!("POST /v1/subjects/{amy}/device-keys");
    let mut nowhere = [5; 65];
    nowhere[0] = 4;
    let nowhere = json!({ "name": "phone", "public_key": DeviceKey::P256(nowhere).to_string() });
    let refused = house.ask(&line, &session, Some(nowhere)).await.expect(422);
    assert_eq!((refused.code(), refused.string("field")), (227, "public_key".to_owned()));
    let named = json!({ "name": "phone", "public_key": public.to_string() });
    let device = house.ask(&line, &session, Some(named)).await.expect(200).string("device");
    let rows = house.ask("GET /v1/me/devices", &session, None).await.expect(200).json();
    let known = tessera_engine::DeviceShown::thumbprint(&public).expect("a key").to_string();
    assert_eq!(rows["rows"][0]["thumbprint"], known);
    let id = PublicId::parse(&device).expect("an id");
    let sign = |challenge: &str| {
        let challenge = Challenge::parse(challenge).expect("a challenge");
        let signature = phone.sign(&challenge.signed(id)).expect("signed");
        DeviceProof { key: public, signature, challenge }.to_string()
    };
    let body = |proof: Option<&str>| {
        let mut body =
            json!({ "identifier": "amy@example.org", "password": "correct horse", "device": device });
        if let Some(proof) = proof {
            body["device_proof"] = json!(proof);
        }
        Some(body)
    };
    let ways = [
        ("/v1/devices", "/v1/sign-in", desk.as_str()),
        ("/t/acme/v1/public/devices", "/t/acme/v1/public/sign-in", ""),
    ];
    for (devices, sign_in, by) in ways {
        let told = house.ask(&format!("POST {devices}/{device}/challenge"), by, None).await.expect(200);
        assert_eq!(told.string("device"), device);
        let (proof, line) = (sign(&told.string("challenge")), format!("POST {sign_in}"));
        assert_eq!(house.ask(&line, by, body(None)).await.expect(403).code(), 279);
        let done = house.ask(&line, by, body(Some(&proof))).await.expect(200);
        let token = json!({ "token": done.string("handle") });
        let told = house.ask("POST /v1/introspect", &key, Some(token)).await.expect(200).json();
        assert_eq!(told["device"], device);
        assert_eq!(house.ask(&line, by, body(Some(&proof))).await.expect(403).code(), 600);
    }
    let line = format!("POST /v1/devices/{device}/challenge");
    let told = house.ask(&line, &desk, None).await.expect(200);
    let open = json!({ "device": device, "device_proof": sign(&told.string("challenge")) });
    let opens = format!("POST /v1/subjects/{amy}/sessions");
    house.ask(&opens, &desk, Some(open)).await.expect(200);
    assert_eq!(house.ask(&line, &session, None).await.expect(403).code(), 200);
}
