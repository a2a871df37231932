//! The comparison: worlds of policies, questions to each, and what was seen.

use crate::random::Random;
use crate::shape::{ENTITIES, Shape, id, pick};
use crate::spoil::{operators, spoiled};
use crate::write::Writer;
use cedar_policy::pst::{Policy, StaticPolicy};
use cedar_policy::{Authorizer, Decision, Effect, PolicySet, SlotId};
use std::collections::{BTreeMap, BTreeSet};
use tessera_policy_cedar::{Facts, Parsed, Question, Schema, compile};
use tessera_program::{
    Entities, EntityRef, Fact, FaultRule, Names, Plain, PlainBounds, Policies, Program, Request, Sent,
};

/// How much is compared.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The first world.
    pub seed: u64,
    /// Worlds: a schema, policies and entities each.
    pub worlds: u64,
    /// Questions to each.
    pub questions: usize,
    /// Threads that share the worlds.
    pub threads: u64,
    /// An operator that is wrong in the compiled policies: the comparison must find it.
    pub planted: Option<&'static str>,
}

/// What was seen of an operator.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Policies that have it.
    pub policies: u64,
    /// Questions whose answer is another when it is wrong.
    pub decisive: u64,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Worlds.
    pub worlds: u64,
    /// Policies that the strict validator took.
    pub policies: u64,
    /// Policies that were written.
    pub written: u64,
    /// Policies nested at least four deep.
    pub deep: u64,
    /// Policies that came from templates.
    pub links: u64,
    /// Questions; each was decided under two rules.
    pub questions: u64,
    /// Permits under the language's own rule.
    pub permits: u64,
    /// Questions in which a policy failed.
    pub failed: u64,
    /// Questions to which the rules have different answers.
    pub rules: u64,
    /// By operator.
    pub operators: BTreeMap<String, Seen>,
}

/// Operators of the language that a comparison must have seen.
const OPERATORS: [&str; 49] = [
    "Not",
    "Neg",
    "IsEmpty",
    "Datetime",
    "Decimal",
    "Duration",
    "Ip",
    "IsIPv4",
    "IsIPV6",
    "IsLoopback",
    "IsMulticast",
    "ToDate",
    "ToTime",
    "ToMilliseconds",
    "ToSeconds",
    "ToMinutes",
    "ToHours",
    "ToDays",
    "Eq",
    "NotEq",
    "Less",
    "LessEq",
    "Greater",
    "GreaterEq",
    "And",
    "Or",
    "Add",
    "Sub",
    "Mul",
    "In",
    "Contains",
    "ContainsAll",
    "ContainsAny",
    "GetTag",
    "HasTag",
    "IsInRange",
    "Offset",
    "DurationSince",
    "DecimalLessThan",
    "DecimalLessEq",
    "DecimalGreater",
    "DecimalGreaterEq",
    "attribute",
    "has",
    "has a path",
    "like",
    "if",
    "set",
    "record",
];

impl Tally {
    fn add(&mut self, other: &Self) {
        self.worlds += other.worlds;
        self.policies += other.policies;
        self.written += other.written;
        self.deep += other.deep;
        self.links += other.links;
        self.questions += other.questions;
        self.permits += other.permits;
        self.failed += other.failed;
        self.rules += other.rules;
        for (name, seen) in &other.operators {
            let mine = self.operators.entry(name.clone()).or_default();
            mine.policies += seen.policies;
            mine.decisive += seen.decisive;
        }
    }

    /// What the comparison lacks: shares of operators, depth, faults and answers that are too small.
    #[must_use]
    pub fn lacks(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut share = |what: &str, part: u64, of: u64, per_mille: u64| {
            if part * 1_000 < of * per_mille {
                found.push(format!("{what}: {part} of {of}, wanted {per_mille} in 1000"));
            }
        };
        for name in OPERATORS.into_iter().chain(["is", "is in"]) {
            let seen = self.operators.get(name).copied().unwrap_or_default();
            share(&format!("{name} in policies"), seen.policies, self.policies, 5);
            share(&format!("{name} decides"), seen.decisive, self.questions, 1);
        }
        share("policies nested four deep", self.deep, self.policies, 200);
        share("policies from templates", self.links, self.policies, 5);
        share("questions with a fault", self.failed, self.questions, 20);
        share("permits", self.permits, self.questions, 200);
        share("denials", self.questions - self.permits, self.questions, 200);
        share("answers that hang on the rule", self.rules, self.questions, 1);
        found
    }

    /// What was seen, in lines.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "{} decisions to {} questions, {} permits, {} with a fault, {} that hang on the rule; {} worlds, {} policies of {} written, {} nested four deep, {} from templates\n",
            self.questions * 2,
            self.questions,
            self.permits,
            self.failed,
            self.rules,
            self.worlds,
            self.policies,
            self.written,
            self.deep,
            self.links,
        );
        for (name, seen) in &self.operators {
            text += &format!("  {name}: in {} policies, decides {}\n", seen.policies, seen.decisive);
        }
        text
    }
}

/// Compares as much as the plan says.
///
/// # Errors
/// With the first difference found: the world's seed, its texts and the question.
pub fn run(plan: Plan) -> Result<Tally, String> {
    let mut whole = Tally::default();
    let parts: Vec<Result<Tally, String>> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..plan.threads).map(|thread| scope.spawn(move || part(plan, thread))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("a thread panicked".to_owned())))
            .collect()
    });
    for part in parts {
        whole.add(&part?);
    }
    Ok(whole)
}

fn part(plan: Plan, thread: u64) -> Result<Tally, String> {
    let mut tally = Tally::default();
    let threads = usize::try_from(plan.threads).unwrap_or(1).max(1);
    for number in (thread..plan.worlds).step_by(threads) {
        let seed = plan.seed.wrapping_add(number);
        world(seed, plan, &mut tally).map_err(|what| format!("world {seed}: {what}"))?;
    }
    Ok(tally)
}

fn first<T: ToString>(faults: Vec<T>) -> String {
    faults.first().map(ToString::to_string).unwrap_or_default()
}

/// One world.
fn world(seed: u64, plan: Plan, tally: &mut Tally) -> Result<(), String> {
    let mut random = Random::new(seed);
    let shape = Shape::random(&mut random);
    let text = shape.text();
    let schema = Schema::parse(text.as_bytes()).map_err(|faults| format!("{}\n{text}", first(faults)))?;
    let (source, slots) = policies(&shape, &schema, &mut random, tally);
    // What is kept as bytes has no links of templates that are made beside the text.
    let kept = slots.is_empty().then(|| Kept::new(&text, &source)).transpose()?;
    let mut parsed = Parsed::parse(source.as_bytes()).map_err(first)?;
    for template in slots {
        link(&mut parsed, &template, &mut random)?;
        tally.links += 1;
    }
    parsed.validate(&schema).map_err(|faults| format!("{}\n{text}\n{source}", first(faults)))?;
    let entities = shape.entities(&mut random);
    let facts = Facts::parse(entities.as_bytes(), Some(&schema)).map_err(first)?;
    let mut names = Names::default();
    let compiled = parsed.compile(&mut names).map_err(first)?;
    let wrong = spoiled_sets(&parsed, &mut names, tally)?;
    let stored = facts.store(&mut names).map_err(|error| error.to_string())?;
    let planted = wrong.iter().find(|(name, _)| Some(name.as_str()) == plan.planted);
    let compiled = planted.map_or(&compiled, |(_, wrong)| wrong);
    tally.worlds += 1;
    let told = |what: String| format!("{what}\n{text}\n{source}\n{entities}");
    let both = Both { set: parsed.set(), facts: &facts, names: &names, stored: &stored };
    let kept = kept.map(|kept| kept.with(&entities)).transpose().map_err(told)?;
    for _ in 0..plan.questions {
        let (question, asked, context) = question(&shape, &schema, &mut random).map_err(told)?;
        if let Some(kept) = kept.as_ref().filter(|_| plan.planted.is_none()) {
            let (cedar, strict) =
                kept.decide(&question, &context).map_err(|what| told(format!("{what}: {asked}")))?;
            let request = question.numbered(&names).map_err(|error| error.to_string())?;
            let mut room = compiled.room();
            let first = compiled.decide(&stored, &request, FaultRule::Cedar, &mut room).permits();
            let second = compiled.decide(&stored, &request, FaultRule::Strict, &mut room).permits();
            if (first, second) != (cedar, strict) {
                return Err(told(format!("kept: {cedar} {strict}, compiled: {first} {second}: {asked}")));
            }
        }
        both.compare(&question, compiled, &wrong, tally).map_err(|what| told(format!("{what}: {asked}")))?;
    }
    Ok(())
}

/// Policies that the strict validator takes, and the names of the templates among them.
fn policies(shape: &Shape, schema: &Schema, random: &mut Random, tally: &mut Tally) -> (String, Vec<String>) {
    let (mut source, mut templates) = (String::new(), Vec::new());
    let (wanted, mut taken) = (3 + random.below(3), 0);
    for _ in 0..wanted * 4 {
        if taken == wanted {
            break;
        }
        let resource = if random.chance(30) { "Folder" } else { "Doc" };
        let slots = random.chance(8);
        let text = Writer::new(shape, resource, random).policy(resource, slots);
        tally.written += 1;
        let good = Parsed::parse(text.as_bytes()).and_then(|one| one.validate(schema));
        if good.is_ok() {
            if slots {
                templates.push(format!("policy{taken}"));
            }
            taken += 1;
            source.push_str(&text);
        }
    }
    (source, templates)
}

fn link(parsed: &mut Parsed, template: &str, random: &mut Random) -> Result<(), String> {
    let whole = parsed.set().template(&cedar_policy::PolicyId::new(template)).ok_or("no such template")?;
    let kind = if whole.to_string().contains("in ?principal") { "Group" } else { "User" };
    let mut values = Vec::new();
    for slot in whole.slots() {
        let kind = if *slot == SlotId::principal() { kind } else { "Folder" };
        let text = format!("{kind}::\"{}\"", id(random.below(ENTITIES)));
        let uid = text.parse::<cedar_policy::EntityUid>().map_err(|error| error.to_string())?;
        values.push((slot.clone(), uid));
    }
    parsed.link(template, &format!("{template}-link"), &values).map_err(|error| error.to_string())
}

/// The policies once more for each operator in them, with that operator wrong.
fn spoiled_sets(
    parsed: &Parsed,
    names: &mut Names,
    tally: &mut Tally,
) -> Result<Vec<(String, Policies)>, String> {
    let mut whole: Vec<StaticPolicy> = Vec::new();
    let mut all = BTreeSet::new();
    for policy in parsed.set().policies() {
        let tree = policy.to_pst().map_err(|error| error.to_string())?;
        let policy = match tree {
            Policy::Static(policy) => policy,
            Policy::Linked(policy) => policy.into_static_policy().map_err(|error| error.to_string())?,
        };
        let (found, deep) = operators(&policy);
        tally.policies += 1;
        tally.deep += u64::from(deep >= 4);
        for name in &found {
            tally.operators.entry(name.clone()).or_default().policies += 1;
        }
        all.extend(found);
        whole.push(policy);
    }
    let mut sets = Vec::new();
    for name in all {
        let mut set = PolicySet::new();
        for policy in &whole {
            let wrong = cedar_policy::Policy::from_pst(spoiled(policy, &name)?);
            set.add(wrong.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
        }
        sets.push((name, compile(&set, names).map_err(|error| error.to_string())?));
    }
    Ok(sets)
}

/// Policies as a tenant keeps them: read from bytes, entities and contexts by the shape alone.
struct Kept {
    program: Program,
    stored: Entities,
}

const BOUNDS: PlainBounds = PlainBounds { bytes: 1 << 22, depth: 64, nodes: 1 << 20 };

impl Kept {
    fn new(schema: &str, source: &str) -> Result<Self, String> {
        let program = tessera_policy_cedar::program(schema.as_bytes(), source.as_bytes());
        let bytes = program.map_err(|wrong| format!("{:?}", wrong.faults()))?.encode();
        let program = Program::decode(&bytes).map_err(|error| error.to_string())?;
        if program.encode() != bytes {
            return Err("a program is written as other bytes than it was read from".to_owned());
        }
        Ok(Self { program, stored: Entities::default() })
    }

    /// Stores entities, each written as JSON and as bytes and read again before.
    fn with(mut self, entities: &str) -> Result<Self, String> {
        let shape = &self.program.shape;
        let read = |text: &str| {
            let plain = Plain::read(text, BOUNDS).map_err(|misfit| misfit.to_string())?;
            shape.read_entities(&plain).map_err(|misfit| misfit.to_string())
        };
        let mut sent = read(entities)?;
        let written: Vec<String> = sent.iter().map(|one| one.fact.to_json(&one.kind, &one.id)).collect();
        for (one, again) in sent.iter().zip(read(&format!("[{}]", written.join(",")))?) {
            let kept = Fact::decode(&one.fact.encode()).map_err(|error| error.to_string())?;
            if kept != one.fact || again.fact != one.fact || !shape.fits(&one.kind, &one.id, &kept) {
                return Err(format!("another entity than was written: {written:?}"));
            }
        }
        let straight: BTreeMap<(String, String), BTreeSet<(String, String)>> =
            sent.iter().map(|one| ((one.kind.clone(), one.id.clone()), one.fact.ancestors.clone())).collect();
        let actions = shape.actions.iter().map(|((kind, id), action)| {
            let ancestors = action.above.iter().cloned().collect();
            Sent { kind: kind.clone(), id: id.clone(), fact: Fact { ancestors, ..Fact::default() } }
        });
        sent.extend(actions);
        for mut one in sent {
            let mut open: Vec<_> = one.fact.ancestors.iter().cloned().collect();
            while let Some(next) = open.pop() {
                for above in straight.get(&next).into_iter().flatten() {
                    if one.fact.ancestors.insert(above.clone()) {
                        open.push(above.clone());
                    }
                }
            }
            self.stored.put(&mut self.program.names, &one.kind, &one.id, &one.fact);
        }
        Ok(self)
    }

    fn decide(&self, question: &Question, context: &str) -> Result<(bool, bool), String> {
        let uid = |uid: Option<&cedar_policy::EntityUid>| {
            let uid = uid.ok_or("an open question")?;
            Ok::<_, String>((uid.type_name().to_string(), uid.id().unescaped().to_owned()))
        };
        let request = question.request();
        let (who, what, to) = (uid(request.principal())?, uid(request.action())?, uid(request.resource())?);
        let action = self.program.shape.actions.get(&what).ok_or("no such action")?;
        let plain = Plain::read(context, BOUNDS).map_err(|misfit| misfit.to_string())?;
        let context = self.program.shape.read_fields(action.context, &plain, &[], true);
        let context = context.map_err(|misfit| misfit.to_string())?;
        let all = (
            EntityRef { kind: &who.0, id: &who.1 },
            EntityRef { kind: &what.0, id: &what.1 },
            EntityRef { kind: &to.0, id: &to.1 },
        );
        let request = Request::new(&self.program.names, all, &context).ok_or("too deep")?;
        let (policies, mut room) = (&self.program.policies, self.program.policies.room());
        let cedar = policies.decide(&self.stored, &request, FaultRule::Cedar, &mut room).permits();
        let strict = policies.decide(&self.stored, &request, FaultRule::Strict, &mut room).permits();
        Ok((cedar, strict))
    }
}

fn question(
    shape: &Shape,
    schema: &Schema,
    random: &mut Random,
) -> Result<(Question, String, String), String> {
    let (action, kind) = pick(random, &[("read", "Doc"), ("write", "Doc"), ("list", "Folder")]);
    let asked = [
        format!("User::\"{}\"", id(random.below(ENTITIES))),
        format!("Action::\"{action}\""),
        format!("{kind}::\"{}\"", id(random.below(ENTITIES))),
    ];
    let context = shape.context_json(random);
    let [subject, action, resource] = &asked;
    let question = Question::parse([subject, action, resource], &context, Some(schema), true);
    Ok((question.map_err(first)?, format!("{asked:?} {context}"), context))
}

/// The two that are compared.
struct Both<'a> {
    set: &'a PolicySet,
    facts: &'a Facts,
    names: &'a Names,
    stored: &'a Entities,
}

impl Both<'_> {
    fn compare(
        &self,
        question: &Question,
        compiled: &Policies,
        wrong: &[(String, Policies)],
        tally: &mut Tally,
    ) -> Result<(), String> {
        let response = Authorizer::new().is_authorized(question.request(), self.set, self.facts.entities());
        let permits = response.decision() == Decision::Allow;
        let (mut failed, mut forbids) = (BTreeSet::new(), false);
        for error in response.diagnostics().errors() {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
            let effect = self.set.policy(error.policy_id()).map(cedar_policy::Policy::effect);
            forbids |= effect == Some(Effect::Forbid);
            failed.insert(error.policy_id().to_string());
        }
        let request = question.numbered(self.names).map_err(|error| error.to_string())?;
        let mut room = compiled.room();
        let cedar = compiled.decide(self.stored, &request, FaultRule::Cedar, &mut room);
        let strict = compiled.decide(self.stored, &request, FaultRule::Strict, &mut room);
        if (cedar.permits(), strict.permits()) != (permits, permits && !forbids) {
            return Err(format!("{permits}, failed {failed:?}, found {cedar:?} and {strict:?}"));
        }
        let found: BTreeSet<String> = compiled
            .all(self.stored, &request, &mut room)
            .into_iter()
            .filter(|(_, outcome)| matches!(outcome, tessera_program::Outcome::Failed(_)))
            .map(|(number, _)| compiled.name(number).to_owned())
            .collect();
        if found != failed {
            return Err(format!("failed {failed:?}, found {found:?}"));
        }
        tally.questions += 1;
        tally.permits += u64::from(permits);
        tally.failed += u64::from(!failed.is_empty());
        tally.rules += u64::from(cedar.permits() != strict.permits());
        for (name, policies) in wrong {
            let mut room = policies.room();
            let other = policies.decide(self.stored, &request, FaultRule::Cedar, &mut room);
            if other.permits() != permits {
                tally.operators.entry(name.clone()).or_default().decisive += 1;
            }
        }
        Ok(())
    }
}
