//! Policies with `--json`: their files, and those of a tenant.

use crate::json::{Asked, text};

/// What `policy` says, file by file and of a tenant.
pub(crate) fn policies(asked: &mut Asked, put: &dyn Fn(&str, &str)) {
    put("p.cedar", "permit (principal, action, resource);\n");
    put(
        "p.cedarschema",
        "entity User, Thing; action \"orders.read\" appliesTo { principal: User, resource: User };",
    );
    put("p.entities.json", "[]");
    let question = r#"{"principal": {"type": "User", "id": "a"}, "action": {"type": "Action", "id": "orders.read"},
        "resource": {"type": "User", "id": "b"}, "context": {}, "decision": "allow", "reason": ["policy0"]}"#;
    let test = r#"{"policies": "p.cedar", "schema": "p.cedarschema", "entities": "p.entities.json", "shouldValidate": true"#;
    put("p.json", &format!("{test}, \"requests\": [{question}]}}"));
    let checked = asked.ask(0, "tessera policy check p.cedar --schema p.cedarschema");
    assert_eq!(checked["files"][0]["policies"], 1);
    assert_eq!(asked.ask(0, "tessera policy format p.cedar")["changed"], false);
    assert_eq!(asked.ask(0, "tessera policy test p.json")["passed"], 1);
    let set = "tessera policy put p.cedar --schema p.cedarschema --tenant acme";
    assert_eq!(asked.ask(0, &format!("{set} --dry-run"))["dry_run"], true);
    assert_eq!(asked.ask(0, set)["version"], 1);
    let other = asked.ask(1, &format!("{set} --if-version 7"));
    assert_eq!(other["error"]["code"], 292, "{other}");
    refused(asked, put);
    assert_eq!(asked.ask(0, "tessera policy put --failing-forbid cedar --tenant acme")["version"], 2);
    let listed = asked.ask(0, "tessera policy list --tenant acme");
    assert_eq!(
        (&listed["policies"][0]["effect"], &listed["failing_forbid"]),
        (&"permit".into(), &"cedar".into())
    );
    assert_eq!(
        text(&asked.ask(0, "tessera policy show --tenant acme"), "text"),
        "permit (principal, action, resource);\n"
    );
    assert_eq!(
        asked.ask(0, "tessera policy diff p.cedar --tenant acme")["changes"].as_array().map(Vec::len),
        Some(0)
    );
    put("things.json", r#"[{"uid": {"type": "Thing", "id": "1"}}]"#);
    assert_eq!(asked.ask(0, "tessera policy entity put things.json --tenant acme")["entities"], 1);
    let stored = asked.ask(0, "tessera policy entity list --tenant acme");
    assert_eq!(stored["entities"][0]["uid"]["type"], "Thing");
    let why = asked.ask(0, "tessera policy explain amy orders.read --resource Thing:1 --tenant acme");
    assert_eq!(why["policies"][0]["policy"], "policy0");
    assert_eq!(asked.ask(1, "tessera policy delete --tenant acme")["error"]["code"], 295);
    asked.ask(0, "tessera policy entity remove Thing 1 --tenant acme");
    asked.ask(0, "tessera policy delete --if-version 2 --tenant acme");
    // What a context lacks is named, and what the node says itself is not missing.
    put(
        "p.cedarschema",
        "entity User; action \"orders.read\" appliesTo { principal: User, resource: User, context: { now: datetime, n: Long } };",
    );
    asked.ask(0, set);
    let why = asked.ask(1, "tessera policy explain amy orders.read --context {} --tenant acme");
    assert_eq!(text(&why["error"], "message"), "the context, 1:1: the attribute \"n\" is missing");
    asked.ask(0, "tessera policy delete --tenant acme");
}

/// Whatever keeps a set or a context from being taken is told with its file and place, or with the limit.
fn refused(asked: &mut Asked, put: &dyn Fn(&str, &str)) {
    let file = asked.node.folder.join("no-text.cedar");
    std::fs::write(file, b"permit (principal, action, resource) when { \"\xff\" == \"\" };").expect("a file");
    let done = asked.node.shell("tessera policy put no-text.cedar --tenant acme --json");
    let told: serde_json::Value = serde_json::from_slice(&done.stdout).expect("an object");
    let fault = &told["files"][0]["faults"][0];
    assert_eq!((&fault["reason"], &fault["line"]), (&"Encoding".into(), &1.into()), "{told}");
    put("long.cedar", &" ".repeat(2 << 20));
    let told = asked.ask(1, "tessera policy put long.cedar --tenant acme");
    assert_eq!(
        (&told["error"]["code"], &told["error"]["limit"]),
        (&220.into(), &"POLICY_TEXT_BYTES_MAX".into())
    );
    let told = asked.ask(1, "tessera policy show --version 99 --tenant acme");
    assert_eq!(text(&told["error"], "message"), "version 99 is not kept");
}
