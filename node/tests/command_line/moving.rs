//! Relations in and out of a node by files and pipes: what is cut off, turned down or read by nobody.

use crate::node::Node;
use serde_json::Value;

const MODEL: &str = "model\n  schema 1.1\ntype user\ntype document\n  relations\n    define viewer: [user]\n";

fn done(node: &Node, line: &str) -> String {
    let done = node.shell(line);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{line}: {told}");
    String::from_utf8_lossy(&done.stdout).into_owned() + &told
}

/// PROPERTY: whoever reads an export or a watch and goes away ends it well; a watch tells at its start where to go on;
/// an export that is refused leaves the file that stands there; an import passes over a line that is too long or no
/// text and tells its number; an id of a question stands once. METHOD: pipes into a program that has ended.
#[test]
fn relations_move_through_pipes() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = Node::serve(folder.path());
    done(&node, "tessera operator claim --profile data");
    done(&node, "tessera tenant create acme --save admin.key");
    std::fs::write(folder.path().join("model.fga"), MODEL).expect("a file");
    done(&node, "tessera relation model set model.fga --tenant acme");
    let begin = done(&node, "tessera relation watch --once --tenant acme --json");
    let begin: Value = serde_json::from_str(&begin).expect("JSON");
    let begin = begin["next"].as_str().expect("a cursor");
    done(&node, "tessera relation write 'user:ann viewer document:1' --tenant acme");
    for line in [
        "tessera relation export --tenant acme",
        &format!("timeout 30 tessera relation watch --cursor {begin} --tenant acme"),
        "timeout 30 tessera watch --from-start --tenant acme",
    ] {
        done(
            &node,
            &format!(
                "{{ sleep 1; {line}; echo $? > code; }} | true; while ! test -s code; do sleep 0.1; done"
            ),
        );
        let code = std::fs::read_to_string(folder.path().join("code")).expect("a code");
        assert_eq!(code.trim(), "0", "{line}");
        std::fs::remove_file(folder.path().join("code")).expect("it was there");
    }
    let told = done(&node, "timeout 3 tessera relation watch --tenant acme 2>&1 || true");
    assert!(told.contains("--cursor "), "{told}");

    std::fs::write(folder.path().join("kept.ndjson"), "kept").expect("a file");
    let refused = node.shell("tessera relation export --output kept.ndjson --object nonsense --tenant acme");
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert_eq!(std::fs::read_to_string(folder.path().join("kept.ndjson")).expect("a file"), "kept");

    let good =
        |at: u32| format!("{{\"user\":\"user:u{at}\",\"relation\":\"viewer\",\"object\":\"document:1\"}}\n");
    let long = format!("{{\"user\":\"user:{}\"}}\n", "x".repeat(10_000));
    let rows = [good(1).as_bytes(), long.as_bytes(), b"\xff\xfe\n", good(2).as_bytes()].concat();
    std::fs::write(folder.path().join("rows.ndjson"), rows).expect("a file");
    let import = node.shell("tessera relation import rows.ndjson --tenant acme --json");
    assert_eq!(import.status.code(), Some(1));
    let import: Value = serde_json::from_slice(&import.stdout).expect("JSON");
    let lines: Vec<u64> = import["rejected"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| row["line"].as_u64().expect("a line"))
        .collect();
    assert_eq!((&import["tuples"], lines), (&2.into(), vec![2, 3]), "{import}");

    let twice = node.shell("printf 'user:a viewer document:1 x\nuser:b viewer document:1 x\n' | tessera relation check-batch --tenant acme");
    assert_eq!(twice.status.code(), Some(2), "{twice:?}");
    let pipes = node.shell("mkfifo one two; tessera load one two --on-error skip --tenant acme");
    assert_eq!(pipes.status.code(), Some(2), "{pipes:?}");
}
