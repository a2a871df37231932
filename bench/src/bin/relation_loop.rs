//! A fixed number of questions about relations and nothing else, for callgrind and profilers: `relation_loop
//! hot|mixed|none PASSES` in process, `relation_loop quic COUNT` over QUIC, door and caller in one process.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use tessera_bench::figure::{Why, ended};
use tessera_bench::graph::{self, MODEL, SMALL, Sizes};
use tessera_bench::house::House;
use tessera_bench::relations::{answer_bytes, frames};
use tessera_engine::EngineConfig;
use tessera_model::{Command, UnixMillis};
use tessera_relation::{Ask, TupleRef};
use tessera_transport::Limits;

/// The node's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// In flight over QUIC.
const DEPTH: usize = 64;
/// The graph over QUIC, where what is measured is not the graph.
const LITTLE: Sizes = Sizes { users: 1_000, documents: 3_500, ..SMALL };

fn main() -> ExitCode {
    ended(run())
}

fn run() -> Result<(), Why> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("relation_loop hot|mixed|none|quic COUNT");
    let (what, count) = (next()?, next()?.parse::<u32>()?);
    if what == "quic" { over_quic(count) } else { in_process(&what, count) }
}

/// 200 questions again and again, or none for what making the graph costs.
fn in_process(what: &str, passes: u32) -> Result<(), Why> {
    let relations = graph::relations(SMALL)?;
    let relation = if what == "mixed" { "can_view" } else { "viewer" };
    let (asked, denied) = graph::questions(&relations, SMALL, (200, relation))?;
    let (ask, passes) = (Ask::at(UnixMillis(0)), if what == "none" { 0 } else { passes });
    let started = std::time::Instant::now();
    for _ in 0..passes {
        for (subject, relation, object) in &asked {
            let tuple = TupleRef { subject, relation, object };
            let _answered = black_box(relations.check(&ask, &tuple));
        }
    }
    let each = started.elapsed().as_nanos() as f64 / f64::from(passes.max(1)) / asked.len() as f64;
    eprintln!("{what}: {each:.1} ns each, {:.0} % answered no", denied * 100.0);
    Ok(())
}

/// Random questions over one connection and stream.
fn over_quic(count: u32) -> Result<(), Why> {
    let memory = Arc::new(tessera_storage::Memory::new(1 << 22));
    let house = House::over(memory, EngineConfig::default(), 1)?;
    let tenant = house.tenant("bench")?;
    let mut all = Vec::new();
    graph::tuples(LITTLE, &mut |tuple| {
        all.push(graph::write(&tuple));
        Ok(())
    })?;
    let engine = &house.engine;
    house.runtime.block_on(async {
        let set = Command::SetRelationModel { text: MODEL.into(), allow_orphans: false };
        engine.submit(&tenant.admin, engine.command_id(), set).await?;
        for part in all.chunks(1_000) {
            let command = Command::ChangeRelations { changes: part.to_vec() };
            engine.submit(&tenant.admin, engine.command_id(), command).await?;
        }
        Ok::<_, Why>(())
    })?;
    let relations = graph::relations(LITTLE)?;
    let (asked, denied) = graph::questions(&relations, LITTLE, (count, "can_view"))?;
    let frames = frames(&asked)?;
    let (_door, mut caller) = house.over_quic(&tenant, Limits::default(), answer_bytes()?)?;
    let rate = caller.pipelined_all(&frames, DEPTH)?;
    eprintln!("quic: {rate:.0}/s, {:.0} % answered no", denied * 100.0);
    Ok(())
}
