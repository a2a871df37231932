//! Operators whose keys are lost, and those who renew theirs, on the real binary.

use crate::node::{Node, shell};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use tessera_model::{Caller, CommandKind, Revision, TenantId};
use tessera_storage::{Embedded, Options, RootKey, Store};

const SETTINGS: &str = "TESSERA_STORAGE__DIR=data TESSERA_STORAGE__ROOT_KEY_FILE=root.key TESSERA_STORAGE__JOURNAL_FILE_BYTES=1048576";

fn ask(folder: &Path, exit: i32, line: &str) -> Value {
    let done = shell(folder, &format!("{line} --json")).output().expect("the shell runs");
    let (text, told) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert_eq!(done.status.code(), Some(exit), "{line}: {text}{told}");
    serde_json::from_str(&text).expect(line)
}

/// PROPERTY: with the data directory and the root key, and the node stopped, a lost operator's place is taken
/// by a new one, and the journal keeps that the node itself offered the secret. While a node runs on the
/// directory it is refused, and so it is without data or with another root key.
#[test]
fn a_lost_operator_is_recovered() {
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = temporary.path();
    let recover = format!("{SETTINGS} tessera operator recover");
    assert_eq!(ask(folder, 78, &recover)["error"]["name"], "Config");
    let running = Node::serve(folder);
    ask(folder, 0, "tessera operator claim --profile data");
    ask(folder, 0, "tessera tenant create acme --save acme.key");
    let refused = ask(folder, 69, &recover);
    let message = refused["error"]["message"].as_str().expect("a text");
    assert!(message.contains("another process has it"), "{message}");
    assert_eq!(running.end(), 0);

    let lost = "rm -r home && TESSERA_STORAGE__DIR=data TESSERA_STORAGE__ROOT_KEY_FILE=other.key";
    shell(folder, "tessera config root-key other.key").output().expect("a key");
    let other = ask(folder, 78, &format!("{lost} tessera operator recover"));
    assert!(other["error"]["message"].as_str().expect("a text").contains("does not open"), "{other}");
    let recovered = ask(folder, 0, &recover);
    assert_eq!(recovered["secret_file"], "data/operator-secret");
    assert!(recovered["expires_ms"].is_u64() && recovered["receipt"].is_string());

    let root_key = RootKey::read(&folder.join("root.key")).expect("a key");
    let options = Options { journal_file_bytes: 1 << 20, ..Options::new(root_key, [7; 32], [5; 32]) };
    let store: Arc<dyn Store> = Arc::new(Embedded::open(&folder.join("data"), options).expect("a store"));
    let history = store.history(TenantId::SYSTEM, Revision(0), 1_000).expect("a history");
    let last = history.last().expect("a frame");
    assert_eq!((last.kind, last.caller), (CommandKind::OfferBootstrap, Caller::Node));
    assert_eq!(
        format!("{}.{}", last.epoch.0, last.revision.0),
        recovered["receipt"].as_str().expect("a text")
    );
    store.stop();
    drop(store);

    let running = Node::serve(folder);
    let claimed = ask(folder, 0, "tessera operator claim --profile data --name second");
    assert!(claimed["operator"].is_string());
    assert_eq!(ask(folder, 0, "tessera tenant list")["tenants"][0]["name"], "acme");
    let again = ask(folder, 2, "tessera operator claim --profile data");
    assert_eq!(again["error"]["name"], "Usage");
    assert_eq!(running.end(), 0);
}

/// PROPERTY: an operator's key is renewed in its file: the new one opens the node, the old one does not any
/// more; nothing is changed when the new one cannot be kept.
#[test]
fn an_operators_key_is_renewed() {
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = temporary.path();
    let running = Node::serve(folder);
    let first = ask(folder, 0, "tessera operator claim --profile data");
    shell(folder, "cp home/.config/tessera/operator.key old.key").output().expect("a copy");
    let rotated = ask(folder, 0, "tessera operator rotate");
    assert_eq!((&rotated["revoked"], rotated["key"] == first["key"]), (&first["key"], false));
    ask(folder, 0, "tessera tenant list");
    assert_eq!(ask(folder, 1, "tessera tenant list --key-file old.key")["error"]["name"], "HelloRefused");
    let listed = ask(folder, 0, "tessera key list --tenant system");
    assert_eq!(listed["keys"].as_array().expect("a list").len(), 1);
    assert_eq!(listed["keys"][0]["description"], "operator");
    ask(folder, 69, "tessera operator rotate --credentials /proc/none/key");
    ask(folder, 0, "tessera tenant list");
    // What somebody keeps in a file is not written over, and nothing is ordered then.
    std::fs::write(folder.join("precious"), "precious").expect("a file");
    for place in ["precious", "/dev/null", "data"] {
        let refused = ask(folder, 2, &format!("tessera operator rotate --credentials {place}"));
        assert_eq!(refused["error"]["name"], "Usage");
    }
    assert_eq!(std::fs::read_to_string(folder.join("precious")).expect("a file"), "precious");
    let listed = ask(folder, 0, "tessera key list --tenant system");
    assert_eq!(listed["keys"].as_array().expect("a list").len(), 1);
    let line = "tessera operator rotate --credentials next.key --expires +1d --overlap 1s";
    let elsewhere = shell(folder, line).output().expect("it runs");
    let [said, told] =
        [elsewhere.stdout, elsewhere.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(said.contains("You have a new key, in next.key."), "{said}");
    assert!(
        said.contains("operator.key holds the old key") && said.contains("--key-file next.key"),
        "{said}"
    );
    assert!(told.contains("next.key holds the new key. The old one is revoked in 1 s"), "{told}");
    ask(folder, 1, "tessera tenant list");
    ask(folder, 0, "tessera tenant list --key-file next.key");
    assert_eq!(running.end(), 0);
}

/// PROPERTY: a service's key is replaced by one that is like it; without an overlap the old one is left alone,
/// with one it ends after it.
#[test]
fn a_services_key_is_replaced_by_one_like_it() {
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = temporary.path();
    let running = Node::serve(folder);
    ask(folder, 0, "tessera operator claim --profile data");
    ask(folder, 0, "tessera tenant create acme --save acme.key");
    let service = ask(folder, 0, "tessera user create --machine --tenant acme");
    let service = service["subject"].as_str().expect("an id");
    ask(folder, 0, "tessera permission register orders.read --tenant acme");
    let make =
        "--allow orders.read --description 'orders service' --expires +90d --save first.key --tenant acme";
    let first = ask(folder, 0, &format!("tessera key create {service} {make}"));
    let first = first["session"].as_str().expect("an id");
    let second = ask(folder, 0, &format!("tessera key rotate {first} --save second.key --tenant acme"));
    assert_eq!(second["replaces"], first);
    let rows = ask(folder, 0, &format!("tessera key list {service} --tenant acme"))["keys"].clone();
    for field in ["subject", "description", "patterns"] {
        assert_eq!(rows[0][field], rows[1][field], "{field}");
    }
    // The old one ends in ten minutes, the new one when the old one would have.
    let mut ends: Vec<u64> =
        rows.as_array().expect("rows").iter().map(|row| row["expires_ms"].as_u64().expect("ms")).collect();
    ends.sort_unstable();
    assert!(ends[1] - ends[0] > 80 * 86_400_000, "{ends:?}");
    ask(folder, 2, &format!("tessera key rotate {first} --overlap 8d --tenant acme"));
    let wider = ask(folder, 1, &format!("tessera key rotate {first} --allow 'orders.*' --tenant acme"));
    assert_eq!(wider["error"]["code"], 219);
    // A key rotates itself.
    let third = format!("tessera key rotate {first} --save third.key --overlap 0s --key-file first.key");
    assert_eq!(ask(folder, 0, &third)["replaces"], first);
    ask(folder, 1, "tessera ping --key-file first.key");
    ask(folder, 0, "tessera ping --key-file second.key");
    ask(folder, 0, "tessera ping --key-file third.key");
    assert_eq!(running.end(), 0);
}
