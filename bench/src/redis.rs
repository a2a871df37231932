//! Redis as a peer of the wire: GETs of one value over one connection, in the clear and over TLS.

use crate::figure::Why;
use crate::http::free;
use crate::lines;
use crate::process::{Process, last_line};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// Bytes of the value.
pub const VALUE_BYTES: usize = 64;
/// How long connecting may be tried.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server of our own: nothing is kept on disk. It ends with its holder.
pub struct Redis {
    process: Process,
    clear: SocketAddr,
    encrypted: SocketAddr,
    certificate: Vec<u8>,
    log: std::path::PathBuf,
}

impl Redis {
    /// Starts it.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn start(folder: &Path) -> Result<Self, Why> {
        let (clear, encrypted) = (free()?, free()?);
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let (pem, key) = (folder.join("redis.pem"), folder.join("redis.key"));
        std::fs::write(&pem, made.cert.pem())?;
        std::fs::write(&key, made.signing_key.serialize_pem())?;
        let log = folder.join("redis.log");
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &clear.port().to_string()]);
        command.args(["--tls-port", &encrypted.port().to_string(), "--tls-auth-clients", "no"]);
        command.arg("--tls-cert-file").arg(&pem).arg("--tls-key-file").arg(&key);
        command.arg("--tls-ca-cert-file").arg(&pem);
        command.args(["--save", "", "--appendonly", "no", "--daemonize", "no", "--dir"]).arg(folder);
        command.arg("--logfile").arg(&log);
        let process = Process::start(&mut command, &folder.join("redis.err"))
            .map_err(|why| format!("redis-server cannot be started (Debian package redis-server): {why}"))?;
        Ok(Self { process, clear, encrypted, certificate: made.cert.pem().into_bytes(), log })
    }

    /// A connection in the clear or over TLS, after the value was set and read once.
    ///
    /// # Errors
    /// When the server is not there in time.
    pub fn piped(&mut self, encrypted: bool) -> Result<Piped, Why> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ended = || format!("redis-server ended: {}", last_line(&self.log));
        let stream: Box<dyn Stream> = if encrypted {
            let connector = lines::connector(&self.certificate, b"redis")?;
            let connected = runtime.block_on(lines::connect(&connector, self.encrypted));
            Box::new(connected.map_err(|why| format!("over TLS: {why}"))?)
        } else {
            let started = Instant::now();
            loop {
                match runtime.block_on(TcpStream::connect(self.clear)) {
                    Ok(stream) => {
                        stream.set_nodelay(true)?;
                        break Box::new(stream);
                    }
                    Err(_) if self.process.ended() => return Err(ended().into()),
                    Err(error) if started.elapsed() > PATIENCE => return Err(error.into()),
                    Err(_) => std::thread::sleep(Duration::from_millis(10)),
                }
            }
        };
        let value = "v".repeat(VALUE_BYTES);
        let request = b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n".to_vec();
        let answer = format!("${VALUE_BYTES}\r\n{value}\r\n").into_bytes();
        let mut piped = Piped { runtime, stream, request, reply: answer.len() };
        let set = format!("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n${VALUE_BYTES}\r\n{value}\r\n");
        if piped.once(set.as_bytes(), 5)? != b"+OK\r\n" {
            return Err("redis-server did not take the value".into());
        }
        let request = piped.request.clone();
        if piped.once(&request, piped.reply)? == answer {
            Ok(piped)
        } else {
            Err("redis-server answered something else".into())
        }
    }
}

/// Bytes both ways.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One connection on a runtime of one thread, which asks one question whose answers are of one length.
pub struct Piped {
    runtime: Runtime,
    stream: Box<dyn Stream>,
    request: Vec<u8>,
    reply: usize,
}

impl Piped {
    fn once(&mut self, request: &[u8], reply: usize) -> Result<Vec<u8>, Why> {
        let Self { runtime, stream, .. } = self;
        runtime.block_on(async {
            let mut bytes = vec![0; reply];
            stream.write_all(request).await?;
            stream.flush().await?;
            tokio::time::timeout(PATIENCE, stream.read_exact(&mut bytes)).await??;
            Ok(bytes)
        })
    }

    /// Answers per second with `depth` in flight, until `count` were answered: as [`crate::caller::Caller::pipelined`].
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn pipelined(&mut self, depth: usize, count: usize) -> Result<f64, Why> {
        let Self { runtime, stream, request, reply } = self;
        let (requests, mut buffer) = (request.repeat(depth), vec![0; 1 << 16]);
        runtime.block_on(async {
            let started = Instant::now();
            let (mut sent, mut answered, mut partial) = (depth.min(count), 0, 0);
            stream.write_all(requests.get(..sent * request.len()).unwrap_or_default()).await?;
            stream.flush().await?;
            while answered < count {
                let read = stream.read(&mut buffer).await?;
                if read == 0 {
                    return Err("the connection ended".into());
                }
                partial += read;
                let whole = partial / *reply;
                partial %= *reply;
                answered += whole;
                let next = whole.min(count - sent);
                sent += next;
                if next > 0 {
                    stream.write_all(requests.get(..next * request.len()).unwrap_or_default()).await?;
                    stream.flush().await?;
                }
            }
            Ok(count as f64 / started.elapsed().as_secs_f64())
        })
    }
}
