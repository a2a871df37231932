//! `tessera load` against a real node: strict rows, trials, rejects that are mended, and running it again.

use crate::node::Node;
use serde_json::Value;

/// A claimed node with a tenant, a role, a workspace and a declared attribute.
fn scene(node: &Node) {
    for line in [
        "tessera operator claim --profile data",
        "tessera tenant create acme --save admin.key",
        "tessera role create reader --tenant acme orders.read",
        "tessera workspace create berlin --tenant acme",
        "tessera attribute declare seats integer --tenant acme",
    ] {
        let done = node.shell(line);
        assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

fn write(node: &Node, name: &str, lines: &[&str]) {
    std::fs::write(node.folder.join(name), lines.join("\n")).expect("written");
}

/// Loads and gives the object and what was told, after a look at the exit code.
fn load(node: &Node, exit: i32, line: &str) -> (Value, String) {
    let done = node.shell(&format!("tessera load {line} --tenant acme --json"));
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(exit), "{line}: {told}{}", String::from_utf8_lossy(&done.stdout));
    (serde_json::from_slice(&done.stdout).expect(line), told)
}

fn counts(object: &Value) -> [u64; 3] {
    ["made", "known", "rejected"].map(|field| object[field].as_u64().expect(field))
}

fn shown(node: &Node, who: &str) -> Value {
    let done = node.shell(&format!("tessera user show {who} --tenant acme --json"));
    serde_json::from_slice(&done.stdout).expect(who)
}

/// PROPERTY: rows that do not fit are told with file, line and field, whatever is wrong with them; the others are
/// loaded; the file of rejects, mended, is loaded; and the first file, once more, makes nobody.
/// F-65 in part.
#[test]
fn rejects_are_mended_and_loaded_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = Node::serve(folder.path());
    scene(&node);
    let amy = r#"{"email":"amy@example.org","roles":["reader"],"workspaces":{"berlin":["reader"]},"attributes":{"seats":7,"tier":"gold"}}"#;
    write(
        &node,
        "users.ndjson",
        &[
            amy,
            "# a comment",
            r#"{"email":"AMY@example.org"}"#,
            r#"{"email":"bob@example.org","password_hash":"$2b$12$abcdefghijklmnopqrstuv"}"#,
            r#"{"email":"cid@example.org","roles":["nobody"]}"#,
            r#"{"email":"dan@example.org","attributes":{"seats":"many"}}"#,
            r#"{"email":"eve@example.org","e-mail":"x"}"#,
            r#"{"username":"fay","kind":"machine","status":"suspended"}"#,
            r#"{"email":"gus@exam"#,
        ],
    );
    let (tried, _) = load(&node, 1, "users.ndjson --dry-run");
    assert_eq!(counts(&tried), [2, 0, 6]);
    let (stopped, told) = load(&node, 1, "users.ndjson");
    assert_eq!((counts(&stopped), &stopped["stopped"]), ([1, 0, 1], &Value::Bool(true)));
    assert!(told.contains("users.ndjson:3: email: stands at users.ndjson:1 already"), "{told}");
    let (skipped, told) = load(&node, 1, "users.ndjson --on-error skip");
    assert_eq!(counts(&skipped), [1, 1, 6], "{told}");
    let places: Vec<(u64, &str)> = skipped["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| (error["line"].as_u64().expect("a line"), error["field"].as_str().unwrap_or("")))
        .collect();
    let wanted = [
        (3, "email"),
        (4, "password_hash"),
        (5, "roles.nobody"),
        (6, "attributes.seats"),
        (7, "e-mail"),
        (9, "email"),
    ];
    let mut sorted = places.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, wanted, "{places:?}");
    for why in ["bcrypt cannot be verified", "no such field", "the row ends in the middle", "(code 205)"] {
        assert!(told.contains(why), "{why}: {told}");
    }
    let kept = skipped["rejects"].as_str().expect("a file");
    assert_eq!(kept, "users.ndjson.rejects");
    // What is being mended is not written over.
    load(&node, 2, "users.ndjson --on-error skip");
    let text = std::fs::read_to_string(node.folder.join(kept)).expect("rejects");
    assert_eq!(text.lines().filter(|line| line.starts_with('#')).count(), 6);
    let mended = text
        .replace("AMY@example.org", "ann@example.org")
        .replace(r#","password_hash":"$2b$12$abcdefghijklmnopqrstuv""#, "")
        .replace("nobody", "reader")
        .replace(r#""many""#, "3")
        .replace(r#","e-mail":"x""#, "")
        .replace(r#""gus@exam"#, r#""gus@example.org"}"#);
    write(&node, "mended.ndjson", &[&mended]);
    let (loaded, told) = load(&node, 0, "mended.ndjson");
    assert_eq!(counts(&loaded), [6, 0, 0], "{told}");
    write(&node, "again.ndjson", &[amy, r#"{"username":"fay","kind":"machine","status":"suspended"}"#]);
    assert_eq!(counts(&load(&node, 0, "again.ndjson mended.ndjson").0), [0, 8, 0]);
    let found = shown(&node, "amy@example.org");
    let subject = &found["subject"];
    assert_eq!(subject["grants"].as_array().map(Vec::len), Some(2), "{found}");
    assert_eq!(shown(&node, "fay")["subject"]["status"], "suspended");
    assert_eq!(shown(&node, "gus@example.org")["ok"], true);
    assert_eq!(node.end(), 0);
}

/// PROPERTY: a file in CSV says what the same rows in JSON say: loaded after them it makes nobody; and a node that
/// is away is waited for no longer than was asked.
#[test]
fn csv_makes_the_same_people() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = Node::serve(folder.path());
    scene(&node);
    write(
        &node,
        "users.ndjson",
        &[
            r#"{"email":["amy@example.org","amy@example.com"],"roles":["reader"],"attributes":{"seats":7}}"#,
            r#"{"username":"bob","workspaces":{"berlin":["reader"]},"status":"suspended"}"#,
        ],
    );
    write(
        &node,
        "users.csv",
        &[
            "email,username,roles,workspaces,attribute.seats,status",
            "amy@example.org;amy@example.com,,reader,,7,",
            ",bob,,berlin:reader,,suspended",
            ",cid,,,many,",
            ",dan,,,3",
        ],
    );
    assert_eq!(counts(&load(&node, 0, "users.ndjson").0), [2, 0, 0]);
    let (loaded, told) = load(&node, 1, "users.csv --on-error skip");
    assert_eq!(counts(&loaded), [0, 2, 2], "{told}");
    assert!(told.contains("users.csv:4: attribute.seats: is no whole number"), "{told}");
    assert!(told.contains("users.csv:5: the row has 5 values, the heading 6"), "{told}");
    let text = std::fs::read_to_string(node.folder.join("users.csv.rejects")).expect("rejects");
    assert!(text.starts_with("email,username,roles,workspaces,attribute.seats,status\n# "), "{text}");
    write(&node, "mended.csv", &[&text.replace("many", "3").replace(",dan,,,3", ",dan,,,3,")]);
    assert_eq!(counts(&load(&node, 0, "mended.csv").0), [2, 0, 0]);
    // Rows of several forms fit into no one file of rejects, and nothing of them is loaded.
    write(&node, "other.csv", &["username,status", "gil,active", "gil,active"]);
    write(&node, "more.ndjson", &[r#"{"username":"hal"}"#]);
    write(&node, "same.csv", &["# the same heading", "username,status", "ida,active"]);
    for line in ["mended.csv other.csv", "other.csv more.ndjson", "more.ndjson other.csv"] {
        let (refused, _) = load(&node, 2, &format!("{line} --on-error skip --rejects r"));
        assert_eq!(refused["error"]["name"], "Usage", "{refused}");
    }
    assert_eq!(counts(&load(&node, 1, "other.csv same.csv --on-error skip --rejects r").0), [2, 0, 1]);
    assert_eq!(counts(&load(&node, 0, "more.ndjson same.csv").0), [1, 1, 0]);
    let folder = node.folder.clone();
    assert_eq!(node.end(), 0);
    let away =
        crate::node::shell(&folder, "tessera load mended.csv --tenant acme --timeout 1s --json").output();
    assert_eq!(away.expect("it runs").status.code(), Some(3));
}

/// PROPERTY: a machine without identifiers that is mended in a file of rejects is made, though one like it stands on
/// that line of the first file; made once, however often it is loaded; and the file is its owner's alone.
#[test]
fn mended_rows_without_identifiers_are_made() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let node = Node::serve(folder.path());
    scene(&node);
    let [fits, unfit] =
        ["reader", "nobody"].map(|role| format!(r#"{{"kind":"machine","roles":["{role}"]}}"#));
    write(&node, "machines.ndjson", &[&fits, &fits, &unfit]);
    std::fs::write(
        node.folder.join("odd.ndjson"),
        [b"{\"username\":\"caf\xe9\"}\n", &b"x".repeat(200_000)[..]].concat(),
    )
    .expect("written");
    let (skipped, told) = load(&node, 1, "machines.ndjson --on-error skip");
    assert_eq!(counts(&skipped), [2, 0, 1], "{told}");
    let rejects = node.folder.join("machines.ndjson.rejects");
    assert_eq!(std::fs::metadata(&rejects).expect("a file").permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&rejects).expect("rejects");
    std::fs::write(&rejects, text.replace("nobody", "reader")).expect("mended");
    assert_eq!(counts(&load(&node, 0, "machines.ndjson.rejects").0), [1, 0, 0]);
    assert_eq!(counts(&load(&node, 0, "machines.ndjson.rejects").0), [0, 1, 0]);
    // What is no text is kept as it came; of what is too long its place.
    let done = node.shell("tessera load odd.ndjson --on-error skip --tenant acme");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(said.contains("but for 1 over-long ones"), "{said}");
    let kept = std::fs::read(node.folder.join("odd.ndjson.rejects")).expect("rejects");
    assert!(kept.windows(4).any(|bytes| bytes == b"caf\xe9") && kept.len() < 1_000);
    assert_eq!(node.end(), 0);
}
