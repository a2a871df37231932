//! Builds a node from its configuration, bottom up, and takes it down again, top down.
//!
//! store → engine → doors. A door that cannot open ends the start; a store that fails ends the process.

use crate::clock::{Drift, Machine, NodeClock};
use crate::config::Config;
use crate::entropy::SystemEntropy;
use crate::exit::{self, FatalError};
use crate::lifecycle::{self, Phase, Signals, Wish};
use crate::notify::{self, State};
use crate::renewal::Renewal;
use crate::scrub::Findings;
use crate::telemetry::{self, Recorder};
use crate::{fleet, gateway, health, huge_pages, metric, offer, root_key, scrub, store, tls, welcome};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tessera_crypto::PasswordPool;
use tessera_engine::{Engine, EngineConfig};
use tessera_model::{CellId, Fleet};
use tessera_transport::{Door, DoorConfig, DoorError, Limits};

/// What `tessera dev` does beside serving.
pub(crate) struct Walk {
    /// Where everything is kept.
    pub(crate) folder: PathBuf,
    /// Print the walk as one JSON object.
    pub(crate) json: bool,
    /// Leave the walk out.
    pub(crate) skip: bool,
}

/// Runs a node until a signal ends it.
///
/// # Errors
/// What kept it from starting, or made it stop.
pub(crate) fn serve(config: Config) -> Result<(), FatalError> {
    #[cfg(feature = "planted")]
    crate::planted::hoard();
    enter(config, None)
}

/// Runs a node for development: what is missing is made, and the main job is walked through once.
///
/// # Errors
/// As [`serve`], and when the walk gets a wrong answer.
pub(crate) fn develop(config: Config, walk: Walk) -> Result<(), FatalError> {
    std::fs::create_dir_all(&walk.folder)
        .map_err(|error| FatalError::unavailable(format!("{}: {error}", walk.folder.display())))?;
    root_key::make_if_missing(&config.storage)?;
    std::fs::create_dir_all(&config.storage.backup_dir).map_err(|error| {
        FatalError::unavailable(format!("{}: {error}", config.storage.backup_dir.display()))
    })?;
    enter(config, if walk.skip { None } else { Some(walk) })
}

fn enter(config: Config, walk: Option<Walk>) -> Result<(), FatalError> {
    crate::restore::refuse_unfinished(&config.storage.dir)?;
    telemetry::start_log(&config.log)?;
    runtime()?.block_on(live(config, walk))
}

/// The runtime of everything but the door.
///
/// # Errors
/// When the system gives no threads.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, FatalError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores().clamp(1, 8))
        .enable_all()
        .build()
        .map_err(|error| FatalError::unavailable(format!("the runtime cannot start: {error}")))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// A node that takes requests.
#[derive(Clone)]
pub(crate) struct Live {
    engine: Engine,
    /// Taken out when the drain begins.
    door: Arc<Mutex<Option<Door>>>,
    /// The HTTP door, if there is one; taken out when the drain begins.
    http: Arc<Mutex<Option<tessera_gateway_http::Door>>>,
    /// The certificate's pair that the node was started with.
    identity: Arc<tls::Identity>,
    /// What the last look at the checkpoint found.
    findings: Arc<Findings>,
    /// The connections to the other cells of the fleet.
    peers: Option<Arc<fleet::Peers>>,
}

impl Live {
    /// The engine.
    pub(crate) const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The connections to the other cells of the fleet, if the node belongs to one.
    pub(crate) const fn peers(&self) -> Option<&Arc<fleet::Peers>> {
        self.peers.as_ref()
    }

    /// Hands the figures of engine and door to the metrics.
    pub(crate) fn record(&self) {
        metric::record(&self.engine.usage());
        if let Ok(door) = self.door.lock()
            && let Some(door) = door.as_ref()
        {
            metric::record_door(&door.figures());
        }
        if let Ok(http) = self.http.lock()
            && let Some(http) = http.as_ref()
        {
            metric::record_http(&http.figures());
        }
    }

    /// What is damaged: tenants that have failed, tenants of which a part could not be read, and entries of
    /// the checkpoint.
    pub(crate) fn damage(&self) -> (usize, usize, u64) {
        let usage = self.engine.usage();
        (usage.failed, usage.damaged, self.findings.count())
    }

    /// Where the HTTP door listens, if there is one.
    fn http_address(&self) -> Option<SocketAddr> {
        self.http.lock().ok()?.as_ref().map(tessera_gateway_http::Door::address)
    }

    /// Lets what runs end, then closes the door and the store.
    async fn stop(&self, patience: Duration) {
        let door = self.door.lock().ok().and_then(|mut door| door.take());
        let http = self.http.lock().ok().and_then(|mut http| http.take());
        let quic = async {
            if let Some(door) = door {
                door.drain(patience).await;
            }
        };
        let http = async {
            if let Some(http) = http {
                http.drain(patience).await;
            }
        };
        tokio::join!(quic, http);
        self.engine.stop().await;
    }

    /// Takes another certificate into use at every door; the old one stays when the new one does not hold.
    ///
    /// # Errors
    /// What does not hold.
    pub(crate) fn reload(&self, identity: &tls::Identity) -> Result<(), FatalError> {
        let failed = || FatalError::unavailable("a door has failed");
        if let Some(http) = self.http.lock().map_err(|_| failed())?.as_ref() {
            http.reload(&identity.chain_pem, identity.key_pem.expose())
                .map_err(|error| FatalError::config(format!("quic.certificate_file: {error}")))?;
        }
        let door = self.door.lock().map_err(|_| failed())?;
        let Some(door) = door.as_ref() else { return Ok(()) };
        door.reload(&identity.chain_pem, identity.key_pem.expose())
            .map_err(|error| FatalError::config(format!("quic.certificate_file: {error}")))
    }
}

async fn live(config: Config, walk: Option<Walk>) -> Result<(), FatalError> {
    let mut signals = Signals::take()?;
    let without = huge_pages::spare(&config.storage.dir);
    let recorder = Recorder::install()?;
    let (phase, watching) = lifecycle::phases();
    let known = Arc::new(OnceLock::new());
    let listener = health::bind(config.health.listen).await?;
    let probes = tokio::spawn(health::serve(listener, recorder, watching, Arc::clone(&known)));
    let clock = Arc::new(NodeClock::new(Machine));
    let follower = tokio::spawn(follow(Arc::clone(&clock)));
    let (node, secret) = tokio::select! {
        biased;
        () = until_end(&mut signals) => return Ok(()),
        started = start(&config, clock) => started?,
    };
    drop(known.set(node.clone()));
    if let (None, Some(secret)) = (&walk, &secret) {
        offer::show(secret, &config);
    }
    phase.send_replace(Phase::Ready);
    notify::tell(State::Ready);
    tracing::info!(health = %config.health.listen, http = config.http.listen, quic = %config.quic.listen, "ready");
    let scrub = tokio::spawn(scrubbed(&config, &node));
    let growth = tokio::spawn(without.until_worth_it(node.engine.clone()));
    let claimed = tokio::spawn(offer::forget_when_claimed(node.engine.clone(), config.storage.dir.clone()));
    let mut ended = match welcomed(&config, &node, secret, walk, &mut signals).await {
        Ok(true) => run(&config, &node, &mut signals).await,
        Ok(false) => Ok(()),
        Err(error) => Err(error),
    };
    let signalled = Instant::now();
    scrub.abort();
    growth.abort();
    claimed.abort();
    phase.send_replace(Phase::Draining);
    notify::tell(State::Stopping);
    tracing::info!("draining");
    if ended.as_ref().err().is_none_or(|error| error.code != exit::STORAGE) {
        node.stop(Duration::from_secs(config.shutdown.drain_seconds)).await;
        // The last checkpoint and the closing group may fail too.
        if tokio::time::timeout(Duration::ZERO, node.engine.until_failed()).await.is_ok() {
            ended = Err(failed());
        }
    }
    follower.abort();
    metrics::histogram!(metric::DRAIN_SECONDS).record(signalled.elapsed().as_secs_f64());
    phase.send_replace(Phase::Ended);
    drop(tokio::time::timeout(Duration::from_secs(1), probes).await);
    tracing::info!("ended");
    ended
}

/// Looks at the checkpoint now and then, if it is to be looked at.
fn scrubbed(config: &Config, node: &Live) -> impl Future<Output = ()> + Send + 'static {
    let every = Duration::from_secs(config.storage.scrub_seconds);
    let (engine, findings) = (node.engine.clone(), Arc::clone(&node.findings));
    async move {
        if !every.is_zero() {
            scrub::run(engine, every, findings).await;
        }
    }
}

/// Waits for the wish to end, while there is nothing to reload yet.
async fn until_end(signals: &mut Signals) {
    while signals.next().await != Wish::End {}
}

/// Opens the store and starts the engine on it.
///
/// # Errors
/// When the directory is not to be had, or does not read.
pub(crate) async fn engine(
    config: &Config,
    fleet: Option<Fleet>,
    clock: Arc<NodeClock>,
) -> Result<Engine, FatalError> {
    let opened = Instant::now();
    let cell = fleet.as_ref().map_or(CellId(0), Fleet::own);
    let store = store::open(config).await?;
    let threads = NonZeroUsize::new(config.passwords.threads)
        .or_else(|| NonZeroUsize::new(cores() - 1))
        .unwrap_or(NonZeroUsize::MIN);
    let pool = PasswordPool::new(threads, config.passwords.queue_max)
        .map_err(|error| FatalError::unavailable(format!("the hashing pool cannot start: {error}")))?;
    let engine = Engine::start(
        EngineConfig { cell, ..settings(config) },
        store,
        (clock, Arc::new(SystemEntropy)),
        Arc::new(pool),
    )
    .await
    .map_err(|error| FatalError::storage(format!("the engine cannot start: {error}")))?;
    if let Some(fleet) = fleet {
        engine.set_fleet(fleet);
    }
    tracing::info!(ms = u64::try_from(opened.elapsed().as_millis()).unwrap_or(u64::MAX), "recovered");
    Ok(engine)
}

/// Starts the engine and opens the door before it.
async fn start(config: &Config, clock: Arc<NodeClock>) -> Result<(Live, Option<String>), FatalError> {
    let fleet = fleet::look(config)?;
    let engine = engine(config, fleet.as_ref().map(|read| read.fleet.clone()), clock).await?;
    let cell = engine.fleet().map_or(CellId(0), |fleet| fleet.own());
    let talk = fleet.map(|read| fleet::Talk::new(config, &engine, read));
    if let Some(talk) = &talk {
        talk.first().await;
    }
    let identity = tls::first(config)?;
    // Before a door is open: whoever finds the node there finds its secret and its profile.
    let secret = offer::offer(&engine, &SystemEntropy, &config.storage.dir).await?;
    if let Err(error) = welcome::write_profile(config, engine.awaits_claim()) {
        // Commands have other ways to the node; a full disk keeps it from serving nobody.
        tracing::warn!(%error, "the profile for commands on this machine could not be written");
    }
    let http = gateway::open(config, &engine, &identity).await?;
    let door = DoorConfig {
        listen: config.quic.listen,
        runtimes: if config.quic.endpoints == 0 { cores().min(8) } else { config.quic.endpoints },
        chain_pem: identity.chain_pem.clone(),
        key_pem: identity.key_pem.clone(),
        reset_key: tls::reset_key(&config.storage.dir)?,
        cell,
        version: version(),
        limits: Limits { connections: config.quic.connections_max, ..Limits::default() },
        busy_poll: config.quic.busy_poll,
        cores: config.quic.cores.clone(),
    };
    let door = Door::open(engine.clone(), door).map_err(|error| {
        if let DoorError::Certificate(what) = error {
            FatalError::config(format!("quic.certificate_file: {what}"))
        } else if let DoorError::Core(core) = error {
            FatalError::config(format!("quic.cores: this process may not run on core {core}"))
        } else {
            let hint = if let DoorError::Listen { source, .. } = &error {
                exit::elsewhere("QUIC", source)
            } else {
                String::new()
            };
            FatalError::unavailable(format!("quic.listen: {error}{hint}"))
        }
    })?;
    let peers = talk.as_ref().map(fleet::Talk::peers);
    if let Some(talk) = talk {
        // It ends with the runtime.
        drop(tokio::spawn(talk.run()));
    }
    let (door, http) = (Arc::new(Mutex::new(Some(door))), Arc::new(Mutex::new(http)));
    Ok((Live { engine, door, http, identity: Arc::new(identity), findings: Arc::default(), peers }, secret))
}

/// Walks through the main job, in development. False when a signal came meanwhile.
async fn welcomed(
    config: &Config,
    node: &Live,
    secret: Option<String>,
    walk: Option<Walk>,
    signals: &mut Signals,
) -> Result<bool, FatalError> {
    let Some(walk) = walk else { return Ok(true) };
    tokio::select! {
        biased;
        () = node.engine.until_failed() => Err(failed()),
        () = until_end(signals) => Ok(false),
        walked = welcome::walk(config, &walk, secret, node.http_address()) => {
            walked?;
            if let (false, Some(address)) = (walk.json, node.http_address()) {
                gateway::invite(address, config.http.plain, &walk.folder);
            }
            Ok(true)
        }
    }
}

/// What the engine is told; the build with planted faults also looks for their switches.
fn settings(config: &Config) -> EngineConfig {
    EngineConfig {
        idle_sleep_ms: config.tenants.idle_sleep_seconds.saturating_mul(1000),
        memory_bytes_max: usize::try_from(config.tenants.memory_bytes_max).unwrap_or(usize::MAX),
        loads_max: cores().clamp(2, 8),
        trusts_wall: config.storage.danger_trust_wall_clock,
        password_cost_max: config.passwords.cost_mib_max.saturating_mul(1024),
        checkpoint_every_ms: config.storage.checkpoint_seconds.saturating_mul(1000),
        #[cfg(feature = "planted")]
        planted_skip_revocations: std::env::var("TESSERA_PLANTED_SKIP_REVOCATIONS")
            .ok()
            .and_then(|every| every.parse().ok())
            .unwrap_or_default(),
        #[cfg(feature = "planted")]
        planted_keeps_moved: std::env::var_os("TESSERA_PLANTED_KEEPS_MOVED").is_some(),
        ..EngineConfig::default()
    }
}

/// The version as Hello's reply tells it: major × 10^6 + minor × 10^3 + patch.
fn version() -> u32 {
    let number = |text: &str| text.parse::<u32>().unwrap_or_default();
    number(env!("CARGO_PKG_VERSION_MAJOR")) * 1_000_000
        + number(env!("CARGO_PKG_VERSION_MINOR")) * 1_000
        + number(env!("CARGO_PKG_VERSION_PATCH"))
}

/// The store has failed: nothing may be answered any more.
fn failed() -> FatalError {
    let what = "the store has failed: what was not answered is unknown; start again, then repeat it";
    tracing::error!("{what}");
    FatalError::storage(what)
}

/// Serves until a signal or a failure of the store.
async fn run(config: &Config, node: &Live, signals: &mut Signals) -> Result<(), FatalError> {
    let mut renewal = Renewal::new(config, &node.identity);
    let mut fleet = fleet::Reload::new(config);
    loop {
        tokio::select! {
            biased;
            () = node.engine.until_failed() => return Err(failed()),
            wish = signals.next() => match wish {
                Wish::End => return Ok(()),
                Wish::Reload => {
                    renewal.look(config, node, true);
                    fleet.look(config, node);
                }
            },
            () = fleet.due() => fleet.look(config, node),
            () = renewal.due() => renewal.look(config, node, false),
        }
    }
}

/// Compares the clock with the wall once a second.
async fn follow(clock: Arc<NodeClock>) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tick.tick().await;
        let drift = match clock.follow() {
            Drift::Followed(drift) => drift,
            Drift::Alarm(drift) => {
                metrics::counter!(metric::CLOCK_ALARMS_TOTAL).increment(1);
                tracing::warn!(drift_ms = drift, "the wall clock is too far off and is not followed");
                drift
            }
        };
        metrics::gauge!(metric::CLOCK_DRIFT_SECONDS).set(drift as f64 / 1000.0);
    }
}
