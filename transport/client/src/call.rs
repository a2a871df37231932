//! One call from its first attempt to its answer: repeats, waits and redirects within the deadline.

use crate::error::ClientError;
use crate::lane::{Answer, Ended, NotSent};
use crate::pool::Pool;
use crate::routes::{REDIRECTS_MAX, Routes, redirect_of};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tessera_model::code::{CODE_REDIRECT, CODE_UNKNOWN, ProtocolCode};
use tessera_model::{CommandId, LimitAt, Refusal};
use tessera_wire::{Fault, Outbox, WireError};
use tokio::time::sleep_until;

/// The first and the longest wait before a repeat.
const WAIT_FIRST: Duration = Duration::from_millis(1);
const WAIT_LONGEST: Duration = Duration::from_millis(100);
/// The shortest wait where redirects led in a circle.
pub(crate) const CIRCLE_REST: Duration = Duration::from_millis(10);

/// What writes a question under a request id. It may be called again for a repeat.
pub(crate) type Write<'w> = &'w (dyn Fn(&mut Outbox, u64) -> Result<(), WireError> + Sync);

/// What an attempt came to.
enum Attempt {
    Answered(Answer),
    /// Worth another attempt after a wait; when time is up, this is the outcome.
    Again {
        error: ClientError,
        at_least: Duration,
        uncertain: bool,
    },
    Elsewhere(Fault),
    /// The node cannot be reached, and there is time to ask another one.
    Silent,
    Failed(ClientError),
}

impl Routes {
    /// Asks until there is an answer or the deadline has passed. With a command id, an outcome that
    /// is not known is told from one that is.
    pub(crate) async fn call(
        self: &Arc<Self>,
        allowed: Duration,
        command: Option<CommandId>,
        write: Write<'_>,
    ) -> Result<Answer, ClientError> {
        let (mut wait, mut redirects, mut uncertain, mut told) = (WAIT_FIRST, 0, false, None);
        let mut around = false;
        // COST: one look at the clock per attempt.
        let mut now = Instant::now();
        let deadline = now + allowed;
        loop {
            let pool = self.pool();
            let (error, at_least) = match self.attempt(&pool, (now, deadline), around, write).await {
                Attempt::Answered(answer) => {
                    self.learn(&pool);
                    return Ok(answer);
                }
                Attempt::Silent => {
                    around = true;
                    if !self.ask_around(&pool, deadline).await {
                        self.home_again(&pool);
                    }
                    now = Instant::now();
                    continue;
                }
                // Another call was sent elsewhere meanwhile, and nobody needs these connections any more.
                Attempt::Failed(ClientError::Closed)
                    if Instant::now() < deadline && !Arc::ptr_eq(&pool, &self.pool()) =>
                {
                    now = Instant::now();
                    continue;
                }
                Attempt::Failed(error) => {
                    if matches!(error, ClientError::Unreachable(_) | ClientError::Closed) {
                        self.home_again(&pool);
                    }
                    return Err(outcome(error, uncertain, command));
                }
                Attempt::Again { error, at_least, uncertain: now } => {
                    uncertain |= now;
                    // When time is up, what the node said last is told, not that it had no time to say more.
                    let error = match (error, told.take()) {
                        (ClientError::DeadlinePassed, Some(told)) => told,
                        (error, _) => error,
                    };
                    told = matches!(error, ClientError::Refused(_)).then(|| error.clone());
                    (error, at_least)
                }
                Attempt::Elsewhere(_) if redirects == REDIRECTS_MAX => {
                    // Two cells that name each other for a moment: one of them hears soon where the tenant lives.
                    redirects = 0;
                    told = Some(ClientError::TooManyRedirects);
                    (ClientError::TooManyRedirects, CIRCLE_REST)
                }
                Attempt::Elsewhere(fault) => {
                    redirects += 1;
                    let followed = self.follow(&pool, fault, deadline).await;
                    followed.map_err(|error| outcome(error, uncertain, command))?;
                    now = Instant::now();
                    continue;
                }
            };
            let until = Instant::now() + pool.dice.jitter(wait.max(at_least));
            if until >= deadline {
                return Err(outcome(error, uncertain, command));
            }
            tracing::debug!(why = error.name(), "asking again");
            sleep_until(until.into()).await;
            now = Instant::now();
            wait = (wait * 2).min(WAIT_LONGEST);
        }
    }

    async fn attempt(
        &self,
        pool: &Pool,
        (mut now, deadline): (Instant, Instant),
        around: bool,
        write: Write<'_>,
    ) -> Attempt {
        let link = match pool.live() {
            Some(link) => link,
            None => {
                // A silent cell leaves time to ask another one where the tenant lives now.
                let asks = !around && self.has_others(pool);
                let until = if asks { now + deadline.saturating_duration_since(now) / 2 } else { deadline };
                match pool.link(until).await {
                    Ok(link) => {
                        now = Instant::now();
                        link
                    }
                    Err(ClientError::Unreachable(_)) if asks => return Attempt::Silent,
                    Err(error) => return redirect_of(error).map_or_else(Attempt::Failed, Attempt::Elsewhere),
                }
            }
        };
        let pending = match link.ask(now, deadline, write) {
            Ok(pending) => pending,
            Err(NotSent::Unwritable(error)) => return Attempt::Failed(error.into()),
            Err(NotSent::Full) => {
                return again(ClientError::Refused(Refusal::Busy(LimitAt::UNNAMED)), 0, false);
            }
            Err(NotSent::Lost) => return again(ClientError::Unreachable(None), 0, false),
        };
        match pending.await {
            // The credential of before was revoked while the answer was on its way: the one of now is asked with.
            Ok(Answer::Fault(fault))
                if fault.code == Refusal::Unauthorized.code() && link.turn < pool.turn() =>
            {
                again(ClientError::of(fault), 0, false)
            }
            Ok(Answer::Fault(fault)) => of_fault(fault),
            Ok(Answer::Unreadable(error)) => Attempt::Failed(error.into()),
            Ok(answer) => Attempt::Answered(answer),
            Err(Ended::Lost) => again(ClientError::Unreachable(None), 0, true),
            // The deadline has passed: there is no time for another attempt.
            Err(Ended::Deadline) => again(ClientError::DeadlinePassed, 0, true),
        }
    }
}

/// When time is up: whether the command may have happened.
fn outcome(error: ClientError, uncertain: bool, command: Option<CommandId>) -> ClientError {
    match command {
        Some(id) if uncertain => ClientError::OutcomeUnknown(id),
        Some(_) | None => error,
    }
}

const fn again(error: ClientError, at_least_ms: u32, uncertain: bool) -> Attempt {
    Attempt::Again { error, at_least: Duration::from_millis(at_least_ms as u64), uncertain }
}

fn of_fault(fault: Fault) -> Attempt {
    let (code, retry_ms) = (fault.code, fault.retry_ms);
    if code == CODE_REDIRECT {
        Attempt::Elsewhere(fault)
    } else if code == CODE_UNKNOWN {
        again(ClientError::of(fault), retry_ms, true)
    } else if (300..400).contains(&code) || code == ProtocolCode::Draining.code() {
        again(ClientError::of(fault), retry_ms, false)
    } else {
        Attempt::Failed(ClientError::of(fault))
    }
}
