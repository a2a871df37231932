//! What stands behind a request's head: an answer that comes before all of it was read reads the rest,
//! or says that the connection ends (RFC 9112 sections 9.3 and 9.6).

use crate::limits::BODY_BYTES_MAX;
use axum::body::{Body, HttpBody};
use axum::http::request::Parts;
use axum::http::{Version, header};
use hyper::body::{Bytes, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

type Lent = Arc<Mutex<Incoming>>;

/// A request's content, lent to whoever answers.
pub(crate) struct Content {
    lent: Lent,
    /// Whether so much of it may be read for nothing.
    small: bool,
}

struct Borrowed(Lent);

impl Content {
    /// Lends the content; nothing to look after when there is none, and over HTTP/2.
    pub(crate) fn lend(parts: &Parts, content: Incoming) -> (Body, Option<Self>) {
        if parts.version >= Version::HTTP_2 || content.is_end_stream() {
            return (Body::new(content), None);
        }
        let length = content.size_hint().exact();
        let small = length.is_some_and(|length| length <= BODY_BYTES_MAX as u64);
        // Who waits to be asked for content (RFC 9110 section 10.1.1) is not asked for nothing.
        let small = small && !parts.headers.contains_key(header::EXPECT);
        let lent = Arc::new(Mutex::new(content));
        (Body::new(Borrowed(Arc::clone(&lent))), Some(Self { lent, small }))
    }

    /// Whether all of it is read, now or in a moment: else the connection must end.
    pub(crate) async fn finish(self, patience: Duration) -> bool {
        let rest = Borrowed(self.lent);
        if rest.is_end_stream() {
            return true;
        }
        if !self.small {
            return false;
        }
        let read = axum::body::to_bytes(Body::new(rest), BODY_BYTES_MAX);
        tokio::time::timeout(patience, read).await.is_ok_and(|read| read.is_ok())
    }
}

impl HttpBody for Borrowed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut content = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *content).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}
