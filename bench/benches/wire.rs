//! Criterion: a check over QUIC against the real node, one in flight and 256 in flight.
//!
//! Needs the release binary of `tessera-node`; `TESSERA_NODE` names it when it stands elsewhere than
//! in the folder above this bench's own.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::path::PathBuf;
use tessera_bench::figure::{Why, or_end};
use tessera_bench::wire::{Prepared, echo};

fn program() -> Result<PathBuf, Why> {
    if let Some(path) = std::env::var_os("TESSERA_NODE") {
        return Ok(path.into());
    }
    let own = std::env::current_exe()?;
    Ok(own.ancestors().nth(2).ok_or("no folder above")?.join("tessera"))
}

fn wire(criterion: &mut Criterion) {
    let folder = or_end(tempfile::tempdir().map_err(Why::from));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = or_end(runtime.map_err(Why::from));
    let mut prepared = or_end(runtime.block_on(Prepared::new(&or_end(program()), folder.path())));
    let (mut ours, frame) = (or_end(prepared.caller()), or_end(prepared.frame()));
    let (_process, mut bare) = or_end(echo(folder.path()));
    let mut group = criterion.benchmark_group("wire");
    for (name, caller) in [("node", &mut ours), ("bare quinn echo", &mut bare)] {
        group.throughput(Throughput::Elements(1));
        group
            .bench_function(format!("{name}, 1 in flight"), |b| b.iter(|| or_end(caller.once(&frame)).len()));
        group.throughput(Throughput::Elements(10_000));
        group.bench_function(format!("{name}, 256 in flight"), |b| {
            b.iter(|| or_end(caller.pipelined(&frame, 256, 10_000)));
        });
    }
    group.finish();
}

criterion_group!(benches, wire);
criterion_main!(benches);
