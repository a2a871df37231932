//! Certificates that are renewed under a running node, as a certificate manager does it: behind a link.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tessera_client::wire::Request;
use tessera_client::{Client, Config, Trust};
use tessera_model::{
    CheckQuery, Deadline, Handle, HandleBytes, Name, Pattern, PermissionRef, Private, PublicId, Receipt,
    WorkspaceRef,
};
use tokio::sync::RwLock;

/// An authority, and a folder in which the pair in use stands behind the link `..data`.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    folder: PathBuf,
    issued: u32,
}

impl Authority {
    fn new(folder: &Path) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("signed").pem();
        std::fs::create_dir_all(folder).expect("a folder");
        for file in ["tls.crt", "tls.key"] {
            std::os::unix::fs::symlink(format!("..data/{file}"), folder.join(file)).expect("a link");
        }
        Self { issuer: Issuer::new(params, key), pem, folder: folder.to_owned(), issued: 0 }
    }

    /// A pair for localhost in PEM.
    fn issue(&self) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        (params.signed_by(&key, &self.issuer).expect("signed").pem(), key.serialize_pem())
    }

    /// Puts a pair in place of the one before, in one step.
    fn place(&mut self, (certificate, key): &(String, String)) {
        self.issued += 1;
        let version = format!("..{}", self.issued);
        std::fs::create_dir(self.folder.join(&version)).expect("a folder");
        std::fs::write(self.folder.join(&version).join("tls.crt"), certificate).expect("a file");
        std::fs::write(self.folder.join(&version).join("tls.key"), key).expect("a file");
        let fresh = self.folder.join("..data_new");
        std::os::unix::fs::symlink(&version, &fresh).expect("a link");
        std::fs::rename(&fresh, self.folder.join("..data")).expect("swapped");
    }
}

/// The real binary on a folder; killed with its guard.
struct Node {
    child: Child,
    log: BufReader<ChildStderr>,
    quic: SocketAddr,
    http: SocketAddr,
}

impl Node {
    fn start(folder: &Path, poll_seconds: &str) -> Self {
        let free = || TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        Self::at(folder, poll_seconds, (free(), free()))
    }

    fn at(folder: &Path, poll_seconds: &str, (quic, http): (SocketAddr, SocketAddr)) -> Self {
        let certificates = folder.join("certificates");
        let mut child = Command::new(env!("CARGO_BIN_EXE_tessera"))
            .args(["dev", "--no-walk", "--folder"])
            .arg(folder)
            .env("TESSERA_HTTP__LISTEN", "127.0.0.1:0")
            .env("TESSERA_HEALTH__LISTEN", http.to_string())
            .env("TESSERA_QUIC__LISTEN", quic.to_string())
            .env("TESSERA_QUIC__CERTIFICATE_FILE", certificates.join("tls.crt"))
            .env("TESSERA_QUIC__KEY_FILE", certificates.join("tls.key"))
            .env("TESSERA_QUIC__CERTIFICATE_POLL_SECONDS", poll_seconds)
            .env("TESSERA_STORAGE__JOURNAL_FILE_BYTES", "1048576")
            .env("TESSERA_LOG__FILTER", "info")
            .env_remove("TESSERA_CONFIG")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let log = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut node = Self { child, log, quic, http };
        node.until(" ready");
        node
    }

    fn until(&mut self, part: &str) {
        let mut seen = String::new();
        while !seen.lines().any(|line| line.contains(part)) {
            assert!(self.log.read_line(&mut seen).expect("a line") > 0, "the log ended: {seen}");
        }
    }

    fn hang_up(&self) {
        let done = Command::new("kill").args(["-s", "HUP", &self.child.id().to_string()]).status();
        assert!(done.expect("kill runs").success());
    }

    fn metric(&self, name: &str) -> u64 {
        let mut stream = TcpStream::connect(self.http).expect("the HTTP door");
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |number| number.parse().expect("a number"))
    }

    fn config(&self, trust: Trust, credential: Option<String>) -> Config {
        let config = Config::new(self.quic, "localhost", trust);
        Config { credential, deadline: Duration::from_secs(20), ..config }
    }

    /// The keys of an operator and of a tenant's admin.
    async fn keys(&self, folder: &Path, trust: &Trust) -> (String, String) {
        let name = |text: &str| Name::new(text).expect("a name");
        let stranger = Client::connect(self.config(trust.clone(), None)).await.expect("connected");
        let secret = std::fs::read_to_string(folder.join("data/operator-secret")).expect("the secret");
        let secret = Private::new(secret.trim().as_bytes().to_vec());
        let claim = Request::ClaimOperator { secret, name: name("ops") };
        let key = stranger.request(&claim).await.expect("claimed").handle_text().expect("a key");
        let config = self.config(trust.clone(), Some(key.clone()));
        let operator = Client::connect(config).await.expect("connected");
        let made = operator.request(&Request::CreateTenant { name: name("acme") }).await.expect("created");
        (key, made.handle_text().expect("a key"))
    }

    /// The key of a tenant's admin.
    async fn admin(&self, folder: &Path, trust: &Trust) -> String {
        self.keys(folder, trust).await.1
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Whether a client has its question answered with a permit.
async fn permits(client: &Client, handle: &HandleBytes) -> bool {
    let query = CheckQuery {
        handle,
        permission: PermissionRef::Name("tessera.check"),
        workspace: WorkspaceRef::Tenant,
        at_least: Receipt::default(),
        address: None,
    };
    client.check(&query).await.is_ok_and(|decision| decision.is_permit())
}

/// A caller whose credential is renewed under it, and what it asks about: a key that stays.
struct Renewed {
    client: Client,
    handle: HandleBytes,
    /// What it is bound by now. Who connects holds it meanwhile, so that no key ends in between.
    key: Arc<RwLock<(String, PublicId)>>,
}

impl Renewed {
    async fn connect(config: &Config, stays: &str) -> Self {
        let handle = Handle::parse_text(stays).expect("a handle").to_bytes();
        let config = Config { connections: 2, ..config.clone() };
        let client = Client::connect(config).await.expect("connected");
        let fresh = Self::fresh(&client).await;
        client.renew(&fresh.0).await.expect("renewed");
        Self { client, handle, key: Arc::new(RwLock::new(fresh)) }
    }

    /// A key like the one that a client is bound by.
    async fn fresh(client: &Client) -> (String, PublicId) {
        let (subject, _) = client.hello().bound.expect("bound");
        let request = Request::CreateKey {
            subject,
            patterns: vec![Pattern::new("tessera.*").expect("a pattern")],
            expires: Deadline(client.node_time().to_deadline().0 + 3_600),
            description: Private::new(b"renewed".to_vec()),
            client: None,
            networks: Vec::new(),
        };
        let made = client.request(&request).await.expect("made");
        (made.handle_text().expect("a handle"), made.session.expect("an id"))
    }

    /// Takes another key, and ends the one before at once.
    async fn renew(&self) {
        let fresh = Self::fresh(&self.client).await;
        self.client.renew(&fresh.0).await.expect("renewed");
        let (_, old) = std::mem::replace(&mut *self.key.write().await, fresh);
        self.client.request(&Request::RevokeKey { key: old }).await.expect("revoked");
    }

    /// One question on the connections that stand, or on one that is made for it.
    async fn ask(&self, anew: Option<&Config>) -> bool {
        let Some(config) = anew else { return permits(&self.client, &self.handle).await };
        let key = self.key.read().await;
        let config = Config { credential: Some(key.0.clone()), ..config.clone() };
        match Client::connect(config).await {
            Ok(client) => permits(&client, &self.handle).await,
            Err(_) => false,
        }
    }
}

/// PROPERTY: a hundred certificates, one after another behind a swapped link, and with each of them another key of a
/// service and another one of an operator, and no check fails: neither on connections that stand throughout nor on
/// those that are made meanwhile; each certificate is the one in use when the node says so.
/// F-58.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_rotations_fail_no_check() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut authority = Authority::new(&folder.path().join("certificates"));
    authority.place(&authority.issue());
    let mut node = Node::start(folder.path(), "0");
    let trust = Trust::roots_pem(authority.pem.as_bytes()).expect("a certificate");
    let (operator, admin) = node.keys(folder.path(), &trust).await;
    let mut renewed = Vec::new();
    for key in [&operator, &admin] {
        let config = node.config(trust.clone(), Some(key.clone()));
        renewed.push(Arc::new(Renewed::connect(&config, key).await));
    }
    let (over, asked, failed) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut callers = Vec::new();
    for (who, anew) in renewed.iter().flat_map(|who| [(who, false), (who, true)]) {
        let (who, config) = (Arc::clone(who), anew.then(|| node.config(trust.clone(), None)));
        let (over, asked, failed) = (Arc::clone(&over), Arc::clone(&asked), Arc::clone(&failed));
        callers.push(tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let permitted = who.ask(config.as_ref()).await;
                asked.fetch_add(1, Ordering::Relaxed);
                failed.fetch_add(u64::from(!permitted), Ordering::Relaxed);
            }
        }));
    }
    let begun = std::time::Instant::now();
    for nth in 0..100 {
        let pair = authority.issue();
        authority.place(&pair);
        node.hang_up();
        tokio::task::block_in_place(|| node.until("loaded the certificate again"));
        for who in &renewed {
            who.renew().await;
        }
        if nth % 20 == 0 {
            let pinned = Trust::pinned_pem(pair.0.as_bytes()).expect("a certificate");
            Client::connect(node.config(pinned, Some(admin.clone()))).await.expect("the new certificate");
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.expect("no panic");
    }
    let (asked, failed) = (asked.load(Ordering::Relaxed), failed.load(Ordering::Relaxed));
    println!("{asked} checks over 100 rotations ({:.0}/s), {failed} failed", asked as f64 / seconds);
    assert_eq!(failed, 0, "of {asked}");
    assert!(asked > 100, "{asked}");
    assert_eq!(node.metric("tessera_certificate_reloads_total"), 100);
}

/// PROPERTY: a swapped link is noticed without a signal; a pair that does not hold leaves the old one in use, is
/// told once and counted once; the next sound one is taken.
/// F-58.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swapped_links_are_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut authority = Authority::new(&folder.path().join("certificates"));
    authority.place(&authority.issue());
    let mut node = Node::start(folder.path(), "1");
    let trust = Trust::roots_pem(authority.pem.as_bytes()).expect("a certificate");
    let key = node.admin(folder.path(), &trust).await;
    let pinned = |pair: &(String, String)| Trust::pinned_pem(pair.0.as_bytes()).expect("a certificate");
    let first = authority.issue();
    authority.place(&first);
    tokio::task::block_in_place(|| node.until("loaded the certificate again"));
    Client::connect(node.config(pinned(&first), Some(key.clone()))).await.expect("the new certificate");
    let broken = (authority.issue().0, authority.issue().1);
    authority.place(&broken);
    tokio::task::block_in_place(|| node.until("the old certificate stays"));
    Client::connect(node.config(pinned(&first), Some(key.clone()))).await.expect("the old certificate");
    let second = authority.issue();
    authority.place(&second);
    tokio::task::block_in_place(|| node.until("loaded the certificate again"));
    Client::connect(node.config(pinned(&second), Some(key))).await.expect("the new certificate");
    assert_eq!(node.metric("tessera_certificate_reloads_total"), 2);
    assert_eq!(node.metric("tessera_certificate_reloads_failed_total"), 1);
}

/// PROPERTY: a node that is killed after its certificate was renewed tells its callers at once, by the next
/// process, that their connections are gone: a client that knows no better is answered long before its
/// connection would be given up. METHOD: a deadline below the 30 seconds that a silent connection is given.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_after_a_rotation_strands_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut authority = Authority::new(&folder.path().join("certificates"));
    authority.place(&authority.issue());
    let mut node = Node::start(folder.path(), "0");
    let trust = Trust::roots_pem(authority.pem.as_bytes()).expect("a certificate");
    let key = node.admin(folder.path(), &trust).await;
    let handle = Handle::parse_text(&key).expect("a handle").to_bytes();
    // Nothing but the reset ends a connection: no ping goes out, and no silence is noticed.
    let patient = Config {
        keep_alive: Duration::from_secs(3_600),
        deadline: Duration::from_secs(20),
        ..node.config(trust.clone(), Some(key))
    };
    let client = Client::connect(patient).await.expect("connected");
    assert!(permits(&client, &handle).await);
    authority.place(&authority.issue());
    node.hang_up();
    tokio::task::block_in_place(|| node.until("loaded the certificate again"));
    let ports = (node.quic, node.http);
    drop(node);
    let _again = tokio::task::block_in_place(|| Node::at(folder.path(), "0", ports));
    let begun = std::time::Instant::now();
    assert!(permits(&client, &handle).await);
    println!("answered after {:?}", begun.elapsed());
}
