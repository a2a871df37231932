//! What the simulation knows: tenants, people, sessions and grants as they were acknowledged, and what is pending.

use super::erasure::Doomed;
use super::plant::Spoil;
use crate::seams::Dice;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use tessera_engine::Made;
use tessera_model::{CommandId, Handle, HandleBytes, Identifier, PublicId, Receipt, TenantId};

/// What a world is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Profile {
    /// Tenants, and people of each.
    pub(crate) tenants: usize,
    pub(crate) people: usize,
    /// Steps of a life: the least, and how many more there may be.
    pub(crate) steps: (u64, u64),
    /// Whether calls to the disk fail as chance has it; otherwise whoever runs the lives plants what they meet.
    pub(crate) failing: bool,
    /// What a wake forgets, where that is planted.
    pub(crate) spoil: Option<Spoil>,
}

/// What a node is doing.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Phase {
    /// It starts.
    Start,
    /// It takes commands.
    Work,
    /// Tenants fall asleep: a checkpoint covers them, then they leave memory.
    Sleep,
    /// Tenants that slept are loaded and ordered something.
    Wake,
    /// Somebody is erased.
    Erase,
    /// It stops.
    Stop,
}

/// The refresh handle of a session.
#[derive(Default)]
pub(crate) struct Family {
    /// The newest that is known; nothing when its reply was lost.
    pub(crate) current: Option<HandleBytes>,
    /// Those before, oldest first.
    pub(crate) older: Vec<HandleBytes>,
}

/// A session: whether it lives (`None` while nobody knows), and when it ends by its time: not before, and at the latest.
pub(crate) struct Session {
    pub(crate) handle: HandleBytes,
    pub(crate) id: PublicId,
    pub(crate) alive: Option<bool>,
    pub(crate) ends: (u64, u64),
    /// When it ends whatever happens.
    pub(crate) expires: u64,
    pub(crate) family: Family,
}

/// Somebody who may be granted the one role that there is.
pub(crate) struct Person {
    pub(crate) subject: PublicId,
    pub(crate) identifier: Identifier,
    pub(crate) granted: Option<bool>,
    pub(crate) sessions: Vec<Session>,
    /// Failed sign-ins in a row: so many at least, so many at most.
    pub(crate) failures: (u32, u32),
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
    /// With the right password.
    SignIn,
    /// With a wrong one.
    Guess,
    /// Failed sign-ins are forgotten.
    Unlock,
    /// The session of this index.
    End(usize),
    /// The refresh handle of this session.
    Refresh(usize),
    /// The one of this session that was replaced twice.
    Reuse(usize),
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
    pub(crate) signed_in: u64,
    pub(crate) guesses: u64,
    pub(crate) refreshed: u64,
    pub(crate) reused: u64,
    pub(crate) slept: u64,
    pub(crate) woken: u64,
    pub(crate) erased: u64,
    pub(crate) moved: u64,
    pub(crate) answers: u64,
    pub(crate) frames: u64,
    pub(crate) simulated_s: u64,
}

impl Counts {
    /// Each count with its words, in the order in which they are told.
    const fn all(&self) -> [(u64, &'static str); 17] {
        [
            (self.lives, "lives"),
            (self.power, "power cuts"),
            (self.failed, "failed stores"),
            (self.acknowledged, "commands acknowledged"),
            (self.unknown, "unknown"),
            (self.cancelled, "given up"),
            (self.panics, "panics"),
            (self.checkpoints, "checkpoints"),
            (self.signed_in, "sign-ins"),
            (self.guesses, "wrong passwords"),
            (self.refreshed, "refreshes"),
            (self.reused, "refresh handles used again"),
            (self.slept, "tenants put to sleep"),
            (self.woken, "woken"),
            (self.answers, "answers compared"),
            (self.frames, "frames verified"),
            (self.simulated_s / 3_600, "h simulated"),
        ]
    }

    pub(crate) const fn add(&mut self, other: &Self) {
        self.lives += other.lives;
        self.power += other.power;
        self.failed += other.failed;
        self.acknowledged += other.acknowledged;
        self.unknown += other.unknown;
        self.cancelled += other.cancelled;
        self.panics += other.panics;
        self.checkpoints += other.checkpoints;
        self.signed_in += other.signed_in;
        self.guesses += other.guesses;
        self.refreshed += other.refreshed;
        self.reused += other.reused;
        self.slept += other.slept;
        self.woken += other.woken;
        self.erased += other.erased;
        self.moved += other.moved;
        self.answers += other.answers;
        self.frames += other.frames;
        self.simulated_s += other.simulated_s;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (count, what)) in self.all().into_iter().enumerate() {
            let between = if at == 0 { "" } else { ", " };
            write!(f, "{between}{count} {what}")?;
        }
        Ok(())
    }
}

/// Everything that is known of one seed's world.
pub(crate) struct World {
    pub(crate) profile: Profile,
    pub(crate) dice: Dice,
    /// Wall time in ms, over all lives.
    pub(crate) now: u64,
    pub(crate) tenants: Vec<Tenant>,
    pub(crate) operator: Option<Handle>,
    pub(crate) pending: Vec<Ordered>,
    /// Who was to be erased.
    pub(crate) doomed: Vec<Doomed>,
    pub(crate) counts: Counts,
    pub(crate) faults: Vec<String>,
    /// What is being done, and what was being done when the power went.
    pub(crate) phase: Phase,
    pub(crate) cut_in: Option<Phase>,
    /// In what the power is to go in this life.
    pub(crate) wanted: Option<Phase>,
    trace: DefaultHasher,
}

impl World {
    pub(crate) fn new(seed: u64, profile: Profile) -> Self {
        Self {
            profile,
            dice: Dice::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            now: crate::seams::START_MS,
            tenants: Vec::new(),
            operator: None,
            pending: Vec::new(),
            doomed: Vec::new(),
            counts: Counts::default(),
            faults: Vec::new(),
            phase: Phase::Work,
            cut_in: None,
            wanted: None,
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

    pub(crate) fn person_mut(&mut self, ordered: &Ordered) -> Option<&mut Person> {
        self.tenants.get_mut(ordered.tenant)?.people.get_mut(ordered.person)
    }

    /// Goes over to another phase, and notes in which one the power went.
    pub(crate) fn enter(&mut self, phase: Phase, is_off: bool) {
        if is_off && self.cut_in.is_none() {
            self.cut_in = Some(self.phase);
        }
        self.phase = phase;
    }

    /// Whether something of this person is pending.
    pub(crate) fn is_pending(&self, tenant: usize, person: usize) -> bool {
        self.pending.iter().any(|one| (one.tenant, one.person) == (tenant, person))
    }
}
