//! One stream: drains what is readable, answers, writes once.

use crate::answer::{self, Drained};
use crate::connection::Line;
use crate::end::End;
use bytes::Bytes;
use quinn::{ReadError, RecvStream, SendStream};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tessera_wire::{Inbox, Outbox};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

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

/// When grown buffers are given back: after a while in which nobody spoke.
/// COST: the timer is set once per while, not at every read.
struct Rest {
    over: Pin<Box<Sleep>>,
    span: Duration,
    armed: bool,
    /// Whether something was read since the timer was set.
    heard: bool,
}

impl Rest {
    fn new(span: Duration) -> Self {
        Self { over: Box::pin(tokio::time::sleep(span)), span, armed: false, heard: false }
    }

    fn arm(&mut self) {
        (self.armed, self.heard) = (true, false);
        self.over.as_mut().reset(Instant::now() + self.span);
    }

    /// The while is over: was it quiet?
    fn was_quiet(&mut self) -> bool {
        let quiet = !self.heard;
        if quiet {
            self.armed = false
        } else {
            self.arm()
        }
        quiet
    }
}

/// What a stream woke up for.
enum Woken {
    Chunks(Result<Option<usize>, ReadError>),
    Reply(Outbox),
    Slow,
    Rest,
    Draining,
}

/// Serves one stream until either side ends it. An error closes the connection.
pub(crate) async fn run(line: Arc<Line>, mut send: SendStream, mut receive: RecvStream) -> Result<(), End> {
    let (replies, mut ready) = mpsc::channel(line.shared.limits.commands_in_flight.max(1));
    let (mut desk, mut rest) = (Desk::new(&line, replies), Rest::new(line.shared.limits.rest));
    let mut chunks = [const { Bytes::new() }; CHUNKS_MAX];
    let mut draining = line.shared.draining.clone();
    let mut drain_begun = false;
    loop {
        if desk.count() && !rest.armed {
            rest.arm();
        }
        let frame_end = desk.partial_since.map(|since| since + line.shared.limits.frame);
        let woken = tokio::select! {
            biased;
            Some(reply) = ready.recv(), if desk.running > 0 => Woken::Reply(reply),
            read = receive.read_chunks(&mut chunks) => Woken::Chunks(read),
            _ = draining.wait_for(|draining| *draining), if !drain_begun => Woken::Draining,
            () = until(frame_end), if frame_end.is_some() => Woken::Slow,
            () = &mut rest.over, if rest.armed => Woken::Rest,
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
            Woken::Slow => return Err(End::TOO_SLOW),
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

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
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
    let written = timeout(line.shared.limits.frame, send.write_all(outbox.as_bytes())).await;
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
