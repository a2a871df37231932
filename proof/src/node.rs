//! The real binary on loopback: started, asked for, killed, started again on the same directory.

use crate::port::free;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tessera_client::wire::{Made, Request};
use tessera_client::{Client, ClientError, Config, Trust};
use tessera_model::{Name, Private};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What went wrong with the proof itself.
pub(crate) type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// LIMIT: how long a start or a call may take before the proof gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node of the proof.
pub(crate) struct Node {
    server: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    /// The HTTP door.
    door: SocketAddr,
    /// Health and metrics.
    health: SocketAddr,
    /// Variables that it is started with: what is planted.
    planted: Vec<(&'static str, String)>,
    child: Option<Child>,
}

impl Node {
    /// A node that is to live in a folder, with small journal files so that they switch often.
    pub(crate) fn new(server: &Path, folder: &Path) -> Result<Self, Trouble> {
        Self::with(server, folder, "journal_file_bytes = 1048576\ntail_bytes_max = 8388608\n")
    }

    /// A node with the sizes that it has by default.
    pub(crate) fn plain(server: &Path, folder: &Path) -> Result<Self, Trouble> {
        Self::with(server, folder, "")
    }

    /// A node as of [`Node::new`] that makes its backups below a directory.
    pub(crate) fn with_backups(server: &Path, folder: &Path, backups: &Path) -> Result<Self, Trouble> {
        let small = "journal_file_bytes = 1048576\ntail_bytes_max = 8388608\ncheckpoint_seconds = 1\n";
        Self::with(server, folder, &format!("{small}backup_dir = {backups:?}\n"))
    }

    /// A node with these lines for its storage.
    pub(crate) fn with(server: &Path, folder: &Path, storage: &str) -> Result<Self, Trouble> {
        Self::with_more(server, folder, storage, "")
    }

    /// A node with these lines for its storage, an HTTP door in plain text, and these tables behind.
    pub(crate) fn with_more(
        server: &Path,
        folder: &Path,
        storage: &str,
        tables: &str,
    ) -> Result<Self, Trouble> {
        let (door, http) = (free(TcpListener::bind)?, free(TcpListener::bind)?);
        let quic = free(UdpSocket::bind)?;
        let data = folder.join("data");
        let key = folder.join("root.key");
        let config = format!(
            "[storage]\ndir = {data:?}\nroot_key_file = {key:?}\n{storage}\n[quic]\nlisten = \"{quic}\"\n\n[health]\nlisten = \"{http}\"\n\n[http]\nlisten = \"{door}\"\nplain = true\nsource_per_second = 1000000\n\n[log]\nfilter = \"warn\"\n{tables}"
        );
        std::fs::write(folder.join("tessera.toml"), config)?;
        let made =
            Command::new(server).args(["config", "root-key"]).arg(&key).stdout(Stdio::null()).status()?;
        if !made.success() {
            return Err("the root key could not be made".into());
        }
        let (server, folder) = (server.into(), folder.into());
        let planted = Vec::new();
        Ok(Self { server, folder, address: quic, door, health: http, planted, child: None })
    }

    /// Plants a fault into every start from now on, in a build that has it.
    pub(crate) fn plant(&mut self, variable: &'static str, value: impl Into<String>) {
        self.planted.push((variable, value.into()));
    }

    /// Starts the process; it may take a moment until it answers.
    pub(crate) fn start(&mut self) -> Result<(), Trouble> {
        self.start_under(&[])
    }

    /// Starts the process under another program, given with its arguments.
    pub(crate) fn start_under(&mut self, above: &[String]) -> Result<(), Trouble> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log"))?;
        let mut command = match above.split_first() {
            None => Command::new(&self.server),
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(&self.server);
                command
            }
        };
        command.arg("serve").arg("--config").arg(self.folder.join("tessera.toml"));
        command.envs(self.planted.iter().map(|(name, value)| (*name, value)));
        self.child = Some(command.stdout(Stdio::null()).stderr(log).stdin(Stdio::null()).spawn()?);
        Ok(())
    }

    /// What the process wrote to its log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// The number of the process that was started.
    pub(crate) fn process(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// How the process ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<std::process::ExitStatus>, Trouble> {
        match self.child.as_mut() {
            None => Ok(None),
            Some(child) => Ok(child.try_wait()?),
        }
    }

    /// Waits until the process has ended by itself, or gives up.
    pub(crate) async fn until_ended(&mut self, patience: Duration) -> Result<Option<i32>, Trouble> {
        let began = Instant::now();
        while began.elapsed() < patience {
            if let Some(status) = self.ended()? {
                self.child = None;
                return Ok(status.code());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err("the process does not end".into())
    }

    /// kill -9, and waits until the process is gone.
    pub(crate) fn kill(&mut self) -> Result<(), Trouble> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Sends a signal, by its name.
    pub(crate) fn signal(&self, name: &str) -> Result<(), Trouble> {
        let child = self.child.as_ref().ok_or("no node runs")?;
        Command::new("kill").arg(name).arg(child.id().to_string()).status()?;
        Ok(())
    }

    /// SIGTERM; the exit code after the drain.
    pub(crate) fn terminate(&mut self) -> Result<Option<i32>, Trouble> {
        let Some(mut child) = self.child.take() else { return Ok(None) };
        Command::new("kill").arg("-TERM").arg(child.id().to_string()).status()?;
        Ok(child.wait()?.code())
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Where its QUIC door listens.
    pub(crate) const fn socket(&self) -> SocketAddr {
        self.address
    }

    /// Where its HTTP door listens.
    pub(crate) const fn http(&self) -> SocketAddr {
        self.door
    }

    /// Its certificate.
    pub(crate) fn certificate(&self) -> Result<Vec<u8>, Trouble> {
        Ok(std::fs::read(self.data().join("certificate.pem"))?)
    }

    /// One of its metrics, as a whole number.
    pub(crate) async fn metric(&self, name: &str) -> Result<u64, Trouble> {
        let mut stream = tokio::net::TcpStream::connect(self.health).await?;
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        let value = value.ok_or_else(|| format!("there is no metric {name}"))?;
        Ok(format!("{value:.0}").parse()?)
    }

    /// Megabytes that are resident now, and that were at most.
    pub(crate) fn memory(&self) -> Result<String, Trouble> {
        let (now, most) = self.resident()?;
        Ok(format!("{now}/{most}"))
    }

    /// The same as numbers.
    pub(crate) fn resident(&self) -> Result<(u64, u64), Trouble> {
        let child = self.child.as_ref().ok_or("no node runs")?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
        let megabytes = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1_000)
        };
        let unknown = "nothing is told of its memory";
        Ok((megabytes("VmRSS:").ok_or(unknown)?, megabytes("VmHWM:").ok_or(unknown)?))
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The root key's file.
    pub(crate) fn root_key(&self) -> PathBuf {
        self.folder.join("root.key")
    }

    /// A client with a credential, connected or connecting: patient, because the node dies often.
    pub(crate) async fn client(&self, credential: Option<String>) -> Result<Client, Trouble> {
        let began = Instant::now();
        loop {
            match self.connect(credential.clone(), PATIENCE).await {
                Ok(client) => return Ok(client),
                Err(error) if began.elapsed() > PATIENCE => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// A client that gives up after a time, where the node may be gone for good.
    pub(crate) async fn connect(
        &self,
        credential: Option<String>,
        deadline: Duration,
    ) -> Result<Client, Trouble> {
        let pem = std::fs::read(self.data().join("certificate.pem"))?;
        let mut config = Config::new(self.address, "localhost", Trust::roots_pem(&pem)?);
        config.credential = credential;
        config.deadline = deadline;
        Ok(Client::connect(config).await?)
    }

    /// The operator's key, for the one-time secret of the first start.
    pub(crate) async fn claim(&self) -> Result<String, Trouble> {
        let client = self.client(None).await?;
        let secret = std::fs::read_to_string(self.data().join("operator-secret"))?;
        let secret = Private::new(secret.trim().as_bytes().to_vec());
        let made = client.request(&Request::ClaimOperator { secret, name: Name::new("proof")? }).await?;
        handle_of(&made)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // The proof is over; nothing may be left running.
        drop(self.kill());
    }
}

/// The text of the handle that a command made.
pub(crate) fn handle_of(made: &Made) -> Result<String, Trouble> {
    made.handle_text().ok_or_else(|| "no handle in the reply".into())
}

/// Repeats a call until the node is there again; refusals are answers.
pub(crate) async fn patiently<T, F>(mut call: impl FnMut() -> F) -> Result<T, ClientError>
where
    F: Future<Output = Result<T, ClientError>>,
{
    let began = Instant::now();
    loop {
        match call().await {
            Err(ClientError::Unreachable(_) | ClientError::DeadlinePassed) if began.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            other => return other,
        }
    }
}
