//! A connection over HTTP/1.1. At rest it holds its stream and a timer. Plain questions are answered where they are
//! read ([`crate::short`]); anything else is hyper's, whose buffers go when the connection rests again.

use crate::accept::Served;
use crate::caller::Origin;
use crate::door::Shared;
use crate::plain::PLAIN_BYTES_MAX;
use crate::route;
use crate::short::{Desk, Taken};
use crate::stream::{Known, Stream};
use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, Version, header};
use hyper::body::{Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

/// LIMIT: looks at one connection that are answered before others on the thread have their turn.
const LOOKS_IN_A_ROW_MAX: u32 = 4;

/// What a thread reads and answers with; nothing in it outlives a look at one connection.
struct Scratch {
    read: Box<[u8]>,
    desk: Desk,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> =
        RefCell::new(Scratch { read: vec![0; PLAIN_BYTES_MAX].into(), desk: Desk::new() });
}

/// What came of a look at a connection.
enum Look {
    /// Questions were answered; what is not written yet.
    Answered(Vec<u8>),
    /// Something came that is not plain: it is read again.
    Other,
    /// The peer has ended it, or it broke.
    Over,
}

/// Serves requests until the peer or the drain ends the connection.
pub(crate) async fn serve<S>(stream: S, origin: Origin, served: Served)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let known = Arc::new(Known::default());
    let mut stream = Stream::new(stream, Arc::clone(&served.0), true, Arc::clone(&known));
    while plainly(&mut stream, &served.0, &origin).await {
        let general = generally(stream, &origin, &served, &known);
        let Some(back) = Box::pin(general).await else { return };
        stream = back;
    }
    // Whoever does not take the end of it is not waited for longer than for an answer.
    drop(stream.shutdown().await);
}

/// Answers plain questions; true when something else has come, false at the end of the connection.
async fn plainly<S>(stream: &mut Stream<S>, shared: &Arc<Shared>, origin: &Origin) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let patience = shared.limits.head;
    let mut draining = shared.draining.clone();
    let mut drained = pin!(draining.wait_for(|draining| *draining));
    let (mut timer, mut since) = (pin!(sleep(patience)), Instant::now());
    let mut looks = 0;
    loop {
        let look = poll_fn(|cx| {
            if let Poll::Ready(look) = look(stream, shared, origin, cx) {
                return Poll::Ready(look);
            }
            if drained.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Look::Over);
            }
            // Set anew only when it fires: an answer costs no timer.
            while timer.as_mut().poll(cx).is_ready() {
                if since.elapsed() >= patience {
                    return Poll::Ready(Look::Over);
                }
                timer.as_mut().reset(since + patience);
            }
            looks = 0;
            Poll::Pending
        });
        match look.await {
            Look::Answered(rest) => {
                let written = rest.is_empty() || stream.write_all(&rest).await.is_ok();
                if !written || stream.flush().await.is_err() {
                    return false;
                }
                since = Instant::now();
                looks += 1;
                // Whoever asks without a pause leaves room for others.
                if looks >= LOOKS_IN_A_ROW_MAX {
                    looks = 0;
                    yield_now().await;
                }
            }
            Look::Other => return true,
            Look::Over => return false,
        }
    }
}

/// Reads what is there and answers it, as far as it is plain.
fn look<S>(stream: &mut Stream<S>, shared: &Arc<Shared>, origin: &Origin, cx: &mut Context<'_>) -> Poll<Look>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    SCRATCH.with_borrow_mut(|Scratch { read, desk }| {
        desk.out.clear();
        let mut filled = 0;
        loop {
            let mut buffer = ReadBuf::new(read.get_mut(filled..).unwrap_or_default());
            let there = match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) => buffer.filled().len(),
                Poll::Ready(Err(_)) => return Poll::Ready(Look::Over),
                Poll::Pending if filled == 0 => return Poll::Pending,
                Poll::Pending => 0,
            };
            if there == 0 && filled == 0 {
                return Poll::Ready(Look::Over);
            }
            filled += there;
            let mut left = read.get(..filled).unwrap_or_default();
            let taken = loop {
                match desk.answer(shared, origin, left) {
                    Taken::Answered(length) => left = left.get(length..).unwrap_or_default(),
                    taken @ (Taken::Partial | Taken::Other) => break taken,
                }
                if left.is_empty() {
                    break Taken::Partial;
                }
            };
            if !desk.out.is_empty() {
                // What is left is looked at when these are written.
                if !left.is_empty() {
                    stream.put_back(left);
                }
                return Poll::Ready(write(stream, &desk.out, cx));
            }
            if taken == Taken::Other || there == 0 || filled == read.len() {
                stream.put_back(left);
                // It may hold a password, and stays here until something else comes.
                read.get_mut(..filled).unwrap_or_default().fill(0);
                return Poll::Ready(Look::Other);
            }
        }
    })
}

/// Writes answers as far as they are taken now.
fn write<S>(stream: &mut Stream<S>, out: &[u8], cx: &mut Context<'_>) -> Look
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut left = out;
    while !left.is_empty() {
        match Pin::new(&mut *stream).poll_write(cx, left) {
            Poll::Ready(Ok(count)) if count > 0 => left = left.get(count..).unwrap_or_default(),
            Poll::Ready(_) => return Look::Over,
            Poll::Pending => break,
        }
    }
    Look::Answered(left.to_vec())
}

/// What hyper is at.
#[derive(Default)]
struct Course {
    /// Requests that were begun, and answers that are not handed on whole.
    begun: AtomicUsize,
    open: AtomicUsize,
    /// Whether a request may end the connection, or make it another.
    leaves: AtomicBool,
}

impl Course {
    fn begin(self: &Arc<Self>, request: &hyper::Request<Incoming>) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        if request.version() != Version::HTTP_11 || !stays(request.headers()) {
            self.leaves.store(true, Ordering::Relaxed);
        }
    }

    /// Whether every request that was begun is answered, and there was one.
    fn is_done(&self) -> bool {
        self.begun.load(Ordering::Relaxed) > 0
            && self.open.load(Ordering::Relaxed) == 0
            && !self.leaves.load(Ordering::Relaxed)
    }
}

/// Whether a request's headers neither end the connection nor make it another.
fn stays(headers: &HeaderMap) -> bool {
    let mut said =
        headers.get_all(header::CONNECTION).iter().flat_map(|value| value.as_bytes().split(|at| *at == b','));
    said.all(|token| {
        let token = token.trim_ascii();
        !token.eq_ignore_ascii_case(b"close") && !token.eq_ignore_ascii_case(b"upgrade")
    })
}

/// An answer's content, counted until hyper has the last of it.
struct Counted(Body, Arc<Course>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// Lets hyper serve until a request is answered and nothing more is there; nothing at the end of the connection.
async fn generally<S>(
    stream: Stream<S>,
    origin: &Origin,
    (shared, router): &Served,
    known: &Arc<Known>,
) -> Option<Stream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = shared.limits;
    let course = Arc::new(Course::default());
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (shared, router, origin) = (Arc::clone(shared), router.clone(), origin.clone());
        let (course, known) = (Arc::clone(&course), Arc::clone(known));
        course.begin(&request);
        async move {
            let response = route::respond(&shared, router, origin, (request, &known.unread)).await;
            Ok::<_, Infallible>(response.map(|body| Counted(body, course)))
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_headers(limits.headers)
        .max_buf_size(limits.head_bytes.max(8_192))
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut draining = shared.draining.clone();
    let mut drained = pin!(draining.wait_for(|draining| *draining));
    let mut ends = false;
    let rests = poll_fn(|cx| {
        loop {
            if Pin::new(&mut connection).poll(cx).is_ready() {
                return Poll::Ready(false);
            }
            if course.is_done() && known.rests() {
                return Poll::Ready(true);
            }
            if ends || drained.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            ends = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
    });
    if !rests.await {
        return None;
    }
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner();
    stream.put_back(&parts.read_buf);
    if !parts.read_buf.is_empty() {
        yield_now().await;
    }
    Some(stream)
}
