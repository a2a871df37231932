//! One stream: drains what is readable, answers, writes once.

use crate::answer::{self, Drained};
use crate::connection::Line;
use crate::end::End;
use bytes::Bytes;
use quinn::{ReadError, RecvStream, SendStream};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;
use tessera_wire::{Inbox, Outbox};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, timeout};

/// LIMIT: chunks taken from a stream at once: about one datagram each, 64 KiB together.
const CHUNKS_MAX: usize = 48;
/// LIMIT: bytes of buffers that a resting stream keeps: a page for requests, and one for replies.
const RESTING_BYTES: usize = 8 * 1024;
/// LIMIT: how long a peer may take to acknowledge the last replies of a drain.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a stream works with.
pub(crate) struct Desk {
    pub(crate) line: Arc<Line>,
    pub(crate) inbox: Inbox,
    pub(crate) outbox: Outbox,
    /// Where commands that run beside put their replies.
    pub(crate) replies: mpsc::Sender<Outbox>,
    pub(crate) batch: tessera_wire::DecisionBatchWriter,
    /// Whether a whole frame ever came.
    pub(crate) used: bool,
    /// Commands and lists of this stream that run.
    pub(crate) running: usize,
    /// Since when the beginning of a frame waits for its rest.
    pub(crate) partial_since: Option<Instant>,
    /// Bytes of buffers that are counted in the figures.
    counted: u64,
}

impl Desk {
    fn new(line: &Arc<Line>, replies: mpsc::Sender<Outbox>) -> Self {
        Self {
            line: Arc::clone(line),
            inbox: if line.is_bound() { Inbox::default() } else { Inbox::before_hello() },
            outbox: Outbox::new(),
            replies,
            batch: Default::default(),
            used: false,
            running: 0,
            partial_since: None,
            counted: 0,
        }
    }

    /// Counts the buffers anew; whether they have grown.
    fn count(&mut self) -> bool {
        let held = self.inbox.capacity() + self.outbox.capacity() + self.batch.capacity();
        self.recount(u64::try_from(held).unwrap_or(u64::MAX));
        held > RESTING_BYTES
    }

    fn recount(&mut self, held: u64) {
        let bytes = &self.line.shared.counters.buffer_bytes;
        if held > self.counted {
            bytes.fetch_add(held - self.counted, Ordering::Relaxed);
        } else if held < self.counted {
            bytes.fetch_sub(self.counted - held, Ordering::Relaxed);
        }
        self.counted = held;
    }

    /// Gives the buffers back.
    fn give_back(&mut self) {
        self.inbox.rest();
        self.outbox = Outbox::new();
        self.batch = Default::default();
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.recount(0);
    }
}

/// A while that begins anew again and again, on one timer.
/// COST: the timer is set once per while, not at every read.
struct While {
    over: Pin<Box<Sleep>>,
    armed: bool,
}

impl While {
    fn new(span: Duration) -> Self {
        Self { over: Box::pin(tokio::time::sleep(span)), armed: false }
    }

    fn arm(&mut self, until: Instant) {
        self.armed = true;
        self.over.as_mut().reset(until);
    }

    /// Waits for its end; for ever where it has not begun.
    async fn over(&mut self) {
        if self.armed {
            self.over.as_mut().await;
        } else {
            std::future::pending().await
        }
    }
}

/// When grown buffers are given back: after a while in which nobody spoke.
struct Rest {
    quiet: While,
    span: Duration,
    /// Whether something was read since the timer was set.
    heard: bool,
}

impl Rest {
    fn new(span: Duration) -> Self {
        Self { quiet: While::new(span), span, heard: false }
    }

    fn arm(&mut self) {
        self.heard = false;
        self.quiet.arm(Instant::now() + self.span);
    }

    /// The while is over: was it quiet?
    fn was_quiet(&mut self) -> bool {
        let quiet = !self.heard;
        if quiet {
            self.quiet.armed = false
        } else {
            self.arm()
        }
        quiet
    }
}

/// The while is over in which the rest of a frame had to come: whether it has waited so long, and is not another frame
/// that began later.
fn is_slow(rest_of_frame: &mut While, desk: &Desk) -> bool {
    rest_of_frame.armed = false;
    let Some(since) = desk.partial_since else { return false };
    let until = since + desk.line.shared.limits.frame;
    let slow = until <= Instant::now();
    if !slow {
        rest_of_frame.arm(until);
    }
    slow
}

/// What a stream woke up for.
enum Woken {
    Chunks(Result<Option<usize>, ReadError>),
    Reply(Outbox),
    Frame,
    Rest,
    Draining,
}

/// Serves one stream until either side ends it. An error closes the connection.
pub(crate) async fn run(line: Arc<Line>, mut send: SendStream, mut receive: RecvStream) -> Result<(), End> {
    let (replies, mut ready) = mpsc::channel(line.shared.limits.commands_in_flight.max(1));
    let (mut desk, mut rest) = (Desk::new(&line, replies), Rest::new(line.shared.limits.rest));
    let mut rest_of_frame = While::new(line.shared.limits.frame);
    let mut chunks = [const { Bytes::new() }; CHUNKS_MAX];
    let mut draining = line.shared.draining.clone();
    // Waited for once: a reader that comes and goes with every read costs two turns of a lock that all streams share.
    let mut drained = std::pin::pin!(draining.wait_for(|draining| *draining));
    let mut drain_begun = false;
    loop {
        arm(&mut desk, &mut rest, &mut rest_of_frame);
        let woken = tokio::select! {
            biased;
            Some(reply) = ready.recv(), if desk.running > 0 => Woken::Reply(reply),
            read = receive.read_chunks(&mut chunks) => Woken::Chunks(read),
            _ = &mut drained, if !drain_begun => Woken::Draining,
            () = rest_of_frame.over() => Woken::Frame,
            () = rest.quiet.over() => Woken::Rest,
        };
        let mut ended = false;
        match woken {
            Woken::Reply(reply) => take(&mut desk, &reply),
            Woken::Chunks(Ok(Some(count))) => {
                rest.heard = true;
                chunks.iter_mut().take(count).for_each(|chunk| desk.inbox.extend(&std::mem::take(chunk)));
                loop {
                    match answer::drain(&mut desk)? {
                        Drained::Answered => break,
                        Drained::More => {
                            write(&line, &mut send, &mut desk.outbox).await?;
                            // A peer that always reads is no reason to keep the thread from the others.
                            tokio::task::yield_now().await;
                        }
                        Drained::Last(end) => return last(&line, &mut send, &desk.outbox, end).await,
                    }
                }
            }
            Woken::Chunks(Ok(None)) => ended = true,
            Woken::Chunks(Err(_)) => return unused(&desk),
            Woken::Frame if is_slow(&mut rest_of_frame, &desk) => return Err(End::TOO_SLOW),
            Woken::Frame => {}
            Woken::Rest if rest.was_quiet() => desk.give_back(),
            Woken::Rest => {}
            Woken::Draining => drain_begun = true,
        }
        if ended || drain_begun {
            // Nothing more is taken: what runs is waited for, and its replies are the last ones.
            // A peer that reads no more, or has gone, waits for nothing: what runs for it is told when `ready` goes.
            let mut stopped = std::pin::pin!(send.stopped());
            while desk.running > 0 {
                let reply = tokio::select! {
                    biased;
                    reply = ready.recv() => reply,
                    _ = &mut stopped => None,
                };
                let Some(reply) = reply else { return unused(&desk) };
                take(&mut desk, &reply);
            }
        }
        while let Ok(reply) = ready.try_recv() {
            take(&mut desk, &reply);
        }
        write(&line, &mut send, &mut desk.outbox).await?;
        if ended || drain_begun {
            // The peer may have reset its side; then there is nobody to finish for.
            drop(send.finish());
            drop(timeout(LAST_WORDS, send.stopped()).await);
            // The peer has said its last, and it is half a frame: the rest will not come in time.
            return if ended && desk.inbox.is_partial() { Err(End::TOO_SLOW) } else { unused(&desk) };
        }
    }
}

/// Sets the clocks that are to run now.
fn arm(desk: &mut Desk, rest: &mut Rest, rest_of_frame: &mut While) {
    if desk.count() && !rest.quiet.armed {
        rest.arm();
    }
    if let Some(since) = desk.partial_since.filter(|_| !rest_of_frame.armed) {
        rest_of_frame.arm(since + desk.line.shared.limits.frame);
    }
}

fn take(desk: &mut Desk, reply: &Outbox) {
    desk.running = desk.running.saturating_sub(1);
    desk.outbox.append(reply);
}

/// One write of everything that waits. A peer that does not read its replies is closed.
async fn write(line: &Line, send: &mut SendStream, outbox: &mut Outbox) -> Result<(), End> {
    if outbox.is_empty() {
        return Ok(());
    }
    let written = {
        let mut writing = std::pin::pin!(send.write_all(outbox.as_bytes()));
        // Mostly there is room: no clock is read and no timer made where nothing waits.
        match poll_fn(|cx| Poll::Ready(writing.as_mut().poll(cx))).await {
            Poll::Ready(written) => Ok(written),
            Poll::Pending => timeout(line.shared.limits.frame, writing).await,
        }
    };
    outbox.clear();
    match written {
        Ok(Ok(())) => Ok(()),
        // The peer stopped reading this stream: its own affair.
        Ok(Err(_)) => Ok(()),
        Err(_) => Err(End::TOO_SLOW),
    }
}

/// Says the last words before the connection is closed, and waits until they are read.
async fn last(line: &Line, send: &mut SendStream, outbox: &Outbox, end: End) -> Result<(), End> {
    if timeout(line.shared.limits.frame, send.write_all(outbox.as_bytes()))
        .await
        .is_ok_and(|sent| sent.is_ok())
    {
        drop(send.finish());
        drop(timeout(LAST_WORDS, send.stopped()).await);
    }
    Err(end)
}

/// A stream that ended without ever having brought a whole frame counts against the connection.
fn unused(desk: &Desk) -> Result<(), End> {
    if desk.used {
        return Ok(());
    }
    let count = desk.line.empty_streams.fetch_add(1, Ordering::Relaxed) + 1;
    if count > desk.line.shared.limits.empty_streams { Err(End::LIMIT) } else { Ok(()) }
}
