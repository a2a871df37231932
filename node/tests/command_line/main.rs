//! The command line against a real node: the documents' examples, and every command in JSON.

mod document;
mod elevations;
mod fleet_move;
mod invitations;
mod json;
mod load;
mod moving;
mod node;
mod operators;
mod policies;
mod powers;
mod relations;

use document::Document;
use node::Node;

/// PROPERTY: the operator's document shows what a fresh node answers, line by line, and the node ends
/// with 0 after SIGTERM.
#[test]
fn the_operators_document_is_true() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = Node::serve(folder.path());
    let mut document = Document::read("docs/operate/command-line.md");
    document.run(&node, "");
    document.finish();
    assert_eq!(node.end(), 0);
}

/// PROPERTY: the document on backups shows what a fresh node answers, line by line, from the first backup to
/// the restored directory.
#[test]
fn the_document_on_backups_is_true() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = Node::serve(folder.path());
    let mut document = Document::read("docs/operate/backup.md");
    document.run(&node, "");
    document.finish();
    assert_eq!(node.end(), 0);
}

/// PROPERTY: the document on fleets shows what a node answers that is one, line by line.
#[test]
fn the_document_on_fleets_is_true() {
    let folder = tempfile::tempdir().expect("a folder");
    node::fleet_of_one(folder.path());
    let node = Node::serve(folder.path());
    let mut document = Document::read("docs/operate/fleet.md");
    document.run(&node, "");
    document.finish();
    assert_eq!(node.end(), 0);
}

/// PROPERTY: the document on watching what happens shows what a fresh node answers, line by line.
#[test]
fn the_document_on_audit_is_true() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = Node::serve(folder.path());
    let mut document = Document::read("docs/operate/audit.md");
    document.run(&node, "");
    document.finish();
    assert_eq!(node.end(), 0);
}

/// PROPERTY: the document on the doctor shows what it says of a fresh machine and beside a node, line by line.
#[test]
fn the_document_on_the_doctor_is_true() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = Node::serve(folder.path());
    let fresh = "[storage]\ndir = \"fresh\"\nroot_key_file = \"fresh.key\"\n";
    let own = format!(
        "[storage]\ndir = \"data\"\nroot_key_file = \"root.key\"\n[health]\nlisten = \"{}\"\n",
        node.health
    );
    for (name, text) in [("fresh.toml", fresh), ("tessera.toml", own.as_str())] {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    let mut document = Document::read("docs/operate/doctor.md");
    document.run(&node, "");
    document.finish();
    assert_eq!(node.end(), 0);
}

/// PROPERTY: the guide to authorization shows what a node answers that `tessera dev` started, line by line.
#[test]
fn the_guide_to_authorization_is_true() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut node = Node::start(folder.path(), "tessera dev");
    node.printed_until(|line| line.contains("/v1/check"));
    let mut document = Document::read("docs/guide/authorization.md");
    document.run(&node, "");
    document.finish();
    assert_eq!(node.end(), 0);
}

/// PROPERTY: the guide to relations shows what a node answers that `tessera dev` started, line by line.
#[test]
fn the_guide_to_relations_is_true() {
    const MODEL: &str = "model\n  schema 1.1\ntype user\ntype group\n  relations\n    define member: [user]\ntype document\n  relations\n    define owner: [user]\n    define viewer: [user, group#member] or owner\n";
    const TUPLES: &str = "- {user: \"group:berlin#member\", relation: viewer, object: \"document:plan\"}\n- {user: \"user:ann\", relation: member, object: \"group:berlin\"}\n";
    let folder = tempfile::tempdir().expect("a folder");
    let mut node = Node::start(folder.path(), "tessera dev");
    node.printed_until(|line| line.contains("/v1/check"));
    for (name, text) in [("model.fga", MODEL), ("tuples.yaml", TUPLES)] {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    let mut document = Document::read("docs/guide/relations.md");
    document.run(&node, "");
    document.finish();
    assert_eq!(node.end(), 0);
}

/// PROPERTY: the guide to policies shows what a node answers that `tessera dev` started, line by line, over the files
/// that the page holds.
#[test]
fn the_guide_to_policies_is_true() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut node = Node::start(folder.path(), "tessera dev");
    node.printed_until(|line| line.contains("/v1/check"));
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/policies.md");
    let guide = std::fs::read_to_string(guide).expect("the guide");
    for name in ["tenant.cedarschema", "tenant.cedar", "tenant.entities.json"] {
        let (_, rest) = guide.split_once(&format!("`{name}`:\n\n```")).expect(name);
        let (_, rest) = rest.split_once('\n').expect("a block");
        let (text, _) = rest.split_once("\n```").expect("an end");
        std::fs::write(folder.path().join(name), format!("{text}\n")).expect("a file");
    }
    let mut document = Document::read("docs/guide/policies.md");
    document.run(&node, "");
    document.finish();
    assert_eq!(node.end(), 0);
}

/// PROPERTY: the first steps are as the guide shows them; a second start in the same folder walks the
/// same way on what is there, and both end with 0.
#[test]
fn the_first_steps_are_true() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut node = Node::start(folder.path(), "tessera dev");
    let walk = node.printed_until(|line| line.contains("/v1/check"));
    let mut document = Document::read("docs/guide/first-steps.md");
    document.printed(&node, "tessera dev", &walk);
    document.run(&node, "tessera dev");
    document.finish();
    assert_eq!(node.end(), 0);
    let mut node = Node::start(folder.path(), "tessera dev --json");
    let walk = node.printed_until(|line| line.starts_with('{'));
    let walk: serde_json::Value = serde_json::from_str(&walk).expect("JSON");
    let answers: Vec<&str> = walk["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| step["answer"].as_str().expect("a text"))
        .collect();
    assert!(answers.contains(&"with the key of an earlier start"), "{answers:?}");
    assert!(walk["http"].as_str().is_some_and(|base| base.starts_with("http://127.0.0.1:")), "{walk}");
    assert!(answers.contains(&"Permit") && answers.contains(&"Deny: revoked (101)"), "{answers:?}");
    assert_eq!(node.end(), 0);
}
