//! The bytes of a connection: whoever does not take its answers is cut off, what is refused before it is a
//! request at all gets its problem document too, and an answer that came early is not lost to a reset.

use crate::caller::Listed;
use crate::cross;
use crate::door::Shared;
use crate::figures::add;
use crate::problem::Problem;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// LIMIT: bytes of an answer that hyper gives by itself: a status line and three headers.
const BARE_MAX: usize = 256;
/// LIMIT: bytes that are read and dropped behind an answer that ends a connection.
const REST_MAX: usize = 16 * 1024 * 1024;
/// How long a peer that sends nothing more is waited for then.
const REST_PAUSE: Duration = Duration::from_secs(2);
/// Bytes of the rest that are read at once.
const REST_CHUNK: usize = 4 * 1024;

/// What is known of a connection beside its bytes: one task writes and reads it.
#[derive(Default)]
pub(crate) struct Known {
    /// Whether a request was answered whose content is not read to its end.
    pub(crate) unread: AtomicBool,
    /// Whether bytes were given that may not have gone out.
    unflushed: AtomicBool,
    /// Whether the last look for bytes found none.
    waits: AtomicBool,
    /// Whether it ends.
    ends: AtomicBool,
}

impl Known {
    /// Whether everything is written, nothing more is there, and it goes on.
    pub(crate) fn rests(&self) -> bool {
        let is = |what: &AtomicBool| what.load(Ordering::Relaxed);
        is(&self.waits) && !is(&self.unflushed) && !is(&self.ends) && !is(&self.unread)
    }
}

/// A connection as hyper sees it.
pub(crate) struct Stream<S> {
    inner: S,
    shared: Arc<Shared>,
    /// Whether HTTP/1.1 is spoken.
    one: bool,
    /// Bytes in the place of some of hyper's own, and how many of them are written.
    instead: (Vec<u8>, usize),
    /// Bytes that were read and are read again, and how many of them are.
    ahead: (Vec<u8>, usize),
    /// Runs while the peer takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    known: Arc<Known>,
    /// How the rest is dropped, once what was to be written is.
    rest: Option<Rest>,
}

/// What a peer sends behind the last answer.
struct Rest {
    read: usize,
    /// When nothing is waited for any more, whatever comes.
    until: Instant,
    pause: Pin<Box<Sleep>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    pub(crate) fn new(inner: S, shared: Arc<Shared>, one: bool, known: Arc<Known>) -> Self {
        let (instead, ahead) = ((Vec::new(), 0), (Vec::new(), 0));
        Self { inner, shared, one, instead, ahead, stalled: None, known, rest: None }
    }

    /// Bytes that were read come again, before all others.
    pub(crate) fn put_back(&mut self, bytes: &[u8]) {
        let left = self.ahead.0.get(self.ahead.1..).unwrap_or_default();
        let ahead = [bytes, left].concat();
        self.ahead = (ahead, 0);
    }

    /// Drops what the peer still sends until it has seen the answer and ends, within bounds: a socket closed
    /// over unread bytes is reset, and the answer with it (RFC 9112 section 9.6).
    fn drop_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(rest) = &mut self.rest else { return Poll::Ready(()) };
        let mut chunk = [0_u8; REST_CHUNK];
        loop {
            let mut buffer = ReadBuf::new(&mut chunk);
            let polled = Pin::new(&mut self.inner).poll_read(cx, &mut buffer);
            let count = buffer.filled().len();
            match polled {
                Poll::Ready(Ok(())) if count > 0 && rest.read < REST_MAX && Instant::now() < rest.until => {
                    rest.read += count;
                    rest.pause.as_mut().reset(rest.until.min(Instant::now() + REST_PAUSE));
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return rest.pause.as_mut().poll(cx),
            }
        }
    }

    /// Hands on what the peer says to bytes; a peer that takes none for too long is gone.
    fn patient<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let patience = self.shared.limits.body;
        let sleep = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Writes what stands in the place of hyper's own bytes.
    fn replaced(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.instead.0.get(self.instead.1..).filter(|rest| !rest.is_empty()) {
            let polled = Pin::new(&mut self.inner).poll_write(cx, rest);
            self.instead.1 += ready!(self.patient(cx, polled))?;
        }
        self.instead = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }
}

/// The problem document for an answer that hyper gives by itself, before there is a request (RFC 9112
/// sections 2.2, 3 and 5); every answer of the door's own says `nosniff`.
fn document(shared: &Shared, written: &[u8]) -> Option<Vec<u8>> {
    if written.len() > BARE_MAX || written.windows(7).any(|word| word == b"nosniff") {
        return None;
    }
    let problem = match written.strip_prefix(b"HTTP/1.1 ")?.get(..3)? {
        b"400" => Problem::no_request(),
        b"414" => Problem::target_too_long(),
        b"431" => Problem::head_too_large(),
        _ => return None,
    };
    add(&shared.counters.requests, 1);
    add(&shared.counters.refused, 1);
    let body = problem.to_json().to_string();
    let mut response = problem.into_response();
    cross::finish(shared, (None, Listed::No), &mut response);
    let mut bytes = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    }
    let tail = format!("connection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    bytes.extend_from_slice(tail.as_bytes());
    Some(bytes)
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(ahead) = self.ahead.0.get(self.ahead.1..).filter(|ahead| !ahead.is_empty()) {
            let (now, later) = ahead.split_at(ahead.len().min(buffer.remaining()));
            buffer.put_slice(now);
            let (read, done) = (now.len(), later.is_empty());
            self.ahead.1 += read;
            if done {
                self.ahead = (Vec::new(), 0);
            }
            return Poll::Ready(Ok(()));
        }
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        self.known.waits.store(polled.is_pending(), Ordering::Relaxed);
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.known.unflushed.store(true, Ordering::Relaxed);
        ready!(self.replaced(cx))?;
        if self.one
            && let Some(document) = document(&self.shared, bytes)
        {
            self.instead = (document, 0);
            self.known.unread.store(true, Ordering::Relaxed);
            // What is not taken at once goes with the flush.
            if let Poll::Ready(Err(error)) = self.replaced(cx) {
                return Poll::Ready(Err(error));
            }
            return Poll::Ready(Ok(bytes.len()));
        }
        let polled = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.patient(cx, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.replaced(cx))?;
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        if polled.is_ready() {
            self.known.unflushed.store(false, Ordering::Relaxed);
        }
        self.patient(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.known.ends.store(true, Ordering::Relaxed);
        ready!(self.replaced(cx))?;
        if self.rest.is_none() {
            let polled = Pin::new(&mut self.inner).poll_shutdown(cx);
            ready!(self.patient(cx, polled))?;
            if !self.known.unread.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
            let until = Instant::now() + self.shared.limits.body;
            let pause = Box::pin(tokio::time::sleep_until(until.min(Instant::now() + REST_PAUSE)));
            self.rest = Some(Rest { read: 0, until, pause });
        }
        ready!(self.drop_rest(cx));
        Poll::Ready(Ok(()))
    }
}
