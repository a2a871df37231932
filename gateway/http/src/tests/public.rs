//! Strangers: sign-in and registration without an application's credential, and tenants that wake for them.

use super::{House, Reply};
use crate::Limits;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

fn proof(identifier: &str, password: &str) -> Option<Value> {
    Some(json!({ "identifier": identifier, "password": password }))
}

/// Everything of an answer but the moment that it was given at.
fn whole(reply: &Reply) -> (u16, BTreeMap<String, String>, String) {
    let mut headers = reply.headers.clone();
    headers.remove("date");
    (reply.status, headers, reply.text.clone())
}

impl House {
    /// A tenant with people and these settings.
    async fn open_to_strangers(&self, called: &str, settings: Value) -> String {
        let (_, key) = self.tenant(called).await;
        self.ask("PATCH /v1/settings", &key, Some(settings)).await.expect(200);
        self.person(&key, "amy@example.org", "orders.read").await;
        key
    }

    /// Has every tenant but the system's sleep.
    pub(super) async fn put_to_sleep(&self) {
        assert!(self.engine.checkpoint().await);
        self.pass(11 * 60 * 1_000);
        for _ in 0..3_000 {
            if self.engine.usage().awake == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nobody sleeps: {:?}", self.engine.usage().awake);
    }
}

/// PROPERTY (TC-6): where nobody is let in is one answer, byte for byte, and it is that of a wrong password: a
/// tenant that is not there, one that lets nobody in, awake or asleep, a suspended one, the system's own, and
/// people who are not there. Nobody wakes for it.
#[tokio::test(flavor = "multi_thread")]
async fn tc_6_strangers_are_told_nothing() {
    let house = House::open().await;
    house.open_to_strangers("open", json!({ "public_sign_in": "on" })).await;
    house.open_to_strangers("closed", json!({})).await;
    house.open_to_strangers("gone", json!({ "public_sign_in": "on" })).await;
    house.ask("POST /v1/tenants/gone/suspend", &house.operator, None).await.expect(200);
    let system = json!({ "public_sign_in": "on", "registration": "open" });
    house.ask("PATCH /v1/settings", &house.operator, Some(system)).await.expect(200);
    let wrong =
        house.ask("POST /t/open/v1/public/sign-in", "", proof("amy@example.org", "wrong horse")).await;
    assert_eq!((wrong.status, wrong.code()), (403, 215), "{wrong:?}");
    let alike = async |tenant: &str, who: &str| {
        let line = format!("POST /t/{tenant}/v1/public/sign-in");
        let reply = house.ask(&line, "", proof(who, "correct horse")).await;
        assert_eq!(whole(&reply), whole(&wrong), "{tenant}, {who}");
    };
    alike("open", "bob@example.org").await;
    for tenant in ["closed", "nobody", "gone", "0000000000000000", "00000000000000ff"] {
        alike(tenant, "amy@example.org").await;
    }
    house.put_to_sleep().await;
    let woken = house.engine.usage().woken;
    for tenant in ["closed", "nobody", "gone"] {
        alike(tenant, "amy@example.org").await;
    }
    assert_eq!((house.engine.usage().woken, house.engine.usage().awake), (woken, 1));
    // One that lets people in wakes, and is the same as awake.
    alike("open", "bob@example.org").await;
    house
        .ask("POST /t/open/v1/public/sign-in", "", proof("amy@example.org", "correct horse"))
        .await
        .expect(200);
    for bad in [proof("x", "y"), proof("", "y")] {
        let reply = house.ask("POST /t/nobody/v1/public/sign-in", "", bad.clone()).await;
        assert_eq!(whole(&reply), whole(&house.ask("POST /t/open/v1/public/sign-in", "", bad).await));
    }
    // Who names no tenant is told to.
    let unnamed = house.ask("POST /v1/public/sign-in", "", proof("amy@example.org", "correct horse")).await;
    assert_eq!(unnamed.expect(400).string("field"), "x-tenant-id");
}

/// PROPERTY: who signs in without an application has a session like any other, as a handle or in cookies, and
/// only from an own page of a browser (TC-86); the setting is the switch, also for what is under way.
/// TC-70 in part: the switch.
#[tokio::test(flavor = "multi_thread")]
async fn tc_86_a_person_signs_in_by_itself() {
    let house = House::open().await;
    let key = house.open_to_strangers("acme", json!({ "public_sign_in": "on" })).await;
    let line = "POST /t/acme/v1/public/sign-in";
    let good = proof("Amy@EXAMPLE.org", "correct horse");
    let made = house.ask(line, "", good.clone()).await.expect(200);
    let me = house.ask("GET /v1/me", &made.string("handle"), None).await.expect(200);
    assert_eq!(me.string("subject"), made.string("subject"));
    // By header and host, too; never by a credential that it has not.
    let content = good.clone().expect("content").to_string();
    house.send("POST /v1/public/sign-in", &[("x-tenant-id", "acme")], &content).await.expect(200);
    house.send("POST /v1/public/sign-in", &[("host", "acme.auth.example.com")], &content).await.expect(200);
    let both = [("host", "acme.auth.example.com"), ("x-tenant-id", "other")];
    house.send("POST /v1/public/sign-in", &both, &content).await.expect(421);
    let cookies =
        json!({ "identifier": "amy@example.org", "password": "correct horse", "cookie": true }).to_string();
    let own = [("sec-fetch-site", "same-origin"), ("origin", "http://localhost:7481")];
    let made = house.send(line, &own, &cookies).await.expect(200);
    assert!(!made.text.contains("tess_") && made.header("set-cookie").starts_with("__Host-tessera=tess_"));
    let cookie = made.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    let seen = house.send("GET /v1/me", &[("cookie", &cookie)], "").await.expect(200);
    assert_eq!(seen.string("csrf_token"), made.string("csrf_token"));
    for (header, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
    ] {
        let refused = house.send(line, &[(header, value)], &cookies).await.expect(403);
        assert_eq!(refused.string("field"), header);
        assert!(refused.header("set-cookie").is_empty());
    }
    // A form of another site cannot be one.
    let form = [("content-type", "application/x-www-form-urlencoded")];
    house.send(line, &form, "identifier=amy&password=x").await.expect(415);
    house.ask("PATCH /v1/settings", &key, Some(json!({ "public_sign_in": "off" }))).await.expect(200);
    assert_eq!(house.ask(line, "", good).await.expect(403).code(), 215);
}

/// PROPERTY (TC-1, TC-2): guesses wait by identifier and by source, at a door that is there and at one that is
/// not in the same steps; what was right costs its source nothing.
#[tokio::test(flavor = "multi_thread")]
async fn tc_1_guesses_wait_alike() {
    let house = House::open().await;
    house.open_to_strangers("acme", json!({ "public_sign_in": "on" })).await;
    let mut steps = Vec::new();
    for tenant in ["acme", "nobody"] {
        let line = format!("POST /t/{tenant}/v1/public/sign-in");
        let mut seen = Vec::new();
        for _ in 0..7 {
            let reply = house.ask(&line, "", proof("bob@example.org", "wrong horse")).await;
            seen.push((reply.status, reply.code(), reply.header("retry-after").to_owned()));
        }
        house.pass(2_000);
        let reply = house.ask(&line, "", proof("bob@example.org", "wrong horse")).await;
        seen.push((reply.status, reply.code(), reply.header("retry-after").to_owned()));
        steps.push(seen);
    }
    let (there, nobody) = (&steps[0], &steps[1]);
    assert_eq!(there, nobody);
    assert_eq!(there.iter().map(|step| step.0).collect::<Vec<_>>(), [403, 403, 403, 403, 403, 429, 429, 403]);
    // Sixteen failures of this source are counted; those that are right are not.
    for _ in 0..100 {
        let good = proof("amy@example.org", "correct horse");
        house.ask("POST /t/acme/v1/public/sign-in", "", good).await.expect(200);
    }
    let mut failed = 0;
    let refused = loop {
        let who = format!("nobody-{failed}@example.org");
        let reply = house.ask("POST /t/acme/v1/public/sign-in", "", proof(&who, "x")).await;
        if reply.status == 429 {
            break reply;
        }
        failed += 1;
        assert!(failed <= 60, "{reply:?}");
    };
    assert!(failed >= 40, "{failed}");
    assert_eq!(refused.code(), 241);
    // The right password is not let through either, and everybody else is.
    let good = proof("amy@example.org", "correct horse");
    house.ask("POST /t/acme/v1/public/sign-in", "", good.clone()).await.expect(429);
    house.pass(3_001);
    house.ask("POST /t/acme/v1/public/sign-in", "", good).await.expect(200);
}

/// PROPERTY (TC-64): a source wakes so many sleeping tenants for strangers and no more, whether they are there
/// or not; the answer is Busy with when to come again, and nobody wakes.
#[tokio::test(flavor = "multi_thread")]
async fn tc_64_strangers_wake_within_a_budget() {
    let house = House::open().await;
    house.open_to_strangers("acme", json!({ "public_sign_in": "on" })).await;
    house.put_to_sleep().await;
    for nth in 0..8 {
        let line = format!("POST /t/nobody-{nth}/v1/public/sign-in");
        house.ask(&line, "", proof("amy@example.org", "x")).await.expect(403);
    }
    let woken = house.engine.usage().woken;
    let at = async |tenant: &str| {
        let line = format!("POST /t/{tenant}/v1/public/sign-in");
        house.ask(&line, "", proof("amy@example.org", "correct horse")).await.expect(429)
    };
    let (asleep, nobody) = (at("acme").await, at("nobody").await);
    assert_eq!(whole(&asleep), whole(&nobody));
    assert_eq!((asleep.code(), asleep.header("retry-after")), (301, "15"));
    assert_eq!(house.engine.usage().woken, woken);
    house.pass(15_000);
    house
        .ask("POST /t/acme/v1/public/sign-in", "", proof("amy@example.org", "correct horse"))
        .await
        .expect(200);
}

/// PROPERTY: a person registers where the tenant allows it and may nothing but be; whether the identifier was
/// taken is told by nothing in the answer, and changes nothing for whoever has it. With approval nobody is told
/// anything before an administrator says yes.
#[tokio::test(flavor = "multi_thread")]
async fn tc_6_registration_tells_nothing() {
    let house = House::open().await;
    let key = house.open_to_strangers("acme", json!({ "public_sign_in": "on" })).await;
    let line = "POST /t/acme/v1/register";
    let newcomer = proof("bob@example.org", "my own pass phrase");
    let closed = house.ask(line, "", newcomer.clone()).await.expect(403);
    assert_eq!(closed.code(), 200);
    assert_eq!(whole(&closed), whole(&house.ask("POST /t/nobody/v1/register", "", newcomer.clone()).await));
    house.ask("PATCH /v1/settings", &key, Some(json!({ "registration": "open" }))).await.expect(200);
    let free = house.ask(line, "", newcomer.clone()).await.expect(200);
    assert_eq!(free.json(), json!({ "accepted": true }));
    let taken = house.ask(line, "", proof("AMY@example.org", "my own pass phrase")).await;
    assert_eq!(whole(&taken), whole(&free));
    let again = house.ask(line, "", proof("bob@example.org", "another pass phrase")).await;
    assert_eq!(whole(&again), whole(&free));
    let short = house.ask(line, "", proof("carol@example.org", "short")).await.expect(422);
    assert_eq!(short.code(), 216);
    house.ask(line, "", proof("no identifier", "my own pass phrase")).await.expect(422);
    let sign_in = async |who: &str, password: &str| {
        house.ask("POST /t/acme/v1/public/sign-in", "", proof(who, password)).await
    };
    let session = sign_in("bob@example.org", "my own pass phrase").await.expect(200).string("handle");
    sign_in("amy@example.org", "my own pass phrase").await.expect(403);
    sign_in("amy@example.org", "correct horse").await.expect(200);
    sign_in("bob@example.org", "another pass phrase").await.expect(403);
    house.ask("GET /v1/subjects", &session, None).await.expect(403);
    house.ask("PATCH /v1/settings", &key, Some(json!({ "registration": "approval" }))).await.expect(200);
    let free = house.ask(line, "", proof("dan@example.org", "my own pass phrase")).await.expect(200);
    let taken = house.ask(line, "", proof("amy@example.org", "my own pass phrase")).await;
    assert_eq!(whole(&taken), whole(&free));
    let waits = sign_in("dan@example.org", "my own pass phrase").await.expect(403);
    assert_eq!(whole(&waits), whole(&sign_in("amy@example.org", "my own pass phrase").await));
    let found = json!({ "identifier": "dan@example.org" });
    let dan = house.ask("POST /v1/subjects/find", &key, Some(found)).await.expect(200);
    assert_eq!(dan.string("status"), "suspended");
    house.ask(&format!("POST /v1/subjects/{}/resume", dan.string("subject")), &key, None).await.expect(200);
    sign_in("dan@example.org", "my own pass phrase").await.expect(200);
}

/// PROPERTY (TC-64): so many registrations of one source, and no more; a repeat under its key is one.
#[tokio::test(flavor = "multi_thread")]
async fn tc_64_registrations_are_budgeted() {
    let house = House::open().await;
    let key = house.open_to_strangers("acme", json!({ "registration": "open" })).await;
    let before = house.ask("GET /v1/subjects", &key, None).await.expect(200).json()["rows"]
        .as_array()
        .expect("rows")
        .len();
    let id = house.engine.command_id().to_string();
    let content = proof("bob@example.org", "my own pass phrase").expect("content").to_string();
    for _ in 0..3 {
        house.send("POST /t/acme/v1/register", &[("idempotency-key", &id)], &content).await.expect(200);
    }
    for nth in 3..10 {
        let newcomer = proof(&format!("bob-{nth}@example.org"), "my own pass phrase");
        house.ask("POST /t/acme/v1/register", "", newcomer).await.expect(200);
    }
    let refused =
        house.ask("POST /t/acme/v1/register", "", proof("eve@example.org", "my own pass phrase")).await;
    assert_eq!((refused.status, refused.code(), refused.header("retry-after")), (429, 301, "60"));
    let rows = house.ask("GET /v1/subjects", &key, None).await.expect(200).json();
    assert_eq!(rows["rows"].as_array().expect("rows").len(), before + 8);
    house.pass(60_000);
    house
        .ask("POST /t/acme/v1/register", "", proof("eve@example.org", "my own pass phrase"))
        .await
        .expect(200);
}

/// PROPERTY: a request of a good credential waits for its tenant to wake; so many at a time, and so long: beyond
/// it 503 with when to come again, and the limit's name where it is one.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_for_its_tenant() {
    let house = House::open().await;
    let (_, key) = house.tenant("acme").await;
    house.put_to_sleep().await;
    let asked = (0..8).map(|_| house.ask("GET /v1/me", &key, None));
    for reply in futures(asked).await {
        reply.expect(200);
    }
    for (limits, limit) in [
        (Limits { wake: Duration::ZERO, ..Limits::default() }, None),
        (Limits { waiters: 0, ..Limits::default() }, Some("waiters")),
        (Limits { waiters_per_tenant: 0, ..Limits::default() }, Some("waiters")),
    ] {
        let house = House::with(|config| config.limits = limits).await;
        let (_, key) = house.tenant_when_awake("acme").await;
        house.put_to_sleep().await;
        let reply = house.ask("GET /v1/me", &key, None).await.expect(503);
        assert_eq!((reply.code(), reply.header("retry-after")), (300, "1"));
        assert_eq!(reply.json().get("limit").and_then(Value::as_str), limit);
        until(async || house.ask("GET /v1/me", &key, None).await.status == 200).await;
    }
}

/// All of some answers, asked for at once.
async fn futures(asked: impl Iterator<Item = impl Future<Output = Reply>>) -> Vec<Reply> {
    let mut asked: Vec<_> = asked.map(Box::pin).collect();
    let mut replies = Vec::new();
    std::future::poll_fn(|cx| {
        asked.retain_mut(|one| match one.as_mut().poll(cx) {
            std::task::Poll::Ready(reply) => {
                replies.push(reply);
                false
            }
            std::task::Poll::Pending => true,
        });
        if asked.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    replies
}

async fn until(mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..3_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never held");
}

impl House {
    /// A tenant, asked again until it has woken: for a door where nobody waits.
    async fn tenant_when_awake(&self, called: &str) -> (String, String) {
        let made =
            self.ask("POST /v1/tenants", &self.operator, Some(json!({ "name": called }))).await.expect(200);
        let key = made.string("handle");
        until(async || self.ask("GET /v1/me", &key, None).await.status == 200).await;
        (made.string("tenant"), key)
    }
}
