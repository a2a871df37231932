//! Processes that figures start: the real node and the bare echo. Each ends with its holder.

use crate::figure::Why;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tessera_client::{Client, Config, Trust};

/// LIMIT: how long a process may take to be there.
const START: Duration = Duration::from_secs(60);

/// A process that is killed when it is dropped.
pub struct Process(Child);

impl Process {
    /// Starts a program; its standard error goes to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self, Why> {
        let log = fs::OpenOptions::new().create(true).append(true).open(log)?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        Ok(Self(child))
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has ended.
    pub fn ended(&mut self) -> bool {
        self.0.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Stands still until it goes on: a server that polls would take a core from the one that is measured.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn pause(&self) -> Result<(), Why> {
        self.signal(Signal::STOP)
    }

    /// Goes on after a pause.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn go_on(&self) -> Result<(), Why> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<(), Why> {
        let id = Pid::from_raw(i32::try_from(self.id())?).ok_or("a process without a number")?;
        Ok(kill_process(id, signal)?)
    }

    /// kill -9, and waits for its end.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<(), Why> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Waits for its end by itself, so long.
    ///
    /// # Errors
    /// When the system refuses, or it goes on.
    pub fn wait(&mut self, most: Duration) -> Result<std::process::ExitStatus, Why> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            if started.elapsed() > most {
                return Err(format!("it did not end within {} s", most.as_secs()).into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.kill().unwrap_or_default();
    }
}

/// The last line of a log that says something.
#[must_use]
pub fn last_line(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("its log is empty").to_owned()
}

/// Waits for a file that a process makes.
///
/// # Errors
/// When the process ends or takes too long.
pub fn until(process: &mut Process, path: &Path) -> Result<(), Why> {
    let started = Instant::now();
    while !path.exists() {
        if process.ended() {
            return Err(format!("a process ended before it made {}", path.display()).into());
        }
        if started.elapsed() > START {
            return Err(format!("{} was not made within a minute", path.display()).into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// A free UDP address of this machine.
///
/// # Errors
/// When there is none.
pub fn free_udp() -> Result<SocketAddr, Why> {
    Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Writes a root key for a new node.
///
/// # Errors
/// When it cannot be written.
pub fn write_root_key(path: &Path) -> Result<[u8; 32], Why> {
    let mut key = [0; 32];
    fs::File::open("/dev/urandom")?.read_exact(&mut key)?;
    let mut options = fs::OpenOptions::new();
    let text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    options.write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(text.as_bytes())?;
    Ok(key)
}

/// The real node on a folder of its own.
pub struct Node {
    /// The process.
    pub process: Process,
    /// Where its QUIC door listens.
    pub address: SocketAddr,
    data: PathBuf,
}

impl Node {
    /// Starts `tessera serve` on `folder` (data and root key inside), with these further settings.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &Path, folder: &Path, settings: &[(&str, &str)]) -> Result<Self, Why> {
        Self::at(program, folder, free_udp()?, settings)
    }

    /// The same, where others know its address before.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn at(
        program: &Path,
        folder: &Path,
        address: SocketAddr,
        settings: &[(&str, &str)],
    ) -> Result<Self, Why> {
        if !program.exists() {
            return Err(format!("{} is missing: build tessera-node", program.display()).into());
        }
        let key = folder.join("root.key");
        if !key.exists() {
            write_root_key(&key)?;
        }
        let data = folder.join("data");
        let http = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = Command::new(program);
        command
            .arg("serve")
            .env("TESSERA_STORAGE__DIR", &data)
            .env("TESSERA_STORAGE__ROOT_KEY_FILE", key)
            .env("TESSERA_QUIC__LISTEN", address.to_string())
            .env("TESSERA_HEALTH__LISTEN", http.to_string())
            .envs(settings.iter().copied());
        let process = Process::start(&mut command, &folder.join("node.log"))?;
        Ok(Self { process, address, data })
    }

    /// Its certificate.
    ///
    /// # Errors
    /// When it makes none.
    pub fn certificate(&mut self) -> Result<Vec<u8>, Why> {
        let path = self.data.join("certificate.pem");
        until(&mut self.process, &path)?;
        Ok(fs::read(path)?)
    }

    /// The one-time secret of a new node.
    ///
    /// # Errors
    /// When it makes none.
    pub fn secret(&mut self) -> Result<String, Why> {
        let path = self.data.join("operator-secret");
        until(&mut self.process, &path)?;
        // The file may be there before its content.
        for _ in 0..200 {
            let text = fs::read_to_string(&path)?;
            if text.ends_with('\n') {
                return Ok(text.trim().to_owned());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err("the one-time secret stayed empty".into())
    }

    /// A client of it. Must be called within a runtime.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn client(&mut self, credential: Option<String>) -> Result<Client, Why> {
        let mut config = Config::new(self.address, "localhost", Trust::pinned_pem(&self.certificate()?)?);
        config.credential = credential;
        config.deadline = Duration::from_secs(30);
        Ok(Client::connect(config).await?)
    }
}

/// A fresh folder for one figure; what an earlier run left is removed.
///
/// # Errors
/// When it cannot be made.
pub fn fresh(folder: &Path, name: &str) -> Result<PathBuf, Why> {
    let path = folder.join(name);
    if path.exists() {
        fs::remove_dir_all(&path)?;
    }
    fs::create_dir_all(&path)?;
    Ok(path)
}
