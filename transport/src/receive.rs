//! Receiving in a buffer of its own size: 128 KiB for an endpoint at rest, half a mebibyte for a busy one, not three.
//!
//! The kernel hands out datagrams of one peer that came behind one another as one message of up to 64 KiB. quinn has a
//! buffer for 32 such messages of 92 KiB, which it asks for as zeros: in memory that a start has used and given back,
//! all of it is written over and stays in memory, however little ever comes. Here there is room for one message, and
//! for one more whenever all of them were filled at once, up to 8. quinn, told that a message is four datagrams at most,
//! gets them four by four: a copy of each, which is a small part of its decryption.

use quinn::udp::{BATCH_SIZE, RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

/// LIMIT: bytes of a message: UDP has no longer one, joined or not.
const MESSAGE_BYTES: usize = 64 * 1024;
/// LIMIT: messages that one call to the kernel gives, as soon as so many came at once.
const MESSAGES: usize = if BATCH_SIZE < 8 { BATCH_SIZE } else { 8 };

/// LIMIT: datagrams that are handed on as one message.
const SEGMENTS: usize = 4;

/// A socket that gives few datagrams at once.
pub(crate) struct Sparing {
    socket: Arc<dyn AsyncUdpSocket>,
    /// Nobody ever waits for it: an endpoint receives on one task.
    received: Mutex<Received>,
}

/// What was received and not handed on.
struct Received {
    /// Each for one message.
    parts: Vec<Box<[u8]>>,
    metas: [RecvMeta; MESSAGES],
    /// How many messages there are, which one is next, and how much of it was handed on.
    count: usize,
    next: usize,
    from: usize,
}

/// Room for one message.
fn part() -> Box<[u8]> {
    vec![0; MESSAGE_BYTES].into()
}

impl Sparing {
    pub(crate) fn over(socket: Arc<dyn AsyncUdpSocket>) -> Arc<Self> {
        let received = Received {
            parts: vec![part()],
            metas: [RecvMeta::default(); MESSAGES],
            count: 0,
            next: 0,
            from: 0,
        };
        Arc::new(Self { socket, received: Mutex::new(received) })
    }
}

impl Received {
    fn receive(&mut self, socket: &dyn AsyncUdpSocket, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.count == self.parts.len() && self.count < MESSAGES {
            self.parts.push(part());
        }
        let room = self.parts.len();
        let mut parts = self.parts.iter_mut();
        // What is behind the last part has no room, and is not shown.
        let mut slices: [IoSliceMut<'_>; MESSAGES] =
            std::array::from_fn(|_| IoSliceMut::new(parts.next().map_or(&mut [], |part| &mut **part)));
        let (slices, metas) = (slices.get_mut(..room), self.metas.get_mut(..room));
        let count = ready!(socket.poll_recv(cx, slices.unwrap_or_default(), metas.unwrap_or_default()))?;
        (self.count, self.next, self.from) = (count.min(room), 0, 0);
        Poll::Ready(Ok(()))
    }

    /// Puts the next datagrams of one message into a buffer. One that is longer than the buffer is longer than what peers were told
    /// to send: it comes out empty, so that whoever counts what was done counts it. `None` when there is none left.
    fn hand_on(&mut self, to: &mut [u8]) -> Option<RecvMeta> {
        if self.next >= self.count {
            return None;
        }
        let meta = self.metas.get(self.next).copied()?;
        let whole = self.parts.get(self.next)?.get(..meta.len)?;
        let (from, stride) = (self.from, meta.stride.clamp(1, MESSAGE_BYTES));
        let some = whole.get(from..).unwrap_or_default();
        let fits = (to.len() / stride).max(1) * stride;
        let some = some.get(..fits).unwrap_or(some);
        self.from += some.len();
        if self.from >= meta.len {
            (self.next, self.from) = (self.next + 1, 0);
        }
        let to = to.get_mut(..some.len());
        let len = to.as_ref().map_or(0, |to| to.len());
        if let Some(to) = to {
            to.copy_from_slice(some);
        }
        Some(RecvMeta { len, stride: stride.min(len), ..meta })
    }

    /// Hands on as many as there are buffers for.
    fn hand_on_all(&mut self, bufs: &mut [IoSliceMut<'_>], metas: &mut [RecvMeta]) -> usize {
        let mut given = 0;
        for (to, meta) in bufs.iter_mut().zip(metas) {
            let Some(found) = self.hand_on(to) else { break };
            *meta = found;
            given += 1;
        }
        given
    }
}

impl AsyncUdpSocket for Sparing {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.socket).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let given = received.hand_on_all(bufs, meta);
            // Nothing was asked for, or there is something.
            if given > 0 || bufs.is_empty() || meta.is_empty() {
                return Poll::Ready(Ok(given));
            }
            ready!(received.receive(&*self.socket, cx))?;
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.socket.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        SEGMENTS
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}

impl fmt::Debug for Sparing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::net::Ipv4Addr;
    use std::task::Waker;

    /// What comes of a kernel: messages of datagrams, each with its stride.
    #[derive(Debug)]
    struct Kernel(Mutex<VecDeque<(Vec<u8>, usize, u16)>>);

    impl AsyncUdpSocket for Kernel {
        fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
            unreachable!("nothing is sent")
        }
        fn try_send(&self, _: &Transmit<'_>) -> io::Result<()> {
            unreachable!("nothing is sent")
        }
        fn poll_recv(
            &self,
            _: &mut Context<'_>,
            bufs: &mut [IoSliceMut<'_>],
            metas: &mut [RecvMeta],
        ) -> Poll<io::Result<usize>> {
            let (mut waiting, mut count) = (self.0.lock().unwrap(), 0);
            for (to, meta) in bufs.iter_mut().zip(metas) {
                let Some((bytes, stride, port)) = waiting.pop_front() else { break };
                to[..bytes.len()].copy_from_slice(&bytes);
                let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                *meta = RecvMeta { addr, len: bytes.len(), stride, ..RecvMeta::default() };
                count += 1;
            }
            if count == 0 { Poll::Pending } else { Poll::Ready(Ok(count)) }
        }
        fn local_addr(&self) -> io::Result<SocketAddr> {
            Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)))
        }
        fn max_receive_segments(&self) -> usize {
            64
        }
    }

    /// PROPERTY: what comes in messages of any size comes out datagram by datagram, in that order, each of whom it
    /// came from, but for those that are longer than they may be; and then there is nothing. METHOD: random messages,
    /// asked for with random numbers of buffers.
    #[test]
    fn messages_come_out_as_datagrams() {
        let mut dice = 11_u64;
        let mut below = move |most: usize| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) as usize % most
        };
        let (mut messages, mut wanted) = (VecDeque::new(), VecDeque::new());
        for no in 0..400 {
            let (stride, port) = ([40, 1_200, 1_472, 1_473, 9_000][below(5)], 1 + no);
            let count = 1 + below(MESSAGE_BYTES.min(64 * 1_472) / stride);
            let len = (stride * count).saturating_sub(below(stride));
            let bytes: Vec<u8> = (0..len).map(|_| below(256) as u8).collect();
            for one in bytes.chunks(stride).filter(|one| one.len() <= SEGMENTS * 1_472) {
                wanted.push_back((one.to_vec(), port));
            }
            messages.push_back((bytes, stride, port));
        }
        let socket = Sparing::over(Arc::new(Kernel(Mutex::new(messages))));
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            let mut bytes = vec![0; SEGMENTS * 1_472 * BATCH_SIZE];
            let mut bufs: Vec<_> =
                bytes.chunks_mut(SEGMENTS * 1_472).map(IoSliceMut::new).take(1 + below(BATCH_SIZE)).collect();
            let mut metas = [RecvMeta::default(); BATCH_SIZE];
            let Poll::Ready(given) = socket.poll_recv(&mut cx, &mut bufs, &mut metas) else { break };
            let given = given.unwrap();
            assert!(given > 0, "nothing is no datagram");
            for (meta, buf) in metas.iter().zip(&bufs).take(given) {
                if meta.len == 0 {
                    continue;
                }
                for one in buf[..meta.len].chunks(meta.stride) {
                    let (bytes, port) = wanted.pop_front().expect("no more than came");
                    assert!(*one == bytes[..] && meta.addr.port() == port);
                }
            }
        }
        assert_eq!(wanted.len(), 0, "all of them came");
        assert!(socket.poll_recv(&mut cx, &mut [], &mut []).is_ready(), "nobody asks for anything");
    }
}
