//! A damaged tenant of the real binary: it says so on the wire, the others go on, and it can be given up.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tessera_client::wire::{IdentifierRow, Made, Request, SubjectRow, TenantRow};
use tessera_client::{Client, ClientError, Config, Trust};
use tessera_model::record::SubjectKind;
use tessera_model::{Identifier, IdentifierKind, Name, Private, Refusal, TenantId};

const BLOCK: usize = 4096;

/// The real binary in development mode; killed with its guard.
struct Node {
    child: Child,
    quic: SocketAddr,
    health: SocketAddr,
    http: SocketAddr,
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address")
}

impl Node {
    /// A node that takes no checkpoint by itself: what it writes stays in the journal.
    fn start(folder: &Path) -> Self {
        let (quic, health, http) = (free(), free(), free());
        let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log"));
        let child = Command::new(env!("CARGO_BIN_EXE_tessera"))
            .args(["dev", "--no-walk", "--folder"])
            .arg(folder)
            .env("TESSERA_HTTP__LISTEN", http.to_string())
            .env("TESSERA_HEALTH__LISTEN", health.to_string())
            .env("TESSERA_QUIC__LISTEN", quic.to_string())
            .env("TESSERA_STORAGE__JOURNAL_FILE_BYTES", "1048576")
            .env("TESSERA_STORAGE__CHECKPOINT_SECONDS", "100000")
            .env_remove("TESSERA_CONFIG")
            .stdout(Stdio::null())
            .stderr(log.expect("a file"))
            .spawn()
            .expect("the binary runs");
        Self { child, quic, health, http }
    }

    /// What a probe is told.
    fn probe(&self, path: &str) -> String {
        self.ask(self.health, &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
    }

    /// The answer to a request, whole.
    fn ask(&self, whom: SocketAddr, request: &str) -> String {
        let mut stream = std::net::TcpStream::connect(whom).expect("connected");
        stream.write_all(request.as_bytes()).expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer
    }

    /// Ends it with a signal: what it holds is in the checkpoint then.
    fn end(mut self) {
        let signal = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(signal.expect("kill runs").success());
        assert!(self.child.wait().expect("a status").success());
    }

    /// A client, once the node answers: connected, or why it is not.
    async fn try_client(&self, folder: &Path, credential: Option<&str>) -> Result<Client, ClientError> {
        for _ in 0..1_000 {
            if let Ok(pem) = std::fs::read(folder.join("data/certificate.pem")) {
                let trust = Trust::roots_pem(&pem).expect("a certificate");
                let mut config = Config::new(self.quic, "localhost", trust);
                config.credential = credential.map(str::to_owned);
                config.deadline = Duration::from_secs(20);
                match Client::connect(config).await {
                    Err(ClientError::Unreachable(_)) => {}
                    other => return other,
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the node did not answer");
    }

    /// That `sick` has failed and why, and that nothing is the matter with `well`: on the wire, on the command
    /// line for people and as JSON, and over HTTP.
    async fn tells_what_is_the_matter(&self, folder: &Path, (operator, key): (&Client, &str)) {
        let read = |called| Request::ReadTenant { tenant: None, name: Some(name(called)) };
        let row =
            async |called| operator.list::<TenantRow>(&read(called)).await.expect("read").rows.remove(0);
        let (sick, well) = (row("sick").await, row("well").await);
        assert_eq!((sick.failed, well.failed, &well.trouble), (true, false, &None));
        let why = sick.trouble.expect("a reason");
        assert!(why.contains("journal-") && why.contains("at byte"), "{why}");
        let shown = |called: &str, json: bool| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
            command.args(["tenant", "show", called, "--address", &self.quic.to_string()]);
            command.args(["--server-name", "localhost", "--key", key, "--ca"]);
            command.arg(folder.join("data/certificate.pem")).args(json.then_some("--json"));
            let out = command.env_remove("TESSERA_PROFILE").output().expect("the binary runs");
            assert!(out.status.success(), "{out:?}");
            String::from_utf8(out.stdout).expect("text")
        };
        let text = shown("sick", false);
        assert!(text.contains("failed") && text.contains(&why) && !text.contains("active"), "{text}");
        assert!(!shown("well", false).contains("failed"));
        let json: serde_json::Value = serde_json::from_str(&shown("sick", true)).expect("JSON");
        assert_eq!(
            (&json["tenant"]["failed"], &json["tenant"]["trouble"]),
            (&true.into(), &why.as_str().into())
        );
        let asked = |called: &str| {
            let head =
                format!("GET /v1/tenants/{called} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
            self.ask(self.http, &format!("{head}authorization: Bearer {key}\r\n\r\n"))
        };
        let answer = asked("sick");
        let body = answer.split_once("\r\n\r\n").expect("a body").1;
        let json: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert_eq!((&json["failed"], &json["trouble"]), (&true.into(), &why.as_str().into()), "{answer}");
        assert!(asked("well").contains("\"failed\":false"));
    }

    async fn client(&self, folder: &Path, credential: Option<&str>) -> Client {
        self.try_client(folder, credential).await.expect("connected")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn text(made: &Made) -> String {
    made.handle_text().expect("a handle")
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

const fn subject() -> Request {
    Request::CreateSubject { kind: SubjectKind::Machine, identifiers: Vec::new(), password: None }
}

/// Turns a bit in the last frame of a tenant that the journal holds.
fn damage(folder: &Path, tenant: TenantId) {
    let mut last: Option<(u64, std::path::PathBuf, usize)> = None;
    for entry in std::fs::read_dir(folder.join("data")).expect("a folder") {
        let path = entry.expect("an entry").path();
        if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("journal-")) {
            continue;
        }
        let bytes = std::fs::read(&path).expect("a file");
        for at in (0..bytes.len()).step_by(BLOCK).filter(|at| bytes[*at..].starts_with(b"\xFFTSG")) {
            let number = |from: usize, len: usize| {
                bytes[at + from..at + from + len]
                    .iter()
                    .rev()
                    .fold(0, |all, byte| all << 8 | u64::from(*byte))
            };
            for no in 0..usize::try_from(number(16, 4)).expect("small") {
                let entry = 128 + 32 * no;
                let (revision, offset) = (number(entry + 8, 8), number(entry + 16, 4));
                if number(entry, 8) == tenant.0 && last.as_ref().is_none_or(|(found, ..)| *found < revision) {
                    last = Some((revision, path.clone(), at + usize::try_from(offset).expect("small")));
                }
            }
        }
    }
    let (_, path, at) = last.expect("a frame of the tenant");
    let mut bytes = std::fs::read(&path).expect("a file");
    bytes[at + 70] ^= 4;
    std::fs::write(path, bytes).expect("written");
}

fn failed<T>(answer: Result<T, ClientError>) -> bool {
    matches!(answer, Err(ClientError::Refused(Refusal::TenantFailed)))
}

/// PROPERTY: after a turned byte in one tenant's part of the journal the node starts; that tenant's own key and an
/// operator that names it are told 502, whatever they ask; another tenant is served; deleted, it is gone and the
/// name is free.
/// TC-98 in part: the real binary.
#[tokio::test]
async fn a_damaged_tenant_says_so_on_the_wire() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let (operator_key, sick_key, well_key, sick) = {
        let node = Node::start(folder);
        let stranger = node.client(folder, None).await;
        let secret = std::fs::read_to_string(folder.join("data/operator-secret")).expect("the secret");
        let secret = Private::new(secret.trim().as_bytes().to_vec());
        let claimed =
            stranger.request(&Request::ClaimOperator { secret, name: name("ops") }).await.expect("claimed");
        let operator = node.client(folder, Some(&text(&claimed))).await;
        let make = |called| Request::CreateTenant { name: name(called) };
        let sick = operator.request(&make("sick")).await.expect("created");
        let well = operator.request(&make("well")).await.expect("created");
        // A frame of the one to be damaged, and behind it one of somebody else.
        for made in [&sick, &well] {
            let admin = node.client(folder, Some(&text(made))).await;
            admin.request(&subject()).await.expect("made");
        }
        (text(&claimed), text(&sick), text(&well), sick.tenant.expect("an id"))
    };
    damage(folder, sick);
    for life in 0..2 {
        let node = Node::start(folder);
        let well = node.client(folder, Some(&well_key)).await;
        assert!(well.request(&subject()).await.is_ok(), "life {life}");
        assert!(failed(node.try_client(folder, Some(&sick_key)).await), "life {life}");
        let operator = node.client(folder, Some(&operator_key)).await;
        node.tells_what_is_the_matter(folder, (&operator, &operator_key)).await;
        let id = operator.command_id();
        assert!(failed(operator.request_again(sick, id, &subject()).await), "life {life}");
        if life == 1 {
            operator.request(&Request::DeleteTenant { tenant: sick }).await.expect("deleted");
            let gone = operator.request_again(sick, operator.command_id(), &subject()).await;
            assert!(matches!(gone, Err(ClientError::Refused(Refusal::TenantUnknown))), "{:?}", gone.err());
            // The name is free once the deletion is finished.
            let again = Request::CreateTenant { name: name("sick") };
            while operator.request(&again).await.is_err() {
                tokio::task::yield_now().await;
            }
        }
    }
    let node = Node::start(folder);
    let well = node.client(folder, Some(&well_key)).await;
    assert!(well.request(&subject()).await.is_ok());
    let gone = node.try_client(folder, Some(&sick_key)).await;
    assert!(matches!(&gone, Err(ClientError::Faulted(fault)) if fault.code == 405), "{:?}", gone.err());
}

/// PROPERTY: a cold row that reads wrong is told to who asks as damage, however often; the log has one line about
/// it, which names kind and tenant and holds nothing private; metrics and readiness tell; all else of the tenant is
/// served.
#[tokio::test]
async fn a_damaged_row_is_no_waking_tenant() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let node = Node::start(folder);
    let stranger = node.client(folder, None).await;
    let secret = std::fs::read_to_string(folder.join("data/operator-secret")).expect("the secret");
    let secret = Private::new(secret.trim().as_bytes().to_vec());
    let claimed =
        stranger.request(&Request::ClaimOperator { secret, name: name("ops") }).await.expect("claimed");
    let operator = node.client(folder, Some(&text(&claimed))).await;
    let acme = operator.request(&Request::CreateTenant { name: name("acme") }).await.expect("created");
    let (tenant, key) = (acme.tenant.expect("an id"), text(&acme));
    let admin = node.client(folder, Some(&key)).await;
    let mut people = Vec::new();
    for typed in ["Amy.Poe@example.org", "bob@example.org"] {
        let identifiers = vec![Identifier::new(IdentifierKind::Email, typed).expect("an email")];
        let password = Some(Private::new(b"a long pass phrase".to_vec()));
        let request = Request::CreateSubject { kind: SubjectKind::Person, identifiers, password };
        people.push(admin.request(&request).await.expect("made").subject.expect("an id"));
    }
    let amy = Request::ReadSubject { subject: Some(people[0]), identifier: None };
    let amy = admin.list::<SubjectRow>(&amy).await.expect("read").rows[0].index.expect("an index");
    drop((stranger, operator, admin));
    node.end();
    let path = folder.join("data/state.redb");
    let mut bytes = std::fs::read(&path).expect("a file");
    let typed = b"Amy.Poe@example.org";
    assert!(!bytes.windows(typed.len()).any(|some| some == typed), "in the clear");
    // Sealed parts of hers as long as a row of such an identifier: length and hash, kind and what was typed.
    let head = [&[0xFE, b'T', b'S', b'P'][..], &amy.to_le_bytes()].concat();
    let plain = 4 + 16 + 1 + typed.len();
    let at: Vec<usize> = (0..bytes.len() - head.len() - 4)
        .filter(|at| bytes[*at..].starts_with(&head))
        .filter(|at| bytes[at + 8..at + 12] == u32::try_from(plain).expect("short").to_le_bytes())
        .collect();
    assert!(!at.is_empty());
    at.iter().for_each(|at| bytes[at + 40] ^= 1);
    std::fs::write(&path, bytes).expect("written");
    let node = Node::start(folder);
    let admin = node.client(folder, Some(&key)).await;
    assert!(node.probe("/metrics").contains("\ntessera_tenants_damaged 0\n"));
    for _ in 0..20 {
        let asked = admin.list::<IdentifierRow>(&Request::ListIdentifiers { subject: people[0] }).await;
        assert!(failed(asked));
    }
    let well = admin.list::<IdentifierRow>(&Request::ListIdentifiers { subject: people[1] }).await;
    assert_eq!(well.expect("read").rows.len(), 1);
    assert!(admin.request(&subject()).await.is_ok());
    assert!(node.probe("/metrics").contains("\ntessera_tenants_damaged 1\n"));
    let ready = node.probe("/readyz");
    assert!(ready.starts_with("HTTP/1.1 200") && ready.contains("a part cannot be read: 1"), "{ready}");
    let log = std::fs::read_to_string(folder.join("log")).expect("the log");
    let told: Vec<&str> = log.lines().filter(|line| line.contains("cannot be read")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    let (error, kind, whose) = ("ERROR", "the identifier row of subject ", format!("tenants {tenant}"));
    assert!([error, kind, &whose].iter().all(|part| told[0].contains(part)), "{told:?}");
    assert!(!log.contains("my.Poe"), "{log}");
}
