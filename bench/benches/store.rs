//! Criterion: a commit of one writer, 64 writers, both with checkpoints beside them, and recovery of a directory
//! with a tail.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::path::Path;
use tessera_bench::commit::OnDisk;
use tessera_bench::figure::{Why, or_end};
use tessera_storage::{Embedded, Options, RootKey};

fn commit(criterion: &mut Criterion) {
    let folder = or_end(tempfile::tempdir_in(".").map_err(Why::from));
    let disk = or_end(OnDisk::sustained(folder.path(), 64));
    let mut group = criterion.benchmark_group("commit");
    group.sample_size(10);
    group.throughput(Throughput::Elements(1));
    group.bench_function("one", |b| b.iter(|| or_end(disk.one_by_one(1)).len()));
    group.throughput(Throughput::Elements(64 * 16));
    group.bench_function("64 writers", |b| b.iter(|| or_end(disk.burst(16)).2));
    group.finish();
    disk.end();
}

fn recover(criterion: &mut Criterion) {
    let folder = or_end(tempfile::tempdir_in(".").map_err(Why::from));
    or_end(filled(folder.path()));
    let mut group = criterion.benchmark_group("recover");
    group.sample_size(10);
    let open = || -> Result<Embedded, Why> {
        let key = RootKey::read(&folder.path().join("root.key"))?;
        Ok(Embedded::open(&folder.path().join("data"), Options::new(key, [0; 32], [5; 32]))?)
    };
    // Dropping it is not part of the start.
    group.bench_function("tail of 64,000 frames", |b| {
        b.iter_batched(|| (), |()| or_end(open()), BatchSize::PerIteration);
    });
    group.finish();
}

/// A directory with a tail and no checkpoint of it.
fn filled(folder: &Path) -> Result<(), Why> {
    let disk = OnDisk::new(folder, 64)?;
    disk.burst(1_000)?;
    drop(disk);
    Ok(())
}

criterion_group!(benches, commit, recover);
criterion_main!(benches);
