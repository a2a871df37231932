//! Admission: the bounded intake of one tenant, its only queue.
//!
//! Permits are places in the queue: beyond them the answer is Busy, at once. Commands that narrow
//! have permits of their own and are drained first. The actor's mailbox only learns "drain".

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};
use tessera_model::command::Ordered;
use tessera_model::limits::{INTAKE_MAX, INTAKE_RESERVED_MAX, LOADS_WAITING_MAX};
use tessera_model::{Limit, Receipt, Refusal};
use tokio::sync::oneshot;

use crate::state::Made;
use crate::supervisor::Calls;

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

/// What the actor knows of the commands that wait.
#[derive(Default)]
enum Actor {
    /// Nothing: whoever comes next tells it.
    #[default]
    Untold,
    /// It drains, or is about to.
    Told,
    /// It has drained and waits here, to be woken.
    Rests(Waker),
}

#[derive(Default)]
struct Queues {
    narrow: VecDeque<Waiting>,
    wide: VecDeque<Waiting>,
    /// Long work: it takes none of the others' permits and waits behind them, one at a time.
    bulk: VecDeque<Waiting>,
    actor: Actor,
}

impl Queues {
    fn len(&self) -> usize {
        self.narrow.len() + self.wide.len() + self.bulk.len()
    }
}

/// What is next for an actor that has seen a batch through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Next {
    /// Commands wait.
    Drain,
    /// It goes to its mailbox, and is told anew when commands come.
    Leave,
    /// It goes to its mailbox although commands wait, and tells itself to come back.
    Return,
}

/// The intake of one tenant.
#[derive(Default)]
pub(crate) struct Intake(Mutex<Queues>);

impl Intake {
    /// Queues a command. `Ok(true)` when the actor must be told to drain.
    ///
    /// # Errors
    /// `Busy` when its permits are taken.
    pub(crate) fn admit(&self, waiting: Waiting) -> Result<bool, Refusal> {
        let kind = waiting.ordered.command.kind();
        let narrows = kind.narrows();
        let mut queues = self.0.lock();
        if kind.is_bulk() {
            if queues.bulk.len() >= LOADS_WAITING_MAX {
                return Err(Limit::LoadsWaiting.busy());
            }
            queues.bulk.push_back(waiting);
        } else {
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
        let before = std::mem::replace(&mut queues.actor, Actor::Told);
        drop(queues);
        match before {
            Actor::Untold => return Ok(true),
            Actor::Told => {}
            Actor::Rests(waker) => waker.wake(),
        }
        Ok(false)
    }

    /// Takes up to `most` commands, those that narrow first but never more than three quarters, and behind
    /// them, where there is room, one that is long work. What is taken stands in the memory of `taken`, which is empty.
    pub(crate) fn take(&self, most: usize, mut taken: VecDeque<Waiting>) -> VecDeque<Waiting> {
        let mut queues = self.0.lock();
        if queues.narrow.is_empty() && queues.bulk.is_empty() && queues.wide.len() <= most {
            std::mem::swap(&mut queues.wide, &mut taken);
            return taken;
        }
        let narrow = queues.narrow.len().min(if queues.wide.is_empty() { most } else { most * 3 / 4 });
        taken.extend(queues.narrow.drain(..narrow));
        let wide = queues.wide.len().min(most - narrow);
        taken.extend(queues.wide.drain(..wide));
        if taken.len() < most {
            taken.extend(queues.bulk.pop_front());
        }
        taken
    }

    /// An actor begins: it is told once it may drain, whoever queued before.
    pub(crate) fn begin(&self) {
        self.0.lock().actor = Actor::Told;
    }

    /// Wakes an actor that waits here, so that it looks again what is next.
    pub(crate) fn wake(&self) {
        let mut queues = self.0.lock();
        if matches!(queues.actor, Actor::Rests(_))
            && let Actor::Rests(waker) = std::mem::replace(&mut queues.actor, Actor::Told)
        {
            drop(queues);
            waker.wake();
        }
    }

    /// What is next for the actor: where nothing waits and it may stay, this waits. INVARIANT: it is said behind the lock
    /// under which commands queue that the actor rests or leaves: one that it did not see wakes it or tells it anew;
    /// and a call that it did not see wakes it ([`crate::supervisor`]).
    pub(crate) fn next<'i>(&'i self, calls: &'i Calls, stays: bool) -> impl Future<Output = Next> + 'i {
        poll_fn(move |context| {
            let mut queues = self.0.lock();
            let (waits, leaves) = (queues.len() > 0, calls.are_there());
            let next = match (waits, leaves) {
                (true, false) => Next::Drain,
                (true, true) => Next::Return,
                (false, _) if leaves || !stays => Next::Leave,
                (false, _) => {
                    queues.actor = Actor::Rests(context.waker().clone());
                    return Poll::Pending;
                }
            };
            queues.actor = if next == Next::Leave { Actor::Untold } else { Actor::Told };
            Poll::Ready(next)
        })
    }

    /// How many commands wait.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Turns down what waits: nothing of it happened. For a tenant that has failed or is closed.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        let waiting: Vec<_> = {
            let mut queues = self.0.lock();
            let Queues { narrow, wide, bulk, .. } = &mut *queues;
            narrow.drain(..).chain(wide.drain(..)).chain(bulk.drain(..)).collect()
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
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, mpsc};
    use std::task::{Context, Wake};
    use tessera_model::command::{ENTROPY_BYTES, Entropy};
    use tessera_model::{Caller, Command, CommandId, UnixMillis};
    use tokio::sync::oneshot::Receiver;

    struct Unpark(std::thread::Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

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

    fn taken(intake: &Intake, most: usize) -> usize {
        intake.take(most, VecDeque::new()).len()
    }

    /// How often it was woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn next(intake: &Intake, calls: &Calls, stays: bool, woken: &Arc<Woken>) -> Poll<Next> {
        let waker = Waker::from(Arc::clone(woken));
        pin!(intake.next(calls, stays)).poll(&mut Context::from_waker(&waker))
    }

    /// PROPERTY: who drains is told once; while it rests with the intake it is woken once for whatever comes, command or
    /// call; once it has left, it is told anew. It leaves for what is in its mailbox alone.
    #[test]
    fn one_message_until_the_actor_leaves() {
        let (intake, calls, woken) = (Intake::default(), Calls::default(), Arc::<Woken>::default());
        let wakes = |woken: &Woken| woken.0.swap(0, Ordering::SeqCst);
        assert!(matches!(intake.admit(waiting().0), Ok(true)));
        assert!(matches!(intake.admit(waiting().0), Ok(false)));
        assert_eq!(taken(&intake, 1), 1);
        assert_eq!(next(&intake, &calls, true, &woken), Poll::Ready(Next::Drain));
        assert!(matches!(intake.admit(waiting().0), Ok(false)), "it still drains");
        assert_eq!(taken(&intake, 8), 2);
        assert_eq!(next(&intake, &calls, true, &woken), Poll::Pending);
        assert_eq!(wakes(&woken), 0);
        assert!(matches!(intake.admit(waiting().0), Ok(false)), "it is woken");
        assert!(matches!(intake.admit(waiting().0), Ok(false)));
        assert_eq!(wakes(&woken), 1);
        assert_eq!(taken(&intake, 8), 2);
        assert_eq!(next(&intake, &calls, true, &woken), Poll::Pending);
        calls.one_more();
        intake.wake();
        intake.wake();
        assert_eq!(wakes(&woken), 1);
        assert!(matches!(intake.admit(waiting().0), Ok(false)));
        assert_eq!(next(&intake, &calls, true, &woken), Poll::Ready(Next::Return));
        assert_eq!(taken(&intake, 8), 1);
        assert_eq!(next(&intake, &calls, true, &woken), Poll::Ready(Next::Leave));
        assert!(matches!(intake.admit(waiting().0), Ok(true)), "it has left");
        assert_eq!(taken(&intake, 8), 1);
        calls.answered();
        assert_eq!(next(&intake, &calls, false, &woken), Poll::Ready(Next::Leave));
        assert!(matches!(intake.admit(waiting().0), Ok(true)));
    }

    /// PROPERTY: no command is left behind untold, whenever it comes. METHOD: threads that admit beside one that
    /// drains as an actor does, and sometimes rests; when all are done and every message is taken, nothing waits.
    #[test]
    fn nothing_waits_untold() {
        let (intake, calls) = (Intake::default(), Calls::default());
        let (tell, told) = mpsc::channel::<()>();
        let taken = std::thread::scope(|scope| {
            let (intake, calls) = (&intake, &calls);
            let senders = [(); 3].map(|()| {
                let tell = tell.clone();
                scope.spawn(move || {
                    for _ in 0..4_000 {
                        match intake.admit(waiting().0) {
                            Ok(true) => tell.send(()).unwrap(),
                            Ok(false) => {}
                            Err(_) => std::thread::yield_now(),
                        }
                    }
                })
            });
            drop(tell);
            // Behind the last of them nobody wakes it but this.
            scope.spawn(move || {
                senders.into_iter().for_each(|sender| sender.join().unwrap());
                calls.one_more();
                intake.wake();
            });
            let (mut all, waker) = (0, Waker::from(Arc::new(Unpark(std::thread::current()))));
            while told.recv().is_ok() {
                loop {
                    let some = taken(intake, 5);
                    all += some;
                    let mut next = pin!(intake.next(calls, some % 2 == 1));
                    let next = loop {
                        match next.as_mut().poll(&mut Context::from_waker(&waker)) {
                            Poll::Ready(next) => break next,
                            Poll::Pending => std::thread::park(),
                        }
                    };
                    if next == Next::Leave {
                        break;
                    }
                }
            }
            all
        });
        assert_eq!(intake.len(), 0);
        assert!(taken > 0);
    }
}
