//! Two real nodes with a store each, and a tenant that moves between them.

use crate::node::shell;
use serde_json::Value;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::time::Duration;

/// A cell of the fleet: a node on a port that it keeps. Killed with its guard.
struct Cell {
    folder: PathBuf,
    name: &'static str,
    port: u16,
    /// Its data directory.
    data: &'static str,
    child: Option<Child>,
}

impl Cell {
    fn new(above: &Path, name: &'static str) -> Self {
        let folder = above.join(name);
        std::fs::create_dir_all(folder.join("backups")).expect("a folder");
        let port =
            UdpSocket::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr()).expect("a port").port();
        let made = shell(&folder, "tessera config root-key root.key").output().expect("the binary runs");
        assert!(made.status.success(), "{made:?}");
        Self { folder, name, port, data: "data", child: None }
    }

    /// Starts the node and waits until it takes requests.
    fn start(&mut self) {
        let log = std::fs::File::create(self.folder.join("log")).expect("a file");
        let mut command = shell(&self.folder, "exec tessera serve");
        command
            .env("TESSERA_HEALTH__LISTEN", "127.0.0.1:0")
            .env("TESSERA_QUIC__LISTEN", format!("127.0.0.1:{}", self.port))
            .env("TESSERA_STORAGE__JOURNAL_FILE_BYTES", "1048576")
            .env("TESSERA_STORAGE__DIR", self.data)
            .env("TESSERA_STORAGE__BACKUP_DIR", "backups")
            .env("TESSERA_FLEET__SYNC_SECONDS", "1")
            .env("TESSERA_STORAGE__ROOT_KEY_FILE", "root.key")
            .env("TESSERA_LOG__FORMAT", "json")
            .stdout(Stdio::null())
            .stderr(log);
        if self.folder.join("keys.toml").exists() {
            command
                .env("TESSERA_FLEET__FILE", "../fleet.toml")
                .env("TESSERA_FLEET__CELL", self.name)
                .env("TESSERA_FLEET__TRUST_FILE", "../trust.pem")
                .env("TESSERA_FLEET__KEYS_FILE", "keys.toml");
        }
        self.child = Some(command.spawn().expect("the binary runs"));
        for _ in 0..1_200 {
            let log = std::fs::read_to_string(self.folder.join("log")).expect("a log");
            if log.contains("\"message\":\"ready\"") {
                return;
            }
            let ended = self.child.as_mut().and_then(|child| child.try_wait().expect("a status"));
            assert!(ended.is_none(), "{} ended: {log}", self.name);
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("{} does not start", self.name);
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("killed");
            child.wait().expect("ended");
        }
    }

    fn shell(&self, line: &str) -> Output {
        shell(&self.folder, line).output().expect("the shell runs")
    }

    fn done(&self, line: &str) -> String {
        let done = self.shell(line);
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{}: {line}: {told}", self.name);
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    fn json(&self, line: &str) -> Value {
        let said = self.done(line);
        serde_json::from_str(said.lines().last().unwrap_or_default()).expect("JSON")
    }

    /// Asks the cell whether the session may do what it may.
    fn permits(&self) {
        let line =
            "tessera check orders.read --handle-file ../ann.session --key-file ../admin.key --timeout 5s";
        let asked = self.shell(line);
        assert_eq!(asked.status.code(), Some(0), "{}: {asked:?}", self.name);
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Two cells that know each other, and a tenant in the first with a live session.
fn fleet(above: &Path) -> [Cell; 2] {
    let mut cells = [Cell::new(above, "a"), Cell::new(above, "b")];
    let (mut file, mut trust) = ("version = 1\n".to_owned(), String::new());
    for (number, cell) in (1..).zip(&mut cells) {
        cell.start();
        cell.done("tessera operator claim --profile data");
        file += &format!(
            "[[cell]]\nnumber = {number}\nname = \"{}\"\naddress = \"127.0.0.1:{}\"\ncertificate = \"localhost\"\n",
            cell.name, cell.port
        );
        trust += &cell.done("cat data/certificate.pem");
        cell.kill();
    }
    std::fs::write(above.join("fleet.toml"), file).expect("a file");
    std::fs::write(above.join("trust.pem"), trust).expect("a file");
    for (here, there) in [("a", "b"), ("b", "a")] {
        let cell = cells.iter().find(|cell| cell.name == here).expect("a cell");
        cell.done(&format!(
            "umask 077; printf '{there} = \"%s\"\\n' \"$(cat ../{there}/home/.config/tessera/operator.key)\" > keys.toml"
        ));
    }
    for cell in &mut cells {
        cell.start();
    }
    let [a, _] = &cells;
    for line in [
        "tessera tenant create acme --save ../admin.key",
        "tessera permission register orders.read --tenant acme",
        "tessera role create reader orders.read --tenant acme",
        "echo 'a long pass phrase' | tessera user create ann@example.org --password-stdin --tenant acme",
        "tessera grant add ann@example.org reader --tenant acme",
        "echo 'a long pass phrase' | tessera session sign-in ann@example.org --password-stdin --save ../ann.session --tenant acme",
    ] {
        a.done(line);
    }
    cells
}

/// PROPERTY: an operator moves a tenant from node to node and back; its session lives on, one node alone permits, and
/// what is written stands where it lives; killed at whatever moment, at either end, the same command ends the move;
/// a cell that the fleet has not is refused, and so is the undoing of what is done.
#[test]
fn a_tenant_moves_between_real_nodes() {
    let above = tempfile::tempdir().expect("a folder");
    let [mut a, mut b] = fleet(above.path());
    a.permits();
    assert_eq!(a.shell("tessera tenant move acme --to nowhere").status.code(), Some(2));
    assert_ne!(a.shell("tessera tenant move acme --to a").status.code(), Some(0));
    let moved = a.json("tessera tenant move acme --to b --json");
    assert_eq!((&moved["status"], &moved["cell"]), (&"done".into(), &"b".into()), "{moved}");
    println!("the gap in writes: {} ms", moved["gap_ms"]);
    b.permits();
    b.done("tessera permission register orders.late --tenant acme");
    assert_ne!(a.shell("tessera permission register orders.lost --tenant acme").status.code(), Some(0));
    assert_ne!(a.shell("tessera tenant move acme --to b --undo").status.code(), Some(0), "it has left");
    let (mut from, mut to) = (&mut b, &mut a);
    for (kills_giver, after_ms) in [(true, 15), (false, 25)] {
        let there = to.name;
        from.done(&format!("tessera tenant move acme --to {there} --no-wait"));
        std::thread::sleep(Duration::from_millis(after_ms));
        let killed = if kills_giver { &mut *from } else { &mut *to };
        killed.kill();
        killed.start();
        let moved = from.json(&format!("tessera tenant move acme --to {there} --json"));
        assert_eq!(moved["status"], "done", "{moved}");
        to.permits();
        to.done("tessera permission list --tenant acme | grep -q orders.late");
        std::mem::swap(&mut from, &mut to);
    }
}

/// PROPERTY: what a tenant leaves behind is kept until it is forgotten, and taken back only from a cell that is lost; a cell
/// that is restored from a backup older than the move answers nobody before it has heard the others, and sends on
/// then; each refusal says what to do. METHOD: two real nodes, a backup, a kill and a restore.
#[test]
fn a_restored_cell_hears_the_fleet_first() {
    let above = tempfile::tempdir().expect("a folder");
    let [mut a, mut b] = fleet(above.path());
    let refused = |cell: &Cell, line: &str, code: &str| {
        let done = cell.shell(line);
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success() && told.contains(&format!("(code {code})")), "{line}: {told}");
        assert!(told.contains("\n  "), "what to do: {line}: {told}");
    };
    refused(&b, "tessera tenant take-back acme --accept-loss", "201");
    refused(&a, "tessera tenant forget-copy acme --yes", "605");
    a.done("tessera backup monday");
    a.done("tessera tenant move acme --to b");
    assert!(a.done("tessera tenant copies").contains("kept"));
    refused(&a, "tessera tenant take-back acme --accept-loss", "607");
    a.kill();
    b.kill();
    a.done("tessera restore backups/monday --data restored --root-key root.key");
    // Whom clients trust is no part of a backup.
    a.done("cp -p data/certificate.* restored/");
    a.data = "restored";
    a.start();
    let waits = a.shell("tessera fleet status");
    let told = [&waits.stdout[..], &waits.stderr].map(String::from_utf8_lossy).concat();
    assert!(waits.status.code() == Some(1) && told.contains("was restored"), "{told}");
    let check = "tessera check orders.read --handle-file ../ann.session --key-file ../admin.key --timeout 2s";
    let shut = a.shell(&format!("{check} --ca ../trust.pem"));
    assert!(!shut.status.success() && shut.stdout.is_empty(), "it cannot know: {shut:?}");
    b.start();
    // Whoever is sent on knows both cells' certificates.
    let sent_on = a.shell(&format!("{check} --ca ../trust.pem"));
    assert_eq!(sent_on.status.code(), Some(0), "{sent_on:?}");
    a.done("tessera fleet placements | grep -qw b");
    for _ in 0..600 {
        if !String::from_utf8_lossy(&a.shell("tessera fleet status").stdout).contains("was restored") {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    a.done("tessera fleet status");
    a.done("tessera tenant forget-copy acme --yes");
    assert!(!a.done("tessera tenant copies").contains("acme"));
    refused(&a, "tessera tenant move acme --source-lost", "605");
    b.permits();
}
