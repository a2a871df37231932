//! Criterion: the hot check, the check over many sessions and the batch.
//!
//! `TESSERA_BENCH_SESSIONS` sets how many sessions the large world has (default 1,000,000).

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tessera_bench::checks::{Bench, PER_ROOT};
use tessera_bench::figure::or_end;
use tessera_bench::world::World;

fn checks(criterion: &mut Criterion) {
    let wanted = std::env::var("TESSERA_BENCH_SESSIONS").ok().and_then(|text| text.parse().ok());
    for (name, sessions, questions) in
        [("hot", 10_000, 4_096), ("large", wanted.unwrap_or(1_000_000), 1 << 18)]
    {
        let bench = or_end(Bench::new(World::of(sessions), questions));
        let view = or_end(bench.tenant.view());
        let now = bench.house.engine.now();
        let mut group = criterion.benchmark_group("check");
        group.throughput(Throughput::Elements(u64::from(questions)));
        group.sample_size(20);
        let id = |what| BenchmarkId::new(what, name);
        group.bench_function(id("tag"), |b| b.iter(|| black_box(bench.tags(&view, now, PER_ROOT))));
        group.bench_function(id("handle"), |b| b.iter(|| black_box(bench.handles(&view, now, 1))));
        group.bench_function(id("batch"), |b| b.iter(|| black_box(bench.batches(&view, now, PER_ROOT))));
        group.bench_function(id("hash"), |b| b.iter(|| bench.hashes(&[7; 32])));
        group.finish();
    }
}

criterion_group!(benches, checks);
criterion_main!(benches);
