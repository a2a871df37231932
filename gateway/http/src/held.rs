//! Answers that wait for their peer: HTTP/2 lets a peer open no window (RFC 9113 section 5.2), and so
//! take an answer never. A connection that keeps one too long is closed.

use axum::body::{Body, HttpBody};
use hyper::body::{Bytes, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

/// Answers of one connection that are not sent whole, counted by the turn in which they were given.
/// LIMIT: an answer has two turns, and what is left of the one it came in.
#[derive(Default)]
pub(crate) struct Waiting {
    turn: AtomicUsize,
    given: [AtomicUsize; 3],
}

impl Waiting {
    fn of(&self, turn: usize) -> Option<&AtomicUsize> {
        self.given.get(turn % self.given.len())
    }

    /// Begins the next turn; false when an answer of three turns ago still waits.
    pub(crate) fn turn(&self) -> bool {
        let next = self.turn.load(Ordering::Relaxed) + 1;
        let left = self.of(next).map_or(0, |count| count.load(Ordering::Relaxed));
        self.turn.store(next, Ordering::Relaxed);
        left == 0
    }

    /// Counts an answer until the last of it is handed on.
    pub(crate) fn hold(self: &Arc<Self>, body: Body) -> Body {
        if body.is_end_stream() {
            return body;
        }
        let turn = self.turn.load(Ordering::Relaxed);
        if let Some(count) = self.of(turn) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Body::new(Held { body, waiting: Arc::clone(self), turn })
    }
}

/// A body that counts.
struct Held {
    body: Body,
    waiting: Arc<Waiting>,
    turn: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(count) = self.waiting.of(self.turn) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: an answer has two whole turns; one that is sent in time leaves nothing.
    #[test]
    fn an_answer_has_two_turns() {
        let waiting = Arc::new(Waiting::default());
        let held = waiting.hold(Body::from("x"));
        drop(waiting.hold(Body::empty()));
        assert!(waiting.turn() && waiting.turn(), "two turns");
        assert!(!waiting.turn(), "no third");
        drop(held);
        assert!((0..9).all(|_| waiting.turn()));
    }
}
