//! The auditor: compares every answer with what the histories allow, and counts what it looked at.

use crate::facts::{Answer, Facts};
use crate::history::History;
use crate::moment::Moment;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tessera_client::Client;
use tessera_model::{Decision, HandleBytes, PublicId, TenantId};

/// LIMIT: examples of findings kept for the report; all are counted.
const EXAMPLES_MAX: usize = 20;
/// LIMIT: handles remembered per subject, ended ones included.
const HANDLES_MAX: usize = 12;
/// LIMIT: how long a state that was left is remembered, ns: longer than any call may take.
const REMEMBERED: Moment = 120_000_000_000;

/// Locks; a panic elsewhere leaves what is behind it whole.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is known of a subject and of a write on its way.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct State {
    /// The facts.
    pub facts: Facts,
    /// A session may have been opened whose id is not known.
    pub opening: bool,
}

/// A session whose handle the load holds.
#[derive(Clone, Copy)]
pub struct Held {
    /// Its public id.
    pub session: PublicId,
    /// Its handle.
    pub handle: HandleBytes,
}

/// The refresh handles of a session that the load holds.
#[derive(Clone, Copy)]
pub struct Family {
    /// The one to use next.
    pub current: HandleBytes,
    /// How often it was replaced.
    pub index: u32,
    /// The first one, which is spent once it was replaced twice.
    pub first: HandleBytes,
}

/// A subject of the load.
pub struct Subject {
    /// Its public id.
    pub id: PublicId,
    /// The identifier that it signs in with.
    pub email: String,
    /// Its states.
    pub history: Mutex<History<State>>,
    /// Handles, the newest last.
    pub held: Mutex<Vec<Held>>,
    /// Refresh handles by session; those of ended sessions go with the next use.
    pub families: Mutex<BTreeMap<PublicId, Family>>,
}

impl Subject {
    /// Remembers a handle. The oldest one that has ended goes: those of live sessions are kept, so that
    /// each revocation can be asked about.
    pub fn hold(&self, held: Held) {
        let live = self.newest().facts.live;
        let mut all = lock(&self.held);
        if all.len() >= HANDLES_MAX {
            let ended = all.iter().position(|held| !live.contains(&held.session));
            all.remove(ended.unwrap_or(0));
        }
        all.push(held);
    }

    /// Remembers the refresh handle that came with a session.
    pub fn keep(&self, session: PublicId, refresh: Option<HandleBytes>) {
        if let Some(first) = refresh {
            lock(&self.families).insert(session, Family { current: first, index: 0, first });
        }
    }

    /// The newest state.
    #[must_use]
    pub fn newest(&self) -> State {
        lock(&self.history).newest().cloned().unwrap_or_default()
    }
}

/// A tenant of the load.
pub struct Tenant {
    /// Its name.
    pub name: String,
    /// Its number.
    pub id: TenantId,
    /// Its admin's key.
    pub key: String,
    /// Its admin's connections.
    pub client: Client,
    /// The cell of the fleet that it lives in, as far as the load knows: counted from 0.
    pub cell: AtomicUsize,
    /// Its subjects.
    pub subjects: Vec<Subject>,
    /// Whether the edited role is in its wide form.
    pub wide: Mutex<History<bool>>,
    /// The highest revision of a receipt: what every later answer must have seen.
    pub floor: AtomicU64,
}

/// One check: what was asked when, and what came back.
#[derive(Clone, Copy)]
pub struct Asked {
    /// The session asked about.
    pub session: PublicId,
    /// Number of the permission.
    pub permission: usize,
    /// Before it was sent.
    pub sent: Moment,
    /// After its answer had come.
    pub received: Moment,
    /// The tenant's floor before it was sent.
    pub floor: u64,
}

/// Counts and findings.
#[derive(Default)]
pub struct Auditor {
    /// Checks compared.
    pub checks: AtomicU64,
    /// Of these, checks with one possible answer only.
    pub certain: AtomicU64,
    /// Answers that no possible state gives.
    pub wrong: AtomicU64,
    /// Answers older than a receipt that was there before they were asked for.
    pub stale: AtomicU64,
    /// Writes that were acknowledged.
    pub writes: AtomicU64,
    /// Of these, sessions that were ended.
    pub revocations: AtomicU64,
    /// Refreshes whose answer was compared.
    pub refreshes: AtomicU64,
    /// Lists that were read again.
    pub rereads: AtomicU64,
    /// Lists that no possible state gives: an acknowledged write is missing, or one that was refused is there.
    pub lost: AtomicU64,
    examples: Mutex<Vec<String>>,
}

impl Auditor {
    /// Compares the answer to a check. True when it is right.
    pub fn judge(&self, tenant: &Tenant, subject: &Subject, asked: &Asked, decision: &Decision) -> bool {
        let answers = answers(tenant, subject, asked);
        self.checks.fetch_add(1, Ordering::Relaxed);
        if answers.windows(2).all(|pair| matches!(pair, [one, two] if one == two)) {
            self.certain.fetch_add(1, Ordering::Relaxed);
        }
        let right = answers.iter().any(|answer| answer.is(decision.reason));
        if !right {
            self.wrong.fetch_add(1, Ordering::Relaxed);
            self.example(format!(
                "tenant {}, subject {}, session {}, permission {}: {} at revision {}, possible: {answers:?}, sent at {} ns, received at {} ns",
                tenant.name,
                subject.id,
                asked.session,
                asked.permission,
                decision.reason.name(),
                decision.seen.revision,
                asked.sent,
                asked.received
            ));
        }
        if decision.seen.revision.0 < asked.floor {
            self.stale.fetch_add(1, Ordering::Relaxed);
            self.example(format!(
                "tenant {}: an answer of revision {} after a receipt of revision {}",
                tenant.name, decision.seen.revision, asked.floor
            ));
        }
        right
    }

    /// Compares the answer to a refresh. True when it is right.
    pub fn refreshed(&self, subject: &Subject, right: bool, what: impl FnOnce() -> String) -> bool {
        self.refreshes.fetch_add(1, Ordering::Relaxed);
        if !right {
            self.wrong.fetch_add(1, Ordering::Relaxed);
            self.example(format!("subject {}: {}", subject.id, what()));
        }
        right
    }

    /// Compares a list of a subject's live sessions.
    pub fn sessions(
        &self,
        subject: &Subject,
        listed: &BTreeSet<PublicId>,
        (sent, received): (Moment, Moment),
    ) -> bool {
        let history = lock(&subject.history);
        let agrees = |state: &State| {
            let live = &state.facts.live;
            listed == live || state.opening && listed.len() == live.len() + 1 && listed.is_superset(live)
        };
        let right = history.possible(sent, received).any(agrees);
        let newest = history.newest().map(|state| state.facts.live.len());
        drop(history);
        self.reread(right, || {
            format!(
                "subject {}: {} live sessions listed, newest state has {newest:?}",
                subject.id,
                listed.len()
            )
        })
    }

    /// Compares a list of a subject's grants, one bit per role.
    pub fn grants(&self, subject: &Subject, listed: u8, (sent, received): (Moment, Moment)) -> bool {
        let history = lock(&subject.history);
        let right = history.possible(sent, received).any(|state| state.facts.granted == listed);
        let newest = history.newest().map(|state| state.facts.granted);
        drop(history);
        self.reread(right, || {
            format!("subject {}: grants {listed:03b} listed, newest state {newest:?}", subject.id)
        })
    }

    fn reread(&self, right: bool, example: impl FnOnce() -> String) -> bool {
        self.rereads.fetch_add(1, Ordering::Relaxed);
        if !right {
            self.lost.fetch_add(1, Ordering::Relaxed);
            self.example(example());
        }
        right
    }

    /// An acknowledged write.
    pub fn wrote(&self, tenant: &Tenant, revision: u64, revoked: bool) {
        tenant.floor.fetch_max(revision, Ordering::SeqCst);
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.revocations.fetch_add(u64::from(revoked), Ordering::Relaxed);
    }

    fn example(&self, text: String) {
        let mut examples = lock(&self.examples);
        if examples.len() < EXAMPLES_MAX {
            examples.push(text);
        }
    }

    /// The first findings, in words.
    #[must_use]
    pub fn examples(&self) -> Vec<String> {
        lock(&self.examples).clone()
    }

    /// Everything found: wrong and stale answers, lost writes.
    #[must_use]
    pub fn findings(&self) -> u64 {
        let of = |count: &AtomicU64| count.load(Ordering::SeqCst);
        of(&self.wrong) + of(&self.stale) + of(&self.lost)
    }
}

/// Every answer that some state between sending and arrival gives.
fn answers(tenant: &Tenant, subject: &Subject, asked: &Asked) -> Vec<Answer> {
    let (from, to) = (asked.sent, asked.received);
    let wide: Vec<bool> = lock(&tenant.wide).possible(from, to).copied().collect();
    let mut history = lock(&subject.history);
    history.forget(asked.received.saturating_sub(REMEMBERED));
    let states = history.possible(from, to);
    states
        .flat_map(|state| wide.iter().map(|wide| state.facts.answer(asked.session, asked.permission, *wide)))
        .collect()
}
