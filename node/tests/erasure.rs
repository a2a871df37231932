//! Erase, then scan: with the root key and every byte of the directory, by a reader of docs/file.md alone.

mod develop;

use develop::{Node, started};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// Who is erased, and who stays.
const ANN: &str = "canary-ann@example.org";
const BEN: &str = "canary-ben@example.org";
/// Invited: whoever is erased, by what it signs in with, written in another way; somebody without an account, whose
/// invitation is erased; and somebody who stays.
const INVITED_ANN: &str = "CANARY-Ann@Example.org";
const INVITED_DAN: &str = "CANARY-Dan@example.org";
const INVITED_EVE: &str = "CANARY-Eve@example.org";
/// The beginning of every password's hash.
const HASH: &str = "$argon2id";

/// What is planted of somebody: identifier, profile, declared attribute, free text of a command.
fn planted(who: &str) -> [String; 4] {
    let text = |what: &str| format!("CANARY {what} of {who}");
    [who.to_owned(), text("profile"), text("declared"), text("because")]
}

/// Where the node makes its backups.
const BACKUPS: &[(&str, &str)] = &[("TESSERA_STORAGE__BACKUP_DIR", "backups")];

struct Scene {
    folder: tempfile::TempDir,
    node: Option<Node>,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("backups")).expect("a folder");
        let node = Some(started(folder.path(), true, BACKUPS).0);
        Self { folder, node }
    }

    fn told(&self, line: &str, input: &str) -> (bool, String) {
        let mut words: Vec<&str> = Vec::new();
        for (at, piece) in line.split('\'').enumerate() {
            if at % 2 == 1 {
                words.push(piece);
            } else {
                words.extend(piece.split_whitespace());
            }
        }
        let mut child = Command::new(env!("CARGO_BIN_EXE_tessera"))
            .current_dir(self.folder.path())
            .args(words)
            .args(["--profile", ".tessera"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        std::io::Write::write_all(&mut child.stdin.take().expect("input"), input.as_bytes())
            .expect("written");
        let done = child.wait_with_output().expect("it ends");
        let text = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8(text).expect("text"))
    }

    /// A command that needs no node.
    fn done_without_node(&self, line: &str) -> String {
        let done = Command::new(env!("CARGO_BIN_EXE_tessera"))
            .current_dir(self.folder.path())
            .args(line.split_whitespace())
            .output()
            .expect("it ends");
        let text = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert!(done.status.success(), "{line}: {text}");
        text
    }

    fn done(&self, line: &str) -> String {
        let (well, text) = self.told(line, "a long pass phrase\n");
        assert!(well, "{line}: {text}");
        text
    }

    /// Ends the node as a power cut does, and looks at what is left.
    fn scanned(&mut self, texts: &[String]) -> Value {
        self.node = None;
        self.scanned_in(".tessera", texts)
    }

    /// Looks at everything in a folder.
    fn scanned_in(&self, name: &str, texts: &[String]) -> Value {
        let folder = self.folder.path().join(name);
        let found = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/erasure/scan.py"))
            .arg(root_key(&self.folder.path().join(".tessera")))
            .arg(&folder)
            .args(texts)
            .output()
            .expect("python3 runs");
        assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
        serde_json::from_slice(&found.stdout).expect("JSON")
    }

    fn restart(&mut self) {
        let child = started(self.folder.path(), true, BACKUPS);
        self.node = Some(child.0);
    }
}

fn root_key(folder: &Path) -> std::path::PathBuf {
    folder.join("root.key")
}

/// PROPERTY: before its erasure everything private of a person is found and decrypted with the root key and the
/// bytes of the directory; behind the notice nothing of it, in no file and on no page, and everything of everybody
/// else; nothing private ever stands in the clear.
#[test]
fn what_is_erased_is_found_by_nobody() {
    let mut scene = Scene::new();
    scene.done("attribute declare motto text");
    for who in [ANN, BEN, "cid@example.org"] {
        scene.done(&format!("user create {who} --password-stdin"));
        let [_, profile, declared, because] = planted(who);
        scene.done(&format!("user attribute set {who} 'motto={declared}' 'nickname={profile}'"));
        let role = scene.done("role list --json");
        let roles: Value = serde_json::from_str(&role).expect("JSON");
        let name = roles["roles"][0]["role"].as_str().expect("a role").to_owned();
        scene.done(&format!("request role {who} {name} --for 4h --because '{because}'"));
    }
    // Whoever is invited, with an account and without one.
    scene.done("workspace create berlin");
    scene.done("role create clerk orders.read");
    for whom in [INVITED_ANN, INVITED_DAN, INVITED_EVE] {
        scene.done(&format!("invitation send {whom} berlin clerk --key-file .tessera/demo-admin.key"));
    }
    // So that the database holds what is erased later, and pages of it that it gives up then.
    scene.done("user erase cid@example.org --yes");
    let mut texts: Vec<String> = planted(ANN).into_iter().chain(planted(BEN)).collect();
    texts.push(HASH.to_owned());
    texts.extend([INVITED_ANN, INVITED_DAN, INVITED_EVE].map(str::to_owned));
    let before = scene.scanned(&texts);
    println!("erasure: before {before}");
    for text in &texts {
        assert_eq!(before["clear"][text], 0, "{text} stands in the clear");
        assert!(before["sealed"][text].as_u64() > Some(0), "{text} is not found before: {before}");
    }
    scene.restart();
    scene.done("backup monday");
    let told = scene.done(&format!("user erase {ANN} --yes"));
    assert!(told.contains("is erased"), "{told}");
    let told = scene.done(&format!("invitation erase {} --yes", INVITED_DAN.to_lowercase()));
    assert!(told.contains("The invitation is erased"), "{told}");
    let kept = scene.scanned_in("backups", &texts);
    println!("erasure: the backup {kept}");
    for text in &texts {
        assert_eq!(kept["clear"][text], 0, "{text} stands in the clear");
        assert!(kept["sealed"][text].as_u64() > Some(0), "{text} is not in the backup: {kept}");
    }
    let told = scene.done_without_node("backup erase backups/monday backups/monday.2 --folder .tessera");
    assert!(told.contains("destroyed"), "{told}");
    let kept = scene.scanned_in("backups", &texts);
    println!("erasure: the backup that was made of it {kept}");
    let gone = || planted(ANN).into_iter().chain([INVITED_ANN, INVITED_DAN].map(str::to_owned));
    let whole = || planted(BEN).into_iter().chain([INVITED_EVE.to_owned()]);
    for text in gone() {
        assert_eq!((&kept["sealed"][&text], &kept["clear"][&text]), (&0.into(), &0.into()), "{text}: {kept}");
    }
    for text in whole() {
        assert!(kept["sealed"][&text].as_u64() > Some(0), "{text} is gone from the backup: {kept}");
    }
    let after = scene.scanned(&texts);
    println!("erasure: after {after}");
    for text in gone() {
        assert_eq!(
            (&after["sealed"][&text], &after["clear"][&text]),
            (&0.into(), &0.into()),
            "{text}: {after}"
        );
    }
    for text in whole() {
        assert!(after["sealed"][&text].as_u64() > Some(0), "{text} is gone too: {after}");
    }
    assert!(after["sealed"][HASH].as_u64() < before["sealed"][HASH].as_u64(), "{after}");
    scene.restart();
    let shown = scene.done(&format!("user show {BEN}"));
    assert!(shown.contains(&planted(BEN)[1]) && shown.contains(BEN), "{shown}");
    assert!(!scene.told(&format!("user show {ANN}"), "").0);
    let (signed_in, text) =
        scene.told(&format!("session sign-in {BEN} --password-stdin"), "a long pass phrase\n");
    assert!(signed_in, "{text}");
}

/// PROPERTY: without its root key a directory is not served, and the message says what to do.
#[test]
fn without_the_root_key_nothing_is_served() {
    let mut scene = Scene::new();
    scene.node = None;
    let folder = scene.folder.path().join(".tessera");
    std::fs::rename(root_key(&folder), folder.join("kept")).expect("moved");
    let refused = Command::new(env!("CARGO_BIN_EXE_tessera"))
        .current_dir(scene.folder.path())
        .arg("serve")
        .env("TESSERA_STORAGE__DIR", folder.join("data"))
        .env("TESSERA_STORAGE__ROOT_KEY_FILE", root_key(&folder))
        .output()
        .expect("it ends");
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(69), "{text}");
    assert!(text.contains("bring its key back, without it nothing sealed can be read"), "{text}");
}
