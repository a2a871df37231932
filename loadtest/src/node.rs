//! A node of the load's own: `tessera serve` as a process, killed and started again.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// LIMIT: how long a start may take.
const START: Duration = Duration::from_secs(60);

/// A running node.
pub struct Node {
    program: PathBuf,
    folder: PathBuf,
    /// Where its QUIC door listens.
    pub address: SocketAddr,
    http: SocketAddr,
    settings: Vec<(String, String)>,
    child: Option<Child>,
}

impl Node {
    /// Starts a node on `folder`, which gets its data, root key and log.
    ///
    /// # Errors
    /// When it cannot be started or does not come up.
    pub fn start(program: &Path, folder: &Path) -> io::Result<Self> {
        let mut node = Self::new(program, folder)?;
        node.spawn()?;
        node.until("certificate.pem")?;
        Ok(node)
    }

    /// Prepares a node on `folder`: it has its addresses and its root key, and does not run yet.
    ///
    /// # Errors
    /// When the folder cannot be written, or no port is free.
    pub fn new(program: &Path, folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let key = folder.join("root.key");
        if !key.exists() {
            let mut bytes = [0; 32];
            fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
            let mut options = fs::OpenOptions::new();
            let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            options.write(true).create_new(true).mode(0o600).open(key)?.write_all(text.as_bytes())?;
        }
        let address = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let http = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let (program, folder, settings) = (program.to_owned(), folder.to_owned(), Vec::new());
        Ok(Self { program, folder, address, http, settings, child: None })
    }

    /// A setting that its next start finds in the environment.
    pub fn set(&mut self, key: &str, value: &Path) {
        self.settings.push((key.to_owned(), value.display().to_string()));
    }

    /// Starts it; it comes up meanwhile.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&mut self) -> io::Result<()> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.join("node.log"))?;
        let child = Command::new(&self.program)
            .arg("serve")
            .env("TESSERA_STORAGE__DIR", self.folder.join("data"))
            .env("TESSERA_STORAGE__ROOT_KEY_FILE", self.folder.join("root.key"))
            .env("TESSERA_QUIC__LISTEN", self.address.to_string())
            .env("TESSERA_HEALTH__LISTEN", self.http.to_string())
            .envs(self.settings.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        self.child = Some(child);
        Ok(())
    }

    fn until(&mut self, name: &str) -> io::Result<PathBuf> {
        let (path, started) = (self.folder.join("data").join(name), Instant::now());
        while !path.exists() {
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten()) {
                let log = fs::read_to_string(self.folder.join("node.log")).unwrap_or_default();
                return Err(io::Error::other(format!("the node ended with {status}:\n{log}")));
            }
            if started.elapsed() > START {
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("the node made no {name}")));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(path)
    }

    /// The node's own certificate.
    ///
    /// # Errors
    /// When it does not read.
    pub fn certificate(&mut self) -> io::Result<Vec<u8>> {
        fs::read(self.until("certificate.pem")?)
    }

    /// The one-time secret of a new node.
    ///
    /// # Errors
    /// When there is none within the time of a start.
    pub fn secret(&mut self) -> io::Result<String> {
        let (path, started) = (self.until("operator-secret")?, Instant::now());
        // The file may be there before its content.
        loop {
            let text = fs::read_to_string(&path)?;
            if text.ends_with('\n') {
                return Ok(text.trim().to_owned());
            }
            if started.elapsed() > START {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the one-time secret stays empty"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// kill -9, and start again at once.
    ///
    /// # Errors
    /// When it cannot be started again.
    pub fn kill_and_restart(&mut self) -> io::Result<()> {
        self.kill()?;
        self.spawn()
    }

    fn kill(&mut self) -> io::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        child.kill()?;
        child.wait().map(|_| ())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Nothing is lost by it: that is what the load tests.
        self.kill().unwrap_or_default();
    }
}
