//! Many writers in process: on one tenant, a thousand of them, and for as long as checkpoints and history go on.

use crate::commit::{OnDisk, SYNC};
use crate::figure::{Family, Row, Setup, Spec, Why};
use crate::peers::Sync;
use crate::process::fresh;
use crate::rounds::{median, quantile};
use std::time::{Duration, Instant};

/// Bursts of many writers.
pub const CROWD: Family = Family { specs: &[ONE_TENANT, THOUSAND], take: bursts };
/// Writers that do not stop.
pub const SUSTAINED: Family = Family { specs: &[LASTING, LASTING_THOUSAND], take: sustained };

const ONE_TENANT: Spec = Spec {
    id: "commit-64-one-tenant",
    what: "OpenSession, 64 writers on one tenant, burst, in process",
    unit: "ops/s",
    goal: ">= 0.7 x the same on 64 tenants",
};
const THOUSAND: Spec = Spec {
    id: "commit-1024",
    what: "OpenSession, 1,024 writers over 64 tenants, burst, in process",
    unit: "ops/s",
    goal: ">= 400,000/s",
};
const LASTING: Spec = Spec {
    id: "commit-64-sustained",
    what: "OpenSession, 64 writers on 64 tenants, checkpoints and history on, in process",
    unit: "ops/s",
    goal: ">= 60,000/s over 30 s",
};
const LASTING_THOUSAND: Spec = Spec {
    id: "commit-1024-sustained",
    what: "OpenSession, 1,024 writers over 64 tenants, checkpoints and history on, in process",
    unit: "ops/s",
    goal: ">= 120,000/s over 30 s",
};

/// Tenants, and writers of each where a thousand write.
const TENANTS: usize = 64;
const EACH: usize = 16;
/// What stands beside throughput: one sync after the other.
pub(crate) const SYNCS: &str = "pwrite of 4 KiB and fdatasync, one after the other";

/// Rates, median latencies and Busy of one kind of crowd, round by round.
#[derive(Default)]
struct Rounds {
    rates: Vec<f64>,
    p50s: Vec<f64>,
    busy: u64,
}

impl Rounds {
    fn take(&mut self, (micros, rate, busy): (Vec<f64>, f64, u64)) {
        self.rates.push(rate);
        self.p50s.push(median(&micros));
        self.busy += busy;
    }

    fn sizes(&self, of: &str, w: f64) -> String {
        format!(
            "{of}, {} rounds in turn, {:.0} to {:.0}/s; p50 {:.0} us beside {SYNC} {w:.0} us; Busy {}",
            self.rates.len(),
            quantile(&self.rates, 0.0),
            quantile(&self.rates, 1.0),
            median(&self.p50s),
            self.busy
        )
    }
}

fn bursts(setup: &Setup) -> Result<Vec<Row>, Why> {
    setup.progress.say("commit-1024: a house on disk with 64 tenants");
    let folder = fresh(&setup.folder, "crowd")?;
    let disk = OnDisk::new(&folder, TENANTS)?;
    let mut sync = Sync::new(&folder)?;
    let rounds = setup.size(7, 3);
    let (count, thousand) = (setup.size(700, 100) as usize, setup.size(100, 10) as usize);
    let [mut spread, mut one, mut many] = std::array::from_fn(|_| Rounds::default());
    let mut syncs = Vec::new();
    disk.burst(count / 4)?;
    for round in 1..=rounds {
        setup.progress.say(&format!("commit-64-one-tenant, commit-1024: round {round} of {rounds}"));
        for (taken, writers, count) in [
            (&mut spread, (TENANTS, 1), count),
            (&mut one, (1, TENANTS), count),
            (&mut many, (TENANTS, EACH), thousand),
        ] {
            disk.settle()?;
            taken.take(disk.crowd(writers, (count, None))?);
        }
        syncs.push(sync.p50(100)?);
    }
    disk.end();
    let w = median(&syncs);
    let [beside, alone, rate] = [&spread, &one, &many].map(|taken| median(&taken.rates));
    let (met, thousand_met) = (setup.verdict(alone >= 0.7 * beside), setup.verdict(rate >= 400_000.0));
    Ok(vec![
        Row::new(&ONE_TENANT, alone, one.sizes(&format!("{TENANTS} writers, {count} commands each"), w))
            .beside("the same 64 writers on 64 tenants", beside)
            .judged(met),
        Row::new(
            &THOUSAND,
            rate,
            many.sizes(&format!("{} writers, {thousand} commands each", TENANTS * EACH), w),
        )
        .beside(SYNCS, 1e6 / w)
        .judged(thousand_met),
    ])
}

fn sustained(setup: &Setup) -> Result<Vec<Row>, Why> {
    setup.progress.say("commit-64-sustained: a house on disk with 64 tenants");
    let folder = fresh(&setup.folder, "sustained")?;
    let disk = OnDisk::sustained(&folder, TENANTS)?;
    let mut sync = Sync::new(&folder)?;
    // Three rounds of each in turn; nothing stands still between them but for a hundred syncs.
    let each = Duration::from_millis(u64::from(setup.size(10_000, 700)));
    let [mut few, mut many] = std::array::from_fn(|_| Rounds::default());
    let mut syncs = Vec::new();
    disk.burst(50)?;
    for round in 1..=3 {
        for (taken, writers, id) in [(&mut few, 1, LASTING.id), (&mut many, EACH, LASTING_THOUSAND.id)] {
            setup.progress.say(&format!("{id}: round {round} of 3"));
            let until = Some(Instant::now() + each);
            taken.take(disk.crowd((TENANTS, writers), (usize::MAX, until))?);
        }
        syncs.push(sync.p50(100)?);
    }
    let tables = disk.house.engine.usage().table_bytes as f64 / 1e6;
    disk.end();
    let w = median(&syncs);
    let told = |taken: &Rounds| {
        let of = format!("{:.1} s a round, {tables:.0} MB of session tables in the end", each.as_secs_f64());
        taken.sizes(&of, w)
    };
    let [rate, thousand] = [&few, &many].map(|taken| median(&taken.rates));
    Ok(vec![
        Row::new(&LASTING, rate, told(&few)).beside(SYNCS, 1e6 / w).judged(setup.verdict(rate >= 60_000.0)),
        Row::new(&LASTING_THOUSAND, thousand, told(&many))
            .beside(SYNCS, 1e6 / w)
            .judged(setup.verdict(thousand >= 120_000.0)),
    ])
}
