//! Admission: the bounded intake of one tenant, its only queue.
//!
//! Permits are places in the queue: beyond them the answer is Busy, at once. Commands that narrow
//! have permits of their own and are drained first. The actor's mailbox only learns "drain".

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use tessera_model::command::Ordered;
use tessera_model::limits::{INTAKE_MAX, INTAKE_RESERVED_MAX, LOADS_WAITING_MAX};
use tessera_model::{Limit, Receipt, Refusal};
use tokio::sync::oneshot;

use crate::state::Made;

/// A command that was done: where it went and what it made.
#[derive(Clone)]
pub struct Done {
    /// The proof of the write; of a repeat, the proof of the first time.
    pub receipt: Receipt,
    /// What was made. Empty for a repeat: secrets are shown once.
    pub made: Made,
    /// Whether it had been done before under the same id.
    pub repeat: bool,
}

impl Done {
    /// What a command is told that was done now.
    pub(crate) fn now(receipt: Receipt, made: Made) -> Outcome {
        Ok(Box::new(Self { receipt, made, repeat: false }))
    }
}

/// The answer to a command, when it is known. It goes from hand to hand: hundreds of bytes stay where they are.
pub(crate) type Outcome = Result<Box<Done>, Refusal>;

/// A command in the intake, as [`Outcome`] kept in one place. Its reply, dropped unanswered, reads as Unknown.
pub(crate) struct Waiting {
    pub(crate) ordered: Box<Ordered>,
    pub(crate) reply: oneshot::Sender<Outcome>,
}

#[derive(Default)]
struct Queues {
    narrow: VecDeque<Waiting>,
    wide: VecDeque<Waiting>,
    /// Long work: it takes none of the others' permits and waits behind them, one at a time.
    bulk: VecDeque<Waiting>,
}

impl Queues {
    fn len(&self) -> usize {
        self.narrow.len() + self.wide.len() + self.bulk.len()
    }
}

/// The intake of one tenant.
#[derive(Default)]
pub(crate) struct Intake {
    queues: Mutex<Queues>,
    /// The actor knows that commands wait: it drains, or is about to.
    told: AtomicBool,
}

impl Intake {
    /// Queues a command. `Ok(true)` when the actor must be told to drain.
    ///
    /// # Errors
    /// `Busy` when its permits are taken.
    pub(crate) fn admit(&self, waiting: Waiting) -> Result<bool, Refusal> {
        let kind = waiting.ordered.command.kind();
        let narrows = kind.narrows();
        if kind.is_bulk() {
            let mut queues = self.queues.lock();
            if queues.bulk.len() >= LOADS_WAITING_MAX {
                return Err(Limit::LoadsWaiting.busy());
            }
            queues.bulk.push_back(waiting);
        } else {
            let mut queues = self.queues.lock();
            let taken = queues.narrow.len() + queues.wide.len();
            let room = if narrows { INTAKE_MAX } else { INTAKE_MAX - INTAKE_RESERVED_MAX };
            if taken >= room {
                return Err(Refusal::Busy(Limit::Intake.at(room as u64)));
            }
            if narrows {
                queues.narrow.push_back(waiting);
            } else {
                queues.wide.push_back(waiting);
            }
        }
        Ok(!self.told.swap(true, Ordering::AcqRel))
    }

    /// Takes up to `most` commands, those that narrow first but never more than three quarters, and behind
    /// them, where there is room, one that is long work.
    pub(crate) fn take(&self, most: usize) -> Vec<Waiting> {
        let mut queues = self.queues.lock();
        let narrow = queues.narrow.len().min(if queues.wide.is_empty() { most } else { most * 3 / 4 });
        let mut taken: Vec<_> = queues.narrow.drain(..narrow).collect();
        let wide = queues.wide.len().min(most - narrow);
        taken.extend(queues.wide.drain(..wide));
        if taken.len() < most {
            taken.extend(queues.bulk.pop_front());
        }
        taken
    }

    /// Whether nothing waits, so that the actor rests: whoever comes from here on tells it. INVARIANT: said behind the
    /// lock under which commands queue: one that this did not see finds the actor untold.
    pub(crate) fn rests(&self) -> bool {
        let queues = self.queues.lock();
        let rests = queues.len() == 0;
        if rests {
            self.told.store(false, Ordering::Release);
        }
        rests
    }

    /// How many commands wait.
    pub(crate) fn len(&self) -> usize {
        self.queues.lock().len()
    }

    /// Turns down what waits: nothing of it happened. For a tenant that has failed or is closed.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        let waiting: Vec<_> = {
            let mut queues = self.queues.lock();
            let Queues { narrow, wide, bulk } = std::mem::take(&mut *queues);
            narrow.into_iter().chain(wide).chain(bulk).collect()
        };
        for one in waiting {
            // Whoever waited may be gone.
            drop(one.reply.send(Err(refusal)));
        }
    }
}

/// With a full disk or tail only commands that narrow are decided; the others are told at once.
pub(crate) fn refuse_wide(waiting: VecDeque<Waiting>, refusal: Refusal) -> VecDeque<Waiting> {
    refuse_but(waiting, refusal, |one| one.ordered.command.kind().narrows())
}

/// Turns down what is not kept.
pub(crate) fn refuse_but(
    waiting: VecDeque<Waiting>,
    refusal: Refusal,
    kept: impl Fn(&Waiting) -> bool,
) -> VecDeque<Waiting> {
    let (kept, others): (VecDeque<_>, VecDeque<_>) = waiting.into_iter().partition(kept);
    for one in others {
        drop(one.reply.send(Err(refusal)));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use tessera_model::command::{ENTROPY_BYTES, Entropy};
    use tessera_model::{Caller, Command, CommandId, UnixMillis};
    use tokio::sync::oneshot::Receiver;

    fn waiting() -> (Waiting, Receiver<Outcome>) {
        let (reply, outcome) = oneshot::channel();
        let ordered = Ordered {
            command: Command::NoteActings {},
            id: CommandId([0; 16]),
            caller: Caller::Node,
            fingerprint: 0,
            entropy: Entropy([0; ENTROPY_BYTES]),
            trial: false,
            admitted: UnixMillis(0),
        };
        (Waiting { ordered: Box::new(ordered), reply }, outcome)
    }

    /// PROPERTY: who drains is told once until it rests, and of whatever came behind that anew.
    #[test]
    fn one_message_until_the_actor_rests() {
        let intake = Intake::default();
        assert!(matches!(intake.admit(waiting().0), Ok(true)));
        assert!(matches!(intake.admit(waiting().0), Ok(false)));
        assert_eq!(intake.take(1).len(), 1);
        assert!(!intake.rests());
        assert!(matches!(intake.admit(waiting().0), Ok(false)), "it still drains");
        assert_eq!(intake.take(8).len(), 2);
        assert!(intake.rests());
        assert!(matches!(intake.admit(waiting().0), Ok(true)));
    }

    /// PROPERTY: no command is left behind untold, whenever it comes. METHOD: threads that admit beside one that
    /// drains as an actor does; when all are done and every message is taken, nothing waits.
    #[test]
    fn nothing_waits_untold() {
        let intake = Intake::default();
        let (tell, told) = mpsc::channel::<()>();
        let taken = std::thread::scope(|scope| {
            for _ in 0..3 {
                let (intake, tell) = (&intake, tell.clone());
                scope.spawn(move || {
                    for _ in 0..4_000 {
                        match intake.admit(waiting().0) {
                            Ok(true) => tell.send(()).unwrap(),
                            Ok(false) => {}
                            Err(_) => std::thread::yield_now(),
                        }
                    }
                });
            }
            drop(tell);
            let mut taken = 0;
            while told.recv().is_ok() {
                loop {
                    taken += intake.take(5).len();
                    if intake.rests() {
                        break;
                    }
                }
            }
            taken
        });
        assert_eq!(intake.len(), 0);
        assert!(taken > 0);
    }
}
