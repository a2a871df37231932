//! Orders of people: chosen, run at once, given up, repeated under their ids until somebody knows.

use super::learn::Before;
use super::life::{DEADLINE, Node, PASSWORD, WRONG};
use super::world::{Ended, Order, Ordered, World};
use std::task::Poll;
use std::time::Duration;
use tessera_engine::{Bound, Done, Engine, SubmitError};
use tessera_model::{Command, CommandId, Deadline, HandleBytes, Identifier, Name, Private};
use tokio::task::JoinSet;

/// A command whose tenant was not there is ordered again so often.
const RETRIES: u32 = 400;
/// Refusals that say something of a command id.
const ID_REUSED: u16 = 212;
const COMMAND_TOO_OLD: u16 = 214;

/// When a caller gives up.
#[derive(Clone, Copy, Debug)]
enum Patience {
    /// After so many microseconds.
    Micros(u64),
    /// When it was looked at so often: at each place where a command waits for something.
    Looks(u64),
}

/// LIMIT: looks after which a caller may give up; a command has some ten places at which it waits.
const LOOKS_MAX: u64 = 12;

/// What is asked of an engine.
enum Asked {
    Command(Command),
    SignIn(Identifier, &'static str),
    Refresh(HandleBytes),
}

impl World {
    /// Orders something of several people at once, some of it given up before it is answered.
    pub(crate) async fn order_some(&mut self, node: &Node) {
        let mut all = Vec::new();
        for _ in 0..1 + self.dice.below(5) {
            let tenant = self.dice.index(self.tenants.len());
            let person = self.dice.index(self.profile.people);
            let taken = all.iter().any(|one: &Ordered| (one.tenant, one.person) == (tenant, person));
            if taken || self.is_pending(tenant, person) {
                continue;
            }
            let Some(order) = self.choose(tenant, person) else { continue };
            all.push(Ordered { tenant, person, order, id: node.engine.command_id() });
        }
        let patience: Vec<_> =
            all.iter().map(|_| (self.dice.below(6) == 0).then(|| self.patience())).collect();
        self.run(node, all, patience, 0).await;
    }

    fn patience(&mut self) -> Patience {
        if self.dice.below(2) == 0 {
            Patience::Micros(self.dice.below(6_000))
        } else {
            Patience::Looks(self.dice.below(LOOKS_MAX))
        }
    }

    /// What somebody is to be ordered.
    fn choose(&mut self, tenant: usize, person: usize) -> Option<Order> {
        let known = self.tenants.get(tenant)?.people.get(person)?;
        let alive = known.sessions.iter().rposition(|session| session.alive == Some(true));
        let refreshable = known
            .sessions
            .iter()
            .rposition(|session| session.alive != Some(false) && session.family.current.is_some());
        let spent = known
            .sessions
            .iter()
            .position(|session| session.alive != Some(false) && session.family.spent().is_some());
        let granted = known.granted;
        let panics = self.profile.failing;
        Some(match self.dice.below(16) {
            0 if panics => Order::Panic,
            0..=3 => Order::Grant(granted != Some(true)),
            4 | 5 => alive.map_or(Order::Open, Order::End),
            6 | 7 => Order::SignIn,
            8 => Order::Guess,
            9 => Order::Unlock,
            10..=12 => refreshable.map_or(Order::Open, Order::Refresh),
            13 => spent.map_or(Order::SignIn, Order::Reuse),
            _ => Order::Open,
        })
    }

    /// Guesses at one account, many at once: all of them are counted.
    pub(crate) async fn guess_much(&mut self, node: &Node) {
        let tenant = self.dice.index(self.tenants.len());
        let person = self.dice.index(self.profile.people);
        if self.is_pending(tenant, person) {
            return;
        }
        let count = 2 + self.dice.below(7);
        let order = Order::Guess;
        let all: Vec<_> =
            (0..count).map(|_| Ordered { tenant, person, order, id: node.engine.command_id() }).collect();
        let patience = all.iter().map(|_| None).collect();
        self.run(node, all, patience, 0).await;
        // Whoever may not be tried any more is turned down with the right password, too.
        let right = Ordered { tenant, person, order: Order::SignIn, id: node.engine.command_id() };
        self.run(node, vec![right], vec![None], 0).await;
    }

    /// Refreshes one session again and again.
    pub(crate) async fn refresh_some(&mut self, node: &Node) {
        let tenant = self.dice.index(self.tenants.len());
        let person = self.dice.index(self.profile.people);
        for _ in 0..2 + self.dice.below(5) {
            let known = self.tenants.get(tenant).and_then(|tenant| tenant.people.get(person));
            let Some(known) = known.filter(|_| !self.is_pending(tenant, person)) else { return };
            let at = known
                .sessions
                .iter()
                .rposition(|session| session.alive == Some(true) && session.family.current.is_some());
            let spent =
                at.filter(|at| known.sessions.get(*at).is_some_and(|one| one.family.spent().is_some()));
            let order = match spent.filter(|_| self.dice.below(3) == 0) {
                Some(at) => Order::Reuse(at),
                None => at.map_or(Order::Open, Order::Refresh),
            };
            let ordered = Ordered { tenant, person, order, id: node.engine.command_id() };
            let patience = (self.dice.below(4) == 0).then(|| self.patience());
            self.run(node, vec![ordered], vec![patience], 0).await;
        }
    }

    /// Repeats what nobody knows under its own id: some of it, or all until it is known.
    pub(crate) async fn settle(&mut self, node: &Node, all: bool) {
        for _ in 0..50 {
            let some: Vec<Ordered> = std::mem::take(&mut self.pending);
            if some.is_empty() || !node.is_up() {
                self.pending.extend(some);
                return;
            }
            let patience = some.iter().map(|_| None).collect();
            self.run(node, some, patience, RETRIES).await;
            if !all {
                return;
            }
        }
        if node.is_up() && !self.pending.is_empty() {
            self.fault("an outcome stays unknown");
        }
    }

    /// Runs orders at once, and learns what became of each.
    async fn run(&mut self, node: &Node, all: Vec<Ordered>, patience: Vec<Option<Patience>>, retries: u32) {
        let mut running = JoinSet::new();
        let mut before = Vec::new();
        for (no, (ordered, limit)) in all.iter().zip(patience).enumerate() {
            before.push(self.before(ordered));
            self.sent(ordered);
            let Some(asked) = self.asked(node, ordered) else { continue };
            let Some(admin) = node.admins.get(ordered.tenant).cloned() else { continue };
            let (engine, id) = (node.engine.clone(), ordered.id);
            running.spawn(async move { (no, submit(engine, admin, (id, asked), limit, retries).await) });
        }
        let mut ended = Vec::new();
        while let Some(one) = running.join_next().await {
            if let Ok(one) = one {
                ended.push(one);
            }
        }
        ended.sort_by_key(|(no, _)| *no);
        self.now = node.now();
        for (no, found) in ended {
            let (Some(ordered), Some(before)) = (all.get(no), before.get(no)) else { continue };
            if matches!(found, Ended::Unknown(false)) && node.is_up() && ordered.order != Order::Panic {
                // A tenant that was loaded anew tells nobody what became of its batch: that is allowed, silence is not.
                self.note(&"unknown while up");
            }
            self.hear(ordered, *before, &found);
        }
    }

    fn hear(&mut self, ordered: &Ordered, before: Before, found: &Ended) {
        let told = match found {
            Ended::Done(receipt, ..) => (0, receipt.revision.0),
            Ended::Refused(code) => (1, u64::from(*code)),
            Ended::Unknown(given_up) => (2, u64::from(*given_up)),
        };
        self.note(&(ordered.tenant, ordered.person, format!("{:?}", ordered.order), told));
        match found {
            Ended::Refused(ID_REUSED) => self.fault("a command id was taken for another's"),
            Ended::Refused(COMMAND_TOO_OLD) => {
                // Nobody will ever know: it is not asked for again, nor is a handle that may have been replaced.
                if let Order::Refresh(at) = ordered.order
                    && let Some(session) =
                        self.person_mut(ordered).and_then(|person| person.sessions.get_mut(at))
                {
                    session.family.current = None;
                }
                return;
            }
            Ended::Done(..) | Ended::Refused(_) | Ended::Unknown(_) => {}
        }
        self.learn(ordered, before, found);
    }

    /// What an order asks.
    fn asked(&self, node: &Node, ordered: &Ordered) -> Option<Asked> {
        let person = self.person(ordered)?;
        let session = |at: usize| person.sessions.get(at);
        let (role, none, subject) = (Name::new("actor").ok()?, Deadline::NONE, person.subject);
        Some(Asked::Command(match ordered.order {
            Order::SignIn => return Some(Asked::SignIn(person.identifier.clone(), PASSWORD)),
            Order::Guess => return Some(Asked::SignIn(person.identifier.clone(), WRONG)),
            Order::Refresh(at) => return Some(Asked::Refresh(session(at)?.family.current?)),
            Order::Reuse(at) => return Some(Asked::Refresh(*session(at)?.family.spent()?)),
            Order::Unlock => Command::ForgetFailures { subject },
            Order::Grant(true) => Command::Grant { subject, role, workspace: None, from: none, until: none },
            Order::Grant(false) => Command::Ungrant { subject, role, workspace: None },
            Order::End(at) => Command::EndSession { session: session(at)?.id },
            Order::Panic => Command::PlantedPanic {},
            Order::Open => {
                let view = node.admins.get(ordered.tenant)?.entry.view().clone()?;
                let listing = view.listing();
                let record = listing.subject(subject)?;
                let (subject, seen_cut_off) = (record.index, record.cut_off);
                Command::OpenSession { subject, seen_cut_off, identifier: None, acr: 0, device: None }
            }
        }))
    }
}

/// Orders something, again while its tenant is being loaded; given up by its caller as `limit` says.
async fn submit(
    engine: Engine,
    admin: Bound,
    (id, asked): (CommandId, Asked),
    limit: Option<Patience>,
    retries: u32,
) -> Ended {
    for _ in 0..=retries {
        let (patience, looks) = match limit {
            None => (DEADLINE, u64::MAX),
            Some(Patience::Micros(micros)) => (Duration::from_micros(micros), u64::MAX),
            Some(Patience::Looks(looks)) => (DEADLINE, looks),
        };
        let asking = looked_at(ask(&engine, &admin, id, &asked), looks);
        let told = tokio::time::timeout(patience, asking).await;
        match told.map_err(drop).and_then(|told| told.ok_or(())) {
            Ok(Ok(done)) => return Ended::Done(done.receipt, done.repeat, Box::new(done.made)),
            Ok(Err(SubmitError::Refused(refusal) | SubmitError::Wait { refusal, .. })) => {
                // Not ready, busy, full for a moment: it is asked again, where somebody must know.
                if !matches!(refusal.code(), 300..=399 | 229) || retries == 0 {
                    return Ended::Refused(refusal.code());
                }
            }
            Ok(Err(SubmitError::Unknown)) => return Ended::Unknown(false),
            Err(_) => return Ended::Unknown(limit.is_some()),
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Ended::Unknown(false)
}

/// What a future comes to when it is looked at so often at most; then it is dropped where it stands.
async fn looked_at<T>(asking: impl Future<Output = T>, mut looks: u64) -> Option<T> {
    let mut asking = std::pin::pin!(asking);
    std::future::poll_fn(|context| {
        if looks == 0 {
            return Poll::Ready(None);
        }
        looks -= 1;
        asking.as_mut().poll(context).map(Some)
    })
    .await
}

async fn ask(engine: &Engine, admin: &Bound, id: CommandId, asked: &Asked) -> Result<Done, SubmitError> {
    match asked {
        Asked::Command(command) => engine.submit(admin, id, command.clone()).await,
        Asked::SignIn(identifier, password) => {
            let proof = (identifier, Private::new(password.as_bytes().to_vec()));
            engine.sign_in(admin, id, proof, (None, None)).await
        }
        Asked::Refresh(handle) => engine.refresh(admin, id, handle).await,
    }
}
