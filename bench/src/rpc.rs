//! gRPC as a peer of the wire: a tonic server over TLS that answers unary calls with bytes of fixed length, and the bench's
//! own caller of it: one connection of HTTP/2 with so many calls in flight.

use crate::bare::acceptor;
use crate::figure::Why;
use crate::http::free;
use crate::lines;
use crate::process::{Process, until};
use crate::wire::own_program;
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use h2::client::SendRequest;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::process::Command;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::server::TlsStream;
use tonic::Status;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::Service;
use tonic::codegen::http::{Method, Request, Response, Version};
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::Connected;

/// LIMIT: calls of one connection that the server takes at a time: four times as many as are in flight.
const CALLS_MAX: u32 = 1_024;
/// Bytes of a request and of an answer, as the wire's own.
const ASKED: usize = 96;
const ANSWERED: usize = 48;

/// Serves until the process is ended. It has as many threads as the node has.
///
/// # Errors
/// When it cannot listen.
pub fn serve(listen: SocketAddr, certificate: &Path) -> Result<(), Why> {
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(8));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(listen).await?;
        let acceptor = acceptor(certificate, b"h2")?;
        let (sender, receiver) = tokio::sync::mpsc::channel::<io::Result<Encrypted>>(16);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                drop(stream.set_nodelay(true));
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                if sender.send(Ok(Encrypted(stream))).await.is_err() {
                    return;
                }
            }
        });
        let answer = Answer(Bytes::from(vec![0xA5; ANSWERED]));
        Server::builder()
            .max_concurrent_streams(CALLS_MAX)
            .add_service(answer)
            .serve_with_incoming(ReceiverStream::new(receiver))
            .await?;
        Ok(())
    })
}

/// What every call is answered with.
#[derive(Clone)]
struct Answer(Bytes);

impl NamedService for Answer {
    const NAME: &'static str = "bench.Checks";
}

impl Service<Request<Body>> for Answer {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let unary = Unary(self.0.clone());
        Box::pin(async move { Ok(Grpc::new(Raw).unary(unary, request).await) })
    }
}

struct Unary(Bytes);

impl UnaryService<Bytes> for Unary {
    type Response = Bytes;
    type Future = Ready<Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, _: tonic::Request<Bytes>) -> Self::Future {
        ready(Ok(tonic::Response::new(self.0.clone())))
    }
}

/// Messages as they are: what a generated codec would add is left out, to the peer's favour.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = from.remaining();
        Ok(Some(from.copy_to_bytes(length)))
    }
}

/// A connection as tonic wants it.
struct Encrypted(TlsStream<TcpStream>);

impl Connected for Encrypted {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// The server as a process, and one connection to it.
pub struct Rpc {
    runtime: Runtime,
    calls: SendRequest<Bytes>,
    message: Bytes,
    _process: Process,
}

impl Rpc {
    /// Starts the server and connects.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(folder: &Path) -> Result<Self, Why> {
        let (listen, certificate) = (free()?, folder.join("rpc.pem"));
        let mut command = Command::new(own_program()?);
        command.args(["rpc", "--listen", &listen.to_string(), "--certificate"]);
        let mut process = Process::start(command.arg(&certificate), &folder.join("rpc.log"))?;
        until(&mut process, &certificate)?;
        let connector = lines::connector(&std::fs::read(certificate)?, b"h2")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // Answers are small and many by intent: as many as are in flight may lie there unread.
        let mut builder = h2::client::Builder::new();
        builder.data_frame_budget(1 << 20);
        let calls = runtime.block_on(async {
            let (calls, connection) = builder.handshake(lines::connect(&connector, listen).await?).await?;
            tokio::spawn(async move { connection.await.unwrap_or_default() });
            Ok::<_, Why>(calls)
        })?;
        // Not compressed, the length, the message.
        let mut message = BytesMut::zeroed(5 + ASKED);
        message.get_mut(1..5).ok_or("no room")?.put_u32(u32::try_from(ASKED)?);
        Ok(Self { runtime, calls, message: message.freeze(), _process: process })
    }

    /// Calls per second with `depth` in flight, until about `count` were answered.
    ///
    /// # Errors
    /// When one is not answered as it should be.
    pub fn rate(&self, depth: usize, count: usize) -> Result<f64, Why> {
        let each = count.div_ceil(depth);
        self.runtime.block_on(async {
            let started = Instant::now();
            let mut running = tokio::task::JoinSet::new();
            for _ in 0..depth {
                let (mut calls, message) = (self.calls.clone(), self.message.clone());
                running.spawn(async move {
                    for _ in 0..each {
                        calls = call(calls, message.clone()).await?;
                    }
                    Ok::<_, Why>(())
                });
            }
            while let Some(ended) = running.join_next().await {
                ended??;
            }
            Ok((depth * each) as f64 / started.elapsed().as_secs_f64())
        })
    }
}

/// One unary call: its answer is read whole, and its trailers say that it went well.
async fn call(calls: SendRequest<Bytes>, message: Bytes) -> Result<SendRequest<Bytes>, Why> {
    let mut calls = calls.ready().await?;
    let request = Request::builder()
        .method(Method::POST)
        .version(Version::HTTP_2)
        .uri("https://localhost/bench.Checks/Check")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())?;
    let (answer, mut body) = calls.send_request(request, false)?;
    body.send_data(message, true)?;
    let mut answer = answer.await?.into_body();
    let mut read = 0;
    while let Some(data) = answer.data().await {
        let length = data?.len();
        read += length;
        answer.flow_control().release_capacity(length)?;
    }
    let trailers = answer.trailers().await?.ok_or("a call without trailers")?;
    let status = trailers.get("grpc-status").map(|status| status.as_bytes());
    if read == 5 + ANSWERED && status == Some(b"0") {
        Ok(calls)
    } else {
        Err("a call was answered with something else".into())
    }
}
