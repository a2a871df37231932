//! Where a tenant's actor is reached: its mailbox, and the call that brings it there from its intake.
//!
//! An actor that drains stays with the intake and waits there. INVARIANT: whatever goes into its mailbox besides
//! "drain" goes through here, and calls it first: else it would lie there until the next command came.

use crate::actor::TenantMessage;
use crate::admit::Intake;
use ractor::{ActorRef, MessagingErr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many things of other kinds than "drain" are in an actor's mailbox, or about to be.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<AtomicUsize>);

impl Calls {
    /// Whether the mailbox goes before commands.
    pub(crate) fn are_there(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }

    /// One more of them is about to come.
    pub(crate) fn one_more(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    /// One of them was taken from the mailbox, or never came into it.
    pub(crate) fn answered(&self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A tenant's actor.
#[derive(Clone)]
pub(crate) struct Writer {
    actor: ActorRef<TenantMessage>,
    intake: Arc<Intake>,
    calls: Calls,
}

impl Writer {
    /// An actor that begins with an intake, of which it is told with [`Writer::drain`] once it may.
    pub(crate) fn new(actor: ActorRef<TenantMessage>, intake: &Arc<Intake>, calls: Calls) -> Self {
        intake.begin();
        Self { actor, intake: Arc::clone(intake), calls }
    }

    /// Its number, for whoever hears of its end.
    pub(crate) fn pid(&self) -> u64 {
        self.actor.get_id().pid()
    }

    /// Tells it that commands wait: for whoever [`Intake::admit`] asks to.
    ///
    /// # Errors
    /// When it has ended, or is to.
    pub(crate) fn drain(&self) -> Result<(), MessagingErr<TenantMessage>> {
        self.actor.cast(TenantMessage::Drain)
    }

    /// Puts something into its mailbox.
    ///
    /// # Errors
    /// When it has ended, or is to.
    pub(crate) fn cast(&self, message: TenantMessage) -> Result<(), MessagingErr<TenantMessage>> {
        self.call();
        let sent = self.actor.cast(message);
        if sent.is_err() {
            self.calls.answered();
        }
        sent
    }

    /// Ends it behind the batch in flight, and waits for that.
    pub(crate) async fn stop_and_wait(&self) {
        self.call();
        self.actor.stop(None);
        drop(self.actor.wait(None).await);
    }

    /// Ends it behind all that waits, and waits for that.
    pub(crate) async fn drain_and_wait(&self) {
        self.call();
        drop(self.drain());
        drop(self.actor.drain());
        drop(self.actor.wait(None).await);
    }

    /// Calls it to its mailbox, for something that comes there behind this.
    fn call(&self) {
        self.calls.one_more();
        self.intake.wake();
    }
}
