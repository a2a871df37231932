//! Groups, roles of roles, workspaces that move, explanations, relations, services and backups with `--json`.

use crate::json::{Asked, text};
use serde_json::{Value, json};

fn rows<'a>(object: &'a Value, field: &str) -> &'a [Value] {
    object[field].as_array().unwrap_or_else(|| panic!("no {field}: {object}"))
}

/// Groups, parents of roles, what lies in a workspace, and why somebody may.
pub(crate) fn groups(asked: &mut Asked) {
    let mut order = |line: &str| asked.ask(0, &format!("tessera {line} --tenant acme"));
    assert_eq!(order("group create staff")["group"], "staff");
    assert!(order("group create editors")["id"].is_u64());
    order("group create passing");
    let joined = order("group add editors amy --until +2h");
    assert!(joined["until_ms"].is_u64() && joined["from_ms"].is_null(), "{joined}");
    assert_eq!(order("group nest staff editors")["member"], "editors");
    order("role create writer orders.write");
    order("role create chief orders.chief");
    assert_eq!(order("role parents chief writer")["parents"], json!(["writer"]));
    order("workspace create hamburg");
    let granted = order("group grant staff chief --workspace hamburg --until +1d");
    assert_eq!((&granted["role"], &granted["workspace"]), (&"chief".into(), &"hamburg".into()));
    assert_eq!(rows(&order("group grants staff"), "grants").len(), 1);
    assert_eq!(rows(&order("group list"), "groups").len(), 3);
    order("attribute declare department text");
    let sales = order("group create sales --rule department=sales");
    assert_eq!(sales["rule"], json!(["department=sales"]));
    order("user attribute set amy department=support");
    let changed = order("group rule sales 'department=sales|support' 'department=*t'");
    assert_eq!(changed["rule"], json!(["department=sales|support", "department=*t"]));
    assert_eq!(rows(&order("group members sales"), "members").len(), 1);
    let listed = order("group list");
    assert!(rows(&listed, "groups").iter().any(|row| row["rule"] == changed["rule"] && row["left"] == 0));
    order("group delete sales");
    let members = order("group members staff --nested");
    assert_eq!(
        (&members["members"][0]["direct"], &members["members"][0]["through"]),
        (&false.into(), &json!(["editors"]))
    );
    assert_eq!(rows(&order("group of amy"), "groups").len(), 2);
    let uses = order("role uses chief");
    assert_eq!(
        (&uses["uses"][0]["group"], &uses["uses"][0]["workspace"]),
        (&"staff".into(), &"hamburg".into())
    );
    assert_eq!(rows(&order("role uses writer"), "uses")[0]["role"], "chief");
    let why = order("explain amy orders.write --workspace hamburg");
    assert_eq!((&why["decision"], rows(&why, "sources").len()), (&"permit".into(), 1), "{why}");
    let review = order("grant review --all");
    assert!(
        rows(&review, "rows").iter().any(|row| row["group"] == "staff" && row["created_ms"].is_u64()),
        "{review}"
    );
    order("grant add amy reader --workspace hamburg --until +1h");
    assert!(order("grant renew amy reader --workspace hamburg --until +30d")["until_ms"].is_u64());
    assert_eq!(order("workspace ceiling hamburg 'orders.*'")["ceiling"], json!(["orders.*"]));
    order("grant add amy writer --workspace hamburg");
    assert_eq!(order("workspace owners hamburg writer")["owners"], "writer");
    let moved = order("workspace move hamburg --under berlin");
    assert_eq!((&moved["parent"], &moved["inherits"]), (&"berlin".into(), &true.into()));
    order("workspace owners hamburg --none");
    assert_eq!(order("workspace delete-tree hamburg")["workspace"], "hamburg");
    order("group ungrant staff chief");
    order("group unnest staff editors");
    order("group remove editors amy");
    assert_eq!(order("group delete passing")["group"], "passing");
    let supposed = asked.ask(0, "tessera simulate amy orders.write --grant writer --tenant acme");
    assert_eq!(supposed["decision"], "permit");
    let denied = asked.ask(1, "tessera explain amy orders.write --workspace sales --tenant acme");
    assert_eq!(denied["reason"], "NotGranted", "{denied}");
    assert_eq!(asked.ask(1, "tessera group nest editors editors --tenant acme")["error"]["code"], 251);
}

/// A model, tuples, and every question about them.
pub(crate) fn relations(asked: &mut Asked) {
    let model = "model\n  schema 1.1\ntype user\ntype document\n  relations\n    define viewer: [user]\n    define reader: viewer\n";
    std::fs::write(asked.node.folder.join("model.fga"), model).expect("a file");
    let store = format!(
        "name: a store\nmodel: |\n{}tuples:\n  - {{user: user:ann, relation: viewer, object: document:1}}\ntests:\n  - name: one\n    check:\n      - {{user: user:ann, object: document:1, assertions: {{viewer: true}}}}\n",
        model.lines().map(|line| format!("  {line}\n")).collect::<String>()
    );
    std::fs::write(asked.node.folder.join("store.fga.yaml"), store).expect("a file");
    assert_eq!(asked.ask(0, "tessera relation test store.fga.yaml")["passed"], 1);
    assert_eq!(asked.ask(1, "tessera relation model show --tenant acme")["ok"], false);
    let mut order = |line: &str| asked.ask(0, &format!("tessera relation {line} --tenant acme"));
    order("model set model.fga --dry-run");
    assert_eq!(order("model set model.fga")["orphans"], 0);
    assert!(order("model show")["version"].is_u64());
    assert_eq!(
        order("write 'user:ann viewer document:1' 'user:bob viewer document:2' --until +1d")["written"],
        2
    );
    assert_eq!(order("write --remove 'user:bob viewer document:2'")["removed"], 1);
    let stored = order("read --object document:");
    assert_eq!((rows(&stored, "tuples").len(), &stored["next"]), (1, &Value::Null));
    let permit = order("check user:ann reader document:1");
    assert_eq!(
        (&permit["decision"], permit["valid_until_ms"].is_u64()),
        (&"permit".into(), true),
        "{permit}"
    );
    assert!(!rows(&order("explain user:ann reader document:1"), "steps").is_empty());
    assert!(!rows(&order("expand document:1 viewer"), "steps").is_empty());
    assert_eq!(order("list-objects user:ann reader document")["names"], json!(["document:1"]));
    assert_eq!(order("list-subjects document:1 reader user")["names"], json!(["user:ann"]));
    let denied = asked.ask(1, "tessera relation check user:bob reader document:1 --tenant acme");
    assert_eq!(denied["decision"], "deny");
    let wrong = asked.ask(1, "tessera relation check user:bob flyer document:1 --tenant acme");
    assert_eq!(wrong["error"]["code"], 275, "{wrong}");
}

/// Services with what they register; an entry that does not read is told with its number.
pub(crate) fn services(asked: &mut Asked) {
    let put = |asked: &Asked, text: &str| {
        std::fs::write(asked.node.folder.join("shop.json"), text).expect("a file");
    };
    put(
        asked,
        r#"{"entries": [{"permission": "shop.buy", "labels": {"en": "Buy"}}, {"permission": "shop.sell"}]}"#,
    );
    let set = "tessera service set shop shop.json --tenant acme";
    let tried = asked.ask(0, &format!("{set} --dry-run"));
    assert_eq!((&tried["entries"], &tried["dry_run"]), (&2.into(), &true.into()));
    asked.ask(1, "tessera service entry shop.buy --tenant acme");
    assert_eq!(asked.ask(0, set)["kept"], 0);
    assert_eq!(asked.ask(0, "tessera service list --tenant acme")["services"][0]["entries"], 2);
    let listed = asked.ask(0, "tessera service entries shop --tenant acme");
    assert_eq!(listed["entries"][0]["labels"]["en"], "Buy");
    assert_eq!(asked.ask(0, "tessera service entry shop.buy --tenant acme")["service"], "shop");
    asked.ask(0, "tessera role create buyer shop.buy --tenant acme");
    let uses = asked.ask(0, "tessera service uses shop.buy --tenant acme");
    assert_eq!((&uses["uses"][0]["used_by"], &uses["uses"][0]["role"]), (&"role".into(), &"buyer".into()));
    put(asked, r#"{"endpoints": [{"method": "GET", "path": "/buy/{id}", "needs": "shop.buy"}]}"#);
    let set_endpoints = "tessera service set-endpoints shop shop.json --tenant acme";
    assert_eq!(asked.ask(0, &format!("{set_endpoints} --dry-run"))["endpoints"], 1);
    assert_eq!(asked.ask(0, set_endpoints)["dry_run"], false);
    let listed = asked.ask(0, "tessera service endpoints shop --tenant acme");
    assert_eq!(
        (&listed["endpoints"][0]["path"], &listed["endpoints"][0]["needs"]),
        (&"/buy/{id}".into(), &"shop.buy".into())
    );
    let authorize = "tessera authorize shop GET /buy/7 --handle-file admin.key --tenant acme";
    let denied = asked.ask(1, authorize);
    assert_eq!(
        (&denied["permission"], &denied["reason_code"]),
        (&"shop.buy".into(), &109.into()),
        "{denied}"
    );
    let doubtful = asked.ask(1, "tessera authorize shop GET /buy/../7 --handle-file admin.key --tenant acme");
    assert_eq!(doubtful["reason_code"], 143);
    let action = asked.ask(1, "tessera authorize shop --action sell --handle-file admin.key --tenant acme");
    assert_eq!(action["permission"], "shop.sell");
    asked.ask(2, "tessera authorize shop GET --handle-file admin.key --tenant acme");
    let scope = asked.ask(1, "tessera check --scope 'shop/x?b=1&a=2' --handle-file admin.key --tenant acme");
    assert_eq!((&scope["scope"], &scope["reason_code"]), (&"read:shop/x?a=2&b=1".into(), &107.into()));
    put(
        asked,
        r#"{"endpoints": [{"method": "GET", "path": "/a/*", "needs": "shop.buy"}, {"method": "*", "path": "/a/b", "needs": "shop.buy"}]}"#,
    );
    assert_eq!(asked.ask(1, set_endpoints)["error"]["code"], 287);
    put(asked, r#"{"endpoints": [{"method": "GET", "path": "/a", "needs": "scope=a//b"}]}"#);
    let ill = asked.ask(2, set_endpoints);
    assert!(
        ill["error"]["message"]
            .as_str()
            .is_some_and(|text| text.contains("endpoint 1") && text.contains("at byte 2")),
        "{ill}"
    );
    let filtered = asked.ask(1, "tessera role create filtered 'scope=shop/x?a=1' --tenant acme");
    assert_eq!(filtered["error"]["code"], 286);
    let owned = asked.ask(1, "tessera permission register shop.steal --tenant acme");
    assert_eq!(owned["error"]["code"], 285);
    put(asked, r#"{"entries": [{"permission": "shop.buy", "labels": {"english": "Buy"}}]}"#);
    let ill = asked.ask(2, set);
    assert!(ill["error"]["message"].as_str().is_some_and(|text| text.contains("entry 1")), "{ill}");
    assert_eq!(asked.ask(0, "tessera service remove shop --tenant acme")["kept"], 1);
    let gone = asked.ask(1, "tessera service remove nobody --tenant acme");
    assert_eq!(gone["error"]["code"], 284);
}

/// A backup, and what is restored of it; everything that does not fit with its exit code.
pub(crate) fn backups(asked: &mut Asked) {
    let taken = asked.ask(0, "tessera backup monday");
    assert_eq!((&taken["status"], taken["tenants"].as_u64() >= Some(2)), (&"done".into(), true), "{taken}");
    assert_eq!(asked.ask(1, "tessera backup monday")["error"]["code"], 281);
    assert_eq!(asked.ask(1, "tessera backup tuesday --follow")["error"]["code"], 283);
    assert_eq!(asked.ask(0, "tessera backup monday --follow")["status"], "done");
    asked.ask(2, "tessera backup Mon/day");
    asked.ask(1, "tessera backup other --key-file admin.key");
    let told = asked.ask(0, "tessera inspect backups/monday");
    assert_eq!((&told["kind"], &told["epoch"]), (&"backup".into(), &1.into()), "{told}");
    assert_eq!(told["tenants"][1]["name"], "acme", "{told}");
    asked.ask(69, "tessera inspect data");
    asked.ask(75, "tessera inspect home");
    let restore = "tessera restore backups/monday --data again --root-key root.key";
    let restored = asked.ask(0, restore);
    assert_eq!(restored["tenants"][1]["revision"], told["tenants"][1]["revision"]);
    assert!(restored["epoch"].as_u64() > Some(1_700_000_000_000), "{restored}");
    assert_eq!(restored["tenants"][1]["name"], "acme");
    asked.ask(2, restore);
    let again = asked.ask(0, "tessera inspect again");
    assert_eq!((&again["kind"], &again["epoch"]), (&"data".into(), &restored["epoch"]), "{again}");
    let folder = asked.node.folder.clone();
    std::fs::create_dir(folder.join("cut.restoring")).expect("a folder");
    asked.ask(69, "tessera restore backups/monday --data cut --root-key root.key");
    let made = asked.node.shell("tessera config root-key other.key");
    assert!(made.status.success(), "{made:?}");
    asked.ask(78, "tessera restore backups/monday --data more --root-key other.key");
    let named =
        "TESSERA_ROOT_KEY=$(cat other.key) tessera restore backups/monday --data named --root-key root.key";
    let named = asked.node.shell(named);
    assert!(named.status.success(), "the file that the line names counts: {named:?}");
    std::os::unix::fs::symlink(folder.join("none"), folder.join("link")).expect("a link");
    asked.ask(2, "tessera restore backups/monday --data link --root-key root.key");
    let state = folder.join("backups/monday/tail");
    let mut bytes = std::fs::read(&state).expect("a file");
    bytes[100] ^= 1;
    std::fs::write(&state, bytes).expect("a file");
    let damaged = asked.ask(75, "tessera restore backups/monday --data more --root-key root.key");
    assert!(text(&damaged["error"], "message").contains("tail: "), "{damaged}");
    assert!(!folder.join("more").exists() && !folder.join("more.restoring").exists());
    asked.ask(75, "tessera inspect backups/monday");
}
