//! What an order and its answer say of the world: what is known from then on, and what must not have been answered.

use super::world::{Ended, Family, Order, Ordered, Person, Session, World};
use tessera_engine::Made;
use tessera_model::UnixMillis;

/// Refusals that say something of a person.
const SIGN_IN_FAILED: u16 = 215;
const REFRESH_REUSED: u16 = 235;
const TOO_MANY_FAILURES: u16 = 241;

/// Failures that are free, and from which on only a new password lets in: see the settings of the tenants.
pub(crate) const FREE: u32 = 3;
pub(crate) const LOCKED: u32 = 10;

impl World {
    /// An order is on its way: until it is answered nobody knows.
    pub(crate) fn sent(&mut self, ordered: &Ordered) {
        let order = ordered.order;
        let Some(person) = self.person_mut(ordered) else { return };
        match order {
            Order::End(at) | Order::Reuse(at) => {
                if let Some(session) = person.sessions.get_mut(at).filter(|one| one.alive == Some(true)) {
                    session.alive = None;
                }
            }
            Order::Refresh(at) => {
                if let Some(session) = person.sessions.get_mut(at) {
                    session.ends.1 = session.expires;
                }
            }
            Order::Guess => person.failures.1 += 1,
            Order::SignIn | Order::Unlock => person.failures.0 = 0,
            Order::Grant(_) => person.granted = None,
            Order::Open | Order::Panic => {}
        }
    }

    /// An order was answered.
    pub(crate) fn learn(&mut self, ordered: &Ordered, before: Before, ended: &Ended) {
        match ended {
            Ended::Unknown(given_up) => {
                self.counts.unknown += 1;
                self.counts.cancelled += u64::from(*given_up);
                match ordered.order {
                    Order::Panic => self.counts.panics += 1,
                    // It is counted under an id of the node's own: nobody can ask again.
                    Order::Guess => {}
                    Order::Open
                    | Order::SignIn
                    | Order::Unlock
                    | Order::End(_)
                    | Order::Refresh(_)
                    | Order::Reuse(_)
                    | Order::Grant(_) => self.pending.push(*ordered),
                }
                return;
            }
            Ended::Done(receipt, repeat, _) => {
                self.counts.acknowledged += 1;
                // What changes nothing has no frame, and tells where the history stands.
                if (*repeat || self.changes(ordered, before.register))
                    && let Some(tenant) = self.tenants.get_mut(ordered.tenant)
                {
                    tenant.acknowledged.insert(receipt.revision.0, ordered.id);
                }
            }
            Ended::Refused(_) => {}
        }
        match ordered.order {
            Order::Open | Order::End(_) | Order::Grant(_) | Order::Panic => {
                self.learn_plain(ordered, before, ended);
            }
            Order::SignIn | Order::Guess | Order::Unlock => self.learn_failures(ordered, before, ended),
            Order::Refresh(at) => self.learn_refresh(ordered, at, before, ended),
            Order::Reuse(at) => self.learn_reuse(ordered, at, before, ended),
        }
    }

    fn learn_plain(&mut self, ordered: &Ordered, before: Before, ended: &Ended) {
        let (order, refused) = (ordered.order, matches!(ended, Ended::Refused(_)));
        let Some(person) = self.person_mut(ordered) else { return };
        match (order, ended) {
            (Order::Open, Ended::Done(_, _, made)) => hold(person, made),
            (Order::End(at), _) => {
                if let Some(session) = person.sessions.get_mut(at).filter(|one| one.alive.is_none()) {
                    session.alive = if refused { before.register } else { Some(false) };
                }
            }
            (Order::Grant(on), _) => person.granted = if refused { before.register } else { Some(on) },
            (_, _) => {}
        }
    }

    /// Passwords: the right one opens unless too many failed, a wrong one never; each failure is counted.
    fn learn_failures(&mut self, ordered: &Ordered, before: Before, ended: &Ended) {
        let mut fault = None;
        let (mut signed_in, mut guessed) = (0, 0);
        let Some(person) = self.person_mut(ordered) else { return };
        let (least, most) = before.failures;
        match (ordered.order, ended) {
            (Order::Unlock, Ended::Done(..)) => person.failures = (0, 0),
            (Order::SignIn, Ended::Done(_, repeat, made)) => {
                if least >= LOCKED && !repeat {
                    fault = Some(format!("signed in behind {least} failures"));
                }
                signed_in = 1;
                person.failures = (0, 0);
                hold(person, made);
            }
            (Order::Guess, Ended::Done(..)) => fault = Some("a wrong password was taken".to_owned()),
            (Order::SignIn, Ended::Refused(SIGN_IN_FAILED)) => {
                fault = Some("the right password was turned down".to_owned());
            }
            (Order::Guess, Ended::Refused(SIGN_IN_FAILED)) => {
                guessed = 1;
                person.failures.0 += 1;
                if least >= LOCKED {
                    fault = Some(format!("a password was tried behind {least} failures"));
                }
            }
            (order, Ended::Refused(code)) => {
                // Others may have been counted meanwhile that were sent at once.
                let most = most.max(person.failures.1);
                // Whoever is told to wait behind others that failed meanwhile was counted, whichever password that was;
                // whoever was told before anything was tried was not.
                let waits = *code == TOO_MANY_FAILURES;
                if order == Order::Guess {
                    person.failures.1 -= u32::from(!waits);
                } else {
                    person.failures.0 = least;
                    person.failures.1 += u32::from(waits);
                }
                if waits && most < FREE {
                    fault = Some(format!("told to wait behind {most} failures"));
                }
            }
            (_, _) => {}
        }
        self.counts.signed_in += signed_in;
        self.counts.guesses += guessed;
        self.faults.extend(fault);
    }

    /// The newest refresh handle gives its one successor, while the session lives.
    fn learn_refresh(&mut self, ordered: &Ordered, at: usize, before: Before, ended: &Ended) {
        let mut fault = None;
        let mut refreshed = 0;
        let Some(session) = self.person_mut(ordered).and_then(|person| person.sessions.get_mut(at)) else {
            return;
        };
        match ended {
            Ended::Done(_, repeat, made) => {
                if before.register == Some(false) && !repeat {
                    fault = Some("a session that had ended was refreshed".to_owned());
                }
                refreshed = 1;
                let used = session.family.current.take();
                session.family.older.extend(used);
                session.family.current = made.refresh.as_ref().map(|next| next.to_bytes());
                if let Some(idle) = made.idle_until {
                    let ends = idle.0.min(session.expires);
                    // A repeat may tell of what has moved on since.
                    session.ends = if *repeat { (session.ends.0, session.expires) } else { (ends, ends) };
                }
            }
            Ended::Refused(code) => {
                session.ends.1 = before.ends;
                if *code == REFRESH_REUSED && before.register == Some(true) {
                    fault = Some("the newest refresh handle was taken for one that was replaced".to_owned());
                }
            }
            Ended::Unknown(_) => {}
        }
        self.counts.refreshed += refreshed;
        self.faults.extend(fault);
    }

    /// One that was replaced twice ends its family, and nothing else.
    fn learn_reuse(&mut self, ordered: &Ordered, at: usize, before: Before, ended: &Ended) {
        let mut fault = None;
        let mut reused = 0;
        let Some(session) = self.person_mut(ordered).and_then(|person| person.sessions.get_mut(at)) else {
            return;
        };
        match ended {
            Ended::Done(..) => {
                fault = Some("a refresh handle was good that had been replaced twice".to_owned())
            }
            Ended::Refused(REFRESH_REUSED) => {
                reused = 1;
                if session.alive.is_none() {
                    session.alive = Some(false);
                }
            }
            // It may have ended by its time, or by nobody knows which of several orders.
            Ended::Refused(_) if session.alive.is_none() => session.alive = before.register,
            Ended::Refused(_) | Ended::Unknown(_) => {}
        }
        self.counts.reused += reused;
        self.faults.extend(fault);
    }

    /// Whether an order certainly changed something, whose register held this before.
    fn changes(&self, ordered: &Ordered, before: Option<bool>) -> bool {
        match ordered.order {
            Order::Open | Order::SignIn => true,
            Order::Grant(on) => before == Some(!on),
            Order::End(at) => {
                let session = self.person(ordered).and_then(|person| person.sessions.get(at));
                before == Some(true) && session.is_some_and(|session| self.now < session.ends.0)
            }
            // A refresh within the grace changes nothing, and forgetting what is not there does not.
            Order::Refresh(_) | Order::Reuse(_) | Order::Unlock | Order::Guess | Order::Panic => false,
        }
    }

    /// What is known of what an order is about, before it is sent.
    pub(crate) fn before(&self, ordered: &Ordered) -> Before {
        let Some(person) = self.person(ordered) else { return Before::default() };
        let session = match ordered.order {
            Order::End(at) | Order::Refresh(at) | Order::Reuse(at) => person.sessions.get(at),
            Order::Open | Order::SignIn | Order::Guess | Order::Unlock | Order::Grant(_) | Order::Panic => {
                None
            }
        };
        let granted = if let Order::Grant(_) = ordered.order { person.granted } else { None };
        let register = granted.or(session.and_then(|session| session.alive));
        Before { register, failures: person.failures, ends: session.map_or(0, |session| session.ends.1) }
    }
}

/// What was known before an order was sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Before {
    /// Whether the session lived, or the grant stood.
    register: Option<bool>,
    failures: (u32, u32),
    ends: u64,
}

/// Keeps the session that was opened.
fn hold(person: &mut Person, made: &Made) {
    if let (Some(handle), Some(id)) = (&made.handle, made.session) {
        let time = |at: Option<UnixMillis>| at.map_or(u64::MAX, |at| at.0);
        let expires = time(made.expires);
        let ends = expires.min(time(made.idle_until));
        let current = made.refresh.as_ref().map(|refresh| refresh.to_bytes());
        let family = Family { current, older: Vec::new() };
        let handle = handle.to_bytes();
        person.sessions.push(Session { handle, id, alive: Some(true), ends: (ends, ends), expires, family });
    }
}
