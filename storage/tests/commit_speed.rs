//! What a commit costs beside the disk's own sync, in the same run.
//!
//! Prints figures; asserts only what holds on any machine.

mod kit;

use kit::*;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};
use tessera_model::TenantId;
use tessera_storage::{Batch, Head, Options, Store};

fn p50(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn sync_p50(path: &std::path::Path, bytes: usize) -> Duration {
    let file =
        std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap();
    file.write_all_at(&vec![0; 8 << 20], 0).unwrap();
    file.sync_all().unwrap();
    let block = vec![1u8; bytes];
    let mut times: Vec<Duration> = (0..200u64)
        .map(|at| {
            let start = Instant::now();
            file.write_all_at(&block, at * bytes as u64 % (8 << 20)).unwrap();
            file.sync_data().unwrap();
            start.elapsed()
        })
        .collect();
    p50(&mut times)
}

/// PROPERTY: one commit is one sync: a burst of 64 tenants shares groups.
#[test]
fn commits_share_syncs() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path().join("store");
    let store = tessera_storage::Embedded::open(&path, Options::new(root(), SALT, [5; 32])).unwrap();
    let mut heads: Vec<Head> = (1..=64).map(|no| birth(&store, TenantId(no))).collect();
    let sync = sync_p50(&directory.path().join("sync"), 4096);
    let mut single = Vec::new();
    let mut head = heads[0];
    for no in 0..200 {
        let mut batch = store.batch(&head);
        batch.push(&opened(no)).unwrap();
        let start = Instant::now();
        head = *store.commit(batch).wait().unwrap().head();
        single.push(start.elapsed());
    }
    heads[0] = head;
    let before = store.usage();
    let (mut burst, mut handed) = (Vec::new(), Vec::new());
    for round in 0..200 {
        let batches: Vec<Batch> = heads
            .iter()
            .map(|head| {
                let mut batch = store.batch(head);
                batch.push(&opened(round)).unwrap();
                batch
            })
            .collect();
        let start = Instant::now();
        let commits: Vec<_> = batches.into_iter().map(|batch| store.commit(batch)).collect();
        handed.push(start.elapsed());
        heads = commits.into_iter().map(|commit| *commit.wait().unwrap().head()).collect();
        burst.push(start.elapsed());
    }
    let groups = store.usage().groups - before.groups;
    let sync_after = sync_p50(&directory.path().join("sync"), 4096);
    // Throughput: eight threads, each with eight tenants and batches of 64 frames.
    let start = Instant::now();
    std::thread::scope(|scope| {
        for mine in heads.chunks_mut(8) {
            let store = &store;
            scope.spawn(move || {
                for round in 0..40 {
                    let commits: Vec<_> = mine
                        .iter()
                        .map(|head| {
                            let mut batch = store.batch(head);
                            for no in 0..64 {
                                batch.push(&opened(round * 64 + no)).unwrap();
                            }
                            store.commit(batch)
                        })
                        .collect();
                    for (head, commit) in mine.iter_mut().zip(commits) {
                        *head = *commit.wait().unwrap().head();
                    }
                }
            });
        }
    });
    let frames = 64 * 40 * 64;
    let seconds = start.elapsed().as_secs_f64();
    println!("sync of 24 KiB p50 {:?}", sync_p50(&directory.path().join("sync"), 24 * 1024));
    println!("handing over 64 p50 {:?}", p50(&mut handed));
    println!("sync p50 {sync:?} before, {sync_after:?} after");
    println!("one commit p50 {:?}", p50(&mut single));
    println!("burst of 64 p50 {:?}, {} groups for 200 bursts", p50(&mut burst), groups);
    println!("{:.0} frames/s with batches of 64", f64::from(frames) / seconds);
    assert!(groups < 64 * 200, "bursts share groups");
    for head in &heads {
        assert_eq!(store.head(head.tenant).unwrap(), Some(*head));
    }
    store.stop();
    let start = Instant::now();
    let again = tessera_storage::Embedded::open(&path, Options::new(root(), SALT, [5; 32])).unwrap();
    println!("open over {} frames: {:?}", again.usage().tail_frames, start.elapsed());
    for head in &heads {
        assert_eq!(again.head(head.tenant).unwrap(), Some(*head));
    }
}
