//! Every command with `--json`: its exit code, and exactly the fields that the document names.

use crate::node::Node;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A node that was claimed, and what its answers held.
pub(crate) struct Asked {
    pub(crate) node: Node,
    /// Fields of each command's object, as the document lists them.
    documented: BTreeMap<String, Fields>,
    seen: BTreeSet<String>,
}

/// The fields of an object, and those of the objects in it: none where the document names them elsewhere.
#[derive(Clone, Default)]
struct Fields {
    own: BTreeSet<String>,
    inner: BTreeSet<String>,
}

/// Commands that answer no request: they run something, or write for people and shells; and those that need no node, or
/// a stopped one, or two of them, and have tests and documents of their own.
const NO_ANSWER: &[&str] = &[
    "serve",
    "dev",
    "config",
    "completions",
    "man",
    "operator recover",
    "doctor",
    "keys rotate",
    "backup erase",
    "tenant move",
    "tenant take-back",
    "tenant forget-copy",
    "fleet open",
];

/// The table of the document: command, fields. `a b`, `c` stands for `a b` and `a c`.
fn documented() -> BTreeMap<String, Fields> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operate/command-line.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let mut table = BTreeMap::new();
    let (_, part) = text.split_once("| command | fields |").expect("the table");
    for line in part.lines().skip(2).take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ticked =
            |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
        let names = ticked(cells[1]);
        let noun = names.first().and_then(|name| name.split(' ').next()).unwrap_or_default().to_owned();
        // What stands in brackets are the fields of an inner object.
        let mut fields = Fields::default();
        let mut depth = 0;
        for (at, piece) in cells[2].split('`').enumerate() {
            if at % 2 == 1 {
                if depth == 0 { &mut fields.own } else { &mut fields.inner }.insert(piece.to_owned());
                continue;
            }
            depth += piece.matches(['{', '[']).count();
            depth -= piece.matches(['}', ']']).count();
        }
        for name in names {
            let name = if name.starts_with(&noun) { name } else { format!("{noun} {name}") };
            assert!(table.insert(name.clone(), fields.clone()).is_none(), "{name} stands twice");
        }
    }
    table
}

impl Asked {
    fn start(folder: &Path) -> Self {
        Self { node: Node::serve(folder), documented: documented(), seen: BTreeSet::new() }
    }

    /// Writes a file where the commands run.
    pub(crate) fn put(&self, file: &str, text: &str) {
        std::fs::write(self.node.folder.join(file), text).expect("a file");
    }

    /// Asks and looks at exit code and fields; gives the object.
    pub(crate) fn ask(&mut self, exit: i32, line: &str) -> Value {
        let done = self.node.shell(&format!("{line} --json"));
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(exit), "{line}: {text}{told}");
        assert_eq!(text.lines().count(), 1, "{line}: {text}");
        assert!(!told.contains("backtrace") && !told.contains("panicked"), "{line}: {told}");
        let object: Value = serde_json::from_str(&text).expect(line);
        let fields = object.as_object().expect("an object");
        if object["ok"] == false {
            assert!(told.starts_with("tessera: "), "{line}: {told}");
            assert_eq!(object["error"]["exit_code"], exit, "{line}");
            return object;
        }
        let name = self.name(line);
        let known = &self.documented[&name];
        for field in fields.keys() {
            let base = field.strip_suffix("_ms").filter(|base| fields.contains_key(*base)).unwrap_or(field);
            let common = matches!(base, "ok" | "receipt" | "repeated");
            assert!(common || known.own.contains(base), "{name}: {field} is not documented");
            if base != field {
                assert_eq!(fields[base].is_null(), fields[field].is_null(), "{name}: {field}");
            }
        }
        for row in fields.values().filter_map(Value::as_array).flatten().filter_map(Value::as_object) {
            let whole = row.keys().all(|field| {
                let base = field.strip_suffix("_ms").filter(|base| row.contains_key(*base)).unwrap_or(field);
                known.inner.contains(base)
            });
            // Fields that stand in another line are looked at there.
            let elsewhere = known.inner.is_empty() || known.inner.iter().any(|name| name.contains(' '));
            assert!(whole || elsewhere, "{name}: {row:?} is not documented");
        }
        self.seen.insert(name);
        object
    }

    /// Every command without others below it, as the helps list them.
    fn leaves(&self, path: &str, found: &mut Vec<String>) {
        let help = self.node.shell(&format!("tessera {path} --help"));
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        let Some((_, rest)) = help.split_once("Commands:\n") else {
            found.push(path.trim().to_owned());
            return;
        };
        for line in rest.lines().take_while(|line| line.starts_with("  ")) {
            let Some(word) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) else { continue };
            let word = word.split(' ').next().expect("a word");
            if word != "help" {
                self.leaves(format!("{path} {word}").trim(), found);
            }
        }
    }

    /// The command of a line, as the document names it: the longest that fits.
    fn name(&self, line: &str) -> String {
        let (_, words) = line.split_once("tessera ").expect(line);
        let fits = |name: &&String| {
            words.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        self.documented.keys().filter(fits).max_by_key(|name| name.len()).expect(line).clone()
    }
}

pub(crate) fn text(object: &Value, field: &str) -> String {
    object[field].as_str().expect(field).to_owned()
}

/// PROPERTY: every command answers with its exit code and exactly documented fields; every command of
/// the document is asked. METHOD: the life of a tenant, from the claim to its deletion.
#[test]
fn every_command_answers_in_json() {
    let folder = tempfile::tempdir().expect("a folder");
    crate::node::fleet_of_one(folder.path());
    let mut asked = Asked::start(folder.path());
    let unclaimed = asked.ask(2, "tessera tenant list --profile data");
    assert_eq!(unclaimed["error"]["name"], "Usage");
    let wrong = asked.ask(1, "echo once-more | tessera operator claim --profile data --secret-file -");
    assert_eq!(wrong["error"]["code"], 224);
    let claimed = asked.ask(0, "tessera operator claim --profile data");
    assert!(text(&claimed, "key_file").ends_with(".config/tessera/operator.key"));
    asked.ask(2, "tessera operator claim --profile data");
    asked.ask(0, "tessera operator rotate");
    assert_eq!(asked.ask(0, "tessera operator list")["operators"].as_array().map(Vec::len), Some(1));
    asked.ask(0, "tessera ping --count 3");
    asked.ask(0, "tessera ping --profile data");
    strangers_nodes(&mut asked);
    let made = asked.ask(0, "tessera tenant create acme --save admin.key");
    let tenant = text(&made, "tenant");
    assert_eq!(asked.ask(1, "tessera tenant create acme")["error"]["code"], 211);
    asked.ask(0, "tessera tenant list");
    asked.ask(0, "tessera tenant show acme");
    assert_eq!(asked.ask(2, "tessera tenant create ACME")["error"]["name"], "Usage");
    // The secret was used: the node takes its file away.
    while asked.node.folder.join("data/operator-secret").exists() {
        std::thread::yield_now();
    }
    asked.ask(0, "tessera tenant suspend acme");
    let own = asked.ask(1, "tessera user list --key-file admin.key");
    assert_eq!(own["error"]["code"], 202, "{own}");
    assert_eq!(asked.ask(1, "tessera user create x@example.org --tenant acme")["error"]["code"], 202);
    asked.ask(0, &format!("tessera tenant resume {tenant}"));
    assert_eq!(asked.ask(2, "tessera user list")["error"]["message"], "which tenant?");
    people(&mut asked);
    rules(&mut asked);
    crate::powers::groups(&mut asked);
    crate::powers::relations(&mut asked);
    crate::powers::services(&mut asked);
    crate::elevations::elevations(&mut asked);
    crate::invitations::invitations(&mut asked);
    sessions(&mut asked, &tenant);
    relations(&mut asked);
    asked.ask(2, "tessera tenant delete acme");
    asked.ask(0, "tessera tenant delete acme --yes");
    asked.ask(1, "tessera user list --tenant acme");
    let left: Vec<&String> = asked.documented.keys().filter(|name| !asked.seen.contains(*name)).collect();
    assert!(left.is_empty(), "not asked: {left:?}");
    let mut leaves = Vec::new();
    asked.leaves("", &mut leaves);
    assert!(leaves.len() > 80, "{leaves:?}");
    let silent = |leaf: &String| {
        NO_ANSWER
            .iter()
            .any(|name| leaf.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')))
    };
    let unknown: Vec<&String> =
        leaves.iter().filter(|leaf| !silent(leaf) && !asked.documented.contains_key(*leaf)).collect();
    assert!(unknown.is_empty(), "not in the document: {unknown:?}");
    assert_eq!(asked.node.end(), 0);
}

/// A certificate that is not trusted is told at once, whatever the patience; an address is checked first.
fn strangers_nodes(asked: &mut Asked) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    std::fs::write(asked.node.folder.join("other.pem"), made.cert.pem()).expect("a file");
    for line in
        ["tessera ping --ca other.pem --timeout 1h", "tessera ping --server-name other.org --timeout 1h"]
    {
        assert_eq!(asked.ask(78, line)["error"]["name"], "Untrusted", "{line}");
    }
    assert_eq!(asked.ask(78, "tessera ping --server-name 'a b'")["error"]["name"], "Config");
    assert_eq!(asked.ask(2, "tessera ping --address 127.0.0.1:74431")["error"]["name"], "Usage");
    let claimed =
        asked.ask(1, "echo once-more | tessera operator claim --credentials again.key --secret-file -");
    assert_eq!(claimed["error"]["name"], "NothingToClaim");
}

fn people(asked: &mut Asked) {
    let line =
        "echo 'a long pass phrase' | tessera user create amy@example.org --password-stdin --tenant acme";
    let amy = text(&asked.ask(0, line), "subject");
    assert_eq!(
        asked.ask(1, "tessera user create AMY@example.org --key-file admin.key")["error"]["code"],
        211
    );
    asked.ask(2, "tessera user list --key-file admin.key --tenant acme");
    std::fs::write(asked.node.folder.join("users.ndjson"), "{\"kind\":\"machine\"}\n").expect("a file");
    asked.ask(0, "tessera load users.ndjson --tenant acme");
    let listed = asked.ask(0, "tessera user list --tenant acme --limit 1");
    let next = text(&listed, "next");
    let rest = asked.ask(0, &format!("tessera user list --tenant acme --cursor {next}"));
    assert_eq!((&rest["subjects"][0]["subject"], &rest["next"]), (&Value::String(amy.clone()), &Value::Null));
    asked.ask(0, &format!("tessera user suspend {amy} --tenant acme"));
    asked.ask(0, &format!("tessera user resume {amy} --tenant acme"));
    asked.ask(0, "tessera user identifier add amy@example.org amy --tenant acme");
    asked.ask(0, "tessera user identifier remove amy amy@example.org --tenant acme");
    let reset = asked.ask(0, "tessera user password reset amy --expires +1h --save amy.setup --tenant acme");
    assert!(reset["expires_ms"].is_u64());
    assert_eq!(
        asked.ask(1, "tessera user password reset amy --expires +30d --tenant acme")["error"]["bound"],
        604_800
    );
    let set_up = "tessera user password set-up --secret-file amy.setup --password-stdin";
    assert_eq!(asked.ask(1, &format!("echo short | {set_up}"))["error"]["code"], 216);
    asked.ask(0, &format!("echo 'a third pass phrase' | {set_up}"));
    assert_eq!(asked.ask(1, &format!("echo 'a third pass phrase' | {set_up}"))["error"]["code"], 224);
    asked.ask(0, "tessera user password reset amy --now --tenant acme");
    assert_eq!(asked.ask(0, "tessera user show amy --tenant acme")["subject"]["has_password"], false);
    asked.ask(0, "tessera user password reset amy --save amy.again --tenant acme");
    asked.ask(
        0,
        "echo 'a third pass phrase' | tessera user password set-up --secret-file amy.again --password-stdin",
    );
    asked.ask(0, "tessera attribute declare floor integer --tenant acme");
    assert_eq!(asked.ask(0, "tessera attribute list --tenant acme")["attributes"][0]["kind"], "integer");
    asked.ask(0, "tessera user attribute set amy floor=3 nick=A --tenant acme");
    asked.ask(2, "tessera user attribute set amy floor=x --tenant acme");
    let shown = asked.ask(0, "tessera user show amy --tenant acme");
    assert_eq!(shown["subject"]["attributes"], serde_json::json!({ "floor": 3, "nick": "A" }));
    let temp = text(&asked.ask(0, "tessera user create --machine --tenant acme"), "subject");
    asked.ask(2, &format!("tessera user delete {temp} --tenant acme"));
    asked.ask(0, &format!("tessera user delete {temp} --yes --tenant acme"));
    asked.ask(2, &format!("tessera user erase {temp} --tenant acme"));
    let erased = asked.ask(0, &format!("tessera user erase {temp} --yes --tenant acme"));
    assert_eq!(erased["erased"], true);
    assert_eq!(asked.ask(1, &format!("tessera user show {temp} --tenant acme"))["error"]["code"], 203);
}

fn rules(asked: &mut Asked) {
    asked.ask(0, "tessera permission register orders.write --tenant acme");
    asked.ask(0, "tessera permission list --tenant acme");
    asked.ask(0, "tessera role create reader orders.read --tenant acme");
    asked.ask(0, "tessera role change reader orders.read orders.list --tenant acme");
    asked.ask(0, "tessera role create gone x --tenant acme");
    asked.ask(0, "tessera role delete gone --tenant acme");
    assert_eq!(asked.ask(1, "tessera role delete tessera.admin --tenant acme")["error"]["code"], 226);
    let listed = asked.ask(0, "tessera role list --tenant acme --limit 1");
    let next = text(&listed, "next");
    let wrong = asked.ask(1, &format!("tessera user list --tenant acme --cursor {next}"));
    assert_eq!(wrong["error"]["code"], 243);
    asked.ask(0, &format!("tessera role list --tenant acme --all --cursor {next}"));
    let sales = asked.ask(0, "tessera workspace create sales --tenant acme");
    asked.ask(0, "tessera workspace create berlin --under sales --tenant acme");
    asked.ask(0, "tessera workspace create vault --isolated --tenant acme");
    assert_eq!(asked.ask(1, "tessera workspace delete sales --tenant acme")["error"]["code"], 221);
    asked.ask(0, "tessera workspace delete vault --tenant acme");
    let listed = asked.ask(0, "tessera workspace list --tenant acme")["workspaces"].clone();
    assert_eq!(listed[1]["parent"], "sales");
    // What was told when it was made is what the list shows.
    assert!(text(&sales, "id").len() == 36, "{sales}");
    assert_eq!((&sales["id"], &sales["index"]), (&listed[0]["id"], &listed[0]["index"]));
    let line = "tessera grant add amy reader --workspace sales --until +2h --tenant acme";
    assert!(asked.ask(0, line)["until_ms"].is_u64());
    asked.ask(0, "tessera grant add amy reader --from 2040-01-01 --tenant acme");
    let line = "tessera grant remove amy reader --tenant acme";
    assert_eq!(asked.ask(0, line)["removed"], true);
    assert_eq!(asked.ask(0, line)["removed"], false);
    repeats(asked);
    assert_eq!(asked.ask(0, "tessera grant list amy --tenant acme")["grants"][0]["workspace"], "sales");
    let role = asked.ask(0, "tessera grant list amy --tenant acme")["grants"][0]["role"].clone();
    let holders =
        asked.ask(0, &format!("tessera role holders {} --tenant acme", role.as_str().expect("a role")));
    assert_eq!(holders["holders"][0]["workspace"], "sales");
    let usage = asked.ask(0, "tessera usage acme");
    let subjects = usage["usage"].as_array().expect("figures").iter().find(|row| row["name"] == "subjects");
    assert!(
        subjects.is_some_and(|row| row["count"].as_u64() >= Some(2) && row["bound"] == 67_108_863),
        "{usage}"
    );
    asked.ask(0, "tessera fleet status");
    asked.ask(0, "tessera fleet placements");
    asked.ask(0, "tessera tenant copies");
    let whole = asked.ask(0, "tessera usage");
    let names = whole["usage"].as_array().expect("figures").iter().map(|row| row["name"].clone());
    assert!(names.into_iter().any(|name| name == "node.tenants_awake"), "{whole}");
    crate::powers::backups(asked);
    let listed = asked.ask(0, "tessera settings list --tenant acme");
    assert!(listed["settings"].as_array().is_some_and(|all| all.len() >= 12));
    assert_eq!(asked.ask(0, "tessera settings get session_ttl_s --tenant acme")["setting"]["value"], 86_400);
    let changed = asked.ask(0, "tessera settings set session_idle_s=10m argon_passes=default --tenant acme");
    let told = asked.ask(1, "tessera settings set argon_memory_kib=999999999 --tenant acme");
    let message = text(&told["error"], "message");
    assert!(message.ends_with("argon_memory_kib"), "{told}");
    assert_eq!(changed["settings"]["session_idle_s"], 600);
    assert_eq!(asked.ask(1, "tessera settings set session_idle_s=1s --tenant acme")["error"]["code"], 218);
    let public = asked.ask(0, "tessera settings set public_sign_in=on registration=approval --tenant acme");
    assert_eq!(public["settings"], serde_json::json!({ "public_sign_in": "on", "registration": "approval" }));
    let app = serde_json::json!(["https://app.example.com"]);
    assert_eq!(asked.ask(0, "tessera origin add https://app.example.com --tenant acme")["origins"], app);
    assert_eq!(asked.ask(0, "tessera origin list --tenant acme")["origins"], app);
    let none = asked.ask(0, "tessera origin remove https://app.example.com --tenant acme");
    assert_eq!(none["origins"], serde_json::json!([]));
}

/// What a key was made with is readable for as long as it lives.
fn keys(asked: &mut Asked, key: &Value) {
    let line = "tessera key create amy --description 'nightly report' --allow orders.read --tenant acme";
    let second = asked.ask(0, line);
    let listed = asked.ask(0, "tessera key list amy --tenant acme");
    let rows = listed["keys"].as_array().expect("a list");
    let row = |key: &Value| rows.iter().find(|row| row["session"] == key["session"]).expect("a row");
    assert_eq!((rows.len(), &row(key)["description"]), (2, &"".into()));
    assert_eq!(row(&second)["description"], "nightly report");
    let shown = asked.ask(0, &format!("tessera key show {} --tenant acme", text(&second, "session")));
    assert_eq!(
        (&shown["key"], &shown["key"]["patterns"]),
        (row(&second), &serde_json::json!(["orders.read"]))
    );
    let bound = asked.ask(
        0,
        "tessera key create amy --allow orders.read --from 192.0.2.0/24 --save far.key --tenant acme",
    );
    let far = asked.ask(0, &format!("tessera key show {} --tenant acme", text(&bound, "session")));
    assert_eq!(far["key"]["networks"], serde_json::json!(["192.0.2.0/24"]));
    asked.ask(1, "tessera ping --key-file far.key");
    let check = "tessera check orders.read --workspace sales --handle-file far.key --tenant acme";
    assert_eq!(asked.ask(1, check)["reason"], "AddressNotAllowed");
    asked.ask(0, &format!("{check} --from-address 192.0.2.7"));
    asked.ask(2, "tessera key create amy --from 192.0.2.7/24 --tenant acme");
    asked.ask(0, &format!("tessera key revoke {} --tenant acme", text(&bound, "session")));
    let third = format!("tessera key rotate {} --tenant acme", text(&second, "session"));
    let third = text(&asked.ask(0, &third), "session");
    asked.ask(0, &format!("tessera key revoke {third} --tenant acme"));
    // The admin's own key is among everybody's.
    let all = asked.ask(0, "tessera key list --tenant acme");
    assert_eq!(all["keys"].as_array().expect("a list").len(), 3);
    asked.ask(1, "tessera key list --key-file amy.key");
}

/// A span counts from the command id's own time: a repeat means the same instant, and is the same command.
fn repeats(asked: &mut Asked) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let ms = u64::try_from(now.as_millis()).expect("a time") - 5_000;
    let id = format!("{:08x}-{:04x}-7000-8000-000000000001", ms >> 16, ms & 0xFFFF);
    let line = format!("tessera grant add amy reader --until +2h --command-id {id} --tenant acme");
    let first = asked.ask(0, &line);
    assert_eq!(first["until_ms"], (ms / 1000 + 7_200) * 1000);
    let again = asked.ask(0, &line);
    assert_eq!((&again["repeated"], &again["receipt"]), (&true.into(), &first["receipt"]));
    // What a first answer named is not named again; it is an answer all the same.
    for (nth, line) in
        ["user create --machine", "tenant create twice", "workspace create twice"].iter().enumerate()
    {
        let tenant = if line.starts_with("tenant") { "" } else { "--tenant acme" };
        let id = format!("{:08x}-{:04x}-7000-8000-{:012}", ms >> 16, ms & 0xFFFF, nth + 2);
        let line = format!("tessera {line} --command-id {id} {tenant}");
        let first = asked.ask(0, &line);
        let again = asked.ask(0, &line);
        assert_eq!((&first["ok"], &first["repeated"]), (&true.into(), &false.into()), "{line}");
        assert_eq!((&again["ok"], &again["repeated"]), (&true.into(), &true.into()), "{line}");
        assert_eq!(again["receipt"], first["receipt"], "{line}");
    }
    asked.ask(0, "tessera tenant delete twice --yes");
    asked.ask(0, "tessera grant remove amy reader --tenant acme");
}

fn refreshes(asked: &mut Asked) {
    let made = "tessera client create phone --refresh rotating --sessions 1 --over-limit evict --tenant acme";
    assert_eq!(asked.ask(0, made)["id"], 1);
    assert_eq!(asked.ask(1, made)["error"]["code"], 211);
    asked.ask(0, "tessera client change phone --session-idle 5m --tenant acme");
    let shown = asked.ask(0, "tessera client show phone --tenant acme");
    assert_eq!(
        (&shown["client"]["session_idle_s"], &shown["client"]["over_limit"]),
        (&300.into(), &"evict".into())
    );
    assert_eq!(asked.ask(1, "tessera client show desk --tenant acme")["error"]["code"], 239);
    assert_eq!(
        asked.ask(0, "tessera client list --tenant acme")["clients"].as_array().expect("a list").len(),
        1
    );
    let machine = text(&asked.ask(0, "tessera user create --machine --tenant acme"), "subject");
    asked.ask(0, &format!("tessera grant add {machine} tessera.service --tenant acme"));
    asked.ask(0, &format!("tessera key create {machine} --client phone --save phone.key --tenant acme"));
    let open =
        "echo 'a fourth pass phrase' | tessera session sign-in amy --password-stdin --key-file phone.key";
    let first = asked.ask(0, &format!("{open} --save phone.session --save-refresh phone.refresh"));
    assert!(first["refresh_until_ms"].is_u64() && first["evicted"].as_array().expect("a list").is_empty());
    let refresh = "tessera session refresh --handle-file phone.refresh --key-file phone.key";
    let refreshed = asked.ask(0, refresh);
    assert_eq!(refreshed["refresh_file"], "phone.refresh");
    assert_eq!(refreshed["session"], first["session"]);
    asked.ask(0, refresh);
    asked.ask(2, "tessera session refresh --key-file phone.key");
    asked.ask(2, "tessera session refresh --handle-file phone.session --key-file phone.key");
    assert_eq!(
        asked.ask(1, "tessera session refresh --handle-file phone.refresh --tenant acme")["error"]["code"],
        238
    );
    let second = asked.ask(0, open);
    assert_eq!(second["evicted"][0], first["session"]);
    assert!(second["refresh_handle"].as_str().expect("a handle").starts_with("tref_"));
    assert_eq!(asked.ask(1, refresh)["error"]["code"], 208);
    assert_eq!(asked.ask(0, "tessera keys rotate-refresh --tenant acme")["number"], 2);
    assert_eq!(asked.ask(0, "tessera keys list --tenant acme")["keys"][1]["current"], true);
    assert_eq!(asked.ask(0, "tessera keys rotate-refresh --now --tenant acme")["number"], 3);
    asked.ask(0, "tessera client delete phone --tenant acme");
    assert_eq!(asked.ask(1, open)["error"]["code"], 239);
}

fn sessions(asked: &mut Asked, tenant: &str) {
    let sign_in = "echo 'a third pass phrase' | tessera session sign-in amy --password-stdin --tenant acme";
    asked.ask(0, &format!("{sign_in} --save amy.session"));
    let wrong = format!(
        "echo 'a wrong pass phrase' | tessera session sign-in amy --password-stdin --tenant {tenant}"
    );
    // Long enough that a loaded machine sees it.
    asked.ask(0, "tessera settings set sign_in_wait_s=60 --tenant acme");
    for _ in 0..5 {
        assert_eq!(asked.ask(1, &wrong)["error"]["code"], 215);
    }
    let waits = asked.ask(1, &wrong);
    assert!(waits["error"]["code"] == 241 && waits["error"]["retry_ms"].is_u64(), "{waits}");
    let shown = asked.ask(0, "tessera user show amy --tenant acme");
    let failed = |row: &Value| row["failures"] == 5 && row["waits_until_ms"].is_u64();
    assert!(
        shown["subject"]["identifiers"].as_array().is_some_and(|rows| rows.iter().any(failed)),
        "{shown}"
    );
    asked.ask(0, "tessera user unlock amy --tenant acme");
    let other = text(&asked.ask(0, "tessera session open amy --tenant acme"), "session");
    let asking = "--handle-file amy.session --tenant acme";
    assert_eq!(asked.ask(0, &format!("tessera session show {asking}"))["alive"], true);
    asked.ask(0, &format!("tessera session touch {asking}"));
    asked.ask(0, "tessera session list amy --tenant acme");
    let permit = asked.ask(0, &format!("tessera check orders.read --workspace berlin {asking}"));
    assert_eq!((&permit["decision"], &permit["reason_code"]), (&"permit".into(), &0.into()));
    assert_eq!(asked.ask(1, &format!("tessera check orders.read {asking}"))["reason"], "NotGranted");
    asked.ask(1, &format!("printf 'orders.read\\norders.read berlin\\n' | tessera check-batch {asking}"));
    asked.ask(0, &format!("printf 'orders.read sales\\n' | tessera check-batch {asking}"));
    asked.ask(2, &format!("echo 'a b c d' | tessera check-batch {asking}"));
    asked.ask(0, &format!("tessera permissions --workspace berlin {asking}"));
    asked.ask(0, "tessera resolve orders.read --workspace berlin --tenant acme");
    asked.ask(1, "tessera resolve orders.fly --tenant acme");
    let wrong = "printf 'a wrong pass phrase\\na fourth pass phrase\\n' | tessera user password change --both-stdin --key-file amy.session";
    let told = asked.ask(1, wrong);
    assert_eq!(told["error"]["message"], "the password until now is another one");
    let change = "printf 'a third pass phrase\\na fourth pass phrase\\n' | tessera user password change --both-stdin --key-file amy.session";
    asked.ask(0, change);
    let live = asked.ask(0, "tessera session list amy --tenant acme");
    let live: Vec<&Value> =
        live["sessions"].as_array().expect("a list").iter().map(|row| &row["session"]).collect();
    assert!(live.len() == 1 && *live[0] != other.as_str(), "{live:?}");
    // A session alone has others; whoever it is, it stays itself.
    let others = asked.ask(0, "tessera session end-others --key-file amy.session");
    assert_eq!(others["ended"], 0);
    assert_eq!(asked.ask(1, "tessera session end-others --tenant acme")["error"]["code"], 200);
    let ended = asked.ask(0, &format!("tessera session end {asking}"));
    asked.ask(0, &format!("tessera session end {asking}"));
    let receipt = text(&ended, "receipt");
    let denied =
        asked.ask(1, &format!("tessera check orders.read --workspace berlin --at-least {receipt} {asking}"));
    assert_eq!(denied["reason"], "Revoked");
    let ahead = format!("tessera check orders.read --at-least 1.999999 --timeout 200ms {asking}");
    assert_eq!(asked.ask(1, &ahead)["error"]["name"], "Behind");
    assert_eq!(asked.ask(1, &format!("tessera session show {asking}"))["alive"], false);
    asked.ask(0, "tessera session end-all amy --tenant acme");
    asked.ask(0, "tessera session end-all --everybody --tenant acme");
    let key =
        asked.ask(0, "tessera key create amy --allow orders.read --expires +1h --save amy.key --tenant acme");
    asked.ask(0, "tessera check orders.read --workspace sales --handle-file amy.key --tenant acme");
    // A key that may not ask about others' handles may ask about its own.
    asked.ask(0, "tessera check orders.read --workspace sales --handle-file amy.key --key-file amy.key");
    asked.ask(1, "tessera user list --key-file amy.key");
    keys(asked, &key);
    asked.ask(0, &format!("tessera key revoke {} --tenant acme", text(&key, "session")));
    asked.ask(1, &format!("tessera key show {} --tenant acme", text(&key, "session")));
    let stopped = asked.ask(1, "tessera check orders.read --handle-file amy.key --key-file amy.key");
    assert_eq!(stopped["error"]["name"], "HelloRefused");
    asked.ask(78, "tessera user list --key tkey_nonsense");
    asked.ask(69, "tessera user list --key-file none.key");
    asked.ask(3, "tessera ping --address 127.0.0.1:9 --timeout 300ms");
    asked.ask(78, "tessera ping --profile none");
    refreshes(asked);
}

const MODEL: &str = "model\n  schema 1.1\ntype user\ntype team\n  relations\n    define member: [user]\ntype document\n  relations\n    define viewer: [user, team#member]\n";

fn relations(asked: &mut Asked) {
    let folder = asked.node.folder.clone();
    let put = |file: &str, text: &str| std::fs::write(folder.join(file), text).expect("a file");
    put("model.fga", MODEL);
    let store = MODEL.lines().map(|line| format!("  {line}\n")).collect::<String>();
    let tests =
        "tests:\n  - check:\n    - {user: \"user:a\", object: \"document:1\", assertions: {viewer: false}}\n";
    put("store.fga.yaml", &format!("model: |\n{store}{tests}"));
    assert_eq!(asked.ask(0, "tessera relation test store.fga.yaml")["passed"], 1);
    crate::policies::policies(asked, &put);
    asked.ask(0, "tessera relation model set model.fga --tenant acme");
    put("second.fga", &format!("{MODEL}# second\n"));
    asked.ask(0, "tessera relation model set second.fga --tenant acme");
    let models = asked.ask(0, "tessera relation model list --tenant acme")["models"].clone();
    let before = &models[1]["version"];
    let shown = asked.ask(0, &format!("tessera relation model show --version {before} --tenant acme"));
    assert_eq!(shown["model"], MODEL);
    let begin = text(&asked.ask(0, "tessera relation watch --once --tenant acme"), "next");
    let ann = "'user:ann viewer document:1'";
    asked.ask(0, &format!("tessera relation write {ann} 'team:a#member viewer document:2' --tenant acme"));
    let ill = asked.ask(1, "tessera relation write 'team:a viewer document:2' --tenant acme");
    assert_eq!(ill["error"]["code"], 274);
    let why = "change 1, team:a viewer document:2: the relation takes no such subject";
    assert_eq!(ill["error"]["advice"], why);
    let read = asked.ask(0, "tessera relation read --object document:1 --tenant acme");
    assert_eq!(read["tuples"][0]["user"], "user:ann");
    assert_eq!(
        asked.ask(0, "tessera relation check user:ann viewer document:1 --tenant acme")["decision"],
        "permit"
    );
    asked.ask(1, "tessera relation check user:bob viewer document:1 --tenant acme");
    let batch = "printf 'user:ann viewer document:1 first\nuser:bob viewer document:1\n'";
    let told = asked.ask(1, &format!("{batch} | tessera relation check-batch --tenant acme"));
    assert_eq!(
        (&told["results"][0]["correlation_id"], &told["results"][1]["correlation_id"]),
        (&"first".into(), &"2".into())
    );
    crate::relations::explained(asked);
    asked.ask(0, "tessera relation list-objects user:ann viewer document --tenant acme");
    asked.ask(0, "tessera relation list-subjects document:1 viewer user --tenant acme");
    let told = asked.ask(0, "tessera watch --once --from-start --kind relation --tenant acme");
    assert!(told["events"].as_array().is_some_and(|events| events.len() >= 3), "{told}");
    let seen = text(&told["events"][0], "seen");
    let behind = asked.ask(0, &format!("tessera watch --once --since {seen} --kind relation --tenant acme"));
    assert_eq!(behind["events"].as_array(), told["events"].as_array().map(|all| all[1..].to_vec()).as_ref());
    let heard = asked.ask(0, &format!("tessera relation watch --once --cursor {begin} --tenant acme"));
    assert_eq!(heard["changes"].as_array().map(Vec::len), Some(2), "{heard}");

    assert_eq!(asked.ask(0, "tessera relation export --output all.ndjson --tenant acme")["written"], 2);
    asked.ask(0, "tessera relation export --form openfga --output all.json --tenant acme");
    let all = std::fs::read_to_string(folder.join("all.ndjson")).expect("a file");
    let ill = r#"{"user":"team:a","relation":"viewer","object":"document:9"}"#;
    put("more.ndjson", &format!("{all}{ill}\nnonsense\n"));
    crate::relations::windows(asked, &put);
    let told = asked.ask(1, "tessera relation import more.ndjson --tenant acme");
    assert_eq!((&told["tuples"], &told["turned_down"]), (&2.into(), &2.into()), "{told}");
    assert_eq!(asked.ask(0, "tessera relation import all.json --tenant acme")["tuples"], 2);

    asked.ask(0, "tessera relation map orders.write document viewer --tenant acme");
    assert_eq!(asked.ask(0, "tessera relation mappings --tenant acme")["mappings"][0]["relation"], "viewer");
    let own = asked.ask(1, "tessera relation map tessera.admin.keys document viewer --tenant acme");
    assert_eq!(own["error"]["code"], 226);
    let told = asked.ask(1, "tessera explain amy orders.write --resource document:1 --tenant acme");
    assert_eq!(told["relation"], "document:1#viewer");
    asked.ask(0, "tessera relation unmap orders.write document --tenant acme");
}
