//! `verify-10m` and its family: checks over more sessions than any cache holds, and their memory.

use crate::checks::{Bench, PER_ROOT};
use crate::figure::{Family, Row, Setup, Spec, Why};
use crate::memory;
use crate::rounds::{interleave, nanos_each};
use crate::seeded::mix;
use crate::world::World;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;
use tessera_engine::View;
use tessera_model::UnixMillis;

/// The family over 10 M sessions.
pub const LARGE: Family = Family {
    specs: &[CHECK_10M, VERIFY_10M, VERIFY_10M_LOADING, BATCH_64, BYTES_PER_SESSION, RESIDENT_10M],
    take: large,
};

const CHECK_10M: Spec = Spec {
    id: "check-10m",
    what: "check by tag over random sessions, back to back, one root per 64, p50",
    unit: "ns",
    goal: "<= 250 ns",
};
const VERIFY_10M: Spec = Spec {
    id: "verify-10m",
    what: "check by handle over random sessions, back to back, the root renewed for each check, p50",
    unit: "ns",
    goal: "<= 500 ns",
};
const VERIFY_10M_LOADING: Spec = Spec {
    id: "verify-10m-loading",
    what: "the same, each check on its own: the root loaded from the shared pointer, p50",
    unit: "ns",
    goal: "reported",
};
const BATCH_64: Spec = Spec {
    id: "batch-64",
    what: "check by handle over random sessions, 64 to a batch with their places touched first, p50 per check",
    unit: "ns",
    goal: "<= one keyed hash + 110 ns",
};
const BYTES_PER_SESSION: Spec = Spec {
    id: "bytes-per-session",
    what: "bytes of the session table per live session",
    unit: "B",
    goal: "64 B",
};
const RESIDENT_10M: Spec = Spec {
    id: "resident-10m",
    what: "growth of resident memory by the whole tenant (table, subjects, grants, private state), per session",
    unit: "B",
    goal: "reported",
};

/// Sessions of the goal, and those of a quick run.
const SESSIONS: u32 = 10_000_000;
const SESSIONS_QUICK: u32 = 200_000;
/// Questions of one round.
const QUESTIONS: u32 = 1 << 20;
const QUESTIONS_QUICK: u32 = 1 << 15;

fn large(setup: &Setup) -> Result<Vec<Row>, Why> {
    let sessions = setup.size(SESSIONS, SESSIONS_QUICK);
    setup.progress.say(&format!("verify-10m and its family: loading {sessions} sessions"));
    let (before, huge_before, started) = (memory::own_resident(), memory::own_huge(), Instant::now());
    let bench = Bench::new(World::of(sessions), setup.size(QUESTIONS, QUESTIONS_QUICK))?;
    let loaded = started.elapsed().as_secs_f64();
    let questions = size_of_val(bench.by_tag.as_slice()) + size_of_val(bench.by_handle.as_slice());
    let count = f64::from(sessions);
    let grown = (memory::own_resident() - before - questions as f64) / count;
    let huge = (memory::own_huge() - huge_before).max(0.0) / 1e6;
    let (view, now) = (bench.tenant.view()?, bench.house.engine.now());
    let table = view.table_bytes() as f64 / count;
    let world = World::of(sessions);
    let sizes = format!(
        "{sessions} sessions, {} subjects with 6 grants, {} workspaces; loaded in {loaded:.1} s; {huge:.0} MB in huge pages",
        world.subjects,
        world.chains * 4
    );
    let mut rows = times(setup, &bench, (&view, now), &sizes)?;
    setup.progress.say("bytes-per-session: the same sessions in a HashMap");
    let map = map_bytes(sessions);
    let peer = "std HashMap from 16-byte id to 64-byte value, resident";
    // One chunk of 4,096 places is filled in part only.
    let met = setup.verdict(table.round() <= 64.0);
    rows.push(Row::new(&BYTES_PER_SESSION, table, sizes.clone()).beside(peer, map).judged(met));
    rows.push(Row::new(&RESIDENT_10M, grown, sizes).beside(peer, map));
    Ok(rows)
}

fn times(
    setup: &Setup,
    bench: &Bench,
    (view, now): (&View, UnixMillis),
    sizes: &str,
) -> Result<Vec<Row>, Why> {
    let (rounds, count) = (if setup.quick { 5 } else { 15 }, bench.by_tag.len());
    let sizes = format!("{sizes}; {count} questions a round, {rounds} rounds in turn");
    let rsa = Rsa::new()?;
    let hash = || nanos_each(count, || bench.hashes(&[7; 32]));
    setup.progress.say("check-10m");
    let (check, check_peer) = interleave(
        rounds,
        || {
            nanos_each(count, || {
                black_box(bench.tags(view, now, PER_ROOT));
            })
        },
        hash,
    );
    setup.progress.say("verify-10m");
    let (verify, verify_peer) = interleave(
        rounds,
        || {
            nanos_each(count, || {
                black_box(bench.handles(view, now, 1));
            })
        },
        || rsa.nanos(500),
    );
    setup.progress.say("verify-10m-loading");
    let (loading, loading_peer) = interleave(
        rounds,
        || {
            nanos_each(count, || {
                black_box(bench.handles_loading(view, now));
            })
        },
        hash,
    );
    setup.progress.say("batch-64");
    let batches = || {
        nanos_each(count, || {
            black_box(bench.batches(view, now, 64));
        })
    };
    let (batch, batch_peer) = interleave(rounds, batches, hash);
    let keyed = "BLAKE3 keyed hash of 40 bytes";
    let met = |met| setup.verdict(met);
    Ok(vec![
        Row::new(&CHECK_10M, check, sizes.clone()).beside(keyed, check_peer).judged(met(check <= 250.0)),
        Row::new(&VERIFY_10M, verify, sizes.clone())
            .beside("RS256 verification (RSA-2048, aws-lc)", verify_peer)
            .judged(met(verify <= 500.0)),
        Row::new(&VERIFY_10M_LOADING, loading, sizes.clone()).beside(keyed, loading_peer),
        Row::new(&BATCH_64, batch, sizes).beside(keyed, batch_peer).judged(met(batch <= batch_peer + 110.0)),
    ])
}

/// What most services do today: verify an RS256 signature.
struct Rsa {
    key: UnparsedPublicKey<Vec<u8>>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl Rsa {
    fn new() -> Result<Self, Why> {
        let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).map_err(|_| "no RSA key")?;
        let message = vec![b'a'; 300];
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &message, &mut signature)
            .map_err(|_| "no signature")?;
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref().to_vec());
        Ok(Self { key, message, signature })
    }

    fn nanos(&self, times: usize) -> f64 {
        nanos_each(times, || {
            for _ in 0..times {
                black_box(self.key.verify(&self.message, &self.signature)).unwrap_or_default();
            }
        })
    }
}

/// Resident bytes per session of the obvious structure.
fn map_bytes(sessions: u32) -> f64 {
    let before = memory::own_resident();
    let mut map = HashMap::new();
    for session in 0..sessions {
        let (a, b) = (mix(u64::from(session)), mix(u64::from(session) ^ u64::MAX));
        map.insert((a, b), [a, b, a, b, a, b, a, b]);
    }
    let bytes = (memory::own_resident() - before) / f64::from(sessions);
    drop(black_box(map));
    bytes
}
