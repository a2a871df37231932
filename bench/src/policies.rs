//! Policies beside cedar-policy, how they grow, and what a tenant pays that has none.

use crate::casbin::Casbin;
use crate::checks::PER_ROOT;
use crate::figure::{Family, Row, Setup, Spec, Why};
use crate::house::{House, Tenant};
use crate::rounds::{interleave, nanos_each};
use cedar_policy::{Authorizer, Decision};
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use tessera_crypto::digest::Tagger;
use tessera_engine::{EngineConfig, PolicyParts};
use tessera_model::{
    Command, Deadline, Handle, Name, Pattern, PermissionRef, Private, UnixMillis, WorkspaceRef,
};
use tessera_policy_cedar::{Facts, Parsed, Question, Schema};
use tessera_program::{Entities, FaultRule, Names, Policies, Request};

/// The figures of policies.
pub const POLICIES: Family = Family {
    specs: &[POLICY_SIX_VS_CEDAR, POLICY_SIX_VS_CASBIN, POLICY_GROWTH, POLICY_NONE],
    take: policies,
};

const POLICY_SIX_VS_CEDAR: Spec = Spec {
    id: "policy-six-vs-cedar",
    what: "how many times cedar-policy takes as long for one policy of six conditions, half of them permitted, p50",
    unit: "x",
    goal: ">= 50 x",
};

const POLICY_SIX_VS_CASBIN: Spec = Spec {
    id: "policy-six-vs-casbin",
    what: "how many times Casbin takes as long for the same six conditions as its matcher, p50",
    unit: "x",
    goal: "reported",
};

const POLICY_GROWTH: Spec = Spec {
    id: "policy-growth",
    what: "the same question over 10,000 policies as over 10, all but ten irrelevant, p50 by p50",
    unit: "x",
    goal: "<= 1.5 x",
};

const POLICY_NONE: Spec = Spec {
    id: "policy-none",
    what: "check by ids of a tenant whose policies were taken away, by that of one that never had any, p50",
    unit: "x",
    goal: "<= 1.02 x",
};

/// Questions of one round.
pub const QUESTIONS: usize = 256;
/// Policies of the large set.
const MANY: usize = 10_000;

const SCHEMA: &str = "entity Group; entity User in [Group] = { level: Long, team: String, suspended?: Bool };
    entity Folder; entity Doc in [Folder] = { owner: User, size: Long };
    action read, write appliesTo { principal: [User], resource: [Doc], context: { n: Long, trusted: Bool } };";

const SIX: &str = r#"permit (principal, action == Action::"read", resource) when {
    principal.level >= 3 && principal.team == "tools" && !(principal has suspended && principal.suspended)
    && context.trusted && context.n < 10 && resource.size <= 100 };"#;

/// Everything that questions are asked over: ours and the peer's, of one text.
pub struct World {
    names: Names,
    policies: Policies,
    entities: Entities,
    set: cedar_policy::PolicySet,
    known: Facts,
    questions: Vec<Question>,
}

fn faults<E: std::fmt::Debug>(faults: E) -> Why {
    format!("{faults:?}").into()
}

impl World {
    fn new(text: &str) -> Result<Self, Why> {
        let schema = Schema::parse(SCHEMA.as_bytes()).map_err(faults)?;
        let parsed = Parsed::parse(text.as_bytes()).map_err(faults)?;
        let mut names = Names::default();
        let policies = parsed.compile(&mut names).map_err(faults)?;
        let mut entities = String::from("[");
        for no in 0..QUESTIONS {
            let comma = if no == 0 { "" } else { "," };
            let (level, team) = (if no.is_multiple_of(2) { 3 } else { 2 }, "tools");
            write!(
                entities,
                r#"{comma}{{"uid":{{"type":"User","id":"u{no}"}},"attrs":{{"level":{level},"team":"{team}"}},"parents":[]}},
                {{"uid":{{"type":"Doc","id":"d{no}"}},"attrs":{{"owner":{{"type":"User","id":"u{no}"}},"size":7}},"parents":[]}}"#
            )?;
        }
        entities.push(']');
        let known = Facts::parse(entities.as_bytes(), Some(&schema)).map_err(faults)?;
        let stored = known.store(&mut names).map_err(faults)?;
        let mut questions = Vec::with_capacity(QUESTIONS);
        for no in 0..QUESTIONS {
            let (user, doc) = (format!("User::\"u{no}\""), format!("Doc::\"d{no}\""));
            let asked = [user.as_str(), "Action::\"read\"", doc.as_str()];
            let context = r#"{"n": 7, "trusted": true}"#;
            questions.push(Question::parse(asked, context, Some(&schema), true).map_err(faults)?);
        }
        let set = parsed.set().clone();
        Ok(Self { names, policies, entities: stored, set, known, questions })
    }

    /// The world of one policy of six conditions.
    ///
    /// # Errors
    /// When its texts are not taken.
    pub fn six() -> Result<Self, Why> {
        Self::new(SIX)
    }

    /// The world of so many policies, all but ten of them irrelevant.
    ///
    /// # Errors
    /// When its texts are not taken.
    pub fn many(count: usize) -> Result<Self, Why> {
        Self::new(&grown(count)?)
    }

    /// The questions, in the numbers of the policies.
    ///
    /// # Errors
    /// When one does not fit.
    pub fn requests(&self) -> Result<Vec<Request<'_>>, Why> {
        self.questions.iter().map(|question| question.numbered(&self.names).map_err(faults)).collect()
    }

    /// Nanoseconds of one of our decisions.
    #[inline(never)]
    pub fn ours(&self, requests: &[Request<'_>]) -> f64 {
        let mut room = self.policies.room();
        nanos_each(requests.len(), || {
            for request in requests {
                let ruling = self.policies.decide(&self.entities, request, FaultRule::Strict, &mut room);
                black_box(ruling.permits());
            }
        })
    }

    /// Nanoseconds of one decision of the peer.
    pub fn peer(&self) -> f64 {
        let authorizer = Authorizer::new();
        nanos_each(self.questions.len(), || {
            for question in &self.questions {
                let answer = authorizer.is_authorized(question.request(), &self.set, self.known.entities());
                black_box(answer.decision());
            }
        })
    }

    /// Whether both say the same of every question, and both answers come.
    fn agree(&self, requests: &[Request<'_>]) -> bool {
        let (authorizer, mut room) = (Authorizer::new(), self.policies.room());
        let mut permits = 0;
        let same = self.questions.iter().zip(requests).all(|(question, request)| {
            let peer = authorizer.is_authorized(question.request(), &self.set, self.known.entities());
            let ours = self.policies.decide(&self.entities, request, FaultRule::Strict, &mut room).permits();
            permits += usize::from(ours);
            ours == (peer.decision() == Decision::Allow)
        });
        same && permits == QUESTIONS / 2
    }
}

/// A set in which ten policies may concern a question, and the others other users and documents.
fn grown(count: usize) -> Result<String, Why> {
    let mut text = SIX.to_owned();
    for no in 1..count {
        if no < 10 {
            write!(
                text,
                "forbid (principal, action == Action::\"read\", resource) when {{ context.n > {} }};",
                no + 20
            )?;
        } else {
            write!(
                text,
                "permit (principal == User::\"x{no}\", action == Action::\"write\", resource == Doc::\"x{no}\");"
            )?;
        }
    }
    Ok(text)
}

fn policies(setup: &Setup) -> Result<Vec<Row>, Why> {
    setup.progress.say("policy-six-vs-cedar");
    let rounds = if setup.quick { 61 } else { 301 };
    let world = World::new(SIX)?;
    let requests = world.requests()?;
    if !world.agree(&requests) {
        return Err("cedar-policy and we decide differently".into());
    }
    let (ours, peer) = interleave(rounds, || world.ours(&requests), || world.peer());
    let sizes = format!("{QUESTIONS} questions a round, {rounds} rounds in turn, {ours:.1} ns ours");
    let times = peer / ours;
    let six = Row::new(&POLICY_SIX_VS_CEDAR, times, sizes)
        .told_beside("cedar-policy, ns", peer)
        .judged(Some(times >= 50.0));
    setup.progress.say("policy-six-vs-casbin");
    let casbin = Casbin::new(QUESTIONS)?;
    if !casbin.agrees() {
        return Err("Casbin and we decide differently".into());
    }
    let (again, peer) = interleave(rounds, || world.ours(&requests), || casbin.nanos());
    let sizes = format!("{QUESTIONS} questions a round, {rounds} rounds in turn, {again:.1} ns ours");
    let beside = Row::new(&POLICY_SIX_VS_CASBIN, peer / again, sizes).told_beside("Casbin, ns", peer);
    setup.progress.say("policy-growth");
    let (few, many) = (World::new(&grown(10)?)?, World::new(&grown(MANY)?)?);
    let (asked_few, asked_many) = (few.requests()?, many.requests()?);
    if !few.agree(&asked_few) || !many.agree(&asked_many) {
        return Err("cedar-policy and we decide differently over many policies".into());
    }
    let (large, small) = interleave(rounds, || many.ours(&asked_many), || few.ours(&asked_few));
    let growth = large / small;
    let sizes = format!("{QUESTIONS} questions a round, {rounds} rounds in turn, {large:.1} ns over {MANY}");
    let growth =
        Row::new(&POLICY_GROWTH, growth, sizes).told_beside("over 10, ns", small).judged(Some(growth <= 1.5));
    setup.progress.say("policy-none");
    Ok(vec![six, beside, growth, none(rounds)?])
}

/// A tenant with sessions' worth of keys, and what is asked of them.
fn asked(house: &House, tenant: &Tenant) -> Result<Vec<(Handle, (u64, u64))>, Why> {
    let (engine, own, tagger) = (&house.engine, tenant.admin.subject, Tagger::new());
    let done = |command| house.runtime.block_on(engine.submit(&tenant.admin, engine.command_id(), command));
    let role = Name::new("reader")?;
    done(Command::RegisterPermission { name: Name::new("docs.read")? })?;
    done(Command::CreateRole { name: role.clone(), patterns: vec![Pattern::new("docs.*")?] })?;
    let (from, until) = (Deadline::NONE, Deadline::NONE);
    done(Command::Grant { subject: own, role, workspace: None, from, until })?;
    let mut keys = Vec::with_capacity(QUESTIONS);
    for _ in 0..QUESTIONS {
        let made = done(Command::CreateKey {
            subject: own,
            patterns: vec![Pattern::new("docs.*")?],
            expires: engine.now().plus_seconds(86_400).to_deadline(),
            description: Private::default(),
            client: None,
            networks: Vec::new(),
        })?;
        let handle = made.made.handle.ok_or("no key")?;
        keys.push((handle, tagger.tag_words(&handle.to_bytes())));
    }
    Ok(keys)
}

fn none(rounds: usize) -> Result<Row, Why> {
    let memory = Arc::new(tessera_storage::Memory::new(1 << 20));
    let house = House::over(memory, EngineConfig::default(), 1)?;
    let (never, had) = (house.tenant("never")?, house.tenant("had")?);
    let (of_never, of_had) = (asked(&house, &never)?, asked(&house, &had)?);
    let engine = &house.engine;
    let parts = PolicyParts {
        text: Some("forbid (principal, action, resource) when { context.key };".into()),
        ..PolicyParts::default()
    };
    let set = engine.set_policies(&had.admin, (engine.command_id(), false), parts);
    house.runtime.block_on(set)?;
    let delete = Command::DeletePolicies { expected: None };
    house.runtime.block_on(engine.submit(&had.admin, engine.command_id(), delete))?;
    let now: UnixMillis = engine.now();
    let ask = |tenant: &Tenant, keys: &[(Handle, (u64, u64))]| -> Result<f64, Why> {
        let view = tenant.view()?;
        let (permission, _) = view.read(now).resolve("docs.read", "");
        let mut permits = 0;
        let nanos = nanos_each(keys.len() * 16, || {
            let mut reading = view.read(now);
            for _ in 0..16 {
                for drained in keys.chunks(PER_ROOT) {
                    reading.renew(now);
                    for (handle, tag) in drained {
                        let by_id = PermissionRef::Id(permission);
                        let (place, generation) = (handle.place, handle.generation);
                        let told = reading.check_tag(place, generation, *tag, by_id, WorkspaceRef::Tenant);
                        permits += usize::from(told.is_permit());
                    }
                }
            }
        });
        if permits == keys.len() * 16 { Ok(nanos) } else { Err("an answer is wrong".into()) }
    };
    ask(&had, &of_had)?;
    ask(&never, &of_never)?;
    let with = || ask(&had, &of_had).unwrap_or(f64::NAN);
    let (with, without) = interleave(rounds, with, || ask(&never, &of_never).unwrap_or(f64::NAN));
    let sizes = format!("{QUESTIONS} keys, {rounds} rounds in turn, {with:.1} ns");
    let times = with / without;
    Ok(Row::new(&POLICY_NONE, times, sizes).told_beside("never any, ns", without).judged(Some(times <= 1.02)))
}
