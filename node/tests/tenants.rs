//! Tenants of the real binary: a poisonous command is quarantined, an idle tenant sleeps and wakes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tessera_client::wire::{IdentifierRow, Made, Request, TENANT_OF_CONNECTION};
use tessera_client::{Client, ClientError, Config, Found, Trust};
use tessera_model::record::SubjectKind;
use tessera_model::{
    Deadline, Handle, HandleBytes, Identifier, Name, Pattern, Private, Receipt, Refusal, Settings,
};

/// The real binary in development mode; killed with its guard.
struct Node {
    child: Child,
    quic: SocketAddr,
    http: SocketAddr,
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address")
}

impl Node {
    fn start(folder: &Path) -> Self {
        let (quic, http) = (free(), free());
        let child = Command::new(env!("CARGO_BIN_EXE_tessera"))
            .args(["dev", "--no-walk", "--folder"])
            .arg(folder)
            .env("TESSERA_HTTP__LISTEN", "127.0.0.1:0")
            .env("TESSERA_HEALTH__LISTEN", http.to_string())
            .env("TESSERA_QUIC__LISTEN", quic.to_string())
            .env("TESSERA_STORAGE__JOURNAL_FILE_BYTES", "1048576")
            .env("TESSERA_STORAGE__CHECKPOINT_SECONDS", "1")
            .env("TESSERA_TENANTS__IDLE_SLEEP_SECONDS", "2")
            .env_remove("TESSERA_CONFIG")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        Self { child, quic, http }
    }

    async fn client(&self, folder: &Path, credential: Option<String>) -> Client {
        for _ in 0..1_000 {
            if let Ok(pem) = std::fs::read(folder.join("data/certificate.pem")) {
                let trust = Trust::roots_pem(&pem).expect("a certificate");
                let mut config = Config::new(self.quic, "localhost", trust);
                config.credential.clone_from(&credential);
                config.deadline = Duration::from_secs(20);
                if let Ok(client) = Client::connect(config).await {
                    return client;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the node did not answer");
    }

    /// What a command of the same binary prints, asked of this node.
    fn told(&self, folder: &Path, key: &str, arguments: &[&str]) -> String {
        let done = Command::new(env!("CARGO_BIN_EXE_tessera"))
            .args(arguments)
            .arg("--address")
            .arg(self.quic.to_string())
            .arg("--ca")
            .arg(folder.join("data/certificate.pem"))
            .env("TESSERA_KEY", key)
            .env("HOME", folder)
            .output()
            .expect("the binary runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    fn tenants_awake(&self) -> u32 {
        let mut stream = TcpStream::connect(self.http).expect("the HTTP door");
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let line =
            answer.lines().find(|line| line.starts_with("tessera_tenants_awake ")).expect("the metric");
        line.rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A tenant whose one person holds a session that may read orders.
struct Scene {
    operator_key: String,
    operator: Client,
    admin_key: String,
    admin: Client,
    session: String,
}

fn text(made: &Made) -> String {
    made.handle_text().expect("a handle")
}

async fn scene(node: &Node, folder: &Path) -> Scene {
    let stranger = node.client(folder, None).await;
    let secret = std::fs::read_to_string(folder.join("data/operator-secret")).expect("the secret");
    let secret = Private::new(secret.trim().as_bytes().to_vec());
    let name = |text: &str| Name::new(text).expect("a name");
    let claimed =
        stranger.request(&Request::ClaimOperator { secret, name: name("ops") }).await.expect("claimed");
    let operator_key = text(&claimed);
    let operator = node.client(folder, Some(operator_key.clone())).await;
    let made = operator.request(&Request::CreateTenant { name: name("acme") }).await.expect("created");
    let admin_key = text(&made);
    let admin = node.client(folder, Some(admin_key.clone())).await;
    let person =
        Request::CreateSubject { kind: SubjectKind::Person, identifiers: Vec::new(), password: None };
    let subject = admin.request(&person).await.expect("created").subject.expect("an id");
    let patterns = vec![Pattern::new("orders.read").expect("a pattern")];
    admin.request(&Request::CreateRole { name: name("reader"), patterns }).await.expect("created");
    let none = Deadline::NONE;
    let grant = Request::Grant { subject, role: name("reader"), workspace: None, from: none, until: none };
    admin.request(&grant).await.expect("granted");
    let opened =
        admin.request(&Request::OpenSession { subject, device: None, proof: None }).await.expect("opened");
    Scene { operator_key, operator, admin_key, admin, session: text(&opened) }
}

/// PROPERTY (TC-114): a command that panics three times is quarantined with a code, its tenant answers
/// before, during and after, and so does everybody else.
#[cfg(feature = "planted")]
#[tokio::test]
async fn tc_114_a_poisonous_command_is_quarantined_in_the_real_binary() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = Node::start(folder.path());
    let scene = scene(&node, folder.path()).await;
    assert!(scene.admin.is_permitted(&scene.session, "orders.read", None).await);
    // An unknown outcome is repeated under the same id, as the client's documents say.
    let (id, mut unknown) = (scene.admin.command_id(), 0);
    let refused = loop {
        match scene.admin.request_again(TENANT_OF_CONNECTION, id, &Request::PlantedPanic {}).await {
            Err(ClientError::OutcomeUnknown(same)) if same == id && unknown < 10 => unknown += 1,
            other => break other,
        }
        assert!(scene.admin.is_permitted(&scene.session, "orders.read", None).await);
    };
    assert!(matches!(refused, Err(ClientError::Refused(Refusal::Quarantined))), "{:?}", refused.err());
    assert!(unknown > 0, "nobody was told that the outcome is unknown");
    assert!(scene.admin.is_permitted(&scene.session, "orders.read", None).await);
    let name = Name::new("after").expect("a name");
    assert!(scene.admin.request(&Request::CreateRole { name, patterns: Vec::new() }).await.is_ok());
    // Whoever looks at the tenant is told, and at no other.
    let told = node.told(folder.path(), &scene.operator_key, &["tenant", "show", "acme"]);
    let what =
        "goes on, and part of it is not as it should be: 1 command is quarantined until the node restarts";
    assert!(told.contains(&format!("Tenant acme {what}")), "{told}");
    assert!(told.lines().any(|line| line.contains("acme") && line.contains("active")), "{told}");
    let json = node.told(folder.path(), &scene.operator_key, &["tenant", "show", "acme", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        (&json["tenant"]["failed"], &json["tenant"]["trouble"]),
        (&false.into(), &"1 command is quarantined until the node restarts".into())
    );
    scene
        .operator
        .request(&Request::CreateTenant { name: Name::new("other").expect("a name") })
        .await
        .expect("made");
    let told = node.told(folder.path(), &scene.operator_key, &["tenant", "list"]);
    assert_eq!(told.matches("quarantined").count(), 1, "{told}");
    let refused = scene.admin.request_again(TENANT_OF_CONNECTION, id, &Request::PlantedPanic {}).await;
    assert!(matches!(refused, Err(ClientError::Refused(Refusal::Quarantined))));
}

/// PROPERTY: a tenant that nobody uses leaves memory; its own credential wakes it within the client's
/// deadline, and its session lives on.
#[tokio::test]
async fn an_idle_tenant_sleeps_and_wakes_in_the_real_binary() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = Node::start(folder.path());
    let scene = scene(&node, folder.path()).await;
    assert!(scene.admin.is_permitted(&scene.session, "orders.read", None).await);
    assert_eq!(node.tenants_awake(), 2, "the system tenant and acme");
    scene.admin.close().await;
    let mut asleep = false;
    for _ in 0..1_200 {
        asleep = node.tenants_awake() == 1;
        if asleep {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(asleep, "the tenant did not fall asleep");
    let again = node.client(folder.path(), Some(scene.admin_key)).await;
    assert!(again.is_permitted(&scene.session, "orders.read", None).await);
    assert_eq!(node.tenants_awake(), 2);
}

/// PROPERTY (TC-1): failed sign-ins that were answered are counted after kill -9 of the real binary.
#[tokio::test]
async fn tc_1_failures_outlive_a_kill_of_the_real_binary() {
    const TRIES: usize = 12;
    let folder = tempfile::tempdir().expect("a folder");
    let node = Node::start(folder.path());
    let scene = scene(&node, folder.path()).await;
    let cheap = Settings { argon_memory_kib: 64, argon_passes: 1, sign_in_free: 20, ..Settings::default() };
    scene.admin.request(&Request::ChangeSettings { settings: cheap.into() }).await.expect("changed");
    let create = Request::CreateSubject {
        kind: SubjectKind::Person,
        identifiers: vec![Identifier::guess("amy@example.org").expect("an identifier")],
        password: Some(Private::new(b"correct horse".to_vec())),
    };
    let subject = scene.admin.request(&create).await.expect("created").subject.expect("an id");
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..TRIES {
        let admin = scene.admin.clone();
        tries.spawn(async move { admin.sign_in("amy@example.org", "wrong").await });
    }
    while let Some(answer) = tries.join_next().await {
        let refused = answer.expect("no panic").err();
        assert!(matches!(refused, Some(ClientError::Refused(Refusal::SignInFailed))), "{refused:?}");
    }
    drop(node);
    let node = Node::start(folder.path());
    let admin = node.client(folder.path(), Some(scene.admin_key)).await;
    let page = admin.list::<IdentifierRow>(&Request::ListIdentifiers { subject }).await.expect("a list");
    assert_eq!(page.rows.iter().map(|row| row.failures).collect::<Vec<_>>(), [Some(12)]);
}

/// PROPERTY (TC-18, F-21): refreshes that were answered are done after kill -9 of the real binary: the
/// newest handle goes on, a spent one ends its session; one that the kill left without an answer gives the
/// same successor again, or its first.
#[tokio::test]
async fn tc_18_refreshes_outlive_a_kill_of_the_real_binary() {
    const SESSIONS: usize = 8;
    let folder = tempfile::tempdir().expect("a folder");
    let mut node = Node::start(folder.path());
    let scene = scene(&node, folder.path()).await;
    let settings = Settings { refresh: 2, ..Settings::default() };
    scene.admin.request(&Request::ChangeSettings { settings: settings.into() }).await.expect("changed");
    let person =
        Request::CreateSubject { kind: SubjectKind::Person, identifiers: Vec::new(), password: None };
    let subject = scene.admin.request(&person).await.expect("created").subject.expect("an id");
    let handle = |made: &Made| -> HandleBytes {
        made.refresh.as_ref().expect("a refresh handle").expose().try_into().expect("40 bytes")
    };
    // Each family: what was given and acknowledged, the newest last.
    let mut families = Vec::new();
    for _ in 0..SESSIONS {
        let opened = scene
            .admin
            .request(&Request::OpenSession { subject, device: None, proof: None })
            .await
            .expect("opened");
        families.push((text(&opened), vec![handle(&opened)]));
    }
    for (_, given) in &mut families {
        for _ in 0..2 {
            let newest = given.last().copied().expect("a handle");
            given.push(handle(&scene.admin.refresh(&newest).await.expect("refreshed")));
        }
    }
    // Refreshes without pause, until the node is killed under them.
    let mut tasks = tokio::task::JoinSet::new();
    for (session, mut given) in families {
        let admin = scene.admin.with_deadline(Duration::from_millis(300));
        tasks.spawn(async move {
            while let Ok(made) = admin.refresh(given.last().expect("a handle")).await {
                given.push(made.refresh.as_ref().expect("one").expose().try_into().expect("40 bytes"));
            }
            (session, given)
        });
    }
    // Some have been answered by now: each is acknowledged on disk.
    for _ in 0..50 {
        assert!(scene.admin.is_permitted(&scene.session, "orders.read", None).await);
    }
    node.child.kill().expect("killed");
    node.child.wait().expect("ended");
    let families = tasks.join_all().await;
    drop(node);
    let node = Node::start(folder.path());
    let admin = node.client(folder.path(), Some(scene.admin_key)).await;
    for (number, (session, given)) in families.into_iter().enumerate() {
        let newest = given.last().copied().expect("a handle");
        let next = handle(&admin.refresh(&newest).await.expect("the acknowledged one goes on"));
        assert!(!given.contains(&next));
        // The same again by a new command id, as after a lost reply.
        assert_eq!(handle(&admin.refresh(&newest).await.expect("repeated")), next);
        let after = handle(&admin.refresh(&next).await.expect("the successor is alive"));
        let shown = Handle::parse_text(&session).expect("a handle").to_bytes();
        let alive = async || admin.introspect(&shown, Receipt::default()).await.expect("asked");
        assert!(matches!(alive().await, Found::Alive(..)), "the session lives on");
        // One that was spent before the kill, of a different age in each.
        let spent = given.get(number % (given.len() - 1)).copied().expect("a spent one");
        let refused = admin.refresh(&spent).await.err();
        assert!(matches!(refused, Some(ClientError::Refused(Refusal::RefreshReused))), "{refused:?}");
        assert!(matches!(alive().await, Found::Nothing(..)), "and its family has ended");
        assert!(admin.refresh(&after).await.is_err());
    }
}

/// What a process has in memory at present, and had at most: KiB.
fn memory(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a status");
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).expect(name);
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
    };
    (of("VmRSS:"), of("VmHWM:"))
}

/// PROPERTY (F-57): however many sign in at once with a costly hash, the node takes memory for as many hashes as
/// run at a time; the others wait in a bounded queue or are told Busy, and checks are answered meanwhile.
/// TC-112 in part.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_57_parallel_sign_ins_take_the_memory_of_the_pool() {
    const HASH_KIB: u64 = 64 * 1024;
    let folder = tempfile::tempdir().expect("a folder");
    let node = Node::start(folder.path());
    let scene = scene(&node, folder.path()).await;
    let costly = Settings { argon_memory_kib: 65_536, argon_passes: 1, ..Settings::default() };
    scene.admin.request(&Request::ChangeSettings { settings: costly.into() }).await.expect("changed");
    let create = Request::CreateSubject {
        kind: SubjectKind::Person,
        identifiers: vec![Identifier::guess("amy@example.org").expect("an identifier")],
        password: Some(Private::new(b"correct horse".to_vec())),
    };
    let patient = scene.admin.with_deadline(Duration::from_secs(120));
    patient.request(&create).await.expect("created");
    let (idle, _) = memory(node.child.id());
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..256 {
        let hurried = scene.admin.with_deadline(Duration::from_secs(3));
        running.spawn(async move { hurried.sign_in("amy@example.org", "correct horse").await.is_ok() });
    }
    let mut done = 0;
    while let Some(answer) = running.join_next().await {
        done += u32::from(answer.expect("no panic"));
        assert!(scene.admin.is_permitted(&scene.session, "orders.read", None).await);
    }
    let (_, most) = memory(node.child.id());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get) as u64;
    println!("{done} of 256 signed in; {idle} KiB idle, {most} KiB at most, {threads} processors");
    // As many hashes as the pool has threads, and one more for everything else.
    assert!(most <= idle + (threads + 1) * HASH_KIB, "{most} KiB after {idle}");
    patient.sign_in("amy@example.org", "correct horse").await.expect("signed in");
}
