//! One call from its first attempt to its answer: repeats, waits and redirects within the deadline.

use crate::error::ClientError;
use crate::lane::{Answer, Ended, NotSent};
use crate::pool::Pool;
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tessera_model::code::{CODE_REDIRECT, CODE_UNKNOWN, ProtocolCode};
use tessera_model::{CommandId, HandleBytes, LimitAt, Refusal};
use tessera_wire::{Fault, Outbox, WireError};
use tokio::time::{sleep_until, timeout_at};

/// LIMIT: redirects followed in one call: the first may be of an old map, the second is of a new one.
const REDIRECTS_MAX: u32 = 2;
/// The first and the longest wait before a repeat.
const WAIT_FIRST: Duration = Duration::from_millis(1);
const WAIT_LONGEST: Duration = Duration::from_millis(100);

/// What writes a question under a request id. It may be called again for a repeat.
pub(crate) type Write<'w> = &'w (dyn Fn(&mut Outbox, u64) -> Result<(), WireError> + Sync);

/// The pools of a client: the one configured, and the one that a redirect led to.
pub(crate) struct Routes {
    home: Arc<Pool>,
    away: RwLock<Option<Arc<Pool>>>,
    /// Whether `away` is set: most clients are never redirected.
    moved: AtomicBool,
}

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
    Failed(ClientError),
}

impl Routes {
    pub(crate) const fn new(home: Arc<Pool>) -> Self {
        Self { home, away: RwLock::new(None), moved: AtomicBool::new(false) }
    }

    /// Where calls go now.
    pub(crate) fn pool(&self) -> Arc<Pool> {
        let away = if self.moved.load(Ordering::Acquire) { self.away.read().clone() } else { None };
        away.unwrap_or_else(|| Arc::clone(&self.home))
    }

    /// Goes over to another credential, wherever calls go.
    pub(crate) async fn renew(&self, credential: HandleBytes, until: Instant) -> Result<(), ClientError> {
        let away = self.away.read().clone();
        self.home.renew(credential, until).await?;
        match away {
            Some(away) => away.renew(credential, until).await,
            None => Ok(()),
        }
    }

    pub(crate) fn close(&self) {
        self.home.close();
        if let Some(away) = self.away.write().take() {
            away.close();
        }
    }

    pub(crate) async fn idle(&self) {
        self.home.idle().await;
    }

    /// Asks until there is an answer or the deadline has passed. With a command id, an outcome that
    /// is not known is told from one that is.
    pub(crate) async fn call(
        &self,
        allowed: Duration,
        command: Option<CommandId>,
        write: Write<'_>,
    ) -> Result<Answer, ClientError> {
        let (mut wait, mut redirects, mut uncertain, mut told) = (WAIT_FIRST, 0, false, None);
        // COST: one look at the clock per attempt.
        let mut now = Instant::now();
        let deadline = now + allowed;
        loop {
            let pool = self.pool();
            let (error, at_least) = match attempt(&pool, now, deadline, write).await {
                Attempt::Answered(answer) => return Ok(answer),
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
                Attempt::Elsewhere(fault) if redirects < REDIRECTS_MAX => {
                    redirects += 1;
                    tracing::debug!(cell = fault.cell.0, address = %fault.detail, "redirected");
                    self.follow(&pool, fault, deadline).await?;
                    now = Instant::now();
                    continue;
                }
                Attempt::Elsewhere(_) => return Err(ClientError::TooManyRedirects),
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

    /// The node that a redirect led to cannot be reached: the next call asks at home again.
    fn home_again(&self, from: &Arc<Pool>) {
        let mut away = self.away.write();
        if away.as_ref().is_some_and(|away| Arc::ptr_eq(away, from)) {
            from.close();
            *away = None;
            self.moved.store(false, Ordering::Release);
        }
    }

    /// Goes on at the address that a redirect names: same credential, same trust.
    async fn follow(&self, from: &Pool, fault: Fault, deadline: Instant) -> Result<(), ClientError> {
        let mut config = from.config().clone();
        let lookup = tokio::net::lookup_host(fault.detail.clone());
        let found = timeout_at(deadline.into(), lookup).await;
        let Ok(Ok(addresses)) = found else { return Err(ClientError::Faulted(fault)) };
        config.addresses = addresses.collect();
        if config.addresses.is_empty() {
            return Err(ClientError::Faulted(fault));
        }
        if let Some((host, _)) = fault.detail.rsplit_once(':') {
            // A name stands in the certificate of that node; an address keeps the name we know.
            if host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_err() {
                config.server_name = host.to_owned();
            }
        }
        let mut away = self.away.write();
        if away.as_ref().is_some_and(|away| away.config().addresses == config.addresses) {
            return Ok(());
        }
        if let Some(old) = away.replace(Pool::start(config)?) {
            old.close();
        }
        self.moved.store(true, Ordering::Release);
        Ok(())
    }
}

/// When time is up: whether the command may have happened.
fn outcome(error: ClientError, uncertain: bool, command: Option<CommandId>) -> ClientError {
    match command {
        Some(id) if uncertain => ClientError::OutcomeUnknown(id),
        Some(_) | None => error,
    }
}

async fn attempt(pool: &Pool, mut now: Instant, deadline: Instant, write: Write<'_>) -> Attempt {
    let link = match pool.live() {
        Some(link) => link,
        None => match pool.link(deadline).await {
            Ok(link) => {
                now = Instant::now();
                link
            }
            Err(error) => return Attempt::Failed(error),
        },
    };
    let pending = match link.ask(now, deadline, write) {
        Ok(pending) => pending,
        Err(NotSent::Unwritable(error)) => return Attempt::Failed(error.into()),
        Err(NotSent::Full) => return again(ClientError::Refused(Refusal::Busy(LimitAt::UNNAMED)), 0, false),
        Err(NotSent::Lost) => return again(ClientError::Unreachable(None), 0, false),
    };
    match pending.await {
        Ok(Answer::Fault(fault)) => of_fault(fault),
        Ok(Answer::Unreadable(error)) => Attempt::Failed(error.into()),
        Ok(answer) => Attempt::Answered(answer),
        Err(Ended::Lost) => again(ClientError::Unreachable(None), 0, true),
        // The deadline has passed: there is no time for another attempt.
        Err(Ended::Deadline) => again(ClientError::DeadlinePassed, 0, true),
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
