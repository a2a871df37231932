//! Devices, acting for somebody, and roles for a while with `--json`.

use crate::json::{Asked, text};
use serde_json::{Value, json};

fn rows<'a>(object: &'a Value, field: &str) -> &'a [Value] {
    object[field].as_array().unwrap_or_else(|| panic!("no {field}: {object}"))
}

/// The life of a device, of a session in which somebody acts, and of requests.
pub(crate) fn elevations(asked: &mut Asked) {
    const KEY: &str = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    let mut order = |line: &str| asked.ask(0, &format!("tessera {line} --tenant acme"));
    let zoe = text(&order("user create zoe@example.org"), "subject");
    order("role create zoes zoe.read zoe.write");
    order("grant add zoe@example.org zoes");
    let device = text(&order(&format!("device register zoe@example.org phone --thumbprint {KEY}")), "device");
    assert_eq!(order(&format!("device trust {device} known"))["trust"], "known");
    assert_eq!(order(&format!("device limit {device} 'zoe.*'"))["ceiling"], json!(["zoe.*"]));
    assert_eq!(order("device limit-level known zoe.read")["trust"], "known");
    let policy = order("device policy");
    assert_eq!((rows(&policy, "levels").len(), &policy["required"]), (4, &false.into()));
    assert_eq!(order("device require on")["required"], true);
    order(&format!("session open zoe@example.org --device {device} --save zoe.session"));
    order("device require off");
    // Conditions of grants: of a session on this device, from somewhere, at some hour.
    let under = "--hours 'Mon-Sun 00:00-24:00 Europe/Berlin' --network 10.0.0.0/8 --device known --acr 1 --step-up 15m";
    order("role create nightly zoe.night");
    let granted = order(&format!("grant add zoe@example.org nightly {under}"));
    assert_eq!(rows(&granted, "conditions").len(), 5);
    let listed = order("grant list zoe@example.org");
    assert!(rows(&listed, "grants").iter().any(|row| row["conditions"] == granted["conditions"]));
    let told = asked.ask(1, "tessera explain zoe@example.org zoe.night --asked-from 11.1.1.1 --tenant acme");
    assert_eq!(
        (&told["reason"], &told["sources"][0]["unmet"]),
        (&"OutsideNetworks".into(), &"networks".into())
    );
    let mut order = |line: &str| asked.ask(0, &format!("tessera {line} --tenant acme"));
    let session = "--asked-from 10.1.1.1 --device managed --acr 1 --proof-age 5m";
    assert_eq!(order(&format!("explain zoe@example.org zoe.night {session}"))["decision"], "permit");
    assert_eq!(order("grant conditions zoe@example.org nightly --acr 2")["conditions"], json!(["acr 2"]));
    order("group create nurses");
    order("group grant nurses nightly --device known");
    assert_eq!(order("group conditions nurses nightly")["conditions"], json!([]));
    order("simulate zoe@example.org zoe.night --grant nightly --under 'acr 1' --acr 1");
    order("grant remove zoe@example.org nightly");
    assert_eq!(order("session show --handle-file zoe.session")["device"], json!(device));
    assert_eq!(rows(&order("session list zoe@example.org"), "sessions")[0]["device"], json!(device));
    let listed = order("device list zoe@example.org");
    let row = &rows(&listed, "devices")[0];
    assert_eq!(
        (&row["trust"], &row["thumbprint"], &row["ceiling"]),
        (&"known".into(), &KEY.into(), &json!(["zoe.*"]))
    );
    order("check zoe.read --handle-file zoe.session");
    let denied = asked.ask(1, "tessera check zoe.write --handle-file zoe.session --tenant acme");
    assert_eq!(denied["reason"], "BeyondDevice", "{denied}");
    // Through that session an explanation says the same, and what cuts it; through it nothing else is supposed.
    let listed = asked.ask(0, "tessera session list zoe@example.org --tenant acme");
    let on_it = text(&rows(&listed, "sessions")[0], "session");
    let through = format!("zoe.write --through {on_it} --tenant acme");
    let told = asked.ask(1, &format!("tessera explain zoe@example.org {through}"));
    assert_eq!((&told["reason"], &told["sources"][0]["holds"]), (&denied["reason"], &json!(true)), "{told}");
    let [cut] = rows(&told, "cuts") else { panic!("{told}") };
    assert_eq!(
        (&cut["by"], &cut["level"], &cut["covers"]),
        (&json!("level"), &json!("known"), &json!(["zoe.read"]))
    );
    asked.ask(2, &format!("tessera explain zoe@example.org {through} --acr 2"));
    let mut order = |line: &str| asked.ask(0, &format!("tessera {line} --tenant acme"));
    assert_eq!(order(&format!("device revoke {device}"))["device"], json!(device));
    order("device limit-level known");
    order("role create helpers tessera.sessions.open tessera.check tessera.admin.subjects");
    order("user create hal@example.org");
    order("grant add hal@example.org helpers");
    order("session open hal@example.org --save hal.session");
    let acts = "tessera session impersonate zoe@example.org --may 'zoe.*' --for 5m --because 'ticket 7' --key-file hal.session";
    let acting = asked.ask(0, &format!("{acts} --save acting.session"));
    let mut order = |line: &str| asked.ask(0, &format!("tessera {line} --tenant acme"));
    let shown = order("session show --handle-file acting.session");
    assert!(shown["actor"].is_string() && shown["session"] == acting["session"], "{shown}");
    let listed = order("session list zoe@example.org");
    assert_eq!(rows(&listed, "sessions")[0]["acts_because"], "ticket 7");
    order("check zoe.write --handle-file acting.session");
    let through = format!("--through {} --tenant acme", text(&acting, "session"));
    assert_eq!(
        asked.ask(0, &format!("tessera explain zoe@example.org zoe.write {through}"))["cuts"],
        json!([])
    );
    let told = asked.ask(1, &format!("tessera explain zoe@example.org tessera.check {through}"));
    let [cut] = rows(&told, "cuts") else { panic!("{told}") };
    assert_eq!((&cut["by"], &cut["covers"]), (&json!("restriction"), &json!(["zoe.*"])));
    let mut order = |line: &str| asked.ask(0, &format!("tessera {line} --tenant acme"));
    order(&format!("session end {}", text(&acting, "session")));
    let acted = order("session actings zoe@example.org");
    let row = &rows(&acted, "actings")[0];
    assert_eq!((&row["how"], &row["acts_because"]), (&"ordered".into(), &"ticket 7".into()), "{acted}");
    // A program that plays a device, and proves it.
    let robot = text(&order("device register zoe@example.org robot --make-key robot.key"), "device");
    let opened = format!("session open zoe@example.org --device {robot} --device-key robot.key");
    order(&format!("{opened} --save robot.session"));
    assert_eq!(order("session show --handle-file robot.session")["device"], json!(robot));
    let proof = text(&order(&format!("device prove {robot} --with-key robot.key")), "proof");
    assert_eq!(proof.len(), 222);
    order("workspace create bureau");
    let role = order("role create bureau-clerk zoe.read --workspace bureau");
    assert_eq!(role["workspace"], "bureau");
    let outside = asked.ask(1, "tessera grant add zoe@example.org bureau-clerk --tenant acme");
    assert_eq!(outside["error"]["code"], 267);
    let mut order = |line: &str| asked.ask(0, &format!("tessera {line} --tenant acme"));
    order("grant add zoe@example.org bureau-clerk --workspace bureau");
    assert_eq!(order("visibility set zoes --sees group,created --shows email --try")["dry_run"], true);
    assert_eq!(order("visibility set zoes --sees group,created --shows email --attribute title")["rules"], 1);
    let rules = order("visibility show");
    let rule =
        json!({ "role": "zoes", "sees": ["group", "created"], "shows": ["email"], "attributes": ["title"] });
    assert_eq!((&rules["version"], &rows(&rules, "rules")[0]), (&json!(1), &rule));
    asked.put("rules.json", &rules.to_string());
    let mut order = |line: &str| asked.ask(0, &format!("tessera {line} --tenant acme"));
    assert_eq!(order("visibility load rules.json --version 1")["rules"], 1);
    assert_eq!(order("visibility remove zoes")["rules"], 0);
    let listed = order("role list --all");
    assert!(rows(&listed, "roles").iter().any(|row| row["workspace"] == "bureau"));
    order("workspace delete bureau");
    let gone = asked.ask(1, "tessera role holders bureau-clerk --tenant acme");
    assert_eq!(gone["error"]["code"], 205);
    let mut order = |line: &str| asked.ask(0, &format!("tessera {line} --tenant acme"));
    // Who asked does not approve: zoe asks in her own session.
    order("session open zoe@example.org --save zoe-asks.session");
    let ask = &*format!("request role {zoe} reader --for 4h --because 'on call' --key-file zoe-asks.session");
    let own = "request role zoe@example.org reader --for 4h --because 'on call'";
    let own = text(&order(own), "request");
    let refused = asked.ask(1, &format!("tessera request approve {own} --tenant acme"));
    assert_eq!(refused["error"]["code"], 264, "{refused}");
    let mut order = |line: &str| {
        // A session of the tenant itself acts there only.
        let tenant = if line.contains("--key-file") { "" } else { " --tenant acme" };
        asked.ask(0, &format!("tessera {line}{tenant}"))
    };
    order(&format!("request withdraw {own}"));
    let withdrawn = text(&order(ask), "request");
    assert_eq!(order(&format!("request withdraw {withdrawn}"))["request"], json!(withdrawn));
    let refused = text(&order(ask), "request");
    order(&format!("request refuse {refused}"));
    let approved = text(&order(ask), "request");
    assert_eq!(rows(&order("request list --open"), "requests").len(), 1);
    assert!(order(&format!("request approve {approved}"))["granted_until_ms"].is_u64());
    let listed = order("request list --of zoe@example.org --all");
    let states: Vec<_> = rows(&listed, "requests").iter().map(|row| text(row, "state")).collect();
    assert_eq!(states, ["withdrawn", "withdrawn", "refused", "approved"]);
    let review = order("grant review --all");
    assert!(rows(&review, "rows").iter().any(|row| row["request"] == json!(approved)), "{review}");
    let again = asked.ask(1, &format!("tessera request approve {approved} --tenant acme"));
    assert_eq!(again["error"]["code"], 263, "{again}");
    asked.ask(0, "tessera user delete zoe@example.org --yes --tenant acme");
}
