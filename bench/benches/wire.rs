//! Criterion: a check over QUIC against the real node, one in flight and 256 in flight.
//!
//! Needs the release binary of `tessera-node`; `TESSERA_NODE` names it when it stands elsewhere than
//! in the folder above this bench's own.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::path::PathBuf;
use tessera_bench::figure::Why;
use tessera_bench::wire::{Prepared, echo};

fn program() -> Result<PathBuf, Why> {
    if let Some(path) = std::env::var_os("TESSERA_NODE") {
        return Ok(path.into());
    }
    let own = std::env::current_exe()?;
    Ok(own.ancestors().nth(2).ok_or("no folder above")?.join("tessera"))
}

fn wire(criterion: &mut Criterion) {
    let Ok(folder) = tempfile::tempdir() else { return };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let Ok(program) = program() else { return };
    let Ok(mut prepared) = runtime.block_on(Prepared::new(&program, folder.path())) else { return };
    let (Ok(mut ours), Ok(frame), Ok((_process, mut bare))) =
        (prepared.caller(), prepared.frame(), echo(folder.path()))
    else {
        return;
    };
    let mut group = criterion.benchmark_group("wire");
    for (name, caller) in [("node", &mut ours), ("bare quinn echo", &mut bare)] {
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("{name}, 1 in flight"), |b| b.iter(|| caller.once(&frame).is_ok()));
        group.throughput(Throughput::Elements(10_000));
        group.bench_function(format!("{name}, 256 in flight"), |b| {
            b.iter(|| caller.pipelined(&frame, 256, 10_000).unwrap_or(0.0));
        });
    }
    group.finish();
}

criterion_group!(benches, wire);
criterion_main!(benches);
