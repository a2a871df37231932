//! Criterion: a commit of one writer, a burst of 64, and recovery of a directory with a tail.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::path::Path;
use tessera_bench::commit::OnDisk;
use tessera_bench::figure::Why;
use tessera_storage::{Embedded, Options, RootKey};

fn commit(criterion: &mut Criterion) {
    let Ok(folder) = tempfile::tempdir_in(".") else { return };
    let Ok(disk) = OnDisk::new(folder.path(), 64) else { return };
    let mut group = criterion.benchmark_group("commit");
    group.sample_size(10);
    group.throughput(Throughput::Elements(1));
    group.bench_function("one", |b| b.iter(|| disk.one_by_one(1).map(|micros| micros.len()).unwrap_or(0)));
    group.throughput(Throughput::Elements(64 * 16));
    group.bench_function("64 writers", |b| b.iter(|| disk.burst(16).map(|(_, _, busy)| busy).unwrap_or(0)));
    group.finish();
}

fn recover(criterion: &mut Criterion) {
    let Ok(folder) = tempfile::tempdir_in(".") else { return };
    if filled(folder.path()).is_err() {
        return;
    }
    let mut group = criterion.benchmark_group("recover");
    group.sample_size(10);
    let open = || {
        RootKey::read(&folder.path().join("root.key"))
            .and_then(|key| Embedded::open(&folder.path().join("data"), Options::new(key, [0; 32])))
    };
    group.bench_function("tail of 64,000 frames", |b| {
        b.iter_batched(|| (), |()| open().is_ok(), BatchSize::PerIteration);
    });
    group.finish();
}

/// A directory with a tail and no checkpoint of it.
fn filled(folder: &Path) -> Result<(), Why> {
    let disk = OnDisk::new(folder, 64)?;
    disk.burst(1_000)?;
    Ok(())
}

criterion_group!(benches, commit, recover);
criterion_main!(benches);
