//! The bench's own caller: one connection, one stream, frames prepared beforehand, replies counted.
//!
//! It drives a node and the bare echo alike, so that the difference between the two is the node's.

use crate::figure::Why;
use crate::pulse::Pulse;
use hdrhistogram::Histogram;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint, RecvStream, SendStream};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use std::future::{IntoFuture as _, ready};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tessera_model::Refusal;
use tessera_wire::{ALPN, HEADER_BYTES, Hello, Inbox, Kind, Outbox};
use tokio::runtime::Runtime;

/// A connection with one open stream, on a runtime of one thread.
pub struct Caller {
    runtime: Runtime,
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
    endpoint: Endpoint,
    reply: usize,
    chunks: Vec<bytes::Bytes>,
}

/// How long connecting may be tried: a process that was just started is not there yet.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often a new attempt begins while none has succeeded: a first packet that nobody heard is sent
/// again only after a second, which would be our time and not the node's.
const ATTEMPT_EVERY: Duration = Duration::from_millis(25);

/// The code of a tenant that wakes, when Hello is said again, and how often: a node takes 16 Hellos of
/// a connection.
const NOT_READY: u16 = Refusal::NotReady.code();
const HELLO_AGAIN: Duration = Duration::from_millis(10);
const HELLOS: u32 = 12;

/// Frames of one write of a paced caller that is late.
const BURST: usize = 64;

/// Nanoseconds as a histogram takes them: at least one.
#[expect(clippy::cast_possible_truncation, reason = "nanoseconds of a minute at most")]
fn whole_nanos(nanos: f64) -> u64 {
    nanos.max(1.0) as u64
}

impl Caller {
    /// Connects to a server that answers with frames of `reply` bytes.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub fn connect(address: SocketAddr, pem: &[u8], reply: usize) -> Result<Self, Why> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let config = config(pem)?;
        let (endpoint, connection, send, receive) = runtime.block_on(async {
            let mut endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into())?;
            endpoint.set_default_client_config(config);
            let connection = eagerly(&endpoint, address).await?;
            let (send, receive) = connection.open_bi().await?;
            Ok::<_, Why>((endpoint, connection, send, receive))
        })?;
        let chunks = vec![bytes::Bytes::new(); 64];
        Ok(Self { runtime, connection, send, receive, endpoint, reply, chunks })
    }

    /// Says Hello to a node and waits for its answer; again while the tenant wakes. False when
    /// it has not woken yet: connect anew.
    ///
    /// # Errors
    /// When it is refused.
    pub fn hello(&mut self, hello: &Hello) -> Result<bool, Why> {
        let mut outbox = Outbox::new();
        outbox.hello(1, hello)?;
        let Self { runtime, send, receive, .. } = self;
        let mut said = 0;
        runtime.block_on(async {
            let mut inbox = Inbox::default();
            send.write_all(outbox.as_bytes()).await?;
            loop {
                let chunk = receive.read_chunk(usize::MAX, true).await?.ok_or("the stream ended")?;
                inbox.extend(&chunk.bytes);
                let Some(frame) = inbox.next_frame()? else { continue };
                let kind = frame.kind()?;
                if kind == Kind::HelloReply {
                    return Ok(true);
                }
                if kind != Kind::Error || frame.fault()?.code != NOT_READY {
                    return Err(format!("Hello was answered with {}", kind.name()).into());
                }
                said += 1;
                if said > HELLOS {
                    return Ok(false);
                }
                tokio::time::sleep(HELLO_AGAIN).await;
                send.write_all(outbox.as_bytes()).await?;
            }
        })
    }

    /// Sends one frame and reads its reply: the frame's bytes.
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn once(&mut self, frame: &[u8]) -> Result<Vec<u8>, Why> {
        let Self { runtime, send, receive, reply, .. } = self;
        runtime.block_on(async {
            send.write_all(frame).await?;
            let mut bytes = vec![0; *reply];
            receive.read_exact(&mut bytes).await?;
            Ok(bytes)
        })
    }

    /// Nanoseconds of each of `count` frames, one in flight.
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn one_by_one(&mut self, frame: &[u8], count: usize) -> Result<Vec<f64>, Why> {
        let Self { runtime, send, receive, reply, .. } = self;
        runtime.block_on(async {
            let (mut nanos, mut bytes) = (Vec::with_capacity(count), vec![0; *reply]);
            for _ in 0..count {
                let started = Instant::now();
                send.write_all(frame).await?;
                receive.read_exact(&mut bytes).await?;
                nanos.push(started.elapsed().as_nanos() as f64);
            }
            Ok(nanos)
        })
    }

    /// Sends one frame and reads its reply, however long it is: the frame's bytes.
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn whole(&mut self, frame: &[u8]) -> Result<Vec<u8>, Why> {
        let Self { runtime, send, receive, .. } = self;
        runtime.block_on(async {
            send.write_all(frame).await?;
            let mut bytes = vec![0; HEADER_BYTES];
            receive.read_exact(&mut bytes).await?;
            let [a, b, c, d, ..] = bytes.as_slice() else { return Err("half a header".into()) };
            let length = usize::try_from(u32::from_le_bytes([*a, *b, *c, *d]))?;
            bytes.resize(HEADER_BYTES + length.next_multiple_of(HEADER_BYTES), 0);
            receive.read_exact(bytes.get_mut(HEADER_BYTES..).unwrap_or_default()).await?;
            Ok(bytes)
        })
    }

    /// From here on the caller's thread looks for replies again and again while it waits for one, and takes a core whole.
    pub fn stay_awake(&self) {
        self.runtime.spawn(async {
            loop {
                tokio::task::yield_now().await;
            }
        });
    }

    /// Sends `count` frames at a fixed rate, whatever becomes of them, and takes each reply's time from the moment when
    /// its frame was due: nanoseconds, the first tenth left out.
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn paced(&mut self, frame: &[u8], rate: u32, count: u32) -> Result<Histogram<u64>, Why> {
        let Self { runtime, send, receive, reply, chunks, .. } = self;
        let (mut times, burst) = (Histogram::new_with_bounds(1, 60_000_000_000, 3)?, frame.repeat(BURST));
        runtime.block_on(async {
            let pulse = Pulse::at(rate)?;
            let (started, every) = (Instant::now(), 1e9 / f64::from(rate));
            let (mut due, mut owed, mut answered, mut partial) = (0, 0, 0, 0);
            while answered < count {
                tokio::select! {
                    biased;
                    read = receive.read_chunks(chunks) => {
                        let read = read?.ok_or("the stream ended")?;
                        partial += chunks.iter().take(read).map(|chunk| chunk.len()).sum::<usize>();
                        let elapsed = started.elapsed().as_nanos() as f64;
                        for _ in 0..partial / *reply {
                            answered += 1;
                            let taken = elapsed - f64::from(answered) * every;
                            if answered > count / 10 {
                                times.saturating_record(whole_nanos(taken));
                            }
                        }
                        partial %= *reply;
                    }
                    // A burst at a time, so that replies are read between them however late it is.
                    () = ready(()), if owed > 0 => {
                        let some = owed.min(BURST);
                        owed -= some;
                        send.write_all(burst.get(..some * frame.len()).unwrap_or_default()).await?;
                    }
                    ticks = pulse.ticks(), if due < count => {
                        let more = u32::try_from(ticks?.min(u64::from(count - due)))?;
                        due += more;
                        owed += usize::try_from(more)?;
                    }
                }
            }
            Ok::<_, Why>(())
        })?;
        Ok(times)
    }

    /// From here on replies have so many bytes.
    pub const fn expect(&mut self, reply: usize) {
        self.reply = reply;
    }

    /// Frames per second with `depth` in flight, each of the frames once: a reply is followed by the next frame.
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn pipelined_all(&mut self, frames: &[Vec<u8>], depth: usize) -> Result<f64, Why> {
        let Self { runtime, send, receive, reply, chunks, .. } = self;
        runtime.block_on(async {
            let started = Instant::now();
            let mut rest = frames.iter();
            let first: Vec<u8> = rest.by_ref().take(depth).flatten().copied().collect();
            send.write_all(&first).await?;
            let (mut answered, mut partial) = (0, 0);
            while answered < frames.len() {
                let read = receive.read_chunks(chunks).await?.ok_or("the stream ended")?;
                partial += chunks.iter().take(read).map(|chunk| chunk.len()).sum::<usize>();
                let whole = partial / *reply;
                partial %= *reply;
                answered += whole;
                let next: Vec<u8> = rest.by_ref().take(whole).flatten().copied().collect();
                if !next.is_empty() {
                    send.write_all(&next).await?;
                }
            }
            Ok(frames.len() as f64 / started.elapsed().as_secs_f64())
        })
    }

    /// Frames per second with `depth` in flight, until `count` were answered: each batch of replies is
    /// followed by as many new frames, in one write.
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn pipelined(&mut self, frame: &[u8], depth: usize, count: usize) -> Result<f64, Why> {
        let Self { runtime, send, receive, reply, chunks, .. } = self;
        let frames = frame.repeat(depth);
        runtime.block_on(async {
            let started = Instant::now();
            let (mut sent, mut answered, mut partial) = (depth.min(count), 0, 0);
            send.write_all(frames.get(..sent * frame.len()).unwrap_or_default()).await?;
            while answered < count {
                let read = receive.read_chunks(chunks).await?.ok_or("the stream ended")?;
                partial += chunks.iter().take(read).map(|chunk| chunk.len()).sum::<usize>();
                let whole = partial / *reply;
                partial %= *reply;
                answered += whole;
                let next = whole.min(count - sent);
                sent += next;
                if next > 0 {
                    send.write_all(frames.get(..next * frame.len()).unwrap_or_default()).await?;
                }
            }
            Ok(count as f64 / started.elapsed().as_secs_f64())
        })
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.connection.close(quinn::VarInt::from_u32(0), b"");
        let Self { runtime, endpoint, .. } = self;
        let idle = async { tokio::time::timeout(Duration::from_millis(20), endpoint.wait_idle()).await };
        // The server notices at its idle timeout at the latest.
        runtime.block_on(idle).unwrap_or_default();
    }
}

/// The first of many attempts that succeeds.
///
/// # Errors
/// When none does in time.
pub(crate) async fn eagerly(endpoint: &Endpoint, address: SocketAddr) -> Result<Connection, Why> {
    let (started, mut attempts) = (Instant::now(), tokio::task::JoinSet::new());
    loop {
        if attempts.len() < 64 {
            attempts.spawn(endpoint.connect(address, "localhost")?.into_future());
        }
        match tokio::time::timeout(ATTEMPT_EVERY, attempts.join_next()).await {
            Ok(Some(Ok(Ok(connection)))) => return Ok(connection),
            Ok(Some(Ok(Err(error)))) if started.elapsed() > PATIENCE => return Err(error.into()),
            Err(_) if started.elapsed() > PATIENCE => return Err("no answer to a handshake".into()),
            Ok(_) => tokio::time::sleep(ATTEMPT_EVERY).await,
            Err(_) => {}
        }
    }
}

/// Believes exactly this certificate, as a root.
///
/// # Errors
/// When it does not read.
pub(crate) fn config(pem: &[u8]) -> Result<ClientConfig, Why> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    Ok(ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?)))
}
