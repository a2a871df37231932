//! Relations: checks over QUIC and in process, lists, memory, writes and edits of large groups.

use crate::figure::{Family, Row, Setup, Spec, Why};
use crate::graph::{self, MODEL, SMALL, Sizes, Triple};
use crate::house::House;
use crate::memory;
use crate::process::fresh;
use crate::rounds::{median, nanos_each, quantile};
use crate::wire::Prepared;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use tessera_client::wire::Request;
use tessera_engine::EngineConfig;
use tessera_model::{Command, Private, Receipt, UnixMillis};
use tessera_relation::{Ask, Model, RELATION_LIST_BUDGET, Relations, TupleRef, Window};
use tessera_wire::{Inbox, Outbox, RelationDecision, RelationQuery};

/// The figures of relations over QUIC.
pub const RELATIONS_OVER_QUIC: Family = Family { specs: &[QUIC_64, QUIC_P99], take: over_quic };
/// The figures of relations in process.
pub const RELATIONS: Family =
    Family { specs: &[HOT, RANDOM, LIST, LIST_BUT_NOT, BYTES, WRITE, GROUP_EDIT], take: in_process };

const QUIC_64: Spec = Spec {
    id: "relation-quic-64",
    what: "checks of relations over QUIC, the graph of 100,000 tuples, random keys, 64 in flight",
    unit: "ops/s",
    goal: ">= 300,000/s",
};
const QUIC_P99: Spec =
    Spec { id: "relation-quic-p99", what: "the same one by one, p99", unit: "us", goal: "<= 1,000 us" };
const HOT: Spec = Spec {
    id: "relation-hot",
    what: "a check through folders five deep with nested groups, 200 questions again and again, p50",
    unit: "ns",
    goal: "<= 500 ns",
};
const RANDOM: Spec = Spec {
    id: "relation-2m",
    what: "the same at random over 2,000,000 objects, p50",
    unit: "ns",
    goal: "<= 2,000 ns",
};
const LIST: Spec = Spec {
    id: "list-objects-1000",
    what: "a list of objects through the folders and groups among 1,000,000 tuples, per 1,000 names, p50",
    unit: "us",
    goal: "<= 1,000 us",
};
const LIST_BUT_NOT: Spec = Spec {
    id: "list-objects-1000-but-not",
    what: "the same behind an exclusion",
    unit: "us",
    goal: "<= 1,000 us",
};
const BYTES: Spec = Spec {
    id: "bytes-per-tuple",
    what: "memory of a tuple with the names of its objects",
    unit: "B",
    goal: "<= 64 B",
};
const WRITE: Spec = Spec {
    id: "relation-write-100",
    what: "a command of 100 tuples beside one of 1 tuple, both one commit, engine over a store in memory, p50",
    unit: "us",
    goal: "reported",
};
const GROUP_EDIT: Spec = Spec {
    id: "group-edit-1m",
    what: "somebody out of a group of 1,000,000 members that lies in 10 others, published, p50",
    unit: "us",
    goal: "<= 100 us",
};

/// A frame for each question.
///
/// # Errors
/// None that can happen.
pub fn frames(asked: &[Triple]) -> Result<Vec<Vec<u8>>, Why> {
    let frame = |(subject, relation, object): &Triple| {
        let mut outbox = Outbox::new();
        let at_least = Receipt::default();
        outbox.check_relation(7, &RelationQuery { object, relation, subject, at_least })?;
        Ok(outbox.as_bytes().to_vec())
    };
    asked.iter().map(frame).collect()
}

/// Bytes of the answer to one check; all are alike.
///
/// # Errors
/// None that can happen.
pub fn answer_bytes() -> Result<usize, Why> {
    let mut outbox = Outbox::new();
    let decision = RelationDecision {
        permitted: true,
        code: 0,
        valid_until: UnixMillis(0),
        steps: 0,
        seen: Receipt::default(),
    };
    outbox.relation_decision(7, &decision)?;
    Ok(outbox.as_bytes().len())
}

fn over_quic(setup: &Setup) -> Result<Vec<Row>, Why> {
    setup.progress.say("relation-quic-64: writing the graph");
    let folder = fresh(&setup.folder, "relations")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sizes = if setup.quick { Sizes { users: 1_000, documents: 3_500, ..SMALL } } else { SMALL };
    let mut prepared = runtime.block_on(Prepared::new(&setup.node, &folder))?;
    let mut all = Vec::new();
    graph::tuples(sizes, &mut |tuple| {
        all.push(tuple);
        Ok(())
    })?;
    runtime.block_on(async {
        let admin = prepared.node.client(Some(prepared.key.clone())).await?;
        let text = Private::new(MODEL.as_bytes().to_vec());
        admin.request(&Request::SetRelationModel { text, allow_orphans: false }).await?;
        for part in all.chunks(1_000) {
            let changes = part.iter().map(graph::write).collect();
            admin.request(&Request::ChangeRelations { changes }).await?;
        }
        Ok::<_, Why>(())
    })?;
    let relations = graph::relations(sizes)?;
    let (asked, denied) = graph::questions(&relations, sizes, (setup.size(100_000, 5_000), "can_view"))?;
    let frames = frames(&asked)?;
    let mut caller = prepared.caller()?;
    caller.expect(answer_bytes()?);
    let mut inbox = Inbox::default();
    let first = frames.first().ok_or("no question")?;
    inbox.extend(&caller.once(first)?);
    if inbox.next_frame()?.ok_or("half a reply")?.relation_decision()?.code != 0 {
        return Err("the node has no answer".into());
    }
    let rounds = setup.size(5, 2) as usize;
    setup.progress.say(QUIC_64.id);
    let mut rates = Vec::new();
    caller.pipelined_all(&frames, 64)?;
    for _ in 0..rounds {
        rates.push(caller.pipelined_all(&frames, 64)?);
    }
    setup.progress.say(QUIC_P99.id);
    let count = setup.size(20_000, 1_000) as usize;
    let mut nanos = Vec::new();
    for frame in frames.iter().cycle().take(count) {
        let started = Instant::now();
        caller.once(frame)?;
        nanos.push(started.elapsed().as_nanos() as f64);
    }
    let (rate, p99) = (median(&rates), quantile(&nanos, 0.99) / 1e3);
    let told = format!(
        "{} tuples, {} random questions, {:.0} % answered no; both ends share the cores",
        all.len(),
        frames.len(),
        denied * 100.0
    );
    let fair = denied >= 0.3;
    Ok(vec![
        Row::new(&QUIC_64, rate, told.clone()).judged(setup.verdict(rate >= 300_000.0 && fair)),
        Row::new(&QUIC_P99, p99, format!("{told}; {count} one by one")).judged(setup.verdict(p99 <= 1_000.0)),
    ])
}

/// Nanoseconds of one check, the median of some rounds over all questions.
fn checks(relations: &Relations, asked: &[Triple], rounds: usize) -> f64 {
    let ask = Ask::at(UnixMillis(0));
    let round = || {
        nanos_each(asked.len(), || {
            for (subject, relation, object) in asked {
                let tuple = TupleRef { subject, relation, object };
                let _answered = black_box(relations.check(&ask, &tuple));
            }
        })
    };
    median(&(0..rounds).map(|_| round()).collect::<Vec<_>>())
}

fn in_process(setup: &Setup) -> Result<Vec<Row>, Why> {
    let rounds = setup.size(21, 3) as usize;
    setup.progress.say(HOT.id);
    let small = graph::relations(SMALL)?;
    let (asked, denied) = graph::questions(&small, SMALL, (200, "viewer"))?;
    let hot = checks(&small, &asked, rounds * 50);
    let told = |relations: &Relations, asked: &[Triple], denied: f64| {
        format!("{} tuples, {} questions, {:.0} % answered no", relations.len(), asked.len(), denied * 100.0)
    };
    let mut rows =
        vec![Row::new(&HOT, hot, told(&small, &asked, denied)).judged(setup.verdict(hot <= 500.0))];
    drop(small);

    setup.progress.say(RANDOM.id);
    let large = Sizes {
        users: setup.size(500_000, 5_000),
        groups: setup.size(30_000, 300),
        each: 4,
        trees: setup.size(20_000, 200),
        documents: setup.size(1_900_000, 19_000),
    };
    let before = memory::own_resident();
    let relations = graph::relations(large)?;
    let bytes = (memory::own_resident() - before) / relations.len() as f64;
    let (asked, denied) = graph::questions(&relations, large, (setup.size(200_000, 5_000), "viewer"))?;
    let random = checks(&relations, &asked, rounds);
    let sizes = told(&relations, &asked, denied);
    rows.push(Row::new(&RANDOM, random, sizes).judged(setup.verdict(random <= 2_000.0)));
    rows.push(
        Row::new(&BYTES, bytes, format!("{} tuples, resident memory", relations.len()))
            .judged(setup.verdict(bytes <= 64.0)),
    );
    drop(relations);
    rows.extend(lists(setup)?);
    rows.push(writes(setup)?);
    rows.push(group_edit(setup)?);
    Ok(rows)
}

/// Lists among a million tuples, for some 1,000 names each.
fn lists(setup: &Setup) -> Result<Vec<Row>, Why> {
    setup.progress.say(LIST.id);
    let sizes = Sizes {
        users: setup.size(100_000, 2_000),
        groups: 6_200,
        each: 4,
        trees: setup.size(1_000, 20),
        documents: setup.size(580_000, 11_600),
    };
    let relations = graph::relations(sizes)?;
    let ask = Ask { budget: RELATION_LIST_BUDGET, ..Ask::at(UnixMillis(0)) };
    let mut rows = Vec::new();
    for (spec, relation) in [(&LIST, "viewer"), (&LIST_BUT_NOT, "can_view")] {
        let (mut times, mut names) = (Vec::new(), 0);
        for user in 0..setup.size(300, 50) {
            let subject = format!("user:u{user}");
            let started = Instant::now();
            let list = relations.list_objects(&ask, &subject, relation, "document")?;
            let micros = started.elapsed().as_secs_f64() * 1e6;
            if !list.names.is_empty() {
                times.push(micros * 1_000.0 / list.names.len() as f64);
                names += list.names.len();
            }
        }
        let value = median(&times);
        let told = format!("{} tuples, {} lists of {names} names", relations.len(), times.len());
        rows.push(Row::new(spec, value, told).judged(setup.verdict(value <= 1_000.0)));
    }
    Ok(rows)
}

fn writes(setup: &Setup) -> Result<Row, Why> {
    setup.progress.say(WRITE.id);
    let memory = Arc::new(tessera_storage::Memory::new(1 << 20));
    let house = House::over(memory, EngineConfig::default(), 1)?;
    let tenant = house.tenant("bench")?;
    let rounds = setup.size(300, 30);
    let engine = &house.engine;
    let (hundred, one) = house.runtime.block_on(async {
        let set = Command::SetRelationModel { text: MODEL.into(), allow_orphans: false };
        engine.submit(&tenant.admin, engine.command_id(), set).await?;
        let mut times = [Vec::new(), Vec::new()];
        for round in 0..rounds {
            for (nth, count) in [100_u32, 1].into_iter().enumerate() {
                let tuple = |at: u32| {
                    let object = format!("document:r{round}x{count}x{at}");
                    graph::write(&(format!("user:u{at}"), "viewer", object))
                };
                let changes = (0..count).map(tuple).collect();
                let started = Instant::now();
                let command = Command::ChangeRelations { changes };
                engine.submit(&tenant.admin, engine.command_id(), command).await?;
                if let Some(times) = times.get_mut(nth) {
                    times.push(started.elapsed().as_secs_f64() * 1e6);
                }
            }
        }
        let [hundred, one] = times;
        Ok::<_, Why>((median(&hundred), median(&one)))
    })?;
    let told = format!("{rounds} commands of each in turn, each one position");
    Ok(Row::new(&WRITE, hundred, told).beside("a command of one tuple", one))
}

fn group_edit(setup: &Setup) -> Result<Row, Why> {
    setup.progress.say(GROUP_EDIT.id);
    let members = setup.size(1_000_000, 20_000);
    let mut relations = Relations::new();
    relations.set_model(&Model::parse(MODEL)?)?;
    let put = |relations: &mut Relations, subject: &str, object: &str| {
        relations.write(&TupleRef { subject, relation: "member", object }, Window::ALWAYS).map(drop)
    };
    for group in 0..10 {
        put(&mut relations, "group:all#member", &format!("group:g{group}"))?;
    }
    for user in 0..members {
        put(&mut relations, &format!("user:u{user}"), "group:all")?;
    }
    // What is published is held by readers meanwhile: an edit copies what it touches.
    let (mut published, mut times) = (relations.clone(), Vec::new());
    for edit in 0..1_000_u32 {
        let user = format!("user:u{}", u64::from(edit) * 997 % u64::from(members));
        let tuple = TupleRef { subject: &user, relation: "member", object: "group:all" };
        let started = Instant::now();
        relations.remove(&tuple);
        times.push(started.elapsed().as_secs_f64() * 1e6);
        published = black_box(relations.clone());
    }
    drop(published);
    let value = median(&times);
    let told = format!("{members} members, 1,000 edits, p99 {:.0} us", quantile(&times, 0.99));
    Ok(Row::new(&GROUP_EDIT, value, told).judged(setup.verdict(value <= 100.0)))
}
