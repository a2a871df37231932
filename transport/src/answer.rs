//! Answers a drained read: every frame against one reading of the tenant's view, into one buffer.
//!
//! Nothing here waits. A command or list is handed to a task of its own; everything else is answered
//! where it lies. An answer that cannot be given is an Error reply to that request alone.

use crate::aside;
use crate::budget::Bucket;
use crate::connection::{Line, Peer};
use crate::elsewhere;
use crate::end::End;
use crate::figures::add;
use crate::order;
use crate::quick::{self, QUICK_BUDGET};
use crate::set_up::{set_up_of, strange};
use crate::stream::Desk;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use tessera_engine::{ADDRESS, Bound, Engine, HelloRefusal, PolicySteps, Reading, Sees};
use tessera_model::code::{CODE_FAILED, ProtocolCode};
use tessera_model::limits::WIRE_FRAME_BYTES_MAX;
use tessera_model::{CheckQuery, HandleBytes, Limit, PermissionId, Reason, Receipt, Refusal, TenantId};
use tessera_relation::RELATION_BUDGET;
use tessera_wire::{
    CheckBatch, DecisionBatchWriter, Fault, Frame, Hello, HelloReply, Kind, Outbox, PermissionName,
    Permissions, RequestKind, Resolve, Resolved, WireError,
};
use tokio::time::Instant;

/// When a caller should come again whose tenant is waking or whose receipt is ahead, ms.
const COME_AGAIN_MS: u32 = 5;
/// The permission that lets a caller ask about handles that are not its own.
const CHECK: &str = "tessera.check";
/// LIMIT: bytes of names in one answer to `list_permissions`: the rest of the frame holds set and items.
const NAMES_BYTES_MAX: usize = WIRE_FRAME_BYTES_MAX / 2;

/// LIMIT: frames that are answered under one look at clock and root: some 10 us of single checks.
const FRAMES_PER_LOOK: u32 = 64;
/// LIMIT: steps of policies that one drained read takes before others have their turn: some 3 ms.
const POLICY_STEPS_MAX: u64 = 1 << 18;
/// LIMIT: bytes of answers that are written at once: one frame, and what was begun before it.
pub(crate) const ANSWERS_BYTES_MAX: usize = WIRE_FRAME_BYTES_MAX;

/// What a drained read came to.
pub(crate) enum Drained {
    /// Answers wait in the outbox.
    Answered,
    /// As many answers wait as may; frames are left in the inbox.
    More,
    /// What waits in the outbox is the last that this peer is told.
    Last(End),
}

/// Answers every whole frame of the inbox.
pub(crate) fn drain(desk: &mut Desk) -> Result<Drained, End> {
    let line = std::sync::Arc::clone(&desk.line);
    let (shared, mut taken) = (&line.shared, 0_u64);
    let mut drained = Drained::Answered;
    if line.peer.get().is_none() {
        drained = greet(desk, &line, &mut taken)?;
    }
    if let (Some(peer), Drained::Answered) = (line.peer.get(), &drained) {
        match peer {
            // A stranger keeps the caps of before Hello: a claim fits, and nothing of it grows.
            Peer::Stranger(wanted) => strange(desk, &line, *wanted, &mut taken)?,
            Peer::Bound(bound, credential, bucket) => {
                desk.inbox.after_hello();
                if let Some(redirect) = elsewhere::of(&shared.engine, bound) {
                    elsewhere::all(desk, &line, &redirect, &mut taken)?;
                    return Ok(settled(desk, &line, (taken, drained)));
                }
                // Looked at again with every drained read: a revoked credential is answered nothing more.
                if !shared.engine.is_asleep(bound) && !shared.engine.is_alive(bound) {
                    return Err(End::HELLO_REFUSED);
                }
                shared.engine.note_use(bound);
                if known(desk, &line, (bound, credential, bucket), &mut taken)? {
                    drained = Drained::More;
                }
            }
        }
    }
    Ok(settled(desk, &line, (taken, drained)))
}

/// What a drained read came to that took so many frames.
fn settled(desk: &mut Desk, line: &Line, (taken, drained): (u64, Drained)) -> Drained {
    add(&line.shared.counters.drains, 1);
    desk.used |= taken > 0;
    if !desk.inbox.is_partial() {
        desk.partial_since = None;
    } else if taken > 0 || desk.partial_since.is_none() {
        desk.partial_since = Some(Instant::now());
    }
    if matches!(drained, Drained::Answered) && desk.outbox.len() >= ANSWERS_BYTES_MAX {
        return Drained::More;
    }
    drained
}

/// Before Hello was answered: one Hello, and nothing else.
fn greet(desk: &mut Desk, line: &Line, taken: &mut u64) -> Result<Drained, End> {
    while line.peer.get().is_none() {
        let Some(frame) = desk.inbox.next_frame()? else { break };
        *taken += 1;
        let id = frame.header.request_id;
        if line.hellos.fetch_add(1, Ordering::Relaxed) >= line.shared.limits.hellos {
            return Err(End::LIMIT);
        }
        if frame.kind() != Ok(Kind::Hello) {
            fault(&mut desk.outbox, line, id, &Fault::protocol(ProtocolCode::HelloExpected))?;
            return Ok(Drained::Last(End::HELLO_EXPECTED));
        }
        let hello = match frame.hello() {
            Ok(hello) => hello,
            Err(error) => {
                fault(&mut desk.outbox, line, id, &error.into())?;
                return Ok(Drained::Last(End::HELLO_EXPECTED));
            }
        };
        match meet(line, &hello) {
            Ok((peer, reply)) => {
                add(&line.shared.counters.hellos, 1);
                // Another stream may have been first; its Hello stands, and this one is answered the same.
                drop(line.peer.set(peer));
                if line.is_bound() {
                    line.open_up();
                }
                desk.outbox.hello_reply(id, &reply)?;
            }
            Err(refused @ (HelloRefusal::NotReady | HelloRefusal::Failed | HelloRefusal::Suspended)) => {
                fault(&mut desk.outbox, line, id, &unready(refused.into()))?;
            }
            Err(HelloRefusal::Elsewhere(cell)) => {
                let redirect = elsewhere::fault(&line.shared.engine, cell);
                fault(&mut desk.outbox, line, id, &redirect)?;
            }
            Err(HelloRefusal::Refused) => {
                add(&line.shared.counters.hellos_refused, 1);
                fault(&mut desk.outbox, line, id, &Fault::protocol(ProtocolCode::HelloRefused))?;
                return Ok(Drained::Last(End::HELLO_REFUSED));
            }
        }
    }
    Ok(Drained::Answered)
}

/// Binds the peer to a tenant, or takes it as a stranger who has something to claim.
fn meet(line: &Line, hello: &Hello) -> Result<(Peer, HelloReply), HelloRefusal> {
    let shared = &line.shared;
    let mut reply = HelloReply {
        node_time: shared.engine.now(),
        tenant: hello.tenant.unwrap_or(TenantId::SYSTEM),
        map_version: shared.engine.fleet().map_or(0, |fleet| fleet.version()),
        cell: shared.cell,
        version: shared.version,
        ..HelloReply::default()
    };
    let Some(credential) = hello.credential else {
        // All that a stranger may do is claim the node: when that is over there is nothing to stay for.
        let welcome = shared.engine.awaits_claim();
        let stranger = Peer::Stranger(RequestKind::ClaimOperator);
        return if welcome { Ok((stranger, reply)) } else { Err(HelloRefusal::Refused) };
    };
    if let Some((tenant, kind)) = set_up_of(&credential, hello.tenant)? {
        // Whoever has such a secret stays a stranger, who may use it.
        if kind == RequestKind::SetUpPassword {
            shared.engine.hello_set_up(&credential)?;
        } else {
            shared.engine.hello_invited(&credential)?;
        }
        return Ok((Peer::Stranger(kind), HelloReply { tenant, ..reply }));
    }
    let bound =
        shared.engine.hello_from(&credential, hello.tenant, Some(line.connection.remote_address().ip()))?;
    reply.tenant = bound.entry.tenant;
    reply.seen =
        bound.entry.view().as_ref().map(|view| view.read(reply.node_time).seen()).unwrap_or_default();
    reply.bound = Some((bound.subject, bound.credential));
    let bucket = shared.budgets.of((bound.home.tenant, bound.credential), reply.node_time);
    Ok((Peer::Bound(bound, credential, bucket), reply))
}

/// Notes a command that was started, or answers why it was not.
pub(crate) fn follow(
    outbox: &mut Outbox,
    line: &Line,
    id: u64,
    started: Result<(), Fault>,
    running: &mut usize,
) -> Result<(), End> {
    match started {
        Ok(()) => {
            add(&line.shared.counters.commands, 1);
            *running += 1;
            Ok(())
        }
        Err(refused) => fault(outbox, line, id, &refused),
    }
}

pub(crate) fn fault(outbox: &mut Outbox, line: &Line, id: u64, fault: &Fault) -> Result<(), End> {
    add(&line.shared.counters.faults, 1);
    Ok(outbox.fault(id, fault)?)
}

fn not_ready() -> Fault {
    unready(Refusal::NotReady)
}

/// Why nothing is answered now: a tenant that wakes is worth another try, a damaged one is not.
pub(crate) fn unready(refusal: Refusal) -> Fault {
    let retry_ms = if refusal == Refusal::NotReady { COME_AGAIN_MS } else { 0 };
    Fault { retry_ms, ..Fault::refused(refusal) }
}

/// Answers the frames of a bound peer. Says whether it stopped because policies had taken their steps; what they cost is
/// paid for then, before it goes on.
fn known(
    desk: &mut Desk,
    line: &std::sync::Arc<Line>,
    (bound, credential, bucket): (&Bound, &HandleBytes, &Bucket),
    taken: &mut u64,
) -> Result<bool, End> {
    let (engine, counters) = (&line.shared.engine, &line.shared.counters);
    let now = engine.now();
    let view = bound.entry.view();
    let reading = view.as_ref().map(|view| engine.read(view));
    let unready = if reading.is_none() { unready(engine.unready(&bound.entry)) } else { not_ready() };
    let budget = (line.shared.budgets.left(bucket, now), line.shared.limits.checks_per_second);
    let mut asking = reading.map(|reading| Asking::new(engine, bound, reading, budget));
    let (mut since_renewed, policies): (u32, _) = (0, PolicySteps::counting());
    while desk.outbox.len() < ANSWERS_BYTES_MAX && policies.steps() < POLICY_STEPS_MAX {
        let Some(frame) = desk.inbox.next_frame()? else { break };
        *taken += 1;
        since_renewed += 1;
        if let (Some(asking), FRAMES_PER_LOOK..) = (&mut asking, since_renewed) {
            asking.reading.renew(engine.now());
            since_renewed = 0;
        }
        let (id, before) = (frame.header.request_id, desk.outbox.len());
        let kind = match frame.kind() {
            Ok(Kind::Request(kind)) => {
                if let Some(asking) = asking.as_mut().filter(|_| quick::may_be(kind))
                    && asking.quick(line, kind, &frame, &mut desk.outbox)?
                {
                    gone(&mut desk.outbox, line, (id, before), bound)?;
                    continue;
                }
                let started = order::room(line, desk.running).and_then(|()| {
                    order::start(line, Some((bound, credential)), kind, &frame, &desk.replies)
                });
                follow(&mut desk.outbox, line, id, started, &mut desk.running)?;
                continue;
            }
            Ok(Kind::Hello) => {
                fault(&mut desk.outbox, line, id, &Fault::protocol(ProtocolCode::HelloExpected))?;
                continue;
            }
            Ok(kind) => kind,
            Err(error) => {
                fault(&mut desk.outbox, line, id, &error.into())?;
                continue;
            }
        };
        let answered = match &mut asking {
            None => Err(unready.clone()),
            Some(asking) if kind == Kind::CheckRelation => {
                asking.relation(&frame, &mut desk.outbox, QUICK_BUDGET)
            }
            Some(asking) if asking.reading.has_policies() && aside::may_be_long(kind, &frame) => Ok(false),
            Some(asking) => asking.answer(kind, &frame, &mut desk.outbox, &mut desk.batch).map(|()| true),
        };
        match answered {
            Ok(true) => {}
            Ok(false) => {
                let started = order::room(line, desk.running)
                    .and_then(|()| aside::start(line, bound, &frame, &desk.replies));
                follow(&mut desk.outbox, line, id, started, &mut desk.running)?;
                continue;
            }
            Err(refused) => fault(&mut desk.outbox, line, id, &refused)?,
        }
        gone(&mut desk.outbox, line, (id, before), bound)?;
    }
    if let Some(asking) = asking {
        line.shared.budgets.use_up(bucket, asking.spent.saturating_add(policies.checks()));
        add(&counters.checks, asking.checks);
        add(&counters.questions, asking.others);
    }
    Ok(policies.steps() >= POLICY_STEPS_MAX)
}

/// Of a tenant that left while it was asked about, nothing is answered but where it lives: what was written behind
/// `before` is taken back.
fn gone(outbox: &mut Outbox, line: &Line, (id, before): (u64, usize), bound: &Bound) -> Result<(), End> {
    match elsewhere::of(&line.shared.engine, bound) {
        None => Ok(()),
        Some(redirect) => {
            outbox.cut(before);
            fault(outbox, line, id, &redirect)
        }
    }
}

/// One drained read's questions: who asks, and the reading that answers them all.
pub(crate) struct Asking<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) bound: &'a Bound,
    pub(crate) reading: Reading<'a>,
    /// Whether the caller may ask about handles of others, or about relations; looked up at the first question.
    may_check: Option<bool>,
    /// Whether the caller may say where a handle is used from; looked up at the first check that says it.
    may_say: Option<bool>,
    pub(crate) checks: u64,
    pub(crate) others: u64,
    /// What the questions of this read cost the caller, those that failed included.
    pub(crate) spent: u64,
    /// Checks that the caller may still ask for in this read.
    pub(crate) left: i64,
    /// Set when nobody waits for what is asked with this any more.
    pub(crate) gone: Option<&'a AtomicBool>,
    /// How many a second that is at most.
    bound_of_budget: u32,
}

impl<'a> Asking<'a> {
    /// Asks by a reading, within what is left of the caller's budget and how many a second that is.
    pub(crate) const fn new(
        engine: &'a Engine,
        bound: &'a Bound,
        reading: Reading<'a>,
        (left, bound_of_budget): (i64, u32),
    ) -> Self {
        let (may_check, may_say) = (None, None);
        Self {
            engine,
            bound,
            reading,
            may_check,
            may_say,
            checks: 0,
            others: 0,
            spent: 0,
            left,
            gone: None,
            bound_of_budget,
        }
    }

    pub(crate) fn answer(
        &mut self,
        kind: Kind,
        frame: &Frame<'_>,
        out: &mut Outbox,
        batch: &mut DecisionBatchWriter,
    ) -> Result<(), Fault> {
        let id = frame.header.request_id;
        match kind {
            Kind::Check => match frame.check_by_ids() {
                Some(asked) => self.check(id, &asked.query(), out)?,
                None => self.check(id, &frame.check()?, out)?,
            },
            Kind::CheckBatch => {
                let asked = frame.check_batch()?;
                self.batch(&asked, batch)?;
                out.decision_batch(id, batch)?;
            }
            Kind::Introspect => {
                self.afford(1)?;
                let ask = frame.introspect()?;
                self.sees(ask.at_least)?;
                self.entitled(ask.handle)?;
                self.others += 1;
                self.may_say(ask.address)?;
                let of = (ask.handle, ask.address);
                let found = self.engine.introspect(self.bound, &self.reading, of);
                out.introspection(id, &found.map_err(|reason| (reason, self.reading.seen())))?;
            }
            Kind::ListPermissions => {
                self.afford(1)?;
                out.permissions(id, &self.permissions(frame)?)?;
            }
            Kind::CheckRelation => {
                let _answered = self.relation(frame, out, RELATION_BUDGET)?;
            }
            Kind::Resolve => {
                self.afford(1)?;
                out.resolved(id, &self.resolve(frame)?)?;
            }
            Kind::Hello
            | Kind::HelloReply
            | Kind::Decision
            | Kind::DecisionBatch
            | Kind::Introspection
            | Kind::Permissions
            | Kind::Resolved
            | Kind::Error
            | Kind::Receipt
            | Kind::Rows
            | Kind::RelationDecision
            | Kind::Request(_) => return Err(WireError::KindUnknown.into()),
        }
        Ok(())
    }

    #[inline(always)]
    fn check(&mut self, id: u64, query: &CheckQuery<'_>, out: &mut Outbox) -> Result<(), Fault> {
        self.sees(query.at_least)?;
        self.entitled(query.handle)?;
        self.afford(1)?;
        self.checks += 1;
        self.may_say(query.address)?;
        out.decision(id, &self.engine.check(self.bound, &self.reading, query))?;
        Ok(())
    }

    /// Counts questions against the caller's budget.
    pub(crate) fn afford(&mut self, questions: usize) -> Result<(), Fault> {
        let bound = u64::from(self.bound_of_budget);
        let busy = || {
            let refusal = Refusal::Busy(Limit::ChecksPerSecond.at(bound));
            Fault { retry_ms: COME_AGAIN_MS, ..Fault::refused(refusal) }
        };
        self.left = self.left.saturating_sub(i64::try_from(questions).unwrap_or(i64::MAX));
        if self.left < 0 {
            return Err(busy());
        }
        // Whatever comes of it: a question that fails in the end was work.
        self.spent += questions as u64;
        Ok(())
    }

    /// Whether this reading has seen what the caller has seen.
    pub(crate) fn sees(&self, at_least: Receipt) -> Result<(), Fault> {
        match self.reading.sees(at_least) {
            Sees::Yes => Ok(()),
            Sees::NotYet => Err(Fault { retry_ms: COME_AGAIN_MS, ..Fault::refused(Refusal::Behind) }),
            Sees::Restored => Err(Fault::refused(Refusal::Restored)),
        }
    }

    /// Whether the caller may ask about everybody.
    pub(crate) fn may_check(&mut self) -> bool {
        let (engine, bound) = (self.engine, self.bound);
        *self.may_check.get_or_insert_with(|| engine.may(bound, CHECK))
    }

    /// Whether the caller may ask about this handle: its own, or anybody's with the permission.
    fn entitled(&mut self, handle: &HandleBytes) -> Result<(), Fault> {
        if self.may_check() || self.engine.is_own(self.bound, handle) {
            Ok(())
        } else {
            Err(Fault::refused(Refusal::Unauthorized))
        }
    }

    /// Whether the caller may say where the handle is used from, if it says so.
    fn may_say(&mut self, address: Option<IpAddr>) -> Result<(), Fault> {
        let (engine, bound) = (self.engine, self.bound);
        if address.is_none() || *self.may_say.get_or_insert_with(|| engine.may(bound, ADDRESS)) {
            Ok(())
        } else {
            Err(Fault::refused(Refusal::Unauthorized))
        }
    }

    fn batch(&mut self, asked: &CheckBatch<'_>, answers: &mut DecisionBatchWriter) -> Result<(), Fault> {
        self.sees(asked.at_least())?;
        self.afford(asked.len())?;
        answers.start(self.reading.seen());
        // Every place, then every subject's line, is on its way into the cache before the first secret
        // is hashed.
        for query in asked.queries() {
            self.reading.touch(&query?);
        }
        for query in asked.queries() {
            self.reading.touch_subject(&query?);
        }
        for query in asked.queries() {
            let query = query?;
            self.entitled(query.handle)?;
            self.may_say(query.address)?;
            answers.push(&self.engine.check(self.bound, &self.reading, &query));
        }
        self.checks += asked.len() as u64;
        Ok(())
    }

    fn permissions(&mut self, frame: &Frame<'_>) -> Result<Permissions, Fault> {
        let ask = frame.list_permissions()?;
        self.sees(ask.at_least)?;
        self.entitled(ask.handle)?;
        self.others += 1;
        let mut answer = Permissions {
            reason: Reason::None,
            seen: self.reading.seen(),
            valid_until: tessera_model::UnixMillis(u64::MAX),
            words: Vec::new(),
            names: Vec::new(),
            next: PermissionId(0),
        };
        self.may_say(ask.address)?;
        let of = (ask.handle, ask.address);
        match self.engine.list_permissions(self.bound, &self.reading, of, ask.workspace) {
            Err(reason) => answer.reason = reason,
            Ok(list) => {
                answer.valid_until = list.valid_until;
                answer.words = list.permitted;
            }
        }
        if ask.with_names {
            self.name(&mut answer, ask.after);
        }
        Ok(answer)
    }

    /// Names of permitted ids above `after`, as many as fit.
    fn name(&self, answer: &mut Permissions, after: PermissionId) {
        let (mut bytes, mut last) = (0, PermissionId(0));
        let ids = (0_u32..).zip(&answer.words).flat_map(|(word, bits)| {
            (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| PermissionId(word * 64 + bit))
        });
        for id in ids.filter(|id| *id > after) {
            let Some(name) = self.reading.permission_name(id) else { continue };
            bytes += name.len() + 8;
            if bytes > NAMES_BYTES_MAX {
                answer.next = last;
                return;
            }
            answer.names.push(PermissionName { id, name: name.to_owned() });
            last = id;
        }
    }

    fn resolve(&mut self, frame: &Frame<'_>) -> Result<Resolved, Fault> {
        self.others += 1;
        let ids = frame.resolve()?.map(|asked| {
            Ok(match asked? {
                Resolve::Permission(name) => self.reading.resolve(name, "").0.0,
                Resolve::Workspace(name) => self.engine.resolve_workspace(self.bound, &self.reading, name).0,
            })
        });
        let ids = ids.collect::<Result<Vec<_>, WireError>>()?;
        Ok(Resolved { seen: self.reading.seen(), ids })
    }
}

/// A reply that was not written, because something of ours failed.
pub(crate) fn failed() -> Fault {
    Fault::new(CODE_FAILED, "the node failed; nothing is known to have happened")
}
