//! A fleet of three real nodes: routing, redirects, a cell that is down, files that change, and where tenants live.

use serde_json::Value;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tessera_client::wire::{PlacementRow, Request, TENANT_OF_CONNECTION};
use tessera_client::{Client, ClientError, Config, Trust};
use tessera_model::record::SubjectKind;
use tessera_model::{CellId, Deadline, Name, Pattern, Private, Refusal, TenantId};

/// One cell: a real node in a folder of its own; killed with its guard.
struct Cell {
    name: &'static str,
    number: u16,
    folder: PathBuf,
    quic: SocketAddr,
    health: SocketAddr,
    child: Option<Child>,
    operator: String,
    /// The key that the other cells know this one by: of a machine here.
    sync: String,
}

fn udp() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port")
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

impl Cell {
    fn new(root: &Path, name: &'static str, number: u16) -> Self {
        let folder = root.join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let health = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
        let (operator, sync) = (String::new(), String::new());
        Self { name, number, folder, quic: udp(), health, child: None, operator, sync }
    }

    fn tessera(&self, root: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
        command
            .current_dir(&self.folder)
            .env("TESSERA_HEALTH__LISTEN", self.health.to_string())
            .env("TESSERA_QUIC__LISTEN", self.quic.to_string())
            .env("TESSERA_STORAGE__DIR", "data")
            .env("TESSERA_STORAGE__ROOT_KEY_FILE", "root.key")
            .env("TESSERA_STORAGE__JOURNAL_FILE_BYTES", "1048576")
            .env("TESSERA_FLEET__FILE", root.join("fleet.toml"))
            .env("TESSERA_FLEET__CELL", self.name)
            .env("TESSERA_FLEET__POLL_SECONDS", "1")
            .env("TESSERA_FLEET__SYNC_SECONDS", "1")
            .env("HOME", &self.folder)
            .env_remove("TESSERA_CONFIG");
        if self.folder.join("keys.toml").exists() {
            command
                .env("TESSERA_FLEET__TRUST_FILE", root.join("trust.pem"))
                .env("TESSERA_FLEET__KEYS_FILE", "keys.toml");
        }
        command
    }

    fn start(&mut self, root: &Path) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log"));
        let mut command = self.tessera(root);
        command.arg("serve").stdout(Stdio::null()).stderr(log.expect("a file"));
        self.child = Some(command.spawn().expect("the binary runs"));
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn config(&self, root: &Path, credential: &str) -> Config {
        let own = || std::fs::read(self.folder.join("data/certificate.pem"));
        let pem = std::fs::read(root.join("trust.pem")).or_else(|_| own()).unwrap_or_default();
        let trust = Trust::roots_pem(&pem).expect("a certificate");
        let mut config = Config::new(self.quic, "localhost", trust);
        config.credential = Some(credential.to_owned()).filter(|credential| !credential.is_empty());
        config.deadline = Duration::from_secs(10);
        config
    }

    /// A client, as soon as the node answers.
    async fn client(&self, root: &Path, credential: &str) -> Client {
        let mut last = String::new();
        for _ in 0..6_000 {
            if self.folder.join("data/certificate.pem").exists() {
                match Client::connect(self.config(root, credential)).await {
                    Ok(client) => return client,
                    Err(error) => last = error.to_string(),
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("cell {} did not answer: {last}\n{}", self.name, self.log());
    }

    /// What `tessera fleet status --json` says here, and its exit code.
    fn status(&self, root: &Path) -> (Value, i32) {
        let done = self
            .tessera(root)
            .args([
                "fleet",
                "status",
                "--json",
                "--address",
                &self.quic.to_string(),
                "--server-name",
                "localhost",
            ])
            .arg("--ca")
            .arg(root.join("trust.pem"))
            .env("TESSERA_KEY", &self.operator)
            .output()
            .expect("the binary runs");
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        let told: Value = serde_json::from_str(&text)
            .unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&done.stderr)));
        (told, done.status.code().expect("a code"))
    }

    /// Waits until the status is as wanted.
    fn until(&self, root: &Path, wanted: impl Fn(&Value, i32) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..2_400 {
            let (told, code) = self.status(root);
            if wanted(&told, code) {
                return told;
            }
            last = told;
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("cell {}: {last:#}\n{}", self.name, self.log());
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The fleet file of some cells; with more of it behind.
fn file(cells: &[Cell], version: u64, more: &str) -> String {
    let mut text = format!("version = {version}\n");
    for Cell { name, number, quic, .. } in cells {
        text.push_str(&format!(
            "\n[[cell]]\nnumber = {number}\nname = \"{name}\"\naddress = \"{quic}\"\ncertificate = \"localhost\"\n"
        ));
    }
    text + more
}

/// The operator of a fresh node, and a key for the other cells.
async fn claim(cell: &mut Cell, root: &Path) {
    let stranger = cell.client(root, "").await;
    let secret = std::fs::read_to_string(cell.folder.join("data/operator-secret")).expect("the secret");
    let secret = Private::new(secret.trim().as_bytes().to_vec());
    let claimed = stranger.request(&Request::ClaimOperator { secret, name: name("ops") }).await;
    cell.operator = claimed.expect("claimed").handle_text().expect("a key");
    let operator = cell.client(root, &cell.operator).await;
    let machine =
        Request::CreateSubject { kind: SubjectKind::Machine, identifiers: Vec::new(), password: None };
    let subject = operator.request(&machine).await.expect("made").subject.expect("an id");
    let patterns = vec![Pattern::new("tessera.fleet.sync").expect("a pattern")];
    operator
        .request(&Request::CreateRole { name: name("cells"), patterns: patterns.clone() })
        .await
        .expect("made");
    let none = Deadline::NONE;
    let grant = Request::Grant { subject, role: name("cells"), workspace: None, from: none, until: none };
    operator.request(&grant).await.expect("granted");
    let key = Request::CreateKey {
        subject,
        patterns,
        expires: operator.node_time().to_deadline().plus_seconds(86_400),
        description: Private::default(),
        client: None,
        networks: Vec::new(),
    };
    cell.sync = operator.request(&key).await.expect("made").handle_text().expect("a key");
}

/// Three cells that know each other.
async fn fleet(root: &Path) -> [Cell; 3] {
    let mut cells = [("a", 1), ("b", 2), ("c", 3)].map(|(name, number)| Cell::new(root, name, number));
    std::fs::write(root.join("fleet.toml"), file(&cells, 1, "")).expect("a file");
    for cell in &mut cells {
        let made = cell.tessera(root).args(["config", "root-key", "root.key"]).output().expect("runs");
        assert!(made.status.success(), "{made:?}");
        cell.start(root);
    }
    let mut trust = Vec::new();
    for cell in &mut cells {
        claim(cell, root).await;
        trust.extend(std::fs::read(cell.folder.join("data/certificate.pem")).expect("a certificate"));
        cell.stop();
    }
    std::fs::write(root.join("trust.pem"), trust).expect("a file");
    for at in 0..cells.len() {
        let keys: String = cells
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != at)
            .map(|(_, cell)| format!("{} = \"{}\"\n", cell.name, cell.sync))
            .collect();
        let path = cells[at].folder.join("keys.toml");
        std::fs::write(&path, keys).expect("a file");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, mode).expect("a mode");
        cells[at].start(root);
    }
    cells
}

async fn place(by: &Client, tenant: TenantId, epoch: u64, cell: u32) -> Result<(), ClientError> {
    by.request(&Request::PlaceTenant { tenant, epoch, cell }).await.map(drop)
}

/// The row of a tenant, as a cell knows it.
async fn placed(by: &Client, tenant: TenantId) -> Option<(u64, u32)> {
    let page =
        by.list::<PlacementRow>(&Request::ListPlacements { after: None, limit: 0 }).await.expect("rows");
    page.rows.into_iter().find(|row| row.tenant == tenant).map(|row| (row.epoch, row.cell))
}

/// Waits until a cell knows a tenant in this epoch.
async fn until_placed(by: &Client, tenant: TenantId, wanted: (u64, u32)) {
    for _ in 0..12_000 {
        if placed(by, tenant).await == Some(wanted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{:?} is known, not {wanted:?}", placed(by, tenant).await);
}

/// PROPERTY: a client that knows one cell reaches a tenant of any; a tenant that is placed elsewhere is answered nowhere
/// else from then on, over connections that stand, too, and again where a higher epoch says it lives; a cell that is
/// down takes nobody else's tenants with it and learns what it missed; a changed file is taken into use
/// when it is newer and holds, and no other.
#[tokio::test(flavor = "multi_thread")]
async fn three_cells() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let [a, mut b, mut c] = fleet(root).await;
    let sound = |told: &Value, code: i32| told["sound"] == true && code == 0;
    for cell in [&a, &b, &c] {
        cell.until(root, sound);
    }

    // Routing: made in b, reached by way of a.
    let operator = b.client(root, &b.operator).await;
    let made = operator.request(&Request::CreateTenant { name: name("acme") }).await.expect("made");
    let (tenant, admin) = (made.tenant.expect("an id"), made.handle_text().expect("a key"));
    assert_eq!(tenant.cell(), CellId(2));
    let client = a.client(root, &admin).await;
    assert_eq!(
        (client.hello().cell, client.hello().tenant, client.hello().map_version),
        (CellId(2), tenant, 1)
    );
    let permission = Request::RegisterPermission { name: name("orders.read") };
    let id = client.command_id();
    let first = client.request_again(TENANT_OF_CONNECTION, id, &permission).await.expect("taken");
    // Under the same command id, by way of the third: it happened once.
    let other = c.client(root, &admin).await;
    let again = other.request_again(TENANT_OF_CONNECTION, id, &permission).await.expect("taken");
    assert_eq!((again.receipt, again.repeated), (first.receipt, true));
    // The map is known to the client, and operators stay at home.
    for _ in 0..12_000 {
        if client.cells().1.len() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((client.cells().0, client.cells().1.len()), (1, 3));
    let sent = a.client(root, &b.operator).await;
    assert_eq!(sent.hello().cell, CellId(2));

    // Away in epoch 5: b answers nothing of it any more, and says where it is.
    let sync = b.client(root, &b.sync).await;
    place(&sync, tenant, 5, 3).await.expect("taken");
    for old in [5, 4] {
        let refused = place(&sync, tenant, old, 2).await;
        assert!(matches!(refused, Err(ClientError::Refused(Refusal::PlacementOld))), "{refused:?}");
    }
    let error = client.request(&permission).await.err().expect("nobody has it");
    assert!(!matches!(error, ClientError::Refused(Refusal::Redirect)), "{error}");
    let admin_of_a = a.client(root, &a.sync).await;
    until_placed(&admin_of_a, tenant, (5, 3)).await;
    // Back in epoch 6, said in c: b hears it, and answers again.
    let third = c.client(root, &c.sync).await;
    until_placed(&third, tenant, (5, 3)).await;
    place(&third, tenant, 6, 2).await.expect("taken");
    until_placed(&sync, tenant, (6, 2)).await;
    let client = a.client(root, &admin).await;
    assert!(client.request(&permission).await.is_ok() && client.hello().cell == CellId(2));

    // A cell is down: the others go on, and it learns what it missed.
    c.stop();
    let told = a.until(root, |told, code| told["cells"][2]["reached"] == false && code == 1);
    assert_eq!(told["cells"][1]["state"], "reached");
    assert!(client.request(&Request::RegisterPermission { name: name("orders.write") }).await.is_ok());
    let stray = TenantId::new(CellId(3), 77);
    place(&admin_of_a, stray, 9, 1).await.expect("taken");
    c.start(root);
    until_placed(&c.client(root, &c.sync).await, stray, (9, 1)).await;
    b.until(root, sound);

    // The tenant's cell is down and another one is said to have it: the client asks around, and finds who says so.
    b.stop();
    place(&admin_of_a, tenant, 7, 1).await.expect("taken");
    let brief = client.with_deadline(Duration::from_secs(3));
    let mut told = Vec::new();
    while told.last() != Some(&Some(405)) {
        assert!(told.len() < 9, "{told:?}");
        told.push(brief.request(&permission).await.err().expect("nobody has it").code());
    }
    b.start(root);

    files(root, &mut [a, b, c]);
}

/// The file: a newer one is taken into use, others are told and left.
fn files(root: &Path, cells: &mut [Cell; 3]) {
    let more =
        "\n[[cell]]\nnumber = 4\nname = \"d\"\naddress = \"127.0.0.1:9\"\ncertificate = \"localhost\"\n";
    let path = root.join("fleet.toml");
    std::fs::write(&path, file(cells, 7, more)).expect("a file");
    let told = cells[0].until(root, |told, _| told["version"] == 7);
    assert_eq!(told["cells"].as_array().map(Vec::len), Some(4));
    let twice = "\n[[cell]]\nnumber = 5\nname = \"a\"\naddress = \"127.0.0.1:10\"\n";
    let bad = [
        (file(cells, 6, more), "older than 7"),
        (file(cells, 8, twice), "cell a is named twice"),
        (file(cells, 8, "tenants = [\"acme\"]\n"), "where tenants live does not stand in the fleet file"),
        (file(&cells[1..], 8, more), "does not name this node's own cell, a"),
        (file(cells, 8, "weight = 1\n"), "no such key"),
    ];
    for (text, told) in bad {
        std::fs::write(&path, &text).expect("a file");
        for _ in 0..2_400 {
            if cells[0].log().contains(told) {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(cells[0].log().contains(told), "{told}: {}", cells[0].log());
        assert_eq!(cells[0].status(root).0["version"], 7, "{told}");
        // What a reload leaves, a start and the check refuse; a lower version nobody remembers.
        if !told.starts_with("older") {
            let checked = cells[0].tessera(root).args(["config", "check"]).output().expect("runs");
            assert_eq!(checked.status.code(), Some(78), "{told}");
            assert!(String::from_utf8_lossy(&checked.stderr).contains(told), "{told}: {checked:?}");
        }
    }
}
