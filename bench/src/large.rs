//! `verify-10m` and its family: checks over more sessions than any cache holds, and their memory.

use crate::apart;
use crate::checks::{Bench, PER_ROOT};
use crate::figure::{Family, Row, Setup, Spec, Why};
use crate::memory;
use crate::rounds::{median, nanos_each};
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

/// The family over 10 M sessions, in a process of its own.
pub const LARGE: Family = Family {
    specs: &[
        CHECK_10M,
        ISOLATED_10M,
        VERIFY_10M,
        VERIFY_VS_RS256,
        VERIFY_10M_LOADING,
        BATCH_64_TAG,
        BATCH_64,
        BYTES_PER_SESSION,
        BYTES_10M_1M,
        RESIDENT_10M,
    ],
    take: large,
};

const CHECK_10M: Spec = Spec {
    id: "check-10m",
    what: "check by tag over random sessions, back to back, one root per 64, p50",
    unit: "ns",
    goal: "<= 250 ns",
};
const ISOLATED_10M: Spec = Spec {
    id: "check-10m-isolated",
    what: "the same, each question asked when the one before was answered, p50",
    unit: "ns",
    goal: "reported",
};
const VERIFY_10M: Spec = Spec {
    id: "verify-10m",
    what: "check by handle over random sessions, back to back, the root renewed for each check, p50",
    unit: "ns",
    goal: "<= 500 ns",
};
const VERIFY_VS_RS256: Spec = Spec {
    id: "verify-vs-rs256",
    what: "the same beside what a token of its own would cost, p50",
    unit: "ns",
    goal: "30 of them in one RS256 verification",
};
const VERIFY_10M_LOADING: Spec = Spec {
    id: "verify-10m-loading",
    what: "the same, each check on its own: the root loaded from the shared pointer, p50",
    unit: "ns",
    goal: "reported",
};
const BATCH_64_TAG: Spec = Spec {
    id: "batch-64-tag",
    what: "check by tag over random sessions, 64 to a batch with their places touched first, p50 per check",
    unit: "ns",
    goal: "<= 110 ns",
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
const BYTES_10M_1M: Spec = Spec {
    id: "bytes-10m-1m",
    what: "what the tenant takes by the engine's own account: sessions, subjects with their grants, root",
    unit: "MB",
    goal: "<= 1,074 MB (1 GiB)",
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

/// In a process of its own: what other figures had and gave back lies about in small pages, and a growth of resident
/// memory counts only what was not there before.
fn large(setup: &Setup) -> Result<Vec<Row>, Why> {
    if !setup.apart {
        return apart::rows(setup, LARGE.specs);
    }
    let sessions = setup.size(SESSIONS, SESSIONS_QUICK);
    setup.progress.say(&format!("verify-10m and its family: loading {sessions} sessions"));
    let (before, started) = (memory::own_resident(), Instant::now());
    let bench = Bench::new(World::of(sessions), setup.size(QUESTIONS, QUESTIONS_QUICK))?;
    let loaded = started.elapsed().as_secs_f64();
    let questions = size_of_val(bench.by_tag.as_slice()) + size_of_val(bench.by_handle.as_slice());
    let grown = memory::own_resident() - before - questions as f64;
    let (view, now) = (bench.tenant.view()?, bench.house.engine.now());
    let world = World::of(sessions);
    let sizes = format!(
        "{sessions} sessions, {} subjects with 6 grants, {} workspaces; loaded in {loaded:.1} s",
        world.subjects,
        world.chains * 4
    );
    let huge = memory::own_huge() / 1e6;
    let taken = Taken::take(setup, &bench, (&view, now))?;
    // What sleeps is taken down meanwhile: the figures would be of that.
    bench.tenant.view().map_err(|_| "the tenant fell asleep while it was asked")?;
    let pages = format!("{huge:.0} of {:.0} MB in huge pages", memory::own_resident() / 1e6);
    let mut rows = taken.rows(setup, &format!("{sizes}; {pages}"));
    rows.extend(bytes(setup, &view, (sessions, grown), &sizes));
    Ok(rows)
}

/// What it takes, beside the obvious structure.
fn bytes(setup: &Setup, view: &View, (sessions, grown): (u32, f64), sizes: &str) -> [Row; 3] {
    setup.progress.say("bytes-per-session: the same sessions in a HashMap");
    let (count, map) = (f64::from(sessions), map_bytes(sessions));
    let (table, tenant) = (view.table_bytes() as f64 / count, view.bytes() as f64 / 1e6);
    let peer = "std HashMap from 16-byte id to 64-byte value, resident";
    // One chunk of 4,096 places is filled in part only.
    let met = setup.verdict(table.round() <= 64.0);
    let whole = setup.verdict(tenant * 1e6 <= f64::from(1 << 30));
    let told = format!("{sizes}; resident {:.0} MB with the actor's own state", grown / 1e6);
    [
        Row::new(&BYTES_PER_SESSION, table, sizes.to_owned()).beside(peer, map).judged(met),
        Row::new(&BYTES_10M_1M, tenant, told).beside(peer, map * count / 1e6).judged(whole),
        Row::new(&RESIDENT_10M, grown / count, sizes.to_owned()).beside(peer, map),
    ]
}

/// Nanoseconds of each way to ask, all of them in every round: what disturbs the machine disturbs all.
#[derive(Default)]
struct Taken {
    check: Vec<f64>,
    isolated: Vec<f64>,
    verify: Vec<f64>,
    loading: Vec<f64>,
    tags: Vec<f64>,
    handles: Vec<f64>,
    hash: Vec<f64>,
    rsa: Vec<f64>,
    count: usize,
}

impl Taken {
    fn take(setup: &Setup, bench: &Bench, (view, now): (&View, UnixMillis)) -> Result<Self, Why> {
        let (rounds, count) = (if setup.quick { 5 } else { 15 }, bench.by_tag.len());
        let rsa = Rsa::new()?;
        let mut taken = Self { count, ..Self::default() };
        let each = |ask: &dyn Fn() -> usize| {
            nanos_each(count, || {
                black_box(ask());
            })
        };
        // The first round is thrown away.
        for round in 0..=rounds {
            setup.progress.say(&format!("check-10m, verify-10m, batch-64: round {round} of {rounds}"));
            if round == 1 {
                taken = Self { count, ..Self::default() };
            }
            taken.check.push(each(&|| bench.tags(view, now, PER_ROOT)));
            taken.isolated.push(each(&|| bench.isolated(view, now)));
            taken.verify.push(each(&|| bench.handles(view, now, 1)));
            taken.loading.push(each(&|| bench.handles_loading(view, now)));
            taken.tags.push(each(&|| bench.tag_batches(view, now, 64)));
            taken.handles.push(each(&|| bench.batches(view, now, 64)));
            taken.hash.push(nanos_each(count, || bench.hashes(&[7; 32])));
            taken.rsa.push(rsa.nanos(500));
        }
        Ok(taken)
    }

    fn rows(&self, setup: &Setup, sizes: &str) -> Vec<Row> {
        let sizes = format!("{sizes}; {} questions a round, {} rounds in turn", self.count, self.check.len());
        let (keyed, token) = ("BLAKE3 keyed hash of 40 bytes", "RS256 verification (RSA-2048, aws-lc)");
        let (hash, rsa) = (median(&self.hash), median(&self.rsa));
        let row = |spec: &Spec, times: &[f64], (peer, value): (&str, f64), goal: Option<f64>| {
            let time = median(times);
            let met = goal.and_then(|goal| setup.verdict(time <= goal));
            Row::new(spec, time, sizes.clone()).beside(peer, value).judged(met)
        };
        vec![
            row(&CHECK_10M, &self.check, (keyed, hash), Some(250.0)),
            row(&ISOLATED_10M, &self.isolated, (keyed, hash), None),
            row(&VERIFY_10M, &self.verify, (keyed, hash), Some(500.0)),
            row(&VERIFY_VS_RS256, &self.verify, (token, rsa), Some(rsa / 30.0)),
            row(&VERIFY_10M_LOADING, &self.loading, (keyed, hash), None),
            row(&BATCH_64_TAG, &self.tags, (keyed, hash), Some(110.0)),
            row(&BATCH_64, &self.handles, (keyed, hash), Some(hash + 110.0)),
        ]
    }
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
