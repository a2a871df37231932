//! The figures of the commit: durable commands beside one write and sync, redb and PostgreSQL.

use crate::figure::{Family, Row, Setup, Spec, Why};
use crate::house::{House, Tenant};
use crate::peers::{Cluster, Gathered, Sync};
use crate::prepared::Prepared;
use crate::process::{fresh, write_root_key};
use crate::rounds::{median, quantile};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tessera_engine::{Bound, Engine, EngineConfig};
use tessera_model::{Command, SubjectIndex};
use tessera_storage::{Embedded, Options, RootKey};

/// The commit's family.
pub const COMMIT: Family = Family { specs: &[ONE, MANY, POSTGRES, REDB], take };

const ONE: Spec = Spec {
    id: "commit-vs-fdatasync",
    what: "OpenSession, one writer, from order to receipt in process, p50",
    unit: "us",
    goal: "<= 1.5 x one 4 KiB write + fdatasync",
};
const MANY: Spec = Spec {
    id: "commit-64",
    what: "OpenSession, 64 writers on 64 tenants, burst, in process, p50",
    unit: "us",
    goal: "<= 3 x one 4 KiB write + fdatasync, and >= 150,000/s where that is <= 150 us",
};
const POSTGRES: Spec = Spec {
    id: "commit-vs-postgres",
    what: "the same 64 writers, commands per second",
    unit: "ops/s",
    goal: ">= 1.5 x PostgreSQL, 64 clients, one committed row of 200 bytes each",
};
const REDB: Spec = Spec {
    id: "commit-vs-redb",
    what: "the same 64 writers, commands per second",
    unit: "ops/s",
    goal: ">= 3 x redb quick-repair, 64 writers gathered into one transaction",
};

/// LIMIT: how long a writer hears nothing but Busy. No checkpoint is taken within a round: what is full stays full.
const BUSY: Duration = Duration::from_secs(30);
/// Writers and tenants of the burst.
const WRITERS: usize = 64;

/// A house on disk whose tenants each have one machine to open sessions for.
pub struct OnDisk {
    /// The house.
    pub house: House,
    /// Its tenants.
    pub tenants: Vec<Tenant>,
}

/// The machine that a new tenant's first admin is.
pub const ADMIN: SubjectIndex = SubjectIndex(1);

impl OnDisk {
    /// Makes a house on `folder` with this many tenants. No checkpoint is taken by itself: a burst, which ends at
    /// the tail's bound ([`OnDisk::settle`] between bursts).
    ///
    /// # Errors
    /// When the disk or the engine refuses.
    pub fn new(folder: &Path, tenants: usize) -> Result<Self, Why> {
        let never = EngineConfig { checkpoint_every_ms: u64::MAX / 4, ..EngineConfig::default() };
        Self::with(folder, tenants, (never, false))
    }

    /// The same with checkpoints, for as long as it lasts.
    ///
    /// # Errors
    /// When the disk or the engine refuses.
    pub fn sustained(folder: &Path, tenants: usize) -> Result<Self, Why> {
        Self::with(folder, tenants, (EngineConfig::default(), true))
    }

    fn with(folder: &Path, tenants: usize, (config, checkpoints): (EngineConfig, bool)) -> Result<Self, Why> {
        let key = write_root_key(&folder.join("root.key"))?;
        let data = folder.join("data");
        std::fs::create_dir_all(&data)?;
        let mut salt = [0; 32];
        tessera_crypto::random::fill(&mut salt)?;
        let store = Embedded::open(&data, Options::new(RootKey::new(key), salt, [5; 32]))?;
        let store = Prepared::switched(Arc::new(store), Arc::new(AtomicBool::new(checkpoints)));
        let house = House::over(Arc::new(store), config, 2)?;
        let tenants = (0..tenants).map(|number| house.tenant(&format!("bench-{number}")));
        let tenants = tenants.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { house, tenants })
    }

    /// Takes a checkpoint, so that the tail has all its room for the next burst: how much a burst leaves of it
    /// follows from how its commands were gathered, and so from the disk.
    ///
    /// # Errors
    /// When none was taken.
    pub fn settle(&self) -> Result<(), Why> {
        let taken = self.house.runtime.block_on(self.house.engine.checkpoint());
        if taken { Ok(()) } else { Err("no checkpoint was taken".into()) }
    }

    /// Ends the house: what it holds is on disk, and its directory may be opened by somebody else.
    pub fn end(self) {
        let Self { house, tenants } = self;
        drop(tenants);
        house.runtime.block_on(house.engine.stop());
    }

    /// Microseconds of `count` sessions opened one after the other in the first tenant.
    ///
    /// # Errors
    /// When one is refused.
    pub fn one_by_one(&self, count: usize) -> Result<Vec<f64>, Why> {
        let admin = &self.tenants.first().ok_or("no tenant")?.admin;
        // In a task of the runtime, where a door's connections live too.
        let writer = self.house.runtime.spawn(open(self.house.engine.clone(), admin.clone(), (count, None)));
        self.house.runtime.block_on(writer)?.map(|(us, _)| us)
    }

    /// One writer for each tenant, each `count` sessions: microseconds of all, and commands per second.
    ///
    /// # Errors
    /// When one is refused for good; Busy is tried again and counted.
    pub fn burst(&self, count: usize) -> Result<(Vec<f64>, f64, u64), Why> {
        self.crowd((self.tenants.len(), 1), (count, None))
    }

    /// So many writers for each of the first tenants, each so many sessions or until a moment: as [`OnDisk::burst`].
    ///
    /// # Errors
    /// As [`OnDisk::burst`].
    pub fn crowd(
        &self,
        (tenants, each): (usize, usize),
        until: (usize, Option<Instant>),
    ) -> Result<(Vec<f64>, f64, u64), Why> {
        let started = Instant::now();
        let all = self.house.runtime.block_on(async {
            let writers =
                self.tenants.iter().take(tenants).flat_map(|tenant| std::iter::repeat_n(tenant, each));
            let tasks: Vec<_> = writers
                .map(|tenant| tokio::spawn(open(self.house.engine.clone(), tenant.admin.clone(), until)))
                .collect();
            let (mut all, mut busy) = (Vec::new(), 0);
            for task in tasks {
                let (micros, refused) = task.await??;
                all.extend(micros);
                busy += refused;
            }
            Ok::<_, Why>((all, busy))
        })?;
        let (micros, busy) = all;
        let rate = micros.len() as f64 / started.elapsed().as_secs_f64();
        Ok((micros, rate, busy))
    }
}

/// Opens sessions one after the other, so many at most and until a moment at most: microseconds of each, and how often the
/// answer was Busy.
async fn open(
    engine: Engine,
    admin: Bound,
    (count, until): (usize, Option<Instant>),
) -> Result<(Vec<f64>, u64), Why> {
    let (mut micros, mut busy) = (Vec::with_capacity(count.min(1 << 10)), 0);
    let command =
        Command::OpenSession { subject: ADMIN, seen_cut_off: 0, identifier: None, acr: 1, device: None };
    let mut taken = Instant::now();
    while micros.len() < count {
        let started = Instant::now();
        if until.is_some_and(|until| started >= until) {
            break;
        }
        match engine.submit(&admin, engine.command_id(), command.clone()).await {
            Ok(_) => {
                micros.push(started.elapsed().as_nanos() as f64 / 1e3);
                taken = started;
            }
            Err(tessera_engine::SubmitError::Refused(tessera_model::Refusal::Busy(at))) => {
                busy += 1;
                if taken.elapsed() > BUSY {
                    return Err(format!("nothing was taken for half a minute: Busy, {at:?}").into());
                }
                tokio::task::yield_now().await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((micros, busy))
}

fn take(setup: &Setup) -> Result<Vec<Row>, Why> {
    setup.progress.say("commit: a house on disk with 64 tenants");
    let folder = fresh(&setup.folder, "commit")?;
    let disk = OnDisk::new(&folder, WRITERS)?;
    let mut sync = Sync::new(&folder)?;
    let rounds = setup.size(7, 3) as usize;
    let mut rows = vec![one(setup, &disk, &mut sync, rounds)?];
    rows.extend(many(setup, &disk, &mut sync, (rounds, &folder))?);
    Ok(rows)
}

pub(crate) const SYNC: &str = "pwrite of 4 KiB and fdatasync into a preallocated file, p50";

fn one(setup: &Setup, disk: &OnDisk, sync: &mut Sync, rounds: usize) -> Result<Row, Why> {
    setup.progress.say(ONE.id);
    let count = setup.size(400, 100) as usize;
    let (mut ours, mut syncs) = (Vec::new(), Vec::new());
    disk.one_by_one(count / 2)?;
    for _ in 0..rounds {
        ours.push(median(&disk.one_by_one(count)?));
        syncs.push(sync.p50(count)?);
    }
    let (one, w) = (median(&ours), median(&syncs));
    let (least, most) = (quantile(&syncs, 0.0), quantile(&syncs, 1.0));
    let sizes =
        format!("{count} commands a round, {rounds} rounds in turn; syncs {least:.0} to {most:.0} us");
    // Fewer rounds in a quick run, the same sizes.
    Ok(Row::new(&ONE, one, sizes).beside(SYNC, w).judged(Some(one <= 1.5 * w)))
}

/// A peer's rates, round by round; one that fails is asked no more, and says why.
pub(crate) struct Rates {
    pub(crate) taken: Vec<f64>,
    pub(crate) failed: Option<String>,
}

impl Rates {
    pub(crate) fn of<T>(peer: &Result<T, Why>) -> Self {
        Self { taken: Vec::new(), failed: peer.as_ref().err().map(ToString::to_string) }
    }

    pub(crate) fn take(&mut self, round: impl FnOnce() -> Result<f64, Why>) {
        if self.failed.is_none() {
            match round() {
                Ok(rate) => self.taken.push(rate),
                Err(why) => self.failed = Some(why.to_string()),
            }
        }
    }
}

/// The burst and its peers, all in each round.
fn many(
    setup: &Setup,
    disk: &OnDisk,
    sync: &mut Sync,
    (rounds, folder): (usize, &Path),
) -> Result<Vec<Row>, Why> {
    let runtime = &disk.house.runtime;
    setup.progress.say("commit-64: starting PostgreSQL");
    let cluster = Cluster::start(folder, runtime, WRITERS);
    setup.progress.say("commit-64: starting redb");
    let redb = Gathered::new(&folder.join("peer.redb"));
    let (count, postgres_count, redb_count) =
        (setup.size(700, 100) as usize, setup.size(200, 40) as usize, setup.size(100, 30) as usize);
    setup.progress.say(MANY.id);
    let (mut p50s, mut rates, mut syncs, mut busy) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let (mut postgres_rates, mut redb_rates) = (Rates::of(&cluster), Rates::of(&redb));
    disk.burst(count / 4)?;
    for round in 1..=rounds {
        setup.progress.say(&format!("commit-64: round {round} of {rounds}"));
        disk.settle()?;
        let (micros, rate, refused) = disk.burst(count)?;
        p50s.push(median(&micros));
        rates.push(rate);
        busy += refused;
        syncs.push(sync.p50(100)?);
        if let Ok(cluster) = &cluster {
            postgres_rates.take(|| cluster.rate(runtime, postgres_count));
        }
        if let Ok(redb) = &redb {
            redb_rates.take(|| redb.rate(runtime, WRITERS, redb_count));
        }
    }
    let (p50, rate, w) = (median(&p50s), median(&rates), median(&syncs));
    let sizes = format!(
        "{WRITERS} writers and tenants, {count} commands each a round, {rounds} rounds in turn; {rate:.0}/s; Busy {busy}"
    );
    let met = p50 <= 3.0 * w && (w > 150.0 || rate >= 150_000.0);
    let mut rows = vec![Row::new(&MANY, p50, sizes).beside(SYNC, w).judged(setup.verdict(met))];
    rows.push(match (&cluster, &postgres_rates.failed) {
        (Ok(cluster), None) => {
            let theirs = median(&postgres_rates.taken);
            let sizes = format!(
                "{WRITERS} writers; {WRITERS} clients over a socket with {postgres_count} rows each a round, fsync on; {rounds} rounds in turn"
            );
            let met = setup.verdict(rate / theirs >= 1.5);
            Row::new(&POSTGRES, rate, sizes).beside(&cluster.version(), theirs).judged(met)
        }
        (_, failed) => Row::absent(&POSTGRES, failed.as_deref().unwrap_or_default()),
    });
    if let Some(why) = &redb_rates.failed {
        rows.push(Row::absent(&REDB, why));
        return Ok(rows);
    }
    let theirs = median(&redb_rates.taken);
    let sizes = format!(
        "{WRITERS} writers; {WRITERS} tasks behind one gathering writer, 200-byte rows, {redb_count} each a round; {rounds} rounds in turn"
    );
    let met = setup.verdict(rate / theirs >= 3.0);
    let peer = "redb 4.6, quick-repair, Durability::Immediate";
    rows.push(Row::new(&REDB, rate, sizes).beside(peer, theirs).judged(met));
    Ok(rows)
}
