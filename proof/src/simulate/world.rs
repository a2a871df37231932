//! What the simulation knows: tenants, people, sessions and grants as they were acknowledged, and what is pending.

use crate::seams::Dice;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use tessera_engine::Made;
use tessera_model::{CommandId, Handle, HandleBytes, PublicId, Receipt, TenantId};

/// A session: when it ends by its time, and whether it lives; `None` while nobody knows.
pub(crate) struct Session {
    pub(crate) handle: HandleBytes,
    pub(crate) id: PublicId,
    pub(crate) alive: Option<bool>,
    pub(crate) ends: u64,
}

/// Somebody who may be granted the one role that there is.
pub(crate) struct Person {
    pub(crate) subject: PublicId,
    pub(crate) granted: Option<bool>,
    pub(crate) sessions: Vec<Session>,
}

/// A tenant with the key of its admin.
pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) key: Handle,
    pub(crate) people: Vec<Person>,
    /// Where each acknowledged command stands in the history.
    pub(crate) acknowledged: BTreeMap<u64, CommandId>,
}

/// What is ordered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Order {
    Open,
    /// The session of this index.
    End(usize),
    Grant(bool),
    /// A command that panics while it is decided, in a build that has it.
    Panic,
}

/// An order of a person, by its command id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ordered {
    pub(crate) tenant: usize,
    pub(crate) person: usize,
    pub(crate) order: Order,
    pub(crate) id: CommandId,
}

/// How an order ended.
#[derive(Clone)]
pub(crate) enum Ended {
    /// Its receipt, whether it was done before under its id, and what it made.
    Done(Receipt, bool, Box<Made>),
    /// Certainly not applied; the code.
    Refused(u16),
    /// Nobody knows; whether it was given up within its time by the caller.
    Unknown(bool),
}

/// How much was tried.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) lives: u64,
    pub(crate) power: u64,
    pub(crate) failed: u64,
    pub(crate) acknowledged: u64,
    pub(crate) unknown: u64,
    pub(crate) cancelled: u64,
    pub(crate) panics: u64,
    pub(crate) checkpoints: u64,
    pub(crate) answers: u64,
    pub(crate) frames: u64,
    pub(crate) simulated_s: u64,
}

impl Counts {
    pub(crate) const fn add(&mut self, other: &Self) {
        self.lives += other.lives;
        self.power += other.power;
        self.failed += other.failed;
        self.acknowledged += other.acknowledged;
        self.unknown += other.unknown;
        self.cancelled += other.cancelled;
        self.panics += other.panics;
        self.checkpoints += other.checkpoints;
        self.answers += other.answers;
        self.frames += other.frames;
        self.simulated_s += other.simulated_s;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} lives, {} power cuts, {} failed stores, {} commands acknowledged, {} unknown, {} given up, {} panics, {} checkpoints, {} answers compared, {} frames verified, {} h simulated",
            self.lives,
            self.power,
            self.failed,
            self.acknowledged,
            self.unknown,
            self.cancelled,
            self.panics,
            self.checkpoints,
            self.answers,
            self.frames,
            self.simulated_s / 3_600
        )
    }
}

/// Everything that is known of one seed's world.
pub(crate) struct World {
    pub(crate) dice: Dice,
    /// Wall time in ms, over all lives.
    pub(crate) now: u64,
    pub(crate) tenants: Vec<Tenant>,
    pub(crate) operator: Option<Handle>,
    pub(crate) pending: Vec<Ordered>,
    pub(crate) counts: Counts,
    pub(crate) faults: Vec<String>,
    trace: DefaultHasher,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            now: crate::seams::START_MS,
            tenants: Vec::new(),
            operator: None,
            pending: Vec::new(),
            counts: Counts::default(),
            faults: Vec::new(),
            trace: DefaultHasher::new(),
        }
    }

    /// Adds what happened to the trace.
    pub(crate) fn note(&mut self, what: &impl Hash) {
        what.hash(&mut self.trace);
    }

    /// The hash of everything that happened.
    pub(crate) fn trace(&self) -> u64 {
        self.trace.finish()
    }

    pub(crate) fn fault(&mut self, what: impl Into<String>) {
        self.faults.push(what.into());
    }

    pub(crate) fn person(&self, ordered: &Ordered) -> Option<&Person> {
        self.tenants.get(ordered.tenant)?.people.get(ordered.person)
    }

    fn person_mut(&mut self, ordered: &Ordered) -> Option<&mut Person> {
        self.tenants.get_mut(ordered.tenant)?.people.get_mut(ordered.person)
    }

    /// An order is on its way: until it is answered nobody knows.
    pub(crate) fn sent(&mut self, ordered: &Ordered) {
        let order = ordered.order;
        let Some(person) = self.person_mut(ordered) else { return };
        match order {
            Order::End(at) => {
                if let Some(session) = person.sessions.get_mut(at).filter(|one| one.alive == Some(true)) {
                    session.alive = None;
                }
            }
            Order::Grant(_) => person.granted = None,
            Order::Open | Order::Panic => {}
        }
    }

    /// An order was answered.
    pub(crate) fn learn(&mut self, ordered: &Ordered, before: Option<bool>, ended: &Ended) {
        let refused = matches!(ended, Ended::Refused(_));
        match ended {
            Ended::Unknown(given_up) => {
                self.counts.unknown += 1;
                self.counts.cancelled += u64::from(*given_up);
                if ordered.order == Order::Panic {
                    self.counts.panics += 1;
                } else {
                    self.pending.push(*ordered);
                }
                return;
            }
            Ended::Done(receipt, repeat, _) => {
                self.counts.acknowledged += 1;
                // What changes nothing has no frame, and tells where the history stands.
                if (*repeat || self.changes(ordered, before))
                    && let Some(tenant) = self.tenants.get_mut(ordered.tenant)
                {
                    tenant.acknowledged.insert(receipt.revision.0, ordered.id);
                }
            }
            Ended::Refused(_) => {}
        }
        let order = ordered.order;
        let Some(person) = self.person_mut(ordered) else { return };
        match (order, ended) {
            (Order::Open, Ended::Done(_, _, made)) => {
                if let (Some(handle), Some(id)) = (&made.handle, made.session) {
                    let time = |at: Option<tessera_model::UnixMillis>| at.map_or(u64::MAX, |at| at.0);
                    let ends = time(made.expires).min(time(made.idle_until));
                    let handle = handle.to_bytes();
                    person.sessions.push(Session { handle, id, alive: Some(true), ends });
                }
            }
            (Order::End(at), _) => {
                if let Some(session) = person.sessions.get_mut(at).filter(|one| one.alive.is_none()) {
                    session.alive = if refused { before } else { Some(false) };
                }
            }
            (Order::Grant(on), _) => person.granted = if refused { before } else { Some(on) },
            (Order::Open | Order::Panic, _) => {}
        }
    }

    /// Whether an order certainly changed something, whose register held this before.
    fn changes(&self, ordered: &Ordered, before: Option<bool>) -> bool {
        match ordered.order {
            Order::Open => true,
            Order::Grant(on) => before == Some(!on),
            Order::End(at) => {
                let session = self.person(ordered).and_then(|person| person.sessions.get(at));
                before == Some(true) && session.is_some_and(|session| self.now < session.ends)
            }
            Order::Panic => false,
        }
    }

    /// What an order's register held before it was sent.
    pub(crate) fn before(&self, ordered: &Ordered) -> Option<bool> {
        let person = self.person(ordered)?;
        match ordered.order {
            Order::End(at) => person.sessions.get(at)?.alive,
            Order::Grant(_) => person.granted,
            Order::Open | Order::Panic => None,
        }
    }

    /// Whether something of this person is pending.
    pub(crate) fn is_pending(&self, tenant: usize, person: usize) -> bool {
        self.pending.iter().any(|one| (one.tenant, one.person) == (tenant, person))
    }
}
