//! A commit in flight: what a store gives back at once, and what it becomes.

use crate::batch::Durable;
use crate::error::StorageError;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::oneshot;

/// A commit in flight. Resolves to the proof, or to why there is none.
#[derive(Debug)]
pub struct Commit(oneshot::Receiver<Result<Durable, StorageError>>);

impl Commit {
    /// A commit and the end that answers it.
    #[must_use]
    pub fn pair() -> (oneshot::Sender<Result<Durable, StorageError>>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self(receiver))
    }

    /// A commit that was answered at once.
    #[must_use]
    pub fn ready(answer: Result<Durable, StorageError>) -> Self {
        let (sender, commit) = Self::pair();
        // The receiver stands beside it: sending cannot fail.
        drop(sender.send(answer));
        commit
    }

    /// Waits on the caller's own thread. Not for use inside a runtime.
    ///
    /// # Errors
    /// As the commit.
    pub fn wait(self) -> Result<Durable, StorageError> {
        self.0.blocking_recv().unwrap_or(Err(StorageError::LaneStopped))
    }
}

impl Future for Commit {
    type Output = Result<Durable, StorageError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(StorageError::LaneStopped)))
    }
}
